/* What has room is not lost: bursts of one thread that was idle, threads that end together, a thread for each request, and more
   threads than have rings of their own. Default settings, a sink that answers at once. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"

static void start(capture* c, tel_sink* sink, uint32_t max_threads) {
    tel_desc d = capture_desc(c, sink);
    d.max_threads = max_threads;
    CHECK_INT(tel_init(&d), TEL_OK);
}
/* Everything recorded came to the sink, and nothing was lost. */
static void finish(capture* c, uint64_t spans, uint64_t logs) {
    tel_stats s;
    CHECK_INT(tel_flush(20000), TEL_OK);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], spans);
    CHECK_INT(s.recorded[2], logs);
    CHECK_INT(s.dropped[1] + s.dropped[2] + s.failed[1] + s.failed[2], 0);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(20000), TEL_OK);
    CHECK_INT(c->spans, spans);
    CHECK_INT(c->logs, logs);
}

static void record_spans(int n) {
    int i;
    for (i = 0; i < n; i++) {
        tel_span s = tel_span_start("GET /cart");
        tel_span_set(&s, tel_str("http.method", "GET"));
        tel_span_set(&s, tel_int("code", 200));
        tel_span_set(&s, tel_str("http.route", "/cart/{id}"));
        tel_span_end(&s);
    }
}

static void test_burst(void) {
    static char body[201];
    capture c;
    tel_sink sink;
    int i;
    where = "burst";
    memset(body, 'x', sizeof body - 1);
    start(&c, &sink, 0);
    record_spans(1);
    usleep(50000);                                      /* the export thread sleeps */
    record_spans(10000);
    usleep(50000);
    for (i = 0; i < 10000; i++) { tel_log(TEL_INFO, body, TEL_NOATTRS); }
    finish(&c, 10001, 10000);
}

static pthread_barrier_t barrier;
static void* run_together(void* arg) {
    pthread_barrier_wait(&barrier);
    record_spans((int)(intptr_t)arg);
    return NULL;
}
static void test_threads(int count, int each, int rounds, uint32_t max_threads) {
    pthread_t threads[200];
    capture c;
    tel_sink sink;
    int i, round;
    where = "threads";
    start(&c, &sink, max_threads);
    for (round = 0; round < rounds; round++) {
        pthread_barrier_init(&barrier, NULL, (unsigned)count);
        for (i = 0; i < count; i++) { CHECK_INT(pthread_create(&threads[i], NULL, run_together, (void*)(intptr_t)each), 0); }
        for (i = 0; i < count; i++) { pthread_join(threads[i], NULL); }
        pthread_barrier_destroy(&barrier);
    }
    finish(&c, (uint64_t)count * (uint64_t)each * (uint64_t)rounds, 0);
}

/* A thread for each request, one after the other: they write in the same few chunks. */
static void* run_request(void* arg) {
    (void)arg;
    record_spans(30);
    return NULL;
}
static void test_requests(void) {
    capture c;
    tel_sink sink;
    int i;
    where = "requests";
    start(&c, &sink, 0);
    for (i = 0; i < 1000; i++) {
        pthread_t t;
        CHECK_INT(pthread_create(&t, NULL, run_request, NULL), 0);
        pthread_join(t, NULL);
    }
    CHECK(tel_get_instance() && tel_get_instance()->registry.ring_count == 1);
    finish(&c, 30000, 0);
}

/* ---- a flush where memory ends ---- */

static uint64_t edge_taken;
static tel_result edge_take(const tel_batch* batch, void* user_data) {
    (void)user_data;
    __atomic_add_fetch(&edge_taken, batch->span_count + batch->log_count, __ATOMIC_RELAXED);
    return TEL_OK;
}

/* It gives up for want of memory only when nothing more can be had by waiting: another one delivers no more. false: no instance. */
static bool edge(size_t limit) {
    tel_sink sink;
    tel_desc d;
    tel_result r;
    uint64_t taken;
    int i;
    memset(&sink, 0, sizeof sink);
    memset(&d, 0, sizeof d);
    sink.name = "edge";
    sink.export_fn = edge_take;
    d.sinks = &sink;
    d.sink_count = 1;
    d.memory_limit = limit;
    d.ignore_env = d.no_self_metrics = true;
    d.diag.report_fn = hear;
    if (tel_init(&d) != TEL_OK) { return false; }
    for (i = 0; i < 2000; i++) {
        TEL_SPAN(s, "edge") { tel_logf(TEL_INFO, "number %d", i); }
    }
    r = tel_flush(60000);
    taken = __atomic_load_n(&edge_taken, __ATOMIC_RELAXED);
    tel_flush(60000);
    CHECK(r != TEL_ERR_MEMORY || __atomic_load_n(&edge_taken, __ATOMIC_RELAXED) == taken);
    tel_shutdown(60000);
    return true;
}
static void edges(void) {
    size_t limit = (size_t)1 << 20, end = (size_t)8 << 20;
    int i;
    while (limit < end && !edge(limit)) { limit += (size_t)64 << 10; }
    CHECK(limit < end);
    for (i = 0; i < 8; i++) { CHECK(edge(limit += (size_t)24 << 10)); }
}

/* A sink that takes its time holds up neither the rings nor what a pump of no time can take out of them: two bursts of which
   each fills most of a ring, with one pump between them. */
static tel_result take_time(const tel_batch* batch, void* user_data) {
    usleep(batch->span_count ? 5000 : 0);
    return capture__export(batch, user_data);
}
static void test_pump(void) {
    capture c;
    tel_sink sink;
    tel_desc d = capture_desc(&c, &sink);
    int i, k;
    where = "pump";
    sink.export_fn = take_time;
    d.no_thread = true;
    d.ring_bytes = 262144;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 4; i++) {
        record_spans(800);
        CHECK_INT(tel_pump(0), TEL_OK);
        record_spans(800);
        for (k = 0; k < 8; k++) { CHECK_INT(tel_pump(0), TEL_OK); }
    }
    finish(&c, 6400, 0);
}

int main(void) {
    capture_watchdog(120);
    test_burst();
    test_pump();
    test_threads(64, 100, 3, 0);
    test_threads(100, 20, 2, 4);                        /* most of them share a ring */
    test_requests();
    edges();
    return check_done();
}
