#!/bin/sh
# fuzz.sh [NAME...] -- each fuzzer over its corpus tests/fuzz/corpus/NAME, then FUZZ_SECONDS (default 4) of new inputs under
# libFuzzer; without clang the corpus only. New finds are not kept; a crash prints the input in base64. FUZZ_LEVEL=-O1 builds
# six times as long and runs twice as fast: right for an hour, wrong for seconds.
. "$(dirname "$0")/lib.sh"
[ -f "$header" ] || { fail "fuzz: there is no $header"; finish; }
seconds=${FUZZ_SECONDS:-4}
flags="-std=gnu99 $check -g ${FUZZ_LEVEL:--O0} -Wall -Wextra -Werror -I$include -I$tests"
checks="-fno-sanitize-recover=all -fsanitize=address,undefined"

replay() { # the plain program over the corpus, and over nothing
    name=$1 dir=$work/bin/$1.replay
    mkdir -p "$dir"
    "$CC" $flags $sanitize -DFUZZ_MAIN "$tests/fuzz/$name.c" -o "$dir/fuzz" -pthread || return 1
    : >"$dir/empty"
    cd "$dir" && limit 60 ./fuzz empty || return 1
    [ ! -d "$tests/fuzz/corpus/$name" ] || find "$tests/fuzz/corpus/$name" -type f -exec "$dir/fuzz" {} +
}
mutate() {
    name=$1 dir=$work/bin/$1.fuzz
    mkdir -p "$dir/found"
    clang $flags $checks,fuzzer "$tests/fuzz/$name.c" -o "$dir/fuzz" -pthread || return 1
    corpus=$tests/fuzz/corpus/$name
    [ -d "$corpus" ] || corpus=
    cd "$dir" || return 1
    limit $((seconds + 60)) ./fuzz -max_total_time="$seconds" -seed="${FUZZ_SEED:-1}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$dir/" found $corpus >report 2>&1
    status=$?
    [ "$status" = 0 ] || sed -n 's/^Base64: */the input in base64: /p' report
    cat report
    return $status
}

sanitize=
printf 'int main(void) { return 0; }\n' >"$work/probe.c"
if "$CC" $checks "$work/probe.c" -o "$work/probe" 2>/dev/null && "$work/probe"; then sanitize=$checks; else skip "fuzz: sanitizers" "$CC cannot link them"; fi
printf '#include <stddef.h>\n#include <stdint.h>\nint LLVMFuzzerTestOneInput(const uint8_t* d, size_t n) { (void)d; (void)n; return 0; }\n' >"$work/fuzzer.c"
libfuzzer=
if have clang && clang -fsanitize=fuzzer "$work/fuzzer.c" -o "$work/fuzzer" 2>/dev/null; then libfuzzer=1; else skip "fuzz: new inputs" "needs clang and its runtime (libFuzzer)"; fi

names=$*
if [ -z "$names" ]; then
    for source in "$tests"/fuzz/*.c; do [ ! -f "$source" ] || names="$names $(basename "$source" .c)"; done
fi
[ -n "$names" ] || skip "fuzz" "no tests/fuzz/*.c"
export ASAN_OPTIONS=print_legend=0
for name in $names; do
    if [ -n "$libfuzzer" ]; then
        job "fuzz: $name, its corpus and $seconds s of new inputs" mutate "$name"
        job "fuzz: $name as a plain program" "$CC" $flags -DFUZZ_MAIN -fsyntax-only "$tests/fuzz/$name.c"
    else
        job "fuzz: $name, its corpus" replay "$name"
    fi
    [ -d "$tests/fuzz/corpus/$name" ] || skip "fuzz: $name, its corpus" "no tests/fuzz/corpus/$name"
done
finish
