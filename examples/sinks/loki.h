/* loki.h -- a sink for telemetry.h that pushes logs to Grafana Loki. Public domain or MIT-0.

   Include it after telemetry.h, in one file. It stands on the public API alone: tel_sink_http delivers, this encodes.

       tel_loki_register();                        then "loki" is a type for tel_desc.exporters and configuration files
       tel_sink s = tel_loki_sink(&loki);          or as a value; the struct stays yours and has to outlive the SDK

   Labels are service_name and level only, so that there are few streams; everything else is structured metadata. */
#ifndef TEL_LOKI_H_INCLUDED
#define TEL_LOKI_H_INCLUDED 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tel_loki {
    const char* url;                    /* LOKI_URL, else http://localhost:3100 */
    const char* tenant;                 /* header X-Scope-OrgID; NULL: none */
    char        push[512], headers[256];
    tel_http_desc http;
} tel_loki;

static void tel_loki_lit(tel_writer out, const char* s) {
    tel_text t;
    t.data = s;
    t.size = strlen(s);
    tel_write_text(out, t);
}
/* Room for a value as JSON text; what does not fit is cut off. */
typedef struct tel_loki_json { char data[1024]; size_t size; } tel_loki_json;
static bool tel_loki_keep(const void* data, size_t size, void* to) {
    tel_loki_json* room = (tel_loki_json*)to;
    if (size > sizeof room->data - room->size) { size = sizeof room->data - room->size; }
    memcpy(room->data + room->size, data, size);
    room->size += size;
    return true;
}
/* Bytes or an array as a string of JSON. */
static tel_attr tel_loki_array(const tel_attr* a, tel_loki_json* room) {
    tel_attr unnamed = *a;
    tel_writer to;
    to.write_fn = tel_loki_keep;
    to.user_data = room;
    room->size = 0;
    unnamed.key = "";
    tel_write_json_attr(to, &unnamed);                          /* "":value */
    return tel_strn(a->key, room->data + 3, room->size - 3);
}
/* Values of metadata are strings. */
static void tel_loki_attr(tel_writer out, const tel_attr* a) {
    tel_attr text = *a;
    tel_loki_json json;
    char number[40] = "";
    if (a->type == TEL_TYPE_BOOL) { strcpy(number, a->as.b ? "true" : "false"); }
    else if (a->type == TEL_TYPE_INT) { snprintf(number, sizeof number, "%lld", (long long)a->as.i); }
    else if (a->type == TEL_TYPE_DOUBLE) { snprintf(number, sizeof number, "%.17g", a->as.d); }
    if (a->type > TEL_TYPE_STRING) { text = tel_loki_array(a, &json); }
    else if (a->type != TEL_TYPE_STRING) { text = tel_str(a->key, number); }
    if (text.as.s.size == SIZE_MAX) { text.as.s.size = strlen(text.as.s.data); }
    tel_loki_lit(out, ",");
    tel_write_json_attr(out, &text);
}
static void tel_loki_record(tel_writer out, const tel_log_view* l) {
    char text[80];
    size_t i;
    snprintf(text, sizeof text, "[\"%llu\",", (unsigned long long)l->unix_ns);
    tel_loki_lit(out, text);
    tel_write_json(out, l->body);
    tel_loki_lit(out, ",{\"scope\":");
    tel_write_json(out, l->scope->name);
    if (tel_context_valid(&l->context)) {
        strcpy(text, ",\"trace_id\":\"");
        for (i = 0; i < 16; i++) { snprintf(text + 13 + 2 * i, 3, "%02x", l->context.trace_id[i]); }
        tel_loki_lit(out, text);
        strcpy(text, "\",\"span_id\":\"");
        for (i = 0; i < 8; i++) { snprintf(text + 13 + 2 * i, 3, "%02x", l->context.span_id[i]); }
        strcat(text, "\"");
        tel_loki_lit(out, text);
    }
    for (i = 0; i < l->attrs.count; i++) { tel_loki_attr(out, &l->attrs.items[i]); }
    tel_loki_lit(out, "}]");
}
/* A stream for each level that occurs. */
static tel_result tel_loki_encode(const tel_batch* batch, tel_writer out, void* user_data) {
    static const char levels[][12] = { "unknown", "trace", "debug", "info", "warn", "error", "critical" };
    size_t i, streams = 0, n;
    int level;
    (void)user_data;
    if (!batch->log_count) { return TEL_OK; }
    tel_loki_lit(out, "{\"streams\":[");
    for (level = 0; level < 7; level++) {
        for (n = 0, i = 0; i < batch->log_count; i++) {
            if (((int)batch->logs[i].severity + 3) / 4 != level) { continue; }
            if (!n++) {
                size_t k;
                tel_loki_lit(out, streams++ ? ",{\"stream\":{\"level\":\"" : "{\"stream\":{\"level\":\"");
                tel_loki_lit(out, levels[level]);
                tel_loki_lit(out, "\"");
                for (k = 0; k < batch->resource.count; k++) {
                    if (strcmp(batch->resource.items[k].key, "service.name") != 0) { continue; }
                    tel_loki_lit(out, ",\"service_name\":");
                    tel_write_json(out, batch->resource.items[k].as.s);
                }
                tel_loki_lit(out, "},\"values\":[");
            } else { tel_loki_lit(out, ","); }
            tel_loki_record(out, &batch->logs[i]);
        }
        if (n) { tel_loki_lit(out, "]}"); }
    }
    tel_loki_lit(out, "]}");
    return TEL_OK;
}
static tel_sink tel_loki_sink(tel_loki* loki) {
    tel_sink sink;
    if (!loki->url) { loki->url = getenv("LOKI_URL") ? getenv("LOKI_URL") : "http://localhost:3100"; }
    snprintf(loki->push, sizeof loki->push, "%s/loki/api/v1/push", loki->url);
    if (loki->tenant) { snprintf(loki->headers, sizeof loki->headers, "X-Scope-OrgID=%s", loki->tenant); }
    loki->http.name = "loki";
    loki->http.transport.url = loki->push;
    loki->http.transport.headers = loki->tenant ? loki->headers : NULL;
    loki->http.encode_fn = tel_loki_encode;
    sink = tel_sink_http(&loki->http);
    sink.type = "loki";
    sink.signal_mask = TEL_SIGNAL_LOGS;
    return sink;
}
static tel_result tel_loki_make(tel_sink* out, const tel_settings* settings, void* user_data) {
    tel_loki* loki = (tel_loki*)calloc(1, sizeof *loki);                    /* for the life of the program */
    const char* url = tel_setting_text(settings, "url", NULL).data;
    const char* tenant = tel_setting_text(settings, "tenant", NULL).data;
    (void)user_data;
    if (!loki) { return TEL_ERR_MEMORY; }
    loki->url = url;                    /* needed for this call only */
    loki->tenant = tenant;
    *out = tel_loki_sink(loki);
    return TEL_OK;
}
static inline tel_result tel_loki_register(void) {
    tel_sink_type t;
    memset(&t, 0, sizeof t);
    t.type = "loki";
    t.make_fn = tel_loki_make;
    return tel_sink_type_add(&t);
}
#endif
