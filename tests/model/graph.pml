/* SPDX-License-Identifier: MIT */
/*
 * graph.pml - the lock of the block graph (block/graph.c) and drained sections
 * (block/drain.c)
 *
 * Two threads have a request each: it begins unless the backend is drained, is a
 * reader of the graph, ends; one goes to the other's context before it unlocks.
 * One writer drains the backend, takes the lock and gives it back, as a move
 * does, twice.
 * Poll is "wait until the condition, or a kick": modelled as a blocking look.
 *
 * What must hold: while somebody writes nobody reads; in a section, once it has
 * begun, nothing is in flight; nobody waits for ever (no invalid end state).
 *
 * To be found wrong, with -DBUG_...:
 *   BUG_READER_LOOKS_FIRST   the reader looks at the flag before it counts
 *   BUG_WRITER_LOOKS_FIRST   the writer adds up, and then raises its flag
 *   BUG_NO_SECOND_LOOK       a reader queues without a look under the lock
 *   BUG_KEEP_FLAG            the writer keeps its flag while it waits, and a
 *                            reader waits for one that has yet to come
 *   BUG_REQUEST_LOOKS_FIRST  the request looks for a section before it counts
 *   BUG_FORGET_WAITING       the end of a section wakes nobody
 *   BUG_COUNT_LATE           who waited is counted when he runs, not before
 */
#define N 2            /* contexts with requests */
#define ALL 4          /* and those of the other readers */

int count[ALL];        /* readers, a context */
bool has_writer;
bool reader_waits[ALL];
bool lock;             /* the mutex of the readers' queue */
byte in_flight, quiesced;
bool request_waits[N];
bool wait_lock;        /* the mutex of the backend's queue */
byte reading;          /* who really reads */
byte working;          /* who really is in flight */
bool writing, drained;
bool helper_done;

#define acquire(l) atomic { !l -> l = true }
#define release(l) l = false

inline request_begin(me)
{
#ifdef BUG_REQUEST_LOOKS_FIRST
    if
    :: quiesced == 0 -> in_flight++; goto began
    :: else -> in_flight++
    fi;
#else
    in_flight++;
    if
    :: quiesced == 0 -> goto began
    :: else
    fi;
#endif
    acquire(wait_lock);
    if
    :: quiesced == 0 -> release(wait_lock)
    :: else ->
        atomic { request_waits[me] = true; in_flight-- };
        release(wait_lock);
        !request_waits[me];
#ifdef BUG_COUNT_LATE
        in_flight++
#endif
    fi;
}

inline section_end()
{
    acquire(wait_lock);
    quiesced--;
    if
    :: quiesced == 0 ->
#ifndef BUG_FORGET_WAITING
        byte w = 0;
        do
        :: w < N ->
            if
            :: request_waits[w] ->
#ifndef BUG_COUNT_LATE
                in_flight++;
#endif
                request_waits[w] = false
            :: else
            fi;
            w++
        :: else -> break
        od;
        w = 0
#else
        skip
#endif
    :: else
    fi;
    release(wait_lock)
}

inline rdlock(me)
{
    do
    ::
#ifdef BUG_READER_LOOKS_FIRST
        if
        :: !has_writer -> count[me]++; break
        :: else -> count[me]++
        fi;
#else
        count[me]++;
        if
        :: !has_writer -> break
        :: else
        fi;
#endif
#ifdef BUG_NO_SECOND_LOOK
        acquire(lock);
        reader_waits[me] = true;
        release(lock);
        count[me]--;
        !reader_waits[me]
#else
        acquire(lock);
        if
        :: !has_writer -> release(lock); break
        :: else ->
            reader_waits[me] = true;
            release(lock);
            count[me]--;
            !reader_waits[me]
        fi
#endif
    od
}

inline clear_writer()
{
    acquire(lock);
    has_writer = false;
    reader_waits[0] = false;
    reader_waits[1] = false;
    reader_waits[2] = false;
    reader_waits[3] = false;
    release(lock)
}

/* The sum is taken in steps, as the code does. */
inline add_up()
{
    sum = count[0];
    sum = sum + count[1];
    sum = sum + count[2];
    sum = sum + count[3]
}

inline wrlock()
{
    do
    ::
#ifdef BUG_WRITER_LOOKS_FIRST
        add_up();
        if
        :: sum == 0 -> has_writer = true; break
        :: else
        fi
#else
        has_writer = true;
        add_up();
        if
        :: sum == 0 -> break
        :: else
        fi;
#ifdef BUG_KEEP_FLAG
        count[0] + count[1] + count[2] + count[3] == 0; break
#else
        clear_writer();
        count[0] + count[1] + count[2] + count[3] == 0
#endif
#endif
    od
}

/* The first one unlocks in the other context. */
proctype thread(byte me)
{
    request_begin(me);
began:
    working++;
    assert(!drained);
    rdlock(me);
    reading++;
    assert(!writing);
    reading--;
    count[1]--;
    working--;
    in_flight--
}

/* Two readers that are no requests of the backend; the first waits, as a
 * reader, for the second. */
proctype needy()
{
    rdlock(2);
    reading++;
    helper_done;
    assert(!writing);
    reading--;
    count[2]--
}

proctype helper()
{
    rdlock(3);
    reading++;
    assert(!writing);
    reading--;
    count[3]--;
    helper_done = true
}

proctype writer()
{
    byte i = 0;
    int sum;

    do
    :: i < 2 ->
        quiesced++;
        in_flight == 0;
        drained = true;
        assert(working == 0);
        quiesced++;
        wrlock();
        section_end();
        writing = true;
        assert(reading == 0);
        writing = false;
        clear_writer();
        drained = false;
        section_end();
        i++
    :: else -> break
    od
}

init {
    atomic {
        run thread(0);
        run thread(1);
        run needy();
        run helper();
        run writer()
    }
}
