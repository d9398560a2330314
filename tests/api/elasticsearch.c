/* examples/sinks/elasticsearch.h: what it makes of an answer, however large and in whatever parts it comes, and of a body that is
   too large. */
#define _DEFAULT_SOURCE
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../../examples/sinks/elasticsearch.h"
#include "../check.h"
#include <stdlib.h>

/* Reads an answer in parts of `part` bytes. */
static tel_http_answer read_answer(const char* text, size_t size, size_t part, uint64_t items, uint64_t* refused) {
    tel_http_answer a;
    size_t at;
    memset(&a, 0, sizeof a);
    a.status = 200;
    a.items = items;
    for (at = 0; at < size; at += part) { tel_elasticsearch_part(text + at, part < size - at ? part : size - at, a.state, NULL); }
    *refused = 99;
    CHECK_INT(tel_elasticsearch_judge(&a, refused, NULL), TEL_OK);
    return a;
}

/* The first error that is none of a document that is there already lies behind n of those. */
static void test_first_error(size_t n) {
    static char text[1 << 20];
    size_t size = (size_t)snprintf(text, sizeof text, "{\"errors\":true,\"items\":["), i, part;
    uint64_t refused;
    for (i = 0; i < n; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "{\"create\":{\"error\":{\"type\":\"version_conflict_engine_exception\"}}},");
    }
    size += (size_t)snprintf(text + size, sizeof text - size, "{\"create\":{\"error\":{\"type\" : \"document_parsing_exception\"}}},"
                             "{\"create\":{\"error\":{\"type\":\"version\"}}},{\"create\":{\"error\":{\"type\":\"other\"}}}]}");
    CHECK(n < 1000 || size > 65536);
    for (part = 1; part < 70; part += 4) {
        tel_http_answer a = read_answer(text, size, part, n + 3, &refused);
        CHECK_STR(a.error, "document_parsing_exception");
        CHECK_INT(refused, 3);
    }
}

static void test_others(void) {
    static const char none[] = "{\"errors\":false}", there[] = "{\"items\":[{\"create\":{\"error\":{\"type\":\"version_conflict_engine_exception\"}}}]}",
                      longest[] = "{\"type\":\"a_type_that_is_far_longer_than_any_that_there_is\"}";
    uint64_t refused;
    tel_http_answer a = read_answer(none, sizeof none - 1, 5, 3, &refused);
    CHECK(refused == 0 && !a.error[0]);
    a = read_answer(there, sizeof there - 1, 5, 3, &refused);
    CHECK(refused == 0 && !a.error[0]);
    a = read_answer(longest, sizeof longest - 1, 5, 3, &refused);
    CHECK_INT(refused, 1);
    CHECK_STR(a.error, "a_type_that_is_far_longer_than_");
}

static char written[200];
static bool take(const void* data, size_t size, void* user_data) {
    (void)user_data;
    strncat(written, (const char*)data, size);
    return true;
}
static void test_split(void) {
    static const char body[] = "{1}\n{a}\n{2}\n{b}\n{3}\n{c}\n";
    tel_http_part part = { TEL_SIGNAL_LOGS, body, sizeof body - 1, 0, 1 };
    tel_writer out;
    memset(&out, 0, sizeof out);
    out.write_fn = take;
    CHECK_INT(tel_elasticsearch_split(&part, out, NULL), TEL_OK);
    CHECK_STR(written, "{1}\n{a}\n");
    written[0] = 0;
    part.from = 1;
    part.count = 2;
    CHECK_INT(tel_elasticsearch_split(&part, out, NULL), TEL_OK);
    CHECK_STR(written, "{2}\n{b}\n{3}\n{c}\n");
}

int main(void) {
    test_first_error(0);
    test_first_error(1);
    test_first_error(1000);
    test_others();
    test_split();
    return check_done();
}
