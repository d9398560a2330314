/* Exact books: whatever goes wrong on the way, recorded = dropped + queued + delivered + failed, per signal and per sink;
   and tel_flush and tel_shutdown come back, whoever does not answer. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"
#include <time.h>

static tel_counter counter = TEL_INSTRUMENT("books.counter", "1", "Counts");

static void record(int n) {
    int i;
    for (i = 0; i < n; i++) {
        TEL_SPAN(s, "work") { tel_span_set(s, tel_int("i", i)); }
        tel_log(TEL_INFO, "line", TEL_NOATTRS);
    }
    tel_counter_add(&counter, n);
}
static tel_sink_stats sink_stats(size_t i) {
    tel_sink_stats k;
    memset(&k, 0, sizeof k);
    CHECK(tel_query_sink(i, &k));
    return k;
}
static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
/* Came back at all: the limit is so generous that only a broken promise exceeds it, not a loaded machine. */
#define CHECK_RETURNED(since) CHECK(now_ms() - (since) < 15000)

/* ---- before the sinks ---- */

static void test_ring_full(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    tel_stats s;
    where = "ring_full";
    d = capture_desc(&c, &sink);
    d.no_thread = true;                             /* nobody drains */
    d.ring_bytes = 8192;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_OK);
    record(1000);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], 1000);
    CHECK_INT(s.recorded[2], 1000);
    CHECK(s.dropped[1] > 900 && s.dropped[1] < 1000);
    CHECK_INT(s.recorded[1], s.dropped[1] + s.queued[1]);
    CHECK_INT(s.recorded[2], s.dropped[2] + s.queued[2]);
    CHECK_BOOKS();
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(c.spans, 1000 - s.dropped[1]);
    CHECK_INT(c.logs, 1000 - s.dropped[2]);
    CHECK(heard("dropped"));
    CHECK_BOOKS();
    record(10);                                     /* room again */
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(c.logs, 1010 - s.dropped[2]);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);          /* what was lost, was lost before it */
}

static void test_too_large(void) {
    static char large[20000];
    capture c;
    tel_sink sink;
    tel_desc d;
    where = "too_large";
    memset(large, 'x', sizeof large - 1);
    d = capture_desc(&c, &sink);
    d.ring_bytes = 4096;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, large, TEL_NOATTRS);          /* larger than a record may be */
    tel_logf(TEL_INFO, "%s", large);
    tel_log(TEL_INFO, "small", TEL_NOATTRS);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(tel_query_stats().dropped[2], 2);
    CHECK_INT(c.logs, 1);
    CHECK_BOOKS();
    tel_shutdown(5000);
}

static void test_pool_empty(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    tel_span spans[40];
    tel_stats s;
    int i, well = 0;
    where = "pool_empty";
    d = capture_desc(&c, &sink);
    d.max_live_spans = 16;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 40; i++) {
        spans[i] = tel_span_start("s");
        well += tel_span_recording(&spans[i]);
        CHECK(spans[i].context.span_id[0] | spans[i].context.span_id[7] | spans[i].context.span_id[3] | spans[i].context.span_id[5]);
    }
    CHECK_INT(well, 16);
    s = tel_query_stats();
    CHECK_INT(s.spans_live, 16);
    CHECK_INT(s.dropped[1], 24);
    for (i = 0; i < 40; i++) { tel_span_end(&spans[i]); }
    CHECK_INT(tel_flush(10000), TEL_OK);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], 40);
    CHECK_INT(s.spans_live, 0);
    CHECK_INT(c.spans, 16);
    CHECK_BOOKS();
    CHECK(heard("max_live_spans"));
    tel_shutdown(5000);
}

/* Threads that live on but have no span keep no slot from the others. */
static pthread_mutex_t leave_mutex = PTHREAD_MUTEX_INITIALIZER;
static void* one_span(void* arg) {
    TEL_SPAN(s, "one") { *(int*)arg = tel_span_recording(s); }
    pthread_mutex_lock(&leave_mutex);
    pthread_mutex_unlock(&leave_mutex);
    return NULL;
}
static void test_pool_shared(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    pthread_t t[20];
    int recorded[20], i;
    where = "pool_shared";
    d = capture_desc(&c, &sink);
    d.max_live_spans = 16;
    CHECK_INT(tel_init(&d), TEL_OK);
    pthread_mutex_lock(&leave_mutex);
    for (i = 0; i < 20; i++) {
        recorded[i] = -1;
        pthread_create(&t[i], NULL, one_span, &recorded[i]);
        while (tel_query_stats().recorded[1] < (uint64_t)i + 1) { usleep(100); }
    }
    pthread_mutex_unlock(&leave_mutex);
    for (i = 0; i < 20; i++) { pthread_join(t[i], NULL); CHECK_INT(recorded[i], 1); }
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(c.spans, 20);
}

/* A sink that is too slow for its queue: what does not fit is dropped for this sink alone. */
static void test_queue_full(void) {
    capture stuck, good;
    tel_sink sinks[2];
    tel_sink_stats k;
    tel_desc d;
    int i;
    where = "queue_full";
    setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "64", 1);
    setenv("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "16", 1);
    capture_init(&stuck);
    capture_init(&good);
    stuck.fail_times = -1;
    stuck.fail_with = TEL_ERR_TIMEOUT;
    sinks[0] = capture_sink(&stuck);
    sinks[1] = capture_sink(&good);
    d = test_desc(sinks, 2);
    d.ignore_env = false;
    d.no_thread = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 20; i++) {
        int j;
        for (j = 0; j < 16; j++) { tel_log(TEL_INFO, "x", TEL_NOATTRS); }
        CHECK_INT(tel_pump(1000), TEL_OK);
        CHECK_BOOKS();
    }
    CHECK_INT(sink_stats(0).dropped_full[2], 0);        /* the rest waits for it ... */
    CHECK_INT(sink_stats(1).delivered[2], 64);
    usleep(150000);                                     /* ... but not for long */
    CHECK_INT(tel_pump(1000), TEL_OK);
    k = sink_stats(0);
    CHECK_INT(k.queued[2], 64);
    CHECK_INT(k.dropped_full[2], 320 - 64);
    CHECK_INT(sink_stats(1).delivered[2], 320);
    stuck.fail_times = 0;
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(stuck.logs, 64);
    CHECK_INT(sink_stats(0).delivered[2], 64);
    CHECK_BOOKS();
    tel_shutdown(5000);
    unsetenv("OTEL_BLRP_MAX_QUEUE_SIZE");
    unsetenv("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE");
}

/* The last collection is not the one that a sink goes without because it still has the one before it. */
static void test_last_collection(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    tel_stats s;
    where = "last_collection";
    d = capture_desc(&c, &sink);
    c.sleep_us = 100000;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_counter_add(&counter, 1);
    tel_flush(1);
    usleep(20000);                                  /* the sink has it now, or is about to */
    tel_counter_add(&counter, 1);
    CHECK_INT(tel_shutdown(15000), TEL_OK);
    s = tel_query_stats();
    CHECK(s.recorded[0] >= 1);
    CHECK_INT(s.exported[0], s.recorded[0]);
    CHECK_INT(s.failed[0], 0);
}

/* A short program's only metrics say how its spans were delivered, not that none was yet. */
static void test_last_self_metrics(bool no_thread) {
    capture c;
    tel_sink sink;
    tel_desc d;
    where = "last_self_metrics";
    d = capture_desc(&c, &sink);
    d.no_self_metrics = false;
    d.no_thread = no_thread;
    c.counter_name = "otel.sdk.exporter.span.exported";
    CHECK_INT(tel_init(&d), TEL_OK);
    record(10);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    CHECK_INT(c.spans, 10);
    CHECK_INT(c.counter, 10);
}

static void test_memory_limit(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    int i;
    where = "memory_limit";
    d = capture_desc(&c, &sink);
    d.memory_limit = 4u << 20;
    d.no_thread = true;
    d.ring_bytes = 1u << 20;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 5; i++) {
        uint64_t before = c.logs;
        record(3000);
        CHECK_INT(tel_pump(10000), TEL_OK);
        CHECK_INT(tel_flush(10000), TEL_OK);
        CHECK(c.logs - before > 500);                   /* a limit is no reason to deliver nothing */
        CHECK(tel_query_stats().bytes_allocated <= 4u << 20);
        CHECK_BOOKS();
    }
    CHECK_INT(tel_query_stats().recorded[2], 15000);
    CHECK_INT(tel_query_stats().dropped[2], 15000 - c.logs);
    tel_shutdown(5000);
}

/* ---- OTLP: receivers of every kind ---- */

typedef struct expected { const char* answer; const char* next; tel_result flush; int delivered, failed; const char* said; } expected;

static void test_receiver(const char* name, const expected* e, bool no_thread) {
    static receiver r;
    tel_otlp_desc o;
    tel_sink sink;
    tel_desc d;
    tel_sink_stats k;
    tel_result result;
    static counting memory = COUNTING;
    where = name;
    CHECK(receiver_start(&r, e->answer, e->next));
    sink = receiver_sink(&r, &o, 15000);
    sink.signal_mask = TEL_SIGNAL_LOGS;
    d = test_desc(&sink, 1);
    d.allocator = counting_allocator(&memory);
    d.no_thread = no_thread;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_OK);
    record(10);
    result = tel_flush(e->flush == TEL_ERR_TIMEOUT ? 300 : 60000);
    k = sink_stats(0);
    if (e->failed >= 0) { CHECK_INT(result, e->flush); }
    else { CHECK_INT(result, k.dropped_failed[2] ? TEL_ERR_IO : TEL_OK); }      /* about this call */
    if (e->delivered >= 0) { CHECK_INT(k.delivered[2], e->delivered); }
    if (e->failed >= 0) { CHECK_INT(k.dropped_failed[2], e->failed); }
    CHECK_INT(k.delivered[2] + k.dropped_failed[2] + k.queued[2], 10);
    CHECK_BOOKS();
    if (e->said && !heard(e->said)) { fprintf(stderr, "     %s: said: %s\n", name, said); FAIL("the diagnostic"); }
    result = tel_shutdown(e->flush == TEL_ERR_TIMEOUT ? 10 : 5000);
    if (e->flush == TEL_ERR_TIMEOUT) { CHECK_INT(result, TEL_ERR_TIMEOUT); }
    else { CHECK_INT(result, TEL_OK); }             /* what was lost, was lost before it */
    if (e->flush == TEL_ERR_TIMEOUT) { CHECK_INT(tel_query_stats().failed[2], 10); }
    CHECK_INT(counting_settled(&memory), 0);     /* a worker that is slow to come back frees late */
    receiver_stop(&r);
}

static void test_receivers(void) {
    static const struct { const char* name; expected e; } list[] = {
        { "200", { ANSWER_200, NULL, TEL_OK, 10, 0, NULL } },
        { "204, no body", { "HTTP/1.1 204 No Content\r\n\r\n", NULL, TEL_OK, 10, 0, NULL } },
        { "202", { "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", NULL, TEL_OK, 10, 0, NULL } },
        { "500", { "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", NULL, TEL_ERR_IO, 0, 10, "500" } },
        { "400", { "HTTP/1.1 400 Bad\r\nContent-Length: 27\r\n\r\n{\"message\":\"no such field\"}\n", NULL, TEL_ERR_IO, 0, 10, "no such field" } },
        { "413", { "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n", NULL, TEL_OK, -1, -1, "413" } },
        { "partial success", { "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 75\r\n\r\n"
                               "{\"partialSuccess\":{\"rejectedLogRecords\":\"3\",\"errorMessage\":\"too old here\"}}",
                               NULL, TEL_ERR_IO, 7, 3, "too old" } },
        { "503, Retry-After, then 200", { "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", ANSWER_200, TEL_OK, 10, 0, "503" } },
        { "503 for longer than we wait", { "HTTP/1.1 503 Busy\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n", NULL, TEL_ERR_TIMEOUT, 0, 0, "503" } },
        { "429 with a date that is past, then 200", { "HTTP/1.1 429 Slow\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n",
                                                      ANSWER_200, TEL_OK, 10, 0, NULL } },
        { "not HTTP", { "220 smtp.example.com ESMTP\r\n", NULL, TEL_ERR_IO, 0, 10, NULL } },
        { "endless header", { "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n", NULL, TEL_OK, -1, -1, NULL } }
    };
    size_t i;
    for (i = 0; i < sizeof list / sizeof list[0]; i++) { test_receiver(list[i].name, &list[i].e, i % 2 != 0); }
}

/* Without a thread of ours, and with nothing new to export: pumping is enough to send again what the receiver put off. */
static void test_pump_again(void) {
    receiver r;
    tel_otlp_desc o;
    tel_sink sink;
    tel_desc d;
    uint64_t since = now_ms();
    where = "pump_again";
    CHECK(receiver_start(&r, "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", ANSWER_200));
    sink = receiver_sink(&r, &o, 60000);
    d = test_desc(&sink, 1);
    d.no_thread = true;
    d.batch_interval_ms = 1;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "put off", TEL_NOATTRS);
    while (sink_stats(0).delivered[2] == 0 && now_ms() - since < 30000) {
        CHECK_INT(tel_pump(1000), TEL_OK);
        usleep(10000);
    }
    CHECK_INT(sink_stats(0).delivered[2], 1);
    CHECK_INT(sink_stats(0).queued[2], 0);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    receiver_stop(&r);
}

static void test_refused(bool no_thread) {
    receiver gone;
    tel_otlp_desc o;
    tel_sink sinks[2];
    tel_sink_stats k;
    tel_desc d;
    capture good;
    uint64_t since;
    where = "refused";
    CHECK(receiver_deaf(&gone));
    sinks[0] = receiver_sink(&gone, &o, 300);
    capture_init(&good);
    sinks[1] = capture_sink(&good);
    d = test_desc(sinks, 2);
    d.no_thread = no_thread;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_OK);
    record(25);
    since = now_ms();
    CHECK_INT(tel_flush(600), TEL_ERR_TIMEOUT);
    CHECK_RETURNED(since);
    k = sink_stats(0);                              /* kept, whatever the timeout of a batch is */
    CHECK(k.dropped_failed[0] == 0 && k.dropped_failed[1] == 0 && k.dropped_failed[2] == 0);
    CHECK(k.queued[0] >= 1 && k.queued[1] == 25 && k.queued[2] == 25);
    CHECK_INT(good.spans, 25);                      /* a dead sink is nobody else's business */
    CHECK_BOOKS();
    CHECK(heard("collector"));
    CHECK_INT(tel_shutdown(100), TEL_ERR_TIMEOUT);
    CHECK_INT(tel_query_stats().failed[1], 25);
    close(gone.fd);
}

/* A socket that listens and never answers. */
static void test_black_hole(bool no_thread) {
    static counting memory = COUNTING;
    receiver hole;
    tel_otlp_desc o;
    tel_sink sinks[2];
    tel_desc d;
    tel_stats s;
    capture good;
    uint64_t since;
    where = no_thread ? "black_hole, no thread" : "black_hole";
    CHECK(receiver_start(&hole, NULL, NULL));
    sinks[0] = receiver_sink(&hole, &o, 60000);    /* only the caller's own limit can be the reason to come back */
    capture_init(&good);
    sinks[1] = capture_sink(&good);
    d = test_desc(sinks, 2);
    d.allocator = counting_allocator(&memory);
    d.no_thread = no_thread;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_OK);
    record(30);
    since = now_ms();
    CHECK_INT(tel_flush(100), TEL_ERR_TIMEOUT);
    CHECK_RETURNED(since);
    CHECK_BOOKS();
    record(20);
    since = now_ms();
    tel_pump(50);
    CHECK_RETURNED(since);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], 50);
    CHECK_BOOKS();
    since = now_ms();
    CHECK_INT(tel_shutdown(200), TEL_ERR_TIMEOUT);
    CHECK_RETURNED(since);
    CHECK_INT(good.spans, 50);
    CHECK_INT(good.logs, 50);
    CHECK_INT(capture_closed(&good, 1), 1);
    CHECK(heard("shutdown lost"));
    CHECK(heard("50 spans, 50 log records"));
    CHECK_INT(counting_settled(&memory), 0);     /* a worker that is slow to come back frees late */
    close(hole.fd);
}

/* Records, a dead receiver, a small queue and a flood, all at once; at the end every record is somewhere. */
static void* flood(void* arg) {
    (void)arg;
    record(3000);
    return NULL;
}
static void test_flood(void) {
    static counting memory = COUNTING;
    receiver hole;
    tel_otlp_desc o;
    tel_sink sinks[2];
    tel_desc d;
    tel_stats s;
    capture flaky;
    pthread_t t[4];
    int i;
    where = "flood";
    CHECK(receiver_start(&hole, NULL, NULL));
    sinks[0] = receiver_sink(&hole, &o, 200);
    o.queue_bytes = 20000;
    sinks[0] = tel_sink_otlp(&o);
    capture_init(&flaky);
    flaky.fail_times = 5;
    sinks[1] = capture_sink(&flaky);
    d = test_desc(sinks, 2);
    d.allocator = counting_allocator(&memory);
    d.ring_bytes = 16384;
    d.batch_interval_ms = 1;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 4; i++) { pthread_create(&t[i], NULL, flood, NULL); }
    for (i = 0; i < 4; i++) { pthread_join(t[i], NULL); }
    tel_flush(300);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], 12000);
    CHECK_INT(s.recorded[2], 12000);
    tel_shutdown(500);                              /* the books stand still now */
    s = tel_query_stats();
    CHECK_INT(counting_settled(&memory), 0);     /* a worker that is slow to come back frees late */
    close(hole.fd);
}

/* What has left the rings, as the otel.sdk.processor metrics say it, only grows, while records go from rings to stages. */
static volatile int pumping;
static void* pump(void* arg) {
    while (__atomic_load_n(&pumping, __ATOMIC_RELAXED)) { tel_pump(10); }
    return arg;
}
static void test_processed(void) {
    capture c;
    tel_sink sink;
    tel_desc d = capture_desc(&c, &sink);
    pthread_t t;
    uint64_t last = 0, shrunk = 0;
    int i;
    where = "processed";
    d.no_thread = true;
    d.batch_interval_ms = 1;
    CHECK_INT(tel_init(&d), TEL_OK);
    pumping = 1;
    pthread_create(&t, NULL, pump, NULL);
    for (i = 0; i < 100000; i++) {
        tel_stats s;
        uint64_t processed;
        if (i % 16 == 0) { record(1); }
        s = tel_query_stats();
        processed = s.recorded[2] - s.dropped[2] - s.queued[2];
        shrunk += processed < last || processed > s.recorded[2];
        last = processed;
    }
    __atomic_store_n(&pumping, 0, __ATOMIC_RELAXED);
    pthread_join(t, NULL);
    CHECK_INT(shrunk, 0);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_BOOKS();
    tel_shutdown(5000);                             /* rings may have been full: nothing waited for them */
}

/* ... but flushes while a sink hangs do not fill the memory with collections that wait for it. */
static int held_up;
static tel_result hang(const tel_batch* batch, void* user_data) {
    (void)user_data;
    while (batch->metric_count && __atomic_load_n(&held_up, __ATOMIC_RELAXED)) { usleep(1000); }
    return TEL_OK;
}
static void test_collections_of_flushes(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    uint64_t queued;
    int i;
    where = "collections_of_flushes";
    d = capture_desc(&c, &sink);
    d.no_self_metrics = true;
    sink.export_fn = hang;
    __atomic_store_n(&held_up, 1, __ATOMIC_RELAXED);
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_counter_add(&counter, 1);
    for (i = 0; i < 200 && !sink_stats(0).dropped_full[0]; i++) { tel_flush(5); }
    queued = sink_stats(0).queued[0];
    CHECK(queued >= 1 && queued <= 8);              /* of one point each */
    CHECK(sink_stats(0).dropped_full[0] > 0);
    __atomic_store_n(&held_up, 0, __ATOMIC_RELAXED);
    tel_shutdown(15000);
    CHECK_INT(tel_query_stats().recorded[0], tel_query_stats().exported[0] + tel_query_stats().failed[0]);
}

/* ---- without a thread: slow sinks beside quick ones ---- */

typedef struct pace { int takes_ms, calls, logs, collections; } pace;
static tel_result paced(const tel_batch* batch, void* user_data) {
    pace* p = (pace*)user_data;
    struct timespec t;
    t.tv_sec = 0;
    t.tv_nsec = p->takes_ms * 1000000L;
    if (t.tv_nsec) { nanosleep(&t, NULL); }
    p->calls++;
    p->logs += (int)batch->log_count;
    p->collections += batch->metric_count != 0;
    return TEL_OK;
}
/* A sink that uses up the whole time of every tel_pump takes nothing away from the one behind it. */
static void test_slow_neighbour(void) {
    pace p[2] = { { 20, 0, 0, 0 }, { 0, 0, 0, 0 } };
    tel_sink sinks[2];
    tel_desc d;
    int i;
    where = "slow_neighbour";
    memset(&d, 0, sizeof d);
    memset(sinks, 0, sizeof sinks);
    for (i = 0; i < 2; i++) {
        sinks[i].export_fn = paced;
        sinks[i].user_data = &p[i];
    }
    d.sinks = sinks;
    d.sink_count = 2;
    d.no_thread = d.ignore_env = true;
    d.batch_interval_ms = 1;
    d.metric_interval_ms = 10;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 40; i++) {
        record(300);
        tel_pump(10);
    }
    CHECK(p[1].logs > 0 && p[1].collections > 0);
    CHECK_INT(sink_stats(1).dropped_full[2], 0);
    tel_flush(10000);
    CHECK_INT(p[1].logs, 40 * 300);
    tel_shutdown(10000);
    CHECK_INT(sink_stats(1).delivered[2], 40 * 300);
}
static void slow_observer(tel_observation* o, void* user_data) {
    struct timespec t = { 0, 40000000 };
    nanosleep(&t, NULL);
    ++*(int*)user_data;
    tel_observei(o, 1, TEL_NOATTRS);
}
/* Once the time of a flush is over, no other sink is called. */
static void test_slow_sinks(void) {
    pace p[16];
    tel_sink sinks[16];
    tel_desc d;
    int i, calls = 0;
    where = "slow_sinks";
    memset(&d, 0, sizeof d);
    memset(sinks, 0, sizeof sinks);
    memset(p, 0, sizeof p);
    for (i = 0; i < 16; i++) {
        p[i].takes_ms = 50;
        sinks[i].export_fn = paced;
        sinks[i].user_data = &p[i];
    }
    d.sinks = sinks;
    d.sink_count = 16;
    d.no_thread = d.ignore_env = true;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
    record(10);
    CHECK_INT(tel_flush(60), TEL_ERR_TIMEOUT);
    for (i = 0; i < 16; i++) { calls += p[i].calls; }
    CHECK(calls <= 3);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(60), TEL_ERR_TIMEOUT);
    for (i = 0, calls = 0; i < 16; i++) { calls += p[i].calls; }
    CHECK(calls <= 6);
}

/* ... nor another observer: the next turn goes on with those that are left. */
static void test_slow_observers(void) {
    static const char names[4][2] = { "a", "b", "c", "d" };
    pace seen = { 0, 0, 0, 0 };
    int calls[4] = { 0, 0, 0, 0 }, i;
    tel_observer_desc o;
    tel_sink sink;
    tel_desc d;
    where = "slow_observers";
    memset(&d, 0, sizeof d);
    memset(&sink, 0, sizeof sink);
    memset(&o, 0, sizeof o);
    sink.export_fn = paced;
    sink.user_data = &seen;
    d.sinks = &sink;
    d.sink_count = 1;
    d.no_thread = d.ignore_env = true;
    d.metric_interval_ms = 1;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 4; i++) {
        o.name = names[i];
        o.observe_fn = slow_observer;
        o.user_data = &calls[i];
        CHECK(tel_observer_new(&o) != NULL);
    }
    CHECK_INT(tel_flush(30), TEL_ERR_TIMEOUT);
    CHECK(calls[0] <= 1 && calls[1] == 0);
    for (i = 0; i < 4; i++) { tel_pump(10); }
    CHECK(calls[0] >= 1 && calls[1] == 1 && calls[2] == 1 && calls[3] == 1);
    CHECK(seen.collections >= 1);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK(calls[3] >= 2);
    tel_shutdown(10000);
}

/* At the limit a collection still reaches a sink with a thread of its own, in batches whose copies fit. */
static tel_counter crowd = TEL_INSTRUMENT("books.crowd", "1", NULL);
static tel_result add_crowd(const tel_batch* batch, void* user_data) {
    size_t i, j;
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* v = &batch->metrics[i];
        for (j = 0; strcmp(v->name.data, "books.crowd") == 0 && j < v->point_count; j++) {
            __atomic_add_fetch((int64_t*)user_data, v->points[j].i, __ATOMIC_RELAXED);
        }
    }
    return TEL_OK;
}
static void test_collection_at_limit(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    int64_t sum = 0;
    int i;
    where = "collection_at_limit";
    d = capture_desc(&c, &sink);
    d.no_self_metrics = true;
    d.memory_limit = 2u << 20;
    d.max_live_spans = 16;
    d.max_threads = 2;
    d.max_series = 100000;
    memset(&sink, 0, sizeof sink);
    sink.name = "crowd";
    sink.export_fn = add_crowd;
    sink.user_data = &sum;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 10000; i++) { tel_counter_add_with(&crowd, 1, TEL_ATTRS(tel_int("k", i))); }
    CHECK(tel_query_stats().series_overflow > 0);
    for (i = 0; i < 50 && __atomic_load_n(&sum, __ATOMIC_RELAXED) < 10000; i++) {
        __atomic_store_n(&sum, 0, __ATOMIC_RELAXED);
        tel_flush(10000);
    }
    CHECK_INT(sum + (int64_t)tel_query_stats().dropped[0], 10000);
    tel_shutdown(10000);
}

int main(void) {
    capture_watchdog(150);
    test_slow_observers();
    test_slow_neighbour();
    test_slow_sinks();
    test_ring_full();
    test_too_large();
    test_pool_empty();
    test_pool_shared();
    test_queue_full();
    test_last_collection();
    test_last_self_metrics(false);
    test_last_self_metrics(true);
    test_collections_of_flushes();
    test_memory_limit();
    test_receivers();
    test_pump_again();
    test_refused(false);
    test_refused(true);
    test_black_hole(false);
    test_black_hole(true);
    test_flood();
    test_processed();
    test_collection_at_limit();
    return check_done();
}
