"""stores.py -- what the checks of servers that keep metrics share: what points.c must have become there, and how to ask."""
import json
import subprocess
import time
import urllib.parse
import urllib.request

from books import check

# Of the metrics of points.c, as Prometheus names them: labels and values, of histograms the count, the sum and some buckets.
NUMBERS = {
    "points_calls_total": {"route=/a": 500, "route=/b": 500}, "points_seconds_total": {"": 250}, "points_depth": {"": 500},
    "points_level_ratio": {"": 0.5}, "points_io_total": {"disk=sda": 17}, "points_load": {"": 0.75},
}
HISTOGRAMS = {
    "points_sizes_bytes": (1000, 499500, {"5": 6, "75": 76, "1000": 1000, "+Inf": 1000}),
    "points_spread_milliseconds": (1000, 499500, {"1": 2, "64": 65, "512": 513, "+Inf": 1000}),
}


def fetch(url, body=None, **headers):
    """An answer and its status; 0: none."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
            return answer.read().decode(), answer.status
    except urllib.error.HTTPError as e:
        return e.read().decode(), e.code
    except OSError as e:
        return str(e), 0


def until(condition, seconds=30):
    """What the condition says as soon as it is true, or at last."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def run(*command, **variables):
    """Exit code and what was said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(variables, PATH="/usr/bin:/bin"))
    return done.returncode, done.stderr


def query(server, promql):
    """The answer of the API of Prometheus: [(labels, value)], with the name of the metric among the labels."""
    text, status = fetch(server + "/api/v1/query?" + urllib.parse.urlencode({"query": promql}))
    if status != 200:
        return []
    return [(one["metric"], float(one["value"][1])) for one in json.loads(text)["data"]["result"] if "value" in one]


def labelled(samples, ignored):
    """Labels as one text, without those that the server has added."""
    return {",".join(f"{k}={v}" for k, v in sorted(labels.items()) if k not in ignored and k != "__name__"): value
            for labels, value in samples}


def check_points(what, ask, ignored, numbers=None, histograms=None):
    """Whether ask(name), which gives samples, has the values of points.c."""
    for name, want in (NUMBERS if numbers is None else numbers).items():
        have = labelled(ask(name), ignored)
        check(have == want, f"{what}: {name} {want}", have)
    for name, (count, total, buckets) in (HISTOGRAMS if histograms is None else histograms).items():
        have = {float(key[3:]): value for key, value in labelled(ask(name + "_bucket"), ignored).items()}
        ends = labelled(ask(name + "_count"), ignored), labelled(ask(name + "_sum"), ignored)
        check(ends == ({"": count}, {"": total}) and all(have.get(float(le)) == n for le, n in buckets.items()),
              f"{what}: {name} with {count} values, {len(have)} buckets", have, ends)
