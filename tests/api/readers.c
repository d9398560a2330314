/* Sinks that want metrics in different forms: histograms in other buckets, as sums or not at all, and fewer series. Threads record
   while the sinks come, go and are switched, and in the end every reader has the same sums, whatever it folds, as increments and as
   totals; the overflow has exactly what is beyond the limit of each. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>
#include <stdlib.h>

#define SETS 40
static tel_counter   hits = TEL_INSTRUMENT("hits", NULL, NULL);
static tel_histogram sizes = TEL_INSTRUMENT("sizes", NULL, NULL);
static tel_gauge     level = TEL_INSTRUMENT("level", NULL, NULL);

typedef struct reading {
    bool delta;
    const char* counted;                /* the one collection whose metrics are told apart: of the test's own thread */
    uint64_t collection;
    int64_t  hits, hits_rest, seen, wrong;
    uint64_t records, records_rest, in_buckets;
    double   sum, observed;
    size_t   hit_series, size_series, gauges;   /* of the last collection */
    int      kinds[4];                          /* of views of "sizes", by tel_metric_kind, of the last collection */
} reading;

static bool rest(const tel_point* p) { return p->attrs.count == 1 && strcmp(p->attrs.items[0].key, "otel.metric.overflow") == 0; }

static void note_sizes(reading* r, const tel_metric_view* v, const tel_point* p) {
    size_t i, n = v->kind == TEL_METRIC_EXPONENTIAL ? p->bucket_count : p->buckets ? p->bound_count + 1 : 0;
    uint64_t in = p->zero_count;
    for (i = 0; i < n; i++) { in += p->buckets[i]; }
    r->wrong += v->kind != TEL_METRIC_SUM && in != p->count;
    r->size_series++;
    r->records += p->count;
    r->records_rest += rest(p) ? p->count : 0;
    r->sum += p->d;
}
static void note(reading* r, const tel_metric_view* v) {
    size_t i;
    if (strcmp(v->name.data, "sizes") == 0) { r->kinds[v->kind]++; }
    for (i = 0; i < v->point_count; i++) {
        const tel_point* p = &v->points[i];
        if (strcmp(v->name.data, "hits") == 0) {
            r->wrong += p->i < 0;
            r->hits += p->i;
            r->hits_rest += rest(p) ? p->i : 0;
            r->hit_series++;
        } else if (strcmp(v->name.data, "sizes") == 0) { note_sizes(r, v, p); }
        else if (strcmp(v->name.data, "level") == 0) { r->gauges++; }
        else if (strcmp(v->name.data, "observed") == 0) { r->observed += p->d; }
    }
}
/* Of a cumulative sink the newest collection counts, of a delta sink the sum of all. */
static tel_result take(const tel_batch* batch, void* user_data) {
    reading* r = (reading*)user_data;
    size_t i;
    if (batch->collection != r->collection) {
        r->wrong += batch->collection < r->collection;
        r->collection = batch->collection;
        r->hit_series = r->size_series = r->gauges = 0;
        memset(r->kinds, 0, sizeof r->kinds);
        if (!r->delta) { r->hits = r->hits_rest = 0; r->records = r->records_rest = 0; r->sum = r->observed = 0; }
    }
    for (i = 0; i < batch->metric_count; i++) { note(r, &batch->metrics[i]); }
    return TEL_OK;
}
static tel_sink sink_of(const char* name, reading* r, bool delta, tel_aggregation histograms, uint32_t max_series) {
    tel_sink s;
    memset(r, 0, sizeof *r);
    memset(&s, 0, sizeof s);
    r->delta = delta;
    s.name = name;
    s.signal_mask = TEL_SIGNAL_METRICS;
    s.export_fn = take;
    s.user_data = r;
    s.temporality = delta ? TEL_TEMPORALITY_DELTA : TEL_TEMPORALITY_CUMULATIVE;
    s.aggregation[TEL_KIND_HISTOGRAM] = histograms;
    s.max_series = max_series;
    return s;
}
static int complaints;
static void report(int level_, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level_;
    (void)message;
    (void)line;
    (void)user_data;
    complaints += item == TEL_DIAG_SINK_ERROR || item == TEL_DIAG_ENV;
}
static void start(const tel_sink* sinks, size_t count, bool no_thread) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    complaints = 0;
    d.sinks = sinks;
    d.sink_count = count;
    d.no_thread = no_thread;
    d.ignore_env = d.no_self_metrics = d.no_atexit = true;
    d.metric_interval_ms = 3600000;
    d.diag.report_fn = report;
    CHECK_INT(tel_init(&d), TEL_OK);
}
static void record(int from, int to) {
    int i;
    for (i = from; i < to; i++) {
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_int("k", i % SETS)));
        tel_histogram_record_with(&sizes, i % 7, TEL_ATTRS(tel_int("k", i % SETS)));
    }
}

/* ---- what each form has ---- */

static void test_forms(void) {
    static reading r[5];
    tel_sink sinks[5];
    sinks[0] = sink_of("plain", &r[0], false, TEL_AGGREGATE_DEFAULT, 0);
    sinks[1] = sink_of("exponential", &r[1], true, TEL_AGGREGATE_EXPONENTIAL, 0);
    sinks[2] = sink_of("few", &r[2], false, TEL_AGGREGATE_BUCKETS, 9);
    sinks[3] = sink_of("sums", &r[3], true, TEL_AGGREGATE_SUM, 0);
    sinks[3].aggregation[TEL_KIND_GAUGE] = TEL_AGGREGATE_DROP;
    sinks[4] = sink_of("none", &r[4], false, TEL_AGGREGATE_DROP, 9);
    sinks[4].aggregation[TEL_KIND_COUNTER] = TEL_AGGREGATE_LAST;          /* cannot be, and counts as the default */
    start(sinks, 5, true);
    CHECK_INT(complaints, 1);
    tel_gauge_set(&level, 3);
    record(0, SETS * 10);
    tel_flush(5000);
    record(0, SETS * 10);
    tel_flush(5000);
    CHECK(r[0].kinds[TEL_METRIC_HISTOGRAM] == 1 && r[0].size_series == SETS && r[0].gauges == 1);
    CHECK(r[1].kinds[TEL_METRIC_EXPONENTIAL] == 1 && r[1].size_series == SETS && r[1].gauges == 1);
    CHECK(r[2].kinds[TEL_METRIC_HISTOGRAM] == 1 && r[2].size_series == 10 && r[2].hit_series == 10);
    CHECK(r[3].kinds[TEL_METRIC_SUM] == 1 && r[3].size_series == SETS && r[3].gauges == 0 && r[3].records == 0);
    CHECK(r[4].size_series == 0 && r[4].hit_series == 10 && r[4].gauges == 1);
    CHECK_INT(r[0].hits, SETS * 20);
    CHECK_INT(r[1].hits, SETS * 20);
    CHECK_INT(r[3].hits, SETS * 20);
    CHECK_INT(r[2].hits, SETS * 20);
    CHECK_INT(r[2].hits_rest, (SETS - 9) * 20);
    CHECK_INT(r[4].hits_rest, (SETS - 9) * 20);
    CHECK_INT(r[0].records, SETS * 20);
    CHECK_INT(r[1].records, SETS * 20);
    CHECK_INT(r[2].records_rest, (SETS - 9) * 20);
    CHECK(r[1].sum == r[0].sum && r[2].sum == r[0].sum && r[3].sum == r[0].sum);
    CHECK_INT(r[0].wrong + r[1].wrong + r[2].wrong + r[3].wrong + r[4].wrong, 0);
    tel_shutdown(5000);
}

/* One sink alone costs no streams, and tel_collect gets what there is, or the form that one of the sinks has. */
static void test_alone(void) {
    static reading r[3];
    tel_sink sinks[2], query = sink_of("query", &r[2], false, TEL_AGGREGATE_DEFAULT, 0);
    tel_instance* inst;
    uint32_t ids;
    sinks[0] = sink_of("exponential", &r[0], false, TEL_AGGREGATE_EXPONENTIAL, 9);
    start(sinks, 1, true);
    inst = (tel_instance*)tel__atomic_load_ptr(&tel__root.current);
    ids = tel__stream_ids(&inst->metrics);
    record(0, SETS);
    CHECK_INT(tel__stream_ids(&inst->metrics) - ids, 2 * 10);
    CHECK_INT(tel_collect(&query), TEL_OK);
    CHECK(r[2].kinds[TEL_METRIC_EXPONENTIAL] == 1 && r[2].hit_series == 10 && r[2].hits == SETS);
    tel_shutdown(5000);
    sinks[1] = sink_of("plain", &r[1], false, TEL_AGGREGATE_DEFAULT, 0);
    start(sinks, 2, true);
    record(0, SETS);
    CHECK_INT(tel_collect(&query), TEL_OK);
    CHECK(r[2].kinds[TEL_METRIC_HISTOGRAM] == 1 && r[2].hit_series == SETS && r[2].hits == SETS);
    query.aggregation[TEL_KIND_HISTOGRAM] = TEL_AGGREGATE_EXPONENTIAL;
    query.max_series = 9;
    CHECK_INT(tel_collect(&query), TEL_OK);
    CHECK(r[2].kinds[TEL_METRIC_EXPONENTIAL] == 1 && r[2].hit_series == 10 && r[2].hits == SETS && r[2].hits_rest == SETS - 9);
    tel_shutdown(5000);
}

/* A view's own aggregation and limit win; its defaults are those of the sink. */
static void test_views(void) {
    static reading r[2];
    tel_sink sinks[2];
    tel_view v[2];
    tel_desc d;
    memset(&d, 0, sizeof d);
    memset(v, 0, sizeof v);
    v[0].match_name = "hits";
    v[0].max_series = 5;
    v[1].match_name = "sizes";
    v[1].drop_keys = "k";
    sinks[0] = sink_of("few", &r[0], false, TEL_AGGREGATE_EXPONENTIAL, 9);
    sinks[1] = sink_of("plain", &r[1], false, TEL_AGGREGATE_DEFAULT, 0);
    d.sinks = sinks;
    d.sink_count = d.view_count = 2;
    d.views = v;
    d.ignore_env = d.no_thread = d.no_self_metrics = d.no_atexit = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    record(0, SETS);
    tel_flush(5000);
    CHECK(r[0].hit_series == 6 && r[1].hit_series == 6 && r[0].hits_rest == SETS - 5 && r[1].hits_rest == SETS - 5);
    CHECK(r[0].kinds[TEL_METRIC_EXPONENTIAL] == 1 && r[0].kinds[TEL_METRIC_HISTOGRAM] == 0 && r[0].size_series == 1);
    CHECK(r[1].kinds[TEL_METRIC_HISTOGRAM] == 1 && r[1].kinds[TEL_METRIC_EXPONENTIAL] == 0 && r[1].size_series == 1);
    CHECK(r[0].records == SETS && r[1].records == SETS && r[0].sum == r[1].sum);
    tel_shutdown(5000);
}

/* Series that are removed leave each reader that has them, and stay in the overflow of one that folds them. */
static void test_removal(void) {
    static reading r[3];
    tel_sink sinks[3];
    int i;
    sinks[0] = sink_of("plain", &r[0], false, TEL_AGGREGATE_DEFAULT, 0);
    sinks[1] = sink_of("few", &r[1], true, TEL_AGGREGATE_EXPONENTIAL, 9);
    sinks[2] = sink_of("fewer", &r[2], false, TEL_AGGREGATE_DEFAULT, 3);
    start(sinks, 3, true);
    record(0, SETS);
    tel_flush(5000);
    for (i = 0; i < 20; i++) {                          /* 0 to 8 have series for the second sink, 0 to 2 for the third */
        tel_series_remove("hits", TEL_ATTRS(tel_int("k", i)));
        tel_series_remove("sizes", TEL_ATTRS(tel_int("k", i)));
    }
    for (i = 0; i < 4; i++) { tel_flush(5000); }
    CHECK(r[0].hit_series == SETS - 20 && r[0].hits == SETS - 20 && r[0].size_series == SETS - 20);
    CHECK(r[2].hit_series == 1 && r[2].hits == SETS - 3 && r[2].hits_rest == SETS - 3 && r[2].size_series == 1);
    CHECK(r[1].hits == SETS && r[1].records == SETS && r[1].hit_series == 1);
    record(0, SETS);                                    /* what is used again starts anew */
    tel_flush(5000);
    CHECK(r[0].hits == 2 * SETS - 20 && r[0].hit_series == SETS && r[0].records == 2 * SETS - 20);
    CHECK(r[2].hits == 2 * SETS - 3 && r[2].hits_rest == 2 * (SETS - 3) && r[2].hit_series == 4);
    CHECK(r[1].hits == 2 * SETS && r[1].records == 2 * SETS && r[1].hits_rest == 2 * (SETS - 9) && r[1].hit_series == 10);
    CHECK_INT(r[0].wrong + r[1].wrong + r[2].wrong, 0);
    tel_shutdown(5000);
}

/* ---- the environment ---- */

static tel_result post(const tel_http_request* request, tel_http_answer* answer, void* user_data) {
    int* found = (int*)user_data;
    const char *at = (const char*)request->body, *end = at + request->size;
    for (; end - at >= 20; at++) {
        found[0] += memcmp(at, "\"exponentialHistogram", 20) == 0;
        found[1] += end - at > 11 && memcmp(at, "\"histogram\"", 11) == 0;
    }
    answer->status = 200;
    return TEL_OK;
}
/* Its variable is for OTLP sinks alone, and not for one that says itself what it wants. */
static void check_environment(const char* word, tel_aggregation own, bool chained, bool exponential, int faults) {
    static reading r;
    tel_sink sinks[2], chain[2];
    tel_otlp_desc otlp;
    tel_desc d;
    int found[2] = { 0, 0 };
    memset(&otlp, 0, sizeof otlp);
    memset(&d, 0, sizeof d);
    otlp.post_fn = post;
    otlp.user_data = found;
    setenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", word, 1);
    sinks[0] = tel_sink_otlp(&otlp);
    sinks[0].aggregation[TEL_KIND_HISTOGRAM] = own;
    sinks[1] = sink_of("plain", &r, false, TEL_AGGREGATE_DEFAULT, 0);
    chain[0] = sinks[0];
    chain[1] = sinks[1];
    if (chained) { sinks[0] = tel_sink_fallback("chain", chain, 2); }
    d.sinks = sinks;
    d.sink_count = 2;
    d.no_thread = d.no_self_metrics = d.no_atexit = true;
    d.diag.report_fn = report;
    complaints = 0;
    CHECK_INT(tel_init(&d), TEL_OK);
    record(0, 1);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(found[0], exponential);
    CHECK_INT(found[1], !exponential);
    CHECK_INT(r.kinds[TEL_METRIC_HISTOGRAM], 1);
    CHECK_INT(complaints, faults);
    tel_shutdown(5000);
    unsetenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION");
}
static void test_environment(void) {
    check_environment("base2_exponential_bucket_histogram", TEL_AGGREGATE_DEFAULT, false, true, 0);
    check_environment("base2_exponential_bucket_histogram", TEL_AGGREGATE_DEFAULT, true, true, 0);  /* as a member beside one without a wish */
    check_environment("base2_exponential_bucket_histogram", TEL_AGGREGATE_BUCKETS, false, false, 0);
    check_environment("explicit_bucket_histogram", TEL_AGGREGATE_DEFAULT, false, false, 0);
    check_environment("exponential", TEL_AGGREGATE_DEFAULT, false, false, 1);
}

/* What readers in different forms share is removed once each of them has been shown its last values. */
static void test_shared_removal(void) {
    static reading r[4];
    tel_sink sinks[4];
    int i;
    sinks[0] = sink_of("plain", &r[0], false, TEL_AGGREGATE_DEFAULT, 0);
    sinks[1] = sink_of("exponential", &r[1], false, TEL_AGGREGATE_EXPONENTIAL, 0);
    sinks[2] = sink_of("sums", &r[2], true, TEL_AGGREGATE_SUM, 0);
    sinks[3] = sink_of("none", &r[3], false, TEL_AGGREGATE_DROP, 0);
    start(sinks, 4, true);
    record(0, SETS);
    tel_gauge_set_with(&level, 3, TEL_ATTRS(tel_int("k", 1)));
    for (i = 0; i < SETS; i++) { tel_series_remove("hits", TEL_ATTRS(tel_int("k", i))); }
    tel_series_remove("level", TEL_ATTRS(tel_int("k", 1)));
    tel_flush(5000);
    for (i = 0; i < 4; i++) { CHECK(r[i].hits == SETS && r[i].hit_series == SETS && r[i].gauges == 1); }
    for (i = 0; i < 10; i++) {                          /* some are removed when the memory of others is free to be used again */
        tel_flush(5000);
        record(i, SETS);
        tel_series_remove("hits", TEL_ATTRS(tel_int("k", SETS - 1 - i)));
        CHECK_INT(r[2].wrong, 0);
    }
    tel_flush(5000);
    CHECK_INT(r[2].hits, SETS + 10 * SETS - 45);
    tel_shutdown(5000);
}

/* Readers of increments come and go, each in a form of its own, more often than there are forms. */
static void test_coming(void) {
    static reading r[2];
    tel_sink first = sink_of("first", &r[0], false, TEL_AGGREGATE_DEFAULT, 0), late;
    uint32_t i;
    start(&first, 1, true);
    for (i = 1; i <= 40; i++) {
        late = sink_of("late", &r[1], true, TEL_AGGREGATE_DEFAULT, i);
        CHECK_INT(tel_sink_add(&late), TEL_OK);
        record(0, SETS);
        tel_flush(5000);
        CHECK(r[1].hits >= SETS && r[1].hits <= r[0].hits && r[1].wrong == 0);
        CHECK_INT(complaints, i >= 32);     /* the first sink has one of the 32 forms; said once a minute */
        CHECK_INT(tel_sink_remove("late", 5000), TEL_OK);
    }
    tel_shutdown(5000);
}

/* ---- under fire ---- */

#define THREADS 8
#define EACH    4000
static void* work(void* arg) {
    int i, from = (int)(intptr_t)arg;
    for (i = 0; i < EACH; i += SETS) { record(from * 3, from * 3 + SETS); }
    return NULL;
}
static void crowd(pthread_t* t) {
    intptr_t i;
    for (i = 0; i < THREADS; i++) { pthread_create(&t[i], NULL, work, (void*)i); }
}
static void observe(tel_observation* o, void* user_data) {
    (void)user_data;
    tel_observe(o, 1, TEL_ATTRS(tel_int("k", 1)));
    tel_observe(o, 2, TEL_ATTRS(tel_int("k", 2)));
}

/* Eight threads record while two readers that differ collect, one more comes and goes, and sinks are switched. */
static void test_fire(void) {
    static reading r[4], late[2];
    tel_sink sinks[4], added[2];
    tel_observer_desc o;
    pthread_t t[THREADS];
    int round, i;
    sinks[0] = sink_of("plain", &r[0], false, TEL_AGGREGATE_DEFAULT, 0);
    sinks[1] = sink_of("few", &r[1], true, TEL_AGGREGATE_EXPONENTIAL, 9);
    sinks[2] = sink_of("same", &r[2], true, TEL_AGGREGATE_DEFAULT, 0);
    sinks[3] = sink_of("fewer", &r[3], false, TEL_AGGREGATE_EXPONENTIAL, 3);
    start(sinks, 4, false);
    memset(&o, 0, sizeof o);
    o.name = "observed";
    o.observe_fn = observe;
    CHECK(tel_observer_new(&o) != NULL);
    for (round = 1; round <= 4; round++) {
        added[0] = sink_of("late", &late[0], true, TEL_AGGREGATE_EXPONENTIAL, 9);
        added[1] = sink_of("later", &late[1], false, TEL_AGGREGATE_SUM, 4);
        crowd(t);
        for (i = 0; i < 10; i++) {
            CHECK_INT(tel_flush(20000), TEL_OK);
            if (i == 2) { CHECK_INT(tel_sink_add(&added[0]), TEL_OK); }
            if (i == 3) { CHECK_INT(tel_sink_add(&added[1]), TEL_OK); }
            if (i == 5) { CHECK_INT(tel_sink_enable("fewer", false), TEL_OK); }
            if (i == 6) { CHECK_INT(tel_sink_enable("fewer", true), TEL_OK); }
        }
        for (i = 0; i < THREADS; i++) { pthread_join(t[i], NULL); }
        CHECK_INT(tel_flush(20000), TEL_OK);
        for (i = 0; i < 4; i++) {
            CHECK_INT(r[i].hits, THREADS * EACH * round);
            if (i != 1) { CHECK_INT(r[i].records, THREADS * EACH * round); }
            CHECK_INT(r[i].wrong, 0);
        }
        CHECK(r[1].records == r[0].records && r[1].sum == r[0].sum && r[2].sum == r[0].sum && r[3].sum == r[0].sum);
        CHECK(r[1].hit_series <= 10 && r[3].hit_series <= 4 && r[0].hit_series == SETS && r[3].size_series <= 4);
        CHECK(r[1].kinds[TEL_METRIC_EXPONENTIAL] <= 1 && r[3].kinds[TEL_METRIC_EXPONENTIAL] == 1 && !r[3].kinds[TEL_METRIC_HISTOGRAM]);
        CHECK(r[0].observed == 3 && r[3].observed == 3);
        CHECK(late[1].hits == r[0].hits && late[1].sum == r[0].sum && late[0].wrong + late[1].wrong == 0);
        CHECK_INT(tel_sink_remove("late", 20000), TEL_OK);
        CHECK_INT(tel_sink_remove("later", 20000), TEL_OK);
    }
    tel_shutdown(20000);
}

int main(void) {
    test_forms();
    test_alone();
    test_views();
    test_removal();
    test_shared_removal();
    test_coming();
    test_environment();
    test_fire();
    return check_done();
}
