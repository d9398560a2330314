/* Calls every public function and macro once, switched on and (built with -DTELEMETRY_OFF) switched off: the two surfaces
   must take the same calls. What a call means in depth is tested elsewhere; here is only whether it is alive. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"

#if defined(TELEMETRY_OFF)
#define CHECK_ON(cond) ((void)0)        /* said only where something happens */
#define OFF 1
#else
#define CHECK_ON(cond) CHECK(cond)
#define OFF 0
#endif

static tel_counter   counter   = TEL_INSTRUMENT("all.counter", "{call}", "A counter");
static tel_updown    updown    = TEL_INSTRUMENT("all.updown", "{call}", "An up-down counter");
static tel_gauge     gauge     = TEL_INSTRUMENT("all.gauge", "1", "A gauge");
static tel_histogram histogram = TEL_INSTRUMENT("all.histogram", "s", "A histogram");
static const tel_metric_options real_options = { NULL, NULL, 0, false, true };
static tel_counter   real      = TEL_INSTRUMENT_WITH("all.real", "1", "A counter of doubles", &real_options);

static size_t written, observed, exported_metrics;
static char header_name[32], header_value[64];

static bool count_bytes(const void* data, size_t size, void* user_data) {
    (void)data; (void)user_data;
    written += size;
    return true;
}
static uint64_t fixed_clock(void* user_data) { (void)user_data; return 1700000000000000000u; }
static void observer(tel_observation* o, void* user_data) {
    (void)user_data;
    observed++;
    tel_observe(o, 4.5, TEL_ATTRS(tel_str("queue", "mail")));
}
static tel_result take(const tel_batch* batch, void* user_data) {
    (void)user_data;
    exported_metrics += batch->metric_count;
    return TEL_OK;
}
static void carrier_set(void* user_data, const char* key, const char* value) {
    (void)user_data;
    strncpy(header_name, key, sizeof header_name - 1);
    strncpy(header_value, value, sizeof header_value - 1);
}
static tel_text carrier_get(void* user_data, const char* key) {
    tel_text none = { NULL, 0 }, text;
    (void)user_data;
    text.data = header_value;
    text.size = strlen(header_value);
    return strcmp(key, "traceparent") == 0 ? text : none;
}
static void vlog(const char* format, ...) {
    va_list args;
    va_start(args, format);
    tel_vlogf(TEL_DEBUG, format, args);
    va_end(args);
}

static void call_metrics(void) {
    tel_attrs attrs = TEL_NOATTRS;
    tel_observer_desc o;
    tel_counter_add(&counter, 1);
    tel_counter_addf(&real, 0.5);
    tel_updown_add(&updown, -1);
    tel_gauge_set(&gauge, 2.5);
    tel_histogram_record(&histogram, 0.25);
    tel_counter_add_with(&counter, 2, TEL_ATTRS(tel_int("code", 200), tel_bool("warm", true)));
    tel_updown_add_with(&updown, 2, attrs);
    tel_gauge_set_with(&gauge, 3.0, TEL_ATTRS(tel_double("height", 1.5)));
    tel_histogram_record_with(&histogram, 0.5, TEL_ATTRS(tel_strn("route", "/cart?x", 5)));
    CHECK(tel_counter_bind(&counter, attrs) != NULL);
    CHECK(tel_updown_bind(&updown, attrs) != NULL);
    CHECK(tel_gauge_bind(&gauge, attrs) != NULL);
    CHECK(tel_histogram_bind(&histogram, attrs) != NULL);
    memset(&o, 0, sizeof o);
    o.kind = TEL_OBSERVE_UPDOWN;
    o.name = "all.observed";
    o.func = observer;
    CHECK_INT(tel_observer_add(&o), TEL_OK);
}

static void call_traces(void) {
    static const char parent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    tel_carrier carrier;
    tel_context from_text, from_header, zero;
    tel_token token;
    tel_span span;
    tel_span_desc desc;
    tel_text text;
    char out[TEL_TRACEPARENT_SIZE];
    memset(&zero, 0, sizeof zero);
    text.data = parent;
    text.size = sizeof parent - 1;
    CHECK_INT(tel_traceparent_parse(text, &from_text), OFF ? TEL_ERR_FORMAT : TEL_OK);
    CHECK_INT(tel_traceparent_format(&from_text, out), OFF ? TEL_ERR_STATE : TEL_OK);
    CHECK_STR(out, OFF ? "" : parent);

    span = tel_span_start("plain");
    CHECK(tel_span_recording(&span) == !OFF);
    tel_span_set(&span, tel_int("n", 1));
    tel_span_set_all(&span, TEL_ATTRS(tel_str("a", "b"), tel_str("c", "d")));
    tel_span_event(&span, "event", TEL_NOATTRS);
    tel_span_link(&span, &from_text, TEL_NOATTRS);
    tel_span_status(&span, TEL_STATUS_ERROR, "bad");
    tel_span_rename(&span, "renamed");
    token = tel_attach(&span.context);
    from_header = tel_current();
    CHECK_ON(memcmp(&from_header, &zero, sizeof zero) != 0);
    memset(&carrier, 0, sizeof carrier);
    carrier.set = carrier_set;
    carrier.get = carrier_get;
    CHECK_INT(tel_inject(NULL, &carrier), OFF ? TEL_ERR_STATE : TEL_OK);
    CHECK_STR(header_name, OFF ? "" : "traceparent");
    from_header = tel_extract(&carrier);
    CHECK_ON(memcmp(from_header.span_id, span.context.span_id, 8) == 0);
    tel_detach(token);
    from_header = tel_current();
    CHECK(memcmp(&from_header, &zero, sizeof zero) == 0);
    tel_span_end(&span);

    memset(&desc, 0, sizeof desc);
    desc.name = "described";
    desc.kind = TEL_SPAN_SERVER;
    desc.parent = &from_text;
    span = tel_span_start_ex(&desc);
    tel_span_end_at(&span, 0);
}

static void call_scopes(void) {
    int blocks = 0;
    tel_context none;
    tel_span_scope s = tel_span_scope_begin("by hand");
    tel_time_scope t = tel_time_scope_begin(&histogram);
    tel_with_scope w;
    memset(&none, 0, sizeof none);
    w = tel_with_scope_begin(&none);
    CHECK(s.open && t.open && w.open);
    tel_with_scope_end(&w);
    tel_time_scope_end(&t);
    tel_span_scope_end(&s);
    CHECK(!s.open && !t.open && !w.open);
    TEL_WITH(&none) {
        TEL_TIME(&histogram) {
            TEL_SPAN(span, "scoped") { blocks++; tel_span_set(span, tel_bool("seen", true)); }
        }
    }
    CHECK_INT(blocks, 1);
}

static void call_logs(void) {
    tel_log_desc desc;
    tel_log(TEL_INFO, "plain", TEL_ATTRS(tel_str("k", "v")));
    tel_logf(TEL_WARN, "formatted %d %s", 1, "x");
    vlog("by list %d", 2);
    memset(&desc, 0, sizeof desc);
    desc.severity = TEL_ERROR;
    desc.event_name = "all.event";
    tel_log_ex(&desc);
    CHECK(tel_log_enabled(TEL_INFO) == !OFF);
}

static void call_query(tel_memory* memory) {
    tel_batch batch = tel_memory_read(memory);
    tel_stats stats = tel_query_stats();
    tel_desc desc = tel_query_desc();
    tel_sink_stats sink;
    tel_sink pull;
    tel_writer writer;
    char text[16];
    CHECK_INT(batch.span_count, OFF ? 0 : 4);
    CHECK_INT(batch.log_count, OFF ? 0 : 4);
    CHECK_ON(batch.metric_count >= 6);
    CHECK_INT(stats.recorded[1], OFF ? 0 : 4);
    CHECK_INT(stats.recorded[2], OFF ? 0 : 4);
    CHECK_STR(desc.service_name ? desc.service_name : "none", OFF ? "none" : "all");
    CHECK(tel_query_sink(0, &sink) == !OFF);
    CHECK(!tel_query_sink(99, &sink));
    memset(&pull, 0, sizeof pull);
    pull.export_fn = take;
    CHECK_INT(tel_collect(&pull), TEL_OK);
    CHECK_ON(exported_metrics >= 6 && observed > 0);
    writer.write = count_bytes;
    writer.user_data = NULL;
    written = 0;
    CHECK_INT(tel_prometheus_render(writer), TEL_OK);
    CHECK_ON(written > 100);
    CHECK((tel_prometheus_print(text, sizeof text) > sizeof text) == !OFF);
    CHECK((tel_prometheus_port() != 0) == !OFF);
    CHECK_INT(tel_observer_remove("all.observed"), TEL_OK);
}

int main(void) {
    tel_memory memory;
    tel_sink sinks[4], otlp;
    tel_writer writer;
    tel_prometheus_desc scrape;
    tel_desc desc;
    memset(&memory, 0, sizeof memory);
    memset(&scrape, 0, sizeof scrape);
    scrape.host = "127.0.0.1";
    scrape.port = TEL_ANY_PORT;
    writer.write = count_bytes;
    writer.user_data = NULL;
    otlp = tel_sink_otlp(NULL);
    CHECK((otlp.export_fn != NULL) == !OFF);
    sinks[0] = tel_sink_memory(&memory);
    sinks[1] = tel_sink_prometheus(&scrape);
    sinks[2] = tel_sink_jsonl(&writer);
    sinks[3] = tel_sink_console(&writer);

    CHECK(!tel_enabled());
    CHECK(tel_get_instance() == NULL);
    CHECK(strlen(tel_result_string(TEL_ERR_BUILD)) > 0);
    CHECK_INT(tel_shutdown(0), OFF ? TEL_OK : TEL_ERR_STATE);
    memset(&desc, 0, sizeof desc);
    desc.service_name = "all";
    desc.sinks = sinks;
    desc.sink_count = 4;
    desc.ignore_env = true;
    desc.no_thread = true;
    desc.no_self_metrics = true;
    desc.clock_ns = fixed_clock;
    CHECK_INT(tel_init(&desc), TEL_OK);
    CHECK(tel_enabled() == !OFF);
    CHECK((tel_get_instance() != NULL) == !OFF);
    CHECK_INT(tel__init(&desc, TEL__BUILD_TAG), OFF ? TEL_OK : TEL_ERR_STATE);

    call_metrics();
    call_traces();
    call_scopes();
    call_logs();
    CHECK_INT(tel_pump(100), TEL_OK);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_ON(written > 0);
    call_query(&memory);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    CHECK(!tel_enabled());
    CHECK_INT(tel_adopt_instance(NULL), TEL_OK);
    tel_memory_clear(&memory);
    return check_done();
}
