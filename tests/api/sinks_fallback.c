/* tel_sink_fallback: the first healthy sink of a chain gets each batch. What the dead one holds it delivers later, or counts;
   nothing is delivered twice. A receiver that fails for long costs bounded memory and few words, and the books hold. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "check.h"
#include "capture.h"

/* A receiver behind post_fn that counts lines, and may be down. */
typedef struct box {
    tel__atomic_u32 down;
    tel__atomic_u64 lines, calls;
} box;

static tel_result encode(const tel_batch* batch, tel_writer out, void* user_data) {
    tel_text line = { "a line of some length, so that a queue fills up\n", 48 };
    size_t i;
    (void)user_data;
    for (i = 0; i < batch->span_count + batch->log_count; i++) { tel_write_text(out, line); }
    return TEL_OK;
}
static tel_result post(const tel_http_request* request, tel_http_answer* answer, void* user_data) {
    box* b = (box*)user_data;
    tel__atomic_add_u64(&b->calls, 1);
    if (tel__atomic_load_u32(&b->down)) {
        answer->status = 503;
        return TEL_OK;
    }
    tel__atomic_add_u64(&b->lines, request->size / 48);
    answer->status = 200;
    return TEL_OK;
}
static tel_sink box_sink(box* b, const char* name) {
    tel_http_desc h;
    memset(b, 0, sizeof *b);
    memset(&h, 0, sizeof h);
    h.name = name;
    h.encode_fn = encode;
    h.transport.url = "http://h";
    h.transport.post_fn = post;
    h.transport.user_data = b;
    h.transport.retry_first_ms = 1;
    h.transport.retry_most_ms = 2;
    h.transport.breaker_failures = 2;
    h.transport.breaker_ms = 20;
    return tel_sink_http(&h);
}
static uint64_t lines(box* b) { return tel__atomic_load_u64(&b->lines); }

static void start(const tel_sink* sink, bool no_thread) {
    tel_desc d = test_desc(sink, 1);
    d.no_thread = no_thread;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_OK);
}
static tel_sink_stats stats(void) {
    tel_sink_stats s;
    CHECK(tel_query_sink(0, &s));
    return s;
}
static void logs(int n) {
    while (n-- > 0) { tel_log(TEL_INFO, "x", TEL_NOATTRS); }
}

/* Each member has books and an error of its own, and together they are those of the sink. */
static void test_members(uint64_t sent, const tel_sink_stats* whole) {
    tel_sink_stats a, b;
    int i;
    CHECK(tel_query_member("either", 0, &a));
    CHECK(tel_query_member("either", 1, &b));
    CHECK(!tel_query_member("either", 2, &b));
    CHECK(!tel_query_member("neither", 0, &b) && !tel_query_member(NULL, 0, &b) && !tel_query_member("either", 0, NULL));
    CHECK(tel_query_member("either", 1, &b));
    CHECK_STR(a.name, "first");
    CHECK_STR(b.name, "second");
    CHECK_STR(a.type, "http");
    CHECK(a.state == TEL_SINK_OPEN && a.last_status == 503 && a.last_error[0] && a.queued[2] > 0 && a.last_error_unix_ns > 0);
    CHECK(b.state == TEL_SINK_READY && b.last_status == 200 && !b.last_error[0] && b.last_success_unix_ns > 0);
    CHECK_INT(a.delivered[2], 10);
    for (i = 0; i < 3; i++) { CHECK_INT(a.delivered[i] + b.delivered[i], whole->delivered[i]); }
    CHECK_INT(a.delivered[2] + a.queued[2] + b.delivered[2] + b.queued[2], sent);
}

/* The first one breaks, the second one takes over, and the first one comes back. */
static void test_breaks(bool no_thread) {
    static box first, second;
    tel_sink chain[2], sink;
    tel_sink_stats s;
    uint64_t sent = 10;
    int i;
    chain[0] = box_sink(&first, "first");
    chain[1] = box_sink(&second, "second");
    sink = tel_sink_fallback("either", chain, 2);
    memset(chain, 0, sizeof chain);                     /* copied */
    start(&sink, no_thread);
    logs(10);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK(lines(&first) == 10 && lines(&second) == 0);
    tel__atomic_store_u32(&first.down, 1);
    for (i = 0; i < 10000 && lines(&second) == 0; i++) {
        logs(1);
        sent++;
        (void)tel_flush(10);
    }
    CHECK(lines(&second) > 0 && heard("second takes over from first"));
    s = stats();
    CHECK_STR(s.name, "either");
    CHECK_STR(s.type, "fallback");
    CHECK(s.state == TEL_SINK_READY && s.queued[2] > 0 && s.last_status == 503);    /* what the first one holds */
    CHECK_INT(s.delivered[2] + s.queued[2], sent);
    test_members(sent, &s);
    tel__atomic_store_u32(&first.down, 0);
    CHECK_INT(tel_flush(20000), TEL_OK);                /* it delivers that when its probe succeeds */
    CHECK_INT(lines(&first) + lines(&second), sent);    /* nothing twice, nothing lost */
    logs(5);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(lines(&first) + lines(&second), sent + 5);
    for (i = 0; i < 10000 && !heard("first takes over from second"); i++) {
        logs(1);
        sent++;
        CHECK_INT(tel_flush(20000), TEL_OK);
    }
    CHECK_INT(lines(&first) + lines(&second), sent + 5);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* All are down for long: the queues fill, the rest is dropped, and everything is counted. */
static void test_all_down(void) {
    static box first, second;
    tel_sink chain[2], sink;
    tel_http_desc h;
    tel_sink_stats s;
    tel_desc d;
    uint64_t most = 0, now;
    int i;
    memset(&h, 0, sizeof h);
    chain[0] = box_sink(&first, "first");
    chain[1] = box_sink(&second, "second");
    h = *(const tel_http_desc*)chain[0].config;
    h.transport.queue_bytes = 20000;
    chain[0] = tel_sink_http(&h);
    h.transport.user_data = &second;
    chain[1] = tel_sink_http(&h);
    tel__atomic_store_u32(&first.down, 1);
    tel__atomic_store_u32(&second.down, 1);
    sink = tel_sink_fallback(NULL, chain, 2);
    d = test_desc(&sink, 1);
    d.no_thread = true;
    d.memory_limit = (size_t)4 << 20;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 300; i++) {
        logs(200);
        (void)tel_pump(1);
        now = tel_query_stats().bytes_allocated;
        if (now > most) { most = now; }
    }
    (void)tel_flush(50);
    s = stats();
    CHECK(s.state == TEL_SINK_OPEN || s.state == TEL_SINK_RETRYING);
    CHECK(most < (uint64_t)4 << 20);
    CHECK(s.last_error[0] && s.delivered[2] == 0);
    CHECK(lines(&first) + lines(&second) == 0);
    CHECK_BOOKS();
    (void)tel_shutdown(50);
    s = stats();
    CHECK(s.queued[2] == 0 && s.delivered[2] == 0);
    CHECK_INT(s.dropped_failed[2] + s.dropped_full[2] + tel_query_stats().dropped[2], 300 * 200);
}

/* Sinks of the program's own: one that fails is passed over for a while. */
static void test_plain(void) {
    static capture first, second;
    tel_sink chain[2], sink;
    capture_init(&first);
    capture_init(&second);
    first.fail_times = 1;
    first.fail_with = TEL_ERR_IO;
    chain[0] = capture_sink(&first);
    chain[1] = capture_sink(&second);
    sink = tel_sink_fallback("plain", chain, 2);
    start(&sink, true);
    logs(3);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK(first.logs == 0 && second.logs == 3 && first.calls == 1);
    logs(2);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(first.logs + second.logs, 5);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK(first.opened == 1 && first.closed == 1 && second.opened == 1 && second.closed == 1);
}

/* Members that do not open, and chains that cannot be. */
static void test_open(void) {
    static capture first, second;
    tel_sink chain[2], sink;
    tel_desc d;
    capture_init(&first);
    capture_init(&second);
    first.open_with = TEL_ERR_ARGUMENT;
    chain[0] = capture_sink(&first);
    chain[1] = capture_sink(&second);
    sink = tel_sink_fallback("half", chain, 2);
    start(&sink, true);
    logs(3);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK(second.logs == 3 && first.calls == 0 && heard("is left out"));
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK(first.closed == 0 && second.closed == 1);
    second.open_with = TEL_ERR_ARGUMENT;
    d = test_desc(&sink, 1);
    CHECK_INT(tel_init(&d), TEL_ERR_IO);
    CHECK(heard("none of its members opens"));
    (void)tel_shutdown(1000);
    first.open_with = second.open_with = TEL_OK;
    first.opened = second.opened = first.closed = second.closed = 0;
    chain[1].temporality = TEL_TEMPORALITY_DELTA;
    sink = tel_sink_fallback("differ", chain, 2);
    d = test_desc(&sink, 1);
    CHECK_INT(tel_init(&d), TEL_ERR_IO);
    CHECK(heard("differ in temporality") && first.closed == first.opened && second.closed == second.opened);
    (void)tel_shutdown(1000);
    sink = tel_sink_fallback("nothing", NULL, 0);
    d = test_desc(&sink, 1);
    CHECK_INT(tel_init(&d), TEL_ERR_IO);
    CHECK(heard("its chain has no sink"));
    (void)tel_shutdown(1000);
}

/* Nested chains: the inner one comes first while it has a healthy member. One that is deeper than 8 is left out. */
static void test_nested(void) {
    static box first, second, third;
    tel_sink chain[2], sink;
    tel_desc d;
    int i;
    chain[0] = box_sink(&first, "first");
    chain[1] = box_sink(&second, "second");
    chain[0] = tel_sink_fallback("inner", chain, 2);
    chain[1] = box_sink(&third, "third");
    sink = tel_sink_fallback("outer", chain, 2);
    start(&sink, true);
    logs(10);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK(lines(&first) == 10 && lines(&second) == 0 && lines(&third) == 0);
    tel__atomic_store_u32(&first.down, 1);
    for (i = 0; i < 10000 && lines(&second) == 0; i++) {
        logs(1);
        (void)tel_flush(10);
    }
    CHECK(lines(&second) > 0 && lines(&third) == 0);
    tel__atomic_store_u32(&second.down, 1);
    for (i = 0; i < 10000 && lines(&third) == 0; i++) {
        logs(1);
        (void)tel_flush(10);
    }
    CHECK(lines(&third) > 0);
    CHECK_BOOKS();
    (void)tel_shutdown(50);
    sink = box_sink(&first, "first");
    for (i = 0; i < 8; i++) { sink = tel_sink_fallback("deep", &sink, 1); }
    start(&sink, true);
    logs(3);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(lines(&first), 3);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    chain[0] = tel_sink_fallback("deeper", &sink, 1);
    chain[1] = box_sink(&second, "second");
    sink = chain[0];
    d = test_desc(&sink, 1);
    CHECK_INT(tel_init(&d), TEL_ERR_IO);
    CHECK(heard("is nested deeper than 8 chains"));
    (void)tel_shutdown(1000);
}

int main(void) {
    capture_watchdog(200);
    test_nested();
    test_breaks(true);
    test_breaks(false);
    test_all_down();
    test_plain();
    test_open();
    return check_done();
}
