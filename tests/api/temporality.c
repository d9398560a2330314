/* A cumulative sink, a delta sink and a delta sink that refuses every third batch, at once, while threads record, come and go:
   the increments of both delta sinks add up to what the cumulative one says, and their windows follow one another. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>
#include <stdlib.h>

static const double bounds[] = { 1, 2, 4 };
static const tel_metric_options with_bounds = { NULL, bounds, 3, false, false, 0, 0 };
static const tel_metric_options real = { NULL, NULL, 0, false, true, 0, 0 };
static tel_counter   count = TEL_INSTRUMENT("t.count", NULL, NULL);
static tel_counter   amount = TEL_INSTRUMENT_OPT("t.amount", NULL, NULL, &real);
static tel_updown    depth = TEL_INSTRUMENT("t.depth", NULL, NULL);
static tel_gauge     level = TEL_INSTRUMENT("t.level", NULL, NULL);
static tel_histogram spread = TEL_INSTRUMENT_OPT("t.spread", NULL, NULL, &with_bounds);

#define SERIES 8
typedef struct reading {
    bool delta;
    int refuse_each, calls, wrong;
    int64_t  count[SERIES], observed, depth, after;
    double   amount, spread_sum, level;
    uint64_t spread_count, buckets[4];
    uint64_t until[SERIES];             /* of t.count */
    bool     has_extremes;
} reading;

/* Of a cumulative sink the newest value counts, of a delta sink the sum of all. */
static void note(reading* r, const tel_metric_view* v, const tel_point* p) {
    size_t i, k = p->attrs.count ? (size_t)p->attrs.items[0].as.i : 0;
    bool add = r->delta;
    if (v->name.data[2] == 'c') {
        r->wrong += v->cumulative == r->delta || k >= SERIES;
        if (k >= SERIES) { return; }
        if (r->delta) { r->wrong += r->until[k] != 0 && p->start_unix_ns != r->until[k]; }
        r->wrong += p->start_unix_ns > p->unix_ns || p->i < 0 || (double)p->i != p->d;
        r->until[k] = p->unix_ns;
        r->count[k] = (add ? r->count[k] : 0) + p->i;
    }
    if (strcmp(v->name.data, "t.observed") == 0) { r->observed = (add ? r->observed : 0) + p->i; }
    if (strcmp(v->name.data, "t.amount") == 0) { r->amount = (add ? r->amount : 0) + p->d; }
    if (strcmp(v->name.data, "t.level") == 0) { r->level = p->d; }
    if (strcmp(v->name.data, "t.after") == 0) { r->after = (add || k ? r->after : 0) + p->i; }
    if (strcmp(v->name.data, "t.depth") == 0) {
        r->wrong += !v->cumulative;
        r->depth = p->i;
    }
    if (v->kind != TEL_METRIC_HISTOGRAM) { return; }
    r->spread_count = (add ? r->spread_count : 0) + p->count;
    r->spread_sum = (add ? r->spread_sum : 0) + p->d;
    for (i = 0; i <= p->bound_count; i++) { r->buckets[i] = (add ? r->buckets[i] : 0) + p->buckets[i]; }
    r->has_extremes = r->has_extremes || p->min <= p->max;
}

static tel_result take(const tel_batch* batch, void* user_data) {
    reading* r = (reading*)user_data;
    size_t i, j;
    if (!batch->metric_count) { return TEL_OK; }
    if (r->refuse_each && ++r->calls % r->refuse_each == 0) { return TEL_ERR_IO; }
    for (i = 0; i < batch->metric_count; i++) {
        for (j = 0; j < batch->metrics[i].point_count; j++) { note(r, &batch->metrics[i], &batch->metrics[i].points[j]); }
    }
    return TEL_OK;
}

static int64_t total;
static void observe_total(tel_observation* o, void* user_data) {
    (void)user_data;
    tel_observei(o, __atomic_load_n(&total, __ATOMIC_RELAXED), TEL_NOATTRS);
}

static void* work(void* arg) {
    int i;
    (void)arg;
    for (i = 0; i < 4000; i++) {
        tel_counter_add_with(&count, 1, TEL_ATTRS(tel_int("k", i % SERIES)));
        tel_counter_addf(&amount, 0.5);
        tel_updown_add(&depth, i % 2 ? -1 : 2);
        tel_gauge_set(&level, 7);
        tel_histogram_record(&spread, i % 5);
        __atomic_fetch_add(&total, 3, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void check_same(const reading* r, const reading* of) {
    size_t i;
    for (i = 0; i < SERIES; i++) { CHECK_INT(r->count[i], of->count[i]); }
    for (i = 0; i < 4; i++) { CHECK_INT(r->buckets[i], of->buckets[i]); }
    CHECK_INT(r->observed, of->observed);
    CHECK(r->amount == of->amount && r->level == of->level && r->depth == of->depth);
    CHECK(r->spread_count == of->spread_count && r->spread_sum == of->spread_sum);
    CHECK_INT(r->wrong, 0);
}

static void test_agreement(void) {
    static reading readings[3];
    reading *whole = &readings[0], *deltas = &readings[1], *refusing = &readings[2];
    tel_sink sinks[3];
    tel_observer_desc o;
    pthread_t t[3];
    tel_desc d;
    int round, i;
    memset(sinks, 0, sizeof sinks);
    for (i = 0; i < 3; i++) {
        sinks[i].signal_mask = TEL_SIGNAL_METRICS;
        sinks[i].export_fn = take;
        sinks[i].user_data = &readings[i];
        sinks[i].temporality = i ? TEL_TEMPORALITY_DELTA : TEL_TEMPORALITY_CUMULATIVE;
        readings[i].delta = i != 0;
    }
    refusing->refuse_each = 3;
    memset(&d, 0, sizeof d);
    d.sinks = sinks;
    d.sink_count = 3;
    d.ignore_env = d.no_thread = d.no_self_metrics = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    memset(&o, 0, sizeof o);
    o.name = "t.observed";
    o.kind = TEL_OBSERVE_COUNTER;
    o.observe_fn = observe_total;
    CHECK(tel_observer_new(&o) != NULL);
    for (round = 0; round < 5; round++) {
        for (i = 0; i < 3; i++) { pthread_create(&t[i], NULL, work, NULL); }
        for (i = 0; i < 10; i++) { tel_flush(5000); }
        for (i = 0; i < 3; i++) { pthread_join(t[i], NULL); }
    }
    tel_flush(5000);
    refusing->refuse_each = 0;
    tel_flush(5000);
    CHECK_INT(whole->count[0] * SERIES, 5 * 3 * 4000);
    CHECK_INT(whole->observed, 5 * 3 * 4000 * 3);
    CHECK(whole->amount == 0.5 * 5 * 3 * 4000 && whole->spread_count == 5 * 3 * 4000 && whole->has_extremes);
    CHECK_INT(whole->depth, 5 * 3 * 2000);
    CHECK(!deltas->has_extremes);
    CHECK_INT(whole->wrong, 0);
    check_same(deltas, whole);
    check_same(refusing, whole);
    __atomic_store_n(&total, 10, __ATOMIC_RELAXED);             /* a total that falls begins anew */
    tel_flush(5000);
    CHECK_INT(whole->observed, 10);
    CHECK_INT(deltas->observed, 5 * 3 * 4000 * 3 + 10);
    tel_shutdown(5000);
}

/* Delta sinks that come when there are series already and threads record: what they get adds up to the whole, from the
   start of each series on, whatever was made before or after them. One that cannot have the memory for it is refused. */
static int refuse;
static void* give(size_t size, void* user_data) {
    (void)user_data;
    return __atomic_load_n(&refuse, __ATOMIC_RELAXED) ? NULL : malloc(size);
}
static void take_back(void* p, void* user_data) {
    (void)user_data;
    free(p);
}
static void test_late(void) {
    static reading readings[4];
    static tel_counter after = TEL_INSTRUMENT("t.after", NULL, NULL);
    tel_sink sinks[4];
    tel_sink_stats stats;
    pthread_t t[3];
    tel_desc d;
    int round, i;
    memset(sinks, 0, sizeof sinks);
    memset(readings, 0, sizeof readings);
    for (i = 0; i < 4; i++) {
        sinks[i].name = i == 0 ? "whole" : i == 1 ? "first" : i == 2 ? "second" : "third";
        sinks[i].signal_mask = TEL_SIGNAL_METRICS;
        sinks[i].export_fn = take;
        sinks[i].user_data = &readings[i];
        sinks[i].temporality = i ? TEL_TEMPORALITY_DELTA : TEL_TEMPORALITY_CUMULATIVE;
        readings[i].delta = i != 0;
    }
    readings[2].refuse_each = 3;
    memset(&d, 0, sizeof d);
    d.sinks = sinks;
    d.sink_count = 1;
    d.allocator.alloc_fn = give;
    d.allocator.free_fn = take_back;
    d.ignore_env = d.no_self_metrics = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    work(NULL);
    tel_flush(5000);
    for (round = 0; round < 3; round++) {
        for (i = 0; i < 3; i++) { pthread_create(&t[i], NULL, work, NULL); }
        if (round < 2) { CHECK_INT(tel_sink_add(&sinks[round + 1]), TEL_OK); }
        for (i = 0; i < 10; i++) { tel_flush(5000); }
        for (i = 0; i < 3; i++) { pthread_join(t[i], NULL); }
        tel_counter_add_with(&after, 1, TEL_ATTRS(tel_int("round", round)));
    }
    readings[2].refuse_each = 0;
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(readings[0].count[0] * SERIES, 10 * 4000);
    for (i = 0; i < 3; i++) { CHECK_INT(readings[i].after, 3); }
    for (i = 1; i < 3; i++) { check_same(&readings[i], &readings[0]); }
    __atomic_store_n(&refuse, 1, __ATOMIC_RELAXED);
    CHECK_INT(tel_sink_add(&sinks[3]), TEL_ERR_MEMORY);
    CHECK(!tel_query_sink(3, &stats));
    __atomic_store_n(&refuse, 0, __ATOMIC_RELAXED);
    CHECK_INT(tel_sink_remove("first", 5000), TEL_OK);
    work(NULL);
    CHECK_INT(tel_sink_add(&sinks[3]), TEL_OK);                /* goes on where the one that went has ended */
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(readings[3].count[0] * SERIES, 4000);
    check_same(&readings[2], &readings[0]);
    CHECK_INT(readings[0].wrong + readings[1].wrong + readings[2].wrong + readings[3].wrong, 0);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* What the environment asks of an OTLP sink; the code of a sink wins. */
static char body[8192];
static tel_result post(const tel_http_request* r, tel_http_answer* a, void* user_data) {
    (void)user_data;
    snprintf(body, sizeof body, "%.*s", (int)r->size, (const char*)r->body);
    a->status = 200;
    return TEL_OK;
}
static void test_preference(const char* word, tel_temporality code, int sum, int observed) {
    tel_otlp_desc otlp;
    tel_observer_desc o;
    tel_sink sink;
    tel_desc d;
    char expect[80];
    memset(&otlp, 0, sizeof otlp);
    otlp.post_fn = post;
    sink = tel_sink_otlp(&otlp);
    sink.temporality = code;
    memset(&d, 0, sizeof d);
    d.sinks = &sink;
    d.sink_count = 1;
    d.no_thread = d.no_self_metrics = true;
    setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", word, 1);
    CHECK_INT(tel_init(&d), TEL_OK);
    memset(&o, 0, sizeof o);
    o.name = "p.observed";
    o.kind = TEL_OBSERVE_COUNTER;
    o.observe_fn = observe_total;
    CHECK(tel_observer_new(&o) != NULL);
    tel_counter_add(&count, 1);
    CHECK_INT(tel_flush(5000), TEL_OK);
    snprintf(expect, sizeof expect, "\"aggregationTemporality\":%d", sum);
    CHECK(strstr(body, "t.count") && strstr(strstr(body, "t.count"), expect));
    snprintf(expect, sizeof expect, "\"aggregationTemporality\":%d", observed);
    CHECK(strstr(body, "p.observed") && strstr(strstr(body, "p.observed"), expect));
    tel_shutdown(5000);
}

/* Series that were made can be exported as increments too, however little memory there is. */
static tel_counter crowd = TEL_INSTRUMENT("t.crowd", NULL, NULL);
static tel_result add_up(const tel_batch* batch, void* user_data) {
    size_t i, j;
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* v = &batch->metrics[i];
        for (j = 0; strcmp(v->name.data, "t.crowd") == 0 && j < v->point_count; j++) { *(int64_t*)user_data += v->points[j].i; }
    }
    return TEL_OK;
}
static void test_memory_limit(void) {
    int64_t sum = 0;
    tel_sink sink;
    tel_desc d;
    int i;
    memset(&sink, 0, sizeof sink);
    memset(&d, 0, sizeof d);
    sink.export_fn = add_up;
    sink.user_data = &sum;
    sink.prompt = true;
    sink.temporality = TEL_TEMPORALITY_DELTA;
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_atexit = d.no_thread = d.no_self_metrics = true;
    d.max_series = 1000000;
    d.max_live_spans = 64;
    d.memory_limit = 4u << 20;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 30000; i++) { tel_counter_add_with(&crowd, 1, TEL_ATTRS(tel_int("k", i))); }
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK(tel_query_stats().series_overflow > 0);
    CHECK_INT(sum + (int64_t)tel_query_stats().dropped[0], 30000);
    tel_counter_add(&crowd, 5);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    CHECK_INT(sum + (int64_t)tel_query_stats().dropped[0], 30005);
}

int main(void) {
    test_agreement();
    test_late();
    test_preference("cumulative", TEL_TEMPORALITY_CUMULATIVE, 2, 2);
    test_preference("Delta", TEL_TEMPORALITY_CUMULATIVE, 1, 1);
    test_preference("lowmemory", TEL_TEMPORALITY_CUMULATIVE, 1, 2);
    test_preference("lowmemory", TEL_TEMPORALITY_DELTA, 1, 1);
    test_memory_limit();
    return check_done();
}
