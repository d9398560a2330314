/* client.c ENDPOINT RECORDS OVER_MS SHUTDOWN_MS [pump] -- records logs named id=N; over a while, shuts down, and prints the final
   books of the sink and how long the shutdown took, as one line of numbers for run.py. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>
#include <stdlib.h>

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char** argv) {
    tel_otlp_desc o;
    tel_sink sink;
    tel_desc d;
    tel_stats s;
    tel_result r;
    int i, n = argc > 2 ? atoi(argv[2]) : 0, over_ms = argc > 3 ? atoi(argv[3]) : 0;
    uint32_t shutdown_ms = argc > 4 ? (uint32_t)atoi(argv[4]) : 0;
    double begun, took, pump_most = 0;
    if (n <= 0) { return 2; }
    memset(&o, 0, sizeof o);
    memset(&d, 0, sizeof d);
    o.endpoint = argv[1];
    o.timeout_ms = 3000;
    sink = tel_sink_otlp(&o);
    sink.signal_mask = TEL_SIGNAL_LOGS;
    d.service_name = "faults";
    d.sinks = &sink;
    d.sink_count = 1;
    d.batch_interval_ms = 50;
    d.no_self_metrics = true;
    d.no_thread = argc > 5 && strcmp(argv[5], "pump") == 0;
    r = tel_init(&d);
    if (r != TEL_OK) { printf("init %s\n", tel_result_string(r)); return 3; }
    for (i = 0; i < n; i++) {
        struct timespec t = { 0, (long)over_ms * 1000000L / n };
        tel_logf(TEL_INFO, "id=%d;", i);
        if (d.no_thread) {
            double before = now_s();
            tel_pump(10);
            if (now_s() - before > pump_most) { pump_most = now_s() - before; }
        }
        nanosleep(&t, NULL);
    }
    begun = now_s();
    r = tel_shutdown(shutdown_ms);
    took = now_s() - begun;
    s = tel_query_stats();
    printf("recorded %llu delivered %llu failed %llu dropped %llu queued %llu result %d took %.3f pump %.3f\n",
           (unsigned long long)s.recorded[2], (unsigned long long)s.exported[2], (unsigned long long)s.failed[2],
           (unsigned long long)s.dropped[2], (unsigned long long)s.queued[2], (int)r, took, pump_most);
    return 0;
}
