/* Threads that end together take nothing with them: 64 of them, 100 spans each, as at the end of a parallel loop. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "promise.h"

#define THREADS 64
#define EACH    100
#define ROUNDS  5
static pthread_barrier_t begin;

static void* work(void* arg) {
    int i;
    pthread_barrier_wait(&begin);
    for (i = 0; i < EACH; i++) {
        TEL_SPAN(s, "job") { tel_span_set(s, tel_int("i", i)); }
    }
    return arg;
}

int main(void) {
    static capture c;
    tel_sink sink;
    tel_desc d;
    pthread_t t[THREADS];
    uint64_t want = (uint64_t)THREADS * EACH * ROUNDS;
    int i, round;
    capture_watchdog(120);
    where = "ends";
    capture_init(&c);
    sink = capture_sink(&c);
    d = promise_desc(&sink, 1);
    d.ignore_env = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    promise_sleep(300);
    pthread_barrier_init(&begin, NULL, THREADS);
    for (round = 0; round < ROUNDS; round++) {
        for (i = 0; i < THREADS; i++) { CHECK_INT(pthread_create(&t[i], NULL, work, NULL), 0); }
        for (i = 0; i < THREADS; i++) { pthread_join(t[i], NULL); }
        promise_sleep(300);
    }
    CHECK_INT(tel_flush(30000), TEL_OK);
    promise_figure("%d x %d threads that end with %d spans each: %llu of %llu lost", ROUNDS, THREADS, EACH,
                   (unsigned long long)(want - c.spans), (unsigned long long)want);
    CHECK_INT(tel_query_stats().recorded[1], want);
    CHECK_INT(tel_query_stats().dropped[1], 0);
    CHECK_INT(c.spans, want);
    CHECK_INT(tel_query_stats().threads, 0);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(30000), TEL_OK);
    return check_done();
}
