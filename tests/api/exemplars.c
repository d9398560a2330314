/* Exemplars: which measurements become one under each filter, what they hold, where they go on the wire and on a page, and that
   threads that record and a collection agree on each of them. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include "capture.h"

static tel_histogram spread = TEL_INSTRUMENT("ex.spread", "s", NULL);
static tel_counter jobs = TEL_INSTRUMENT("ex.jobs", "{job}", NULL);
static tel_gauge level = TEL_INSTRUMENT("ex.level", NULL, NULL);
static tel_updown queue = TEL_INSTRUMENT("ex.queue", NULL, NULL);
static tel_metric_options fine_options = { NULL, NULL, 0, true, false, 0, 0 };
static tel_histogram fine = TEL_INSTRUMENT_OPT("ex.fine", NULL, NULL, &fine_options);

static tel_memory memory;

static const tel_point* point_of(const tel_batch* b, const char* name, bool* integer) {
    size_t i;
    for (i = 0; i < b->metric_count; i++) {
        if (b->metrics[i].name.size == strlen(name) && memcmp(b->metrics[i].name.data, name, strlen(name)) == 0) {
            if (integer) { *integer = b->metrics[i].integer; }
            return &b->metrics[i].points[0];
        }
    }
    return NULL;
}
static tel_desc desc_of(tel_sink* sink, tel_exemplar_filter filter) {
    tel_desc d;
    *sink = tel_sink_memory(&memory);
    d = test_desc(sink, 1);
    d.exemplars = filter;
    return d;
}
static size_t count_of(const char* name) {
    tel_batch b = tel_memory_read(&memory);
    const tel_point* p = point_of(&b, name, NULL);
    return p ? p->exemplar_count : 99;
}

/* Under each filter: measurements in a sampled span, in one that is not, and in none. */
static void test_filters(void) {
    static const struct { tel_exemplar_filter filter; size_t outside, unsampled, sampled; } list[] = {
        { TEL_EXEMPLARS_DEFAULT, 0, 0, 0 }, { TEL_EXEMPLARS_OFF, 0, 0, 0 },
        { TEL_EXEMPLARS_SAMPLED, 0, 0, 1 }, { TEL_EXEMPLARS_ALL, 1, 1, 1 }
    };
    tel_context remote;
    tel_sink sink;
    tel_desc d;
    size_t i;
    for (i = 0; i < sizeof list / sizeof list[0]; i++) {
        d = desc_of(&sink, list[i].filter);
        CHECK_INT(tel_init(&d), TEL_OK);
        CHECK_INT(tel_query_desc().exemplars, list[i].filter ? list[i].filter : TEL_EXEMPLARS_OFF);
        tel_counter_add(&jobs, 1);
        CHECK_INT(tel_flush(20000), TEL_OK);
        CHECK_INT(count_of("ex.jobs"), list[i].outside);
        memset(&remote, 0, sizeof remote);
        memset(remote.trace_id, 7, 16);
        memset(remote.span_id, 8, 8);
        TEL_ATTACH(&remote) { tel_updown_add(&queue, 1); }
        CHECK_INT(tel_flush(20000), TEL_OK);
        CHECK_INT(count_of("ex.queue"), list[i].unsampled);
        TEL_SPAN(s, "work") { tel_histogram_record(&spread, 0.3); }
        tel_histogram_record(&spread, 3);       /* the span has ended */
        CHECK_INT(tel_flush(20000), TEL_OK);
        CHECK_INT(count_of("ex.spread"), list[i].sampled + list[i].outside);
        CHECK_INT(tel_shutdown(20000), TEL_OK);
        tel_memory_clear(&memory);
    }
}

/* Every kind of instrument, with and without attributes: value, number type, ids, time. */
static void test_contents(void) {
    static const char* const names[] = { "ex.jobs", "ex.queue", "ex.level", "ex.spread", "ex.fine" };
    tel_sink sink;
    tel_desc d = desc_of(&sink, TEL_EXEMPLARS_SAMPLED);
    tel_context was;
    tel_batch b;
    uint64_t before;
    bool integer = false;
    size_t i;
    memset(&was, 0, sizeof was);
    CHECK_INT(tel_init(&d), TEL_OK);
    before = tel_now_ns();
    TEL_SPAN(s, "work") {
        was = tel_current();
        tel_counter_add(&jobs, 41);
        tel_updown_add(&queue, -5);
        tel_gauge_set(&level, 2.5);
        tel_histogram_record(&spread, 0.3);
        tel_histogram_record(&fine, 1000);
        tel_counter_add_with(&jobs, 7, TEL_ATTRS(tel_int("a", 1)));
        tel_gauge_seti_with(&level, 9, TEL_ATTRS(tel_int("a", 1)));
        tel_histogram_record_with(&spread, 99, TEL_ATTRS(tel_int("a", 1)));
    }
    CHECK_INT(tel_flush(20000), TEL_OK);
    b = tel_memory_read(&memory);
    for (i = 0; i < 5; i++) {
        static const double values[] = { 41, -5, 2.5, 0.3, 1000 };
        const tel_point* p = point_of(&b, names[i], &integer);
        const tel_exemplar* e = p && p->exemplar_count ? &p->exemplars[0] : NULL;
        if (!e) { fprintf(stderr, "     no exemplar of %s\n", names[i]); }
        CHECK(e != NULL);
        if (!e) { continue; }
        CHECK_INT(p->exemplar_count, 1);
        CHECK(e->d >= values[i] && e->d <= values[i]);
        CHECK(i > 1 || (integer && e->i == (int64_t)values[i]));
        CHECK(memcmp(e->trace_id, was.trace_id, 16) == 0 && memcmp(e->span_id, was.span_id, 8) == 0);
        CHECK(e->unix_ns >= before - 1000000 && e->unix_ns <= p->unix_ns && e->attrs.count == 0);
    }
    for (i = 0; i < b.metric_count; i++) {          /* the series with attributes have theirs, too */
        if (b.metrics[i].point_count < 2) { continue; }
        CHECK_INT(b.metrics[i].points[1].exemplar_count, 1);
    }
    CHECK_INT(tel_shutdown(20000), TEL_OK);
    tel_memory_clear(&memory);
}

/* A histogram has one for each bucket, the newest; a counter one of all. */
static void test_reservoirs(void) {
    tel_sink sink;
    tel_desc d = desc_of(&sink, TEL_EXEMPLARS_ALL);
    tel_batch b;
    const tel_point* p;
    size_t i;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_histogram_record(&spread, 0.3);
    tel_histogram_record(&spread, 0.4);
    tel_histogram_record(&spread, 100);
    tel_histogram_record(&spread, 0);
    for (i = 0; i < 50; i++) {
        tel_counter_add(&jobs, (int64_t)i + 1);
        tel_histogram_record(&fine, (double)i);
    }
    CHECK_INT(tel_flush(20000), TEL_OK);
    b = tel_memory_read(&memory);
    p = point_of(&b, "ex.spread", NULL);
    CHECK(p && p->exemplar_count == 3);
    for (i = 0; p && i < p->exemplar_count; i++) {
        double v = p->exemplars[i].d;
        CHECK(v >= 100 || v <= 0 || (v > 0.35 && v < 0.45));
    }
    CHECK_INT(count_of("ex.jobs"), 1);
    CHECK_INT(count_of("ex.fine"), 20);
    CHECK_INT(tel_shutdown(20000), TEL_OK);
    tel_memory_clear(&memory);
}

/* What a view drops from the points stands at the exemplar. */
static void test_filtered(void) {
    tel_sink sink;
    tel_desc d = desc_of(&sink, TEL_EXEMPLARS_SAMPLED);
    tel_view view;
    tel_batch b;
    const tel_point* p;
    memset(&view, 0, sizeof view);
    view.match_name = "ex.jobs";
    view.keep_keys = "route";
    d.views = &view;
    d.view_count = 1;
    CHECK_INT(tel_init(&d), TEL_OK);
    TEL_SPAN(s, "work") { tel_counter_add_with(&jobs, 3, TEL_ATTRS(tel_str("route", "/a"), tel_str("user", "ann"))); }
    TEL_SPAN(s, "work") { tel_counter_add_with(&jobs, 4, TEL_ATTRS(tel_str("route", "/a"), tel_str("user", "bob"))); }
    CHECK_INT(tel_flush(20000), TEL_OK);
    b = tel_memory_read(&memory);
    p = point_of(&b, "ex.jobs", NULL);
    CHECK(p && p->i == 7 && p->attrs.count == 1 && p->exemplar_count == 2);
    if (p && p->exemplar_count == 2) {
        size_t i;
        for (i = 0; i < 2; i++) {
            const tel_exemplar* e = &p->exemplars[i];
            CHECK_INT(e->attrs.count, 1);
            CHECK(e->attrs.count && strcmp(e->attrs.items[0].key, "user") == 0 &&
                  strcmp(e->attrs.items[0].as.s.data, e->i == 3 ? "ann" : "bob") == 0);
        }
    }
    CHECK_INT(tel_shutdown(20000), TEL_OK);
    tel_memory_clear(&memory);
}

/* On the wire and on a page. */
static char wire[1 << 16];
static bool keep(const void* data, size_t size, void* user_data) {
    size_t* used = (size_t*)user_data;
    if (*used + size < sizeof wire) {
        memcpy(wire + *used, data, size);
        *used += size;
        wire[*used] = 0;
    }
    return true;
}
static void test_wire(void) {
    size_t used = 0;
    tel_writer out;
    tel_sink sinks[2];
    tel_prometheus_desc pd;
    tel_desc d;
    tel_context was;
    char hex[33], want[200];
    int i;
    memset(&was, 0, sizeof was);
    out.write_fn = keep;
    out.user_data = &used;
    sinks[0] = tel_sink_jsonl(&out);
    sinks[1] = scrape_sink(&pd, TEL_ANY_PORT);
    d = test_desc(sinks, 2);
    d.exemplars = TEL_EXEMPLARS_SAMPLED;
    CHECK_INT(tel_init(&d), TEL_OK);
    TEL_SPAN(s, "work") {
        was = tel_current();
        tel_histogram_record(&spread, 0.3);
        tel_counter_add(&jobs, 41);
    }
    for (i = 0; i < 16; i++) { snprintf(hex + 2 * i, 3, "%02x", was.trace_id[i]); }
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK(strstr(wire, "\"exemplars\":[{\"timeUnixNano\":\"") != NULL);
    CHECK(strstr(wire, "\",\"asInt\":\"41\",\"spanId\":\"") != NULL);
    snprintf(want, sizeof want, "\"traceId\":\"%s\"", hex);
    CHECK(strstr(wire, "\",\"asDouble\":0.3,\"spanId\":\"") != NULL && strstr(wire, want) != NULL);
#if !TEL_NO_OPENMETRICS
    scrape(tel_prometheus_port(), "GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text\r\n\r\n", wire, sizeof wire);
    snprintf(want, sizeof want, "\nex_jobs_total 41 # {trace_id=\"%s\",span_id=\"", hex);
    CHECK(strstr(wire, want) != NULL);
    snprintf(want, sizeof want, "le=\"0.5\"} 1 # {trace_id=\"%s\",span_id=\"", hex);
    CHECK(strstr(wire, want) != NULL && strstr(wire, "\"} 0.3 1") != NULL);
    CHECK(strstr(wire, "le=\"0.75\"} 1\n") != NULL);
#endif
    scrape(tel_prometheus_port(), "GET /metrics HTTP/1.0\r\n\r\n", wire, sizeof wire);
    CHECK(strstr(wire, "\nex_jobs_total 41\n") != NULL && !strstr(wire, " # {"));
    CHECK_INT(tel_shutdown(20000), TEL_OK);
}

/* OpenMetrics has the attributes that a view has left out behind the ids, as far as 128 characters go. */
#if !TEL_NO_OPENMETRICS
static void test_filtered_labels(void) {
    static char longest[80];
    static tel_counter left = TEL_INSTRUMENT("ex.left", NULL, NULL), brief = TEL_INSTRUMENT("ex.brief", NULL, NULL);
    tel_sink sink;
    tel_prometheus_desc pd;
    tel_view view;
    tel_desc d;
    static const char rest[] = "\",key_1st=\"1\",n=\"-3\",user_id=\"a\\\"b\"} 1 1";
    const char *line, *labels;
    memset(&view, 0, sizeof view);
    memset(longest, 'x', sizeof longest - 1);
    view.match_name = "*";
    view.keep_keys = "";
    sink = scrape_sink(&pd, TEL_ANY_PORT);
    d = test_desc(&sink, 1);
    d.exemplars = TEL_EXEMPLARS_SAMPLED;
    d.views = &view;
    d.view_count = 1;
    CHECK_INT(tel_init(&d), TEL_OK);
    TEL_SPAN(s, "work") {
        tel_counter_add_with(&left, 1, TEL_ATTRS(tel_str("long", longest), tel_str("user.id", "a\"b"), tel_int("n", -3),
            tel_str("user_id", "twice"), tel_str("trace_id", "mine"), tel_int("1st", 1), tel_str("\xc3\xa4", "no name")));
    }
    tel_counter_add(&brief, 1);
    scrape(tel_prometheus_port(), "GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text\r\n\r\n", wire, sizeof wire);
    line = strstr(wire, "\nex_left_total 1 # {trace_id=\"");
    CHECK(line != NULL);
    labels = line ? strstr(line, "\",span_id=\"") : NULL;
    CHECK(labels != NULL && strncmp(labels + 27, rest, strlen(rest)) == 0);     /* "long" does not fit, "user_id" would come twice */
    CHECK_INT(tel_shutdown(20000), TEL_OK);
}
#endif

/* Threads record in spans of their own while pages are made: an exemplar is never seen in part, and nothing is lost. */
static void* record_in_spans(void* arg) {
    uint64_t i, n = *(const uint64_t*)arg;
    for (i = 0; i < n; i++) {
        TEL_SPAN(s, "work") {
            tel_context c = tel_current();
            double v = (double)(c.span_id[0] & 7) + 0.5;        /* the value tells the span */
            tel_histogram_record(&spread, v);
            tel_counter_add(&jobs, 1);
        }
    }
    return NULL;
}
static tel_result look(const tel_batch* b, void* user_data) {
    const tel_point* p = point_of(b, "ex.spread", NULL);
    size_t i;
    for (i = 0; p && i < p->exemplar_count; i++) {
        const tel_exemplar* e = &p->exemplars[i];
        if (e->d != (double)(e->span_id[0] & 7) + 0.5) { ++*(int*)user_data; }
    }
    return TEL_OK;
}
static void test_threads(void) {
    static uint64_t rounds = 3000;
    pthread_t threads[4];
    tel_sink sink, probe;
    tel_desc d = desc_of(&sink, TEL_EXEMPLARS_SAMPLED);
    tel_batch b;
    const tel_point* p;
    int torn = 0, i;
    CHECK_INT(tel_init(&d), TEL_OK);
    memset(&probe, 0, sizeof probe);
    probe.export_fn = look;
    probe.user_data = &torn;
    for (i = 0; i < 4; i++) { CHECK_INT(pthread_create(&threads[i], NULL, record_in_spans, &rounds), 0); }
    for (i = 0; i < 200; i++) { tel_collect(&probe); }
    for (i = 0; i < 4; i++) { pthread_join(threads[i], NULL); }
    CHECK_INT(torn, 0);
    (void)tel_flush(60000);
    b = tel_memory_read(&memory);
    p = point_of(&b, "ex.spread", NULL);
    CHECK(p && p->count == 4 * rounds && p->exemplar_count > 0);
    p = point_of(&b, "ex.jobs", NULL);
    CHECK(p && p->i == (int64_t)(4 * rounds) && p->exemplar_count == 1);
    (void)tel_shutdown(60000);
    tel_memory_clear(&memory);
}

/* A clock whose readings lie a little before those that it gave last, as long as it is told so. */
static uint64_t blurred_ns, blur;
static uint64_t blurred_clock(void* user_data) {
    (void)user_data;
    return __atomic_sub_fetch(&blurred_ns, __atomic_load_n(&blur, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

/* The time of an exemplar is counted back from now, so that of the first measurement of a series may come out before the start. */
static void test_blur(void) {
    tel_sink sink;
    tel_desc d = desc_of(&sink, TEL_EXEMPLARS_ALL);
    const tel_point* p;
    tel_batch b;
    blurred_ns = 1700000000000000000u;
    d.clock_fn = blurred_clock;
    CHECK_INT(tel_init(&d), TEL_OK);
    __atomic_store_n(&blur, 1000, __ATOMIC_RELAXED);
    tel_counter_add(&jobs, 1);
    __atomic_store_n(&blur, 0, __ATOMIC_RELAXED);
    __atomic_add_fetch(&blurred_ns, 1000000000u, __ATOMIC_RELAXED);
    CHECK_INT(tel_flush(20000), TEL_OK);
    b = tel_memory_read(&memory);
    p = point_of(&b, "ex.jobs", NULL);
    CHECK(p && p->exemplar_count == 1 && p->exemplars[0].unix_ns == p->start_unix_ns);
    CHECK_INT(tel_shutdown(20000), TEL_OK);
    tel_memory_clear(&memory);
}

/* Sampled spans that follow one another quickly: only some have their turn, until a collection or a slower pace. */
static uint64_t paced_ns, pace;
static uint64_t paced_clock(void* user_data) {
    (void)user_data;
    return __atomic_add_fetch(&paced_ns, __atomic_load_n(&pace, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}
/* Makes n spans with one record each. Returns how many of them had their turn. */
static uint32_t paced_spans(uint32_t n, uint64_t pace_ns) {
    uint32_t had = 0;
    __atomic_store_n(&pace, pace_ns, __ATOMIC_RELAXED);
    while (n-- > 0) {
        TEL_SPAN(s, "paced") {
            CHECK(tel_span_recording(s));
            had += tel__instrument_armed();
            tel_counter_add(&jobs, 1);
        }
    }
    return had;
}
static void test_pace(void) {
    tel_sink sink;
    tel_desc d = desc_of(&sink, TEL_EXEMPLARS_SAMPLED);
    const uint32_t look = TEL__INSTRUMENT_LOOK, each = TEL__INSTRUMENT_SKIP + 1;
    paced_ns = 1700000000000000000u;
    d.clock_fn = paced_clock;
    d.ring_bytes = 1 << 20;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_counter_add(&jobs, 1);
    CHECK_INT(paced_spans(500, 1000000), 500);          /* at a usual pace each one */
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(paced_spans(look, 1), look);
    CHECK_INT(paced_spans(each * 20, 1), 20);
    CHECK_INT(tel_flush(20000), TEL_OK);                /* a collection begins anew */
    CHECK_INT(count_of("ex.jobs"), 1);
    CHECK_INT(paced_spans(look, 1), look);
    CHECK_INT(paced_spans(each, 1), 1);
    CHECK_INT(paced_spans(each * (look - 1), 1000000), look - 1);
    CHECK_INT(paced_spans(500, 1000000), 500);          /* and so does a slow pace */
    CHECK_INT(tel_shutdown(20000), TEL_OK);
    tel_memory_clear(&memory);
}

int main(void) {
    capture_watchdog(240);
    test_filters();
    test_blur();
    test_pace();
    test_contents();
    test_reservoirs();
    test_filtered();
    test_wire();
#if !TEL_NO_OPENMETRICS
    test_filtered_labels();
#endif
    test_threads();
    return check_done();
}
