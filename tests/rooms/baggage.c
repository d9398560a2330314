/* Room test of >>baggage and of the public functions over it, and of tracestate: grammar, limits, and the W3C cases when
   TEL_FIXTURES names the folder of the fixtures. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdlib.h>

static char header_value[20000];
static tel_text get(const char* key, void* user_data) {
    tel_text t = { NULL, 0 };
    (void)user_data;
    return strcmp(key, "baggage") == 0 ? tel__text_of(header_value) : t;
}
static char out_value[20000];
static int sets;
static void set(const char* key, const char* value, void* user_data) {
    (void)user_data;
    sets++;
    CHECK_STR(key, "baggage");
    strcpy(out_value, value);
}
static tel_context extract(const char* text) {
    tel_carrier in;
    memset(&in, 0, sizeof in);
    in.get_fn = get;
    snprintf(header_value, sizeof header_value, "%s", text);
    return tel_extract(&in);
}
static const char* inject(const tel_context* c) {
    tel_carrier out;
    memset(&out, 0, sizeof out);
    out.set_fn = set;
    out_value[0] = 0;
    (void)tel_inject(c, &out);
    return out_value;
}
static const char* value_of(const tel_context* c, const char* key) {
    static char value[9000];
    return tel_baggage_get(c, key, value, sizeof value) == TEL_OK ? value : "(none)";
}

static const struct { const char *header, *again; } rules[] = {
    { "a=1", "a=1" }, { " a = 1 ", "a=1" }, { "a=1,b=2", "a=1,b=2" }, { "a=1,,b=2,", "a=1,b=2" },
    { "a=1 ; p ; q = 2 ;, b=2", "a=1;p;q=2,b=2" }, { "a=1;p=\"x\";q", "a=1;q" }, { "a=1=2", "a=1=2" },
    { "a=1,a=2", "a=2" }, { "a=1,b=2,a=3", "b=2,a=3" }, { "=1", "" }, { "a", "" }, { "a b=1", "" }, { "a=\"1\"", "" },
    { "a=x y", "" }, { "a=x\\y,b=1", "b=1" }, { "a=%41%zz%4", "a=%41%zz%4" }, { "A=1,a=2", "A=1,a=2" }, { "k=", "k=" },
    { "a=1,a=2,a=3,b=1", "a=3,b=1" }, { "a=\xc3\xa4", "" }, { "", "" }
};

static void test_rules(void) {
    size_t i;
    for (i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        tel_context c = extract(rules[i].header);
        CHECK_STR(inject(&c), rules[i].again);
        CHECK(!tel_context_valid(&c));
    }
}

static void count(const char* key, const char* value, const char* metadata, void* user_data) {
    char* all = (char*)user_data;
    sprintf(all + strlen(all), "%s=%s(%s)", key, value, metadata);
}

static void test_calls(void) {
    tel_context c, copy;
    char text[400] = "", small[5];
    memset(&c, 0, sizeof c);
    CHECK_INT(tel_baggage_get(&c, "k", text, sizeof text), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_baggage_set(&c, "k", "a \"b\", 100%; \xc3\xa4", "p;q=1"), TEL_OK);
    CHECK_STR(inject(&c), "k=a%20%22b%22%2C%20100%25%3B%20%C3%A4;p;q=1");
    CHECK_STR(value_of(&c, "k"), "a \"b\", 100%; \xc3\xa4");
    copy = c;
    CHECK_INT(tel_baggage_set(&c, "k2", "", NULL), TEL_OK);
    CHECK_STR(value_of(&copy, "k2"), "(none)");
    CHECK_STR(value_of(&c, "k2"), "");
    CHECK_INT(tel_baggage_set(&copy, "k2", "1+1", NULL), TEL_OK);           /* some read '+' as a blank */
    CHECK_STR(inject(&copy), "k=a%20%22b%22%2C%20100%25%3B%20%C3%A4;p;q=1,k2=1%2B1");
    CHECK_STR(value_of(&copy, "k2"), "1+1");
    CHECK_INT(tel_baggage_set(&copy, "k2", NULL, NULL), TEL_OK);
    CHECK_INT(tel_baggage_set(&c, "k", "new", NULL), TEL_OK);
    CHECK_STR(inject(&c), "k2=,k=new");
    CHECK_STR(value_of(&copy, "k"), "a \"b\", 100%; \xc3\xa4");
    text[0] = 0;
    tel_baggage_each(&c, count, text);
    CHECK_STR(text, "k2=()k=new()");
    text[0] = 0;
    tel_baggage_each(&copy, count, text);
    CHECK_STR(text, "k=a \"b\", 100%; \xc3\xa4(p;q=1)");
    CHECK_INT(tel_baggage_set(&c, "k2", NULL, NULL), TEL_OK);
    CHECK_STR(inject(&c), "k=new");
    CHECK_INT(tel_baggage_set(&c, "never", NULL, NULL), TEL_OK);
    CHECK_INT(tel_baggage_get(&c, "k", small, 3), TEL_ERR_LIMIT);
    CHECK_STR(small, "ne");
    CHECK_INT(tel_baggage_set(&c, "u", "a\xc3\xa4\xc3\xb6", NULL), TEL_OK);
    CHECK_INT(tel_baggage_get(&c, "u", small, 5), TEL_ERR_LIMIT);
    CHECK_STR(small, "a\xc3\xa4");
    CHECK_INT(tel_baggage_get(&c, "u", small, 0), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_baggage_set(&c, "two words", "v", NULL), TEL_ERR_FORMAT);
    CHECK_INT(tel_baggage_set(&c, "", "v", NULL), TEL_ERR_FORMAT);
    CHECK_INT(tel_baggage_set(NULL, "k", "v", NULL), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_baggage_set(&c, NULL, "v", NULL), TEL_ERR_ARGUMENT);
    tel_baggage_clear(&c);
    tel_baggage_clear(NULL);
    CHECK_STR(inject(&c), "");
    CHECK_STR(value_of(&copy, "k"), "a \"b\", 100%; \xc3\xa4");
}

/* 64 members and 8192 bytes must pass (W3C Baggage, "Limits"); what is beyond is left out, whole members only. */
static void test_limits(void) {
    static char long_value[8300], list[20000];
    tel_context c;
    size_t i, n = 0;
    memset(long_value, 'v', sizeof long_value);
    memcpy(list, "a=", 2);
    memcpy(list + 2, long_value, 8190);
    list[8192] = 0;
    c = extract(list);
    CHECK_INT(strlen(inject(&c)), 8192);
    CHECK_INT(tel_baggage_set(&c, "b", "", NULL), TEL_ERR_LIMIT);
    CHECK_INT(strlen(inject(&c)), 8192);
    memcpy(list + 8192, "v,b=1", 6);
    c = extract(list);
    CHECK_STR(inject(&c), "b=1");
    for (i = 0; i < 200; i++) { n += (size_t)sprintf(list + n, "%sk%03d=v", i ? "," : "", (int)i); }
    c = extract(list);
    CHECK_STR(value_of(&c, "k179"), "v");
    CHECK_STR(value_of(&c, "k180"), "(none)");
    CHECK_INT(tel_baggage_set(&c, "more", "v", NULL), TEL_ERR_LIMIT);
    CHECK_INT(tel_baggage_set(&c, "k100", "w", NULL), TEL_OK);
    CHECK_STR(value_of(&c, "k100"), "w");
}

static void test_tracestate(void) {
    tel_context c;
    char text[1100], value[300];
    size_t i;
    memset(&c, 0, sizeof c);
    CHECK_INT(tel_tracestate_get(&c, NULL, text, sizeof text), TEL_ERR_ARGUMENT);
    CHECK_STR(text, "");
    CHECK_INT(tel_tracestate_set(&c, "a", "1"), TEL_OK);
    CHECK_INT(tel_tracestate_set(&c, "b@c", "2"), TEL_OK);
    CHECK_INT(tel_tracestate_get(&c, NULL, text, sizeof text), TEL_OK);
    CHECK_STR(text, "b@c=2,a=1");
    CHECK_INT(tel_tracestate_set(&c, "a", "3"), TEL_OK);
    CHECK_INT(tel_baggage_set(&c, "k", "v", NULL), TEL_OK);
    CHECK_INT(tel_tracestate_get(&c, NULL, text, sizeof text), TEL_OK);
    CHECK_STR(text, "a=3,b@c=2");
    CHECK_INT(tel_tracestate_get(&c, "b@c", text, 2), TEL_OK);
    CHECK_STR(text, "2");
    CHECK_INT(tel_tracestate_get(&c, NULL, text, 4), TEL_ERR_LIMIT);
    CHECK_STR(text, "a=3");
    CHECK_INT(tel_tracestate_set(&c, "a", NULL), TEL_OK);
    CHECK_INT(tel_tracestate_get(&c, "a", text, sizeof text), TEL_ERR_ARGUMENT);
    CHECK_STR(value_of(&c, "k"), "v");
    CHECK_INT(tel_tracestate_set(&c, "A", "1"), TEL_ERR_FORMAT);
    CHECK_INT(tel_tracestate_set(&c, "@a", "1"), TEL_ERR_FORMAT);
    CHECK_INT(tel_tracestate_set(&c, "a", ""), TEL_ERR_FORMAT);
    CHECK_INT(tel_tracestate_set(&c, "a", "1 "), TEL_ERR_FORMAT);
    CHECK_INT(tel_tracestate_set(&c, "a", "1,2"), TEL_ERR_FORMAT);
    for (i = 0; i < 40; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%02d", (int)i);
        CHECK_INT(tel_tracestate_set(&c, key, "x"), TEL_OK);
    }
    CHECK_INT(tel_tracestate_get(&c, "k39", text, sizeof text), TEL_OK);
    CHECK_INT(tel_tracestate_get(&c, "k08", text, sizeof text), TEL_OK);
    CHECK_INT(tel_tracestate_get(&c, "k07", text, sizeof text), TEL_ERR_ARGUMENT);
    memset(value, 'v', 256);
    value[256] = 0;
    CHECK_INT(tel_tracestate_set(&c, "long", value), TEL_OK);
    for (i = 0; i < 4; i++) {
        value[0] = (char)('a' + i);
        text[0] = (char)('a' + i);
        text[1] = 0;
        CHECK_INT(tel_tracestate_set(&c, text, value), TEL_OK);
    }
    CHECK_INT(tel_tracestate_get(&c, "d", text, sizeof text), TEL_OK);
    CHECK_INT(strlen(text), 256);
    CHECK_INT(tel_tracestate_get(&c, "k39", text, sizeof text), TEL_ERR_ARGUMENT);
}

/* An oversized one loses long members first, then those at its end (Trace Context, "tracestate Limits"). */
static void test_oversized(void) {
    static tel__tracestate s;
    static char list[9000];
    size_t n = 0, i;
    tel_text text;
    memset(&s, 0, sizeof s);
    n += (size_t)sprintf(list + n, "first=1,long=");
    memset(list + n, 'v', 200);
    n += 200;
    for (i = 0; i < 20; i++) { n += (size_t)sprintf(list + n, ",key%02d=%050d", (int)i, 1); }
    CHECK(tel__tracestate_read(&s, tel__text_of(list)));
    text = tel__text_sized(s.data, s.size);
    CHECK(s.size <= 1024 && s.size > 512);
    CHECK(tel__tracestate_find(text, tel__text_of("first")).size == 1);
    CHECK(!tel__tracestate_find(text, tel__text_of("long")).data);
    CHECK(tel__tracestate_find(text, tel__text_of("key00")).size == 50);
    CHECK(!tel__tracestate_find(text, tel__text_of("key19")).data);
    CHECK(s.data[s.size - 1] == '1');
}

/* Reads "header": "..." and then the entries' "key" and "value". */
static const char* string_at(const char* p, char* out) {
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\') {
            p++;
            if (*p == 'u') {
                unsigned code = (unsigned)strtoul(p + 1, NULL, 16);
                if (code >= 0x800) { *out++ = (char)(0xe0 | code >> 12); *out++ = (char)(0x80 | (code >> 6 & 63)); }
                else { *out++ = (char)(0xc0 | code >> 6); }
                *out++ = (char)(0x80 | (code & 63));
                p += 4;
            } else { *out++ = *p == 't' ? '\t' : *p; }
        } else { *out++ = *p; }
    }
    *out = 0;
    return p;
}
static void test_w3c(void) {
    static char json[1 << 16], s[4096], key[4096];
    const char* folder = getenv("TEL_FIXTURES");
    const char* p;
    tel_context c;
    FILE* f;
    int cases = 0;
    if (!folder) {
        printf("skipped: the W3C baggage cases (TEL_FIXTURES is not set)\n");
        return;
    }
    snprintf(json, sizeof json, "%s/w3c/baggage_cases.json", folder);
    f = fopen(json, "rb");
    CHECK(f != NULL);
    if (!f) { return; }
    json[fread(json, 1, sizeof json - 1, f)] = 0;
    fclose(f);
    memset(&c, 0, sizeof c);
    for (p = strstr(json, "\"cases\""); p && *p; p++) {
        if (strncmp(p, "\"header\": \"", 11) == 0) { p = string_at(p + 10, s); c = extract(s); cases++; }
        else if (strncmp(p, "\"key\": \"", 8) == 0) { p = string_at(p + 7, key); }
        else if (strncmp(p, "\"value\": \"", 10) == 0) { p = string_at(p + 9, s); CHECK_STR(value_of(&c, key), s); }
    }
    CHECK(cases >= 9);
}

int main(void) {
    test_rules();
    test_calls();
    test_limits();
    test_tracestate();
    test_oversized();
    test_w3c();
    CHECK(sets > 0);
    return check_done();
}
