/* What the host must never notice: a SIGPIPE, a changed errno, a monotonic clock that stands still, a cancelled thread. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include "capture.h"
#include <sys/wait.h>

/* This program's own clock, which the SDK's calls find first: it can be stopped. */
static int frozen;
static struct timespec frozen_at;
int clock_gettime(clockid_t id, struct timespec* out) {
#if TEL__LINUX
    int r = (int)syscall(SYS_clock_gettime, id, out);
    if (id == CLOCK_MONOTONIC && __atomic_load_n(&frozen, __ATOMIC_RELAXED)) { *out = frozen_at; }
    return r;
#else
    (void)id;
    out->tv_sec = time(NULL);
    out->tv_nsec = 0;
    return 0;
#endif
}

static void record_everything(void) {
    TEL_SPAN(s, "harmless") { tel_log(TEL_INFO, "harmless", TEL_NOATTRS); }
}

static void test_frozen_clock(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    where = "frozen_clock";
    if (!TEL__LINUX) { return; }
    d = capture_desc(&c, &sink);
    d.no_thread = true;
    clock_gettime(CLOCK_MONOTONIC, &frozen_at);
    __atomic_store_n(&frozen, 1, __ATOMIC_RELAXED);
    CHECK_INT(tel_init(&d), TEL_OK);                /* returns at all */
    record_everything();
    tel_pump(100);
    __atomic_store_n(&frozen, 0, __ATOMIC_RELAXED);
    CHECK_INT(tel_flush(5000), TEL_OK);
    CHECK_INT(c.spans, 1);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* A child whose standard error and output are a pipe that nobody reads. */
static int in_broken_pipe(void (*run)(void)) {
    int ends[2], status = -1;
    pid_t pid;
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        run();
        _exit(42);
    }
    close(ends[0]);
    close(ends[1]);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void complain_on_stderr(void) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.ring_bytes = 5;
    errno = 77;
    if (tel_init(&d) != TEL_ERR_ARGUMENT || errno != 77) { _exit(1); }
}
static void write_to_stdout(void) {
    tel_sink sink = tel_sink_console(NULL);
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = d.no_thread = true;
    if (tel_init(&d) != TEL_OK) { _exit(1); }
    record_everything();
    tel_flush(1000);
    tel_shutdown(1000);
}
static void complain_while_one_is_pending(void) {
    sigset_t one, now;
    sigemptyset(&one);
    sigaddset(&one, SIGPIPE);
    sigprocmask(SIG_BLOCK, &one, NULL);
    raise(SIGPIPE);
    complain_on_stderr();
    sigpending(&now);
    if (!sigismember(&now, SIGPIPE)) { _exit(1); }      /* the program's own one is still there */
}
static void test_sigpipe(void) {
    where = "sigpipe";
    CHECK_INT(in_broken_pipe(complain_on_stderr), 42);
    CHECK_INT(in_broken_pipe(write_to_stdout), 42);
    CHECK_INT(in_broken_pipe(complain_while_one_is_pending), 42);
}

static void* no_memory(size_t size, void* user_data) { (void)size; (void)user_data; errno = ENOMEM; return NULL; }
static void no_free(void* p, void* user_data) { (void)p; (void)user_data; }
static void test_errno(void) {
    static tel_counter bad = TEL_INSTRUMENT("no good name", NULL, NULL);
    static tel_counter fine = TEL_INSTRUMENT("errno.fine", NULL, NULL);
    capture c;
    tel_sink sink;
    tel_desc d;
    where = "errno";
    d = capture_desc(&c, &sink);
    CHECK_INT(tel_init(&d), TEL_OK);
    errno = 4711;
    tel_counter_add(&bad, 1);
    tel_counter_add_with(&fine, 1, TEL_ATTRS(tel_int("user", 7)));
    record_everything();
    CHECK_INT(errno, 4711);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    memset(&d, 0, sizeof d);
    d.allocator.alloc_fn = no_memory;
    d.allocator.free_fn = no_free;
    d.ignore_env = true;
    d.diag.report_fn = hear;
    errno = 4712;
    CHECK_INT(tel_init(&d), TEL_ERR_MEMORY);
    CHECK_INT(errno, 4712);
}

/* A thread that is cancelled while it waits, or while it is inside a sink, leaves every lock free. */
static tel__atomic_u32 in_sink;
static void linger(capture* c, const tel_batch* batch) {
    (void)c;
    (void)batch;
    tel__atomic_add_u32(&in_sink, 1);
    usleep(100000);                                 /* where a cancellation would take effect */
}
static void* flush(void* arg) {
    (void)arg;
    tel_flush(5000);
    for (;;) { usleep(10000); }
    return NULL;
}
static void test_cancel(void) {
    capture c;
    tel_sink sink;
    tel_desc d;
    pthread_t threads[2];
    int i;
    where = "cancel";
    d = capture_desc(&c, &sink);
    c.inside_fn = linger;
    CHECK_INT(tel_init(&d), TEL_OK);
    record_everything();
    for (i = 0; i < 2; i++) { CHECK(pthread_create(&threads[i], NULL, flush, NULL) == 0); }
    for (i = 0; i < 5000 && !tel__atomic_load_u32(&in_sink); i++) { usleep(1000); }
    for (i = 0; i < 2; i++) { pthread_cancel(threads[i]); }     /* one works, one waits for it */
    for (i = 0; i < 2; i++) { pthread_join(threads[i], NULL); }
    record_everything();
    CHECK_INT(tel_flush(30000), TEL_OK);
    CHECK_INT(c.spans, 2);
    CHECK_INT(tel_shutdown(30000), TEL_OK);
}

/* The threads of the SDK say who they are. */
static void test_names(void) {
    capture c;
    tel_sink sinks[2];
    tel_prometheus_desc p;
    tel_desc d;
    char command[200], line[64];
    int i, exports = 0, scrapes = 0;
    FILE* f;
    where = "names";
    if (!TEL__LINUX || access("/proc/self/task", R_OK) != 0) { return; }
    capture_init(&c);
    sinks[0] = capture_sink(&c);
    memset(&p, 0, sizeof p);
    p.host = "127.0.0.1";
    p.port = TEL_ANY_PORT;
    sinks[1] = tel_sink_prometheus(&p);
    d = test_desc(sinks, 2);
    CHECK_INT(tel_init(&d), TEL_OK);
    snprintf(command, sizeof command, "cat /proc/%d/task/*/comm", (int)getpid());
    for (i = 0; i < 200 && !(exports && scrapes); i++) {        /* they have to begin to run first */
        if (i) { usleep(10000); }
        f = popen(command, "r");
        while (f && fgets(line, sizeof line, f)) {
            exports += strcmp(line, "tel-export\n") == 0;
            scrapes += strcmp(line, "tel-scrape\n") == 0;
        }
        if (f) { pclose(f); }
    }
    CHECK(exports && scrapes);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

int main(void) {
    test_frozen_clock();
    test_sigpipe();
    test_errno();
    test_cancel();
    test_names();
    return check_done();
}
