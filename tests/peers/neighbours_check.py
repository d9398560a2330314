#!/usr/bin/env python3
"""neighbours_check.py FOLDER HOP PYTHON NEIGHBOUR.PY NEIGHBOUR -- starts a service of each language, sends requests through chains
of them and compares what each one says that it has extracted. Prints lines with ok or FAIL."""
import json
import subprocess
import sys
import urllib.parse
import urllib.request

from books import check

folder, hop, python, script, neighbour = sys.argv[1:6]
COMMANDS = {"c": [hop, f"{folder}/spans.jsonl"], "python": [python, script], "go": [neighbour]}
# What each one adds, as it writes it. OpenTelemetry Python writes a blank as '+', reads '+' as a blank, and takes properties for a
# part of the value; OpenTelemetry Go leaves '+' as it is, as W3C Baggage allows; we escape it.
VALUE = "caf\u00e9, a=b; 100%+1"
ADDS = {"c": urllib.parse.quote(VALUE, safe="") + ";unit=percent", "python": urllib.parse.quote_plus(VALUE),
        "go": urllib.parse.quote(VALUE, safe="+") + ";unit=percent"}
READS = {"c": urllib.parse.unquote, "python": urllib.parse.unquote_plus, "go": urllib.parse.unquote}
PASSES = {"c": lambda entry: entry, "python": lambda entry: urllib.parse.quote_plus(urllib.parse.unquote_plus(entry)),
          "go": lambda entry: urllib.parse.quote(urllib.parse.unquote(entry), safe="+")}
CHAINS = (["c", "python", "c", "go", "c"], ["python", "c", "go", "python", "c"], ["go", "c", "python", "go", "c", "c"])
TRACEPARENTS = {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00": False, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": True,
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03": True}


def travel(ports, chain, headers):
    """What each service of the chain has extracted, the first one first."""
    hops = [f"{ports[language]}/{language}{place}" for place, language in enumerate(chain)]
    port, name = hops[0].split("/")
    request = urllib.request.Request(f"http://127.0.0.1:{port}/hop/{name}?via={','.join(hops[1:])}", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return [json.loads(line) for line in answer.read().decode().splitlines()][::-1]


def follow(ports, chain, headers, sampled):
    what = " -> ".join(chain) + (" with " + headers["traceparent"][-2:] if headers else "")
    seen = travel(ports, chain, headers)
    names = [language + str(place) for place, language in enumerate(chain)]
    parents = [headers["traceparent"].split("-")[2] if headers else "0" * 16] + [s["span"] for s in seen[:-1]]
    check([s["name"] for s in seen] == names and len({s["trace"] for s in seen}) == 1 and [s["parent"] for s in seen] == parents and
          (not headers or seen[0]["trace"] == headers["traceparent"].split("-")[1]), f"{what}: one trace, each the child of its caller", seen)
    check(all(s["sampled"] is sampled for s in seen), f"{what}: sampled or not, all alike", seen)
    state, entries = headers.get("tracestate", ""), {"user": "anna%20b"} if headers else {}
    for language, s in zip(chain, seen):
        read = {name: READS[language](entry) for name, entry in entries.items()}
        check(s["tracestate"] == state and s["baggage"] == read, f"{what}: {s['name']} has the tracestate and baggage of all before it",
              "have", s["tracestate"], s["baggage"], "want", state, read)
        state = f"{s['name']}=1" + ("," + state if state else "")
        entries = {**{name: PASSES[language](entry) for name, entry in entries.items()}, s["name"]: ADDS[language]}
    return seen


def main():
    services, ports = {}, {}
    try:
        for language, command in COMMANDS.items():
            services[language] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            ports[language] = int(services[language].stdout.readline())
        seen = [s for chain in CHAINS for s in follow(ports, chain, {}, True)]
        for traceparent, sampled in TRACEPARENTS.items():
            headers = {"traceparent": traceparent, "tracestate": "vendor=a:b/c,other@x=1", "baggage": "user=anna%20b"}
            seen += [s for s in follow(ports, CHAINS[0], headers, sampled) if sampled]
    finally:
        for service in services.values():
            service.stdin.close()
        codes = {language: service.wait(20) for language, service in services.items()}
    check(set(codes.values()) == {0}, "the services end well", codes)
    with open(f"{folder}/spans.jsonl", encoding="utf-8") as f:
        spans = {(s["traceId"], s["spanId"]): s for line in f for r in json.loads(line).get("resourceSpans", []) for scope in r["scopeSpans"] for s in scope["spans"]}
    own = [s for s in seen if s["name"].startswith("c")]
    check(len(spans) == len(own) and all(
        spans[s["trace"], s["span"]]["name"] == s["name"] and spans[s["trace"], s["span"]].get("traceState", "") == s["tracestate"] and
        spans[s["trace"], s["span"]].get("parentSpanId", "0" * 16) == s["parent"] for s in own),
        f"the {len(own)} sampled spans of ours are exported with their parents and tracestates", spans)


main()
