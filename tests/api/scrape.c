/* The scrape endpoint as a scraper sees it: formats by negotiation, the settings of tel_prometheus_desc, chosen names, and one
   page for all who ask while nothing changes. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include "capture.h"

static char answer[1 << 16];

static const char* ask(const char* target, const char* headers) {
    char request[1024];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", target, headers);
    scrape(tel_prometheus_port(), request, answer, sizeof answer);
    return strstr(answer, "\r\n\r\n") ? strstr(answer, "\r\n\r\n") + 4 : "";
}
static bool has(const char* part) {
    if (!strstr(answer, part)) {
        fprintf(stderr, "     no \"%s\" in:\n%s\n", part, answer);
        return false;
    }
    return true;
}

static tel_counter hits = TEL_INSTRUMENT("scrape.hits", "By", "Hits");
static tel_gauge level = TEL_INSTRUMENT("scrape.level", NULL, NULL);

static void start(const tel_sink* sink) {
    tel_desc d = test_desc(sink, 1);
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_counter_add_with(&hits, 3, TEL_ATTRS(tel_int("http.code", 200)));
    tel_gauge_set(&level, 0.5);
}

static void test_formats(void) {
    tel_prometheus_desc p;
    tel_sink sink = scrape_sink(&p, TEL_ANY_PORT);
    start(&sink);
    ask("/metrics", "");
    CHECK(has("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n") && has("\r\nVary: Accept, Accept-Encoding\r\n"));
    CHECK(has("# TYPE scrape_hits_bytes_total counter\nscrape_hits_bytes_total{http_code=\"200\"} 3\n") && !strstr(answer, "# EOF"));
#if !TEL_NO_OPENMETRICS
    ask("/metrics", "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2\r\n");
    CHECK(has("\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores\r\n"));
    CHECK(has("# TYPE target info\n") && has("# UNIT scrape_hits_bytes bytes\n") && has("scrape_level 0.5\n"));
    CHECK(has("scrape_hits_bytes_total{http_code=\"200\"} 3\n") && strcmp(answer + strlen(answer) - 6, "# EOF\n") == 0);
    ask("/metrics", "Accept: text/plain;version=1.0.0;escaping=allow-utf-8\r\n");
    CHECK(has("\r\nContent-Type: text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8\r\n"));
    CHECK(has("\nscrape_hits_bytes_total{http_code=\"200\"} 3\n"));
    ask("/metrics", "");                        /* the labels that all formats share are still right */
    CHECK(has("\nscrape_hits_bytes_total{http_code=\"200\"} 3\n"));
#endif
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* A page with everything on it is read by the strict parser of Prometheus' client for Python, where it is installed. */
static void test_strictly(void) {
#if !TEL_NO_OPENMETRICS
    static tel_histogram took = TEL_INSTRUMENT("scrape.took", "s", "A \"quoted\" \\ help\ntext");
    tel_prometheus_desc p;
    tel_sink sink = scrape_sink(&p, TEL_ANY_PORT);
    tel_desc d;
    const char* body;
    FILE* f;
    if (system("python3 -c 'import prometheus_client.openmetrics.parser' 2>/dev/null") != 0) { return; }
    p.created = true;
    sink = tel_sink_prometheus(&p);
    d = test_desc(&sink, 1);
    d.no_self_metrics = false;
    d.process_metrics = true;
    d.exemplars = TEL_EXEMPLARS_SAMPLED;
    CHECK_INT(tel_init(&d), TEL_OK);
    TEL_SPAN(s, "work") {
        tel_histogram_record(&took, 0.3);
        tel_histogram_record(&took, 2e9);
        tel_counter_add_with(&hits, 3, TEL_ATTRS(tel_str("odd", "a\"b\\c\nd")));
    }
    tel_gauge_set(&level, 1e21);
    body = ask("/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n");
    f = fopen("openmetrics.txt", "w");
    CHECK(f != NULL && strstr(body, " # {trace_id=\"") != NULL);
    if (f) {
        fputs(body, f);
        fclose(f);
        CHECK_INT(system("python3 -c 'import prometheus_client.openmetrics.parser as p; "
                         "assert len(list(p.text_string_to_metric_families(open(\"openmetrics.txt\").read()))) > 20'"), 0);
        remove("openmetrics.txt");
    }
    CHECK_INT(tel_shutdown(5000), TEL_OK);
#endif
}

static void test_settings(void) {
    tel_prometheus_desc p;
    tel_sink sink = scrape_sink(&p, TEL_ANY_PORT);
    p.path = "/own/page";
    p.prefix = "shop";
    p.no_target_info = p.no_scope_labels = p.created = true;
    sink = tel_sink_prometheus(&p);
    start(&sink);
    ask("/metrics", "");
    CHECK(has("HTTP/1.1 404 ") && has("try /own/page\n"));
    ask("/", "");
    CHECK(has("href=\"/own/page\""));
    ask("/own/page", "");
    CHECK(has("\nshop_scrape_hits_bytes_total{http_code=\"200\"} 3\n") && !strstr(answer, "target_info"));
#if !TEL_NO_OPENMETRICS
    ask("/own/page", "Accept: application/openmetrics-text\r\n");
    CHECK(has("\nshop_scrape_hits_bytes_created{http_code=\"200\"} "));
#endif
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

static void test_utf8(void) {
#if !TEL_NO_OPENMETRICS
    tel_prometheus_desc p;
    tel_sink sink = scrape_sink(&p, TEL_ANY_PORT);
    p.names = TEL_NAMES_UTF8_PLAIN;
    sink = tel_sink_prometheus(&p);
    start(&sink);
    ask("/metrics", "Accept: text/plain;version=1.0.0;escaping=allow-utf-8\r\n");
    CHECK(has("\n{\"scrape.hits\",\"http.code\"=\"200\"} 3\n"));
    ask("/metrics", "");
    CHECK(has("\nscrape_hits{http_code=\"200\"} 3\n"));
    ask("/metrics?name[]=scrape.level", "Accept: text/plain;version=1.0.0;escaping=allow-utf-8\r\n");
    CHECK(has("\r\n\r\n# TYPE \"scrape.level\" gauge\n{\"scrape.level\"} 0.5\n"));
    CHECK_INT(tel_shutdown(5000), TEL_OK);
#endif
}

static void test_names(void) {
    tel_prometheus_desc p;
    tel_sink sink = scrape_sink(&p, TEL_ANY_PORT);
    start(&sink);
    CHECK_STR(ask("/metrics?name[]=scrape_level", ""), "# TYPE scrape_level gauge\nscrape_level 0.5\n");
    CHECK_STR(ask("/metrics?a=b&name%5B%5D=scrape%5Flevel&name[]=%zz&name[]", ""), "# TYPE scrape_level gauge\nscrape_level 0.5\n");
    CHECK_STR(ask("/metrics?name[]=none", ""), "");
    CHECK(strlen(ask("/metrics?name=none", "")) > 100);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* Who asks often gets the page that was rendered before, as long as a collection brings nothing new. */
static uint32_t collections;
static void observe(tel_observation* o, void* user_data) {
    (void)user_data;
    __atomic_add_fetch(&collections, 1, __ATOMIC_RELAXED);
    tel_observe(o, 7, TEL_NOATTRS);
}
static uint32_t costs(void) {
    uint32_t before = __atomic_load_n(&collections, __ATOMIC_RELAXED);
    ask("/metrics", "");
    return __atomic_load_n(&collections, __ATOMIC_RELAXED) - before;
}
static void test_sharing(void) {
    tel_prometheus_desc p;
    tel_observer_desc o;
    tel_sink sink = scrape_sink(&p, TEL_ANY_PORT);
    bool well = false;
    int i;
    start(&sink);
    memset(&o, 0, sizeof o);
    o.name = "scrape.observed";
    o.kind = TEL_OBSERVE_GAUGE;
    o.observe_fn = observe;
    CHECK(tel_observer_new(&o) != NULL);
    /* A machine that is busy may need more than a second for a scrape: then it is tried again. */
    for (i = 0; i < 50 && !well; i++) {
        ask("/metrics", "");
        ask("/metrics", "");                    /* asked for often: kept */
        well = costs() == 1 && costs() == 1;    /* looked at, and sent again */
        tel_gauge_set(&level, 1.5 + i);
        well = costs() == 2 && well;            /* looked at, and rendered anew */
    }
    CHECK(well);
    tel_gauge_set(&level, 0.25);
    ask("/metrics", "");
    CHECK(has("\nscrape_level 0.25\n"));
    ask("/metrics", "");
    CHECK(has("\nscrape_level 0.25\n"));
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

static void test_arguments(void) {
    static const char* const paths[] = { "metrics", "/a b", "/a?b", "/<b>" };
    tel_prometheus_desc p;
    tel_sink sink;
    tel_desc d;
    size_t i;
    for (i = 0; i < 6; i++) {
        sink = scrape_sink(&p, TEL_ANY_PORT);
        p.path = i < 4 ? paths[i] : NULL;
        p.prefix = i == 4 ? "a\"b" : NULL;
        if (i == 5) { p.names = (tel_prometheus_names)9; }
        sink = tel_sink_prometheus(&p);
        d = test_desc(&sink, 1);
        CHECK_INT(tel_init(&d), TEL_ERR_IO);
        tel_shutdown(1000);
    }
}

/* The same text pushed, as a Pushgateway and VictoriaMetrics take it; the last page is sent while the instance ends. */
static void test_push(void) {
    static receiver r;
    tel_prometheus_desc style;
    tel_http_desc h;
    tel_sink sink;
    tel_sink_stats books;
    memset(&r, 0, sizeof r);
    if (!receiver_start(&r, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL)) { return; }
    memset(&style, 0, sizeof style);
    memset(&h, 0, sizeof h);
    style.prefix = "shop";
    style.no_target_info = true;
    snprintf(answer, sizeof answer, "%s/metrics/job/shop", r.url);
    h.transport.url = answer;
    h.content_type = "text/plain; version=0.0.4";
    h.encode_fn = tel_prometheus_encode;
    h.user_data = &style;
    sink = tel_sink_http(&h);
    sink.signal_mask = TEL_SIGNAL_METRICS;
    start(&sink);
    tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("http.code", "200")));     /* shows as the one of start */
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK(strstr(r.last, "POST /metrics/job/shop HTTP/1.1\r\n") && strstr(r.last, "Content-Type: text/plain; version=0.0.4\r\n"));
    CHECK(strstr(r.last, "\nshop_scrape_hits_bytes_total{http_code=\"200\"} 4\n") != NULL);
    CHECK(strstr(r.last, "\nshop_scrape_level 0.5\n") && !strstr(r.last, "target_info") && !strstr(r.last, "# EOF"));
    tel_gauge_set(&level, 0.75);
    CHECK_INT(tel_shutdown(20000), TEL_OK);
    CHECK(strstr(r.last, "\nshop_scrape_level 0.75\n") != NULL);
    CHECK(tel_query_sink(0, &books) && books.dropped_failed[0] == 0 && books.delivered[0] > 0);
    receiver_stop(&r);
}

int main(void) {
    capture_watchdog(120);
    test_push();
    test_formats();
    test_strictly();
    test_settings();
    test_utf8();
    test_names();
    test_sharing();
    test_arguments();
    return check_done();
}
