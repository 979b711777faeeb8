/* SPDX-License-Identifier: MIT */
/*
 * coroutine_int.h - what a coroutine is, for the runtime's own folders
 *
 * runtime/coroutine knows no loop: a context is a pointer and an id that it
 * carries about.  What a loop or a lock needs of a coroutine (the context it
 * runs in, the mark of whoever scheduled it, a link) is a field here.
 *
 * A coroutine belongs to one thread at a time, the one that enters it; fields
 * that say nothing else are that thread's.  It changes hands only between a
 * complete switch away and the next enter, ordered by whatever hands it over.
 */
#ifndef CT_COROUTINE_INT_H
#define CT_COROUTINE_INT_H

#include "base/list.h"
#include "ct/coroutine.h"

struct Coroutine {
    CoroutineEntry *entry; /* immutable after coroutine_create() */
    void *opaque;          /* likewise */

    /*
     * Who entered it: another coroutine, or the thread's leader.  NULL: it is
     * not entered.
     */
    Coroutine *caller;

    /*
     * Coroutines that it has woken and that are entered when it yields or
     * terminates, by their `wake_node`.
     */
    struct queue woken;

    /*
     * Links it in the one queue that it waits or is woken in: another's
     * `woken`, a CoMutex's or CoQueue's waiters.  Owned by that queue.
     */
    struct queue_node wake_node;

    /* Links it in a context's queue of scheduled coroutines (aio/schedule). */
    struct lifo_node schedule_node;

    /*
     * Name of the function that has scheduled it, NULL: not scheduled.
     * Atomic: set with ct_cmpxchg() by any thread, cleared by the context
     * before it enters the coroutine.
     */
    const char *scheduled;

    /*
     * The context that entered it last, NULL: none.  Atomic: stored before
     * the enter; a waker on another thread loads it with acquire, after it
     * has found the coroutine in something that the coroutine published.
     */
    void *ctx;

    /* CoMutexes held; 0 when it terminates. */
    unsigned locks_held;

    /*
     * Fresh for each life.  Atomic: 0 while the object is in a pool; whoever
     * reads fields of a coroutine that is not his own (the teller) checks it
     * before and after.
     */
    uint64_t id;
};

/**
 * coroutine_enter_in() - enter in a context, see aio_coroutine_enter()
 * @ctx:    the context, opaque; kept as co->ctx of whatever runs
 * @ctx_id: its id in traces, 0: none
 * @co:     see coroutine_enter()
 */
void coroutine_enter_in(void *ctx, uint64_t ctx_id, Coroutine *co);

/**
 * coroutine_queue_wake() - enter a coroutine when the running one stops
 * @co: yielded, in no queue; it is entered, in the context of this thread's
 *      enter, when the caller yields or terminates
 *
 * Context: in a coroutine other than @co.  Records nothing: the caller has.
 */
void coroutine_queue_wake(Coroutine *co);

/**
 * coroutine_thread_context() - what coroutine_enter() on this thread enters in
 * @ctx, @ctx_id: the context that has its home here; NULL, 0: none
 *
 * Called by the loop when a context finds its home thread, and when it ends.
 */
void coroutine_thread_context(void *ctx, uint64_t ctx_id);

#endif
