#!/bin/sh
# prometheus_job.sh -- a real Prometheus 3: scrapes in every text format that it negotiates, names in UTF-8 and escaped, exemplars;
# its OTLP receiver with JSON and protobuf, native histograms, increments; the names that its translations make. promtool 3 reads
# the page. Building it takes some minutes.
. "$(dirname "$0")/lib.sh"
start
need "Prometheus 3 job" curl timeout python3 "${CC:-gcc}"
only_full "Prometheus 3 job"
build_server promtool github.com/prometheus/prometheus/cmd/promtool v0.316.0 -tags=remove_all_sd
promtool=$server
build_server prometheus github.com/prometheus/prometheus/cmd/prometheus v0.316.0 -tags=remove_all_sd
build points
check 240 "Prometheus 3" "$peers/prometheus_check.py" "$server" "$promtool" "$work/points" "$work" $(ports 3)
finish
