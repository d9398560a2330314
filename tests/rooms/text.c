/* Room test of >>text: the builder in its three forms, every number both ways, JSON strings and UTF-8
   against the tables of the Unicode standard, percent-decoding, and the small string tools.
   TEXT_ROUNDS=n in the environment: n random doubles instead of 100000. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdio.h>
#include <stdlib.h>

static uint64_t random_state = 42;

static uint64_t random_u64(void) {
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t bits_of(double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits) {
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* c * 2^q, for a c of 53 bits. */
static double double_from(uint64_t c, unsigned q) {
    return double_of(((uint64_t)(q + 1074) << 52) + c);
}

static tel_text text_n(const char* data, size_t size) {
    tel_text t;
    t.data = data;
    t.size = size;
    return t;
}

/* Everything below writes into one fixed builder, which looks like a C string to the checks. */
static char shown[4096];
static tel__text_out out;

static void begin(void) {
    memset(shown, '#', sizeof shown);
    out = tel__text_fixed(shown, sizeof shown - 1);
}

static const char* show(void) {
    CHECK_INT(out.lost, 0);
    CHECK(out.size < sizeof shown);
    shown[out.size] = 0;
    return shown;
}

static void test_views(void) {
    tel_text rest, item;
    CHECK_INT(tel__text_of(NULL).size, 0);
    CHECK(tel__text_of(NULL).data != NULL);
    CHECK_INT(tel__text_of("abc").size, 3);
    CHECK(tel__text_equal(tel__text_trim(tel__text_of(" \t a b\t ")), tel__text_of("a b")));
    CHECK_INT(tel__text_trim(tel__text_of(" \t ")).size, 0);
    CHECK(tel__text_equal(tel__text_trim(tel__text_of("\na\r")), tel__text_of("\na\r")));
    CHECK(tel__text_equal(text_n(NULL, 0), tel__text_of("")));
    CHECK(!tel__text_equal(tel__text_of("ab"), tel__text_of("ac")));
    CHECK(!tel__text_equal(tel__text_of("ab"), tel__text_of("abc")));
    CHECK(tel__text_equal_nocase(tel__text_of("Content-Z@["), tel__text_of("cONTENT-z@[")));
    CHECK(!tel__text_equal_nocase(tel__text_of("@"), tel__text_of("`")));
    CHECK(!tel__text_equal_nocase(tel__text_of("["), tel__text_of("{")));
    CHECK(!tel__text_equal_nocase(tel__text_of("a"), tel__text_of("ab")));

    rest = tel__text_of("a,,bc,");
    CHECK(tel__text_split(&rest, ',', &item) && tel__text_equal(item, tel__text_of("a")));
    CHECK(tel__text_split(&rest, ',', &item) && item.size == 0);
    CHECK(tel__text_split(&rest, ',', &item) && tel__text_equal(item, tel__text_of("bc")));
    CHECK(tel__text_split(&rest, ',', &item) && item.size == 0);
    CHECK(!tel__text_split(&rest, ',', &item));
    CHECK(!tel__text_split(&rest, ',', &item));
    rest = tel__text_of("");
    CHECK(tel__text_split(&rest, ',', &item) && item.size == 0);
    CHECK(!tel__text_split(&rest, ',', &item));
    rest = text_n(NULL, 0);
    CHECK(!tel__text_split(&rest, ',', &item));
}

/* ---- the builder ---- */

static void test_fixed(void) {
    char buffer[8];
    tel__text_out o = tel__text_fixed(buffer, sizeof buffer);
    tel__text_put_cstr(&o, "abcdef");
    CHECK(tel__text_reserve(&o, 2) == buffer + 6);
    CHECK_INT(o.size, 6);
    tel__text_put_cstr(&o, "ghij");
    CHECK_INT(o.size, 8);
    CHECK_INT(o.lost, 2);
    CHECK(memcmp(buffer, "abcdefgh", 8) == 0);
    tel__number_put_u64(&o, 12345);
    tel__number_put_double(&o, 0.25);
    tel__json_put_string(&o, "x\n", 2);
    CHECK_INT(o.lost, 2 + 5 + 4 + 5);

    /* What was not taken leaves no hole: a smaller piece that would fit is lost too. */
    o = tel__text_fixed(buffer, sizeof buffer);
    tel__text_put_cstr(&o, "abcd");
    CHECK(tel__text_reserve(&o, 5) == NULL);
    CHECK_INT(o.lost, 5);
    tel__text_put_char(&o, 'x');
    CHECK(tel__text_reserve(&o, 1) == NULL);
    CHECK_INT(o.size, 4);
    CHECK_INT(o.lost, 7);

    o = tel__text_fixed(NULL, 0);
    tel__text_put(&o, NULL, 0);
    tel__text_put_cstr(&o, NULL);
    CHECK_INT(o.lost, 0);
    TEL__TEXT_LIT(&o, "abc");
    CHECK_INT(o.lost, 3);
    tel__json_put_string(&o, NULL, 0);
    tel__text_put_utf8(&o, NULL, 0);
    tel__text_put_hex(&o, NULL, 0);
    CHECK_INT(o.lost, 5);

    /* Numbers need the room of their digits only. */
    o = tel__text_fixed(buffer, 7);
    tel__number_put_u64(&o, 123);
    tel__number_put_double(&o, -0.5);
    CHECK_INT(o.size, 7);
    CHECK_INT(o.lost, 0);
    CHECK(memcmp(buffer, "123-0.5", 7) == 0);
}

static void test_heap(void) {
    tel__memory memory;
    tel__text_out o;
    size_t i;
    tel__memory_init(&memory, NULL, 4000);
    o = tel__text_heap(&memory);
    tel__text_put_char(&o, 'a');
    CHECK_INT(o.capacity, 256);
    for (i = 1; i < 256; i++) { tel__text_put_char(&o, (char)('a' + i % 26)); }
    CHECK_INT(o.capacity, 256);
    tel__text_put_char(&o, (char)('a' + i % 26));
    CHECK_INT(o.capacity, 512);
    for (i = 257; i < 1000; i++) { tel__text_put_char(&o, (char)('a' + i % 26)); }
    CHECK_INT(o.size, 1000);
    CHECK_INT(o.capacity, 1024);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 1024);
    CHECK(tel__text_reserve(&o, 1000) != NULL);
    CHECK_INT(o.size, 1000);
    CHECK_INT(o.capacity, 2048);
    CHECK(tel__text_reserve(&o, 2000) == NULL);         /* 4096 is over the cap */
    CHECK_INT(o.lost, 2000);
    CHECK_INT(o.size, 1000);
    for (i = 0; i < 1000; i++) { if (o.data[i] != (char)('a' + i % 26)) { break; } }
    CHECK_INT(i, 1000);
    CHECK(tel__text_reserve(&o, SIZE_MAX - 500) == NULL);
    tel__text_heap_free(&o);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
    tel__text_put_cstr(&o, "again");
    CHECK_INT(o.size, 5);
    tel__text_heap_free(&o);
    CHECK(tel__text_reserve(&o, 512) != NULL);
    CHECK_INT(o.capacity, 512);
    tel__text_heap_free(&o);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);

    /* At the cap, what has room is filled and the rest is counted. */
    tel__memory_init(&memory, NULL, 300);
    o = tel__text_heap(&memory);
    for (i = 0; i < 40; i++) { tel__text_put_cstr(&o, "0123456789"); }
    CHECK_INT(o.size, 256);
    CHECK_INT(o.lost, 144);
    tel__text_heap_free(&o);
}

typedef struct channel { char got[4096]; size_t size; unsigned calls, limit; } channel;

static bool channel_more(tel__text_out* o, size_t want) {
    channel* c = (channel*)o->user_data;
    CHECK(want > 0);
    if (c->calls++ >= c->limit) { return false; }
    memcpy(c->got + c->size, o->data, o->size);
    c->size += o->size;
    o->size = 0;
    return true;
}

/* The same text through a builder of each capacity that hands its data on: nothing may differ. */
static void test_flushing(void) {
    static channel c;
    char buffer[64];
    size_t capacity;
    static const char want[] = "{\"a\":\"x\\n\xef\xbf\xbd, twenty bytes and more\",18446744073709551615,0.1,00ff7f}";
    for (capacity = 1; capacity <= sizeof buffer; capacity++) {
        tel__text_out o = tel__text_fixed(buffer, capacity);
        static const uint8_t bytes[3] = { 0, 255, 127 };
        memset(&c, 0, sizeof c);
        c.limit = 1000;
        o.more_fn = channel_more;
        o.user_data = &c;
        tel__text_put_char(&o, '{');
        tel__json_put_string(&o, "a", 1);
        tel__text_put_char(&o, ':');
        tel__json_put_string(&o, "x\n\xff, twenty bytes and more", 26);
        tel__text_put_char(&o, ',');
        tel__number_put_u64(&o, UINT64_MAX);
        tel__text_put_char(&o, ',');
        tel__number_put_double(&o, 0.1);
        tel__text_put_char(&o, ',');
        tel__text_put_hex(&o, bytes, 3);
        tel__text_put_char(&o, '}');
        CHECK_INT(o.lost, 0);
        CHECK(channel_more(&o, 1));
        c.got[c.size] = 0;
        CHECK_STR(c.got, want);
    }
    {   /* Larger than it can ever be: reserve says no, put goes in pieces. A channel that breaks keeps count. */
        tel__text_out o = tel__text_fixed(buffer, 10);
        memset(&c, 0, sizeof c);
        c.limit = 1000;
        o.more_fn = channel_more;
        o.user_data = &c;
        CHECK(tel__text_reserve(&o, 11) == NULL);
        CHECK_INT(o.lost, 11);
        o.size = o.lost = 0;
        CHECK(tel__text_reserve(&o, 10) == buffer);
        c.limit = c.calls + 2;
        tel__text_put_cstr(&o, "0123456789012345678901234567890123456789");
        CHECK_INT(c.size + o.size, 20);
        CHECK_INT(o.lost, 20);
        tel__text_put_char(&o, 'x');
        CHECK_INT(o.lost, 21);
        CHECK_INT(c.calls, c.limit + 1);
    }
}

/* ---- integers and hex ---- */

static void check_u64(uint64_t v) {
    char want[32];
    tel_text t;
    uint64_t back = 0;
    snprintf(want, sizeof want, "%llu", (unsigned long long)v);
    begin();
    tel__number_put_u64(&out, v);
    CHECK_STR(show(), want);
    t = tel__text_of(want);
    CHECK_INT(tel__number_parse_u64(t, UINT64_MAX, &back), TEL_OK);
    CHECK(back == v);
    CHECK_INT(tel__number_parse_u64(t, v, &back), TEL_OK);
    if (v > 0) { CHECK_INT(tel__number_parse_u64(t, v - 1, &back), TEL_ERR_LIMIT); }
    snprintf(want, sizeof want, "%lld", (long long)v);
    begin();
    tel__number_put_i64(&out, (int64_t)v);
    CHECK_STR(show(), want);
    begin();
    out.size = (size_t)(tel__number_write_i64(shown, (int64_t)v) - shown);
    CHECK_STR(show(), want);
}

static void test_integers(void) {
    static const char* const bad[] = { "", " 1", "1 ", "-1", "+1", "0x1", "1.", "1e3", "\xb1", "/", ":" };
    uint64_t v = 1, kept = 7;
    size_t i;
    char text[600];
    uint8_t bytes[256];
    check_u64(0);
    check_u64(UINT64_MAX);
    check_u64((uint64_t)1 << 63);
    for (i = 0; i < 20; i++, v *= 10) {
        check_u64(v - 1);
        check_u64(v);
        check_u64(v + 1);
        check_u64(v * 3 + v / 7);
    }
    for (i = 0; i < 2000; i++) {
        v = random_u64();
        check_u64(v >> (random_u64() & 63));
    }
    for (i = 0; i < TEL__ARRAY_SIZE(bad); i++) {
        CHECK_INT(tel__number_parse_u64(tel__text_of(bad[i]), UINT64_MAX, &kept), TEL_ERR_FORMAT);
    }
    CHECK_INT(tel__number_parse_u64(tel__text_of("18446744073709551616"), UINT64_MAX, &kept), TEL_ERR_LIMIT);
    CHECK_INT(tel__number_parse_u64(tel__text_of("99999999999999999999999999999999"), UINT64_MAX, &kept), TEL_ERR_LIMIT);
    CHECK_INT(tel__number_parse_u64(tel__text_of("99999999999999999999999999999x"), UINT64_MAX, &kept), TEL_ERR_FORMAT);
    CHECK_INT(kept, 7);
    CHECK_INT(tel__number_parse_u64(tel__text_of("000000000000000000000000042"), 42, &kept), TEL_OK);
    CHECK_INT(kept, 42);

    for (i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
        snprintf(text + 2 * i, 3, "%02x", (unsigned)i);
    }
    begin();
    tel__text_put_hex(&out, bytes, 256);
    CHECK_STR(show(), text);
}

/* ---- doubles ---- */

static void check_double(double v, const char* want) {
    begin();
    tel__number_put_double(&out, v);
    CHECK_STR(show(), want);
    if (v == v) {
        begin();
        tel__json_put_double(&out, v);
        CHECK_STR(show(), want);
    }
}

static void check_special(double v, const char* plain, const char* json) {
    begin();
    tel__number_put_double(&out, v);
    CHECK_STR(show(), plain);
    begin();
    tel__json_put_double(&out, v);
    CHECK_STR(show(), json);
}

static void test_doubles(void) {
    int e;
    check_special(double_of((uint64_t)0x7ff << 52), "+Inf", "\"Infinity\"");
    check_special(double_of((uint64_t)0xfff << 52), "-Inf", "\"-Infinity\"");
    check_special(double_of(((uint64_t)0x7ff << 52) + 1), "NaN", "\"NaN\"");
    check_special(double_of(UINT64_MAX), "NaN", "\"NaN\"");
    check_double(0.0, "0");
    check_special(-0.0, "-0", "-0.0");          /* an integer-preserving reader of JSON keeps the sign */
    check_double(1, "1");
    check_double(-12, "-12");
    check_double(0.5, "0.5");
    check_double(0.1, "0.1");
    check_double(0.1 + 0.2, "0.30000000000000004");
    check_double(1.0 / 3, "0.3333333333333333");
    check_double(-1234.5678, "-1234.5678");
    check_double(100, "100");
    check_double(9007199254740991.0, "9007199254740991");
    check_double(9007199254740992.0, "9007199254740992");
    check_double(9007199254740994.0, "9007199254740994");
    check_double(123456789012345680000.0, "123456789012345680000");
    check_double(1e20, "100000000000000000000");
    check_double(1e21, "1e+21");
    check_double(1.5e21, "1.5e+21");
    check_double(999999999999999900000.0, "999999999999999900000");
    check_double(0.00001, "0.00001");
    check_double(0.000012345678901234568, "0.000012345678901234568");
    check_double(0.000001, "1e-06");
    check_double(1.25e-7, "1.25e-07");
    check_double(1e23, "1e+23");
    check_double(9.5367431640625e-7, "9.5367431640625e-07");
    check_double(1e100, "1e+100");
    check_double(-1.2345e-99, "-1.2345e-99");
    check_double(1.7976931348623157e308, "1.7976931348623157e+308");
    check_double(2.2250738585072014e-308, "2.2250738585072014e-308");
    check_double(2.225073858507201e-308, "2.225073858507201e-308");      /* the largest below the normal ones */
    check_double(double_of(1), "5e-324");
    check_double(double_of(2), "1e-323");
    check_double(double_of(3), "1.5e-323");
    check_double(-1.7976931348623157e308, "-1.7976931348623157e+308");
    check_double(1125899906842624.25, "1125899906842624.2");            /* in the middle: to even */
    check_double(1125899906842624.75, "1125899906842624.8");
    /* Lower neighbour half as far away: sixteen digits, not seventeen. */
    check_double(double_of((uint64_t)(1023 - 24) << 52), "5.960464477539063e-08");
    check_double(9.5e-322, "9.5e-322");
    /* Where c * 10^k comes nearest to an integer without being one, of all doubles. */
    check_double(double_from(0x13de005bd620dfu, 163), "6.538311315939327e+64");
    check_double(double_from(0x1f92bacb3cb40cu, 664), "6.802601037806062e+215");
    for (e = -307; e <= 308; e++) {
        char want[24];
        double v;
        snprintf(want, sizeof want, "1e%d", e);
        v = strtod(want, NULL);
        if (e >= 21 || e < -5) {
            snprintf(want, sizeof want, "1e%c%02d", e < 0 ? '-' : '+', e < 0 ? -e : e);
            check_double(v, want);
        }
        begin();
        tel__number_put_double(&out, v);
        CHECK(bits_of(strtod(show(), NULL)) == bits_of(v));
    }
}

/* Read back by the C library and by us; and no shorter text may do. */
static void check_round_trip(double v, bool shortest) {
    char text[40], fewer[40];
    char* end = tel__number_write_double(text, v);
    int digits = 0, all = 0;
    const char* p;
    *end = 0;
    if (end - text > 25 || bits_of(strtod(text, NULL)) != bits_of(v)) { CHECK_STR(text, "a round trip"); }
    if (!shortest) { return; }
    for (p = text; *p && *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9' && (all > 0 || *p != '0')) { all++; digits = *p == '0' ? digits : all; }
    }
    if (digits < 2) { return; }
    snprintf(fewer, sizeof fewer, "%.*e", digits - 2, v);
    if (bits_of(strtod(fewer, NULL)) == bits_of(v)) { CHECK_STR(text, fewer); }
}

static void test_random_doubles(void) {
    static const double divisor[8] = { 1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e9 };
    const char* asked = getenv("TEXT_ROUNDS");
    long rounds = asked ? atol(asked) : 100000, i;
    for (i = 0; i < rounds; i++) {
        uint64_t r = random_u64();
        double v = double_of(r);
        if (i % 4 == 1) { v = (double)(r % 10000000) / divisor[r >> 61]; }
        if (i % 4 == 2 && i % 3 == 0) { v = double_of((r & (uint64_t)0xfff << 52) | (r & 3)); }
        if (v != v || v > DBL_MAX || v < -DBL_MAX) { continue; }
        check_round_trip(v, i % 8 == 0);
    }
    CHECK_INT(i, rounds);
}

static void test_multiply(void) {
    int i;
    for (i = 0; i < 1000; i++) {
        uint64_t a = random_u64() >> (i & 31), b = random_u64() >> (i & 7), high, other;
        CHECK(tel__number_multiply(a, b, &high) == a * b);
        CHECK(tel__number_multiply_portable(a, b, &other) == a * b);
        CHECK(high == other);
    }
    {
        uint64_t high;
        CHECK(tel__number_multiply_portable(UINT64_MAX, UINT64_MAX, &high) == 1);
        CHECK(high == UINT64_MAX - 1);
    }
}

static void check_parse(const char* text, double want) {
    double v = 7;
    CHECK_INT(tel__number_parse_double(tel__text_of(text), &v), TEL_OK);
    if (bits_of(v) != bits_of(want)) { CHECK_STR(text, "the right value"); }
}

static void test_parse_double(void) {
    static const char* const bad[] = { "", " ", "+", "-", ".", "e5", "1e", "1e+", "1e-", " 1", "1 ", "1x", "0x10", "1..2",
        "1.2.3", "--1", "+-1", "inf", "Infinity", "NaN", "nan", "1e5.5", "1,5", "1e 5", "1_0", "\xff" };
    static char wide[2000];
    double v = 7;
    size_t i;
    for (i = 0; i < TEL__ARRAY_SIZE(bad); i++) {
        if (tel__number_parse_double(tel__text_of(bad[i]), &v) != TEL_ERR_FORMAT) { CHECK_STR(bad[i], "refused"); }
    }
    CHECK_INT(tel__number_parse_double(tel__text_of("1.7976931348623159e308"), &v), TEL_ERR_LIMIT);
    CHECK_INT(tel__number_parse_double(tel__text_of("-1e309"), &v), TEL_ERR_LIMIT);
    CHECK_INT(tel__number_parse_double(tel__text_of("1e99999999999999999999"), &v), TEL_ERR_LIMIT);
    CHECK_INT(tel__number_parse_double(text_n("1\0", 2), &v), TEL_ERR_FORMAT);
    CHECK_INT(tel__number_parse_double(text_n(NULL, 0), &v), TEL_ERR_FORMAT);
    CHECK(v == 7);
    check_parse("1.", 1);
    check_parse(".5", 0.5);
    check_parse("+.5e+1", 5);
    check_parse("-0", -0.0);
    check_parse("-0e999999999999", -0.0);
    check_parse("0.000e-999999999999", 0);
    check_parse("00012.500", 12.5);
    check_parse("1E3", 1000);
    check_parse("1e-400", 0);
    check_parse("-1e-99999999999999", -0.0);
    for (i = 0; i < 20000; i++) {               /* what people write: up to 15 digits, moderate powers */
        snprintf(wide, sizeof wide, "%.*fe%d", (int)(i % 6), (double)(random_u64() % 1000000000u) / 8, (int)(random_u64() % 13) - 6);
        check_parse(wide, strtod(wide, NULL));
    }
    for (i = 0; i < 20000; i++) {               /* the rest: right to 14 digits, or refused as too large */
        double d = double_of(random_u64()), want;
        if (d != d || d > DBL_MAX || d < -DBL_MAX) { continue; }
        snprintf(wide, sizeof wide, "%.*e", (int)(i % 40), d);
        want = strtod(wide, NULL);
        if (tel__number_parse_double(tel__text_of(wide), &v) != TEL_OK) { CHECK(want > 1e308 || want < -1e308); continue; }
        if (want > 1e-300 || want < -1e-300) { CHECK(v / want > 1 - 1e-14 && v / want < 1 + 1e-14); }
    }
}

/* ---- UTF-8 and JSON ---- */

static void check_json(const char* data, size_t size, const char* want) {
    size_t lead;
    begin();
    tel__json_put_string(&out, data, size);
    CHECK_STR(show(), want);
    for (lead = 1; lead <= 17; lead++) {        /* at every offset within the words that are tested at once */
        char shifted[256], expected[512];
        memset(shifted, 'x', lead);
        if (size > 0) { memcpy(shifted + lead, data, size); }
        memset(shifted + lead + size, 'y', 9);
        snprintf(expected, sizeof expected, "\"%.*s%.*syyyyyyyyy\"", (int)lead, "xxxxxxxxxxxxxxxxx",
                 (int)strlen(want) - 2, want + 1);
        if (size > 0 && (unsigned char)data[size - 1] >= 0x80) { continue; }
        begin();
        tel__json_put_string(&out, shifted, lead + size + 9);
        CHECK_STR(show(), expected);
    }
}

#define BAD "\xef\xbf\xbd"

typedef struct repair { const char* in; size_t size; const char* want; } repair;
#define REPAIR(in, want) { in, sizeof(in) - 1, want }

static const repair repairs[] = {
    REPAIR("", ""), REPAIR("plain text, long enough for two words", "plain text, long enough for two words"),
    REPAIR("\x7f", "\x7f"),
    REPAIR("\xc2\x80", "\xc2\x80"), REPAIR("\xdf\xbf", "\xdf\xbf"),
    REPAIR("\xe0\xa0\x80", "\xe0\xa0\x80"), REPAIR("\xef\xbf\xbf", "\xef\xbf\xbf"),
    REPAIR("\xed\x9f\xbf", "\xed\x9f\xbf"), REPAIR("\xee\x80\x80", "\xee\x80\x80"),
    REPAIR("\xf0\x90\x80\x80", "\xf0\x90\x80\x80"), REPAIR("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"),
    REPAIR("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"),
    REPAIR("\x80", BAD), REPAIR("\xbf", BAD), REPAIR("\xff", BAD), REPAIR("\xfe\xff", BAD BAD),
    REPAIR("\xc0\x80", BAD BAD), REPAIR("\xc1\xbf", BAD BAD),           /* overlong */
    REPAIR("\xe0\x80\x80", BAD BAD BAD), REPAIR("\xe0\x9f\xbf", BAD BAD BAD),
    REPAIR("\xf0\x80\x80\x80", BAD BAD BAD BAD), REPAIR("\xf0\x8f\xbf\xbf", BAD BAD BAD BAD),
    REPAIR("\xed\xa0\x80", BAD BAD BAD), REPAIR("\xed\xbf\xbf", BAD BAD BAD),       /* surrogates */
    REPAIR("\xf4\x90\x80\x80", BAD BAD BAD BAD), REPAIR("\xf5\x80\x80\x80", BAD BAD BAD BAD),
    REPAIR("\xf8\x88\x80\x80\x80", BAD BAD BAD BAD BAD),
    REPAIR("\xe6\x97", BAD), REPAIR("\xf0\x9f\x98", BAD), REPAIR("\xf0\x9f", BAD), REPAIR("\xf0", BAD), /* cut off */
    REPAIR("\xc2", BAD), REPAIR("\xe6\x97x", BAD "x"), REPAIR("\xf0\x9f\x98x", BAD "x"),
    /* Unicode 15, tables 3-8 to 3-11: one U+FFFD for each maximal subpart. */
    REPAIR("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", BAD BAD BAD BAD BAD BAD BAD BAD "A"),
    REPAIR("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", BAD BAD BAD BAD BAD BAD BAD BAD "A"),
    REPAIR("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", BAD BAD BAD BAD BAD "A" BAD BAD "B"),
    REPAIR("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", BAD BAD BAD BAD "A")
};

static void test_utf8(void) {
    size_t i, n;
    uint32_t c;
    for (i = 0; i < TEL__ARRAY_SIZE(repairs); i++) {
        begin();
        tel__text_put_utf8(&out, repairs[i].in, repairs[i].size);
        CHECK_STR(show(), repairs[i].want);
        CHECK(tel__text_clean(shown, out.size, false) == out.size);
        CHECK((tel__text_clean(repairs[i].in, repairs[i].size, false) == repairs[i].size) ==
              (strlen(repairs[i].want) == repairs[i].size && memcmp(repairs[i].in, repairs[i].want, repairs[i].size) == 0));
        begin();
        tel__json_put_string(&out, repairs[i].in, repairs[i].size);
        CHECK_INT(out.size, strlen(repairs[i].want) + 2);
        CHECK(memcmp(show() + 1, repairs[i].want, out.size - 2) == 0);
    }
    for (n = 0, c = 0; c < 0x110000; c++) {     /* every character, spelled by arithmetic */
        char text[4];
        size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, bad;
        static const unsigned lead[5] = { 0, 0, 0xc0, 0xe0, 0xf0 };
        for (i = size; i-- > 0; ) { text[i] = (char)(0x80 | ((c >> (6 * (size - 1 - i))) & 0x3f)); }
        text[0] = (char)(size == 1 ? c : lead[size] | (c >> (6 * (size - 1))));
        n += (tel__text_utf8_one(text, size, &bad) == size) != (c < 0xd800 || c > 0xdfff);
        n += size > 1 && tel__text_utf8_one(text, size - 1, &bad) != 0;
    }
    CHECK_INT(n, 0);
    CHECK(tel__text_clean(NULL, 0, false) == 0);
    CHECK_INT(tel__text_utf8_cut("abc", 3, 5), 3);
    CHECK_INT(tel__text_utf8_cut("abc", 3, 2), 2);
    CHECK_INT(tel__text_utf8_cut("abc", 3, 0), 0);
    CHECK_INT(tel__text_utf8_cut("a\xf0\x9f\x98\x80z", 6, 5), 5);
    for (i = 1; i < 5; i++) { CHECK_INT(tel__text_utf8_cut("a\xf0\x9f\x98\x80z", 6, i), 1); }
    CHECK_INT(tel__text_utf8_cut("\xc3\xa9\xc3\xa9", 4, 3), 2);
    CHECK_INT(tel__text_utf8_cut("a\x80\x80\x80\x80\x80", 6, 3), 3);    /* nothing there to split */
    CHECK_INT(tel__text_utf8_cut("\xf0\x9f\x98", 3, 2), 2);
}

static void test_json_strings(void) {
    char text[64], want[256];
    size_t n, i;
    check_json(NULL, 0, "\"\"");
    check_json("", 0, "\"\"");
    check_json("\"", 1, "\"\\\"\"");
    check_json("a\\b", 3, "\"a\\\\b\"");
    check_json("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
    check_json("\0\x01\x0b\x1f ", 5, "\"\\u0000\\u0001\\u000b\\u001f \"");
    check_json("/\x7f'", 3, "\"/\x7f'\"");
    check_json("\xe6\x97\xa5 ", 4, "\"\xe6\x97\xa5 \"");
    check_json("\x80 ", 2, "\"" BAD " \"");
    for (n = 0; n < 33; n++) {                  /* every length, and every single byte in every place of it */
        memset(text, 'a', sizeof text);
        memset(want, 'a', sizeof want);
        want[0] = '"';
        want[n + 1] = '"';
        want[n + 2] = 0;
        begin();
        tel__json_put_string(&out, text, n);
        CHECK_STR(show(), want);
        CHECK(shown[n + 3] == '#');
        for (i = 0; i < n; i++) {
            text[i] = '\n';
            begin();
            tel__json_put_string(&out, text, n);
            CHECK_INT(out.size, n + 3);
            CHECK(show()[i + 1] == '\\' && shown[i + 2] == 'n' && shown[n + 2] == '"');
            text[i] = 'a';
        }
    }
    for (n = 0, i = 0; i < 256; i++) {          /* the test of eight at once against the plain rule */
        uint64_t x = 0x6161616161616161u ^ ((uint64_t)('a' ^ i) << (8 * (i % 8)));
        bool special = i < 0x20 || i == '"' || i == '\\' || i >= 0x80;
        n += tel__text_special(x, true) != special;
        n += tel__text_special(x, false) != (i >= 0x80);
    }
    CHECK_INT(n, 0);
}

/* ---- percent-decoding ---- */

static void test_percent(void) {
    static const char* const bad[] = { "%", "%2", "a%", "%zz", "%2g", "%g2", "%%20", "% 1", "%-1" };
    char text[16];
    size_t size = 99, i;
    CHECK_INT(tel__text_percent_decode(tel__text_of("a%20b+%C3%a9%00"), text, sizeof text, &size), TEL_OK);
    CHECK_INT(size, 7);
    CHECK(memcmp(text, "a b+\xc3\xa9\0", 7) == 0);
    CHECK_INT(tel__text_percent_decode(tel__text_of(""), text, 0, &size), TEL_OK);
    CHECK_INT(size, 0);
    size = 99;
    for (i = 0; i < TEL__ARRAY_SIZE(bad); i++) {
        CHECK_INT(tel__text_percent_decode(tel__text_of(bad[i]), text, sizeof text, &size), TEL_ERR_FORMAT);
    }
    CHECK_INT(tel__text_percent_decode(tel__text_of("%41bc"), text, 2, &size), TEL_ERR_LIMIT);
    CHECK_INT(size, 99);
    CHECK_INT(tel__text_percent_decode(tel__text_of("%41bc"), text, 3, &size), TEL_OK);
    CHECK_INT(size, 3);
    CHECK_INT(tel__text_percent_decode(text_n("%412", 2), text, 3, &size), TEL_ERR_FORMAT);
    memcpy(text, "%25x%41", 7);                 /* in place */
    CHECK_INT(tel__text_percent_decode(text_n(text, 7), text, sizeof text, &size), TEL_OK);
    CHECK(size == 3 && memcmp(text, "%xA", 3) == 0);
}

int main(void) {
    test_views();
    test_fixed();
    test_heap();
    test_flushing();
    test_integers();
    test_doubles();
    test_random_doubles();
    test_multiply();
    test_parse_double();
    test_utf8();
    test_json_strings();
    test_percent();
    return check_done();
}
