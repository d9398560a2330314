/* Room test of R15 >>pipeline: what seals a stage, what a sink is offered and how often, queues that are full, sinks that
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
    if (p->open[1]) { p->open[1]->first_mono -= (uint64_t)HOUR_MS * 1000000u; }     /* an hour goes by, for logs */
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
    for (i = 0; i < 120; i++) { tel_log(TEL_INFO, body, TEL_ATTRS(tel_int("n", i))); if (i % 20 == 19) { tel_pump(1000); } }
    CHECK_INT(t.calls, 0);
    for (; i < 140; i++) { tel_log(TEL_INFO, body, TEL_ATTRS(tel_int("n", i))); }
    tel_pump(1000);
    CHECK_INT(t.calls, 1);                              /* a MiB of records seals, whatever their number */
    before = t.items;
    CHECK(before >= 125 && before < 140);
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
    k = &p->sinks[0];
    p->limits[1].batch = 10;
    bad.fail_from = 1;
    bad.fail_count = 1000;
    put(10);
    tel_pump(1000);
    CHECK(bad.calls == 1 && bad.items == 0 && good.calls == 1 && good.items == 10);
    CHECK(k->retry_at[1] != 0 && k->give_up_at[1] > k->retry_at[1]);
    CHECK_INT(books(0).queued[2], 10);
    CHECK_INT(books(1).queued[2], 0);
    k->retry_at[1] = UINT64_MAX;                           /* not yet */
    put(10);
    tel_pump(1000);
    CHECK(bad.calls == 1 && good.calls == 2 && good.items == 20);
    for (i = 0; i < 16; i++) {                          /* now, each time */
        k->retry_at[1] = 1;
        tel_pump(1000);
        CHECK(bad.calls == (uint64_t)i + 2 && k->backoff_ns[1] >= backoff && k->backoff_ns[1] <= (uint64_t)5000000000u);
        backoff = k->backoff_ns[1];
    }
    CHECK_INT(backoff, 5000000000ll);
    CHECK_BOOKS();
    bad.fail_count = 0;
    k->retry_at[1] = 1;
    tel_pump(1000);
    CHECK(bad.items == 20 && bad.wrong == 0 && bad.calls == 19);    /* each stage once, in order */
    CHECK(k->retry_at[1] == 0 && k->backoff_ns[1] == 0 && k->give_up_at[1] == 0);
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
    p->sinks[0].retry_at[1] = p->sinks[0].give_up_at[1] = 1;
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
    CHECK(books(0).queued[2] == 20 && books(0).dropped_full[2] == 20);
    CHECK_BOOKS();
    t.fail_count = 0;
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(t.items == 20 && t.next == 20 && t.wrong == 0);               /* the oldest two */
    CHECK(heard("stuck"));
    CHECK(books(0).delivered[2] == 20 && books(0).dropped_full[2] == 20 && books(0).queued[2] == 0);
    p->limits[1].queue = 5;                             /* a stage larger than the limit has its chance */
    other.next = t.next = number;
    other.wrong = 0;
    put(10);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(t.items == 30 && t.wrong == 0);
    p->limits[1].batch = 1;                             /* as many stages as there are places */
    p->limits[1].queue = 1000000;
    t.fail_from = (int)t.calls + 1;
    t.fail_count = 1000;
    put(TEL__PIPELINE_PENDING + 44);
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
    sinks[0].signal_mask = TEL_SPANS;
    sinks[1].signal_mask = TEL_LOGS;
    sinks[2].signal_mask = TEL_METRICS;
    p = begin(sinks, 3);
    put(3);
    TEL_SPAN(s, "one") { (void)s; }
    tel_counter_add(&hits, 1);
    tel_pump(1000);
    CHECK(spans.calls == 0 && logs.calls == 0 && metrics.calls == 0);
    p->next_collect = 0;                                /* the minute is over */
    tel_pump(1000);
    CHECK(metrics.calls == 1 && metrics.points == 1 && spans.calls == 0);
    tel_pump(1000);
    CHECK_INT(metrics.calls, 1);
    metrics.fail_from = 2;                              /* a collection that fails is not offered again: the next has it all */
    metrics.fail_count = 1;
    CHECK_INT(tel_flush(5000), TEL_OK);
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

static void test_pause(void) {
    tel__pipeline p;
    uint64_t last;
    int i;
    where = "pause";
    memset(&p, 0, sizeof p);
    p.tick_ns = TEL__PIPELINE_TICK_MAX;
    tel__atomic_store_u32(&p.fill, 256);
    for (i = 0, last = p.tick_ns; i < 40; i++) {
        uint64_t now = tel__pipeline_pause(&p);
        CHECK(now <= last && now >= TEL__PIPELINE_TICK_MIN);
        last = now;
    }
    CHECK_INT(last, TEL__PIPELINE_TICK_MIN);
    tel__atomic_store_u32(&p.fill, 30);                 /* neither full nor empty: stays */
    CHECK_INT(tel__pipeline_pause(&p), TEL__PIPELINE_TICK_MIN);
    tel__atomic_store_u32(&p.fill, 0);
    for (i = 0; i < 40; i++) {
        uint64_t now = tel__pipeline_pause(&p);
        CHECK(now >= last && now <= TEL__PIPELINE_TICK_MAX);
        last = now;
    }
    CHECK_INT(last, TEL__PIPELINE_TICK_MAX);
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

/* ---- delivery ------------------------------------------------------------------------------------------- */

static tel__memory memory;
static tel__atomic_u32 freed;

typedef struct post {
    tel__pipeline_delivery d;               /* first */
    pthread_mutex_t mutex;
    pthread_cond_t  cond;
    bool       blocked;                     /* send_fn waits while this is so */
    uint32_t   entered, attempts, delivered, wrong;
    uint32_t   next;                        /* the payload expected next */
    uint32_t   fail_each;                   /* so many failures before each success */
    uint32_t   failures;
    tel__pipeline_sent failure, success;
    pthread_t  who;
} post;

static tel__pipeline_sent post_send(tel__pipeline_delivery* d, tel__pipeline_payload* payload, uint64_t deadline) {
    post* o = (post*)d;
    tel__pipeline_sent sent;
    uint32_t n;
    (void)deadline;
    pthread_mutex_lock(&o->mutex);
    o->entered++;
    pthread_cond_broadcast(&o->cond);
    while (o->blocked) { pthread_cond_wait(&o->cond, &o->mutex); }
    memcpy(&n, payload->data, sizeof n);
    o->attempts++;
    o->who = pthread_self();
    o->wrong += n != o->next;
    if (o->failures < o->fail_each) {
        o->failures++;
        sent = o->failure;
        if (sent.result != TEL_ERR_IO && sent.result != TEL_ERR_TIMEOUT) { o->failures = 0; o->next++; }
    } else {
        o->failures = 0;
        o->next++;
        o->delivered++;
        sent = o->success;
    }
    pthread_mutex_unlock(&o->mutex);
    return sent;
}
static void post_free(tel__pipeline_delivery* d) {
    post* o = (post*)d;
    tel__memory* m = d->memory;
    tel__pipeline_delivery_free(d);
    pthread_mutex_destroy(&o->mutex);
    pthread_cond_destroy(&o->cond);
    tel__memory_free(m, o, sizeof *o);
    tel__atomic_add_u32(&freed, 1);
}
static post* post_make(bool no_thread) {
    post* o = (post*)tel__memory_alloc(&memory, sizeof *o);
    int i;
    if (!o) { exit(check_done() | 1); }
    pthread_mutex_init(&o->mutex, NULL);
    pthread_cond_init(&o->cond, NULL);
    o->d.memory = &memory;
    o->d.max_bytes = 1000;
    o->d.no_thread = no_thread;
    o->d.send_fn = post_send;
    o->d.free_fn = post_free;
    for (i = 0; i < 3; i++) { o->d.timeout_ms[i] = 60000; }
    o->failure.result = TEL_ERR_IO;
    o->success.result = TEL_OK;
    o->success.retry_after_ms = UINT64_MAX;
    tel__pipeline_delivery_init(&o->d);
    tel__atomic_store_u32(&freed, 0);
    return o;
}
static void post_push(post* o, uint32_t n, int signal, uint64_t items) {
    tel__pipeline_payload* payload = (tel__pipeline_payload*)tel__memory_alloc(&memory, sizeof *payload);
    if (!payload) { FAIL("memory"); return; }
    payload->signal = signal;
    payload->items = items;
    payload->size = sizeof n;
    payload->capacity = 64;
    payload->data = (char*)tel__memory_alloc(&memory, payload->capacity);
    if (payload->data) { memcpy(payload->data, &n, sizeof n); }
    tel__pipeline_delivery_push(&o->d, payload);
}
static void post_block(post* o, bool blocked) {
    pthread_mutex_lock(&o->mutex);
    o->blocked = blocked;
    pthread_cond_broadcast(&o->cond);
    pthread_mutex_unlock(&o->mutex);
}
static void post_entered(post* o, uint32_t n) {
    pthread_mutex_lock(&o->mutex);
    while (o->entered < n) { pthread_cond_wait(&o->cond, &o->mutex); }
    pthread_mutex_unlock(&o->mutex);
}
static tel_sink_stats post_stats(post* o) {
    tel_sink_stats s;
    memset(&s, 0, sizeof s);
    tel__pipeline_delivery_stats(&s, &o->d);
    return s;
}
/* Closed, and its worker is back: within the 300 ms that close waits, or later, and then it frees all itself. */
static void post_end(post* o) {
    tel__pipeline_delivery_close(&o->d);
    while (tel__atomic_load_acquire_u32(&memory.pins)) { usleep(1000); }    /* the watchdog ends it */
    CHECK_INT(tel__atomic_load_u32(&freed), 1);
    CHECK_INT(tel__atomic_load_u32(&memory.pins), 0);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
}

/* Forty payloads, each refused once for now: all arrive, in order, and nothing is lost. */
static void test_order(void) {
    post* o = post_make(false);
    uint32_t i;
    where = "order";
    o->fail_each = 1;                                   /* retry_after_ms is 0: at once */
    for (i = 0; i < 40; i++) {
        post_push(o, i, (int)(i % 3), 1 + i);
    }
    CHECK_INT(tel__pipeline_delivery_flush(TEL_FOREVER, &o->d), TEL_OK);
    CHECK(o->delivered == 40 && o->attempts == 80 && o->wrong == 0);
    CHECK(!pthread_equal(o->who, pthread_self()));
    CHECK(post_stats(o).dropped_failed[0] + post_stats(o).dropped_failed[1] + post_stats(o).dropped_failed[2] == 0);
    CHECK(post_stats(o).queued[0] + post_stats(o).queued[1] + post_stats(o).queued[2] == 0);
    CHECK_INT(o->d.bytes, 0);
    post_end(o);
}

/* Without a thread push has sent when it returns, by the caller. */
static void test_no_thread(void) {
    post* o = post_make(true);
    where = "no_thread";
    o->fail_each = 1;
    o->failure.result = TEL_ERR_TIMEOUT;
    post_push(o, 0, 1, 5);
    CHECK(o->delivered == 1 && o->attempts == 2 && pthread_equal(o->who, pthread_self()));
    CHECK_INT(post_stats(o).queued[1], 0);
    CHECK_INT(post_stats(o).dropped_failed[1], 0);
    CHECK_INT(tel__pipeline_delivery_flush(0, &o->d), TEL_OK);
    CHECK(!o->d.worker && o->d.bytes == 0);
    post_end(o);
}

/* "Retry now", again and again: once it is believed, then the pauses are our own. */
static void test_now(void) {
    post* o = post_make(true);
    uint64_t since = tel__clock_mono_ns();
    where = "now";
    o->fail_each = 1000;
    post_push(o, 0, 1, 5);
    CHECK_INT(o->attempts, 2);
    CHECK(o->d.first && o->d.first->retry_at >= since + 1000000000u);
    CHECK_INT(post_stats(o).queued[1], 5);
    post_end(o);
}

static void test_losses(void) {
    post* o = post_make(true);
    where = "losses";
    o->success.rejected = 3;                            /* taken, but for three */
    post_push(o, 0, 2, 10);
    CHECK_INT(post_stats(o).dropped_failed[2], 3);
    o->success.rejected = 1000;                         /* no more than there were */
    post_push(o, 1, 2, 10);
    CHECK_INT(post_stats(o).dropped_failed[2], 13);
    o->success.rejected = 0;
    o->fail_each = 1;
    o->failure.result = TEL_ERR_FORMAT;                 /* final: one attempt */
    post_push(o, 2, 1, 7);
    CHECK(o->attempts == 3 && post_stats(o).dropped_failed[1] == 7);
    o->failure.result = TEL_ERR_IO;                     /* asked to wait beyond the deadline: no use */
    o->failure.retry_after_ms = 61000;
    post_push(o, 3, 0, 4);
    CHECK(o->attempts == 4 && post_stats(o).dropped_failed[0] == 4);
    o->failures = 0;
    o->next = 4;
    o->failure.retry_after_ms = UINT64_MAX - 1;         /* absurd */
    post_push(o, 4, 0, 4);
    CHECK(o->attempts == 5 && post_stats(o).dropped_failed[0] == 8);
    o->failures = 0;
    o->next = 5;
    o->failure.retry_after_ms = UINT64_MAX;             /* no hint, and the first pause is longer than the deadline is away */
    o->d.timeout_ms[0] = 100;
    post_push(o, 5, 0, 4);
    CHECK(o->attempts == 6 && post_stats(o).dropped_failed[0] == 12);
    o->failures = 0;
    o->next = 6;
    o->failure.retry_after_ms = UINT64_MAX - 1;         /* nor without a deadline: not for ever */
    o->d.timeout_ms[0] = 0;
    post_push(o, 6, 0, 4);
    CHECK(o->attempts == 7 && post_stats(o).dropped_failed[0] == 16);
    tel__pipeline_delivery_lose(&o->d, 1, 2);
    CHECK_INT(post_stats(o).dropped_failed[1], 9);
    CHECK(o->wrong == 0 && o->d.bytes == 0 && o->delivered == 2);
    CHECK(post_stats(o).queued[0] + post_stats(o).queued[1] + post_stats(o).queued[2] == 0);
    post_end(o);
}

static void test_flush(void) {
    post* o = post_make(false);
    uint32_t i;
    where = "flush";
    CHECK_INT(tel__pipeline_delivery_flush(TEL_FOREVER, &o->d), TEL_OK);    /* nothing to wait for */
    o->blocked = true;
    CHECK(tel__pipeline_delivery_room(&o->d));
    for (i = 0; i < 16; i++) { post_push(o, i, 1, 2); }
    CHECK(!tel__pipeline_delivery_room(&o->d));         /* 1024 bytes of 1000 */
    post_entered(o, 1);
    CHECK_INT(post_stats(o).queued[1], 32);             /* what is in flight as well */
    CHECK_INT(tel__pipeline_delivery_flush(20, &o->d), TEL_ERR_TIMEOUT);
    CHECK_INT(tel__pipeline_delivery_flush(0, &o->d), TEL_ERR_TIMEOUT);
    CHECK_INT(o->delivered, 0);
    post_block(o, false);
    CHECK_INT(tel__pipeline_delivery_flush(TEL_FOREVER, &o->d), TEL_OK);
    CHECK(o->delivered == 16 && o->wrong == 0 && tel__pipeline_delivery_room(&o->d));
    CHECK_INT(post_stats(o).queued[1], 0);
    post_end(o);
}

/* Closed while it waits to try again, for up to a minute: the wait is cut short. Closed with a queue: dropped, freed. */
static void test_close_waiting(void) {
    post* o = post_make(false);
    uint32_t i;
    where = "close_waiting";
    o->fail_each = 1000;
    o->failure.retry_after_ms = 50000;
    for (i = 0; i < 5; i++) { post_push(o, i, 1, 2); }
    post_entered(o, 1);
    CHECK_INT(tel__pipeline_delivery_flush(5, &o->d), TEL_ERR_TIMEOUT);
    post_end(o);
    o = post_make(false);                               /* never used */
    post_end(o);
}

/* send_fn does not come back: close does all the same, and whoever is last frees. */
static void test_close_blocked(void) {
    post* o = post_make(false);
    uint32_t i;
    where = "close_blocked";
    o->blocked = true;
    for (i = 0; i < 5; i++) { post_push(o, i, 1, 2); }
    post_entered(o, 1);
    tel__pipeline_delivery_close(&o->d);
    CHECK_INT(tel__atomic_load_u32(&freed), 0);
    CHECK_INT(tel__atomic_load_u32(&memory.pins), 1);
    CHECK(tel__atomic_load_u64(&memory.used) > 0);
    post_block(o, false);
    while (tel__atomic_load_acquire_u32(&memory.pins)) { usleep(1000); }    /* the watchdog ends it */
    CHECK_INT(tel__atomic_load_u32(&freed), 1);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
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
    CHECK(t.items > 1500 && t.items < 3000);
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
    tel_get_instance()->pipeline.sinks[0].sink.export_fn = taker_export;
    tel_get_instance()->pipeline.sinks[0].sink.user_data = &unused;
    end();
}

int main(void) {
    capture_watchdog(150);
    tel__memory_init(&memory, NULL, (uint64_t)1 << 24);
    test_count();
    test_age();
    test_bytes();
    test_retry();
    test_give_up();
    test_for_good();
    test_full();
    test_signals();
    test_inside();
    test_pause();
    test_thread();
    test_small_batches();
    test_busy_thread();
    test_order();
    test_no_thread();
    test_now();
    test_losses();
    test_flush();
    test_close_waiting();
    test_close_blocked();
    return check_done();
}
