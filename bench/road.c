/* road.c -- the whole road of a span with 3 attributes: recorded, drained, encoded as OTLP JSON, sent to a receiver on loopback
   that reads it and answers 200, with the settings that a program gets that sets none.
     cc -O2 -pthread -o road road.c && ./road         one line per figure, as bench.c --tsv prints them
   road.cpu.RATE    cpu time of the whole process per span at that many spans a second, without what the pauses between
                    them cost: the recording calls, and all threads but the recording one
   road.export.RATE the part of it that is not the recording thread's
   road.burst       the largest burst from one idle thread, flat out, of which nothing is lost (of those tried)
   road.rate        the highest rate of one thread, for a second after a pause, at which nothing is lost (of those tried)
   road.instant...  both with a sink that takes everything at once
   The receiver is a process of its own, whose cpu time does not count. POSIX only. */
#define _GNU_SOURCE 1
#define TELEMETRY_IMPLEMENTATION
#include "../telemetry.h"
#include "measure.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the receiver: any number of connections, nothing but the length of a body is looked at ---- */

#define CONNECTIONS 32
typedef struct connection { char head[4096]; size_t size, left; } connection;
static connection connections[CONNECTIONS];

/* Takes what has come; answers every request that is complete. false: the connection is over. */
static bool receive(int fd, connection* c) {
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static char body[1 << 20];
    ssize_t n;
    char *end, *at;
    if (c->left) {
        n = recv(fd, body, c->left < sizeof body ? c->left : sizeof body, 0);
        if (n <= 0) { return false; }
        c->left -= (size_t)n;
        return c->left || send(fd, ok, sizeof ok - 1, MSG_NOSIGNAL) > 0;
    }
    n = recv(fd, c->head + c->size, sizeof c->head - 1 - c->size, 0);
    if (n <= 0) { return false; }
    c->size += (size_t)n;
    c->head[c->size] = 0;
    end = strstr(c->head, "\r\n\r\n");
    if (!end) { return c->size < sizeof c->head - 1; }
    at = strstr(c->head, "Content-Length: ");
    if (!at) { return false; }
    c->left = (size_t)strtoul(at + 16, NULL, 10) - (c->size - (size_t)(end + 4 - c->head));
    c->size = 0;
    return c->left || send(fd, ok, sizeof ok - 1, MSG_NOSIGNAL) > 0;
}
static void serve(int listener) {
    struct pollfd fds[CONNECTIONS + 1];
    int i;
    for (i = 0; i <= CONNECTIONS; i++) { fds[i].fd = -1; fds[i].events = POLLIN; }
    fds[CONNECTIONS].fd = listener;
    while (poll(fds, CONNECTIONS + 1, -1) >= 0) {
        for (i = 0; i < CONNECTIONS; i++) {
            if (fds[i].fd >= 0 && fds[i].revents && !receive(fds[i].fd, &connections[i])) {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
        }
        for (i = 0; fds[CONNECTIONS].revents && i < CONNECTIONS; i++) {
            if (fds[i].fd >= 0) { continue; }
            fds[i].fd = accept(listener, NULL, NULL);
            memset(&connections[i], 0, sizeof connections[i]);
            break;
        }
    }
}

/* ---- the load ---- */

static void span(int i) {
    tel_span s = tel_span_start("GET /cart");
    tel_span_set_all(&s, TEL_ATTRS(tel_str("http.route", "/cart"), tel_str("http.request.method", "GET"),
                                   tel_int("http.response.status_code", 200 + i % 16)));
    tel_span_end(&s);
}
static uint64_t dropped(void) {
    tel_stats s = tel_query_stats();
    return s.dropped[1] + s.failed[1];
}
static void rest(void) {
    struct timespec t = { 1, 200000000 };
    tel_flush(10000);
    nanosleep(&t, NULL);
}
static uint64_t recording_ns;           /* of the recording thread, without its pauses */

/* `count` spans at `rate` a second, in steps of a millisecond; 0: flat out. Returns how many were lost. */
static uint64_t load(int count, int rate) {
    uint64_t before = dropped(), begin = bench_now();
    int done = 0;
    while (done < count) {
        uint64_t from;
        int due = count;
        if (rate) {
            struct timespec step = { 0, 1000000 };
            nanosleep(&step, NULL);
            due = (int)((double)(bench_now() - begin) * 1e-9 * rate);
        }
        from = bench_cpu_ns();
        for (; done < due && done < count; done++) { span(done); }
        recording_ns += bench_cpu_ns() - from;
    }
    tel_flush(10000);
    return dropped() - before;
}
static uint64_t process_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void hear_nothing(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level; (void)item; (void)message; (void)line; (void)user_data;
}

static void one_value(const char* name, double v, const char* unit) {
    bench_result r;
    r.min = r.median = v;
    bench_line(name, r, unit, 0, NULL);
}

static void cpu(int rate, int count) {
    double whole[7], rest_of_it[7];
    char name[40];
    int i;
    for (i = 0; i < 7; i++) {
        uint64_t all = process_cpu_ns(), mine = bench_cpu_ns();
        recording_ns = 0;
        load(count, rate);
        all = process_cpu_ns() - all;
        mine = bench_cpu_ns() - mine;
        rest_of_it[i] = (double)(all - mine) / count;
        whole[i] = rest_of_it[i] + (double)recording_ns / count;
    }
    snprintf(name, sizeof name, "road.cpu.%d", rate);
    bench_line(name, bench_summary(whole, 7), "ns", 0, NULL);
    snprintf(name, sizeof name, "road.export.%d", rate);
    bench_line(name, bench_summary(rest_of_it, 7), "ns", 0, NULL);
}
static void limits(const char* prefix) {
    static const int bursts[] = { 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000 };
    static const int rates[] = { 100000, 200000, 400000, 600000, 800000, 1000000, 1500000, 2000000, 3000000 };
    char name[40];
    size_t i;
    int best = 0;
    for (i = 0; i < sizeof bursts / sizeof bursts[0]; i++) {
        rest();
        if (load(bursts[i], 0) != 0) { break; }
        best = bursts[i];
    }
    snprintf(name, sizeof name, "%s.burst", prefix);
    one_value(name, best, "spans");
    best = 0;
    for (i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        rest();
        if (load(rates[i], rates[i]) != 0) { break; }
        best = rates[i];
    }
    snprintf(name, sizeof name, "%s.rate", prefix);
    one_value(name, best, "spans/s");
}

static tel_result take_at_once(const tel_batch* batch, void* user_data) {
    (void)batch;
    (void)user_data;
    return TEL_OK;
}

int main(void) {
    struct sockaddr_in a;
    socklen_t size = sizeof a;
    tel_otlp_desc otlp;
    tel_sink sink;
    tel_desc d;
    char url[64];
    pid_t child;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr*)&a, sizeof a) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr*)&a, &size) != 0) { perror("road"); return 1; }
    child = fork();
    if (child == 0) { serve(listener); _exit(0); }
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(a.sin_port));
    memset(&otlp, 0, sizeof otlp);
    otlp.endpoint = url;
    sink = tel_sink_otlp(&otlp);
    memset(&d, 0, sizeof d);
    d.service_name = "road";
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = true;
    d.diag.report_fn = hear_nothing;                /* what is lost is what is measured */
    if (tel_init(&d) != TEL_OK) { return 1; }
    rest();
    cpu(20000, 20000);
    cpu(100000, 50000);
    cpu(800000, 200000);
    limits("road");
    tel_shutdown(2000);
    memset(&sink, 0, sizeof sink);
    sink.name = "instant";
    sink.export_fn = take_at_once;
    if (tel_init(&d) != TEL_OK) { return 1; }
    limits("road.instant");
    tel_shutdown(2000);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    return 0;
}
