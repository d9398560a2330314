/* Metrics by name: defining, clashes, handles before and after, recording by name, and switching capture while others record. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>

static tel_memory memory;
static char last[512];
static int diags[TEL_DIAG_COUNT];

static void report(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)line; (void)user_data;
    snprintf(last, sizeof last, "%s", message);
    diags[item]++;
}

static void start(void) {
    static tel_sink sink;
    tel_desc d;
    memset(&d, 0, sizeof d);
    memset(diags, 0, sizeof diags);
    sink = tel_sink_memory(&memory);
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_self_metrics = d.no_atexit = true;
    d.diag.report_fn = report;
    CHECK_INT(tel_init(&d), TEL_OK);
}
/* The metric of that name as it was exported; NULL: none. */
static const tel_metric_view* seen(const char* name) {
    tel_batch b;
    size_t i;
    CHECK_INT(tel_flush(10000), TEL_OK);
    b = tel_memory_read(&memory);
    for (i = 0; i < b.metric_count; i++) {
        if (b.metrics[i].name.size == strlen(name) && memcmp(b.metrics[i].name.data, name, strlen(name)) == 0) { return &b.metrics[i]; }
    }
    return NULL;
}
static long long total(const char* name) {
    const tel_metric_view* m = seen(name);
    return !m || m->point_count != 1 ? -1 : m->integer ? (long long)m->points[0].i : (long long)m->points[0].d;
}
static tel_metric_desc about(tel_instrument_kind kind, const char* name) {
    tel_metric_desc d;
    memset(&d, 0, sizeof d);
    d.kind = kind;
    d.name = name;
    return d;
}

static void test_define(void) {
    static const double bounds[] = { 1, 2, 3 }, wrong[] = { 2, 1 };
    tel_metric_options options;
    tel_metric_desc d = about(TEL_KIND_HISTOGRAM, "def.latency");
    char name[] = "def.copied", unit[] = "{thing}";
    memset(&options, 0, sizeof options);
    options.bounds = bounds;
    options.bound_count = 3;
    d.unit = "s";
    d.description = "How long";
    d.options = &options;
    start();
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    CHECK_INT(diags[TEL_DIAG_DEFINED], 0);
    d.unit = "ms";
    CHECK_INT(tel_metric_define(&d), TEL_ERR_STATE);
    CHECK_STR(last, "a metric cannot be defined: \"def.latency\" is defined already, as something else");
    d = about(TEL_KIND_COUNTER, "def.latency");
    CHECK_INT(tel_metric_define(&d), TEL_ERR_STATE);
    d = about(TEL_KIND_HISTOGRAM, "def.wrong");
    options.bounds = wrong;
    options.bound_count = 2;
    d.options = &options;
    CHECK_INT(tel_metric_define(&d), TEL_ERR_ARGUMENT);
    d = about(TEL_KIND_COUNTER, "9wrong");
    CHECK_INT(tel_metric_define(&d), TEL_ERR_ARGUMENT);
    d = about(TEL_KIND_COUNTER, NULL);
    CHECK_INT(tel_metric_define(&d), TEL_ERR_ARGUMENT);
    d = about((tel_instrument_kind)7, "def.kind");
    CHECK_INT(tel_metric_define(&d), TEL_ERR_ARGUMENT);
    d = about(TEL_KIND_COUNTER, "def.unit");
    d.unit = "0123456789012345678901234567890123456789012345678901234567890123456789";
    CHECK_INT(tel_metric_define(&d), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_metric_define(NULL), TEL_ERR_ARGUMENT);
    CHECK_INT(diags[TEL_DIAG_DEFINED], 8);
    d = about(TEL_KIND_COUNTER, name);
    d.unit = unit;
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    memset(name, 'x', 3);
    memset(unit, 'x', 3);
    tel_record("def.latency", 2.5, TEL_NOATTRS);
    tel_record("def.copied", 3, TEL_NOATTRS);
    CHECK_INT(total("def.copied"), 3);
    CHECK_INT(seen("def.copied")->unit.size, 7);
    CHECK(memcmp(seen("def.copied")->unit.data, "{thing}", 7) == 0);
    CHECK_INT(seen("def.latency")->points[0].bound_count, 3);
    CHECK_INT(seen("def.latency")->points[0].buckets[2], 1);
    CHECK_INT(seen("def.latency")->description.size, 8);
    tel_shutdown(5000);
}

static void test_kinds(void) {
    tel_metric_desc d = about(TEL_KIND_COUNTER, "kind.counter");
    tel_metric_options real;
    const tel_metric_view* m;
    start();
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    d = about(TEL_KIND_UPDOWN, "kind.updown");
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    d = about(TEL_KIND_GAUGE, "kind.gauge");
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    d = about(TEL_KIND_HISTOGRAM, "kind.histogram");
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    memset(&real, 0, sizeof real);
    real.real = true;
    d = about(TEL_KIND_COUNTER, "kind.real");
    d.options = &real;
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    tel_record("kind.counter", 2, TEL_ATTRS(tel_str("a", "b")));
    tel_record("kind.counter", 3, TEL_ATTRS(tel_str("a", "b")));
    tel_record("kind.updown", -4, TEL_NOATTRS);
    tel_record("kind.gauge", 1.5, TEL_NOATTRS);
    tel_record("kind.histogram", 0.25, TEL_NOATTRS);
    tel_record("kind.real", 2, TEL_NOATTRS);
    tel_record("kind.real", 0.5, TEL_NOATTRS);
    tel_counter_add_with(tel_counter_get("kind.counter"), 5, TEL_ATTRS(tel_str("a", "b")));
    tel_updown_add(tel_updown_get("kind.updown"), 1);
    CHECK_INT(total("kind.counter"), 10);
    CHECK(seen("kind.counter")->integer);
    CHECK_INT(total("kind.updown"), -3);
    m = seen("kind.gauge");
    CHECK(m && m->kind == TEL_METRIC_GAUGE && m->points[0].d == 1.5);
    m = seen("kind.real");
    CHECK(m && !m->integer && m->points[0].d == 2.5);
    m = seen("kind.histogram");
    CHECK(m && m->points[0].count == 1);
    CHECK(tel_gauge_get("kind.gauge") == tel_gauge_get("kind.gauge"));
    CHECK(tel_histogram_get("kind.histogram")->name != NULL);
    tel_counter_add(tel_counter_get("kind.gauge"), 1);          /* another kind: nothing, and said */
    CHECK_INT(diags[TEL_DIAG_UNDEFINED], 1);
    CHECK(strstr(last, "another kind") != NULL);
    tel_shutdown(5000);
    start();                                                    /* a definition outlives an instance */
    tel_record("kind.counter", 7, TEL_NOATTRS);
    CHECK_INT(total("kind.counter"), 7);
    tel_shutdown(5000);
}

static void test_unknown(void) {
    tel_counter* early = tel_counter_get("late.counter");
    tel_metric_desc d = about(TEL_KIND_HISTOGRAM, "late.counter");
    uint64_t dropped;
    tel_counter_add(early, 1);                                  /* nothing is initialised */
    start();
    CHECK_INT(diags[TEL_DIAG_UNDEFINED], 0);
    tel_counter_add(early, 1);
    CHECK(!seen("late.counter"));
    CHECK_INT(tel_metric_define(&d), TEL_ERR_STATE);            /* it was asked for as a counter */
    d.kind = TEL_KIND_COUNTER;
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    tel_counter_add(early, 4);
    CHECK_INT(total("late.counter"), 4);
    dropped = tel_query_stats().dropped[0];
    tel_record("never.defined", 1, TEL_NOATTRS);
    tel_record("never.defined", 1, TEL_NOATTRS);
    tel_record("", 1, TEL_NOATTRS);
    tel_record(NULL, 1, TEL_NOATTRS);
    CHECK_INT(tel_query_stats().dropped[0] - dropped, 4);
    tel_flush(5000);
    CHECK_INT(diags[TEL_DIAG_UNDEFINED], 1);
    CHECK(strstr(last, "never.defined") != NULL);
    tel_gauge_set(tel_gauge_get("not valid"), 1);
    tel_histogram_record(tel_histogram_get(NULL), 1);
    CHECK_INT(diags[TEL_DIAG_UNDEFINED], 2);                    /* the one without a name is held back with the others */
    tel_shutdown(5000);
}

static void test_capture(void) {
    tel_metric_desc d = about(TEL_KIND_COUNTER, "cap.counter");
    tel_counter* handle;
    d.no_capture = true;
    start();
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    handle = tel_counter_get("cap.counter");
    tel_counter_add(handle, 1);
    tel_counter_add(handle, 1);
    tel_counter_add_with(handle, 1, TEL_ATTRS(tel_int("n", 1)));
    tel_record("cap.counter", 1, TEL_NOATTRS);
    CHECK(tel_counter_bind(handle, TEL_ATTRS(tel_int("n", 1)))->name == NULL);
    CHECK(!seen("cap.counter"));
    CHECK_INT(diags[TEL_DIAG_UNDEFINED], 0);
    d.no_capture = false;
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    tel_counter_add(handle, 2);
    tel_record("cap.counter", 3, TEL_NOATTRS);
    CHECK_INT(total("cap.counter"), 5);
    d.no_capture = true;
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    tel_counter_add(handle, 7);
    tel_record("cap.counter", 7, TEL_NOATTRS);
    CHECK_INT(total("cap.counter"), 5);
    tel_shutdown(5000);
    tel_memory_clear(&memory);
    start();                                                    /* and in the next instance */
    tel_counter_add(handle, 1);
    tel_record("cap.counter", 1, TEL_NOATTRS);
    CHECK(!seen("cap.counter"));
    tel_shutdown(5000);
}

/* Capture is switched while threads record; at the end it is on, and from then on every record counts. */
enum { THREADS = 4, ROUNDS = 200, AFTER = 1000 };
static tel__atomic_u32 go;
static void* switched(void* arg) {
    tel_histogram* h = tel_histogram_get("cap.switched");
    int i;
    (void)arg;
    while (!tel__atomic_load_u32(&go)) {
        tel_record("cap.switched", 1, TEL_NOATTRS);
        tel_histogram_record(h, 1);
    }
    tel_histogram_record(h, 1);
    for (i = 0; i < AFTER; i++) { tel_record("cap.after", 1, TEL_NOATTRS); }
    return NULL;
}
static void test_switching(void) {
    tel_metric_desc d = about(TEL_KIND_HISTOGRAM, "cap.switched"), after = about(TEL_KIND_COUNTER, "cap.after");
    pthread_t threads[THREADS];
    int i;
    start();
    after.no_capture = true;
    CHECK_INT(tel_metric_define(&d), TEL_OK);
    CHECK_INT(tel_metric_define(&after), TEL_OK);
    for (i = 0; i < THREADS; i++) { CHECK_INT(pthread_create(&threads[i], NULL, switched, NULL), 0); }
    for (i = 0; i < ROUNDS; i++) {
        d.no_capture = i % 2 == 0;
        after.no_capture = i % 2 == 0;
        CHECK_INT(tel_metric_define(&d), TEL_OK);
        CHECK_INT(tel_metric_define(&after), TEL_OK);
    }
    tel__atomic_store_u32(&go, 1);
    for (i = 0; i < THREADS; i++) { pthread_join(threads[i], NULL); }
    CHECK_INT(total("cap.after"), THREADS * AFTER);
    CHECK(seen("cap.switched") != NULL);
    tel_shutdown(5000);
}

int main(void) {
    test_define();
    test_kinds();
    test_unknown();
    test_capture();
    test_switching();
    tel_memory_clear(&memory);
    return check_done();
}
