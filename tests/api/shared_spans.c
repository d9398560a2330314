/* Spans that are started as shared: several threads set, add and end at once; nothing is lost, nothing is written to a span
   that has ended, and the books are exact. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>

enum { THREADS = 4, EACH = 25, ROUNDS = 100 };

static tel_memory memory;
static tel_span span;
static bool all_shared;                             /* by the desc, and not by each span */

static tel_span start(const char* name) {
    tel_span_desc d;
    memset(&d, 0, sizeof d);
    d.name = name;
    d.shared = !all_shared;
    return tel_span_start_ex(&d);
}

static void* use(void* arg) {
    int me = (int)(intptr_t)arg, i;
    tel_span mine = span;                           /* a copy is the same span */
    for (i = 0; i < EACH; i++) {
        static const char* const keys[] = { "a", "b", "c", "d" };
        tel_span_set(&mine, tel_int(keys[me], i));
        tel_span_set(&span, tel_str("last", keys[me]));
        tel_span_event(&mine, keys[me], TEL_ATTRS(tel_int("i", i)));
        CHECK(tel_span_recording(&span));
        tel_span_status(&span, TEL_STATUS_ERROR, keys[me]);
        tel_span_rename(&mine, keys[me]);
    }
    return NULL;
}

static void* end(void* arg) {
    tel_span mine = span;
    (void)arg;
    tel_span_set(&mine, tel_int("n", 1));
    tel_span_end(&mine);
    tel_span_set(&mine, tel_int("late", 1));
    CHECK(!tel_span_recording(&mine));
    return NULL;
}

static void together(void* (*fn)(void* arg)) {
    pthread_t t[THREADS];
    intptr_t i;
    for (i = 0; i < THREADS; i++) { CHECK(pthread_create(&t[i], NULL, fn, (void*)i) == 0); }
    for (i = 0; i < THREADS; i++) { pthread_join(t[i], NULL); }
}

static void run(void) {
    tel_sink sink;
    tel_batch seen;
    tel_stats stats;
    tel_desc d;
    size_t i, k, first, late = 0, count = 1 + ROUNDS + (all_shared ? 4 : 2);
    tel_span plain;
    memset(&d, 0, sizeof d);
    memset(&memory, 0, sizeof memory);
    sink = tel_sink_memory(&memory);
    d.shared_spans = all_shared;
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_thread = d.no_atexit = d.no_self_metrics = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    span = start("shared");
    together(use);
    tel_span_end(&span);
    if (all_shared) {                               /* those without a desc, and the scoped ones */
        plain = tel_span_start("plain");
        CHECK(tel__span_shared(&plain));
        TEL_SPAN(scoped, "scoped") { CHECK(tel__span_shared(scoped)); }
    }
    for (i = 0; i < ROUNDS; i++) {
        span = start("ended by four");
        together(end);
    }
    if (all_shared) { tel_span_end(&plain); }
    span = start("scoped or not");
    TEL_SPAN(ordinary, "ordinary") { tel_span_set(ordinary, tel_int("x", 1)); }
    tel_span_end(&span);
    tel_span_end(&span);
    CHECK_INT(tel_flush(10000), TEL_OK);
    seen = tel_memory_read(&memory);
    CHECK_INT(seen.span_count, count);
    for (first = 0; first + 1 < seen.span_count && !seen.spans[first].event_count; first++) { }
    CHECK_INT(seen.spans[first].event_count, THREADS * EACH);
    CHECK_INT(seen.spans[first].attrs.count, THREADS + 1);
    CHECK_INT(seen.spans[first].dropped_attrs + seen.spans[first].dropped_events, 0);
    CHECK_INT(seen.spans[first].name.size, 1);
    for (i = 0; i < seen.spans[first].attrs.count; i++) {
        const tel_attr* a = &seen.spans[first].attrs.items[i];
        CHECK(a->type == TEL_TYPE_STRING || a->as.i == EACH - 1);
    }
    for (i = 0; i < seen.span_count; i++) {
        for (k = 0; k < seen.spans[i].attrs.count; k++) { late += strcmp(seen.spans[i].attrs.items[k].key, "late") == 0; }
    }
    CHECK_INT(late, 0);
    stats = tel_query_stats();
    CHECK_INT(stats.recorded[1], count);
    CHECK_INT(stats.exported[1], count);
    CHECK_INT(stats.spans_live, 0);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    tel_memory_clear(&memory);
}

int main(void) {
    run();
    all_shared = true;
    run();
    return check_done();
}
