#!/usr/bin/env python3
"""statsd_check.py VENDOR PORT SOCKET URL -- lets vendor.c send StatsD and DogStatsD and compares what statsd_exporter has. Prints
lines with ok or FAIL."""
import re
import sys

import stores
from books import check

program, port, path, url = sys.argv[1:5]
TAGS = "env=prod,service=shop,version=2"


def samples(name):
    page = stores.fetch(url + "/metrics")[0]
    found = re.findall(r"^%s(?:\{(.*)\})? (\S+)$" % name, page, re.M)
    return stores.labelled([(dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value)) for labels, value in found], ())


def has(what, tags, counter, route):
    """The histogram has the values 0.012, 0.013 and 3, of which the middles of their buckets arrive."""
    stores.until(lambda: tags in samples("shop_open") and route in samples(counter), 10)
    for name, want in ((counter, {route: 2}), ("shop_open", {tags: -1}), ("shop_latency_count", {tags: 3}), ("shop_latency_sum", {tags: 3.785}),
                       ("shop_size_count", {tags: 3})):
        have = samples(name)
        check(all(have.get(k) == v for k, v in want.items()), f"{what}: {name} {want}", have)


def main():
    code, said = stores.run(program, "statsd", STATSD_HOST="127.0.0.1", STATSD_PORT=port)
    check(code == 0 and said == "", "StatsD is sent", code, said)
    has("StatsD", "", "shop_orders_true__cart_x", "")
    code, said = stores.run(program, "dogstatsd", DD_DOGSTATSD_URL="unix://" + path, DD_ENV="prod", DD_SERVICE="shop", DD_VERSION="2")
    check(code == 0 and said == "", "DogStatsD is sent by a Unix socket", code, said)
    has("DogStatsD", TAGS, "shop_orders", "env=prod,paid=true,route=/cart_x,service=shop,version=2")
    errors = {k: v for name in ("tag_errors_total", "sample_errors_total") for k, v in samples("statsd_exporter_" + name).items()}
    lines, understood = samples("statsd_exporter_lines_total").get(""), samples("statsd_exporter_samples_total").get("")
    check(not any(errors.values()) and lines and lines == understood, f"{lines} lines, each of which is understood", errors, understood)


main()
