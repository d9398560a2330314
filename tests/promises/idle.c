/* A program that records nothing is left alone: at most one wake-up a second, whatever sinks it has. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "promise.h"
#include <dirent.h>

/* Of all threads of this process: how often one of them has given up its cpu by itself. -1: the system does not say. */
static long switches(void) {
    DIR* tasks = opendir("/proc/self/task");
    struct dirent* e;
    long sum = tasks ? 0 : -1;
    while (tasks && (e = readdir(tasks)) != NULL) {
        char path[64], text[256];
        long n;
        FILE* in;
        snprintf(path, sizeof path, "/proc/self/task/%.20s/status", e->d_name);
        in = fopen(path, "r");
        while (in && fgets(text, sizeof text, in)) {
            if (sscanf(text, "voluntary_ctxt_switches: %ld", &n) == 1) { sum += n; }
        }
        if (in) { fclose(in); }
    }
    if (tasks) { closedir(tasks); }
    return sum;
}

static void idle(const char* what, const tel_sink* sinks, size_t count) {
    int seconds = promise_either(4, 20);
    tel_desc d = promise_desc(sinks, count);
    long before, woken;
    where = what;
    d.ignore_env = true;
    d.diag.report_fn = hear;
    CHECK_INT(tel_init(&d), TEL_OK);
    TEL_SPAN(s, "one") { tel_log(TEL_INFO, "line", TEL_NOATTRS); }
    tel_flush(5000);
    promise_sleep(1500);
    before = switches();
    promise_sleep((unsigned)seconds * 1000);
    woken = switches() - before - 1;                /* but for this sleep */
    promise_figure("idle with %s: %ld wake-ups in %d s", what, woken, seconds);
    CHECK(woken >= 0 && woken <= seconds + 1);      /* the first one may come at once */
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

int main(void) {
    static promise_receiver hole;
    static capture c;
    tel_prometheus_desc prometheus;
    tel_otlp_desc otlp;
    char url[64];
    tel_sink sinks[3];
    capture_watchdog(120);
    capture_init(&c);
    if (switches() < 0) { puts("skip: needs /proc/self/task"); return 77; }
    CHECK(promise_receive(&hole, PROMISE_ANSWERS));
    snprintf(url, sizeof url, "http://127.0.0.1:%u", hole.port);
    memset(&otlp, 0, sizeof otlp);
    otlp.endpoint = url;
    sinks[0] = capture_sink(&c);
    idle("a sink of its own", sinks, 1);
    sinks[1] = tel_sink_otlp(&otlp);
    sinks[2] = scrape_sink(&prometheus, TEL_ANY_PORT);
    idle("a sink of its own, OTLP and a scrape endpoint", sinks, 3);
    return check_done();
}
