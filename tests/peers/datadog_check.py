#!/usr/bin/env python3
"""datadog_check.py VENDOR AGENT_URL OTLP_URL SOCKET -- lets vendor.c send traces and OTLP to Datadog's test agent and compares what
it has. Prints lines with ok or FAIL."""
import json
import sys

import stores
from books import check

program, agent, otlp, path = sys.argv[1:5]


def asked(url):
    text, status = stores.fetch(url)
    return json.loads(text) if status == 200 else []


def test_traces(what, url):
    stores.fetch(agent + "/test/session/clear")
    code, said = stores.run(program, "datadog-traces", DD_TRACE_AGENT_URL=url, DD_ENV="prod", DD_SERVICE="shop", DD_VERSION="2")
    check(code == 0 and said == "", f"{what}: the agent takes them", code, said)
    traces = asked(agent + "/test/traces")
    spans = {s["name"]: s for trace in traces for s in trace}
    check(len(traces) == 1 and set(spans) == {'checkout "now"', "pay"}, f"{what}: one trace of two spans", traces)
    if len(spans) == 2:
        outer, pay = spans['checkout "now"'], spans["pay"]
        check(outer["parent_id"] == 0 and pay["parent_id"] == outer["span_id"] and pay["trace_id"] == outer["trace_id"] and
              len(pay["meta"]["_dd.p.tid"]) == 16, f"{what}: the tree", traces)
        check(outer["service"] == "shop" and outer["meta"]["route"] == "/cart|x,y#z" and outer["metrics"]["items"] == 3 and
              pay["error"] == 1 and pay["meta"]["error.message"] == "card refused" and pay["meta"]["env"] == "prod" and
              pay["meta"]["version"] == "2" and outer["start"] <= pay["start"] and pay["duration"] <= outer["duration"],
              f"{what}: service, tags, metrics, error, times", traces)


def value(data):
    return next(iter(data.values()))


def test_otlp(encoding):
    stores.fetch(otlp + "/test/session/clear")
    code, said = stores.run(program, "otlp", OTEL_EXPORTER_OTLP_ENDPOINT=otlp, OTEL_EXPORTER_OTLP_PROTOCOL="http/" + encoding,
                            OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta")
    check(code == 0 and said == "", f"OTLP, {encoding}: the agent takes it", code, said)

    def of(one, name):      # the agent shows JSON as it came, and protobuf with the names of its fields
        return one.get(name) or one.get(name.split("_")[0] + "".join(w.title() for w in name.split("_")[1:]))
    logs = {value(r["body"]): of(r, "severity_text") for b in asked(otlp + "/test/session/logs") for resource in of(b, "resource_logs")
            for scope in of(resource, "scope_logs") for r in of(scope, "log_records")}
    check(logs == {"card\nrefused": "ERROR", "done \u00e4": "INFO", "outside": "WARN"}, f"OTLP, {encoding}: three logs", logs)
    metrics = {m["name"]: m for b in asked(otlp + "/test/session/metrics") for resource in of(b, "resource_metrics")
               for scope in of(resource, "scope_metrics") for m in of(scope, "metrics")}
    delta = {1, "AGGREGATION_TEMPORALITY_DELTA"}
    orders, latency = metrics.get("shop.orders", {}).get("sum"), metrics.get("shop.latency", {}).get("histogram")
    check(orders and latency and of(orders, "aggregation_temporality") in delta and of(latency, "aggregation_temporality") in delta and
          int(of(of(orders, "data_points")[0], "as_int")) == 2 and int(of(latency, "data_points")[0]["count"]) == 3,
          f"OTLP, {encoding}: increments", metrics)


refusal, status = stores.fetch(agent + "/v0.4/traces", b"[]", **{"Content-Type": "application/json"})
check(status == 400 and "meta_tracer_version_header" in refusal, "the agent checks: it refuses a request without the tracer's version", status, refusal)
test_traces("traces", agent)
test_traces("traces by a Unix socket", "unix://" + path)
test_otlp("json")
test_otlp("protobuf")
