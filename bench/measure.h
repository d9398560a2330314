/* measure.h -- how every C and C++ figure of this bench is taken.

   A figure is the minimum and the median of `bench_reps` repetitions of 1 to 5 ms each. One thread is pinned
   to one cpu; with several threads, each is pinned to a cpu of its own, all start at one agreed instant, and the
   figure is the wall time of the slowest thread divided by the operations of one thread. A figure with a burst
   length runs that many operations, then `between` outside the timed part (draining a ring, say), and so on.
   Threads run in short rounds; a round in which one came late or lost its cpu to another program is taken again,
   within limits.
   The peers in Rust and Go follow the same rules, so that the columns compare. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <pthread.h>
#ifdef __linux__
#include <sched.h>
#include <unistd.h>
#include <sys/resource.h>
#endif

#define BENCH_THREADS   4
#define BENCH_REPS_MAX  401
#define BENCH_REP_NS    3000000u
#define BENCH_REP4_NS   1000000u        /* of several threads: in rounds, of which each needs all of them at once */
#define BENCH_ROUND_NS  100000u
#define BENCH_LATE_NS   1000u
#define BENCH_SPOILT_NS 4000000000u     /* spent on spoilt rounds of one figure; after that they count */
#define BENCH_UNUSED    __attribute__((unused))
#define BENCH_NOINLINE  __attribute__((noinline))

/* After each operation, so that the compiler may not merge or hoist the work of two iterations. */
#define BENCH_FENCE()   __asm__ volatile("" ::: "memory")
#define BENCH_KEEP(v)   __asm__ volatile("" : : "r"(v) : "memory")

#if defined(__x86_64__) || defined(__i386__)
#define BENCH_PAUSE() __builtin_ia32_pause()
#else
#define BENCH_PAUSE() BENCH_FENCE()
#endif

/* Runs n operations as thread number `thread`. */
typedef void (*bench_body)(int thread, uint64_t n);

typedef struct bench_result { double min, median; } bench_result;

static int bench_reps = 21;
static int bench_cpus[BENCH_THREADS];       /* -1: not pinned */

BENCH_UNUSED static uint64_t bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The cpus this process may use, in order. One thread takes the last of them: interrupts prefer the first. */
BENCH_UNUSED static void bench_setup(void) {
    int i;
    for (i = 0; i < BENCH_THREADS; i++) { bench_cpus[i] = -1; }
#ifdef __linux__
    {
        cpu_set_t set;
        int cpu, found = 0;
        if (sched_getaffinity(0, sizeof set, &set) != 0) { return; }
        for (cpu = 0; cpu < CPU_SETSIZE && found < BENCH_THREADS; cpu++) {
            if (CPU_ISSET(cpu, &set)) { bench_cpus[found++] = cpu; }
        }
    }
#endif
}

BENCH_UNUSED static uint64_t bench_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* How often this thread has lost its cpu so far. */
static long bench_preemptions(void) {
#ifdef __linux__
    struct rusage u;
    if (getrusage(RUSAGE_THREAD, &u) == 0) { return u.ru_nivcsw; }
#endif
    return 0;
}

BENCH_UNUSED static void bench_pin(int cpu) {
#ifdef __linux__
    cpu_set_t set;
    if (cpu < 0) { return; }
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
#else
    (void)cpu;
#endif
}

BENCH_UNUSED static int bench_single_cpu(void) {
    int i;
    for (i = BENCH_THREADS - 1; i > 0; i--) {
        if (bench_cpus[i] >= 0) { return bench_cpus[i]; }
    }
    return bench_cpus[0];
}

/* The shared state of one figure's threads. Thread 0 is the caller and leads: it publishes a start time and a
   round number; the others spin until the round changes, then until the start time, then work. */
typedef struct bench_team {
    bench_body body;
    int        threads;
    uint64_t   ops;
    uint64_t   start;
    uint32_t   round;
    uint32_t   done;
    uint32_t   stop;
    uint32_t   lost;                        /* threads that came late or lost their cpu in this round */
    uint64_t   leader_cpu_ns;               /* of thread 0 in the last round, the wait for the start included */
    uint64_t   patience;                    /* ns left for spoilt rounds */
    uint64_t   end[BENCH_THREADS][16];      /* a cache line each */
} bench_team;

typedef struct bench_member { bench_team* team; int thread; } bench_member;

static void bench_work(bench_team* t, int thread) {
    long before = bench_preemptions();
    uint64_t begin;
    while ((begin = bench_now()) < t->start) { BENCH_PAUSE(); }
    t->body(thread, t->ops);
    t->end[thread][0] = bench_now();
    if (begin > t->start + BENCH_LATE_NS || bench_preemptions() != before) {
        __atomic_fetch_add(&t->lost, 1, __ATOMIC_RELAXED);
    }
}

static void* bench_member_main(void* arg) {
    bench_member* m = (bench_member*)arg;
    bench_team* t = m->team;
    uint32_t seen = 0;
    bench_pin(bench_cpus[m->thread]);
    for (;;) {
        uint32_t round;
        while ((round = __atomic_load_n(&t->round, __ATOMIC_ACQUIRE)) == seen) { BENCH_PAUSE(); }
        if (t->stop) { return NULL; }
        seen = round;
        bench_work(t, m->thread);
        __atomic_fetch_add(&t->done, 1, __ATOMIC_RELEASE);
    }
}

/* Wall nanoseconds from the common start to the end of the slowest thread. */
static uint64_t bench_round(bench_team* t, uint64_t ops) {
    uint64_t last = 0, cpu = bench_cpu_ns();
    int i;
    t->ops = ops;
    t->done = 0;
    t->lost = 0;
    t->start = bench_now() + 3000u;
    __atomic_fetch_add(&t->round, 1, __ATOMIC_RELEASE);
    bench_work(t, 0);
    t->leader_cpu_ns = bench_cpu_ns() - cpu;
    while (__atomic_load_n(&t->done, __ATOMIC_ACQUIRE) != (uint32_t)(t->threads - 1)) { BENCH_PAUSE(); }
    for (i = 0; i < t->threads; i++) {
        if (t->end[i][0] > last) { last = t->end[i][0]; }
    }
    return last > t->start ? last - t->start : 1;
}

/* One repetition: `rounds` good rounds of `ops` operations; ns per operation of one thread. */
static double bench_repeat(bench_team* t, uint64_t rounds, uint64_t ops, void (*between)(void)) {
    uint64_t total = 0, i;
    for (i = 0; i < rounds;) {
        uint64_t begin = bench_now(), ns = bench_round(t, ops);
        if (between != NULL) { between(); }
        if (t->lost != 0 && t->patience > 0) {
            uint64_t wasted = bench_now() - begin;
            t->patience -= wasted < t->patience ? wasted : t->patience;
            continue;
        }
        total += ns;
        i++;
    }
    return (double)total / ((double)rounds * (double)ops);
}

/* Rounds, and operations of a round, for a repetition of the wished length. Goes by the leader's cpu time, which
   other programs cannot stretch. */
static void bench_calibrate(bench_team* t, uint64_t burst, uint64_t* rounds, uint64_t* ops, void (*between)(void)) {
    uint64_t round_ns = t->threads > 1 ? BENCH_ROUND_NS : BENCH_REP_NS;
    *rounds = 1;
    *ops = burst != 0 ? burst : 64;
    (void)bench_round(t, *ops);                     /* threads start, first uses happen */
    if (between != NULL) { between(); }
    for (;;) {
        (void)bench_round(t, *ops);
        if (between != NULL) { between(); }
        if (burst != 0 || t->leader_cpu_ns * 2 > round_ns) { break; }
        *ops *= 2;
    }
    while (t->leader_cpu_ns * *rounds < (t->threads > 1 ? BENCH_REP4_NS : BENCH_REP_NS)) { *rounds *= 2; }
}

static int bench_ascending(const void* a, const void* b) {
    double x = *(const double*)a, y = *(const double*)b;
    return x < y ? -1 : x > y;
}

BENCH_UNUSED static bench_result bench_summary(double* values, int count) {
    bench_result r;
    qsort(values, (size_t)count, sizeof values[0], bench_ascending);
    r.min = values[0];
    r.median = values[count / 2];
    return r;
}

/* burst 0: runs flat out. Otherwise `burst` operations per round and `between` after each round. */
BENCH_UNUSED static bench_result bench_measure(bench_body body, int threads, uint64_t burst,
                                               void (*between)(void)) {
    bench_team team;
    bench_member members[BENCH_THREADS];
    pthread_t handles[BENCH_THREADS];
    double values[BENCH_REPS_MAX];
    uint64_t rounds, ops;
    int i;
    memset(&team, 0, sizeof team);
    team.body = body;
    team.threads = threads;
    team.patience = BENCH_SPOILT_NS;
    bench_pin(threads > 1 ? bench_cpus[0] : bench_single_cpu());
    for (i = 1; i < threads; i++) {
        members[i].team = &team;
        members[i].thread = i;
        if (pthread_create(&handles[i], NULL, bench_member_main, &members[i]) != 0) { abort(); }
    }
    bench_calibrate(&team, burst, &rounds, &ops, between);
    for (i = 0; i < bench_reps; i++) { values[i] = bench_repeat(&team, rounds, ops, between); }
    team.stop = 1;
    __atomic_fetch_add(&team.round, 1, __ATOMIC_RELEASE);
    for (i = 1; i < threads; i++) { pthread_join(handles[i], NULL); }
    return bench_summary(values, bench_reps);
}

/* For work too long or too stateful for bench_measure: one call per repetition; total ns, not per operation. */
BENCH_UNUSED static bench_result bench_once_each(void (*body)(void), int reps) {
    double values[BENCH_REPS_MAX];
    int i;
    bench_pin(bench_single_cpu());
    for (i = 0; i < reps; i++) {
        uint64_t begin = bench_now();
        body();
        values[i] = (double)(bench_now() - begin);
    }
    return bench_summary(values, reps);
}

/* The two lines of a figure: name, value, unit, floor, peer, value of the peer; "-" where there is none. A peer's
   program gives its own name in `peer`, and its value twice. */
BENCH_UNUSED static void bench_line(const char* name, bench_result r, const char* unit, double floor,
                                    const char* peer) {
    char limit[32];
    int i;
    if (floor > 0) { snprintf(limit, sizeof limit, "%.4g", floor); } else { snprintf(limit, sizeof limit, "-"); }
    for (i = 0; i < 2; i++) {
        double v = i == 0 ? r.min : r.median;
        printf("%s%s\t%.5g\t%s\t%s\t", name, i == 0 ? "" : ".median", v, unit, limit);
        if (peer != NULL) { printf("%s\t%.5g\n", peer, v); } else { printf("-\t-\n"); }
    }
    fflush(stdout);
}

/* The values that every histogram figure records, in all languages: 4096 values spread over the powers of two
   from 1 to 2^14, so that each of the 15 default bounds of OpenTelemetry has values on both sides. */
#define BENCH_VALUES 4096u
static double bench_values[BENCH_VALUES];
static const double bench_bounds[15] = {
    0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000
};

/* Numerical Recipes' 64-bit linear congruential generator; the upper half is what is used. */
BENCH_UNUSED static uint32_t bench_random(uint64_t* state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

BENCH_UNUSED static void bench_fill_values(void) {
    uint64_t state = 1;
    uint32_t i;
    for (i = 0; i < BENCH_VALUES; i++) {
        uint32_t r = bench_random(&state);
        bench_values[i] = (double)(1u << (r % 14u)) * (1.0 + (double)(r >> 16) / 65536.0);
    }
}

/* Three attributes, of which 16 values each make 4096 series; `bench_order` visits them in random order. */
#define BENCH_SERIES 4096u
static char     bench_routes[16][16], bench_hosts[16][16];
static char     bench_codes[16][8];
static uint16_t bench_order[BENCH_SERIES];

BENCH_UNUSED static void bench_fill_series(void) {
    uint64_t state = 2;
    uint32_t i;
    for (i = 0; i < 16; i++) {
        snprintf(bench_routes[i], sizeof bench_routes[i], "/api/items/%02u", (unsigned)i);
        snprintf(bench_hosts[i], sizeof bench_hosts[i], "host-%02u.zone-a", (unsigned)i);
        snprintf(bench_codes[i], sizeof bench_codes[i], "%u", 200u + (unsigned)i);
    }
    for (i = 0; i < BENCH_SERIES; i++) { bench_order[i] = (uint16_t)i; }
    for (i = BENCH_SERIES - 1; i > 0; i--) {
        uint32_t j = bench_random(&state) % (i + 1);
        uint16_t keep = bench_order[i];
        bench_order[i] = bench_order[j];
        bench_order[j] = keep;
    }
}

#endif
