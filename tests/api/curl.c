/* flags: -DTELEMETRY_CURL -lcurl */
/* OTLP through libcurl: the same requests as over our own client, retries, answers that say no, a receiver that is not there,
   and an end that does not wait for one that is silent. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"

static tel_desc curl_desc(tel_sink* sink, tel_otlp_desc* od, unsigned port, uint32_t timeout_ms) {
    static char endpoint[100];
    memset(od, 0, sizeof *od);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u/base", port);
    od->endpoint = endpoint;
    od->headers = "x-key=a%20b,x-none=,x-end=a:";
    od->timeout_ms = timeout_ms;
    *sink = tel_sink_otlp(od);
    return test_desc(sink, 1);
}

static void test_delivers(void) {
    static const char busy[] = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    receiver r;
    tel_otlp_desc od;
    tel_sink sink;
    tel_desc d;
    tel_sink_stats k;
    int i;
    where = "delivers";
    if (!receiver_start(&r, busy, ANSWER_200)) { FAIL("receiver"); return; }
    d = curl_desc(&sink, &od, r.port, 20000);
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 3; i++) {
        tel_log(TEL_INFO, i == 2 ? "the last" : "over curl", TEL_ATTRS(tel_int("n", i)));
        CHECK_INT(tel_flush(20000), TEL_OK);
        CHECK_INT(receiver_requests(&r), i + 2);        /* the first one twice */
    }
    pthread_mutex_lock(&r.mutex);
    CHECK(strncmp(r.last, "POST /base/v1/logs HTTP/1.1\r\n", 29) == 0);
    CHECK(strstr(r.last, "\r\nContent-Type: application/json\r\n") != NULL);
    CHECK(strstr(r.last, "\r\nUser-Agent: OTel-OTLP-Exporter-C/" TEL_VERSION_STRING "\r\n") != NULL);
    CHECK(strstr(r.last, "\r\nx-key: a b\r\n") != NULL && !strstr(r.last, "\r\nExpect:"));
    CHECK(strstr(r.last, "\r\nx-none:") != NULL && strstr(r.last, "\r\nx-end: a:\r\n") != NULL);
    CHECK(strstr(r.last, "\r\n\r\n{\"resourceLogs\":[") != NULL && strstr(r.last, "\"the last\"") != NULL);
    pthread_mutex_unlock(&r.mutex);
    CHECK(tel_query_sink(0, &k) && k.delivered[2] == 3 && k.dropped_failed[2] == 0);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    receiver_stop(&r);
}

/* One request with each answer; what is lost of two records. */
static void run_answer(const char* name, const char* text, uint64_t lost, const char* say) {
    receiver r;
    tel_otlp_desc od;
    tel_sink sink;
    tel_desc d;
    tel_sink_stats k;
    where = name;
    hear_reset();
    if (!receiver_start(&r, text, NULL)) { FAIL("receiver"); return; }
    d = curl_desc(&sink, &od, r.port, 20000);
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "a", TEL_NOATTRS);
    tel_log(TEL_INFO, "b", TEL_NOATTRS);
    CHECK_INT(tel_flush(60000), lost ? TEL_ERR_IO : TEL_OK);
    CHECK(tel_query_sink(0, &k));
    CHECK_INT(k.dropped_failed[2], lost);
    CHECK_INT(k.delivered[2], 2 - lost);
    CHECK_INT(receiver_requests(&r), 1);
    CHECK(!say || heard(say));
    CHECK_BOOKS();
    tel_shutdown(5000);
    receiver_stop(&r);
}

/* Nobody there, and one who asks for patience: what waits is kept, and the diagnostic has curl's words or the receiver's. */
static void run_kept(const char* name, const char* text, const char* say, int requests) {
    receiver r;
    tel_otlp_desc od;
    tel_sink sink;
    tel_desc d;
    tel_sink_stats k;
    where = name;
    hear_reset();
    if (text ? !receiver_start(&r, text, NULL) : !receiver_deaf(&r)) { FAIL("receiver"); return; }
    d = curl_desc(&sink, &od, r.port, 300);
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "a", TEL_NOATTRS);
    CHECK_INT(tel_flush(500), TEL_ERR_TIMEOUT);
    CHECK(tel_query_sink(0, &k) && k.dropped_failed[2] == 0 && k.queued[2] == 1);
    CHECK(heard("127.0.0.1") && heard(say));
    CHECK_INT(receiver_requests(&r), requests);
    CHECK_BOOKS();
    tel_shutdown(100);
    if (text) { receiver_stop(&r); } else { close(r.fd); }
}

static void test_silent(void) {
    static counting heap = COUNTING;
    receiver r;
    tel_otlp_desc od;
    tel_sink sink;
    tel_desc d;
    where = "silent";
    if (!receiver_start(&r, NULL, NULL)) { FAIL("receiver"); return; }
    d = curl_desc(&sink, &od, r.port, 60000);
    d.allocator = counting_allocator(&heap);
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "a", TEL_NOATTRS);
    CHECK_INT(tel_shutdown(50), TEL_ERR_TIMEOUT);
    while (counting_live(&heap) != 0) { usleep(1000); } /* the worker ends by itself; the watchdog ends this */
    CHECK_INT(counting_live(&heap), 0);
    receiver_stop(&r);
}

int main(void) {
    capture_watchdog(120);
    test_delivers();
    run_answer("answer_200", ANSWER_200, 0, NULL);
    run_answer("answer_400", "HTTP/1.1 400 Bad\r\nContent-Length: 26\r\n\r\n{\"code\":3,\"message\":\"no!\"}", 2, "no!");
    run_answer("answer_partial", "HTTP/1.1 200 OK\r\nContent-Length: 71\r\n\r\n"
               "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\"too old\"}}\n", 1, "too old");
    run_answer("broken_chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", 0, NULL);
    run_answer("broken_length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", 0, NULL);
    run_kept("nobody", NULL, "onnect", 0);
    run_kept("later", "HTTP/1.1 503 Busy\r\nRetry-After: 100\r\nContent-Length: 9\r\n\r\nnot now\r\n", "answered 503: not now", 1);
    test_silent();
    return check_done();
}
