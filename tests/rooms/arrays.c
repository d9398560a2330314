/* Room test of >>arrays: bytes and arrays as attributes of everything that has attributes, given and packed, cut, hidden, as JSON,
   protobuf, labels and console lines. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../api/capture.h"

#define COUNT(list) (sizeof (list) / sizeof (list)[0])

static const bool flags[] = { true, false, true };
static const int64_t numbers[] = { 1, -2, INT64_MIN };
static const double reals[] = { 0.5, -3.0 };
static const char* const words[] = { "a\"b", NULL, "\xc3\xa4\xc3\xb6" };
static const unsigned char raw[] = { 0xff, 0x00, 0x10, 0x80 };

static char text[1 << 16];
static size_t text_size;
static bool write_text(const void* data, size_t size, void* user_data) {
    (void)user_data;
    if (size >= sizeof text - text_size) { return false; }
    memcpy(text + text_size, data, size);
    text_size += size;
    text[text_size] = 0;
    return true;
}
static const tel_writer writer = { write_text, NULL };

static char line[1 << 16];
static size_t line_size;
static bool write_line(const void* data, size_t size, void* user_data) {
    (void)user_data;
    memcpy(line + line_size, data, size);
    line_size += size;
    line[line_size] = 0;
    return true;
}
static const char* json(tel_attr a) {
    static const tel_writer to = { write_line, NULL };
    line_size = 0;
    tel_write_json_attr(to, &a);
    return line;
}

/* A packed copy, at an odd address. */
static char room[1 << 16];
static tel_attr packed(tel_attr a) {
    CHECK(tel__attr_value_size(&a) < sizeof room);
    (void)tel__attr_keep_value(&a, room + 1);
    CHECK(a.as.s.data == room + 1 && a.as.s.data[a.as.s.size] == 0);
    return a;
}

static void test_json(void) {
    static const double odd[] = { -0.0, 1e300 * 1e300 };
    static const struct { const char* data; const char* want; } base64[] = {    /* RFC 4648, section 10 */
        { "", "\"k\":\"\"" }, { "f", "\"k\":\"Zg==\"" }, { "fo", "\"k\":\"Zm8=\"" }, { "foo", "\"k\":\"Zm9v\"" },
        { "foob", "\"k\":\"Zm9vYg==\"" }, { "fooba", "\"k\":\"Zm9vYmE=\"" }, { "foobar", "\"k\":\"Zm9vYmFy\"" }
    };
    size_t i;
    for (i = 0; i < COUNT(base64); i++) { CHECK_STR(json(tel_bytes("k", base64[i].data, strlen(base64[i].data))), base64[i].want); }
    CHECK_STR(json(tel_bytes("k", raw, sizeof raw)), "\"k\":\"/wAQgA==\"");
    CHECK_STR(json(tel_bools("k", flags, 3)), "\"k\":[true,false,true]");
    CHECK_STR(json(tel_ints("k", numbers, 3)), "\"k\":[1,-2,-9223372036854775808]");
    CHECK_STR(json(tel_doubles("k", reals, 2)), "\"k\":[0.5,-3]");
    CHECK_STR(json(tel_doubles("k", odd, 2)), "\"k\":[-0.0,\"Infinity\"]");
    CHECK_STR(json(tel_strs("k", words, 3)), "\"k\":[\"a\\\"b\",\"\",\"\xc3\xa4\xc3\xb6\"]");
    CHECK_STR(json(packed(tel_strs("k", words, 3))), "\"k\":[\"a\\\"b\",\"\",\"\xc3\xa4\xc3\xb6\"]");
    CHECK_STR(json(packed(tel_ints("k", numbers, 3))), "\"k\":[1,-2,-9223372036854775808]");
    CHECK_STR(json(packed(tel_doubles("k", reals, 2))), "\"k\":[0.5,-3]");
    CHECK_STR(json(packed(tel_bools("k", flags, 3))), "\"k\":[true,false,true]");
    CHECK_STR(json(tel_ints("k", NULL, 3)), "\"k\":[]");
    CHECK_STR(json(tel_strs("k", words, 0)), "\"k\":[]");
    CHECK_STR(json(packed(tel_strs("k", NULL, 2))), "\"k\":[]");
    CHECK_STR(json(packed(tel_bytes("k", NULL, 2))), "\"k\":\"\"");
}

static void test_next(void) {
    tel_attr a = tel_strs("k", words, 3), item;
    size_t at = 0;
    CHECK(tel_attr_next(&a, &at, &item) && item.type == TEL_TYPE_STRING && item.as.s.size == 3 && !item.key[0]);
    CHECK(tel_attr_next(&a, &at, &item) && item.as.s.size == 0 && item.as.s.data);
    CHECK(tel_attr_next(&a, &at, &item) && item.as.s.size == 4 && !tel_attr_next(&a, &at, &item));
    a = tel_str("k", "scalar");
    at = 0;
    CHECK(!tel_attr_next(&a, &at, &item) && at == 0);
    a = tel_bytes("k", raw, 4);
    CHECK(!tel_attr_next(&a, &at, &item));
    a = tel__array("k", TEL_TYPE_STRINGS, "ab\0cd", 5);         /* hostile: the last NUL is missing */
    CHECK(tel_attr_next(&a, &at, &item) && item.as.s.size == 2);
    CHECK(tel_attr_next(&a, &at, &item) && item.as.s.size == 2 && !tel_attr_next(&a, &at, &item));
    a = tel__array("k", TEL_TYPE_INTS, "1234567", 7);
    at = 0;
    CHECK(!tel_attr_next(&a, &at, &item));
}

static void test_cut(void) {
    static const char* const list[] = { "\xc3\xa4\xc3\xb6\xc3\xbc", "xy", "long" };
    tel_attr a = tel_strs("k", list, 3), b = tel_bytes("k", raw, 4), n = tel_ints("k", numbers, 3);
    char to[16];
    CHECK_INT(tel__array_size(&a, 2), 5 + 3 + 3);
    CHECK_INT(tel__array_size(&b, 3), 3);
    CHECK_INT(tel__array_size(&n, 1), 24);
    memset(to, 'x', sizeof to);
    tel__array_put(to, 11, &a, 2);
    CHECK(memcmp(to, "\xc3\xa4\xc3\xb6\0xy\0lo\0xxxxx", 16) == 0);
    tel__array_put(to, 4, &a, 10);                              /* strings have grown since they were measured */
    CHECK(memcmp(to, "\xc3\xa4\xc3\0", 4) == 0 && to[4] == 0);
    tel__array_put(to, 16, &a, 1);                              /* or shrunk */
    CHECK(memcmp(to, "\xc3\xa4\0x\0l\0\0\0\0\0\0\0\0\0", 16) == 0);
}

static void test_same(void) {
    static const int64_t other[] = { 1, -2, 3 };
    static const char* const fewer[] = { "a\"b", NULL };
    tel_attr given[6], kept[6];
    static char rooms[6][64];
    size_t i, k;
    given[0] = tel_bytes("k", raw, 4);
    given[1] = tel_bools("k", flags, 3);
    given[2] = tel_ints("k", numbers, 3);
    given[3] = tel_ints("k", other, 3);
    given[4] = tel_strs("k", words, 3);
    given[5] = tel_strs("k", fewer, 2);
    for (i = 0; i < 6; i++) {
        kept[i] = given[i];
        (void)tel__attr_keep_value(&kept[i], rooms[i] + 1);
        kept[i].tel__key_size = 1;
    }
    for (i = 0; i < 6; i++) {
        for (k = 0; k < 6; k++) {
            CHECK(tel__attr_same_value(&given[i], &kept[k]) == (i == k));
            CHECK(tel__attr_same_value(&kept[k], &given[i]) == (i == k));
            CHECK(tel__attr_same_value(&given[i], &given[k]) == (i == k));
            CHECK(tel__attr_same(&given[i], &kept[k]) == (i == k));
            CHECK((tel__attr_hash(&given[i]) == tel__attr_hash(&kept[k])) == (i == k));
        }
    }
}

static const char* encoded(const tel_batch* b, bool protobuf) {
    tel__text_out o = tel__text_fixed(text, sizeof text - 1);
    CHECK_INT(tel__otlp_encode_as(b, TEL_SIGNAL_SPANS, protobuf, &o), TEL_OK);
    text_size = o.size;
    text[o.size] = 0;
    return text;
}

static void test_otlp(void) {
    tel_attr a[5];
    tel_span_view s;
    tel_scope_view scope;
    tel_batch b;
    static const char wire[] = "\x12\x15\x2a\x13\x0a\x05\x0a\x03" "a\"b\x0a\x02\x0a\x00\x0a\x06\x0a\x04\xc3\xa4\xc3\xb6";
    size_t i, found = 0;
    memset(&s, 0, sizeof s);
    memset(&scope, 0, sizeof scope);
    memset(&b, 0, sizeof b);
    a[0] = tel_bytes("y", raw, 4);
    a[1] = tel_bools("b", flags, 2);
    a[2] = tel_ints("i", numbers, 2);
    a[3] = tel_doubles("d", reals, 0);
    a[4] = tel_strs("s", words, 3);
    s.scope = &scope;
    s.context.trace_id[0] = s.context.span_id[0] = 1;
    s.attrs = tel__attrs(a, 5);
    b.spans = &s;
    b.span_count = 1;
    (void)encoded(&b, false);
    CHECK(strstr(text, "{\"key\":\"y\",\"value\":{\"bytesValue\":\"/wAQgA==\"}},{\"key\":\"b\",\"value\":{\"arrayValue\":{\"values\":["
        "{\"boolValue\":true},{\"boolValue\":false}]}}},{\"key\":\"i\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},"
        "{\"intValue\":\"-2\"}]}}},{\"key\":\"d\",\"value\":{\"arrayValue\":{\"values\":[]}}},{\"key\":\"s\",\"value\":{\"arrayValue\":"
        "{\"values\":[{\"stringValue\":\"a\\\"b\"},{\"stringValue\":\"\"},{\"stringValue\":\"\xc3\xa4\xc3\xb6\"}]}}}]") != NULL);
    (void)encoded(&b, true);
    for (i = 0; i + sizeof wire - 1 <= text_size; i++) { found += memcmp(text + i, wire, sizeof wire - 1) == 0; }
    CHECK_INT(found, 1);
    for (i = found = 0; i + 8 <= text_size; i++) { found += memcmp(text + i, "\x12\x06\x3a\x04\xff\x00\x10\x80", 8) == 0; }
    CHECK_INT(found, 1);
}

/* ---- through the whole of the SDK ---- */

static const tel_attr* attr(tel_attrs list, const char* key) {
    static const tel_attr none = { "(none)", TEL_TYPE_NONE, 0, { false } };
    size_t i;
    for (i = 0; i < list.count; i++) {
        if (strcmp(list.items[i].key, key) == 0) { return &list.items[i]; }
    }
    return &none;
}
static void check_all(tel_attrs have) {
    CHECK_STR(json(*attr(have, "bytes")), "\"bytes\":\"/wAQgA==\"");
    CHECK_STR(json(*attr(have, "bools")), "\"bools\":[true,false,true]");
    CHECK_STR(json(*attr(have, "ints")), "\"ints\":[1,-2,-9223372036854775808]");
    CHECK_STR(json(*attr(have, "doubles")), "\"doubles\":[0.5,-3]");
    CHECK_STR(json(*attr(have, "strs")), "\"strs\":[\"a\\\"b\",\"\",\"\xc3\xa4\xc3\xb6\"]");
    CHECK(attr(have, "strs")->type == TEL_TYPE_STRINGS);
    CHECK_STR(json(*attr(have, "plain")), "\"plain\":7");
}

static tel_attr all[6];
static tel_scope scope = { "arrays", NULL, NULL, { NULL, 0 } };
static const tel_metric_options options = { &scope, NULL, 0, false, false, 0, 0 };
static tel_counter calls = TEL_INSTRUMENT_OPT("calls", "1", NULL, &options);
static tel_memory memory;
static tel_desc desc;
static tel_sink sinks[2];

static void start(void) {
    desc.resource = tel__attrs(all, 6);
    sinks[0] = tel_sink_memory(&memory);
    sinks[1] = tel_sink_console(&writer);
    desc.sinks = sinks;
    desc.sink_count = 2;
    CHECK_INT(tel_init(&desc), TEL_OK);
    text_size = 0;
}

static void test_all(void) {
    tel_attrs attrs = tel__attrs(all, 6);
    tel_log_desc log_all;
    tel_span span;
    tel_batch seen;
    char* at;
    memset(&log_all, 0, sizeof log_all);
    all[0] = tel_bytes("bytes", raw, sizeof raw);
    all[1] = tel_bools("bools", flags, 3);
    all[2] = tel_ints("ints", numbers, 3);
    all[3] = tel_doubles("doubles", reals, 2);
    all[4] = tel_strs("strs", words, 3);
    all[5] = tel_int("plain", 7);
    scope.attrs = attrs;
    start();
    span = tel_span_start("s");
    tel_span_set_all(&span, attrs);
    tel_span_event(&span, "e", attrs);
    tel_span_link(&span, &span.context, attrs);
    tel_span_end(&span);
    log_all.severity = TEL_INFO;
    log_all.body = "l";
    log_all.attrs = attrs;
    log_all.scope = &scope;
    tel_log_ex(&log_all);
    tel_counter_add_with(&calls, 1, attrs);
    tel_counter_add_with(&calls, 2, attrs);
    tel_counter_add_with(&calls, 4, attrs);
    tel_counter_add_with(&calls, 1, tel__attrs(all, 5));
    CHECK_INT(tel_flush(5000), TEL_OK);
    seen = tel_memory_read(&memory);
    CHECK_INT(seen.span_count, 1);
    CHECK_INT(seen.log_count, 1);
    if (seen.span_count == 1 && seen.log_count == 1) {
        const tel_span_view* v = &seen.spans[0];
        check_all(seen.resource);
        CHECK(v->dropped_attrs == 0 && v->attrs.count == 6);
        check_all(v->attrs);
        check_all(v->events[0].attrs);
        check_all(v->links[0].attrs);
        check_all(seen.logs[0].attrs);
        check_all(seen.logs[0].scope->attrs);
    }
    {
        const tel_point* six = NULL;
        size_t i, k, n = 0;
        for (i = 0; i < seen.metric_count; i++) {
            if (strncmp(seen.metrics[i].name.data, "calls", 5) != 0) { continue; }
            n += seen.metrics[i].point_count;
            for (k = 0; k < seen.metrics[i].point_count; k++) {
                if (seen.metrics[i].points[k].attrs.count == 6) { six = &seen.metrics[i].points[k]; }
            }
        }
        CHECK_INT(n, 2);
        CHECK(six != NULL && (six->i == 7 || six->d == 7));
        if (six) { check_all(six->attrs); }
    }
    /* the console has what is JSON as it is, the page as a label */
    CHECK(strstr(text, "bytes=/wAQgA==") != NULL && strstr(text, "strs=[\"a\\\"b\",\"\",\"\xc3\xa4\xc3\xb6\"]") != NULL);
    text_size = 0;
    CHECK_INT(tel_prometheus_render(writer), TEL_OK);
    at = strstr(text, "calls_total{");
    CHECK(at != NULL && strstr(at, "strs=\"[\\\"a\\\\\\\"b\\\",\\\"\\\",\\\"\xc3\xa4\xc3\xb6\\\"]\"") != NULL);
    CHECK(at != NULL && strstr(at, "ints=\"[1,-2,-9223372036854775808]\"") != NULL && strstr(at, "bytes=\"/wAQgA==\"") != NULL);
    text_size = 0;
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    tel_memory_clear(&memory);
}

/* Values that span blocks, overwriting, limits and what is to be hidden. */
static void test_long(void) {
    static int64_t many[2000];
    static const char* list[600];
    static tel_processor redact;
    static const char* const secret[] = { "fine", "Bearer abc" };
    tel_span span;
    tel_batch seen;
    size_t i, at = 0, n = 0, wrong = 0;
    tel_attr item;
    for (i = 0; i < 2000; i++) { many[i] = (int64_t)(i * i); }
    for (i = 0; i < 600; i++) { list[i] = i % 2 ? "odd" : "even, and so long that it is cut"; }
    memset(&desc, 0, sizeof desc);
    desc.attribute_length_limit = 20;
    redact = tel_processor_redact(NULL);
    desc.processors = &redact;
    desc.processor_count = 1;
    start();
    span = tel_span_start("long");
    tel_span_set(&span, tel_int("many", 1));
    tel_span_set(&span, tel_ints("many", many, 2000));
    tel_span_set(&span, tel_strs("list", list, 600));
    tel_span_set(&span, tel_strs("again", list, 2));
    tel_span_set(&span, tel_strs("again", list, 3));
    tel_span_set(&span, tel_str("again", "last"));
    for (i = 0; i < 3000; i++) { tel_span_set(&span, i % 5 ? tel_ints("turns", many, i % 40) : tel_strs("turns", list, i % 7)); }
    tel_span_set(&span, tel_strs("secret", secret, 2));
    tel_span_set(&span, tel_strs("open", secret, 1));
    tel_span_set(&span, tel_ints("token", many, 3));
    tel_span_set(&span, tel_bytes("bytes", many, 21));
    tel_span_end(&span);
    tel_log(TEL_INFO, "l", TEL_ATTRS(tel_strs("list", list, 600), tel_bytes("bytes", many, 300)));
    CHECK_INT(tel_flush(5000), TEL_OK);
    seen = tel_memory_read(&memory);
    CHECK(seen.span_count == 1 && seen.log_count == 1);
    if (seen.span_count == 1 && seen.log_count == 1) {
        tel_attrs a = seen.spans[0].attrs, of_log = seen.logs[0].attrs;
        CHECK_INT(seen.spans[0].dropped_attrs, 0);
        for (n = 0; tel_attr_next(attr(a, "many"), &at, &item); n++) { wrong += item.as.i != (int64_t)n * (int64_t)n; }
        CHECK(n == 2000 && wrong == 0);
        for (at = n = 0; tel_attr_next(attr(a, "list"), &at, &item); n++) {
            wrong += strcmp(item.as.s.data, n % 2 ? "odd" : "even, and so long th") != 0;
        }
        CHECK(n == 600 && wrong == 0);
        CHECK_STR(json(*attr(a, "again")), "\"again\":\"last\"");
        CHECK(attr(a, "turns")->type == TEL_TYPE_INTS);
        CHECK_INT(attr(a, "turns")->as.s.size, 8 * (2999 % 40));
        CHECK(attr(a, "secret")->type == TEL_TYPE_STRING && attr(a, "token")->type == TEL_TYPE_STRING);
        CHECK_STR(json(*attr(a, "open")), "\"open\":[\"fine\"]");
        CHECK_INT(attr(a, "bytes")->as.s.size, 20);
        CHECK(tel__attr_same_value(attr(of_log, "list"), attr(a, "list")));
        CHECK_INT(attr(of_log, "bytes")->as.s.size, 20);
    }
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    tel_memory_clear(&memory);
}

/* ---- lists and maps ---- */

#define NESTED_JSON "\"k\":{\"id\":7,\"roles\":[\"admin\",true,null,{\"deep\":[0.5,-3],\"raw\":\"/wAQgA==\"}],\"name\":\"last\",\"none\":{}}"
static tel_attr nested(const char* key) {
    static tel_attr inner[2], list[4], map[6];
    inner[0] = tel_doubles("deep", reals, 2);
    inner[1] = tel_bytes("raw", raw, sizeof raw);
    list[0] = tel_str("ignored", "admin");
    list[1] = tel_bool(NULL, true);
    list[2] = tel_int("", 0);
    list[2].type = TEL_TYPE_NONE;
    list[3] = tel_map("", tel__attrs(inner, 2));
    map[0] = tel_int("id", 7);
    map[1] = tel_str("name", "first");
    map[2] = tel_list("roles", tel__attrs(list, 4));
    map[3] = tel_int("", 1);
    map[4] = tel_str("name", "last");
    map[5] = tel_map("none", TEL_NOATTRS);
    return tel_map(key, tel__attrs(map, 6));
}

static void test_nested(void) {
    static tel_attr levels[80];
    static char copy[1 << 12];
    tel_attr given = nested("k"), kept = packed(nested("k")), item, again;
    size_t at = 0, i, n;
    CHECK_STR(json(given), NESTED_JSON);
    CHECK_STR(json(kept), NESTED_JSON);
    CHECK(kept.type == TEL_TYPE_MAP);
    CHECK(tel_attr_next(&kept, &at, &item) && item.type == TEL_TYPE_INT && item.as.i == 7 && strcmp(item.key, "id") == 0);
    CHECK(tel_attr_next(&kept, &at, &item) && item.type == TEL_TYPE_LIST && strcmp(item.key, "roles") == 0);
    /* given, packed, and packed once more are one value */
    CHECK(tel__attr_hash(&given) == tel__attr_hash(&kept) && tel__attr_same_value(&given, &kept));
    again = kept;
    CHECK(tel__attr_value_size(&again) < sizeof copy);
    (void)tel__attr_keep_value(&again, copy);
    CHECK(again.as.s.size == kept.as.s.size && memcmp(again.as.s.data, kept.as.s.data, kept.as.s.size) == 0);
    item = tel_map("k", TEL_ATTRS(tel_int("id", 7)));
    again = tel_map("k", TEL_ATTRS(tel_int("ID", 7)));
    CHECK(!tel__attr_same_value(&given, &item) && !tel__attr_same_value(&item, &again));
    again = tel_list("k", TEL_ATTRS(tel_int("id", 7)));
    CHECK(!tel__attr_same_value(&item, &again));
    /* the 64th value within a value is there, what is deeper is empty */
    levels[0] = tel_int("n", 1);
    for (i = 1; i < 80; i++) { levels[i] = tel_list("l", tel__attrs(&levels[i - 1], 1)); }
    given = packed(levels[64]);
    CHECK(strstr(json(given), "1") != NULL && strstr(line, "null") == NULL);
    CHECK(strstr(json(packed(levels[65])), "1") == NULL && strstr(line, "null") != NULL);
    CHECK(strstr(json(levels[79]), "1") == NULL);
    for (i = 60; i < 80; i++) {                     /* and it is still the value that was given */
        given = packed(levels[i]);
        CHECK(tel__attr_hash(&given) == tel__attr_hash(&levels[i]) && tel__attr_same_value(&levels[i], &given));
    }
    item = tel_str("", "not looked at");
    item.type = TEL_TYPE_NONE;
    again = tel_list("k", tel__attrs(&item, 1));
    given = packed(again);
    CHECK(tel__attr_hash(&given) == tel__attr_hash(&again) && tel__attr_same_value(&again, &given));
    /* whatever bytes come: no read beyond them, and an end */
    kept = packed(nested("k"));
    for (n = 0; n <= kept.as.s.size; n++) {
        char* cut = (char*)malloc(n + 1);
        for (i = 0; i < 40; i++) {
            memcpy(cut, kept.as.s.data, n);
            if (n && i) { cut[(i * 7919 + n) % n] = (char)(i * 37); }
            again = tel__array("k", TEL_TYPE_MAP, cut, n);
            (void)json(again);
            (void)tel__attr_hash(&again);
        }
        free(cut);
    }
    /* cut at a limit, at every level */
    item = tel_list("k", TEL_ATTRS(tel_str("", "abcdef"), tel_list("", TEL_ATTRS(tel_str("", "ghijkl")))));
    n = tel__array_size(&item, 3);
    tel__array_put(copy, n, &item, 3);
    again = tel__array("k", TEL_TYPE_LIST, copy, n);
    CHECK_STR(json(again), "\"k\":[\"abc\",[\"ghi\"]]");
}

static void test_nested_wire(void) {
    tel_attr a[1];
    tel_span_view s;
    tel_scope_view none;
    tel_batch b;
    static const char wire[] = "\x0a\x01m\x12\x10\x32\x0e\x0a\x0c\x0a\x01x\x12\x07\x2a\x05\x0a\x03\x0a\x01y";
    size_t i, found = 0;
    tel_attr y = tel_str("", "y"), x = tel_list("x", tel__attrs(&y, 1));
    memset(&s, 0, sizeof s);
    memset(&none, 0, sizeof none);
    memset(&b, 0, sizeof b);
    a[0] = tel_map("m", tel__attrs(&x, 1));
    s.scope = &none;
    s.context.trace_id[0] = s.context.span_id[0] = 1;
    s.attrs = tel__attrs(a, 1);
    b.spans = &s;
    b.span_count = 1;
    (void)encoded(&b, false);
    CHECK(strstr(text, "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"x\",\"value\":{\"arrayValue\":"
        "{\"values\":[{\"stringValue\":\"y\"}]}}}]}}}") != NULL);
    (void)encoded(&b, true);
    for (i = 0; i + sizeof wire - 1 <= text_size; i++) { found += memcmp(text + i, wire, sizeof wire - 1) == 0; }
    CHECK_INT(found, 1);
}

/* Through spans of many blocks, logs, metrics and the redaction. */
static void test_nested_all(void) {
    static tel_attr many[400];
    static tel_processor redact;
    tel_attr secret = tel_map("open", TEL_ATTRS(tel_list("l", TEL_ATTRS(tel_map("", TEL_ATTRS(tel_str("Password", "x")))))));
    tel_attr bearer = tel_list("open2", TEL_ATTRS(tel_str("", "Bearer abc")));
    tel_span span;
    tel_batch seen;
    tel_attr item;
    size_t i, at = 0, n = 0, wrong = 0, points = 0;
    for (i = 0; i < 400; i++) { many[i] = i % 2 ? tel_str("even", "a text of some length") : nested("map"); }
    memset(&desc, 0, sizeof desc);
    redact = tel_processor_redact(NULL);
    desc.processors = &redact;
    desc.processor_count = 1;
    for (i = 0; i < 6; i++) { all[i] = tel_int("r", 1); }
    start();
    span = tel_span_start("nested");
    tel_span_set(&span, nested("k"));
    tel_span_set(&span, tel_list("many", tel__attrs(many, 400)));
    tel_span_set(&span, secret);
    tel_span_set(&span, bearer);
    tel_span_end(&span);
    tel_log(TEL_INFO, "l", TEL_ATTRS(nested("k"), secret));
    tel_counter_add_with(&calls, 1, TEL_ATTRS(nested("k")));
    tel_counter_add_with(&calls, 2, TEL_ATTRS(nested("k")));
    CHECK_INT(tel_flush(5000), TEL_OK);
    seen = tel_memory_read(&memory);
    CHECK(seen.span_count == 1 && seen.log_count == 1);
    if (seen.span_count == 1 && seen.log_count == 1) {
        tel_attrs a = seen.spans[0].attrs;
        CHECK_STR(json(*attr(a, "k")), NESTED_JSON);
        CHECK_STR(json(*attr(seen.logs[0].attrs, "k")), NESTED_JSON);
        CHECK_STR(json(*attr(a, "open")), "\"open\":\"[REDACTED]\"");
        CHECK_STR(json(*attr(a, "open2")), "\"open2\":\"[REDACTED]\"");
        CHECK_STR(json(*attr(seen.logs[0].attrs, "open")), "\"open\":\"[REDACTED]\"");
        for (; tel_attr_next(attr(a, "many"), &at, &item); n++) {
            item.key = "k";
            wrong += strcmp(json(item), n % 2 ? "\"k\":\"a text of some length\"" : NESTED_JSON) != 0;
        }
        CHECK(n == 400 && wrong == 0);
    }
    for (i = 0; i < seen.metric_count; i++) {
        if (strcmp(seen.metrics[i].name.data, "calls") != 0) { continue; }
        for (n = 0; n < seen.metrics[i].point_count; n++, points++) {
            CHECK_STR(json(seen.metrics[i].points[n].attrs.items[0]), NESTED_JSON);
        }
    }
    CHECK_INT(points, 1);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    tel_memory_clear(&memory);
}

int main(void) {
    capture_watchdog(60);
    test_json();
    test_next();
    test_cut();
    test_same();
    test_otlp();
    test_all();
    test_long();
    test_nested();
    test_nested_wire();
    test_nested_all();
    return check_done();
}
