/* fuzz.h -- what every fuzzer here needs: the implementation, REQUIRE, and a main that runs files through it.
   clang -g -O1 -fsanitize=fuzzer,address,undefined -I. tests/fuzz/NAME.c -pthread -o NAME
   Plain program over files: cc -DFUZZ_MAIN -I. tests/fuzz/NAME.c -pthread -o NAME */
#ifndef FUZZ_H_INCLUDED
#define FUZZ_H_INCLUDED
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(cond) do { if (!(cond)) { fprintf(stderr, "broken: %s\n", #cond); abort(); } } while (0)

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#ifdef FUZZ_MAIN
int main(int argc, char** argv) {
    static uint8_t room[1 << 20];
    int i;
    for (i = 1; i < argc; i++) {
        FILE* f = fopen(argv[i], "rb");
        size_t n = f ? fread(room, 1, sizeof room, f) : 0;
        uint8_t* data = (uint8_t*)malloc(n ? n : 1);        /* no larger, so that a read past the end is seen */
        if (!f || !data) { perror(argv[i]); return 1; }
        fclose(f);
        memcpy(data, room, n);
        LLVMFuzzerTestOneInput(data, n);
        free(data);
    }
    return 0;
}
#endif
#endif
