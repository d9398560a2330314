#!/usr/bin/env python3
"""run.py CLIENT [CLIENT_WITH_CURL] -- receivers that misbehave, on loopback, each against a client of its own, all at a time.

Whatever a receiver does: the client ends in time, its books are exact (recorded = delivered + failed + dropped, nothing
queued), what it counts as delivered the receiver has, and nothing that was answered with 2xx arrives twice. Prints what is
wrong, and as its last line `N passed, N failed`."""
import collections, os, re, socket, struct, subprocess, sys, threading, time

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
passed = failed = 0
lock = threading.Lock()


def check(name, good, what):
    global passed, failed
    with lock:
        if good:
            passed += 1
        else:
            failed += 1
            print(f"FAIL {name}: {what}")


class Receiver:
    """Serves connections by a function of (receiver, connection, number of the request); that answers and says whether to go on."""

    def __init__(self, talk, on_accept=None):
        self.talk, self.on_accept = talk, on_accept
        self.seen, self.taken, self.requests, self.connections = collections.Counter(), collections.Counter(), 0, 0
        self.asked, self.content_types = None, set()
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.socket.accept()
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection, self.connections), daemon=True).start()

    def serve(self, connection, number):
        try:
            if self.on_accept and not self.on_accept(self, connection, number):
                return
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    piece = connection.recv(1 << 20)
                    if not piece:
                        return
                    data += piece
                head, body = data.split(b"\r\n\r\n", 1)
                size = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
                self.content_types.add(re.search(rb"(?i)content-type: *([^\r]*)", head).group(1))
                while len(body) < size:
                    piece = connection.recv(1 << 20)
                    if not piece:
                        return
                    body += piece
                data, body = body[size:], body[:size]
                self.requests += 1
                ids = [int(i) for i in re.findall(rb"id=(\d+);", body)]
                self.seen.update(ids)
                if not self.talk(self, connection, ids):
                    return
        except OSError:
            pass
        finally:
            connection.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def takes(then=True, answer=OK, delay=0.0):
    def talk(r, connection, ids):
        time.sleep(delay)
        r.taken.update(ids)
        connection.sendall(answer)
        return then
    return talk


def says(text, then=True, slowly=0.0):
    def talk(r, connection, ids):
        if slowly:
            for i in range(len(text)):
                connection.sendall(text[i:i + 1])
                time.sleep(slowly)
        else:
            connection.sendall(text)
        return then
    return talk


def endless(text, piece):
    def talk(r, connection, ids):
        connection.sendall(text)
        while True:
            connection.sendall(piece)
    return talk


def silent(r, connection, ids):
    time.sleep(30)
    return False


def resets(r, connection, ids):
    reset(connection)
    return False


def first(bad, seconds):
    """Bad for that long from the first request on, however late that comes, then well."""
    well = takes()

    def talk(r, connection, ids):
        r.asked = r.asked or time.monotonic()
        return (bad if time.monotonic() - r.asked < seconds else well)(r, connection, ids)
    return talk


def refuses(r, connection, number):
    reset(connection)
    return False


def status(code, headers=b"", body=b"no"):
    return says(b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s" % (code, headers, len(body), body))


SETTINGS = b"\0\0\6\4\0\0\0\0\0\0\5\0\0\x40\0"
# name: talk, everything arrives (True) or nothing is counted as delivered (False) or either (None), a part of the diagnostic
CASES = {
    "well": (takes(), True, None),
    "50 ms away": (takes(delay=0.05), True, None),
    "closes after each answer, unannounced": (takes(then=False), True, None),
    "closes after each answer, announced": (takes(False, b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"), True, None),
    "HTTP/1.0": (takes(False, b"HTTP/1.0 200 OK\r\n\r\n{}"), True, None),
    "no body": (takes(answer=b"HTTP/1.1 204 No Content\r\n\r\n"), True, None),
    "interim answers": (takes(answer=b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\n" + OK), True, None),
    "chunks": (takes(answer=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nT: x\r\n\r\n"), True, None),
    "an answer nobody asked for": (takes(answer=OK + OK), True, None),
    "503 at first": (first(status(503), 0.3), True, "answered 503: no"),
    "429 at first, and when to come back": (first(status(429, b"Retry-After: 1\r\n"), 0.3), True, "429"),
    "silent": (silent, False, None),
    "resets": (resets, False, None),
    "closes without an answer": (says(b"", False), False, "connection closed"),
    "half a head": (says(b"HTTP/1.1 200 OK\r\nContent-Le", False), None, None),
    "half a body": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", False), None, None),
    "drips": (says(OK, True, 0.05), None, None),
    "endless head": (endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000), None, None),
    "endless body": (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"y" * 65536), None, None),
    "endless chunks": (endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\nabcd\r\n" * 1000), None, None),
    "endless interim answers": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), False, None),
    "huge length": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"), None, None),
    "two lengths": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), None, None),
    "length and chunks": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"), None, None),
    "a chunk that overflows": (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"), None, None),
    "not HTTP": (says(b"220 mail ready\r\n"), False, "not HTTP"),
    "NUL": (says(b"HTTP/1.1 200 \0\r\n\r\n"), None, None),
    "speaks HTTP/2": (says(SETTINGS, False), False, "gRPC"),
    "speaks TLS": (says(b"\x15\3\1\0\2\2\x46", False), False, "TLS"),
    "400": (status(400, body=b"json  encoding\nisn't supported. Use \x1b[1mprotobuf"), False, "answered 400: json encoding isn't supported"),
    "401": (status(401), False, "answered 401"),
    "404, HTML": (status(404, b"Content-Type: text/html\r\n", b"<html>nothing here</html>"), False, "nothing here"),
    "413": (status(413, body=b"<html>\r\n<h1>413 Too Large</h1>\r\n<hr>nginx</html"), False, "answered 413: 413 Too Large nginx"),
    "500": (status(500), False, "answered 500"),
    "301": (status(301, b"Location: http://127.0.0.1:1/\r\n"), False, "answered 301"),
    "503": (status(503, b"Retry-After: 0\r\n"), False, "answered 503"),
    "deep JSON": (status(400, body=b'{"a":' * 600), False, "answered 400"),
}
# The same over http/protobuf, whose answers are protobuf, too.
PROTOBUF_CASES = {
    "protobuf": (takes(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), True, None),
    "protobuf, partial success": (takes(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n\x0a\x0b\x08\x02\x12\x07too old"), None, "too old"),
    "protobuf, a Status": (status(400, body=b"\x08\x03\x12\x0bno such key"), False, "answered 400: no such key"),
    "protobuf, an answer in JSON": (status(400, body=b'{"message":"in JSON"}'), False, "answered 400: in JSON"),
    "protobuf, an answer in words": (status(400, body=b"just words"), False, "answered 400: just words"),
}
RECORDS, OVER_MS, SHUTDOWN_MS = 60, 600, 1200


def books(name, line, receiver, everything):
    m = re.match(r"recorded (\d+) delivered (\d+) failed (\d+) dropped (\d+) queued (\d+) result (-?\d+) took ([\d.]+) pump ([\d.]+)", line)
    check(name, m is not None, f"the client says {line!r}")
    if not m:
        return
    recorded, delivered, lost, dropped, queued, result = (int(x) for x in m.groups()[:6])
    took, pump = float(m.group(7)), float(m.group(8))
    check(name, recorded == RECORDS and recorded == delivered + lost + dropped and queued == 0, f"books: {line}")
    check(name, delivered <= len(receiver.seen), f"{delivered} delivered, the receiver has {len(receiver.seen)}")
    check(name, took < SHUTDOWN_MS / 1000 + 2, f"shutdown took {took} s")
    check(name, pump < 2, f"tel_pump(10) took {pump} s")
    check(name, result == 0 or delivered < recorded, f"tel_shutdown says {result}: {line}")
    if everything:
        check(name, delivered == RECORDS and len(receiver.taken) == RECORDS, f"not everything arrived: {line}")
        check(name, max(receiver.taken.values()) == 1, "something that was taken came again")
    if everything is False:
        check(name, delivered == 0, f"what nobody took counts as delivered: {line}")


def run(name, client, receiver, everything, word, env=None, pump=False):
    command = [client, f"http://127.0.0.1:{receiver.port}", str(RECORDS), str(OVER_MS), str(SHUTDOWN_MS)] + (["pump"] if pump else [])
    try:
        p = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, env=dict(env or {}, PATH=os.environ["PATH"]))
    except subprocess.TimeoutExpired:
        check(name, False, "the client hangs")
        return
    check(name, p.returncode == 0, f"exit {p.returncode} {p.stderr[-300:]}")
    books(name, p.stdout.strip(), receiver, everything)
    check(name, not word or word in p.stderr, f"the diagnostic lacks {word!r}: {p.stderr[:300]}")
    if env and env.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "http/protobuf":
        check(name, receiver.content_types == {b"application/x-protobuf"}, f"content types {receiver.content_types}")
    check(name, "\x1b" not in p.stderr, "a control character reaches the terminal")


def main():
    threads = []

    def start(*args, **more):
        t = threading.Thread(target=run, args=args, kwargs=more)
        t.start()
        threads.append(t)
        if len(threads) % 12 == 0:
            for t in threads[-12:]:
                t.join()
    client = sys.argv[1]
    for name, (talk, everything, word) in CASES.items():
        start(name, client, Receiver(talk), everything, word)
    for name in ("well", "50 ms away", "503 at first", "closes after each answer, unannounced", "resets", "silent"):
        talk, everything, word = CASES[name]
        start(name + ", pumped", client, Receiver(talk), everything, word, pump=True)
    for name, (talk, everything, word) in PROTOBUF_CASES.items():
        start(name, client, Receiver(talk), everything, word, env={"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"})
    start("resets when accepting", client, Receiver(takes(), on_accept=refuses), False, None)
    if len(sys.argv) > 2:
        for name in ("well", "50 ms away", "503 at first", "silent", "resets", "400", "413", "endless body", "huge length", "drips"):
            talk, everything, word = CASES[name]
            start(name + ", libcurl", sys.argv[2], Receiver(talk), everything, word)
        start("50 ms away, libcurl, pumped", sys.argv[2], Receiver(takes(delay=0.05)), True, None, pump=True)
    for t in threads:
        t.join()
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0)


main()
