/* elasticsearch.c -- sends a little of everything to elasticsearch, chosen by the name of its type; elasticsearch.h says which variables there are.

   build cc -I../.. elasticsearch.c -o elasticsearch -pthread -lm
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "elasticsearch.h"
#include "work.h"

int main(void) { return tel_elasticsearch_register() != TEL_OK || work("elasticsearch"); }
