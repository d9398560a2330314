/* The word that the calls test where they stand: what it is before tel_init, while something records, and after tel_shutdown; that
   nothing is evaluated or counted wrongly because of it. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>

static tel_counter   hits = TEL_INSTRUMENT("word.hits", NULL, NULL);
static tel_updown    depth = TEL_INSTRUMENT("word.depth", NULL, NULL);
static tel_gauge     level = TEL_INSTRUMENT("word.level", NULL, NULL);
static tel_histogram spread = TEL_INSTRUMENT("word.spread", NULL, NULL);

static int values, attrs, spans, logs;
static int value(void) { return ++values; }
static int attr(void) { return ++attrs; }

#define EACH(verb, instrument) verb(&(instrument), value())
#define EACH_WITH(verb, instrument) verb(&(instrument), value(), TEL_ATTRS(tel_int("a", attr()), tel_str("b", "c")))

static void record_each(void) {
    tel_span s;
    EACH(tel_counter_add, hits);
    EACH(tel_counter_addf, hits);
    EACH(tel_updown_add, depth);
    EACH(tel_updown_addf, depth);
    EACH(tel_gauge_set, level);
    EACH(tel_gauge_seti, level);
    EACH(tel_histogram_record, spread);
    EACH_WITH(tel_counter_add_with, hits);
    EACH_WITH(tel_counter_addf_with, hits);
    EACH_WITH(tel_updown_add_with, depth);
    EACH_WITH(tel_updown_addf_with, depth);
    EACH_WITH(tel_gauge_set_with, level);
    EACH_WITH(tel_gauge_seti_with, level);
    EACH_WITH(tel_histogram_record_with, spread);
    s = tel_span_start("s");
    tel_span_end(&s);
    tel_log(TEL_INFO, "l", TEL_NOATTRS);
    tel_logf(TEL_INFO, "%d", 1);
}
#define VALUES 14
#define WITH   7

static tel_result take(const tel_batch* batch, void* user_data) {
    (void)user_data;
    spans += (int)batch->span_count;
    logs += (int)batch->log_count;
    return TEL_OK;
}

static tel_desc desc_of(tel_sink* sink) {
    tel_desc d;
    memset(sink, 0, sizeof *sink);
    memset(&d, 0, sizeof d);
    sink->name = "take";
    sink->export_fn = take;
    d.sinks = sink;
    d.sink_count = 1;
    d.ignore_env = d.no_thread = d.no_atexit = true;
    return d;
}

/* Values are evaluated in any case; attributes and what is logged are not while the word is 0. */
static void test_before_init(void) {
    uint64_t ignored = tel__thread_me.idle;
    int i;
    CHECK(tel__on());
    record_each();
    CHECK_INT(values, VALUES);
    CHECK_INT(attrs, WITH);
    CHECK_INT((int)(tel__thread_me.idle - ignored), 17);    /* the end of a span without a slot is no record */
    for (i = 0; i < 5000; i++) { tel_counter_add(&hits, 1); }
    CHECK(!tel__on());
    CHECK_INT((int)tel__thread_me.idle, 4096);
    values = attrs = 0;
    record_each();
    CHECK_INT(values, VALUES);
    CHECK_INT(attrs, 0);
    CHECK_INT((int)tel__thread_me.idle, 4096);
}

/* A context that was attached without an SDK goes into spans, whatever the word was. */
static void test_carried(void) {
    tel_context c, none;
    tel_token token;
    tel_span s;
    memset(&none, 0, sizeof none);
    memset(&c, 7, sizeof c);
    s = tel_span_start("none");
    CHECK(memcmp(&s.context, &none, sizeof none) == 0 && !s.tel__slot);
    token = tel_attach(&c);
    s = tel_span_start("carried");
    CHECK(memcmp(s.context.trace_id, c.trace_id, 16) == 0 && !s.tel__slot);
    tel_span_end(&s);
    tel_detach(token);
}

static void* record_on_thread(void* arg) {
    int i;
    (void)arg;
    for (i = 0; i < 20000; i++) { tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_int("a", i % 3))); }
    return NULL;
}

static void test_life(void) {
    tel_sink sink;
    tel_desc d = desc_of(&sink);
    pthread_t other;
    int round;
    for (round = 1; round <= 2; round++) {
        int i;
        CHECK_INT(tel_init(&d), TEL_OK);
        CHECK(tel__on());
        values = attrs = 0;
        record_each();
        CHECK_INT(values, VALUES);
        CHECK_INT(attrs, WITH);
        CHECK_INT(tel_flush(5000), TEL_OK);
        CHECK_INT(spans, round);
        CHECK_INT(logs, 2 * round);
        if (round == 1) { CHECK(tel_query_stats().ignored >= 4096); }
        CHECK(pthread_create(&other, NULL, record_on_thread, NULL) == 0);
        CHECK_INT(tel_shutdown(5000), TEL_OK);
        CHECK(pthread_join(other, NULL) == 0);
        for (i = 0; i < 10000; i++) { tel_counter_add(&hits, 1); }
        CHECK(tel__on());                           /* a thread that records now lets go of the instance */
    }
}

/* Another module that never records shares the word, as when the linker merges two copies: it cannot turn ours off. */
static void test_shared(void) {
    tel_sink sink;
    tel_desc d = desc_of(&sink);
    void* current;
    int i;
    CHECK_INT(tel_init(&d), TEL_OK);
    current = tel__atomic_load_ptr(&tel__root.current);
    tel__recording = TEL__INSTANCE_ONE | 1;
    tel__atomic_store_ptr(&tel__root.current, NULL);
    for (i = 0; i < 10000; i++) { (void)tel__instance_idle(); }
    CHECK(tel__on());
    tel__atomic_store_ptr(&tel__root.current, current);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK(tel__on());
}

static tel_severity some(tel_severity severity) { return severity; }
static int text(void) { return ++values; }
static int every(void) { TEL_LOG_EVERY(3600000, TEL_INFO, "l", TEL_ATTRS(tel_int("a", attr()))); return attrs; }

/* A log below the level is not evaluated, if its severity is a constant; whatever changes the level, the word follows. */
static void test_level(void) {
    int i;
    tel_sink sink, more;
    tel_desc d = desc_of(&sink);
    sink.signal_mask = TEL_SIGNAL_SPANS;
    d.min_severity = TEL_WARN;
    CHECK_INT(tel_init(&d), TEL_OK);
    logs = attrs = values = 0;
    tel_log(TEL_FATAL, "l", TEL_ATTRS(tel_int("a", attr())));
    tel_log(some(TEL_FATAL), "l", TEL_ATTRS(tel_int("a", 1)));
    CHECK_INT(attrs, 0);                            /* no sink wants logs */
    more = sink;
    more.name = "more";
    more.signal_mask = TEL_SIGNAL_LOGS;
    CHECK_INT(tel_sink_add(&more), TEL_OK);
    tel_log(TEL_INFO, "l", TEL_ATTRS(tel_int("a", attr())));
    tel_logf((tel_severity)12, "%d", text());
    tel_log(some(TEL_INFO), "l", TEL_NOATTRS);
    CHECK_INT(every(), 0);
    CHECK_INT(values, 0);
    tel_log(TEL_WARN, "l", TEL_ATTRS(tel_int("a", attr())));
    tel_log(some(TEL_WARN), "l", TEL_ATTRS(tel_int("a", attr())));
    tel_logf((tel_severity)24, "%d", text());
    tel_log((tel_severity)0, "l", TEL_NOATTRS);     /* of no severity: never below */
    CHECK_INT(attrs, 2);
    CHECK_INT(values, 1);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(logs, 4);
    CHECK_INT(tel_log_level("", (tel_severity)24), TEL_OK);
    tel_log((tel_severity)23, "l", TEL_ATTRS(tel_int("a", attr())));
    CHECK_INT(attrs, 2);
    CHECK_INT(tel_log_level("*", (tel_severity)0), TEL_OK);
    tel_log(TEL_TRACE, "l", TEL_NOATTRS);
    CHECK_INT(every(), 3);
    CHECK_INT(every(), 3);                          /* only this one is within the interval */
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(logs, 6);
    CHECK_INT(tel_log_level("*", TEL_ERROR), TEL_OK);
    for (i = 0; i < 6; i++) {                       /* what is below the level takes nobody's turn */
        TEL_LOG_EVERY(3600000, some(i < 3 ? TEL_WARN : TEL_ERROR), "l", TEL_NOATTRS);
    }
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(logs, 7);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK(tel__recording >> 24 == 0 && tel__on());  /* until the next tel_init all calls are counted as before */
}

/* Two modules whose words the linker has merged: no level stands for both. */
static void test_two_levels(void) {
    tel_sink sink;
    tel_desc d = desc_of(&sink);
    d.min_severity = TEL_ERROR;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK_INT((int)(tel__recording >> 24), TEL_ERROR - 1);
    tel__instance_count(TEL__INSTANCE_ONE);
    CHECK_INT((int)(tel__recording >> 24), 0);
    CHECK_INT(tel_log_level("", TEL_WARN), TEL_OK);
    CHECK_INT((int)(tel__recording >> 24), 0);
    tel__instance_count((uint32_t)-TEL__INSTANCE_ONE);
    CHECK_INT(tel_log_level("", TEL_WARN), TEL_OK);
    CHECK_INT((int)(tel__recording >> 24), TEL_WARN - 1);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* Where a macro cannot stand the function does. */
static void test_functions(void) {
    void (*add)(tel_counter*, int64_t) = tel_counter_add;
    void (*end)(tel_span*) = tel_span_end;
    tel_span s = (tel_span_start)("s");
    add(&hits, 1);
    end(&s);
    (tel_log)(TEL_INFO, "l", TEL_NOATTRS);
    CHECK(!s.tel__slot);
}

int main(void) {
    test_before_init();
    test_carried();
    test_life();
    test_shared();
    test_level();
    test_two_levels();
    test_functions();
    return check_done();
}
