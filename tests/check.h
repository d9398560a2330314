/* check.h -- the few lines every C test here needs: count, say where, go on. No other tool. */
#ifndef CHECK_H_INCLUDED
#define CHECK_H_INCLUDED
#include <stdio.h>
#include <string.h>

static int check__passed, check__failed;

static inline void check__note(int ok, const char* file, int line, const char* what) {
    if (ok) { check__passed++; return; }
    check__failed++;
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
#define CHECK(cond)       check__note(!!(cond), __FILE__, __LINE__, #cond)
#define CHECK_INT(a, b)   check__int((long long)(a), (long long)(b), __FILE__, __LINE__, #a " == " #b)
#define CHECK_STR(a, b)   check__str((a), (b), __FILE__, __LINE__, #a " == " #b)

/* The last statement of main: prints the totals; nonzero when anything failed or nothing was checked. */
static inline int check_done(void) {
    printf("%d passed, %d failed\n", check__passed, check__failed);
    return check__failed != 0 || check__passed == 0;
}
#endif
