# lib.sh -- what the scripts here share: where things are, the flag lists, a pool of jobs, the count. Sourced, never run.
#
# The environment may say: HEADER (the header under test), CC and CXX, JOBS (how many at a time), LIMIT (seconds for one
# job), KEEP=1 (keep the build folder). Everything is built outside the source tree and removed at the end.

top=$(cd "$(dirname "$0")/.." && pwd)
tests=$top/tests
header=${HEADER:-$top/telemetry.h}
include=$(cd "$(dirname "$header")" 2>/dev/null && pwd)

have() { command -v "$1" >/dev/null 2>&1; }
first_of() { for tool in "$@"; do if have "$tool"; then echo "$tool"; return 0; fi; done; return 1; }

CC=${CC:-$(first_of gcc clang cc c99)} || { echo "no C compiler"; exit 2; }
CXX=${CXX:-$(first_of g++ clang++ c++)} || CXX=
# One more job than there are cpus: many tests wait for something.
JOBS=${JOBS:-$(($(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1) + 1))}
LIMIT=${LIMIT:-180}

# The flags under which the header must be silent, in the language of every user.
warn="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wundef -Wvla -Werror"
warn_c="$warn -Wstrict-prototypes -Wold-style-definition"
warn_cxx="$warn"
# Test programs: C99 with POSIX visible, the tests folder for check.h, the invariants of every room as assertions.
check="-DTEL_CHECK_INVARIANTS"
test_flags="-std=gnu99 $warn_c $check"
test_flags_cxx="-std=gnu++17 $warn_cxx $check"

if [ -n "${WORK:-}" ]; then
    work=$(mktemp -d "$WORK/$(basename "$0" .sh).XXXXXX") || exit 2
else
    work=$(mktemp -d "${TMPDIR:-/tmp}/telemetry-tests.XXXXXX") || exit 2
    if [ "${KEEP:-}" = 1 ]; then
        trap 'echo "build folder kept: $work"' EXIT
    else
        trap 'rm -rf "$work"' EXIT
    fi
    trap 'exit 130' INT TERM HUP
fi
mkdir -p "$work/log" "$work/bin"
: >"$work/counts"
: >"$work/skipped"
: >"$work/failed"

# A pool: the pipe holds one line per free place; a job takes one before it starts and gives it back when it ends.
mkfifo "$work/places" && exec 9<>"$work/places"
i=0
while [ "$i" -lt "$JOBS" ]; do echo >&9; i=$((i + 1)); done
job_number=0

# limit SECONDS COMMAND...: ends what hangs, where `timeout` exists.
if have timeout; then
    limit() { seconds=$1; shift; timeout -k 5 "$seconds" "$@"; }
else
    limit() { shift; "$@"; }
fi

count() { echo "$1 $2 $3" >>"$work/counts"; }        # passed failed skipped
indent() { sed 's/^/     | /'; }

# skip NAME REASON: said at once and again at the end.
skip() { count 0 0 1; echo "skip $1: $2" | tee -a "$work/skipped"; }
pass() { count 1 0 0; echo "ok   $1"; }
fail() { count 0 1 0; echo "FAIL $1" | tee -a "$work/failed"; }       # details, if any, follow on stdout

# job NAME COMMAND...: runs in the pool and counts as one. Exit 0 passes, 77 skips (its last line says why).
job() { start_job one "$@"; }
# job_checks NAME COMMAND...: the command's last line must be "N passed, N failed[, N skipped]" and those numbers count.
# Lines that begin with "figure: " are shown.
job_checks() { start_job checks "$@"; }

start_job() {
    job_number=$((job_number + 1))
    read -r place <&9
    ( run_job "$job_number" "$@" 9>&-; echo >&9 ) &
}

run_job() {
    log=$work/log/$1; kind=$2; name=$3; shift 3
    begun=$(date +%s)
    ( "$@" ) >"$log" 2>&1 </dev/null
    status=$?
    spent=$(($(date +%s) - begun))
    line=$(tail -n 1 "$log")
    passed=1 failed=0 skipped=0 note=
    if [ "$status" = 77 ]; then
        skip "$name" "${line:-no reason given}"
        return
    fi
    if [ "$kind" = checks ]; then
        numbers=$(printf '%s\n' "$line" | sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed\(, \([0-9][0-9]*\) skipped\)*$/\1 \2 \4/p')
        if [ -n "$numbers" ]; then
            passed=${numbers%% *} numbers=${numbers#* } failed=${numbers%% *} skipped=${numbers#* }
            [ -n "$skipped" ] || skipped=$(grep -a -c -i '^skip ' "$log")
            note="$passed checks, "
            grep -a -i '^skip ' "$log" | sed "s|^[SKIPskip]* |skip $name: |" | tee -a "$work/skipped"
        else
            passed=0 failed=1
            [ "$status" != 0 ] || echo "no line \"N passed, N failed\" at the end" >>"$log"
        fi
    fi
    if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; [ "$kind" = checks ] || passed=0; fi
    count "$passed" "$failed" "$skipped"
    if [ "$failed" = 0 ] && [ "$passed" = 0 ]; then
        :
    elif [ "$failed" = 0 ]; then
        text=$(echo "ok   $name (${note}${spent} s)"; grep -a '^figure: ' "$log" | indent)
        printf '%s\n' "$text"
    else
        [ "$status" != 124 ] || echo "took longer than its limit and was ended" >>"$log"
        text=$(echo "FAIL $name (exit $status, ${spent} s)"
               excerpt "$log" | cut -c 1-6000 | indent)
        printf '%s\n' "$text"
        printf '%s\n' "$text" | cut -c 1-300 | head -n 8 >>"$work/failed"
    fi
}

# excerpt LOG: all of it, or where a sanitizer or a compiler begins to complain, or its end.
excerpt() {
    lines=${TAIL:-24}
    if [ "$(grep -c '' "$1")" -le "$lines" ]; then cat "$1"; return; fi
    start=$(grep -a -n -m 1 -E 'ERROR: [A-Za-z]*Sanitizer|WARNING: [A-Za-z]*Sanitizer|runtime error:' "$1" | cut -d: -f1)
    if [ -n "$start" ]; then
        grep -a '^the input in base64: ' "$1"
        tail -n "+$start" "$1" | head -n $((lines * 2))
        return
    fi
    grep -a -E -m $((lines / 2)) 'FAIL |error:|warning:|undefined reference' "$1"
    echo "---- the end of its log"
    tail -n $((lines / 2)) "$1"
}

# finish: waits for the pool; the last line is the count. Inside run.sh the numbers go to it instead.
finish() {
    wait
    totals=$(awk '{ p += $1; f += $2; s += $3 } END { printf "%d %d %d", p, f, s }' "$work/counts")
    set -- $totals
    if [ -n "${COUNTS:-}" ]; then
        echo "$totals" >>"$COUNTS"
        cat "$work/skipped" >>"$SKIPPED"
        [ -z "${FAILED:-}" ] || cat "$work/failed" >>"$FAILED"
    else
        echo "$1 passed, $2 failed, $3 skipped"
    fi
    [ "$2" = 0 ] && [ $(($1 + $3)) -gt 0 ]
    exit $?
}

# compile_c OUT SOURCE [FLAGS...]: a test program in C (compile_cxx: in C++) with the house flags.
compile_c() { out=$1 source=$2; shift 2; "$CC" $test_flags -I"$include" -I"$tests" "$source" -o "$out" "$@" -pthread; }
compile_cxx() { out=$1 source=$2; shift 2; "$CXX" $test_flags_cxx -I"$include" -I"$tests" "$source" -o "$out" "$@" -pthread; }

# build_run NAME SOURCE [FLAGS...]: build one C test program and run it in a folder of its own.
build_run() {
    name=$1 source=$2; shift 2
    dir=$work/bin/$name
    mkdir -p "$dir"
    compile_c "$dir/test" "$source" "$@" || return 1
    cd "$dir" && limit "$LIMIT" ./test
}

try_compile() { printf '%s\n' "$2" >"$work/try.c"; "$1" -fsyntax-only "$work/try.c" >/dev/null 2>&1; }
