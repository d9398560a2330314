/* ring.pml -- the own ring of room ring: one producer, one consumer, a pool of chunks, records of one or two cells that lie in
 * one chunk, jumps to another chunk and back to the beginning of the same one, gaps over a jump that is not read yet, release in
 * batches, chunks that come back and are taken again.
 *
 * One cell stands for 8 bytes; a chunk has SIZE cells and the pool CHUNKS of them. A record's last cell carries its number; the
 * consumer poisons what it has passed, so a read of a cell that was not written since is seen, and a write to a cell that was
 * not passed too. The last cell of a chunk is kept for a jump.
 *
 * Why sequential consistency is enough here. Each shared word has one writer.
 *   head  store release after the cells; the consumer's load acquire: a cell it is told of is a cell it can see (C11 5.1.2.4).
 *   tail  store release after the last read; the producer's load acquire: it begins its chunk again only where the reads are
 *         over, that is, no load of the consumer can be satisfied by the new record.
 *   pool  put and take are cas, acquire and release: a chunk that is taken is one whose reads are over, and the tail that was
 *         stored before it was given back is seen.
 *   size, kind of gaps and jumps: plain stores before the same store of head.
 * The limit that the consumer sets to 0 is a hint: the producer looks at tail before it believes it. Here it looks whenever it likes.
 * BUG_HOP: the unread jump is not leapt over. BUG_EARLY: tail moves before the reads. BUG_KEPT: a chunk that was left goes back to
 * the pool before tail is stored. BUG_LAST: a chunk is begun again although no jump fits behind its own. BUG_BLIND: it is begun
 * again although not all is read. */
#define SIZE 5
#define CHUNKS 2
#define CELLS 10
#define LAST 7

byte kind[CELLS];               /* 0: poison; 1: gap; 2: record; 3: jump */
byte size[CELLS];               /* of a jump: the chunk it names */
byte body[CELLS];
bool busy[CHUNKS];
byte head, tail;
bool done;

proctype producer() {
    byte n = 1, want, begin, stop = SIZE;
    do
    :: n > LAST -> break
    :: else ->
        if :: want = 1 :: want = 2 fi;
        begin = (head / SIZE) * SIZE;
        if
        :: head > begin &&
#ifdef BUG_LAST
#else
           head + 2 <= begin + SIZE &&
#endif
#ifdef BUG_BLIND
           true ->
#else
           tail == head ->                                  /* acquire */
#endif
            assert(kind[head] == 0); size[head] = begin / SIZE; kind[head] = 3;
            stop = head;
            head = begin                                    /* release */
        :: skip                                             /* it need not look */
        fi;
#ifdef BUG_HOP
        if :: stop < begin + SIZE -> stop = begin + SIZE :: else fi;
#else
        if
        :: head + want > stop - 1 && stop % SIZE != 0 ->    /* over the jump */
            assert(kind[head] == 0); size[head] = stop + 1 - head; kind[head] = 1;
            head = stop + 1;                                /* release */
            stop = begin + SIZE
        :: else
        fi;
#endif
        if
        :: head + want > stop - 1 ->
            atomic {                                        /* take a chunk */
                if
                :: !busy[0] -> busy[0] = true; begin = 0
                :: !busy[1] -> busy[1] = true; begin = SIZE
                :: else -> goto later
                fi
            };
            assert(head < stop && kind[head] == 0); size[head] = begin / SIZE; kind[head] = 3;
            stop = begin + SIZE;
            head = begin                                    /* release */
        :: else
        fi;
        assert(kind[head] == 0 && body[head + want - 1] == 0);
        size[head] = want;
        kind[head] = 2;
        body[head + want - 1] = n;
        head = head + want;                                 /* release */
        n++;
later:  skip
    od;
    done = true
}

proctype consumer() {
    byte want = 1, at = 0, goal, i, from;
    do
    :: want > LAST -> break
    :: else ->
        goal = head;                                        /* acquire */
#ifdef BUG_EARLY
        tail = goal;
#endif
        do
        :: at == goal -> break
        :: at != goal ->
            assert(kind[at] != 0);
            if
            :: kind[at] == 3 ->
                from = at / SIZE;
                i = size[at] * SIZE;
                kind[at] = 0;
                at = i;
                if
                :: at / SIZE != from ->
#ifdef BUG_KEPT
                    busy[from] = false;
                    tail = at
#else
                    tail = at;                              /* release */
                    busy[from] = false                      /* put: release */
#endif
                :: else
                fi
            :: else ->
                i = size[at];
                if
                :: kind[at] == 2 ->
                    assert(body[at + i - 1] == want);       /* in order, whole, once */
                    body[at + i - 1] = 0;
                    want++
                :: else
                fi;
                kind[at] = 0;                               /* poison what is passed */
                at = at + i
            fi;
            if :: break :: skip fi                          /* a batch may end anywhere */
        od;
#ifndef BUG_EARLY
        tail = at                                           /* release */
#endif
    od;
    (done);
    assert(head == at)
}

init { atomic { busy[0] = true; run producer(); run consumer() } }
