/* Room test of >>openmetrics, and of what >>prometheus and >>page do with a style: negotiation, escapings, translations,
   OpenMetrics pages. The vectors of the escapings are those of prometheus/common. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"

static tel_text of(const char* s) { return tel__text_of(s); }

#if !TEL_NO_OPENMETRICS

static tel__memory memory;
static char page[1 << 14];

/* ---- negotiation ---- */

static void test_accept(void) {
    static const struct { const char* accept; int format, escaping; } list[] = {
        { NULL, 0, 0 },
        { "", 0, 0 },
        { "*/*", 0, 0 },
        { "text/*", 0, 0 },
        { "text/plain", 0, 0 },
        { "text/plain;version=0.0.4", 0, 0 },
        { "text/plain;version=1.0.0", 1, 0 },
        { "text/plain; version=\"1.0.0\"; escaping=dots", 1, 2 },
        { "text/plain;version=9", 0, 0 },
        { "application/openmetrics-text", 2, 0 },
        { "Application/OpenMetrics-Text;version=1.0.0; escaping=values;", 2, 3 },
        { "application/openmetrics-text;version=0.0.1", 0, 0 },
        { "application/openmetrics-text;version=2.0.0", 0, 0 },
        { "application/openmetrics-text;version=1.0.0;escaping=unheard-of", 2, 0 },
        { "text/plain;version=0.0.4;escaping=allow-utf-8", 0, 0 },
        /* Prometheus 3, Prometheus 2, a browser */
        { "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
          "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", 2, 1 },
        { "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,"
          "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", 2, 1 },
        { "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
          "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", 2, 0 },
        { "text/html,application/xhtml+xml,*/*;q=0.8", 0, 0 },
        { "application/openmetrics-text;version=1.0.0;q=0,text/plain;q=0.1", 0, 0 },
        { "text/plain;version=1.0.0;q=0.3,application/openmetrics-text;q=0.3", 1, 0 },
        { "text/plain;q=0.2,application/openmetrics-text;q=0.3", 2, 0 },
        { "application/openmetrics-text;q=x,text/plain;version=1.0.0;q=0.1", 1, 0 },
        { "application/openmetrics-text;q=nan", 0, 0 },
        { "application/json", 0, 0 },
        { ",;=;,;;,", 0, 0 },
        { ";q", 0, 0 }
    };
    size_t i;
    for (i = 0; i < sizeof list / sizeof list[0]; i++) {
        tel__openmetrics_style s;
        tel_text accept = of(list[i].accept);
        memset(&s, 0, sizeof s);
        if (!list[i].accept) { accept.data = NULL; }
        tel__openmetrics_accept(&s, accept);
        CHECK_INT(s.format, list[i].format);
        CHECK_INT(s.escaping, list[i].escaping);
    }
}

static void test_types(void) {
    tel__openmetrics_style s;
    memset(&s, 0, sizeof s);
    CHECK_STR(tel__openmetrics_type(&s), "text/plain; version=0.0.4; charset=utf-8");
    s.format = TEL__OPENMETRICS_TEXT_1;
    s.escaping = TEL__OPENMETRICS_DOTS;
    CHECK_STR(tel__openmetrics_type(&s), "text/plain; version=1.0.0; charset=utf-8; escaping=dots");
    s.format = TEL__OPENMETRICS_1;
    s.escaping = TEL__OPENMETRICS_UTF8;
    CHECK_STR(tel__openmetrics_type(&s), "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8");
}

/* ---- escapings ---- */

static void test_escapings(void) {
    static const struct { const char* name; bool colon; const char* want[4]; } list[] = {
        { "", true, { "", "", "", "U__" } },
        { "no:escaping_required", true, { "no:escaping_required", "no:escaping_required", "no:escaping__required", "no:escaping_required" } },
        { "mysystem.prod.west.cpu.load", true, { "mysystem_prod_west_cpu_load", "mysystem.prod.west.cpu.load",
          "mysystem_dot_prod_dot_west_dot_cpu_dot_load", "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load" } },
        { "mysystem.prod.west.cpu.load_total", true, { "mysystem_prod_west_cpu_load_total", "mysystem.prod.west.cpu.load_total",
          "mysystem_dot_prod_dot_west_dot_cpu_dot_load__total", "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load__total" } },
        { "http.status:sum", true, { "http_status:sum", "http.status:sum", "http_dot_status:sum", "U__http_2e_status:sum" } },
        { "http.status:sum", false, { "http_status_sum", "http.status:sum", "http_dot_status__sum", "U__http_2e_status_3a_sum" } },
        { "label with \xf0\x9f\x98\xb1", true, { "label_with__", "label with \xf0\x9f\x98\xb1", "label__with____", "U__label_20_with_20__1f631_" } },
        { "\xe8\x8a\xb1\xe7\x81\xab", true, { "__", "\xe8\x8a\xb1\xe7\x81\xab", "____", "U___82b1__706b_" } },
        { "label with \xc4\x80", true, { "label_with__", "label with \xc4\x80", "label__with____", "U__label_20_with_20__100_" } },
        { "4xx", true, { "_xx", "4xx", "__xx", "U___34_xx" } },
        { "a\xff", true, { "a_", "a\xef\xbf\xbd", "a__", "U__a_FFFD_" } }
    };
    size_t i;
    int scheme;
    for (i = 0; i < sizeof list / sizeof list[0]; i++) {
        for (scheme = 0; scheme < 4; scheme++) {
            char data[200];
            tel__text_out o = tel__text_fixed(data, sizeof data - 1);
            tel__openmetrics_escape(&o, of(list[i].name), scheme, list[i].colon);
            data[o.size] = 0;
            CHECK_STR(data, list[i].want[scheme]);
        }
    }
}

/* ---- pages ---- */

static tel__openmetrics_style style_of(int format, int escaping, bool raw, bool no_suffixes) {
    tel__openmetrics_style s;
    memset(&s, 0, sizeof s);
    s.format = (uint8_t)format;
    s.escaping = (uint8_t)escaping;
    s.raw = raw;
    s.no_suffixes = no_suffixes;
    return s;
}

static tel_metric_view metric_of(tel_metric_kind kind, const char* name, const char* unit, const char* help, const tel_point* p, size_t n) {
    static tel_scope_view program;
    tel_metric_view m;
    memset(&m, 0, sizeof m);
    m.scope = &program;
    m.name = of(name);
    m.unit = of(unit);
    m.description = of(help);
    m.kind = kind;
    m.cumulative = true;
    m.monotonic = m.integer = kind == TEL_METRIC_SUM;
    m.points = p;
    m.point_count = n;
    return m;
}

static const char* render(const tel_metric_view* m, size_t n, const tel__openmetrics_style* style, tel_attrs resource) {
    tel__prometheus_render r;
    tel__series_shown shown;
    tel__text_out out = tel__text_fixed(page, sizeof page - 1);
    tel_batch b;
    bool again = true;
    int tries;
    memset(&shown, 0, sizeof shown);
    memset(&b, 0, sizeof b);
    b.metrics = m;
    b.metric_count = n;
    b.resource = resource;
    for (tries = 0; again && tries < TEL__PROMETHEUS_TRIES; tries++) {
        out.size = 0;
        tel__prometheus_begin(&r, &shown, &out, &memory, NULL);
        r.style = *style;
        tel__page_batch(&r, &b);
        again = tel__page_end(&r);
    }
    CHECK(!again);
    CHECK_INT(out.lost, 0);
    tel__series_set_free(&memory, shown.mixed);
    tel__series_set_free(&memory, shown.gathered);
    page[out.size] = 0;
    return page;
}

static void test_openmetrics(void) {
    static const double bounds[] = { 0.5, 1, 2500000 };
    static const uint64_t buckets[] = { 1, 2, 0, 4 };
    static tel_attr attrs[1], resource[1];
    tel__openmetrics_style s = style_of(TEL__OPENMETRICS_1, TEL__OPENMETRICS_UTF8, false, false);
    tel_point count, level, spread;
    tel_metric_view m[4];
    memset(&count, 0, sizeof count);
    attrs[0] = tel_str("route", "/a\"b");
    resource[0] = tel_str("service.name", "shop");
    count.attrs = tel__attrs(attrs, 1);
    count.start_unix_ns = UINT64_C(1700000000250000000);
    count.i = 3;
    count.d = 3;
    level = count;
    level.attrs = tel__attrs(NULL, 0);
    spread = level;
    spread.d = 7;
    spread.count = 7;
    spread.bounds = bounds;
    spread.buckets = buckets;
    spread.bound_count = 3;
    m[0] = metric_of(TEL_METRIC_SUM, "shop.bytes", "By", "Bytes \"in\"", &count, 1);
    m[1] = metric_of(TEL_METRIC_GAUGE, "fill", "1", "", &level, 1);
    m[2] = metric_of(TEL_METRIC_HISTOGRAM, "latency", "s", "", &spread, 1);
    m[3] = metric_of(TEL_METRIC_SUM, "jobs", "{job}", "", &level, 1);
    CHECK_STR(render(m, 4, &s, tel__attrs(resource, 1)),
              "# TYPE target info\n# HELP target Target metadata\ntarget_info{service_name=\"shop\"} 1\n"
              "# TYPE shop_bytes counter\n# UNIT shop_bytes bytes\n# HELP shop_bytes Bytes \\\"in\\\"\n"
              "shop_bytes_total{route=\"/a\\\"b\"} 3\n"
              "# TYPE fill_ratio gauge\n# UNIT fill_ratio ratio\nfill_ratio 3.0\n"
              "# TYPE latency_seconds histogram\n# UNIT latency_seconds seconds\n"
              "latency_seconds_bucket{le=\"0.5\"} 1\nlatency_seconds_bucket{le=\"1.0\"} 3\n"
              "latency_seconds_bucket{le=\"2.5e+06\"} 3\nlatency_seconds_bucket{le=\"+Inf\"} 7\n"
              "latency_seconds_count 7\nlatency_seconds_sum 7.0\n"
              "# TYPE jobs counter\njobs_total 3\n# EOF\n");
    s.created = true;
    s.no_target = true;
    s.prefix = "my.app";
    CHECK_STR(render(m, 1, &s, tel__attrs(resource, 1)),
              "# TYPE my_app_shop_bytes counter\n# UNIT my_app_shop_bytes bytes\n# HELP my_app_shop_bytes Bytes \\\"in\\\"\n"
              "my_app_shop_bytes_total{route=\"/a\\\"b\"} 3\nmy_app_shop_bytes_created{route=\"/a\\\"b\"} 1700000000.25\n# EOF\n");
    CHECK(strstr(render(m + 2, 1, &s, tel__attrs(resource, 1)), "_sum 7.0\nmy_app_latency_seconds_created 1700000000.25\n# EOF\n") != NULL);
    CHECK_STR(render(m, 0, &s, tel__attrs(resource, 1)), "# EOF\n");
    /* what would be two families in text 0.0.4 has one name here: the second is left out */
    m[1] = metric_of(TEL_METRIC_GAUGE, "jobs", "", "", &level, 1);
    s = style_of(TEL__OPENMETRICS_1, 0, false, false);
    m[0] = m[3];
    CHECK_STR(render(m, 2, &s, tel__attrs(NULL, 0)), "# TYPE jobs counter\njobs_total 3\n# EOF\n");
}

/* Negative buckets have neither a sum nor a count in OpenMetrics. */
static void test_negative_buckets(void) {
    static const double bounds[] = { -1, 1 };
    static const uint64_t buckets[] = { 1, 0, 0 };
    tel__openmetrics_style s = style_of(TEL__OPENMETRICS_1, 0, false, false);
    tel_point p;
    tel_metric_view m;
    memset(&p, 0, sizeof p);
    p.bounds = bounds;
    p.buckets = buckets;
    p.bound_count = 2;
    p.count = 1;
    p.d = -3;
    m = metric_of(TEL_METRIC_HISTOGRAM, "h", "", "", &p, 1);
    CHECK_STR(render(&m, 1, &s, tel__attrs(NULL, 0)), "# TYPE h histogram\nh_bucket{le=\"-1.0\"} 1\n"
              "h_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 1\n# EOF\n");
    s.format = TEL__OPENMETRICS_NOT;
    CHECK_STR(render(&m, 1, &s, tel__attrs(NULL, 0)), "# TYPE h histogram\nh_bucket{le=\"-1\"} 1\n"
              "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_count 1\nh_sum -3\n");
}

/* The four translations of one counter with one label, in two escapings, in text 1.0.0 and OpenMetrics. */
static void test_translations(void) {
    static const struct { bool raw, plain; int escaping, format; const char* want; } list[] = {
        { false, false, 0, 1, "# TYPE foo_bar_bytes_total counter\nfoo_bar_bytes_total{http_code=\"2\"} 3\n" },
        { false, true, 0, 1, "# TYPE foo_bar counter\nfoo_bar{http_code=\"2\"} 3\n" },
        { true, false, 0, 1, "# TYPE foo_bar_bytes_total counter\nfoo_bar_bytes_total{http_code=\"2\"} 3\n" },
        { true, true, 0, 1, "# TYPE foo_bar counter\nfoo_bar{http_code=\"2\"} 3\n" },
        { true, false, 1, 1, "# TYPE \"foo.bar_bytes_total\" counter\n{\"foo.bar_bytes_total\",\"http.code\"=\"2\"} 3\n" },
        { true, true, 1, 1, "# TYPE \"foo.bar\" counter\n{\"foo.bar\",\"http.code\"=\"2\"} 3\n" },
        { true, true, 2, 1, "# TYPE foo_dot_bar counter\nfoo_dot_bar{http_dot_code=\"2\"} 3\n" },
        { true, true, 3, 1, "# TYPE U__foo_2e_bar counter\nU__foo_2e_bar{U__http_2e_code=\"2\"} 3\n" },
        { false, false, 2, 1, "# TYPE foo__bar__bytes__total counter\nfoo__bar__bytes__total{http__code=\"2\"} 3\n" },
        { false, false, 3, 1, "# TYPE foo_bar_bytes_total counter\nfoo_bar_bytes_total{http_code=\"2\"} 3\n" },
        { false, true, 0, 2, "# TYPE foo_bar counter\nfoo_bar_total{http_code=\"2\"} 3\n# EOF\n" },
        { true, false, 1, 2, "# TYPE \"foo.bar_bytes\" counter\n# UNIT \"foo.bar_bytes\" bytes\n"
          "{\"foo.bar_bytes_total\",\"http.code\"=\"2\"} 3\n# EOF\n" },
        { true, true, 1, 2, "# TYPE \"foo.bar\" counter\n{\"foo.bar_total\",\"http.code\"=\"2\"} 3\n# EOF\n" }
    };
    static tel_attr attrs[1];
    tel_point p;
    tel_metric_view m;
    size_t i;
    memset(&p, 0, sizeof p);
    attrs[0] = tel_int("http.code", 2);
    p.attrs = tel__attrs(attrs, 1);
    p.i = 3;
    m = metric_of(TEL_METRIC_SUM, "foo.bar", "By", "", &p, 1);
    for (i = 0; i < sizeof list / sizeof list[0]; i++) {
        tel__openmetrics_style s = style_of(list[i].format, list[i].escaping, list[i].raw, list[i].plain);
        CHECK_STR(render(&m, 1, &s, tel__attrs(NULL, 0)), list[i].want);
    }
    p.attrs = tel__attrs(NULL, 0);
    m = metric_of(TEL_METRIC_SUM, "foo.bytes", "By", "", &p, 1);         /* a '.' is a delimiter too, as in Prometheus 3 */
    for (i = 1; i <= 2; i++) {                                           /* but OpenMetrics wants '_' before a unit */
        tel__openmetrics_style s = style_of((int)i, 1, true, false);
        CHECK_STR(render(&m, 1, &s, tel__attrs(NULL, 0)), i == 1 ? "# TYPE \"foo.bytes_total\" counter\n{\"foo.bytes_total\"} 3\n"
                  : "# TYPE \"foo.bytes\" counter\n{\"foo.bytes_total\"} 3\n# EOF\n");
    }
}

/* __name__ is what a page cannot have as a label, whatever the spelling makes of a key. */
static void test_reserved_label(void) {
    static const struct { bool raw; int escaping; const char* want; } list[] = {
        { false, TEL__OPENMETRICS_UNDERSCORES, "# TYPE c counter\nc{_name_=\"2\"} 3\n" },
        { false, TEL__OPENMETRICS_DOTS, "# TYPE c counter\nc{exported_name=\"2\"} 3\n" },
        { true, TEL__OPENMETRICS_UNDERSCORES, "# TYPE c counter\nc{exported_name=\"2\"} 3\n" },
        { true, TEL__OPENMETRICS_UTF8, "# TYPE c counter\nc{exported_name=\"2\"} 3\n" },
        { true, TEL__OPENMETRICS_DOTS, "# TYPE c counter\nc{____name____=\"2\"} 3\n" },
        { true, TEL__OPENMETRICS_VALUES, "# TYPE c counter\nc{exported_name=\"2\"} 3\n" }
    };
    static tel_attr attrs[1];
    tel_point p;
    tel_metric_view m;
    size_t i;
    memset(&p, 0, sizeof p);
    attrs[0] = tel_int("__name__", 2);
    p.attrs = tel__attrs(attrs, 1);
    p.i = 3;
    m = metric_of(TEL_METRIC_SUM, "c", "", "", &p, 1);
    for (i = 0; i < sizeof list / sizeof list[0]; i++) {
        tel__openmetrics_style s = style_of(TEL__OPENMETRICS_TEXT_1, list[i].escaping, list[i].raw, true);
        CHECK_STR(render(&m, 1, &s, tel__attrs(NULL, 0)), list[i].want);
    }
}

/* A quoted name takes the place of the brace everywhere, and families that are gathered keep theirs. */
static void test_quoted(void) {
    static const double bounds[] = { 1 };
    static const uint64_t buckets[] = { 1, 1 };
    tel__openmetrics_style s = style_of(TEL__OPENMETRICS_TEXT_1, TEL__OPENMETRICS_UTF8, true, true);
    static tel_attr a[1], b[1];
    tel_point p[2], h;
    tel_metric_view m[2];
    memset(p, 0, sizeof p);
    memset(&h, 0, sizeof h);
    a[0] = tel_int("code", 200);
    b[0] = tel_str("code", "200");
    p[0].attrs = tel__attrs(a, 1);
    p[1].attrs = tel__attrs(b, 1);
    p[0].i = 1;
    p[1].i = 2;
    h.bounds = bounds;
    h.buckets = buckets;
    h.bound_count = 1;
    h.count = 2;
    h.d = 3;
    m[0] = metric_of(TEL_METRIC_HISTOGRAM, "lat.ency", "", "he\"lp", &h, 1);
    m[1] = metric_of(TEL_METRIC_SUM, "a.b", "", "", p, 2);
    CHECK_STR(render(m, 2, &s, tel__attrs(NULL, 0)),
              "# HELP \"lat.ency\" he\"lp\n# TYPE \"lat.ency\" histogram\n{\"lat.ency_bucket\",le=\"1\"} 1\n"
              "{\"lat.ency_bucket\",le=\"+Inf\"} 2\n{\"lat.ency_count\"} 2\n{\"lat.ency_sum\"} 3\n"
              "# TYPE \"a.b\" counter\n{\"a.b\",code=\"200\"} 3\n");
    p[0].attrs = tel__attrs(NULL, 0);
    m[1].point_count = 1;
    CHECK_STR(render(m + 1, 1, &s, tel__attrs(NULL, 0)), "# TYPE \"a.b\" counter\n{\"a.b\"} 1\n");
    CHECK_INT(tel__atomic_load_u64(&memory.allocated), 0);
}

/* ?name[]= picks families by their own name or by that of a sample. */
static void test_wanted(void) {
    static const struct { const char* names; int format; const char* want; } list[] = {
        { "jobs_total\n", 0, "# TYPE jobs_total counter\njobs_total 3\n" },
        { "jobs\n", 0, "# TYPE jobs_total counter\njobs_total 3\n" },
        { "jobs\n", 2, "# TYPE jobs counter\njobs_total 3\n# EOF\n" },
        { "nothing\nlevel\n", 0, "# TYPE level gauge\nlevel 3\n" },
        { "level\njobs_total\n", 0, "# TYPE jobs_total counter\njobs_total 3\n# TYPE level gauge\nlevel 3\n" },
        { "target_info\n", 0, "# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info{a=\"b\"} 1\n" },
        { "jobs_\n\nleve\nlevels\n", 0, "" }
    };
    static tel_attr resource[1];
    tel_point p;
    tel_metric_view m[2];
    size_t i;
    memset(&p, 0, sizeof p);
    p.i = 3;
    p.d = 3;
    resource[0] = tel_str("a", "b");
    m[0] = metric_of(TEL_METRIC_SUM, "jobs", "", "", &p, 1);
    m[1] = metric_of(TEL_METRIC_GAUGE, "level", "", "", &p, 1);
    for (i = 0; i < sizeof list / sizeof list[0]; i++) {
        tel__openmetrics_style s = style_of(list[i].format, 0, false, false);
        s.names = of(list[i].names);
        CHECK_STR(render(m, 2, &s, tel__attrs(resource, 1)), list[i].want);
    }
}

/* Scope labels can be left out; then series of two scopes are one. */
static void test_no_scope(void) {
    tel__openmetrics_style s = style_of(0, 0, false, false);
    tel_scope_view scopes[2];
    tel_metric_view m[2];
    tel_point p;
    memset(&p, 0, sizeof p);
    memset(scopes, 0, sizeof scopes);
    p.i = 3;
    m[0] = metric_of(TEL_METRIC_SUM, "jobs", "", "", &p, 1);
    m[1] = m[0];
    m[0].scope = &scopes[0];
    m[1].scope = &scopes[1];
    scopes[0].name = of("one");
    scopes[1].name = of("two");
    CHECK_STR(render(m, 2, &s, tel__attrs(NULL, 0)), "# TYPE jobs_total counter\n"
              "jobs_total{otel_scope_name=\"one\"} 3\njobs_total{otel_scope_name=\"two\"} 3\n");
    s.no_scope = true;
    CHECK_STR(render(m, 2, &s, tel__attrs(NULL, 0)), "# TYPE jobs_total counter\njobs_total 6\n");
}

int main(void) {
    tel__memory_init(&memory, NULL, 1 << 20);
    test_accept();
    test_types();
    test_escapings();
    test_openmetrics();
    test_negative_buckets();
    test_translations();
    test_reserved_label();
    test_quoted();
    test_wanted();
    test_no_scope();
    return check_done();
}

#else

int main(void) {
    tel__openmetrics_style s;
    memset(&s, 0, sizeof s);
    CHECK_STR(tel__openmetrics_type(&s), "text/plain; version=0.0.4; charset=utf-8");
    CHECK(tel__openmetrics_is_legal(of("a"), true));
    return check_done();
}

#endif
