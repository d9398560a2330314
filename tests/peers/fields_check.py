#!/usr/bin/env python3
"""fields_check.py FOLDER RUN... -- what fields_job.sh asks of the Collector's files, line by line: ok or FAIL.

FOLDER has the Collector's {traces,metrics,logs}.json, and the lines of each run (a value of the resource's attribute `run`) in
RUN.jsonl. Every item must have arrived as the lines have it, field by field; runs that differ in nothing but the encoding must be
equal; and some fields must be what the program has recorded.
"""
import base64
import json
import sys

SIGNALS = {"traces": ("resourceSpans", "scopeSpans", "spans"), "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
           "logs": ("resourceLogs", "scopeLogs", "logRecords")}
# Members of a oneof, and optional ones: there with their default value, too.
PRESENT = ("stringValue", "intValue", "doubleValue", "boolValue", "bytesValue", "arrayValue", "kvlistValue", "asInt", "asDouble",
           "sum", "min", "max", "count")


def check(ok, what):
    print(("ok   " if ok else "FAIL ") + what)


def same(node):
    """One form for what may be spelled in several ways, without what is at its default."""
    if isinstance(node, dict):
        members = {k: same(v) for k, v in node.items()}
        return {k: v for k, v in members.items() if k in PRESENT or v not in ("0", "", False, [], {})}
    if isinstance(node, list):
        return [same(v) for v in node]
    if isinstance(node, (int, float)) and not isinstance(node, bool):
        return str(int(node)) if node == int(node) else repr(node)
    return node


def items(path, signal, run=None):
    """Of one run: the items as texts, each with its scope and resource, sorted; points each by itself."""
    resources, scopes, name = SIGNALS[signal]
    found = []
    for line in open(path, encoding="utf-8"):
        for r in json.loads(line).get(resources, []):
            attributes = {a["key"]: a["value"] for a in r["resource"]["attributes"]}
            if run and attributes["run"]["stringValue"] != run:
                continue
            del attributes["run"], attributes["service.instance.id"]
            attributes = {k: v for k, v in attributes.items() if not k.startswith("process.")}
            outer = {"resource": attributes, "schemaUrl": r.get("schemaUrl")}
            for s in r[scopes]:
                whole = dict(outer, scope=s.get("scope"), scopeUrl=s.get("schemaUrl"))
                for item in s[name]:
                    found.extend(json.dumps(same(dict(whole, **one)), sort_keys=True) for one in pieces(item))
    return sorted(found)


def pieces(item):
    kind = [k for k, v in item.items() if isinstance(v, dict) and "dataPoints" in v]
    if not kind:
        return [{"item": item}]
    body = item[kind[0]]
    return [{"item": dict(item, **{kind[0]: dict(body, dataPoints=[p])})} for p in body["dataPoints"]]


def plain(attributes):
    return {a["key"]: next(iter(a["value"].values())) for a in attributes}


def value(v):
    """A value as Python has it, with its type where that does not show."""
    kind, content = next(iter(v.items()), (None, None))
    if kind == "arrayValue":
        return [value(x) for x in content.get("values", [])]
    if kind == "kvlistValue":
        return {x["key"]: value(x["value"]) for x in content.get("values", [])}
    return content if kind in (None, "stringValue", "boolValue") else (kind[:-5], content)


def values(cut):
    """What record_values has recorded, strings and bytes cut to three if so said."""
    def words(text):
        return text[:3] if cut else text

    def octets(text):
        return ("bytes", base64.b64encode(text[:3] if cut else text).decode())

    strings = [words(w) for w in ("", "\U0001f600bcd", "a\ufffd")]
    inner = [None, words("inner"), octets(b"\1\2\3\4"), {"d": ("double", "2"), "s": strings, "l": [True]}]
    return {"bool": False, "int": ("int", "0"), "double": ("double", "0"), "str": words("\u20ac" * 4), "bytes": octets(b"\0\xff\x80\1"),
            "bools": [True, False], "ints": [("int", str(i)) for i in (-2 ** 63, 0, 2 ** 63 - 1)],
            "doubles": [("double", d) for d in ("-0.5", "Infinity", "5e-324")], "strs": strings, "list": inner,
            "map": {"none": {}, "list": inner, "i": ("int", "-1")}, "empty": []}


def check_values(name, spans, logs):
    """Of spans, of logs, and of the bodies of these."""
    for what, items in (("spans", [s["item"] for s in spans if s["item"]["name"] == "values"]),
                        ("logs", [r["item"] for r in logs if r["item"].get("severityText") == "values"])):
        got = {a["key"]: value(a["value"]) for item in items for a in item["attributes"]}
        check(len(items) == 3 and got == values(True), f"{name}attributes of every type, {what}")
    bodies = [value(item["body"]) for item in items]
    check(all(b in bodies for b in (values(False), [], values(False)["doubles"])), name + "bodies of logs that are no strings")
    check(all(item["observedTimeUnixNano"] == "1699999998000000001" for item in items), name + "times of observation")


def check_spans(name, texts):
    spans = [json.loads(t) for t in texts]
    resource = {a: value(v) for a, v in spans[0]["resource"].items()}
    check(resource["r.bytes"] == ("bytes", "YWJjZA==") and resource["r.list"] == ["abcd", {"a": ("int", "1")}],
          name + "nested values of the resource")
    check(len(spans) == 10 and all(s["schemaUrl"] == "https://example.org/resource/1" for s in spans),
          name + "ten spans, the resource with its schema URL")
    server = next((s for s in spans if s["item"]["kind"] == "2"), None)
    if not server:
        return check(False, name + "the span of the server")
    check(server["scope"]["name"] == "library" and server["scope"]["version"] == "1.2" and
          server["scopeUrl"] == "https://example.org/scope/2" and
          plain(server["scope"]["attributes"]) == {"scope.of": "a library", "scope.flag": False}, name + "a scope, whole")
    s = server["item"]
    check(s["traceState"] == "tenant@vendor=two,vendor=one" and s["parentSpanId"] == "bb" * 8 and s["traceId"] == "aa" * 16
          and s["flags"] == str(0x303), name + "tracestate, parent and flags of a span")
    check((s["droppedAttributesCount"], s["droppedEventsCount"], s["droppedLinksCount"]) == ("1", "1", "1") and
          plain(s["attributes"]) == {"cut": "\u20ac" * 3, "again": "-6", "truth": True, "small": "1e-07"},
          name + "attributes within the limits, and how many were dropped")
    one, two = s["links"]
    check(one["traceState"] == "linked=three" and one["traceId"] == "cc" * 16 and one["flags"] == str(0x301) and
          plain(one["attributes"]) == {"a": "1", "b": "2"} and one["droppedAttributesCount"] == "2" and
          "traceState" not in two and two["flags"] == str(0x101), name + "links with tracestate, flags and attributes")
    one, two = s["events"]
    check(one["name"] == "first" and plain(one["attributes"]) == {"k": "abc"} and two["droppedAttributesCount"] == "1" and
          two["timeUnixNano"] == "1699999999999999999", name + "events")
    check(s["status"] == {"code": "2", "message": "m\u00e9ssage"} and s["name"] == "GET \ufffd/\x01", name + "status and name")


def check_logs(name, texts):
    logs = [json.loads(t)["item"] for t in texts]
    severities = sorted(int(r["severityNumber"]) for r in logs if r.get("body") == {"stringValue": ""})
    check(len(logs) == 31 and severities == list(range(1, 25)), name + "logs of every severity")
    event = next((r for r in logs if r.get("eventName") == "an.event"), None)
    check(event and event["droppedAttributesCount"] == "1" and event["body"]["stringValue"] == "b\ufffd\"\\\n\x01" and
          event["timeUnixNano"] == "1699999999000000001" and event["flags"] == "3" and event["traceId"] == "aa" * 16, name + "an event")
    check(sum("body" not in r and "severityNumber" not in r for r in logs) == 1, name + "a log without anything")
    check(sum(r.get("body") == {"stringValue": "later -5 2.500"} for r in logs) == 1, name + "a formatted log")
    check(sum("traceId" not in r for r in logs) == 1, name + "a log outside of spans")


def check_metrics(name, texts, delta):
    found = {}
    for text in texts:
        whole = json.loads(text)
        kind = next(k for k, v in whole["item"].items() if isinstance(v, dict))
        body = whole["item"][kind]
        found.setdefault(whole["item"]["name"], []).append((body["dataPoints"][0], whole))
    for points in found.values():
        points.sort(key=lambda p: p[0]["timeUnixNano"])
    wanted = ("renamed scoped real depth least endless buckets no_extremes sum spread coarse observed also").split()
    check(sorted(found) == sorted("fields." + w for w in wanted) and all(len(p) == 2 for p in found.values()),
          name + "two points of each metric that a view leaves over")

    def sums(metric, member):
        return [float(p[member]) for p, _ in found["fields." + metric]]
    check(sums("renamed", "asInt") == ([10, 10] if delta else [10, 20]), name + "a renamed sum")
    check(sums("scoped", "asInt") == ([30, 30] if delta else [30, 60]) and
          all(w["scopeUrl"] == "https://example.org/scope/2" for _, w in found["fields.scoped"]), name + "a metric of a scope")
    check([round(v, 9) for v in sums("real", "asDouble")] == ([1, 1] if delta else [1, 2]), name + "a sum of doubles")
    check(sums("depth", "asInt") == [-20, -40] and sums("also", "asInt") == [-7, -7], name + "up-downs are always cumulative")
    check(found["fields.least"][0][0]["asInt"] == str(-2 ** 63) and found["fields.endless"][0][0]["asDouble"] == "Infinity" and
          {a["key"]: value(a["value"]) for a in found["fields.endless"][0][0]["attributes"]} == {
              "yes": True, "some": [("double", "-1"), ("double", "0")]}, name + "gauges at their ends, attributes of a point")
    check(sums("sum", "asDouble") == ([45, 45] if delta else [45, 90]), name + "a histogram whose view is a sum")
    check(sums("observed", "asDouble") == ([2.5, 0] if delta else [2.5, 2.5]), name + "an observed counter")
    point = found["fields.buckets"][0][0]
    check(point["bucketCounts"] == ["0", "1", "1", "8", "0"] and [float(b) for b in point["explicitBounds"]] == [-1, 0, 1, 1e300]
          and (delta or (point["min"], point["max"]) == ("0", "9")), name + "buckets")
    check(not any("min" in p or "max" in p for p, _ in found["fields.no_extremes"]), name + "a view without the extremes")
    point = found["fields.coarse"][0][0]
    check((point["scale"], point["zeroCount"], point["zeroThreshold"], point["positive"]) ==
          ("-1", "3", "0.5", {"offset": "-1", "bucketCounts": ["1", "3", "3"]}), name + "exponential buckets with a threshold")
    point = found["fields.spread"][0][0]
    check(point["scale"] == "5" and point["positive"]["offset"] == "-213" and point["zeroCount"] == "1" and
          sum(map(int, point["positive"]["bucketCounts"])) == 9 and point["positive"]["bucketCounts"][-1] == "1",
          name + "exponential buckets")
    examples = point["exemplars"]
    check(examples and all(plain(x["filteredAttributes"]).keys() == {"user"} and len(x["traceId"]) == 32 and
                           float(x["asDouble"]) == int(plain(x["filteredAttributes"])["user"]) * 0.01 for x in examples),
          name + "exemplars with what the view has dropped")


def main():
    folder, runs = sys.argv[1], sys.argv[2:]
    seen = {}
    for run in runs:
        for signal in SIGNALS:
            got = items(f"{folder}/{signal}.json", signal, run)
            check(got and got == items(f"{folder}/{run}.jsonl", signal), f"{run}: {len(got)} {signal} are those of the lines")
            kind = (run.split("-")[0], signal)
            check(seen.setdefault(kind, got) == got, f"{run}: {signal} are the same in every encoding")
        check_spans(f"{run}: ", items(f"{folder}/traces.json", "traces", run))
        check_logs(f"{run}: ", items(f"{folder}/logs.json", "logs", run))
        check_values(f"{run}: ", *([json.loads(t) for t in items(f"{folder}/{signal}.json", signal, run)] for signal in ("traces", "logs")))
        check_metrics(f"{run}: ", items(f"{folder}/metrics.json", "metrics", run), run.startswith("delta"))


main()
