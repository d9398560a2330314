/* What a context carries survives every hop: through spans, threads, attach and headers; and also without an SDK: before
   tel_init, when it is disabled, and after tel_shutdown. The tracestate reaches the sinks with spans and links. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>
#include <stdlib.h>

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static char sent[3][300];
static const char* const names[3] = { "traceparent", "tracestate", "baggage" };
static const char* received[3] = { PARENT, "vendor=x,other=y", "user=anna;p=1,tier=gold" };

static tel_text get(const char* key, void* user_data) {
    tel_text t = { NULL, 0 };
    size_t i;
    (void)user_data;
    for (i = 0; i < 3; i++) {
        if (strcmp(key, names[i]) == 0 && received[i]) { return tel_str("", received[i]).as.s; }
    }
    return t;
}
static void set(const char* key, const char* value, void* user_data) {
    size_t i;
    (void)user_data;
    for (i = 0; i < 3; i++) {
        if (strcmp(key, names[i]) == 0) { snprintf(sent[i], sizeof sent[i], "%s", value); }
    }
}
static tel_context arrive(void) {
    tel_carrier in;
    memset(&in, 0, sizeof in);
    in.get_fn = get;
    return tel_extract(&in);
}
static void leave(const tel_context* c) {
    tel_carrier out;
    memset(&out, 0, sizeof out);
    memset(sent, 0, sizeof sent);
    out.set_fn = set;
    (void)tel_inject(c, &out);
}
static void check_left(void) {
    CHECK(memcmp(sent[0], PARENT, 35) == 0);
    CHECK_STR(sent[1], received[1]);
    CHECK_STR(sent[2], received[2]);
}

static void* other_thread(void* arg) {
    tel_context c = *(const tel_context*)arg;
    TEL_ATTACH(&c) {
        TEL_SPAN(s, "on another thread") { leave(NULL); }
    }
    return NULL;
}

/* Every way from the context of a request to the headers of the next. */
static void go_everywhere(void) {
    tel_context c = arrive(), now;
    tel_span_desc d;
    tel_span span;
    pthread_t t;
    CHECK_INT(c.remote, 1);
    leave(&c);
    check_left();
    TEL_ATTACH(&c) {
        leave(NULL);
        check_left();
        TEL_SPAN(s, "outer") {
            CHECK_INT(s->context.remote, tel_enabled() ? 0 : 1);
            TEL_SPAN(deeper, "inner") { leave(NULL); }
            check_left();
            leave(&s->context);
            check_left();
        }
        span = tel_span_start("unscoped");
        leave(&span.context);
        check_left();
        tel_span_end(&span);
        now = tel_current();
        CHECK(memcmp(&now, &c, sizeof c) == 0);
    }
    memset(&d, 0, sizeof d);
    d.name = "explicit";
    d.parent = &c;
    span = tel_span_start_ex(&d);
    leave(&span.context);
    check_left();
    tel_span_end(&span);
    CHECK(pthread_create(&t, NULL, other_thread, &c) == 0);
    pthread_join(t, NULL);
    check_left();
}

/* Baggage belongs to no trace: a root has it too, but no tracestate. */
static void roots(void) {
    tel_context c;
    tel_span_desc d;
    tel_span span;
    received[0] = NULL;
    c = arrive();
    received[0] = PARENT;
    CHECK(!tel_context_valid(&c));
    TEL_ATTACH(&c) {
        TEL_SPAN(s, "root") {
            leave(NULL);
            CHECK(tel_context_valid(&s->context));
        }
    }
    CHECK_STR(sent[1], "");
    CHECK_STR(sent[2], received[2]);
    c = arrive();
    memset(&d, 0, sizeof d);
    d.name = "new root";
    d.root = true;
    d.parent = &c;
    span = tel_span_start_ex(&d);
    leave(&span.context);
    CHECK(memcmp(sent[0] + 3, PARENT + 3, 32) != 0);
    CHECK_STR(sent[1], "");
    CHECK_STR(sent[2], received[2]);
    tel_span_end(&span);
}

static void seen_by_sinks(tel_memory* memory) {
    tel_context c = arrive(), plain = c;
    tel_link links[2];
    tel_span_desc d;
    tel_span span;
    tel_batch seen;
    size_t i, found = 0;
    CHECK_INT(tel_tracestate_set(&plain, "vendor", NULL), TEL_OK);
    CHECK_INT(tel_tracestate_set(&plain, "other", NULL), TEL_OK);
    memset(&d, 0, sizeof d);
    memset(links, 0, sizeof links);
    links[0].context = c;
    links[1].context = plain;
    d.name = "linked";
    d.links = links;
    d.link_count = 2;
    d.parent = &c;
    span = tel_span_start_ex(&d);
    tel_span_end(&span);
    CHECK_INT(tel_flush(10000), TEL_OK);
    seen = tel_memory_read(memory);
    for (i = 0; i < seen.span_count; i++) {
        const tel_span_view* v = &seen.spans[i];
        bool root = v->name.data[0] == 'r' || v->name.data[0] == 'n';
        CHECK_STR(v->tracestate.data, root ? "" : received[1]);
        CHECK_INT(v->context.tel__extra + v->context.tel__reserved, 0);
        if (strcmp(v->name.data, "linked") != 0) { continue; }
        found++;
        CHECK_INT(v->link_count, 2);
        CHECK_STR(v->links[0].tracestate.data, received[1]);
        CHECK_STR(v->links[1].tracestate.data, "");
        CHECK_INT(v->links[0].context.tel__extra + v->links[0].dropped_attrs, 0);
    }
    CHECK_INT(found, 1);
    CHECK(seen.span_count >= 7);
}

int main(void) {
    static tel_memory memory;
    tel_sink sink = tel_sink_memory(&memory);
    tel_desc d;
    go_everywhere();                            /* not initialised */
    memset(&d, 0, sizeof d);
    d.sinks = &sink;
    d.sink_count = 1;
    d.no_atexit = true;
    setenv("OTEL_SDK_DISABLED", "true", 1);
    CHECK_INT(tel_init(&d), TEL_OK);
    go_everywhere();                            /* disabled */
    (void)tel_shutdown(1000);
    setenv("OTEL_SDK_DISABLED", "false", 1);
    CHECK_INT(tel_init(&d), TEL_OK);
    go_everywhere();
    roots();
    seen_by_sinks(&memory);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    go_everywhere();                            /* shut down */
    d.sample_ratio = TEL_NEVER;
    d.ignore_env = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    go_everywhere();
    (void)tel_shutdown(1000);
    tel_memory_clear(&memory);
    return check_done();
}
