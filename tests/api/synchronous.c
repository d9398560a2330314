/* tel_desc.synchronous: what a call records has reached the sinks when the call returns, whoever else records, one export at a
   time; callbacks do not lock themselves out, and the books stay exact through refusals, forks and ends of threads. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
static struct { long spans, logs, last[THREADS], metrics; int inside, together, refuse, records; } seen;

static tel_result take(const tel_batch* b, void* user_data) {
    size_t i;
    (void)user_data;
    if (__atomic_fetch_add(&seen.inside, 1, __ATOMIC_SEQ_CST)) { __atomic_store_n(&seen.together, 1, __ATOMIC_RELAXED); }
    if (b->span_count + b->log_count && __atomic_load_n(&seen.refuse, __ATOMIC_RELAXED)) {
        __atomic_fetch_sub(&seen.refuse, 1, __ATOMIC_RELAXED);
        __atomic_fetch_sub(&seen.inside, 1, __ATOMIC_SEQ_CST);
        return TEL_ERR_LIMIT;
    }
    for (i = 0; i < b->span_count; i++) {
        const tel_attrs* a = &b->spans[i].attrs;
        if (a->count == 2) { __atomic_store_n(&seen.last[a->items[0].as.i], (long)a->items[1].as.i, __ATOMIC_RELAXED); }
    }
    __atomic_fetch_add(&seen.spans, (long)b->span_count, __ATOMIC_RELAXED);
    __atomic_fetch_add(&seen.logs, (long)b->log_count, __ATOMIC_RELAXED);
    __atomic_fetch_add(&seen.metrics, (long)b->metric_count, __ATOMIC_RELAXED);
    if (__atomic_load_n(&seen.records, __ATOMIC_RELAXED)) { tel_log(TEL_INFO, "inside the sink", TEL_NOATTRS); }
    __atomic_fetch_sub(&seen.inside, 1, __ATOMIC_SEQ_CST);
    return TEL_OK;
}

static const tel_processor* processor;
static void start(bool threads, uint32_t max_threads) {
    static tel_sink sink;
    tel_desc d;
    memset(&d, 0, sizeof d);
    memset(&sink, 0, sizeof sink);
    memset(&seen, 0, sizeof seen);
    sink.export_fn = take;
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_atexit = d.no_self_metrics = d.synchronous = true;
    d.no_thread = !threads;
    d.max_threads = max_threads;
    d.processors = processor;
    d.processor_count = processor != NULL;
    CHECK_INT(tel_init(&d), TEL_OK);
}
static void stop(void) {
    tel_stats s;
    CHECK_INT(tel_shutdown(20000), TEL_OK);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], seen.spans);
    CHECK_INT(s.recorded[2], seen.logs);
    CHECK_INT(s.dropped[1] + s.dropped[2] + s.failed[1] + s.failed[2], 0);
    CHECK(!seen.together);
}

static void test_each_call(bool threads) {
    long i;
    start(threads, 0);
    for (i = 1; i <= 50; i++) {
        tel_span s = tel_span_start("a");
        CHECK_INT(seen.spans, 3 * (i - 1));
        tel_span_end(&s);
        CHECK_INT(seen.spans, 3 * i - 2);
        TEL_SPAN(outer, "b") {
            TEL_SPAN(inner, "c") { tel_span_event(inner, "e", TEL_NOATTRS); }
            CHECK_INT(seen.spans, 3 * i - 1);
            (void)outer;
        }
        CHECK_INT(seen.spans, 3 * i);
        tel_log(TEL_INFO, "log", TEL_ATTRS(tel_int("i", i)));
        CHECK_INT(seen.logs, 2 * i - 1);
        tel_logf(TEL_WARN, "%ld", i);
        CHECK_INT(seen.logs, 2 * i);
    }
    CHECK_INT(tel_query_stats().queued[1] + tel_query_stats().queued[2], 0);
    stop();
}

static void* record(void* arg) {
    long me = (long)(intptr_t)arg, i;
    for (i = 1; i <= 200; i++) {
        tel_span s = tel_span_start("t");
        tel_span_set(&s, tel_int("thread", me));
        tel_span_set(&s, tel_int("i", i));
        tel_span_end(&s);
        CHECK_INT(__atomic_load_n(&seen.last[me], __ATOMIC_RELAXED), i);
    }
    return NULL;
}
static void test_threads(void) {
    pthread_t t[THREADS];
    intptr_t i;
    start(true, 0);
    for (i = 0; i < THREADS; i++) { CHECK_INT(pthread_create(&t[i], NULL, record, (void*)i), 0); }
    for (i = 0; i < THREADS; i++) { pthread_join(t[i], NULL); }
    CHECK_INT(seen.spans, THREADS * 200);
    stop();
}

static void* log_some(void* arg) {
    int i;
    for (i = 0; i < 100; i++) { tel_log(TEL_INFO, "shared", TEL_NOATTRS); }
    return arg;
}
/* Several share one ring, and some of them record nothing at the end. */
static void test_shared_ring(void) {
    pthread_t t[4];
    int i;
    start(true, 1);
    for (i = 0; i < 4; i++) { CHECK_INT(pthread_create(&t[i], NULL, log_some, NULL), 0); }
    for (i = 0; i < 4; i++) { pthread_join(t[i], NULL); }
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(seen.logs, 400);
    stop();
}

static void observe(tel_observation* o, void* user_data) {
    (void)user_data;
    tel_observei(o, 1, TEL_NOATTRS);
    tel_log(TEL_INFO, "inside the observer", TEL_NOATTRS);
}
static void* leave_open(void* arg) {
    tel_span_scope scope;
    tel_span_scope_begin(&scope, "left open");      /* ends with its thread */
    return arg;
}
static void test_callbacks(void) {
    tel_observer_desc d;
    pthread_t t;
    start(true, 0);
    memset(&d, 0, sizeof d);
    d.kind = TEL_OBSERVE_GAUGE;
    d.name = "observed";
    d.observe_fn = observe;
    CHECK(tel_observer_new(&d) != NULL);
    __atomic_store_n(&seen.records, 1, __ATOMIC_RELAXED);
    tel_log(TEL_INFO, "one", TEL_NOATTRS);
    CHECK_INT(seen.logs, 1);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(pthread_create(&t, NULL, leave_open, NULL), 0);
    pthread_join(t, NULL);
    CHECK_INT(tel_flush(10000), TEL_OK);
    stop();                                         /* the observer's records are in the books, and delivered */
    CHECK_INT(seen.spans, 1);
    CHECK(seen.metrics > 0 && seen.logs > 1);
}

/* What on_start starts calls no on_start, although it ends within. */
static int starts;
static void start_two(tel_span* s, const tel_context* parent, void* user_data) {
    int i;
    (void)s; (void)parent; (void)user_data;
    starts++;
    for (i = 0; i < 2 && starts < 100; i++) {
        tel_span inner = tel_span_start("of on_start");
        tel_span_end(&inner);
    }
}
static void test_on_start(void) {
    tel_processor p;
    int i;
    memset(&p, 0, sizeof p);
    p.on_start = start_two;
    processor = &p;
    start(true, 0);
    for (i = 1; i <= 5; i++) {
        tel_span s = tel_span_start("outer");
        tel_span_end(&s);
        CHECK_INT(starts, i);
        CHECK_INT(seen.spans, 3 * i);
    }
    processor = NULL;
    stop();
}

static void test_refusal(void) {
    start(true, 0);
    __atomic_store_n(&seen.refuse, 2, __ATOMIC_RELAXED);
    tel_log(TEL_INFO, "refused at first", TEL_NOATTRS);
    tel_log(TEL_INFO, "and again", TEL_NOATTRS);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(seen.logs, 2);
    stop();
}

static void test_fork(void) {
    pid_t child;
    int status = 1;
    start(true, 0);
    tel_log(TEL_INFO, "parent", TEL_NOATTRS);
    child = fork();
    if (child == 0) {
        bool well;
        tel_log(TEL_INFO, "child", TEL_NOATTRS);
        well = seen.logs == 2;
        _exit(well && tel_shutdown(10000) == TEL_OK ? 0 : 1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
    tel_log(TEL_INFO, "parent", TEL_NOATTRS);
    CHECK_INT(seen.logs, 2);
    stop();
}

int main(void) {
    test_each_call(true);
    test_each_call(false);
    test_threads();
    test_shared_ring();
    test_callbacks();
    test_on_start();
    test_refusal();
    if (CHILD_THREADS) { test_fork(); }
    return check_done();
}
