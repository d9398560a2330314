/* Room test of >>ids: the generator against its published definition, no zero ids, distinct seeds, all bits used. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#if TEL__POSIX
#include <sys/wait.h>
#endif

/* xoshiro256++ 1.0 from the state 1, 2, 3, 4: the first values, worked out apart from the code under test. */
static void test_vector(void) {
    static const uint64_t want[] = { 41943041u, 58720359u, 3588806011781223u, 3591011842654386u, 9228616714210784205u,
                                     9973669472204895162u, 14011001112246962877u, 12406186145184390807u };
    tel__id_generator g = { { 1, 2, 3, 4 } };
    size_t i;
    for (i = 0; i < TEL__ARRAY_SIZE(want); i++) { CHECK(tel__id_next(&g) == want[i]); }
}

static void test_not_zero(void) {
    tel__id_generator g = { { 0, 0, 1, 0 } };           /* its first values are 0 */
    tel__id_generator same = { { 0, 0, 1, 0 } };
    int i, zeros = 0, wrong = 0;
    for (i = 0; i < 20; i++) {
        uint64_t plain = tel__id_next(&same), some = tel__id_some(&g);
        zeros += plain == 0;
        wrong += some != (plain ? plain : 1);
    }
    CHECK(zeros > 0);
    CHECK_INT(wrong, 0);
}

#define MANY 20000
static uint64_t ids[MANY];
static int by_value(const void* a, const void* b) {
    const uint64_t* x = (const uint64_t*)a;
    const uint64_t* y = (const uint64_t*)b;
    return (*x > *y) - (*x < *y);
}

/* Ids of several generators: none twice, every bit set about half of the time. */
static void test_spread(void) {
    tel__id_generator g[4];
    uint32_t bits[64], i, b, twice = 0, odd = 0;
    memset(bits, 0, sizeof bits);
    for (i = 0; i < 4; i++) { tel__id_seed(&g[i]); CHECK((g[i].s[0] | g[i].s[1] | g[i].s[2] | g[i].s[3]) != 0); }
    for (i = 0; i < MANY; i++) {
        ids[i] = tel__id_some(&g[i & 3]);
        for (b = 0; b < 64; b++) { bits[b] += (uint32_t)(ids[i] >> b & 1); }
    }
    qsort(ids, MANY, sizeof ids[0], by_value);
    for (i = 1; i < MANY; i++) { twice += ids[i] == ids[i - 1]; }
    for (b = 0; b < 64; b++) { odd += bits[b] < MANY / 2 - 700 || bits[b] > MANY / 2 + 700; }      /* ten sigma */
    CHECK_INT(twice, 0);
    CHECK_INT(odd, 0);
    CHECK(ids[0] != 0);
}

static void test_random(void) {
    uint8_t a[40], b[40];
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    tel__id_random(a, 32);
    tel__id_random(b, 32);
    CHECK(memcmp(a, b, 32) != 0);
    CHECK(a[32] == 0 && a[39] == 0);                    /* not a byte more than asked */
    tel__id_random(a, 0);
}

#if TEL__POSIX
/* A child that seeds anew does not repeat its parent. */
static void test_fork(void) {
    tel__id_generator g;
    uint64_t mine, theirs = 0;
    int ends[2], status = -1;
    pid_t pid;
    memset(&g, 0, sizeof g);
    tel__id_seed(&g);
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        tel__id_seed(&g);
        mine = tel__id_some(&g);
        _exit(write(ends[1], &mine, sizeof mine) == (ssize_t)sizeof mine ? 0 : 1);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(read(ends[0], &theirs, sizeof theirs) == (ssize_t)sizeof theirs);
    mine = tel__id_some(&g);
    CHECK(mine != theirs && theirs != 0);
    close(ends[0]);
    close(ends[1]);
}
#endif

int main(void) {
    test_vector();
    test_not_zero();
    test_spread();
    test_random();
#if TEL__POSIX
    test_fork();
#endif
    return check_done();
}
