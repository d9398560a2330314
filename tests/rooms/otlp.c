/* Room test of >>otlp: golden documents for each signal, scopes that alternate, texts that do not fit, answers of receivers.
   Run with "--write DIR" it writes its documents there instead, for tests/peers/otlp_schema.py. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include "../pieces.h"

static const char* write_dir;
static int written;

static tel_text text(const char* s) { return tel__text_of(s); }

static void write_document(const char* data, size_t size) {
    char path[512];
    FILE* f;
    snprintf(path, sizeof path, "%s/%02d.json", write_dir, written++);
    f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) { perror(path); exit(1); }
}

/* The document as a NUL-terminated string; valid until the next call. */
static const char* encode(const tel_batch* batch, tel_signal signal) {
    static char buffer[400000];
    tel__text_out out = tel__text_fixed(buffer, sizeof buffer - 1);
    tel_result r = tel__otlp_encode(batch, signal, &out);
    CHECK_INT(r, TEL_OK);
    buffer[out.size] = 0;
    if (write_dir) { write_document(buffer, out.size); }
    return buffer;
}

static size_t occurrences(const char* s, const char* what) {
    size_t n = 0;
    for (; (s = strstr(s, what)) != NULL; s += strlen(what)) { n++; }
    return n;
}

/* ---- the material ---- */

static tel_scope_view scope_a, scope_b;
static tel_attr resource[2];
static tel_batch batch;

static void fill_ids(tel_context* c, int first) {
    int i;
    memset(c, 0, sizeof *c);
    for (i = 0; i < 16; i++) { c->trace_id[i] = (uint8_t)(first + i); }
    for (i = 0; i < 8; i++) { c->span_id[i] = (uint8_t)(first + 0xa0 + i); }
    c->flags = 3;
}

static void reset(void) {
    memset(&batch, 0, sizeof batch);
    memset(&scope_a, 0, sizeof scope_a);
    memset(&scope_b, 0, sizeof scope_b);
    scope_a.name = text("lib.a");
    scope_a.version = text("1.2");
    scope_a.schema_url = text("https://opentelemetry.io/schemas/1.44.0");
    scope_b.name = text("lib.b");
    resource[0] = tel_str("service.name", "shop");
    resource[1] = tel_int("process.pid", 42);
    batch.resource = tel__attrs(resource, 2);
}

#define RESOURCE \
    "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}," \
    "{\"key\":\"process.pid\",\"value\":{\"intValue\":\"42\"}}]}"
#define SCOPE_A "\"scope\":{\"name\":\"lib.a\",\"version\":\"1.2\"}"
#define SCHEMA_A "\"schemaUrl\":\"https://opentelemetry.io/schemas/1.44.0\""

/* ---- spans ---- */

static tel_span_view plain_span(const tel_scope_view* scope) {
    tel_span_view s;
    memset(&s, 0, sizeof s);
    s.scope = scope;
    fill_ids(&s.context, 0);
    s.name = text("GET /");
    s.start_unix_ns = 1544712660000000000u;
    s.end_unix_ns = 1544712661000000007u;
    return s;
}

static void test_span_plain(void) {
    tel_span_view s = plain_span(&scope_a);
    reset();
    s.kind = TEL_SPAN_SERVER;
    batch.spans = &s;
    batch.span_count = 1;
    CHECK_STR(encode(&batch, TEL_SIGNAL_SPANS),
        "{\"resourceSpans\":[{" RESOURCE ",\"scopeSpans\":[{" SCOPE_A ",\"spans\":[{"
        "\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"spanId\":\"a0a1a2a3a4a5a6a7\",\"name\":\"GET /\","
        "\"kind\":2,"
        "\"startTimeUnixNano\":\"1544712660000000000\",\"endTimeUnixNano\":\"1544712661000000007\",\"flags\":259}],"
        SCHEMA_A "}]}]}");
}

static void test_span_full(void) {
    tel_span_view s = plain_span(&scope_b);
    tel_attr a[7], event_attr[1], link_attr[1], scope_attr[1];
    tel_event_view events[2];
    tel_link_view links[2];
    reset();
    memset(events, 0, sizeof events);
    memset(links, 0, sizeof links);
    a[0] = tel_str("s", "a\"b\\c\n\x01\xff.\xc3\xa9");
    a[1] = tel_bool("b", false);
    a[2] = tel_int("i", INT64_MIN);
    a[3] = tel_double("d", 0.5);
    a[4] = tel_strn("n", "abcdef", 3);
    a[5] = tel_strn("empty", NULL, SIZE_MAX);
    a[6] = tel_int("none", 1);
    a[6].type = TEL_TYPE_NONE;
    event_attr[0] = tel_bool("hit", true);
    link_attr[0] = tel_double("w", -0.0);
    scope_attr[0] = tel_int("shard", 7);
    scope_b.attrs = tel__attrs(scope_attr, 1);
    events[0].name = text("cache");
    events[0].unix_ns = 1544712660500000000u;
    events[0].attrs = tel__attrs(event_attr, 1);
    events[0].dropped_attrs = 9;
    events[1].unix_ns = 1;
    fill_ids(&links[0].context, 0x20);
    fill_ids(&links[1].context, 0x30);
    links[0].context.remote = 1;
    links[1].context.flags = 0;
    links[1].attrs = tel__attrs(link_attr, 1);
    memset(s.parent_span_id, 0xbe, 8);
    s.parent_remote = true;
    s.kind = TEL_SPAN_CONSUMER;
    s.attrs = tel__attrs(a, 7);
    s.events = events;
    s.event_count = 2;
    s.links = links;
    s.link_count = 2;
    s.status = TEL_STATUS_ERROR;
    s.status_message = text("timeout");
    s.dropped_attrs = 1;
    s.dropped_events = 2;
    s.dropped_links = 4294967295u;
    batch.spans = &s;
    batch.span_count = 1;
    CHECK_STR(encode(&batch, TEL_SIGNAL_SPANS),
        "{\"resourceSpans\":[{" RESOURCE ",\"scopeSpans\":[{\"scope\":{\"name\":\"lib.b\",\"attributes\":["
        "{\"key\":\"shard\",\"value\":{\"intValue\":\"7\"}}]},\"spans\":[{"
        "\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"spanId\":\"a0a1a2a3a4a5a6a7\","
        "\"parentSpanId\":\"bebebebebebebebe\",\"name\":\"GET /\",\"kind\":5,"
        "\"startTimeUnixNano\":\"1544712660000000000\",\"endTimeUnixNano\":\"1544712661000000007\",\"attributes\":["
        "{\"key\":\"s\",\"value\":{\"stringValue\":\"a\\\"b\\\\c\\n\\u0001\xef\xbf\xbd.\xc3\xa9\"}},"
        "{\"key\":\"b\",\"value\":{\"boolValue\":false}},"
        "{\"key\":\"i\",\"value\":{\"intValue\":\"-9223372036854775808\"}},"
        "{\"key\":\"d\",\"value\":{\"doubleValue\":0.5}},"
        "{\"key\":\"n\",\"value\":{\"stringValue\":\"abc\"}},"
        "{\"key\":\"empty\",\"value\":{\"stringValue\":\"\"}},"
        "{\"key\":\"none\",\"value\":{}}],\"droppedAttributesCount\":1,\"events\":["
        "{\"timeUnixNano\":\"1544712660500000000\",\"name\":\"cache\",\"attributes\":["
        "{\"key\":\"hit\",\"value\":{\"boolValue\":true}}],\"droppedAttributesCount\":9},{\"timeUnixNano\":\"1\"}],"
        "\"droppedEventsCount\":2,\"links\":["
        "{\"traceId\":\"202122232425262728292a2b2c2d2e2f\",\"spanId\":\"c0c1c2c3c4c5c6c7\",\"flags\":771},"
        "{\"traceId\":\"303132333435363738393a3b3c3d3e3f\",\"spanId\":\"d0d1d2d3d4d5d6d7\",\"attributes\":["
        "{\"key\":\"w\",\"value\":{\"doubleValue\":-0.0}}],\"flags\":256}],\"droppedLinksCount\":4294967295,"
        "\"status\":{\"message\":\"timeout\",\"code\":2},\"flags\":771}]}]}]}");
}

static void test_span_odd(void) {
    tel_span_view s = plain_span(&scope_b);
    tel_attr a[5];
    volatile double zero = 0;
    const char* json;
    reset();
    a[0] = tel_double("nan", zero / zero);
    a[1] = tel_double("inf", 1 / zero);
    a[2] = tel_double("-inf", -1 / zero);
    a[3] = tel_int("key and more", 1);
    a[3].tel__key_size = 3;
    a[4] = a[3];
    a[4].key = NULL;
    a[4].tel__key_size = 0;
    s.name.size = 0;
    s.kind = (tel_span_kind)7;
    s.status = TEL_STATUS_OK;
    s.attrs = tel__attrs(a, 5);
    s.context.flags = 0;
    batch.resource.count = 0;
    batch.spans = &s;
    batch.span_count = 1;
    json = encode(&batch, TEL_SIGNAL_SPANS);
    CHECK(strstr(json, "\"resource\":{},") != NULL);
    CHECK(strstr(json, "\"name\":\"\"") == NULL);
    CHECK(strstr(json, "\"kind\":1,") != NULL);
    CHECK(strstr(json, "\"status\":{\"code\":1},\"flags\":256}") != NULL);
    CHECK(strstr(json, "{\"doubleValue\":\"NaN\"}") != NULL);
    CHECK(strstr(json, "{\"doubleValue\":\"Infinity\"}") != NULL);
    CHECK(strstr(json, "{\"doubleValue\":\"-Infinity\"}") != NULL);
    CHECK(strstr(json, "{\"key\":\"key\",\"value\":{\"intValue\":\"1\"}},{\"key\":\"\",\"value\":") != NULL);
    s.name = text("x");
    s.name.size = SIZE_MAX;
    CHECK(strstr(encode(&batch, TEL_SIGNAL_SPANS), "\"name\":\"x\"") != NULL);
}

/* ---- logs ---- */

static void test_logs(void) {
    tel_log_view l[3];
    tel_attr a[1];
    reset();
    memset(l, 0, sizeof l);
    a[0] = tel_int("n", 0);
    l[0].scope = &scope_a;
    l[0].unix_ns = 1544712660300000000u;
    l[0].observed_unix_ns = 1544712660300000001u;
    l[0].severity = (tel_severity)18;
    l[0].body = text("disk full");
    l[0].attrs = tel__attrs(a, 1);
    l[0].dropped_attrs = 2;
    fill_ids(&l[0].context, 0);
    l[1].scope = &scope_a;
    l[1].observed_unix_ns = 5;
    l[1].body = text("");
    l[1].context.span_id[0] = 1;            /* means nothing without a trace id */
    l[1].context.flags = 1;
    l[2].scope = &scope_a;
    l[2].event_name = text("order.placed");
    l[2].severity = TEL_INFO;
    fill_ids(&l[2].context, 0);
    memset(l[2].context.span_id, 0, 8);
    l[2].context.flags = 0;
    batch.logs = l;
    batch.log_count = 3;
    CHECK_STR(encode(&batch, TEL_SIGNAL_LOGS),
        "{\"resourceLogs\":[{" RESOURCE ",\"scopeLogs\":[{" SCOPE_A ",\"logRecords\":["
        "{\"timeUnixNano\":\"1544712660300000000\",\"observedTimeUnixNano\":\"1544712660300000001\","
        "\"severityNumber\":18,"
        "\"severityText\":\"ERROR2\",\"body\":{\"stringValue\":\"disk full\"},\"attributes\":["
        "{\"key\":\"n\",\"value\":{\"intValue\":\"0\"}}],\"droppedAttributesCount\":2,\"flags\":3,"
        "\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"spanId\":\"a0a1a2a3a4a5a6a7\"},"
        "{\"observedTimeUnixNano\":\"5\",\"body\":{\"stringValue\":\"\"}},"
        "{\"observedTimeUnixNano\":\"0\",\"severityNumber\":9,\"severityText\":\"INFO\","
        "\"traceId\":\"000102030405060708090a0b0c0d0e0f\",\"eventName\":\"order.placed\"}"
        "]," SCHEMA_A "}]}]}");
}

static void test_severities(void) {
    static const char* want[] = {
        "", "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4", "INFO", "INFO2", "INFO3",
        "INFO4", "WARN", "WARN2", "WARN3", "WARN4", "ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2",
        "FATAL3",
        "FATAL4", ""
    };
    uint32_t i;
    for (i = 0; i < 26; i++) { CHECK_STR(tel__otlp_severity(i).data, want[i]); }
    CHECK_STR(tel__otlp_severity(UINT32_MAX).data, "");
}

/* ---- metrics ---- */

static tel_metric_view metric(const char* name, tel_metric_kind kind, const tel_point* points, size_t count) {
    tel_metric_view m;
    memset(&m, 0, sizeof m);
    m.scope = &scope_a;
    m.name = text(name);
    m.kind = kind;
    m.points = points;
    m.point_count = count;
    return m;
}

static void test_metrics(void) {
    static const double bounds[2] = { 0.5, 10 };
    static const uint64_t buckets[3] = { 1, 0, 2 };
    tel_point sum[2], gauge[1], histogram[3];
    tel_metric_view m[6];
    tel_attr a[1];
    size_t i;
    reset();
    memset(sum, 0, sizeof sum);
    memset(gauge, 0, sizeof gauge);
    memset(histogram, 0, sizeof histogram);
    a[0] = tel_str("route", "/cart");
    for (i = 0; i < 2; i++) {
        sum[i].start_unix_ns = 10;
        sum[i].unix_ns = 20;
    }
    for (i = 0; i < 3; i++) {
        histogram[i].start_unix_ns = 10;
        histogram[i].unix_ns = 20;
    }
    histogram[2].count = 1;
    histogram[2].d = histogram[2].min = histogram[2].max = 4;
    histogram[2].buckets = buckets;
    sum[0].attrs = tel__attrs(a, 1);
    sum[0].i = -3;
    sum[0].d = 2.5;
    gauge[0].unix_ns = 20;
    gauge[0].d = 0;
    histogram[0].count = 3;
    histogram[0].d = 30.25;
    histogram[0].min = -1;
    histogram[0].max = 20;
    histogram[0].bounds = bounds;
    histogram[0].buckets = buckets;
    histogram[0].bound_count = 2;
    m[0] = metric("orders", TEL_METRIC_SUM, sum, 2);
    m[0].unit = text("{order}");
    m[0].description = text("Orders placed");
    m[0].monotonic = m[0].cumulative = m[0].integer = true;
    m[1] = metric("queue", TEL_METRIC_SUM, sum, 1);
    m[2] = metric("temperature", TEL_METRIC_GAUGE, gauge, 1);
    m[3] = metric("later", (tel_metric_kind)9, gauge, 1);
    m[4] = metric("nothing", TEL_METRIC_SUM, NULL, 0);
    m[5] = metric("latency", TEL_METRIC_HISTOGRAM, histogram, 3);
    m[1].cumulative = true;
    batch.metrics = m;
    batch.metric_count = 6;
    CHECK_STR(encode(&batch, TEL_SIGNAL_METRICS),
        "{\"resourceMetrics\":[{" RESOURCE ",\"scopeMetrics\":[{" SCOPE_A ",\"metrics\":["
        "{\"name\":\"orders\",\"description\":\"Orders placed\",\"unit\":\"{order}\",\"sum\":{\"dataPoints\":["
        "{\"attributes\":[{\"key\":\"route\",\"value\":{\"stringValue\":\"/cart\"}}],"
        "\"startTimeUnixNano\":\"10\",\"timeUnixNano\":\"20\",\"asInt\":\"-3\"},"
        "{\"startTimeUnixNano\":\"10\",\"timeUnixNano\":\"20\",\"asInt\":\"0\"}],"
        "\"aggregationTemporality\":2,\"isMonotonic\":true}},"
        "{\"name\":\"queue\",\"sum\":{\"dataPoints\":["
        "{\"attributes\":[{\"key\":\"route\",\"value\":{\"stringValue\":\"/cart\"}}],"
        "\"startTimeUnixNano\":\"10\",\"timeUnixNano\":\"20\",\"asDouble\":2.5}],\"aggregationTemporality\":2}},"
        "{\"name\":\"temperature\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"20\",\"asDouble\":0}]}},"
        "{\"name\":\"latency\",\"histogram\":{\"dataPoints\":["
        "{\"startTimeUnixNano\":\"10\",\"timeUnixNano\":\"20\",\"count\":\"3\",\"sum\":30.25,"
        "\"bucketCounts\":[\"1\",\"0\",\"2\"],\"explicitBounds\":[0.5,10],\"min\":-1,\"max\":20},"
        "{\"startTimeUnixNano\":\"10\",\"timeUnixNano\":\"20\",\"count\":\"0\",\"sum\":0},"
        "{\"startTimeUnixNano\":\"10\",\"timeUnixNano\":\"20\",\"count\":\"1\",\"sum\":4,\"bucketCounts\":[\"1\"],"
        "\"min\":4,\"max\":4}],\"aggregationTemporality\":1}}]," SCHEMA_A "}]}]}");
    batch.metrics = m + 3;
    batch.metric_count = 2;
    CHECK_STR(encode(&batch, TEL_SIGNAL_METRICS), "{}");
}

static void test_exponential(void) {
    static const uint64_t buckets[] = { 0, 300, 0, 1, 0 };
    tel_point p[2];
    tel_metric_view m;
    reset();
    memset(p, 0, sizeof p);
    m = metric("latency", TEL_METRIC_EXPONENTIAL, p, 2);
    p[0].unix_ns = p[1].unix_ns = 20;
    p[0].start_unix_ns = 10;
    p[0].count = 303;
    p[0].d = 30.25;
    p[0].min = 0;
    p[0].max = 20;
    p[0].scale = -1;
    p[0].offset = -5;
    p[0].zero_count = 2;
    p[0].zero_threshold = 0.25;
    p[0].buckets = buckets;
    p[0].bucket_count = 5;
    m.cumulative = true;
    batch.metrics = &m;
    batch.metric_count = 1;
    CHECK_STR(encode(&batch, TEL_SIGNAL_METRICS),
        "{\"resourceMetrics\":[{" RESOURCE ",\"scopeMetrics\":[{" SCOPE_A ",\"metrics\":["
        "{\"name\":\"latency\",\"exponentialHistogram\":{\"dataPoints\":["
        "{\"startTimeUnixNano\":\"10\",\"timeUnixNano\":\"20\",\"count\":\"303\",\"sum\":30.25,\"scale\":-1,"
        "\"zeroCount\":\"2\",\"positive\":{\"offset\":-4,\"bucketCounts\":[\"300\",\"0\",\"1\"]},"
        "\"min\":0,\"max\":20,\"zeroThreshold\":0.25},"
        "{\"timeUnixNano\":\"20\",\"count\":\"0\",\"sum\":0,\"scale\":0,\"zeroCount\":\"0\"}],"
        "\"aggregationTemporality\":2}}]," SCHEMA_A "}]}]}");
}

/* ---- scopes ---- */

static void test_scopes_alternate(void) {
    tel_span_view s[6];
    const char* json;
    size_t i;
    reset();
    for (i = 0; i < 6; i++) {
        static const char* names[] = { "s0", "s1", "s2", "s3", "s4", "s5" };
        s[i] = plain_span(i % 2 ? &scope_b : &scope_a);
        s[i].name = text(names[i]);
    }
    batch.spans = s;
    batch.span_count = 6;
    json = encode(&batch, TEL_SIGNAL_SPANS);
    CHECK_INT(occurrences(json, "\"scope\":"), 2);
    CHECK_INT(occurrences(json, "\"name\":\"lib.a\""), 1);
    CHECK_INT(occurrences(json, "\"name\":\"lib.b\""), 1);
    CHECK_INT(occurrences(json, "\"resource\":"), 1);
    CHECK_INT(occurrences(json, "\"traceId\":"), 6);
    CHECK(strstr(json, "lib.a") < strstr(json, "\"s4\"") && strstr(json, "\"s4\"") < strstr(json, "lib.b"));
    CHECK(strstr(json, "\"s0\"") < strstr(json, "\"s2\"") && strstr(json, "lib.b") < strstr(json, "\"s1\""));
}

/* More scopes than the table holds: every item is still there once, and neighbours share an object. */
static void test_scopes_many(void) {
    enum { SCOPES = 100, EACH = 3 };
    static tel_scope_view scopes[SCOPES];
    static tel_span_view s[SCOPES * EACH];
    static char names[SCOPES * EACH][16], scope_names[SCOPES][16];
    char quoted[32];
    const char* json;
    size_t i, once = 0;
    reset();
    for (i = 0; i < SCOPES * EACH; i++) {
        size_t scope = i < SCOPES ? i : (i - SCOPES) / 2;      /* first all in turn, then pairs of neighbours */
        s[i] = plain_span(&scopes[scope]);
        snprintf(names[i], sizeof names[i], "item%u", (unsigned)i);
        snprintf(scope_names[scope], sizeof scope_names[scope], "scope%u", (unsigned)scope);
        s[i].name = text(names[i]);
    }
    for (i = 0; i < SCOPES; i++) { scopes[i].name = text(scope_names[i]); }
    batch.spans = s;
    batch.span_count = SCOPES * EACH;
    json = encode(&batch, TEL_SIGNAL_SPANS);
    for (i = 0; i < SCOPES * EACH; i++) {
        snprintf(quoted, sizeof quoted, "\"item%u\"", (unsigned)i);
        once += occurrences(json, quoted) == 1;
    }
    CHECK_INT(once, SCOPES * EACH);
    CHECK_INT(occurrences(json, "\"scope\":"), TEL__OTLP_GROUPS + 2 * (SCOPES - TEL__OTLP_GROUPS));
}

/* A metric that has no form in OTLP opens no scope object, not even among those that the table cannot hold. */
static void test_scopes_of_unknown(void) {
    enum { SCOPES = TEL__OTLP_GROUPS * 2 };
    static tel_scope_view scopes[SCOPES];
    static tel_metric_view m[SCOPES];
    tel_point point;
    const char* json;
    size_t i;
    reset();
    memset(&point, 0, sizeof point);
    point.unix_ns = 1;
    for (i = 0; i < SCOPES; i++) {
        m[i] = metric("m", TEL_METRIC_GAUGE, &point, i % 4 == 3 ? 0 : 1);
        m[i].scope = &scopes[i];
    }
    batch.metrics = m;
    batch.metric_count = SCOPES;
    json = encode(&batch, TEL_SIGNAL_METRICS);
    CHECK_INT(occurrences(json, "\"scope\":{}"), SCOPES * 3 / 4);
    CHECK_INT(occurrences(json, "\"dataPoints\""), SCOPES * 3 / 4);
    CHECK_INT(occurrences(json, "[]"), 0);
}

/* ---- texts that do not fit, texts in pieces ---- */

static void test_signals(void) {
    char buffer[100];
    tel__text_out out = tel__text_fixed(buffer, sizeof buffer);
    reset();
    CHECK_STR(encode(&batch, TEL_SIGNAL_SPANS), "{}");
    CHECK_STR(encode(&batch, TEL_SIGNAL_LOGS), "{}");
    CHECK_INT(tel__otlp_encode(&batch, TEL_SIGNAL_ALL, &out), TEL_ERR_ARGUMENT);
    CHECK_INT(tel__otlp_encode(&batch, (tel_signal)0, &out), TEL_ERR_ARGUMENT);
    CHECK_INT(out.size, 0);
}

/* Every capacity below the size needed: reported, and no byte written behind the end. */
static void test_short_buffers(void) {
    static char buffer[4096];
    tel_span_view s = plain_span(&scope_a);
    tel_attr a[2];
    size_t whole, capacity, wrong = 0;
    reset();
    a[0] = tel_str("key", "a longer value, with \"quotes\" and \x01");
    a[1] = tel_double("d", 3.25);
    s.attrs = tel__attrs(a, 2);
    batch.spans = &s;
    batch.span_count = 1;
    whole = strlen(encode(&batch, TEL_SIGNAL_SPANS));
    for (capacity = 0; capacity < whole; capacity++) {
        tel__text_out out = tel__text_fixed(buffer, capacity);
        memset(buffer, '~', sizeof buffer);
        wrong += tel__otlp_encode(&batch, TEL_SIGNAL_SPANS, &out) != TEL_ERR_MEMORY;
        wrong += out.lost == 0 || out.size > capacity || buffer[capacity] != '~';
    }
    CHECK_INT(wrong, 0);
    {
        tel__text_out out = tel__text_fixed(buffer, whole + 64);
        CHECK_INT(tel__otlp_encode(&batch, TEL_SIGNAL_SPANS, &out), TEL_OK);
        CHECK_INT(out.size, whole);
    }
}

/* Once a byte is lost the rest of the batch is not worth encoding: lost does not grow with it. */
static size_t lost_of(tel_signal signal) {
    char buffer[600];
    tel__text_out out = tel__text_fixed(buffer, sizeof buffer);
    CHECK_INT(tel__otlp_encode(&batch, signal, &out), TEL_ERR_MEMORY);
    return out.lost;
}

static void test_gives_up(void) {
    enum { MANY = 1000 };
    static tel_attr a[MANY];
    static tel_event_view events[MANY];
    static tel_link_view links[MANY];
    static tel_span_view s[MANY];
    static tel_point points[MANY];
    tel_metric_view m = metric("m", TEL_METRIC_GAUGE, points, MANY);
    size_t i;
    reset();
    memset(events, 0, sizeof events);
    memset(links, 0, sizeof links);
    memset(points, 0, sizeof points);
    for (i = 0; i < MANY; i++) {
        a[i] = tel_int("key", 1);
        s[i] = plain_span(&scope_b);
    }
    batch.metrics = &m;
    batch.metric_count = 1;
    CHECK(lost_of(TEL_SIGNAL_METRICS) < 500);
    m.kind = TEL_METRIC_HISTOGRAM;
    CHECK(lost_of(TEL_SIGNAL_METRICS) < 500);
    batch.spans = s;
    batch.span_count = MANY;
    CHECK(lost_of(TEL_SIGNAL_SPANS) < 500);
    batch.span_count = 1;
    s[0].attrs = tel__attrs(a, MANY);
    CHECK(lost_of(TEL_SIGNAL_SPANS) < 500);
    s[0].attrs.count = 0;
    s[0].events = events;
    s[0].event_count = MANY;
    CHECK(lost_of(TEL_SIGNAL_SPANS) < 500);
    s[0].event_count = 0;
    s[0].links = links;
    s[0].link_count = MANY;
    CHECK(lost_of(TEL_SIGNAL_SPANS) < 500);
}

/* A builder that hands its text on each time its 64 bytes are full. */
static void test_pieces(void) {
    static char want[8192], have[8192], window[64];
    tel_span_view s[3];
    tel_attr a[2];
    pieces sink;
    tel__text_out out = tel__text_fixed(window, sizeof window);
    reset();
    s[0] = s[1] = s[2] = plain_span(&scope_a);
    a[0] = tel_str("key", "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789");
    a[1] = tel_int("i", 5);
    s[1].attrs = tel__attrs(a, 2);
    batch.spans = s;
    batch.span_count = 3;
    strcpy(want, encode(&batch, TEL_SIGNAL_SPANS));
    sink.data = have;
    sink.size = 0;
    out.more_fn = pieces_more;
    out.user_data = &sink;
    CHECK_INT(tel__otlp_encode(&batch, TEL_SIGNAL_SPANS, &out), TEL_OK);
    (void)pieces_more(&out, 0);
    have[sink.size] = 0;
    CHECK_STR(have, want);
}

/* What precedes a value is rendered once for many spans; through a window too small for that, each is written out. Both say the same,
   whatever changes from span to span: keys, types, values, how many there are. */
static void test_leads(void) {
    enum { SPANS = 60, EACH = 11 };
    static char want[128 * 1024], window[64], keys[SPANS][EACH][80];
    static tel_attr a[SPANS][EACH];
    static tel_span_view s[SPANS];
    pieces sink;
    tel__text_out out = tel__text_fixed(window, sizeof window);
    int i, k;
    reset();
    for (i = 0; i < SPANS; i++) {
        s[i] = plain_span(&scope_a);
        for (k = 0; k < EACH; k++) {
            const char* odd = i % 7 == 3 ? "\"\\" : i % 7 == 5 ? "\xc3\xa9\xff" : "";
            snprintf(keys[i][k], sizeof keys[i][k], "%s%.*s%d", odd, i % 4 == k % 4 ? 59 + i % 3 : 8 + k,
                     "key.of.an.attribute.that.may.be.so.long.that.it.has.no.lead.at.all", i / 20);
            a[i][k] = tel_int(keys[i][k], -i * k);
            if ((i + k) % 5 == 1) { a[i][k] = tel_str(keys[i][k], i % 3 ? "value" : "\"a value that has to be escaped\n"); }
            if ((i / 8 + k) % 5 == 2) { a[i][k] = tel_double(keys[i][k], i * 0.25 - k); }
            if ((i / 16 + k) % 5 == 3) { a[i][k] = tel_bool(keys[i][k], i % 2 != 0); }
        }
        a[i][i % EACH].type = i % 9 ? a[i][i % EACH].type : TEL_TYPE_NONE;
        s[i].attrs = tel__attrs(a[i], (size_t)(i % (EACH + 1)));
    }
    batch.spans = s;
    batch.span_count = SPANS;
    sink.data = want;
    sink.size = 0;
    out.more_fn = pieces_more;
    out.user_data = &sink;
    CHECK_INT(tel__otlp_encode(&batch, TEL_SIGNAL_SPANS, &out), TEL_OK);
    (void)pieces_more(&out, 0);
    want[sink.size] = 0;
    CHECK(sink.size > 20000);
    CHECK_STR(encode(&batch, TEL_SIGNAL_SPANS), want);
}

/* ---- answers ---- */

static int64_t rejected;
static char message[40];

static tel_result answer(const char* json) {
    size_t size = strlen(json);
    char* exact = (char*)malloc(size ? size : 1);       /* no NUL: reading past the end shows under ASan */
    tel_result r;
    if (!exact) { abort(); }
    memcpy(exact, json, size);
    rejected = -1;
    memset(message, '~', sizeof message);
    r = tel__otlp_read_response(exact, size, &rejected, message, sizeof message);
    free(exact);
    return r;
}

static void test_answers_good(void) {
    static const struct { const char* json; int64_t rejected; const char* message; } cases[] = {
        { "", 0, "" },
        { " \r\n\t", 0, "" },
        { "{}", 0, "" },
        { "{\"partialSuccess\":{}}", 0, "" },
        { "{\"partialSuccess\":null}", 0, "" },
        { "{\"partialSuccess\":{\"rejectedSpans\":\"5\",\"errorMessage\":\"too old\"}}", 5, "too old" },
        { "{\"partialSuccess\":{\"rejectedDataPoints\":7}}", 7, "" },
        { " { \"partialSuccess\" : { \"errorMessage\" : null , \"rejectedLogRecords\" : null } } ", 0, "" },
        { "{\"partialSuccess\":{\"rejectedLogRecords\":9223372036854775807}}", INT64_MAX, "" },
        { "{\"partialSuccess\":{\"rejectedSpans\":0,\"errorMessage\":\"hint\"}}", 0, "hint" },
        { "{\"new\":[1,-0.5e+3,{\"a\":[[],{},true,false,null,\"x\"]}],\"partialSuccess\":{\"x\":{},"
        "\"rejectedSpans\":1}}", 1, "" },
        { "{\"code\":3,\"message\":\"bad \\\"id\\\"\",\"details\":[{\"@type\":\"t\"}]}", 0, "bad \"id\"" },
        { "{\"message\":{\"not\":\"text\"}}", 0, "" },
        { "{\"message\":\"outer\",\"partialSuccess\":{\"rejectedSpans\":2,\"errorMessage\":\"inner\"}}", 2, "inner" },
        { "{\"message\":\"\\u00e9\\u20ac\\ud83d\\ude00\\ud83d\\u0041\\ude00\"}", 0,
          "\xc3\xa9\xe2\x82\xac???A?" },
        { "{\"message\":\"\\ud7ff\\ue000\\ud800\\udfff.\"}", 0, "\xed\x9f\xbf\xee\x80\x80??." },
        { "{\"message\":\"\xf0\x9f\x98\x80\xc2\x9b.\"}", 0, "\xf0\x9f\x98\x80 ." },
        { "{\"message\":\"\\u007e\\u007f\\u0080\\u009f\\u00a0\\u07ff\\u0800\\uffff\\u001f\\u0020\\u0021\"}", 0,
          "~   \xc2\xa0\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf  !" },
        { "{\"message\":\"a\\n\\u001b[1m\\u0000\\u009b\\/\\\\\\t\x7f.\"}", 0, "a  [1m  /\\  ." },
        { "{\"message\":\"\xc3\xa9 \xff \xe2\x82\"}", 0, "\xc3\xa9 ? ?" },
        { "{\"message\":\"0123456789012345678901234567890123456789\"}",
          0, "012345678901234567890123456789012345678" },
        { "{\"message\":\"01234567890123456789012345678901234567\xc3\xa9\"}",
          0, "01234567890123456789012345678901234567" },
        { "{\"message\":\"0123456789012345678901234567890123456\xc3\xa9\"}", 0,
          "0123456789012345678901234567890123456\xc3\xa9" },
        /* words and escapes are not examined */
        { "{\"a\":01,\"b\":[1.,.5,-,+1,1e,NaN,tru,nulll],\"message\":\"m\"}", 0, "m" },
        { "{\"a\":\"\\x\\5\",\"message\":\"\\5\\u12g4\\u\"}", 0, "5 g4 " },
        { "{\"partialSuccess\":5}", 0, "" }, { "{\"partialSuccess\":[{\"rejectedSpans\":5}]}", 0, "" },
        { "{\"partialSuccess\":{\"rejectedSpans\":{}}}", 0, "" },
        { "{\"partialSuccess\":{\"rejectedSpans\":\"\"}}", 0, "" },
        { "{\"partialSuccess\":{\"errorMessage\":5,\"rejectedSpans\":{\"rejectedSpans\":5}}}", 0, "5" },
        { "{\"x\":{\"partialSuccess\":{\"rejectedSpans\":5}}}", 0, "" },
        { "{\"rejectedSpans\":5,\"errorMessage\":\"m\"}", 0, "" }
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_INT(answer(cases[i].json), TEL_OK);
        CHECK_INT(rejected, cases[i].rejected);
        CHECK_STR(message, cases[i].message);
    }
    CHECK_INT(tel__otlp_read_response(NULL, 5, &rejected, NULL, 0), TEL_OK);
    CHECK_INT(tel__otlp_read_response("{\"message\":\"x\"}", 15, &rejected, NULL, 0), TEL_OK);
}

static void test_answers_bad(void) {
    static const char* const cases[] = {
        "{", "}", "[]", "null", "5", "\"x\"", "{}x", "{}{}", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1\"b\":2}", "{\"a\":x y}", "{\"a\":\"x\"y}", "{\"a\":]}", "{1:2}",
        "{\"a\":[1,]}", "{\"a\":[,1]}", "{\"a\":[1 2]}", "{\"a\":[}", "{\"a\":[1}}", "{\"a\":{\"b\":1]}",
        "{'a':1}", "{a:1}",
        "{\"a\":\"\\u12", "{\"a\":\"\n\"}", "{\"a\":\"\\\"}",
        "{\"a\":\"", "{\"a", "{\"a\":\"\\",
        "\xef\xbb\xbf{}", "<html>no</html>", "upstream connect error",
        "{\"partialSuccess\":{\"rejectedSpans\":-1}}",
        "{\"partialSuccess\":{\"rejectedSpans\":\"x\"}}", "{\"partialSuccess\":{\"rejectedSpans\":1.5}}",
        "{\"partialSuccess\":{\"rejectedSpans\":9223372036854775808}}",
        "{\"partialSuccess\":{\"rejectedSpans\":true}}",
        "{\"a\":1", "{\"a\":1.", "{\"a\":1e", "{\"a\":-", "{\"a\":nul", "{\"a\":\"\x1f\"}", "{\"a\":\"\\u}",
        "{\"a\":\"\n}", "{\"a\":\"\\}", "{\"a\":{,\"b\":1}", "{\"a\":[1}", "{\"a\":{\"b\":1,}", "{:1}",
        "{\"message\":}",
        "{\"partialSuccess\":{\"errorMessage\":}}", "{\"partialSuccess\":{,\"x\":1}",
        "{\"partialSuccess\":{\"rejectedSpans\":}}"
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_INT(answer(cases[i]), TEL_ERR_FORMAT);
        CHECK_INT(rejected, 0);
        CHECK_STR(message, "");
    }
    CHECK_INT(tel__otlp_read_response("{}\0", 3, &rejected, message, sizeof message), TEL_ERR_FORMAT);
    CHECK_INT(tel__otlp_read_response("\0", 1, &rejected, message, sizeof message), TEL_ERR_FORMAT);
}

/* Wherever the end is missing: a count that is whole counts, a count that may go on does not. */
static void test_answers_cut(void) {
    static const char* const cases[] = {
        "{\"partialSuccess\":{\"rejectedSpans\":\"120\" ,\"errorMessage\":\"no \\u0041 room\"}}",
        "{\"partialSuccess\":{\"rejectedSpans\":120,\"errorMessage\":\"no \\u0041 room\"}}"
    };
    size_t i, n;
    for (i = 0; i < 2; i++) {
        size_t whole = strlen(cases[i]), known = (size_t)(strstr(cases[i], "120") - cases[i]) + 4;
        for (n = 1; n <= whole; n++) {
            char part[100];
            memcpy(part, cases[i], n);
            part[n] = 0;
            CHECK_INT(answer(part), n == whole ? TEL_OK : TEL_ERR_FORMAT);
            CHECK_INT(rejected, n >= known ? 120 : 0);
            CHECK(strncmp("no ", message, strlen(message) < 3 ? strlen(message) : 3) == 0);
        }
        CHECK_STR(message, "no A room");
    }
}

static tel_result nested(size_t depth, const char* open, const char* middle, const char* close) {
    static char json[400000];
    size_t i;
    char* p = json + sprintf(json, "{\"x\":");
    for (i = 0; i < depth; i++) { p += sprintf(p, "%s", open); }
    p += sprintf(p, "%s", middle);
    for (i = 0; i < depth; i++) { p += sprintf(p, "%s", close); }
    p += sprintf(p, "}");
    return tel__otlp_read_response(json, (size_t)(p - json), &rejected, message, sizeof message);
}

static void test_answers_deep(void) {
    CHECK_INT(nested(32, "[", "", "]"), TEL_OK);
    CHECK_INT(nested(33, "[", "", "]"), TEL_ERR_FORMAT);
    CHECK_INT(nested(32, "{\"a\":", "1", "}"), TEL_OK);
    CHECK_INT(nested(33, "{\"a\":", "1", "}"), TEL_ERR_FORMAT);
    CHECK_INT(nested(16, "[{\"a\":1,\"b\":", "{}", ",\"c\":[]},5]"), TEL_ERR_FORMAT);
    CHECK_INT(nested(15, "[{\"a\":1,\"b\":", "{}", ",\"c\":[]},5]"), TEL_OK);
    CHECK_INT(nested(15, "[{\"a\":1,\"b\":", "{}", ",\"c\":[]],5}"), TEL_ERR_FORMAT);
    CHECK_INT(nested(60000, "[", "", "]"), TEL_ERR_FORMAT);
    CHECK_INT(nested(33, "[", "", ""), TEL_ERR_FORMAT);
}

/* ---- protobuf: the same walker, read back field by field ---- */

#if !TEL_NO_PROTOBUF
static tel__memory heap;

static tel_text binary(const tel_batch* b, tel_signal signal) {
    static tel__text_out out;
    tel__text_heap_free(&out);
    out = tel__text_heap(&heap);
    CHECK_INT(tel__otlp_encode_as(b, signal, true, &out), TEL_OK);
    return tel__text_sized(out.data, out.size);
}
/* The nth field of that number in a message; number 0: not there. */
static tel__otlp_protobuf_item field(tel_text in, uint64_t number, int nth) {
    tel__otlp_protobuf_item item;
    while (tel__otlp_protobuf_take(&in, &item)) {
        if (item.number == number && nth-- == 0) { return item; }
    }
    CHECK_INT(in.size, 0);
    memset(&item, 0, sizeof item);
    return item;
}
static tel_text inner(tel_text in, uint64_t number, int nth) { return field(in, number, nth).bytes; }
static bool says(tel_text t, const char* s) { return tel__text_equal(t, tel__text_of(s)); }

static void test_protobuf_spans(void) {
    static char large[100000];
    static const uint8_t bytes[] = { 0x0a, 0x84, 0x80, 0x80, 0x00, 0x0a, 0x80, 0x80, 0x80, 0x00 };
    tel_span_view s[2];
    tel_attr a[5];
    tel_text doc, span, value;
    memset(large, 'x', sizeof large);
    reset();
    batch.resource.count = 0;
    CHECK_INT(binary(&batch, TEL_SIGNAL_SPANS).size, 0);            /* nothing of the signal: no bytes */
    reset();
    s[0] = s[1] = plain_span(&scope_a);
    a[0] = tel_str("broken", "a\xff" "b");
    a[1] = tel_int("negative", -2);
    a[2] = tel_double("half", 0.5);
    a[3] = tel_bool("yes", true);
    a[4] = tel_strn("large", large, sizeof large);
    s[1].attrs = tel__attrs(a, 5);
    batch.spans = s;
    batch.span_count = 2;
    doc = binary(&batch, TEL_SIGNAL_SPANS);
    doc = inner(doc, 1, 0);                                         /* ResourceSpans */
    CHECK(says(inner(inner(inner(inner(doc, 1, 0), 1, 0), 2, 0), 1, 0), "shop"));
    CHECK(field(inner(inner(inner(doc, 1, 0), 1, 1), 2, 0), 3, 0).value == 42);
    doc = inner(doc, 2, 0);                                         /* ScopeSpans */
    CHECK(says(inner(inner(doc, 1, 0), 1, 0), "lib.a") && says(inner(doc, 3, 0), scope_a.schema_url.data));
    span = inner(doc, 2, 1);
    CHECK(span.size > sizeof large && field(doc, 2, 2).number == 0);
    CHECK(inner(span, 1, 0).size == 16 && memcmp(inner(span, 1, 0).data, s[1].context.trace_id, 16) == 0);
    CHECK(says(inner(span, 5, 0), s[1].name.data));
    CHECK(says(inner(inner(inner(span, 9, 0), 2, 0), 1, 0), "a\xef\xbf\xbd" "b"));
    CHECK(field(inner(inner(span, 9, 1), 2, 0), 3, 0).value == (uint64_t)-2);
    CHECK(field(inner(inner(span, 9, 3), 2, 0), 2, 0).value == 1);
    value = inner(inner(inner(span, 9, 4), 2, 0), 1, 0);
    CHECK(value.size == sizeof large && memcmp(value.data, large, sizeof large) == 0);
    CHECK(says(inner(inner(span, 9, 4), 1, 0), "large"));
    /* the bytes themselves: an empty resource in an envelope, whose lengths have four bytes */
    batch.resource.count = 0;
    s[0].scope = NULL;
    batch.span_count = 1;
    doc = binary(&batch, TEL_SIGNAL_SPANS);
    CHECK(doc.size > 10 && memcmp(doc.data, bytes, 1) == 0 && memcmp(doc.data + 5, bytes + 5, 5) == 0);
}

/* Short attributes are written in one go and others message by message: around the limits between the two, and for a byte
   that is no ASCII, both read back as the same. */
static void test_protobuf_sizes(void) {
    static char key[80], text[160];
    tel_span_view s;
    tel_attr a[2];
    size_t k, v, wrong = 0;
    reset();
    memset(key, 'k', sizeof key);
    memset(text, 'v', sizeof text);
    s = plain_span(&scope_a);
    s.attrs = tel__attrs(a, 2);
    batch.spans = &s;
    batch.span_count = 1;
    for (k = 1; k < 70; k++) {
        key[k] = 0;
        for (v = 0; v < 130; v += v < 44 || v > 52 ? 11 : 1) {
            tel_text span, one, two, value;
            if (v > 1) { memcpy(text, v % 2 ? "\xc3\xa4" : "vv", 2); }
            a[0] = tel_strn(key, text, v);
            a[1] = tel_int(key, -(int64_t)v);
            span = inner(inner(inner(binary(&batch, TEL_SIGNAL_SPANS), 1, 0), 2, 0), 2, 0);
            one = inner(span, 9, 0);
            two = inner(span, 9, 1);
            value = inner(inner(one, 2, 0), 1, 0);
            wrong += !says(inner(one, 1, 0), key) || value.size != v || memcmp(value.data, text, v) != 0;
            wrong += !says(inner(two, 1, 0), key) || field(inner(two, 2, 0), 3, 0).value != (uint64_t)-(int64_t)v;
        }
        key[k] = 'k';
    }
    CHECK_INT(wrong, 0);
}

/* A span is whole, and its name reads back, where the length of either takes a byte more; so is a trace id of which only the
   last byte is set. */
static void test_protobuf_lengths(void) {
    static char text[17000];
    tel_span_view s;
    tel_log_view l;
    size_t n, wrong = 0;
    reset();
    memset(text, '"', sizeof text);
    s = plain_span(&scope_a);
    batch.spans = &s;
    batch.span_count = 1;
    for (n = 1; n < 16400; n += n == 300 ? 15900 : 1) {
        tel_text span, name;
        s.name = tel__text_sized(text, n);
        span = inner(inner(inner(binary(&batch, TEL_SIGNAL_SPANS), 1, 0), 2, 0), 2, 0);
        name = inner(span, 5, 0);
        wrong += name.size != n || memcmp(name.data, text, n) != 0;
        wrong += field(span, 16, 0).number != 16 || field(span, 17, 0).number != 0;
    }
    CHECK_INT(wrong, 0);
    reset();
    memset(&l, 0, sizeof l);
    l.scope = &scope_a;
    l.context.trace_id[15] = 1;
    batch.logs = &l;
    batch.log_count = 1;
    CHECK_INT(inner(inner(inner(inner(binary(&batch, TEL_SIGNAL_LOGS), 1, 0), 2, 0), 2, 0), 9, 0).size, 16);
}

static void test_protobuf_metrics(void) {
    static const double bounds[2] = { 1, 2.5 };
    static const uint64_t buckets[3] = { 4, 0, 0x0102030405060708u };
    tel_metric_view m;
    tel_point p;
    tel_text doc, point, list;
    double d;
    reset();
    memset(&p, 0, sizeof p);
    p.bounds = bounds;
    p.buckets = buckets;
    p.bound_count = 2;
    p.count = 7;
    p.d = 20.5;
    p.unix_ns = 9;
    m = metric("sizes", TEL_METRIC_HISTOGRAM, &p, 1);
    batch.metrics = &m;
    batch.metric_count = 1;
    doc = inner(inner(inner(binary(&batch, TEL_SIGNAL_METRICS), 1, 0), 2, 0), 2, 0);
    CHECK(says(inner(doc, 1, 0), "sizes"));
    point = inner(inner(doc, 9, 0), 1, 0);
    list = inner(point, 6, 0);
    CHECK(list.size == 24 && list.data[0] == 4 && list.data[16] == 8 && list.data[23] == 1);
    list = inner(point, 7, 0);
    CHECK_INT(list.size, 16);
    if (list.size == 16) {
        uint64_t bits = 0;
        int i;
        for (i = 7; i >= 0; i--) { bits = bits << 8 | (unsigned char)list.data[8 + i]; }
        memcpy(&d, &bits, sizeof d);
        CHECK(d == 2.5);
    }
    CHECK(field(point, 4, 0).number == 4 && field(point, 5, 0).number == 5);
    m.kind = TEL_METRIC_EXPONENTIAL;
    p.scale = -3;
    p.offset = 1000;
    p.bucket_count = 2;
    doc = inner(inner(inner(binary(&batch, TEL_SIGNAL_METRICS), 1, 0), 2, 0), 2, 0);
    point = inner(inner(doc, 10, 0), 1, 0);
    CHECK(field(point, 4, 0).number == 4 && field(point, 5, 0).number == 5 && field(point, 6, 0).value == 5);
    list = inner(point, 8, 0);
    CHECK_INT(field(list, 1, 0).value, 2000);
    list = inner(list, 2, 0);
    CHECK(list.size == 1 && list.data[0] == 4);
}

/* No memory in the middle: said, and nothing is written where nothing is. */
static void test_protobuf_memory(void) {
    static tel_span_view s[50];
    uint64_t limit;
    int i;
    reset();
    for (i = 0; i < 50; i++) { s[i] = plain_span(&scope_a); }
    batch.spans = s;
    batch.span_count = 50;
    for (limit = 100; limit < 20000; limit += 700) {
        tel__memory small;
        tel__text_out out;
        tel_result r;
        tel__memory_init(&small, NULL, limit);
        out = tel__text_heap(&small);
        r = tel__otlp_encode_as(&batch, TEL_SIGNAL_SPANS, true, &out);
        CHECK(r == TEL_OK ? !out.lost : r == TEL_ERR_MEMORY);
        tel__text_heap_free(&out);
        CHECK_INT(tel__atomic_load_u64(&small.used), 0);
    }
}

static void test_protobuf_answers(void) {
    static const char partial[] = "\x0a\x0b\x08\x02\x12\x07too old", bad[] = "\x0a\x7f\x08", odd[] = "\x08\x01\x12\x02no\x9d\x01" "abcd";
    tel_text why;
    int64_t n = -1;
    CHECK(tel__otlp_protobuf_read("", 0, false, &n, &why) && n == 0 && why.size == 0);
    CHECK(tel__otlp_protobuf_read(partial, sizeof partial - 1, false, &n, &why) && n == 2 && says(why, "too old"));
    CHECK(tel__otlp_protobuf_read(odd, sizeof odd - 1, true, &n, &why) && n == 0 && says(why, "no"));
    CHECK(!tel__otlp_protobuf_read(bad, sizeof bad - 1, false, &n, &why));
    CHECK(!tel__otlp_protobuf_read("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, false, &n, &why));
    CHECK(!tel__otlp_protobuf_read("\x0b", 1, false, &n, &why) && !tel__otlp_protobuf_read("\x02\x00", 2, false, &n, &why));
}
#endif

int main(int argc, char** argv) {
    if (argc == 3 && strcmp(argv[1], "--write") == 0) { write_dir = argv[2]; }
    test_span_plain();
    test_span_full();
    test_span_odd();
    test_logs();
    test_severities();
    test_metrics();
    test_exponential();
    test_scopes_alternate();
    test_scopes_many();
    test_scopes_of_unknown();
    test_signals();
    test_short_buffers();
    test_gives_up();
    test_pieces();
    test_leads();
    test_answers_good();
    test_answers_bad();
    test_answers_cut();
    test_answers_deep();
#if !TEL_NO_PROTOBUF
    tel__memory_init(&heap, NULL, (uint64_t)1 << 30);
    test_protobuf_spans();
    test_protobuf_sizes();
    test_protobuf_lengths();
    test_protobuf_metrics();
    test_protobuf_memory();
    test_protobuf_answers();
#endif
    return check_done();
}
