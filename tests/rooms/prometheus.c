/* Room test of >>prometheus: names, labels, families, samples, the stream over batches, and what happens
   without memory. Vectors of our own; the names table follows the cases of the reference translator. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include "../pieces.h"
#include <stdlib.h>

static tel__memory memory;
static tel__series_shown shown;                    /* what pages have shown; each test begins with nothing */
static char text[1 << 16];
static int tries;                                  /* of the last page */
static tel__openmetrics_style plain_style;
static tel__prometheus_render no_page;
static tel_scope_view program;                     /* all empty: the program itself */

static tel_text of(const char* s) { return tel__text_of(s); }

static tel_scope_view scope_of(const char* name, const char* version) {
    tel_scope_view s;
    memset(&s, 0, sizeof s);
    s.name = of(name);
    s.version = of(version);
    return s;
}

static tel_metric_view metric_of(tel_metric_kind kind, const char* name, const char* unit, const tel_point* p,
                                 size_t n) {
    tel_metric_view m;
    memset(&m, 0, sizeof m);
    m.scope = &program;
    m.name = of(name);
    m.unit = of(unit);
    m.kind = kind;
    m.cumulative = true;
    m.monotonic = m.integer = kind == TEL_METRIC_SUM;
    m.points = p;
    m.point_count = n;
    return m;
}

static tel_point point_of(int64_t i, double d) {
    tel_point p;
    memset(&p, 0, sizeof p);
    p.i = i;
    p.d = d;
    return p;
}

static double infinity(void) {
    static volatile double most = 1.7976931348623157e308, sum;
    sum = most + most;                              /* through memory: no excess precision */
    return sum;
}

static double not_a_number(void) {
    static volatile double a, b;
    a = infinity();
    b = a - a;
    return b;
}

static tel_batch batch_of(const tel_metric_view* m, size_t n) {
    tel_batch b;
    memset(&b, 0, sizeof b);
    b.metrics = m;
    b.metric_count = n;
    return b;
}

static void forget(void) {
    tel__series_set_free(&memory, shown.mixed);
    tel__series_set_free(&memory, shown.gathered);
    memset(&shown, 0, sizeof shown);
}

/* One exposition of one batch as a C string; what was dropped in *dropped. */
static const char* render_all(const tel_batch* b, size_t n, uint64_t* dropped) {
    tel__prometheus_render r;
    tel__text_out out = tel__text_fixed(text, sizeof text - 1);
    size_t i;
    bool again = true;
    for (tries = 0; again && tries < TEL__PROMETHEUS_TRIES; tries++) {
        out.size = 0;
        tel__prometheus_begin(&r, &shown, &out, &memory, NULL);
        for (i = 0; i < n; i++) { tel__page_batch(&r, &b[i]); }
        again = tel__page_end(&r);
    }
    CHECK(!again);
    CHECK_INT(out.lost, 0);
    text[out.size] = 0;
    if (dropped) { *dropped = r.dropped; }
    return text;
}

static const char* render(const tel_metric_view* m, size_t n, uint64_t* dropped) {
    tel_batch b = batch_of(m, n);
    return render_all(&b, 1, dropped);
}

/* ---- names ------------------------------------------------------------------------------------------ */

typedef struct name_case { char type; const char* name; const char* unit; const char* want; } name_case;

/* type: c counter, u up-down counter, g gauge, h histogram; want NULL: no name */
static const name_case names[] = {
    { 'g', "simple_metric", "", "simple_metric" },
    { 'g', "123metric", "", "_123metric" },
    { 'g', "", "", NULL },
    { 'g', "metric@@##$$name", "", "metric_name" },
    { 'g', "@#$%", "", NULL },
    { 'g', "@_#_$_%", "", NULL },
    { 'c', "___", "s", NULL },
    { 'g', "response_time", "ms", "response_time_milliseconds" },
    { 'g', "memory_usage", "By", "memory_usage_bytes" },
    { 'g', "requests", "1/s", "requests_per_second" },
    { 'g', "custom_metric", "{custom}", "custom_metric" },
    { 'g', "response_time_seconds", "s", "response_time_seconds" },
    { 'c', "requests_total", "", "requests_total" },
    { 'g', "cpu_usage_ratio", "1", "cpu_usage_ratio" },
    { 'c', "cpu_seconds_total", "s", "cpu_seconds_total" },
    { 'c', "otelcol_process_cpu_seconds", "s", "otelcol_process_cpu_seconds_total" },
    { 'c', "app_123_requests", "", "app_123_requests_total" },
    { 'c', "123_requests", "", "_123_requests_total" },
    { 'g', "custom_metric", "unit@with#special/chars", "custom_metric_unit_with_special_per_chars" },
    { 'c', "metric", "", "metric_total" },
    { 'h', "request_duration", "s", "request_duration_seconds" },
    { 'u', "unknown_metric", "", "unknown_metric" },
    { 'g', "uptime", "d", "uptime_days" },
    { 'g', "duration", "h", "duration_hours" },
    { 'g', "timeout", "min", "timeout_minutes" },
    { 'g', "precision_time", "us", "precision_time_microseconds" },
    { 'g', "precision_time", "ns", "precision_time_nanoseconds" },
    { 'g', "cache_size", "KiBy", "cache_size_kibibytes" },
    { 'g', "memory", "MiBy", "memory_mebibytes" },
    { 'g', "storage", "GiBy", "storage_gibibytes" },
    { 'g', "capacity", "TiBy", "capacity_tebibytes" },
    { 'g', "transfer", "KBy", "transfer_kilobytes" },
    { 'g', "transfer", "kBy", "transfer_kilobytes" },
    { 'g', "download", "MBy", "download_megabytes" },
    { 'g', "backup", "GBy", "backup_gigabytes" },
    { 'g', "archive", "TBy", "archive_terabytes" },
    { 'g', "length", "m", "length_meters" },
    { 'g', "voltage", "V", "voltage_volts" },
    { 'g', "current", "A", "current_amperes" },
    { 'c', "energy", "J", "energy_joules_total" },
    { 'g', "power", "W", "power_watts" },
    { 'g', "weight", "g", "weight_grams" },
    { 'g', "temperature", "Cel", "temperature_celsius" },
    { 'g', "clock", "Hz", "clock_hertz" },
    { 'g', "load", "%", "load_percent" },
    { 'g', "transactions", "1/d", "transactions_per_day" },
    { 'g', "invoices", "1/mo", "invoices_per_month" },
    { 'g', "visits", "{visit}/w", "visits_per_week" },
    { 'g', "growth", "1/y", "growth_per_year" },
    { 'g', "flow", "By/m", "flow_bytes_per_minute" },
    { 'g', "flow", "By/h", "flow_bytes_per_hour" },
    { 'g', "metric", "By/", "metric_bytes" },
    { 'g', "metric", " By / s ", "metric_bytes_per_second" },
    { 'g', "metric", "/", "metric" },
    { 'h', "http.request.duration", "ms", "http_request_duration_milliseconds" },
    { 'c', "http.requests", "1", "http_requests_total" },
    { 'c', "foo.bar", "By", "foo_bar_bytes_total" },                       /* the specification's and our own */
    { 'h', "http.server.request.duration", "s", "http_server_request_duration_seconds" },
    { 'g', "system.cpu.utilization", "1", "system_cpu_utilization_ratio" },
    { 'u', "system.cpu.utilization", "1", "system_cpu_utilization" },
    { 'h', "share", "1", "share" },
    { 'g', "speed", "m/s", "speed_meters_per_second" },
    { 'g', "speed_meters", "m/s", "speed_meters_per_second" },
    { 'g', "speed_meters_per_second", "m/s", "speed_meters_per_second" },
    { 'c', "jobs", "{job}", "jobs_total" },
    { 'c', "foo_total", "By", "foo_bytes_total" },
    { 'c', "total", "By", "bytes_total" },
    { 'c', "total", "", "total" },
    { 'g', "seconds.behind.master", "s", "seconds_behind_master_seconds" },
    { 'g', "milliseconds", "s", "milliseconds_seconds" },
    { 'g', "used", "By{data}", "used_bytes" },
    { 'g', "used", "{a/b}/s", "used_per_second" },
    { 'g', "used", "{open", "used" },
    { 'g', "used", "!!", "used" },
    { 'g', "used", "__x__", "used_x" },
    { 'g', "rate", "m/s^2", "rate_meters_per_s_2" },
    { 'g', "a:b:c", "", "a:b:c" },
    { 'g', "_lead", "", "_lead" },
    { 'g', "trail.", "s", "trail_seconds" },
    { 'g', "Camel.Case", "", "Camel_Case" },
    { 'g', "gr\xc3\xb6\xc3\x9f" "e", "", "gr_e" },
    { 'g', "bad\xff\xfe\x80utf", "", "bad_utf" },
    { 'g', "nul", "\xc2\xb5s", "nul_s" }
};

static void test_names(void) {
    size_t i;
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        const name_case* c = &names[i];
        tel_metric_view m = metric_of(c->type == 'g' ? TEL_METRIC_GAUGE : c->type == 'h' ? TEL_METRIC_HISTOGRAM : TEL_METRIC_SUM, c->name,
                                      c->unit, NULL, 0);
        char data[TEL__PROMETHEUS_NAME_MAX + 1];
        tel__text_out out = tel__text_fixed(data, sizeof data - 1);
        bool well;
        m.monotonic = c->type == 'c';
        well = tel__prometheus_name(&plain_style, &m, tel__page_type_of(&m), &out);
        data[out.size] = 0;
        CHECK_INT(well, c->want != NULL);
        if (c->want) { CHECK_STR(data, c->want); }
    }
}

static void test_long_names(void) {
    char name[TEL__PROMETHEUS_NAME_MAX + 2], unit[200];
    tel_point p = point_of(1, 1);
    tel_metric_view m = metric_of(TEL_METRIC_GAUGE, "x", "", &p, 1);
    uint64_t dropped = 9;
    memset(name, 'n', sizeof name);
    m.name.data = name;
    m.name.size = TEL__PROMETHEUS_NAME_MAX;
    CHECK_INT(strlen(render(&m, 1, &dropped)), 7 + 512 + 7 + 512 + 3);
    CHECK_INT(dropped, 0);
    m.name.size++;
    CHECK_STR(render(&m, 1, &dropped), "");
    CHECK_INT(dropped, 1);
    m.kind = TEL_METRIC_HISTOGRAM;                         /* its suffixes have room behind the longest name */
    m.name.size--;
    render(&m, 1, &dropped);
    CHECK_INT(dropped, 0);
    memset(unit, 'u', sizeof unit);
    m = metric_of(TEL_METRIC_GAUGE, "x", "", &p, 1);
    m.unit.data = unit;
    m.unit.size = sizeof unit;
    CHECK_STR(render(&m, 1, &dropped), "");
    CHECK_INT(dropped, 1);
}

/* ---- labels ----------------------------------------------------------------------------------------- */

/* The label text of one counter point with these attributes, from its only sample line. */
static const char* labels_of(const tel_attr* attrs, size_t n) {
    static char line[8192];
    tel_point p = point_of(7, 7);
    tel_metric_view m = metric_of(TEL_METRIC_SUM, "m", "", &p, 1);
    const char* from;
    p.attrs = tel__attrs(attrs, n);
    from = strstr(render(&m, 1, NULL), "\nm_total");
    CHECK(from != NULL);
    if (!from) { return ""; }
    strncpy(line, from + 8, sizeof line - 1);
    return line;
}

static void test_label_keys(void) {
    static const struct { const char* key; const char* want; } keys[] = {
        { "label!with&special$chars)", "label_with_special_chars_" },
        { "label_with_foreign_characters_\xe5\xad\x97\xe7\xac\xa6", "label_with_foreign_characters_" },
        { "label.with.dots", "label_with_dots" },
        { "123label", "key_123label" },
        { "__label_starting_with_2underscores", "_label_starting_with_2underscores" },
        { "label__with__double__underscores", "label_with_double_underscores" },
        { "label.name__with&&special##chars", "label_name_with_special_chars" },
        { "trailing_underscores___", "trailing_underscores_" },
        { "colon:is:not", "colon_is_not" },
        { "__name__", "_name_" },
        { "le", "le" },
        { NULL, NULL }, { "", NULL }, { "__", NULL }, { "...", NULL }
    };
    size_t i;
    for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char want[128];
        tel_attr a = tel_str("", "v");
        a.key = keys[i].key;
        a.tel__key_size = 0;
        if (keys[i].want) { snprintf(want, sizeof want, "{%s=\"v\"} 7\n", keys[i].want); }
        CHECK_STR(labels_of(&a, 1), keys[i].want ? want : " 7\n");
    }
}

static void test_label_values(void) {
    tel_attr a[4];
    a[0] = tel_str("k", "C:\\DIR\n\"x\"");
    CHECK_STR(labels_of(a, 1), "{k=\"C:\\\\DIR\\n\\\"x\\\"\"} 7\n");
    a[0] = tel_strn("k", "a\xff" "b\xc3\\\xed\xa0\x80", 8);
    CHECK_STR(labels_of(a, 1), "{k=\"a\xef\xbf\xbd" "b\xef\xbf\xbd\\\\\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"} 7\n");
    a[0] = tel_str("k", "\xe5\xad\x97 \xf0\x9f\x98\xb1\r\t");
    CHECK_STR(labels_of(a, 1), "{k=\"\xe5\xad\x97 \xf0\x9f\x98\xb1\r\t\"} 7\n");
    a[0] = tel_strn("k", NULL, SIZE_MAX);           /* what tel_str makes of NULL */
    CHECK_STR(labels_of(a, 1), " 7\n");              /* to Prometheus it is none */
    a[0] = tel_strn("k", "", 0);
    CHECK_STR(labels_of(a, 1), " 7\n");              /* to Prometheus it is none */
    a[0] = tel_int("i", INT64_MIN);
    a[1] = tel_bool("f", false);
    a[2] = tel_bool("t", true);
    a[3] = tel_double("d", 0.1);
    CHECK_STR(labels_of(a, 4), "{d=\"0.1\",f=\"false\",i=\"-9223372036854775808\",t=\"true\"} 7\n");
    a[0] = tel_double("a", infinity());
    a[1] = tel_double("b", -infinity());
    a[2] = tel_double("c", not_a_number());
    a[3] = tel_double("d", 3);
    CHECK_STR(labels_of(a, 4), "{a=\"Infinity\",b=\"-Infinity\",c=\"NaN\",d=\"3\"} 7\n");
    a[0] = tel_str("key.more", "v");
    a[0].tel__key_size = 3;                         /* a key that goes on behind its end */
    CHECK_STR(labels_of(a, 1), "{key=\"v\"} 7\n");
}

static void test_label_collisions(void) {
    tel_attr a[5];
    char keys[200][8];
    tel_attr many[200];
    size_t i, commas = 0;
    const char* s;
    a[0] = tel_int("a_b", 3);
    a[1] = tel_str("a.b", "one");
    a[2] = tel_str("z", "z");
    a[3] = tel_bool("a-b", true);
    a[4] = tel_str("a", "x");
    CHECK_STR(labels_of(a, 5), "{a=\"x\",a_b=\"true;one;3\",z=\"z\"} 7\n");     /* '-' < '.' < '_' */
    a[0] = tel_str("x_", "1");
    a[1] = tel_str("_x", "2");                      /* each key is cleaned for itself */
    CHECK_STR(labels_of(a, 2), "{_x=\"2\",x_=\"1\"} 7\n");
    for (i = 0; i < 200; i++) {
        snprintf(keys[i], sizeof keys[i], "k%03d", (int)i);
        many[i] = tel_int("", 1);
        many[i].key = keys[i];
        many[i].tel__key_size = 0;
    }
    for (s = labels_of(many, 200); *s; s++) { commas += *s == ','; }
    CHECK_INT(commas, TEL__PROMETHEUS_LABEL_MAX - 1);
}

static void test_scopes(void) {
    tel_scope_view lib = scope_of("lib", "1.2"), bare = scope_of("bare", "");
    tel_attr scope_attrs[3], attrs[3];
    tel_point p = point_of(5, 5);
    tel_metric_view m = metric_of(TEL_METRIC_SUM, "m", "", &p, 1);
    m.scope = &bare;
    CHECK_STR(render(&m, 1, NULL), "# TYPE m_total counter\nm_total{otel_scope_name=\"bare\"} 5\n");
    m.scope = NULL;
    CHECK_STR(render(&m, 1, NULL), "# TYPE m_total counter\nm_total 5\n");
    m.scope = &lib;
    scope_attrs[0] = tel_str("color", "red");
    scope_attrs[1] = tel_str("name", "impostor");   /* would be otel_scope_name */
    scope_attrs[2] = tel_str("4x", "y");
    lib.attrs = tel__attrs(scope_attrs, 3);
    lib.schema_url = of("http://s");
    attrs[0] = tel_str("otel.scope.version", "9");  /* the scope's own label stays */
    attrs[1] = tel_str("b", "c");
    attrs[2] = tel_str("otel_scope_version", "8");
    p.attrs = tel__attrs(attrs, 3);
    CHECK_STR(render(&m, 1, NULL), "# TYPE m_total counter\n"
              "m_total{b=\"c\",otel_scope_4x=\"y\",otel_scope_color=\"red\",otel_scope_name=\"lib\","
              "otel_scope_schema_url=\"http://s\",otel_scope_version=\"1.2\"} 5\n");
    p.attrs.count = 2;
    m.scope = &program;                             /* no scope labels: the attribute is free to have the name */
    program.version = of("3");                      /* a version without a name says nothing */
    CHECK_STR(render(&m, 1, NULL), "# TYPE m_total counter\nm_total{b=\"c\",otel_scope_version=\"9\"} 5\n");
    program.version = of("");
}

/* ---- families --------------------------------------------------------------------------------------- */

static void test_types(void) {
    tel_point p = point_of(-3, 2.5);
    tel_metric_view m = metric_of(TEL_METRIC_SUM, "x", "", &p, 1);
    uint64_t dropped = 9;
    m.monotonic = false;
    CHECK_STR(render(&m, 1, NULL), "# TYPE x gauge\nx -3\n");
    m.integer = false;
    CHECK_STR(render(&m, 1, NULL), "# TYPE x gauge\nx 2.5\n");
    m.monotonic = true;
    CHECK_STR(render(&m, 1, &dropped), "# TYPE x_total counter\nx_total 2.5\n");
    CHECK_INT(dropped, 0);
    m.cumulative = false;
    CHECK_STR(render(&m, 1, &dropped), "");
    CHECK_INT(dropped, 1);
    m.kind = TEL_METRIC_HISTOGRAM;
    CHECK_STR(render(&m, 1, &dropped), "");
    CHECK_INT(dropped, 1);
    m.kind = TEL_METRIC_EXPONENTIAL;
    CHECK_STR(render(&m, 1, &dropped), "");
    CHECK_INT(dropped, 1);
    m.kind = (tel_metric_kind)9;
    m.cumulative = true;
    CHECK_STR(render(&m, 1, &dropped), "");
    CHECK_INT(dropped, 1);
    m.kind = TEL_METRIC_GAUGE;
    m.cumulative = false;                           /* a gauge has no temporality */
    CHECK_STR(render(&m, 1, NULL), "# TYPE x gauge\nx 2.5\n");
    p.d = infinity();
    CHECK_STR(render(&m, 1, NULL), "# TYPE x gauge\nx +Inf\n");
    p.d = -infinity();
    CHECK_STR(render(&m, 1, NULL), "# TYPE x gauge\nx -Inf\n");
    p.d = not_a_number();
    CHECK_STR(render(&m, 1, NULL), "# TYPE x gauge\nx NaN\n");
    p.d = 3;
    CHECK_STR(render(&m, 1, NULL), "# TYPE x gauge\nx 3\n");
    m.point_count = 0;
    CHECK_STR(render(&m, 1, NULL), "");
}

/* As strconv and the client for Python spell them. */
static void test_spelling(void) {
    static const struct { double v; const char* want; } cases[] = {
        { 0, "0" }, { 1, "1" }, { 0.25, "0.25" }, { 999999, "999999" }, { 1e6, "1e+06" }, { 1234567, "1.234567e+06" },
        { 123456789.5, "1.234567895e+08" }, { 1e20, "1e+20" }, { 1e21, "1e+21" }, { 1e300, "1e+300" }, { 0.0001, "0.0001" },
        { 0.00012, "0.00012" }, { 1e-5, "1e-05" }, { 2.5e-5, "2.5e-05" }, { 1e-6, "1e-06" }, { 9.999e-5, "9.999e-05" },
        { -1e6, "-1e+06" }, { -1.5e-5, "-1.5e-05" }, { 9007199254740991.0, "9.007199254740991e+15" },
        { 123456789012345678.0, "1.2345678901234568e+17" }, { 5e-324, "5e-324" }, { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { 1000001, "1.000001e+06" }, { 10000000, "1e+07" }
    };
    char text_of_it[64];
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        *tel__page_write(&no_page, text_of_it, cases[i].v) = 0;
        CHECK_STR(text_of_it, cases[i].want);
        CHECK(strtod(text_of_it, NULL) == cases[i].v);
    }
    *tel__page_write(&no_page, text_of_it, infinity()) = 0;
    CHECK_STR(text_of_it, "+Inf");
    *tel__page_write(&no_page, text_of_it, -infinity()) = 0;
    CHECK_STR(text_of_it, "-Inf");
    *tel__page_write(&no_page, text_of_it, not_a_number()) = 0;
    CHECK_STR(text_of_it, "NaN");
}

static void test_help(void) {
    tel_point p = point_of(1, 1);
    tel_scope_view lib = scope_of("lib", "");
    tel_metric_view m[2];
    uint64_t dropped = 9;
    m[0] = metric_of(TEL_METRIC_SUM, "m", "", &p, 1);
    m[0].description = of("a\\b\n\"c\" \xff");
    CHECK_STR(render(m, 1, NULL), "# HELP m_total a\\\\b\\n\"c\" \xef\xbf\xbd\n# TYPE m_total counter\nm_total 1\n");
    m[0].description = of("first");
    m[1] = m[0];
    m[1].scope = &lib;
    m[1].description = of("second");
    CHECK_STR(render(m, 2, &dropped), "# HELP m_total first\n# TYPE m_total counter\nm_total 1\n"
                                      "m_total{otel_scope_name=\"lib\"} 1\n");
    CHECK_INT(dropped, 0);
    m[1].scope = &program;                          /* one instrument described twice: no point is lost */
    render(m, 2, &dropped);
    CHECK_INT(dropped, 0);
}

static void test_conflicts(void) {
    static const char twin[2][8] = { "twin", "twin" };
    tel_point p = point_of(1, 1);
    tel_scope_view lib = scope_of("lib", "1");
    tel_metric_view m[4];
    uint64_t dropped = 9;
    m[0] = metric_of(TEL_METRIC_SUM, "a", "", &p, 1);
    m[1] = metric_of(TEL_METRIC_GAUGE, "a.total", "", &p, 1);
    m[2] = metric_of(TEL_METRIC_SUM, "a", "", &p, 1);
    m[2].scope = &lib;
    CHECK_STR(render(m, 3, &dropped), "# TYPE a_total counter\na_total 1\na_total{otel_scope_name=\"lib\","
              "otel_scope_version=\"1\"} 1\n");
    CHECK_INT(dropped, 1);                          /* another TYPE: the later metric goes, the family goes on */
    m[1].scope = &lib;                              /* also when it comes from another scope */
    CHECK_STR(render(m, 2, &dropped), "# TYPE a_total counter\na_total 1\n");
    CHECK_INT(dropped, 1);
    m[1] = metric_of(TEL_METRIC_GAUGE, "b", "", &p, 1);
    CHECK_STR(render(m, 3, &dropped), "# TYPE b gauge\nb 1\n# TYPE a_total counter\na_total 1\n"
              "a_total{otel_scope_name=\"lib\",otel_scope_version=\"1\"} 1\n");
    CHECK_INT(dropped, 0);                          /* comes back to a closed family: gathered, at the end, whole */
    forget();
    m[0] = metric_of(TEL_METRIC_GAUGE, "a.b", "", &p, 1);
    m[1] = metric_of(TEL_METRIC_GAUGE, "a_b", "", &p, 1);
    m[2] = metric_of(TEL_METRIC_GAUGE, "a-b", "", &p, 1);
    m[2].scope = &lib;
    CHECK_STR(render(m, 3, &dropped), "# TYPE a_b gauge\na_b 1\n"
              "a_b{otel_scope_name=\"lib\",otel_scope_version=\"1\"} 1\n");
    CHECK_INT(dropped, 0);                          /* two names that become one, in one scope: the last gauge counts */
    m[0] = metric_of(TEL_METRIC_SUM, "same", "", &p, 1);
    m[0].monotonic = false;
    m[1] = metric_of(TEL_METRIC_GAUGE, "same", "", &p, 1);
    CHECK_STR(render(m, 2, &dropped), "# TYPE same gauge\nsame 1\n");
    CHECK_INT(dropped, 0);                          /* two kinds, one Prometheus type */
    m[0] = metric_of(TEL_METRIC_SUM, twin[0], "{a}", &p, 1);
    m[1] = metric_of(TEL_METRIC_SUM, twin[1], "{b}", &p, 1);
    CHECK_STR(render(m, 2, &dropped), "# TYPE twin_total counter\ntwin_total 2\n");
    CHECK_INT(dropped, 0);                          /* two metrics of one name: no sample comes twice */
    m[1] = m[0];
    render(m, 2, &dropped);
    CHECK_INT(dropped, 0);                          /* one metric that goes on */
    m[0] = metric_of(TEL_METRIC_HISTOGRAM, "h", "", &p, 1);
    m[1] = metric_of(TEL_METRIC_GAUGE, "h.count", "", &p, 1);
    m[2] = metric_of(TEL_METRIC_GAUGE, "h.bucket", "", &p, 1);
    m[3] = metric_of(TEL_METRIC_GAUGE, "h.sum", "", &p, 1);
    render(m, 4, &dropped);
    CHECK_INT(dropped, 3);                          /* those samples are the histogram's */
    m[1] = m[0];
    m[0] = metric_of(TEL_METRIC_GAUGE, "h.count", "", &p, 1);
    CHECK_STR(render(m, 2, &dropped), "# TYPE h_count gauge\nh_count 1\n");
    CHECK_INT(dropped, 1);
}

/* A page over counters (c) or gauges with these label sets, each of a series. */
typedef struct twins {
    tel_attr        attrs[8][2];
    tel_point       points[8];
    tel_metric_view view;
} twins;

static void twins_make(twins* t, tel_metric_kind kind, size_t n) {
    size_t i;
    memset(t, 0, sizeof *t);
    for (i = 0; i < n; i++) {
        t->points[i] = point_of(1 << i, 1 << i);
        t->points[i].tel__of = &t->points[i];
    }
    t->view = metric_of(kind, "m", "", t->points, n);
}
static void twin_attr(twins* t, size_t i, tel_attr a) { t->attrs[i][0] = a; t->points[i].attrs = tel__attrs(t->attrs[i], 1); }

/* Series that are two to us and one to Prometheus. */
static void test_twins(void) {
    static twins t;
    uint64_t dropped = 9;
    twins_make(&t, TEL_METRIC_SUM, 8);
    twin_attr(&t, 0, tel_int("code", 200));
    twin_attr(&t, 1, tel_str("code", "200"));
    twin_attr(&t, 2, tel_str("http.method", "GET"));
    twin_attr(&t, 3, tel_str("http_method", "GET"));
    twin_attr(&t, 4, tel_str("\xe5\x9f\x8e", "Beijing"));        /* makes no label */
    twin_attr(&t, 5, tel_str("empty", ""));                      /* nor does this */
    twin_attr(&t, 6, tel_str("file", "a\xff"));
    twin_attr(&t, 7, tel_str("file", "a\xfe"));
    CHECK_STR(render(&t.view, 1, &dropped), "# TYPE m_total counter\nm_total{code=\"200\"} 3\nm_total{http_method=\"GET\"} 12\n"
              "m_total 48\nm_total{file=\"a\xef\xbf\xbd\"} 192\n");
    CHECK_INT(dropped, 0);
    CHECK_INT(tries, 3);                            /* twice to find out ... */
    t.points[1].i += 1000;
    CHECK(strstr(render(&t.view, 1, &dropped), "m_total{code=\"200\"} 1003\n") != NULL);
    CHECK_INT(tries, 1);                            /* ... and known from then on */
    t.view.integer = false;
    CHECK(strstr(render(&t.view, 1, &dropped), "m_total{http_method=\"GET\"} 12\n") != NULL);
    forget();
    twins_make(&t, TEL_METRIC_GAUGE, 3);
    twin_attr(&t, 0, tel_bool("ok", true));
    twin_attr(&t, 1, tel_str("ok", "true"));
    twin_attr(&t, 2, tel_str("ok", "false"));
    CHECK_STR(render(&t.view, 1, &dropped), "# TYPE m gauge\nm{ok=\"true\"} 2\nm{ok=\"false\"} 4\n");
    forget();
}

static void test_twin_histograms(void) {
    static const double bounds[] = { 1, 2 };
    static const uint64_t one[] = { 1, 2, 3 }, two[] = { 10, 20, 30 };
    static twins t;
    uint64_t dropped = 9;
    size_t i;
    twins_make(&t, TEL_METRIC_HISTOGRAM, 2);
    twin_attr(&t, 0, tel_double("k", 0.5));
    twin_attr(&t, 1, tel_str("k", "0.5"));
    for (i = 0; i < 2; i++) {
        t.points[i].bounds = bounds;
        t.points[i].bound_count = 2;
        t.points[i].buckets = i ? two : one;
    }
    CHECK_STR(render(&t.view, 1, &dropped), "# TYPE m histogram\nm_bucket{k=\"0.5\",le=\"1\"} 11\nm_bucket{k=\"0.5\",le=\"2\"} 33\n"
              "m_bucket{k=\"0.5\",le=\"+Inf\"} 66\nm_count{k=\"0.5\"} 66\nm_sum{k=\"0.5\"} 3\n");
    CHECK_INT(dropped, 0);
    CHECK_INT(one[0], 1);                           /* what was added up is a copy */
    forget();
}

/* Two scopes, another family between them, and a series that shows as one of the other scope's. */
static void test_twin_metrics(void) {
    static twins t;
    tel_scope_view lib = scope_of("lib", "");
    tel_metric_view m[4];
    tel_point p = point_of(100, 100);
    uint64_t dropped = 9;
    twins_make(&t, TEL_METRIC_SUM, 2);
    twin_attr(&t, 0, tel_str("otel.scope.name", "lib"));
    twin_attr(&t, 1, tel_int("k", 1));
    m[0] = t.view;
    m[1] = metric_of(TEL_METRIC_GAUGE, "between", "", &p, 1);
    m[2] = metric_of(TEL_METRIC_SUM, "m", "", &p, 1);
    m[2].scope = &lib;
    m[3] = metric_of(TEL_METRIC_GAUGE, "after", "", &p, 1);
    CHECK_STR(render(m, 4, &dropped), "# TYPE between gauge\nbetween 100\n# TYPE after gauge\nafter 100\n"
              "# TYPE m_total counter\nm_total{otel_scope_name=\"lib\"} 101\nm_total{k=\"1\"} 2\n");
    CHECK_INT(dropped, 0);
    forget();
}

static void test_many_families(void) {
    static char names_of[5000][16];
    static tel_metric_view m[5000];
    tel__prometheus_render r;
    tel__text_out out = tel__text_heap(&memory);
    tel_point p = point_of(1, 1);
    tel_batch b = batch_of(m, 5000);
    int i;
    for (i = 0; i < 5000; i++) {
        snprintf(names_of[i], sizeof names_of[i], "m%d", i);
        m[i] = metric_of(TEL_METRIC_GAUGE, names_of[i], "", &p, 1);
    }
    tel__prometheus_begin(&r, &shown, &out, &memory, NULL);
    tel__page_batch(&r, &b);
    CHECK_INT(r.written, 5000);
    CHECK_INT(r.dropped, 0);
    b.metric_count = 4999;                          /* all but the open one are closed by now */
    tel__page_batch(&r, &b);
    CHECK_INT(r.written, 5000);
    CHECK_INT(r.dropped, 4999);
    CHECK(tel__page_end(&r));                 /* this page is thrown away */
    out.size = 0;
    tel__prometheus_begin(&r, &shown, &out, &memory, NULL);
    tel__page_batch(&r, &b);
    b.metric_count = 5000;
    tel__page_batch(&r, &b);
    CHECK_INT(r.written, 9999);
    CHECK_INT(r.dropped, 0);
    CHECK(!tel__page_end(&r));                /* the one that is not gathered goes out first */
    CHECK(out.size > 80 && memcmp(out.data, "# TYPE m4999 gauge\nm4999 1\n# TYPE m0 gauge\nm0 1\n# TYPE m1 gauge\nm1 1\n", 69) == 0);
    tel__text_heap_free(&out);
    forget();
}

static int reported[TEL__DIAG_COUNT];
static void on_diag(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)line;
    (void)user_data;
    CHECK(level >= 1 && level <= 4 && message[0] != 0);
    if (item < TEL__DIAG_COUNT) { reported[item]++; }
}

/* What is left out is said, once a minute for each item. */
static void test_diagnostics(void) {
    static tel__diag diag;
    tel_diag user = { NULL, NULL, NULL };
    tel_attr a = tel_str("...", "v");
    tel_point p = point_of(1, 1);
    tel_metric_view m[2];
    tel_batch b;
    tel__prometheus_render r;
    tel__text_out out = tel__text_fixed(text, sizeof text);
    memset(&user, 0, sizeof user);
    user.report_fn = on_diag;
    tel__diag_init(&diag, &user);
    p.attrs = tel__attrs(&a, 1);
    m[0] = metric_of(TEL_METRIC_SUM, "a", "", &p, 1);
    m[1] = metric_of(TEL_METRIC_GAUGE, "!", "", &p, 1);
    b = batch_of(m, 2);
    tel__prometheus_begin(&r, &shown, &out, &memory, &diag);
    tel__page_batch(&r, &b);
    tel__page_end(&r);
    CHECK_INT(reported[TEL__DIAG_PROMETHEUS], 1);
    CHECK_INT(reported[TEL__DIAG_FAMILY], 1);
    CHECK_INT(reported[TEL__DIAG_MEMORY], 0);
}

/* ---- histograms ------------------------------------------------------------------------------------- */

static void test_histogram(void) {
    static const double bounds[] = { 0.005, 1, 2.5, 1e21 };
    static const uint64_t buckets[] = { 1, 0, 4, 2, 10 };
    tel_attr a[2];
    tel_point p[2];
    tel_metric_view m;
    p[0] = point_of(0, 12.5);
    p[0].count = 17;
    p[0].bounds = bounds;
    p[0].buckets = buckets;
    p[0].bound_count = 4;
    p[1] = p[0];
    p[1].d = -3;
    a[0] = tel_str("le", "mine");
    a[1] = tel_str("k", "v");
    p[1].attrs = tel__attrs(a, 2);
    m = metric_of(TEL_METRIC_HISTOGRAM, "h", "s", p, 2);
    CHECK_STR(render(&m, 1, NULL), "# TYPE h_seconds histogram\n"
              "h_seconds_bucket{le=\"0.005\"} 1\nh_seconds_bucket{le=\"1\"} 1\nh_seconds_bucket{le=\"2.5\"} 5\n"
              "h_seconds_bucket{le=\"1e+21\"} 7\nh_seconds_bucket{le=\"+Inf\"} 17\n"
              "h_seconds_count 17\nh_seconds_sum 12.5\n"
              "h_seconds_bucket{exported_le=\"mine\",k=\"v\",le=\"0.005\"} 1\n"
              "h_seconds_bucket{exported_le=\"mine\",k=\"v\",le=\"1\"} 1\n"
              "h_seconds_bucket{exported_le=\"mine\",k=\"v\",le=\"2.5\"} 5\n"
              "h_seconds_bucket{exported_le=\"mine\",k=\"v\",le=\"1e+21\"} 7\n"
              "h_seconds_bucket{exported_le=\"mine\",k=\"v\",le=\"+Inf\"} 17\n"
              "h_seconds_count{exported_le=\"mine\",k=\"v\"} 17\nh_seconds_sum{exported_le=\"mine\",k=\"v\"} -3\n");
}

static void test_odd_histograms(void) {
    uint64_t dropped = 9;
    double bounds[5];
    static const uint64_t buckets[] = { 1, 2, 4, 8, 16, 32 };
    static const double other[] = { 7 };
    tel_attr a = tel_int("k", 1);
    tel_point p[2];
    tel_metric_view m;
    p[0] = point_of(0, 1);
    m = metric_of(TEL_METRIC_HISTOGRAM, "h", "", p, 1);
    p[0].count = 3;                                 /* neither bounds nor buckets: the count is all there is */
    CHECK_STR(render(&m, 1, NULL), "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3\nh_count 3\nh_sum 1\n");
    bounds[0] = 1;
    bounds[1] = 1;                                  /* does not rise */
    bounds[2] = 0.5;                                /* falls */
    bounds[3] = 2;
    bounds[4] = infinity();                         /* is +Inf itself */
    p[0].bounds = bounds;
    p[0].buckets = buckets;
    p[0].bound_count = 5;
    p[1] = p[0];                                    /* bounds may differ from point to point */
    p[1].bounds = other;
    p[1].bound_count = 1;
    p[1].attrs = tel__attrs(&a, 1);
    m.point_count = 2;
    CHECK_STR(render(&m, 1, NULL), "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 15\n"
              "h_bucket{le=\"+Inf\"} 63\nh_count 63\nh_sum 1\n"
              "h_bucket{k=\"1\",le=\"7\"} 1\nh_bucket{k=\"1\",le=\"+Inf\"} 3\nh_count{k=\"1\"} 3\nh_sum{k=\"1\"} 1\n");
    p[1].attrs.count = 0;                           /* one sample, other buckets: they cannot be added */
    CHECK_STR(render(&m, 1, &dropped), "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 15\n"
              "h_bucket{le=\"+Inf\"} 63\nh_count 63\nh_sum 1\n");
    CHECK_INT(dropped, 1);
    forget();
}

/* The next batch may use the same memory for other bounds. */
static void test_bounds_reused(void) {
    static const uint64_t buckets[] = { 1, 2 };
    double bound = 1;
    char text_of_it[512];
    tel_point p = point_of(0, 1);
    tel_metric_view m;
    tel_batch b;
    tel__prometheus_render r;
    tel__text_out out = tel__text_fixed(text_of_it, sizeof text_of_it - 1);
    p.bounds = &bound;
    p.buckets = buckets;
    p.bound_count = 1;
    m = metric_of(TEL_METRIC_HISTOGRAM, "h", "", &p, 1);
    b = batch_of(&m, 1);
    tel__prometheus_begin(&r, &shown, &out, &memory, NULL);
    tel__page_batch(&r, &b);
    bound = 2;
    m.name = of("i");
    tel__page_batch(&r, &b);
    tel__page_end(&r);
    text_of_it[out.size] = 0;
    CHECK(strstr(text_of_it, "h_bucket{le=\"1\"} 1\n") != NULL);
    CHECK(strstr(text_of_it, "i_bucket{le=\"2\"} 1\n") != NULL);
}

/* ---- the stream ------------------------------------------------------------------------------------- */

static void test_target(void) {
    tel_attr res[2];
    tel_point p = point_of(1, 1);
    tel_metric_view m[2];
    tel_batch b[2];
    uint64_t dropped = 9;
    res[0] = tel_str("service.name", "shop \"x\"");
    res[1] = tel_int("process.pid", 4);
    m[0] = metric_of(TEL_METRIC_GAUGE, "a", "", &p, 1);
    m[1] = metric_of(TEL_METRIC_GAUGE, "target.info", "", &p, 1);
    b[0] = batch_of(m, 1);
    b[0].resource = tel__attrs(res, 2);
    b[1] = b[0];
    CHECK_STR(render_all(b, 2, NULL), "# HELP target_info Target metadata\n# TYPE target_info gauge\n"
              "target_info{process_pid=\"4\",service_name=\"shop \\\"x\\\"\"} 1\n# TYPE a gauge\na 1\n");
    b[0].metrics = m + 1;                           /* there is one target_info, and it is ours */
    CHECK_STR(render_all(b, 1, &dropped), "# HELP target_info Target metadata\n# TYPE target_info gauge\n"
              "target_info{process_pid=\"4\",service_name=\"shop \\\"x\\\"\"} 1\n");
    CHECK_INT(dropped, 1);
    b[0].metric_count = 0;                          /* an empty collection still tells the resource, once */
    render_all(b, 1, NULL);
    CHECK(strncmp(text, "# HELP target_info", 18) == 0);
    b[0].resource.count = 0;                        /* decided with the first batch */
    CHECK_STR(render_all(b, 2, NULL), "# TYPE a gauge\na 1\n");
}

static void test_batches(void) {
    tel_attr k[4];
    tel_point p[4];
    tel_metric_view m[3];
    tel_batch b[3];
    uint64_t dropped = 9;
    int i;
    for (i = 0; i < 4; i++) {
        p[i] = point_of(i, i);
        k[i] = tel_int("k", i);
        p[i].attrs = tel__attrs(&k[i], 1);
    }
    m[0] = metric_of(TEL_METRIC_SUM, "a", "", p, 2);
    m[0].description = of("help");
    m[1] = m[0];
    m[1].points = p + 2;
    m[2] = metric_of(TEL_METRIC_GAUGE, "b", "", p + 3, 1);
    b[0] = batch_of(m, 1);
    b[1] = batch_of(m + 1, 2);                      /* a goes on in the second batch, under the same header */
    CHECK_STR(render_all(b, 2, &dropped), "# HELP a_total help\n# TYPE a_total counter\na_total{k=\"0\"} 0\n"
              "a_total{k=\"1\"} 1\na_total{k=\"2\"} 2\na_total{k=\"3\"} 3\n# TYPE b gauge\nb{k=\"3\"} 3\n");
    CHECK_INT(dropped, 0);
    CHECK_INT(tries, 1);
}

/* Any buffer size gives the same text; a fixed buffer that is too small says exactly how much it lacked. */
static void test_buffers(void) {
    static char whole[1 << 14], part[1 << 14], collected[1 << 14], big[700];
    static const double bounds[] = { 1, 2 };
    static const uint64_t buckets[] = { 1, 2, 3 };
    tel_attr a = tel_str("k", "");
    tel_point p = point_of(12345, 0.25);
    tel_metric_view m[2];
    tel_batch b;
    tel__prometheus_render r;
    size_t size, capacity;
    memset(big, 'x', sizeof big);
    a.as.s.data = big;
    a.as.s.size = sizeof big;
    p.attrs = tel__attrs(&a, 1);
    p.bounds = bounds;
    p.buckets = buckets;
    p.bound_count = 2;
    m[0] = metric_of(TEL_METRIC_SUM, "a", "", &p, 1);
    m[0].description = of("some words of help");
    m[1] = metric_of(TEL_METRIC_HISTOGRAM, "b", "", &p, 1);
    b = batch_of(m, 2);
    strcpy(whole, render(m, 2, NULL));
    size = strlen(whole);
    for (capacity = 0; capacity <= size + 1; capacity += capacity < 200 || capacity + 30 > size ? 1 : 29) {
        tel__text_out out = tel__text_fixed(part, capacity);
        pieces f;
        tel__prometheus_begin(&r, &shown, &out, &memory, NULL);
        tel__page_batch(&r, &b);
        tel__page_end(&r);
        CHECK_INT(out.size + out.lost, size);
        CHECK_INT(out.lost, capacity < size ? size - capacity : 0);
        CHECK(memcmp(part, whole, out.size) == 0);
        if (capacity == 0) { continue; }
        f.data = collected;
        f.size = 0;
        out = tel__text_fixed(part, capacity);
        out.more_fn = pieces_more;
        out.user_data = &f;
        tel__prometheus_begin(&r, &shown, &out, &memory, NULL);
        tel__page_batch(&r, &b);
        tel__page_end(&r);
        pieces_more(&out, 0);
        CHECK_INT(out.lost, 0);
        CHECK(f.size == size && memcmp(collected, whole, size) == 0);
    }
}

/* ---- shapes and memory ------------------------------------------------------------------------------ */

/* The same page, whether the points are of series, and so have shapes, or are looked at one by one. Returns how many families
   are mixed. */
static size_t alike(tel_metric_view* m, size_t n) {
    static char one_by_one[sizeof text];
    size_t i, k, mixed;
    forget();
    for (i = 0; i < n; i++) {
        for (k = 0; k < m[i].point_count; k++) { ((tel_point*)(uintptr_t)m[i].points)[k].tel__of = NULL; }
    }
    strcpy(one_by_one, render(m, n, NULL));
    forget();
    for (i = 0; i < n; i++) {
        for (k = 0; k < m[i].point_count; k++) { ((tel_point*)(uintptr_t)m[i].points)[k].tel__of = m; }
    }
    CHECK_STR(render(m, n, NULL), one_by_one);
    mixed = shown.mixed ? shown.mixed->count : 0;
    CHECK_STR(render(m, n, NULL), one_by_one);
    CHECK_INT(tries, 1);
    forget();
    return mixed;
}

static void test_shapes(void) {
    static const double bounds[] = { 1 };
    static const uint64_t buckets[] = { 1, 2 };
    static const char* names_of[12] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l" };
    static tel_attr attrs[48][3];
    static tel_point p[48];
    static const char* values[6] = { "plain", "", "a \"quote\"", "back\\slash\n", "\xc3\xa4", "0123456789012345678901234567890123456789" };
    tel_scope_view lib = scope_of("lib", "1");
    tel_metric_view m[3];
    size_t i;
    for (i = 0; i < 48; i++) {
        p[i] = point_of((int64_t)i, (double)i);
        p[i].bounds = bounds;
        p[i].buckets = buckets;
        p[i].bound_count = 1;
        attrs[i][0] = tel_str("route", values[i % 6]);
        attrs[i][1] = tel_int("code", (int64_t)i);
        attrs[i][2] = tel_bool("ok", i % 2);
        p[i].attrs = tel__attrs(attrs[i], i % 4);
    }
    for (i = 0; i < 24; i++) { p[24 + i].attrs.count = 1 + i % 3; }
    p[4].attrs.count = 0;
    m[0] = metric_of(TEL_METRIC_SUM, "a", "", p + 4, 1);
    m[1] = metric_of(TEL_METRIC_HISTOGRAM, "b", "", p + 1, 3);
    m[2] = metric_of(TEL_METRIC_GAUGE, "c", "", p + 6, 2);
    CHECK_INT(alike(m, 3), 0);                      /* each family has several shapes that cannot be confused */
    m[2].scope = &lib;
    CHECK_INT(alike(m, 3), 0);
    m[1] = metric_of(TEL_METRIC_HISTOGRAM, "c", "", p + 1, 3);
    for (i = 0; i < 48; i++) {                      /* more shapes than are remembered, in turn */
        attrs[i][0] = tel_str(names_of[i % 12], values[i / 12]);
        p[i].attrs = tel__attrs(attrs[i], 1);
    }
    m[0] = metric_of(TEL_METRIC_GAUGE, "a", "", p, 12);
    CHECK_INT(alike(m, 1), 0);
    m[0] = metric_of(TEL_METRIC_GAUGE, "a", "", p, 24);         /* those with an empty value all show as one */
    CHECK_INT(alike(m, 1), 1);
    attrs[0][0] = tel_str("k", "1");
    attrs[1][0] = tel_int("k", 2);                  /* could be the same, and is not */
    m[0] = metric_of(TEL_METRIC_GAUGE, "a", "", p, 2);
    CHECK_INT(alike(m, 1), 1);
    attrs[1][0] = tel_str("k", "\xff");            /* is repaired: the next one could be the same */
    CHECK_INT(alike(m, 1), 1);
    attrs[1][0] = tel_double("k", 1);
    CHECK_INT(alike(m, 1), 1);
}

static int allocs_left;
static void* failing_alloc(size_t size, void* user_data) {
    (void)user_data;
    return allocs_left-- > 0 ? malloc(size) : NULL;
}
static void failing_free(void* p, void* user_data) {
    (void)user_data;
    free(p);
}

/* Allocation 1, 2, 3 ... fails: less is written, nothing wrong, nothing leaks, and the books balance. */
static void test_out_of_memory(void) {
    static const double bounds[] = { 1 };
    static const uint64_t buckets[] = { 1, 2 };
    tel_allocator allocator;
    tel__memory small;
    tel_attr a = tel_str("k", "v");
    tel_point p = point_of(1, 1);
    tel_metric_view m[3];
    tel_batch b;
    tel__prometheus_render r;
    tel__series_shown seen;
    int n, whole = 0;
    p.attrs = tel__attrs(&a, 1);
    p.bounds = bounds;
    p.buckets = buckets;
    p.bound_count = 1;
    m[0] = metric_of(TEL_METRIC_SUM, "a", "", &p, 1);
    m[1] = metric_of(TEL_METRIC_HISTOGRAM, "b", "", &p, 1);
    m[2] = metric_of(TEL_METRIC_GAUGE, "c", "", &p, 1);
    b = batch_of(m, 3);
    b.resource = tel__attrs(&a, 1);
    allocator.alloc_fn = failing_alloc;
    allocator.free_fn = failing_free;
    allocator.user_data = NULL;
    for (n = 0; n < 20; n++) {
        tel__text_out out = tel__text_fixed(text, sizeof text - 1);
        tel__memory_init(&small, &allocator, 1 << 20);
        p.tel__of = n % 2 ? &p : NULL;
        m[1].kind = n % 2 ? TEL_METRIC_SUM : TEL_METRIC_HISTOGRAM;
        allocs_left = n;
        memset(&seen, 0, sizeof seen);
        tel__prometheus_begin(&r, &seen, &out, &small, NULL);
        tel__page_batch(&r, &b);
        CHECK_INT(r.written + r.dropped, 3);
        tel__page_end(&r);
        tel__series_set_free(&small, seen.mixed);
        tel__series_set_free(&small, seen.gathered);
        CHECK_INT(tel__atomic_load_u64(&small.used), 0);
        whole += r.written == 3;
        text[out.size] = 0;
        CHECK(out.size == 0 || text[out.size - 1] == '\n');
        CHECK(n > 0 || r.dropped == 3);
    }
    CHECK(whole > 0);
}

int main(void) {
    tel__memory_init(&memory, NULL, 64 << 20);
    program = scope_of("", "");
    test_names();
    test_long_names();
    test_label_keys();
    test_label_values();
    test_label_collisions();
    test_scopes();
    test_types();
    test_spelling();
    test_help();
    test_conflicts();
    test_twins();
    test_twin_histograms();
    test_twin_metrics();
    test_many_families();
    test_diagnostics();
    test_histogram();
    test_odd_histograms();
    test_bounds_reused();
    test_target();
    test_batches();
    test_buffers();
    test_shapes();
    test_out_of_memory();
    forget();
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
    return check_done();
}
