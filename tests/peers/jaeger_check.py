#!/usr/bin/env python3
"""jaeger_check.py VENDOR FIELDS FOLDER QUERY_URL OTLP_URL -- lets vendor.c and fields.c send traces to Jaeger and compares what its
query API says. Prints lines with ok or FAIL."""
import json
import sys

import stores
from books import check

vendor, fields, folder, url, otlp = sys.argv[1:6]


def traces(path):
    text, status = stores.fetch(url + path)
    return json.loads(text)["data"] if status == 200 else []


def result(path):
    text, status = stores.fetch(url + path)
    return json.loads(text)["result"] if status == 200 else {}


def tags(one):
    return {t["key"]: t["value"] for t in one["tags"]}


def variables(encoding):
    return {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": otlp + "/v1/traces", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/" + encoding,
            "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


def check_work(what, trace):
    """The trace of work.h."""
    spans = {s["operationName"]: s for s in trace["spans"]}
    outer, pay = spans.get('checkout "now"'), spans.get("pay")
    if not check(bool(len(spans) == 2 and outer and pay), f"{what}: two spans", trace):
        return
    references = [{k: r[k] for k in ("refType", "traceID", "spanID")} for r in pay["references"]]
    check(outer["references"] == [] and references == [{"refType": "CHILD_OF", "traceID": outer["traceID"], "spanID": outer["spanID"]}],
          f"{what}: the tree", trace)
    check(tags(outer)["items"] == 3 and tags(outer)["route"] == "/cart|x,y#z" and tags(outer)["span.kind"] == "internal" and
          tags(pay)["error"] is True and tags(pay)["otel.status_code"] == "ERROR" and tags(pay)["otel.status_description"] == "card refused",
          f"{what}: tags and status", tags(outer), tags(pay))
    events = [{f["key"]: f["value"] for f in e["fields"]} for e in pay["logs"]]
    check(events == [{"event": "retry", "attempt": 2}], f"{what}: the event", events)
    process = trace["processes"][pay["processID"]]
    check(process["serviceName"] == "shop" and tags(process)["telemetry.sdk.name"] == "telemetry.h" and tags(process)["process.executable.name"] == "vendor",
          f"{what}: the process", process)
    check(outer["startTime"] <= pay["startTime"] and pay["duration"] <= outer["duration"], f"{what}: times", outer, pay)


def plain(span):
    """A span of OTLP JSON, so that equal ones compare equal: attributes have no order, and Jaeger adds warnings of its own."""
    def one(node):
        if isinstance(node, dict):
            return {k: one(sorted(v, key=lambda a: a["key"]) if k == "attributes" else v) for k, v in node.items() if v not in ({}, [], "")}
        return [one(n) for n in node if not (isinstance(n, dict) and n.get("key") == "@jaeger@warnings")] if isinstance(node, list) else node
    return one(span)


def spans_of(data, trace_id):
    """By id: each span of the trace with its scope and the attributes of its resource."""
    return {span["spanId"]: plain({"span": span, "scope": part["scope"], "attributes": resource["resource"]["attributes"]})
            for resource in data.get("resourceSpans", []) for part in resource["scopeSpans"] for span in part["spans"] if span["traceId"] == trace_id}


def check_fields(lines):
    """The trace of fields.c, whose ids and times are always the same. The older API of Jaeger cannot say infinity in JSON; that of
    version 3 answers in OTLP."""
    want = {}
    for line in open(lines, encoding="utf-8"):
        want.update(spans_of(json.loads(line), "aa" * 16))
    found = stores.until(lambda: [s for s in [spans_of(result("/api/v3/traces/" + "aa" * 16), "aa" * 16)] if len(s) == 5]) or [{}]
    check(len(want) == 5 and set(found[0]) == set(want), "every field: Jaeger has the trace", found, want)
    for key, span in sorted(found[0].items()):
        check(span == want[key], f"every field: {span['span']['name'][:5]} {key}", span, want[key])


def main():
    for encoding in ("json", "protobuf"):
        code, said = stores.run(vendor, "otlp", **variables(encoding))
        check(code == 0 and said == "", f"{encoding}: Jaeger takes it", code, said)
    found = stores.until(lambda: [t for t in [traces("/api/traces?service=shop&limit=10")] if len(t) == 2]) or [[]]
    check(len(found[0]) == 2, "Jaeger has two traces of the shop", found)
    for trace in found[0]:
        check_work(f"trace {trace['traceID'][:4]}", trace)
    code, said = stores.run(fields, f"{folder}/fields.jsonl", "cumulative", **variables("protobuf"))
    check(code == 0, "every field: Jaeger takes it", code, said)
    check_fields(f"{folder}/fields.jsonl")


main()
