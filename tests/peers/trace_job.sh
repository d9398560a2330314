#!/bin/sh
# trace_job.sh -- a trace file, read by the importer of the Catapult trace viewer (what chrome://tracing shows), whose page is taken
# from a package of the Python index that ships it, and which runs in Node. (Perfetto's own trace processor is in no registry.)
. "$(dirname "$0")/lib.sh"
start
need "trace job" python3 node timeout "${CC:-gcc}"
viewer=$cache/torch-tb-profiler-0.4.3/trace_viewer_full.html
if [ ! -s "$viewer" ]; then
    mkdir -p "${viewer%/*}"
    { python3 -m pip download -q --no-deps -d "$work" torch-tb-profiler==0.4.3 && python3 -c 'import glob, sys, zipfile
sys.stdout.buffer.write(zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0]).read("torch_tb_profiler/static/trace_viewer_full.html"))' \
        "$work" >"$work/viewer.html" && mv "$work/viewer.html" "$viewer"; } 2>"$work/pip.log" ||
        { skip "trace job: no torch-tb-profiler 0.4.3 from the Python package index: $(tail -1 "$work/pip.log")"; finish; }
fi
build trace
check 200 "trace viewer" "$peers/trace_check.py" "$work/trace" "$viewer"
finish
