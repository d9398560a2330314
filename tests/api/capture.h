/* capture.h -- what the tests of the public functions share: a sink that counts and can be told to misbehave, diagnostics
   kept as text, a counting allocator, the books, small receivers on loopback, and a watchdog. */
#ifndef CAPTURE_H_INCLUDED
#define CAPTURE_H_INCLUDED
#include "../check.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include <errno.h>
#include <poll.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* What must not be reached. */
#define FAIL(what) check__note(0, __FILE__, __LINE__, what)

/* ---- a watchdog: what hangs ends, and says where ---- */

static const char* volatile where = "start";

static void capture__bark(int number) {
    (void)number;
    if (write(2, "FAIL: hangs in ", 15) > 0 && write(2, where, strlen(where)) > 0 && write(2, "\n", 1) > 0) { }
    _exit(3);
}
static inline void capture_watchdog(unsigned seconds) {
    signal(SIGALRM, capture__bark);
    signal(SIGPIPE, SIG_IGN);
    alarm(seconds * PATIENCE);
}

/* Waits for a child: what it exited with, or -1. */
static inline int child_exit(pid_t pid) {
    int status = -1;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- diagnostics ---- */

static char said[32 * 1024];
static int said_count, said_errors;
static pthread_mutex_t said_mutex = PTHREAD_MUTEX_INITIALIZER;

static inline void hear(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    size_t n;
    (void)item; (void)line; (void)user_data;
    pthread_mutex_lock(&said_mutex);
    n = strlen(said);
    snprintf(said + n, sizeof said - n, "%s\n", message);
    said_count++;
    said_errors += level == 1;
    pthread_mutex_unlock(&said_mutex);
}
static inline void hear_reset(void) {
    pthread_mutex_lock(&said_mutex);
    said[0] = 0;
    said_count = said_errors = 0;
    pthread_mutex_unlock(&said_mutex);
}
static inline bool heard(const char* part) {
    bool found;
    pthread_mutex_lock(&said_mutex);
    found = strstr(said, part) != NULL;
    pthread_mutex_unlock(&said_mutex);
    return found;
}

/* ---- an allocator that counts, and fails when told ---- */

typedef struct counting { pthread_mutex_t mutex; long live, calls, fail_at; bool fail_on; } counting;
#define COUNTING { PTHREAD_MUTEX_INITIALIZER, 0, 0, 0, false }

static inline void* counting_alloc(size_t size, void* user_data) {
    counting* c = (counting*)user_data;
    bool fail;
    void* p;
    pthread_mutex_lock(&c->mutex);
    c->calls++;
    fail = c->fail_at && (c->fail_on ? c->calls >= c->fail_at : c->calls == c->fail_at);
    pthread_mutex_unlock(&c->mutex);
    p = fail ? NULL : malloc(size);
    if (!p) { return NULL; }
    memset(p, 0xa5, size);
    pthread_mutex_lock(&c->mutex);
    c->live++;
    pthread_mutex_unlock(&c->mutex);
    return p;
}
static inline void counting_free(void* p, void* user_data) {
    counting* c = (counting*)user_data;
    pthread_mutex_lock(&c->mutex);
    c->live--;
    pthread_mutex_unlock(&c->mutex);
    free(p);
}
static inline long counting_live(counting* c) {
    long n;
    pthread_mutex_lock(&c->mutex);
    n = c->live;
    pthread_mutex_unlock(&c->mutex);
    return n;
}

/* The same once nothing is left, or after a while: what outlived a shutdown ends by itself. */
static inline long counting_settled(counting* c) {
    int i;
    for (i = 0; i < 60000 && counting_live(c); i++) { usleep(1000); }
    return counting_live(c);
}

/* ---- a sink that counts ---- */

typedef struct capture {
    pthread_mutex_t mutex;
    uint64_t metrics, points, spans, logs, calls, opened, closed, inside;
    int fail_times;                 /* so many calls answer fail_with first; negative: all */
    tel_result fail_with, open_with;
    uint32_t sleep_us;
    double counter;                 /* of the counter called `counter_name`: the last sum seen, all series together */
    const char* counter_name;
    uint64_t histogram_count;       /* of any histogram */
    void (*inside_fn)(struct capture* c, const tel_batch* batch);
} capture;

static inline tel_result capture__export(const tel_batch* batch, void* user_data) {
    capture* c = (capture*)user_data;
    bool fail;
    double sum = 0;
    bool found = false;
    size_t i, j;
    if (c->inside_fn) { c->inside_fn(c, batch); }
    if (c->sleep_us) { usleep(c->sleep_us); }
    pthread_mutex_lock(&c->mutex);
    c->calls++;
    fail = c->fail_times != 0;
    if (c->fail_times > 0) { c->fail_times--; }
    if (!fail) {
        c->metrics += batch->metric_count;
        c->spans += batch->span_count;
        c->logs += batch->log_count;
        for (i = 0; i < batch->metric_count; i++) {
            const tel_metric_view* m = &batch->metrics[i];
            c->points += m->point_count;
            for (j = 0; j < m->point_count; j++) {
                if (m->kind == TEL_METRIC_HISTOGRAM) { c->histogram_count = m->points[j].count; }
                if (c->counter_name && m->name.size == strlen(c->counter_name) &&
                    memcmp(m->name.data, c->counter_name, m->name.size) == 0) { sum += m->points[j].d; found = true; }
            }
        }
        if (found) { c->counter = sum; }
    }
    pthread_mutex_unlock(&c->mutex);
    return fail ? c->fail_with : TEL_OK;
}
static inline tel_result capture__open(tel_sink* self, tel_host* host) {
    capture* c = (capture*)self->user_data;
    (void)host;
    pthread_mutex_lock(&c->mutex);
    c->opened += c->open_with == TEL_OK;
    pthread_mutex_unlock(&c->mutex);
    return c->open_with;
}
static inline void capture__close(void* user_data) {
    capture* c = (capture*)user_data;
    pthread_mutex_lock(&c->mutex);
    c->closed++;
    pthread_mutex_unlock(&c->mutex);
}

static inline void capture_init(capture* c) {
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->mutex, NULL);
    c->fail_with = TEL_ERR_IO;
}
/* How often it has been closed, once that is `want`, or after a while: a thread inside of it closes it when it comes out. */
static inline uint64_t capture_closed(capture* c, uint64_t want) {
    uint64_t closed = 0;
    int i;
    for (i = 0; i < 60000 && closed != want; i++) {
        if (i) { usleep(1000); }
        pthread_mutex_lock(&c->mutex);
        closed = c->closed;
        pthread_mutex_unlock(&c->mutex);
    }
    return closed;
}
static inline tel_sink capture_sink(capture* c) {
    tel_sink s;
    memset(&s, 0, sizeof s);
    s.name = "capture";
    s.open_fn = capture__open;
    s.export_fn = capture__export;
    s.close_fn = capture__close;
    s.user_data = c;
    return s;
}

/* ---- a desc for tests: nothing from the environment, nothing said aloud ---- */

static inline tel_desc test_desc(const tel_sink* sinks, size_t count) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.service_name = "test";
    d.sinks = sinks;
    d.sink_count = count;
    d.ignore_env = true;
    d.no_atexit = true;
    d.no_self_metrics = true;
    d.diag.report_fn = hear;
    return d;
}
/* The same with one sink, a capture that is made ready. */
static inline tel_desc capture_desc(capture* c, tel_sink* sink) {
    capture_init(c);
    *sink = capture_sink(c);
    return test_desc(sink, 1);
}
static inline tel_allocator counting_allocator(counting* c) {
    tel_allocator a;
    a.alloc_fn = counting_alloc;
    a.free_fn = counting_free;
    a.user_data = c;
    return a;
}

/* ---- JSON ---- */

/* Brackets in order, strings closed, no control byte. */
static inline bool json_sound(const char* p, size_t size) {
    char open[64];
    size_t depth = 0, i;
    bool string = false;
    if (!size || p[0] != '{') { return false; }
    for (i = 0; i < size; i++) {
        char c = p[i];
        if ((unsigned char)c < 0x20) { return false; }
        if (string) {
            if (c == '\\') { i++; } else if (c == '"') { string = false; }
        } else if (c == '"') {
            string = true;
        } else if (c == '{' || c == '[') {
            if (depth == 64) { return false; }
            open[depth++] = c;
        } else if (c == '}' || c == ']') {
            if (!depth || open[--depth] != (c == '}' ? '{' : '[')) { return false; }
            if (!depth && i + 1 != size) { return false; }
        }
    }
    return !depth && !string;
}

/* ---- the books ---- */

typedef struct ledger { tel_stats all; tel_sink_stats sink[16]; size_t sinks; } ledger;

static inline ledger ledger_read(void) {
    ledger b;
    memset(&b, 0, sizeof b);
    b.all = tel_query_stats();
    while (b.sinks < 16 && tel_query_sink(b.sinks, &b.sink[b.sinks])) { b.sinks++; }
    return b;
}
/* The counts, which stand first: behind them are bytes between members, which have no value. */
static inline bool ledger_same(const ledger* a, const ledger* b) {
    size_t i;
    bool same = a->sinks == b->sinks && memcmp(&a->all, &b->all, offsetof(tel_stats, series)) == 0;
    for (i = 0; same && i < a->sinks; i++) { same = memcmp(&a->sink[i], &b->sink[i], offsetof(tel_sink_stats, type)) == 0; }
    return same;
}
/* What the book of a sink accounts for; what has to be accounted for is in `want`. */
static inline uint64_t ledger_sum(const ledger* b, size_t i, int signal, uint64_t* want) {
    const tel_stats* s = &b->all;
    const tel_sink_stats* k = &b->sink[i];
    *want = s->recorded[signal] - (signal ? s->dropped[signal] + s->queued[signal] : 0);
    return k->delivered[signal] + k->dropped_full[signal] + k->dropped_failed[signal] + k->queued[signal] + k->skipped[signal];
}
static inline bool ledger_balanced(const ledger* b) {
    tel_desc d = tel_query_desc();
    uint64_t want;
    size_t i;
    int signal;
    for (i = 0; i < b->sinks; i++) {
        for (signal = 0; signal < 3; signal++) {
            bool wants = !d.sinks[i].signal_mask || (d.sinks[i].signal_mask >> signal & 1u);
            if (wants && ledger_sum(b, i, signal, &want) != want) { return false; }
        }
    }
    return true;
}
/* At a quiet moment: a thread may just be moving records from one book to another, where it may lose its cpu, and nobody reads
   all books at once. Books that never balance are found out after the last try. */
static inline ledger ledger_quiet(void) {
    ledger b = ledger_read(), again = ledger_read();
    int i;
    for (i = 0; i < 5000 && !(ledger_same(&b, &again) && ledger_balanced(&b)); i++) {
        usleep(1000);
        b = ledger_read();
        again = ledger_read();
    }
    return b;
}

/* recorded = dropped + queued + (for each sink that wants the signal) delivered + dropped_full + dropped_failed + queued. */
static inline void check_books(const char* file, int line) {
    ledger b = ledger_quiet();
    tel_stats s = b.all;
    tel_desc d = tel_query_desc();
    size_t i;
    int signal;
    char what[200];
    for (i = 0; i < b.sinks; i++) {
        tel_sink_stats k = b.sink[i];
        uint32_t wants = d.sinks[i].signal_mask ? d.sinks[i].signal_mask : (uint32_t)TEL_SIGNAL_ALL;
        for (signal = 1; signal < 3; signal++) {
            if (!(wants >> signal & 1u)) { continue; }
            uint64_t want, sum = ledger_sum(&b, i, signal, &want);
            snprintf(what, sizeof what, "books of %s: recorded %llu, dropped %llu, queued %llu, delivered %llu, full %llu, failed %llu, waiting %llu",
                     k.name, (unsigned long long)s.recorded[signal], (unsigned long long)s.dropped[signal],
                     (unsigned long long)s.queued[signal], (unsigned long long)k.delivered[signal],
                     (unsigned long long)k.dropped_full[signal], (unsigned long long)k.dropped_failed[signal],
                     (unsigned long long)k.queued[signal]);
            check__note(sum == want, file, line, what);
        }
        if (!(wants & TEL_SIGNAL_METRICS)) { continue; }
        snprintf(what, sizeof what, "books of %s: %llu metric points, delivered %llu, full %llu, failed %llu, waiting %llu",
                 k.name, (unsigned long long)s.recorded[0], (unsigned long long)k.delivered[0], (unsigned long long)k.dropped_full[0],
                 (unsigned long long)k.dropped_failed[0], (unsigned long long)k.queued[0]);
        check__note(s.recorded[0] == k.delivered[0] + k.dropped_full[0] + k.dropped_failed[0] + k.queued[0], file, line, what);
    }
}
#define CHECK_BOOKS() check_books(__FILE__, __LINE__)

/* ---- receivers on loopback ---- */

typedef struct receiver {
    int       fd;
    unsigned  port;
    char      url[32];
    bool      silent;               /* accepts nobody: connections wait in the backlog for ever */
    char      answer[512];          /* complete response; the body, if any, included */
    char      next_answer[512];     /* when not empty: from the second request on */
    pthread_t thread;
    pthread_mutex_t mutex;
    int       requests;
    char      last[65536];          /* the last request as it came */
    size_t    last_size;
    bool      stop, running;
} receiver;

static inline size_t receiver__length(const char* head, size_t* body_at) {
    const char* end = strstr(head, "\r\n\r\n");
    const char* at = strstr(head, "Content-Length:");
    if (!end) { return SIZE_MAX; }
    *body_at = (size_t)(end - head) + 4;
    return at ? (size_t)strtoul(at + 15, NULL, 10) : 0;
}

static inline bool receiver__stopped(receiver* r) {
    bool stop;
    pthread_mutex_lock(&r->mutex);
    stop = r->stop;
    pthread_mutex_unlock(&r->mutex);
    return stop;
}

enum { RECEIVER_CONNECTIONS = 32, RECEIVER_ROOM = 1 << 20 };
typedef struct receiver_connection { int fd; size_t size; char* room; } receiver_connection;

/* Reads what has come; a whole request goes into r->last and is answered. false: the connection is over. */
static inline bool receiver__read(receiver* r, receiver_connection* c) {
    size_t body_at = 0, length;
    const char* answer;
    ssize_t n = recv(c->fd, c->room + c->size, RECEIVER_ROOM - 1 - c->size, 0);
    if (n <= 0) { return false; }
    c->size += (size_t)n;
    c->room[c->size] = 0;
    length = receiver__length(c->room, &body_at);
    if (length == SIZE_MAX || c->size < body_at + length) { return true; }
    pthread_mutex_lock(&r->mutex);
    r->last_size = c->size < sizeof r->last - 1 ? c->size : sizeof r->last - 1;
    memcpy(r->last, c->room, r->last_size);
    r->last[r->last_size] = 0;
    r->requests++;
    answer = r->requests > 1 && r->next_answer[0] ? r->next_answer : r->answer;
    pthread_mutex_unlock(&r->mutex);
    c->size = 0;
    return send(c->fd, answer, strlen(answer), MSG_NOSIGNAL) > 0 && !strstr(answer, "Connection: close");
}

static inline void* receiver__run(void* arg) {
    receiver* r = (receiver*)arg;
    receiver_connection all[RECEIVER_CONNECTIONS];
    struct pollfd p[RECEIVER_CONNECTIONS + 1];
    int i, n, count = 0;
    while (!receiver__stopped(r)) {
        p[0].fd = r->fd;
        for (i = 0; i < count; i++) { p[i + 1].fd = all[i].fd; }
        n = count < RECEIVER_CONNECTIONS ? count + 1 : count;
        for (i = 0; i <= count && i < RECEIVER_CONNECTIONS; i++) { p[i].events = POLLIN; p[i].revents = 0; }
        if (poll(p, (nfds_t)n, 50) <= 0) { continue; }
        for (i = count - 1; i >= 0; i--) {
            if (!p[i + 1].revents || receiver__read(r, &all[i])) { continue; }
            close(all[i].fd);
            free(all[i].room);
            all[i] = all[--count];
        }
        if (p[0].revents && count < RECEIVER_CONNECTIONS - 1) {
            all[count].fd = accept(r->fd, NULL, NULL);
            all[count].size = 0;
            all[count].room = (char*)malloc(RECEIVER_ROOM);
            if (all[count].fd >= 0 && all[count].room) { count++; }
        }
    }
    for (i = 0; i < count; i++) { close(all[i].fd); free(all[i].room); }
    return NULL;
}

/* Has a port that nobody else can have, and does not listen: connections are refused. */
static inline bool receiver_deaf(receiver* r) {
    struct sockaddr_in a;
    socklen_t size = sizeof a;
    memset(r, 0, sizeof *r);
    pthread_mutex_init(&r->mutex, NULL);
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (r->fd < 0 || bind(r->fd, (struct sockaddr*)&a, sizeof a) != 0 ||
        getsockname(r->fd, (struct sockaddr*)&a, &size) != 0) { return false; }
    r->port = ntohs(a.sin_port);
    snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u", r->port);
    return true;
}
static inline bool receiver_listen(receiver* r) { return receiver_deaf(r) && listen(r->fd, 16) == 0; }
/* answer NULL: a black hole, which listens and never accepts. */
static inline bool receiver_start(receiver* r, const char* answer, const char* next_answer) {
    if (!receiver_listen(r)) { return false; }
    if (!answer) { return true; }
    snprintf(r->answer, sizeof r->answer, "%s", answer);
    snprintf(r->next_answer, sizeof r->next_answer, "%s", next_answer ? next_answer : "");
    r->running = pthread_create(&r->thread, NULL, receiver__run, r) == 0;
    return r->running;
}
static inline void receiver_stop(receiver* r) {
    pthread_mutex_lock(&r->mutex);
    r->stop = true;
    pthread_mutex_unlock(&r->mutex);
    if (r->running) { pthread_join(r->thread, NULL); }
    close(r->fd);
}
static inline int receiver_requests(receiver* r) {
    int n;
    pthread_mutex_lock(&r->mutex);
    n = r->requests;
    pthread_mutex_unlock(&r->mutex);
    return n;
}
/* An OTLP sink for it; for one with more in its desc complete o and call tel_sink_otlp again. */
static inline tel_sink receiver_sink(const receiver* r, tel_otlp_desc* o, uint32_t timeout_ms) {
    memset(o, 0, sizeof *o);
    o->endpoint = r->url;
    o->timeout_ms = timeout_ms;
    return tel_sink_otlp(o);
}

#define ANSWER_200 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

/* ---- the other way: a scrape endpoint on loopback and a client of it ---- */

static inline tel_sink scrape_sink(tel_prometheus_desc* p, unsigned port) {
    memset(p, 0, sizeof *p);
    p->host = "127.0.0.1";
    p->port = port;
    return tel_sink_prometheus(p);
}
/* A connection of its own with one request under way; -1: refused. */
static inline int scrape_begin(unsigned port, const char* request) {
    struct sockaddr_in a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_port = htons((uint16_t)port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr*)&a, sizeof a) == 0 && send(fd, request, strlen(request), MSG_NOSIGNAL) > 0) {
        return fd;
    }
    if (fd >= 0) { close(fd); }
    return -1;
}
/* The same and its answer, NUL-terminated; "" when there is none. */
static inline size_t scrape(unsigned port, const char* request, char* answer, size_t capacity) {
    size_t size = 0;
    ssize_t n;
    int fd = scrape_begin(port, request);
    while (fd >= 0 && size < capacity - 1 && (n = recv(fd, answer + size, capacity - 1 - size, 0)) > 0) { size += (size_t)n; }
    answer[size] = 0;
    if (fd >= 0) { close(fd); }
    return size;
}
#endif
