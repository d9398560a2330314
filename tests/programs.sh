#!/bin/sh
# programs.sh rooms|api|promises|sanitizers|targets -- the test programs in C: of the rooms, of the public functions; of the
# promises, one figure each (PROMISES=full takes their full lengths and bounds); the first two under the sanitizers, and for
# other targets (32 bits, musl, arm64, another byte order) where those can be built and run here. An emulator on x86 reorders
# no memory accesses as a real arm64 may: what that run tests is the code made for it.
. "$(dirname "$0")/lib.sh"
which=${1:-rooms}
[ -f "$header" ] || { fail "$which: there is no $header"; finish; }

programs() { # FOLDER...
    for folder in "$@"; do
        for source in "$tests/$folder"/*.c; do [ ! -f "$source" ] || echo "$source"; done
    done
}
# A test whose first line is the comment "flags: ..." needs them, such as a library; where they cannot be had it is skipped.
flags_of() { sed -n '1s|^/[*] flags: \(.*\) [*]/.*|\1|p' "$1"; }
title() { echo "$(basename "$(dirname "$1")")/$(basename "$1" .c)"; }

# Tests of the public functions need not compile the implementation each: one object serves all that set nothing of their own and
# see nothing private. object ID COMPILER FLAGS makes it; source_of ID SOURCE DIR prints what to compile, and the object for it.
object() {
    mkdir -p "$work/objects"
    printf '#define TELEMETRY_IMPLEMENTATION\n#include "telemetry.h"\n' >"$work/objects/$1.c"
    $2 -std=gnu99 -w $check $3 -I"$include" -c "$work/objects/$1.c" -o "$work/objects/$1.o.part" 2>/dev/null &&
        mv "$work/objects/$1.o.part" "$work/objects/$1.o"
}
source_of() {
    if [ -f "$work/objects/$1.o" ] && [ -z "$(flags_of "$2")" ] && [ "$(grep -c '^# *define TEL' "$2")" = 1 ] &&
       grep -q '^#define TELEMETRY_IMPLEMENTATION$' "$2" && ! grep -q -i 'tel__\|TEL_NO_\|tel_get_instance()->' "$2"; then
        { printf '#line 1 "%s"\n' "$2"; sed 's/^#define TELEMETRY_IMPLEMENTATION$//' "$2"; } >"$3/test.c"
        echo "$3/test.c -I$(dirname "$2") $work/objects/$1.o"
    else
        echo "$2"
    fi
}

# run_as ID COMPILER FLAGS RUNNER SOURCE: for other compilers and targets; the stages rooms, api and matrix see to warnings.
run_as() {
    id=$1 compiler=$2 flags=$3 runner=$4 source=$5 own=$(flags_of "$5")
    [ -z "$own" ] || { works "$compiler" "$flags" "$runner" "$own" "$source" || { echo "needs $own"; return 77; }; }
    dir=$work/bin/$id.$(basename "$source" .c)
    mkdir -p "$dir"
    $compiler -std=gnu99 -w $check $flags -I"$include" -I"$tests" $(source_of "$id" "$source" "$dir") -o "$dir/test" $own -pthread || return 1
    cd "$dir" && limit "$LIMIT" $runner ./test
}

run_program() { # SOURCE FLAGS...
    source=$1 dir=$work/bin/$(basename "$1" .c)
    shift
    mkdir -p "$dir"
    compile_c "$dir/test" $(source_of api "$source" "$dir") "$@" || return 1
    cd "$dir" && limit "$LIMIT" ./test
}

# child_threads COMPILER FLAGS RUNNER: can the child of a fork make a thread when its parent had some? Under qemu-user 7 it cannot:
# an assertion of the emulator's ends it, for want of nothing but fork and pthread_create.
child_threads() {
    try=$(mktemp -d "$work/child.XXXXXX")
    cat >"$try/child.c" <<'END'
#include <pthread.h>
#include <unistd.h>
#include <sys/wait.h>
static void* rest(void* arg) { usleep(200000); return arg; }
int main(void) {
    pthread_t a, b;
    int status = -1;
    pid_t pid;
    if (pthread_create(&a, 0, rest, 0) != 0) { return 2; }
    pid = fork();
    if (pid == 0) { alarm(10); _exit(pthread_create(&b, 0, rest, 0) != 0 || pthread_join(b, 0) != 0); }
    waitpid(pid, &status, 0);
    return status != 0;
}
END
    $1 $2 "$try/child.c" -o "$try/child" -pthread 2>/dev/null && (cd "$try" && limit 30 $3 ./child >/dev/null 2>&1)
}

persist() { # TRIES COMMAND...
    tries=$1
    shift
    while :; do
        "$@"
        code=$?
        tries=$((tries - 1))
        case $code:$tries in 0:* | 77:* | *:0) return $code;; esac
    done
}

# works COMPILER FLAGS RUNNER [LIBRARIES SOURCE]: can a program be built so and run, one that includes the system headers of SOURCE?
works() {
    try=$(mktemp -d "$work/works.XXXXXX")
    printf '#include <stdio.h>\n#include <pthread.h>\n' >"$try/works.c"
    [ -z "${5:-}" ] || grep '^#include <' "$5" >>"$try/works.c"
    echo 'int main(void) { return puts("hello") < 0; }' >>"$try/works.c"
    $1 $2 "$try/works.c" -o "$try/works" ${4:-} -pthread 2>/dev/null && $3 "$try/works" >/dev/null 2>&1
}

case $which in
rooms | api | promises)
    [ -n "$(programs "$which")" ] || skip "$which" "no tests/$which/*.c"
    [ "$which" != api ] || object api "$CC" -O1
    for source in $(programs "$which"); do
        own=$(flags_of "$source")
        if [ -n "$own" ] && ! works "$CC" "" "" "$own" "$source"; then skip "$(title "$source")" "needs $own"; continue; fi
        job_checks "$(title "$source")" run_program "$source" -O1 $own
        [ "${PROMISES:-}" != full ] || wait         # one at a time: they measure
    done
    if [ -f "$tests/$which/all_functions.c" ]; then
        job_checks "$which/all_functions, switched off" build_run all_functions.off "$tests/$which/all_functions.c" -O1 -DTELEMETRY_OFF
        job_checks "$which/all_functions, -O2, private copy" build_run all_functions.static "$tests/$which/all_functions.c" -O2 -DTELEMETRY_STATIC
    fi
    ;;
sanitizers)
    LIMIT=${SANITIZER_LIMIT:-300}
    export ASAN_OPTIONS=print_legend=0:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:detect_leaks=1
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 MSAN_OPTIONS=halt_on_error=1
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:die_after_fork=0
    # Without optimisation where it does not matter: the same checks, built in a fifth of the time.
    base="-g -fno-omit-frame-pointer -fno-sanitize-recover=all"
    asan="$base -O0 -fsanitize=address,undefined" tsan="$base -O1 -fsanitize=thread" msan="$base -O0 -fsanitize=memory"
    kinds= asan_compiler=
    for compiler in clang "$CC"; do
        if [ -z "$asan_compiler" ] && have "$compiler" && works "$compiler" "$asan" ""; then asan_compiler=$compiler kinds="$kinds asan"; fi
    done
    [ -n "$asan_compiler" ] || skip "sanitizers: address, undefined" "no compiler here can link them"
    if works "$CC" "$tsan" ""; then kinds="$kinds tsan"; else skip "sanitizers: thread" "$CC cannot link it"; fi
    if have clang && works clang "$msan" ""; then kinds="$kinds msan"; else skip "sanitizers: memory" "needs clang and its runtime"; fi
    for kind in $kinds; do
        case $kind in
        asan) compiler=$asan_compiler flags=$asan folders="api rooms" name="address and undefined";;
        tsan) compiler=$CC flags=$tsan folders="api rooms" name="thread";;
        msan) compiler=clang flags="$msan -include $tests/compile/no_getrandom.h" folders="rooms" name="memory";;
        esac
        case $folders in *api*) object "$kind" "$compiler" "$flags";; esac
        for source in $(programs $folders); do
            # Where nothing starts a thread there is no race.
            [ "$kind" != tsan ] || grep -q 'pthread_create\|tel__thread_start\|tel_init' "$source" || continue
            case "$kind $source" in
            # Before LLVM 18 AddressSanitizer's own allocator is not safe in the child of a fork that met another thread
            # inside it: the child hangs in it now and then, so one run of three has to pass. What the header does wrong only
            # sometimes could hide here; all other builds of this test have one try.
            "asan "*/api/fork.c) tries=3;;
            *) tries=1;;
            esac
            job "sanitizers: $name, $(title "$source")" persist $tries run_as "$kind" "$compiler" "$flags" "" "$source"
        done
    done
    ;;
targets)
    wide= native_limit=$LIMIT
    [ ! -d /usr/include/x86_64-linux-gnu ] || wide="-isystem /usr/include/x86_64-linux-gnu"
    target() { # NAME COMPILER FLAGS RUNNER FOLDERS WHAT-IS-MISSING
        if works "$2" "$3" "$4"; then
            build=$3 LIMIT=$native_limit
            if [ -n "$4" ]; then            # an emulator: the same tests, with more time
                # Of its own locks, GLib's in g_slice_alloc is not free in the child of a fork that met a thread inside it.
                export G_SLICE=always-malloc
                build="$build -DPATIENCE=4" LIMIT=$((native_limit * 4))
                child_threads "$2" "$3" "$4" || {
                    build="$build -DCHILD_THREADS=0"
                    skip "targets: $1, threads made in the child of a fork" "$4 breaks there, also a program without telemetry.h"
                }
            fi
            case $5 in *api*) object "$1" "$2" "$build";; esac
            for source in $(programs $5); do job "targets: $1, $(title "$source")" run_as "$1" "$2" "$build" "$4" "$source"; done
        else
            skip "targets: $1" "$6"
        fi
    }
    # The longest first, so that they do not run alone at the end.
    target 32-bit "gcc -m32 $wide" -O1 "" "api rooms" "needs gcc-12-multilib"
    target musl musl-gcc "-O0 -static" "" "api rooms" "needs musl-tools"
    target arm64 aarch64-linux-gnu-gcc "-O1 -static" qemu-aarch64 "api rooms" "needs gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
    target s390x s390x-linux-gnu-gcc "-O1 -static" qemu-s390x "rooms" "big endian: needs gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user"
    ;;
*)
    echo "programs.sh rooms|api|promises|sanitizers|targets"; exit 2;;
esac
finish
