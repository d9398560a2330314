/* A scoped form whose block returns in the end may be the last statement of a function: compilers see that nothing follows.
   Compiled as C and C++ with every warning an error. */
#include "telemetry.h"

static tel_histogram h = TEL_INSTRUMENT("returns", "s", NULL);

int in_span(void);
int in_both_branches(int a);
int in_time(void);
int in_timed(void);
int in_attach(void);
int in_nested(void);
int behind_break(int a);
void before_else(int a);

int in_span(void) { TEL_SPAN(s, "x") { tel_span_set(s, tel_int("a", 1)); return 7; } }
int in_both_branches(int a) { TEL_SPAN(s, "x") { if (a) { return 1; } else { tel_span_end(s); return 7; } } }
int in_time(void) { TEL_TIME(&h) { return 7; } }
int in_timed(void) { TEL_TIMED(t, &h, TEL_ATTRS(tel_int("a", 1))) { tel_time_set(t, tel_int("b", 1)); return 7; } }
int in_attach(void) { tel_context c = tel_current(); TEL_ATTACH(&c) { return 7; } }
int in_nested(void) { TEL_SPAN(a, "x") { TEL_SPAN(b, "y") { tel_span_end(b); return 7; } } }
int behind_break(int a) {
    TEL_SPAN(unused, "x") { if (a) { break; } return 1; }
    TEL_SPAN(s, "x") a++;
    return a;
}
void before_else(int a) { if (a) TEL_SPAN(s, "x") { } else { in_time(); } }
