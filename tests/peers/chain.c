/* chain.c URL1 URL2 fallback|use -- two threads that record spans, logs and a counter without a pause, for chain_job.sh, into two
   Collectors: one behind the other (tel_sink_fallback), or switched by the lines "use one" and "use two" (tel_sink_use). Another
   line ends it. It prints how many it has recorded, the result of the shutdown, and how many were delivered and lost. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <pthread.h>
#include <stdio.h>
#include <time.h>

static uint64_t recorded;
static uint32_t ended;
static tel_counter calls = TEL_INSTRUMENT("chain.calls", NULL, NULL);

static void* record(void* arg) {
    const struct timespec pause = { 0, 2000000 };
    while (!__atomic_load_n(&ended, __ATOMIC_RELAXED)) {
        int i;
        for (i = 0; i < 10; i++) {
            int64_t n = (int64_t)__atomic_fetch_add(&recorded, 1, __ATOMIC_RELAXED);
            tel_span s = tel_span_start("chained");
            tel_span_set(&s, tel_int("n", n));
            tel_span_end(&s);
            tel_log(TEL_INFO, "chained", TEL_ATTRS(tel_int("n", n)));
            tel_counter_add(&calls, 1);
        }
        nanosleep(&pause, NULL);
    }
    return arg;
}

int main(int argc, char** argv) {
    static const char* const names[2] = { "one", "two" };
    tel_sink sinks[2], chain;
    pthread_t threads[2];
    tel_otlp_desc o;
    tel_desc desc;
    tel_stats stats;
    tel_result r;
    char line[16];
    bool use = argc == 4 && strcmp(argv[3], "use") == 0;
    int i;
    if (argc != 4) { return 2; }
    memset(&o, 0, sizeof o);
    memset(&desc, 0, sizeof desc);
    o.breaker_failures = 2;
    o.breaker_ms = o.retry_most_ms = 300;
    o.retry_first_ms = 100;
    for (i = 0; i < 2; i++) {
        o.endpoint = argv[1 + i];
        o.protocol = i ? "http/json" : "http/protobuf";
        sinks[i] = tel_sink_otlp(&o);
        sinks[i].name = names[i];
        sinks[i].temporality = TEL_TEMPORALITY_DELTA;
    }
    chain = tel_sink_fallback("chain", sinks, 2);
    desc.sinks = use ? sinks : &chain;
    desc.sink_count = use ? 2 : 1;
    desc.batch_interval_ms = desc.metric_interval_ms = 100;
    desc.no_self_metrics = true;
    if (tel_init(&desc) != TEL_OK || (use && tel_sink_use("one") != TEL_OK)) { return 1; }
    for (i = 0; i < 2; i++) { if (pthread_create(&threads[i], NULL, record, NULL) != 0) { return 1; } }
    while (fgets(line, sizeof line, stdin) && strncmp(line, "use ", 4) == 0) {
        line[strcspn(line, "\n")] = '\0';
        if (tel_sink_use(line + 4) != TEL_OK) { return 1; }
    }
    __atomic_store_n(&ended, 1, __ATOMIC_RELAXED);
    for (i = 0; i < 2; i++) { pthread_join(threads[i], NULL); }
    r = tel_shutdown(20000);
    stats = tel_query_stats();
    printf("%d %d %d %d %d\n", (int)recorded, (int)r, (int)stats.exported[1], (int)stats.exported[2],
           (int)(stats.failed[0] + stats.failed[1] + stats.failed[2] + stats.dropped[1] + stats.dropped[2]));
    return 0;
}
