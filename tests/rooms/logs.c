/* Room test of R14 >>logs: every field, severities, printf bodies of every size, attributes and their limits, contexts. */
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
    sink.signal_mask = TEL_SPANS | TEL_LOGS;
    memset(&d, 0, sizeof d);
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_thread = d.no_self_metrics = true;
    d.sample_ratio = ratio;
    d.ring_bytes = ring_bytes;
    d.diag.func = hear;
    d.clock_ns = test_clock;
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
    tel_logf(TEL_INFO, "%s", x);                                 /* over a quarter of the ring */
    tel_log(TEL_INFO, x, TEL_NOATTRS);
    tel_log(TEL_INFO, "b", TEL_ATTRS(tel_str("x", x)));
    CHECK_INT(tel_query_stats().dropped[2], dropped + 3);
    {   /* the largest that fits, and one eight bytes more */
        int most = 65536 - (int)sizeof(tel__log_record) - (int)tel__attr_item_size(0, 0) + 6;
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
    sink.signal_mask = TEL_LOGS;
    sink.user_data = &seen;
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_thread = d.no_self_metrics = true;
    d.diag.func = hear;
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
        TEL_WITH(NULL) {
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

int main(void) {
    tel_log(TEL_INFO, "nothing is initialised", TEL_NOATTRS);
    tel_logf(TEL_INFO, "%s", "nothing");
    test_fields();
    test_severity();
    test_format();
    test_refused();
    test_bytes();
    test_terminated();
    test_attributes();
    test_context();
    test_full();
    return check_done();
}
