/* redaction.c -- what must not leave the program is hidden before any sink sees it, and a processor of the program's own
   drops what nobody reads.

   build    cc -I. examples/redaction.c -pthread -o redaction

   expected
     span    login ...ms internal user=anna password=[REDACTED] trace=... span=...
     log     INFO paid with **** **** **** **** order.id=42
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <string.h>

/* Sees every log record once; false drops it, and tel_stats.filtered counts it. */
static bool no_health_checks(tel_log_view* log, void* user_data) {
    (void)user_data;
    return !log->body.data || strncmp(log->body.data, "GET /healthz", 12) != 0;       /* an event has no body */
}

int main(void) {
    tel_processor processors[2];
    tel_sink console = tel_sink_console(NULL);
    tel_desc desc = { .service_name = "redaction", .sinks = &console, .sink_count = 1, .no_self_metrics = true,
                      .processors = processors, .processor_count = 2 };
    processors[0] = tel_processor_redact(NULL);     /* NULL: the default lists of keys and values */
    processors[1] = (tel_processor){ .on_log = no_health_checks };
    if (tel_init(&desc) != TEL_OK) { return 1; }

    TEL_SPAN(span, "login") {
        tel_span_set(span, tel_str("user", "anna"));
        tel_span_set(span, tel_str("password", "hunter2"));
    }
    tel_log(TEL_INFO, "GET /healthz 200", TEL_NOATTRS);
    tel_log(TEL_INFO, "paid with 4111 1111 1111 1111", TEL_ATTRS(tel_int("order.id", 42)));
    return tel_shutdown(2000) == TEL_OK ? 0 : 1;
}
