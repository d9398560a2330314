#!/bin/sh
# nginx_job.sh -- a real nginx between send.c and the Collector: a body limit with larger requests, gzip, a rate limit, a
# receiver that is away, connections that end after three requests, a reload under load, TLS with client certificates. With our
# own client and with libcurl. nginx_check.py sends, and compares what the Collector has with the books, record by record.
. "$(dirname "$0")/lib.sh"
start
PATH=$PATH:/usr/sbin
need "nginx job" nginx openssl curl timeout python3 "${CC:-gcc}"
for header in curl/curl.h zlib.h; do
    echo "#include <$header>" | ${CC:-gcc} -fsyntax-only -x c - 2>/dev/null || { skip "nginx job: no $header (tests/run.sh --install)"; finish; }
done
build send -DTELEMETRY_ZLIB -lz
mv "$work/send" "$work/own"
build send -DTELEMETRY_ZLIB -DTELEMETRY_CURL -lz -lcurl
mv "$work/send" "$work/curl"
start_receiver
set -- $(ports 2)
check 300 "nginx" "$peers/nginx_check.py" send "$work" "$otlp_port" "$1" "$2" "$encodings"
stop_receiver
check 100 "nginx" "$peers/nginx_check.py" compare "$work"
finish
