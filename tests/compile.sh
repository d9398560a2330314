#!/bin/sh
# compile.sh [HEADER] -- programs of several files, in C and C++, with other people's macros and with a header that is not ours.
[ -z "${1:-}" ] || HEADER=$1
. "$(dirname "$0")/lib.sh"
[ -f "$header" ] || { fail "compile: there is no $header"; finish; }
cd "$work" || exit 2
src=$tests/compile
both="-I$include -I$tests"
as_c="-std=gnu99 $warn_c $both"
as_cxx="-std=c++11 $warn_cxx $both"
as_cxx_impl="-x c++ -std=gnu++11 $warn_cxx $both"

several() { # NAME C-COMPILER C++-COMPILER impl-language
    dir=$1 c=$2 cxx=$3
    mkdir -p "$dir" && cd "$dir" || return 1
    $c $as_c -O1 -c "$src/a.c" && $c $as_c -O2 -c "$src/b.c" && $cxx $as_cxx -O1 -c "$src/cpp.cpp" || return 1
    if [ "$4" = c ]; then $c $as_c -O1 -c "$src/impl.c"; else $cxx $as_cxx_impl -O1 -c "$src/impl.c"; fi || return 1
    $cxx a.o b.o cpp.o impl.o -o several -pthread && limit "$LIMIT" ./several
}
program() { # NAME COMPILER FLAGS SOURCE...
    dir=$1 compiler=$2 flags=$3; shift 3
    mkdir -p "$dir" && cd "$dir" || return 1
    $compiler $flags -O1 "$@" -o program -pthread && limit "$LIMIT" ./program
}
object() { # FILE COMPILER FLAGS...
    file=$1; shift
    "$@" -O1 -c "$file" -o "object.$$.o"
}

pairs=
! have gcc || ! have g++ || pairs="gcc:g++"
! have clang || ! have clang++ || pairs="$pairs clang:clang++"
[ -n "$pairs" ] || [ -z "$CXX" ] || pairs="$CC:$CXX"
[ -n "$pairs" ] || skip "compile: several files in C and C++" "no C++ compiler"
for pair in $pairs; do
    c=${pair%:*} cxx=${pair#*:}
    job "compile: several files, implementation in C, $c" several "several.$c" $c $cxx c
    job "compile: several files, implementation in C++, $cxx" several "several.$cxx" $c $cxx cxx
    job "compile: scoped forms balance, $cxx" program "scoped.$cxx" $cxx "$as_cxx_impl" "$src/scoped.c"
    for off in "" -DTELEMETRY_OFF; do
        job "compile: other people's macros, $cxx $off" object "$src/pre_std.c" $cxx -x c++ -std=c++11 $warn_cxx $both $off
        job "compile: the keywords of Qt, $cxx $off" object "$src/pre_std.c" $cxx -x c++ -std=c++11 -DQT $warn_cxx $both $off
    done
done
compilers=$CC
! have gcc || ! have clang || compilers="gcc clang"
for c in $compilers; do
    job "compile: scoped forms balance, $c" program "scoped.$c" $c "$as_c" "$src/scoped.c"
    job "compile: scoped forms are repaired without cleanup, $c" program "no_cleanup.$c" $c "$as_c -DTEL_FORCE_NO_CLEANUP" "$src/scoped.c"
    for off in "" -DTELEMETRY_OFF; do
        job "compile: other people's macros, $c $off" object "$src/pre_std.c" $c -std=gnu99 $warn_c $both $off
    done
    job "compile: included twice, implementation last, $c" program "twice.$c" $c "$as_c" "$src/twice.c"
    job "compile: included twice, implementation first, $c" program "first.$c" $c "$as_c -DIMPLEMENTATION_FIRST" "$src/twice.c"
    job "compile: macros without the implementation, $c" program "macros.$c" $c "$as_c" "$src/macros_without_impl.c" "$src/only_impl.c"
done

# Beside <windows.h>, before and after, when a compiler for it is here. (The file with the implementation includes telemetry.h
# first: <winsock2.h> wants to come before <windows.h>.)
if have x86_64-w64-mingw32-gcc; then
    printf '#include <windows.h>\n#include "telemetry.h"\nint user(void);\nint user(void) { return (int)tel_flush(0); }\n' >windows_first.c
    printf '#include "telemetry.h"\n#include <windows.h>\nint user(void);\nint user(void) { return (int)tel_flush(0); }\n' >windows_last.c
    printf '#define TELEMETRY_IMPLEMENTATION\n#include "telemetry.h"\n#include <windows.h>\n' >windows_impl.c
    for file in windows_first windows_last windows_impl; do
        job "compile: $file, mingw" object "$work/$file.c" x86_64-w64-mingw32-gcc -std=gnu99 -Wall -Wextra -Werror $both
    done
else
    skip "compile: beside windows.h" "no x86_64-w64-mingw32-gcc"
fi

static_copies() {
    "$CC" $as_c -O1 -DNAME=copy_one -DMAIN -c "$src/static_copy.c" -o one.o &&
    "$CC" $as_c -O1 -DNAME=copy_two -c "$src/static_copy.c" -o two.o &&
    "$CC" one.o two.o -o static_copies -pthread && limit "$LIMIT" ./static_copies
}
job "compile: two private copies in one program" static_copies

doctored() { # NAME sed-program
    mkdir -p "$1" && cd "$1" || return 1
    sed "$2" "$header" >doctored.h
    ! cmp -s doctored.h "$header" || { echo "nothing was doctored: the header has changed its form"; return 1; }
    "$CC" $as_c -I. -O1 -c "$src/doctored.c" && "$CC" $as_c -O1 -c "$src/only_impl.c" &&
    "$CC" doctored.o only_impl.o -o program -pthread && limit "$LIMIT" ./program
}
job "compile: a header of another version is refused" doctored version 's/^\(#define TEL_VERSION_PATCH  *\)[0-9]*/\147/'
job "compile: a header of another layout is refused" doctored layout 's/^\( *uint32_t  *tel__canary_end;\)/    uint64_t tel__doctored[4];\n\1/'
finish
