/* Room test of >>config: every parse rule of the environment, precedence, the resource, the OTLP and
   Prometheus settings. Sets and unsets environment variables of its own process. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

/* ---- the bench: variables, diagnostics, memory ------------------------------------------------------ */

static char said[64 * 1024];            /* every diagnostic since the last reset, one per line */
static int said_count;
static tel__diag diag;
static tel__memory memory;

static void hear(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    size_t n = strlen(said);
    (void)level; (void)item; (void)line; (void)user_data;
    said_count++;
    snprintf(said + n, sizeof said - n, "%s\n", message);
}

static const char* const all_vars[] = {
    "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_LOG_LEVEL",
    "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BLRP_SCHEDULE_DELAY",
    "OTEL_BLRP_EXPORT_TIMEOUT", "OTEL_BLRP_MAX_QUEUE_SIZE", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT",
    "OTEL_EXPORTER_PROMETHEUS_HOST", "OTEL_EXPORTER_PROMETHEUS_PORT"
};
static const char* const otlp_settings[] = { "ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION", "PROTOCOL" };
static const char* const otlp_signals[] = { "", "METRICS_", "TRACES_", "LOGS_" };

/* A clean slate: no variable set, nothing said. */
static void reset(void) {
    size_t i, k;
    for (i = 0; i < sizeof tel__config_settings / sizeof tel__config_settings[0]; i++) {
        const char* variable = tel__config_settings[i].variable;
        const char* gap = strchr(variable, '%');
        if (!gap) { unsetenv(variable); }
        for (k = 0; gap && k < 4; k++) {
            char name[80];
            snprintf(name, sizeof name, "%.*s%s%s", (int)(gap - variable), variable, otlp_signals[k], gap + 1);
            unsetenv(name);
        }
    }
    said[0] = '\0';
    said_count = 0;
    {
        tel_diag user = { NULL, NULL, NULL };
        user.report_fn = hear;
        user.user_data = NULL;
        tel__diag_init(&diag, &user);
        tel__atomic_store_u32(&diag.max_level, TEL__DIAG_DEBUG);
    }
}

static void set(const char* name, const char* value) { setenv(name, value, 1); }

/* Exactly n diagnostics, and the words are in them. */
static void check_said(int n, const char* one, const char* two, int line) {
    char what[64];
    snprintf(what, sizeof what, "diagnostics at line %d", line);
    check__int(said_count, n, __FILE__, line, what);
    check__note(!one || strstr(said, one) != NULL, __FILE__, line, one ? one : "");
    check__note(!two || strstr(said, two) != NULL, __FILE__, line, two ? two : "");
    if (said_count != n || (one && !strstr(said, one)) || (two && !strstr(said, two))) {
        fprintf(stderr, "     said: %s\n", said);
    }
}
#define SAID(n, one, two) check_said((n), (one), (two), __LINE__)
#define SILENT() check_said(0, NULL, NULL, __LINE__)

static tel_desc zero_desc(void) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    return d;
}

static tel_result resolve(const tel_desc* d, tel__config* c) {
    tel__config_source s = { d->ignore_env, &diag, NULL, false };
    return tel__config_resolve(d, &memory, &s, c);
}

static void give_back(tel__config* c) {
    tel__config_free(c, &memory);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
}

/* The value of a string attribute, "(none)" without one; static text. */
static const char* attr_of(const tel__config* c, const char* key) {
    static char text[4][2048];
    static unsigned turn;
    char* out = text[turn++ % 4];
    size_t i;
    for (i = 0; i < c->resource.attrs.count; i++) {
        const tel_attr* a = &c->resource.attrs.items[i];
        if (strcmp(a->key, key) != 0) { continue; }
        if (a->type == TEL_TYPE_INT) { snprintf(out, 2048, "int %lld", (long long)a->as.i); return out; }
        if (a->type == TEL_TYPE_BOOL) { return a->as.b ? "bool true" : "bool false"; }
        if (a->type == TEL_TYPE_DOUBLE) { snprintf(out, 2048, "double %g", a->as.d); return out; }
        snprintf(out, 2048, "%.*s", (int)a->as.s.size, a->as.s.data);
        return out;
    }
    return "(none)";
}

static size_t count_of(const tel__config* c, const char* key) {
    size_t i, n = 0;
    for (i = 0; i < c->resource.attrs.count; i++) { n += strcmp(c->resource.attrs.items[i].key, key) == 0; }
    return n;
}

/* ---- parse rules ------------------------------------------------------------------------------------ */

static void test_defaults(void) {
    tel_desc d = zero_desc();
    tel__config c;
    reset();
    CHECK_INT(resolve(&d, &c), TEL_OK);
    SILENT();
    CHECK(!c.disabled && c.parent_based);
    CHECK(c.threshold == 0 && c.sample_ratio == 1);
    CHECK_INT(c.limits[0].delay_ms, 5000);
    CHECK_INT(c.limits[0].timeout_ms, 30000);
    CHECK_INT(c.limits[0].queue, 2048);
    CHECK_INT(c.limits[0].batch, 512);
    CHECK_INT(c.limits[1].delay_ms, 1000);
    CHECK_INT(c.limits[1].timeout_ms, 30000);
    CHECK_INT(c.limits[1].queue, 2048);
    CHECK_INT(c.limits[1].batch, 512);
    CHECK_INT(c.metric_interval_ms, 60000);
    CHECK_INT(c.metric_timeout_ms, 30000);
    CHECK_INT(c.ring_bytes, 16 << 20);
    CHECK_INT(c.max_threads, 128);
    CHECK_INT(c.max_series, 2000);
    CHECK_INT(c.max_live_spans, 4096);
    CHECK_INT(c.memory_limit, 67108864);
    give_back(&c);
}

static void test_bool(void) {
    static const struct { const char* text; bool value; int said; } cases[] = {
        { "true", true, 0 }, { "TRUE", true, 0 }, { "True", true, 0 }, { " true\t", true, 0 },
        { "false", false, 0 }, { "FALSE", false, 0 }, { "", false, 0 },
        { "1", false, 1 }, { "yes", false, 1 }, { "on", false, 1 }, { "0", false, 1 }, { "truee", false, 1 },
        { "tru", false, 1 }
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tel_desc d = zero_desc();
        tel__config c;
        reset();
        set("OTEL_SDK_DISABLED", cases[i].text);
        CHECK_INT(resolve(&d, &c), TEL_OK);
        CHECK_INT(c.disabled, cases[i].value);
        SAID(cases[i].said, cases[i].said ? "OTEL_SDK_DISABLED" : NULL, cases[i].said ? cases[i].text : NULL);
        give_back(&c);
    }
}

static void test_numbers(void) {
    static const char* const bad[] = { "-1", "5s", "1.5", "abc", "+", "2147483648", "99999999999999999999", "0x10",
        "1e3", "1 2", "1,000" };
    tel_desc d = zero_desc();
    tel__config c;
    size_t i;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reset();
        set("OTEL_BSP_SCHEDULE_DELAY", bad[i]);
        CHECK_INT(resolve(&d, &c), TEL_OK);
        CHECK_INT(c.limits[0].delay_ms, 5000);
        SAID(1, "OTEL_BSP_SCHEDULE_DELAY", bad[i]);
        give_back(&c);
    }
    reset();
    set("OTEL_BSP_SCHEDULE_DELAY", " 0 ");
    set("OTEL_BSP_EXPORT_TIMEOUT", "0");
    set("OTEL_BSP_MAX_QUEUE_SIZE", "2147483647");
    set("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "7");
    set("OTEL_BLRP_SCHEDULE_DELAY", "11");
    set("OTEL_BLRP_EXPORT_TIMEOUT", "12");
    set("OTEL_BLRP_MAX_QUEUE_SIZE", "13");
    set("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "13");
    set("OTEL_METRIC_EXPORT_INTERVAL", "1");
    set("OTEL_METRIC_EXPORT_TIMEOUT", "2147483647");
    CHECK_INT(resolve(&d, &c), TEL_OK);
    SILENT();
    CHECK_INT(c.limits[0].delay_ms, 0);
    CHECK_INT(c.limits[0].timeout_ms, TEL_FOREVER);
    CHECK_INT(c.limits[0].queue, 2147483647);
    CHECK_INT(c.limits[0].batch, 7);
    CHECK_INT(c.limits[1].delay_ms, 11);
    CHECK_INT(c.limits[1].timeout_ms, 12);
    CHECK_INT(c.limits[1].queue, 13);
    CHECK_INT(c.limits[1].batch, 13);
    CHECK_INT(c.metric_interval_ms, 1);
    CHECK_INT(c.metric_timeout_ms, 2147483647);
    give_back(&c);
}

static void test_batch_within_queue(void) {
    tel_desc d = zero_desc();
    tel__config c;
    reset();
    set("OTEL_BSP_MAX_QUEUE_SIZE", "100");              /* below the default batch: nobody's fault */
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK_INT(c.limits[0].queue, 100);
    CHECK_INT(c.limits[0].batch, 100);
    SILENT();
    give_back(&c);
    reset();
    set("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "4096");
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK_INT(c.limits[1].queue, 2048);
    CHECK_INT(c.limits[1].batch, 2048);
    SAID(1, "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "4096");
    give_back(&c);
    reset();
    set("OTEL_BSP_MAX_QUEUE_SIZE", "0");
    set("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0");
    set("OTEL_METRIC_EXPORT_INTERVAL", "0");
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK_INT(c.limits[0].queue, 2048);
    CHECK_INT(c.limits[0].batch, 512);
    CHECK_INT(c.metric_interval_ms, 60000);
    SAID(3, "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_METRIC_EXPORT_INTERVAL");
    give_back(&c);
}

static int log_level(const tel_desc* d) {
    tel__config_source s = { d->ignore_env, &diag, NULL, false };
    return (int)tel__config_log_level(&s);
}
static void test_log_level(void) {
    static const struct { const char* text; int level, said; } cases[] = {
        { "", 2, 0 }, { "none", 0, 0 }, { "error", 1, 0 }, { "WARN", 2, 0 }, { "Info", 3, 0 }, { "debug", 4, 0 },
        { " trace ", 4, 0 }, { "loud", 2, 1 }, { "0", 2, 1 }
    };
    tel_desc d = zero_desc();
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reset();
        set("OTEL_LOG_LEVEL", cases[i].text);
        CHECK_INT(log_level(&d), cases[i].level);
        SAID(cases[i].said, cases[i].said ? "OTEL_LOG_LEVEL" : NULL, NULL);
    }
}

static void test_long_values_are_cut(void) {
    tel_desc d = zero_desc();
    tel__config c;
    char text[400];
    reset();
    memset(text, '9', sizeof text);
    text[sizeof text - 1] = '\0';
    set("OTEL_BSP_SCHEDULE_DELAY", text);
    CHECK_INT(resolve(&d, &c), TEL_OK);
    SAID(1, "OTEL_BSP_SCHEDULE_DELAY", "9999...");
    CHECK(strlen(said) < 300);
    give_back(&c);
}

/* ---- code before environment ------------------------------------------------------------------------ */

static void test_precedence(void) {
    tel_desc d = zero_desc();
    tel__config c;
    reset();
    set("OTEL_BSP_SCHEDULE_DELAY", "1");
    set("OTEL_BLRP_SCHEDULE_DELAY", "2");
    set("OTEL_METRIC_EXPORT_INTERVAL", "3");
    set("OTEL_SERVICE_NAME", "env");
    set("OTEL_TRACES_SAMPLER", "always_off");
    d.batch_interval_ms = 77;
    d.metric_interval_ms = 88;
    d.service_name = "code";
    d.sample_ratio = 0.5;
    d.ring_bytes = 8192;
    d.max_threads = 3;
    d.max_series = 4;
    d.max_live_spans = 5;
    d.memory_limit = 123456;
    CHECK_INT(resolve(&d, &c), TEL_OK);
    SILENT();
    CHECK_INT(c.limits[0].delay_ms, 77);
    CHECK_INT(c.limits[1].delay_ms, 77);
    CHECK_INT(c.metric_interval_ms, 88);
    CHECK_STR(c.service_name, "code");
    CHECK(c.sample_ratio == 0.5 && c.parent_based);
    CHECK_INT(c.ring_bytes, 8192);
    CHECK_INT(c.max_threads, 3);
    CHECK_INT(c.max_series, 4);
    CHECK_INT(c.max_live_spans, 5);
    CHECK_INT(c.memory_limit, 123456);
    give_back(&c);
}

static void test_ignore_env(void) {
    tel_desc d = zero_desc();
    tel__config c;
    tel__config_otlp otlp;
    tel__endpoint_prometheus p;
    size_t i, k;
    reset();
    for (i = 0; i < sizeof all_vars / sizeof all_vars[0]; i++) { set(all_vars[i], "???"); }
    set("OTEL_SDK_DISABLED", "true");
    for (i = 0; i < 4; i++) {
        for (k = 0; k < 5; k++) {
            char name[64];
            snprintf(name, sizeof name, "OTEL_EXPORTER_OTLP_%s%s", otlp_signals[i], otlp_settings[k]);
            set(name, "???");
        }
    }
    d.ignore_env = true;
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK(!c.disabled);
    CHECK(strncmp(c.service_name, "unknown_service", 15) == 0);
    CHECK_INT(log_level(&d), 2);
    CHECK_INT(tel__endpoint_otlp_resolve(NULL, true, &diag, &otlp), TEL_OK);
    CHECK_STR(otlp.signals[0].url, "http://localhost:4318/v1/metrics");
    CHECK_INT(tel__endpoint_prometheus_resolve(NULL, true, &diag, &p), TEL_OK);
    CHECK_STR(p.host, "localhost");
    SILENT();
    give_back(&c);
}

static void check_fault(tel_desc d, const char* word, int line) {
    tel__config c;
    reset();
    check__int(resolve(&d, &c), TEL_ERR_ARGUMENT, __FILE__, line, "refused");
    check_said(1, word, NULL, line);
    CHECK(c.resource.block == NULL);
    tel__config_free(&c, &memory);
}

static void* no_alloc(size_t size, void* user_data) { (void)size; (void)user_data; return NULL; }
static tel_result no_export(const tel_batch* b, void* user_data) { (void)b; (void)user_data; return TEL_OK; }

static void test_faults(void) {
    tel_desc d;
    tel_sink sinks[1], many[16];
    tel__config c;
    volatile double zero = 0;
    size_t i;
    memset(sinks, 0, sizeof sinks);
    memset(many, 0, sizeof many);
    for (i = 0; i < 16; i++) { many[i].export_fn = no_export; }
    d = zero_desc(); d.tel__canary_begin = 1; check_fault(d, "zeroed", __LINE__);
    d = zero_desc(); d.tel__canary_end = 1; check_fault(d, "zeroed", __LINE__);
    d = zero_desc(); d.sample_ratio = 1.5; check_fault(d, "sample_ratio", __LINE__);
    d = zero_desc(); d.sample_ratio = -0.5; check_fault(d, "sample_ratio", __LINE__);
    d = zero_desc(); d.sample_ratio = zero / zero; check_fault(d, "sample_ratio", __LINE__);
    d = zero_desc(); d.ring_bytes = 5000; check_fault(d, "ring_bytes", __LINE__);
    d = zero_desc(); d.ring_bytes = 2048; check_fault(d, "ring_bytes", __LINE__);
    d = zero_desc(); d.ring_bytes = 128u << 20; check_fault(d, "ring_bytes", __LINE__);
    d = zero_desc(); d.ring_bytes = 64u << 20; check_fault(d, "memory_limit", __LINE__);
    d = zero_desc(); d.allocator.alloc_fn = no_alloc; check_fault(d, "allocator", __LINE__);
    d = zero_desc(); d.resource.count = 1; check_fault(d, "resource", __LINE__);
    d = zero_desc(); d.resource.count = 1025; check_fault(d, "resource", __LINE__);
    d = zero_desc(); d.sink_count = 1; check_fault(d, "sinks", __LINE__);
    d = zero_desc(); d.sinks = sinks; d.sink_count = 17; check_fault(d, "sink_count", __LINE__);
    d = zero_desc(); d.sinks = sinks; d.sink_count = 1; check_fault(d, "export_fn", __LINE__);
    reset();
    sinks[0].export_fn = no_export;
    d.ring_bytes = 4096;
    d.sample_ratio = 1;
    CHECK_INT(resolve(&d, &c), TEL_OK);
    give_back(&c);
    d.sinks = many;
    d.sink_count = 16;
    d.ring_bytes = 64u << 20;
    d.memory_limit = 128u << 20;
    CHECK_INT(resolve(&d, &c), TEL_OK);
    SILENT();
    give_back(&c);
    d.ring_bytes = 0;                                   /* a quarter of the limit, in powers of two */
    d.memory_limit = 3u << 20;
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK_INT(c.ring_bytes, 512 << 10);
    give_back(&c);
    d.memory_limit = 4096;
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK_INT(c.ring_bytes, 4096);
    give_back(&c);
    memory.limit = 100;
    CHECK_INT(resolve(&d, &c), TEL_ERR_MEMORY);
    give_back(&c);
    memory.limit = 1 << 24;
}

/* ---- sampler ---------------------------------------------------------------------------------------- */

typedef struct sampler_case { const char* name; const char* arg; bool parent; double ratio; int said; } sampler_case;

static void test_sampler(void) {
    static const sampler_case cases[] = {
        { "", "0.5", true, 1, 0 },                     /* the argument alone means nothing */
        { "always_on", "", false, 1, 0 }, { "always_off", "", false, 0, 0 },
        { "always_on", "nonsense", false, 1, 0 },
        { "traceidratio", "0.25", false, 0.25, 0 }, { "traceidratio", "", false, 1, 0 },
        { "traceidratio", "0", false, 0, 0 }, { "traceidratio", "1", false, 1, 0 },
        { "traceidratio", " 1e-3 ", false, 0.001, 0 },
        { "parentbased_always_on", "", true, 1, 0 }, { "parentbased_always_off", "", true, 0, 0 },
        { "parentbased_traceidratio", "0.75", true, 0.75, 0 }, { "ParentBased_TraceIdRatio", "0.5", true, 0.5, 0 },
        { " always_off ", "", false, 0, 0 },
        { "traceidratio", "1.5", false, 1, 1 }, { "traceidratio", "-0.1", false, 1, 1 },
        { "traceidratio", "ten", false, 1, 1 }, { "traceidratio", "nan", false, 1, 1 },
        { "parentbased_traceidratio", "0,5", true, 1, 1 },
        { "jaeger_remote", "endpoint=http://x", true, 1, 1 }, { "parentbased_jaeger_remote", "", true, 1, 1 },
        { "xray", "", true, 1, 1 }, { "sometimes", "", true, 1, 1 }
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tel_desc d = zero_desc();
        tel__config c;
        reset();
        set("OTEL_TRACES_SAMPLER", cases[i].name);
        set("OTEL_TRACES_SAMPLER_ARG", cases[i].arg);
        CHECK_INT(resolve(&d, &c), TEL_OK);
        CHECK_INT(c.parent_based, cases[i].parent);
        CHECK(c.sample_ratio == cases[i].ratio);
        SAID(cases[i].said, cases[i].said ? "OTEL_TRACES_SAMPLER" : NULL, cases[i].said ? "\"" : NULL);
        give_back(&c);
    }
}

static void test_threshold(void) {
    tel_desc d = zero_desc();
    tel__config c;
    CHECK(tel__sampling_threshold(1) == 0);
    CHECK(tel__sampling_threshold(0) == (uint64_t)1 << 56);
    CHECK(tel__sampling_threshold(0.5) == 0x80000000000000u);
    CHECK(tel__sampling_threshold(0.25) == 0xc0000000000000u);
    CHECK(tel__sampling_threshold(0.1) == 0xe6666666666666u);
    CHECK(tel__sampling_threshold(0.01) >> 36 == 0xfd70a);
    CHECK(tel__sampling_threshold(1.0 / 72057594037927936.0) == 0xffffffffffffffu);
    reset();
    d.sample_ratio = TEL_NEVER;
    set("OTEL_TRACES_SAMPLER", "always_on");
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK(c.threshold == TEL__SAMPLING_NEVER && c.sample_ratio == 0 && c.parent_based);
    give_back(&c);
}

/* ---- the resource ----------------------------------------------------------------------------------- */

static void test_detected(void) {
    tel_desc d = zero_desc();
    tel__config c;
    const char* exe;
    char want[300], pid[32], before[64];
    size_t i;
    reset();
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK_STR(attr_of(&c, "telemetry.sdk.name"), "telemetry.h");
    CHECK_STR(attr_of(&c, "telemetry.sdk.language"), "c");
    CHECK_STR(attr_of(&c, "telemetry.sdk.version"), TEL_VERSION_STRING);
    snprintf(pid, sizeof pid, "int %lld", (long long)getpid());
    CHECK_STR(attr_of(&c, "process.pid"), pid);
    exe = attr_of(&c, "process.executable.name");
    snprintf(want, sizeof want, strcmp(exe, "(none)") ? "unknown_service:%s" : "unknown_service", exe);
    CHECK_STR(c.service_name, want);
    CHECK_STR(attr_of(&c, "service.name"), want);
    CHECK(!strchr(exe, '/'));
    if (TEL__LINUX) { CHECK(strcmp(exe, "(none)") != 0); }
    if (strcmp(exe, "(none)") != 0) {
        const char* path = attr_of(&c, "process.executable.path");
        size_t n = strlen(path), k = strlen(exe);
        CHECK(n > k && strcmp(path + n - k, exe) == 0 && path[n - k - 1] == '/');
    }
    CHECK_STR(attr_of(&c, "service.version"), "(none)");
    CHECK(strcmp(attr_of(&c, "host.arch"), "(none)") != 0);
    CHECK(strcmp(attr_of(&c, "os.type"), "(none)") != 0);
    CHECK(strcmp(attr_of(&c, "os.version"), "(none)") != 0);
    CHECK(strcmp(attr_of(&c, "os.description"), "(none)") != 0);
    for (i = 0; i < c.resource.attrs.count; i++) {
        CHECK_INT(count_of(&c, c.resource.attrs.items[i].key), 1);
        CHECK_INT(c.resource.attrs.items[i].tel__key_size, strlen(c.resource.attrs.items[i].key));
    }
    snprintf(before, sizeof before, "%s", attr_of(&c, "service.instance.id"));
    CHECK_INT(strlen(before), 36);
    CHECK(before[8] == '-' && before[13] == '-' && before[18] == '-' && before[23] == '-');
    CHECK(before[14] == '4' && strchr("89ab", before[19]) != NULL);
    tel__resource_refork(&c.resource);
    CHECK(strcmp(before, attr_of(&c, "service.instance.id")) != 0);
    CHECK_INT(strlen(attr_of(&c, "service.instance.id")), 36);
    CHECK_STR(attr_of(&c, "process.pid"), pid);
    give_back(&c);
}

static void test_layers(void) {
    tel_desc d = zero_desc();
    tel_attr own[6];
    tel__config c;
    reset();
    set("OTEL_RESOURCE_ATTRIBUTES", "service.name=from-list,a=list,b=list,host.name=mine,service.instance.id=i-7,"
        "process.pid=x");
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK_STR(c.service_name, "from-list");
    CHECK_STR(attr_of(&c, "host.name"), "mine");
    CHECK_STR(attr_of(&c, "a"), "list");
    CHECK_STR(attr_of(&c, "process.pid"), "x");
    tel__resource_refork(&c.resource);
    CHECK_STR(attr_of(&c, "service.instance.id"), "i-7");           /* the user's own id stays */
    CHECK_STR(attr_of(&c, "process.pid"), "x");
    give_back(&c);

    set("OTEL_SERVICE_NAME", "from-name");
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK_STR(c.service_name, "from-name");
    CHECK_STR(attr_of(&c, "service.name"), "from-name");
    give_back(&c);

    own[0] = tel_str("service.name", "from-resource");
    own[1] = tel_str("a", "code");
    own[2] = tel_int("n", -5);
    own[3] = tel_str("", "no key");
    own[4] = tel_str(getenv("TEL_NOT_SET"), "no key");
    own[5] = tel_strn("cut", "abcdef", 3);
    d.resource.items = own;
    d.resource.count = 6;
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK_STR(c.service_name, "from-resource");
    CHECK_STR(attr_of(&c, "a"), "code");
    CHECK_STR(attr_of(&c, "b"), "list");
    CHECK_STR(attr_of(&c, "n"), "int -5");
    CHECK_STR(attr_of(&c, "cut"), "abc");
    tel__resource_refork(&c.resource);
    CHECK_STR(attr_of(&c, "n"), "int -5");
    CHECK_INT(count_of(&c, ""), 0);
    give_back(&c);

    d.service_name = "from-field";
    d.service_version = "1.2.3";
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK_STR(c.service_name, "from-field");
    CHECK_STR(attr_of(&c, "service.name"), "from-field");
    CHECK_STR(attr_of(&c, "service.version"), "1.2.3");
    CHECK_INT(count_of(&c, "service.name"), 1);
    give_back(&c);
    SILENT();
}

static void test_fork(void) {
    tel_desc d = zero_desc();
    tel__config c;
    int status = 1;
    pid_t child;
    reset();
    CHECK_INT(resolve(&d, &c), TEL_OK);
    child = fork();
    if (child == 0) {
        char want[32], before[64];
        snprintf(want, sizeof want, "int %lld", (long long)getpid());
        snprintf(before, sizeof before, "%s", attr_of(&c, "service.instance.id"));
        tel__resource_refork(&c.resource);
        _exit(strcmp(attr_of(&c, "process.pid"), want) != 0 || strcmp(attr_of(&c, "service.instance.id"), before) == 0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
    give_back(&c);
}

/* Nothing of the caller's memory is kept. */
static void test_resource_copies(void) {
    tel_desc d = zero_desc();
    tel__config c;
    char key[8] = "key", value[8] = "value", name[8] = "name";
    tel_attr own[2];
    reset();
    own[0] = tel_str(key, value);
    own[1] = tel_str("null", getenv("TEL_NOT_SET"));
    d.resource.items = own;
    d.resource.count = 2;
    d.service_name = name;
    CHECK_INT(resolve(&d, &c), TEL_OK);
    memset(key, 'x', 3);
    memset(value, 'x', 5);
    memset(name, 'x', 4);
    CHECK_STR(attr_of(&c, "key"), "value");
    CHECK_STR(attr_of(&c, "null"), "");
    CHECK_STR(attr_of(&c, "service.name"), "name");
    give_back(&c);
}

static void test_resource_list(void) {
    static const char* const bad[] = { "a", "a=1,b", "=v", "a=1,=v", "a=%", "a=%4", "a=%zz", "%zz=a", "a=1,b=%2",
        "%00=a", " = ", "a%00b=c" };
    tel_desc d = zero_desc();
    tel__config c;
    size_t i;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reset();
        set("OTEL_RESOURCE_ATTRIBUTES", bad[i]);
        CHECK_INT(resolve(&d, &c), TEL_OK);
        if (strcmp(attr_of(&c, "a"), "(none)") != 0) { fprintf(stderr, "kept a part of: %s\n", bad[i]); }
        CHECK_STR(attr_of(&c, "a"), "(none)");
        CHECK_STR(attr_of(&c, ""), "(none)");
        SAID(1, "OTEL_RESOURCE_ATTRIBUTES", bad[i]);
        CHECK(strncmp(c.service_name, "unknown_service", 15) == 0);
        give_back(&c);
    }
    reset();
    set("OTEL_RESOURCE_ATTRIBUTES", " a = 1 ,b=x=y=z, c%2Cd = e%3Df%20g ,empty=,,a=2,u=%c3%a9, t=\tv\t,");
    CHECK_INT(resolve(&d, &c), TEL_OK);
    SILENT();
    CHECK_STR(attr_of(&c, "a"), "2");
    CHECK_STR(attr_of(&c, "b"), "x=y=z");
    CHECK_STR(attr_of(&c, "c,d"), "e=f g");
    CHECK_STR(attr_of(&c, "empty"), "");
    CHECK_STR(attr_of(&c, "u"), "\xc3\xa9");
    CHECK_STR(attr_of(&c, "t"), "v");
    CHECK_INT(count_of(&c, "a"), 1);
    give_back(&c);
}

/* The block holds what the largest layers bring, to the byte: the sanitizer watches. */
static void test_resource_room(void) {
    static char list[32768], name[9000], version[9000], value[9000];
    tel_attr own[3];
    tel_desc d = zero_desc();
    tel__config c;
    size_t i, n = 0;
    reset();
    for (i = 0; i < 100; i++) {
        n += (size_t)snprintf(list + n, sizeof list - n, "%skey.number.%u=", i ? "," : "", (unsigned)i);
    }
    memset(list + n, 'v', sizeof list - 1 - n);
    memset(name, 'n', sizeof name - 1);
    memset(version, 'r', sizeof version - 1);
    memset(value, 'w', sizeof value - 1);
    own[0] = tel_strn(value, value, sizeof value - 1);
    own[1] = tel_str(version, value);
    own[2] = tel_int(name, 1);
    d.resource.items = own;
    d.resource.count = 3;
    d.service_name = name;
    d.service_version = version;
    set("OTEL_RESOURCE_ATTRIBUTES", list);
    set("OTEL_SERVICE_NAME", value);
    CHECK_INT(resolve(&d, &c), TEL_OK);
    SILENT();
    CHECK(c.resource.text_at <= c.resource.block_size);
    CHECK_STR(c.service_name, name);
    CHECK_STR(c.service_version, version);
    CHECK_STR(attr_of(&c, "key.number.98"), "");
    give_back(&c);
}

static void test_resource_limits(void) {
    static char big[40000];
    tel_desc d = zero_desc();
    tel__config c;
    size_t i, n = 0;
    reset();
    memset(big, 'v', sizeof big - 1);
    memcpy(big, "a=", 2);
    set("OTEL_RESOURCE_ATTRIBUTES", big);
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK_STR(attr_of(&c, "a"), "(none)");
    SAID(1, "OTEL_RESOURCE_ATTRIBUTES", NULL);
    give_back(&c);
    reset();
    for (i = 0; i < 256; i++) { n += (size_t)snprintf(big + n, sizeof big - n, "%sk%u=v", i ? "," : "", (unsigned)i); }
    set("OTEL_RESOURCE_ATTRIBUTES", big);
    CHECK_INT(resolve(&d, &c), TEL_OK);
    SILENT();
    CHECK_STR(attr_of(&c, "k255"), "v");
    give_back(&c);
    snprintf(big + n, sizeof big - n, ",one=more");
    set("OTEL_RESOURCE_ATTRIBUTES", big);
    CHECK_INT(resolve(&d, &c), TEL_OK);
    SAID(1, "OTEL_RESOURCE_ATTRIBUTES", NULL);
    CHECK_STR(attr_of(&c, "k0"), "(none)");
    give_back(&c);
    reset();
    memset(big, 'n', 5000);
    big[5000] = '\0';
    set("OTEL_SERVICE_NAME", big);
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK_STR(c.service_name, big);
    SILENT();
    give_back(&c);
}

/* ---- OTLP ------------------------------------------------------------------------------------------- */

enum { METRICS, TRACES, LOGS };
static tel__config_otlp otlp;

static void check_urls(const char* metrics, const char* traces, const char* logs, int line) {
    check__str(otlp.signals[METRICS].url, metrics, __FILE__, line, "metrics url");
    check__str(otlp.signals[TRACES].url, traces, __FILE__, line, "traces url");
    check__str(otlp.signals[LOGS].url, logs, __FILE__, line, "logs url");
}
#define URLS(m, t, l) check_urls((m), (t), (l), __LINE__)

static void resolve_otlp(const tel_otlp_desc* d) {
    CHECK_INT(tel__endpoint_otlp_resolve(d, false, &diag, &otlp), TEL_OK);
}

static void test_urls(void) {
    static const struct { const char* base; const char* traces; } bases[] = {
        { "http://c:4318", "http://c:4318/v1/traces" },
        { "http://c:4318/", "http://c:4318/v1/traces" },
        { "http://c:4318/my", "http://c:4318/my/v1/traces" },
        { "http://c:4318/my/", "http://c:4318/my/v1/traces" },
        { "http://c", "http://c/v1/traces" },
        { "https://c/otlp", "https://c/otlp/v1/traces" },
        { "HTTPS://c:4318", "https://c:4318/v1/traces" },
        { " http://c:4318 ", "http://c:4318/v1/traces" },
        { "http://[::1]:4318", "http://[::1]:4318/v1/traces" },
        { "http://c:4318/my?x=1#f", "http://c:4318/my/v1/traces" },
        { "http://c:4318?x=1", "http://c:4318/v1/traces" }
    };
    static const struct { const char* text; const char* url; } own[] = {
        { "http://c:4318", "http://c:4318/" }, { "http://c:4318/", "http://c:4318/" },
        { "http://c:4318/v1/traces", "http://c:4318/v1/traces" }, { "http://c/in?key=1&b=2", "http://c/in?key=1&b=2" },
        { "http://c?key=1", "http://c/?key=1" }, { "http://c/x#frag", "http://c/x" },
        { "https://c:8443/a/b/", "https://c:8443/a/b/" }
    };
    static const char* const bad[] = { "localhost:4318", "c", "ftp://c", "http://", "http:///v1", "http://c:99999",
        "http://c:x", "http://a b", "http://c\r\nX: y", "grpc://c:4317", "://c", "http://:80" };
    size_t i;
    for (i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        reset();
        set("OTEL_EXPORTER_OTLP_ENDPOINT", bases[i].base);
        resolve_otlp(NULL);
        CHECK_STR(otlp.signals[TRACES].url, bases[i].traces);
        SILENT();
    }
    for (i = 0; i < sizeof own / sizeof own[0]; i++) {
        reset();
        set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://base:1");
        set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own[i].text);
        resolve_otlp(NULL);
        URLS("http://base:1/v1/metrics", own[i].url, "http://base:1/v1/logs");
        SILENT();
    }
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tel_otlp_desc d;
        reset();
        set("OTEL_EXPORTER_OTLP_ENDPOINT", bad[i]);
        set("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:2/x");
        resolve_otlp(NULL);
        URLS("", "", "http://logs:2/x");            /* off: the headers must not go anywhere else */
        SAID(1, "OTEL_EXPORTER_OTLP_ENDPOINT", NULL);
        reset();
        memset(&d, 0, sizeof d);
        d.endpoint = bad[i];
        CHECK_INT(tel__endpoint_otlp_resolve(&d, false, &diag, &otlp), TEL_ERR_ARGUMENT);
        SAID(1, "tel_otlp_desc.endpoint", NULL);
    }
    reset();
    set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@c");
    resolve_otlp(NULL);
    SAID(1, "OTEL_EXPORTER_OTLP_ENDPOINT", NULL);
    CHECK(strstr(said, "OTEL_EXPORTER_OTLP_ENDPOINT=\"(not shown)\"") != NULL);
    reset();
    set("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "nonsense");
    resolve_otlp(NULL);
    URLS("", "http://localhost:4318/v1/traces", "http://localhost:4318/v1/logs");
    SAID(1, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "nonsense");
}

/* The whole URL in code, as a configuration file has it. */
static void test_exact_url(void) {
    tel_otlp_desc d;
    memset(&d, 0, sizeof d);
    reset();
    d.endpoint = "http://collector:4318/own/path";
    resolve_otlp(&d);
    URLS("http://collector:4318/own/path/v1/metrics", "http://collector:4318/own/path/v1/traces", "http://collector:4318/own/path/v1/logs");
    d.exact_url = true;
    resolve_otlp(&d);
    URLS("http://collector:4318/own/path", "http://collector:4318/own/path", "http://collector:4318/own/path");
}

/* ---- which exporters, and what is set in vain ---- */

static void check_exporters(const char* variable, const char* list, size_t signal, const char* want, bool off, int count, int line) {
    tel_desc d = zero_desc();
    tel__config c;
    reset();
    set(variable, list);
    CHECK_INT(resolve(&d, &c), TEL_OK);
    check__str(c.exporters[signal], want, __FILE__, line, list);
    check__int(c.off[signal], off, __FILE__, line, list);
    check__str(c.exporters[(signal + 1) % 3], "otlp", __FILE__, line, "another signal");
    check__int(c.off[(signal + 1) % 3], 0, __FILE__, line, "another signal");
    check_said(count, count ? variable : NULL, NULL, line);
    give_back(&c);
}
#define EXPORTERS(variable, signal, list, want, off, count) check_exporters((variable), (list), (signal), (want), (off), (count), __LINE__)

/* Which types there are is the matter of tests/api/sink_types.c. */
static void test_exporters(void) {
    char list[300];
    EXPORTERS("OTEL_TRACES_EXPORTER", 1, "", "otlp", false, 0);
    EXPORTERS("OTEL_TRACES_EXPORTER", 1, "none", "none", true, 0);
    EXPORTERS("OTEL_TRACES_EXPORTER", 1, "None", "None", true, 0);
    EXPORTERS("OTEL_TRACES_EXPORTER", 1, " none , ", " none , ", true, 0);
    EXPORTERS("OTEL_TRACES_EXPORTER", 1, "none,otlp", "none,otlp", false, 0);
    EXPORTERS("OTEL_TRACES_EXPORTER", 1, ",,", ",,", false, 0);
    EXPORTERS("OTEL_LOGS_EXPORTER", 2, "none", "none", true, 0);
    EXPORTERS("OTEL_METRICS_EXPORTER", 0, "prometheus,otlp", "prometheus,otlp", false, 0);
    memset(list, 'x', sizeof list - 1);
    list[sizeof list - 1] = 0;
    EXPORTERS("OTEL_METRICS_EXPORTER", 0, list, "otlp", false, 1);
}

/* Every known variable without effect is named, all of them in one diagnostic; what has an effect is not. */
static void test_in_vain(void) {
    tel_desc d = zero_desc();
    tel__config c;
    size_t i, k, rows = sizeof tel__config_settings / sizeof tel__config_settings[0];
    reset();
    set("OTEL_ENTITIES", "service{a=b}");
    set("OTEL_EXPORTER_OTLP_INSECURE", "true");
    set("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "true");
    set("OTEL_SERVICE_NAME", "mine");
    CHECK_INT(resolve(&d, &c), TEL_OK);
    SAID(1, "OTEL_ENTITIES", "OTEL_EXPORTER_OTLP_INSECURE, OTEL_EXPORTER_OTLP_TRACES_INSECURE");
    CHECK(!strstr(said, "OTEL_SERVICE_NAME"));
    give_back(&c);
    for (i = 0; i < rows; i++) {
        const tel__config_setting* row = &tel__config_settings[i];
        for (k = 0; k < i; k++) { CHECK(!row->variable[0] || strcmp(row->variable, tel__config_settings[k].variable) != 0); }
        if (row->type != TEL__CONFIG_VAIN || !row->variable[0] || strchr(row->variable, '%')) { continue; }
        reset();
        set(row->variable, "x");
        CHECK_INT(resolve(&d, &c), TEL_OK);
        SAID(1, row->variable, NULL);
        give_back(&c);
    }
    reset();
    set("OTEL_CONFIG_FILE", "x");
    d.ignore_env = true;
    CHECK_INT(resolve(&d, &c), TEL_OK);
    SILENT();
    give_back(&c);
}

static void test_blank(void) {
    tel_desc d = zero_desc();
    tel__config c;
    reset();
    set("OTEL_SERVICE_NAME", " \n");
    set("OTEL_BSP_SCHEDULE_DELAY", "  ");
    CHECK_INT(resolve(&d, &c), TEL_OK);
    CHECK(strncmp(c.service_name, "unknown_service", 15) == 0);
    CHECK_INT(c.limits[0].delay_ms, 5000);
    SILENT();
    give_back(&c);
}

static void test_code_endpoint(void) {
    tel_otlp_desc d;
    reset();
    set("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense");
    set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other/");
    memset(&d, 0, sizeof d);
    d.endpoint = "http://mine:9/base";
    resolve_otlp(&d);
    URLS("http://mine:9/base/v1/metrics", "http://mine:9/base/v1/traces", "http://mine:9/base/v1/logs");
    SILENT();
    d.endpoint = "";
    unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    resolve_otlp(&d);
    URLS("http://localhost:4318/v1/metrics", "http://other/", "http://localhost:4318/v1/logs");
}

/* The longest URL that room net takes still fits with its signal's path. */
static void test_long_url(void) {
    static char text[2000];
    size_t i;
    for (i = 1000; i < 1400; i++) {
        size_t n = strlen("http://c:4318/");
        reset();
        memset(text, 'p', i);
        memcpy(text, "http://c:4318/", n);
        text[i] = '\0';
        set("OTEL_EXPORTER_OTLP_ENDPOINT", text);
        resolve_otlp(NULL);
        n = strlen(otlp.signals[METRICS].url);
        CHECK(said_count == 1 || (n == i + 11 && strcmp(otlp.signals[METRICS].url + n - 11, "/v1/metrics") == 0));
    }
}

static void check_headers(const char* list, const char* want, int count, const char* word, int line) {
    reset();
    set("OTEL_EXPORTER_OTLP_HEADERS", list);
    CHECK_INT(tel__endpoint_otlp_resolve(NULL, false, &diag, &otlp), TEL_OK);
    check__str(otlp.signals[TRACES].headers, want, __FILE__, line, list);
    check__str(otlp.signals[LOGS].headers, want, __FILE__, line, list);
    check_said(count, word, NULL, line);
}
#define HEADERS(list, want, count, word) check_headers((list), (want), (count), (word), __LINE__)

static void test_headers(void) {
    char big[9000];
    HEADERS("a=b", "a: b\r\n", 0, NULL);
    HEADERS("a=b,c=d", "a: b\r\nc: d\r\n", 0, NULL);
    HEADERS(" a = b , c\t=\td ", "a: b\r\nc: d\r\n", 0, NULL);
    HEADERS("Authorization=Basic dXNlcjpwYXNz==", "Authorization: Basic dXNlcjpwYXNz==\r\n", 0, NULL);
    HEADERS("a=b%20c%2Cd%3de", "a: b c,d=e\r\n", 0, NULL);
    HEADERS("a=%20x%20", "a:  x \r\n", 0, NULL);
    HEADERS("a%20b=c", "a%20b: c\r\n", 0, NULL);
    HEADERS("a=", "a: \r\n", 0, NULL);
    HEADERS("a=b;prop=1", "a: b;prop=1\r\n", 0, NULL);
    HEADERS("a=b,,c=d,", "a: b\r\nc: d\r\n", 0, NULL);
    HEADERS(",", "", 0, NULL);
    HEADERS("a=1,secretvalue,c=d", "a: 1\r\nc: d\r\n", 1, "entry 2");
    CHECK(strstr(said, "OTEL_EXPORTER_OTLP_HEADERS, entry 2: ") != NULL);
    HEADERS("a=1,a", "a: 1\r\n", 1, "entry 2");         /* what sets nothing replaces nothing */
    HEADERS("=b,c=d", "c: d\r\n", 1, "entry 1");
    HEADERS("a b=c", "", 1, "entry 1");
    HEADERS("a(=c", "", 1, "entry 1");
    HEADERS("(a=c", "", 1, "entry 1");
    HEADERS("AZaz09!#$&'*+-.^_`|~=c", "AZaz09!#$&'*+-.^_`|~: c\r\n", 0, NULL);
    HEADERS("\xc3\xa9=c", "", 1, "entry 1");
    HEADERS("a=%zz", "", 1, "entry 1 a");
    HEADERS("a=100%", "", 1, "entry 1 a");
    HEADERS("a=secret%0d%0aX-Evil: 1,b=c", "b: c\r\n", 1, "entry 1 a");
    CHECK(!strstr(said, "secret"));
    HEADERS("a=x\r\nX-Evil: 1", "", 1, "entry 1 a");
    HEADERS("a=x%00y", "", 1, "entry 1 a");
    HEADERS("a=%0ay", "", 1, "entry 1 a");
    HEADERS("a=x%7fy", "", 1, "entry 1 a");
    HEADERS("a=x%09y", "a: x\ty\r\n", 0, NULL);
    HEADERS("Content-Type=text/plain", "", 1, "Content-Type");
    HEADERS("accept-encoding=gzip,a=b", "a: b\r\n", 1, "accept-encoding");    /* we could not read the answer */
    HEADERS("content-length=3", "", 1, "content-length");
    HEADERS("CONTENT-ENCODING=br", "", 1, "CONTENT-ENCODING");
    HEADERS("host=evil", "", 1, "host");
    HEADERS("Transfer-Encoding=chunked", "", 1, "Transfer-Encoding");
    HEADERS("connection=close", "", 1, "connection");
    HEADERS("Hostess=fine,X-Host=fine", "Hostess: fine\r\nX-Host: fine\r\n", 0, NULL);
    HEADERS("a=1,b=2,A=3", "b: 2\r\nA: 3\r\n", 0, NULL);
    memset(big, 'v', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    memcpy(big, "k=", 2);
    memcpy(big + sizeof big - 5, ",z=1", 4);
    HEADERS(big, "z: 1\r\n", 1, "too long");
}

static void test_headers_layers(void) {
    static char huge[40000];
    tel_otlp_desc d;
    reset();
    set("OTEL_EXPORTER_OTLP_HEADERS", "general=1");
    set("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "own=2");
    resolve_otlp(NULL);
    CHECK_STR(otlp.signals[METRICS].headers, "general: 1\r\n");
    CHECK_STR(otlp.signals[TRACES].headers, "own: 2\r\n");
    CHECK_STR(otlp.signals[LOGS].headers, "general: 1\r\n");
    set("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "m=3");
    set("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "l=4");
    memset(&d, 0, sizeof d);
    d.headers = d.endpoint = d.compression = "";        /* as good as NULL */
    resolve_otlp(&d);
    CHECK_STR(otlp.signals[METRICS].headers, "m: 3\r\n");
    CHECK_STR(otlp.signals[TRACES].headers, "own: 2\r\n");
    CHECK_STR(otlp.signals[LOGS].headers, "l: 4\r\n");
    SILENT();
    d.headers = "code=3,bad entry";
    resolve_otlp(&d);
    CHECK_STR(otlp.signals[METRICS].headers, "code: 3\r\n");
    CHECK_STR(otlp.signals[TRACES].headers, "code: 3\r\n");
    SAID(1, "tel_otlp_desc.headers", "entry 2");
    reset();
    memset(huge, 'v', sizeof huge - 1);
    memcpy(huge, "a=", 2);
    set("OTEL_EXPORTER_OTLP_HEADERS", huge);
    resolve_otlp(NULL);
    CHECK_STR(otlp.signals[LOGS].headers, "");
    SAID(1, "OTEL_EXPORTER_OTLP_HEADERS", NULL);
}

static void test_otlp_timeout(void) {
    tel_otlp_desc d;
    reset();
    resolve_otlp(NULL);
    CHECK_INT(otlp.signals[TRACES].timeout_ms, 10000);
    set("OTEL_EXPORTER_OTLP_TIMEOUT", "250");
    set("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0");
    resolve_otlp(NULL);
    CHECK_INT(otlp.signals[METRICS].timeout_ms, TEL_FOREVER);
    CHECK_INT(otlp.signals[TRACES].timeout_ms, 250);
    CHECK_INT(otlp.signals[LOGS].timeout_ms, 250);
    memset(&d, 0, sizeof d);
    d.timeout_ms = 99;
    resolve_otlp(&d);
    CHECK_INT(otlp.signals[METRICS].timeout_ms, 99);
    CHECK_INT(otlp.signals[TRACES].timeout_ms, 99);
    SILENT();
    set("OTEL_EXPORTER_OTLP_TIMEOUT", "-5");
    set("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "10s");
    resolve_otlp(NULL);
    CHECK_INT(otlp.signals[TRACES].timeout_ms, 10000);
    CHECK_INT(otlp.signals[LOGS].timeout_ms, 10000);
    SAID(2, "OTEL_EXPORTER_OTLP_TIMEOUT=\"-5\"", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=\"10s\"");
}

static void test_compression(void) {
    tel_otlp_desc d;
    reset();
    resolve_otlp(NULL);
    CHECK(!otlp.signals[METRICS].gzip && !otlp.signals[TRACES].gzip && !otlp.signals[LOGS].gzip);
    set("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP");
    set("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "none");
    resolve_otlp(NULL);
    CHECK_INT(otlp.signals[TRACES].gzip, TEL__ZLIB);
    CHECK_INT(otlp.signals[LOGS].gzip, 0);
    if (TEL__ZLIB) { SILENT(); } else { SAID(1, "OTEL_EXPORTER_OTLP_COMPRESSION", "TELEMETRY_ZLIB"); }
    reset();
    set("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip");
    resolve_otlp(NULL);
    CHECK_INT(otlp.signals[METRICS].gzip, TEL__ZLIB);
    CHECK_INT(otlp.signals[TRACES].gzip, 0);
    reset();
    set("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd");
    resolve_otlp(NULL);
    CHECK_INT(otlp.signals[TRACES].gzip, 0);
    SAID(1, "OTEL_EXPORTER_OTLP_COMPRESSION", "zstd");
    reset();
    set("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd");
    memset(&d, 0, sizeof d);
    d.compression = "none";
    resolve_otlp(&d);
    SILENT();
    d.compression = "gzip";
    resolve_otlp(&d);
    CHECK_INT(otlp.signals[LOGS].gzip, TEL__ZLIB);
    reset();
    d.compression = "brotli";
    CHECK_INT(tel__endpoint_otlp_resolve(&d, false, &diag, &otlp), TEL_ERR_ARGUMENT);
    SAID(1, "tel_otlp_desc.compression", NULL);
}

static void test_protocol(void) {
    reset();
    resolve_otlp(NULL);
    SILENT();
    set("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/JSON");
    resolve_otlp(NULL);
    SILENT();
    CHECK(!otlp.signals[TRACES].protobuf);
    set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    set("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json");
    resolve_otlp(NULL);
    SILENT();
    CHECK(otlp.signals[TRACES].protobuf && otlp.signals[METRICS].protobuf && !otlp.signals[LOGS].protobuf);
    reset();
    set("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc");
    set("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc");
    set("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc");
    resolve_otlp(NULL);
    SAID(3, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=grpc");
    CHECK(strstr(said, "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=grpc") != NULL);
    reset();
    set("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon");
    resolve_otlp(NULL);
    SAID(1, "OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon");
}

/* ---- Prometheus ------------------------------------------------------------------------------------- */

static void test_prometheus(void) {
    tel_prometheus_desc d;
    tel__endpoint_prometheus p;
    static char host[257];
    reset();
    CHECK_INT(tel__endpoint_prometheus_resolve(NULL, false, &diag, &p), TEL_OK);
    CHECK_STR(p.host, "localhost");
    CHECK_INT(p.port, 9464);
    set("OTEL_EXPORTER_PROMETHEUS_HOST", " 0.0.0.0 ");
    set("OTEL_EXPORTER_PROMETHEUS_PORT", "8080");
    CHECK_INT(tel__endpoint_prometheus_resolve(NULL, false, &diag, &p), TEL_OK);
    CHECK_STR(p.host, "0.0.0.0");
    CHECK_INT(p.port, 8080);
    memset(&d, 0, sizeof d);
    d.host = "::1";
    d.port = 1234;
    CHECK_INT(tel__endpoint_prometheus_resolve(&d, false, &diag, &p), TEL_OK);
    CHECK_STR(p.host, "::1");
    CHECK_INT(p.port, 1234);
    d.host = NULL;
    d.port = TEL_ANY_PORT;
    CHECK_INT(tel__endpoint_prometheus_resolve(&d, false, &diag, &p), TEL_OK);
    CHECK_STR(p.host, "0.0.0.0");
    CHECK_INT(p.port, 0);
    SILENT();
    set("OTEL_EXPORTER_PROMETHEUS_PORT", "0");
    CHECK_INT(tel__endpoint_prometheus_resolve(NULL, false, &diag, &p), TEL_OK);
    CHECK_INT(p.port, 0);
    d.port = 65535;
    CHECK_INT(tel__endpoint_prometheus_resolve(&d, false, &diag, &p), TEL_OK);
    CHECK_INT(p.port, 65535);
    SILENT();
    set("OTEL_EXPORTER_PROMETHEUS_HOST", "bad host\n");
    set("OTEL_EXPORTER_PROMETHEUS_PORT", "65536");
    CHECK_INT(tel__endpoint_prometheus_resolve(NULL, false, &diag, &p), TEL_OK);
    CHECK_STR(p.host, "localhost");
    CHECK_INT(p.port, 9464);
    SAID(2, "OTEL_EXPORTER_PROMETHEUS_HOST", "OTEL_EXPORTER_PROMETHEUS_PORT=\"65536\"");
    reset();
    d.port = 65536;
    CHECK_INT(tel__endpoint_prometheus_resolve(&d, false, &diag, &p), TEL_ERR_ARGUMENT);
    SAID(1, "tel_prometheus_desc.port", NULL);
    reset();
    d.port = 1;
    d.host = "a b";
    CHECK_INT(tel__endpoint_prometheus_resolve(&d, false, &diag, &p), TEL_ERR_ARGUMENT);
    SAID(1, "tel_prometheus_desc.host", NULL);
    d.host = " b";
    CHECK_INT(tel__endpoint_prometheus_resolve(&d, false, &diag, &p), TEL_ERR_ARGUMENT);
    memset(host, 'h', sizeof host - 1);
    d.host = host;
    CHECK_INT(tel__endpoint_prometheus_resolve(&d, false, &diag, &p), TEL_ERR_ARGUMENT);
    host[255] = '\0';
    CHECK_INT(tel__endpoint_prometheus_resolve(&d, false, &diag, &p), TEL_OK);
    CHECK_STR(p.host, host);
    d.host = "";
    CHECK_INT(tel__endpoint_prometheus_resolve(&d, false, &diag, &p), TEL_OK);
    CHECK_STR(p.host, "localhost");
}

int main(void) {
    tel__memory_init(&memory, NULL, 1 << 24);
    test_defaults();
    test_bool();
    test_numbers();
    test_batch_within_queue();
    test_log_level();
    test_exact_url();
    test_long_values_are_cut();
    test_precedence();
    test_ignore_env();
    test_faults();
    test_sampler();
    test_threshold();
    test_detected();
    test_layers();
    test_fork();
    test_resource_copies();
    test_resource_list();
    test_resource_room();
    test_resource_limits();
    test_urls();
    test_exporters();
    test_in_vain();
    test_blank();
    test_code_endpoint();
    test_long_url();
    test_headers();
    test_headers_layers();
    test_otlp_timeout();
    test_compression();
    test_protocol();
    test_prometheus();
    reset();
    return check_done();
}
