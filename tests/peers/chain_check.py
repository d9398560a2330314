#!/usr/bin/env python3
"""chain_check.py COLLECTOR PROGRAM FOLDER MODE PORT PORT -- drives chain.c between two Collectors, of which the first is ended
and started again meanwhile, and counts what they have: everything once. Prints lines with ok or FAIL."""
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter

collector, program, folder, mode = sys.argv[1:5]
ports = [int(p) for p in sys.argv[5:7]]
started = []
CONFIG = """receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters:
  file/traces: {{path: {out}.traces, flush_interval: 50ms}}
  file/metrics: {{path: {out}.metrics, flush_interval: 50ms}}
  file/logs: {{path: {out}.logs, flush_interval: 50ms}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [file/traces]}}
    metrics: {{receivers: [otlp], exporters: [file/metrics]}}
    logs: {{receivers: [otlp], exporters: [file/logs]}}
"""


def check(ok, what):
    print(("ok   " if ok else "FAIL ") + what)


def until(what, condition):
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            check(False, f"{mode}: {what} within 30 s")
            return
        time.sleep(0.05)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def start(index, name):
    out = f"{folder}/{mode}.{name}"
    with open(out + ".yaml", "w") as f:
        f.write(CONFIG.format(port=ports[index], out=out))
    with open(out + ".log", "w") as log:
        started.append(subprocess.Popen([collector, "--config", out + ".yaml"], stdout=log, stderr=log))
    until(f"{name} listens", lambda: listens(ports[index]))
    return started[-1]


def end(process):
    process.terminate()
    process.wait(30)


def has(name):
    """Whether a Collector has something of every signal."""
    return all(os.path.getsize(f"{folder}/{mode}.{name}.{s}") > 0 for s in ("traces", "metrics", "logs"))


def documents(kind):
    for name in sorted(os.listdir(folder)):
        if name.startswith(mode + ".") and name.endswith(kind):
            for line in open(f"{folder}/{name}", encoding="utf-8"):
                yield name, json.loads(line)


def numbers(kind, resources, scopes, items):
    return Counter(int(a["value"]["intValue"]) for _, d in documents(kind) for r in d[resources] for s in r[scopes]
                   for item in s[items] for a in item["attributes"])


def main():
    one = start(0, "first")
    two = start(1, "second")
    app = subprocess.Popen([program] + [f"http://127.0.0.1:{p}" for p in ports] + [mode], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True)
    started.append(app)

    def say(line):
        app.stdin.write(line + "\n")
        app.stdin.flush()
    until("the first one has something", lambda: has("first"))
    if mode == "use":
        for _ in range(5):
            say("use two")
            time.sleep(0.05)
            say("use one")
            time.sleep(0.05)
        say("use two")
    end(one)
    until("the second one has something", lambda: has("second"))
    one = start(0, "again")
    if mode == "use":
        say("use one")
    until("the first one has something again", lambda: has("again"))
    say("end")
    recorded, result, spans, logs, lost = map(int, app.communicate(timeout=60)[0].split())
    end(one)
    end(two)
    check(result == 0 and spans == logs == recorded and lost == 0, f"{mode}: the books have {recorded} delivered, {lost} lost")
    for name, seen in (("spans", numbers("traces", "resourceSpans", "scopeSpans", "spans")),
                       ("logs", numbers("logs", "resourceLogs", "scopeLogs", "logRecords"))):
        check(sorted(seen) == list(range(recorded)) and max(seen.values()) == 1,
              f"{mode}: {len(seen)} {name} of {recorded} in two Collectors, each once")
    by_file = Counter()
    for name, d in documents("metrics"):
        by_file[name] += sum(int(p["asInt"]) for r in d["resourceMetrics"] for s in r["scopeMetrics"] for m in s["metrics"]
                             for p in m["sum"]["dataPoints"])
    check(sum(by_file.values()) == recorded and len(+by_file) == 3, f"{mode}: increments of {sum(by_file.values())}: {dict(by_file)}")


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
try:
    main()
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
