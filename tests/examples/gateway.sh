#!/bin/sh
# gateway.sh -- both providers get every metric of the file until a signal switches to one of them, and nothing that is not captured.
file=$(dirname "$PROGRAM")/gateway.json
[ -f "$file" ] || { echo "there is no $file"; exit 1; }
"$PROGRAM" "$file" >output 2>errors || { echo "exit $?"; cat errors; exit 1; }
awk '/^-- now only/ { part++ } { print > "part" part + 0 }' output
[ -f part0 ] && [ -f part1 ] && [ -f part2 ] || { echo "not switched twice:"; cat output errors; exit 1; }
sed -n 's/.*"name": "\([a-z_]*\)".*"capture": false.*/\1/p' "$file" >silent
sed -n 's/.*{ "name": "\([a-z_]*\)".*"description".*/\1/p' "$file" | grep -vFxf silent >names
[ "$(grep -c '' <names)" -ge 24 ] || { echo "fewer than 24 metrics"; cat names; exit 1; }
while read -r name; do
    grep '^metric' part0 | grep -q "$name" || { echo "the readable provider has no $name"; head -50 part0; exit 1; }
    grep '^{' part0 | grep -q "\"name\":\"$name\"" || { echo "the lines have no $name"; exit 1; }
done <names
while read -r name; do if grep -q "$name" output; then echo "$name was captured"; exit 1; fi; done <silent
if grep -q '^metric' part1; then echo "the readable provider was not switched off"; exit 1; fi
grep -q '^{' part1 || { echo "the lines stopped, too"; exit 1; }
if grep -q '^{' part2; then echo "the lines were not switched off"; exit 1; fi
grep -q 'requests_total.*status=success.* 24 1$' part2 || { echo "the last values are not there"; cat part2; exit 1; }
exit 0
