/* flags: -DTELEMETRY_ZLIB -lz */
/* Compression: a gzip body is gzip of the JSON that would have been sent, and a scraper that asks for gzip gets it. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"
#include <zlib.h>

static char plain[1 << 20];

/* Into plain; the size, or SIZE_MAX when it is not one whole gzip stream. */
static size_t unzip(const char* data, size_t size) {
    z_stream z;
    unsigned char* copy = (unsigned char*)malloc(size + 1);
    size_t out;
    int r;
    if (!copy) { abort(); }
    memcpy(copy, data, size);
    memset(&z, 0, sizeof z);
    z.next_in = copy;
    z.avail_in = (uInt)size;
    z.next_out = (unsigned char*)plain;
    z.avail_out = sizeof plain - 1;
    if (inflateInit2(&z, 15 + 16) != Z_OK) { free(copy); return SIZE_MAX; }
    r = inflate(&z, Z_FINISH);
    out = (size_t)z.total_out;
    if (z.avail_in) { r = Z_DATA_ERROR; }
    inflateEnd(&z);
    free(copy);
    plain[out] = 0;
    return r == Z_STREAM_END ? out : SIZE_MAX;
}

static void test_post(const char* compression) {
    static const char retry[] = "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
    bool gzip = strcmp(compression, "gzip") == 0;
    receiver r;
    tel_otlp_desc od;
    tel_sink sink;
    tel_desc d;
    const char* body;
    size_t size = 0, declared = 0, body_at;
    int i;
    where = compression;
    if (!receiver_start(&r, retry, ANSWER_200)) { FAIL("receiver"); return; }     /* compressed once, sent twice */
    sink = receiver_sink(&r, &od, 0);
    od.compression = compression;
    od.headers = "x-key=1";
    sink = tel_sink_otlp(&od);
    d = test_desc(&sink, 1);
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 50; i++) { tel_log(TEL_INFO, "the same again", TEL_ATTRS(tel_int("n", i), tel_str("key", "value"))); }
    CHECK_INT(tel_flush(20000), TEL_OK);
    pthread_mutex_lock(&r.mutex);
    CHECK_INT(r.requests, 2);
    body = strstr(r.last, "\r\n\r\n");
    if (body) {
        body += 4;
        size = r.last_size - (size_t)(body - r.last);
        CHECK(strstr(r.last, "Content-Length: ") != NULL);
        declared = receiver__length(r.last, &body_at);
    }
    CHECK_INT(size, declared);
    CHECK(strstr(r.last, "\r\nx-key: 1\r\n") != NULL && strstr(r.last, "\r\nContent-Type: application/json\r\n") != NULL);
    CHECK((strstr(r.last, "\r\nContent-Encoding: gzip\r\n") != NULL) == gzip);
    if (gzip && body) {
        size_t whole = unzip(body, size);
        CHECK(whole != SIZE_MAX && whole > 2 * size);
    } else if (body) {
        memcpy(plain, body, size + 1);
    }
    pthread_mutex_unlock(&r.mutex);
    CHECK(strncmp(plain, "{\"resourceLogs\":[", 17) == 0 && plain[strlen(plain) - 1] == '}');
    for (i = 0, body = plain; (body = strstr(body, "the same again")) != NULL; i++) { body++; }
    CHECK_INT(i, 50);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    receiver_stop(&r);
}

/* post_fn gets the compressed body and the header line that says so; a small body is not worth it. */
typedef struct box { int calls; bool encoded; size_t size, plain_size; } box;
static tel_result box_post(const tel_http_request* request, tel_http_answer* answer, void* user_data) {
    box* b = (box*)user_data;
    b->calls++;
    b->encoded = strstr(request->headers, "Content-Encoding: gzip\r\n") != NULL;
    b->size = request->size;
    b->plain_size = b->encoded ? unzip((const char*)request->body, request->size) : request->size;
    answer->status = 200;
    return TEL_OK;
}
static void test_post_fn(void) {
    tel_otlp_desc od;
    tel_sink sink;
    tel_desc d;
    box b;
    where = "post_fn";
    memset(&b, 0, sizeof b);
    memset(&od, 0, sizeof od);
    od.post_fn = box_post;
    od.user_data = &b;
    od.compression = "GZIP";
    sink = tel_sink_otlp(&od);
    d = test_desc(&sink, 1);
    d.no_thread = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", TEL_NOATTRS);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK(b.calls == 1 && b.encoded && b.plain_size != SIZE_MAX && b.plain_size > b.size);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* ---- scrape ---- */

static char answer[1 << 20];

static size_t ask(unsigned port, const char* accept) {
    char request[300];
    snprintf(request, sizeof request, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n%sConnection: close\r\n\r\n", accept);
    return scrape(port, request, answer, sizeof answer);
}

static void test_scrape(void) {
    static const struct { const char* header; bool gzip; } cases[] = {
        { "", false },
        { "Accept-Encoding: gzip\r\n", true },
        { "accept-encoding: br, GZIP;q=0.5, identity\r\n", true },
        { "Accept-Encoding: deflate , gzip ; q=1\r\n", true },
        { "Accept-Encoding: gzip;q=0\r\n", false },
        { "Accept-Encoding: gzip; q=0.000\r\n", false },
        { "Accept-Encoding: gzip;q=x\r\n", false },
        { "Accept-Encoding: xgzip, gzipx\r\n", false },
        { "Accept-Encoding: \r\n", false },
        { "Accept-Encoding: ,,;,\r\n", false },
    };
    static tel_counter hits = TEL_INSTRUMENT("gzip.hits", "{hit}", "Hits so far, with some text to make it worth while");
    tel_prometheus_desc pd;
    tel_sink sink;
    tel_desc d;
    size_t i, size;
    const char* body;
    where = "scrape";
    sink = scrape_sink(&pd, TEL_ANY_PORT);
    d = test_desc(&sink, 1);
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 100; i++) { tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_int("number", (int64_t)i))); }
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int found = 0;
        size = ask(tel_prometheus_port(), cases[i].header);
        body = strstr(answer, "\r\n\r\n");
        CHECK(strncmp(answer, "HTTP/1.1 200 ", 13) == 0 && body != NULL);
        if (!body) { continue; }
        body += 4;
        size -= (size_t)(body - answer);
        if ((strstr(answer, "\r\nContent-Encoding: gzip\r\n") != NULL) != cases[i].gzip) {
            FAIL("encoding");
            fprintf(stderr, "     %s", cases[i].header);
            continue;
        }
        if (cases[i].gzip) {
            size_t whole = unzip(body, size);
            CHECK(whole != SIZE_MAX && whole > 2 * size);
            CHECK(strstr(answer, "\r\nVary: Accept, Accept-Encoding\r\n") != NULL);
        } else {
            memcpy(plain, body, size + 1);
        }
        for (body = plain; (body = strstr(body, "gzip_hits_total{")) != NULL; found++) { body++; }
        CHECK_INT(found, 100);
    }
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

int main(void) {
    capture_watchdog(120);
    test_post("none");
    test_post("gzip");
    test_post_fn();
    test_scrape();
    return check_done();
}
