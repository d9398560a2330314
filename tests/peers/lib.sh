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

# build_collector : leaves its path in $collector. The name carries a sum of the sources, so an old build is not used.
build_collector() {
    want=$(sed -n 's/^go //p' "$peers/collector/go.mod")
    have=$(go env GOVERSION | sed 's/^go//')
    if [ "$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -1)" != "$want" ]; then
        skip "the Collector needs go $want or newer, this is go $have"
        finish
    fi
    collector=$cache/collector-$(cat "$peers"/collector/main.go "$peers"/collector/go.* | cksum | tr ' ' '-')
    if [ -x "$collector" ]; then return; fi
    echo "building the Collector (once, a minute or two)"
    mkdir -p "$cache"
    if ! (cd "$peers/collector" && CGO_ENABLED=0 timeout 900 go build -mod=readonly -trimpath -buildvcs=false \
            -ldflags='-s -w' -o "$collector.$$" . && mv "$collector.$$" "$collector") >"$work/build.log" 2>&1; then
        tail -5 "$work/build.log"
        fail "the Collector does not build"
        finish
    fi
}

# start_collector PORT : OTLP/HTTP in on PORT, JSON lines out in $work/{traces,metrics,logs}.json; pid in $collector_pid.
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

# compile NAME [FLAG...] : examples/NAME.c to $work/NAME.
compile() {
    name=$1; shift
    if ! (cd "$root/examples" && ${CC:-gcc} ${CFLAGS:--O2 -g} "$@" "$name.c" -o "$work/$name" -pthread) >"$work/compile.log" 2>&1; then
        tail -20 "$work/compile.log"
        fail "examples/$name.c does not compile"
        finish
    fi
}
