/* Room test of >>delivery and >>sender: order, retries and books of a lane without any transport; what goes through a post_fn
   on a thread and without one; and exchanges that are left and taken up again. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../api/capture.h"

#define SECOND ((uint64_t)1000000000u)

static tel__memory memory;

/* ---- a lane: time is what we say it is ---- */

static tel__delivery_lane lane;

static void lane_open(uint32_t timeout_ms, uint32_t flights) { tel__delivery_init(&lane, &memory, 1000, timeout_ms, flights); }
static void lane_end(void) {
    tel__delivery_close(&lane);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
}
static tel__delivery_payload* payload_of(uint32_t n, uint64_t items) {
    tel__delivery_payload* p = tel__delivery_buffer(&memory, 64);
    if (!p) { exit(check_done() | 1); }
    memcpy(p->data, &n, sizeof n);
    p->size = sizeof n;
    p->items = items;
    return p;
}
static void lane_push(uint32_t n, uint64_t items) { tel__delivery_push(&lane, payload_of(n, items)); }
static uint32_t number_of(const tel__delivery_payload* p) {
    uint32_t n;
    memcpy(&n, p->data, sizeof n);
    return n;
}
static tel__delivery_sent sent_as(tel_result r, uint64_t retry_after_ms) {
    tel__delivery_sent sent;
    memset(&sent, 0, sizeof sent);
    sent.result = r;
    sent.retry_after_ms = retry_after_ms;
    return sent;
}
static void land(tel__delivery_payload* p, tel_result r, uint64_t retry_after_ms, bool unreachable, uint64_t now) {
    tel__delivery_sent sent = sent_as(r, retry_after_ms);
    sent.unreachable = unreachable;
    tel__delivery_land(&lane, p, &sent, now);
}

/* Eight fly at a time; four that fail come back to the place they had, and then one is tried until it goes well. */
static void test_lane_order(void) {
    tel__delivery_payload* p[8];
    uint64_t now = 100 * SECOND;
    uint32_t i;
    where = "lane_order";
    lane_open(60000, 8);
    for (i = 0; i < 12; i++) { lane_push(i, 1 + i); }
    CHECK_INT(lane.queued, 78);
    for (i = 0; i < 8; i++) {
        p[i] = tel__delivery_take(&lane, now);
        CHECK(p[i] && number_of(p[i]) == i);
    }
    CHECK(!tel__delivery_take(&lane, now) && tel__delivery_due(&lane) == UINT64_MAX);
    land(p[1], TEL_OK, UINT64_MAX, false, now);
    land(p[6], TEL_ERR_IO, UINT64_MAX, false, now);
    land(p[0], TEL_ERR_IO, UINT64_MAX, false, now);
    land(p[4], TEL_ERR_TIMEOUT, UINT64_MAX, false, now);
    land(p[3], TEL_ERR_IO, UINT64_MAX, false, now);
    CHECK(lane.failing && lane.flying == 3);
    CHECK_INT(lane.queued, 78 - 2);
    CHECK(!tel__delivery_take(&lane, now + 2 * SECOND));            /* three are still up */
    land(p[2], TEL_ERR_FORMAT, UINT64_MAX, false, now);             /* final: lost, and the receiver is there */
    land(p[5], TEL_ERR_IO, UINT64_MAX, false, now);
    land(p[7], TEL_ERR_IO, UINT64_MAX, false, now);
    CHECK_INT(lane.dropped, 3);
    CHECK(!tel__delivery_take(&lane, now));
    now += 2 * SECOND;
    p[0] = tel__delivery_take(&lane, now);
    CHECK(p[0] && number_of(p[0]) == 0);
    CHECK(!tel__delivery_take(&lane, now));                         /* one at a time while it fails */
    land(p[0], TEL_OK, UINT64_MAX, false, now);
    for (i = 0; i < 8; i++) {
        static const uint32_t want[] = { 3, 4, 5, 6, 7, 8, 9, 10 };
        p[i] = tel__delivery_take(&lane, now);
        CHECK(p[i] && number_of(p[i]) == want[i]);
    }
    for (i = 0; i < 8; i++) { land(p[i], TEL_OK, UINT64_MAX, false, now); }
    p[0] = tel__delivery_take(&lane, now);
    CHECK(number_of(p[0]) == 11);
    land(p[0], TEL_OK, UINT64_MAX, false, now);
    CHECK(lane.queued == 0 && lane.bytes == 0 && lane.dropped == 3 && !lane.first && !lane.last);
    lane_end();
}

/* The pauses: growing, jittered, at most five seconds and a fifth; "now" counts once. */
static void test_lane_pauses(void) {
    uint64_t now = SECOND, wait, i;
    tel__delivery_payload* p;
    where = "lane_pauses";
    lane_open(0, 8);                                                /* no timeout: never given up */
    lane_push(1, 1);
    for (i = 0; i < 20; i++) {
        static const double want[] = { 1, 1.5, 2.25, 3.375, 5 };
        double seconds = want[i < 5 ? i : 4];
        p = tel__delivery_take(&lane, now);
        CHECK(p != NULL);
        land(p, TEL_ERR_IO, UINT64_MAX, false, now);
        wait = tel__delivery_due(&lane) - now;
        CHECK((double)wait >= seconds * 0.79e9 && (double)wait <= seconds * 1.21e9);
        CHECK(!tel__delivery_take(&lane, now + wait - 1));
        now += wait;
    }
    p = tel__delivery_take(&lane, now);
    land(p, TEL_ERR_IO, 3000, false, now);                          /* asked to: longer, or shorter, than our own */
    CHECK_INT(tel__delivery_due(&lane) - now, 3 * SECOND);
    now += 3 * SECOND;
    land(tel__delivery_take(&lane, now), TEL_ERR_IO, UINT64_MAX - 1, false, now);
    CHECK_INT(tel__delivery_due(&lane) - now, 86400 * SECOND);      /* a day, and no more */
    now += 86400 * SECOND;
    land(tel__delivery_take(&lane, now), TEL_OK, UINT64_MAX, false, now);
    lane_push(2, 1);
    land(tel__delivery_take(&lane, now), TEL_ERR_IO, 0, false, now);
    CHECK_INT(tel__delivery_due(&lane), now);                       /* at once */
    land(tel__delivery_take(&lane, now), TEL_ERR_IO, 0, false, now);
    CHECK(tel__delivery_due(&lane) > now + SECOND);                 /* but not again and again */
    lane_end();
    CHECK_INT(lane.dropped, 1);
}

/* Whose time runs, and whose does not. */
static void test_lane_time(void) {
    uint64_t now = SECOND, begun;
    tel__delivery_payload* p;
    int i;
    where = "lane_time";
    lane_open(10000, 8);
    lane_push(1, 5);
    begun = now;
    while (now < begun + 600 * SECOND) {                            /* nobody there for ten minutes: kept */
        p = tel__delivery_take(&lane, now);
        CHECK(p && p->give_up_at == now + 10 * SECOND);
        land(p, TEL_ERR_IO, UINT64_MAX, true, now);
        now = tel__delivery_due(&lane);
    }
    CHECK(lane.queued == 5 && lane.dropped == 0);
    for (i = 0; i < 5; i++) {                                       /* "in 30 seconds", five times: as it likes */
        p = tel__delivery_take(&lane, now);
        land(p, TEL_ERR_IO, 30000, false, now + SECOND);
        now = tel__delivery_due(&lane);
    }
    CHECK(lane.queued == 5 && lane.dropped == 0);
    begun = now;
    for (i = 0; lane.queued && i < 100; i++) {                      /* refused without a word about when: ten seconds */
        p = tel__delivery_take(&lane, now);
        CHECK(p && p->give_up_at == begun + 10 * SECOND);
        land(p, TEL_ERR_IO, UINT64_MAX, false, now);
        now = tel__delivery_due(&lane) != UINT64_MAX ? tel__delivery_due(&lane) : now;
    }
    CHECK(lane.queued == 0 && lane.dropped == 5 && now <= begun + 10 * SECOND && i >= 2);
    lane_push(2, 7);
    p = tel__delivery_take(&lane, now + 20 * SECOND);
    now = p->give_up_at;
    land(p, TEL_ERR_TIMEOUT, UINT64_MAX, false, now);               /* no answer in its time */
    CHECK(lane.queued == 0 && lane.dropped == 12);
    lane_end();
}

static void test_lane_losses(void) {
    tel__delivery_sent sent = sent_as(TEL_OK, UINT64_MAX);
    tel__delivery_payload* p;
    where = "lane_losses";
    lane_open(10000, 2);
    lane_push(1, 10);
    sent.rejected = 3;                                              /* taken, but for three */
    tel__delivery_land(&lane, tel__delivery_take(&lane, 1), &sent, 1);
    CHECK_INT(lane.dropped, 3);
    lane_push(2, 10);
    sent.rejected = 1000;                                           /* no more than there were */
    tel__delivery_land(&lane, tel__delivery_take(&lane, 1), &sent, 1);
    CHECK_INT(lane.dropped, 13);
    lane_push(3, 4);
    lane_push(4, 5);
    p = tel__delivery_take(&lane, 1);
    tel__delivery_close(&lane);                                     /* what flies is counted once */
    CHECK(lane.dropped == 22 && lane.queued == 0 && lane.bytes == 0);
    land(p, TEL_OK, UINT64_MAX, false, 1);
    CHECK(lane.dropped == 22 && lane.flying == 0);
    lane_push(5, 6);                                                /* and what comes too late as well */
    CHECK(lane.dropped == 28 && lane.queued == 0);
    lane_end();
}

/* Buffers are used again, as long as they fit what is usual. */
static void test_lane_buffers(void) {
    tel__delivery_payload *p, *q;
    uint64_t used;
    where = "lane_buffers";
    lane_open(10000, 2);
    CHECK(!tel__delivery_spare(&lane));
    lane_push(1, 1);
    p = tel__delivery_take(&lane, 1);
    used = tel__atomic_load_u64(&memory.used);
    land(p, TEL_OK, UINT64_MAX, false, 1);
    CHECK_INT(tel__atomic_load_u64(&memory.used), used);
    q = tel__delivery_spare(&lane);
    CHECK(q == p && !lane.spare && lane.spare_bytes == 0);
    tel__delivery_recycle(&lane, q);
    CHECK(lane.spare == q);
    q = tel__delivery_buffer(&memory, 500000);                      /* far larger than any was */
    tel__delivery_recycle(&lane, q);
    CHECK(lane.spare == p && !p->next);
    lane_end();
}

/* ---- a sink whose post_fn the test rules over ---- */

typedef struct post {
    tel__sender_sink base;              /* first */
    pthread_mutex_t  mutex;
    pthread_cond_t   cond;
    bool       blocked;                 /* post_fn waits while this is so, but not for ever: see left */
    uint32_t   entered, attempts, next, wrong, left_ms;
    tel_result fail_with;               /* of each payload the first `fail_each` attempts */
    uint32_t   fail_each, failures;
    pthread_t  who;
} post;

static tel__sender sender;
static tel__atomic_u32 freed;

static tel_result post_one(const tel_http_request* request, tel_http_answer* answer, void* user_data) {
    post* o = (post*)user_data;
    tel_result r = TEL_OK;
    uint32_t n;
    pthread_mutex_lock(&o->mutex);
    o->entered++;
    pthread_cond_broadcast(&o->cond);
    while (o->blocked) { pthread_cond_wait(&o->cond, &o->mutex); }
    memcpy(&n, request->body, sizeof n);
    o->attempts++;
    o->who = pthread_self();
    o->left_ms = tel_http_left_ms(request);
    answer->status = 200;
    if (o->failures < o->fail_each) {
        o->failures++;
        answer->status = 0;
        r = o->fail_with;
        snprintf(answer->error, sizeof answer->error, "no luck");
    } else {
        o->wrong += n != o->next;
        o->next++;
        o->failures = 0;
    }
    pthread_mutex_unlock(&o->mutex);
    return r;
}
static tel__delivery_sent post_judge(tel__sender_sink* k, int signal, const tel__delivery_payload* payload, const tel__transport_reply* reply) {
    (void)k; (void)signal; (void)payload;
    if (reply->result != TEL_OK) { CHECK_STR(reply->reason, "no luck"); }
    return sent_as(reply->result, reply->result == TEL_OK ? UINT64_MAX : 0);
}
static void post_free(tel__sender_sink* k) {
    post* o = (post*)k;
    pthread_mutex_destroy(&o->mutex);
    pthread_cond_destroy(&o->cond);
    tel__memory_free(&memory, o, sizeof *o);
    tel__atomic_add_u32(&freed, 1);
}
static post* post_make(void) {
    post* o = (post*)tel__memory_alloc(&memory, sizeof *o);
    int i;
    if (!o) { exit(check_done() | 1); }
    pthread_mutex_init(&o->mutex, NULL);
    pthread_cond_init(&o->cond, NULL);
    o->base.post_fn = post_one;
    o->base.post_user_data = o;
    o->base.judge_fn = post_judge;
    o->base.free_fn = post_free;
    o->fail_with = TEL_ERR_IO;
    for (i = 0; i < 3; i++) {
        tel__delivery_init(&o->base.lanes[i], &memory, 1000, 60000, 1);
        o->base.targets[i].size = 64;
        o->base.targets[i].url = (char*)tel__memory_alloc(&memory, 64);
        if (!o->base.targets[i].url) { exit(check_done() | 1); }
        o->base.targets[i].headers = o->base.targets[i].url + 1;
        strcpy(o->base.targets[i].headers, TEL__TRANSPORT_GZIP_LINE "A: b\r\n");
    }
    tel__sender_add(&sender, &o->base);
    return o;
}
static void open_sender(bool no_thread) {
    memset(&sender, 0, sizeof sender);
    tel__sender_init(&sender, &memory, NULL, no_thread);
    tel__atomic_store_u32(&freed, 0);
}
static void post_push(post* o, uint32_t n, int signal, uint64_t items) { tel__sender_push(&o->base, signal, payload_of(n, items)); }
static void post_block(post* o, bool blocked) {
    pthread_mutex_lock(&o->mutex);
    o->blocked = blocked;
    pthread_cond_broadcast(&o->cond);
    pthread_mutex_unlock(&o->mutex);
}
static void post_entered(post* o, uint32_t n) {
    pthread_mutex_lock(&o->mutex);
    while (o->entered < n) { pthread_cond_wait(&o->cond, &o->mutex); }
    pthread_mutex_unlock(&o->mutex);
}
static tel_sink_stats post_stats(post* o) {
    tel_sink_stats s;
    memset(&s, 0, sizeof s);
    tel__sender_stats(&s, &o->base);
    return s;
}
/* Closed; what outlives that frees itself. */
static void post_end(post* o) {
    tel__sender_stop(&sender);
    tel__sender_close(&o->base);
    while (tel__atomic_load_acquire_u32(&memory.pins)) { usleep(1000); }    /* the watchdog ends it */
    CHECK_INT(tel__atomic_load_u32(&freed), 1);
    tel__sender_free(&sender);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
}

static void test_post_order(void) {
    post* o;
    uint32_t i;
    where = "post_order";
    open_sender(false);
    o = post_make();
    o->fail_each = 1;                                               /* "at once", and it goes well */
    for (i = 0; i < 40; i++) { post_push(o, i, 1, 1 + i); }
    CHECK_INT(tel__sender_flush(TEL_FOREVER, o), TEL_OK);
    CHECK(o->next == 40 && o->attempts == 80 && o->wrong == 0 && !pthread_equal(o->who, pthread_self()));
    CHECK(o->left_ms > 0 && o->left_ms <= 60000);
    CHECK(post_stats(o).queued[1] == 0 && post_stats(o).dropped_failed[1] == 0);
    post_end(o);
}

/* Without a thread it is sent by who drives, and not before. */
static void test_post_no_thread(void) {
    post* o;
    where = "post_no_thread";
    open_sender(true);
    o = post_make();
    post_push(o, 0, 1, 5);
    CHECK(o->attempts == 0 && post_stats(o).queued[1] == 5);
    tel__sender_drive(&sender, 0);                                  /* one round even when no time is left */
    CHECK(o->attempts == 1 && o->left_ms == 0 && pthread_equal(o->who, pthread_self()) && post_stats(o).queued[1] == 0);
    post_push(o, 1, 2, 5);
    CHECK_INT(tel__sender_flush(60000, o), TEL_OK);
    CHECK(o->attempts == 2 && o->wrong == 0);
    o->fail_each = 1000;
    post_push(o, 2, 2, 5);
    tel__sender_drive(&sender, UINT64_MAX);                         /* does not wait for what is not due */
    CHECK_INT(o->attempts, 4);
    CHECK_INT(tel__sender_flush(20, o), TEL_ERR_TIMEOUT);
    CHECK_INT(post_stats(o).queued[2], 5);
    post_end(o);
}

static void test_post_flush(void) {
    post* o;
    uint32_t i;
    where = "post_flush";
    open_sender(false);
    o = post_make();
    CHECK_INT(tel__sender_flush(TEL_FOREVER, o), TEL_OK);           /* nothing to wait for */
    o->blocked = true;
    CHECK(tel__sender_room(&o->base, 1, false));
    for (i = 0; i < 16; i++) { post_push(o, i, 1, 2); }
    CHECK(!tel__sender_room(&o->base, 1, false) && tel__sender_room(&o->base, 0, false));
    post_entered(o, 1);
    CHECK_INT(post_stats(o).queued[1], 32);                         /* what is in flight as well */
    CHECK_INT(tel__sender_flush(20, o), TEL_ERR_TIMEOUT);
    CHECK_INT(tel__sender_flush(0, o), TEL_ERR_TIMEOUT);
    CHECK_INT(o->next, 0);
    post_block(o, false);
    CHECK_INT(tel__sender_flush(TEL_FOREVER, o), TEL_OK);
    CHECK(o->next == 16 && o->wrong == 0 && tel__sender_room(&o->base, 1, false));
    tel__sender_lose(&o->base, 1, 2);
    CHECK_INT(post_stats(o).dropped_failed[1], 2);
    post_end(o);
}

/* Closed while it waits to try again: the wait is cut short. post_fn that does not come back: closed all the same, it sees
   that there is no time left, nothing is sent after it, and whoever is last frees. */
static void test_post_close(void) {
    post* o;
    uint32_t i;
    where = "post_close";
    open_sender(false);
    o = post_make();
    o->fail_each = 1000;
    for (i = 0; i < 5; i++) { post_push(o, i, 1, 2); }
    post_entered(o, 1);
    CHECK_INT(tel__sender_flush(5, o), TEL_ERR_TIMEOUT);
    post_end(o);
    open_sender(false);                                             /* never used */
    o = post_make();
    post_end(o);
    open_sender(false);
    o = post_make();
    o->blocked = true;
    for (i = 0; i < 5; i++) { post_push(o, i, 1, 2); }
    post_entered(o, 1);
    tel__sender_stop(&sender);
    CHECK_INT(post_stats(o).dropped_failed[1], 10);
    CHECK_INT(post_stats(o).queued[1], 0);
    pthread_mutex_lock(&o->mutex);
    tel__sender_close(&o->base);
    CHECK_INT(tel__atomic_load_u32(&freed), 0);
    CHECK_INT(tel__atomic_load_u32(&memory.pins), 1);
    CHECK_INT(o->attempts, 0);
    o->blocked = false;
    pthread_cond_broadcast(&o->cond);
    pthread_mutex_unlock(&o->mutex);
    while (tel__atomic_load_acquire_u32(&memory.pins)) { usleep(1000); }    /* the watchdog ends it */
    CHECK_INT(tel__atomic_load_u32(&freed), 1);
    tel__sender_free(&sender);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
}

/* Sixteen that all hang end together. */
static void test_post_many(void) {
    post* o[16];
    uint64_t since;
    int i;
    where = "post_many";
    open_sender(false);
    for (i = 0; i < 16; i++) {
        o[i] = post_make();
        o[i]->blocked = true;
        post_push(o[i], 0, 2, 1);
    }
    for (i = 0; i < 16; i++) { post_entered(o[i], 1); }
    since = tel__clock_mono_ns();
    tel__sender_stop(&sender);
    for (i = 0; i < 16; i++) { tel__sender_close(&o[i]->base); }
    CHECK(tel__clock_mono_ns() - since < 2 * SECOND);               /* 50 ms, and not each */
    CHECK_INT(tel__atomic_load_u32(&memory.pins), 16);
    for (i = 0; i < 16; i++) { post_block(o[i], false); }
    while (tel__atomic_load_acquire_u32(&memory.pins)) { usleep(1000); }
    CHECK_INT(tel__atomic_load_u32(&freed), 16);
    tel__sender_free(&sender);
    CHECK_INT(tel__atomic_load_u64(&memory.used), 0);
}

int main(void) {
    capture_watchdog(100);
    tel__memory_init(&memory, NULL, (uint64_t)1 << 24);
    test_lane_order();
    test_lane_pauses();
    test_lane_time();
    test_lane_losses();
    test_lane_buffers();
    test_post_order();
    test_post_no_thread();
    test_post_flush();
    test_post_close();
    test_post_many();
    return check_done();
}
