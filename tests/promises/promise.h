/* promise.h -- what the programs here share. Each prints the figure of one promise and checks it. In the test command they
   are short and their bounds on time are wide enough for a loaded machine; PROMISES=full takes the lengths and the bounds of
   the promise itself. Include it after the implementation. */
#ifndef PROMISE_H_INCLUDED
#define PROMISE_H_INCLUDED
#include "../api/capture.h"
#include <stdarg.h>
#include <time.h>

static inline bool promise_full(void) {
    const char* how = getenv("PROMISES");
    return how != NULL && strcmp(how, "full") == 0;
}
static inline int promise_either(int usual, int full) { return promise_full() ? full : usual; }

/* tests/programs.sh shows the lines that begin so. */
static inline void promise_figure(const char* format, ...) {
    va_list args;
    va_start(args, format);
    printf("figure: ");
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
    va_end(args);
}

static inline double promise_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}
static inline void promise_sleep(unsigned ms) {
    struct timespec t;
    t.tv_sec = (time_t)(ms / 1000);
    t.tv_nsec = (long)(ms % 1000) * 1000000;
    while (nanosleep(&t, &t) != 0 && errno == EINTR) { }
}

/* A desc as a program writes it that sets nothing but its sink. */
static inline tel_desc promise_desc(const tel_sink* sinks, size_t count) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.service_name = "promise";
    d.sinks = sinks;
    d.sink_count = count;
    d.no_atexit = true;
    return d;
}

/* What the series of one counter add up to: a pull sink with a promise_sum as its user_data. */
typedef struct promise_sum {
    const char* name;
    int64_t  own, overflow;
    uint64_t points;                    /* of both */
} promise_sum;
static inline tel_result promise_add_up(const tel_batch* batch, void* user_data) {
    promise_sum* s = (promise_sum*)user_data;
    size_t i, j;
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* m = &batch->metrics[i];
        if (strcmp(m->name.data, s->name) != 0) { continue; }
        for (j = 0; j < m->point_count; j++) {
            const tel_point* p = &m->points[j];
            bool over = p->attrs.count == 1 && strcmp(p->attrs.items[0].key, "otel.metric.overflow") == 0;
            *(over ? &s->overflow : &s->own) += p->i;
            s->points++;
        }
    }
    return TEL_OK;
}

/* ---- a receiver of many connections at once ---- */

typedef enum promise_mood { PROMISE_ANSWERS, PROMISE_BUSY, PROMISE_HANGS, PROMISE_REFUSES } promise_mood;

typedef struct promise_receiver {
    int          fd;
    unsigned     port;
    promise_mood mood;
    void       (*body_fn)(struct promise_receiver* r, const char* body);    /* of what is answered with 200; one at a time */
    pthread_mutex_t mutex;
    uint64_t     requests, items;
    int64_t      total;             /* of the counter, as it came last */
    double       last_ms, worst_gap_ms;
} promise_receiver;

typedef struct promise_connection { promise_receiver* receiver; int fd; } promise_connection;

/* Reads one request into *room, which grows; its body, or NULL at the end of the connection. */
static inline const char* promise_request(int fd, char** room, size_t* capacity) {
    size_t size = 0, body_at = 0, length = SIZE_MAX;
    for (;;) {
        ssize_t n;
        if (*capacity - size < 65536) {
            char* more = (char*)realloc(*room, *capacity * 2 + 131072);
            if (!more) { return NULL; }
            *room = more;
            *capacity = *capacity * 2 + 131072;
        }
        n = recv(fd, *room + size, *capacity - size - 1, 0);
        if (n <= 0) { return NULL; }
        size += (size_t)n;
        (*room)[size] = 0;
        if (length == SIZE_MAX) {
            const char* end = strstr(*room, "\r\n\r\n");
            const char* at = strstr(*room, "Content-Length:");
            if (!end || !at) { continue; }
            body_at = (size_t)(end - *room) + 4;
            length = (size_t)strtoul(at + 15, NULL, 10);
        }
        if (size - body_at >= length) { return *room + body_at; }
    }
}
static void* promise_serve(void* arg) {
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    static const char busy[] = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    promise_connection c = *(promise_connection*)arg;
    const char* body;
    char* room = NULL;
    size_t capacity = 0;
    free(arg);
    while ((body = promise_request(c.fd, &room, &capacity)) != NULL) {
        const char* answer = c.receiver->mood == PROMISE_BUSY ? busy : ok;
        if (c.receiver->mood == PROMISE_HANGS) { continue; }
        pthread_mutex_lock(&c.receiver->mutex);
        c.receiver->requests++;
        if (answer == ok && c.receiver->body_fn) { c.receiver->body_fn(c.receiver, body); }
        pthread_mutex_unlock(&c.receiver->mutex);
        if (send(c.fd, answer, strlen(answer), MSG_NOSIGNAL) < 0) { break; }
    }
    free(room);
    close(c.fd);
    return NULL;
}
static void* promise_accept(void* arg) {
    promise_receiver* r = (promise_receiver*)arg;
    int fd;
    while ((fd = accept(r->fd, NULL, NULL)) >= 0) {
        promise_connection* c = (promise_connection*)malloc(sizeof *c);
        pthread_t t;
        if (!c) { close(fd); continue; }
        c->receiver = r;
        c->fd = fd;
        if (pthread_create(&t, NULL, promise_serve, c) == 0) { pthread_detach(t); } else { free(c); close(fd); }
    }
    return NULL;
}
/* On a port of its own on loopback, until the program ends. One that refuses holds its port and does not listen. */
static inline bool promise_receive(promise_receiver* r, promise_mood mood) {
    struct sockaddr_in a;
    socklen_t size = sizeof a;
    pthread_t t;
    r->mood = mood;
    pthread_mutex_init(&r->mutex, NULL);
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (r->fd < 0 || bind(r->fd, (struct sockaddr*)&a, sizeof a) != 0 ||
        getsockname(r->fd, (struct sockaddr*)&a, &size) != 0) { return false; }
    r->port = ntohs(a.sin_port);
    if (mood == PROMISE_REFUSES) { return true; }
    return listen(r->fd, 128) == 0 && pthread_create(&t, NULL, promise_accept, r) == 0;
}

static inline uint64_t promise_count(const char* text, const char* part) {
    uint64_t n = 0;
    while ((text = strstr(text, part)) != NULL) { n++; text += strlen(part); }
    return n;
}
#endif
