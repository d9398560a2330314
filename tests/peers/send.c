/* send.c ITEMS BYTES TIMEOUT [insecure] [request=BYTES] [rounds=N] -- ITEMS spans, logs and additions to a counter, each span and
   log with its number and a text of BYTES, into an OTLP sink as the environment wants it; then a flush of TIMEOUT ms; all that N
   times, and the end within TIMEOUT. For the jobs in this folder: it prints the results and the books as "name value" lines, before the end and
   after it. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tel_counter sent = TEL_INSTRUMENT("send.items", "{item}", "Items");

static const char* const signals[3] = { "metrics", "traces", "logs" };

static void print_books(const char* when) {
    tel_stats s = tel_query_stats();
    tel_sink_stats k;
    int i;
    if (!tel_query_sink(0, &k)) { memset(&k, 0, sizeof k); }
    for (i = 0; i < 3; i++) {
        printf("%s.%s.recorded %llu\n", when, signals[i], (unsigned long long)s.recorded[i]);
        printf("%s.%s.delivered %llu\n", when, signals[i], (unsigned long long)k.delivered[i]);
        printf("%s.%s.failed %llu\n", when, signals[i], (unsigned long long)k.dropped_failed[i]);
        printf("%s.%s.queued %llu\n", when, signals[i], (unsigned long long)(k.queued[i] + (i ? s.queued[i] : 0)));
        printf("%s.%s.lost %llu\n", when, signals[i], (unsigned long long)(k.dropped_full[i] + k.skipped[i] + (i ? s.dropped[i] : 0)));
    }
    printf("%s.status %d\n%s.error %s\n", when, k.last_status, when, k.last_error);
}

static void record(int from, int count, const char* text, size_t bytes) {
    int i;
    for (i = from; i < from + count; i++) {
        tel_span s = tel_span_start("sent");
        tel_span_set(&s, tel_int("n", i));
        tel_span_set(&s, tel_strn("text", text, bytes));
        tel_span_end(&s);
        tel_log(TEL_INFO, "sent", TEL_ATTRS(tel_int("n", i), tel_strn("text", text, bytes)));
        tel_counter_add(&sent, 1);
    }
}

int main(int argc, char** argv) {
    tel_desc d;
    tel_otlp_desc o;
    tel_sink sink;
    char* text;
    int i, items, rounds = 1;
    tel_result r = TEL_OK;
    size_t bytes;
    if (argc < 4) { return 2; }
    items = atoi(argv[1]);
    bytes = (size_t)atoi(argv[2]);
    text = (char*)malloc(bytes + 1);
    if (!text) { return 2; }
    for (i = 0; i < (int)bytes; i++) { text[i] = (char)('a' + (i * 31 + i / 7) % 26); }
    text[bytes] = '\0';
    memset(&d, 0, sizeof d);
    memset(&o, 0, sizeof o);
    for (i = 4; i < argc; i++) {
        if (strcmp(argv[i], "insecure") == 0) { o.insecure = true; }
        if (strncmp(argv[i], "request=", 8) == 0) { o.request_bytes = (size_t)atoi(argv[i] + 8); }
        if (strncmp(argv[i], "rounds=", 7) == 0) { rounds = atoi(argv[i] + 7); }
    }
    o.retry_first_ms = 100;
    o.retry_most_ms = 400;
    sink = tel_sink_otlp(&o);
    d.sinks = &sink;
    d.sink_count = 1;
    d.no_self_metrics = true;
    printf("init %d\n", (int)tel_init(&d));
    for (i = 0; i < rounds; i++) {
        record(i * items, items, text, bytes);
        r = tel_flush((uint32_t)atoi(argv[3]));
    }
    printf("flush %d\n", (int)r);
    print_books("before");
    printf("shutdown %d\n", (int)tel_shutdown((uint32_t)atoi(argv[3])));
    print_books("after");
    free(text);
    return 0;
}
