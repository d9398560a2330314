#!/bin/sh
# size.sh -- what the header adds to a program: resident memory, code and data, compile time. Prints one line per
# figure: name, value, unit, floor, peer, value of the peer; the floor is the same program without telemetry.
#   [CC=gcc] sh bench/size.sh
# Compile times are cpu seconds (user and system), which other programs on the machine do not stretch.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cc=${CC:-cc}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

line() { printf '%s\t%s\t%s\t%s\t-\t-\n' "$1" "$2" "$3" "$4"; }
both() { line "$1" "$2" "$3" "$4"; line "$1.median" "${5:-$2}" "$3" "${6:-$4}"; }

# The lowest and the median of the numbers on standard input, in two words.
summary() { sort -n | awk '{ v[NR] = $1 } END { print v[1], v[int(NR / 2) + 1] }'; }

$cc -O2 -pthread -DPLAIN -o "$work/plain" "$here/size.c" || exit 1
$cc -O2 -pthread -o "$work/quick" "$here/size.c" || exit 1
$cc -O2 -pthread -DALL_SINKS -o "$work/all" "$here/size.c" || exit 1
# lean: without what the program does not use; otlp, console: only that sink; least: OTLP by post_fn, all else left out.
lean() { $cc -O2 -pthread -ffunction-sections -fdata-sections -Wl,--gc-sections "$@" "$here/size.c" || exit 1; }
lean -DALL_SINKS -o "$work/lean"
lean -DTEL_NO_SINK_TYPES "-DONE_SINK=tel_sink_otlp(NULL)" -o "$work/otlp"
lean -DTEL_NO_SINK_TYPES "-DONE_SINK=tel_sink_console(NULL)" -o "$work/console"
lean -DTEL_NO_SINK_TYPES "-DONE_SINK=tel_sink_otlp(NULL)" -DTEL_NO_HTTP -DTEL_NO_PROTOBUF -DTEL_NO_OPENMETRICS -DTEL_NO_INGEST -DTEL_NO_CONFIG_FILE \
    -o "$work/least"

# The quickstart without one room each, and without three: the configuration file, ingest and protobuf.
lean -o "$work/gc"
lean -DTEL_NO_CONFIG_FILE -o "$work/no_config_file"
lean -DTEL_NO_INGEST -o "$work/no_ingest"
lean -DTEL_NO_PROTOBUF -o "$work/no_protobuf"
lean -DTEL_NO_CONFIG_FILE -DTEL_NO_INGEST -DTEL_NO_PROTOBUF -o "$work/no_three"

resident() {
    i=0
    while [ $i -lt 11 ]; do "$1" 2>/dev/null; i=$((i + 1)); done | summary
}
if [ -r /proc/self/smaps_rollup ]; then
    plain=$(resident "$work/plain")
    quick=$(resident "$work/quick")
    set -- $plain $quick
    mb() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", (a - b) / 1024 }'; }
    both memory.plain "$(mb "$1" 0)" MB - "$(mb "$2" 0)" -
    both memory.quickstart "$(mb "$3" "$1")" MB - "$(mb "$4" "$2")" -
else
    echo "size: memory skipped: no /proc/self/smaps_rollup" >&2
fi

if command -v size >/dev/null && command -v strip >/dev/null; then
    for p in plain quick all lean otlp console least gc no_config_file no_ingest no_protobuf no_three; do strip "$work/$p"; done
    sections() { size "$1" | awk 'NR == 2 { print $1 + $2 }'; }
    plain=$(sections "$work/plain")
    for p in all lean otlp console least gc no_config_file no_ingest no_protobuf no_three; do
        both "code.$p" "$(sections "$work/$p" | awk -v p="$plain" '{ printf "%.1f", ($1 - p) / 1024 }')" KB -
    done
    both code.bss "$(size "$work/all" | awk 'NR == 2 { printf "%.1f", $3 / 1024 }')" KB -
else
    echo "size: code skipped: no size or strip" >&2
fi

# cpu seconds of a command, run $1 times
seconds() {
    n=$1
    shift
    (
        i=0
        while [ $i -lt "$n" ]; do "$@" || exit 1; i=$((i + 1)); done
        times
    ) | awk -v n="$n" 'NR == 2 {
        for (i = 1; i <= 2; i++) { split($i, t, "m"); sub("s", "", t[2]); sum += t[1] * 60 + t[2] }
        printf "%.4f\n", sum / n }'
}
printf '#define TELEMETRY_IMPLEMENTATION\n#include "%s/../telemetry.h"\n' "$here" > "$work/implementation.c"
printf '#include "%s/../telemetry.h"\nint f(void) { return (int)tel_flush(1); }\n' "$here" > "$work/public.c"
printf 'int f(void) { return 1; }\n' > "$work/nothing.c"
compile() {
    i=0
    while [ $i -lt "$2" ]; do seconds "$3" $cc -O2 -c -o "$work/x.o" "$work/$1.c"; i=$((i + 1)); done | summary
}
nothing=$(compile nothing 5 5)
set -- $nothing $(compile implementation 3 1) $(compile public 5 5)
both compile.implementation "$3" s "$1" "$4" "$2"
both compile.public "$5" s "$1" "$6" "$2"
