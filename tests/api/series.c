/* Series that are removed and that expire: they are shown once more, start anew when they are used again, also through a bound
   handle, and no record is lost or counted twice: not for a reader of totals, which adds up what each start has come to, and
   not for a reader of increments, while eight threads record and a third thread removes. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- one thread, and a clock of its own ---- */

static uint64_t now_ns = UINT64_C(1700000000000000000);
static uint64_t clock_now(void* user_data) {
    (void)user_data;
    return __atomic_load_n(&now_ns, __ATOMIC_RELAXED);
}
static tel_memory memory;
static tel_batch seen;
static void collect(void) {
    now_ns += 1000000000u;
    CHECK(tel_flush(5000) == TEL_OK);
    seen = tel_memory_read(&memory);
}
static const tel_point* point(const char* name, int k) {
    size_t i, j;
    for (i = 0; i < seen.metric_count; i++) {
        const tel_metric_view* m = &seen.metrics[i];
        if (strcmp(m->name.data, name) != 0) { continue; }
        for (j = 0; j < m->point_count; j++) { if (m->points[j].attrs.count == 1 && m->points[j].attrs.items[0].as.i == k) { return &m->points[j]; } }
    }
    return NULL;
}
static void start(uint32_t max_series, uint32_t expiry_ms, bool exponential) {
    static tel_sink sink;
    static tel_view view;
    tel_desc d;
    memset(&d, 0, sizeof d);
    sink = tel_sink_memory(&memory);
    d.sinks = &sink;
    d.sink_count = 1;
    d.no_thread = d.ignore_env = d.no_self_metrics = true;
    d.clock_fn = clock_now;
    d.max_series = max_series;
    d.series_expiry_ms = expiry_ms;
    if (exponential) {
        view.match_kind = 1 + TEL_KIND_HISTOGRAM;
        view.aggregation = TEL_AGGREGATE_EXPONENTIAL;
        d.views = &view;
        d.view_count = 1;
    }
    CHECK(tel_init(&d) == TEL_OK);
}
static void stop(void) {
    CHECK(tel_shutdown(5000) == TEL_OK);
    tel_memory_clear(&memory);
}

static void removed(bool exponential) {
    static tel_counter c = TEL_INSTRUMENT("r.count", NULL, NULL);
    static tel_gauge g = TEL_INSTRUMENT("r.gauge", NULL, NULL);
    static tel_histogram h = TEL_INSTRUMENT("r.size", NULL, NULL);
    tel_counter* bound;
    const tel_point* p;
    uint64_t first;
    int k;
    start(0, 0, exponential);
    bound = tel_counter_bind(&c, TEL_ATTRS(tel_int("k", 1)));
    for (k = 1; k < 3; k++) {
        tel_counter_add_with(&c, 10 * k, TEL_ATTRS(tel_int("k", k)));
        tel_gauge_set_with(&g, k, TEL_ATTRS(tel_int("k", k)));
        tel_histogram_record_with(&h, 100 * k, TEL_ATTRS(tel_int("k", k)));
    }
    tel_series_remove("r.count", TEL_ATTRS(tel_int("k", 1)));
    tel_series_remove("r.gauge", TEL_ATTRS(tel_int("k", 1)));
    tel_series_remove("r.size", TEL_ATTRS(tel_int("k", 1)));
    tel_series_remove("r.size", TEL_ATTRS(tel_int("k", 7)));
    tel_series_remove("unknown", TEL_NOATTRS);
    tel_series_remove(NULL, TEL_NOATTRS);
    collect();                                          /* for the last time */
    p = point("r.count", 1);
    CHECK(p && p->i == 10);
    first = p ? p->start_unix_ns : 0;
    CHECK(point("r.gauge", 1) && point("r.size", 1));
    collect();
    CHECK(!point("r.count", 1) && !point("r.gauge", 1) && !point("r.size", 1));
    CHECK(point("r.count", 2) && point("r.gauge", 2) && point("r.size", 2));
    tel_counter_add(bound, 3);
    tel_gauge_set_with(&g, 5, TEL_ATTRS(tel_int("k", 1)));
    tel_histogram_record_with(&h, 7, TEL_ATTRS(tel_int("k", 1)));
    tel_histogram_record_with(&h, 0, TEL_ATTRS(tel_int("k", 1)));
    collect();
    p = point("r.count", 1);
    CHECK(p && p->i == 3 && p->d == 3 && p->start_unix_ns > first);
    p = point("r.gauge", 1);
    CHECK(p && p->d == 5);
    p = point("r.size", 1);
    CHECK(p && p->count == 2 && p->d == 7 && p->min > p->max);
    if (p && exponential) {
        uint64_t n = 0;
        size_t i;
        for (i = 0; i < p->bucket_count; i++) { n += p->buckets[i]; }
        CHECK(n == 1 && p->zero_count == 1);
    } else if (p) { CHECK(p->buckets[2] == 1 && p->buckets[0] == 1); }
    collect();
    CHECK(point("r.count", 1) && point("r.count", 1)->i == 3);
    stop();
}

/* What is removed makes room under the limit; what nobody touches goes by itself. */
static void expired(void) {
    static tel_counter c = TEL_INSTRUMENT("e.count", NULL, NULL);
    static tel_gauge g = TEL_INSTRUMENT("e.gauge", NULL, NULL);
    int i;
    start(2, 10000, false);
    tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", 1)));
    tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", 2)));
    tel_gauge_set_with(&g, 1, TEL_ATTRS(tel_int("k", 1)));
    tel_gauge_set_with(&g, 1, TEL_ATTRS(tel_int("k", 2)));
    tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", 3)));
    collect();
    CHECK(point("e.count", 1) && point("e.count", 2) && !point("e.count", 3));
    for (i = 0; i < 20; i++) {
        tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", 1)));
        tel_gauge_set_with(&g, 1, TEL_ATTRS(tel_int("k", 1)));      /* the same value, but set */
        collect();
    }
    CHECK(point("e.count", 1) && point("e.count", 1)->i == 21 && !point("e.count", 2));
    CHECK(point("e.gauge", 1) && !point("e.gauge", 2));
    tel_counter_add_with(&c, 4, TEL_ATTRS(tel_int("k", 3)));
    collect();
    CHECK(point("e.count", 3) && point("e.count", 3)->i == 4);
    stop();
}

/* A collection that somebody asks for takes nothing from the sink that metrics are pushed to: what is removed is shown to both
   until it has been shown to that sink. A gauge that is set meanwhile stays. */
static tel_result find_waiting(const tel_batch* batch, void* user_data) {
    int* found = (int*)user_data;
    seen = *batch;
    if (point("w.count", 1)) { *found |= 1; }
    if (point("w.gauge", 1)) { *found |= 2; }
    if (point("w.gauge", 2)) { *found |= 4; }
    return TEL_OK;
}
static int pulled(void) {
    int found = 0;
    tel_sink pull;
    memset(&pull, 0, sizeof pull);
    pull.export_fn = find_waiting;
    pull.user_data = &found;
    now_ns += 1000000000u;
    CHECK(tel_collect(&pull) == TEL_OK);
    return found;
}
static void waited(void) {
    static tel_counter c = TEL_INSTRUMENT("w.count", NULL, NULL);
    static tel_gauge g = TEL_INSTRUMENT("w.gauge", NULL, NULL);
    start(0, 0, false);
    tel_counter_add_with(&c, 5, TEL_ATTRS(tel_int("k", 1)));
    tel_gauge_set_with(&g, 1, TEL_ATTRS(tel_int("k", 1)));
    tel_gauge_set_with(&g, 2, TEL_ATTRS(tel_int("k", 2)));
    tel_series_remove("w.count", TEL_ATTRS(tel_int("k", 1)));
    tel_series_remove("w.gauge", TEL_ATTRS(tel_int("k", 1)));
    tel_series_remove("w.gauge", TEL_ATTRS(tel_int("k", 2)));
    CHECK(pulled() == 7);
    tel_counter_add_with(&c, 2, TEL_ATTRS(tel_int("k", 1)));
    tel_gauge_set_with(&g, 3, TEL_ATTRS(tel_int("k", 2)));
    CHECK(pulled() == 7);
    collect();
    CHECK(point("w.count", 1) && point("w.count", 1)->i == 7 && point("w.gauge", 1));
    CHECK(pulled() == 4);
    collect();
    CHECK(!point("w.count", 1) && !point("w.gauge", 1));
    CHECK(point("w.gauge", 2) && point("w.gauge", 2)->d == 3);
    stop();
}

/* A sink that is off, or that never returns, does not keep what is removed on the pages of the others. */
static unsigned held, entered;
static tel_result hold(const tel_batch* batch, void* user_data) {
    (void)batch; (void)user_data;
    __atomic_store_n(&entered, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&held, __ATOMIC_ACQUIRE)) { usleep(1000); }
    return TEL_OK;
}
static void quiet(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)item; (void)message; (void)line; (void)user_data;
}
static void not_waited(bool off) {
    static tel_counter c = TEL_INSTRUMENT("n.count", NULL, NULL);
    tel_sink sinks[2];
    tel_desc d;
    char page[4096];
    int i;
    memset(&d, 0, sizeof d);
    memset(sinks, 0, sizeof sinks);
    sinks[0] = tel_sink_memory(&memory);
    sinks[1].name = "holds";
    sinks[1].signal_mask = TEL_SIGNAL_METRICS;
    sinks[1].export_fn = hold;
    sinks[1].metric_timeout_ms = 20;
    d.sinks = sinks;
    d.sink_count = 2;
    d.metric_interval_ms = 5;
    d.ignore_env = d.no_self_metrics = true;
    d.diag.report_fn = quiet;
    __atomic_store_n(&held, 1, __ATOMIC_RELEASE);
    CHECK(tel_init(&d) == TEL_OK);
    tel_counter_add(&c, 1);
    if (off) { CHECK(tel_sink_enable("holds", false) == TEL_OK); }
    while (!off && !__atomic_load_n(&entered, __ATOMIC_ACQUIRE)) { usleep(1000); }
    tel_series_remove("n.count", TEL_NOATTRS);
    for (i = 0; i < 20000; i++) {
        tel_prometheus_print(page, sizeof page);
        if (!strstr(page, "n_count_total")) { break; }
        usleep(1000);
    }
    CHECK(i < 20000);
    __atomic_store_n(&held, 0, __ATOMIC_RELEASE);
    tel_shutdown(5000);
    tel_memory_clear(&memory);
}

/* ---- the memory of what is removed ---- */

/* Series that come and go: counters, histograms and gauges, of which KEPT are alive at a time. The memory in use and the ids
   do not grow, whoever removes them, and a total is right each time it is shown. */
#ifndef CHURN
#define CHURN 100000
#endif
#define KEPT 1000
static void churned(bool expire) {
    static tel_counter c = TEL_INSTRUMENT("m.count", NULL, NULL);
    static tel_histogram h = TEL_INSTRUMENT("m.size", NULL, NULL);
    static tel_gauge g = TEL_INSTRUMENT("m.gauge", NULL, NULL);
    uint64_t most = 0, used, series = 0;
    int i, k, from = 0;
    start(4 * KEPT, expire ? 1500 : 0, false);
    for (i = 0; i < CHURN / KEPT; i++, from += KEPT) {
        for (k = from; k < from + KEPT; k++) {
            tel_counter_add_with(&c, 2, TEL_ATTRS(tel_int("k", k)));
            if (k % 10 == 0) { tel_histogram_record_with(&h, k, TEL_ATTRS(tel_int("k", k))); }
            if (k % 10 == 0) { tel_gauge_set_with(&g, k, TEL_ATTRS(tel_int("k", k))); }
            tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", k)));
        }
        collect();
        CHECK(point("m.count", from) && point("m.count", from)->i == 3 && point("m.size", from) && point("m.gauge", from));
        CHECK(point("m.count", from + KEPT - 1) && point("m.count", from + KEPT - 1)->i == 3);
        CHECK(point("m.size", from) && point("m.size", from)->count == 1);
        for (k = from; k < from + KEPT && !expire; k++) {
            tel_series_remove("m.count", TEL_ATTRS(tel_int("k", k)));
            tel_series_remove("m.size", TEL_ATTRS(tel_int("k", k)));
            tel_series_remove("m.gauge", TEL_ATTRS(tel_int("k", k)));
        }
        used = tel_query_stats().bytes_allocated;
        if (i == 12) {
            most = used;
            series = tel_query_stats().series;
        }
        if (i > 12) { CHECK(used <= most + most / 8); }
    }
    CHECK(tel_query_stats().series <= series + KEPT);
    CHECK_INT(tel_query_stats().series_overflow, 0);
    stop();
}

/* What a call site remembers goes with the series. While a thread is in a record, a guest searches or increments are lent out,
   it stays; used in the meantime, it is back. */
static void remembered(void) {
    static tel_counter c = TEL_INSTRUMENT("f.count", NULL, NULL);
    tel__atomic_u32* holds[3];
    tel__streams* m;
    uint64_t with;
    int i, k;
    start(0, 0, false);
    for (i = 0; i < 4; i++) { tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", 1))); }
    m = tel__thread_me.cells->m;
    holds[0] = &tel__thread_me.cells->inside;
    holds[1] = &m->reuse.guests;
    holds[2] = &m->reuse.lent;
    with = tel_query_stats().series;
    for (k = 0; k < 4; k++) {
        collect();
        CHECK(point("f.count", 1) && point("f.count", 1)->i == (k ? 1 : 4));
        tel_series_remove("f.count", TEL_ATTRS(tel_int("k", 1)));
        if (k < 3) { tel__atomic_add_u32(holds[k], 1); }
        for (i = 0; i < 6; i++) { collect(); }
        CHECK_INT(tel_query_stats().series, with - (k == 3));
        if (k < 3) { tel__atomic_add_u32(holds[k], (uint32_t)-1); }
        if (k == 0) { tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", 1))); }
        if (k == 0) { continue; }
        for (i = 0; i < 6; i++) { collect(); }
        CHECK_INT(tel_query_stats().series, with - 1);
        tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", 1)));
        CHECK_INT(tel_query_stats().series, with);
    }
    collect();
    CHECK(point("f.count", 1) && point("f.count", 1)->i == 1);
    stop();
}

/* A search that began before a series was taken out of the table may still pass over it. So one that is found there in a record
   that begins when all others have been seen outside, and goes on meanwhile, is not freed before that record ends. */
static void passed_over(void) {
    static tel_counter c = TEL_INSTRUMENT("o.count", NULL, NULL);
    tel__series_table* t;
    tel__series* s = NULL;
    tel__streams* m;
    uint32_t i, hash;
    uint64_t with;
    start(0, 0, false);
    tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", 1)));
    m = tel__thread_me.cells->m;
    collect();
    with = tel_query_stats().series;
    tel__atomic_add_u32(&m->reuse.lent, 1);
    tel_series_remove("o.count", TEL_ATTRS(tel_int("k", 1)));
    for (i = 0; i < 6; i++) { collect(); }
    t = (tel__series_table*)tel__atomic_load_ptr(&m->table);
    for (i = 0; i <= t->mask; i++) {
        tel__series* at = (tel__series*)tel__atomic_load_ptr(&t->at[i]);
        if (at && at->keys->count) { s = at; }
    }
    CHECK(s && s->removal && s->removal->hidden);
    tel__instrument_enter(tel__thread_me.cells);
    hash = tel__atomic_load_u32(&s->hash);
    tel__atomic_add_u32(&m->reuse.lent, (uint32_t)-1);
    for (i = 0; i < 6; i++) { collect(); }
    CHECK_INT(tel_query_stats().series, with - 1);
    CHECK(m->reuse.gone == s);
    CHECK_INT(tel__atomic_load_u32(&s->hash), hash);    /* ASan: it is there */
    tel__instrument_done(tel__thread_me.cells);
    for (i = 0; i < 2; i++) { collect(); }
    CHECK(m->reuse.gone == NULL);
    stop();
}

/* A reader that comes while ids are free keeps no room for them: a histogram that gets the id of a counter has its own. */
static uint64_t counted;
static tel_result count(const tel_batch* b, void* user_data) {
    size_t i, j;
    (void)user_data;
    for (i = 0; i < b->metric_count; i++) {
        for (j = 0; j < b->metrics[i].point_count; j++) { counted += b->metrics[i].points[j].count; }
    }
    return TEL_OK;
}
static void late_reader(void) {
    static tel_counter c = TEL_INSTRUMENT("l.count", NULL, NULL);
    static tel_histogram h = TEL_INSTRUMENT("l.size", NULL, NULL);
    tel_sink sink;
    uint64_t before;
    int i, k;
    memset(&sink, 0, sizeof sink);
    start(0, 0, false);
    tel_histogram_record_with(&h, 1, TEL_ATTRS(tel_int("k", -1)));
    for (k = 0; k < 100; k++) { tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", k))); }
    collect();
    before = tel_query_stats().series;
    for (k = 0; k < 100; k++) { tel_series_remove("l.count", TEL_ATTRS(tel_int("k", k))); }
    for (i = 0; i < 6; i++) { collect(); }
    CHECK_INT(tel_query_stats().series, before - 100);
    sink.name = "late";
    sink.signal_mask = TEL_SIGNAL_METRICS;
    sink.export_fn = count;
    sink.temporality = TEL_TEMPORALITY_DELTA;
    CHECK(tel_sink_add(&sink) == TEL_OK);
    for (i = 0; i < 3; i++) {
        for (k = 0; k < 100; k++) { tel_histogram_record_with(&h, k, TEL_ATTRS(tel_int("k", k))); }
        collect();
    }
    CHECK_INT(counted, 301);
    CHECK_INT(tel_query_stats().series, before);
    for (k = 0; k < 100; k++) { tel_series_remove("l.size", TEL_ATTRS(tel_int("k", k))); }
    for (i = 0; i < 6; i++) { collect(); }
    CHECK_INT(tel_query_stats().series, before - 100);
    stop();
}

/* ---- many threads, two readers ---- */

#define THREADS 8
#define KEYS    4
#define RECORDS 3000
static tel_counter   total = TEL_INSTRUMENT("s.total", NULL, NULL);
static tel_counter   loose = TEL_INSTRUMENT("s.loose", NULL, NULL);         /* of which no series is bound */
static tel_histogram size = TEL_INSTRUMENT("s.size", NULL, NULL);
static int running;

typedef struct reading {
    bool delta;
    uint64_t starts[3][KEYS];
    uint64_t before[3], last[3][KEYS], removals;        /* before: what earlier starts have come to */
} reading;

static void note(reading* r, int what, size_t k, uint64_t start_ns, uint64_t value) {
    if (r->delta) {
        r->before[what] += value;
        return;
    }
    if (r->starts[what][k] != start_ns && r->starts[what][k]) {
        r->before[what] += r->last[what][k];
        r->removals++;
    }
    r->starts[what][k] = start_ns;
    r->last[what][k] = value;
}
static tel_result take(const tel_batch* b, void* user_data) {
    reading* r = (reading*)user_data;
    size_t i, j;
    for (i = 0; i < b->metric_count; i++) {
        const tel_metric_view* m = &b->metrics[i];
        int what = m->kind != TEL_METRIC_SUM ? 1 : m->name.data[2] == 'l' ? 2 : 0;
        for (j = 0; m->name.data[0] == 's' && j < m->point_count; j++) {
            const tel_point* p = &m->points[j];
            if (p->attrs.count == 1) { note(r, what, (size_t)p->attrs.items[0].as.i, p->start_unix_ns, what == 1 ? p->count : (uint64_t)p->i); }
        }
    }
    return TEL_OK;
}
static uint64_t sum(const reading* r, int what) {
    uint64_t n = r->before[what];
    int k;
    for (k = 0; k < KEYS && !r->delta; k++) { n += r->last[what][k]; }
    return n;
}
static void* work(void* arg) {
    tel_counter* bound = tel_counter_bind(&total, TEL_ATTRS(tel_int("k", (int)(intptr_t)arg % KEYS)));
    int i;
    for (i = 0; i < RECORDS; i++) {
        if (i % 2) { tel_counter_add(bound, 1); }
        else { tel_counter_add_with(&total, 1, TEL_ATTRS(tel_int("k", i / 2 % KEYS))); }
        tel_histogram_record_with(&size, i, TEL_ATTRS(tel_int("k", i % KEYS)));
        tel_counter_add_with(&loose, 1, TEL_ATTRS(tel_int("k", i / 64 % KEYS)));
    }
    __atomic_sub_fetch(&running, 1, __ATOMIC_RELAXED);
    return NULL;
}
static void* take_away(void* arg) {
    int i = 0;
    (void)arg;
    while (__atomic_load_n(&running, __ATOMIC_RELAXED)) {
        tel_series_remove("s.total", TEL_ATTRS(tel_int("k", i % KEYS)));
        tel_series_remove("s.size", TEL_ATTRS(tel_int("k", i % KEYS)));
        tel_series_remove("s.loose", TEL_ATTRS(tel_int("k", i++ % KEYS)));
        tel_flush(60000);
    }
    return NULL;
}

static void threads(void) {
    reading whole, delta;
    tel_sink sinks[2];
    tel_desc d;
    pthread_t thread[THREADS + 1];
    intptr_t i;
    memset(&whole, 0, sizeof whole);
    memset(&delta, 0, sizeof delta);
    memset(sinks, 0, sizeof sinks);
    memset(&d, 0, sizeof d);
    delta.delta = true;
    for (i = 0; i < 2; i++) {
        sinks[i].name = i ? "delta" : "whole";
        sinks[i].signal_mask = TEL_SIGNAL_METRICS;
        sinks[i].export_fn = take;
    }
    sinks[0].user_data = &whole;
    sinks[1].user_data = &delta;
    sinks[1].temporality = TEL_TEMPORALITY_DELTA;
    d.sinks = sinks;
    d.sink_count = 2;
    d.ignore_env = d.no_self_metrics = true;
    CHECK(tel_init(&d) == TEL_OK);
    __atomic_store_n(&running, THREADS, __ATOMIC_RELAXED);
    for (i = 0; i < THREADS; i++) { CHECK(pthread_create(&thread[i], NULL, work, (void*)i) == 0); }
    CHECK(pthread_create(&thread[THREADS], NULL, take_away, NULL) == 0);
    for (i = 0; i <= THREADS; i++) { CHECK(pthread_join(thread[i], NULL) == 0); }
    CHECK(tel_flush(60000) == TEL_OK);
    CHECK(tel_shutdown(60000) == TEL_OK);
    CHECK_INT(sum(&whole, 0), THREADS * RECORDS);
    CHECK_INT(sum(&whole, 1), THREADS * RECORDS);
    CHECK_INT(sum(&whole, 2), THREADS * RECORDS);
    CHECK_INT(sum(&delta, 0), THREADS * RECORDS);
    CHECK_INT(sum(&delta, 1), THREADS * RECORDS);
    CHECK_INT(sum(&delta, 2), THREADS * RECORDS);
}

/* A reader of increments that refuses every other batch, on a thread of its own, while others flush, collect and remove. */
static tel_result refuse(const tel_batch* b, void* user_data) {
    static unsigned calls;
    return __atomic_load_n(&running, __ATOMIC_RELAXED) && ++calls % 2 ? TEL_ERR_IO : take(b, user_data);
}
static void* look(void* arg) {
    static reading whole;
    tel_sink sink;
    int i = 0;
    (void)arg;
    memset(&sink, 0, sizeof sink);
    sink.export_fn = take;
    sink.user_data = &whole;
    while (__atomic_load_n(&running, __ATOMIC_RELAXED)) {
        tel_series_remove(i % 3 == 2 ? "s.loose" : i % 3 ? "s.total" : "s.size", TEL_ATTRS(tel_int("k", i / 3 % KEYS)));
        tel_collect(&sink);
        i++;
    }
    return NULL;
}
static void refused(bool exponential) {
    reading delta;
    tel_view view;
    tel_sink sink;
    tel_desc d;
    pthread_t thread[THREADS + 2];
    intptr_t i;
    memset(&delta, 0, sizeof delta);
    memset(&view, 0, sizeof view);
    memset(&sink, 0, sizeof sink);
    memset(&d, 0, sizeof d);
    delta.delta = true;
    sink.signal_mask = TEL_SIGNAL_METRICS;
    sink.export_fn = refuse;
    sink.user_data = &delta;
    sink.temporality = TEL_TEMPORALITY_DELTA;
    view.match_name = "s.size";
    view.aggregation = exponential ? TEL_AGGREGATE_EXPONENTIAL : TEL_AGGREGATE_DEFAULT;
    d.views = &view;
    d.view_count = 1;
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_self_metrics = true;
    d.diag.report_fn = quiet;
    CHECK(tel_init(&d) == TEL_OK);
    __atomic_store_n(&running, THREADS, __ATOMIC_RELAXED);
    for (i = 0; i < THREADS; i++) { CHECK(pthread_create(&thread[i], NULL, work, (void*)i) == 0); }
    CHECK(pthread_create(&thread[i], NULL, take_away, NULL) == 0);
    CHECK(pthread_create(&thread[i + 1], NULL, look, NULL) == 0);
    for (i = 0; i < THREADS + 2; i++) { CHECK(pthread_join(thread[i], NULL) == 0); }
    tel_flush(60000);                   /* the last one refused is given back after this */
    CHECK(tel_flush(60000) == TEL_OK);
    CHECK(tel_shutdown(60000) == TEL_OK);
    CHECK_INT(sum(&delta, 0), THREADS * RECORDS);
    CHECK_INT(sum(&delta, 1), THREADS * RECORDS);
    CHECK_INT(sum(&delta, 2), THREADS * RECORDS);
}

/* ---- gauges, and readers that have gone ---- */

/* Gauges that were removed make room under the limit. In the stream of a view one is back when its value changes. */
static void gauges(void) {
    static tel_gauge g = TEL_INSTRUMENT("g.gauge", NULL, NULL);
    tel_view view;
    tel_sink sink = tel_sink_memory(&memory);
    tel_desc d;
    int k;
    start(2, 0, false);
    for (k = 1; k < 3; k++) { tel_gauge_set_with(&g, k, TEL_ATTRS(tel_int("k", k))); }
    collect();
    for (k = 1; k < 3; k++) { tel_series_remove("g.gauge", TEL_ATTRS(tel_int("k", k))); }
    collect();
    for (k = 3; k < 5; k++) { tel_gauge_set_with(&g, k, TEL_ATTRS(tel_int("k", k))); }
    collect();
    CHECK(point("g.gauge", 3) && point("g.gauge", 4) && !point("g.gauge", 1));
    stop();
    memset(&view, 0, sizeof view);
    memset(&d, 0, sizeof d);
    view.match_name = "g.gauge";
    view.drop_keys = "x";
    d.views = &view;
    d.view_count = 1;
    d.sinks = &sink;
    d.sink_count = 1;
    d.no_thread = d.ignore_env = d.no_self_metrics = true;
    d.clock_fn = clock_now;
    CHECK(tel_init(&d) == TEL_OK);
    tel_gauge_set_with(&g, 5, TEL_ATTRS(tel_int("k", 1), tel_int("x", 1)));
    tel_gauge_set_with(&g, 5, TEL_ATTRS(tel_int("k", 2)));
    tel_series_remove("g.gauge", TEL_ATTRS(tel_int("k", 1)));
    collect();
    CHECK(point("g.gauge", 1));
    collect();
    CHECK(!point("g.gauge", 1));
    tel_gauge_set_with(&g, 6, TEL_ATTRS(tel_int("k", 1), tel_int("x", 1)));
    collect();
    CHECK(point("g.gauge", 1) && point("g.gauge", 1)->d == 6);
    stop();
}

/* A reader of increments that was removed, or wants no metrics, keeps no series in sight. */
static void gone(bool spans_only) {
    static tel_counter c = TEL_INSTRUMENT("l.count", NULL, NULL);
    reading delta;
    tel_sink sinks[2];
    tel_desc d;
    memset(&delta, 0, sizeof delta);
    memset(sinks, 0, sizeof sinks);
    memset(&d, 0, sizeof d);
    delta.delta = true;
    sinks[0] = tel_sink_memory(&memory);
    sinks[1].name = "delta";
    sinks[1].signal_mask = spans_only ? TEL_SIGNAL_SPANS : TEL_SIGNAL_METRICS;
    sinks[1].temporality = TEL_TEMPORALITY_DELTA;
    sinks[1].export_fn = take;
    sinks[1].user_data = &delta;
    d.sinks = sinks;
    d.sink_count = 2;
    d.no_thread = d.ignore_env = d.no_self_metrics = true;
    d.clock_fn = clock_now;
    CHECK(tel_init(&d) == TEL_OK);
    tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", 1)));
    tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", 2)));
    collect();
    if (!spans_only) { CHECK(tel_sink_remove("delta", 60000) == TEL_OK); }
    tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", 1)));
    tel_series_remove("l.count", TEL_ATTRS(tel_int("k", 1)));
    collect();
    CHECK(point("l.count", 1));
    collect();
    CHECK(!point("l.count", 1));
    stop();
}

int main(void) {
    removed(false);
    removed(true);
    expired();
    waited();
    not_waited(true);
    not_waited(false);
    gauges();
    remembered();
    passed_over();
    late_reader();
    churned(false);
    churned(true);
    gone(false);
    gone(true);
    threads();
    refused(false);
    refused(true);
    return check_done();
}
