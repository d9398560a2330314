#!/usr/bin/env python3
"""sinks.py DIR -- strict receivers for the programs of examples/sinks: every rule of each protocol that a body can break."""
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading

failures, checks = [], 0
requests, datagrams = [], []
lock = threading.Lock()
refuse = ""                     # a text: the Elasticsearch document that holds it is refused
there = 0                       # as many more are said to be there already, in front of that


def check(ok, what):
    global checks
    checks += 1
    if not ok:
        failures.append(what)


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with lock:
            requests.append(("GET", self.path, dict(self.headers), b""))
        self.answer(200, b"{}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            requests.append(("POST", self.path, dict(self.headers), body))
        if self.path.startswith("/_bulk"):
            lines = body.decode().split("\n")[1:-1:2]
            errors = [{"create": {"error": {"type": "document_parsing_exception"}}} for l in lines if refuse and refuse in l]
            if errors:
                errors = [{"create": {"error": {"type": "version_conflict_engine_exception"}}}] * there + errors
            self.answer(200, json.dumps({"errors": bool(errors), "items": errors} if errors else {"errors": False}).encode())
        elif self.path == "/api/v2/logs":
            self.answer(202, b"{}")
        elif self.path == "/loki/api/v1/push":
            self.answer(204)
        else:
            self.answer(200)


def listen(sock):
    while True:
        data = sock.recv(65536)
        with lock:
            datagrams.append(data)


def run(name, **env):
    with lock:
        del requests[:], datagrams[:]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "DD_"))}
    done = subprocess.run([os.path.join(sys.argv[1], name)], env={**clean, **env}, capture_output=True, timeout=60)
    with lock:
        return done.returncode, done.stderr.decode(errors="replace"), list(requests)


def posts(seen, path):
    return [(headers, body) for verb, at, headers, body in seen if verb == "POST" and at.startswith(path)]


# ---- Elasticsearch

def elasticsearch(url):
    global refuse, there
    code, said, seen = run("elasticsearch", ELASTICSEARCH_URL=url, ELASTICSEARCH_INDEX="shop", ELASTICSEARCH_API_KEY="a2V5")
    check(code == 0, "elasticsearch: exit %d: %s" % (code, said))
    check(seen and seen[0][:2] == ("GET", "/"), "elasticsearch: no probe")
    documents = []
    for headers, body in posts(seen, "/_bulk"):
        check(headers["Content-Type"] == "application/x-ndjson", "elasticsearch: content type")
        check(headers.get("Authorization") == "ApiKey a2V5", "elasticsearch: key")
        check(body.endswith(b"\n"), "elasticsearch: no line feed at the end")
        lines = body.decode("utf-8").split("\n")[:-1]
        check(len(lines) % 2 == 0, "elasticsearch: an action without a document")
        for action, source in zip(lines[::2], lines[1::2]):
            action, source = json.loads(action), json.loads(source)
            check(list(action) == ["create"] and list(action["create"]) == ["_index"], "elasticsearch: %r" % action)
            check(re.fullmatch(r"\d+\.\d{6}", source["@timestamp"]) and source["service.name"] == "shop", "elasticsearch: %r" % source)
            documents.append((action["create"]["_index"], source))
    spans = [d for i, d in documents if i == "shop-traces"]
    logs = [d for i, d in documents if i == "shop-logs"]
    metrics = {d["name"]: d for i, d in documents if i == "shop-metrics"}
    check(len(spans) == 2 and len(logs) == 3, "elasticsearch: %d spans, %d logs" % (len(spans), len(logs)))
    pay = [s for s in spans if s["name"] == "pay"][0]
    outer = [s for s in spans if s["name"] == 'checkout "now"'][0]
    check(pay["parent.id"] == outer["span.id"] and pay["trace.id"] == outer["trace.id"], "elasticsearch: the tree")
    check(pay["status"] == "error" and pay["events"][0]["attributes"] == {"attempt": 2}, "elasticsearch: %r" % pay)
    check({l["message"]: l["log.level"] for l in logs} == {"card\nrefused": "error", "done \u00e4": "info", "outside": "warn"}, "elasticsearch: %r" % logs)
    check(metrics["shop.orders"]["value"] == 2 and metrics["shop.orders"]["attributes"] == {"paid": True, "route": "/cart|x"}, "elasticsearch: %r" % metrics)
    check(sum(metrics["shop.latency"]["histogram"]["counts"]) == 3, "elasticsearch: histogram")
    sizes = metrics["shop.size"]["histogram"]
    check(sizes["counts"] == [1, 2] and sizes["values"][0] == 0 and abs(sizes["values"][1] - 1000) < 1, "elasticsearch: exponential histogram %r" % sizes)
    refuse = "outside"
    code, said, seen = run("elasticsearch", ELASTICSEARCH_URL=url)
    check(code == 1 and "document_parsing_exception" in said, "elasticsearch: a refused document goes unnoticed: %d %s" % (code, said))
    check("1 log records" in said, "elasticsearch: the books: %s" % said)
    there = 1000                # the answer is far longer than what is kept of one
    code, said, seen = run("elasticsearch", ELASTICSEARCH_URL=url)
    check(code == 1 and "1 log records" in said, "elasticsearch: a document refused late in a long answer goes unnoticed: %d %s" % (code, said))
    refuse, there = "", 0


# ---- StatsD and DogStatsD

LINE = re.compile(r"(?P<name>[A-Za-z0-9_.]+):(?P<value>-?[0-9.e+-]+)\|(?P<type>c|g|ms|h|d)(\|@(?P<rate>[0-9.e-]+))?(\|#(?P<tags>[^|]+))?")


def lines_of(most):
    out = []
    with lock:
        got = list(datagrams)
    for data in got:
        check(0 < len(data) <= most, "statsd: a datagram of %d bytes" % len(data))
        for line in data.decode("utf-8").split("\n"):
            m = LINE.fullmatch(line)
            check(m, "statsd: %r" % line)
            if not m:
                continue
            if m["rate"]:
                check(m["type"] in "c h d ms".split() and 0 < float(m["rate"]) <= 1, "statsd: rate of %r" % line)
            for tag in (m["tags"] or "").split(","):
                check(not m["tags"] or tag, "statsd: an empty tag in %r" % line)
            out.append(m)
    return out


def wait_for(enough):
    for _ in range(300):
        with lock:
            if enough(b"\n".join(datagrams)):
                return
        threading.Event().wait(0.02)


def statsd(port):
    code, said, _ = run("statsd", STATSD_PORT=str(port), STATSD_HOST="127.0.0.1")
    wait_for(lambda all: b"latency" in all and b"orders" in all and b"open" in all and all.count(b"size") > 1)
    got = lines_of(1432)
    check(code == 0, "statsd: exit %d: %s" % (code, said))
    check(any(m["name"] == "shop.orders.true._cart_x" and m["type"] == "c" and float(m["value"]) == 2 for m in got), "statsd: counter %r" % got)
    gauge = [m["value"] for m in got if m["name"] == "shop.open"]
    check(gauge == ["0", "-1"], "statsd: a negative gauge: %r" % gauge)
    times = [(m["type"], float(m["rate"] or 1)) for m in got if m["name"] == "shop.latency"]
    sizes = [(float(m["value"]), m["type"], round(1 / float(m["rate"] or 1))) for m in got if m["name"] == "shop.size"]
    check(len(sizes) == 2 and sizes[0] == (0, "h", 1) and abs(sizes[1][0] - 1000) < 1 and sizes[1][1:] == ("h", 2), "statsd: exponential histogram %r" % sizes)
    check(all(t == "ms" for t, _ in times) and round(sum(1 / r for _, r in times)) == 3, "statsd: histogram %r" % times)


def datadog(url, port, path):
    code, said, seen = run("datadog", DD_AGENT_HOST="127.0.0.1", DD_DOGSTATSD_PORT=str(port), DD_TRACE_AGENT_URL=url, DD_LOGS_URL=url + "/api/v2/logs",
                           DD_API_KEY="k3y", DD_ENV="test", DD_SERVICE="till")
    check(code == 0, "datadog: exit %d: %s" % (code, said))
    spans = []
    for headers, body in posts(seen, "/v0.4/traces"):
        check(headers["Content-Type"] == "application/json" and headers["Datadog-Send-Real-Http-Status"] == "true", "datadog: headers %r" % headers)
        check(headers.get("X-Datadog-Trace-Count") == str(len(json.loads(body))), "datadog: trace count %r" % headers)
        for trace in json.loads(body):
            check(len({s["trace_id"] for s in trace}) == 1, "datadog: a trace of two")
            spans += trace
    check(len(spans) == 2, "datadog: %d spans" % len(spans))
    for s in spans:
        for key in ("trace_id", "span_id", "parent_id"):
            check(isinstance(s[key], int) and 0 <= s[key] < 1 << 64, "datadog: %s" % key)
        check(all(isinstance(s[k], str) and s[k] for k in ("service", "name", "resource", "type")), "datadog: %r" % s)
        check(s["start"] > 1 << 60 and s["duration"] > 0 and s["error"] in (0, 1), "datadog: %r" % s)
        check(all(isinstance(v, str) for v in s["meta"].values()) and re.fullmatch("[0-9a-f]{16}", s["meta"]["_dd.p.tid"]), "datadog: meta %r" % s)
        check(all(isinstance(v, (int, float)) for v in s["metrics"].values()), "datadog: metrics %r" % s)
        check(s["service"] == "till" and s["meta"]["env"] == "test", "datadog: %r" % s)
    logs = []
    for headers, body in posts(seen, "/api/v2/logs"):
        check(headers.get("DD-API-KEY") == "k3y", "datadog: no key")
        entries = json.loads(body)
        check(isinstance(entries, list) and len(entries) <= 1000 and len(body) <= 5000000, "datadog: entries")
        logs += entries
    check(sorted(l["status"] for l in logs) == ["error", "info", "warn"], "datadog: %r" % logs)
    check(all(l["service"] == "till" and l["ddtags"] == "env:test,service:till" for l in logs), "datadog: tags of logs %r" % logs)
    linked = [l for l in logs if "dd.trace_id" in l]
    check(len(linked) == 2 and all(int(l["dd.trace_id"]) == spans[0]["trace_id"] for l in linked), "datadog: logs and traces")
    wait_for(lambda all: b"latency" in all and b"orders" in all and b"open" in all and all.count(b"size") > 1)
    got = lines_of(1432)
    orders = [m for m in got if m["name"] == "shop.orders"]
    check(len(orders) == 1 and orders[0]["tags"] == "env:test,service:till,paid:true,route:/cart_x", "datadog: %r" % [m.group(0) for m in orders])
    check(round(sum(1 / float(m["rate"] or 1) for m in got if m["name"] == "shop.latency" and m["type"] == "d")) == 3, "datadog: distribution")
    check(round(sum(1 / float(m["rate"] or 1) for m in got if m["name"] == "shop.size" and m["type"] == "d")) == 3, "datadog: exponential distribution")
    code, said, _ = run("datadog", DD_DOGSTATSD_URL="unix://" + path, DD_TRACE_AGENT_URL=url, DD_LOGS_URL=url + "/api/v2/logs")
    wait_for(lambda all: b"latency" in all)
    check(code == 0 and lines_of(8192), "datadog: over a Unix socket: %d %s" % (code, said))


# ---- Loki

def loki(url):
    code, said, seen = run("loki", LOKI_URL=url)
    check(code == 0, "loki: exit %d: %s" % (code, said))
    records = []
    for headers, body in posts(seen, "/loki/api/v1/push"):
        check(headers["Content-Type"] == "application/json", "loki: content type")
        for stream in json.loads(body)["streams"]:
            check(set(stream["stream"]) == {"level", "service_name"}, "loki: labels %r" % stream["stream"])
            for at, line, more in stream["values"]:
                check(re.fullmatch(r"\d{19}", at) and all(isinstance(v, str) for v in more.values()), "loki: %r" % more)
                records.append((stream["stream"]["level"], line, more))
    check(sorted(r[0] for r in records) == ["error", "info", "warn"], "loki: %r" % records)
    check(all(len(r[2]["trace_id"]) == 32 and len(r[2]["span_id"]) == 16 for r in records if r[1] != "outside"), "loki: ids %r" % records)
    check(any(r[2].get("amount") == "9.5" for r in records), "loki: metadata")


# ---- New Relic: OTLP

def varint(data, i):
    v = shift = 0
    while True:
        v |= (data[i] & 127) << shift
        shift += 7
        i += 1
        if not data[i - 1] & 128:
            return v, i


def fields(data):
    i = 0
    while i < len(data):
        key, i = varint(data, i)
        if key & 7 == 0:
            v, i = varint(data, i)
        elif key & 7 == 1:
            v, i = data[i:i + 8], i + 8
        elif key & 7 == 5:
            v, i = data[i:i + 4], i + 4
        else:
            n, i = varint(data, i)
            v, i = data[i:i + n], i + n
        yield key >> 3, v


def inner(data, *path):
    if not path:
        return [data]
    return [x for number, v in fields(data) if number == path[0] for x in inner(v, *path[1:])]


def newrelic(url):
    code, said, seen = run("newrelic", NEW_RELIC_OTLP_ENDPOINT=url, NEW_RELIC_LICENSE_KEY="l1c")
    check(code == 0, "newrelic: exit %d: %s" % (code, said))
    check({at for verb, at, _, _ in seen} == {"/v1/traces", "/v1/logs", "/v1/metrics"}, "newrelic: paths")
    for verb, at, headers, body in seen:
        check(headers.get("api-key") == "l1c" and headers["Content-Type"] == "application/x-protobuf", "newrelic: headers %r" % headers)
        check(0 < len(body) <= 1000000, "newrelic: %d bytes" % len(body))
    metrics = [m for _, body in posts(seen, "/v1/metrics") for m in inner(body, 1, 2, 2)]
    names = {inner(m, 1)[0].decode(): m for m in metrics}
    check(inner(names["shop.orders"], 7, 2) == [1] and inner(names["shop.latency"], 9, 2) == [1], "newrelic: not increments")
    check(len(inner(posts(seen, "/v1/traces")[0][1], 1, 2, 2)) == 2, "newrelic: spans")
    code, said, seen = run("newrelic", NEW_RELIC_OTLP_ENDPOINT=url)
    check(code == 1 and "license_key" in said, "newrelic: no key goes unnoticed: %s" % said)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d" % server.server_address[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    local = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = os.path.join(tempfile.mkdtemp(prefix="tel"), "dsd.socket")
    local.bind(path)
    for sock in (udp, local):
        threading.Thread(target=listen, args=(sock,), daemon=True).start()
    elasticsearch(url)
    statsd(udp.getsockname()[1])
    datadog(url, udp.getsockname()[1], path)
    loki(url)
    newrelic(url)
    os.remove(path)
    os.rmdir(os.path.dirname(path))
    for failure in failures:
        print("FAIL", failure)
    print("%d checks, %d failed" % (checks, len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
