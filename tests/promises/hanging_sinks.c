/* Sixteen OTLP sinks whose receivers hang: tel_shutdown(500) comes back in time, and its books say what was lost. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "promise.h"

#define SINKS 16

int main(void) {
    static promise_receiver hole;
    tel_otlp_desc otlp;
    tel_sink sinks[SINKS];
    tel_desc d;
    tel_stats s;
    char url[64];
    double begin, took;
    int i;
    capture_watchdog(120);
    where = "hanging sinks";
    CHECK(promise_receive(&hole, PROMISE_HANGS));
    snprintf(url, sizeof url, "http://127.0.0.1:%u", hole.port);
    memset(&otlp, 0, sizeof otlp);
    otlp.endpoint = url;
    for (i = 0; i < SINKS; i++) { sinks[i] = tel_sink_otlp(&otlp); }
    d = promise_desc(sinks, SINKS);
    d.ignore_env = true;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 1000; i++) {
        TEL_SPAN(span, "work") { tel_log(TEL_INFO, "line", TEL_NOATTRS); }
    }
    promise_sleep(100);
    begin = promise_ms();
    CHECK_INT(tel_shutdown(500), TEL_ERR_TIMEOUT);
    took = promise_ms() - begin;
    promise_figure("%d hanging sinks: tel_shutdown(500) after %.0f ms", SINKS, took);
    CHECK(took <= promise_either(2500, 550));
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], 1000);
    CHECK_INT(s.exported[1], 0);
    CHECK_INT(s.queued[1], 0);
    CHECK_INT(s.dropped[1] * SINKS + s.failed[1], 1000 * SINKS);
    return check_done();
}
