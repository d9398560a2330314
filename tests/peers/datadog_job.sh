#!/bin/sh
# datadog_job.sh -- the sink of Datadog's traces, over TCP and a Unix socket, and OTLP with increments, into Datadog's own test agent
# (ddapm-test-agent), with its checks on.
. "$(dirname "$0")/lib.sh"
start
need "Datadog job" curl timeout python3 "${CC:-gcc}"
python_package "Datadog job" ddapm-test-agent 1.69.1 ddapm_test_agent.agent
build vendor -lm
set -- $(ports 3)
run 120 "$work/agent.log" env ENABLED_CHECKS=meta_tracer_version_header,trace_content_length "$venv/bin/ddapm-test-agent" \
    --port "$1" --otlp-http-port "$2" --otlp-grpc-port "$3" --trace-uds-socket "$work/agent.sock" --snapshot-dir "$work"
wait_until 30 fetch -f "http://127.0.0.1:$1/info" || { tail -5 "$work/agent.log"; fail "the test agent did not start"; finish; }
check 100 "Datadog" "$peers/datadog_check.py" "$work/vendor" "http://127.0.0.1:$1" "http://127.0.0.1:$2" "$work/agent.sock"
finish
