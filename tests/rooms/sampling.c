/* Room test of >>sampling: thresholds and decisions of the specification's vectors, every sampler and branch, what the
   program's own sampler sees and adds, descriptions, the variables, and the exact books of spans recorded only. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdlib.h>

static const struct { double ratio; const char* th; } thresholds[] = {
    { 1, "0" }, { 0.5, "8" }, { 0.25, "c" }, { 0.1, "e666" }, { 0.0625, "f" }, { 0.001, "ffbe77" }, { 0.00001, "ffff583a" },
    { 0.000001, "ffffef39" }, { 0.75, "4" }, { 0.9, "199a" }, { 0.99, "028f" }, { 0.999999, "0" }
};
static const struct { const char *trace, *rv, *th; bool sampled; } decisions[] = {
    { "0af7651916cd43dd8448eb211c80319c", NULL, "8", false }, { "0af7651916cd43dd8448eb211c80319c", NULL, "c", false },
    { "4bf92f3577b34da6a3ce929d0e0e4736", NULL, "cccd", true }, { "4bf92f3577b34da6a3ce929d0e0e4736", NULL, "ce929d0e0e4736", true },
    { "ffffffffffffffffffffffffffffffff", "7479cfb506891d", "7", true },
    { "00000000000000000000000000000001", "6e6d1a75832a2f", "6e6d1a75832a2f", true },
    { "ffffffffffffffffff00000000000000", NULL, "0", true }, { "ffffffffffffffffff00000000000000", NULL, "00000000000001", false }
};

static const char* state_of(const tel_context* c) {
    static char text[1100];
    (void)tel_tracestate_get(c, NULL, text, sizeof text);
    return text;
}

static void test_thresholds(void) {
    size_t i;
    for (i = 0; i < sizeof thresholds / sizeof thresholds[0]; i++) {
        tel_context c;
        char want[40];
        memset(&c, 0, sizeof c);
        tel__sampling_put_th(&c, tel__text_sized("", 0), tel__text_sized(NULL, 0), true,
                             tel__sampling_rounded(thresholds[i].ratio));
        snprintf(want, sizeof want, "ot=th:%s", thresholds[i].th);
        CHECK_STR(state_of(&c), want);
    }
    CHECK(tel__sampling_rounded(1.0 / 72057594037927936.0) == TEL__SAMPLING_NEVER - 1);
}

static void test_decisions(void) {
    size_t i;
    for (i = 0; i < sizeof decisions / sizeof decisions[0]; i++) {
        tel__sampling_node n;
        tel_sampling s;
        char padded[16], text[64];
        bool sampled;
        memset(&n, 0, sizeof n);
        memset(&s, 0, sizeof s);
        CHECK(tel__text_read_hex(tel__text_of(decisions[i].trace), s.context.trace_id, 16));
        snprintf(padded, sizeof padded, "%s%.*s", decisions[i].th, (int)(14 - strlen(decisions[i].th)), "00000000000000");
        n.threshold = strtoull(padded, NULL, 16);
        if (decisions[i].rv) {
            snprintf(text, sizeof text, "x:y;rv:%s", decisions[i].rv);
            CHECK_INT(tel_tracestate_set(&s.context, "ot", text), TEL_OK);
            CHECK_INT(tel_tracestate_set(&s.context, "vendor", "1"), TEL_OK);
        }
        sampled = tel__sampling_probability(&n, &s) == TEL_RECORD_AND_SAMPLE;
        CHECK_INT(sampled, decisions[i].sampled);
        if (decisions[i].rv) {
            snprintf(padded, sizeof padded, "%s", decisions[i].th);
            snprintf(text, sizeof text, "ot=th:%s;x:y;rv:%s,vendor=1", padded, decisions[i].rv);
            CHECK_STR(state_of(&s.context), text);
            n.threshold = TEL__SAMPLING_NEVER;              /* not sampled: th goes, rv stays */
            CHECK_INT(tel__sampling_probability(&n, &s), TEL_DROP_SPAN);
            snprintf(text, sizeof text, "ot=x:y;rv:%s,vendor=1", decisions[i].rv);
            CHECK_STR(state_of(&s.context), text);
        } else { CHECK((state_of(&s.context)[0] != 0) == sampled); }
    }
}

/* ---- through the public functions ---- */

static tel_memory memory;
static void start(const tel_sampler* sampler) {
    static tel_sink sink;
    tel_desc d;
    memset(&d, 0, sizeof d);
    tel_memory_clear(&memory);
    memset(&memory, 0, sizeof memory);
    sink = tel_sink_memory(&memory);
    d.sinks = &sink;
    d.sink_count = 1;
    d.no_thread = d.no_atexit = d.no_self_metrics = true;
    d.sampler = sampler;
    CHECK_INT(tel_init(&d), TEL_OK);
}
static tel_batch flushed(void) {
    CHECK_INT(tel_flush(10000), TEL_OK);
    return tel_memory_read(&memory);
}
static tel_context parent_of(int flags, int remote) {
    tel_context c;
    memset(&c, 0, sizeof c);
    c.trace_id[0] = c.span_id[0] = 1;
    c.flags = (uint8_t)flags;
    c.remote = (uint8_t)remote;
    return c;
}
static int flags_under(const tel_context* parent) {
    tel_span_desc d;
    tel_span s;
    memset(&d, 0, sizeof d);
    d.name = "child";
    d.parent = parent;
    d.root = parent == NULL;
    s = tel_span_start_ex(&d);
    tel_span_end(&s);
    return s.context.flags & 1;
}

static void test_parent_based(void) {
    tel_sampler always = tel_sampler_always(), never = tel_sampler_never(), p = tel_sampler_parent_based(&never);
    int turn, i;
    for (turn = 0; turn < 2; turn++) {
        int seen = 0;
        if (turn) {                                 /* every delegate says the opposite of its default */
            p.root = p.remote_not_sampled = p.local_not_sampled = &always;
            p.remote_sampled = p.local_sampled = &never;
        }
        start(&p);
        CHECK_INT(flags_under(NULL), turn);
        for (i = 0; i < 4; i++) {
            tel_context c = parent_of(i & 1, i >> 1);
            CHECK_INT(flags_under(&c), turn ? !(i & 1) : (i & 1));
            seen++;
        }
        CHECK_INT(flushed().span_count, turn ? 3 : 2);
        CHECK_INT(seen, 4);
        CHECK_INT(tel_shutdown(10000), TEL_OK);
    }
}

static tel_decision asked(tel_sampling* s, void* user_data) {
    static tel_attr more[1];
    tel_context* last = (tel_context*)user_data;
    more[0] = tel_str("sampler", "mine");
    s->add = tel__attrs(more, 1);
    *last = s->context;
    CHECK(s->name.size == 5 && memcmp(s->name.data, "first", 5) == 0);
    CHECK(s->parent && s->parent->remote == 1 && s->kind == TEL_SPAN_CLIENT);
    CHECK(s->attrs.count == 1 && s->link_count == 1 && s->context.trace_id[0] == 1);
    CHECK_INT(tel_tracestate_set(&s->context, "mine", "yes"), TEL_OK);
    return s->attrs.items[0].as.i == 2 ? TEL_RECORD_AND_SAMPLE : s->attrs.items[0].as.i ? TEL_RECORD_ONLY : TEL_DROP_SPAN;
}

static void test_own(void) {
    tel_sampler own;
    tel_context last, parent = parent_of(0, 1);
    tel_attr n;
    tel_link link;
    tel_span_desc d;
    tel_batch seen;
    tel_stats stats;
    tel_span s;
    int i;
    memset(&own, 0, sizeof own);
    memset(&d, 0, sizeof d);
    memset(&link, 0, sizeof link);
    link.context = parent_of(1, 1);
    own.sample_fn = asked;
    own.user_data = &last;
    CHECK_INT(tel_tracestate_set(&parent, "theirs", "1"), TEL_OK);
    start(&own);
    d.name = "first";
    d.kind = TEL_SPAN_CLIENT;
    d.parent = &parent;
    d.links = &link;
    d.link_count = 1;
    for (i = 0; i < 3; i++) {
        n = tel_int("decision", i);
        d.attrs = tel__attrs(&n, 1);
        s = tel_span_start_ex(&d);
        CHECK_STR(state_of(&s.context), "mine=yes,theirs=1");
        CHECK_INT(s.context.flags & 1, i == 2);
        CHECK_INT(tel_span_recording(&s), i > 0);
        CHECK(memcmp(last.trace_id, parent.trace_id, 16) == 0);
        tel_span_end(&s);
    }
    seen = flushed();
    CHECK_INT(seen.span_count, 1);
    CHECK_STR(seen.spans[0].tracestate.data, "mine=yes,theirs=1");
    CHECK_INT(seen.spans[0].attrs.count, 2);
    CHECK_STR(seen.spans[0].attrs.items[1].as.s.data, "mine");
    stats = tel_query_stats();
    CHECK_INT(stats.recorded[1], 2);
    CHECK_INT(stats.filtered[1], 1);
    CHECK_INT(stats.exported[1] + stats.dropped[1] + stats.queued[1], 1);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

static void test_record(void) {
    tel_sampler never = tel_sampler_never(), record = tel_sampler_always_record(&never);
    tel_stats stats;
    int i;
    start(&record);
    for (i = 0; i < 1000; i++) {
        TEL_SPAN(s, "recorded only") { CHECK(tel_span_recording(s) && !(s->context.flags & 1)); }
    }
    CHECK_INT(flushed().span_count, 0);
    stats = tel_query_stats();
    CHECK_INT(stats.recorded[1], 1000);
    CHECK_INT(stats.filtered[1], 1000);
    CHECK_INT(stats.queued[1] + stats.dropped[1] + stats.exported[1], 0);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

static void test_rate(void) {
    tel_sampler rate = tel_sampler_rate(5), p = tel_sampler_parent_based(&rate);
    int i, sampled = 0;
    tel_context deferred = parent_of(0, 1);
    start(&p);
    for (i = 0; i < 200; i++) { sampled += flags_under(NULL); }
    CHECK(sampled >= 5 && sampled < 200);
    tel_context_valid(&deferred);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    p.root = &(tel_sampler){ .tel__kind = TEL__SAMPLING_ALWAYS };
    start(&p);
    CHECK_INT(flags_under(&deferred), 0);
    tel__context_data_set_bits(&deferred, TEL__CONTEXT_DATA_DEFERRED);
    CHECK_INT(flags_under(&deferred), 1);           /* B3 without a decision: ours */
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

static void test_ratio(void) {
    tel_sampler half = tel_sampler_probability(0.5);
    int i, sampled = 0;
    start(&half);
    for (i = 0; i < 1000; i++) {
        TEL_SPAN(s, "root") {
            bool on = (s->context.flags & 1) != 0;
            sampled += on;
            CHECK_STR(state_of(&s->context), on ? "ot=th:8" : "");
            CHECK_INT(on, s->context.trace_id[9] >= 0x80);
        }
    }
    CHECK(sampled > 400 && sampled < 600);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

static void test_description(void) {
    char text[400];
    tel_sampler ratio = tel_sampler_ratio(0.0001), p = tel_sampler_parent_based(&ratio), own;
    CHECK_INT(tel_sampler_describe(&ratio, text, sizeof text), 27);
    CHECK_STR(text, "TraceIdRatioBased{0.000100}");
    tel_sampler_describe(&p, text, sizeof text);
    CHECK_STR(text, "ParentBased{root:TraceIdRatioBased{0.000100},remoteParentSampled:AlwaysOnSampler,"
              "remoteParentNotSampled:AlwaysOffSampler,localParentSampled:AlwaysOnSampler,"
              "localParentNotSampled:AlwaysOffSampler}");
    CHECK_INT(tel_sampler_describe(&ratio, text, 5), 27);
    CHECK_STR(text, "Trac");
    memset(&own, 0, sizeof own);
    own.description = "Mine";
    tel_sampler_describe(&own, text, sizeof text);
    CHECK_STR(text, "Mine");
    CHECK_INT(tel_sampler_describe(NULL, NULL, 0), 0);
}

static void quiet(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)item; (void)message; (void)line;
    ++*(int*)user_data;
}

static void test_refused(void) {
    static tel_sampler bad[6], loop;
    tel_desc d;
    int said = 0;
    size_t i;
    bad[0] = tel_sampler_ratio(1.5);
    bad[1] = tel_sampler_probability(-1);
    bad[2] = tel_sampler_rate(0);
    bad[3] = tel_sampler_parent_based(NULL);
    loop = tel_sampler_parent_based(&loop);
    bad[5] = tel_sampler_parent_based(&loop);
    memset(&d, 0, sizeof d);
    d.diag.report_fn = quiet;
    d.diag.user_data = &said;
    for (i = 0; i < 6; i++) {
        d.sampler = &bad[i];
        CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
        CHECK_INT(said, i + 1);
    }
}

static void test_variables(void) {
    static const struct { const char *name, *arg; int sampled; const char* state; } cases[] = {
        { "always_off", NULL, 0, "" }, { "parentbased_always_on", NULL, 1, "" }, { "probability", "1", 1, "ot=th:0" },
        { "parentbased_probability", "1", 1, "ot=th:0" }, { "parentbased_probability", "0", 0, "" },
        { "ratelimiting", "100", 1, "" }, { "parentbased_ratelimiting", "0", 0, "" }, { "traceidratio", "0", 0, "" }
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setenv("OTEL_TRACES_SAMPLER", cases[i].name, 1);
        if (cases[i].arg) { setenv("OTEL_TRACES_SAMPLER_ARG", cases[i].arg, 1); } else { unsetenv("OTEL_TRACES_SAMPLER_ARG"); }
        start(NULL);
        TEL_SPAN(s, "root") {
            CHECK_INT(s->context.flags & 1, cases[i].sampled);
            CHECK_STR(state_of(&s->context), cases[i].state);
        }
        CHECK_INT(tel_shutdown(10000), TEL_OK);
    }
}

int main(void) {
    test_thresholds();
    test_decisions();
    test_parent_based();
    test_own();
    test_record();
    test_rate();
    test_ratio();
    test_description();
    test_refused();
    test_variables();
    tel_memory_clear(&memory);
    return check_done();
}
