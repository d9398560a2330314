/* Sinks that come, go and are switched while threads record: nothing is lost between two sinks, nothing goes to both, and the
   books hold across every switch. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "check.h"
#include "capture.h"

enum { THREADS = 8, ROUNDS = 60 };

static tel_counter hits = TEL_INSTRUMENT("hits", "{hit}", "Counted by every thread");
static uint32_t interval_ms = 20;
static tel__atomic_u32 stop_them;
static tel__atomic_u64 counted, made, taken;     /* taken: by all sinks together */

/* Eight threads that record until they are told to stop, and wait for the sinks while much is under way, so that nothing is
   dropped however slow the machine is. */
static void* record(void* arg) {
    uint64_t n = 0;
    (void)arg;
    while (!tel__atomic_load_u32(&stop_them)) {
        TEL_SPAN(span, "work") { tel_log(TEL_INFO, "in it", TEL_NOATTRS); }
        tel_counter_add(&hits, 1);
        n++;
        tel__atomic_add_u64(&made, 1);
        if (n % 4 == 0) { usleep(1000); }
        while (!tel__atomic_load_u32(&stop_them) && tel__atomic_load_u64(&made) > tel__atomic_load_u64(&taken) + 1024) {
            usleep(1000);
        }
    }
    tel__atomic_add_u64(&counted, n);
    return NULL;
}
static void threads_begin(pthread_t list[THREADS]) {
    int i;
    tel__atomic_store_u32(&stop_them, 0);
    tel__atomic_store_u64(&counted, 0);
    tel__atomic_store_u64(&made, 0);
    tel__atomic_store_u64(&taken, 0);
    for (i = 0; i < THREADS; i++) { CHECK_INT(pthread_create(&list[i], NULL, record, NULL), 0); }
}
static void threads_end(pthread_t list[THREADS]) {
    int i;
    tel__atomic_store_u32(&stop_them, 1);
    for (i = 0; i < THREADS; i++) { pthread_join(list[i], NULL); }
}

/* A sink that adds up what it gets, increments too. */
typedef struct taker {
    pthread_mutex_t mutex;
    uint64_t spans, logs, points, closed;
    double   hits;
    bool     holds, inside;
    tel_result says;
} taker;

static tel_result take(const tel_batch* batch, void* user_data) {
    taker* t = (taker*)user_data;
    size_t i, k;
    bool holds;
    tel_result says;
    pthread_mutex_lock(&t->mutex);
    t->inside = true;
    holds = t->holds;
    pthread_mutex_unlock(&t->mutex);
    while (holds) {
        usleep(1000);
        pthread_mutex_lock(&t->mutex);
        holds = t->holds;
        pthread_mutex_unlock(&t->mutex);
    }
    pthread_mutex_lock(&t->mutex);
    says = t->says;
    if (says == TEL_OK) {
        t->spans += batch->span_count;
        tel__atomic_add_u64(&taken, batch->span_count);
        t->logs += batch->log_count;
    }
    for (i = 0; says == TEL_OK && i < batch->metric_count; i++) {
        const tel_metric_view* m = &batch->metrics[i];
        t->points += m->point_count;
        for (k = 0; k < m->point_count; k++) {
            if (m->name.size == 4 && memcmp(m->name.data, "hits", 4) == 0) {
                t->hits = m->cumulative ? m->points[k].d : t->hits + m->points[k].d;
            }
        }
    }
    t->inside = false;
    pthread_mutex_unlock(&t->mutex);
    return says;
}
static void taker_closed(void* user_data) {
    taker* t = (taker*)user_data;
    pthread_mutex_lock(&t->mutex);
    t->closed++;
    pthread_mutex_unlock(&t->mutex);
}
static taker taker_read(taker* t) {
    taker copy;
    pthread_mutex_lock(&t->mutex);
    memcpy(&copy, t, sizeof copy);
    pthread_mutex_unlock(&t->mutex);
    return copy;
}
static void taker_hold(taker* t, bool holds) {
    pthread_mutex_lock(&t->mutex);
    t->holds = holds;
    pthread_mutex_unlock(&t->mutex);
}
static tel_sink taker_sink(taker* t, const char* name) {
    tel_sink s;
    memset(&s, 0, sizeof s);
    memset(t, 0, sizeof *t);
    pthread_mutex_init(&t->mutex, NULL);
    s.name = name;
    s.export_fn = take;
    s.close_fn = taker_closed;
    s.user_data = t;
    return s;
}
static void start(const tel_sink* sinks, size_t count, bool no_thread) {
    tel_desc d = test_desc(sinks, count);
    d.no_thread = no_thread;
    d.metric_interval_ms = interval_ms;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_OK);
}
static bool sink_named(const char* name, tel_sink_stats* out) {
    size_t i;
    for (i = 0; tel_query_sink(i, out); i++) {
        if (strcmp(out->name, name) == 0) { return true; }
    }
    return false;
}
/* At a quiet moment, for sinks that take everything. */
static void books(int line) {
    ledger b = ledger_read();
    uint64_t want, have;
    size_t i;
    int signal;
    for (i = 0; i < b.sinks; i++) {
        for (signal = 0; signal < 3; signal++) {
            have = ledger_sum(&b, i, signal, &want);
            check__int((long long)have, (long long)want, __FILE__, line, b.sink[i].name);
        }
    }
}
#define BOOKS() books(__LINE__)

/* ---- switching under load ---- */

static void test_use(bool prompt) {
    static taker a, b;
    tel_sink sinks[2];
    pthread_t list[THREADS];
    tel_stats all;
    taker ra, rb;
    uint64_t spans;
    int i;
    sinks[0] = taker_sink(&a, "a");
    sinks[1] = taker_sink(&b, "b");
    sinks[0].prompt = sinks[1].prompt = prompt;
    sinks[0].temporality = sinks[1].temporality = TEL_TEMPORALITY_DELTA;
    start(sinks, 2, false);
    CHECK_INT(tel_sink_use("a"), TEL_OK);
    threads_begin(list);
    for (i = 0; i < ROUNDS; i++) {
        usleep(2000);
        CHECK_INT(tel_sink_use(i % 2 ? "a" : "b"), TEL_OK);
        if (i % 16 == 0) { (void)tel_flush(5000); }
    }
    threads_end(list);
    CHECK_INT(tel_flush(20000), TEL_OK);
    all = tel_query_stats();
    ra = taker_read(&a);
    rb = taker_read(&b);
    spans = all.recorded[1] - all.dropped[1];
    CHECK(spans == tel__atomic_load_u64(&counted) && ra.spans > 0 && rb.spans > 0);
    CHECK_INT(ra.spans + rb.spans, spans);              /* each went to one of the two */
    CHECK_INT(ra.logs + rb.logs, spans);
    CHECK(ra.hits + rb.hits == (double)spans);          /* so did each increment */
    BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK(taker_read(&a).closed == 1 && taker_read(&b).closed == 1);
}

/* The sink that is switched off is owed increments, because it rests or is busy: the next one gets them, and no others. */
static void test_handover(bool busy) {
    static taker a, b;
    tel_sink sinks[2];
    int i;
    sinks[0] = taker_sink(&a, "a");
    sinks[1] = taker_sink(&b, "b");
    sinks[0].temporality = sinks[1].temporality = TEL_TEMPORALITY_DELTA;
    if (!busy) { sinks[0].metric_interval_ms = 3600000; }
    start(sinks, 2, false);
    CHECK_INT(tel_sink_use("a"), TEL_OK);
    tel_counter_add(&hits, 1);
    CHECK_INT(tel_flush(20000), TEL_OK);
    taker_hold(&a, busy);
    tel_counter_add(&hits, 2);
    for (i = 0; i < 20000 && busy && !taker_read(&a).inside; i++) { usleep(1000); }
    tel_counter_add(&hits, 4);
    usleep(200000);                     /* some collections without a */
    CHECK_INT(tel_sink_use("b"), TEL_OK);
    tel_counter_add(&hits, 8);
    taker_hold(&a, false);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK(taker_read(&a).hits == (busy ? 3 : 1));
    CHECK(taker_read(&b).hits == (busy ? 12 : 14));
    CHECK_INT(tel_sink_use("a"), TEL_OK);
    tel_counter_add(&hits, 16);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK(taker_read(&a).hits == (busy ? 19 : 17));
    BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

static void starve(counting* heap, bool on) {
    pthread_mutex_lock(&heap->mutex);
    heap->fail_on = true;
    heap->fail_at = on ? 1 : 0;
    pthread_mutex_unlock(&heap->mutex);
}
/* The same where there was no memory for the copy that a busy sink takes. */
static void test_starved(void) {
    static counting heap = COUNTING;
    static taker a, b;
    tel_sink sinks[2];
    tel_desc d;
    sinks[0] = taker_sink(&a, "a");
    sinks[1] = taker_sink(&b, "b");
    sinks[0].temporality = sinks[1].temporality = TEL_TEMPORALITY_DELTA;
    d = test_desc(sinks, 2);
    d.metric_interval_ms = 3600000;
    d.allocator = counting_allocator(&heap);
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK_INT(tel_sink_use("a"), TEL_OK);
    tel_counter_add(&hits, 1);
    CHECK_INT(tel_flush(20000), TEL_OK);
    tel_counter_add(&hits, 2);
    starve(&heap, true);
    CHECK(tel_flush(20000) != TEL_OK);
    starve(&heap, false);
    CHECK(taker_read(&a).hits == 1);
    CHECK_INT(tel_sink_use("b"), TEL_OK);
    tel_counter_add(&hits, 4);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK(taker_read(&a).hits == 1 && taker_read(&b).hits == 6);
    CHECK_INT(tel_sink_use("a"), TEL_OK);
    tel_counter_add(&hits, 8);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK(taker_read(&a).hits == 9 && taker_read(&b).hits == 6);
    BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(counting_live(&heap), 0);
}

/* While nobody takes spans they have a context and no record; a sink that is added gets those that start from then on. */
static void test_unwanted(void) {
    static taker metrics, spans;
    tel_sink sink = taker_sink(&metrics, "metrics"), more = taker_sink(&spans, "spans");
    tel_context c;
    sink.signal_mask = TEL_SIGNAL_METRICS;
    start(&sink, 1, false);
    TEL_SPAN(before, "before") {
        CHECK(!tel_span_recording(before));
        c = tel_current();
        CHECK(tel_context_valid(&c) && (c.flags & 1) != 0);
        TEL_SPAN(inner, "inner") {
            CHECK(memcmp(tel_current().trace_id, c.trace_id, sizeof c.trace_id) == 0);
            CHECK(!tel_span_recording(inner));
        }
    }
    CHECK_INT(tel_query_stats().recorded[1], 0);
    CHECK_INT(tel_sink_add(&more), TEL_OK);
    TEL_SPAN(after, "after") { CHECK(tel_span_recording(after)); }
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(tel_query_stats().recorded[1], 1);
    CHECK_INT(taker_read(&spans).spans, 1);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

static void test_off(void) {
    static taker a;
    tel_sink sink = taker_sink(&a, "a");
    tel_sink_stats s;
    start(&sink, 1, true);
    tel_log(TEL_INFO, "one", TEL_NOATTRS);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(tel_sink_enable("a", false), TEL_OK);
    CHECK(sink_named("a", &s) && s.state == TEL_SINK_DISABLED);
    tel_log(TEL_INFO, "two", TEL_NOATTRS);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(taker_read(&a).logs, 1);
    CHECK(sink_named("a", &s) && s.skipped[2] == 1 && s.delivered[2] == 1);
    CHECK_INT(tel_sink_enable("a", true), TEL_OK);
    tel_log(TEL_INFO, "three", TEL_NOATTRS);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(sink_named("a", &s) && s.state == TEL_SINK_READY && s.delivered[2] == 2);
    BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK(tel_query_sink(0, &s) && s.skipped[2] == 1 && s.delivered[2] == 2);
}

/* ---- adding and removing under load: more often than there are slots ---- */

static void test_add_remove(bool prompt) {
    static taker base, each;
    tel_sink sink = taker_sink(&base, "base"), more;
    pthread_t list[THREADS];
    tel_stats all;
    tel_sink_stats s;
    uint64_t spans = 0, logs = 0;
    int i;
    interval_ms = 60000;                /* a sink that is busy with one collection goes without the next, which counts as lost */
    start(&sink, 1, false);
    interval_ms = 20;
    threads_begin(list);
    for (i = 0; i < 40; i++) {
        char name[16];
        taker got;
        snprintf(name, sizeof name, "more%d", i);
        more = taker_sink(&each, name);
        more.prompt = prompt;
        CHECK_INT(tel_sink_add(&more), TEL_OK);
        CHECK(sink_named(name, &s));
        usleep(1000);
        if (i % 4 == 0) {
            tel_result r = tel_flush(20000);
            CHECK(r == TEL_OK || r == TEL_ERR_IO);      /* on a busy machine a full queue loses some, counted below */
        }
        CHECK_INT(tel_sink_remove(name, 20000), TEL_OK);
        got = taker_read(&each);
        CHECK_INT(got.closed, 1);
        CHECK(!sink_named(name, &s));
        spans += got.spans;
        logs += got.logs;
    }
    threads_end(list);
    CHECK_INT(tel_flush(20000), TEL_OK);
    all = tel_query_stats();
    CHECK(spans > 0);
    CHECK_INT(all.exported[1], taker_read(&base).spans + spans);    /* the books of those that went are in the totals */
    CHECK_INT(all.exported[2], taker_read(&base).logs + logs);
    CHECK(sink_named("base", &s) && s.dropped_failed[1] + s.dropped_failed[2] == 0);
    BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(tel_query_stats().exported[1], all.exported[1]);
    CHECK(tel_query_sink(0, &s) && !tel_query_sink(1, &s));
}

/* A sink that does not return is waited for in the background; what it held is lost and counted. */
static void test_stuck(void) {
    static taker base, stuck;
    tel_sink sink = taker_sink(&base, "base"), more = taker_sink(&stuck, "stuck");
    tel_sink_stats s;
    tel_stats all;
    int i;
    start(&sink, 1, false);
    CHECK_INT(tel_sink_add(&more), TEL_OK);
    taker_hold(&stuck, true);
    tel_log(TEL_INFO, "first", TEL_NOATTRS);
    for (i = 0; i < 20000 && !taker_read(&stuck).inside; i++) {
        (void)tel_flush(1);
        usleep(1000);
    }
    tel_log(TEL_INFO, "second", TEL_NOATTRS);
    (void)tel_flush(20);
    CHECK_INT(tel_sink_remove("stuck", 20), TEL_ERR_TIMEOUT);
    CHECK_INT(tel_sink_remove("stuck", 20), TEL_ERR_ARGUMENT);      /* it is leaving already */
    tel_log(TEL_INFO, "third", TEL_NOATTRS);
    CHECK_INT(taker_read(&stuck).closed, 0);
    taker_hold(&stuck, false);
    for (i = 0; i < 20000 && sink_named("stuck", &s); i++) { usleep(1000); }
    CHECK(!sink_named("stuck", &s));
    CHECK_INT(taker_read(&stuck).closed, 1);
    (void)tel_flush(20000);
    all = tel_query_stats();
    CHECK_INT(taker_read(&base).logs, 3);
    CHECK_INT(all.exported[2], 3 + taker_read(&stuck).logs);
    CHECK_INT(all.exported[2] + all.failed[2], 5);
    BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* ---- without threads ---- */

static tel_result send_nothing(const tel_http_request* request, tel_http_answer* answer, void* user_data) {
    (void)request;
    answer->status = *(int*)user_data;
    return *(int*)user_data ? TEL_OK : TEL_ERR_IO;
}

/* What has gone past a sink that comes late: of the signals that it takes, and nothing past one that pulls. */
static void test_skipped(void) {
    static taker base, late;
    tel_sink sink = taker_sink(&base, "base"), more = taker_sink(&late, "logs only"), pulls;
    tel_prometheus_desc page;
    tel_sink_stats s;
    int i, round;
    start(&sink, 1, true);
    memset(&page, 0, sizeof page);
    page.host = "127.0.0.1";
    page.port = TEL_ANY_PORT;
    pulls = tel_sink_prometheus(&page);
    pulls.name = "pulls";
    more.signal_mask = TEL_SIGNAL_LOGS;
    for (round = 0; round < 2; round++) {
        TEL_SPAN(span, "before") { tel_log(TEL_INFO, "before", TEL_NOATTRS); }
        CHECK_INT(tel_flush(5000), TEL_OK);
        if (round) { break; }
        CHECK_INT(tel_sink_add(&more), TEL_OK);
        CHECK_INT(tel_sink_add(&pulls), TEL_OK);
    }
    CHECK(tel_prometheus_print(NULL, 0) > 0);
    CHECK(sink_named("logs only", &s));
    CHECK(s.skipped[0] == 0 && s.skipped[1] == 0 && s.skipped[2] == 1 && s.delivered[2] == 1);
    CHECK(sink_named("pulls", &s));
    for (i = 0; i < 3; i++) {
        CHECK_INT(s.skipped[i] + s.delivered[i] + s.queued[i] + s.dropped_full[i] + s.dropped_failed[i], 0);
    }
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

static void test_pumped(void) {
    static taker base;
    tel_sink sink = taker_sink(&base, "base"), more;
    tel_otlp_desc o;
    tel_sink_stats s;
    int status = 200;
    start(&sink, 1, true);
    memset(&o, 0, sizeof o);
    o.endpoint = "http://h";
    o.post_fn = send_nothing;
    o.user_data = &status;
    more = tel_sink_otlp(&o);
    CHECK_INT(tel_sink_add(&more), TEL_OK);
    tel_log(TEL_INFO, "one", TEL_NOATTRS);
    CHECK_INT(tel_pump(1000), TEL_OK);
    CHECK_INT(tel_sink_remove("otlp_http_json", 5000), TEL_OK);
    CHECK_INT(tel_sink_add(&more), TEL_OK);             /* the same again, and now its receiver is down */
    status = 0;
    tel_log(TEL_INFO, "two", TEL_NOATTRS);
    (void)tel_flush(50);
    CHECK(sink_named("otlp_http_json", &s) && s.queued[2] == 2 && s.state == TEL_SINK_RETRYING);
    CHECK_INT(tel_sink_remove("otlp_http_json", 20), TEL_ERR_TIMEOUT);
    CHECK(!sink_named("otlp_http_json", &s));
    CHECK_INT(tel_query_stats().failed[2], 2);          /* what it held is lost, and counted */
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(taker_read(&base).logs, 2);
    BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* ---- wrong calls ---- */

static tel_result called_back(const tel_batch* batch, void* user_data) {
    tel_sink* more = (tel_sink*)user_data;
    (void)batch;
    CHECK_INT(tel_sink_add(more), TEL_ERR_STATE);
    CHECK_INT(tel_sink_remove("base", 10), TEL_ERR_STATE);
    CHECK_INT(tel_sink_use("base"), TEL_OK);
    return TEL_OK;
}
static tel_result open_not(tel_sink* self, tel_host* host) {
    (void)self;
    (void)host;
    return TEL_ERR_ARGUMENT;
}
static tel_result open_later(tel_sink* self, tel_host* host) {
    int* tries = (int*)(uintptr_t)self->user_data;
    (void)host;
    return (*tries)++ ? TEL_OK : TEL_ERR_IO;
}
static tel_result export_nothing(const tel_batch* batch, void* user_data) {
    (void)batch;
    (void)user_data;
    return TEL_OK;
}

static void test_wrong(void) {
    static taker base, t;
    tel_sink sink = taker_sink(&base, "base"), more = taker_sink(&t, "more"), asks, later;
    tel_sink_stats s;
    char name[16];
    int i, tries = 0;
    CHECK_INT(tel_sink_add(&more), TEL_ERR_STATE);
    CHECK_INT(tel_sink_remove("base", 0), TEL_ERR_STATE);
    CHECK_INT(tel_sink_enable("base", true), TEL_ERR_STATE);
    CHECK_INT(tel_sink_use("base"), TEL_ERR_STATE);
    start(&sink, 1, true);
    CHECK_INT(tel_sink_add(NULL), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_sink_use("nobody"), TEL_ERR_ARGUMENT);
    CHECK(heard("tel_sink_use(nobody)"));
    CHECK_INT(tel_sink_enable(NULL, false), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_sink_remove("nobody", 0), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_sink_add(&sink), TEL_ERR_ARGUMENT);
    CHECK(heard("there is a sink of that name"));
    more.open_fn = open_not;
    CHECK_INT(tel_sink_add(&more), TEL_ERR_ARGUMENT);
    CHECK(!sink_named("more", &s));
    more.open_fn = NULL;
    more.name = "increments";
    more.temporality = TEL_TEMPORALITY_DELTA;
    CHECK_INT(tel_sink_add(&more), TEL_OK);             /* when there are series already */
    CHECK_INT(tel_sink_remove("increments", 5000), TEL_OK);
    CHECK_INT(taker_read(&t).closed, 1);
    memset(&later, 0, sizeof later);
    later.name = "later";
    later.open_fn = open_later;
    later.export_fn = export_nothing;
    later.user_data = &tries;
    CHECK_INT(tel_sink_add(&later), TEL_ERR_IO);
    CHECK(sink_named("later", &s) && s.state == TEL_SINK_RETRYING);
    for (i = 0; i < 20000 && sink_named("later", &s) && s.state != TEL_SINK_READY; i++) {
        (void)tel_pump(1);
        usleep(1000);
    }
    CHECK(s.state == TEL_SINK_READY && tries == 2);
    asks = later;
    asks.name = "asks";
    asks.open_fn = NULL;
    asks.export_fn = called_back;
    asks.user_data = &more;
    CHECK_INT(tel_sink_add(&asks), TEL_OK);
    tel_log(TEL_INFO, "x", TEL_NOATTRS);
    CHECK_INT(tel_flush(5000), TEL_OK);
    more.temporality = TEL_TEMPORALITY_CUMULATIVE;
    for (i = 3; i < 16; i++) {
        snprintf(name, sizeof name, "n%d", i);
        more.name = name;
        CHECK_INT(tel_sink_add(&more), TEL_OK);
    }
    more.name = "one too many";
    CHECK_INT(tel_sink_add(&more), TEL_ERR_LIMIT);
    CHECK_INT(tel_sink_remove("n7", 1000), TEL_OK);
    CHECK_INT(tel_sink_add(&more), TEL_OK);
    CHECK_INT(tel_flush(5000), TEL_OK);
    BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(tel_sink_use("base"), TEL_ERR_STATE);
}

/* ---- with fork, and with a shutdown in the middle ---- */

static void test_fork(void) {
    static taker base, more_taker;
    tel_sink sink = taker_sink(&base, "base"), more = taker_sink(&more_taker, "more");
    pid_t pid;
    start(&sink, 1, false);
    CHECK_INT(tel_sink_add(&more), TEL_OK);
    CHECK_INT(tel_sink_remove("more", 5000), TEL_OK);
    CHECK_INT(tel_sink_add(&more), TEL_OK);
    CHECK_INT(tel_sink_enable("more", false), TEL_OK);
    pid = fork();
    if (pid == 0) {
        tel_sink_stats s;
        bool well = sink_named("more", &s) && s.state == TEL_SINK_DISABLED;
        well = tel_sink_use("more") == TEL_OK && well;
        tel_log(TEL_INFO, "in the child", TEL_NOATTRS);
        well = tel_flush(20000) == TEL_OK && well;
        well = taker_read(&more_taker).logs == 1 && taker_read(&base).logs == 0 && well;
        well = tel_sink_remove("more", 20000) == TEL_OK && well;
        well = tel_shutdown(5000) == TEL_OK && well;
        _exit(well ? 0 : 1);
    }
    CHECK_INT(child_exit(pid), 0);
    tel_log(TEL_INFO, "in the parent", TEL_NOATTRS);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(taker_read(&base).logs, 1);
    BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

static taker shared_takers[2];
static void* switcher(void* arg) {
    tel_sink more = taker_sink(&shared_takers[1], "more");
    int i;
    (void)arg;
    for (i = 0; i < 100000 && tel_enabled(); i++) {
        (void)tel_sink_add(&more);
        (void)tel_sink_use(i % 2 ? "base" : "more");
        (void)tel_sink_remove("more", i % 3 ? 1000 : 0);
    }
    return NULL;
}
static void test_shutdown(void) {
    tel_sink sink;
    pthread_t list[THREADS], one;
    tel_stats all;
    int i;
    for (i = 0; i < 5; i++) {
        sink = taker_sink(&shared_takers[0], "base");
        start(&sink, 1, false);
        threads_begin(list);
        CHECK_INT(pthread_create(&one, NULL, switcher, NULL), 0);
        usleep(10000);
        (void)tel_shutdown(10000);
        threads_end(list);
        pthread_join(one, NULL);
        all = tel_query_stats();
        CHECK(all.queued[1] == 0 && all.recorded[1] >= all.dropped[1]);
    }
}

/* Sinks that tell of room while they refuse are offered what waits after a pause as well, not in every turn, even if the room that
   one tells of is news for another, or for another signal. */
typedef struct refuser { tel_host* host; int calls, most; } refuser;
static tel_result open_refuser(tel_sink* self, tel_host* host) {
    ((refuser*)self->user_data)->host = host;
    return TEL_OK;
}
static tel_result refuse(const tel_batch* batch, void* user_data) {
    refuser* r = (refuser*)user_data;
    if (batch->metric_count) { return TEL_OK; }
    if (r->calls++ >= r->most) { return TEL_OK; }
    tel_host_room(r->host);
    return TEL_ERR_LIMIT;
}
static void test_refuser(void) {
    refuser r[2];
    tel_sink sinks[2];
    tel_sink_stats s;
    tel_span span;
    int turns, i;
    memset(r, 0, sizeof r);
    memset(sinks, 0, sizeof sinks);
    for (i = 0; i < 2; i++) {
        r[i].most = 1 << 30;
        sinks[i].name = i ? "other" : "refuser";
        sinks[i].open_fn = open_refuser;
        sinks[i].export_fn = refuse;
        sinks[i].user_data = &r[i];
    }
    start(sinks, 2, true);
    tel_log(TEL_INFO, "x", TEL_NOATTRS);
    span = tel_span_start("x");
    tel_span_end(&span);
    tel_flush(0);
    for (turns = 0; turns < 4000; turns++) { (void)tel_pump(0); }
    for (i = 0; i < 2; i++) {
        CHECK(r[i].calls >= 4 && r[i].calls < turns);
        r[i].most = r[i].calls + 2;
    }
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK(sink_named("refuser", &s) && s.delivered[1] == 1 && s.delivered[2] == 1);
    CHECK_INT(tel_shutdown(1000), TEL_OK);
}

int main(void) {
    capture_watchdog(200);
    test_refuser();
    test_use(false);
    test_use(true);
    test_handover(false);
    test_handover(true);
    test_starved();
    test_unwanted();
    test_off();
    test_add_remove(false);
    test_add_remove(true);
    test_stuck();
    test_skipped();
    test_pumped();
    test_wrong();
    if (CHILD_THREADS) { test_fork(); }     /* neither TSan nor an emulator follows a child that starts threads */
    test_shutdown();
    return check_done();
}
