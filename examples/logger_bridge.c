/* logger_bridge.c -- the logger that a program already has goes on as it was, and its lines become log records as well:
   with their severity, file and line, and the trace that they were written in. The same twenty lines bridge any C logger
   that has a callback; syslog's severities and the stderr of a child process are bridged below.

   build    cc -I. examples/logger_bridge.c -pthread -o logger_bridge

   expected
     db.c:12 [W] slow query, 340 ms
     record WARN  slow query, 340 ms  file=db.c line=12, in a trace
     record ERROR disk almost full  from syslog
     record INFO  child: ready  from stderr
     record ERROR error: no such table  from stderr
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a logger as programs have them: levels, a macro, a callback for what it formats ---- */

enum { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };
typedef struct event { int level; const char* file; int line; const char* text; } event;
static void (*log_callback)(const event* e);

static void log_write(int level, const char* file, int line, const char* format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printf("%s:%d [%c] %s\n", file, line, "DIWE"[level], text);
    if (log_callback) { log_callback(&(event){ level, file, line, text }); }
}

/* ---- the bridge ---- */

static void to_telemetry(const event* e) {
    static const tel_severity severity[] = { TEL_DEBUG, TEL_INFO, TEL_WARN, TEL_ERROR };
    if (!tel_log_enabled(severity[e->level])) { return; }
    tel_log(severity[e->level], e->text, TEL_ATTRS(tel_str("code.file.path", e->file), tel_int("code.line.number", e->line)));
}

/* Severities of syslog (RFC 5424, section 6.2.1), 0 to 7, as the Logs Data Model maps them. */
static void syslog_line(int priority, const char* text) {
    static const tel_severity severity[8] = {
        TEL_FATAL, (tel_severity)(TEL_ERROR + 2), (tel_severity)(TEL_ERROR + 1), TEL_ERROR, TEL_WARN,
        (tel_severity)(TEL_INFO + 1), TEL_INFO, TEL_DEBUG
    };
    tel_log(severity[priority & 7], text, TEL_ATTRS(tel_str("log.iostream", "syslog")));
}

/* Each line that a child writes to its stderr becomes a record. */
static void child_lines(FILE* from) {
    char line[256];
    while (fgets(line, sizeof line, from)) {
        line[strcspn(line, "\n")] = 0;
        tel_log(strstr(line, "error") ? TEL_ERROR : TEL_INFO, line, TEL_ATTRS(tel_str("log.iostream", "stderr")));
    }
}

/* ---- what a backend would show ---- */

static tel_result show(const tel_batch* b, void* user_data) {
    (void)user_data;
    for (size_t i = 0; i < b->log_count; i++) {
        const tel_log_view* l = &b->logs[i];
        const char* level = l->severity >= TEL_ERROR ? "ERROR" : l->severity >= TEL_WARN ? "WARN" : "INFO";
        printf("record %-5s %s  ", level, l->body.data);
        if (l->attrs.count == 2) { printf("file=%s line=%lld", l->attrs.items[0].as.s.data, (long long)l->attrs.items[1].as.i); }
        else { printf("from %s", l->attrs.items[0].as.s.data); }
        puts(tel_context_valid(&l->context) ? ", in a trace" : "");
    }
    return TEL_OK;
}

int main(void) {
    tel_sink sink = { .name = "show", .signal_mask = TEL_SIGNAL_LOGS, .export_fn = show };
    int ends[2];
    pid_t child;
    if (tel_init(&(tel_desc){ .service_name = "bridge", .sinks = &sink, .sink_count = 1 }) != TEL_OK) { return 1; }
    log_callback = to_telemetry;
    TEL_SPAN(span, "query") {
        (void)span;
        log_write(LEVEL_WARN, "db.c", 12, "slow query, %d ms", 340);
    }
    syslog_line(3, "disk almost full");
    fflush(stdout);
    if (pipe(ends) != 0 || (child = fork()) < 0) { return 1; }
    if (child == 0) {
        static const char lines[] = "child: ready\nerror: no such table\n";
        close(ends[0]);
        _exit(write(ends[1], lines, sizeof lines - 1) > 0 ? 0 : 1);
    }
    close(ends[1]);
    FILE* from = fdopen(ends[0], "r");
    if (from) { child_lines(from); fclose(from); }
    waitpid(child, NULL, 0);
    return tel_shutdown(2000) == TEL_OK ? 0 : 1;
}
