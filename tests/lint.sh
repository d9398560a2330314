#!/bin/sh
# lint.sh [HEADER [ALL_FUNCTIONS.c]] -- the house rules of telemetry.h that awk can see. Each rule counts as one test;
# what breaks it is listed as line: text. `lint.sh --rooms` also prints how long each room is.
show_rooms=
if [ "${1:-}" = --rooms ]; then show_rooms=1; shift; fi
[ -z "${1:-}" ] || HEADER=$1
. "$(dirname "$0")/lib.sh"
all_functions=${2:-$tests/api/all_functions.c}
[ -f "$header" ] || { fail "lint: there is no $header"; finish; }

# code: ROOM <tab> LINE <tab> the line without comments and without the insides of strings.
# raw:  the same with the line as it stands. Before the first banner the room is M.
awk -v raw="$work/raw" -v code="$work/code" '
BEGIN { room = "M" }
function strip(s,    out, c) {
    out = ""
    while (s != "") {
        if (inside) {
            c = index(s, "*/")
            if (!c) { return out }
            inside = 0; s = substr(s, c + 2); out = out " "
            continue
        }
        if (!match(s, /["\047\/]/)) { return out s }
        out = out substr(s, 1, RSTART - 1)
        s = substr(s, RSTART)
        c = substr(s, 1, 1)
        if (c == "/") {
            if (substr(s, 2, 1) == "*") { inside = 1; s = substr(s, 3) }
            else if (substr(s, 2, 1) == "/") { return out }
            else { out = out c; s = substr(s, 2) }
            continue
        }
        s = substr(s, 2)
        while (s != "" && substr(s, 1, 1) != c) { s = substr(s, substr(s, 1, 1) == "\\" ? 3 : 2) }
        out = out c c; s = substr(s, 2)
    }
    return out
}
{
    if ($0 ~ /^\/\* ==== (P|R)[0-9]+[a-z]* >>[a-z0-9_+]+ =+/) { room = $3 }
    printf "%s\t%d\t%s\n", room, NR, $0 > raw
    text = strip($0)
    # a definition in parentheses, which keeps the macro of that name away
    if (match(text, /^TEL_API [a-z_]+ \(tel_[a-z_]+\)/)) {
        defined = substr(text, 1, RLENGTH); gsub(/[()]/, "", defined); text = defined substr(text, RLENGTH + 1)
    }
    printf "%s\t%d\t%s\n", room, NR, text > code
}' "$header"

# rule NAME: passes when stdin is empty.
rule() {
    cat >"$work/hits"
    if [ -s "$work/hits" ]; then
        fail "lint: $1 ($(grep -c '' <"$work/hits"))"
        head -n 40 "$work/hits" | indent
    else
        pass "lint: $1"
    fi
}
# rooms_of NAME...: their numbers, as the banners have them.
rooms_of() { for name in "$@"; do sed -n "s|^/\\* ==== \\(R[0-9][0-9][a-z]*\\) >>$name =.*|\\1|p" "$header"; done | tr '\n' ' '; }
# code_rule NAME 'ROOMS allowed' 'ERE': the pattern may stand in the code of the allowed rooms only.
code_rule() {
    awk -F '\t' -v allowed=" $2 " -v pattern="$3" '
        { text = $0; sub(/^[^\t]*\t[^\t]*\t/, "", text) }
        index(allowed, " " $1 " ") == 0 && text ~ pattern { printf "%s:%d: %s\n", $1, $2, text }' "$work/code" | rule "$1"
}

# The rooms of the implementation in their order, the tags that private names of each carry, and its budget in lines. A room
# over its budget fails; move a budget in the commit that says why.
cat >"$work/plan" <<'END'
platform      platform            610
atomics       atomic              230
threads       thread              460
clock         clock               220
ids           id                   90
memory        memory              420
text          text                482
numbers       number              360
json          json                306
arrays        array               240
writers       writer              160
diag          diag                340
settings      settings            321
settings_json settings_json       340
callbacks     callback            290
attrs         attr                450
redaction     redaction           260
scopes        scope,scopes        320
ring          ring                445
registry      registry            260
context_data  context_data        290
tracestate    tracestate          172
baggage       baggage             210
context       context             300
exponential   exponential         280
aggregation   aggregation,histogram 605
views         view                150
keys          key,keys            160
exemplars     exemplar,exemplars  220
streams       stream,metric,series  1000
forms         form                 85
derived       derived             290
sites         site                190
cardinality   cardinality          110
recording     instrument,observer   856
taken         taken,removal       360
reuse         reuse               160
collect       collect             676
sampling      sampling            330
spans         span                700
span_starts   span_ids,span_own,span_decide,span_adapt,span_share,span_pool,span_put_name,span_open,span_carry,span_asks,span_ask,span_fill,span_make,span_pack,span_finish,span_unwind,span_repair,span_pop,span_restart,span_empty 380
span_views    span_view           170
propagation   propagation         420
propagators   propagators         425
formats       format              400
logs          log                 490
batches       batch               255
processors    processors          270
recent        recent              240
tail          tail                415
pipeline      pipeline           820
drain         drain                105
sink_slots    slot                325
rounds        round               845
otlp_fields   otlp_field,otlp_fields,otlp_keys,otlp_emitter 180
otlp_json     otlp_json           235
otlp_protobuf otlp_protobuf       285
otlp          otlp                730
openmetrics   openmetrics         186
prometheus    prometheus         710
page          page                930
net           net                 670
resolver      resolver            220
http_client   client              500
http_curl     curl                260
delivery      delivery            380
transport     transport           320
sender        sender              854
http_server   server              620
resource      resource            300
config        config              800
endpoints     endpoint            410
host          host                280
sink_http     sink_http           563
sink_otlp     sink_otlp           200
sink_listener sink_listener       550
sink_text     sink_text           380
sink_trace    sink_trace          390
sink_memory   sink_memory         325
sink_fallback fallback            355
self          self                380
process       process             210
instance      instance            500
makers        maker               200
sink_types    sink_type,sink_types 420
definitions   definition,definitions 270
config_parts  config_part,config_parts 345
config_file   config_file,config_level 720
lifecycle     lifecycle           645
fork          fork                220
api           api                 480
api_spans     api_tracer,api_carried,api_carry,api_no,api_mend,api_slot,api_set_shared,api_attach,api_log,api_logf,api_metrics 520
api_metrics   api_metrics          70
sink_control  control             260
reload        reload              210
api_scoped    api_scoped          210
queries       query               240
api_context   api_context         310
ingest        ingest              405
services      service             470
api_defined   defined             200
END

# ---- the file as a whole
lines=$(grep -c '' "$header")
{ [ "$lines" -le 39020 ] || echo "$lines lines"; } | rule "at most 39020 lines in all"
awk 'length($0) > 100 { printf "%d: %d columns\n", NR, length($0) }' "$header" | rule "no line over 100 columns"
awk '/\t/ || /[ \t]$/ { printf "%d: %s\n", NR, $0 }' "$header" | rule "no tab, no blank at a line's end"
LC_ALL=C awk '/[^ -~\t]/ { printf "%d: %s\n", NR, $0 }' "$header" | rule "ASCII only"
awk '/TODO|FIXME|XXX/ || tolower($0) ~ /not implemented/ { printf "%d: %s\n", NR, $0 }' "$header" |
    rule "no TODO, FIXME, XXX, \"not implemented\""

# ---- banners and contents
awk '
FNR == NR { plan[++rooms] = $1; next }
FNR == 1 { for (i = 1; i <= 12; i++) { want[++n] = "P" i } for (i = 1; i <= rooms; i++) { want[++n] = ">>" plan[i] } }
/^\/\* ==== / && !/^\/\* ==== (P|R)[0-9]+[a-z]* >>[a-z0-9_+]+ =+/ { printf "%d: not a banner: %s\n", NR, $0 }
/^\/\* ==== (P|R)[0-9]+[a-z]* >>[a-z0-9_+]+ =+/ {
    k++
    found = $3 ~ /^R/ ? $4 : $3
    if ($3 ~ /^R/ && $3 <= last) { printf "%d: %s after %s\n", FNR, $3, last }
    if ($3 ~ /^R/) { last = $3 }
    if (found != want[k]) { printf "%d: %s where %s is due\n", FNR, found, want[k] }
    text = $0; sub(/ *\*\/$/, "", text)
    if (!width) { width = length(text) } else if (length(text) != width) { printf "%d: %s is %d wide, not %d\n", NR, $3, length(text), width }
}
END { for (k++; k <= n; k++) { print "missing: " want[k] } }' "$work/plan" "$header" | rule "banners: P1 to P12, then the rooms of the plan, one width"
awk -F '\t' 'FNR == NR { split($0, f, " "); budget[f[1]] = f[3]; next }
    { n[$1]++ } $3 ~ /^\/\* ==== R/ { t = $3; sub(/^[^>]*>>/, "", t); sub(/ .*/, "", t); name[$1] = t }
    END { for (r in n) { if (name[r] != "" && n[r] > budget[name[r]]) { printf "%s has %d lines, its budget is %d\n", name[r], n[r], budget[name[r]] } } }' \
    "$work/plan" "$work/raw" | rule "each room is within its budget"

awk '
/^\/\* ==== (P|R)[0-9]+[a-z]* >>[a-z0-9_+]+ =+/ {
    room = $3; open = 1; k = 0; line = NR; about = 0
    split("Uses|Used by|Threads|Holds|Tests", field, "|")
}
open {
    text = $0
    if (NR > line && k == 0 && text ~ /[a-z]/ && text !~ /^ +Uses /) { about = 1 }
    for (i = 1; i <= 5; i++) {
        at = match(text, i == 2 ? "  Used by " : "^   " field[i] " ")
        if (at) { if (i != k + 1) { printf "%d: %s: %s is out of order\n", NR, room, field[i] } k = i }
    }
    if (text ~ /\*\/ *$/) {
        open = 0
        if (room ~ /^R/ && k != 5) { printf "%d: %s ends after %s of 5 fields\n", line, room, k }
        if (room ~ /^R/ && !about) { printf "%d: %s does not say what it does\n", line, room }
    }
}' "$header" | rule "each R banner has what it does, Uses, Used by, Threads, Holds, Tests"

# Uses names rooms above, Used by rooms below, Tests names files that exist.
awk '
FNR == NR { at[$1] = ++k; next }
/^\/\* ==== R[0-9]+[a-z]* >>/ { room = $4; sub(/^>>/, "", room); open = 1; part = "" }
open {
    text = $0
    sub(/  Used by /, "\nB", text); sub(/^   Uses /, "\nU", text); sub(/^   Threads /, "\nT", text); sub(/^   Tests /, "\nX", text)
    n = split(text, piece, "\n")
    for (i = 1; i <= n; i++) {
        if (i > 1) { part = substr(piece[i], 1, 1) }
        if (part != "U" && part != "B") { continue }
        s = i > 1 ? substr(piece[i], 2) : piece[i]; gsub(/[,.;:()]/, " ", s); m = split(s, word, " ")
        for (j = 1; j <= m; j++) {
            if (!(word[j] in at)) { continue }
            if (part == "U" && at[word[j]] >= at[room]) { printf "%d: %s says it uses %s\n", FNR, room, word[j] }
            if (part == "B" && at[word[j]] <= at[room]) { printf "%d: %s says it is used by %s\n", FNR, room, word[j] }
        }
    }
    if ($0 ~ /\*\/ *$/) { open = 0 }
}' "$work/plan" "$header" | rule "Uses names rooms above, Used by rooms below"
awk '
/^\/\* ==== R[0-9]+[a-z]* >>/ { room = $3; open = 1; tests = 0 }
open {
    if ($0 ~ /^ +Tests /) { tests = 1 }
    if (tests) {
        s = $0; fuzz = 0
        gsub(/[,.;:]( |$)/, " ", s)
        n = split(s, word, " ")
        for (i = 1; i <= n; i++) {
            if (word[i] == "fuzz") { fuzz = 1; continue }
            if (word[i] == "bench") { break }
            if (word[i] ~ /^tests\//) { print NR, room, word[i] }
            else if (fuzz && word[i] != "none" && word[i] ~ /^[a-z][a-z0-9_]+$/) { print NR, room, "tests/fuzz/" word[i] ".c" }
        }
    }
    if ($0 ~ /\*\/ *$/) { open = 0 }
}' "$header" | while read -r line room file; do
    [ -e "$top/$file" ] || echo "$line: $room names $file, which is not there"
done | rule "the tests and fuzzers that banners name exist"

awk -F '\t' '
$1 == "M" { s = $3; while (match(s, />>[a-z0-9_+]+/)) { toc[++t] = substr(s, RSTART, RLENGTH); s = substr(s, RSTART + RLENGTH) } }
$3 ~ /^\/\* ==== (P|R)[0-9]+[a-z]* >>[a-z0-9_+]+ =+/ { match($3, />>[a-z0-9_+]+/); tag[++b] = substr($3, RSTART, RLENGTH) }
{ s = $3; while (match(s, />>[a-z0-9_+]+/)) { seen[substr(s, RSTART, RLENGTH)]++; s = substr(s, RSTART + RLENGTH) } }
END {
    n = t > b ? t : b
    for (i = 1; i <= n; i++) { if (toc[i] != tag[i]) { printf "entry %d: contents %s, banner %s\n", i, toc[i], tag[i] } }
    for (i = 1; i <= b; i++) { if (seen[tag[i]] != 2) { printf "%s is found %d times, not twice\n", tag[i], seen[tag[i]] } }
}' "$work/raw" | rule "contents = banners; each tag is found exactly twice"

# ---- functions: FUNCTION/TYPE/DATA <tab> room <tab> first line <tab> lines <tab> name <tab> first word
awk -F '\t' '
function word_before_paren(s) { return match(s, /tel_[A-Za-z0-9_]*[ ]*\(/) ? trim(substr(s, RSTART, RLENGTH - 1)) : "" }
function trim(s) { gsub(/^[ ]+|[ ]+$/, "", s); return s }
function emit(kind, name) { printf "%s\t%s\t%d\t%d\t%s\t%s\n", kind, room, start, line - start + 1, name, first }
{ room = $1; line = $2; text = $0; sub(/^[^\t]*\t[^\t]*\t/, "", text) }
macro { macro = text ~ /\\[ ]*$/; next }
text ~ /^[ ]*#/ { macro = text ~ /\\[ ]*$/; next }
body { if (text ~ /^}/) { emit("FUNCTION", name); body = 0 } next }
list { if (text ~ /^}/) { list = 0; if (match(text, /tel__[a-z0-9_]+[ ]*;/)) { emit("TYPE", trim(substr(text, RSTART, RLENGTH - 1))) } } next }
!pending {
    if (text !~ /^[A-Za-z_]/ || text ~ /^extern ""/) { next }
    start = line; head = ""; pending = 1
    match(text, /^[A-Za-z_0-9]+/); first = substr(text, 1, RLENGTH)
}
pending {
    head = head " " text
    if (text !~ /[;{}=]/) { next }
    pending = 0
    if (head ~ /^ (typedef +)?(struct|union|enum)( +[a-z_0-9]+)? *\{/ && head !~ /;[ ]*$/) { list = 1 }
    if (match(head, /^ (typedef +)?(struct|union|enum) +tel__[a-z0-9_]+ *[{;]/)) {
        s = substr(head, 1, RLENGTH - 1); sub(/.*(struct|union|enum) +/, "", s); emit("TYPE", trim(s))
        if (!list || head ~ /;[ ]*$/) { next }
        next
    }
    if (list) { next }
    if (first == "typedef") {
        if (match(head, /\( *\* *tel__[a-z0-9_]+ *\)/)) { s = substr(head, RSTART, RLENGTH); gsub(/[(*) ]/, "", s); emit("TYPE", s) }
        else if (match(head, /tel__[a-z0-9_]+[ ]*;/)) { emit("TYPE", trim(substr(head, RSTART, RLENGTH - 1))) }
        next
    }
    name = word_before_paren(head)
    brace = index(head, "{"); equal = index(head, "="); paren = index(head, "("); stop = index(head, ";")
    if (paren && name != "" && (!equal || paren < equal) && (brace || stop)) {
        if (brace && (!stop || brace < stop)) {
            o = gsub(/\{/, "{", head); c = gsub(/\}/, "}", head)
            if (o == c) { emit("FUNCTION", name) } else { body = 1 }
        } else if (head !~ /\( *\*/ || head !~ /^ static +[a-zA-Z_ ]*\(\*/) { emit("PROTOTYPE", name) }
        next
    }
    if (match(head, /tel__[a-z0-9_]+[ ]*(\[[^\]]*\][ ]*)*(=|;)/)) {
        s = substr(head, RSTART, RLENGTH); sub(/[ \[=;].*/, "", s); emit("DATA", s)
    }
    if (brace && head !~ /;[ ]*$/) { list = 1 }
}' "$work/code" >"$work/functions"

awk -F '\t' '$1 == "FUNCTION" && $4 > 45 { printf "%s:%d: %s has %d lines\n", $2, $3, $5, $4 }' "$work/functions" |
    rule "no function over 45 lines"
awk -F '\t' '$1 == "FUNCTION" { n[++k] = $4; if ($4 > 40) { long++ } }
    END { for (i = 2; i <= k; i++) { v = n[i]; for (j = i - 1; j > 0 && n[j] > v; j--) { n[j + 1] = n[j] } n[j + 1] = v }
          printf "note lint: %d functions, median %d lines, p90 %d, %d over 40, longest %d\n", k, n[int((k + 1) / 2)], n[int(k * 0.9)], long, n[k] }' \
    "$work/functions"
awk -F '\t' '{ text = $0; sub(/^[^\t]*\t[^\t]*\t/, "", text) }
    text ~ /^ *# *define/ { start = $2; room = $1; on = 1 }
    on && text !~ /\\[ ]*$/ { on = 0; if ($2 - start >= 90) { printf "%s:%d: a macro of %d lines\n", room, start, $2 - start + 1 } }' \
    "$work/code" | rule "no macro over 90 lines"

# A private name carries a tag of the room that defines it (or is the tag: tel__spans). Names that the public half declares are exempt.
awk -F '\t' '
FILENAME == ARGV[1] { split($0, f, " "); m = split(f[2], g, ","); for (i = 1; i <= m; i++) { home[g[i]] = f[1] } own["tel__" f[1]] = f[1]; next }
FILENAME == ARGV[2] {
    if ($1 ~ /^P/) { s = $0; while (match(s, /tel__[A-Za-z0-9_]+/)) { public[substr(s, RSTART, RLENGTH)] = 1; s = substr(s, RSTART + RLENGTH) } }
    next
}
FILENAME == ARGV[3] { if (/^\/\* ==== R[0-9]+[a-z]* >>/) { t = $0; sub(/^[^>]*>>/, "", t); sub(/ .*/, "", t); split($0, w, " "); room[w[3]] = t } next }
$2 !~ /^R/ || $5 !~ /^tel__/ || ($5 in public) || own[$5] == room[$2] { next }
{
    n = split(substr($5, 6), part, "_"); tag = ""; best = ""
    for (i = 1; i <= n; i++) { tag = i == 1 ? part[1] : tag "_" part[i]; if (tag in home) { best = tag } }
    if (best == "") { printf "%s:%d: %s: no room has that tag\n", $2, $3, $5 }
    else if (home[best] != room[$2]) { printf "%s:%d: %s belongs to %s\n", $2, $3, $5, home[best] }
}' "$work/plan" "$work/code" "$header" "$work/functions" | rule "private names stand in the room whose tag they carry"
awk -F '\t' '$2 ~ /^R/ && $5 ~ /^tel__/ && ($1 == "FUNCTION" || $1 == "PROTOTYPE") && $6 !~ /^(TEL__[A-Z_]+|TEL_API|static)$/ {
    printf "%s:%d: %s begins with %s\n", $2, $3, $5, $6 }' "$work/functions" | rule "private functions are TEL__FN (or its kin)"
awk -F '\t' '$2 ~ /^R/ && $1 == "FUNCTION" && $5 ~ /^tel_[^_]/ && $6 != "TEL_API" { printf "%s:%d: %s begins with %s\n", $2, $3, $5, $6 }' \
    "$work/functions" | rule "public functions are defined with TEL_API"

# ---- what may stand where
code_rule "getenv only in config" "$(rooms_of config)" '(^|[^a-zA-Z0-9_])(secure_)?getenv *\('
code_rule "allocation only in memory" "$(rooms_of memory)" '(^|[^a-zA-Z0-9_.>])(malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|aligned_alloc|posix_memalign) *\('
code_rule "stdout and stderr only in diag, sink_text and the assertions of platform" "$(rooms_of platform diag sink_text)" '(^|[^a-zA-Z0-9_])(stdout|stderr|STDOUT_FILENO|STDERR_FILENO|((v?printf|puts|putchar|perror) *\())'
code_rule "nothing that ends or disturbs the host" "" '(^|[^a-zA-Z0-9_.>])(abort|exit|_exit|_Exit|quick_exit|signal|sigaction|raise|kill|alarm|system|popen|setlocale|setenv|putenv|chdir|umask|srand) *\('
code_rule "no call without a bound, with hidden state or at the mercy of the locale" "" '(^|[^a-zA-Z0-9_.>])(strcpy|strcat|sprintf|vsprintf|gets|strtok|rand|atoi|atol|atof|strtod|strtof|localtime|gmtime|ctime|asctime|strerror|gethostbyname|inet_ntoa) *\('
code_rule "no #line, no #pragma once" "" '^ *# *(line|pragma +once)'

awk -F '\t' '{ text = $0; sub(/^[^\t]*\t[^\t]*\t/, "", text) }
    text ~ /^ *# *if/ { stack[++depth] = text }
    text ~ /^ *# *(else|elif)/ { stack[depth] = stack[depth] " #else" }
    text ~ /^ *# *endif/ { depth-- }
    text !~ /^ *# *include/ { next }
    { sub(/^ *# *include */, "", text); sub(/ *$/, "", text) }
    $1 == "R01" && text ~ /^</ { next }
    $1 ~ /^(M|P)/ && text ~ /^<(stddef|stdint|stdbool|stdarg)\.h>$/ { next }
    { printf "%s:%d: #include %s\n", $1, $2, text }' "$work/code" | rule "system includes only in R01; the public half has its four"
# Excepted: the pragmas that silence warnings about style, at both ends of the two halves.
# The lines before P1 ask the system headers for POSIX, which has to happen before the first include.
awk -F '\t' '{ text = $0; sub(/^[^\t]*\t[^\t]*\t/, "", text) }
    { on = more || text ~ /^ *# *(if|elif)/; more = on && text ~ /\\[ ]*$/ }
    !on || index(seams, " " $1 " ") { next }
    text ~ /(^|[^A-Za-z0-9_])(_WIN32|_WIN64|WIN32|__WIN|__MINGW32__|__CYGWIN__|__linux|linux|__APPLE__|__unix|unix|__FreeBSD|__NetBSD|__OpenBSD|__ANDROID__|__sun|__GLIBC__|__x86_64|__i386|__aarch64|__arm|_M_X64|_M_IX86|_M_ARM|__powerpc|__s390|__riscv|__BYTE_ORDER|TEL__POSIX|TEL__WINDOWS|TEL__LINUX|TEL__APPLE|TEL__BSD|TEL__X86|TEL__ARM)/ {
        printf "%s:%d: %s\n", $1, $2, text; next }
    text ~ /^#if defined\(__clang__\) && defined\(__cplusplus\)$/ { next }
    text ~ /^#if defined\(__GNUC__\) \|\| defined\(__clang__\)$/ { next }
    $1 ~ /^R/ && text ~ /(^|[^A-Za-z0-9_])(_MSC_VER|__GNUC__|__clang__|TEL__GNU|TEL__MSVC|TEL__CLANG)/ { printf "%s:%d: %s\n", $1, $2, text }' \
    seams=" M $(rooms_of platform atomics threads net process)" "$work/code" | rule "platform and compiler conditions only in platform, atomics, threads, net and process"

# ---- braces, and the declarations that would defeat the order of rooms
awk -F '\t' '{ text = $0; sub(/^[^\t]*\t[^\t]*\t/, "", text) }
    macro || text ~ /^ *#/ { macro = text ~ /\\[ ]*$/; next }
    $1 !~ /^R/ { next }
    text ~ /^ *(\} *)?(else +)?(if|for|while) *\(/ && text !~ /\{/ && text ~ /; *$/ && text !~ /^ *\} *while/ { printf "%s:%d: %s\n", $1, $2, text }
    text ~ /^ *(\} *)?else *$/ || text ~ /^ *(\} *)?else +[^i{ ]/ { printf "%s:%d: %s\n", $1, $2, text }' "$work/code" |
    rule "always braces"
# Outside of for (;;) and of the macros one line holds one statement, unless it is a one-line block.
awk -F '\t' '{ text = $0; sub(/^[^\t]*\t[^\t]*\t/, "", text) }
    macro || text ~ /^ *#/ { macro = text ~ /\\[ ]*$/; next }
    $1 == "M" || text ~ /(^|[^a-z_])for \(/ || text ~ /^ *(case|default)[ :]/ || text ~ /(struct|union|enum)[ a-z0-9_]*\{/ || text ~ /^ *(if .*else|do) \{/ { next }
    { s = text; n = gsub(/;/, ";", s); if (n > 1) { printf "%s:%d: %s\n", $1, $2, text } }' "$work/code" | rule "two statements never share a line"
# A room may declare a function of its own first: a format attribute needs that.
awk -F '\t' 'FNR == NR { if ($1 == "FUNCTION") { room[$5] = room[$5] " " $2 } next }
    $1 == "PROTOTYPE" && $2 ~ /^R/ && $5 ~ /^tel_/ && index(room[$5], $2) == 0 { printf "%s:%d: %s\n", $2, $3, $5 }' "$work/functions" "$work/functions" |
    rule "no room declares a function that another one defines"

# ---- the public functions: NAME <tab> line, and the paragraph rule for comments
awk -F '\t' '{ room = $1; text = $0; sub(/^[^\t]*\t[^\t]*\t/, "", text) }
    room ~ /^R/ || room == "P12" { exit }
    !on && text ~ /^TEL_API / { on = 1; start = $2; head = "" }
    on { head = head " " text; if (text ~ /;/) { on = 0; if (match(head, /tel_[A-Za-z0-9_]+ *\(/)) { name = substr(head, RSTART, RLENGTH - 1); sub(/ *$/, "", name); print name "\t" start } } }' \
    "$work/code" >"$work/public"
{ [ -s "$work/public" ] || echo "no TEL_API declaration found"; } | rule "there are public functions"
awk -F '\t' '
FNR == NR { line[$2] = $1; next }
{ text = $0; sub(/^[^\t]*\t[^\t]*\t/, "", text) }
text ~ /^ *$/ { commented = 0; next }
text ~ /\/\*|\/\// && text !~ /^\/\* ==== / { commented = 1 }
($2 in line) && !commented { printf "%s:%d: %s\n", $1, $2, line[$2] }' "$work/public" "$work/raw" |
    rule "each public function has a comment above its group or on its line"

# Public structs whose members are known: each one counts in the build tag.
awk -F '\t' '{ text = $0; sub(/^[^\t]*\t[^\t]*\t/, "", text) }
    $1 !~ /^P/ { next }
    text ~ /^#define TEL__LAYOUT\(X\)/ { on = 1 }
    on { for (s = text; match(s, /X\(tel_[a-z_]+,/); s = substr(s, RSTART + RLENGTH)) { listed[substr(s, RSTART + 2, RLENGTH - 3)] = 1 } }
    on && text !~ /\\[ ]*$/ { on = 0 }
    match(text, /^(typedef )?struct tel_[a-z_]+ *\{/) { s = substr(text, RSTART, RLENGTH); sub(/^.*struct /, "", s); sub(/ *\{/, "", s); seen[s] = $2 }
    END { for (s in seen) { if (!(s in listed)) { printf "%d: %s\n", seen[s], s } } }' "$work/code" |
    rule "each public struct counts in the build tag (TEL__LAYOUT)"

if [ -f "$all_functions" ]; then
    # The inline functions of the public half (constructors, tel_init) are called there too; what they call in turn, tel__x, is not.
    awk -F '\t' '$1 == "FUNCTION" && $2 ~ /^P/ && $2 != "P12" && $5 ~ /^tel_[^_]/ && $5 !~ /_guard$/ { print $5 "\t" $3 }' "$work/functions" |
        sort -u - "$work/public" | grep -v '^tel__' >"$work/calls"
    awk -F '\t' 'FNR == NR { text = text "\n" $0; next }
        !match(text, "(^|[^A-Za-z0-9_])" $1 " *\\(") { printf "%d: %s\n", $2, $1 }' "$all_functions" "$work/calls" |
        rule "each public function is called in api/all_functions.c"
else
    skip "lint: public functions against all_functions.c" "there is no $all_functions"
fi
awk -F '\t' 'FNR == NR { if ($1 == "P12") { text = text "\n" $3 } next }
    !match(text, "(^|[^A-Za-z0-9_])" $1 " *\\(") { printf "%d: %s\n", $2, $1 }' "$work/code" "$work/public" |
    rule "each public function exists in the off half"

# In C++ a list of attributes is a pack, and a desc may be given by reference.
awk -F '\t' '$1 == "P11" { text = text " " $3; next }
    $1 ~ /^P/ && $1 != "P12" && $3 ~ /^TEL_API / { head = ""; line = $2; on = 1 }
    on { head = head " " $3; if ($3 ~ /;/) { on = 0; if (head ~ /tel_attrs attrs/ && match(head, /tel_[a-z][a-z_]* *\(/)) { name = substr(head, RSTART, RLENGTH - 1); sub(/ *$/, "", name); takes[name] = line } } }
    END { for (name in takes) { if (text !~ ("TEL__PACK [a-z_*]+ " name "\\(")) { printf "%d: %s\n", takes[name], name } } }' "$work/code" |
    rule "each public function with attributes takes the pack of C++ (P11)"

if [ -n "$show_rooms" ]; then
    awk -F '\t' '{ n[$1]++ } !($1 in seen) { seen[$1] = 1; order[++k] = $1 } END { for (i = 1; i <= k; i++) { printf "room %-4s %5d lines\n", order[i], n[order[i]] } }' "$work/code"
fi
finish
