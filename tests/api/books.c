/* The books: whatever goes wrong on the way, recorded = dropped + queued + delivered + dropped_full + dropped_failed + the sink's
   queued, for spans and for logs and for each sink by itself. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"

static void record(unsigned spans, unsigned logs) {
    while (spans || logs) {
        if (spans) { TEL_SPAN(s, "span") { tel_span_set(s, tel_str("key", "some value")); } spans--; }
        if (logs) { tel_log(TEL_INFO, "a log record", TEL_ATTRS(tel_int("n", (int64_t)logs))); logs--; }
    }
}
static tel_sink_stats of_sink(size_t index) {
    tel_sink_stats k;
    memset(&k, 0, sizeof k);
    CHECK(tel_query_sink(index, &k));
    return k;
}

/* ---- before any sink ---- */

static void test_ring_full(void) {
    capture a, b;
    tel_sink sinks[2];
    tel_stats s;
    tel_desc d;
    int i;
    where = "ring full";
    capture_init(&a);
    capture_init(&b);
    sinks[0] = capture_sink(&a);
    sinks[1] = capture_sink(&b);
    sinks[1].signals = TEL_LOGS;
    d = test_desc(sinks, 2);
    d.no_thread = true;
    d.ring_bytes = 4096;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 3; i++) {
        record(1000, 500);
        s = tel_query_stats();
        CHECK_INT(s.recorded[1], 1000 * (i + 1));
        CHECK_INT(s.recorded[2], 500 * (i + 1));
        CHECK(s.dropped[1] > 0 && s.dropped[2] > 0 && s.queued[1] + s.queued[2] > 0);
        CHECK_INT(s.recorded[1], s.dropped[1] + s.queued[1] + of_sink(0).delivered[1]);
        CHECK_INT(s.recorded[2], s.dropped[2] + s.queued[2] + of_sink(1).delivered[2]);
        CHECK_INT(tel_flush(30000), TEL_OK);
        s = tel_query_stats();
        CHECK_INT(s.queued[1] + s.queued[2], 0);
        CHECK_INT(a.spans, s.recorded[1] - s.dropped[1]);
        CHECK_INT(a.logs, s.recorded[2] - s.dropped[2]);
        CHECK_INT(b.logs, a.logs);
        CHECK_INT(of_sink(0).delivered[1], a.spans);
        CHECK_INT(of_sink(1).delivered[2], b.logs);
        CHECK_INT(of_sink(1).delivered[1], 0);
    }
    CHECK_INT(tel_shutdown(30000), TEL_ERR_IO);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], s.dropped[1] + a.spans);
    CHECK_INT(s.recorded[2], s.dropped[2] + a.logs);
}

/* A record larger than a quarter of the ring is dropped; one that fits is not. */
static void test_too_large(void) {
    static char large[2000];
    capture c;
    tel_sink sink;
    tel_desc d;
    where = "too large";
    capture_init(&c);
    sink = capture_sink(&c);
    d = test_desc(&sink, 1);
    d.no_thread = true;
    d.ring_bytes = 4096;
    memset(large, 'x', sizeof large - 1);
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, large, TEL_NOATTRS);
    tel_log(TEL_INFO, "small", TEL_NOATTRS);
    CHECK_INT(tel_query_stats().dropped[2], 1);
    CHECK_INT(tel_flush(30000), TEL_OK);
    CHECK_INT(c.logs, 1);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(30000), TEL_ERR_IO);
}

static void test_span_pool(void) {
    enum { STARTED = 200, LIVE = 64 };
    static tel_span span[STARTED];
    capture c;
    tel_sink sink;
    tel_stats s;
    tel_desc d;
    unsigned i, live = 0;
    where = "span pool";
    capture_init(&c);
    sink = capture_sink(&c);
    d = test_desc(&sink, 1);
    d.max_live_spans = LIVE;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < STARTED; i++) {
        span[i] = tel_span_start("held");
        live += tel_span_recording(&span[i]);
    }
    s = tel_query_stats();
    CHECK(live > 0 && live <= LIVE);
    CHECK_INT(s.spans_live, live);
    CHECK_INT(s.dropped[1], STARTED - live);
    CHECK_INT(s.recorded[1], s.dropped[1] + s.queued[1]);       /* live ones are not recorded yet */
    for (i = 0; i < STARTED; i++) { tel_span_end(&span[i]); tel_span_end(&span[i]); }
    CHECK_INT(tel_flush(30000), TEL_OK);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], STARTED);
    CHECK_INT(s.spans_live, 0);
    CHECK_INT(c.spans, live);
    CHECK_BOOKS();
    record(100, 0);                                             /* and the pool is whole again */
    CHECK_INT(tel_flush(30000), TEL_OK);
    CHECK_INT(c.spans, live + 100);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(30000), TEL_ERR_IO);
}

/* ---- before one sink ---- */

/* One sink answers "later", with a queue for 40; the other takes all. */
static void test_queue_full(void) {
    capture slow, good;
    tel_sink sinks[2];
    tel_sink_stats k;
    tel_desc d;
    int i;
    where = "queue full";
    setenv("OTEL_BSP_MAX_QUEUE_SIZE", "40", 1);
    setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10", 1);
    setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "40", 1);
    setenv("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "10", 1);
    capture_init(&slow);
    capture_init(&good);
    slow.fail_times = -1;
    sinks[0] = capture_sink(&slow);
    sinks[1] = capture_sink(&good);
    d = test_desc(sinks, 2);
    d.ignore_env = false;
    d.no_thread = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 5; i++) {
        record(30, 20);
        tel_pump(0);
        CHECK_BOOKS();
    }
    CHECK_INT(tel_flush(30), TEL_ERR_TIMEOUT);
    CHECK_BOOKS();
    k = of_sink(0);
    CHECK(k.queued[1] > 0 && k.queued[1] <= 40);
    CHECK(k.queued[2] > 0 && k.queued[2] <= 40);
    CHECK_INT(k.dropped_full[1], 150 - k.queued[1]);
    CHECK_INT(k.dropped_full[2], 100 - k.queued[2]);
    k = of_sink(1);
    CHECK_INT(k.dropped_full[1] + k.dropped_full[2] + k.queued[1] + k.queued[2], 150 + 100 - good.spans - good.logs);
    CHECK_INT(k.delivered[1], good.spans);
    slow.fail_times = 0;
    CHECK_INT(tel_flush(30000), TEL_OK);
    k = of_sink(0);
    CHECK_INT(k.queued[1] + k.queued[2], 0);
    CHECK_INT(k.delivered[1], slow.spans);
    CHECK_INT(k.delivered[2], slow.logs);
    CHECK(slow.spans > 0 && slow.spans <= 40);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(30000), TEL_ERR_IO);
    CHECK_INT(tel_query_stats().failed[1], 150 - slow.spans + 150 - good.spans);
    unsetenv("OTEL_BSP_MAX_QUEUE_SIZE");
    unsetenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE");
    unsetenv("OTEL_BLRP_MAX_QUEUE_SIZE");
    unsetenv("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE");
}

/* One sink refuses for good, one tries in vain until shutdown, one is well. */
static void test_sinks_fail(void) {
    capture never, later, good;
    tel_sink sinks[3];
    tel_stats s;
    tel_desc d;
    where = "sinks fail";
    capture_init(&never);
    capture_init(&later);
    capture_init(&good);
    never.fail_times = later.fail_times = -1;
    never.fail_with = TEL_ERR_FORMAT;
    sinks[0] = capture_sink(&never);
    sinks[1] = capture_sink(&later);
    sinks[2] = capture_sink(&good);
    d = test_desc(sinks, 3);
    CHECK_INT(tel_init(&d), TEL_OK);
    record(700, 300);
    CHECK_INT(tel_flush(100), TEL_ERR_TIMEOUT);
    CHECK_BOOKS();
    CHECK_INT(of_sink(0).dropped_failed[1], 700);
    CHECK_INT(of_sink(0).dropped_failed[2], 300);
    CHECK_INT(of_sink(1).queued[1], 700);
    CHECK_INT(of_sink(1).queued[2], 300);
    CHECK_INT(of_sink(2).delivered[1], 700);
    CHECK_INT(of_sink(2).delivered[2], 300);
    CHECK_INT(tel_shutdown(100), TEL_ERR_TIMEOUT);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], 700);
    CHECK_INT(s.exported[1], 700);
    CHECK_INT(good.spans, 700);
    CHECK_INT(good.logs, 300);
}

/* ---- over a network ---- */

static tel_result start_otlp(unsigned port, capture* beside, uint32_t timeout_ms, bool no_thread) {
    static char url[64];
    tel_otlp_desc o;
    tel_sink sinks[2];
    tel_desc d;
    memset(&o, 0, sizeof o);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    o.endpoint = url;
    o.timeout_ms = timeout_ms;
    capture_init(beside);
    sinks[0] = tel_sink_otlp(&o);
    sinks[0].signals = TEL_SPANS | TEL_LOGS;
    sinks[1] = capture_sink(beside);
    d = test_desc(sinks, 2);
    d.no_thread = no_thread;
    return tel_init(&d);
}

typedef struct expected { const char* title; const char* answer; const char* next; unsigned delivered_spans, delivered_logs; } expected;

#define HEAD(status, length) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nContent-Length: " length "\r\n"

static void test_answer(const expected* e, bool no_thread) {
    static receiver r;
    capture beside;
    tel_sink_stats k;
    tel_stats s;
    bool all = e->delivered_spans == 20 && e->delivered_logs == 10;
    where = e->title;
    CHECK(receiver_start(&r, e->answer, e->next));
    CHECK_INT(start_otlp(r.port, &beside, 10000, no_thread), TEL_OK);
    record(20, 10);
    tel_flush(30000);
    CHECK_BOOKS();
    k = of_sink(0);
    CHECK_INT(k.queued[1] + k.queued[2], 0);
    CHECK_INT(k.delivered[1], e->delivered_spans);
    CHECK_INT(k.delivered[2], e->delivered_logs);
    CHECK_INT(k.dropped_full[1] + k.dropped_failed[1], 20 - e->delivered_spans);
    CHECK_INT(k.dropped_full[2] + k.dropped_failed[2], 10 - e->delivered_logs);
    CHECK_INT(k.delivered[0] + k.dropped_full[0] + k.dropped_failed[0], 0);
    CHECK_INT(of_sink(1).delivered[1], 20);
    CHECK_INT(of_sink(1).delivered[2], 10);
    CHECK_INT(receiver_requests(&r), e->next ? 3 : 2);
    record(1, 0);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(30000), all ? TEL_OK : TEL_ERR_IO);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], 21);
    CHECK_INT(s.queued[1] + s.dropped[1], 0);
    CHECK_INT(s.exported[1] + s.failed[1], 42);             /* of two sinks */
    CHECK_INT(s.exported[2] + s.failed[2], 20);
    CHECK_INT(beside.spans, 21);
    receiver_stop(&r);
}

static void test_answers(void) {
    static const char rejected[] = "{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"rejectedLogRecords\":\"3\",\"errorMessage\":\"no\"}}";
    static char partial[300];
    expected list[] = {
        { "200", ANSWER_200, NULL, 20, 10 },
        { "200 with partialSuccess", partial, NULL, 17, 7 },
        { "400", HEAD("400 Bad Request", "0") "\r\n", NULL, 0, 0 },
        { "413", HEAD("413 Content Too Large", "0") "\r\n", NULL, 0, 0 },
        { "500", HEAD("500 Internal Server Error", "0") "\r\n", NULL, 0, 0 },
        { "503 then 200", HEAD("503 Service Unavailable", "0") "Retry-After: 0\r\n\r\n", ANSWER_200, 20, 10 }
    };
    size_t i;
    snprintf(partial, sizeof partial, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %u\r\n\r\n%s",
             (unsigned)strlen(rejected), rejected);
    for (i = 0; i < TEL__ARRAY_SIZE(list); i++) {
        test_answer(&list[i], false);
        test_answer(&list[i], true);
    }
}

static void test_refused(void) {
    receiver* r = (receiver*)calloc(1, sizeof *r);
    capture beside;
    unsigned port;
    tel_stats s;
    where = "refused";
    CHECK(receiver_listen(r));
    port = r->port;
    close(r->fd);                                           /* nobody is there now */
    free(r);
    CHECK_INT(start_otlp(port, &beside, 300, false), TEL_OK);
    record(600, 10);
    tel_flush(30);
    CHECK_BOOKS();
    tel_flush(30000);
    CHECK_BOOKS();
    CHECK_INT(of_sink(0).delivered[1] + of_sink(0).delivered[2] + of_sink(0).queued[1] + of_sink(0).queued[2], 0);
    CHECK_INT(of_sink(0).dropped_failed[1], 600);
    CHECK_INT(of_sink(0).dropped_failed[2], 10);
    CHECK_INT(of_sink(1).delivered[1], 600);
    record(5, 5);
    CHECK(tel_shutdown(200) != TEL_OK);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], 605);
    CHECK_INT(s.exported[1], 605);                          /* those of the other sink */
    CHECK_INT(s.failed[1], 605);
    CHECK_INT(s.failed[2], 15);
    CHECK_INT(beside.spans, 605);
}

/* Listens, never answers. Both calls come back; the watchdog sees to it. */
static void test_silent(void) {
    static receiver r;
    capture beside;
    tel_sink_stats k;
    tel_stats s;
    where = "never answers";
    CHECK(receiver_start(&r, NULL, NULL));
    CHECK_INT(start_otlp(r.port, &beside, 10000, false), TEL_OK);
    record(600, 10);
    CHECK_INT(tel_flush(200), TEL_ERR_TIMEOUT);
    CHECK_BOOKS();
    k = of_sink(0);
    CHECK_INT(k.delivered[1] + k.dropped_full[1] + k.dropped_failed[1], 0);
    CHECK_INT(k.queued[1], 600);
    CHECK_INT(k.queued[2], 10);
    CHECK_INT(of_sink(1).delivered[1], 600);
    CHECK_INT(tel_shutdown(200), TEL_ERR_TIMEOUT);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], 600);
    CHECK_INT(s.exported[1], 600);
    CHECK_INT(s.failed[1], 600);
    CHECK_INT(s.failed[2], 10);
    CHECK_INT(s.queued[1] + s.queued[2], 0);
    receiver_stop(&r);
}

int main(void) {
    capture_watchdog(60);
    test_ring_full();
    test_too_large();
    test_span_pool();
    test_queue_full();
    test_sinks_fail();
    test_answers();
    test_refused();
    test_silent();
    return check_done();
}
