/* histogram.pml -- R11's histogram block of one thread: one writer, one collector at a time, two halves.
 *
 * The writer loads `active`, then stores in that half: bucket (relaxed), sum (release), n (release). It may be stopped anywhere, also
 * between the load of `active` and its first store, through whole collections. The collector reads the half at rest until it
 * is whole, makes it active, and reads the other until that is whole. Nothing is ever emptied: both halves only grow.
 *
 * Claim (asserted at the end of every collection): what was read is a set of whole records, each counted once: buckets,
 * sum and n agree, and no collection shows less than the one before; after the writer has ended all is there.
 * What is not claimed: that the set is a prefix in time. A writer that slept since before the last turn may finish its record in
 * the half at rest after that was read, and its next record in the other before that is read: then the later one is
 * in this collection and the earlier one in the next. Each is whole, and neither is lost.
 *
 * Weakly ordered machines. Record k is B(k) relaxed, S(k) release, N(k) release, all in one half. A reader that loads n = a (acquire)
 * has B and S of 1..a. It loads sum (acquire), the value S(s), s >= a: so the buckets, loaded after it, hold at least
 * 1..s. When they add up to a, then a >= s >= a, and each bucket holds just its part of 1..a. min and max, stored with release
 * after B and loaded with acquire before the buckets, can be of a later record only if its bucket shows too, and then the total
 * is not a. So n, sum, min, max must be loaded before the buckets, and the check `total == n` carries the proof; the second load of n is
 * not needed for it. `active` may be relaxed: which half a record goes to does not matter, only that it goes to one.
 * The model stores the four words in program order and loads them in the reader's order; reordering that C11 forbids for these
 * pairs does not occur, and what it allows (a relaxed B seen early) is seen by the total.
 * Two buckets; every record has value 1 or 2 (bucket 0 or 1), so sum = bucket0 + 2 * bucket1 tells records apart.
 * BUG_ORDER: the sum is loaded after the buckets. BUG_CHECK: the total is not compared. BUG_ONE: the half at rest is not read. */
#define RECORDS 3
#define COLLECTIONS 3

byte turn;                                  /* R11's `active` */
byte n[2], sum[2], low[2], high[2];         /* of half 0 and 1 */
byte whole, whole_sum;                      /* ghost: records finished */
bool ended;

proctype writer() {
    byte half, value, k;
    do
    :: k == RECORDS -> break
    :: else ->
        if :: value = 1 :: value = 2 fi;
        half = turn;                                      /* relaxed */
        if
        :: value == 1 -> low[half] = low[half] + 1
        :: else -> high[half] = high[half] + 1
        fi;
        sum[half] = sum[half] + value;                      /* release */
        atomic {
            n[half] = n[half] + 1;                          /* release */
            whole++; whole_sum = whole_sum + value
        };
        k++
    od;
    ended = true
}

inline read_half(h) {
    do
    :: 
        a = n[h];                                           /* acquire */
#ifdef BUG_ORDER
#else
        s = sum[h];                                         /* acquire */
#endif
        l = low[h];
        u = high[h];
#ifdef BUG_ORDER
        s = sum[h];
#endif
#ifdef BUG_CHECK
        break
#else
        if
        :: l + u == a && n[h] == a -> break
        :: else                                             /* a record under way: look again */
        fi
#endif
    od;
    total = total + l + u;
    total_sum = total_sum + s;
    assert(s == l + 2 * u)
}

proctype collector() {
    byte c, a, s, l, u, total, total_sum, before, before_sum, least, was;
    bool last;
    do
    :: c == COLLECTIONS && last -> break
    :: else ->
        if :: c < COLLECTIONS -> c++ :: else -> (ended) fi; /* one more after the writer */
        last = ended;
        total = 0; total_sum = 0;
        least = whole;                                      /* finished before this collection began */
        was = turn;
#ifdef BUG_ONE
#else
        read_half(1 - was);
#endif
        turn = 1 - was;                                   /* relaxed */
        read_half(was);
        assert(total >= least && total <= RECORDS);
        assert(total >= before && total_sum >= before_sum);
        before = total; before_sum = total_sum;
        if :: last -> assert(total == RECORDS && total_sum == whole_sum) :: else fi;
        a = 0; s = 0; l = 0; u = 0; least = 0
    od
}

init { atomic { run writer(); run collector() } }
