/* Room test of >>pipeline: what seals a batch, what a sink is offered and how often, queues that are full, sinks that
   fail for a while or for good; then the delivery queue with a send_fn of our own: order, retries, losses, a blocked end. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../api/capture.h"

#define HOUR_MS 3600000u

/* ---- a sink that looks at the number of each log record ------------------------------------------------ */

typedef struct taker {
    uint64_t   calls, items, spans, most, wrong, points;
    int        fail_from, fail_count;       /* calls fail_from .. fail_from + fail_count - 1 fail; the first is 1 */
    tel_result fail_with;
    int64_t    next;                        /* the number expected next */
    bool       gaps;                        /* numbers may be missing */
    bool       records;                     /* tries what a sink must not do */
    tel_result flushed;
} taker;

static tel_result taker_export(const tel_batch* b, void* user_data) {
    taker* t = (taker*)user_data;
    size_t i, n = b->log_count + b->span_count;
    t->calls++;
    if (n > t->most) { t->most = n; }
    if ((b->log_count != 0) + (b->span_count != 0) + (b->metric_count != 0) != 1) { t->wrong++; }
    if (t->records) {
        tel_log(TEL_INFO, "inside", TEL_NOATTRS);
        t->flushed = tel_flush(1000);
        if (tel_pump(0) != TEL_ERR_STATE || tel_shutdown(0) != TEL_ERR_STATE) { t->wrong++; }
    }
    if ((int)t->calls >= t->fail_from && (int)t->calls < t->fail_from + t->fail_count) { return t->fail_with; }
    for (i = 0; i < b->metric_count; i++) { t->points += b->metrics[i].point_count; }
    for (i = 0; i < b->log_count; i++) {
        int64_t number = b->logs[i].attrs.count ? b->logs[i].attrs.items[0].as.i : -1;
        if (t->gaps ? number < t->next : number != t->next) { t->wrong++; }
        t->next = number + 1;
    }
    t->items += b->log_count;
    t->spans += b->span_count;
    return TEL_OK;
}
static tel_sink taker_sink(taker* t, const char* name) {
    tel_sink s;
    memset(t, 0, sizeof *t);
    memset(&s, 0, sizeof s);
    t->fail_with = TEL_ERR_IO;
    s.name = name;
    s.export_fn = taker_export;
    s.user_data = t;
    return s;
}

static counting heap = COUNTING;
static int64_t number;

static tel__pipeline* begin(const tel_sink* sinks, size_t count) {
    tel_desc d = test_desc(sinks, count);
    tel__pipeline* p;
    int i;
    d.no_thread = true;
    d.allocator = counting_allocator(&heap);
    number = 0;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_OK);
    if (!tel_get_instance()) { exit(check_done()); }
    p = &tel_get_instance()->pipeline;
    for (i = 0; i < 2; i++) { p->limits[i].delay_ms = HOUR_MS; }
    return p;
}
static void end(void) {
    CHECK_BOOKS();
    tel_shutdown(5000);
    CHECK_INT(counting_live(&heap), 0);
}
static void put(int n) {
    while (n--) { tel_log(TEL_INFO, "text", TEL_ATTRS(tel_int("n", number))); number++; }
}
static tel_sink_stats books(size_t index) {
    tel_sink_stats s;
    CHECK(tel_query_sink(index, &s));
    return s;
}

/* ---- sealing -------------------------------------------------------------------------------------------- */

static void test_count(void) {
    taker t;
    tel_sink sink = taker_sink(&t, "count");
    tel__pipeline* p = begin(&sink, 1);
    int i;
    where = "count";
    p->limits[0].batch = 7;
    p->limits[1].batch = 10;
    put(9);
    CHECK_INT(tel_pump(1000), TEL_OK);
    CHECK_INT(t.calls, 0);
    CHECK(p->open[1] && p->open[1]->count == 9);
    CHECK_INT(tel_query_stats().queued[2], 9);
    put(1);
    tel_pump(1000);
    CHECK(t.calls == 1 && t.items == 10 && !p->open[1]);
    put(34);
    CHECK_INT(tel_query_stats().queued[2], 34);         /* in the ring */
    tel_pump(1000);
    CHECK(t.calls == 4 && t.items == 40);
    for (i = 0; i < 15; i++) { TEL_SPAN(s, "span") { (void)s; } }
    tel_pump(1000);
    CHECK(t.calls == 6 && t.spans == 14 && t.items == 40);
    CHECK_BOOKS();
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(t.items == 44 && t.spans == 15 && t.calls == 8 && t.most == 10 && t.wrong == 0);
    CHECK_INT(tel_flush(5000), TEL_OK);                 /* nothing is offered twice, and nothing empty */
    CHECK_INT(t.calls, 8);
    CHECK(books(0).delivered[1] == 15 && books(0).delivered[2] == 44);
    end();
}

static void test_age(void) {
    taker t;
    tel_sink sink = taker_sink(&t, "age");
    tel__pipeline* p = begin(&sink, 1);
    where = "age";
    put(3);
    TEL_SPAN(s, "young") { (void)s; }
    tel_pump(1000);
    CHECK(t.calls == 0 && p->open[0] && p->open[1]);
    if (p->open[1]) { p->open[1]->since_mono -= (uint64_t)HOUR_MS * 1000000u; }     /* an hour goes by, for logs */
    put(2);
    tel_pump(1000);
    CHECK(t.calls == 1 && t.items == 5 && t.spans == 0 && !p->open[1] && p->open[0]);
    put(1);
    tel_pump(1000);                                     /* age counts anew for the next stage */
    CHECK(t.calls == 1 && p->open[1]);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(t.items == 6 && t.spans == 1 && t.wrong == 0);
    end();
}

static void test_bytes(void) {
    static char body[8001];
    taker t;
    tel_sink sink = taker_sink(&t, "bytes");
    tel__pipeline* p = begin(&sink, 1);
    uint64_t before;
    int i;
    where = "bytes";
    memset(body, 'b', sizeof body - 1);
    p->limits[1].batch = p->limits[1].queue = 100000;
    t.gaps = true;
    for (i = 0; i < 100; i++) { tel_log(TEL_INFO, body, TEL_ATTRS(tel_int("n", i))); if (i % 20 == 19) { tel_pump(1000); } }
    CHECK_INT(t.calls, 0);
    for (; i < 140; i++) { tel_log(TEL_INFO, body, TEL_ATTRS(tel_int("n", i))); }
    tel_pump(1000);
    CHECK_INT(t.calls, 1);                              /* a MiB seals, whatever the number of records */
    before = t.items;
    CHECK(before > 100 && before < 140);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(t.items == 140 && t.wrong == 0);
    end();
}

/* ---- offering ------------------------------------------------------------------------------------------- */

static void test_retry(void) {
    taker good, bad;
    tel_sink sinks[2];
    tel__pipeline* p;
    tel__pipeline_sink* k;
    uint64_t backoff = 0;
    int i;
    where = "retry";
    sinks[0] = taker_sink(&bad, "bad");
    sinks[1] = taker_sink(&good, "good");
    p = begin(sinks, 2);
    k = p->sinks[0];
    p->limits[1].batch = 10;
    bad.fail_from = 1;
    bad.fail_count = 1000;
    put(10);
    tel_pump(1000);
    CHECK(bad.calls == 1 && bad.items == 0 && good.calls == 1 && good.items == 10);
    CHECK(k->pending[2].retry_at != 0 && k->pending[2].give_up_at > k->pending[2].retry_at);
    CHECK_INT(books(0).queued[2], 10);
    CHECK_INT(books(1).queued[2], 0);
    k->pending[2].retry_at = UINT64_MAX;                           /* not yet */
    put(10);
    tel_pump(1000);
    CHECK(bad.calls == 1 && good.calls == 2 && good.items == 20);
    for (i = 0; i < 16; i++) {                          /* now, each time */
        k->pending[2].retry_at = 1;
        tel_pump(1000);
        CHECK(bad.calls == (uint64_t)i + 2 && k->pending[2].backoff_ns >= backoff && k->pending[2].backoff_ns <= (uint64_t)5000000000u);
        backoff = k->pending[2].backoff_ns;
    }
    CHECK_INT(backoff, 5000000000ll);
    CHECK_BOOKS();
    bad.fail_count = 0;
    k->pending[2].retry_at = 1;
    tel_pump(1000);
    CHECK(bad.items == 20 && bad.wrong == 0 && bad.calls == 19);    /* each stage once, in order */
    CHECK(k->pending[2].retry_at == 0 && k->pending[2].backoff_ns == 0 && k->pending[2].give_up_at == 0);
    CHECK(good.items == 20 && good.calls == 2 && good.wrong == 0);
    bad.fail_from = (int)bad.calls + 1;                 /* flush waits for the retries by itself */
    bad.fail_count = 3;
    bad.fail_with = TEL_ERR_TIMEOUT;
    put(5);
    CHECK_INT(tel_flush(60000), TEL_OK);
    CHECK(bad.items == 25 && bad.wrong == 0 && bad.calls == 23 && good.items == 25 && good.calls == 3);
    bad.fail_from = (int)bad.calls + 1;
    bad.fail_count = 1000;
    put(5);
    CHECK_INT(tel_flush(1), TEL_ERR_TIMEOUT);
    CHECK(bad.items == 25 && good.items == 30);
    CHECK_INT(books(0).queued[2], 5);
    bad.fail_count = 0;
    CHECK_INT(tel_flush(60000), TEL_OK);
    CHECK(bad.items == 30 && bad.wrong == 0);
    CHECK_INT(books(0).dropped_failed[2] + books(0).dropped_full[2], 0);
    end();
}

/* A sink that says "later" for longer than the time of a batch loses that batch. */
static void test_give_up(void) {
    taker t;
    tel_sink sink = taker_sink(&t, "late");
    tel__pipeline* p = begin(&sink, 1);
    where = "give_up";
    p->limits[1].batch = 10;
    t.fail_from = 1;
    t.fail_count = 1000;
    t.gaps = true;
    put(20);
    tel_pump(1000);
    CHECK_INT(t.calls, 1);
    p->sinks[0]->pending[2].retry_at = p->sinks[0]->pending[2].give_up_at = 1;
    tel_pump(1000);                                     /* the first is given up, the second has its own time */
    CHECK_INT(t.calls, 3);
    CHECK_INT(books(0).dropped_failed[2], 10);
    CHECK_INT(books(0).queued[2], 10);
    CHECK(heard("late") && heard("10 log records dropped"));
    t.fail_count = 0;
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(t.items == 10 && t.next == 20 && t.wrong == 0);
    end();
}

/* A sink that has no room is offered the batch for as long as it takes, and the rest waits. Metrics are not offered again. */
static void test_no_room(void) {
    taker t;
    tel_sink sink = taker_sink(&t, "no_room");
    tel__pipeline* p = begin(&sink, 1);
    tel__pipeline_queue* q = &p->sinks[0]->pending[2];
    static tel_counter hits = TEL_INSTRUMENT("pipeline.no_room", "1", NULL);
    int i;
    where = "no_room";
    p->limits[1].batch = 10;
    p->limits[1].queue = 20;
    t.fail_from = 1;
    t.fail_count = 1000;
    t.fail_with = TEL_ERR_LIMIT;
    put(50);
    for (i = 0; i < 10; i++) {
        q->retry_at = 1;
        tel_pump(1000);
        CHECK(q->give_up_at == 0 && q->backoff_ns <= TEL__PIPELINE_NO_ROOM_MOST && q->retry_at > 1);
    }
    q->full_since = 1;                                  /* alone it is never late */
    tel_pump(1000);
    CHECK(books(0).queued[2] == 20 && books(0).dropped_full[2] == 0 && tel_query_stats().queued[2] == 30);
    CHECK_BOOKS();
    tel_counter_add(&hits, 1);
    tel__atomic_store_u64(&p->next_collect, 0);
    tel_pump(1000);
    CHECK(books(0).dropped_full[0] == 1 && books(0).dropped_failed[0] == 0);
    CHECK_BOOKS();
    t.fail_count = 0;
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(t.items == 50 && t.next == 50 && t.wrong == 0);
    end();
}

/* Views are made once, for all sinks and all attempts, and so are times. */
typedef struct looker { const tel_log_view* logs; uint64_t unix_ns; int calls, differ; } looker;
static tel_result looker_export(const tel_batch* b, void* user_data) {
    looker* l = (looker*)user_data;
    if (!b->log_count) { return TEL_OK; }
    l->calls++;
    if (!l->logs) { l->logs = b->logs; l->unix_ns = b->logs[0].unix_ns; }
    l->differ += l->logs != b->logs || l->unix_ns != b->logs[0].unix_ns || b->logs[0].unix_ns != b->logs[0].observed_unix_ns;
    return l->calls < 3 ? TEL_ERR_IO : TEL_OK;
}
static void test_once(void) {
    looker a = { NULL, 0, 0, 0 }, b = { NULL, 0, 0, 0 };
    taker unused;
    tel_sink sinks[2];
    tel__pipeline* p;
    uint64_t before = tel__clock_unix_ns();
    int i;
    where = "once";
    sinks[0] = sinks[1] = taker_sink(&unused, "once");
    sinks[0].export_fn = sinks[1].export_fn = looker_export;
    sinks[0].user_data = &a;
    sinks[1].user_data = &b;
    p = begin(sinks, 2);
    p->limits[1].batch = 1;
    put(1);
    for (i = 0; i < 3; i++) {
        for (b.calls += i == 1; b.calls > 3; b.calls--) { }     /* the second one fails once less */
        p->sinks[0]->pending[2].retry_at = p->sinks[1]->pending[2].retry_at = 1;
        tel_pump(1000);
        tel_get_instance()->clock.first_mono = 0;
        tel_get_instance()->clock.anchor_unix += (uint64_t)3600 * 1000000000u;      /* the wall clock is set */
    }
    CHECK(a.calls == 3 && a.differ == 0 && b.differ == 0 && a.logs == b.logs);
    CHECK(a.unix_ns >= before && a.unix_ns <= before + (uint64_t)600 * 1000000000u);
    CHECK(books(0).delivered[2] == 1 && books(1).delivered[2] == 1);
    end();
}

/* The wall clock is set between a record and the round that takes it out of its ring: the record keeps the time it was made. */
static void test_set_between(void) {
    const uint64_t hour = (uint64_t)3600 * 1000000000u;
    looker a = { NULL, 0, 2, 0 };
    tel_sink sink;
    taker unused;
    tel__pipeline* p;
    uint64_t made;
    where = "set between";
    sink = taker_sink(&unused, "set");
    sink.export_fn = looker_export;
    sink.user_data = &a;
    p = begin(&sink, 1);
    p->limits[1].batch = 1;
    p->clock->anchor_unix -= hour;                      /* so it was an hour earlier, until the next round */
    made = tel__clock_unix_ns() - hour;
    put(1);
    tel_pump(1000);
    CHECK(a.unix_ns + 1000000u > made && a.unix_ns < made + hour / 2);
    a.logs = NULL;
    put(1);
    tel_pump(1000);
    CHECK(a.unix_ns > made + hour / 2);
    end();
}

/* ---- sinks with threads of their own ---- */

typedef struct gate { pthread_mutex_t mutex; pthread_cond_t cond; bool shut, inside; int logs, points, calls, flushes, last; uint64_t collection; } gate;
static void gate_init(gate* g, bool shut) {
    memset(g, 0, sizeof *g);
    pthread_mutex_init(&g->mutex, NULL);
    pthread_cond_init(&g->cond, NULL);
    g->shut = shut;
}
static void gate_open(gate* g) {
    pthread_mutex_lock(&g->mutex);
    g->shut = false;
    pthread_cond_broadcast(&g->cond);
    pthread_mutex_unlock(&g->mutex);
}
static tel_result gate_export(const tel_batch* b, void* user_data) {
    gate* g = (gate*)user_data;
    size_t i;
    pthread_mutex_lock(&g->mutex);
    CHECK(!g->inside);                                  /* never two at a time */
    g->inside = true;
    pthread_cond_broadcast(&g->cond);
    while (g->shut) { pthread_cond_wait(&g->cond, &g->mutex); }
    g->inside = false;
    g->calls++;
    g->logs += (int)b->log_count;
    for (i = 0; i < b->metric_count; i++) { g->points += (int)b->metrics[i].point_count; }
    if (b->metric_count) {
        CHECK(b->collection >= g->collection);
        g->collection = b->collection;
        g->last += b->last;
    }
    pthread_mutex_unlock(&g->mutex);
    return TEL_OK;
}
static tel_result gate_flush(uint32_t timeout_ms, void* user_data) {
    (void)timeout_ms;
    ((gate*)user_data)->flushes++;
    return TEL_OK;
}
static tel_sink gate_sink(gate* g, const char* name) {
    tel_sink s;
    memset(&s, 0, sizeof s);
    s.name = name;
    s.export_fn = gate_export;
    s.flush_fn = gate_flush;
    s.user_data = g;
    return s;
}

/* One sink hangs: the other one gets everything, collections too; flush and shutdown keep their time and say so. */
static void test_apart(void) {
    static tel_counter hits = TEL_INSTRUMENT("pipeline.apart", "1", NULL);
    static gate stuck, good;
    tel_sink sinks[2];
    tel_desc d;
    tel_stats s;
    uint64_t begun;
    int i;
    where = "apart";
    gate_init(&stuck, true);
    gate_init(&good, false);
    sinks[0] = gate_sink(&stuck, "stuck");
    sinks[1] = gate_sink(&good, "good");
    d = test_desc(sinks, 2);
    d.allocator = counting_allocator(&heap);
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_counter_add(&hits, 1);
    for (i = 0; i < 20000; i++) { tel_log(TEL_INFO, "text", TEL_NOATTRS); }
    begun = tel__clock_mono_ns();
    CHECK_INT(tel_flush(1000), TEL_ERR_TIMEOUT);
    CHECK(tel__clock_mono_ns() - begun < (uint64_t)6000 * 1000000u);
    while (books(1).delivered[2] < 20000) { usleep(1000); }             /* the watchdog ends it */
    CHECK(books(1).delivered[0] >= 1 && books(1).dropped_full[2] == 0);
    CHECK(books(0).delivered[2] == 0 && books(0).dropped_full[2] > 10000);
    CHECK_BOOKS();
    CHECK_INT(tel_flush(20), TEL_ERR_TIMEOUT);          /* the stuck one goes without this collection */
    for (i = 0; i < 5000 && books(1).delivered[0] < 2; i++) { tel_flush(20); }
    CHECK(books(1).delivered[0] >= 2);
    CHECK_INT(tel_shutdown(50), TEL_ERR_TIMEOUT);
    s = tel_query_stats();                              /* the final books close, although one is inside still */
    CHECK(s.queued[0] + s.queued[1] + s.queued[2] == 0 && s.recorded[2] == 20000);
    for (i = 0; i < 2; i++) {
        tel_sink_stats k;
        CHECK(tel_query_sink((size_t)i, &k));
        CHECK_INT(s.dropped[2] + k.delivered[2] + k.dropped_full[2] + k.dropped_failed[2], 20000);
        CHECK_INT(k.delivered[0] + k.dropped_full[0] + k.dropped_failed[0], s.recorded[0]);
        CHECK(k.queued[0] + k.queued[2] == 0);
    }
    gate_open(&stuck);
    CHECK_INT(counting_settled(&heap), 0);
    CHECK(good.logs == 20000 && good.last >= 2 && good.flushes == 0);
}

/* Without trouble every sink gets everything, and is flushed on its own thread. */
static void test_apart_well(void) {
    static gate gates[3];
    tel_sink sinks[3];
    tel_desc d;
    int i;
    where = "apart_well";
    for (i = 0; i < 3; i++) { gate_init(&gates[i], false); sinks[i] = gate_sink(&gates[i], "well"); }
    sinks[2].prompt = true;
    d = test_desc(sinks, 3);
    d.allocator = counting_allocator(&heap);
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 5000; i++) { tel_log(TEL_INFO, "text", TEL_NOATTRS); }
    CHECK_INT(tel_flush(60000), TEL_OK);
    for (i = 0; i < 3; i++) { CHECK(gates[i].logs == 5000 && gates[i].flushes == 1); }
    CHECK(tel_get_instance()->pipeline.sinks[0]->running && !tel_get_instance()->pipeline.sinks[2]->running);
    CHECK_INT(tel_shutdown(60000), TEL_OK);
    CHECK_INT(counting_live(&heap), 0);
}

static void test_for_good(void) {
    taker t, other;
    tel_sink sinks[2];
    tel__pipeline* p;
    where = "for_good";
    sinks[0] = taker_sink(&t, "refuses");
    sinks[1] = taker_sink(&other, "other");
    p = begin(sinks, 2);
    p->limits[1].batch = 10;
    t.fail_from = 2;
    t.fail_count = 1;
    t.fail_with = TEL_ERR_FORMAT;
    t.gaps = true;
    put(40);
    tel_pump(1000);
    CHECK(t.calls == 4 && t.items == 30 && t.wrong == 0 && other.items == 40 && other.wrong == 0);
    CHECK(books(0).dropped_failed[2] == 10 && books(0).delivered[2] == 30 && books(0).dropped_full[2] == 0);
    CHECK(books(1).dropped_failed[2] == 0 && books(1).delivered[2] == 40);
    CHECK(heard("refuses"));
    end();
}

static void test_full(void) {
    taker t, other;
    tel_sink sinks[2];
    tel__pipeline* p;
    where = "full";
    sinks[0] = taker_sink(&t, "stuck");
    sinks[1] = taker_sink(&other, "other");
    p = begin(sinks, 2);
    p->limits[1].batch = 10;
    p->limits[1].queue = 25;
    t.fail_from = 1;
    t.fail_count = 1000;
    put(40);
    tel_pump(1000);
    CHECK(books(0).queued[2] == 20 && books(0).dropped_full[2] == 0 && other.items == 20);  /* the others wait for it ... */
    CHECK_INT(tel_query_stats().queued[2], 20);
    CHECK_BOOKS();
    p->sinks[0]->pending[2].full_since = 1;              /* ... but not for ever: it is late */
    tel_pump(1000);
    CHECK(books(0).queued[2] == 20 && books(0).dropped_full[2] == 20 && p->sinks[0]->pending[2].late);
    CHECK(other.items == 40 && other.wrong == 0);
    CHECK_BOOKS();
    t.fail_count = 0;
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(t.items == 20 && t.next == 20 && t.wrong == 0);               /* the oldest two */
    CHECK(!p->sinks[0]->pending[2].late && p->sinks[0]->pending[2].full_since == 0);
    CHECK(heard("stuck"));
    CHECK(books(0).delivered[2] == 20 && books(0).dropped_full[2] == 20 && books(0).queued[2] == 0);
    p->limits[1].queue = 5;                             /* a batch larger than the limit has its chance */
    other.next = t.next = number;
    other.wrong = 0;
    put(10);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(t.items == 30 && t.wrong == 0);
    p->limits[1].batch = 1;                             /* as many batches as there are places */
    p->limits[1].queue = 1000000;
    t.fail_from = (int)t.calls + 1;
    t.fail_count = 1000;
    put(TEL__PIPELINE_PENDING + 44);
    tel_pump(1000);
    p->sinks[0]->pending[2].full_since = 1;
    tel_pump(1000);
    CHECK_INT(books(0).queued[2], TEL__PIPELINE_PENDING);
    CHECK_INT(books(0).dropped_full[2], 20 + 44);
    t.fail_count = 0;
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(t.items == 30 + TEL__PIPELINE_PENDING && t.wrong == 0);
    t.fail_from = (int)t.calls + 1;                     /* pending at the end: freed */
    t.fail_count = 1000;
    put(3);
    tel_pump(1000);
    CHECK_BOOKS();
    CHECK(tel_shutdown(1) != TEL_OK);
    CHECK_INT(counting_live(&heap), 0);
    CHECK(other.wrong <= 1);
}

static void test_signals(void) {
    taker spans, logs, metrics;
    tel_sink sinks[3];
    tel__pipeline* p;
    static tel_counter hits = TEL_INSTRUMENT("pipeline.hits", "1", NULL);
    where = "signals";
    sinks[0] = taker_sink(&spans, "spans");
    sinks[1] = taker_sink(&logs, "logs");
    sinks[2] = taker_sink(&metrics, "metrics");
    sinks[0].signal_mask = TEL_SIGNAL_SPANS;
    sinks[1].signal_mask = TEL_SIGNAL_LOGS;
    sinks[2].signal_mask = TEL_SIGNAL_METRICS;
    p = begin(sinks, 3);
    put(3);
    TEL_SPAN(s, "one") { (void)s; }
    tel_counter_add(&hits, 1);
    tel_pump(1000);
    CHECK(spans.calls == 0 && logs.calls == 0 && metrics.calls == 0);
    tel__atomic_store_u64(&p->next_collect, 0);                                /* the minute is over */
    tel_pump(1000);
    CHECK(metrics.calls == 1 && metrics.points == 1 && spans.calls == 0);
    tel_pump(1000);
    CHECK_INT(metrics.calls, 1);
    metrics.fail_from = 2;                              /* a collection that fails is not offered again: the next has it all */
    metrics.fail_count = 1;
    CHECK_INT(tel_flush(5000), TEL_ERR_IO);             /* and the flush says so */
    CHECK(metrics.calls == 2 && metrics.points == 1);
    CHECK(books(2).delivered[0] == 1 && books(2).dropped_failed[0] == 1);
    CHECK_INT(tel_query_stats().recorded[0], 2);
    CHECK(spans.calls == 1 && spans.spans == 1 && spans.items == 0);
    CHECK(logs.calls == 1 && logs.items == 3 && logs.spans == 0);
    CHECK(spans.wrong + logs.wrong + metrics.wrong == 0);
    tel_shutdown(5000);
    CHECK_INT(counting_live(&heap), 0);
}

static void test_inside(void) {
    taker t;
    tel_sink sink = taker_sink(&t, "inside");
    begin(&sink, 1);
    where = "inside";
    t.records = true;
    put(1);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(t.items == 1 && t.wrong == 0 && t.flushed == TEL_ERR_STATE);
    CHECK_INT(tel_query_stats().recorded[2], 1);        /* what the sink recorded is ignored */
    end();
}

/* When the export thread wakes next: never later than a second, and at what is due before. */
static void test_due(void) {
    taker t;
    tel_sink sink = taker_sink(&t, "due");
    tel__pipeline* p = begin(&sink, 1);
    uint64_t now = tel__clock_mono_ns(), due = tel__round_due(p);
    where = "due";
    CHECK(due >= now + TEL__PIPELINE_TICK && due <= tel__clock_mono_ns() + TEL__PIPELINE_TICK);
    tel__atomic_store_u64(&p->next_collect, now + 800000000u);
    CHECK_INT(tel__round_due(p) - now, 800000000);
    tel__atomic_store_u64(&p->next_collect, now);       /* another collection is in the way */
    CHECK(tel__round_due(p) >= now + 2000000u);
    tel__atomic_store_u64(&p->next_collect, UINT64_MAX);
    put(1);
    tel_pump(1000);
    CHECK(p->open[1] != NULL);
    p->limits[1].delay_ms = 10;
    if (p->open[1]) { CHECK(tel__round_due(p) <= p->open[1]->since_mono + 10000000u); }
    p->limits[1].delay_ms = HOUR_MS;
    p->sinks[0]->pending[1].retry_at = now + 77;
    CHECK_INT(tel__round_due(p) - now, 77);
    p->sinks[0]->pending[1].retry_at = 0;
    CHECK_INT(tel_flush(5000), TEL_OK);
    end();
}

/* With its own thread: full batches go out without anybody's call. */
static void test_thread(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    uint64_t logs = 0;
    where = "thread";
    d = capture_desc(&c, &sink);
    d.batch_interval_ms = 1;
    d.allocator = counting_allocator(&heap);
    CHECK_INT(tel_init(&d), TEL_OK);
    put(3);
    while (logs < 3) {                                  /* the watchdog ends it */
        usleep(1000);
        pthread_mutex_lock(&c.mutex);
        logs = c.logs;
        pthread_mutex_unlock(&c.mutex);
    }
    CHECK_INT(logs, 3);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(counting_live(&heap), 0);
}

/* ---- who is drained ------------------------------------------------------------------------------------- */

/* Batches far smaller than a ring: a flush offers everything all the same, and a pump does while it has time. */
static void test_small_batches(void) {
    taker t;
    tel_sink sink = taker_sink(&t, "small");
    tel__pipeline* p = begin(&sink, 1);
    where = "small_batches";
    p->limits[1].batch = 1;
    put(1500);
    CHECK_INT(tel_flush(TEL_FOREVER), TEL_OK);
    CHECK(t.items == 1500 && t.wrong == 0);
    put(1500);
    CHECK_INT(tel_flush(0), TEL_ERR_TIMEOUT);           /* no time, and it says so */
    CHECK(t.items < 3000);
    tel_pump(TEL_FOREVER);
    CHECK(t.items == 3000 && t.wrong == 0 && t.most == 1);
    end();
}

/* A thread that records as quickly as it is drained: with every batch that the sink takes, it makes as many again. */
typedef struct busy_thread { pthread_mutex_t mutex; pthread_cond_t cond; int want, quiet_one, items; bool stop; } busy_thread;
static void* busy_run(void* arg) {
    busy_thread* b = (busy_thread*)arg;
    pthread_mutex_lock(&b->mutex);
    while (!b->stop) {
        if (!b->want) { pthread_cond_wait(&b->cond, &b->mutex); continue; }
        for (; b->want; b->want--) { tel_log(TEL_INFO, "busy", TEL_NOATTRS); }
        pthread_cond_broadcast(&b->cond);
    }
    pthread_mutex_unlock(&b->mutex);
    return NULL;
}
static void busy_records(busy_thread* b, int n) {
    pthread_mutex_lock(&b->mutex);
    b->want = n;
    pthread_cond_broadcast(&b->cond);
    while (b->want) { pthread_cond_wait(&b->cond, &b->mutex); }
    pthread_mutex_unlock(&b->mutex);
}
static tel_result busy_export(const tel_batch* batch, void* user_data) {
    busy_thread* b = (busy_thread*)user_data;
    size_t i;
    for (i = 0; i < batch->log_count; i++) { b->quiet_one += memcmp(batch->logs[i].body.data, "quiet", 5) == 0; }
    b->items += (int)batch->log_count;
    if (batch->log_count && b->items < 20000) { busy_records(b, (int)batch->log_count); }
    return TEL_OK;
}
static void test_busy_thread(void) {
    busy_thread b = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, false };
    taker unused;
    tel_sink sink = taker_sink(&unused, "busy");
    pthread_t thread;
    where = "busy_thread";
    sink.user_data = &b;
    sink.export_fn = busy_export;
    begin(&sink, 1);
    tel_log(TEL_INFO, "quiet", TEL_NOATTRS);
    pthread_create(&thread, NULL, busy_run, &b);        /* its ring is the first of the list */
    busy_records(&b, 2000);
    CHECK_INT(tel_flush(TEL_FOREVER), TEL_OK);
    CHECK_INT(b.quiet_one, 1);
    CHECK(b.items < 20000);
    tel_pump(TEL_FOREVER);                              /* one that nobody waits for comes again at once, while there is much */
    CHECK(b.items >= 20000);
    pthread_mutex_lock(&b.mutex);
    b.stop = true;
    pthread_cond_broadcast(&b.cond);
    pthread_mutex_unlock(&b.mutex);
    pthread_join(thread, NULL);
    tel_get_instance()->pipeline.sinks[0]->sink.export_fn = taker_export;
    tel_get_instance()->pipeline.sinks[0]->sink.user_data = &unused;
    end();
}

/* A thread is stopped in the shared ring before it has stored how long its record is. A flush and a shutdown wait for what
   lies behind it as long as they have time, and do not say that it is delivered. */
static void* held_put(void* arg) {
    put((int)(intptr_t)arg);
    return NULL;
}
static void held_thread(int n) {
    pthread_t thread;
    pthread_create(&thread, NULL, held_put, (void*)(intptr_t)n);
    pthread_join(thread, NULL);
}
static void test_held(bool threads) {
    taker t;
    tel_sink sink = taker_sink(&t, "held");
    tel_desc d = test_desc(&sink, 1);
    tel__ring* shared;
    tel__ring_head* h;
    uint32_t head;
    where = threads ? "held, threads" : "held";
    d.no_thread = !threads;
    d.max_threads = 1;
    number = 0;
    CHECK_INT(tel_init(&d), TEL_OK);
    put(1);                                             /* has the only ring of its own */
    held_thread(1);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(t.items, 2);
    shared = &tel_get_instance()->registry.shared;
    CHECK(shared->size != 0);
    head = tel__atomic_add_u32(&shared->head, 64);
    put(1);
    held_thread(3);
    CHECK_INT(tel_flush(30), TEL_ERR_TIMEOUT);
    CHECK_INT(t.items, 3);
    CHECK_INT(tel_query_stats().queued[2], 3);
    h = (tel__ring_head*)(void*)tel__ring_word(shared, head);
    h->kind = TEL__RING_GAP;                            /* it goes on */
    tel__atomic_store_release_u32(tel__ring_word(shared, head), 64);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(t.items == 6 && t.wrong == 0);
    tel__atomic_add_u32(&shared->head, 64);
    held_thread(2);
    CHECK_INT(tel_shutdown(30), TEL_ERR_TIMEOUT);       /* and it never does */
    CHECK(t.items == 6 && tel_query_stats().dropped[2] == 2);
}

int main(void) {
    capture_watchdog(150);
    test_count();
    test_age();
    test_bytes();
    test_retry();
    test_give_up();
    test_no_room();
    test_once();
    test_set_between();
    test_apart();
    test_apart_well();
    test_for_good();
    test_full();
    test_signals();
    test_inside();
    test_due();
    test_thread();
    test_small_batches();
    test_busy_thread();
    test_held(false);
    test_held(true);
    return check_done();
}
