#!/bin/sh
# examples.sh [NAME...] -- builds each example with the build line of its own first comment (plus the strict flags) and runs it.
#
# What it must print stands in tests/examples/NAME.expected, one extended regular expression per line, or else in the example's
# comment below a line "expected" (or "Expected output", "Expect:"), as literal text. In both a line `...` stands for any lines;
# in the comment also `...` inside a line for anything, and a line in parentheses for any lines. An example that needs somebody to
# talk to has a tests/examples/NAME.sh instead, which gets PROGRAM, the built program, and says what failed.
. "$(dirname "$0")/lib.sh"
[ -f "$header" ] || { fail "examples: there is no $header"; finish; }
mkdir -p "$work/tree"
cp "$header" "$work/tree/telemetry.h"
cp -R "$top/examples" "$work/tree/examples"
for name in $(env | sed -n 's/^\(OTEL_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
# Nobody listens there: the examples must be well without a Collector, and send nothing to one that runs here by chance.
export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9

# The first comment without its frame.
first_comment() {
    awk 'NR == 1 && /^\/\// { cxx = 1 }
        cxx { if ($0 !~ /^\/\//) { exit } sub(/^\/\/ ?/, ""); print; next }
        { last = /\*\//; sub(/\*\/.*/, ""); sub(/^ ?\/?\*+ ?/, ""); print; if (last) { exit } }' "$1"
}
# The build lines: what follows "build", and further lines that begin with a compiler.
build_lines() {
    first_comment "$1" | awk '
        /^ *[Bb]uild( line)?(:| ) */ { on = 1; sub(/^ *[Bb]uild( line)?:? */, ""); if ($0 != "") { print } next }
        on && /^ *(cc|c\+\+) / { sub(/^ */, ""); print; next }
        { on = 0 }'
}
# Regular expressions from the comment.
expected_lines() {
    first_comment "$1" | awk '
        !on && (/^ *([Ee]xpected|[Ee]xpected output|[Ee]xpect):? *$/ || /^ *[Ee]xpect(ed output)?: +[^ ]/) {
            on = 1
            match($0, /^ *[A-Za-z]+( output)?:? */)
            if (length($0) == RLENGTH) { next }
            indent = RLENGTH; print substr($0, RLENGTH + 1)
            next
        }
        !on { next }
        /^ *$/ { exit }
        { match($0, /^ */); if (!indent) { indent = RLENGTH } if (RLENGTH < indent) { exit } sub(/ +$/, ""); print substr($0, indent + 1) }' |
        sed -e 's/^(.*)$/.../' -e '/^\.\.\.$/b' -e 's/\.\.\./\
/g' -e 's/[][\\.*^$+?(){}|]/\\&/g' -e 's/\n/.*/g'
}
compare() { # EXPECTED OUTPUT
    awk '
    FNR == NR { want[++n] = $0; next }
    { have[++m] = $0; sub(/[ \r]+$/, "", have[m]) }
    END {
        j = 1; gap = 0
        for (i = 1; i <= n; i++) {
            if (want[i] == "...") { gap = 1; continue }
            for (at = j; gap && at <= m && have[at] !~ ("^(" want[i] ")$"); at++) { }
            if (at > m || have[at] !~ ("^(" want[i] ")$")) {
                printf "expected line %d: %s\n", i, want[i]
                printf "output line %d:   %s\n", j, j <= m ? have[j] : "(no more)"
                exit 1
            }
            j = at + 1; gap = 0
        }
        if (!gap && j <= m) { printf "more output than expected, line %d: %s\n", j, have[j]; exit 1 }
    }' "$1" "$2"
}

example() { # SOURCE
    source=$1 name=$2
    build_lines "$source" >"$work/$name.build"
    [ -s "$work/$name.build" ] || { echo "$source: its first comment has no line \"build cc ...\""; return 1; }
    place=$work/tree                        # where the build line is meant to be typed
    grep -q 'examples/' "$work/$name.build" || place=$work/tree/examples
    cd "$place" || return 1
    while read -r line; do
        case $line in
        *-lcurl*) try_compile "$CC" '#include <curl/curl.h>' || { echo "no curl/curl.h"; return 77; };;
        *-lz\ * | *-lz) try_compile "$CC" '#include <zlib.h>' || { echo "no zlib.h"; return 77; };;
        esac
        case $line in
        cc\ *) line="$CC $test_flags -g -O1 ${line#cc }";;
        c++\ *) [ -n "$CXX" ] || { echo "no C++ compiler"; return 77; }; line="$CXX $test_flags_cxx -Wno-missing-field-initializers -g -O1 ${line#c++ }";;
        esac
        echo "+ $line"
        eval "$line" || return 1
    done <"$work/$name.build"
    program=$place/$(sed -n 's/.* -o  *\([^ ]*\).*/\1/p' "$work/$name.build" | tail -n 1)
    dir=$work/bin/$name
    mkdir -p "$dir" && cd "$dir" || return 1
    if [ -f "$tests/examples/$name.sh" ]; then
        PROGRAM=$program limit "$LIMIT" sh "$tests/examples/$name.sh"
        return
    fi
    if [ -f "$tests/examples/$name.expected" ]; then cp "$tests/examples/$name.expected" want; else expected_lines "$source" >want; fi
    [ -s want ] || { echo "$source: no \"expected\" in its first comment, no tests/examples/$name.expected"; return 1; }
    limit "$LIMIT" "$program" >output 2>errors
    status=$?
    compare want output || status=1
    [ "$status" = 0 ] || { echo "exit $status; its output:"; head -n 40 output; echo "its diagnostics:"; head -n 10 errors; return 1; }
}

names=$*
if [ -z "$names" ]; then
    for source in "$top"/examples/*.c "$top"/examples/*.cpp "$top"/examples/*/; do
        case $source in
        */) [ ! -f "$tests/examples/$(basename "$source").sh" ] || names="$names $(basename "$source")";;
        *) [ ! -f "$source" ] || names="$names $(basename "${source%.*}")";;
        esac
    done
fi
[ -n "$names" ] || skip "examples" "no examples/*.c"
for name in $names; do
    if [ -d "$top/examples/$name" ]; then
        job "examples: $name" limit "$LIMIT" env CC="$CC" FLAGS="$test_flags" EXAMPLES="$work/tree/examples" sh "$tests/examples/$name.sh"
    else
        source=$work/tree/examples/$name.c
        [ -f "$source" ] || source=$work/tree/examples/$name.cpp
        job "examples: $name" example "$source" "$name"
    fi
done
finish
