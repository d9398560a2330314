#!/usr/bin/env python3
"""nginx_check.py send FOLDER RECEIVER_PORT PORT TLS_PORT ENCODINGS -- starts nginx on both ports before the receiver, lets send.c
send through it (FOLDER/own, FOLDER/curl), and holds its books against what has to be; they are kept in FOLDER/sent.json.
nginx_check.py compare FOLDER -- compares those with what the Collector has written. Both print lines with ok or FAIL."""
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections import Counter

from books import balanced, check, run_send
from certificates import Certificates

folder = sys.argv[2]
CONFIG = """user {user};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
worker_processes 2;
events {{ }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/temp;
    proxy_temp_path {folder}/temp;
    fastcgi_temp_path {folder}/temp;
    uwsgi_temp_path {folder}/temp;
    scgi_temp_path {folder}/temp;
    limit_req_zone $server_port zone=slow:1m rate=10r/s;
    limit_req_status 429;
    server {{
        listen 127.0.0.1:{port};
        location /small/ {{ client_max_body_size 256k; proxy_pass http://127.0.0.1:{receiver}/; }}
        location /plain/ {{ proxy_pass http://127.0.0.1:{receiver}/; }}
        location /slow/ {{ limit_req zone=slow burst=1 nodelay; proxy_pass http://127.0.0.1:{receiver}/; }}
        location /away/ {{ if (-f {folder}/away) {{ return 502; }} proxy_pass http://127.0.0.1:{receiver}/; }}
        location /short/ {{ keepalive_requests 3; proxy_pass http://127.0.0.1:{receiver}/; }}
    }}
    server {{
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.key;
        ssl_client_certificate {folder}/ca.pem;
        ssl_verify_client on;
        location / {{ proxy_pass http://127.0.0.1:{receiver}/; }}
    }}
}}
"""


class Sender:
    def __init__(self, port, encodings):
        self.port, self.encodings, self.sent = port, encodings, {}

    def send(self, name, client, way, items, size, *arguments, encoding="json", url=None, timeout=30000, **variables):
        """Sends and keeps what the Collector must have; its books and what was said."""
        out, said = run_send(os.path.join(folder, client), items, size, timeout, *arguments, **variables,
                             OTEL_EXPORTER_OTLP_ENDPOINT=url or f"http://127.0.0.1:{self.port}/{way}",
                             OTEL_EXPORTER_OTLP_PROTOCOL="http/" + encoding, OTEL_RESOURCE_ATTRIBUTES="run=" + urllib.parse.quote(name))
        rounds = max([int(a[7:]) for a in arguments if a.startswith("rounds=")], default=1)
        if out:
            self.sent[name] = {s: int(out[f"after.{s}.delivered"]) for s in ("traces", "logs")}
            self.sent[name]["all"] = items * rounds
        return out, said

    def whole(self, name, *arguments, **options):
        """Everything is delivered."""
        out, said = self.send(name, *arguments, **options)
        check(out and out["init"] == out["flush"] == out["shutdown"] == "0" and balanced(out) and self.sent[name]["all"] ==
              self.sent[name]["traces"] == self.sent[name]["logs"], f"{name}: the books have everything delivered", out, said)
        return said

    def large(self, client, encoding):
        """Requests that are larger than nginx takes, and what keeps them smaller."""
        name = f"256 KB limit, {client}, {encoding}"
        said = self.whole(name + ", requests of 250 KB", client, "small", 80, 10000, "rounds=4", "request=250000", encoding=encoding)
        check("413" not in said, f"{name}, requests of 250 KB: nothing is refused", said)
        self.whole(name + ", gzip", client, "small", 80, 10000, "rounds=4", encoding=encoding, OTEL_EXPORTER_OTLP_COMPRESSION="gzip")
        refused = self.refused()
        self.whole(name + ", larger requests", client, "small", 80, 10000, "rounds=4", encoding=encoding)
        refused = self.refused() - refused
        check(0 < refused < 50, f"{name}, larger requests: {refused} were refused, and sent again in halves")

    def refused(self):
        with open(os.path.join(folder, "access.log"), encoding="utf-8") as f:
            return f.read().count('" 413 ')

    def away(self, client):
        """502 for a while."""
        flag = os.path.join(folder, "away")
        open(flag, "w").close()
        threading.Timer(1.5, os.unlink, [flag]).start()
        name = f"502 for a while, {client}"
        said = self.whole(name, client, "away", 50, 100)
        check("answered 502" in said, f"{name}: it is said", said)

    def reloads(self, client, nginx):
        """Workers end and connections close while it sends."""
        done = threading.Event()

        def reload():
            while not done.wait(0.05):
                nginx.send_signal(signal.SIGHUP)
        thread = threading.Thread(target=reload)
        thread.start()
        self.whole(f"reloads, {client}", client, "plain", 20, 100, "rounds=150")
        done.set()
        thread.join()

    def certificates(self, tls_port):
        files = Certificates(folder)
        url = f"https://127.0.0.1:{tls_port}"
        self.whole("client certificate", "curl", None, 50, 100, url=url, **files.variables())
        out, said = self.send("no client certificate", "curl", None, 50, 100, url=url, **files.variables(certificate=None))
        check(out["flush"] == "-6" and out["before.status"] == "400" and balanced(out) and out["before.traces.failed"] == "50" and
              "400 No required SSL certificate was sent" in out["before.error"] and "<" not in said,
              f"no client certificate: refused, counted, and said: {out['before.error']}", out, said)


def start_nginx(receiver, port, tls_port):
    files = Certificates(folder)
    files.authority("ca")
    files.sign("server", "ca", "IP:127.0.0.1")
    files.sign("client", "ca")
    os.makedirs(os.path.join(folder, "temp"), exist_ok=True)
    with open(os.path.join(folder, "nginx.conf"), "w") as f:
        f.write(CONFIG.format(user=subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip(), folder=folder,
                              port=port, tls=tls_port, receiver=receiver))
    nginx = subprocess.Popen(["nginx", "-p", folder, "-c", os.path.join(folder, "nginx.conf")])
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", tls_port), 1).close()
            return nginx
        except OSError:
            time.sleep(0.05)
    sys.exit("FAIL nginx did not start")


def send():
    receiver, port, tls_port = map(int, sys.argv[3:6])
    nginx = start_nginx(receiver, port, tls_port)
    s = Sender(port, sys.argv[6].split())
    try:
        for client in ("own", "curl"):
            for encoding in s.encodings:
                s.large(client, encoding)
            said = s.whole(f"429, {client}", client, "slow", 100, 100, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10")
            check("answered 429" in said, f"429, {client}: it is said", said)
            s.away(client)
            s.whole(f"connections of three requests, {client}", client, "short", 5, 100, "rounds=20")
            s.reloads(client, nginx)
        s.certificates(tls_port)
    finally:
        nginx.terminate()
        nginx.wait(20)
    with open(os.path.join(folder, "sent.json"), "w") as f:
        json.dump(s.sent, f)


def arrived(kind, resources, scopes, items):
    """How often each number of each run is in the Collector's file."""
    found = {}
    with open(os.path.join(folder, kind + ".json"), encoding="utf-8") as f:
        for line in f:
            for r in json.loads(line)[resources]:
                run = {a["key"]: a["value"].get("stringValue") for a in r["resource"]["attributes"]}["run"]
                found.setdefault(run, Counter()).update(
                    int(a["value"]["intValue"]) for s in r[scopes] for item in s[items] for a in item["attributes"] if a["key"] == "n")
    return found


def compare():
    with open(os.path.join(folder, "sent.json")) as f:
        sent = json.load(f)
    have = {"traces": arrived("traces", "resourceSpans", "scopeSpans", "spans"),
            "logs": arrived("logs", "resourceLogs", "scopeLogs", "logRecords")}
    for run, want in sent.items():
        seen = {kind: have[kind].get(run, Counter()) for kind in have}
        check(all(len(seen[k]) == want[k] and max(seen[k].values(), default=1) == 1 for k in seen),
              f"{run}: {want['traces']} spans and {want['logs']} logs of {want['all']} in the Collector, each once",
              {k: (len(v), v.most_common(3)) for k, v in seen.items()})


send() if sys.argv[1] == "send" else compare()
