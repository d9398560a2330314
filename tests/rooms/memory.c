/* Room test of >>memory: the cap and the exact account of it, failing allocators, aligned blocks, the arena, and
   the stack of free slots alone and with threads. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>

static __thread bool slot_is_fresh;     /* tested by the span room */

/* An allocator that knows what is out and fails when told to. */
static struct { tel__atomic_u64 live; int fail_after; } heap;
static void* heap_alloc(size_t size, void* user_data) {
    (void)user_data;
    if (heap.fail_after > 0 && --heap.fail_after == 0) { return NULL; }
    tel__atomic_add_u64(&heap.live, 1);
    return malloc(size);
}
static void heap_free(void* p, void* user_data) {
    (void)user_data;
    tel__atomic_add_u64(&heap.live, (uint64_t)-1);
    free(p);
}
static void start(tel__memory* m, uint64_t limit) {
    tel_allocator a;
    a.alloc_fn = heap_alloc;
    a.free_fn = heap_free;
    a.user_data = NULL;
    heap.fail_after = 0;
    tel__memory_init(m, &a, limit);
}
static uint64_t used(const tel__memory* m) { return tel__atomic_load_u64(&m->used); }

static bool all(const void* p, size_t size, int value) {
    const unsigned char* b = (const unsigned char*)p;
    size_t i;
    for (i = 0; i < size; i++) { if (b[i] != value) { return false; } }
    return true;
}

static void test_cap(void) {
    tel__memory m;
    void *a, *b;
    start(&m, 1000);
    CHECK(tel__memory_alloc(&m, 0) == NULL);
    CHECK_INT(used(&m), 0);
    a = tel__memory_alloc(&m, 600);
    CHECK(a && used(&m) == 600 && all(a, 600, 0));
    CHECK(tel__memory_alloc(&m, 401) == NULL);
    CHECK_INT(used(&m), 600);                           /* a refusal costs nothing */
    b = tel__memory_alloc_raw(&m, 400);
    CHECK(b && used(&m) == 1000);                       /* to the last byte */
    CHECK(tel__memory_alloc(&m, 1) == NULL);
    CHECK(tel__memory_alloc_raw(&m, SIZE_MAX / 2) == NULL);
    tel__memory_free(&m, a, 600);
    tel__memory_free(&m, NULL, 77);
    CHECK_INT(used(&m), 400);
    heap.fail_after = 1;
    CHECK(tel__memory_alloc(&m, 100) == NULL);
    CHECK_INT(used(&m), 400);                           /* neither does an allocator that has none */
    tel__memory_free(&m, b, 400);
    CHECK(used(&m) == 0 && tel__atomic_load_u64(&heap.live) == 0);
    tel__memory_init(&m, NULL, 64);                     /* the default allocator */
    a = tel__memory_alloc(&m, 64);
    CHECK(a != NULL);
    tel__memory_free(&m, a, 64);
    CHECK_INT(used(&m), 0);
}

/* A part has what it reserved whatever the others take, competes for more, and gives all of it back. */
static void test_parts(void) {
    tel__memory m, part, other;
    void *a, *b, *c, *d;
    start(&m, 1000);
    CHECK(tel__memory_part(&part, &m, 300));
    CHECK(used(&m) == 300 && tel__atomic_load_u64(&m.allocated) == 0);
    CHECK(!tel__memory_part(&other, &m, 701));
    CHECK_INT(used(&m), 300);
    a = tel__memory_alloc(&m, 700);                     /* competing takes all the rest */
    CHECK(a && tel__memory_alloc(&m, 1) == NULL);
    b = tel__memory_alloc(&part, 200);
    c = tel__memory_alloc(&part, 100);
    CHECK(b && c && used(&part) == 300 && used(&m) == 1000);
    CHECK(tel__memory_alloc(&part, 1) == NULL);
    CHECK_INT(used(&part), 300);
    CHECK_INT(tel__atomic_load_u64(&m.allocated), 1000);
    tel__memory_free(&m, a, 700);
    d = tel__memory_alloc(&part, 650);                  /* beyond its reserve it competes */
    CHECK(d && used(&part) == 950 && used(&m) == 950);
    CHECK(tel__memory_alloc(&m, 51) == NULL);
    tel__memory_free(&part, b, 200);                    /* 750 left: 450 of them beyond */
    CHECK(used(&part) == 750 && used(&m) == 750);
    tel__memory_free(&part, d, 650);
    CHECK(used(&part) == 100 && used(&m) == 300);
    heap.fail_after = 1;
    CHECK(tel__memory_alloc(&part, 500) == NULL);
    CHECK(used(&part) == 100 && used(&m) == 300);
    tel__memory_free(&part, c, 100);
    tel__memory_part_end(&part);
    tel__memory_part_end(&part);
    CHECK(used(&m) == 0 && tel__atomic_load_u64(&m.allocated) == 0 && tel__atomic_load_u64(&heap.live) == 0);
}

/* Threads that take and give at a part's limit and at the whole's: in the end nothing is charged twice or forgotten. */
static tel__memory shared_whole, shared_part;
static void* take_and_give(void* arg) {
    size_t size = *(size_t*)arg, got = 0;
    int i;
    for (i = 0; i < 20000; i++) {
        tel__memory* m = i % 3 ? &shared_part : &shared_whole;
        void* p = tel__memory_alloc_raw(m, size + (size_t)(i % 7));
        got += p != NULL;
        tel__memory_free(m, p, size + (size_t)(i % 7));
    }
    return got ? arg : NULL;
}
static void test_parts_on_threads(void) {
    size_t sizes[4] = { 100, 170, 260, 90 };
    pthread_t t[4];
    void* got;
    int i, served = 0;
    start(&shared_whole, 600);
    CHECK(tel__memory_part(&shared_part, &shared_whole, 200));
    for (i = 0; i < 4; i++) { pthread_create(&t[i], NULL, take_and_give, &sizes[i]); }
    for (i = 0; i < 4; i++) {
        pthread_join(t[i], &got);
        served += got != NULL;
    }
    CHECK(served > 0);
    CHECK(used(&shared_part) == 0 && used(&shared_whole) == 200);
    tel__memory_part_end(&shared_part);
    CHECK(used(&shared_whole) == 0 && tel__atomic_load_u64(&shared_whole.allocated) == 0);
}

/* A list that is read while it grows: what stood at an index stands there. */
static void test_list(void) {
    tel__memory m;
    tel__memory_list l;
    static int items[1000];
    uint32_t i, k, wrong = 0;
    start(&m, 1 << 20);
    memset(&l, 0, sizeof l);
    for (i = 0; i < 1000; i++) {
        CHECK(tel__memory_list_add(&l, &m, &items[i]));
        for (k = 0; k <= i; k += 97) { wrong += tel__memory_list_at(&l, k) != &items[k]; }
    }
    CHECK_INT(wrong, 0);
    m.limit = used(&m);
    while (tel__memory_list_room(&l, &m)) { CHECK(tel__memory_list_add(&l, &m, items)); }
    i = tel__atomic_load_u32(&l.count);
    CHECK(!tel__memory_list_add(&l, &m, items) && tel__atomic_load_u32(&l.count) == i);
    tel__memory_list_free(&l, &m);
    CHECK(used(&m) == 0 && tel__atomic_load_u64(&heap.live) == 0);
}

static void test_lines(void) {
    tel__memory m;
    void* p[40];
    size_t i;
    start(&m, 1 << 20);
    for (i = 0; i < 40; i++) {
        p[i] = tel__memory_alloc_lines(&m, i * 37 + 1);
        CHECK(p[i] && ((uintptr_t)p[i] & (TEL__LINE - 1)) == 0 && all(p[i], TEL__ROUND(i * 37 + 1, TEL__LINE), 0));
        if (p[i]) { memset(p[i], 0xff, TEL__ROUND(i * 37 + 1, TEL__LINE)); }    /* the rest of its lines is nobody else's */
    }
    for (i = 0; i < 40; i++) { tel__memory_free_lines(&m, p[i], i * 37 + 1); }
    tel__memory_free_lines(&m, NULL, 9);
    CHECK(used(&m) == 0 && tel__atomic_load_u64(&heap.live) == 0);
    m.limit = 100;
    CHECK(tel__memory_alloc_lines(&m, 1) == NULL);
}

static void test_arena(void) {
    tel__memory m;
    tel__memory_arena a;
    char* p[300];
    size_t i, wrong = 0;
    int round;
    start(&m, 1 << 20);
    memset(&a, 0, sizeof a);
    a.memory = &m;
    tel__memory_rewind(&a);                             /* of nothing */
    for (round = 0; round < 3; round++) {
        for (i = 0; i < 300; i++) {
            p[i] = (char*)tel__memory_take(&a, i * 3 + (i == 150 ? 40000 : 0));
            wrong += !p[i] || ((uintptr_t)p[i] & 7) != 0;
            if (p[i]) { memset(p[i], (int)(i & 0x7f), i * 3 + (i == 150 ? 40000 : 0)); }
        }
        for (i = 0; i < 300; i++) { wrong += p[i] && !all(p[i], i * 3 + (i == 150 ? 40000 : 0), (int)(i & 0x7f)); }
        CHECK_INT(wrong, 0);
        tel__memory_rewind(&a);
        CHECK(a.chunks && !a.chunks->next && a.chunks->capacity >= 40000 && used(&m) == a.chunks->capacity);
        CHECK_INT(tel__atomic_load_u64(&heap.live), 1);
    }
    m.limit = used(&m);                                 /* full: what fits the chunk goes on, more does not */
    CHECK(tel__memory_take(&a, 1000) != NULL);
    CHECK(tel__memory_take(&a, 1 << 20) == NULL);
    CHECK(tel__memory_take(&a, 1000) != NULL);
    tel__memory_release(&a);
    CHECK(!a.chunks && used(&m) == 0 && tel__atomic_load_u64(&heap.live) == 0);
    tel__memory_release(&a);
}

/* ---- slots -------------------------------------------------------------------------------------------- */

#define SLOTS 24

static void slots_start(tel__memory_slots* s, tel__atomic_u32* next, uint32_t count) {
    memset(s, 0, sizeof *s);
    s->count = count;
    s->next = next;
}

static void test_slots(void) {
    tel__memory_slots s;
    tel__atomic_u32 next[SLOTS];
    bool out[SLOTS];
    uint32_t i, k, n, wrong = 0;
    memset(next, 0xee, sizeof next);                    /* undefined until a slot was put back once */
    memset(out, 0, sizeof out);
    slots_start(&s, next, SLOTS);
    for (i = 0; i < SLOTS; i++) {
        k = tel__memory_slot_take(&s, &slot_is_fresh);
        wrong += k >= SLOTS || out[k % SLOTS];
        out[k % SLOTS] = true;
    }
    CHECK_INT(wrong, 0);
    CHECK(tel__memory_slot_take(&s, &slot_is_fresh) == TEL__MEMORY_NO_SLOT);
    CHECK(tel__memory_slot_take(&s, &slot_is_fresh) == TEL__MEMORY_NO_SLOT);
    tel__memory_slot_put(&s, 3);
    tel__memory_slot_put(&s, 0);
    tel__memory_slot_put(&s, SLOTS - 1);
    CHECK_INT(tel__memory_slot_take(&s, &slot_is_fresh), SLOTS - 1);    /* the one put back last */
    CHECK_INT(tel__memory_slot_take(&s, &slot_is_fresh), 0);
    CHECK_INT(tel__memory_slot_take(&s, &slot_is_fresh), 3);
    CHECK(tel__memory_slot_take(&s, &slot_is_fresh) == TEL__MEMORY_NO_SLOT);
    for (n = 0; n < 5; n++) {                           /* the tag changes with every put and take, at its wrap too */
        uint64_t before, put;
        if (n == 2) { tel__atomic_store_u64(&s.head, tel__atomic_load_u64(&s.head) | (uint64_t)0xfffffffeu << 32); }
        before = tel__atomic_load_u64(&s.head);
        tel__memory_slot_put(&s, 7);
        CHECK(tel__atomic_load_u64(&s.head) >> 32 != before >> 32);
        put = tel__atomic_load_u64(&s.head);
        CHECK_INT(tel__memory_slot_take(&s, &slot_is_fresh), 7);
        CHECK(tel__atomic_load_u64(&s.head) >> 32 != put >> 32);
        CHECK((uint32_t)tel__atomic_load_u64(&s.head) == (uint32_t)before && tel__atomic_load_u64(&s.head) != before);
    }
    slots_start(&s, next, 0);
    CHECK(tel__memory_slot_take(&s, &slot_is_fresh) == TEL__MEMORY_NO_SLOT);
}

/* Few slots, many takers: an owner writes plain memory that only the order of put and take protects. */
#define THREADS 4
static struct {
    tel__memory_slots slots;
    tel__atomic_u32   next[6];
    uint64_t          owned[6];         /* plain */
    tel__atomic_u32   wrong, none, go;
} race;

static void take_and_put(void* arg) {
    uint32_t i, held[3], n = 0;
    while (!tel__atomic_load_acquire_u32(&race.go)) { tel__platform_pause(); }
    for (i = 0; i < 20000; i++) {
        if (n < 3 && ((i * 7 + (uint32_t)(uintptr_t)arg) % 3 || n == 0)) {
            uint32_t k = tel__memory_slot_take(&race.slots, &slot_is_fresh);
            if (k == TEL__MEMORY_NO_SLOT) { tel__atomic_add_u32(&race.none, 1); continue; }
            if (k >= 6 || race.owned[k]) { tel__atomic_add_u32(&race.wrong, 1); continue; }
            race.owned[k] = (uint64_t)(uintptr_t)arg + 1;
            held[n++] = k;
        } else if (n) {
            uint32_t k = held[--n];
            if (race.owned[k] != (uint64_t)(uintptr_t)arg + 1) { tel__atomic_add_u32(&race.wrong, 1); }
            race.owned[k] = 0;
            tel__memory_slot_put(&race.slots, k);
        }
    }
    while (n) { race.owned[held[--n]] = 0; tel__memory_slot_put(&race.slots, held[n]); }
}

static void test_slots_threads(void) {
    tel__thread_handle h[THREADS];
    uintptr_t i;
    uint32_t seen = 0;
    memset(&race, 0, sizeof race);
    race.slots.count = 6;
    race.slots.next = race.next;
    for (i = 0; i < THREADS; i++) { CHECK(tel__thread_start(&h[i], take_and_put, (void*)i)); }
    tel__atomic_store_release_u32(&race.go, 1);
    for (i = 0; i < THREADS; i++) { tel__thread_join(&h[i]); }
    CHECK_INT(tel__atomic_load_u32(&race.wrong), 0);
    for (i = 0; i < 6; i++) {                           /* all are back, each once */
        uint32_t k = tel__memory_slot_take(&race.slots, &slot_is_fresh);
        CHECK(k < 6 && !(seen >> k & 1));
        seen |= 1u << (k & 31);
    }
    CHECK(tel__memory_slot_take(&race.slots, &slot_is_fresh) == TEL__MEMORY_NO_SLOT);
}

/* The account under threads: what each gets is never more than the cap together, and in the end all is back. */
static tel__memory crowded;
static tel__atomic_u64 granted, most;
static void alloc_and_free(void* arg) {
    int i;
    for (i = 0; i < 3000; i++) {
        size_t size = 1 + (size_t)((unsigned)i * 13u + (unsigned)(uintptr_t)arg * 7u) % 60u;
        void* p = tel__memory_alloc(&crowded, size);
        if (p) {
            uint64_t now = tel__atomic_add_u64(&granted, size) + size, high = tel__atomic_load_u64(&most);
            while (now > high && !tel__atomic_cas_u64(&most, &high, now)) { }
            memset(p, 1, size);
            tel__atomic_add_u64(&granted, (uint64_t)0 - size);
            tel__memory_free(&crowded, p, size);
        }
    }
}
static void test_cap_threads(void) {
    tel__thread_handle h[THREADS];
    uintptr_t i;
    start(&crowded, 100);
    for (i = 0; i < THREADS; i++) { CHECK(tel__thread_start(&h[i], alloc_and_free, (void*)i)); }
    for (i = 0; i < THREADS; i++) { tel__thread_join(&h[i]); }
    CHECK(tel__atomic_load_u64(&most) > 0 && tel__atomic_load_u64(&most) <= 100);
    CHECK(used(&crowded) == 0 && tel__atomic_load_u64(&heap.live) == 0);
}

int main(void) {
    test_cap();
    test_parts();
    test_parts_on_threads();
    test_list();
    test_lines();
    test_arena();
    test_slots();
    test_slots_threads();
    test_cap_threads();
    return check_done();
}
