/* The metrics of the process: on Linux all that the conventions name, with plausible values; elsewhere those that the system tells. */
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include "../check.h"
#include "capture.h"

static char page[1 << 16];

/* The value of this sample; -1: there is none. */
static double value_of(const char* name) {
    const char* line = strstr(page, name);
    return line ? atof(line + strlen(name)) : -1;
}

#define SCOPE "otel_scope_name=\"telemetry.h\",otel_scope_version=\"" TEL_VERSION_STRING "\""

static void test_off(void) {
    tel_sink sink;
    capture c;
    tel_desc d = capture_desc(&c, &sink);
    CHECK_INT(tel_init(&d), TEL_OK);
    tel_prometheus_print(page, sizeof page);
    CHECK(!strstr(page, "\nprocess_"));
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

static void test_on(void) {
    static const char* const names[] = {
        "\nprocess_cpu_time_seconds_total{cpu_mode=\"user\"," SCOPE "} ",
        "\nprocess_cpu_time_seconds_total{cpu_mode=\"system\"," SCOPE "} ",
        "\nprocess_context_switches_total{" SCOPE ",process_context_switch_type=\"voluntary\"} ",
        "\nprocess_context_switches_total{" SCOPE ",process_context_switch_type=\"involuntary\"} ",
        "\nprocess_paging_faults_total{" SCOPE ",system_paging_fault_type=\"major\"} ",
        "\nprocess_paging_faults_total{" SCOPE ",system_paging_fault_type=\"minor\"} ",
        "\nprocess_memory_usage_bytes{" SCOPE "} ",
        "\nprocess_memory_virtual_bytes{" SCOPE "} ",
        "\nprocess_thread_count{" SCOPE "} ",
        "\nprocess_unix_file_descriptor_count{" SCOPE "} ",
        "\nprocess_uptime_seconds{" SCOPE "} "
    };
    double before, after, cpu;
    volatile double work = 0;
    tel_sink sink;
    capture c;
    tel_desc d = capture_desc(&c, &sink);
    size_t i, n = sizeof names / sizeof names[0];
    int fd, k;
#if defined(__linux__)
    FILE* proc = fopen("/proc/self/stat", "r");
    if (!proc) { n = 6; }
    else { fclose(proc); }
#else
    n = 6;
#endif
    d.process_metrics = true;
    CHECK_INT(tel_init(&d), TEL_OK);
    CHECK(tel_query_desc().process_metrics);
    tel_prometheus_print(page, sizeof page);
    for (i = 0; i < n; i++) {
        if (value_of(names[i]) < 0) { fprintf(stderr, "     no%s\n%s\n", names[i], page); }
        CHECK(value_of(names[i]) >= 0);
    }
    cpu = value_of(names[0]) + value_of(names[1]);
    for (i = 0; i < 1000 && n > 6; i++) {           /* until the process has used some measurable time */
        for (k = 0; k < 3000000; k++) { work += k; }
        tel_prometheus_print(page, sizeof page);
        if (value_of(names[0]) + value_of(names[1]) > cpu) { break; }
    }
    CHECK(n == 6 || value_of(names[0]) + value_of(names[1]) > cpu);
    if (n > 6) {
        CHECK(value_of(names[6]) > 100000 && value_of(names[7]) >= value_of(names[6]));
        CHECK(PATIENCE > 1 || value_of(names[8]) >= 1);        /* an emulator makes up what the kernel says of threads */
        before = value_of(names[9]);
        fd = open("/dev/null", O_RDONLY);
        tel_prometheus_print(page, sizeof page);
        after = value_of(names[9]);
        CHECK(fd >= 0 && after == before + 1);
        close(fd);
    }
    CHECK_INT(tel_shutdown(5000), TEL_OK);
}

/* The parsers of /proc: a program's name may hold anything, and what is missing is not known. */
static void test_parsers(void) {
#if defined(__linux__)
    char small[4];
    CHECK(tel__process_number("a: 12\nb: 7", "\nb:") == 7);
    CHECK(tel__process_number("a: 12", "b:") == -1);
    CHECK(tel__process_number("a: x", "a:") == -1);
    CHECK_STR(tel__process_file("/there/is/no/such/file", small, sizeof small), "");
    CHECK_INT(strlen(tel__process_file("/dev/zero", small, sizeof small)), 0);
#endif
}

int main(void) {
    capture_watchdog(120);
    test_off();
    test_on();
    test_parsers();
    return check_done();
}
