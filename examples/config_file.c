/* config_file.c -- a program whose sinks and metrics stand in a file: examples/config_file.json.

   build    cc -I. examples/config_file.c -pthread -o config_file
   run      ./config_file examples/config_file.json          then change the file, and send SIGHUP (kill -HUP ...)
            ./config_file examples/config_file.json once     to end after one round
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <signal.h>
#include <stdio.h>
#include <time.h>

static volatile sig_atomic_t changed, ended;
static void on_hangup(int number) { (void)number; changed = 1; }
static void on_end(int number) { (void)number; ended = 1; }

/* The functions of the program's domain stand on the names that the file defines. */
static void record_request(const char* endpoint, const char* method, bool success, double seconds) {
    const char* status = success ? "success" : "failure";
    tel_record("requests_total", 1, TEL_ATTRS(tel_str("endpoint", endpoint), tel_str("method", method), tel_str("status", status)));
    tel_record("request_duration_seconds", seconds, TEL_ATTRS(tel_str("endpoint", endpoint), tel_str("status", status)));
}
static void record_error(const char* type, const char* endpoint) {
    tel_record("errors_total", 1, TEL_ATTRS(tel_str("error_type", type), tel_str("endpoint", endpoint)));
}

int main(int argc, char** argv) {
    bool once = argc > 2;
    tel_desc desc = { 0 };
    desc.config_file = argc > 1 ? argv[1] : "examples/config_file.json";
    if (tel_init(&desc) != TEL_OK) { return 1; }        /* the diagnostic names file, line, column and key */
    signal(SIGHUP, on_hangup);
    signal(SIGINT, on_end);
    signal(SIGTERM, on_end);
    tel_updown* connections = tel_updown_get("connections_open");       /* asked for once, recorded at full speed */
    do {
        struct timespec pause = { once ? 0 : 1, 0 };
        tel_updown_add(connections, 1);
        record_request("/servers", "GET", true, 0.004);
        record_request("/servers/7/tools", "POST", false, 0.120);
        record_error("timeout", "/servers/7/tools");
        tel_record("cache_probes_total", 1, TEL_NOATTRS);               /* "capture": false in the file: costs next to nothing */
        tel_updown_add(connections, -1);
        if (changed) {
            changed = 0;
            printf("reload: %s\n", tel_result_string(tel_reload()));
        }
        nanosleep(&pause, NULL);
    } while (!once && !ended);
    return tel_shutdown(2000) == TEL_OK ? 0 : 1;
}
