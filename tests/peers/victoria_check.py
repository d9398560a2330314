#!/usr/bin/env python3
"""victoria_check.py POINTS VENDOR METRICS_URL LOGS_URL -- lets points.c and vendor.c send to VictoriaMetrics and VictoriaLogs and
compares. Prints lines with ok or FAIL."""
import datetime
import json
import re
import sys
import time
import urllib.parse

import stores
from books import check

points, vendor, metrics, logs = sys.argv[1:5]
OTLP_NUMBERS = {
    "points.calls": {"route=/a": 500, "route=/b": 500}, "points.seconds": {"": 250}, "points.depth": {"": 500},
    "points.level": {"": 0.5}, "points.io": {"disk=sda": 17}, "points.load": {"": 0.75},
}
SIZES = stores.HISTOGRAMS["points_sizes_bytes"]


def series(name):
    text, _ = stores.fetch(metrics + "/api/v1/export?" + urllib.parse.urlencode({"match[]": '{__name__="%s"}' % name}))
    return [json.loads(line) for line in text.splitlines()]


def exported(name):
    """The newest value of each series of the newest sender."""
    found = series(name)
    newest = max((s["timestamps"][-1] for s in found), default=0)
    return [(s["metric"], float(s["values"][-1])) for s in found if s["timestamps"][-1] == newest]


class Resource(set):
    """Labels that every series of OTLP has here."""

    def __contains__(self, name):
        return re.match(r"(host|os|process|service|telemetry|scope)\.", name) is not None


def test_metrics():
    for what, compression, senders in (("pages", "none", 1), ("OTLP", "none", 1), ("OTLP, gzip", "gzip", 2)):
        if what == "pages":
            code, said = stores.run(points, "page", metrics + "/api/v1/import/prometheus/metrics/job/shop")
        else:
            code, said = stores.run(points, "whole", OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=metrics + "/opentelemetry/v1/metrics",
                                    OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", OTEL_EXPORTER_OTLP_COMPRESSION=compression)
        check(code == 0 and said == "", f"VictoriaMetrics takes {what}", code, said)
        stores.until(lambda: len(series("points_level_ratio" if what == "pages" else "points.level")) == senders)
        if what == "pages":
            stores.check_points("VictoriaMetrics, " + what, exported, {"job"})
            continue
        stores.check_points("VictoriaMetrics, " + what, exported, Resource(), OTLP_NUMBERS, {"points.sizes": SIZES})
        ranges = stores.labelled(exported("points.spread_bucket"), Resource())
        check(all(k.startswith("vmrange=") for k in ranges) and sum(ranges.values()) == 1000 and
              stores.labelled(exported("points.spread_sum"), Resource()) == {"": 499500},
              f"VictoriaMetrics, {what}: the exponential histogram as {len(ranges)} ranges", ranges)
        for low, high in ((64, 128), (256, 512)):
            inside = sum(n for k, n in ranges.items() if low < float(k.split("...")[1]) <= high * 1.0001)
            check(inside == high - low, f"VictoriaMetrics, {what}: {high - low} values in ({low}, {high}]", ranges)
    code, said = stores.run(points, "whole", OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=metrics + "/opentelemetry/v1/metrics")
    check(code == 1 and "answered 400: json encoding isn't supported" in said, "VictoriaMetrics refuses JSON, and its reason is told", said)


def kept(query):
    stores.fetch(logs + "/internal/force_flush")
    text, _ = stores.fetch(logs + "/select/logsql/query?" + urllib.parse.urlencode({"query": query, "limit": 100}))
    return [json.loads(line) for line in text.splitlines()]


def recent(record, since):
    at = datetime.datetime.fromisoformat(record["_time"][:26].rstrip("Z") + "+00:00").timestamp()
    return since - 1 <= at <= time.time() + 1


def test_logs():
    trace = r"[0-9a-f]{32}"
    ways = {
        "OTLP": ("otlp", "severity_number:*", "severity_text", "amount", "trace_id",
                 {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": logs + "/insert/opentelemetry/v1/logs", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                  "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}),
        "Elasticsearch": ("elasticsearch", '"ecs.version":*', "log.level", "labels.amount", "trace.id",
                          {"ELASTICSEARCH_URL": logs + "/insert/elasticsearch?_msg_field=message&_time_field=@timestamp"}),
        "Loki": ("loki", "service_name:shop", "level", "amount", "trace_id", {"LOKI_URL": logs + "/insert"}),
    }
    for what, (sink, query, level, amount, id_field, variables) in ways.items():
        since = time.time()
        code, said = stores.run(vendor, sink, **variables)
        found = {r["_msg"]: r for r in kept(query)}
        check(code == 0 and set(found) == {"card\nrefused", "done \u00e4", "outside"}, f"VictoriaLogs takes {what}", code, said, found)
        if len(found) == 3:
            refused = found["card\nrefused"]
            check({k: r[level].lower() for k, r in found.items()} == {"card\nrefused": "error", "done \u00e4": "info", "outside": "warn"} and
                  refused[amount] == "9.5" and re.fullmatch(trace, refused[id_field]) and refused[id_field] == found["done \u00e4"][id_field] and
                  all(recent(r, since) for r in found.values()), f"VictoriaLogs, {what}: levels, attributes, trace and times", found)
    names = {r["name"] for r in kept("unit:*")}
    check(len(kept('"span.id":* AND duration:*')) == 2 and names == {"shop.orders", "shop.open", "shop.latency", "shop.size"},
          "VictoriaLogs, Elasticsearch: two spans and four metrics beside them", names)


def test_datadog():
    variables = {"DD_API_KEY": "key", "DD_ENV": "prod", "DD_SERVICE": "shop", "DD_LOGS_URL": logs + "/insert/datadog/api/v2/logs"}
    code, said = stores.run(vendor, "datadog-logs", "words", **variables)
    found = kept("tenant:*")
    check(code == 0 and len(found) == 1 and found[0]["_msg"] == "card\nrefused \u00e4" and found[0]["tenant"] == 'a"b' and
          found[0]["env"] == "prod" and found[0]["service"] == "shop",
          "VictoriaLogs takes Datadog's logs", code, said, found)
    code, said = stores.run(vendor, "datadog-logs", **variables)
    check(code == 1 and "answered 400: cannot read DataDog protocol data" in said and "3 log records" in said,
          "VictoriaLogs refuses numbers among Datadog's attributes: told and counted", code, said)


test_metrics()
test_logs()
test_datadog()
