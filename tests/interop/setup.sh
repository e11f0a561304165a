#!/bin/bash
# Installs what the build and the tests need and Debian has. Rust and Node come first, by hand.
set -euo pipefail

packages=(
    build-essential ca-certificates chromium coturn ejabberd firefox-esr iproute2 libxml2-utils
    nftables openssl prosody prosody-modules pulseaudio python3-venv
)
# An IM client, and what it needs to run without a person.
dino=(
    dino-im dbus xvfb xdotool libglib2.0-bin pulseaudio-utils sqlite3
    gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    gstreamer1.0-nice gstreamer1.0-pulseaudio gstreamer1.0-pipewire pipewire pipewire-bin wireplumber
)
[ "${1:-}" = dino ] && packages+=("${dino[@]}")
# Letters for the page's Chinese.
[ "${1:-}" = screenshots ] && packages+=(fonts-noto-cjk)

command -v cargo >/dev/null || { echo "Rust 1.95 or later is needed: https://rustup.rs" >&2; exit 1; }
node -e 'process.exit(+process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null ||
    { echo "Node 20 or later is needed: https://nodejs.org" >&2; exit 1; }

missing=()
for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "Installing ${missing[*]}"
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=600 -qq -y --no-install-recommends "$@"
}
apt update
# No unit of these packages is needed: everything runs in private directories.
apt install "${missing[@]}"
