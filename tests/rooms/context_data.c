/* Room test of >>context_data: contents are kept as they were put, expire in the order of their age, and never turn
   into other contents, whatever other threads put at the same time. */
#define TEL_CONTEXT_SLOTS 64
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include <pthread.h>

static tel_context put(const char* state, const char* baggage) {
    tel_context c;
    memset(&c, 0, sizeof c);
    tel__context_data_hand(&c, tel__context_data_put(tel__text_of(state), tel__text_of(baggage), 0));
    return c;
}
static bool has(const tel_context* c, const char* state, const char* baggage) {
    static char s[TEL__CONTEXT_DATA_STATE], b[TEL__CONTEXT_DATA_BAGGAGE];
    return tel__text_equal(tel__context_data_state(c, s), tel__text_of(state)) &&
           tel__text_equal(tel__context_data_baggage(c, b), tel__text_of(baggage));
}

static void test_sizes(void) {
    static char text[TEL__CONTEXT_DATA_BAGGAGE + 1];
    size_t n;
    memset(text, 'x', sizeof text);
    for (n = 1; n <= TEL__CONTEXT_DATA_BAGGAGE; n += n < 600 ? 1 : 997) {
        tel_context c;
        char was = text[n];
        text[n] = 0;
        c = put(n <= TEL__CONTEXT_DATA_STATE ? text : "s", text);
        CHECK((tel__context_data_ticket(&c) != 0));
        CHECK(has(&c, n <= TEL__CONTEXT_DATA_STATE ? text : "s", text));
        text[n] = was;
    }
    CHECK_INT(tel__context_data_put(tel__text_of(""), tel__text_of(""), 0), 0);
}

static void test_expiry(void) {
    tel_context first, later, zero, wild;
    int i;
    memset(&zero, 0, sizeof zero);
    first = put("a=1", "b=2");
    for (i = 0; i < TEL_CONTEXT_SLOTS - 1; i++) {
        later = put("c=3", "");
        CHECK(has(&first, "a=1", "b=2"));
        CHECK(has(&later, "c=3", ""));
    }
    later = put("d=4", "");
    CHECK(has(&first, "", ""));
    CHECK(has(&later, "d=4", ""));
    CHECK(has(&zero, "", ""));
    wild = later;
    wild.tel__extra += TEL_CONTEXT_SLOTS;           /* of another process, or from the future */
    CHECK(has(&wild, "", ""));
    CHECK(tel__context_data_set_state(&later, tel__text_of("")));
    CHECK_INT(tel__context_data_ticket(&later), 0);
    CHECK(tel__context_data_set_baggage(&later, tel__text_of("k=v")));
    CHECK(tel__context_data_set_state(&later, tel__text_of("s=1")));
    CHECK(has(&later, "s=1", "k=v"));
    CHECK(tel__context_data_set_baggage(&later, tel__text_of("")));
    CHECK(has(&later, "s=1", ""));
}

static void* at(size_t i) { static char place[64]; return &place[i]; }

/* Values come and go beside the rest, which stays, and are copies like the context itself. */
static void test_values(void) {
    static char keys[40];
    tel_context c = put("s=1", "k=v"), copy, full;
    size_t i, n;
    CHECK(!tel_context_get(&c, keys));
    CHECK_INT(tel_context_set(NULL, keys, at(0)), TEL_ERR_ARGUMENT);
    CHECK_INT(tel_context_set(&c, NULL, at(0)), TEL_ERR_ARGUMENT);
    for (n = 0; n < 16; n++) {
        copy = c;
        CHECK_INT(tel_context_set(&c, &keys[n], at(n)), TEL_OK);
        CHECK(has(&c, "s=1", "k=v"));
        CHECK(!tel_context_get(&copy, &keys[n]));
        for (i = 0; i < 40; i++) { CHECK(tel_context_get(&c, &keys[i]) == (i <= n ? at(i) : NULL)); }
    }
    full = c;
    CHECK_INT(tel_context_set(&c, &keys[16], at(0)), TEL_ERR_LIMIT);
    CHECK(memcmp(&full, &c, sizeof c) == 0);
    CHECK_INT(tel_context_set(&c, &keys[3], at(33)), TEL_OK);           /* another value is not another key */
    CHECK(tel_context_get(&c, &keys[3]) == at(33) && tel_context_get(&full, &keys[3]) == at(3));
    CHECK_INT(tel_baggage_set(&c, "k2", "v2", NULL), TEL_OK);
    CHECK_INT(tel_tracestate_set(&c, "t", "2"), TEL_OK);
    CHECK(has(&c, "t=2,s=1", "k=v,k2=v2") && tel_context_get(&c, &keys[15]) == at(15));
    tel_baggage_clear(&c);
    CHECK(has(&c, "t=2,s=1", "") && tel_context_get(&c, &keys[3]) == at(33));
    CHECK_INT(tel_tracestate_set(&c, "t", NULL), TEL_OK);
    CHECK_INT(tel_tracestate_set(&c, "s", NULL), TEL_OK);
    for (i = 0; i < 16; i++) {
        CHECK(tel_context_get(&c, &keys[i]));
        CHECK_INT(tel_context_set(&c, &keys[i], NULL), TEL_OK);
        CHECK(!tel_context_get(&c, &keys[i]));
    }
    CHECK_INT(tel__context_data_ticket(&c), 0);
    CHECK_INT(tel_context_set(&c, keys, NULL), TEL_OK);
    for (i = 0; i < TEL_CONTEXT_SLOTS; i++) { (void)put("", "x=y"); }
    CHECK(!tel_context_get(&full, &keys[0]));                           /* expired: nothing, and nothing else */
}

/* They are found by whoever is called, also without tel_init, and no header has them. */
static size_t headers;
static void count_header(const char* key, const char* value, void* user_data) {
    (void)user_data;
    headers += strcmp(key, "traceparent") != 0 || strlen(value) != 55;
}
static void test_current_values(void) {
    static char tenant;
    tel_context c = { { 0 }, { 0 }, 0, 0, 0, 0 };
    tel_carrier out = { count_header, NULL, NULL, NULL, NULL };
    int round;
    for (round = 0; round < 2; round++) {
        tel_desc d;
        memset(&d, 0, sizeof d);
        d.ignore_env = d.no_thread = d.no_atexit = true;
        if (round) { CHECK(tel_init(&d) != TEL_ERR_ARGUMENT); }
        CHECK_INT(tel_context_set(&c, &tenant, at(7)), TEL_OK);
        CHECK(!tel_context_get(NULL, &tenant));
        TEL_ATTACH(&c) {
            CHECK(tel_context_get(NULL, &tenant) == at(7));
            TEL_SPAN(s, "request") {
                CHECK(tel_context_get(NULL, &tenant) == at(7));
                CHECK(tel_context_get(&s->context, &tenant) == at(7));
                CHECK_INT(tel_inject(NULL, &out), TEL_OK);
            }
        }
        CHECK(!tel_context_get(NULL, &tenant));
        if (round) { tel_shutdown(0); }
    }
    CHECK_INT(headers, 0);
}

static void test_fork(void) {
    tel_context before = put("a=1", ""), after;
    uint64_t ticket = tel__context_data_ticket(&before);
    tel__context_data_seed();
    after = put("b=1", "");
    CHECK(has(&before, "a=1", "") || ticket % TEL_CONTEXT_SLOTS == tel__context_data_ticket(&after) % TEL_CONTEXT_SLOTS);
    CHECK(has(&after, "b=1", ""));
    CHECK(tel__context_data_ticket(&after) != ticket + 1);
}

/* A slot that a lost thread is writing for ever is gone around. */
static void test_stuck(void) {
    tel_context c = put("a=1", "");
    uint64_t next = tel__context_data_ticket(&c) + 1;
    int i;
    tel__atomic_store_u64(&tel__context_data_at(next)->ticket, TEL__CONTEXT_DATA_WRITING);
    for (i = 0; i < 3 * TEL_CONTEXT_SLOTS; i++) {
        c = put("a=1", i % 3 ? "" : "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        CHECK(tel__context_data_ticket(&c) != 0);
    }
    tel__atomic_store_u64(&tel__context_data_at(next)->ticket, 0);
}

static tel_context shared_context[4];
static pthread_mutex_t shared_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Each thread puts texts that say their own length in every letter, and reads those of the others. */
static void* writer(void* arg) {
    char state[256], baggage[600], s[TEL__CONTEXT_DATA_STATE], b[TEL__CONTEXT_DATA_BAGGAGE];
    size_t me = (size_t)(uintptr_t)arg, i, k, seen = 0, wrong = 0;
    for (i = 0; i < 20000; i++) {
        size_t n = 1 + (i * 7 + me) % 200;
        tel_context c, other;
        tel_text t, u;
        memset(state, (int)('a' + n % 26), n);
        memset(baggage, (int)('A' + n % 26), n * 2);
        memset(&c, 0, sizeof c);
        tel__context_data_hand(&c, tel__context_data_put(tel__text_sized(state, n), tel__text_sized(baggage, n * 2), 0));
        pthread_mutex_lock(&shared_mutex);
        other = shared_context[i % 4];
        shared_context[me] = c;
        pthread_mutex_unlock(&shared_mutex);
        t = tel__context_data_state(&other, s);
        for (k = 0; k < t.size; k++) { wrong += s[k] != (char)('a' + t.size % 26); }
        u = tel__context_data_baggage(&other, b);
        for (k = 0; k < u.size; k++) { wrong += b[k] != (char)('A' + (u.size / 2) % 26); }
        seen += t.size != 0;
    }
    CHECK_INT(wrong, 0);
    CHECK(seen > 0);
    return NULL;
}

static void test_threads(void) {
    pthread_t t[4];
    size_t i;
    for (i = 0; i < 4; i++) { CHECK(pthread_create(&t[i], NULL, writer, (void*)(uintptr_t)i) == 0); }
    for (i = 0; i < 4; i++) { pthread_join(t[i], NULL); }
}

int main(void) {
    test_sizes();
    test_expiry();
    test_values();
    test_current_values();
    test_fork();
    test_stuck();
    test_threads();
    return check_done();
}
