/* vendor.c TYPES [words] -- the work of examples/sinks/work.h into sinks of these types ("statsd,loki"), for the jobs in this
   folder. words: instead of it one log whose attributes are all strings. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "examples/sinks/datadog.h"
#include "examples/sinks/elasticsearch.h"
#include "examples/sinks/loki.h"
#include "examples/sinks/newrelic.h"
#include "examples/sinks/work.h"

static int words(const char* exporters) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.service_name = "shop";
    d.exporters = exporters;
    if (tel_init(&d) != TEL_OK) { return 1; }
    tel_log(TEL_WARN, "card\nrefused \xc3\xa4", TEL_ATTRS(tel_str("tenant", "a\"b")));
    return tel_shutdown(5000) != TEL_OK;
}

int main(int argc, char** argv) {
    if (argc < 2 || tel_statsd_register() != TEL_OK || tel_datadog_register() != TEL_OK || tel_elasticsearch_register() != TEL_OK ||
        tel_loki_register() != TEL_OK || tel_newrelic_register() != TEL_OK) { return 2; }
    return argc > 2 ? words(argv[1]) : work(argv[1]);
}
