/* ingest.c -- other programs record through the listener; a hostile one gets 4xx and costs nothing. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"

static char reply[1 << 18];

static int connected(void) {
    struct sockaddr_in to;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)tel_prometheus_port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr*)(void*)&to, sizeof to) != 0) { FAIL("connect"); }
    return fd;
}
static int read_reply(int fd) {
    size_t n = 0;
    ssize_t got = 1;
    int status = 0;
    for (; got > 0 && n < sizeof reply - 1; n += got > 0 ? (size_t)got : 0) { got = recv(fd, reply + n, sizeof reply - 1 - n, 0); }
    reply[n] = 0;
    close(fd);
    sscanf(reply, "HTTP/1.1 %d", &status);
    return status;
}
static int post_with(const char* path, const char* headers, const char* body, size_t size) {
    static char text[64 * 1024];
    int n = snprintf(text, sizeof text, "POST /api/v1/telemetry/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%sContent-Length: %lu\r\n\r\n",
                     path, headers, (unsigned long)size);
    int fd = connected();
    if (size > 16 * 1024) { size = 1000; }                       /* less than it says */
    memcpy(text + n, body, size);
    if (send(fd, text, (size_t)n + size, MSG_NOSIGNAL) < 0) { FAIL("send"); }
    return read_reply(fd);
}
#define JSON "Content-Type: application/json\r\n"
static int post(const char* path, const char* body) { return post_with(path, JSON, body, strlen(body)); }
static int get(const char* path) {
    char text[512];
    int fd = connected(), n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    if (send(fd, text, (size_t)n, MSG_NOSIGNAL) < 0) { FAIL("send"); }
    return read_reply(fd);
}
static bool has(const char* part) {
    bool found = strstr(reply, part) != NULL;
    if (!found) { fprintf(stderr, "     in: %s\n", reply); }
    return found;
}
/* The text behind `key":"` in the last reply. */
static const char* member(const char* key) {
    static char out[4][80];
    static int turn;
    char* to = out[turn = (turn + 1) % 4];
    const char* at = strstr(reply, key);
    to[0] = 0;
    if (at) { sscanf(at + strlen(key), "\":\"%79[^\"]", to); }
    return to;
}

static void begin(tel_listener_desc* l) {
    static tel_sink sink;
    tel_desc d;
    memset(&d, 0, sizeof d);
    l->metrics.host = "127.0.0.1";
    l->metrics.port = TEL_ANY_PORT;
    l->query = l->ingest = true;
    sink = tel_sink_listener(l);
    d.service_name = "host";
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_self_metrics = true;
    d.recent_bytes = 64 * 1024;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
}

static void test_metrics(void) {
    tel_listener_desc l;
    where = "metrics";
    memset(&l, 0, sizeof l);
    begin(&l);
    CHECK_INT(post("metrics", "{\"name\":\"x.calls\",\"value\":2,\"type\":\"counter\",\"tags\":{\"tool\":\"a\",\"n\":-3,\"hot\":true,\"share\":0.5}}"), 202);
    CHECK(has("Content-Type: application/json"));
    CHECK_INT(post("metrics", "{\"name\":\"plugin.x.calls\",\"value\":1.5,\"tags\":{\"hot\":true,\"n\":-3,\"share\":0.5,\"tool\":\"a\"}}"), 202);
    CHECK_INT(post("metrics", "{\"name\":\"x.level\",\"value\":-4,\"type\":\"gauge\"}"), 202);
    CHECK_INT(post("metrics", "{\"name\":\"x.queue\",\"value\":-1,\"type\":\"updown\"}"), 202);
    CHECK_INT(post("metrics", "{\"name\":\"x.took\",\"value\":0.25,\"type\":\"histogram\",\"unit\":\"s\"}"), 202);
    CHECK_INT(get("/api/v1/telemetry/metrics?name=plugin.x.*"), 200);
    CHECK(has("{\"value\":3.5,\"attributes\":{\"hot\":true,\"n\":-3,\"share\":0.5,\"tool\":\"a\"}}"));
    CHECK(has("\"name\":\"plugin.x.took\",\"unit\":\"s\"") && has("{\"value\":-4,") && has("{\"value\":-1,"));
    CHECK(has("\"scope\":\"ingest\""));
    CHECK_INT(get("/metrics"), 200);
    CHECK(has("plugin_x_calls_total{"));
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

static void test_spans(void) {
    tel_listener_desc l;
    char path[80], child[256], id[40], trace[40];
    where = "spans";
    memset(&l, 0, sizeof l);
    begin(&l);
    CHECK_INT(post("traces/spans", "{\"name\":\"load\",\"tags\":{\"plugin_id\":\"x\"}}"), 200);
    snprintf(id, sizeof id, "%s", member("span_id"));
    snprintf(trace, sizeof trace, "%s", member("trace_id"));
    CHECK_INT(strlen(id), 16);
    CHECK_INT(strlen(trace), 32);
    CHECK_INT(strlen(member("traceparent")), 55);
    snprintf(child, sizeof child, "{\"name\":\"inner\",\"parent_trace_id\":\"%s\"}", trace);
    CHECK_INT(post("traces/spans", child), 200);
    CHECK_STR(member("trace_id"), trace);
    snprintf(path, sizeof path, "traces/spans/%s/finish", member("span_id"));
    CHECK_INT(post(path, "{}"), 202);
    CHECK_INT(post(path, "{}"), 404);                           /* twice */
    snprintf(path, sizeof path, "traces/spans/%s/tags", id);
    CHECK_INT(post(path, "{\"tags\":{\"rows\":7}}"), 202);
    snprintf(path, sizeof path, "traces/spans/%s/logs", id);
    CHECK_INT(post(path, "{\"message\":\"slow\",\"level\":\"warn\",\"tags\":{\"ms\":12}}"), 202);
    CHECK_INT(post(path, "{\"message\":\"slow\",\"level\":\"loud\"}"), 400);
    snprintf(path, sizeof path, "traces/spans/%s/finish", id);
    CHECK_INT(post(path, "{\"status\":\"bad\"}"), 400);
    CHECK_INT(post(path, "{\"status\":\"error\",\"message\":\"no rows\"}"), 202);
    CHECK_INT(get("/api/v1/telemetry/traces?plugin_id=x&limit=10"), 200);
    CHECK(has("\"name\":\"load\",\"scope\":\"ingest\"") && has("\"attributes\":{\"plugin_id\":\"x\",\"rows\":7}"));
    CHECK(has("\"status\":\"error\",\"message\":\"no rows\""));
    CHECK_INT(get("/api/v1/telemetry/traces?name=inner"), 200);
    CHECK_STR(member("parent_span_id"), id);
    CHECK_INT(get("/api/v1/telemetry/logs"), 200);
    CHECK(has("\"severity\":13,\"body\":\"slow\"") && has("\"attributes\":{\"ms\":12}"));
    CHECK_STR(member("span_id"), id);
    CHECK_INT(post("traces/spans", "{\"name\":\"far\",\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}"), 200);
    CHECK_STR(member("trace_id"), "0af7651916cd43dd8448eb211c80319c");
    CHECK_INT(post("traces/spans", "{\"name\":\"far\",\"parent_trace_id\":\"0af7651916cd43dd8448eb211c80319d\",\"parent_span_id\":\"b7ad6b7169203331\"}"), 200);
    CHECK_STR(member("trace_id"), "0af7651916cd43dd8448eb211c80319d");
    CHECK_INT(post("traces/spans", "{\"name\":\"far\",\"parent_trace_id\":\"0af7651916cd43dd8448eb2100000000\"}"), 404);
    CHECK_INT(post("traces/spans", "{\"name\":\"far\",\"parent_trace_id\":\"zz\"}"), 400);
    CHECK_INT(post("traces/spans", "{\"name\":\"far\",\"traceparent\":\"zz\"}"), 400);
    CHECK_INT(post("traces/spans", "{\"name\":\"\"}"), 400);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

/* A span that is never finished ends by itself, and is counted; its room is used again. */
static void test_expiry(void) {
    tel_listener_desc l;
    int i;
    where = "expiry";
    memset(&l, 0, sizeof l);
    l.ingest_expiry_ms = 1;
    begin(&l);
    CHECK_INT(post("traces/spans", "{\"name\":\"lost\"}"), 200);
    do { CHECK_INT(get("/api/v1/telemetry/health"), 200); } while (!strstr(reply, "\"open_spans\":0,\"expired_spans\":1"));
    CHECK_INT(get("/api/v1/telemetry/traces?failed=true"), 200);
    CHECK(has("\"name\":\"lost\"") && has("not finished in time"));
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    l.ingest_expiry_ms = 0;
    l.ingest_per_second = 1000000;
    begin(&l);
    for (i = 0; i < 1024; i++) { if (post("traces/spans", "{\"name\":\"many\"}") != 200) { FAIL("a span has no room"); } }
    CHECK_INT(post("traces/spans", "{\"name\":\"many\"}"), 429);
    CHECK(has("Retry-After: 1\r\n"));
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

static void test_limits(void) {
    tel_listener_desc l;
    char body[128];
    int i, refused = 0;
    where = "limits";
    memset(&l, 0, sizeof l);
    l.ingest_per_second = 1;
    l.ingest_prefix = "";
    begin(&l);
    for (i = 0; i < 50; i++) { refused += post("metrics", "{\"name\":\"a\",\"value\":1}") == 429; }
    CHECK(refused > 0);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    l.ingest_per_second = 1000000;
    begin(&l);
    for (i = 0; i < 256; i++) {
        snprintf(body, sizeof body, "{\"name\":\"a%d\",\"value\":1}", i);
        if (post("metrics", body) != 202) { FAIL("a name has no room"); }
    }
    CHECK_INT(post("metrics", "{\"name\":\"b\",\"value\":1}"), 429);
    CHECK_INT(post("metrics", "{\"name\":\"a255\",\"value\":1}"), 202);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

static void send_text(int fd, const char* text) {
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0) { FAIL("send"); }
}
static void test_hostile(void) {
    static const struct { const char *path, *body; int status; } bad[] = {
        { "metrics", "", 400 }, { "metrics", "{", 400 }, { "metrics", "[]", 400 }, { "metrics", "{}", 400 }, { "metrics", "{}x", 400 },
        { "metrics", "{\"name\":\"a\"}", 400 }, { "metrics", "{\"name\":\"a\",\"value\":\"1\"}", 400 },
        { "metrics", "{\"name\":\"a\",\"value\":-1}", 400 }, { "metrics", "{\"name\":\"a\",\"value\":1e999}", 400 },
        { "metrics", "{\"name\":\"a b\",\"value\":1}", 400 }, { "metrics", "{\"name\":7,\"value\":1}", 400 },
        { "metrics", "{\"name\":\"a\",\"value\":1,\"type\":\"summary\"}", 400 }, { "metrics", "{\"name\":\"a\",\"value\":1,\"tags\":[]}", 400 },
        { "metrics", "{\"name\":\"a\",\"value\":1,\"tags\":{\"b\":{}}}", 400 }, { "metrics", "{\"name\":\"a\",\"value\":1,\"tags\":{\"b\":null}}", 400 },
        { "metrics", "{\"name\":\"a\",\"value\":1,\"what\":1}", 400 }, { "metrics", "{\"name\":\"a\\u0000b\",\"value\":1}", 400 },
        { "metrics", "{\"name\":\"a\",\"name\":\"b\",\"value\":1}", 400 }, { "metrics", "{\"name\":\"a\",\"value\":1,\"tags\":{\"b\":\"\xff\"}}", 400 },
        { "nothing", "{}", 404 }, { "traces", "{}", 404 }, { "traces/spansX", "{}", 404 }, { "traces/spans/", "{}", 404 },
        { "traces/spans/0123456789abcdef/finish", "{}", 404 }, { "traces/spans/zzzzzzzzzzzzzzzz/finish", "{}", 404 },
        { "traces/spans/0123456789abcdef", "{}", 404 }, { "traces/spans/0123456789abcdef/finish/x", "{}", 404 },
    };
    static char big[10000];
    tel_listener_desc l;
    uint64_t before, i;
    int fds[40], k, fd;
    where = "hostile";
    memset(&l, 0, sizeof l);
    l.ingest_per_second = 1000000;
    begin(&l);
    CHECK_INT(post("metrics", "{\"name\":\"warm\",\"value\":1}"), 202);
    before = tel_query_stats().bytes_allocated;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int status = post(bad[i].path, bad[i].body);
        if (status != bad[i].status) { fprintf(stderr, "     %s %s: %s\n", bad[i].path, bad[i].body, reply); }
        CHECK_INT(status, bad[i].status);
    }
    memset(big, '[', sizeof big);
    memcpy(big, "{\"a\":", 5);
    CHECK_INT(post_with("metrics", JSON, big, 7000), 400);                     /* a depth bomb */
    CHECK_INT(post_with("metrics", JSON, big, sizeof big), 413);
    CHECK_INT(post_with("metrics", JSON, big, (size_t)1 << 30), 413);          /* a gigabyte, by its own account */
    CHECK_INT(post_with("metrics", "Content-Type: text/plain\r\n", "{\"name\":\"a\",\"value\":1}", 22), 415);
    CHECK_INT(post_with("metrics", "", "{\"name\":\"a\",\"value\":1}", 22), 415);
    CHECK_INT(post_with("metrics", JSON "Transfer-Encoding: chunked\r\n", "{}", 2), 400);
    CHECK_INT(post("metrics", "{\"name\":\"a\",\"value\":1,\"tags\":{\"home\":\"${HOME}\"}}"), 202);
    CHECK_INT(get("/api/v1/telemetry/metrics?name=plugin.a"), 200);
    CHECK(has("\"home\":\"${HOME}\""));                                        /* no variable of ours goes out */
    for (k = 0; k < 40; k++) {                                                  /* slow bytes: they hold nobody up */
        fds[k] = connected();
        send_text(fds[k], "POST /api/v1/telemetry/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
    }
    CHECK_INT(get("/metrics"), 200);
    for (k = 0; k < 40; k++) { close(fds[k]); }
    fd = connected();                                                           /* a body in two pieces */
    send_text(fd, "POST /api/v1/telemetry/metrics HTTP/1.1\r\nHost: localhost\r\n" JSON "Connection: close\r\nContent-Length: 22\r\n\r\n{\"na");
    CHECK_INT(get("/metrics"), 200);
    send_text(fd, "me\":\"a\",\"value\":1}");
    CHECK_INT(read_reply(fd), 202);
    CHECK_INT(get("/api/v1/telemetry/health"), 200);
    CHECK(has("\"ingest\":{\"accepted\":3,"));
    CHECK(tel_query_stats().bytes_allocated < before + 1024 * 1024);
    CHECK(!heard("is not known"));                                              /* a client writes nothing to our log */
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

static void test_token(void) {
    tel_listener_desc l;
    where = "token";
    memset(&l, 0, sizeof l);
    l.token = "s3cret";
    begin(&l);
    CHECK_INT(post("metrics", "{\"name\":\"a\",\"value\":1}"), 401);
    CHECK_INT(post_with("metrics", JSON "Authorization: Bearer wrong\r\n", "{\"name\":\"a\",\"value\":1}", 22), 401);
    CHECK_INT(post_with("metrics", JSON "Authorization: Bearer s3cret\r\n", "{\"name\":\"a\",\"value\":1}", 22), 202);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

int main(void) {
    capture_watchdog(120);
    test_metrics();
    test_spans();
    test_expiry();
    test_limits();
    test_hostile();
    test_token();
    return check_done();
}
