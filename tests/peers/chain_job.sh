#!/bin/sh
# chain_job.sh -- two real Collectors, of which one is ended and started again under load: with tel_sink_fallback and with
# tel_sink_use everything that was recorded arrives, and once. chain.c records, chain_check.py drives and counts.
. "$(dirname "$0")/lib.sh"
start
need "chain job" timeout python3 "${CC:-gcc}"
build_collector
case $? in
0) ;;
1) skip "chain job: no Go of $go_wanted or newer for the Collector (tests/run.sh --install)"; finish;;
*) finish;;
esac
build chain
for mode in fallback use; do
    check 240 "$mode between two Collectors" "$peers/chain_check.py" "$collector" "$work/chain" "$work" "$mode" $(ports 2)
done
finish
