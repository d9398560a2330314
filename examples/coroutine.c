/* coroutine.c -- many coroutines on one thread, each in a trace of its own. The scheduler attaches the context of a
   coroutine when it resumes it and detaches it when it yields: the thread's context is always that of who runs.
   A coroutine that yields in the middle of a span keeps the span in its own state (here: a struct), not in a TEL_SPAN
   block, because a block belongs to the thread's stack.

   build    cc -I. examples/coroutine.c -pthread -o coroutine

   expected
     A: 2 steps in its trace, job ended after them
     B: 2 steps in its trace, job ended after them
     C: 2 steps in its trace, job ended after them
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>
#include <string.h>

/* A coroutine without a stack of its own: what it remembers across a yield, and where it goes on. */
typedef struct coroutine { const char* name; int state; tel_span job; } coroutine;

static bool resume(coroutine* c) {                      /* false: it has ended */
    switch (c->state++) {
    case 0:
        c->job = tel_span_start_ex(&(tel_span_desc){ .name = "job", .root = true, .attrs = TEL_ATTRS(tel_str("name", c->name)) });
        return true;
    case 1:
    case 2:
        TEL_SPAN(s, "step") { tel_span_set(s, tel_int("step", c->state - 1)); }
        return true;
    default:
        tel_span_end(&c->job);
        return false;
    }
}

/* The scheduler's only duty. Before the job has begun its context is all zero, which attaches "no trace". */
static bool run(coroutine* c) {
    tel_token token = tel_attach(&c->job.context);
    bool more = resume(c);
    tel_detach(token);
    return more;
}

/* ---- what a backend would show ---- */

static coroutine all[3] = { { .name = "A" }, { .name = "B" }, { .name = "C" } };
static int steps[3], ended_after[3];

static tel_result count(const tel_batch* b, void* user_data) {
    (void)user_data;
    for (size_t i = 0; i < b->span_count; i++) {
        for (int k = 0; k < 3; k++) {
            if (memcmp(b->spans[i].context.trace_id, all[k].job.context.trace_id, 16) != 0) { continue; }
            if (strcmp(b->spans[i].name.data, "job") == 0) { ended_after[k] = steps[k]; } else { steps[k]++; }
        }
    }
    return TEL_OK;
}

int main(void) {
    tel_sink sink = { .name = "count", .signal_mask = TEL_SIGNAL_SPANS, .export_fn = count };
    int left = 3;
    if (tel_init(&(tel_desc){ .service_name = "coroutine", .sinks = &sink, .sink_count = 1 }) != TEL_OK) { return 1; }
    for (bool more[3] = { true, true, true }; left > 0;) {
        for (int k = 0; k < 3; k++) {
            if (more[k] && !(more[k] = run(&all[k]))) { left--; }
        }
    }
    tel_shutdown(2000);
    for (int k = 0; k < 3; k++) {
        printf("%s: %d steps in its trace, job ended after %s\n", all[k].name, steps[k], ended_after[k] == steps[k] ? "them" : "SOME");
    }
    return 0;
}
