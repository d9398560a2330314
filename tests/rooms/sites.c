/* Room test of >>sites: a repeated call finds its series by address where keys and values are literals, and never takes one array
   for another, whatever was in it before. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdlib.h>

static tel_counter   hits = TEL_INSTRUMENT("site.hits", NULL, NULL);
static tel_gauge     level = TEL_INSTRUMENT("site.level", NULL, NULL);

/* What a collection says of one set, as key=value,key=value in the order of the keys; 0: no such series. */
static const char* wanted;
static int64_t seen;
static size_t  series;
static tel_result look(const tel_batch* batch, void* user_data) {
    size_t i, j, k;
    (void)user_data;
    for (i = 0; i < batch->metric_count; i++) {
        const tel_metric_view* v = &batch->metrics[i];
        for (j = 0; j < v->point_count; j++) {
            char text[400] = "";
            size_t n = 0;
            for (k = 0; k < v->points[j].attrs.count; k++) {
                const tel_attr* a = &v->points[j].attrs.items[k];
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%s=", k ? "," : "", a->key);
                if (a->type == TEL_TYPE_STRING) { n += (size_t)snprintf(text + n, sizeof text - n, "%s", a->as.s.data); }
                else { n += (size_t)snprintf(text + n, sizeof text - n, "%d", a->type == TEL_TYPE_BOOL ? (int)a->as.b : (int)a->as.i); }
            }
            series += strcmp(v->name.data, "site.hits") == 0;
            if (strcmp(text, wanted) == 0 && strcmp(v->name.data, "site.hits") == 0) { seen = v->points[j].i; }
        }
    }
    return TEL_OK;
}
static int64_t value_of(const char* set) {
    tel_sink sink;
    memset(&sink, 0, sizeof sink);
    sink.export_fn = look;
    wanted = set;
    seen = 0;
    series = 0;
    CHECK_INT(tel_collect(&sink), TEL_OK);
    return seen;
}

static const tel__site* site_of(tel_attrs attrs) {
    return &tel__thread_me.cells->sites[tel__site_index(hits.tel__metric, attrs)];
}

static void start(void) {
    tel_sink sink;
    tel_desc d;
    memset(&sink, 0, sizeof sink);
    memset(&d, 0, sizeof d);
    sink.name = "look";
    sink.export_fn = look;
    d.sinks = &sink;
    d.sink_count = 1;
    wanted = "";
    d.ignore_env = d.no_thread = d.no_atexit = d.no_self_metrics = true;
    CHECK_INT(tel_init(&d), TEL_OK);
}

/* Literals are compared by their addresses alone. */
static void test_literal(void) {
    int i;
    start();
    for (i = 0; i < 100; i++) {
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("route", "/cart"), tel_int("code", 200), tel_bool("hit", true)));
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("route", "/list"), tel_int("code", 200), tel_bool("hit", true)));
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("route", "/cart"), tel_int("code", 404), tel_bool("hit", true)));
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("route", "/cart"), tel_int("code", 200), tel_bool("hit", false)));
    }
    CHECK_INT(value_of("code=200,hit=1,route=/cart"), 100);
    CHECK_INT(value_of("code=200,hit=1,route=/list"), 100);
    CHECK_INT(value_of("code=404,hit=1,route=/cart"), 100);
    CHECK_INT(value_of("code=200,hit=0,route=/cart"), 100);
    CHECK_INT((int)series, 4);
    CHECK(tel__thread_me.cells->sites != NULL);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* Two buffers in one place: what a call writes there, the next one finds overwritten. Keys and values, of the same size and not. */
static void __attribute__((noinline)) add_from_stack(const char* key, const char* value, bool measured) {
    char k[24], v[24];
    snprintf(k, sizeof k, "%s", key);
    snprintf(v, sizeof v, "%s", value);
    if (measured) { tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_strn(k, v, strlen(v)), tel_str("same", "x"))); }
    else { tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str(k, v), tel_str("same", "x"))); }
}
static void __attribute__((noinline)) add_by_value(const char* value) {
    char v[] = "GET";
    if (value) { memcpy(v, value, 3); }
    tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("method", v), tel_str("fixed", "x")));
}
static void test_buffers(void) {
    static char shared[8] = "one";
    int i;
    start();
    for (i = 0; i < 300; i++) {
        bool measured = i % 3 == 0;
        add_from_stack("key.a", "red", measured);
        add_from_stack("key.a", "red", measured);
        add_from_stack("key.b", "red", measured);
        add_from_stack("key.b", "blu", measured);
        add_from_stack("key.a", "green", measured);
        add_by_value(NULL);
        add_by_value("PUT");
        add_by_value("PUT");
        memcpy(shared, i % 2 ? "one" : "two", 4);
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("static", shared)));
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str(shared, "as a key")));
    }
    CHECK_INT(value_of("key.a=red,same=x"), 600);
    CHECK_INT(value_of("key.b=red,same=x"), 300);
    CHECK_INT(value_of("key.b=blu,same=x"), 300);
    CHECK_INT(value_of("key.a=green,same=x"), 300);
    CHECK_INT(value_of("fixed=x,method=GET"), 300);
    CHECK_INT(value_of("fixed=x,method=PUT"), 600);
    CHECK_INT(value_of("static=one"), 150);
    CHECK_INT(value_of("static=two"), 150);
    CHECK_INT(value_of("one=as a key"), 150);
    CHECK_INT(value_of("two=as a key"), 150);
    CHECK_INT((int)series, 10);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* A prefix of a literal is not the literal, and neither is an array of constant bytes marked as one. */
static void test_marks(void) {
    static const char constant[] = "constant";
    const char* chosen = series ? "a" : constant;
    char array[] = "array";
    tel_attr literal = tel_str("key", "value"), part = tel_strn("key", "value", 3), other = tel_str("key", array);
    tel_attr of_array = tel_int(array, 1), of_constant = tel_str(constant, constant);
    CHECK(!(part.tel__key_size & TEL__VALUE_LITERAL));
    CHECK(!(other.tel__key_size & TEL__VALUE_LITERAL));
    CHECK(!(of_array.tel__key_size & TEL__KEY_LITERAL));
    CHECK(!(of_constant.tel__key_size & (TEL__KEY_LITERAL | TEL__VALUE_LITERAL)));
    CHECK(!(tel_str("k", chosen).tel__key_size & TEL__VALUE_LITERAL));
    CHECK_INT((int)tel__attr_key_size(&literal), 3);
    CHECK_INT((int)tel__attr_key_size(&of_array), 5);
#if defined(__ELF__) && (!defined(__PIC__) || defined(__PIE__)) && !defined(__cplusplus)
    CHECK(literal.tel__key_size & TEL__VALUE_LITERAL);
    CHECK(literal.tel__key_size & TEL__KEY_LITERAL);
#endif
}

/* More attributes than a site has parts, strings without data, orders that differ, other instruments: all go where they belong. */
static void test_other_shapes(void) {
    const char* none = NULL;
    int i;
    start();
    for (i = 0; i < 50; i++) {
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("a", "1"), tel_str("b", "2"), tel_str("c", "3"), tel_str("d", "4"), tel_str("e", "5")));
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("e", "5"), tel_str("d", "4"), tel_str("c", "3"), tel_str("b", "2"), tel_str("a", "1")));
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("y", "2"), tel_str("x", "1")));
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("x", "1"), tel_str("y", "2")));
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("n", none)));
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("n", NULL)));
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("n", "")));
        tel_counter_add_with(&hits, 1, TEL_ATTRS(tel_str("x", "1"), tel_str("x", "2")));
        tel_gauge_set_with(&level, i, TEL_ATTRS(tel_str("x", "1"), tel_str("y", "2")));
        tel_counter_add_with(&hits, 1, TEL_NOATTRS);
    }
    CHECK_INT(value_of("a=1,b=2,c=3,d=4,e=5"), 100);
    CHECK_INT(value_of("x=1,y=2"), 100);
    CHECK_INT(value_of("n="), 150);
    CHECK_INT(value_of("x=2"), 50);
    CHECK_INT(value_of(""), 50);
    CHECK_INT((int)series, 5);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* One search does not replace what a site knows; the second for the same series does. */
static void test_keeping(void) {
    tel_attrs attrs = TEL_ATTRS(tel_str("route", "/cart"), tel_int("code", 200));
    const tel__site* site;
    int i;
    start();
    tel_counter_add_with(&hits, 1, attrs);
    tel_counter_add_with(&hits, 1, attrs);
    site = site_of(attrs);
    CHECK(tel__site_series(site) == NULL && site->found != NULL);
    tel_counter_add_with(&hits, 1, attrs);
    CHECK(tel__site_series(site) == site->found && site->count == 2);
    for (i = 0; i < 3; i++) { tel_counter_add_with(&hits, 1, attrs); }
    CHECK_INT(value_of("code=200,route=/cart"), 6);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

int main(void) {
    test_literal();
    test_buffers();
    test_marks();
    test_other_shapes();
    test_keeping();
    return check_done();
}
