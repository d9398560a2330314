/* loki.c -- sends a little of everything to loki, chosen by the name of its type; loki.h says which variables there are.

   build cc -I../.. loki.c -o loki -pthread
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "loki.h"
#include "work.h"

int main(void) { return tel_loki_register() != TEL_OK || work("loki"); }
