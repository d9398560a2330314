/* Room test of >>diag: levels, once a minute with the number held back, notes of the record path, cut messages,
   and a callback that records itself. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"

static struct { int calls, level; uint32_t item, line; char message[600]; bool quiet; } said;
static void hear(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)user_data;
    said.calls++;
    said.level = level;
    said.item = item;
    said.line = line;
    said.quiet = tel__thread_me.quiet != 0;
    snprintf(said.message, sizeof said.message, "%s", message);
}
static void start(tel__diag* d) {
    tel_diag user = { NULL, NULL, NULL };
    user.report_fn = hear;
    user.user_data = NULL;
    memset(&said, 0, sizeof said);
    tel__diag_init(d, &user);
}

static void test_items(void) {
    int i, bad = 0;
    for (i = 0; i < TEL__DIAG_COUNT; i++) {
        int level = tel__diag_kinds[i].level;
        bad += level < TEL__DIAG_ERROR || level > TEL__DIAG_DEBUG || !tel__diag_text((tel__diag_item)i)[0];
    }
    CHECK_INT(bad, 0);
    CHECK_INT(TEL__DIAG_INIT, 0);                       /* numbers are for ever: these three are spot checks */
    CHECK_INT(TEL__DIAG_VALUE, 18);
    CHECK_INT(TEL__DIAG_DROPPED, 23);
    CHECK_STR(tel__diag_result(TEL_OK), "ok");
    CHECK_STR(tel__diag_result(TEL_ERR_BUILD), "built from different headers");
    CHECK_STR(tel__diag_result((tel_result)-9), "unknown");
    CHECK_STR(tel__diag_result((tel_result)1), "unknown");
}

static void test_report(void) {
    tel__diag d;
    uint32_t line;
    start(&d);
    tel__diag_report(NULL, TEL__DIAG_INIT, "%d", 1);    /* silent */
    CHECK_INT(said.calls, 0);
    line = (uint32_t)__LINE__ + 1;
    tel__diag_report(&d, TEL__DIAG_URL, "%s:%d", "host", 7);
    CHECK(said.calls == 1 && said.level == TEL__DIAG_ERROR && said.item == (uint32_t)TEL__DIAG_URL && said.line == line);
    CHECK_STR(said.message, "an endpoint cannot be used: host:7");
    CHECK(said.quiet && tel__thread_me.quiet == 0);     /* what the callback records is ignored, not waited for */
    tel__diag_report(&d, TEL__DIAG_URL, "again");       /* setup problems are never held back */
    CHECK_INT(said.calls, 2);
}

static void test_levels(void) {
    tel__diag d;
    start(&d);
    tel__diag_report(&d, TEL__DIAG_RECEIVER, "information");
    CHECK_INT(said.calls, 1);
    tel__atomic_store_u32(&d.max_level, TEL__DIAG_WARN);
    tel__diag_report(&d, TEL__DIAG_PROMETHEUS, "information");
    CHECK_INT(said.calls, 1);
    tel__diag_report(&d, TEL__DIAG_SINK_FAILED, "warning");
    CHECK_INT(said.calls, 2);
    tel__atomic_store_u32(&d.max_level, 0);
    tel__diag_report(&d, TEL__DIAG_INIT, "error");
    CHECK_INT(said.calls, 2);
}

static void test_rate(void) {
    tel__diag d;
    int i;
    start(&d);
    for (i = 0; i < 5; i++) { tel__diag_report(&d, TEL__DIAG_SINK_FAILED, "try %d", i); }
    CHECK_INT(said.calls, 1);
    CHECK_STR(said.message, "a sink failed: try 0");
    tel__diag_report(&d, TEL__DIAG_REJECTED, "another item");
    CHECK_INT(said.calls, 2);
    CHECK(tel__atomic_load_u64(&d.next[TEL__DIAG_SINK_FAILED]) > tel__clock_mono_ns());
    tel__atomic_store_u64(&d.next[TEL__DIAG_SINK_FAILED], 0);  /* a minute later */
    tel__diag_report(&d, TEL__DIAG_SINK_FAILED, "try 5");
    CHECK_STR(said.message, "a sink failed: try 5 (and 4 times before)");
    tel__atomic_store_u64(&d.next[TEL__DIAG_SINK_FAILED], 0);
    tel__diag_report(&d, TEL__DIAG_SINK_FAILED, "try 6");
    CHECK_STR(said.message, "a sink failed: try 6");
}

/* One thing that repeats itself does not keep another one silent. */
static void test_subjects(void) {
    tel__diag d;
    char name[16];
    int i;
    start(&d);
    for (i = 0; i < 3; i++) {
        tel__diag_report_about(&d, TEL__DIAG_SINK_FAILED, "a", "a %d", i);
        tel__diag_report_about(&d, TEL__DIAG_SINK_FAILED, "b", "b %d", i);
        tel__diag_report_about(&d, TEL__DIAG_SINK_WARN, "a", "a %d", i);
        tel__diag_report(&d, TEL__DIAG_SINK_FAILED, "none %d", i);
    }
    CHECK_INT(said.calls, 4);
    start(&d);
    for (i = 0; i < 100; i++) {                         /* more than there are places for: the rest share */
        snprintf(name, sizeof name, "sink %d", i);
        tel__diag_report_about(&d, TEL__DIAG_SINK_FAILED, name, "%s", name);
        tel__diag_report_about(&d, TEL__DIAG_SINK_FAILED, name, "%s", name);
    }
    CHECK_INT(said.calls, TEL__DIAG_SUBJECTS + 1);
    CHECK_INT(tel__atomic_load_u32(&d.held[TEL__DIAG_SINK_FAILED]), 2 * (100 - TEL__DIAG_SUBJECTS) - 1);
}

static void test_long(void) {
    tel__diag d;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    start(&d);
    tel__atomic_store_u32(&d.held[TEL__DIAG_URL], 3);
    tel__diag_report(&d, TEL__DIAG_URL, "%s", text);
    CHECK_INT(strlen(said.message), 511);
    CHECK(strncmp(said.message, "an endpoint cannot be used: xxx", 31) == 0);
    CHECK_INT(tel__atomic_load_u32(&d.held[TEL__DIAG_URL]), 0);
}

static void test_notes(void) {
    tel__diag d;
    static const char name[] = "http.requests";
    start(&d);
    tel__diag_flush(&d);
    CHECK_INT(said.calls, 0);
    tel__diag_note(&d, TEL__DIAG_VALUE, name);
    CHECK_INT(said.calls, 0);                           /* the record path says nothing itself */
    tel__diag_note(&d, TEL__DIAG_VALUE, "another");
    tel__diag_note(&d, TEL__DIAG_VALUE, NULL);
    tel__diag_flush(&d);
    CHECK_INT(said.calls, 1);
    CHECK_STR(said.message, "a value was dropped because it is negative, infinite or not a number: http.requests (and 2 times before)");
    tel__diag_flush(&d);
    CHECK_INT(said.calls, 1);
    tel__diag_note(&d, TEL__DIAG_VALUE, name);
    tel__diag_flush(&d);                                /* within the minute: held back, but not forgotten */
    CHECK_INT(said.calls, 1);
    tel__atomic_store_u64(&d.next[TEL__DIAG_VALUE], 0);
    tel__diag_note(&d, TEL__DIAG_VALUE, NULL);
    tel__diag_flush(&d);
    CHECK_STR(said.message, "a value was dropped because it is negative, infinite or not a number:  (and 1 times before)");
}

/* Every note and report is said or counted as held back, whatever the threads do; one of them says it. */
#define THREADS 4
#define ROUNDS  4000
static tel__diag crowd;
static tel__atomic_u32 heard, counted;
static void hear_crowd(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    const char* times = strstr(message, "(and ");
    (void)level; (void)line; (void)user_data;
    if (item != (uint32_t)TEL__DIAG_SINK_FAILED) { return; }
    tel__atomic_add_u32(&heard, 1);
    if (times) { tel__atomic_add_u32(&counted, (uint32_t)strtoul(times + 5, NULL, 10)); }
}
static void crowd_in(void* arg) {
    int i;
    for (i = 0; i < ROUNDS; i++) {
        tel__diag_report(&crowd, TEL__DIAG_SINK_FAILED, "x");
        tel__diag_note(&crowd, TEL__DIAG_VALUE, "y");
        if ((i & 15) == 0) { tel__diag_flush(&crowd); }
        if (arg && (i & 63) == 0) { tel__atomic_store_u64(&crowd.next[TEL__DIAG_SINK_FAILED], 0); }
    }
}
static void test_threads(void) {
    tel__thread_handle h[THREADS];
    tel_diag user = { NULL, NULL, NULL };
    uintptr_t i;
    user.report_fn = hear_crowd;
    user.user_data = NULL;
    tel__diag_init(&crowd, &user);
    for (i = 0; i < THREADS; i++) { CHECK(tel__thread_start(&h[i], crowd_in, (void*)(i & 1))); }
    for (i = 0; i < THREADS; i++) { tel__thread_join(&h[i]); }
    CHECK(tel__atomic_load_u32(&heard) > 0);
    CHECK_INT(tel__atomic_load_u32(&heard) + tel__atomic_load_u32(&counted) + tel__atomic_load_u32(&crowd.held[TEL__DIAG_SINK_FAILED]), THREADS * ROUNDS);
}

int main(void) {
    test_items();
    test_report();
    test_levels();
    test_rate();
    test_subjects();
    test_long();
    test_notes();
    test_threads();
    return check_done();
}
