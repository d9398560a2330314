/* Everything that a program may do wrong or at a bad time, at once, with exact counts: 64 threads pass spans around, end them twice,
   use them and old copies of them after their end, never end some, and log while levels change and a processor drops at random; then
   the same while the SDK is shut down and started again. And a million live spans are asked of a pool of 4096. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include "capture.h"

static struct { uint64_t spans, logs, offered[2], refused[2]; } seen;

static tel_result take(const tel_batch* b, void* user_data) {
    (void)user_data;
    __atomic_fetch_add(&seen.spans, b->span_count, __ATOMIC_RELAXED);
    __atomic_fetch_add(&seen.logs, b->log_count, __ATOMIC_RELAXED);
    return TEL_OK;
}
/* One thread is in a processor at a time, but the store of recent records would ask anew. */
static bool some(int signal, const char* data, size_t size) {
    static uint32_t state = 1;
    bool keep;
    state = state * 1664525u + 1013904223u + (size ? (uint32_t)(unsigned char)data[0] : 0);
    keep = state >> 30 != 0;
    seen.offered[signal]++;
    seen.refused[signal] += !keep;
    return keep;
}
static bool some_spans(tel_span_view* s, void* user_data) {
    (void)user_data;
    return some(0, s->name.data, s->name.size);
}
static bool some_logs(tel_log_view* l, void* user_data) {
    (void)user_data;
    return some(1, l->body.data, l->body.size);
}

static void start(uint32_t max_live) {
    static tel_sink sink;
    tel_processor p;
    tel_desc d;
    memset(&sink, 0, sizeof sink);
    sink.export_fn = take;
    memset(&p, 0, sizeof p);
    p.on_end = some_spans;
    p.on_log = some_logs;
    memset(&d, 0, sizeof d);
    d.sinks = &sink;
    d.sink_count = 1;
    d.processors = &p;
    d.processor_count = 1;
    d.max_live_spans = max_live;
    d.ignore_env = d.no_atexit = d.no_self_metrics = true;
    CHECK_INT(tel_init(&d), TEL_OK);
}
/* The books of what is over: nothing is missing and nothing counted twice. */
static void check_sums(void) {
    tel_stats s = tel_query_stats();
    CHECK_INT(s.recorded[1], s.dropped[1] + s.filtered[1] + s.exported[1]);
    CHECK_INT(s.recorded[2], s.dropped[2] + s.filtered[2] + s.exported[2]);
    CHECK_INT(s.failed[1] + s.failed[2] + s.queued[1] + s.queued[2], 0);
    CHECK_INT(s.exported[1], seen.spans);
    CHECK_INT(s.exported[2], seen.logs);
    CHECK_INT(s.filtered[1], seen.refused[0]);
    CHECK_INT(s.filtered[2], seen.refused[1]);
    CHECK_INT(s.recorded[1] - s.dropped[1], seen.offered[0]);
}

#define THREADS 64
#define TABLE   256
typedef struct place { pthread_mutex_t lock; tel_span span, old; bool open; } place;
static place table[TABLE];
static int going;
static uint64_t begun, ended, lost_sight;

/* A handle is used by one thread at a time, under the lock of its place; copies of it that are older may come at any time. */
static void act(place* p, unsigned* seed) {
    tel_span stale = p->old;
    switch (rand_r(seed) % 8) {
    case 0:                                             /* never ended: the handle is forgotten */
        if (rand_r(seed) % 64 || !p->open) { break; }
        __atomic_fetch_add(&lost_sight, tel_span_recording(&p->span), __ATOMIC_RELAXED);
        p->open = false;
        break;
    case 1: tel_span_set(&p->span, tel_int("n", (int64_t)*seed)); break;
    case 2: tel_span_event(&p->span, "event", TEL_ATTRS(tel_str("s", "some text of some length"))); break;
    case 3: tel_span_set(&stale, tel_str("stale", "must hit nothing")); break;
    case 4: tel_span_end(&stale); break;
    case 5: tel_log(TEL_INFO, "log", TEL_NOATTRS); break;
    default:
        if (p->open) {
            tel_span copy = p->span;
            __atomic_fetch_add(&ended, tel_span_recording(&p->span), __ATOMIC_RELAXED);
            tel_span_end(&p->span);
            tel_span_end(&p->span);
            tel_span_end(&copy);                        /* its handle has ended, too */
            CHECK(!tel_span_recording(&copy));
            tel_span_set(&copy, tel_bool("after", true));
            p->old = copy;
            p->open = false;
        } else {
            p->span = tel_span_start("span");
            __atomic_fetch_add(&begun, tel_span_recording(&p->span), __ATOMIC_RELAXED);
            p->open = true;
        }
    }
}
static void* fire(void* arg) {
    unsigned seed = (unsigned)(size_t)arg;
    int i;
    for (i = 0; i < 400 || __atomic_load_n(&going, __ATOMIC_RELAXED); i++) {
        place* p = &table[rand_r(&seed) % TABLE];
        pthread_mutex_lock(&p->lock);
        act(p, &seed);
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}
static void* levels(void* arg) {
    static const tel_severity least[] = { TEL_TRACE, TEL_WARN, TEL_FATAL, TEL_INFO };
    unsigned i;
    for (i = 0; i < 200 || __atomic_load_n(&going, __ATOMIC_RELAXED); i++) {
        tel_log_level(i % 3 ? "*" : "x.*", least[i % 4]);
    }
    return arg;
}

static void* shut(void* arg) {
    int i;
    for (i = 0; i < 20; i++) {
        CHECK(tel_shutdown(20000) != TEL_ERR_TIMEOUT);
        check_sums();
        memset(&seen, 0, sizeof seen);
        start(128);
    }
    __atomic_store_n(&going, 0, __ATOMIC_RELAXED);
    return arg;
}

static void test_fire(bool restarts) {
    pthread_t t[THREADS];
    tel_stats s;
    size_t i;
    memset(&seen, 0, sizeof seen);
    begun = ended = lost_sight = 0;
    for (i = 0; i < TABLE; i++) {
        memset(&table[i].span, 0, 2 * sizeof(tel_span));
        table[i].open = false;
        pthread_mutex_init(&table[i].lock, NULL);
    }
    going = restarts;
    start(restarts ? 128 : 0);
    for (i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&t[i], NULL, i == 1 ? levels : i == 0 && restarts ? shut : fire, (void*)i), 0);
    }
    for (i = 0; i < THREADS; i++) { pthread_join(t[i], NULL); }
    for (i = 0; i < TABLE; i++) {
        if (table[i].open) { lost_sight += tel_span_recording(&table[i].span); }
    }
    s = tel_query_stats();
    if (!restarts) { CHECK_INT(s.spans_live, lost_sight); }
    CHECK(tel_shutdown(20000) != TEL_ERR_TIMEOUT);
    check_sums();
    if (restarts) { return; }
    s = tel_query_stats();
    CHECK_INT(begun, ended + lost_sight);
    CHECK_INT(s.recorded[1] - s.dropped[1], ended);
}

/* A million is asked for, 4096 are given, the others are counted; old and young handles hit what is theirs. */
static void test_million(void) {
    enum { MILLION = 1000000, POOL = 4096 };
    static tel_span kept[POOL];
    tel_span s;
    tel_stats st;
    uint64_t given = 0;
    int i, round;
    memset(&seen, 0, sizeof seen);
    start(POOL);
    for (round = 0; round < 2; round++) {
        given = 0;
        for (i = 0; i < MILLION; i++) {
            s = tel_span_start("one of a million");
            if (!tel_span_recording(&s)) { tel_span_set(&s, tel_int("i", i)); tel_span_end(&s); }
            else if (given < POOL) { kept[given++] = s; }
            else { CHECK(!"more than the pool has"); }
        }
        CHECK_INT(given, POOL);
        CHECK_INT(tel_query_stats().spans_live, POOL);
        for (i = 0; i < POOL; i++) {
            CHECK(tel_span_recording(&kept[i]));
            tel_span_end(&kept[i]);
        }
        CHECK_INT(tel_query_stats().spans_live, 0);
        CHECK_INT(tel_flush(20000), TEL_OK);
    }
    st = tel_query_stats();
    CHECK_INT(st.recorded[1], 2 * MILLION);
    CHECK_INT(st.dropped[1], 2 * (MILLION - POOL));
    CHECK_INT(tel_shutdown(20000), TEL_OK);
    check_sums();
}

int main(void) {
    capture_watchdog(120);
    where = "fire";
    test_fire(false);
    where = "fire, with restarts";
    test_fire(true);
    where = "a million";
    test_million();
    return check_done();
}
