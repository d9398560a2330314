/* A month of spans leaves the pool whole: each slot is used past the end of its generation's 32 bits, which at 100,000 spans a
   second would take years, and every span is recorded all the same. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "promise.h"

#define LIVE   64
#define ROUNDS 200
static tel_span spans[LIVE];

int main(void) {
    static capture c;
    tel_instance* inst;
    tel_sink sink;
    tel_desc d;
    tel_span stale;
    uint64_t recorded = 0;
    int i, round;
    capture_watchdog(120);
    where = "month";
    capture_init(&c);
    sink = capture_sink(&c);
    d = promise_desc(&sink, 1);
    d.ignore_env = true;
    d.max_live_spans = LIVE;
    CHECK_INT(tel_init(&d), TEL_OK);
    inst = (tel_instance*)tel__atomic_load_ptr(&tel__root.current);
    inst->spans.generation = UINT32_MAX - ROUNDS / 2;       /* of a slot that is used for the first time */
    stale = tel_span_start("stale");
    tel_span_end(&stale);
    for (round = 0; round < ROUNDS; round++) {
        for (i = 0; i < LIVE; i++) { spans[i] = tel_span_start("work"); recorded += tel_span_recording(&spans[i]); }
        CHECK_INT(tel_query_stats().spans_live, LIVE);
        CHECK(!tel_span_recording(&stale));
        for (i = 0; i < LIVE; i++) { tel_span_end(&spans[i]); }
        if (round % 10 == 9) { CHECK_INT(tel_flush(30000), TEL_OK); }
    }
    CHECK_INT(tel_flush(30000), TEL_OK);
    promise_figure("%d spans over the end of the generations: %llu not recorded", LIVE * ROUNDS,
                   (unsigned long long)(LIVE * ROUNDS - recorded));
    CHECK_INT(recorded, LIVE * ROUNDS);
    CHECK_INT(c.spans, LIVE * ROUNDS + 1);
    CHECK_INT(tel_query_stats().dropped[1], 0);
    CHECK_INT(tel_query_stats().spans_live, 0);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(30000), TEL_OK);
    return check_done();
}
