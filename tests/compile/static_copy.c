/* Several instances in one program. Each copy (-DNAME=..., in C or C++, linked in or loaded) has a private SDK (TELEMETRY_STATIC);
   the host (-DMAIN) includes no telemetry.h, drives them through a table, and is given the path of one to load and unload. */
#include <stdbool.h>
#include <stddef.h>

/* What a copy has seen at its own sink: of the whole, and of the record with a parent. */
typedef struct copy_seen { long spans, logs, sum, metrics; unsigned char trace_id[16], parent[8]; } copy_seen;
typedef struct copy_calls {
    bool (*begin)(void);
    void (*record)(void);                   /* one of each: a span, a log, 1 to a counter */
    bool (*enabled)(void);
    bool (*flush)(copy_seen* out);
    bool (*end)(copy_seen* out);
    /* Starts a span with baggage and calls `inside` with its context (32 bytes) and its headers. */
    void (*offer)(void (*inside)(const void* context, const char* traceparent, const char* baggage));
    /* Without being asked it sees nothing; the value gives it the trace, and the headers give it the baggage too. */
    bool (*sees)(const void* context, const char* traceparent, const char* baggage);
} copy_calls;
#ifdef __cplusplus
extern "C" {
#endif
const copy_calls* copy_one(void);
const copy_calls* copy_two(void);
const copy_calls* copy_three(void);
#ifdef __cplusplus
}
#endif

#ifdef NAME
#define TELEMETRY_STATIC
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#ifdef __cplusplus
#include <string>
#endif

static copy_seen seen;
static tel_counter hits = TEL_INSTRUMENT("copy.hits", NULL, NULL);
static tel_result take(const tel_batch* b, void* user_data) {
    size_t i;
    (void)user_data;
    for (i = 0; i < b->metric_count; i++) {
        if (!strcmp(b->metrics[i].name.data, "copy.hits")) { seen.sum = (long)b->metrics[i].points[0].i; }
        seen.metrics++;
    }
    for (i = 0; i < b->span_count; i++) {
        const tel_span_view* s = &b->spans[i];
        seen.spans++;
        if (strcmp(s->name.data, "child")) { continue; }
        memcpy(seen.trace_id, s->context.trace_id, 16);
        memcpy(seen.parent, s->parent_span_id, 8);
    }
    seen.logs += (long)b->log_count;
    return TEL_OK;
}

static bool begin(void) {
    tel_sink sink;
    tel_desc d;
    memset(&sink, 0, sizeof sink);
    sink.export_fn = take;
    memset(&d, 0, sizeof d);
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = true;
    memset(&seen, 0, sizeof seen);
#ifdef __cplusplus
    return tel_init(d) == TEL_OK;
#else
    return tel_init(&d) == TEL_OK;
#endif
}
static void record(void) {
#ifdef __cplusplus
    std::string name = "work";
    tel::span kept(name);
    kept.end();
    TEL_SPAN(s, name) {
        tel_span_set_all(s, TEL_ATTRS(tel_int("n", 1)));
        tel_span_status(s, TEL_STATUS_OK, NULL);
        break;                                  /* its destructor ends it */
    }
    tel_log(TEL_INFO, name, TEL_ATTRS(tel_str("of", name)));
    tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_int("k", 1)));
#else
    tel_span kept = tel_span_start("work");
    tel_span_end(&kept);
    TEL_SPAN(s, "work") { tel_span_set(s, tel_int("n", 1)); }
    tel_log(TEL_INFO, "work", TEL_NOATTRS);
    tel_counter_add(&hits, 1);
#endif
}
static bool enabled(void) { return tel_enabled(); }
static bool flush(copy_seen* out) {
    bool well = tel_flush(20000) == TEL_OK;
    *out = seen;
    return well;
}
static bool end(copy_seen* out) {
    bool well = tel_shutdown(20000) == TEL_OK;
    *out = seen;
    return well;
}

static char headers[2][256];
static void set(const char* key, const char* value, void* user_data) {
    (void)user_data;
    if (!strcmp(key, "traceparent")) { strncpy(headers[0], value, 255); }
    if (!strcmp(key, "baggage")) { strncpy(headers[1], value, 255); }
}
static tel_text get(const char* key, void* user_data) {
    tel_text t = { NULL, 0 };
    const char* const* given = (const char* const*)user_data;
    if (!strcmp(key, "traceparent")) { t.data = given[0]; }
    if (!strcmp(key, "baggage")) { t.data = given[1]; }
    t.size = t.data ? strlen(t.data) : 0;
    return t;
}
static void offer(void (*inside)(const void*, const char*, const char*)) {
    tel_context c = tel_extract(NULL);
    tel_carrier to;
    (void)tel_baggage_set(&c, "user", "anna", NULL);
    TEL_ATTACH(&c) {
        TEL_SPAN(s, "caller") {
            memset(&to, 0, sizeof to);
            to.set_fn = set;
            (void)tel_inject(NULL, &to);
            inside(&s->context, headers[0], headers[1]);
        }
    }
}
static bool sees(const void* context, const char* traceparent, const char* baggage) {
    const char* given[2];
    tel_context c = tel_current(), other;
    tel_carrier from;
    char user[16];
    bool well = !tel_context_valid(&c);
    given[0] = traceparent;
    given[1] = baggage;
    memset(&from, 0, sizeof from);
    from.get_fn = get;
    from.user_data = (void*)given;
    memcpy(&c, context, sizeof c);
    well = well && tel_context_valid(&c) && tel_baggage_get(&c, "user", user, sizeof user) == TEL_ERR_ARGUMENT;
    TEL_ATTACH(&c) { TEL_SPAN(s, "child") { (void)s; } }
    other = tel_extract(&from);
    return well && memcmp(other.span_id, c.span_id, 8) == 0 && tel_baggage_get(&other, "user", user, sizeof user) == TEL_OK &&
           !strcmp(user, "anna");
}

const copy_calls* NAME(void) {
    static const copy_calls table = { begin, record, enabled, flush, end, offer, sees };
    return &table;
}
#endif

#ifdef MAIN
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../check.h"

static const copy_calls* copies[3];
static int count = 2;

#define THREADS 4
#define RECORDS 200                     /* between two flushes: what a queue holds by default, so that none is lost */
static void* work(void* arg) {
    int i, k;
    (void)arg;
    for (i = 0; i < RECORDS; i++) {
        for (k = 0; k < count; k++) { copies[k]->record(); }
    }
    return NULL;
}
static void run_threads(void) {
    pthread_t threads[THREADS];
    int i;
    for (i = 0; i < THREADS; i++) { CHECK_INT(pthread_create(&threads[i], NULL, work, NULL), 0); }
    for (i = 0; i < THREADS; i++) { pthread_join(threads[i], NULL); }
}
/* Each copy has seen so many records of its own and nothing else. */
static void check_each(long records) {
    copy_seen s;
    int k;
    for (k = 0; k < count; k++) {
        CHECK(copies[k]->flush(&s));
        CHECK_INT(s.spans, 2 * records);
        CHECK_INT(s.logs, records);
        CHECK_INT(s.sum, records);
    }
}

static int asked;
static void ask_others(const void* context, const char* traceparent, const char* baggage) {
    int k;
    for (k = 0; k < count; k++) {
        if (k != asked) { CHECK(copies[k]->sees(context, traceparent, baggage)); }
    }
}
static void check_contexts(void) {
    copy_seen own, other;
    copies[asked]->offer(ask_others);
    CHECK(copies[asked]->flush(&own));
    CHECK(copies[!asked]->flush(&other));
    CHECK(other.trace_id[0] || other.trace_id[1]);
    CHECK(memcmp(own.trace_id, other.trace_id, 16) != 0);
}

/* The child records into each copy, loses nothing and sees nothing of the parent; more is recorded while it is made. */
static void check_fork(void) {
    pthread_t thread;
    pid_t child;
    int status = 1, k;
    CHECK_INT(pthread_create(&thread, NULL, work, NULL), 0);
    child = fork();
    if (child == 0) {
        copy_seen before[3], after;
        bool well = true;
        for (k = 0; k < count; k++) { well = well && copies[k]->flush(&before[k]); }
        for (k = 0; k < count; k++) { copies[k]->record(); }
        for (k = 0; k < count; k++) {
            well = well && copies[k]->flush(&after) && after.spans == before[k].spans + 2 && after.logs == before[k].logs + 1 &&
                   after.sum == 1 && copies[k]->end(&after);
        }
        _exit(well ? 0 : 1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
    pthread_join(thread, NULL);
}

static void scenario(void) {
    copy_seen s;
    int k;
    for (k = 0; k < count; k++) {
        CHECK(!copies[k]->enabled());
        CHECK(copies[k]->begin());
        CHECK(copies[k]->enabled());
    }
    run_threads();
    check_each(THREADS * RECORDS);
    check_fork();
    check_each((THREADS + 1) * RECORDS);
    for (asked = 0; asked < 2; asked++) { check_contexts(); }
    CHECK(copies[0]->end(&s));                      /* the others go on, and it may begin again */
    for (k = 1; k < count; k++) { CHECK(copies[k]->enabled()); }
    run_threads();
    CHECK(copies[0]->begin());
    work(NULL);
    for (k = 0; k < count; k++) {
        CHECK(copies[k]->end(&s));
        CHECK_INT(s.sum, k ? (2 * THREADS + 2) * RECORDS : RECORDS);
        CHECK(!copies[k]->enabled());
    }
}

int main(int argc, char** argv) {
    const copy_calls* (*three)(void) = NULL;
    int round;
    copies[0] = copy_one();
    copies[1] = copy_two();
    scenario();
    for (round = 0; argc > 1 && round < 3; round++) {
        void *module = dlopen(argv[1], RTLD_NOW), *at = module ? dlsym(module, "copy_three") : NULL;
        if (!at) { printf("%s\n", dlerror()); return 2; }
        memcpy(&three, &at, sizeof three);
        copies[2] = three();
        count = 3;
        scenario();
        count = 2;
        CHECK_INT(dlclose(module), 0);
        scenario();
    }
    return check_done();
}
#endif
