/* Every public macro in a unit that has no implementation: none may lean on a private function. Linked with one that has. */
#include "telemetry.h"
#include "../check.h"

static const tel_metric_options options = { NULL, NULL, 0, false, false, 0, 0 };
static tel_counter   plain   = TEL_INSTRUMENT("macros.plain", "1", "By TEL_INSTRUMENT");
static tel_histogram latency = TEL_INSTRUMENT_OPT("macros.latency", "s", "By TEL_INSTRUMENT_OPT", &options);

int main(void) {
    tel_context none;
    tel_attrs nothing = TEL_NOATTRS;
    char text[TEL_TRACEPARENT_SIZE];
    int blocks = 0;
    tel_desc desc;
    memset(&none, 0, sizeof none);
    memset(&desc, 0, sizeof desc);
    desc.sample_ratio = TEL_NEVER;
    tel_counter_add_with(&plain, 1, TEL_ATTRS(tel_int("a", 1), tel_str("b", "two")));
    TEL_SPAN(span, "span") { blocks += span != NULL; }
    TEL_TIME(&latency) { blocks++; }
    TEL_ATTACH(&none) { blocks++; }
    CHECK_INT(blocks, 3);
    CHECK_INT(nothing.count, 0);
    CHECK_INT(sizeof text, 56);
    CHECK(TEL_FOREVER == UINT32_MAX && TEL_ANY_PORT == UINT32_MAX);
    CHECK_INT(TEL_VERSION, TEL_VERSION_MAJOR * 10000 + TEL_VERSION_MINOR * 100 + TEL_VERSION_PATCH);
    CHECK(strlen(TEL_VERSION_STRING) >= 5);
    return check_done();
}
