// The C++ translation unit: reference overloads, attribute lists, scoped forms that an exception leaves.
#include "telemetry.h"
#include "sizes.h"

extern "C" { SIZES(cpp_sizes); }

static void throws() {
    TEL_SPAN(span, "cpp") {
        tel_span_set_all(span, TEL_ATTRS(tel_str("unit", "cpp"), tel_bool("thrown", true)));
        throw 1;
    }
}

void cpp_work() {
    tel_span_desc desc = tel_span_desc();
    desc.name = "cpp.described";
    tel_span outer = tel_span_start_ex(desc);
    tel_log_desc log = tel_log_desc();
    log.severity = TEL_INFO;
    log.body = "from C++";
    tel_log_ex(log);
    try { throws(); } catch (int) { tel_counter_add_with(&shared_counter, 100, TEL_ATTRS(tel_bool("caught", true))); }
    tel_span_end(&outer);
    tel_metric_desc metric = tel_metric_desc();
    metric.name = "cpp.defined";
    tel_redact_desc redact = tel_redact_desc();
    tel_sink_type type = tel_sink_type();
    if (tel_metric_define(metric) != TEL_OK || tel_sink_type_add(type) != TEL_ERR_ARGUMENT ||
        tel_sink_add(tel_sink()) == TEL_OK || tel_processor_redact(redact).on_end) { throw 2; }
}
