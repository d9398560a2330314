#!/usr/bin/env python3
"""tls_check.py PROGRAM FOLDER -- serves OTLP over TLS as a strict receiver would, lets send.c send to it with certificates that
are right and wrong, and compares. Prints lines with ok or FAIL."""
import concurrent.futures
import http.server
import json
import socket
import ssl
import sys
import threading
from functools import partial

from books import SIGNALS, balanced, check, run_send
from certificates import Certificates

program, folder = sys.argv[1:3]
files = Certificates(folder)
path, tls = files.path, files.variables


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        who = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        who = dict(pair[0] for pair in who["subject"])["commonName"] if who else None
        with self.server.mutex:
            self.server.seen.append((body, who))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    """One receiver; certificate None: without TLS."""
    daemon_threads = True

    def __init__(self, certificate, asks=True, newest=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.mutex, self.seen, self.context = threading.Lock(), [], None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.use(certificate)
            if asks:
                self.context.verify_mode = ssl.CERT_REQUIRED
                self.context.load_verify_locations(path("ca.pem"))
            if newest:
                self.context.maximum_version = newest
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def use(self, certificate):
        self.context.load_cert_chain(path(certificate + ".pem"), path(certificate + ".key"))

    def finish_request(self, request, address):
        """The handshake is on the thread of the connection. What it refuses is read to its end, so that no reset overtakes the
        reason."""
        if self.context:
            request = self.context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
            try:
                request.do_handshake()
            except ssl.SSLError:
                request.shutdown(socket.SHUT_WR)
                request.settimeout(5)
                while request.recv(4096):
                    pass
                return
        super().finish_request(request, address)

    def handle_error(self, request, address):
        pass

    def items(self):
        """How many of each signal it has, and from whom."""
        have, who = dict.fromkeys(SIGNALS, 0), set()
        with self.mutex:
            for body, name in self.seen:
                who.add(name)
                for r in body.get("resourceSpans", []):
                    have["traces"] += sum(len(s["spans"]) for s in r["scopeSpans"])
                for r in body.get("resourceLogs", []):
                    have["logs"] += sum(len(s["logRecords"]) for s in r["scopeLogs"])
                for r in body.get("resourceMetrics", []):
                    have["metrics"] += sum(len(s["metrics"]) for s in r["scopeMetrics"])
        return have, who


def arrives(what, server, variables, *arguments, host="127.0.0.1", who="client"):
    """Everything is delivered, once."""
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"https://{host}:{server.port}", **variables}
    out, said = run_send(program, 5, 20, 30000, *arguments, **variables)
    have, names = server.items()
    check(out["init"] == out["flush"] == out["shutdown"] == "0" and said == "" and balanced(out) and
          all(out[f"before.{s}.queued"] == "0" and out[f"after.{s}.failed"] == "0" and have[s] == int(out[f"after.{s}.delivered"])
              for s in SIGNALS) and have["traces"] == have["logs"] == 5 and names == {who},
          f"{what}: everything arrives, from {who}", out, said, have, names)


def waits(what, server, words, variables, *arguments, host="127.0.0.1", scheme="https"):
    """Nothing arrives: it waits, and what waits at the end is lost, counted, and the reason is given in curl's words."""
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{scheme}://{host}:{server.port}", **variables}
    out, said = run_send(program, 5, 20, 1500, *arguments, **variables)
    have, _ = server.items()
    check(out["init"] == "0" and out["flush"] == "-5" and out["shutdown"] == "-5" and balanced(out) and
          all(out[f"before.{s}.failed"] == "0" and int(out[f"before.{s}.queued"]) >= 1 and have[s] == 0 and
              out[f"after.{s}.failed"] == out[f"after.{s}.recorded"] for s in SIGNALS),
          f"{what}: nothing arrives, it waits, and what waits at the end is counted", out, said, have)
    check(all(any(w in text for w in words) for text in (out["after.error"], said)) and said.count("a delivery failed") == 3,
          f"{what}: the diagnostic and last_error say \"{out['after.error']}\"", out, said)


def recovers():
    """A receiver whose certificate has expired gets a new one."""
    server = Server("expired")
    threading.Timer(1.5, server.use, ["server"]).start()
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"https://127.0.0.1:{server.port}", **tls()}
    out, said = run_send(program, 5, 20, 30000, **variables)
    have, _ = server.items()
    check(out["flush"] == "0" and balanced(out) and "expired" in said and have["traces"] == have["logs"] == 5 and have["metrics"] >= 1,
          "a receiver with an expired certificate gets a new one: everything that waited arrives, once", out, said, have)


def per_signal():
    """Each signal may have files of its own: the CA of the traces is right, the client of the logs is a stranger."""
    server = Server("server")
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"https://127.0.0.1:{server.port}", **tls("other"),
                 **tls(certificate=None, signal="TRACES_"), **tls("ca", "stranger", signal="LOGS_")}
    out, said = run_send(program, 5, 20, 3000, **variables)
    have, who = server.items()
    check(have == {"metrics": 0, "traces": 5, "logs": 0} and who == {"client"} and out["before.traces.delivered"] == "5" and
          out["before.metrics.delivered"] == out["before.logs.delivered"] == "0" and balanced(out),
          "certificates for each signal: those with the right ones arrive", out, said, have)


def main():
    files.authority("ca")
    files.authority("other")
    here = "IP:127.0.0.1,DNS:localhost"
    files.sign("server", "ca", here)
    files.sign("expired", "ca", here, end="20200102000000Z")
    files.sign("elsewhere", "ca", "DNS:collector.example")
    files.sign("client", "ca")
    files.sign("stranger", "other")
    older = ssl.TLSVersion.TLSv1_2
    cases = [
        (arrives, "private CA and client certificate", Server("server"), tls()),
        (partial(arrives, host="localhost"), "the same by name, TLS 1.2", Server("server", newest=older), tls()),
        (partial(arrives, who=None), "SSL_CERT_FILE", Server("server", asks=False), {"SSL_CERT_FILE": path("ca.pem")}),
        (partial(arrives, who=None), "insecure", Server("elsewhere", asks=False), {}, "insecure"),
        (waits, "wrong CA", Server("server"), ["certificate"], tls("other")),
        (waits, "no CA", Server("server"), ["certificate"], tls(None)),
        (waits, "no such CA file", Server("server"), ["certificate file", "verify locations"], tls("nowhere")),
        (waits, "expired certificate", Server("expired"), ["expired"], tls()),
        (waits, "wrong host name", Server("elsewhere"), ["subject name"], tls()),
        (waits, "no client certificate", Server("server"), ["alert certificate required"], tls(certificate=None)),
        (waits, "no client certificate, TLS 1.2", Server("server", newest=older), ["handshake failure"], tls(certificate=None)),
        (waits, "client certificate of another CA", Server("server"), ["unknown ca"], tls(certificate="stranger")),
        (waits, "a key of another certificate", Server("server"), ["private key"], tls(key="stranger")),
        (waits, "https to a receiver without TLS", Server(None), ["wrong version"], tls()),
        (partial(waits, scheme="http"), "http to a receiver with TLS", Server("server"), ["mpty reply", "reset", "Recv failure", "HTTP/0.9"], {}),
        (per_signal,), (recovers,),
    ]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(*case) for case in cases]:
            done.result()


main()
