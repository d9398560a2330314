#!/bin/sh
# hygiene.sh [HEADER] -- nothing leaks into the user's file or program: includes, macros, names, symbols, data.
[ -z "${1:-}" ] || HEADER=$1
. "$(dirname "$0")/lib.sh"
[ -f "$header" ] || { fail "hygiene: there is no $header"; finish; }
cd "$work" || exit 2

printf '#include "telemetry.h"\n' >user.c
printf '#define TELEMETRY_IMPLEMENTATION\n#include "telemetry.h"\n' >impl.c
gcc_like() { "$1" --version 2>/dev/null | grep -qiE 'gcc|free software foundation|clang'; }

"$CC" -std=gnu99 -I"$include" -fsyntax-only user.c 2>errors || { fail "hygiene: the public half does not compile"; indent <errors; finish; }

# expect_none NAME: passes when stdin is empty, else lists it.
expect_none() {
    cat >hits
    if [ -s hits ]; then fail "hygiene: $1"; indent <hits; else pass "hygiene: $1"; fi
}

# ---- includes: -H prints one dot per level; two dots are what telemetry.h itself includes
includes() {
    "$@" -H -I"$include" -fsyntax-only 2>&1 >/dev/null | sed -n 's/^\.\. [^.]*\/\([^/]*\)$/\1/p' | sort -u
}
expected="stdarg.h stdbool.h stddef.h stdint.h"
if gcc_like "$CC"; then
    found=$(includes "$CC" -std=c99 user.c | tr '\n' ' ')
    { [ "$found" = "$expected " ] || echo "found: $found"; } | expect_none "the public half includes stddef, stdint, stdbool, stdarg and nothing else"
    found=$(includes "$CC" -std=c99 -DTELEMETRY_OFF user.c | tr '\n' ' ')
    { [ "$found" = "$expected " ] || echo "found: $found"; } | expect_none "the same when switched off"
    if [ -n "$CXX" ]; then
        found=$(includes "$CXX" -std=c++11 -x c++ user.c | tr '\n' ' ')
        { [ "$found" = "$expected " ] || echo "found: $found"; } | expect_none "the same in C++"
    else
        skip "hygiene: includes in C++" "no C++ compiler"
    fi
else
    skip "hygiene: includes" "$CC does not know -H"
fi

# ---- macros: every #define and #undef that telemetry.h itself makes, by the line markers of -dD
macros() {
    "$@" -E -dD -I"$include" 2>/dev/null | awk '
    /^# [0-9]+ "/ { own = $3 ~ /telemetry\.h"$/ }
    own && /^# *(define|undef) / { name = $2; sub(/\(.*/, "", name); print $1, name }' | sort -u
}
macros "$CC" -std=gnu99 user.c >macros.user
macros "$CC" -std=gnu99 impl.c >macros.impl
[ -s macros.user ] || echo "none found" >>macros.user
grep -vE ' (TEL_|TELEMETRY_|tel_)' macros.user | expect_none "the public half makes no macro but TEL_ and TELEMETRY_"
# The implementation may ask the system headers for what it needs; such requests are not litter.
grep -vE ' (TEL_|TELEMETRY_|tel_|_GNU_SOURCE|_DARWIN_C_SOURCE|_POSIX_C_SOURCE|_DEFAULT_SOURCE|_NETBSD_SOURCE|WIN32_LEAN_AND_MEAN|NOMINMAX)' macros.impl |
    expect_none "nor does the implementation"
[ -z "$CXX" ] || macros "$CXX" -std=gnu++11 -x c++ user.c | grep -vE ' (TEL_|TELEMETRY_|tel_)' | expect_none "nor does the public half in C++"

# ---- names: types, fields aside, and enumerators of the public half, by the debug information
if have readelf && "$CC" -std=gnu99 -g -O0 -fno-eliminate-unused-debug-types -I"$include" -c user.c -o names.o 2>/dev/null; then
    readelf --debug-dump=info names.o 2>/dev/null | awk '
    /<[0-9a-f]+><[0-9a-f]+>: Abbrev/ {
        if (name != "" && tag ~ /typedef|structure_type|union_type|enumeration_type|variable|subprogram/ && depth == 1) { print tag, name, file }
        if (name != "" && tag == "enumerator") { print tag, name, owner }
        match($0, /<[0-9a-f]+>/); depth = substr($0, RSTART + 1, RLENGTH - 2) + 0
        tag = $0; sub(/.*DW_TAG_/, "", tag); sub(/\).*/, "", tag); name = ""; file = ""
    }
    /DW_AT_name/ { name = $NF }
    /DW_AT_decl_file/ { file = $NF; if (tag == "enumeration_type") { owner = file } }' >names.all
    number=$(readelf --debug-dump=rawline names.o 2>/dev/null | awk '/File Name Table/ { on = 1 } on && /telemetry\.h$/ { print $1; exit }')
    awk -v n="$number" '$NF == n && $2 !~ /^(tel_|TEL_)/ { print $1, $2 }' names.all | sort -u >names.bad
    awk -v n="$number" '$NF == n' names.all | grep -q . || echo "no name found: this check saw nothing" >>names.bad
    # Functions that are only declared leave no debug information; gcc lists them in another way.
    if "$CC" -std=gnu99 -I"$include" -aux-info names.aux -fsyntax-only user.c 2>/dev/null && [ -s names.aux ]; then
        sed -n 's/^.*telemetry\.h:[0-9]*:[A-Z]* \*\/ //p' names.aux | sed 's/ (.*//; s/.*[ *]//' | grep -v '^tel_' | sort -u | sed 's/^/function /' >>names.bad
    else
        skip "hygiene: names of public functions" "$CC has no -aux-info"
    fi
    expect_none "every public type, function and constant is tel_ or TEL_" <names.bad
else
    skip "hygiene: public names" "no readelf, or the compiler keeps no unused types"
fi

# ---- symbols and data of the object
if ! have nm || ! have readelf; then
    skip "hygiene: symbols" "no nm or readelf"
    finish
fi
if "$CC" -std=gnu99 -O1 -I"$include" -c impl.c -o impl.o 2>errors; then
    nm -g --defined-only impl.o | awk '{ print $NF }' | grep -vE '^_?tel_' | expect_none "the object exports tel_ symbols only"
    nm -g --defined-only impl.o | grep -cE ' _?tel_' >exported
    { [ "$(cat exported)" -gt 0 ] || echo "it exports nothing"; } | expect_none "and does export them"
    echo "note hygiene: $(cat exported) symbols exported"
    # Sections that stay writable: not the thread-local ones, not those that are read-only once relocated.
    readelf -SW impl.o | awk '{ sub(/^ *\[ */, ""); sub(/\]/, "") } $1 ~ /^[0-9]+$/ && $8 ~ /W/ && $8 !~ /T/ && $2 !~ /^\.data\.rel\.ro/ { print $1 }' >writable
    readelf -sW impl.o | awk 'FNR == NR { w[$1] = 1; next } $4 == "OBJECT" && ($7 in w || $7 == "COM") { print $8, $3 }' writable - | sort >globals
    readelf -sW impl.o | awk '$4 == "TLS" { print $8, $3 }' | sort >tls
    echo "note hygiene: writable globals: $(awk '{ printf "%s (%d bytes) ", $1, $2 } END { if (!NR) { printf "none" } }' globals)"
    echo "note hygiene: thread-local: $(awk '{ printf "%s (%d bytes) ", $1, $2 } END { if (!NR) { printf "none" } }' tls)"
    # The root; whether anything records; and what contexts need before tel_init and after tel_shutdown, when there is no root.
    grep -v -E '^tel__(root|recording|context_data|propagators) ' globals | expect_none "no writable globals but the four that are meant"
    { [ "$(grep -c '' tls)" -le 1 ] || cat tls; } | expect_none "at most one thread-local"
else
    fail "hygiene: the implementation does not compile"
    head -n 10 errors | indent
fi
finish
