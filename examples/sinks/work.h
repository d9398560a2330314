/* work.h -- what the programs beside it record: two metrics, a trace of two spans, three log records. */
#include <stdlib.h>
#include <string.h>

static tel_counter   work_orders = TEL_INSTRUMENT("shop.orders", "{order}", "Orders placed");
static tel_histogram work_latency = TEL_INSTRUMENT("shop.latency", "s", "Time to place an order");
static const tel_metric_options work_exponential = { NULL, NULL, 0, true, false, 0, 0 };
static tel_histogram work_size = TEL_INSTRUMENT_OPT("shop.size", "By", "Size of an order", &work_exponential);
static tel_updown    work_open = TEL_INSTRUMENT("shop.open", "{order}", "Orders in work");

static int work(const char* exporters) {
    tel_desc d;
    memset(&d, 0, sizeof d);
    d.service_name = "shop";
    d.exporters = exporters;
    d.no_self_metrics = true;
    if (tel_init(&d) != TEL_OK) { return 1; }
    TEL_SPAN(checkout, "checkout \"now\"") {
        tel_span_set(checkout, tel_str("route", "/cart|x,y#z"));
        tel_span_set(checkout, tel_int("items", 3));
        tel_counter_add_with(&work_orders, 2, TEL_ATTRS(tel_str("route", "/cart|x"), tel_bool("paid", true)));
        tel_updown_add(&work_open, -1);
        tel_histogram_record(&work_latency, 0.012);
        tel_histogram_record(&work_latency, 0.013);
        tel_histogram_record(&work_latency, 3);
        tel_histogram_record(&work_size, 0);
        tel_histogram_record(&work_size, 1000);
        tel_histogram_record(&work_size, 1000);
        TEL_SPAN(pay, "pay") {
            tel_span_event(pay, "retry", TEL_ATTRS(tel_int("attempt", 2)));
            tel_span_status(pay, TEL_STATUS_ERROR, "card refused");
            tel_log(TEL_ERROR, "card\nrefused", TEL_ATTRS(tel_double("amount", 9.5)));
        }
        tel_log(TEL_INFO, "done \xc3\xa4", TEL_NOATTRS);
    }
    tel_log(TEL_WARN, "outside", TEL_NOATTRS);
    return tel_shutdown(5000) != TEL_OK;
}
