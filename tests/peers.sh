#!/bin/sh
# peers.sh -- the jobs with real peers (Collector, Prometheus ...), one after the other: they use ports and all of the machine.
. "$(dirname "$0")/lib.sh"
JOBS=1
LIMIT=${PEERS_LIMIT:-420}
[ "${PEERS:-}" != full ] || LIMIT=${PEERS_LIMIT:-3600}
found=
for script in "$tests"/peers/*_job.sh; do
    [ -f "$script" ] || continue
    found=1
    start_job checks "peers: $(basename "$script" .sh)" limit "$LIMIT" sh "$script"
    wait
done
[ -n "$found" ] || skip "peers" "no tests/peers/*_job.sh"
finish
