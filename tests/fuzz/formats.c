/* Promise: no format is read beyond its NUL and no arguments beyond their end; what has a plan prints in full when its arguments
   are whole, and no more than they allow. */
#include "fuzz.h"

static size_t print(const char* format, const char* values, size_t size, char* out, size_t room) {
    tel__text_out o = tel__text_fixed(out, room);
    tel_text v;
    v.data = values;
    v.size = size;
    tel__format_print(&o, format, v);
    REQUIRE(o.size <= room && (o.lost == 0 || o.size == room));
    return o.size + o.lost;
}

/* Numbers and short strings as the plan wants them, made of the bytes at hand. */
static void fill(tel__format_values* v, uint64_t plan, const uint8_t* data, size_t size) {
    static const char text[] = "some text of thirty-three bytes..";
    memset(v, 0, sizeof *v);
    for (plan &= UINT64_MAX >> 16; plan; plan >>= 4) {
        unsigned kind = (unsigned)plan & 15u;
        uint64_t number = size ? (uint64_t)data[v->count % size] * 0x0101010101010101u : 0;
        if (kind >= TEL__FORMAT_STRING && kind != TEL__FORMAT_STAR) {
            v->strings[v->count] = text;
            v->numbers[v->count] = number % sizeof text;
            v->bytes += (size_t)(number % sizeof text) + 5;
            if (kind == TEL__FORMAT_PIECE) { plan >>= 8; }
        } else {
            v->numbers[v->count] = kind == TEL__FORMAT_STAR ? number % 999 : number;
            v->bytes += 8;
        }
        v->count++;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    size_t length = size ? (size_t)(data[0] % 64) : 0, i;
    char *format, *values, out[600];
    uint64_t plan;
    tel__format_values v;
    if (size < 1 + length) { return 0; }
    format = (char*)malloc(length + 1);
    values = (char*)malloc(size);
    if (format && values) {
        memcpy(format, data + 1, length);
        format[length] = 0;
        memcpy(values, data + 1 + length, size - 1 - length);
        REQUIRE(print(format, values, size - 1 - length, out, sizeof out) <= 64 + 12 * 2400 + size);
        plan = tel__format_plan(format);
        if (plan != TEL__FORMAT_AT_ONCE) {
            char* whole;
            REQUIRE(tel__format_size(plan) == strlen(format));
            fill(&v, plan, data, size);
            whole = (char*)malloc(v.bytes + 1);
            if (whole) {
                tel__format_write(whole, &v);
                length = strlen(format);
                i = print(format, whole, v.bytes, out, sizeof out);
                /* the last character is there, unless a directive ends the format */
                if (length && length < sizeof out && i < sizeof out && !strchr(format, '%')) { REQUIRE(i == length); }
                if (v.bytes && i <= sizeof out) { REQUIRE(print(format, whole, v.bytes - 1, out, sizeof out) <= i); }
                free(whole);
            }
        }
    }
    free(format);
    free(values);
    return 0;
}
