"""trace_check.py PROGRAM VIEWERS: Perfetto's trace processor and the importer of the Catapult trace viewer, which are in the folder
VIEWERS, read the file that PROGRAM writes, and find what was recorded: slices nested by thread, their names and arguments, instants and
counters."""
import json, os, subprocess, sys, tempfile

failed = passed = 0
def check(ok, what):
    global failed, passed
    passed, failed = passed + bool(ok), failed + (not ok)
    print("ok  " if ok else "FAIL", what)

def node(script, viewer, text, queries=""):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".json") as f:
        f.write(text)
        f.flush()
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), script)
        r = subprocess.run(["node", script, viewer, f.name], input=queries, capture_output=True, text=True, timeout=120)
        if r.returncode != 0:
            raise SystemExit("FAIL the viewer said " + r.stderr[-600:])
        return [json.loads(line) for line in r.stdout.splitlines()]

QUERIES = {
    "faults": "SELECT name, value FROM stats WHERE value > 0 AND severity != 'info'",
    "threads": "SELECT DISTINCT t.name, t.tid, p.pid FROM slice s JOIN thread_track k ON k.id = s.track_id JOIN thread t USING (utid) JOIN process p USING (upid)",
    "slices": "SELECT s.name, p.name, s.dur, p.id IS NULL OR (s.ts >= p.ts AND s.ts + s.dur <= p.ts + p.dur), extract_arg(s.arg_set_id, 'args.i'), "
              "extract_arg(s.arg_set_id, 'args.times'), extract_arg(s.arg_set_id, 'args.text'), "
              "(SELECT count(*) FROM args a WHERE a.arg_set_id = s.arg_set_id AND a.string_value = 'broken') "
              "FROM slice s LEFT JOIN slice p ON p.id = s.parent_id ORDER BY s.ts",
    "counters": "SELECT k.name, c.value FROM counter c JOIN counter_track k ON k.id = c.track_id ORDER BY c.ts",
}

def check_perfetto(what, folder, text):
    seen = dict(zip(QUERIES, node("trace_sql.js", folder, text, "\n".join(QUERIES.values()))))
    what = "perfetto, " + what + ": "
    check(not seen["faults"], what + "no errors, no loss %s" % seen["faults"])
    check(sorted((name, tid == pid) for name, tid, pid in seen["threads"]) == [("other", False), ("trace", True)], what + "two threads and their process")
    check(all(within for _, _, _, within, *_ in seen["slices"]), what + "children lie within the times of their parents")
    spans = [s for s in seen["slices"] if s[0] == "request"]
    queries = [s for s in seen["slices"] if s[0] == 'query "x"\n\u00e4']
    check(sorted(s[4] for s in spans) == [0, 1, 2, 3, 4, 10, 11, 12] and all(s[2] > 0 for s in spans), what + "every span with its attribute")
    check(len(queries) == 8 and all(s[1] == "request" for s in queries) and sum(s[7] for s in queries) == 1, what + "children and the error")
    check(sum(s[0] in ("first", "second") and s[1] is None for s in seen["slices"]) == 2, what + "spans that overlap")
    instants = [s for s in seen["slices"] if s[2] == 0]
    check(len(instants) == 16 and sum(s[:2] == ["served", "request"] and s[6] == r"a\tb" for s in instants) == 8 and    # escapes stay in arguments
          sum(s[:2] == ["retried", queries[0][0]] and s[5] == 2 for s in instants) == 8, what + "logs and events are instants")
    counters = dict(seen["counters"])
    depth = counters.pop("shop.depth value", None)      # of whichever thread was the last one
    check(counters == {"shop.served value": 8, "shop.took count": 8} and depth in (4, 12), what + "counters %s" % counters)

def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.json")
        check(subprocess.run([sys.argv[1], path], timeout=60).returncode == 0, "the program writes its trace")
        with open(path, encoding="utf-8") as f:
            text = f.read()
    for what, data in (("the whole file", text), ("a file whose end is missing, as after a crash", text.rstrip()[:-1].rstrip())):
        check_perfetto(what, sys.argv[2], data)
        seen = node("trace_look.js", os.path.join(sys.argv[2], "trace_viewer_full.html"), data)[0]
        check(not seen["warnings"], what + ": no warnings %s" % seen["warnings"][:3])
        threads = [t for t in seen["threads"] if t["slices"]]
        slices = [s for t in threads for s in t["slices"]]
        spans = [s for s in slices if s["title"] == "request"]
        queries = [s for s in slices if s["title"] == 'query "x"\n\u00e4']
        check(len(threads) == 2, what + ": two threads")
        check(sorted(t["name"] for t in threads) == ["other", "trace"], what + ": they have names")
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
