/* datadog.h -- sinks for telemetry.h to Datadog: metrics by DogStatsD, traces to the Agent, logs to the intake.
   Public domain or MIT-0.

   Include it after telemetry.h, in one file, and link with -lm; it needs statsd.h beside it. It stands on the public API alone.

       tel_datadog_register();         then "dogstatsd", "datadog-traces" and "datadog-logs" are types for tel_desc.exporters
                                       and configuration files
       tel_sink s[3] = { tel_datadog_metrics(&dd), tel_datadog_traces(&dd), tel_datadog_logs(&dd) };     or as values; the
                                       struct stays yours and has to outlive the SDK

   DD_AGENT_HOST (localhost), DD_DOGSTATSD_PORT (8125), DD_DOGSTATSD_URL (udp://host:port or unix:///path), DD_TRACE_AGENT_PORT
   (8126), DD_TRACE_AGENT_URL (http://host:port or unix:///path), DD_API_KEY, DD_SITE (datadoghq.com), DD_ENV, DD_SERVICE,
   DD_VERSION, and DD_LOGS_URL for an intake of your own. The intake takes https only: link libcurl (TELEMETRY_CURL).
   Datadog takes increments; 128-bit trace ids go as their low half, with the high one in _dd.p.tid. */
#ifndef TEL_DATADOG_H_INCLUDED
#define TEL_DATADOG_H_INCLUDED 1
#include "statsd.h"

typedef struct tel_datadog {
    tel_statsd    statsd;
    char          tags[256], host[256], port[16], agent[512], intake[512], headers[256], agent_headers[160], count[48];
    const char*   service;
    tel_http_desc traces, logs;
} tel_datadog;

static const char* tel_datadog_env(const char* name, const char* otherwise) {
    const char* v = getenv(name);
    return v && *v ? v : otherwise;
}
static void tel_datadog_lit(tel_writer out, const char* s) {
    tel_text t;
    t.data = s;
    t.size = strlen(s);
    tel_write_text(out, t);
}
static void tel_datadog_member(tel_writer out, const char* key, tel_text value) {
    tel_datadog_lit(out, key);
    tel_write_json(out, value);
}
static void tel_datadog_string(tel_writer out, const char* key, const char* value) {
    tel_text t;
    t.data = value;
    t.size = strlen(value);
    tel_datadog_member(out, key, t);
}
static unsigned long long tel_datadog_id(const uint8_t* id) {
    unsigned long long v = 0;
    int i;
    for (i = 0; i < 8; i++) { v = v << 8 | id[i]; }
    return v;
}
static void tel_datadog_number(tel_writer out, const char* key, unsigned long long v) {
    char text[64];
    snprintf(text, sizeof text, "%s%llu", key, v);
    tel_datadog_lit(out, text);
}

/* What metrics and logs have in common: "env:prod,service:shop,version:2". */
static void tel_datadog_tags(tel_datadog* dd) {
    static const char* const from[] = { "DD_ENV", "DD_SERVICE", "DD_VERSION" };
    static const char* const to[] = { "env", "service", "version" };
    int i;
    dd->tags[0] = 0;
    for (i = 0; i < 3; i++) {
        const char* v = getenv(from[i]);
        size_t n = strlen(dd->tags);
        if (v && *v) { snprintf(dd->tags + n, sizeof dd->tags - n, "%s%s:%s", n ? "," : "", to[i], v); }
    }
}

/* ---- metrics ---- */

static tel_sink tel_datadog_metrics(tel_datadog* dd) {
    const char* url = tel_datadog_env("DD_DOGSTATSD_URL", "");
    tel_sink sink;
    tel_datadog_tags(dd);
    snprintf(dd->host, sizeof dd->host, "%s", tel_datadog_env("DD_AGENT_HOST", "localhost"));
    snprintf(dd->port, sizeof dd->port, "%s", tel_datadog_env("DD_DOGSTATSD_PORT", "8125"));
    if (strncmp(url, "unix://", 7) == 0) { dd->statsd.path = url + 7; }
    if (strncmp(url, "udp://", 6) == 0) {
        snprintf(dd->host, sizeof dd->host, "%.*s", (int)strcspn(url + 6, ":"), url + 6);
        if (strchr(url + 6, ':')) { snprintf(dd->port, sizeof dd->port, "%s", strchr(url + 6, ':') + 1); }
    }
    dd->statsd.host = dd->host;
    dd->statsd.port = dd->port;
    dd->statsd.tags = dd->tags[0] ? dd->tags : NULL;
    dd->statsd.dogstatsd = true;
    dd->statsd.name = "dogstatsd";
    sink = tel_statsd_sink(&dd->statsd);
    sink.type = "dogstatsd";
    return sink;
}

/* ---- traces: v0.4, an array of traces, each an array of spans; the Agent takes JSON as well as msgpack there ---- */

/* Room for a value as JSON text; what does not fit is cut off. */
typedef struct tel_datadog_json { char data[1024]; size_t size; } tel_datadog_json;
static bool tel_datadog_keep(const void* data, size_t size, void* to) {
    tel_datadog_json* room = (tel_datadog_json*)to;
    if (size > sizeof room->data - room->size) { size = sizeof room->data - room->size; }
    memcpy(room->data + room->size, data, size);
    room->size += size;
    return true;
}
/* Bytes or an array as a string of JSON. */
static tel_attr tel_datadog_array(const tel_attr* a, tel_datadog_json* room) {
    tel_attr unnamed = *a;
    tel_writer to;
    to.write_fn = tel_datadog_keep;
    to.user_data = room;
    room->size = 0;
    unnamed.key = "";
    tel_write_json_attr(to, &unnamed);                          /* "":value */
    return tel_strn(a->key, room->data + 3, room->size - 3);
}
static void tel_datadog_text_attr(tel_writer out, const tel_attr* a) {
    char number[40];
    tel_attr text = *a;
    tel_datadog_json json;
    if (a->type > TEL_TYPE_STRING) { text = tel_datadog_array(a, &json); }
    if (a->type == TEL_TYPE_BOOL) { text = tel_str(a->key, a->as.b ? "true" : "false"); }
    if (text.type == TEL_TYPE_STRING && text.as.s.size == SIZE_MAX) { text.as.s.size = strlen(text.as.s.data); }
    if (a->type == TEL_TYPE_INT || a->type == TEL_TYPE_DOUBLE) {
        if (a->type == TEL_TYPE_INT) { snprintf(number, sizeof number, "%lld", (long long)a->as.i); }
        else { snprintf(number, sizeof number, "%.17g", a->as.d); }
        text = tel_strn(a->key, number, strlen(number));
    }
    tel_write_json_attr(out, &text);
}
static void tel_datadog_meta(tel_writer out, const tel_datadog* dd, const tel_span_view* s) {
    static const char kinds[][12] = { "internal", "server", "client", "producer", "consumer" };
    char high[20];
    size_t i;
    (void)dd;
    snprintf(high, sizeof high, "%016llx", tel_datadog_id(s->context.trace_id));
    tel_datadog_string(out, ",\"meta\":{\"_dd.p.tid\":", high);
    tel_datadog_string(out, ",\"span.kind\":", kinds[s->kind]);
    if (s->status == TEL_STATUS_ERROR) { tel_datadog_member(out, ",\"error.message\":", s->status_message); }
    if (getenv("DD_ENV")) { tel_datadog_string(out, ",\"env\":", getenv("DD_ENV")); }
    if (getenv("DD_VERSION")) { tel_datadog_string(out, ",\"version\":", getenv("DD_VERSION")); }
    for (i = 0; i < s->attrs.count; i++) {
        if (s->attrs.items[i].type == TEL_TYPE_INT || s->attrs.items[i].type == TEL_TYPE_DOUBLE) { continue; }
        tel_datadog_lit(out, ",");
        tel_datadog_text_attr(out, &s->attrs.items[i]);
    }
    tel_datadog_lit(out, "},\"metrics\":{\"_sampling_priority_v1\":1");
    for (i = 0; i < s->attrs.count; i++) {
        if (s->attrs.items[i].type != TEL_TYPE_INT && s->attrs.items[i].type != TEL_TYPE_DOUBLE) { continue; }
        tel_datadog_lit(out, ",");
        tel_write_json_attr(out, &s->attrs.items[i]);
    }
    tel_datadog_lit(out, "}");
}
static const char* tel_datadog_service(const tel_datadog* dd, const tel_batch* batch) {
    size_t i;
    if (dd->service) { return dd->service; }
    for (i = 0; i < batch->resource.count; i++) {
        if (strcmp(batch->resource.items[i].key, "service.name") == 0) { return batch->resource.items[i].as.s.data; }
    }
    return "unknown";
}
static void tel_datadog_span(tel_writer out, const tel_datadog* dd, const tel_batch* batch, const tel_span_view* s) {
    uint64_t duration = s->end_unix_ns - s->start_unix_ns;
    tel_datadog_string(out, "{\"service\":", tel_datadog_service(dd, batch));
    tel_datadog_member(out, ",\"name\":", s->name);
    tel_datadog_member(out, ",\"resource\":", s->name);
    tel_datadog_string(out, ",\"type\":", s->kind == TEL_SPAN_SERVER ? "web" : "custom");
    tel_datadog_number(out, ",\"trace_id\":", tel_datadog_id(s->context.trace_id + 8));
    tel_datadog_number(out, ",\"span_id\":", tel_datadog_id(s->context.span_id));
    tel_datadog_number(out, ",\"parent_id\":", tel_datadog_id(s->parent_span_id));
    tel_datadog_number(out, ",\"start\":", s->start_unix_ns);
    tel_datadog_number(out, ",\"duration\":", duration ? duration : 1);
    tel_datadog_number(out, ",\"error\":", s->status == TEL_STATUS_ERROR);
    tel_datadog_meta(out, dd, s);
    tel_datadog_lit(out, "}");
}
/* The first span of each trace brings all of its trace with it. */
static tel_result tel_datadog_encode_traces(const tel_batch* batch, tel_writer out, void* user_data) {
    size_t i, k, traces = 0;
    if (!batch->span_count) { return TEL_OK; }
    tel_datadog_lit(out, "[");
    for (i = 0; i < batch->span_count; i++) {
        const uint8_t* id = batch->spans[i].context.trace_id;
        for (k = 0; k < i && memcmp(batch->spans[k].context.trace_id, id, 16) != 0; k++) { }
        if (k < i) { continue; }
        tel_datadog_lit(out, traces++ ? ",[" : "[");
        for (k = i; k < batch->span_count; k++) {
            if (memcmp(batch->spans[k].context.trace_id, id, 16) != 0) { continue; }
            if (k > i) { tel_datadog_lit(out, ","); }
            tel_datadog_span(out, (const tel_datadog*)user_data, batch, &batch->spans[k]);
        }
        tel_datadog_lit(out, "]");
    }
    tel_datadog_lit(out, "]");
    return TEL_OK;
}
/* How many traces a body has: each begins in one way, which no string can hold, because its quotes are escaped. */
static const char* tel_datadog_count(const void* body, size_t size, void* user_data) {
    static const char begin[] = "[{\"service\":";
    tel_datadog* dd = (tel_datadog*)user_data;
    const char* at = (const char*)body;
    unsigned traces = 0;
    for (; size >= sizeof begin - 1; at++, size--) { traces += memcmp(at, begin, sizeof begin - 1) == 0; }
    snprintf(dd->count, sizeof dd->count, "X-Datadog-Trace-Count=%u", traces);
    return dd->count;
}
/* The Agent tells the truth because it is asked for it: 429 and 413 are refusals. */
static tel_result tel_datadog_judge(tel_http_answer* a, uint64_t* refused, void* user_data) {
    (void)refused;
    (void)user_data;
    if (a->status / 100 == 2) { return TEL_OK; }
    return a->status == 408 || a->status == 429 || a->status / 100 == 5 ? TEL_ERR_IO : TEL_ERR_STATE;
}
static tel_sink tel_datadog_traces(tel_datadog* dd) {
    const char* url = tel_datadog_env("DD_TRACE_AGENT_URL", "");
    tel_sink sink;
    if (!*url) {
        snprintf(dd->agent, sizeof dd->agent, "http://%s:%s/v0.4/traces", tel_datadog_env("DD_AGENT_HOST", "localhost"),
                 tel_datadog_env("DD_TRACE_AGENT_PORT", "8126"));
    } else {
        snprintf(dd->agent, sizeof dd->agent, "%s%s/v0.4/traces", url, strncmp(url, "unix://", 7) == 0 ? ":" : "");
    }
    snprintf(dd->agent_headers, sizeof dd->agent_headers, "Datadog-Meta-Lang=c,Datadog-Meta-Tracer-Version=%s,Datadog-Send-Real-Http-Status=true",
             TEL_VERSION_STRING);
    dd->service = getenv("DD_SERVICE");
    dd->traces.name = "datadog-traces";
    dd->traces.transport.url = dd->agent;
    dd->traces.transport.headers = dd->agent_headers;
    dd->traces.encode_fn = tel_datadog_encode_traces;
    dd->traces.judge_fn = tel_datadog_judge;
    dd->traces.headers_fn = tel_datadog_count;
    dd->traces.user_data = dd;
    sink = tel_sink_http(&dd->traces);
    sink.type = "datadog-traces";
    sink.signal_mask = TEL_SIGNAL_SPANS;
    return sink;
}

/* ---- logs: the intake, without an Agent ---- */

static tel_result tel_datadog_encode_logs(const tel_batch* batch, tel_writer out, void* user_data) {
    static const char levels[][12] = { "info", "debug", "debug", "info", "warn", "error", "critical" };
    const tel_datadog* dd = (const tel_datadog*)user_data;
    size_t i, k;
    if (!batch->log_count) { return TEL_OK; }
    for (i = 0; i < batch->log_count; i++) {
        const tel_log_view* l = &batch->logs[i];
        tel_datadog_member(out, i ? ",{\"message\":" : "[{\"message\":", l->body);
        tel_datadog_string(out, ",\"status\":", levels[((int)l->severity + 3) / 4]);
        tel_datadog_string(out, ",\"service\":", tel_datadog_service(dd, batch));
        tel_datadog_string(out, ",\"ddsource\":", "c");
        if (dd->tags[0]) { tel_datadog_string(out, ",\"ddtags\":", dd->tags); }
        tel_datadog_number(out, ",\"timestamp\":", l->unix_ns / 1000000);
        if (tel_context_valid(&l->context)) {
            tel_datadog_number(out, ",\"dd.trace_id\":\"", tel_datadog_id(l->context.trace_id + 8));
            tel_datadog_number(out, "\",\"dd.span_id\":\"", tel_datadog_id(l->context.span_id));
            tel_datadog_lit(out, "\"");
        }
        for (k = 0; k < l->attrs.count; k++) {
            tel_datadog_lit(out, ",");
            tel_write_json_attr(out, &l->attrs.items[k]);
        }
        tel_datadog_lit(out, "}");
    }
    tel_datadog_lit(out, "]");
    return TEL_OK;
}
static tel_sink tel_datadog_logs(tel_datadog* dd) {
    tel_sink sink;
    tel_datadog_tags(dd);
    snprintf(dd->intake, sizeof dd->intake, "https://http-intake.logs.%s/api/v2/logs", tel_datadog_env("DD_SITE", "datadoghq.com"));
    snprintf(dd->headers, sizeof dd->headers, "DD-API-KEY=%s", tel_datadog_env("DD_API_KEY", ""));
    dd->service = getenv("DD_SERVICE");
    dd->logs.name = "datadog-logs";
    dd->logs.transport.url = tel_datadog_env("DD_LOGS_URL", dd->intake);
    dd->logs.transport.headers = dd->headers;
    dd->logs.transport.request_bytes = 5000000;
    dd->logs.encode_fn = tel_datadog_encode_logs;
    dd->logs.judge_fn = tel_datadog_judge;
    dd->logs.user_data = dd;
    sink = tel_sink_http(&dd->logs);
    sink.type = "datadog-logs";
    sink.signal_mask = TEL_SIGNAL_LOGS;
    return sink;
}

/* ---- as types ---- */

static tel_result tel_datadog_make(tel_sink* out, const tel_settings* settings, void* user_data) {
    tel_datadog* dd = (tel_datadog*)calloc(1, sizeof *dd);                  /* for the life of the program */
    tel_sink (*make)(tel_datadog* of) = user_data ? user_data == (void*)1 ? tel_datadog_traces : tel_datadog_logs : tel_datadog_metrics;
    (void)settings;
    if (!dd) { return TEL_ERR_MEMORY; }
    *out = make(dd);
    return TEL_OK;
}
static inline tel_result tel_datadog_register(void) {
    static const char* const names[] = { "dogstatsd", "datadog-traces", "datadog-logs" };
    tel_result r = TEL_OK;
    tel_sink_type t;
    size_t i;
    memset(&t, 0, sizeof t);
    for (i = 0; i < 3 && r == TEL_OK; i++) {
        t.type = names[i];
        t.make_fn = tel_datadog_make;
        t.user_data = (void*)i;
        r = tel_sink_type_add(&t);
    }
    return r;
}
#endif
