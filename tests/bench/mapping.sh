#!/bin/bash
# The mapping beside npm stanza and sdp-jingle-json, in one run on one machine: time, then
# instructions (where valgrind is installed) and allocations of our own.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -d tests/bench/node_modules/stanza ] || npm --prefix tests/bench ci --no-audit --no-fund --silent

echo "== time"
# Criterion puts a long name on a line of its own; the three times are the bounds and the estimate.
cargo bench --locked --bench mapping -- "$@" 2>/dev/null |
    awk '/time:/ { if ($1 == "time:") $0 = name " " $0; gsub(/ +/, " "); print "campana: " $0 } { name = $0 }'
node tests/bench/mapping.mjs

echo "== allocations"
cargo bench --locked --quiet --bench mapping_counts

command -v valgrind >/dev/null || { echo "no valgrind, so no instruction counts"; exit 0; }
echo "== instructions"
counts=$(cargo bench --locked --bench mapping_counts --no-run --message-format=json 2>/dev/null |
    grep -o '"executable":"[^"]*mapping_counts[^"]*"' | tail -1 | cut -d'"' -f4)
instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$counts" "$1" "$2" 2>&1 |
        sed -nE 's/.*Collected : ([0-9]+).*/\1/p'
}
for step in sdp-to-jingle jingle-to-sdp candidate-to-transport-info transport-info-to-candidate; do
    # What comes before the steps is in both, so that it drops out.
    echo "$step: $((($(instructions "$step" 60) - $(instructions "$step" 10)) / 50)) instructions"
done
