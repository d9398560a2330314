/* A burst that opens on an idle thread is lost nowhere: 10,000 spans with 3 attributes, and 10,000 log records of 200 bytes, with
   the settings that a program gets that sets none, and a sink that takes everything at once. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "promise.h"

#define BURST 10000
static char line[201];

static void spans(void) {
    int i;
    for (i = 0; i < BURST; i++) {
        tel_span s = tel_span_start("GET /cart");
        tel_span_set(&s, tel_str("http.request.method", "GET"));
        tel_span_set(&s, tel_str("http.route", "/cart/{id}"));
        tel_span_set(&s, tel_int("http.response.status_code", 200));
        tel_span_end(&s);
    }
}
static void logs(void) {
    int i;
    for (i = 0; i < BURST; i++) { tel_log(TEL_INFO, line, TEL_NOATTRS); }
}

/* The first burst of a program meets fresh rings; the second one those that the first has left behind. */
static void burst(const char* what, void (*record)(void), int signal, uint64_t (*arrived_of)(const capture*)) {
    static capture c;
    tel_sink sink;
    tel_desc d;
    int round;
    where = what;
    capture_init(&c);
    sink = capture_sink(&c);
    d = promise_desc(&sink, 1);
    d.ignore_env = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "this thread is known", TEL_NOATTRS);
    for (round = 0; round < 2; round++) {
        uint64_t before, lost;
        double begin, took;
        CHECK_INT(tel_flush(30000), TEL_OK);
        promise_sleep(1200);                            /* idle */
        before = arrived_of(&c);
        begin = promise_ms();
        record();
        took = promise_ms() - begin;
        tel_flush(30000);
        lost = BURST - (arrived_of(&c) - before);
        promise_figure("burst of %d %s from one idle thread in %.1f ms: %llu lost", BURST, what, took, (unsigned long long)lost);
        CHECK_INT(lost, 0);
        CHECK_INT(tel_query_stats().dropped[signal], 0);
        CHECK_INT(tel_query_stats().failed[signal], 0);
    }
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(30000), TEL_OK);
}
static uint64_t spans_of(const capture* c) { return c->spans; }
static uint64_t logs_of(const capture* c) { return c->logs; }

int main(void) {
    capture_watchdog(120);
    memset(line, 'x', sizeof line - 1);
    burst("spans with 3 attributes", spans, 1, spans_of);
    burst("log records of 200 bytes", logs, 2, logs_of);
    return check_done();
}
