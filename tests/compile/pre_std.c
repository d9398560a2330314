/* Included after somebody else's macros: <windows.h>, <complex.h>, X11, termios, sys/sysmacros and plain bad habits. The public
   half must not trip over them, nor may its macros when they are used under them. Builds as C and as C++; with -DQT also after
   the keywords of Qt. */
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define small char
#define interface struct
#define near
#define far
#define ERROR 0
#define NO_ERROR 0
#define IN
#define OUT
#define OPTIONAL
#define CONST const
#define VOID void
#define CALLBACK
#define STRICT 1
#define DELETE 65536
#define ABSOLUTE 1
#define RELATIVE 2
#define BOOL int
#define TRUE 1
#define FALSE 0
#define I (1.0i)
#define Status int
#define Success 0
#define None 0L
#define Bool int
#define True 1
#define False 0
#define Always 2
#define B0 0
#define B1 1
#define major(x) (x)
#define minor(x) (x)
#define linux 1
#define unix 1
#define nil 0
#define YES 1
#define NO 0
#define L 1
#define R 2
#define C 3
#define N 4
#define T 5
#define E 6
#define S 7
#define BUFFER_SIZE 4096
#define DEBUG 1
#define INFO 2
#define WARN 3
#define FATAL 4
#define TRACE 5
#define OK 0
#define check(x) (x)
#define verify(x) (x)
#define require(x) (x)
#define unreachable() do { } while (0)
#define likely(x) (x)
#define unlikely(x) (x)
#define container_of 1
#define array_size(x) 1
#ifndef __cplusplus
#define bool _Bool
#define true 1
#define false 0
#endif
#ifdef QT
#define signals public
#define slots
#define emit
#define foreach for
#define forever for (;;)
#endif
#include "telemetry.h"

static tel_counter counter = TEL_INSTRUMENT("hostile.counter", "1", "Under other people's macros");
static tel_histogram histogram = TEL_INSTRUMENT("hostile.histogram", "s", "Likewise");
int hostile(void);

int hostile(void) {
    tel_desc desc;
    tel_context context = tel_current();
    desc.service_name = "hostile";
    tel_counter_add_with(&counter, 1, TEL_ATTRS(tel_bool("a", 1), tel_double("b", 2.0)));
    TEL_SPAN(span, "hostile") { tel_span_event(span, "e", TEL_NOATTRS); }
    TEL_TIME(&histogram) { tel_logf(TEL_ERROR, "%d", 1); }
    TEL_ATTACH(&context) { tel_log(TEL_FATAL, "x", TEL_NOATTRS); }
    return (int)tel_init(&desc);
}
