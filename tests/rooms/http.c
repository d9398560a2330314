/* Room test of >>net, >>http_client and >>http_server: URLs, dates, the response and request parsers on hostile bytes; the client against
   scripted servers, the listener against scripted clients, all on loopback sockets of this process. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define SECONDS(n) ((uint64_t)(n) * 1000000000u)
#define NOW 1700000000u                                     /* Tue, 14 Nov 2023 22:13:20 GMT */
#define AFTER(s)   (tel__clock_mono_ns() + SECONDS(s))

static tel__memory memory;

/* ---- urls ------------------------------------------------------------------------------------------- */

typedef struct url_case {
    const char* text;
    int         result, tls;
    const char* host;
    int         port;
    const char* path;
} url_case;

#define TEN "0123456789"
static const url_case urls[] = {
    { "http://localhost:4318", 0, 0, "localhost", 4318, "/" },
    { "http://c:4318/v1/traces", 0, 0, "c", 4318, "/v1/traces" },
    { "HTTPS://Example.org/a?b=c#d", 0, 1, "Example.org", 443, "/a?b=c" },
    { "http://h", 0, 0, "h", 80, "/" },
    { "http://h:", 0, 0, "h", 80, "/" },
    { "http://h:/x", 0, 0, "h", 80, "/x" },
    { "http://h?q=/1", 0, 0, "h", 80, "/?q=/1" },
    { "http://h#/x", 0, 0, "h", 80, "/" },
    { "http://[::1]:9464/m", 0, 0, "::1", 9464, "/m" },
    { "http://[fe80::1]", 0, 0, "fe80::1", 80, "/" },
    { "http://[::ffff:1.2.3.4]:1", 0, 0, "::ffff:1.2.3.4", 1, "/" },
    { "http://127.0.0.1:65535//x", 0, 0, "127.0.0.1", 65535, "//x" },
    { "http://my_host-1.x:1/%0d%0a", 0, 0, "my_host-1.x", 1, "/%0d%0a" },
    { "", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http:", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http:/h", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http:///x", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "://h", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "localhost:4318", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "ftp://h/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "unix:///x", 0, 0, "/x", 0, "/" },
    { "UNIX:///run/apm.sock:/v0.4/traces?a=b", 0, 0, "/run/apm.sock", 0, "/v0.4/traces?a=b" },
    { "unix:///a:b/c:/d", 0, 0, "/a:b/c", 0, "/d" },
    { "unix:///x:", 0, 0, "/x:", 0, "/" },
    { "unix:///", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "unix://", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "unix://x/y", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "unix:/x", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "unix:///x y", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "unix:///" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "12", 0, 0, "/" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "12", 0, "/" },
    { "unix:///" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "123", TEL_ERR_LIMIT, 0, "", 0, "" },
    { "http://user@h/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://user:secret@h/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h:0/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h:65536/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h:99999999999999999999/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h:-1/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h:8 0/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h:80:80/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://::1/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://[::1/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://[::1]x/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://[]/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://[::g]/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://[12]/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://[fe80::1%25eth0]/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://a b/", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h/a b", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h/\r\nX: y", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h\r\n", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h/\t", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h/\x7f", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h/\xc3\xa9", TEL_ERR_FORMAT, 0, "", 0, "" },
    { "http://h\\x/", TEL_ERR_FORMAT, 0, "", 0, "" },
};

static void test_urls(void) {
    static char longer[1400];
    tel__net_url u, zero;
    size_t i;
    memset(&zero, 0, sizeof zero);
    for (i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        const url_case* c = &urls[i];
        memset(&u, 0x5a, sizeof u);
        CHECK_INT(tel__net_url_parse(tel__text_of(c->text), &u), c->result);
        CHECK_INT(u.tls, c->tls);
        CHECK_INT(u.port, c->port);
        CHECK_STR(u.host, c->host);
        CHECK_STR(u.path, c->path);
        CHECK_INT(u.local, c->host[0] == '/');
        CHECK_INT(u.ipv6, !u.local && strchr(c->host, ':') != NULL);
        if (c->result != 0) { CHECK(memcmp(&u, &zero, sizeof u) == 0); }
    }
    memset(longer, 'a', sizeof longer);
    memcpy(longer, "http://h/", 9);
    CHECK_INT(tel__net_url_parse(tel__net_slice(longer, 8 + sizeof u.path - 1), &u), TEL_OK);
    CHECK_INT(strlen(u.path), sizeof u.path - 1);
    CHECK_INT(tel__net_url_parse(tel__net_slice(longer, 8 + sizeof u.path), &u), TEL_ERR_LIMIT);
    longer[8] = '?';
    CHECK_INT(tel__net_url_parse(tel__net_slice(longer, 8 + sizeof u.path - 2), &u), TEL_OK);
    CHECK_INT(tel__net_url_parse(tel__net_slice(longer, 8 + sizeof u.path - 1), &u), TEL_ERR_LIMIT);
    longer[8] = 'h';
    CHECK_INT(tel__net_url_parse(tel__net_slice(longer, 7 + sizeof u.host - 1), &u), TEL_OK);
    CHECK_INT(tel__net_url_parse(tel__net_slice(longer, 7 + sizeof u.host), &u), TEL_ERR_LIMIT);
    CHECK_INT(tel__net_url_parse(tel__net_slice("http://h\0x", 10), &u), TEL_ERR_FORMAT);
}

/* ---- dates and Retry-After --------------------------------------------------------------------------- */

typedef struct date_case { const char* text; long long unix_s; } date_case;     /* -1: refused */

static const date_case dates[] = {
    { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
    { "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
    { "Sun Nov  6 08:49:37 1994", 784111777 },
    { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
    { "Thu, 29 Feb 2024 23:59:60 GMT", 1709251200 },
    { "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
    { "Tue, 19 Jan 2038 03:14:08 GMT", 2147483648LL },
    { "Wednesday, 01-Jan-70 00:00:00 GMT", 3155760000LL },       /* 2070: not over 50 years ahead of 2023 */
    { "Wednesday, 01-Jan-74 00:00:00 GMT", 126230400 },          /* 2074 is */
    { "", -1 }, { "now", -1 }, { "Sun", -1 }, { "Sun, 06 Nov 1994", -1 }, { "08:49:37", -1 },
    { "Sun, 06 Nov 1994 08:49:37 PST", -1 }, { "Sun, 06 Nov 1994 08:49 GMT", -1 },
    { "Sun, 06 Nov 1994 24:00:00 GMT", -1 }, { "Sun, 06 Nov 1994 08:60:00 GMT", -1 },
    { "Sun, 06 Nov 1994 08:49:61 GMT", -1 }, { "Sun, 00 Nov 1994 08:49:37 GMT", -1 },
    { "Sun, 32 Nov 1994 08:49:37 GMT", -1 }, { "Sun, 06 Foo 1994 08:49:37 GMT", -1 },
    { "Sun, 06 Nov 199 08:49:37 GMT", -1 }, { "Sun, 06 Nov 19945 08:49:37 GMT", -1 },
    { "Sun, 06 Nov  08:49:37 GMT", -1 }, { "Sun, 06 Nov 1994 1995 08:49:37 GMT", -1 },
    { "Sun, 06 Nov Dec 1994 08:49:37 GMT", -1 }, { "Sun, 06 Nov 1994 08:49:37 08:49:37 GMT", -1 },
    { "Sun, 06 Nov 1994 08:49:37:00 GMT", -1 }, { "Sun, 06 Nov 1994 +8:49:37 GMT", -1 },
};

static void test_dates(void) {
    size_t i;
    int64_t t;
    for (i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        t = -1;
        CHECK_INT(tel__net_date_parse(tel__text_of(dates[i].text), NOW, &t), dates[i].unix_s >= 0);
        CHECK_INT(t, dates[i].unix_s);
    }
    CHECK(!tel__net_date_parse(tel__net_slice("Sun, 06 Nov 1994 08:49:37 GMT\0", 30), NOW, &t));
#define RETRY(text) tel__net_retry_after(tel__text_of(text), NOW)
    CHECK(RETRY("0") == 0);
    CHECK(RETRY("7") == 7000);
    CHECK(RETRY("86400") == 86400000u);
    CHECK(RETRY("86401") == 86400000u);
    CHECK(RETRY("1000000000000") == 86400000u);
    CHECK(RETRY("99999999999999999999999999") == 86400000u);
    CHECK(RETRY("Tue, 14 Nov 2023 22:13:30 GMT") == 10000);
    CHECK(RETRY("Tue, 14 Nov 2023 22:13:20 GMT") == 0);
    CHECK(RETRY("Tue, 14 Nov 2023 22:13:10 GMT") == 0);
    CHECK(RETRY("Mon, 01 Jan 1900 00:00:00 GMT") == 0);
    CHECK(RETRY("Fri, 31 Dec 9999 23:59:59 GMT") == 86400000u);
    CHECK(RETRY("-5") == UINT64_MAX);
    CHECK(RETRY("5s") == UINT64_MAX);
    CHECK(RETRY("1.5") == UINT64_MAX);
    CHECK(RETRY("") == UINT64_MAX);
    CHECK(RETRY("soon") == UINT64_MAX);
}

/* ---- responses -------------------------------------------------------------------------------------- */

typedef struct answer_case {
    const char* text;
    int         result, status;         /* result as when the peer closes after these bytes */
    const char* body;
    int         keep_alive;
    long long   retry_ms;               /* -1: none */
} answer_case;

#define CL(n) "Content-Length: " n "\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static const answer_case answers[] = {
    { "HTTP/1.1 200 OK\r\n" CL("2") "\r\n{}", 0, 200, "{}", 1, -1 },
    { "HTTP/1.1 200 OK\n" "content-length:2\n\n{}", 0, 200, "{}", 1, -1 },
    { "HTTP/1.1 200\r\n" CL("0") "\r\n", 0, 200, "", 1, -1 },
    { "HTTP/1.1 200 \r\n" CL("0") "\r\n", 0, 200, "", 1, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("2") "Connection: close\r\n\r\n{}", 0, 200, "{}", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("2") "Connection: foo , Close\r\n\r\n{}", 0, 200, "{}", 0, -1 },
    { "HTTP/1.0 200 OK\r\n" CL("2") "\r\n{}", 0, 200, "{}", 0, -1 },
    { "HTTP/1.0 200 OK\r\n" CL("2") "Connection: Keep-Alive\r\n\r\n{}", 0, 200, "{}", 0, -1 },
    { "HTTP/1.1 200 OK\r\n\r\nto the end", 0, 200, "to the end", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("2, 2") CL("2") "\r\n{}", 0, 200, "{}", 1, -1 },
    { "HTTP/1.1 204 No Content\r\n\r\n", 0, 204, "", 1, -1 },
    { "HTTP/1.1 204 No Content\r\n" CL("5") "\r\n", 0, 204, "", 1, -1 },
    { "HTTP/1.1 304 Not Modified\r\n" CL("5") "\r\n", 0, 304, "", 1, -1 },
    { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: y\r\n\r\nHTTP/1.1 202 OK\r\n" CL("0") "\r\n",
      0, 202, "", 1, -1 },
    { "HTTP/1.1 503 No\r\nRetry-After: 3\r\n" CL("4") "\r\nwait", 0, 503, "wait", 1, 3000 },
    { "HTTP/1.1 429 No\r\nRetry-After: Tue, 14 Nov 2023 22:13:30 GMT\r\n" CL("0") "\r\n", 0, 429, "", 1, 10000 },
    { "HTTP/1.1 429 No\r\nRetry-After: Tuesday, 14-Nov-23 22:13:00 GMT\r\n" CL("0") "\r\n", 0, 429, "", 1, 0 },
    { "HTTP/1.1 429 No\r\nRetry-After: later\r\n" CL("0") "\r\n", 0, 429, "", 1, -1 },
    { "HTTP/1.1 100 Continue\r\nRetry-After: 9\r\n\r\nHTTP/1.1 200 OK\r\n" CL("0") "\r\n", 0, 200, "", 1, -1 },
    { "HTTP/1.1 999 ?\r\n" CL("0") "\r\n", 0, 999, "", 1, -1 },
    { CHUNKED "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", 0, 200, "hello world", 1, -1 },
    { CHUNKED "0005 \r\nhello\r\n000\r\nTrailer: 1\r\nOther: 2\r\n\r\n", 0, 200, "hello", 1, -1 },
    { CHUNKED "A\n0123456789\nb\n0123456789a\n0\n\n", 0, 200, "01234567890123456789a", 1, -1 },
    { "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n", 0, 200, "", 0, -1 },
    /* the peer closed too early */
    { "", TEL_ERR_IO, 0, "", 0, -1 },
    { "HTTP/1.1 20", TEL_ERR_IO, 0, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n", TEL_ERR_IO, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("3") "\r\n{}", TEL_ERR_IO, 200, "{}", 1, -1 },
    { "HTTP/1.1 100 Continue\r\n\r\n", TEL_ERR_IO, 100, "", 0, -1 },
    { CHUNKED "5\r\nhel", TEL_ERR_IO, 200, "hel", 1, -1 },
    { CHUNKED "5\r\nhello\r\n", TEL_ERR_IO, 200, "hello", 1, -1 },
    { CHUNKED "5\r\nhello\r\n0\r\n", TEL_ERR_IO, 200, "hello", 1, -1 },
    /* not HTTP, or HTTP that two readers could read differently */
    { "\r\n", TEL_ERR_FORMAT, 0, "", 0, -1 },
    { "220 smtp ready\r\n", TEL_ERR_FORMAT, 0, "", 0, -1 },
    { "HTTP/2 200 OK\r\n\r\n", TEL_ERR_FORMAT, 0, "", 0, -1 },
    { "HTTP/1.2 200 OK\r\n\r\n", TEL_ERR_FORMAT, 0, "", 0, -1 },
    { "HTTP/1.1 \r\n\r\n", TEL_ERR_FORMAT, 0, "", 0, -1 },
    { "HTTP/1.1 OK\r\n\r\n", TEL_ERR_FORMAT, 0, "", 0, -1 },
    { "HTTP/1.1 20\r\n\r\n", TEL_ERR_FORMAT, 0, "", 0, -1 },
    { "HTTP/1.1 099 x\r\n\r\n", TEL_ERR_FORMAT, 0, "", 0, -1 },
    { "HTTP/1.1 -20 x\r\n\r\n", TEL_ERR_FORMAT, 0, "", 0, -1 },
    { "HTTP/1.1 2000 x\r\n\r\n", TEL_ERR_FORMAT, 0, "", 0, -1 },
    { "HTTP/1.1  200 x\r\n\r\n", TEL_ERR_FORMAT, 0, "", 0, -1 },
    { "http/1.1 200 OK\r\n\r\n", TEL_ERR_FORMAT, 0, "", 0, -1 },
    { "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n", TEL_ERR_FORMAT, 101, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("-1") "\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("+1") "\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("") "\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("2 2") "\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("0x2") "\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("18446744073709551616") "\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("2") CL("3") "\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("2, 3") "\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("2,") "\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n" CL("2") "Transfer-Encoding: chunked\r\n\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\n: no name\r\n\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { "HTTP/1.1 200 OK\r\nX: a\rY: b\r\n\r\n", TEL_ERR_FORMAT, 200, "", 0, -1 },
    { CHUNKED "\r\n", TEL_ERR_FORMAT, 200, "", 1, -1 },
    { CHUNKED "-1\r\n", TEL_ERR_FORMAT, 200, "", 1, -1 },
    { CHUNKED " 5\r\n", TEL_ERR_FORMAT, 200, "", 1, -1 },
    { CHUNKED "5 5\r\n", TEL_ERR_FORMAT, 200, "", 1, -1 },
    { CHUNKED "5g\r\n", TEL_ERR_FORMAT, 200, "", 1, -1 },
    { CHUNKED "0x5\r\n", TEL_ERR_FORMAT, 200, "", 1, -1 },
    { CHUNKED "10000000000000000\r\n", TEL_ERR_FORMAT, 200, "", 1, -1 },
    { CHUNKED "5\r\nhello!\r\n", TEL_ERR_FORMAT, 200, "hello", 1, -1 },
    { CHUNKED "0\r\nbad trailer\r\n\r\n", TEL_ERR_FORMAT, 200, "", 1, -1 },
};

static tel__client_response answer;

/* *used: the bytes taken, of which none are left unread. */
static tel_result feed(const char* data, size_t size, size_t piece, size_t* used) {
    static char room[TEL__NET_HEAD_MAX];
    static tel__client_parser p;
    tel_text in = { room, 0 };
    tel_result r = TEL_OK;
    size_t fed = 0;
    memset(&p, 0, sizeof p);
    memset(&answer, 0x77, sizeof answer);
    memset(&answer.part, 0, sizeof answer.part);
    tel__client_response_reset(&answer);
    while (r == TEL_OK && fed < size && p.state != TEL__CLIENT_DONE) {
        size_t n = size - fed < piece ? size - fed : piece;
        if (n > sizeof room - in.size) { n = sizeof room - in.size; }
        if (n == 0) { CHECK_INT(n, 1); break; }             /* there is always room for more */
        memmove(room, in.data, in.size);
        memcpy(room + in.size, data + fed, n);
        in.data = room;
        in.size += n;
        fed += n;
        r = tel__client_parser_run(&p, &in, NOW, &answer);
    }
    *used = fed - in.size;
    return r == TEL_OK ? tel__client_parser_finish(&p) : r;
}

static void test_answers(void) {
    static const size_t pieces[] = { 1, 2, 7, 100000 };
    size_t i, k, used;
    for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const answer_case* c = &answers[i];
        for (k = 0; k < 4; k++) {
            tel_result r = feed(c->text, strlen(c->text), pieces[k], &used);
            if (r != c->result) { fprintf(stderr, "     in case: %s\n", c->text); }
            CHECK_INT(r, c->result);
            CHECK_INT(answer.status, c->status);
            CHECK_STR(answer.body, c->body);
            CHECK_INT(answer.body_size, strlen(c->body));
            CHECK_INT(answer.too_large, 0);
            if (r == TEL_OK) { CHECK_INT(answer.keep_alive, c->keep_alive); }
            if (r == TEL_OK) { CHECK_INT(used, strlen(c->text)); }
            CHECK(answer.retry_after_ms == (c->retry_ms < 0 ? UINT64_MAX : (uint64_t)c->retry_ms));
        }
    }
    CHECK_INT(feed("HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", 25, 99, &used), TEL_ERR_FORMAT);
    CHECK_INT(feed("HTTP/1.1 200 O\0\r\n\r\n", 19, 99, &used), TEL_ERR_FORMAT);
    CHECK_INT(feed("HTTP/1.1 204 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 38, 99, &used), TEL_OK);
    CHECK_INT(used, 19);                                    /* what follows belongs to nobody */
}

/* head, then `unit` repeated, then tail. */
static size_t build(char* out, const char* head, const char* unit, size_t times, const char* tail) {
    size_t n = strlen(head), m = strlen(unit), i;
    memcpy(out, head, n);
    for (i = 0; i < times; i++, n += m) { memcpy(out + n, unit, m); }
    memcpy(out + n, tail, strlen(tail));
    return n + strlen(tail);
}

static void test_answer_limits(void) {
    const size_t most = TEL__CLIENT_BODY_MAX;
    char* big = (char*)malloc(most + 100000);
    char line[64];
    size_t n, used;
    if (!big) { exit(1); }
    /* head: 16 KiB in all, 100 headers, 8 interim answers */
    n = build(big, "HTTP/1.1 200 OK\r\nX: ", "x", 16000, "\r\n" CL("0") "\r\n");
    CHECK_INT(feed(big, n, 1000, &used), TEL_OK);
    n = build(big, "HTTP/1.1 200 OK\r\nX: ", "x", 17000, "\r\n" CL("0") "\r\n");
    CHECK_INT(feed(big, n, 1000, &used), TEL_ERR_FORMAT);
    n = build(big, "HTTP/1.1 200 OK\r\nX: ", "x", 1000000, "");
    CHECK_INT(feed(big, n, 1000, &used), TEL_ERR_FORMAT);
    CHECK(used <= TEL__NET_HEAD_MAX);
    n = build(big, "HTTP/1.1 200 ", "x", 1000000, "");
    CHECK_INT(feed(big, n, 1000, &used), TEL_ERR_FORMAT);
    CHECK(used <= TEL__NET_HEAD_MAX);
    n = build(big, "HTTP/1.1 200 OK\r\n", "X: y\r\n", 99, CL("0") "\r\n");
    CHECK_INT(feed(big, n, 1000, &used), TEL_OK);
    n = build(big, "HTTP/1.1 200 OK\r\n", "X: y\r\n", 100, CL("0") "\r\n");
    CHECK_INT(feed(big, n, 1000, &used), TEL_ERR_FORMAT);
    n = build(big, "", "HTTP/1.1 100 C\r\n\r\n", 8, "HTTP/1.1 200 OK\r\n" CL("0") "\r\n");
    CHECK_INT(feed(big, n, 1000, &used), TEL_OK);
    n = build(big, "", "HTTP/1.1 100 C\r\n\r\n", 9, "HTTP/1.1 200 OK\r\n" CL("0") "\r\n");
    CHECK_INT(feed(big, n, 1000, &used), TEL_ERR_FORMAT);
    /* long lines mean what they say */
    n = build(big, "HTTP/1.1 200 OK\r\nContent-Length: ", " ", 6000, "2\r\n\r\n{}");
    CHECK_INT(feed(big, n, 1000, &used), TEL_OK);
    CHECK_STR(answer.body, "{}");
    n = build(big, "HTTP/1.1 200 OK\r\nConnection: ", "x,", 600, "close\r\n" CL("0") "\r\n");
    CHECK_INT(feed(big, n, 1000, &used), TEL_OK);
    CHECK_INT(answer.keep_alive, 0);
    /* body: the first bytes are kept, 4 MiB are read, one more is too large */
    snprintf(line, sizeof line, "HTTP/1.1 200 OK\r\nContent-Length: %lu\r\n\r\n", (unsigned long)most);
    n = build(big, line, "b", most, "");
    CHECK_INT(feed(big, n, 8192, &used), TEL_OK);
    CHECK_INT(used, n);
    CHECK_INT(answer.too_large, 0);
    CHECK_INT(answer.keep_alive, 1);
    CHECK_INT(answer.body_size, sizeof answer.body - 1);
    CHECK_INT(strlen(answer.body), sizeof answer.body - 1);
    snprintf(line, sizeof line, "HTTP/1.1 200 OK\r\nContent-Length: %lu\r\n\r\n", (unsigned long)most + 1);
    CHECK_INT(feed(line, strlen(line), 8192, &used), TEL_OK);
    CHECK(answer.too_large && !answer.keep_alive && answer.status == 200);
    n = build(big, "HTTP/1.1 200 OK\r\n" CL("10000000000"), "", 0, "\r\n");
    CHECK_INT(feed(big, n, 99, &used), TEL_OK);
    CHECK(answer.too_large);
    n = build(big, "HTTP/1.1 200 OK\r\n\r\n", "b", most, "");
    CHECK_INT(feed(big, n, 8192, &used), TEL_OK);
    CHECK(!answer.too_large);
    n = build(big, "HTTP/1.1 200 OK\r\n\r\n", "b", most + 1, "");
    CHECK_INT(feed(big, n, 8192, &used), TEL_OK);
    CHECK(answer.too_large);
    /* chunks: an endless series, one that would wrap the sum, and endless lines */
    n = build(big, CHUNKED, "8\r\n01234567\r\n", 10000, "ffffffffffffffff\r\n");
    CHECK_INT(feed(big, n, 999, &used), TEL_OK);
    CHECK(answer.too_large && answer.body_size == sizeof answer.body - 1);
    n = build(big, CHUNKED "400000\r\n", "b", most, "\r\n0\r\n\r\n");
    CHECK_INT(feed(big, n, 999, &used), TEL_OK);
    CHECK(!answer.too_large && answer.keep_alive);
    n = build(big, CHUNKED "400000\r\n", "b", most, "\r\n1\r\nx\r\n0\r\n\r\n");
    CHECK_INT(feed(big, n, 999, &used), TEL_OK);
    CHECK(answer.too_large);
    n = build(big, CHUNKED "1;", "e", 100000, "");
    CHECK_INT(feed(big, n, 1, &used), TEL_ERR_FORMAT);
    CHECK(used <= TEL__NET_HEAD_MAX + 100);
    n = build(big, CHUNKED "1\r\nx", "e", 100000, "");
    CHECK_INT(feed(big, n, 1, &used), TEL_ERR_FORMAT);
    CHECK(used <= TEL__NET_HEAD_MAX + 100);
    n = build(big, CHUNKED "0\r\n", "T: x\r\n", 1000, "\r\n");
    CHECK_INT(feed(big, n, 1, &used), TEL_ERR_FORMAT);
    n = build(big, CHUNKED "0\r\nT: ", "x", 100000, "\r\n");
    CHECK_INT(feed(big, n, 1000, &used), TEL_ERR_FORMAT);
    free(big);
}

/* ---- requests --------------------------------------------------------------------------------------- */

typedef struct request_case {
    const char* text;
    int         status, keep_alive;
    const char* path;
    const char* query;
} request_case;

#define H "Host: localhost\r\n"
static const request_case requests[] = {
    { "GET /metrics HTTP/1.1\r\n" H "\r\n", 200, 1, "/metrics", "" },
    { "GET /metrics HTTP/1.1\r\n" H "Connection: Close\r\n\r\n", 200, 0, "/metrics", "" },
    { "GET / HTTP/1.0\r\n\r\n", 200, 0, "/", "" },
    { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, 0, "/", "" },
    { "HEAD /a?b=c?d HTTP/1.1\r\n" H "\r\n", 200, 1, "/a", "b=c?d" },
    { "\r\n\nGET /x HTTP/1.1\nHost:x\n\n", 200, 1, "/x", "" },
    { "GET http://h:1/p?q HTTP/1.1\r\n" H "\r\n", 400, 0, "", "" },
    { "GET HTTP://h HTTP/1.1\r\n" H "\r\n", 400, 0, "", "" },
    { "GET /../..//%00 HTTP/1.1\r\n" H "\r\n", 200, 1, "/../..//%00", "" },
    { "GET / HTTP/1.1\r\n" H CL("0") "\r\n", 200, 1, "/", "" },
    { "GET / HTTP/1.9\r\n" H "\r\n", 200, 1, "/", "" },
    { "", 0, 0, "", "" },
    { "\r\n\r\n", 0, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H, 0, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H "\r", 0, 0, "", "" },
    { "GET /\r\n\r\n", 400, 0, "", "" },
    { "GET / HTTP/1.1\r\n\r\n", 400, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H H "\r\n", 400, 0, "", "" },
    { "GET / HTTP/2.0\r\n" H "\r\n", 400, 0, "", "" },
    { "GET / HTTP/1.x\r\n" H "\r\n", 400, 0, "", "" },
    { "GET / http/1.1\r\n" H "\r\n", 400, 0, "", "" },
    { "GET / XTTP/1.1\r\n" H "\r\n", 400, 0, "", "" },
    { "GET  / HTTP/1.1\r\n" H "\r\n", 400, 0, "", "" },
    { "GET / / HTTP/1.1\r\n" H "\r\n", 400, 0, "", "" },
    { " GET / HTTP/1.1\r\n" H "\r\n", 400, 0, "", "" },
    { "GET /\x01 HTTP/1.1\r\n" H "\r\n", 400, 0, "", "" },
    { "GET /\xff HTTP/1.1\r\n" H "\r\n", 400, 0, "", "" },
    { "GET metrics HTTP/1.1\r\n" H "\r\n", 400, 0, "", "" },
    { "GET * HTTP/1.1\r\n" H "\r\n", 400, 0, "", "" },
    { "G(T / HTTP/1.1\r\n" H "\r\n", 400, 0, "", "" },
    { "\x16\x03\x01\x02\n\n", 400, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H "A b: c\r\n\r\n", 400, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H "A : c\r\n\r\n", 400, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", 400, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H "A: b\rC: d\r\n\r\n", 400, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H "nothing\r\n\r\n", 400, 0, "", "" },
    { "get / HTTP/1.1\r\n" H "\r\n", 405, 0, "", "" },
    { "POST / HTTP/1.1\r\n" H CL("3") "\r\nabc", 405, 0, "", "" },
    { "OPTIONS * HTTP/1.1\r\n" H "\r\n", 405, 0, "", "" },
    { "CONNECT a:1 HTTP/1.1\r\n" H "\r\n", 405, 0, "", "" },
    { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H CL("3") "\r\nabc", 413, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H CL("99999999999999999999") "\r\n", 400, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H CL("-3") "\r\n", 400, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H CL("0") CL("3") "\r\n", 400, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 411, 0, "", "" },
    { "GET / HTTP/1.1\r\n" H CL("0") "Transfer-Encoding: chunked\r\n\r\n", 400, 0, "", "" },
    { "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, 0, "", "" },
};

static bool same(tel_text a, const char* b) { return tel__text_equal(a, tel__text_of(b)); }

static void test_requests(void) {
    static char big[20000];
    tel__server_request r;
    size_t i, used, n;
    bool keep;
    const char* scrape = "GET /metrics HTTP/1.1\r\nHost: x\r\naccept: a/b;q=1, c/d\r\nACCEPT-ENCODING:gzip\r\n"
                         "X-Prometheus-Scrape-Timeout-Seconds:\t7.5 \r\n\r\nGET /next";
    for (i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const request_case* c = &requests[i];
        int status = tel__server_request_parse(tel__text_of(c->text), false, &r, &keep, &used);
        if (status != c->status) { fprintf(stderr, "     in case: %s\n", c->text); }
        CHECK_INT(status, c->status);
        CHECK_INT(keep, c->keep_alive);
        if (status == 200) { CHECK(same(r.path, c->path) && same(r.query, c->query)); }
        if (status == 200) { CHECK_INT(used, strlen(c->text)); }
    }
    CHECK_INT(tel__server_request_parse(tel__text_of(scrape), false, &r, &keep, &used), 200);
    CHECK(!r.head && same(r.accept_encoding, "gzip"));
    CHECK_INT(used, strlen(scrape) - 9);
    n = build(big, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", 0, "");
    big[22] = 0;
    CHECK_INT(tel__server_request_parse(tel__net_slice(big, n), false, &r, &keep, &used), 400);
    n = build(big, "GET /", "a", 4000, " HTTP/1.1\r\n" H "\r\n");
    CHECK_INT(tel__server_request_parse(tel__net_slice(big, n), false, &r, &keep, &used), 200);
    n = build(big, "GET /", "a", 5000, " HTTP/1.1\r\n" H "\r\n");
    CHECK_INT(tel__server_request_parse(tel__net_slice(big, n), false, &r, &keep, &used), 414);
    build(big, "GET /", "a", 10000, "");
    CHECK_INT(tel__server_request_parse(tel__net_slice(big, TEL__NET_REQUEST_MAX - 1), false, &r, &keep, &used), 0);
    CHECK_INT(tel__server_request_parse(tel__net_slice(big, TEL__NET_REQUEST_MAX), false, &r, &keep, &used), 414);
    build(big, "GET / HTTP/1.1\r\nHost: x\r\nA: ", "a", 10000, "");
    CHECK_INT(tel__server_request_parse(tel__net_slice(big, TEL__NET_REQUEST_MAX - 1), false, &r, &keep, &used), 0);
    CHECK_INT(tel__server_request_parse(tel__net_slice(big, TEL__NET_REQUEST_MAX), false, &r, &keep, &used), 431);
    n = build(big, "GET / HTTP/1.1\r\n" H, "a:\r\n", 99, "\r\n");
    CHECK_INT(tel__server_request_parse(tel__net_slice(big, n), false, &r, &keep, &used), 200);
    n = build(big, "GET / HTTP/1.1\r\n" H, "a:\r\n", 100, "\r\n");
    CHECK_INT(tel__server_request_parse(tel__net_slice(big, n), false, &r, &keep, &used), 431);
}

/* ---- plain sockets for both sides -------------------------------------------------------------------- */

/* Has a port, any one when *port is 0, on the loopback of one family alone, and refuses connections until it listens. */
static int plain_bind(int family, uint16_t* port) {
    tel__net_address a;
    int on = 1, fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0 || tel__net_known(family == AF_INET ? "127.0.0.1" : "::1", *port, &a, 1) != 1) { return -1; }
    if (family == AF_INET6) { setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on); }
    if (bind(fd, (struct sockaddr*)(void*)&a.where, a.size) != 0
        || getsockname(fd, (struct sockaddr*)(void*)&a.where, &a.size) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(((struct sockaddr_in*)(void*)&a.where)->sin_port);
    return fd;
}

static int plain_listen(int family, int backlog, uint16_t* port) {
    int fd;
    *port = 0;
    fd = plain_bind(family, port);
    if (fd >= 0 && listen(fd, backlog) != 0) { close(fd); return -1; }
    return fd;
}

static int plain_connect_sized(uint16_t port, int buffer) {
    struct sockaddr_in a;
    struct timeval limit;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (buffer) { setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer); }
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    limit.tv_sec = 60;                                      /* a test that hangs should end as a failure */
    limit.tv_usec = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr*)(void*)&a, sizeof a) != 0) { close(fd); return -1; }
    return fd;
}

static int plain_connect(uint16_t port) { return plain_connect_sized(port, 0); }

static void say(int fd, const void* data, size_t size) {
    const char* p = (const char*)data;
    while (size > 0) {
        ssize_t n = send(fd, p, size, MSG_NOSIGNAL);
        if (n <= 0) { return; }
        p += n;
        size -= (size_t)n;
    }
}
static void says(int fd, const char* text) { say(fd, text, strlen(text)); }

static void reset(int fd) {
    struct linger now;
    now.l_onoff = 1;
    now.l_linger = 0;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* Reads until the end or until `want` has been seen; how many bytes. out is NUL-terminated. */
static size_t hear(int fd, char* out, size_t capacity, const char* want) {
    size_t size = 0;
    out[0] = 0;
    while (size + 1 < capacity && !(want && strstr(out, want))) {
        ssize_t n = recv(fd, out + size, capacity - 1 - size, 0);
        if (n <= 0) { break; }
        size += (size_t)n;
        out[size] = 0;
    }
    return size;
}

/* ---- the client ------------------------------------------------------------------------------------- */

enum { REPLY, REPLY_AND_CLOSE, REPLY_THEN_CLOSE_ON_REUSE, CLOSE_AT_ONCE, RESET_AT_ONCE, RESET_IN_HEAD,
       REPLY_RAW, RESET_AFTER_BODY, CLOSE_AFTER_REQUEST, SILENCE, REFUSE_EARLY, DRIP, ENDLESS };

typedef struct server {
    int       fd, mode;
    uint16_t  port;
    pthread_t thread;
    const char* reply;
    size_t    reply_size;                   /* REPLY_RAW */
    int       connections, requests;        /* atomics */
    char      last[4096];                   /* head of the last request; read after stop */
    size_t    body;                         /* bytes of its body */
    int       stop;
} server;

/* One request with its body; false when the peer is gone. */
static bool server_request(server* s, int fd) {
    size_t body = 0, size = 0;
    char* end = NULL;
    char buffer[4096];
    while (!end) {
        ssize_t n = recv(fd, buffer + size, sizeof buffer - 1 - size, 0);
        if (n <= 0) { return false; }
        size += (size_t)n;
        buffer[size] = 0;
        end = strstr(buffer, "\r\n\r\n");
    }
    memcpy(s->last, buffer, size + 1);
    s->last[end - buffer + 4] = 0;
    end = strstr(buffer, "Content-Length: ");
    if (end) { body = (size_t)strtoul(end + 16, NULL, 10); }
    s->body = body;
    size -= strlen(s->last);
    while (size < body) {
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) { return false; }
        size += (size_t)n;
    }
    __atomic_add_fetch(&s->requests, 1, __ATOMIC_SEQ_CST);
    return true;
}

static void server_drain(int fd) {
    char buffer[4096];
    while (recv(fd, buffer, sizeof buffer, 0) > 0) { }
}

static void server_talk(server* s, int fd, int number) {
    char buffer[256];
    size_t i;
    switch (s->mode) {
    case CLOSE_AT_ONCE: return;
    case SILENCE: server_drain(fd); return;
    case REFUSE_EARLY:                                      /* reads a little, answers, then drains the rest */
        if (recv(fd, buffer, sizeof buffer, 0) > 0) { says(fd, s->reply); }
        shutdown(fd, SHUT_WR);
        server_drain(fd);
        return;
    case ENDLESS:
        if (!server_request(s, fd)) { return; }
        says(fd, CHUNKED);
        while (send(fd, "4\r\nabcd\r\n", 9, MSG_NOSIGNAL) > 0) { }
        return;
    default: break;
    }
    while (server_request(s, fd)) {
        if (s->mode == CLOSE_AFTER_REQUEST) { return; }
        if (s->mode == REPLY_RAW) { say(fd, s->reply, s->reply_size); return; }
        if (s->mode == REPLY_THEN_CLOSE_ON_REUSE && number == 0 && s->requests > 1) { return; }
        if (s->mode == DRIP) {
            for (i = 0; s->reply[i]; i++) { say(fd, s->reply + i, 1); }
        } else {
            says(fd, s->reply);
        }
        if (s->mode == REPLY_AND_CLOSE) { return; }
    }
}

static void* server_main(void* arg) {
    server* s = (server*)arg;
    for (;;) {
        int number, on = 1, fd = accept(s->fd, NULL, NULL);
        if (fd < 0) { return NULL; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (__atomic_load_n(&s->stop, __ATOMIC_SEQ_CST)) { close(fd); return NULL; }
        number = __atomic_fetch_add(&s->connections, 1, __ATOMIC_SEQ_CST);
        if (s->mode == RESET_AT_ONCE) { reset(fd); continue; }
        if (s->mode == RESET_IN_HEAD) {
            if (recv(fd, s->last, 1, 0) > 0) { says(fd, "HTTP/1.1 200 OK\r\nX"); }
            reset(fd);
            continue;
        }
        if (s->mode == RESET_AFTER_BODY) { server_request(s, fd); reset(fd); continue; }
        server_talk(s, fd, number);
        close(fd);
    }
}

static void server_start(server* s, int mode, const char* reply) {
    memset(s, 0, sizeof *s);
    s->mode = mode;
    s->reply = reply;
    s->fd = plain_listen(AF_INET, 16, &s->port);
    if (s->fd < 0 || pthread_create(&s->thread, NULL, server_main, s) != 0) { perror("server"); exit(1); }
}

static void server_stop(server* s) {
    int fd;
    __atomic_store_n(&s->stop, 1, __ATOMIC_SEQ_CST);
    fd = plain_connect(s->port);
    pthread_join(s->thread, NULL);
    close(fd);
    close(s->fd);
}

static tel__client client;
static tel__resolver names;
static tel__atomic_u32 rung;
static char payload[3000000];

static void ring(void* user_data) { (void)user_data; tel__atomic_add_u32(&rung, 1); }

/* Drives one request while its phase is at most `last`; false: *stop was set meanwhile. */
static bool drive(tel__client* c, int last, const tel__atomic_u32* stop) {
    bool ready = false;
    while (!tel__client_step(c, ready) && c->phase <= last) {
        uint64_t until = tel__clock_deadline(20);
        int events = tel__client_events(c, &until);
        struct pollfd item;
        size_t count = 0;
        if (stop && tel__atomic_load_u32(stop)) { return false; }
        if (events) { tel__net_poll_add(&item, &count, c->socket, events); }
        ready = tel__net_socket_poll(&item, count, (int)tel__clock_left_ms(until)) > 0;
    }
    return true;
}

/* POSTs and waits for the whole answer, which is copied. */
static tel_result client_post(tel__client* c, const tel__net_url* u, tel_text headers, const void* body, size_t size,
                              uint64_t deadline, const tel__atomic_u32* stop, tel__client_response* out) {
    tel__client_begin(c, &names, u, headers, tel__net_slice((const char*)body, size), deadline);
    if (!drive(c, TEL__CLIENT_TALKING, stop)) {
        tel__client_close(c);
        return TEL_ERR_TIMEOUT;
    }
    *out = c->answer;
    return c->result;
}

static tel__net_url url_to(const char* host, uint16_t port) {
    char text[128];
    tel__net_url u;
    snprintf(text, sizeof text, "http://%s:%u/v1/traces", host, (unsigned)port);
    CHECK_INT(tel__net_url_parse(tel__text_of(text), &u), TEL_OK);
    return u;
}

#define HEADERS "User-Agent: test/1\r\nContent-Type: application/json\r\n"

static tel_result post(const server* s, size_t size, uint64_t deadline) {
    tel__net_url u = url_to("127.0.0.1", s->port);
    memset(&answer, 0x77, sizeof answer);
    memset(&answer.part, 0, sizeof answer.part);
    return client_post(&client, &u, tel__text_of(HEADERS), payload, size, deadline, NULL, &answer);
}

static const char* const ok_reply = "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n{}";

static void test_client_reuse(void) {
    server s;
    char want[512];
    int i;
    server_start(&s, REPLY, ok_reply);
    for (i = 0; i < 5; i++) {
        CHECK_INT(post(&s, i == 4 ? sizeof payload : (size_t)i * 1000, AFTER(60)), TEL_OK);
        CHECK_INT(answer.status, 200);
        CHECK_STR(answer.body, "{}");
        CHECK(answer.keep_alive && client.open);
    }
    CHECK((fcntl(client.socket, F_GETFD) & FD_CLOEXEC) != 0);
    tel__client_close(&client);
    tel__client_close(&client);
    server_stop(&s);
    CHECK_INT(s.connections, 1);
    CHECK_INT(s.requests, 5);
    CHECK_INT(s.body, sizeof payload);
    snprintf(want, sizeof want,
             "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: %lu\r\n" HEADERS "\r\n",
             (unsigned)s.port, (unsigned long)sizeof payload);
    CHECK_STR(s.last, want);
    s.port = 0;
    s.fd = plain_bind(AF_INET, &s.port);
    CHECK_INT(post(&s, 10, AFTER(60)), TEL_ERR_IO);         /* nobody listens there, nor can anybody else */
    CHECK_INT(answer.status, 0);
    CHECK(!client.open);
    close(s.fd);
}

/* mode, reply, payload -> result, status (-1: any); how many connections and requests two posts take. */
static void client_case(int mode, const char* reply, size_t size, tel_result want, int status, int connections,
                        int requests_seen) {
    server s;
    int i;
    server_start(&s, mode, reply);
    for (i = 0; i < 2; i++) {
        CHECK_INT(post(&s, size, AFTER(60)), want);
        if (status >= 0) { CHECK_INT(answer.status, status); }
    }
    tel__client_close(&client);
    server_stop(&s);
    if (connections >= 0) { CHECK_INT(s.connections, connections); }
    if (requests_seen >= 0) { CHECK_INT(s.requests, requests_seen); }
}

static void test_client_servers(void) {
    client_case(REPLY, "HTTP/1.1 204 No Content\r\n\r\n", 10, TEL_OK, 204, 1, 2);
    client_case(REPLY, "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", 10,
                TEL_OK, 503, 1, 2);
    client_case(REPLY, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", 10, TEL_OK, 200, 2, 2);
    client_case(REPLY_AND_CLOSE, "HTTP/1.0 200 OK\r\n\r\n{}", 10, TEL_OK, 200, 2, 2);
    client_case(REPLY_AND_CLOSE, ok_reply, 10, TEL_OK, 200, 2, 2);      /* promised to stay and did not */
    client_case(DRIP, ok_reply, 10, TEL_OK, 200, 1, 2);
    client_case(REPLY, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n", 10, TEL_OK, 200, 2, 2);
    client_case(REPLY, "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", 10, TEL_OK, 200, 2, 2);
    client_case(ENDLESS, NULL, 10, TEL_OK, 200, 2, 2);
    CHECK(answer.too_large);
    client_case(REPLY, "220 mail ready\r\n", 10, TEL_ERR_FORMAT, 0, 2, 2);
    client_case(REPLY_AND_CLOSE, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", 10, TEL_ERR_IO, 200, 2, 2);
    client_case(CLOSE_AFTER_REQUEST, NULL, 10, TEL_ERR_IO, 0, 2, 2);
    client_case(CLOSE_AT_ONCE, NULL, 10, TEL_ERR_IO, 0, 2, 0);
    client_case(CLOSE_AT_ONCE, NULL, sizeof payload, TEL_ERR_IO, 0, 2, 0);
    client_case(RESET_AT_ONCE, NULL, sizeof payload, TEL_ERR_IO, 0, 2, 0);
    client_case(RESET_IN_HEAD, NULL, 10, TEL_ERR_IO, -1, 2, 0);
    client_case(RESET_AFTER_BODY, NULL, 10, TEL_ERR_IO, 0, 2, 2);
    client_case(REFUSE_EARLY, "HTTP/1.1 413 No\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig", sizeof payload,
                TEL_OK, 413, 2, 0);
    CHECK_STR(answer.body, "big");
    client_case(REFUSE_EARLY, "HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig", sizeof payload, TEL_OK, 413, 2, 0);
    client_case(REFUSE_EARLY, "HTTP/1.1 413 No\r\n\r\nbig", sizeof payload, TEL_OK, 413, 2, 0);
}

/* Closing a kept connection in the moment of its reuse costs one more connection and no error. */
static void test_client_stale(void) {
    server s;
    tel__net_url other;
    server_start(&s, REPLY_THEN_CLOSE_ON_REUSE, ok_reply);
    CHECK_INT(post(&s, 10, AFTER(60)), TEL_OK);
    CHECK_INT(post(&s, 10, AFTER(60)), TEL_OK);
    other = url_to("localhost", s.port);                    /* another host name is another connection */
    CHECK_INT(client_post(&client, &other, tel__text_of(""), "", 0, AFTER(60), NULL, &answer), TEL_OK);
    tel__client_close(&client);
    server_stop(&s);
    CHECK_INT(s.connections, 3);
    CHECK_INT(s.requests, 4);
}

static tel__atomic_u32 stop_flag;
static void* stop_main(void* arg) {
    (void)arg;
    tel__thread_sleep_ns(100000000u);
    tel__atomic_store_u32(&stop_flag, 1);
    return NULL;
}

static void test_client_limits(void) {
    server s;
    tel__net_url u, tls;
    pthread_t t;
    static const char* const bad[] = { "\r\n", "A: b", "A: b\n", "A: b\r\n\r\n", "A: b\r\nC\r\n", "A : b\r\n",
                                       "A: b\rC: d\r\n" };
    size_t i;
    server_start(&s, SILENCE, NULL);
    u = url_to("127.0.0.1", s.port);
    CHECK_INT(post(&s, 10, tel__clock_mono_ns() + 100000000u), TEL_ERR_TIMEOUT);
    CHECK(!client.open && answer.status == 0);
    CHECK_INT(post(&s, 10, 0), TEL_ERR_TIMEOUT);
    /* an hour is left, but stop is set meanwhile */
    CHECK_INT(pthread_create(&t, NULL, stop_main, NULL), 0);
    CHECK_INT(client_post(&client, &u, tel__text_of(""), payload, sizeof payload, AFTER(3600), &stop_flag, &answer),
              TEL_ERR_TIMEOUT);
    pthread_join(t, NULL);
    CHECK_INT(client_post(&client, &u, tel__text_of(""), payload, 1, AFTER(3600), &stop_flag, &answer),
              TEL_ERR_TIMEOUT);
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_INT(client_post(&client, &u, tel__text_of(bad[i]), "", 0, AFTER(60), NULL, &answer),
                  TEL_ERR_ARGUMENT);
    }
    CHECK_INT(tel__net_url_parse(tel__text_of("https://localhost/"), &tls), TEL_OK);
    CHECK_INT(client_post(&client, &tls, tel__text_of(""), "", 0, AFTER(60), NULL, &answer), TEL_ERR_ARGUMENT);
    server_stop(&s);
    u = url_to("no-such-host.invalid", 80);
    CHECK_INT(client_post(&client, &u, tel__text_of(""), "", 0, AFTER(60), NULL, &answer), TEL_ERR_IO);
}

/* A listening socket whose queue is full and that accepts nobody: the peer that never answers a SYN. */
static int hole, hole_filling[4];

static uint16_t hole_open(void) {
    uint16_t port = 0;
    tel__net_address a;
    struct pollfd full;
    size_t i;
    hole = plain_listen(AF_INET, 0, &port);
    for (i = 0; i < 4; i++) {
        hole_filling[i] = tel__net_socket_prepare(socket(AF_INET, SOCK_STREAM, 0));
        tel__net_known("127.0.0.1", port, &a, 1);
        (void)!connect(hole_filling[i], (struct sockaddr*)(void*)&a.where, a.size);
    }
    full.fd = hole;
    full.events = POLLIN;
    CHECK_INT(poll(&full, 1, 60000), 1);                    /* one has come in, and more it does not hold */
    return port;
}

static void hole_close(void) {
    size_t i;
    for (i = 0; i < 4; i++) { close(hole_filling[i]); }
    close(hole);
}

/* Until it is connected; so far nothing was said. */
static void connect_to(const tel__net_url* u, uint64_t deadline) {
    tel__client_begin(&client, &names, u, tel__text_of(""), tel__text_of(""), deadline);
    (void)drive(&client, TEL__CLIENT_CONNECTING, NULL);
}

static void test_client_black_hole(void) {
    tel__net_url u = url_to("127.0.0.1", hole_open());
    int fd;
    connect_to(&u, tel__clock_mono_ns() + 300000000u);
    CHECK_INT(client.phase, TEL__CLIENT_IDLE);
    CHECK_INT(client.result, TEL_ERR_TIMEOUT);
    CHECK_STR(client.reason, "no answer to the connection");
    CHECK(!client.reached && !client.open);
    /* the first address is the hole, the second one lives: it is reached, and remembered */
    fd = plain_bind(AF_INET6, &u.port);
    if (fd >= 0 && listen(fd, 4) == 0) {
        u = url_to("localhost", u.port);
        connect_to(&u, AFTER(60));
        CHECK_INT(client.phase, TEL__CLIENT_TALKING);
        CHECK(client.reached);
        CHECK_INT(client.last, 1);
        tel__client_close(&client);
        client.last = 0;
    }
    if (fd >= 0) { close(fd); }
    hole_close();
}

static void connect_from(uint16_t port, size_t last, size_t now) {
    tel__net_url u = url_to("localhost", port);
    client.last = last;
    connect_to(&u, AFTER(60));
    CHECK_INT(client.phase, TEL__CLIENT_TALKING);
    CHECK_INT(client.last, now);
    tel__client_forget(&client);
}

/* What the other end is when it does not speak HTTP: said, not only that it failed. */
static void test_client_strangers(void) {
    server s;
    server_start(&s, REPLY_RAW, "\0\0\6\4\0\0\0\0\0\0\5\0\0\100\0");
    s.reply_size = 15;
    CHECK(post(&s, 10, AFTER(60)) != TEL_OK);
    CHECK(client.reason && strstr(client.reason, "HTTP/2") && strstr(client.reason, "4318"));
    server_stop(&s);
    server_start(&s, REPLY_RAW, "\25\3\1\0\2\2\106");
    s.reply_size = 7;
    CHECK(post(&s, 10, AFTER(60)) != TEL_OK);
    CHECK(client.reason && strstr(client.reason, "https"));
    server_stop(&s);
    s.port = 0;
    s.fd = plain_bind(AF_INET, &s.port);
    CHECK_INT(post(&s, 10, AFTER(60)), TEL_ERR_IO);
    CHECK_STR(client.reason, "connection refused");
    close(s.fd);
}

/* ---- the resolver: asked for a name, it never waits ---- */

static void test_resolver(void) {
    tel__net_address list[TEL__NET_ADDRESSES];
    size_t count = 0;
    int error = 0, i;
    tel_result r;
    uint32_t before = tel__atomic_load_u32(&rung);
    CHECK_INT(tel__resolver_ask(&names, "127.0.0.1", list, &count, &error), TEL_OK);
    CHECK_INT(count, 1);
    CHECK_INT(tel__resolver_ask(&names, "LocalHost", list, &count, &error), TEL_OK);
    CHECK_INT(count, 2);
    CHECK(!names.threads);                                  /* addresses need no thread */
    r = tel__resolver_ask(&names, "other-host.invalid", list, &count, &error);
    CHECK_INT(r, TEL_ERR_TIMEOUT);
    for (i = 0; i < 60000 && tel__atomic_load_acquire_u32(&rung) == before; i++) { tel__thread_sleep_ns(1000000u); }
    r = tel__resolver_ask(&names, "other-host.invalid", list, &count, &error);
    CHECK_INT(r, TEL_ERR_IO);
    CHECK(error != 0 && tel__net_resolver_reason(error)[0]);
    CHECK(names.names[0].host[0] != 0);
    /* an old answer serves while a new one is asked for */
    tel__thread_mutex_lock(&names.mutex);
    for (i = 0; strcmp(names.names[i].host, "other-host.invalid") != 0; i++) { }
    CHECK_INT(tel__net_known("127.0.0.1", 0, names.names[i].list, 1), 1);
    names.names[i].count = 1;
    names.names[i].until = tel__clock_deadline(60000);
    tel__thread_mutex_unlock(&names.mutex);
    CHECK_INT(tel__resolver_ask(&names, "other-host.invalid", list, &count, &error), TEL_OK);
    CHECK(count == 1 && !names.names[i].asked);
    tel__resolver_doubt(&names, "other-host.invalid");
    CHECK_INT(tel__resolver_ask(&names, "other-host.invalid", list, &count, &error), TEL_OK);
    CHECK_INT(count, 1);
}

/* The same port of both families, so that nobody else listens at either; false: no IPv6 here. */
static bool plain_bind_both(int* four, int* six, uint16_t* port) {
    int tries;
    for (tries = 0; tries < 100; tries++) {
        *port = 0;
        *six = plain_bind(AF_INET6, port);
        if (*six < 0) { return false; }
        *four = plain_bind(AF_INET, port);
        if (*four >= 0) { return true; }
        close(*six);
    }
    CHECK(tries < 100);
    return false;
}

/* "localhost" is both loopback addresses: whichever has a listener is found. */
static void test_client_addresses(void) {
    tel__net_address list[TEL__NET_ADDRESSES];
    uint16_t port = 0;
    int four, six;
    CHECK_INT(tel__net_known("127.0.0.1", 1, list, TEL__NET_ADDRESSES), 1);
    CHECK_INT(tel__net_known("::1", 1, list, TEL__NET_ADDRESSES), 1);
    CHECK_INT(list[0].where.ss_family, AF_INET6);
    CHECK_INT(tel__net_known("LOCALHOST", 1, list, TEL__NET_ADDRESSES), 2);
    CHECK_INT(list[0].where.ss_family, AF_INET);
    CHECK_INT(list[1].where.ss_family, AF_INET6);
    if (!plain_bind_both(&four, &six, &port)) { return; }
    CHECK_INT(listen(six, 4), 0);
    connect_from(port, 0, 1);
    /* both live: the first one, unless the other one answered last time */
    CHECK_INT(listen(four, 4), 0);
    connect_from(port, 0, 0);
    connect_from(port, 1, 1);
    connect_from(port, 1001, 1);                              /* whatever the resolver gave last time */
    close(six);
    close(four);
    client.last = 0;
}

/* Writing to a peer that is gone is an error and no signal: SIGPIPE would end this program. */
static void test_no_sigpipe(void) {
    int ends[2];
    tel_text piece = tel__text_of("x");
    size_t left;
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    tel__net_socket_prepare(ends[1]);
    close(ends[0]);
    CHECK(!tel__net_socket_send(ends[1], &piece, 1, &left));
    close(ends[1]);
}

/* ---- the listener ----------------------------------------------------------------------------------- */

static char* huge;
#define HUGE_SIZE ((size_t)12 * 1024 * 1024)        /* more than two sockets hold, see peer_that_never_reads */

static int handled;                                         /* atomic */

static int handlings;                                       /* calls of the handler, atomic */
static tel__server_listener* listener;

/* A page with this text, once or five times. */
static tel__server_page* page_of(const char* data, size_t size, int times) {
    tel__server_page* page = tel__server_page_make(&memory);
    if (!page) { return NULL; }
    while (times-- > 0) { tel__text_put(&page->text, data, size); }
    return page;
}

static void answer_one(const tel__server_request* r, tel__server_reply* reply, const tel__server_reply* before) {
    if (same(r->path, "/huge")) {
        if (before && before->page) {                       /* asked for at the same time */
            reply->page = before->page;
            reply->page->refs++;
        } else if (tel__server_page_room(listener, HUGE_SIZE)) {
            reply->page = page_of(huge, HUGE_SIZE, 1);
        } else {
            reply->status = 503;
            reply->text = tel__text_of("full");
        }
    } else if (same(r->path, "/over")) {
        reply->page = page_of(huge, HUGE_SIZE, 5);
    } else if (same(r->path, "/head")) {
        reply->content_type = huge;                         /* longer than any head may be */
    } else if (same(r->path, "/")) {
        reply->extra_headers = "Vary: Accept\r\n";
        reply->page = page_of("hello ", 6, 1);
        if (reply->page) { tel__text_put(&reply->page->text, r->query.data, r->query.size); }
    } else {
        reply->status = 404;
        reply->content_type = "text/html";
        reply->text = tel__text_of("no");
    }
}

static void handler(const tel__server_request* asked, tel__server_reply* replies, size_t count, void* user_data) {
    size_t i;
    __atomic_add_fetch(&handlings, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch((int*)user_data, (int)count, __ATOMIC_SEQ_CST);
    for (i = 0; i < count; i++) { answer_one(&asked[i], &replies[i], i ? &replies[i - 1] : NULL); }
}

static size_t budget = SIZE_MAX;

static tel_result listen_at(const char* host, uint16_t port, bool no_thread, tel__server_listener** out, int* error) {
    tel__net_address list[TEL__NET_ADDRESSES];
    tel__server_desc d;
    memset(&d, 0, sizeof d);
    d.host = host;
    d.list = list;
    d.count = tel__net_known(host, 0, list, TEL__NET_ADDRESSES);
    d.port = port;
    d.no_thread = no_thread;
    d.budget = budget;
    d.handler = handler;
    d.user_data = &handled;
    return tel__server_listen(&memory, &d, out, error);
}

static char heard[65536];

static void listener_start(void) {
    int error;
    CHECK_INT(listen_at("127.0.0.1", 0, false, &listener, &error), TEL_OK);
    if (!listener) { exit(1); }
}
static void listener_stop(void) {
    tel__server_listener_close(listener);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
}

/* Sends, reads to the end of the connection; the status, and the whole answer in `heard`. It checks
   nothing itself, since some tests ask until they are answered, and each run is to count the same checks. */
static int ask_raw(const char* data, size_t size) {
    int fd = plain_connect(tel__server_listener_port(listener));
    if (fd < 0) { return -1; }
    say(fd, data, size);
    hear(fd, heard, sizeof heard, NULL);
    close(fd);
    return strncmp(heard, "HTTP/1.1 ", 9) == 0 ? atoi(heard + 9) : 0;
}
static int ask(const char* text) { return ask_raw(text, strlen(text)); }

static size_t count_of(const char* text, const char* part) {
    size_t n = 0;
    for (text = strstr(text, part); text; text = strstr(text + 1, part)) { n++; }
    return n;
}

static void test_listener_answers(void) {
    static char big[20000];
    size_t n;
    int fd;
    handled = 0;
    listener_start();
    CHECK_INT(ask("GET /?you HTTP/1.0\r\n\r\n"), 200);
    CHECK_INT(__atomic_load_n(&handled, __ATOMIC_SEQ_CST), 1);
    CHECK_STR(heard, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "X-Content-Type-Options: nosniff\r\nContent-Length: 9\r\nConnection: close\r\n"
                     "Vary: Accept\r\n\r\nhello you");
    CHECK_INT(ask("HEAD /?you HTTP/1.0\r\n\r\n"), 200);
    CHECK(strstr(heard, "Content-Length: 9\r\n") && strcmp(heard + strlen(heard) - 4, "\r\n\r\n") == 0);
    CHECK_INT(ask("GET /none HTTP/1.1\r\n" H "Connection: close\r\n\r\n"), 404);
    CHECK(strstr(heard, "Content-Type: text/html\r\n") && strstr(heard, "\r\n\r\nno"));
    CHECK_INT(ask("POST / HTTP/1.1\r\n" H CL("5") "\r\nhello"), 405);
    CHECK(strstr(heard, "\r\nAllow: GET, HEAD\r\n") != NULL);
    CHECK_INT(ask("BREW / HTTP/1.1\r\n" H "\r\n"), 405);
    CHECK_INT(ask("GET / HTTP/1.1\r\n" H CL("5") "\r\nhello"), 413);
    CHECK_INT(ask("GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), 411);
    CHECK_INT(ask("GET / HTTP/1.1\r\n\r\n"), 400);
    CHECK_INT(ask("GET /\r\n\r\n"), 400);
    CHECK_INT(ask("GET / HTTP/9.9\r\n\r\n"), 400);
    CHECK_INT(ask_raw("\0\0\0\n\n", 5), 400);
    CHECK_INT(ask("GET /over HTTP/1.0\r\n\r\n"), 500);      /* the memory cap */
    CHECK_INT(ask("GET /head HTTP/1.0\r\n\r\n"), 500);
    n = build(big, "GET /", "a", 10000, " HTTP/1.1\r\n" H "\r\n");
    CHECK_INT(ask_raw(big, n), 414);
    n = build(big, "GET / HTTP/1.1\r\n" H, "A: b\r\n", 2000, "\r\n");
    CHECK_INT(ask_raw(big, n), 431);
    /* one connection: three requests at once, a fourth in pieces, the last one bad */
    fd = plain_connect(tel__server_listener_port(listener));
    says(fd, "GET /?1 HTTP/1.1\r\n" H "\r\nGET /?2 HTTP/1.1\r\n" H "\r\n"
             "HEAD /?3 HTTP/1.1\r\n" H "\r\nGET /?4 HT");
    hear(fd, heard, sizeof heard, "hello 2");
    says(fd, "TP/1.1\r\n" H "\r\n");
    hear(fd, heard, sizeof heard, "hello 4");
    CHECK(strstr(heard, "hello 4") != NULL);
    says(fd, "nonsense\r\n\r\nGET /?5 HTTP/1.1\r\n" H "\r\n");
    hear(fd, heard, sizeof heard, NULL);
    CHECK(strncmp(heard, "HTTP/1.1 400 ", 13) == 0 && count_of(heard, "HTTP/1.1 ") == 1);
    says(fd, "GET /?6 HTTP/1.1\r\n" H "\r\n");              /* nor is anything answered after a goodbye */
    close(fd);
    /* the peer has closed its side: it still gets its answer */
    fd = plain_connect(tel__server_listener_port(listener));
    says(fd, "GET /?half HTTP/1.1\r\n" H "\r\n");
    shutdown(fd, SHUT_WR);
    hear(fd, heard, sizeof heard, NULL);
    CHECK(strstr(heard, "hello half") != NULL);
    close(fd);
    listener_stop();
    CHECK_INT(handled, 10);                                 /* refused requests never reach the handler */
}

static void test_listener_many(void) {
    static char all[200000];
    int fds[200], i;
    size_t n;
    listener_start();
    n = build(all, "", "GET /?p HTTP/1.1\r\n" H "\r\n", 300, "GET /?end HTTP/1.0\r\n\r\n");
    i = plain_connect(tel__server_listener_port(listener));
    say(i, all, n);
    hear(i, all, sizeof all, NULL);
    CHECK_INT(count_of(all, "hello p"), 300);
    CHECK_INT(count_of(all, "hello end"), 1);
    close(i);
    /* silent and slow peers, many more than there are places: whoever asks is answered */
    for (i = 0; i < 200; i++) {
        fds[i] = plain_connect(tel__server_listener_port(listener));
        if (i % 2) { says(fds[i], "GET / HTTP/1.1\r\nX: "); }
        if (i % 50 == 49) { CHECK_INT(ask("GET / HTTP/1.0\r\n\r\n"), 200); }
    }
    for (i = 0; i < 10; i++) { CHECK_INT(ask("GET / HTTP/1.0\r\n\r\n"), 200); }
    for (i = 0; i < 200; i++) { close(fds[i]); }
    listener_stop();
}

/* Asks for the huge page and reads no more than proves that it is being written. */
static int peer_that_never_reads(void) {
    int fd = plain_connect_sized(tel__server_listener_port(listener), 4096);
    says(fd, "GET /huge HTTP/1.0\r\n\r\n");
    CHECK(recv(fd, heard, 100, 0) > 0);
    return fd;
}

/* Peers that never read their page take all places; the next one waits in the system's queue until one of
   them has stood still for a second. */
static void test_listener_stuck(void) {
    int fds[TEL__NET_CONNECTIONS], i, late;
    memory.limit = 40 * (uint64_t)HUGE_SIZE;
    listener_start();
    for (i = 0; i < TEL__NET_CONNECTIONS; i++) {
        fds[i] = peer_that_never_reads();
        if (i == 0) { CHECK_INT(ask("GET /?1 HTTP/1.0\r\n\r\n"), 200); }
    }
    for (i = 0; i < 3; i++) {                               /* whoever takes no byte for a second gives up its place */
        late = plain_connect(tel__server_listener_port(listener));
        says(late, "GET /?late HTTP/1.0\r\n\r\n");
        hear(late, heard, sizeof heard, NULL);
        CHECK(strstr(heard, "hello late") != NULL);
        close(late);
    }
    reset(fds[0]);
    for (i = 1; i < TEL__NET_CONNECTIONS; i++) { reset(fds[i]); }
    for (i = 0; i < 1000 && ask("GET / HTTP/1.0\r\n\r\n") != 200; i++) { tel__thread_sleep_ns(10000000u); }
    CHECK(i < 1000);
    /* one that is stopped in the middle, and one whose whole body is right */
    fds[0] = plain_connect(tel__server_listener_port(listener));
    says(fds[0], "GET /huge HTTP/1.0\r\n\r\n");
    {
        size_t n = 0, bad = 0;
        ssize_t got;
        while ((got = recv(fds[0], heard, sizeof heard - 1, 0)) > 0) {
            char* p;
            heard[got] = 0;
            p = n == 0 ? strstr(heard, "\r\n\r\n") + 4 : heard;
            for (; p < heard + got; p++, n++) { bad += *p != huge[n]; }
        }
        CHECK_INT(n, HUGE_SIZE);
        CHECK_INT(bad, 0);
    }
    close(fds[0]);
    fds[0] = peer_that_never_reads();
    listener_stop();
    close(fds[0]);
    memory.limit = 4 * (uint64_t)HUGE_SIZE;
}

/* Who says nothing is dropped, who does not finish is told, who does not read loses its answer; and then
   nothing is left of them. */
static void test_listener_timeouts(void) {
    int silent, slow, stuck, i;
    listener_start();
    silent = plain_connect(tel__server_listener_port(listener));
    slow = plain_connect(tel__server_listener_port(listener));
    says(slow, "GET / HTTP/1.1\r\nHost: ");
    stuck = peer_that_never_reads();
    CHECK_INT(hear(silent, heard, sizeof heard, NULL), 0);
    hear(slow, heard, sizeof heard, NULL);
    CHECK(strncmp(heard, "HTTP/1.1 408 ", 13) == 0);
    for (i = 0; i < 6000 && tel__atomic_load_u64(&memory.used) > sizeof(tel__server_listener); i++) {
        tel__thread_sleep_ns(10000000u);
    }
    CHECK_INT(tel__atomic_load_u64(&memory.used), sizeof(tel__server_listener));
    close(silent);
    close(slow);
    close(stuck);
    listener_stop();
}

static void test_listener_setup(void) {
    tel__server_listener* second = NULL;
    uint64_t limit = memory.limit;
    int error;
    listener_start();
    CHECK(tel__server_listener_port(listener) != 0);
    CHECK(fcntl(listener->socket, F_GETFD) & FD_CLOEXEC);
    CHECK_INT(listen_at("127.0.0.1", tel__server_listener_port(listener), false, &second, &error), TEL_ERR_IO);
    CHECK(second == NULL);
    CHECK_INT(error, EADDRINUSE);
    CHECK_INT(listen_at("192.0.2.1", 0, false, &second, &error), TEL_ERR_IO);
    CHECK_INT(error, EADDRNOTAVAIL);
    CHECK_INT(listen_at("no-such-host.invalid", 0, false, &second, &error), TEL_ERR_IO);
    CHECK_INT(error, 0);
    listener_stop();
    memory.limit = 10;
    CHECK_INT(listen_at("127.0.0.1", 0, false, &second, &error), TEL_ERR_MEMORY);
    /* room for the listener but for no connection: newcomers are sent away */
    memory.limit = sizeof(tel__server_listener) + 100;
    listener_start();
    {
        int fd = plain_connect(tel__server_listener_port(listener));
        CHECK_INT(hear(fd, heard, sizeof heard, NULL), 0);
        close(fd);
    }
    listener_stop();
    memory.limit = limit;
    CHECK_INT(listen_at("localhost", 0, false, &listener, &error), TEL_OK);
    CHECK_INT(ask("GET / HTTP/1.0\r\n\r\n"), 200);
    listener_stop();
}

/* On a loopback address only its own names are answered: DNS rebinding gives a web page nothing. */
static void test_listener_host(void) {
    static const struct { const char* host; int status; } cases[] = {
        { "localhost", 200 }, { "LOCALHOST:9464", 200 }, { "127.0.0.1", 200 }, { "127.0.0.1:1", 200 }, { "127.9.8.7:80", 200 },
        { "[::1]", 200 }, { "[::1]:9464", 200 },
        { "evil.example", 421 }, { "evil.example:9464", 421 }, { "localhost.evil.example", 421 }, { "10.0.0.1", 421 }, { "[::2]", 421 },
        { "127.0.0.1.evil.example", 421 }, { "[", 421 }, { ":", 421 }, { "x", 421 }
    };
    char request[200];
    size_t i;
    int error;
    listener_start();
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", cases[i].host);
        CHECK_INT(ask(request), cases[i].status);
    }
    CHECK(strncmp(heard, "HTTP/1.1 421 Misdirected Request\r\n", 34) == 0);
    CHECK_INT(ask("GET / HTTP/1.0\r\n\r\n"), 200);
    listener_stop();
    CHECK_INT(listen_at("0.0.0.0", 0, false, &listener, &error), TEL_OK);
    CHECK_INT(ask("GET / HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n"), 200);
    listener_stop();
}

/* Served in turns, without a thread. Requests that have arrived by one turn are one call of the handler and one page. */
static void test_listener_turns(void) {
    int fds[8], error, i;
    size_t shared = 0;
    memory.limit = 4 * (uint64_t)HUGE_SIZE;
    CHECK_INT(listen_at("127.0.0.1", 0, true, &listener, &error), TEL_OK);
    for (i = 0; i < 8; i++) { fds[i] = plain_connect(tel__server_listener_port(listener)); }
    for (i = 0; i < 100; i++) { tel__server_listener_turn(listener); }
    handlings = handled = 0;
    for (i = 0; i < 8; i++) { says(fds[i], "GET /huge HTTP/1.0\r\n\r\n"); }
    for (i = 0; i < 1000 && handled == 0; i++) { tel__server_listener_turn(listener); }
    CHECK_INT(handled, 8);
    CHECK_INT(handlings, 1);
    for (i = 0; i < TEL__NET_CONNECTIONS; i++) {
        const tel__server_connection* c = listener->connections[i];
        if (c && c->page) { shared += c->page->refs == 8; }
    }
    CHECK_INT(shared, 8);
    CHECK(listener->pending > HUGE_SIZE && listener->pending < 3 * HUGE_SIZE);
    for (i = 0; i < 7; i++) { reset(fds[i]); }
    for (i = 0; i < 100; i++) { tel__server_listener_turn(listener); }
    CHECK(listener->pending > HUGE_SIZE);                   /* the last one still reads it */
    reset(fds[7]);
    for (i = 0; i < 1000 && listener->pending; i++) { tel__server_listener_turn(listener); }
    CHECK_INT(listener->pending, 0);
    fds[0] = plain_connect(tel__server_listener_port(listener));
    for (i = 0; i < 100; i++) { tel__server_listener_turn(listener); }
    says(fds[0], "GET /?turn HTTP/1.0\r\n\r\n");
    for (i = 0; i < 100; i++) { tel__server_listener_turn(listener); }
    hear(fds[0], heard, sizeof heard, NULL);
    CHECK(strstr(heard, "hello turn") != NULL);
    close(fds[0]);
    listener_stop();
}

/* Pages that wait to be read stay within the budget, and whoever reads is served all the same. */
static void test_listener_budget(void) {
    int fds[10], i, full = 0;
    memory.limit = 40 * (uint64_t)HUGE_SIZE;
    budget = 3 * HUGE_SIZE;
    listener_start();
    for (i = 0; i < 10; i++) {
        fds[i] = plain_connect_sized(tel__server_listener_port(listener), 4096);
        says(fds[i], "GET /huge HTTP/1.0\r\n\r\n");
        CHECK(recv(fds[i], heard, 13, MSG_WAITALL) == 13);
        full += strncmp(heard, "HTTP/1.1 503 ", 13) == 0;
        CHECK(tel__atomic_load_u64(&memory.used) < 5 * (uint64_t)HUGE_SIZE);
    }
    for (i = 0; i < 1000 && ask("GET /huge HTTP/1.0\r\n\r\n") != 200; i++) { tel__thread_sleep_ns(20000000u); }
    CHECK(i < 1000);                                        /* at the latest when the others have stood still for a second */
    CHECK(full <= 10);
    for (i = 0; i < 10; i++) { close(fds[i]); }
    listener_stop();
    budget = SIZE_MAX;
    memory.limit = 4 * (uint64_t)HUGE_SIZE;
}

/* Out of descriptors the listener pauses; afterwards it goes on. */
static void test_listener_descriptors(void) {
    static int fds[64];
    struct rlimit old, few;
    int i, n = 0, fd;
    struct sockaddr_in a;
    listener_start();
    getrlimit(RLIMIT_NOFILE, &old);
    few = old;
    fd = socket(AF_INET, SOCK_STREAM, 0);
    few.rlim_cur = (rlim_t)fd + 2;                          /* possibly fewer than the listener has places */
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (n < 64 && (fds[n] = dup(fd)) >= 0) { n++; }
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_port = htons(tel__server_listener_port(listener));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(connect(fd, (struct sockaddr*)(void*)&a, sizeof a), 0);
    says(fd, "GET /?later HTTP/1.0\r\n\r\n");
    tel__thread_sleep_ns(200000000u);
    for (i = 0; i < n; i++) { close(fds[i]); }
    hear(fd, heard, sizeof heard, NULL);
    CHECK(strstr(heard, "hello later") != NULL);
    close(fd);
    setrlimit(RLIMIT_NOFILE, &old);
    listener_stop();
}

/* Until the listener holds one connection and no answer: an answer is heard before its memory is given back, and
   the child of a fork between the two has a leak, see tel__server_connection_drop. */
static void listener_rests(void) {
    uint64_t end = AFTER(60), at_rest = sizeof(tel__server_listener) + sizeof(tel__server_connection);
    while (tel__atomic_load_u64(&memory.used) != at_rest && tel__clock_mono_ns() < end) { tel__thread_sleep_ns(1000000u); }
    CHECK_INT(tel__atomic_load_u64(&memory.used), at_rest);
}

/* The child lets go; the parent's connections and its port do not notice. */
static void test_fork(void) {
    server s;
    pid_t child;
    int fd, status = -1;
    server_start(&s, REPLY, ok_reply);
    listener_start();
    CHECK_INT(post(&s, 10, AFTER(60)), TEL_OK);
    fd = plain_connect(tel__server_listener_port(listener));
    says(fd, "GET /?1 HTTP/1.1\r\n" H "\r\n");
    hear(fd, heard, sizeof heard, "hello 1");
    listener_rests();
    child = fork();
    if (child == 0) {
        int wrong, error;
        tel__client_forget(&client);
        tel__server_listener_forget(listener);
        wrong = client.open || tel__atomic_load_u64(&memory.used) != 0;
        listener = NULL;
        if (CHILD_THREADS) {                                /* a listener of its own */
            wrong += listen_at("127.0.0.1", 0, false, &listener, &error) != TEL_OK;
            wrong += !listener || ask("GET / HTTP/1.0\r\n\r\n") != 200;
            if (listener) { tel__server_listener_close(listener); }
        }
        _exit(wrong);
    }
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    says(fd, "GET /?2 HTTP/1.1\r\n" H "\r\n");
    hear(fd, heard, sizeof heard, "hello 2");
    CHECK(strstr(heard, "hello 2") != NULL);
    CHECK_INT(post(&s, 10, AFTER(60)), TEL_OK);
    CHECK(client.open);
    tel__client_close(&client);
    server_stop(&s);
    CHECK_INT(s.connections, 1);                            /* the parent's connection was never lost */
    listener_stop();
    close(fd);
}

static void ignore_signal(int number) { (void)number; }

/* Signals in the middle of every wait: nothing returns early, nothing is lost. */
static void* alarm_main(void* arg) {
    pthread_t* target = (pthread_t*)arg;
    while (tel__atomic_load_u32(&stop_flag) == 0) {
        pthread_kill(*target, SIGUSR1);
        tel__thread_sleep_ns(200000u);
    }
    return NULL;
}

static void test_signals(void) {
    struct sigaction action;
    pthread_t self = pthread_self(), t;
    server s;
    int i;
    memset(&action, 0, sizeof action);
    action.sa_handler = ignore_signal;                      /* without SA_RESTART */
    sigaction(SIGUSR1, &action, NULL);
    tel__atomic_store_u32(&stop_flag, 0);
    server_start(&s, DRIP, ok_reply);
    CHECK_INT(pthread_create(&t, NULL, alarm_main, &self), 0);
    for (i = 0; i < 50; i++) {
        CHECK_INT(post(&s, 100000, AFTER(60)), TEL_OK);
        if (i % 2) { tel__client_close(&client); }
    }
    tel__atomic_store_u32(&stop_flag, 1);
    pthread_join(t, NULL);
    tel__client_close(&client);
    server_stop(&s);
    CHECK_INT(s.requests, 50);
}

/* The client and the listener as each other's peer. */
static void test_both(void) {
    tel__net_url u;
    listener_start();
    u = url_to("localhost", tel__server_listener_port(listener));
    CHECK_INT(client_post(&client, &u, tel__text_of(HEADERS), payload, sizeof payload, AFTER(60), NULL, &answer),
              TEL_OK);
    CHECK_INT(answer.status, 405);
    CHECK(answer.body_size > 0);
    CHECK(!answer.keep_alive && !client.open);
    listener_stop();
}

int main(void) {
    size_t i;
    tel__memory_init(&memory, NULL, 4 * (uint64_t)HUGE_SIZE);
    huge = (char*)malloc(HUGE_SIZE + 1);
    if (!huge) { return 1; }
    for (i = 0; i < HUGE_SIZE; i++) { huge[i] = (char)('a' + i % 23); }
    huge[HUGE_SIZE] = 0;
    memset(payload, 'p', sizeof payload);
    tel__resolver_init(&names, &memory, ring, NULL);
    test_urls();
    test_dates();
    test_answers();
    test_answer_limits();
    test_requests();
    test_client_reuse();
    test_client_servers();
    test_client_stale();
    test_client_limits();
#if defined(__linux__)
    test_client_black_hole();       /* other systems refuse when the queue is full */
#endif
    test_client_addresses();
    test_client_strangers();
    test_resolver();
    test_no_sigpipe();
    test_signals();
    tel__resolver_close(&names, tel__clock_deadline(60000));
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
    test_listener_answers();
    test_listener_many();
    test_listener_stuck();
    test_listener_host();
    test_listener_turns();
    test_listener_budget();
    test_listener_timeouts();
    test_listener_setup();
    test_listener_descriptors();
    test_both();
    test_fork();
    free(huge);
    return check_done();
}
