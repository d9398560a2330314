#!/usr/bin/env python3
"""points_check.py METRICS.JSON PROTOCOL... -- what points_job.sh asks of the Collector's file, line by line: ok or FAIL."""
import json
import math
import sys

KINDS = ("sum", "gauge", "histogram", "exponentialHistogram")
CUMULATIVE, DELTA = 2, 1


def plain(value):
    return next(iter(value.values()))


def attributes(item):
    return {a["key"]: plain(a["value"]) for a in item.get("attributes", [])}


def read(path):
    """(service, protocol) -> metric name -> (kind, body, [points])"""
    found = {}
    for line in open(path, encoding="utf-8"):
        for resource in json.loads(line).get("resourceMetrics", []):
            a = attributes(resource["resource"])
            key = (a.get("service.name"), a.get("protocol"))
            for scope in resource["scopeMetrics"]:
                for metric in scope["metrics"]:
                    kind = next(k for k in KINDS if k in metric)
                    body = metric[kind]
                    entry = found.setdefault(key, {}).setdefault(metric["name"], (kind, body, []))
                    entry[2].extend(body["dataPoints"])
    return found


def number(point):
    return float(point.get("asInt", point.get("asDouble", point.get("count", 0))))


def check(ok, what):
    print(("ok   " if ok else "FAIL ") + what)


def last_or_all(points, delta, **wanted):
    """What a sink of increments has in all, or the last value of a cumulative one."""
    own = [p for p in points if attributes(p) == wanted]
    return sum(map(number, own)) if delta else number(own[-1]) if own else None


def buckets(points, delta):
    """Bucket counts at the coarsest scale that any of the points has, and the zeros."""
    used = points if delta else points[-1:]
    scale = min(p.get("scale", 0) for p in used)
    counts, zeros = {}, 0
    for p in used:
        zeros += int(p.get("zeroCount", 0))
        positive = p.get("positive", {})
        for i, n in enumerate(positive.get("bucketCounts", [])):
            at = (positive.get("offset", 0) + i) >> (p.get("scale", 0) - scale)
            counts[at] = counts.get(at, 0) + int(n)
    return scale, {k: v for k, v in counts.items() if v}, zeros


def index(value, scale):
    exact = math.log2(value) * 2.0 ** scale
    return round(exact) - 1 if abs(exact - round(exact)) < 1e-9 else math.floor(exact)


def main():
    found = read(sys.argv[1])
    for service, delta in (("whole", False), ("parts", True)):
        for protocol in sys.argv[2:]:
            m = found.get((service, protocol), {})
            name = f"{service}, {protocol}: "
            if not m:
                check(False, name + "nothing arrived")
                continue
            temporality = DELTA if delta else CUMULATIVE
            for metric, kind, monotonic, time in (
                    ("points.calls", "sum", True, temporality), ("points.seconds", "sum", True, temporality),
                    ("points.depth", "sum", False, CUMULATIVE), ("points.io", "sum", True, temporality),
                    ("points.level", "gauge", None, None), ("points.load", "gauge", None, None),
                    ("points.sizes", "histogram", None, temporality),
                    ("points.spread", "exponentialHistogram", None, temporality)):
                got = m.get(metric)
                check(got is not None and got[0] == kind and (monotonic is None or got[1].get("isMonotonic", False) == monotonic)
                      and (time is None or got[1].get("aggregationTemporality") == time), name + metric + " is what it should be")
            points = {k: v[2] for k, v in m.items()}
            check(last_or_all(points["points.calls"], delta, route="/a") == 500 and
                  last_or_all(points["points.calls"], delta, route="/b") == 500, name + "the view has folded the calls")
            check(last_or_all(points["points.seconds"], delta) == 250, name + "a sum of doubles")
            check(last_or_all(points["points.depth"], False) == 500, name + "an up-down counter")
            check(last_or_all(points["points.io"], delta, disk="sda") == 17, name + "an observed counter")
            check(number(points["points.level"][-1]) == 0.5 and number(points["points.load"][-1]) == 0.75, name + "gauges")
            check(last_or_all(points["points.sizes"], delta) == 1000, name + "a histogram")
            check(last_or_all(points["points.spread"], delta) == 1000, name + "an exponential histogram")
            scale, counts, zeros = buckets(points["points.spread"], delta)
            want = {}
            for v in range(1, 1000):
                want[index(v, scale)] = want.get(index(v, scale), 0) + 1
            check(counts == want and zeros == 1, name + f"its buckets at scale {scale} are those of the values")


main()
