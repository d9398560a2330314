/* A resolver that hangs holds nobody, and tel_shutdown tells that a thread was left behind in it, although nothing was lost:
   then the code of the SDK must not be unloaded. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include "capture.h"
#include <netdb.h>

/* This program's own resolver, which the SDK's calls find first: it knows no name, and it can hang. */
static int hanging, asked;
int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** out) {
    (void)node; (void)service; (void)hints; (void)out;
    __atomic_fetch_add(&asked, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&hanging, __ATOMIC_SEQ_CST)) { usleep(1000); }
    return EAI_NONAME;
}
/* Of the same object in a C library that is linked statically. */
void freeaddrinfo(struct addrinfo* list) { (void)list; }

/* A scrape endpoint whose host has to be looked up, and no sink that anything could be lost in. */
static tel_result life(void) {
    tel_prometheus_desc scrape;
    tel_sink sink;
    tel_desc d;
    memset(&scrape, 0, sizeof scrape);
    memset(&d, 0, sizeof d);
    scrape.host = "host.example";
    scrape.port = TEL_ANY_PORT;
    sink = tel_sink_prometheus(&scrape);
    d.sinks = &sink;
    d.sink_count = 1;
    d.ignore_env = true;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_ERR_IO);
    return tel_shutdown(200);
}

int main(void) {
    capture_watchdog(120);
    CHECK_INT(life(), TEL_OK);
    __atomic_store_n(&hanging, 1, __ATOMIC_SEQ_CST);
    CHECK_INT(life(), TEL_ERR_TIMEOUT);
    CHECK_INT(__atomic_load_n(&asked, __ATOMIC_SEQ_CST), 2);
    __atomic_store_n(&hanging, 0, __ATOMIC_SEQ_CST);
    return check_done();
}
