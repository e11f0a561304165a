#!/bin/sh
# What relaying costs us and the coturn that is installed, workload by workload, in one run.
#
# Server and load have a core each. Figures are CPU seconds of the server per million datagrams (or
# requests): the median of the rounds, with the least and the most. Servers take turns within each
# round, so that whatever else the machine does meets both.
#
#   tests/bench/turn.sh [WORKLOAD...]      ROUNDS=5 SECONDS_EACH=4 SERVER_CORE=0 LOAD_CORE=1
set -eu
cd "$(dirname "$0")/../.."

rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-4}
server_core=${SERVER_CORE:-0}
load_core=${LOAD_CORE:-1}
target=${CARGO_TARGET_DIR:-target}
[ $# -gt 0 ] || set -- audio-up audio-down burst-up burst-down coalesced-up coalesced-down \
    pair-audio pair-burst paced-up paced-down binding allocations strangers

command -v turnserver >/dev/null || { echo "turnserver is missing: install Debian's coturn" >&2; exit 1; }
cargo build --locked --release
load=$(cargo build --locked --release --bench turn --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\/turn-[^"]*\)".*/\1/p' | tail -1)
[ -x "$load" ] || { echo "the load generator was not built" >&2; exit 1; }

scratch=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        server=
    fi
}
trap 'stop; rm -rf "$scratch"' EXIT INT TERM

cat >"$scratch/campana.toml" <<END
state_dir = "$scratch"
[turn]
listen = ["udp:127.0.0.1:34781"]
relay_address = "127.0.0.1"
relay_ports = "20000-48000"
realm = "bench"
secret = "north"
allow_peers = ["127.0.0.0/8"]
user_allocations = 0
address_allocations = 0
replies_per_second = 0
[http]
listen = "127.0.0.1:0"
END
cat >"$scratch/turnserver.conf" <<END
listening-ip=127.0.0.1
relay-ip=127.0.0.1
listening-port=34782
min-port=20000
max-port=48000
realm=bench
use-auth-secret
static-auth-secret=north
allow-loopback-peers
no-tls
no-dtls
no-cli
log-file=/dev/null
pidfile=$scratch/pid
END

start() {
    case $1 in
    campana)
        port=34781
        CAMPANA_LOG__LEVEL=warn taskset -c "$server_core" \
            "$target/release/campana" run --config "$scratch/campana.toml" >"$scratch/log" 2>&1 &
        ;;
    coturn)
        port=34782
        taskset -c "$server_core" turnserver -c "$scratch/turnserver.conf" >"$scratch/log" 2>&1 &
        ;;
    esac
    server=$!
    sleep 1
    kill -0 "$server" || { cat "$scratch/log" >&2; exit 1; }
}

for workload in "$@"; do
    for round in $(seq "$rounds"); do
        for name in campana coturn; do
            start "$name"
            line=$(taskset -c "$load_core" "$load" "127.0.0.1:$port" "$server" north "$workload" "$seconds")
            echo "$workload $name $line" >>"$scratch/results"
            stop
        done
    done
done

echo "$(turnserver --version 2>/dev/null | tail -1) on $(uname -r), $rounds rounds of $seconds s; load average $(cut -d' ' -f1-3 /proc/loadavg)"
awk '
function sorted(list, into,    n, i, j, t) {
    n = split(list, into, " ")
    for (i = 2; i <= n; i++) for (j = i; j > 1 && into[j] + 0 < into[j-1] + 0; j--) {
        t = into[j]; into[j] = into[j-1]; into[j-1] = t
    }
    return n
}
{
    for (i = 3; i <= NF; i++) if (split($i, pair, "=") == 2 && pair[1] != "packets" && pair[1] != "lost") {
        key = $1 SUBSEP pair[1]
        if (!(key in seen)) { seen[key] = 1; order[++keys] = key }
        values[key, $2] = values[key, $2] " " pair[2]
    }
}
END {
    printf "%-16s %-18s %26s %26s %14s\n", "workload", "figure", "campana", "coturn", "coturn/campana"
    for (k = 1; k <= keys; k++) {
        split(order[k], name, SUBSEP)
        n = sorted(values[order[k], "campana"], a); ours = a[int((n + 1) / 2)]; least = a[1]; most = a[n]
        m = sorted(values[order[k], "coturn"], b); theirs = b[int((m + 1) / 2)]
        printf "%-16s %-18s %8s (%7s – %7s) %8s (%7s – %7s) %14.2f\n", name[1], name[2], \
            ours, least, most, theirs, b[1], b[m], (ours > 0 ? theirs / ours : 0)
    }
}' "$scratch/results"
