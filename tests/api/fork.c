/* fork: the child starts empty, with ids of its own, and delivers what it records; the parent does not notice. Forks come from a
   program whose other threads record all the time. */
#define TELEMETRY_IMPLEMENTATION
#include <pthread.h>
static volatile int no_threads;         /* the system refuses to make one */
static int make_thread(pthread_t* t, const pthread_attr_t* a, void* (*run)(void*), void* arg) {
    return no_threads ? 11 : pthread_create(t, a, run, arg);
}
#define pthread_create make_thread
static void (*hooks_made)(void);        /* called in the middle of the first tel_init */
static int make_hooks(void (*before)(void), void (*parent)(void), void (*child)(void)) {
    int r = pthread_atfork(before, parent, child);
    if (hooks_made) { hooks_made(); }
    return r;
}
#define pthread_atfork make_hooks
#include "telemetry.h"
#include "capture.h"

/* The sanitizers' own allocators and thread tables are not ready for a fork while another thread is inside them (gcc 12): there
   the load rests at the moment of the fork. Where a child can make no thread, parent and child are driven by tel_pump. */
#define RESTING (UNDER_TSAN || UNDER_ASAN)
#define FORKS   (UNDER_TSAN ? 25 : UNDER_ASAN ? 50 : 150)
static pthread_rwlock_t rest = PTHREAD_RWLOCK_INITIALIZER;
static void rest_begin(void) { if (RESTING) { pthread_rwlock_rdlock(&rest); } }
static void rest_end(void) { if (RESTING) { pthread_rwlock_unlock(&rest); } }
static pid_t fork_at_rest(void) {
    pid_t pid;
    if (RESTING) { pthread_rwlock_wrlock(&rest); }
    pid = fork();
    if (RESTING && pid != 0) { pthread_rwlock_unlock(&rest); }
    return pid;
}

static tel_counter   counter = TEL_INSTRUMENT("fork.counter", "1", "Counts");
static tel_counter   many[600];                      /* more than one batch takes */
static char          many_names[600][16];
static tel_gauge     gauge = TEL_INSTRUMENT("fork.gauge", "1", "A gauge");
static tel_histogram histogram = TEL_INSTRUMENT("fork.histogram", "s", "A histogram");

/* ---- what a child tells its parent ---- */

typedef struct report {
    long long spans, logs, parent_records, counter, metrics_seen, gauge_seen, histogram, recorded, dropped, queued, live;
    uint8_t trace_id[16], span_id[8];
    char instance[64];
    int shutdown, flushed, ok;
} report;

static int report_pipe[2];
static report mine;
static capture shared;                  /* the sink of parent and child: after the fork each has a copy */
static tel_context last_span;

static void look(capture* c, const tel_batch* batch) {
    size_t i, j;
    (void)c;
    for (i = 0; i < batch->resource.count; i++) {
        const tel_attr* a = &batch->resource.items[i];
        if (strcmp(a->key, "service.instance.id") == 0) {
            snprintf(mine.instance, sizeof mine.instance, "%.*s", (int)a->as.s.size, a->as.s.data);
        }
    }
    for (i = 0; i < batch->span_count; i++) {
        const tel_span_view* s = &batch->spans[i];
        mine.spans++;
        if (s->name.size < 5 || memcmp(s->name.data, "child", 5) != 0) { mine.parent_records++; }
        memcpy(mine.trace_id, s->context.trace_id, 16);
        memcpy(mine.span_id, s->context.span_id, 8);
    }
    for (i = 0; i < batch->log_count; i++) {
        mine.logs++;
        if (batch->logs[i].body.size < 5 || memcmp(batch->logs[i].body.data, "child", 5) != 0) { mine.parent_records++; }
    }
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* m = &batch->metrics[i];
        mine.metrics_seen++;
        if (m->kind == TEL_METRIC_GAUGE) { mine.gauge_seen++; }
        for (j = 0; j < m->point_count; j++) {
            if (m->kind == TEL_METRIC_HISTOGRAM) { mine.histogram = (long long)m->points[j].count; }
            else if (m->name.size == 12 && memcmp(m->name.data, "fork.counter", 12) == 0) { mine.counter = m->points[j].i; }
        }
    }
}

/* The sink of the child: whatever its copy was in the middle of as the fork came, it begins anew. */
static void capture_child(void) {
    memset(&mine, 0, sizeof mine);
    pthread_mutex_init(&shared.mutex, NULL);        /* the parent's export thread may have held it */
    shared.inside_fn = look;
}

static tel_desc load_desc(tel_sink* sink) {
    tel_desc d = capture_desc(&shared, sink);
    shared.counter_name = "fork.counter";
    d.batch_interval_ms = 2;
    d.no_thread = !CHILD_THREADS;
    return d;
}

/* ---- load in the parent ---- */

static volatile int going;
static uint64_t written[3];
static void* load(void* arg) {
    uint64_t* n = (uint64_t*)arg;
    while (__atomic_load_n(&going, __ATOMIC_RELAXED)) {
        rest_begin();
        tel_counter_add(&counter, 1);
        tel_histogram_record(&histogram, 0.02);
        TEL_SPAN(s, "parent span") {
            tel_span_set(s, tel_int("n", 1));
            tel_log(TEL_INFO, "parent log", TEL_NOATTRS);
        }
        (*n)++;
        rest_end();
        if (*n % 64 == 0) { usleep(200); }
    }
    return NULL;
}
static void* one_record(void* arg) {
    uint64_t* n = (uint64_t*)arg;
    tel_counter_add(&counter, 1);
    tel_histogram_record(&histogram, 0.02);
    TEL_SPAN(s, "parent span") { tel_log(TEL_INFO, "parent log", TEL_NOATTRS); }
    (*n)++;
    return NULL;
}
static void* come_and_go(void* arg) {
    (void)arg;
    while (__atomic_load_n(&going, __ATOMIC_RELAXED)) {
        pthread_t t;
        rest_begin();
        if (pthread_create(&t, NULL, one_record, &written[2]) == 0) { pthread_join(t, NULL); }
        rest_end();
        usleep(100);
    }
    return NULL;
}

static void record_in_child(int records) {
    int i;
    for (i = 0; i < records; i++) {
        tel_counter_add(&counter, 1);
        tel_histogram_record(&histogram, 0.5);
        TEL_SPAN(s, "child span") { last_span = s->context; }
        tel_log(TEL_INFO, "child log", TEL_NOATTRS);
    }
}

static void tell(int fd) {
    mine.ok = 1;
    if (write(fd, &mine, sizeof mine) != (ssize_t)sizeof mine) { _exit(9); }
}

static void in_child(int i) {
    alarm(20);
    capture_child();
    shared.counter = 0;
    mine.recorded = (long long)(tel_query_stats().recorded[1] + tel_query_stats().recorded[2]);
    record_in_child(5);
    mine.flushed = tel_flush(10000);
    {
        tel_stats s = tel_query_stats();
        mine.dropped = (long long)(s.dropped[1] + s.dropped[2]);
        mine.queued = (long long)(s.queued[1] + s.queued[2]);
        mine.live = (long long)s.spans_live;
    }
    if (i % 3 == 0) { mine.shutdown = tel_shutdown(5000); }
    tell(report_pipe[1]);
    _exit(0);                                       /* exit is for the quiet parents below */
}

/* true: a whole report came before the watchdog's patience ended. */
static bool read_report(report* r) {
    struct pollfd p;
    p.fd = report_pipe[0];
    p.events = POLLIN;
    memset(r, 0, sizeof *r);
    return poll(&p, 1, 30000) == 1 && read(report_pipe[0], r, sizeof *r) == (ssize_t)sizeof *r;
}

static void check_child(const report* r, const char* parent_instance) {
    if (r->spans != 5 || r->logs != 5 || r->counter != 5 || r->histogram != 5) {
        fprintf(stderr, "     spans %lld logs %lld counter %lld histogram %lld, flush %d, dropped %lld queued %lld\n", r->spans, r->logs,
                r->counter, r->histogram, r->flushed, r->dropped, r->queued);
    }
    CHECK_INT(r->flushed, TEL_OK);
    CHECK_INT(r->spans, 5);
    CHECK_INT(r->logs, 5);
    CHECK_INT(r->parent_records, 0);
    CHECK_INT(r->counter, 5);
    CHECK_INT(r->histogram, 5);
    CHECK_INT(r->gauge_seen, 0);                    /* it was set in the parent only */
    CHECK_INT(r->recorded, 0);
    CHECK_INT(r->dropped, 0);
    CHECK_INT(r->queued, 0);
    CHECK_INT(r->live, 0);
    CHECK_INT(r->shutdown, TEL_OK);
    CHECK(r->instance[0] && strcmp(r->instance, parent_instance) != 0);
}

static void test_fork_under_load(void) {
    static report reports[FORKS];
    char parent_instance[64] = "";
    pthread_t t[3];
    tel_sink sink;
    tel_desc d = load_desc(&sink), q;
    tel_sink_stats of_sink;
    tel_result flushed;
    tel_stats s;
    size_t k;
    int i, j;
    where = "fork_under_load";
    CHECK(pipe(report_pipe) == 0);
    d.no_thread = RESTING || !CHILD_THREADS;
    CHECK_INT(tel_init(&d), TEL_OK);
    q = tel_query_desc();
    for (k = 0; k < q.resource.count; k++) {
        if (strcmp(q.resource.items[k].key, "service.instance.id") == 0) {
            snprintf(parent_instance, sizeof parent_instance, "%.*s", (int)q.resource.items[k].as.s.size, q.resource.items[k].as.s.data);
        }
    }
    CHECK(parent_instance[0] != 0);
    tel_gauge_set(&gauge, 7);
    memset(written, 0, sizeof written);
    going = 1;
    for (i = 0; i < 2; i++) { pthread_create(&t[i], NULL, load, &written[i]); }
    pthread_create(&t[2], NULL, come_and_go, NULL);
    for (i = 0; i < FORKS; i++) {
        pid_t pid;
        pthread_mutex_lock(&said_mutex);            /* the test's own lock, whole in the child */
        pid = fork_at_rest();
        pthread_mutex_unlock(&said_mutex);
        if (pid == 0) { in_child(i); }
        if (d.no_thread) { tel_pump(1000); }
        if (pid < 0) { FAIL("fork"); break; }
        if (!read_report(&reports[i])) { FAIL("the child hangs or died"); kill(pid, SIGKILL); child_exit(pid); break; }
        CHECK_INT(child_exit(pid), 0);
        check_child(&reports[i], parent_instance);
        if (check__failed > 20) { break; }
    }
    __atomic_store_n(&going, 0, __ATOMIC_RELAXED);
    for (j = 0; j < 3; j++) { pthread_join(t[j], NULL); }
    for (i = 1; i < FORKS && !check__failed; i++) {
        for (j = 0; j < i; j++) {
            if (strcmp(reports[i].instance, reports[j].instance) == 0 || memcmp(reports[i].trace_id, reports[j].trace_id, 16) == 0 ||
                memcmp(reports[i].span_id, reports[j].span_id, 8) == 0) { FAIL("two children share an id"); i = j = FORKS; }
        }
    }
    flushed = tel_flush(20000);
    s = tel_query_stats();
    CHECK_INT(s.recorded[1], written[0] + written[1] + written[2]);
    CHECK_INT(s.recorded[2], s.recorded[1]);
    CHECK(tel_query_sink(0, &of_sink));       /* three threads that record without a pause: a ring or the queue may be full */
    CHECK(flushed == TEL_OK || (flushed == TEL_ERR_IO && s.dropped[1] + s.dropped[2] + of_sink.dropped_full[1] + of_sink.dropped_full[2] > 0));
    CHECK_INT(s.recorded[1], shared.spans + s.dropped[1] + of_sink.dropped_full[1]);
    CHECK_INT(s.recorded[2], shared.logs + s.dropped[2] + of_sink.dropped_full[2]);
    CHECK_INT(of_sink.dropped_failed[1] + of_sink.dropped_failed[2], 0);
    CHECK(shared.spans > 0);
    CHECK_INT(shared.counter, s.recorded[1]);
    CHECK_INT(shared.histogram_count, s.recorded[1]);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    close(report_pipe[0]);
    close(report_pipe[1]);
}

/* ---- a parent with one thread: exit, grandchildren, scopes ---- */

/* The pre-fork server: the forking thread has recorded nothing itself, and nobody flushes: the child's export thread must. */
static void test_prefork(void) {
    tel_sink sink;
    tel_desc d = load_desc(&sink);
    pid_t pid;
    where = "prefork";
    CHECK_INT(tel_init(&d), TEL_OK);
    pid = fork();
    if (pid == 0) {
        int n = 0;
        alarm(20);
        record_in_child(1);
        while (n < 2) {                             /* the alarm ends it */
            usleep(1000);
            pthread_mutex_lock(&shared.mutex);
            n = (int)(shared.logs + shared.spans);
            pthread_mutex_unlock(&shared.mutex);
        }
        _exit(n);
    }
    CHECK_INT(child_exit(pid), 2);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(shared.logs, 0);
}

static void report_at_exit(void) { tell(report_pipe[1]); }

/* A child that records and calls exit: its hook delivers. One that records nothing delivers nothing. */
static void test_exit(bool records) {
    report r;
    pid_t pid;
    where = records ? "exit" : "exit, quiet";
    fflush(NULL);
    CHECK(pipe(report_pipe) == 0);
    pid = fork();
    if (pid == 0) {                                 /* a process of its own: the order of atexit is ours */
        tel_sink sink;
        tel_desc d = load_desc(&sink);
        pid_t child;
        int status;
        alarm(20);
        d.no_atexit = false;
        atexit(report_at_exit);
        if (tel_init(&d) != TEL_OK) { _exit(8); }
        tel_counter_add(&counter, 100);
        tel_log(TEL_INFO, "parent log", TEL_NOATTRS);
        child = fork();
        if (child == 0) {
            alarm(20);
            capture_child();
            if (records) { record_in_child(5); }
            exit(0);
        }
        status = child_exit(child);
        tel_shutdown(5000);
        _exit(status < 0 ? 7 : status);
    }
    CHECK(read_report(&r));
    CHECK_INT(child_exit(pid), 0);
    CHECK_INT(r.spans, records ? 5 : 0);
    CHECK_INT(r.logs, records ? 5 : 0);
    CHECK_INT(r.counter, records ? 5 : 0);
    CHECK_INT(r.parent_records, 0);
    if (!records) { CHECK_INT(r.metrics_seen, 0); }
    close(report_pipe[0]);
    close(report_pipe[1]);
}

/* fork inside a span, and a grandchild: the context goes on, the span itself stays with the one who started it. */
static void test_generations(void) {
    tel_sink sink;
    tel_desc d = load_desc(&sink);
    report r;
    int generation = 0;
    uint8_t trace_id[16];
    pid_t pid = 0;
    where = "generations";
    CHECK(pipe(report_pipe) == 0);
    CHECK_INT(tel_init(&d), TEL_OK);
    TEL_SPAN(s, "parent span") {
        tel_span other = tel_span_start("parent other");
        memcpy(trace_id, s->context.trace_id, 16);
        pid = fork();
        if (pid == 0) {
            alarm(20);
            capture_child();
            generation = 1;
            CHECK(!tel_span_recording(s));
            CHECK(!tel_span_recording(&other));
            CHECK(memcmp(tel_current().trace_id, trace_id, 16) == 0);
            record_in_child(2);
            pid = fork();
            if (pid == 0) {
                alarm(20);
                capture_child();
                generation = 2;
                record_in_child(3);
            }
        }
        tel_span_end(&other);
    }
    if (generation) {
        if (pid) { CHECK_INT(child_exit(pid), 0); }
        mine.flushed = tel_shutdown(5000);
        mine.recorded = check__failed;
        mine.counter += 1000 * generation;
        tell(report_pipe[1]);
        _exit(0);
    }
    CHECK(read_report(&r));
    CHECK_INT(r.counter, 2003);                     /* the grandchild ends first */
    CHECK_INT(r.spans, 3);
    CHECK_INT(r.logs, 3);
    CHECK_INT(r.parent_records, 0);
    CHECK(memcmp(r.trace_id, trace_id, 16) == 0);
    CHECK(read_report(&r));
    CHECK_INT(r.counter, 1002);
    CHECK_INT(r.spans, 2);
    CHECK_INT(r.parent_records, 0);
    CHECK_INT(r.recorded, 0);                       /* checks that failed in the child */
    CHECK_INT(r.flushed, TEL_OK);
    CHECK(memcmp(r.trace_id, trace_id, 16) == 0);
    CHECK_INT(child_exit(pid), 0);
    CHECK_INT(tel_query_stats().spans_live, 0);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(shared.spans, 2);
    close(report_pipe[0]);
    close(report_pipe[1]);
}

/* fork inside a sink's callback; the child returns from it and goes on. */
static volatile pid_t forked;
static void fork_inside(capture* c, const tel_batch* batch) {
    (void)batch;
    c->inside_fn = NULL;
    forked = fork();
    if (forked == 0) { alarm(20); }
}
static void test_fork_in_sink(void) {
    tel_sink sink;
    tel_desc d = load_desc(&sink);
    bool well;
    where = "fork_in_sink";
    d.no_thread = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "parent log", TEL_NOATTRS);
    tel_counter_add(&counter, 1);
    shared.inside_fn = fork_inside;
    tel_flush(10000);
    if (forked == 0) {
        alarm(20);
        memset(&mine, 0, sizeof mine);
        capture_init(&shared);
        shared.inside_fn = look;
        record_in_child(4);
        well = tel_flush(10000) == TEL_OK && mine.logs == 4 && mine.spans == 4 && mine.counter == 4 && mine.parent_records == 0;
        if (!well) { fprintf(stderr, "     child: logs %lld spans %lld counter %lld\n", mine.logs, mine.spans, mine.counter); }
        _exit(well ? 0 : 1);
    }
    CHECK(forked > 0);
    CHECK_INT(child_exit(forked), 0);
    CHECK_INT(shared.logs, 1);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* The same while metrics are collected: the child offers the parent's points to nobody else and counts none of them. */
static void fork_at_metrics(capture* c, const tel_batch* batch) { if (batch->metric_count) { fork_inside(c, batch); } }
static void test_fork_in_collection(void) {
    static capture second;
    tel_sink sinks[2];
    tel_desc d = load_desc(&sinks[0]);
    int status = -1, i;
    where = "fork_in_collection";
    capture_init(&second);
    sinks[1] = capture_sink(&second);
    d.sink_count = 2;
    d.no_thread = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_counter_add(&counter, 7);
    for (i = 0; i < 600; i++) {
        snprintf(many_names[i], sizeof many_names[i], "fork.many.%d", i);
        many[i].name = many_names[i];
        tel_counter_add(&many[i], 1);
    }
    second.counter_name = "fork.counter";
    shared.inside_fn = fork_at_metrics;
    tel_flush(10000);
    if (forked == 0) {
        alarm(20);
        CHECK_BOOKS();
        CHECK_INT(second.points, 0);
        CHECK_INT(tel_query_stats().recorded[0], 0);
        CHECK(second.counter == 0);
        tel_counter_add(&counter, 2);
        CHECK_INT(tel_flush(10000), TEL_OK);
        CHECK_BOOKS();
        CHECK(second.counter == 2);
        _exit(check__failed ? 1 : 0);
    }
    CHECK(forked > 0);
    waitpid(forked, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(second.counter == 7);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* The same in tel_shutdown: the child, too, comes back from it, and delivers nothing of the parent's. */
static void fork_in_shutdown(void) {
    tel_sink sink;
    tel_desc d = load_desc(&sink);
    tel_result r;
    int status = -1;
    where = "fork_in_shutdown";
    d.no_thread = true;                             /* else a thread of ours would be the one that forks */
    d.batch_interval_ms = 3600000;                  /* nothing leaves before the shutdown */
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "parent log", TEL_NOATTRS);
    TEL_SPAN(span, "parent span") { }
    tel_counter_add(&counter, 1);
    shared.inside_fn = fork_inside;
    r = tel_shutdown(10000);
    if (forked == 0) {
        alarm(20);
        CHECK_INT(r, TEL_OK);
        CHECK_INT(shared.spans + shared.logs, 1);   /* what the sink came back with; the other one is the parent's */
        CHECK_INT(shared.closed, 1);
        capture_init(&shared);
        d.no_thread = true;
        CHECK_INT(tel_init(&d), TEL_OK);
        tel_log(TEL_INFO, "child log", TEL_NOATTRS);
        CHECK_INT(tel_shutdown(10000), TEL_OK);
        CHECK_INT(shared.logs, 1);
        _exit(check__failed ? 1 : 0);
    }
    CHECK(forked > 0);
    waitpid(forked, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_INT(r, TEL_OK);
    CHECK_INT(shared.logs, 1);
    CHECK_INT(shared.spans, 1);
}
static void test_fork_in_shutdown(void) {
    fork_in_shutdown();
}

/* The scrape endpoint and the connection to a receiver stay with the parent. */
static void test_sockets(void) {
    static receiver r;
    tel_otlp_desc o;
    tel_prometheus_desc p;
    tel_sink sinks[2];
    tel_desc d;
    pid_t pid;
    where = "sockets";
    CHECK(receiver_start(&r, ANSWER_200, NULL));
    sinks[0] = receiver_sink(&r, &o, 20000);
    sinks[1] = scrape_sink(&p, TEL_ANY_PORT);
    d = test_desc(sinks, 2);
    d.no_thread = !CHILD_THREADS;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "parent log", TEL_NOATTRS);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(receiver_requests(&r), 1);
    pid = fork();
    if (pid == 0) {
        tel_sink_stats k;
        bool well;
        alarm(20);
        close(r.fd);
        well = tel_prometheus_port() == 0 && tel_query_sink(0, &k) && k.delivered[2] == 0 && k.queued[2] == 0;
        tel_log(TEL_INFO, "child log", TEL_NOATTRS);
        well = well && tel_shutdown(10000) == TEL_OK;           /* over a connection of its own */
        _exit(well ? 0 : 1);
    }
    CHECK_INT(child_exit(pid), 0);
    CHECK(tel_prometheus_port() != 0);
    tel_log(TEL_INFO, "parent log", TEL_NOATTRS);
    CHECK_INT(tel_flush(10000), TEL_OK);            /* over the connection from before */
    CHECK_INT(receiver_requests(&r), 3);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    receiver_stop(&r);
}

/* A thread of the child is about to record for the first time while the child shuts down: it makes no export thread for an
   instance that is gone. The allocator holds it in the middle of its registration. */
static volatile int hold, held;
static void* holding_alloc(size_t size, void* user_data) {
    (void)user_data;
    if (hold == 1) {
        hold = 2;
        __atomic_store_n(&held, 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&held, __ATOMIC_SEQ_CST)) { usleep(500); }
    }
    return malloc(size);
}
static void holding_free(void* p, void* user_data) { (void)user_data; free(p); }
static void* record_late(void* arg) { tel_log(TEL_INFO, "child log", TEL_NOATTRS); return arg; }

static void test_late_first_record(void) {
    tel_sink sink;
    tel_desc d = load_desc(&sink);
    pid_t pid;
    where = "late_first_record";
    d.allocator.alloc_fn = holding_alloc;
    d.allocator.free_fn = holding_free;
    CHECK_INT(tel_init(&d), TEL_OK);
    pid = fork();
    if (pid == 0) {
        pthread_t t;
        tel__pipeline* p = &tel_get_instance()->pipeline;
        tel_instance* inst = tel_get_instance();
        bool well;
        alarm(20);
        hold = 1;
        if (pthread_create(&t, NULL, record_late, NULL) != 0) { _exit(9); }
        while (!__atomic_load_n(&held, __ATOMIC_SEQ_CST)) { usleep(500); }
        tel__atomic_add_u32(&inst->refs, 1);            /* to look at it afterwards */
        well = tel_shutdown(1000) == TEL_OK;
        __atomic_store_n(&held, 0, __ATOMIC_SEQ_CST);
        pthread_join(t, NULL);
        _exit(well && !p->running ? 0 : 1);
    }
    CHECK_INT(child_exit(pid), 0);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* The child's export thread cannot be made: it is said, with nothing held that the one who hears it may ask for. */
static void hear_and_ask(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    hear(level, item, message, line, user_data);
    tel_query_stats();
}
static void test_no_thread_for_child(void) {
    tel_sink sink;
    tel_desc d = load_desc(&sink);
    pid_t pid;
    where = "no_thread_for_child";
    d.diag.report_fn = hear_and_ask;
    d.no_thread = false;
    CHECK_INT(tel_init(&d), TEL_OK);
    pid = fork();
    if (pid == 0) {
        alarm(20);
        no_threads = 1;
        tel_log(TEL_INFO, "child log", TEL_NOATTRS);
        _exit(heard("no thread could be started") && tel_flush(5000) == TEL_OK && shared.logs == 1 ? 0 : 1);
    }
    CHECK_INT(child_exit(pid), 0);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* A thread forks when the first tel_init of another has just registered the hooks: the child registers no second ones, which
   would lock everything twice at its own forks. */
static int first_fork;
static void* fork_in_init(void* arg) {
    pid_t pid = fork();
    if (pid == 0) {
        tel_sink sink;
        tel_desc d = load_desc(&sink);
        alarm(20);
        if (tel_init(&d) != TEL_OK) { _exit(2); }
        pid = fork();
        if (pid == 0) { _exit(0); }
        _exit(child_exit(pid));
    }
    first_fork = child_exit(pid);
    return arg;
}
static void fork_from_thread(void) {
    pthread_t t;
    hooks_made = NULL;
    if (pthread_create(&t, NULL, fork_in_init, NULL) == 0) { pthread_join(t, NULL); }
}
static void test_fork_in_init(void) {
    pid_t pid;
    where = "fork_in_init";
    pid = fork();
    if (pid == 0) {
        tel_sink sink;
        tel_desc d = load_desc(&sink);
        alarm(40);
        first_fork = -1;
        hooks_made = fork_from_thread;
        if (tel_init(&d) != TEL_OK) { _exit(9); }
        _exit(first_fork);
    }
    CHECK_INT(child_exit(pid), 0);
}

/* ---- what a child is ---- */

/* Between the fork and its first record the child calls neither the allocator nor the diagnostics of the program, whose locks
   may be held by a thread that is not there; and it exports nothing, whatever it is asked. */
static volatile int calls_from_child;
static pid_t parent_pid;
static void* watched_alloc(size_t size, void* user_data) { (void)user_data; if (getpid() != parent_pid) { calls_from_child++; } return malloc(size); }
static void watched_free(void* p, void* user_data) { (void)user_data; if (getpid() != parent_pid) { calls_from_child++; } free(p); }
static void watched_report(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    if (getpid() != parent_pid) { calls_from_child++; }
    hear(level, item, message, line, user_data);
}
static tel_desc watched_desc(tel_sink* sink) {
    tel_desc d = load_desc(sink);
    d.allocator.alloc_fn = watched_alloc;
    d.allocator.free_fn = watched_free;
    d.diag.report_fn = watched_report;
    d.batch_interval_ms = 60000;                    /* much is staged as the fork comes */
    parent_pid = getpid();
    return d;
}
static void test_idle_child(void) {
    tel_sink sink;
    tel_desc d = watched_desc(&sink);
    static uint64_t n[4];
    pthread_t t[4];
    pid_t pid;
    int i;
    where = "idle_child";
    CHECK_INT(tel_init(&d), TEL_OK);
    __atomic_store_n(&going, 1, __ATOMIC_RELAXED);
    for (i = 0; i < 4; i++) { CHECK(pthread_create(&t[i], NULL, load, &n[i]) == 0); }
    usleep(20000);
    for (i = 0; i < 20; i++) {
        pid = fork_at_rest();
        if (pid == 0) {
            alarm(20);
            capture_child();
            if (calls_from_child) { _exit(1); }
            if (tel_flush(1000) != TEL_OK || tel_pump(10) != TEL_OK) { _exit(2); }
            if (mine.spans || mine.logs || mine.metrics_seen) { _exit(3); }
            if (calls_from_child) { _exit(4); }
            if (UNDER_ASAN) { _exit(0); }           /* an arena that was in use as the fork came is left alone */
            exit(0);                                /* and nothing on the way out */
        }
        CHECK_INT(child_exit(pid), 0);
    }
    __atomic_store_n(&going, 0, __ATOMIC_RELAXED);
    for (i = 0; i < 4; i++) { pthread_join(t[i], NULL); }
    CHECK_INT(tel_shutdown(20000), TEL_OK);
}

/* A helper that logs a line and ends is no second instance of the service: none of the parent's observers runs in it, and no
   series of the parent's that it did not touch is exported, be it by tel_shutdown or at its exit. */
static int observed_in_child;
static void observe_parent(tel_observation* o, void* user_data) {
    (void)user_data;
    if (getpid() != parent_pid) { observed_in_child++; }
    tel_observe(o, 5, TEL_NOATTRS);
}
static void test_helper(void) {
    tel_observer_desc o;
    tel_observer* observer;
    tel_sink sink;
    tel_desc d = load_desc(&sink);
    pid_t pid;
    int way;
    where = "helper";
    d.no_self_metrics = true;
    parent_pid = getpid();
    CHECK_INT(tel_init(&d), TEL_OK);
    memset(&o, 0, sizeof o);
    o.name = "fork.observed";
    o.observe_fn = observe_parent;
    observer = tel_observer_new(&o);
    tel_counter_add(&counter, 3);
    tel_gauge_set(&gauge, 7);
    tel_histogram_record(&histogram, 0.5);
    CHECK_INT(tel_flush(5000), TEL_OK);
    for (way = 0; way < 2; way++) {
        pid = fork();
        if (pid == 0) {
            alarm(20);
            capture_child();
            tel_log(TEL_INFO, "child log", TEL_NOATTRS);
            if (way == 1) {
                if (tel_flush(5000) != TEL_OK || mine.logs != 1 || mine.metrics_seen || observed_in_child) { _exit(1); }
                tel_counter_add(&counter, 2);
            }
            if (tel_shutdown(5000) != TEL_OK || mine.logs != 1 || observed_in_child) { _exit(2); }
            if (mine.metrics_seen != way || mine.counter != 2 * way) { _exit(3); }
            _exit(0);
        }
        CHECK_INT(child_exit(pid), 0);
    }
    tel_observer_end(observer);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* A child that says it reports nothing does so, also at its end; it may start a telemetry of its own. */
static void test_silent(void) {
    tel_sink sink;
    tel_desc d = load_desc(&sink);
    pid_t pid;
    where = "silent";
    CHECK_INT(tel_fork_child(TEL_CHILD_SILENT), TEL_ERR_STATE);         /* nothing is initialised */
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK_INT(tel_fork_child(TEL_CHILD_SILENT), TEL_ERR_STATE);         /* this is no child */
    tel_counter_add(&counter, 1);
    TEL_SPAN(s, "parent span") { tel_log(TEL_INFO, "parent log", TEL_NOATTRS); }
    pid = fork();
    if (pid == 0) {
        pid_t grandchild;
        alarm(20);
        capture_child();
        if (tel_fork_child(TEL_CHILD_SILENT) != TEL_OK || tel_enabled()) { _exit(1); }
        tel_counter_add(&counter, 1);
        TEL_SPAN(s, "child span") { tel_log(TEL_INFO, "child log", TEL_NOATTRS); }
        if (tel_flush(1000) != TEL_ERR_STATE || tel_shutdown(1000) != TEL_ERR_STATE) { _exit(2); }
        grandchild = fork();
        if (grandchild == 0) { tel_log(TEL_INFO, "child log", TEL_NOATTRS); exit(mine.logs || mine.spans ? 1 : 0); }
        if (child_exit(grandchild) != 0) { _exit(3); }
        if (mine.logs || mine.spans || mine.metrics_seen) { _exit(4); }
        d = load_desc(&sink);
        capture_child();
        if (tel_init(&d) != TEL_OK) { _exit(5); }
        tel_counter_add(&counter, 7);
        tel_log(TEL_INFO, "child log", TEL_NOATTRS);
        if (tel_shutdown(5000) != TEL_OK || mine.logs != 1 || mine.counter != 7) { _exit(6); }
        exit(0);
    }
    CHECK_INT(child_exit(pid), 0);
    pid = fork();
    if (pid == 0) {                                 /* too late */
        alarm(20);
        capture_child();
        tel_log(TEL_INFO, "child log", TEL_NOATTRS);
        _exit(tel_fork_child(TEL_CHILD_SILENT) == TEL_ERR_STATE ? 0 : 1);
    }
    CHECK_INT(child_exit(pid), 0);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* A child that is the service now has the scrape endpoint; one that is not is told where it is. */
static void test_service(void) {
    tel_prometheus_desc p;
    tel_sink sinks[2];
    tel_desc d;
    pid_t pid;
    where = "service";
    memset(&shared, 0, sizeof shared);
    d = load_desc(&sinks[0]);
    sinks[1] = scrape_sink(&p, TEL_ANY_PORT);
    d.sinks = sinks;
    d.sink_count = 2;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK_INT(tel_fork_child(TEL_CHILD_SERVICE), TEL_ERR_STATE);
    pid = fork();
    if (pid == 0) {
        char answer[8192];
        alarm(20);
        capture_child();
        hear_reset();
        if (tel_prometheus_port() != 0) { _exit(1); }
        if (tel_fork_child(TEL_CHILD_SERVICE) != TEL_OK || !tel_prometheus_port()) { _exit(2); }
        tel_counter_add(&counter, 5);
        scrape(tel_prometheus_port(), "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", answer, sizeof answer);
        if (!strstr(answer, "\nfork_counter_total 5\n")) { _exit(3); }
        if (heard("stays with the parent")) { _exit(4); }
        _exit(tel_shutdown(5000) == TEL_OK ? 0 : 5);
    }
    CHECK_INT(child_exit(pid), 0);
    pid = fork();
    if (pid == 0) {
        alarm(20);
        capture_child();
        hear_reset();
        tel_log(TEL_INFO, "child log", TEL_NOATTRS);
        if (tel_flush(5000) != TEL_OK || !heard("stays with the parent")) { _exit(1); }
        _exit(tel_shutdown(5000) == TEL_OK ? 0 : 2);
    }
    CHECK_INT(child_exit(pid), 0);
    CHECK(tel_prometheus_port() != 0);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* As daemon() does: the parent, which had the port, ends; the child takes it over, however long the parent lingers. */
static void test_daemon(void) {
    int ends[2];
    char well = 0;
    receiver probe;
    pid_t pid;
    where = "daemon";
    CHECK(receiver_listen(&probe));                 /* a port that is free */
    close(probe.fd);
    CHECK(pipe(ends) == 0);
    pid = fork();
    if (pid == 0) {
        tel_prometheus_desc p;
        tel_sink sink = scrape_sink(&p, probe.port);
        tel_desc d = test_desc(&sink, 1);
        int i;
        alarm(40);
        d.no_thread = !CHILD_THREADS;
        if (tel_init(&d) != TEL_OK) { _exit(1); }
        if (fork() != 0) { usleep(50000); _exit(0); }
        i = (int)tel_fork_child(TEL_CHILD_SERVICE);
        if (i != TEL_OK && i != TEL_ERR_IO) { _exit(2); }
        for (i = 0; i < 3000 && !tel_prometheus_port(); i++) { usleep(10000); tel_pump(1); }
        well = tel_prometheus_port() == probe.port;
        if (write(ends[1], &well, 1) != 1) { _exit(3); }
        tel_shutdown(5000);
        _exit(0);
    }
    close(ends[1]);
    CHECK_INT(child_exit(pid), 0);
    CHECK(read(ends[0], &well, 1) == 1 && well);
    close(ends[0]);
}

int main(void) {
    capture_watchdog(150);
    if (CHILD_THREADS) { test_fork_in_init(); }
    test_exit(true);
    test_exit(false);
    if (CHILD_THREADS) { test_prefork(); }
    test_generations();
    test_fork_in_sink();
    test_fork_in_collection();
    test_fork_in_shutdown();
    test_idle_child();
    test_helper();
    test_silent();
    if (CHILD_THREADS) { test_service(); }
    if (CHILD_THREADS) { test_daemon(); }
    test_sockets();
    if (CHILD_THREADS) { test_late_first_record(); }
    test_no_thread_for_child();
    test_fork_under_load();
    return check_done();
}
