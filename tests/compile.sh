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
returns() { # COMPILER FLAGS
    for level in -O1 -O2; do $1 $2 $level -c "$src/returns.c" -o "returns.$$.o" && $1 $2 $level -DTELEMETRY_OFF -c "$src/returns.c" -o "returns.$$.o" || return 1; done
}
program() { # NAME COMPILER FLAGS SOURCE...
    dir=$1 compiler=$2 flags=$3; shift 3
    mkdir -p "$dir" && cd "$dir" || return 1
    $compiler -O1 $flags "$@" -o program -pthread && limit "$LIMIT" ./program
}
object() { # FILE COMPILER FLAGS...
    file=$1; shift
    "$@" -c "$file" -o "object.$$.o"
}

# Lists of attributes in C++: what is stored lives (AddressSanitizer looks on), and what would not does not compile.
attrs() { # C-COMPILER C++-COMPILER
    mkdir -p "attrs.$2" && cd "attrs.$2" || return 1
    asan="-fsanitize=address,undefined -fsanitize-address-use-after-scope -fno-omit-frame-pointer"
    echo 'int main() { return 0; }' >probe.cpp
    if ! $2 $asan probe.cpp -o probe 2>/dev/null || ! ./probe; then echo "note: without AddressSanitizer"; asan=; fi
    $1 $as_c $asan -g -O0 -c "$src/only_impl.c" || return 1
    for std in c++11 c++14 c++17 c++20; do
        flags="-std=$std $warn_cxx -Wno-missing-field-initializers $both"
        case $std in c++11 | c++20) levels="-O0 -O2";; *) levels=;; esac
        for level in $levels; do
            $2 $flags $asan -g $level "$src/attrs.cpp" only_impl.o -o attrs -pthread && limit "$LIMIT" ./attrs >out 2>&1 ||
                { echo "$std $level"; cat out; return 1; }
        done
        $2 $flags -DINSIDE_EXTERN_C -fsyntax-only "$src/attrs.cpp" || return 1
        $2 $flags -DTELEMETRY_OFF "$src/attrs.cpp" -o off && ./off >out 2>&1 || { echo "off, $std"; cat out; return 1; }
        for form in 1 2 3 4 5; do
            ! $2 $flags -DDANGLING=$form -fsyntax-only "$src/attrs.cpp" 2>errors || { echo "$std takes the dangling list $form"; return 1; }
            grep -q -i 'attr_pack\|delete' errors || { echo "$std, list $form: refused for another reason"; cat errors; return 1; }
        done
    done
}

# A fraction that is added to whole numbers does not compile, in C and in C++; whole numbers of any type do.
fraction() { # COMPILER FLAGS...
    "$@" -DFRACTION=0 -fsyntax-only "$src/fraction.c" || return 1
    for form in 1 2 3 4; do
        ! "$@" -DFRACTION=$form -fsyntax-only "$src/fraction.c" 2>"fraction.$1" || { echo "fraction $form is taken"; return 1; }
        grep -q 'tel__fraction\|deleted' "fraction.$1" || { echo "fraction $form: refused for another reason"; cat "fraction.$1"; return 1; }
    done
}

# Callbacks that throw, into an implementation compiled as C and as C++.
throwing() { # C-COMPILER C++-COMPILER
    mkdir -p "throwing.$2" && cd "throwing.$2" || return 1
    $1 $as_c -g -O1 -c "$src/only_impl.c" -o c.o && $2 $as_cxx_impl -g -O1 -c "$src/only_impl.c" -o cxx.o || return 1
    for impl in c cxx; do
        $2 $as_cxx -g -O1 "$src/throwing.cpp" $impl.o -o throwing -pthread && limit "$LIMIT" ./throwing || { echo "implementation in $impl"; return 1; }
    done
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
    job "compile: lists of attributes in C++, $cxx" attrs $c $cxx
    job "compile: fractions are refused, $c" fraction $c $as_c
    job "compile: fractions are refused, $cxx" fraction $cxx -x c++ $as_cxx
    job "compile: callbacks that throw, $cxx" throwing $c $cxx
    for off in "" -DTELEMETRY_OFF; do
        job "compile: every function and macro in C++, $cxx $off" program "all.$cxx$off" $cxx "$as_cxx_impl -O0 $off" "$tests/api/all_functions.c"
    done
    job "compile: a block that returns ends its function, $cxx" returns $cxx "$as_cxx_impl"
    job "compile: scoped forms balance, $cxx" program "scoped.$cxx" $cxx "$as_cxx_impl" "$src/scoped.c"
    for off in "" -DTELEMETRY_OFF; do
        job "compile: other people's macros, $cxx $off" object "$src/pre_std.c" $cxx -x c++ -std=c++11 $warn_cxx $both $off
        job "compile: the keywords of Qt, $cxx $off" object "$src/pre_std.c" $cxx -x c++ -std=c++11 -DQT $warn_cxx $both $off
    done
done
# The public half and its macros under what strict projects ask for; the implementation promises the list of lib.sh and zstd's own.
strict="$warn -Wcast-align -Wstrict-aliasing=1 -Wswitch-enum -Wpointer-arith -Wformat=2 -Winit-self -Wfloat-equal -Wwrite-strings
    -Wredundant-decls -Wmissing-declarations -Wdouble-promotion -Wswitch-default -Wnull-dereference -Wunused-macros"
strict_c="-Wdeclaration-after-statement -Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes -Wbad-function-cast -Wc++-compat"
strict_cxx="-Wold-style-cast -Wzero-as-null-pointer-constant -Wextra-semi -Wnon-virtual-dtor -Woverloaded-virtual"
under_all() { # COMPILER FLAGS 'STANDARDS'
    for std in $3; do
        for off in "" -DTELEMETRY_OFF; do $1 -std=$std $strict $2 $both $off -O2 -c "$src/strict.c" -o "strict.$$.o" || return 1; done
    done
}
zstd="-Wall -Wextra -Wcast-qual -Wcast-align -Wshadow -Wstrict-aliasing=1 -Wswitch-enum -Wdeclaration-after-statement -Wstrict-prototypes
    -Wundef -Wpointer-arith -Wvla -Wformat=2 -Winit-self -Wfloat-equal -Wwrite-strings -Wredundant-decls -Wmissing-prototypes -Wc++-compat -Werror -O1"
for c in gcc clang; do ! have $c || job "compile: the implementation under the warnings of zstd, $c" object "$src/only_impl.c" $c -std=gnu99 $zstd $both; done
for c in gcc clang; do ! have $c || job "compile: strict warnings, on and off, $c" under_all $c "$strict_c" "c99 c11 c2x"; done
for c in g++ clang++; do
    ! have $c || job "compile: strict warnings, on and off, $c" under_all $c "-x c++ $strict_cxx" "c++11 c++14 c++17 c++20"
done

compilers=$CC
! have gcc || ! have clang || compilers="gcc clang"
for c in $compilers; do
    job "compile: a block that returns ends its function, $c" returns $c "$as_c"
    job "compile: scoped forms balance, $c" program "scoped.$c" $c "$as_c" "$src/scoped.c"
    job "compile: scoped forms are repaired without cleanup, $c" program "no_cleanup.$c" $c "$as_c -DTEL_FORCE_NO_CLEANUP" "$src/scoped.c"
    for off in "" -DTELEMETRY_OFF; do
        job "compile: other people's macros, $c $off" object "$src/pre_std.c" $c -std=gnu99 $warn_c $both $off
    done
    job "compile: included twice, implementation last, $c" program "twice.$c" $c "$as_c -O0" "$src/twice.c"
    job "compile: included twice, implementation first, $c" program "first.$c" $c "$as_c -O0 -DIMPLEMENTATION_FIRST" "$src/twice.c"
    job "compile: macros without the implementation, $c" program "macros.$c" $c "$as_c -O0" "$src/macros_without_impl.c" "$src/only_impl.c"
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

# copies COMPILER-OF-ONE COMPILER-OF-TWO: two private copies in one program, and a third one that is loaded and unloaded.
copy_of() { # COMPILER NAME FLAGS...
    compiler=$1 name=$2; shift 2
    case $compiler in *++*) lang=$as_cxx_impl;; *) lang=$as_c;; esac
    $compiler $lang -O0 -DNAME="$name" "$src/static_copy.c" "$@"
}
copies() {
    mkdir -p "copies.$1.$2" && cd "copies.$1.$2" || return 1
    "$CC" $as_c -O0 -DMAIN -c "$src/static_copy.c" -o main.o && copy_of "$1" copy_one -c -o one.o && copy_of "$2" copy_two -c -o two.o &&
    "$2" main.o one.o two.o -o copies -pthread -ldl || return 1
    [ -z "$loads" ] || copy_of "$1" copy_three -fPIC -shared -o ./three.so -pthread || return 1
    limit "$LIMIT" ./copies ${loads:+./three.so}
}
loads=
if echo 'int f(void); int f(void) { return 0; }' >"$work/so.c" && "$CC" -fPIC -shared "$work/so.c" -o "$work/so.so" 2>/dev/null; then loads=1; fi
job "compile: private copies in one program, C and C" copies "$CC" "$CC"
if [ -n "$CXX" ]; then
    job "compile: private copies in one program, C and C++" copies "$CC" "$CXX"
    job "compile: private copies in one program, C++ and C++" copies "$CXX" "$CXX"
fi

unload() {
    mkdir -p unload && cd unload || return 1
    "$CC" $as_c -O1 -DMODULE -fPIC -shared "$src/unload.c" -o module.so -pthread &&
    "$CC" $as_c -O1 "$src/unload.c" -o host -pthread -ldl || return 1
    for way in 0 1 2; do limit "$LIMIT" ./host ./module.so $way || { echo "left in way $way: $?"; return 1; }; done
    # glibc loads a library with the fast thread-local model later, too
    getconf GNU_LIBC_VERSION >/dev/null 2>&1 || return 0
    "$CC" $as_c -O1 -DMODULE -DTEL_TLS_MODEL='"initial-exec"' -fPIC -shared "$src/unload.c" -o fast.so -pthread &&
    limit "$LIMIT" ./host ./fast.so 2
}
if [ -n "$loads" ]; then
    job "compile: a module is unloaded before a thread that used it ends" unload
else
    skip "compile: unloading a module" "$CC makes no shared objects here"
fi

doctored() { # NAME sed-program
    mkdir -p "$1" && cd "$1" || return 1
    sed "$2" "$header" >doctored.h
    ! cmp -s doctored.h "$header" || { echo "nothing was doctored: the header has changed its form"; return 1; }
    "$CC" $as_c -I. -O0 -c "$src/doctored.c" && "$CC" $as_c -O0 -c "$src/only_impl.c" &&
    "$CC" doctored.o only_impl.o -o program -pthread && limit "$LIMIT" ./program
}
job "compile: a header of another version is refused" doctored version 's/^\(#define TEL_VERSION_PATCH  *\)[0-9]*/\147/'
job "compile: a header of another layout is refused" doctored layout 's/^\( *uint32_t  *tel__canary_end;\)/    uint64_t tel__doctored[4];\n\1/'
# Whichever struct has changed: the one that callbacks read, the one that they fill, the smallest one, or only the order of two.
job "compile: another tel_point is refused" doctored point 's/^\( *const void\* *tel__of;\)/    uint32_t tel__doctored;\n\1/'
job "compile: another tel_sink is refused" doctored sink '/^struct tel_sink {/,/^};/s/^\( *void\*  *user_data;\)/    void* tel__doctored;\n\1/'
job "compile: another tel_span_desc is refused" doctored span_desc '/^typedef struct tel_span_desc {/,/^}/s/^\( *const tel_scope\*  *scope;\)/\1\n    bool tel__doctored;/'
job "compile: another tel_writer is refused" doctored writer '/^typedef struct tel_writer {/s/$/\n    void* tel__doctored;/'
job "compile: another order of members is refused" doctored order '/^typedef struct tel_log_view {/,/^}/{s/^ *tel_attr body_value;/   /;s/^\( *tel_text body, event_name;\)/    tel_attr body_value;\n\1/;}'
finish
