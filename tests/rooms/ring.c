/* Room test of >>ring and >>registry: chunks, jumps, gaps and the way back to the beginning against a model queue, full and
   drop counts, who may take the last chunks, the shared ring with many producers and the wrap of its head and tail at 2^32,
   checksummed records under threads, rings that outlive their threads, and the registry's books. */
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
    if (r->shared && number % 16 == 0) { tel__thread_yield(); }         /* others commit behind it */
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
static uint32_t named;                                  /* threads that introduced themselves */

/* Reads up to `most` records that are there now, in order from *next. Returns how many were wrong. */
static uint32_t pop(tel__ring* r, uint32_t* next, uint32_t most) {
    const tel__ring_head* h;
    uint32_t wrong = 0, number;
    tel__ring_aim(r);
    while (most && (h = tel__ring_next(r)) != NULL) {
        if (h->kind == TEL__RING_THREAD) {
            named += ((const tel__ring_thread*)(const void*)h)->id != 0;
            tel__ring_pass(r, h);
            continue;
        }
        wrong += !whole(h, &number) || number != *next;
        (*next)++;
        most--;
        tel__ring_pass(r, h);
    }
    tel__ring_release(r);
    return wrong;
}
static void begin(tel__ring_pool* g, tel__ring* r, uint32_t bytes, bool shared) {
    CHECK(tel__ring_pool_make(g, &memory, bytes));
    if (shared) { tel__ring_make_shared(r, g); } else { tel__ring_make(r, g); CHECK(tel__ring_begin(r)); }
}

/* ---- one thread ---- */

/* Random sizes and random drains, the shared ring from any starting point, also just before 2^32. */
static void run_model(uint32_t bytes, uint32_t from, bool shared) {
    tel__ring_pool g;
    tel__ring r;
    uint32_t seed = 12345, pushed = 0, popped = 0, full = 0, wrong = 0, i;
    begin(&g, &r, bytes, shared);
    if (shared) {
        tel__atomic_store_u32(&r.head, from);
        tel__atomic_store_u32(&r.tail, from);
        r.at = r.goal = from;
    }
    for (i = 0; i < 40000; i++) {
        seed = seed * 1664525u + 1013904223u;
        if (seed >> 30) {
            if (push(&r, pushed, 16 + 8 * (seed >> 8 & 15))) { pushed++; } else { full++; }
        } else if (seed >> 4 & 1) { wrong += pop(&r, &popped, seed >> 5 & 15); }
        else { wrong += pop(&r, &popped, UINT32_MAX); }
        wrong += !shared && tel__atomic_load_u32(&g.used) != r.taken - tel__atomic_load_u32(&r.given);
    }
    while (push(&r, pushed, 136)) { pushed++; }                         /* to the brim */
    wrong += pop(&r, &popped, UINT32_MAX);
    CHECK_INT(wrong, 0);
    CHECK(popped == pushed && full + bytes / 4096 > 0 && pushed > 5000);
    CHECK(tel__ring_empty(&r));
    if (!shared) { CHECK_INT(tel__atomic_load_u32(&g.used), 1); }
    tel__ring_pool_free(&g);
}

static void test_pool(void) {
    tel__ring_pool g;
    tel__ring a, b, c;
    uint32_t n = 0, popped = 0, chunks;
    CHECK(tel__ring_pool_make(&g, &memory, 65536));
    CHECK(g.chunk == 4096 && g.shared == 8192 && g.slots.count == 14);
    tel__ring_make(&a, &g);
    tel__ring_make(&b, &g);
    tel__ring_make(&c, &g);
    CHECK(tel__ring_begin(&a) && tel__ring_begin(&a));
    CHECK_INT(tel__atomic_load_u32(&g.used), 1);
    while (push(&a, n, 128)) { n++; }
    chunks = 14 - 14 / 4;
    CHECK_INT(tel__atomic_load_u32(&g.used), chunks);
    CHECK_INT(n, chunks * ((4096 - 8) / 128));            /* each chunk but for a last record and its jump */
    CHECK(tel__ring_begin(&b) && tel__ring_begin(&c));  /* the last ones are for those who have none */
    CHECK(push(&b, 0, 4088) && !push(&b, 1, 16));       /* the largest record fills a chunk; no second one */
    CHECK(!push(&c, 0, 4096));                          /* larger than a record may be */
    CHECK_INT(pop(&a, &popped, UINT32_MAX), 0);
    CHECK(popped == n && tel__atomic_load_u32(&g.used) == 3);
    CHECK(push(&b, 1, 16));
    popped = 0;
    CHECK_INT(pop(&b, &popped, 1), 0);
    tel__ring_retire(&b);                               /* not before it is empty */
    CHECK_INT(tel__atomic_load_u32(&g.used), 4);
    CHECK_INT(pop(&b, &popped, UINT32_MAX), 0);
    CHECK_INT(tel__atomic_load_u32(&g.used), 3);
    tel__ring_retire(&b);
    tel__ring_retire(&b);
    CHECK_INT(tel__atomic_load_u32(&g.used), 2);
    CHECK(tel__ring_begin(&b) && push(&b, 2, 64));      /* and it can begin again */
    CHECK(pop(&b, &popped, UINT32_MAX) == 0 && popped == 3);
    tel__ring_pool_free(&g);
}

/* A pool fills with what waits, and not with threads that record nothing and keep their first chunk. */
static void test_filling(void) {
    static tel__registry registry;
    tel__ring_pool* g = &registry.pool;
    tel__ring r[14];
    uint32_t i, n = 0, popped = 0;
    CHECK(tel__ring_pool_make(g, &memory, 65536) && g->slots.count == 14);
    for (i = 0; i < 14; i++) { tel__ring_make(&r[i], g); }
    for (i = 0; i < 8; i++) { CHECK(tel__ring_begin(&r[i]) && !tel__registry_filling(&registry)); }
    while (tel__atomic_load_u32(&g->used) < 9) { CHECK(push(&r[0], n++, 128)); }
    CHECK(!tel__registry_filling(&registry));                 /* one of the three that the others leave */
    while (tel__atomic_load_u32(&g->used) < 10) { CHECK(push(&r[0], n++, 128)); }
    CHECK(tel__registry_filling(&registry));
    CHECK_INT(pop(&r[0], &popped, UINT32_MAX), 0);
    CHECK(popped == n && !tel__registry_filling(&registry));
    for (i = 8; i < 11; i++) { CHECK(tel__ring_begin(&r[i])); }
    CHECK(tel__registry_filling(&registry));                  /* nobody gets a second one */
    for (i = 1; i < 11; i++) { tel__ring_retire(&r[i]); }
    CHECK(tel__atomic_load_u32(&g->rings) == 1 && !tel__registry_filling(&registry));
    tel__ring_pool_free(g);
}

/* A quiet thread touches the first lines of one chunk: what is read is written over. */
static void test_restart(void) {
    tel__ring_pool g;
    tel__ring r;
    uint32_t i, popped = 0, most = 0;
    begin(&g, &r, 1u << 20, false);
    CHECK_INT(g.chunk, 65536);
    for (i = 0; i < 10000; i++) {
        CHECK(push(&r, i, 200));
        if (r.reserved % g.chunk > most) { most = r.reserved % g.chunk; }
        if (i % 5 == 4) { CHECK_INT(pop(&r, &popped, UINT32_MAX), 0); }
    }
    CHECK(popped == 10000 && most < 2 * g.chunk / TEL__RING_LEAST && r.taken == 1);
    for (; i < 10300; i++) { CHECK(push(&r, i, 200)); } /* an unread jump in the middle is leapt over */
    CHECK(r.taken == 1 && pop(&r, &popped, UINT32_MAX) == 0 && popped == 10300);
    tel__ring_pool_free(&g);
}

/* The producer that has filled some chunks rings, once for each that it takes then. One that finds the shared ring more
   than half full rings after each commit, and never while its own record is busy. */
static void test_alarm(void) {
    tel__ring_pool g;
    tel__ring r;
    tel__thread_alarm alarm;
    uint32_t n = 0, popped = 0;
    uint64_t now = tel__clock_mono_ns();
    begin(&g, &r, 1u << 20, false);
    tel__thread_alarm_init(&alarm);
    g.alarm = &alarm;
    CHECK_INT(g.wake, 1);
    while (r.taken == 1) { push(&r, n++, 128); }
    tel__thread_alarm_sleep(&alarm, now);               /* over at once */
    while (r.taken <= g.wake + 1) { push(&r, n++, 128); }
    tel__thread_alarm_sleep(&alarm, UINT64_MAX);        /* the watchdog would end it */
    CHECK(pop(&r, &popped, UINT32_MAX) == 0 && popped == n);
    tel__ring_make_shared(&r, &g);
    CHECK(push(&r, 0, r.size / 2) && tel__ring_reserve(&r, 64));
#ifdef TEL__THREAD_RUNG
    CHECK(tel__atomic_load_u32(&alarm.state) != TEL__THREAD_RUNG);
#endif
    for (n = 1; n < 3; n++) {
        CHECK(push(&r, n, 64));
        tel__thread_alarm_sleep(&alarm, UINT64_MAX);
    }
    tel__thread_alarm_destroy(&alarm);
    tel__ring_pool_free(&g);
}

static void test_full_shared(void) {
    tel__ring_pool g;
    tel__ring r;
    uint32_t n = 0, popped = 0;
    begin(&g, &r, 4096, true);
    CHECK_INT(r.size, 2048);
    CHECK(!push(&r, 0, 1032) && push(&r, 0, 1024));     /* the largest one: half of it */
    CHECK(pop(&r, &popped, UINT32_MAX) == 0 && popped == 1);
    for (n = 1; push(&r, n, 64); n++) { }
    CHECK_INT(n - 1, 32);                               /* to the last byte */
    CHECK(pop(&r, &popped, 1) == 0 && push(&r, n, 64) && !push(&r, 9, 16));
    CHECK(pop(&r, &popped, UINT32_MAX) == 0 && popped == 34);
    tel__ring_pool_free(&g);
}

/* A busy record of the shared ring holds back its bytes and those behind it, but no record. */
static void test_busy(void) {
    tel__ring_pool g;
    tel__ring r;
    uint32_t one = 1, check, n = 2, popped = 2;
    char* p;
    begin(&g, &r, 4096, true);
    p = tel__ring_reserve(&r, 64);
    for (; n < 10; n++) { CHECK(push(&r, n, 64)); }
    CHECK(pop(&r, &popped, 3) == 0 && popped == 5);
    CHECK(pop(&r, &popped, UINT32_MAX) == 0 && popped == 10);           /* none twice */
    for (; push(&r, n, 64); n++) { }
    CHECK_INT(n - 1, 32);                               /* and no byte is given back */
    CHECK(pop(&r, &popped, UINT32_MAX) == 0 && popped == n && !tel__ring_empty(&r));
    if (p) {
        check = sum_of((const unsigned char*)p + 16, 48);
        p[4] = TEL__RING_SPAN;
        memcpy(p + 8, &one, 4);
        memcpy(p + 12, &check, 4);
        tel__ring_commit(&r, p, 64);
    }
    popped = 1;
    CHECK(pop(&r, &popped, UINT32_MAX) == 0 && popped == 2 && tel__ring_empty(&r));
    CHECK(r.data[0] == 0 && memcmp(r.data, r.data + 1, r.size - 1) == 0);       /* zeroed for the next round */
    tel__ring_pool_free(&g);
}

/* ---- threads ------------------------------------------------------------------------------------------ */

#define PRODUCERS 4
#define EACH 12000u
static struct { tel__ring_pool pool; tel__ring rings[PRODUCERS]; tel__atomic_u32 done; uint32_t dropped[PRODUCERS], from; } race;

static void produce(uint32_t me, tel__ring* r) {
    uint32_t i;
    for (i = 0; i < EACH; i++) {
        if (!push(r, i << 3 | me << 1 | (i & 1), 16 + 8 * ((i * 7 + me) % 14))) { race.dropped[me]++; tel__thread_yield(); }
        if (i % 1000 == 0) { tel__thread_yield(); }     /* now and then it finds everything read */
    }
    tel__atomic_add_u32(&race.done, 1);
}
static void produce_shared(void* arg) { produce((uint32_t)(uintptr_t)arg, &race.rings[0]); }
static void produce_own(void* arg) { produce((uint32_t)(uintptr_t)arg, &race.rings[(uintptr_t)arg]); }

static void run_race(uint32_t producers, uint32_t bytes, uint32_t from, bool shared) {
    tel__thread_handle h[PRODUCERS];
    uint32_t next[PRODUCERS] = { 0, 0, 0, 0 }, got = 0, wrong = 0, dropped = 0, rings = shared ? 1 : producers, i, number;
    bool last = false;
    memset(&race, 0, sizeof race);
    begin(&race.pool, &race.rings[0], bytes, shared);
    if (shared) {
        tel__atomic_store_u32(&race.rings[0].head, from);
        tel__atomic_store_u32(&race.rings[0].tail, from);
        race.rings[0].at = race.rings[0].goal = from;
    }
    for (i = 1; i < rings; i++) { tel__ring_make(&race.rings[i], &race.pool); CHECK(tel__ring_begin(&race.rings[i])); }
    for (i = 0; i < producers; i++) { CHECK(tel__thread_start(&h[i], shared ? produce_shared : produce_own, (void*)(uintptr_t)i)); }
    while (!last) {
        last = tel__atomic_load_acquire_u32(&race.done) == producers;
        for (i = 0; i < rings; i++) {
            const tel__ring_head* r;
            tel__ring_aim(&race.rings[i]);
            while ((r = tel__ring_next(&race.rings[i])) != NULL) {
                uint32_t who;
                bool fine = whole(r, &number);
                tel__ring_pass(&race.rings[i], r);
                if (!fine) { wrong++; continue; }
                who = number >> 1 & 3;
                wrong += who >= producers || number >> 3 < next[who];
                next[who] = (number >> 3) + 1;
                got++;
            }
            tel__ring_release(&race.rings[i]);
        }
        if (!last) { tel__thread_yield(); }
    }
    for (i = 0; i < producers; i++) { tel__thread_join(&h[i]); dropped += race.dropped[i]; }
    CHECK_INT(wrong, 0);
    CHECK_INT(got + dropped, producers * EACH);
    CHECK(got > 0);
    for (i = 0; i < rings; i++) { CHECK(tel__ring_empty(&race.rings[i])); }
    if (!shared) { CHECK_INT(tel__atomic_load_u32(&race.pool.used), rings); }
    tel__ring_pool_free(&race.pool);
}

/* ---- registry ------------------------------------------------------------------------------------------ */

static void log_into(tel__registry_thread* t, uint32_t number) {
    uint32_t check;
    char* p = tel__registry_begin(t, 64, TEL__REGISTRY_LOGS);
    if (!p) { return; }
    memset(p + 4, 0, 60);
    p[4] = number & 1 ? TEL__RING_SPAN : TEL__RING_LOG;
    memcpy(p + 8, &number, 4);
    check = sum_of((const unsigned char*)p + 16, 48);
    memcpy(p + 12, &check, 4);
    tel__ring_commit(t->ring, p, 64);
}

static void test_registry(void) {
    tel__registry g;
    tel__registry_thread *a, *b, *c;
    tel__registry_books sum;
    tel__diag diag;
    uint32_t i, threads = 0, popped = 0, chunks, kept;
    tel__diag_init(&diag, NULL);
    CHECK_INT(tel__registry_init(&g, &memory, &diag, 16384, 1, 7, NULL), TEL_OK);
    CHECK(g.pool.chunk == 1024 && g.pool.slots.count == 14);
    a = tel__registry_add(&g);
    b = tel__registry_add(&g);
    CHECK(a && b && a->id != b->id && g.count == 2 && !a->ring);
    if (!a || !b) { return; }
    for (i = 0; i < 1000; i++) { log_into(a, i); }
    chunks = 14 - 14 / 4;
    kept = chunks * (1024 / 64 - 1);
    CHECK(a->own && a->ring == &a->own->ring && g.ring_count == 1);
    CHECK(tel__registry_begin(b, 2048, TEL__REGISTRY_SPANS) == NULL);           /* larger than a record may be */
    CHECK(b->ring == &g.shared && g.shared.shared && g.ring_count == 1);        /* past max_threads */
    CHECK(tel__atomic_load_ptr(&diag.noted[TEL__DIAG_THREADS]) != NULL);        /* and that is said */
    CHECK(tel__registry_begin(b, 1024, TEL__REGISTRY_SPANS) != NULL);
    sum = tel__registry_totals(&g, &threads);
    CHECK_INT(threads, 2);
    CHECK_INT(tel__atomic_load_u64(&sum.recorded[TEL__REGISTRY_LOGS]), 1000);
    CHECK_INT(tel__atomic_load_u64(&sum.dropped[TEL__REGISTRY_LOGS]), 1000 - kept);
    CHECK_INT(tel__atomic_load_u64(&sum.recorded[TEL__REGISTRY_SPANS]), 2);
    CHECK_INT(tel__atomic_load_u64(&sum.dropped[TEL__REGISTRY_SPANS]), 1);
    tel__registry_unlink(a);                            /* its ring stays, with what is in it ... */
    tel__registry_free(a);
    CHECK(g.count == 1 && g.ring_count == 1 && g.idle == g.rings && !g.idle->owned && g.threads == b);
    sum = tel__registry_totals(&g, &threads);           /* ... and its books too */
    CHECK_INT(tel__atomic_load_u64(&sum.recorded[TEL__REGISTRY_LOGS]), 1000);
    CHECK_INT(pop(&g.rings->ring, &popped, 16), 0);
    c = tel__registry_add(&g);                          /* ... until the next thread goes on in it */
    if (c) { for (i = 0; i < 4; i++) { log_into(c, kept + i); } }
    CHECK(c && c->own == g.rings && !g.idle && g.rings->owned && g.ring_count == 1);
    CHECK_INT(pop(&g.rings->ring, &popped, UINT32_MAX), 0);
    CHECK_INT(popped, kept + 4);                        /* there was room: ten were read */
#ifdef __linux__
    CHECK_INT(named, 2);                                /* a and c */
#endif
    if (c) { tel__registry_unlink(c); tel__registry_free(c); }
    tel__ring_retire(&g.rings->ring);
    CHECK_INT(tel__atomic_load_u32(&g.pool.used), 0);
    tel__registry_clear(&g);
    CHECK(g.idle == g.rings && g.shared.size == 0);
    tel__registry_unlink(b);
    tel__registry_free(b);
    tel__registry_close(&g);
}

int main(void) {
    tel__memory_init(&memory, NULL, (uint64_t)1 << 24);
    alarm(100);
    CHECK_INT(HEAD, 8);
    run_model(4096, 0, false);
    run_model(65536, 0, false);
    run_model(4096, 0, true);
    run_model(4096, UINT32_MAX - 4095, true);           /* 2^32 - 4096: head and tail wrap on the way */
    test_pool();
    test_filling();
    test_restart();
    test_alarm();
    test_full_shared();
    test_busy();
    run_race(1, 4096, 0, false);
    run_race(PRODUCERS, 16384, 0, false);
    run_race(PRODUCERS, 1u << 20, 0, false);
    run_race(PRODUCERS, 4096, UINT32_MAX - 65535, true);
    test_registry();
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
    return check_done();
}
