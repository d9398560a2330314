/* Promise: invalid is all zero; valid is a remote context that says the same ids as the text, and survives
   being written and read again. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    tel_text text, again;
    tel_context c, back, zero;
    char out[TEL_TRACEPARENT_SIZE];
    memset(&zero, 0, sizeof zero);
    memset(&c, 0xa5, sizeof c);
    text.data = (const char*)data;
    text.size = size;
    if (tel__propagation_parse(text, &c) != TEL_OK) {
        REQUIRE(memcmp(&c, &zero, sizeof c) == 0);
        return 0;
    }
    REQUIRE(c.remote == 1 && (c.flags & ~3) == 0 && c.tel__extra == 0);
    memset(out, 'x', sizeof out);
    tel__propagation_format(&c, out);
    REQUIRE(out[55] == '\0' && strlen(out) == 55);
    while (size && (*data == ' ' || *data == '\t')) { data++; size--; }
    REQUIRE(size >= 55 && memcmp(out + 2, data + 2, 51) == 0);      /* the ids and their dashes */
    again.data = out;
    again.size = 55;
    REQUIRE(tel__propagation_parse(again, &back) == TEL_OK);
    REQUIRE(memcmp(&back, &c, sizeof c) == 0);
    return 0;
}
