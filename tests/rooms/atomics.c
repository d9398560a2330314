/* Room test of >>atomics: every operation against a plain model, then what threads rely on: no lost add, one
   winner of a cas, and publication by release and acquire. Also built with -DTEL_FORCE_LOCKED_ATOMICS. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"

/* ---- the model: one operation after the other, random values with many equal ones ------------------- */

static uint64_t random_state = 0x1234567;
static uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}
static uint64_t random_value(void) {
    static const uint64_t edge[] = { 0, 1, 2, 0x7fffffff, 0x80000000u, 0xffffffffu, 0x100000000u, 0x7fffffffffffffffu,
                                     0x8000000000000000u, UINT64_MAX };
    return random_next() & 1 ? edge[random_next() % TEL__ARRAY_SIZE(edge)] : random_next();
}

typedef uint32_t word_u32;
typedef uint64_t word_u64;
typedef void* word_ptr;
#define MODEL(name, of)                                                                              \
    static void model_##name(void) {                                                                 \
        tel__atomic_##name a[3];                /* neighbours must stay as they are */               \
        word_##name model, guard = of(0x5a5a5a5a5a5a5a5au), v, expected, before;                           \
        int i, wrong = 0;                                                                            \
        tel__atomic_store_##name(&a[0], guard);                                                      \
        tel__atomic_store_##name(&a[2], guard);                                                      \
        tel__atomic_store_##name(&a[1], of(0));                                                      \
        model = of(0);                                                                               \
        for (i = 0; i < 20000; i++) {                                                                \
            v = of(random_value());                                                                  \
            switch (random_next() % 6) {                                                             \
            case 0: tel__atomic_store_##name(&a[1], v); model = v; break;                            \
            case 1: tel__atomic_store_release_##name(&a[1], v); model = v; break;                    \
            case 2: wrong += tel__atomic_swap_##name(&a[1], v) != model; model = v; break;           \
            case 3: expected = model;                                                                \
                    wrong += !tel__atomic_cas_##name(&a[1], &expected, v) || expected != model;      \
                    model = v; break;                                                                \
            case 4: expected = before = of(random_value());                                          \
                    if (tel__atomic_cas_##name(&a[1], &expected, v)) {                               \
                        wrong += before != model || expected != before; model = v;                   \
                    } else { wrong += before == model || expected != model; }                        \
                    break;                                                                           \
            default: wrong += tel__atomic_load_acquire_##name(&a[1]) != model; break;                \
            }                                                                                        \
            wrong += tel__atomic_load_##name(&a[1]) != model;                                        \
            wrong += tel__atomic_load_##name(&a[0]) != guard || tel__atomic_load_##name(&a[2]) != guard; \
        }                                                                                            \
        CHECK_INT(wrong, 0);                                                                         \
    }
#define OF_U32(x) ((uint32_t)(x))
#define OF_U64(x) ((uint64_t)(x))
#define OF_PTR(x) ((void*)(uintptr_t)(x))
MODEL(u32, OF_U32)
MODEL(u64, OF_U64)
MODEL(ptr, OF_PTR)

static void model_add(void) {
    tel__atomic_u32 a;
    tel__atomic_u64 b;
    uint32_t x = 0;
    uint64_t y = 0;
    int i, wrong = 0;
    tel__atomic_store_u32(&a, 0);
    tel__atomic_store_u64(&b, 0);
    for (i = 0; i < 10000; i++) {
        uint64_t n = random_value();
        wrong += tel__atomic_add_u32(&a, (uint32_t)n) != x;
        wrong += tel__atomic_add_u64(&b, n) != y;
        x += (uint32_t)n;
        y += n;
    }
    CHECK_INT(wrong, 0);
    CHECK(tel__atomic_load_u32(&a) == x && tel__atomic_load_u64(&b) == y);
}

static void doubles(void) {
    tel__atomic_u64 a;
    static const double values[] = { 0.0, -0.0, 1.5, -3.25, 1e300, 5e-324 };
    size_t i;
    for (i = 0; i < TEL__ARRAY_SIZE(values); i++) {
        double back = tel__atomic_double(tel__atomic_bits(values[i]));
        CHECK(memcmp(&back, &values[i], sizeof back) == 0);
    }
    CHECK(tel__atomic_bits(1.0) == 0x3ff0000000000000u);
    tel__atomic_store_u64(&a, tel__atomic_bits(1.25));
    tel__atomic_add_double(&a, 2.5);
    tel__atomic_add_double(&a, -0.75);
    CHECK(tel__atomic_load_u64(&a) == tel__atomic_bits(3.0));
}

/* ---- threads ----------------------------------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS  20000

static struct {
    tel__atomic_u32 go, n32, winners[64], ready;
    tel__atomic_u64 n64, sum;
    tel__atomic_ptr hat;
    uint64_t        kept[THREADS];      /* what each thread's swaps took out */
    uint64_t        message[8];         /* plain memory, published by ready */
    int             torn, stale;
} shared;

static void wait_go(void) { while (!tel__atomic_load_acquire_u32(&shared.go)) { tel__platform_pause(); } }

static void hammer(void* arg) {
    uintptr_t me = (uintptr_t)arg;
    uint32_t i;
    wait_go();
    for (i = 0; i < ROUNDS; i++) {
        uint32_t old = tel__atomic_load_u32(&shared.n32);
        tel__atomic_add_u64(&shared.n64, 0x100000001u);
        while (!tel__atomic_cas_u32(&shared.n32, &old, old + 1)) { }
        tel__atomic_add_double(&shared.sum, 0.5);
    }
    for (i = 0; i < 64; i++) {
        uint32_t none = 0;
        if (tel__atomic_cas_u32(&shared.winners[i], &none, (uint32_t)me + 1)) { shared.kept[me] += 1; }
    }
    for (i = 0; i < 1000; i++) {        /* swap conserves: every value put in is taken out once */
        uintptr_t got = (uintptr_t)tel__atomic_swap_ptr(&shared.hat, (void*)(uintptr_t)(me * 1000 + i + 1));
        shared.kept[me] += (uint64_t)got << 16;
    }
}

static void test_hammer(void) {
    tel__thread_handle h[THREADS];
    uintptr_t i;
    uint64_t winners = 0, taken = 0, put = 0;
    memset(&shared, 0, sizeof shared);
    for (i = 0; i < THREADS; i++) { CHECK(tel__thread_start(&h[i], hammer, (void*)i)); }
    tel__atomic_store_release_u32(&shared.go, 1);
    for (i = 0; i < THREADS; i++) { tel__thread_join(&h[i]); }
    CHECK_INT(tel__atomic_load_u32(&shared.n32), THREADS * ROUNDS);
    CHECK(tel__atomic_load_u64(&shared.n64) == (uint64_t)THREADS * ROUNDS * 0x100000001u);
    CHECK(tel__atomic_load_u64(&shared.sum) == tel__atomic_bits(THREADS * ROUNDS * 0.5));
    for (i = 0; i < THREADS; i++) { winners += shared.kept[i] & 0xffff; taken += shared.kept[i] >> 16; }
    CHECK_INT(winners, 64);
    for (i = 1; i <= THREADS * 1000; i++) { put += i; }
    CHECK(taken + (uintptr_t)tel__atomic_load_ptr(&shared.hat) == put);
}

/* A 64-bit cell is read whole although 32-bit machines have two halves. */
static void write_halves(void* arg) {
    uint32_t i;
    (void)arg;
    wait_go();
    for (i = 0; i < 5 * ROUNDS; i++) { tel__atomic_store_u64(&shared.n64, i & 1 ? UINT64_MAX : 0); }
    tel__atomic_store_release_u32(&shared.ready, 1);
}
static void read_halves(void* arg) {
    (void)arg;
    wait_go();
    while (!tel__atomic_load_acquire_u32(&shared.ready)) {
        uint64_t v = tel__atomic_load_u64(&shared.n64);
        if (v != 0 && v != UINT64_MAX) { shared.torn++; }
    }
}

/* Message passing: what was written before a store with release is seen after the load with acquire. */
static void publish(void* arg) {
    uint32_t i;
    size_t k;
    (void)arg;
    wait_go();
    for (i = 1; i <= ROUNDS / 4; i++) {
        while (tel__atomic_load_acquire_u32(&shared.ready) != 0) { tel__thread_yield(); }
        for (k = 0; k < 8; k++) { shared.message[k] = i * (k + 1); }
        tel__atomic_store_release_u32(&shared.ready, i);
    }
}
static void receive(void* arg) {
    uint32_t i;
    size_t k;
    (void)arg;
    wait_go();
    for (i = 1; i <= ROUNDS / 4; i++) {
        uint32_t got;
        while ((got = tel__atomic_load_acquire_u32(&shared.ready)) == 0) { tel__thread_yield(); }
        for (k = 0; k < 8; k++) { shared.stale += shared.message[k] != got * (k + 1); }
        tel__atomic_store_release_u32(&shared.ready, 0);
    }
}

static void pair(void (*one)(void* arg), void (*other)(void* arg)) {
    tel__thread_handle h[2];
    memset(&shared, 0, sizeof shared);
    CHECK(tel__thread_start(&h[0], one, NULL));
    CHECK(tel__thread_start(&h[1], other, NULL));
    tel__atomic_store_release_u32(&shared.go, 1);
    tel__thread_join(&h[0]);
    tel__thread_join(&h[1]);
    CHECK_INT(shared.torn, 0);
    CHECK_INT(shared.stale, 0);
}

int main(void) {
    model_u32();
    model_u64();
    model_ptr();
    model_add();
    doubles();
    CHECK_INT(sizeof(tel__atomic_u64), 8);
    CHECK_INT(sizeof(tel__atomic_u32), 4);
    test_hammer();
    pair(write_halves, read_halves);
    pair(publish, receive);
    return check_done();
}
