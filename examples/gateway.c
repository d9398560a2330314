/* gateway.c -- the metrics of a gateway and its auth service: the file gateway.json defines them, functions of the domain record
   them, and two providers get them, until a signal switches to one of the two, and the next signal to the other.

   build cc -I.. gateway.c -o gateway -pthread
   run   ./gateway gateway.json       kill -USR1 switches; this demonstration sends itself two such signals
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <signal.h>
#include <stdio.h>

/* ---- one operation: a counter and a histogram with the same labels, looked up once ---- */

typedef struct operation {
    const char *counter_name, *duration_name;
    tel_counter* counter;
    tel_histogram* duration;
} operation;

static operation registry  = { "registry_operations_total", "registry_operation_duration_seconds", NULL, NULL };
static operation tool      = { "mcp_tool_execution_total", "mcp_tool_execution_duration_seconds", NULL, NULL };
static operation discovery = { "mcp_tool_discovery_total", "mcp_tool_discovery_duration_seconds", NULL, NULL };
static operation resource  = { "mcp_resource_access_total", "mcp_resource_access_duration_seconds", NULL, NULL };
static operation prompt    = { "mcp_prompt_execution_total", "mcp_prompt_execution_duration_seconds", NULL, NULL };
static operation auth      = { "auth_requests_total", "auth_request_duration_seconds", NULL, NULL };
static operation token     = { "token_generations_total", "token_generation_duration_seconds", NULL, NULL };
static operation oauth     = { "oauth_authorizations_total", "oauth_flow_duration_seconds", NULL, NULL };
static operation session   = { "session_validations_total", "session_validation_duration_seconds", NULL, NULL };
static operation request   = { "requests_total", "request_duration_seconds", NULL, NULL };
static operation search    = { "vector_searches_total", "vector_search_duration_seconds", NULL, NULL };

static void find_operations(void) {
    static operation* const all[] = { &registry, &tool, &discovery, &resource, &prompt, &auth, &token, &oauth, &session, &request, &search };
    size_t i;
    for (i = 0; i < sizeof all / sizeof all[0]; i++) {
        all[i]->counter = tel_counter_get(all[i]->counter_name);
        all[i]->duration = tel_histogram_get(all[i]->duration_name);
    }
}
static tel_attr status(bool success) { return tel_str("status", success ? "success" : "failure"); }
static void done(const operation* o, double seconds, tel_attrs labels) {
    tel_counter_add_with(o->counter, 1, labels);
    tel_histogram_record_with(o->duration, seconds, labels);
}

/* ---- what the service calls ---- */

static void record_registry(const char* what, const char* type, bool success, double seconds) {
    done(&registry, seconds, TEL_ATTRS(tel_str("operation", what), tel_str("resource_type", type), status(success)));
}
static void record_tool_execution(const char* name, const char* server, const char* method, bool success, double seconds) {
    tel_record("mcp_server_requests_total", 1, TEL_ATTRS(tel_str("server_name", server)));
    done(&tool, seconds, TEL_ATTRS(tel_str("tool_name", name), tel_str("server_name", server), tel_str("method", method), status(success)));
}
static void record_tool_discovery(const char* name, const char* source, bool success, double seconds) {
    done(&discovery, seconds, TEL_ATTRS(tel_str("tool_name", name), tel_str("source", source), status(success)));
}
static void record_resource_access(const char* uri, const char* server, bool success, double seconds) {
    done(&resource, seconds, TEL_ATTRS(tel_str("resource_uri", uri), tel_str("server_name", server), status(success)));
}
static void record_prompt(const char* name, const char* server, bool success, double seconds) {
    done(&prompt, seconds, TEL_ATTRS(tel_str("prompt_name", name), tel_str("server_name", server), status(success)));
}
static void record_auth(const char* mechanism, bool success, double seconds) {
    done(&auth, seconds, TEL_ATTRS(tel_str("mechanism", mechanism), status(success)));
}
static void record_request(const char* endpoint, const char* method, bool success, double seconds) {
    done(&request, seconds, TEL_ATTRS(tel_str("endpoint", endpoint), tel_str("method", method), status(success)));
}
static void record_error(const char* type, const char* endpoint) {
    tel_record("errors_total", 1, TEL_ATTRS(tel_str("error_type", type), tel_str("endpoint", endpoint)));
}
static void record_vector_search(int query_length, int result_count, double seconds) {
    done(&search, seconds, TEL_ATTRS(tel_str("query_length", query_length < 100 ? "short" : "long"), tel_bool("found", result_count > 0)));
}
/* An event of a token, a session or the OAuth flow. */
static void record_event(const char* name, bool success) { tel_record(name, 1, TEL_ATTRS(status(success))); }

static void serve_one(int i) {
    bool well = i % 5 != 0;
    record_auth(i % 2 ? "jwt" : "api_key", true, 0.002);
    done(&token, 0.003, TEL_ATTRS(status(true)));
    done(&oauth, 0.04, TEL_ATTRS(status(true)));
    done(&session, 0.001, TEL_ATTRS(status(true)));
    record_event("session_creations_total", true);
    record_event("token_refreshes_total", well);
    record_event("token_revocations_total", true);
    record_event("oauth_callbacks_total", well);
    record_registry("search", "tool", true, 0.004);
    record_tool_discovery("weather", "search", true, 0.006);
    record_tool_execution("weather", "meteo", "tools/call", well, 0.12);
    record_resource_access("file:///a", "files", true, 0.01);
    record_prompt("greet", "files", true, 0.02);
    record_vector_search(30, well ? 3 : 0, 0.015);
    record_request("/mcp", "POST", well, 0.15);
    if (!well) { record_error("upstream", "/mcp"); }
}

/* ---- providers ---- */

static volatile sig_atomic_t asked;
static void ask(int number) {
    (void)number;
    asked++;
}
/* The work of the signal, outside of its handler. */
static void switch_when_asked(void) {
    static const char* const providers[] = { "lines", "readable" };
    static int done_so_far;
    while (done_so_far < asked) {
        const char* name = providers[done_so_far++ % 2];
        if (tel_sink_use(name) == TEL_OK) { printf("-- now only %s\n", name); }
        fflush(stdout);
    }
}

int main(int argc, char** argv) {
    int i;
    if (tel_init(&(tel_desc){ .config_file = argc > 1 ? argv[1] : "gateway.json", .no_self_metrics = true }) != TEL_OK) { return 1; }
    find_operations();
    signal(SIGUSR1, ask);
    for (i = 1; i <= 30; i++) {
        serve_one(i);
        if (i % 10 != 0) { continue; }
        tel_flush(2000);
        if (i < 30) { raise(SIGUSR1); }
        switch_when_asked();
    }
    return tel_shutdown(2000) != TEL_OK;
}
