/* Room test of >>propagators: the formats, each in both directions, which of them are in use, the program's own, and the
   environment as a carrier. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdlib.h>

#define TRACE "80f198ee56343ba864fe8b2a57d3eff7"
#define SPAN  "e457b5a2e4d86bd1"

typedef struct header { char name[64], value[300]; } header;
static header in[8], out[8];
static size_t in_count, out_count;

static tel_text get(const char* key, void* user_data) {
    tel_text t = { NULL, 0 };
    size_t i;
    (void)user_data;
    for (i = 0; i < in_count; i++) {
        if (strcmp(in[i].name, key) == 0) { return tel__text_of(in[i].value); }
    }
    return t;
}
static void set(const char* key, const char* value, void* user_data) {
    (void)user_data;
    snprintf(out[out_count].name, sizeof out[0].name, "%s", key);
    snprintf(out[out_count++].value, sizeof out[0].value, "%s", value);
}
static const char* sent(const char* name) {
    size_t i;
    for (i = 0; i < out_count; i++) {
        if (strcmp(out[i].name, name) == 0) { return out[i].value; }
    }
    return "(not sent)";
}
static void give(const char* name, const char* value) {
    snprintf(in[in_count].name, sizeof in[0].name, "%s", name);
    snprintf(in[in_count++].value, sizeof in[0].value, "%s", value);
}
static tel_carrier carrier(void) {
    tel_carrier c;
    memset(&c, 0, sizeof c);
    c.get_fn = get;
    c.set_fn = set;
    return c;
}
static void use(const char* names) {
    uint64_t list;
    tel_text bad;
    CHECK(tel__propagators_parse(tel__text_of(names), &list, &bad));
    tel__propagators_use(list, NULL, 0);
}
static tel_context extract(void) {
    tel_carrier c = carrier();
    tel_context found = tel_extract(&c);
    in_count = 0;
    return found;
}
static void inject(const tel_context* c) {
    tel_carrier to = carrier();
    out_count = 0;
    CHECK_INT(tel_inject(c, &to), TEL_OK);
}
static const char* shown(const tel_context* c) {
    static char text[TEL_TRACEPARENT_SIZE];
    return tel_traceparent_format(c, text) == TEL_OK ? text : "(none)";
}

static const struct { const char *value, *want; } singles[] = {
    { TRACE "-" SPAN "-1-05e3ac9a4f6e3b90", "00-" TRACE "-" SPAN "-01" },
    { TRACE "-" SPAN "-1", "00-" TRACE "-" SPAN "-01" },
    { TRACE "-" SPAN "-d", "00-" TRACE "-" SPAN "-01" },
    { TRACE "-" SPAN "-0", "00-" TRACE "-" SPAN "-00" },
    { TRACE "-" SPAN, "00-" TRACE "-" SPAN "-00" },
    { " " TRACE "-" SPAN "-1 ", "00-" TRACE "-" SPAN "-01" },
    { "E457B5A2E4D86BD1-" SPAN "-1", "00-0000000000000000e457b5a2e4d86bd1-" SPAN "-01" },
    { "0", "(none)" }, { "1", "(none)" }, { "d", "(none)" }, { "", "(none)" },
    { TRACE "-" SPAN "-2", "(none)" }, { TRACE "-" SPAN "-1x", "(none)" }, { TRACE "-" SPAN "0-1", "(none)" },
    { TRACE "0-" SPAN "-1", "(none)" }, { "g457b5a2e4d86bd1-" SPAN "-1", "(none)" },
    { "00000000000000000000000000000000-" SPAN "-1", "(none)" }, { TRACE "-0000000000000000-1", "(none)" },
    { "abc-" SPAN "-1", "(none)" }, { "-" SPAN "-1", "(none)" }, { TRACE "-" "-1", "(none)" }
};

static void test_b3(void) {
    tel_context c;
    size_t i;
    use("b3");
    for (i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        give("b3", singles[i].value);
        c = extract();
        CHECK_STR(shown(&c), singles[i].want);
        CHECK_INT(c.remote, singles[i].want[0] == '0');
    }
    give("b3", TRACE "-" SPAN "-d");
    c = extract();
    inject(&c);
    CHECK_STR(sent("b3"), TRACE "-" SPAN "-d");
    CHECK_INT(out_count, 1);
    give("x-b3-traceid", TRACE);
    give("x-b3-spanid", SPAN);
    give("x-b3-sampled", "true");
    c = extract();
    CHECK_STR(shown(&c), "00-" TRACE "-" SPAN "-01");
    use("b3multi");
    give("b3", TRACE "-" SPAN "-1");            /* not this format */
    c = extract();
    CHECK_STR(shown(&c), "(none)");
    give("x-b3-traceid", "e457b5a2e4d86bd1");
    give("x-b3-spanid", SPAN);
    give("x-b3-sampled", "0");
    c = extract();
    CHECK_STR(shown(&c), "00-0000000000000000e457b5a2e4d86bd1-" SPAN "-00");
    inject(&c);
    CHECK_STR(sent("x-b3-traceid"), "0000000000000000e457b5a2e4d86bd1");
    CHECK_STR(sent("x-b3-spanid"), SPAN);
    CHECK_STR(sent("x-b3-sampled"), "0");
    CHECK_INT(out_count, 3);
    give("x-b3-traceid", TRACE);
    give("x-b3-spanid", SPAN);
    give("x-b3-flags", "1");
    c = extract();
    CHECK_INT(c.flags, 1);
    inject(&c);
    CHECK_STR(sent("x-b3-flags"), "1");
    give("x-b3-traceid", TRACE);
    c = extract();
    CHECK_STR(shown(&c), "(none)");
}

static void test_jaeger(void) {
    tel_context c;
    use("jaeger");
    give("uber-trace-id", TRACE ":" SPAN ":0:1");
    c = extract();
    CHECK_STR(shown(&c), "00-" TRACE "-" SPAN "-01");
    inject(&c);
    CHECK_STR(sent("uber-trace-id"), TRACE ":" SPAN ":0:1");
    give("uber-trace-id", "abc%3A1f%3A0%3A0");
    c = extract();
    CHECK_STR(shown(&c), "00-00000000000000000000000000000abc-000000000000001f-00");
    give("uber-trace-id", "abc:1f:0:3");
    c = extract();
    inject(&c);
    CHECK_STR(sent("uber-trace-id"), "00000000000000000000000000000abc:000000000000001f:0:3");
    give("uber-trace-id", "abc:1f:0");
    c = extract();
    CHECK_STR(shown(&c), "(none)");
    give("uber-trace-id", "abc:1f:0:1:2");
    c = extract();
    CHECK_STR(shown(&c), "(none)");
    give("uber-trace-id", "0:1f:0:1");
    c = extract();
    CHECK_STR(shown(&c), "(none)");
}

static void test_datadog(void) {
    tel_context c;
    use("datadog");
    give("x-datadog-trace-id", "1311768467294899695");
    give("x-datadog-parent-id", "18446744073709551615");
    give("x-datadog-sampling-priority", "2");
    give("x-datadog-tags", "_dd.p.dm=-1,_dd.p.tid=640cfd8d00000000");
    c = extract();
    CHECK_STR(shown(&c), "00-640cfd8d000000001234567890abcdef-ffffffffffffffff-01");
    inject(&c);
    CHECK_STR(sent("x-datadog-trace-id"), "1311768467294899695");
    CHECK_STR(sent("x-datadog-parent-id"), "18446744073709551615");
    CHECK_STR(sent("x-datadog-sampling-priority"), "1");
    CHECK_STR(sent("x-datadog-tags"), "_dd.p.tid=640cfd8d00000000");
    give("x-datadog-trace-id", "1311768467294899695");
    give("x-datadog-parent-id", "1");
    give("x-datadog-sampling-priority", "-1");
    c = extract();
    CHECK_STR(shown(&c), "00-00000000000000001234567890abcdef-0000000000000001-00");
    give("x-datadog-trace-id", "12x");
    give("x-datadog-parent-id", "1");
    c = extract();
    CHECK_STR(shown(&c), "(none)");
    give("x-datadog-trace-id", "18446744073709551616");
    give("x-datadog-parent-id", "1");
    c = extract();
    CHECK_STR(shown(&c), "(none)");
}

static void test_several(void) {
    tel_context c;
    char text[64];
    uint64_t list;
    tel_text bad = { NULL, 0 };
    use(" tracecontext , b3,baggage,tracecontext");
    give("traceparent", "00-" TRACE "-" SPAN "-03");
    give("tracestate", "a=1");
    give("baggage", "k=v");
    c = extract();
    CHECK_STR(shown(&c), "00-" TRACE "-" SPAN "-03");
    inject(&c);
    CHECK_INT(out_count, 4);
    CHECK_STR(sent("b3"), TRACE "-" SPAN "-1");
    CHECK_STR(sent("tracestate"), "a=1");
    CHECK_STR(sent("baggage"), "k=v");
    give("traceparent", "00-" TRACE "-" SPAN "-03");
    give("tracestate", "a=1");
    give("b3", "x");                            /* finds nothing, changes nothing */
    c = extract();
    CHECK_STR(shown(&c), "00-" TRACE "-" SPAN "-03");
    give("traceparent", "00-" TRACE "-" SPAN "-03");
    give("tracestate", "a=1");
    give("b3", "11111111111111111111111111111111-" SPAN "-0");
    c = extract();
    CHECK_STR(shown(&c), "00-11111111111111111111111111111111-" SPAN "-00");
    CHECK_INT(tel_tracestate_get(&c, "a", text, sizeof text), TEL_ERR_ARGUMENT);
    CHECK(!tel__propagators_parse(tel__text_of("b3,xray,ottrace"), &list, &bad));
    CHECK_INT(list, TEL__PROPAGATORS_B3);
    CHECK(tel__text_equal(bad, tel__text_of("xray")));
    use("none");
    give("traceparent", "00-" TRACE "-" SPAN "-03");
    c = extract();
    CHECK_STR(shown(&c), "(none)");
    use("tracecontext");
    give("traceparent", "00-" TRACE "-" SPAN "-03");
    give("baggage", "k=v");
    c = extract();
    CHECK_INT(tel_baggage_get(&c, "k", text, sizeof text), TEL_ERR_ARGUMENT);
}

/* ---- what may be sent ---- */

static const char* fields(void) {
    static char text[400];
    const char* field;
    size_t i;
    text[0] = 0;
    for (i = 0; (field = tel_inject_field(i)) != NULL; i++) {
        strcat(text, field);
        strcat(text, " ");
    }
    CHECK(tel_inject_field(i + 1) == NULL && tel_inject_field(SIZE_MAX) == NULL);
    return text;
}

/* Every header that is sent is one of the fields. */
static void test_fields(void) {
    static const char* const formats[][2] = {
        { "tracecontext,baggage", "traceparent tracestate baggage " }, { "none", "" }, { "b3", "b3 " },
        { "b3multi,jaeger", "x-b3-traceid x-b3-spanid x-b3-flags x-b3-sampled uber-trace-id " },
        { "baggage,datadog", "baggage x-datadog-trace-id x-datadog-parent-id x-datadog-sampling-priority x-datadog-tags " }
    };
    tel_context c;
    size_t i, k;
    use("tracecontext");
    give("traceparent", "00-" TRACE "-" SPAN "-03");
    give("tracestate", "a=1");
    c = extract();
    CHECK_INT(tel_baggage_set(&c, "k", "v", NULL), TEL_OK);
    for (i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        use(formats[i][0]);
        CHECK_STR(fields(), formats[i][1]);
        inject(&c);
        for (k = 0; k < out_count; k++) { CHECK(strstr(formats[i][1], out[k].name) != NULL); }
    }
}

static void own_inject(const tel_context* c, const tel_carrier* to, void* user_data) {
    (void)c;
    to->set_fn((const char*)user_data, "mine", to->user_data);
}
static const char* const own_fields[] = { "x-own", "x-more", NULL };
static bool own_extract(tel_context* c, const tel_carrier* from, void* user_data) {
    tel_text t = from->get_fn((const char*)user_data, from->user_data);
    c->span_id[7] = 9;
    return t.data != NULL;
}

static void test_own(void) {
    static char name[] = "x-own";
    tel_propagator own;
    tel_context c;
    tel_desc d;
    memset(&own, 0, sizeof own);
    own.inject_fn = own_inject;
    own.extract_fn = own_extract;
    own.user_data = name;
    own.fields = own_fields;
    memset(&d, 0, sizeof d);
    d.ignore_env = d.no_thread = d.no_atexit = true;
    d.propagators = "tracecontext";
    d.own_propagators = &own;
    d.own_propagator_count = 1;
    d.sinks = &(tel_sink){ .name = "none", .export_fn = NULL, .signal_mask = TEL_SIGNAL_PULL };
    d.sink_count = 0;
    CHECK_INT(tel_init(&d), TEL_OK);
    give("traceparent", "00-" TRACE "-" SPAN "-01");
    give("x-own", "1");
    c = extract();
    CHECK_INT(c.span_id[7], 9);
    give("traceparent", "00-" TRACE "-" SPAN "-01");
    c = extract();
    CHECK_INT(c.span_id[7], 0xd1);
    inject(&c);
    CHECK_INT(out_count, 2);
    CHECK_STR(sent("x-own"), "mine");
    CHECK_STR(fields(), "traceparent tracestate x-own x-more ");
    (void)tel_shutdown(0);
    inject(&c);
    CHECK_INT(out_count, 1);
    d.own_propagator_count = 5;
    d.diag.report_fn = NULL;
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
    d.own_propagator_count = 0;
    d.propagators = "tracecontext,nonsense";
    CHECK_INT(tel_init(&d), TEL_ERR_ARGUMENT);
}

/* A propagator of one's own reads every name that the carrier can list. */
static size_t keys_seen;
static bool keys_good;
static bool list_keys(tel_context* c, const tel_carrier* from, void* user_data) {
    tel_text key;
    size_t i;
    (void)c;
    (void)user_data;
    keys_good = from->key_fn != NULL;
    for (i = 0; keys_good && (key = from->key_fn(i, from->user_data)).data; i++) {
        keys_seen += key.size == 7 && memcmp(key.data, "BAGGAGE", 7) == 0;
        keys_good = !memchr(key.data, '=', key.size) && !memchr(key.data, 'b', key.size);
    }
    return false;
}

static void test_keys(void) {
    static tel_propagator own;
    uint64_t list;
    tel_text bad;
    own.extract_fn = list_keys;
    CHECK(tel__propagators_parse(tel__text_of("baggage"), &list, &bad));
    tel__propagators_use(list, &own, 1);
    setenv("BAGGAGE", "k=v", 1);
    setenv("lower_b", "x", 1);
    setenv("1B_b", "x", 1);
    (void)tel_environ_extract();
    CHECK(keys_good && keys_seen == 1);
    unsetenv("BAGGAGE");
    (void)tel_environ_extract();
    CHECK(keys_good && keys_seen == 1);
    use("none");
}

static void test_environ(void) {
    static const char* const names[][2] = {
        { "traceparent", "TRACEPARENT" }, { "x-b3-traceid", "X_B3_TRACEID" }, { "", "_" }, { "1a", "_1A" },
        { "a.b-c\xc3", "A_B_C_" }
    };
    tel_carrier to = carrier();
    tel_context c;
    char text[64];
    size_t i;
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        tel__propagators_variable(names[i][0], text, sizeof text);
        CHECK_STR(text, names[i][1]);
    }
    use("tracecontext,baggage");
    setenv("TRACEPARENT", "00-" TRACE "-" SPAN "-01", 1);
    setenv("TRACESTATE", "a=1", 1);
    setenv("BAGGAGE", "k=v", 1);
    c = tel_environ_extract();
    CHECK_STR(shown(&c), "00-" TRACE "-" SPAN "-01");
    out_count = 0;
    CHECK_INT(tel_environ_inject(&c, &to), TEL_OK);
    CHECK_STR(sent("TRACEPARENT"), "00-" TRACE "-" SPAN "-01");
    CHECK_STR(sent("TRACESTATE"), "a=1");
    CHECK_STR(sent("BAGGAGE"), "k=v");
    CHECK_INT(tel_environ_inject(&c, NULL), TEL_ERR_ARGUMENT);
    unsetenv("TRACEPARENT");
    c = tel_environ_extract();
    CHECK_STR(shown(&c), "(none)");
    CHECK_INT(tel_tracestate_get(&c, "a", text, sizeof text), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_baggage_get(&c, "k", text, sizeof text), TEL_OK);
}

int main(void) {
    test_b3();
    test_jaeger();
    test_datadog();
    test_several();
    test_environ();
    test_own();
    test_fields();
    test_keys();
    return check_done();
}
