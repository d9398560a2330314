/* statsd.h -- a sink for telemetry.h that sends metrics as StatsD or DogStatsD datagrams. Public domain or MIT-0.

   Include it after telemetry.h, in one file, and link with -lm. It stands on the public API alone and never waits: a datagram that the system
   does not take is lost, and its metrics are counted as dropped and added to the next increments.

       tel_statsd_register();                          then "statsd" is a type for tel_desc.exporters and configuration files
       tel_sink s = tel_statsd_sink(&statsd);          or as a value; the struct stays yours and has to outlive the SDK

   What becomes of what:  counter -> c (increments), updown and gauge -> g, histogram -> one message for each bucket with its
   middle and a sample rate of 1/count, so that the receiver counts it so often (ms for unit "s", else h; d for DogStatsD);
   exponential histograms likewise, bucket by bucket, and their zeros as zero.
   Plain StatsD has no attributes: their values are appended to the name. */
#ifndef TEL_STATSD_H_INCLUDED
#define TEL_STATSD_H_INCLUDED 1
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct tel_statsd {
    const char* host;                   /* default 127.0.0.1 */
    const char* port;                   /* default 8125 */
    const char* path;                   /* of a Unix datagram socket, instead of host and port */
    const char* prefix;                 /* of every name; NULL: none */
    const char* tags;                   /* DogStatsD: "env:prod,service:shop", added to every message; NULL: none */
    bool        dogstatsd;              /* attributes are tags, histograms are distributions */
    int         socket;                 /* 1 + the descriptor */
    size_t      size, most;             /* of the datagram that is being filled: 1432 bytes for UDP, 8192 for a Unix socket */
    char        data[8192];
    bool        lost;
    const char* name;                   /* of the sink; NULL: "statsd" */
} tel_statsd;

static tel_result tel_statsd_connect(tel_statsd* s, tel_host* host) {
    struct addrinfo hints, *list = NULL, *a;
    int fd = -1;
    if (s->path) {
        struct sockaddr_un to;
        memset(&to, 0, sizeof to);
        to.sun_family = AF_UNIX;
        if (strlen(s->path) >= sizeof to.sun_path) { return TEL_ERR_ARGUMENT; }
        strcpy(to.sun_path, s->path);
        fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr*)(void*)&to, sizeof to) != 0) {
            tel_host_report(host, 2, "%s: %s", s->path, strerror(errno));
            close(fd);
            fd = -1;
        }
    } else {
        memset(&hints, 0, sizeof hints);
        hints.ai_socktype = SOCK_DGRAM;
        if (getaddrinfo(s->host ? s->host : "127.0.0.1", s->port ? s->port : "8125", &hints, &list) != 0) {
            tel_host_report(host, 2, "%s is not known", s->host ? s->host : "127.0.0.1");
            return TEL_ERR_IO;
        }
        for (a = list; a && fd < 0; a = a->ai_next) {
            fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
            if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
                close(fd);
                fd = -1;
            }
        }
        freeaddrinfo(list);
    }
    if (fd < 0) { return TEL_ERR_IO; }
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    s->socket = fd + 1;
    return TEL_OK;
}
static tel_result tel_statsd_open(tel_sink* self, tel_host* host) {
    tel_statsd* s = (tel_statsd*)self->user_data;
    s->most = s->path ? 8192 : 1432;
    return tel_statsd_connect(s, host);
}
static void tel_statsd_close(void* user_data) {
    tel_statsd* s = (tel_statsd*)user_data;
    if (s->socket) { close(s->socket - 1); }
    s->socket = 0;
}

static void tel_statsd_send(tel_statsd* s) {
    if (s->size && send(s->socket - 1, s->data, s->size, 0) < 0 && errno != ECONNREFUSED) { s->lost = true; }
    s->size = 0;
}
/* One message. Those that do not fit into a datagram of their own are lost. */
static void tel_statsd_put(tel_statsd* s, const char* text, size_t size) {
    if (s->size && s->size + 1 + size > s->most) { tel_statsd_send(s); }
    if (size > s->most) {
        s->lost = true;
        return;
    }
    if (s->size) { s->data[s->size++] = '\n'; }
    memcpy(s->data + s->size, text, size);
    s->size += size;
}

/* Copies a text without what would end a field. Names have letters, digits, '_' and '.' only. */
static void tel_statsd_clean(char* out, size_t room, tel_text t, bool name) {
    size_t n = strlen(out), i;
    for (i = 0; i < t.size && n + 1 < room; i++) {
        char c = t.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
        out[n++] = plain || (!name && !strchr("|,#\n\r", c)) ? c : '_';
    }
    out[n] = 0;
}
/* Arrays and bytes have no text here. */
static void tel_statsd_value(char* out, size_t room, const tel_attr* a, bool name) {
    char number[32] = "";
    tel_text t;
    t.data = number;
    if (a->type == TEL_TYPE_STRING) { t = a->as.s; }
    else if (a->type == TEL_TYPE_BOOL) { strcpy(number, a->as.b ? "true" : "false"); }
    else if (a->type == TEL_TYPE_INT) { snprintf(number, sizeof number, "%lld", (long long)a->as.i); }
    else if (a->type == TEL_TYPE_DOUBLE) { snprintf(number, sizeof number, "%.17g", a->as.d); }
    if (t.data == number) { t.size = strlen(number); }
    tel_statsd_clean(out, room, t, name);
}
/* The name, and behind the value the tags. */
static void tel_statsd_key(const tel_statsd* s, const tel_metric_view* m, const tel_point* p, char name[512], char tags[1024]) {
    size_t i;
    tel_text t;
    name[0] = tags[0] = 0;
    t.data = s->prefix ? s->prefix : "";
    t.size = strlen(t.data);
    tel_statsd_clean(name, 512, t, true);
    tel_statsd_clean(name, 512, m->name, true);
    if (s->dogstatsd && s->tags) { snprintf(tags, 1024, "|#%s", s->tags); }
    for (i = 0; i < p->attrs.count; i++) {
        const tel_attr* a = &p->attrs.items[i];
        if (!s->dogstatsd) {
            strncat(name, ".", 511 - strlen(name));
            tel_statsd_value(name, 512, a, true);
            continue;
        }
        strncat(tags, tags[0] ? "," : "|#", 1023 - strlen(tags));
        t.data = a->key;
        t.size = strlen(a->key);
        tel_statsd_clean(tags, 1024, t, false);
        strncat(tags, ":", 1023 - strlen(tags));
        tel_statsd_value(tags, 1024, a, false);
    }
}
static void tel_statsd_message(tel_statsd* s, const char* name, double v, const char* type, double rate, const char* tags) {
    char text[2048], at[40] = "";
    int n;
    if (rate < 1) { snprintf(at, sizeof at, "|@%.9g", rate); }
    if (type[0] == 'g' && v < 0) {              /* a sign would mean a change of the gauge */
        n = snprintf(text, sizeof text, "%s:0|g%s", name, tags);
        tel_statsd_put(s, text, (size_t)n);
    }
    n = snprintf(text, sizeof text, "%s:%.15g|%s%s%s", name, v, type, at, tags);
    tel_statsd_put(s, text, (size_t)n);
}
/* Bucket i of a histogram; of an exponential one it is the zeros first, then the others. false: it has no more. */
static bool tel_statsd_bucket(const tel_metric_view* m, const tel_point* p, size_t i, double* low, double* high, uint64_t* count) {
    if (m->kind == TEL_METRIC_EXPONENTIAL) {
        if (i > p->bucket_count) { return false; }
        *count = i ? p->buckets[i - 1] : p->zero_count;
        *low = i ? exp2(ldexp((double)p->offset + (double)i - 1, -p->scale)) : 0;
        *high = i ? exp2(ldexp((double)p->offset + (double)i, -p->scale)) : 0;
    } else {
        if (i > p->bound_count) { return false; }
        *count = p->buckets[i];
        *low = i ? p->bounds[i - 1] : 0;
        *high = i < p->bound_count ? p->bounds[i] : p->max > *low ? p->max : *low;
    }
    return true;
}
static void tel_statsd_buckets(tel_statsd* s, const tel_metric_view* m, const tel_point* p, const char* name, const char* tags) {
    bool seconds = m->unit.size == 1 && m->unit.data[0] == 's';
    const char* type = s->dogstatsd ? "d" : seconds ? "ms" : "h";
    double unit = !s->dogstatsd && seconds ? 1000 : 1, low, high;
    uint64_t count;
    size_t i;
    for (i = 0; tel_statsd_bucket(m, p, i, &low, &high, &count); i++) {
        if (!count) { continue; }
        if (p->count == 1) { low = high = p->d; }       /* one value: the sum is it */
        tel_statsd_message(s, name, (low / 2 + high / 2) * unit, type, 1 / (double)count, tags);
    }
}
static tel_result tel_statsd_export(const tel_batch* batch, void* user_data) {
    tel_statsd* s = (tel_statsd*)user_data;
    char name[512], tags[1024];
    size_t i, k;
    s->lost = false;
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* m = &batch->metrics[i];
        for (k = 0; k < m->point_count; k++) {
            const tel_point* p = &m->points[k];
            tel_statsd_key(s, m, p, name, tags);
            if (m->kind == TEL_METRIC_HISTOGRAM || m->kind == TEL_METRIC_EXPONENTIAL) { tel_statsd_buckets(s, m, p, name, tags); }
            else if (m->kind != TEL_METRIC_SUM || !m->monotonic) { tel_statsd_message(s, name, p->d, "g", 1, tags); }
            else if (p->d > 0) { tel_statsd_message(s, name, p->d, "c", 1, tags); }
        }
    }
    tel_statsd_send(s);
    return s->lost ? TEL_ERR_STATE : TEL_OK;
}
static tel_sink tel_statsd_sink(tel_statsd* s) {
    tel_sink sink;
    memset(&sink, 0, sizeof sink);
    sink.name = s->name ? s->name : "statsd";
    sink.type = "statsd";
    sink.signal_mask = TEL_SIGNAL_METRICS;
    sink.prompt = true;
    sink.temporality = TEL_TEMPORALITY_DELTA;
    sink.open_fn = tel_statsd_open;
    sink.export_fn = tel_statsd_export;
    sink.close_fn = tel_statsd_close;
    sink.fork_fn = tel_statsd_close;
    sink.user_data = s;
    return sink;
}

/* ---- as a type ---- */

/* A copy that stays for the life of the program, as sinks by type have to. */
static const char* tel_statsd_keep(tel_text t) {
    char* p = t.data && t.size ? (char*)malloc(t.size + 1) : NULL;
    if (!p) { return NULL; }
    memcpy(p, t.data, t.size);
    p[t.size] = 0;
    return p;
}
static tel_result tel_statsd_make(tel_sink* out, const tel_settings* settings, void* user_data) {
    tel_statsd* s = (tel_statsd*)calloc(1, sizeof *s);
    (void)user_data;
    if (!s) { return TEL_ERR_MEMORY; }
    s->host = tel_statsd_keep(tel_setting_text(settings, "host", getenv("STATSD_HOST")));
    s->port = tel_statsd_keep(tel_setting_text(settings, "port", getenv("STATSD_PORT")));
    s->path = tel_statsd_keep(tel_setting_text(settings, "path", NULL));
    s->prefix = tel_statsd_keep(tel_setting_text(settings, "prefix", NULL));
    *out = tel_statsd_sink(s);
    return TEL_OK;
}
static inline tel_result tel_statsd_register(void) {
    tel_sink_type t;
    memset(&t, 0, sizeof t);
    t.type = "statsd";
    t.make_fn = tel_statsd_make;
    return tel_sink_type_add(&t);
}
#endif
