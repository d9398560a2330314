#!/bin/sh
# plugin_host.sh -- the host and its plugin in Python: what the plugin recorded is what it then finds.
command -v python3 >/dev/null 2>&1 || { echo "no python3"; exit 77; }
client=$(dirname "$PROGRAM")/plugin_client.py
mkfifo input || exit 1
"$PROGRAM" 0 s3cret <input >url 2>errors &
host=$!
exec 3>input
tries=0
until [ -s url ] || [ $tries -ge 300 ]; do sleep 0.1; tries=$((tries + 1)); done
python3 "$client" "$(cat url)" s3cret >output 2>&1
client_status=$?
python3 "$client" "$(cat url)" wrong >refused 2>&1 && { echo "a wrong token was accepted"; client_status=1; }
exec 3>&-
wait $host || { echo "the host failed"; client_status=1; }
cat >want <<'END'
refused: 400 value is missing or negative
plugin.x.calls counter 1
plugin.x.latency histogram 1
store error disk full {'plugin_id': 'x'}
load ok  {'plugin_id': 'x', 'rows': 7}
END
diff want output || client_status=1
grep -q "401" refused || { echo "no 401:"; cat refused; client_status=1; }
exit $client_status
