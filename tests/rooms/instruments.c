/* Room test of the instruments' corners: no hole among number types, kinds and ways to record; one function that observes
   several instruments; whether a record would count; differences that are said; the default aggregation of histograms. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdlib.h>

static tel_memory memory;
static tel_batch seen;
static int said[96];
static char last_said[512];
static tel_aggregation histograms;
static void report(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level;
    (void)line;
    (void)user_data;
    if (item < 96) { said[item]++; }
    if (item == TEL_DIAG_INSTRUMENT_DIFFERS || item == TEL_DIAG_CARDINALITY) { snprintf(last_said, sizeof last_said, "%s", message); }
}
static void start(const tel_view* views, size_t count, bool environment) {
    static tel_sink sink;
    tel_desc d;
    memset(&d, 0, sizeof d);
    memset(said, 0, sizeof said);
    sink = tel_sink_memory(&memory);
    sink.aggregation[TEL_KIND_HISTOGRAM] = histograms;
    d.sinks = &sink;
    d.sink_count = 1;
    d.no_thread = d.no_self_metrics = true;
    d.ignore_env = !environment;
    d.views = views;
    d.view_count = count;
    d.diag.report_fn = report;
    CHECK(tel_init(&d) == TEL_OK);
}
static void collect(void) {
    CHECK(tel_flush(5000) == TEL_OK);
    seen = tel_memory_read(&memory);
}
static void stop(void) {
    CHECK(tel_shutdown(5000) == TEL_OK);
    tel_memory_clear(&memory);
}
static const tel_metric_view* metric(const char* name) {
    size_t i;
    for (i = 0; i < seen.metric_count; i++) { if (strcmp(seen.metrics[i].name.data, name) == 0) { return &seen.metrics[i]; } }
    return NULL;
}
/* The sum over the points of a metric; -1: not there, or of the other number type. */
static double value(const char* name, bool integer) {
    const tel_metric_view* m = metric(name);
    double sum = 0;
    size_t i;
    if (!m || m->integer != integer) { return -1; }
    for (i = 0; i < m->point_count; i++) { sum += integer ? (double)m->points[i].i : m->points[i].d; }
    return sum;
}

/* ---- {int, double} x {counter, updown, gauge, histogram} x {plain, with attributes, bound, observed} ---- */

static void observe_int(tel_observation* o, void* user_data) {
    (void)user_data;
    tel_observei(o, 3, TEL_NOATTRS);
    tel_observei(o, 4, TEL_ATTRS(tel_int("k", 1)));
}
static void observe_real(tel_observation* o, void* user_data) {
    (void)user_data;
    tel_observe(o, 0.5, TEL_NOATTRS);
    tel_observe(o, 0.25, TEL_ATTRS(tel_int("k", 1)));
}
static void observer(tel_observer_kind kind, const char* name, void (*fn)(tel_observation*, void*)) {
    tel_observer_desc d;
    memset(&d, 0, sizeof d);
    d.kind = kind;
    d.name = name;
    d.observe_fn = fn;
    CHECK(tel_observer_new(&d) != NULL);
}

static void no_holes(void) {
    static tel_metric_options real;
    static tel_counter ci = TEL_INSTRUMENT("i.counter", NULL, NULL), cd = TEL_INSTRUMENT_OPT("d.counter", NULL, NULL, &real);
    static tel_updown ui = TEL_INSTRUMENT("i.updown", NULL, NULL), ud = TEL_INSTRUMENT_OPT("d.updown", NULL, NULL, &real);
    static tel_gauge gi = TEL_INSTRUMENT("i.gauge", NULL, NULL), gd = TEL_INSTRUMENT("d.gauge", NULL, NULL);
    static tel_histogram h = TEL_INSTRUMENT("d.histogram", NULL, NULL);
    tel_attr k = tel_int("k", 1), b = tel_int("k", 2);
    tel_attrs with = { &k, 1 }, other = { &b, 1 };
    real.real = true;
    start(NULL, 0, false);
    tel_counter_add(&ci, 1);
    tel_counter_add_with(&ci, 2, with);
    tel_counter_add(tel_counter_bind(&ci, other), 4);
    tel_counter_addf(&cd, 0.5);
    tel_counter_addf_with(&cd, 0.25, with);
    tel_counter_addf(tel_counter_bind(&cd, other), 0.125);
    tel_updown_add(&ui, 5);
    tel_updown_add_with(&ui, -2, with);
    tel_updown_add(tel_updown_bind(&ui, other), 1);
    tel_updown_addf(&ud, 0.5);
    tel_updown_addf_with(&ud, -0.25, with);
    tel_updown_addf(tel_updown_bind(&ud, other), 1);
    tel_gauge_seti(&gi, 1);
    tel_gauge_seti_with(&gi, 2, with);
    tel_gauge_seti(tel_gauge_bind(&gi, other), 4);
    tel_gauge_set(&gd, 0.5);
    tel_gauge_set_with(&gd, 0.25, with);
    tel_gauge_set(tel_gauge_bind(&gd, other), 0.125);
    tel_histogram_record(&h, 1);
    tel_histogram_record_with(&h, 2.5, with);
    tel_histogram_record(tel_histogram_bind(&h, other), 4);
    observer(TEL_OBSERVE_COUNTER, "i.counter.o", observe_int);
    observer(TEL_OBSERVE_UPDOWN, "i.updown.o", observe_int);
    observer(TEL_OBSERVE_GAUGE, "i.gauge.o", observe_int);
    observer(TEL_OBSERVE_COUNTER, "d.counter.o", observe_real);
    observer(TEL_OBSERVE_UPDOWN, "d.updown.o", observe_real);
    observer(TEL_OBSERVE_GAUGE, "d.gauge.o", observe_real);
    collect();
    CHECK(value("i.counter", true) == 7 && value("d.counter", false) == 0.875);
    CHECK(value("i.updown", true) == 4 && value("d.updown", false) == 1.25);
    CHECK(value("i.gauge", true) == 7 && value("d.gauge", false) == 0.875);
    CHECK(value("d.histogram", false) == 7.5);
    CHECK(value("i.counter.o", true) == 7 && value("i.updown.o", true) == 7 && value("i.gauge.o", true) == 7);
    CHECK(value("d.counter.o", false) == 0.75 && value("d.updown.o", false) == 0.75 && value("d.gauge.o", false) == 0.75);
    stop();
}

/* ---- one function, several instruments ---- */

static int calls;
static void observe_all(tel_observation* o, void* user_data) {
    calls++;
    tel_observei(o, *(int*)user_data, TEL_NOATTRS);
    tel_observe_on(o, 2);
    tel_observe(o, 0.5, TEL_NOATTRS);
    tel_observe_on(o, 1);
    tel_observei(o, 7, TEL_ATTRS(tel_str("pool", "a")));
    tel_observe_on(o, 3);                       /* there is none: the last one stays */
    tel_observei(o, 1, TEL_ATTRS(tel_str("pool", "b")));
    tel_observe_on(o, 0);
    tel_observei(o, 1, TEL_ATTRS(tel_str("more", "x")));
}
static void several(void) {
    static int used = 40;
    tel_observer_desc d, also[2];
    tel_observer* o;
    memset(&d, 0, sizeof d);
    memset(also, 0, sizeof also);
    d.kind = TEL_OBSERVE_COUNTER;
    d.name = "pool.used";
    d.observe_fn = observe_all;
    d.user_data = &used;
    d.also = also;
    d.also_count = 2;
    also[0].kind = TEL_OBSERVE_UPDOWN;
    also[0].name = "pool.size";
    also[0].unit = "By";
    also[1].kind = TEL_OBSERVE_GAUGE;
    also[1].name = "9 is no name";
    start(NULL, 0, false);
    CHECK(tel_observer_new(&d) == NULL && said[TEL_DIAG_OBSERVER] == 1);
    also[1].name = "pool.load";
    o = tel_observer_new(&d);
    CHECK(o != NULL);
    collect();
    CHECK_INT(calls, 1);
    CHECK(value("pool.used", true) == 41 && value("pool.size", true) == 8 && value("pool.load", false) == 0.5);
    CHECK(metric("pool.used") && metric("pool.used")->monotonic && metric("pool.size") && !metric("pool.size")->monotonic);
    CHECK(metric("pool.size") && strcmp(metric("pool.size")->unit.data, "By") == 0 && metric("pool.load")->kind == TEL_METRIC_GAUGE);
    tel_observer_end(o);
    collect();
    CHECK_INT(calls, 1);
    stop();
}

/* ---- would a record count? ---- */

static void enabled(void) {
    static tel_counter c = TEL_INSTRUMENT("on.counter", NULL, NULL), dropped = TEL_INSTRUMENT("off.counter", NULL, NULL);
    static tel_counter invalid = TEL_INSTRUMENT("9 is no name", NULL, NULL);
    static tel_updown u = TEL_INSTRUMENT("on.updown", NULL, NULL);
    static tel_gauge g = TEL_INSTRUMENT("off.gauge", NULL, NULL);
    static tel_histogram h = TEL_INSTRUMENT("on.histogram", NULL, NULL);
    tel_view v;
    memset(&v, 0, sizeof v);
    v.match_name = "off.*";
    v.aggregation = TEL_AGGREGATE_DROP;
    CHECK(!tel_counter_enabled(&c) && !tel_counter_enabled(NULL));
    start(&v, 1, false);
    CHECK(tel_counter_enabled(&c) && tel_updown_enabled(&u) && tel_histogram_enabled(&h));
    CHECK(!tel_counter_enabled(&dropped) && !tel_gauge_enabled(&g) && !tel_counter_enabled(&invalid) && !tel_counter_enabled(NULL));
    stop();
    CHECK(!tel_counter_enabled(&c));
}

/* ---- differences ---- */

static void differences(void) {
    static const double bounds[] = { 1, 2 }, others[] = { 1, 3 };
    static tel_metric_options o1, o2;
    static tel_counter a = TEL_INSTRUMENT("same", NULL, "The first"), b = TEL_INSTRUMENT("same", NULL, "The second");
    static tel_counter c = TEL_INSTRUMENT("same", NULL, NULL);
    static tel_histogram h1 = TEL_INSTRUMENT_OPT("sizes", NULL, NULL, &o1), h2 = TEL_INSTRUMENT_OPT("sizes", NULL, NULL, &o2);
    static tel_counter unit = TEL_INSTRUMENT("unit", "0123456789012345678901234567890123456789012345678901234567890123", NULL);
    tel_observer_desc d;
    o1.bounds = bounds;
    o2.bounds = others;
    o1.bound_count = o2.bound_count = 2;
    start(NULL, 0, false);
    tel_counter_add(&a, 1);
    tel_counter_add(&c, 1);
    CHECK_INT(said[TEL_DIAG_INSTRUMENT_DIFFERS], 0);
    tel_counter_add(&b, 1);
    CHECK_INT(said[TEL_DIAG_INSTRUMENT_DIFFERS], 1);
    CHECK(strstr(last_said, "same: its description") && strstr(last_said, "a view"));
    collect();
    CHECK(value("same", true) == 3 && strcmp(metric("same")->description.data, "The first") == 0);
    stop();
    start(NULL, 0, false);
    tel_histogram_record(&h1, 1);
    tel_histogram_record(&h2, 2.5);
    CHECK(strstr(last_said, "sizes: its buckets") != NULL);
    tel_counter_add(&unit, 1);
    CHECK_INT(said[TEL_DIAG_INSTRUMENT_NAME], 1);
    memset(&d, 0, sizeof d);
    d.name = "unit.observed";
    d.unit = unit.unit;
    d.observe_fn = observe_int;
    CHECK(tel_observer_new(&d) != NULL);
    CHECK_INT(said[TEL_DIAG_INSTRUMENT_NAME], 2);
    collect();
    CHECK(metric("sizes") && metric("sizes")->points[0].bounds[1] == 2 && metric("sizes")->points[0].buckets[2] == 1);
    stop();
}

/* ---- the default aggregation ---- */

/* How a sink wants histograms, see tests/api/readers.c for several sinks. */
static void by_default(void) {
    static tel_histogram h = TEL_INSTRUMENT("default.size", NULL, NULL), kept = TEL_INSTRUMENT("default.kept", NULL, NULL);
    tel_view v;
    memset(&v, 0, sizeof v);
    v.match_name = "*.kept";
    v.aggregation = TEL_AGGREGATE_BUCKETS;
    histograms = TEL_AGGREGATE_EXPONENTIAL;
    start(&v, 1, true);
    tel_histogram_record(&h, 3);
    tel_histogram_record(&kept, 3);
    collect();
    CHECK(metric("default.size") && metric("default.size")->kind == TEL_METRIC_EXPONENTIAL);
    CHECK(metric("default.kept") && metric("default.kept")->kind == TEL_METRIC_HISTOGRAM);
    stop();
    histograms = TEL_AGGREGATE_DEFAULT;
}

/* ---- which key has exploded ---- */

static void explosion(void) {
    static tel_counter c = TEL_INSTRUMENT("crowd", NULL, NULL);
    int i;
    start(NULL, 0, false);
    for (i = 0; i < 3000; i++) {
        tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("code", i % 3), tel_str("route", i % 2 ? "/a" : "/b"), tel_int("user", i)));
    }
    collect();
    CHECK_INT(said[TEL_DIAG_CARDINALITY], 1);
    CHECK(strstr(last_said, "crowd: attribute \"user\" has 2000 distinct values in 2000 series") != NULL);
    CHECK(value("crowd", true) == 3000);
    collect();
    CHECK_INT(said[TEL_DIAG_CARDINALITY], 1);
    stop();
}

int main(void) {
    explosion();
    no_holes();
    several();
    enabled();
    differences();
    by_default();
    return check_done();
}
