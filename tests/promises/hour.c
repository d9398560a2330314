/* A provider that fails for an hour: memory stays bounded, what is said about it comes at most once a minute, and the books are
   exact, during the hour and after the provider has come back. The hour is the test's own: it moves the clock on. */
#include <time.h>
static long long seconds_ahead;         /* of the clock of the machine */
static int moving_clock(clockid_t which, struct timespec* t) {
    int r = clock_gettime(which, t);
    t->tv_sec += seconds_ahead;
    return r;
}
#define TELEMETRY_IMPLEMENTATION
#define TEL_FORCE_NO_TICKS
#define clock_gettime moving_clock
#include "telemetry.h"
#undef clock_gettime
#include "promise.h"

#define SECONDS 3600
#define EACH    20                      /* log records and spans in a second */
#define ITEMS   64

static bool     down;
static uint64_t taken[3], calls;        /* by the provider */
static long long last_heard[ITEMS];
static int      heard_of[ITEMS], too_soon;

static tel_result encode(const tel_batch* batch, tel_writer out, void* user_data) {
    tel_text line = { "one record of sixty-four bytes, as long as this line is, or so..\n", 64 };
    size_t i;
    (void)user_data;
    for (i = 0; i < batch->span_count + batch->log_count; i++) { tel_write_text(out, line); }
    return TEL_OK;
}
/* Half of the time nobody is there, and half of the time it answers 503. */
static tel_result post(const tel_http_request* request, tel_http_answer* answer, void* user_data) {
    (void)request; (void)user_data;
    calls++;
    if (down && calls % 2) { return TEL_ERR_IO; }
    answer->status = down ? 503 : 200;
    return TEL_OK;
}
static tel_result judge(tel_http_answer* answer, uint64_t* refused, void* user_data) {
    (void)refused; (void)user_data;
    if (answer->status != 200) { return TEL_ERR_IO; }
    taken[answer->signal == TEL_SIGNAL_SPANS ? 1 : 2] += answer->items;
    return TEL_OK;
}
static void report(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)message; (void)line; (void)user_data;
    if (level > 2 || item >= ITEMS) { return; }
    if (heard_of[item] && seconds_ahead - last_heard[item] < 59) { too_soon++; }     /* the real clock runs, too */
    heard_of[item]++;
    last_heard[item] = seconds_ahead;
}

int main(void) {
    tel_http_desc h;
    tel_sink_stats s;
    tel_stats all;
    tel_sink sink;
    tel_desc d;
    uint64_t early = 0, late = 0, now;
    int i, k, most = 0;
    capture_watchdog(300);
    where = "hour";
    memset(&h, 0, sizeof h);
    h.name = "provider";
    h.encode_fn = encode;
    h.judge_fn = judge;
    h.transport.url = "http://provider/";
    h.transport.post_fn = post;
    h.transport.queue_bytes = 100000;
    sink = tel_sink_http(&h);
    d = promise_desc(&sink, 1);
    d.ignore_env = d.no_thread = d.no_self_metrics = true;
    d.memory_limit = (size_t)8 << 20;
    d.diag.report_fn = report;
    CHECK_INT(tel_init(&d), TEL_OK);
    down = true;
    for (i = 0; i < SECONDS; i++, seconds_ahead++) {
        for (k = 0; k < EACH; k++) {
            TEL_SPAN(span, "work") { tel_log(TEL_INFO, "done", TEL_NOATTRS); }
        }
        (void)tel_pump(1);
        now = tel_query_stats().bytes_allocated;
        if (i < SECONDS / 4 && now > early) { early = now; }
        if (i >= SECONDS / 4 && now > late) { late = now; }
        if (i % 600 == 599) { CHECK_BOOKS(); }
    }
    CHECK(late <= d.memory_limit);
    CHECK(late <= early + early / 8);                   /* it has come to an end of growing long before */
    CHECK(tel_query_sink(0, &s));
    CHECK(s.state == TEL_SINK_OPEN && s.last_error[0] && s.queued[1] && s.queued[2]);
    CHECK_INT(s.delivered[1] + s.delivered[2], 0);
    CHECK_INT(too_soon, 0);
    for (i = 0; i < ITEMS; i++) { if (heard_of[i] > most) { most = heard_of[i]; } }
    CHECK(most > 50 && most <= 61);
    down = false;
    for (i = 0; i < 60; i++, seconds_ahead++) { (void)tel_pump(1); }
    CHECK_INT(tel_flush(30000), TEL_OK);
    CHECK_BOOKS();
    CHECK(tel_query_sink(0, &s));
    all = tel_query_stats();
    for (i = 1; i < 3; i++) {
        CHECK_INT(s.delivered[i], taken[i]);
        CHECK_INT(all.recorded[i], (uint64_t)SECONDS * EACH);
        CHECK_INT(s.delivered[i] + s.dropped_full[i] + s.dropped_failed[i] + all.dropped[i], all.recorded[i]);
        CHECK(taken[i] > 0);
    }
    CHECK_INT(s.state, TEL_SINK_READY);
    promise_figure("an hour without its provider: at most %llu KiB, %d reports of one kind, %llu of %llu records kept for later",
                   (unsigned long long)(late >> 10), most, (unsigned long long)(taken[1] + taken[2]),
                   (unsigned long long)(all.recorded[1] + all.recorded[2]));
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    return check_done();
}
