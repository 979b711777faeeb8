/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - CoMutex: first come, first served, and no lock inside
 *
 * `locked` counts the holder and everybody who waits or is about to.  Whoever
 * raises it from 0 has the mutex.  The others push a record on `from_push` (any
 * thread) and yield.  Whoever has the right to pop takes `from_push` whole,
 * turns it round into `to_pop`, and pops the oldest there; at any time at most
 * one has that right, so `to_pop` is plain memory:
 *
 *   - an unlocker that found `locked` above 1 has it, until it has woken a
 *     waiter or given the right away;
 *   - it finds no record when a locker has counted itself but not pushed yet.
 *     It can't wait for that, so it lays the right down: `handoff` = 1. Whoever
 *     exchanges that for 0 has the right.
 *
 *       unlock                            lock
 *       handoff = 1          (X)          push the record         (P)
 *       any record now?      (R)          handoff set?            (H)
 *       no: done, the locker will         and any record:
 *           find it in H                    exchange it for 0: pop and wake
 *       yes: exchange it for 0: go on     else: yield, somebody wakes us
 *            lost: somebody has it
 *
 *     X and P are read-modify-writes and R and H are sequentially consistent
 *     loads, so R sees the record or H sees the right: nobody is forgotten.
 *     Whoever takes it finds a record: a locker's own one is in the lists until
 *     it is given the mutex, and from then until it unlocks nobody else lays
 *     anything down.
 *
 * A locker that pops its own record simply goes on: it has the mutex.
 * tests/unit/runtime/test-mutex-model.c steps through all interleavings.
 *
 * Before it waits, a locker whose holder runs in another context looks a
 * few times whether it comes free: that is cheaper than two switches.
 */
#include <pthread.h>

#include "base/atomics.h"
#include "base/list.h"
#include "coroutine/coroutine_int.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"
#include "ct/retell.h"
#include "ct/sync.h"

#define SPINS 200

/* In the waiter's frame; dead once it is popped and its coroutine woken. */
struct CoWaitRecord {
    struct CoWaitRecord *next;
    Coroutine *co;
};

/* --- what a trace is told ------------------------------------------------ */

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static CoMutex *registry; /* protected by the lock */

static void tell_locks(uint64_t telling)
{
    pthread_mutex_lock(&registry_lock);
    for (CoMutex *mutex = registry; mutex != NULL; mutex = mutex->next) {
        uint64_t holder = ct_load(&mutex->holder);
        unsigned locked = ct_load(&mutex->locked);

        if (holder != 0 && locked > 0) {
            ct_emit_state_lock(telling, mutex->id, holder, locked - 1);
        }
    }
    pthread_mutex_unlock(&registry_lock);
}

/* The thread that held it may not be there any more. */
static void after_fork_child(void)
{
    (void)pthread_mutex_init(&registry_lock, NULL);
}

static void register_teller(void)
{
    static struct ct_teller teller = {.tell = tell_locks};

    (void)pthread_atfork(NULL, NULL, after_fork_child);
    ct_retell_register(&teller);
}

/* --- life ---------------------------------------------------------------- */

void co_mutex_init(CoMutex *mutex)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, register_teller);
    *mutex = (CoMutex){.id = ct_id_new()};
    pthread_mutex_lock(&registry_lock);
    mutex->next = registry;
    mutex->link = &registry;
    if (registry != NULL) {
        registry->link = &mutex->next;
    }
    registry = mutex;
    pthread_mutex_unlock(&registry_lock);
}

void co_mutex_fini(CoMutex *mutex)
{
    ct_pre("co-mutex-fini/locked", ct_load_acquire(&mutex->locked) == 0);
    pthread_mutex_lock(&registry_lock);
    *mutex->link = mutex->next;
    if (mutex->next != NULL) {
        mutex->next->link = mutex->link;
    }
    pthread_mutex_unlock(&registry_lock);
}

bool co_mutex_is_locked(const CoMutex *mutex)
{
    return ct_load(&mutex->locked) != 0;
}

/* --- records ------------------------------------------------------------- */

static void push_record(CoMutex *mutex, struct CoWaitRecord *record)
{
    struct CoWaitRecord *head = ct_load(&mutex->from_push);

    do {
        record->next = head;
        /* P.  Pairs with R, and with take_records(). */
    } while (!ct_cmpxchg(&mutex->from_push, &head, record));
}

/* Needs no right: `to_pop` is empty whenever the question is asked. */
static bool has_new_record(CoMutex *mutex)
{
    /* R.  Pairs with P. */
    return ct_load_seq(&mutex->from_push) != NULL;
}

static void take_records(CoMutex *mutex)
{
    struct CoWaitRecord *record = ct_xchg(&mutex->from_push, NULL);

    while (record != NULL) {
        struct CoWaitRecord *next = record->next;

        record->next = mutex->to_pop;
        mutex->to_pop = record;
        record = next;
    }
}

/* Only with the right to pop.  Return: the oldest, NULL if there is none. */
static struct CoWaitRecord *pop_record(CoMutex *mutex)
{
    struct CoWaitRecord *record;

    if (mutex->to_pop == NULL) {
        take_records(mutex);
    }
    record = mutex->to_pop;
    if (record != NULL) {
        mutex->to_pop = record->next;
    }
    return record;
}

/* Takes up the right to pop, if it is still there. */
static bool take_right(CoMutex *mutex)
{
    /* Pairs with X: the lists as the unlocker left them. */
    return ct_xchg(&mutex->handoff, 0) != 0;
}

/* --- locking ------------------------------------------------------------- */

static void set_holder(CoMutex *mutex, AioContext *ctx, Coroutine *self)
{
    ct_store(&mutex->ctx, ctx);
    ct_store(&mutex->holder, coroutine_id(self));
    self->locks_held++;
}

/* Return: false if it was held; the caller counts then. */
static bool try_lock(CoMutex *mutex, AioContext *ctx)
{
    unsigned locked = 0;

    for (int i = 0; i < SPINS; i++) {
        /* Pairs with the decrement of co_mutex_unlock(). */
        if (locked == 0 && ct_cmpxchg(&mutex->locked, &locked, 1)) {
            return true;
        }
        /*
         * A queue won't go away by looking; and a holder of our own context
         * can't go on before we yield.
         */
        if (locked > 1 || ct_load(&mutex->ctx) == ctx) {
            break;
        }
        ct_cpu_relax();
        locked = ct_load(&mutex->locked);
    }
    return ct_fetch_add(&mutex->locked, 1) == 0;
}

/*
 * We have pushed our record: has an unlocker laid down the right to pop?
 * Return: true if we took it and popped ourselves.
 */
static bool take_over(CoMutex *mutex, Coroutine *self)
{
    struct CoWaitRecord *record;
    Coroutine *co;

    /* H.  Pairs with X. */
    if (!ct_load_seq(&mutex->handoff) || !has_new_record(mutex) ||
        !take_right(mutex)) {
        /* Whoever took our record, or the right, cares for us. */
        return false;
    }
    record = pop_record(mutex);
    co = record->co;
    if (co == self) {
        return true;
    }
    ct_store(&mutex->ctx, ct_load(&co->ctx));
    aio_co_wake(co);
    return false;
}

static void coroutine_fn lock_slow(CoMutex *mutex, Coroutine *self)
{
    struct CoWaitRecord record = {.co = self};

    ct_emit_co_mutex_lock_entry(mutex->id, coroutine_id(self),
                                ct_load(&mutex->holder));
    push_record(mutex, &record);
    if (!take_over(mutex, self)) {
        coroutine_yield_for(CT_YIELD_REASON_LOCK, mutex->id);
    }
    ct_emit_co_mutex_lock_return(mutex->id, coroutine_id(self));
}

void coroutine_fn co_mutex_lock(CoMutex *mutex)
{
    AioContext *ctx = aio_context_current();
    Coroutine *self = coroutine_self();

    ct_pre("co-mutex-lock/in-coroutine", self != NULL);
    ct_pre("co-mutex-lock/recursive",
           ct_load(&mutex->holder) != coroutine_id(self));
    if (try_lock(mutex, ctx)) {
        ct_emit_co_mutex_lock_uncontended(mutex->id, coroutine_id(self));
    } else {
        lock_slow(mutex, self);
    }
    set_holder(mutex, ctx, self);
}

/* --- unlocking ----------------------------------------------------------- */

/*
 * We have the right to pop: wakes the oldest waiter, or gives the right away.
 * Return: who was woken, 0: nobody by us.
 */
static uint64_t wake_next(CoMutex *mutex)
{
    for (;;) {
        struct CoWaitRecord *record = pop_record(mutex);

        if (record != NULL) {
            Coroutine *co = record->co;
            uint64_t id = coroutine_id(co);

            /* So that lockers of its context don't spin for it. */
            ct_store(&mutex->ctx, ct_load(&co->ctx));
            aio_co_wake(co);
            return id;
        }
        (void)ct_xchg(&mutex->handoff, 1); /* X.  Pairs with H. */
        if (!has_new_record(mutex) || !take_right(mutex)) {
            return 0;
        }
    }
}

void coroutine_fn co_mutex_unlock(CoMutex *mutex)
{
    Coroutine *self = coroutine_self();
    uint64_t mutex_id = mutex->id;
    uint64_t to;

    ct_pre("co-mutex-unlock/holder",
           self != NULL && ct_load(&mutex->holder) == coroutine_id(self));
    ct_emit_co_mutex_unlock_entry(mutex_id, coroutine_id(self));
    self->locks_held--;
    ct_store(&mutex->ctx, NULL);
    ct_store(&mutex->holder, 0);
    /* Pairs with try_lock(): what was done under the mutex. */
    if (ct_fetch_sub(&mutex->locked, 1) == 1) {
        return;
    }
    to = wake_next(mutex);
    if (to != 0) {
        ct_emit_co_mutex_unlock_return(mutex_id, coroutine_id(self), to);
    }
}
