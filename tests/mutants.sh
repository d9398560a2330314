#!/bin/sh
# mutants.sh [NAME...] -- is every one of these changes of the header found by the tests that should find it? Run by hand: it
# takes minutes. Each mutant changes one line (a sed expression); the programs named after it are built with the
# changed header, and one of them has to fail. A survivor fails, and so does a mutant that no longer changes anything.
. "$(dirname "$0")/lib.sh"
names=" $* "

# mutant NAME 'PROGRAM...' SED
mutant() {
    [ "$names" = "  " ] || case $names in *" $1 "*) ;; *) return;; esac
    for program in $2; do
        case " $controls " in *" $program "*) continue;; esac
        controls="$controls $program"
        job "mutants: $program passes without one" spared "$program"
    done
    job "mutants: $1" killed "$@"
}
controls=
spared() {
    dir=$work/bin/$(echo "$1" | tr / .)
    mkdir -p "$dir" && cd "$dir" || return 1
    "$CC" -std=gnu99 -w $check -O0 -I"$include" -I"$tests" "$tests/$1.c" -o test -pthread && limit "$LIMIT" ./test
}
killed() {
    dir=$work/bin/$1
    mkdir -p "$dir" && cd "$dir" || return 1
    sed "$3" "$header" >telemetry.h
    changed=$(diff "$header" telemetry.h | grep -c '^>')
    [ "$changed" = 1 ] || { echo "changes $changed lines instead of one"; return 1; }
    for program in $2; do
        "$CC" -std=gnu99 -w $check -O0 -I"$dir" -I"$tests" "$tests/$program.c" -o test -pthread || { echo "does not compile"; return 1; }
        limit "$LIMIT" ./test >log 2>&1 || return 0
    done
    echo "survived: $2"
    return 1
}

mutant memory-cap        rooms/memory      's/return was <= m->limit \&\& size <= m->limit - was;/return was <= m->limit;/'
mutant utf8-surrogates   rooms/text        's/if (first == 0xed) { high = 0x9f; }/if (first == 0xed) { high = 0xbf; }/'
mutant json-quote        rooms/text        's/ || c == .". || c == .\\\\.)) { break; }/ || c == 34)) { break; }/'
mutant attrs-length      rooms/attrs       's/return s.size == t.size && tel__attr_same_bytes/return s.size <= t.size \&\& tel__attr_same_bytes/'
mutant ring-full         rooms/ring        's/if (r->size - (head - tail) < skip + size) { return NULL; }/if (r->size - (head - tail) < skip) { return NULL; }/'
mutant ring-chunk-leak   rooms/ring        's/^    tel__ring_chunk_put(r->pool, from);$/    (void)from;/'
mutant ring-last-quarter rooms/ring        's/: g->slots.count - g->slots.count \/ 4;/: g->slots.count;/'
mutant ring-no-wake      'rooms/ring promises/burst' 's/if (g->alarm && (held > g->wake || /if (g->alarm \&\& held > 1000000 \&\& (/'
mutant format-width      rooms/formats     's/&& digits < 3) {/\&\& digits < 4) {/'
mutant lead-type         rooms/otlp        's/ || l->type != a->type || !l->size ||/ || !l->size ||/'
mutant bound-inclusive   rooms/metrics     's/if (bounds\[low + half - 1\] < v) {/if (bounds[low + half - 1] <= v) {/'
mutant overflow-uncounted 'rooms/metrics api/books' 's/^    tel__atomic_add_u64(&metric->m->overflowed, 1);$/    (void)metric;/'
mutant histogram-torn    rooms/metrics     's/if (total == n + 1 \&\& mark < bucket_count) {/if (total == n + 2) {/'
mutant share-unfinished  rooms/metrics     's/if (tries == 40) { return false; }/(void)tries;/'
mutant negative-add      'rooms/metrics'   's/if (TEL__UNLIKELY(n < 0 || s->metric->real)) {/if (TEL__UNLIKELY(s->metric->real)) {/'
mutant double-end        rooms/spans       's/generation = s->tel__generation + 1;/generation = s->tel__generation;/'
mutant sampler-all       rooms/spans       's/(UINT64_MAX >> 8)) >= s->threshold;/(UINT64_MAX >> 8)) >= 0 * s->threshold;/'
mutant parent-ignored    rooms/spans       's/if (parent && s->parent_based) { sampled/if (parent \&\& !s->parent_based) { sampled/'
mutant version-ff        rooms/propagation 's/ || version == 0xff) { return false; }/) { return false; }/'
mutant later-version     rooms/propagation "s/return version != 0 && t.data/return version != 0 || t.data/"
mutant retry-503         'rooms/sinks api/books' 's/ || a->status == 502 || a->status == 503 ||/ || a->status == 502 ||/'
mutant split-413         'rooms/sinks api/books' 's/if (a.status == 413 /if (a.status == 1413 /'
mutant retry-after       'rooms/delivery api/books' 's/wait = sent->retry_after_ms < 86400000u ? sent->retry_after_ms : /wait = sent->retry_after_ms < 86400000u ? 1 : /'
mutant prometheus-escape rooms/prometheus  "s/if (c != '.*' && c != '.n' && (c != '\"' || !quoted)) { continue; }/if (c != 10 \&\& (c != 34 || !quoted)) { continue; }/"
mutant fork-same-ids     api/fork          '/tel__id_seed(&t->generator);/{x;s/^/x/;/^xx$/{x;s/tel__id_seed(&t->generator);/(void)t;/;b};x}'
mutant flush-answer      'api/books api/bursts rooms/pipeline' 's/if (r == TEL_OK \&\& tel__pipeline_lost(p) != lost) { r = TEL_ERR_IO; }/(void)lost;/'
finish
