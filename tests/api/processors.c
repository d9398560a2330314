/* Processors see every record once before any sink, may change, add and drop; what is dropped is counted. Redaction reaches
   spans, events, links, logs, metrics, the resource, the scrape page and queries. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <sys/wait.h>
#include <unistd.h>

static tel_memory memory;
static int starts, ends, logs;

static void on_start(tel_span* s, const tel_context* parent, void* user_data) {
    starts++;
    tel_span_set(s, tel_str("from.start", (const char*)user_data));
    tel_span_set(s, tel_bool("root", parent == NULL));
    TEL_SPAN(inner, "started by on_start") { tel_span_set(inner, tel_bool("drop", true)); }
}
static bool on_end(tel_span_view* s, void* user_data) {
    char copy[64] = "renamed ";
    tel_sink_stats sink;
    size_t i;
    ends++;
    (void)user_data;
    for (i = 0; i < s->attrs.count; i++) {
        if (strcmp(s->attrs.items[i].key, "drop") == 0) { return false; }
    }
    strncat(copy, s->name.data, 40);
    s->name = tel_view_text(tel_str("", copy).as.s);
    CHECK(tel_view_set(&s->attrs, tel_int("added", 1)));
    CHECK(tel_view_set(&s->attrs, tel_str("changed", copy)));
    CHECK(tel_view_set(&s->attrs, (tel_attr){ .key = "removed", .type = TEL_TYPE_NONE }));
    (void)tel_query_stats();                        /* these must not wait for themselves */
    CHECK(!tel_query_sink(20, &sink));
    CHECK_INT(tel_sink_use("memory"), TEL_ERR_STATE);
    CHECK_INT(tel_sink_enable("memory", false), TEL_ERR_STATE);
    tel_log(TEL_INFO, "ignored", TEL_NOATTRS);
    return true;
}
static bool on_log(tel_log_view* l, void* user_data) {
    (void)user_data;
    logs++;
    l->severity = TEL_WARN;
    return strcmp(l->body.data, "noise") != 0;
}

static void start(const tel_processor* list, size_t count, size_t recent) {
    static tel_sink sink;
    static tel_attr resource[2];
    tel_desc d;
    memset(&d, 0, sizeof d);
    tel_memory_clear(&memory);
    memset(&memory, 0, sizeof memory);
    sink = tel_sink_memory(&memory);
    resource[0] = tel_str("deploy.token", "hunter2");
    resource[1] = tel_str("deploy.zone", "b");
    d.resource.items = resource;
    d.resource.count = 2;
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_thread = d.no_atexit = d.no_self_metrics = true;
    d.processors = list;
    d.processor_count = count;
    d.recent_bytes = recent;
    CHECK_INT(tel_init(&d), TEL_OK);
}
static const tel_attr* find(tel_attrs attrs, const char* key) {
    size_t i;
    for (i = 0; i < attrs.count; i++) {
        if (strcmp(attrs.items[i].key, key) == 0) { return &attrs.items[i]; }
    }
    return NULL;
}
static const char* text(tel_attrs attrs, const char* key) {
    const tel_attr* a = find(attrs, key);
    return a && a->type == TEL_TYPE_STRING ? a->as.s.data : "(none)";
}

static void test_own(void) {
    tel_processor list[2];
    tel_batch seen;
    tel_stats stats;
    int i;
    memset(list, 0, sizeof list);
    list[0].on_start = on_start;
    list[0].user_data = (void*)(uintptr_t)"hello";
    list[1].on_end = on_end;
    list[1].on_log = on_log;
    start(list, 2, 0);
    TEL_SPAN(s, "kept") {
        tel_span_set(s, tel_str("changed", "before"));
        tel_span_set(s, tel_int("removed", 1));
    }
    TEL_SPAN(s, "not kept") { tel_span_set(s, tel_bool("drop", true)); }
    for (i = 0; i < 3; i++) { tel_log(TEL_INFO, i ? "noise" : "signal", TEL_NOATTRS); }
    CHECK_INT(tel_flush(10000), TEL_OK);
    seen = tel_memory_read(&memory);
    CHECK_INT(seen.span_count, 1);
    CHECK_INT(seen.log_count, 1);
    CHECK_STR(seen.spans[0].name.data, "renamed kept");
    CHECK_STR(text(seen.spans[0].attrs, "from.start"), "hello");
    CHECK_STR(text(seen.spans[0].attrs, "changed"), "renamed kept");
    CHECK(find(seen.spans[0].attrs, "root")->as.b && find(seen.spans[0].attrs, "added")->as.i == 1);
    CHECK(!find(seen.spans[0].attrs, "removed"));
    CHECK_INT(seen.spans[0].attrs.count, 4);
    CHECK_INT(seen.logs[0].severity, TEL_WARN);
    CHECK_INT(starts, 2);
    CHECK_INT(ends, 4);
    CHECK_INT(logs, 3);
    stats = tel_query_stats();
    CHECK_INT(stats.recorded[1], 4);
    CHECK_INT(stats.filtered[1], 3);
    CHECK_INT(stats.filtered[2], 2);
    CHECK_INT(stats.exported[1] + stats.exported[2], 2);
    CHECK_INT(stats.dropped[1] + stats.dropped[2] + stats.queued[1] + stats.queued[2], 0);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    CHECK(!tel_view_set(&seen.resource, tel_int("outside", 1)));
    CHECK(!tel_view_text(tel_str("", "outside").as.s).data);
}

/* What everything drops leaves nothing behind, and takes no memory. */
static void test_drop_all(void) {
    tel_processor list[1];
    tel_stats before, after;
    int i, turn;
    memset(list, 0, sizeof list);
    list[0].on_end = on_end;
    start(list, 1, 0);
    before = tel_query_stats();
    for (turn = 0; turn < 20; turn++) {
        for (i = 0; i < 1000; i++) {
            TEL_SPAN(s, "dropped") { tel_span_set(s, tel_int("drop", 1)); }
        }
        CHECK_INT(tel_flush(10000), TEL_OK);
    }
    after = tel_query_stats();
    CHECK_INT(after.filtered[1], 20000);
    CHECK_INT(after.exported[1] + after.queued[1], 0);
    CHECK(after.bytes_allocated < before.bytes_allocated + (4 << 20));
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

/* A batch of which everything was dropped is never due, or the export thread would not sleep. */
static void test_due(void) {
    tel_processor list[1];
    tel_instance* inst;
    uint64_t now, begin;
    int i;
    memset(list, 0, sizeof list);
    list[0].on_log = on_log;
    start(list, 1, 0);
    for (i = 0; i < 3; i++) { tel_log(TEL_INFO, "noise", TEL_NOATTRS); }
    CHECK_INT(tel_pump(1000), TEL_OK);
    inst = tel__instance_acquire();
    CHECK(inst != NULL);
    inst->pipeline.limits[1].delay_ms = 20;
    begin = tel__clock_mono_ns();
    do { now = tel__clock_mono_ns(); } while (now - begin < 30000000u);
    CHECK(tel__round_due(&inst->pipeline) > now);
    tel__instance_release(inst);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

static tel_result queried(const tel_batch* batch, void* user_data) {
    CHECK_INT(batch->span_count, 1);
    CHECK_STR(text(batch->spans[0].attrs, "password"), "[REDACTED]");
    ++*(int*)user_data;
    return TEL_OK;
}

static void test_redaction(void) {
    static tel_counter logins = TEL_INSTRUMENT("logins", "{login}", "Logins");
    tel_processor list[1];
    tel_span_desc d;
    tel_link link;
    tel_attr secret = tel_str("token", "t0k3n"), card = tel_str("note", "4111 1111 1111 1111");
    tel_error error = { "auth", "denied for 4111111111111111", NULL };
    tel_batch seen;
    tel_sink query;
    char page[8192];
    size_t i;
    int queries = 0;
    list[0] = tel_processor_redact(NULL);
    start(list, 1, 1 << 16);
    memset(&d, 0, sizeof d);
    memset(&link, 0, sizeof link);
    link.context.trace_id[0] = link.context.span_id[0] = 1;
    link.attrs.items = &secret;
    link.attrs.count = 1;
    d.name = "pay 4111111111111111";
    d.links = &link;
    d.link_count = 1;
    TEL_SPAN_EX(s, &d) {
        tel_span_set(s, tel_str("password", "hunter2"));
        tel_span_set(s, tel_str("user", "anna"));
        tel_span_event(s, "login", TEL_ATTRS(secret, card));
        tel_span_error(s, &error);
        tel_log(TEL_INFO, "Bearer abc", TEL_ATTRS(secret));
    }
    for (i = 0; i < 10; i++) {
        char value[16];
        snprintf(value, sizeof value, "user%d", (int)i);
        tel_counter_add_with(&logins, 1, TEL_ATTRS(tel_str("session.cookie", value), tel_str("ok", "yes")));
    }
    CHECK_INT(tel_flush(10000), TEL_OK);
    seen = tel_memory_read(&memory);
    CHECK_INT(seen.span_count, 1);
    CHECK_STR(seen.spans[0].name.data, "pay ****************");
    CHECK_STR(seen.spans[0].status_message.data, "denied for ****************");
    CHECK_STR(text(seen.spans[0].attrs, "password"), "[REDACTED]");
    CHECK_STR(text(seen.spans[0].attrs, "user"), "anna");
    CHECK_STR(text(seen.spans[0].events[0].attrs, "token"), "[REDACTED]");
    CHECK_STR(text(seen.spans[0].events[0].attrs, "note"), "[REDACTED]");
    CHECK_STR(text(seen.spans[0].links[0].attrs, "token"), "[REDACTED]");
    CHECK_STR(seen.logs[0].body.data, "[REDACTED]");
    CHECK_STR(text(seen.logs[0].attrs, "token"), "[REDACTED]");
    CHECK_STR(text(seen.resource, "deploy.token"), "[REDACTED]");
    CHECK_STR(text(seen.resource, "deploy.zone"), "b");
    CHECK_INT(seen.metric_count, 1);
    CHECK_INT(seen.metrics[0].point_count, 1);      /* ten cookies, one series */
    CHECK_INT(seen.metrics[0].points[0].i, 10);
    CHECK_STR(text(seen.metrics[0].points[0].attrs, "session.cookie"), "[REDACTED]");
    CHECK(tel_prometheus_print(page, sizeof page) < sizeof page);
    CHECK(strstr(page, "session_cookie=\"[REDACTED]\"") && !strstr(page, "user3") && !strstr(page, "hunter2"));
    memset(&query, 0, sizeof query);
    query.export_fn = queried;
    query.user_data = &queries;
    CHECK_INT(tel_query_spans(NULL, &query), TEL_OK);
    CHECK_INT(queries, 1);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

static tel_result count_all(const tel_batch* batch, void* user_data) {
    *(size_t*)user_data += batch->span_count + batch->log_count;
    return TEL_OK;
}
static size_t matching(const char* text_pattern, const char* key, const char* value, bool of_logs) {
    tel_span_filter spans;
    tel_log_filter some_logs;
    tel_attr want = tel_str(key ? key : "", value);
    tel_sink query;
    size_t n = 0;
    memset(&spans, 0, sizeof spans);
    memset(&some_logs, 0, sizeof some_logs);
    memset(&query, 0, sizeof query);
    query.export_fn = count_all;
    query.user_data = &n;
    spans.name = some_logs.body = text_pattern;
    spans.attrs.items = some_logs.attrs.items = &want;
    spans.attrs.count = some_logs.attrs.count = key != NULL;
    CHECK_INT(of_logs ? tel_query_logs(&some_logs, &query) : tel_query_spans(&spans, &query), TEL_OK);
    return n;
}
/* Whoever may ask cannot find out a hidden value by asking whether a record has it. */
static void test_filters(void) {
    tel_processor list[2];
    int i;
    memset(list, 0, sizeof list);
    list[0] = tel_processor_redact(NULL);
    list[1].on_end = on_end;
    start(list, 2, 1 << 16);
    for (i = 0; i < 300; i++) { tel_log(TEL_INFO, "one of many that nobody asks for", TEL_ATTRS(tel_int("i", i))); }
    TEL_SPAN(s, "pay 4111111111111111") {
        tel_span_set(s, tel_str("password", "hunter2"));
        tel_span_set(s, tel_int("pin.token", 1234));
        tel_logf(TEL_INFO, "card %s", "4111 1111 1111 1111");
        tel_log(TEL_INFO, "login", TEL_ATTRS(tel_str("secret", "s3")));
    }
    CHECK_INT(matching("*4111*", NULL, NULL, false), 0);
    CHECK_INT(matching("renamed pay ****************", NULL, NULL, false), 1);
    CHECK_INT(matching(NULL, "password", "hunter2", false), 0);
    CHECK_INT(matching(NULL, "password", "[REDACTED]", false), 1);
    CHECK_INT(matching(NULL, "pin.token", "1234", false), 0);
    CHECK_INT(matching(NULL, "added", "1", false), 1);     /* what a processor has added counts */
    CHECK_INT(matching("*4111*", NULL, NULL, true), 0);
    CHECK_INT(matching("card *", NULL, NULL, true), 1);
    CHECK_INT(matching(NULL, "secret", "s3", true), 0);
    CHECK_INT(matching("login", "secret", "[REDACTED]", true), 1);
    CHECK_INT(matching(NULL, "i", "299", true), 1);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

/* Metrics, their exemplars and the resource obey every redaction, not only the first. */
static void test_several(void) {
    static tel_counter visits = TEL_INSTRUMENT("visits", NULL, NULL);
    static const char* const secrets[] = { "078-05-1120", "hunter2", "4111111111111111" };
    tel_processor list[2];
    tel_redact_desc own;
    tel_attr resource[2];
    tel_view view;
    tel_desc d;
    tel_sink sink;
    tel_batch seen;
    const tel_point* p;
    size_t i, k;
    memset(&own, 0, sizeof own);
    memset(&view, 0, sizeof view);
    memset(&d, 0, sizeof d);
    own.keys = "*ssn*";
    list[0] = tel_processor_redact(NULL);
    list[1] = tel_processor_redact(&own);
    view.match_name = "visits";
    view.drop_keys = "ssn,password,note";
    tel_memory_clear(&memory);
    memset(&memory, 0, sizeof memory);
    sink = tel_sink_memory(&memory);
    resource[0] = tel_str("owner.ssn", secrets[0]);
    resource[1] = tel_str("deploy.password", secrets[1]);
    d.resource.items = resource;
    d.resource.count = 2;
    d.sinks = &sink;
    d.views = &view;
    d.sink_count = d.view_count = 1;
    d.processors = list;
    d.processor_count = 2;
    d.exemplars = TEL_EXEMPLARS_ALL;
    d.ignore_env = d.no_thread = d.no_atexit = d.no_self_metrics = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_counter_add_with(&visits, 1, TEL_ATTRS(tel_str("ssn", secrets[0]), tel_str("password", secrets[1]),
                                               tel_str("note", secrets[2]), tel_int("shop", 7)));
    CHECK_INT(tel_flush(10000), TEL_OK);
    seen = tel_memory_read(&memory);
    CHECK_STR(text(seen.resource, "owner.ssn"), "[REDACTED]");
    CHECK_STR(text(seen.resource, "deploy.password"), "[REDACTED]");
    CHECK_INT(seen.metric_count, 1);
    p = seen.metrics[0].points;
    CHECK_INT(p->attrs.count, 1);
    CHECK_INT(p->exemplar_count, 1);
    CHECK_INT(p->exemplars[0].attrs.count, 3);
    for (i = 0; i < p->exemplars[0].attrs.count; i++) {
        for (k = 0; k < 3; k++) { CHECK(strcmp(p->exemplars[0].attrs.items[i].as.s.data, secrets[k]) != 0); }
    }
    CHECK_STR(text(p->exemplars[0].attrs, "ssn"), "[REDACTED]");
    CHECK_INT(tel_shutdown(10000), TEL_OK);
}

/* The child of a processor may only exec or end, and its parent goes on. */
static bool fork_on_log(tel_log_view* l, void* user_data) {
    int status = -1;
    pid_t pid = fork();
    (void)l; (void)user_data;
    if (pid == 0) { _exit(tel_enabled() ? 1 : 7); }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    return true;
}
static void test_fork(void) {
    tel_processor p;
    memset(&p, 0, sizeof p);
    p.on_log = fork_on_log;
    start(&p, 1, 0);
    tel_log(TEL_INFO, "one", TEL_NOATTRS);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT((int)tel_memory_read(&memory).log_count, 1);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

static void test_refused(void) {
    tel_processor many[9];
    tel_desc d;
    memset(many, 0, sizeof many);
    memset(&d, 0, sizeof d);
    d.processors = many;
    d.processor_count = 9;
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
}

int main(void) {
    test_own();
    test_drop_all();
    test_redaction();
    test_due();
    test_filters();
    test_several();
    test_fork();
    test_refused();
    tel_memory_clear(&memory);
    return check_done();
}
