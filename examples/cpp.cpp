/* cpp.cpp -- the same header in C++11. The blocks end however they are left, exceptions included; descs may be passed by
   reference, strings as std::string, and a list of attributes is a value that may be kept under a name.

   build    c++ -std=c++11 -I. examples/cpp.cpp -pthread -o cpp

   expected
     span parse: ok
     span parse: failed (not a number: "x1")
     span import: ok, 2 events
     counter import.lines: 2
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

static tel_counter lines = TEL_INSTRUMENT("import.lines", "{line}", "Lines read");
static tel_histogram duration = TEL_INSTRUMENT("import.duration", "s", "Time to import");

static long parse(const std::string& text) {
    TEL_SPAN(span, "parse") {
        char* end = nullptr;
        long value = std::strtol(text.c_str(), &end, 10);
        if (*end == '\0') { return value; }                         // the span ends here ...
        std::string why = "not a number: \"" + text + "\"";
        tel_span_set(span, tel_str("parse.input", text));           // strings are copied, std::string too
        tel_span_status(span, TEL_STATUS_ERROR, why.c_str());
        throw std::runtime_error(why);                              // ... or here
    }
    return 0;
}

static void import_file(std::initializer_list<std::string> file) {
    TEL_TIME(&duration) {
        TEL_SPAN(span, "import") {
            for (const std::string& text : file) {
                tel_counter_add(&lines, 1);
                try {
                    long value = parse(text);
                    tel_span_event(span, "value", TEL_ATTRS(tel_int("value", value)));
                } catch (const std::exception& e) {
                    tel_span_event(span, "skipped", TEL_ATTRS(tel_str("reason", e.what())));
                }
            }
        }
    }
}

static tel_result show(const tel_batch* batch, void*) {
    for (size_t i = 0; i < batch->span_count; i++) {
        const tel_span_view& s = batch->spans[i];
        std::string name(s.name.data, s.name.size), message(s.status_message.data, s.status_message.size);
        std::printf("span %s: %s", name.c_str(), s.status == TEL_STATUS_ERROR ? "failed" : "ok");
        if (!message.empty()) { std::printf(" (%s)", message.c_str()); }
        if (s.event_count) { std::printf(", %u events", static_cast<unsigned>(s.event_count)); }
        std::printf("\n");
    }
    for (size_t i = 0; i < batch->metric_count; i++) {
        const tel_metric_view& m = batch->metrics[i];
        if (m.kind != TEL_METRIC_SUM) { continue; }
        std::printf("counter %.*s: %lld\n", static_cast<int>(m.name.size), m.name.data,
                    static_cast<long long>(m.points[0].i));
    }
    return TEL_OK;
}

int main() {
    tel_sink sink = tel_sink();                                     // () zeroes it, and zero is the default
    sink.name = "show";
    sink.export_fn = show;
    tel_desc desc = tel_desc();
    desc.service_name = "cpp";
    auto where = TEL_ATTRS(tel_str("deployment.environment.name", std::string("test")));
    desc.resource = where;                                          // a list without a name would not compile here
    desc.sinks = &sink;
    desc.sink_count = 1;
    desc.no_self_metrics = true;
    if (tel_init(desc) != TEL_OK) { return 1; }
    import_file({ "12", "x1" });
    return tel_shutdown(2000) == TEL_OK ? 0 : 1;
}
