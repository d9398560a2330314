/* At tight memory limits nothing is lost that has room. One receiver that answers at once gets every span and log record of up to
   2,000 requests a second, in JSON and in protobuf, and the metrics; a second one beside it that hangs takes nothing from it, nor does a signal of its own.
   What cannot work is refused by tel_init. Each case is a process of its own, and three run side by side. The load does not catch
   up, so that a loaded machine makes it smaller. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "promise.h"

/* A log record names the span that it belongs to. */
static void take(promise_receiver* r, const char* body) { r->items += promise_count(body, "\"spanId\""); }

static void load(int requests) {
    int i, n;
    for (i = 0; i < requests; i += 4) {
        for (n = 0; n < 4; n++) {
            TEL_SPAN(s, "request") {
                tel_span_set(s, tel_int("n", i + n));
                tel_log(TEL_INFO, "request answered", TEL_NOATTRS);
            }
        }
        promise_sleep(2);
    }
}

/* Whether the first sink has done with all that was recorded and kept. */
static bool settled(const ledger* b) {
    const tel_sink_stats* s = &b->sink[0];
    int i;
    for (i = 1; i < 3; i++) {
        if (s->delivered[i] + s->dropped_full[i] + s->dropped_failed[i] + b->all.dropped[i] != b->all.recorded[i]) { return false; }
    }
    return true;
}

/* Of two sinks the second one hangs. */
static void run_case(size_t limit, const char* protocol, size_t count) {
    static promise_receiver receivers[2];
    int requests = promise_either(3000, 20000);
    tel_otlp_desc otlp[2];
    tel_sink sinks[2];
    tel_desc d;
    char url[64];
    ledger b;
    size_t i;
    memset(otlp, 0, sizeof otlp);
    for (i = 0; i < count; i++) {
        receivers[i].body_fn = take;
        CHECK(promise_receive(&receivers[i], i ? PROMISE_HANGS : PROMISE_ANSWERS));
        snprintf(url, sizeof url, "http://127.0.0.1:%u", receivers[i].port);
        otlp[i].endpoint = strdup(url);
        otlp[i].protocol = protocol;
        sinks[i] = tel_sink_otlp(&otlp[i]);
        sinks[i].name = i ? "hangs" : "answers";
    }
    d = promise_desc(sinks, count);
    d.ignore_env = true;
    d.memory_limit = limit;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
    load(requests);
    tel_flush(count > 1 ? 10 : 20000);
    while (b = ledger_read(), !settled(&b)) { promise_sleep(1); }
    CHECK_INT(tel_shutdown(count > 1 ? 100 : 20000), count > 1 ? TEL_ERR_TIMEOUT : TEL_OK);
    b = ledger_read();
    for (i = 1; i < 3; i++) {
        CHECK_INT(b.all.recorded[i], requests);
        CHECK_INT(b.all.dropped[i], 0);
        CHECK_INT(b.sink[0].delivered[i], requests);
    }
    if (count == 1) { CHECK_INT(b.sink[0].dropped_full[0] + b.sink[0].dropped_failed[0], 0); }
    if (strcmp(protocol, "http/json") == 0) { CHECK_INT(receivers[0].items, 2 * requests); }
    promise_figure("%d KiB, %s%s: of %d spans and log records %llu lost", (int)(limit >> 10), protocol,
                   count > 1 ? ", beside a sink that hangs" : "", 2 * requests,
                   (unsigned long long)(2 * (uint64_t)requests - b.sink[0].delivered[1] - b.sink[0].delivered[2]));
}

/* One signal of the smallest sink hangs for good; another one gets everything, and collections go on. */
static void one_signal_hangs(const char* protocol) {
    static promise_receiver receivers[2];
    int logs = promise_either(3000, 20000), i;
    tel_otlp_desc otlp;
    tel_sink sink;
    tel_desc d;
    char url[64];
    ledger b;
    memset(&otlp, 0, sizeof otlp);
    for (i = 0; i < 2; i++) {
        CHECK(promise_receive(&receivers[i], i ? PROMISE_HANGS : PROMISE_ANSWERS));
        snprintf(url, sizeof url, "http://127.0.0.1:%u", receivers[i].port);
        setenv(i ? "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" : "OTEL_EXPORTER_OTLP_ENDPOINT", url, 1);
    }
    otlp.protocol = protocol;
    otlp.timeout_ms = 600000;
    sink = tel_sink_otlp(&otlp);
    d = promise_desc(&sink, 1);
    d.memory_limit = 192u << 10;
    d.metric_interval_ms = 100;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
    TEL_SPAN(s, "hangs") { }
    tel_flush(1);
    for (i = 0; i < logs; i++) {
        tel_log(TEL_INFO, "request answered", TEL_NOATTRS);
        if (i % 4 == 0) { promise_sleep(2); }
    }
    do {
        tel_flush(1);
        b = ledger_read();
    } while (b.sink[0].delivered[2] + b.all.dropped[2] < (uint64_t)logs || b.sink[0].delivered[0] < 100);
    CHECK_INT(b.all.dropped[2], 0);
    CHECK_INT(b.sink[0].delivered[2], logs);
    CHECK_INT(b.sink[0].delivered[1], 0);
    CHECK_INT(tel_shutdown(10), TEL_ERR_TIMEOUT);
    promise_figure("192 KiB, %s, while another signal hangs: of %d log records %llu lost", protocol, logs,
                   (unsigned long long)((uint64_t)logs - b.sink[0].delivered[2]));
}

static void too_small(void) {
    tel_otlp_desc otlp;
    tel_sink sinks[2];
    tel_desc d;
    memset(&otlp, 0, sizeof otlp);
    otlp.endpoint = "http://127.0.0.1:9";
    sinks[0] = sinks[1] = tel_sink_otlp(&otlp);
    d = promise_desc(sinks, 2);
    d.ignore_env = true;
    d.diag.report_fn = hear;
    d.memory_limit = 256u << 10;        /* enough for one sink, not for two */
    CHECK_INT(tel_init(&d), TEL_ERR_MEMORY);
    CHECK(heard("tel_desc.memory_limit is small"));
    d.sink_count = 1;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_shutdown(100);
}

/* sinks 0: one, of which a signal hangs. */
static const struct { size_t kib; const char* protocol; size_t sinks; } cases[] = {
    { 192, "http/json", 0 },  { 192, "http/protobuf", 0 },  { 1024, "http/protobuf", 2 },
    { 512, "http/json", 1 },  { 512, "http/json", 2 },  { 192, "http/json", 1 },      { 256, "http/json", 1 },
    { 320, "http/json", 2 },  { 384, "http/json", 1 },  { 384, "http/protobuf", 2 },  { 256, "http/protobuf", 1 },
    { 640, "http/json", 1 },  { 640, "http/json", 2 },  { 512, "http/protobuf", 1 },  { 1024, "http/json", 1 },
    { 1024, "http/json", 2 }, { 384, "http/protobuf", 1 }, { 512, "http/protobuf", 2 }
};

int main(void) {
    size_t count = sizeof cases / sizeof cases[0], i, from;
    pid_t child[3];
    capture_watchdog(promise_full() ? 400 : 100);
    where = "too small";
    too_small();
    for (from = 0; from < count; from += 3) {
        for (i = 0; i < 3; i++) {
            child[i] = fork();
            if (child[i] == 0) {
                capture_watchdog(promise_full() ? 90 : 50);
                where = cases[from + i].protocol;
                if (!cases[from + i].sinks) { one_signal_hangs(cases[from + i].protocol); }
                else { run_case(cases[from + i].kib << 10, cases[from + i].protocol, cases[from + i].sinks); }
                fflush(NULL);
                _exit(check__failed != 0);
            }
        }
        for (i = 0; i < 3; i++) { CHECK_INT(child_exit(child[i]), 0); }
    }
    return check_done();
}
