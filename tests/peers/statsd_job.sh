#!/bin/sh
# statsd_job.sh -- the sinks of StatsD and DogStatsD, over UDP and a Unix socket, into a real statsd_exporter, which is scraped.
. "$(dirname "$0")/lib.sh"
start
need "StatsD job" curl timeout python3 "${CC:-gcc}"
build_server statsd_exporter github.com/prometheus/statsd_exporter v0.31.0
build vendor -lm
set -- $(ports 2)
run 120 "$work/statsd.log" "$server" --statsd.listen-udp="127.0.0.1:$1" --statsd.listen-tcp= --statsd.listen-unixgram="$work/statsd.sock" \
    --web.listen-address="127.0.0.1:$2"
wait_until 20 fetch -f "http://127.0.0.1:$2/-/ready" || { tail -5 "$work/statsd.log"; fail "statsd_exporter did not start"; finish; }
check 100 "StatsD" "$peers/statsd_check.py" "$work/vendor" "$1" "$work/statsd.sock" "http://127.0.0.1:$2"
finish
