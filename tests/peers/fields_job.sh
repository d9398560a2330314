#!/bin/sh
# fields_job.sh -- every field of OTLP that this SDK writes, as a real Collector has read it: spans, logs and metrics, JSON and
# protobuf, cumulative and delta. fields.c records it, and writes the same as lines; fields_check.py says what is asserted.
. "$(dirname "$0")/lib.sh"
start
need "fields job" curl timeout python3 "${CC:-gcc}"
build fields
start_receiver
runs=
for encoding in $encodings; do
    for temporality in cumulative delta; do
        one=$temporality-$encoding
        runs="$runs $one"
        if timeout 60 env OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$otlp_port" OTEL_EXPORTER_OTLP_PROTOCOL="http/$encoding" \
            OTEL_RESOURCE_ATTRIBUTES="run=$one" OTEL_LINK_ATTRIBUTE_COUNT_LIMIT=2 OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT=2 \
            "$work/fields" "$work/$one.jsonl" "$temporality" >"$work/fields.log" 2>&1
        then pass "fields sent, $one"
        else tail -5 "$work/fields.log"; fail "fields, $one"; fi
    done
done
stop_receiver
python3 "$peers/fields_check.py" "$work" $runs >"$work/check.log" 2>&1
code=$?
passed_here=$(grep -c '^ok' "$work/check.log")
if [ "$code" = 0 ] && ! grep -q '^FAIL' "$work/check.log"; then pass "$passed_here findings about the fields in the Collector"
else grep -v '^ok' "$work/check.log"; fail "the fields in the Collector"; fi
finish
