/* logs.c -- log records: formatted, with attributes, as events, tied to the span they happen in, and with the place
   in the source by a wrapper of three lines. The console sink shows them.

   build    cc -I. examples/logs.c -pthread -o logs

   expected
     span    pay ...ms internal error:timeout trace=... span=...
     log     INFO started
     log     WARN retry 2 of 5
     log     ERROR payment failed order.id=42 error.type=timeout trace=... span=...
     log     INFO event=cart.abandoned cart abandoned cart.items=3 cart.value=59.9
     log     DEBUG cache is cold code.file.path=...logs.c code.line.number=... code.function.name=main
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>

/* The place in the source: a macro of yours, because it costs bytes in every record. */
#define LOG_HERE(severity, text)                                                                     \
    tel_log((severity), (text), TEL_ATTRS(tel_str("code.file.path", __FILE__), tel_int("code.line.number", __LINE__), \
                                          tel_str("code.function.name", __func__)))

static const tel_scope cart = { .name = "cart", .version = "1.4.0" };

static void pay(int order) {
    TEL_SPAN(span, "pay") {
        /* Inside a span the record carries its trace and span id; a viewer shows them together. */
        tel_log(TEL_ERROR, "payment failed", TEL_ATTRS(tel_int("order.id", order), tel_str("error.type", "timeout")));
        tel_span_status(span, TEL_STATUS_ERROR, "timeout");
    }
}

int main(void) {
    tel_sink console = tel_sink_console(NULL);      /* NULL: stdout; or a tel_writer of yours */
    tel_desc desc = { .service_name = "logs", .sinks = &console, .sink_count = 1, .no_self_metrics = true };
    if (tel_init(&desc) != TEL_OK) { return 1; }

    tel_log(TEL_INFO, "started", TEL_NOATTRS);
    tel_logf(TEL_WARN, "retry %d of %d", 2, 5);
    pay(42);

    /* An event is a record with a name; its facts are attributes. */
    tel_log_ex(&(tel_log_desc){
        .severity = TEL_INFO, .event_name = "cart.abandoned", .body = "cart abandoned", .scope = &cart,
        .attrs = TEL_ATTRS(tel_int("cart.items", 3), tel_double("cart.value", 59.9)),
    });

    /* Preparing arguments can cost more than the record. Ask first. */
    if (tel_log_enabled(TEL_DEBUG)) { LOG_HERE(TEL_DEBUG, "cache is cold"); }
    return tel_shutdown(2000) == TEL_OK ? 0 : 1;
}
