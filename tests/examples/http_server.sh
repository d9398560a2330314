#!/bin/sh
# http_server.sh -- runs $PROGRAM with no Collector there: it must serve, be scraped, stop on SIGTERM, and its books must balance.
# (tests/peers/main_job.sh is the same with a Collector and Prometheus.)
command -v curl >/dev/null 2>&1 || { echo "needs curl"; exit 77; }
get() { curl --noproxy '*' -s --max-time 5 "$@"; }
failed=0
wrong() { echo "$*"; failed=1; }

OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9 "$PROGRAM" --port 0 --metrics-port 0 --threads 2 >output 2>errors &
pid=$!
trap 'kill -KILL $pid 2>/dev/null' EXIT
tries=100
until grep -q '^metrics on ' output; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "it does not start"; cat output errors; exit 1; }
    sleep 0.1
done
server=$(sed -n 's/^listening on //p' output) metrics=$(sed -n 's/^metrics on //p' output)

for one in "/ 200 welcome" "/cart?page=1 200 3 items" "/checkout 200 order 1 placed" "/error 500 the bank does not answer" \
           "/nowhere 404 no such page"; do
    path=${one%% *} want=${one#* }
    have=$(get -w '\n%{http_code}' "http://$server$path")
    [ "$(echo "$have" | tail -n 1) $(echo "$have" | head -n 1)" = "$want" ] || wrong "$path: $have, not $want"
done
get "http://$metrics/metrics" >scrape
grep -q '^demo_requests_total{[^}]*http_route="/checkout"[^}]*} 1$' scrape || wrong "not in the scrape: demo_requests_total of /checkout"
grep -q '^http_server_request_duration_seconds_count{[^}]*error_type="500"[^}]*} 1$' scrape || wrong "not in the scrape: the 500"

kill -TERM "$pid"
wait "$pid" || wrong "exit code $?"
trap - EXIT
grep -qx 'served 5 requests' output || wrong "not: served 5 requests"
# 1 + 3 + 4 + 2 + 1 spans, 0 + 1 + 1 + 1 + 1 logs; with nobody to take them all are lost, and it says so.
grep -q '^tel_stats signal=spans recorded=11 dropped=0 exported=0 ' output || wrong "not: 11 spans recorded, none exported"
grep -q '^tel_stats signal=logs recorded=4 dropped=0 exported=0 ' output || wrong "not: 4 logs recorded, none exported"
grep -q 'shutdown lost records.* 11 spans, 4 log records' errors || wrong "the loss of 11 spans and 4 logs is not told"
[ "$failed" = 0 ] || cat output errors
exit $failed
