/* Room test of >>formats: what is printed later is what vsnprintf would have printed at once, for every directive with its flags,
   widths and precisions; what cannot wait is known; hostile records are read to their end and no further. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdlib.h>
#include <math.h>
#include <wchar.h>

static int compared;

/* Plans, takes, writes into a block of just that size, prints, and compares. want: false if it has to be printed at once. */
static void compare(bool want, const char* format, ...) {
    char expected[8192], have[8192];
    uint64_t plan = tel__format_plan(format);
    tel__format_values v;
    tel__text_out o = tel__text_fixed(have, sizeof have);
    tel_text packed;
    va_list args, again;
    bool stored;
    int n;
    memset(&v, 0, sizeof v);
    va_start(args, format);
    va_copy(again, args);
    stored = plan != TEL__FORMAT_AT_ONCE && tel__format_take(&v, plan, again);
    va_end(again);
    if (stored != want) { fprintf(stderr, "     of \"%s\"\n", format); }
    CHECK_INT(stored, want);
    if (stored) {
        char* block = (char*)malloc(v.bytes + 1);
        n = vsnprintf(expected, sizeof expected, format, args);
        tel__format_write(block, &v);
        packed.data = block;
        packed.size = v.bytes;
        tel__format_print(&o, format, packed);
        CHECK_INT(tel__format_size(plan), strlen(format));
        if (o.size != (size_t)n || memcmp(have, expected, o.size) != 0) {
            fprintf(stderr, "     \"%s\": have \"%.*s\", want \"%s\"\n", format, (int)o.size, have, expected);
        }
        CHECK(o.size == (size_t)n && o.lost == 0 && memcmp(have, expected, o.size) == 0);
        compared++;
        free(block);
    }
    va_end(args);
}

static const char* const flags[] = { "", "-", "+", " ", "0", "-+", "+0", " 0", "#", "#0", "-#" };
static const char* const widths[] = { "", "1", "2", "7", "23", "120", ".", ".0", ".1", ".3", ".17", "9.4", "30.12", "999", "5.200" };

/* Builds one directive among plain text; `letter` is d, x and so on. */
static const char* directive(size_t f, size_t w, const char* length, char letter) {
    static char format[64];
    snprintf(format, sizeof format, "%%%%<%%%s%s%s%c>!", flags[f], widths[w], length, letter);
    return format;
}
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define EACH_FLAG_AND_WIDTH(f, w)                                                                    \
    for (f = 0; f < COUNT(flags); f++) { for (w = 0; w < COUNT(widths); w++)
#define EACH_END }

static void check_integers(void) {
    static const long long values[] = { 0, 1, -1, 7, 200, -32769, 65535, 2147483647, -2147483647 - 1 };
    static const long long large[] = { 4294967296, -4294967297, 9223372036854775807, -9223372036854775807 - 1 };
    static const char letters[] = "dioxXu";
    size_t f, w, i, l;
    EACH_FLAG_AND_WIDTH(f, w) {
        for (l = 0; letters[l]; l++) {
            i = (f + w + l) % COUNT(values);
            compare(true, directive(f, w, "", letters[l]), (int)values[i]);
            compare(true, directive(f, w, "h", letters[l]), (int)values[i]);
            compare(true, directive(f, w, "hh", letters[l]), (int)values[i]);
            compare(true, directive(f, w, "l", letters[l]), (long)values[i]);
            compare(true, directive(f, w, "ll", letters[l]), large[i % COUNT(large)]);
            compare(true, directive(f, w, "j", letters[l]), (intmax_t)large[i % COUNT(large)]);
            compare(true, directive(f, w, "z", letters[l]), (size_t)values[i]);
            compare(true, directive(f, w, "t", letters[l]), (ptrdiff_t)values[i]);
        }
    } EACH_END
    for (i = 0; i < COUNT(values); i++) {
        compare(true, "%d", (int)values[i]);
        compare(true, "%u %i", (unsigned)values[i], (int)values[i]);
        compare(true, "%hhd %hhu %hd %hu", (int)values[i], (int)values[i], (int)values[i], (int)values[i]);
        compare(true, "%ld %lu", (long)values[i], (unsigned long)values[i]);
    }
    for (i = 0; i < COUNT(large); i++) { compare(true, "%lld,%llu,%jd", large[i], large[i], (intmax_t)large[i]); }
}

static void check_doubles(void) {
    static const double values[] = { 0, -0.0, 1, -1.5, 0.1, 1e300, -1e-300, 123456789.123, HUGE_VAL, -HUGE_VAL, 5e-324, 999999.5 };
    static const char letters[] = "aAeEfFgG";
    size_t f, w, l, i = 0;
    EACH_FLAG_AND_WIDTH(f, w) {
        for (l = 0; letters[l]; l++, i++) {
            compare(true, directive(f, w, "", letters[l]), values[i % COUNT(values)]);
            compare(true, directive(f, w, "l", letters[l]), values[(i + 1) % COUNT(values)]);
        }
    } EACH_END
    compare(true, "%f %F", HUGE_VAL - HUGE_VAL, -1e308);
    compare(true, "%999.999f", 1e308);
}

static void check_strings(void) {
    static const char* const texts[] = { "", "a", "four", "eight ok", "seventeen letters", "a text that is longer than thirty-two bytes" };
    size_t i, w;
    char open[3] = { 'x', 'y', 'z' };
    for (i = 0; i < COUNT(texts); i++) {
        compare(true, "%s", texts[i]);
        compare(true, "[%s|%s]", texts[i], texts[(i + 1) % COUNT(texts)]);
        for (w = 0; w < COUNT(widths); w++) {
            compare(true, directive(0, w, "", 's'), texts[i]);
            compare(true, directive(1, w, "", 's'), texts[i]);
        }
        for (w = 0; w < 45; w += 3) {
            compare(true, "%.*s|%*s|%-*s|", (int)w, texts[i], (int)w, texts[i], (int)w, texts[i]);
            compare(true, "%*.*s|%*.*s|", (int)w, (int)i, texts[i], -(int)w, -1, texts[i]);
        }
    }
    compare(true, "%.3s %.*s", open, 2, open);                    /* without a NUL */
    compare(true, "%.255s", "up to two places");
    compare(false, "%.256s", "more");
    compare(true, "%c%c%5c%-5c|", 'a', 0, 'b', 'c');
    compare(true, "%p %20p %-20p", (void*)open, (void*)open, (void*)0);
    compare(true, "%*d|%-*d|%0*d|%.*d|%*.*f", 7, 1, 7, 2, -7, 3, -1, 4, 9, 2, 1.25);
    compare(true, "");
    compare(true, "no directive");
    compare(true, "%% 100%% %%");
    compare(true, "%d%%%s%%", 5, "x");
    compare(true, "%d %d %d %d %d %d %d %d %d %d %d %d and 100%%.", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
}

static void check_at_once(void) {
    int n = 0;
    size_t i;
    char* large = (char*)malloc(TEL__FORMAT_SIZE + 2);
    static const char* const formats[] = {
        "%n", "%hn", "%Lf", "%LF %d", "%ls", "%S", "%lc", "%C", "%1$d", "%'d", "%I64d", "%5%", "%", "50%", "%q", "%k", "%1000d", "%.1000f",
        "%m", "%hs", "%+s", "%0s", "%#s", "%hf", "%.-1d", "%---------d", "%lld%", "%.*", "%*", "%ld%n", "% ", "%.", "%l", "%hhc", "%lp", "%w"
    };
    for (i = 0; i < COUNT(formats); i++) {
        if (tel__format_plan(formats[i]) != TEL__FORMAT_AT_ONCE) { fprintf(stderr, "     of \"%s\"\n", formats[i]); }
        CHECK(tel__format_plan(formats[i]) == TEL__FORMAT_AT_ONCE);
    }
    compare(false, "%d %d %d %d %d %d %d %d %d %d %d %d %d", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
    compare(false, "%d%n", 1, &n);
    compare(false, "%ls", L"wide");
    compare(false, "%Lf", (long double)1);
    compare(false, "%s", (const char*)NULL);
    compare(false, "%*d", 1000, 1);
    compare(false, "%*d", -2147483647 - 1, 1);
    compare(false, "%.*f", 1000, 1.0);
    memset(large, 'x', TEL__FORMAT_SIZE + 1);
    large[TEL__FORMAT_SIZE + 1] = 0;
    CHECK(tel__format_plan(large) == TEL__FORMAT_AT_ONCE);
    large[TEL__FORMAT_SIZE] = 0;
    CHECK_INT(tel__format_size(tel__format_plan(large)), TEL__FORMAT_SIZE);
    free(large);
}

/* Every prefix and every changed byte of what was packed. */
static void check_hostile(void) {
    static const char format[] = "%d %s %*.*f %.*s %5c";
    char packed[256], out[4096];
    size_t size, i, bit;
    tel__format_values v = { 8, 0, { 1, 3, 7, 2, 0, 4, 6, 'c' }, { NULL, "abc", NULL, NULL, NULL, NULL, "sixsix", NULL } };
    tel_text values;
    v.bytes = size = 6 * 8 + 5 + 3 + 5 + 6;
    for (i = 0; i < size; i++) {
        for (bit = 0; bit < 9; bit++) {
            char* block = (char*)malloc(size);
            tel__text_out o = tel__text_fixed(out, sizeof out);
            tel__format_write(packed, &v);
            if (bit < 8) { packed[i] = (char)(packed[i] ^ 1 << bit); }
            values.data = block;
            values.size = bit < 8 ? size : i;
            memcpy(block, packed, size);
            tel__format_print(&o, format, values);
            CHECK(o.lost == 0 && (values.size < 8 || o.size > 0));
            free(block);
        }
    }
}

int main(void) {
    check_integers();
    check_doubles();
    check_strings();
    check_at_once();
    check_hostile();
    CHECK(compared > 5000);
    return check_done();
}
