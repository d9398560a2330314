/* providers.c -- several destinations, chosen and switched while the program runs

   An HTTP destination of your own from a transport and an encoder, a fallback when its receiver is dead, and a switch from one
   destination to another. Nothing is lost on the way.

   build:  cc -std=c99 -I.. providers.c -o providers -pthread

   expected
       console: first order
       fallback: third order
       console: fourth order
       4 orders: 3 delivered, 1 lost
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>
#include <string.h>

/* ---- an encoder: one JSON object per log record ---- */

static tel_text text(const char* s) {
    tel_text t;
    t.data = s;
    t.size = SIZE_MAX;
    return t;
}

static tel_result encode(const tel_batch* batch, tel_writer out, void* user_data) {
    size_t i, k;
    (void)user_data;
    for (i = 0; i < batch->log_count; i++) {
        const tel_log_view* log = &batch->logs[i];
        tel_write_text(out, text("{\"message\":"));
        tel_write_json(out, log->body);
        for (k = 0; k < log->attrs.count; k++) {
            tel_write_text(out, text(","));
            tel_write_json_attr(out, &log->attrs.items[k]);
        }
        tel_write_text(out, text("}\n"));
    }
    return TEL_OK;
}

/* Called before each request: a token that expires can be renewed here. */
static const char* token(void* user_data) {
    (void)user_data;
    return "authorization=Bearer of-today";
}

/* ---- two plain sinks ---- */

static tel_result print(const tel_batch* batch, void* user_data) {
    size_t i;
    for (i = 0; i < batch->log_count; i++) {
        printf("%s: %.*s\n", (const char*)user_data, (int)batch->logs[i].body.size, batch->logs[i].body.data);
    }
    return TEL_OK;
}

static tel_sink printer(const char* name) {
    tel_sink s;
    memset(&s, 0, sizeof s);
    s.name = name;
    s.signal_mask = TEL_SIGNAL_LOGS;
    s.export_fn = print;
    s.user_data = (void*)(size_t)name;
    return s;
}

/* Waits until the sink of that name has failed for the first time. */
static void wait_for_failure(const char* name) {
    tel_sink_stats of;
    size_t i, tries;
    for (tries = 0; tries < 1000; tries++) {
        for (i = 0; tel_query_sink(i, &of); i++) {
            if (strcmp(of.name, name) == 0 && of.last_error[0]) { return; }
        }
        tel_flush(10);
    }
}

int main(void) {
    tel_sink console = printer("console"), chain[2], orders;
    tel_http_desc http;
    tel_stats all;
    tel_desc desc;

    /* It starts with one destination. */
    memset(&desc, 0, sizeof desc);
    desc.service_name = "shop";
    desc.sinks = &console;
    desc.sink_count = 1;
    if (tel_init(&desc) != TEL_OK) { return 1; }
    tel_log(TEL_INFO, "first order", TEL_NOATTRS);
    tel_flush(1000);

    /* Another one: a receiver that is dead (nobody listens at port 9), and what stands in for it. */
    memset(&http, 0, sizeof http);
    http.name = "receiver";
    http.transport.url = "http://127.0.0.1:9/events";
    http.transport.header_fn = token;
    http.transport.breaker_failures = 1;
    http.content_type = "application/x-ndjson";
    http.encode_fn = encode;
    chain[0] = tel_sink_http(&http);
    chain[0].signal_mask = TEL_SIGNAL_LOGS;
    chain[1] = printer("fallback");
    orders = tel_sink_fallback("orders", chain, 2);
    if (tel_sink_add(&orders) != TEL_OK) { return 1; }

    /* From here on everything goes there, and nothing to the console. The receiver takes the second order and cannot deliver
       it; the third one goes past it. */
    tel_sink_use("orders");
    tel_log(TEL_INFO, "second order", TEL_NOATTRS);
    wait_for_failure("orders");
    tel_log(TEL_INFO, "third order", TEL_NOATTRS);
    tel_flush(100);

    /* And back. What the dead receiver still holds when it is removed is lost, and counted. */
    tel_sink_use("console");
    tel_log(TEL_INFO, "fourth order", TEL_NOATTRS);
    tel_flush(100);
    tel_sink_remove("orders", 100);
    all = tel_query_stats();
    printf("%u orders: %u delivered, %u lost\n", (unsigned)all.recorded[2], (unsigned)all.exported[2],
           (unsigned)all.failed[2]);
    fflush(stdout);
    tel_shutdown(1000);
    return 0;
}
