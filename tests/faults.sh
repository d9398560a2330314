#!/bin/sh
# faults.sh -- receivers that misbehave, against a client of our own and, where there is one, against libcurl: about 20 seconds.
. "$(dirname "$0")/lib.sh"
[ -f "$header" ] || { fail "faults: there is no $header"; finish; }
have python3 || { skip "faults" "needs python3"; finish; }

compile_c "$work/client" "$tests/faults/client.c" -O1 -g || { fail "faults: the client does not compile"; finish; }
with_curl=
if try_compile "$CC" '#include <curl/curl.h>'; then
    with_curl=$work/client_curl
    compile_c "$with_curl" "$tests/faults/client.c" -O1 -g -DTELEMETRY_CURL -lcurl || { fail "faults: the client with libcurl does not compile"; finish; }
else
    skip "faults: libcurl" "no curl/curl.h"
fi
job_checks "faults/run.py" limit "$LIMIT" python3 "$tests/faults/run.py" "$work/client" $with_curl
finish
