#!/bin/sh
# CHANGELOG.md in the form of Debian (Debian Policy 4.4), for `make deb`. A section names its version and
# its day, "## 0.1.0, 2026-12-01"; one that is "Unreleased" is of the version to come, as of the last commit.
set -eu
cd "$(dirname "$0")/.."

field() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" Cargo.toml | head -n 1; }
export VERSION="$(field version)" MAINTAINER="${MAINTAINER:-$(field maintainer)}"
export TODAY="$(date -R -u -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}")"

awk '
function finish() {
    if (version != "") printf "\n -- %s  %s\n\n", ENVIRON["MAINTAINER"], day
}
function begin(distribution) {
    printf "campana (%s-1) %s; urgency=medium\n\n", version, distribution
}
function item(text,    words, count, i, line) {
    count = split(text, words, " ")
    line = "  *"
    for (i = 1; i <= count; i++) {
        if (length(line) + 1 + length(words[i]) > 79) { print line; line = "   " }
        line = line " " words[i]
    }
    print line
}
$1 == "##" && $2 == "Unreleased" {
    finish(); version = ENVIRON["VERSION"]; day = ENVIRON["TODAY"]; begin("UNRELEASED"); next
}
$1 == "##" {
    finish(); version = $2; sub(",", "", version)
    if (("date -R -u -d " $3) | getline day != 1) exit 1
    begin("unstable"); next
}
version != "" && NF > 0 { sub(/^- /, ""); item($0) }
END { finish() }
' CHANGELOG.md
