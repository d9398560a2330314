#!/bin/sh
# run.sh [--install] [--only STAGE...] [--list] -- every test there is. A C compiler and a POSIX shell suffice; what is skipped
# for want of a tool, and what failed, is said once where it happens and once at the end. The last line is
# `N passed, N failed, N skipped`.
#
#   --install      first install the tools and peers from the system's package manager (Debian, as root)
#   --only STAGE   these stages only (--list names them)
#   The environment may set what lib.sh names: CC, CXX, JOBS, LIMIT, KEEP=1; FULL=1 for the large matrix; PROMISES=full;
#   PEERS=full for the servers that take minutes to build; FUZZ_SECONDS.
# Room tests and tests of the public functions count by their checks, everything else by programs, compilations and rules.

cd "$(dirname "$0")/.." || exit 2
tests=$(pwd)/tests
stages="lint prefix hygiene compile rooms api promises faults examples switches matrix sanitizers targets fuzz models peers"

usage() { sed -n '2,11s/^# \{0,1\}//p' "$tests/run.sh"; }
install= only=
while [ $# -gt 0 ]; do
    case $1 in
    --install) install=1;;
    --only) only=yes selected=;;
    --list) echo "$stages"; exit 0;;
    -h | --help) usage; exit 0;;
    *)
        case " $stages " in *" $1 "*) ;; *) echo "no stage is called $1; there are: $stages"; exit 2;; esac
        [ -n "$only" ] || { usage; exit 2; }
        selected="$selected $1";;
    esac
    shift
done
[ -z "$only" ] || stages=$selected

# Go is often installed outside of the path.
if ! command -v go >/dev/null 2>&1 && [ -x /usr/local/go/bin/go ]; then PATH=$PATH:/usr/local/go/bin; export PATH; fi

WORK=$(mktemp -d "${TMPDIR:-/tmp}/telemetry-tests.XXXXXX") || exit 2
if [ "${KEEP:-}" = 1 ]; then trap 'echo "build folder kept: $WORK"' EXIT; else trap 'rm -rf "$WORK"' EXIT; fi
trap 'exit 130' INT TERM HUP
COUNTS=$WORK/counts SKIPPED=$WORK/skipped FAILED=$WORK/failed
: >"$COUNTS"
: >"$SKIPPED"
: >"$FAILED"
export WORK COUNTS SKIPPED FAILED

packages="gcc g++ clang libclang-rt-14-dev llvm-14 libc6-dev binutils musl-tools gcc-12-multilib g++-12-multilib
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user
    gcc-mingw-w64-x86-64 spin valgrind
    libcurl4-openssl-dev zlib1g-dev openssl nginx-light prometheus-pushgateway curl jq wrk nghttp2-client prometheus
    python3 python3-venv python3-protobuf protobuf-compiler python3-prometheus-client"
install_packages() {
    if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
        echo "skip install: it needs Debian's apt-get and root; going on with what is here" | tee -a "$SKIPPED"
        echo "0 0 1" >>"$COUNTS"
        return
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null || echo "apt-get update failed; trying with the lists that are here"
    if ! apt-get install -y -qq --no-install-recommends $packages </dev/null >"$WORK/apt.log" 2>&1; then
        tail -n 5 "$WORK/apt.log"
        for package in $packages; do
            apt-get install -y -qq --no-install-recommends "$package" </dev/null >"$WORK/apt.log" 2>&1 && continue
            echo "skip install: $package: $(grep -m 1 '^E:' "$WORK/apt.log")" | tee -a "$SKIPPED"
            echo "0 0 1" >>"$COUNTS"
        done
    fi
    if [ -f "$tests/peers/install.sh" ]; then
        sh "$tests/peers/install.sh" </dev/null || { echo "FAIL install: tests/peers/install.sh"; echo "0 1 0" >>"$COUNTS"; }
    fi
}

clock() { date +%s; }
begun=$(clock)
if [ -n "$install" ]; then
    echo "==== install"
    install_packages
    echo "---- install: $(($(clock) - begun)) s"
fi

summary=
for stage in $stages; do
    echo "==== $stage"
    since=$(clock)
    before=$(grep -c '' "$COUNTS")
    case $stage in
    rooms | api | promises | sanitizers | targets) sh "$tests/programs.sh" "$stage";;
    *) sh "$tests/$stage.sh";;
    esac
    status=$?
    if [ "$(grep -c '' "$COUNTS")" = "$before" ]; then
        echo "FAIL $stage: the stage itself ended early (exit $status)"
        echo "0 1 0" >>"$COUNTS"
    fi
    line=$(tail -n +$((before + 1)) "$COUNTS" | awk '{ p += $1; f += $2; s += $3 } END { printf "%d passed, %d failed, %d skipped", p, f, s }')
    echo "---- $stage: $line ($(($(clock) - since)) s)"
    summary="$summary$(printf '%-11s %4d s  %s' "$stage" $(($(clock) - since)) "$line")
"
done

echo "==== summary ($(($(clock) - begun)) s)"
printf '%s' "$summary"
if [ -s "$SKIPPED" ]; then
    echo "==== skipped"
    cat "$SKIPPED"
fi
if [ -s "$FAILED" ]; then
    echo "==== failed"
    head -n 80 "$FAILED"
fi
set -- $(awk '{ p += $1; f += $2; s += $3 } END { printf "%d %d %d", p, f, s }' "$COUNTS")
echo "$1 passed, $2 failed, $3 skipped"
[ "$2" = 0 ] && [ "$1" -gt 0 ]
