/* Room test of >>logs: every field, severities, printf bodies of every size, attributes and their limits, contexts. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>
#include <stdlib.h>
#include <wchar.h>

static tel__atomic_u64 now_ns = { 1700000000000000000u };
static uint64_t now(void) { return tel__atomic_load_u64(&now_ns); }
static uint64_t pass(uint64_t ns) { return tel__atomic_add_u64(&now_ns, ns) + ns; }
static uint64_t test_clock(void* user_data) { (void)user_data; return now(); }

static void hear(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)item; (void)message; (void)line; (void)user_data;
}

static tel_memory memory;
static tel_batch got;

static void start_with(double ratio, uint32_t ring_bytes) {
    static tel_sink sink;
    tel_desc d;
    memset(&memory, 0, sizeof memory);
    sink = tel_sink_memory(&memory);
    sink.signal_mask = TEL_SIGNAL_SPANS | TEL_SIGNAL_LOGS;
    memset(&d, 0, sizeof d);
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_thread = d.no_self_metrics = true;
    d.sample_ratio = ratio;
    d.ring_bytes = ring_bytes;
    d.diag.report_fn = hear;
    d.clock_fn = test_clock;
    CHECK_INT(tel_init(&d), TEL_OK);
}
static void start(void) { start_with(0, 0); }
static const tel_log_view* last(void) {
    static const tel_scope_view no_scope = { { "", 0 }, { "", 0 }, { "", 0 }, { NULL, 0 } };
    static tel_log_view none;
    none.scope = &no_scope;
    none.body.data = none.event_name.data = "(none)";
    none.dropped_attrs = 77;
    CHECK_INT(tel_flush(1000), TEL_OK);
    got = tel_memory_read(&memory);
    return got.log_count ? &got.logs[got.log_count - 1] : &none;
}
static void stop(void) {
    tel_stats s;
    tel_flush(1000);
    s = tel_query_stats();
    CHECK_INT(s.recorded[2], s.dropped[2] + s.queued[2] + s.exported[2] + s.failed[2]);
    CHECK_INT(s.queued[2], 0);
    CHECK_INT(tel_memory_read(&memory).log_count, s.exported[2]);
    tel_shutdown(1000);
    tel_memory_clear(&memory);
}
static const tel_attr* attr(tel_attrs attrs, const char* key) {
    static const tel_attr none = { "(none)", TEL_TYPE_NONE, 0, { false } };
    size_t i;
    for (i = 0; i < attrs.count; i++) { if (strcmp(attrs.items[i].key, key) == 0) { return &attrs.items[i]; } }
    return &none;
}
static bool text_is(tel_text t, const char* s) { return t.data && t.size == strlen(s) && memcmp(t.data, s, t.size) == 0; }
static bool zero(const void* p, size_t n) {
    const unsigned char* b = (const unsigned char*)p;
    while (n) { if (b[--n]) { return false; } }
    return true;
}
static tel_context context_of(uint8_t fill, uint8_t flags) {
    tel_context c;
    memset(&c, 0, sizeof c);
    memset(c.trace_id, fill, 16);
    memset(c.span_id, fill, 8);
    c.flags = flags;
    return c;
}

static void test_fields(void) {
    static const tel_scope scope = { "lib", "2", NULL, { NULL, 0 } };
    tel_context given = context_of(8, 1);
    const tel_log_view* v;
    tel_log_desc d;
    uint64_t at;
    start();
    at = pass(10);
    tel_log(TEL_WARN, "hello", TEL_ATTRS(tel_bool("b", true), tel_int("i", -7), tel_double("d", 0.5), tel_str("s", "x"),
                                         tel_strn("n", "abcdef", 3), tel_str("null", NULL)));
    pass(1000);
    v = last();
    CHECK(text_is(v->body, "hello") && v->event_name.data == NULL);
    CHECK(v->body.data[5] == 0);
    CHECK_INT(v->severity, TEL_WARN);
    CHECK(v->unix_ns == at && v->observed_unix_ns == at);
    CHECK_INT(v->attrs.count, 6);
    CHECK(attr(v->attrs, "b")->as.b && attr(v->attrs, "i")->as.i == -7 && attr(v->attrs, "d")->as.d == 0.5);
    CHECK(text_is(attr(v->attrs, "n")->as.s, "abc") && text_is(attr(v->attrs, "null")->as.s, ""));
    CHECK(attr(v->attrs, "i")->type == TEL_TYPE_INT && attr(v->attrs, "d")->type == TEL_TYPE_DOUBLE && attr(v->attrs, "b")->type == TEL_TYPE_BOOL);
    CHECK(zero(&v->context, sizeof v->context));                 /* outside of any span: no ids */
    CHECK_STR(v->scope->name.data, "");
    CHECK_INT(v->dropped_attrs, 0);
    memset(&d, 0, sizeof d);
    d.severity = TEL_ERROR;
    d.body = "body";
    d.event_name = "my.event";
    d.attrs = TEL_ATTRS(tel_int("k", 1));
    d.context = &given;
    d.scope = &scope;
    d.unix_ns = 42;
    tel_log_ex(&d);
    v = last();
    CHECK(text_is(v->body, "body") && text_is(v->event_name, "my.event"));
    CHECK(v->unix_ns == 42 && v->observed_unix_ns == now());
    CHECK(memcmp(v->context.trace_id, given.trace_id, 16) == 0 && memcmp(v->context.span_id, given.span_id, 8) == 0);
    CHECK_INT(v->context.flags, 1);
    CHECK_STR(v->scope->name.data, "lib");
    CHECK_STR(v->scope->version.data, "2");
    CHECK_INT(attr(v->attrs, "k")->as.i, 1);
    memset(&d, 0, sizeof d);
    tel_log_ex(&d);                                              /* nothing is mandatory */
    v = last();
    CHECK(v->body.data == NULL && v->event_name.data == NULL && v->severity == 0 && v->attrs.count == 0);
    CHECK(v->observed_unix_ns == now());
    tel_log(TEL_INFO, NULL, TEL_ATTRS(tel_int("k", 2)));
    v = last();
    CHECK(v->body.data == NULL && attr(v->attrs, "k")->as.i == 2);
    tel_log(TEL_INFO, "", TEL_NOATTRS);
    CHECK(last()->body.data != NULL && last()->body.size == 0);  /* an empty body is a body */
    CHECK_INT(got.log_count, 5);
    tel_log_ex(NULL);
    last();
    CHECK_INT(got.log_count, 5);
    stop();
}

static void test_severity(void) {
    int i;
    static const int out_of_range[] = { -1, 25, 255, 256, 265 };
    start();
    for (i = 0; i <= 24; i++) {
        tel_log((tel_severity)i, "s", TEL_NOATTRS);
        CHECK_INT(last()->severity, i);
        CHECK(tel_log_enabled((tel_severity)i));
    }
    for (i = 0; i < 5; i++) {
        tel_log((tel_severity)out_of_range[i], "s", TEL_NOATTRS);
        CHECK_INT(last()->severity, 0);                          /* unspecified */
    }
    stop();
    CHECK(!tel_log_enabled(TEL_INFO));
}

static void vlog(const char* format, ...) {
    va_list args;
    va_start(args, format);
    tel_vlogf(TEL_DEBUG, format, args);
    va_end(args);
}

/* printf bodies around every edge: the buffer on the stack, the quarter of the ring. */
static void test_format(void) {
    static char x[70000];
    static const int sizes[] = { 0, 1, 7, 8, 9, 503, 510, 511, 512, 513, 600, 1024, 4095, 40000 };
    uint64_t dropped;
    size_t i;
    memset(x, 'x', sizeof x - 1);
    start();
    tel_logf(TEL_INFO, "%d %s %5.2f %%", 12, "abc", 1.5);
    CHECK(text_is(last()->body, "12 abc  1.50 %"));
    CHECK_INT(last()->severity, TEL_INFO);
    vlog("%s/%lld", "v", (long long)INT64_MIN);
    CHECK(text_is(last()->body, "v/-9223372036854775808"));
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const tel_log_view* v;
        tel_logf(TEL_INFO, "%.*s", sizes[i], x);
        v = last();
        CHECK_INT(v->body.size, sizes[i]);
        CHECK(memcmp(v->body.data, x, v->body.size) == 0 && v->body.data[v->body.size] == 0);
        CHECK_INT(v->attrs.count, 0);
        tel_logf(TEL_INFO, "%.*s%c", sizes[i], x, '!');          /* the end comes out too */
        CHECK(last()->body.size == (size_t)sizes[i] + 1 && last()->body.data[sizes[i]] == '!');
    }
    dropped = tel_query_stats().dropped[2];
    tel_logf(TEL_INFO, "%s", x);                                 /* larger than a record may be */
    tel_log(TEL_INFO, x, TEL_NOATTRS);
    tel_log(TEL_INFO, "b", TEL_ATTRS(tel_str("x", x)));
    CHECK_INT(tel_query_stats().dropped[2], dropped + 3);
    {   /* the largest that fits, and one eight bytes more */
        int most = 65536 - 8 - (int)sizeof(tel__log_record) - (int)tel__attr_item_size(0, 0) + 6;
        tel_logf(TEL_INFO, "%.*s", most, x);
        CHECK_INT(last()->body.size, most);
        tel_logf(TEL_INFO, "%.*s", most + 8, x);
        CHECK_INT(tel_query_stats().dropped[2], dropped + 4);
    }
    dropped = got.log_count;
    vlog(NULL);                                                  /* nothing is recorded */
    last();
    CHECK_INT(got.log_count, dropped);
    stop();
}

static void changing(const char* format, int n) { tel_logf(TEL_INFO, format, n); }

/* One place in the program, many formats and arguments: each record has its own, also when the buffers have changed by the time it
   is read. */
static void test_kept(void) {
    char format[32], argument[32], want[64];
    int i;
    start();
    for (i = 0; i < 20; i++) {
        snprintf(format, sizeof format, i % 2 ? "%%d of %c" : "%c has %%5d.", 'a' + i);
        snprintf(argument, sizeof argument, "argument %d", i);
        changing(format, i);
        tel_logf(TEL_INFO, i % 3 ? "%s %d" : "(%s, %d)", argument, i);
        (tel_logf)(TEL_INFO, "%s and %.2f", argument, i / 4.0);
        memset(format, 'x', sizeof format - 1);
        memset(argument, 'y', sizeof argument - 1);
    }
    last();
    CHECK_INT(got.log_count, 60);
    for (i = 0; i < 20; i++) {
        if (i % 2) { snprintf(want, sizeof want, "%d of %c", i, 'a' + i); }
        else { snprintf(want, sizeof want, "%c has %5d.", 'a' + i, i); }
        CHECK(text_is(got.logs[3 * i].body, want));
        snprintf(want, sizeof want, i % 3 ? "argument %d %d" : "(argument %d, %d)", i, i);
        CHECK(text_is(got.logs[3 * i + 1].body, want));
        snprintf(want, sizeof want, "argument %d and %.2f", i, i / 4.0);
        CHECK(text_is(got.logs[3 * i + 2].body, want));
    }
    stop();
}

/* Arguments are evaluated once, and at once; a statement may be an expression. */
static void test_evaluated(void) {
    int n = 1, m = TEL_WARN;
    start();
    tel_logf((tel_severity)m++, "%d", n++);
    CHECK(n == 2 && m == TEL_WARN + 1);
    if (n) tel_logf(TEL_INFO, "yes"); else tel_logf(TEL_INFO, "no");
    n == 2 ? tel_logf(TEL_INFO, "%c%c", '2', 0) : (void)0;
    last();
    CHECK_INT(got.log_count, 3);
    CHECK(text_is(got.logs[0].body, "1") && got.logs[0].severity == TEL_WARN);
    CHECK(text_is(got.logs[1].body, "yes"));
    CHECK(got.logs[2].body.size == 2 && memcmp(got.logs[2].body.data, "2\0", 3) == 0);
    stop();
}

/* A body that was formatted stands with everything else that a record can have; one that is longer than any buffer is whole. */
static void test_kept_with(void) {
    static char x[900];
    tel_log_desc d;
    memset(x, 'x', sizeof x - 1);
    start();
    memset(&d, 0, sizeof d);
    d.severity = TEL_ERROR;
    d.event_name = "event";
    d.attrs = TEL_ATTRS(tel_int("a", 1), tel_str("b", "two"));
    tel_logf_ex(&d, "%s|%s|%900d|%d", x, x, 5, 6);
    CHECK_INT(last()->body.size, 2 * 899 + 900 + 4);
    CHECK(last()->body.data[2 * 900 + 899] == '5' && last()->body.data[2702 - 1] == '6' && !last()->body.data[2702]);
    CHECK(text_is(last()->event_name, "event") && last()->severity == TEL_ERROR && last()->attrs.count == 2);
    CHECK(attr(last()->attrs, "a")->as.i == 1 && text_is(attr(last()->attrs, "b")->as.s, "two"));
    stop();
}

/* What printf itself refuses is lost, and counted. */
static void test_refused(void) {
    wchar_t no_character[2] = { (wchar_t)0xd800, 0 };
    char text[16];
    start();
    if (snprintf(text, sizeof text, "%ls", no_character) < 0) {
        tel_logf(TEL_INFO, "%ls", no_character);
        CHECK(tel_query_stats().recorded[2] == 1 && tel_query_stats().dropped[2] == 1);
    }
    tel_logf(TEL_INFO, "%s", "next");
    CHECK(text_is(last()->body, "next"));
    stop();
}

/* Bytes come out as they went in: repair is the encoder's. */
static void test_bytes(void) {
    static const char bad[] = "a\xff\xc3(\xed\xa0\x80\x01z";
    const tel_log_view* v;
    tel_log_desc d;
    start();
    memset(&d, 0, sizeof d);
    d.body = d.event_name = bad;
    d.attrs = TEL_ATTRS(tel_str("bad", bad), tel_strn("nul", "a\0b", 3), tel_str(bad, "key"));
    tel_log_ex(&d);
    tel_logf(TEL_INFO, "%s", bad);
    last();
    CHECK_INT(got.log_count, 2);
    v = &got.logs[0];
    CHECK(text_is(v->body, bad) && text_is(v->event_name, bad));
    CHECK(text_is(attr(v->attrs, "bad")->as.s, bad) && text_is(attr(v->attrs, bad)->as.s, "key"));
    CHECK(attr(v->attrs, "nul")->as.s.size == 3 && memcmp(attr(v->attrs, "nul")->as.s.data, "a\0b", 4) == 0);
    CHECK(text_is(got.logs[1].body, bad));
    stop();
}

/* Texts in a batch are NUL-terminated where they lie, not only in a copy. */
static tel_result look(const tel_batch* b, void* user_data) {
    size_t i, k;
    for (i = 0; i < b->log_count; i++) {
        const tel_log_view* v = &b->logs[i];
        CHECK(v->body.data[v->body.size] == 0 && v->event_name.data[v->event_name.size] == 0);
        for (k = 0; k < v->attrs.count; k++) {
            const tel_attr* a = &v->attrs.items[k];
            CHECK_INT(strlen(a->key), a->tel__key_size);
            CHECK(a->type != TEL_TYPE_STRING || a->as.s.data[a->as.s.size] == 0);
        }
        ++*(int*)user_data;
    }
    return TEL_OK;
}
static void test_terminated(void) {
    static const char x[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    int seen = 0, i;
    tel_sink sink;
    tel_desc d;
    memset(&sink, 0, sizeof sink);
    memset(&d, 0, sizeof d);
    sink.export_fn = look;
    sink.signal_mask = TEL_SIGNAL_LOGS;
    sink.user_data = &seen;
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_thread = d.no_self_metrics = true;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 64; i++) {
        tel_log_desc l;
        memset(&l, 0, sizeof l);
        l.body = x + i;
        l.event_name = x + 63 - i;
        l.attrs = TEL_ATTRS(tel_strn("a", x, (size_t)i), tel_str(x + i, x), tel_int(x + i / 2, i));
        tel_log_ex(&l);
    }
    CHECK_INT(tel_flush(1000), TEL_OK);
    CHECK_INT(seen, 64);
    tel_shutdown(1000);
}

static void test_attributes(void) {
    tel_attr many[140];
    char names[140][16], key[300];
    const tel_log_view* v;
    int i;
    memset(key, 'k', sizeof key);
    for (i = 0; i < 140; i++) { snprintf(names[i], sizeof names[i], "k%d", i); many[i] = tel_int(names[i], i); }
    start();
    tel_log(TEL_INFO, "dup", TEL_ATTRS(tel_int("a", 1), tel_str("b", "x"), tel_str("a", "two"), tel_int("a", 3), tel_bool("b", true)));
    v = last();
    CHECK_INT(v->attrs.count, 2);
    CHECK_STR(v->attrs.items[0].key, "a");                       /* the first place, the last value */
    CHECK(v->attrs.items[0].type == TEL_TYPE_INT && v->attrs.items[0].as.i == 3);
    CHECK(v->attrs.items[1].type == TEL_TYPE_BOOL && v->attrs.items[1].as.b);
    CHECK_INT(v->dropped_attrs, 0);
    tel_log(TEL_INFO, "128", tel__attrs(many, 128));
    CHECK(last()->attrs.count == 128 && last()->dropped_attrs == 0);
    tel_log(TEL_INFO, "129", tel__attrs(many, 129));
    CHECK(last()->attrs.count == 128 && last()->dropped_attrs == 1);
    CHECK(attr(last()->attrs, "k128")->type == TEL_TYPE_NONE);
    tel_log(TEL_INFO, "many", tel__attrs(many, 140));
    v = last();
    CHECK_INT(v->attrs.count, 128);
    CHECK_INT(v->dropped_attrs, 12);
    CHECK_INT(attr(v->attrs, "k127")->as.i, 127);
    key[255] = 0;
    tel_log(TEL_INFO, "255", TEL_ATTRS(tel_int(key, 1), tel_str("", "no key"), tel_str(NULL, "none")));
    v = last();
    CHECK(v->attrs.count == 1 && strlen(v->attrs.items[0].key) == 255 && v->dropped_attrs == 0);
    key[255] = 'k'; key[256] = 0;
    tel_log(TEL_INFO, "256", TEL_ATTRS(tel_int(key, 1), tel_int("after", 2)));
    v = last();
    CHECK(v->attrs.count == 1 && v->dropped_attrs == 1 && attr(v->attrs, "after")->as.i == 2);
    stop();
}

/* Bodies and values of every size, over the ends of the ring's chunks, whole and in order. */
static void test_sizes(void) {
    static char text[3000];
    size_t n, i, read = 0;
    memset(text, 'x', sizeof text);
    start_with(0, 256 * 1024);
    for (n = 0; n < 1000; n++) {
        const char* body = text + sizeof text - 1 - n;
        text[sizeof text - 1] = 0;
        tel_log(TEL_INFO, body, TEL_ATTRS(tel_strn("s", text, 999 - n), tel_int("i", (int64_t)n), tel_bool("b", n % 2)));
        if (n % 100 == 99) {
            CHECK_INT(tel_flush(1000), TEL_OK);
            got = tel_memory_read(&memory);
            CHECK_INT(got.log_count, n + 1);
            for (; read < got.log_count; read++) {
                const tel_log_view* v = &got.logs[read];
                CHECK(v->body.size == read && attr(v->attrs, "s")->as.s.size == 999 - read);
                for (i = 0; i < read && v->body.data[i] == 'x'; i++) { }
                CHECK(i == read && v->body.data[i] == 0);
                CHECK(attr(v->attrs, "i")->as.i == (int64_t)read && attr(v->attrs, "b")->as.b == (read % 2 == 1));
            }
        }
    }
    stop();
}

static void test_context(void) {
    tel_context nothing = context_of(0, 0), given = context_of(6, 3);
    tel_log_desc d;
    start();
    memset(&d, 0, sizeof d);
    d.body = "x";
    TEL_SPAN(s, "current") {
        tel_log(TEL_INFO, "inside", TEL_NOATTRS);
        CHECK(memcmp(last()->context.span_id, s->context.span_id, 8) == 0 && last()->context.flags == 3);
        tel_logf(TEL_INFO, "%d", 1);
        CHECK(memcmp(last()->context.trace_id, s->context.trace_id, 16) == 0);
        tel_logf(TEL_INFO, "%600d", 1);
        CHECK(memcmp(last()->context.trace_id, s->context.trace_id, 16) == 0);
        tel_log_ex(&d);
        CHECK(memcmp(last()->context.span_id, s->context.span_id, 8) == 0);
        d.context = &given;
        tel_log_ex(&d);
        CHECK(memcmp(last()->context.span_id, given.span_id, 8) == 0);
        d.context = &nothing;                                    /* given, and none: not the current one */
        tel_log_ex(&d);
        CHECK(zero(&last()->context, sizeof(tel_context)));
        TEL_ATTACH(NULL) {
            tel_log(TEL_INFO, "no trace", TEL_NOATTRS);
            CHECK(zero(&last()->context, sizeof(tel_context)));
        }
    }
    tel_log(TEL_INFO, "outside", TEL_NOATTRS);
    CHECK(zero(&last()->context, sizeof(tel_context)));
    stop();
    start_with(TEL_NEVER, 0);
    TEL_SPAN(s, "unsampled") {
        tel_log(TEL_INFO, "kept", TEL_NOATTRS);                  /* the log is kept, with the ids, and says: not sampled */
        CHECK(memcmp(last()->context.span_id, s->context.span_id, 8) == 0);
        CHECK_INT(last()->context.flags, 2);
    }
    CHECK_INT(tel_memory_read(&memory).span_count, 0);
    stop();
}

#define EACH 3000
static void* write_logs(void* arg) {
    int i;
    (void)arg;
    for (i = 0; i < EACH; i++) { tel_logf(TEL_INFO, "%d", i); }
    return NULL;
}

/* A small ring under four threads: what is delivered is whole and in order, the rest is counted. */
static void test_full(void) {
    pthread_t t[4];
    tel_stats s;
    int i;
    start_with(0, 4096);
    for (i = 0; i < 4; i++) { pthread_create(&t[i], NULL, write_logs, NULL); }
    for (i = 0; i < 4; i++) { pthread_join(t[i], NULL); }
    tel_flush(1000);
    s = tel_query_stats();
    CHECK_INT(s.recorded[2], 4 * EACH);
    CHECK_INT(s.recorded[2], s.dropped[2] + s.exported[2]);
    CHECK(s.dropped[2] > 0 && s.exported[2] > 0);
    stop();
    start_with(0, 1u << 20);
    write_logs(NULL);
    last();
    CHECK_INT(got.log_count, EACH);
    for (i = 0; i < EACH && i < (int)got.log_count; i++) {
        if (atoi(got.logs[i].body.data) != i) { CHECK_INT(atoi(got.logs[i].body.data), i); }
    }
    stop();
}

/* Text and attributes in one call, a body of known length, an error. */
static void list_form(const tel_log_desc* d, const char* format, ...) TEL__PRINTF(2, 3);
static void list_form(const tel_log_desc* d, const char* format, ...) {
    va_list args;
    va_start(args, format);
    tel_vlogf_ex(d, format, args);
    va_end(args);
}
static void test_desc_forms(void) {
    static const tel_scope scope = { "lib.net", "2", NULL, { NULL, 0 } };
    static char big[3000];
    tel_attr a = tel_int("a", 1);
    tel_error e = { "timeout", "no answer", NULL };
    tel_log_desc d;
    const tel_log_view* v;
    memset(big, 'b', sizeof big - 1);
    memset(&d, 0, sizeof d);
    start();
    d.severity = TEL_WARN;
    d.scope = &scope;
    d.attrs.items = &a;
    d.attrs.count = 1;
    d.event_name = "lib.event";
    d.unix_ns = 99;
    tel_logf_ex(&d, "%s is %d", "x", 5);
    v = last();
    CHECK(text_is(v->body, "x is 5") && text_is(v->scope->name, "lib.net") && v->severity == TEL_WARN && v->unix_ns == 99);
    CHECK(text_is(v->event_name, "lib.event") && v->attrs.count == 1 && attr(v->attrs, "a")->as.i == 1);
    list_form(&d, "%s!", big);                          /* printed a second time, into the ring */
    v = last();
    CHECK(v->body.size == 3000 && v->body.data[0] == 'b' && v->body.data[2999] == '!' && v->attrs.count == 1);
    d.body_text.data = "body of known length";
    d.body_text.size = 7;
    tel_log_ex(&d);
    CHECK(text_is(last()->body, "body of"));
    d.body_text.size = SIZE_MAX;
    tel_log_ex(&d);
    CHECK(text_is(last()->body, "body of known length"));
    d.body = "wins";
    tel_log_ex(&d);
    CHECK(text_is(last()->body, "wins"));
    tel_log_error(TEL_ERROR, "failed", &e, TEL_ATTRS(tel_str("peer", "db")));
    v = last();
    CHECK(text_is(v->body, "failed") && v->attrs.count == 3 && text_is(attr(v->attrs, "exception.type")->as.s, "timeout"));
    CHECK(text_is(attr(v->attrs, "exception.message")->as.s, "no answer") && text_is(attr(v->attrs, "peer")->as.s, "db"));
    tel_log_error(TEL_ERROR, NULL, NULL, TEL_NOATTRS);
    v = last();
    CHECK(v->attrs.count == 0 && v->body.size == 0);
    CHECK_INT(got.log_count, 7);
    stop();
}

/* What is below its level, or wanted by nobody, is not recorded, and is not a loss. */
static void test_levels(void) {
    static const tel_scope noisy = { "lib.noisy", NULL, NULL, { NULL, 0 } };
    tel_log_desc d;
    memset(&d, 0, sizeof d);
    d.scope = &noisy;
    d.severity = TEL_DEBUG;
    CHECK_INT(tel_log_level("*", TEL_INFO), TEL_ERR_STATE);
    CHECK(!tel_log_enabled(TEL_FATAL));
    start();
    CHECK(tel_log_enabled(TEL_TRACE) && tel_log_enabled(TEL_FATAL));
    CHECK_INT(tel_log_level(NULL, TEL_INFO), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_log_level("*", (tel_severity)25), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_log_level("*", TEL_WARN), TEL_OK);
    CHECK(!tel_log_enabled(TEL_INFO) && tel_log_enabled(TEL_WARN));
    tel_log(TEL_INFO, "no", TEL_NOATTRS);
    tel_logf(TEL_INFO, "no %d", 1);
    tel_log_error(TEL_INFO, "no", NULL, TEL_NOATTRS);
    tel_log_ex(&d);
    tel_logf_ex(&d, "no %d", 2);
    tel_log(TEL_WARN, "yes", TEL_NOATTRS);
    CHECK_INT(tel_log_level("lib.*", TEL_DEBUG), TEL_OK);
    tel_log_ex(&d);
    tel_logf_ex(&d, "yes %d", 3);
    tel_log(TEL_INFO, "no", TEL_NOATTRS);
    (void)last();
    CHECK_INT(got.log_count, 3);
    CHECK_INT(tel_query_stats().recorded[2], 3);
    stop();
    {
        tel_sink sink;
        tel_desc desc;
        memset(&desc, 0, sizeof desc);
        memset(&memory, 0, sizeof memory);
        sink = tel_sink_memory(&memory);
        desc.sinks = &sink;
        desc.sink_count = 1;
        desc.ignore_env = desc.no_thread = desc.no_self_metrics = true;
        desc.diag.report_fn = hear;
        desc.min_severity = (tel_severity)25;
        CHECK_INT(tel_init(&desc), TEL_ERR_ARGUMENT);
        desc.min_severity = TEL_ERROR;
        CHECK_INT(tel_init(&desc), TEL_OK);
        CHECK_INT(tel_query_desc().min_severity, TEL_ERROR);
        tel_log(TEL_WARN, "no", TEL_NOATTRS);
        tel_log(TEL_ERROR, "yes", TEL_NOATTRS);
        tel_log_ex(&d);
        CHECK_INT(tel_query_stats().recorded[2], 1);
        stop();
        memset(&memory, 0, sizeof memory);
        sink = tel_sink_memory(&memory);
        sink.signal_mask = TEL_SIGNAL_SPANS;            /* no sink wants logs */
        desc.min_severity = (tel_severity)0;
        CHECK_INT(tel_init(&desc), TEL_OK);
        tel_log(TEL_FATAL, "no", TEL_NOATTRS);
        tel_log((tel_severity)0, "no", TEL_NOATTRS);
        tel_log_ex(&d);
        CHECK(!tel_log_enabled(TEL_FATAL));
        CHECK_INT(tel_query_stats().recorded[2], 0);
        stop();
    }
}

/* ---- floods ---- */

static tel_log_limit flood;
static uint32_t through, counted;
static void* ask_often(void* arg) {
    int i;
    (void)arg;
    for (i = 0; i < 5000; i++) {
        uint32_t n = tel_log_due(&flood, 3600000);
        if (n) { __atomic_fetch_add(&through, 1, __ATOMIC_RELAXED); __atomic_fetch_add(&counted, n, __ATOMIC_RELAXED); }
    }
    return NULL;
}

/* One record per interval, whoever asks; when the interval has passed, those held back are told. */
static void test_floods(void) {
    pthread_t thread[4];
    int i;
    for (i = 0; i < 4; i++) { pthread_create(&thread[i], NULL, ask_often, NULL); }
    for (i = 0; i < 4; i++) { pthread_join(thread[i], NULL); }
    CHECK_INT(through, 1);
    flood.tel__next -= 2 * 3600000 / 16;                /* as if two hours had passed: 16 ms each */
    CHECK_INT(tel_log_due(&flood, 3600000) + counted, 20001);
    CHECK_INT(tel_log_due(&flood, 3600000), 0);
    flood.tel__next = (flood.tel__next - 3600000 / 16 - 4) | 1u;
    CHECK_INT(tel_log_due(&flood, 0), 2);
    start();
    for (i = 0; i < 100; i++) { TEL_LOG_EVERY(3600000, TEL_WARN, "full", TEL_ATTRS(tel_int("a", i), tel_int("b", 1))); }
    CHECK_STR(last()->body.data, "full");
    CHECK_INT(last()->attrs.count, 2);
    CHECK_INT(got.log_count, 1);
    stop();
}

/* ---- the whole record: the source's severity, the observed time, a structured body ---- */

static const char* sent(const tel_log_view* v) {
    static char json[16384];
    tel__text_out o = tel__text_fixed(json, sizeof json - 1);
    tel_batch b;
    memset(&b, 0, sizeof b);
    b.logs = v;
    b.log_count = 1;
    CHECK_INT(tel__otlp_encode_as(&b, TEL_SIGNAL_LOGS, false, &o), TEL_OK);
    json[o.size] = 0;
    return json;
}

static void test_record(void) {
    static char longest[5000];
    tel__log_parts parts;
    const tel_log_view* v;
    tel_attr body;
    tel_log_desc d;
    memset(&d, 0, sizeof d);
    start();
    d.severity = (tel_severity)10;
    d.severity_text = "notice";
    d.body = "text";
    d.unix_ns = 5;
    d.observed_unix_ns = 7;
    tel_log_ex(&d);
    v = last();
    CHECK(text_is(v->severity_text, "notice") && v->unix_ns == 5 && v->observed_unix_ns == 7 && v->body_value.type == TEL_TYPE_NONE);
    CHECK(strstr(sent(v), "\"observedTimeUnixNano\":\"7\",\"severityNumber\":10,\"severityText\":\"notice\",\"body\":{\"stringValue\":\"text\"}"));
    d.severity = (tel_severity)0;
    tel_logf_ex(&d, "%d", 4);
    v = last();
    CHECK(text_is(v->body, "4") && text_is(v->severity_text, "notice"));
    CHECK(strstr(sent(v), "severityNumber") == NULL && strstr(sent(v), "\"severityText\":\"notice\""));
    memset(&d, 0, sizeof d);
    body = tel_map("its key does not matter", TEL_ATTRS(tel_int("n", 1), tel_list("l", TEL_ATTRS(tel_str("", "x"), tel_bool("", true)))));
    d.body_value = &body;
    d.body = "not this";
    d.attrs = TEL_ATTRS(tel_int("a", 3));
    tel_log_ex(&d);
    v = last();
    CHECK(text_is(v->body, "{\"n\":1,\"l\":[\"x\",true]}") && v->body_value.type == TEL_TYPE_MAP && v->severity_text.data == NULL);
    CHECK(v->attrs.count == 1 && attr(v->attrs, "a")->as.i == 3 && v->observed_unix_ns == v->unix_ns);
    CHECK(strstr(sent(v), "\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"n\",\"value\":{\"intValue\":\"1\"}},{\"key\":\"l\","));
    body = tel_double("", 0.5);
    tel_log_ex(&d);
    CHECK(strstr(sent(last()), "\"body\":{\"doubleValue\":0.5}"));
    body = tel_bytes("", "\xff\x00", 2);
    tel_log_ex(&d);
    CHECK(strstr(sent(last()), "\"body\":{\"bytesValue\":\"/wA=\"}"));
    body = tel_map("", TEL_NOATTRS);
    tel_log_ex(&d);
    CHECK(strstr(sent(last()), "\"body\":{\"kvlistValue\":{\"values\":[]}}"));
    tel_logf_ex(&d, "the text of %s", "logf");         /* replaces the body, whatever that is */
    CHECK(text_is(last()->body, "the text of logf") && last()->body_value.type == TEL_TYPE_NONE);
    tel_logf_ex(&d, "%ls", L"wide");
    CHECK(text_is(last()->body, "wide") && last()->body_value.type == TEL_TYPE_NONE);
    memset(&body, 0, sizeof body);                      /* the empty value is no text */
    tel_log_ex(&d);
    CHECK(last()->body.data == NULL && strstr(sent(last()), "\"body\"") == NULL);
    strcpy(longest, "short");                           /* what another thread makes longer meanwhile is cut */
    body = tel_str("", longest);
    d.severity_text = longest;
    CHECK(tel__log_begin_desc(tel__thread_me.tracer, &d, &parts));
    strcpy(longest, "much longer than it was when it was measured");
    tel__log_write_attrs(tel__thread_me.tracer, &parts, TEL_NOATTRS, TEL_NOATTRS);
    CHECK(text_is(last()->body, "much ") && text_is(last()->severity_text, "much "));
    d.severity_text = NULL;
    memset(longest, 'x', sizeof longest - 1);
    body = tel_list("", TEL_ATTRS(tel_str("", longest)));
    tel_log_ex(&d);
    CHECK_INT(last()->body.size, sizeof longest - 1 + 4);
    stop();
}

/* A body is hidden as a whole if something in it is; so is its text. */
static void test_record_hidden(void) {
    static tel_scope secret = { "lib.secret", NULL, NULL, { NULL, 0 } };
    static const tel_processor none;
    tel_processor redact = none;
    tel_attr body = tel_map("", TEL_ATTRS(tel_str("password", "hunter2")));
    const tel_log_view* v;
    tel_log_desc d;
    tel_sink sink;
    tel_desc desc;
    memset(&desc, 0, sizeof desc);
    memset(&d, 0, sizeof d);
    memset(&memory, 0, sizeof memory);
    redact = tel_processor_redact(NULL);
    sink = tel_sink_memory(&memory);
    sink.signal_mask = TEL_SIGNAL_LOGS;
    desc.sinks = &sink;
    desc.sink_count = desc.processor_count = 1;
    desc.processors = &redact;
    desc.ignore_env = desc.no_thread = true;
    CHECK_INT(tel_init(&desc), TEL_OK);
    d.body_value = &body;
    tel_log_ex(&d);
    v = last();
    CHECK(text_is(v->body, "[REDACTED]") && v->body_value.type == TEL_TYPE_NONE);
    body = tel_map("", TEL_ATTRS(tel_str("open", "fine")));
    secret.attrs = TEL_ATTRS(tel_str("db.password", "hunter2"), tel_str("kind", "static"));
    d.scope = &secret;
    tel_log_ex(&d);
    v = last();
    CHECK_STR(attr(v->scope->attrs, "db.password")->as.s.data, "[REDACTED]");
    CHECK_STR(attr(v->scope->attrs, "kind")->as.s.data, "static");
    CHECK(text_is(v->body, "{\"open\":\"fine\"}") && v->body_value.type == TEL_TYPE_MAP);
    stop();
}

/* ---- who is asked whether a record is wanted ---- */

static int asked;
static bool refuse_debug(const tel_log_desc* like, void* user_data) {
    asked++;
    return !(like->severity == TEL_DEBUG || (like->event_name && strcmp(like->event_name, (const char*)user_data) == 0));
}

static void test_enabled(void) {
    static const tel_scope lib = { "lib", NULL, NULL, { NULL, 0 } };
    static tel_processor processors[2];
    static char noise[] = "noise";
    tel_context dark = context_of(1, 0), lit = context_of(2, 1), none;
    tel_log_desc d;
    tel_sink sink;
    tel_desc desc;
    tel_token token;
    memset(&none, 0, sizeof none);
    memset(&desc, 0, sizeof desc);
    memset(&d, 0, sizeof d);
    memset(&memory, 0, sizeof memory);
    CHECK(!tel_log_enabled_ex(&d) && !tel_log_enabled_ex(NULL));
    processors[1].log_enabled = refuse_debug;
    processors[1].user_data = noise;
    sink = tel_sink_memory(&memory);
    desc.sinks = &sink;
    desc.sink_count = 1;
    desc.processors = processors;
    desc.processor_count = 2;
    desc.log_sampled_only = true;
    desc.ignore_env = desc.no_thread = desc.no_self_metrics = true;
    CHECK_INT(tel_init(&desc), TEL_OK);
    CHECK(!tel_log_enabled_ex(NULL));
    CHECK(tel_log_enabled(TEL_INFO) && !tel_log_enabled(TEL_DEBUG) && asked == 2);
    d.severity = TEL_INFO;
    CHECK(tel_log_enabled_ex(&d));
    d.event_name = "noise";
    CHECK(!tel_log_enabled_ex(&d));
    d.event_name = NULL;
    d.scope = &lib;
    CHECK_INT(tel_log_level("lib", TEL_WARN), TEL_OK);
    CHECK(!tel_log_enabled_ex(&d) && asked == 4);              /* the level is enough */
    d.severity = TEL_WARN;
    CHECK(tel_log_enabled_ex(&d));
    d.context = &dark;
    CHECK(!tel_log_enabled_ex(&d));
    d.context = &lit;
    CHECK(tel_log_enabled_ex(&d));
    d.context = &none;
    CHECK(tel_log_enabled_ex(&d));
    /* and so are the records */
    d.body = "yes";
    tel_log_ex(&d);
    d.context = &dark;
    tel_log_ex(&d);
    tel_logf_ex(&d, "no %d", 1);
    token = tel_attach(&dark);
    CHECK(!tel_log_enabled(TEL_FATAL));
    tel_log(TEL_FATAL, "no", TEL_NOATTRS);
    tel_log(TEL_FATAL, "no", TEL_ATTRS(tel_int("a", 1)));
    tel_logf(TEL_FATAL, "no %d", 1);
    tel_log_error(TEL_FATAL, "no", NULL, TEL_NOATTRS);
    d.context = &lit;
    tel_log_ex(&d);
    tel_detach(token);
    tel_log(TEL_DEBUG, "recording does not ask", TEL_NOATTRS);
    (void)last();
    CHECK_INT(got.log_count, 3);
    CHECK_INT(tel_query_stats().recorded[2], 3);
    CHECK_INT(tel_query_stats().dropped[2], 0);
    stop();
}

int main(void) {
    test_floods();
    test_desc_forms();
    test_levels();
    tel_log(TEL_INFO, "nothing is initialised", TEL_NOATTRS);
    tel_logf(TEL_INFO, "%s", "nothing");
    test_fields();
    test_severity();
    test_format();
    test_refused();
    test_kept();
    test_evaluated();
    test_kept_with();
    test_bytes();
    test_terminated();
    test_attributes();
    test_sizes();
    test_context();
    test_full();
    test_record();
    test_record_hidden();
    test_enabled();
    return check_done();
}
