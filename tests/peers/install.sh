#!/bin/sh
# install.sh -- what the jobs in this folder need, from Debian's package manager (as root), and the Collector built ahead.
# What cannot be had is said and left out: its jobs are then skipped. Used by tests/run.sh --install.
packages="prometheus wrk nghttp2-client curl jq python3 coreutils gcc libc6-dev ca-certificates"
command -v go >/dev/null 2>&1 || packages="$packages golang"

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

command -v go >/dev/null 2>&1 || { echo "peers: no go, so no Collector: its jobs will be skipped"; exit 0; }
. "$(dirname "$0")/lib.sh"
start
build_collector
echo "peers: the Collector is built: $collector"
