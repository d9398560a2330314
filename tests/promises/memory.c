/* With everything switched on, at every limit: each record of a metric counts, in its series, in the overflow series, or lost
   where it shows; a metric that is new at the limit has its overflow series; and what is recorded while there is room arrives in
   every sink. Under a limit that cannot hold what is asked for, tel_init says which fields ask for how much. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "promise.h"

#define SETS 4000
static tel_counter requests = TEL_INSTRUMENT("memory.requests", "{request}", NULL);
static tel_histogram times = TEL_INSTRUMENT("memory.times", "s", NULL);
static tel_counter late = TEL_INSTRUMENT("memory.late", "{request}", NULL);
typedef struct sums { uint64_t own, overflow, times, late; } sums;

static tel_result add_up(const tel_batch* batch, void* user_data) {
    sums* s = (sums*)user_data;
    size_t i, j;
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* m = &batch->metrics[i];
        for (j = 0; j < m->point_count; j++) {
            const tel_point* p = &m->points[j];
            bool over = p->attrs.count == 1 && strcmp(p->attrs.items[0].key, "otel.metric.overflow") == 0;
            if (strcmp(m->name.data, "memory.requests") == 0) { *(over ? &s->overflow : &s->own) += (uint64_t)p->i; }
            if (strcmp(m->name.data, "memory.times") == 0) { s->times += p->count; }
            if (strcmp(m->name.data, "memory.late") == 0) { s->late += (uint64_t)p->i; }
        }
    }
    return TEL_OK;
}
static bool swallow(const void* data, size_t size, void* user_data) {
    (void)data;
    (void)size;
    (void)user_data;
    return true;
}

/* Five sinks, the scrape endpoint with queries and ingest among them; the newest records, exemplars, metrics of the process. */
static void start(size_t limit, const promise_receiver* r, tel_memory* store) {
    tel_sink sinks[5], *s = sinks;
    tel_otlp_desc otlp;
    tel_listener_desc listener;
    tel_writer writer;
    tel_desc d;
    char url[64];
    memset(&otlp, 0, sizeof otlp);
    memset(&listener, 0, sizeof listener);
    memset(&writer, 0, sizeof writer);
    memset(store, 0, sizeof *store);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", r->port);
    otlp.endpoint = url;
    listener.metrics.host = "127.0.0.1";
    listener.metrics.port = TEL_ANY_PORT;
    listener.query = listener.ingest = true;
    writer.write_fn = swallow;
    *s++ = tel_sink_otlp(&otlp);
    *s++ = tel_sink_listener(&listener);
    *s++ = tel_sink_jsonl(&writer);
    *s++ = tel_sink_console(&writer);
    *s++ = tel_sink_memory(store);
    d = promise_desc(sinks, 5);
    d.ignore_env = d.process_metrics = true;
    d.memory_limit = limit;
    d.recent_bytes = limit / 8;
    d.batch_interval_ms = 20;
    d.exemplars = TEL_EXEMPLARS_ALL;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
}

/* Waits until every sink has what was recorded, so that nothing has to be dropped for want of time. */
static void settle(void) {
    uint64_t queued;
    do {
        ledger b = ledger_read();
        size_t i;
        queued = b.all.queued[1] + b.all.queued[2];
        for (i = 0; i < b.sinks; i++) { queued += b.sink[i].queued[1] + b.sink[i].queued[2]; }
        if (queued) { promise_sleep(1); }
    } while (queued);
}
static uint64_t record(void) {
    uint64_t records = 0;
    int i;
    for (i = 0; i < SETS; i++) {
        TEL_SPAN(s, "work") {
            tel_span_set(s, tel_int("i", i));
            tel_counter_add_with(&requests, 1, TEL_ATTRS(tel_int("user.id", i)));
            tel_histogram_record_with(&times, i * 0.001, TEL_ATTRS(tel_int("user.id", i)));
            tel_logf(TEL_INFO, "line %d", i);
        }
        records++;
        if (i % 100 == 99) { settle(); }
    }
    for (i = 0; i < 10; i++) { tel_counter_add(&late, 1); }
    return records;
}

static void everything(size_t limit, promise_receiver* r) {
    tel_memory store;
    tel_sink pull;
    tel_stats q;
    ledger b;
    sums s;
    uint64_t n, most = 0;
    size_t i;
    memset(&s, 0, sizeof s);
    memset(&pull, 0, sizeof pull);
    pull.export_fn = add_up;
    pull.user_data = &s;
    start(limit, r, &store);
    n = record();
    CHECK_INT(tel_collect(&pull), TEL_OK);
    q = tel_query_stats();
    CHECK_INT(s.own + s.overflow + q.dropped[0], n);
    CHECK_INT(s.times, n);
    CHECK_INT(s.late, 10);
    CHECK(s.own > 0);
    tel_flush(30000);
    b = ledger_read();
    for (i = 0; i < b.sinks; i++) {
        if (strcmp(b.sink[i].name, "prometheus_http_text_exporter") == 0) { continue; }
        CHECK_INT(b.sink[i].delivered[1], n);
        CHECK_INT(b.sink[i].delivered[2], n);
        CHECK(b.sink[i].delivered[0] > 0);
        if (b.sink[i].dropped_failed[0] > most) { most = b.sink[i].dropped_failed[0]; }
    }
    CHECK_INT(b.sinks, 5);
    CHECK_INT(b.all.dropped[1] + b.all.dropped[2], 0);
    CHECK(b.all.bytes_allocated <= limit);
    promise_figure("everything on under %d MiB: %llu of %llu spans and log records in every sink; of %llu sets %llu have series, "
                   "%llu points of metrics lost at most by one sink", (int)(limit >> 20), (unsigned long long)n,
                   (unsigned long long)n, (unsigned long long)n, (unsigned long long)s.own, (unsigned long long)most);
    tel_shutdown(30000);
    tel_memory_clear(&store);
}

static void too_small(void) {
    tel_desc d = promise_desc(NULL, 0);
    tel_processor tail;
    d.ignore_env = true;
    d.exporters = "none";
    d.memory_limit = 1u << 20;
    d.ring_bytes = 1u << 19;
    d.recent_bytes = 1u << 19;
    d.diag.report_fn = hear;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_ERR_MEMORY);
    CHECK(heard("of 1048576 bytes ring_bytes takes 524288, max_live_spans 131072, recent_bytes 524288"));
    hear_reset();
    d.recent_bytes = 1u << 18;          /* this fits, but leaves less than a quarter for delivery */
    d.max_live_spans = 16;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK(heard("max_live_spans 8192, recent_bytes 262144, so delivery has "));
    CHECK(heard(" instead of 262144"));
    hear_reset();
    tel_shutdown(1000);
    d.ring_bytes = d.max_live_spans = 0;
    d.recent_bytes = 0;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK(!heard("delivery"));
    tel_shutdown(1000);
    tail = tel_processor_tail(500, 0);  /* its default fits as well, and leaves delivery its quarter */
    d.processors = &tail;
    d.processor_count = 1;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK(!heard("delivery"));
    tel_shutdown(1000);
}

int main(void) {
    static promise_receiver r;
    static const size_t limits[] = { 16, 8, 4, 2, 1 };
    size_t i;
    capture_watchdog(200);
    CHECK(promise_receive(&r, PROMISE_ANSWERS));
    where = "too small";
    too_small();
    for (i = 0; i < 5; i++) {
        where = "memory";
        everything(limits[i] << 20, &r);
    }
    return check_done();
}
