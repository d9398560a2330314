/* Promise: whatever OTEL_EXPORTER_OTLP_HEADERS holds, what goes into a request is whole lines of a token, a
   colon and a value without control characters, none of them twice and none that the client sets itself. */
#include "fuzz.h"

static void check_line(tel_text line, tel_text before) {
    static const char* const ours[] = { "Content-Type", "Content-Length", "Content-Encoding", "Host",
                                        "Transfer-Encoding", "Connection", "Accept-Encoding" };
    tel_text name = line, earlier;
    size_t i;
    for (i = 0; i < line.size && line.data[i] != ':'; i++) {
        REQUIRE(line.data[i] > ' ' && line.data[i] < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", line.data[i]));
    }
    REQUIRE(i > 0 && i + 1 < line.size && line.data[i + 1] == ' ');
    name.size = i;
    for (; i < line.size; i++) {
        unsigned char c = (unsigned char)line.data[i];
        REQUIRE((c >= ' ' && c != 0x7f) || c == '\t');
    }
    for (i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        REQUIRE(!tel__text_equal_nocase(name, tel__text_of(ours[i])));
    }
    while (before.size && tel__text_split(&before, '\n', &earlier)) {
        if (earlier.size > name.size && earlier.data[name.size] == ':') {
            earlier.size = name.size;
            REQUIRE(!tel__text_equal_nocase(name, earlier));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static char out[TEL__CONFIG_HEADERS_SIZE];
    tel__config_source s = { true, NULL, NULL, false };
    tel_text list, rest, line, before;
    list.data = (const char*)data;
    list.size = size;
    memset(out, 'x', sizeof out);
    tel__endpoint_headers(&s, "list", list, out);
    REQUIRE(memchr(out, '\0', sizeof out) != NULL);
    rest = tel__text_of(out);
    before.data = out;
    while (rest.size) {
        const char* end = (const char*)memchr(rest.data, '\r', rest.size);
        REQUIRE(end && end[1] == '\n');
        line.data = rest.data;
        line.size = (size_t)(end - rest.data);
        before.size = (size_t)(rest.data - out);
        check_line(line, before);
        rest.data += line.size + 2;
        rest.size -= line.size + 2;
    }
    return 0;
}
