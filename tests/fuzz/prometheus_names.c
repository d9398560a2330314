/* Promise: whatever names, units, descriptions, scopes and attributes come in, the text is an exposition that the
   format allows: legal names, one header per family, lines of a family together, no label twice in a sample,
   no sample twice, strings escaped and valid UTF-8; points of series, which have shapes, give the same text as points that are looked at one by one. */
#include "fuzz.h"
#define METRICS 6
#define POINTS  2
#define ATTRS   4

/* ---- what the bytes mean ---- */

typedef struct source { const char* data; size_t size; char pool[1 << 16]; size_t used; } source;

static unsigned byte_of(source* s) {
    if (!s->size) { return 0; }
    s->size--;
    return (unsigned char)*s->data++;
}

/* A NUL-terminated copy, so that keys may be taken from it too. Short lengths most of the time. */
static tel_text text_of(source* s) {
    size_t n = byte_of(s);
    tel_text t;
    n = n < 224 ? n % 12 : n % 24 * 40;
    if (n > s->size) { n = s->size; }
    if (n > sizeof s->pool - 1 - s->used) { n = sizeof s->pool - 1 - s->used; }
    t.data = s->pool + s->used;
    t.size = n;
    memcpy(s->pool + s->used, s->data, n);
    s->pool[s->used + n] = 0;
    s->used += n + (s->used + n + 1 < sizeof s->pool);
    s->data += n;
    s->size -= n;
    return t;
}

static tel_attr attr_of(source* s) {
    tel_text key = text_of(s), value;
    tel_attr a;
    memset(&a, 0, sizeof a);
    a.key = key.data;
    switch (byte_of(s) % 8) {
    case 0: a.type = TEL_TYPE_NONE; break;
    case 1: a.type = TEL_TYPE_BOOL; a.as.b = byte_of(s) % 2 != 0; break;
    case 2: a.type = TEL_TYPE_INT; a.as.i = (int64_t)byte_of(s) - 100; break;
    case 3: a.type = TEL_TYPE_DOUBLE; a.as.d = ((double)byte_of(s) - 100) / 3; break;
    default: value = text_of(s); a = tel_strn(key.data, value.data, value.size); a.tel__key_size = 0; break;
    }
    return a;
}

/* ---- what the format allows ---- */

static bool alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool digit(char c) { return c >= '0' && c <= '9'; }

static const char* skip_name(const char* p, bool colon) {
    REQUIRE(alpha(*p) || (colon && *p == ':'));
    while (alpha(*p) || digit(*p) || (colon && *p == ':')) { p++; }
    return p;
}

static const char* skip_quoted(const char* p) {
    REQUIRE(*p == '"');
    for (p++; *p != '"'; p++) {
        REQUIRE(*p != '\n');
        if (*p == '\\') {
            p++;
            REQUIRE(*p == '\\' || *p == '"' || *p == 'n');
        }
    }
    return p + 1;
}

static const char* check_labels(const char* p) {
    tel_text seen[256];
    size_t n = 0, i;
    if (*p != '{') { return p; }
    do {
        tel_text t;
        t.data = ++p;
        p = skip_name(p, false);
        t.size = (size_t)(p - t.data);
        REQUIRE(t.size < 2 || memcmp(t.data, "__", 2) != 0);
        for (i = 0; i < n; i++) { REQUIRE(!tel__text_equal(seen[i], t)); }
        REQUIRE(n < 256);
        seen[n++] = t;
        REQUIRE(*p == '=');
        p = skip_quoted(p + 1);
    } while (*p == ',');
    REQUIRE(*p == '}');
    return p + 1;
}

/* Whether a sample of this name belongs to the family. */
static bool belongs(tel_text name, tel_text family, bool histogram) {
    static const char* const parts[] = { "_bucket", "_sum", "_count" };
    size_t i;
    if (!histogram) { return tel__text_equal(name, family); }
    if (name.size <= family.size || memcmp(name.data, family.data, family.size) != 0) { return false; }
    name.data += family.size;
    name.size -= family.size;
    for (i = 0; i < 3; i++) { if (tel__text_equal(name, tel__text_of(parts[i]))) { return true; } }
    return false;
}

static void check_exposition(const char* p, const char* end) {
    static tel_text samples[METRICS * POINTS * 8];
    tel_text families[METRICS + 1], helped, name, sample;
    bool histograms[METRICS + 1], histogram = false;
    size_t n = 0, count = 0, i;
    helped.data = NULL;
    helped.size = 0;
    REQUIRE(tel__text_clean(p, (size_t)(end - p), false) == (size_t)(end - p));
    while (p < end) {
        const char* line = p;
        const char* stop = (const char*)memchr(p, '\n', (size_t)(end - p));
        REQUIRE(stop != NULL);
        if (*p == '#') {
            bool help = strncmp(p, "# HELP ", 7) == 0;
            REQUIRE(help || strncmp(p, "# TYPE ", 7) == 0);
            name.data = p + 7;
            p = skip_name(p + 7, true);
            name.size = (size_t)(p - name.data);
            REQUIRE(*p == ' ');
            REQUIRE(!helped.data || (!help && tel__text_equal(helped, name)));
            for (i = 0; i < n; i++) { REQUIRE(!tel__text_equal(families[i], name)); }
            if (help) { helped = name; } else {
                REQUIRE(n < METRICS + 1);
                families[n++] = name;
                helped.data = NULL;
                histograms[n - 1] = histogram = strncmp(p, " histogram\n", 11) == 0;
                for (i = 0; i + 1 < n; i++) {           /* no sample of one is a sample of the other */
                    REQUIRE(!histograms[i] || !belongs(name, families[i], true));
                    REQUIRE(!histogram || !belongs(families[i], name, true));
                }
                REQUIRE(histogram || strncmp(p, " counter\n", 9) == 0 || strncmp(p, " gauge\n", 7) == 0);
            }
        } else {
            REQUIRE(n > 0 && !helped.data);
            name.data = line;
            p = skip_name(p, true);
            name.size = (size_t)(p - line);
            REQUIRE(belongs(name, families[n - 1], histogram));
            p = check_labels(p);
            sample.data = line;                         /* labels are sorted: equal ones have equal text */
            sample.size = (size_t)(p - line);
            for (i = 0; i < count; i++) { REQUIRE(!tel__text_equal(samples[i], sample)); }
            REQUIRE(count < sizeof samples / sizeof samples[0]);
            samples[count++] = sample;
            REQUIRE(*p == ' ' && p + 1 < stop);
            for (p++; p < stop; p++) { REQUIRE(*p != ' '); }
        }
        p = stop + 1;
    }
}

/* ---- the run ---- */

typedef struct input {
    source s;
    tel_attr attrs[METRICS * POINTS * ATTRS], scope_attrs[2], resource[2];
    tel_point points[METRICS * POINTS];
    tel_metric_view metrics[METRICS];
    tel_scope_view scopes[3];
    tel_batch batches[2];
} input;

static void build(input* in) {
    static const double bounds[] = { -1, 0.5, 0.5, 100 };
    static const uint64_t buckets[] = { 1, 2, 3, 4, 5 };
    source* s = &in->s;
    size_t i, j;
    in->scopes[1].name = text_of(s);
    in->scopes[1].version = text_of(s);
    in->scopes[2].name = text_of(s);
    in->scopes[2].schema_url = text_of(s);
    for (i = 0; i < 2; i++) { in->scope_attrs[i] = attr_of(s); in->resource[i] = attr_of(s); }
    in->scopes[2].attrs = tel__attrs(in->scope_attrs, 2);
    for (i = 0; i < METRICS * POINTS; i++) {
        tel_point* p = &in->points[i];
        size_t n = byte_of(s) % (ATTRS + 1);
        for (j = 0; j < n; j++) { in->attrs[i * ATTRS + j] = attr_of(s); }
        p->attrs = tel__attrs(in->attrs + i * ATTRS, n);
        p->i = (int64_t)byte_of(s) - 10;
        p->d = (double)p->i / 7;
        p->bounds = bounds;
        p->buckets = buckets;
        p->bound_count = 4;
    }
    for (i = 0; i < METRICS; i++) {
        tel_metric_view* m = &in->metrics[i];
        unsigned bits = byte_of(s), more = byte_of(s);
        m->name = i > 0 && more % 4 == 0 ? in->metrics[i - 1].name : text_of(s);
        m->unit = text_of(s);
        m->description = text_of(s);
        m->scope = bits % 4 == 3 ? NULL : &in->scopes[bits % 4];
        m->kind = (tel_metric_kind)(bits / 4 % 4);
        m->monotonic = (bits & 16) != 0;
        m->cumulative = (bits & 96) != 0;
        m->integer = (bits & 128) != 0;
        m->points = in->points + i * POINTS;
        m->point_count = POINTS;
    }
    in->batches[0].resource = in->batches[1].resource = tel__attrs(in->resource, 2);
    in->batches[0].metrics = in->metrics;
    in->batches[0].metric_count = METRICS / 2;
    in->batches[1].metrics = in->metrics + METRICS / 2;
    in->batches[1].metric_count = METRICS - METRICS / 2;
}

static tel__text_out render(input* in, tel__series_shown* shown, tel__memory* memory, tel__memory* text_memory) {
    tel__prometheus_render r;
    tel__text_out out = tel__text_heap(text_memory);
    bool begin = true;
    int tries;
    for (tries = 0; begin && tries < TEL__PROMETHEUS_TRIES; tries++) {
        out.size = 0;
        tel__prometheus_begin(&r, shown, &out, memory, NULL);
        tel__page_batch(&r, &in->batches[0]);
        tel__page_batch(&r, &in->batches[1]);
        REQUIRE(r.written + r.dropped == METRICS * POINTS);
        begin = tel__page_end(&r);
    }
    REQUIRE(!begin);
    REQUIRE(out.lost == 0);
    if (out.size) { check_exposition(out.data, out.data + out.size); }
    return out;
}

/* Whether these could be the series of an instance: every metric has its own name, and no two points of one metric have the same
   attributes. */
static bool distinct(const input* in) {
    size_t i, j, k;
    for (i = 0; i < METRICS; i++) {
        for (j = 0; j < i; j++) {
            if (in->metrics[i].name.data == in->metrics[j].name.data) { return false; }
        }
    }
    for (i = 0; i < METRICS * POINTS; i++) {
        for (j = i - i % POINTS; j < i; j++) {
            tel_attrs a = in->points[i].attrs, b = in->points[j].attrs;
            for (k = 0; k < a.count && k < b.count && tel__attr_same(&a.items[k], &b.items[k]); k++) { }
            if (a.count == b.count && k == a.count) { return false; }
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static input in;
    tel__memory memory, texts;
    tel__series_shown shown;
    tel__text_out first, again;
    size_t i;
    memset(&shown, 0, sizeof shown);
    memset(&in, 0, sizeof in);
    in.s.data = (const char*)data;
    in.s.size = size;
    build(&in);
    tel__memory_init(&texts, NULL, 64 << 20);
    tel__memory_init(&memory, NULL, size % 3 ? 64 << 20 : size * 8);       /* some runs with a tight cap */
    first = render(&in, &shown, &memory, &texts);
    if (size % 3) {
        if (distinct(&in)) {
            for (i = 0; i < METRICS * POINTS; i++) { in.points[i].tel__of = &in; }
        }
        again = render(&in, &shown, &memory, &texts);
        REQUIRE(first.size == again.size && (first.size == 0 || memcmp(first.data, again.data, first.size) == 0));
        tel__text_heap_free(&again);
    }
    tel__text_heap_free(&first);
    tel__series_set_free(&memory, shown.mixed);
    tel__series_set_free(&memory, shown.gathered);
    REQUIRE(tel__atomic_load_u64(&memory.used) == 0 && tel__atomic_load_u64(&texts.used) == 0);
    return 0;
}
