/* async_callbacks.c -- a request that lives on after the function that began it: its span is kept in the request object,
   and each callback attaches its context while it works for it, so that what it records belongs to the right request.

   build    cc -I. examples/async_callbacks.c -pthread -o async_callbacks

   expected
     span resolve     of request 1
     span resolve     of request 2
     span connect     of request 2
     span request     2 with outcome late
     log  slow answer of request 2
     span connect     of request 1
     span request     1 with outcome ok
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>
#include <string.h>

/* ---- your event loop: timers that call back, here without real time ---- */

typedef struct request { int number; tel_span span; } request;
typedef struct timer { void (*func)(request* r); request* r; } timer;
static timer timers[8];
static int timer_count;
static void later(void (*func)(request* r), request* r) {
    timers[timer_count].func = func;
    timers[timer_count++].r = r;
}

/* ---- the program ---- */

static void finish(request* r, const char* outcome) {
    tel_span_set(&r->span, tel_str("outcome", outcome));
    tel_span_end(&r->span);
}

static void on_connected(request* r) {
    TEL_ATTACH(&r->span.context) {                      /* for this callback only: the thread serves others next */
        TEL_SPAN(s, "connect") { (void)s; }
        if (r->number == 2) { tel_log(TEL_WARN, "slow answer", TEL_NOATTRS); }
    }
    finish(r, r->number == 2 ? "late" : "ok");
}

static void on_resolved(request* r) {
    TEL_ATTACH(&r->span.context) {
        TEL_SPAN(s, "resolve") { (void)s; }
    }
    later(on_connected, r);
}

static void start(request* r, int number) {
    r->number = number;
    r->span = tel_span_start_ex(&(tel_span_desc){ .name = "request", .kind = TEL_SPAN_CLIENT, .root = true,
                                                  .attrs = TEL_ATTRS(tel_int("number", number)) });
    later(on_resolved, r);
}

/* ---- what a backend would show ---- */

static request requests[2];
static int owner(const tel_context* c) {
    for (int i = 0; i < 2; i++) {
        if (memcmp(c->trace_id, requests[i].span.context.trace_id, 16) == 0) { return i + 1; }
    }
    return 0;
}
static tel_result show(const tel_batch* b, void* user_data) {
    (void)user_data;
    for (size_t i = 0; i < b->span_count; i++) {
        const tel_span_view* s = &b->spans[i];
        if (strcmp(s->name.data, "request") == 0) {
            printf("span %-11s %lld with outcome %s\n", s->name.data, (long long)s->attrs.items[0].as.i, s->attrs.items[1].as.s.data);
        } else {
            printf("span %-11s of request %d\n", s->name.data, owner(&s->context));
        }
    }
    for (size_t i = 0; i < b->log_count; i++) { printf("log  %-11s of request %d\n", b->logs[i].body.data, owner(&b->logs[i].context)); }
    return TEL_OK;
}

int main(void) {
    tel_sink sink = { .name = "show", .signal_mask = TEL_SIGNAL_SPANS | TEL_SIGNAL_LOGS, .export_fn = show };
    if (tel_init(&(tel_desc){ .service_name = "async", .sinks = &sink, .sink_count = 1, .no_thread = true }) != TEL_OK) { return 1; }
    start(&requests[0], 1);
    start(&requests[1], 2);
    static const int order[] = { 0, 1, 3, 2 };          /* the answers do not come in the order of the questions */
    for (int i = 0; i < 4; i++) {
        timer t = timers[order[i]];
        t.func(t.r);
        tel_flush(1000);                                /* only so that the lines come in order */
    }
    return tel_shutdown(2000) == TEL_OK ? 0 : 1;
}
