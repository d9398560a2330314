/* Room test of >>metrics: instruments, series, cells, histograms, observers, collection; sums are exact whoever records. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <stdlib.h>

/* ---- the bench: a clock that moves by hand, diagnostics, a collection as a flat table --------------- */

static tel__atomic_u64 now_ns = { 1700000000000000000u };
static uint64_t now(void) { return tel__atomic_load_u64(&now_ns); }
static uint64_t pass(uint64_t ns) { return tel__atomic_add_u64(&now_ns, ns) + ns; }
static uint64_t test_clock(void* user_data) { (void)user_data; return now(); }

static tel__atomic_u32 said[TEL__DIAG_COUNT];
static void hear(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)message; (void)line; (void)user_data;
    if (item < TEL__DIAG_COUNT) { tel__atomic_add_u32(&said[item], 1); }
}
static uint32_t heard(tel__diag_item item) { tel_pump(0); return tel__atomic_load_u32(&said[item]); }

typedef struct row {
    char name[80], attrs[160], unit[16];
    tel_metric_kind kind;
    bool monotonic, cumulative, integer;
    int64_t i;
    double d, min, max;
    uint64_t count, start, at, bucket_sum, buckets[20];
    double bounds[20];
    size_t bound_count;
} row;

static row* rows;
static size_t row_count, row_room, batch_count, view_count, largest_batch;

static void write_attrs(tel_attrs attrs, char* out, size_t size) {
    size_t i, n = 0;
    out[0] = 0;
    for (i = 0; i < attrs.count && n < size; i++) {
        const tel_attr* a = &attrs.items[i];
        n += (size_t)snprintf(out + n, size - n, "%s%.*s=", i ? "," : "", (int)a->tel__key_size, a->key);
        if (n >= size) { break; }
        switch (a->type) {
        case TEL_TYPE_STRING: n += (size_t)snprintf(out + n, size - n, "%.*s", (int)a->as.s.size, a->as.s.data); break;
        case TEL_TYPE_INT:    n += (size_t)snprintf(out + n, size - n, "%lld", (long long)a->as.i); break;
        case TEL_TYPE_DOUBLE: n += (size_t)snprintf(out + n, size - n, "%g", a->as.d); break;
        default:              n += (size_t)snprintf(out + n, size - n, "%s", a->as.b ? "true" : "false"); break;
        }
    }
}

static tel_result keep_rows(const tel_batch* batch, void* user_data) {
    size_t i, j, k, points = 0;
    (void)user_data;
    batch_count++;
    view_count += batch->metric_count;
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* v = &batch->metrics[i];
        points += v->point_count;
        for (j = 0; j < v->point_count; j++) {
            const tel_point* p = &v->points[j];
            row* r;
            if (row_count == row_room) {
                row_room = row_room ? 2 * row_room : 64;
                rows = (row*)realloc(rows, row_room * sizeof *rows);
            }
            r = &rows[row_count++];
            memset(r, 0, sizeof *r);
            snprintf(r->name, sizeof r->name, "%s", v->name.data);
            snprintf(r->unit, sizeof r->unit, "%s", v->unit.data);
            write_attrs(p->attrs, r->attrs, sizeof r->attrs);
            r->kind = v->kind;
            r->monotonic = v->monotonic;
            r->cumulative = v->cumulative;
            r->integer = v->integer;
            r->i = p->i; r->d = p->d; r->min = p->min; r->max = p->max; r->count = p->count;
            r->start = p->start_unix_ns; r->at = p->unix_ns;
            r->bound_count = p->bound_count;
            if (v->kind == TEL_METRIC_HISTOGRAM) {
                for (k = 0; k <= p->bound_count; k++) {
                    r->bucket_sum += p->buckets[k];
                    if (k < 20) { r->buckets[k] = p->buckets[k]; }
                    if (k < 20 && k < p->bound_count) { r->bounds[k] = p->bounds[k]; }
                }
            }
        }
    }
    if (points > largest_batch) { largest_batch = points; }
    return TEL_OK;
}

static tel_result collect(void) {
    tel_sink into;
    memset(&into, 0, sizeof into);
    into.export_fn = keep_rows;
    row_count = batch_count = view_count = largest_batch = 0;
    pass(1000000000u);
    return tel_collect(&into);
}
/* The nth row of a name (any attributes when attrs is NULL); an empty row when there is none. */
static const row* nth(const char* name, const char* attrs, size_t n) {
    static const row none = { "(none)", "(none)", "", TEL_METRIC_SUM, false, false, false, -77, -77, 0, 0, 77, 0, 0, 0, { 0 }, { 0 }, 0 };
    size_t i;
    for (i = 0; i < row_count; i++) {
        if (strcmp(rows[i].name, name) == 0 && (!attrs || strcmp(rows[i].attrs, attrs) == 0) && n-- == 0) { return &rows[i]; }
    }
    return &none;
}
static const row* get(const char* name, const char* attrs) { return nth(name, attrs, 0); }
static size_t rows_of(const char* name) {
    size_t i, n = 0;
    for (i = 0; i < row_count; i++) { n += strcmp(rows[i].name, name) == 0; }
    return n;
}

static void start_with(uint32_t max_series, size_t memory_limit) {
    static tel_sink quiet;
    tel_desc d;
    memset(&quiet, 0, sizeof quiet);
    quiet.signal_mask = TEL_SIGNAL_PULL;
    quiet.export_fn = keep_rows;
    memset(said, 0, sizeof said);
    memset(&d, 0, sizeof d);
    d.sinks = &quiet;
    d.sink_count = 1;
    d.ignore_env = d.no_thread = d.no_self_metrics = true;
    d.max_series = max_series;
    d.memory_limit = memory_limit;
    d.diag.report_fn = hear;
    d.clock_fn = test_clock;
    CHECK_INT(tel_init(&d), TEL_OK);
}
static void start(void) { start_with(0, 0); }
static void stop(void) { tel_shutdown(1000); }

static void on_threads(int n, void* (*fn)(void* arg), void* arg) {
    pthread_t t[16];
    int i;
    for (i = 0; i < n; i++) { CHECK_INT(pthread_create(&t[i], NULL, fn, arg), 0); }
    for (i = 0; i < n; i++) { pthread_join(t[i], NULL); }
}

static double infinite(void) { return tel__atomic_double((uint64_t)0x7ff << 52); }
static double nan_value(void) { return tel__atomic_double((uint64_t)0x7ff8 << 48); }

/* ---- instruments ------------------------------------------------------------------------------------ */

static void test_plain(void) {
    static tel_counter c = TEL_INSTRUMENT("plain.counter", "{call}", "Calls");
    static tel_updown u = TEL_INSTRUMENT("plain.updown", NULL, NULL);
    static tel_gauge g = TEL_INSTRUMENT("plain.gauge", "1", NULL);
    static tel_gauge never = TEL_INSTRUMENT("plain.never", "1", NULL);
    static tel_histogram h = TEL_INSTRUMENT("plain.histogram", "By", NULL);
    const row* r;
    tel_counter_add(&c, 100);                   /* before tel_init: a no-op */
    start();
    tel_gauge_set(&never, nan_value());
    tel_counter_add(&c, 3); tel_counter_add(&c, 4); tel_counter_add(&c, 0);
    tel_updown_add(&u, 5); tel_updown_add(&u, -7);
    tel_gauge_set(&g, 1.5); tel_gauge_set(&g, -2.5);
    tel_histogram_record(&h, 7); tel_histogram_record(&h, 700);
    tel_counter_add(NULL, 1); tel_updown_add(NULL, 1); tel_gauge_set(NULL, 1); tel_histogram_record(NULL, 1);
    CHECK_INT(collect(), TEL_OK);
    r = get("plain.counter", "");
    CHECK_INT(r->i, 7); CHECK(r->d == 7); CHECK(r->monotonic && r->cumulative && r->integer);
    CHECK_INT(r->kind, TEL_METRIC_SUM); CHECK_STR(r->unit, "{call}");
    r = get("plain.updown", "");
    CHECK_INT(r->i, -2); CHECK(!r->monotonic && r->integer && r->kind == TEL_METRIC_SUM);
    r = get("plain.gauge", "");
    CHECK(r->d == -2.5 && r->kind == TEL_METRIC_GAUGE && !r->integer);
    CHECK_INT(rows_of("plain.never"), 0);
    r = get("plain.histogram", "");
    CHECK_INT(r->count, 2); CHECK(r->d == 707 && r->min == 7 && r->max == 700); CHECK_INT(r->bound_count, 15);
    CHECK_INT(r->buckets[2], 1); CHECK_INT(r->buckets[9], 1);
    CHECK_INT(row_count, 4);
    stop();
    tel_counter_add(&c, 100);                   /* after: likewise */
    start();
    tel_counter_add(&c, 1);
    collect();
    CHECK_INT(get("plain.counter", "")->i, 1);
    stop();
}

static void test_attributes(void) {
    static tel_counter c = TEL_INSTRUMENT("attr.counter", NULL, NULL);
    static tel_updown u = TEL_INSTRUMENT("attr.updown", NULL, NULL);
    static tel_gauge g = TEL_INSTRUMENT("attr.gauge", NULL, NULL);
    static tel_histogram h = TEL_INSTRUMENT("attr.histogram", NULL, NULL);
    tel_attr many[70];
    char name[70][16], text[4200];
    int i;
    start();
    for (i = 0; i < 3; i++) {                   /* the third time comes from the call-site cache */
        tel_counter_add_with(&c, 1, TEL_ATTRS(tel_str("b", "x"), tel_int("a", 1), tel_bool("c", true)));
        tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("a", 1), tel_bool("c", true), tel_str("b", "x")));
        tel_counter_add_with(&c, 1, TEL_ATTRS(tel_bool("c", true), tel_strn("b", "xyz", 1), tel_int("a", 1)));
    }
    tel_counter_add_with(&c, 10, TEL_ATTRS(tel_int("a", 2), tel_int("a", 1), tel_str("b", "x"), tel_bool("c", true), tel_str("", "gone"),
                                           tel_str(NULL, "gone")));                  /* the last a counts */
    tel_counter_add_with(&c, 100, TEL_NOATTRS);
    tel_counter_add(&c, 100);
    tel_counter_add_with(&c, 1, TEL_ATTRS(tel_double("a", 1)));          /* another type is another series */
    tel_counter_add_with(&c, 2, TEL_ATTRS(tel_bool("a", true)));
    tel_counter_add_with(&c, 3, TEL_ATTRS(tel_str("a", "1")));
    tel_counter_add_with(&c, 4, TEL_ATTRS(tel_str("a", NULL)));
    tel_updown_add_with(&u, -4, TEL_ATTRS(tel_str("q", "mail")));
    tel_gauge_set_with(&g, 4, TEL_ATTRS(tel_str("q", "mail"))); tel_gauge_set_with(&g, 5, TEL_ATTRS(tel_str("q", "mail")));
    tel_histogram_record_with(&h, 4, TEL_ATTRS(tel_str("q", "mail"))); tel_histogram_record_with(&h, 6, TEL_ATTRS(tel_str("q", "mail")));
    collect();
    CHECK_INT(get("attr.counter", "a=1,b=x,c=true")->i, 19);
    CHECK_INT(get("attr.counter", "")->i, 200);
    CHECK_INT(nth("attr.counter", "a=1", 0)->i, 1); CHECK_INT(nth("attr.counter", "a=1", 1)->i, 3);
    CHECK_INT(get("attr.counter", "a=true")->i, 2); CHECK_INT(get("attr.counter", "a=")->i, 4);
    CHECK_INT(rows_of("attr.counter"), 6);
    CHECK_INT(get("attr.updown", "q=mail")->i, -4);
    CHECK(get("attr.gauge", "q=mail")->d == 5);
    CHECK(get("attr.histogram", "q=mail")->d == 10); CHECK_INT(get("attr.histogram", "q=mail")->count, 2);
    for (i = 0; i < 70; i++) { snprintf(name[i], sizeof name[i], "k%02d", i); many[i] = tel_int(name[i], i); }
    CHECK_INT(heard(TEL__DIAG_ATTRIBUTES), 0);
    tel_counter_add_with(&c, 7, tel__attrs(many, 70));
    tel_counter_add_with(&c, 7, tel__attrs(many, 64));                   /* the same after the cut */
    CHECK_INT(heard(TEL__DIAG_ATTRIBUTES), 1);
    memset(text, 'x', sizeof text);
    tel_counter_add_with(&c, 9, TEL_ATTRS(tel_int("first", 1), tel_strn("huge", text, sizeof text)));
    collect();
    CHECK_INT(rows_of("attr.counter"), 8);
    CHECK_INT(get("attr.counter", "first=1")->i, 9);
    for (i = 0; i < (int)row_count; i++) { if (strncmp(rows[i].attrs, "k00=0", 5) == 0) { CHECK_INT(rows[i].i, 14); } }
    stop();
}

static void test_bound(void) {
    static tel_counter c = TEL_INSTRUMENT("bound.counter", NULL, NULL);
    static tel_histogram h = TEL_INSTRUMENT("bound.histogram", NULL, NULL);
    static tel_updown u = TEL_INSTRUMENT("bound.updown", NULL, NULL);
    static tel_gauge g = TEL_INSTRUMENT("bound.gauge", NULL, NULL);
    tel_counter *b, *again;
    int round;
    b = tel_counter_bind(&c, TEL_NOATTRS);      /* nothing is initialised: one that records nothing, never NULL */
    CHECK(b != NULL);
    tel_counter_add(b, 5);
    for (round = 0; round < 3; round++) {
        start();
        tel_counter_add(b, 5);                  /* still the one that records nothing */
        again = tel_counter_bind(&c, TEL_ATTRS(tel_int("i", round)));
        CHECK(again == tel_counter_bind(&c, TEL_ATTRS(tel_int("i", round))));
        CHECK_STR(again->name, "bound.counter");
        tel_counter_add(again, 2);
        tel_counter_add_with(&c, 3, TEL_ATTRS(tel_int("i", round)));
        tel_histogram_record(tel_histogram_bind(&h, TEL_ATTRS(tel_int("i", 1))), 4);
        tel_updown_add(tel_updown_bind(&u, TEL_ATTRS(tel_int("i", 1))), -4);
        tel_gauge_set(tel_gauge_bind(&g, TEL_ATTRS(tel_int("i", 1))), 0.25);
        CHECK(tel_counter_bind(NULL, TEL_NOATTRS) != NULL);
        tel_counter_add(tel_counter_bind(NULL, TEL_NOATTRS), 1);
        collect();
        CHECK_INT(rows_of("bound.counter"), 1);
        CHECK_INT(nth("bound.counter", NULL, 0)->i, 5);
        CHECK_INT(get("bound.histogram", "i=1")->count, 1);
        CHECK_INT(get("bound.updown", "i=1")->i, -4);
        CHECK(get("bound.gauge", "i=1")->d == 0.25);
        stop();
    }
}

static const tel_metric_options real_options = { NULL, NULL, 0, false, true, 0, 0 };

static void test_identity(void) {
    static const tel_scope other = { "other", NULL, NULL, { NULL, 0 } };
    static const tel_scope another = { "other", NULL, NULL, { NULL, 0 } };     /* as a second file has it, of one header */
    static const tel_metric_options in_other = { &other, NULL, 0, false, false, 0, 0 };
    static const tel_metric_options in_another = { &another, NULL, 0, false, false, 0, 0 };
    static tel_counter one = TEL_INSTRUMENT("same.name", "1", "first");
    static tel_counter two = TEL_INSTRUMENT("same.name", "1", "another text");
    static tel_counter upper = TEL_INSTRUMENT("Same.NAME", "1", NULL);
    static tel_counter unit = TEL_INSTRUMENT("same.name", "By", NULL);
    static tel_updown kind = TEL_INSTRUMENT("same.name", "1", NULL);
    static tel_counter scoped = TEL_INSTRUMENT_OPT("same.name", "1", NULL, &in_other);
    static tel_counter scoped_too = TEL_INSTRUMENT_OPT("same.name", "1", NULL, &in_another);
    char longest[257];
    static tel_counter a255 = TEL_INSTRUMENT(NULL, NULL, NULL), a256 = TEL_INSTRUMENT(NULL, NULL, NULL);
    static tel_counter bad[] = {
        TEL_INSTRUMENT("", NULL, NULL), TEL_INSTRUMENT("1a", NULL, NULL), TEL_INSTRUMENT("_a", NULL, NULL),
        TEL_INSTRUMENT("a b", NULL, NULL), TEL_INSTRUMENT("a\xc3\xa4", NULL, NULL), TEL_INSTRUMENT("a:b", NULL, NULL)
    };
    static tel_histogram bad_histogram = TEL_INSTRUMENT("9lives", NULL, NULL);
    static tel_gauge bad_gauge = TEL_INSTRUMENT("9lives", NULL, NULL);
    static tel_counter good = TEL_INSTRUMENT("a/b-c_d.E9", NULL, NULL);
    size_t i, named = 0;
    start();
    tel_counter_add(&one, 1); tel_counter_add(&two, 10);
    CHECK_INT(heard(TEL__DIAG_INSTRUMENT_CLASH), 0);
    tel_counter_add(&upper, 100);
    CHECK_INT(heard(TEL__DIAG_INSTRUMENT_CASE), 1);
    CHECK_INT(heard(TEL__DIAG_INSTRUMENT_CLASH), 0);
    tel_counter_add(&unit, 1000);
    CHECK_INT(heard(TEL__DIAG_INSTRUMENT_CLASH), 1);
    tel_updown_add(&kind, -1);
    CHECK_INT(heard(TEL__DIAG_INSTRUMENT_CLASH), 2);
    tel_counter_add(&scoped, 5); tel_counter_add(&scoped_too, 2);
    CHECK_INT(heard(TEL__DIAG_INSTRUMENT_CLASH), 2);
    collect();
    CHECK_INT(rows_of("same.name"), 4);
    CHECK_INT(rows_of("Same.NAME"), 0);
    {
        int64_t sum = 0;
        bool seen111 = false;
        for (i = 0; i < 4; i++) { sum += nth("same.name", "", i)->i; seen111 = seen111 || nth("same.name", "", i)->i == 111; }
        CHECK_INT(sum, 111 + 1000 - 1 + 7);
        CHECK(seen111);
    }
    memset(longest, 'a', 256);
    longest[256] = 0;
    a256.name = longest;
    tel_counter_add(&a256, 1);
    CHECK_INT(heard(TEL__DIAG_INSTRUMENT_NAME), 1);
    longest[255] = 0;
    a255.name = longest;
    tel_counter_add(&a255, 1);
    CHECK_INT(heard(TEL__DIAG_INSTRUMENT_NAME), 1);
    for (i = 0; i < TEL__ARRAY_SIZE(bad); i++) {
        tel_counter_add(&bad[i], 1); tel_counter_add(&bad[i], 1);
        tel_counter_add_with(&bad[i], 1, TEL_ATTRS(tel_int("k", 1)));
        tel_counter_add(tel_counter_bind(&bad[i], TEL_ATTRS(tel_int("k", 2))), 1);
        CHECK_INT(heard(TEL__DIAG_INSTRUMENT_NAME), (int)i + 2);
    }
    tel_histogram_record(&bad_histogram, 1); tel_histogram_record_with(&bad_histogram, 1, TEL_ATTRS(tel_int("k", 1)));
    tel_gauge_set(&bad_gauge, 1); tel_gauge_set_with(&bad_gauge, 1, TEL_ATTRS(tel_int("k", 1)));
    tel_counter_add(&good, 1);
    collect();
    for (i = 0; i < row_count; i++) { named += rows[i].name[0] == 'a' && rows[i].name[1] != '/'; }
    CHECK_INT(named, 1);
    CHECK_INT(get("a/b-c_d.E9", "")->i, 1);
    CHECK_INT(row_count, 4 + 1 + 1);
    stop();
}

static void test_values(void) {
    static tel_counter c = TEL_INSTRUMENT("value.counter", NULL, NULL);
    static tel_counter r = TEL_INSTRUMENT_OPT("value.real", NULL, NULL, &real_options);
    static tel_updown ru = TEL_INSTRUMENT_OPT("value.real_updown", NULL, NULL, &real_options);
    static tel_histogram h = TEL_INSTRUMENT("value.histogram", NULL, NULL);
    static tel_gauge g = TEL_INSTRUMENT("value.gauge", NULL, NULL);
    tel_attr k = tel_int("k", 1);
    int i;
    start();
    for (i = 0; i < 2; i++) {                   /* first by the slow way, then by the quick one */
        tel_counter_add(&c, 5);
        tel_counter_add(&c, -1);
        tel_counter_add_with(&c, -1, tel__attrs(&k, 1));
        tel_counter_addf(&c, 2);                /* not a fraction: the counter stays one of integers */
        tel_counter_addf(&c, -1); tel_counter_addf(&c, nan_value()); tel_counter_addf(&c, infinite());
        tel_counter_addf(&r, 0.25); tel_counter_add(&r, 2); tel_counter_add_with(&r, 3, tel__attrs(&k, 1));
        tel_counter_addf(&r, -1); tel_counter_addf(&r, nan_value()); tel_counter_addf(&r, infinite()); tel_counter_add(&r, -1);
        tel_counter_addf(tel_counter_bind(&r, tel__attrs(&k, 1)), 0.5);
        tel_updown_add(&ru, -3);
        tel_histogram_record(&h, 0.0); tel_histogram_record(&h, -0.0);
        tel_histogram_record(&h, -1); tel_histogram_record(&h, nan_value()); tel_histogram_record(&h, infinite());
        tel_histogram_record_with(&h, -1, tel__attrs(&k, 1)); tel_histogram_record_with(&h, nan_value(), tel__attrs(&k, 1));
        tel_gauge_set(&g, 3); tel_gauge_set(&g, nan_value());
        tel_gauge_set_with(&g, nan_value(), tel__attrs(&k, 1));
    }
    CHECK(heard(TEL__DIAG_VALUE) >= 1);
    CHECK_INT(heard(TEL__DIAG_FRACTION), 0);
    collect();
    CHECK_INT(get("value.counter", "")->i, 2 * (5 + 2));
    CHECK(get("value.counter", "")->integer);
    CHECK_INT(get("value.counter", "k=1")->i, 0);
    CHECK(get("value.real", "")->d == 2 * 2.25);
    CHECK(!get("value.real", "")->integer && get("value.real", "")->monotonic);
    CHECK(get("value.real", "k=1")->d == 2 * 3.5);
    CHECK(get("value.real_updown", "")->d == -6);
    CHECK_INT(get("value.histogram", "")->count, 4);
    CHECK(get("value.histogram", "")->d == 0 && get("value.histogram", "")->min == 0);
    CHECK_INT(get("value.histogram", "")->buckets[0], 4);
    CHECK(get("value.gauge", "")->d == 3);
    CHECK_INT(rows_of("value.gauge"), 1);       /* a gauge that was never set has no point */
    tel_counter_add(&c, INT64_MAX); tel_counter_add(&c, 3);
    collect();
    CHECK_INT(get("value.counter", "")->i, INT64_MIN + 14 + 3 - 1);      /* wraps, as documented */
    stop();
}

/* ---- histograms ------------------------------------------------------------------------------------- */

static void test_bounds(void) {
    static double many[1025];
    static const double edges[] = { -5, 0, 1, 10 };
    static const double falling[] = { 1, 1 };
    static tel_metric_options o1, o2, o3, o4, o5;
    static tel_histogram in = TEL_INSTRUMENT_OPT("bounds.edges", NULL, NULL, &o1);
    static tel_histogram none = TEL_INSTRUMENT_OPT("bounds.none", NULL, NULL, &o2);
    static tel_histogram bad = TEL_INSTRUMENT_OPT("bounds.bad", NULL, NULL, &o3);
    static tel_histogram most = TEL_INSTRUMENT_OPT("bounds.most", NULL, NULL, &o4);
    static tel_histogram over = TEL_INSTRUMENT_OPT("bounds.over", NULL, NULL, &o5);
    static tel_histogram seconds = TEL_INSTRUMENT("bounds.seconds", "s", NULL);
    const row* r;
    size_t i, k;
    o1.bounds = edges; o1.bound_count = 4;
    o2.bounds = edges; o2.bound_count = 0;
    o3.bounds = falling; o3.bound_count = 2;
    for (i = 0; i < 1025; i++) { many[i] = (double)i; }
    o4.bounds = many; o4.bound_count = 1024;
    o5.bounds = many; o5.bound_count = 1025;
    start();
    tel_histogram_record(&in, 0); tel_histogram_record(&in, 1); tel_histogram_record(&in, 1.0000001);
    tel_histogram_record(&in, 10); tel_histogram_record(&in, 10.5); tel_histogram_record(&in, DBL_MAX);
    tel_histogram_record(&none, 42); tel_histogram_record(&none, 0);
    tel_histogram_record(&bad, 1);
    CHECK_INT(heard(TEL__DIAG_BOUNDS), 1);
    tel_histogram_record(&over, 1);
    CHECK_INT(heard(TEL__DIAG_BOUNDS), 2);
    CHECK_INT(heard(TEL__DIAG_EXPONENTIAL), 0);
    for (i = 0; i < 14; i++) { tel_histogram_record(&seconds, tel__histogram_second_bounds[i]); }
    collect();
    r = get("bounds.edges", "");
    CHECK_INT(r->bound_count, 4);
    CHECK(r->buckets[0] == 0 && r->buckets[1] == 1 && r->buckets[2] == 1 && r->buckets[3] == 2 && r->buckets[4] == 2);
    CHECK(r->min == 0 && r->max == DBL_MAX);
    r = get("bounds.none", "");
    CHECK_INT(r->bound_count, 0); CHECK_INT(r->count, 2); CHECK_INT(r->buckets[0], 2); CHECK(r->d == 42);
    CHECK_INT(get("bounds.bad", "")->bound_count, 15);
    CHECK_INT(get("bounds.over", "")->bound_count, 15);
    r = get("bounds.seconds", "");
    CHECK_INT(r->bound_count, 14);
    CHECK(r->bounds[0] == 0.005 && r->bounds[13] == 10);
    for (k = 0; k < 14; k++) { CHECK_INT(r->buckets[k], 1); }            /* a bound lies in its own bucket */
    CHECK_INT(r->buckets[14], 0);
    /* The search through many bounds against plain counting, at, below and above each bound. */
    {
        tel_instance* inst = tel_get_instance();
        tel__metric* m;
        uint32_t wrong = 0;
        tel_histogram_record(&most, 5);
        m = tel__instrument_metric(&inst->metrics, TEL__API_INSTRUMENT(&most));
        CHECK_INT(m->aggregation.bound_count, 1024);
        for (i = 0; i < 3 * 1024 + 2; i++) {
            double v = (double)i / 3;
            uint32_t want = 0;
            for (k = 0; k < 1024; k++) { want += many[k] < v; }
            wrong += tel__histogram_bucket(m->aggregation.bounds, 1024, v) != want;
        }
        CHECK_INT(wrong, 0);
    }
    stop();
}

/* The index of bounds against plain counting: at, below and above each bound and each cell. */
static void index_against_counting(const double* bounds, size_t count, bool indexed) {
    tel_metric_options options;
    static unsigned number;
    char name[24];
    tel_histogram h = TEL_INSTRUMENT(NULL, "1", "");
    tel__metric* m;
    tel__histogram* b;
    uint32_t wrong = 0, i, k;
    memset(&options, 0, sizeof options);
    options.bounds = bounds;
    options.bound_count = count;
    snprintf(name, sizeof name, "indexed.%u", number++);
    h.name = name;
    h.options = &options;
    tel_histogram_record(&h, 1);
    m = tel__instrument_metric(&tel_get_instance()->metrics, TEL__API_INSTRUMENT(&h));
    b = tel__histogram_make(m->m->memory, &m->aggregation);
    CHECK_INT(!b->search, indexed);
    for (i = 0; indexed && i < 3 * (count + 1000); i++) {
        uint64_t bits = i < 3 * count ? tel__atomic_bits(bounds[i / 3])
                                      : m->aggregation.aim.low + ((uint64_t)((i - 3 * count) / 3) << m->aggregation.aim.shift);
        double v = tel__atomic_double(bits + i % 3 - 1);
        uint32_t want = 0;
        if (!(v >= 0 && v <= DBL_MAX)) { v = i & 1 ? 0.0 : -0.0; }
        for (k = 0; k < count; k++) { want += bounds[k] < v; }
        wrong += tel__histogram_indexed(b, v) != want;
    }
    CHECK_INT(wrong, 0);
    tel__histogram_free(m->m->memory, b);
}

static void test_index(void) {
    static const double one[] = { 10 }, near_ones[] = { 1, 1.0001 }, negative[] = { -5, -1, 0, 0.5, 1e300 },
        below[] = { -5, 0 }, least[] = { DBL_MIN / 4, 1 }, wide[] = { 1e-300, 1e300 };
    double linear[40];
    int i;
    for (i = 0; i < 40; i++) { linear[i] = i * 10; }
    start();
    index_against_counting(tel__histogram_default_bounds, TEL__ARRAY_SIZE(tel__histogram_default_bounds), true);
    index_against_counting(tel__histogram_second_bounds, TEL__ARRAY_SIZE(tel__histogram_second_bounds), true);
    index_against_counting(linear, 15, true);
    index_against_counting(linear, 40, false);
    index_against_counting(one, 1, true);
    index_against_counting(near_ones, 2, false);
    index_against_counting(negative, 3, false);
    index_against_counting(negative, 4, true);
    index_against_counting(negative, 5, false);
    index_against_counting(below, 2, false);
    index_against_counting(least, 2, false);
    index_against_counting(wide, 2, false);
    stop();
}

/* Fractions never vanish: an integer counter that gets one turns into one of doubles. */
static void test_fractions(void) {
    static tel_counter c = TEL_INSTRUMENT("fraction.counter", NULL, NULL);
    static tel_updown u = TEL_INSTRUMENT("fraction.updown", NULL, NULL);
    static tel_updown r = TEL_INSTRUMENT_OPT("fraction.real", NULL, NULL, &real_options);
    int i;
    start();
    for (i = 0; i < 4; i++) {
        tel_counter_add(&c, 10);
        tel_counter_addf(&c, 0.25);
        tel_counter_addf_with(&c, 2.5, TEL_ATTRS(tel_int("k", 1)));
        tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("k", 1)));
        tel_updown_addf(&u, -0.5);
        tel_updown_addf_with(&u, 3, TEL_ATTRS(tel_int("k", 1)));
        tel_updown_addf(&r, -0.5);
        tel_updown_addf_with(&r, 0.125, TEL_ATTRS(tel_int("k", 1)));
    }
    CHECK_INT(heard(TEL__DIAG_FRACTION), 1);
    collect();
    CHECK(get("fraction.counter", "")->d == 41 && !get("fraction.counter", "")->integer);
    CHECK(get("fraction.counter", "k=1")->d == 14);
    CHECK(get("fraction.updown", "")->d == -2 && get("fraction.updown", "k=1")->d == 12);
    CHECK(get("fraction.real", "")->d == -2 && get("fraction.real", "k=1")->d == 0.5);
    stop();
}

/* Integers that no double holds. */
static void test_integers(void) {
    static tel_gauge g = TEL_INSTRUMENT("integer.gauge", NULL, NULL);
    static tel_gauge both = TEL_INSTRUMENT("integer.both", NULL, NULL);
    const int64_t odd = ((int64_t)1 << 53) + 1;
    start();
    tel_gauge_seti(&g, 7);
    tel_gauge_seti(&g, odd);
    tel_gauge_seti_with(&g, -odd, TEL_ATTRS(tel_int("k", 1)));
    tel_gauge_seti(tel_gauge_bind(&g, TEL_ATTRS(tel_int("k", 2))), odd + 2);
    tel_gauge_seti(&both, odd);
    tel_gauge_set_with(&both, 0.5, TEL_ATTRS(tel_int("k", 1)));
    collect();
    CHECK(get("integer.gauge", "")->integer && get("integer.gauge", "")->i == odd);
    CHECK_INT(get("integer.gauge", "k=1")->i, -odd);
    CHECK_INT(get("integer.gauge", "k=2")->i, odd + 2);
    CHECK(!get("integer.both", "")->integer && get("integer.both", "")->d == 9007199254740992.0);
    CHECK(get("integer.both", "k=1")->d == 0.5);
    tel_gauge_set(&g, 0.25);
    tel_gauge_seti(&both, 3);
    collect();
    CHECK(!get("integer.gauge", "")->integer && get("integer.gauge", "")->d == 0.25);
    CHECK(get("integer.both", "")->d == 3);
    stop();
}

/* A writer that is stopped anywhere in a record: what is read is what it had finished, all of one instant. The test plays the
   writer, store by store. */
static void test_half(void) {
    static const double edges[] = { 10 };
    tel__aggregation a;
    tel__memory memory;
    tel__histogram* b;
    tel__atomic_u64* half;
    double bounds[8];
    uint64_t words[4];
    tel__aggregation_value v;
    int step;
    for (step = 0; step < 8; step++) { bounds[step] = step ? infinite() : edges[0]; }
    tel__memory_init(&memory, NULL, 1 << 20);
    memset(&a, 0, sizeof a);
    a.kind = TEL__AGGREGATION_HISTOGRAM;
    a.bound_count = 1;
    a.bounds = bounds;
    b = tel__histogram_make(&memory, &a);
    tel__histogram_record(b, 5);
    tel__histogram_record(b, 20);
    half = b->words;
    for (step = 0; step <= 8; step++) {         /* the third record, of 30 */
        switch (step) {
        case 1: tel__atomic_store_u64(&half[TEL__HALF_MIN_WAS], tel__atomic_bits(5)); break;
        case 2: tel__atomic_store_u64(&half[TEL__HALF_MAX_WAS], tel__atomic_bits(20)); break;
        case 3: tel__atomic_store_u64(&half[TEL__HALF_EXTREME_AT], 3); break;
        case 4: tel__atomic_store_u64(&half[TEL__HALF_MAX], tel__atomic_bits(30)); break;
        case 5: tel__atomic_store_u64(&half[TEL__HALF_MARK], 1); break;
        case 6: tel__atomic_store_u64(&half[TEL__HALF_SUM_TOO], tel__atomic_bits(55)); break;
        case 7: tel__atomic_store_u64(&half[TEL__HALF_BUCKETS + 1], 2); break;
        case 8: tel__atomic_store_u64(&half[TEL__HALF_N], 3); break;
        default: break;
        }
        v = tel__aggregation_empty(&a, words);
        tel__aggregation_read(&a, 0, (uint64_t)(uintptr_t)b, &v);
        CHECK_INT(v.n, step == 8 ? 3 : 2);
        CHECK(v.sum == (step == 8 ? 55 : 25) && v.min == 5 && v.max == (step == 8 ? 30 : 20));
        CHECK(v.buckets[0] == 1 && v.buckets[1] == (step == 8 ? 2u : 1u));
        CHECK_INT(tel__atomic_load_u32(&b->active), step & 1 ? 0 : b->stride);     /* it was read in two turns, whatever was active */
    }
    tel__aggregation_free(&a, &memory, (uint64_t)(uintptr_t)b);
    CHECK_INT(tel__atomic_load_u64(&memory.allocated), 0);
}

/* A reader makes the other half the active one, so that a writer leaves alone what is being read. */
static void test_turn(void) {
    static tel_histogram h = TEL_INSTRUMENT("turn.histogram", NULL, NULL);
    tel__histogram* b;
    uint32_t half, i;
    start();
    for (i = 1; i < 5; i++) {
        tel_histogram_record(&h, i);
        b = (tel__histogram*)(uintptr_t)tel__atomic_load_u64(tel__instrument_cell(h.tel__cell));
        half = tel__atomic_load_u32(&b->active);
        collect();
        CHECK_INT(tel__atomic_load_u32(&b->active), b->stride - half);
        CHECK(get("turn.histogram", "")->count == i && get("turn.histogram", "")->max == i && get("turn.histogram", "")->min == 1);
    }
    stop();
}

#define VALUE 3.0
static tel_histogram hot = TEL_INSTRUMENT("hot.histogram", NULL, NULL);
static tel_histogram hot_keyed = TEL_INSTRUMENT("hot.keyed", NULL, NULL);
static tel__atomic_u32 writing, under_way;

static void* write_hot(void* arg) {
    uint64_t* mine = (uint64_t*)arg;
    while (tel__atomic_load_u32(&writing)) {
        tel_histogram_record(&hot, VALUE);
        tel_histogram_record_with(&hot_keyed, VALUE, TEL_ATTRS(tel_int("k", 1)));
        if (++*mine == 500) { tel__atomic_add_u32(&under_way, 1); }
    }
    return NULL;
}

static const char* const hot_names[2] = { "hot.histogram", "hot.keyed" };

/* A writer is stopped in mid-record, by a signal whose handler takes its time. */
static void dawdle(int sig) {
    struct timespec t = { 0, 300000 };
    (void)sig;
    nanosleep(&t, NULL);
}

/* Four writers, stopped again and again wherever they are, and a collector: count, buckets, sum and extremes are of one instant
   always, and nothing goes back. */
static void check_consistency(int reads) {
    pthread_t t[4];
    uint64_t mine[4] = { 0, 0, 0, 0 }, last[2] = { 0, 0 };
    int i, k, failed = 0, torn = 0, back = 0, apart = 0;
    struct sigaction act;
    memset(&act, 0, sizeof act);
    act.sa_handler = dawdle;
    act.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &act, NULL);
    tel__atomic_store_u32(&writing, 1);
    tel__atomic_store_u32(&under_way, 0);
    for (i = 0; i < 4; i++) { pthread_create(&t[i], NULL, write_hot, &mine[i]); }
    while (tel__atomic_load_u32(&under_way) < 4) { tel__thread_yield(); }
    for (i = 0; i < reads; i++) {
        if (i % 4 == 0) { pthread_kill(t[i / 4 % 4], SIGUSR1); }
        failed += collect() != TEL_OK;
        for (k = 0; k < 2; k++) {
            const row* r = get(hot_names[k], NULL);
            if (!rows_of(hot_names[k])) { continue; }
            torn += r->bucket_sum != r->count || r->buckets[1] != r->count;
            apart += r->d != VALUE * (double)r->count || (r->count && (r->min != VALUE || r->max != VALUE));
            back += r->count < last[k];
            last[k] = r->count;
        }
    }
    tel__atomic_store_u32(&writing, 0);
    for (i = 0; i < 4; i++) { pthread_join(t[i], NULL); }
    CHECK_INT(failed, 0); CHECK_INT(torn, 0); CHECK_INT(apart, 0); CHECK_INT(back, 0);
    collect();
    for (k = 0; k < 2; k++) {
        const row* r = get(hot_names[k], NULL);
        CHECK_INT(r->count, mine[0] + mine[1] + mine[2] + mine[3]);
        CHECK(r->d == VALUE * (double)r->count);
    }
    CHECK(get(hot_names[0], NULL)->count >= 2000);
}

static void test_consistency(void) { start(); check_consistency(1000); stop(); }

/* Records straight into the shared block, by eight threads, while it is turned over again and again. */
static tel__series* shared_series;
static void* write_common(void* arg) {
    int i;
    (void)arg;
    for (i = 0; i < 8000; i++) { tel__instrument_record_shared(shared_series, VALUE); }
    tel__atomic_add_u32(&writing, (uint32_t)-1);
    return NULL;
}
static void test_common_exact(void) {
    static tel_histogram h = TEL_INSTRUMENT("common.histogram", NULL, NULL);
    pthread_t t[8];
    int i, torn = 0;
    start();
    CHECK(tel_histogram_bind(&h, TEL_NOATTRS) != NULL);
    shared_series = tel__instrument_own_series(&tel_get_instance()->metrics, TEL__API_INSTRUMENT(&h), TEL__METRIC_HISTOGRAM);
    tel__atomic_store_u32(&writing, 8);
    for (i = 0; i < 8; i++) { pthread_create(&t[i], NULL, write_common, NULL); }
    while (tel__atomic_load_u32(&writing)) {
        const row* r;
        collect();
        r = get("common.histogram", "");
        torn += r->count != r->bucket_sum || r->d != VALUE * (double)r->count;
    }
    for (i = 0; i < 8; i++) { pthread_join(t[i], NULL); }
    collect();
    CHECK_INT(torn, 0);
    CHECK_INT(get("common.histogram", "")->count, 64000);
    CHECK(get("common.histogram", "")->d == VALUE * 64000);
    CHECK(get("common.histogram", "")->min == VALUE && get("common.histogram", "")->max == VALUE);
    stop();
}

/* A writer of a shared block that is stopped in mid-record: nothing of its half is read, nothing waits for it, and all of it is
   there once it has finished. */
static void test_shared_unfinished(void) {
    static tel_histogram h = TEL_INSTRUMENT("unfinished.histogram", NULL, NULL);
    tel__histogram* b;
    tel__atomic_u64* half;
    uint64_t ticket;
    int i;
    start();
    shared_series = tel__instrument_own_series(&tel_get_instance()->metrics, TEL__API_INSTRUMENT(&h), TEL__METRIC_HISTOGRAM);
    tel__instrument_record_shared(shared_series, VALUE);
    collect();
    CHECK_INT(get("unfinished.histogram", "")->count, 1);
    b = (tel__histogram*)(uintptr_t)tel__atomic_load_u64(&shared_series->shared);
    tel__instrument_record_shared(shared_series, VALUE);
    ticket = tel__atomic_add_u64(&b->started, 1);                /* it comes, and has added to sum and bucket only */
    half = b->words + ((ticket & TEL__HISTOGRAM_HALF_BIT) ? b->stride : 0);
    tel__atomic_add_double(&half[TEL__HALF_SUM], VALUE);
    tel__atomic_add_u64(&half[TEL__HALF_BUCKETS + 1], 1);
    for (i = 0; i < 3; i++) {
        collect();
        CHECK(get("unfinished.histogram", "")->count == 1 && get("unfinished.histogram", "")->d == VALUE);
        tel__instrument_record_shared(shared_series, VALUE);     /* others go on in the other half */
    }
    tel__atomic_add_u64(&half[TEL__HALF_N], 1);
    collect();
    CHECK(get("unfinished.histogram", "")->count == 3 && get("unfinished.histogram", "")->d == 3 * VALUE);
    collect();
    CHECK(get("unfinished.histogram", "")->count == 6 && get("unfinished.histogram", "")->d == 6 * VALUE);
    stop();
}

/* ---- threads, limits, memory ------------------------------------------------------------------------ */

static tel_counter limited = TEL_INSTRUMENT("limit.counter", NULL, NULL);
static tel_histogram limited_histogram = TEL_INSTRUMENT("limit.histogram", NULL, NULL);

static void* write_limited(void* arg) {
    int i;
    (void)arg;
    for (i = 0; i < 4000; i++) {
        tel_counter_add_with(&limited, 1, TEL_ATTRS(tel_int("k", i % 40)));
        tel_histogram_record_with(&limited_histogram, 1, TEL_ATTRS(tel_int("k", i % 40)));
    }
    return NULL;
}

static void test_cardinality(void) {
    int64_t sum = 0;
    uint64_t counted = 0;
    size_t i;
    start_with(3, 0);
    tel_counter_add(&limited, 1);                                /* the empty set counts as one */
    tel_counter_add_with(&limited, 1, TEL_ATTRS(tel_str("s", "a")));
    tel_counter_add_with(&limited, 1, TEL_ATTRS(tel_str("s", "b")));
    collect();
    CHECK_INT(rows_of("limit.counter"), 3);                      /* N fit N: no overflow yet */
    CHECK_INT(heard(TEL__DIAG_CARDINALITY), 0);
    tel_counter_add_with(&limited, 10, TEL_ATTRS(tel_str("s", "c")));
    tel_counter_add_with(&limited, 20, TEL_ATTRS(tel_str("s", "d")));
    tel_counter_add(tel_counter_bind(&limited, TEL_ATTRS(tel_str("s", "e"))), 30);
    tel_counter_add_with(&limited, 5, TEL_ATTRS(tel_str("s", "a")));
    collect();
    CHECK_INT(rows_of("limit.counter"), 4);
    CHECK_INT(get("limit.counter", "otel.metric.overflow=true")->i, 60);
    CHECK_INT(get("limit.counter", "s=a")->i, 6);
    CHECK_INT(get("limit.counter", "")->i, 1);
    CHECK_INT(heard(TEL__DIAG_CARDINALITY), 1);
    CHECK_INT(tel_query_stats().series_overflow, 3);
    CHECK_INT(tel_query_stats().series, 3);
    stop();
    start_with(25, 0);
    on_threads(8, write_limited, NULL);
    collect();
    CHECK_INT(rows_of("limit.counter"), 26);
    for (i = 0; i < row_count; i++) { sum += strcmp(rows[i].name, "limit.counter") == 0 ? rows[i].i : 0; counted += rows[i].count; }
    CHECK_INT(sum, 8 * 4000);
    CHECK_INT(counted, 8 * 4000);
    CHECK_INT(get("limit.counter", "otel.metric.overflow=true")->i, 8 * 100 * 15);
    stop();
}

static tel_counter folded = TEL_INSTRUMENT("fold.counter", NULL, NULL);
static tel_counter folded_real = TEL_INSTRUMENT_OPT("fold.real", NULL, NULL, &real_options);
static tel_updown folded_updown = TEL_INSTRUMENT("fold.updown", NULL, NULL);
static tel_histogram folded_histogram = TEL_INSTRUMENT("fold.histogram", NULL, NULL);

static void* come_and_go(void* arg) {
    double v = *(double*)arg;
    tel_counter_add(&folded, 2);
    tel_counter_addf(&folded_real, 0.5);
    tel_updown_add(&folded_updown, -1);
    tel_histogram_record(&folded_histogram, v);
    tel_counter_add_with(&folded, 1, TEL_ATTRS(tel_int("k", (int64_t)v % 3)));
    return NULL;
}

static void test_threads_fold(void) {
    uint64_t settled = 0;
    double v, sum = 0;
    int i;
    start();
    for (i = 0; i < 250; i++) {
        v = i % 7;
        sum += 4 * v;
        on_threads(4, come_and_go, &v);
        if (i == 100) { collect(); settled = tel_query_stats().bytes_allocated; }
        if (i % 50 == 0) { collect(); }
    }
    collect();
    CHECK_INT(get("fold.counter", "")->i, 2000);
    CHECK_INT(get("fold.counter", "k=0")->i + get("fold.counter", "k=1")->i + get("fold.counter", "k=2")->i, 1000);
    CHECK(get("fold.real", "")->d == 500);
    CHECK_INT(get("fold.updown", "")->i, -1000);
    CHECK_INT(get("fold.histogram", "")->count, 1000);
    CHECK(get("fold.histogram", "")->d == sum);
    CHECK(get("fold.histogram", "")->min == 0 && get("fold.histogram", "")->max == 6);
    CHECK_INT(tel_query_stats().bytes_allocated, settled);       /* threads leave nothing behind */
    CHECK_INT(tel_query_stats().threads, 0);
    stop();
}

static tel_counter starved = TEL_INSTRUMENT("starved.counter", NULL, NULL);
static tel_counter starved_real = TEL_INSTRUMENT_OPT("starved.real", NULL, NULL, &real_options);
static tel_histogram starved_histogram = TEL_INSTRUMENT("starved.histogram", NULL, NULL);
static tel__atomic_u32 joined, go;

static void* write_starved(void* arg) {
    int i;
    (void)arg;
    tel_log(TEL_INFO, "here", TEL_NOATTRS);                      /* joins while there is memory */
    tel__atomic_add_u32(&joined, 1);
    while (!tel__atomic_load_acquire_u32(&go)) { tel__thread_yield(); }
    for (i = 0; i < 5000; i++) {
        tel_counter_add(&starved, 1);
        tel_counter_addf(&starved_real, 0.5);
        tel_histogram_record(&starved_histogram, 2);
    }
    tel__atomic_add_u32(&joined, 1);
    while (tel__atomic_load_acquire_u32(&joined) < 16) { tel__thread_yield(); }      /* what an ending thread frees, another would take */
    return NULL;
}

/* At the cap no thread gets a cell: all add to the series themselves, and nothing is lost. */
static void test_starved(void) {
    pthread_t t[8];
    tel_instance* inst;
    uint64_t limit;
    int i;
    start();
    inst = tel_get_instance();
    CHECK(tel_counter_bind(&starved, TEL_NOATTRS) && tel_counter_bind(&starved_real, TEL_NOATTRS) &&
          tel_histogram_bind(&starved_histogram, TEL_NOATTRS));
    tel__atomic_store_u32(&joined, 0);
    tel__atomic_store_u32(&go, 0);
    for (i = 0; i < 8; i++) { pthread_create(&t[i], NULL, write_starved, NULL); }
    while (tel__atomic_load_acquire_u32(&joined) < 8) { tel__thread_yield(); }
    limit = inst->memory.limit;
    inst->memory.limit = tel__atomic_load_u64(&inst->memory.used);
    tel__atomic_store_release_u32(&go, 1);
    for (i = 0; i < 8; i++) { pthread_join(t[i], NULL); }
    inst->memory.limit = limit;
    CHECK_INT(tel__atomic_load_u64(&tel__instrument_own_series(&inst->metrics, &starved, TEL__METRIC_COUNTER)->shared), 40000);
    collect();
    CHECK_INT(get("starved.counter", "")->i, 40000);
    CHECK(get("starved.real", "")->d == 20000);
    CHECK_INT(get("starved.histogram", "otel.metric.overflow=true")->count, 40000);
    CHECK(get("starved.histogram", "otel.metric.overflow=true")->d == 80000);
    stop();
}

/* What all rows of a metric add up to, and what the overflow series has of it. */
static double total_of(const char* name, double* overflow) {
    double sum = 0;
    size_t i;
    *overflow = 0;
    for (i = 0; i < row_count; i++) {
        double v = rows[i].kind == TEL_METRIC_HISTOGRAM ? (double)rows[i].count : rows[i].d;
        if (strcmp(rows[i].name, name) != 0) { continue; }
        sum += v;
        if (strcmp(rows[i].attrs, "otel.metric.overflow=true") == 0) { *overflow += v; }
    }
    return sum;
}

static tel_counter capped = TEL_INSTRUMENT("cap.counter", NULL, NULL);
static tel_histogram capped_histogram = TEL_INSTRUMENT("cap.histogram", NULL, NULL);
static void* write_capped(void* arg) {
    int i, first = *(int*)arg;
    for (i = 0; i < 5000; i++) {
        tel_counter_add_with(&capped, 1, TEL_ATTRS(tel_int("user", first + i)));
        tel_histogram_record_with(&capped_histogram, 1, TEL_ATTRS(tel_int("user", i)));
    }
    return NULL;
}

/* A real cap: series until memory ends. Collections go on, and every record is in a series, in the overflow series, or lost and
   counted in the public books. */
static void test_memory_limit(void) {
    static tel_counter late[50];
    static char names[50][24];
    int first[4] = { 0, 5000, 10000, 15000 };
    pthread_t t[4];
    double overflow, sum;
    uint64_t lost;
    size_t i, limit = (size_t)4 << 20;
    start_with(1000000, limit);
    tel_counter_add(&capped, 1);
    for (i = 0; i < 4; i++) { pthread_create(&t[i], NULL, write_capped, &first[i]); }
    for (i = 0; i < 4; i++) { pthread_join(t[i], NULL); }
    CHECK(tel_query_stats().bytes_allocated <= limit);
    CHECK(tel_query_stats().series < 25000);
    CHECK(heard(TEL__DIAG_MEMORY) != 0);
    CHECK_INT(heard(TEL__DIAG_CARDINALITY), 0);
    CHECK_INT(collect(), TEL_OK);
    CHECK(total_of("cap.counter", &overflow) == 20001 && overflow > 0);
    CHECK(total_of("cap.histogram", &overflow) == 20000);
    CHECK_INT(tel_query_stats().dropped[0], 0);
    CHECK(tel_query_stats().series_overflow > 0);
    for (i = 0; i < 50; i++) {                  /* instruments that come now may be lost as a whole */
        snprintf(names[i], sizeof names[i], "cap.late%u", (unsigned)i);
        late[i].name = names[i];
        tel_counter_add(&late[i], 1);
    }
    collect();
    for (sum = 0, i = 0; i < 50; i++) { sum += total_of(names[i], &overflow); }
    lost = tel_query_stats().dropped[0];
    CHECK(sum + (double)lost == 50);
    stop();
}

/* Memory that is not there for a moment: what is used first in that moment works again afterwards. */
static bool refuse;
static void* refusing_alloc(size_t size, void* user_data) { (void)user_data; return refuse ? NULL : malloc(size); }
static void refusing_free(void* p, void* user_data) { (void)user_data; free(p); }
static void test_recovery(void) {
    static tel_counter c = TEL_INSTRUMENT("back.counter", NULL, NULL);
    static tel_counter b = TEL_INSTRUMENT("back.bound", NULL, NULL);
    static tel_histogram h = TEL_INSTRUMENT("back.histogram", NULL, NULL);
    static tel_counter known = TEL_INSTRUMENT("back.known", NULL, NULL);
    static tel_sink quiet;
    tel_counter *bound, *known_bound;
    tel_desc d;
    double overflow, sum;
    int i;
    memset(&quiet, 0, sizeof quiet);
    quiet.signal_mask = TEL_SIGNAL_PULL;
    memset(&d, 0, sizeof d);
    d.sinks = &quiet;
    d.sink_count = 1;
    d.ignore_env = d.no_thread = d.no_self_metrics = true;
    d.diag.report_fn = hear;
    d.allocator.alloc_fn = refusing_alloc;
    d.allocator.free_fn = refusing_free;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_counter_add(&known, 1);
    refuse = true;
    bound = tel_counter_bind(&b, TEL_ATTRS(tel_int("k", 1)));
    known_bound = tel_counter_bind(&known, TEL_ATTRS(tel_int("k", 1)));
    tel_counter_add(&c, 1); tel_counter_add(bound, 1); tel_histogram_record(&h, 1); tel_counter_add(known_bound, 1);
    refuse = false;
    for (i = 0; i < 1000; i++) {
        tel_counter_add(&c, 1); tel_counter_add(bound, 1); tel_histogram_record(&h, 1); tel_counter_add(known_bound, 1);
    }
    CHECK_INT(collect(), TEL_OK);
    sum = total_of("back.counter", &overflow) + total_of("back.bound", &overflow) + total_of("back.histogram", &overflow);
    CHECK(get("back.counter", "")->i > 900 && total_of("back.bound", &overflow) > 900 && get("back.histogram", "")->count > 900);
    CHECK(sum + (double)tel_query_stats().dropped[0] == 3003);
    CHECK(total_of("back.known", &overflow) == 1002);
    stop();
}

/* Threads that find no memory to register: what they record counts all the same, and a later record registers them. */
static tel_counter guest_counter = TEL_INSTRUMENT("guest.counter", NULL, NULL);
static tel_histogram guest_histogram = TEL_INSTRUMENT("guest.histogram", NULL, NULL);
static void* record_as_guest(void* arg) {
    tel_span span;
    int i;
    for (i = 0; i < 500; i++) { tel_counter_add(&guest_counter, 1); tel_histogram_record(&guest_histogram, 2); }
    span = tel_span_start("no ring for this one");
    tel_span_end(&span);
    tel__atomic_add_u32((tel__atomic_u32*)arg, tel__thread_me.ring != NULL);
    return NULL;
}
static void test_guests(void) {
    tel_instance* inst;
    uint64_t limit;
    double overflow;
    tel__atomic_u32 registered;
    int i;
    start();
    tel__atomic_store_u32(&registered, 0);
    inst = tel_get_instance();
    tel_counter_add(&guest_counter, 1); tel_histogram_record(&guest_histogram, 2);
    limit = inst->memory.limit;
    inst->memory.limit = tel__atomic_load_u64(&inst->memory.used);
    for (i = 0; i < 20; i++) {
        on_threads(4, record_as_guest, &registered);
        CHECK_INT(tel__atomic_load_u32(&registered), 0);
    }
    inst->memory.limit = limit;
    CHECK_INT(tel__atomic_load_u32(&inst->guests), 0);
    CHECK_INT(collect(), TEL_OK);
    CHECK(total_of("guest.counter", &overflow) == 40001 && total_of("guest.histogram", &overflow) == 40001);
    CHECK_INT(tel_query_stats().recorded[1], 80); CHECK_INT(tel_query_stats().dropped[1], 80);
    CHECK_INT(tel_query_stats().threads, 1);
    on_threads(1, record_as_guest, &registered);
    CHECK_INT(tel__atomic_load_u32(&registered), 1);
    stop();
}

/* Thousands of instruments: none is looked for among all others, and every collection shows them in order. */
static void test_many_instruments(void) {
    static tel_counter many[4000];
    static char names[4000][24];
    tel_instance* inst;
    uint32_t i, k, longest = 0, disorder = 0;
    start();
    for (i = 0; i < 4000; i++) {
        snprintf(names[i], sizeof names[i], "many.%u", (unsigned)((i * 7919u) % 4000u));
        many[i].name = names[i];
        tel_counter_add(&many[i], 1);
        if (i % 1000 == 500) { collect(); }
    }
    inst = tel_get_instance();
    CHECK(inst->metrics.name_slots >= 4000);
    for (i = 0; i < inst->metrics.name_slots; i++) {
        tel__metric* at;
        for (k = 0, at = inst->metrics.names[i]; at; at = at->chain) { k++; }
        if (k > longest) { longest = k; }
    }
    CHECK(longest <= 12);
    CHECK_INT(collect(), TEL_OK);
    CHECK_INT(row_count, 4000);
    for (i = 1; i < row_count; i++) { disorder += strcmp(rows[i - 1].name, rows[i].name) >= 0; }
    CHECK_INT(disorder, 0);
    stop();
}

/* ---- observers -------------------------------------------------------------------------------------- */

static int observed, show_b;
static tel__atomic_u32 inside, watching;
static tel_counter from_observer = TEL_INSTRUMENT("obs.calls", NULL, NULL);

static void watch(tel_observation* o, void* user_data) {
    double* v = (double*)user_data;
    observed++;
    tel_observe(o, *v, TEL_ATTRS(tel_str("s", "a")));
    tel_observe(o, *v + 1, TEL_ATTRS(tel_str("s", "a")));        /* of the same set the last counts */
    if (show_b) { tel_observe(o, 7, TEL_ATTRS(tel_str("s", "b"))); }
    tel_observe(o, nan_value(), TEL_ATTRS(tel_str("s", "nan")));
    tel_counter_add(&from_observer, 1);
}
static void watch_slowly(tel_observation* o, void* user_data) {
    (void)user_data;
    tel__atomic_store_u32(&inside, 1);
    tel__thread_sleep_ns(3000000);
    tel_observe(o, 1, TEL_NOATTRS);
    tel__atomic_store_u32(&inside, 0);
}
static void* collect_on(void* arg) {
    tel_sink into;
    (void)arg;
    memset(&into, 0, sizeof into);
    into.export_fn = keep_rows;
    while (tel__atomic_load_u32(&watching)) { tel_collect(&into); }
    return NULL;
}

static void watch_many(tel_observation* o, void* user_data) {
    int i;
    (void)user_data;
    for (i = 1; i <= 6; i++) { tel_observe(o, i, TEL_ATTRS(tel_int("i", i))); }
}

/* Past the limit totals add up like what is counted; of gauges the last counts. In every collection anew. */
static void test_observer_overflow(void) {
    tel_observer_desc d;
    int i;
    memset(&d, 0, sizeof d);
    d.observe_fn = watch_many;
    start_with(3, 0);
    d.name = "obs.total";
    d.kind = TEL_OBSERVE_COUNTER;
    CHECK(tel_observer_new(&d) != NULL);
    d.name = "obs.level";
    d.kind = TEL_OBSERVE_UPDOWN;
    CHECK(tel_observer_new(&d) != NULL);
    d.name = "obs.gauge";
    d.kind = TEL_OBSERVE_GAUGE;
    CHECK(tel_observer_new(&d) != NULL);
    for (i = 0; i < 3; i++) {
        CHECK_INT(collect(), TEL_OK);
        CHECK(get("obs.total", "i=3")->d == 3 && rows_of("obs.total") == 4);
        CHECK(get("obs.total", "otel.metric.overflow=true")->d == 4 + 5 + 6);
        CHECK(get("obs.level", "otel.metric.overflow=true")->d == 4 + 5 + 6);
        CHECK(get("obs.gauge", "otel.metric.overflow=true")->d == 6);
    }
    stop();
}

static void test_observers(void) {
    tel_observer_desc d;
    tel_observer* gauge;
    pthread_t t;
    double v = 10;
    int i;
    memset(&d, 0, sizeof d);
    d.name = "obs.gauge";
    d.observe_fn = watch;
    d.user_data = &v;
    CHECK(tel_observer_new(&d) == NULL);                         /* nothing is initialised */
    tel_observer_end(NULL);
    start();
    CHECK(tel_observer_new(NULL) == NULL);
    gauge = tel_observer_new(&d);
    CHECK(gauge != NULL);
    d.observe_fn = NULL;
    CHECK(tel_observer_new(&d) == NULL);
    d.observe_fn = watch;
    d.name = "no good";
    CHECK(tel_observer_new(&d) == NULL);
    d.name = "obs.total";
    d.kind = TEL_OBSERVE_COUNTER;
    CHECK(tel_observer_new(&d) != NULL);
    d.name = "obs.level";
    d.kind = TEL_OBSERVE_UPDOWN;
    CHECK(tel_observer_new(&d) != NULL);
    show_b = 1;
    observed = 0;
    CHECK_INT(collect(), TEL_OK);
    CHECK_INT(observed, 3);                                      /* each once */
    CHECK(get("obs.gauge", "s=a")->d == 11 && get("obs.gauge", "s=a")->kind == TEL_METRIC_GAUGE);
    CHECK(get("obs.total", "s=a")->monotonic && get("obs.total", "s=b")->d == 7);
    CHECK(get("obs.level", "s=a")->kind == TEL_METRIC_SUM && !get("obs.level", "s=a")->monotonic);
    CHECK_INT(rows_of("obs.gauge"), 2);
    CHECK_INT(get("obs.calls", "")->i, 3);
    show_b = 0;
    v = 20;
    collect();
    CHECK_INT(rows_of("obs.gauge"), 1);                          /* a set that is not mentioned is not exported */
    CHECK(get("obs.gauge", "s=a")->d == 21);
    tel_observer_end(gauge);
    tel_observer_end(gauge);
    collect();
    CHECK_INT(rows_of("obs.gauge"), 0);
    CHECK_INT(rows_of("obs.total"), 1);
    /* Ending one while its function runs on another thread waits for it. */
    tel__atomic_store_u32(&watching, 1);
    pthread_create(&t, NULL, collect_on, NULL);
    for (i = 0; i < 10; i++) {
        tel_observer* slow;
        d.name = "obs.slow";
        d.observe_fn = watch_slowly;
        slow = tel_observer_new(&d);
        while (!tel__atomic_load_u32(&inside)) { tel__thread_yield(); }
        tel_observer_end(slow);
        CHECK_INT(tel__atomic_load_u32(&inside), 0);
    }
    tel__atomic_store_u32(&watching, 0);
    pthread_join(t, NULL);
    stop();
    start();
    tel_observer_end(gauge);                                     /* of an instance that is gone */
    stop();
}

/* Several observers of one name, each with a handle of its own; one that ends itself, and one that ends another. */
typedef struct watcher { int64_t value; const char* set; tel_observer* ends; int calls; } watcher;
static void watch_set(tel_observation* o, void* user_data) {
    watcher* w = (watcher*)user_data;
    w->calls++;
    tel_observei(o, w->value, TEL_ATTRS(tel_str("lib", w->set)));
    tel_observer_end(w->ends);
}
static void test_observers_of_one_name(void) {
    const int64_t odd = ((int64_t)1 << 53) + 1;
    watcher a = { 0, "a", NULL, 0 }, b = { 20, "b", NULL, 0 }, c = { 30, "c", NULL, 0 };
    tel_observer_desc d;
    tel_observer *oa, *ob, *oc;
    a.value = odd;
    memset(&d, 0, sizeof d);
    d.name = "obs.cache";
    d.kind = TEL_OBSERVE_UPDOWN;
    d.observe_fn = watch_set;
    start();
    d.user_data = &a;
    oa = tel_observer_new(&d);
    d.user_data = &b;
    ob = tel_observer_new(&d);
    d.user_data = &c;
    oc = tel_observer_new(&d);
    CHECK(oa && ob && oc && oa != ob && ob != oc);
    collect();
    CHECK_INT(rows_of("obs.cache"), 3);
    CHECK(get("obs.cache", "lib=a")->integer && get("obs.cache", "lib=a")->i == odd);
    CHECK_INT(get("obs.cache", "lib=b")->i, 20);
    a.ends = oa;                                                 /* itself */
    collect();
    CHECK_INT(rows_of("obs.cache"), 3);
    a.ends = NULL;
    collect();
    CHECK_INT(rows_of("obs.cache"), 2);
    CHECK_INT(a.calls, 2);
    b.ends = oc;                                                 /* the one whose turn is next */
    collect();
    CHECK_INT(rows_of("obs.cache"), 1);
    CHECK_INT(c.calls, 3);
    b.ends = NULL;
    tel_observer_end(ob);
    collect();
    CHECK_INT(rows_of("obs.cache"), 0);
    stop();
}

/* ---- collection and life ---------------------------------------------------------------------------- */

static void test_batches(void) {
    static tel_counter c = TEL_INSTRUMENT("batch.counter", NULL, NULL);
    static tel_counter d = TEL_INSTRUMENT("batch.d", NULL, NULL);
    int64_t sum = 0;
    size_t i, wrong = 0;
    start_with(20000, 0);
    for (i = 0; i < 9000; i++) { tel_counter_add_with(&c, (int64_t)i, TEL_ATTRS(tel_int("i", (int64_t)i))); }
    tel_counter_add(&d, 1);
    CHECK_INT(collect(), TEL_OK);
    CHECK_INT(batch_count, 3);
    CHECK_INT(largest_batch, 4096);
    CHECK_INT(rows_of("batch.counter"), 9000);
    CHECK_INT(get("batch.d", "")->i, 1);
    for (i = 0; i < row_count; i++) {
        sum += strcmp(rows[i].name, "batch.counter") == 0 ? rows[i].i : 0;
        wrong += rows[i].at != now();                           /* one time for all points of a collection */
    }
    CHECK_INT(wrong, 0);
    CHECK_INT(sum, (int64_t)9000 * 8999 / 2);
    stop();
}

/* A metric that has room in one batch is in one, since a Pushgateway replaces what earlier pages have of it. */
static void test_whole_metrics(void) {
    static tel_metric_options base2;
    static tel_counter a = TEL_INSTRUMENT("whole.a", NULL, NULL);
    static tel_histogram b = TEL_INSTRUMENT("whole.b", NULL, NULL);
    static tel_histogram c = TEL_INSTRUMENT_OPT("whole.c", NULL, NULL, &base2);
    static tel_counter d = TEL_INSTRUMENT("whole.d", NULL, NULL);
    int64_t i;
    base2.exponential = true;
    start_with(2500, 0);
    for (i = 0; i < 2000; i++) {
        tel_counter_add_with(&a, 1, TEL_ATTRS(tel_int("i", i)));
        tel_histogram_record_with(&b, 1, TEL_ATTRS(tel_int("i", i)));
        tel_counter_add_with(&d, 1, TEL_ATTRS(tel_int("i", i)));
    }
    for (i = 0; i < 400; i++) { tel_histogram_record_with(&c, 1, TEL_ATTRS(tel_int("i", i))); }
    CHECK_INT(collect(), TEL_OK);
    CHECK_INT(view_count, 4);
    CHECK_INT(rows_of("whole.a") + rows_of("whole.b") + rows_of("whole.d"), 6000);
    CHECK_INT(rows_of("whole.c"), 400);
    stop();
}

static void test_times(void) {
    static tel_counter c = TEL_INSTRUMENT("time.counter", NULL, NULL);
    static tel_histogram h = TEL_INSTRUMENT("time.histogram", NULL, NULL);
    uint64_t begun, begun_h;
    int i;
    start();
    begun = pass(5);
    tel_counter_add(&c, 1);
    begun_h = pass(1000);
    tel_histogram_record(&h, 1);
    for (i = 0; i < 3; i++) {                                    /* cumulative: the start stands still */
        collect();
        CHECK(get("time.counter", "")->start == begun && get("time.counter", "")->at == now());
        CHECK(get("time.histogram", "")->start == begun_h && get("time.histogram", "")->at == now());
    }
    stop();
}

/* The start of an observed total: since when it has been observed, but for a set that came later, which was not there in
   the collection before. */
static bool second_set;
static void observe_sets(tel_observation* o, void* user_data) {
    (void)user_data;
    tel_observei(o, 5, TEL_NOATTRS);
    if (second_set) { tel_observei(o, 7, TEL_ATTRS(tel_int("set", 2))); }
}
static void test_times_observed(void) {
    tel_observer_desc d;
    uint64_t made, before;
    memset(&d, 0, sizeof d);
    d.kind = TEL_OBSERVE_COUNTER;
    d.name = "time.observed";
    d.observe_fn = observe_sets;
    start();
    second_set = false;
    made = pass(1000);
    CHECK(tel_observer_new(&d) != NULL);
    pass(1000);
    collect();
    CHECK(get("time.observed", "")->start == made && get("time.observed", "")->at == now());
    before = now();
    pass(1000);
    second_set = true;
    collect();
    CHECK(get("time.observed", "")->start == made && get("time.observed", "set=2")->start == before);
    pass(1000);
    collect();
    CHECK(get("time.observed", "")->start == made && get("time.observed", "set=2")->start == before);
    stop();
}

/* tel_desc.metric_batch_points: no batch is larger, and nothing is missing. */
static void test_batch_points(void) {
    static tel_counter many = TEL_INSTRUMENT("few.many", NULL, NULL), one = TEL_INSTRUMENT("few.one", NULL, NULL);
    static tel_sink quiet;
    tel_desc d;
    int i;
    memset(&d, 0, sizeof d);
    quiet.signal_mask = TEL_SIGNAL_PULL;
    quiet.export_fn = keep_rows;
    d.sinks = &quiet;
    d.sink_count = 1;
    d.ignore_env = d.no_thread = d.no_self_metrics = true;
    d.clock_fn = test_clock;
    d.diag.report_fn = hear;
    d.metric_batch_points = 4097;
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    d.metric_batch_points = 10;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK_INT(tel_query_desc().metric_batch_points, 10);
    for (i = 0; i < 25; i++) { tel_counter_add_with(&many, 1, TEL_ATTRS(tel_int("i", i))); }
    tel_counter_add(&one, 1);
    CHECK_INT(collect(), TEL_OK);
    CHECK_INT(largest_batch, 10);
    CHECK_INT(batch_count, 3);
    CHECK_INT(rows_of("few.many"), 25);
    CHECK_INT(get("few.one", "")->i, 1);
    stop();
}

/* Many lives: the same static instruments find each new instance, with sums from zero. */
static tel__atomic_u32 life, answered;
static tel_counter reborn = TEL_INSTRUMENT("reborn.counter", NULL, NULL);
static tel_histogram reborn_histogram = TEL_INSTRUMENT("reborn.histogram", NULL, NULL);
static void* live_on(void* arg) {
    uint32_t seen = 0;
    (void)arg;
    while (seen < 1000) {
        uint32_t is = tel__atomic_load_acquire_u32(&life);
        if (is == seen) { tel__thread_yield(); continue; }
        seen = is;
        tel_counter_add(&reborn, 1); tel_counter_add(&reborn, 1); tel_counter_add(&reborn, 1);
        tel_histogram_record(&reborn_histogram, 5);
        tel_counter_add_with(&reborn, 2, TEL_ATTRS(tel_int("odd", seen & 1)));
        tel__atomic_add_u32(&answered, 1);
    }
    return NULL;
}
static void test_restart(void) {
    pthread_t t[3];
    int i;
    uint32_t wrong = 0;
    tel__atomic_store_u32(&life, 0);
    tel__atomic_store_u32(&answered, 0);
    for (i = 0; i < 3; i++) { pthread_create(&t[i], NULL, live_on, NULL); }
    for (i = 1; i <= 1000; i++) {
        static tel_sink quiet;
        tel_desc d;
        memset(&d, 0, sizeof d);
        quiet.signal_mask = TEL_SIGNAL_PULL;
        quiet.export_fn = keep_rows;
        d.sinks = &quiet;
        d.sink_count = 1;
        d.ignore_env = d.no_thread = d.no_self_metrics = true;
        d.diag.report_fn = hear;
        d.ring_bytes = 4096;
        d.max_live_spans = 16;
        d.clock_fn = test_clock;
        wrong += tel_init(&d) != TEL_OK;
        tel__atomic_store_release_u32(&life, (uint32_t)i);
        while (tel__atomic_load_acquire_u32(&answered) < (uint32_t)i * 3) { tel__thread_yield(); }
        collect();
        wrong += get("reborn.counter", "")->i != 9;
        wrong += get("reborn.counter", i & 1 ? "odd=1" : "odd=0")->i != 6 || rows_of("reborn.counter") != 2;
        wrong += get("reborn.histogram", "")->count != 3 || get("reborn.histogram", "")->d != 15;
        tel_shutdown(1000);
    }
    for (i = 0; i < 3; i++) { pthread_join(t[i], NULL); }
    CHECK_INT(wrong, 0);
}

/* Instruments that come in another order, with other kinds, in every life: an id of one life must mean nothing in the next. */
static void test_order_of_lives(void) {
    static tel_counter c[3] = { TEL_INSTRUMENT("lives.0", NULL, NULL), TEL_INSTRUMENT("lives.1", NULL, NULL), TEL_INSTRUMENT("lives.2", NULL, NULL) };
    static tel_histogram h = TEL_INSTRUMENT("lives.histogram", NULL, NULL);
    int round, i;
    for (round = 0; round < 6; round++) {
        start();
        if (round & 1) { tel_histogram_record(&h, 5); }
        for (i = 0; i < 3; i++) {
            int k = (i + round) % 3, times = k + 1;
            while (times--) { tel_counter_add(&c[k], 1); tel_counter_add_with(&c[k], 10, TEL_ATTRS(tel_int("k", 1))); }
        }
        if (!(round & 1)) { tel_histogram_record(&h, 5); }
        collect();
        CHECK(get("lives.0", "")->i == 1 && get("lives.1", "")->i == 2 && get("lives.2", "")->i == 3);
        CHECK(get("lives.0", "k=1")->i == 10 && get("lives.1", "k=1")->i == 20 && get("lives.2", "k=1")->i == 30);
        CHECK(get("lives.histogram", "")->count == 1 && get("lives.histogram", "")->d == 5);
        stop();
    }
}

/* A thread that is in the middle of its first touch while the instance closes must not go on recording into it. */
static tel__atomic_u32 step;
static void step_to(uint32_t n) { tel__atomic_store_release_u32(&step, n); }
static void await(uint32_t n) { while (tel__atomic_load_acquire_u32(&step) < n) { tel__thread_yield(); } }
static tel_counter late = TEL_INSTRUMENT("late.counter", NULL, NULL);
static void* touch_late(void* arg) {
    tel_span span;
    tel__series* s;
    int i;
    (void)arg;
    span = tel_span_start("joins, without a cell");
    tel_span_end(&span);
    s = tel__instrument_own_series(&tel_get_instance()->metrics, &late, TEL__METRIC_COUNTER);
    step_to(1);
    await(2);                                                    /* tel_shutdown came by */
    tel__instrument_add_int(s, 1);
    step_to(3);
    await(4);                                                    /* tel_init too */
    for (i = 0; i < 10; i++) { tel_counter_add(&late, 1); }
    return NULL;
}
static void test_late(void) {
    pthread_t t;
    step_to(0);
    start();
    pthread_create(&t, NULL, touch_late, NULL);
    await(1);
    stop();
    step_to(2);
    await(3);
    start();
    tel_counter_add(&late, 100);
    step_to(4);
    pthread_join(t, NULL);
    collect();
    CHECK_INT(get("late.counter", "")->i, 110);
    stop();
}

/* More series than the table begins with, of colliding and of equal hashes. */
static void test_table(void) {
    static tel_counter c = TEL_INSTRUMENT("table.counter", NULL, NULL);
    tel_instance* inst;
    const tel__series_table* table;
    tel__metric* m;
    size_t i;
    start_with(5000, 0);
    inst = tel_get_instance();
    for (i = 0; i < 3000; i++) { tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("i", (int64_t)i))); }
    for (i = 0; i < 3000; i++) { tel_counter_add_with(&c, 1, TEL_ATTRS(tel_int("i", (int64_t)i))); }
    collect();
    CHECK_INT(rows_of("table.counter"), 3000);
    for (i = 0; i < row_count; i++) { if (rows[i].i != 2) { CHECK_INT(rows[i].i, 2); } }
    table = (const tel__series_table*)tel__atomic_load_ptr(&inst->metrics.table);
    CHECK_INT(table->used, 3000);
    CHECK(table->used * 5 <= (table->mask + 1) * 4);
    m = tel__instrument_metric(&inst->metrics, &c);
    {   /* two sets whose hashes are made equal are told apart by their content */
        tel_attr a = tel_int("x", 1), b = tel_int("x", 2);
        uint8_t order[TEL__ATTR_MAX];
        tel__series* s;
        tel__thread_mutex_lock(&inst->metrics.mutex);
        s = tel__series_make(&inst->metrics, m, tel__attrs(&a, 1), false);
        tel__atomic_store_u32(&s->hash, tel__series_hash(m, &b, 1));
        tel__series_table_put((tel__series_table*)tel__atomic_load_ptr(&inst->metrics.table), s);
        tel__thread_mutex_unlock(&inst->metrics.mutex);
        CHECK(tel__series_lookup(&inst->metrics, m, tel__attrs(&b, 1), tel__atomic_load_u32(&s->hash), order) == NULL);
        CHECK(tel__series_lookup(&inst->metrics, m, tel__attrs(&a, 1), tel__atomic_load_u32(&s->hash), order) == s);
    }
    {   /* a key that comes twice in the call does not stand for another one */
        tel_attr two[2], twice[2];
        uint8_t order[TEL__ATTR_MAX];
        tel__series* s;
        two[0] = twice[0] = twice[1] = tel_int("a", 1);
        two[1] = tel_int("b", 2);
        s = tel__derived_series(&inst->metrics, m, tel__attrs(two, 2));
        CHECK(tel__series_same_set(s, tel__attrs(two, 2), order));
        CHECK(!tel__series_same_set(s, tel__attrs(twice, 2), order));
    }
    stop();
}

int main(void) {
    test_plain();
    test_attributes();
    test_bound();
    test_identity();
    test_values();
    test_fractions();
    test_integers();
    test_bounds();
    test_index();
    test_half();
    test_turn();
    test_consistency();
    test_common_exact();
    test_shared_unfinished();
    test_cardinality();
    test_threads_fold();
    test_starved();
    test_memory_limit();
    test_recovery();
    test_guests();
    test_many_instruments();
    test_observers();
    test_observers_of_one_name();
    test_observer_overflow();
    test_batches();
    test_whole_metrics();
    test_times();
    test_times_observed();
    test_batch_points();
    test_restart();
    test_order_of_lives();
    test_late();
    test_table();
    free(rows);
    return check_done();
}
