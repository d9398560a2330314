/* Room test of >>attrs: canonical order, duplicates and limits, a hash that does not know the order, equality for
   every length, packing round trip with exact bounds, and the table of scopes alone and with threads. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"

static char room[TEL__ATTR_BYTES];

static void test_canonical(void) {
    tel_attr in[8], out[TEL__ATTR_MAX];
    bool cut = true;
    size_t n;
    memset(in, 0, sizeof in);
    in[0] = tel_str("b", "first");
    in[1] = tel_int("a", 1);
    in[2] = tel_str("", "no key");
    in[3] = tel_bool("ab", true);
    in[4] = tel_str("b", NULL);
    in[5] = tel_double(NULL, 1.0);
    in[6] = tel_strn("B", "xyz", 2);
    n = tel__attr_canonical(tel__attrs(in, 8), out, room, &cut);      /* in[7] is zero: nothing */
    CHECK_INT(n, 4);
    CHECK(!cut);
    CHECK_STR(out[0].key, "B");                                 /* by bytes */
    CHECK_STR(out[1].key, "a");
    CHECK_STR(out[2].key, "ab");
    CHECK_STR(out[3].key, "b");
    CHECK(out[0].as.s.size == 2 && out[0].tel__key_size == 1 && out[2].tel__key_size == 2);
    CHECK(out[3].as.s.size == 0 && out[3].as.s.data != NULL);   /* the last of equal keys; NULL is "" */
    CHECK_INT(tel__attr_canonical(tel__attrs(NULL, 0), out, room, &cut), 0);
}

static void test_limits(void) {
    static char keys[70][4], long_one[5000];
    tel_attr in[71], out[TEL__ATTR_MAX];
    bool cut = false;
    size_t i, n;
    memset(long_one, 'x', sizeof long_one);
    for (i = 0; i < 70; i++) {
        snprintf(keys[i], sizeof keys[i], "k%u", (unsigned)i);
        in[i] = tel_int(keys[i], (int64_t)i);
    }
    CHECK(tel__attr_canonical(tel__attrs(in, 64), out, room, &cut) == 64 && !cut);
    CHECK(tel__attr_canonical(tel__attrs(in, 65), out, room, &cut) == 64 && cut);
    in[64] = tel_int("k0", 99);                                 /* full, but the key is known */
    n = tel__attr_canonical(tel__attrs(in, 65), out, room, &cut);
    CHECK(n == 64 && !cut && out[0].as.i == 99);
    in[0] = tel_strn("k", long_one, TEL__ATTR_BYTES - 17);
    CHECK(tel__attr_canonical(tel__attrs(in, 1), out, room, &cut) == 1 && !cut);
    in[0] = tel_strn("k", long_one, TEL__ATTR_BYTES - 16);
    CHECK(tel__attr_canonical(tel__attrs(in, 1), out, room, &cut) == 0 && cut);
    memset(long_one, '\xff', sizeof long_one);                 /* three bytes of each */
    in[0] = tel_strn("k\xc3", long_one, (TEL__ATTR_BYTES - 20) / 3);
    CHECK(tel__attr_canonical(tel__attrs(in, 1), out, room, &cut) == 1 && !cut);
    CHECK(out[0].tel__key_size == 4 && memcmp(out[0].key, "k\xef\xbf\xbd", 4) == 0 && out[0].as.s.size == 4074);
    in[0] = tel_strn("k\xc3", long_one, sizeof long_one);
    CHECK(tel__attr_canonical(tel__attrs(in, 1), out, room, &cut) == 0 && cut);
    in[0] = tel_strn("k", long_one, 1);
    in[1] = tel_strn("k", "\xfe", 1);
    CHECK(tel__attr_canonical(tel__attrs(in, 2), out, room, &cut) == 1 && !cut);
    CHECK(out[0].as.s.size == 3 && memcmp(out[0].as.s.data, "\xef\xbf\xbd", 3) == 0);
}

static uint64_t hash_list(const tel_attr* items, size_t count) {
    uint64_t h = 0;
    size_t i;
    for (i = 0; i < count; i++) { h += tel__attr_hash(&items[i]); }
    return h;
}

/* Any order gives the same list and hash; any change of a key, type or value another hash. */
static void test_hash(void) {
    tel_attr in[6], shuffled[6], one[TEL__ATTR_MAX], two[TEL__ATTR_MAX];
    bool cut;
    uint32_t seed = 1, wrong = 0, i, j;
    uint64_t h;
    in[0] = tel_str("http.route", "/users/{id}"); in[1] = tel_int("status", 200); in[2] = tel_bool("ok", true);
    in[3] = tel_double("ratio", 0.5); in[4] = tel_str("k", ""); in[5] = tel_str("a.longer.key.than.sixteen", "a longer value than sixteen");
    h = hash_list(in, 6);
    tel__attr_canonical(tel__attrs(in, 6), one, room, &cut);
    for (i = 0; i < 200; i++) {
        memcpy(shuffled, in, sizeof in);
        for (j = 5; j; j--) { uint32_t k; tel_attr t = shuffled[j]; seed = seed * 1664525u + 1013904223u; k = (seed >> 16) % (j + 1); shuffled[j] = shuffled[k]; shuffled[k] = t; }
        wrong += hash_list(shuffled, 6) != h || tel__attr_canonical(tel__attrs(shuffled, 6), two, room, &cut) != 6;
        for (j = 0; j < 6; j++) { wrong += !tel__attr_same_key(&one[j], &two[j]) || !tel__attr_same_value(&one[j], &two[j]); }
    }
    CHECK_INT(wrong, 0);
    shuffled[0] = tel_int("k", 1); shuffled[1] = tel_bool("k", true); shuffled[2] = tel_str("k", "1");
    shuffled[3] = tel_double("k", 1); shuffled[4] = tel_int("l", 1); shuffled[5] = tel_int("k", 2);
    for (i = 0; i < 6; i++) { for (j = 0; j < i; j++) { CHECK(tel__attr_hash(&shuffled[i]) != tel__attr_hash(&shuffled[j])); } }
    CHECK(!tel__attr_same_value(&shuffled[0], &shuffled[1]));   /* 1 is not true */
    in[0] = tel_double("z", 0.0); in[1] = tel_double("z", -0.0);
    CHECK(!tel__attr_same_value(&in[0], &in[1]));               /* by bits */
}

/* Every length, every place of one different byte, in blocks of just that size. */
static void test_bytes(void) {
    size_t n, i, wrong = 0;
    for (n = 0; n <= 70; n++) {
        char* a = (char*)malloc(n + 1);
        char* b = (char*)malloc(n + 1);
        char* c = (char*)malloc(n ? n : 1);
        if (!a || !b || !c) { CHECK(0); free(a); free(b); free(c); return; }
        memset(a, 'q', n + 1); memset(b, 'q', n + 1); memset(c, 0, n ? n : 1);
        wrong += !tel__attr_same_bytes(a, b, n) || tel__attr_hash_bytes(a, n, 7) != tel__attr_hash_bytes(b, n, 7);
        tel__attr_copy_short(c, a, n);
        wrong += memcmp(a, c, n) != 0;
        for (i = 0; i < n; i++) {
            b[i] = 'r';
            wrong += tel__attr_same_bytes(a, b, n) || tel__attr_hash_bytes(a, n, 7) == tel__attr_hash_bytes(b, n, 7);
            b[i] = 'q';
        }
        b[n] = 'r';                                             /* beyond the end: not looked at */
        wrong += !tel__attr_same_bytes(a, b, n) || tel__attr_hash_bytes(a, n, 7) != tel__attr_hash_bytes(b, n, 7);
        free(a); free(b); free(c);
    }
    CHECK_INT(wrong, 0);
}

static void test_pack(void) {
    static char key[300], value[300];
    size_t k, v, wrong = 0;
    memset(key, 'k', sizeof key);
    memset(value, 'v', sizeof value);
    for (k = 0; k < 60; k++) {
        for (v = 0; v < 60; v++) {
            size_t one = tel__attr_item_size(k, v), two = tel__attr_item_size(k, 7);
            char* block = (char*)malloc(one + two);
            tel__attr_reader r;
            tel_attr attr;
            tel__attr_got got;
            tel_text t;
            if (!block) { CHECK(0); return; }
            got.attr = &attr;
            memset(block, 0x7e, one + two);
            t.data = value; t.size = v;
            tel__attr_write_string(block, TEL__ITEM_ATTR, key, k, t);
            tel__attr_write_number(block + one, TEL__ITEM_EVENT, (uint8_t)TEL_TYPE_DOUBLE, key, k, tel__atomic_bits(2.5));
            r.at = block; r.end = block + one + two;
            wrong += one % 8 || two % 8 || !tel__attr_next(&r, &got) || got.what != TEL__ITEM_ATTR || got.attr->tel__key_size != k ||
                     got.string.size != v || memcmp(got.string.data, value, v) != 0 || memcmp(got.attr->key, key, k) != 0 || got.string.data[v] || got.attr->key[k];
            wrong += !tel__attr_next(&r, &got) || got.what != TEL__ITEM_EVENT || got.attr->type != TEL_TYPE_DOUBLE || got.attr->as.d != 2.5 || got.attr->key[k];
            wrong += tel__attr_next(&r, &got) || r.at != r.end;
            r.at = block; r.end = block + one - 1;              /* cut: no item */
            wrong += tel__attr_next(&r, &got) || r.at != block;
            free(block);
        }
    }
    CHECK_INT(wrong, 0);
}

static void test_copy(void) {
    tel_attr in[3], out[3];
    size_t size;
    char *text, *end;
    in[0] = tel_str("key", "value"); in[1] = tel_int("n", -5); in[2] = tel_str("e", "");
    size = tel__attr_text_size(in, 3);
    CHECK_INT(size, 4 + 6 + 2 + 2 + 1);
    text = (char*)malloc(size);
    if (!text) { CHECK(0); return; }
    end = tel__attr_copy_list(in, 3, out, text);
    CHECK(end == text + size && out[0].key != in[0].key);
    CHECK_STR(out[0].key, "key"); CHECK_STR(out[0].as.s.data, "value"); CHECK_STR(out[2].as.s.data, "");
    CHECK_INT(out[1].as.i, -5);
    free(text);
}

#define SCOPES 4200
#define SCOPE_MOST (TEL__SCOPE_CHUNK * TEL__SCOPE_CHUNKS)
static tel__diag scope_diag;
static tel_scope many[SCOPES];
static tel__scopes scopes;
static tel__atomic_u32 scope_wrong, scope_seen[SCOPES];
static void find_scopes(void* arg) {
    uint32_t i;
    (void)arg;
    for (i = 0; i < SCOPES; i++) {
        uint32_t at = tel__scope_find(&scopes, &many[i]), before = tel__atomic_swap_u32(&scope_seen[i], at + 1);
        if ((before && before != at + 1) || (at && strcmp(tel__scope_view(&scopes, at)->name.data, many[i].name) != 0)) { tel__atomic_add_u32(&scope_wrong, 1); }
    }
}
static void test_scopes(void) {
    static char names[SCOPES][8];
    tel__memory m;
    tel__thread_handle h[4];
    tel_attr a = tel_str("a", "b");
    uint32_t i, program = 0;
    tel__memory_init(&m, NULL, 8 << 20);
    tel__diag_init(&scope_diag, NULL);
    tel__scopes_init(&scopes, &m, &scope_diag);
    CHECK_INT(tel__scope_find(&scopes, NULL), 0);
    CHECK_STR(tel__scope_view(&scopes, 0)->name.data, "");
    CHECK(tel__scope_view(&scopes, 77) == tel__scope_view(&scopes, 0));
    for (i = 0; i < SCOPES; i++) {
        snprintf(names[i], sizeof names[i], "s%u", (unsigned)i);
        memset(&many[i], 0, sizeof many[i]);
        many[i].name = names[i];
        many[i].attrs = tel__attrs(&a, 1);
    }
    for (i = 0; i < 4; i++) { CHECK(tel__thread_start(&h[i], find_scopes, NULL)); }
    for (i = 0; i < 4; i++) { tel__thread_join(&h[i]); }
    CHECK_INT(tel__atomic_load_u32(&scope_wrong), 0);
    CHECK_INT(tel__atomic_load_u32(&scopes.count), SCOPE_MOST);
    for (i = 0; i < SCOPES; i++) { program += tel__scope_find(&scopes, &many[i]) == 0; }
    CHECK_INT(program, SCOPES - (SCOPE_MOST - 1));        /* past the limit: the program's own */
    CHECK(tel__atomic_load_ptr(&scope_diag.noted[TEL__DIAG_SCOPES]) != NULL);
    CHECK(tel__scope_view(&scopes, 1)->attrs.count == 1 && tel__scope_view(&scopes, 1)->version.size == 0);
    tel__scopes_free(&scopes);
    CHECK_INT(tel__atomic_load_u64(&m.used), 0);
}

/* Two addresses are one scope when all that is said is the same, whatever the order of the attributes. */
static void test_equal_scopes(void) {
    tel__memory m;
    tel_scope s[7];
    tel_attr ab[2], ba[2];
    size_t i;
    uint32_t first;
    memset(s, 0, sizeof s);
    ab[0] = ba[1] = tel_str("a", "1");
    ab[1] = ba[0] = tel_double("b", strtod("nan", NULL));
    for (i = 0; i < 7; i++) { s[i].name = "lib"; s[i].version = "1"; s[i].attrs = tel__attrs(i == 1 ? ba : ab, 2); }
    s[2].version = "2";
    s[3].schema_url = "u";
    s[4].attrs = tel__attrs(ab, 1);
    s[5].name = "li";
    s[6].name = s[6].version = NULL;
    s[6].attrs = tel__attrs(NULL, 0);
    tel__memory_init(&m, NULL, 8 << 20);
    tel__diag_init(&scope_diag, NULL);
    tel__scopes_init(&scopes, &m, &scope_diag);
    first = tel__scope_find(&scopes, &s[0]);
    CHECK(first != 0);
    CHECK_INT(tel__scope_find(&scopes, &s[1]), first);
    CHECK_INT(tel__scope_find(&scopes, &s[1]), first);
    for (i = 2; i < 6; i++) { CHECK_INT(tel__scope_find(&scopes, &s[i]), i + 1); }
    CHECK_INT(tel__scope_find(&scopes, &s[6]), 7);         /* says nothing, but is not the program itself */
    CHECK_INT(tel__scope_find(&scopes, &s[0]), first);
    tel__scopes_free(&scopes);
    CHECK_INT(tel__atomic_load_u64(&m.used), 0);
}

/* Patterns, and which of several counts. */
static void test_levels(void) {
    static const struct { const char* pattern; const char* text; bool like; } cases[] = {
        { "", "", true }, { "", "a", false }, { "*", "", true }, { "*", "abc", true }, { "a*", "abc", true }, { "a*", "ba", false },
        { "*c", "abc", true }, { "*c", "abcd", false }, { "a?c", "abc", true }, { "a?c", "ac", false }, { "*b*b*", "abcb", true },
        { "*b*b*", "abc", false }, { "**", "x", true }, { "?", "", false }, { "a*b?d", "axxbbcd", true }, { "net.*", "net.http", true },
    };
    static tel_scope http = { "net.http", NULL, NULL, { NULL, 0 } }, dns = { "net.dns", NULL, NULL, { NULL, 0 } };
    char pattern[80];
    tel__memory m;
    size_t i;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK(tel__text_like(cases[i].pattern, tel__text_of(cases[i].text)) == cases[i].like);
    }
    tel__memory_init(&m, NULL, 1 << 20);
    tel__diag_init(&scope_diag, NULL);
    tel__scopes_init(&scopes, &m, &scope_diag);
#define RECORDS(scope, sev) tel__scope_records(tel__scope_of(&scopes, scope), (tel_severity)(sev))
    CHECK(RECORDS(NULL, 0) && RECORDS(NULL, 1) && RECORDS(&http, 1));
    CHECK_INT(tel__scope_level(&scopes, "net.*", TEL_WARN, TEL__SCOPE_KEEPS), TEL_OK);
    CHECK(RECORDS(NULL, 1) && !RECORDS(&http, 12) && RECORDS(&http, 13) && RECORDS(&http, 24) && RECORDS(&http, 0));
    CHECK(!RECORDS(&dns, 12) && RECORDS(&dns, 13));     /* seen after the rule was given */
    CHECK_INT(tel__scope_level(&scopes, "*dns", TEL_DEBUG, TEL__SCOPE_KEEPS), TEL_OK);
    CHECK(RECORDS(&dns, 5) && !RECORDS(&dns, 4) && !RECORDS(&http, 12));
    CHECK_INT(tel__scope_level(&scopes, "net.*", TEL_FATAL, TEL__SCOPE_KEEPS), TEL_OK);   /* given again: now the last one */
    CHECK(!RECORDS(&dns, 20) && RECORDS(&dns, 21));
    CHECK_INT(tel__scope_level(&scopes, "", TEL_ERROR, TEL__SCOPE_KEEPS), TEL_OK);
    CHECK(!RECORDS(NULL, 16) && RECORDS(NULL, 17) && !RECORDS(&http, 17));
    tel__scope_wanted(&scopes, false);
    CHECK(!RECORDS(NULL, 24) && !RECORDS(NULL, 0) && !RECORDS(&http, 99));
    tel__scope_wanted(&scopes, true);
    CHECK(RECORDS(NULL, 17) && RECORDS(&http, 21));
    CHECK_INT(tel__scope_level(&scopes, "*", TEL_TRACE, TEL__SCOPE_KEEPS), TEL_OK);
    CHECK(RECORDS(NULL, 1) && RECORDS(&http, 1) && RECORDS(&dns, 1) && scopes.rule_count == 1);
    for (i = 0; i < 31; i++) {
        snprintf(pattern, sizeof pattern, "p%u", (unsigned)i);
        CHECK_INT(tel__scope_level(&scopes, pattern, TEL_INFO, TEL__SCOPE_KEEPS), TEL_OK);
    }
    CHECK_INT(tel__scope_level(&scopes, "one more", TEL_INFO, TEL__SCOPE_KEEPS), TEL_ERR_LIMIT);
    CHECK_INT(tel__scope_level(&scopes, "p7", TEL_INFO, TEL__SCOPE_KEEPS), TEL_OK);
    memset(pattern, 'x', sizeof pattern);
    pattern[64] = 0;
    CHECK_INT(tel__scope_level(&scopes, pattern, TEL_INFO, TEL__SCOPE_KEEPS), TEL_ERR_LIMIT);
    tel__scopes_free(&scopes);
    CHECK_INT(tel__atomic_load_u64(&m.used), 0);
}

int main(void) {
    test_levels();
    test_canonical();
    test_limits();
    test_hash();
    test_bytes();
    test_pack();
    test_copy();
    test_scopes();
    test_equal_scopes();
    return check_done();
}
