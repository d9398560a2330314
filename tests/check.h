/* check.h -- the few lines every C test here needs: count, say where, go on. No other tool. */
#ifndef CHECK_H_INCLUDED
#define CHECK_H_INCLUDED
#include <stdio.h>
#include <string.h>

static int check__passed, check__failed;

static inline void check__note(int ok, const char* file, int line, const char* what) {
    if (ok) { __atomic_fetch_add(&check__passed, 1, __ATOMIC_RELAXED); return; }     /* from any thread */
    __atomic_fetch_add(&check__failed, 1, __ATOMIC_RELAXED);
    fprintf(stderr, "FAIL %s:%d: %s\n", file, line, what);
}
static inline void check__int(long long a, long long b, const char* file, int line, const char* what) {
    check__note(a == b, file, line, what);
    if (a != b) { fprintf(stderr, "     %lld is not %lld\n", a, b); }
}
static inline void check__str(const char* a, const char* b, const char* file, int line, const char* what) {
    int same = a && b && strcmp(a, b) == 0;
    check__note(same, file, line, what);
    if (!same) { fprintf(stderr, "     have: %s\n     want: %s\n", a ? a : "(null)", b ? b : "(null)"); }
}
/* What looks on: gcc says it by a macro, clang by a feature. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#elif __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) && !defined(UNDER_TSAN)
#define UNDER_TSAN 1
#elif defined(__SANITIZE_ADDRESS__) && !defined(UNDER_ASAN)
#define UNDER_ASAN 1
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

/* Whether the child of a fork may make threads: ThreadSanitizer does not follow them, and programs.sh finds out who else does not.
   How many times as long as usual a test may take: programs.sh knows that too. */
#ifndef CHILD_THREADS
#define CHILD_THREADS (!UNDER_TSAN)
#endif
#ifndef PATIENCE
#define PATIENCE 1
#endif

#define CHECK(cond)       check__note(!!(cond), __FILE__, __LINE__, #cond)
#define CHECK_INT(a, b)   check__int((long long)(a), (long long)(b), __FILE__, __LINE__, #a " == " #b)
#define CHECK_STR(a, b)   check__str((a), (b), __FILE__, __LINE__, #a " == " #b)

/* The last statement of main: prints the totals; nonzero when anything failed or nothing was checked. */
static inline int check_done(void) {
    printf("%d passed, %d failed\n", check__passed, check__failed);
    return check__failed != 0 || check__passed == 0;
}
#endif
