/* tel_sink_http: an encoder of the program's own and the transport that OTLP uses too. Over a socket, over a Unix-domain
   socket, and by post_fn: what is sent, how answers are judged, how bodies are split, and the health that tel_query_sink tells. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "check.h"
#include "capture.h"
#include <sys/un.h>

/* ---- an encoder: one line of JSON per span, log record or point ---- */

typedef struct encoder {
    int        calls;
    tel_result fail_with;
} encoder;

static tel_result encode(const tel_batch* batch, tel_writer out, void* user_data) {
    encoder* e = (encoder*)user_data;
    tel_text line = { "\n", 1 };
    size_t i, k;
    e->calls++;
    if (e->fail_with != TEL_OK) { return e->fail_with; }
    for (i = 0; i < batch->span_count; i++) {
        tel_write_json(out, batch->spans[i].name);
        for (k = 0; k < batch->spans[i].attrs.count; k++) {
            tel_text comma = { ",", 1 };
            tel_write_text(out, comma);
            tel_write_json_attr(out, &batch->spans[i].attrs.items[k]);
        }
        tel_write_text(out, line);
    }
    for (i = 0; i < batch->log_count; i++) {
        tel_write_json(out, batch->logs[i].body);
        tel_write_text(out, line);
    }
    return TEL_OK;
}

/* ---- a receiver behind post_fn ---- */

typedef struct box {
    int        calls, status;
    size_t     lines, largest;
    uint64_t   refuse;                      /* by the judge */
    tel_result result;
    uint32_t   retry_after_ms;
    char       url[200], headers[600], body[400], why[64];
    char       fresh[64];
    int        asked;                       /* for fresh headers */
    tel_signal signal;
    uint64_t   items;
    size_t answer_size;
} box;

static tel_result post(const tel_http_request* request, tel_http_answer* answer, void* user_data) {
    box* b = (box*)user_data;
    const char* body = (const char*)request->body;
    size_t i;
    b->calls++;
    answer->status = b->status;
    answer->retry_after_ms = b->retry_after_ms;
    snprintf(answer->error, sizeof answer->error, "%s", b->why);
    answer->body_size = b->answer_size;
    memset(answer->body, 'x', b->answer_size);
    b->signal = answer->signal;
    b->items = answer->items;
    snprintf(b->url, sizeof b->url, "%s", request->url);
    snprintf(b->headers, sizeof b->headers, "%s", request->headers);
    snprintf(b->body, sizeof b->body, "%.*s", (int)(request->size < 399 ? request->size : 399), body);
    if (request->size > b->largest) { b->largest = request->size; }
    if (b->result != TEL_OK) { return b->result; }
    for (i = 0; b->status < 300 && i < request->size; i++) { b->lines += body[i] == '\n'; }
    return TEL_OK;
}
static const char* fresh(void* user_data) {
    box* b = (box*)user_data;
    snprintf(b->fresh, sizeof b->fresh, "authorization=Bearer%%20%d", ++b->asked);
    return b->fresh;
}
static tel_result judge(tel_http_answer* answer, uint64_t* refused, void* user_data) {
    (void)user_data;
    if (answer->status == 207) {
        *refused = 1;
        snprintf(answer->error, sizeof answer->error, "one of %d was stale", (int)answer->items);
        return TEL_OK;
    }
    if (answer->status == 208) {
        *refused = UINT64_MAX - 7;                              /* more than there were */
        return TEL_OK;
    }
    return answer->status == 200 ? TEL_OK : answer->status == 500 ? TEL_ERR_IO
         : answer->status == 413 ? TEL_ERR_TIMEOUT : TEL_ERR_ARGUMENT;
}

static encoder enc;
static box     inbox;

static tel_http_desc http_desc(const char* url) {
    tel_http_desc h;
    memset(&h, 0, sizeof h);
    memset(&enc, 0, sizeof enc);
    memset(&inbox, 0, sizeof inbox);
    inbox.status = 200;
    h.name = "lines";
    h.transport.url = url;
    h.transport.post_fn = post;
    h.transport.header_fn = fresh;
    h.transport.headers = "x-key=a b";
    h.transport.user_data = &inbox;
    h.content_type = "application/x-ndjson";
    h.encode_fn = encode;
    h.judge_fn = judge;
    h.user_data = &enc;
    return h;
}
static void start(const tel_http_desc* h, bool no_thread) {
    tel_sink sink = tel_sink_http(h);
    tel_desc d = test_desc(&sink, 1);
    d.no_thread = no_thread;
    d.no_self_metrics = true;
    CHECK_INT(tel_init(&d), TEL_OK);
}
static tel_sink_stats stats(void) {
    tel_sink_stats s;
    CHECK(tel_query_sink(0, &s));
    return s;
}
static void logs(int n, const char* text) {
    while (n-- > 0) { tel_log(TEL_INFO, text, TEL_NOATTRS); }
}

/* Headers that depend on the body, and an answer that is read in parts: state is that of one answer, and judge gets it. */
static const char* sized(const void* body, size_t size, void* user_data) {
    static char line[40];
    (void)body; (void)user_data;
    snprintf(line, sizeof line, "x-size=%u", (unsigned)size);
    return line;
}
static void add_up(const void* data, size_t size, uint64_t state[8], void* user_data) {
    (void)data; (void)user_data;
    state[0] += size;
    state[3]++;
}
static uint64_t added[2];
static tel_result judge_state(tel_http_answer* answer, uint64_t* refused, void* user_data) {
    (void)user_data;
    added[0] = answer->state[0];
    added[1] = answer->state[3];
    *refused = 1;
    return TEL_OK;
}
static void test_parts(void) {
    tel_http_desc h = http_desc("http://h/");
    h.headers_fn = sized;
    h.part_fn = add_up;
    h.judge_fn = judge_state;
    start(&h, true);
    inbox.answer_size = 100;
    logs(2, "x");
    CHECK_INT(tel_flush(5000), TEL_ERR_IO);
    CHECK(strstr(inbox.headers, "authorization: Bearer 1\r\nx-size: 8\r\n") != NULL);
    CHECK(added[0] == 100 && added[1] == 1);
    CHECK(stats().delivered[2] == 1 && stats().dropped_failed[2] == 1);
    logs(2, "x");
    CHECK_INT(tel_flush(5000), TEL_ERR_IO);
    CHECK(added[0] == 100 && added[1] == 1);            /* it begins anew */
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(1000), TEL_OK);
}

static void test_post(void) {
    tel_http_desc h = http_desc("https://example.org/in?k=v");
    tel_sink_stats s;
    start(&h, true);
    memset(&h, 0xee, sizeof h);             /* everything was copied */
    TEL_SPAN(span, "a \"quoted\" name\n") { tel_span_set(span, tel_double("d", 0.5)); }
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(inbox.calls, 1);
    CHECK_STR(inbox.url, "https://example.org/in?k=v");
    CHECK_STR(inbox.headers, "Content-Type: application/x-ndjson\r\nUser-Agent: telemetry.h/" TEL_VERSION_STRING
              "\r\nx-key: a b\r\nauthorization: Bearer 1\r\n");
    CHECK_STR(inbox.body, "\"a \\\"quoted\\\" name\\n\",\"d\":0.5\n");
    CHECK(inbox.signal == TEL_SIGNAL_SPANS && inbox.items == 1);
    logs(3, "x");
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(inbox.asked == 2 && strstr(inbox.headers, "Bearer 2\r\n"));   /* fresh for each request */
    CHECK(inbox.signal == TEL_SIGNAL_LOGS && inbox.items == 3);
    s = stats();
    CHECK_STR(s.name, "lines");
    CHECK_STR(s.type, "http");
    CHECK(s.state == TEL_SINK_READY && s.last_status == 200);
    CHECK(s.last_success_unix_ns && !s.last_error_unix_ns && !s.last_error[0]);
    CHECK(s.delivered[1] == 1 && s.delivered[2] == 3);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(1000), TEL_OK);
}

static void test_judge(void) {
    tel_http_desc h = http_desc("http://h/");
    tel_sink_stats s;
    start(&h, true);
    hear_reset();
    inbox.status = 208;
    logs(3, "x");
    CHECK_INT(tel_flush(5000), TEL_ERR_IO);
    s = stats();
    CHECK(s.delivered[2] == 0 && s.dropped_failed[2] == 3 && heard(": 3 log records"));
    inbox.status = 207;
    logs(4, "x");
    CHECK_INT(tel_flush(5000), TEL_ERR_IO);
    s = stats();
    CHECK(s.delivered[2] == 3 && s.dropped_failed[2] == 4 && s.last_status == 207);
    CHECK_STR(s.last_error, "one of 4 was stale");
    CHECK(s.last_success_unix_ns && s.last_error_unix_ns);
    inbox.status = 400;                     /* final for this judge */
    logs(2, "x");
    CHECK_INT(tel_flush(5000), TEL_ERR_IO);
    s = stats();
    CHECK(s.dropped_failed[2] == 6 && s.last_status == 400 && s.state == TEL_SINK_READY);
    inbox.status = 413;                     /* anything but TEL_ERR_IO is: nothing is sent again */
    inbox.calls = 0;
    logs(1, "x");
    CHECK_INT(tel_flush(5000), TEL_ERR_IO);
    CHECK(inbox.calls == 1 && stats().dropped_failed[2] == 7);
    enc.fail_with = TEL_ERR_FORMAT;         /* no body could be made */
    logs(5, "x");
    CHECK_INT(tel_flush(5000), TEL_ERR_IO);
    s = stats();
    CHECK(s.dropped_failed[2] == 12 && !s.queued[2]);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(1000), TEL_OK);
}

/* A breaker opens after three failures, holds what it has, and closes with the first success. */
static void test_breaker(void) {
    tel_http_desc h = http_desc("http://h/");
    tel_sink_stats s;
    int i;
    h.transport.retry_first_ms = 1;
    h.transport.retry_most_ms = 2;
    h.transport.breaker_failures = 3;
    h.transport.breaker_ms = 50;
    start(&h, true);
    inbox.result = TEL_ERR_IO;
    inbox.status = 0;
    snprintf(inbox.why, sizeof inbox.why, "certificate has expired");
    logs(7, "x");
    for (i = 0; i < 2000 && stats().state != TEL_SINK_OPEN; i++) { (void)tel_flush(10); }
    s = stats();
    CHECK(s.state == TEL_SINK_OPEN && s.queued[2] == 7 && inbox.calls >= 3);
    CHECK_STR(s.last_error, "certificate has expired");
    CHECK(s.last_error_unix_ns && !s.last_success_unix_ns && s.last_status == 0);
    inbox.result = TEL_OK;
    inbox.status = 200;
    CHECK_INT(tel_flush(20000), TEL_OK);    /* the probe succeeds */
    s = stats();
    CHECK(s.state == TEL_SINK_READY && s.delivered[2] == 7 && inbox.lines == 7);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(1000), TEL_OK);
}

static void test_split(void) {
    tel_http_desc h = http_desc("http://h/");
    h.transport.request_bytes = 1000;
    h.transport.requests_per_second = 10000;
    start(&h, false);
    logs(300, "some forty bytes of text, more or less");
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(inbox.lines, 300);
    CHECK(inbox.largest <= 1000 && inbox.calls >= 12);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(1000), TEL_OK);
}

/* Faults of the desc: one diagnostic that names the member, and the sink is left out. */
static void test_faults(void) {
    static const char* const faults[] = { "tel_transport.url", "tel_transport.compression", "tel_transport.request_bytes",
                                        "tel_transport.requests_per_second", "tel_http_desc.encode_fn", "tel_transport.headers" };
    size_t i;
    for (i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        tel_http_desc h = http_desc(i == 0 ? "gopher://h" : "http://h");
        tel_sink sink;
        tel_desc d;
        if (i == 1) { h.transport.compression = "zip"; }
        if (i == 2) { h.transport.request_bytes = ((size_t)64 << 20) + 1; }
        if (i == 3) { h.transport.requests_per_second = -1; }
        if (i == 4) { h.encode_fn = NULL; }
        if (i == 5) { h.transport.headers = "content-type=x"; }
        sink = tel_sink_http(&h);
        d = test_desc(&sink, 1);
        hear_reset();
        CHECK_INT(tel_init(&d), i == 5 ? TEL_OK : TEL_ERR_IO);      /* a bad header is skipped */
        CHECK(heard(faults[i]) && heard("lines"));
        (void)tel_shutdown(1000);
    }
}

#if !TEL_NO_HTTP
/* A server at a Unix-domain socket that answers one request. */
typedef struct local {
    int       fd;
    pthread_t thread;
    char      got[2000];
} local;

static void* local_run(void* arg) {
    local* l = (local*)arg;
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    int fd = accept(l->fd, NULL, NULL);
    size_t n = 0;
    ssize_t part = 1;
    while (fd >= 0 && part > 0 && n + 1 < sizeof l->got && !strstr(l->got, "\"local\"\n")) {
        part = read(fd, l->got + n, sizeof l->got - 1 - n);
        n += part > 0 ? (size_t)part : 0;
    }
    if (fd >= 0) {
        CHECK(write(fd, answer, sizeof answer - 1) == (ssize_t)(sizeof answer - 1));
        close(fd);
    }
    return NULL;
}

static void test_local(void) {
    struct sockaddr_un to;
    char url[200];
    tel_http_desc h;
    local l;
    memset(&l, 0, sizeof l);
    memset(&to, 0, sizeof to);
    to.sun_family = AF_UNIX;
    snprintf(to.sun_path, sizeof to.sun_path, "/tmp/telemetry-%ld.sock", (long)getpid());
    snprintf(url, sizeof url, "unix://%s:/v1/in", to.sun_path);
    unlink(to.sun_path);
    l.fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(l.fd >= 0 && bind(l.fd, (struct sockaddr*)(void*)&to, sizeof to) == 0 && listen(l.fd, 4) == 0);
    CHECK_INT(pthread_create(&l.thread, NULL, local_run, &l), 0);
    h = http_desc(url);
    h.transport.post_fn = NULL;
    h.judge_fn = NULL;
    start(&h, false);
    logs(1, "local");
    CHECK_INT(tel_flush(20000), TEL_OK);
    pthread_join(l.thread, NULL);
    CHECK(strncmp(l.got, "POST /v1/in HTTP/1.1\r\nHost: localhost\r\n", 39) == 0);
    CHECK(strstr(l.got, "authorization: Bearer 1\r\n") && strstr(l.got, "\r\n\r\n\"local\"\n"));
    CHECK_INT(stats().delivered[2], 1);
    close(l.fd);
    unlink(to.sun_path);
    CHECK_INT(tel_shutdown(1000), TEL_OK);
}

/* The same over TCP, with two requests over one connection and the default judge. */
static void test_socket(void) {
    static const char fine[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    receiver r;
    char url[64];
    tel_http_desc h;
    CHECK(receiver_start(&r, fine, fine));
    snprintf(url, sizeof url, "http://127.0.0.1:%u/in", (unsigned)r.port);
    h = http_desc(url);
    h.transport.post_fn = NULL;
    h.judge_fn = NULL;
    start(&h, false);
    logs(2, "one");
    CHECK_INT(tel_flush(20000), TEL_OK);
    logs(2, "two");
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(receiver_requests(&r), 2);
    pthread_mutex_lock(&r.mutex);
    CHECK(strstr(r.last, "authorization: Bearer 2\r\n") && strstr(r.last, "\r\n\r\n\"two\"\n\"two\"\n"));
    pthread_mutex_unlock(&r.mutex);
    CHECK(stats().delivered[2] == 4 && stats().latency_ns > 0);
    CHECK_INT(tel_shutdown(1000), TEL_OK);
    receiver_stop(&r);
}

/* A second body waits when the first is refused with 413, and goes out in halves at once. */
static void test_waiting(void) {
    static tel_counter points = TEL_INSTRUMENT("waiting.points", "1", "");
    receiver r;
    tel_otlp_desc od;
    tel_sink sink;
    tel_desc d;
    int64_t i;
    CHECK(receiver_start(&r, "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    sink = receiver_sink(&r, &od, 20000);
    d = test_desc(&sink, 1);
    d.no_thread = d.no_self_metrics = true;
    d.metric_batch_points = 100;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 200; i++) { tel_counter_add_with(&points, 1, TEL_ATTRS(tel_int("point", i))); }
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(receiver_requests(&r), 5);            /* the refused one, and four halves */
    CHECK(stats().delivered[0] == 200 && stats().queued[0] == 0);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    receiver_stop(&r);
}
#endif

int main(void) {
    capture_watchdog(120);
    test_post();
    test_parts();
    test_judge();
    test_breaker();
    test_split();
    test_faults();
#if !TEL_NO_HTTP
    test_local();
    test_socket();
    test_waiting();
#endif
    return check_done();
}
