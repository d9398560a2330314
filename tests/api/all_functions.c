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
static const tel_metric_options real_options = { NULL, NULL, 0, false, true, 0, 0 };
static tel_counter   real      = TEL_INSTRUMENT_OPT("all.real", "1", "A counter of doubles", &real_options);

static size_t written, observed, exported_metrics;
static char header_name[32], header_value[64];

static bool count_bytes(const void* data, size_t size, void* user_data) {
    (void)data; (void)user_data;
    written += size;
    return true;
}
static uint64_t fixed_clock(void* user_data) { (void)user_data; return 1700000000000000000u; }
static tel_observer* handle;
static void observer(tel_observation* o, void* user_data) {
    (void)user_data;
    observed++;
    tel_observe(o, 4.5, TEL_ATTRS(tel_str("queue", "mail")));
    tel_observei(o, 2, TEL_ATTRS(tel_bool("int", true)));
}
static tel_result take(const tel_batch* batch, void* user_data) {
    (void)user_data;
    exported_metrics += batch->metric_count;
    return TEL_OK;
}
static void carrier_set(const char* key, const char* value, void* user_data) {
    (void)user_data;
    strncpy(header_name, key, sizeof header_name - 1);
    strncpy(header_value, value, sizeof header_value - 1);
}
static tel_text carrier_get(const char* key, void* user_data) {
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
    tel_counter_addf_with(&real, 0.5, TEL_NOATTRS);
    tel_updown_addf(&updown, 2.0);
    tel_updown_addf_with(&updown, 2.0, TEL_NOATTRS);
    tel_gauge_seti(&gauge, 2);
    tel_gauge_seti_with(&gauge, 2, TEL_NOATTRS);
    tel_updown_add(&updown, -1);
    tel_gauge_set(&gauge, 2.5);
    tel_histogram_record(&histogram, 0.25);
    tel_counter_add_with(&counter, 2, TEL_ATTRS(tel_int("code", 200), tel_bool("warm", true)));
    tel_updown_add_with(&updown, 2, attrs);
    tel_gauge_set_with(&gauge, 3.0, TEL_ATTRS(tel_double("height", 1.5)));
    CHECK(tel_counter_enabled(&counter) == tel_enabled() && tel_updown_enabled(&updown) == tel_enabled());
    CHECK(tel_gauge_enabled(&gauge) == tel_enabled() && tel_histogram_enabled(&histogram) == tel_enabled());
    tel_observe_on(NULL, 0);
    tel_series_remove("nothing", TEL_ATTRS(tel_int("k", 1)));
    tel_histogram_record_with(&histogram, 0.5, TEL_ATTRS(tel_strn("route", "/cart?x", 5)));
    CHECK(tel_counter_bind(&counter, attrs) != NULL);
    CHECK(tel_updown_bind(&updown, attrs) != NULL);
    CHECK(tel_gauge_bind(&gauge, attrs) != NULL);
    CHECK(tel_histogram_bind(&histogram, attrs) != NULL);
    memset(&o, 0, sizeof o);
    o.kind = TEL_OBSERVE_UPDOWN;
    o.name = "all.observed";
    o.observe_fn = observer;
    handle = tel_observer_new(&o);
    CHECK((handle != NULL) == !OFF);
}

static void baggage_entry(const char* key, const char* value, const char* metadata, void* user_data) {
    (void)user_data;
    CHECK_STR(key, "user");
    CHECK_STR(value, "anna");
    CHECK_STR(metadata, "");
}

static void call_carried(const tel_context* from) {
    tel_context c = *from, environment;
    tel_carrier nowhere;
    char text[64];
    memset(&nowhere, 0, sizeof nowhere);
    CHECK_INT(tel_baggage_set(&c, "user", "anna", NULL), OFF ? TEL_ERR_STATE : TEL_OK);
    CHECK_INT(tel_baggage_get(&c, "user", text, sizeof text), OFF ? TEL_ERR_STATE : TEL_OK);
    CHECK_STR(text, OFF ? "" : "anna");
    tel_baggage_each(&c, baggage_entry, NULL);
    CHECK_INT(tel_context_set(&c, text, &nowhere), OFF ? TEL_ERR_STATE : TEL_OK);
    CHECK(tel_context_get(&c, text) == (OFF ? NULL : (void*)&nowhere));
    tel_baggage_clear(&c);
    CHECK_INT(tel_tracestate_set(&c, "v", "1"), OFF ? TEL_ERR_STATE : TEL_OK);
    CHECK_INT(tel_tracestate_get(&c, NULL, text, sizeof text), OFF ? TEL_ERR_STATE : TEL_OK);
    CHECK_STR(text, OFF ? "" : "v=1");
    CHECK(tel_environ_inject(&c, &nowhere) != TEL_OK);
    environment = tel_environ_extract();
    CHECK(!tel_context_valid(&environment) || !OFF);
}

static void call_samplers(void) {
    tel_sampler ratio = tel_sampler_ratio(0.5), parents = tel_sampler_parent_based(&ratio);
    tel_sampler record = tel_sampler_always_record(&parents), always = tel_sampler_always(), never = tel_sampler_never();
    tel_sampler rate = tel_sampler_rate(10), probability = tel_sampler_probability(0.5);
    char text[400];
    CHECK((tel_sampler_describe(&record, text, sizeof text) != 0) == !OFF);
    CHECK((tel_sampler_describe(&always, text, sizeof text) != 0) == !OFF);
    CHECK((tel_sampler_describe(&never, text, sizeof text) != 0) == !OFF);
    CHECK((tel_sampler_describe(&rate, text, sizeof text) != 0) == !OFF);
    CHECK((tel_sampler_describe(&probability, text, sizeof text) != 0) == !OFF);
}

static void call_processors(void) {
    tel_processor hide = tel_processor_redact(NULL);
    tel_processor tail = tel_processor_tail(500, 1 << 20);
    tel_attrs list = TEL_NOATTRS;
    CHECK(!hide.on_end && !hide.on_log && !tail.on_end && !tail.on_start);
    CHECK(!tel_view_set(&list, tel_int("outside of a processor", 1)));
    CHECK(!tel_view_text(tel_str("", "x").as.s).data || OFF);
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

    call_carried(&from_text);
    call_samplers();
    call_processors();

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
    carrier.set_fn = carrier_set;
    carrier.get_fn = carrier_get;
    CHECK_INT(tel_inject(NULL, &carrier), OFF ? TEL_ERR_STATE : TEL_OK);
    CHECK((tel_inject_field(0) == NULL) == OFF);
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
    tel_span_scope s;
    tel_time_scope t;
    tel_attach_scope w;
    tel_timer timer;
    tel_span_desc described;
    tel_error error = { "timeout", "no answer", NULL };
    memset(&none, 0, sizeof none);
    memset(&described, 0, sizeof described);
    described.name = "described";
    CHECK(tel_span_scope_begin_ex(&s, &described) == &s.span);
    tel_span_error(tel_current_span(), &error);
    tel_detach(tel_attach_span(&s.span));
    tel_span_event_at(&s.span, "earlier", 5, TEL_ATTRS(tel_str("k", "v")));
    tel_span_scope_end(&s);
    tel_timer_begin(&timer, &histogram, TEL_ATTRS(tel_str("k", "v")));
    tel_time_set(&timer, tel_str("outcome", "success"));
    CHECK(timer.open);
    tel_timer_end(&timer);
    CHECK(!timer.open && !tel_context_valid(&none));
    CHECK((tel_now_ns() != 0) == !OFF);
    tel_span_scope_begin(&s, "by hand");
    tel_time_scope_begin(&t, &histogram);
    tel_attach_scope_begin(&w, &none);
    CHECK(s.open && t.open && w.open);
    tel_attach_scope_end(&w);
    tel_time_scope_end(&t);
    tel_span_scope_end(&s);
    CHECK(!s.open && !t.open && !w.open);
    TEL_ATTACH(&none) {
        TEL_TIME(&histogram) {
            TEL_SPAN(span, "scoped") { blocks++; tel_span_set(span, tel_bool("seen", true)); }
        }
    }
    TEL_SPAN_EX(span, &described) { TEL_TIMED(timed, &histogram, TEL_NOATTRS) { blocks += span != NULL && timed != NULL; } }
    CHECK_INT(blocks, 2);
}

static void vlog_ex(const tel_log_desc* desc, const char* format, ...) TEL__PRINTF(2, 3);
static void vlog_ex(const tel_log_desc* desc, const char* format, ...) {
    va_list args;
    va_start(args, format);
    tel_vlogf_ex(desc, format, args);
    va_end(args);
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
    tel_logf_ex(&desc, "both %d", 3);
    vlog_ex(&desc, "by list %d", 4);
    tel_log_error(TEL_ERROR, "failed", NULL, TEL_NOATTRS);
    CHECK(tel_log_enabled(TEL_INFO) == !OFF && tel_log_enabled_ex(&desc) == !OFF);
    {
        tel_log_limit limit = { 0, 0 };
        CHECK_INT(tel_log_due(&limit, 60000), OFF ? 0 : 1);
        CHECK_INT(tel_log_due(&limit, 60000), 0);
        CHECK_INT(tel_log_due(NULL, 0), 0);
    }
    CHECK_INT(tel_log_level("*", TEL_INFO), TEL_OK);
}

static void call_query(tel_memory* memory) {
    tel_batch batch = tel_memory_read(memory);
    tel_stats stats = tel_query_stats();
    tel_desc desc = tel_query_desc();
    tel_sink_stats sink;
    tel_sink pull;
    tel_writer writer;
    char text[16];
    CHECK_INT(batch.span_count, OFF ? 0 : 6);
    CHECK_INT(batch.log_count, OFF ? 0 : 7);
    CHECK_ON(batch.metric_count >= 6);
    CHECK_INT(stats.recorded[1], OFF ? 0 : 6);
    CHECK_INT(stats.recorded[2], OFF ? 0 : 7);
    CHECK_STR(desc.service_name ? desc.service_name : "none", OFF ? "none" : "all");
    CHECK(tel_query_sink(0, &sink) == !OFF);
    CHECK(!tel_query_sink(99, &sink));
    CHECK(!tel_query_member("no such sink", 0, &sink));
    memset(&pull, 0, sizeof pull);
    pull.export_fn = take;
    CHECK_INT(tel_query_metrics("*", &pull), TEL_OK);
    CHECK_INT(tel_query_spans(NULL, &pull), TEL_OK);
    CHECK_INT(tel_query_logs(NULL, &pull), TEL_OK);
    CHECK(OFF == !(tel_point_quantile(NULL, 0.5) != 0));        /* NaN */
    CHECK_INT(tel_collect(&pull), TEL_OK);
    CHECK_ON(exported_metrics >= 6 && observed > 0);
    writer.write_fn = count_bytes;
    writer.user_data = NULL;
    written = 0;
    CHECK_INT(tel_prometheus_render(writer), TEL_OK);
    CHECK_INT(tel_prometheus_encode(&batch, writer, NULL), TEL_OK);
    CHECK_ON(written > 100);
    CHECK((tel_prometheus_print(text, sizeof text) > sizeof text) == !OFF);
    CHECK((tel_prometheus_port() != 0) == !OFF);
    tel_observer_end(handle);
}

/* Metrics by name. */
static void call_defined(void) {
    tel_metric_desc d;
    memset(&d, 0, sizeof d);
    d.name = "all.defined";
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    tel_record("all.defined", 1, TEL_ATTRS(tel_int("n", 1)));
    tel_counter_add(tel_counter_get("all.defined"), 1);
    tel_updown_add(tel_updown_get("all.later.updown"), 1);
    tel_gauge_set(tel_gauge_get("all.later.gauge"), 1);
    tel_histogram_record(tel_histogram_get("all.later.histogram"), 1);
}

/* A sink by the name of its type, and all that its maker may ask. */
static tel_result make_sink(tel_sink* out, const tel_settings* s, void* user_data) {
    (void)user_data;
    CHECK_STR(tel_setting_text(s, "text", "t").data, "t");
    CHECK(tel_setting_int(s, "int", 0, 9, 3) == 3 && tel_setting_real(s, "real", 0, 1, 0.5) == 0.5);
    CHECK(tel_setting_bool(s, "bool", true) && !tel_setting_item(s, "list", 0));
    tel_setting_fault(s, "text", "is at fault");
    out->export_fn = take;
    return TEL_OK;
}
static void call_types(void) {
    tel_sink_type type;
    tel_desc desc;
    memset(&type, 0, sizeof type);
    memset(&desc, 0, sizeof desc);
    type.type = "all";
    type.make_fn = make_sink;
    CHECK_INT(tel_sink_type_add(&type), TEL_OK);
    CHECK_INT(tel_reload(), OFF ? TEL_OK : TEL_ERR_STATE);
    desc.exporters = "all";
    desc.ignore_env = true;
    CHECK_INT(tel_init(&desc), OFF ? TEL_OK : TEL_ERR_ARGUMENT);
    if (OFF) {
        CHECK(!tel_setting_text(NULL, "k", NULL).data && !tel_setting_item(NULL, "k", 0));
        CHECK(tel_setting_int(NULL, "k", 0, 1, 1) == 1 && tel_setting_real(NULL, "k", 0, 1, 1) == 1 && tel_setting_bool(NULL, "k", true));
        tel_setting_fault(NULL, "k", "off");
    }
}

/* A sink that calls all of its host. */
static tel_host* lent;
static tel_result open_host(tel_sink* self, tel_host* host) {
    void* p = tel_host_alloc(host, 100);
    (void)self;
    CHECK(p && ((char*)p)[99] == 0);
    tel_host_free(host, p, 100);
    CHECK(!tel_host_threads(host));
    tel_host_room(host);
    CHECK(!tel_host_setting(host, "PATH"));                     /* desc.ignore_env */
    tel_host_report(host, 3, "opened %d", 1);
    lent = host;
    return TEL_OK;
}
static void call_host(void) {
    tel_sink pull;
    size_t before = exported_metrics;
    (void)before;
    if (OFF) { tel_host_alloc(NULL, 1); tel_host_free(NULL, NULL, 1); tel_host_threads(NULL); tel_host_room(NULL); tel_host_report(NULL, 1, "off"); }
    if (OFF) { CHECK(!tel_host_setting(NULL, "PATH")); }
    memset(&pull, 0, sizeof pull);
    pull.export_fn = take;
    CHECK_INT(tel_host_collect(lent, &pull), OFF ? TEL_ERR_STATE : TEL_OK);
    CHECK_ON(exported_metrics > before);
}

static void call_control(void) {
    tel_sink one;
    memset(&one, 0, sizeof one);
    one.name = "one more";
    one.export_fn = take;
    CHECK_INT(tel_sink_add(&one), TEL_OK);
    CHECK_INT(tel_sink_enable("one more", false), TEL_OK);
    CHECK_INT(tel_sink_use("one more"), TEL_OK);
    CHECK_INT(tel_sink_remove("one more", 1000), TEL_OK);
}

static void arrays(void) {
    static const bool yes[] = { true };
    static const int64_t whole[] = { 1, 2 };
    static const double halves[] = { 0.5, 1.5, 2.5 };
    static const char* const words[] = { "a", NULL, "c", "d" };
    tel_attr a[7], item;
    size_t i, at, n = 0;
    a[0] = tel_bytes("bytes", "abc", 3);
    a[1] = tel_bools("bools", yes, 1);
    a[2] = tel_ints("ints", whole, 2);
    a[3] = tel_doubles("doubles", halves, 3);
    a[4] = tel_strs("strs", words, 4);
    a[5] = tel_list("list", tel__attrs(a, 5));
    a[6] = tel_map("map", tel__attrs(a, 6));
    for (i = 0; i < 7; i++) {
        for (at = 0; tel_attr_next(&a[i], &at, &item); n++) { }
    }
    CHECK_INT(n, OFF ? 0 : 1 + 2 + 3 + 4 + 5 + 6);
}

static void call_writers(tel_writer out) {
    tel_attr a = tel_int("k", 1);
    tel_text t = { "t", 1 };
    written = 0;
    tel_write_text(out, t);
    tel_write_json(out, t);
    tel_write_int(out, -1);
    tel_write_real(out, 0.5);
    tel_write_json_attr(out, &a);
    CHECK_INT(written, OFF ? 0 : 1 + 3 + 2 + 3 + 5);
    arrays();
}

int main(void) {
    tel_memory memory;
    tel_sink sinks[5], otlp;
    tel_writer writer;
    tel_trace_desc trace;
    tel_prometheus_desc scrape;
    tel_listener_desc listener;
    tel_desc desc;
    memset(&memory, 0, sizeof memory);
    memset(&scrape, 0, sizeof scrape);
    scrape.host = "127.0.0.1";
    scrape.port = TEL_ANY_PORT;
    writer.write_fn = count_bytes;
    writer.user_data = NULL;
    CHECK(tel_http_left_ms(NULL) == 0);
    otlp = tel_sink_otlp(NULL);
    CHECK((otlp.export_fn != NULL) == !OFF);
    otlp = tel_sink_fallback("either", &otlp, 1);
    CHECK((otlp.export_fn != NULL) == !OFF);
    otlp = tel_sink_http(NULL);
    CHECK((otlp.export_fn != NULL) == !OFF);
    call_writers(writer);
    sinks[0] = tel_sink_memory(&memory);
    memset(&listener, 0, sizeof listener);
    listener.metrics = scrape;
    CHECK((tel_sink_listener(NULL).open_fn != NULL) == !OFF);
    CHECK((tel_sink_listener(&listener).open_fn != NULL) == !OFF);
    sinks[1] = tel_sink_prometheus(&scrape);
    sinks[2] = tel_sink_jsonl(&writer);
    sinks[3] = tel_sink_console(&writer);
    memset(&trace, 0, sizeof trace);
    trace.out = writer;
    CHECK((tel_sink_trace(&trace).export_fn != NULL) == !OFF);
    memset(&sinks[4], 0, sizeof sinks[4]);
    sinks[4].name = "host";
    sinks[4].open_fn = open_host;
    sinks[4].signal_mask = TEL_SIGNAL_PULL;

    CHECK(!tel_enabled());
    CHECK(tel_get_instance() == NULL);
    CHECK(strlen(tel_result_string(TEL_ERR_BUILD)) > 0);
    CHECK_INT(tel_shutdown(0), OFF ? TEL_OK : TEL_ERR_STATE);
    call_types();
    memset(&desc, 0, sizeof desc);
    desc.service_name = "all";
    desc.sinks = sinks;
    desc.sink_count = 5;
    desc.ignore_env = true;
    desc.no_thread = true;
    desc.no_self_metrics = true;
    desc.recent_bytes = 4096;
    desc.clock_fn = fixed_clock;
    CHECK_INT(tel_init(&desc), TEL_OK);
    CHECK(tel_enabled() == !OFF);
    CHECK((tel_get_instance() != NULL) == !OFF);
    CHECK_INT(tel__init(&desc, TEL__BUILD_TAG), OFF ? TEL_OK : TEL_ERR_STATE);

    call_metrics();
    call_defined();
    call_traces();
    call_scopes();
    call_logs();
    CHECK_INT(tel_pump(100), TEL_OK);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_ON(written > 0);
    call_query(&memory);
    call_host();
    call_control();
    CHECK_INT(tel_fork_child(TEL_CHILD_SERVICE), TEL_ERR_STATE);       /* this is no child */
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    CHECK(!tel_enabled());
    CHECK_INT(tel_adopt_instance(NULL), TEL_OK);
    tel_memory_clear(&memory);
    return check_done();
}
