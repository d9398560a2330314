/* reuse.pml -- room reuse: how the memory of a removed series is given back while two threads record. A thread finds the
 * series by its site or by a search of the table and adds to it between inside = 1 and inside = 0, which are plain stores.
 *
 * What is weaker than sequential consistency. The store of inside = 1 stays in the thread's buffer until it drains, which it
 * does at any time, or at the barrier on all threads; the store of inside = 0 is a release and comes after all that the
 * thread did. What the collection stores without order (the hash, the site) and the place in the table a thread may load as
 * it was before, until the barrier. What is done under the mutex is in order.
 *
 * The remover goes once through the steps of the room: hide, barrier, see every thread outside, forget, barrier, see every
 * thread outside, take out, barrier, see every thread outside, free. A thread that finds nothing shows the series again under
 * the mutex, or makes another one. An increment into a series that has been taken out is lost: its id is another one's.
 *
 * BUG_BARRIER: the barriers do nothing to the threads. BUG_ONCE: it is taken out after one turn. BUG_SITE: the sites do not
 * forget. BUG_SHOWN: it is taken out although it was shown again. BUG_TABLE: it is freed as it is taken out, with no third
 * turn. */
#define THREADS 2
#define EACH 2
#define OLD 1                   /* the series that is removed, and the one that is made after it */
#define NEW 2

bool inside[THREADS];           /* as the collection sees it */
bool late[THREADS];             /* inside = 1 is in the thread's buffer */
byte site[THREADS];             /* what the thread's site remembers; 0: nothing */
byte site_was[THREADS];         /* what the thread may load instead */
byte place = OLD;               /* OLD's place in the table; 0: it has been taken out */
byte place_was[THREADS];
bool hid;                       /* OLD is hidden */
bool hid_was[THREADS];
bool made;                      /* NEW is in the table */
bool mutex, out, freed;
byte added, running = THREADS;

#define lock()   atomic { !mutex -> mutex = true }
#define unlock() mutex = false
#define touch(s) assert(!(s == OLD && freed))

proctype thread(byte me) {
    byte n = 0, s;
    bool h;
    do
    :: n == EACH -> break
    :: else ->
        late[me] = true;
        if                                              /* the site */
        :: s = site[me]
        :: s = site_was[me]
        fi;
        if
        :: s != 0 -> touch(s)
        :: else ->
            if                                          /* the table */
            :: s = place
            :: s = place_was[me]
            fi;
            if
            :: s == OLD ->
                touch(s);                               /* its hash */
                if
                :: h = hid
                :: h = hid_was[me]
                fi;
                if
                :: h -> s = 0
                :: else
                fi
            :: else
            fi;
            if
            :: s == 0 && made -> s = NEW
            :: s == 0 && !made ->
                lock();
                if
                :: place == OLD -> touch(place); hid = false; s = OLD
                :: else -> made = true; s = NEW
                fi;
                unlock()
            :: else
            fi;
            atomic { site[me] = s; site_was[me] = s }
        fi;
        touch(s);
        atomic { assert(!(s == OLD && out)); added++ }
        atomic { late[me] = false; inside[me] = false };
        n++
    od;
    atomic { s = 0; h = false; running-- }
}

proctype drain(byte me) {
    do
    :: atomic { late[me] && !inside[me] -> inside[me] = true }
    :: running == 0 -> break
    od
}

#ifdef BUG_BARRIER
#define barrier(t) skip
#else
#define barrier(t) \
    atomic { inside[t] = late[t]; site_was[t] = site[t]; place_was[t] = place; hid_was[t] = hid }
#endif
#define everybody(what) what(0); what(1)
#define outside(t) !inside[t]
#define hide(t) hid_was[t] = false
#ifdef BUG_SITE
#define forget(t) skip
#else
#define forget(t) \
    atomic { if :: site[t] == OLD && hid -> site_was[t] = OLD; site[t] = 0 :: else fi }
#endif

proctype remover() {
    lock();
    atomic { everybody(hide); hid = true };
    unlock();
    everybody(barrier);
    everybody(outside);
    lock();
    everybody(forget);
    unlock();
#ifndef BUG_ONCE
    everybody(barrier);
    everybody(outside);
#endif
    lock();
    if
#ifdef BUG_SHOWN
    :: true ->
#else
    :: hid ->
#endif
        atomic { out = true; place_was[0] = OLD; place_was[1] = OLD; place = 0 };
        unlock();
#ifndef BUG_TABLE
        everybody(barrier);
        everybody(outside);
#endif
        freed = true
    :: else -> unlock()
    fi;
    running == 0;
    assert(added == THREADS * EACH)
}

init {
    atomic {
        place_was[0] = OLD;
        place_was[1] = OLD;
        run thread(0);
        run thread(1);
        run drain(0);
        run drain(1);
        run remover()
    }
}
