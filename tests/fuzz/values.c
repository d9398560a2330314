/* Promise: attributes of every type and size, nested, over every limit, redacted, on spans started early and late, events, links,
   logs, metrics and exemplars, reach every encoder as valid JSON, protobuf and pages; arrays arrive whole, strings and bytes cut at
   the limit, and what is missing is counted. */
#include "fuzz.h"
#include <math.h>

/* ---- what was written has the form that it claims ---- */

static const char *at, *end;
static void blank(void) { while (at < end && strchr(" \t\r\n", *at)) { at++; } }
static void string(void) {
    REQUIRE(at < end && *at == '"');
    for (at++; at < end && *at != '"'; ) {
        size_t bad = 0, n = tel__text_utf8_one(at, (size_t)(end - at), &bad);
        REQUIRE(n > 0 && (unsigned char)*at >= 0x20);
        if (*at == '\\') {
            REQUIRE(end - at > 1 && strchr("\"\\/bfnrtu", at[1]));
            n = at[1] == 'u' ? 6 : 2;
            REQUIRE((size_t)(end - at) > n);
        }
        at += n;
    }
    REQUIRE(at < end);
    at++;
}
static void value(int depth) {
    blank();
    REQUIRE(at < end && depth < 200);
    if (*at == '"') { string(); }
    else if (*at == '{' || *at == '[') {
        char close = *at == '{' ? '}' : ']';
        bool first = true;
        for (at++, blank(); at < end && *at != close; blank()) {
            if (!first) { REQUIRE(*at == ','); at++; blank(); }
            first = false;
            if (close == '}') { string(); blank(); REQUIRE(at < end && *at == ':'); at++; }
            value(depth + 1);
        }
        REQUIRE(at < end);
        at++;
    } else {
        size_t n = strspn(at, "-+.0123456789eEtrufalsn");
        REQUIRE(n > 0);
        at += n;
    }
}
static void check_json(const char* data, size_t size) {
    at = data;
    end = data + size;
    value(0);
    blank();
    REQUIRE(at == end);
}
static uint64_t varint(void) {
    uint64_t v = 0;
    int shift = 0;
    do {
        REQUIRE(at < end && shift < 64);
        v |= (uint64_t)((unsigned char)*at & 127u) << shift;
        shift += 7;
    } while ((unsigned char)*at++ & 128u);
    return v;
}
static void check_protobuf(const char* data, size_t size) {
    at = data;
    end = data + size;
    while (at < end) {
        uint64_t key = varint(), n = 0;
        REQUIRE(key >> 3);
        switch (key & 7) {
        case 0: (void)varint(); break;
        case 1: n = 8; break;
        case 2: n = varint(); break;
        case 5: n = 4; break;
        default: REQUIRE(!"a wire type");
        }
        REQUIRE(n <= (uint64_t)(end - at));
        at += n;
    }
}

/* ---- what is recorded ---- */

#define MOST 24
static uint8_t input[4096];
static size_t  input_size, used;
static uint64_t noise;                          /* goes on where the input ends */
static unsigned take(void) {
    if (used < input_size) {
        noise = (noise ^ input[used]) * 0x9e3779b97f4a7c15u;
        return input[used++];
    }
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    return (unsigned)(noise >> 32) & 255u;
}

static bool     bools[512];
static int64_t  ints[600];
static double   doubles[600];
static char     texts[70000];
static const char* strs[300];
static size_t sized(void) { unsigned n = take(); return n < 200 ? n % 40 : n < 250 ? n * 3 : n == 255 ? 65536 : 1000u * (n - 249); }

static tel_attr nested[4][4];
static tel_attr one(const char* key, int depth) {
    size_t n = sized(), i;
    switch (take() % (depth < 4 ? 12 : 10)) {
    case 0: return tel_bool(key, n & 1);
    case 1: return tel_int(key, (int64_t)(n * 0x0123456789abcdefu));
    case 2: return tel_double(key, doubles[n % 600]);
    case 3: return tel_strn(key, texts + take(), n);
    case 4: return tel_bytes(key, texts + take(), n);
    case 5: return tel_bools(key, bools, n % 512);
    case 6: return tel_ints(key, ints, n % 600);
    case 7: return tel_doubles(key, doubles, n % 600);
    case 8: return tel_strs(key, strs, n % 300);
    case 9: { tel_attr a; memset(&a, 0, sizeof a); a.key = key; a.type = (tel_type)(n % 20 == 7 ? 99 : 0); return a; }
    default: break;
    }
    for (i = 0; i < 4; i++) { nested[depth][i] = one(i == 3 ? "" : key, depth + 1); }
    return n & 1 ? tel_list(key, tel__attrs(nested[depth], n % 5 < 4 ? n % 5 : 4)) : tel_map(key, tel__attrs(nested[depth], 4));
}
static const char* const keys[MOST] = {
    "a", "b", "http.route", "password", "k\xc3\xa4", "\xff\xfe", "x_authorization", "cookie", "tok\"en", "n\nl", "c1", "c2", "c3", "c4", "c5",
    "c6", "c7", "c8", "c9", "long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long", "z1", "z2", "z3", "z4"
};
/* The value of each key, the same throughout an input. */
static tel_attr given[MOST];
static tel_attrs some(size_t most) {
    size_t n = take() % (most + 1), from = take() % (MOST - n + 1);
    return tel__attrs(given + from, n);
}

/* ---- what arrives ---- */

static uint32_t limit;                          /* characters of a string, bytes of bytes; 0: none */
static bool redacts;
static size_t cut(size_t n) { return limit && n > limit ? limit : n; }

static char changed[MOST];
static void check_attr(const tel_attr* a) {
    size_t place = 0, count = 0, i;
    tel_attr item;
    REQUIRE(a->key && a->type >= TEL_TYPE_NONE && a->type <= TEL_TYPE_MAP);
    while (tel_attr_next(a, &place, &item)) { count++; }
    for (i = 0; i < MOST && strcmp(keys[i], a->key) != 0; i++) { }
    if (i == MOST || given[i].type != a->type || changed[i]) { return; }      /* hidden, or set to another one */
    if (a->type == TEL_TYPE_INTS) { REQUIRE(count == given[i].as.s.size / 8 && memcmp(a->as.s.data, ints, count * 8) == 0); }
    if (a->type == TEL_TYPE_DOUBLES) { REQUIRE(count == given[i].as.s.size / 8 && memcmp(a->as.s.data, doubles, count * 8) == 0); }
    if (a->type == TEL_TYPE_BOOLS) { REQUIRE(count == given[i].as.s.size); }
    if (a->type == TEL_TYPE_BYTES && !redacts) { REQUIRE(a->as.s.size == cut(given[i].as.s.size)); }
    if (a->type == TEL_TYPE_STRING && !redacts) { REQUIRE(!limit || a->as.s.size <= 4 * (size_t)limit); }
}
static void check_attrs(tel_attrs a) {
    size_t i, k;
    for (i = 0; i < a.count; i++) {
        check_attr(&a.items[i]);
        for (k = 0; k < i; k++) { REQUIRE(strcmp(a.items[i].key, a.items[k].key) != 0); }
    }
}
static char* out;
#define OUT ((size_t)8 << 20)
static long spans_seen, logs_seen;
static tel_result check(const tel_batch* b, void* user_data) {
    static const tel_signal signals[3] = { TEL_SIGNAL_METRICS, TEL_SIGNAL_SPANS, TEL_SIGNAL_LOGS };
    size_t i, k, counts[3];
    (void)user_data;
    for (i = 0; i < b->span_count; i++) {
        check_attrs(b->spans[i].attrs);
        for (k = 0; k < b->spans[i].event_count; k++) { check_attrs(b->spans[i].events[k].attrs); }
        for (k = 0; k < b->spans[i].link_count; k++) { check_attrs(b->spans[i].links[k].attrs); }
    }
    for (i = 0; i < b->log_count; i++) { check_attrs(b->logs[i].attrs); }
    counts[0] = b->metric_count;
    counts[1] = b->span_count;
    counts[2] = b->log_count;
    spans_seen += (long)b->span_count;
    logs_seen += (long)b->log_count;
    for (i = 0; i < 3; i++) {
        for (k = 0; k < 2 && counts[i]; k++) {
            tel__text_out o = tel__text_fixed(out, OUT);
            if (tel__otlp_encode_as(b, signals[i], k == 1, &o) != TEL_OK) { continue; }     /* larger than the room */
            if (k) { check_protobuf(out, o.size); }
            else { check_json(out, o.size); }
        }
    }
    return TEL_OK;
}

static char*  file;
static size_t file_size;
static bool keep(const void* data, size_t size, void* user_data) {
    (void)user_data;
    if (file_size + size <= OUT) { memcpy(file + file_size, data, size); }
    file_size += size;
    return true;
}
static bool discard(const void* data, size_t size, void* user_data) {
    (void)user_data;
    REQUIRE(memchr(data, 0, size) == NULL);
    return true;
}

static uint64_t now;
static uint64_t clock_of_ours(void* user_data) { (void)user_data; return UINT64_C(1700000000000000000) + (now += 1000); }
static void quiet(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)item; (void)line; (void)user_data;
    REQUIRE(message[0]);
}

static void start(void) {
    tel_processor p = tel_processor_redact(NULL);
    tel_writer nowhere = { discard, NULL };
    tel_sink sinks[4];
    tel_trace_desc trace;
    tel_desc d;
    unsigned how = take();
    memset(&d, 0, sizeof d);
    memset(sinks, 0, sizeof sinks);
    memset(&trace, 0, sizeof trace);
    trace.out.write_fn = keep;
    sinks[0].export_fn = check;
    sinks[0].name = "check";
    sinks[1] = tel_sink_console(&nowhere);
    sinks[2] = tel_sink_jsonl(&nowhere);
    sinks[3] = tel_sink_trace(&trace);
    d.sinks = sinks;
    d.sink_count = 4;
    d.ignore_env = d.no_thread = d.no_atexit = d.no_self_metrics = true;
    d.attribute_limit = how & 1 ? 3 : 0;
    limit = how & 2 ? take() : 0;
    d.attribute_length_limit = limit;
    d.event_limit = d.link_limit = how & 4 ? 2 : 0;
    redacts = how & 8;
    d.processors = &p;
    d.processor_count = redacts;
    d.recent_bytes = how & 16 ? 65536 : 0;
    d.exemplars = how & 32 ? TEL_EXEMPLARS_ALL : TEL_EXEMPLARS_OFF;
    d.ring_bytes = how & 64 ? 4096 : 0;
    d.clock_fn = clock_of_ours;
    d.diag.report_fn = quiet;
    REQUIRE(tel_init(&d) == TEL_OK);
}

static void record(tel_counter* counter, tel_histogram* histogram) {
    tel_span_desc d;
    tel_link link;
    tel_log_desc l;
    tel_attr body;
    unsigned what = take();
    memset(&d, 0, sizeof d);
    memset(&l, 0, sizeof l);
    memset(&link, 0, sizeof link);
    if (what & 1) {                             /* a span with all it may have; shortened: a start and a set */
        tel_span s;
        d.name = keys[take() % MOST];
        if (what & 2) { d.attrs = some(MOST); }
        d.shared = what & 4;
        if (what & 8) { d.start_unix_ns = 1 + take(); }
        s = tel_span_start_ex(&d);
        if (what & 16) { tel_span_set_all(&s, some(MOST)); }
        if (what & 32) { tel_span_event(&s, keys[take() % MOST], some(6)); }
        if (what & 64) {
            link.context = s.context;
            tel_span_link(&s, &link.context, some(6));
        }
        if (what & 128) {
            unsigned k = take() % MOST;
            changed[k] = 1;
            tel_span_set(&s, one(keys[k], 0));
        }
        tel_span_end(&s);
    } else if (what & 2) {
        l.severity = (tel_severity)take();
        l.body = what & 4 ? keys[take() % MOST] : NULL;
        if (what & 8) { l.event_name = keys[take() % MOST]; }
        l.attrs = some(MOST);
        if (what & 16) {
            body = one("body", 1);
            l.body_value = &body;
        }
        tel_log_ex(&l);
    } else if (what & 4) { tel_counter_add_with(counter, 1, some(5)); }
    else { TEL_SPAN(s, "exemplar") { (void)s; tel_histogram_record_with(histogram, 0.1, some(5)); } }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static char page[1 << 20];
    tel_counter counter = TEL_INSTRUMENT("fuzz.counter", NULL, NULL);
    tel_histogram histogram = TEL_INSTRUMENT("fuzz.histogram", "s", NULL);
    tel_sink into;
    tel_stats s;
    unsigned i;
    input_size = size < sizeof input ? size : sizeof input;
    memcpy(input, data, input_size);
    used = file_size = 0;
    noise = 88172645463325252u;
    spans_seen = logs_seen = 0;
    if (!out) {
        out = (char*)malloc(OUT);
        file = (char*)malloc(OUT);
        REQUIRE(out && file);
        for (i = 0; i < sizeof texts; i++) { texts[i] = "abc \xc3\xa4\"\\\n\x01\xff 4242424242424242,"[i % 30]; }
        for (i = 0; i < 600; i++) {
            ints[i] = (int64_t)(i * 0x9e3779b97f4a7c15u);
            doubles[i] = i == 3 ? HUGE_VAL : i == 4 ? -HUGE_VAL : i == 5 ? HUGE_VAL - HUGE_VAL : (double)ints[i] * 1e-3;
        }
        for (i = 0; i < 300; i++) { strs[i] = i % 7 == 3 ? NULL : keys[i % MOST]; }
        for (i = 0; i < 512; i++) { bools[i] = i % 3 == 0; }
    }
    start();
    memset(changed, 0, sizeof changed);
    for (i = 0; i < MOST; i++) { given[i] = one(keys[i], 3); }
    for (i = 0; i < 30; i++) { record(&counter, &histogram); }
    memset(&into, 0, sizeof into);
    into.export_fn = check;
    REQUIRE(tel_flush(60000) != TEL_ERR_TIMEOUT);
    s = tel_query_stats();
    REQUIRE(s.recorded[1] == s.dropped[1] + (uint64_t)spans_seen && s.recorded[2] == s.dropped[2] + (uint64_t)logs_seen);
    (void)tel_query_spans(NULL, &into);
    (void)tel_query_logs(NULL, &into);
    (void)tel_query_metrics("*", &into);
    tel_prometheus_print(page, sizeof page);
    REQUIRE(tel_shutdown(60000) != TEL_ERR_TIMEOUT);
    if (file_size <= OUT) { check_json(file, file_size); }
    return 0;
}
