#!/bin/sh
# rooms.sh -- which rooms the code and the constants of a linked program come from: bytes and room, the largest first, and
# their sum. The program is the quickstart, with --gc-sections; private names tell their room by their tag.
#   [CC=gcc] sh bench/rooms.sh [FLAG...]        for example -DTEL_NO_CONFIG_FILE -DTEL_NO_INGEST -DTEL_NO_PROTOBUF
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
${CC:-cc} -O2 -pthread -ffunction-sections -fdata-sections -Wl,--gc-sections "$@" -o "$work/program" "$here/size.c" || exit 1
sed -n "/^cat >\"\$work\/plan\"/,/^END/p" "$here/../tests/lint.sh" | awk 'NF == 3 { print $1, $2 }' > "$work/plan"
nm -S --defined-only -t d "$work/program" | awk '
    FNR == NR {
        n = split($2, t, ",")
        for (i = 1; i <= n; i++) { room[t[i]] = $1 }
        next
    }
    NF == 4 && $3 ~ /[tTrRdD]/ {
        name = $4
        sub(/\..*/, "", name)
        at = name ~ /^tel__/ ? "(other)" : name ~ /^tel_/ ? "(public)" : "(static tables, start of the program)"
        for (tag = substr(name, 6); name ~ /^tel__/ && tag != ""; sub(/_?[^_]*$/, "", tag)) {
            if (tag in room) { at = room[tag]; break }
        }
        bytes[at] += $2
        sum += $2
    }
    END {
        for (r in bytes) { printf "%d\t%s\n", bytes[r], r }
        printf "%d\t(sum)\n", sum
    }' "$work/plan" - | sort -rn
