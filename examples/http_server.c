/* http_server.c -- a small but real multi-threaded HTTP/1.1 server, instrumented as in production.

   Shows: a SERVER span per request that continues the caller's trace (traceparent), child spans, logs
   that carry their span's ids, a timer that learns its attributes while it runs, the HTTP metrics of the
   OpenTelemetry conventions, two sinks at once
   (OTLP to a Collector, and a Prometheus scrape endpoint), and a clean stop on SIGTERM.

   Build:    cc http_server.c -o http_server -pthread
   Run:      ./http_server --port 8080 --metrics-port 9464 &
             curl http://127.0.0.1:8080/checkout ; curl http://127.0.0.1:9464/metrics ; kill $!
   Options:  --port N, --metrics-port N (0: pick one), --threads N, --requests N (stop after N requests)
   Expect:   listening on 127.0.0.1:8080
             metrics on 127.0.0.1:9464
             order 1 placed
             (the metrics, among them demo_requests_total with http_route="/checkout")
             tel_stats signal=metrics recorded=... dropped=0 exported=... failed=0
             tel_stats signal=spans recorded=4 dropped=0 exported=4 failed=0
             tel_stats signal=logs recorded=1 dropped=0 exported=1 failed=0
             served 1 requests
   With no Collector on localhost:4318 the server runs just as well: stderr says so, the stats count it. */
#define TELEMETRY_IMPLEMENTATION
#include "../telemetry.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The instruments: static, no registration. */
static const double bounds[] = { 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10 };
static const tel_metric_options in_seconds = { .bounds = bounds, .bound_count = sizeof bounds / sizeof bounds[0] };
static tel_histogram duration = TEL_INSTRUMENT_OPT("http.server.request.duration", "s",
                                                    "Duration of HTTP server requests", &in_seconds);
static tel_updown  active   = TEL_INSTRUMENT("http.server.active_requests", "{request}", "Requests in flight");
static tel_counter requests = TEL_INSTRUMENT("demo.requests", "{request}", "Requests answered, by route");

enum { MAX_THREADS = 64, MAX_CONNS = 128, MAX_HEADERS = 48, HEAD_BYTES = 8192 };

typedef struct header { const char* name; const char* value; } header;
typedef struct request {
    const char* method; const char* path; const char* query;
    header headers[MAX_HEADERS];
    size_t header_count, body_size;
    bool   close;
} request;
typedef struct response { int status; char body[128]; } response;
typedef struct route { const char* path; void (*handler)(response* out); } route;
typedef struct conn { int fd; size_t size; char data[HEAD_BYTES + 1]; } conn;
typedef struct worker { pthread_t thread; int listener; size_t conn_count; conn conns[MAX_CONNS]; } worker;

static int stop_pipe[2];            /* one byte in it stops every worker; nobody reads it */
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long served, served_limit, orders;

static void stop_all(int signal_number) {
    int kept = errno;
    ssize_t ignored = write(stop_pipe[1], "x", 1);  /* full: stopped already */
    (void)ignored; (void)signal_number;
    errno = kept;
}

static unsigned long count_up(unsigned long* counter) {
    pthread_mutex_lock(&count_lock);
    unsigned long now = ++*counter;
    pthread_mutex_unlock(&count_lock);
    return now;
}

/* ---- the shop: its routes, with spans and logs inside ---- */
/* A call to another system is a CLIENT span. The thread's current span becomes its parent. */
static void call_out(const char* name, tel_attr peer, long microseconds, bool fails) {
    struct timespec t = { 0, microseconds * 1000 };
    TEL_SPAN_EX(span, &(tel_span_desc){ .name = name, .kind = TEL_SPAN_CLIENT, .attrs = TEL_ATTRS(peer) }) {
        nanosleep(&t, NULL);
        if (fails) {
            tel_span_set(span, tel_str("error.type", "timeout"));
            tel_span_status(span, TEL_STATUS_ERROR, "no answer");
        }
    }
}

static int load_cart(void) {
    TEL_SPAN(span, "load cart") {
        call_out("SELECT carts", tel_str("db.system.name", "postgresql"), 200, false);
        tel_span_set(span, tel_int("cart.items", 3));
    }
    return 3;
}

static void get_home(response* out) { snprintf(out->body, sizeof out->body, "welcome\n"); }

static void get_cart(response* out) {
    int items = load_cart();
    tel_logf(TEL_DEBUG, "cart has %d items", items);
    snprintf(out->body, sizeof out->body, "%d items\n", items);
}

static void checkout(response* out) {
    int items = load_cart();
    call_out("charge card", tel_str("server.address", "bank.example"), 500, false);
    unsigned long order = count_up(&orders);
    tel_log(TEL_INFO, "order placed", TEL_ATTRS(tel_int("order.id", (int64_t)order), tel_int("cart.items", items)));
    snprintf(out->body, sizeof out->body, "order %lu placed\n", order);
}

static void get_error(response* out) {
    call_out("charge card", tel_str("server.address", "bank.example"), 1000, true);
    tel_logf(TEL_ERROR, "charge card: no answer after %d us", 1000);
    out->status = 500;
    snprintf(out->body, sizeof out->body, "the bank does not answer\n");
}

static const route routes[] = {
    { "/", get_home }, { "/cart", get_cart }, { "/checkout", checkout }, { "/error", get_error }
};

static const route* find_route(const char* path) {
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(routes[i].path, path) == 0) { return &routes[i]; }
    }
    return NULL;
}

/* ---- instrumentation: one place, around every request ---- */
/* How the propagator reads our headers. One that came twice is not to be trusted: as if absent. */
static tel_text header_get(const char* key, void* user_data) {
    const request* in = (const request*)user_data;
    tel_text none = { NULL, 0 }, found = none;
    for (size_t i = 0; i < in->header_count; i++) {
        if (strcasecmp(in->headers[i].name, key) != 0) { continue; }
        if (found.data) { return none; }
        found.data = in->headers[i].value;
        found.size = strlen(found.data);
    }
    return found;
}

/* Every name is a series of its own, so only those that the conventions know; the rest is _OTHER. */
static const char* known_method(const char* method) {
    static const char* const known[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE",
                                         "PATCH" };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i], method) == 0) { return known[i]; }
    }
    return "_OTHER";
}

static tel_span start_server_span(request* in, const char* method, const route* to) {
    char name[64];
    snprintf(name, sizeof name, to ? "%s %s" : "%s", method[0] == '_' ? "HTTP" : method, to ? to->path : "");
    tel_context caller = tel_extract(&(tel_carrier){ .get_fn = header_get, .user_data = in });
    tel_span s = tel_span_start_ex(&(tel_span_desc){
        .name = name, .kind = TEL_SPAN_SERVER, .parent = &caller,   /* all zero, nothing usable came: a new trace */
        .attrs = TEL_ATTRS(tel_str("http.request.method", method), tel_str("url.scheme", "http"),
                           tel_str("url.path", in->path)) });
    if (method[0] == '_') { tel_span_set(&s, tel_str("http.request.method_original", in->method)); }
    if (to) { tel_span_set(&s, tel_str("http.route", to->path)); }
    if (in->query[0]) { tel_span_set(&s, tel_str("url.query", in->query)); }
    return s;
}

/* What is known at the end: the status. The histogram and the span get it, and the route, if there is one. */
static void finish(tel_span* span, tel_timer* timer, const route* to, int status) {
    if (to) {
        tel_time_set(timer, tel_str("http.route", to->path));
        tel_counter_add_with(&requests, 1, TEL_ATTRS(tel_str("http.route", to->path)));
    } else {
        tel_counter_add(&requests, 1);
    }
    tel_time_set(timer, tel_int("http.response.status_code", status));
    tel_span_set(span, tel_int("http.response.status_code", status));
    if (status >= 500) {                            /* a 4xx is the caller's error, not this server's */
        char type[16];
        snprintf(type, sizeof type, "%d", status);
        tel_time_set(timer, tel_str("error.type", type));
        tel_span_set(span, tel_str("error.type", type));
        tel_span_status(span, TEL_STATUS_ERROR, NULL);
    }
    tel_timer_end(timer);
    tel_span_end(span);
}

static void serve(request* in, response* out) {
    tel_timer timer;
    const char* method = known_method(in->method);
    const route* to = find_route(in->path);
    tel_attrs in_flight = TEL_ATTRS(tel_str("http.request.method", method), tel_str("url.scheme", "http"));
    tel_timer_begin(&timer, &duration, in_flight);
    tel_updown_add_with(&active, 1, in_flight);
    tel_span span = start_server_span(in, method, to);
    TEL_ATTACH(&span.context) {                     /* spans and logs in here belong to this request */
        if (to) {
            to->handler(out);
        } else {
            out->status = 404;
            snprintf(out->body, sizeof out->body, "no such page\n");
            tel_log(TEL_WARN, "no such page", TEL_NOATTRS);
        }
    }
    tel_updown_add_with(&active, -1, in_flight);
    finish(&span, &timer, to, out->status);
}

/* ---- HTTP/1.1, as much as a shop needs ---- */
/* The piece before the separator; *rest moves behind it, and is NULL after the last piece. */
static char* cut(char** rest, const char* separator) {
    char* piece = *rest;
    char* end = strstr(piece, separator);
    if (end) { *end = 0; }
    *rest = end ? end + strlen(separator) : NULL;
    return piece;
}

/* Cuts a NUL-terminated head into the request, in place. False: answer 400 and close. */
static bool parse_head(char* head, request* in) {
    char* line = cut(&head, "\r\n");
    in->method = cut(&line, " ");
    char* target = line ? cut(&line, " ") : NULL;
    if (!target || target[0] != '/' || !line || strncmp(line, "HTTP/1.", 7) != 0) { return false; }
    in->close = strcmp(line, "HTTP/1.1") != 0;
    in->path = cut(&target, "?");
    in->query = target ? target : "";
    in->header_count = in->body_size = 0;
    while (head) {
        char* value = cut(&head, "\r\n");
        char* name = cut(&value, ":");
        if (!value || in->header_count == MAX_HEADERS) { return false; }
        value += strspn(value, " \t");
        in->headers[in->header_count].name = name;
        in->headers[in->header_count++].value = value;
        if (strcasecmp(name, "connection") == 0 && strcasecmp(value, "close") == 0) { in->close = true; }
        if (strcasecmp(name, "transfer-encoding") == 0) { return false; }
        if (strcasecmp(name, "content-length") == 0) { in->body_size = strtoul(value, NULL, 10); }
    }
    return true;
}

/* One send: a client that lets its window fill up is not waited for, it is closed. */
static bool send_answer(int fd, const response* out, bool head_only, bool closing) {
    char text[512];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n%s\r\n%s",
                     out->status, out->status == 200 ? "OK" : "Error", strlen(out->body),
                     closing ? "Connection: close\r\n" : "", head_only ? "" : out->body);
    return send(fd, text, (size_t)n, MSG_DONTWAIT) == n;
}

/* Answers every request that is whole in the connection's buffer. False: close the connection. */
static bool answer_all(conn* c) {
    for (;;) {
        char head[HEAD_BYTES + 1];
        request in;
        response out = { 200, "" };
        c->data[c->size] = 0;
        char* end = strstr(c->data, "\r\n\r\n");
        if (!end) { return c->size < HEAD_BYTES; }
        size_t size = (size_t)(end + 4 - c->data);
        snprintf(head, sizeof head, "%.*s", (int)(end - c->data), c->data);
        if (!parse_head(head, &in) || in.body_size > HEAD_BYTES - size) {
            out.status = 400;
            send_answer(c->fd, &out, false, true);
            return false;
        }
        size += in.body_size;
        if (c->size < size) { return true; }
        serve(&in, &out);
        bool last = count_up(&served) == served_limit;
        bool sent = send_answer(c->fd, &out, strcmp(in.method, "HEAD") == 0, in.close);
        c->size -= size;
        memmove(c->data, c->data + size, c->size);
        if (last) { stop_all(0); }
        if (!sent || in.close || last) { return false; }
    }
}

static bool read_some(conn* c) {
    ssize_t n = recv(c->fd, c->data + c->size, HEAD_BYTES - c->size, 0);
    c->size += n > 0 ? (size_t)n : 0;
    return n > 0 && answer_all(c);
}

static void* run_worker(void* arg) {
    worker* w = (worker*)arg;
    struct pollfd fds[MAX_CONNS + 2];
    for (;;) {
        size_t n = w->conn_count;
        fds[0].fd = stop_pipe[0];
        fds[1].fd = n < MAX_CONNS ? w->listener : -1;
        for (size_t i = 0; i < n; i++) { fds[i + 2].fd = w->conns[i].fd; }
        for (size_t i = 0; i < n + 2; i++) { fds[i].events = POLLIN; fds[i].revents = 0; }
        if ((poll(fds, (nfds_t)(n + 2), -1) < 0 && errno != EINTR) || fds[0].revents) { break; }
        for (size_t i = n; i-- > 0;) {              /* backwards: the last one takes the place of a closed one */
            conn* c = &w->conns[i];
            if (!fds[i + 2].revents || read_some(c)) { continue; }
            close(c->fd);
            if (i != --w->conn_count) { memcpy(c, &w->conns[w->conn_count], sizeof *c); }
        }
        int fd = fds[1].revents ? accept(w->listener, NULL, NULL) : -1;     /* -1: another worker was faster */
        if (fd >= 0) {
            w->conns[w->conn_count].fd = fd;
            w->conns[w->conn_count++].size = 0;
        }
    }
    while (w->conn_count > 0) { close(w->conns[--w->conn_count].fd); }
    return NULL;
}

/* ---- start and stop ---- */
/* Port 0 becomes the port that the system picked. */
static int listen_on(int* port) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)*port) };
    socklen_t size = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr*)&a, sizeof a) != 0 || listen(fd, 512) != 0) { return -1; }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    getsockname(fd, (struct sockaddr*)&a, &size);
    *port = ntohs(a.sin_port);
    return fd;
}

/* The Collector's address comes from the environment, OTEL_EXPORTER_OTLP_ENDPOINT. So does metrics port -1. */
static void start_telemetry(int metrics_port) {
    tel_prometheus_desc scrape = { .port = metrics_port == 0 ? TEL_ANY_PORT : 0 };
    if (metrics_port > 0) { scrape.port = (uint32_t)metrics_port; }
    tel_sink sinks[] = { tel_sink_otlp(NULL), tel_sink_prometheus(&scrape) };
    tel_result r = tel_init(&(tel_desc){
        .service_name = "shop", .service_version = "1.0.0", .sinks = sinks, .sink_count = 2,
        .resource = TEL_ATTRS(tel_str("deployment.environment.name", "demo")) });
    if (r != TEL_OK) {                              /* a sink that could not open, such as a taken port, leaves the others running */
        fprintf(stderr, "running %s telemetry: %s\n", tel_enabled() ? "with part of the" : "without", tel_result_string(r));
    }
}

static void stop_telemetry(void) {
    static const char* const names[3] = { "metrics", "spans", "logs" };
    tel_flush(10000);                               /* delivers what is left, within ten seconds */
    tel_stats s = tel_query_stats();                /* the books, while they are open */
    for (int i = 0; i < 3; i++) {
        printf("tel_stats signal=%s recorded=%llu dropped=%llu exported=%llu failed=%llu\n", names[i],
               (unsigned long long)s.recorded[i], (unsigned long long)s.dropped[i],
               (unsigned long long)s.exported[i], (unsigned long long)s.failed[i]);
    }
    tel_result r = tel_shutdown(1000);              /* what is not delivered by now is lost; stderr says how much */
    if (r != TEL_OK) { fprintf(stderr, "tel_shutdown: %s\n", tel_result_string(r)); }
}

int main(int argc, char** argv) {
    int port = 8080, metrics_port = -1, threads = 4;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0) { port = atoi(argv[i + 1]); }
        if (strcmp(argv[i], "--metrics-port") == 0) { metrics_port = atoi(argv[i + 1]); }
        if (strcmp(argv[i], "--threads") == 0) { threads = atoi(argv[i + 1]); }
        if (strcmp(argv[i], "--requests") == 0) { served_limit = strtoul(argv[i + 1], NULL, 10); }
    }
    if (threads < 1 || threads > MAX_THREADS) { threads = 4; }
    worker* workers = (worker*)calloc((size_t)threads, sizeof(worker));
    int listener = listen_on(&port);
    if (!workers || listener < 0 || pipe(stop_pipe) != 0) { perror("http_server"); return 1; }
    signal(SIGPIPE, SIG_IGN);                       /* a client that left is no reason to die */
    signal(SIGTERM, stop_all);
    signal(SIGINT, stop_all);
    start_telemetry(metrics_port);
    for (int i = 0; i < threads; i++) {
        workers[i].listener = listener;
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0) { threads = i; stop_all(0); }
    }
    printf("listening on 127.0.0.1:%d\nmetrics on 127.0.0.1:%u\n", port, (unsigned)tel_prometheus_port());
    fflush(stdout);
    for (int i = 0; i < threads; i++) { pthread_join(workers[i].thread, NULL); }
    close(listener);
    free(workers);
    stop_telemetry();
    printf("served %lu requests\n", served);
    return 0;
}
