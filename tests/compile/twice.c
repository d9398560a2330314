/* Includes the header twice, and the implementation after the public half has been seen. With -DIMPLEMENTATION_FIRST it is the
   other way round. Nothing may be defined twice. */
#ifdef IMPLEMENTATION_FIRST
#define TELEMETRY_IMPLEMENTATION
#endif
#include "telemetry.h"
#include "telemetry.h"
#ifndef IMPLEMENTATION_FIRST
#define TELEMETRY_IMPLEMENTATION
#endif
#include "telemetry.h"
#include "telemetry.h"
#include "../check.h"

int main(void) {
    CHECK(!tel_enabled());
    CHECK(strlen(tel_result_string(TEL_OK)) > 0);
    return check_done();
}
