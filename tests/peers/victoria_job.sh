#!/bin/sh
# victoria_job.sh -- a real VictoriaMetrics gets metrics as pages and as OTLP, a real VictoriaLogs gets logs as OTLP and from the
# sinks of Elasticsearch, Loki and Datadog; both are asked over their APIs. Building them takes some three minutes.
. "$(dirname "$0")/lib.sh"
start
need "Victoria job" curl timeout python3 "${CC:-gcc}"
only_full "Victoria job"
build_server victoria-metrics github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics v1.151.0
victoria_metrics=$server
build_server victoria-logs github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs v1.52.1
build points -DTELEMETRY_ZLIB -lz
build vendor -lm
set -- $(ports 2)
run 240 "$work/metrics.log" "$victoria_metrics" -storageDataPath="$work/metrics" -httpListenAddr="127.0.0.1:$1"
run 240 "$work/logs.log" "$server" -storageDataPath="$work/logs" -httpListenAddr="127.0.0.1:$2"
for port in "$@"; do
    wait_until 20 fetch -f "http://127.0.0.1:$port/health" || { tail -5 "$work/metrics.log" "$work/logs.log"; fail "no answer on port $port"; finish; }
done
check 200 "Victoria" "$peers/victoria_check.py" "$work/points" "$work/vendor" "http://127.0.0.1:$1" "http://127.0.0.1:$2"
finish
