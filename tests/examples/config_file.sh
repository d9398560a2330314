# The example's file loads, its sinks show what its metrics count, and what is not captured is not there.
file=$(dirname "$PROGRAM")/examples/config_file.json
[ -f "$file" ] || { echo "there is no $file"; exit 1; }
"$PROGRAM" "$file" once >output 2>errors || { echo "exit $?"; cat errors; exit 1; }
for line in 'metric  requests_total.*endpoint=/servers,method=GET,status=success.* 1' 'metric  request_duration_seconds.*count=1' \
            'metric  errors_total.*error_type=timeout' 'metric  connections_open 0' '"name":"requests_total"' '"stringValue":"gateway"' '"exponentialHistogram"'; do
    grep -q "$line" output || { echo "no line $line in"; cat output; exit 1; }
done
if grep -q cache_probes_total output; then echo "cache_probes_total was captured"; exit 1; fi
sed 's/"type": "console"/"type": "consle"/' "$file" >wrong.json
if "$PROGRAM" wrong.json once >output 2>errors; then echo "a wrong type was taken"; exit 1; fi
grep -q 'wrong.json:10:5: providers\[0\]: there is no type "consle"' errors || { cat errors; exit 1; }
