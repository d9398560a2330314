/* slots.pml -- room memory's stack of free slots: indices linked through next[], a head that carries a tag.
 *
 * Why sequential consistency is enough here. Every change of head is a cas that is acquire and release, and every take
 * begins with a load acquire of head, so next[i], stored relaxed before the cas that puts i, is seen by who finds i at the
 * head (later cas on head continue the release sequence, C11 5.1.2.4p10). A next[i] that is read while i is taken and put
 * back by others may be any old value: the cas that would use it fails, because the tag has changed. What a slot holds
 * passes from one owner to the next by the same pairs.
 * The tag has 32 bits and may come round while a thread sleeps between load and cas: 2^32 takes and puts, and the same head.
 * BUG_TAG: no tag (ABA). BUG_FRESH: unused indices are given out without a cas. */
#define SLOTS 3
#define THREADS 2
#define ROUNDS 2

byte next[SLOTS];
byte top;                       /* index + 1; 0: empty */
short tag;
byte fresh;
byte owner[SLOTS];              /* ghost: who has it, 0: nobody */
byte running = THREADS;

inline take(me, got) {
    got = 255;
    atomic { h = top; g = tag };                            /* acquire */
    do
    :: h == 0 -> break
    :: else ->
        i = h - 1;
        x = next[i];
        atomic {
#ifdef BUG_TAG
            if
            :: top == h -> top = x; got = i; break
#else
            if
            :: top == h && tag == g -> top = x; tag++; got = i; break
#endif
            :: else -> h = top; g = tag
            fi
        }
    od;
    if
    :: got == 255 ->
        f = fresh;
        do
        :: f >= SLOTS -> break
        :: else ->
#ifdef BUG_FRESH
            fresh = f + 1; got = f; break
#else
            atomic {
                if
                :: fresh == f -> fresh = f + 1; got = f; break
                :: else -> f = fresh
                fi
            }
#endif
        od
    :: else
    fi;
    if
    :: got != 255 -> atomic { assert(got < SLOTS && owner[got] == 0); owner[got] = me }
    :: else
    fi
}

inline put(me, what) {
    atomic { assert(owner[what] == me); owner[what] = 0 };
    atomic { h = top; g = tag };
    do
    :: 
        next[what] = h;
        atomic {
#ifdef BUG_TAG
            if
            :: top == h -> top = what + 1; break
#else
            if
            :: top == h && tag == g -> top = what + 1; tag++; break
#endif
            :: else -> h = top; g = tag
            fi
        }
    od
}

proctype worker(byte me) {
    byte h, i, x, f, a, b, n;
    short g;
    do
    :: n == ROUNDS -> break
    :: else ->
        take(me, a);
        if
        :: take(me, b)
        :: b = 255
        fi;
        if :: a != 255 -> put(me, a) :: else fi;
        if :: b != 255 -> put(me, b) :: else fi;
        a = 0; b = 0; n++
    od;
    h = 0; g = 0; i = 0; x = 0; f = 0;
    atomic { running-- }
}

init {
    byte i, n;
    atomic { run worker(1); run worker(2) };
    (running == 0);
    d_step {                                                /* all are back: on the stack once each, or never given out */
        i = top;
        do
        :: i == 0 -> break
        :: else -> n++; assert(n <= SLOTS); i = next[i - 1]
        od;
        assert(n == fresh)
    }
}
