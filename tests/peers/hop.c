/* hop.c FILE -- a service that continues the trace of whoever calls it, and calls the next one, for neighbours_job.sh. It prints
   its port, answers GET /hop/NAME?via=PORT/NAME,PORT/NAME and ends with its input. In each request it extracts the context,
   starts a span, adds a member NAME to the tracestate and an entry NAME to the baggage, asks the next service, and answers with
   that one's lines and one of its own: what it has extracted. Its spans go to FILE as lines of OTLP JSON. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct text { char data[16384]; size_t size; } text;
static FILE* lines;

static bool put(const void* data, size_t size, void* user_data) {
    text* t = (text*)user_data;
    if (size > sizeof t->data - 1 - t->size) { return false; }
    memcpy(t->data + t->size, data, size);
    t->size += size;
    t->data[t->size] = '\0';
    return true;
}
static void puts_to(text* t, const char* s) { put(s, strlen(s), t); }
static void put_header(const char* key, const char* value, void* user_data) {
    puts_to((text*)user_data, key);
    puts_to((text*)user_data, ": ");
    puts_to((text*)user_data, value);
    puts_to((text*)user_data, "\r\n");
}
/* The index-th header of that name in a request. */
static tel_text get_header(const char* key, size_t index, void* user_data) {
    tel_text found = { NULL, 0 };
    const char* line = strstr((const char*)user_data, "\r\n");
    size_t n = strlen(key);
    for (; line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, key, n) == 0 && line[2 + n] == ':' && index-- == 0) {
            found.data = line + 3 + n;
            found.size = strcspn(found.data, "\r");
            return found;
        }
    }
    return found;
}

static bool read_all(int s, text* t, const char* end) {
    ssize_t n;
    while ((!end || !strstr(t->data, end)) && (n = recv(s, t->data + t->size, sizeof t->data - 1 - t->size, 0)) > 0) {
        t->size += (size_t)n;
        t->data[t->size] = '\0';
    }
    return t->size > 0;
}
static int open_port(int port, bool serve) {
    struct sockaddr_in to;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)port);
    if (serve ? bind(s, (struct sockaddr*)(void*)&to, sizeof to) == 0 && listen(s, 16) == 0
              : connect(s, (struct sockaddr*)(void*)&to, sizeof to) == 0) { return s; }
    close(s);
    return -1;
}

static void add_entry(const char* key, const char* value, const char* metadata, void* user_data) {
    text* t = (text*)user_data;
    char whole[512];
    tel_writer out = { put, t };
    tel_attr a = tel_str(key, whole);
    snprintf(whole, sizeof whole, "%s%s%s", value, metadata[0] ? ";" : "", metadata);
    puts_to(t, t->data[t->size - 1] == '{' ? "" : ",");
    tel_write_json_attr(out, &a);
}
static void put_id(text* t, const char* key, const uint8_t* id, size_t size) {
    char hex[3];
    size_t i;
    puts_to(t, key);
    for (i = 0; i < size; i++) {
        snprintf(hex, sizeof hex, "%02x", id[i]);
        puts_to(t, hex);
    }
}
static void report(text* t, const char* name, const tel_context* remote, const tel_context* own) {
    char state[1024];
    puts_to(t, "{\"name\":\"");
    puts_to(t, name);
    put_id(t, "\",\"trace\":\"", own->trace_id, 16);
    put_id(t, "\",\"span\":\"", own->span_id, 8);
    put_id(t, "\",\"parent\":\"", remote->span_id, 8);
    puts_to(t, own->flags & 1 ? "\",\"sampled\":true,\"tracestate\":\"" : "\",\"sampled\":false,\"tracestate\":\"");
    if (tel_tracestate_get(remote, NULL, state, sizeof state) == TEL_OK) { puts_to(t, state); }
    puts_to(t, "\",\"baggage\":{");
    tel_baggage_each(remote, add_entry, t);
    puts_to(t, "}}\n");
}

/* The next service's lines. via is "PORT/NAME,..." or empty. */
static void ask_next(const char* via, const tel_context* c, text* lines_of) {
    text* request = (text*)calloc(1, sizeof *request);
    text* answer = (text*)calloc(1, sizeof *answer);
    tel_carrier out;
    const char *name = strchr(via, '/'), *body;
    size_t n = strcspn(via, ",");
    int s = open_port(atoi(via), false);
    if (!request || !answer || !name || s < 0) { exit(1); }
    memset(&out, 0, sizeof out);
    out.set_fn = put_header;
    out.user_data = request;
    puts_to(request, "GET /hop");
    put(name, n - (size_t)(name - via), request);
    puts_to(request, "?via=");
    puts_to(request, via[n] ? via + n + 1 : "");
    puts_to(request, " HTTP/1.0\r\nHost: 127.0.0.1\r\n");
    (void)tel_inject(c, &out);
    puts_to(request, "\r\n");
    if (send(s, request->data, request->size, 0) < 0 || !read_all(s, answer, NULL)) { exit(1); }
    body = strstr(answer->data, "\r\n\r\n");
    puts_to(lines_of, body ? body + 4 : "");
    close(s);
    free(request);
    free(answer);
}

static void* serve(void* arg) {
    int s = (int)(intptr_t)arg;
    text* request = (text*)calloc(1, sizeof *request);
    text* answer = (text*)calloc(1, sizeof *answer);
    char name[32] = "", via[512] = "";
    tel_carrier in;
    tel_context remote;
    if (!request || !answer) { exit(1); }
    if (read_all(s, request, "\r\n\r\n") && sscanf(request->data, "GET /hop/%31[^?]?via=%511[^ ]", name, via) >= 1) {
        memset(&in, 0, sizeof in);
        in.get_all_fn = get_header;
        in.user_data = request->data;
        remote = tel_extract(&in);
        puts_to(answer, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n");
        TEL_ATTACH(&remote) {
            TEL_SPAN_EX(span, &(tel_span_desc){ .name = name, .kind = TEL_SPAN_SERVER }) {
                tel_context own = span->context, onward = own;
                (void)tel_tracestate_set(&onward, name, "1");
                (void)tel_baggage_set(&onward, name, "caf\xc3\xa9, a=b; 100%+1", "unit=percent");
                if (via[0]) { ask_next(via, &onward, answer); }
                report(answer, name, &remote, &own);
            }
        }
        if (send(s, answer->data, answer->size, 0) < 0) { perror("send"); }
    }
    close(s);
    free(request);
    free(answer);
    return NULL;
}

static bool write_line(const void* data, size_t size, void* user_data) {
    (void)user_data;
    return fwrite(data, 1, size, lines) == size;
}
static void* accept_all(void* arg) {
    int s, listener = (int)(intptr_t)arg;
    pthread_t thread;
    while ((s = accept(listener, NULL, NULL)) >= 0) {
        if (pthread_create(&thread, NULL, serve, (void*)(intptr_t)s) == 0) { pthread_detach(thread); }
    }
    return NULL;
}

int main(int argc, char** argv) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int listener = open_port(0, true);
    tel_writer to = { write_line, NULL };
    pthread_t thread;
    tel_sink sink;
    tel_desc d;
    if (argc != 2 || !(lines = fopen(argv[1], "w")) || listener < 0) { return 1; }
    memset(&d, 0, sizeof d);
    sink = tel_sink_jsonl(&to);
    d.service_name = "hop";
    d.sinks = &sink;
    d.sink_count = 1;
    if (tel_init(&d) != TEL_OK || getsockname(listener, (struct sockaddr*)(void*)&at, &size) != 0 ||
        pthread_create(&thread, NULL, accept_all, (void*)(intptr_t)listener) != 0) { return 1; }
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    while (getchar() != EOF) { }
    return tel_shutdown(5000) != TEL_OK || fclose(lines) != 0;
}
