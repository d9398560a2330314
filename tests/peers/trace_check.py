"""trace_check.py PROGRAM VIEWER: the importer of the Catapult trace viewer (chrome://tracing; VIEWER is its page) reads the file that
PROGRAM writes, and finds what was recorded: slices nested by thread, their names and arguments, instants and counters."""
import json, os, subprocess, sys, tempfile

failed = passed = 0
def check(ok, what):
    global failed, passed
    passed, failed = passed + bool(ok), failed + (not ok)
    print("ok  " if ok else "FAIL", what)

def look(viewer, text):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".json") as f:
        f.write(text)
        f.flush()
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trace_look.js")
        r = subprocess.run(["node", script, viewer, f.name], capture_output=True, text=True, timeout=120)
        if r.returncode != 0:
            raise SystemExit("FAIL the viewer said " + r.stderr[-600:])
        return json.loads(r.stdout)

def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.json")
        check(subprocess.run([sys.argv[1], path], timeout=60).returncode == 0, "the program writes its trace")
        with open(path, encoding="utf-8") as f:
            text = f.read()
    for what, data in (("the whole file", text), ("a file whose end is missing, as after a crash", text.rstrip()[:-1].rstrip())):
        seen = look(sys.argv[2], data)
        check(not seen["warnings"], what + ": no warnings %s" % seen["warnings"][:3])
        threads = [t for t in seen["threads"] if t["slices"]]
        slices = [s for t in threads for s in t["slices"]]
        spans = [s for s in slices if s["title"] == "request"]
        queries = [s for s in slices if s["title"] == 'query "x"\n\u00e4']
        check(len(threads) == 2, what + ": two threads")
        check(all(t["name"] for t in threads), what + ": they have names %s" % [t["name"] for t in threads])
        check(sorted(s["args"]["i"] for s in spans) == [0, 1, 2, 3, 4, 10, 11, 12], what + ": every span with its attribute")
        check(len(queries) == 8 and all(q["parent"] == "request" for q in queries), what + ": children lie in their parents")
        check(sum("broken" in json.dumps(q["args"]) for q in queries) == 1, what + ": the error")
        check(sum(s["title"] == "served" and s["args"].get("text") == "a\tb" for s in slices) == 8, what + ": logs are instants")
        check(sum(s["title"] == "retried" and s["args"].get("times") == 2 for s in slices) == 8, what + ": events are instants")
        counters = {c["name"]: c["series"] for c in seen["counters"]}
        check(counters.get("shop.served", [[0, [0]]])[0][1][-1] == 8, what + ": the counter")
        check("shop.depth" in counters and "shop.took" in counters, what + ": gauge and histogram")
    return 1 if failed else 0

sys.exit(main())
