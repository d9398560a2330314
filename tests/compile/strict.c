/* A file of a user who compiles with more warnings than most: the declarations and every macro, used once. compile.sh builds it in
   C and C++, switched on and off, with all that strict projects ask for (zstd's list among them). */
#include "telemetry.h"

#ifdef __cplusplus
extern "C" {
#endif
int strict_user(const tel_context* caller);
#ifdef __cplusplus
}
#endif

static tel_counter   orders  = TEL_INSTRUMENT("strict.orders", "{order}", "Orders placed");
static tel_metric_options options;
static tel_histogram latency = TEL_INSTRUMENT_OPT("strict.latency", "s", "Time to work", &options);

int strict_user(const tel_context* caller) {
    static tel_desc desc;
    tel_result r = tel_init(&desc);
    static tel_span_desc request;
    TEL_ATTACH(caller) { TEL_TIME(&latency) { TEL_SPAN(span, "work") { tel_span_set(span, tel_str("key", "value")); } } }
    TEL_SPAN_EX(span, &request) {
        TEL_TIMED(timer, &latency, TEL_ATTRS(tel_str("key", "value"))) { tel_time_set(timer, tel_int("code", 200)); }
        tel_span_event(span, "event", TEL_NOATTRS);
    }
    tel_counter_add_with(&orders, 1, TEL_ATTRS(tel_int("code", 200), tel_bool("warm", true), tel_double("load", 0.5)));
    tel_log(TEL_INFO, "plain", TEL_NOATTRS);
    tel_log(TEL_INFO, "attributes", TEL_ATTRS(tel_str("key", "value")));
    tel_logf(TEL_WARN, "formatted %d", 1);
    TEL_LOG_EVERY(1000, TEL_WARN, "often", TEL_ATTRS(tel_str("key", "value"), tel_int("code", 200)));
#if defined(TEL_KV)
    tel_counter_add_with(&orders, 1, TEL_ATTRS(TEL_KV("code", 200), TEL_KV("size", sizeof orders), TEL_KV("key", "value"),
                                               TEL_KV("warm", latency.name != orders.name), TEL_KV("load", 0.5)));
#endif
    return r == TEL_OK && tel_shutdown(TEL_FOREVER) == TEL_OK;
}
