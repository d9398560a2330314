/* Room test of >>views and >>derived: what a view selects, what it makes of names, keys, aggregations and limits, and that the
   sums of folded series are exact while threads record and two readers collect. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>
#include <stdlib.h>

/* ---- selection -------------------------------------------------------------------------------------------------- */

static const tel_scope_view lib_a = { { "lib.a", 5 }, { "1.2", 3 }, { "https://s/1", 11 }, { NULL, 0 } };

static bool selects(const char* name, const char* unit, const char* scope, int kind) {
    tel_view v;
    memset(&v, 0, sizeof v);
    v.match_name = name;
    v.match_unit = unit;
    v.match_scope = scope;
    v.match_kind = kind;
    return tel__view_selects(&v, "http.server.duration", "s", &lib_a, TEL_KIND_HISTOGRAM);
}
/* By what a scope has beside its name. */
static bool of_scope(const char* name, const char* version, const char* schema_url) {
    tel_view v;
    memset(&v, 0, sizeof v);
    v.match_scope = name;
    v.match_version = version;
    v.match_schema_url = schema_url;
    CHECK(tel__view_fault(&v) == NULL);
    return tel__view_selects(&v, "http.server.duration", "s", &lib_a, TEL_KIND_HISTOGRAM);
}

static void selection(void) {
    tel_view v;
    CHECK(selects("*", NULL, NULL, 0) && selects("http.*", NULL, NULL, 0) && selects("http.server.duratio?", NULL, NULL, 0));
    CHECK(selects("http.server.duration", "s", "lib.a", 1 + TEL_KIND_HISTOGRAM) && selects(NULL, "s", NULL, 0));
    CHECK(!selects("http", NULL, NULL, 0) && !selects("*", "ms", NULL, 0) && !selects("*", NULL, "lib.b", 0));
    CHECK(!selects("*", NULL, NULL, 1 + TEL_KIND_COUNTER) && selects(NULL, NULL, "lib.?", 0));
    CHECK(of_scope(NULL, "1.2", NULL) && of_scope("lib.a", "1.2", "https://s/1") && of_scope(NULL, NULL, "https://s/?") && of_scope(NULL, "1.*", NULL));
    CHECK(!of_scope(NULL, "1.3", NULL) && !of_scope("lib.a", "1.2", "https://s/2") && !of_scope("lib.b", "1.2", NULL) && !of_scope(NULL, "", NULL));
    memset(&v, 0, sizeof v);
    CHECK(tel__view_keeps(&v, "any"));
    v.keep_keys = "route, method";
    CHECK(tel__view_keeps(&v, "route") && tel__view_keeps(&v, "method") && !tel__view_keeps(&v, "rout") && !tel__view_keeps(&v, "routes"));
    v.drop_keys = "method";
    CHECK(tel__view_keeps(&v, "route") && !tel__view_keeps(&v, "method"));
    v.keep_keys = "";
    CHECK(!tel__view_keeps(&v, "route"));
}

/* ---- what comes out --------------------------------------------------------------------------------------------- */

static tel_memory memory;
static tel_batch seen;
static int said[64];
static void report(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level;
    (void)message;
    (void)line;
    (void)user_data;
    if (item < 64) { said[item]++; }
}
static void start(const tel_view* views, size_t count) {
    static tel_sink sink;
    tel_desc d;
    memset(&d, 0, sizeof d);
    memset(said, 0, sizeof said);
    sink = tel_sink_memory(&memory);
    d.sinks = &sink;
    d.sink_count = 1;
    d.no_thread = d.ignore_env = d.no_self_metrics = true;
    d.views = views;
    d.view_count = count;
    d.diag.report_fn = report;
    CHECK(tel_init(&d) == TEL_OK);
}
static void collect(void) {
    CHECK(tel_flush(5000) == TEL_OK);
    seen = tel_memory_read(&memory);
}
static void stop(void) {
    CHECK(tel_shutdown(5000) == TEL_OK);
    tel_memory_clear(&memory);
}
static const tel_metric_view* metric(const char* name) {
    size_t i;
    for (i = 0; i < seen.metric_count; i++) { if (strcmp(seen.metrics[i].name.data, name) == 0) { return &seen.metrics[i]; } }
    return NULL;
}
/* The point whose attributes print as "k=v,..."; "*": the only one. */
static const tel_point* point(const char* name, const char* attrs) {
    const tel_metric_view* m = metric(name);
    size_t i, k;
    for (i = 0; m && i < m->point_count; i++) {
        char text[256] = "", *at = text;
        for (k = 0; k < m->points[i].attrs.count; k++) {
            const tel_attr* a = &m->points[i].attrs.items[k];
            at += a->type == TEL_TYPE_STRING ? sprintf(at, "%s%s=%s", k ? "," : "", a->key, a->as.s.data)
                : sprintf(at, "%s%s=%lld", k ? "," : "", a->key, a->type == TEL_TYPE_BOOL ? (long long)a->as.b : (long long)a->as.i);
        }
        if (strcmp(text, attrs) == 0 || (attrs[0] == '*' && m->point_count == 1)) { return &m->points[i]; }
    }
    return NULL;
}
static tel_point none;
static const tel_point* get(const char* name, const char* attrs) {
    const tel_point* p = point(name, attrs);
    CHECK(p != NULL);
    if (!p) { fprintf(stderr, "     %s{%s}\n", name, attrs); }
    return p ? p : &none;
}

static void counters(void) {
    static tel_counter hits = TEL_INSTRUMENT("hits", "{hit}", "All hits");
    static tel_counter other = TEL_INSTRUMENT("other", NULL, NULL);
    static tel_counter secret = TEL_INSTRUMENT("secret", NULL, NULL);
    static tel_gauge level = TEL_INSTRUMENT("level", NULL, NULL);
    tel_view v[5];
    int i;
    memset(v, 0, sizeof v);
    v[0].match_name = "hits";
    v[0].keep_keys = "route";
    v[0].description = "Hits by route";
    v[1].match_name = "hit?";
    v[1].name = "hits.total";
    v[1].keep_keys = "";
    v[2].match_name = "secret";
    v[2].aggregation = TEL_AGGREGATE_DROP;
    v[3].match_kind = 1 + TEL_KIND_GAUGE;
    v[3].drop_keys = "id";
    v[4].match_name = NULL;
    start(v, 5);
    CHECK_INT(said[TEL_DIAG_VIEW], 1);          /* it selects nothing */
    CHECK_INT(tel_query_desc().view_count, 4);
    for (i = 0; i < 1000; i++) {
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("route", i % 4 ? "/a" : "/b"), tel_int("user", i % 100)));
        tel_counter_add_with(&other, 1, TEL_ATTRS(tel_int("user", i % 2)));
        tel_counter_add(&secret, 1);
        tel_gauge_seti_with(&level, i, TEL_ATTRS(tel_int("id", i), tel_str("k", "v")));
    }
    tel_counter_add(&hits, 5);
    tel_counter_add(tel_counter_bind(&hits, TEL_ATTRS(tel_str("route", "/a"), tel_int("user", 7))), 10);
    collect();
    CHECK_INT(get("hits", "route=/a")->i, 760);
    CHECK_INT(get("hits", "route=/b")->i, 250);
    CHECK_INT(get("hits", "")->i, 5);
    CHECK_INT(get("hits.total", "*")->i, 1015);
    CHECK(metric("hits") && strcmp(metric("hits")->description.data, "Hits by route") == 0 && metric("hits")->monotonic);
    CHECK(metric("hits.total") && strcmp(metric("hits.total")->description.data, "All hits") == 0);
    CHECK(metric("hits") && metric("hits")->point_count == 3 && metric("hits")->integer);
    CHECK_INT(get("other", "user=1")->i, 500);
    CHECK(!metric("secret"));
    CHECK_INT(get("level", "k=v")->i, 999);
    CHECK(metric("level") && metric("level")->integer && metric("level")->point_count == 1);
    tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("route", "/new"), tel_int("user", 1)));
    tel_counter_addf(&hits, 0.5);
    collect();
    CHECK_INT(get("hits", "route=/new")->i, 1);
    CHECK(get("hits", "")->d == 5.5 && get("hits.total", "*")->d == 1016.5);
    stop();
}

static void histograms(void) {
    static tel_histogram h = TEL_INSTRUMENT("latency", "s", NULL);
    static tel_histogram single = TEL_INSTRUMENT("single", "s", NULL);
    static const double bounds[] = { 0.5, 2 };
    tel_view v[5];
    const tel_point* p;
    int i;
    memset(v, 0, sizeof v);
    for (i = 0; i < 4; i++) { v[i].match_name = "lat*"; }
    v[0].name = "latency.buckets";
    v[0].aggregation = TEL_AGGREGATE_BUCKETS;
    v[0].bounds = bounds;
    v[0].bound_count = 2;
    v[0].no_min_max = true;
    v[1].name = "latency.exp";
    v[1].aggregation = TEL_AGGREGATE_EXPONENTIAL;
    v[1].max_size = 10;
    v[1].keep_keys = "";
    v[2].name = "latency.sum";
    v[2].aggregation = TEL_AGGREGATE_SUM;
    v[2].drop_keys = "k";
    v[3].aggregation = TEL_AGGREGATE_LAST;      /* does not fit: not applied */
    v[4].match_name = "single";
    v[4].aggregation = TEL_AGGREGATE_EXPONENTIAL;
    start(v, 5);
    for (i = 0; i < 300; i++) {
        tel_histogram_record_with(&h, i % 3, TEL_ATTRS(tel_int("k", i % 5)));
        tel_histogram_record(&single, i);
    }
    collect();
    p = get("latency.buckets", "k=2");
    CHECK(p->count == 60 && p->bound_count == 2 && p->buckets[0] == 20 && p->buckets[1] == 40 && p->buckets[2] == 0);
    CHECK(p->min > p->max && p->d == 60);
    p = get("latency.exp", "");
    CHECK(p->count == 300 && p->zero_count == 100 && p->d == 300 && p->min == 0 && p->max == 2);
    CHECK_INT(p->scale, 3);
    p = get("latency.sum", "");
    CHECK(p->d == 300 && !p->buckets);
    CHECK(metric("latency.sum") && metric("latency.sum")->kind == TEL_METRIC_SUM && metric("latency.sum")->monotonic);
    CHECK(!metric("latency"));
    CHECK_INT(get("single", "")->count, 300);
    CHECK(metric("single") && metric("single")->kind == TEL_METRIC_EXPONENTIAL);
    stop();
}

static void observe(tel_observation* o, void* user_data) {
    int i;
    (void)user_data;
    for (i = 0; i < 6; i++) { tel_observei(o, i, TEL_ATTRS(tel_int("disk", i), tel_str("host", i % 2 ? "a" : "b"))); }
}
static void observed(void) {
    tel_observer_desc d;
    tel_view v;
    memset(&d, 0, sizeof d);
    memset(&v, 0, sizeof v);
    v.match_name = "disk.io";
    v.keep_keys = "host";
    start(&v, 1);
    d.kind = TEL_OBSERVE_COUNTER;
    d.name = "disk.io";
    d.observe_fn = observe;
    CHECK(tel_observer_new(&d) != NULL);
    collect();
    CHECK_INT(get("disk.io", "host=a")->i, 9);
    CHECK_INT(get("disk.io", "host=b")->i, 6);
    collect();
    CHECK_INT(get("disk.io", "host=a")->i, 9);
    stop();
}

/* A limit counts the series that come out; and a view that drops the key that explodes bounds those behind it as well. */
static void limits(void) {
    static tel_counter few = TEL_INSTRUMENT("few", NULL, NULL);
    static tel_counter folded = TEL_INSTRUMENT("folded", NULL, NULL);
    tel_view v[2];
    uint64_t before;
    int i;
    memset(v, 0, sizeof v);
    v[0].match_name = "few";
    v[0].max_series = 3;
    v[1].match_name = "folded";
    v[1].drop_keys = "user";
    start(v, 2);
    for (i = 0; i < 50; i++) { tel_counter_add_with(&few, 1, TEL_ATTRS(tel_int("k", i % 10))); }
    for (i = 0; i < 5000; i++) { tel_counter_add_with(&folded, 1, TEL_ATTRS(tel_int("user", i), tel_int("k", i % 3))); }
    before = tel_query_stats().series;
    for (i = 0; i < 5000; i++) { tel_counter_add_with(&folded, 1, TEL_ATTRS(tel_int("user", 9000 + i), tel_int("k", i % 3))); }
    CHECK_INT(tel_query_stats().series, before);
    collect();
    CHECK_INT(get("few", "k=0")->i, 5);
    CHECK_INT(get("few", "k=2")->i, 5);
    CHECK_INT(get("few", "otel.metric.overflow=1")->i, 35);
    CHECK_INT(get("folded", "k=0")->i, 3334);
    CHECK_INT(get("folded", "k=1")->i, 3334);
    CHECK_INT(get("folded", "k=2")->i, 3332);
    CHECK(metric("folded") && metric("folded")->point_count == 3);
    stop();
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

#define THREADS 8
#define RECORDS 3000
static tel_counter   work_count = TEL_INSTRUMENT("work.count", NULL, NULL);
static tel_histogram work_size = TEL_INSTRUMENT("work.size", NULL, NULL);
static volatile int  running;

static void* work(void* arg) {
    int me = (int)(intptr_t)arg, i;
    for (i = 0; i < RECORDS; i++) {
        tel_counter_add_with(&work_count, 1, TEL_ATTRS(tel_int("thread", me), tel_int("part", i % 3), tel_int("i", i % 50)));
        tel_histogram_record_with(&work_size, 1 + (i * 31) % 1000, TEL_ATTRS(tel_int("part", i % 3), tel_int("thread", me)));
    }
    __atomic_sub_fetch(&running, 1, __ATOMIC_RELAXED);
    return NULL;
}
typedef struct sums { bool delta; int64_t count[3]; uint64_t size, exponential; double sum; } sums;
static tel_result add_up(const tel_batch* b, void* user_data) {
    sums* s = (sums*)user_data;
    size_t i, j, k;
    for (i = 0; i < b->metric_count; i++) {
        const tel_metric_view* m = &b->metrics[i];
        for (j = 0; j < m->point_count; j++) {
            const tel_point* p = &m->points[j];
            if (strcmp(m->name.data, "work.count") == 0 && p->attrs.count == 1 && p->attrs.items[0].as.i < 3) {
                int64_t* to = &s->count[p->attrs.items[0].as.i];
                *to = (s->delta ? *to : 0) + p->i;
            }
            if (strcmp(m->name.data, "work.size") == 0) {
                s->size = (s->delta ? s->size : 0) + p->count;
                s->sum = (s->delta ? s->sum : 0) + p->d;
            }
            if (strcmp(m->name.data, "work.exp") == 0) {
                if (!s->delta) { s->exponential = 0; }
                for (k = 0; k < p->bucket_count; k++) { s->exponential += p->buckets[k]; }
            }
        }
    }
    return TEL_OK;
}

static void threads(void) {
    tel_view v[3];
    sums whole, delta;
    tel_sink sinks[2];
    tel_desc d;
    pthread_t thread[THREADS];
    intptr_t i;
    double sum = 0;
    memset(&whole, 0, sizeof whole);
    memset(&delta, 0, sizeof delta);
    memset(v, 0, sizeof v);
    memset(&d, 0, sizeof d);
    memset(sinks, 0, sizeof sinks);
    v[0].match_name = "work.count";
    v[0].keep_keys = "part";
    v[1].match_name = "work.size";
    v[1].keep_keys = "";
    v[2].match_name = "work.size";
    v[2].name = "work.exp";
    v[2].keep_keys = "";
    v[2].aggregation = TEL_AGGREGATE_EXPONENTIAL;
    for (i = 0; i < 2; i++) {
        sinks[i].name = i ? "delta" : "whole";
        sinks[i].signal_mask = TEL_SIGNAL_METRICS;
        sinks[i].export_fn = add_up;
    }
    delta.delta = true;
    sinks[0].user_data = &whole;
    sinks[1].user_data = &delta;
    sinks[1].temporality = TEL_TEMPORALITY_DELTA;
    d.sinks = sinks;
    d.sink_count = 2;
    d.ignore_env = d.no_self_metrics = true;
    d.views = v;
    d.view_count = 3;
    CHECK(tel_init(&d) == TEL_OK);
    __atomic_store_n(&running, THREADS, __ATOMIC_RELAXED);
    for (i = 0; i < THREADS; i++) { CHECK(pthread_create(&thread[i], NULL, work, (void*)i) == 0); }
    while (__atomic_load_n(&running, __ATOMIC_RELAXED)) { CHECK(tel_flush(60000) == TEL_OK); }
    for (i = 0; i < THREADS; i++) { CHECK(pthread_join(thread[i], NULL) == 0); }
    CHECK(tel_flush(60000) == TEL_OK);
    for (i = 0; i < RECORDS; i++) { sum += (double)(THREADS * (1 + (i * 31) % 1000)); }
    for (i = 0; i < 3; i++) {
        CHECK_INT(whole.count[i], THREADS * RECORDS / 3);
        CHECK_INT(delta.count[i], THREADS * RECORDS / 3);
    }
    CHECK_INT(whole.size, THREADS * RECORDS);
    CHECK_INT(delta.size, THREADS * RECORDS);
    CHECK_INT(whole.exponential, THREADS * RECORDS);
    CHECK_INT(delta.exponential, THREADS * RECORDS);
    CHECK(whole.sum == sum && delta.sum == sum);
    CHECK(tel_shutdown(60000) == TEL_OK);
}

/* A fallback is for what no other view selects, whatever their order: the default of a kind. */
static void fallback(void) {
    static const double bounds[] = { 1, 2 };
    static tel_histogram usual = TEL_INSTRUMENT("usual", NULL, NULL), chosen = TEL_INSTRUMENT("chosen", NULL, NULL);
    static tel_counter counter = TEL_INSTRUMENT("counter", NULL, NULL);
    static tel_gauge gauge = TEL_INSTRUMENT("gauge", NULL, NULL);
    tel_view v[4];
    int i;
    memset(v, 0, sizeof v);
    v[0].match_kind = 1 + TEL_KIND_HISTOGRAM;
    v[0].aggregation = TEL_AGGREGATE_EXPONENTIAL;
    v[0].fallback = true;
    v[1].match_name = "chosen";
    v[1].aggregation = TEL_AGGREGATE_BUCKETS;
    v[1].bounds = bounds;
    v[1].bound_count = 2;
    v[2].match_kind = 1 + TEL_KIND_COUNTER;
    v[2].max_series = 2;
    v[2].fallback = true;
    v[3].match_kind = 1 + TEL_KIND_GAUGE;
    v[3].aggregation = TEL_AGGREGATE_DROP;
    v[3].fallback = true;
    start(v, 4);
    tel_histogram_record(&usual, 1.5);
    tel_histogram_record(&chosen, 1.5);
    tel_gauge_set(&gauge, 1);
    for (i = 0; i < 5; i++) { tel_counter_add_with(&counter, 1, TEL_ATTRS(tel_int("i", i))); }
    collect();
    CHECK(metric("usual") && metric("usual")->kind == TEL_METRIC_EXPONENTIAL);
    CHECK(metric("chosen") && metric("chosen")->kind == TEL_METRIC_HISTOGRAM && get("chosen", "*")->bound_count == 2);
    CHECK_INT(get("counter", "otel.metric.overflow=1")->i, 3);
    CHECK(metric("gauge") == NULL);
    stop();
}

int main(void) {
    selection();
    counters();
    histograms();
    observed();
    limits();
    fallback();
    threads();
    return check_done();
}
