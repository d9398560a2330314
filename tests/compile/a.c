/* One of several translation units of a program: plain C, no macro set. */
#include "telemetry.h"
#include "sizes.h"

SIZES(a_sizes);
static tel_histogram latency = TEL_INSTRUMENT("several.latency", "s", "A static of one file");

void a_work(void) {
    TEL_SPAN(span, "a") {
        tel_span_set(span, tel_str("unit", "a"));
        TEL_TIME(&latency) { tel_counter_add(&shared_counter, 1); }
    }
}
