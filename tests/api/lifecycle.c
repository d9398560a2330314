/* Lifecycle: every way to start and to end, in and out of order; sinks that misbehave; two instances; exit. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"

static tel_counter hits = TEL_INSTRUMENT("life.hits", "{hit}", "Hits");

static void record_everything(void) {
    tel_counter_add(&hits, 1);
    TEL_SPAN(s, "work") {
        tel_span_set(s, tel_int("n", 1));
        tel_log(TEL_INFO, "inside", TEL_NOATTRS);
    }
}

/* ---- order of calls ---- */

static void test_before_init(void) {
    tel_sink_stats k;
    tel_desc d;
    where = "before_init";
    record_everything();
    CHECK(!tel_enabled());
    CHECK_INT(tel_flush(10), TEL_ERR_STATE);
    CHECK_INT(tel_pump(10), TEL_ERR_STATE);
    CHECK_INT(tel_shutdown(10), TEL_ERR_STATE);
    CHECK_INT(tel_prometheus_port(), 0);
    CHECK(!tel_query_sink(0, &k));
    CHECK_INT(tel_query_stats().recorded[1], 0);
    d = tel_query_desc();
    CHECK(d.service_name == NULL);
    CHECK(tel_get_instance() == NULL);
}

static void test_twice(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    where = "twice";
    d = capture_desc(&c, &sink);
    c.counter_name = "life.hits";
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK_INT(tel_init(&d), TEL_ERR_STATE);
    CHECK(tel_enabled());
    CHECK_INT(c.opened, 1);
    record_everything();
    CHECK(tel_query_stats().ignored > 0);           /* what test_before_init recorded */
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(c.spans, 1);
    CHECK_INT(c.logs, 1);
    CHECK_INT(c.counter, 1);                        /* counts from before tel_init are not in it */
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(c.closed, 1);
    CHECK_INT(tel_shutdown(5000), TEL_ERR_STATE);
    CHECK(!tel_enabled());
    record_everything();                            /* after: a no-op */
    CHECK_INT(c.spans, 1);
    CHECK_INT(tel_init(&d), TEL_OK);                /* and again: everything counts from zero */
    record_everything();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(c.spans, 2);
    CHECK_INT(c.logs, 2);
    CHECK_INT(c.counter, 1);
}

static void* shut(void* arg) { *(tel_result*)arg = tel_shutdown(5000); return NULL; }

static void test_concurrent_shutdown(void) {
    int round, i, well;
    where = "concurrent_shutdown";
    for (round = 0; round < 20; round++) {
        capture c;
        tel_sink sink;
        tel_desc d;
        tel_result r[4];
        pthread_t t[4];
        d = capture_desc(&c, &sink);
        CHECK_INT(tel_init(&d), TEL_OK);
        record_everything();
        for (i = 0; i < 4; i++) { pthread_create(&t[i], NULL, shut, &r[i]); }
        for (i = 0; i < 4; i++) { pthread_join(t[i], NULL); }
        for (i = well = 0; i < 4; i++) {
            well += r[i] == TEL_OK;
            CHECK(r[i] == TEL_OK || r[i] == TEL_ERR_STATE);
        }
        CHECK(well >= 1);                           /* those that came meanwhile have waited and say the same */
        CHECK_INT(c.closed, 1);
        CHECK_INT(c.spans, 1);
        CHECK_INT(c.logs, 1);
    }
}

static void test_cycles(void) {
    static counting memory = COUNTING;
    int i;
    where = "cycles";
    for (i = 0; i < 100; i++) {
        capture c;
        tel_sink sink;
        tel_desc d = capture_desc(&c, &sink);
        d.allocator = counting_allocator(&memory);
        if (tel_init(&d) != TEL_OK) { FAIL("tel_init"); return; }
        record_everything();
        if (tel_shutdown(5000) != TEL_OK || c.spans != 1 || c.logs != 1 || c.closed != 1) { FAIL("cycle"); return; }
        if (counting_live(&memory) != 0) { CHECK_INT(counting_live(&memory), 0); return; }
    }
    CHECK(memory.calls > 100);
    CHECK_INT(counting_live(&memory), 0);
}

static bool somebody_stops(void) {
    bool stops;
    tel__thread_mutex_lock(&tel__root.mutex);
    stops = tel__root.stopping;
    tel__thread_mutex_unlock(&tel__root.mutex);
    return stops;
}

/* One who comes while another shuts down waits for that, and gets its result. */
static void test_second_shutdown(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    tel_result first = TEL_ERR_BUILD;
    pthread_t t;
    int i;
    where = "second_shutdown";
    for (i = 0; i < 2; i++) {
        d = capture_desc(&c, &sink);
        c.sleep_us = 200000;
        c.fail_times = i ? -1 : 0;
        c.fail_with = TEL_ERR_FORMAT;
        CHECK_INT(tel_init(&d), TEL_OK);
        record_everything();
        CHECK(pthread_create(&t, NULL, shut, &first) == 0);
        while (!somebody_stops()) { usleep(1000); }
        CHECK_INT(tel_shutdown(0), TEL_ERR_TIMEOUT);
        CHECK_INT(tel_shutdown(30000), i ? TEL_ERR_IO : TEL_OK);
        CHECK(!somebody_stops() && !tel_enabled());
        CHECK_INT(c.closed, 1);
        pthread_join(t, NULL);
        CHECK_INT(first, i ? TEL_ERR_IO : TEL_OK);
    }
}

/* The process ends while another thread is in tel_shutdown: it ends when that is through. */
static void* shut_and_stay(void* arg) { *(tel_result*)arg = tel_shutdown(20000); for (;;) { pause(); } return NULL; }
static void tell(capture* c, const tel_batch* batch) {
    (void)c;
    usleep(300000);
    if (batch->span_count && write(3, "!", 1) != 1) { _exit(9); }
}
static void test_exit_meanwhile(void) {
    int ends[2], status = -1;
    char told = 0;
    pid_t pid;
    where = "exit_meanwhile";
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        static capture c;
        static tel_result r;
        tel_sink sink;
        tel_desc d;
        pthread_t t;
        alarm(60);
        dup2(ends[1], 3);
        d = capture_desc(&c, &sink);
        c.inside_fn = tell;
        if (tel_init(&d) != TEL_OK) { _exit(1); }
        record_everything();
        if (pthread_create(&t, NULL, shut_and_stay, &r) != 0) { _exit(2); }
        while (!somebody_stops()) { usleep(1000); }
        exit(17);
    }
    close(ends[1]);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 17);
    CHECK(read(ends[0], &told, 1) == 1 && told == '!');
    close(ends[0]);
}

/* What was lost long ago is not what a shutdown has lost. */
static void test_lost_before(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    where = "lost_before";
    d = capture_desc(&c, &sink);
    c.fail_times = 100;
    c.fail_with = TEL_ERR_FORMAT;
    d.ignore_env = false;
    setenv("OTEL_LOG_LEVEL", "info", 1);
    CHECK_INT(tel_init(&d), TEL_OK);
    unsetenv("OTEL_LOG_LEVEL");
    record_everything();
    tel_flush(5000);
    CHECK(tel_query_stats().failed[1] == 1 && tel_query_stats().failed[2] == 1);
    pthread_mutex_lock(&c.mutex);
    c.fail_times = 0;
    pthread_mutex_unlock(&c.mutex);
    record_everything();
    hear_reset();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK(heard("lost before the shutdown"));
    CHECK(heard("1 spans, 1 log records"));
    CHECK_INT(c.spans, 1);
}

/* A thread that has recorded holds the instance after its shutdown, until it ends or makes another record, whatever is
   initialised by then. */
static volatile int stage;
static void* record_and_wait(void* arg) {
    record_everything();
    __atomic_store_n(&stage, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&stage, __ATOMIC_SEQ_CST) != 2) { usleep(500); }
    record_everything();                            /* nothing is initialised: it lets go all the same */
    __atomic_store_n(&stage, 3, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&stage, __ATOMIC_SEQ_CST) != 4) { usleep(500); }
    return arg;
}
static void test_letting_go(void) {
    static counting memory = COUNTING;
    capture c;
    tel_sink sink;
    tel_desc d;
    pthread_t t;
    where = "letting_go";
    d = capture_desc(&c, &sink);
    d.allocator = counting_allocator(&memory);
    CHECK_INT(tel_init(&d), TEL_OK);
    stage = 0;
    CHECK(pthread_create(&t, NULL, record_and_wait, NULL) == 0);
    while (__atomic_load_n(&stage, __ATOMIC_SEQ_CST) != 1) { usleep(500); }
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK(counting_live(&memory) > 0);
    __atomic_store_n(&stage, 2, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&stage, __ATOMIC_SEQ_CST) != 3) { usleep(500); }
    CHECK_INT(counting_live(&memory), 0);
    __atomic_store_n(&stage, 4, __ATOMIC_SEQ_CST);
    pthread_join(t, NULL);
}

/* ---- init that fails ---- */

static void test_bad_desc(void) {
    tel_sink sink;
    capture c;
    tel_desc d;
    where = "bad_desc";
    memset(&d, 0xaa, sizeof d);
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    memset(&d, 0, sizeof d);
    d.tel__canary_end = 7;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    CHECK(!tel_enabled());
    capture_init(&c);
    sink = capture_sink(&c);
    d = test_desc(&sink, 17);
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    CHECK(heard("sink_count"));
    d = test_desc(&sink, 1);
    d.ring_bytes = 5000;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    CHECK(heard("ring_bytes"));
    sink.export_fn = NULL;                          /* open_fn may set it, and does not */
    d = test_desc(&sink, 1);
    CHECK_INT(tel_init(&d), TEL_ERR_IO);            /* it runs, without this sink */
    CHECK(heard("export_fn"));
    CHECK_INT(c.opened, c.closed);
    tel_shutdown(5000);
    sink.open_fn = NULL;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    CHECK(heard("export_fn"));
    CHECK_INT(c.opened, c.closed);
    CHECK_INT(tel__init(NULL, TEL__BUILD_TAG ^ 1u), TEL_ERR_BUILD);
    CHECK_INT(tel_shutdown(10), TEL_ERR_STATE);     /* after a failed init */
    record_everything();
}

static void test_environment(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    where = "environment";
    d = capture_desc(&c, &sink);
    d.ignore_env = false;
    setenv("OTEL_SDK_DISABLED", "true", 1);
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK(!tel_enabled());
    record_everything();
    CHECK_INT(tel_flush(10), TEL_ERR_STATE);
    CHECK_INT(tel_init(NULL), TEL_OK);              /* NULL desc, disabled: nothing to send to */
    setenv("OTEL_SDK_DISABLED", "false", 1);
    setenv("OTEL_SERVICE_NAME", "from-environment", 1);
    d.service_name = NULL;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK_STR(tel_query_desc().service_name, "from-environment");
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    unsetenv("OTEL_SERVICE_NAME");
    unsetenv("OTEL_SDK_DISABLED");
    CHECK_INT(c.opened, 1);
}

/* What OTEL_*_EXPORTER says: which sinks there are when the code names none, and what "none" takes from those it names. */
static void test_exporters(void) {
    tel_sink_stats books;
    capture c;
    tel_sink sink;
    tel_desc d;
    where = "exporters";
    setenv("OTEL_TRACES_EXPORTER", "none", 1);
    setenv("OTEL_METRICS_EXPORTER", "prometheus", 1);
    setenv("OTEL_LOGS_EXPORTER", "otlp", 1);
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", 1);
    setenv("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1", 1);
    setenv("OTEL_EXPORTER_PROMETHEUS_PORT", "0", 1);
    setenv("OTEL_LOG_LEVEL", "none", 1);
    CHECK_INT(tel_init(NULL), TEL_OK);
    CHECK(tel_prometheus_port() != 0);
    CHECK_INT(tel_query_desc().sink_count, 2);
    record_everything();
    tel_flush(50);
    CHECK(tel_query_sink(0, &books));
    CHECK_INT(books.queued[1] + books.delivered[1] + books.dropped_failed[1] + books.dropped_full[1], 0);
    CHECK_INT(books.queued[2] + books.dropped_failed[2], 1);
    tel_shutdown(200);
    setenv("OTEL_METRICS_EXPORTER", "none", 1);
    setenv("OTEL_LOGS_EXPORTER", "none", 1);
    CHECK_INT(tel_init(NULL), TEL_OK);
    CHECK_INT(tel_query_desc().sink_count, 0);
    record_everything();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    unsetenv("OTEL_LOGS_EXPORTER");
    capture_init(&c);
    sink = capture_sink(&c);
    d = test_desc(&sink, 1);
    d.ignore_env = false;
    CHECK_INT(tel_init(&d), TEL_OK);
    record_everything();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(c.spans, 0);
    CHECK_INT(c.points, 0);
    CHECK_INT(c.logs, 1);
    unsetenv("OTEL_TRACES_EXPORTER");
    unsetenv("OTEL_METRICS_EXPORTER");
    unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    unsetenv("OTEL_EXPORTER_PROMETHEUS_HOST");
    unsetenv("OTEL_EXPORTER_PROMETHEUS_PORT");
    unsetenv("OTEL_LOG_LEVEL");
}

static void test_null_desc(void) {
    where = "null_desc";
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", 1);     /* the default sink must find nobody */
    setenv("OTEL_LOG_LEVEL", "none", 1);
    CHECK_INT(tel_init(NULL), TEL_OK);
    CHECK(strncmp(tel_query_desc().service_name, "unknown_service", 15) == 0);
    CHECK_INT(tel_query_desc().max_threads, 128);
    CHECK_INT(tel_query_desc().ring_bytes, 16 << 20);
    record_everything();
    CHECK(tel_shutdown(200) != TEL_OK);
    unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    unsetenv("OTEL_LOG_LEVEL");
}

/* The time to try again has come. */
static void hurry(size_t sink) {
    tel_instance* inst = tel__instance_acquire();
    CHECK(tel__round_enter(&inst->pipeline, UINT64_MAX));
    inst->pipeline.sinks[sink]->reopen_at = 0;
    tel__round_leave(&inst->pipeline);
    tel__instance_release(inst);
}

/* A taken port leaves out the scrape sink and nothing else; when the port is free, it is there. */
static void test_port_taken(void) {
    receiver taken;
    capture c;
    tel_prometheus_desc p;
    tel_sink_stats books;
    tel_sink sinks[2];
    tel_desc d;
    int i;
    static counting memory = COUNTING;
    where = "port_taken";
    CHECK(receiver_listen(&taken));
    capture_init(&c);
    sinks[0] = scrape_sink(&p, taken.port);
    sinks[1] = capture_sink(&c);
    d = test_desc(sinks, 2);
    d.allocator = counting_allocator(&memory);
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_ERR_IO);
    CHECK(heard("127.0.0.1"));
    CHECK(tel_enabled());
    CHECK_INT(tel_prometheus_port(), 0);
    record_everything();
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(c.spans, 1);
    CHECK_INT(c.logs, 1);
    CHECK(tel_query_sink(0, &books) && books.dropped_failed[1] == 0);           /* nothing is pushed to it */
    hurry(0);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(tel_prometheus_port(), 0);                    /* still taken */
    close(taken.fd);                                /* free again, unless somebody else takes it this very moment */
    for (i = 0; i < 100 && !tel_prometheus_port(); i++) {
        hurry(0);
        CHECK_INT(tel_flush(5000), TEL_OK);
        if (i) { usleep(20000); }
    }
    CHECK_INT(tel_prometheus_port(), p.port);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(c.closed, 1);
    CHECK_INT(counting_live(&memory), 0);
}

static void test_bad_url(void) {
    static const struct { const char* url; const char* part; } bad[] = {
        { "htp://x", "endpoint" }, { "localhost", "endpoint" }, { "http://", "endpoint" }, { "http://host:99999", "endpoint" },
#if !defined(TELEMETRY_CURL)
        { "https://localhost:4318", "TELEMETRY_CURL" },
#endif
        { "http://bad host/", "endpoint" }
    };
    size_t i;
    static counting memory = COUNTING;
    where = "bad_url";
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tel_otlp_desc o;
        tel_sink sinks[2];
        tel_sink_stats books;
        capture c;
        tel_desc d;
        memset(&o, 0, sizeof o);
        o.endpoint = bad[i].url;
        capture_init(&c);
        sinks[0] = tel_sink_otlp(&o);
        sinks[1] = capture_sink(&c);
        d = test_desc(sinks, 2);
        d.allocator = counting_allocator(&memory);
        hear_reset();
        CHECK_INT(tel_init(&d), TEL_ERR_IO);
        CHECK(heard(bad[i].part));
        CHECK(said_errors >= 1);
        CHECK(tel_enabled());
        record_everything();
        tel_flush(5000);
        CHECK_INT(c.spans, 1);
        CHECK(tel_query_sink(0, &books) && books.dropped_failed[1] == 1 && books.dropped_failed[2] == 1);
        CHECK_BOOKS();
        tel_shutdown(5000);
        CHECK_INT(counting_live(&memory), 0);
    }
}

/* What an open_fn that fails means: out for good, or another try. Without memory nothing starts. */
static void test_open_fails(void) {
    static const tel_result failures[] = { TEL_ERR_LIMIT, TEL_ERR_IO, TEL_ERR_TIMEOUT, TEL_ERR_MEMORY };
    capture c[4];
    tel_sink sinks[4];
    tel_desc d;
    int i, failing;
    static counting memory = COUNTING;
    where = "open_fails";
    for (failing = 0; failing < 4; failing++) {
        bool waits = failures[failing] == TEL_ERR_IO || failures[failing] == TEL_ERR_TIMEOUT;
        for (i = 0; i < 4; i++) {
            capture_init(&c[i]);
            sinks[i] = capture_sink(&c[i]);
        }
        c[failing].open_with = failures[failing];
        d = test_desc(sinks, 4);
        d.allocator = counting_allocator(&memory);
        hear_reset();
        CHECK_INT(tel_init(&d), failing < 3 ? TEL_ERR_IO : TEL_ERR_MEMORY);
        CHECK(heard("capture"));
        CHECK(tel_enabled() == (failing < 3));
        if (failing == 3) {
            for (i = 0; i < 4; i++) { CHECK_INT(c[i].closed, i < 3); }
            CHECK_INT(counting_live(&memory), 0);
            continue;
        }
        record_everything();
        tel_flush(5000);
        for (i = 0; i < 4; i++) { CHECK_INT(c[i].spans, i != failing); }
        CHECK_BOOKS();
        c[failing].open_with = TEL_OK;
        hurry((size_t)failing);
        record_everything();
        tel_flush(5000);
        CHECK_INT(c[failing].opened, waits);
        CHECK_INT(c[failing].spans, waits);
        CHECK_BOOKS();
        tel_shutdown(5000);
        for (i = 0; i < 4; i++) { CHECK_INT(c[i].closed, i != failing || waits); }
        CHECK_INT(counting_live(&memory), 0);
    }
}

/* ---- no thread of our own ---- */

static void test_no_thread(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    int i;
    where = "no_thread";
    d = capture_desc(&c, &sink);
    d.no_thread = true;
    d.batch_interval_ms = 1;
    CHECK_INT(tel_init(&d), TEL_OK);
    record_everything();
    usleep(50000);
    CHECK_INT(c.calls, 0);                          /* nobody works but us */
    for (i = 0; i < 200 && !(c.spans && c.logs); i++) {
        CHECK_INT(tel_pump(100), TEL_OK);
        usleep(2000);
    }
    CHECK_INT(c.spans, 1);
    CHECK_INT(c.logs, 1);
    CHECK_BOOKS();
    record_everything();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(c.spans, 2);
}

/* ---- sinks that misbehave ---- */

static tel_result from_sink[6];
static void call_back(capture* c, const tel_batch* batch) {
    tel_sink into = capture_sink(c);
    char text[8];
    (void)batch;
    from_sink[0] = tel_flush(1000);
    from_sink[1] = tel_shutdown(1000);
    from_sink[2] = tel_pump(1000);
    from_sink[3] = tel_collect(&into);
    from_sink[4] = tel_init(NULL);
    tel_prometheus_print(text, sizeof text);
    record_everything();                            /* ignored */
    tel_histogram_record(NULL, 1);
    c->inside++;
}

static void test_sink_calls_back(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    int i;
    where = "sink_calls_back";
    d = capture_desc(&c, &sink);
    c.inside_fn = call_back;
    c.counter_name = "life.hits";
    CHECK_INT(tel_init(&d), TEL_OK);
    record_everything();
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(c.inside >= 2);
    for (i = 0; i < 5; i++) { CHECK_INT(from_sink[i], TEL_ERR_STATE); }
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(c.spans, 1);
    CHECK_INT(c.logs, 1);
    CHECK_INT(c.counter, 1);
    CHECK_INT(tel_query_stats().recorded[1], 1);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

static void test_retry(void) {
    capture c, good;
    tel_sink sinks[2];
    tel_desc d;
    tel_sink_stats k;
    where = "retry";
    capture_init(&c);
    capture_init(&good);
    sinks[0] = capture_sink(&c);
    sinks[1] = capture_sink(&good);
    sinks[0].signal_mask = TEL_SIGNAL_SPANS;
    c.fail_times = 2;
    d = test_desc(sinks, 2);
    CHECK_INT(tel_init(&d), TEL_OK);
    record_everything();
    CHECK_INT(tel_flush(30000), TEL_OK);
    CHECK_INT(c.calls, 3);
    CHECK_INT(c.spans, 1);                          /* delivered once */
    CHECK_INT(good.spans, 1);
    CHECK(tel_query_sink(0, &k));
    CHECK_INT(k.delivered[1], 1);
    CHECK_INT(k.dropped_failed[1], 0);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(c.logs, 0);
    CHECK_INT(good.logs, 1);
}

static void test_fails_for_good(void) {
    capture c, good;
    tel_sink sinks[2];
    tel_sink_stats k;
    tel_stats s;
    tel_desc d;
    where = "fails_for_good";
    capture_init(&c);
    capture_init(&good);
    c.fail_times = -1;
    c.fail_with = TEL_ERR_FORMAT;
    sinks[0] = capture_sink(&c);
    sinks[1] = capture_sink(&good);
    d = test_desc(sinks, 2);
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_OK);
    record_everything();
    tel_flush(5000);
    CHECK(tel_query_sink(0, &k));
    CHECK_STR(k.name, "capture");
    CHECK_INT(k.delivered[1], 0);
    CHECK_INT(k.dropped_failed[1], 1);
    CHECK_INT(k.dropped_failed[2], 1);
    CHECK(k.dropped_failed[0] >= 1);
    CHECK(tel_query_sink(1, &k));
    CHECK_INT(k.delivered[1], 1);
    CHECK(!tel_query_sink(2, &k));
    s = tel_query_stats();
    CHECK_INT(s.failed[1], 1);
    CHECK_INT(s.exported[1], 1);
    CHECK_BOOKS();
    CHECK(heard("dropped"));
    CHECK_INT(tel_shutdown(5000), TEL_ERR_IO);
    CHECK(heard("1 spans"));                        /* the diagnostic says how much was lost */
    CHECK_INT(c.closed, 1);
    CHECK_INT(good.closed, 1);
}

/* A sink that never takes anything: shutdown ends, says so, and leaves no memory behind. */
static void test_never_takes(void) {
    static counting memory = COUNTING;
    capture c;
    tel_sink sink;
    tel_desc d;
    where = "never_takes";
    d = capture_desc(&c, &sink);
    c.fail_times = -1;
    d.allocator = counting_allocator(&memory);
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_OK);
    record_everything();
    CHECK_INT(tel_flush(30), TEL_ERR_TIMEOUT);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(30), TEL_ERR_TIMEOUT);
    CHECK(heard("shutdown lost"));
    CHECK_INT(counting_settled(&memory), 0);        /* at once, or when the export thread comes out of its round */
    CHECK_INT(capture_closed(&c, 1), 1);
}

static void test_no_time(void) {
    static counting memory = COUNTING;
    int i;
    where = "no_time";
    for (i = 0; i < 20; i++) {
        capture c;
        tel_sink sink;
        tel_desc d = capture_desc(&c, &sink);
        d.allocator = counting_allocator(&memory);
        CHECK_INT(tel_init(&d), TEL_OK);
        record_everything();
        tel_shutdown(0);
        CHECK_INT(counting_settled(&memory), 0);
        CHECK_INT(capture_closed(&c, 1), 1);
        if (check__failed) { return; }
    }
}

static void test_slow_sink(void) {
    capture slow, quick;
    tel_sink sinks[2];
    tel_desc d;
    int i;
    where = "slow_sink";
    capture_init(&slow);
    capture_init(&quick);
    slow.sleep_us = 20000;
    sinks[0] = capture_sink(&slow);
    sinks[1] = capture_sink(&quick);
    d = test_desc(sinks, 2);
    d.batch_interval_ms = 1;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 200; i++) {
        tel_log(TEL_INFO, "tick", TEL_NOATTRS);
        if (i % 20 == 0) { usleep(1000); }
    }
    CHECK_INT(tel_flush(30000), TEL_OK);
    CHECK_INT(slow.logs, 200);
    CHECK_INT(quick.logs, 200);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(30000), TEL_OK);
}

/* A sink that hangs: shutdown comes back, and what stands on the instance stays until it is done. */
static pthread_mutex_t hang_mutex = PTHREAD_MUTEX_INITIALIZER;
/* What hangs says that it is inside, and stays until hang_mutex is free. */
static int inside;
static void hang_inside(void) {
    __atomic_store_n(&inside, 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(&hang_mutex);
    pthread_mutex_unlock(&hang_mutex);
}
static void hang(capture* c, const tel_batch* batch) { (void)c; (void)batch; hang_inside(); }
static void wait_inside(void) { while (!__atomic_load_n(&inside, __ATOMIC_ACQUIRE)) { usleep(1000); } }    /* the watchdog ends it */

static void test_hanging_sink(void) {
    static capture c, second;
    static counting memory = COUNTING;
    tel_sink sink;
    tel_desc d;
    where = "hanging_sink";
    d = capture_desc(&c, &sink);
    c.inside_fn = hang;
    d.batch_interval_ms = 1;
    d.allocator = counting_allocator(&memory);
    CHECK_INT(tel_init(&d), TEL_OK);
    __atomic_store_n(&inside, 0, __ATOMIC_RELAXED);
    pthread_mutex_lock(&hang_mutex);
    record_everything();
    wait_inside();                                  /* the export thread runs into it: a flush of ours would hang itself */
    CHECK_INT(tel_flush(20), TEL_ERR_TIMEOUT);
    CHECK_INT(tel_shutdown(20), TEL_ERR_TIMEOUT);
    record_everything();
    pthread_mutex_unlock(&hang_mutex);
    d = capture_desc(&second, &sink);
    CHECK_INT(tel_init(&d), TEL_OK);                /* a new one works beside the abandoned one */
    record_everything();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(second.spans, 1);
    CHECK_INT(counting_settled(&memory), 0);        /* who came back late has freed what he stood on */
    CHECK_INT(capture_closed(&c, 1), 1);
}

/* A receiver that hangs: the worker is left to itself, and gives everything back when it returns. */
static tel_result hang_posting(const tel_http_request* request, tel_http_answer* answer, void* user_data) {
    (void)request; (void)user_data;
    hang_inside();
    answer->status = 200;
    return TEL_OK;
}

static void test_hanging_worker(void) {
    static counting memory = COUNTING;
    tel_otlp_desc o;
    tel_sink sink;
    tel_desc d;
    where = "hanging_worker";
    memset(&o, 0, sizeof o);
    o.post_fn = hang_posting;
    sink = tel_sink_otlp(&o);
    d = test_desc(&sink, 1);
    d.allocator = counting_allocator(&memory);
    CHECK_INT(tel_init(&d), TEL_OK);
    __atomic_store_n(&inside, 0, __ATOMIC_RELAXED);
    pthread_mutex_lock(&hang_mutex);
    record_everything();
    CHECK_INT(tel_flush(20), TEL_ERR_TIMEOUT);
    wait_inside();
    CHECK_INT(tel_shutdown(20), TEL_ERR_TIMEOUT);
    CHECK(counting_live(&memory) > 0);
    pthread_mutex_unlock(&hang_mutex);
    CHECK_INT(counting_settled(&memory), 0);
}

/* ---- a collection of somebody else that does not end ---- */

static bool hang_writing(const void* data, size_t size, void* user_data) {
    (void)data; (void)size; (void)user_data;
    hang_inside();
    return true;
}
static void hang_observing(tel_observation* o, void* user_data) {
    (void)user_data;
    tel_observe(o, 1, TEL_NOATTRS);
    if (!__atomic_load_n(&inside, __ATOMIC_RELAXED)) { hang_inside(); }
}

enum { COLLECTING, WRITING, OBSERVING, SCRAPING, SLOWNESSES };
static void* collect_slowly(void* arg) {
    static capture c;
    tel_sink into;
    tel_writer out;
    char text[8];
    memset(&out, 0, sizeof out);
    out.write_fn = hang_writing;
    capture_init(&c);
    c.inside_fn = hang;
    into = capture_sink(&c);
    switch (*(const int*)arg) {
    case WRITING: CHECK_INT(tel_prometheus_render(out), TEL_OK); break;
    case OBSERVING: tel_prometheus_print(text, sizeof text); break;
    default: CHECK_INT(tel_collect(&into), TEL_OK);
    }
    return NULL;
}

/* Nobody who has a timeout waits longer; the rings are drained meanwhile; what was not collected is said. */
static void test_slow_collection(void) {
    static capture c;
    static counting memory = COUNTING;
    tel_prometheus_desc p;
    tel_observer_desc o;
    int slowness, i;
    where = "slow_collection";
    for (slowness = 0; slowness < SLOWNESSES; slowness++) {
        tel_sink sinks[2];
        tel_desc d;
        pthread_t t;
        tel_result outcome = slowness == WRITING ? TEL_OK : TEL_ERR_TIMEOUT;
        uint32_t timeout = slowness == WRITING ? 10000 : 20;
        int fd = -1;
        capture_init(&c);
        sinks[0] = capture_sink(&c);
        sinks[1] = scrape_sink(&p, TEL_ANY_PORT);
        d = test_desc(sinks, 2);
        d.allocator = counting_allocator(&memory);
        d.batch_interval_ms = 1;
        d.metric_interval_ms = slowness == OBSERVING || slowness == WRITING ? 3600000 : 1;     /* else it would collect, too */
        hear_reset();
        CHECK_INT(tel_init(&d), TEL_OK);
        tel_counter_add(&hits, 1);
        __atomic_store_n(&inside, 0, __ATOMIC_RELAXED);
        memset(&o, 0, sizeof o);
        o.name = "life.slow";
        o.observe_fn = hang_observing;
        if (slowness == OBSERVING) { CHECK(tel_observer_new(&o) != NULL); }
        for (i = 0; slowness == WRITING && i < 1000; i++) {     /* a page that no buffer on a stack holds */
            tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_int("k", i)));
        }
        pthread_mutex_lock(&hang_mutex);
        pthread_create(&t, NULL, collect_slowly, &slowness);
        wait_inside();
        if (slowness == SCRAPING) {             /* it waits for the collection; nobody waits for its answer */
            CHECK((fd = scrape_begin(tel_prometheus_port(), "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")) >= 0);
            usleep(50000);
        }
        CHECK_INT(tel_flush(timeout), outcome);
        for (i = 0; i < 3000 && slowness != WRITING && !heard("metrics were not collected"); i++) { tel_flush(20); }
        CHECK_INT(heard("metrics were not collected"), slowness != WRITING);
        record_everything();
        for (i = 0; i < 60000 && (tel_query_stats().exported[1] == 0 || tel_query_stats().exported[2] == 0); i++) { usleep(1000); }
        CHECK(i < 60000);                           /* the export thread is not in there either */
        CHECK_INT(tel_pump(10000), TEL_OK);
        CHECK_BOOKS();
        CHECK_INT(tel_shutdown(timeout), outcome);
        pthread_mutex_unlock(&hang_mutex);
        pthread_join(t, NULL);
        if (fd >= 0) { close(fd); }
        CHECK_INT(counting_settled(&memory), 0);
        CHECK_INT(capture_closed(&c, 1), 1);
        CHECK_INT(c.spans, 1);
        CHECK_INT(c.logs, 1);
        if (check__failed) { return; }
    }
}

/* Once tel_shutdown has answered TEL_OK nothing of the user's runs any more: those who wait for a collection are
   sent away, and one that has begun is waited for. */
static int is_down, late;
static void observe_late(tel_observation* o, void* user_data) {
    (void)user_data;
    if (__atomic_load_n(&is_down, __ATOMIC_ACQUIRE)) { __atomic_fetch_add(&late, 1, __ATOMIC_RELAXED); }
    usleep(2000);
    if (__atomic_load_n(&is_down, __ATOMIC_ACQUIRE)) { __atomic_fetch_add(&late, 1, __ATOMIC_RELAXED); }
    tel_observe(o, 1, TEL_NOATTRS);
}
static tel_result observe(const char* name) {
    tel_observer_desc o;
    memset(&o, 0, sizeof o);
    o.name = name;
    o.observe_fn = observe_late;
    return tel_observer_new(&o) ? TEL_OK : TEL_ERR_STATE;
}
static void* observe_more(void* arg) { *(tel_result*)arg = observe("life.more"); return NULL; }
static void* collect_late(void* arg) {
    tel_sink into = capture_sink((capture*)arg);
    tel_collect(&into);
    return NULL;
}
static void test_late_collection(void) {
    static capture c, into[3];
    int round, i, slowly = COLLECTING;
    where = "late_collection";
    for (round = 0; round < 20; round++) {
        tel_sink sink;
        tel_desc d = capture_desc(&c, &sink);
        tel_result added = TEL_OK;
        pthread_t t[5];
        CHECK_INT(tel_init(&d), TEL_OK);
        CHECK_INT(observe("life.late"), TEL_OK);
        __atomic_store_n(&is_down, 0, __ATOMIC_RELEASE);
        __atomic_store_n(&inside, 0, __ATOMIC_RELAXED);
        pthread_mutex_lock(&hang_mutex);
        pthread_create(&t[3], NULL, collect_slowly, &slowly);
        wait_inside();
        for (i = 0; i < 3; i++) {
            capture_init(&into[i]);
            pthread_create(&t[i], NULL, collect_late, &into[i]);
        }
        pthread_create(&t[4], NULL, observe_more, &added);
        usleep(3000);
        if (round % 2) {                            /* the slow one stays: those who wait come back all the same */
            CHECK_INT(tel_shutdown(20), TEL_ERR_TIMEOUT);
            for (i = 0; i < 3; i++) { pthread_join(t[i], NULL); }
            pthread_join(t[4], NULL);
            CHECK(added == TEL_OK || added == TEL_ERR_STATE);   /* it waits for no collection */
            pthread_mutex_unlock(&hang_mutex);
            pthread_join(t[3], NULL);
        } else {
            pthread_mutex_unlock(&hang_mutex);
            CHECK_INT(tel_shutdown(10000), TEL_OK);
            __atomic_store_n(&is_down, 1, __ATOMIC_RELEASE);
            for (i = 0; i < 5; i++) { pthread_join(t[i], NULL); }
        }
        CHECK_INT(late, 0);
        CHECK_INT(capture_closed(&c, 1), 1);        /* the next round makes it anew */
        if (check__failed) { return; }
    }
}

/* ---- built-in sinks that nobody opened ---- */

static void test_unopened(void) {
    capture c;
    tel_memory memory = { NULL };
    tel_sink sink, into[5];
    tel_desc d;
    size_t i;
    where = "unopened";
    d = capture_desc(&c, &sink);
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_counter_add(&hits, 1);
    into[0] = tel_sink_console(NULL);
    into[1] = tel_sink_jsonl(NULL);
    into[2] = tel_sink_otlp(NULL);
    into[3] = tel_sink_memory(&memory);
    into[4] = tel_sink_prometheus(NULL);
    for (i = 0; i < 5; i++) { tel_collect(&into[i]); }      /* no crash; into[4] takes nothing and says so */
    CHECK_INT(tel_collect(&into[0]), TEL_ERR_STATE);
    CHECK_INT(tel_collect(NULL), TEL_ERR_ARGUMENT);
    tel_observer_end(NULL);
    hear_reset();
    CHECK(tel_observer_new(NULL) == NULL);
    CHECK(heard("no function"));
    CHECK_INT(tel_collect(&sink), TEL_OK);
    CHECK(c.points >= 1);
    tel_memory_clear(&memory);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* ---- what is in force ---- */

static void test_query_desc(void) {
    capture c;
    tel_sink sink;
    tel_sink_stats k;
    tel_desc d, q;
    char name[] = "borrowed";
    where = "query_desc";
    d = capture_desc(&c, &sink);
    sink.name = name;
    d.service_name = "one";
    d.service_version = "2.0";
    d.ring_bytes = 8192;
    d.max_threads = 3;
    d.memory_limit = 16u << 20;
    d.sample_ratio = 0.25;
    d.metric_interval_ms = 777;
    CHECK_INT(tel_init(&d), TEL_OK);
    q = tel_query_desc();
    CHECK_STR(q.service_name, "one");
    CHECK_STR(q.service_version, "2.0");
    CHECK_INT(q.ring_bytes, 8192);
    CHECK_INT(q.max_threads, 3);
    CHECK_INT(q.memory_limit, 16u << 20);
    CHECK(q.sample_ratio > 0.2499 && q.sample_ratio < 0.2501);
    CHECK_INT(q.metric_interval_ms, 777);
    CHECK_INT(q.max_series, 2000);
    CHECK_INT(q.max_live_spans, 4096);
    CHECK_INT(q.sink_count, 1);
    memset(name, '?', sizeof name - 1);             /* tel_init has returned */
    CHECK(tel_query_sink(0, &k));
    CHECK_STR(k.name, "borrowed");
    CHECK_STR(q.sinks[0].name, "borrowed");
    CHECK(q.allocator.alloc_fn != NULL);
    CHECK(q.resource.count >= 2);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK(tel_query_desc().service_name == NULL);
}

/* ---- adoption ---- */

static void test_adopt(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    uint32_t stranger[64];
    where = "adopt";
    d = capture_desc(&c, &sink);
    memset(stranger, 0x5a, sizeof stranger);
    CHECK_INT(tel_adopt_instance(NULL), TEL_OK);            /* nothing adopted, nothing to give back */
    CHECK_INT(tel_adopt_instance((tel_instance*)(void*)stranger), TEL_ERR_BUILD);
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK(tel_get_instance() != NULL);
    CHECK_INT(tel_adopt_instance(tel_get_instance()), TEL_ERR_STATE);   /* it has one of its own */
    CHECK_INT(tel_adopt_instance(NULL), TEL_ERR_STATE);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK(tel_get_instance() == NULL);
}

/* Another copy of the header is another tel__root and another tel__thread_me: exchanging them makes us the plugin. */
typedef struct module { struct tel__lifecycle_root root; tel__thread_local me; } module;
static void exchange(module* other) {
    module was;
    was.root = tel__root;
    was.me = tel__thread_me;
    tel__root = other->root;
    tel__thread_me = other->me;
    *other = was;
}
static void plugin_records(tel_counter* counter) {
    tel_counter_add(counter, 1);
    tel_log(TEL_INFO, "from a plugin", TEL_NOATTRS);
    TEL_SPAN(s, "plugin") { tel_span_set(s, tel_int("n", 1)); }
}

/* The host shuts down and starts again, below a plugin that goes on recording. */
static void test_adopted(void) {
    static counting memory = COUNTING;
    static module other;
    static tel_counter plugin_hits = TEL_INSTRUMENT("life.plugin", "{hit}", "Hits");
    capture c;
    tel_sink sink;
    tel_desc d;
    int i, round;
    where = "adopted";
    memset(&other, 0, sizeof other);
    tel__thread_mutex_init(&other.root.mutex);
    other.root.hooked = true;                       /* the hooks of the process are there already */
    capture_init(&c);
    c.counter_name = "life.plugin";
    sink = capture_sink(&c);
    d = test_desc(&sink, 1);
    d.no_thread = true;
    d.allocator = counting_allocator(&memory);
    for (round = 1; round <= 3; round++) {
        tel_instance* host;
        long calls;
        CHECK_INT(tel_init(&d), TEL_OK);
        record_everything();
        host = tel_get_instance();
        exchange(&other);
        CHECK_INT(tel_adopt_instance(host), TEL_OK);
        CHECK(tel_enabled());
        CHECK_INT(tel_init(&d), TEL_ERR_STATE);
        CHECK_INT(tel_shutdown(1000), TEL_ERR_STATE);       /* it is not ours */
        for (i = 0; i < 10; i++) { plugin_records(&plugin_hits); }
        exchange(&other);
        CHECK_INT(tel_shutdown(5000), TEL_OK);
        CHECK_INT(c.spans, 11 * round);
        CHECK_INT(c.logs, 11 * round);
        CHECK_INT(c.counter, 10);
        exchange(&other);
        if (round == 2) {                           /* given up before it records again */
            CHECK_INT(tel_adopt_instance(NULL), TEL_OK);
            CHECK_INT(counting_live(&memory), 0);
        }
        plugin_records(&plugin_hits);
        CHECK(!tel_enabled());
        calls = memory.calls;
        for (i = 0; i < 100; i++) { plugin_records(&plugin_hits); }
        CHECK_INT(memory.calls, calls);             /* nothing is made for records that nobody wants */
        CHECK_INT(counting_live(&memory), 0);       /* and the host's instance is gone */
        CHECK(tel__thread_me.idle >= 100);          /* they are counted, as after a shutdown of our own */
        CHECK_INT(tel_flush(10), TEL_ERR_STATE);
        exchange(&other);
    }
    exchange(&other);
    CHECK_INT(tel_init(&d), TEL_OK);                /* a plugin that nobody feeds may start its own */
    plugin_records(&plugin_hits);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(c.logs, 34);
    CHECK_INT(tel_adopt_instance(NULL), TEL_OK);
    exchange(&other);
    CHECK_INT(counting_live(&memory), 0);
    CHECK_INT(c.opened, c.closed);
}

/* ---- start and stop racing with everything ---- */

static volatile int racing;
static void* race_record(void* arg) {
    (void)arg;
    while (__atomic_load_n(&racing, __ATOMIC_RELAXED)) {
        record_everything();
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_int("k", 3)));
    }
    return NULL;
}
static void* race_query(void* arg) {
    char text[4096];
    (void)arg;
    while (__atomic_load_n(&racing, __ATOMIC_RELAXED)) {
        tel_sink_stats k;
        tel_query_stats();
        tel_query_sink(0, &k);
        tel_query_sink(1, &k);
        tel_prometheus_print(text, sizeof text);
        tel_flush(20);
        tel_enabled();
    }
    return NULL;
}
static void* race_shut(void* arg) {
    (void)arg;
    while (__atomic_load_n(&racing, __ATOMIC_RELAXED)) { tel_shutdown(20); usleep(300); }
    return NULL;
}

static void test_races(void) {
    static counting memory = COUNTING;
    static capture c;
    tel_otlp_desc o;
    tel_sink sinks[2];
    tel_desc d;
    pthread_t t[5];
    int i;
    where = "races";
    capture_init(&c);
    memset(&o, 0, sizeof o);
    o.endpoint = "http://127.0.0.1:1";              /* refused at once */
    sinks[0] = tel_sink_otlp(&o);
    sinks[1] = capture_sink(&c);
    d = test_desc(sinks, 2);
    d.allocator = counting_allocator(&memory);
    d.no_self_metrics = false;
    racing = 1;
    pthread_create(&t[0], NULL, race_record, NULL);
    pthread_create(&t[1], NULL, race_record, NULL);
    pthread_create(&t[2], NULL, race_query, NULL);
    pthread_create(&t[3], NULL, race_query, NULL);
    pthread_create(&t[4], NULL, race_shut, NULL);
    for (i = 0; i < 40; i++) {
        tel_result r;
        while ((r = tel_init(&d)) == TEL_ERR_STATE) { usleep(200); }
        if (r != TEL_OK) { CHECK_INT(r, TEL_OK); break; }
        usleep(500);
        record_everything();
        tel_shutdown(20);
    }
    __atomic_store_n(&racing, 0, __ATOMIC_RELAXED);
    for (i = 0; i < 5; i++) { pthread_join(t[i], NULL); }
    tel_shutdown(1000);
    CHECK_INT(tel_init(&d), TEL_OK);                /* this thread lets go of the last instance when it records again */
    record_everything();
    tel_shutdown(1000);
    CHECK_INT(counting_settled(&memory), 0);        /* every instance is gone, however it was shut down */
    pthread_mutex_lock(&c.mutex);
    CHECK_INT(c.opened, c.closed);
    CHECK(c.opened >= 40);
    pthread_mutex_unlock(&c.mutex);
    CHECK_INT(tel_shutdown(10), TEL_ERR_STATE);
}

/* ---- exit ---- */

static capture exit_capture;
static void exit_report(void) {         /* registered first, runs last: tells the parent what was delivered */
    pthread_mutex_lock(&exit_capture.mutex);
    _exit((int)(10 + exit_capture.logs));
}
static void shutdown_at_exit(void) { if (tel_shutdown(2000) == TEL_ERR_STATE) { _exit(3); } }
static int run_child(bool no_atexit, void (*handler)(void)) {       /* handler: one of the program's own, or NULL */
    pid_t pid;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        tel_sink sink;
        tel_desc d;
        alarm(20);
        atexit(exit_report);
        d = capture_desc(&exit_capture, &sink);
        d.no_atexit = no_atexit;
        if (tel_init(&d) != TEL_OK) { _exit(2); }
        if (handler) { atexit(handler); }
        tel_log(TEL_INFO, "last words", TEL_NOATTRS);
        exit(0);
    }
    return child_exit(pid);
}

/* These fork before anything has been initialised, so that the order of atexit is theirs. */
static void test_exit(void) {
    where = "exit";
    CHECK_INT(run_child(false, NULL), 11);          /* flushed by the hook */
    CHECK_INT(run_child(true, NULL), 10);           /* told not to */
    CHECK_INT(run_child(true, shutdown_at_exit), 11);     /* by a handler of the program's own */
}

/* ---- an observer that calls back ---- */

static int observed, unrefused;

static bool no_write(const void* data, size_t size, void* user_data) {
    (void)data; (void)size; (void)user_data;
    return true;
}

static void observe_and_call(tel_observation* o, void* user_data) {
    tel_observer_desc more = *(const tel_observer_desc*)user_data;
    tel_writer out;
    memset(&out, 0, sizeof out);
    out.write_fn = no_write;
    more.name = "life.more";
    unrefused += tel_flush(TEL_FOREVER) != TEL_ERR_STATE;
    unrefused += tel_pump(TEL_FOREVER) != TEL_ERR_STATE;
    unrefused += tel_shutdown(TEL_FOREVER) != TEL_ERR_STATE;
    unrefused += tel_prometheus_render(out) != TEL_ERR_STATE;
    if (!observed) {                                /* observers come and go in one; a new one runs next time */
        tel_observer* other = tel_observer_new(&more);
        unrefused += other == NULL;
        tel_observer_end(other);
        unrefused += tel_observer_new(&more) == NULL;
    }
    tel_counter_add(&hits, 1);                      /* recording is allowed */
    tel_observe(o, 1, TEL_NOATTRS);
    observed++;
}

static void test_observer_calls_back(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    tel_observer_desc o;
    where = "observer_calls_back";
    d = capture_desc(&c, &sink);
    c.counter_name = "life.hits";
    memset(&o, 0, sizeof o);
    o.name = "life.observed";
    o.observe_fn = observe_and_call;
    o.user_data = &o;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK(tel_observer_new(&o) != NULL);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(observed > 0);
    CHECK_INT(unrefused, 0);
    CHECK(c.counter >= 1);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

int main(void) {
    capture_watchdog(170);
    test_exit();
    test_before_init();
    test_twice();
    test_concurrent_shutdown();
    if (!UNDER_ASAN) { test_exit_meanwhile(); }     /* it takes what a thread that lives on holds for a leak */
    test_second_shutdown();
    test_lost_before();
    test_letting_go();
    test_cycles();
    test_bad_desc();
    test_environment();
    test_exporters();
    test_null_desc();
    test_port_taken();
    test_bad_url();
    test_open_fails();
    test_no_thread();
    test_sink_calls_back();
    test_observer_calls_back();
    test_retry();
    test_fails_for_good();
    test_never_takes();
    test_no_time();
    test_slow_sink();
    test_slow_collection();
    test_late_collection();
    test_unopened();
    test_query_desc();
    test_adopt();
    test_adopted();
    test_races();
    test_hanging_sink();
    test_hanging_worker();
    return check_done();
}
