#!/bin/sh
# models.sh -- the Promela models of the lock-free parts under spin. A model with an #ifdef BUG is also run with it, and
# must then be refused: a model that cannot fail proves nothing.
. "$(dirname "$0")/lib.sh"
found=
for model in "$tests"/models/*.pml; do [ ! -f "$model" ] || found="$found $model"; done
[ -n "$found" ] || { skip "models" "no tests/models/*.pml"; finish; }
have spin || { for model in $found; do skip "models: $(basename "$model" .pml)" "needs spin"; done; finish; }

# verify MODEL DEFINES: the verifier's report on stdout; 0 when it searched everything and found nothing.
verify() {
    dir=$work/bin/$(basename "$1" .pml)$2
    mkdir -p "$dir" && cd "$dir" || return 2
    spin $2 -a "$1" || return 2
    if grep -qE '^[[:space:]]*ltl|accept[A-Za-z0-9_]*:|progress[A-Za-z0-9_]*:' "$1"; then compile= search=-a; else compile=-DSAFETY search=; fi
    "$CC" -O2 -w $compile -DCOLLAPSE -DMEMLIM=2048 -o pan pan.c || return 2
    limit "$LIMIT" ./pan $search -m1000000 >report || { cat report; return 2; }
    cat report
    if grep -qE 'max search depth too small|out of memory|memory limit' report; then return 2; fi
    grep -q 'errors: 0$' report
}
holds() { verify "$1" ""; }
refused() {
    verify "$1" "-D$2"
    status=$?
    [ "$status" = 1 ] || { echo "status $status: the seeded bug $2 was not found"; return 1; }
}
for model in $found; do
    name=$(basename "$model" .pml)
    job "models: $name" holds "$model"
    for bug in $(sed -n 's/^#[[:space:]]*if\(def\)\{0,1\}[[:space:]]*\(defined(\)*\(BUG[A-Z0-9_]*\).*/\3/p' "$model" | sort -u); do
        job "models: $name with $bug is refused" refused "$model" "$bug"
    done
done
finish
