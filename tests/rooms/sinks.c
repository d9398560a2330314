/* Room test of >>sink_otlp, >>sink_listener, >>sink_text and >>sink_memory: what the memory sink keeps, what console and JSON lines write, the scrape endpoint over a socket,
   OTLP requests as a receiver and as a post_fn see them, bodies that are too large, and the verdict on every answer. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../api/capture.h"

static tel__memory memory;

static tel_text text(const char* s) { return tel__text_of(s); }
static bool same(tel_text t, const char* s) { return t.data && t.size == strlen(s) && memcmp(t.data, s, t.size) == 0; }
static int count_of(const char* in, const char* what) {
    int n = 0;
    while ((in = strstr(in, what)) != NULL) { n++; in += strlen(what); }
    return n;
}

/* ---- a writer --------------------------------------------------------------------------------------------- */

typedef struct paper { char data[1 << 20]; size_t size; int calls; bool refuse; } paper;
static paper page;

static bool paper_write(const void* data, size_t size, void* user_data) {
    paper* p = (paper*)user_data;
    p->calls++;
    if (p->refuse || size > sizeof p->data - 1 - p->size) { return false; }
    memcpy(p->data + p->size, data, size);
    p->size += size;
    p->data[p->size] = 0;
    return true;
}
static tel_writer paper_new(void) {
    tel_writer w;
    memset(&page, 0, sizeof page);
    w.write_fn = paper_write;
    w.user_data = &page;
    return w;
}

/* ---- views made by hand, every piece on the heap and with nothing behind it ----------------------------------- */

static void* pieces[400];
static size_t piece_sizes[400], piece_count;

static void* piece(const void* from, size_t size) {
    void* p = malloc(size ? size : 1);
    if (!p || piece_count == 400) { abort(); }
    memcpy(p, from, size);
    pieces[piece_count] = p;
    piece_sizes[piece_count++] = size;
    return p;
}
static tel_text piece_text(const char* s) { tel_text t; t.size = strlen(s); t.data = (char*)piece(s, t.size); return t; }
static tel_attrs piece_attrs(const char* value) {
    tel_attr a[4];
    a[0] = tel_strn((char*)piece("text", 5), (char*)piece(value, strlen(value)), strlen(value));
    a[1] = tel_int((char*)piece("int", 4), -7);
    a[2] = tel_double((char*)piece("real", 5), 0.5);
    a[3] = tel_bool((char*)piece("yes", 4), true);
    return tel__attrs((tel_attr*)piece(a, sizeof a), 4);
}
static const tel_scope_view* piece_scope(void) {
    tel_scope_view s;
    s.name = piece_text("lib");
    s.version = piece_text("1.2");
    s.schema_url = piece_text("https://schema");
    s.attrs = piece_attrs("scope");
    return (tel_scope_view*)piece(&s, sizeof s);
}
static void pieces_spoil(void) {
    while (piece_count) {
        piece_count--;
        memset(pieces[piece_count], 0xEE, piece_sizes[piece_count]);
        free(pieces[piece_count]);
    }
}
static bool attrs_same(tel_attrs a, const char* value) {
    return a.count == 4 && strcmp(a.items[0].key, "text") == 0 && same(a.items[0].as.s, value) &&
           a.items[0].as.s.data[a.items[0].as.s.size] == 0 && a.items[0].type == TEL_TYPE_STRING &&
           strcmp(a.items[1].key, "int") == 0 && a.items[1].type == TEL_TYPE_INT && a.items[1].as.i == -7 &&
           a.items[2].type == TEL_TYPE_DOUBLE && a.items[2].as.d == 0.5 && strcmp(a.items[2].key, "real") == 0 &&
           a.items[3].type == TEL_TYPE_BOOL && a.items[3].as.b && strcmp(a.items[3].key, "yes") == 0;
}
static bool scope_same(const tel_scope_view* s) {
    return same(s->name, "lib") && same(s->version, "1.2") && same(s->schema_url, "https://schema") && attrs_same(s->attrs, "scope");
}
static tel_batch frame(void) { tel_batch b; memset(&b, 0, sizeof b); b.resource = piece_attrs("resource"); return b; }

static tel_batch span_batch(void) {
    tel_batch b = frame();
    tel_span_view v[2];
    tel_event_view e[2];
    tel_link_view l[2];
    memset(v, 0, sizeof v);
    memset(e, 0, sizeof e);
    memset(l, 0, sizeof l);
    v[0].scope = v[1].scope = piece_scope();
    v[0].name = piece_text("GET /x");
    v[1].name = piece_text("plain");
    memset(v[0].context.trace_id, 0xab, 16);
    memset(v[0].context.span_id, 0xcd, 8);
    v[0].context.flags = 1;
    memset(v[0].parent_span_id, 0x12, 8);
    v[0].kind = TEL_SPAN_SERVER;
    v[0].start_unix_ns = 1700000000000000000u;
    v[0].end_unix_ns = v[0].start_unix_ns + 2500000u;
    v[1].start_unix_ns = v[1].end_unix_ns = 1;
    v[0].status = TEL_STATUS_ERROR;
    v[0].status_message = piece_text("bad");
    v[0].attrs = piece_attrs("span");
    e[0].name = piece_text("first");
    e[0].unix_ns = 5;
    e[0].attrs = piece_attrs("event");
    e[1].name = piece_text("second");
    e[1].dropped_attrs = 3;
    v[0].events = (tel_event_view*)piece(e, sizeof e);
    v[0].event_count = 2;
    memset(l[1].context.trace_id, 0x77, 16);
    l[1].attrs = piece_attrs("link");
    v[0].links = (tel_link_view*)piece(l, sizeof l);
    v[0].link_count = 2;
    v[0].dropped_links = 9;
    b.spans = (tel_span_view*)piece(v, sizeof v);
    b.span_count = 2;
    return b;
}
static tel_batch log_batch(void) {
    tel_batch b = frame();
    tel_log_view v[3];
    memset(v, 0, sizeof v);
    v[0].scope = v[1].scope = v[2].scope = piece_scope();
    v[0].severity = TEL_INFO;
    v[0].unix_ns = v[0].observed_unix_ns = 1700000000000000001u;
    v[0].body = piece_text("hello");
    v[0].attrs = piece_attrs("log");
    memset(v[0].context.trace_id, 1, 16);
    memset(v[0].context.span_id, 2, 8);
    v[1].severity = TEL_FATAL;
    v[1].event_name = piece_text("ev");
    v[2].body = piece_text("");
    b.logs = (tel_log_view*)piece(v, sizeof v);
    b.log_count = 3;
    return b;
}
static tel_batch metric_batch(uint64_t when, const char* name) {
    static const double bounds[2] = { 1, 2 };
    static const uint64_t buckets[3] = { 4, 5, 6 };
    tel_batch b = frame();
    tel_metric_view m[2];
    tel_point p[2], h;
    memset(m, 0, sizeof m);
    memset(p, 0, sizeof p);
    memset(&h, 0, sizeof h);
    m[0].scope = m[1].scope = piece_scope();
    m[0].name = piece_text(name);
    m[0].unit = piece_text("By");
    m[0].description = piece_text("what it is");
    m[0].kind = TEL_METRIC_SUM;
    m[0].integer = m[0].monotonic = m[0].cumulative = true;
    p[0].attrs = piece_attrs("point");
    p[0].i = 42;
    p[0].d = 42;
    p[1].i = -3;
    p[1].d = -3;
    p[0].unix_ns = p[1].unix_ns = h.unix_ns = when;
    m[0].points = (tel_point*)piece(p, sizeof p);
    m[0].point_count = 2;
    m[1].name = piece_text("sizes");
    m[1].unit = text("");
    m[1].description = text("");
    m[1].kind = TEL_METRIC_HISTOGRAM;
    m[1].cumulative = true;
    h.count = 15;
    h.d = 20.5;
    h.min = 0.25;
    h.max = 3;
    h.bounds = (double*)piece(bounds, sizeof bounds);
    h.buckets = (uint64_t*)piece(buckets, sizeof buckets);
    h.bound_count = 2;
    m[1].points = (tel_point*)piece(&h, sizeof h);
    m[1].point_count = 1;
    b.metrics = (tel_metric_view*)piece(m, sizeof m);
    b.metric_count = 2;
    b.deadline_unix_ns = when + 1000000000u;
    b.collection = when;
    b.last = true;
    return b;
}

/* ---- memory sink ------------------------------------------------------------------------------------------- */

static void test_memory(void) {
    tel_memory handle = { NULL };
    tel_sink sink = tel_sink_memory(&handle);
    tel_batch b;
    uint64_t when;
    where = "memory";
    CHECK_INT(sink.export_fn(&b, sink.user_data), TEL_ERR_STATE);       /* never opened */
    CHECK(tel_memory_read(&handle).span_count == 0 && !tel_memory_read(&handle).spans);
    tel_memory_clear(&handle);
    CHECK_INT(sink.open_fn(&sink, NULL), TEL_OK);
    CHECK_INT(sink.open_fn(&sink, NULL), TEL_OK);                       /* two instances in turn: one store */
    b = span_batch();
    CHECK_INT(sink.export_fn(&b, sink.user_data), TEL_OK);
    pieces_spoil();
    b = log_batch();
    CHECK_INT(sink.export_fn(&b, sink.user_data), TEL_OK);
    pieces_spoil();
    for (when = 100; when < 120; when++) {
        b = metric_batch(when, when < 119 ? "older" : "last");
        CHECK_INT(sink.export_fn(&b, sink.user_data), TEL_OK);
        pieces_spoil();
    }
    b = tel_memory_read(&handle);
    CHECK(attrs_same(b.resource, "resource"));
    CHECK(b.span_count == 2 && b.log_count == 3 && b.metric_count == 2);
    if (b.span_count == 2) {
        const tel_span_view* v = b.spans;
        CHECK(scope_same(v->scope) && same(v->name, "GET /x") && v->name.data[v->name.size] == 0 && same(v[1].name, "plain"));
        CHECK(v->kind == TEL_SPAN_SERVER && v->status == TEL_STATUS_ERROR && same(v->status_message, "bad"));
        CHECK(v->end_unix_ns - v->start_unix_ns == 2500000u && v->parent_span_id[7] == 0x12 && v->context.trace_id[15] == 0xab);
        CHECK(attrs_same(v->attrs, "span") && v->dropped_links == 9 && v->event_count == 2 && v->link_count == 2);
        CHECK(same(v->events[0].name, "first") && v->events[0].unix_ns == 5 && attrs_same(v->events[0].attrs, "event"));
        CHECK(same(v->events[1].name, "second") && v->events[1].attrs.count == 0 && v->events[1].dropped_attrs == 3);
        CHECK(v->links[0].attrs.count == 0 && v->links[1].context.trace_id[0] == 0x77 && attrs_same(v->links[1].attrs, "link"));
        CHECK(v[1].attrs.count == 0 && v[1].event_count == 0 && v[1].link_count == 0 && !v[1].status_message.data);
    }
    if (b.log_count == 3) {
        const tel_log_view* v = b.logs;
        CHECK(scope_same(v->scope) && v->severity == TEL_INFO && same(v->body, "hello") && !v->event_name.data);
        CHECK(attrs_same(v->attrs, "log") && v->unix_ns == 1700000000000000001u && v->context.span_id[0] == 2);
        CHECK(!v[1].body.data && same(v[1].event_name, "ev"));
        CHECK(v[2].body.data && v[2].body.size == 0);
    }
    if (b.metric_count == 2) {
        const tel_metric_view* m = b.metrics;
        CHECK(scope_same(m->scope) && same(m->name, "last") && same(m->unit, "By") && same(m->description, "what it is"));
        CHECK(m->kind == TEL_METRIC_SUM && m->integer && m->monotonic && m->cumulative && m->point_count == 2);
        CHECK(attrs_same(m->points[0].attrs, "point") && m->points[0].i == 42 && m->points[1].i == -3 && m->points[1].unix_ns == 119);
        CHECK(same(m[1].name, "sizes") && m[1].point_count == 1);
        CHECK(m[1].points[0].count == 15 && m[1].points[0].d == 20.5 && m[1].points[0].max == 3 && m[1].points[0].bound_count == 2);
        CHECK(m[1].points[0].bounds[1] == 2 && m[1].points[0].buckets[0] == 4 && m[1].points[0].buckets[2] == 6);
    }
    tel_memory_clear(&handle);                                          /* open: emptied, but not freed */
    CHECK(handle.tel__store && tel_memory_read(&handle).metric_count == 0 && tel_memory_read(&handle).span_count == 0);
    b = log_batch();
    CHECK_INT(sink.export_fn(&b, sink.user_data), TEL_OK);
    pieces_spoil();
    CHECK_INT(tel_memory_read(&handle).log_count, 3);
    sink.close_fn(sink.user_data);
    sink.close_fn(sink.user_data);
    CHECK_INT(tel_memory_read(&handle).log_count, 3);                   /* outlives its instances */
    tel_memory_clear(&handle);
    CHECK(!handle.tel__store && tel_memory_read(&handle).metric_count == 0);
    sink.close_fn(sink.user_data);
    tel_memory_clear(NULL);
    CHECK(tel_memory_read(NULL).log_count == 0 && !tel_memory_read(NULL).logs);
}

/* What was read stays as it is while more is exported, until the next read. */
static void test_memory_views(void) {
    tel_memory handle = { NULL };
    tel_sink sink = tel_sink_memory(&handle);
    tel_batch b, old, now;
    uint64_t when;
    where = "memory_views";
    CHECK_INT(sink.open_fn(&sink, NULL), TEL_OK);
    for (when = 0; when < 50; when++) {
        b = metric_batch(1000 * when, "first");
        CHECK_INT(sink.export_fn(&b, sink.user_data), TEL_OK);
        b = log_batch();
        CHECK_INT(sink.export_fn(&b, sink.user_data), TEL_OK);
        old = tel_memory_read(&handle);
        b = metric_batch(1000 * when + 1, "second");
        CHECK_INT(sink.export_fn(&b, sink.user_data), TEL_OK);
        b = metric_batch(1000 * when + 2, "third");
        CHECK_INT(sink.export_fn(&b, sink.user_data), TEL_OK);
        b = log_batch();
        CHECK_INT(sink.export_fn(&b, sink.user_data), TEL_OK);
        pieces_spoil();
        CHECK(old.metric_count == 2 && same(old.metrics[0].name, "first") && attrs_same(old.metrics[0].points[0].attrs, "point"));
        CHECK(old.log_count == 6 * when + 3 && same(old.logs[6 * when].body, "hello") && scope_same(old.logs[0].scope));
        now = tel_memory_read(&handle);
        CHECK(now.metric_count == 2 && same(now.metrics[0].name, "third") && now.log_count == 6 * when + 6);
    }
    sink.close_fn(sink.user_data);
    tel_memory_clear(&handle);
}

/* Read and cleared while the export thread fills it: ThreadSanitizer looks on. */
static void test_memory_race(void) {
    static tel_counter hits = TEL_INSTRUMENT("race.hits", "1", NULL);
    tel_memory handle = { NULL };
    tel_sink sink = tel_sink_memory(&handle);
    tel_desc d = test_desc(&sink, 1);
    size_t seen = 0, named = 0, points = 0, i;
    int turn;
    where = "memory_race";
    d.batch_interval_ms = 1;
    d.metric_interval_ms = 2;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (turn = 0; turn < 400; turn++) {
        tel_batch b;
        tel_counter_add(&hits, 1);
        tel_logf(TEL_INFO, "turn %d", turn);
        b = tel_memory_read(&handle);
        for (i = 0; i < b.log_count; i++) { seen += b.logs[i].body.size > 4; }
        for (i = 0; i < b.metric_count; i++) {
            named += same(b.metrics[i].name, "race.hits");
            points += b.metrics[i].point_count;
        }
        if (turn % 100 == 99) { tel_memory_clear(&handle); }
        usleep(300);
    }
    CHECK(named == points && seen < 400 * 400);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK(tel_memory_read(&handle).log_count <= 400);
    tel_memory_clear(&handle);
    CHECK(!handle.tel__store);
}

static uint64_t frozen(void* user_data) { (void)user_data; return 1700000000000000000u; }

/* Through the public functions, under a clock that stands still: metrics are those of the last collection all the same. */
static void test_memory_frozen(void) {
    static tel_counter hits = TEL_INSTRUMENT("hits", "1", NULL);
    tel_memory handle = { NULL };
    tel_sink sink = tel_sink_memory(&handle);
    tel_desc d = test_desc(&sink, 1);
    tel_batch b;
    int i;
    where = "memory_frozen";
    d.no_thread = true;
    d.clock_fn = frozen;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 3; i++) {
        tel_counter_add(&hits, 1);
        tel_log(TEL_INFO, "again", TEL_NOATTRS);
        CHECK_INT(tel_flush(5000), TEL_OK);
    }
    tel_shutdown(5000);
    b = tel_memory_read(&handle);                       /* outlives the instance */
    CHECK_INT(b.log_count, 3);
    CHECK_INT(b.metric_count, 1);
    CHECK(b.metric_count && b.metrics[b.metric_count - 1].points[0].i == 3);
    CHECK(b.log_count && b.logs[0].unix_ns == 1700000000000000000u);
    tel_memory_clear(&handle);
}

/* ---- console -------------------------------------------------------------------------------------------- */

static tel_host* host_of(tel__memory* m) {
    static tel__pipeline p;
    static tel_host h;
    p.memory = m;
    h.pipeline = &p;
    return &h;
}

static tel_sink text_sink(tel_sink (*make)(const tel_writer* out), const tel_writer* w) {
    tel_sink s = make(w);
    CHECK_INT(s.export_fn(NULL, NULL), TEL_ERR_STATE);
    CHECK_INT(s.open_fn(&s, host_of(&memory)), TEL_OK);
    return s;
}

static void test_console(void) {
    tel_writer w = paper_new();
    tel_sink s = text_sink(tel_sink_console, &w);
    tel_batch b = span_batch();
    where = "console";
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_OK);
    CHECK_STR(page.data, "span    GET /x 2.5ms server error:bad text=span int=-7 real=0.5 yes=true "
                         "trace=abababababababababababababababab span=cdcdcdcdcdcdcdcd parent=1212121212121212\n"
                         "  event first text=event int=-7 real=0.5 yes=true\n"
                         "  event second\n"
                         "span    plain 0ms internal\n");
    CHECK_INT(page.calls, 1);
    pieces_spoil();
    page.size = 0;
    b = log_batch();
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_OK);
    CHECK_STR(page.data, "log     INFO hello text=log int=-7 real=0.5 yes=true trace=01010101010101010101010101010101 span=0202020202020202\n"
                         "log     FATAL event=ev\n"
                         "log     - \n");
    pieces_spoil();
    page.size = 0;
    b = metric_batch(1, "bytes.sent");
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_OK);
    CHECK_STR(page.data, "metric  bytes.sent{text=point,int=-7,real=0.5,yes=true} 42 By\n"
                         "metric  bytes.sent -3 By\n"
                         "metric  sizes count=15 sum=20.5 min=0.25 max=3\n");
    pieces_spoil();
    page.refuse = true;                                 /* the writer says no: once, and nothing is kept for later */
    b = log_batch();
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_ERR_IO);
    page.refuse = false;
    page.size = 0;
    page.data[0] = 0;
    b.log_count = 0;
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_OK);
    CHECK_STR(page.data, "");
    b.log_count = 1;
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_OK);
    CHECK(strncmp(page.data, "\nlog     INFO hello", 19) == 0);
    page.size = 0;
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_OK);
    CHECK(strncmp(page.data, "log     INFO hello", 18) == 0);
    pieces_spoil();
    s.close_fn(s.user_data);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
}

/* Whatever a program is made to record: a terminal sees no control byte but the ends of our own lines. */
static void test_console_hostile(void) {
    static const char evil[] = "a\x1b[2J\n\r\t\x07\x7f" "b\xff\xc2\x9b" "31m\xc3\xa9";
    tel_writer w = paper_new();
    tel_sink s = text_sink(tel_sink_console, &w);
    tel_scope_view scope;
    tel_span_view sv;
    tel_event_view e;
    tel_log_view lv;
    tel_metric_view m;
    tel_point p;
    tel_attr a = tel_str(evil, evil);
    tel_batch b;
    size_t i, lines = 0, bad = 0, c1 = 0;
    where = "console_hostile";
    memset(&scope, 0, sizeof scope);
    memset(&sv, 0, sizeof sv);
    memset(&e, 0, sizeof e);
    memset(&lv, 0, sizeof lv);
    memset(&m, 0, sizeof m);
    memset(&p, 0, sizeof p);
    memset(&b, 0, sizeof b);
    a.as.s = text(evil);
    sv.scope = lv.scope = m.scope = &scope;
    sv.name = sv.status_message = e.name = lv.body = lv.event_name = m.name = m.unit = m.description = text(evil);
    sv.attrs = e.attrs = lv.attrs = p.attrs = tel__attrs(&a, 1);
    sv.status = TEL_STATUS_ERROR;
    sv.kind = (tel_span_kind)77;
    sv.events = &e;
    sv.event_count = 1;
    lv.severity = (tel_severity)99;
    m.points = &p;
    m.point_count = 1;
    b.spans = &sv;
    b.logs = &lv;
    b.metrics = &m;
    b.span_count = b.log_count = b.metric_count = 1;
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_OK);
    for (i = 0; i < page.size; i++) {
        unsigned char c = (unsigned char)page.data[i];
        if (c == '\n') { lines++; }
        else if (c < 0x20 || c == 0x7f) { bad++; }
        c1 += c == 0xc2 && (unsigned char)page.data[i + 1] < 0xa0;
    }
    CHECK_INT(lines, 4);
    CHECK_INT(bad, 0);
    CHECK_INT(c1, 0);                                   /* U+009B is ESC [ for a terminal that knows it */
    CHECK(strstr(page.data, "a?[2J?????b\xef\xbf\xbd") != NULL);
    CHECK(strstr(page.data, "31m\xc3\xa9") != NULL);    /* letters are left alone */
    CHECK(tel__text_clean(page.data, page.size, false) == page.size);
    s.close_fn(s.user_data);
}

/* ---- JSON lines ------------------------------------------------------------------------------------------- */

static void test_jsonl(void) {
    tel_writer w = paper_new();
    tel_sink s = text_sink(tel_sink_jsonl, &w);
    tel_batch b = span_batch(), more;
    char *line, *end;
    int lines = 0;
    where = "jsonl";
    more = log_batch();
    b.logs = more.logs;
    b.log_count = more.log_count;
    more = metric_batch(7, "quote\"d");
    b.metrics = more.metrics;
    b.metric_count = more.metric_count;
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_OK);
    CHECK_INT(page.calls, 3);
    for (line = page.data; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        static const char* const begins[3] = { "{\"resourceMetrics\":[", "{\"resourceSpans\":[", "{\"resourceLogs\":[" };
        CHECK(json_sound(line, (size_t)(end - line)));
        CHECK(lines < 3 && strncmp(line, begins[lines], strlen(begins[lines])) == 0);
        lines++;
    }
    CHECK(lines == 3 && *line == 0);
    CHECK_INT(count_of(page.data, "\"traceId\":\"abababababababababababababababab\""), 1);
    CHECK(strstr(page.data, "\"quote\\\"d\"") != NULL);
    pieces_spoil();
    page.size = 0;
    page.refuse = true;
    b = log_batch();
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_ERR_IO);
    page.refuse = false;
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_OK);
    CHECK_INT(count_of(page.data, "\n"), 2);            /* what the refused write may have left ends; it is not written late */
    CHECK(strncmp(page.data, "\n{", 2) == 0);
    CHECK_INT(count_of(page.data, "resourceLogs"), 1);
    pieces_spoil();
    s.close_fn(s.user_data);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
}

/* No room for a line with everything: several, each of them whole; and no room for one record: nothing half is written, and
   the batch waits for memory, but not for ever. */
static void test_text_memory(void) {
    tel__memory small;
    tel_writer w = paper_new();
    tel_sink s = tel_sink_jsonl(&w);
    tel_batch b = log_batch();
    tel_result r = TEL_ERR_LIMIT;
    const char *line, *end;
    int i, stamps;
    where = "text_memory";
    tel__memory_init(&small, NULL, 1 << 20);
    CHECK_INT(s.open_fn(&s, host_of(&small)), TEL_OK);
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_OK);
    stamps = count_of(page.data, "UnixNano");
    for (i = 1; i < 1000 && r != TEL_OK; i++) {
        page.size = 0;
        page.calls = 0;
        tel__text_heap_free(&((tel__sink_text*)s.user_data)->out);
        small.limit = tel__atomic_load_u64(&small.used) + (uint64_t)i * 50;
        r = s.export_fn(&b, s.user_data);
    }
    CHECK_INT(r, TEL_OK);
    CHECK(page.calls > 1);
    for (line = page.data; (end = strchr(line, '\n')) != NULL; line = end + 1) { CHECK(json_sound(line, (size_t)(end - line))); }
    CHECK_INT(count_of(page.data, "resourceLogs"), page.calls);
    CHECK_INT(count_of(page.data, "UnixNano"), stamps);
    tel__text_heap_free(&((tel__sink_text*)s.user_data)->out);
    small.limit = tel__atomic_load_u64(&small.used) + 200;
    page.calls = 0;
    for (i = 0; i < (int)TEL__SINK_HTTP_REFUSALS; i++) { CHECK_INT(s.export_fn(&b, s.user_data), TEL_ERR_LIMIT); }
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_ERR_MEMORY);
    CHECK_INT(page.calls, 0);
    pieces_spoil();
    s.close_fn(s.user_data);
    CHECK_INT(tel__atomic_load_u64(&small.used), 0);
}

/* A disk that is full for a while: what was torn is completed, and every other line is a whole object. */
typedef struct disk { char data[1 << 16]; size_t size, room; } disk;

static bool disk_write(const void* data, size_t size, void* user_data) {
    disk* d = (disk*)user_data;
    size_t n = size < d->room ? size : d->room;
    if (n > sizeof d->data - 1 - d->size) { return false; }
    memcpy(d->data + d->size, data, n);
    d->size += n;
    d->room -= n;
    d->data[d->size] = 0;
    return n == size;
}

static void test_torn_line(void) {
    static disk full;
    tel_writer w = { disk_write, &full };
    tel_sink s = text_sink(tel_sink_jsonl, &w);
    tel_batch b;
    char *line, *end;
    int whole = 0, torn = 0;
    where = "torn_line";
    full.room = 100;
    b = log_batch();
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_ERR_IO);
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_ERR_IO);
    full.room = sizeof full.data / 2;
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_OK);
    pieces_spoil();
    b = span_batch();
    CHECK_INT(s.export_fn(&b, s.user_data), TEL_OK);
    pieces_spoil();
    for (line = full.data; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        if (json_sound(line, (size_t)(end - line))) { whole++; } else { torn++; }
    }
    CHECK_INT(whole, 2);
    CHECK_INT(torn, 1);
    CHECK_INT(*line, 0);
    s.close_fn(s.user_data);
}

/* Through the pipeline: a writer that refuses is tried again, and what it missed is in the books either way. */
static void test_writer(void) {
    tel_writer w = paper_new();
    tel_sink sink = tel_sink_jsonl(&w);
    tel_desc d = test_desc(&sink, 1);
    tel_sink_stats k;
    where = "writer";
    d.no_thread = true;
    hear_reset();
    page.refuse = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_log(TEL_INFO, "one", TEL_NOATTRS);
    CHECK(tel_flush(100) != TEL_OK);
    page.refuse = false;
    tel_log(TEL_INFO, "two", TEL_NOATTRS);
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK(tel_query_sink(0, &k) && k.dropped_failed[2] == 0 && k.delivered[2] == 2);
    CHECK_INT(count_of(page.data, "\"one\""), 1);
    CHECK_INT(count_of(page.data, "\"two\""), 1);
    CHECK_BOOKS();
    tel_shutdown(5000);
}

/* ---- scrape endpoint -------------------------------------------------------------------------------------- */

static char answer[1 << 18];

static size_t ask(unsigned port, const char* request) { return scrape(port, request, answer, sizeof answer); }
static const char* body_of(void) { const char* p = strstr(answer, "\r\n\r\n"); return p ? p + 4 : ""; }

static void test_prometheus(void) {
    static tel_counter hits = TEL_INSTRUMENT("scrape.hits", "{hit}", "Hits so far");
    static tel_histogram sizes = TEL_INSTRUMENT("scrape.size", "By", NULL);
    tel_prometheus_desc pd;
    tel_sink sink;
    tel_desc d;
    unsigned port;
    where = "prometheus";
    sink = scrape_sink(&pd, TEL_ANY_PORT);
    d = test_desc(&sink, 1);
    CHECK_INT(tel_init(&d), TEL_OK);
    port = tel_prometheus_port();
    CHECK(port != 0);
    tel_counter_add(&hits, 3);
    tel_histogram_record(&sizes, 7);
    ask(port, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    CHECK(strncmp(answer, "HTTP/1.1 200 ", 13) == 0);
    CHECK(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n") != NULL);
    CHECK(strstr(body_of(), "# TYPE scrape_hits_total counter\n") != NULL);
    CHECK(strstr(body_of(), "# HELP scrape_hits_total Hits so far\n") != NULL);
    CHECK(strstr(body_of(), "scrape_hits_total 3\n") != NULL || strstr(body_of(), "scrape_hits_total{") != NULL);
    CHECK(strstr(body_of(), "scrape_size_bytes_bucket{") != NULL);
    ask(port, "GET /metrics?x=1 HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: br\r\nConnection: close\r\n\r\n");
    CHECK(strncmp(answer, "HTTP/1.1 200 ", 13) == 0 && !strstr(answer, "Content-Encoding"));
    ask(port, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    CHECK(strncmp(answer, "HTTP/1.1 200 ", 13) == 0 && strstr(answer, "\r\nContent-Length: ") && body_of()[0] == 0);
    ask(port, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    CHECK(strncmp(answer, "HTTP/1.1 200 ", 13) == 0 && strstr(answer, "\r\nContent-Type: text/html") && strstr(body_of(), "/metrics"));
    ask(port, "GET /nope HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    CHECK(strncmp(answer, "HTTP/1.1 404 ", 13) == 0 && strstr(answer, "\r\nContent-Type: text/plain"));
    ask(port, "GET /metricsx HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    CHECK(strncmp(answer, "HTTP/1.1 404 ", 13) == 0);
    ask(port, "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    CHECK(strncmp(answer, "HTTP/1.1 4", 10) == 0 || strncmp(answer, "HTTP/1.1 5", 10) == 0);
    CHECK_INT(tel_query_stats().recorded[0], 0);        /* nothing is pushed to it */
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    CHECK_INT(ask(port, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"), 0);
}

/* Without a thread of ours the endpoint is served by tel_pump, and observers run on the thread that pumps. */
static pthread_t observed_on;
static void observe_here(tel_observation* o, void* user_data) {
    (void)user_data;
    observed_on = pthread_self();
    tel_observe(o, 5, TEL_NOATTRS);
}

typedef struct asker { unsigned port; uint32_t done; } asker;
static void* ask_aside(void* arg) {
    asker* a = (asker*)arg;
    ask(a->port, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    __atomic_store_n(&a->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

static int threads_of_ours(void) {
    char path[64];
    FILE* f;
    int threads = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)getpid());
    f = fopen(path, "r");
    while (f && fgets(path, sizeof path, f)) { if (sscanf(path, "Threads: %d", &threads) == 1) { break; } }
    if (f) { fclose(f); }
    return threads;
}

static void test_pumped(void) {
    tel_prometheus_desc pd;
    tel_sink sink = scrape_sink(&pd, TEL_ANY_PORT);
    tel_desc d = test_desc(&sink, 1);
    tel_observer_desc od;
    asker a;
    pthread_t t;
    int before = threads_of_ours(), i;
    where = "pumped";
    d.no_thread = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK(threads_of_ours() <= before);                 /* none is started; one that was joined may only now be gone */
    memset(&od, 0, sizeof od);
    od.kind = TEL_OBSERVE_GAUGE;
    od.name = "pumped.level";
    od.observe_fn = observe_here;
    CHECK(tel_observer_new(&od) != NULL);
    a.port = tel_prometheus_port();
    a.done = 0;
    CHECK(a.port != 0);
    CHECK_INT(pthread_create(&t, NULL, ask_aside, &a), 0);
    for (i = 0; i < 60000 && !__atomic_load_n(&a.done, __ATOMIC_ACQUIRE); i++) {
        CHECK_INT(tel_pump(1000), TEL_OK);
        usleep(1000);
    }
    if (!a.done) { FAIL("nobody serves the endpoint"); exit(1); }
    pthread_join(t, NULL);
    CHECK(strncmp(answer, "HTTP/1.1 200 ", 13) == 0 && strstr(body_of(), "\npumped_level 5\n") != NULL);
    CHECK(pthread_equal(observed_on, pthread_self()));
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* Nobody reads: what waits stays within an eighth of the limit, and honest scrapers and records go on (64 MiB, 16 sockets). */
static void test_slow_scrapers(void) {
    static tel_counter many = TEL_INSTRUMENT("slow.scraped", "1", "A counter with many series");
    static tel_counter more = TEL_INSTRUMENT("slow.more", "1", NULL);
    tel_prometheus_desc pd;
    tel_sink sink = scrape_sink(&pd, TEL_ANY_PORT);
    tel_desc d = test_desc(&sink, 1);
    uint64_t at_rest, most = 0;
    int fds[16], i, k, ok = 0;
    char value[128];
    where = "slow_scrapers";
    d.memory_limit = 16u << 20;
    d.max_series = 20000;
    CHECK_INT(tel_init(&d), TEL_OK);
    for (i = 0; i < 8000; i++) {
        snprintf(value, sizeof value, "a value that makes the page longer than sockets hold, %060d", i);
        tel_counter_add_with(&many, 1, TEL_ATTRS(tel_str("k", value)));
    }
    ask(tel_prometheus_port(), "HEAD /metrics HTTP/1.0\r\n\r\n");       /* the labels are rendered */
    at_rest = tel_query_stats().bytes_allocated;
    for (i = 0; i < 16; i++) { fds[i] = scrape_begin(tel_prometheus_port(), "GET /metrics HTTP/1.0\r\n\r\n"); }
    for (k = 0; k < 600 && ok < 2; k++) {
        uint64_t now = tel_query_stats().bytes_allocated;
        if (now > most) { most = now; }
        ask(tel_prometheus_port(), "GET /metrics HTTP/1.0\r\n\r\n");
        ok += strncmp(answer, "HTTP/1.1 200 ", 13) == 0;
        if (ok == 0) { usleep(20000); }
        tel_counter_add_with(&more, 1, TEL_ATTRS(tel_int("k", k)));
    }
    CHECK_INT(ok, 2);
    CHECK(most < at_rest + (8u << 20));                 /* an eighth is 2 MiB; one page is 1.4 MB, and it is in the making once more */
    CHECK_INT(tel_query_stats().series_overflow, 0);
    for (i = 0; i < 16; i++) { close(fds[i]); }
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* A name is looked up beside tel_init, which does not hang in it and says why the endpoint is not there. */
static void test_unknown_host(void) {
    tel_prometheus_desc pd;
    tel_sink sink = scrape_sink(&pd, TEL_ANY_PORT);
    tel_desc d = test_desc(&sink, 1);
    tel_result r;
    where = "unknown_host";
    pd.host = "no-such-host.invalid";
    sink = tel_sink_prometheus(&pd);
    hear_reset();
    r = tel_init(&d);
    CHECK(r == TEL_ERR_IO || r == TEL_ERR_TIMEOUT);
    CHECK_INT(tel_prometheus_port(), 0);
    CHECK(heard("no-such-host.invalid"));
    tel_shutdown(5000);
}

static void test_port_taken(void) {
    receiver r;
    tel_prometheus_desc pd;
    tel_sink sink;
    tel_desc d;
    where = "port_taken";
    if (!receiver_start(&r, NULL, NULL)) { FAIL("receiver"); return; }
    sink = scrape_sink(&pd, r.port);
    d = test_desc(&sink, 1);
    hear_reset();
    CHECK_INT(tel_init(&d), TEL_ERR_IO);
    CHECK(tel_enabled() && said_errors == 1);           /* it runs, without the endpoint */
    CHECK_INT(tel_prometheus_port(), 0);
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    receiver_stop(&r);
}

/* ---- OTLP ------------------------------------------------------------------------------------------------- */

static void test_otlp_wire(void) {
    receiver r;
    tel_otlp_desc od;
    tel_sink sink;
    tel_desc d;
    char endpoint[100];
    const char* body;
    where = "otlp_wire";
    if (!receiver_start(&r, ANSWER_200, NULL)) { FAIL("receiver"); return; }
    memset(&od, 0, sizeof od);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u/base", r.port);
    od.endpoint = endpoint;
    od.headers = "x-key=a%20b,authorization=Bearer 1";
    sink = tel_sink_otlp(&od);
    d = test_desc(&sink, 1);
    CHECK(tel_sink_otlp(&od).config == sink.config);    /* equal ones are kept once */
    memset(endpoint, 'x', sizeof endpoint - 1);         /* what was given is copied in the call */
    memset(&od, 0xee, sizeof od);
    CHECK_INT(tel_init(&d), TEL_OK);
    TEL_SPAN(s, "over the wire") { tel_span_set(s, tel_str("k", "v")); }
    CHECK_INT(tel_flush(20000), TEL_OK);
    CHECK_INT(receiver_requests(&r), 1);
    pthread_mutex_lock(&r.mutex);
    CHECK(strncmp(r.last, "POST /base/v1/traces HTTP/1.1\r\n", 31) == 0);
    CHECK(strstr(r.last, "\r\nContent-Type: application/json\r\n") != NULL);
    CHECK(strstr(r.last, "\r\nUser-Agent: OTel-OTLP-Exporter-C/" TEL_VERSION_STRING "\r\n") != NULL);
    CHECK(strstr(r.last, "\r\nx-key: a b\r\n") != NULL);
    CHECK(strstr(r.last, "\r\nauthorization: Bearer 1\r\n") != NULL);
    CHECK(strstr(r.last, "\r\nHost: 127.0.0.1:") != NULL && !strstr(r.last, "Content-Encoding"));
    body = strstr(r.last, "\r\n\r\n");
    CHECK(body && json_sound(body + 4, strlen(body + 4)) && strstr(body, "\"over the wire\"") && strstr(body, "\"service.name\""));
    pthread_mutex_unlock(&r.mutex);
    CHECK_BOOKS();
    CHECK_INT(tel_shutdown(5000), TEL_OK);
    receiver_stop(&r);
}

/* What post_fn was asked to send. */
typedef struct outbox {
    int      calls, status[8];              /* of the first calls; the last one goes on */
    int      statuses, refused;
    uint64_t items, bodies_over;
    uint64_t most;
    size_t   limit, largest;                /* bytes of a body: above limit (0: none) it is refused */
    tel__delivery_lane* closes;             /* by the first call; NULL: none */
    char     url[200], headers[1000];
    bool     sound;
} outbox;

static tel_result outbox_post(const tel_http_request* request, tel_http_answer* out, void* user_data) {
    outbox* o = (outbox*)user_data;
    const void* data = request->body;
    size_t size = request->size;
    int status = o->statuses ? o->status[o->calls < o->statuses ? o->calls : o->statuses - 1] : 200;
    char* copy = (char*)malloc(size + 1);
    uint64_t n;
    if (o->limit) { status = size > o->limit ? 413 : 200; }
    o->refused += status == 413;
    if (o->closes) { tel__delivery_close(o->closes); }
    if (size > o->largest) { o->largest = size; }
    CHECK(tel_http_left_ms(request) <= request->timeout_ms);
    if (!copy) { abort(); }
    memcpy(copy, data, size);
    copy[size] = 0;
    n = (uint64_t)count_of(copy, "\"observedTimeUnixNano\"") + (uint64_t)count_of(copy, "\"asInt\"") +
        (uint64_t)count_of(copy, "\"bucketCounts\"") + (uint64_t)count_of(copy, "\"startTimeUnixNano\":\"17");
    if (status >= 200 && status < 300) { o->items += n; }
    if (n > o->most) { o->most = n; }
    o->bodies_over += size > TEL__SINK_HTTP_BODY;
    o->sound = o->sound && json_sound(copy, size);
    snprintf(o->url, sizeof o->url, "%s", request->url);
    snprintf(o->headers, sizeof o->headers, "%s", request->headers);
    free(copy);
    o->calls++;
    out->status = status;
    return status < 0 ? (tel_result)status : TEL_OK;
}
static tel__sender sender;

static void otlp_aim(tel__sink_http* o, int signal, const char* url, const char* headers) {
    static tel__config_otlp_signal c;
    memset(&c, 0, sizeof c);
    snprintf(c.url, sizeof c.url, "%s", url);
    snprintf(c.headers, sizeof c.headers, "%s", headers);
    c.timeout_ms = 1000;
    CHECK(tel__sink_otlp_aim(o, signal, &c));
}

static tel__sink_http* otlp_open(outbox* box) {
    tel_otlp_desc od;
    tel__config_source source;
    tel__sink_http* o;
    int i;
    memset(box, 0, sizeof *box);
    box->sound = true;
    memset(&source, 0, sizeof source);
    source.ignore_env = true;
    memset(&od, 0, sizeof od);
    od.post_fn = outbox_post;
    od.user_data = box;
    memset(&sender, 0, sizeof sender);
    tel__sender_init(&sender, &memory, NULL, true);
    o = tel__sink_otlp_make(&sender, &source, &od);
    if (!o) { FAIL("memory"); exit(check_done()); }
    for (i = 0; i < 3; i++) { otlp_aim(o, i, i == 2 ? "https://h/v1/logs" : "https://h/x", "a: b\r\n"); }
    return o;
}
static void otlp_end(tel__sink_http* o) {
    tel__sender_stop(&sender);
    tel__sender_close(o);
    tel__sender_free(&sender);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
}
/* Exports, and sends what is due. */
static tel_result otlp_export(const tel_batch* b, tel__sink_http* o) {
    tel_result r = tel__sink_http_export(b, o);
    tel__sender_drive(&sender, UINT64_MAX);
    return r;
}
static tel_sink_stats otlp_stats(tel__sink_http* o) {
    tel_sink_stats s;
    memset(&s, 0, sizeof s);
    tel__sender_stats(&s, o);
    return s;
}
/* n log records whose bodies are `size` bytes long. */
static tel_batch many_logs(tel_log_view* room, size_t n, const char* data, size_t size) {
    static tel_scope_view scope;
    tel_batch b;
    size_t i;
    memset(&b, 0, sizeof b);
    memset(room, 0, n * sizeof *room);
    for (i = 0; i < n; i++) {
        room[i].scope = &scope;
        room[i].body.data = data;
        room[i].body.size = size;
        room[i].observed_unix_ns = 1700000000000000000u;
    }
    b.logs = room;
    b.log_count = n;
    return b;
}

static void test_otlp_post(void) {
    outbox box;
    tel__sink_http* o = otlp_open(&box);
    tel_batch b = log_batch();
    where = "otlp_post";
    b.deadline_unix_ns = 0;             /* made-up times are long past; none: no limit */
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK_STR(box.url, "https://h/v1/logs");
    CHECK_STR(box.headers, "Content-Type: application/json\r\nUser-Agent: OTel-OTLP-Exporter-C/" TEL_VERSION_STRING "\r\na: b\r\n");
    CHECK(box.calls == 1 && box.sound && box.items == 3);
    pieces_spoil();
    b = metric_batch(1700000000000000000u, "m");
    b.deadline_unix_ns = 0;
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK(box.calls == 2 && box.sound && box.items >= 6);
    CHECK_STR(box.url, "https://h/x");
    pieces_spoil();
    box.statuses = 1;
    box.status[0] = 400;                                /* final: dropped, counted in points */
    b = metric_batch(1700000000000000000u, "m");
    b.deadline_unix_ns = 0;
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK_INT(otlp_stats(o).dropped_failed[0], 3);
    pieces_spoil();
    box.calls = 0;
    box.status[0] = TEL_ERR_TIMEOUT;                    /* no answer, and the next try would be after the deadline */
    b = log_batch();
    o->base.lanes[2].timeout_ms = 100;
    b.deadline_unix_ns = 0;
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK(box.calls == 1 && otlp_stats(o).dropped_failed[2] == 3 && otlp_stats(o).queued[2] == 0);
    pieces_spoil();
    box.status[0] = TEL_ERR_IO;                         /* nobody there: kept, whatever the timeout */
    b = log_batch();
    b.deadline_unix_ns = 0;
    o->base.lanes[2].wait_until = 0;
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK(box.calls == 2 && otlp_stats(o).dropped_failed[2] == 3 && otlp_stats(o).queued[2] == 3);
    pieces_spoil();
    CHECK_INT(tel__sink_http_export(&b, NULL), TEL_ERR_STATE);
    otlp_end(o);
}

/* A User-Agent of the user's stands in the place of ours and not beside it. */
static void test_otlp_agent(void) {
    outbox box;
    tel__sink_http* o = otlp_open(&box);
    tel_batch b = log_batch();
    where = "otlp_agent";
    tel__memory_free(&memory, o->base.targets[2].url, o->base.targets[2].size);
    otlp_aim(o, 2, "https://h/", "a: user-agent:\r\nuser-agent: mine/1\r\n");
    b.deadline_unix_ns = 0;
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK_STR(box.headers, "Content-Type: application/json\r\na: user-agent:\r\nuser-agent: mine/1\r\n");
    pieces_spoil();
    otlp_end(o);
}

static void test_otlp_split(void) {
    static tel_log_view logs[300];
    static char large[64 * 1024];
    static char* huge;
    outbox box;
    tel__sink_http* o = otlp_open(&box);
    tel_batch b;
    size_t size = (size_t)5 << 20;
    where = "otlp_split";
    memset(large, 'x', sizeof large);
    b = many_logs(logs, 300, large, sizeof large);      /* 19 MiB */
    b.deadline_unix_ns = 0;
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK(box.items == 300 && box.bodies_over == 0 && box.sound && box.calls >= 5 && box.calls <= 16);
    CHECK_INT(otlp_stats(o).dropped_failed[2] + otlp_stats(o).queued[2], 0);
    huge = (char*)malloc(size);
    if (!huge) { abort(); }
    memset(huge, 'y', size);
    b = many_logs(logs, 3, huge, size);                 /* one record that is too large goes alone */
    box.calls = 0;
    box.items = box.most = 0;
    b.deadline_unix_ns = 0;
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK(box.calls == 3 && box.items == 3 && box.most == 1 && box.bodies_over == 3);
    free(huge);
    otlp_end(o);
}

/* 413: what was refused is sent again in halves, down to one record, and what is encoded later keeps below half of it. */
static void test_otlp_413(void) {
    static tel_log_view logs[100];
    outbox box;
    tel__sink_http* o = otlp_open(&box);
    tel_batch b = many_logs(logs, 100, "x", 1);
    uint32_t most;
    size_t i;
    where = "otlp_413";
    box.statuses = 3;
    box.status[0] = box.status[1] = 413;
    box.status[2] = 200;
    CHECK_INT(otlp_export(&b, o), TEL_OK);              /* 100, then 50, then 25, 25, and of the other 50 the same */
    CHECK(box.calls == 6 && box.items == 100 && box.sound && otlp_stats(o).dropped_failed[2] == 0 && otlp_stats(o).queued[2] == 0);
    most = tel__atomic_load_u32(&o->limits[2].most);
    CHECK(most > 1000 && tel__atomic_load_u32(&o->limits[1].most) == UINT32_MAX);
    box.calls = box.statuses = 0;
    box.items = box.most = 0;
    box.largest = 0;
    CHECK_INT(otlp_export(&b, o), TEL_OK);              /* what was learned holds for what comes */
    CHECK(box.items == 100 && box.most >= 12 && box.most <= 25 && box.largest <= most && otlp_stats(o).dropped_failed[2] == 0);
    box.calls = 0;
    box.items = 0;
    box.limit = 1;                                      /* a receiver that takes nothing: each record is tried alone, and lost */
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK(box.items == 0 && otlp_stats(o).dropped_failed[2] == 100 && otlp_stats(o).queued[2] == 0);
    box.limit = 3000;                                   /* one record that is too large is lost alone */
    tel__atomic_store_u32(&o->limits[2].most, UINT32_MAX);
    logs[40].body.data = (const char*)memset(malloc(4000), 'y', 4000);
    logs[40].body.size = 4000;
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK(box.items == 99 && otlp_stats(o).dropped_failed[2] == 101 && otlp_stats(o).queued[2] == 0);
    free((void*)(uintptr_t)logs[40].body.data);
    for (i = 0; i < 2; i++) {                           /* no memory for the halves: it is lost as a whole, and nothing leaks */
        b = many_logs(logs, 100, "x", 1);
        tel__atomic_store_u32(&o->limits[2].most, UINT32_MAX);
        CHECK_INT(tel__sink_http_export(&b, o), TEL_OK);
        memory.limit = tel__atomic_load_u64(&memory.used) + i * 6000;
        tel__sender_drive(&sender, UINT64_MAX);
        memory.limit = (uint64_t)1 << 30;
        CHECK(otlp_stats(o).dropped_failed[2] == 201 + 100 * i && otlp_stats(o).queued[2] == 0);
    }
    otlp_end(o);
}

/* Bodies that wait are halved unsent once one has been refused; the limit grows again, at the cost of one refusal each time. */
static void test_otlp_413_queued(void) {
    static tel_log_view logs[100];
    outbox box;
    tel__sink_http* o = otlp_open(&box);
    tel_batch b = many_logs(logs, 100, "x", 1);
    tel__sink_http_limit* l = &o->limits[2];
    size_t whole;
    int i;
    where = "otlp_413_queued";
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    whole = box.largest;
    box.items = 0;
    box.limit = whole * 2 / 3;
    for (i = 0; i < 5; i++) { CHECK_INT(tel__sink_http_export(&b, o), TEL_OK); }
    tel__sender_drive(&sender, UINT64_MAX);
    CHECK_INT(box.refused, 1);                          /* the first of five */
    CHECK(box.calls == 12 /* with the one before */ && box.items == 500 && box.sound && otlp_stats(o).queued[2] == 0 && otlp_stats(o).dropped_failed[2] == 0);
    CHECK(l->wait == TEL__SINK_HTTP_WAIT && l->left == l->wait - 10 && tel__atomic_load_u32(&l->most) == whole / 2);
    box.limit = 0;
    b = many_logs(logs, 10, "x", 1);
    while (!l->grown) { CHECK_INT(otlp_export(&b, o), TEL_OK); }
    CHECK(tel__atomic_load_u32(&l->most) == whole / 2 * 2 && l->left == l->wait);
    box.limit = whole * 3 / 4;                          /* too much: once, and after twice as many again */
    b = many_logs(logs, 95, "x", 1);
    for (i = 0; i < 5; i++) { CHECK_INT(tel__sink_http_export(&b, o), TEL_OK); }
    box.refused = 0;
    tel__sender_drive(&sender, UINT64_MAX);
    CHECK_INT(box.refused, 1);
    CHECK(l->wait == 2 * TEL__SINK_HTTP_WAIT && !l->grown && otlp_stats(o).dropped_failed[2] == 0);
    box.limit = 0;
    while (tel__atomic_load_u32(&l->most) < TEL__SINK_HTTP_BODY) { CHECK_INT(otlp_export(&b, o), TEL_OK); }
    i = box.calls;                                      /* as large as any body: it grows no more */
    while (box.calls < i + 1000) { CHECK_INT(otlp_export(&b, o), TEL_OK); }
    CHECK(tel__atomic_load_u32(&l->most) < 2 * TEL__SINK_HTTP_BODY && otlp_stats(o).dropped_failed[2] == 0);
    otlp_end(o);
}

/* A sink without split_fn loses the body, and sends smaller ones from then on; one that is closed meanwhile frees the halves. */
static void test_otlp_413_whole(void) {
    static tel_log_view logs[100];
    outbox box;
    tel__sink_http* o = otlp_open(&box);
    tel_batch b = many_logs(logs, 100, "x", 1);
    where = "otlp_413_whole";
    box.limit = 3000;
    o->desc.split_fn = NULL;
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK(box.calls == 1 && otlp_stats(o).dropped_failed[2] == 100);
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK(box.calls > 2 && otlp_stats(o).dropped_failed[2] < 200 && otlp_stats(o).queued[2] == 0);
    o->desc.split_fn = tel__sink_otlp_split;
    tel__atomic_store_u32(&o->limits[2].most, UINT32_MAX);
    box.closes = &o->base.lanes[2];
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    otlp_end(o);
}

/* Points [from, from + count) of metrics, as metrics of their own; returns how many these are. */
static size_t points_of(const tel_metric_view* views, size_t n, size_t from, size_t count, tel_metric_view* out) {
    size_t i, at = 0, used = 0;
    for (i = 0; i < n; at += views[i++].point_count) {
        size_t first = from > at ? from - at : 0, last = from + count > at ? from + count - at : 0;
        if (last > views[i].point_count) { last = views[i].point_count; }
        if (first >= last) { continue; }
        out[used] = views[i];
        out[used].points += first;
        out[used++].point_count = last - first;
    }
    return used;
}
static tel__text_out cut_of(tel__sink_http* o, int signal, const tel__text_out* body, uint64_t from, uint64_t count) {
    tel__text_out out = tel__text_heap(&memory);
    tel_http_part part;
    tel_writer to;
    to.write_fn = tel__sink_http_take;
    to.user_data = &out;
    part.signal = (tel_signal)(TEL_SIGNAL_METRICS << signal);
    part.body = body->data;
    part.size = body->size;
    part.from = from;
    part.count = count;
    CHECK_INT(tel__sink_otlp_split(&part, to, o), TEL_OK);
    return out;
}

/* Any part of a body is what encoding those items alone would have made: three scopes, of one item, four and three; metrics of one
   point, four and three. In protobuf a length may take more bytes than it must, so both go through the same function there. */
static void test_otlp_parts(void) {
    static tel_point points[8];
    static tel_log_view logs[8];
    static tel_span_view spans[8];
    static tel_scope_view scopes[3];
    static const size_t sizes[3] = { 1, 4, 3 };
    static const double bounds[2] = { 1, 2 };
    static const uint64_t buckets[3] = { 1, 2, 3 };
    tel_metric_view views[3], some[3];
    const char* nasty = "a\"]},{[\\ \\\\\"";
    tel_attr attrs[2];
    outbox box;
    tel__sink_http* o = otlp_open(&box);
    tel_batch whole, part;
    size_t i, k, from, count;
    int signal, binary;
    where = "otlp_parts";
    memset(views, 0, sizeof views);
    memset(&whole, 0, sizeof whole);
    attrs[0] = tel_str(nasty, nasty);
    attrs[1] = tel_strs("list", &nasty, 1);
    whole.resource = tel__attrs(attrs, 2);
    for (i = k = 0; k < 3; i += sizes[k++]) {
        scopes[k].name = tel__text_of(k ? nasty : "");
        scopes[k].attrs = tel__attrs(attrs, k);
        views[k].scope = &scopes[k];
        views[k].name = tel__text_of(nasty);
        views[k].kind = k == 0 ? TEL_METRIC_GAUGE : k == 1 ? TEL_METRIC_SUM : TEL_METRIC_HISTOGRAM;
        views[k].integer = k == 1;
        views[k].points = points + i;
        views[k].point_count = sizes[k];
    }
    for (i = 0; i < 8; i++) {
        k = i < 1 ? 0 : i < 5 ? 1 : 2;
        logs[i].scope = spans[i].scope = &scopes[k];
        logs[i].body = spans[i].name = tel__text_of(nasty);
        logs[i].observed_unix_ns = spans[i].start_unix_ns = spans[i].end_unix_ns = points[i].unix_ns = 1700000000000000000u + i;
        logs[i].attrs = spans[i].attrs = points[i].attrs = tel__attrs(attrs, i % 3);
        points[i].bounds = bounds;
        points[i].bound_count = 2;
        points[i].buckets = buckets;
        points[i].count = 6;
    }
    whole.spans = spans;
    whole.span_count = 8;
    whole.logs = logs;
    whole.log_count = 8;
    whole.metrics = views;
    whole.metric_count = 3;
    for (signal = 0; signal < 3; signal++) {
        for (binary = 0; binary < 1 + !TEL_NO_PROTOBUF; binary++) {
            tel__text_out body = tel__text_heap(&memory);
            const tel_signal s = (tel_signal)(TEL_SIGNAL_METRICS << signal);
            o->base.targets[signal].protobuf = binary != 0;
            CHECK_INT(tel__otlp_encode_as(&whole, s, binary != 0, &body), TEL_OK);
            for (from = 0; from < 8; from++) {
                for (count = 1; from + count <= 8; count++) {
                    tel__text_out cut = cut_of(o, signal, &body, from, count), alone = tel__text_heap(&memory), same;
                    part = whole;
                    part.spans += from;
                    part.logs += from;
                    part.span_count = part.log_count = count;
                    part.metrics = some;
                    part.metric_count = points_of(views, 3, from, count, some);
                    CHECK_INT(tel__otlp_encode_as(&part, s, binary != 0, &alone), TEL_OK);
                    same = cut_of(o, signal, &alone, 0, count);
                    CHECK(cut.size == same.size && memcmp(cut.data, same.data, cut.size) == 0);
                    if (!binary) { CHECK(cut.size == alone.size && memcmp(cut.data, alone.data, cut.size) == 0); }
                    tel__text_heap_free(&cut);
                    tel__text_heap_free(&alone);
                    tel__text_heap_free(&same);
                }
            }
            tel__text_heap_free(&body);
        }
    }
    otlp_end(o);
}

/* The same with metrics: it is their points that are halved, of many metrics and of one; a large one is split by bytes. */
static void test_otlp_413_points(void) {
    static tel_point points[64];
    static tel_scope_view scope;
    static char large[128 * 1024];
    tel_metric_view views[4];
    tel_attr pad = tel_strn("pad", large, sizeof large);
    outbox box;
    tel__sink_http* o = otlp_open(&box);
    tel_batch b;
    int i;
    where = "otlp_413_points";
    memset(&b, 0, sizeof b);
    memset(views, 0, sizeof views);
    for (i = 0; i < 64; i++) { points[i].unix_ns = 1; }
    for (i = 0; i < 4; i++) {
        views[i].scope = &scope;
        views[i].name = tel__text_of("m");
        views[i].kind = TEL_METRIC_GAUGE;
        views[i].integer = true;
        views[i].points = points + 16 * i;
        views[i].point_count = 16;
    }
    b.metrics = views;
    b.metric_count = 4;
    box.statuses = 4;
    box.status[0] = box.status[1] = box.status[2] = 413;
    box.status[3] = 200;
    CHECK_INT(otlp_export(&b, o), TEL_OK);            /* 64, 32, 16: refused; then eights */
    CHECK(box.calls == 11 && box.items == 64 && box.sound && otlp_stats(o).dropped_failed[0] == 0);
    box.most = box.items = 0;
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK(box.items == 64 && box.most <= 16 && box.sound);
    tel__atomic_store_u32(&o->limits[0].most, UINT32_MAX);
    box.calls = 0;
    box.items = 0;
    box.statuses = 0;
    memset(large, 'x', sizeof large);
    for (i = 0; i < 64; i++) { points[i].attrs = tel__attrs(&pad, 1); }
    views[0].point_count = 64;                                  /* 8 MiB of one metric */
    b.metric_count = 1;
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK(box.items == 64 && box.bodies_over == 0 && box.sound && box.calls >= 3 && box.calls <= 4);
    CHECK_INT(otlp_stats(o).dropped_failed[0], 0);
    otlp_end(o);
}

static tel__delivery_sent verdict(tel__sink_http* o, uint64_t items, tel_result result, const tel__client_response* a) {
    tel__transport_reply reply;
    tel__delivery_payload payload;
    tel__delivery_sent sent;
    memset(&payload, 0, sizeof payload);
    payload.items = items;
    payload.size = 100 * (size_t)items;
    reply.result = result;
    reply.reached = true;
    reply.reason = NULL;
    reply.answer = a;
    o->desc.split_fn = NULL;                    /* there is no body */
    sent = tel__sink_http_judge(&o->base, 2, &payload, &reply);
    CHECK(!sent.halves[0] && !sent.halves[1]);
    return sent;
}

static void test_judge(void) {
    static const int later[] = { 429, 502, 503, 504 };
    static const int final[] = { 0, 100, 199, 300, 301, 304, 400, 401, 403, 404, 408, 413, 415, 428, 430, 500, 501, 505, 599, 999 };
    outbox box;
    tel__sink_http* o = otlp_open(&box);
    uint64_t items = 100;
    tel__delivery_sent sent;
    tel__client_response a;
    const char* partial = "{\"partialSuccess\":{\"rejectedLogRecords\":\"4\",\"errorMessage\":\"too old\"}}";
    const char* negative = "{\"partialSuccess\":{\"rejectedLogRecords\":-4}}";
    uint32_t want;
    size_t i;
    where = "judge";
    memset(&a, 0, sizeof a);
    tel__client_response_reset(&a);
    for (i = 200; i < 300; i += 33) {
        a.status = (int)i;
        sent = verdict(o, items, TEL_OK, &a);
        CHECK(sent.result == TEL_OK && sent.rejected == 0);
    }
    for (i = 0; i < sizeof later / sizeof later[0]; i++) {
        a.status = later[i];
        a.retry_after_ms = 1000 + i;
        sent = verdict(o, items, TEL_OK, &a);
        CHECK(sent.result == TEL_ERR_IO && sent.retry_after_ms == 1000 + i);
        a.too_large = true;                     /* a receiver that answers so much is not asked again */
        CHECK_INT(verdict(o, items, TEL_OK, &a).result, TEL_ERR_FORMAT);
        a.too_large = false;
    }
    for (i = 0; i < sizeof final / sizeof final[0]; i++) {
        a.status = final[i];
        sent = verdict(o, items, TEL_OK, &a);
        CHECK(sent.result != TEL_OK && sent.result != TEL_ERR_IO && sent.result != TEL_ERR_TIMEOUT);
    }
    CHECK_INT(tel__atomic_load_u32(&o->limits[2].most), 5000);     /* half of what was refused */
    a.status = 413;
    sent = verdict(o, 400, TEL_OK, &a);              /* a larger one teaches nothing */
    CHECK_INT(tel__atomic_load_u32(&o->limits[2].most), 5000);
    for (want = 2500, items = 50; items; items /= 2, want = (uint32_t)items * 50) {
        sent = verdict(o, items, TEL_OK, &a);
        CHECK_INT(tel__atomic_load_u32(&o->limits[2].most), want);
    }
    CHECK(tel__atomic_load_u32(&o->limits[0].most) == UINT32_MAX && tel__atomic_load_u32(&o->limits[1].most) == UINT32_MAX);
    items = 10;
    a.status = 200;
    tel__client_response_add(&a, partial, strlen(partial));
    sent = verdict(o, items, TEL_OK, &a);
    CHECK(sent.result == TEL_OK && sent.rejected == 4);
    a.body_size = 0;
    tel__client_response_add(&a, negative, strlen(negative));
    sent = verdict(o, items, TEL_OK, &a);
    CHECK(sent.result == TEL_OK && sent.rejected == 0);
    a.body_size = 0;
    tel__client_response_add(&a, "<html>", 6);
    sent = verdict(o, items, TEL_OK, &a);            /* 2xx is success whatever it says */
    CHECK(sent.result == TEL_OK && sent.rejected == 0);
    a.status = 0;
    /* Of the transport: handed on. */
    CHECK_INT(verdict(o, items, TEL_ERR_TIMEOUT, &a).result, TEL_ERR_TIMEOUT);
    otlp_end(o);
}

/* Answers of which a part is lost: by the connection, because it makes no sense, or to the room that there is for them. */
static void test_judge_cut(void) {
    static const tel_result lost_by[] = { TEL_ERR_TIMEOUT, TEL_ERR_IO, TEL_ERR_FORMAT };
    static const char partial[] = "{\"partialSuccess\":{\"rejectedLogRecords\":\"4\",\"errorMessage\":\"";
    outbox box;
    tel__sink_http* o = otlp_open(&box);
    uint64_t items = 10;
    tel__delivery_sent sent;
    tel__client_response a;
    int i, j;
    where = "judge_cut";
    for (i = 0; i < 3; i++) {
        tel_result lost = lost_by[i];
        memset(&a, 0, sizeof a);
        tel__client_response_reset(&a);
        a.status = 200;                         /* it has them: again would be twice */
        CHECK_INT(verdict(o, items, lost, &a).result, TEL_OK);
        a.status = 400;                         /* it will never take them */
        CHECK_INT(verdict(o, items, lost, &a).result, TEL_ERR_FORMAT);
        a.status = 503;
        CHECK_INT(verdict(o, items, lost, &a).result, TEL_ERR_IO);
        a.status = 100;                         /* said nothing yet */
        CHECK_INT(verdict(o, items, lost, &a).result, lost);
        a.status = -1;
        CHECK_INT(verdict(o, items, lost, &a).result, lost);
    }
    a.status = 200;
    CHECK_INT(verdict(o, items, TEL_ERR_ARGUMENT, &a).result, TEL_ERR_ARGUMENT);
    for (i = 0; i < 4; i++) {                   /* a long message, cut behind any part of "\\\\xx" */
        memset(&a, 0, sizeof a);
        tel__client_response_reset(&a);
        a.status = 200;
        tel__client_response_add(&a, partial, strlen(partial));
        for (j = 0; j < i; j++) { tel__client_response_add(&a, "x", 1); }
        for (j = 0; j < 2000; j++) { tel__client_response_add(&a, "\\\\xx", 4); }
        tel__client_response_add(&a, "\"}}", 3);
        sent = verdict(o, items, TEL_OK, &a);
        CHECK(sent.result == TEL_OK && sent.rejected == 4);
    }
    otlp_end(o);
}

/* A full queue takes nothing, so that nothing is counted twice. */
static void test_otlp_full(void) {
    outbox box;
    tel__sink_http* o = otlp_open(&box);
    tel_batch b = log_batch();
    uint32_t i;
    where = "otlp_full";
    o->base.lanes[2].max_bytes = 0;
    CHECK_INT(otlp_export(&b, o), TEL_ERR_LIMIT);
    CHECK(box.calls == 0 && otlp_stats(o).queued[2] == 0 && otlp_stats(o).dropped_failed[2] == 0);
    o->base.lanes[2].max_bytes = 1;
    memory.limit = tel__atomic_load_u64(&memory.used) + 100;    /* no memory for the body: it waits, and in the end it is lost */
    b.deadline_unix_ns = 0;
    for (i = 0; i < TEL__SINK_HTTP_REFUSALS; i++) { CHECK_INT(otlp_export(&b, o), TEL_ERR_LIMIT); }
    CHECK(otlp_stats(o).dropped_failed[2] == 0);
    CHECK_INT(otlp_export(&b, o), TEL_OK);
    CHECK(box.calls == 0 && otlp_stats(o).dropped_failed[2] == 3);
    memory.limit = (uint64_t)1 << 30;
    pieces_spoil();
    otlp_end(o);
}

/* The rest of a collection that has begun to fill the queue goes in as well; what comes after it waits. */
static void test_otlp_round(void) {
    outbox box;
    tel__sink_http* o = otlp_open(&box);
    tel_batch b = metric_batch(1700000000000000000u, "m"), logs = log_batch();
    uint64_t deadline = tel__clock_unix_ns() + (uint64_t)60 * 1000000000u;
    int i;
    where = "otlp_round";
    o->base.lanes[0].timeout_ms = o->base.lanes[2].timeout_ms = 60000;
    o->base.lanes[0].max_bytes = 1;
    box.statuses = 1;
    box.status[0] = 503;                        /* the first payload waits and fills the queue */
    b.collection = 7;
    for (i = 1; i <= 10; i++) {
        b.deadline_unix_ns = deadline + (uint64_t)i;
        CHECK_INT(otlp_export(&b, o), TEL_OK);
        CHECK_INT(otlp_stats(o).queued[0], 3 * i);
    }
    b.collection = 8;
    CHECK_INT(otlp_export(&b, o), TEL_ERR_LIMIT);
    b.collection = 0;
    CHECK_INT(otlp_export(&b, o), TEL_ERR_LIMIT);
    logs.deadline_unix_ns = deadline;
    CHECK_INT(otlp_export(&logs, o), TEL_OK);           /* another signal has a queue of its own */
    CHECK_INT(otlp_stats(o).queued[0], 30);
    CHECK_INT(otlp_stats(o).queued[2], 3);
    CHECK_INT(otlp_stats(o).dropped_failed[0], 0);
    CHECK_INT(box.calls, 2);
    pieces_spoil();
    otlp_end(o);
}

int main(void) {
    capture_watchdog(150);
    tel__memory_init(&memory, NULL, (uint64_t)1 << 30);
    test_memory();
    test_memory_frozen();
    test_memory_views();
    test_memory_race();
    test_console();
    test_console_hostile();
    test_jsonl();
    test_text_memory();
    test_torn_line();
    test_writer();
    test_prometheus();
    test_pumped();
    test_slow_scrapers();
    test_unknown_host();
    test_port_taken();
    test_otlp_wire();
    test_otlp_post();
    test_otlp_agent();
    test_otlp_split();
    test_otlp_413();
    test_otlp_413_points();
    test_otlp_413_queued();
    test_otlp_413_whole();
    test_otlp_parts();
    test_judge();
    test_judge_cut();
    test_otlp_full();
    test_otlp_round();
    return check_done();
}
