#!/bin/sh
# jaeger_job.sh -- traces in JSON and in protobuf into a real Jaeger 2, which is asked over its query API for the tree, tags, events,
# links and processes. Building it takes some ten minutes.
. "$(dirname "$0")/lib.sh"
start
need "Jaeger job" curl timeout python3 "${CC:-gcc}"
only_full "Jaeger job"
build_server jaeger github.com/jaegertracing/jaeger/cmd/jaeger v1.76.0
build vendor -lm
build fields
set -- $(ports 3)
cat >"$work/jaeger.yaml" <<END
service:
  extensions: [jaeger_storage, jaeger_query]
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}
extensions:
  jaeger_storage: {backends: {here: {memory: {max_traces: 1000}}}}
  jaeger_query:
    storage: {traces: here}
    http: {endpoint: "127.0.0.1:$1"}
    grpc: {endpoint: "127.0.0.1:$2"}
receivers:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:$3"}}}
exporters:
  jaeger_storage_exporter: {trace_storage: here}
END
run 240 "$work/jaeger.log" "$server" --config "$work/jaeger.yaml"
wait_until 60 fetch -f "http://127.0.0.1:$1/api/services" || { tail -5 "$work/jaeger.log"; fail "Jaeger did not start"; finish; }
check 100 "Jaeger" "$peers/jaeger_check.py" "$work/vendor" "$work/fields" "$work" "http://127.0.0.1:$1" "http://127.0.0.1:$3"
finish
