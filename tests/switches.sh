#!/bin/sh
# switches.sh [HEADER] -- each compile-time switch does what it says, proven on the object file.
[ -z "${1:-}" ] || HEADER=$1
. "$(dirname "$0")/lib.sh"
[ -f "$header" ] || { fail "switches: there is no $header"; finish; }
cd "$work" || exit 2

printf '#define TELEMETRY_IMPLEMENTATION\n#include "telemetry.h"\nint tel_not_empty;\n' >impl.c
knows() { grep -q "\\b$1\\b" "$header"; }
compilers=
for tool in gcc clang; do if have "$tool"; then compilers="$compilers $tool"; else skip "switches: with $tool" "not installed"; fi; done
[ -n "$compilers" ] || compilers=$CC

# ---- TELEMETRY_OFF: the instrumented function and its plain twin are the same instructions, and nothing else is left
instructions() { # OBJECT FUNCTION
    objdump -d --no-show-raw-insn "$1" | sed -n "/<$2>:\$/,/^\$/p" | sed 's/^ *[0-9a-f]*:[[:space:]]*//; s/<[^>]*>//g; s/ [0-9a-f]* *$//; /^[0-9a-f]* *:*$/d'
}
calls() { objdump -dr "$1" | sed -n "/<$2>:\$/,/^\$/p" | sed -n 's/.*R_[A-Z0-9_]*[[:space:]]*//p' | grep -v '^\.' | sort; }
off_twins() {
    compiler=$1 level=$2 language=$3 id=$1$2
    flags="$language $level $warn -DTELEMETRY_OFF"
    "$compiler" $flags -I"$include" -c "$tests/compile/off_twin.c" -o "on.$id.o" || return 1
    "$compiler" $flags -I"$include" -DPLAIN -c "$tests/compile/off_twin.c" -o "plain.$id.o" || return 1
    for function in verbs straight leaving looped; do
        for which in on plain; do
            instructions "$which.$id.o" $function >"$which.$id.s"
            calls "$which.$id.o" $function >"$which.$id.calls"
        done
        have=$(grep -c '' "on.$id.s") want=$(grep -c '' "plain.$id.s")
        [ "$want" -gt 5 ] && grep -q price "plain.$id.calls" || { echo "$function: nothing to compare"; return 1; }
        diff "plain.$id.calls" "on.$id.calls" || { echo "$function: other calls"; return 1; }
        if [ $function = leaving ] || [ $function = looped ]; then
            [ "$have" -le $((want + 2)) ] || { echo "$function: $have instructions, plain $want"; return 1; }
        else
            diff "plain.$id.s" "on.$id.s" || { echo "$function: other instructions"; return 1; }
        fi
    done
    if nm "on.$id.o" | grep -E ' _?tel_'; then echo "telemetry symbols are left"; return 1; fi
}
if have objdump && have nm; then
    for compiler in $compilers; do
        for level in -O1 -O2 -Os; do job "switches: TELEMETRY_OFF leaves the plain instructions, $compiler $level" off_twins "$compiler" "$level" -std=c99; done
    done
    for compiler in g++ clang++; do
        ! have "$compiler" || job "switches: TELEMETRY_OFF leaves the plain instructions, $compiler -O2" off_twins "$compiler" -O2 "-x c++ -std=c++11"
    done
else
    skip "switches: TELEMETRY_OFF instructions" "no objdump or nm"
fi

# without NAME FLAGS 'ERE of symbols': compiled so, the object neither defines nor asks for any of them, while the object
# compiled without FLAGS does (else the check would prove nothing).
without() {
    "$CC" -std=gnu99 -O1 -Wall -Wextra -Werror -I"$include" $1 -c impl.c -o "without.$3.o" || return 1
    "$CC" -std=gnu99 -O1 -I"$include" -c impl.c -o "with.$3.o" || return 1
    nm "with.$3.o" | awk '{ print $NF }' | sed 's/@.*//' | grep -qE "^_?($2)\$" || { echo "the full object has none of $2 either"; return 1; }
    ! nm "without.$3.o" | awk '{ print $NF }' | sed 's/@.*//' | grep -E "^_?($2)\$"
}
# Only the default and the names of types lead to sinks that the program does not use; types can be added by hand.
one_sink() {
    cat >one_sink.c <<'END'
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <string.h>
static tel_result console(tel_sink* out, const tel_settings* settings, void* user_data) {
    (void)settings; (void)user_data;
    *out = tel_sink_memory((tel_memory*)user_data);
    return TEL_OK;
}
static void quiet(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)item; (void)message; (void)line; (void)user_data;
}
int main(void) {
    static tel_memory memory;
    tel_sink_type type = { "console", console, &memory };
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.diag.report_fn = quiet;
    if (tel_init(&d) != TEL_ERR_ARGUMENT) { return 1; }         /* there is no default */
    d.exporters = "console";
    if (tel_init(&d) != TEL_ERR_ARGUMENT) { return 1; }
    return tel_sink_type_add(&type) != TEL_OK || tel_init(&d) != TEL_OK || tel_shutdown(1000) != TEL_OK;
}
END
    lean="-std=gnu99 -O1 -ffunction-sections -fdata-sections -Wl,--gc-sections -I$include one_sink.c -pthread"
    others='tel__(otlp|sink_http|page|server|service|ingest|sink_text)_[a-z0-9_]+'
    "$CC" -DTEL_NO_SINK_TYPES $lean -o one_sink && "$CC" $lean -o named_sinks || return 1
    nm named_sinks | grep -qE " $others\$" || { echo "with the names there is none of $others either"; return 1; }
    ! nm one_sink | grep -E " $others\$" && limit 60 ./one_sink
}
# A linked program that uses none of the rooms which three switches leave out has nothing of them, nor of those that only they call.
three_rooms() {
    cat >three_rooms.c <<'END'
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <string.h>
int main(void) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.service_name = "switches";
    TEL_SPAN(span, "work") { tel_span_set(span, tel_int("items", 3)); }
    if (tel_init(&d) != TEL_OK) { return 1; }
    (void)tel_shutdown(100);            /* nobody listens */
    return 0;
}
END
    lean="-std=gnu99 -O2 -ffunction-sections -fdata-sections -Wl,--gc-sections -I$include three_rooms.c -pthread"
    "$CC" $lean -o all_rooms && "$CC" -DTEL_NO_CONFIG_FILE -DTEL_NO_INGEST -DTEL_NO_PROTOBUF $lean -o three_rooms || return 1
    for room in config_file config_part ingest service settings_json otlp_protobuf definition query; do
        nm all_rooms | grep -q " tel__${room}_" || { echo "without switches there is nothing of $room either"; return 1; }
        ! nm three_rooms | grep " tel__${room}_" || return 1
    done
    OTEL_CONFIG_FILE=absent.json limit 60 ./three_rooms 2>three_rooms.said || { echo "a variable that has no effect is an error"; return 1; }
    grep -q 'without effect.*OTEL_CONFIG_FILE' three_rooms.said && ! OTEL_CONFIG_FILE=absent.json limit 60 ./all_rooms 2>/dev/null
}
exports_nothing() {
    printf '#define TELEMETRY_IMPLEMENTATION\n#include "telemetry.h"\nint use(void);\nint use(void) { return (int)tel_flush(0); }\n' >static.c
    "$CC" -std=gnu99 -O1 $warn_c -I"$include" -DTELEMETRY_STATIC -c static.c -o static.o || return 1
    ! nm -g static.o | grep -E ' _?tel_'
}
off_is_empty() {
    "$CC" -std=gnu99 -O0 $warn_c -I"$include" -DTELEMETRY_OFF -c impl.c -o off.o || return 1
    ! nm off.o | grep -vE ' tel_not_empty$' | grep .
}
if have nm; then
    job "switches: TELEMETRY_OFF leaves nothing of the implementation" off_is_empty
    job "switches: TELEMETRY_STATIC exports no tel_ symbol" exports_nothing
    job "switches: TEL_NO_HTTP has no socket" without -DTEL_NO_HTTP 'socket|connect|getaddrinfo|bind|listen|accept|accept4|send|recv' http
    job "switches: TEL_NO_OPENMETRICS has no OpenMetrics" without -DTEL_NO_OPENMETRICS 'tel__openmetrics_(accept|escape|put_code|format|parameter)' openmetrics
    job "switches: TEL_NO_PROTOBUF has no protobuf" without -DTEL_NO_PROTOBUF 'tel__otlp_protobuf_[a-z0-9_]+' protobuf
    job "switches: TEL_NO_INGEST has no ingest" without -DTEL_NO_INGEST 'tel__ingest_[a-z0-9_]+' ingest
    job "switches: TEL_NO_CONFIG_FILE has no configuration file" without -DTEL_NO_CONFIG_FILE \
        'tel__config_file_(sinks|metrics|resource|exporters)' config_file
    job "switches: without the configuration file and ingest nothing reads JSON into settings" \
        without "-DTEL_NO_CONFIG_FILE -DTEL_NO_INGEST" 'tel__settings_json_[a-z0-9_]+' settings_json
    job "switches: without the configuration file, ingest and protobuf a program has nothing of their rooms" three_rooms
    job "switches: with TEL_NO_SINK_TYPES a program holds only the sinks it uses" one_sink
    for pair in 'TEL_NO_THREADS:pthread_create' 'TEL_NO_STDIO:fopen|fputs|fwrite|fprintf|vfprintf|printf|puts'; do
        switch=${pair%%:*}
        if knows "$switch"; then job "switches: $switch has none of ${pair#*:}" without "-D$switch" "${pair#*:}" "$switch"; fi
    done
else
    skip "switches: symbols" "no nm"
fi

# ---- with the optional libraries: compile without a warning, link, run
optional() {
    cat >"with_$1.c" <<'END'
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <string.h>
int main(void) {
    tel_desc d;
    tel_result r;
    memset(&d, 0, sizeof d);
    d.service_name = "switches";
    r = tel_init(&d);
    (void)tel_shutdown(100);
    return r == TEL_OK ? 0 : 1;
}
END
    shift_name=$1; shift
    "$CC" -std=gnu99 -O1 $warn_c -I"$include" "with_$shift_name.c" -o "with_$shift_name" "$@" -pthread || return 1
    limit 60 "./with_$shift_name"
}
has_curl= has_zlib=
if try_compile "$CC" '#include <curl/curl.h>'; then has_curl=1; fi
if try_compile "$CC" '#include <zlib.h>'; then has_zlib=1; fi
job "switches: none of the libraries" optional plain
if [ -n "$has_curl" ]; then job "switches: TELEMETRY_CURL" optional curl -DTELEMETRY_CURL -lcurl; else skip "switches: TELEMETRY_CURL" "no curl/curl.h"; fi
if [ -n "$has_zlib" ]; then job "switches: TELEMETRY_ZLIB" optional zlib -DTELEMETRY_ZLIB -lz; else skip "switches: TELEMETRY_ZLIB" "no zlib.h"; fi
if [ -n "$has_curl$has_zlib" ] && [ "$has_curl" = "$has_zlib" ]; then
    job "switches: TELEMETRY_CURL and TELEMETRY_ZLIB" optional both -DTELEMETRY_CURL -DTELEMETRY_ZLIB -lcurl -lz
fi

# ---- the fallbacks, which no machine here would take of itself, under the tests of the rooms they touch
forced() {
    macro=$1 test=$2
    build_run "$macro.$(basename "$test" .c)" "$test" -O1 "-D$macro"
}
for pair in TEL_FORCE_LOCKED_ATOMICS:rooms/atomics TEL_FORCE_LOCKED_ATOMICS:rooms/ring TEL_FORCE_LOCKED_ATOMICS:rooms/metrics \
            TEL_FORCE_LOCKED_ATOMICS:rooms/spans TEL_FORCE_LOCKED_ATOMICS:api/threads TEL_FORCE_LOCKED_ATOMICS:api/lifecycle \
            TEL_FORCE_LOCKED_ATOMICS:api/fork TEL_FORCE_NO_TICKS:rooms/clock TEL_FORCE_NO_TICKS:api/lifecycle \
            TEL_FORCE_NO_INT128:rooms/text TEL_FORCE_NO_INT128:rooms/clock; do
    macro=${pair%%:*} test=$tests/${pair#*:}.c
    if knows "$macro" && [ -f "$test" ]; then job "switches: $macro, ${pair#*:}" forced "$macro" "$test"; fi
done
for macro in $(grep -oE '\bTEL_FORCE_[A-Z0-9_]+' "$header" | sort -u); do
    job "switches: $macro compiles without a warning" "$CC" -std=gnu99 -O2 $warn_c "-D$macro" -I"$include" -c impl.c -o "$macro.o"
done
finish
