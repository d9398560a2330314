/* thread_pool.c -- work that is handed to other threads stays in its trace: the task carries the context of the one who
   submitted it, and the worker attaches it while the task runs.

   build    cc -I. examples/thread_pool.c -pthread -o thread_pool

   expected
     8 tasks, all below "order", on 2 threads
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { TASKS = 8, WORKERS = 2 };

/* ---- your pool: a task is a function, its argument, and where in which trace it belongs ---- */

typedef struct task { void (*func)(int arg); int arg; tel_context context; } task;
static task queue[TASKS];
static int queued, taken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t begin;

static void submit(void (*func)(int arg), int arg) {
    task t = { func, arg, tel_current() };              /* a plain value: nothing to free */
    queue[queued++] = t;
}

static void* work(void* arg) {
    (void)arg;
    pthread_barrier_wait(&begin);
    for (;;) {
        pthread_mutex_lock(&lock);
        int i = taken < queued ? taken++ : -1;
        pthread_mutex_unlock(&lock);
        if (i < 0) { return NULL; }
        TEL_ATTACH(&queue[i].context) { queue[i].func(queue[i].arg); }
        if (i < WORKERS) { pthread_barrier_wait(&begin); }      /* so that each worker gets one at least */
    }
}

/* ---- the program ---- */

static void pack(int item) {
    TEL_SPAN(s, "pack") { tel_span_set(s, tel_int("item", item)); }
}

/* ---- what a backend would show ---- */

typedef struct seen { uint8_t order[8], parents[TASKS][8]; uint64_t threads[TASKS]; int tasks; } seen;
static tel_result keep(const tel_batch* b, void* user_data) {
    seen* k = (seen*)user_data;
    for (size_t i = 0; i < b->span_count; i++) {
        const tel_span_view* s = &b->spans[i];
        if (strcmp(s->name.data, "order") == 0) { memcpy(k->order, s->context.span_id, 8); continue; }
        memcpy(k->parents[k->tasks], s->parent_span_id, 8);
        k->threads[k->tasks++] = s->thread_id;
    }
    return TEL_OK;
}

int main(void) {
    seen k = { .tasks = 0 };
    tel_sink sink = { .name = "keep", .signal_mask = TEL_SIGNAL_SPANS, .export_fn = keep, .user_data = &k };
    pthread_t workers[WORKERS];
    int below = 0, threads = 0;
    if (tel_init(&(tel_desc){ .service_name = "pool", .sinks = &sink, .sink_count = 1 }) != TEL_OK) { return 1; }
    pthread_barrier_init(&begin, NULL, WORKERS);
    TEL_SPAN(order, "order") {
        for (int i = 0; i < TASKS; i++) { submit(pack, i); }
        for (int i = 0; i < WORKERS; i++) { pthread_create(&workers[i], NULL, work, NULL); }
        for (int i = 0; i < WORKERS; i++) { pthread_join(workers[i], NULL); }
        tel_span_set(order, tel_int("items", TASKS));
    }
    tel_shutdown(5000);
    for (int i = 0; i < k.tasks; i++) {
        below += memcmp(k.parents[i], k.order, 8) == 0;
        int j = 0;
        while (k.threads[j] != k.threads[i]) { j++; }
        threads += j == i;
    }
    printf("%d tasks, %s below \"order\", on %d threads\n", k.tasks, below == k.tasks ? "all" : "NOT all", threads);
    return 0;
}
