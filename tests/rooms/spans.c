/* Room test of >>spans: contexts and sampling, what a span keeps and what it counts as lost, its pool and stale
   handles, the status table, the stack of contexts and its repair. Read back through the memory sink; the clock is a
   number of ours. Random attributes are checked against a model. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#if defined(__GLIBC__)                              /* musl has no swapcontext */
#include <ucontext.h>
#endif

/* ---- the rig ------------------------------------------------------------------------------------------ */

#define T0 UINT64_C(1700000000000000000)
#define LIMIT(record) ((record) - 8 - (uint32_t)sizeof(tel__span_record))

static uint64_t now = T0;
static tel_memory store;
static int detach_items, pool_items, deep_items;

static uint64_t test_clock(void* user_data) { (void)user_data; return now; }
static void hear(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)message; (void)line; (void)user_data;
    detach_items += item == (uint32_t)TEL__DIAG_DETACH;
    pool_items += item == (uint32_t)TEL__DIAG_SPAN_POOL;
    deep_items += item == (uint32_t)TEL__DIAG_DEPTH;
}

/* Zero: the default. */
/* record: bytes that a record may take, a power of two from 1 KiB; 0: the default. */
static void start_env(double ratio, uint32_t record, uint32_t live, bool env) {
    tel_desc d;
    tel_sink sink;
    memset(&d, 0, sizeof d);
    memset(&store, 0, sizeof store);
    sink = tel_sink_memory(&store);
    sink.signal_mask = TEL_SIGNAL_SPANS;
    now = T0;
    detach_items = pool_items = deep_items = 0;
    d.sinks = &sink;
    d.sink_count = 1;
    d.sample_ratio = ratio;
    d.ring_bytes = record * 16;
    d.max_live_spans = live;
    d.ignore_env = !env;
    d.no_thread = d.no_atexit = d.no_self_metrics = true;
    d.clock_fn = test_clock;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
}
static void start(double ratio, uint32_t record, uint32_t live) { start_env(ratio, record, live, false); }

/* All spans so far; their number is part of the test. */
static const tel_span_view* flush(size_t want) {
    static const tel_span_view none[8];
    tel_batch b;
    CHECK_INT(tel_flush(10000), TEL_OK);
    b = tel_memory_read(&store);
    CHECK_INT(b.span_count, want);
    return b.span_count == want && want ? b.spans : none;
}
static void stop(void) {
    tel_stats s;
    CHECK_INT(tel_flush(10000), TEL_OK);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], s.dropped[1] + s.exported[1]);
    CHECK(s.failed[1] == 0 && s.queued[1] == 0);
    CHECK_INT(s.spans_live, 0);
    tel_shutdown(10000);
    tel_memory_clear(&store);
}

static const tel_attr* attr(tel_attrs attrs, const char* key) {
    size_t i;
    for (i = 0; i < attrs.count; i++) { if (strcmp(attrs.items[i].key, key) == 0) { return &attrs.items[i]; } }
    return NULL;
}
static bool no_key_twice(tel_attrs attrs) {
    size_t i;
    for (i = 0; i < attrs.count; i++) { if (attr(attrs, attrs.items[i].key) != &attrs.items[i]) { return false; } }
    return true;
}
static int64_t int_of(tel_attrs attrs, const char* key) {
    const tel_attr* a = attr(attrs, key);
    return a && a->type == TEL_TYPE_INT ? a->as.i : INT64_MIN;
}
static const char* text_of(tel_attrs attrs, const char* key) {
    const tel_attr* a = attr(attrs, key);
    return a && a->type == TEL_TYPE_STRING && strlen(a->as.s.data) == a->as.s.size ? a->as.s.data : "(none)";
}
static bool empty_id(const uint8_t* id, size_t n) {
    while (n--) { if (id[n]) { return false; } }
    return true;
}
static tel_context context_of(uint8_t seed, uint8_t flags, uint8_t remote) {
    tel_context c;
    memset(&c, 0, sizeof c);
    memset(c.trace_id, seed, sizeof c.trace_id);
    memset(c.span_id, seed + 1, sizeof c.span_id);
    c.flags = flags;
    c.remote = remote;
    return c;
}
static tel_span child_of(const tel_context* parent) {
    tel_span_desc d;
    memset(&d, 0, sizeof d);
    d.name = "child";
    d.parent = parent;
    return tel_span_start_ex(&d);
}
static tel_span root_of(const char* name) {
    tel_span_desc d;
    memset(&d, 0, sizeof d);
    d.name = name;
    d.root = true;
    return tel_span_start_ex(&d);
}

/* ---- parents ------------------------------------------------------------------------------------------ */

static void test_parents(void) {
    tel_context far = context_of(0x40, 1, 1), none;
    tel_span root, child, other, remote, orphan;
    const tel_span_view* v;
    tel_token token;
    memset(&none, 0, sizeof none);
    start(1, 0, 0);
    CHECK(!tel__context_valid(&none));
    root = tel_span_start("root");
    CHECK(tel__context_valid(&root.context) && root.context.flags == 3 && !root.context.remote);
    token = tel_attach(&root.context);
    CHECK(memcmp(tel_current().span_id, root.context.span_id, 8) == 0);
    child = tel_span_start("child");                    /* of the current span */
    other = root_of("other");                           /* although there is a current span */
    remote = child_of(&far);
    orphan = child_of(&none);
    CHECK(memcmp(child.context.trace_id, root.context.trace_id, 16) == 0);
    CHECK(memcmp(child.context.span_id, root.context.span_id, 8) != 0);
    CHECK(memcmp(other.context.trace_id, root.context.trace_id, 16) != 0);
    CHECK(memcmp(remote.context.trace_id, far.trace_id, 16) == 0 && !remote.context.remote);
    CHECK(memcmp(orphan.context.trace_id, root.context.trace_id, 16) != 0);
    tel_detach(token);
    CHECK(empty_id(tel_current().trace_id, 16));
    tel_span_end(&root);
    tel_span_end(&child);
    tel_span_end(&other);
    tel_span_end(&remote);
    tel_span_end(&orphan);
    v = flush(5);
    CHECK(empty_id(v[0].parent_span_id, 8) && !v[0].parent_remote);
    CHECK(memcmp(v[1].parent_span_id, root.context.span_id, 8) == 0 && !v[1].parent_remote);
    CHECK(memcmp(&v[1].context, &child.context, sizeof child.context) == 0);
    CHECK(empty_id(v[2].parent_span_id, 8));
    CHECK(memcmp(v[3].parent_span_id, far.span_id, 8) == 0 && v[3].parent_remote);
    CHECK(empty_id(v[4].parent_span_id, 8) && !v[4].parent_remote);
    child = child_of(&root.context);                    /* an ended span may still be a parent */
    tel_span_end(&child);
    v = flush(6);
    CHECK(memcmp(v[5].parent_span_id, root.context.span_id, 8) == 0);
    token = tel_attach(&far);                           /* a remote context that is current */
    CHECK_INT(tel_current().remote, 1);
    child = tel_span_start("under far");
    tel_detach(token);
    tel_span_end(&child);
    v = flush(7);
    CHECK(v[6].parent_remote && memcmp(v[6].parent_span_id, far.span_id, 8) == 0 && !v[6].context.remote);
    stop();
}

/* ---- sampling and flags (Trace Context Level 2, "Random Trace ID Flag") -------------------------------- */

static void test_flags(void) {
    static const uint8_t parents[] = { 0x00, 0x01, 0x02, 0x03, 0xfd, 0xff };
    static const uint8_t children[] = { 0x00, 0x01, 0x02, 0x03, 0x01, 0x03 };
    size_t i;
    start(TEL_NEVER, 0, 0);
    for (i = 0; i < TEL__ARRAY_SIZE(parents); i++) {
        tel_context parent = context_of((uint8_t)(0x10 + i), parents[i], (uint8_t)(i & 1));
        tel_span s = child_of(&parent);
        CHECK_INT(s.context.flags, children[i]);
        CHECK_INT(tel_span_recording(&s), children[i] & 1);
        CHECK(memcmp(s.context.span_id, parent.span_id, 8) != 0 && !empty_id(s.context.span_id, 8));
        CHECK(memcmp(s.context.trace_id, parent.trace_id, 16) == 0);
        tel_span_end(&s);
    }
    for (i = 0; i < 100; i++) {                         /* roots: always_off */
        tel_span s = tel_span_start("off"), c;
        CHECK_INT(s.context.flags, 2);
        CHECK(tel__context_valid(&s.context) && !tel_span_recording(&s));
        c = child_of(&s.context);                       /* unsampled, and still an id of its own */
        CHECK(c.context.flags == 2 && memcmp(c.context.trace_id, s.context.trace_id, 16) == 0);
        CHECK(memcmp(c.context.span_id, s.context.span_id, 8) != 0 && !empty_id(c.context.span_id, 8));
        tel_span_set(&c, tel_int("a", 1));
        tel_span_event(&c, "e", TEL_NOATTRS);
        tel_span_end(&c);
        tel_span_end(&s);
    }
    flush(4);
    CHECK_INT(tel_query_stats().recorded[1], 4);        /* what is not sampled is not lost */
    stop();
}

static bool in_ratio(const tel__span_sampler* sampler, const uint8_t trace_id[16]) {
    uint64_t low;
    memcpy(&low, trace_id + 8, 8);
    return tel__span_decide(sampler, NULL, low);
}

static void test_ratio(void) {
    uint32_t i, sampled = 0, wrong = 0;
    tel_context low = context_of(0x01, 0, 0), high = context_of(0xfe, 0, 0);
    tel__span_sampler sampler;
    start(0.25, 0, 0);
    for (i = 0; i < 4000; i++) {
        tel_span s = tel_span_start("r");
        wrong += (s.context.trace_id[9] >= 0xc0) != (s.context.flags & 1);      /* T = 3/4 of 2^56 */
        wrong += tel_span_recording(&s) != ((s.context.flags & 1) != 0);
        sampled += s.context.flags & 1u;
        tel_span_end(&s);
    }
    CHECK_INT(wrong, 0);
    CHECK(sampled > 700 && sampled < 1300);
    CHECK(!tel_span_recording(&(tel_span){ high, 0, 0 }));
    {   /* parents decide, whatever their trace id says */
        tel_span a, b;
        high.flags = 2;
        low.flags = 3;
        a = child_of(&high);
        b = child_of(&low);
        CHECK(a.context.flags == 2 && b.context.flags == 3);
        tel_span_end(&a);
        tel_span_end(&b);
    }
    flush(sampled + 1);
    stop();
    sampler.parent_based = true;                        /* monotone, with exact ends */
    for (i = 0; i < 64; i++) {
        uint8_t id[16] = { 0 };
        id[9] = (uint8_t)(i * 4);
        sampler.threshold = 0;
        CHECK(in_ratio(&sampler, id));
        sampler.threshold = (uint64_t)1 << 56;
        CHECK(!in_ratio(&sampler, id));
        sampler.threshold = (uint64_t)id[9] << 48;
        CHECK(in_ratio(&sampler, id));
        sampler.threshold++;
        CHECK(!in_ratio(&sampler, id));
        id[0] = id[8] = 0xff;                           /* only the low 56 bits count */
        CHECK(!in_ratio(&sampler, id));
    }
}

/* A sampler that is not parent-based looks at the trace id of children too. */
static void test_not_parent_based(void) {
    tel_context low = context_of(0x01, 3, 0), high = context_of(0xfe, 2, 0);
    tel_span a, b;
    setenv("OTEL_TRACES_SAMPLER", "traceidratio", 1);
    setenv("OTEL_TRACES_SAMPLER_ARG", "0.5", 1);
    start_env(0, 0, 0, true);
    a = child_of(&low);
    b = child_of(&high);
    CHECK(a.context.flags == 2 && !tel_span_recording(&a));
    CHECK(b.context.flags == 3 && tel_span_recording(&b));
    tel_span_end(&a);
    tel_span_end(&b);
    flush(1);
    stop();
    setenv("OTEL_TRACES_SAMPLER", "always_on", 1);
    start_env(0, 0, 0, true);
    a = child_of(&high);
    CHECK(a.context.flags == 3 && tel_span_recording(&a));
    tel_span_end(&a);
    stop();
    setenv("OTEL_TRACES_SAMPLER", "always_off", 1);
    start_env(0, 0, 0, true);
    a = child_of(&low);
    CHECK(a.context.flags == 2 && !tel_span_recording(&a));
    stop();
    setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off", 1);
    start_env(0, 0, 0, true);
    a = child_of(&low);
    b = tel_span_start("root");
    CHECK(a.context.flags == 3 && b.context.flags == 2);
    tel_span_end(&a);
    stop();
    unsetenv("OTEL_TRACES_SAMPLER");
    unsetenv("OTEL_TRACES_SAMPLER_ARG");
}

/* ---- fields ------------------------------------------------------------------------------------------- */

static void test_fields(void) {
    static const tel_attr of_scope[] = { { "team", TEL_TYPE_INT, 4, { .i = 7 } } };
    static const tel_scope scope = { "lib", "1.2", "http://schema", { of_scope, 1 } };
    static const tel_span_kind kinds[] = { TEL_SPAN_INTERNAL, TEL_SPAN_SERVER, TEL_SPAN_CLIENT, TEL_SPAN_PRODUCER,
                                           TEL_SPAN_CONSUMER };
    tel_context to = context_of(0x60, 1, 1);
    const tel_attr attrs[] = { tel_int("a", 1), tel_str("b", "two"), tel_int("a", 3), tel_str("", "x"), tel_str(NULL, "y") };
    tel_link links[2];
    tel_span_desc d;
    tel_span s;
    const tel_span_view* v;
    size_t i;
    memset(links, 0, sizeof links);
    links[0].context = to;
    links[0].attrs = tel__attrs(attrs, 2);
    links[1].context = context_of(0x70, 0, 0);
    start(1, 0, 0);
    memset(&d, 0, sizeof d);
    d.name = "full";
    d.scope = &scope;
    d.attrs = tel__attrs(attrs, 5);
    d.links = links;
    d.link_count = 2;
    for (i = 0; i < 5; i++) {
        d.kind = kinds[i];
        s = tel_span_start_ex(&d);
        now += 1000;
        tel_span_end(&s);
    }
    v = flush(5);
    for (i = 0; i < 5; i++) {
        CHECK_INT(v[i].kind, kinds[i]);
        CHECK_STR(v[i].name.data, "full");
        CHECK(v[i].start_unix_ns == T0 + 1000 * i && v[i].end_unix_ns == v[i].start_unix_ns + 1000);
        CHECK_STR(v[i].scope->name.data, "lib");
        CHECK_STR(v[i].scope->version.data, "1.2");
        CHECK_STR(v[i].scope->schema_url.data, "http://schema");
        CHECK_INT(int_of(v[i].scope->attrs, "team"), 7);
        CHECK_INT(v[i].attrs.count, 2);
        CHECK_INT(int_of(v[i].attrs, "a"), 3);
        CHECK_STR(text_of(v[i].attrs, "b"), "two");
        CHECK_INT(v[i].link_count, 2);
        CHECK(memcmp(&v[i].links[0].context, &to, sizeof to) == 0 && v[i].links[0].attrs.count == 2);
        CHECK(v[i].links[1].context.trace_id[0] == 0x70 && v[i].links[1].attrs.count == 0);
        CHECK(v[i].status == TEL_STATUS_UNSET && v[i].status_message.size == 0 && v[i].event_count == 0);
        CHECK(v[i].dropped_attrs + v[i].dropped_events + v[i].dropped_links == 0);
    }
    stop();

    start(1, 0, 0);                                     /* no name, no scope, rename */
    s = tel_span_start(NULL);
    tel_span_end(&s);
    s = tel_span_start("before");
    tel_span_rename(&s, "between");
    tel_span_rename(&s, "after");
    tel_span_end(&s);
    s = tel_span_start("before");
    tel_span_rename(&s, NULL);
    tel_span_end(&s);
    v = flush(3);
    CHECK(v[0].name.size == 0 && v[0].name.data && v[0].scope && v[0].scope->name.size == 0);
    CHECK_STR(v[1].name.data, "after");
    CHECK_INT(v[2].name.size, 0);
    stop();
}

static void test_times(void) {
    tel_span_desc d;
    tel_span s;
    const tel_span_view* v;
    memset(&d, 0, sizeof d);
    start(1, 0, 0);
    d.start_unix_ns = T0 - 5000;                        /* started before we were asked */
    s = tel_span_start_ex(&d);
    now = T0 + 700;
    tel_span_event(&s, "later", TEL_NOATTRS);
    now = T0 + 1000;
    tel_span_end(&s);
    d.start_unix_ns = 0;
    s = tel_span_start_ex(&d);
    tel_span_end_at(&s, T0 + 1234);
    s = tel_span_start_ex(&d);
    tel_span_end_at(&s, T0 - 1);                        /* before the start: the start */
    s = tel_span_start_ex(&d);
    now = T0 + 2000;
    tel_span_end_at(&s, 0);
    d.start_unix_ns = 77;
    s = tel_span_start_ex(&d);
    tel_span_end_at(&s, 99);
    s = tel_span_start_ex(&d);
    tel_span_end_at(&s, 1);
    v = flush(6);
    CHECK(v[0].start_unix_ns == T0 - 5000 && v[0].end_unix_ns == T0 + 1000);
    CHECK(v[0].event_count == 1 && v[0].events[0].unix_ns == T0 + 700);
    CHECK(v[1].start_unix_ns == T0 + 1000 && v[1].end_unix_ns == T0 + 1234);
    CHECK(v[2].start_unix_ns == T0 + 1000 && v[2].end_unix_ns == T0 + 1000);
    CHECK(v[3].start_unix_ns == T0 + 1000 && v[3].end_unix_ns == T0 + 2000);
    CHECK(v[4].start_unix_ns == 77 && v[4].end_unix_ns == 99);
    CHECK(v[5].start_unix_ns == 77 && v[5].end_unix_ns == 77);
    stop();
}

/* ---- attributes ----------------------------------------------------------------------------------------- */

#define FIRST sizeof(((tel__span_slot*)0)->data)        /* what fits in one piece */
#define BLOCK sizeof(((tel__span_block*)0)->data)
static char big[20481];                                 /* letters that tell their places apart */

static tel_attr value(const char* key, unsigned choice, uint32_t salt) {
    static const size_t sizes[] = { 1, 0, 7, 23, 200, FIRST - 16, FIRST - 13, FIRST - 8, BLOCK - 14, BLOCK - 13, BLOCK - 12,
                                    1000, 5000, 20480 };
    switch (choice) {
    case 0: return tel_bool(key, salt & 1);
    case 1: return tel_int(key, (int64_t)salt - 1000);
    case 2: return tel_double(key, salt / 3.0);
    default: {
        size_t n = sizes[(choice - 3) % TEL__ARRAY_SIZE(sizes)];
        return tel_strn(key, big + (n < 20000 ? salt % 400 : 0), n);
    }
    }
}
static bool same(const tel_attr* have, const tel_attr* want) {
    if (have->type != want->type || strcmp(have->key, want->key) != 0) { return false; }
    switch (want->type) {
    case TEL_TYPE_BOOL: return have->as.b == want->as.b;
    case TEL_TYPE_INT: return have->as.i == want->as.i;
    case TEL_TYPE_DOUBLE: return have->as.d == want->as.d;
    default: return have->as.s.size == want->as.s.size && have->as.s.data[have->as.s.size] == 0 &&
                    memcmp(have->as.s.data, want->as.s.data, want->as.s.size) == 0;
    }
}

/* Every kind of value over every other one, between two neighbours that must not change. */
static void test_overwrite(void) {
    const unsigned kinds = 17;
    unsigned from, to;
    start(1, 0, 0);
    for (from = 0; from < kinds; from++) {
        for (to = 0; to < kinds; to++) {
            tel_attr want = value("key", to, to);
            const tel_span_view* v;
            size_t n = from * kinds + to;
            tel_span s = tel_span_start("overwrite");
            tel_span_set(&s, tel_str("before", "b"));
            tel_span_set(&s, value("key", from, 99));
            tel_span_set(&s, tel_int("after", 5));
            tel_span_set(&s, want);
            tel_span_set(&s, tel_int("last", (int64_t)n));
            tel_span_end(&s);
            v = flush(n + 1) + n;
            if (v->attrs.count != 4) { CHECK_INT(v->attrs.count, 4); continue; }
            CHECK(same(&v->attrs.items[1], &want));     /* in the place of the first setting */
            CHECK_STR(text_of(v->attrs, "before"), "b");
            CHECK(int_of(v->attrs, "after") == 5 && int_of(v->attrs, "last") == (int64_t)n && v->dropped_attrs == 0);
            CHECK_STR(v->attrs.items[2].key, "after");
        }
    }
    stop();
}

static void test_model(void) {
    static char keys[24][8];
    tel_attr model[24];
    uint32_t seed = 4711;
    size_t order[24], count, i, round, k;
    const tel_span_view* v;
    for (i = 0; i < 24; i++) { snprintf(keys[i], sizeof keys[i], "k%u", (unsigned)(i * i * 37)); }
    start(1, 0, 4096);
    for (round = 0; round < 60; round++) {
        tel_span s = tel_span_start("model");
        bool known[24] = { false };
        count = 0;
        for (i = 0; i < 48; i++) {
            unsigned choice;
            seed = seed * 1664525u + 1013904223u;
            k = (seed >> 8) % 24;
            choice = (seed >> 16) % (i % 8 ? 12 : 17);
            if (!known[k]) { known[k] = true; order[count++] = k; }
            model[k] = value(keys[k], choice, seed >> 20);
            tel_span_set(&s, model[k]);
            if (i % 16 == 3) { tel_span_event(&s, "e", TEL_ATTRS(tel_int(keys[k], 1), tel_str("x", "y"))); }
            if (i % 16 == 9) { tel_span_rename(&s, keys[k]); }
        }
        {   /* every key was found again, also behind long values */
            const tel__span_slot* slot = tel__span_slot_of(tel__thread_me.tracer->shared, &s);
            CHECK_INT(slot ? slot->attrs : 0, count);
        }
        tel_span_end(&s);
        v = flush(round + 1) + round;
        CHECK_INT(v->attrs.count, count);
        CHECK_INT(v->event_count, 3);
        CHECK_INT(v->dropped_attrs, 0);
        for (i = 0; i < count && i < v->attrs.count; i++) { CHECK(same(&v->attrs.items[i], &model[order[i]])); }
        for (i = 0; i < v->event_count; i++) {
            CHECK(v->events[i].attrs.count == 2 && v->events[i].dropped_attrs == 0);
            CHECK_STR(text_of(v->events[i].attrs, "x"), "y");
        }
    }
    stop();
}

/* ---- limits --------------------------------------------------------------------------------------------- */

static char names[200][8];
static tel_attr many[200];

static void test_counts(void) {
    tel_span s;
    const tel_span_view* v;
    size_t i;
    start(1, 0, 0);
    s = tel_span_start("counts");
    for (i = 0; i < 200; i++) { tel_span_set(&s, many[i]); }
    tel_span_set(&s, tel_int(names[5], 555));           /* over the limit, but not new */
    tel_span_set(&s, tel_str(names[6], "six"));
    tel_span_set(&s, tel_str(names[127], "last"));
    for (i = 0; i < 130; i++) { tel_span_event(&s, names[i], tel__attrs(many, i < 2 ? 128 + i : 0)); }
    for (i = 0; i < 131; i++) {
        tel_context to = context_of((uint8_t)(i + 1), 1, 0);
        tel_span_link(&s, &to, tel__attrs(many, i == 3 ? 200 : i == 4 ? 2 : 0));
    }
    tel_span_end(&s);
    v = flush(1);
    CHECK_INT(v->attrs.count, 128);
    CHECK_INT(v->dropped_attrs, 72);
    CHECK(no_key_twice(v->attrs));
    CHECK_INT(int_of(v->attrs, names[5]), 555);
    CHECK_STR(text_of(v->attrs, names[6]), "six");
    CHECK_STR(text_of(v->attrs, names[127]), "last");
    CHECK(!attr(v->attrs, names[128]));
    CHECK_INT(v->event_count, 128);
    CHECK_INT(v->dropped_events, 2);
    CHECK(v->events[0].attrs.count == 128 && v->events[0].dropped_attrs == 0);
    CHECK(v->events[1].attrs.count == 128 && v->events[1].dropped_attrs == 1);
    CHECK(v->events[2].attrs.count == 0 && v->events[2].dropped_attrs == 0);
    CHECK_STR(v->events[127].name.data, names[127]);
    CHECK_INT(v->link_count, 128);
    CHECK_INT(v->dropped_links, 3);
    CHECK(v->links[3].dropped_attrs == 72 && v->links[4].dropped_attrs == 0);
    CHECK(v->links[3].attrs.count == 128 && v->links[4].attrs.count == 2 && v->links[5].attrs.count == 0);
    CHECK(v->links[127].context.trace_id[0] == 128);
    stop();
}

static void test_sizes(void) {
    static char key[300];
    tel_span s;
    tel_context to = context_of(0x31, 1, 0), none;
    const tel_span_view* v;
    memset(&none, 0, sizeof none);
    memset(key, 'k', sizeof key - 1);
    start(1, 4096, 0);                                  /* 4 KiB in all per span */
    s = tel_span_start("sizes");
    tel_span_set(&s, tel_int(key, 1));                  /* keys of 299, 256 and 255 bytes */
    tel_span_set(&s, tel_str(key, "x"));
    tel_span_set(&s, tel_str(key + 43, "x"));
    tel_span_set(&s, tel_str(key + 44, "fits"));
    tel_span_set(&s, tel_int("", 1));                   /* not an attribute: not counted either */
    tel_span_set(&s, tel_str(NULL, "x"));
    tel_span_set(&s, tel_str("null", NULL));
    tel_span_set(&s, tel_strn("large", big, 5000));     /* more than a span may hold */
    tel_span_set(&s, tel_strn("half", big, 2000));
    tel_span_set(&s, tel_strn("half", big, 2001));      /* old and new do not fit together: the old one stays */
    tel_span_event(&s, key, TEL_ATTRS(tel_strn("x", big, 5000), tel_int(key, 1), tel_int("y", 2), tel_int("", 3)));
    tel_span_event(&s, NULL, TEL_NOATTRS);
    tel_span_link(&s, &none, TEL_NOATTRS);              /* says nothing */
    tel_span_link(&s, &none, TEL_ATTRS(tel_int("why", 1)));
    tel_span_link(&s, &to, TEL_ATTRS(tel_strn("x", big, 5000), tel_int("y", 2)));
    tel_span_end(&s);
    v = flush(1);
    CHECK_INT(v->attrs.count, 3);
    CHECK_INT(v->dropped_attrs, 5);
    CHECK_STR(text_of(v->attrs, key + 44), "fits");
    CHECK_STR(text_of(v->attrs, "null"), "");
    CHECK(attr(v->attrs, "half") && attr(v->attrs, "half")->as.s.size == 2000);
    CHECK_INT(v->event_count, 2);
    CHECK(v->events[0].name.size == 255 && v->events[1].name.size == 0);
    CHECK(v->events[0].attrs.count == 1 && v->events[0].dropped_attrs == 2 && int_of(v->events[0].attrs, "y") == 2);
    CHECK(v->link_count == 2 && v->dropped_links == 0);
    CHECK(v->links[0].attrs.count == 1 && empty_id(v->links[0].context.span_id, 8));
    CHECK(v->links[1].attrs.count == 1 && v->links[1].dropped_attrs == 1 && int_of(v->links[1].attrs, "y") == 2);
    stop();
}

/* A span may fill what a record may take to the last item, and never goes beyond. */
static void test_most(void) {
    uint32_t most, i;
    for (most = 1024; most <= 16384; most *= 4) {
        tel_span s;
        const tel_span_view* v;
        size_t want = 0, lost = 0;
        tel_context to = context_of(0x31, 1, 0);
        start(1, most, 0);
        s = tel_span_start("most");
        for (i = 0; i < 128; i++) {
            size_t n = i == 5 ? most / 2 : 300;
            tel_span_set(&s, tel_strn(names[i], big, n));
        }
        for (i = 0; i < 200; i++) { tel_span_event(&s, names[i], TEL_ATTRS(tel_int("n", 1))); }
        for (i = 0; i < 200; i++) { tel_span_link(&s, &to, TEL_NOATTRS); }
        tel_span_rename(&s, names[3]);
        {
            const tel__span_slot* slot = tel__span_slot_of(tel__thread_me.tracer->shared, &s);
            CHECK(slot && slot->total <= LIMIT(most) && slot->total + 64 > LIMIT(most));
        }
        tel_span_end(&s);
        v = flush(1);
        want = v->attrs.count;
        lost = v->dropped_attrs;
        CHECK_INT(want + lost, 128);
        CHECK(no_key_twice(v->attrs) && want > 0);
        CHECK_INT(v->event_count + v->dropped_events, 200);
        CHECK_INT(v->link_count + v->dropped_links, 200);
        for (i = 0; i < v->attrs.count; i++) {
            const tel_attr* a = &v->attrs.items[i];
            CHECK(memcmp(a->as.s.data, big, a->as.s.size) == 0 && (a->as.s.size == 300 || a->as.s.size == most / 2));
        }
        CHECK_INT(tel_query_stats().dropped[1], 0);
        stop();
    }
}

/* What an event says it lost is true even when the span is full to the last byte. */
static void test_lost_of_event(void) {
    uint32_t fill;
    for (fill = 0; fill < 96; fill += 8) {
        tel_span s;
        const tel_span_view* v;
        start(1, 1024, 0);
        s = tel_span_start("n");
        tel_span_set(&s, tel_strn("fill", big, 700 + fill));
        tel_span_event(&s, "e", TEL_ATTRS(tel_int("a", 1), tel_int("b", 1), tel_int("c", 1), tel_int("d", 1),
                                          tel_int("e", 1), tel_int("f", 1), tel_int("g", 1), tel_int("h", 1)));
        tel_span_end(&s);
        v = flush(1);
        if (v->event_count) { CHECK_INT(v->events[0].attrs.count + v->events[0].dropped_attrs + v->dropped_attrs, 8); }
        else { CHECK_INT(v->dropped_events, 1); }
        stop();
    }
}

/* One attribute that changes all the time does not eat the span. */
static void test_many_overwrites(void) {
    tel_span s;
    const tel_span_view* v;
    uint32_t i;
    start(1, 1024, 0);
    s = tel_span_start("busy");
    for (i = 0; i < 5000; i++) { tel_span_set(&s, tel_int("n", i)); }
    for (i = 0; i < 5000; i++) { tel_span_set(&s, tel_bool("n", i & 1)); }
    for (i = 0; i < 5000; i++) { tel_span_set(&s, tel_strn("state", big + i % 26, 5)); }
    for (i = 0; i < 5000; i++) { tel_span_rename(&s, i & 1 ? "odd" : "even"); tel_span_status(&s, TEL_STATUS_ERROR, i & 1 ? "1" : "0"); }
    tel_span_end(&s);
    v = flush(1);
    CHECK(v->dropped_attrs == 0 && v->attrs.count == 2 && v->attrs.items[0].type == TEL_TYPE_BOOL && v->attrs.items[0].as.b);
    CHECK(attr(v->attrs, "state") && memcmp(attr(v->attrs, "state")->as.s.data, big + 4999 % 26, 5) == 0);
    CHECK_STR(v->name.data, "odd");
    CHECK_STR(v->status_message.data, "1");
    stop();
}

/* Neither do values of all sizes and types: the last one counts, and the places stay. */
static void test_changing_sizes(void) {
    tel_span s;
    const tel_span_view* v;
    uint32_t i;
    start(1, 16384, 0);
    s = tel_span_start("busy");
    tel_span_set(&s, tel_str("first", "1"));
    for (i = 0; i < 20000; i++) {
        if (i % 7 == 6) { tel_span_set(&s, tel_int("state", i)); }
        else { tel_span_set(&s, tel_strn("state", big, i * 37 % 150)); }
        if (i % 5 == 0) { tel_span_set(&s, tel_strn("other", big + 1, i * 11 % 60)); }
    }
    tel_span_set(&s, tel_strn("state", big + 2, 77));
    tel_span_set(&s, tel_int("other", 5));
    tel_span_end(&s);
    v = flush(1);
    CHECK_INT(v->dropped_attrs, 0);
    CHECK_INT(v->attrs.count, 3);
    CHECK_STR(v->attrs.items[1].key, "state");
    CHECK_STR(v->attrs.items[2].key, "other");
    CHECK_INT(int_of(v->attrs, "other"), 5);
    CHECK(v->attrs.items[1].as.s.size == 77 && memcmp(v->attrs.items[1].as.s.data, big + 2, 77) == 0);
    stop();
}

/* A name of any length is kept whole or cut between characters, never lost. */
static void test_long_name(void) {
    static char umlauts[4001];
    tel_span s;
    const tel_span_view* v;
    size_t i;
    for (i = 0; i < 4000; i += 2) { memcpy(umlauts + i, "\xc3\xa4", 2); }
    start(1, 1024, 0);
    s = tel_span_start(umlauts);
    tel_span_set(&s, tel_int("a", 1));
    tel_span_end(&s);
    s = tel_span_start("short");
    tel_span_rename(&s, umlauts + 3700);
    tel_span_end(&s);
    s = tel_span_start("short");                        /* a new name and a message are cut like one at the start */
    tel_span_rename(&s, umlauts);
    tel_span_end(&s);
    s = tel_span_start("short");
    tel_span_status(&s, TEL_STATUS_ERROR, umlauts);
    tel_span_end(&s);
    v = flush(4);
    CHECK(v[2].name.size == v[0].name.size && v[3].status_message.size == v[0].name.size);
    CHECK(v[0].name.size > 400 && v[0].name.size < 512 && v[0].name.size % 2 == 0);
    CHECK((tel__text_clean(v[0].name.data, v[0].name.size, false) == v[0].name.size) && int_of(v[0].attrs, "a") == 1);
    CHECK_INT(v[1].name.size, 300);
    stop();
}

/* ---- the pool ------------------------------------------------------------------------------------------- */

static void test_pool(void) {
    tel_span s[20], extra;
    uint32_t i;
    tel_stats stats;
    const tel_span_view* v;
    start(1, 16384, 16);
    for (i = 0; i < 20; i++) { s[i] = tel_span_start("p"); }
    for (i = 0; i < 16; i++) { CHECK(tel_span_recording(&s[i])); }
    for (; i < 20; i++) {
        CHECK(!tel_span_recording(&s[i]) && s[i].context.flags == 3 && tel__context_valid(&s[i].context));
        tel_span_set(&s[i], tel_int("a", 1));
    }
    stats = tel_query_stats();
    CHECK(stats.recorded[1] == 4 && stats.dropped[1] == 4 && stats.spans_live == 16);
    tel_span_set(&s[0], tel_strn("long", big, 600));    /* no block left for it: counted in the span */
    tel_span_set(&s[0], tel_int("short", 1));
    tel_span_end(&s[1]);
    tel_span_set(&s[0], tel_strn("long", big, 600));    /* needs two, there is one: nothing half done */
    tel_span_set(&s[0], tel_strn("one", big, 400));
    extra = tel_span_start("p");
    CHECK(!tel_span_recording(&extra));
    tel_span_end(&s[2]);
    tel_span_end(&s[3]);
    tel_span_set(&s[0], tel_strn("long", big, 600));
    for (i = 0; i < 20; i++) { tel_span_end(&s[i]); }
    v = flush(16) + 3;                                  /* s[1] to s[3] ended before s[0] */
    CHECK_INT(v->dropped_attrs, 2);
    CHECK_INT(v->attrs.count, 3);
    CHECK(int_of(v->attrs, "short") == 1 && attr(v->attrs, "long") && attr(v->attrs, "long")->as.s.size == 600);
    CHECK_INT(pool_items, 1);
    stats = tel_query_stats();
    CHECK(stats.recorded[1] == 21 && stats.dropped[1] == 5 && stats.exported[1] == 16);
    for (i = 0; i < 16; i++) { s[i] = tel_span_start("q"); CHECK(tel_span_recording(&s[i])); }  /* all came back */
    for (i = 0; i < 16; i++) { tel_span_end(&s[i]); }
    stop();
}

/* A long value for which the pool is too small leaves no trace, wherever in the chain it began. */
static void test_pool_rollback(void) {
    uint32_t before, want, i;
    for (before = 0; before < 6; before++) {
        tel_span s, other;
        const tel_span_view* v;
        start(1, 65536, 16);
        s = tel_span_start("s");
        other = tel_span_start("other");
        for (i = 0; i < before; i++) { tel_span_set(&s, tel_strn(names[i], big + i, BLOCK - 64)); }
        for (want = 400; want <= 20000; want += 700) { tel_span_set(&s, tel_strn("huge", big, want)); }
        tel_span_set(&s, tel_strn("huge", big, 20000));
        tel_span_set(&s, tel_int("after", 1));
        for (i = 0; i < 8; i++) { tel_span_set(&other, tel_strn(names[i], "########", 8)); }
        tel_span_set(&other, tel_strn("all", big, 20000));
        for (i = 0; i < 8; i++) { tel_span_set(&other, tel_strn(names[100 + i], big, BLOCK - 64)); }   /* takes what was given back */
        tel_span_set(&s, tel_str("end", "e"));
        tel_span_end(&s);
        tel_span_end(&other);
        v = flush(2);
        CHECK_INT(v[0].attrs.count, before + 3);
        CHECK(v[0].dropped_attrs > 20 && no_key_twice(v[0].attrs));
        for (i = 0; i < before && i < v[0].attrs.count; i++) {
            CHECK(v[0].attrs.items[i].as.s.size == BLOCK - 64 && memcmp(v[0].attrs.items[i].as.s.data, big + i, BLOCK - 64) == 0);
        }
        CHECK(int_of(v[0].attrs, "after") == 1 && attr(v[0].attrs, "huge"));
        CHECK_STR(text_of(v[0].attrs, "end"), "e");
        CHECK(v[1].attrs.count >= 8 && !attr(v[1].attrs, "all"));
        {   /* and every block came back once */
            tel_span all[17];
            for (i = 0; i < 17; i++) { all[i] = tel_span_start("all"); CHECK_INT(tel_span_recording(&all[i]), i < 16); }
            for (i = 0; i < 17; i++) { tel_span_end(&all[i]); }
        }
        flush(18);
        stop();
    }
}

/* A name that needs a second block when there is none: shorter, but there. */
static void test_pool_name(void) {
    tel_span s;
    const tel_span_view* v;
    start(1, 16384, 1);
    big[1000] = 0;
    s = tel_span_start(big);
    big[1000] = 'x';
    CHECK(tel_span_recording(&s));
    tel_span_end(&s);
    v = flush(1);
    CHECK(v->name.size > 100 && memcmp(v->name.data, big, v->name.size) == 0);
    stop();
}

/* A full ring drops the new span, counts it, and keeps the slot. */
static void test_ring_full(void) {
    uint32_t i, round;
    tel_stats stats;
    start(1, 1024, 16);
    for (round = 0; round < 5; round++) {
        for (i = 0; i < 200; i++) { tel_span s = tel_span_start("full"); tel_span_set(&s, tel_int("i", i)); tel_span_end(&s); }
        CHECK_INT(tel_flush(10000), TEL_OK);
    }
    stats = tel_query_stats();
    CHECK(stats.recorded[1] == 1000 && stats.dropped[1] > 500 && stats.exported[1] >= 5 * 20);
    CHECK_INT(stats.dropped[1] + stats.exported[1], 1000);
    stop();
}

static void test_stale(void) {
    tel_span first, copy, second;
    const tel_span_view* v;
    start(1, 0, 4);
    first = tel_span_start("first");
    copy = first;
    tel_span_set(&copy, tel_int("via copy", 1));
    tel_span_end(&first);
    CHECK(!tel_span_recording(&first) && !tel_span_recording(&copy));
    second = tel_span_start("second");
    CHECK_INT(second.tel__slot, first.tel__slot);       /* the same slot: what the generation is for */
    tel_span_set(&first, tel_int("stale", 1));          /* after the end: nothing happens */
    tel_span_set_all(&copy, TEL_ATTRS(tel_int("stale", 1)));
    tel_span_event(&first, "stale", TEL_NOATTRS);
    tel_span_link(&first, &second.context, TEL_NOATTRS);
    tel_span_status(&first, TEL_STATUS_ERROR, "stale");
    tel_span_rename(&first, "stale");
    tel_span_end(&first);
    tel_span_end(&copy);
    tel_span_end_at(&copy, T0 + 9);
    CHECK(tel_span_recording(&second));
    tel_span_end(&second);
    tel_span_end(&second);
    v = flush(2);
    CHECK_INT(int_of(v[0].attrs, "via copy"), 1);
    CHECK_STR(v[1].name.data, "second");
    CHECK(v[1].attrs.count == 0 && v[1].event_count == 0 && v[1].link_count == 0 && v[1].status == TEL_STATUS_UNSET);
    stop();
    start(1, 0, 4);                                     /* a handle of an instance that is gone */
    CHECK(!tel_span_recording(&second));
    first = tel_span_start("new");
    tel_span_set(&second, tel_int("stale", 1));
    tel_span_end(&second);
    CHECK(tel_span_recording(&first));
    tel_span_end(&first);
    v = flush(1);
    CHECK_INT(v[0].attrs.count, 0);
    second.tel__slot = UINT32_MAX;                      /* no such slot */
    CHECK(!tel_span_recording(&second));
    tel_span_end(&second);
    stop();
}

/* Generations go round, and the pool stays whole: a month of spans in a moment. */
static void test_generations(void) {
    tel_span s, old;
    tel__spans* p;
    uint32_t i;
    start(1, 0, 1);
    s = tel_span_start("a");
    p = tel__thread_me.tracer->shared;
    tel_span_end(&s);
    tel__atomic_store_u32(&p->blocks[0].generation, UINT32_MAX - 1);
    for (i = 0; i < 4; i++) {
        s = tel_span_start("b");
        CHECK_INT(s.tel__generation, (uint32_t)(UINT32_MAX - 1 + 2 * i));        /* the last bit tells shared spans */
        CHECK(tel_span_recording(&s));
        old = s;
        tel_span_end(&s);
        CHECK(!tel_span_recording(&old));
    }
    flush(5);
    stop();
}

/* Handles of every instance before and of every parent before a fork miss, of whatever generation they are. */
static void test_epochs(void) {
    tel_span old, s;
    tel__spans* p;
    uint32_t i, missed = 0;
    start(1, 0, 1);
    old = tel_span_start("old");
    p = tel__thread_me.tracer->shared;
    for (i = 0; i < 4; i++) {
        tel__span_restart(p, ++tel__root.epoch);        /* what the child of a fork does, four deep */
        tel__thread_me.tracer->cached = 0;
        s = tel_span_start("new");
        old.tel__generation = s.tel__generation;        /* as if that many spans had been */
        missed += !tel_span_recording(&old) && tel_span_recording(&s);
        tel_span_end(&old);
        missed += tel_span_recording(&s);
        tel_span_end(&s);
    }
    CHECK_INT(missed, 8);
    CHECK_INT(tel_flush(10000), TEL_OK);
    tel_shutdown(10000);
    tel_memory_clear(&store);
    start(1, 0, 1);
    old = s;
    s = tel_span_start("next instance");
    old.tel__generation = s.tel__generation;
    CHECK(!tel_span_recording(&old) && tel_span_recording(&s));
    tel_span_end(&s);
    stop();
}

/* ---- threads ---------------------------------------------------------------------------------------------- */

static void* end_it(void* arg) {
    tel_span* s = (tel_span*)arg;
    tel_span_set(s, tel_str("thread", "other"));
    tel_span_set(s, tel_strn("long", big, 3000));
    tel_span_end(s);
    return NULL;
}
static void* many_spans(void* arg) {
    uint32_t i;
    (void)arg;
    for (i = 0; i < 3000; i++) {
        tel_span s = tel_span_start("busy"), c;
        tel_token t = tel_attach(&s.context);
        c = tel_span_start("child");
        tel_span_set(&c, tel_strn("x", big, i % 2000));
        tel_span_end(&c);
        tel_detach(t);
        tel_span_end(&s);
    }
    return NULL;
}
static void test_threads(void) {
    pthread_t h[4];
    tel_span s[4];
    const tel_span_view* v;
    tel_stats stats;
    int i;
    start(1, 16384, 64);
    for (i = 0; i < 4; i++) {
        s[i] = tel_span_start("moved");
        tel_span_set(&s[i], tel_str("thread", "first"));
        CHECK(pthread_create(&h[i], NULL, end_it, &s[i]) == 0);
    }
    for (i = 0; i < 4; i++) { pthread_join(h[i], NULL); CHECK(!tel_span_recording(&s[i])); }
    v = flush(4);
    for (i = 0; i < 4; i++) {
        CHECK_STR(text_of(v[i].attrs, "thread"), "other");
        CHECK_INT(strlen(text_of(v[i].attrs, "long")), 3000);
        CHECK_INT(v[i].attrs.count, 2);
    }
    for (i = 0; i < 4; i++) { CHECK(pthread_create(&h[i], NULL, many_spans, NULL) == 0); }
    for (i = 0; i < 20; i++) { tel_pump(10); }
    for (i = 0; i < 4; i++) { pthread_join(h[i], NULL); }
    CHECK_INT(tel_flush(10000), TEL_OK);
    stats = tel_query_stats();
    CHECK_INT(stats.recorded[1], 4 + 4 * 6000);
    CHECK_INT(stats.recorded[1], stats.dropped[1] + stats.exported[1]);
    CHECK(stats.spans_live == 0 && detach_items == 0);
    for (i = 0; i < 4; i++) { s[i] = tel_span_start("left"); tel_span_end(&s[i]); }
    stop();
}

/* What a thread leaves open on its stack ends with it. */
static void* leave_open(void* way) {
    TEL_SPAN(outer, "left outer") {
        TEL_SPAN(inner, "left inner") {
            tel_span_set(inner, tel_int("outer", tel_span_recording(outer)));
            if (way) { pthread_exit(NULL); }
            for (;;) {                                  /* no call that a sanitizer stands in for */
                sched_yield();
                pthread_testcancel();
            }
        }
    }
    return NULL;
}
static void test_ended_threads(void) {
    pthread_t h;
    int i;
    start(1, 0, 4);
    for (i = 0; i < 12; i++) {
        CHECK(pthread_create(&h, NULL, leave_open, i % 2 ? &h : NULL) == 0);
        if (i % 2 == 0) {
            while (tel_query_stats().spans_live < 2) { sched_yield(); }
            pthread_cancel(h);
        }
        pthread_join(h, NULL);
        CHECK_INT(tel_query_stats().spans_live, 0);
    }
    CHECK_INT(tel_query_stats().spans_leaked % 24, 0);  /* none where the compiler unwinds */
    {
        const tel_span_view* v = flush(24);
        CHECK_STR(v[0].name.data, "left inner");
        CHECK_STR(v[1].name.data, "left outer");
        CHECK(memcmp(v[0].parent_span_id, v[1].context.span_id, 8) == 0);
    }
    CHECK_INT(detach_items, 0);
    stop();
}

/* ---- status: Ok > Error > Unset --------------------------------------------------------------------------- */

static void test_status(void) {
    static const struct { tel_span_status_code from, to, want; const char* message; } table[] = {
        { TEL_STATUS_UNSET, TEL_STATUS_UNSET, TEL_STATUS_UNSET, "" },
        { TEL_STATUS_UNSET, TEL_STATUS_OK,    TEL_STATUS_OK,    "" },
        { TEL_STATUS_UNSET, TEL_STATUS_ERROR, TEL_STATUS_ERROR, "to" },
        { TEL_STATUS_OK,    TEL_STATUS_UNSET, TEL_STATUS_OK,    "" },
        { TEL_STATUS_OK,    TEL_STATUS_OK,    TEL_STATUS_OK,    "" },
        { TEL_STATUS_OK,    TEL_STATUS_ERROR, TEL_STATUS_OK,    "" },
        { TEL_STATUS_ERROR, TEL_STATUS_UNSET, TEL_STATUS_ERROR, "from" },
        { TEL_STATUS_ERROR, TEL_STATUS_OK,    TEL_STATUS_OK,    "" },
        { TEL_STATUS_ERROR, TEL_STATUS_ERROR, TEL_STATUS_ERROR, "to" },
    };
    const tel_span_view* v;
    tel_span s;
    size_t i, n = TEL__ARRAY_SIZE(table);
    start(1, 0, 0);
    for (i = 0; i < n; i++) {
        s = tel_span_start("s");
        tel_span_status(&s, table[i].from, "from");
        tel_span_status(&s, table[i].to, "to");
        tel_span_end(&s);
    }
    s = tel_span_start("s");                            /* the last message counts, also when it is none */
    tel_span_status(&s, TEL_STATUS_ERROR, "gone");
    tel_span_status(&s, TEL_STATUS_ERROR, NULL);
    tel_span_end(&s);
    s = tel_span_start("s");
    tel_span_status(&s, (tel_span_status_code)3, "no such code");
    tel_span_end(&s);
    v = flush(n + 2);
    for (i = 0; i < n; i++) {
        CHECK_INT(v[i].status, table[i].want);
        CHECK_STR(v[i].status_message.data, table[i].message);
    }
    CHECK(v[n].status == TEL_STATUS_ERROR && v[n].status_message.size == 0);
    CHECK(v[n + 1].status == TEL_STATUS_UNSET && v[n + 1].status_message.size == 0);
    stop();
}

/* ---- the stack of contexts --------------------------------------------------------------------------------- */

static void* detach_it(void* arg) { tel_detach(*(tel_token*)arg); return NULL; }

static void test_stack(void) {
    tel_context a = context_of(0x11, 1, 0), b = context_of(0x22, 1, 0);
    tel_token ta, tb;
    pthread_t h;
    start(1, 0, 0);
    ta = tel_attach(&a);
    tb = tel_attach(&b);
    CHECK_INT(tel_current().trace_id[0], 0x22);
    tel_detach(tb);
    CHECK_INT(tel_current().trace_id[0], 0x11);
    tb = tel_attach(NULL);                              /* no trace */
    CHECK(empty_id(tel_current().trace_id, 16));
    {
        tel_span s = tel_span_start("root");
        CHECK(s.context.trace_id[0] != 0x11 || s.context.trace_id[1] != 0x11);
        tel_span_end(&s);
    }
    tel_detach(tb);
    tel_detach(ta);
    CHECK(empty_id(tel_current().trace_id, 16));
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(detach_items, 0);
    ta = tel_attach(&a);
    tb = tel_attach(&b);
    tel_detach(ta);                                     /* wrong order: both are gone */
    CHECK(empty_id(tel_current().trace_id, 16));
    tel_detach(tb);
    CHECK(empty_id(tel_current().trace_id, 16));
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(detach_items, 1);                         /* twice, said once */
    stop();
    start(1, 0, 0);
    ta = tel_attach(&a);
    CHECK(pthread_create(&h, NULL, detach_it, &ta) == 0);
    pthread_join(h, NULL);
    CHECK_INT(tel_current().trace_id[0], 0x11);         /* the wrong thread changes nothing here */
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(detach_items, 1);
    tel_detach(ta);
    CHECK(empty_id(tel_current().trace_id, 16));
    memset(&ta, 0, sizeof ta);
    tel_detach(ta);                                     /* a token of no attach is silent */
    stop();
}

/* Nested as deep as there is room every context comes back; deeper ones are ignored, and that is said. */
#define DEEP 5600
static void test_deep(void) {
    static tel_token t[DEEP];
    static tel_span_scope scopes[DEEP];
    static tel_context parents[DEEP];
    tel_context c;
    uint32_t i, right = 0;
    const uint32_t room = 4 + 16 + 64 + 256 + 1024 + 4096 - 1;
    start(1, 0, 6000);
    for (i = 0; i < DEEP; i++) {
        c = context_of(1, 1, 0);
        memcpy(c.trace_id, &i, 4);
        t[i] = tel_attach(&c);
    }
    for (i = DEEP; i-- > 0;) {
        uint32_t want = i < room ? i : room - 1, have;
        c = tel_current();
        memcpy(&have, c.trace_id, 4);
        right += have == want;
        tel_detach(t[i]);
    }
    CHECK_INT(right, DEEP);
    CHECK(empty_id(tel_current().trace_id, 16));
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(detach_items, 0);
    CHECK_INT(deep_items, 1);
    for (right = i = 0; i < DEEP; i++) {        /* scoped spans beyond are spans all the same, and end */
        parents[i] = tel_current();
        tel_span_scope_begin(&scopes[i], "deep");
        right += i >= room || memcmp(tel_current().span_id, scopes[i].span.context.span_id, 8) == 0;
    }
    for (i = DEEP; i-- > 0;) {
        tel_span_scope_end(&scopes[i]);
        c = tel_current();
        right += memcmp(c.span_id, parents[i].span_id, 8) == 0;
    }
    CHECK_INT(right, 2 * DEEP);
    CHECK_INT(tel_query_stats().spans_leaked, 0);
    {
        const tel_span_view* v = flush(DEEP);
        for (right = i = 0; i < DEEP; i++) { right += memcmp(v[i].parent_span_id, parents[DEEP - 1 - i].span_id, 8) == 0; }
        CHECK_INT(right, DEEP);
    }
    CHECK_INT(detach_items, 0);
    stop();
}

/* Tokens that no attach gave, that come too late, or that are of another instance. */
static void test_tokens(void) {
    tel_context a = context_of(0x11, 1, 0), b = context_of(0x22, 1, 0);
    tel_token ta, tb, bad;
    tel_span_scope over;
    uint32_t i;
    start(1, 0, 0);
    ta = tel_attach(&a);
    for (i = 0; i < 40; i++) {
        bad.tel__thread = ta.tel__thread;
        bad.tel__entry = i < 32 ? UINT32_C(1) << i : UINT32_MAX - (i - 32);
        tel_detach(bad);
        CHECK_INT(tel_current().trace_id[0], 0x11);
    }
    tel_detach(ta);
    bad.tel__entry = UINT32_MAX;
    tel_detach(bad);                                    /* with an empty stack */
    CHECK(empty_id(tel_current().trace_id, 16));
    tb = tel_attach(&b);                                /* in the place where a was */
    tel_detach(ta);
    CHECK_INT(tel_current().trace_id[0], 0x22);
    tel_detach(tb);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(detach_items, 1);
    ta = tel_attach(&a);
    tel_span_scope_begin(&over, "over a restart");
    CHECK_INT(tel_flush(10000), TEL_OK);
    tel_shutdown(10000);
    tel_memory_clear(&store);
    start(1, 0, 0);
    tb = tel_attach(&b);
    tel_span_scope_end(&over);
    tel_detach(ta);
    CHECK_INT(tel_current().trace_id[0], 0x22);
    tel_detach(tb);
    CHECK(empty_id(tel_current().trace_id, 16));
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(detach_items, 0);                         /* the program did nothing wrong */
    stop();
}

/* A scope that was left without its end is closed when one below it ends, and counted. */
static void test_leaks(void) {
    tel_span_scope outer, inner, leaf;
    tel_token token;
    tel_context c = context_of(0x11, 1, 0);
    const tel_span_view* v;
    start(1, 0, 0);
    tel_span_scope_begin(&outer, "outer");
    tel_span_scope_begin(&inner, "inner");
    token = tel_attach(&c);
    tel_span_scope_begin(&leaf, "leaf");
    (void)token;
    now = T0 + 100;
    tel_span_scope_end(&outer);
    CHECK(empty_id(tel_current().trace_id, 16));
    CHECK_INT(tel_query_stats().spans_leaked, 2);
    CHECK_INT(tel_query_stats().spans_live, 0);
    CHECK(!tel_span_recording(&inner.span) && !tel_span_recording(&leaf.span));
    now = T0 + 200;
    tel_span_scope_end(&leaf);                          /* too late, and harmless */
    tel_span_scope_end(&inner);
    tel_span_scope_end(&outer);
    v = flush(3);
    CHECK_STR(v[0].name.data, "leaf");
    CHECK_STR(v[1].name.data, "inner");
    CHECK_STR(v[2].name.data, "outer");
    CHECK(v[0].end_unix_ns == T0 + 100 && v[1].end_unix_ns == T0 + 100 && v[2].end_unix_ns == T0 + 100);
    CHECK(memcmp(v[1].parent_span_id, v[2].context.span_id, 8) == 0);
    CHECK(memcmp(v[0].parent_span_id, c.span_id, 8) == 0);
    CHECK_INT(detach_items, 1);
    tel_span_scope_begin(&outer, "outer");              /* ended by hand inside: not leaked, ended once */
    tel_span_scope_begin(&inner, "inner");
    tel_span_end(&inner.span);
    tel_span_scope_end(&outer);
    CHECK_INT(tel_query_stats().spans_leaked, 2);
    flush(5);
    stop();
}

static void test_scoped(void) {
    tel_context c = context_of(0x77, 1, 1);
    const tel_span_view* v;
    int i;
    start(1, 0, 0);
    for (i = 0; i < 3; i++) {
        TEL_SPAN(s, "block") {
            tel_span_set(s, tel_int("i", i));
            if (i == 1) { break; }
            TEL_ATTACH(&c) { TEL_SPAN(in, "inside") { tel_span_status(in, TEL_STATUS_OK, NULL); } }
        }
    }
    CHECK(empty_id(tel_current().trace_id, 16));
    v = flush(5);
    CHECK(v[0].parent_remote && memcmp(v[0].parent_span_id, c.span_id, 8) == 0 && v[0].status == TEL_STATUS_OK);
    CHECK(int_of(v[1].attrs, "i") == 0 && int_of(v[2].attrs, "i") == 1 && int_of(v[4].attrs, "i") == 2);
    CHECK_INT(tel_query_stats().spans_leaked, 0);
    stop();
}

static void add_from_below(void) { tel_span_set(tel_current_span(), tel_bool("below", true)); }
static void test_scoped_desc(void) {
    static const tel_scope scope = { "lib", "2", NULL, { NULL, 0 } };
    tel_context c = context_of(0x55, 1, 1);
    tel_error error = { "timeout", "no answer", "at line 7" };
    tel_span_desc d;
    tel_span_scope nothing;
    const tel_span_view* v;
    memset(&d, 0, sizeof d);
    d.name_text.data = "GET /cart and more";
    d.name_text.size = 9;
    d.kind = TEL_SPAN_SERVER;
    d.parent = &c;
    d.scope = &scope;
    CHECK(!tel_span_recording(tel_current_span()));     /* without an SDK */
    start(1, 0, 0);
    CHECK(tel_current_span() != NULL && !tel_span_recording(tel_current_span()));
    d.attrs = tel__attrs(many, 2);
    TEL_SPAN_EX(s, &d) {
        CHECK(memcmp(s->context.trace_id, c.trace_id, 16) == 0);
        CHECK(tel_context_valid(&s->context) && !tel_context_valid(NULL));
        add_from_below();
        TEL_ATTACH(&c) { add_from_below(); }            /* another context is current: nothing */
        TEL_SPAN(inner, "inner") { tel_span* outer = s; add_from_below(); CHECK(outer != inner); }
        now = T0 + 50;
        tel_span_event_at(s, "before", T0 - 7, TEL_ATTRS(tel_int("a", 1)));
        tel_span_error(s, &error);
        tel_span_error(s, NULL);
        tel_span_error(NULL, &error);
    }
    CHECK(tel_span_scope_begin_ex(&nothing, NULL) == &nothing.span && !tel_span_recording(&nothing.span));
    tel_span_scope_end(&nothing);
    v = flush(2);
    CHECK_STR(v[0].name.data, "inner");
    CHECK(attr(v[0].attrs, "below") != NULL && v[0].attrs.count == 1);
    CHECK(v[1].name.size == 9 && memcmp(v[1].name.data, "GET /cart", 9) == 0);
    CHECK(v[1].kind == TEL_SPAN_SERVER && v[1].parent_remote && v[1].attrs.count == 4);
    CHECK_STR(v[1].scope->name.data, "lib");
    CHECK_STR(text_of(v[1].attrs, "error.type"), "timeout");
    CHECK_INT(v[1].event_count, 2);
    CHECK(v[1].events[0].unix_ns == T0 - 7 && v[1].events[1].unix_ns == T0 + 50);
    CHECK_STR(v[1].events[1].name.data, "exception");
    CHECK_STR(text_of(v[1].events[1].attrs, "exception.type"), "timeout");
    CHECK_STR(text_of(v[1].events[1].attrs, "exception.message"), "no answer");
    CHECK_STR(text_of(v[1].events[1].attrs, "exception.stacktrace"), "at line 7");
    CHECK(v[1].status == TEL_STATUS_ERROR);
    stop();
}

static tel_span_scope abandoned;
/* A span that is not scoped is the current one where it was attached, on any thread that may use it. */
static void* attach_elsewhere(void* arg) {
    tel_span* s = (tel_span*)arg;
    tel_token t = tel_attach_span(s);
    tel_span_set(tel_current_span(), tel_bool("elsewhere", true));
    tel_span_scope_begin(&abandoned, "left open");
    (void)t;                                            /* and ends, with both still current */
    return NULL;
}
static void test_attach_span(void) {
    const tel_span_view* v;
    tel_span s, other;
    tel_token t, u;
    pthread_t thread;
    tel_span_desc d;
    t = tel_attach_span(NULL);                          /* without an SDK */
    tel_detach(t);
    start(1, 0, 0);
    memset(&d, 0, sizeof d);
    d.name = "request";
    d.shared = true;
    s = tel_span_start_ex(&d);
    CHECK(!tel_span_recording(tel_current_span()));
    t = tel_attach_span(&s);
    CHECK(tel_span_recording(tel_current_span()) && memcmp(&tel_current_span()->context, &s.context, sizeof s.context) == 0);
    add_from_below();
    other = tel_span_start("child");
    u = tel_attach(&other.context);                     /* its context alone */
    CHECK(!tel_span_recording(tel_current_span()));
    tel_detach(u);
    tel_span_end(&other);
    u = tel_attach_span(NULL);
    CHECK(!tel_context_valid(&tel_current_span()->context));
    tel_detach(u);
    pthread_create(&thread, NULL, attach_elsewhere, &s);
    pthread_join(thread, NULL);
    tel_detach(t);
    CHECK(!tel_span_recording(tel_current_span()) && tel_span_recording(&s));
    tel_span_end(&s);
    t = tel_attach_span(&s);                            /* it has ended */
    CHECK(!tel_span_recording(tel_current_span()) && tel_context_valid(&tel_current_span()->context));
    tel_detach(t);
    v = flush(3);
    CHECK_STR(v[0].name.data, "left open");
    CHECK_STR(v[1].name.data, "child");
    CHECK(memcmp(v[0].parent_span_id, s.context.span_id, 8) == 0 && memcmp(v[1].parent_span_id, s.context.span_id, 8) == 0);
    CHECK_STR(v[2].name.data, "request");
    CHECK(attr(v[2].attrs, "below") != NULL && attr(v[2].attrs, "elsewhere") != NULL);
    CHECK_INT(tel_query_stats().spans_leaked, 1);       /* the scoped one, not the one that was lent */
    stop();
}

/* ---- what longjmp leaves ------------------------------------------------------------------------------------- */

/* Under AddressSanitizer locals may lie on a fake stack, where nothing can be proved. */
#if defined(__SANITIZE_ADDRESS__)
#define PLAIN_STACK 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLAIN_STACK 0
#endif
#endif
#ifndef PLAIN_STACK
#define PLAIN_STACK 1
#endif

static jmp_buf away;
static int volatile rounds;
static void __attribute__((noinline)) give_up(void) { if (rounds >= 0) { longjmp(away, 1); } }
static void __attribute__((noinline)) handler(int depth) {
    TEL_SPAN(s, "request") {
        TEL_ATTACH(&s->context) {
            if (depth) { handler(depth - 1); }
            give_up();
        }
    }
}
/* So deep that our own functions' frames do not reach down there. */
static void __attribute__((noinline)) far_down(int depth) {
    char volatile room[2048];
    room[0] = room[sizeof room - 1] = 0;
    handler(depth);
    room[0] = 1;
}
static void test_longjmp(void) {
    tel_context stale;
    if (!PLAIN_STACK) { return; }
    start(1, 1 << 20, 8);
    TEL_SPAN(outer, "outer") {
        tel_context inside = outer->context;
        for (rounds = 0; rounds < 100; rounds++) { if (!setjmp(away)) { far_down(rounds % 3); } }
        CHECK(tel_query_stats().spans_live <= 4);       /* of the last round, and this one */
        stale = tel_current();
        CHECK(memcmp(stale.span_id, inside.span_id, 8) == 0);
        CHECK_INT(tel_query_stats().spans_live, 1);
        TEL_SPAN(next, "next") {                        /* further out than what was left */
            CHECK_INT(tel_query_stats().spans_live, 2);
            tel_span_set(next, tel_bool("child of outer", true));
        }
        stale = tel_current();
        CHECK(memcmp(stale.span_id, inside.span_id, 8) == 0);
    }
    CHECK(empty_id(tel_current().span_id, 8));
    CHECK_INT(tel_query_stats().spans_live, 0);
    CHECK_INT(tel_query_stats().spans_leaked, 199);
    {
        const tel_span_view* v = flush(201);
        CHECK(attr(v[199].attrs, "child of outer") != NULL);
        CHECK(memcmp(v[199].parent_span_id, v[200].context.span_id, 8) == 0);
    }
    CHECK_INT(detach_items, 0);
    stop();
}

/* A coroutine's scopes live on, wherever its stack lies. */
#if defined(__GLIBC__)                              /* musl has no swapcontext */
static ucontext_t main_side, other_side;
static tel_span* volatile coroutine_span;
static void coroutine(void) {
    TEL_SPAN(s, "coroutine") {
        coroutine_span = s;
        swapcontext(&other_side, &main_side);
    }
    coroutine_span = NULL;
}
static void test_coroutine(void) {
    size_t size = 256 * 1024;
    char* stack = (char*)malloc(size);
    int i;
    start(1, 0, 0);
    for (i = 0; i < 2; i++) {
        getcontext(&other_side);
        other_side.uc_stack.ss_sp = stack;
        other_side.uc_stack.ss_size = size;
        other_side.uc_link = &main_side;
        makecontext(&other_side, coroutine, 0);
        swapcontext(&main_side, &other_side);
        TEL_SPAN(s, "beside") { CHECK(tel_span_recording(s) && tel_span_recording(coroutine_span)); }
        swapcontext(&main_side, &other_side);
        CHECK(coroutine_span == NULL);
    }
    CHECK_INT(tel_query_stats().spans_leaked, 0);
    CHECK_INT(tel_query_stats().spans_live, 0);
    flush(4);
    stop();
    free(stack);
}
#else
static void test_coroutine(void) { }
#endif

/* ---- timers ---------------------------------------------------------------------------------------------------- */

static tel_histogram latency = TEL_INSTRUMENT("latency", "s", "");
static void* end_timer(void* arg) {
    tel_timer* t = (tel_timer*)arg;
    tel_time_set(t, tel_str("outcome", "failure"));
    tel_timer_end(t);
    tel_timer_end(t);
    return NULL;
}
static uint64_t failures, successes, cut;
static tel_result see_timers(const tel_batch* b, void* user_data) {
    size_t i, k;
    (void)user_data;
    for (k = 0; k < b->metric_count; k++) {
        const tel_metric_view* m = &b->metrics[k];
        for (i = 0; i < m->point_count && strcmp(m->name.data, "latency") == 0; i++) {
            const tel_point* p = &m->points[i];
            const char* outcome = text_of(p->attrs, "outcome");
            if (strcmp(outcome, "failure") == 0) { failures += p->count; CHECK(p->attrs.count == 2 && p->d == 0.25); }
            if (strcmp(outcome, "success") == 0) { successes += p->count; CHECK(p->attrs.count == 2 && p->d == 0); }
            if (int_of(p->attrs, "n0") == 5) { cut += p->attrs.count; }
        }
    }
    return TEL_OK;
}
static void test_timers(void) {
    tel_sink sink;
    tel_timer t, off;
    pthread_t h;
    int i;
    memset(&sink, 0, sizeof sink);
    sink.export_fn = see_timers;
    tel_timer_begin(&t, &latency, TEL_NOATTRS);         /* without an instance */
    tel_timer_end(&t);
    start(1, 0, 0);
    CHECK(tel_now_ns() == T0);
    tel_timer_begin(&t, &latency, TEL_ATTRS(tel_str("route", "/cart"), tel_str("outcome", "unknown")));
    tel_timer_begin(&off, &latency, TEL_NOATTRS);
    off.open = false;
    tel_timer_end(&off);
    now = T0 + UINT64_C(250000000);
    CHECK(pthread_create(&h, NULL, end_timer, &t) == 0);
    pthread_join(h, NULL);
    for (i = 0; i < 3; i++) {
        TEL_TIMED(timer, &latency, TEL_ATTRS(tel_str("route", "/cart"))) {
            tel_time_set(timer, tel_str("outcome", "success"));
            if (i == 1) { break; }
        }
    }
    TEL_TIMED(timer, &latency, tel__attrs(many, 20)) { tel_time_set(timer, tel_int("n0", 5)); }
    CHECK_INT(tel_collect(&sink), TEL_OK);
    CHECK_INT(failures, 1);
    CHECK_INT(successes, 3);
    CHECK_INT(cut, TEL_TIMER_ATTRS);
    stop();
}

/* ---- nothing given ------------------------------------------------------------------------------------------- */

static void call_everything(tel_span* s) {
    CHECK(!tel_span_recording(s));
    tel_span_set(s, tel_int("a", 1));
    tel_span_set_all(s, TEL_NOATTRS);
    tel_span_set_all(s, TEL_ATTRS(tel_int("a", 1)));
    tel_span_event(s, NULL, TEL_NOATTRS);
    tel_span_event(s, "e", TEL_ATTRS(tel_int("a", 1)));
    tel_span_link(s, NULL, TEL_NOATTRS);
    tel_span_status(s, TEL_STATUS_ERROR, NULL);
    tel_span_rename(s, NULL);
    tel_span_end_at(s, 5);
    tel_span_end(s);
}
static void test_nothing(void) {
    tel_span zero, s;
    tel_context far = context_of(0x40, 3, 1);
    const tel_span_view* v;
    memset(&zero, 0, sizeof zero);
    call_everything(NULL);                              /* without an instance */
    call_everything(&zero);
    s = tel_span_start("nobody");
    CHECK(!tel_span_recording(&s) && empty_id(s.context.trace_id, 16));
    s = child_of(&far);                                 /* Trace API, "Behavior in the absence of an installed SDK" */
    CHECK(memcmp(&s.context, &far, sizeof far) == 0 && !tel_span_recording(&s));
    tel_span_end(&s);
    s = tel_span_start_ex(NULL);
    CHECK(empty_id(s.context.trace_id, 16));
    tel_detach(tel_attach(&far));
    tel_detach(tel_attach(NULL));
    CHECK(empty_id(tel_current().trace_id, 16));
    start(1, 0, 0);
    call_everything(NULL);
    call_everything(&zero);
    s = tel_span_start_ex(NULL);
    CHECK(!tel_span_recording(&s));
    tel_span_end(&s);
    s = tel_span_start("null");
    tel_span_link(&s, NULL, TEL_ATTRS(tel_int("a", 1)));
    tel_span_event(&s, NULL, TEL_ATTRS(tel_str(NULL, NULL), tel_str("k", NULL)));
    tel_span_set(&s, tel_strn("nul", NULL, 5));
    tel_span_end(&s);
    v = flush(1);
    CHECK(v->link_count == 0 && v->event_count == 1 && v->events[0].name.size == 0 && v->events[0].attrs.count == 1);
    CHECK_STR(text_of(v->events[0].attrs, "k"), "");
    CHECK_STR(text_of(v->attrs, "nul"), "");
    stop();
}

/* A context is passed on although nothing records: what comes in goes out again. */
static void* carries_nothing(void* arg) {
    (void)arg;
    CHECK(empty_id(tel_current().trace_id, 16));
    return NULL;
}
static void test_without_sdk(void) {
    tel_context c[5], now_current;
    tel_token t[5], old;
    tel_span_desc d;
    tel_span s;
    pthread_t h;
    int i;
    for (i = 0; i < 5; i++) {
        c[i] = context_of((uint8_t)(0x10 + i), 1, 1);
        t[i] = tel_attach(&c[i]);
        now_current = tel_current();
        CHECK_INT(now_current.trace_id[0], 0x10 + (i < 2 ? i : 2));
    }
    s = tel_span_start("carried");
    CHECK(s.context.trace_id[0] == 0x12 && !tel_span_recording(&s));
    tel_span_end(&s);
    TEL_SPAN(scoped, "carried") { CHECK(memcmp(&scoped->context, &c[2], sizeof c[2]) == 0); }
    memset(&d, 0, sizeof d);
    d.root = true;
    s = tel_span_start_ex(&d);
    CHECK(empty_id(s.context.trace_id, 16));
    d.root = false;
    d.parent = &c[4];
    s = tel_span_start_ex(&d);
    CHECK_INT(s.context.trace_id[0], 0x14);
    CHECK(pthread_create(&h, NULL, carries_nothing, NULL) == 0);
    pthread_join(h, NULL);
    for (i = 5; i-- > 1;) {
        tel_detach(t[i]);
        CHECK_INT(tel_current().trace_id[0], 0x10 + (i < 3 ? i - 1 : 2));
    }
    tel_detach(t[3]);                                   /* too late */
    CHECK_INT(tel_current().trace_id[0], 0x10);
    TEL_ATTACH(NULL) { CHECK(empty_id(tel_current().trace_id, 16)); }
    old = t[0];
    start(1, 0, 0);                                     /* an SDK that comes later has a stack of its own */
    CHECK(empty_id(tel_current().trace_id, 16));
    t[1] = tel_attach(&c[1]);
    tel_detach(old);
    CHECK_INT(tel_current().trace_id[0], 0x11);
    tel_detach(t[1]);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(detach_items, 0);
    stop();
    t[0] = tel_attach(&c[0]);                           /* and after it */
    CHECK_INT(tel_current().trace_id[0], 0x10);
    tel_detach(t[0]);
    CHECK(empty_id(tel_current().trace_id, 16));
}

int main(void) {
    uint32_t i;
    for (i = 0; i < sizeof big - 1; i++) { big[i] = (char)((i / 26 % 3 == 1 ? 'A' : 'a') + (int)(i % 26)); }
    for (i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "n%u", (unsigned)i);
        many[i] = tel_int(names[i], (int64_t)i);
    }
    test_nothing();
    test_without_sdk();
    test_parents();
    test_flags();
    test_ratio();
    test_not_parent_based();
    test_fields();
    test_times();
    test_overwrite();
    test_model();
    test_counts();
    test_sizes();
    test_most();
    test_lost_of_event();
    test_many_overwrites();
    test_changing_sizes();
    test_long_name();
    test_pool();
    test_pool_rollback();
    test_pool_name();
    test_ring_full();
    test_stale();
    test_generations();
    test_epochs();
    test_threads();
    test_ended_threads();
    test_status();
    test_stack();
    test_deep();
    test_tokens();
    test_leaks();
    test_scoped();
    test_scoped_desc();
    test_attach_span();
    test_longjmp();
    test_coroutine();
    test_timers();
    return check_done();
}
