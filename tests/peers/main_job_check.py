#!/usr/bin/env python3
"""Compares what the clients of main_job.sh sent with what arrived. Standard library only.

    main_job_check.py ask URL TOTAL OUT.json         waits until Prometheus has TOTAL requests, stores its answers
    main_job_check.py compare DIR NONCE HEADS OTHERS BEGIN PROTOCOL
        DIR     wrk.log, server.log, prometheus.json, {traces,metrics,logs}.json of the Collector, wire.json of wire.py
        NONCE   first 8 hex digits of every trace id and span id that wrk sent
        HEADS   requests to /cart without a traceparent; OTHERS: requests to / with a damaged one
        BEGIN   unix seconds before everything

One line per assertion, PASS or FAIL. Exit code 1 when one failed.
"""
import json
import re
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter, defaultdict

PATHS = ["/", "/cart", "/checkout", "/", "/cart?page=2", "/", "/checkout", "/cart", "/", "/nowhere",
         "/", "/cart", "/checkout", "/", "/cart", "/", "/checkout", "/cart", "/", "/error"]   # as in client.lua
BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
SERVER, CLIENT, INTERNAL = 2, 3, 1                      # opentelemetry/proto/trace/v1: Span.SpanKind
CHILDREN = {                                            # route -> child spans: (name, kind, name of the parent)
    "/": [],
    "/cart": [("load cart", INTERNAL, "GET /cart"), ("SELECT carts", CLIENT, "load cart")],
    "/checkout": [("load cart", INTERNAL, "GET /checkout"), ("SELECT carts", CLIENT, "load cart"),
                  ("charge card", CLIENT, "GET /checkout")],
    "/error": [("charge card", CLIENT, "GET /error")],
    "": [],
}
LOGS = {"/": [], "/cart": ["cart has 3 items"], "/checkout": ["order placed"],
        "/error": ["charge card: no answer after 1000 us"], "": ["no such page"]}
STATUS = {"/": 200, "/cart": 200, "/checkout": 200, "/error": 500, "": 404}
failures = 0


def check(what, good, detail=""):
    global failures
    failures += not good
    print(("PASS " if good else "FAIL ") + what + (f": {detail}" if detail and not good else ""))


def same(what, **values):
    """All values are equal; they are shown either way."""
    shown = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in values.items())
    check(f"{what}: {shown}", len(set(values.values())) == 1, "not equal")


def few(items):
    items = list(items)
    return ", ".join(map(str, items[:3])) + (f" and {len(items) - 3} more" if len(items) > 3 else "")


# ---- Prometheus ------------------------------------------------------------------------------------------

QUERIES = {
    "counter": "sum(demo_requests_total)",
    "by_route": "sum by (http_route) (demo_requests_total)",
    "histogram": "sum(http_server_request_duration_seconds_count)",
    "inf": 'sum(http_server_request_duration_seconds_bucket{le="+Inf"})',
    "by_status": "sum by (http_response_status_code) (http_server_request_duration_seconds_count)",
    "errors": 'sum(http_server_request_duration_seconds_count{error_type="500"})',
    "buckets": "count(count by (le) (http_server_request_duration_seconds_bucket))",
    "active": "sum(http_server_active_requests)",
    "service": 'count(target_info{service_name="shop"})',
    "up": "sum(up)",
}


def ask(url, total, path):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def query(text):
        with opener.open(f"{url}/api/v1/query?" + urllib.parse.urlencode({"query": text}), timeout=5) as r:
            result = json.load(r)["data"]["result"]
        return [[row["metric"], float(row["value"][1])] for row in result]

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        now = query(QUERIES["counter"])
        if now and now[0][1] >= total:
            break
        time.sleep(0.2)
    time.sleep(1.5)                                     # one more scrape: more than the total would show now
    with open(path, "w") as out:
        json.dump({name: query(text) for name, text in QUERIES.items()}, out)


def scalar(answer):
    return answer[0][1] if len(answer) == 1 else None


# ---- the Collector's files -------------------------------------------------------------------------------

def lines(path):
    with open(path) as f:
        return [json.loads(line) for line in f if line.strip()]


def plain(attributes):
    """[{key, value: {intValue: "3"}}] -> {key: 3}"""
    out = {}
    for a in attributes or []:
        kind, value = next(iter(a["value"].items()), ("stringValue", ""))
        out[a["key"]] = int(value) if kind == "intValue" else value
    return out


def items(batches, resources, scopes, name):
    """(resource attributes, item) of every item."""
    for batch in batches:
        for r in batch.get(resources, []):
            resource = plain(r.get("resource", {}).get("attributes"))
            for s in r.get(scopes, []):
                for item in s.get(name, []):
                    yield resource, item


def last_points(metrics, name, kind):
    """The newest point of every series, deltas added up: {labels: point}."""
    found = {}
    for _, m in metrics:
        if m["name"] != name:
            continue
        delta = m[kind].get("aggregationTemporality") == 1
        for p in m[kind]["dataPoints"]:
            key = json.dumps(plain(p.get("attributes")), sort_keys=True)
            old = found.get(key)
            if delta and old:
                p = dict(p, count=int(p.get("count", 0)) + int(old.get("count", 0)),
                         asInt=int(p.get("asInt", 0)) + int(old.get("asInt", 0)),
                         bucketCounts=[int(a) + int(b) for a, b in zip(p.get("bucketCounts", []),
                                                                      old.get("bucketCounts", []))])
            elif old and int(old["timeUnixNano"]) > int(p["timeUnixNano"]):
                continue
            found[key] = p
    return found


# ---- the comparison --------------------------------------------------------------------------------------

def read_client(folder):
    text = open(f"{folder}/wrk.log").read()
    line = re.search(r"^client (.*)$", text, re.M)
    return {k: int(v) for k, v in (f.split("=") for f in line.group(1).split())}


def read_server(folder):
    text = open(f"{folder}/server.log").read()
    stats = {}
    for line in re.findall(r"^tel_stats signal=(\w+) (.*)$", text, re.M):
        stats[line[0]] = {k: int(v) for k, v in (f.split("=") for f in line[1].split())}
    served = re.search(r"^served (\d+) requests$", text, re.M)
    return stats, int(served.group(1)) if served else None


def expected_requests(client, nonce):
    """trace id -> (span id of the caller, path), as client.lua made them."""
    out = {}
    for t in range(client["threads"]):
        mine = client["sent"] // client["threads"] + (1 if t < client["sent"] % client["threads"] else 0)
        for n in range(mine):
            out[f"{nonce}{t:08x}{n + 1:016x}"] = (f"{nonce}{t:02x}{n + 1:06x}", PATHS[n % len(PATHS)])
    return out


def route_of(path):
    path = path.split("?")[0]
    return path if path in CHILDREN else ""


def check_metrics(folder, total, by_route):
    prometheus = json.load(open(f"{folder}/prometheus.json"))
    metrics = list(items(lines(f"{folder}/metrics.json"), "resourceMetrics", "scopeMetrics", "metrics"))
    counter = last_points(metrics, "demo.requests", "sum")
    histogram = last_points(metrics, "http.server.request.duration", "histogram")
    active = last_points(metrics, "http.server.active_requests", "sum")
    in_collector = sum(int(p["count"]) for p in histogram.values())
    values = {"prometheus counter": scalar(prometheus["counter"]), "prometheus histogram": scalar(prometheus["histogram"]),
              "prometheus +Inf bucket": scalar(prometheus["inf"]),
              "collector counter": sum(int(p["asInt"]) for p in counter.values()), "collector histogram": in_collector}
    same("the totals of the metrics agree with the clients", clients_sent=total, **values)

    want = {route: count for route, count in by_route.items() if count}
    have = {labels.get("http_route", ""): count for labels, count in prometheus["by_route"]}
    check("Prometheus has the right counter for each route", have == want, f"{have} is not {want}")
    have = {json.loads(key).get("http.route", ""): int(p["asInt"]) for key, p in counter.items()}
    check("the Collector has the right counter for each route", have == want, f"{have} is not {want}")

    want = Counter()
    for route, count in by_route.items():
        if count:
            want[STATUS[route]] += count
    have = {int(labels["http_response_status_code"]): count for labels, count in prometheus["by_status"]}
    check("Prometheus has the right count for each status", have == want, f"{have} is not {want}")
    same("error.type is on the 500s and nowhere else", sent=by_route["/error"], in_Prometheus=scalar(prometheus["errors"]) or 0)
    labels = {tuple(sorted(json.loads(k))) for k in histogram}
    base = {"http.request.method", "http.response.status_code", "url.scheme"}
    check("the histogram's attributes are those of the conventions",
          all(base <= set(k) <= base | {"http.route", "error.type"} for k in labels), labels)
    check("the histogram has the HTTP boundaries, and its buckets add up",
          histogram and all(p.get("explicitBounds") == BOUNDS and sum(map(int, p["bucketCounts"])) == int(p["count"])
                            for p in histogram.values()))
    same("as many buckets in Prometheus", want=len(BOUNDS) + 1, have=scalar(prometheus["buckets"]))
    same("no request is active any more", want=0, Prometheus=scalar(prometheus["active"]),
         Collector=sum(int(p.get("asInt", 0)) for p in active.values()))
    same("Prometheus reached the scrape endpoint", want=1, up=scalar(prometheus["up"]))
    same("Prometheus knows the service by target_info", want=1, have=scalar(prometheus["service"]))
    return metrics


def check_none_lost(signal, want, arrived, stats):
    s = stats[signal]
    same(f"{signal}: all arrived, once", want=want, recorded=s["recorded"], exported=s["exported"], arrived=arrived)
    same(f"{signal}: none lost", want=0, dropped=s["dropped"], failed=s["failed"])


def check_spans(folder, total, requests, heads, others, begin, stats):
    spans = list(items(lines(f"{folder}/traces.json"), "resourceSpans", "scopeSpans", "spans"))
    resources = [r for r, _ in spans]
    spans = [s for _, s in spans]
    by_id = {s["spanId"]: s for s in spans}
    doubles = [i for i, n in Counter(s["spanId"] for s in spans).items() if n > 1]
    check(f"no span id twice among {len(spans)} spans", not doubles, few(doubles))

    servers = [s for s in spans if s.get("kind") == SERVER]
    by_route = Counter({route: 0 for route in CHILDREN})
    for _, path in requests.values():
        by_route[route_of(path)] += 1
    by_route["/cart"] += heads
    by_route["/"] += others
    want = sum(count * (1 + len(CHILDREN[route])) for route, count in by_route.items())
    same("requests sent by the clients = SERVER spans in the Collector", sent=total, spans=len(servers))
    check_none_lost("spans", want, len(spans), stats)

    wrong, seen, others_seen = [], set(), 0
    for s in servers:
        caller, path = requests.get(s["traceId"], ("", None))
        if path is None:
            others_seen += 1
        elif s["traceId"] in seen or s.get("parentSpanId", "") != caller or plain(s["attributes"]).get("url.path") != path.split("?")[0]:
            wrong.append(s["traceId"])
        seen.add(s["traceId"])
    missing = set(requests) - seen
    check(f"each of {len(requests)} trace ids sent arrived, once, below the caller's span id",
          not wrong and not missing, f"wrong: {few(wrong)}; missing: {few(missing)}")
    same("requests without a usable traceparent began a trace", sent=heads + others, new_traces=others_seen)
    roots = [s for s in servers if s["traceId"] not in requests]
    check("a new trace has no parent and an id of its own", all(not s.get("parentSpanId") for s in roots)
          and len({s["traceId"] for s in roots}) == len(roots))
    check_tree(spans, servers, by_id)
    check_details(spans, servers, by_id, begin)
    return by_id, by_route, resources


def check_tree(spans, servers, by_id):
    orphans, children = [], defaultdict(list)
    for s in spans:
        if s.get("kind") == SERVER:
            continue
        parent = by_id.get(s.get("parentSpanId", ""))
        if parent is None or parent["traceId"] != s["traceId"]:
            orphans.append(s["spanId"])
        else:
            children[(s["traceId"])].append((s["name"], s.get("kind"), parent["name"]))
    check("every child span has its parent, in the same trace", not orphans, few(orphans))
    wrong = []
    for s in servers:
        route = plain(s["attributes"]).get("http.route", "")
        if sorted(children[s["traceId"]]) != sorted(CHILDREN[route]):
            wrong.append(f"{s['name']} {s['traceId']} {children[s['traceId']]}")
    check("every request has exactly its route's child spans", not wrong, few(wrong))


def check_details(spans, servers, by_id, begin):
    end = time.time()
    wrong = []
    for s in servers:
        a = plain(s["attributes"])
        route = a.get("http.route", "")
        code = a.get("http.response.status_code")
        status = s.get("status", {}).get("code", 0)
        good = (s["name"] == f"GET {route}".strip() and code == STATUS[route] and a.get("http.request.method") == "GET"
                and a.get("url.scheme") == "http" and status == (2 if code >= 500 else 0)
                and (a.get("error.type") == "500") == (code >= 500))
        if not good:
            wrong.append(f"{s['name']} {a} status {status}")
    check("SERVER spans: name, attributes and status follow the conventions", not wrong, few(wrong))
    wrong = [s["spanId"] for s in spans
             if not begin * 1e9 <= int(s["startTimeUnixNano"]) <= int(s["endTimeUnixNano"]) <= end * 1e9]
    check("every span starts before it ends, within this job", not wrong, few(wrong))
    wrong = []
    for s in spans:
        p = by_id.get(s.get("parentSpanId", ""))
        if p and not (int(p["startTimeUnixNano"]) <= int(s["startTimeUnixNano"])
                      and int(s["endTimeUnixNano"]) <= int(p["endTimeUnixNano"])):
            wrong.append(s["spanId"])
    check("every child span lies within its parent's time", not wrong, few(wrong))


def check_logs(folder, by_id, by_route, begin, stats):
    logs = list(items(lines(f"{folder}/logs.json"), "resourceLogs", "scopeLogs", "logRecords"))
    resources = [r for r, _ in logs]
    logs = [record for _, record in logs]
    want = sum(count * len(LOGS[route]) for route, count in by_route.items())
    check_none_lost("logs", want, len(logs), stats)
    strays, wrong = [], []
    for record in logs:
        span = by_id.get(record.get("spanId", ""))
        if span is None or span["traceId"] != record.get("traceId"):
            strays.append(record.get("body"))
        elif record["body"].get("stringValue") not in LOGS[plain(span["attributes"]).get("http.route", "")]:
            wrong.append(f"{record['body']} in {span['name']}")
    check(f"each of {len(logs)} logs carries the ids of a span that arrived", not strays, few(strays))
    check("each log is in the span it was written in", not wrong, few(wrong))
    want = {"cart has 3 items": 5, "order placed": 9, "no such page": 13, "charge card: no answer after 1000 us": 17}
    check("severities arrive", all(want.get(r["body"].get("stringValue")) == r.get("severityNumber") for r in logs))
    placed = [plain(r.get("attributes")).get("order.id") for r in logs if r["body"].get("stringValue") == "order placed"]
    check("the attributes of a log arrive: every order number once", len(set(placed)) == len(placed) and None not in placed
          and set(placed) == set(range(1, by_route["/checkout"] + 1)))
    now = time.time()
    check("every log has a time within this job", all(begin * 1e9 <= int(r["timeUnixNano"]) <= now * 1e9 for r in logs))
    return resources


def check_resources(resources):
    want = {"service.name": "shop", "service.version": "1.0.0", "deployment.environment.name": "demo",
            "telemetry.sdk.language": "c"}
    for signal, found in resources.items():
        kinds = {json.dumps(r, sort_keys=True) for r in found}
        r = found[0] if found else {}
        good = len(kinds) == 1 and all(r.get(k) == v for k, v in want.items()) and all(
            r.get(k) for k in ("telemetry.sdk.name", "telemetry.sdk.version", "service.instance.id"))
        check(f"{signal}: one resource, with service, SDK and instance", good, few(kinds) or "none")


def check_wire(folder, protocol, spans):
    """HTTP as it went over the wire: each request well formed, few of them, over few connections."""
    seen = lines(f"{folder}/wire.json")
    requests = [r for r in seen if "first" in r]
    same("wire: no connection broke", broken=len(seen) - len(requests), want=0)
    wrong = [r["first"] for r in requests if not re.fullmatch(r"POST /v1/(traces|metrics|logs) HTTP/1\.1", r["first"])]
    check(f"wire: each of {len(requests)} requests is a POST of HTTP/1.1 to its signal's path", requests and not wrong, few(wrong))
    wrong = Counter()
    for r in requests:
        names = Counter(line.split(":")[0].lower() for line in r["head"])
        values = dict(line.lower().split(": ", 1) for line in r["head"])
        kind = {"http/json": "application/json", "http/protobuf": "application/x-protobuf"}[protocol]
        wrong["a header twice"] += max(names.values()) > 1
        wrong["Content-Type"] += values.get("content-type") != kind
        wrong["Content-Length"] += values.get("content-length") != str(r["size"])
        wrong["Host"] += not re.fullmatch(r"127\.0\.0\.1:\d+", values.get("host", ""))
        wrong["User-Agent"] += not re.fullmatch(r"otel-otlp-exporter-c/\S+", values.get("user-agent", ""))
        wrong["Connection"] += values.get("connection", "keep-alive") != "keep-alive"
        wrong["status"] += r["status"] != 200
    check("wire: Content-Type without charset, one User-Agent, Host, Content-Length, no header twice, answered 200",
          not +wrong, dict(+wrong))
    connections = len({r["connection"] for r in requests})
    # Up to eight requests of spans and of logs are on the way at a time, and one of metrics: each has a connection, and keeps it.
    check(f"wire: the connections are kept ({connections} for {len(requests)} requests)",
          connections <= 8 + 8 + 1 and len(requests) >= 2 * connections)
    traces = sum("/v1/traces" in r["first"] for r in requests)
    check(f"wire: spans travel in batches ({spans} in {traces} requests)", traces <= spans / 100 + 20)


def compare(folder, nonce, heads, others, begin, protocol):
    client = read_client(folder)
    stats, served = read_server(folder)
    total = client["sent"] + heads + others
    same("wrk has every answer", sent=client["sent"], received=client["received"],
         by_status=client["ok"] + client["missing"] + client["broken"])
    same("wrk saw no error", errors=client["errors"], other=client["other"], want=0)
    same("the server says the same", clients_sent=total, served=served)
    check("the server printed the stats of three signals", set(stats) == {"metrics", "spans", "logs"}, stats)
    if failures:
        return
    same("no metric point dropped or failed", want=0, dropped=stats["metrics"]["dropped"], failed=stats["metrics"]["failed"])
    requests = expected_requests(client, nonce)
    by_id, by_route, span_resources = check_spans(folder, total, requests, heads, others, begin, stats)
    log_resources = check_logs(folder, by_id, by_route, begin, stats)
    metrics = check_metrics(folder, total, by_route)
    check_wire(folder, protocol, len(by_id))
    check_resources({"spans": span_resources, "logs": log_resources, "metrics": [r for r, _ in metrics]})


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        ask(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        compare(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]), sys.argv[7])
    sys.exit(1 if failures else 0)
