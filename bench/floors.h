/* floors.h -- the physical limits that the figures of bench.c stand beside, measured in the same run: the least
   work by which this machine could do each job, without any of what makes it a product (registration, fork,
   memory cap, several sinks, drops that are counted). Numbers, no API. */
#ifndef BENCH_FLOORS_H
#define BENCH_FLOORS_H

#include "measure.h"

/* The time stamp: what the header itself may use on this machine. */
static inline uint64_t floor_stamp(void) {
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t t;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
    return t;
#else
    return bench_now();
#endif
}

/* ---- counters ---- */

static __thread uint64_t  floor_own;
static __thread uint64_t* floor_shard;
static uint64_t           floor_shards[BENCH_THREADS][64] __attribute__((aligned(128)));
static uint64_t           floor_shared __attribute__((aligned(128)));
uint32_t                  floor_flag __attribute__((aligned(128)));
static volatile uint32_t  floor_handle = 5;

static void floor_loop(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) { BENCH_FENCE(); }
}

static void floor_tls(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) {
        __atomic_store_n(&floor_own, __atomic_load_n(&floor_own, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
        BENCH_FENCE();
    }
}

/* Thread-local pointer, null check, indexed cell. */
static BENCH_NOINLINE void floor_shard_add(uint32_t handle, uint64_t v) {
    uint64_t* shard = floor_shard;
    if (shard == NULL) { return; }
    __atomic_store_n(&shard[handle], __atomic_load_n(&shard[handle], __ATOMIC_RELAXED) + v, __ATOMIC_RELAXED);
}
static void floor_shard_loop(int thread, uint64_t n) {
    uint32_t handle = floor_handle;
    floor_shard = floor_shards[thread];
    for (uint64_t i = 0; i < n; i++) { floor_shard_add(handle, 1); BENCH_FENCE(); }
}

static void floor_xadd(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) { __atomic_fetch_add(&floor_shared, 1, __ATOMIC_RELAXED); BENCH_FENCE(); }
}

static BENCH_NOINLINE void floor_store_one(uint64_t v) { __atomic_store_n(&floor_shared, v, __ATOMIC_RELAXED); }
static void floor_store(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) { floor_store_one(i); BENCH_FENCE(); }
}

static BENCH_NOINLINE void floor_disabled_one(void) {
    if (__atomic_load_n(&floor_flag, __ATOMIC_RELAXED) != 0) { floor_own++; }
}
static void floor_disabled(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) { floor_disabled_one(); BENCH_FENCE(); }
}

/* ---- attributes ---- */

typedef struct floor_attr { const char* key; size_t key_size; const char* value; size_t value_size; } floor_attr;
typedef struct floor_series { uint64_t hash, count; floor_attr attrs[3]; char text[40]; } floor_series;
#define FLOOR_TABLE 8192u
static floor_series floor_table[FLOOR_TABLE];
static floor_attr   floor_sets[BENCH_SERIES][3];

static inline uint64_t floor_mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
}
static inline uint64_t floor_hash_bytes(uint64_t h, const char* p, size_t n) {
    uint64_t w;
    for (; n >= 8; n -= 8, p += 8) { memcpy(&w, p, 8); h = floor_mix(h, w); }
    w = n;
    while (n > 0) { w = w << 8 | (uint8_t)p[--n]; }
    return floor_mix(h, w);
}
static inline bool floor_same(const floor_attr* a, const floor_attr* b) {
    return a->key == b->key && a->value_size == b->value_size && memcmp(a->value, b->value, a->value_size) == 0;
}
static floor_series* floor_find(const floor_attr* a) {
    uint64_t h = 0;
    for (int i = 0; i < 3; i++) {
        h = floor_mix(h, (uint64_t)(uintptr_t)a[i].key);
        h = floor_hash_bytes(h, a[i].value, a[i].value_size);
    }
    for (uint64_t at = h;; at++) {
        floor_series* s = &floor_table[at & (FLOOR_TABLE - 1)];
        if (s->hash == h && floor_same(&a[0], &s->attrs[0]) && floor_same(&a[1], &s->attrs[1]) &&
            floor_same(&a[2], &s->attrs[2])) { return s; }
        if (s->hash == 0) {
            s->hash = h;
            memcpy(s->attrs, a, sizeof s->attrs);
            return s;
        }
    }
}
static BENCH_NOINLINE void floor_add_with(const floor_attr* a) { floor_find(a)->count++; }

static void floor_fill_sets(void) {
    for (uint32_t k = 0; k < BENCH_SERIES; k++) {
        floor_attr* a = floor_sets[k];
        a[0].key = "http.route";                a[0].value = bench_routes[k & 15];
        a[1].key = "http.response.status_code"; a[1].value = bench_codes[(k >> 4) & 15];
        a[2].key = "server.address";            a[2].value = bench_hosts[k >> 8];
        for (int i = 0; i < 3; i++) { a[i].key_size = strlen(a[i].key); a[i].value_size = strlen(a[i].value); }
        floor_find(a);
    }
}

static void floor_probe_hot(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) { floor_add_with(floor_sets[77]); BENCH_FENCE(); }
}
static void floor_probe_any(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) {
        floor_add_with(floor_sets[bench_order[i & (BENCH_SERIES - 1)]]);
        BENCH_FENCE();
    }
}

/* A repeated call site: keys by address, values by content, then the cell of the last hit. */
typedef struct floor_site { floor_attr last[3]; uint64_t* cell; } floor_site;
static __thread floor_site floor_last;
static BENCH_NOINLINE void floor_site_add(const floor_attr* a) {
    floor_site* s = &floor_last;
    if (floor_same(&a[0], &s->last[0]) && floor_same(&a[1], &s->last[1]) && floor_same(&a[2], &s->last[2])) {
        __atomic_store_n(s->cell, __atomic_load_n(s->cell, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
        return;
    }
    memcpy(s->last, a, sizeof s->last);
}
static void floor_site_loop(int thread, uint64_t n) {
    memcpy(floor_last.last, floor_sets[78], sizeof floor_last.last);
    floor_last.cell = &floor_shards[thread][7];
    for (uint64_t i = 0; i < n; i++) { floor_site_add(floor_sets[78]); BENCH_FENCE(); }
}

/* ---- histogram: 15 bounds, count, sum, min, max in a cell of the thread ---- */

typedef struct floor_cell { uint64_t count; double sum, min, max; uint64_t buckets[16]; } floor_cell;
static floor_cell floor_cells[BENCH_THREADS][2] __attribute__((aligned(128)));
static __thread floor_cell* floor_histogram_cell;

static BENCH_NOINLINE void floor_record(double v) {
    floor_cell* c = floor_histogram_cell;
    uint32_t at = 0;
    at += (bench_bounds[at + 7] < v) ? 8u : 0u;
    at += (bench_bounds[at + 3] < v) ? 4u : 0u;
    at += (bench_bounds[at + 1] < v) ? 2u : 0u;
    at += (at < 15 && bench_bounds[at] < v) ? 1u : 0u;
    c->buckets[at]++;
    c->count++;
    c->sum += v;
    if (v < c->min) { c->min = v; }
    if (v > c->max) { c->max = v; }
}
static void floor_histogram(int thread, uint64_t n) {
    floor_histogram_cell = floor_cells[thread];
    for (uint64_t i = 0; i < n; i++) { floor_record(bench_values[i & (BENCH_VALUES - 1)]); BENCH_FENCE(); }
}

/* The same with 160 exponential buckets: four in each octave, from the bits of the value alone. */
static uint64_t floor_octaves[BENCH_THREADS][160 + 16] __attribute__((aligned(128)));
static __thread uint64_t* floor_octaves_own;
static BENCH_NOINLINE void floor_record_octaves(double v) {
    floor_cell* c = floor_histogram_cell;
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    floor_octaves_own[(uint32_t)(bits >> 50) - (1023u - 20u) * 4u]++;
    c->count++;
    c->sum += v;
    if (v < c->min) { c->min = v; }
    if (v > c->max) { c->max = v; }
}
static void floor_exponential(int thread, uint64_t n) {
    floor_histogram_cell = floor_cells[thread];
    floor_octaves_own = floor_octaves[thread];
    for (uint64_t i = 0; i < n; i++) {
        floor_record_octaves(bench_values[i & (BENCH_VALUES - 1)]);
        BENCH_FENCE();
    }
}

/* ---- clocks, ids, rings ---- */

static void floor_tsc(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) { BENCH_KEEP(floor_stamp()); }
}
static void floor_clock(int thread, uint64_t n) {
    (void)thread;
    for (uint64_t i = 0; i < n; i++) { BENCH_KEEP(bench_now()); }
}

#define FLOOR_RING (256u * 1024u)           /* the header's default ring */
static uint8_t floor_rings[BENCH_THREADS][FLOOR_RING] __attribute__((aligned(128)));
typedef struct floor_thread {
    uint64_t id[4];
    uint8_t* ring;
    uint64_t head, tail;
} __attribute__((aligned(128))) floor_thread;
static floor_thread floor_threads[BENCH_THREADS];
static uint8_t      floor_drained[FLOOR_RING];

static floor_thread* floor_me_init(int thread) {
    floor_thread* me = &floor_threads[thread];
    me->ring = floor_rings[thread];
    for (int i = 0; i < 4; i++) { me->id[i] = 0x9E3779B97F4A7C15u * (uint64_t)(thread * 4 + i + 1); }
    return me;
}

/* Between two bursts: one thread copies out what all have written, as every exporter must. The lines of the rings
   are then in that cpu's cache, and the next writes have to fetch them back. */
static void floor_drain(void) {
    for (int i = 0; i < BENCH_THREADS; i++) {
        floor_thread* t = &floor_threads[i];
        uint64_t head = __atomic_load_n(&t->head, __ATOMIC_ACQUIRE);
        for (; t->tail != head; t->tail += 64) {
            uint64_t at = t->tail & (FLOOR_RING - 1);
            memcpy(floor_drained + at, t->ring + at, 64);
        }
    }
    BENCH_FENCE();
}
static inline uint64_t* floor_claim(floor_thread* me, uint32_t size) {
    return (uint64_t*)(void*)(me->ring + (me->head & (FLOOR_RING - size)));
}
static inline void floor_publish(floor_thread* me, uint32_t size) {
    __atomic_store_n(&me->head, me->head + size, __ATOMIC_RELEASE);
}
static inline uint64_t floor_id(floor_thread* me) {         /* xoshiro256++ */
    uint64_t* s = me->id;
    uint64_t sum = s[0] + s[3], r = ((sum << 23) | (sum >> 41)) + s[0], t = s[1] << 17;
    s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3]; s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return r;
}

static void floor_ids(int thread, uint64_t n) {
    floor_thread* me = floor_me_init(thread);
    for (uint64_t i = 0; i < n; i++) {
        BENCH_KEEP(floor_id(me));
        BENCH_KEEP(floor_id(me));
        BENCH_KEEP(floor_id(me));
    }
}

#define FLOOR_RING_WRITE(name, size)                                                                          \
    static void name(int thread, uint64_t n) {                                                                \
        floor_thread* me = floor_me_init(thread);                                                             \
        for (uint64_t i = 0; i < n; i++) {                                                                    \
            uint64_t* at = floor_claim(me, size);                                                             \
            for (uint32_t k = 0; k < size / 8; k++) { at[k] = i; }                                            \
            floor_publish(me, size);                                                                          \
            BENCH_FENCE();                                                                                    \
        }                                                                                                     \
    }
FLOOR_RING_WRITE(floor_ring64, 64)
FLOOR_RING_WRITE(floor_ring128, 128)

/* A span: two time stamps, a trace id and a span id, one record; three attributes make it 128 bytes. */
static BENCH_NOINLINE void floor_span_one(floor_thread* me, const char* name, const floor_attr* attrs, int precise) {
    uint32_t size = attrs != NULL ? 128u : 64u;
    uint64_t begin = precise ? bench_now() : floor_stamp();
    uint64_t trace_high = floor_id(me), trace_low = floor_id(me), id = floor_id(me);
    uint64_t* at = floor_claim(me, size);
    at[0] = begin;
    at[1] = trace_high;
    at[2] = trace_low;
    at[3] = id;
    at[4] = 0;
    at[5] = (uint64_t)(uintptr_t)name;
    at[6] = size;
    if (attrs != NULL) {
        uint8_t* to = (uint8_t*)(at + 8);
        for (int i = 0; i < 3; i++) {
            memcpy(to, &attrs[i].key, sizeof attrs[i].key);
            to[8] = (uint8_t)attrs[i].value_size;
            memcpy(to + 9, attrs[i].value, 12);
            to += 21;
        }
    }
    at[7] = precise ? bench_now() : floor_stamp();
    floor_publish(me, size);
}
static void floor_span(int thread, uint64_t n) {
    floor_thread* me = floor_me_init(thread);
    for (uint64_t i = 0; i < n; i++) { floor_span_one(me, "work", NULL, 0); BENCH_FENCE(); }
}
static void floor_span_precise(int thread, uint64_t n) {
    floor_thread* me = floor_me_init(thread);
    for (uint64_t i = 0; i < n; i++) { floor_span_one(me, "work", NULL, 1); BENCH_FENCE(); }
}
static void floor_span3(int thread, uint64_t n) {
    floor_thread* me = floor_me_init(thread);
    for (uint64_t i = 0; i < n; i++) { floor_span_one(me, "work", floor_sets[78], 0); BENCH_FENCE(); }
}

/* A log record: one time stamp, the context, 32 bytes of body; three attributes make it 128 bytes. */
static BENCH_NOINLINE void floor_log_one(floor_thread* me, const char* body, size_t size, uint32_t record_size) {
    uint64_t* at = floor_claim(me, record_size);
    at[0] = floor_stamp();
    at[1] = me->id[0];
    at[2] = me->id[1];
    at[3] = size;
    memcpy(at + 4, body, 32);
    if (record_size > 64) { memcpy(at + 8, floor_sets[78], 64); }
    floor_publish(me, record_size);
}
static void floor_log(int thread, uint64_t n) {
    static const char body[33] = "order placed and confirmed today";
    floor_thread* me = floor_me_init(thread);
    for (uint64_t i = 0; i < n; i++) { floor_log_one(me, body, 32, 64); BENCH_FENCE(); }
}
static void floor_log3(int thread, uint64_t n) {
    static const char body[33] = "order placed and confirmed today";
    floor_thread* me = floor_me_init(thread);
    for (uint64_t i = 0; i < n; i++) { floor_log_one(me, body, 32, 128); BENCH_FENCE(); }
}
static void floor_logf(int thread, uint64_t n) {
    char text[33];
    floor_thread* me = floor_me_init(thread);
    for (uint64_t i = 0; i < n; i++) {
        int size = snprintf(text, sizeof text, "cart %s has %d items", "basket", (int)i);
        floor_log_one(me, text, size > 0 && size < 33 ? (size_t)size : 32, 64);
        BENCH_FENCE();
    }
}

#endif
