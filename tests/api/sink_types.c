/* Sinks by the names of their types: tel_desc.exporters, OTEL_TRACES_EXPORTER and its kin, types of the program, and what
   happens when one cannot be made or opened. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdlib.h>

static int made, opened, closed, exported[3], diags;
static char last[512];
static tel_result make_result, open_result;
static uint32_t made_mask;

static void report(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)line; (void)user_data;
    if (item == TEL_DIAG_SHUTDOWN || item == TEL_DIAG_SEND || item == TEL_DIAG_LOST_BEFORE) { return; }
    snprintf(last, sizeof last, "%s", message);
    diags++;
}
static tel_result probe_open(tel_sink* self, tel_host* host) {
    (void)self; (void)host;
    if (open_result == TEL_OK) { opened++; }
    return open_result;
}
static tel_result probe_export(const tel_batch* batch, void* user_data) {
    (void)user_data;
    exported[0] += batch->metric_count > 0;
    exported[1] += batch->span_count > 0;
    exported[2] += batch->log_count > 0;
    return TEL_OK;
}
static void probe_close(void* user_data) { (void)user_data; closed++; }
static tel_result probe_make(tel_sink* out, const tel_settings* settings, void* user_data) {
    made++;
    CHECK(settings != NULL);
    CHECK_INT(tel_setting_int(settings, "depth", 1, 9, 4), 4);
    CHECK_INT(*(int*)user_data, 42);
    if (make_result != TEL_OK) { return make_result; }
    out->name = "probe";
    out->signal_mask = made_mask;
    out->open_fn = probe_open;
    out->export_fn = probe_export;
    out->close_fn = probe_close;
    return TEL_OK;
}
static tel_result fail_make(tel_sink* out, const tel_settings* settings, void* user_data) {
    (void)out; (void)user_data;
    tel_setting_fault(settings, "url", "is missing");
    return TEL_ERR_ARGUMENT;
}
static tel_result empty_make(tel_sink* out, const tel_settings* settings, void* user_data) {
    (void)out; (void)settings; (void)user_data;
    return TEL_OK;
}

static void reset(void) {
    unsetenv("OTEL_TRACES_EXPORTER");
    unsetenv("OTEL_METRICS_EXPORTER");
    unsetenv("OTEL_LOGS_EXPORTER");
    made = opened = closed = diags = 0;
    memset(exported, 0, sizeof exported);
    make_result = open_result = TEL_OK;
    made_mask = 0;
    last[0] = '\0';
}

static tel_counter hits = TEL_INSTRUMENT("types.hits", "{hit}", "Hits");
static tel_result start(const char* exporters) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.exporters = exporters;
    d.diag.report_fn = report;
    d.no_self_metrics = true;
    d.no_atexit = true;
    return tel_init(&d);
}
static void record(void) {
    tel_counter_add(&hits, 1);
    TEL_SPAN(s, "work") { tel_log(TEL_INFO, "inside", TEL_NOATTRS); }
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(!tel_query_desc().exporters);                 /* it was borrowed for tel_init only */
}

static void test_adding(void) {
    static int forty_two = 42;
    tel_sink_type type = { "probe", probe_make, NULL };
    char name[80];
    type.user_data = &forty_two;
    CHECK_INT(tel_sink_type_add(NULL), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_sink_type_add(&type), TEL_OK);
    CHECK_INT(tel_sink_type_add(&type), TEL_ERR_STATE);
    type.type = "Probe";
    CHECK_INT(tel_sink_type_add(&type), TEL_ERR_STATE);
    type.type = "otlp";
    CHECK_INT(tel_sink_type_add(&type), TEL_ERR_STATE);
    type.type = "none";
    CHECK_INT(tel_sink_type_add(&type), TEL_ERR_ARGUMENT);
    type.type = "a,b";
    CHECK_INT(tel_sink_type_add(&type), TEL_ERR_ARGUMENT);
    type.type = "";
    CHECK_INT(tel_sink_type_add(&type), TEL_ERR_ARGUMENT);
    memset(name, 'n', sizeof name);
    name[64] = 0;
    type.type = name;
    CHECK_INT(tel_sink_type_add(&type), TEL_ERR_ARGUMENT);
    name[63] = 0;
    CHECK_INT(tel_sink_type_add(&type), TEL_OK);
    memset(name, 0, sizeof name);                       /* the name was copied */
    type.type = "failing";
    type.make_fn = fail_make;
    CHECK_INT(tel_sink_type_add(&type), TEL_OK);
    type.type = "empty";
    type.make_fn = empty_make;
    CHECK_INT(tel_sink_type_add(&type), TEL_OK);
    type.make_fn = NULL;
    CHECK_INT(tel_sink_type_add(&type), TEL_ERR_ARGUMENT);
}

static void test_code(void) {
    reset();
    CHECK_INT(start("probe"), TEL_OK);
    record();
    CHECK(exported[0] > 0 && exported[1] > 0 && exported[2] > 0);
    CHECK_INT(made, 1);
    CHECK_INT(tel_query_desc().sink_count, 1);
    CHECK_STR(tel_query_desc().sinks[0].name, "probe");
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(closed, 1);
    CHECK_INT(diags, 0);
    reset();
    CHECK_INT(start("none"), TEL_OK);
    CHECK_INT(tel_query_desc().sink_count, 0);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    reset();
    CHECK_INT(start(" PROBE , none,console "), TEL_OK);
    CHECK_INT(tel_query_desc().sink_count, 2);
    CHECK_STR(tel_query_desc().sinks[1].name, "console");
    tel_shutdown(5000);
    reset();
    CHECK_INT(start("probe,nosuch"), TEL_ERR_ARGUMENT);
    CHECK_INT(diags, 1);
    CHECK(strstr(last, "nosuch") != NULL);
    CHECK_INT(opened, 0);
    CHECK(!tel_enabled());
}

static void test_variables(void) {
    reset();
    setenv("OTEL_TRACES_EXPORTER", "probe", 1);
    setenv("OTEL_METRICS_EXPORTER", "none", 1);
    setenv("OTEL_LOGS_EXPORTER", "none,", 1);
    CHECK_INT(start(NULL), TEL_OK);
    CHECK_INT(tel_query_desc().sink_count, 1);
    CHECK_INT(tel_query_desc().sinks[0].signal_mask, TEL_SIGNAL_SPANS);
    record();
    CHECK(exported[0] == 0 && exported[1] > 0 && exported[2] == 0);
    tel_shutdown(5000);
    CHECK_INT(diags, 0);
    reset();
    setenv("OTEL_TRACES_EXPORTER", "console,probe", 1);
    setenv("OTEL_METRICS_EXPORTER", "probe", 1);
    setenv("OTEL_LOGS_EXPORTER", "none", 1);
    CHECK_INT(start(NULL), TEL_OK);
    CHECK_INT(made, 1);                                 /* one sink for the two signals */
    CHECK_INT(tel_query_desc().sink_count, 2);
    tel_shutdown(5000);
    reset();                                            /* the code wins, but none turns its signal off */
    setenv("OTEL_TRACES_EXPORTER", "console", 1);
    setenv("OTEL_METRICS_EXPORTER", "none", 1);
    CHECK_INT(start("probe"), TEL_OK);
    CHECK_INT(tel_query_desc().sink_count, 1);
    CHECK_INT(tel_query_desc().sinks[0].signal_mask, TEL_SIGNAL_SPANS | TEL_SIGNAL_LOGS);
    tel_shutdown(5000);
}

/* A variable that names what is not there is reported, and goes without; a list that comes to nothing is OTLP. */
static void check_list(const char* variable, const char* list, size_t count, const char* first, const char* said) {
    reset();
    setenv("OTEL_TRACES_EXPORTER", "none", 1);
    setenv("OTEL_METRICS_EXPORTER", "none", 1);
    setenv("OTEL_LOGS_EXPORTER", "none", 1);
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", 1);
    setenv(variable, list, 1);
    made_mask = TEL_SIGNAL_LOGS | TEL_SIGNAL_METRICS;
    CHECK_INT(start(NULL), TEL_OK);
    CHECK_INT(tel_query_desc().sink_count, count);
    if (count) { CHECK(strncmp(tel_query_desc().sinks[0].name, first, strlen(first)) == 0); }
    CHECK_INT(diags, said ? 1 : 0);
    if (said) { CHECK(strstr(last, said) != NULL); }
    tel_shutdown(1000);
}
static void test_unknown(void) {
    check_list("OTEL_TRACES_EXPORTER", "zipkin", 1, "otlp_http", "OTEL_TRACES_EXPORTER=\"zipkin\"");
    check_list("OTEL_TRACES_EXPORTER", "zipkin,console", 1, "console", "OTEL_TRACES_EXPORTER=\"zipkin\"");
    check_list("OTEL_TRACES_EXPORTER", "otlp/stdout", 1, "otlp_file_exporter", NULL);
    check_list("OTEL_TRACES_EXPORTER", "zipkin,none", 0, NULL, "zipkin");
    check_list("OTEL_TRACES_EXPORTER", "prometheus", 1, "otlp_http", "takes this signal");
    check_list("OTEL_TRACES_EXPORTER", "probe,console", 1, "console", "takes this signal");
    check_list("OTEL_LOGS_EXPORTER", "probe", 1, "probe", NULL);
    check_list("OTEL_LOGS_EXPORTER", ",", 1, "otlp_http", NULL);
}

static void test_failures(void) {
    reset();
    CHECK_INT(start("probe,failing"), TEL_ERR_ARGUMENT);
    CHECK_INT(diags, 1);
    CHECK(strstr(last, "url: is missing") != NULL);
    CHECK_INT(opened, 0);                               /* all are made before one is opened */
    reset();
    CHECK_INT(start("empty"), TEL_ERR_ARGUMENT);
    CHECK(strstr(last, "export_fn") != NULL);
    reset();
    make_result = TEL_ERR_LIMIT;
    CHECK_INT(start("probe"), TEL_ERR_LIMIT);
    CHECK_INT(diags, 1);
    CHECK(strstr(last, "type probe: limit reached") != NULL);
    reset();                                            /* what time does not mend ends it; what was open is closed */
    open_result = TEL_ERR_FORMAT;
    CHECK_INT(start("console,probe"), TEL_ERR_FORMAT);
    CHECK_INT(diags, 1);
    CHECK_INT(opened, 0);
    CHECK_INT(closed, 0);
    CHECK(!tel_enabled());
    reset();                                            /* what time may mend is tried again */
    open_result = TEL_ERR_IO;
    CHECK_INT(start("probe"), TEL_ERR_IO);
    CHECK(tel_enabled());
    CHECK_INT(tel_shutdown(1000), TEL_OK);
}

int main(void) {
    test_adding();
    test_code();
    test_variables();
    test_unknown();
    test_failures();
    return check_done();
}
