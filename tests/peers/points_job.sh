#!/bin/sh
# points_job.sh -- every kind of point in a real Collector, cumulative and delta, in JSON and in protobuf: values, kinds,
# monotony, temporality, attributes after a view; and of exponential histograms that their buckets are those of the values.
. "$(dirname "$0")/lib.sh"
start
need "points job" curl timeout python3 "${CC:-gcc}"
build points
start_receiver
protocols=
for encoding in $encodings; do
    protocol=http/$encoding
    protocols="$protocols $protocol"
    if timeout 60 env OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$otlp_port" OTEL_EXPORTER_OTLP_PROTOCOL="$protocol" \
        OTEL_RESOURCE_ATTRIBUTES="protocol=$protocol" "$work/points" >"$work/points.log" 2>&1
    then pass "points sent as $protocol"
    else tail -5 "$work/points.log"; fail "points as $protocol"; fi
done
stop_receiver
python3 "$peers/points_check.py" "$work/metrics.json" $protocols >"$work/check.log" 2>&1
code=$?
passed_here=$(grep -c '^ok' "$work/check.log")
if [ "$code" = 0 ] && ! grep -q '^FAIL' "$work/check.log"; then pass "$passed_here findings about the points in the Collector"
else cat "$work/check.log"; fail "the points in the Collector"; fi
finish
