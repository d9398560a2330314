/* Promise: what tel__attr_write_* packs, tel__attr_next reads back, byte for byte, and it ends where the bytes end; of
   hostile bytes neither it nor the readers of span and log records touch one beyond the end. */
#include "fuzz.h"

static volatile uint64_t sink;
static void touch(const char* p, size_t n) { while (n--) { sink += (unsigned char)*p++; } }

/* A value with bytes, and the elements of an array. */
static void touch_value(const tel_attr* a) {
    size_t at = 0;
    tel_attr item;
    if (a->type >= TEL_TYPE_STRING) { touch(a->as.s.data, a->as.s.size + 1); }
    while (tel_attr_next(a, &at, &item)) {
        if (item.type == TEL_TYPE_STRING) { touch(item.as.s.data, item.as.s.size + 1); }
    }
}

/* One item of size bytes in a block of just that size, so that a byte too many is seen. */
static void round_trip(const uint8_t* data, size_t size) {
    size_t key_size = size > 2 ? data[2] % (size - 2) : 0, value_size = size > 3 ? size - 3 - key_size : 0;
    const char* key = (const char*)data + (size > 3 ? 3 : 0);
    bool number = size > 1 && (data[1] & 1) && value_size >= 8;
    size_t whole = tel__attr_item_size(key_size, number ? 7 : value_size);
    char* block = (char*)calloc(1, whole);
    tel__attr_what what = (tel__attr_what)(1 + (size ? data[0] % 9 : 0));
    tel__attr_reader r;
    tel_attr attr;
    tel__attr_got got;
    tel_text value;
    uint64_t word = 0;
    if (!block) { return; }
    value.data = key + key_size;
    value.size = value_size;
    if (number) {
        memcpy(&word, value.data, 8);
        tel__attr_write_number(block, what, (uint8_t)TEL_TYPE_INT, key, key_size, word);
    } else {
        tel__attr_write_string(block, what, key, key_size, value);
    }
    got.attr = &attr;
    r.at = block;
    r.end = block + whole;
    REQUIRE(tel__attr_next(&r, &got) && r.at == r.end && got.what == what);
    REQUIRE(got.attr->tel__key_size == key_size && memcmp(got.attr->key, key, key_size) == 0 && got.attr->key[key_size] == 0);
    if (number) { REQUIRE(got.number == word && got.attr->as.i == (int64_t)word); }
    else { REQUIRE(got.string.size == value_size && memcmp(got.string.data, value.data, value_size) == 0 && got.string.data[value_size] == 0); }
    REQUIRE(!tel__attr_next(&r, &got));
    free(block);
}

static void hostile_items(const uint8_t* data, size_t size) {
    char* copy = (char*)malloc(size ? size : 1);
    tel__attr_reader r;
    tel_attr attr;
    tel__attr_got got;
    if (!copy) { return; }
    memcpy(copy, data, size);
    got.attr = &attr;
    r.at = copy;
    r.end = copy + size;
    while (tel__attr_next(&r, &got)) {
        touch(got.attr->key, got.attr->tel__key_size);
        touch_value(got.attr);
        REQUIRE(r.at <= r.end);
    }
    free(copy);
}

static void touch_attrs(tel_attrs a) {
    size_t i;
    for (i = 0; i < a.count; i++) {
        touch(a.items[i].key, a.items[i].tel__key_size);
        touch_value(&a.items[i]);
    }
}

/* A record whose frame (its size, which the ring keeps) is right and whose content is not. */
static void hostile_record(const uint8_t* data, size_t size, bool span) {
    size_t head = span ? sizeof(tel__span_record) : sizeof(tel__log_record), i;
    char* record = (char*)malloc(size < head ? head : size);
    tel__memory memory;
    tel__memory_arena arena;
    static tel__diag diag;
    tel__scopes scopes;
    tel__clock clock;
    uint32_t whole = (uint32_t)(size < head ? head : size);
    if (!record) { return; }
    memset(record, 0, whole);
    memcpy(record, data, size);
    memcpy(record, &whole, sizeof whole);
    memset(&clock, 0, sizeof clock);
    memset(&arena, 0, sizeof arena);
    tel__memory_init(&memory, NULL, (uint64_t)64 << 20);
    arena.memory = &memory;
    tel__scopes_init(&scopes, &memory, &diag);
    if (span) {
        tel_span_view v;
        if (tel__span_view_read((const tel__span_record*)(const void*)record, &clock, &scopes, &arena, &v)) {
            touch(v.name.data, v.name.size);
            touch(v.status_message.data, v.status_message.size);
            touch(v.scope->name.data, v.scope->name.size);
            touch_attrs(v.attrs);
            for (i = 0; i < v.event_count; i++) { touch(v.events[i].name.data, v.events[i].name.size); touch_attrs(v.events[i].attrs); }
            for (i = 0; i < v.link_count; i++) { touch((const char*)v.links[i].context.trace_id, 16); touch_attrs(v.links[i].attrs); }
            REQUIRE(v.end_unix_ns >= v.start_unix_ns);
        }
    } else {
        tel_log_view v;
        if (tel__log_read((const tel__log_record*)(const void*)record, &clock, &scopes, &arena, &v)) {
            touch(v.body.data, v.body.size);
            touch(v.event_name.data, v.event_name.size);
            touch_attrs(v.attrs);
        }
    }
    tel__memory_release(&arena);
    tel__scopes_free(&scopes);
    REQUIRE(tel__atomic_load_u64(&memory.used) == 0);
    free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size > 65536) { return 0; }
    round_trip(data, size);
    hostile_items(data, size);
    hostile_record(data, size, true);
    hostile_record(data, size, false);
    return 0;
}
