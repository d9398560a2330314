/* statsd.c -- sends a little of everything to statsd, chosen by the name of its type; statsd.h says which variables there are.

   build cc -I../.. statsd.c -o statsd -pthread -lm
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "statsd.h"
#include "work.h"

int main(void) { return tel_statsd_register() != TEL_OK || work("statsd"); }
