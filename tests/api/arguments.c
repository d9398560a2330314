/* Every public function with NULL, zeroed and absurd arguments: before tel_init, while the SDK runs, and after tel_shutdown. Nothing
   may crash; calls with a result say what was wrong; and in the end the books are whole. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <math.h>

static tel_counter unnamed;
static tel_counter counter = TEL_INSTRUMENT("arguments.counter", NULL, NULL);
static tel_attr odd_items[4];
static tel_attrs odd, none;

static tel_result take(const tel_batch* batch, void* user_data) { (void)batch; (void)user_data; return TEL_OK; }
static void ignore(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)item; (void)message; (void)line; (void)user_data;
}
static void free_nothing(void* ptr, void* user_data) { (void)ptr; (void)user_data; }
static void observe_nothing(tel_observation* o, void* user_data) { (void)o; (void)user_data; }

static void metrics(void) {
    tel_counter_add(NULL, 1);
    tel_counter_addf(NULL, 1);
    tel_updown_add(NULL, 1);
    tel_gauge_set(NULL, 1);
    tel_histogram_record(NULL, 1);
    tel_counter_add_with(NULL, 1, odd);
    tel_updown_add_with(NULL, 1, none);
    tel_gauge_set_with(NULL, 1, odd);
    tel_histogram_record_with(NULL, 1, odd);
    tel_counter_add(tel_counter_bind(NULL, none), 1);
    tel_updown_add(tel_updown_bind(NULL, odd), 1);
    tel_gauge_set(tel_gauge_bind(NULL, none), 1);
    tel_histogram_record(tel_histogram_bind(NULL, none), 1);
    tel_counter_add(&unnamed, 1);
    tel_counter_add_with(&unnamed, 1, odd);
    tel_counter_add_with(&counter, 1, odd);
    tel_counter_add(&counter, -1);
    tel_counter_add(&counter, INT64_MIN);
    tel_counter_addf(&counter, (double)NAN);
    tel_counter_addf_with(NULL, 1, none);
    tel_updown_addf(NULL, 1);
    tel_updown_addf_with(NULL, 1, odd);
    tel_gauge_seti(NULL, 1);
    tel_gauge_seti_with(NULL, 1, odd);
    tel_observe(NULL, 1, none);
    tel_observei(NULL, 1, none);
}

static void observers(bool running) {
    tel_observer_desc d;
    memset(&d, 0, sizeof d);
    CHECK(tel_observer_new(NULL) == NULL);
    CHECK(tel_observer_new(&d) == NULL);
    d.observe_fn = observe_nothing;
    CHECK(tel_observer_new(&d) == NULL);
    d.name = "not a name";
    CHECK(tel_observer_new(&d) == NULL);
    tel_observer_end(NULL);
    tel_observer_end((tel_observer*)(uintptr_t)12345);          /* a number that is nobody's */
    (void)running;
}

static void spans(void) {
    tel_context zero, broken;
    tel_span span;
    tel_link link;
    tel_span_desc desc;
    memset(&zero, 0, sizeof zero);
    memset(&broken, 0xff, sizeof broken);
    memset(&desc, 0, sizeof desc);
    memset(&link, 0, sizeof link);
    tel_span_end(NULL);
    tel_span_end_at(NULL, 0);
    CHECK(!tel_span_recording(NULL));
    tel_span_set(NULL, odd_items[0]);
    tel_span_set_all(NULL, odd);
    tel_span_event(NULL, NULL, none);
    tel_span_event_at(NULL, NULL, 0, none);
    tel_span_link(NULL, NULL, none);
    tel_span_status(NULL, TEL_STATUS_OK, NULL);
    tel_span_rename(NULL, NULL);
    tel_span_error(NULL, NULL);
    span = tel_span_start(NULL);
    tel_span_end(&span);
    tel_span_end(&span);
    span = tel_span_start_ex(NULL);
    tel_span_set(&span, odd_items[0]);
    tel_span_set_all(&span, odd);
    tel_span_event(&span, NULL, odd);
    tel_span_event_at(&span, NULL, UINT64_MAX, odd);
    tel_span_link(&span, NULL, odd);
    tel_span_link(&span, &zero, none);
    tel_span_status(&span, (tel_span_status_code)99, NULL);
    tel_span_error(&span, NULL);
    tel_span_rename(&span, NULL);
    tel_span_end_at(&span, 1);
    desc.kind = (tel_span_kind)99;
    desc.links = &link;
    desc.link_count = 1;
    desc.parent = &zero;
    desc.start_unix_ns = UINT64_MAX;
    span = tel_span_start_ex(&desc);
    tel_span_end(&span);
    memset(&span, 0xff, sizeof span);   /* a handle of nothing */
    tel_span_set(&span, odd_items[2]);
    CHECK(!tel_span_recording(&span));
    tel_span_end(&span);
    memset(&span, 0, sizeof span);
    tel_span_end(&span);
    CHECK(tel_current_span() != NULL);
    CHECK(!tel_context_valid(NULL) && !tel_context_valid(&zero));
}

static void contexts(void) {
    tel_context zero, out;
    tel_token token;
    tel_carrier carrier;
    tel_text text;
    char header[TEL_TRACEPARENT_SIZE];
    memset(&zero, 0, sizeof zero);
    memset(&carrier, 0, sizeof carrier);
    memset(&token, 0, sizeof token);
    tel_detach(token);
    memset(&token, 0xff, sizeof token);
    tel_detach(token);
    tel_detach(tel_attach(NULL));
    tel_detach(tel_attach(&zero));
    out = tel_current();
    CHECK(!tel_context_valid(&out));
    CHECK(tel_inject(NULL, NULL) != TEL_OK);
    CHECK(tel_inject(&zero, &carrier) != TEL_OK);
    out = tel_extract(NULL);
    CHECK(!tel_context_valid(&out));
    out = tel_extract(&carrier);
    CHECK(!tel_context_valid(&out));
    CHECK(tel_traceparent_format(NULL, header) != TEL_OK);
    CHECK(tel_traceparent_format(&zero, header) != TEL_OK);
    text.data = NULL;
    text.size = 0;
    CHECK(tel_traceparent_parse(text, &out) != TEL_OK);
    text.size = SIZE_MAX;
    CHECK(tel_traceparent_parse(text, &out) != TEL_OK);
    text.data = "";
    CHECK(tel_traceparent_parse(text, &out) != TEL_OK);
    CHECK(tel_traceparent_parse(text, NULL) != TEL_OK);
}

static void logs(void) {
    tel_log_desc desc;
    memset(&desc, 0, sizeof desc);
    tel_log((tel_severity)0, NULL, none);
    tel_log((tel_severity)99, "x", odd);
    tel_logf(TEL_INFO, "%s", "");
    tel_log_ex(NULL);
    tel_log_ex(&desc);
    (void)tel_log_enabled((tel_severity)99);
}

static void queries(bool running) {
    tel_memory memory;
    tel_sink pull;
    tel_writer writer;
    tel_sink_stats stats;
    char byte[1] = { 'x' };
    memset(&memory, 0, sizeof memory);
    memset(&pull, 0, sizeof pull);
    memset(&writer, 0, sizeof writer);
    CHECK_INT(tel_collect(NULL), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_collect(&pull), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_prometheus_render(writer), TEL_ERR_ARGUMENT);
    (void)tel_prometheus_print(NULL, 0);
    (void)tel_prometheus_print(byte, 1);
    CHECK_INT(byte[0], 0);
    CHECK(!tel_query_sink(0, NULL));
    CHECK(!tel_query_sink(SIZE_MAX, &stats));
    (void)tel_query_stats();
    CHECK((tel_query_desc().service_name != NULL) == running);
    tel_memory_clear(&memory);
    tel_memory_clear(NULL);
    CHECK_INT(tel_memory_read(&memory).log_count, 0);
    CHECK_INT(tel_memory_read(NULL).log_count, 0);
    CHECK(tel_result_string((tel_result)5) != NULL && tel_result_string((tel_result)-99) != NULL);
    CHECK_INT(tel_flush(0) == TEL_ERR_STATE, !running);
    CHECK_INT(tel_pump(0) == TEL_ERR_STATE, !running);
}

static void scopes(void) {
    tel_timer timer;
    int blocks = 0;
    TEL_ATTACH(NULL) {
        TEL_TIME(NULL) {
            TEL_TIMED(t, NULL, odd) {
                TEL_SPAN(span, NULL) {
                    TEL_SPAN_EX(inner, NULL) {
                        tel_span_set(inner, odd_items[0]);
                        tel_time_set(t, odd_items[0]);
                        tel_span_set(span, odd_items[1]);
                        blocks++;
                    }
                }
            }
        }
    }
    CHECK_INT(blocks, 1);
    memset(&timer, 0, sizeof timer);
    tel_timer_end(&timer);
}

static void all(bool running) {
    metrics();
    observers(running);
    spans();
    contexts();
    logs();
    queries(running);
    scopes();
    (void)tel_adopt_instance(NULL);
}

static void setups(void) {
    static tel_desc bad[8];
    tel_sink sink, memory;
    tel_result r;
    size_t i;
    memset(&sink, 0, sizeof sink);
    sink.export_fn = take;
    memset(bad, 0, sizeof bad);
    bad[0].sinks = &sink;
    bad[0].sink_count = 17;
    bad[1].sink_count = 1;
    bad[2].resource.count = 3;
    bad[3].sample_ratio = (double)NAN;
    bad[4].ring_bytes = 5000;
    bad[5].allocator.free_fn = free_nothing;
    bad[6].tel__canary_end = 1;
    bad[7].memory_limit = 1;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bad[i].ignore_env = true;
        bad[i].diag.report_fn = ignore;
        r = tel_init(&bad[i]);
        CHECK(r != TEL_OK && r != TEL_ERR_STATE && r != TEL_ERR_IO);
        CHECK(!tel_enabled());
        if (tel_enabled()) { tel_shutdown(1000); }
    }
    memory = tel_sink_memory(NULL);
    memset(&bad[0], 0, sizeof bad[0]);
    bad[0].sinks = &memory;
    bad[0].sink_count = 1;
    bad[0].ignore_env = true;
    bad[0].diag.report_fn = ignore;
    CHECK(tel_init(&bad[0]) != TEL_OK);
    tel_shutdown(1000);
}

int main(void) {
    tel_sink sink;
    tel_desc desc;
    tel_stats s;
    odd_items[0] = tel_str(NULL, NULL);
    odd_items[1] = tel_strn("k", NULL, 0);
    odd_items[2] = tel_str("k", NULL);
    odd_items[3] = tel_double("", (double)INFINITY);
    odd = tel__attrs(odd_items, 4);
    none = TEL_NOATTRS;
    memset(&sink, 0, sizeof sink);
    memset(&desc, 0, sizeof desc);
    sink.export_fn = take;
    desc.service_name = "arguments";
    desc.sinks = &sink;
    desc.sink_count = 1;
    desc.ignore_env = true;
    desc.diag.report_fn = ignore;
    all(false);
    CHECK_INT(tel_init(&desc), TEL_OK);
    all(true);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    s = tel_query_stats();
    CHECK_INT(s.queued[1] + s.queued[2] + s.spans_live, 0);
    CHECK_INT(s.recorded[1], s.dropped[1] + s.exported[1] + s.failed[1]);
    CHECK_INT(s.recorded[2], s.dropped[2] + s.exported[2] + s.failed[2]);
    all(false);
    setups();
    return check_done();
}
