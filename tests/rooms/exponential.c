/* Room test of >>exponential: indices against exact ones, bounds, windows whose scale depends on the values alone, and the
   histograms that are made of them: both temporalities, threads without a cell of their own, the page. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <stdlib.h>

/* Computed with 400-bit arithmetic from the definition: the largest i with base^i < value. */
static const int scales[] = { -11, -10, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 8, 10, 15, 20 };
static const struct { uint64_t bits; int32_t index[16]; } vectors[] = {
    { UINT64_C(0x3ff0000000000000), { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 } },
    { UINT64_C(0x4000000000000000), { 0, 0, 0, 0, 0, 0, 0, 1, 3, 7, 15, 31, 255, 1023, 32767, 1048575 } },
    { UINT64_C(0x4010000000000000), { 0, 0, 0, 0, 0, 0, 1, 3, 7, 15, 31, 63, 511, 2047, 65535, 2097151 } },
    { UINT64_C(0x4010666666666666), { 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 65, 521, 2084, 66703, 2134506 } },
    { UINT64_C(0x4024000000000000), { 0, 0, 0, 0, 0, 1, 3, 6, 13, 26, 53, 106, 850, 3401, 108852, 3483294 } },
    { UINT64_C(0x41cdcd6500000000), { 0, 0, 1, 3, 7, 14, 29, 59, 119, 239, 478, 956, 7653, 30614, 979676, 31349646 } },
    { UINT64_C(0x3fefffffffffffff), { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 } },
    { UINT64_C(0x4000000000000001), { 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 256, 1024, 32768, 1048576 } },
    { UINT64_C(0x0010000000000001), { -1, -1, -64, -128, -256, -511, -1022, -2044, -4088, -8176, -16352, -32704, -261632, -1046528, -33488896, -1071644672 } },
    { UINT64_C(0x0000000000000001), { -1, -2, -68, -135, -269, -538, -1075, -2149, -4297, -8593, -17185, -34369, -274945, -1099777, -35192833, -1126170625 } },
    { UINT64_C(0x0000000000000002), { -1, -2, -68, -135, -269, -537, -1074, -2147, -4293, -8585, -17169, -34337, -274689, -1098753, -35160065, -1125122049 } },
    { UINT64_C(0x0004000000000000), { -1, -2, -65, -129, -257, -513, -1025, -2049, -4097, -8193, -16385, -32769, -262145, -1048577, -33554433, -1073741825 } },
    { UINT64_C(0x7fefffffffffffff), { 0, 0, 63, 127, 255, 511, 1023, 2047, 4095, 8191, 16383, 32767, 262143, 1048575, 33554431, 1073741823 } },
    { UINT64_C(0x7fe0000000000000), { 0, 0, 63, 127, 255, 511, 1022, 2045, 4091, 8183, 16367, 32735, 261887, 1047551, 33521663, 1072693247 } },
    { UINT64_C(0x7fd0000000000000), { 0, 0, 63, 127, 255, 510, 1021, 2043, 4087, 8175, 16351, 32703, 261631, 1046527, 33488895, 1071644671 } },
    { UINT64_C(0x4090000000000000), { 0, 0, 0, 1, 2, 4, 9, 19, 39, 79, 159, 319, 2559, 10239, 327679, 10485759 } },
    { UINT64_C(0x408fffffffffffff), { 0, 0, 0, 1, 2, 4, 9, 19, 39, 79, 159, 319, 2559, 10239, 327679, 10485759 } },
    { UINT64_C(0x40f0000000000000), { 0, 0, 0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 4095, 16383, 524287, 16777215 } },
    { UINT64_C(0x3ca9d37952e6b438), { -1, -1, -4, -7, -14, -27, -53, -105, -210, -419, -837, -1674, -13392, -53565, -1714070, -54850218 } },
    { UINT64_C(0x03171ff4a6a3a450), { -1, -1, -61, -122, -244, -487, -974, -1947, -3894, -7788, -15576, -31151, -249208, -996832, -31898621, -1020755842 } },
    { UINT64_C(0x254c66175d9dc9f8), { -1, -1, -27, -54, -107, -214, -427, -853, -1705, -3410, -6819, -13638, -109101, -436401, -13964813, -446873986 } },
    { UINT64_C(0x3a3897650ed90475), { -1, -1, -6, -12, -23, -46, -92, -183, -366, -732, -1463, -2925, -23394, -93574, -2994338, -95818790 } },
    { UINT64_C(0x058028d6099950d8), { -1, -1, -59, -117, -234, -468, -935, -1870, -3740, -7480, -14960, -29920, -239357, -957426, -30637612, -980403553 } },
    { UINT64_C(0x1ac355266f03675a), { -1, -1, -38, -75, -149, -298, -595, -1190, -2379, -4758, -9516, -19032, -152251, -609001, -19488016, -623616496 } },
    { UINT64_C(0x03c8776d6cad4a26), { -1, -1, -61, -121, -241, -482, -963, -1925, -3850, -7700, -15399, -30797, -246372, -985485, -31535506, -1009136188 } },
    { UINT64_C(0x3ca304171fb17c23), { -1, -1, -4, -7, -14, -27, -53, -106, -212, -423, -845, -1689, -13505, -54017, -1728541, -55313286 } },
    { UINT64_C(0x285c2cce39263059), { -1, -1, -24, -48, -95, -189, -378, -755, -1509, -3018, -6035, -12070, -96560, -386237, -12359555, -395505729 } },
    { UINT64_C(0x0e263464f9ebdacc), { -1, -1, -50, -100, -200, -399, -797, -1594, -3187, -6373, -12745, -25489, -203911, -815644, -26100604, -835219315 } },
    { UINT64_C(0x229a98fb24ede6a4), { -1, -1, -30, -59, -118, -235, -470, -939, -1878, -3755, -7509, -15017, -120133, -480530, -15376934, -492061880 } },
    { UINT64_C(0x2489d9961e27a1c0), { -1, -1, -28, -55, -110, -220, -439, -877, -1754, -3507, -7013, -14026, -112207, -448828, -14362474, -459599156 } },
    { UINT64_C(0x2ba5eea5d0eda82f), { -1, -1, -21, -41, -82, -163, -325, -650, -1299, -2597, -5193, -10386, -83084, -332335, -10634692, -340310120 } },
    { UINT64_C(0x0c061431a38fd547), { -1, -1, -52, -104, -208, -416, -831, -1662, -3323, -6645, -13289, -26578, -212618, -850469, -27214985, -870879493 } },
    { UINT64_C(0x241e9c301012f037), { -1, -1, -28, -56, -112, -223, -446, -891, -1781, -3561, -7122, -14243, -113937, -455746, -14583860, -466683496 } },
    { UINT64_C(0x279dda6c0f4205b4), { -1, -1, -25, -49, -98, -195, -390, -779, -1557, -3113, -6226, -12452, -99610, -398439, -12750035, -408001117 } },
    { UINT64_C(0x1fc5414934b9b5df), { -1, -1, -33, -65, -129, -258, -515, -1030, -2059, -4117, -8234, -16467, -131736, -526941, -16862094, -539587005 } },
    { UINT64_C(0x2207b458ae2eb154), { -1, -1, -30, -60, -120, -240, -479, -957, -1914, -3828, -7655, -15310, -122479, -489916, -15677290, -501673270 } },
    { UINT64_C(0x31be1dc66d76b07e), { -1, -1, -15, -29, -57, -114, -228, -455, -909, -1817, -3634, -7267, -58135, -232538, -7441205, -238118531 } },
};

static uint64_t seed = 88172645463325252u;
static uint64_t draw(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* ---- indices and bounds --------------------------------------------------------------------------------------- */

static void exact_indices(void) {
    size_t i, k;
    int e, s;
    for (i = 0; i < TEL__ARRAY_SIZE(vectors); i++) {
        double v = tel__atomic_double(vectors[i].bits);
        for (k = 0; k < TEL__ARRAY_SIZE(scales); k++) {
            CHECK_INT(tel__exponential_index(v, scales[k]), vectors[i].index[k]);
            CHECK_INT(tel__exponential_index(v, scales[k]), vectors[i].index[k]);
        }
    }
    for (e = -1074; e < 1024; e++) {
        double v = tel__exponential_raise(1, e);
        for (s = TEL__EXPONENTIAL_COARSEST; s <= TEL__EXPONENTIAL_FINEST; s++) {
            int32_t want = s > 0 ? e * (1 << s) - 1 : (e - 1) >> -s;
            if (tel__exponential_index(v, s) != want) { CHECK_INT(tel__exponential_index(v, s), want); }
        }
    }
    CHECK(tel__exponential_bound(0, 0) == 1 && tel__exponential_bound(1, 0) == 2 && tel__exponential_bound(-1, -1) == 0.25);
    CHECK(tel__exponential_bound(-1074, 0) == tel__atomic_double(1));
    {
        volatile double most = tel__exponential_bound(1024, 0), least = tel__exponential_bound(-2, -11);   /* as doubles, not wider */
        CHECK(most > DBL_MAX && least == 0);
    }
}

/* A value lies between the bounds of its bucket, whatever the scale, and the index of one scale is that of a finer one,
   shifted. Bounds are rounded, so a value may lie on one. */
static void bounds_hold(void) {
    int i, s, wrong = 0;
    for (i = 0; i < 20000; i++) {
        uint64_t bits = draw() >> 1;
        double v;
        int32_t finest;
        if (bits >> 52 == 0x7ff) { continue; }
        if (i % 3 == 0) { bits = UINT64_C(0x3ff0000000000000) + bits % 4096; }
        v = tel__atomic_double(bits ? bits : 1);
        finest = tel__exponential_index(v, 20);
        for (s = TEL__EXPONENTIAL_COARSEST; s <= 20; s++) {
            int32_t k = tel__exponential_index(v, s);
            wrong += k != finest >> (20 - s);
            if (s <= 6) { wrong += v < tel__exponential_bound(k, s) || v > tel__exponential_bound(k + 1, s); }
            wrong += v < tel__exponential_bound(k - 1, s) || v > tel__exponential_bound(k + 2, s);
        }
    }
    CHECK_INT(wrong, 0);
}

/* ---- windows ---------------------------------------------------------------------------------------------------- */

#define SIZE_MOST 200
typedef struct window { tel__exponential e; uint64_t counts[SIZE_MOST]; } window;

static void empty(window* w, uint32_t size) {
    memset(w, 0, sizeof *w);
    w->e.scale = TEL__EXPONENTIAL_FINEST;
    w->e.size = size;
}
static void put(window* w, double v) {
    int32_t at = tel__exponential_index(v, w->e.scale);
    tel__exponential_cover(&w->e, w->counts, w->e.scale, at, at);
    w->counts[tel__exponential_index(v, w->e.scale) - w->e.low]++;
}
static uint64_t total(const window* w) {
    uint64_t n = 0;
    uint32_t i;
    for (i = 0; i < w->e.size; i++) { n += w->counts[i]; }
    return n;
}
static bool same(const window* a, const window* b) {
    int32_t i, a0 = 0, a1 = -1, b0 = 0, b1 = -1;
    if (a->e.scale != b->e.scale || total(a) != total(b)) { return false; }
    if (tel__exponential_range(&a->e, a->counts, &a0, &a1) != tel__exponential_range(&b->e, b->counts, &b0, &b1)) { return false; }
    if (a0 != b0 || a1 != b1) { return false; }
    for (i = a0; i <= a1; i++) { if (a->counts[i - a->e.low] != b->counts[i - b->e.low]) { return false; } }
    return true;
}

/* Any order and any division of the values among windows give the same buckets, at the largest scale that has room. */
static void order_is_nothing(void) {
    static const uint32_t sizes[] = { 2, 3, 8, 160, 200 };
    static double v[400];
    static window all, back, part[4], sum;
    size_t k, i, n;
    int round;
    for (round = 0; round < 200; round++) {
        uint32_t size = sizes[round % 5];
        n = 1 + (size_t)(draw() % 400);
        for (i = 0; i < n; i++) {
            uint64_t bits = draw() >> 1;
            bits = round % 4 == 0 ? UINT64_C(0x3ff0000000000000) | bits >> (12 + round % 20)
                 : round % 4 == 1 ? UINT64_C(0x3f50000000000000) + (bits & UINT64_C(0x00ffffffffffffff))
                 : bits % UINT64_C(0x7ff0000000000000);
            v[i] = tel__atomic_double(bits ? bits : 1);
        }
        empty(&all, size);
        empty(&back, size);
        empty(&sum, size);
        for (k = 0; k < 4; k++) { empty(&part[k], size); }
        for (i = 0; i < n; i++) {
            put(&all, v[i]);
            put(&back, v[n - 1 - i]);
            put(&part[draw() % 4], v[i]);
        }
        for (k = 0; k < 4; k++) { tel__exponential_merge(&sum.e, sum.counts, &part[k].e, part[k].counts); }
        CHECK(same(&all, &back) && same(&all, &sum));
        CHECK_INT(total(&all), n);
        if (all.e.scale < TEL__EXPONENTIAL_FINEST) {
            int32_t first = INT32_MAX, last = INT32_MIN;
            for (i = 0; i < n; i++) {
                int32_t at = tel__exponential_index(v[i], all.e.scale + 1);
                first = at < first ? at : first;
                last = at > last ? at : last;
            }
            CHECK((int64_t)last - first >= (int64_t)size);
        }
    }
}

/* ---- histograms ------------------------------------------------------------------------------------------------- */

typedef struct seen { uint64_t count, zeros, buckets; double sum; int32_t scale; int points, wrong; bool delta; tel_point last; } seen;

static tel_result look(const tel_batch* b, void* user_data) {
    seen* s = (seen*)user_data;
    size_t i, j, k;
    for (i = 0; i < b->metric_count; i++) {
        const tel_metric_view* v = &b->metrics[i];
        for (j = 0; v->kind == TEL_METRIC_EXPONENTIAL && j < v->point_count; j++) {
            const tel_point* p = &v->points[j];
            uint64_t n = p->zero_count;
            for (k = 0; k < p->bucket_count; k++) { n += p->buckets[k]; }
            s->wrong += n != p->count || v->cumulative == s->delta || p->bounds || p->bound_count;
            if (!s->delta) { s->count = s->zeros = s->buckets = 0; s->sum = 0; }
            s->count += p->count;
            s->zeros += p->zero_count;
            s->buckets += n - p->zero_count;
            s->sum += p->d;
            s->scale = p->scale;
            s->last = *p;
            s->points++;
        }
    }
    return TEL_OK;
}
static tel_sink sink_of(seen* s, bool delta) {
    tel_sink sink;
    memset(&sink, 0, sizeof sink);
    sink.name = "seen";
    sink.signal_mask = TEL_SIGNAL_METRICS;
    sink.prompt = true;
    sink.export_fn = look;
    sink.temporality = delta ? TEL_TEMPORALITY_DELTA : TEL_TEMPORALITY_CUMULATIVE;
    memset(s, 0, sizeof *s);
    s->delta = delta;
    sink.user_data = s;
    return sink;
}
static tel_desc quiet(const tel_sink* sinks, size_t count) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.sinks = sinks;
    d.sink_count = count;
    d.no_self_metrics = true;
    d.no_thread = true;
    d.ignore_env = true;
    return d;
}

static void one_histogram(void) {
    static tel_metric_options o;
    static tel_histogram h = TEL_INSTRUMENT_OPT("exp.one", "ms", NULL, &o);
    seen whole, delta;
    tel_sink sinks[2];
    tel_desc d;
    int i;
    sinks[0] = sink_of(&whole, false);
    sinks[1] = sink_of(&delta, true);
    d = quiet(sinks, 2);
    o.exponential = true;
    o.max_size = 20;
    o.zero_threshold = 0.5;
    CHECK(tel_init(&d) == TEL_OK);
    tel_histogram_record(&h, 4);
    CHECK(tel_flush(5000) == TEL_OK);
    CHECK_INT(whole.scale, 20);
    CHECK_INT(whole.last.offset, 2 * (1 << 20) - 1);
    CHECK_INT(whole.count, 1);
    for (i = 0; i < 100; i++) {
        tel_histogram_record(&h, i / 10.0);
        if (i % 30 == 0) { CHECK(tel_flush(5000) == TEL_OK); }
    }
    CHECK(tel_flush(5000) == TEL_OK);
    CHECK_INT(whole.count, 101);
    CHECK_INT(whole.zeros, 6);
    CHECK_INT(whole.buckets, 95);
    CHECK(whole.sum > 498.99 && whole.sum < 499.01 && whole.last.min == 0 && whole.last.max == 9.9);
    CHECK_INT(delta.count, 101);
    CHECK_INT(delta.zeros, 6);
    CHECK(delta.sum > 498.99 && delta.sum < 499.01 && delta.last.min > delta.last.max);
    CHECK_INT(whole.scale, 2);          /* 0.6 to 9.9 is 4.04 octaves: 17 buckets at scale 2, 33 at scale 3 */
    CHECK_INT(whole.wrong + delta.wrong, 0);
    CHECK(tel_shutdown(5000) == TEL_OK);
}

/* Options that cannot be used are said, and the defaults are used. */
static int said;
static void report(int level, uint32_t item, const char* message, uint32_t line, void* user_data) {
    (void)level;
    (void)line;
    (void)user_data;
    said += item == TEL_DIAG_EXPONENTIAL && strstr(message, "exp.bad") != NULL;
}
static void bad_options(void) {
    static tel_metric_options o;
    static tel_histogram h = TEL_INSTRUMENT_OPT("exp.bad", NULL, NULL, &o);
    seen whole;
    tel_sink sink = sink_of(&whole, false);
    tel_desc d = quiet(&sink, 1);
    int i;
    d.diag.report_fn = report;
    o.exponential = true;
    o.max_size = 1;
    o.zero_threshold = -1;
    CHECK(tel_init(&d) == TEL_OK);
    for (i = 1; i <= 320; i++) { tel_histogram_record(&h, i); }
    CHECK(tel_flush(5000) == TEL_OK);
    CHECK_INT(said, 1);
    CHECK_INT(whole.count, 320);
    CHECK(whole.last.bucket_count > 80 && whole.last.bucket_count <= 160);
    CHECK(tel_shutdown(5000) == TEL_OK);
}

/* A shared block: what does not fit into its window goes to the series' own block, and the window follows. */
static void shared_block(void) {
    tel__memory memory;
    tel__aggregation a;
    tel__atomic_u64 shared;
    tel__aggregation_value v;
    uint64_t base = 0, words[2 * 33];
    tel__histogram *own, *all;
    int i, beside = 0, settled = 0;
    tel_allocator allocator;
    memset(&allocator, 0, sizeof allocator);
    tel__memory_init(&memory, &allocator, 1 << 20);
    memset(&a, 0, sizeof a);
    a.kind = TEL__AGGREGATION_HISTOGRAM;
    a.exponential = true;
    a.bound_count = 32;
    tel__atomic_store_u64(&shared, 0);
    CHECK(tel__aggregation_share(&a, &memory, &shared, &base));
    all = (tel__histogram*)(uintptr_t)tel__atomic_load_u64(&shared);
    own = (tel__histogram*)(uintptr_t)base;
    for (i = 0; i < 1000; i++) {
        double value = i % 50 == 0 ? 0 : 1 + (i * 7919 % 1000) / 10.0;
        if (!tel__histogram_record_shared(all, value)) {
            tel__histogram_record_base(own, value);
            settled += tel__histogram_settle(all, own);
            beside++;
        }
        if (i % 100 == 0) { (void)tel__histogram_settle(all, own); }
    }
    CHECK(beside > 0 && beside < 60);
    CHECK_INT(settled, beside);
    CHECK(tel__histogram_settle(all, own));
    v = tel__aggregation_empty(&a, words);
    tel__aggregation_read(&a, 0, base, &v);
    CHECK_INT(v.n, 1000);
    CHECK_INT(v.buckets[0], 20);
    CHECK_INT(v.window.scale, 2);       /* 1 to 100.9: 6.66 octaves */
    tel__aggregation_free(&a, &memory, base);
    tel__aggregation_free(&a, &memory, tel__atomic_load_u64(&shared));
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
}

/* On a page: buckets add up from the zeros on, bounds rise, and the last one has them all. */
static void page(void) {
    static tel_metric_options o;
    static tel_histogram h = TEL_INSTRUMENT_OPT("exp.page", NULL, NULL, &o);
    static char text[200000];
    seen whole;
    tel_sink sink = sink_of(&whole, false);
    tel_desc d = quiet(&sink, 1);
    const char* at;
    double last = -1, last_count = 0;
    int i, lines = 0;
    o.exponential = true;
    o.max_size = 1000;
    CHECK(tel_init(&d) == TEL_OK);
    for (i = 0; i < 1000; i++) { tel_histogram_record_with(&h, i, TEL_ATTRS(tel_str("k", "v"))); }
    CHECK(tel_prometheus_print(text, sizeof text) < sizeof text);
    CHECK(strstr(text, "# TYPE exp_page histogram\n") != NULL);
    for (at = text; (at = strstr(at, "exp_page_bucket{k=\"v\",le=\"")) != NULL; at++, lines++) {
        const char* end = strstr(at, "\"} ");
        double le = strtod(at + strlen("exp_page_bucket{k=\"v\",le=\""), NULL), count = end ? strtod(end + 3, NULL) : 0;
        CHECK(le > last && count >= last_count);
        last = le;
        last_count = count;
    }
    CHECK(lines > 80 && lines <= 163);
    CHECK(last_count == 1000);
    CHECK(strstr(text, "exp_page_count{k=\"v\"} 1000\n") && strstr(text, "exp_page_sum{k=\"v\"} 499500\n"));
    CHECK(tel_shutdown(5000) == TEL_OK);
}

int main(void) {
    exact_indices();
    bounds_hold();
    order_is_nothing();
    one_histogram();
    bad_options();
    shared_block();
    page();
    return check_done();
}
