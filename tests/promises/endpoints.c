/* One of three OTLP endpoints refuses, hangs or answers 503; the other two signals get everything, once, and collections go on,
   also while the shutdown waits for the dead one. How late they were is shown: the longest time between two of them, less their
   interval. Each case is a process of its own, and they run side by side; with PROMISES=full all nine of them, and for 30
   seconds. Queue and rings are smaller in the short run, so that they are full by then as well. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "promise.h"

#define RATE 2000                       /* requests a second: a span, a log record and a count each */
#define INTERVAL_MS 1000                /* between two collections */
static const char* const names[3] = { "traces", "metrics", "logs" };
static tel_counter requests = TEL_INSTRUMENT("promise.requests", "{request}", NULL);

static void take_spans(promise_receiver* r, const char* body) { r->items += promise_count(body, "\"spanId\""); }
static void take_logs(promise_receiver* r, const char* body) { r->items += promise_count(body, "\"severityNumber\""); }
static void gap(promise_receiver* r, double now) {
    if (now - r->last_ms > r->worst_gap_ms) { r->worst_gap_ms = now - r->last_ms; }
    r->last_ms = now;
}
static void take_metrics(promise_receiver* r, const char* body) {
    const char* at = strstr(body, "\"promise.requests\"");
    double now = promise_ms();
    r->items++;
    if (at && (at = strstr(at, "\"asInt\":\"")) != NULL) { r->total = strtoll(at + 9, NULL, 10); }
    gap(r, now);
}
static void (*const takers[3])(promise_receiver*, const char*) = { take_spans, take_metrics, take_logs };

static promise_receiver receivers[3];

static void load(int seconds) {
    double begin = promise_ms();
    int done = 0;
    while (done < seconds * RATE) {
        int due = (int)((promise_ms() - begin) * RATE / 1000);
        for (; done < due && done < seconds * RATE; done++) {
            TEL_SPAN(s, "request") {
                tel_span_set(s, tel_int("n", done));
                tel_counter_add(&requests, 1);
                tel_log(TEL_INFO, "request answered", TEL_NOATTRS);
            }
        }
        promise_sleep(2);
    }
}

/* What arrived of a signal, which is `want` when nothing was lost and nothing came twice. */
static uint64_t arrived(int i) {
    uint64_t n;
    pthread_mutex_lock(&receivers[i].mutex);
    n = i == 1 ? (uint64_t)receivers[i].total : receivers[i].items;
    pthread_mutex_unlock(&receivers[i].mutex);
    return n;
}

static void run_case(int dead, promise_mood mood, const char* how) {
    int seconds = promise_either(6, 30), i;
    uint64_t want = (uint64_t)seconds * RATE;
    char variable[64], url[64], text[200];
    size_t used = 0;
    double begin;
    tel_otlp_desc otlp;
    tel_sink sink;
    tel_desc d;
    memset(&otlp, 0, sizeof otlp);
    for (i = 0; i < 3; i++) {
        receivers[i].body_fn = takers[i];
        CHECK(promise_receive(&receivers[i], i == dead ? mood : PROMISE_ANSWERS));
        snprintf(variable, sizeof variable, "OTEL_EXPORTER_OTLP_%s_ENDPOINT", i == 0 ? "TRACES" : i == 1 ? "METRICS" : "LOGS");
        snprintf(url, sizeof url, "http://127.0.0.1:%u/v1/%s", receivers[i].port, names[i]);
        setenv(variable, url, 1);
    }
    if (!promise_full()) { otlp.queue_bytes = 1u << 19; }
    sink = tel_sink_otlp(&otlp);
    d = promise_desc(&sink, 1);
    if (!promise_full()) { d.ring_bytes = 1u << 18; }
    d.metric_interval_ms = INTERVAL_MS;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
    receivers[1].last_ms = promise_ms();
    load(seconds);
    begin = promise_ms();
    tel_shutdown(5000);
    CHECK(promise_ms() - begin < 15000);
    for (i = 0; i < 3; i++) {
        if (i == dead) { continue; }
        used += (size_t)snprintf(text + used, sizeof text - used, ", %s lost %lld", names[i], (long long)(want - arrived(i)));
        CHECK_INT(arrived(i), want);
    }
    if (dead != 1) {
        snprintf(text + used, sizeof text - used, ", collections at most %.2f s late", (receivers[1].worst_gap_ms - INTERVAL_MS) / 1e3);
        CHECK(receivers[1].items >= (uint64_t)seconds / 2);
    }
    promise_figure("%s %s for %d s at %d requests/s%s", names[dead], how, seconds, RATE, text);
}

static const struct { int dead; promise_mood mood; const char* how; bool usual; } cases[] = {
    { 0, PROMISE_REFUSES, "refused", true },      { 2, PROMISE_HANGS, "hanging", true },
    { 1, PROMISE_BUSY, "answered 503", true },    { 0, PROMISE_HANGS, "hanging", false },
    { 0, PROMISE_BUSY, "answered 503", false },   { 1, PROMISE_REFUSES, "refused", false },
    { 1, PROMISE_HANGS, "hanging", false },       { 2, PROMISE_REFUSES, "refused", false },
    { 2, PROMISE_BUSY, "answered 503", false }
};

int main(void) {
    size_t count = sizeof cases / sizeof cases[0], i, from;
    pid_t child[3];
    capture_watchdog(promise_full() ? 180 : 60);
    where = "endpoints";
    for (from = 0; from < (promise_full() ? count : 3); from += 3) {
        for (i = 0; i < 3; i++) {
            child[i] = fork();
            if (child[i] == 0) {
                capture_watchdog(promise_full() ? 90 : 50);
                where = cases[from + i].how;
                run_case(cases[from + i].dead, cases[from + i].mood, cases[from + i].how);
                fflush(NULL);
                _exit(check__failed != 0);
            }
        }
        for (i = 0; i < 3; i++) { CHECK_INT(child_exit(child[i]), 0); }
    }
    return check_done();
}
