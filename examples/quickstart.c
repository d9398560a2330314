/* quickstart.c -- a small shop that reports what it does: counters, a histogram, spans and logs, shown on the
   console, served to a scraper and delivered to a collector on localhost:4318 if there is one.

   build    cc -I. examples/quickstart.c -pthread -o quickstart
   run      ./quickstart           three to four seconds      ./quickstart --serve    until Ctrl-C

   expected (and two diagnostics on stderr when no collector listens)
     metrics: curl http://localhost:9464/metrics
     span    pay 10.1ms internal error:card declined trace=... span=... parent=...
     log     WARN card declined order.id=7 trace=... span=...
     metric  shop.checkout.duration count=60 sum=2.7 min=0.025 max=0.066 s
     metric  shop.orders{result=paid} 52 {order}
     ...
     60 orders, 8 declined
     to scrape it: ./quickstart --serve
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static tel_counter   orders   = TEL_INSTRUMENT("shop.orders", "{order}", "Orders placed");
static tel_updown    carts    = TEL_INSTRUMENT("shop.carts", "{cart}", "Carts being checked out");
static tel_histogram duration = TEL_INSTRUMENT("shop.checkout.duration", "s", "Time to check out");

static volatile sig_atomic_t stop;
static void on_signal(int number) { (void)number; stop = 1; }

static void work_for(int ms) {                      /* stands for a database, a network ... */
    struct timespec t = { 0, ms * 1000000L };
    nanosleep(&t, NULL);
}

static bool pay(int order) {
    bool ok = order % 7 != 0;
    TEL_SPAN(span, "pay") {                         /* a child of "checkout": that one is current */
        work_for(10);
        if (!ok) { tel_span_status(span, TEL_STATUS_ERROR, "card declined"); }
    }
    return ok;
}

static bool checkout(int order) {
    bool ok = false;
    tel_updown_add(&carts, 1);
    TEL_TIME(&duration) {
        TEL_SPAN(span, "checkout") {
            tel_span_set(span, tel_int("order.id", order));
            work_for(order % 5 * 10 + 15);
            ok = pay(order);
            tel_log(ok ? TEL_INFO : TEL_WARN, ok ? "order paid" : "card declined",
                    TEL_ATTRS(tel_int("order.id", order)));
        }
    }
    tel_counter_add_with(&orders, 1, TEL_ATTRS(tel_str("result", ok ? "paid" : "declined")));
    tel_updown_add(&carts, -1);
    return ok;
}

int main(int argc, char** argv) {
    bool serve = argc > 1 && strcmp(argv[1], "--serve") == 0;
    int order, declined = 0;
    tel_prometheus_desc scrape = { .port = 0 };     /* 0: OTEL_EXPORTER_PROMETHEUS_PORT, else 9464 */
    tel_sink sinks[3] = { tel_sink_otlp(NULL), tel_sink_prometheus(&scrape), tel_sink_console(NULL) };
    tel_desc desc = { .service_name = "quickstart", .sinks = sinks, .sink_count = 3, .no_self_metrics = true,
                      .batch_interval_ms = 1000, .metric_interval_ms = 1000 };
    tel_result r = tel_init(&desc);
    if (r == TEL_ERR_IO) {                          /* it runs, but the port is taken: let the system pick one */
        tel_shutdown(0);
        scrape.port = TEL_ANY_PORT;
        sinks[1] = tel_sink_prometheus(&scrape);
        r = tel_init(&desc);
    }
    if (r != TEL_OK) { fprintf(stderr, "telemetry: %s\n", tel_result_string(r)); }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);

    printf("metrics: curl http://localhost:%u/metrics\n", (unsigned)tel_prometheus_port());
    fflush(stdout);
    for (order = 0; !stop && (serve || order < 60);) { declined += !checkout(++order); }
    tel_shutdown(1000);                             /* delivers the rest, and gives up after a second */
    printf("%d orders, %d declined\n", order, declined);
    if (!serve) { printf("to scrape it: ./quickstart --serve\n"); }
    return 0;
}
