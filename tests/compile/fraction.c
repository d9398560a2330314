/* fraction.c -- in C and in C++: numbers of every integer type may be added to a counter and to an up-down counter; with FRACTION
   one to four a double or a float is, which must not compile. */
#include "telemetry.h"

static tel_counter counter = TEL_INSTRUMENT("fraction.counter", "1", "Counts");
static tel_updown updown = TEL_INSTRUMENT("fraction.updown", "1", "Goes up and down");

void add(const double* d, const float* f, size_t size, unsigned char small);
void add(const double* d, const float* f, size_t size, unsigned char small) {
    (void)d;
    (void)f;
    tel_counter_add(&counter, 1);
    tel_counter_add(&counter, (int64_t)size);
    tel_counter_add(tel_counter_bind(&counter, TEL_ATTRS(tel_int("a", 1), tel_int("b", 2))), small);
    tel_counter_addf(&counter, *d);
    tel_counter_add_with(&counter, small, TEL_ATTRS(tel_int("a", 1), tel_int("b", 2)));
    tel_updown_add(&updown, -1);
    tel_updown_addf(&updown, *d);
    tel_updown_add_with(&updown, -2, TEL_NOATTRS);
#if FRACTION == 1
    tel_counter_add(&counter, 0.25);
#elif FRACTION == 2
    tel_updown_add(&updown, *f);
#elif FRACTION == 3
    tel_counter_add_with(&counter, *d, TEL_ATTRS(tel_int("a", 1)));
#elif FRACTION == 4
    tel_updown_add_with(&updown, *d / 2, TEL_NOATTRS);
#endif
}
