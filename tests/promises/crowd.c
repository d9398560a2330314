/* More label sets than there may be series, and more scrapes than anybody makes: 10,000,000 distinct sets (usually 300,000) from
   two threads stay under the memory limit and are all counted, in series of their own or in the overflow series; 10,000 pages
   (usually 200) that are rendered while three threads record never show a count that went back. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "promise.h"
#include <pthread.h>

#define MAX_SERIES 2000

static tel_counter offers = TEL_INSTRUMENT("crowd.offers", "{offer}", NULL);
static int64_t offered;                                 /* by each of two threads */

static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void* offer(void* arg) {
    int64_t i, begin = *(int64_t*)arg;
    uint64_t began = cpu_ns();
    for (i = begin; i < begin + offered; i++) {
        tel_counter_add_with(&offers, 1, TEL_ATTRS(tel_int("user.id", i), tel_str("route", "/checkout"),
                                                   tel_str("region", "eu-central-1")));
    }
    *(int64_t*)arg = (int64_t)(cpu_ns() - began);
    return NULL;
}

static tel_result take(const tel_batch* batch, void* user_data) {
    (void)batch;
    (void)user_data;
    return TEL_OK;
}

static void begin(tel_sink* sink, uint32_t max_series) {
    tel_desc d;
    memset(sink, 0, sizeof *sink);
    sink->name = "sink";
    sink->export_fn = take;
    d = promise_desc(sink, 1);
    d.ignore_env = true;
    d.memory_limit = 16u << 20;
    d.max_series = max_series;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
}

static void crowd(void) {
    pthread_t threads[2];
    int64_t args[2], known = 0;
    tel_sink sink, pull;
    promise_sum s;
    int i;
    memset(&s, 0, sizeof s);
    s.name = "crowd.offers";
    begin(&sink, MAX_SERIES);
    pull = sink;
    pull.export_fn = promise_add_up;
    pull.user_data = &s;
    offered = promise_either(150000, 5000000);
    for (i = 0; i < 2; i++) {
        args[i] = i * offered;
        pthread_create(&threads[i], NULL, offer, &args[i]);
    }
    for (i = 0; i < 2; i++) { pthread_join(threads[i], NULL); }
    CHECK_INT(tel_collect(&pull), TEL_OK);
    CHECK_INT(s.own + s.overflow, 2 * offered);
    CHECK_INT(s.own, MAX_SERIES);
    CHECK_INT(s.points, MAX_SERIES + 1);
    CHECK_INT(tel_query_stats().series_overflow, 2 * offered - MAX_SERIES);
    CHECK_INT(tel_query_stats().dropped[0], 0);
    CHECK(tel_query_stats().bytes_allocated <= 16u << 20);
    promise_figure("%lld distinct label sets, at most %d series: %lld in %llu points, %lld in the overflow series; "
                   "%.0f ns of CPU each; %llu KiB allocated", (long long)(2 * offered), MAX_SERIES, (long long)s.own,
                   (unsigned long long)s.points, (long long)s.overflow, (double)(args[0] + args[1]) / (2.0 * (double)offered),
                   (unsigned long long)(tel_query_stats().bytes_allocated >> 10));
    offered = promise_either(1000, 2000) / 2;           /* sets that have series, for comparison */
    offer(&known);
    promise_figure("the same for %lld sets that were offered first, by a thread that has not used them: %.0f ns of CPU each",
                   (long long)offered, (double)known / (double)offered);
    CHECK_INT(tel_shutdown(30000), TEL_OK);
}

/* ---- pages while threads record ---- */

static tel_counter   busy = TEL_INSTRUMENT("crowd.busy", "{call}", NULL);
static tel_histogram sizes = TEL_INSTRUMENT("crowd.sizes", "By", NULL);
static int stopping;
static uint64_t recorded[3];

static void* record(void* arg) {
    uint64_t* mine = (uint64_t*)arg;
    uint64_t n;
    for (n = 0; !__atomic_load_n(&stopping, __ATOMIC_RELAXED); n++) {
        tel_counter_add(&busy, 1);
        tel_counter_add_with(&offers, 1, TEL_ATTRS(tel_int("user.id", (int64_t)(n % 97))));
        if (n % 16 == 0) { tel_histogram_record(&sizes, (double)(n % 1000)); }
        if (n % 65536 == 0) { promise_sleep(1); }       /* the pages need their share */
    }
    *mine = n;
    return NULL;
}

typedef struct sample { char name[512]; double value; } sample;
typedef struct seen { sample samples[1024]; uint64_t lines, back; char text[512]; size_t size; } seen;

/* The place of a sample, which is an empty one if it has not been seen before. */
static sample* place(seen* s, const char* name) {
    uint32_t hash = 2166136261u;
    const char* p;
    for (p = name; *p; p++) { hash = (hash ^ (unsigned char)*p) * 16777619u; }
    while (s->samples[hash % 1024].name[0] && strcmp(s->samples[hash % 1024].name, name) != 0) { hash++; }
    return &s->samples[hash % 1024];
}

static void read_line(seen* s) {
    char* at = strrchr(s->text, ' ');
    sample* known;
    double value;
    if (s->text[0] == '#' || !at || strncmp(s->text, "crowd_", 6) != 0) { return; }
    value = strtod(at, NULL);
    *at = 0;
    known = place(s, s->text);
    strcpy(known->name, s->text);
    s->lines++;
    s->back += value < known->value;
    known->value = value;
}

static bool read_page(const void* data, size_t size, void* user_data) {
    seen* s = (seen*)user_data;
    const char* p = (const char*)data;
    size_t i;
    for (i = 0; i < size; i++) {
        if (p[i] != '\n') {
            if (s->size < sizeof s->text - 1) { s->text[s->size++] = p[i]; }
            continue;
        }
        s->text[s->size] = 0;
        read_line(s);
        s->size = 0;
    }
    return true;
}

static void pages(void) {
    static seen s;
    pthread_t threads[3];
    tel_sink sink;
    tel_writer out;
    uint64_t total = 0;
    int i, n = promise_either(200, 10000);
    begin(&sink, MAX_SERIES);
    out.write_fn = read_page;
    out.user_data = &s;
    for (i = 0; i < 3; i++) { pthread_create(&threads[i], NULL, record, &recorded[i]); }
    for (i = 0; i < n; i++) { CHECK_INT(tel_prometheus_render(out), TEL_OK); }
    __atomic_store_n(&stopping, 1, __ATOMIC_RELAXED);
    for (i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        total += recorded[i];
    }
    CHECK_INT(s.back, 0);
    CHECK(s.lines > (uint64_t)n * 10);
    promise_figure("%d pages while 3 threads recorded %llu times: %llu samples read, %llu of them went back", n,
                   (unsigned long long)total, (unsigned long long)s.lines, (unsigned long long)s.back);
    CHECK_INT(tel_shutdown(30000), TEL_OK);
}

int main(void) {
    capture_watchdog(promise_full() ? 900 : 120);
    where = "crowd";
    crowd();
    pages();
    return check_done();
}
