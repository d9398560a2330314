/* Everything at once: threads that record all they can, threads that come and go, a thread that queries, collects, flushes
   and shuts down when it likes, while the main thread starts and stops the SDK some hundred times. Nothing may crash, hang or race
   (the sanitizers look on); afterwards, in one more run with the same threads and the same static instruments, every count is exact. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define WORKERS 5
#define CYCLES  400
#define FINAL   2000

static const double bounds[] = { 1, 2, 4, 8 };
static const tel_metric_options with_bounds = { NULL, bounds, 4, false, false, 0, 0 };
static const tel_metric_options with_real = { NULL, NULL, 0, false, true, 0, 0 };
static tel_counter   plain = TEL_INSTRUMENT("stress.plain", NULL, NULL);
static tel_counter   keyed = TEL_INSTRUMENT("stress.keyed", NULL, NULL);
static tel_counter   real  = TEL_INSTRUMENT_OPT("stress.real", NULL, NULL, &with_real);
static tel_updown    depth = TEL_INSTRUMENT("stress.depth", NULL, NULL);
static tel_gauge     level = TEL_INSTRUMENT("stress.level", NULL, NULL);
static tel_histogram spread = TEL_INSTRUMENT_OPT("stress.spread", NULL, NULL, &with_bounds);
static tel_histogram spread_keyed = TEL_INSTRUMENT_OPT("stress.spread_keyed", "s", NULL, &with_bounds);
static const tel_scope scope = { "stress", "1", NULL, { NULL, 0 } };

static tel__atomic_u32 stop, parked, phase, done, open_sinks;
static char long_text[3000];

/* ---- a sink that counts, frees its state at the end, and is asked for its books all the time ---- */

typedef struct counts { tel__atomic_u64 spans, logs, points; } counts;
static counts total;                    /* of the run that ends the test */

typedef struct sink_state { tel__atomic_u64 calls; uint64_t canary; } sink_state;

static tel_result stress_open(tel_sink* self, tel_host* host) {
    sink_state* s = (sink_state*)calloc(1, sizeof *s);
    (void)host;
    s->canary = 42;
    self->user_data = s;
    tel__atomic_add_u32(&open_sinks, 1);
    return TEL_OK;
}
static tel_result stress_export(const tel_batch* batch, void* user_data) {
    sink_state* s = (sink_state*)user_data;
    size_t i, j;
    tel__atomic_add_u64(&s->calls, 1);
    if (s->canary != 42) { CHECK(s->canary == 42); }
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* v = &batch->metrics[i];
        for (j = 0; j < v->point_count && v->kind == TEL_METRIC_HISTOGRAM; j++) {
            const tel_point* p = &v->points[j];
            uint64_t sum = 0;
            size_t k;
            for (k = 0; k <= p->bound_count; k++) { sum += p->buckets[k]; }
            if (sum != p->count) { CHECK_INT(sum, p->count); }
        }
        tel__atomic_add_u64(&total.points, v->point_count);
    }
    tel__atomic_add_u64(&total.spans, batch->span_count);
    tel__atomic_add_u64(&total.logs, batch->log_count);
    tel_log(TEL_INFO, "a sink's own record is ignored", TEL_NOATTRS);
    return TEL_OK;
}
static void stress_close(void* user_data) {
    ((sink_state*)user_data)->canary = 0;
    free(user_data);
    tel__atomic_add_u32(&open_sinks, (uint32_t)-1);
}
static void stress_stats(tel_sink_stats* out, void* user_data) {
    sink_state* s = (sink_state*)user_data;
    if (s->canary != 42) { CHECK(s->canary == 42); }
    (void)out;
}
static void ignore_diag(int severity, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)severity; (void)item; (void)message; (void)line; (void)user_data;
}
static void observe(tel_observation* o, void* user_data) {
    (void)user_data;
    tel_observe(o, 1, TEL_ATTRS(tel_int("k", 1)));
    tel_counter_add(&plain, 0);
}

static tel_result start(uint32_t ring_bytes, size_t memory) {
    tel_sink sink;
    tel_desc d;
    memset(&sink, 0, sizeof sink);
    sink.name = "stress";
    sink.open_fn = stress_open;
    sink.export_fn = stress_export;
    sink.close_fn = stress_close;
    sink.stats_fn = stress_stats;
    memset(&d, 0, sizeof d);
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = true;
    d.ring_bytes = ring_bytes;
    d.max_live_spans = 256;
    d.max_series = 20;
    d.memory_limit = memory;
    d.diag.report_fn = ignore_diag;
    return tel_init(&d);
}

/* ---- recording ---- */

static void record_all(unsigned i) {
    tel_attr attrs[3];
    tel_span held = tel_span_start("held");
    tel_span_desc desc;
    tel_log_desc log;
    tel_link link;
    tel_token token;
    attrs[0] = tel_int("n", i % 30);
    attrs[1] = tel_str("s", i & 1 ? "odd" : "even");
    attrs[2] = tel_bool("b", true);
    tel_counter_add(&plain, 1);
    tel_counter_add_with(&keyed, 1, tel__attrs(attrs, 3));
    tel_counter_addf(&real, 0.5);
    tel_updown_add(&depth, i & 1 ? -1 : 1);
    tel_gauge_set(&level, (double)i);
    tel_histogram_record(&spread, i % 10);
    tel_histogram_record_with(&spread_keyed, i % 10, tel__attrs(attrs + 1, 1));
    memset(&desc, 0, sizeof desc);
    memset(&link, 0, sizeof link);
    desc.name = "child";
    desc.parent = &held.context;
    desc.scope = &scope;
    link.context = held.context;
    desc.links = &link;
    desc.link_count = 1;
    desc.attrs = tel__attrs(attrs, 3);
    {
        tel_span child = tel_span_start_ex(&desc);
        token = tel_attach(&child.context);
        TEL_SPAN(inner, "inner") {
            tel_span_set(inner, i % 7 ? tel_int("k", 1) : tel_strn("k", long_text, sizeof long_text));
            tel_log(TEL_INFO, "inside", tel__attrs(attrs, 2));
        }
        tel_span_event(&child, "event", tel__attrs(attrs, 1));
        tel_span_status(&child, TEL_STATUS_ERROR, "no");
        if (i % 5) { tel_detach(token); }
        tel_span_end(&child);
        if (i % 5 == 0) { tel_detach(token); }
    }
    memset(&log, 0, sizeof log);
    log.severity = TEL_WARN;
    log.body = "body";
    log.context = &held.context;
    log.scope = &scope;
    tel_log_ex(&log);
    tel_logf(TEL_DEBUG, "%u %.*s", i, i % 9 ? 10 : 1000, long_text);
    TEL_TIME(&spread) { tel_span_rename(&held, "renamed"); }
    tel_span_end(&held);
}

static void wait_for(tel__atomic_u32* what, uint32_t value) {
    while (tel__atomic_load_acquire_u32(what) < value) { usleep(100); }
}

static void* worker(void* arg) {
    unsigned i = *(unsigned*)arg * 1000;
    while (!tel__atomic_load_u32(&stop)) { record_all(i++); }
    tel__atomic_add_u32(&parked, 1);
    wait_for(&phase, 1);
    /* Only counts, nothing else: an instrument must find its way back to the new instance by itself. */
    for (i = 0; i < FINAL; i++) { tel_counter_add(&plain, 1); tel_histogram_record(&spread, 3); }
    tel__atomic_add_u32(&parked, 1);
    wait_for(&phase, 2);
    for (i = 0; i < FINAL / 10; i++) {
        tel_span s = tel_span_start("exact");
        tel_log(TEL_INFO, "exact", TEL_NOATTRS);
        tel_counter_addf(&real, 0.5);
        tel_updown_add(&depth, -1);
        tel_counter_add_with(&keyed, 1, TEL_ATTRS(tel_int("i", i % 40)));
        tel_span_end(&s);
    }
    tel__atomic_add_u32(&done, 1);
    return NULL;
}

static void* short_lived(void* arg) { record_all(*(unsigned*)arg); return NULL; }
static void* spawner(void* arg) {
    unsigned n = 0;
    (void)arg;
    while (!tel__atomic_load_u32(&stop)) {
        pthread_t t[3];
        int i;
        for (i = 0; i < 3; i++) { pthread_create(&t[i], NULL, short_lived, &n); }
        for (i = 0; i < 3; i++) { pthread_join(t[i], NULL); }
        n++;
    }
    return NULL;
}
static tel_result take(const tel_batch* batch, void* user_data) { (void)batch; (void)user_data; return TEL_OK; }

static void* meddler(void* arg) {
    unsigned n = 0;
    char text[256];
    tel_sink pull;
    (void)arg;
    memset(&pull, 0, sizeof pull);
    pull.export_fn = take;
    while (!tel__atomic_load_u32(&stop)) {
        tel_sink_stats s;
        switch (n++ % 7) {
        case 0: tel_query_stats(); break;
        case 1: tel_collect(&pull); break;
        case 2: tel_prometheus_print(text, sizeof text); break;
        case 3: tel_query_sink(0, &s); break;
        case 4: tel_flush(50); break;
        case 5: tel_pump(0); break;
        default: if (n % 21 == 0) { tel_shutdown(100); } break;
        }
        usleep(50);
    }
    return NULL;
}

/* ---- the run that is counted ---- */

typedef struct sums { int64_t plain, keyed, depth; double real; uint64_t spread; double spread_sum; } sums;

static tel_result add_up(const tel_batch* batch, void* user_data) {
    sums* s = (sums*)user_data;
    size_t i, j;
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* v = &batch->metrics[i];
        for (j = 0; j < v->point_count; j++) {
            const tel_point* p = &v->points[j];
            if (strcmp(v->name.data, "stress.plain") == 0) { s->plain += p->i; }
            if (strcmp(v->name.data, "stress.keyed") == 0) { s->keyed += p->i; }
            if (strcmp(v->name.data, "stress.depth") == 0) { s->depth += p->i; }
            if (strcmp(v->name.data, "stress.real") == 0) { s->real += p->d; }
            if (strcmp(v->name.data, "stress.spread") == 0) { s->spread += p->count; s->spread_sum += p->d; }
        }
    }
    return TEL_OK;
}

static void counted(void) {
    tel_sink pull;
    tel_stats st;
    sums s;
    memset(&pull, 0, sizeof pull);
    memset(&s, 0, sizeof s);
    pull.export_fn = add_up;
    pull.user_data = &s;
    while (tel__atomic_load_acquire_u32(&open_sinks)) { usleep(100); }  /* an export thread that was left behind still counts */
    memset(&total, 0, sizeof total);
    CHECK_INT(start(1u << 20, 0), TEL_OK);
    tel__atomic_store_release_u32(&phase, 1);
    wait_for(&parked, 2 * WORKERS);
    CHECK_INT(tel_collect(&pull), TEL_OK);
    CHECK_INT(s.plain, WORKERS * FINAL);
    CHECK_INT(s.spread, WORKERS * FINAL);
    CHECK(s.spread_sum == 3.0 * WORKERS * FINAL);
    tel__atomic_store_release_u32(&phase, 2);
    wait_for(&done, WORKERS);
    memset(&s, 0, sizeof s);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(tel_collect(&pull), TEL_OK);
    CHECK_INT(s.keyed, WORKERS * (FINAL / 10));
    CHECK_INT(s.depth, -WORKERS * (FINAL / 10));
    CHECK(s.real == 0.5 * WORKERS * (FINAL / 10));
    st = tel_query_stats();
    CHECK_INT(st.recorded[1], WORKERS * (FINAL / 10));
    CHECK_INT(st.recorded[2], WORKERS * (FINAL / 10));
    CHECK_INT(st.recorded[1], st.dropped[1] + st.queued[1] + st.exported[1] + st.failed[1]);
    CHECK_INT(st.recorded[2], st.dropped[2] + st.queued[2] + st.exported[2] + st.failed[2]);
    CHECK_INT(tel__atomic_load_u64(&total.spans), st.exported[1]);
    CHECK_INT(tel__atomic_load_u64(&total.logs), st.exported[2]);
    CHECK_INT(st.queued[1] + st.queued[2], 0);
    CHECK_INT(st.spans_live, 0);
}

int main(void) {
    pthread_t threads[WORKERS], others[2];
    unsigned seed[WORKERS], i, begun = 0;
    memset(long_text, 'x', sizeof long_text - 1);
    for (i = 0; i < WORKERS; i++) { seed[i] = i; pthread_create(&threads[i], NULL, worker, &seed[i]); }
    pthread_create(&others[0], NULL, spawner, NULL);
    pthread_create(&others[1], NULL, meddler, NULL);
    for (i = 0; i < CYCLES; i++) {
        tel_observer_desc o;
        tel_observer* observed;
        tel_result r;
        do {                            /* refused while the meddler shuts down: give it time, as a spin would not */
            r = start(i % 3 ? 4096u : 65536u, i % 10 == 3 ? (size_t)1 << 20 : 0);
            if (r != TEL_OK) { usleep(1000); }
        } while (r == TEL_ERR_STATE);
        begun += r == TEL_OK;
        memset(&o, 0, sizeof o);
        o.name = "stress.observed";
        o.observe_fn = observe;
        observed = tel_observer_new(&o);
        if (i % 4 == 0) { tel_flush(1000); }
        if (i % 4 == 1) { usleep(1500); }
        if (i % 4 == 2) { tel_observer_end(observed); tel_query_stats(); }
        tel_shutdown(2000);
    }
    tel__atomic_store_u32(&stop, 1);
    wait_for(&parked, WORKERS);
    pthread_join(others[0], NULL);
    pthread_join(others[1], NULL);
    tel_shutdown(2000);
    CHECK(begun > CYCLES / 2);
    counted();
    for (i = 0; i < WORKERS; i++) { pthread_join(threads[i], NULL); }
    CHECK_INT(tel_query_stats().threads, 0);         /* the main thread records nothing itself */
    CHECK_INT(tel_shutdown(30000), TEL_OK);
    CHECK_INT(tel_shutdown(30000), TEL_ERR_STATE);
    return check_done();
}
