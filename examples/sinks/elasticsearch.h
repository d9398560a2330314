/* elasticsearch.h -- a sink for telemetry.h that writes to Elasticsearch and OpenSearch (and VictoriaLogs) by _bulk.
   Public domain or MIT-0.

   Include it after telemetry.h, in one file, and link with -lm. It stands on the public API alone: tel_sink_http delivers, this encodes.

       tel_elasticsearch_register();               then "elasticsearch" is a type for tel_desc.exporters and configuration files
       tel_sink s = tel_elasticsearch_sink(&es);   or as a value; the struct stays yours and has to outlive the SDK

   Documents are created in <index>-traces, <index>-logs and <index>-metrics, which may be data streams. An answer of 200 may
   still refuse some: those count as dropped_failed. Histograms, exponential ones too, hold their buckets as values, the middle
   of each, and counts (field type "histogram"). */
#ifndef TEL_ELASTICSEARCH_H_INCLUDED
#define TEL_ELASTICSEARCH_H_INCLUDED 1
#include <math.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct tel_elasticsearch {
    const char* url;                    /* ELASTICSEARCH_URL, else http://localhost:9200; a query at its end goes along:
                                           http://host:9428/insert/elasticsearch?_msg_field=message&_time_field=@timestamp is
                                           VictoriaLogs */
    const char* index;                  /* ELASTICSEARCH_INDEX, else "telemetry" */
    const char* api_key;                /* base64 of "id:key"; ELASTICSEARCH_API_KEY; NULL: none */
    const char* name;                   /* of the sink; NULL: "elasticsearch" */
    char        bulk[512], headers[512];
    tel_http_desc http;
} tel_elasticsearch;

/* ---- encoding ---- */

#define TEL_ELASTICSEARCH_LIT(out, s) tel_write_text(out, tel_elasticsearch_text(s))
static tel_text tel_elasticsearch_text(const char* s) {
    tel_text t;
    t.data = s;
    t.size = strlen(s);
    return t;
}
/* "key":"value" with what stands before it. */
static void tel_elasticsearch_member(tel_writer out, const char* key, tel_text value) {
    TEL_ELASTICSEARCH_LIT(out, key);
    tel_write_json(out, value);
}
static void tel_elasticsearch_time(tel_writer out, const char* key, uint64_t unix_ns) {
    char text[64];
    snprintf(text, sizeof text, "%s\"%llu.%06u\"", key, (unsigned long long)(unix_ns / 1000000), (unsigned)(unix_ns % 1000000));
    TEL_ELASTICSEARCH_LIT(out, text);   /* milliseconds since 1970, with a fraction */
}
static void tel_elasticsearch_hex(tel_writer out, const char* key, const uint8_t* id, size_t n) {
    char text[40];
    size_t i;
    for (i = 0; i < n; i++) { snprintf(text + 2 * i, 3, "%02x", id[i]); }
    tel_elasticsearch_member(out, key, tel_elasticsearch_text(text));
}
static void tel_elasticsearch_attrs(tel_writer out, const char* key, tel_attrs attrs) {
    size_t i;
    TEL_ELASTICSEARCH_LIT(out, key);
    TEL_ELASTICSEARCH_LIT(out, "{");
    for (i = 0; i < attrs.count; i++) {
        if (i) { TEL_ELASTICSEARCH_LIT(out, ","); }
        tel_write_json_attr(out, &attrs.items[i]);
    }
    TEL_ELASTICSEARCH_LIT(out, "}");
}
/* The action line and the beginning of the document. */
static void tel_elasticsearch_begin(tel_writer out, const tel_elasticsearch* es, const char* signal, const tel_batch* batch, uint64_t unix_ns) {
    char index[160];
    size_t i;
    snprintf(index, sizeof index, "%s-%s", es->index, signal);
    tel_elasticsearch_member(out, "{\"create\":{\"_index\":", tel_elasticsearch_text(index));
    tel_elasticsearch_time(out, "}}\n{\"@timestamp\":", unix_ns);
    for (i = 0; i < batch->resource.count; i++) {
        if (strcmp(batch->resource.items[i].key, "service.name") != 0) { continue; }
        TEL_ELASTICSEARCH_LIT(out, ",");
        tel_write_json_attr(out, &batch->resource.items[i]);
    }
}
static void tel_elasticsearch_span(tel_writer out, const tel_span_view* s) {
    static const char kinds[][12] = { "internal", "server", "client", "producer", "consumer" };
    static const char states[][8] = { "unset", "ok", "error" };
    size_t i;
    tel_elasticsearch_hex(out, ",\"trace.id\":", s->context.trace_id, 16);
    tel_elasticsearch_hex(out, ",\"span.id\":", s->context.span_id, 8);
    tel_elasticsearch_hex(out, ",\"parent.id\":", s->parent_span_id, 8);
    tel_elasticsearch_member(out, ",\"name\":", s->name);
    tel_elasticsearch_member(out, ",\"kind\":", tel_elasticsearch_text(kinds[s->kind]));
    TEL_ELASTICSEARCH_LIT(out, ",\"duration\":");
    tel_write_int(out, (int64_t)(s->end_unix_ns - s->start_unix_ns));
    tel_elasticsearch_member(out, ",\"status\":", tel_elasticsearch_text(states[s->status]));
    tel_elasticsearch_member(out, ",\"status.message\":", s->status_message);
    tel_elasticsearch_attrs(out, ",\"attributes\":", s->attrs);
    TEL_ELASTICSEARCH_LIT(out, ",\"events\":[");
    for (i = 0; i < s->event_count; i++) {
        tel_elasticsearch_member(out, i ? ",{\"name\":" : "{\"name\":", s->events[i].name);
        tel_elasticsearch_time(out, ",\"@timestamp\":", s->events[i].unix_ns);
        tel_elasticsearch_attrs(out, ",\"attributes\":", s->events[i].attrs);
        TEL_ELASTICSEARCH_LIT(out, "}");
    }
    TEL_ELASTICSEARCH_LIT(out, "]}\n");
}
static void tel_elasticsearch_log(tel_writer out, const tel_log_view* l) {
    static const char levels[][8] = { "trace", "debug", "info", "warn", "error", "fatal" };
    tel_elasticsearch_member(out, ",\"message\":", l->body);
    if (l->severity) { tel_elasticsearch_member(out, ",\"log.level\":", tel_elasticsearch_text(levels[((int)l->severity - 1) / 4])); }
    if (l->scope->name.size) { tel_elasticsearch_member(out, ",\"log.logger\":", l->scope->name); }
    if (tel_context_valid(&l->context)) {
        tel_elasticsearch_hex(out, ",\"trace.id\":", l->context.trace_id, 16);
        tel_elasticsearch_hex(out, ",\"span.id\":", l->context.span_id, 8);
    }
    tel_elasticsearch_attrs(out, ",\"labels\":", l->attrs);
    TEL_ELASTICSEARCH_LIT(out, ",\"ecs.version\":\"8.11.0\"}\n");
}
/* Bucket i of a histogram by its middle; of an exponential one it is the zeros first, then the others. false: it has no more. */
static bool tel_elasticsearch_bucket(const tel_metric_view* m, const tel_point* p, size_t i, double* middle, uint64_t* count) {
    double low, high;
    if (m->kind == TEL_METRIC_EXPONENTIAL) {
        if (i > p->bucket_count) { return false; }
        *count = i ? p->buckets[i - 1] : p->zero_count;
        low = i ? exp2(ldexp((double)p->offset + (double)i - 1, -p->scale)) : 0;
        high = i ? exp2(ldexp((double)p->offset + (double)i, -p->scale)) : 0;
    } else {
        if (i > p->bound_count) { return false; }
        *count = p->buckets[i];
        low = i ? p->bounds[i - 1] : 0;
        high = i < p->bound_count ? p->bounds[i] : low;
    }
    *middle = low / 2 + high / 2;
    return true;
}
static void tel_elasticsearch_buckets(tel_writer out, const tel_metric_view* m, const tel_point* p) {
    const char* between = "";
    double middle;
    uint64_t count;
    size_t i;
    TEL_ELASTICSEARCH_LIT(out, ",\"count\":");
    tel_write_int(out, (int64_t)p->count);
    TEL_ELASTICSEARCH_LIT(out, ",\"sum\":");
    tel_write_real(out, p->d);
    TEL_ELASTICSEARCH_LIT(out, ",\"histogram\":{\"values\":[");
    for (i = 0; tel_elasticsearch_bucket(m, p, i, &middle, &count); i++) {
        if (!count) { continue; }
        TEL_ELASTICSEARCH_LIT(out, between);
        between = ",";
        tel_write_real(out, middle);
    }
    TEL_ELASTICSEARCH_LIT(out, "],\"counts\":[");
    for (between = "", i = 0; tel_elasticsearch_bucket(m, p, i, &middle, &count); i++) {
        if (!count) { continue; }
        TEL_ELASTICSEARCH_LIT(out, between);
        between = ",";
        tel_write_int(out, (int64_t)count);
    }
    TEL_ELASTICSEARCH_LIT(out, "]}");
}
static void tel_elasticsearch_point(tel_writer out, const tel_metric_view* m, const tel_point* p) {
    tel_elasticsearch_member(out, ",\"name\":", m->name);
    tel_elasticsearch_member(out, ",\"unit\":", m->unit);
    tel_elasticsearch_attrs(out, ",\"attributes\":", p->attrs);
    if (m->kind == TEL_METRIC_HISTOGRAM || m->kind == TEL_METRIC_EXPONENTIAL) {
        tel_elasticsearch_buckets(out, m, p);
    } else {
        TEL_ELASTICSEARCH_LIT(out, ",\"value\":");
        tel_write_real(out, p->d);
    }
    TEL_ELASTICSEARCH_LIT(out, "}\n");
}
static tel_result tel_elasticsearch_encode(const tel_batch* batch, tel_writer out, void* user_data) {
    const tel_elasticsearch* es = (const tel_elasticsearch*)user_data;
    size_t i, k;
    for (i = 0; i < batch->span_count; i++) {
        tel_elasticsearch_begin(out, es, "traces", batch, batch->spans[i].start_unix_ns);
        tel_elasticsearch_span(out, &batch->spans[i]);
    }
    for (i = 0; i < batch->log_count; i++) {
        tel_elasticsearch_begin(out, es, "logs", batch, batch->logs[i].unix_ns);
        tel_elasticsearch_log(out, &batch->logs[i]);
    }
    for (i = 0; i < batch->metric_count; i++) {
        for (k = 0; k < batch->metrics[i].point_count; k++) {
            tel_elasticsearch_begin(out, es, "metrics", batch, batch->metrics[i].points[k].unix_ns);
            tel_elasticsearch_point(out, &batch->metrics[i], &batch->metrics[i].points[k]);
        }
    }
    return TEL_OK;
}

/* ---- the answer ---- */

/* The query asks for "errors" and the types of the errors only. Counts "type":"...", wherever the parts of the answer begin and
   end. A document that is there already was delivered before. state: how much of what is looked for has been seen; of how many
   documents an error was; how many of these are there already; the length of the first other type, 32 more when it is complete,
   and, from state[4] on, its text. */
static void tel_elasticsearch_part(const void* data, size_t size, uint64_t state[8], void* user_data) {
    static const char key[] = "\"type\"", there[] = "version_conflict";
    const size_t known = sizeof there - 1;
    const char* at = (const char*)data;
    const char* end = at + size;
    char* text = (char*)&state[4];
    (void)user_data;
    for (; at < end; at++) {
        size_t seen = (size_t)state[0], value = seen - sizeof key;      /* behind the key: of its value, from its quote on */
        if (seen < sizeof key - 1) { state[0] = *at == key[seen] ? seen + 1 : *at == '"'; }
        else if (seen == sizeof key - 1) {
            if (*at == '"') { state[0]++; }
            else if (*at != ':' && *at != ' ') { state[0] = 0; }
        } else if (*at == '"') {
            bool again = value == known;
            state[1]++;
            state[2] += again;
            if (state[3] < 32) { state[3] = again ? 0 : state[3] + 32; }
            state[0] = 0;
        } else {
            if (state[3] < 31) { text[state[3]++] = *at; }
            if (value < known) { state[0] = *at == there[value] ? seen + 1 : sizeof key + known + 1; }
        }
    }
}
static tel_result tel_elasticsearch_judge(tel_http_answer* answer, uint64_t* refused, void* user_data) {
    (void)user_data;
    if (answer->status == 429 || (answer->status >= 500 && answer->status <= 504)) { return TEL_ERR_IO; }
    if (answer->status / 100 != 2) { return TEL_ERR_STATE; }
    *refused = answer->state[1] - answer->state[2];
    if (answer->state[3] > 32) {
        snprintf(answer->error, sizeof answer->error, "%.*s", (int)(answer->state[3] - 32), (const char*)&answer->state[4]);
    }
    if (*refused > answer->items) { *refused = answer->items; }
    return TEL_OK;
}

/* Two lines for each item. */
static tel_result tel_elasticsearch_split(const tel_http_part* part, tel_writer out, void* user_data) {
    const char* at = (const char*)part->body;
    const char* end = at + part->size;
    uint64_t lines = 0;
    tel_text text;
    (void)user_data;
    for (; at < end && lines < 2 * part->from; at++) { lines += *at == '\n'; }
    for (text.data = at; at < end && lines < 2 * (part->from + part->count); at++) { lines += *at == '\n'; }
    text.size = (size_t)(at - text.data);
    tel_write_text(out, text);
    return TEL_OK;
}

/* ---- the sink ---- */

/* Asks once, for half a second at most, whether somebody answers there; the sink opens all the same. http only. */
static void tel_elasticsearch_probe(const tel_elasticsearch* es, tel_host* host) {
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    char name[256], port[8] = "80", reply[16] = "";
    struct addrinfo hints, *list = NULL;
    struct pollfd p;
    size_t n;
    int fd = -1;
    if (strncmp(es->url, "http://", 7) != 0) { return; }
    n = strcspn(es->url + 7, ":/");
    if (n >= sizeof name) { return; }
    memcpy(name, es->url + 7, n);
    name[n] = 0;
    if (es->url[7 + n] == ':') { snprintf(port, sizeof port, "%.*s", (int)strcspn(es->url + 8 + n, "/"), es->url + 8 + n); }
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(name, port, &hints, &list) == 0) { fd = socket(list->ai_family, SOCK_STREAM, 0); }
    p.fd = fd;
    p.events = POLLIN;
    if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) == 0 && send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0 &&
        poll(&p, 1, 500) == 1 && recv(fd, reply, sizeof reply - 1, 0) > 0 && strncmp(reply, "HTTP/1.", 7) == 0) {
        if (reply[9] == '4') { tel_host_report(host, 2, "%s answers %.3s: is the key right?", es->url, reply + 9); }
    } else {
        tel_host_report(host, 2, "%s does not answer yet", es->url);
    }
    if (fd >= 0) { close(fd); }
    if (list) { freeaddrinfo(list); }
}
/* The first time, config is ours. */
static tel_result tel_elasticsearch_open(tel_sink* self, tel_host* host) {
    const tel_elasticsearch* es = (const tel_elasticsearch*)self->config;
    tel_sink inner = tel_sink_http(es ? &es->http : NULL);
    if (es) {
        tel_elasticsearch_probe(es, host);
        self->config = inner.config;
    }
    return inner.open_fn(self, host);
}
static tel_sink tel_elasticsearch_sink(tel_elasticsearch* es) {
    const char* key = es->api_key ? es->api_key : getenv("ELASTICSEARCH_API_KEY");
    const char* query;
    tel_sink sink;
    if (!es->url) { es->url = getenv("ELASTICSEARCH_URL") ? getenv("ELASTICSEARCH_URL") : "http://localhost:9200"; }
    if (!es->index) { es->index = getenv("ELASTICSEARCH_INDEX") ? getenv("ELASTICSEARCH_INDEX") : "telemetry"; }
    query = strchr(es->url, '?');
    snprintf(es->bulk, sizeof es->bulk, "%.*s/_bulk?filter_path=errors,items.*.error.type%s%s", (int)strcspn(es->url, "?"), es->url,
             query ? "&" : "", query ? query + 1 : "");
    if (key) { snprintf(es->headers, sizeof es->headers, "Authorization=ApiKey%%20%s", key); }
    es->http.name = es->name ? es->name : "elasticsearch";
    es->http.transport.url = es->bulk;
    es->http.transport.headers = key ? es->headers : NULL;
    es->http.transport.request_bytes = 5u << 20;
    es->http.content_type = "application/x-ndjson";
    es->http.encode_fn = tel_elasticsearch_encode;
    es->http.judge_fn = tel_elasticsearch_judge;
    es->http.part_fn = tel_elasticsearch_part;
    es->http.split_fn = tel_elasticsearch_split;
    es->http.user_data = es;
    sink = tel_sink_http(&es->http);
    sink.type = "elasticsearch";
    sink.config = es;
    sink.open_fn = tel_elasticsearch_open;
    return sink;
}

/* ---- as a type ---- */

static const char* tel_elasticsearch_keep(tel_text t) {
    char* p = t.data && t.size ? (char*)malloc(t.size + 1) : NULL;
    if (!p) { return NULL; }
    memcpy(p, t.data, t.size);
    p[t.size] = 0;
    return p;
}
static tel_result tel_elasticsearch_make(tel_sink* out, const tel_settings* settings, void* user_data) {
    tel_elasticsearch* es = (tel_elasticsearch*)calloc(1, sizeof *es);      /* for the life of the program */
    (void)user_data;
    if (!es) { return TEL_ERR_MEMORY; }
    es->url = tel_elasticsearch_keep(tel_setting_text(settings, "url", NULL));
    es->index = tel_elasticsearch_keep(tel_setting_text(settings, "index", NULL));
    es->api_key = tel_elasticsearch_keep(tel_setting_text(settings, "api_key", NULL));
    *out = tel_elasticsearch_sink(es);
    return TEL_OK;
}
static inline tel_result tel_elasticsearch_register(void) {
    tel_sink_type t;
    memset(&t, 0, sizeof t);
    t.type = "elasticsearch";
    t.make_fn = tel_elasticsearch_make;
    return tel_sink_type_add(&t);
}
#endif
