/* Golden output: with a clock that stands still and ids that are known, the console, the JSON lines and the Prometheus text are the
   same byte for byte. GOLDEN_PRINT=1 in the environment prints what there is, for a look before the text here is changed. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"

typedef struct page { char data[16384]; size_t size; } page;
static bool write_page(const void* data, size_t size, void* user_data) {
    page* p = (page*)user_data;
    if (size >= sizeof p->data - p->size) { return false; }
    memcpy(p->data + p->size, data, size);
    p->size += size;
    p->data[p->size] = 0;
    return true;
}

static uint64_t now_ns;
static uint64_t test_clock(void* user_data) { (void)user_data; return now_ns; }

static const double bounds[] = { 0.1, 1, 10 };
static const tel_scope scope = { "golden.scope", "1.2.3", NULL, { NULL, 0 } };
static const tel_metric_options histogram_options = { &scope, bounds, 3, false, false, 0, 0 };
static tel_counter   requests = TEL_INSTRUMENT("golden.requests", "{request}", "Requests \"served\"\nby all");
static tel_updown    queue    = TEL_INSTRUMENT("golden.queue", "1", "Length");
static tel_gauge     load     = TEL_INSTRUMENT("golden.load", NULL, NULL);
static tel_histogram latency  = TEL_INSTRUMENT_OPT("golden.latency", "s", "Time", &histogram_options);

static const tel_context parent = {
    { 0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c },
    { 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31 }, 1, 1, 0, 0
};

/* Every occurrence of the span's random id becomes 5555555555555555. */
static void mask(page* p, const tel_context* c) {
    char id[17];
    char* at;
    int i;
    for (i = 0; i < 8; i++) { snprintf(id + 2 * i, 3, "%02x", c->span_id[i]); }
    while ((at = strstr(p->data, id)) != NULL) { memcpy(at, "5555555555555555", 16); }
}

/* The resource (host, process and instance ids) is another one each time: {"resource":...}, goes, the rest of each line stays. */
static void without_resource(page* p) {
    static page out;
    char* at = p->data;
    out.size = 0;
    out.data[0] = 0;
    while (*at) {
        char* end = strchr(at, '\n');
        char* rest;
        if (!end) { break; }
        *end = 0;
        rest = strstr(at, "\"scope");
        CHECK(rest != NULL && strncmp(at, "{\"resource", 10) == 0);
        if (!rest) { break; }
        write_page(rest, strlen(rest), &out);
        write_page("\n", 1, &out);
        at = end + 1;
    }
    *p = out;
}

/* target_info shows the resource, too: the text begins behind it. */
static void after_target_info(page* p) {
    char* at = strstr(p->data, "target_info{");
    char* end = at ? strchr(at, '\n') : NULL;
    CHECK(end != NULL);
    if (end) { memmove(p->data, end + 1, strlen(end + 1) + 1); }
}

static void compare(const char* name, const page* p, const char* want) {
    if (getenv("GOLDEN_PRINT")) { printf("---- %s\n%s", name, p->data); }
    if (strcmp(p->data, want) != 0) {
        size_t i = 0;
        while (p->data[i] && p->data[i] == want[i]) { i++; }
        fprintf(stderr, "     %s differs at byte %u: ...%.60s\n", name, (unsigned)i, p->data + (i > 20 ? i - 20 : 0));
    }
    CHECK_STR(p->data, want);
}

static tel_context record(void) {
    tel_span_desc d;
    tel_span s;
    tel_log_desc l;
    tel_counter_add_with(&requests, 3, TEL_ATTRS(tel_str("route", "/a \"b\"\\"), tel_int("code", 200)));
    tel_counter_add_with(&requests, 1, TEL_ATTRS(tel_str("route", "/caf\xc3\xa9\xff"), tel_int("code", 500)));
    tel_updown_add(&queue, -2);
    tel_gauge_set(&load, 0.25);
    tel_histogram_record(&latency, 0.05);
    tel_histogram_record(&latency, 1);
    tel_histogram_record(&latency, 99.5);
    memset(&d, 0, sizeof d);
    d.name = "GET /a\x1b[31m";
    d.kind = TEL_SPAN_SERVER;
    d.parent = &parent;
    d.scope = &scope;
    d.attrs = TEL_ATTRS(tel_bool("cached", true), tel_double("ratio", 0.5), tel_str("text", "two\nlines"));
    s = tel_span_start_ex(&d);
    now_ns += 1500000;
    tel_span_event(&s, "retry", TEL_ATTRS(tel_int("n", 2)));
    tel_span_link(&s, &parent, TEL_NOATTRS);
    tel_span_status(&s, TEL_STATUS_ERROR, "no luck");
    now_ns += 1000000;
    tel_span_end(&s);
    memset(&l, 0, sizeof l);
    l.severity = TEL_WARN;
    l.body = "tab\there, bell\a, bad \xc0\x80";
    l.event_name = "golden.event";
    l.context = &s.context;
    l.attrs = TEL_ATTRS(tel_int("min", INT64_MIN));
    tel_log_ex(&l);
    return s.context;
}

static void test_golden(void) {
    static page console, lines, text;
    tel_writer to_console, to_lines, to_text;
    tel_sink sinks[2];
    tel_context c;
    tel_desc d;
    to_console.write_fn = to_lines.write_fn = to_text.write_fn = write_page;
    to_console.user_data = &console;
    to_lines.user_data = &lines;
    to_text.user_data = &text;
    now_ns = 1700000000000000000u;
    sinks[0] = tel_sink_console(&to_console);
    sinks[1] = tel_sink_jsonl(&to_lines);
    d = test_desc(sinks, 2);
    d.no_thread = true;
    d.clock_fn = test_clock;
    CHECK_INT(tel_init(&d), TEL_OK);
    c = record();
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(tel_prometheus_render(to_text), TEL_OK);
    mask(&console, &c);
    mask(&lines, &c);
    without_resource(&lines);
    compare("console", &console, 
        "span    GET /a?[31m 2.5ms server error:no luck cached=true ratio=0.5 text=two?lines trace=0af7651916c"
        "d43dd8448eb211c80319c span=5555555555555555 parent=b7ad6b7169203331\n"
        "  event retry n=2\n"
        "log     WARN event=golden.event tab?here, bell?, bad \357\277\275\357\277\275 min=-922337203685477580"
        "8 trace=0af7651916cd43dd8448eb211c80319c span=5555555555555555\n"
        "metric  golden.latency count=3 sum=100.55 min=0.05 max=99.5 s\n"
        "metric  golden.load 0.25\n"
        "metric  golden.queue -2 1\n"
        "metric  golden.requests{code=200,route=/a \"b\"\\} 3 {request}\n"
        "metric  golden.requests{code=500,route=/caf\303\251\357\277\275} 1 {request}\n");
    compare("JSON lines", &lines, 
        "\"scopeSpans\":[{\"scope\":{\"name\":\"golden.scope\",\"version\":\"1.2.3\"},\"spans\":[{\"traceId\":"
        "\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"5555555555555555\",\"parentSpanId\":\"b7ad6b7169203"
        "331\",\"name\":\"GET /a\\u001b[31m\",\"kind\":2,\"startTimeUnixNano\":\"1700000000000000000\",\"endTi"
        "meUnixNano\":\"1700000000002500000\",\"attributes\":[{\"key\":\"cached\",\"value\":{\"boolValue\":tru"
        "e}},{\"key\":\"ratio\",\"value\":{\"doubleValue\":0.5}},{\"key\":\"text\",\"value\":{\"stringValue\":"
        "\"two\\nlines\"}}],\"events\":[{\"timeUnixNano\":\"1700000000001500000\",\"name\":\"retry\",\"attribu"
        "tes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"2\"}}]}],\"links\":[{\"traceId\":\"0af7651916cd43dd84"
        "48eb211c80319c\",\"spanId\":\"b7ad6b7169203331\",\"flags\":769}],\"status\":{\"message\":\"no luck\","
        "\"code\":2},\"flags\":769}]}]}]}\n"
        "\"scopeLogs\":[{\"scope\":{},\"logRecords\":[{\"timeUnixNano\":\"1700000000002500000\",\"observedTime"
        "UnixNano\":\"1700000000002500000\",\"severityNumber\":13,\"severityText\":\"WARN\",\"body\":{\"string"
        "Value\":\"tab\\there, bell\\u0007, bad \357\277\275\357\277\275\"},\"attributes\":[{\"key\":\"min\",\""
        "value\":{\"intValue\":\"-9223372036854775808\"}}],\"flags\":1,\"traceId\":\"0af7651916cd43dd8448eb211"
        "c80319c\",\"spanId\":\"5555555555555555\",\"eventName\":\"golden.event\"}]}]}]}\n"
        "\"scopeMetrics\":[{\"scope\":{\"name\":\"golden.scope\",\"version\":\"1.2.3\"},\"metrics\":[{\"name\""
        ":\"golden.latency\",\"description\":\"Time\",\"unit\":\"s\",\"histogram\":{\"dataPoints\":[{\"startTi"
        "meUnixNano\":\"1700000000000000000\",\"timeUnixNano\":\"1700000000002500000\",\"count\":\"3\",\"sum\""
        ":100.55,\"bucketCounts\":[\"1\",\"1\",\"0\",\"1\"],\"explicitBounds\":[0.1,1,10],\"min\":0.05,\"max\""
        ":99.5}],\"aggregationTemporality\":2}}]},{\"scope\":{},\"metrics\":[{\"name\":\"golden.load\",\"gauge"
        "\":{\"dataPoints\":[{\"startTimeUnixNano\":\"1700000000000000000\",\"timeUnixNano\":\"170000000000250"
        "0000\",\"asDouble\":0.25}]}},{\"name\":\"golden.queue\",\"description\":\"Length\",\"unit\":\"1\",\"s"
        "um\":{\"dataPoints\":[{\"startTimeUnixNano\":\"1700000000000000000\",\"timeUnixNano\":\"1700000000002"
        "500000\",\"asInt\":\"-2\"}],\"aggregationTemporality\":2}},{\"name\":\"golden.requests\",\"descriptio"
        "n\":\"Requests \\\"served\\\"\\nby all\",\"unit\":\"{request}\",\"sum\":{\"dataPoints\":[{\"attribute"
        "s\":[{\"key\":\"code\",\"value\":{\"intValue\":\"200\"}},{\"key\":\"route\",\"value\":{\"stringValue\""
        ":\"/a \\\"b\\\"\\\\\"}}],\"startTimeUnixNano\":\"1700000000000000000\",\"timeUnixNano\":\"17000000000"
        "02500000\",\"asInt\":\"3\"},{\"attributes\":[{\"key\":\"code\",\"value\":{\"intValue\":\"500\"}},{\"k"
        "ey\":\"route\",\"value\":{\"stringValue\":\"/caf\303\251\357\277\275\"}}],\"startTimeUnixNano\":\"170"
        "0000000000000000\",\"timeUnixNano\":\"1700000000002500000\",\"asInt\":\"1\"}],\"aggregationTemporalit"
        "y\":2,\"isMonotonic\":true}}]}]}]}\n");
    after_target_info(&text);
    compare("Prometheus", &text, 
        "# HELP golden_latency_seconds Time\n"
        "# TYPE golden_latency_seconds histogram\n"
        "golden_latency_seconds_bucket{otel_scope_name=\"golden.scope\",otel_scope_version=\"1.2.3\",le=\"0.1\""
        "} 1\n"
        "golden_latency_seconds_bucket{otel_scope_name=\"golden.scope\",otel_scope_version=\"1.2.3\",le=\"1\"}"
        " 2\n"
        "golden_latency_seconds_bucket{otel_scope_name=\"golden.scope\",otel_scope_version=\"1.2.3\",le=\"10\""
        "} 2\n"
        "golden_latency_seconds_bucket{otel_scope_name=\"golden.scope\",otel_scope_version=\"1.2.3\",le=\"+Inf"
        "\"} 3\n"
        "golden_latency_seconds_count{otel_scope_name=\"golden.scope\",otel_scope_version=\"1.2.3\"} 3\n"
        "golden_latency_seconds_sum{otel_scope_name=\"golden.scope\",otel_scope_version=\"1.2.3\"} 100.55\n"
        "# TYPE golden_load gauge\n"
        "golden_load 0.25\n"
        "# HELP golden_queue Length\n"
        "# TYPE golden_queue gauge\n"
        "golden_queue -2\n"
        "# HELP golden_requests_total Requests \"served\"\\nby all\n"
        "# TYPE golden_requests_total counter\n"
        "golden_requests_total{code=\"200\",route=\"/a \\\"b\\\"\\\\\"} 3\n"
        "golden_requests_total{code=\"500\",route=\"/caf\303\251\357\277\275\"} 1\n");
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

static int times(const char* text, const char* what) {
    int n = 0;
    for (; (text = strstr(text, what)) != NULL; text++) { n++; }
    return n;
}

/* Each key, as it is sent, stands once in its list and has its last value, and attributes that are sent as the same ones are
   one series. All keys of one list are equal once their last byte is U+FFFD. */
#define ALIKE(key) TEL_ATTRS(tel_int(key "\xff", 10), tel_int(key "\xef\xbf\xbd", 20), tel_int(key "\xfe", 30))
static void check_once(const char* text, const char* key) {
    char want[64];
    snprintf(want, sizeof want, "\"%s\xef\xbf\xbd\",\"value\":{\"intValue\":\"30\"}", key);
    CHECK_INT(times(text, want), 1);
    snprintf(want, sizeof want, "\"%s\xef", key);
    CHECK_INT(times(text, want), 1);
}
static void record_alike(void) {
    static tel_counter hits = TEL_INSTRUMENT("alike.hits", NULL, NULL), words = TEL_INSTRUMENT("alike.words", NULL, NULL);
    char end[2] = "\xff";
    tel_span_desc d;
    tel_link link;
    tel_span s;
    int i;
    memset(&d, 0, sizeof d);
    memset(&link, 0, sizeof link);
    link.context = parent;
    link.attrs = ALIKE("started");
    d.name = "alike";
    d.attrs = ALIKE("start");
    d.links = &link;
    d.link_count = 1;
    s = tel_span_start_ex(&d);
    tel_span_set(&s, tel_int("set\xff", 10));
    tel_span_set(&s, tel_int("set\xfe", 30));
    tel_span_set(&s, tel_map("map", ALIKE("inner")));
    tel_span_event(&s, "e", ALIKE("event"));
    tel_span_link(&s, &parent, ALIKE("link"));
    tel_span_end(&s);
    tel_log(TEL_INFO, "l", ALIKE("log"));
    for (i = 0; i < 10; i++) {
        end[0] = (char)(0xf0 + i);
        tel_counter_add_with(&hits, 1, ALIKE("point"));
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_int("point\xfc", 30)));
        tel_counter_add_with(&words, 1, TEL_ATTRS(tel_str("word", end)));
    }
    tel_counter_add(tel_counter_bind(&hits, ALIKE("point")), 5);
}

static void test_alike(void) {
    static const tel_attr own[] = {
        { "place\xff", TEL_TYPE_INT, 0, { .i = 10 } }, { "place\xfe", TEL_TYPE_INT, 0, { .i = 30 } }
    };
    static const tel_scope place = { "place", NULL, NULL, { own, 2 } };
    static const char* const keys[] = { "place", "res", "started", "start", "set", "inner", "event", "link", "log", "point" };
    static page lines, text;
    tel_writer to_lines = { write_page, &lines }, to_text = { write_page, &text };
    tel_sink sink = tel_sink_jsonl(&to_lines);
    tel_desc d = test_desc(&sink, 1);
    tel_log_desc l;
    size_t i;
    memset(&l, 0, sizeof l);
    l.scope = &place;
    l.severity = TEL_INFO;
    d.no_thread = true;
    d.resource = ALIKE("res");
    CHECK_INT(tel_init(&d), TEL_OK);
    record_alike();
    tel_log_ex(&l);
    CHECK_INT(tel_flush(5000), TEL_OK);
    for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char* at = strstr(lines.data, keys[i][0] == 'r' ? "{\"resource" : "\"scopeSpans");
        char* end = keys[i][0] == 'r' ? strchr(at, '\n') : NULL;
        if (end) { *end = 0; }
        check_once(at, keys[i]);
        if (end) { *end = '\n'; }
    }
    CHECK_INT(times(lines.data, "\"asInt\":\"25\""), 1);
    CHECK_INT(times(lines.data, "\"word\",\"value\":{\"stringValue\":\"\xef\xbf\xbd\"}"), 1);
    CHECK_INT(times(lines.data, "\"asInt\":\"10\""), 1);
    CHECK_INT(tel_prometheus_render(to_text), TEL_OK);
    CHECK_INT(times(text.data, "alike_hits_total{point_=\"30\"} 25\n"), 1);
    CHECK_INT(times(text.data, "alike_hits"), 2);       /* its type, and one series */
    CHECK_INT(times(text.data, "alike_words_total{word=\"\xef\xbf\xbd\"} 10\n"), 1);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

int main(void) {
    capture_watchdog(60);
    test_golden();
    test_alike();
    return check_done();
}
