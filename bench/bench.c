/* bench.c -- what each operation of telemetry.h costs, beside the least that this machine could do it for.
     cc -O2 -pthread -o bench bench.c && ./bench
     ./bench --tsv            name, value, unit, floor, peer, value of the peer: one line per figure
     ./bench --reps 41        repetitions of each figure (default 21)
     ./bench --only span      only the figures whose names start so, and their floors
   bench/run.sh does the same and adds the peers, sizes and compile times. Each group of figures runs in a child of
   its own, so that each starts with an SDK that was never initialised. Figures of four threads need four cpus:
   on fewer the threads would mostly wait for each other. POSIX only. */
#define _GNU_SOURCE 1
#include <stdbool.h>
#include "ops.h"
#include "floors.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIGURES_MAX 200

typedef struct figure {
    char name[48], unit[12], floor[32];
    double min, median;
} figure;

static figure      figures[FIGURES_MAX];
static int         figure_count;
static const char* only = "";
static FILE*       report;              /* of a group: the pipe to the parent */

/* ---- reporting, in a group's child ---- */

/* The floors are measured last, when it is known which of them the other figures need. */
static bool wanted(const char* name) {
    int i;
    if (strncmp(name, only, strlen(only)) == 0) { return true; }
    for (i = 0; i < figure_count; i++) {
        if (strcmp(figures[i].floor, name) == 0) { return true; }
    }
    return false;
}

static void report_figure(const char* name, bench_result r, const char* unit, const char* floor) {
    fprintf(report, "%s\t%.17g\t%.17g\t%s\t%s\n", name, r.min, r.median, unit, floor);
    fflush(report);
}

static void report_value(const char* name, double v, const char* unit, const char* floor) {
    bench_result r;
    r.min = r.median = v;
    if (wanted(name)) { report_figure(name, r, unit, floor); }
}

static bench_result scaled(bench_result r, double by) {
    r.min *= by;
    r.median *= by;
    return r;
}

/* `name` gets the suffix .1t or .4t, and so does the name of its floor. */
static void figure_of(const char* name, const char* floor, int threads, bench_body body, uint64_t burst,
                      void (*between)(void)) {
    char full[48], limit[48];
    snprintf(full, sizeof full, "%s.%dt", name, threads);
    snprintf(limit, sizeof limit, "%s.%dt", floor, threads);
    if (!wanted(full) || (threads > 1 && bench_cpus[threads - 1] < 0)) { return; }
    report_figure(full, bench_measure(body, threads, burst, between), "ns", floor[0] == '-' ? "-" : limit);
}

static void both(const char* name, const char* floor, bench_body body, uint64_t burst, void (*between)(void)) {
    figure_of(name, floor, 1, body, burst, between);
    figure_of(name, floor, BENCH_THREADS, body, burst, between);
}

/* So many records fit the default ring of 256 KiB at up to 250 bytes each. */
#define BURST 1000

/* ---- groups ---- */

static void group_floors(void) {
    floor_fill_sets();
    both("floor.loop", "-", floor_loop, 0, NULL);
    both("floor.tls", "-", floor_tls, 0, NULL);
    both("floor.shard", "-", floor_shard_loop, 0, NULL);
    both("floor.xadd", "-", floor_xadd, 0, NULL);
    figure_of("floor.store", "-", 1, floor_store, 0, NULL);
    both("floor.disabled", "-", floor_disabled, 0, NULL);
    both("floor.site", "-", floor_site_loop, 0, NULL);
    figure_of("floor.probe.hot", "-", 1, floor_probe_hot, 0, NULL);
    both("floor.probe.4096", "-", floor_probe_any, 0, NULL);
    both("floor.histogram", "-", floor_histogram, 0, NULL);
    both("floor.exponential", "-", floor_exponential, 0, NULL);
    figure_of("floor.tsc", "-", 1, floor_tsc, 0, NULL);
    figure_of("floor.clock", "-", 1, floor_clock, 0, NULL);
    both("floor.ids", "-", floor_ids, 0, NULL);
    both("floor.ring64", "-", floor_ring64, BURST, floor_drain);
    both("floor.ring128", "-", floor_ring128, BURST, floor_drain);
    both("floor.span", "-", floor_span, BURST, floor_drain);
    both("floor.span3", "-", floor_span3, BURST, floor_drain);
    figure_of("floor.span.clock", "-", 1, floor_span_precise, BURST, floor_drain);
    both("floor.log", "-", floor_log, BURST, floor_drain);
    both("floor.log3", "-", floor_log3, BURST, floor_drain);
    figure_of("floor.logf", "-", 1, floor_logf, BURST, floor_drain);
}

static void absent(const char* suffix) {
    char name[48];
    snprintf(name, sizeof name, "counter.%s", suffix);
    both(name, "floor.disabled", ops_add, 0, NULL);
    snprintf(name, sizeof name, "counter.3attrs.%s", suffix);
    figure_of(name, "floor.disabled", 1, ops_add_3attrs, 0, NULL);
    snprintf(name, sizeof name, "histogram.%s", suffix);
    figure_of(name, "floor.disabled", 1, ops_record, 0, NULL);
    snprintf(name, sizeof name, "span.%s", suffix);
    both(name, "floor.disabled", ops_span, 0, NULL);
    snprintf(name, sizeof name, "log.%s", suffix);
    figure_of(name, "floor.disabled", 1, ops_log, 0, NULL);
}

static void group_uninit(void) { absent("uninit"); }

static void group_disabled(void) {
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    setenv("OTEL_SDK_DISABLED", "true", 1);
    ops_start(&d);
    absent("disabled");
}

static void group_metrics(void) {
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    ops_start(&d);
    both("counter.add", "floor.shard", ops_add, 0, NULL);
    both("counter.add.bound", "floor.shard", ops_add_bound, 0, NULL);
    both("counter.add.3attrs", "floor.site", ops_add_3attrs, 0, NULL);
    both("counter.add.4096series", "floor.probe.4096", ops_add_any, 0, NULL);
    both("histogram.record", "floor.histogram", ops_record, 0, NULL);
    both("histogram.exponential", "floor.exponential", ops_exponential_record, 0, NULL);
    figure_of("histogram.record.bound", "floor.histogram", 1, ops_record_bound, 0, NULL);
    figure_of("histogram.record.3attrs", "floor.histogram", 1, ops_record_3attrs, 0, NULL);
    figure_of("gauge.set", "floor.store", 1, ops_gauge_set, 0, NULL);
    report_value("series.overflowed", (double)tel_query_stats().series_overflow, "records", "-");
    tel_shutdown(2000);
}

/* ---- metrics as data ---- */

enum { CONFIG_METRICS = 200 };
static char config_text[CONFIG_METRICS * 256];

static void group_defined(void) {
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    tel_metric_desc m;
    memset(&m, 0, sizeof m);
    ops_start(&d);
    m.name = OPS_DEFINED;
    (void)tel_metric_define(&m);
    m.name = OPS_MUTED;
    m.no_capture = true;
    (void)tel_metric_define(&m);
    figure_of("record.by_name", "-", 1, ops_by_name, 0, NULL);
    figure_of("record.by_name.3attrs", "floor.site", 1, ops_by_name_3attrs, 0, NULL);
    figure_of("record.by_name.no_capture", "-", 1, ops_by_name_muted, 0, NULL);
}

/* tel_init with a configuration of 200 metrics, and the shutdown. */
static void config_load(void) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.ignore_env = d.no_thread = d.no_atexit = true;
    d.config_json = config_text;
    if (tel_init(&d) != TEL_OK) { abort(); }
    (void)tel_shutdown(1000);
}
static void group_config(void) {
    size_t n = (size_t)snprintf(config_text, sizeof config_text, "{ \"providers\": [], \"metrics\": [");
    int i;
    for (i = 0; i < CONFIG_METRICS; i++) {
        n += (size_t)snprintf(config_text + n, sizeof config_text - n,
                              "%s{ \"name\": \"bench.config.%d\", \"kind\": \"histogram\", \"unit\": \"s\", \"description\": \"Metric %d\",\n"
                              "  \"buckets\": [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5], \"capture\": true }", i ? ",\n" : "", i, i);
    }
    snprintf(config_text + n, sizeof config_text - n, "] }");
    report_figure("config.load", scaled(bench_once_each(config_load, 51), 1e-6), "ms", "-");
}

static void drain(void) { (void)tel_flush(2000); }

/* Every record of the figures above must have reached the sink. */
static void report_drops(const char* name, int signal) {
    tel_stats s = tel_query_stats();
    report_value(name, (double)(s.recorded[signal] - ops_exported[signal - 1]), "records", "-");
}

static void group_spans(void) {
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    ops_start(&d);
    both("span.0attrs", "floor.span", ops_span, BURST, drain);
    both("span.3attrs", "floor.span3", ops_span_3attrs, BURST, drain);
    figure_of("span.3sets", "floor.span3", 1, ops_span_3sets, BURST, drain);
    both("span.scoped", "floor.span", ops_span_scoped, BURST, drain);
    figure_of("span.shared", "span.0attrs", 1, ops_span_shared, BURST, drain);
    figure_of("hop.tracestate", "-", 1, ops_hop, BURST, drain);
    report_drops("span.dropped", 1);
    tel_shutdown(2000);
}

static void group_notsampled(void) {
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    d.sample_ratio = TEL_NEVER;
    ops_start(&d);
    both("span.notsampled", "floor.ids", ops_span, 0, NULL);
    figure_of("span.notsampled.3attrs", "floor.ids", 1, ops_span_3attrs, 0, NULL);
    tel_shutdown(2000);
}

/* The same with the export thread at work on another cpu: it drains between the bursts, so that the ring's lines
   come back from the other cpu's cache. */
static void settle(void) { (void)tel_flush(2000); }
static void group_live(void) {
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    d.no_thread = false;
    ops_start(&d);
    figure_of("span.0attrs.live", "floor.span", 1, ops_span, BURST, settle);
    report_drops("span.live.dropped", 1);
    tel_shutdown(2000);
}

static void group_logs(void) {
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    ops_start(&d);
    both("log.static", "floor.log", ops_log, BURST, drain);
    both("log.3attrs", "floor.log3", ops_log_3attrs, BURST, drain);
    figure_of("log.format", "floor.logf", 1, ops_logf, BURST, drain);
    report_drops("log.dropped", 2);
    tel_log_level("*", TEL_WARN);
    figure_of("log.below", "floor.loop", 1, ops_log, 0, NULL);
    tel_shutdown(2000);
}

/* ---- exemplars: what they add to a record, in turns with the same loop without them; the least of each ---- */

#define EXEMPLAR_TURNS 8
static void exemplars_figure(const char* name, bench_body body, uint64_t burst) {
    double least[2] = { 1e9, 1e9 };
    int turn;
    for (turn = 0; turn < EXEMPLAR_TURNS && wanted(name); turn++) {
        tel_sink sink;
        tel_desc d = ops_desc(&sink);
        bench_result r;
        d.exemplars = turn & 1 ? TEL_EXEMPLARS_SAMPLED : TEL_EXEMPLARS_OFF;
        ops_start(&d);
        r = bench_measure(body, 1, burst, burst ? drain : NULL);
        if (r.min < least[turn & 1]) { least[turn & 1] = r.min; }
        tel_shutdown(2000);
    }
    report_value(name, least[1] - least[0], "ns", "-");
}
static void group_exemplars(void) {
    exemplars_figure("exemplars.outside", ops_record, 0);           /* no span is current */
    exemplars_figure("exemplars.inside", ops_record_inside, BURST); /* many records in a span */
    exemplars_figure("exemplars.span", ops_span_scoped, BURST);      /* a span without a record ... */
    exemplars_figure("exemplars.per_span", ops_record_spans, BURST);   /* ... and with one */
}

/* ---- processors: what they cost, off the record path ---- */

#define LOCAL_TRACES 100u
#define LOCAL_SPANS  10u
static bool local_fails;

/* Records local traces and drains them into a sink that does nothing. */
static void local_traces(void) {
    unsigned i, k;
    for (i = 0; i < LOCAL_TRACES; i++) {
        TEL_SPAN(root, "GET /cart") {
            for (k = 1; k < LOCAL_SPANS; k++) { ops_span_scoped(0, 1); }
            if (local_fails) { tel_span_status(root, TEL_STATUS_ERROR, NULL); }
        }
    }
    (void)tel_pump(1000);
}
static void local_figure(const char* name, bool tail, bool fails) {
    tel_processor p = tel_processor_tail(0, 64u << 20);
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    if (!wanted(name)) { return; }
    local_fails = fails;
    d.processors = &p;
    d.processor_count = tail;
    ops_start(&d);
    report_figure(name, scaled(bench_once_each(local_traces, 101), 1.0 / (LOCAL_TRACES * LOCAL_SPANS)), "ns",
                  tail ? "trace.all.span" : "-");
    tel_shutdown(2000);
}

#define REDACT_ATTRS 10u
static tel_attr        redact_attrs[REDACT_ATTRS];
static tel__redaction* redact_rules;

static void redact_once(void) {
    unsigned i;
    for (i = 0; i < 100; i++) {
        tel_attr copy[REDACT_ATTRS];
        memcpy(copy, redact_attrs, sizeof copy);
        tel__redaction_list_of(redact_rules, copy, REDACT_ATTRS);
        BENCH_FENCE();
    }
}

static void group_processors(void) {
    static const char* const list[REDACT_ATTRS][2] = {
        { "http.route", "/api/v1/carts/{id}" }, { "http.request.method", "GET" }, { "url.path", "/api/v1/carts/81723" },
        { "server.address", "cart-7f9c.shop.svc" }, { "user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101" },
        { "db.query.text", "SELECT id, name FROM carts WHERE id = ?" }, { "enduser.id", "8f14e45fceea167a5a36dedd4bea2543" },
        { "http.request.header.authorization", "Bearer abcdef" }, { "order.id", "4200 0000 1234 5678 90" },
        { "messaging.destination.name", "orders.created" }
    };
    tel_processor p = tel_processor_redact(NULL);
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    unsigned i;
    local_figure("trace.all.span", false, false);
    local_figure("trace.tail.span", true, false);
    local_figure("trace.tail.span.kept", true, true);
    if (!wanted("redaction.attr")) { return; }
    d.processors = &p;
    d.processor_count = 1;
    ops_start(&d);
    redact_rules = tel__processors_redaction(&tel_get_instance()->pipeline.processors, 0);
    for (i = 0; i < REDACT_ATTRS; i++) {
        redact_attrs[i] = tel_strn(list[i][0], list[i][1], strlen(list[i][1]));
    }
    report_figure("redaction.attr", scaled(bench_once_each(redact_once, 101), 1.0 / (100 * REDACT_ATTRS)), "ns", "-");
    tel_shutdown(2000);
}

/* ---- OTLP: the real encoder over the batch that a sink receives ---- */

#define ENCODE_BUFFER (1024u * 1024u)
static char*            encode_out;
static char*            encode_copy;
static const tel_batch* encode_batch;
static size_t           encode_size;

static void encode_once(void) {
    tel__text_out out = tel__text_fixed(encode_out, ENCODE_BUFFER);
    if (tel__otlp_encode(encode_batch, TEL_SIGNAL_SPANS, &out) != TEL_OK || out.lost != 0) { abort(); }
    encode_size = out.size;
}
static void encode_memcpy(void) {
    memcpy(encode_copy, encode_out, encode_size);
    BENCH_FENCE();
}

static tel_result encode_export(const tel_batch* batch, void* user_data) {
    double per_span;
    int reps = bench_reps > 101 ? bench_reps : 101;
    (void)user_data;
    if (batch->span_count < 512 || encode_batch != NULL) { return TEL_OK; }
    encode_batch = batch;
    per_span = 1.0 / (double)batch->span_count;
    encode_once();
    report_figure("floor.memcpy.span", scaled(bench_once_each(encode_memcpy, reps), per_span), "ns", "-");
    report_figure("otlp.json.span", scaled(bench_once_each(encode_once, reps), per_span), "ns", "floor.memcpy.span");
    report_value("otlp.json.span.bytes", (double)encode_size * per_span, "B", "-");
    return TEL_OK;
}

static void group_otlp(void) {
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    int i;
    if (!wanted("otlp.json.span")) { return; }
    sink.export_fn = encode_export;
    sink.signal_mask = TEL_SIGNAL_SPANS;
    encode_out = (char*)malloc(ENCODE_BUFFER);
    encode_copy = (char*)malloc(ENCODE_BUFFER);
    if (encode_out == NULL || encode_copy == NULL) { abort(); }
    memset(encode_out, 1, ENCODE_BUFFER);
    memset(encode_copy, 1, ENCODE_BUFFER);
    ops_start(&d);
    for (i = 0; i < 512; i++) {
        tel_span_desc sd;
        tel_span s;
        memset(&sd, 0, sizeof sd);
        sd.name = "GET /cart";
        sd.kind = TEL_SPAN_SERVER;
        s = tel_span_start_ex(&sd);
        tel_span_set_all(&s, TEL_ATTRS(tel_str("http.route", bench_routes[i % 16]),
                                       tel_int("http.response.status_code", 200 + i % 16),
                                       tel_str("http.request.method", "GET")));
        tel_span_end(&s);
    }
    tel_flush(10000);
    tel_shutdown(2000);
}

/* ---- pages of 50 counters of 2000 series each: Prometheus text and OpenMetrics ---- */

#define SCRAPE_METRICS 50
#define SCRAPE_SERIES  2000
static tel_counter scrape_counters[SCRAPE_METRICS];
static char        scrape_names[SCRAPE_METRICS][24];
static char        scrape_routes[SCRAPE_SERIES][20];
static uint64_t    scrape_bytes;
static char*       scrape_from;
static char*       scrape_to;

static bool scrape_discard(const void* data, size_t size, void* user_data) {
    (void)data;
    (void)user_data;
    scrape_bytes += size;
    return true;
}
static void scrape_once(void) {
    tel_writer w;
    w.write_fn = scrape_discard;
    w.user_data = NULL;
    scrape_bytes = 0;
    if (tel_prometheus_render(w) != TEL_OK) { abort(); }
}
static void scrape_openmetrics(void) {
    tel_instance* inst = tel_get_instance();
    tel__text_out o = tel__text_heap(&inst->delivery);
    tel__openmetrics_style style = tel__endpoint_style(NULL);
    tel__openmetrics_accept(&style, tel__text_of("application/openmetrics-text;version=1.0.0"));
    if (tel__sink_listener_render(&inst->source, &style, &o, NULL) != TEL_OK) { abort(); }
    scrape_bytes = o.size;
    tel__text_heap_free(&o);
}
static void scrape_memcpy(void) {
    memcpy(scrape_to, scrape_from, (size_t)scrape_bytes);
    BENCH_FENCE();
}
static void scrape_touch(int metric, int64_t by) {
    int k;
    for (k = 0; k < SCRAPE_SERIES; k++) {
        tel_counter_add_with(&scrape_counters[metric], k * by,
            TEL_ATTRS(tel_str("http.route", scrape_routes[k]), tel_int("http.response.status_code", 200 + k % 16),
                      tel_str("server.address", bench_hosts[k % 16])));
    }
}

static uint64_t allocated(void) { return tel_query_stats().bytes_allocated; }

static uint64_t cpu_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The first page, and pages on which every series has changed since the one before: cpu time. */
static void scrape_pages(const char* name, void (*page)(void)) {
    double again[9];
    char first[32];
    uint64_t begin = cpu_now();
    int i, m;
    page();
    snprintf(first, sizeof first, "%s.first", name);
    report_value(first, (double)(cpu_now() - begin) / 1e6, "ms", "floor.memcpy.scrape");
    for (i = 0; i < 9; i++) {
        for (m = 0; m < SCRAPE_METRICS; m++) { scrape_touch(m, 31); }
        begin = cpu_now();
        page();
        again[i] = (double)(cpu_now() - begin) / 1e6;
    }
    report_figure(name, bench_summary(again, 9), "ms", "floor.memcpy.scrape");
}

static void scrape_start(void) {
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    int i, m;
    d.memory_limit = (size_t)1 << 30;
    ops_start(&d);
    for (i = 0; i < SCRAPE_SERIES; i++) { snprintf(scrape_routes[i], sizeof scrape_routes[i], "/api/items/%04d", i); }
    for (m = 0; m < SCRAPE_METRICS; m++) {
        tel_counter c = TEL_INSTRUMENT(NULL, "{call}", "Scrape bench");
        snprintf(scrape_names[m], sizeof scrape_names[m], "bench.series.%02d", m);
        c.name = scrape_names[m];
        scrape_counters[m] = c;
        tel_counter_add(&scrape_counters[m], 0);
    }
    bench_pin(bench_single_cpu());
}

static void group_scrape(void) {
    double create[SCRAPE_METRICS];
    uint64_t before;
    int m;
    if (!wanted("prometheus.100k") && !wanted("series.create") && !wanted("series.bytes")) { return; }
    scrape_start();
    before = allocated();
    for (m = 0; m < SCRAPE_METRICS; m++) {
        uint64_t begin = bench_now();
        scrape_touch(m, 977);
        create[m] = (double)(bench_now() - begin) / SCRAPE_SERIES;
    }
    report_figure("series.create", bench_summary(create, SCRAPE_METRICS), "ns", "-");
    report_value("series.bytes", (double)(allocated() - before) / (SCRAPE_METRICS * SCRAPE_SERIES), "B", "-");
    scrape_pages("prometheus.100k", scrape_once);
    report_value("series.bytes.scraped", (double)(allocated() - before) / (SCRAPE_METRICS * SCRAPE_SERIES), "B", "-");
    scrape_from = (char*)malloc((size_t)scrape_bytes);
    scrape_to = (char*)malloc((size_t)scrape_bytes);
    if (scrape_from == NULL || scrape_to == NULL) { abort(); }
    memset(scrape_from, 1, (size_t)scrape_bytes);
    memset(scrape_to, 1, (size_t)scrape_bytes);
    report_figure("floor.memcpy.scrape", scaled(bench_once_each(scrape_memcpy, 21), 1e-6), "ms", "-");
    report_value("prometheus.100k.bytes", (double)scrape_bytes / 1e6, "MB", "-");
    report_value("prometheus.100k.overflowed", (double)tel_query_stats().series_overflow, "records", "-");
    tel_shutdown(2000);
}

static void group_openmetrics(void) {
    int m;
    if (!wanted("openmetrics.100k")) { return; }
    scrape_start();
    for (m = 0; m < SCRAPE_METRICS; m++) { scrape_touch(m, 977); }
    scrape_pages("openmetrics.100k", scrape_openmetrics);
    tel_shutdown(2000);
}

/* ---- a page that is asked for over and over: every request has a connection of its own ---- */

#define ASK_REQUESTS 2000
#define ASK_CHANGES  20
static uint64_t ask_renderings;
static void ask_note(void* user_data, const char* component, uint64_t ns, tel_result r) {
    (void)user_data;
    (void)ns;
    (void)r;
    ask_renderings += strcmp(component, "prometheus_http_text_metric_exporter") == 0;
}
static void ask_once(uint32_t port) {
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static char answer[1 << 20];
    struct sockaddr_in to;
    size_t size = 0;
    ssize_t n;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s < 0 || connect(s, (struct sockaddr*)&to, sizeof to) != 0 ||
        write(s, request, sizeof request - 1) != (ssize_t)(sizeof request - 1)) { abort(); }
    while ((n = read(s, answer + size, sizeof answer - size)) > 0) { size += (size_t)n; }
    if (size < 100 || memcmp(answer, "HTTP/1.1 200", 12) != 0) { abort(); }
    close(s);
}

/* A page of a thousand series, one of which changes after every hundredth request. */
static void group_ask(void) {
    static const tel_prometheus_desc p = { "127.0.0.1", TEL_ANY_PORT, NULL, NULL, TEL_NAMES_UNDERSCORE, false, false, false };
    tel_sink sink = tel_sink_prometheus(&p);
    tel_sink unused;
    tel_desc d = ops_desc(&unused);
    uint64_t begin, took = 0;
    int i;
    if (!wanted("scrapes.")) { return; }
    d.sinks = &sink;
    d.no_thread = false;
    ops_start(&d);
    tel_get_instance()->pipeline.timed_fn = ask_note;
    for (i = 0; i < 1000; i++) { tel_counter_add_with(&ops_many, 1, TEL_ATTRS(tel_int("k", i))); }
    ask_once(tel_prometheus_port());    /* the page is kept from the second one on */
    for (i = 0; i < ASK_REQUESTS; i++) {
        if (i % (ASK_REQUESTS / ASK_CHANGES) == 0) { tel_counter_add_with(&ops_many, 1, TEL_ATTRS(tel_int("k", 7))); }
        if (i == 0) { ask_renderings = 0; }
        begin = bench_now();
        ask_once(tel_prometheus_port());
        took += bench_now() - begin;
    }
    report_value("scrapes.per_second", ASK_REQUESTS * 1e9 / (double)took, "1/s", "-");
    report_value("scrapes.renderings", (double)ask_renderings / ASK_CHANGES, "/change", "-");
    tel_shutdown(2000);
}

/* ---- series that come and go ---- */

#define CHURN_ALIVE  1000
#define CHURN_ROUNDS 1000

static tel_result churn_take(const tel_batch* batch, void* user_data) {
    (void)batch;
    (void)user_data;
    return TEL_OK;
}

/* A million series, of which a thousand live at a time: made, shown, removed, and gone. */
static void group_churn(void) {
    static tel_counter c = TEL_INSTRUMENT("bench.churn", "{call}", "Churn bench");
    double each[CHURN_ROUNDS];
    uint64_t early = 0;
    tel_sink sink;
    tel_desc d = ops_desc(&sink);
    int r, k;
    if (!wanted("series.churn")) { return; }
    sink.export_fn = churn_take;
    sink.signal_mask = TEL_SIGNAL_METRICS;
    d.no_thread = true;
    d.max_series = 4 * CHURN_ALIVE;
    ops_start(&d);
    bench_pin(bench_single_cpu());
    for (r = 0; r < CHURN_ROUNDS; r++) {
        uint64_t begin = bench_now();
        for (k = 0; k < CHURN_ALIVE; k++) { tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("id", r * CHURN_ALIVE + k))); }
        tel_flush(10000);
        for (k = 0; k < CHURN_ALIVE; k++) { tel_series_remove("bench.churn", TEL_ATTRS(tel_int("id", r * CHURN_ALIVE + k))); }
        each[r] = (double)(bench_now() - begin) / CHURN_ALIVE;
        if (r == CHURN_ROUNDS / 10) { early = allocated(); }
    }
    report_figure("series.churn", bench_summary(each, CHURN_ROUNDS), "ns", "-");
    report_value("series.churn.grown", (double)allocated() - (double)early, "B", "-");
    report_value("series.churn.overflowed", (double)tel_query_stats().series_overflow, "records", "-");
    tel_shutdown(2000);
}

/* ---- the parent ---- */

typedef struct group { const char* name; void (*run)(void); } group;
static const group groups[] = {
    { "uninit", group_uninit }, { "disabled", group_disabled },     { "metrics", group_metrics },
    { "spans", group_spans },   { "notsampled", group_notsampled }, { "live", group_live },
    { "logs", group_logs },     { "processors", group_processors }, { "otlp", group_otlp },             { "scrape", group_scrape },
    { "openmetrics", group_openmetrics }, { "ask", group_ask },     { "churn", group_churn },
    { "exemplars", group_exemplars },
    { "defined", group_defined }, { "config", group_config },       { "floors", group_floors }
};

static const figure* find_figure(const char* name) {
    int i;
    for (i = 0; i < figure_count; i++) {
        if (strcmp(figures[i].name, name) == 0) { return &figures[i]; }
    }
    return NULL;
}

static void collect_figures(int fd) {
    char line[256];
    FILE* in = fdopen(fd, "r");
    if (in == NULL) { return; }
    while (figure_count < FIGURES_MAX && fgets(line, sizeof line, in) != NULL) {
        figure* f = &figures[figure_count];
        if (sscanf(line, "%47[^\t]\t%lf\t%lf\t%11[^\t]\t%31[^\t\n]", f->name, &f->min, &f->median, f->unit,
                   f->floor) == 5) {
            figure_count++;
        }
    }
    fclose(in);
}

/* Returns whether the group's child ended well. */
static bool run_group(const group* g) {
    int ends[2], status = 0;
    pid_t child;
    fflush(stdout);
    if (pipe(ends) != 0) { return false; }
    child = fork();
    if (child < 0) { return false; }
    if (child == 0) {
        close(ends[0]);
        report = fdopen(ends[1], "w");
        if (report == NULL) { _exit(1); }
        g->run();
        fclose(report);
        _exit(0);
    }
    close(ends[1]);
    collect_figures(ends[0]);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "bench: group %s did not finish (status %d)\n", g->name, status);
        return false;
    }
    return true;
}

static void print_tsv(void) {
    int i, m;
    for (i = 0; i < figure_count; i++) {
        const figure* floor = find_figure(figures[i].floor);
        for (m = 0; m < 2; m++) {
            printf("%s%s\t%.5g\t%s\t", figures[i].name, m == 0 ? "" : ".median",
                   m == 0 ? figures[i].min : figures[i].median, figures[i].unit);
            if (floor != NULL) { printf("%.5g", m == 0 ? floor->min : floor->median); } else { printf("-"); }
            printf("\t-\t-\n");
        }
    }
}

static void print_table(void) {
    int i;
    printf("%-28s %10s %10s  %-8s %10s %8s\n", "figure", "min", "median", "unit", "floor", "x floor");
    for (i = 0; i < figure_count; i++) {
        const figure* f = &figures[i];
        const figure* floor = find_figure(f->floor);
        printf("%-28s %10.4g %10.4g  %-8s", f->name, f->min, f->median, f->unit);
        if (floor != NULL && floor->min > 0) { printf(" %10.4g %8.2f", floor->min, f->min / floor->min); }
        printf("\n");
    }
}

int main(int argc, char** argv) {
    bool tsv = false, ok = true;
    size_t g;
    int i;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tsv") == 0) { tsv = true; continue; }
        if (strcmp(argv[i], "--reps") == 0 && i + 1 < argc) { bench_reps = atoi(argv[++i]); continue; }
        if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) { only = argv[++i]; continue; }
        fprintf(stderr, "usage: bench [--tsv] [--reps 9..%d] [--only PREFIX]\n", BENCH_REPS_MAX);
        return 2;
    }
    if (bench_reps < 9) { bench_reps = 9; }
    if (bench_reps > BENCH_REPS_MAX) { bench_reps = BENCH_REPS_MAX; }
    bench_setup();
    bench_fill_values();
    bench_fill_series();
    for (g = 0; g < sizeof groups / sizeof groups[0]; g++) { ok = run_group(&groups[g]) && ok; }
    if (tsv) { print_tsv(); } else { print_table(); }
    return ok ? 0 : 1;
}
