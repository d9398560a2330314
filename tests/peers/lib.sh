# lib.sh -- what the peer jobs share; sourced, POSIX sh. A job calls: start, need..., the helpers, finish.
#
# Every process is started with `run`, which bounds its life, and is ended by its own pid in `clean`,
# however the job ends. Everything listens on 127.0.0.1, on ports that were free a moment before.
#
#   PEERS_CACHE   where the Collector is built and kept    (default ${TMPDIR:-/tmp}/telemetry-peers)
#   PEERS_KEEP    keep logs and outputs in this folder     (default: a temporary folder, removed)
#   CC, CFLAGS    compiler and flags of the programs under test (default gcc, -O2 -g)

peers=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$peers/../.." && pwd)
cache=${PEERS_CACHE:-${TMPDIR:-/tmp}/telemetry-peers}
go_wanted=$(sed -n 's/^go //p' "$peers/collector/go.mod")
passed=0 failed=0 skipped=0 pids=

pass() { passed=$((passed + 1)); echo "PASS $*"; }
fail() { failed=$((failed + 1)); echo "FAIL $*"; }
skip() { skipped=$((skipped + 1)); echo "SKIP $*"; }

clean() {
    for pid in $pids; do kill -TERM "$pid" 2>/dev/null; done
    for pid in $pids; do wait "$pid" 2>/dev/null; done
    pids=
    if [ -z "${PEERS_KEEP:-}" ]; then rm -rf "$work"; fi
}

start() {
    if [ -n "${PEERS_KEEP:-}" ]; then work=$PEERS_KEEP; rm -rf "$work"; mkdir -p "$work" || exit 1
    else work=$(mktemp -d) || exit 1; fi
    trap clean EXIT
    trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
    # Nothing from the caller's environment may steer the programs under test or the clients.
    for name in $(env | sed -n 's/^\(OTEL_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
    unset http_proxy HTTP_PROXY all_proxy ALL_PROXY
}

# The last line of every job. The exit code is 1 when something failed; a job that checked nothing says skipped.
finish() {
    if [ "$passed" = 0 ] && [ "$failed" = 0 ] && [ "$skipped" = 0 ]; then fail "nothing was checked"; fi
    if [ "$skipped" = 0 ]; then echo "$passed passed, $failed failed"
    else echo "$passed passed, $failed failed, $skipped skipped"; fi
    [ "$failed" = 0 ]; exit $?
}

# need JOB TOOL... : the whole job is skipped, in one plain line, when a tool is missing.
need() {
    job=$1; shift; missing=
    for tool in "$@"; do command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"; done
    if [ -n "$missing" ]; then skip "$job: not installed:$missing (tests/run.sh --install)"; finish; fi
}

# run SECONDS LOG COMMAND... : in the background, its pid in $pid; ended after SECONDS at the latest.
# A TERM to $pid reaches the command; a KILL follows 15 s later if it did not obey.
run() {
    seconds=$1 log=$2; shift 2
    timeout -k 15 "$seconds" "$@" >"$log" 2>&1 &
    pid=$!
    pids="$pids $pid"
}

# forget PID : wait for a process of `run`; its exit code is the result.
forget() {
    left=
    for one in $pids; do [ "$one" = "$1" ] || left="$left $one"; done
    pids=$left
    wait "$1"
}

stop() { kill -TERM "$1" 2>/dev/null; forget "$1"; }

# ports N : N free TCP ports on loopback.
ports() {
    python3 - "$1" <<'END'
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])
END
}

fetch() { curl --noproxy '*' -sS --max-time 5 "$@"; }

# wait_until SECONDS COMMAND... : poll until the command succeeds.
wait_until() {
    tries=$(($1 * 10)); shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then return 1; fi
        sleep 0.1
    done
}

# enough GO : can this Go build the Collector? Since 1.21 a Go fetches the release that go.mod asks for by itself, where it may.
enough() {
    is=$(cd "$peers/collector" && GOTOOLCHAIN=${GOTOOLCHAIN:-auto} timeout 300 "$1" env GOVERSION 2>/dev/null | sed 's/^go//')
    [ -n "$is" ] && [ "$(printf '%s\n%s\n' "$go_wanted" "$is" | sort -V | head -1)" = "$go_wanted" ]
}

# find_go : leaves in $go a Go that can build the Collector; install.sh may have put one into the cache.
find_go() {
    for go in go /usr/local/go/bin/go /usr/lib/go-*/bin/go "$cache"/go/lib/python3*/site-packages/go/bin/go; do
        if command -v "$go" >/dev/null 2>&1 && enough "$go"; then return 0; fi
    done
    return 1
}

# build_collector : leaves its path in $collector. The name carries a sum of the sources, so an old build is not used.
# 1: there is no Go for it; 2: it does not build, and a FAIL line says why.
build_collector() {
    collector=$cache/collector-$(cat "$peers"/collector/main.go "$peers"/collector/go.* | cksum | tr ' ' '-')
    if [ -x "$collector" ]; then return 0; fi
    find_go || return 1
    echo "building the Collector (once, a minute or two)"
    mkdir -p "$cache"
    case $go in     # a Go of ours leaves no caches of a gigabyte behind
    "$cache"/*) export GOPATH="$work/go" GOCACHE="$work/go/cache" GOFLAGS=-modcacherw;;
    esac
    if ! (cd "$peers/collector" && CGO_ENABLED=0 GOTOOLCHAIN=${GOTOOLCHAIN:-auto} timeout 900 "$go" build -mod=readonly -trimpath \
            -buildvcs=false -ldflags='-s -w' -o "$collector.$$" . && mv "$collector.$$" "$collector") >"$work/build.log" 2>&1; then
        tail -5 "$work/build.log"
        fail "the Collector does not build"
        return 2
    fi
}

# build_server NAME PACKAGE VERSION [FLAG] : a program in Go, from its module; leaves its path in $server. What there is no Go for, or
# what does not build here, is a reason to skip the rest of the job. A module that replaces others can only be built from another.
build_server() {
    server=$cache/$1-$3
    if [ -x "$server" ]; then return 0; fi
    find_go || { skip "$1: no Go of $go_wanted or newer (tests/run.sh --install)"; finish; }
    echo "building $1 $3 (once)"
    mkdir -p "$cache" "$work/go-module"
    (cd "$work/go-module" && export CGO_ENABLED=0 GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" && rm -f go.* && "$go" mod init server &&
        timeout 900 nice "$go" get -tool "$2@$3" && timeout 900 nice "$go" build -trimpath -ldflags='-s -w' ${4:+"$4"} -o "$server.$$" "$2" &&
        mv "$server.$$" "$server") >"$work/build.log" 2>&1 ||
        { skip "$1 $3 does not build here: $(tail -1 "$work/build.log")"; finish; }
}

# python_package JOB NAME VERSION MODULE : from the Python package index, in an environment of its own, whose path is left in $venv.
python_package() {
    venv=$cache/$2-$3
    "$venv/bin/python3" -c "import $4" 2>/dev/null && return
    { python3 -m venv "$venv" && "$venv/bin/python3" -m pip install -q "$2==$3"; } >"$work/pip.log" 2>&1 ||
        { skip "$1: no $2 $3 from the Python package index: $(tail -1 "$work/pip.log")"; finish; }
}

# only_full JOB : what builds or runs for minutes is left to those who ask for it.
only_full() {
    if [ "${PEERS:-}" != full ]; then skip "$1: its server takes minutes to build; PEERS=full asks for it"; finish; fi
}

# start_receiver : OTLP/HTTP in on $otlp_port, JSON lines out in $work/{traces,metrics,logs}.json, what goes over the wire in
# $work/wire.json. The Collector behind wire.py, or, where no Go can build it, wire.py in its place, which reads JSON alone;
# $encodings has what the receiver understands.
start_receiver() {
    build_collector
    case $? in
    0) encodings="json protobuf";;
    1) collector= encodings=json; skip "the real Collector: no Go of $go_wanted or newer (tests/run.sh --install); wire.py stands in for it";;
    *) finish;;
    esac
    set -- $(ports 2)
    otlp_port=$1
    [ -z "$collector" ] || start_collector "$2"
    run 600 "$work/wire.log" python3 "$peers/wire.py" "$otlp_port" "$work" ${collector:+"$2"}
    wire_pid=$pid
    if ! wait_until 20 fetch -f -X POST -H 'Content-Type: application/json' -d '{}' "http://127.0.0.1:$otlp_port/v1/traces"; then
        tail -5 "$work/wire.log"
        fail "wire.py did not start"
        finish
    fi
    rm -f "$work/wire.json"
}
stop_receiver() {
    stop "$wire_pid" || { tail -5 "$work/wire.log"; fail "wire.py ended with exit code $?"; }
    [ -z "$collector" ] || stop "$collector_pid" || fail "the Collector ended with exit code $?"
}

# start_collector PORT : with what start_receiver says; pid in $collector_pid.
start_collector() {
    cat >"$work/collector.yaml" <<END
receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:$1
processors:
  batch:
    timeout: 200ms
exporters:
  debug:
    verbosity: basic
  file/traces:
    path: $work/traces.json
  file/metrics:
    path: $work/metrics.json
  file/logs:
    path: $work/logs.json
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [file/traces, debug]
    metrics:
      receivers: [otlp]
      processors: [batch]
      exporters: [file/metrics, debug]
    logs:
      receivers: [otlp]
      processors: [batch]
      exporters: [file/logs, debug]
END
    run 600 "$work/collector.log" "$collector" --config "$work/collector.yaml"
    collector_pid=$pid
    if ! wait_until 20 fetch -f -X POST -H 'Content-Type: application/json' -d '{}' "http://127.0.0.1:$1/v1/traces"; then
        tail -5 "$work/collector.log"
        fail "the Collector did not start"
        finish
    fi
}

# check SECONDS NAME SCRIPT ARGUMENT... : a script in Python that prints lines with ok or FAIL; each counts.
check() {
    seconds=$1 name=$2; shift 2
    timeout -k 5 "$seconds" python3 "$@" >"$work/check.log" 2>&1
    code=$?
    sed 's/^ok   /PASS /' "$work/check.log"
    passed=$((passed + $(grep -c '^ok   ' "$work/check.log")))
    failed=$((failed + $(grep -c '^FAIL ' "$work/check.log")))
    [ "$code" = 0 ] || fail "$name: its check ended with exit code $code"
}

# build NAME [FLAG...] : NAME.c of this folder to $work/NAME.
build() {
    name=$1; shift
    ${CC:-gcc} -std=gnu99 ${CFLAGS:--O0 -g} -DTEL_CHECK_INVARIANTS -I"$root" "$peers/$name.c" -o "$work/$name" -pthread "$@" \
        >"$work/compile.log" 2>&1 || { tail -20 "$work/compile.log"; fail "$name.c does not compile"; finish; }
}

# compile NAME [FLAG...] : examples/NAME.c to $work/NAME.
compile() {
    name=$1; shift
    if ! (cd "$root/examples" && ${CC:-gcc} ${CFLAGS:--O2 -g} "$@" "$name.c" -o "$work/$name" -pthread) >"$work/compile.log" 2>&1; then
        tail -20 "$work/compile.log"
        fail "examples/$name.c does not compile"
        finish
    fi
}
