/* Room test of >>writers: what they write is what the builders write, in pieces that end between two characters. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "check.h"

typedef struct pad {
    char   text[40000];
    size_t size, largest, calls;
} pad;

static bool put(const void* data, size_t size, void* user_data) {
    pad* p = (pad*)user_data;
    if (p->size + size >= sizeof p->text) { return false; }
    memcpy(p->text + p->size, data, size);
    p->size += size;
    p->text[p->size] = 0;
    p->calls++;
    if (size > p->largest) { p->largest = size; }
    return true;
}
static pad page;
static tel_writer fresh_page(void) {
    tel_writer out;
    memset(&page, 0, sizeof page);
    out.write_fn = put;
    out.user_data = &page;
    return out;
}
static tel_text sized(const char* data, size_t size) {
    tel_text t;
    t.data = data;
    t.size = size;
    return t;
}

static void test_numbers(void) {
    tel_writer out = fresh_page();
    tel_text none = { NULL, 0 };
    tel_write_int(out, INT64_MIN);
    tel_write_text(out, sized(" ", 1));
    tel_write_int(out, 0);
    tel_write_text(out, sized(" ", SIZE_MAX));
    tel_write_real(out, 0.1);
    tel_write_text(out, none);
    tel_write_text(out, sized(" ", 1));
    tel_write_real(out, -0.0);
    CHECK_STR(page.text, "-9223372036854775808 0 0.1 -0.0");
}

static void test_attrs(void) {
    tel_writer out = fresh_page();
    tel_attr list[5];
    size_t i;
    list[0] = tel_str("s\"", "a\nb");
    list[1] = tel_int("i", -7);
    list[2] = tel_double("d", 2.5);
    list[3] = tel_bool("b", true);
    list[4] = tel_bool("c", false);
    for (i = 0; i < 5; i++) { tel_write_json_attr(out, &list[i]); }
    CHECK_STR(page.text, "\"s\\\"\":\"a\\nb\"\"i\":-7\"d\":2.5\"b\":true\"c\":false");
}

/* The whole string by the builder, and in pieces by the writer, whatever it holds and wherever the pieces end. */
static void test_strings(void) {
    static const char* const bits[] = { "a", "\"", "\\", "\n", "\x01", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff", "\xe2\x82" };
    static char text[4000], want[26000];
    uint32_t seed = 12345;
    int round;
    for (round = 0; round < 300; round++) {
        tel__text_out o = tel__text_fixed(want, sizeof want - 1);
        size_t most = (size_t)round * 13 % 3900, n = 0;
        tel_writer out = fresh_page();
        while (n < most) {
            const char* bit;
            seed = seed * 1664525u + 1013904223u;
            bit = bits[(seed >> 16) % (round % 3 ? 10 : 8)];
            memcpy(text + n, bit, strlen(bit));
            n += strlen(bit);
        }
        tel__json_put_string(&o, text, n);
        want[o.size] = 0;
        tel_write_json(out, sized(text, n));
        if (round % 3 == 0) { CHECK_STR(page.text, want); }     /* valid UTF-8: the same bytes */
        CHECK(page.text[0] == '"' && page.text[page.size - 1] == '"');
        CHECK(page.largest <= 6 * 256 + 8);
        CHECK(tel__text_utf8_cut(page.text, page.size, page.size) == page.size);
    }
}

int main(void) {
    test_numbers();
    test_attrs();
    test_strings();
    return check_done();
}
