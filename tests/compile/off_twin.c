/* Compiled twice by switches.sh with TELEMETRY_OFF: as it stands, and with -DPLAIN, which leaves the telemetry out of the
   source. verbs() and straight() must come out as the same instructions. In leaving() a scoped form is left early and in looped()
   one holds a loop; there gcc may lay out the blocks and choose the registers another way, so these two are held to the same
   calls and two instructions more at most. Valid C99 and C++11. */
#include "telemetry.h"

#ifdef __cplusplus
extern "C" {
#endif
int verbs(const int* items, int count, double* sum);
int straight(int item, double* sum);
int leaving(int item, double* sum);
int looped(const int* items, int count, double* sum);
int expensive(int x);       /* defined nowhere: in a log argument it must not be called */
double price(int item);
#ifdef __cplusplus
}
#endif

#ifdef PLAIN
#define TELEMETRY(statement)
#define SCOPED(form)
#else
#define TELEMETRY(statement) statement
#define SCOPED(form) form
static tel_counter   orders  = TEL_INSTRUMENT("shop.orders", "{order}", "Orders placed");
static tel_updown    queue   = TEL_INSTRUMENT("shop.queue", "{order}", "Orders waiting");
static tel_gauge     load    = TEL_INSTRUMENT("shop.load", "1", "How busy we are");
static tel_histogram latency = TEL_INSTRUMENT("shop.latency", "s", "Time to work");
#endif

int verbs(const int* items, int count, double* sum) {
    int i, bad = 0;
#ifndef PLAIN
    tel_span span = tel_span_start("request");
    tel_token token = tel_attach(&span.context);
    tel_counter* bound = tel_counter_bind(&orders, TEL_ATTRS(tel_str("shop", "north")));
    tel_updown_add(&queue, 1);
#endif
    for (i = 0; i < count; i++) {
        if (items[i] < 0) {
            bad++;
#ifndef PLAIN
            tel_log(TEL_WARN, "bad item", TEL_ATTRS(tel_int("item", items[i]), tel_int("cost", expensive(items[i]))));
            tel_logf(TEL_WARN, "bad item %d at %d, %d", items[i], i, expensive(i));
            tel_span_event(&span, "bad", TEL_ATTRS(tel_str("why", "negative"), tel_bool("fatal", false)));
#endif
            continue;
        }
        *sum += price(items[i]);
#ifndef PLAIN
        tel_counter_add(bound, 1);
        tel_counter_add_with(&orders, 1, TEL_ATTRS(tel_int("item", items[i])));
        tel_span_set(&span, tel_double("sum", *sum));
        tel_histogram_record(&latency, *sum);
#endif
    }
#ifndef PLAIN
    tel_gauge_set(&load, *sum);
    tel_updown_add(&queue, -1);
    tel_detach(token);
    tel_span_status(&span, bad ? TEL_STATUS_ERROR : TEL_STATUS_OK, NULL);
    tel_span_end(&span);
#endif
    return bad;
}

int straight(int item, double* sum) {
#ifndef PLAIN
    tel_context context = tel_current();
#endif
    SCOPED(TEL_ATTACH(&context))
    SCOPED(TEL_TIME(&latency))
    SCOPED(TEL_SPAN(span, "item")) {
        double p = price(item);
        *sum += p < 0 ? 0 : p;
        TELEMETRY(tel_span_set(span, tel_double("price", p));)
    }
    SCOPED(TEL_TIME(&latency)) { *sum *= price(item + 1); }
    return 0;
}

int leaving(int item, double* sum) {
    SCOPED(TEL_TIME(&latency)) {
        SCOPED(TEL_SPAN(span, "item")) {
            double p = price(item);
            if (p < 0) { return -1; }
            *sum += p;
            TELEMETRY(tel_span_set(span, tel_double("price", p));)
        }
    }
    return 0;
}

int looped(const int* items, int count, double* sum) {
    int i, n = 0;
    SCOPED(TEL_SPAN(span, "all")) {
        for (i = 0; i < count; i++) {
            n += items[i] > 0;
            *sum += price(items[i]);
            TELEMETRY(tel_span_set(span, tel_int("n", n));)
        }
    }
    return n;
}
