/* services.c -- the HTTP services of the listener: queries, health, the token, and what a hostile client gets. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"

static char reply[1 << 20];

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
/* Sends text and reads all that comes; returns the status, 0: none. */
static int send_raw(const char* text, size_t size) {
    int fd = connected();
    size_t n = 0;
    ssize_t got = 1;
    int status = 0;
    while (size > 0 && got > 0) {
        got = send(fd, text, size, MSG_NOSIGNAL);
        if (got > 0) { text += got; size -= (size_t)got; }
    }
    for (got = 1; got > 0 && n < sizeof reply - 1; n += got > 0 ? (size_t)got : 0) {
        got = recv(fd, reply + n, sizeof reply - 1 - n, 0);
    }
    reply[n] = 0;
    close(fd);
    sscanf(reply, "HTTP/1.1 %d", &status);
    return status;
}
static int get(const char* target, const char* more) {
    char text[8192];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", target, more ? more : "");
    return send_raw(text, (size_t)n);
}
static bool has(const char* part) { return strstr(reply, part) != NULL; }
static int times(const char* part) {
    const char* at = reply;
    int n = 0;
    while ((at = strstr(at, part)) != NULL) { n++; at++; }
    return n;
}

static void begin(const char* host, const char* token, tel_result want) {
    static tel_sink sink;
    tel_listener_desc l;
    tel_desc d;
    memset(&l, 0, sizeof l);
    memset(&d, 0, sizeof d);
    l.metrics.host = host;
    l.metrics.port = TEL_ANY_PORT;
    l.query = true;
    l.token = token;
    sink = tel_sink_listener(&l);
    d.service_name = "self";
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_self_metrics = true;
    d.recent_bytes = 64 * 1024;
    d.diag.report_fn = hear;
    hear_reset();
    CHECK_INT(tel_init(&d), want);
}

static tel_counter calls = TEL_INSTRUMENT("plugin.x.calls", "{call}", "Calls \"made\"");
static tel_counter others = TEL_INSTRUMENT("plugin.y.calls", NULL, NULL);
static tel_histogram took = TEL_INSTRUMENT("plugin.x.took", "s", NULL);

static void test_queries(void) {
    const char* post = "POST /api/v1/telemetry/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";
    static char many[4000], target[4096];
    int i;
    where = "queries";
    begin("127.0.0.1", NULL, TEL_OK);
    tel_counter_add_with(&calls, 3, TEL_ATTRS(tel_str("tool", "a\"b")));
    tel_counter_add_with(&calls, 4, TEL_ATTRS(tel_str("tool", "c")));
    tel_counter_add(&others, 1);
    tel_histogram_record(&took, 0.5);
    TEL_SPAN(s, "load") { tel_span_set(s, tel_str("plugin_id", "x")); tel_span_set(s, tel_int("n", 7)); }
    TEL_SPAN(s, "store") {
        tel_span_set(s, tel_str("plugin_id", "y"));
        tel_span_event(s, "full", TEL_ATTRS(tel_double("share", 0.5)));
        tel_span_status(s, TEL_STATUS_ERROR, "no room");
        tel_log(TEL_WARN, "low\n", TEL_NOATTRS);
    }
    CHECK_INT(get("/api/v1/telemetry/metrics?name=plugin.x.*", NULL), 200);
    CHECK(has("Content-Type: application/json\r\n"));
    CHECK(has("{\"metrics\":[{\"name\":\"plugin.x.calls\",\"unit\":\"{call}\",\"description\":\"Calls \\\"made\\\"\",\"scope\":\"\",\"type\":\"counter\",\"points\":["));
    CHECK(has("{\"value\":3,\"attributes\":{\"tool\":\"a\\\"b\"}}"));
    CHECK(has("\"type\":\"histogram\",\"points\":[{\"count\":1,\"sum\":0.5,\"min\":0.5,\"max\":0.5,\"p50\":0.5,"));
    CHECK(!has("plugin.y.calls"));
    CHECK_INT(get("/api/v1/telemetry/metrics?tool=c", NULL), 200);
    CHECK(has("\"value\":4") && times("\"value\"") == 1);
    CHECK_INT(get("/api/v1/telemetry/traces?plugin_id=x&limit=10", NULL), 200);
    CHECK(has("\"name\":\"load\"") && has("\"attributes\":{\"plugin_id\":\"x\",\"n\":7}") && !has("store"));
    CHECK_INT(get("/api/v1/telemetry/traces?n=7", NULL), 200);
    CHECK_INT(times("\"span_id\""), 1);
    CHECK_INT(get("/api/v1/telemetry/traces?failed=true&name=st%6fre", NULL), 200);
    CHECK(has("\"status\":\"error\",\"message\":\"no room\"") && has("\"events\":[{\"name\":\"full\",\"unix_ns\":\""));
    CHECK_INT(get("/api/v1/telemetry/traces?limit=1", NULL), 200);
    CHECK_INT(times("\"span_id\""), 1);
    CHECK(has("store"));                                        /* the newest */
    CHECK_INT(get("/api/v1/telemetry/logs?severity=13", NULL), 200);
    CHECK(has("\"severity\":13,\"body\":\"low\\n\"") && has("\"trace_id\""));
    CHECK_INT(get("/api/v1/telemetry/health", NULL), 200);
    CHECK(has("{\"service\":\"self\",\"recorded\":{\"metrics\":0,\"spans\":2,\"logs\":1}"));
    CHECK_INT(get("/metrics", NULL), 200);
    CHECK(has("plugin_x_calls"));
    CHECK_INT(get("/api/v1/telemetry/nothing", NULL), 404);
    CHECK_INT(get("/api/v2", NULL), 404);
    CHECK_INT(get("/api/v2/telemetry/health", NULL), 404);
    CHECK_INT(get("/api/v1/telemetry/traces?limit=99999999", NULL), 400);
    CHECK_INT(get("/api/v1/telemetry/traces?trace_id=zz", NULL), 400);
    CHECK_INT(get("/api/v1/telemetry/traces?a=%zz", NULL), 400);
    CHECK_INT(get("/api/v1/telemetry/traces?a=%00", NULL), 400);
    CHECK_INT(get("/api/v1/telemetry/traces?=", NULL), 400);
    CHECK_INT(get("/api/v1/telemetry/traces?a=1&a=1&a=1&a=1&a=1&a=1&a=1&a=1&a=1&a=1&a=1&a=1&a=1&a=1&a=1&a=1&a=1", NULL), 400);
    CHECK_INT(send_raw(post, strlen(post)), 405);
    for (i = 0; i < 750; i++) { memcpy(many + 5 * i, "name&", 5); }     /* grows as its parts get their NULs */
    snprintf(many + 5 * i, sizeof many - 5 * (size_t)i, "name=x");
    snprintf(target, sizeof target, "/api/v1/telemetry/logs?%s", many);
    CHECK_INT(get(target, NULL), 400);
    CHECK_INT(get("/api/v1/telemetry/logs?name&name&name=low*", NULL), 200);
    CHECK_INT(times("\"body\""), 1);
    TEL_SPAN(s, "a b") { tel_span_set(s, tel_str("c", "%d e")); }
    CHECK_INT(get("/api/v1/telemetry/traces?name=%61+%62&c=%25d+e", NULL), 200);
    CHECK_INT(times("\"span_id\""), 1);
    for (i = 0; i < 3000; i++) { TEL_SPAN(s, "many") { tel_span_set(s, tel_int("i", i)); } }
    CHECK_INT(get("/api/v1/telemetry/traces", NULL), 200);
    CHECK_INT(times("\"span_id\""), 100);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

static void test_token(void) {
    where = "token";
    begin("127.0.0.1", "s3cret", TEL_OK);
    CHECK_INT(get("/api/v1/telemetry/health", NULL), 401);
    CHECK(has("WWW-Authenticate: Bearer\r\n") && !has("service"));
    CHECK_INT(get("/api/v1/telemetry/health", "Authorization: Bearer s3cre\r\n"), 401);
    CHECK_INT(get("/api/v1/telemetry/health", "Authorization: Bearer s3crets3cret\r\n"), 401);
    CHECK_INT(get("/api/v1/telemetry/health", "Authorization: Bearer \r\n"), 401);
    CHECK_INT(get("/api/v1/telemetry/health", "Authorization: Basic s3cret\r\n"), 401);
    CHECK_INT(get("/api/v1/telemetry/health", "Authorization: bearer s3cret\r\n"), 200);
    CHECK_INT(get("/metrics", NULL), 200);                      /* a scraper needs none */
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    begin("0.0.0.0", NULL, TEL_ERR_IO);                         /* others reach it */
    CHECK(heard("tel_listener_desc.token"));
    CHECK_INT(tel_prometheus_port(), 0);
    tel_shutdown(5000);
    begin("0.0.0.0", "", TEL_ERR_IO);                           /* as "${TOKEN:-}" gives it */
    CHECK(heard("tel_listener_desc.token is empty"));
    tel_shutdown(5000);
    begin("127.0.0.1", "two words", TEL_ERR_IO);                /* RFC 6750 has no blanks */
    CHECK(heard("more than visible ASCII"));
    tel_shutdown(5000);
    begin("0.0.0.0", "s3cret", TEL_OK);
    CHECK_INT(get("/api/v1/telemetry/health", NULL), 401);
    CHECK_INT(get("/api/v1/telemetry/health", "Authorization: Bearer s3cret\r\n"), 200);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* The program serves the listener itself. */
static void* ask_once(void* arg) {
    __atomic_store_n((int*)arg, get("/api/v1/telemetry/traces", NULL), __ATOMIC_RELEASE);
    return NULL;
}
static void test_no_thread(void) {
    tel_listener_desc l;
    tel_desc d;
    tel_sink sink;
    pthread_t thread;
    int status = -1;
    where = "no_thread";
    memset(&l, 0, sizeof l);
    memset(&d, 0, sizeof d);
    l.metrics.host = "127.0.0.1";
    l.metrics.port = TEL_ANY_PORT;
    l.query = true;
    sink = tel_sink_listener(&l);
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_thread = true;
    d.recent_bytes = 4096;
    CHECK_INT(tel_init(&d), TEL_OK);
    TEL_SPAN(s, "pumped") { (void)s; }
    pthread_create(&thread, NULL, ask_once, &status);
    while (__atomic_load_n(&status, __ATOMIC_ACQUIRE) < 0) { tel_pump(10); }
    pthread_join(thread, NULL);
    CHECK_INT(status, 200);
    CHECK(has("\"name\":\"pumped\""));
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

int main(void) {
    capture_watchdog(60);
    test_queries();
    test_token();
    test_no_thread();
    return check_done();
}
