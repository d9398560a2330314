/* Promise: what is decoded, encoded again, is the same text but for spelling; a capacity one too small is
   said; in place gives the same; what is refused leaves the size alone. */
#include "fuzz.h"

/* How many bytes the text stands for; -1: it breaks the rule. The rule once more, in another way. */
static long decoded_size(const uint8_t* data, size_t size) {
    static const char hex[] = "0123456789abcdefABCDEF";
    size_t i;
    long n = 0;
    for (i = 0; i < size; i++, n++) {
        if (data[i] != '%') { continue; }
        if (size - i < 3 || !memchr(hex, data[i + 1], 22) || !memchr(hex, data[i + 2], 22)) { return -1; }
        i += 2;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    char* out = (char*)malloc(size + 1);
    char* place = (char*)malloc(size + 1);
    size_t n = 12345, m = 12345, i, at;
    long want = decoded_size(data, size);
    tel_text in;
    tel_result r;
    if (!out || !place) { abort(); }
    in.data = (const char*)data;
    in.size = size;
    r = tel__text_percent_decode(in, out, size, &n);
    REQUIRE(r == (want < 0 ? TEL_ERR_FORMAT : TEL_OK));
    if (r != TEL_OK) {
        REQUIRE(n == 12345);
    } else {
        REQUIRE(n == (size_t)want);
        for (i = at = 0; i < n; i++) {
            char code[4];
            snprintf(code, sizeof code, "%%%02x", (unsigned)(unsigned char)out[i]);
            if (data[at] != '%') { REQUIRE((char)data[at] == out[i]); at++; continue; }
            REQUIRE((data[at + 1] | 0x20) == code[1] || data[at + 1] == (uint8_t)code[1]);
            REQUIRE((data[at + 2] | 0x20) == code[2] || data[at + 2] == (uint8_t)code[2]);
            at += 3;
        }
        REQUIRE(at == size);
        if (n > 0) {
            REQUIRE(tel__text_percent_decode(in, out, n - 1, &m) == TEL_ERR_LIMIT);
            REQUIRE(m == 12345);
        }
        REQUIRE(tel__text_percent_decode(in, out, n, &m) == TEL_OK && m == n);
        if (size > 0) { memcpy(place, data, size); }
        in.data = place;
        REQUIRE(tel__text_percent_decode(in, place, size, &m) == TEL_OK && m == n);
        REQUIRE(memcmp(place, out, n) == 0);
    }
    free(out);
    free(place);
    return 0;
}
