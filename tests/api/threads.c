/* Threads: twenty thousand short ones leave nothing behind but their counts; many that share one ring keep their records whole; and
   some that record while others start and stop the SDK. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"

/* The same tests with fewer rounds: a sanitizer is ten times slower. */
#define SLOW          (UNDER_TSAN || UNDER_ASAN)
#define SHORT_THREADS (SLOW ? 4000u : 20000u)
#define EACH          (SLOW ? 400u : 2000u)
#if defined(TEL_FORCE_LOCKED_ATOMICS)
#define CYCLES        20        /* each takes long: threads that record without a pause hold the locks nearly always */
#else
#define CYCLES        (SLOW ? 40 : 100)
#endif
#define BATCH 50u

static tel_counter hits = TEL_INSTRUMENT("threads.hits", "{hit}", NULL);
static tel_counter keyed = TEL_INSTRUMENT("threads.keyed", NULL, NULL);
static tel_histogram sizes = TEL_INSTRUMENT("threads.sizes", "By", NULL);

/* ---- what tel_collect tells ---- */

typedef struct totals { int64_t hits, keyed; uint64_t count; double sum; } totals;

static tel_result add_up(const tel_batch* batch, void* user_data) {
    totals* t = (totals*)user_data;
    size_t i, j;
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* m = &batch->metrics[i];
        for (j = 0; j < m->point_count; j++) {
            if (strcmp(m->name.data, "threads.hits") == 0) { t->hits += m->points[j].i; }
            if (strcmp(m->name.data, "threads.keyed") == 0) { t->keyed += m->points[j].i; }
            if (strcmp(m->name.data, "threads.sizes") == 0) { t->count += m->points[j].count; t->sum += m->points[j].d; }
        }
    }
    return TEL_OK;
}
static totals collect(void) {
    totals t;
    tel_sink pull;
    memset(&t, 0, sizeof t);
    memset(&pull, 0, sizeof pull);
    pull.export_fn = add_up;
    pull.user_data = &t;
    CHECK_INT(tel_collect(&pull), TEL_OK);
    return t;
}

/* ---- short threads ---- */

static void* short_lived(void* arg) {
    int64_t n = (int64_t)*(unsigned*)arg;
    tel_counter_add(&hits, 1);
    tel_counter_add_with(&keyed, 2, TEL_ATTRS(tel_int("k", n % 10)));
    tel_histogram_record(&sizes, (double)n);
    tel_logf(TEL_INFO, "thread %u", (unsigned)n);
    return NULL;
}

static void test_short_threads(void) {
    static capture c;
    static counting memory = COUNTING;
    tel_sink sink;
    tel_desc d;
    tel_sink_stats k;
    tel_stats s;
    totals t;
    unsigned i, j, number[BATCH];
    pthread_t thread[BATCH];
    uint64_t early = 0, late;
    long early_live = 0, late_live;
    where = "short threads";
    d = capture_desc(&c, &sink);
    d.allocator = counting_allocator(&memory);
    d.batch_interval_ms = 20;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < SHORT_THREADS; i += BATCH) {
        for (j = 0; j < BATCH; j++) {
            number[j] = j;
            CHECK_INT(pthread_create(&thread[j], NULL, short_lived, &number[j]), 0);
        }
        for (j = 0; j < BATCH; j++) { pthread_join(thread[j], NULL); }
        CHECK_INT(tel_query_stats().threads, 0);            /* this one has recorded nothing yet */
        if (i + BATCH == SHORT_THREADS / 10) {
            CHECK_INT(tel_flush(30000), TEL_OK);
            collect();
            early = tel_query_stats().bytes_allocated;
            early_live = counting_live(&memory);
        }
    }
    CHECK_INT(tel_flush(30000), TEL_OK);
    t = collect();
    late = tel_query_stats().bytes_allocated;
    late_live = counting_live(&memory);
    CHECK(early > 0);
    CHECK(late <= early + 65536);       /* the arena keeps the largest chunk it ever needed, and stages differ in size */
    CHECK(late_live <= early_live + 2 + BATCH);     /* as many rings as threads ever met; a leak would be thousands */
    CHECK_INT(t.hits, SHORT_THREADS);
    CHECK_INT(t.keyed, 2 * SHORT_THREADS);
    CHECK_INT(t.count, SHORT_THREADS);
    CHECK(t.sum == (double)SHORT_THREADS / BATCH * (BATCH * (BATCH - 1) / 2));
    s = tel_query_stats();
    CHECK(tel_query_sink(0, &k));
    CHECK_INT(s.recorded[2], SHORT_THREADS);
    CHECK_INT(s.queued[2], 0);
    CHECK_INT(s.dropped[2] + k.dropped_full[2] + k.dropped_failed[2], 0);
    CHECK_INT(c.logs, SHORT_THREADS);
    CHECK_BOOKS();
    number[0] = 1;
    short_lived(&number[0]);
    CHECK_INT(tel_query_stats().threads, 1);
    CHECK_INT(collect().hits, SHORT_THREADS + 1);
    tel_shutdown(30000);
    CHECK_INT(counting_live(&memory), 0);
}

/* ---- the shared ring ---- */

#define SHARING 16
static uint64_t torn, seen[SHARING], out_of_order, last[SHARING];
static int go;
static int finished;

/* Bodies are "<thread> <number> <letters>", letters as many as the number says; spans are named alike. */
static void inspect(int thread, unsigned long number, const char* letters, size_t size) {
    size_t i;
    bool whole = thread >= 0 && thread < SHARING && size == number % 200;
    for (i = 0; whole && i < size; i++) { whole = letters[i] == 'a' + thread; }
    if (!whole) { torn++; return; }
    if (number < last[thread]) { out_of_order++; }
    last[thread] = number;
    seen[thread]++;
}
static void inspect_logs(capture* c, const tel_batch* batch) {
    size_t i;
    (void)c;
    for (i = 0; i < batch->log_count; i++) {
        const tel_log_view* v = &batch->logs[i];
        int thread = -1, at = 0;
        unsigned long number = 0;
        if (sscanf(v->body.data, "%d %lu %n", &thread, &number, &at) < 2) { torn++; continue; }
        if (v->attrs.count != 2 || strcmp(v->attrs.items[0].key, "thread") != 0 || v->attrs.items[0].as.i != thread ||
            v->attrs.items[1].as.i != (int64_t)number) { torn++; continue; }
        inspect(thread, number, v->body.data + at, v->body.size - (size_t)at);
    }
    for (i = 0; i < batch->span_count; i++) {
        const tel_span_view* v = &batch->spans[i];
        if (v->attrs.count != 1 || strcmp(v->attrs.items[0].key, "name") != 0 || v->attrs.items[0].as.s.size != v->name.size ||
            memcmp(v->attrs.items[0].as.s.data, v->name.data, v->name.size) != 0) { torn++; }
    }
}
static void* sharing(void* arg) {
    int thread = *(int*)arg;
    unsigned long n;
    char letters[200], body[240];
    memset(letters, 'a' + thread, sizeof letters);
    while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE)) { usleep(100); }
    for (n = 0; n < EACH; n++) {
        snprintf(body, sizeof body, "%d %lu %.*s", thread, n, (int)(n % 200), letters);
        tel_log(TEL_INFO, body, TEL_ATTRS(tel_int("thread", thread), tel_int("n", (int64_t)n)));
        tel_counter_add(&hits, 1);
        TEL_SPAN(s, body) { tel_span_set(s, tel_str("name", body)); }
        if (n % 16 == 15) { usleep(200); }
    }
    __atomic_fetch_add(&finished, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&go, __ATOMIC_ACQUIRE) < 2) { usleep(100); }     /* alive while the main thread looks */
    snprintf(body, sizeof body, "%d %lu %.*s", thread, n, (int)(n % 200), letters);
    tel_log(TEL_INFO, body, TEL_ATTRS(tel_int("thread", thread), tel_int("n", (int64_t)n)));
    return NULL;
}

static void test_shared_ring(void) {
    static capture c;
    tel_sink sink;
    tel_desc d;
    tel_sink_stats k;
    tel_stats s;
    pthread_t thread[SHARING];
    int i, number[SHARING];
    uint64_t sum = 0, logs;
    where = "shared ring";
    d = capture_desc(&c, &sink);
    c.inside_fn = inspect_logs;
    d.max_threads = 2;
    d.ring_bytes = 64 * 1024;
    d.batch_interval_ms = 1;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < SHARING; i++) {
        number[i] = i;
        CHECK_INT(pthread_create(&thread[i], NULL, sharing, &number[i]), 0);
    }
    __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < SHARING) { tel_query_stats(); usleep(500); }
    CHECK_INT(tel_query_stats().threads, SHARING);
    CHECK_INT(tel_flush(30000), TEL_OK);
    s = tel_query_stats();
    CHECK(tel_query_sink(0, &k));
    CHECK_INT(s.recorded[1], SHARING * EACH);
    CHECK_INT(s.recorded[2], SHARING * EACH);
    CHECK_INT(s.queued[1] + s.queued[2], 0);
    CHECK_INT(c.logs, s.recorded[2] - s.dropped[2] - k.dropped_full[2]);
    CHECK_INT(c.spans, s.recorded[1] - s.dropped[1] - k.dropped_full[1]);
    CHECK_BOOKS();
    CHECK_INT(torn, 0);
    CHECK_INT(out_of_order, 0);
    for (i = 0; i < SHARING; i++) { sum += seen[i]; }
    CHECK_INT(sum, c.logs);
    CHECK_INT(collect().hits, SHARING * EACH);
    logs = c.logs;
    __atomic_store_n(&go, 2, __ATOMIC_RELEASE);
    for (i = 0; i < SHARING; i++) { pthread_join(thread[i], NULL); }
    CHECK_INT(tel_flush(30000), TEL_OK);
    CHECK_INT(c.logs - logs, SHARING);                      /* now that there is room each last one arrives, whole */
    CHECK_INT(torn + out_of_order, 0);
    CHECK_INT(tel_query_stats().threads, 0);
    CHECK_INT(collect().hits, SHARING * EACH);
    tel_shutdown(30000);
}

/* ---- recording while another starts and stops ---- */

static int racing;
static uint64_t rounds_recorded;

static void* record_on(void* arg) {
    uint64_t n = 0;
    (void)arg;
    while (__atomic_load_n(&racing, __ATOMIC_RELAXED)) {
        tel_counter_add(&hits, 1);
        tel_counter_add_with(&keyed, 1, TEL_ATTRS(tel_int("k", (int64_t)(n % 10))));
        tel_histogram_record(&sizes, 1);
        TEL_SPAN(s, "span") {
            tel_span_set(s, tel_int("n", (int64_t)n));
            tel_log(TEL_INFO, "log", TEL_NOATTRS);
        }
        n++;
    }
    __atomic_fetch_add(&rounds_recorded, n, __ATOMIC_RELAXED);
    return NULL;
}

static void test_start_stop(void) {
    tel_sink_stats books;
    static capture c;
    static counting memory = COUNTING;
    pthread_t thread[3];
    tel_sink sink;
    tel_desc d;
    totals t;
    int i;
    where = "start and stop";
    d = capture_desc(&c, &sink);
    d.allocator = counting_allocator(&memory);
    d.batch_interval_ms = 1;
    racing = 1;
    for (i = 0; i < 3; i++) { pthread_create(&thread[i], NULL, record_on, NULL); }
    for (i = 0; i < CYCLES; i++) {
        uint64_t spans = c.spans, logs = c.logs, lost;
        tel_stats s;
        tel_result r;
        CHECK_INT(tel_init(&d), TEL_OK);
        usleep(i % 3 == 0 ? 0 : 2000);
        r = tel_shutdown(30000);
        s = tel_query_stats();
        CHECK(s.queued[1] == 0 && s.queued[2] == 0);
        CHECK_INT(c.spans - spans, s.exported[1]);
        CHECK_INT(c.logs - logs, s.exported[2]);
        CHECK_INT(s.recorded[1], s.exported[1] + s.failed[1] + s.dropped[1]);
        CHECK_INT(s.recorded[2], s.exported[2] + s.failed[2] + s.dropped[2]);
        lost = s.failed[1] + s.failed[2] + s.dropped[1] + s.dropped[2];
        CHECK(r == TEL_OK || (r == TEL_ERR_IO && lost));
        CHECK(tel_query_sink(0, &books));
        /* else its ring or a queue that stayed full dropped it, and before the shutdown */
        CHECK(r == TEL_ERR_IO || books.dropped_failed[1] + books.dropped_failed[2] == 0);
        CHECK_INT(c.closed, (uint64_t)i + 1);
    }
    __atomic_store_n(&racing, 0, __ATOMIC_RELAXED);
    for (i = 0; i < 3; i++) { pthread_join(thread[i], NULL); }
    CHECK(rounds_recorded > 0);
    CHECK(c.spans > 0);
    CHECK_INT(counting_live(&memory), 0);
    CHECK_INT(tel_init(&d), TEL_OK);                    /* and the same instruments count from zero again */
    tel_counter_add(&hits, 5);
    t = collect();
    CHECK_INT(t.hits, 5);
    CHECK_INT(t.keyed, 0);
    CHECK_INT(tel_shutdown(30000), TEL_OK);
    CHECK_INT(counting_live(&memory), 0);
}

/* ---- whose records ---- */

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>

static uint64_t ids[2];
static void* named(void* arg) {
    static const char* const names[2] = { "first", "second" };
    int i = *(int*)arg;
    prctl(PR_SET_NAME, (unsigned long)(uintptr_t)names[i], 0ul, 0ul, 0ul);
    ids[i] = (uint64_t)syscall(SYS_gettid);
    TEL_SPAN(s, names[i]) { tel_log(TEL_INFO, names[i], TEL_NOATTRS); }
    return NULL;
}

/* Two threads, the second in the ring that the first has left with its records in it. */
static void test_names(void) {
    static tel_memory memory;
    tel_sink sink = tel_sink_memory(&memory);
    tel_desc d = test_desc(&sink, 1);
    tel_batch batch;
    pthread_t thread;
    int i;
    size_t k;
    where = "names";
    d.no_thread = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 2; i++) {
        pthread_create(&thread, NULL, named, &i);
        pthread_join(thread, NULL);
    }
    CHECK_INT(tel_flush(10000), TEL_OK);
    batch = tel_memory_read(&memory);
    CHECK_INT(batch.span_count, 2);
    CHECK_INT(batch.log_count, 2);
    for (k = 0; k < 2; k++) {
        const tel_span_view* s = &batch.spans[k];
        const tel_log_view* l = &batch.logs[k];
        CHECK_INT(s->thread_id, ids[k]);
        CHECK_STR(s->thread_name.data, s->name.data);
        CHECK_INT(l->thread_id, ids[k]);
        CHECK_STR(l->thread_name.data, l->body.data);
    }
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    tel_memory_clear(&memory);
}
#else
static void test_names(void) { }
#endif

int main(void) {
    capture_watchdog(120);
    test_names();
    test_shared_ring();
    test_start_stop();
    test_short_threads();
    return check_done();
}
