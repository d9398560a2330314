/* TEL_ATTRS in C++. As it stands it compiles from C++11 on, also inside extern "C", switched on and off, and runs under
   AddressSanitizer: what it stores in descs, scopes and variables reaches the sink whole. With -DDANGLING=1 to 5 it stores a list
   that would be gone by the time it is read, and must not compile (compile.sh). */
#if defined(INSIDE_EXTERN_C)
extern "C" {
#include "telemetry.h"
}
#else
#include "telemetry.h"
#endif
#include "../check.h"
#include <string>
#include <utility>
#include <vector>
#if __cplusplus >= 201703L
#include <string_view>
#endif

static tel_counter   counter   = TEL_INSTRUMENT("attrs.counter", "1", "A counter");
static tel_updown    updown    = TEL_INSTRUMENT("attrs.updown", "1", "An updown");
static tel_gauge     gauge     = TEL_INSTRUMENT("attrs.gauge", "1", "A gauge");
static tel_histogram histogram = TEL_INSTRUMENT("attrs.histogram", "s", "A histogram");
static const auto library_attrs = TEL_ATTRS(tel_str("library.kind", "static"));
static const tel_scope library = { "lib", "1", nullptr, library_attrs };

static std::string seen;

static void add(const char* what, tel_attrs attrs) {
    seen += what;
    for (size_t i = 0; i < attrs.count; i++) {
        const tel_attr& a = attrs.items[i];
        seen += std::string(" ") + a.key + "=";
        seen += a.type == TEL_TYPE_STRING ? std::string(a.as.s.data, a.as.s.size) : std::to_string(a.as.i);
    }
    seen += "\n";
}
static tel_result take(const tel_batch* batch, void*) {
    for (size_t i = 0; i < batch->span_count; i++) {
        add(std::string("name ").append(batch->spans[i].name.data, batch->spans[i].name.size).append(" ").c_str(), TEL_NOATTRS);
        add("span", batch->spans[i].attrs);
        add("scope", batch->spans[i].scope->attrs);
        for (size_t j = 0; j < batch->spans[i].event_count; j++) { add("event", batch->spans[i].events[j].attrs); }
        for (size_t j = 0; j < batch->spans[i].link_count; j++) { add("link", batch->spans[i].links[j].attrs); }
    }
    for (size_t i = 0; i < batch->log_count; i++) {
        add("log", batch->logs[i].attrs);
        add(std::string("body ").append(batch->logs[i].body.data ? batch->logs[i].body.data : "", batch->logs[i].body.size).append(" ").c_str(), TEL_NOATTRS);
    }
    for (size_t i = 0; i < batch->metric_count; i++) {
        for (size_t j = 0; j < batch->metrics[i].point_count; j++) { add("point", batch->metrics[i].points[j].attrs); }
    }
    for (size_t i = 0; i < batch->resource.count; i++) {
        if (std::string(batch->resource.items[i].key) == "team") { add("resource", tel__attrs(&batch->resource.items[i], 1)); }
    }
    return TEL_OK;
}

/* Wrappers of one's own: with any attributes, or with a finished list. */
template <class... A> static void count(int64_t n, A... attrs) { tel_counter_add_with(&counter, n, TEL_ATTRS(attrs...)); }
static void note(const char* body, tel_attrs attrs) { tel_log(TEL_INFO, body, attrs); }

static void overwrite_the_stack() {
    volatile char junk[4096];
    for (size_t i = 0; i < sizeof junk; i++) { junk[i] = 'x'; }
}

static void record(const std::string& text) {
    auto common = TEL_ATTRS(tel_int("n", 7), tel_str("text", text));
    tel_counter_add_with(&counter, 1, common);
    tel_updown_add_with(&updown, 1, TEL_ATTRS(tel_str("text", text)));
    tel_gauge_set_with(&gauge, 1.0, TEL_ATTRS(tel_str("text", text.c_str())));
    tel_histogram_record_with(&histogram, 1.0, TEL_ATTRS(tel_bool("b", true)));
    tel_counter_add(tel_counter_bind(&counter, TEL_ATTRS(tel_int("bound", 1))), 1);
    tel_updown_add(tel_updown_bind(&updown, TEL_ATTRS(tel_int("bound", 1))), 1);
    tel_gauge_set(tel_gauge_bind(&gauge, TEL_ATTRS(tel_int("bound", 1))), 1.0);
    tel_histogram_record(tel_histogram_bind(&histogram, TEL_ATTRS(tel_int("bound", 1))), 1.0);
    count(1);
    count(2, tel_int("wrapped", 1), tel_str("literal", "yes"));
    std::vector<tel_attr> list;
    list.push_back(tel_int("from.vector", 1));
    tel_counter_add_with(&counter, 1, { list.data(), list.size() });

    tel_link link = { tel_current(), common };
    tel_span_desc desc = tel_span_desc();
    desc.name = "described";
    desc.scope = &library;
    desc.attrs = common;
    desc.links = &link;
    desc.link_count = 1;
    tel_span span = tel_span_start_ex(desc);
    desc.links = nullptr;
    tel_span_event(&span, "event", TEL_ATTRS(tel_str("text", text), tel_int("e", 1)));
    tel_span_set_all(&span, TEL_ATTRS(tel_int("late", 1)));
    tel_span_end(&span);

    tel_attrs view = common;
    overwrite_the_stack();
    note("a", view);
    note("b", TEL_ATTRS(tel_str("text", text + "!")).borrow());
    tel_log(TEL_INFO, "c", TEL_ATTRS(tel_str("text", text), tel_int("x", 1)));
    tel_log(TEL_INFO, "d", TEL_ATTRS());
    tel_log(TEL_INFO, "e", TEL_NOATTRS);
    tel_log(TEL_INFO, "f", {});
    tel_log_desc log = tel_log_desc();
    log.body = "g";
    log.attrs = common;
    tel_log_ex(log);
    tel_log(TEL_INFO, text, TEL_ATTRS(tel_str("text", text), tel_int("body", 1)));
    tel_log(TEL_INFO, text + "?", TEL_NOATTRS);
    tel_log(TEL_INFO, std::string(), common);
    tel_span named = tel_span_start(std::string("a name of a span that is long enough for the heap"));
    tel_span_end(&named);
    TEL_SPAN(scoped, std::string("a scoped name")) { tel_span_set(scoped, tel_int("scoped", 1)); }
    unsigned long long huge = ~0ull;
    tel_log(TEL_INFO, "kinds", TEL_ATTRS(TEL_KV("i", -1), TEL_KV("u", 2u), TEL_KV("big", huge), TEL_KV("size", text.size()),
                                         TEL_KV("b", true), TEL_KV("c", "text"), TEL_KV("s", text)));
    {
        tel::span first("moved");
        tel::span second(std::string("replaced"));
        second.set(tel_int("second", 1));
        second = std::move(first);
        tel_span_set(second.get(), tel_int("first", 1));
        tel_span_desc child = tel_span_desc();
        tel_context parent = second.context();
        child.name = "ended";
        child.parent = &parent;
        tel::span below(child);
        below.end();
    }
#if __cplusplus >= 201703L
    tel_log(TEL_INFO, std::string_view("body and more").substr(0, 4),
            TEL_ATTRS(tel_str("view", std::string_view("viewed from").substr(0, 6))));
    TEL_SPAN(viewed, std::string_view("GET /x y").substr(0, 6)) { tel_span_set(viewed, tel_int("viewed", 1)); }
#endif
#if __cplusplus >= 202002L
    tel_span in_place = tel_span_start_ex({ .name = "20", .attrs = TEL_ATTRS(tel_int("std", 20)).borrow() });
    tel_span_end(&in_place);
#endif
}

#ifndef DANGLING
#define DANGLING 0
#endif
#if DANGLING == 1
void dangling() { tel_desc d = {}; d.resource = TEL_ATTRS(tel_str("team", "a")); tel_init(d); }
#elif DANGLING == 2
void dangling() { tel_attrs a = TEL_ATTRS(tel_str("team", "a")); note("a", a); }
#elif DANGLING == 3
void dangling() { tel_span_desc d = {}; d.attrs = TEL_ATTRS(tel_int("a", 1)); tel_span_start_ex(d); }
#elif DANGLING == 4
void dangling() { tel_scope s = { "lib", "1", nullptr, TEL_ATTRS(tel_str("k", "v")) }; (void)s; }
#elif DANGLING == 5
void dangling() { tel_log_desc d = {}; d.attrs = TEL_ATTRS(tel_int("a", 1)); tel_log_ex(d); }
#endif

#if defined(TELEMETRY_OFF)
#define HAS(text) CHECK(seen.empty())
#else
#define HAS(text) CHECK(seen.find(text) != std::string::npos)
#endif

int main(int argc, char** argv) {
    tel_sink sink = tel_sink();
    tel_desc desc = tel_desc();
    std::string team = argc > 1 ? argv[1] : "payments";
    auto where = TEL_ATTRS(tel_str("team", team), tel_str("env", "prod"));
    sink.export_fn = take;
    desc.service_name = "attrs";
    desc.sinks = &sink;
    desc.sink_count = 1;
    desc.no_thread = true;
    desc.ignore_env = true;
    desc.no_self_metrics = true;
    desc.resource = where;
    overwrite_the_stack();
    CHECK_INT(tel_init(desc), TEL_OK);
    record("some text that is too long for the small buffer of a string");
    CHECK_INT(tel_flush(10000), TEL_OK);
    CHECK_INT(tel_shutdown(10000), TEL_OK);
    HAS("resource team=payments\n");
    HAS("span n=7 text=some text that is too long for the small buffer of a string late=1\n");
    HAS("link n=7 text=some text");
    HAS("event text=some text that is too long for the small buffer of a string e=1\n");
    HAS("scope library.kind=static\n");
    HAS("log n=7 text=some text");
    HAS("log text=some text that is too long for the small buffer of a string!\n");
    HAS("body some text that is too long for the small buffer of a string \n");
    HAS("body some text that is too long for the small buffer of a string? \n");
    HAS("name a name of a span that is long enough for the heap \n");
    HAS("name a scoped name \n");
#if __cplusplus >= 201703L
    HAS("body body \n");
    HAS("name GET /x \n");
    HAS("log view=viewed\n");
#endif
    HAS("log i=-1 u=2 big=9223372036854775807 size=59 b=");
    HAS("c=text s=some text");
    HAS("name replaced \nspan second=1\n");
    HAS("name moved \nspan first=1\n");
    HAS("name ended \n");
    HAS("point literal=yes wrapped=1\n");
    HAS("point from.vector=1\n");
    HAS("point bound=1\n");
    return check_done();
}
