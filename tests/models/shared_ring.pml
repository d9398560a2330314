/* shared_ring.pml -- room ring's shared ring: many producers take cells by cas on head, mark them as busy and commit by the
 * size word; the consumer looks past busy records, marks what it has taken, and gives cells back in order: it zeroes them
 * before it stores tail. A producer may stop for ever while its record is busy.
 *
 * Why sequential consistency is enough here.
 *   size of a record  store release after the rest of it; the consumer's load acquire: a size without a mark shows the whole
 *                     record. It is 0 before, because of the next pair.
 *   busy, taken       stores without order: of a busy record the consumer uses the size only, which is in the same word;
 *                     taken is written and read by the consumer alone, after the commit.
 *   tail              store release after the zeroes; a producer's load acquire before its cas: when it may write a cell, it
 *                     has seen the zeroes there, and so has the consumer, who wrote them. Nobody reads an older size.
 *   head              cas, acquire and release: two producers never get the same cells; between load and cas head may wrap
 *                     once round (2^32 bytes) only if a producer sleeps while 4 GiB of records go by. Not modelled.
 *                     The consumer's load acquire at the beginning of a pass shows the commits of every thread that come
 *                     before that thread's last cas: it never passes a busy record and takes a later one of its thread.
 * A head that is older than tail makes head - tail wrap: that is not "full", and the producer looks again.
 * BUG_COMMIT: the size is stored before the body. BUG_ZERO: the consumer does not zero. BUG_CAS: head is stored without a cas.
 * BUG_ROOM: a full ring is not seen. BUG_HOLE: cells are given back past a busy record. BUG_GOAL: a pass goes on to a newer
 * head. BUG_TAKEN: the consumer does not mark what it has taken. BUG_STOP: it stops at a busy record. */
#define SIZE 4
#define WRAP 16
#define PRODUCERS 2
#define EACH 2

#define BUSY 8
#define TAKEN 16
#define LENGTH(word) (word & 7)

byte size[SIZE], body[SIZE], gap[SIZE];
bool stopped;
byte head, tail, running = PRODUCERS;
byte seen[PRODUCERS], pushed, dropped;

#define USED(h, t) ((h + WRAP - t) % WRAP)

proctype producer(byte me) {
    byte n = 0, want, over, h, t;
    do
    :: n == EACH -> break
    :: else ->
        if :: want = 1 :: want = 2 fi;
again:  h = head;
retry:  over = ((SIZE - h % SIZE < want) -> SIZE - h % SIZE : 0);
        t = tail;                                           /* acquire */
#ifdef BUG_ROOM
        if :: USED(h, t) + over + want > 2 * SIZE -> dropped++; n++; goto next :: else fi;
#else
        if :: USED(h, t) > SIZE -> goto again :: else fi;
        if :: SIZE - USED(h, t) < over + want -> dropped++; n++; goto next :: else fi;
#endif
#ifdef BUG_CAS
        head = (h + over + want) % WRAP;
#else
        atomic {
            if
            :: head != h -> h = head; goto retry
            :: else -> head = (h + over + want) % WRAP
            fi
        }
#endif
#ifndef BUG_COMMIT
        assert(size[(h + over) % SIZE] == 0);
        size[(h + over) % SIZE] = want + BUSY;
#endif
        if
        :: over > 0 -> gap[h % SIZE] = 1; assert(size[h % SIZE] == 0); size[h % SIZE] = over       /* release */
        :: else
        fi;
        h = (h + over) % SIZE;
#ifdef BUG_COMMIT
        size[h] = want;
#endif
        assert(body[h] == 0 && gap[h] == 0);
        if
        :: true
        :: me == 0 && n == 0 -> stopped = true; break
        fi;
        body[h] = me * EACH + n + 1;
#ifndef BUG_COMMIT
        assert(size[h] == want + BUSY);
        size[h] = want;                                     /* release */
#endif
        n++;
        atomic { pushed++ };
next:   over = 0
    od;
    atomic { running-- }
}

proctype consumer() {
    byte at, stop, cell, n, i, got;
    bool last = false;
    do
    :: 
        last = (running == 0);
        at = tail;
        stop = head;                                        /* acquire */
        do
        :: at == stop -> break
        :: else ->
            cell = at % SIZE;
            n = size[cell];                                 /* acquire */
            if
            :: n == 0 -> break
#ifdef BUG_STOP
            :: n >= BUSY && n < TAKEN -> break
#endif
            :: else
            fi;
            if
            :: n < BUSY && gap[cell] == 0 ->
                assert(body[cell] > 0);                     /* whole */
                i = (body[cell] - 1) / EACH;
                assert((body[cell] - 1) % EACH + 1 > seen[i]);  /* each producer's in order, none twice */
                seen[i] = (body[cell] - 1) % EACH + 1;
                got++
            :: else
            fi;
#ifdef BUG_TAKEN
#else
            if :: n < BUSY -> size[cell] = n + TAKEN :: else fi;
#endif
            at = (at + LENGTH(n)) % WRAP;
#ifdef BUG_GOAL
            stop = head
#endif
        od;
#ifdef BUG_HOLE
#else
        at = tail;
        do
        :: n = size[at % SIZE];
            if :: n < TAKEN -> break :: else at = (at + LENGTH(n)) % WRAP fi
        od;
#endif
        i = tail;
        do
        :: i == at -> break
        :: else ->
#ifdef BUG_ZERO
#else
            size[i % SIZE] = 0;
#endif
            body[i % SIZE] = 0; gap[i % SIZE] = 0; i = (i + 1) % WRAP
        od;
        i = 0; n = 0; cell = 0; stop = 0;
        tail = at;                                          /* release */
        if :: last -> break :: else fi
    od;
    assert(got == pushed);
    assert(stopped || (got + dropped == PRODUCERS * EACH && USED(head, tail) == 0))
}

init {
    atomic {
        run producer(0); run producer(1); run consumer()
    }
}
