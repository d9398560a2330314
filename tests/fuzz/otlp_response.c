/* The answer of an OTLP receiver: any bytes, any capacity for the message. Held: the result is one of two, the count
   is not negative, the message is ended, valid UTF-8, without control characters, and inside its buffer; what is
   well-formed stays so with blanks around it, and is malformed with a byte more behind it. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    size_t capacity = size ? data[0] % 64u : 0, i;
    char* message = (char*)malloc(capacity ? capacity : 1);
    char* padded;
    int64_t rejected = -1, again = -1;
    tel_result r;
    if (size) { data++; size--; }
    padded = (char*)malloc(size + 3);
    REQUIRE(message != NULL && padded != NULL);
    r = tel__otlp_read_response((const char*)data, size, &rejected, message, capacity);
    REQUIRE(r == TEL_OK || r == TEL_ERR_FORMAT);
    REQUIRE(rejected >= 0);
    if (capacity) {
        REQUIRE(memchr(message, 0, capacity) != NULL);
        REQUIRE(tel__text_clean(message, strlen(message), false) == strlen(message));
        for (i = 0; message[i]; i++) { REQUIRE((unsigned char)message[i] >= 0x20 && message[i] != 0x7F); }
    }
    padded[0] = ' ';
    memcpy(padded + 1, data, size);
    padded[size + 1] = '\n';
    REQUIRE(tel__otlp_read_response(padded, size + 2, &again, NULL, 0) == r);
    REQUIRE(r != TEL_OK || again == rejected);
    padded[size + 2] = '}';
    if (r == TEL_OK) {
        REQUIRE(tel__otlp_read_response(padded, size + 3, &again, NULL, 0) == TEL_ERR_FORMAT && again == 0);
    }
    {
        tel_text why;
        bool failed = size && data[0] & 1;
        if (tel__otlp_protobuf_read((const char*)data, size, failed, &again, &why) && why.size) {
            REQUIRE(why.data >= (const char*)data && why.data + why.size <= (const char*)data + size);
        }
    }
    free(message);
    free(padded);
    return 0;
}
