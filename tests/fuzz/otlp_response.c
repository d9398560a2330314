/* clang -g -O1 -fsanitize=fuzzer,address,undefined -I. tests/fuzz/otlp_response.c -o otlp_response -pthread
   or, to run files through it: cc -g -DFUZZ_MAIN -I. tests/fuzz/otlp_response.c -o otlp_response -pthread

   The answer of an OTLP receiver: any bytes, any capacity for the message. Held: the result is one of two, the count
   is not negative, the message is ended, valid UTF-8, without control characters, and inside its buffer; what is
   well-formed stays so with blanks around it, and is malformed with a byte more behind it. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"

static void fuzz_require(bool what) { if (!what) { abort(); } }

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    size_t capacity = size ? data[0] % 64u : 0, i;
    char* message = (char*)malloc(capacity ? capacity : 1);
    char* padded;
    int64_t rejected = -1, again = -1;
    tel_result r;
    if (size) { data++; size--; }
    padded = (char*)malloc(size + 3);
    fuzz_require(message != NULL && padded != NULL);
    r = tel__otlp_read_response((const char*)data, size, &rejected, message, capacity);
    fuzz_require(r == TEL_OK || (r == TEL_ERR_FORMAT && rejected == 0));
    fuzz_require(rejected >= 0);
    if (capacity) {
        fuzz_require(memchr(message, 0, capacity) != NULL);
        fuzz_require(tel__text_is_utf8(message, strlen(message)));
        for (i = 0; message[i]; i++) { fuzz_require((unsigned char)message[i] >= 0x20 && message[i] != 0x7F); }
    }
    padded[0] = ' ';
    memcpy(padded + 1, data, size);
    padded[size + 1] = '\n';
    fuzz_require(tel__otlp_read_response(padded, size + 2, &again, NULL, 0) == r && again == rejected);
    padded[size + 2] = '}';
    if (r == TEL_OK) {
        fuzz_require(tel__otlp_read_response(padded, size + 3, &again, NULL, 0) == TEL_ERR_FORMAT && again == 0);
    }
    free(message);
    free(padded);
    return 0;
}

#if defined(FUZZ_MAIN)
int main(int argc, char** argv) {
    static uint8_t buffer[1 << 20];
    int i;
    for (i = 1; i < argc; i++) {
        FILE* f = fopen(argv[i], "rb");
        if (!f) { perror(argv[i]); return 1; }
        (void)LLVMFuzzerTestOneInput(buffer, fread(buffer, 1, sizeof buffer, f));
        fclose(f);
    }
    printf("%d inputs passed\n", argc - 1);
    return 0;
}
#endif
