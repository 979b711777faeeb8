/* SPDX-License-Identifier: MIT */
/*
 * ct/coroutine.h - functions that can stop in the middle and go on later
 *
 * Model:    created -> entered <-> yielded -> terminated (its entry function
 *           returned; the object is gone).  Whoever enters a coroutine goes on
 *           when it yields or terminates; coroutines enter one another, so on
 *           a thread they form a stack of which the innermost runs.
 *           A coroutine that wakes others (aio_co_wake() and what stands on
 *           it) queues them: they are entered, first in, first out, when it
 *           yields or terminates, before whoever entered it goes on, and what
 *           they wake in turn comes before those still queued.
 * Threads:  a coroutine may yield on one thread and be entered on another, but
 *           only after the switch away from it is complete: the enterer must be
 *           ordered behind it (aio_co_schedule() into its own context is).
 *           No address of a thread-local may be kept across a yield.
 * Memory:   a Coroutine belongs to the runtime from its creation; the pointer
 *           is valid until the entry function returns.  Objects and stacks are
 *           reused; ids (coroutine_id()) never are.
 * Errors:   misuse aborts and names the culprit; memory for a stack that can't
 *           be had aborts as well.
 * Depends:  ct/events.h, ct/coroutine_switch.h.
 */
#ifndef CT_COROUTINE_H
#define CT_COROUTINE_H

#include <stdbool.h>
#include <stdint.h>

#include "ct/coroutine_switch.h"
#include "ct/events.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Marks a function that may yield, so may only be called in a coroutine.  A
 * lint test reads it; clang keeps it in the syntax tree.
 */
#ifdef __clang__
#define coroutine_fn __attribute__((annotate("coroutine_fn")))
#else
#define coroutine_fn
#endif

/* Calls that switch stacks: inlined where that is possible, see there. */
#ifdef CT_COROUTINE_INLINE
#define CT_COROUTINE_CALL static inline
#else
#define CT_COROUTINE_CALL
#endif

typedef struct Coroutine Coroutine;

typedef void coroutine_fn CoroutineEntry(void *opaque);

/**
 * coroutine_create() - make a coroutine, not yet entered
 * @entry:  where it starts; when it returns, the coroutine terminates
 * @opaque: its argument
 *
 * Context: any thread.
 * Return:  the coroutine; one that is never entered is never freed.
 */
Coroutine *coroutine_create(CoroutineEntry *entry, void *opaque);

/**
 * coroutine_enter() - run a coroutine until it yields or terminates
 * @co: not entered by anybody and not scheduled; gone if it terminates
 *
 * Runs it in the context of the calling thread (see aio_co_enter() for
 * another), and everything that it wakes before the call returns.
 *
 * Context: any thread, in a coroutine or not.
 * Pre:     aborts with the name of the scheduler ("Co-routine was already
 *          scheduled in '...'"), and on entering it a second time ("Co-routine
 *          re-entered recursively").
 */
CT_COROUTINE_CALL void coroutine_enter(Coroutine *co);

/**
 * coroutine_start() - coroutine_create() and coroutine_enter() in one
 *
 * Traces are told of both by one event, which costs less.
 * Context: as coroutine_enter().
 */
CT_COROUTINE_CALL void coroutine_start(CoroutineEntry *entry, void *opaque);

/**
 * coroutine_yield() - give the thread back to whoever entered us
 *
 * Returns when somebody enters the coroutine again, perhaps on another thread.
 * Pre: in a coroutine ("Co-routine is yielding to no one" aborts).
 */
CT_COROUTINE_CALL void coroutine_fn coroutine_yield(void);

/**
 * coroutine_yield_for() - coroutine_yield(), told to traces with its reason
 * @reason: what it waits for
 * @object: id of that, by the reason; 0: none
 */
CT_COROUTINE_CALL void coroutine_fn
coroutine_yield_for(enum ct_yield_reason reason, uint64_t object);

/**
 * coroutine_self() - the running coroutine, NULL outside coroutines
 *
 * Never inlined, and safe to call again after a yield: no address of a
 * thread-local leaves it.
 */
Coroutine *coroutine_self(void);

/** in_coroutine() - the caller runs in a coroutine */
bool in_coroutine(void);

/**
 * coroutine_entered() - somebody has entered @co and it has not yielded since
 *
 * True while it runs and while it waits for a coroutine that it entered
 * itself.  Context: the thread in which @co runs, or which will enter it.
 */
bool coroutine_entered(const Coroutine *co);

/** coroutine_id() - its id in traces: never 0; 0 for NULL (no coroutine) */
uint64_t coroutine_id(const Coroutine *co);

/*
 * The two halves around a switch: not for use but by the calls above.
 * _begin() checks, records and makes the other side current; what must happen
 * after a switch, to whatever terminated or was woken, does _rest().
 */
struct coroutine_switch coroutine_enter_begin(Coroutine *co);
struct coroutine_switch coroutine_start_begin(CoroutineEntry *entry,
                                              void *opaque);
void coroutine_enter_rest(void);
struct coroutine_switch coroutine_yield_begin(enum ct_yield_reason reason,
                                              uint64_t object);

#ifdef CT_COROUTINE_INLINE
static inline void coroutine_enter(Coroutine *co)
{
    if (__builtin_expect(coroutine_jump(coroutine_enter_begin(co)) != 0, 0)) {
        coroutine_enter_rest();
    }
}

static inline void coroutine_start(CoroutineEntry *entry, void *opaque)
{
    if (__builtin_expect(
            coroutine_jump(coroutine_start_begin(entry, opaque)) != 0, 0)) {
        coroutine_enter_rest();
    }
}

static inline void coroutine_fn coroutine_yield_for(enum ct_yield_reason reason,
                                                    uint64_t object)
{
    (void)coroutine_jump(coroutine_yield_begin(reason, object));
}

static inline void coroutine_fn coroutine_yield(void)
{
    coroutine_yield_for(CT_YIELD_REASON_OTHER, 0);
}
#endif

#ifdef __cplusplus
}
#endif

#endif
