#!/bin/sh
# pushgateway_job.sh -- pages of Prometheus text, pushed to a real Pushgateway, which is then asked over its API.
. "$(dirname "$0")/lib.sh"
start
need "Pushgateway job" prometheus-pushgateway curl timeout python3 "${CC:-gcc}"
build points
port=$(ports 1)
run 120 "$work/pushgateway.log" prometheus-pushgateway --web.listen-address="127.0.0.1:$port"
wait_until 20 fetch -f "http://127.0.0.1:$port/-/ready" || { tail -5 "$work/pushgateway.log"; fail "the Pushgateway did not start"; finish; }
check 100 "Pushgateway" "$peers/pushgateway_check.py" "$work/points" "http://127.0.0.1:$port"
finish
