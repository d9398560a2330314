/* Room test of R10 >>ring: wrap and gap against a model queue, full and drop counts, the wrap of head and tail at 2^32,
   the shared ring with many producers, checksummed records under threads, and the registry's books. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"

#define HEAD ((uint32_t)sizeof(tel__ring_head))

static tel__memory memory;

static uint32_t sum_of(const unsigned char* p, uint32_t n) {
    uint32_t s = 2166136261u;
    while (n--) { s = (s ^ *p++) * 16777619u; }
    return s;
}

/* A record: head, number, checksum, then bytes that follow from the number. */
static bool push(tel__ring* r, uint32_t number, uint32_t size) {
    unsigned char* p = (unsigned char*)tel__ring_reserve(r, size);
    uint32_t i, check;
    if (!p) { return false; }
    p[4] = number & 1 ? TEL__RING_SPAN : TEL__RING_LOG;
    p[5] = p[6] = p[7] = 0;
    memcpy(p + 8, &number, 4);
    for (i = 16; i < size; i++) { p[i] = (unsigned char)(number * 31 + i); }
    check = sum_of(p + 16, size - 16);
    memcpy(p + 12, &check, 4);
    tel__ring_commit(r, (char*)p, size);
    return true;
}
static bool whole(const tel__ring_head* h, uint32_t* number) {
    const unsigned char* p = (const unsigned char*)h;
    uint32_t check;
    memcpy(number, p + 8, 4);
    memcpy(&check, p + 12, 4);
    return h->size >= 16 && check == sum_of(p + 16, h->size - 16) && h->kind == (*number & 1 ? TEL__RING_SPAN : TEL__RING_LOG);
}

/* One thread: random sizes and random drains from any starting point, also just before 2^32. */
static void run_model(uint32_t from, bool shared) {
    tel__ring r;
    uint32_t seed = 12345, pushed = 0, popped = 0, full = 0, wrong = 0, at, number, i, n;
    const tel__ring_head* h;
    CHECK(tel__ring_make(&r, &memory, 1024, shared));
    tel__atomic_store_u32(&r.head, from);
    tel__atomic_store_u32(&r.tail, from);
    r.seen_tail = r.reserved = from;
    for (i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        if (seed >> 30) {
            if (push(&r, pushed, 16 + 8 * (seed >> 8 & 15))) { pushed++; } else { full++; wrong += tel__ring_used(&r) + 2 * 136 < 1024; }
        } else {
            at = tel__atomic_load_u32(&r.tail);
            for (n = seed >> 4 & 7; n && (h = tel__ring_next(&r, &at, tel__ring_written(&r))) != NULL; n--) {
                wrong += !whole(h, &number) || number != popped;
                popped++;
            }
            tel__ring_release(&r, at);
        }
        wrong += tel__ring_used(&r) > 1024;
    }
    at = tel__atomic_load_u32(&r.tail);
    while ((h = tel__ring_next(&r, &at, tel__ring_written(&r))) != NULL) { wrong += !whole(h, &number) || number != popped++; }
    tel__ring_release(&r, at);
    CHECK_INT(wrong, 0);
    CHECK(popped == pushed && full > 0 && pushed > 5000);
    CHECK_INT(tel__ring_used(&r), 0);
    tel__memory_free(&memory, r.data, r.size);
}

static void test_full(void) {
    tel__ring r;
    uint32_t n = 0, at, number;
    CHECK(tel__ring_make(&r, &memory, 256, false));
    while (push(&r, n, 64)) { n++; }
    CHECK_INT(n, 4);                                    /* to the last byte */
    at = 0;
    CHECK(tel__ring_next(&r, &at, tel__ring_written(&r)) != NULL && at == 64);
    CHECK(!push(&r, 9, 16));                            /* read is not given back */
    tel__ring_release(&r, at);
    CHECK(push(&r, n, 64));
    CHECK(!push(&r, 9, 16));
    for (n = 1; n < 5; n++) { const tel__ring_head* h = tel__ring_next(&r, &at, tel__ring_written(&r)); CHECK(h && whole(h, &number) && number == n); }
    CHECK(tel__ring_next(&r, &at, tel__ring_written(&r)) == NULL);
    tel__memory_free(&memory, r.data, r.size);
}

/* An uncommitted record of the shared ring hides what comes after it, and loses nothing. */
static void test_uncommitted(void) {
    tel__ring r;
    uint32_t at = 0, number, one = 1;
    char* p;
    CHECK(tel__ring_make(&r, &memory, 256, true));
    p = tel__ring_reserve(&r, 32);
    CHECK(p != NULL && push(&r, 2, 32));
    CHECK(tel__ring_next(&r, &at, tel__ring_written(&r)) == NULL && at == 0);
    if (p) {
        uint32_t check = sum_of((const unsigned char*)p + 16, 16);
        p[4] = TEL__RING_SPAN;
        memcpy(p + 8, &one, 4);
        memcpy(p + 12, &check, 4);
        tel__ring_commit(&r, p, 32);
    }
    CHECK(whole(tel__ring_next(&r, &at, tel__ring_written(&r)), &number) && number == 1);
    CHECK(whole(tel__ring_next(&r, &at, tel__ring_written(&r)), &number) && number == 2);
    tel__ring_release(&r, at);
    CHECK(r.data[0] == 0 && memcmp(r.data, r.data + 1, 63) == 0);      /* zeroed for the next round */
    tel__memory_free(&memory, r.data, r.size);
}

/* ---- threads ------------------------------------------------------------------------------------------ */

#define PRODUCERS 4
#define EACH 12000u
static struct { tel__ring ring; tel__atomic_u32 done; uint32_t dropped[PRODUCERS], from; } race;

static void produce(void* arg) {
    uint32_t me = (uint32_t)(uintptr_t)arg, i;
    for (i = 0; i < EACH; i++) {
        if (!push(&race.ring, i << 3 | me << 1 | (i & 1), 16 + 8 * ((i * 7 + me) % 14))) { race.dropped[me]++; tel__thread_yield(); }
    }
    tel__atomic_add_u32(&race.done, 1);
}
static void run_race(uint32_t producers, uint32_t from, bool shared) {
    tel__thread_handle h[PRODUCERS];
    uint32_t next[PRODUCERS] = { 0, 0, 0, 0 }, got = 0, wrong = 0, dropped = 0, i, at, number;
    bool last = false;
    memset(&race, 0, sizeof race);
    CHECK(tel__ring_make(&race.ring, &memory, 2048, shared));
    tel__atomic_store_u32(&race.ring.head, from);
    tel__atomic_store_u32(&race.ring.tail, from);
    race.ring.seen_tail = race.ring.reserved = from;
    for (i = 0; i < producers; i++) { CHECK(tel__thread_start(&h[i], produce, (void*)(uintptr_t)i)); }
    while (!last) {
        const tel__ring_head* r;
        last = tel__atomic_load_acquire_u32(&race.done) == producers;
        at = tel__atomic_load_u32(&race.ring.tail);
        while ((r = tel__ring_next(&race.ring, &at, tel__ring_written(&race.ring))) != NULL) {
            uint32_t who;
            if (!whole(r, &number)) { wrong++; continue; }
            who = number >> 1 & 3;
            wrong += who >= producers || number >> 3 < next[who];
            next[who] = (number >> 3) + 1;
            got++;
        }
        tel__ring_release(&race.ring, at);
        if (!last) { tel__thread_yield(); }
    }
    for (i = 0; i < producers; i++) { tel__thread_join(&h[i]); dropped += race.dropped[i]; }
    CHECK_INT(wrong, 0);
    CHECK_INT(got + dropped, producers * EACH);
    CHECK(got > 0);
    CHECK_INT(tel__ring_used(&race.ring), 0);
    tel__memory_free(&memory, race.ring.data, race.ring.size);
}

/* ---- registry ------------------------------------------------------------------------------------------ */

static void test_registry(void) {
    tel__ring_registry g;
    tel__ring_thread *a, *b;
    tel__ring_books sum;
    uint32_t i, threads = 0;
    tel__ring_registry_init(&g, &memory, 4096, 1, NULL);
    a = tel__ring_thread_add(&g);
    b = tel__ring_thread_add(&g);
    CHECK(a && b && a->id != b->id && g.count == 2 && !a->ring);
    if (!a || !b) { return; }
    for (i = 0; i < 100; i++) {
        char* p = tel__ring_begin(a, 64, TEL__BOOK_LOGS);
        if (p) { p[4] = TEL__RING_LOG; tel__ring_commit(a->ring, p, 64); }
    }
    CHECK(a->ring == &a->own && g.rings == 1);
    CHECK(tel__ring_begin(b, 2048, TEL__BOOK_SPANS) == NULL);           /* more than a quarter */
    CHECK(b->ring == &g.shared && g.shared.shared && g.rings == 1);     /* past max_threads */
    CHECK(tel__ring_begin(b, 1024, TEL__BOOK_SPANS) != NULL);
    sum = tel__ring_totals(&g, &threads);
    CHECK_INT(threads, 2);
    CHECK_INT(tel__atomic_load_u64(&sum.recorded[TEL__BOOK_LOGS]), 100);
    CHECK_INT(tel__atomic_load_u64(&sum.dropped[TEL__BOOK_LOGS]), 100 - 4096 / 64);
    CHECK_INT(tel__atomic_load_u64(&sum.recorded[TEL__BOOK_SPANS]), 2);
    CHECK_INT(tel__atomic_load_u64(&sum.dropped[TEL__BOOK_SPANS]), 1);
    tel__atomic_store_u64(&a->books.taken[TEL__BOOK_LOGS], 60);         /* four were left in the ring: lost, and counted */
    tel__ring_thread_unlink(a);
    tel__ring_thread_free(a);
    CHECK(g.count == 1 && g.rings == 0 && g.threads == b);
    sum = tel__ring_totals(&g, &threads);                                         /* the books outlive the thread */
    CHECK_INT(tel__atomic_load_u64(&sum.recorded[TEL__BOOK_LOGS]), 100);
    CHECK_INT(tel__atomic_load_u64(&sum.dropped[TEL__BOOK_LOGS]) + tel__atomic_load_u64(&sum.taken[TEL__BOOK_LOGS]), 100);
    tel__ring_thread_unlink(b);
    tel__ring_thread_free(b);
    tel__memory_free(&memory, g.shared.data, g.shared.size);
    tel__thread_mutex_destroy(&g.mutex);
}

int main(void) {
    tel__memory_init(&memory, NULL, (uint64_t)1 << 24);
    CHECK_INT(HEAD, 8);
    run_model(0, false);
    run_model(0, true);
    run_model(UINT32_MAX - 4095, false);                /* 2^32 - 4096: head and tail wrap on the way */
    run_model(UINT32_MAX - 4095, true);
    test_full();
    test_uncommitted();
    run_race(1, UINT32_MAX - 65535, false);
    run_race(PRODUCERS, UINT32_MAX - 65535, true);
    test_registry();
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
    return check_done();
}
