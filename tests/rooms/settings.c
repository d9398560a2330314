/* Room test of >>settings and >>settings_json: documents into trees, places of faults, variables, typed reading, and keys that
   nobody reads. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"

static tel__memory memory;
static tel__diag diag;
static char last[512];
static int reports;

static void report(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)item; (void)line; (void)user_data;
    snprintf(last, sizeof last, "%s", message);
    reports++;
}

static tel_text env(const void* source, const char* name) {
    tel_text none = { NULL, 0 };
    (void)source;
    return strcmp(name, "STRING_VALUE") == 0 ? tel__text_of("value")
         : strcmp(name, "INT_VALUE") == 0 ? tel__text_of("1111")
         : strcmp(name, "BOOL_VALUE") == 0 ? tel__text_of("true")
         : strcmp(name, "REPLACE_ME") == 0 ? tel__text_of("${DO_NOT_REPLACE_ME}")
         : strcmp(name, "QUOTE") == 0 ? tel__text_of("a\"b\n$$c") : none;
}

static tel__settings_tree tree;
static tel_result read_n(const char* json, size_t size) {
    tel__settings_free(&tree);
    if (tel__settings_init(&tree, &memory, &diag, "t.json") != TEL_OK) { return TEL_ERR_MEMORY; }
    tree.env_fn = env;
    last[0] = '\0';
    reports = 0;
    return tel__settings_json_read(&tree, tel__text_sized(json, size));
}
static const tel_settings* ready(const char* json) {
    CHECK_INT(read_n(json, strlen(json)), TEL_OK);
    return tree.root;
}

static void test_reading(void) {
    const tel_settings* s = ready(
        "{\n \"a\": \"x\\u00e4\\ud83d\\ude00\\n\", \"n\": -12, \"r\": 2.5e1, \"yes\": true, \"no\": false,\n"
        "  \"nothing\": null, \"o\": { \"p\": { \"q\": 7 } }, \"l\": [ 1, 2, {\"k\": \"v\"} ], \"e\": {}, \"f\": [] }\n");
    CHECK_STR(tel_setting_text(s, "a", "").data, "x\xc3\xa4\xf0\x9f\x98\x80\n");
    CHECK_INT(tel_setting_text(s, "a", "").size, 8);
    CHECK_INT(tel_setting_int(s, "n", -100, 100, 0), -12);
    CHECK(tel_setting_real(s, "r", 0, 100, 0) == 25);
    CHECK(tel_setting_bool(s, "yes", false));
    CHECK(!tel_setting_bool(s, "no", true));
    CHECK_INT(tel_setting_int(s, "o/p/q", 0, 9, 0), 7);
    CHECK_INT(tel_setting_int(s, "nothing", 0, 9, 5), 5);
    CHECK_INT(tel_setting_int(s, "missing", 0, 9, 6), 6);
    CHECK_STR(tel_setting_text(s, "missing", "other").data, "other");
    CHECK(tel_setting_text(s, "missing", NULL).data == NULL);
    CHECK_INT(tel_setting_int(tel_setting_item(s, "l", 1), NULL, 0, 9, 0), 2);
    CHECK_STR(tel_setting_text(tel_setting_item(s, "l", 2), "k", "").data, "v");
    CHECK(!tel_setting_item(s, "l", 3));
    CHECK(!tel_setting_item(s, "f", 0));
    CHECK(!tel_setting_item(s, "missing", 0));
    CHECK_INT(tree.faults, 0);
    CHECK_INT(tel_setting_int(NULL, "x", 0, 9, 4), 4);
    CHECK(!tel_setting_item(NULL, "x", 0));
    tel_setting_fault(NULL, "x", "nothing");
    CHECK_INT(reports, 0);
    CHECK_INT(tel__settings_unread(s), 1);
    CHECK_STR(last, "the configuration cannot be used: t.json:3:73: e: is not known");
    s = ready("{ \"c++\": \"+\" }");
    CHECK_STR(tel_setting_text(s, "c++", "").data, "+");
}

/* A whole number however JSON spells it, and nothing that is none or only nearly one. */
static void test_whole(void) {
    static const struct { const char* text; int64_t is; } cases[] = {
        { "1e3", 1000 }, { "10.0", 10 }, { "-250E-1", -25 }, { "1.5e1", 15 }, { "-0.0", 0 }, { "0e9", 0 }, { "1e18", INT64_C(1000000000000000000) },
        { "-9223372036854775808", INT64_MIN }, { "9223372036854775807", INT64_MAX }, { "-9223372036854775809", 7 }, { "9223372036854775808", 7 },
        { "9223372036854775808.0", 7 }, { "1e19", 7 }, { "-1e19", 7 }, { "1e300", 7 }, { "0.5", 7 }, { "-1e-3", 7 }, { "10.01", 7 }
    };
    char json[80];
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const tel_settings* s;
        snprintf(json, sizeof json, "{ \"n\": %s }", cases[i].text);
        s = ready(json);
        check__int(tel_setting_int(s, "n", INT64_MIN, INT64_MAX, 7) == cases[i].is, 1, __FILE__, __LINE__, json);
        CHECK_INT(tree.faults, cases[i].is == 7);
    }
}

static void test_types(void) {
    const tel_settings* s = ready("{\"n\": \"12\", \"t\": 12, \"b\": 1, \"big\": 70000,\n\"deep\": [{\"x\": 1.5}], \"o\": {}, \"w\": [{}, {\"k\": \"v\"}]}");
    CHECK_STR(tel_setting_text(s, "w//k", "").data, "v");
    CHECK_INT(tel_setting_int(s, "n", 0, 100, 3), 3);
    CHECK_STR(last, "the configuration cannot be used: t.json:1:2: n: is not a whole number from 0 to 100");
    CHECK_STR(tel_setting_text(s, "t", "z").data, "z");
    CHECK_STR(last, "the configuration cannot be used: t.json:1:13: t: is not a string");
    CHECK(tel_setting_bool(s, "b", true));
    CHECK_STR(last, "the configuration cannot be used: t.json:1:22: b: is neither true nor false");
    CHECK_INT(tel_setting_int(s, "big", 0, 65535, 9464), 9464);
    CHECK_INT(tel_setting_int(tel_setting_item(s, "deep", 0), "x", 0, 9, 1), 1);
    CHECK_STR(last, "the configuration cannot be used: t.json:2:11: deep[0].x: is not a whole number from 0 to 9");
    CHECK(tel_setting_real(s, "n", 0, 1, 0.5) == 0.5);
    CHECK(!tel_setting_item(s, "o", 0));
    CHECK_STR(last, "the configuration cannot be used: t.json:2:23: o: is not a list");
    tel_setting_fault(s, "t", "is %d too much", 3);                  /* counted; what is wrong with its type was said */
    CHECK_STR(last, "the configuration cannot be used: t.json:2:23: o: is not a list");
    tel_setting_fault(s, "deep", "is %d too much", 3);
    CHECK_STR(last, "the configuration cannot be used: t.json:2:1: deep: is 3 too much");
    tel_setting_fault(s, "absent", "is missing");
    CHECK_STR(last, "the configuration cannot be used: t.json:1:1: absent: is missing");
    CHECK_INT(tree.faults, 9);
}

static void test_unread(void) {
    const tel_settings* s = ready("{\"a\":1,\"b\":{\"c\":1,\"d\":{\"e\":1}},\"l\":[{\"x\":1},{\"y\":2}]}");
    CHECK_INT(tel_setting_int(s, "a", 0, 9, 0), 1);
    CHECK_INT(tel_setting_int(s, "b/c", 0, 9, 0), 1);
    CHECK_INT(tel_setting_int(tel_setting_item(s, "l", 0), "x", 0, 9, 0), 1);
    CHECK_INT(tel__settings_unread(s), 2);      /* b.d once, not b.d.e too; l[1].y */
    CHECK_STR(last, "the configuration cannot be used: t.json:1:46: l[1].y: is not known");
    tel__settings_take_all(tel__settings_child(s, "b", 1));
    tel__settings_take_all(tel__settings_child(s, "l", 1));
    CHECK_INT(tel__settings_unread(s), 0);
}

static void test_variables(void) {
    /* OpenTelemetry "Configuration data model", the examples of its table */
    static const char* const cases[][2] = {
        { "${STRING_VALUE}", "value" }, { "${env:STRING_VALUE}", "value" }, { "${UNDEFINED_KEY:-fallback}", "fallback" },
        { "foo ${STRING_VALUE} ${STRING_VALUE}", "foo value value" }, { "${UNDEFINED_KEY}", "" }, { "${UNDEFINED_KEY:-}", "" },
        { "$${STRING_VALUE}", "${STRING_VALUE}" }, { "$$${STRING_VALUE}", "$value" }, { "$$$${STRING_VALUE}", "$${STRING_VALUE}" },
        { "$${STRING_VALUE:-fallback}", "${STRING_VALUE:-fallback}" }, { "${REPLACE_ME}", "${DO_NOT_REPLACE_ME}" },
        { "${UNDEFINED_KEY:-${STRING_VALUE}}", "${STRING_VALUE}" }, { "a $ b", "a $ b" }, { "a $$ b", "a $ b" },
        { "${QUOTE}", "a\"b\n$$c" }, { "100$", "100$" }
    };
    static const char* const wrong[] = { "${1X}", "${STRING_VALUE:?error}", "${A$B}", "${}", "${STRING_VALUE", "${sys:X}" };
    const tel_settings* s;
    char json[200];
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(json, sizeof json, "{\"v\":\"%s\"}", cases[i][0]);
        s = ready(json);
        CHECK_STR(tel_setting_text(s, "v", "").data, cases[i][1]);
    }
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(json, sizeof json, "{\"v\":\"%s\"}", wrong[i]);
        CHECK_INT(read_n(json, strlen(json)), TEL_ERR_FORMAT);
        CHECK(strstr(last, "${NAME}") != NULL);
    }
    s = ready("{\"i\":\"${INT_VALUE}\",\"b\":\"${BOOL_VALUE}\",\"none\":\"${NO}\",\"r\":\"${NO:-2.5}\",\"${K}\":1}");
    CHECK_INT(tel_setting_int(s, "i", 0, 2000, 0), 1111);
    CHECK(tel_setting_bool(s, "b", false));
    CHECK_INT(tel_setting_int(s, "none", 0, 9, 8), 8);
    CHECK(tel_setting_real(s, "r", 0, 9, 0) == 2.5);
    CHECK_INT(tel_setting_int(s, "${K}", 0, 9, 0), 1);      /* keys stay as they are */
    CHECK_INT(tree.faults, 0);
}

static void test_broken(void) {
    static const struct { const char *json, *place; } cases[] = {
        { "", ":1:1: a value is due here" }, { "[]", ":1:3: the document is no object" }, { "{", ":1:2: a key in quotes" },
        { "\xef\xbb\xbf{\"a\":1,}", ":1:8: a key in quotes" }, { "// x\n{}", ":1:1: JSON has no comments" }, { "{\n # x\n\"a\":1}", ":2:2: JSON has no comments" },
        { "{\"a\":/* x */ 1}", ":1:6: JSON has no comments" }, { "{\"a\":1 // x\n}", ":1:8: JSON has no comments" }, { "{} /* x */", ":1:4: JSON has no comments" },
        { "\xfe\xff\0{", ":1:1: a value is due" }, { "{\"a\":1,}", ":1:8: a key in quotes" }, { "{\"a\" 1}", ":1:6: a colon" }, { "{\"a\":1 \"b\":2}", ":1:8: a comma" },
        { "{\"a\":[1,]}", ":1:9: a value is due" }, { "{\"a\":01}", ":1:6: a value is due" }, { "{\"a\":+1}", ":1:6: a value" },
        { "{\"a\":nul}", ":1:6: a value is due" }, { "{\"a\":1}\n x", ":2:2: something stands behind" },
        { "{\n\"a\":1,\n \"a\":2}", ":3:5: a key stands twice" }, { "{\"a\":\"x", ":1:7: a string does not end" },
        { "{\"a\":\"\\x\"}", ":1:9: an escape" }, { "{\"a\":\"\\u0000\"}", "an escape" }, { "{\"a\":\"\\ud800\"}", "an escape" },
        { "{\"a\":\"\xff\"}", ":1:7: not UTF-8" }, { "{\"a\":\"\t\"}", ":1:7: a control character" }, { "{\"\":1}", "an empty key" },
        { "{\"a\":}", ":1:6: a value is due" }, { "{\"a\":tru", ":1:6: a value is due" }, { "{\"a\":-}", ":1:6: a value" },
        { "{\"a\":1]", ":1:7: a comma or the closing" }
    };
    char deep[200];
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_INT(read_n(cases[i].json, strlen(cases[i].json)), TEL_ERR_FORMAT);
        if (!strstr(last, cases[i].place)) { CHECK_STR(last, cases[i].place); } else { CHECK(1); }
        CHECK_INT(reports, 1);
    }
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    CHECK_INT(read_n(deep, sizeof deep), TEL_ERR_FORMAT);
    CHECK(strstr(last, "nested deeper") != NULL);
}

/* Every beginning of a document is refused without harm, whatever memory there is. */
static void test_bounds(void) {
    static const char json[] = "{\"a\":[{\"b\":\"\\u00e4${STRING_VALUE}\"},null,-1.5e3],\"c\":true}";
    size_t i;
    for (i = 0; i + 1 < sizeof json; i++) {
        CHECK(read_n(json, i) != TEL_OK || i == sizeof json - 1);
    }
    CHECK_INT(read_n(json, sizeof json - 1), TEL_OK);
    tel__settings_free(&tree);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
    memory.limit = 100;
    CHECK_INT(read_n(json, sizeof json - 1), TEL_ERR_MEMORY);
    memory.limit = 1 << 24;
}

int main(void) {
    tel_diag user;
    memset(&user, 0, sizeof user);
    user.report_fn = report;
    tel__memory_init(&memory, NULL, 1 << 24);
    tel__diag_init(&diag, &user);
    test_reading();
    test_whole();
    test_types();
    test_unread();
    test_variables();
    test_broken();
    test_bounds();
    tel__settings_free(&tree);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
    return check_done();
}
