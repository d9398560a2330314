/* What describes the process: detectors of the program's own, what is not to be detected, schema URLs and how they merge,
   down to an empty resource; and ids from a generator of the program's own. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"

static tel_memory memory;
static tel_batch seen;

static const tel_attr* find(const char* key) {
    size_t i;
    for (i = 0; i < seen.resource.count; i++) {
        if (strcmp(seen.resource.items[i].key, key) == 0) { return &seen.resource.items[i]; }
    }
    return NULL;
}
static const char* value(const char* key) {
    const tel_attr* a = find(key);
    return a && a->type == TEL_TYPE_STRING ? a->as.s.data : "(none)";
}

/* Initialises with `d`, records one span and reads what arrived with it. */
static void run(tel_desc* d) {
    tel_sink sink = tel_sink_memory(&memory);
    tel_desc base = test_desc(&sink, 1);
    d->sinks = base.sinks;
    d->sink_count = 1;
    d->ignore_env = d->no_atexit = d->no_self_metrics = d->no_thread = true;
    d->diag.report_fn = hear;
    hear_reset();
    CHECK_INT(tel_init(d), TEL_OK);
    TEL_SPAN(s, "root") { TEL_SPAN(below, "child") { (void)below; } (void)s; }
    CHECK_INT(tel_flush(10000), TEL_OK);
    seen = tel_memory_read(&memory);
    CHECK_INT(seen.span_count, 2);
}
static void stop(void) {
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    tel_memory_clear(&memory);
}

static tel_result cloud(tel_detected* out, void* user_data) {
    out->attrs[0] = tel_str("cloud.provider", "here");
    out->attrs[1] = tel_str("service.name", "detected");
    out->attrs[2] = tel_int("host.cpus", 3);
    out->count = 3;
    out->schema_url = (const char*)user_data;
    return TEL_OK;
}
static tel_result broken(tel_detected* out, void* user_data) {
    (void)user_data;
    out->attrs[0] = tel_str("never", "seen");
    out->count = 1;
    return TEL_ERR_IO;
}
static tel_result greedy(tel_detected* out, void* user_data) {
    (void)user_data;
    out->count = 33;
    return TEL_OK;
}

static void test_detectors(void) {
    char url[] = "https://example.org/schemas/1";
    tel_detector list[3];
    tel_desc d;
    where = "detectors";
    memset(&d, 0, sizeof d);
    memset(list, 0, sizeof list);
    list[0].detect_fn = cloud;
    list[0].user_data = url;
    list[1].detect_fn = broken;
    list[2].detect_fn = greedy;
    d.detectors = list;
    d.detector_count = 3;
    run(&d);
    memset(url, 'x', sizeof url - 1);                   /* it was borrowed for tel_init only */
    CHECK_STR(value("cloud.provider"), "here");
    CHECK_STR(value("service.name"), "detected");
    CHECK(find("host.cpus") && find("host.cpus")->as.i == 3);
    CHECK(!find("never"));
    CHECK_STR(seen.schema_url.data, "https://example.org/schemas/1");
    CHECK(heard("detector 1"));
    CHECK(heard("detector 2: more than 32"));
    CHECK_STR(tel_query_desc().schema_url, "https://example.org/schemas/1");
    CHECK(!tel_query_desc().detectors && tel_query_desc().detector_count == 0);
    stop();
}

static void test_order(void) {
    tel_detector list[2];
    tel_attr own = tel_str("cloud.provider", "mine");
    tel_desc d;
    where = "order";
    memset(&d, 0, sizeof d);
    memset(list, 0, sizeof list);
    list[0].detect_fn = list[1].detect_fn = cloud;
    list[0].user_data = (char*)(uintptr_t)"https://example.org/schemas/1";
    list[1].user_data = (char*)(uintptr_t)"https://example.org/schemas/2";
    d.detectors = list;
    d.detector_count = 2;
    d.resource = tel__attrs(&own, 1);
    d.service_name = "code";
    run(&d);
    CHECK_STR(value("cloud.provider"), "mine");
    CHECK_STR(value("service.name"), "code");
    CHECK_INT(seen.schema_url.size, 0);
    CHECK(heard("no schema URL is sent"));
    stop();
    d.schema_url = "https://example.org/schemas/3";     /* the code decides */
    run(&d);
    CHECK_STR(seen.schema_url.data, "https://example.org/schemas/3");
    CHECK(!heard("no schema URL is sent"));
    stop();
}

static void test_without(void) {
    tel_desc d;
    where = "without";
    memset(&d, 0, sizeof d);
    run(&d);
    CHECK(find("process.pid") && find("telemetry.sdk.name") && find("service.instance.id"));
    CHECK(find("os.type") != NULL);
    CHECK_INT(seen.schema_url.size, 0);
    stop();
    d.no_detect = "host, process";
    run(&d);
    CHECK(!find("process.pid") && !find("host.name") && !find("os.type"));
    CHECK(find("service.instance.id") && find("telemetry.sdk.version"));
    stop();
    d.no_detect = "all";
    run(&d);
    CHECK_INT(seen.resource.count, 0);
    stop();
    d.no_detect = "all,hots";
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    CHECK(heard("no_detect"));
}

/* ---- what is sent: the schema URL stands beside the scopes, in JSON and where a receiver would read it ---- */

static char sent[1 << 16];
static size_t sent_size;
static bool write_sent(const void* data, size_t size, void* user_data) {
    (void)user_data;
    if (size >= sizeof sent - sent_size) { return false; }
    memcpy(sent + sent_size, data, size);
    sent_size += size;
    sent[sent_size] = 0;
    return true;
}
static void test_sent(void) {
    static tel_counter hits = TEL_INSTRUMENT("resource.hits", "1", NULL);
    tel_writer out;
    tel_sink sink;
    tel_desc d;
    const char* at;
    int n = 0;
    where = "sent";
    memset(&out, 0, sizeof out);
    out.write_fn = write_sent;
    sink = tel_sink_jsonl(&out);
    d = test_desc(&sink, 1);
    d.schema_url = "https://example.org/schemas/4";
    d.no_thread = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    TEL_SPAN(s, "span") { (void)s; }
    tel_log(TEL_INFO, "log", TEL_NOATTRS);
    tel_counter_add(&hits, 1);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    for (at = sent; (at = strstr(at, "],\"schemaUrl\":\"https://example.org/schemas/4\"}]}")) != NULL; at++) { n++; }
    CHECK_INT(n, 3);
}

/* ---- ids ---- */

static uint8_t next_byte;
static void count_up(uint8_t* out, size_t size, void* user_data) {
    (void)user_data;
    memset(out, next_byte, size);
    if (next_byte) { next_byte++; }
}
static void test_ids(void) {
    static const uint8_t zero[16];
    tel_id_generator ids;
    tel_desc d;
    where = "ids";
    memset(&d, 0, sizeof d);
    memset(&ids, 0, sizeof ids);
    ids.id_fn = count_up;
    d.ids = &ids;
    next_byte = 0x11;
    run(&d);
    CHECK_STR(seen.spans[1].name.data, "root");
    CHECK(seen.spans[1].context.trace_id[0] == 0x11 && seen.spans[1].context.trace_id[15] == 0x11);
    CHECK(seen.spans[1].context.span_id[7] == 0x12);
    CHECK_INT(seen.spans[1].context.flags, 1);          /* sampled; nobody says that they are random */
    CHECK(memcmp(seen.spans[0].context.trace_id, seen.spans[1].context.trace_id, 16) == 0);
    CHECK(seen.spans[0].context.span_id[0] == 0x13);
    CHECK_INT(seen.spans[0].context.flags, 1);
    stop();
    next_byte = 0x21;
    ids.random = true;
    run(&d);
    CHECK_INT(seen.spans[1].context.flags, 3);
    stop();
    next_byte = 0;                                      /* ids of zeros would be invalid */
    run(&d);
    CHECK(memcmp(seen.spans[1].context.trace_id, zero, 16) != 0);
    CHECK(memcmp(seen.spans[1].context.span_id, zero, 8) != 0);
    stop();
    ids.id_fn = NULL;
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    CHECK(heard("ids has no id_fn"));
}

int main(void) {
    capture_watchdog(60);
    test_detectors();
    test_order();
    test_without();
    test_sent();
    test_ids();
    return check_done();
}
