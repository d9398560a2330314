#!/usr/bin/env python3
"""prometheus_check.py PROMETHEUS PROMTOOL POINTS FOLDER PORT PAGE_PORT PAGE_PORT -- starts a Prometheus 3 for each translation of
names, lets it scrape points.c, sends OTLP to it, and compares what its API says. Prints lines with ok or FAIL."""
import json
import subprocess
import sys
import urllib.parse

import stores
from books import check

prometheus, promtool, points, folder = sys.argv[1:5]
port, page, other_page = map(int, sys.argv[5:8])
url = f"http://127.0.0.1:{port}"
TRANSLATIONS = ("UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes", "NoUTF8EscapingWithSuffixes", "NoTranslation")
FORMATS = {"text": "PrometheusText0.0.4", "text1": "PrometheusText1.0.0", "openmetrics": "OpenMetricsText1.0.0"}
ADDED = {"job", "instance"}


def config(translation):
    jobs = [f"{{job_name: {job}, scrape_protocols: [{form}], static_configs: [{{targets: ['127.0.0.1:{page}']}}]}}" for job, form in FORMATS.items()]
    for job, escaping in (("own", "allow-utf-8"), ("escaped", "underscores")):
        jobs.append(f"{{job_name: {job}, metric_name_escaping_scheme: {escaping}, static_configs: [{{targets: ['127.0.0.1:{other_page}']}}]}}")
    return f"global: {{scrape_interval: 500ms}}\notlp: {{translation_strategy: {translation}}}\nscrape_configs:\n" + "".join(f"- {j}\n" for j in jobs)


class Running:
    """A Prometheus, and a program that it scrapes, whose second page has the same translation."""

    def __init__(self, number):
        with open(f"{folder}/{number}.yaml", "w") as f:
            f.write(config(TRANSLATIONS[number]))
        with open(f"{folder}/{number}.log", "w") as log:
            self.server = subprocess.Popen(
                [prometheus, f"--config.file={folder}/{number}.yaml", f"--storage.tsdb.path={folder}/{number}.tsdb", "--web.enable-otlp-receiver",
                 f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage,otlp-deltatocumulative"], stdout=log, stderr=log)
        self.program = subprocess.Popen([points, "serve", str(page), str(other_page), str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        self.program.stdout.readline()
        if not stores.until(lambda: stores.fetch(url + "/-/ready")[1] == 200):
            sys.exit("FAIL Prometheus did not start")
        return self

    def __exit__(self, *_):
        self.program.stdin.close()
        self.program.wait(30)
        self.server.terminate()
        self.server.wait(30)


def asks(**labels):
    chosen = ",".join(f'{k}="{v}"' for k, v in labels.items())
    return lambda name: stores.query(url, '{__name__="%s",%s}' % (name, chosen))


def test_scrapes():
    stores.until(lambda: len(stores.query(url, "up == 1")) == len(FORMATS) + 2)
    stores.until(lambda: all(asks(job=job)("points_load") for job in FORMATS))
    for job, form in FORMATS.items():
        stores.check_points(f"scraped as {form}", asks(job=job), ADDED)
    found = json.loads(stores.fetch(url + "/api/v1/query_exemplars?" + urllib.parse.urlencode(
        {"query": '{__name__=~"points_.*",job="openmetrics"}', "start": 0, "end": 4000000000}))[0])["data"]
    by_name = {}
    for one in found:
        by_name.setdefault(one["seriesLabels"]["__name__"], []).extend(one["exemplars"])
    sizes = by_name.get("points_sizes_bytes_bucket", [])
    check({"points_calls_total", "points_seconds_total"} <= set(by_name) and sorted(float(e["value"]) for e in sizes)[-3:] == [500, 750, 999] and
          all(len(e["labels"]["trace_id"]) == 32 and len(e["labels"]["span_id"]) == 16 for e in sizes),
          f"{len(found)} series have exemplars, with their values and ids", by_name)
    text, _ = stores.fetch(f"http://127.0.0.1:{page}/metrics")
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
    wish = 'points_spread_milliseconds use base unit "seconds" instead of "milliseconds"'
    check((done.stdout + done.stderr).strip() == wish, f"promtool 3 only says: {wish}", done.returncode, done.stdout, done.stderr)


def test_otlp(protocol, way):
    code, said = stores.run(points, way, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=url + "/api/v1/otlp/v1/metrics",
                            OTEL_EXPORTER_OTLP_PROTOCOL="http/" + protocol, OTEL_RESOURCE_ATTRIBUTES="service.instance.id=" + protocol)
    what = f"OTLP, {protocol}, {way}"
    check(code == 0 and said == "", f"{what}: taken", code, said)
    ask = asks(job=way, instance=protocol)
    stores.until(lambda: ask("points_load"))
    stores.check_points(what, ask, ADDED, histograms={"points_sizes_bytes": stores.HISTOGRAMS["points_sizes_bytes"]})
    native = '{__name__="points_spread_milliseconds",job="%s",instance="%s"}' % (way, protocol)
    values = [stores.query(url, text % native) for text in ("histogram_count(%s)", "histogram_sum(%s)", "histogram_fraction(64, 128, %s)",
                                                           "histogram_fraction(256, 512, %s)")]
    check([round(v[0][1], 9) for v in values if v] == [1000, 499500, 0.064, 0.256], f"{what}: a native histogram, count, sum, fractions", values)


def names(job):
    text, _ = stores.fetch(url + "/api/v1/label/__name__/values?" + urllib.parse.urlencode({"match[]": '{__name__=~"points.*",job="%s"}' % job}))
    return set(json.loads(text)["data"])


def test_names(number):
    """The families are the same, scraped and by OTLP. A counter of OpenMetrics always ends with _total, and only there is an
    exponential histogram a classic one."""
    stores.until(lambda: names("own") and names("whole") and names("escaped"))

    def family(name):
        for end in ("_bucket", "_count", "_sum") + (("_total",) if number % 2 else ()):
            name = name.removesuffix(end)
        return name
    own, theirs = {family(n) for n in names("own")}, {family(n) for n in names("whole")}
    check(own == theirs and len(own) == 8, f"{TRANSLATIONS[number]}: {sorted(own)}", own ^ theirs)
    escaped = {family(n) for n in names("escaped")}
    check(escaped == {n.replace(".", "_") for n in own}, f"{TRANSLATIONS[number]}, scraped with underscores", escaped)


for number in range(4):
    with Running(number):
        if number == 0:
            test_scrapes()
            for protocol in ("json", "protobuf"):
                for way in ("whole", "parts"):
                    test_otlp(protocol, way)
        else:
            stores.run(points, "whole", OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=url + "/api/v1/otlp/v1/metrics")
        test_names(number)
