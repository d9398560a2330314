/* propagation.c -- one trace through two services. The caller injects its context into the headers of a request,
   the callee extracts it and goes on from there. Both run in this process; the headers are all they share.

   build    cc -I. examples/propagation.c -pthread -o propagation

   expected (the ids differ each time)
     frontend sends    traceparent: 00-8eac6407eb8dd33ef8c34eafec07d1cf-8f16e0f8fa4e1f0d-03
     backend continues trace 8eac6407eb8dd33ef8c34eafec07d1cf
     span query    of the frontend's trace, below its span
     span request  of the frontend's trace, the root
     a broken header starts a new trace
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>
#include <string.h>

/* Your headers, whatever they are. Two functions make them a carrier. */
typedef struct request { char name[8][32], value[8][96]; int count; } request;

static void set_header(const char* key, const char* value, void* user_data) {
    request* r = (request*)user_data;
    if (r->count == 8) { return; }
    snprintf(r->name[r->count], sizeof r->name[0], "%s", key);
    snprintf(r->value[r->count], sizeof r->value[0], "%s", value);
    r->count++;
}

static tel_text get_header(const char* key, void* user_data) {      /* real headers: compare without case */
    request* r = (request*)user_data;
    tel_text none = { NULL, 0 };
    for (int i = 0; i < r->count; i++) {
        if (strcmp(r->name[i], key) == 0) { tel_text t = { r->value[i], strlen(r->value[i]) }; return t; }
    }
    return none;
}

static tel_context caller;                          /* for the comparison in show() only */

static tel_result show(const tel_batch* b, void* user_data) {
    static const uint8_t none[8];
    (void)user_data;
    for (size_t i = 0; i < b->span_count; i++) {
        const tel_span_view* s = &b->spans[i];
        bool same = memcmp(s->context.trace_id, caller.trace_id, 16) == 0;
        bool below = memcmp(s->parent_span_id, caller.span_id, 8) == 0;
        bool root = memcmp(s->parent_span_id, none, 8) == 0;
        printf("span %-8s %s, %s\n", s->name.data, same ? "of the frontend's trace" : "of ANOTHER trace",
               below ? "below its span" : root ? "the root" : "an ORPHAN");
    }
    return TEL_OK;
}

static void backend(request* in) {
    tel_carrier headers = { .get_fn = get_header, .user_data = in };
    tel_context remote = tel_extract(&headers);
    TEL_ATTACH(&remote) {
        TEL_SPAN(span, "query") {
            printf("backend continues trace ");
            for (int i = 0; i < 16; i++) { printf("%02x", span->context.trace_id[i]); }
            printf("\n");
        }
    }
}

int main(void) {
    request out = { .count = 0 };
    tel_carrier headers = { .set_fn = set_header, .user_data = &out };
    tel_sink sink = { .name = "show", .signal_mask = TEL_SIGNAL_SPANS, .export_fn = show };
    tel_desc desc = { .service_name = "propagation", .sinks = &sink, .sink_count = 1 };
    tel_context c;
    if (tel_init(&desc) != TEL_OK) { return 1; }
    TEL_SPAN(span, "request") {
        caller = span->context;
        tel_inject(NULL, &headers);                 /* NULL: the current context, which is this span */
        printf("frontend sends    %s: %s\n", out.name[0], out.value[0]);
        backend(&out);
    }
    tel_flush(2000);
    out.value[0][0] = 'x';
    headers.get_fn = get_header;
    c = tel_extract(&headers);                      /* all zero: attach it and the next span is a root */
    printf("a broken header %s\n", c.trace_id[0] | c.span_id[0] ? "was BELIEVED" : "starts a new trace");
    return tel_shutdown(2000) == TEL_OK ? 0 : 1;
}
