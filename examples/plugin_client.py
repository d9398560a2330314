#!/usr/bin/env python3
"""plugin_client.py -- records metrics, spans and logs through a program that uses telemetry.h, from another process.

It needs nothing but Python 3. The program serves it with
    tel_sink_listener(&(tel_listener_desc){ .query = true, .ingest = true })
and, for the last two calls, with tel_desc.recent_bytes.

    python3 plugin_client.py http://127.0.0.1:9464 [TOKEN]
"""
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request


class Telemetry:
    """Posts to the host. A refusal raises Refused; a plugin that must go on without telemetry catches it."""

    class Refused(Exception):
        pass

    def __init__(self, url, token=None):
        self.root = url.rstrip("/") + "/api/v1/telemetry/"
        self.headers = {"Content-Type": "application/json"}
        if token:
            self.headers["Authorization"] = "Bearer " + token

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, self.headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            raise self.Refused(e.code, e.read().decode(errors="replace")) from None

    def metric(self, name, value, kind="counter", **tags):
        self.call("metrics", {"name": name, "value": value, "type": kind, "tags": tags})

    def span(self, name, parent=None, **tags):
        return Span(self, name, parent, tags)


class Span:
    """with telemetry.span("load", table="users") as s: ..."""

    def __init__(self, to, name, parent, tags):
        body = {"name": name, "tags": tags}
        if parent is not None:
            body["traceparent"] = parent.traceparent
        elif "TRACEPARENT" in os.environ:           # what the host put there for its child
            body["traceparent"] = os.environ["TRACEPARENT"]
        answer = to.call("traces/spans", body)
        self.to, self.trace_id, self.traceparent = to, answer["trace_id"], answer["traceparent"]
        self.path = "traces/spans/" + answer["span_id"] + "/"

    def tags(self, **tags):
        self.to.call(self.path + "tags", {"tags": tags})

    def log(self, message, level="info", **tags):
        self.to.call(self.path + "logs", {"message": message, "level": level, "tags": tags})

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        end = {"status": "ok"} if kind is None else {"status": "error", "message": str(error)}
        self.to.call(self.path + "finish", end)


def main():
    telemetry = Telemetry(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
    with telemetry.span("load", plugin_id="x") as load:
        telemetry.metric("x.calls", 1, tool="search")
        telemetry.metric("x.latency", 0.25, "histogram", tool="search")
        load.tags(rows=7)
        with telemetry.span("parse", load):
            load.log("a row is odd", "warn", row=3)
    try:
        with telemetry.span("store", plugin_id="x"):
            raise OSError("disk full")
    except OSError:
        pass
    try:
        telemetry.metric("x.calls", -1)
    except Telemetry.Refused as e:
        print("refused:", e.args[0], json.loads(e.args[1])["error"])
    for metric in telemetry.call("metrics?name=plugin.x.*")["metrics"]:
        print(metric["name"], metric["type"], len(metric["points"]))
    query = urllib.parse.urlencode({"plugin_id": "x", "limit": 10})
    for span in telemetry.call("traces?" + query)["spans"]:
        print(span["name"], span["status"], span["message"], span["attributes"])


if __name__ == "__main__":
    main()
