/* custom_sink.c -- a destination of your own: a struct of callbacks that gets all three signals as plain views.

   build    cc -I. examples/custom_sink.c -pthread -o custom_sink

   expected
     open
     span   resize, 1 attribute, ok
     log    WARN disk is 91% full
     metric job.size By: 2 values, sum 1536
     metric jobs.done {job}: 3
     close
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>

static tel_counter   done = TEL_INSTRUMENT("jobs.done", "{job}", "Jobs finished");
static tel_histogram size = TEL_INSTRUMENT("job.size", "By", "Size of a job");

static tel_result my_open(tel_sink* self, tel_host* host) {
    (void)host;                                     /* memory, settings and reports: see tel_host in telemetry.h */
    fprintf((FILE*)self->user_data, "open\n");
    return TEL_OK;
}

static void show_metric(const tel_metric_view* m, FILE* f) {
    for (size_t i = 0; i < m->point_count; i++) {
        const tel_point* p = &m->points[i];
        fprintf(f, "metric %.*s %.*s: ", (int)m->name.size, m->name.data, (int)m->unit.size, m->unit.data);
        if (m->kind == TEL_METRIC_HISTOGRAM) { fprintf(f, "%llu values, sum %g\n", (unsigned long long)p->count, p->d); }
        else { fprintf(f, "%g\n", p->d); }          /* the value as double, whatever its type; p->i as integer */
    }
}

/* Everything reachable from the batch is borrowed until this returns. One batch carries one signal. */
static tel_result my_export(const tel_batch* b, void* user_data) {
    FILE* f = (FILE*)user_data;
    for (size_t i = 0; i < b->span_count; i++) {
        const tel_span_view* s = &b->spans[i];
        fprintf(f, "span   %.*s, %d attribute, %s\n", (int)s->name.size, s->name.data, (int)s->attrs.count,
                s->status == TEL_STATUS_ERROR ? "failed" : "ok");
    }
    for (size_t i = 0; i < b->log_count; i++) {
        const tel_log_view* l = &b->logs[i];
        fprintf(f, "log    %s %.*s\n", l->severity >= TEL_WARN ? "WARN" : "info", (int)l->body.size, l->body.data);
    }
    for (size_t i = 0; i < b->metric_count; i++) { show_metric(&b->metrics[i], f); }
    return TEL_OK;              /* TEL_ERR_IO or TEL_ERR_TIMEOUT: offer this batch again later */
}

static void my_close(void* user_data) { fprintf((FILE*)user_data, "close\n"); }

int main(void) {
    tel_sink mine = { .name = "mine", .open_fn = my_open, .export_fn = my_export, .close_fn = my_close,
                      .user_data = stdout };
    tel_desc desc = { .service_name = "custom-sink", .sinks = &mine, .sink_count = 1, .no_self_metrics = true };
    if (tel_init(&desc) != TEL_OK) { return 1; }

    TEL_SPAN(span, "resize") { tel_span_set(span, tel_int("width", 640)); }
    tel_logf(TEL_WARN, "disk is %d%% full", 91);
    tel_counter_add(&done, 3);
    tel_histogram_record(&size, 512);
    tel_histogram_record(&size, 1024);

    return tel_shutdown(2000) == TEL_OK ? 0 : 1;    /* exports what is left, then closes the sink */
}
