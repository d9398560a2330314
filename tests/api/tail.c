/* Tail sampling: whole traces are kept when a span failed or the local root was slow, in whatever order their spans arrive;
   bounded in bytes and in time, exact books, nothing held after a flush, a shutdown or a fork. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"
#include <sched.h>

#define SECOND ((uint64_t)1000000000)

static struct { long spans, logs, failed, named, names[26]; int busy, refused; } seen;

static tel_result take(const tel_batch* b, void* user_data) {
    size_t i;
    (void)user_data;
    if (__atomic_load_n(&seen.busy, __ATOMIC_RELAXED)) {
        __atomic_fetch_add(&seen.refused, 1, __ATOMIC_RELAXED);
        return TEL_ERR_LIMIT;
    }
    for (i = 0; i < b->span_count; i++) {
        const tel_span_view* s = &b->spans[i];
        char c = s->name.size ? s->name.data[0] : 'z';
        __atomic_fetch_add(&seen.names[c >= 'a' && c <= 'z' ? c - 'a' : 25], 1, __ATOMIC_RELAXED);
        if (s->thread_id && s->thread_name.size == s->name.size &&
            memcmp(s->thread_name.data, s->name.data, s->name.size) == 0) {
            __atomic_fetch_add(&seen.named, 1, __ATOMIC_RELAXED);
        }
        __atomic_fetch_add(&seen.failed, s->status == TEL_STATUS_ERROR, __ATOMIC_RELAXED);
    }
    __atomic_fetch_add(&seen.spans, (long)b->span_count, __ATOMIC_RELAXED);
    __atomic_fetch_add(&seen.logs, (long)b->log_count, __ATOMIC_RELAXED);
    return TEL_OK;
}

/* 10,000 s: nothing here is slow by chance. */
#define NEVER_SLOW 10000000u

static void start_with(uint32_t slower_than_ms, size_t bytes, bool threads, size_t recent) {
    static tel_sink sink;
    tel_processor tail = tel_processor_tail(slower_than_ms, bytes);
    tel_desc d;
    memset(&d, 0, sizeof d);
    memset(&sink, 0, sizeof sink);
    memset(&seen, 0, sizeof seen);
    sink.name = "test";
    sink.export_fn = take;
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_atexit = d.no_self_metrics = true;
    d.no_thread = !threads;
    d.processors = &tail;
    d.processor_count = 1;
    d.recent_bytes = recent;
    CHECK_INT(tel_init(&d), TEL_OK);
}
static void start(uint32_t slower_than_ms) { start_with(slower_than_ms, 0, false, 0); }

/* Everything is decided: recorded = delivered + filtered, and each decision is as expected. */
static void check_sums(const tel_stats* s, long delivered, long filtered) {
    CHECK_INT(s->recorded[1], delivered + filtered);
    CHECK_INT(s->exported[1], delivered);
    CHECK_INT(seen.spans, delivered);
    CHECK_INT(s->filtered[1], filtered);
    CHECK_INT(s->dropped[1] + s->failed[1] + s->queued[1], 0);
}
static void stop(long delivered, long filtered) {
    tel_stats s;
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    s = tel_query_stats();
    check_sums(&s, delivered, filtered);
}
static void check_counts(long failed, long slow, long dropped, long unended, long full) {
    tel_stats s = tel_query_stats();
    CHECK_INT(s.tail_failed, failed);
    CHECK_INT(s.tail_slow, slow);
    CHECK_INT(s.tail_dropped, dropped);
    CHECK_INT(s.tail_unended, unended);
    CHECK_INT(s.tail_full, full);
}

/* One span; age: so long ago it began. Returns its context. */
static tel_context span(const char* name, const tel_context* parent, uint64_t age, bool fails) {
    tel_span_desc d;
    tel_context c;
    tel_span s;
    memset(&d, 0, sizeof d);
    d.name = name;
    d.parent = parent;
    d.root = !parent;
    if (age) { d.start_unix_ns = tel_now_ns() - age; }
    s = tel_span_start_ex(&d);
    c = s.context;
    if (fails) { tel_span_status(&s, TEL_STATUS_ERROR, "broken"); }
    tel_span_end(&s);
    return c;
}

static void test_children_first(void) {
    int i;
    start(NEVER_SLOW);
    for (i = 0; i < 10; i++) {
        TEL_SPAN(r, "root") {
            TEL_SPAN(c, "child") { TEL_SPAN(g, "grandchild") { (void)g; } (void)c; }
            TEL_SPAN(f, "failing") {
                if (i == 3) { tel_span_status(f, TEL_STATUS_ERROR, "broken"); }
            }
            (void)r;
            tel_log(TEL_INFO, "not held back", TEL_NOATTRS);
        }
    }
    CHECK_INT(tel_query_stats().queued[1], 40);
    CHECK_INT(tel_pump(1000), TEL_OK);
    CHECK_INT(tel_query_stats().queued[1], 40);         /* the fast ones wait for laggards */
    CHECK_INT(tel_pump(1000), TEL_OK);
    CHECK_INT(tel_query_stats().queued[1], 4);
    CHECK_INT(tel_query_stats().filtered[1], 36);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(seen.spans, 4);
    CHECK_INT(seen.logs, 10);
    CHECK_INT(seen.failed, 1);
    check_counts(1, 0, 9, 0, 0);
    stop(4, 36);
    check_counts(1, 0, 9, 0, 0);
}

static void test_slow_root(void) {
    tel_context root, remote;
    start(2000);
    root = span("slow", NULL, 3 * SECOND, false);
    span("child", &root, 0, false);                     /* after its root, and after the decision */
    span("fast", NULL, SECOND, false);
    remote = root;
    remote.trace_id[0] ^= 1;
    remote.flags |= 1;
    remote.remote = 1;
    span("child of another process", &remote, 3 * SECOND, false);
    remote.trace_id[0] ^= 2;
    remote.remote = 0;
    span("not the root", &remote, 3 * SECOND, false);
    remote.remote = 1;
    span("xroot", &remote, 0, false);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(seen.names['s' - 'a'] + seen.names['c' - 'a'], 3);
    check_counts(0, 2, 2, 0, 0);
    stop(3, 3);
    start(0);                                           /* no threshold: nothing is slow */
    span("slow", NULL, 3 * SECOND, false);
    span("failed", NULL, 0, true);
    stop(1, 1);
    check_counts(1, 0, 1, 0, 0);
    start(1);                                           /* measured by the SDK's own clock */
    TEL_SPAN(s, "slept") {
        usleep(3000);
        (void)s;
    }
    stop(1, 0);
    check_counts(0, 1, 0, 0, 0);
}

/* ---- spans of other threads ---- */

typedef struct errand { tel_context parent; const char* name; bool fails; } errand;

static void* run_errand(void* arg) {
    const errand* e = (const errand*)arg;
    span(e->name, &e->parent, 0, e->fails);
    return NULL;
}
static void dispatch(tel_context parent, const char* name, bool fails) {
    errand e;
    pthread_t t;
    e.parent = parent;
    e.name = name;
    e.fails = fails;
    CHECK_INT(pthread_create(&t, NULL, run_errand, &e), 0);
    pthread_join(t, NULL);
}

/* A trace is held with the thread of each span: all of these have the names of their threads. */
static void* run_named(void* arg) {
    const errand* e = (const errand*)arg;
    int i;
    tel__thread_name(e->name);
    for (i = 0; i < 12; i++) { span(e->name, &e->parent, 0, false); }
    return NULL;
}
static void test_thread_names(void) {
    static const char* const names[3] = { "worker-a", "worker-b", "xworker" };
    pthread_t t;
    errand e;
    tel_span root;
    int i;
    start(NEVER_SLOW);
    root = tel_span_start("root");
    memset(&e, 0, sizeof e);
    e.parent = root.context;
    for (i = 0; i < 9; i++) {
        e.name = names[i % 3];
        CHECK_INT(pthread_create(&t, NULL, run_named, &e), 0);
        pthread_join(t, NULL);
        if (i % 2) { CHECK_INT(tel_pump(1000), TEL_OK); }
    }
    CHECK_INT(tel_pump(1000), TEL_OK);
    CHECK_INT(seen.spans, 0);
    tel_span_status(&root, TEL_STATUS_ERROR, "broken");
    tel_span_end(&root);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(seen.names['w' - 'a'] + seen.names['x' - 'a'], 9 * 12);
    CHECK_INT(seen.named, 9 * 12);
    stop(9 * 12 + 1, 0);
    check_counts(1, 0, 0, 0, 0);
}

static void test_root_first(void) {
    tel_context root;
    start(NEVER_SLOW);
    root = span("root", NULL, 0, false);                /* in the same pass, from another ring */
    dispatch(root, "child", true);
    CHECK_INT(tel_flush(10000), TEL_OK);
    root = span("root", NULL, 0, false);                /* in the pass after that */
    CHECK_INT(tel_pump(1000), TEL_OK);
    dispatch(root, "child", true);
    CHECK_INT(tel_pump(1000), TEL_OK);
    check_counts(2, 0, 0, 0, 0);
    root = span("dropped", NULL, 0, false);             /* after the decision */
    dispatch(root, "dropped", false);
    CHECK_INT(tel_pump(1000), TEL_OK);
    CHECK_INT(tel_pump(1000), TEL_OK);
    check_counts(2, 0, 1, 0, 0);
    dispatch(root, "dropped", false);
    CHECK_INT(tel_flush(10000), TEL_OK);
    check_counts(2, 0, 1, 0, 0);
    CHECK_INT(tel_query_stats().filtered[1], 3);
    dispatch(root, "late", true);                           /* changes it from then on */
    dispatch(root, "later", false);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(seen.names['d' - 'a'], 0);
    CHECK_INT(seen.names['l' - 'a'], 2);
    check_counts(3, 0, 1, 0, 0);
    stop(6, 3);
}

/* ---- bounds ---- */

static void test_unended(void) {
    tel_span root;
    start(1);
    root = tel_span_start("root");
    span("child", &root.context, 0, false);
    CHECK_INT(tel_pump(1000), TEL_OK);
    usleep(5000);                                       /* the root is slow by now, or never ends */
    CHECK_INT(tel_pump(1000), TEL_OK);
    check_counts(0, 0, 0, 1, 0);
    tel_span_end(&root);                                /* the decision stands */
    stop(2, 0);
    check_counts(0, 0, 0, 1, 0);
    start(NEVER_SLOW);
    root = tel_span_start("root");
    span("child", &root.context, 0, false);
    CHECK_INT(tel_pump(1000), TEL_OK);
    CHECK_INT(tel_query_stats().queued[1], 1);
    CHECK_INT(tel_flush(10000), TEL_OK);                /* a flush decides */
    CHECK_INT(seen.spans, 1);
    check_counts(0, 0, 0, 1, 0);
    tel_span_end(&root);
    root = tel_span_start("root");
    span("child", &root.context, 0, false);
    stop(3, 0);                                         /* so does a shutdown */
    check_counts(0, 0, 0, 2, 0);
}

static void test_full(void) {
    static char large[60000];
    tel_context orphan;
    tel_stats s;
    int i;
    memset(&orphan, 0, sizeof orphan);
    orphan.span_id[0] = orphan.flags = 1;
    memset(large, 'x', sizeof large - 1);
    start_with(NEVER_SLOW, 1, false, 0);                /* traces without roots, more than fit */
    for (i = 1; i <= 1000; i++) {
        memcpy(orphan.trace_id, &i, sizeof i);
        span("orphan", &orphan, 0, false);
        if (i % 100 == 0) { CHECK_INT(tel_pump(1000), TEL_OK); }
    }
    s = tel_query_stats();
    CHECK(s.tail_full > 900 && s.tail_full < 1000);
    CHECK(s.queued[1] >= 1000 - s.tail_full);
    stop(1000, 0);
    s = tel_query_stats();
    CHECK_INT(s.tail_full + s.tail_unended, 1000);
    start_with(NEVER_SLOW, 1, false, 0);                /* one trace, larger than what there is */
    TEL_SPAN(r, "root") {
        for (i = 0; i < 1000; i++) { span("child", &r->context, 0, false); }
    }
    span("next", NULL, 0, false);
    stop(1001, 1);
    check_counts(0, 0, 1, 0, 1);
    start_with(NEVER_SLOW, 1, false, 0);                /* fast traces: the first give way */
    for (i = 0; i < 1000; i++) { span("root", NULL, 0, false); }
    stop(0, 1000);
    check_counts(0, 0, 1000, 0, 0);
    start_with(NEVER_SLOW, 1, false, 0);                /* large spans, one too large */
    for (i = 0; i < 20; i++) {
        TEL_SPAN(r, "root") {
            large[i == 7 ? 50000 : 5000] = 0;
            tel_span_set(r, tel_str("large", large));
            large[i == 7 ? 50000 : 5000] = 'x';
        }
    }
    CHECK_INT(tel_flush(10000), TEL_OK);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], 20);
    CHECK_INT(s.filtered[1] + s.exported[1] + s.dropped[1], 20);
    CHECK_INT(s.tail_full + s.tail_dropped + s.dropped[1], 20);
    CHECK(s.tail_dropped >= 19);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

/* A sink without room: what was let go waits, and nothing is lost or counted twice. */
static void test_pushed_back(void) {
    tel_context root;
    tel_stats s;
    int i, k;
    start(NEVER_SLOW);
    seen.busy = 1;
    for (k = 0; k < 100; k++) {
        root = span("root", NULL, 0, false);
        for (i = 0; i < 99; i++) { span("child", &root, 0, k % 2 && i == 50); }
        CHECK_INT(tel_pump(10), TEL_OK);
    }
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], 10000);
    CHECK(seen.refused > 0);
    seen.busy = 0;
    CHECK_INT(tel_flush(20000), TEL_OK);
    s = tel_query_stats();
    CHECK_INT(s.exported[1] + s.failed[1] + s.filtered[1] + s.dropped[1], 10000);
    CHECK_INT(s.filtered[1], 5000);
    CHECK_INT(s.queued[1], 0);
    check_counts(50, 0, 50, 0, 0);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

/* ---- who else looks ---- */

static tel_result count_spans(const tel_batch* b, void* user_data) {
    *(size_t*)user_data += b->span_count;
    return TEL_OK;
}
static void test_recent(void) {
    tel_sink query;
    size_t found = 0;
    memset(&query, 0, sizeof query);
    query.export_fn = count_spans;
    query.user_data = &found;
    start_with(NEVER_SLOW, 0, false, 1 << 20);
    span("fast", NULL, 0, false);
    CHECK_INT(tel_query_spans(NULL, &query), TEL_OK);
    CHECK_INT(found, 0);
    span("failed", NULL, 0, true);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(tel_query_spans(NULL, &query), TEL_OK);
    CHECK_INT(found, 1);
    stop(1, 1);
}

static void test_twice(void) {
    tel_processor list[2];
    tel_desc d;
    memset(&d, 0, sizeof d);
    list[0] = tel_processor_tail(1, 0);
    list[1] = tel_processor_tail(2, 0);
    d.ignore_env = d.no_thread = d.no_atexit = true;
    d.diag.report_fn = hear;
    d.processors = list;
    d.processor_count = 2;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    CHECK(strstr(said, "tel_processor_tail twice") != NULL);
}

/* The child has none of the parent's spans, also of the trace that was at hand, and decides about its own. */
static void test_fork(void) {
    pid_t pid;
    start(NEVER_SLOW);
    TEL_SPAN(r, "root") {
        span("child", &r->context, 0, false);
        CHECK_INT(tel_pump(1000), TEL_OK);
        pid = fork();
        if (pid == 0) {
            int before = check__failed;
            span("late", &r->context, 0, false);
            span("failed", NULL, 0, true);
            span("fast", NULL, 0, false);
            CHECK_INT(tel_flush(10000), TEL_OK);
            check_counts(1, 0, 1, 1, 0);
            stop(2, 1);
            _exit(check__failed != before);
        }
        CHECK_INT(child_exit(pid), 0);
        tel_span_status(r, TEL_STATUS_ERROR, "broken");
    }
    stop(2, 0);
    check_counts(1, 0, 0, 0, 0);
}

/* ---- many threads ---- */

#define WORKERS 4
#define TRACES  500

static void* work(void* arg) {
    int i, k, id = *(int*)arg;
    for (i = 0; i < TRACES; i++) {
        TEL_SPAN(r, "root") {
            for (k = 0; k < 3; k++) {
                span(i % 10 == id ? "good" : "bad", &r->context, 0, i % 10 == id && k == 1);
            }
            if (i % 100 == 99) { dispatch(r->context, i % 10 == id ? "good" : "other", false); }
        }
    }
    return NULL;
}
static void test_threads(void) {
    static int ids[WORKERS] = { 0, 3, 7, 9 };
    pthread_t t[WORKERS];
    long others = WORKERS * TRACES / 100;               /* children on threads of their own */
    long kept = WORKERS * TRACES / 10;
    int i;
    start_with(NEVER_SLOW, 16 << 20, true, 0);
    for (i = 0; i < WORKERS; i++) { CHECK_INT(pthread_create(&t[i], NULL, work, &ids[i]), 0); }
    for (i = 0; i < WORKERS; i++) { pthread_join(t[i], NULL); }
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(seen.failed, kept);
    CHECK_INT(seen.names['r' - 'a'], kept);
    CHECK_INT(seen.names['g' - 'a'], 3 * kept + TRACES / 100);      /* ids[3] is 9 */
    CHECK_INT(seen.names['b' - 'a'] + seen.names['o' - 'a'], 0);
    check_counts(kept, 0, 9 * kept, 0, 0);
    stop(4 * kept + TRACES / 100, 4 * 9 * kept + others - TRACES / 100);
}

/* ---- everything at once ---- */

/* Contexts that any thread may take for a parent, whoever made them, in whatever state their trace is. */
static tel_context known[64];
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;
static const char zeros[1000];
static int storm_on;

static tel_context storm_parent(unsigned* seed) {
    tel_context c;
    pthread_mutex_lock(&known_lock);
    c = known[rand_r(seed) % 64];
    pthread_mutex_unlock(&known_lock);
    return c;
}
static void* storm(void* arg) {
    unsigned seed = *(unsigned*)arg;
    tel_span open[16];
    int i, k;
    memset(open, 0, sizeof open);
    for (i = 0; i < 3000 || __atomic_load_n(&storm_on, __ATOMIC_RELAXED); i++) {
        tel_context parent = storm_parent(&seed);
        tel_span_desc d;
        memset(&d, 0, sizeof d);
        k = rand_r(&seed) % 16;
        if (rand_r(&seed) % 32 == 0) { tel_span_status(&open[k], TEL_STATUS_ERROR, "broken"); }
        tel_span_end(&open[k]);                         /* in any order, and some of them never */
        d.name = "storm";
        if (rand_r(&seed) % 4) { d.parent = &parent; } else { d.root = true; }
        parent.remote = rand_r(&seed) % 8 == 0;
        if (rand_r(&seed) % 8 == 0) { d.start_unix_ns = tel_now_ns() - SECOND; }
        open[k] = tel_span_start_ex(&d);
        if (rand_r(&seed) % 8 == 0) { tel_span_set(&open[k], tel_strn("long", zeros, 1000)); }
        pthread_mutex_lock(&known_lock);
        known[rand_r(&seed) % 64] = open[k].context;
        pthread_mutex_unlock(&known_lock);
    }
    for (k = 0; k < 8; k++) { tel_span_end(&open[k]); }
    return NULL;
}
/* However little room there is, whoever flushes, and with a shutdown in the middle: the books are exact, and no trace
   takes more room than it may. */
static void test_storm(size_t bytes, bool shut) {
    static unsigned seeds[WORKERS] = { 1, 2, 3, 4 };
    pthread_t t[WORKERS];
    tel_stats s;
    int i;
    memset(known, 0, sizeof known);
    storm_on = shut;
    start_with(500, bytes, true, 0);
    for (i = 0; i < WORKERS; i++) { CHECK_INT(pthread_create(&t[i], NULL, storm, &seeds[i]), 0); }
    while (shut && tel_query_stats().recorded[1] < 1000) { sched_yield(); }     /* a shutdown ends it */
    for (i = 0; i < 5; i++) {
        CHECK(tel_flush(20000) != TEL_ERR_TIMEOUT);     /* a full ring drops some, and the flush says so */
        tel__thread_mutex_lock(&tel_get_instance()->pipeline.stage);
        CHECK(tel_get_instance()->pipeline.tail.used <= tel_get_instance()->pipeline.tail.most);
        tel__thread_mutex_unlock(&tel_get_instance()->pipeline.stage);
    }
    if (shut) { CHECK(tel_shutdown(20000) != TEL_ERR_TIMEOUT); }
    __atomic_store_n(&storm_on, 0, __ATOMIC_RELAXED);
    for (i = 0; i < WORKERS; i++) { pthread_join(t[i], NULL); }
    if (!shut) { CHECK_INT(tel_shutdown(20000), TEL_OK); }
    s = tel_query_stats();
    CHECK(s.recorded[1] > 0);
    CHECK_INT(s.recorded[1], s.dropped[1] + s.filtered[1] + s.exported[1]);
    CHECK_INT(s.exported[1], seen.spans);
    CHECK_INT(s.failed[1] + s.queued[1], 0);
    CHECK(s.tail_failed + s.tail_slow > 0 && s.tail_dropped > 0);
}

int main(void) {
    capture_watchdog(60);
    where = "children first";
    test_children_first();
    where = "slow root";
    test_slow_root();
    where = "thread names";
    test_thread_names();
    where = "root first";
    test_root_first();
    where = "unended";
    test_unended();
    where = "full";
    test_full();
    where = "pushed back";
    test_pushed_back();
    where = "recent";
    test_recent();
    where = "twice";
    test_twice();
    where = "fork";
    test_fork();
    where = "threads";
    test_threads();
    where = "storm";
    test_storm(0, false);
    test_storm(1, false);
    test_storm(0, true);
    test_storm(1, true);
    return check_done();
}
