/* clang -g -O1 -fsanitize=fuzzer,address,undefined -I. tests/fuzz/traceparent.c -pthread -o traceparent
   Plain program over files: cc -DFUZZ_MAIN -I. tests/fuzz/traceparent.c -pthread -o traceparent
   Promise: invalid is all zero; valid is a remote context that says the same ids as the text, and survives
   being written and read again. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(cond) do { if (!(cond)) { fprintf(stderr, "broken: %s\n", #cond); abort(); } } while (0)

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

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

#ifdef FUZZ_MAIN
int main(int argc, char** argv) {
    static uint8_t data[1 << 20];
    int i;
    for (i = 1; i < argc; i++) {
        FILE* f = fopen(argv[i], "rb");
        size_t n = f ? fread(data, 1, sizeof data, f) : 0;
        if (f) { fclose(f); }
        LLVMFuzzerTestOneInput(data, n);
    }
    return 0;
}
#endif
