#!/usr/bin/env python3
"""Stands between the program under test and the Collector and writes down what goes over the wire. Standard library only.

    wire.py PORT FOLDER COLLECTOR_PORT     hands every request on to the Collector and its answer back
    wire.py PORT FOLDER                    stands in for the Collector: answers 200 and writes the bodies (OTLP JSON) as it
                                           would, one to a line, to FOLDER/{traces,metrics,logs}.json

Either way FOLDER/wire.json gets one line for each request: the number of its connection, its first line, its header lines
as they came, the size of its body and the status of the answer. Listens on 127.0.0.1 until SIGTERM.
"""
import gzip
import http.client
import json
import signal
import socket
import socketserver
import sys
import threading

port, folder = int(sys.argv[1]), sys.argv[2]
collector = int(sys.argv[3]) if len(sys.argv) > 3 else 0
lock = threading.Lock()
connections = 0


def note(name, line):
    with lock:
        with open(f"{folder}/{name}.json", "a") as f:
            f.write(line + "\n")


def value_of(head, name):
    found = [h.split(":", 1)[1].strip() for h in head if h.split(":", 1)[0].lower() == name]
    return found[0] if found else ""


def keep(path, head, body):
    """What the Collector does with a body; the status of the answer."""
    signal_name = path.rsplit("/", 1)[-1]
    if signal_name not in ("traces", "metrics", "logs"):
        return 404
    try:
        if value_of(head, "content-encoding") == "gzip":
            body = gzip.decompress(body)
        document = json.loads(body)
    except (OSError, ValueError):
        return 400
    if document:
        note(signal_name, json.dumps(document))
    return 200


class Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        global connections
        with lock:
            connections += 1
            number = connections
        onward = http.client.HTTPConnection("127.0.0.1", collector, timeout=30) if collector else None
        try:
            while self.exchange(number, onward):
                pass
        except OSError:
            note("wire", json.dumps({"connection": number, "broken": True}))
        if onward:
            onward.close()

    def exchange(self, number, onward):
        first = self.rfile.readline(65536).decode("latin-1").rstrip("\r\n")
        if not first:
            return False
        head = []
        while line := self.rfile.readline(65536).decode("latin-1").rstrip("\r\n"):
            head.append(line)
        body = self.rfile.read(int(value_of(head, "content-length") or 0))
        path = first.split(" ")[1]
        if onward:
            onward.putrequest(first.split(" ")[0], path, skip_host=True, skip_accept_encoding=True)
            for line in head:
                onward.putheader(*line.split(": ", 1))
            onward.endheaders(body)
            answer = onward.getresponse()
            status, kind, text = answer.status, answer.getheader("Content-Type", "text/plain"), answer.read()
        else:
            status, kind, text = keep(path, head, body), "application/json", b"{}"
        note("wire", json.dumps({"connection": number, "first": first, "head": head, "size": len(body), "status": status}))
        self.wfile.write(f"HTTP/1.1 {status} {http.client.responses.get(status, '')}\r\nContent-Type: {kind}\r\n"
                         f"Content-Length: {len(text)}\r\n\r\n".encode("latin-1") + text)
        return True


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    block_on_close = False
    address_family = socket.AF_INET
    request_queue_size = 64


server = Server(("127.0.0.1", port), Connection)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.1)
