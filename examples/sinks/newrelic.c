/* newrelic.c -- sends a little of everything to newrelic, chosen by the name of its type; newrelic.h says which variables there are.

   build cc -I../.. newrelic.c -o newrelic -pthread
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "newrelic.h"
#include "work.h"

int main(void) { return tel_newrelic_register() != TEL_OK || work("newrelic"); }
