/* Room test of >>propagation: every rule of traceparent, the carrier calls, and, when TEL_FIXTURES names
   the folder of the fixtures, the W3C conformance cases of w3c/trace_context_cases.json. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdio.h>
#include <stdlib.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"
#define GOOD  "00-" TRACE "-" SPAN "-01"

static tel_text text_of(const char* s) { return tel__text_of(s); }

static bool all_zero(const tel_context* c) {
    tel_context zero;
    memset(&zero, 0, sizeof zero);
    return memcmp(c, &zero, sizeof zero) == 0;
}

/* ---- the rules of the value ------------------------------------------------------------------------- */

typedef struct value_case { const char* text; int flags; } value_case;      /* flags -1: invalid */

static const value_case values[] = {
    { GOOD, 1 },
    { "00-" TRACE "-" SPAN "-00", 0 },
    { "00-" TRACE "-" SPAN "-02", 2 },
    { "00-" TRACE "-" SPAN "-03", 3 },
    { "00-" TRACE "-" SPAN "-ff", 3 },
    { "00-" TRACE "-" SPAN "-fe", 2 },
    { "00-" TRACE "-" SPAN "-08", 0 },
    { " " GOOD, 1 }, { GOOD " ", 1 }, { "\t" GOOD "\t", 1 }, { " \t \t" GOOD " \t\t ", 1 },
    { "\n" GOOD, -1 }, { GOOD "\n", -1 }, { GOOD "\r", -1 },
    { "", -1 }, { " ", -1 }, { "-", -1 }, { "00", -1 }, { "00-", -1 },
    { "ff-" TRACE "-" SPAN "-01", -1 },
    { "ff-" TRACE "-" SPAN "-01-x", -1 },
    { "0-" TRACE "-" SPAN "-01", -1 },
    { "000-" TRACE "-" SPAN "-01", -1 },
    { ".0-" TRACE "-" SPAN "-01", -1 },
    { "0.-" TRACE "-" SPAN "-01", -1 },
    { "0x-" TRACE "-" SPAN "-01", -1 },
    { "00" TRACE "-" SPAN "-01", -1 },
    { GOOD "-", -1 }, { GOOD "-x", -1 }, { GOOD ".", -1 }, { GOOD "0", -1 }, { GOOD " x", -1 },
    { GOOD "," GOOD, -1 }, { GOOD ", " GOOD, -1 },
    { "01-" TRACE "-" SPAN "-01", 1 },
    { "cc-" TRACE "-" SPAN "-01", 1 },
    { "fe-" TRACE "-" SPAN "-03", 3 },
    { "fe-" TRACE "-" SPAN "-ff", 3 },
    { "01-" TRACE "-" SPAN "-01-", 1 },
    { "cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like", 1 },
    { "cc-" TRACE "-" SPAN "-01-UPPER and \x01 anything", 1 },
    { "cc-" TRACE "-" SPAN "-01.what-the-future-will-be-like", -1 },
    { "cc-" TRACE "-" SPAN "-01," GOOD, -1 },
    { "cc-" TRACE "-" SPAN "-011", -1 },
    { "01-" TRACE "-" SPAN "-0", -1 },
    { "01-" TRACE "-" SPAN "-", -1 },
    { "01-" TRACE "-" SPAN, -1 },
    { "00-00000000000000000000000000000000-" SPAN "-01", -1 },
    { "00-" TRACE "-0000000000000000-01", -1 },
    { "cc-00000000000000000000000000000000-" SPAN "-01", -1 },
    { "00-00000000000000000000000000000001-0000000000000001-01", 1 },
    { "00-10000000000000000000000000000000-1000000000000000-01", 1 },
    { "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", -1 },
    { "00-" TRACE "-B7AD6B7169203331-01", -1 },
    { "CC-" TRACE "-" SPAN "-01", -1 },
    { "00-" TRACE "-" SPAN "-0A", -1 },
    { "00-" TRACE "a-" SPAN "-01", -1 },
    { "00-" TRACE "-a" SPAN "-01", -1 },
    { "00-0af7651916cd43dd8448eb211c80319-" SPAN "-01", -1 },
    { "00-" TRACE "-b7ad6b716920333-01", -1 },
    { "00-" TRACE "-" SPAN "-1", -1 },
    { "00-" TRACE "-" SPAN "-001", -1 },
    { "00_" TRACE "-" SPAN "-01", -1 },
    { "00-" TRACE "_" SPAN "-01", -1 },
    { "00-" TRACE "-" SPAN "_01", -1 }
};

static void check_value(const value_case* v) {
    tel_context c;
    tel_result r;
    memset(&c, 0xa5, sizeof c);
    r = tel__propagation_parse(text_of(v->text), &c);
    if (v->flags < 0) {
        if (r != TEL_ERR_FORMAT || !all_zero(&c)) { fprintf(stderr, "accepted: %s\n", v->text); }
        CHECK_INT(r, TEL_ERR_FORMAT);
        CHECK(all_zero(&c));
        return;
    }
    if (r != TEL_OK) { fprintf(stderr, "refused: %s\n", v->text); }
    CHECK_INT(r, TEL_OK);
    CHECK_INT(c.flags, v->flags);
    CHECK_INT(c.remote, 1);
    CHECK_INT(c.tel__extra, 0);
}

static void test_values(void) {
    tel_context c;
    char out[TEL_TRACEPARENT_SIZE];
    tel_text none = { NULL, 0 };
    size_t i;
    for (i = 0; i < sizeof values / sizeof values[0]; i++) { check_value(&values[i]); }
    memset(&c, 0xa5, sizeof c);
    CHECK_INT(tel__propagation_parse(none, &c), TEL_ERR_FORMAT);
    CHECK(all_zero(&c));
    CHECK_INT(tel__propagation_parse(text_of("cc-" TRACE "-" SPAN "-ff-x"), &c), TEL_OK);
    CHECK_INT(c.trace_id[0], 0x0a);
    CHECK_INT(c.trace_id[15], 0x9c);
    CHECK_INT(c.span_id[0], 0xb7);
    CHECK_INT(c.span_id[7], 0x31);
    tel__propagation_format(&c, out);
    CHECK_STR(out, "00-" TRACE "-" SPAN "-03");
}

/* Every octet at every place, against the rule written the other way round: a set of allowed octets. */
static void test_every_octet(void) {
    unsigned place, octet, wrong = 0, accepted = 0;
    for (place = 0; place < 55; place++) {
        for (octet = 0; octet < 256; octet++) {
            char text[56];
            tel_context c;
            bool dash = place == 2 || place == 35 || place == 52;
            const char* allowed = dash ? "-" : "0123456789abcdef";
            bool want;
            memcpy(text, "00-" TRACE "-" SPAN "-01", 56);
            text[place] = (char)(unsigned char)octet;
            want = octet != 0 && strchr(allowed, (int)octet) != NULL;
            if ((tel__propagation_parse(text_of(text), &c) == TEL_OK) != want && octet != 0) { wrong++; }
            if (octet == 0) {
                tel_text whole = { text, 55 };
                if (tel__propagation_parse(whole, &c) == TEL_OK) { wrong++; }
            }
            accepted += want ? 1u : 0u;
        }
    }
    CHECK_INT(wrong, 0);
    CHECK_INT(accepted, 3 + 52 * 16);
}

/* The value is borrowed and not NUL-terminated: every length is judged by the size alone. */
static void test_every_length(void) {
    size_t size;
    unsigned wrong = 0;
    for (size = 0; size <= 55; size++) {
        char* exact = (char*)malloc(size ? size : 1);       /* the sanitizer sees a read past the end */
        tel_text t;
        tel_context c;
        if (!exact) { continue; }
        memcpy(exact, GOOD, size);
        t.data = exact;
        t.size = size;
        if ((tel__propagation_parse(t, &c) == TEL_OK) != (size == 55)) { wrong++; }
        free(exact);
    }
    CHECK_INT(wrong, 0);
}

/* ---- carriers --------------------------------------------------------------------------------------- */

typedef struct header { char name[64], value[2048]; } header;
typedef struct headers { header items[8]; size_t count, sets; } headers;

static void headers_set(const char* key, const char* value, void* user_data) {
    headers* h = (headers*)user_data;
    h->sets++;
    if (h->count < 8) {
        snprintf(h->items[h->count].name, sizeof h->items[0].name, "%s", key);
        snprintf(h->items[h->count].value, sizeof h->items[0].value, "%s", value);
        h->count++;
    }
}

static bool same_name(const char* a, const char* b) {
    size_t i;
    for (i = 0; a[i] || b[i]; i++) {
        int x = a[i] >= 'A' && a[i] <= 'Z' ? a[i] + 32 : a[i];
        if (x != b[i]) { return false; }
    }
    return true;
}

/* As HTTP servers do: names without case, repeated headers joined with a comma. */
static tel_text headers_get(const char* key, void* user_data) {
    static char joined[8192];
    headers* h = (headers*)user_data;
    tel_text t = { NULL, 0 };
    size_t i;
    joined[0] = '\0';
    for (i = 0; i < h->count; i++) {
        if (!same_name(h->items[i].name, key)) { continue; }
        if (t.data) { strcat(joined, ","); }
        strcat(joined, h->items[i].value);
        t.data = joined;
    }
    t.size = t.data ? strlen(joined) : 0;
    return t;
}

/* As they came: one by one. */
static tel_text headers_get_all(const char* key, size_t index, void* user_data) {
    headers* h = (headers*)user_data;
    tel_text t = { NULL, 0 };
    size_t i;
    for (i = 0; i < h->count; i++) {
        if (same_name(h->items[i].name, key) && index-- == 0) { return tel__text_of(h->items[i].value); }
    }
    return t;
}

static tel_carrier carrier_of(headers* h) {
    tel_carrier c;
    memset(&c, 0, sizeof c);
    c.set_fn = headers_set;
    c.get_fn = headers_get;
    c.user_data = h;
    return c;
}

static void test_carrier(void) {
    headers h;
    tel_carrier carrier = carrier_of(&h), broken;
    tel_context c, back;
    memset(&h, 0, sizeof h);
    memset(&c, 0, sizeof c);
    c = tel__propagators_extract(&carrier);
    CHECK(all_zero(&c));
    CHECK_INT(tel__propagation_parse(text_of(GOOD), &c), TEL_OK);
    c.remote = 0;
    CHECK_INT(tel__propagators_inject(&c, &carrier), TEL_OK);
    CHECK_INT(h.sets, 1);
    CHECK_STR(h.items[0].name, "traceparent");
    CHECK_STR(h.items[0].value, GOOD);
    back = tel__propagators_extract(&carrier);
    CHECK_INT(back.remote, 1);
    back.remote = 0;
    CHECK(memcmp(&back, &c, sizeof c) == 0);

    h.items[0].value[0] = 'f';
    h.items[0].value[1] = 'f';
    back = tel__propagators_extract(&carrier);
    CHECK(all_zero(&back));
    back = tel__propagators_extract(NULL);
    CHECK(all_zero(&back));
    broken = carrier;
    broken.get_fn = NULL;
    back = tel__propagators_extract(&broken);
    CHECK(all_zero(&back));
}

static void test_inject_refuses(void) {
    headers h;
    tel_carrier carrier = carrier_of(&h), broken = carrier;
    tel_context good, c;
    memset(&h, 0, sizeof h);
    CHECK_INT(tel__propagation_parse(text_of(GOOD), &good), TEL_OK);
    memset(&c, 0, sizeof c);
    CHECK_INT(tel__propagators_inject(&c, &carrier), TEL_ERR_ARGUMENT);
    c = good;
    memset(c.span_id, 0, sizeof c.span_id);
    CHECK_INT(tel__propagators_inject(&c, &carrier), TEL_ERR_ARGUMENT);
    c = good;
    memset(c.trace_id, 0, sizeof c.trace_id);
    CHECK_INT(tel__propagators_inject(&c, &carrier), TEL_ERR_ARGUMENT);
    CHECK_INT(tel__propagators_inject(NULL, &carrier), TEL_ERR_ARGUMENT);
    CHECK_INT(tel__propagators_inject(&good, NULL), TEL_ERR_ARGUMENT);
    broken.set_fn = NULL;
    CHECK_INT(tel__propagators_inject(&good, &broken), TEL_ERR_ARGUMENT);
    CHECK_INT(h.sets, 0);
}

/* Of a key that comes twice the first value counts; keys that only resemble each other all stay. */
static void test_keys(void) {
    tel__tracestate t;
    char key[8];
    size_t size = 0, i;
    char value[16];
    int round;
    t.size = 0;
    for (round = 0; round < 2; round++) {
        for (i = 0; i < 27; i++) {
            snprintf(key, sizeof key, "%c%c%c", (char)('a' + i % 3), (char)('a' + i / 3 % 3), (char)('a' + i / 9));
            tel__tracestate_append(&t, text_of(key), text_of(round ? "no" : "yes"));
            if (!round) { size += size ? 8 : 7; }
        }
        CHECK_INT(t.size, size);
    }
    for (i = 0; i < 256; i++) {
        char c = (char)i;
        bool name = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("_-*/@", c));
        bool plain = i >= 0x20 && i <= 0x7e && c != ',' && c != '=';
        size_t at;
        CHECK_INT(tel__tracestate_span(&c, 1, 1), name);
        CHECK_INT(tel__tracestate_span(&c, 1, 2), plain);
        CHECK_INT(tel__tracestate_span(&c, 1, 4), (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'));
        /* eight at once: what stands before and behind it makes no difference */
        for (at = 0; at < sizeof value; at++) {
            memset(value, '~', sizeof value);
            value[at] = c;
            CHECK_INT(tel__tracestate_span(value, sizeof value, 2), plain ? sizeof value : at);
            memset(value + at + 1, i & 1 ? 0xff : 0, sizeof value - 1 - at);
            CHECK_INT(tel__tracestate_span(value, sizeof value, 2), plain ? at + 1 : at);
        }
    }
}

/* ---- the W3C cases ---------------------------------------------------------------------------------- */

/* The next JSON string at or after p, unescaped as far as the file needs it. NULL at the end. */
static const char* next_string(const char* p, char* out, size_t capacity) {
    size_t n = 0;
    p = strchr(p, '"');
    if (!p) { return NULL; }
    for (p++; *p && *p != '"'; p++) {
        char c = *p;
        if (c == '\\') {
            p++;
            c = *p == 't' ? '\t' : *p == 'n' ? '\n' : *p;
        }
        if (n + 1 < capacity) { out[n++] = c; }
    }
    out[n] = '\0';
    return *p ? p + 1 : NULL;
}

/* state: what must come out, "" nothing, "?" is not looked at. all: headers one by one. */
static void check_w3c(const char* id, headers* h, const char* want, const char* trace_id, const char* state, bool all) {
    tel_carrier carrier = carrier_of(h);
    tel_context c;
    bool same = strcmp(want, "same") == 0;
    char out[TEL_TRACEPARENT_SIZE], hex[3] = "", kept[1025];
    tel_text sent;
    int before = check__failed;
    if (all) { carrier.get_fn = NULL; carrier.get_all_fn = headers_get_all; }
    c = tel__propagators_extract(&carrier);
    CHECK_INT(!all_zero(&c), same);
    (void)tel_tracestate_get(&c, NULL, kept, sizeof kept);
    if (strcmp(state, "?") != 0) { CHECK_STR(kept, state); } else { CHECK(strncmp(kept, "foo=", 4) == 0); }
    if (same && !all_zero(&c)) {
        tel__propagation_format(&c, out);
        CHECK(memcmp(out + 3, trace_id, 32) == 0);
        sent = tel__text_trim(headers_get("traceparent", h));
        memcpy(hex, sent.data + 53, 2);
        CHECK_INT(strtol(out + 53, NULL, 16), strtol(hex, NULL, 16) & 3);
    }
    if (check__failed != before) { fprintf(stderr, "     in W3C case %s\n", id); }
}

static void check_w3c_both(const char* id, headers* h, const char* want, const char* trace_id, const char* state) {
    check_w3c(id, h, want, trace_id, state, false);
    check_w3c(id, h, want, trace_id, state, true);
}

/* Pairs of strings up to the bracket that closes their list, as the value of a header. */
static const char* read_pairs(const char* p, char* out, size_t capacity) {
    size_t n = 0;
    int depth = 0;
    out[0] = 0;
    for (;; p++) {
        if (*p == '[') { depth++; }
        if (*p == ']' && --depth == 0) { return p + 1; }
        if (*p == '"') {
            char key[512], value[512];
            p = next_string(p, key, sizeof key);
            p = p ? next_string(p, value, sizeof value) : p;
            if (!p) { return NULL; }
            n += (size_t)snprintf(out + n, capacity - n, "%s%s=%s", n ? "," : "", key, value);
            p--;
        }
    }
}

/* Reads the file as a stream of strings: "id" opens a case, pairs follow "headers" until "expect". */
static int run_w3c(const char* p) {
    char s[4096], id[128] = "", want[16] = "", trace_id[64] = "", state[4096] = "";
    static headers h;
    bool in_headers = false;
    int cases = 0;
    while ((p = next_string(p, s, sizeof s)) != NULL) {
        if (strcmp(s, "id") == 0) {
            if (id[0]) { check_w3c_both(id, &h, want, trace_id, state); cases++; }
            state[0] = 0;
            memset(&h, 0, sizeof h);
            p = next_string(p, id, sizeof id);
        } else if (strcmp(s, "headers") == 0) {
            in_headers = true;
        } else if (strcmp(s, "expect") == 0) {
            in_headers = false;
        } else if (in_headers && h.count < 8) {
            snprintf(h.items[h.count].name, sizeof h.items[0].name, "%.63s", s);
            p = next_string(p, s, sizeof s);
            snprintf(h.items[h.count].value, sizeof h.items[0].value, "%.2047s", s);
            h.count++;
        } else if (strcmp(s, "trace") == 0) {
            p = next_string(p, want, sizeof want);
        } else if (strcmp(s, "trace_id") == 0) {
            p = next_string(p, trace_id, sizeof trace_id);
        } else if (strcmp(s, "tracestate_contains_key") == 0) {
            strcpy(state, "?");
            p = next_string(p, s, sizeof s);
        } else if (strcmp(s, "tracestate") == 0 && !in_headers) {
            p = read_pairs(p, state, sizeof state);
        }
        if (!p) { break; }
    }
    if (id[0]) { check_w3c_both(id, &h, want, trace_id, state); cases++; }
    return cases;
}

static void test_w3c(void) {
    const char* folder = getenv("TEL_FIXTURES");
    char path[1024];
    static char json[1 << 17];
    FILE* f;
    size_t n;
    if (!folder) {
        printf("skipped: the W3C cases (TEL_FIXTURES is not set)\n");
        return;
    }
    snprintf(path, sizeof path, "%s/w3c/trace_context_cases.json", folder);
    f = fopen(path, "rb");
    CHECK(f != NULL);
    if (!f) { return; }
    n = fread(json, 1, sizeof json - 1, f);
    fclose(f);
    json[n] = '\0';
    n = (size_t)run_w3c(json);
    CHECK(n >= 54);
    printf("W3C cases run: %d\n", (int)n);
}

int main(void) {
    test_values();
    test_every_octet();
    test_every_length();
    test_carrier();
    test_keys();
    test_inject_refuses();
    test_w3c();
    return check_done();
}
