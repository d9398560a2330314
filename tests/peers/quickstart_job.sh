#!/bin/sh
# quickstart_job.sh -- examples/quickstart, as a reader of the README runs it, beside a real Collector and promtool.
#
# While it runs its scrape endpoint must please promtool; when it has ended, its metrics, spans and logs must be
# in the Collector, all from one service with a name.
. "$(dirname "$0")/lib.sh"
start
need "quickstart job" promtool curl jq timeout python3 "${CC:-gcc}"
[ -f "$root/examples/quickstart.c" ] || { skip "quickstart job: there is no examples/quickstart.c"; finish; }

compile quickstart -I"$root"
start_receiver
metrics_port=$(ports 1)

run 60 "$work/quickstart.log" env OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$otlp_port" \
    OTEL_EXPORTER_PROMETHEUS_HOST=127.0.0.1 OTEL_EXPORTER_PROMETHEUS_PORT="$metrics_port" "$work/quickstart"
quickstart_pid=$pid

scrape() { fetch -f "http://127.0.0.1:$metrics_port/metrics" -o "$work/scrape.new" && [ -s "$work/scrape.new" ] && mv "$work/scrape.new" "$work/scrape.prom"; }
if wait_until 10 scrape; then pass "the scrape endpoint answers"; else fail "no scrape within 10 s"; fi
while sleep 0.3; scrape 2>/dev/null; do :; done         # the last one while it lives has the most in it
forget "$quickstart_pid"
code=$?
if [ "$code" = 0 ]; then pass "quickstart ended with exit code 0"
else tail -20 "$work/quickstart.log"; fail "quickstart ended with exit code $code"; fi
stop_receiver

touch "$work/scrape.prom"
if promtool check metrics <"$work/scrape.prom" >"$work/promtool.log" 2>&1; then pass "promtool has nothing to say"
else head -5 "$work/promtool.log"; fail "promtool objects"; fi
samples=$(grep -c '^[a-z]' "$work/scrape.prom")
if [ "$samples" -gt 0 ]; then pass "$samples samples in the scrape"; else fail "the scrape is empty"; fi

# number FILE FILTER : how many items the filter yields over all lines of the Collector's file.
number() { jq -s "[ .[] | $2 ] | length" "$work/$1" 2>/dev/null || echo 0; }
metrics=$(number metrics.json '.resourceMetrics[].scopeMetrics[].metrics[]')
spans=$(number traces.json '.resourceSpans[].scopeSpans[].spans[]')
logs=$(number logs.json '.resourceLogs[].scopeLogs[].logRecords[]')
for one in "metrics $metrics" "spans $spans" "logs $logs"; do
    if [ "${one#* }" -gt 0 ]; then pass "in the Collector: $one"; else fail "in the Collector: no ${one% *}"; fi
done
names=$(jq -s '[ .[][][] | .resource.attributes[] | select(.key == "service.name") | .value.stringValue ] | unique | length' \
    "$work/metrics.json" "$work/traces.json" "$work/logs.json" 2>/dev/null)
if [ "$names" = 1 ]; then pass "all of one service with a name"; else fail "service names in the Collector: ${names:-none}"; fi
wrong=$(number traces.json '.resourceSpans[].scopeSpans[].spans[] | select((.endTimeUnixNano | tonumber) < (.startTimeUnixNano | tonumber))')
if [ "$wrong" = 0 ]; then pass "every span ends after it starts"; else fail "$wrong spans end before they start"; fi
finish
