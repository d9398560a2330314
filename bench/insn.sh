#!/bin/sh
# insn.sh -- instructions per operation under callgrind, compared with bench/insn.tsv: a guard against regressions,
# since these counts repeat where times do not. Fails when an operation takes over TOL percent (default 2) more.
#   sh bench/insn.sh               compare
#   sh bench/insn.sh --only span   only the operations whose names start so
#   sh bench/insn.sh --tsv         the same, and one line per figure: name, value, unit, floor, peer, value of the peer
#   UPDATE=1 sh bench/insn.sh      write the expected values anew (do so when a change is wanted, and say why)
# Built statically with musl and run in an empty environment, so that neither the C library's choice by cpu nor the
# size of the environment counts. The expected values hold for one compiler and machine type, named in the file.
set -u
here=$(cd "$(dirname "$0")" && pwd)
expected=$here/insn.tsv
tolerance=${TOL:-2}
tsv=0 only=
while [ $# -gt 0 ]; do
    case $1 in
        --tsv) tsv=1 ;;
        --only) only=${2:-}; shift ;;
        *) sed -n '4,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift
done
[ -z "${UPDATE:-}" ] || only=

skip() { echo "insn: skipped: $1" >&2; exit 0; }
command -v valgrind >/dev/null || skip "no valgrind"
command -v musl-gcc >/dev/null || skip "no musl-gcc"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

musl-gcc -O2 -static -pthread -o "$work/insn" "$here/insn.c" || exit 1
built="$(gcc -dumpfullversion) $(uname -m)"

# A span's time stamps cost the same however the time runs, but the counts of the first reading may not; the
# cases run a thousand operations and more, which hides it.
"$work/insn" list > "$work/list"
while read -r name operations; do
    case $name in "$only"*) ;; *) continue ;; esac
    env -i valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no \
        --toggle-collect=insn_region "$work/insn" "$name" > "$work/log" 2>&1 < /dev/null
    count=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$work/log")
    if [ -z "$count" ]; then echo "insn: $name did not run" >&2; cat "$work/log" >&2; exit 1; fi
    awk -v name="$name" -v c="$count" -v n="$operations" 'BEGIN { printf "%s\t%.1f\n", name, c / n }'
done < "$work/list" > "$work/counts" || exit 1

if [ -n "${UPDATE:-}" ]; then
    { printf '# instructions per operation; gcc %s, musl, -O2\n' "$built"; cat "$work/counts"; } > "$expected"
    cat "$expected"
    exit 0
fi
if [ $tsv = 1 ]; then awk -F '\t' '{ printf "insn.%s\t%s\tinstructions\t-\t-\t-\n", $1, $2 }' "$work/counts"; fi
head -n 1 "$expected" 2>/dev/null | grep -q "gcc $built," || skip "no expected values for gcc $built"
awk -F '\t' -v tolerance="$tolerance" -v quiet="$tsv" '
    NR == FNR { if ($1 !~ /^#/) { want[$1] = $2 } next }
    !($1 in want) { printf "FAIL %s: no expected value (%s)\n", $1, $2 > "/dev/stderr"; bad++; next }
    $2 > want[$1] * (1 + tolerance / 100) + 0.2 {
        more = 100 * ($2 / want[$1] - 1)
        printf "FAIL %s: %s instructions, expected %s (%+.1f %%)\n", $1, $2, want[$1], more > "/dev/stderr"
        bad++; next
    }
    { good++; if (!quiet) { printf "ok   %-24s %8s  (expected %s)\n", $1, $2, want[$1] } }
    END { if (!quiet) { printf "%d passed, %d failed\n", good, bad } exit bad > 0 }' "$expected" "$work/counts"
