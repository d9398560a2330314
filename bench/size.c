/* size.c -- the quickstart, for its memory and its code; with -DPLAIN the same program without telemetry; with
   -DTEL_NO_SINK_TYPES and -DONE_SINK=CALL with the sink that this call makes.
   Prints the resident memory in KiB when everything has been used once. */
#include <stdio.h>
#include <string.h>
#ifndef PLAIN
#define TELEMETRY_IMPLEMENTATION
#include "../telemetry.h"

static tel_counter   orders = TEL_INSTRUMENT("shop.orders", "{order}", "Orders placed");
static tel_histogram latency = TEL_INSTRUMENT("shop.latency", "s", "Time of an order");

static void start(void) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.service_name = "shop";
#ifdef ALL_SINKS
    {
        static tel_memory memory;
        tel_sink sinks[5];
        sinks[0] = tel_sink_otlp(NULL);
        sinks[1] = tel_sink_prometheus(NULL);
        sinks[2] = tel_sink_jsonl(NULL);
        sinks[3] = tel_sink_console(NULL);
        sinks[4] = tel_sink_memory(&memory);
        d.sinks = sinks;
        d.sink_count = 5;
        (void)tel_init(&d);
        return;
    }
#else
#ifdef ONE_SINK
    static tel_sink sink;
    sink = ONE_SINK;
    d.sinks = &sink;
    d.sink_count = 1;
#endif
    (void)tel_init(&d);
#endif
}

static void work(void) {
    TEL_SPAN(span, "checkout") {
        tel_counter_add(&orders, 1);
        tel_histogram_record(&latency, 0.012);
        tel_span_set(span, tel_int("cart.items", 3));
        tel_logf(TEL_INFO, "order %d placed", 42);
    }
    (void)tel_flush(300);
}
static void stop(void) { (void)tel_shutdown(300); }
#else
static void start(void) {}
static void work(void) {}
static void stop(void) {}
#endif

static long resident(void) {
    long kib = -1;
    char line[128];
    FILE* f = fopen("/proc/self/smaps_rollup", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "Rss: %ld kB", &kib) == 1) { break; }
    }
    if (f != NULL) { fclose(f); }
    return kib;
}

int main(void) {
    start();
    work();
    printf("%ld\n", resident());
    stop();
    return 0;
}
