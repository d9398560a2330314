/* trace.c PATH -- writes a trace file with all that a trace file has: nested spans of two threads, an error, logs, events, a counter,
   a gauge and a histogram, and two spans that overlap. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <pthread.h>
#include <sys/prctl.h>

static tel_counter served = TEL_INSTRUMENT("shop.served", "{request}", NULL);
static tel_gauge   depth = TEL_INSTRUMENT("shop.depth", "{item}", NULL);
static tel_histogram took = TEL_INSTRUMENT("shop.took", "s", NULL);

static void serve(int i) {
    TEL_SPAN(request, "request") {
        tel_span_set(request, tel_int("i", i));
        TEL_SPAN(query, "query \"x\"\n\xc3\xa4") {
            if (i == 3) { tel_span_status(query, TEL_STATUS_ERROR, "broken"); }
            tel_span_event(query, "retried", TEL_ATTRS(tel_int("times", 2)));
        }
        tel_log(TEL_INFO, "served", TEL_ATTRS(tel_str("text", "a\tb")));
        tel_counter_add(&served, 1);
        tel_gauge_set(&depth, i);
        tel_histogram_record(&took, 0.25);
    }
}
static void* other(void* arg) {
    int i;
    prctl(PR_SET_NAME, "other");
    for (i = 10; i < 13; i++) { serve(i); }
    return arg;
}

int main(int argc, char** argv) {
    tel_trace_desc trace;
    tel_sink sink;
    tel_desc d;
    tel_span first, second;
    pthread_t t;
    int i;
    memset(&trace, 0, sizeof trace);
    memset(&d, 0, sizeof d);
    trace.path = argc > 1 ? argv[1] : NULL;
    sink = tel_sink_trace(&trace);
    d.service_name = "tracer";
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_self_metrics = true;
    if (tel_init(&d) != TEL_OK || pthread_create(&t, NULL, other, NULL) != 0) { return 1; }
    for (i = 0; i < 5; i++) { serve(i); }
    pthread_join(t, NULL);
    first = tel_span_start("first");
    second = tel_span_start("second");
    tel_span_end(&first);
    tel_span_end(&second);
    if (tel_flush(5000) != TEL_OK) { return 1; }
    return tel_shutdown(5000) == TEL_OK ? 0 : 1;
}
