/* Pages of real series: no sample comes twice, whatever was recorded, and nothing is lost when series become one. Random pages
   are also read by the strict parser of Prometheus' client for Python, where it is installed. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "capture.h"

static char page[1 << 20];

static tel_desc page_desc(tel_sink* sink, tel_memory* memory) {
    tel_desc d;
    *sink = tel_sink_memory(memory);
    sink->signal_mask = TEL_SIGNAL_PULL;
    d = test_desc(sink, 1);
    d.no_thread = true;
    d.no_self_metrics = true;
    return d;
}

static const char* print(void) {
    CHECK(tel_prometheus_print(page, sizeof page) < sizeof page);
    return page;
}

/* The number behind this sample; -1: it is not there, -2: it is there twice. */
static double value_of(const char* sample) {
    char line[200];
    const char* at;
    snprintf(line, sizeof line, "\n%s ", sample);
    at = strstr(page, line);
    return !at ? -1 : strstr(at + 1, line) ? -2 : atof(at + strlen(line));
}

static int spoken;
static void count_merged(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)line; (void)user_data;
    spoken += item == TEL__DIAG_MERGED && (strstr(message, "code=\"200\"") || strstr(message, "user_id=\"a\"")) ? 1 : 100;
}

static void test_twins(void) {
    static tel_counter requests = TEL_INSTRUMENT("requests", "1", "");
    static tel_histogram lat = TEL_INSTRUMENT("lat", "s", "");
    static tel_gauge level = TEL_INSTRUMENT("level", "", "");
    tel_memory memory = { NULL };
    tel_sink sink;
    tel_desc d = page_desc(&sink, &memory);
    int turn;
    where = "twins";
    d.diag.report_fn = count_merged;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (turn = 1; turn <= 3; turn++) {
        tel_counter_add_with(&requests, 1, TEL_ATTRS(tel_int("code", 200)));
        tel_counter_add_with(&requests, 10, TEL_ATTRS(tel_str("code", "200")));
        tel_counter_add_with(&requests, 2, TEL_ATTRS(tel_str("http.method", "GET")));
        tel_counter_add_with(&requests, 20, TEL_ATTRS(tel_str("http_method", "GET")));
        tel_counter_add_with(&requests, 4, TEL_ATTRS(tel_str("file", "a\xff")));
        tel_counter_add_with(&requests, 40, TEL_ATTRS(tel_str("file", "a\xfe")));
        tel_counter_add_with(&requests, 5, TEL_ATTRS(tel_str("e", "")));
        tel_counter_add(&requests, 50);
        tel_counter_add_with(&requests, 6, TEL_ATTRS(tel_bool("ok", true)));
        tel_counter_add_with(&requests, 60, TEL_ATTRS(tel_str("ok", "true")));
        tel_histogram_record_with(&lat, 0.25, TEL_ATTRS(tel_str("user.id", "a")));
        tel_histogram_record_with(&lat, 5, TEL_ATTRS(tel_str("user_id", "a")));
        tel_gauge_set_with(&level, 1, TEL_ATTRS(tel_int("code", 200)));
        tel_gauge_set_with(&level, 2, TEL_ATTRS(tel_str("code", "200")));
        print();
        CHECK_INT(value_of("requests_total{code=\"200\"}"), 11 * turn);
        CHECK_INT(value_of("requests_total{http_method=\"GET\"}"), 22 * turn);
        CHECK_INT(value_of("requests_total{file=\"a\xef\xbf\xbd\"}"), 44 * turn);
        CHECK_INT(value_of("requests_total"), 55 * turn);
        CHECK_INT(value_of("requests_total{ok=\"true\"}"), 66 * turn);
        CHECK_INT(value_of("lat_seconds_count{user_id=\"a\"}"), 2 * turn);
        CHECK_INT(value_of("lat_seconds_bucket{user_id=\"a\",le=\"2.5\"}"), turn);
        CHECK_INT(4 * value_of("lat_seconds_sum{user_id=\"a\"}"), 21 * turn);
        CHECK_INT(value_of("level{code=\"200\"}"), 2);
    }
    CHECK_INT(spoken, 3);                               /* once for each family, and the labels are named */
    tel_shutdown(5000);
    tel_memory_clear(&memory);
}

/* A family whose metrics do not lie side by side: all of them are on the page. */
static void test_apart(void) {
    static const tel_scope a = { .name = "a" }, b = { .name = "b" }, c = { .name = "c" };
    static const tel_metric_options in_a = { .scope = &a }, in_b = { .scope = &b }, in_c = { .scope = &c };
    static tel_counter jobs[3] = { TEL_INSTRUMENT_OPT("jobs", "1", "", &in_a), TEL_INSTRUMENT_OPT("jobs", "By", "", &in_b),
                                   TEL_INSTRUMENT_OPT("jobs", "{job}", "", &in_c) };
    static tel_counter io[3] = { TEL_INSTRUMENT_OPT("io", "By", "", &in_a), TEL_INSTRUMENT_OPT("io.a", "", "", &in_a),
                                 TEL_INSTRUMENT_OPT("io.bytes", "", "", &in_b) };
    tel_memory memory = { NULL };
    tel_sink sink;
    tel_desc d = page_desc(&sink, &memory);
    int i;
    where = "apart";
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 3; i++) {
        tel_counter_add(&jobs[i], i + 1);
        tel_counter_add(&io[i], i + 4);
    }
    print();
    CHECK_INT(value_of("jobs_total{otel_scope_name=\"a\"}"), 1);
    CHECK_INT(value_of("jobs_bytes_total{otel_scope_name=\"b\"}"), 2);
    CHECK_INT(value_of("jobs_total{otel_scope_name=\"c\"}"), 3);
    CHECK_INT(value_of("io_bytes_total{otel_scope_name=\"a\"}"), 4);
    CHECK_INT(value_of("io_a_total{otel_scope_name=\"a\"}"), 5);
    CHECK_INT(value_of("io_bytes_total{otel_scope_name=\"b\"}"), 6);
    tel_shutdown(5000);
    tel_memory_clear(&memory);
}

/* A label of a scope and an attribute that is spelled like it, however the program writes that. */
static void test_scope_label(void) {
    static const char* const keys[] = { "otel_scope_env", "otel.scope.env", "otel.scope_env", "otel-scope-env", "otel..scope.env" };
    static tel_attr env;
    static tel_scope with = { .name = "s" }, without = { .name = "s" };
    static const tel_metric_options in_with = { .scope = &with }, in_without = { .scope = &without };
    static tel_counter jobs[2] = { TEL_INSTRUMENT_OPT("jobs", "", "", &in_with), TEL_INSTRUMENT_OPT("jobs", "", "", &in_without) };
    size_t i;
    where = "scope label";
    env = tel_str("env", "prod");
    with.attrs = tel__attrs(&env, 1);
    for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        tel_memory memory = { NULL };
        tel_sink sink;
        tel_desc d = page_desc(&sink, &memory);
        CHECK_INT(tel_init(&d), TEL_OK);
        tel_counter_add(&jobs[0], 1);
        tel_counter_add_with(&jobs[1], 2, TEL_ATTRS(tel_str(keys[i], "prod")));
        print();
        CHECK_INT(value_of("jobs_total{otel_scope_env=\"prod\",otel_scope_name=\"s\"}"), 3);
        tel_shutdown(5000);
        tel_memory_clear(&memory);
    }
}

/* ---- random pages ---- */

static uint64_t state;
static unsigned rnd(unsigned n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 20) % n;
}

static const char* text_of(char* out, size_t most) {
    static const char* const parts[] = { "\"", "\\", "\n", "\r", "\xff", "\xc3\xa9", "\xf0\x9f\x98\x80", "}", "{", ",", "=",
                                         "\xed\xa0\x80", "# HELP", "\t", "\x01", " ", "a", "Z", "9", "_" };
    size_t n = rnd(3) ? rnd(3) : rnd((unsigned)most);
    out[0] = 0;
    while (n--) { strcat(out, parts[rnd(20)]); }
    return out;
}

static const char* name_of(char* out) {
    static const char letters[] = "abcXYZ019_.-/";
    static const char* const ends[] = { "", "_total", "_bucket", "_sum", "_count", ".seconds", "_ratio", "_bytes_total", "_info" };
    size_t n = 1 + rnd(4), i;
    out[0] = "abcxyzABC"[rnd(9)];
    for (i = 1; i < n; i++) { out[i] = letters[rnd(13)]; }
    out[n] = 0;
    return strcat(out, ends[rnd(9)]);
}

/* Records at random; how much went into counters, in eighths. */
static int64_t record_some(int metrics) {
    static const char* const keys[] = { "a", "b", "a.b", "a_b", "a-b", "le", "quantile", "__name__", "__x", "9", "otel_scope_name",
                                        "\xc3\xa9", "job", "A", "instance", "" };
    static const char* const units[] = { "s", "ms", "By", "1", "{req}", "By/s", "%", "", "kBy/{thing}", "m/s", "Cel", "1/s" };
    static const double bounds[] = { -1.5, 0, 1e-9, 1e300 };
    static tel_counter made[80];
    static tel_metric_options options[80];
    static tel_scope scopes[3];
    static char text[80 * 3 + 3][80], values[3][200];
    int64_t added = 0;
    int i, p, k;
    for (i = 0; i < 3; i++) { scopes[i].name = text_of(text[240 + i], 6); }
    memset(options, 0, sizeof options);
    for (i = 0; i < metrics; i++) {
        unsigned kind = rnd(4);
        tel_counter m = TEL_INSTRUMENT(name_of(text[3 * i]), units[rnd(12)], text_of(text[3 * i + 1], 6));
        if (rnd(2)) { options[i].bounds = bounds; options[i].bound_count = 4; }
        if (rnd(2)) { options[i].scope = &scopes[rnd(3)]; }
        m.options = &options[i];
        made[i] = m;
        for (p = 1 + (int)rnd(6); p > 0; p--) {
            tel_attr items[3];
            tel_attrs attrs;
            attrs.items = items;
            attrs.count = rnd(4);
            for (k = 0; k < 3; k++) {
                items[k] = rnd(3) ? tel_str(keys[rnd(16)], text_of(values[k], 20)) : tel_int(keys[rnd(16)], (int64_t)rnd(3));
                if (!rnd(6)) { items[k] = tel_str(keys[rnd(16)], rnd(2) ? "1" : "2"); }
            }
            if (kind == 0) { tel_counter_add_with(&made[i], p, attrs); added += p; }
            if (kind == 1) { tel_updown_add_with((tel_updown*)(void*)&made[i], -p, attrs); }
            if (kind == 2) { tel_gauge_set_with((tel_gauge*)(void*)&made[i], p / 8.0, attrs); }
            if (kind == 3) { tel_histogram_record_with((tel_histogram*)(void*)&made[i], p / 8.0, attrs); }
        }
    }
    return added;
}

/* No line of the page has the name and labels of another; labels come sorted. */
static int lines_twice(void) {
    static const char* heads[8000];
    static size_t sizes[8000];
    size_t n = 0, i;
    int twice = 0;
    const char *line, *end;
    for (line = page; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        const char* p = end;
        if (*line == '#') { continue; }
        while (*p != ' ') { p--; }
        for (i = 0; i < n; i++) { twice += sizes[i] == (size_t)(p - line) && memcmp(heads[i], line, sizes[i]) == 0; }
        if (n == 8000) { break; }
        heads[n] = line;
        sizes[n++] = (size_t)(p - line);
    }
    return twice;
}

static const char strict[] =
    "import sys\n"
    "from prometheus_client.parser import text_string_to_metric_families as families\n"
    "seen, names = set(), set()\n"
    "for f in families(open(sys.argv[1], encoding='utf-8', newline='').read()):\n"
    "    assert (f.name, f.type) not in names, f.name\n"    /* it takes the _total off a counter's name */
    "    names.add((f.name, f.type))\n"
    "    for s in f.samples:\n"
    "        key = (s.name, tuple(sorted(s.labels.items())))\n"
    "        assert key not in seen, key\n"
    "        seen.add(key)\n"
    "    if f.type == 'histogram':\n"
    "        last = {}\n"
    "        for s in f.samples:\n"
    "            key = tuple(sorted(i for i in s.labels.items() if i[0] != 'le'))\n"
    "            if s.name == f.name + '_bucket':\n"
    "                assert s.value >= last.get(key, 0), key\n"
    "                last[key] = s.value\n"
    "            if s.name == f.name + '_count':\n"
    "                assert s.value == last[key], key\n";

/* 1: it reads the page; 0: not; -1: python3 or the parser is not installed. */
static int read_strictly(void) {
    FILE* f = fopen("strict.py", "w");
    if (!f) { return 0; }
    fputs(strict, f);
    fclose(f);
    f = fopen("page.txt", "w");
    if (!f) { return 0; }
    fputs(page, f);
    fclose(f);
    if (system("python3 -c 'import prometheus_client.parser' 2>/dev/null") != 0) { return -1; }
    return system("python3 strict.py page.txt") == 0;
}

static void unheard(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)item; (void)message; (void)line; (void)user_data;
}

static void test_random(void) {
    uint64_t seed;
    int strictly = 1;
    where = "random";
    for (seed = 1; seed <= 40; seed++) {
        tel_memory memory = { NULL };
        tel_sink sink;
        tel_desc d = page_desc(&sink, &memory);
        d.diag.report_fn = unheard;
        state = seed * 2654435761u + 88172645463325252u;
        CHECK_INT(tel_init(&d), TEL_OK);
        record_some(80);
        print();
        CHECK_INT(lines_twice(), 0);
        if (seed > 36 && strictly >= 0) {
            strictly = read_strictly();
            CHECK(strictly != 0);
        }
        tel_shutdown(5000);
        tel_memory_clear(&memory);
    }
    if (strictly < 0) { printf("note: python3-prometheus-client is not installed, its parser has read no page\n"); }
}

int main(void) {
    test_twins();
    test_apart();
    test_scope_label();
    test_random();
    return check_done();
}
