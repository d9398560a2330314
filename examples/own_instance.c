/* own_instance.c -- a library with an instance of its own: its own sink and settings beside those of the program, neither of which
   sees the other, and one trace through both where the program asks for it.

   build    cc -I. -DLIBRARY -c examples/own_instance.c -o own_library.o
            cc -I. examples/own_instance.c own_library.o -pthread -o own_instance
   In real life the library is a file of its own, without the macro.

   expected
     program: span request of trace 0123456789abcdef0123456789abcdef
     program: metric requests
     library: span cache.fill of trace 0123456789abcdef0123456789abcdef
     library: metric cache.fills
*/
#ifdef LIBRARY
#define TELEMETRY_STATIC                        /* no name of this copy is seen outside of this file */
#define WHO "library"
#else
#define WHO "program"
#endif
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>

/* ---- cache.h: what crosses the border is a tel_context, a plain value ---- */

void cache_open(void);
void cache_fill(const tel_context* caller);
void cache_close(void);

/* ---- both ---- */

static tel_result show(const tel_batch* b, void* user_data) {
    (void)user_data;
    for (size_t i = 0; i < b->span_count; i++) {
        char text[TEL_TRACEPARENT_SIZE];
        tel_traceparent_format(&b->spans[i].context, text);
        printf(WHO ": span %s of trace %.32s\n", b->spans[i].name.data, text + 3);
    }
    for (size_t i = 0; i < b->metric_count; i++) { printf(WHO ": metric %s\n", b->metrics[i].name.data); }
    return TEL_OK;
}
static void start(const char* name) {
    tel_sink sink = { .name = "show", .export_fn = show };
    tel_desc desc = { .service_name = name, .sinks = &sink, .sink_count = 1, .no_self_metrics = true };
#ifdef LIBRARY
    desc.ignore_env = true;                     /* the variables are meant for the program */
#endif
    tel_init(&desc);
}

#ifdef LIBRARY
static tel_counter fills = TEL_INSTRUMENT("cache.fills", "{fill}", "Entries filled");

void cache_open(void) { start("cache"); }
void cache_fill(const tel_context* caller) {
    TEL_SPAN_EX(span, &(tel_span_desc){ .name = "cache.fill", .parent = caller }) { tel_counter_add(&fills, 1); }
}
void cache_close(void) { tel_shutdown(2000); }
#else
static tel_counter requests = TEL_INSTRUMENT("requests", "{request}", "Requests answered");

int main(void) {
    tel_context caller;
    start("shop");
    cache_open();
    tel_traceparent_parse((tel_text){ "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01", SIZE_MAX }, &caller);
    TEL_ATTACH(&caller) {
        TEL_SPAN(span, "request") {
            cache_fill(&span->context);         /* without it the library would begin a trace of its own */
            tel_counter_add(&requests, 1);
        }
    }
    tel_shutdown(2000);
    cache_close();                              /* it still runs, and so does whoever else has an instance */
    return 0;
}
#endif
