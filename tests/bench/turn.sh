#!/bin/sh
# What relaying costs us and the coturn that is installed, workload by workload, in one run.
#
# Server and load have a core each. The servers take turns within each round, in turns first, so that
# whatever else the machine does meets both; ratios are made round by round. Shown is the median of
# the rounds, with the least and the most. CPU seconds are the server's, per million datagrams
# (requests for `binding`, allocations for `allocations`).
#
#   tests/bench/turn.sh [WORKLOAD...]     all that are compared, in some six minutes
#   QUICK=1 tests/bench/turn.sh           two short rounds, in two
#   SERVERS=campana ROUNDS=1 tests/bench/turn.sh cycles slow-tcp
#                                         a million allocations made and deleted; 5,000 slow clients
#
#   BUILT=1 takes the programs that are there.
#   URGENT=1 puts the whole session before everything else the machine does; needs root.
#   ROUNDS=5 SECONDS_EACH=1.5 SERVER_CORE=0 LOAD_CORE=1 CYCLES=1000000
set -eu
cd "$(dirname "$0")/../.."

if [ -n "${QUICK:-}" ]; then
    rounds=${ROUNDS:-2} seconds=${SECONDS_EACH:-1}
else
    rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-1.5}
fi
servers=${SERVERS:-campana coturn}
server_core=${SERVER_CORE:-0}
load_core=${LOAD_CORE:-1}
target=${CARGO_TARGET_DIR:-target}
[ $# -gt 0 ] || set -- audio-up audio-down burst-up burst-down coalesced-up coalesced-down \
    pair-audio pair-burst paced-up paced-down binding allocations strangers fair-up fair-down

command -v turnserver >/dev/null || { echo "turnserver is missing: install Debian's coturn" >&2; exit 1; }
[ -n "${BUILT:-}" ] || cargo build --locked --release
if [ -n "${BUILT:-}" ]; then
    load=$(ls -t "$target"/release/deps/turn-* | grep -v '\.d$' | head -1)
else
    load=$(cargo build --locked --release --bench turn --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\/turn-[^"]*\)".*/\1/p' | tail -1)
fi
[ -x "$load" ] || { echo "the load generator was not built" >&2; exit 1; }
# Niceness counts among the jobs of a session only; this is that of the session.
[ -z "${URGENT:-}" ] || echo -20 >/proc/self/autogroup
# Thousands of allocations and of connections.
ulimit -n "$(ulimit -H -n)"

scratch=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        server=
    fi
}
trap 'stop; rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM

cat >"$scratch/campana.toml" <<END
state_dir = "$scratch"
drain_timeout = 0
[turn]
listen = ["udp:127.0.0.1:34781", "tcp:127.0.0.1:34781"]
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
    for _ in $(seq 100); do
        grep -q ":$(printf %04X "$port") " /proc/net/udp && break
        kill -0 "$server" 2>/dev/null || { cat "$scratch/log" >&2; exit 1; }
        sleep 0.1
    done
    sleep 0.3
}

before=$(cut -d' ' -f1-3 /proc/loadavg)
for workload in "$@"; do
    for round in $(seq "$rounds"); do
        for name in $servers; do
            start "$name"
            line=$(taskset -c "$load_core" "$load" "127.0.0.1:$port" "$server" north "$workload" "$seconds") ||
                { echo "$workload against $name failed" >&2; cat "$scratch/log" >&2; exit 1; }
            echo "$workload $name $round $line" >>"$scratch/results"
            stop
        done
        # Who was last is first.
        servers=$(echo "$servers" | awk '{ for (i = NF; i; i--) printf "%s ", $i }')
    done
done

echo "coturn $(turnserver --version 2>/dev/null | tail -1) on Linux $(uname -r), $(nproc) cores, $rounds rounds of $seconds s; load average $before before, $(cut -d' ' -f1-3 /proc/loadavg) after"
awk '
# The goals of the project, where there are any.
BEGIN {
    cost = "cpu_s_per_million"
    goal["audio-up", cost] = goal["audio-down", cost] = "ratio >= 1.2"
    goal["burst-up", cost] = goal["burst-down", cost] = "ratio >= 1.4"
    goal["coalesced-up", cost] = goal["coalesced-down", cost] = "ratio >= 4"
    goal["pair-audio", cost] = "ratio >= 2"
    goal["pair-burst", cost] = "ratio >= 2.4"
    goal["paced-up", cost] = goal["paced-down", cost] = "ratio >= 2.5"
    goal["paced-up", "p50_us"] = goal["paced-down", "p50_us"] = "<= 200"
    goal["paced-up", "p99_us"] = goal["paced-down", "p99_us"] = "ratio >= 0.5"
    goal["binding", cost] = "ratio >= 1.3"
    goal["allocations", "per_second"] = ">= 40000"
    goal["allocations", "bytes_each"] = "<= 2048"
    goal["strangers", "bytes_each"] = "<= 16"
    goal["fair-up", "p99_us"] = goal["fair-down", "p99_us"] = "<= 5000"
}
function sorted(list, into,    n, i, j, t) {
    n = split(list, into, " ")
    for (i = 2; i <= n; i++) for (j = i; j > 1 && into[j] + 0 < into[j-1] + 0; j--) {
        t = into[j]; into[j] = into[j-1]; into[j-1] = t
    }
    return n
}
function shown(list,    n, all, k) {
    n = sorted(list, all)
    if (!n) return "-"
    k = int((n + 1) / 2)
    return all[k] (n > 1 ? " (" all[1] "–" all[n] ")" : "")
}
{
    for (i = 4; i <= NF; i++) if (split($i, pair, "=") == 2 && pair[1] != "packets" && pair[1] != "lost") {
        key = $1 SUBSEP pair[1]
        if (!(key in seen)) { seen[key] = 1; order[++keys] = key }
        values[key, $2] = values[key, $2] " " pair[2]
        value[key, $2, $3] = pair[2]
        if ($3 > rounds) rounds = $3
    }
}
END {
    print "| workload | figure | campana | coturn | coturn ÷ campana | goal |"
    print "|---|---|---|---|---|---|"
    for (k = 1; k <= keys; k++) {
        split(order[k], name, SUBSEP)
        ratios = ""
        for (r = 1; r <= rounds; r++) if (value[order[k], "campana", r] + 0 > 0 && (order[k], "coturn", r) in value)
            ratios = ratios sprintf(" %.2f", value[order[k], "coturn", r] / value[order[k], "campana", r])
        printf "| %s | %s | %s | %s | %s | %s |\n", name[1], name[2], shown(values[order[k], "campana"]), \
            shown(values[order[k], "coturn"]), shown(ratios), goal[name[1], name[2]]
    }
}' "$scratch/results"
