/* datadog.c -- sends a little of everything to Datadog, chosen by the names of the types; datadog.h says which variables there
   are.

   build cc -I../.. datadog.c -o datadog -pthread -lm
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "datadog.h"
#include "work.h"

int main(void) { return tel_datadog_register() != TEL_OK || work("dogstatsd,datadog-traces,datadog-logs"); }
