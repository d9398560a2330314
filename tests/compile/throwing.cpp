/* C++ callbacks that throw, with the implementation compiled as C and as C++: the exception ends at the call, counts as a failure of
   it, is reported, and the SDK goes on: with its books exact, its threads unmuted, its turn given back. */
#include "telemetry.h"
#include "../check.h"
#include <atomic>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>

static std::atomic<bool> throwing;
static std::atomic<int> exported, observed, reported, written, posted, started, sampled, thrown, escaped;
static std::atomic<bool> heard;

static void maybe() {
    if (throwing) {
        thrown++;
        throw std::runtime_error("a callback of the program's");
    }
}
static tel_result take(const tel_batch* batch, void*) {
    maybe();
    exported += static_cast<int>(batch->log_count + batch->span_count);
    return TEL_OK;
}
static tel_result flush(uint32_t, void*) { maybe(); return TEL_OK; }
static void stats(tel_sink_stats*, void*) { maybe(); }
static void close_it(void*) { maybe(); }
static tel_result cannot_open(tel_sink*, tel_host*) { throw 1; }
static void observe(tel_observation* o, void*) {
    std::string own(100, 'x');          /* destroyed on the way out */
    maybe();
    observed++;
    tel_observe(o, 1.0, TEL_NOATTRS);
}
static void report(int, uint32_t, const char* message, uint32_t, void*) {
    reported++;
    if (std::strstr(message, "threw")) { heard = true; }
    maybe();
}
static bool write(const void*, size_t, void*) { maybe(); written++; return true; }
static tel_result post(const tel_http_request*, tel_http_answer* answer, void*) {
    maybe();
    posted++;
    answer->status = 200;
    return TEL_OK;
}

static void on_start(tel_span*, const tel_context*, void*) { maybe(); started++; }
static bool on_end(tel_span_view*, void*) { maybe(); return true; }
static tel_decision sample(tel_sampling* s, void*) {
    static const tel_attr attr = tel_int("sampler", 1);
    s->add.items = &attr;
    s->add.count = 1;
    maybe();
    sampled++;
    return TEL_RECORD_AND_SAMPLE;
}

static tel_sink plain(const char* name) {
    tel_sink s = tel_sink();
    s.name = name;
    s.export_fn = take;
    s.flush_fn = flush;
    s.stats_fn = stats;
    s.close_fn = close_it;
    return s;
}

static void add_observer() {
    tel_observer_desc o = tel_observer_desc();
    o.name = "throwing.observed";
    o.observe_fn = observe;
    CHECK(tel_observer_new(o) != nullptr);
}

static void log_one() { tel_log(TEL_INFO, "one", TEL_NOATTRS); }
static void span_one() {
    tel_span s = tel_span_start("one");
    tel_span_end(&s);
}

static void run(bool no_thread) {
    tel_writer writer = { write, nullptr };
    tel_otlp_desc otlp = tel_otlp_desc();
    otlp.endpoint = "http://127.0.0.1:1";
    otlp.post_fn = post;
    otlp.timeout_ms = 500;
    tel_sink sinks[4] = { plain("plain"), tel_sink_console(&writer), tel_sink_otlp(&otlp), plain("closed") };
    sinks[3].open_fn = cannot_open;
    tel_desc desc = tel_desc();
    desc.service_name = "throwing";
    desc.sinks = sinks;
    desc.sink_count = 4;
    desc.ignore_env = true;
    desc.no_thread = no_thread;
    desc.no_self_metrics = true;
    desc.batch_interval_ms = 10;
    desc.diag.report_fn = report;
    tel_processor processor = tel_processor();
    processor.on_start = on_start;
    processor.on_end = on_end;
    desc.processors = &processor;
    desc.processor_count = 1;
    tel_sampler sampler = tel_sampler();
    sampler.sample_fn = sample;
    desc.sampler = &sampler;
    exported = observed = reported = written = posted = started = sampled = thrown = 0;
    heard = false;
    tel_result r = tel_init(desc);      /* one sink could not be opened: the others run */
    CHECK(tel_enabled());
    CHECK(r != TEL_OK);
    add_observer();

    throwing = true;
    log_one();
    try {
        span_one();
        tel_flush(1000);
        tel_pump(10);
        tel_prometheus_render(writer);
        tel_sink pull = plain("pull");
        tel_collect(&pull);
        tel_sink_stats books;
        tel_query_sink(0, &books);
    } catch (...) { escaped++; }
    if (!no_thread) { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }
    CHECK_INT(escaped, 0);
    CHECK(thrown > 3);
    CHECK(heard);

    throwing = false;                   /* from here on everything works, on this thread and on the others */
    int had = exported;
    log_one();
    span_one();                         /* on_start is called on this thread again */
    CHECK_INT(started, 1);
    CHECK_INT(sampled, 1);
    std::thread other(log_one);
    other.join();
    tel_flush(5000);
    CHECK_INT(tel_query_stats().recorded[2], 3);
    CHECK_INT(tel_query_stats().recorded[1], 2);
    CHECK(exported >= had + 3);
    CHECK(observed > 0 && written > 0 && posted > 0);
    CHECK_INT(tel_prometheus_render(writer), TEL_OK);

    throwing = true;                    /* and the end is an end, also when close_fn throws */
    try { tel_shutdown(1000); } catch (...) { escaped++; }
    throwing = false;
    CHECK_INT(escaped, 0);
    CHECK(!tel_enabled());
    tel_stats s = tel_query_stats();
    CHECK_INT(s.recorded[2], 3);
    CHECK_INT(s.queued[2], 0);
}

int main() {
    run(false);
    run(true);
    CHECK_INT(tel_shutdown(0), TEL_ERR_STATE);
    return check_done();
}
