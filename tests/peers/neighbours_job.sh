#!/bin/sh
# neighbours_job.sh -- one trace over HTTP through services of ours and of OpenTelemetry Python and Go, on both sides of every call,
# with tracestate and baggage. hop.c, neighbour/neighbour.py and neighbour/main.go are the services.
. "$(dirname "$0")/lib.sh"
start
need "neighbours job" timeout python3 "${CC:-gcc}"
find_go || { skip "neighbours job: no Go of $go_wanted or newer (tests/run.sh --install)"; finish; }
neighbour=$cache/neighbour-$(cat "$peers"/neighbour/main.go "$peers"/neighbour/go.* | cksum | tr ' ' '-')
[ -x "$neighbour" ] || (cd "$peers/neighbour" && CGO_ENABLED=0 timeout 400 "$go" build -mod=readonly -trimpath -buildvcs=false -o "$neighbour" .) \
    >"$work/build.log" 2>&1 || { skip "neighbours job: the service in Go does not build here: $(tail -1 "$work/build.log")"; finish; }
python_package "neighbours job" opentelemetry-sdk 1.45.2 opentelemetry.sdk.trace
build hop
check 100 "neighbours" "$peers/neighbours_check.py" "$work" "$work/hop" "$venv/bin/python3" "$peers/neighbour/neighbour.py" "$neighbour"
finish
