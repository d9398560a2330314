/* What the SDK exports about itself (semantic conventions, "SDK metrics"): every name, its component, server and error.type, and that
   what they say is what the books say. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include "capture.h"

static char page[1 << 17];

static const char* pages(void) {
    tel_prometheus_print(page, sizeof page);
    return page;
}
/* The value of the first sample whose line begins with `name` and has all the parts; -1: there is none. */
static double value_of(const char* name, const char* a, const char* b) {
    const char* line = page;
    size_t n = strlen(name);
    while ((line = strstr(line, name)) != NULL) {
        char copy[1024];
        size_t size = strcspn(line, "\n");
        bool begins = line == page || line[-1] == '\n';
        snprintf(copy, sizeof copy, "%.*s", (int)size, line);
        line += n;
        if (begins && (!a || strstr(copy, a)) && (!b || strstr(copy, b))) { return atof(strrchr(copy, ' ') + 1); }
    }
    return -1;
}

static tel_result quiet_export(const tel_batch* b, void* user_data) {
    (void)b;
    (void)user_data;
    return TEL_OK;
}

/* All of them are there as soon as a program with one sink of each signal runs. */
static void test_names(void) {
    static const struct { const char* name; const char* part; } list[] = {
        { "otel_sdk_span_started_total{", "otel_span_sampling_result=\"RECORD_AND_SAMPLE\"" },
        { "otel_sdk_span_live{", "otel_span_sampling_result=\"RECORD_AND_SAMPLE\"" },
        { "otel_sdk_processor_span_queue_size{", "otel_component_type=\"batching_span_processor\"" },
        { "otel_sdk_processor_span_queue_capacity{", "otel_component_name=\"batching_span_processor/0\"" },
        { "otel_sdk_processor_span_processed_total{", "otel_component_name=\"batching_span_processor/0\"" },
        { "otel_sdk_exporter_span_inflight{", "otel_component_name=\"quiet_span_exporter/0\"" },
        { "otel_sdk_exporter_span_exported_total{", "otel_component_name=\"quiet_span_exporter/1\"" },
        { "otel_sdk_log_created_total", NULL },
        { "otel_sdk_processor_log_queue_size{", "otel_component_type=\"batching_log_processor\"" },
        { "otel_sdk_processor_log_queue_capacity{", NULL },
        { "otel_sdk_processor_log_processed_total{", NULL },
        { "otel_sdk_exporter_log_inflight{", "otel_component_name=\"quiet_log_exporter/0\"" },
        { "otel_sdk_exporter_log_exported_total{", "otel_component_name=\"quiet_log_exporter/1\"" },
        { "otel_sdk_exporter_metric_data_point_inflight{", "otel_component_type=\"quiet_metric_exporter\"" },
        { "otel_sdk_exporter_metric_data_point_exported_total{", "otel_component_name=\"quiet_metric_exporter/1\"" },
        { "otel_sdk_metric_reader_collection_duration_seconds_count{", "otel_component_name=\"periodic_metric_reader/0\"" }
    };
    tel_sink sinks[2];
    tel_desc d;
    tel_span live;
    tel_span_desc child;
    tel_context from;
    size_t i;
    memset(&child, 0, sizeof child);
    child.name = "child";
    memset(sinks, 0, sizeof sinks);
    sinks[0].name = sinks[1].name = "quiet";
    sinks[0].export_fn = sinks[1].export_fn = quiet_export;
    d = test_desc(sinks, 2);
    d.no_self_metrics = false;
    CHECK_INT(tel_init(&d), TEL_OK);
    live = tel_span_start("live");
    TEL_SPAN(s, "one") { tel_log(TEL_INFO, "two", TEL_NOATTRS); }
    child.parent = &live.context;
    for (i = 0; i < 2; i++) {
        tel_span local = tel_span_start_ex(&child);
        tel_span_end(&local);
    }
    from = live.context;
    from.remote = 1;
    child.parent = &from;
    for (i = 0; i < 3; i++) {
        tel_span remote = tel_span_start_ex(&child);
        tel_span_end(&remote);
    }
    CHECK_INT(tel_flush(20000), TEL_OK);
    pages();
    for (i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (value_of(list[i].name, list[i].part, NULL) < 0) { fprintf(stderr, "     %s\n", list[i].name); }
        CHECK(value_of(list[i].name, list[i].part, NULL) >= 0);
    }
    CHECK(value_of("otel_sdk_span_started_total{", "otel_span_parent_origin=\"none\"", NULL) == 2);
    CHECK(value_of("otel_sdk_span_started_total{", "otel_span_parent_origin=\"local\"", NULL) == 2);
    CHECK(value_of("otel_sdk_span_started_total{", "otel_span_parent_origin=\"remote\"", NULL) == 3);
    CHECK(value_of("otel_sdk_span_live{", NULL, NULL) == 1);
    CHECK(value_of("otel_sdk_log_created_total", NULL, NULL) == 1);
    CHECK(value_of("otel_sdk_processor_span_processed_total{", NULL, NULL) == 6);
    CHECK(value_of("otel_sdk_exporter_span_exported_total{", "quiet_span_exporter/1", NULL) == 6);
    CHECK(value_of("otel_sdk_processor_span_queue_capacity{", NULL, NULL) == 2048);
    CHECK(value_of("otel_sdk_metric_reader_collection_duration_seconds_count{", "periodic", NULL) >= 1);
    tel_span_end(&live);
    CHECK_INT(tel_shutdown(20000), TEL_OK);
}

/* Why exports fail is told: by a status, by a receiver that takes a part only, and by nobody who listens. */
static void test_errors(void) {
    receiver r;
    tel_otlp_desc o;
    tel_sink sink;
    tel_desc d;
    char port[40];
    memset(&r, 0, sizeof r);
    if (!receiver_start(&r, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", NULL)) { return; }
    sink = receiver_sink(&r, &o, 20000);
    d = test_desc(&sink, 1);
    d.no_self_metrics = false;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "lost", TEL_NOATTRS);
    CHECK_INT(tel_flush(20000), TEL_ERR_IO);
    pages();
    snprintf(port, sizeof port, "server_port=\"%s\"", strrchr(r.url, ':') + 1);
    CHECK(value_of("otel_sdk_exporter_log_exported_total{", "error_type=\"400\"", "server_address=\"127.0.0.1\"") == 1);
    CHECK(value_of("otel_sdk_exporter_log_exported_total{", "otel_component_type=\"otlp_http_json_log_exporter\"", port) == 0);
    CHECK(value_of("otel_sdk_exporter_operation_duration_seconds_count{", "http_response_status_code=\"400\"", "error_type=\"400\"") >= 1);
    tel_shutdown(5000);
    receiver_stop(&r);
}

/* A port where nobody listens: what is lost at the end was refused, which is neither "rejected" nor _OTHER. */
static void test_refused(void) {
    tel_otlp_desc o;
    tel_sink sink;
    tel_sink_stats s;
    tel_desc d;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a;
    socklen_t size = sizeof a;
    char url[64];
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr*)&a, sizeof a) != 0 || getsockname(fd, (struct sockaddr*)&a, &size) != 0) { return; }
    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)ntohs(a.sin_port));     /* bound, and not listening */
    memset(&o, 0, sizeof o);
    o.endpoint = url;
    sink = tel_sink_otlp(&o);
    d = test_desc(&sink, 1);
    d.no_self_metrics = false;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "lost", TEL_NOATTRS);
    do {
        tel_flush(50);
        pages();
    } while (value_of("otel_sdk_exporter_operation_duration_seconds_count{", "error_type=\"connection_refused\"", NULL) < 1);
    CHECK(value_of("otel_sdk_exporter_log_inflight{", url + 17, NULL) == 1);
    tel_shutdown(500);
    CHECK(tel_query_sink(0, &s) && s.dropped_failed[2] == 1);
    CHECK_STR(s.server[2].address, "127.0.0.1");
    CHECK_INT(s.server[2].port, ntohs(a.sin_port));
    CHECK_STR(s.errors[0].type, "connection_refused");
    CHECK_INT(s.errors[0].lost[2], 1);
    close(fd);
}

/* Tail sampling tells what has become of each trace; without it there is no such metric. */
static void test_tail(void) {
    static const char name[] = "otel_sdk_processor_trace_processed_total{";
    tel_processor tail = tel_processor_tail(0, 0);
    tel_desc d;
    int round, i;
    for (round = 0; round < 2; round++) {
        memset(&d, 0, sizeof d);
        d.ignore_env = d.no_thread = d.no_atexit = true;
        d.processors = &tail;
        d.processor_count = (size_t)round;
        d.exporters = "none";
        CHECK_INT(tel_init(&d), TEL_OK);
        for (i = 0; i < 3; i++) {
            tel_span s = tel_span_start("root");
            if (i == 1) { tel_span_status(&s, TEL_STATUS_ERROR, NULL); }
            tel_span_end(&s);
        }
        CHECK_INT(tel_flush(10000), TEL_OK);
        CHECK(strstr(pages(), "otel_sdk_span_started_total") != NULL);
        CHECK(value_of(name, "reason=\"failed\"", "decision=\"keep\"") == (round ? 1 : -1));
        CHECK(value_of(name, "reason=\"fast\"", "decision=\"drop\"") == (round ? 2 : -1));
        CHECK(value_of(name, "reason=\"slow\"", "tail_sampling_processor/0") == (round ? 0 : -1));
        CHECK(value_of(name, "reason=\"full\"", "decision=\"pass\"") == (round ? 0 : -1));
        CHECK(value_of(name, "reason=\"unended\"", NULL) == (round ? 0 : -1));
        CHECK_INT(tel_shutdown(10000), TEL_OK);
    }
}

int main(void) {
    capture_watchdog(120);
    test_names();
    test_errors();
    test_refused();
    test_tail();
    return check_done();
}
