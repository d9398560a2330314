/* Room test of >>redaction: which keys and values are hidden, cards and their check digits, and what is left alone. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"

static tel__redaction rules;
static bool hides(tel_attr a) {
    bool hidden = tel__redaction_attr(&rules, &a);
    CHECK(!hidden || (a.type == TEL_TYPE_STRING && a.as.s.data == rules.with.data));
    return hidden;
}

static void test_keys(void) {
    static const char* const hidden[] = {
        "password", "db.Password", "http.request.header.authorization", "x_auth_TOKEN", "cookie", "set-cookie", "session_secret",
        "api_key", "aws.api-key", "ApiKey", "user.credentials", "private_key_pem", "passwd"
    };
    static const char* const shown[] = { "http.route", "pass", "user.name", "url.path", "author", "key", "cook", "", "p" };
    size_t i, turn;
    for (turn = 0; turn < 2; turn++) {              /* the second time from the cache */
        for (i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
            CHECK(hides(tel_str(hidden[i], "x")));
            CHECK(hides(tel_int(hidden[i], 7)));
        }
        for (i = 0; i < sizeof shown / sizeof shown[0]; i++) { CHECK(!hides(tel_str(shown[i], "x"))); }
    }
    for (i = 0; i < 2000; i++) {                    /* more keys than the cache has places */
        char key[32];
        snprintf(key, sizeof key, i % 2 ? "key%d" : "token%d", (int)i);
        CHECK_INT(hides(tel_int(key, 1)), i % 2 == 0);
    }
}

static void test_values(void) {
    static const char* const hidden[] = {
        "Bearer abc", "BASIC dXNlcjpwYXNz", "eyJhbGciOi.eyJzdWIi.SflKxw", "-----BEGIN RSA PRIVATE KEY-----",
        "4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "card 5500005555555559 charged", "378282246310005",
        "3530111333300000,", "x4222222222222y", "7 4111111111111111", "4111111111111111 12/27", "id 20261 4111-1111-1111-1111 123",
        "3782 822463 10005-1234", "4111 1111 1111 1112 4111 1111 1111 1111"
    };
    static const char* const shown[] = {
        "bearer", "4111111111111112", "0000000000000000", "411111111111", "12345678901234567890123", "2026-11-29T04:10:00.123456789Z",
        "bear with me", "", "4111  1111 1111 1111", "4111.1111.1111.1111",
        "41 11 11 11 11 11 11 11", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"
    };
    size_t i;
    for (i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (!hides(tel_str("v", hidden[i]))) { fprintf(stderr, "not hidden: %s\n", hidden[i]); }
        CHECK(hides(tel_str("v", hidden[i])));
    }
    for (i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        if (hides(tel_str("v", shown[i]))) { fprintf(stderr, "hidden: %s\n", shown[i]); }
        CHECK(!hides(tel_str("v", shown[i])));
    }
    CHECK(!hides(tel_int("v", INT64_C(4111111111111111))));
}

static void test_texts(void) {
    tel__memory m;
    tel__memory_arena arena;
    tel_text t, again;
    memset(&arena, 0, sizeof arena);
    tel__memory_init(&m, NULL, 1 << 20);
    arena.memory = &m;
    t = tel__redaction_free_text(&rules, &arena, tel__text_of("paid with 4111 1111 1111 1111 and 5500005555555559, thanks"));
    CHECK_STR(t.data, "paid with **** **** **** **** and ****************, thanks");
    again = tel__redaction_free_text(&rules, &arena, t);
    CHECK(again.data == t.data);
    t = tel__redaction_free_text(&rules, &arena, tel__text_of("Bearer abcdef"));
    CHECK_STR(t.data, "[REDACTED]");
    again = tel__text_of("order 12 placed");
    CHECK(tel__redaction_free_text(&rules, &arena, again).data == again.data);
    tel__memory_release(&arena);
}

static void test_lists(void) {
    static char many[4000];
    tel_redact_desc d;
    memset(&d, 0, sizeof d);
    d.keys = " user.* , ?x ";
    d.values = "";
    d.with = "-";
    CHECK(tel__redaction_init(&rules, &d, 1));
    CHECK(hides(tel_str("User.name", "anna")) && hides(tel_str("ax", "")) && !hides(tel_str("password", "x")));
    CHECK(!hides(tel_str("v", "4111111111111111")));
    CHECK_STR(rules.with.data, "-");
    memset(many, 'x', sizeof many - 1);
    d.keys = many;
    CHECK(!tel__redaction_init(&rules, &d, 1));
}

int main(void) {
    tel_redact_desc d;
    memset(&d, 0, sizeof d);
    CHECK(tel__redaction_init(&rules, &d, 12345));
    test_keys();
    test_values();
    test_texts();
    test_lists();
    return check_done();
}
