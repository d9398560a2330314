/* At the memory limit every record counts: 200,000 label sets under 16 MiB end in series of their own, in the overflow series, or,
   counted, nowhere; and collections go on. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "promise.h"

#define SETS 200000
static tel_counter requests = TEL_INSTRUMENT("promise.requests", "{request}", NULL);

static tel_result take(const tel_batch* batch, void* user_data) {
    (void)batch;
    (void)user_data;
    return TEL_OK;
}

static void series(uint32_t max_series) {
    promise_sum s;
    tel_sink sink, pull;
    tel_desc d;
    uint64_t lost;
    int i;
    memset(&s, 0, sizeof s);
    s.name = "promise.requests";
    memset(&sink, 0, sizeof sink);
    sink.name = "sink";
    sink.export_fn = take;
    pull = sink;
    pull.export_fn = promise_add_up;
    pull.user_data = &s;
    d = promise_desc(&sink, 1);
    d.ignore_env = true;
    d.memory_limit = 16u << 20;
    d.max_series = max_series;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < SETS; i++) { tel_counter_add_with(&requests, 1, TEL_ATTRS(tel_int("user.id", i))); }
    CHECK_INT(tel_collect(&pull), TEL_OK);
    lost = tel_query_stats().dropped[0];
    promise_figure("%d label sets under 16 MiB, at most %u series: exported %lld in %llu points, overflow %lld, lost %llu, added %d",
                   SETS, max_series, (long long)s.own, (unsigned long long)s.points, (long long)s.overflow,
                   (unsigned long long)lost, SETS);
    CHECK_INT(s.own + s.overflow + (int64_t)lost, SETS);
    CHECK(s.own > 0 && s.overflow > 0);
    CHECK(tel_query_stats().bytes_allocated <= 16u << 20);
    CHECK_INT(tel_shutdown(30000), TEL_OK);
}

int main(void) {
    capture_watchdog(120);
    where = "series";
    series(1000000);
    series(2000);
    return check_done();
}
