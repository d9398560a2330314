/* exponential.pml -- room aggregation's shared block with exponential buckets: many writers, windows that move.
 *
 * A writer announces itself in `started`, which tells it the half, looks whether its value lies in that half's window, and adds
 * itself to a bucket and to n. If the value does not fit, it counts itself in `mark` and n, takes the mutex, and records into the
 * series' own block, whose window may move because nobody else is there; then it settles. Settling, under the mutex, gives the
 * empty half the window of the series' own block, swaps the halves, and moves the other half's records as soon as all writers
 * that began there have finished; if one has not, a later settling does it. A writer may be stopped anywhere.
 *
 * A window is the largest value that fits; values are 1 and 2. Claims: a half's window never moves between a writer's look and its
 * bucket; what the series' own block has never goes back, never exceeds what was begun, and at the end has every record once.
 * The block of one thread needs no model of its own beside histogram.pml: its window moves under the mutex that the reader holds.
 * BUG_WINDOW: settling moves the window of the half in use. BUG_MARK: records that went elsewhere are counted here as well.
 * BUG_EARLY: a half is moved before its writers have finished. */
#define WRITERS 2
#define RECORDS 2

bit half;
byte started, due;
byte window[2], n[2], mark[2], bucket[2];
byte base, base_window;
byte begun, ended;
bool mutex;

inline lock() { atomic { !mutex -> mutex = true } }
inline unlock() { mutex = false }

inline settle() {
    if
    :: due == 0 && started > 0 ->
#ifdef BUG_WINDOW
        window[half] = base_window;
#else
        window[1 - half] = base_window;
#endif
        atomic { due = started; started = 0; half = 1 - half }
    :: else
    fi;
    if
#ifdef BUG_EARLY
    :: due > 0 ->
#else
    :: due > 0 && n[1 - half] == due ->
#endif
#ifdef BUG_MARK
        base = base + due;
#else
        base = base + due - mark[1 - half];
        assert(bucket[1 - half] == due - mark[1 - half]);
#endif
        n[1 - half] = 0; mark[1 - half] = 0; bucket[1 - half] = 0;
        due = 0
    :: else
    fi
}

proctype writer() {
    byte k, value, seen;
    bit h;
    do
    :: k == RECORDS -> break
    :: else ->
        if :: value = 1 :: value = 2 fi;
        atomic { h = half; started++; begun++ }
        seen = window[h];
        if
        :: value <= seen ->
            atomic { assert(window[h] == seen); bucket[h]++ }
            n[h]++
        :: else ->
            mark[h]++;
            n[h]++;
            lock();
            if :: base_window < value -> base_window = value :: else fi;
            base++;
            settle();
            unlock()
        fi;
        k++
    od;
    ended++
}

proctype collector() {
    byte last, turn;
    do
    :: turn == 2 -> break
    :: else ->
        lock();
        settle();
        assert(base >= last && base <= begun);
        last = base;
        unlock();
        turn++
    od;
    ended == WRITERS;
    lock();
    settle();
    settle();
    assert(base == WRITERS * RECORDS);
    unlock()
}

init {
    atomic {
        run writer();
        run writer();
        run collector()
    }
}
