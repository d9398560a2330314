/* Promise: whatever arrives, in whatever pieces, gives the same response, inside its limits. The first
   input byte chooses the size of the pieces. */
#include "fuzz.h"

/* What is read lies in memory of its own, so that a read past its end is seen. */
static tel_result feed(const uint8_t* data, size_t size, size_t piece, tel__client_response* out, size_t* used) {
    tel__client_parser p;
    tel_text in = { NULL, 0 };
    char* room = NULL;
    tel_result r = TEL_OK;
    size_t at = 0;
    memset(&p, 0, sizeof p);
    tel__client_response_reset(out);
    while (r == TEL_OK && at < size && p.state != TEL__CLIENT_DONE) {
        size_t n = size - at < piece ? size - at : piece;
        char* more;
        if (n > TEL__NET_HEAD_MAX - in.size) { n = TEL__NET_HEAD_MAX - in.size; }
        REQUIRE(n > 0);
        more = (char*)malloc(in.size + n);
        REQUIRE(more != NULL);
        if (in.size) { memcpy(more, in.data, in.size); }
        memcpy(more + in.size, data + at, n);
        free(room);
        room = more;
        in.data = room;
        in.size += n;
        at += n;
        r = tel__client_parser_run(&p, &in, 1700000000u, out);
        REQUIRE(r != TEL_OK || in.size < TEL__NET_HEAD_MAX);
    }
    *used = at - in.size;
    if (r == TEL_OK) { r = tel__client_parser_finish(&p); }
    free(room);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static tel__client_response whole, split;
    tel_result a, b;
    size_t used_a, used_b, piece;
    if (size < 1) { return 0; }
    piece = 1 + data[0] % 64u;
    data++;
    size--;
    a = feed(data, size, size ? size : 1, &whole, &used_a);
    b = feed(data, size, piece, &split, &used_b);
    REQUIRE(a == b && whole.status == split.status && whole.retry_after_ms == split.retry_after_ms);
    REQUIRE(whole.keep_alive == split.keep_alive && whole.too_large == split.too_large);
    REQUIRE(whole.body_size == split.body_size && whole.body_size < sizeof whole.body);
    REQUIRE(memcmp(whole.body, split.body, whole.body_size + 1) == 0 && whole.body[whole.body_size] == 0);
    REQUIRE(a == TEL_OK || a == TEL_ERR_IO || a == TEL_ERR_FORMAT);
    if (a == TEL_OK) {
        REQUIRE(used_a == used_b || whole.too_large);
        REQUIRE(whole.status >= 200 && whole.status <= 999);
        REQUIRE(whole.retry_after_ms == UINT64_MAX || whole.retry_after_ms <= TEL__NET_RETRY_MAX_MS);
        REQUIRE(!(whole.too_large && whole.keep_alive));
    }
    return 0;
}
