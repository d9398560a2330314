#!/bin/sh
# matrix.sh [HEADER] -- the public half alone and the implementation, silent under the full list of warnings as errors, for every
# compiler, language version and level of optimisation that is here. FULL=1: each with each.
[ -z "${1:-}" ] || HEADER=$1
. "$(dirname "$0")/lib.sh"
[ -f "$header" ] || { fail "matrix: there is no $header"; finish; }
cd "$work" || exit 2

printf '#include "telemetry.h"\n' >user.c
# The only use of the header in a file of C++20 style: a desc by designated initialisers, which g++ -Wextra would comment on.
cat >user20.cpp <<'END'
#include "telemetry.h"
tel_result start();
tel_result start() { return tel_init({ .service_name = "matrix", .no_thread = true }); }
END
printf '#define TELEMETRY_IMPLEMENTATION\n#include "telemetry.h"\n' >impl.c

number=0
cell() { # NAME FILE COMMAND...
    name=$1 file=$2; shift 2
    number=$((number + 1))
    job "matrix: $name" "$@" -I"$include" -c "$file" -o "$number.o"
}
both() { # NAME COMMAND...
    pair=$1; shift
    cell "$pair, public half" user.c "$@"
    cell "$pair, implementation" impl.c "$@"
}
here() { have "$1" || { skip "matrix: $1" "not installed"; return 1; }; }

# The first and the last version of a language with optimisation, on which some warnings stand; those between without.
levels_of() {
    if [ -n "${FULL:-}" ]; then echo "-O0 -O1 -O2 -O3 -Os"; return; fi
    case $1 in c99 | c2x | c++11 | c++20) echo -O2;; *) echo -O0;; esac
}
for compiler in gcc clang; do
    here $compiler || continue
    for std in c99 c11 c17 c2x; do
        for level in $(levels_of $std); do both "$compiler -std=$std $level" $compiler -std=$std $level $warn_c; done
    done
    for level in -O0 -Og -Os; do both "$compiler -std=gnu99 $level" $compiler -std=gnu99 $level $warn_c; done
    both "$compiler -std=c99 -O2 -DNDEBUG -fPIC -fvisibility=hidden -funsigned-char" \
        $compiler -std=c99 -O2 -DNDEBUG -fPIC -fvisibility=hidden -funsigned-char $warn_c
done
for compiler in g++ clang++; do
    here $compiler || continue
    for std in c++11 c++14 c++17 c++20; do
        for level in $(levels_of $std); do both "$compiler -std=$std $level" $compiler -x c++ -std=$std $level $warn_cxx; done
    done
    both "$compiler -std=c++11 -Os -fno-exceptions -fno-rtti" $compiler -x c++ -std=c++11 -Os -fno-exceptions -fno-rtti $warn_cxx
    cell "$compiler -std=c++20, designated initialisers" user20.cpp $compiler -std=c++20 -O2 $warn_cxx -Wno-missing-field-initializers
done

# 32 bits. Debian keeps asm/ with the 64-bit headers, where a 32-bit compiler does not look by itself.
printf '#include <stdlib.h>\nint main(void) { return 0; }\n' >probe.c
for compiler in gcc clang g++ clang++; do
    have $compiler || continue
    wide=
    [ ! -d /usr/include/x86_64-linux-gnu ] || wide="-isystem /usr/include/x86_64-linux-gnu"
    case $compiler in *++) language="-x c++ -std=c++17 $warn_cxx";; *) language="-std=c99 $warn_c";; esac
    if $compiler -m32 $wide probe.c -o probe32 2>/dev/null; then
        for level in -O0 -O2; do both "$compiler -m32 $level" $compiler -m32 $wide $level $language; done
    else
        skip "matrix: $compiler -m32" "no 32-bit libraries"
    fi
done
if here musl-gcc; then
    both "musl-gcc -std=c99 -O2" musl-gcc -std=c99 -O2 $warn_c
    both "musl-gcc -std=c11 -Os" musl-gcc -std=c11 -Os $warn_c
fi

# Other machines and systems, when their compilers are here. The system's own headers keep fewer promises there.
for compiler in aarch64-linux-gnu-gcc arm-linux-gnueabihf-gcc riscv64-linux-gnu-gcc s390x-linux-gnu-gcc powerpc64-linux-gnu-gcc; do
    if have $compiler; then both "$compiler -O2" $compiler -std=c99 -O2 $warn_c; fi
done
for compiler in x86_64-w64-mingw32-gcc i686-w64-mingw32-gcc; do
    if have $compiler; then both "$compiler -O2" $compiler -std=gnu99 -O2 -Wall -Wextra -Werror; fi
done
finish
