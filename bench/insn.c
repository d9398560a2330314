/* insn.c -- one operation many times, for counting instructions; bench/insn.sh runs it under callgrind.
     insn list            names of the cases and how many operations each runs
     insn NAME            runs one; only what happens inside insn_region is counted
   Single-threaded, without threads of the SDK, so that the counts repeat exactly. */
#define _GNU_SOURCE 1
#include <stdbool.h>
#include "ops.h"

typedef enum setup { SETUP_NONE, SETUP_PLAIN, SETUP_NEVER, SETUP_DISABLED, SETUP_SAMPLED, SETUP_ALL } setup;
typedef struct insn_case { const char* name; bench_body body; uint64_t n; setup setup; } insn_case;

static const tel_batch* encode_batch;
static char             encode_buffer[1024 * 1024];

static void encode(int thread, uint64_t n) {
    (void)thread;
    (void)n;                /* the spans of the batch are the operations */
    if (encode_batch != NULL) {
        tel__text_out out = tel__text_fixed(encode_buffer, sizeof encode_buffer);
        if (tel__otlp_encode(encode_batch, TEL_SIGNAL_SPANS, &out) != TEL_OK || out.lost != 0) { abort(); }
    }
}

static bool discard(const void* data, size_t size, void* user_data) {
    (void)data;
    (void)size;
    (void)user_data;
    return true;
}
static void render(int thread, uint64_t n) {
    tel_writer w;
    (void)thread;
    (void)n;                /* the series are the operations */
    w.write_fn = discard;
    w.user_data = NULL;
    if (tel_prometheus_render(w) != TEL_OK) { abort(); }
}

static const insn_case cases[] = {
    { "loop",                 NULL,              1000, SETUP_NONE },
    { "counter.add",          ops_add,           1000, SETUP_PLAIN },
    { "counter.add.bound",    ops_add_bound,     1000, SETUP_PLAIN },
    { "counter.add.3attrs",   ops_add_3attrs,    1000, SETUP_PLAIN },
    { "counter.add.4096series", ops_add_any,     4096, SETUP_PLAIN },
    { "histogram.record",     ops_record,        4096, SETUP_PLAIN },
    { "histogram.exponential", ops_exponential_record, 4096, SETUP_PLAIN },
    { "histogram.record.3attrs", ops_record_3attrs, 4096, SETUP_PLAIN },
    { "gauge.set",            ops_gauge_set,     1000, SETUP_PLAIN },
    { "exemplars.outside",    ops_record,        4096, SETUP_SAMPLED },
    { "exemplars.inside",     ops_record_inside, 4096, SETUP_SAMPLED },
    { "exemplars.inside.off", ops_record_inside, 4096, SETUP_PLAIN },
    { "exemplars.per_span",   ops_record_spans, 30000, SETUP_SAMPLED },
    { "exemplars.per_span.off", ops_record_spans, 30000, SETUP_PLAIN },
    { "exemplars.all",        ops_record,        4096, SETUP_ALL },
    { "span.0attrs",          ops_span,          1000, SETUP_PLAIN },
    { "span.3attrs",          ops_span_3attrs,   1000, SETUP_PLAIN },
    { "span.scoped",          ops_span_scoped,   1000, SETUP_PLAIN },
    { "hop.tracestate",   ops_hop,           1000, SETUP_PLAIN },
    { "span.notsampled",      ops_span,          1000, SETUP_NEVER },
    { "log.static",           ops_log,           1000, SETUP_PLAIN },
    { "log.3attrs",           ops_log_3attrs,    1000, SETUP_PLAIN },
    { "log.format",           ops_logf,          1000, SETUP_PLAIN },
    { "counter.uninit",       ops_add,           5000, SETUP_NONE },
    { "span.uninit",          ops_span,          5000, SETUP_NONE },
    { "counter.3attrs.uninit", ops_add_3attrs,   5000, SETUP_NONE },
    { "counter.disabled",     ops_add,           5000, SETUP_DISABLED },
    { "span.disabled",        ops_span,          5000, SETUP_DISABLED },
    { "log.disabled",         ops_log,           5000, SETUP_DISABLED },
    { "otlp.json.span",       encode,             512, SETUP_PLAIN },
    { "prometheus.series",    render,            4096, SETUP_PLAIN }
};

static void loop(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) { BENCH_FENCE(); }
}

BENCH_NOINLINE void insn_region(bench_body body, uint64_t n);
BENCH_NOINLINE void insn_region(bench_body body, uint64_t n) {
    body(0, n);
    BENCH_FENCE();
}

/* The spans of one batch, encoded while the sink has them. */
static tel_result encode_export(const tel_batch* batch, void* user_data) {
    (void)user_data;
    if (batch->span_count == 512 && encode_batch == NULL) {
        encode_batch = batch;
        insn_region(encode, 512);
    }
    return TEL_OK;
}

static void run(const insn_case* c) {
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    bench_body body = c->body != NULL ? c->body : loop;
    if (c->setup == SETUP_NEVER) { d.sample_ratio = TEL_NEVER; }
    if (c->setup == SETUP_SAMPLED) { d.exemplars = TEL_EXEMPLARS_SAMPLED; }
    if (c->setup == SETUP_ALL) { d.exemplars = TEL_EXEMPLARS_ALL; }
    if (c->setup == SETUP_DISABLED) { setenv("OTEL_SDK_DISABLED", "true", 1); }
    if (body == encode) { sink.export_fn = encode_export; }
    if (c->setup != SETUP_NONE) { ops_start(&d); }
    if (body == encode) { ops_span_3attrs(0, 512); tel_flush(TEL_FOREVER); }
    else {
        if (body == render) { ops_add_any(0, BENCH_SERIES); }
        body(0, c->n);                              /* first uses are not what is counted */
        if (c->setup != SETUP_NONE) { tel_flush(TEL_FOREVER); }
        insn_region(body, c->n);
    }
    if (c->setup != SETUP_NONE) { tel_shutdown(2000); }
}

int main(int argc, char** argv) {
    bool list = argc == 2 && strcmp(argv[1], "list") == 0;
    size_t i;
    bench_fill_values();
    bench_fill_series();
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (list) { printf("%s %u\n", cases[i].name, (unsigned)cases[i].n); continue; }
        if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) { run(&cases[i]); return 0; }
    }
    return list ? 0 : 2;
}
