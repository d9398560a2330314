/* ops.h -- what is measured: one loop per operation of the header, shared by bench.c (time) and insn.c
   (instructions). Public functions are kept out of line, as they are for every file of a program but the one
   that holds the implementation. */
#ifndef BENCH_OPS_H
#define BENCH_OPS_H

#if defined(__clang__)
#define TEL_API extern __attribute__((noinline))
#else
#define TEL_API extern __attribute__((noipa))
#endif
#define TEL_API_DATA extern
#define TELEMETRY_IMPLEMENTATION
#include "../telemetry.h"
#include "measure.h"

static tel_counter ops_counter = TEL_INSTRUMENT("bench.counter", "{call}", "Plain counter");
static tel_counter ops_labelled = TEL_INSTRUMENT("bench.labelled", "{call}", "Counter with attributes");
static tel_counter ops_many = TEL_INSTRUMENT("bench.many", "{call}", "Counter of 4096 series");
static tel_gauge   ops_gauge = TEL_INSTRUMENT("bench.gauge", "1", "Gauge");
static const tel_metric_options ops_histogram_options = { NULL, bench_bounds, 15, false, false, 0, 0 };
static tel_histogram ops_histogram =
    TEL_INSTRUMENT_OPT("bench.histogram", "ms", "Histogram of 15 bounds", &ops_histogram_options);
static tel_counter*   ops_bound;
static const tel_metric_options ops_exponential_options = { NULL, NULL, 0, true, false, 0, 0 };
static tel_histogram ops_exponential =
    TEL_INSTRUMENT_OPT("bench.exponential", "ms", "Histogram of 160 buckets", &ops_exponential_options);
static tel_histogram* ops_bound_histogram;

#define OPS_ATTRS                                                                                             \
    TEL_ATTRS(tel_str("http.route", "/cart"), tel_int("http.response.status_code", 200),                      \
              tel_str("http.request.method", "GET"))
#define OPS_BODY "order placed and confirmed today"

/* A loop over n operations; `i` counts them. */
#define OPS_LOOP(name, operation)                                                                             \
    BENCH_UNUSED static void name(int thread, uint64_t n) {                                                   \
        (void)thread;                                                                                         \
        for (uint64_t i = 0; i < n; i++) {                                                                    \
            operation;                                                                                        \
            BENCH_FENCE();                                                                                    \
        }                                                                                                     \
    }

/* ---- metrics ---- */

OPS_LOOP(ops_add,          tel_counter_add(&ops_counter, 1))
OPS_LOOP(ops_add_bound,    tel_counter_add(ops_bound, 1))
OPS_LOOP(ops_add_3attrs,   tel_counter_add_with(&ops_labelled, 1, OPS_ATTRS))
#define OPS_DEFINED "bench.defined.requests_total"
#define OPS_MUTED   "bench.defined.muted_total"
OPS_LOOP(ops_by_name,        tel_record(OPS_DEFINED, 1, TEL_NOATTRS))
OPS_LOOP(ops_by_name_3attrs, tel_record(OPS_DEFINED, 1, OPS_ATTRS))
OPS_LOOP(ops_by_name_muted,  tel_record(OPS_MUTED, 1, OPS_ATTRS))
OPS_LOOP(ops_record,       tel_histogram_record(&ops_histogram, bench_values[i & (BENCH_VALUES - 1)]))
OPS_LOOP(ops_exponential_record, tel_histogram_record(&ops_exponential, bench_values[i & (BENCH_VALUES - 1)]))
OPS_LOOP(ops_record_bound, tel_histogram_record(ops_bound_histogram, bench_values[i & (BENCH_VALUES - 1)]))
OPS_LOOP(ops_record_3attrs,
         tel_histogram_record_with(&ops_histogram, bench_values[i & (BENCH_VALUES - 1)], OPS_ATTRS))
OPS_LOOP(ops_gauge_set,    tel_gauge_set(&ops_gauge, (double)i))

/* What exemplars cost: all records in one span that lasts, and one record in each span. */
BENCH_UNUSED static void ops_record_inside(int thread, uint64_t n) {
    TEL_SPAN(s, "work") {
        BENCH_KEEP(s);
        ops_record(thread, n);
    }
}
BENCH_UNUSED static void ops_record_spans(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) {
        TEL_SPAN(s, "work") {
            BENCH_KEEP(s);
            tel_histogram_record(&ops_histogram, bench_values[i & (BENCH_VALUES - 1)]);
        }
        BENCH_FENCE();
    }
}

/* Attribute values that the compiler cannot know, in an order that no cache of the last hit can follow. */
BENCH_UNUSED static void ops_add_any(int thread, uint64_t n) {
    uint32_t at = (uint32_t)thread * (BENCH_SERIES / BENCH_THREADS);
    for (uint64_t i = 0; i < n; i++) {
        uint32_t k = bench_order[(at + (uint32_t)i) & (BENCH_SERIES - 1)];
        tel_counter_add_with(&ops_many, 1,
            TEL_ATTRS(tel_str("http.route", bench_routes[k & 15]),
                      tel_str("http.response.status_code", bench_codes[(k >> 4) & 15]),
                      tel_str("server.address", bench_hosts[k >> 8])));
        BENCH_FENCE();
    }
}

/* ---- spans ---- */

BENCH_UNUSED static void ops_span(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) {
        tel_span s = tel_span_start("work");
        tel_span_end(&s);
        BENCH_FENCE();
    }
}

BENCH_UNUSED static void ops_span_shared(int thread, uint64_t n) {
    tel_span_desc d;
    (void)thread;
    memset(&d, 0, sizeof d);
    d.name = "work";
    d.shared = true;
    for (uint64_t i = 0; i < n; i++) {
        tel_span s = tel_span_start_ex(&d);
        tel_span_end(&s);
        BENCH_FENCE();
    }
}

BENCH_UNUSED static void ops_span_3attrs(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) {
        tel_span s = tel_span_start("work");
        tel_span_set_all(&s, OPS_ATTRS);
        tel_span_end(&s);
        BENCH_FENCE();
    }
}

BENCH_UNUSED static void ops_span_3sets(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) {
        tel_span s = tel_span_start("work");
        tel_span_set(&s, tel_str("http.route", "/cart"));
        tel_span_set(&s, tel_int("http.response.status_code", 200));
        tel_span_set(&s, tel_str("http.request.method", "GET"));
        tel_span_end(&s);
        BENCH_FENCE();
    }
}

BENCH_UNUSED static void ops_span_scoped(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) {
        TEL_SPAN(s, "work") { BENCH_KEEP(s); }
        BENCH_FENCE();
    }
}

/* One hop: a request comes in with a traceparent and a tracestate, has a span, and causes another. */
static tel_text ops_hop_get(const char* key, void* user_data) {
    static const char parent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    static const char state[] = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7";
    tel_text text = { NULL, 0 };
    (void)user_data;
    if (key[0] != 't') { return text; }             /* no baggage */
    text.data = key[5] == 'p' ? parent : state;
    text.size = (key[5] == 'p' ? sizeof parent : sizeof state) - 1;
    return text;
}
static void ops_hop_set(const char* key, const char* value, void* user_data) {
    (void)user_data;
    BENCH_KEEP(key);
    BENCH_KEEP(value);
}
BENCH_UNUSED static void ops_hop(int thread, uint64_t n) {
    static const tel_carrier carrier = { ops_hop_set, ops_hop_get, NULL, NULL, NULL };
    (void)thread;
    for (uint64_t i = 0; i < n; i++) {
        tel_context from = tel_extract(&carrier);
        tel_span_desc d;
        tel_span s;
        memset(&d, 0, sizeof d);
        d.name = "work";
        d.parent = &from;
        s = tel_span_start_ex(&d);
        (void)tel_inject(&s.context, &carrier);
        tel_span_end(&s);
        BENCH_FENCE();
    }
}

/* ---- logs ---- */

OPS_LOOP(ops_log,        tel_log(TEL_INFO, OPS_BODY, TEL_NOATTRS))
OPS_LOOP(ops_log_3attrs, tel_log(TEL_INFO, OPS_BODY, OPS_ATTRS))
OPS_LOOP(ops_logf,       tel_logf(TEL_INFO, "cart %s has %d items", "basket", (int)i))

/* ---- setup ---- */

static uint64_t ops_exported[2];        /* spans, logs */

BENCH_UNUSED static tel_result ops_discard(const tel_batch* batch, void* user_data) {
    (void)user_data;
    ops_exported[0] += batch->span_count;
    ops_exported[1] += batch->log_count;
    return TEL_OK;
}

/* No thread of the SDK's own and one sink that discards. The queues are as long as those given to the peers: a
   burst of four threads is more than the 2048 records of the specification's default. */
BENCH_UNUSED static tel_desc ops_desc(tel_sink* sink) {
    tel_desc d;
    setenv("OTEL_BSP_MAX_QUEUE_SIZE", "262144", 1);
    setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "262144", 1);
    memset(sink, 0, sizeof *sink);
    sink->name = "discard";
    sink->export_fn = ops_discard;
    memset(&d, 0, sizeof d);
    d.service_name = "bench";
    d.sinks = sink;
    d.sink_count = 1;
    d.max_series = 5000;
    d.metric_interval_ms = 3600000;
    d.no_thread = true;
    d.no_atexit = true;
    return d;
}

BENCH_UNUSED static void ops_start(const tel_desc* d) {
    tel_result r = tel_init(d);
    if (r != TEL_OK) {
        fprintf(stderr, "bench: tel_init: %s\n", tel_result_string(r));
        exit(1);
    }
    ops_bound = tel_counter_bind(&ops_labelled, OPS_ATTRS);
    ops_bound_histogram = tel_histogram_bind(&ops_histogram, OPS_ATTRS);
}

#endif
