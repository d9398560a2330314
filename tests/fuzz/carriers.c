/* Promise: whatever headers come, every format and the lists of tracestate and baggage keep their rules; what was
   extracted is injected in a form that is extracted to the same. The first byte chooses the formats; then one header
   per line, "name: value". */
#include "fuzz.h"

typedef struct line { char name[32]; const char* data; size_t size; } line;
static line lines[16];
static size_t line_count;
static char sent[16][9000];
static char sent_name[16][32];

static tel_text get_all(const char* key, size_t index, void* user_data) {
    tel_text t = { NULL, 0 };
    size_t i;
    (void)user_data;
    for (i = 0; i < line_count; i++) {
        if (strcmp(lines[i].name, key) == 0 && index-- == 0) {
            t.data = lines[i].data;
            t.size = lines[i].size;
        }
    }
    return t;
}
static size_t sent_count;
static void set(const char* key, const char* value, void* user_data) {
    (void)user_data;
    REQUIRE(strlen(value) < sizeof sent[0] && sent_count < 16);
    strcpy(sent[sent_count], value);
    strcpy(sent_name[sent_count++], key);
}
static void read_lines(const uint8_t* data, size_t size) {
    const char* at = (const char*)data;
    const char* end = at + size;
    for (line_count = 0; at < end && line_count < 16; line_count++) {
        const char* stop = (const char*)memchr(at, '\n', (size_t)(end - at));
        const char* colon;
        line* l = &lines[line_count];
        size_t n;
        if (!stop) { stop = end; }
        colon = (const char*)memchr(at, ':', (size_t)(stop - at));
        if (!colon) { colon = stop; }
        n = (size_t)(colon - at) < sizeof l->name - 1 ? (size_t)(colon - at) : sizeof l->name - 1;
        memcpy(l->name, at, n);
        l->name[n] = 0;
        l->data = colon < stop ? colon + 1 : stop;
        l->size = (size_t)(stop - l->data);
        at = stop + (stop < end);
    }
}

static void each(const char* key, const char* value, const char* metadata, void* user_data) {
    tel_text k = tel__text_of(key);
    char again[8300];
    const tel_context* c = (const tel_context*)user_data;
    (void)metadata;
    REQUIRE(tel__baggage_token(k));
    REQUIRE(tel_baggage_get(c, key, again, sizeof again) == TEL_OK && strcmp(again, value) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const uint64_t lists[] = { 0x21, 0x213, 0x24, 0x526, 0x654321, 0x2 };
    tel_carrier carrier;
    tel_context c, back;
    char state[1025], state_back[1025];
    size_t i;
    if (!size) { return 0; }
    memset(&carrier, 0, sizeof carrier);
    carrier.get_all_fn = get_all;
    carrier.set_fn = set;
    tel__propagators_use(lists[data[0] % 6], NULL, 0);
    read_lines(data + 1, size - 1);
    c = tel_extract(&carrier);
    REQUIRE(tel_context_valid(&c) == (c.remote != 0));
    tel_baggage_each(&c, each, &c);
    (void)tel_tracestate_get(&c, NULL, state, sizeof state);
    if (data[0] % 6 != 0) { return 0; }     /* the W3C headers lose nothing on their way back */
    sent_count = 0;
    (void)tel_inject(&c, &carrier);
    for (i = 0; i < sent_count; i++) {
        strcpy(lines[i].name, sent_name[i]);
        lines[i].data = sent[i];
        lines[i].size = strlen(sent[i]);
    }
    line_count = sent_count;
    back = tel_extract(&carrier);
    (void)tel_tracestate_get(&back, NULL, state_back, sizeof state_back);
    REQUIRE(memcmp(&back, &c, offsetof(tel_context, tel__reserved)) == 0);
    REQUIRE(strcmp(state, state_back) == 0);
    REQUIRE(tel__context_data_sizes(&back).baggage == tel__context_data_sizes(&c).baggage);
    return 0;
}
