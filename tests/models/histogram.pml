/* histogram.pml -- room aggregation's histogram block of one thread: one writer, one collector at a time, two halves.
 *
 * The writer loads `active`, then stores in that half, every store with release: for a new extreme the old one, the number of
 * this record and the new one; which bucket the record goes to (mark); the new sum, into the slot that the sum before does not
 * occupy; the bucket; n. It may be stopped anywhere, also between the load of `active` and its first store, through whole
 * collections. The collector reads the half at rest, makes it active, and reads the other. Nothing is ever emptied: both
 * halves only grow.
 *
 * Claims. What a collection shows is a set of whole records, each counted once: n, buckets, sum and extremes agree, whatever the
 * writer was in the middle of; no collection shows less than the one before; after the writer has ended all is there. And the
 * collector waits for nobody: it repeats the reading of a half at most once, because only the record that was under way when
 * the half was left can still be finished there (asserted by `tries`).
 * What is not claimed: that the set is a prefix in time. A writer that slept since before the last turn may finish its record in
 * the half at rest after that was read, and its next record in the other before that is read: then the later one is
 * in this collection and the earlier one in the next. Each is whole, and neither is lost.
 *
 * Weakly ordered machines. A store with release is seen only by who also sees every store before it. A reader loads n = a
 * (acquire), then the sum in slot a & 1, the extremes, the buckets, the mark, all with acquire, and n again. It has all of 1 to a.
 * If it saw any store of record a + 2, it would see n >= a + 1 in the second load, because that is stored before. So with n = a
 * both times it has nothing but 1 to a and a part of a + 1. The sum of a + 1 lies in the other slot. Its bucket, if seen, makes
 * the total a + 1, and the mark, stored before the bucket and loaded after it, says which one. Its extreme, if seen, comes with
 * the number a + 1 and the old one, stored before it and loaded after it. The model stores and loads in those orders; `active` may
 * be relaxed, because which half a record goes to does not matter, only that it goes to one.
 * Two buckets; every record has value 1 or 2 (bucket 0 or 1), so sum = bucket0 + 2 * bucket1 tells records apart. Of the extremes
 * the maximum is modelled; the minimum is its mirror.
 * BUG_TAKE: the bucket of a record under way is not taken back. BUG_MARK: the mark is stored after the bucket. BUG_SLOT: the sum is
 * stored over the one before. BUG_EXTREME: the old extreme is not used. BUG_ONE: the half at rest is not read.
 * The second load of n is for machines where the writer sees `active` late, and finishes more than one record in the half that
 * was left; here it sees it at once, and the model would hold without that load. */
#define RECORDS 3
#define COLLECTIONS 3

byte turn;                                  /* `active` */
byte n[2], mark[2], low[2], high[2];        /* of half 0 and 1 */
byte sum[4];                                /* two slots of half 0, two of half 1 */
byte most[2], most_was[2], most_at[2];
byte whole, whole_sum;                      /* ghost: records finished */
bool ended;

proctype writer() {
    byte half, value, k, m;
    do
    :: k == RECORDS -> break
    :: else ->
        if :: value = 1 :: value = 2 fi;
        half = turn;                                      /* relaxed */
        m = n[half];
        if
        :: value > most[half] ->
            most_was[half] = most[half];
            most_at[half] = m + 1;
            most[half] = value
        :: else
        fi;
#ifndef BUG_MARK
        mark[half] = value;
#endif
#ifdef BUG_SLOT
        sum[2 * half] = sum[2 * half] + value;
#else
        sum[2 * half + ((m + 1) & 1)] = sum[2 * half + (m & 1)] + value;
#endif
        if
        :: value == 1 -> low[half] = low[half] + 1
        :: else -> high[half] = high[half] + 1
        fi;
#ifdef BUG_MARK
        mark[half] = value;
#endif
        atomic {
            n[half] = m + 1;
            whole++; whole_sum = whole_sum + value
        };
        k++
    od;
    ended = true
}

inline read_half(h) {
    tries = 0;
    do
    ::
        a = n[h];
#ifdef BUG_SLOT
        s = sum[2 * (h)];
#else
        s = sum[2 * (h) + (a & 1)];
#endif
        top = most[h];
        at = most_at[h];
        top_was = most_was[h];
        l = low[h];
        u = high[h];
        g = mark[h];
        if
        :: n[h] == a -> break
        :: else                             /* a record was finished here meanwhile: once */
        fi;
        tries++;
        assert(tries <= 1)
    od;
#ifndef BUG_EXTREME
    if :: at == a + 1 -> top = top_was :: else fi;
#endif
#ifndef BUG_TAKE
    if
    :: l + u == a + 1 && g == 1 -> l--
    :: l + u == a + 1 && g == 2 -> u--
    :: else
    fi;
#endif
    assert(l + u == a && s == l + 2 * u);
    assert((u == 0 || top == 2) && (u > 0 || l == 0 || top == 1) && (l + u > 0 || top == 0));
    total = total + a;
    total_sum = total_sum + s
}

proctype collector() {
    byte c, a, s, l, u, g, top, top_was, at, tries, total, total_sum, before, before_sum, least, was;
    bool last;
    do
    :: c == COLLECTIONS && last -> break
    :: else ->
        if :: c < COLLECTIONS -> c++ :: else -> (ended) fi; /* one more after the writer */
        last = ended;
        total = 0; total_sum = 0;
        least = whole;                                      /* finished before this collection began */
        was = turn;
#ifndef BUG_ONE
        read_half(1 - was);
#endif
        turn = 1 - was;                                   /* relaxed */
        read_half(was);
        assert(total >= least && total <= RECORDS);
        assert(total >= before && total_sum >= before_sum);
        before = total; before_sum = total_sum;
        if :: last -> assert(total == RECORDS && total_sum == whole_sum) :: else fi;
        a = 0; s = 0; l = 0; u = 0; g = 0; top = 0; top_was = 0; at = 0; tries = 0; least = 0
    od
}

init { atomic { run writer(); run collector() } }
