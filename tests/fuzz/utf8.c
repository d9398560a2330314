/* Promise: repair yields UTF-8 and leaves UTF-8 alone; a JSON string says, unescaped, exactly the repaired
   text; neither depends on how much room there is at a time; a cut splits no character. */
#include "fuzz.h"
#include "../pieces.h"

/* A second opinion, by decoding: the code point, or -1, and how many bytes it took. */
static long decode(const uint8_t* p, size_t n, size_t* took) {
    static const uint8_t lengths[32] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                         0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 3, 3, 4, 0 };
    static const long least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t length = lengths[p[0] >> 3], i;
    long c = length == 1 ? p[0] : p[0] & (0xff >> (length + 1));
    *took = 1;
    if (length == 0 || length > n) { return -1; }
    for (i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80) { return -1; }
        c = c * 64 + (p[i] & 0x3f);
    }
    if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) { return -1; }
    *took = length;
    return c;
}

static bool is_utf8(const uint8_t* p, size_t n) {
    size_t took;
    for (; n > 0; p += took, n -= took) {
        if (decode(p, n, &took) < 0) { return false; }
    }
    return true;
}

/* Undoes the escapes of one JSON string with its quotes; what may not stand in one ends the program. */
static size_t unescape(const char* p, size_t n, char* out) {
    static const char names[] = "\"\\bfnrt", values[] = "\"\\\b\f\n\r\t";
    size_t i, k = 0;
    REQUIRE(n >= 2 && p[0] == '"' && p[n - 1] == '"');
    for (i = 1; i < n - 1; i++) {
        const char* name;
        REQUIRE((unsigned char)p[i] >= ' ' && p[i] != '"');
        if (p[i] != '\\') { out[k++] = p[i]; continue; }
        REQUIRE(++i < n - 1);
        if (p[i] == 'u') {
            char digits[5] = { 0, 0, 0, 0, 0 };
            REQUIRE(n - 1 - i > 4);
            memcpy(digits, p + i + 1, 4);
            REQUIRE(strspn(digits, "0123456789abcdef") == 4);
            out[k++] = (char)strtol(digits, NULL, 16);
            REQUIRE((unsigned char)out[k - 1] < ' ');
            i += 4;
        } else {
            name = strchr(names, p[i]);
            REQUIRE(name != NULL && p[i] != 0);
            out[k++] = values[name - names];
        }
    }
    return k;
}

static bool pass_on(tel__text_out* o, size_t want) {
    REQUIRE(want > 0);
    return pieces_more(o, want);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const char* text = (const char*)data;
    const size_t room = 6 * size + 2;
    char* repaired = (char*)malloc(room);
    char* json = (char*)malloc(room);
    char* other = (char*)malloc(room);
    char few[40];
    tel__text_out u = tel__text_fixed(repaired, room), j = tel__text_fixed(json, room), o;
    pieces e;
    size_t cut, limit, took;
    if (!repaired || !json || !other) { abort(); }

    tel__text_put_utf8(&u, text, size);
    REQUIRE(u.lost == 0 && u.size >= size && u.size <= 3 * size);
    REQUIRE(is_utf8((uint8_t*)repaired, u.size) && (tel__text_clean(repaired, u.size, false) == u.size));
    REQUIRE((tel__text_clean(text, size, false) == size) == is_utf8(data, size));
    REQUIRE(!is_utf8(data, size) || (u.size == size && (size == 0 || memcmp(repaired, data, size) == 0)));

    tel__json_put_string(&j, text, size);
    REQUIRE(j.lost == 0);
    REQUIRE(unescape(json, j.size, other) == u.size && memcmp(other, repaired, u.size) == 0);

    o = tel__text_fixed(few, size % sizeof few + 1);    /* handed on in pieces */
    e.data = other;
    e.size = 0;
    o.more_fn = pass_on;
    o.user_data = &e;
    tel__json_put_string(&o, text, size);
    REQUIRE(o.lost == 0 && pass_on(&o, 1));
    REQUIRE(e.size == j.size && memcmp(other, json, j.size) == 0);

    o = tel__text_fixed(other, size);                   /* too small: a prefix, and the rest is counted */
    tel__json_put_string(&o, text, size);
    REQUIRE(o.size == size && o.size + o.lost == j.size && memcmp(other, json, o.size) == 0);

    limit = size > 0 ? data[0] % (size + 1) : 0;
    cut = tel__text_utf8_cut(repaired, u.size, limit);
    REQUIRE(cut <= limit && limit - cut < 4 && is_utf8((uint8_t*)repaired, cut));
    REQUIRE(cut == u.size || (decode((uint8_t*)repaired + cut, u.size - cut, &took) >= 0 && cut + took > limit));
    cut = tel__text_utf8_cut(text, size, limit);
    REQUIRE(cut <= limit && limit - cut < 4);

    free(repaired);
    free(json);
    free(other);
    return 0;
}
