#!/bin/sh
# prefix.sh [HEADER] -- a room calls only rooms above it. Every prefix of the implementation must compile, and apart from what
# the public half's own inline functions call it may leave no tel_ symbol for a later room to define.
[ -z "${1:-}" ] || HEADER=$1
. "$(dirname "$0")/lib.sh"
[ -f "$header" ] || { fail "prefix: there is no $header"; finish; }

# Static functions that nobody calls are kept where the compiler can, so that what they call is seen too.
keep=
printf 'int x;\n' >"$work/keep.c"
for flag in -fkeep-static-functions; do
    if "$CC" -Werror $flag -c "$work/keep.c" -o "$work/keep.o" 2>/dev/null; then keep=$flag; fi
done
have nm || skip "prefix: calls to public functions further down" "no nm"
[ -n "$keep" ] || skip "prefix: calls to public functions further down" "$CC has no -fkeep-static-functions"

# cut ROOM: everything before its banner, with the conditions that are open there closed.
cut_before() {
    awk -v stop="$1" '
    $0 ~ "^/\\* ==== " stop " >>" { cut = 1; exit }
    { print }
    /^ *# *if/ { depth++ }
    /^ *# *endif/ { depth-- }
    END { if (cut) { while (depth-- > 0) { print "#endif" } } }' "$header"
}
undefined() { nm -u "$1" | awk '$NF ~ /^_?tel_/ { print $NF }' | sort; }

prefix() {
    dir=$work/bin/$1
    mkdir -p "$dir"
    cut_before "$1" >"$dir/cut.h"
    printf '#define TELEMETRY_IMPLEMENTATION\n#include "cut.h"\nint tel_cut_is_not_empty;\n' >"$dir/cut.c"
    "$CC" -std=gnu99 -O0 -Wall -Wextra -Werror $keep -I"$dir" -c "$dir/cut.c" -o "$dir/cut.o" || return 1
    if [ -n "$keep" ] && have nm; then
        undefined "$dir/cut.o" >"$dir/undefined"
        [ "$1" = R01 ] || comm -13 "$work/bin/R01/undefined" "$dir/undefined" | sed 's/^/FAIL calls further down: /' | tee "$dir/hits"
        [ ! -s "$dir/hits" ] || return 1
    fi
}

rooms=$(sed -n 's|^/\* ==== \(R[0-9][0-9][a-z]*\) >>.*|\1|p' "$header")
[ -n "$rooms" ] || fail "prefix: no room found"
prefix R01 >"$work/first" 2>&1 || { fail "prefix: the public half alone"; indent <"$work/first"; finish; }
pass "prefix: the public half alone"
for room in $rooms; do
    [ "$room" = R01 ] || job "prefix: everything before $room" prefix "$room"
done
job "prefix: the whole" prefix END
finish
