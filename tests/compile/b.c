/* Another translation unit, with every macro that a user may set here differently from its neighbours, and included twice. */
#define TEL_NO_HTTP
#define TEL_FORCE_NO_CLEANUP
#define TEL_FORCE_LOCKED_ATOMICS
#define TEL_FORCE_NO_TICKS
#define TEL_FORCE_NO_INT128
#define TELEMETRY_CURL
#define TELEMETRY_ZLIB
#include "telemetry.h"
#include "telemetry.h"
#include "sizes.h"

SIZES(b_sizes);
tel_counter shared_counter = TEL_INSTRUMENT("several.counter", "1", "Used by three files");

void b_work(void) {
    TEL_SPAN(span, "b") { tel_span_set(span, tel_int("unit", 2)); }
    tel_counter_add(&shared_counter, 10);
}
