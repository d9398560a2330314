#!/bin/sh
# main_job.sh [REQUESTS] -- the whole road, with real peers: clients -> examples/http_server -> Collector and Prometheus.
# Where no Go can build the Collector, wire.py stands in for it; with it, it stands between and looks at the protocol.
#
# Sends an exactly known number of requests (default 20000 with a traceparent each by wrk, a tenth as many without one by
# h2load, a few damaged ones by curl) and compares: what the clients sent, the counter in Prometheus, the histogram in
# Prometheus and in the Collector, and the spans and logs in the Collector. main_job_check.py says what is asserted.
#
#   PROTOCOL   http/json (default) or http/protobuf
#   THREADS    worker threads of the server (default 4)
#   and the variables in lib.sh, for example: CFLAGS='-O1 -g -fsanitize=thread' sh main_job.sh 5000
. "$(dirname "$0")/lib.sh"
requests=${1:-20000}
start
need "main job" prometheus promtool wrk python3 curl timeout "${CC:-gcc}"

compile http_server
begin=$(date +%s)
start_receiver
prometheus_port=$(ports 1)

run 600 "$work/server.log" env OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$otlp_port" OTEL_METRIC_EXPORT_INTERVAL=1000 \
    OTEL_EXPORTER_OTLP_PROTOCOL="${PROTOCOL:-http/json}" OTEL_EXPORTER_PROMETHEUS_HOST=127.0.0.1 \
    "$work/http_server" --port 0 --metrics-port 0 --threads "${THREADS:-4}"
server_pid=$pid
wait_until 10 grep -q '^metrics on ' "$work/server.log" || { tail -5 "$work/server.log"; fail "http_server did not start"; finish; }
server=http://$(sed -n 's/^listening on //p' "$work/server.log")
metrics=$(sed -n 's/^metrics on //p' "$work/server.log")

cat >"$work/prometheus.yaml" <<END
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: shop
    static_configs:
      - targets: ['$metrics']
END
run 600 "$work/prometheus.log" prometheus --config.file="$work/prometheus.yaml" --storage.tsdb.path="$work/tsdb" \
    --web.listen-address="127.0.0.1:$prometheus_port"
prometheus=http://127.0.0.1:$prometheus_port
wait_until 20 fetch -f "$prometheus/-/ready" || { tail -5 "$work/prometheus.log"; fail "Prometheus did not start"; finish; }

# The clients. wrk is interrupted as soon as its threads have every answer; 120 s is for a server that hangs.
nonce=$(printf '%08x' "$(($(date +%s) & 0x7fffffff | 0x1000000))")
run 130 "$work/wrk.log" wrk -t 2 -c 32 -d 120s -s "$peers/client.lua" "$server" -- "$requests" 2 "$nonce" "$work"
wrk_pid=$pid
wait_until 120 test -e "$work/wrk.done.0" -a -e "$work/wrk.done.1" || fail "wrk has not got every answer after 120 s"
kill -INT "$wrk_pid" 2>/dev/null
forget "$wrk_pid"
grep '^client ' "$work/wrk.log" || { tail -5 "$work/wrk.log"; fail "wrk did not report"; finish; }

others=0 heads=0
if command -v h2load >/dev/null 2>&1; then
    heads=$((requests / 10))
    timeout 60 h2load --h1 -n "$heads" -c 8 "$server/cart" >"$work/h2load.log" 2>&1
    if grep -q "^requests: $heads total, $heads started, $heads done, $heads succeeded, 0 failed" "$work/h2load.log"
    then pass "h2load: $heads requests without traceparent, all answered"
    else tail -5 "$work/h2load.log"; fail "h2load: not all of $heads requests answered"; fi
else
    skip "requests without traceparent: h2load is not installed"
fi
ffff=ffffffffffffffffffffffffffffffff
for header in "traceparent: 00-$ffff-ffffffffffffffff-0" "traceparent: ff-$ffff-ffffffffffffffff-01" "traceparent:" \
              "traceparent: 00-00000000000000000000000000000000-ffffffffffffffff-01" \
              "traceparent: 00-$(echo $ffff | tr f F)-ffffffffffffffff-01"; do
    if fetch -f -H "$header" "$server/" >/dev/null; then others=$((others + 1)); fi
done

sent=$(sed -n 's/^client .* sent=\([0-9]*\) .*/\1/p' "$work/wrk.log")
total=$((sent + heads + others))

if fetch "http://$metrics/metrics" >"$work/metrics.prom" &&
    promtool check metrics <"$work/metrics.prom" >"$work/promtool.log" 2>&1
then pass "promtool has nothing to say about the scrape"
else head -5 "$work/promtool.log"; fail "promtool objects to the scrape"; fi

# Prometheus first: it must see the totals while the server lives. Then the server's own end, then the Collector's.
timeout 60 python3 "$peers/main_job_check.py" ask "$prometheus" "$total" "$work/prometheus.json" || fail "Prometheus was not asked"
stop "$server_pid"
code=$?
grep '^tel_stats ' "$work/server.log"
if [ "$code" = 0 ]; then pass "http_server ended by itself on SIGTERM, exit code 0"
else tail -20 "$work/server.log"; fail "http_server ended with exit code $code"; fi
stop_receiver

timeout 300 python3 "$peers/main_job_check.py" compare "$work" "$nonce" "$heads" "$others" "$begin" "${PROTOCOL:-http/json}" \
    >"$work/check.log" 2>&1
code=$?
cat "$work/check.log"
passed=$((passed + $(grep -c '^PASS ' "$work/check.log")))
failed=$((failed + $(grep -c '^FAIL ' "$work/check.log")))
if [ "$code" != 0 ] && ! grep -q '^FAIL ' "$work/check.log"; then fail "main_job_check.py ended with exit code $code"; fi
finish
