/* Room test of >>threads: mutual exclusion, conditions with and without a deadline, start and join, blocked
   signals, the thread-local variable, the exit hook and the fork hook. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#if TEL__POSIX
#include <sys/wait.h>
#endif

#define THREADS 4
#define ROUNDS  5000

static tel__thread_mutex mutex;
static tel__thread_mutex static_mutex = TEL__THREAD_MUTEX_INIT;
static tel__thread_cond cond;
static uint64_t counter, static_counter, turns, overlaps;       /* plain: the mutex alone guards them */
static bool inside;

static void increment(void* arg) {
    int i;
    (void)arg;
    for (i = 0; i < ROUNDS; i++) {
        tel__thread_mutex_lock(&mutex);
        overlaps += inside;
        inside = true;
        counter++;
        inside = false;
        tel__thread_mutex_unlock(&mutex);
        tel__thread_mutex_lock(&static_mutex);
        static_counter++;
        tel__thread_mutex_unlock(&static_mutex);
    }
}

static void test_mutex(void) {
    tel__thread_handle h[THREADS];
    int i;
    for (i = 0; i < THREADS; i++) { CHECK(tel__thread_start(&h[i], increment, NULL)); }
    for (i = 0; i < THREADS; i++) { CHECK(h[i].started); tel__thread_join(&h[i]); CHECK(!h[i].started); }
    CHECK_INT(counter, THREADS * ROUNDS);
    CHECK_INT(static_counter, THREADS * ROUNDS);
    CHECK_INT(overlaps, 0);
    tel__thread_join(&h[0]);                            /* a second join is ignored */
}

static void try_lock(void* arg) {
#if TEL__POSIX
    bool got = pthread_mutex_trylock(&mutex.m) == 0;
#else
    bool got = TryAcquireSRWLockExclusive(&mutex.m) != 0;
#endif
    if (got) { tel__thread_mutex_unlock(&mutex); }
    *(bool*)arg = got;
}
static bool other_can_lock(void) {
    tel__thread_handle h;
    bool got = false;
    CHECK(tel__thread_start(&h, try_lock, &got));
    tel__thread_join(&h);
    return got;
}
static void test_try(void) {
    tel__thread_mutex_lock(&mutex);
    CHECK(!other_can_lock());
    tel__thread_mutex_unlock(&mutex);
    CHECK(other_can_lock());
}

/* Two threads hand a turn to and fro. */
static void ping(void* arg) {
    uint64_t parity = (uintptr_t)arg;
    int i;
    tel__thread_mutex_lock(&mutex);
    for (i = 0; i < 200; i++) {
        while (turns % 2 != parity) { tel__thread_cond_wait(&cond, &mutex, UINT64_MAX); }
        turns++;
        tel__thread_cond_broadcast(&cond);
    }
    tel__thread_mutex_unlock(&mutex);
}
static void test_cond(void) {
    tel__thread_handle h[2];
    CHECK(tel__thread_start(&h[0], ping, (void*)(uintptr_t)0));
    CHECK(tel__thread_start(&h[1], ping, (void*)(uintptr_t)1));
    tel__thread_join(&h[0]);
    tel__thread_join(&h[1]);
    CHECK_INT(turns, 400);
}

/* A wait ends at its deadline, never before it unless woken, and holds the mutex again. */
static void test_deadline(void) {
    uint64_t deadline = tel__platform_mono_ns() + 20000000u;
    bool woken = true;
    tel__thread_mutex_lock(&mutex);
    while (woken && tel__platform_mono_ns() < deadline) { woken = tel__thread_cond_wait(&cond, &mutex, deadline); }
    CHECK(tel__platform_mono_ns() >= deadline);
    CHECK(!tel__thread_cond_wait(&cond, &mutex, 0));    /* long past */
    CHECK(!other_can_lock());
    tel__thread_mutex_unlock(&mutex);
}

static tel__atomic_u32 waiting, released;
static void wait_for_signal(void* arg) {
    (void)arg;
    tel__thread_mutex_lock(&mutex);
    tel__atomic_store_u32(&waiting, 1);
    while (!tel__atomic_load_u32(&released)) { tel__thread_cond_wait(&cond, &mutex, tel__platform_mono_ns() + 60000000000u); }
    tel__thread_mutex_unlock(&mutex);
}
static void test_signal(void) {
    tel__thread_handle h;
    CHECK(tel__thread_start(&h, wait_for_signal, NULL));
    while (!tel__atomic_load_u32(&waiting)) { tel__thread_sleep_ns(100000); }
    tel__thread_mutex_lock(&mutex);
    tel__atomic_store_u32(&released, 1);
    tel__thread_cond_broadcast(&cond);
    tel__thread_mutex_unlock(&mutex);
    tel__thread_join(&h);
    CHECK(tel__atomic_load_u32(&released));
}

static void test_sleep(void) {
    uint64_t from = tel__platform_mono_ns();
    tel__thread_sleep_ns(3000000);
    CHECK(tel__platform_mono_ns() >= from + 3000000u);
}

/* ---- the thread-local variable and the exit hook ----------------------------------------------------- */

static tel__thread_exit_hook hook;
static tel__atomic_u32 exits, exit_sum, wrong_local;

static void on_exit_of_thread(void* value) {
    uint32_t* left = (uint32_t*)value;
    if (tel__thread_me.idle != 77) { tel__atomic_add_u32(&wrong_local, 1); }   /* still there, still this thread's */
    tel__atomic_add_u32(&exits, 1);
    tel__atomic_add_u32(&exit_sum, *left);
    if (--*left) { tel__thread_exit_arm(&hook, left); }
}
static void armed(void* arg) {
    if (tel__thread_me.idle != 0) { tel__atomic_add_u32(&wrong_local, 1); }
    tel__thread_me.idle = 77;
    if (arg) { tel__thread_exit_arm(&hook, arg); }
}
static void disarmed(void* arg) {
    armed(arg);
    tel__thread_exit_arm(&hook, NULL);
}
static void test_exit_hook(void) {
    tel__thread_handle h;
    uint32_t once = 1, twice = 2, never = 5;
    CHECK(!tel__thread_exit_arm(&hook, &once));         /* not made yet */
    CHECK(tel__thread_exit_hook_make(&hook, on_exit_of_thread));
    CHECK(tel__thread_exit_hook_make(&hook, on_exit_of_thread));
    tel__thread_me.idle = 5;
    CHECK(tel__thread_start(&h, armed, &once));
    tel__thread_join(&h);
    CHECK_INT(tel__atomic_load_u32(&exits), 1);
    CHECK(tel__thread_start(&h, armed, &twice));        /* armed again during the call: once more */
    tel__thread_join(&h);
    CHECK_INT(tel__atomic_load_u32(&exits), 3);
    CHECK_INT(tel__atomic_load_u32(&exit_sum), 1 + 2 + 1);
    CHECK(tel__thread_start(&h, armed, NULL));
    tel__thread_join(&h);
    CHECK(tel__thread_start(&h, disarmed, &never));
    tel__thread_join(&h);
    CHECK_INT(tel__atomic_load_u32(&exits), 3);
    CHECK_INT(never, 5);
    CHECK_INT(tel__atomic_load_u32(&wrong_local), 0);
    CHECK_INT(tel__thread_me.idle, 5);
    tel__thread_me.idle = 0;
}

static void test_quiet(void) {
    tel__thread_local before;
    tel__thread_loud outer, inner;
    int a, b;
    tel__thread_me.cells = (struct tel__instrument_cells*)(void*)&a;
    tel__thread_me.tracer = (struct tel__span_tracer*)(void*)&b;
    before = tel__thread_me;
    outer = tel__thread_quiet_begin();
    CHECK(!tel__thread_me.cells && !tel__thread_me.tracer && tel__thread_me.quiet == 1);
    inner = tel__thread_quiet_begin();
    CHECK_INT(tel__thread_me.quiet, 2);
    tel__thread_quiet_end(inner);
    CHECK(!tel__thread_me.cells && !tel__thread_me.tracer && tel__thread_me.quiet == 1);
    tel__thread_me.idle++;                                     /* what changed inside stays */
    tel__thread_quiet_end(outer);
    CHECK(tel__thread_me.cells == before.cells && tel__thread_me.tracer == before.tracer && tel__thread_me.quiet == 0 && tel__thread_me.idle == 1);
    memset(&tel__thread_me, 0, sizeof tel__thread_me);
}

/* ---- POSIX only --------------------------------------------------------------------------------------- */

#if TEL__POSIX
static void look_at_mask(void* arg) {
    sigset_t now;
    int* blocked = (int*)arg;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    *blocked = sigismember(&now, SIGTERM) && sigismember(&now, SIGINT) && sigismember(&now, SIGUSR1) &&
               sigismember(&now, SIGALRM) && sigismember(&now, SIGCHLD) && sigismember(&now, SIGPIPE);
}
static void test_signals(void) {
    tel__thread_handle h;
    sigset_t before, after;
    int blocked = 0;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    CHECK(tel__thread_start(&h, look_at_mask, &blocked));
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    tel__thread_join(&h);
    CHECK(blocked);
    CHECK(sigismember(&before, SIGTERM) == sigismember(&after, SIGTERM) && !sigismember(&after, SIGUSR1));
}

static uint32_t fork_before, fork_parent, fork_child;
static void before_fork(void) { fork_before++; }
static void after_fork_parent(void) { fork_parent++; }
static void after_fork_child(void) { fork_child++; }
static void test_fork_hooks(void) {
    int status = -1;
    pid_t pid;
    CHECK(tel__thread_fork_hooks(before_fork, after_fork_parent, after_fork_child));
    fflush(stdout);
    pid = fork();
    if (pid == 0) { _exit(fork_before == 1 && fork_parent == 0 && fork_child == 1 ? 42 : 1); }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    CHECK(fork_before == 1 && fork_parent == 1 && fork_child == 0);
}
#endif

static tel__atomic_u32 detached_ran;
static void detached(void* arg) { (void)arg; tel__atomic_store_release_u32(&detached_ran, 1); }
static void test_detach(void) {
    static tel__thread_handle h;                        /* must outlive the thread */
    CHECK(tel__thread_start(&h, detached, NULL));
    tel__thread_detach(&h);
    CHECK(!h.started);
    while (!tel__atomic_load_acquire_u32(&detached_ran)) { tel__thread_sleep_ns(100000); }
}

int main(void) {
    tel__thread_mutex_init(&mutex);
    tel__thread_cond_init(&cond);
    test_mutex();
    test_try();
    test_cond();
    test_deadline();
    test_signal();
    test_sleep();
    test_exit_hook();
    test_quiet();
    test_detach();
#if TEL__POSIX
    test_signals();
    test_fork_hooks();
#endif
    tel__thread_cond_destroy(&cond);
    tel__thread_mutex_destroy(&mutex);
    return check_done();
}
