/* Out of memory at every allocation: the n-th one fails, for n = 1, 2, 3 ... until a run needs fewer; then the same with
   everything from the n-th on. Never a crash, a leak, a wrong result code, or books that do not add up. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"

static counting memory = COUNTING;
static const tel_scope scope = { "oom.scope", "1", NULL, { NULL, 0 } };
static const tel_metric_options scoped = { &scope, NULL, 0, false, false, 0, 0 };
static const tel_metric_options real_options = { NULL, NULL, 0, false, true, 0, 0 };
static tel_counter   counter = TEL_INSTRUMENT_OPT("oom.counter", "1", "Counts", &scoped);
static tel_counter   real = TEL_INSTRUMENT_OPT("oom.real", "1", "Counts doubles", &real_options);
static tel_updown    updown = TEL_INSTRUMENT("oom.updown", "1", NULL);
static tel_gauge     gauge = TEL_INSTRUMENT("oom.gauge", "1", NULL);
static tel_histogram histogram = TEL_INSTRUMENT("oom.histogram", "s", NULL);
static long steady;                     /* of a run in which nothing fails: allocations */
static long needed;                     /* of the last run, until memory was back */

static void observer(tel_observation* o, void* user_data) {
    (void)user_data;
    tel_observe(o, 1, TEL_ATTRS(tel_str("queue", "a")));
    tel_observe(o, 2, TEL_ATTRS(tel_str("queue", "b")));
}
static bool swallow(const void* data, size_t size, void* user_data) {
    (void)data;
    *(size_t*)user_data += size;
    return true;
}
static tel_result post(const tel_http_request* request, tel_http_answer* answer, void* user_data) {
    (void)request; (void)user_data;
    answer->status = 200;
    return TEL_OK;
}

static void record(int i) {
    tel_counter* bound = tel_counter_bind(&counter, TEL_ATTRS(tel_int("bound", 1)));
    tel_observer_desc o;
    tel_observer* observed;
    tel_span_desc d;
    tel_log_desc l;
    tel_span s;
    tel_context parent;
    char long_text[2000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    tel_counter_add(&counter, 1);
    tel_counter_add(bound, 1);
    tel_counter_addf(&real, 0.5);
    tel_counter_add_with(&counter, 1, TEL_ATTRS(tel_int("i", i), tel_str("s", "text")));
    tel_updown_add(&updown, -1);
    tel_gauge_set(&gauge, 3);
    tel_gauge_set_with(&gauge, 3, TEL_ATTRS(tel_bool("b", true)));
    tel_histogram_record(&histogram, 0.3);
    tel_histogram_record_with(&histogram, 0.3, TEL_ATTRS(tel_double("d", 0.5)));
    memset(&o, 0, sizeof o);
    o.name = "oom.observed";
    o.observe_fn = observer;
    observed = tel_observer_new(&o);
    memset(&d, 0, sizeof d);
    d.name = "explicit";
    d.scope = &scope;
    s = tel_span_start_ex(&d);
    parent = s.context;
    tel_span_set(&s, tel_str("long", long_text));
    tel_span_event(&s, "event", TEL_ATTRS(tel_int("n", 1)));
    tel_span_link(&s, &parent, TEL_ATTRS(tel_int("n", 1)));
    tel_span_status(&s, TEL_STATUS_ERROR, long_text);
    tel_span_rename(&s, "renamed");
    tel_span_end(&s);
    TEL_SPAN(scoped_span, "scoped") { tel_logf(TEL_WARN, "%s %d", long_text, i); }
    memset(&l, 0, sizeof l);
    l.body = "ex";
    l.scope = &scope;
    l.context = &parent;
    tel_log_ex(&l);
    tel_observer_end(observed);
}

/* What one record() adds to each instrument, all its series together. */
typedef struct sums { double counter, real, updown, histogram; uint64_t gauges; } sums;
static tel_result add_up(const tel_batch* batch, void* user_data) {
    sums* s = (sums*)user_data;
    size_t i, j;
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* m = &batch->metrics[i];
        for (j = 0; j < m->point_count; j++) {
            const tel_point* p = &m->points[j];
            if (strcmp(m->name.data, "oom.counter") == 0) { s->counter += (double)p->i; }
            if (strcmp(m->name.data, "oom.real") == 0) { s->real += p->d; }
            if (strcmp(m->name.data, "oom.updown") == 0) { s->updown += (double)p->i; }
            if (strcmp(m->name.data, "oom.histogram") == 0) { s->histogram += (double)p->count; }
            if (strcmp(m->name.data, "oom.gauge") == 0) { s->gauges++; }
        }
    }
    return TEL_OK;
}
static sums collect(void) {
    sums s;
    tel_sink pull;
    memset(&s, 0, sizeof s);
    memset(&pull, 0, sizeof pull);
    pull.export_fn = add_up;
    pull.user_data = &s;
    CHECK_INT(tel_collect(&pull), TEL_OK);
    return s;
}
/* Memory is back: whatever failed before, everything counts again and arrives. The first record may be the one that finds out. */
static void check_recovered(capture* c) {
    sums before, after;
    uint64_t spans, logs;
    record(4);
    CHECK_INT(tel_flush(2000), TEL_OK);
    before = collect();
    spans = c->spans;
    logs = c->logs;
    record(4);
    CHECK_INT(tel_flush(2000), TEL_OK);
    after = collect();
    CHECK(after.counter - before.counter == 3);
    CHECK(after.real - before.real == 0.5);
    CHECK(after.updown - before.updown == -1);
    CHECK(after.histogram - before.histogram == 2);
    CHECK(after.gauges > 0);
    CHECK_INT(c->spans - spans, 2);
    CHECK_INT(c->logs - logs, 2);
}

static void* other_thread(void* arg) {
    record(*(int*)arg);
    return NULL;
}

/* One whole life. Returns the result of tel_init. */
static tel_result run(long fail_at, bool fail_on, bool with_thread) {
    size_t bytes = 0;
    tel_writer writer;
    tel_otlp_desc otlp;
    tel_prometheus_desc prometheus;
    tel_sink sinks[5];
    tel_desc d;
    tel_result r;
    capture c;
    char text[256];
    memory.calls = needed = 0;
    memory.fail_on = fail_on;
    capture_init(&c);
    writer.write_fn = swallow;
    writer.user_data = &bytes;
    memset(&otlp, 0, sizeof otlp);
    otlp.post_fn = post;
    otlp.headers = "authorization=secret,x=y";
    sinks[0] = capture_sink(&c);
    sinks[1] = tel_sink_otlp(&otlp);
    sinks[2] = tel_sink_jsonl(&writer);
    sinks[3] = tel_sink_console(&writer);
    sinks[4] = scrape_sink(&prometheus, TEL_ANY_PORT);
    d = test_desc(sinks, 5);
    d.resource = TEL_ATTRS(tel_str("deployment.environment", "test"));
    d.allocator = counting_allocator(&memory);
    d.no_thread = true;                 /* so that the order of allocations repeats */
    d.no_self_metrics = false;
    d.ring_bytes = 65536;
    d.max_live_spans = 64;
    memory.fail_at = fail_at;
    hear_reset();
    r = tel_init(&d);
    if (r == TEL_OK) {
        record(1);
        if (with_thread) {
            pthread_t t;
            int two = 2;
            pthread_create(&t, NULL, other_thread, &two);
            pthread_join(t, NULL);
        }
        tel_flush(2000);
        CHECK_BOOKS();
        record(3);
        tel_prometheus_print(text, sizeof text);
        tel_prometheus_render(writer);
        tel_collect(&sinks[0]);
        tel_pump(1000);
        CHECK_BOOKS();
        needed = memory.calls;
        memory.fail_at = 0;
        check_recovered(&c);
        CHECK_BOOKS();
        tel_shutdown(2000);
        CHECK_INT(c.closed, 1);
    } else {
        needed = memory.calls;
        CHECK(r == TEL_ERR_MEMORY);
        CHECK_INT(said_errors, 1);          /* whichever it was */
        CHECK(!tel_enabled());
        record(1);
    }
    CHECK_INT(c.opened, c.closed);
    memory.fail_at = 0;
    CHECK_INT(counting_live(&memory), 0);
    if (!fail_at) { CHECK(c.spans >= 4 && c.logs >= 4 && bytes > 1000); }
    return r;
}

static void sweep(bool fail_on, bool with_thread) {
    long n;
    int failed_init = 0, survived = 0;
    where = "steady";
    CHECK_INT(run(0, false, with_thread), TEL_OK);
    steady = needed;
    CHECK(steady > 40);
    where = fail_on ? "sweep, from the n-th on" : "sweep, the n-th";
    for (n = 1; n < 5000; n++) {
        tel_result r = run(n, fail_on, with_thread);
        if (r == TEL_OK) { survived++; } else { failed_init++; }
        if (needed < n) { break; }
        if (check__failed) { fprintf(stderr, "     at allocation %ld%s\n", n, fail_on ? " and later" : ""); return; }
    }
    CHECK(n < 5000);
    CHECK(failed_init > 10);
    CHECK(survived > 20);
    CHECK(n > steady / 2);
}

/* The name of an instrument for which there is no memory is its owner's, who may take it back. */
static void observe_nothing(tel_observation* o, void* user_data) { (void)o; (void)user_data; }
static void test_name(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    tel_observer_desc o;
    char name[] = "owned.by.us", other[24];
    tel_counter ours = TEL_INSTRUMENT(name, NULL, NULL);
    tel_result r = TEL_OK;
    int i;
    where = "name";
    d = capture_desc(&c, &sink);
    d.memory_limit = 400 * 1024;
    d.max_live_spans = 16;
    d.ring_bytes = 4096;
    d.no_thread = true;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "this thread is known", TEL_NOATTRS);
    memset(&o, 0, sizeof o);
    o.name = other;
    o.observe_fn = observe_nothing;
    for (i = 0; i < 100000 && r == TEL_OK; i++) {
        snprintf(other, sizeof other, "filler.%d", i);
        r = tel_observer_new(&o) ? TEL_OK : TEL_ERR_MEMORY;
    }
    CHECK_INT(r, TEL_ERR_MEMORY);
    tel_counter_add(&ours, 1);
    memset(name, '?', sizeof name - 1);
    tel_pump(1000);
    CHECK(heard("memory_limit"));
    CHECK(!heard("???"));
    tel_shutdown(1000);
}

/* An allocator that records, whatever the SDK holds when it calls: ignored, and nothing hangs. */
static tel_counter allocations = TEL_INSTRUMENT("oom.allocations", "1", "Ignored");
static void record_allocation(void) {
    tel_counter_add(&allocations, 1);
    tel_counter_add_with(&allocations, 1, TEL_ATTRS(tel_int("k", 1)));
    TEL_SPAN(s, "allocation") { tel_log(TEL_INFO, "allocation", TEL_NOATTRS); }
}
static void* recording_alloc(size_t size, void* user_data) {
    record_allocation();
    return counting_alloc(size, user_data);
}
static void recording_free(void* p, void* user_data) {
    record_allocation();
    counting_free(p, user_data);
}
static void test_recording_allocator(void) {
    static counting heap = COUNTING;
    capture c;
    tel_sink sink;
    tel_desc d;
    pthread_t t;
    int two = 2;
    where = "recording_allocator";
    d = capture_desc(&c, &sink);
    d.allocator = counting_allocator(&heap);
    d.allocator.alloc_fn = recording_alloc;
    d.allocator.free_fn = recording_free;
    CHECK_INT(tel_init(&d), TEL_OK);
    record(1);
    pthread_create(&t, NULL, other_thread, &two);
    pthread_join(t, NULL);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_BOOKS();
    CHECK_INT(tel_query_stats().recorded[2], c.logs);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(c.logs, c.spans);
    CHECK_INT(counting_live(&heap), 0);
}

/* The first page guesses its room. Where that is more than there is, it does with what it needs: 600 KiB are for the views of
   the collection and the series, 64 for this page, and the guess would take 512. */
static void test_page(void) {
    tel_writer writer;
    size_t used = 0, size = 0;
    int i, round;
    where = "page";
    memset(&writer, 0, sizeof writer);
    writer.write_fn = swallow;
    writer.user_data = &size;
    for (round = 0; round < 2; round++) {
        tel_desc d;
        memset(&d, 0, sizeof d);
        d.no_thread = d.no_self_metrics = d.ignore_env = true;
        d.ring_bytes = 4096;
        d.max_live_spans = 64;
        d.max_series = 10000;
        d.memory_limit = round ? used + 900 * 1024 : 0;
        d.diag.report_fn = hear;
        CHECK_INT(tel_init(&d), TEL_OK);
        for (i = 0; i < 3000; i++) { tel_counter_add_with(&real, 1, TEL_ATTRS(tel_int("i", i))); }
        used = (size_t)tel_query_stats().bytes_allocated;
        CHECK_INT(tel_prometheus_render(writer), TEL_OK);
        CHECK(size > 3000u * 20);
        size = 0;
        tel_shutdown(0);
    }
}

int main(void) {
    capture_watchdog(120);
    sweep(false, true);
    sweep(true, true);
    test_name();
    test_recording_allocator();
    test_page();
    return check_done();
}
