/* Every sink has an interval of its own: one that collects often does not make another one collect as often, a flush brings a
   collection to all, and increments that a sink was not given meanwhile reach it with its next collection. What is due is also
   collected while the last flush waits for a sink that cannot deliver its records. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdlib.h>

static tel_counter hits = TEL_INSTRUMENT("hits", NULL, NULL);
typedef struct reading { int collections; int64_t sum; uint64_t deadline; } reading;

static tel_result take(const tel_batch* b, void* user_data) {
    reading* r = (reading*)user_data;
    size_t i, k;
    if (b->last) { r->collections++; }
    for (i = 0; i < b->metric_count; i++) {
        for (k = 0; k < b->metrics[i].point_count; k++) { r->sum += b->metrics[i].points[k].i; }
    }
    return TEL_OK;
}

/* Nothing of it is delivered before the metrics have been collected, and nobody asks for that but their interval. */
static tel_result deliver(uint32_t timeout_ms, void* user_data) {
    (void)timeout_ms;
    return ((reading*)user_data)->collections > 0 ? TEL_OK : TEL_ERR_TIMEOUT;
}
static tel_result keep(const tel_batch* b, void* user_data) { (void)b; (void)user_data; return TEL_OK; }

static void last_flush(void) {
    reading r;
    tel_sink sinks[2];
    tel_desc d;
    memset(&r, 0, sizeof r);
    memset(sinks, 0, sizeof sinks);
    memset(&d, 0, sizeof d);
    sinks[0].name = "metrics";
    sinks[0].signal_mask = TEL_SIGNAL_METRICS;
    sinks[0].export_fn = take;
    sinks[0].user_data = &r;
    sinks[1].name = "slow";
    sinks[1].signal_mask = TEL_SIGNAL_LOGS;
    sinks[1].export_fn = keep;
    sinks[1].flush_fn = deliver;
    sinks[1].user_data = &r;
    d.sinks = sinks;
    d.sink_count = 2;
    d.metric_interval_ms = 100;
    d.no_thread = d.ignore_env = d.no_self_metrics = true;
    CHECK(tel_init(&d) == TEL_OK);
    tel_log(TEL_INFO, "line", TEL_NOATTRS);
    tel_counter_add(&hits, 1);
    CHECK(tel_shutdown(10000) == TEL_OK);
    CHECK(r.collections >= 2);              /* one that was due, and the last one */
}

int main(void) {
    reading often, seldom;
    tel_sink sinks[2];
    tel_sink_stats stats;
    tel_desc d;
    int i, begun;
    memset(&often, 0, sizeof often);
    memset(&seldom, 0, sizeof seldom);
    memset(sinks, 0, sizeof sinks);
    memset(&d, 0, sizeof d);
    for (i = 0; i < 2; i++) {
        sinks[i].name = i ? "seldom" : "often";
        sinks[i].signal_mask = TEL_SIGNAL_METRICS;
        sinks[i].export_fn = take;
        sinks[i].user_data = i ? &seldom : &often;
        sinks[i].temporality = TEL_TEMPORALITY_DELTA;
        sinks[i].metric_interval_ms = i ? 3600000 : 1;
    }
    d.sinks = sinks;
    d.sink_count = 2;
    d.metric_interval_ms = 1800000;
    d.no_thread = d.ignore_env = d.no_self_metrics = true;
    CHECK(tel_init(&d) == TEL_OK);
    for (i = 0; i < 100000000 && often.collections < 5; i++) {
        tel_counter_add(&hits, 1);
        CHECK(tel_pump(1000) == TEL_OK);
    }
    CHECK(often.collections >= 5 && often.sum > 0);
    CHECK_INT(seldom.collections, 0);
    CHECK(tel_query_sink(1, &stats) && stats.skipped[0] > 0 && stats.dropped_full[0] + stats.dropped_failed[0] == 0);
    begun = often.collections;
    CHECK(tel_flush(60000) == TEL_OK);
    CHECK_INT(seldom.collections, 1);
    CHECK(often.collections > begun);
    CHECK(seldom.sum == often.sum && seldom.sum == i);
    CHECK(tel_shutdown(60000) == TEL_OK);
    last_flush();
    return check_done();
}
