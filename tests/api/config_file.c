/* Configuration files in JSON: what they set, what wins over what, and every way in which one can be wrong. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdlib.h>
#include <unistd.h>

static char last[512], first[512];
static int faults, vain, others, opened, closed, exported[3];

static void report(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)line; (void)user_data;
    if (level > 2 || item == TEL_DIAG_SEND || item == TEL_DIAG_SHUTDOWN || item == TEL_DIAG_CHILD) { return; }
    if (item == TEL_DIAG_CONFIG_VAIN) { vain++; }
    else if (item == TEL_DIAG_CONFIG) { faults++; }
    else { others++; }
    if (!first[0]) { snprintf(first, sizeof first, "%s", message); }
    snprintf(last, sizeof last, "%s", message);
}

/* A type of the program: "probe" with {"depth": 1..9}. */
static tel_result probe_open(tel_sink* self, tel_host* host) { (void)self; (void)host; opened++; return TEL_OK; }
static tel_result probe_export(const tel_batch* batch, void* user_data) {
    (void)user_data;
    exported[0] += batch->metric_count > 0;
    exported[1] += batch->span_count > 0;
    exported[2] += batch->log_count > 0;
    return TEL_OK;
}
static void probe_close(void* user_data) { (void)user_data; closed++; }
static int64_t depth;
static tel_result probe_make(tel_sink* out, const tel_settings* settings, void* user_data) {
    (void)user_data;
    depth = tel_setting_int(settings, "depth", 1, 9, 4);
    out->open_fn = probe_open;
    out->export_fn = probe_export;
    out->close_fn = probe_close;
    return TEL_OK;
}
static tel_result broken_open(tel_sink* self, tel_host* host) { (void)self; (void)host; return TEL_ERR_FORMAT; }
static tel_result broken_make(tel_sink* out, const tel_settings* settings, void* user_data) {
    (void)settings; (void)user_data;
    out->open_fn = broken_open;
    out->export_fn = probe_export;
    return TEL_OK;
}
static tel_result plain_make(tel_sink* out, const tel_settings* settings, void* user_data) {     /* reads nothing */
    (void)settings; (void)user_data;
    out->export_fn = probe_export;
    return TEL_OK;
}

static tel_desc zero(void) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.diag.report_fn = report;
    d.no_self_metrics = d.no_atexit = true;
    memset(exported, 0, sizeof exported);
    last[0] = first[0] = '\0';
    faults = vain = others = opened = closed = 0;
    depth = 0;
    return d;
}
static tel_result start(const char* json) {
    tel_desc d = zero();
    d.config_json = json;
    return tel_init(&d);
}
static const tel_attr* resource(const char* key) {
    static tel_desc d;
    size_t i;
    d = tel_query_desc();
    for (i = 0; i < d.resource.count; i++) {
        if (strcmp(d.resource.items[i].key, key) == 0) { return &d.resource.items[i]; }
    }
    return NULL;
}
static const char* text_of(const char* key) {
    const tel_attr* a = resource(key);
    return a && a->type == TEL_TYPE_STRING ? a->as.s.data : NULL;
}

/* Refused: nothing is started, and one diagnostic names the place. */
static void refused(const char* json, const char* place, int line) {
    tel_result r = start(json);
    check__int(r, TEL_ERR_ARGUMENT, __FILE__, line, json);
    check__int(faults, 1, __FILE__, line, json);
    check__int(others, 0, __FILE__, line, json);
    check__int(opened, closed, __FILE__, line, json);
    check__note(strstr(last, place) != NULL, __FILE__, line, place);
    if (!strstr(last, place)) { fprintf(stderr, "     said: %s\n", last); }
    check__note(!tel_enabled(), __FILE__, line, json);
    if (r == TEL_OK) { tel_shutdown(1000); }
}
#define REFUSED(json, place) refused((json), (place), __LINE__)

/* ---- what a file sets ---- */

#define T_BATCH(of, x) "{ \"" of "_provider\": { \"processors\": [ { \"batch\": { " x " \"exporter\": { \"probe\": null } } } ] } }"
#define T_READER(x) "{ \"meter_provider\": { \"readers\": [ { \"periodic\": { " x " \"exporter\": { \"probe\": null } } } ] } }"
#define T_VIEWS(x) "{ \"meter_provider\": { \"views\": [ { " x " } ] } }"
#define T_SELECTOR(x) T_VIEWS("\"stream\": {}, \"selector\": " x)
#define T_STREAM(x) T_VIEWS("\"selector\": {}, \"stream\": " x)
#define T_SAMPLER(x) "{ \"tracer_provider\": { \"sampler\": { " x " } } }"
#define T_OTLP(x) "{ \"providers\": [ { \"type\": \"otlp\", \"config\": { " x " } } ] }"
#define T_PAGE(x) "{ \"providers\": [ { \"type\": \"prometheus\", \"config\": { " x " } } ] }"
#define T_LISTENER(x) "{ \"providers\": [ { \"type\": \"listener\", \"config\": { " x " } } ] }"
#define T_TRACE(x) "{ \"providers\": [ { \"type\": \"trace\", \"config\": { " x " } } ] }"
#define T_FILE(x) "{ \"providers\": [ { \"type\": \"jsonl\", \"config\": { " x " } } ] }"

static void test_whole(void) {
    tel_desc d;
    setenv("CONFIG_TEST_DELAY", "250", 1);
    setenv("OTEL_SERVICE_NAME", "from the environment", 1);
    setenv("OTEL_METRICS_EXPORTER", "console", 1);
    CHECK_INT(start(
        "{\n"
        "  \"file_format\": \"1.1\",\n"
        "  \"log_level\": \"error\",\n"
        "  \"resource\": {\n"
        "    \"attributes\": [ { \"name\": \"service.name\", \"value\": \"filed\" }, { \"name\": \"n\", \"value\": 7, \"type\": \"int\" },\n"
        "      { \"name\": \"r\", \"value\": 0.5, \"type\": \"double\" }, { \"name\": \"b\", \"value\": true, \"type\": \"bool\" },\n"
        "      { \"name\": \"none\", \"value\": null }, { \"name\": \"env\", \"value\": \"${CONFIG_TEST_NOT_SET:-fallback}\" } ],\n"
        "    \"attributes_list\": \"a=list,env=list\" },\n"
        "  \"propagator\": { \"composite\": [ { \"tracecontext\": null }, { \"b3\": null } ] },\n"
        "  \"tracer_provider\": {\n"
        "    \"processors\": [ { \"batch\": { \"schedule_delay\": \"${CONFIG_TEST_DELAY}\", \"max_queue_size\": 100,\n"
        "      \"max_export_batch_size\": 50, \"exporter\": { \"probe\": { \"depth\": 3 } } } } ],\n"
        "    \"sampler\": { \"parent_based\": { \"root\": { \"trace_id_ratio_based\": { \"ratio\": 0.25 } } } } },\n"
        "  \"meter_provider\": { \"readers\": [ { \"periodic\": { \"interval\": 1234, \"exporter\": { \"probe\": null } } } ] },\n"
        "  \"max_threads\": 9,\n"
        "  \"memory_limit\": 20000000\n"
        "}\n"), TEL_OK);
    CHECK_INT(faults, 0);
    CHECK_INT(others, 0);
    d = tel_query_desc();
    CHECK_STR(d.service_name, "filed");
    CHECK_INT(d.batch_interval_ms, 250);
    CHECK_INT(d.metric_interval_ms, 1234);
    CHECK_INT(d.max_threads, 9);
    CHECK_INT(d.memory_limit, 20000000);
    CHECK(d.sample_ratio == 0.25);
    CHECK_INT(d.sink_count, 2);                         /* OTEL_METRICS_EXPORTER is not read */
    CHECK_STR(d.sinks[0].name, "traces.probe");
    CHECK_INT(d.sinks[0].signal_mask, TEL_SIGNAL_SPANS);
    CHECK_STR(d.sinks[1].name, "metrics.probe");
    CHECK(resource("n") && resource("n")->as.i == 7);
    CHECK(resource("r") && resource("r")->as.d == 0.5);
    CHECK(resource("b") && resource("b")->as.b);
    CHECK(!resource("none"));
    CHECK_STR(text_of("a"), "list");
    CHECK_STR(text_of("env"), "fallback");
    TEL_SPAN(s, "work") { tel_log(TEL_INFO, "inside", TEL_NOATTRS); }
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(exported[2], 0);                          /* no logger_provider */
    CHECK_INT(opened, 2);
    CHECK_INT(closed, 2);
    unsetenv("OTEL_METRICS_EXPORTER");
}

/* The two lists of formats are one. */
static void test_propagators(void) {
    static const char* const fields[] = { "b3", "traceparent", "tracestate" };
    const char* field;
    size_t i, seen[3] = { 0, 0, 0 };
    CHECK_INT(start("{ \"providers\": [], \"propagator\": { \"composite\": [ { \"b3\": {} } ], \"composite_list\": \"tracecontext,b3\" } }"), TEL_OK);
    for (i = 0; (field = tel_inject_field(i)) != NULL; i++) {
        seen[0] += strcmp(field, fields[0]) == 0;
        seen[1] += strcmp(field, fields[1]) == 0;
        seen[2] += strcmp(field, fields[2]) == 0;
    }
    CHECK(i == 3 && seen[0] == 1 && seen[1] == 1 && seen[2] == 1);
    tel_shutdown(1000);
    CHECK_INT(start("{ \"providers\": [], \"max_threads\": 1.6e1, \"max_series\": 500.0 }"), TEL_OK);
    CHECK_INT(tel_query_desc().max_threads, 16);
    CHECK_INT(tel_query_desc().max_series, 500);
    tel_shutdown(1000);
}

static int state_of(const char* name) {
    tel_sink_stats k;
    size_t i;
    for (i = 0; tel_query_sink(i, &k); i++) {
        if (strcmp(k.name, name) == 0) { return (int)k.state; }
    }
    return -1;
}

static void test_providers(void) {
    tel_desc d;
    CHECK_INT(start("{ \"service_name\": \"mine\", \"service_version\": \"2.1\",\n"
        "  \"providers\": [ { \"name\": \"console-dev\", \"type\": \"probe\", \"config\": { \"depth\": 2 } },\n"
        "    { \"name\": \"off\", \"type\": \"probe\", \"enabled\": false }, { \"type\": \"probe\", \"signals\": [\"logs\"] } ] }"), TEL_OK);
    d = tel_query_desc();
    CHECK_STR(d.service_name, "mine");
    CHECK_STR(d.service_version, "2.1");
    CHECK_INT(d.sink_count, 3);
    CHECK_STR(d.sinks[0].name, "console-dev");
    CHECK_STR(d.sinks[1].name, "off");
    CHECK_STR(d.sinks[2].name, "probe");
    CHECK_INT(d.sinks[2].signal_mask, TEL_SIGNAL_LOGS);
    CHECK_INT(state_of("console-dev"), TEL_SINK_READY);
    CHECK_INT(state_of("off"), TEL_SINK_DISABLED);
    tel_shutdown(5000);
    CHECK_INT(start("{ \"active\": \"b\", \"providers\": [ { \"name\": \"a\", \"type\": \"probe\" },\n"
        "  { \"name\": \"b\", \"type\": \"probe\", \"config\": null } ] }"), TEL_OK);
    d = tel_query_desc();
    CHECK_INT(d.sink_count, 2);
    CHECK_INT(state_of("a"), TEL_SINK_DISABLED);
    CHECK_INT(state_of("b"), TEL_SINK_READY);
    tel_shutdown(5000);
    CHECK_INT(start("{ \"providers\": [] }"), TEL_OK);   /* destinations are named: none */
    CHECK_INT(tel_query_desc().sink_count, 0);
    tel_shutdown(5000);
    CHECK_INT(start("{ \"logger_provider\": null }"), TEL_OK);
    CHECK_INT(tel_query_desc().sink_count, 0);
    tel_shutdown(5000);
    CHECK_INT(start("{}"), TEL_OK);                      /* none are named: the default */
    CHECK_INT(tel_query_desc().sink_count, 1);
    tel_shutdown(100);
}

/* Several providers become one sink; the first healthy one gets what there is. */
static void test_fallback(void) {
    tel_desc d;
    CHECK_INT(start("{ \"fallback\": [ \"b\", \"a\" ], \"providers\": [ { \"name\": \"a\", \"type\": \"probe\" },\n"
        "  { \"name\": \"other\", \"type\": \"probe\" }, { \"name\": \"b\", \"type\": \"probe\" } ] }"), TEL_OK);
    d = tel_query_desc();
    CHECK_INT(d.sink_count, 2);
    CHECK_STR(d.sinks[0].name, "other");
    CHECK_STR(d.sinks[1].name, "fallback");
    TEL_SPAN(s, "work") { }
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(exported[1], 2);                          /* other, and one of the chain */
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(opened, closed);
    REFUSED("{ \"fallback\": [ \"x\" ], \"providers\": [ { \"type\": \"probe\" } ] }", "fallback[0]: there is no provider \"x\"");
    REFUSED("{ \"fallback\": \"probe\", \"providers\": [ { \"type\": \"probe\" } ] }", "fallback: is not a list");
}

static void test_built_in(void) {
    tel_desc d;
    CHECK_INT(start("{ \"tracer_provider\": { \"processors\": [ { \"batch\": { \"exporter\": { \"otlp_http\": {\n"
        "    \"endpoint\": \"http://127.0.0.1:1/v1/traces\", \"headers\": [ { \"name\": \"api-key\", \"value\": \"a,b=c d\" } ],\n"
        "    \"headers_list\": \"x=y\", \"compression\": \"none\", \"timeout\": 100, \"encoding\": \"json\" } } } } ] },\n"
        "  \"meter_provider\": { \"readers\": [ { \"pull\": { \"exporter\": { \"prometheus/development\": {\n"
        "    \"host\": \"127.0.0.1\", \"port\": 0 } } } } ] },\n"
        "  \"logger_provider\": { \"processors\": [ { \"batch\": { \"exporter\": { \"console\": null } } },\n"
        "    { \"batch\": { \"exporter\": { \"console\": {} } } } ] } }"), TEL_OK);
    d = tel_query_desc();
    CHECK_INT(faults + others + vain, 0);
    CHECK_INT(d.sink_count, 4);
    CHECK_STR(d.sinks[0].name, "traces.otlp_http");
    CHECK_STR(d.sinks[1].name, "metrics.prometheus");
    CHECK_STR(d.sinks[2].name, "logs.console");
    CHECK_STR(d.sinks[3].name, "logs.console.2");
    CHECK(tel_prometheus_port() != 0);
    tel_shutdown(1000);
}

/* The code wins over the file, and its sinks run beside those of the file. */
static void test_code(void) {
    static const tel_attr attrs[] = { { "k", TEL_TYPE_STRING, 0, { false } } };
    tel_desc d = zero();
    tel_sink own;
    tel_attr a = attrs[0];
    a.as.s.data = "code";
    a.as.s.size = 4;
    memset(&own, 0, sizeof own);
    own.name = "own";
    own.export_fn = probe_export;
    d.config_json = "{ \"service_name\": \"filed\", \"max_threads\": 9, \"resource\": { \"attributes\": [ { \"name\": \"k\", \"value\": \"file\" },"
                    "{ \"name\": \"l\", \"value\": \"file\" } ] }, \"providers\": [ { \"type\": \"probe\" } ] }";
    d.service_name = "coded";
    d.max_threads = 5;
    d.resource = tel__attrs(&a, 1);
    d.sinks = &own;
    d.sink_count = 1;
    CHECK_INT(tel_init(&d), TEL_OK);
    d = tel_query_desc();
    CHECK_STR(d.service_name, "coded");
    CHECK_INT(d.max_threads, 5);
    CHECK_STR(text_of("k"), "code");
    CHECK_STR(text_of("l"), "file");
    CHECK_INT(d.sink_count, 2);
    CHECK_STR(d.sinks[0].name, "own");
    tel_shutdown(5000);
    d = zero();
    d.sinks = &own;
    d.sink_count = 1;
    own.name = "probe";
    d.config_json = "{ \"providers\": [ { \"type\": \"probe\" } ] }";
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    CHECK(strstr(last, "two sinks of the name \"probe\"") != NULL);
}

static void test_metrics(void) {
    tel_stats before;
    CHECK_INT(start("{ \"providers\": [ { \"type\": \"probe\" } ],\n"
        "  \"metrics\": [ { \"name\": \"file.calls\", \"kind\": \"counter\", \"unit\": \"1\", \"description\": \"Calls\" },\n"
        "    { \"name\": \"file.off\", \"kind\": \"gauge\", \"capture\": false },\n"
        "    { \"name\": \"file.live\", \"kind\": \"up_down_counter\" } ],\n"
        "  \"counters\": [ { \"name\": \"requests_total\", \"capture\": true } ],\n"
        "  \"histograms\": [ { \"name\": \"request_duration_seconds\", \"unit\": \"s\", \"buckets\": [0.1, 1, 10] } ] }"), TEL_OK);
    CHECK_INT(faults + others, 0);
    before = tel_query_stats();
    tel_record("file.calls", 1, TEL_NOATTRS);
    tel_record("file.off", 1, TEL_NOATTRS);
    tel_record("file.live", -1, TEL_NOATTRS);
    tel_record("requests_total", 1, TEL_ATTRS(tel_str("status", "success")));
    tel_record("request_duration_seconds", 0.5, TEL_NOATTRS);
    CHECK_INT(tel_query_stats().dropped[0], before.dropped[0]);
    CHECK_INT(tel_query_stats().series - before.series, 4);
    CHECK_INT(tel_histogram_get("request_duration_seconds")->options->bound_count, 3);
    tel_shutdown(5000);
    REFUSED("{ \"counters\": [ { \"name\": \"file.live\" } ] }", ":1:19: counters[0].name: \"file.live\" is defined already");
    REFUSED("{ \"metrics\": [ { \"name\": \"x\" } ] }", "metrics[0].kind: is missing");
    REFUSED("{ \"metrics\": [ { \"name\": \"x\", \"kind\": \"timer\" } ] }", "metrics[0].kind: is not known: \"timer\"");
    REFUSED("{ \"counters\": [ { \"name\": \"9\" } ] }", "counters[0].name: \"9\" is not a valid name");
    REFUSED("{ \"counters\": [ { } ] }", "counters[0].name: \"\" is not a valid name");
    REFUSED("{ \"histograms\": [ { \"name\": \"h\", \"buckets\": [2, 1] } ] }", "has buckets that are not");
    REFUSED("{ \"counters\": [ { \"name\": \"c\", \"buckets\": [1] } ] }", "counters[0].buckets: are for a histogram");
    REFUSED("{ \"histograms\": [ { \"name\": \"h\", \"buckets\": [\"x\"] } ] }", "histograms[0].buckets[0]: is not a number");
    REFUSED("{ \"counters\": [ { \"name\": \"c.c\" }, { \"name\": \"c.c\" } ] }", "counters[1].name: stands twice");
    REFUSED("{ \"counters\": [ { \"name\": \"c.c\", \"capture\": \"no\" } ] }", "counters[0].capture: is neither true nor false");
    CHECK_INT(start("{ \"providers\": [ { \"type\": \"probe\" } ] }"), TEL_OK);
    tel_record("c.c", 1, TEL_NOATTRS);                  /* nothing of a file that was refused is defined */
    CHECK_INT(tel_query_stats().dropped[0], 1);
    tel_shutdown(5000);
}

/* Views and redaction: what leaves is what they let through. */
static char redacted[64], stream[64];
static size_t stream_attrs;
static tel_result look_export(const tel_batch* batch, void* user_data) {
    size_t i;
    (void)user_data;
    for (i = 0; i < batch->span_count && batch->spans[i].attrs.count; i++) {
        snprintf(redacted, sizeof redacted, "%.*s", (int)batch->spans[i].attrs.items[0].as.s.size, batch->spans[i].attrs.items[0].as.s.data);
    }
    for (i = 0; i < batch->metric_count; i++) {
        snprintf(stream, sizeof stream, "%.*s", (int)batch->metrics[i].name.size, batch->metrics[i].name.data);
        stream_attrs = batch->metrics[i].points[0].attrs.count;
    }
    return TEL_OK;
}
/* Instruments of one name, told apart by the version and the schema URL of their meters. */
static void test_meters(void) {
    static const tel_scope scopes[3] = { { "lib", "1.0", "https://s/1", { NULL, 0 } }, { "lib", "2.0", "https://s/1", { NULL, 0 } },
                                         { "lib", "2.0", "https://s/2", { NULL, 0 } } };
    static const tel_metric_options options[3] = { { .scope = &scopes[0] }, { .scope = &scopes[1] }, { .scope = &scopes[2] } };
    static tel_counter calls[3] = { TEL_INSTRUMENT_OPT("meter.calls", NULL, NULL, &options[0]), TEL_INSTRUMENT_OPT("meter.calls", NULL, NULL, &options[1]),
                                    TEL_INSTRUMENT_OPT("meter.calls", NULL, NULL, &options[2]) };
    tel_desc d = zero();
    tel_memory memory;
    tel_sink sink;
    tel_batch seen;
    size_t i;
    memset(&memory, 0, sizeof memory);
    sink = tel_sink_memory(&memory);
    d.sinks = &sink;
    d.sink_count = 1;
    d.config_json = "{ \"meter_provider\": { \"readers\": [], \"views\": [ { \"selector\": { \"meter_version\": \"2.0\", \"meter_schema_url\": \"https://s/1\" },\n"
        "    \"stream\": { \"name\": \"second\" } }, { \"selector\": { \"meter_version\": \"1.0\" }, \"stream\": { \"aggregation\": { \"drop\": null } } } ] } }";
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 3; i++) { tel_counter_add(&calls[i], (int64_t)i + 1); }
    CHECK_INT(tel_flush(5000), TEL_OK);
    seen = tel_memory_read(&memory);
    CHECK_INT(seen.metric_count, 2);
    for (i = 0; i < seen.metric_count; i++) {
        bool second = strcmp(seen.metrics[i].name.data, "second") == 0;
        CHECK(second || strcmp(seen.metrics[i].name.data, "meter.calls") == 0);
        CHECK_INT(seen.metrics[i].points[0].i, second ? 2 : 3);
    }
    tel_shutdown(5000);
    tel_memory_clear(&memory);
}
static void test_parts(void) {
    static char page[1 << 16];
    tel_desc d = zero();
    tel_sink look;
    memset(&look, 0, sizeof look);
    look.export_fn = look_export;
    look.name = "look";
    d.sinks = &look;
    d.sink_count = 1;
    d.config_json = "{ \"redaction\": { \"keys\": [ \"*pin*\" ], \"with\": \"***\" }, \"counters\": [ { \"name\": \"viewed.calls\" } ],\n"
        "  \"meter_provider\": { \"readers\": [], \"views\": [ { \"selector\": { \"instrument_name\": \"viewed.*\", \"instrument_type\": \"counter\" },\n"
        "    \"stream\": { \"name\": \"seen.calls\", \"attribute_keys\": { \"included\": [ \"route\" ] } } } ] } }";
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK_INT(faults + others + vain, 0);
    TEL_SPAN(s, "pay") { tel_span_set(s, tel_str("my.pin", "1234")); }
    tel_record("viewed.calls", 1, TEL_ATTRS(tel_str("route", "/"), tel_int("code", 200)));
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_STR(redacted, "***");
    CHECK_STR(stream, "seen.calls");
    CHECK_INT(stream_attrs, 1);
    CHECK_INT(start("{ \"providers\": [], \"histograms\": [ { \"name\": \"whole\", \"buckets\": [] }, { \"name\": \"viewed\" } ],\n"
        "  \"meter_provider\": { \"views\": [ { \"selector\": { \"instrument_name\": \"viewed\" },\n"
        "    \"stream\": { \"aggregation\": { \"explicit_bucket_histogram\": { \"boundaries\": [] } } } } ] } }"), TEL_OK);
    tel_record("whole", 7, TEL_NOATTRS);
    tel_record("viewed", 7, TEL_NOATTRS);
    CHECK(tel_prometheus_print(page, sizeof page) < sizeof page);       /* an empty list: one bucket */
    CHECK(strstr(page, "whole_bucket{le=\"+Inf\"} 1") && strstr(page, "viewed_bucket{le=\"+Inf\"} 1"));
    CHECK(!strstr(page, "whole_bucket{le=\"5\"}") && !strstr(page, "viewed_bucket{le=\"5\"}"));
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    REFUSED("{ \"meter_provider\": { \"views\": [ { \"selector\": {}, \"stream\": { \"aggregation\": { \"median\": null } } } ] } }", "is not an object with one key, a known aggregation");
    REFUSED("{ \"meter_provider\": { \"views\": [ { \"stream\": {}, \"selector\": { \"instrument_type\": \"timer\" } } ] } }", "selector.instrument_type: is not known");
    REFUSED("{ \"meter_provider\": { \"views\": [ { \"selector\": {}, \"stream\": { \"aggregation\": { \"explicit_bucket_histogram\": { \"boundaries\": [2, 1] } } } } ] } }",
            "meter_provider.views[0]: its bounds do not ascend");
    REFUSED(T_VIEWS("\"stream\": {}"), ":1:34: meter_provider.views[0].selector: is missing");
    REFUSED(T_VIEWS("\"selector\": { \"unit\": \"s\" }"), ":1:34: meter_provider.views[0].stream: is missing");
    REFUSED("{ \"redaction\": \"all\" }", "redaction: is neither true nor false");
    REFUSED("{ \"providers\": [ { \"name\": \"fallback\", \"type\": \"probe\" }, { \"name\": \"a\", \"type\": \"probe\" } ], \"fallback\": [ \"a\" ] }",
            "fallback: there are two sinks of the name \"fallback\"");
}

/* Every sampler of the schema, and which of them decides about which parent. */
static void samples(const char* sampler, const char* description) {
    tel_settings* s;
    tel__settings_tree tree;
    tel__memory m;
    char text[300] = "";
    tel__memory_init(&m, NULL, 1 << 20);
    CHECK_INT(tel__settings_init(&tree, &m, NULL, "sampler"), TEL_OK);
    CHECK_INT(tel__settings_json_read(&tree, tel__text_of(sampler)), TEL_OK);
    s = tree.root;
    tel_sampler_describe(tel__config_part_sampler(s, false), text, sizeof text);
    CHECK_STR(text, description);
    CHECK_INT(tel__settings_unread(s) + tree.faults, 0);
    tel__settings_free(&tree);
}
/* A composite sampler says in the tracestate what it has decided itself, not what its caller had. */
static void threshold(const char* sampler, const char* ot) {
    char json[200], said[64] = "";
    tel_context parent;
    tel_span_desc d;
    tel_span s;
    memset(&parent, 0, sizeof parent);
    memset(&d, 0, sizeof d);
    parent.trace_id[0] = parent.span_id[0] = parent.flags = parent.remote = 1;
    snprintf(json, sizeof json, "{ \"providers\": [], \"tracer_provider\": { \"sampler\": { \"composite/development\": { \"%s\": {} } } } }", sampler);
    CHECK_INT(start(json), TEL_OK);
    CHECK_INT(tel_tracestate_set(&parent, "ot", "th:8;x:y"), TEL_OK);
    d.name = "child";
    d.parent = &parent;
    s = tel_span_start_ex(&d);
    CHECK_INT(tel_tracestate_get(&s.context, "ot", said, sizeof said), TEL_OK);
    CHECK_STR(said, ot);
    tel_span_end(&s);
    tel_shutdown(1000);
}
static void test_samplers(void) {
    tel_context parent;
    tel_span_desc child;
    tel_span s;
    samples("{ \"always_on\": null }", "AlwaysOnSampler");
    samples("{ \"always_off\": {} }", "AlwaysOffSampler");
    samples("{ \"trace_id_ratio_based\": { \"ratio\": 0.5 } }", "TraceIdRatioBased{0.500000}");
    samples("{ \"trace_id_ratio_based\": null }", "TraceIdRatioBased{1.000000}");
    samples("{ \"probability/development\": { \"ratio\": 0.25 } }", "ProbabilitySampler{0.250000}");
    samples("{ \"composite/development\": { \"always_off\": null } }", "AlwaysOffSampler");
    threshold("always_on", "th:0;x:y");
    threshold("always_off", "x:y");
    samples("{ \"composite/development\": { \"probability\": { \"ratio\": 0.25 } } }", "ProbabilitySampler{0.250000}");
    samples("{ \"composite/development\": { \"parent_threshold\": { \"root\": { \"probability\": { \"ratio\": 0.5 } } } } }",
            "ParentBased{root:ProbabilitySampler{0.500000},remoteParentSampled:AlwaysOnSampler,"
            "remoteParentNotSampled:AlwaysOffSampler,localParentSampled:AlwaysOnSampler,localParentNotSampled:AlwaysOffSampler}");
    samples("{ \"parent_based\": { \"root\": { \"composite/development\": { \"always_on\": null } } } }", "ParentBased{root:AlwaysOnSampler,"
            "remoteParentSampled:AlwaysOnSampler,remoteParentNotSampled:AlwaysOffSampler,localParentSampled:AlwaysOnSampler,"
            "localParentNotSampled:AlwaysOffSampler}");
    REFUSED("{ \"tracer_provider\": { \"sampler\": { \"composite/development\": { \"rule_based\": { \"rules\": [] } } } } }",
            "sampler.composite/development.rule_based: is not known");
    REFUSED("{ \"tracer_provider\": { \"sampler\": { \"jaeger_remote/development\": null } } }", "sampler.jaeger_remote/development: is not known");
    REFUSED("{ \"tracer_provider\": { \"sampler\": { \"composite/development\": { \"parent_threshold\": {} } } } }", "parent_threshold.root: is missing");
    REFUSED("{ \"tracer_provider\": { \"sampler\": { \"composite/development\": { \"trace_id_ratio_based\": null } } } }",
            "composite/development.trace_id_ratio_based: is not known");
    REFUSED("{ \"tracer_provider\": { \"sampler\": { \"probability\": null } } }", "sampler.probability: is not known");
    samples("{ \"rate_limiting\": { \"per_second\": 10 } }", "RateLimitingSampler{10.000000}");
    samples("{ \"always_record\": { \"root\": { \"always_off\": null } } }", "AlwaysRecord{root:AlwaysOffSampler}");
    samples("{ \"parent_based\": null }", "ParentBased{root:AlwaysOnSampler,remoteParentSampled:AlwaysOnSampler,"
            "remoteParentNotSampled:AlwaysOffSampler,localParentSampled:AlwaysOnSampler,localParentNotSampled:AlwaysOffSampler}");
    samples("{ \"parent_based\": { \"root\": { \"rate_limiting\": { \"per_second\": 1 } }, \"remote_parent_sampled\": { \"always_off\": null },"
            "\"remote_parent_not_sampled\": { \"always_on\": null }, \"local_parent_sampled\": { \"trace_id_ratio_based\": { \"ratio\": 0.75 } },"
            "\"local_parent_not_sampled\": { \"probability/development\": {} } } }",
            "ParentBased{root:RateLimitingSampler{1.000000},remoteParentSampled:AlwaysOffSampler,remoteParentNotSampled:AlwaysOnSampler,"
            "localParentSampled:TraceIdRatioBased{0.750000},localParentNotSampled:ProbabilitySampler{1.000000}}");
    CHECK_INT(start("{ \"providers\": [ { \"type\": \"probe\" } ], \"tracer_provider\": { \"processors\": [], \"sampler\": { \"parent_based\": {\n"
        "\"root\": { \"always_off\": null }, \"remote_parent_sampled\": { \"always_off\": null },\n"
        "\"remote_parent_not_sampled\": { \"always_on\": null } } } } }"), TEL_OK);
    CHECK_INT(faults + others + vain, 0);
    CHECK(tel_query_desc().sample_ratio == TEL_NEVER);
    memset(&parent, 0, sizeof parent);
    memset(&child, 0, sizeof child);
    memset(parent.trace_id, 7, 16);
    memset(parent.span_id, 7, 8);
    parent.remote = true;
    child.name = "child";
    child.parent = &parent;
    s = tel_span_start_ex(&child);
    CHECK(tel_span_recording(&s));
    tel_span_end(&s);
    parent.flags = 1;
    s = tel_span_start_ex(&child);
    CHECK(!tel_span_recording(&s));
    tel_span_end(&s);
    s = tel_span_start("root");
    CHECK(!tel_span_recording(&s));
    tel_span_end(&s);
    tel_shutdown(5000);
    REFUSED("{ \"tracer_provider\": { \"sampler\": { \"parent_based\": { \"local_parent_sampled\": { \"magic\": null } } } } }",
            "tracer_provider.sampler.parent_based.local_parent_sampled.magic: is not known");
    REFUSED("{ \"tracer_provider\": { \"sampler\": { \"always_record\": {} } } }", "always_record.root: is missing");
    REFUSED("{ \"tracer_provider\": { \"sampler\": { \"rate_limiting\": {} } } }", "rate_limiting: has no per_second");
    REFUSED("{ \"tracer_provider\": { \"sampler\": { \"always_on\": null, \"always_off\": null } } }", "sampler: is not an object with one key");
}

/* What a desc can switch, a file can switch. */
static void test_switches(void) {
    char name[] = "/tmp/telemetry-lines-XXXXXX", json[600], line[64] = "";
    int fd = mkstemp(name);
    FILE* f;
    tel_desc d;
    CHECK(fd >= 0);
    if (fd < 0) { return; }
    close(fd);
    snprintf(json, sizeof json, "{ \"resource\": { \"schema_url\": \"https://opentelemetry.io/schemas/1.30.0\", \"detection/development\": { \"detectors\": [ { \"service\": null } ] },\n"
        "\"attributes\": [ { \"name\": \"zones\", \"type\": \"string_array\", \"value\": [ \"a\", \"b\" ] }, { \"name\": \"ports\", \"type\": \"int_array\", \"value\": [ 1, 2 ] } ] },\n"
        "\"recent_bytes\": 65536, \"max_series\": 77, \"process_metrics\": true, \"self_metrics\": false, \"tail_sampling\": { \"slower_than\": 60000, \"bytes\": 65536 },\n"
        "\"providers\": [ { \"type\": \"jsonl\", \"config\": { \"output_stream\": \"file://%s\" } } ] }", name);
    d = zero();
    d.no_self_metrics = false;
    d.config_json = json;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK_INT(faults + others + vain, 0);
    d = tel_query_desc();
    CHECK_STR(d.schema_url, "https://opentelemetry.io/schemas/1.30.0");
    CHECK(!resource("host.name"));
    CHECK(resource("service.instance.id") != NULL);
    CHECK(resource("zones") && resource("zones")->type == TEL_TYPE_STRINGS);
    CHECK(resource("ports") && resource("ports")->type == TEL_TYPE_INTS);
    CHECK_INT(d.recent_bytes, 65536);
    CHECK_INT(d.max_series, 77);
    CHECK(d.process_metrics && d.no_self_metrics);
    TEL_SPAN(quick, "quick") { }
    TEL_SPAN(bad, "bad") { tel_span_status(bad, TEL_STATUS_ERROR, NULL); }
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(tel_query_stats().tail_failed, 1);
    CHECK_INT(tel_query_stats().tail_dropped, 1);
    f = fopen(name, "r");
    CHECK(f != NULL && fgets(line, sizeof line, f) != NULL);
    if (f) { fclose(f); }
    CHECK(strncmp(line, "{\"resource", 10) == 0);
    unlink(name);
    REFUSED("{ \"tail_sampling\": { \"bytes\": 1 } }", "tail_sampling.bytes: is not a whole number from 32768");
    REFUSED("{ \"process_metrics\": 1 }", "process_metrics: is neither true nor false");
    REFUSED("{ \"resource\": { \"attributes\": [ { \"name\": \"a\", \"type\": \"int_array\", \"value\": [ \"x\" ] } ] } }", "attributes[0].value[0]: is not a whole number");
    REFUSED("{ \"resource\": { \"attributes\": [ { \"name\": \"a\", \"type\": \"map\", \"value\": 1 } ] } }", "attributes[0].type: is not known");
    REFUSED("{ \"resource\": { \"detection/development\": { \"detectors\": [ { \"moon\": null } ] } } }", "detectors[0].moon: is not known");
    REFUSED("{ \"providers\": [ { \"type\": \"jsonl\", \"config\": { \"output_stream\": \"stderr\" } } ] }", "output_stream: is neither stdout nor file");
}

/* A listener by name, with what it serves; readers with times of their own; what is only known. */
static void test_listener(void) {
    tel_desc d;
    CHECK_INT(start("{ \"recent_bytes\": 65536, \"providers\": [ { \"type\": \"listener\", \"config\": { \"host\": \"127.0.0.1\", \"port\": 0, \"query\": true,\n"
        "\"ingest\": true, \"token\": \"t\", \"ingest_prefix\": \"p.\", \"ingest_per_second\": 5, \"ingest_expiry\": 1000,\n"
        "\"translation_strategy\": \"no_translation/development\", \"target_info_enabled/development\": false } } ] }"), TEL_OK);
    CHECK_INT(faults + others + vain, 0);
    CHECK(tel_prometheus_port() != 0);
    CHECK_INT(tel_query_spans(NULL, NULL), TEL_ERR_ARGUMENT);
    tel_shutdown(5000);
    CHECK_INT(start("{ \"log_level\": \"fatal\", \"tracer_provider\": { \"id_generator\": { \"random\": null }, \"processors\": [] },\n"
        "\"meter_provider\": { \"readers\": [ { \"periodic\": { \"interval\": 1000, \"timeout\": 0, \"cardinality_limits\": { \"default\": 9 },\n"
        "\"exporter\": { \"console\": { \"temporality_preference\": \"delta\" } } } },\n"
        "{ \"periodic\": { \"interval\": 3000, \"exporter\": { \"otlp_http\": { \"endpoint\": \"http://127.0.0.1:1/\" } } } } ] } }"), TEL_OK);
    CHECK_INT(faults + others + vain, 0);
    d = tel_query_desc();
    CHECK_INT(d.max_series, 2000);
    CHECK_INT(d.sinks[0].max_series, 9);
    CHECK_INT(d.sinks[1].max_series, 0);
    CHECK_INT(d.sinks[0].metric_interval_ms, 1000);
    CHECK_INT(d.sinks[0].metric_timeout_ms, TEL_FOREVER);
    CHECK_INT(d.sinks[0].temporality, TEL_TEMPORALITY_DELTA);
    CHECK_INT(d.sinks[1].metric_interval_ms, 3000);
    tel_shutdown(100);
    CHECK_INT(start("{ \"attribute_limits\": { \"attribute_value_depth_limit\": 3 },\n"
        "\"tracer_provider\": { \"tracer_configurator/development\": { \"tracers\": [] }, \"processors\": [ { \"batch\": { \"schedule_delay\": 77, \"exporter\": { \"probe\": null } } },\n"
        "  { \"batch\": { \"schedule_delay\": 88, \"exporter\": { \"probe\": null } } } ] },\n"
        "\"meter_provider\": { \"readers\": [ { \"periodic\": { \"exporter\": { \"otlp_http\": { \"endpoint\": \"http://127.0.0.1:1/\", \"max_response_size\": 9,\n"
        "  \"default_histogram_aggregation\": \"base2_exponential_bucket_histogram\" } } } } ] } }"), TEL_OK);
    CHECK_INT(faults + others, 0);
    CHECK_INT(vain, 4);
    CHECK_INT(tel_query_desc().batch_interval_ms, 77);
    CHECK_INT(tel_query_desc().sinks[2].aggregation[TEL_KIND_HISTOGRAM], TEL_AGGREGATE_EXPONENTIAL);
    tel_shutdown(100);
}

/* Of the logs of a span that is not sampled those of lib are recorded, those of lib2 are not, and those of the program if so said. */
static void check_sampled(tel_severity severity, bool program) {
    static const tel_scope lib = { "lib", NULL, NULL, { NULL, 0 } }, lib2 = { "lib2", NULL, NULL, { NULL, 0 } };
    static const tel_scope* const scopes[3] = { &lib, &lib2, NULL };
    tel_context dark;
    tel_log_desc d;
    int i;
    memset(&dark, 0, sizeof dark);
    memset(dark.trace_id, 1, sizeof dark.trace_id);
    memset(dark.span_id, 1, sizeof dark.span_id);
    memset(&d, 0, sizeof d);
    d.severity = severity;
    for (i = 0; i < 6; i++) {
        bool wanted = i < 3 || scopes[i - 3] == &lib || (!scopes[i - 3] && program);
        uint64_t before = tel_query_stats().recorded[2];
        d.scope = scopes[i % 3];
        d.context = i < 3 ? NULL : &dark;
        CHECK_INT(tel_log_enabled_ex(&d), wanted);
        tel_log_ex(&d);
        CHECK_INT(tel_query_stats().recorded[2] - before, wanted);
    }
    TEL_ATTACH(&dark) {
        uint64_t before = tel_query_stats().recorded[2];
        tel_log(severity, "plain", TEL_NOATTRS);
        tel_logf(severity, "format %d", 1);
        CHECK_INT(tel_query_stats().recorded[2] - before, program ? 2 : 0);
    }
}

static void test_levels(void) {
    CHECK_INT(start("{ \"providers\": [ { \"type\": \"probe\" } ], \"logger_provider\": { \"logger_configurator/development\": {\n"
        "  \"default_config\": { \"minimum_severity\": \"warn\" }, \"loggers\": [ { \"name\": \"lib\", \"config\": { \"minimum_severity\": \"debug2\" } } ] } } }"), TEL_OK);
    CHECK_INT(faults + others + vain, 0);
    CHECK(!tel_log_enabled(TEL_INFO));
    CHECK(tel_log_enabled(TEL_WARN));
    tel_shutdown(5000);
    CHECK_INT(start("{ \"providers\": [ { \"type\": \"probe\" } ], \"logger_provider\": { \"logger_configurator/development\": {\n"
        "  \"default_config\": { \"enabled\": false } } } }"), TEL_OK);
    CHECK(!tel_log_enabled(TEL_FATAL));
    tel_shutdown(5000);
    CHECK_INT(start("{ \"providers\": [ { \"type\": \"probe\" } ], \"logger_provider\": { \"logger_configurator/development\": {\n"
        "  \"default_config\": { \"minimum_severity\": \"warn\", \"trace_based\": true }, \"loggers\": [ { \"name\": \"lib\", \"config\": {} },\n"
        "  { \"name\": \"l*2\", \"config\": { \"trace_based\": true } } ] } } }"), TEL_OK);
    CHECK_INT(faults + others + vain, 0);
    check_sampled(TEL_WARN, false);
    CHECK(!tel_log_enabled(TEL_INFO));
    CHECK_INT(tel_log_level("*", TEL_INFO), TEL_OK);    /* says nothing about spans */
    CHECK_INT(tel_log_level("lib2", TEL_INFO), TEL_OK);
    check_sampled(TEL_INFO, false);
    tel_shutdown(5000);
    CHECK_INT(start("{ \"providers\": [ { \"type\": \"probe\" } ], \"logger_provider\": { \"logger_configurator/development\": {\n"
        "  \"loggers\": [ { \"name\": \"*2\", \"config\": { \"trace_based\": true } } ] } } }"), TEL_OK);
    check_sampled(TEL_TRACE, true);
    tel_shutdown(5000);
    REFUSED("{ \"logger_provider\": { \"logger_configurator/development\": { \"default_config\": { \"minimum_severity\": \"loud\" } } } }",
            "minimum_severity: \"loud\" is no severity");
    REFUSED("{ \"logger_provider\": { \"logger_configurator/development\": { \"loggers\": [ { \"config\": {} } ] } } }", "loggers[0].name: is missing");
    REFUSED("{ \"logger_provider\": { \"logger_configurator/development\": { \"loggers\": [ { \"name\": \"a\" } ] } } }", "loggers[0].config: is missing");
    REFUSED("{ \"logger_provider\": { \"logger_configurator/development\": { \"loggers\": [ { \"name\": \"a\", \"config\": null } ] } } }", "loggers[0].config: is missing");
}

/* ---- what is wrong with one ---- */

static void test_refused(void) {
    REFUSED("", "tel_desc.config_json:1:1: a value is due here");
    REFUSED("{ \"a\" }", ":1:7: a colon is due here");
    REFUSED("{ \"tracer_provder\": {} }", ":1:3: tracer_provder: is not known");
    REFUSED("{ \"tracer_provider\": 5 }", ":1:3: tracer_provider: is not an object");
    REFUSED("{ \"resource\": \"x\" }", ":1:3: resource: is not an object");
    REFUSED("{\n \"max_threads\": 0 }", ":2:2: max_threads: \"0\" is not a whole number from 1");
    REFUSED("{ \"max_threads\": \"many\" }", "max_threads: is not a whole number");
    REFUSED("{ \"ring_bytes\": 5000 }", "ring_bytes: \"5000\" is not a power of two");
    REFUSED("{ \"disabled\": \"maybe\" }", "disabled: is neither true nor false");
    REFUSED("{ \"log_level\": \"loud\" }", "log_level: \"loud\" is not");
    REFUSED("{ \"file_format\": \"2.0\" }", "file_format: \"2.0\" is not 1.0 or 1.1");
    REFUSED("{ \"tracer_provider\": { \"sampler\": { \"trace_id_ratio_based\": { \"ratio\": 2 } } } }", "sampler");
    REFUSED("{ \"tracer_provider\": { \"sampler\": { \"magic\": null } } }", "tracer_provider.sampler.magic: is not known");
    REFUSED("{ \"propagator\": { \"composite_list\": \"tracecontext,magic\" } }", "magic");
    REFUSED("{ \"propagator\": { \"composite\": [ { \"magic\": null } ] } }", "propagator.composite: \"magic\"");
    REFUSED("{ \"providers\": [ { \"type\": \"nosuch\" } ] }", ":1:18: providers[0]: there is no type \"nosuch\"");
    REFUSED("{ \"providers\": [ { \"name\": \"x\" } ] }", "providers[0].type: is missing");
    REFUSED("{ \"providers\": { } }", "providers: is not a list");
    REFUSED("{ \"providers\": [ { \"type\": \"probe\" }, { \"type\": \"probe\" } ] }", "providers[1]: there are two sinks of the name \"probe\"");
    REFUSED("{ \"providers\": [ { \"type\": \"probe\", \"config\": { \"depth\": 10 } } ] }", "providers[0].config.depth: is not a whole number from 1 to 9");
    REFUSED("{ \"providers\": [ { \"type\": \"probe\", \"config\": { \"dept\": 1 } } ] }", "providers[0].config.dept: is not known");
    REFUSED("{ \"providers\": [ { \"type\": \"probe\", \"conf\": 1 } ] }", "providers[0].conf: is not known");
    REFUSED("{ \"providers\": [ { \"type\": \"otlp\", \"config\": { \"endpoint\": \"nowhere\" } } ] }", "endpoint: is not a URL");
    REFUSED("{ \"providers\": [ { \"type\": \"otlp\", \"config\": { \"compression\": \"zip\" } } ] }", "compression: is not known: \"zip\"");
    REFUSED("{ \"providers\": [ { \"type\": \"prometheus\", \"config\": { \"port\": 70000 } } ] }", "port: is not a whole number from 0 to 65535");
    REFUSED("{ \"active\": \"x\", \"providers\": [ { \"type\": \"probe\" } ] }", "active: there is no provider \"x\"");
    REFUSED("{ \"active\": \"b\", \"fallback\": [ \"a\", \"b\" ], \"providers\": [ { \"name\": \"a\", \"type\": \"probe\" }, { \"name\": \"b\", \"type\": \"probe\" } ] }",
            "fallback[1]: cannot be \"active\" by itself");
    REFUSED("{ \"fallback\": [ \"a\", \"b\" ], \"providers\": [ { \"name\": \"a\", \"type\": \"probe\", \"enabled\": false }, { \"name\": \"b\", \"type\": \"probe\" } ] }",
            "fallback[0]: there is no provider \"a\" that is enabled");
    CHECK_INT(start("{ \"active\": \"b\", \"fallback\": [ \"a\" ], \"providers\": [ { \"name\": \"a\", \"type\": \"probe\" }, { \"name\": \"b\", \"type\": \"probe\" } ] }"), TEL_OK);
    CHECK_INT(state_of("fallback"), TEL_SINK_DISABLED);         /* the one that is active is the only one */
    CHECK_INT(state_of("b"), TEL_SINK_READY);
    tel_shutdown(5000);
    CHECK_INT(start("{ \"active\": \"fallback\", \"fallback\": [ \"a\" ], \"providers\": [ { \"name\": \"a\", \"type\": \"probe\" }, { \"name\": \"b\", \"type\": \"probe\" } ] }"), TEL_OK);
    CHECK_INT(state_of("fallback"), TEL_SINK_READY);
    CHECK_INT(state_of("b"), TEL_SINK_DISABLED);
    tel_shutdown(5000);
    REFUSED("{ \"tracer_provider\": { \"processors\": [ { \"batch\": { } } ] } }", "exporter: is not an object with one key");
    REFUSED("{ \"tracer_provider\": { \"processors\": [ { \"batch\": { \"exporter\": { \"otlp_grpc\": null } } } ] } }", "no type \"otlp_grpc\"");
    REFUSED("{ \"tracer_provider\": { \"processors\": [ { \"fast\": { } } ] } }", "is none of batch");
    REFUSED("{ \"tracer_provider\": { \"processors\": [ { \"batch\": { \"exporter\": { \"prometheus\": null } } } ] } }", "does not take this signal");
    REFUSED("{ \"resource\": { \"attributes\": [ { \"value\": 1 } ] } }", "resource.attributes[0].name: is missing");
    REFUSED("{ \"service_name\": \"${1X}\" }", "${NAME}");
}

/* Samplers are bounded in depth and number, and what nests deeper than a document may is not read at all. */
static void test_nesting(void) {
    static const char many[] = "{ \"parent_based\": { \"root\": %s, \"remote_parent_sampled\": %s, \"local_parent_sampled\": %s } }";
    static const char* on = "{ \"always_on\": null }";
    static char json[20000], one[1024], two[4096], three[16384];
    tel__text_out o = tel__text_fixed(json, sizeof json - 1);
    int i, deep;
    for (deep = 12; deep <= 16; deep += 4) {
        o.size = 0;
        tel__text_put_cstr(&o, "{ \"providers\": [], \"tracer_provider\": { \"sampler\": ");
        for (i = 0; i < deep; i++) { tel__text_put_cstr(&o, "{ \"parent_based\": { \"root\": "); }
        tel__text_put_cstr(&o, on);
        for (i = 0; i < 2 * deep + 2; i++) { tel__text_put_cstr(&o, " }"); }
        json[o.size] = 0;
        if (deep == 16) { REFUSED(json, "nested deeper than 32"); continue; }
        CHECK_INT(start(json), TEL_OK);
        tel_shutdown(1000);
    }
    snprintf(one, sizeof one, many, on, on, on);
    snprintf(two, sizeof two, many, one, one, one);             /* 13 in all */
    snprintf(json, sizeof json, "{ \"providers\": [], \"tracer_provider\": { \"sampler\": %s } }", two);
    CHECK_INT(start(json), TEL_OK);
    tel_shutdown(1000);
    snprintf(three, sizeof three, many, two, two, on);          /* 28 */
    snprintf(json, sizeof json, "{ \"providers\": [], \"tracer_provider\": { \"sampler\": %s } }", three);
    REFUSED(json, "tracer_provider.sampler: sampler: too many in one another");
}

/* ---- types ---- */

/* Every key of a configuration and what belongs there: (t)ext, (w)ord or number in text, (b)ool, whole number (i), (r)eal, (l)ist,
   (o)bject, object or bool (B). %s stands for the value. null is the default of each, but for a list whose elements matter. */
static const struct { char kind; const char *json, *key; } types[] = {
    { 't', "{ \"file_format\": %s }", "file_format" }, { 't', "{ \"service_name\": %s }", "service_name" },
    { 't', "{ \"service_version\": %s }", "service_version" }, { 'b', "{ \"disabled\": %s }", "disabled" },
    { 't', "{ \"log_level\": %s }", "log_level" }, { 'b', "{ \"self_metrics\": %s }", "self_metrics" },
    { 'b', "{ \"process_metrics\": %s }", "process_metrics" }, { 't', "{ \"active\": %s }", "active" },
    { 'l', "{ \"fallback\": %s }", "fallback" }, { 't', "{ \"fallback\": [ %s ] }", "fallback[0]" },
    { 'i', "{ \"ring_bytes\": %s }", "ring_bytes" }, { 'i', "{ \"max_threads\": %s }", "max_threads" },
    { 'i', "{ \"max_series\": %s }", "max_series" }, { 'i', "{ \"metric_batch_points\": %s }", "metric_batch_points" },
    { 'i', "{ \"series_expiry\": %s }", "series_expiry" }, { 'i', "{ \"max_live_spans\": %s }", "max_live_spans" },
    { 'i', "{ \"recent_bytes\": %s }", "recent_bytes" }, { 'i', "{ \"memory_limit\": %s }", "memory_limit" },
    { 'B', "{ \"redaction\": %s }", "redaction" }, { 'l', "{ \"redaction\": { \"keys\": %s } }", "redaction.keys" },
    { 't', "{ \"redaction\": { \"keys\": [ %s ] } }", "redaction.keys[0]" },
    { 'l', "{ \"redaction\": { \"values\": %s } }", "redaction.values" }, { 't', "{ \"redaction\": { \"with\": %s } }", "redaction.with" },
    { 'B', "{ \"tail_sampling\": %s }", "tail_sampling" },
    { 'i', "{ \"tail_sampling\": { \"slower_than\": %s } }", "tail_sampling.slower_than" },
    { 'i', "{ \"tail_sampling\": { \"bytes\": %s } }", "tail_sampling.bytes" },
    { 'o', "{ \"attribute_limits\": %s }", "attribute_limits" },
    { 'i', "{ \"attribute_limits\": { \"attribute_count_limit\": %s } }", "attribute_limits.attribute_count_limit" },
    { 'i', "{ \"attribute_limits\": { \"attribute_value_length_limit\": %s } }", "attribute_limits.attribute_value_length_limit" },
    { 'o', "{ \"resource\": %s }", "resource" }, { 'l', "{ \"resource\": { \"attributes\": %s } }", "resource.attributes" },
    { 'o', "{ \"resource\": { \"attributes\": [ %s ] } }", "resource.attributes[0]" },
    { 't', "{ \"resource\": { \"attributes\": [ { \"value\": \"v\", \"name\": %s } ] } }", "resource.attributes[0].name" },
    { 't', "{ \"resource\": { \"attributes\": [ { \"name\": \"n\", \"value\": \"v\", \"type\": %s } ] } }", "resource.attributes[0].type" },
    { 'n', "{ \"resource\": { \"attributes\": [ { \"name\": \"n\", \"type\": \"int\", \"value\": %s } ] } }", "resource.attributes[0].value" },
    { 'r', "{ \"resource\": { \"attributes\": [ { \"name\": \"n\", \"type\": \"double\", \"value\": %s } ] } }", "resource.attributes[0].value" },
    { 'b', "{ \"resource\": { \"attributes\": [ { \"name\": \"n\", \"type\": \"bool\", \"value\": %s } ] } }", "resource.attributes[0].value" },
    { 't', "{ \"resource\": { \"attributes\": [ { \"name\": \"n\", \"value\": %s } ] } }", "resource.attributes[0].value" },
    { 'l', "{ \"resource\": { \"attributes\": [ { \"name\": \"n\", \"type\": \"bool_array\", \"value\": %s } ] } }", "resource.attributes[0].value" },
    { 't', "{ \"resource\": { \"attributes\": [ { \"name\": \"n\", \"type\": \"string_array\", \"value\": [ %s ] } ] } }", "resource.attributes[0].value[0]" },
    { 't', "{ \"resource\": { \"attributes_list\": %s } }", "resource.attributes_list" },
    { 't', "{ \"resource\": { \"schema_url\": %s } }", "resource.schema_url" },
    { 'o', "{ \"resource\": { \"detection/development\": %s } }", "resource.detection/development" },
    { 'l', "{ \"resource\": { \"detection/development\": { \"detectors\": %s } } }", "detectors" },
    { 'o', "{ \"propagator\": %s }", "propagator" }, { 'l', "{ \"propagator\": { \"composite\": %s } }", "propagator.composite" },
    { 'o', "{ \"propagator\": { \"composite\": [ %s ] } }", "propagator.composite[0]" },
    { 't', "{ \"propagator\": { \"composite_list\": %s } }", "propagator.composite_list" },
    { 'o', "{ \"propagator\": { \"composite\": [ { \"b3\": %s } ] } }", "propagator.composite[0].b3" },
    { 'o', "{ \"providers\": [ { \"type\": \"plain\", \"config\": %s } ] }", "providers[0].config" },
    { 'o', "{ \"tracer_provider\": { \"id_generator\": { \"random\": %s } } }", "id_generator.random" },
    { 'o', "{ \"resource\": { \"detection/development\": { \"detectors\": [ { \"host\": %s } ] } } }", "detectors[0].host" },
    { 'o', "{ \"tracer_provider\": %s }", "tracer_provider" }, { 'o', "{ \"meter_provider\": %s }", "meter_provider" },
    { 'o', "{ \"logger_provider\": %s }", "logger_provider" },
    { 'l', "{ \"tracer_provider\": { \"processors\": %s } }", "tracer_provider.processors" },
    { 'l', "{ \"meter_provider\": { \"readers\": %s } }", "meter_provider.readers" },
    { 'o', "{ \"tracer_provider\": { \"processors\": [ %s ] } }", "tracer_provider.processors[0]" },
    { 'o', "{ \"tracer_provider\": { \"processors\": [ { \"batch\": %s } ] } }", "tracer_provider.processors[0].batch" },
    { 'o', "{ \"meter_provider\": { \"readers\": [ { \"pull\": %s } ] } }", "meter_provider.readers[0].pull" },
    { 'o', "{ \"tracer_provider\": { \"processors\": [ { \"batch\": { \"exporter\": %s } } ] } }", "tracer_provider.processors[0].batch.exporter" },
    { 'o', "{ \"tracer_provider\": { \"processors\": [ { \"batch\": { \"exporter\": { \"probe\": %s } } } ] } }", "batch.exporter.probe" },
    { 'i', T_BATCH("tracer", "\"schedule_delay\": %s,"), "schedule_delay" }, { 'i', T_BATCH("tracer", "\"export_timeout\": %s,"), "export_timeout" },
    { 'i', T_BATCH("tracer", "\"max_queue_size\": %s,"), "max_queue_size" }, { 'i', T_BATCH("tracer", "\"max_export_batch_size\": %s,"), "max_export_batch_size" },
    { 'i', T_BATCH("logger", "\"schedule_delay\": %s,"), "schedule_delay" }, { 'i', T_BATCH("logger", "\"export_timeout\": %s,"), "export_timeout" },
    { 'i', T_BATCH("logger", "\"max_queue_size\": %s,"), "max_queue_size" }, { 'i', T_BATCH("logger", "\"max_export_batch_size\": %s,"), "max_export_batch_size" },
    { 'i', T_READER("\"interval\": %s,"), "interval" }, { 'i', T_READER("\"timeout\": %s,"), "timeout" },
    { 'o', T_READER("\"cardinality_limits\": %s,"), "cardinality_limits" }, { 'i', T_READER("\"cardinality_limits\": { \"default\": %s },"), "cardinality_limits.default" },
    { 't', "{ \"meter_provider\": { \"exemplar_filter\": %s } }", "meter_provider.exemplar_filter" },
    { 'o', "{ \"tracer_provider\": { \"limits\": %s } }", "tracer_provider.limits" },
    { 'i', "{ \"tracer_provider\": { \"limits\": { \"attribute_count_limit\": %s } } }", "limits.attribute_count_limit" },
    { 'i', "{ \"tracer_provider\": { \"limits\": { \"attribute_value_length_limit\": %s } } }", "limits.attribute_value_length_limit" },
    { 'i', "{ \"tracer_provider\": { \"limits\": { \"event_count_limit\": %s } } }", "limits.event_count_limit" },
    { 'i', "{ \"tracer_provider\": { \"limits\": { \"link_count_limit\": %s } } }", "limits.link_count_limit" },
    { 'i', "{ \"tracer_provider\": { \"limits\": { \"event_attribute_count_limit\": %s } } }", "limits.event_attribute_count_limit" },
    { 'i', "{ \"tracer_provider\": { \"limits\": { \"link_attribute_count_limit\": %s } } }", "limits.link_attribute_count_limit" },
    { 'i', "{ \"logger_provider\": { \"limits\": { \"attribute_count_limit\": %s } } }", "limits.attribute_count_limit" },
    { 'i', "{ \"logger_provider\": { \"limits\": { \"attribute_value_length_limit\": %s } } }", "limits.attribute_value_length_limit" },
    { 'o', "{ \"tracer_provider\": { \"sampler\": %s } }", "tracer_provider.sampler" },
    { 'o', T_SAMPLER("\"always_on\": %s"), "sampler.always_on" }, { 'o', T_SAMPLER("\"trace_id_ratio_based\": %s"), "trace_id_ratio_based" },
    { 'r', T_SAMPLER("\"trace_id_ratio_based\": { \"ratio\": %s }"), "ratio" }, { 'o', T_SAMPLER("\"parent_based\": %s"), "sampler.parent_based" },
    { 'r', T_SAMPLER("\"probability/development\": { \"ratio\": %s }"), "ratio" }, { 'o', T_SAMPLER("\"parent_based\": { \"root\": %s }"), "sampler.parent_based.root" },
    { 'o', T_SAMPLER("\"parent_based\": { \"local_parent_sampled\": %s }"), "local_parent_sampled" },
    { 'o', T_SAMPLER("\"composite/development\": %s"), "composite/development" },
    { 'r', T_SAMPLER("\"composite/development\": { \"probability\": { \"ratio\": %s } }"), "probability.ratio" },
    { 'o', T_SAMPLER("\"composite/development\": { \"parent_threshold\": %s }"), "parent_threshold" },
    { 'o', "{ \"tracer_provider\": { \"id_generator\": %s } }", "tracer_provider.id_generator" },
    { 'l', "{ \"meter_provider\": { \"views\": %s } }", "meter_provider.views" }, { 'o', "{ \"meter_provider\": { \"views\": [ %s ] } }", "meter_provider.views[0]" },
    { 'o', T_SELECTOR("%s"), "views[0].selector" }, { 'o', T_STREAM("%s"), "views[0].stream" },
    { 't', T_SELECTOR("{ \"instrument_name\": %s }"), "instrument_name" }, { 't', T_SELECTOR("{ \"unit\": %s }"), "unit" },
    { 't', T_SELECTOR("{ \"meter_name\": %s }"), "meter_name" }, { 't', T_SELECTOR("{ \"instrument_type\": %s }"), "instrument_type" },
    { 't', T_SELECTOR("{ \"meter_version\": %s }"), "meter_version" }, { 't', T_SELECTOR("{ \"meter_schema_url\": %s }"), "meter_schema_url" },
    { 't', T_VIEWS("\"selector\": { \"instrument_name\": \"n\" }, \"stream\": { \"name\": %s }"), "stream.name" }, { 't', T_STREAM("{ \"description\": %s }"), "description" },
    { 'i', T_STREAM("{ \"aggregation_cardinality_limit\": %s }"), "aggregation_cardinality_limit" },
    { 'o', T_STREAM("{ \"attribute_keys\": %s }"), "attribute_keys" }, { 'l', T_STREAM("{ \"attribute_keys\": { \"included\": %s } }"), "included" },
    { 't', T_STREAM("{ \"attribute_keys\": { \"excluded\": [ %s ] } }"), "excluded[0]" },
    { 'o', T_STREAM("{ \"aggregation\": %s }"), "stream.aggregation" }, { 'o', T_STREAM("{ \"aggregation\": { \"sum\": %s } }"), "aggregation.sum" },
    { 'l', T_STREAM("{ \"aggregation\": { \"explicit_bucket_histogram\": { \"boundaries\": %s } } }"), "boundaries" },
    { 'r', T_STREAM("{ \"aggregation\": { \"explicit_bucket_histogram\": { \"boundaries\": [ %s ] } } }"), "boundaries[0]" },
    { 'b', T_STREAM("{ \"aggregation\": { \"explicit_bucket_histogram\": { \"record_min_max\": %s } } }"), "record_min_max" },
    { 'i', T_STREAM("{ \"aggregation\": { \"base2_exponential_bucket_histogram\": { \"max_size\": %s } } }"), "max_size" },
    { 'l', "{ \"providers\": %s }", "providers" }, { 'o', "{ \"providers\": [ %s ] }", "providers[0]" },
    { 't', "{ \"providers\": [ { \"type\": \"probe\", \"name\": %s } ] }", "providers[0].name" },
    { 't', "{ \"providers\": [ { \"type\": %s } ] }", "providers[0].type" }, { 'b', "{ \"providers\": [ { \"type\": \"probe\", \"enabled\": %s } ] }", "providers[0].enabled" },
    { 'l', "{ \"providers\": [ { \"type\": \"probe\", \"signals\": %s } ] }", "providers[0].signals" },
    { 't', "{ \"providers\": [ { \"type\": \"probe\", \"signals\": [ %s ] } ] }", "providers[0].signals[0]" },
    { 'o', "{ \"providers\": [ { \"type\": \"probe\", \"config\": %s } ] }", "providers[0].config" },
    { 'i', "{ \"providers\": [ { \"type\": \"probe\", \"config\": { \"depth\": %s } } ] }", "providers[0].config.depth" },
    { 't', T_OTLP("\"endpoint\": %s"), "endpoint" }, { 't', T_OTLP("\"headers_list\": %s"), "headers_list" }, { 'l', T_OTLP("\"headers\": %s"), "headers" },
    { 'o', T_OTLP("\"headers\": [ %s ]"), "headers[0]" }, { 't', T_OTLP("\"headers\": [ { \"name\": %s, \"value\": \"v\" } ]"), "headers[0].name" },
    { 't', T_OTLP("\"headers\": [ { \"name\": \"n\", \"value\": %s } ]"), "headers[0].value" },
    { 't', T_OTLP("\"compression\": %s"), "compression" }, { 'i', T_OTLP("\"timeout\": %s"), "timeout" }, { 't', T_OTLP("\"encoding\": %s"), "encoding" },
    { 't', T_OTLP("\"protocol\": %s"), "protocol" }, { 'o', T_OTLP("\"tls\": %s"), "config.tls" }, { 't', T_OTLP("\"tls\": { \"ca_file\": %s }"), "tls.ca_file" },
    { 't', T_OTLP("\"tls\": { \"cert_file\": %s }"), "tls.cert_file" }, { 't', T_OTLP("\"tls\": { \"key_file\": %s }"), "tls.key_file" },
    { 'b', T_OTLP("\"tls\": { \"insecure\": %s }"), "tls.insecure" }, { 'i', T_OTLP("\"queue_bytes\": %s"), "queue_bytes" },
    { 'i', T_OTLP("\"max_request_size\": %s"), "max_request_size" }, { 'i', T_OTLP("\"retry_first\": %s"), "retry_first" },
    { 'i', T_OTLP("\"retry_most\": %s"), "retry_most" }, { 'i', T_OTLP("\"breaker_failures\": %s"), "breaker_failures" }, { 'i', T_OTLP("\"breaker\": %s"), "breaker" },
    { 'r', T_OTLP("\"requests_per_second\": %s"), "requests_per_second" }, { 'i', T_OTLP("\"max_response_size\": %s"), "max_response_size" },
    { 't', T_OTLP("\"temporality_preference\": %s"), "temporality_preference" }, { 't', T_OTLP("\"default_histogram_aggregation\": %s"), "default_histogram_aggregation" },
    { 't', T_PAGE("\"host\": %s"), "host" }, { 'i', T_PAGE("\"port\": %s"), "port" }, { 't', T_PAGE("\"path\": %s"), "path" }, { 't', T_PAGE("\"prefix\": %s"), "prefix" },
    { 'b', T_PAGE("\"created\": %s"), "created" }, { 'b', T_PAGE("\"scope_info_enabled\": %s"), "scope_info_enabled" }, { 'b', T_LISTENER("\"query\": %s"), "query" },
    { 'b', T_LISTENER("\"ingest\": %s"), "ingest" }, { 't', T_LISTENER("\"token\": %s"), "token" }, { 't', T_LISTENER("\"ingest_prefix\": %s"), "ingest_prefix" },
    { 'i', T_LISTENER("\"ingest_per_second\": %s"), "ingest_per_second" }, { 'i', T_LISTENER("\"ingest_expiry\": %s"), "ingest_expiry" }, { 't', T_PAGE("\"translation_strategy\": %s"), "translation_strategy" },
    { 't', T_TRACE("\"path\": %s"), "path" }, { 't', T_FILE("\"output_stream\": %s"), "output_stream" },
    { 'l', "{ \"counters\": %s }", "counters" }, { 'l', "{ \"metrics\": %s }", "metrics" }, { 'o', "{ \"gauges\": [ %s ] }", "gauges[0]" },
    { 't', "{ \"counters\": [ { \"name\": \"n\", \"unit\": %s } ] }", "counters[0].unit" }, { 't', "{ \"counters\": [ { \"name\": \"n\", \"description\": %s } ] }", "description" },
    { 't', "{ \"counters\": [ { \"name\": %s } ] }", "counters[0].name" }, { 't', "{ \"metrics\": [ { \"name\": \"n\", \"kind\": %s } ] }", "metrics[0].kind" },
    { 'b', "{ \"counters\": [ { \"name\": \"n\", \"capture\": %s } ] }", "capture" }, { 'b', "{ \"counters\": [ { \"name\": \"n\", \"real\": %s } ] }", "real" },
    { 'l', "{ \"histograms\": [ { \"name\": \"h.types\", \"buckets\": %s } ] }", "buckets" }, { 'r', "{ \"histograms\": [ { \"name\": \"h.items\", \"buckets\": [ %s ] } ] }", "buckets[0]" },
    { 'o', "{ \"logger_provider\": { \"logger_configurator/development\": %s } }", "logger_configurator/development" },
    { 'o', "{ \"logger_provider\": { \"logger_configurator/development\": { \"default_config\": %s } } }", "default_config" },
    { 'l', "{ \"logger_provider\": { \"logger_configurator/development\": { \"loggers\": %s } } }", "loggers" },
    { 'o', "{ \"logger_provider\": { \"logger_configurator/development\": { \"loggers\": [ %s ] } } }", "loggers[0]" },
    { 't', "{ \"logger_provider\": { \"logger_configurator/development\": { \"loggers\": [ { \"name\": %s, \"config\": {} } ] } } }", "loggers[0].name" },
    { 't', "{ \"logger_provider\": { \"logger_configurator/development\": { \"default_config\": { \"minimum_severity\": %s } } } }", "minimum_severity" },
    { 'b', "{ \"logger_provider\": { \"logger_configurator/development\": { \"default_config\": { \"enabled\": %s } } } }", "enabled" }
};
/* Values, and to which kinds they are wrong. */
static const struct { const char *text, *wrong; } values[] = {
    { "true", "tinrlo" }, { "5", "tblBo" }, { "-1", "itblBo" }, { "5.5", "intblBo" }, { "1e30", "intblBo" }, { "99999999999999999999", "intblBo" },
    { "\"zz\"", "binrlBo" }, { "\"5\"", "binrlBo" }, { "[5]", "tbinrBo" }, { "[]", "tbinrBo" }, { "{\"zz\": 5}", "tbinrl" }, { "{}", "tbinrl" }
};

/* null: as if the key were absent, which only those that are required are reported for. */
static void absent(const char* json, const char* key) {
    static const char* const required[] = { "exporter", "providers[0].type", "attributes[0].name", "headers[0].name", "counters[0].name", "metrics[0].kind",
                                            "processors[0].batch", "readers[0].pull", "headers[0].value", "parent_threshold", "views[0].selector",
                                            "views[0].stream", "loggers[0].name" };
    tel_result r = start(json);
    size_t i;
    for (i = 0; i < sizeof required / sizeof required[0]; i++) {
        size_t n = strlen(required[i]), k = strlen(key);
        if (k >= n && strcmp(key + k - n, required[i]) == 0) { break; }
    }
    if (i == sizeof required / sizeof required[0]) { check__int(r, TEL_OK, __FILE__, __LINE__, json); }
    else { check__int(faults, r == TEL_OK ? 0 : 1, __FILE__, __LINE__, json); }
    if (r == TEL_OK) { tel_shutdown(1000); }
}
/* One diagnostic, with its place and key, for each value of a wrong type; nothing is applied. null is as if the key were absent. */
static void test_types(void) {
    char json[1024];
    size_t i, k;
    for (i = 0; i < sizeof types / sizeof types[0]; i++) {
        for (k = 0; k < sizeof values / sizeof values[0]; k++) {
            if (!strchr(values[k].wrong, types[i].kind)) { continue; }
            snprintf(json, sizeof json, types[i].json, values[k].text);
            refused(json, types[i].key, (int)i);
            check__note(strstr(last, "tel_desc.config_json:1:") != NULL, json, (int)i, "the place");
        }
        if (strchr(types[i].key, ']') && types[i].key[strlen(types[i].key) - 1] == ']') { continue; }   /* an element is not left out */
        snprintf(json, sizeof json, types[i].json, "null");
        absent(json, types[i].key);
    }
}

/* Each of several faults is named, and a sink that cannot be opened ends it with all others closed again. */
static void test_several(void) {
    CHECK_INT(start("{ \"a\": 1, \"max_threads\": -1, \"providers\": [ { \"type\": \"x\" } ] }"), TEL_ERR_ARGUMENT);
    CHECK_INT(faults, 3);
    CHECK_INT(start("{ \"providers\": [ { \"type\": \"probe\" }, { \"type\": \"broken\" } ] }"), TEL_ERR_FORMAT);
    CHECK_INT(opened, 1);
    CHECK_INT(closed, 1);
    CHECK_INT(others, 1);
    CHECK(strstr(last, "broken: malformed") != NULL);
    CHECK(!tel_enabled());
}

/* What is known and has no effect is named, and what is left to others is passed over. */
static void test_in_vain(void) {
    CHECK_INT(start("{ \"file_format\": \"1.7\",\n"
        "  \"distribution\": { \"mine\": { \"x\": 1 } }, \"instrumentation/development\": { \"general\": { } } }"), TEL_OK);
    CHECK_INT(faults + others, 0);
    CHECK(vain >= 1);
    CHECK(strstr(first, "file_format: is newer than 1.1") != NULL);
    tel_shutdown(100);
    CHECK_INT(start("{ \"disabled\": true }"), TEL_OK);
    CHECK(!tel_enabled());
}

static void test_files(void) {
    char name[] = "/tmp/telemetry-config-XXXXXX", text[300];
    int fd = mkstemp(name);
    FILE* f = fd >= 0 ? fdopen(fd, "w") : NULL;
    tel_desc d = zero();
    CHECK(f != NULL);
    if (!f) { return; }
    fputs("{ \"service_name\": \"in a file\",\n  \"providers\": [ { \"type\": \"probe\" } ] }\n", f);
    fclose(f);
    d.config_file = name;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK_STR(tel_query_desc().service_name, "in a file");
    tel_shutdown(5000);
    d = zero();
    setenv("OTEL_CONFIG_FILE", name, 1);
    setenv("OTEL_METRIC_EXPORT_INTERVAL", "nonsense", 1);       /* not read */
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK_STR(tel_query_desc().service_name, "in a file");
    CHECK_INT(faults + others + vain, 0);
    tel_shutdown(5000);
    d = zero();
    d.ignore_env = true;
    d.exporters = "probe";
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK(strcmp(tel_query_desc().service_name, "in a file") != 0);
    tel_shutdown(5000);
    unsetenv("OTEL_METRIC_EXPORT_INTERVAL");
    unlink(name);
    d = zero();
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    snprintf(text, sizeof text, "%s: cannot be read (tel_desc.config_file or OTEL_CONFIG_FILE", name);
    CHECK_INT(faults, 1);
    CHECK(strstr(last, text) != NULL);
    unsetenv("OTEL_CONFIG_FILE");
    d = zero();
    d.config_file = "/";                                        /* a directory */
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    CHECK_INT(faults, 1);
}

/* ---- reading it again ---- */

static void write_file(const char* name, const char* text) {
    FILE* f = fopen(name, "w");
    CHECK(f != NULL);
    if (!f) { return; }
    fputs(text, f);
    fclose(f);
}
static void test_reload(void) {
    char name[] = "/tmp/telemetry-reload-XXXXXX";
    int fd = mkstemp(name);
    tel_desc d = zero();
    tel_counter* again;
    uint64_t series;
    CHECK(fd >= 0);
    if (fd < 0) { return; }
    close(fd);
    CHECK_INT(tel_reload(), TEL_ERR_STATE);
    CHECK_INT(start("{}"), TEL_OK);
    CHECK_INT(tel_reload(), TEL_ERR_STATE);             /* it was text */
    tel_shutdown(100);
    d = zero();
    write_file(name, "{ \"providers\": [ { \"type\": \"probe\" } ], \"counters\": [ { \"name\": \"again\", \"capture\": false } ] }");
    d.config_file = name;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK_STR(tel_query_desc().config_file, name);
    again = tel_counter_get("again");
    series = tel_query_stats().series;
    tel_counter_add(again, 1);
    CHECK_INT(tel_query_stats().series, series);
    CHECK(tel_log_enabled(TEL_INFO));
    write_file(name, "{ \"providers\": [ { \"type\": \"probe\" } ], \"counters\": [ { \"name\": \"again\" }, { \"name\": \"more\" } ],\n"
        "\"logger_provider\": { \"logger_configurator/development\": { \"default_config\": { \"minimum_severity\": \"warn\" } } } }");
    CHECK_INT(tel_reload(), TEL_OK);
    CHECK_INT(faults + others, 0);
    tel_counter_add(again, 1);
    tel_record("more", 1, TEL_NOATTRS);
    CHECK_INT(tel_query_stats().series, series + 2);
    CHECK_INT(tel_query_stats().dropped[0], 0);
    CHECK(!tel_log_enabled(TEL_INFO));
    write_file(name, "{ \"counters\": [ { \"name\": \"again\", \"capture\": false } ],\n  \"wrong\": 1 }");
    CHECK_INT(tel_reload(), TEL_ERR_ARGUMENT);          /* and nothing of it is applied */
    CHECK(strstr(last, ":2:3: wrong: is not known") != NULL);
    tel_counter_add(again, 1);
    CHECK_INT(tel__instrument_muted(again), 0);
    unlink(name);
    CHECK_INT(tel_reload(), TEL_ERR_ARGUMENT);
    CHECK(strstr(last, "cannot be read") != NULL);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(opened, 1);
}

/* Levels and redaction are applied; every other change is named, with its place, and none is taken for one that is none. */
static char heard_of[4096];
static void hear(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    size_t n = strlen(heard_of);
    snprintf(heard_of + n, sizeof heard_of - n, "%s\n", message);
    report(level, item, message, line, user_data);
}
static int lines_heard(void) {
    int n = 0;
    const char* p;
    for (p = heard_of; (p = strchr(p, '\n')) != NULL; p++) { n++; }
    return n;
}
static void reload_as(const char* name, const char* text, int said) {
    write_file(name, text);
    heard_of[0] = '\0';
    CHECK_INT(tel_reload(), TEL_OK);
    CHECK_INT(lines_heard(), said);
    if (lines_heard() != said) { fprintf(stderr, "     heard: %s\n", heard_of); }
}
#define LOOK "\"metrics\": [ { \"name\": \"stays.defined\", \"kind\": \"counter\" } ]"
static void test_changes(void) {
    char name[] = "/tmp/telemetry-change-XXXXXX";
    int fd = mkstemp(name);
    tel_desc d = zero();
    tel_sink look;
    CHECK(fd >= 0);
    if (fd < 0) { return; }
    close(fd);
    memset(&look, 0, sizeof look);
    look.export_fn = look_export;
    look.name = "look";
    d.sinks = &look;
    d.sink_count = 1;
    d.min_severity = TEL_INFO;
    d.diag.report_fn = hear;
    d.config_file = name;
    write_file(name, "{ " LOOK ", \"max_threads\": 5 }");
    CHECK_INT(tel_init(&d), TEL_OK);
    reload_as(name, "{ " LOOK ", \"max_threads\": 5 }", 0);
    TEL_SPAN(s, "pay") { tel_span_set(s, tel_str("my.pin", "1234")); }
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_STR(redacted, "1234");
    reload_as(name, "{ " LOOK ", \"max_threads\": 5, \"redaction\": { \"keys\": [ \"*pin*\" ], \"with\": \"gone\" } }", 1);
    CHECK(strstr(heard_of, ":1:") && strstr(heard_of, "redaction: counts from now on"));
    TEL_SPAN(s, "pay") { tel_span_set(s, tel_str("my.pin", "1234")); }
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_STR(redacted, "gone");
    reload_as(name, "{ " LOOK ", \"max_threads\": 5, \"redaction\": { \"keys\": [ \"*card*\" ] } }", 1);
    TEL_SPAN(s, "pay") { tel_span_set(s, tel_str("my.pin", "1234")); }
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_STR(redacted, "1234");
    reload_as(name, "{ " LOOK ", \"max_threads\": 5, \"redaction\": true }", 1);
    TEL_SPAN(s, "pay") { tel_span_set(s, tel_str("password", "1234")); }
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_STR(redacted, "[REDACTED]");
    tel_log_level("*", TEL_ERROR);                      /* is the program's until the levels of the file change */
    reload_as(name, "{ " LOOK ", \"max_threads\": 5 }", 1);
    TEL_SPAN(s, "pay") { tel_span_set(s, tel_str("password", "1234")); }
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_STR(redacted, "1234");
    CHECK(!tel_log_enabled(TEL_WARN));
    reload_as(name, "{ " LOOK ", \"max_threads\": 5, \"logger_provider\": { \"logger_configurator/development\": {\n"
              "\"default_config\": { \"minimum_severity\": \"warn\" } } } }", 0);
    CHECK(tel_log_enabled(TEL_WARN) && !tel_log_enabled(TEL_INFO));
    reload_as(name, "{ " LOOK ", \"max_threads\": 5, \"logger_provider\": { \"logger_configurator/development\": {\n"
              "\"default_config\": { \"trace_based\": true }, \"loggers\": [ { \"name\": \"lib\", \"config\": {} } ] } } }", 0);
    check_sampled(TEL_INFO, false);
    reload_as(name, "{ " LOOK ", \"max_threads\": 5, \"logger_provider\": { \"logger_configurator/development\": {\n"
              "\"default_config\": {}, \"loggers\": [ { \"name\": \"lib2\", \"config\": { \"trace_based\": true } } ] } } }", 0);
    check_sampled(TEL_INFO, true);
    reload_as(name, "{ " LOOK ", \"max_threads\": 5 }", 0);
    CHECK(tel_log_enabled(TEL_INFO) && !tel_log_enabled(TEL_DEBUG));        /* of the desc */
    reload_as(name, "{ " LOOK ",\n \"max_threads\": 6, \"resource\": { \"attributes\": [ { \"name\": \"a\", \"value\": \"b\" } ] },\n"
              "\"log_level\": \"warn\" }", 3);
    CHECK(strstr(heard_of, ":2:2: max_threads: has changed, which counts from the next tel_init on") != NULL);
    CHECK(strstr(heard_of, "resource.attributes[0].name: is new") != NULL);
    CHECK_INT(tel_query_desc().max_threads, 5);
    reload_as(name, "{ " LOOK ", \"log_level\": \"warn\", \"resource\": { \"attributes\": [ { \"name\": \"a\", \"value\": \"c\" } ] } }", 2);
    CHECK(strstr(heard_of, ":2:2: max_threads: stood here and is gone") != NULL);
    CHECK(strstr(heard_of, "resource.attributes[0].value: has changed") != NULL);
    reload_as(name, "{ \"log_level\": \"warn\", \"resource\": { \"attributes\": [ { \"name\": \"a\", \"value\": \"c\" } ] } }", 1);
    CHECK(strstr(heard_of, "metrics[0]: stood here and is gone, but stays defined") != NULL);
    reload_as(name, "{ \"log_level\": \"error\", \"resource\": { \"attributes\": [ { \"name\": \"a\", \"value\": \"c\" } ] } }", 0);
    reload_as(name, "{ \"log_level\": \"error\", \"max_threads\": 7 }", 0);        /* a warning is not heard any more */
    write_file(name, "{ \"redaction\": { \"keys\": [ \"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\", \"9\", \"10\", \"11\", \"12\", \"13\", \"14\", \"15\",\n"
        "\"16\", \"17\", \"18\", \"19\", \"20\", \"21\", \"22\", \"23\", \"24\", \"25\", \"26\", \"27\", \"28\", \"29\", \"30\", \"31\", \"32\", \"33\", \"34\", \"35\",\n"
        "\"36\", \"37\", \"38\", \"39\", \"40\", \"41\", \"42\", \"43\", \"44\", \"45\", \"46\", \"47\", \"48\", \"49\" ] } }");
    CHECK_INT(tel_reload(), TEL_ERR_ARGUMENT);
    CHECK(strstr(heard_of, "redaction: ") != NULL);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    unlink(name);
}

/* Providers come, go and are switched while spans are made; every span is delivered once, or counted. */
static void test_switching(void) {
    char name[] = "/tmp/telemetry-switch-XXXXXX";
    int fd = mkstemp(name), i;
    tel_desc d = zero();
    CHECK(fd >= 0);
    if (fd < 0) { return; }
    close(fd);
    write_file(name, "{ \"active\": \"a\", \"providers\": [ { \"name\": \"a\", \"type\": \"probe\" }, { \"name\": \"b\", \"type\": \"probe\" } ] }");
    d.config_file = name;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 100; i++) { TEL_SPAN(s, "one") { } }
    write_file(name, "{ \"active\": \"b\", \"providers\": [ { \"name\": \"a\", \"type\": \"probe\" }, { \"name\": \"b\", \"type\": \"probe\" } ] }");
    CHECK_INT(tel_reload(), TEL_OK);
    CHECK_INT(state_of("a"), TEL_SINK_DISABLED);
    CHECK_INT(state_of("b"), TEL_SINK_READY);
    for (i = 0; i < 100; i++) { TEL_SPAN(s, "two") { } }
    write_file(name, "{ \"providers\": [ { \"name\": \"c\", \"type\": \"probe\", \"config\": { \"depth\": 7 } } ] }");
    CHECK_INT(tel_reload(), TEL_OK);
    CHECK_INT(depth, 7);
    CHECK_INT(opened, 3);
    CHECK_INT(closed, 2);
    CHECK_INT(state_of("c"), TEL_SINK_READY);
    for (i = 0; i < 100; i++) { TEL_SPAN(s, "three") { } }
    write_file(name, "{ \"providers\": [ { \"name\": \"c\", \"type\": \"probe\", \"config\": { \"depth\": 8 } } ] }");
    CHECK_INT(tel_reload(), TEL_OK);                    /* runs on as it is, which is said */
    CHECK_INT(vain, 1);
    CHECK(strstr(last, "providers[0]: has changed") != NULL);
    write_file(name, "{ \"providers\": [ { \"name\": \"c\", \"type\": \"probe\", \"config\": { \"depth\": 8 } }, { \"type\": \"broken\" } ] }");
    CHECK_INT(tel_reload(), TEL_ERR_FORMAT);
    CHECK_INT(state_of("c"), TEL_SINK_READY);
    CHECK_INT(opened, 3);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(tel_query_stats().exported[1] == 300);
    CHECK_INT(tel_query_stats().failed[1], 0);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(closed, 3);
    unlink(name);
}

/* The memory for it is short at each step: refused without harm, or taken whole. */
static void test_memory(void) {
    size_t limit;
    int starts = 0;
    for (limit = 100000; limit < 4000000; limit = limit * 5 / 4) {
        tel_desc d = zero();
        tel_result r;
        d.memory_limit = limit;
        d.diag.report_fn = report;
        d.config_json = "{ \"providers\": [ { \"type\": \"probe\" } ], \"counters\": [ { \"name\": \"mem.c\" } ], \"resource\": { \"attributes\": [ { \"name\": \"a\", \"value\": \"b\" } ] } }";
        r = tel_init(&d);
        CHECK(r == TEL_OK || r == TEL_ERR_MEMORY || r == TEL_ERR_ARGUMENT);
        if (r == TEL_OK) {
            starts++;
            tel_shutdown(5000);
        }
        CHECK_INT(opened, closed);
    }
    CHECK(starts > 0);
}

int main(void) {
    tel_sink_type type = { "probe", probe_make, NULL };
    CHECK_INT(tel_sink_type_add(&type), TEL_OK);
    type.type = "broken";
    type.make_fn = broken_make;
    CHECK_INT(tel_sink_type_add(&type), TEL_OK);
    type.type = "plain";
    type.make_fn = plain_make;
    CHECK_INT(tel_sink_type_add(&type), TEL_OK);
    test_whole();
    test_propagators();
    test_providers();
    test_fallback();
    test_built_in();
    test_code();
    test_metrics();
    test_meters();
    test_parts();
    test_samplers();
    test_switches();
    test_listener();
    test_levels();
    test_refused();
    test_nesting();
    test_types();
    test_several();
    test_in_vain();
    test_files();
    test_reload();
    test_changes();
    test_switching();
    test_memory();
    return check_done();
}
