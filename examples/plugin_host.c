/* plugin_host.c -- a program that plugins in other processes record through (examples/plugin_client.py).

   build cc -I.. plugin_host.c -o plugin_host -pthread
   run   ./plugin_host [PORT [TOKEN]]       it ends at the end of its input
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
    tel_listener_desc listener = { .query = true, .ingest = true, .token = argc > 2 ? argv[2] : NULL };
    tel_sink sink;
    listener.metrics.host = "127.0.0.1";
    listener.metrics.port = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
    if (argc > 1 && listener.metrics.port == 0) { listener.metrics.port = TEL_ANY_PORT; }
    sink = tel_sink_listener(&listener);
    if (tel_init(&(tel_desc){ .service_name = "host", .sinks = &sink, .sink_count = 1, .recent_bytes = 1 << 20 }) != TEL_OK) {
        return 1;
    }
    printf("http://127.0.0.1:%u\n", (unsigned)tel_prometheus_port());
    fflush(stdout);
    while (getchar() != EOF) { }
    return tel_shutdown(2000) != TEL_OK;
}
