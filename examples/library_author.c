/* library_author.c -- a library that records under a scope of its own and leaves the decision to the application:
   without tel_init its instruments and spans do nothing; with it they appear under the library's name.

   build    cc -I. examples/library_author.c -pthread -o library_author
   In real life the library is a file of its own that includes telemetry.h WITHOUT the implementation macro.

   expected
     the application has not set up telemetry: Bremen is at 53.1 degrees north
     the application has set up telemetry: Bremen is at 53.1 degrees north
     span   geo 2.1.0: geo.find
     metric geo 2.1.0: geo.lookups 1
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>
#include <string.h>

/* ---- geo.c: the library ---- */

static const tel_scope geo_scope = { .name = "geo", .version = "2.1.0" };
static const tel_metric_options geo_options = { .scope = &geo_scope };
static tel_counter geo_lookups = TEL_INSTRUMENT_OPT("geo.lookups", "{lookup}", "Places looked up", &geo_options);

static double geo_find(const char* place) {
    double north = 0;
    /* With a desc, because the span names its scope. Its parent is whatever span the caller is in. */
    TEL_SPAN_EX(span, &(tel_span_desc){ .name = "geo.find", .scope = &geo_scope }) {
        if (tel_span_recording(span)) { tel_span_set(span, tel_str("geo.place", place)); }
        if (strcmp(place, "Bremen") == 0) { north = 53.1; }
        else { tel_span_status(span, TEL_STATUS_ERROR, "unknown place"); }
        tel_counter_add(&geo_lookups, 1);           /* no result to check: recording cannot fail */
    }
    return north;
}

/* ---- main.c: the application ---- */

static void line(const char* what, const tel_scope_view* s, tel_text name) {
    printf("%-6s %.*s %.*s: %.*s", what, (int)s->name.size, s->name.data, (int)s->version.size, s->version.data,
           (int)name.size, name.data);
}

static tel_result show(const tel_batch* b, void* user_data) {
    (void)user_data;
    for (size_t i = 0; i < b->span_count; i++) { line("span", b->spans[i].scope, b->spans[i].name); puts(""); }
    for (size_t i = 0; i < b->metric_count; i++) {
        line("metric", b->metrics[i].scope, b->metrics[i].name);
        printf(" %lld\n", (long long)b->metrics[i].points[0].i);
    }
    return TEL_OK;
}

static void run(void) {
    printf("the application has %sset up telemetry: Bremen is at %.1f degrees north\n", tel_enabled() ? "" : "not ",
           geo_find("Bremen"));
}

int main(void) {
    tel_sink sink = { .name = "show", .export_fn = show };
    tel_desc desc = { .service_name = "atlas", .sinks = &sink, .sink_count = 1, .no_self_metrics = true };
    run();
    if (tel_init(&desc) != TEL_OK) { return 1; }
    run();
    return tel_shutdown(2000) == TEL_OK ? 0 : 1;
}
