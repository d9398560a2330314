/* child_process.c -- one trace through two processes: the parent puts its context into the environment of the child it
   starts (TRACEPARENT, TRACESTATE, BAGGAGE), and the child goes on from there. Any child that speaks OpenTelemetry does.

   build    cc -I. examples/child_process.c -pthread -o child_process

   expected
     child:  convert for customer 4711, below a span of another process
     parent: the child's span belongs to my trace
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a backend would show of the child's span. */
static tel_result show(const tel_batch* b, void* user_data) {
    (void)user_data;
    for (size_t i = 0; i < b->span_count; i++) {
        const tel_span_view* s = &b->spans[i];
        if (strcmp(s->name.data, "convert") != 0) { continue; }
        printf("child:  convert for customer %s, below a span of %s\n", s->attrs.items[0].as.s.data,
               s->parent_remote ? "another process" : "NO other process");
        for (int k = 0; k < 16; k++) { fprintf(stderr, "%02x", s->context.trace_id[k]); }       /* the parent reads it */
    }
    return TEL_OK;
}

static tel_desc describe(tel_sink* sink) {
    tel_sink s = { .name = "show", .signal_mask = TEL_SIGNAL_SPANS, .export_fn = show };
    *sink = s;
    return (tel_desc){ .service_name = "convert", .sinks = sink, .sink_count = 1 };
}

static int child(void) {
    tel_sink sink;
    tel_desc desc = describe(&sink);
    char customer[32] = "";
    if (tel_init(&desc) != TEL_OK) { return 1; }
    tel_context caller = tel_environ_extract();
    tel_baggage_get(&caller, "customer", customer, sizeof customer);
    TEL_ATTACH(&caller) {
        TEL_SPAN(s, "convert") { tel_span_set(s, tel_str("customer", customer)); }
    }
    return tel_shutdown(2000) == TEL_OK ? 0 : 1;
}

/* The child's environment is made before the fork: in between only exec and its kin are safe in a program with threads. */
typedef struct variables { char text[3][9000]; char* list[4]; int count; } variables;
static void put_variable(const char* key, const char* value, void* user_data) {
    variables* v = (variables*)user_data;
    snprintf(v->text[v->count], sizeof v->text[0], "%s=%s", key, value);
    v->list[v->count] = v->text[v->count];
    v->count++;
}

int main(int count, char** args) {
    tel_sink sink;
    tel_desc desc = describe(&sink);
    char mine[33] = "", its[33] = "";
    int ends[2], status = 1;
    if (count > 1) { return child(); }
    if (tel_init(&desc) != TEL_OK || pipe(ends) != 0) { return 1; }
    TEL_SPAN(span, "order") {
        for (int i = 0; i < 16; i++) { snprintf(mine + 2 * i, 3, "%02x", span->context.trace_id[i]); }
        tel_context c = tel_current();
        tel_baggage_set(&c, "customer", "4711", NULL);
        static variables v;
        tel_environ_inject(&c, &(tel_carrier){ .set_fn = put_variable, .user_data = &v });
        char* child_args[] = { args[0], (char[]){ "child" }, NULL };
        pid_t pid = fork();
        if (pid == 0) {
            dup2(ends[1], 2);
            execve(args[0], child_args, v.list);
            _exit(127);
        }
        close(ends[1]);
        for (ssize_t got = 0, n = 1; n > 0 && got < 32; got += n) { n = read(ends[0], its + got, (size_t)(32 - got)); }
        waitpid(pid, &status, 0);
    }
    tel_shutdown(2000);
    printf("parent: the child's span belongs to %s trace\n", strcmp(mine, its) == 0 ? "my" : "ANOTHER");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
