/* threads.c -- four threads on one counter and one histogram. Each thread writes cells of its own, without a lock;
   a collection adds them up, and the totals are exact.

   build    cc -I. examples/threads.c -pthread -o threads

   expected
     requests  400000
     latency   400000 values, sum 200000
     exact
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 100000 };

static tel_counter   requests = TEL_INSTRUMENT("requests", "{request}", "Requests served");
static tel_histogram latency  = TEL_INSTRUMENT("latency", "s", "Time to serve");

typedef struct totals { int64_t requests; uint64_t count; double sum; } totals;

static void* serve(void* arg) {
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        tel_counter_add(&requests, 1);
        tel_histogram_record(&latency, 0.5);
    }
    return NULL;
}

/* A collection arrives like any other export; this sink keeps the two sums. */
static tel_result keep(const tel_batch* b, void* user_data) {
    totals* t = (totals*)user_data;
    for (size_t i = 0; i < b->metric_count; i++) {
        const tel_metric_view* m = &b->metrics[i];
        for (size_t k = 0; k < m->point_count; k++) {
            if (strcmp(m->name.data, "requests") == 0) { t->requests += m->points[k].i; }
            if (strcmp(m->name.data, "latency") == 0) {
                t->count += m->points[k].count;
                t->sum += m->points[k].d;
            }
        }
    }
    return TEL_OK;
}

int main(void) {
    totals t = { 0, 0, 0 };
    tel_sink sink = { .name = "totals", .signal_mask = TEL_SIGNAL_PULL, .export_fn = keep, .user_data = &t };
    tel_desc desc = { .service_name = "threads", .sinks = &sink, .sink_count = 1 };
    pthread_t threads[THREADS];
    bool exact;
    if (tel_init(&desc) != TEL_OK) { return 1; }

    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, serve, NULL) != 0) { return 1; }
    }
    for (int i = 0; i < THREADS; i++) { pthread_join(threads[i], NULL); }

    if (tel_collect(&sink) != TEL_OK) { return 1; }
    tel_shutdown(2000);
    printf("requests  %lld\n", (long long)t.requests);
    printf("latency   %llu values, sum %g\n", (unsigned long long)t.count, t.sum);
    exact = t.requests == THREADS * ROUNDS && t.count == THREADS * ROUNDS && t.sum == THREADS * ROUNDS * 0.5;
    puts(exact ? "exact" : "NOT exact");
    return exact ? 0 : 1;
}
