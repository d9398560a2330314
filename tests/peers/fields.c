/* fields.c FILE delta|cumulative -- spans, logs and metrics in which every field of OTLP that this SDK writes has a value, at
   times and under ids that are always the same, for fields_job.sh. They go to the Collector that OTEL_EXPORTER_OTLP_ENDPOINT
   names, and as lines of OTLP JSON to FILE. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <math.h>
#include <stdio.h>

static uint64_t now_ns = 1700000000000000000u;
static uint8_t ids_given;
static FILE* lines;

static uint64_t clock_of_test(void* user_data) {
    (void)user_data;
    return __atomic_load_n(&now_ns, __ATOMIC_RELAXED);
}
static void pass_time(uint64_t ns) { __atomic_add_fetch(&now_ns, ns, __ATOMIC_RELAXED); }

static void next_id(uint8_t* out, size_t size, void* user_data) {
    (void)user_data;
    memset(out, 0x11, size);
    out[size - 1] = ++ids_given;
}

static bool write_line(const void* data, size_t size, void* user_data) {
    (void)user_data;
    return fwrite(data, 1, size, lines) == size;
}

static void observe(tel_observation* o, void* user_data) {
    (void)user_data;
    tel_observe(o, 2.5, TEL_ATTRS(tel_str("disk", "sda")));
    tel_observe_on(o, 1);
    tel_observei(o, -7, TEL_NOATTRS);
}

/* A scope of a library, with everything that a scope can have. */
static const tel_scope* library(void) {
    static tel_attr attrs[2];
    static tel_scope scope;
    attrs[0] = tel_str("scope.of", "a library");
    attrs[1] = tel_bool("scope.flag", false);
    scope.name = "library";
    scope.version = "1.2";
    scope.schema_url = "https://example.org/scope/2";
    scope.attrs.items = attrs;
    scope.attrs.count = 2;
    return &scope;
}

static void record_spans(void) {
    static const tel_span_kind kinds[4] = { TEL_SPAN_INTERNAL, TEL_SPAN_CLIENT, TEL_SPAN_PRODUCER, TEL_SPAN_CONSUMER };
    tel_context caller, other;
    tel_span_desc d;
    tel_link links[3];
    tel_log_desc l;
    tel_span span, child;
    tel_token token;
    int i;
    memset(&caller, 0, sizeof caller);
    memset(caller.trace_id, 0xAA, sizeof caller.trace_id);
    memset(caller.span_id, 0xBB, sizeof caller.span_id);
    caller.flags = 3;
    caller.remote = 1;
    other = caller;
    memset(other.trace_id, 0xCC, sizeof other.trace_id);
    other.flags = 1;
    tel_tracestate_set(&caller, "vendor", "one");
    tel_tracestate_set(&caller, "tenant@vendor", "two");
    memset(links, 0, sizeof links);
    links[1].context = other;
    links[1].context.remote = 0;
    tel_tracestate_set(&other, "linked", "three");
    links[0].context = links[2].context = other;
    links[0].attrs = TEL_ATTRS(tel_int("a", 1), tel_int("b", 2), tel_int("c", 3), tel_int("d", 4));
    memset(&d, 0, sizeof d);
    d.name = "GET \xff/\x01";
    d.kind = TEL_SPAN_SERVER;
    d.parent = &caller;
    d.links = links;
    d.link_count = 3;
    d.scope = library();
    d.attrs = TEL_ATTRS(tel_str("cut", "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"), tel_int("again", 5));
    span = tel_span_start_ex(&d);
    pass_time(1000);
    tel_span_set(&span, tel_bool("truth", true));
    tel_span_set(&span, tel_double("small", 1e-7));
    tel_span_set(&span, tel_int("dropped", 1));
    tel_span_set(&span, tel_int("again", -6));
    tel_span_event(&span, "first", TEL_ATTRS(tel_str("k", "abcdef")));
    tel_span_event_at(&span, "second", 1699999999999999999u, TEL_ATTRS(tel_int("a", 1), tel_int("b", 2), tel_int("c", 3)));
    tel_span_event(&span, "dropped", TEL_NOATTRS);
    tel_span_status(&span, TEL_STATUS_ERROR, "m\xc3\xa9ssage");
    token = tel_attach(&span.context);
    for (i = 0; i < 4; i++) {
        memset(&d, 0, sizeof d);
        d.name = "child";
        d.kind = kinds[i];
        child = tel_span_start_ex(&d);
        if (i == 1) { tel_span_status(&child, TEL_STATUS_OK, NULL); }
        pass_time(10);
        tel_span_end(&child);
    }
    memset(&l, 0, sizeof l);
    tel_log_ex(&l);
    l.severity = TEL_WARN;
    l.event_name = "an.event";
    l.body = "b\xff\"\\\n\x01";
    l.scope = library();
    l.unix_ns = 1699999999000000001u;
    l.attrs = TEL_ATTRS(tel_int("a", 1), tel_int("b", 2), tel_int("c", 3), tel_int("d", 4), tel_str("e", "5"));
    tel_log_ex(&l);
    for (i = 1; i <= 24; i++) { tel_log((tel_severity)i, "", TEL_NOATTRS); }
    tel_logf(TEL_INFO, "%s %d %.3f", "later", -5, 2.5);
    tel_detach(token);
    tel_span_end(&span);
    tel_log(TEL_INFO, "outside", TEL_NOATTRS);
}

/* Spans and logs with attributes of every type, at the top and within others, and bodies that are no strings. */
static void record_values(void) {
    static const bool truths[2] = { true, false };
    static const int64_t whole[3] = { INT64_MIN, 0, INT64_MAX };
    static const double real[3] = { -0.5, INFINITY, 5e-324 };
    static const char* const words[3] = { "", "\xf0\x9f\x98\x80""bcd", "a\xff" };
    tel_attr inner[4], all[12];
    tel_log_desc l;
    int i;
    memset(inner, 0, sizeof inner);                     /* the first one is the empty value */
    inner[1] = tel_str("", "inner");
    inner[2] = tel_bytes("", "\1\2\3\4", 4);
    inner[3] = tel_map("", TEL_ATTRS(tel_double("d", 2), tel_strs("s", words, 3), tel_list("l", TEL_ATTRS(tel_bool("", true)))));
    all[0] = tel_bool("bool", false);
    all[1] = tel_int("int", 0);
    all[2] = tel_double("double", 0);
    all[3] = tel_str("str", "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
    all[4] = tel_bytes("bytes", "\0\xff\x80\1", 4);
    all[5] = tel_bools("bools", truths, 2);
    all[6] = tel_ints("ints", whole, 3);
    all[7] = tel_doubles("doubles", real, 3);
    all[8] = tel_strs("strs", words, 3);
    all[9] = tel_list("list", tel__attrs(inner, 4));
    all[10] = tel_map("map", TEL_ATTRS(tel_map("none", TEL_NOATTRS), tel_list("list", tel__attrs(inner, 4)), tel_int("i", -1)));
    all[11] = tel_ints("empty", NULL, 0);
    memset(&l, 0, sizeof l);
    for (i = 0; i < 12; i += 4) {
        tel_attr body = all[11 - i];
        tel_span span = tel_span_start("values");
        tel_span_set_all(&span, tel__attrs(all + i, 4));
        tel_span_end(&span);
        l.context = &span.context;
        if (i == 8) { body = tel_map("", tel__attrs(all, 12)); }
        l.body_value = &body;
        l.attrs = tel__attrs(all + i, 4);
        l.severity_text = "values";
        l.observed_unix_ns = 1699999998000000001u;
        tel_log_ex(&l);
    }
}

static void record_metrics(void) {
    static double bounds[4] = { -1, 0, 1, 1e300 };
    static tel_metric_options exponential, rough, real, scoped, bounded;
    static tel_counter calls = TEL_INSTRUMENT("fields.calls", "{call}", "Calls");
    static tel_counter inside = TEL_INSTRUMENT_OPT("fields.scoped", NULL, NULL, &scoped);
    static tel_counter seconds = TEL_INSTRUMENT_OPT("fields.real", "s", NULL, &real);
    static tel_counter nothing = TEL_INSTRUMENT("fields.dropped", NULL, NULL);
    static tel_updown depth = TEL_INSTRUMENT("fields.depth", NULL, NULL);
    static tel_gauge least = TEL_INSTRUMENT("fields.least", NULL, NULL);
    static tel_gauge endless = TEL_INSTRUMENT("fields.endless", NULL, NULL);
    static tel_histogram buckets = TEL_INSTRUMENT_OPT("fields.buckets", NULL, NULL, &bounded);
    static tel_histogram plain = TEL_INSTRUMENT("fields.no_extremes", NULL, NULL);
    static tel_histogram sum = TEL_INSTRUMENT("fields.sum", NULL, NULL);
    static tel_histogram spread = TEL_INSTRUMENT_OPT("fields.spread", "s", "Spread", &exponential);
    static tel_histogram coarse = TEL_INSTRUMENT_OPT("fields.coarse", NULL, NULL, &rough);
    tel_span span = tel_span_start("measured");
    tel_token token = tel_attach(&span.context);
    int i;
    exponential.exponential = rough.exponential = real.real = true;
    rough.zero_threshold = 0.5;
    rough.max_size = 4;
    scoped.scope = library();
    bounded.bounds = bounds;
    bounded.bound_count = 4;
    for (i = 0; i < 10; i++) {
        tel_counter_add_with(&calls, 1, TEL_ATTRS(tel_str("route", "/a"), tel_int("user", i)));
        tel_histogram_record_with(&spread, i * 0.01, TEL_ATTRS(tel_str("route", "/a"), tel_int("user", i)));
        tel_histogram_record(&coarse, i * i * 0.1);
        tel_histogram_record(&buckets, i);
        tel_histogram_record(&plain, i);
        tel_histogram_record(&sum, i);
        tel_counter_add(&inside, 3);
        tel_counter_add(&nothing, 1);
        tel_counter_addf(&seconds, 0.1);
        tel_updown_add(&depth, -2);
    }
    tel_gauge_seti(&least, INT64_MIN);
    tel_gauge_set_with(&endless, INFINITY, TEL_ATTRS(tel_bool("yes", true), tel_doubles("some", bounds, 2)));
    tel_detach(token);
    tel_span_end(&span);
}

int main(int argc, char** argv) {
    tel_sink sinks[2];
    tel_writer writer;
    tel_view views[5];
    tel_id_generator ids;
    tel_observer_desc d, also;
    tel_desc desc;
    int i;
    if (argc != 3 || !(lines = fopen(argv[1], "wb"))) { return 2; }
    memset(&writer, 0, sizeof writer);
    memset(views, 0, sizeof views);
    memset(&ids, 0, sizeof ids);
    memset(&d, 0, sizeof d);
    memset(&also, 0, sizeof also);
    memset(&desc, 0, sizeof desc);
    writer.write_fn = write_line;
    sinks[0] = tel_sink_otlp(NULL);
    sinks[1] = tel_sink_jsonl(&writer);
    for (i = 0; i < 2; i++) {
        sinks[i].temporality = strcmp(argv[2], "delta") == 0 ? TEL_TEMPORALITY_DELTA : TEL_TEMPORALITY_CUMULATIVE;
    }
    views[0].match_name = "fields.calls";
    views[0].keep_keys = "route";
    views[0].name = "fields.renamed";
    views[0].description = "Otherwise";
    views[1].match_name = "fields.spread";
    views[1].drop_keys = "user";
    views[2].match_name = "fields.dropped";
    views[2].aggregation = TEL_AGGREGATE_DROP;
    views[3].match_name = "fields.sum";
    views[3].aggregation = TEL_AGGREGATE_SUM;
    views[4].match_name = "fields.no_extremes";
    views[4].no_min_max = true;
    ids.id_fn = next_id;
    desc.service_name = "fields";
    desc.schema_url = "https://example.org/resource/1";
    desc.resource = TEL_ATTRS(tel_bool("r.bool", true), tel_int("r.min", INT64_MIN), tel_int("r.max", INT64_MAX),
                              tel_double("r.nan", NAN), tel_double("r.inf", -INFINITY), tel_double("r.tiny", 5e-324),
                              tel_str("r.empty", ""), tel_str("r.bad", "a\xff\xc3z"), tel_strn("r.nul", "a\0b", 3),
                              tel_str("r.four", "\xf0\x9f\x98\x80"), tel_bytes("r.bytes", "abcd", 4),
                              tel_list("r.list", TEL_ATTRS(tel_str("", "abcd"), tel_map("", TEL_ATTRS(tel_int("a", 1))))));
    desc.sinks = sinks;
    desc.sink_count = 2;
    desc.views = views;
    desc.view_count = 5;
    desc.exemplars = TEL_EXEMPLARS_SAMPLED;
    desc.clock_fn = clock_of_test;
    desc.ids = &ids;
    desc.attribute_limit = 4;
    desc.event_limit = desc.link_limit = 2;
    desc.attribute_length_limit = 3;
    desc.no_self_metrics = true;
    if (tel_init(&desc) != TEL_OK) { return 1; }
    d.kind = TEL_OBSERVE_COUNTER;
    d.name = "fields.observed";
    d.observe_fn = observe;
    d.also = &also;
    d.also_count = 1;
    also.kind = TEL_OBSERVE_UPDOWN;
    also.name = "fields.also";
    if (!tel_observer_new(&d)) { return 1; }
    record_spans();
    record_values();
    record_metrics();
    if (tel_flush(20000) != TEL_OK) { return 1; }
    pass_time(1000000);
    record_metrics();
    return tel_shutdown(20000) == TEL_OK && fclose(lines) == 0 ? 0 : 1;
}
