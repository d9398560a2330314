/* A private copy of the SDK in one file. Two of these (-DNAME=one, -DNAME=two) and a main of -DMAIN link together. */
#define TELEMETRY_STATIC
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"

int copy_one(void);
int copy_two(void);
int NAME(void);

int NAME(void) {
    tel_memory memory;
    tel_sink sink;
    tel_desc desc;
    tel_result result;
    bool was = tel_enabled(), good;
    memset(&memory, 0, sizeof memory);
    memset(&desc, 0, sizeof desc);
    sink = tel_sink_memory(&memory);
    desc.sinks = &sink;
    desc.sink_count = 1;
    desc.ignore_env = desc.no_thread = true;
    result = tel_init(&desc);
    good = !was && result == TEL_OK && tel_enabled() && tel_shutdown(10000) == TEL_OK && !tel_enabled();
    tel_memory_clear(&memory);
    return good;
}

#ifdef MAIN
int main(void) {
    CHECK(copy_one());
    CHECK(copy_two());
    return check_done();
}
#else
int unused_here(void);
int unused_here(void) { return check_done(); }
#endif
