/* queries.c -- a program asks its own process: metrics by name, the newest spans and logs by filter, quantiles. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"
#include <math.h>

/* ---- a sink that notes the names of what it is shown ---- */

typedef struct seen { char names[4096]; size_t batches, items; bool last; tel_result answer; } seen;

static void note(seen* s, tel_text name) {
    size_t n = strlen(s->names);
    snprintf(s->names + n, sizeof s->names - n, "%.*s ", (int)name.size, name.data);
    s->items++;
}
static tel_result look(const tel_batch* batch, void* user_data) {
    seen* s = (seen*)user_data;
    size_t i;
    s->batches++;
    s->last = batch->last;
    for (i = 0; i < batch->metric_count; i++) { note(s, batch->metrics[i].name); }
    for (i = 0; i < batch->span_count; i++) { note(s, batch->spans[i].name); }
    for (i = 0; i < batch->log_count; i++) { note(s, batch->logs[i].body); }
    return s->answer;
}
static seen saw;
static const tel_sink* watch(void) {
    static tel_sink sink;
    memset(&saw, 0, sizeof saw);
    memset(&sink, 0, sizeof sink);
    sink.export_fn = look;
    sink.user_data = &saw;
    return &sink;
}
static const char* spans(const tel_span_filter* f) {
    CHECK_INT(tel_query_spans(f, watch()), TEL_OK);
    CHECK_INT(saw.batches, 1);
    return saw.names;
}
static const char* logs(const tel_log_filter* f) {
    CHECK_INT(tel_query_logs(f, watch()), TEL_OK);
    return saw.names;
}

static void begin(size_t recent, tel_sink* sink, bool no_thread) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.service_name = "self";
    d.sinks = sink;
    d.sink_count = sink ? 1 : 0;
    d.ignore_env = d.no_self_metrics = true;
    d.no_thread = no_thread;
    d.recent_bytes = recent;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
}

static tel_counter calls = TEL_INSTRUMENT("plugin.x.calls", NULL, NULL);
static tel_counter others = TEL_INSTRUMENT("plugin.y.calls", NULL, NULL);

static void test_metrics(void) {
    tel_memory memory = { NULL };
    tel_sink sink = tel_sink_memory(&memory);
    where = "metrics";
    begin(0, &sink, true);
    tel_counter_add(&calls, 1);
    tel_counter_add(&others, 1);
    CHECK_INT(tel_query_metrics("plugin.x.*", watch()), TEL_OK);
    CHECK_STR(saw.names, "plugin.x.calls ");
    CHECK(saw.last);
    CHECK_INT(tel_query_metrics(NULL, watch()), TEL_OK);
    CHECK_INT(saw.items, 2);
    CHECK_INT(tel_query_metrics("nothing", watch()), TEL_OK);
    CHECK(saw.last && saw.items == 0);
    CHECK_INT(tel_query_metrics("*", NULL), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_query_spans(NULL, watch()), TEL_ERR_STATE);   /* nothing is kept */
    watch();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    tel_memory_clear(&memory);
    CHECK_INT(tel_query_metrics("*", watch()), TEL_ERR_STATE);
    CHECK_INT(tel_query_logs(NULL, watch()), TEL_ERR_STATE);
}

static tel_span started(const char* name, uint64_t from, tel_attrs attrs, bool root) {
    tel_span_desc d;
    memset(&d, 0, sizeof d);
    d.name = name;
    d.start_unix_ns = from;
    d.attrs = attrs;
    d.root = root;
    return tel_span_start_ex(&d);
}

#define SECOND ((uint64_t)1000000000)

static void test_spans(void) {
    tel_memory memory = { NULL };
    tel_sink sink = tel_sink_memory(&memory);
    uint64_t t = 1700000000 * SECOND;
    tel_span_filter f;
    tel_attr want[2];
    tel_span a, b, c;
    where = "spans";
    begin(64 * 1024, &sink, true);
    a = started("load", t, TEL_ATTRS(tel_str("plugin_id", "x"), tel_int("n", 1)), true);
    tel_span_set(&a, tel_int("n", 2));
    tel_span_event(&a, "cached", TEL_ATTRS(tel_str("plugin_id", "y")));
    tel_span_end_at(&a, t + SECOND);
    b = started("store", t, TEL_ATTRS(tel_str("plugin_id", "y"), tel_bool("hot", true)), true);
    tel_span_status(&b, TEL_STATUS_ERROR, "full");
    tel_span_end_at(&b, t + 2 * SECOND);
    c = started("load.more", t, TEL_NOATTRS, true);
    tel_span_end_at(&c, t + 3 * SECOND);
    memset(&f, 0, sizeof f);
    CHECK_STR(spans(NULL), "load.more store load ");           /* no flush was needed; the newest first */
    CHECK_STR(spans(&f), "load.more store load ");
    f.limit = 2;
    CHECK_STR(spans(&f), "load.more store ");
    f.limit = 0;
    f.name = "load*";
    CHECK_STR(spans(&f), "load.more load ");
    f.name = "load";
    CHECK_STR(spans(&f), "load ");
    f.name = NULL;
    f.failed = true;
    CHECK_STR(spans(&f), "store ");
    f.failed = false;
    f.least_duration_ns = 2 * SECOND;
    CHECK_STR(spans(&f), "load.more store ");
    f.least_duration_ns = 0;
    f.since_unix_ns = t + 3 * SECOND;
    CHECK_STR(spans(&f), "load.more ");
    f.since_unix_ns = 0;
    f.trace_id = b.context.trace_id;
    CHECK_STR(spans(&f), "store ");
    f.trace_id = NULL;
    want[0] = tel_str("plugin_id", "y");
    f.attrs.items = want;
    f.attrs.count = 1;
    CHECK_STR(spans(&f), "store ");                             /* an event's attribute is not the span's */
    want[1] = tel_str("hot", "true");
    f.attrs.count = 2;
    CHECK_STR(spans(&f), "store ");
    want[0] = tel_int("n", 1);
    f.attrs.count = 1;
    CHECK_STR(spans(&f), "");                                   /* the last value counts */
    want[0] = tel_str("n", "2");
    CHECK_STR(spans(&f), "load ");
    f.attrs = TEL_NOATTRS;
    f.scope = "lib*";
    CHECK_STR(spans(&f), "");
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_STR(spans(NULL), "load.more store load ");           /* delivered or not */
    CHECK_INT(tel_query_stats().exported[1], 3);
    watch();
    saw.answer = TEL_ERR_FORMAT;
    {
        tel_sink picky;
        memset(&picky, 0, sizeof picky);
        picky.export_fn = look;
        picky.user_data = &saw;
        CHECK_INT(tel_query_spans(NULL, &picky), TEL_ERR_FORMAT);
    }
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    tel_memory_clear(&memory);
}

static void test_logs(void) {
    tel_sink sink;                                              /* it takes no logs: they are kept all the same */
    tel_log_filter f;
    tel_attr want = tel_int("code", 7);
    where = "logs";
    memset(&sink, 0, sizeof sink);
    sink.name = "metrics only";
    sink.export_fn = look;
    sink.user_data = &saw;
    sink.signal_mask = TEL_SIGNAL_METRICS;
    begin(4096, &sink, true);
    tel_log(TEL_INFO, "one", TEL_NOATTRS);
    tel_log(TEL_ERROR, "two", TEL_ATTRS(tel_int("code", 7)));
    TEL_SPAN(s, "work") { tel_log(TEL_DEBUG, "three", TEL_NOATTRS); }
    memset(&f, 0, sizeof f);
    CHECK_STR(logs(NULL), "three two one ");
    f.least = TEL_INFO;
    CHECK_STR(logs(&f), "two one ");
    f.attrs.items = &want;
    f.attrs.count = 1;
    CHECK_STR(logs(&f), "two ");
    f.attrs.count = 0;
    f.body = "?n?";
    CHECK_STR(logs(&f), "one ");
    CHECK_STR(spans(NULL), "work ");
    tel_logf(TEL_INFO, "order %d placed", 42);
    f.body = "order 42*";
    CHECK_STR(logs(&f), "order 42 placed ");
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* The store holds the newest, whatever their sizes, and no more than it may. */
static void test_bounded(void) {
    tel_memory memory = { NULL };
    tel_sink sink = tel_sink_memory(&memory);
    static char body[600];
    size_t i, kept;
    where = "bounded";
    memset(body, 'b', sizeof body - 1);
    begin(4096 + 24, &sink, true);
    for (i = 0; i < 1000; i++) {
        tel_log_desc d;
        memset(&d, 0, sizeof d);
        d.body_text.data = body;
        d.body_text.size = i * 37 % 600;
        d.unix_ns = i + 1;
        tel_log_ex(&d);
        if (i % 16 == 0) { CHECK_INT(tel_pump(1000), TEL_OK); }
        if (i % 50 == 0) {
            tel_log_filter f;
            memset(&f, 0, sizeof f);
            f.since_unix_ns = i + 1;
            CHECK_INT(tel_query_logs(&f, watch()), TEL_OK);
            CHECK_INT(saw.items, 1);
        }
    }
    CHECK_INT(tel_query_logs(NULL, watch()), TEL_OK);
    kept = saw.items;
    CHECK(kept >= 4 && kept <= 40);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    tel_memory_clear(&memory);
}

/* ---- while others record, and across a shutdown ---- */

static int go_on;
static void* record(void* arg) {
    (void)arg;
    while (__atomic_load_n(&go_on, __ATOMIC_RELAXED)) {
        TEL_SPAN(s, "busy") { tel_span_set(s, tel_str("plugin_id", "x")); }
        tel_counter_add(&calls, 1);
    }
    return NULL;
}
static void test_threads(void) {
    tel_memory memory = { NULL };
    tel_sink sink = tel_sink_memory(&memory);
    pthread_t threads[3];
    tel_sink_stats of;
    tel_stats s;
    tel_span_filter f;
    int i;
    where = "threads";
    begin(32 * 1024, &sink, false);
    go_on = 1;
    for (i = 0; i < 3; i++) { pthread_create(&threads[i], NULL, record, NULL); }
    memset(&f, 0, sizeof f);
    f.limit = 5;
    for (i = 0; i < 50 || saw.items == 0; i++) {
        CHECK_INT(tel_query_spans(&f, watch()), TEL_OK);
        CHECK(saw.items <= 5);
    }
    __atomic_store_n(&go_on, 0, __ATOMIC_RELAXED);
    for (i = 0; i < 3; i++) { pthread_join(threads[i], NULL); }
    tel_shutdown(20000);
    s = tel_query_stats();
    CHECK(tel_query_sink(0, &of));
    CHECK_INT(s.recorded[1], s.dropped[1] + of.delivered[1] + of.dropped_full[1] + of.dropped_failed[1]);
    tel_memory_clear(&memory);
}

static void test_fork(void) {
    tel_memory memory = { NULL };
    tel_sink sink = tel_sink_memory(&memory);
    pid_t pid;
    where = "fork";
    begin(4096, &sink, true);
    TEL_SPAN(s, "parent's") { (void)s; }
    CHECK_STR(spans(NULL), "parent's ");
    pid = fork();
    if (pid == 0) {
        int failed = check__failed;
        CHECK_STR(spans(NULL), "");                             /* the child begins with none */
        TEL_SPAN(s, "child's") { (void)s; }
        CHECK_STR(spans(NULL), "child's ");
        _exit(check__failed != failed);
    }
    CHECK_INT(child_exit(pid), 0);
    CHECK_STR(spans(NULL), "parent's ");
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    tel_memory_clear(&memory);
}

static void test_arguments(void) {
    tel_desc d;
    where = "arguments";
    memset(&d, 0, sizeof d);
    d.ignore_env = true;
    d.diag.report_fn = hear;
    d.recent_bytes = 40u << 20;
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    CHECK(heard("recent_bytes is more than half of memory_limit"));
}

static bool near_to(double a, double b) { return fabs(a - b) < 1e-9; }

static void test_quantile(void) {
    static const double bounds[] = { 1, 2, 4 };
    uint64_t buckets[4] = { 2, 0, 4, 2 };
    tel_point p;
    where = "quantile";
    memset(&p, 0, sizeof p);
    CHECK(isnan(tel_point_quantile(NULL, 0.5)));
    CHECK(isnan(tel_point_quantile(&p, 0.5)));
    p.bounds = bounds;
    p.buckets = buckets;
    p.bound_count = 3;
    CHECK(isnan(tel_point_quantile(&p, 0.5)));                  /* empty */
    p.count = 8;
    p.min = 0.5;
    p.max = 10;
    CHECK(near_to(tel_point_quantile(&p, 0), 0.5));
    CHECK(near_to(tel_point_quantile(&p, 0.125), 0.75));
    CHECK(near_to(tel_point_quantile(&p, 0.25), 1));
    CHECK(near_to(tel_point_quantile(&p, 0.5), 3));
    CHECK(near_to(tel_point_quantile(&p, 0.75), 4));
    CHECK(near_to(tel_point_quantile(&p, 0.875), 7));
    CHECK(near_to(tel_point_quantile(&p, 1), 10));
    CHECK(isnan(tel_point_quantile(&p, 1.5)) && isnan(tel_point_quantile(&p, -0.1)));
    CHECK(isnan(tel_point_quantile(&p, NAN)));
    p.min = 1;                                                  /* not known */
    p.max = 0;
    CHECK(near_to(tel_point_quantile(&p, 0), 0));
    CHECK(near_to(tel_point_quantile(&p, 1), 4));               /* as far as the bounds tell */
    p.min = 0;                                                  /* exponential, of scale 0: 2 zeros, 2 of (1, 2], 4 of (4, 8] */
    p.max = 8;
    p.bound_count = 0;
    p.zero_count = 2;
    p.bucket_count = 3;
    CHECK(near_to(tel_point_quantile(&p, 0.25), 0));
    CHECK(near_to(tel_point_quantile(&p, 0.375), 1.5));
    CHECK(near_to(tel_point_quantile(&p, 0.75), 6));
    p.offset = -3;
    p.max = 1;
    CHECK(near_to(tel_point_quantile(&p, 1), 1));
    p.bucket_count = p.zero_count = 0;                          /* one bucket */
    p.count = buckets[0];
    p.min = 3;
    p.max = 5;
    CHECK(near_to(tel_point_quantile(&p, 0.5), 4));
}

int main(void) {
    capture_watchdog(60);
    test_metrics();
    test_spans();
    test_logs();
    test_bounded();
    test_threads();
    test_fork();
    test_arguments();
    test_quantile();
    return check_done();
}
