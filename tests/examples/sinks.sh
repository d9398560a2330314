#!/bin/sh
# sinks.sh -- builds each program of examples/sinks by the line of its first comment and runs it against a receiver that checks
# every rule of the protocol (sinks.py). CC, FLAGS and EXAMPLES are given.
command -v python3 >/dev/null 2>&1 || { echo "no python3"; exit 77; }
here=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d) && trap "rm -rf \"$place\"" EXIT
cd "$EXAMPLES/sinks" || exit 1
for source in *.c; do
    line=$(sed -n 's/^ *build cc //p' "$source")
    [ -n "$line" ] || { echo "$source: no build line"; exit 1; }
    eval "$CC $FLAGS -O0 $(echo "$line" | sed "s|-o |-o $place/|")" || exit 1
done
python3 "$here/sinks.py" "$place"
