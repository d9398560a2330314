/* A private copy of the SDK in one file. Two of these (-DNAME=one, -DNAME=two) and a main of -DMAIN link together. */
#define TELEMETRY_STATIC
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"

int copy_one(void);
int copy_two(void);
int NAME(void);

int NAME(void) {
    tel_desc desc;
    tel_result result;
    bool was = tel_enabled();
    memset(&desc, 0, sizeof desc);
    desc.ignore_env = desc.no_thread = true;
    result = tel_init(&desc);
    return !was && result == TEL_OK && tel_enabled() && tel_shutdown(100) == TEL_OK && !tel_enabled();
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
