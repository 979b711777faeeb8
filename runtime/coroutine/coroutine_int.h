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
 *
 * Fields marked "told" are also read by the teller (tell.c) on any thread, at
 * any time: they are stored with ct_store_release(), so that whoever sees the
 * value of a new life also sees that `id` has changed.
 */
#ifndef CT_COROUTINE_INT_H
#define CT_COROUTINE_INT_H

#include "base/list.h"
#include "coroutine/fiber.h"
#include "coroutine/stack.h"
#include "ct/coroutine.h"
#include "ct/stack.h"

#ifdef CT_COROUTINE_UCONTEXT
#include <ucontext.h>
#endif

/* No reason of a yield's: instead of a field that each enter would clear. */
#define COROUTINE_QUEUED ((enum ct_yield_reason)255)

struct Coroutine {
    /* Where it goes on; the first member, a jump's address is a coroutine's. */
    struct coroutine_jump jump;

    /*
     * Who entered it: another coroutine, or the thread's leader.  NULL: it is
     * not entered.  Told.
     */
    Coroutine *caller;

    /*
     * Fresh for each life; 0 while the object is in a pool, and for a leader.
     * Told: whoever reads a coroutine that is not his own checks it before and
     * after.
     */
    uint64_t id;

    /*
     * Name of the function that has scheduled it, NULL: not scheduled.
     * Atomic: set with ct_cmpxchg() by any thread, cleared by the context
     * before it enters the coroutine.
     */
    const char *scheduled;

    /*
     * The context that entered it last, NULL: none.  Atomic: stored before
     * the enter; a waker on another thread loads it (relaxed) after it has
     * found the coroutine in something that the coroutine published since.
     */
    void *ctx;

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

    CoroutineEntry *entry; /* of this life; told */
    void *opaque;          /* of this life */

    /*
     * Id of the block layer's request that it serves, 0: none.  Only the
     * coroutine itself looks.
     */
    uint64_t serves;

    /*
     * How often it, or whoever it works for, has the graph's lock for reading
     * (block/graph.c).  Only the coroutine itself looks.
     */
    unsigned graph_reads;

    /* CoMutexes held; 0 when it terminates. */
    unsigned locks_held;

    /*
     * What it waits for since its last yield; told.  COROUTINE_QUEUED and the
     * waker's id: it lies in another's `woken`.
     */
    enum ct_yield_reason reason;
    uint64_t object;

    uint64_t from_id; /* id of `caller`; told */

    /* Of whoever made it, if a recording saw that, else 0; told. */
    uint64_t created_stack;

    /*
     * Told, and known only while recordings want the state of coroutines: the
     * instant of the last change of state, 0: not known.
     */
    uint64_t since_ns;

    /* Odd during a change of state, and so in pairs; told (tell.c). */
    unsigned changes;

    bool started; /* entered at least once in this life; told */

    /* The entry that ct_stack_switch() makes current with the coroutine. */
    struct ct_stack_entry *stack_current;
    struct ct_stack_entry stack_entry;

    struct coroutine_stack stack; /* base is NULL while it has none */
    struct coroutine_fiber fiber;
#ifdef CT_COROUTINE_UCONTEXT
    ucontext_t ucontext;
#endif

    Coroutine *pool_next; /* in a pool (pool.c) */
};

/**
 * coroutine_create_told() - coroutine_create(), recorded by the caller
 * @id:    ct_id_new(), in the event that tells it
 * @stack: ct_stack_kept() of that event
 */
Coroutine *coroutine_create_told(uint64_t id, CoroutineEntry *entry,
                                 void *opaque, uint64_t stack);

/**
 * coroutine_enter_in() - enter in a context, see aio_co_enter()
 * @ctx:    the context, opaque; kept as co->ctx of whatever runs
 * @ctx_id: its id in traces, 0: none
 * @co:     see coroutine_enter()
 */
CT_COROUTINE_CALL void coroutine_enter_in(void *ctx, uint64_t ctx_id,
                                          Coroutine *co);

/**
 * coroutine_enter_told_in() - coroutine_enter_in(), recorded by the caller
 *
 * Pre: ct_when_begin(), an event that tells it, and no other event before this.
 */
CT_COROUTINE_CALL void coroutine_enter_told_in(void *ctx, uint64_t ctx_id,
                                               Coroutine *co);

/**
 * coroutine_queue_wake() - enter a coroutine when the running one stops
 * @co: yielded, in no queue; it is entered, in the context that the caller was
 *      entered in, when the caller yields or terminates
 *
 * Context: in a coroutine other than @co.  Records nothing: the caller has.
 */
void coroutine_queue_wake(Coroutine *co);

/**
 * coroutine_thread_context() - what coroutine_enter() on this thread enters in
 * @ctx, @ctx_id: the thread's current context; NULL, 0: none
 *
 * Called by the loop whenever the thread's current context changes.
 */
void coroutine_thread_context(void *ctx, uint64_t ctx_id);

/* As the halves at the end of ct/coroutine.h. */
struct coroutine_switch coroutine_enter_in_begin(void *ctx, uint64_t ctx_id,
                                                 Coroutine *co);
struct coroutine_switch coroutine_enter_told_begin(void *ctx, uint64_t ctx_id,
                                                   Coroutine *co);
void coroutine_enter_in_rest(void *ctx, uint64_t ctx_id);

#ifdef CT_COROUTINE_INLINE
static inline void coroutine_enter_in(void *ctx, uint64_t ctx_id, Coroutine *co)
{
    if (__builtin_expect(
            coroutine_jump(coroutine_enter_in_begin(ctx, ctx_id, co)) != 0,
            0)) {
        coroutine_enter_in_rest(ctx, ctx_id);
    }
}

static inline void coroutine_enter_told_in(void *ctx, uint64_t ctx_id,
                                           Coroutine *co)
{
    if (__builtin_expect(
            coroutine_jump(coroutine_enter_told_begin(ctx, ctx_id, co)) != 0,
            0)) {
        coroutine_enter_in_rest(ctx, ctx_id);
    }
}
#endif

#endif
