#!/bin/sh
# tls_job.sh -- OTLP over TLS, with libcurl: a server with a private CA that asks for a client's certificate, and what goes wrong
# with it: the CA, the date, the name, the certificate, the key, the protocol. tls_check.py makes the certificates, serves and says
# what is asserted; send.c sends.
. "$(dirname "$0")/lib.sh"
start
need "TLS job" openssl timeout python3 "${CC:-gcc}"
if ! echo '#include <curl/curl.h>' | ${CC:-gcc} -fsyntax-only -x c - 2>/dev/null; then
    skip "TLS job: no curl/curl.h (tests/run.sh --install)"
    finish
fi
build send -DTELEMETRY_CURL -lcurl
check 240 "TLS" "$peers/tls_check.py" "$work/send" "$work"
finish
