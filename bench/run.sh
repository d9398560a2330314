#!/bin/sh
# run.sh -- builds everything, runs everything, prints one table.
#   sh bench/run.sh                    the table, for each compiler found
#   sh bench/run.sh --tsv              one line per figure: name, value, unit, floor, peer, value of the peer
#   sh bench/run.sh --only NAME        quickly: the figures whose names start with NAME, such as span, counter.add.1t,
#                                      insn.span, road, code or compile; one compiler, one pass, no peers
#   CC=clang sh bench/run.sh           that compiler only
#   PASSES=3 REPS=41 sh bench/run.sh   passes over all programs (default 2) and repetitions in each (default 21)
#   PEERS=0 sh bench/run.sh            without the peers
# A figure's value is the lowest of its repetitions, the line with suffix .median their median (the lowest median of
# the passes). The peers are the best of what the package registries have for C++, Rust and Go, built and run in the
# same go; the one shown is the fastest for that figure. Whatever lacks its tool is skipped and said so.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-${TMPDIR:-/tmp}/telemetry-bench}
reps=${REPS:-21}
tsv=0 only=
while [ $# -gt 0 ]; do
    case $1:${2:-} in
        --tsv:*) tsv=1 ;;
        --only:?*) only=$2; shift ;;
        *) sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift
done
passes=${PASSES:-$([ -n "$only" ] && echo 1 || echo 2)}
[ -z "$only" ] || PEERS=${PEERS:-0}
if [ -z "$only" ]; then mkdir -p "$build" || exit 1
else
    build=$(mktemp -d) || exit 1
    trap 'rm -rf "$build"' EXIT
    trap 'exit 1' HUP INT TERM
fi
say() { echo "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

machine() {
    cpu=$(lscpu 2>/dev/null | sed -n 's/^Model name: *//p')
    [ -n "$cpu" ] || cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
    [ -n "$cpu" ] || cpu=$(uname -m)
    cpus=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo '?')
    system="$(uname -s) $(uname -r | sed 's/[-+].*//')"
    echo "# $cpus x $cpu; $system; $($1 --version | head -n 1); $(date -u +%Y-%m-%d)"
}

# ---- build ----

peers=
peer() { peers="$peers $1"; }
if [ "${PEERS:-1}" != 0 ]; then
    if ! have c++; then say "peer prometheus-cpp skipped: no C++ compiler"
    elif c++ -O2 -std=c++17 -o "$build/peer-cpp" "$here/peers/prometheus_cpp.cc" -lprometheus-cpp-core -lpthread \
        2> "$build/peer-cpp.log"; then peer "$build/peer-cpp"
    else say "peer prometheus-cpp skipped: does not build here (prometheus-cpp-dev?); see $build/peer-cpp.log"; fi

    if ! have cargo; then say "peers in Rust skipped: no cargo"
    elif CARGO_TARGET_DIR="$build/rust" cargo build --release --locked --quiet \
        --manifest-path "$here/peers/rust/Cargo.toml" 2> "$build/peer-rust.log"; then peer "$build/rust/release/peers"
    else say "peers in Rust skipped: do not build here; see $build/peer-rust.log"; fi

    if ! have go; then say "peers in Go skipped: no go"
    elif (cd "$here/peers/go" && go build -o "$build/peer-go" .) 2> "$build/peer-go.log"; then peer "$build/peer-go"
    else say "peers in Go skipped: do not build here; see $build/peer-go.log"; fi
fi

if [ -n "${CC:-}" ]; then compilers=$CC
else
    compilers=
    for c in gcc clang; do
        if [ -n "$only" ] && [ -n "$compilers" ]; then continue; fi
        if have $c; then compilers="$compilers $c"; else say "$c skipped: not installed"; fi
    done
    [ -n "$compilers" ] || compilers=cc
fi
# with PART: is one of the figures of that part wanted? bench.c measures the times, road.c the whole road; insn.sh and size.sh
# do the rest.
with() {
    case $only in
        '') return 0 ;;
        insn*) [ "$1" = insn ] ;;
        memory* | code* | compile*) [ "$1" = sizes ] ;;
        road*) [ "$1" = road ] ;;
        *) [ "$1" = times ] ;;
    esac
}
for c in $compilers; do
    with times || break
    # shellcheck disable=SC2086
    $c -O2 -pthread -o "$build/bench-$(basename "$c")" "$here/bench.c" || exit 1
done
for c in $compilers; do
    with road || break
    $c -O2 -pthread -o "$build/road-$(basename "$c")" "$here/road.c" || exit 1
done

# ---- run ----

status=0
: > "$build/peers.tsv"
for c in $compilers; do : > "$build/ours-$(basename "$c").tsv"; done
pass=0
while with times && [ $pass -lt "$passes" ]; do
    pass=$((pass + 1))
    say "pass $pass of $passes"
    for c in $compilers; do
        name=$(basename "$c")
        "$build/bench-$name" --tsv --reps "$reps" --only "$only" >> "$build/ours-$name.tsv" || status=1
    done
    for p in $peers; do
        "$p" --memory >> "$build/peers.tsv"
        "$p" --tsv --reps "$reps" >> "$build/peers.tsv" || say "$(basename "$p") failed"
    done
done
for c in $compilers; do
    with road || break
    say "the whole road with $c"
    "$build/road-$(basename "$c")" | grep "^$only" >> "$build/ours-$(basename "$c").tsv" || status=1
done
for c in $compilers; do
    with sizes || break
    say "sizes with $c"
    CC=$c sh "$here/size.sh" | grep "^$only" >> "$build/ours-$(basename "$c").tsv"
done
: > "$build/insn.tsv"
if with insn; then
    named=${only#insn}
    sh "$here/insn.sh" --tsv ${only:+--only "${named#.}"} > "$build/insn.tsv" || { say "insn.sh: not as expected"; status=1; }
fi
set -- $compilers
cat "$build/insn.tsv" >> "$build/ours-$(basename "$1").tsv"

# ---- merge and print ----

# The passes of one figure become one line; the best peer of the same name stands beside it.
merge() {
    awk -F '\t' -v OFS='\t' '
        FILENAME == ARGV[1] {
            if (!($1 in best) || $2 + 0 < best[$1]) { best[$1] = $2 + 0; who[$1] = $5 }
            next
        }
        !($1 in value) { order[++n] = $1; value[$1] = $2; unit[$1] = $3; floor[$1] = $4; next }
        $1 ~ /(dropped|overflowed)(\.median)?$/ { if ($2 + 0 > value[$1] + 0) { value[$1] = $2 } next }
        { if ($2 + 0 < value[$1] + 0) { value[$1] = $2 } if ($4 != "-" && $4 + 0 < floor[$1] + 0) { floor[$1] = $4 } }
        END {
            for (i = 1; i <= n; i++) {
                f = order[i]
                print f, value[f], unit[f], floor[f], (f in best) ? who[f] : "-", (f in best) ? best[f] : "-"
            }
        }' "$build/peers.tsv" "$1"
}
table() {
    awk -F '\t' '
        function short(v) { return v == "-" ? "-" : sprintf(v + 0 >= 1000 ? "%.0f" : "%.4g", v) }
        FILENAME == ARGV[1] { if ($1 !~ /^#/) { reach[$1] = $2; aim[$1] = $3 } next }
        $1 ~ /\.median$/ { sub(/\.median$/, "", $1); median[$1] = $2; next }
        { order[++n] = $1; value[$1] = $2; unit[$1] = $3; floor[$1] = $4; peer[$1] = $5; other[$1] = $6 }
        END {
            printf "%-28s %9s %9s %-7s %8s %8s %8s  ", "figure", "min", "median", "unit", "floor", "reach", "aim"
            printf "%-7s %9s %7s  %s\n", "", "best peer", "ratio", "which"
            for (i = 1; i <= n; i++) {
                f = order[i]
                v = value[f] + 0
                mark = !(f in reach) ? "" : v <= aim[f] + 0 ? "aim" : v <= reach[f] + 0 ? "reach" : "MISSED"
                printf "%-28s %9s %9s %-7s ", f, short(v), (f in median) ? short(median[f]) : "", substr(unit[f], 1, 7)
                printf "%8s %8s %8s  ", short(floor[f]), (f in reach) ? reach[f] : "", (f in aim) ? aim[f] : ""
                printf "%-7s %9s", mark, other[f] == "-" ? "" : short(other[f])
                if (other[f] != "-" && value[f] + 0 > 0) { printf " %6.1fx  %s", other[f] / value[f], peer[f] }
                printf "\n"
            }
        }' "$here/goals.tsv" "$1"
}
for c in $compilers; do
    name=$(basename "$c")
    merge "$build/ours-$name.tsv" > "$build/$name.tsv"
    machine "$c"
    if [ $tsv = 1 ]; then cat "$build/$name.tsv"; else table "$build/$name.tsv"; fi
done
exit $status
