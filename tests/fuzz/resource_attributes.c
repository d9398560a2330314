/* Promise: OTEL_RESOURCE_ATTRIBUTES is taken as a whole or not at all; what is taken has keys, each once, and
   lies within the block that was reserved for it. */
#include "fuzz.h"

static void check_kept(const tel__resource* c, const char* at, size_t size) {
    REQUIRE(at >= c->block && at + size < c->block + c->text_at && at[size] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    tel__memory memory;
    tel__resource c;
    tel_desc desc;
    tel_text list;
    size_t i, k, begin;
    if (size > TEL__CONFIG_ENV_LIMIT) { return 0; }
    tel__memory_init(&memory, NULL, 1 << 24);
    memset(&desc, 0, sizeof desc);
    memset(&c, 0, sizeof c);
    list.data = (const char*)data;
    list.size = size;
    REQUIRE(tel__resource_reserve(&c, &memory, &desc, list, 0, NULL) == TEL_OK);
    begin = c.text_at;
    if (!tel__resource_pairs(&c, list)) {
        REQUIRE(c.attrs.count == 0 && c.text_at == begin);
    }
    REQUIRE(c.text_at <= c.block_size && (const char*)(c.items + c.attrs.count) <= c.block + begin);
    for (i = 0; i < c.attrs.count; i++) {
        const tel_attr* a = &c.attrs.items[i];
        REQUIRE(a->key[0] && a->type == TEL_TYPE_STRING);
        check_kept(&c, a->key, strlen(a->key));
        check_kept(&c, a->as.s.data, a->as.s.size);
        for (k = 0; k < i; k++) { REQUIRE(strcmp(a->key, c.attrs.items[k].key) != 0); }
    }
    tel__resource_free(&c, &memory);
    REQUIRE(tel__atomic_load_u64(&memory.used) == 0);
    return 0;
}
