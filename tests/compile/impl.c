/* The unit with the implementation, and main: what the three others recorded must all arrive here. Builds as C and C++. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "sizes.h"
#include "../check.h"

SIZES(impl_sizes);

static void same_sizes(const size_t* have, const char* who) {
    size_t i;
    for (i = 0; impl_sizes[i]; i++) {
        if (have[i] != impl_sizes[i]) { fprintf(stderr, "%s: size %u differs\n", who, (unsigned)i); }
        CHECK(have[i] == impl_sizes[i]);
    }
}

int main(void) {
    tel_memory memory;
    tel_sink sink;
    tel_desc desc;
    tel_batch batch;
    tel_context now, zero;
    size_t i, k;
    int64_t sum = 0;
    same_sizes(a_sizes, "a.c");
    same_sizes(b_sizes, "b.c");
    same_sizes(cpp_sizes, "cpp.cpp");
    memset(&memory, 0, sizeof memory);
    memset(&desc, 0, sizeof desc);
    memset(&zero, 0, sizeof zero);
    sink = tel_sink_memory(&memory);
    desc.service_name = "several";
    desc.sinks = &sink;
    desc.sink_count = 1;
    desc.ignore_env = desc.no_thread = desc.no_self_metrics = true;
    CHECK_INT(tel_init(&desc), TEL_OK);
    a_work();
    b_work();
    cpp_work();
    now = tel_current();
    CHECK(memcmp(&now, &zero, sizeof zero) == 0);
    CHECK_INT(tel_flush(10000), TEL_OK);
    batch = tel_memory_read(&memory);
    CHECK_INT(batch.span_count, 4);
    CHECK_INT(batch.log_count, 1);
    for (i = 0; i < batch.metric_count; i++) {
        const tel_metric_view* m = &batch.metrics[i];
        if (m->name.size != 15 || memcmp(m->name.data, "several.counter", 15) != 0) { continue; }
        for (k = 0; k < m->point_count; k++) { sum += m->points[k].i; }
    }
    CHECK_INT(sum, 111);
    CHECK_INT(tel_query_stats().spans_live, 0);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    tel_memory_clear(&memory);
    return check_done();
}
