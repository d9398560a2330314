// prometheus-cpp (Debian: prometheus-cpp-dev), measured by the rules of measure.h.
//   c++ -O2 -std=c++17 -I.. prometheus_cpp.cc -lprometheus-cpp-core -lpthread
#include "../measure.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <sstream>
#include <string>
#include <vector>

using prometheus::Counter;
using prometheus::Family;

static const char* const LABEL = "prometheus-cpp (C++)";
static Family<Counter>* family;
static Family<Counter>* many;
static Counter* plain;
static Counter* bound;
static prometheus::Gauge* level;
static prometheus::Histogram* latency;
static const char* only = "";

static void add(int, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) { plain->Increment(); BENCH_FENCE(); }
}
static void add_bound(int, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) { bound->Increment(); BENCH_FENCE(); }
}
static void add_labels(int, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        family->Add({{"route", "/cart"}, {"code", "200"}, {"method", "GET"}}).Increment();
        BENCH_FENCE();
    }
}
static void add_many(int, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        unsigned k = bench_order[i & (BENCH_SERIES - 1)];
        many->Add({{"route", bench_routes[k & 15]},
                   {"code", bench_codes[(k >> 4) & 15]},
                   {"host", bench_hosts[k >> 8]}}).Increment();
        BENCH_FENCE();
    }
}
static void observe(int, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) { latency->Observe(bench_values[i & (BENCH_VALUES - 1)]); BENCH_FENCE(); }
}
static void set(int, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) { level->Set(static_cast<double>(i)); BENCH_FENCE(); }
}

static void figure(const char* name, int threads, bench_body body) {
    char full[64];
    snprintf(full, sizeof full, "%s.%dt", name, threads);
    if (strncmp(full, only, strlen(only)) != 0) { return; }
    bench_line(full, bench_measure(body, threads, 0, nullptr), "ns", 0, LABEL);
}

static prometheus::Registry* scraped;
static void scrape(void) {
    const std::vector<prometheus::MetricFamily> families = scraped->Collect();
    const std::string text = prometheus::TextSerializer().Serialize(families);
    BENCH_KEEP(text.data());
}

static bench_result in_ms(bench_result r) {
    r.min /= 1e6;
    r.median /= 1e6;
    return r;
}

static void scrape_100k(void) {
    prometheus::Registry registry;
    double create[50];
    scraped = &registry;
    for (int i = 0; i < 50; i++) {
        const std::string name = "bench_series_" + std::to_string(i) + "_total";
        auto& f = prometheus::BuildCounter().Name(name).Help("help").Register(registry);
        std::vector<prometheus::Labels> labels;
        for (int k = 0; k < 2000; k++) {
            labels.push_back({{"http_route", "/api/items/" + std::to_string(k)},
                              {"http_response_status_code", std::to_string(200 + k % 16)},
                              {"server_address", "host-" + std::to_string(k % 50) + ".zone-a"}});
        }
        const uint64_t begin = bench_now();
        for (int k = 0; k < 2000; k++) { f.Add(labels[static_cast<size_t>(k)]).Increment(k * 977.0); }
        create[i] = static_cast<double>(bench_now() - begin) / 2000;
    }
    bench_line("series.create", bench_summary(create, 50), "ns", 0, LABEL);
    bench_line("prometheus.100k.first", in_ms(bench_once_each(scrape, 1)), "ms", 0, LABEL);
    bench_line("prometheus.100k", in_ms(bench_once_each(scrape, 9)), "ms", 0, LABEL);
}

int main(int argc, char** argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--reps") == 0 && i + 1 < argc) { bench_reps = atoi(argv[++i]); }
        if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) { only = argv[++i]; }
    }
    if (bench_reps < 9 || bench_reps > BENCH_REPS_MAX) { bench_reps = 21; }
    if (argc == 2 && strcmp(argv[1], "--memory") == 0) { return 0; }      // metrics only: not the same job
    bench_setup();
    bench_fill_values();
    bench_fill_series();
    prometheus::Registry registry;
    plain = &prometheus::BuildCounter().Name("plain").Help("help").Register(registry).Add({});
    family = &prometheus::BuildCounter().Name("labelled").Help("help").Register(registry);
    many = &prometheus::BuildCounter().Name("many").Help("help").Register(registry);
    bound = &family->Add({{"route", "/cart"}, {"code", "200"}, {"method", "GET"}});
    level = &prometheus::BuildGauge().Name("level").Help("help").Register(registry).Add({});
    latency = &prometheus::BuildHistogram().Name("latency").Help("help").Register(registry).Add(
        {}, prometheus::Histogram::BucketBoundaries(bench_bounds, bench_bounds + 15));
    for (int threads = 1; threads <= BENCH_THREADS; threads += BENCH_THREADS - 1) {
        figure("counter.add", threads, add);
        figure("counter.add.bound", threads, add_bound);
        figure("counter.add.3attrs", threads, add_labels);
        figure("histogram.record", threads, observe);
    }
    figure("gauge.set", 1, set);
    figure("counter.add.4096series", 1, add_many);
    if (strncmp("prometheus.100k", only, strlen(only)) == 0) { scrape_100k(); }
    return 0;
}
