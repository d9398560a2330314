/* The scoped forms as statements: they balance however their block is left, and behave as one statement where C allows one.
   Builds as C and as C++. With -DTEL_FORCE_NO_CLEANUP (C without the cleanup attribute) an early exit leaves its span open
   until the thread proves it gone or the parent ends, which must close it and count it. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"

#if defined(TEL_FORCE_NO_CLEANUP) && !defined(__cplusplus)
#define EARLY_EXITS_LEAK 1
#else
#define EARLY_EXITS_LEAK 0
#endif

static tel_histogram timing = TEL_INSTRUMENT("scoped.timing", "s", "How often TEL_TIME ended");
static tel_histogram other_timing = TEL_INSTRUMENT("scoped.other_timing", "s", "How often TEL_TIMED ended");
static tel_context other;
/* TEL_ATTRS() is a list of none. */
#define TEL_ATTRS_OF_NOTHING TEL_ATTRS()
static int ran;

/* Each way to leave a block. The number of spans that each starts, and whether it leaves early, stand in the table below. */
static int fall_out(void) {
    TEL_SPAN(s, "fall out") { ran += s != NULL; }
    return 0;
}
static int leave_by_return(void) {
    TEL_SPAN(s, "return") {
        ran += s != NULL;
        if (ran) { return 1; }
    }
    return 0;
}
static int leave_by_goto(void) {
    TEL_SPAN(s, "goto") {
        ran += s != NULL;
        if (ran) { goto out; }
    }
out:
    return 0;
}
static int leave_by_break(void) {
    int rounds = 0;
    while (rounds < 3) {
        rounds++;
        TEL_SPAN(s, "break") {
            ran += s != NULL;
            break;              /* leaves the block, not the loop */
        }
    }
    CHECK_INT(rounds, 3);
    return 0;
}
static int leave_by_continue(void) {
    int i, after = 0;
    for (i = 0; i < 3; i++) {
        TEL_SPAN(s, "continue") {
            ran += s != NULL;
            if (i == 1) { continue; }
        }
        after++;
    }
    CHECK_INT(after, 3);
    return 0;
}
static int nested(void) {
    TEL_SPAN(outer, "outer") {
        tel_context inside = tel_current();
        CHECK(memcmp(inside.span_id, outer->context.span_id, 8) == 0);
        TEL_SPAN(inner, "inner") {
            tel_context deeper = tel_current();
            CHECK(memcmp(deeper.span_id, inner->context.span_id, 8) == 0);
            CHECK(memcmp(deeper.trace_id, outer->context.trace_id, 16) == 0);
            ran++;
        }
        inside = tel_current();
        CHECK(memcmp(inside.span_id, outer->context.span_id, 8) == 0);
        ran++;
    }
    return 0;
}
static int nested_return(void) {
    TEL_SPAN(outer, "outer") {
        ran += outer != NULL;
        TEL_SPAN(inner, "inner") {
            ran += inner != NULL;
            TEL_TIME(&timing) {
                if (ran) { return 2; }
            }
        }
    }
    return 0;
}
static int with_and_return(void) {
    TEL_ATTACH(&other) {
        tel_context now = tel_current();
        CHECK(memcmp(now.trace_id, other.trace_id, 16) == 0);
        TEL_SPAN(s, "in another trace") {
            CHECK(memcmp(s->context.trace_id, other.trace_id, 16) == 0);
            ran++;
            return 3;
        }
    }
    return 0;
}
static int unbraced(void) {
    int way, taken[2] = { 0, 0 };
    for (way = 0; way < 2; way++) {
        if (way == 0) TEL_SPAN(s, "then") { ran += s != NULL; taken[0]++; }
        else taken[1]++;
        if (way == 1) TEL_SPAN(s, "one statement") ran += s != NULL;
        else if (way == 0) TEL_TIME(&timing) taken[0]++;
        else TEL_ATTACH(&other) taken[1] += 100;
        if (way == 2) taken[1] += 100;
        else TEL_ATTACH(&other) TEL_TIME(&timing) taken[way]++;
    }
    CHECK_INT(taken[0], 3);
    CHECK_INT(taken[1], 2);
    return 0;
}
static int in_switch(void) {
    switch (ran < 0 ? 0 : 1) {
    case 1:
        TEL_SPAN(s, "case") { ran += s != NULL; }
        break;
    default:
        ran = 1000;
    }
    return 0;
}
static int in_a_loop_that_returns(void) {
    int i;
    for (i = 0;; i++) {
        TEL_SPAN(s, "round") {
            ran += s != NULL;
            if (i == 2) { return 4; }
        }
    }
}

/* All forms in one another, some on one line. */
static int all_forms(void) {
    tel_span_desc d;
    memset(&d, 0, sizeof d);
    d.name = "all forms";
    d.attrs = TEL_ATTRS_OF_NOTHING;
    TEL_SPAN(a, "one") TEL_SPAN(b, "line") TEL_TIME(&timing) { ran += a != b; }
    TEL_SPAN_EX(s, &d) { ran += memcmp(&s->context, &tel_current_span()->context, sizeof s->context) == 0; TEL_TIMED(t, &other_timing, TEL_ATTRS(tel_int("a", 1))) {
        tel_time_set(t, tel_str("outcome", "success"));
        ran++;
        if (ran) { return 5; }
    } }
    return 0;
}

typedef struct way_out { const char* name; int (*func)(void); int spans; int leaks; } way_out;
static const way_out ways[] = {
    { "fall out", fall_out, 1, 0 }, { "return", leave_by_return, 1, 1 }, { "goto", leave_by_goto, 1, 1 },
    { "break", leave_by_break, 3, 0 }, { "continue", leave_by_continue, 3, 0 }, { "nested", nested, 2, 0 },
    { "nested return", nested_return, 2, 2 }, { "with and return", with_and_return, 1, 1 }, { "unbraced", unbraced, 2, 0 },
    { "switch", in_switch, 1, 0 }, { "loop that returns", in_a_loop_that_returns, 3, 1 },
    { "all forms", all_forms, 3, 1 },
};

static void one_way(const way_out* way) {
    tel_context before, after, zero;
    tel_stats stats = tel_query_stats();
    uint64_t recorded = stats.recorded[1] + stats.queued[1], leaked = stats.spans_leaked;
    tel_span_scope parent;
    tel_span_scope_begin(&parent, "parent");
    memset(&zero, 0, sizeof zero);
    before = tel_current();
    ran = 0;
    (void)way->func();
    after = tel_current();
    if (ran != way->spans) { fprintf(stderr, "%s: %d of %d blocks ran\n", way->name, ran, way->spans); }
    CHECK(ran == way->spans);
    stats = tel_query_stats();
    if (!EARLY_EXITS_LEAK) {
        CHECK(memcmp(&before, &after, sizeof before) == 0);
        CHECK_INT(stats.spans_live, 1);
    } else {
        /* tel_current proves them gone where the system tells the bounds of the C stack; else the parent's end does. */
#if defined(__linux__)
        CHECK(memcmp(&before, &after, sizeof before) == 0);
        CHECK_INT(stats.spans_live, 1);
#else
        CHECK_INT(stats.spans_live, 1 + way->leaks);
#endif
    }
    tel_span_scope_end(&parent);
    after = tel_current();
    CHECK(memcmp(&after, &zero, sizeof zero) == 0);
    stats = tel_query_stats();
    CHECK_INT(stats.spans_live, 0);
    CHECK_INT(stats.spans_leaked - leaked, EARLY_EXITS_LEAK ? way->leaks : 0);
    CHECK_INT(tel_flush(10000), TEL_OK);
    stats = tel_query_stats();
    CHECK_INT(stats.recorded[1] - recorded, way->spans + 1);
}

/* TEL_TIME must have recorded once for each time it was entered: once in nested_return (leaked without cleanup), thrice in
   unbraced. */
static void check_timing(tel_memory* memory) {
    tel_batch batch = tel_memory_read(memory);
    uint64_t count = 0;
    size_t i, timed = 0;
    for (i = 0; i < batch.metric_count; i++) {
        if (batch.metrics[i].kind == TEL_METRIC_HISTOGRAM && batch.metrics[i].point_count == 1) { if (batch.metrics[i].points[0].attrs.count) { timed = batch.metrics[i].points[0].attrs.count; continue; } count += batch.metrics[i].points[0].count; }
    }
    CHECK_INT(count, EARLY_EXITS_LEAK ? 4 : 5);
    CHECK_INT(timed, EARLY_EXITS_LEAK ? 0 : 2);
}

int main(void) {
    tel_memory memory;
    tel_sink sink;
    tel_desc desc;
    size_t i;
    memset(&memory, 0, sizeof memory);
    memset(&desc, 0, sizeof desc);
    memset(&other, 0, sizeof other);
    memset(other.trace_id, 0x11, sizeof other.trace_id);
    memset(other.span_id, 0x22, sizeof other.span_id);
    other.flags = 1;
    sink = tel_sink_memory(&memory);
    desc.service_name = "scoped";
    desc.sinks = &sink;
    desc.sink_count = 1;
    desc.ignore_env = desc.no_thread = desc.no_self_metrics = true;
    CHECK_INT(tel_init(&desc), TEL_OK);
    for (i = 0; i < sizeof ways / sizeof ways[0]; i++) { one_way(&ways[i]); }
    CHECK_INT(tel_flush(10000), TEL_OK);
    check_timing(&memory);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    tel_memory_clear(&memory);
    return check_done();
}
