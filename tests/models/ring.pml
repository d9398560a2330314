/* ring.pml -- R10's own ring: one producer, one consumer, records of one or two cells that must be contiguous, a gap
 * at the end of the buffer, counters that wrap, release in batches.
 *
 * One cell stands for 8 bytes; the buffer has SIZE cells and the counters wrap at WRAP, a multiple of SIZE, as 2^32 is of
 * a power of two. A record's first cell says its size and kind, its last one carries its number; both are poisoned by the
 * consumer when it gives them back, so a read of a cell that was not written since is seen.
 *
 * Why sequential consistency is enough here. Each shared word has one writer.
 *   head  store release after the cells; the consumer's load acquire: a cell it is told of is a cell it can see (C11 5.1.2.4).
 *   tail  store release after the last read; the producer's load acquire: it writes only where the reads are over, that
 *         is, no load of the consumer can be satisfied by the new record. The producer's copy `seen_tail` is only older,
 *         and an older tail only makes the ring look fuller.
 *   size, kind of a gap: plain stores before the same store of head.
 * So every pair of conflicting plain accesses is ordered by one of the two pairs, and an execution on a weakly ordered
 * machine is one of those that this model searches.
 * BUG_GAP: no skip, a record may run over the end. BUG_ROOM: the gap is not counted as used. BUG_EARLY: tail moves before the reads. */
#define SIZE 4
#define WRAP 8
#define LAST 6

byte kind[SIZE];                /* 0: poison; 1: gap; 2: record */
byte size[SIZE];
byte body[SIZE];
byte head, tail;
bool done;

#define USED(h, t) ((h + WRAP - t) % WRAP)

proctype producer() {
    byte n = 1, want, over, seen = 0, at;
    do
    :: n > LAST -> break
    :: else ->
        if :: want = 1 :: want = 2 fi;
        over = 0;
        at = head % SIZE;
#ifdef BUG_GAP
#else
        if :: SIZE - at < want -> over = SIZE - at :: else fi;
#endif
        if
        :: SIZE - USED(head, seen) < over + want ->
            seen = tail                                     /* acquire */
        :: else
        fi;
#ifdef BUG_ROOM
        if :: SIZE - USED(head, seen) < want -> goto later :: else fi;
#else
        if :: SIZE - USED(head, seen) < over + want -> goto later :: else fi;
#endif
        if
        :: over > 0 ->
            assert(kind[at] == 0); size[at] = over; kind[at] = 1
        :: else
        fi;
        at = (head + over) % SIZE;
        assert(kind[at] == 0 && body[(at + want - 1) % SIZE] == 0);
        kind[at] = 2;
        size[at] = want;
        assert(at + want <= SIZE);                          /* contiguous */
        body[(at + want - 1) % SIZE] = n;
        head = (head + over + want) % WRAP;                 /* release */
        n++;
later:  over = 0
    od;
    done = true
}

proctype consumer() {
    byte want = 1, at, stop, cell, i;
    do
    :: want > LAST -> break
    :: else ->
        at = tail;
        stop = head;                                        /* acquire */
#ifdef BUG_EARLY
        tail = stop;
#endif
        do
        :: at == stop -> break
        :: at != stop ->
            cell = at % SIZE;
            assert(kind[cell] != 0 && size[cell] > 0 && USED(stop, at) >= size[cell]);
            if
            :: kind[cell] == 2 ->
                assert(body[(cell + size[cell] - 1) % SIZE] == want);   /* in order, whole, once */
                want++
            :: else
            fi;
            i = size[cell];
            kind[cell] = 0;                                 /* poison what is given back */
            body[(cell + i - 1) % SIZE] = 0;
            at = (at + i) % WRAP;
            if :: break :: skip fi                          /* a batch may end anywhere */
        od;
#ifndef BUG_EARLY
        tail = at                                           /* release */
#endif
    od;
    (done);
    assert(USED(head, tail) == 0)
}

init { atomic { run producer(); run consumer() } }
