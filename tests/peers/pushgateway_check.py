#!/usr/bin/env python3
"""pushgateway_check.py POINTS URL -- lets points.c push to a Pushgateway and compares. Prints lines with ok or FAIL."""
import json
import sys

import stores
from books import check

program, url = sys.argv[1:3]


def groups():
    return json.loads(stores.fetch(url + "/api/v1/metrics")[0])["data"]


def main():
    code, said = stores.run(program, "page", url + "/metrics/job/shop/zone/eu")
    check(code == 0 and said == "", "pages are accepted", code, said)
    group = next(g for g in groups() if g["labels"] == {"job": "shop", "zone": "eu"})
    check(group["last_push_successful"] is True, "the last push was a success")

    def ask(name):
        for end in ("_bucket", "_count", "_sum"):
            for m in group.get(name.removesuffix(end), {"metrics": []})["metrics"] if name.endswith(end) else ():
                if end != "_bucket":
                    return [(m["labels"], float(m[end[1:]]))]
                return [(dict(m["labels"], le=le), float(n)) for le, n in m["buckets"].items()]
        return [(m["labels"], float(m["value"])) for m in group.get(name, {"metrics": []})["metrics"]]
    stores.check_points("the Pushgateway", ask, {"job", "zone", "instance"})
    types = {name: group[name]["type"] for name in (*stores.NUMBERS, *stores.HISTOGRAMS) if name in group}
    check(set(types.values()) == {"COUNTER", "GAUGE", "HISTOGRAM"} and
          all((kind == "COUNTER") == name.endswith("_total") for name, kind in types.items()), "types", types)
    code, said = stores.run(program, "page", url + "/metrics/job/shop/odd")
    check(code == 1 and "answered 400: odd number of components" in said and len(groups()) == 1,
          "a group that is none: the refusal is told in the Pushgateway's words", code, said)


main()
