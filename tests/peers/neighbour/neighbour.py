#!/usr/bin/env python3
"""neighbour.py -- the service of hop.c with OpenTelemetry Python: prints its port, ends with its input."""
import http.server
import json
import sys
import threading
import urllib.parse
import urllib.request

from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

propagator = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
tracer = TracerProvider().get_tracer("neighbour")


class Hop(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        name, via = url.path.rsplit("/", 1)[1], urllib.parse.parse_qs(url.query).get("via", [""])[0]
        remote = propagator.extract({k.lower(): v for k, v in self.headers.items()})
        came = trace.get_current_span(remote).get_span_context()
        with tracer.start_as_current_span(name, context=remote, kind=trace.SpanKind.SERVER) as span:
            own = span.get_span_context()
            lines = self.ask(name, via, remote, own) if via else ""
        lines += json.dumps({"name": name, "trace": f"{own.trace_id:032x}", "span": f"{own.span_id:016x}",
                             "parent": f"{came.span_id:016x}", "sampled": own.trace_flags.sampled,
                             "tracestate": came.trace_state.to_header(), "baggage": dict(baggage.get_all(remote))}) + "\n"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(lines.encode())

    @staticmethod
    def ask(name, via, remote, own):
        onward = trace.SpanContext(own.trace_id, own.span_id, False, own.trace_flags, own.trace_state.add(name, "1"))
        context = trace.set_span_in_context(trace.NonRecordingSpan(onward), remote)
        headers = {}
        propagator.inject(headers, baggage.set_baggage(name, "caf\u00e9, a=b; 100%+1", context))
        first, _, rest = via.partition(",")
        port, _, next_name = first.partition("/")
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/hop/{next_name}?via={rest}", headers=headers)) as answer:
            return answer.read().decode()

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hop)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
