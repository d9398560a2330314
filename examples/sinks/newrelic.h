/* newrelic.h -- telemetry.h to New Relic: OTLP with what New Relic wants. Public domain or MIT-0.

   Include it after telemetry.h, in one file, and link libcurl (TELEMETRY_CURL), because New Relic takes https only.

       tel_newrelic_register();                    then "newrelic" is a type for tel_desc.exporters and configuration files
       tel_sink s = tel_newrelic_sink(NULL, NULL); or as a value: key and region, NULL: from the environment

   NEW_RELIC_LICENSE_KEY      sent as the header api-key
   NEW_RELIC_REGION           us (default) or eu
   NEW_RELIC_OTLP_ENDPOINT    instead of the region's
   A request has at most 10^6 bytes before compression, sums and histograms are increments, the encoding is protobuf. A 2xx
   does not mean stored: what New Relic cannot use appears there later, as NrIntegrationError. Attribute values are cut at
   4095 bytes there. */
#ifndef TEL_NEWRELIC_H_INCLUDED
#define TEL_NEWRELIC_H_INCLUDED 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tel_sink tel_newrelic_sink(const char* key, const char* region) {
    const char* endpoint = getenv("NEW_RELIC_OTLP_ENDPOINT");
    char headers[256];
    tel_otlp_desc d;
    tel_sink sink;
    memset(&d, 0, sizeof d);
    if (!key) { key = getenv("NEW_RELIC_LICENSE_KEY"); }
    if (!region) { region = getenv("NEW_RELIC_REGION"); }
    snprintf(headers, sizeof headers, "api-key=%s", key ? key : "");
    d.endpoint = endpoint ? endpoint : region && strcmp(region, "eu") == 0 ? "https://otlp.eu01.nr-data.net" : "https://otlp.nr-data.net";
    d.headers = headers;
    d.protocol = "http/protobuf";
#if defined(TELEMETRY_ZLIB)
    d.compression = "gzip";
#endif
    d.request_bytes = 1000000;
    sink = tel_sink_otlp(&d);           /* it copies the desc */
    sink.name = "newrelic";
    sink.temporality = TEL_TEMPORALITY_DELTA;
    return sink;
}
static tel_result tel_newrelic_make(tel_sink* out, const tel_settings* settings, void* user_data) {
    tel_text key = tel_setting_text(settings, "license_key", NULL), region = tel_setting_text(settings, "region", NULL);
    (void)user_data;
    if (!key.data && !getenv("NEW_RELIC_LICENSE_KEY")) {
        tel_setting_fault(settings, "license_key", "is missing, and so is NEW_RELIC_LICENSE_KEY");
        return TEL_ERR_ARGUMENT;
    }
    *out = tel_newrelic_sink(key.data, region.data);
    return TEL_OK;
}
static inline tel_result tel_newrelic_register(void) {
    tel_sink_type t;
    memset(&t, 0, sizeof t);
    t.type = "newrelic";
    t.make_fn = tel_newrelic_make;
    return tel_sink_type_add(&t);
}
#endif
