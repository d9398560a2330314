/* Promise: a head is incomplete, accepted or refused, never two of these as more of it arrives; what is
   accepted has slices inside the input and nothing in it that could break a line. */
#include "fuzz.h"

static void inside(tel_text slice, const char* data, size_t size) {
    size_t i;
    if (slice.size == 0) { return; }
    REQUIRE(slice.data >= data && slice.size <= size && slice.data + slice.size <= data + size);
    for (i = 0; i < slice.size; i++) { REQUIRE(slice.data[i] != '\r' && slice.data[i] != '\n' && slice.data[i]); }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    tel__server_request request, part;
    bool keep = true, part_keep = true;
    size_t used = 99, part_used = 99, cut;
    bool posts = size && !(data[0] & 1);        /* 'P' is even, 'G' is odd */
    char* copy;
    int status;
    tel_text t;
    if (size > TEL__NET_REQUEST_MAX) { size = TEL__NET_REQUEST_MAX; }
    copy = (char*)malloc(size ? size : 1);
    REQUIRE(copy != NULL);
    memcpy(copy, data, size);
    t.data = copy;
    t.size = size;
    status = tel__server_request_parse(t, posts, &request, &keep, &used);
    REQUIRE(status == 0 ? size < TEL__NET_REQUEST_MAX && (!used || (used > size && used <= TEL__NET_REQUEST_MAX))
            : status >= 200 && (used <= size || status == 0));
    REQUIRE(!keep || status == 200);
    if (status == 200) {
        REQUIRE(used > 0 && request.path.size > 0 && request.path.data[0] == '/');
        inside(request.path, copy, used);
        inside(request.query, copy, used);
        inside(request.accept_encoding, copy, used);
        inside(request.authorization, copy, used);
        inside(request.content_type, copy, used);
        REQUIRE(!request.body.size || (request.post && request.body.data + request.body.size == copy + used));
    }
    for (cut = size > 64 ? size - 64 : 0; cut < size; cut++) {
        int early;
        t.size = cut;
        early = tel__server_request_parse(t, posts, &part, &part_keep, &part_used);
        REQUIRE(early == 0 || (early == status && part_used == used && part_keep == keep));
    }
    free(copy);
    return 0;
}
