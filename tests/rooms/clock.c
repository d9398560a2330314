/* Room test of >>clock: the test clock and jumps of it, the tick mode with its rate and anchor, the system mode,
   order kept by every conversion, and deadlines. Also built with -DTEL_FORCE_NO_TICKS. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>

#define SECOND 1000000000u
#define NOON   ((uint64_t)1700000000 * SECOND)

/* Equal as far as the extra bits of an x87 register matter. */
static bool same(double a, double b) { return a - b < 1e-12 && b - a < 1e-12; }

static uint64_t fake_now;
static uint64_t fake(void* user_data) { (*(int*)user_data)++; return fake_now; }

static void test_test_clock(void) {
    tel__clock c;
    int calls = 0;
    uint64_t begin, end;
    memset(&c, 0, sizeof c);
    fake_now = NOON;
    tel__clock_init(&c, fake, &calls);
    CHECK(c.mode == TEL__CLOCK_TEST && calls > 0);
    CHECK(tel__clock_ticks(&c) == NOON && tel__clock_now_unix(&c) == NOON);
    begin = tel__clock_ticks(&c);
    fake_now += 1234567;
    end = tel__clock_ticks(&c);
    tel__clock_sync(&c);
    CHECK(tel__clock_unix_at(&c, begin) == NOON);           /* to the nanosecond, behind the anchor */
    CHECK(tel__clock_unix_at(&c, end) == NOON + 1234567u);
    CHECK(same(tel__clock_seconds(&c, begin, end), 1234567 / 1e9));
    CHECK(tel__clock_seconds(&c, end, begin) == 0);
    fake_now += 5;
    CHECK(tel__clock_unix_at(&c, tel__clock_ticks(&c)) == NOON + 1234572u);     /* and ahead of it */
}

/* The wall clock is set back, then forward, while records are under way: order is kept under each anchor. */
static void test_jumps(void) {
    static const int64_t jump[] = { 3600, -7200, 86400, -86400, 1, -1 };
    tel__clock c;
    int calls = 0;
    size_t i;
    memset(&c, 0, sizeof c);
    fake_now = NOON;
    tel__clock_init(&c, fake, &calls);
    for (i = 0; i < TEL__ARRAY_SIZE(jump); i++) {
        uint64_t begin = tel__clock_ticks(&c), end;
        fake_now = (uint64_t)((int64_t)fake_now + jump[i] * (int64_t)SECOND);
        end = tel__clock_ticks(&c);
        tel__clock_sync(&c);
        CHECK(tel__clock_unix_at(&c, end) == fake_now);
        CHECK((tel__clock_unix_at(&c, begin) <= tel__clock_unix_at(&c, end)) == (jump[i] > 0));
        CHECK(same(tel__clock_seconds(&c, begin, end), jump[i] > 0 ? (double)jump[i] : 0));
    }
}

/* A clock whose numbers are chosen: conversions keep the order of any two ticks, on both sides of the anchor. */
static void test_order(void) {
    static const double rates[] = { 1.0, 0.3333333333333333, 0.41666, 41.666666, 2.5e-1 };
    tel__clock c;
    size_t r;
    memset(&c, 0, sizeof c);
    c.mode = TEL__CLOCK_TICKS;
    for (r = 0; r < TEL__ARRAY_SIZE(rates); r++) {
        uint64_t t, last = 0, wrong = 0, step = 1;
        tel__atomic_store_u64(&c.rate, tel__atomic_bits(rates[r]));
        c.anchor_ticks = (uint64_t)1 << 40;
        c.anchor_unix = NOON;
        for (t = c.anchor_ticks - 3000; t < c.anchor_ticks + 3000; t++) {
            uint64_t u = tel__clock_unix_at(&c, t);
            wrong += u < last;
            last = u;
        }
        for (t = 1; t < (uint64_t)1 << 44; t += step, step += step / 2 + 1) {
            uint64_t u = tel__clock_unix_at(&c, t);
            wrong += tel__clock_unix_at(&c, t + 1) < u || tel__clock_unix_at(&c, t + step) < u;
        }
        CHECK_INT(wrong, 0);
        CHECK(tel__clock_unix_at(&c, c.anchor_ticks) == NOON);
        CHECK(tel__clock_unix_at(&c, c.anchor_ticks + 1000000) == NOON + (uint64_t)(1000000 * rates[r]));
        CHECK(tel__clock_unix_at(&c, c.anchor_ticks - 1000000) == NOON - (uint64_t)(1000000 * rates[r]));
        CHECK(tel__clock_seconds(&c, 10, 10) == 0 && tel__clock_seconds(&c, 11, 10) == 0);
        CHECK(same(tel__clock_seconds(&c, 0, 3000000), (double)(uint64_t)(3000000 * rates[r]) / 1e9));
    }
    c.anchor_unix = 100;                                    /* before 1970 stops at 0 */
    CHECK_INT(tel__clock_unix_at(&c, 0), 0);
}

/* The mode this machine takes, against its own clocks. Bounds are those the clocks themselves prove. */
static void test_real(tel__clock_mode mode, const char* name) {
    tel__clock c;
    uint64_t before, after, begin, end, mono_begin, mono_end, inner_begin, inner_end;
    double seconds;
    memset(&c, 0, sizeof c);
    before = tel__platform_unix_ns();
    tel__clock_init(&c, NULL, NULL);
    if (c.mode != mode) { printf("     %s: not the mode of this machine or build\n", name); return; }
    CHECK(tel__clock_rate(&c) > 0);
    mono_begin = tel__platform_mono_ns();
    begin = tel__clock_ticks(&c);
    inner_begin = tel__platform_mono_ns();
    while (tel__platform_mono_ns() < inner_begin + 20000000u) { tel__platform_pause(); }
    inner_end = tel__platform_mono_ns();
    end = tel__clock_ticks(&c);
    mono_end = tel__platform_mono_ns();
    tel__clock_sync(&c);
    after = tel__platform_unix_ns();
    CHECK(end > begin);
    CHECK(c.anchor_unix >= before && c.anchor_unix <= after);
    seconds = tel__clock_seconds(&c, begin, end);           /* within half a percent of what the system measured around and inside */
    CHECK(seconds >= (double)(inner_end - inner_begin) / 1e9 * 0.995);
    CHECK(seconds <= (double)(mono_end - mono_begin) / 1e9 * 1.005 + 2e-6);
    CHECK(tel__clock_unix_at(&c, begin) <= tel__clock_unix_at(&c, end));
    CHECK(tel__clock_unix_at(&c, end) <= after + 1000000u);
    CHECK(tel__clock_unix_at(&c, begin) + 1000000u >= before);
}

#if TEL__X86 || TEL__ARM64
/* One sync of a clock that began at half of the age of both counters and believes in `times` the rate between them; once more
   when this thread was stopped for so long that it counts. The answer: that rate. */
static double sync_from_half(tel__clock* c, double times) {
    double rate;
    uint64_t mono = 0, ticks = 0;
    int tries = 1000;
    do {
        tel__clock_pair(&ticks, &mono, tel__platform_mono_ns);
        rate = (double)(mono / 2) / (double)(ticks / 2);
        tel__atomic_store_u64(&c->rate, tel__atomic_bits(rate * times));
        c->first_mono = mono - mono / 2;
        c->first_ticks = ticks - ticks / 2;
        tel__clock_sync(c);
    } while (tel__platform_mono_ns() - mono > mono / 50000 && --tries);
    CHECK(tries > 0);
    return rate;
}
#endif

/* The rate is measured over the whole time; a machine whose counter changed begins anew. */
static void test_rate(void) {
#if TEL__X86 || TEL__ARM64
    tel__clock c;
    uint64_t mono = tel__platform_mono_ns(), ticks = tel__platform_ticks();
    double rate;
    memset(&c, 0, sizeof c);
    c.mode = TEL__CLOCK_TICKS;
    CHECK(ticks != 0 && mono != 0);
    rate = sync_from_half(&c, 2);
    CHECK(same(tel__clock_rate(&c) / rate, 2));             /* not believed: it left the old one by more than a thousandth */
    CHECK(c.first_mono >= mono && c.first_ticks >= ticks);
    rate = sync_from_half(&c, 1.0005);
    CHECK(tel__clock_rate(&c) > rate * 0.9999 && tel__clock_rate(&c) < rate * 1.0001);
    CHECK(c.first_mono < mono && c.first_ticks < ticks);
#endif
}

static void test_deadlines(void) {
    uint64_t now = tel__clock_mono_ns(), at = tel__clock_deadline(1000);
    CHECK(at >= now + SECOND && at <= tel__clock_mono_ns() + SECOND);
    CHECK(tel__clock_deadline(TEL_FOREVER) == UINT64_MAX);
    CHECK_INT(tel__clock_left_ms(UINT64_MAX), UINT32_MAX);
    CHECK_INT(tel__clock_left_ms(0), 0);
    CHECK_INT(tel__clock_left_ms(tel__clock_mono_ns()), 0);
    CHECK(tel__clock_left_ms(tel__clock_deadline(5000)) <= 5000);
    CHECK(tel__clock_left_ms(tel__clock_deadline(60000)) > 0);
    CHECK(tel__clock_left_ms(UINT64_MAX - 1) == UINT32_MAX - 1);    /* long, but not for ever */
}

/* A thread that is not under the stage never sees half of a new anchor: here every pair tells the same time. */
static uint64_t still(void* user_data) { (void)user_data; return 5; }
static bool renewed;
static void* renew(void* arg) {
    tel__clock* c = (tel__clock*)arg;
    uint64_t i;
    for (i = 1; i < 200000; i++) {
        c->anchor_ticks = i % 3 * 1000000000u;
        c->anchor_unix = c->anchor_ticks + 1000;
        tel__clock_show(c);
    }
    __atomic_store_n(&renewed, true, __ATOMIC_RELAXED);
    return NULL;
}
static void test_shown(void) {
    static tel__clock c;
    pthread_t t;
    tel__clock_init(&c, still, NULL);
    CHECK_INT(tel__clock_unix_now(&c), 5);
    c.anchor_unix = 1005;                               /* at ticks of 5 */
    tel__clock_show(&c);
    CHECK_INT(pthread_create(&t, NULL, renew, &c), 0);
    while (!__atomic_load_n(&renewed, __ATOMIC_RELAXED)) {
        uint64_t now = tel__clock_unix_now(&c);
        if (now != 1005 && now != 5) { CHECK_INT(now, 1005); }          /* 5: by the test clock itself */
    }
    pthread_join(t, NULL);
    CHECK_INT(tel__clock_unix_now(&c), 1005);
}

/* The wall clock is set: what was recorded before the sync that notices it keeps its time, and what comes later has the new one.
   The anchor of one hour ago stands for it. */
static void test_step(bool ticks) {
    const uint64_t hour = (uint64_t)3600 * 1000000000u;
    tel__clock c, before;
    uint64_t at, then, now;
    memset(&c, 0, sizeof c);
    tel__clock_init(&c, NULL, NULL);
    if (!ticks) { c.mode = TEL__CLOCK_SYSTEM; tel__atomic_store_u64(&c.rate, tel__atomic_bits(1.0)); c.anchor_unix = 0; tel__clock_sync(&c); }
    CHECK_INT(c.stepped, 0);
    tel__clock_sync(&c);
    CHECK_INT(c.stepped, 0);                                /* no step, no notice */
    c.anchor_unix -= hour;
    at = tel__clock_ticks(&c);
    then = tel__clock_unix_at(&c, at);
    tel__clock_sync(&c);
    CHECK(at < c.stepped);
    before = tel__clock_before(&c);
    now = tel__clock_unix_at(&before, at);
    CHECK(now + 1000000u > then && now < then + 1000000u);
    CHECK(tel__clock_unix_at(&c, c.stepped) > then + hour - 1000000u);
}

int main(void) {
    test_step(true);
    test_step(false);
    test_test_clock();
    test_jumps();
    test_order();
    test_real(TEL__CLOCK_TICKS, "ticks");
    test_real(TEL__CLOCK_SYSTEM, "system");
    test_rate();
    test_deadlines();
#if defined(TEL_FORCE_NO_TICKS)
    {
        tel__clock c;
        memset(&c, 0, sizeof c);
        tel__clock_init(&c, NULL, NULL);
        CHECK(c.mode == TEL__CLOCK_SYSTEM && tel__clock_rate(&c) == 1.0);
    }
#endif
    test_shown();
    return check_done();
}
