/* points.c [WAY] -- one metric of every kind and way of counting, for the jobs in this folder.
     whole      by a cumulative OTLP sink, to where the environment says; service.name is "whole"
     parts      the same with increments
     page URL   as pages of Prometheus text that are pushed there
     serve PORT PORT NAMES   for scrapers, with exemplars, until its input ends; on the second port with such tel_prometheus_names
   Without a WAY it sends whole and parts. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void observe(tel_observation* o, void* user_data) {
    (void)user_data;
    tel_observei(o, 17, TEL_ATTRS(tel_str("disk", "sda")));
    tel_observe_on(o, 1);
    tel_observe(o, 0.75, TEL_NOATTRS);
}

static tel_sink scraped_at(const char* port, tel_prometheus_names names) {
    tel_prometheus_desc p;
    memset(&p, 0, sizeof p);
    p.host = "127.0.0.1";
    p.port = (uint32_t)atoi(port);
    p.names = names;
    return tel_sink_prometheus(&p);
}

static tel_sink sink_of(const char* way, const char* url) {
    tel_http_desc h;
    tel_sink sink;
    if (strcmp(way, "serve") == 0) { return scraped_at(url, TEL_NAMES_UNDERSCORE); }
    if (strcmp(way, "page") == 0) {
        memset(&h, 0, sizeof h);
        h.transport.url = url;
        h.content_type = "text/plain; version=0.0.4";
        h.encode_fn = tel_prometheus_encode;
        sink = tel_sink_http(&h);
    } else {
        sink = tel_sink_otlp(NULL);
        sink.temporality = strcmp(way, "parts") == 0 ? TEL_TEMPORALITY_DELTA : TEL_TEMPORALITY_CUMULATIVE;
    }
    sink.signal_mask = TEL_SIGNAL_METRICS;
    return sink;
}

static int record(const char* way, const char* url, const char* second, int names) {
    static tel_metric_options real, exponential;
    static tel_counter calls = TEL_INSTRUMENT("points.calls", "{call}", "Calls");
    static tel_counter seconds = TEL_INSTRUMENT_OPT("points.seconds", "s", "Time", &real);
    static tel_updown depth = TEL_INSTRUMENT("points.depth", "{item}", "Depth");
    static tel_gauge level = TEL_INSTRUMENT("points.level", "1", "Level");
    static tel_histogram sizes = TEL_INSTRUMENT("points.sizes", "By", "Sizes");
    static tel_histogram spread = TEL_INSTRUMENT_OPT("points.spread", "ms", "Spread", &exponential);
    tel_sink sinks[2];
    tel_observer_desc d, also;
    tel_view view;
    tel_desc desc;
    int i;
    real.real = exponential.exponential = true;
    exponential.max_size = 20;
    memset(&d, 0, sizeof d);
    memset(&also, 0, sizeof also);
    memset(&view, 0, sizeof view);
    memset(&desc, 0, sizeof desc);
    view.match_name = "points.calls";
    view.keep_keys = "route";
    desc.service_name = way;
    sinks[0] = sink_of(way, url);
    if (second) { sinks[1] = scraped_at(second, (tel_prometheus_names)names); }
    desc.sinks = sinks;
    desc.sink_count = second ? 2 : 1;
    desc.exemplars = second ? TEL_EXEMPLARS_SAMPLED : TEL_EXEMPLARS_OFF;
    desc.views = &view;
    desc.view_count = 1;
    if (tel_init(&desc) != TEL_OK) { return 1; }
    d.kind = TEL_OBSERVE_COUNTER;
    d.name = "points.io";
    d.description = "Bytes";
    d.observe_fn = observe;
    d.also = &also;
    d.also_count = 1;
    also.kind = TEL_OBSERVE_GAUGE;
    also.name = "points.load";
    also.description = "Load";
    if (!tel_observer_new(&d)) { return 1; }
    for (i = 0; i < 1000; i++) {
        TEL_SPAN(span, "point") {
            (void)span;
            tel_counter_add_with(&calls, 1, TEL_ATTRS(tel_str("route", i % 2 ? "/a" : "/b"), tel_int("user", i % 50)));
            tel_counter_addf(&seconds, 0.25);
            tel_updown_add(&depth, i % 2 ? -1 : 2);
            tel_histogram_record(&sizes, i);
            tel_histogram_record(&spread, i);
        }
        if (i == 500 && tel_flush(20000) != TEL_OK) { return 1; }
    }
    tel_gauge_set(&level, 0.5);
    if (second) {
        puts("ready");
        fflush(stdout);
        while (getchar() != EOF) { }
    }
    return tel_shutdown(20000) == TEL_OK ? 0 : 1;
}

int main(int argc, char** argv) {
    if (argc > 1) { return record(argv[1], argc > 2 ? argv[2] : NULL, argc > 4 ? argv[3] : NULL, argc > 4 ? atoi(argv[4]) : 0); }
    return record("whole", NULL, NULL, 0) || record("parts", NULL, NULL, 0);
}
