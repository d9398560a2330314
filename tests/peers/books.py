"""books.py -- what the checks that let send.c send share: run it, read what it prints, see that its books are exact."""
import os
import subprocess

SIGNALS = ("metrics", "traces", "logs")


def check(ok, what, *details):
    """One finding; the details are for one that fails."""
    print("\n     ".join(["ok   " + what] if ok else ["FAIL " + what, *map(str, details)]), flush=True)
    return ok


def run_send(program, items, size, timeout_ms, *arguments, **variables):
    """What it printed, as a dict, and what the SDK said."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    done = subprocess.run([program, str(items), str(size), str(timeout_ms), *arguments], capture_output=True, text=True, timeout=200,
                          env={**environment, **variables})
    if done.returncode:
        return {}, f"exit code {done.returncode}: {done.stderr}"
    return dict(line.partition(" ")[::2] for line in done.stdout.splitlines()), done.stderr


def balanced(out):
    """Recorded is delivered, failed, queued or lost, before the end and after it, when nothing is queued."""
    for when in ("before", "after"):
        for signal in SIGNALS:
            of = {k: int(out[f"{when}.{signal}.{k}"]) for k in ("recorded", "delivered", "failed", "queued", "lost")}
            if of["recorded"] != of["delivered"] + of["failed"] + of["queued"] + of["lost"] or (when == "after" and of["queued"]):
                return False
    return True
