/* The limits of attributes, events, links and strings: in code, by each variable, and which of them wins. What is beyond is
   counted, a string is cut at a character, and it is said once. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include "capture.h"
#include <stdlib.h>

static tel_memory memory;

static void start(tel_desc* d) {
    static tel_sink sink;
    tel_memory_clear(&memory);
    memset(&memory, 0, sizeof memory);
    sink = tel_sink_memory(&memory);
    d->sinks = &sink;
    d->sink_count = 1;
    d->no_thread = d->no_atexit = d->no_self_metrics = true;
    d->diag.report_fn = hear;
    hear_reset();
    CHECK_INT(tel_init(d), TEL_OK);
}

typedef struct counts { size_t attrs, events, links, event_attrs, link_attrs, text, log_attrs, log_text; } counts;

/* Records 200 of each and tells how many arrived; all others must be counted. */
static counts record(void) {
    static tel_attr many[200];
    static char keys[200][8];
    tel_context to;
    tel_batch seen;
    counts n;
    size_t i;
    memset(&to, 0, sizeof to);
    to.trace_id[0] = to.span_id[0] = 1;
    for (i = 0; i < 200; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", (int)i);
        many[i] = tel_str(keys[i], "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f" "abcdef");
    }
    TEL_SPAN(s, "many") {
        tel_attrs none = { NULL, 0 }, all = { many, 200 };
        for (i = 0; i < 200; i++) {
            tel_span_set(s, many[i]);
            tel_span_event(s, "e", i ? none : all);
            tel_span_link(s, &to, i ? none : all);
        }
        tel_span_set(s, tel_str(keys[0], "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f" "ABCDEFGH"));    /* known, so within the limit */
        tel_log(TEL_INFO, "many attributes, and a body that no limit cuts", all);
    }
    CHECK_INT(tel_flush(10000), TEL_OK);
    seen = tel_memory_read(&memory);
    CHECK_INT(seen.span_count + seen.log_count, 2);
    n.attrs = seen.spans[0].attrs.count;
    n.events = seen.spans[0].event_count;
    n.links = seen.spans[0].link_count;
    n.event_attrs = n.events ? seen.spans[0].events[0].attrs.count : 0;
    n.link_attrs = n.links ? seen.spans[0].links[0].attrs.count : 0;
    n.text = n.attrs ? seen.spans[0].attrs.items[0].as.s.size : 0;
    n.log_attrs = seen.logs[0].attrs.count;
    n.log_text = n.log_attrs ? seen.logs[0].attrs.items[0].as.s.size : 0;
    CHECK_INT(n.attrs + seen.spans[0].dropped_attrs, 200 + (n.attrs == 0));
    CHECK_INT(n.events + seen.spans[0].dropped_events, 200);
    CHECK_INT(n.links + seen.spans[0].dropped_links, 200);
    if (n.events) { CHECK_INT(n.event_attrs + seen.spans[0].events[0].dropped_attrs, 200); }
    if (n.links) { CHECK_INT(n.link_attrs + seen.spans[0].links[0].dropped_attrs, 200); }
    CHECK_INT(n.log_attrs + seen.logs[0].dropped_attrs, 200);
    CHECK_INT(seen.logs[0].body.size, 46);
    CHECK(heard("than its limit"));
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    return n;
}

static const char* const variables[] = {
    "OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT"
};
static counts with(const char* const* set, tel_desc* d) {
    tel_desc zero;
    size_t i;
    memset(&zero, 0, sizeof zero);
    for (i = 0; i < sizeof variables / sizeof variables[0]; i++) { unsetenv(variables[i]); }
    for (; set && *set; set += 2) { setenv(set[0], set[1], 1); }
    start(d ? d : &zero);
    return record();
}

static void check(counts n, size_t attrs, size_t events, size_t links, size_t event_attrs, size_t link_attrs, size_t text,
                  size_t log_attrs, size_t log_text) {
    CHECK_INT(n.attrs, attrs);
    CHECK_INT(n.events, events);
    CHECK_INT(n.links, links);
    CHECK_INT(n.event_attrs, event_attrs);
    CHECK_INT(n.link_attrs, link_attrs);
    CHECK_INT(n.text, text);
    CHECK_INT(n.log_attrs, log_attrs);
    CHECK_INT(n.log_text, log_text);
}

/* A log record that no ring takes is dropped whole and counted, and it is said why; those beside it are not. */
static void test_too_large(void) {
    static char body[70000];
    tel_desc d;
    tel_batch seen;
    tel_stats b;
    memset(&d, 0, sizeof d);
    d.ignore_env = true;
    memset(body, 'x', sizeof body - 1);
    start(&d);
    tel_log(TEL_INFO, "before", TEL_NOATTRS);
    CHECK(!heard("tel_desc.ring_bytes"));
    tel_log(TEL_INFO, body, TEL_NOATTRS);
    tel_log(TEL_INFO, "beside", TEL_ATTRS(tel_str("text", body)));
    body[60000] = 0;
    tel_log(TEL_INFO, body, TEL_NOATTRS);
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK(heard("larger than fits (see tel_desc.ring_bytes)"));
    seen = tel_memory_read(&memory);
    b = tel_query_stats();
    CHECK(seen.log_count == 2 && seen.logs[1].body.size == 60000);
    CHECK(b.recorded[2] == 4 && b.dropped[2] == 2);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

int main(void) {
    static const char* const general[] = { "OTEL_ATTRIBUTE_COUNT_LIMIT", "7", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3", NULL };
    static const char* const each[] = {
        "OTEL_ATTRIBUTE_COUNT_LIMIT", "7", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "150", "OTEL_SPAN_EVENT_COUNT_LIMIT", "4",
        "OTEL_SPAN_LINK_COUNT_LIMIT", "5", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "6", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "0",
        "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "9", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5",
        "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1", NULL
    };
    static const char* const zero[] = {
        "OTEL_ATTRIBUTE_COUNT_LIMIT", "0", "OTEL_SPAN_EVENT_COUNT_LIMIT", "0", "OTEL_SPAN_LINK_COUNT_LIMIT", "0", NULL
    };
    tel_desc d, shown;
    check(with(NULL, NULL), 128, 128, 128, 128, 128, 16, 128, 14);
    check(with(general, NULL), 7, 128, 128, 7, 7, 6, 7, 6);
    check(with(each, NULL), 150, 4, 5, 6, 0, 9, 9, 2);
    check(with(zero, NULL), 0, 0, 0, 0, 0, 0, 0, 0);
    memset(&d, 0, sizeof d);
    d.attribute_limit = 20;
    d.attribute_length_limit = 4;
    d.event_limit = 30;
    d.link_limit = 40;
    check(with(each, &d), 20, 30, 40, 6, 0, 8, 20, 8);
    start(&d);
    shown = tel_query_desc();
    CHECK_INT(shown.attribute_limit, 20);
    CHECK_INT(shown.link_limit, 40);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    tel_memory_clear(&memory);
    test_too_large();
    return check_done();
}
