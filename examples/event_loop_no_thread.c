/* event_loop_no_thread.c -- no thread but yours: desc.no_thread, and tel_pump once per turn of your event loop.

   build    cc -I. examples/event_loop_no_thread.c -pthread -o event_loop_no_thread

   expected
     turn 3: 4 spans
     ...
     20 spans in all, all from inside tel_pump or tel_shutdown
   In which turns they leave depends on the clock.
*/
#define TELEMETRY_IMPLEMENTATION
#include "telemetry.h"
#include <poll.h>
#include <stdio.h>

typedef struct loop { int turn, spans; bool inside, stray; } loop;

static tel_result deliver(const tel_batch* b, void* user_data) {
    loop* l = (loop*)user_data;
    if (!l->inside) { l->stray = true; }
    if (b->span_count) { printf("turn %d: %d spans\n", l->turn, (int)b->span_count); }
    l->spans += (int)b->span_count;
    return TEL_OK;
}

static void handle_event(int number) {
    TEL_SPAN(span, "event") { tel_span_set(span, tel_int("number", number)); }
}

int main(void) {
    loop l = { 0, 0, false, false };
    tel_sink sink = { .name = "loop", .signal_mask = TEL_SIGNAL_SPANS, .export_fn = deliver, .user_data = &l };
    tel_desc desc = { .service_name = "event-loop", .sinks = &sink, .sink_count = 1,
                      .no_thread = true, .batch_interval_ms = 30 };
    if (tel_init(&desc) != TEL_OK) { return 1; }

    for (l.turn = 0; l.turn < 20; l.turn++) {
        poll(NULL, 0, 10);                          /* your sockets go here; 10 ms is the pace of the pump */
        handle_event(l.turn);
        l.inside = true;
        tel_pump(5);                                /* drains the rings, exports what is due, at most 5 ms */
        l.inside = false;
    }
    l.inside = true;
    tel_shutdown(2000);
    printf("%d spans in all, %s\n", l.spans,
           l.stray ? "SOME from elsewhere" : "all from inside tel_pump or tel_shutdown");
    return l.spans == 20 && !l.stray ? 0 : 1;
}
