/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - CoRwlock: many readers or one writer, first come, first served
 *
 * `owners` counts the readers, or is -1 for the writer.  Whoever can't have the
 * lock at once leaves a ticket in its frame and yields; so does a reader that
 * finds tickets, else writers would never get it.  The lock is given on to the
 * first ticket by whoever lets go, who counts the new owner before it wakes it:
 * nobody can come in between.  A reader that was woken looks whether the next
 * ticket is a reader's as well; so readers that stand together go in together.
 *
 * Everything is under `mutex`, which is never held while somebody waits.
 */
#include "ct/sync.h"

#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"

/* In the waiter's frame; taken out of the list before that is woken. */
struct CoRwTicket {
    struct CoRwTicket *next;
    Coroutine *co;
    bool is_reader;
};

void co_rwlock_init(CoRwlock *lock)
{
    *lock = (CoRwlock){.id = ct_id_new()};
    lock->last = &lock->first;
    co_mutex_init(&lock->mutex);
}

void co_rwlock_fini(CoRwlock *lock)
{
    ct_pre("co-rwlock-fini/held", lock->owners == 0 && lock->first == NULL);
    co_mutex_fini(&lock->mutex);
}

static bool may_enter(const CoRwlock *lock, bool is_reader)
{
    return is_reader ? lock->owners >= 0 : lock->owners == 0;
}

static void enter(CoRwlock *lock, bool is_reader)
{
    lock->owners = is_reader ? lock->owners + 1 : -1;
}

/* The mutex is held, and given back. */
static void coroutine_fn pass_on(CoRwlock *lock)
{
    struct CoRwTicket *ticket = lock->first;
    Coroutine *co;

    if (ticket == NULL || !may_enter(lock, ticket->is_reader)) {
        co_mutex_unlock(&lock->mutex);
        return;
    }
    lock->first = ticket->next;
    if (lock->first == NULL) {
        lock->last = &lock->first;
    }
    enter(lock, ticket->is_reader);
    co = ticket->co;
    ct_emit_co_queue_wake(lock->id, coroutine_id(coroutine_self()),
                          coroutine_id(co));
    co_mutex_unlock(&lock->mutex);
    aio_co_wake(co);
}

static void append(CoRwlock *lock, struct CoRwTicket *ticket)
{
    *lock->last = ticket;
    lock->last = &ticket->next;
    ct_emit_co_queue_wait(lock->id, coroutine_id(ticket->co));
}

static void coroutine_fn lock_it(CoRwlock *lock, bool is_reader)
{
    struct CoRwTicket ticket = {.co = coroutine_self(), .is_reader = is_reader};

    ct_pre("co-rwlock-lock/in-coroutine", ticket.co != NULL);
    co_mutex_lock(&lock->mutex);
    if (lock->first == NULL && may_enter(lock, is_reader)) {
        enter(lock, is_reader);
        co_mutex_unlock(&lock->mutex);
        return;
    }
    append(lock, &ticket);
    co_mutex_unlock(&lock->mutex);
    coroutine_yield_for(CT_YIELD_REASON_QUEUE, lock->id);
    if (is_reader) {
        /* The next one may be a reader, too. */
        co_mutex_lock(&lock->mutex);
        pass_on(lock);
    }
}

void coroutine_fn co_rwlock_rdlock(CoRwlock *lock)
{
    lock_it(lock, true);
}

void coroutine_fn co_rwlock_wrlock(CoRwlock *lock)
{
    lock_it(lock, false);
}

void coroutine_fn co_rwlock_unlock(CoRwlock *lock)
{
    co_mutex_lock(&lock->mutex);
    ct_pre("co-rwlock-unlock/held", lock->owners != 0);
    lock->owners = lock->owners > 0 ? lock->owners - 1 : 0;
    pass_on(lock);
}

void coroutine_fn co_rwlock_downgrade(CoRwlock *lock)
{
    co_mutex_lock(&lock->mutex);
    ct_pre("co-rwlock-downgrade/writer", lock->owners == -1);
    lock->owners = 1;
    pass_on(lock);
}

void coroutine_fn co_rwlock_upgrade(CoRwlock *lock)
{
    struct CoRwTicket ticket = {.co = coroutine_self()};

    co_mutex_lock(&lock->mutex);
    ct_pre("co-rwlock-upgrade/reader", lock->owners > 0);
    if (lock->owners == 1 && lock->first == NULL) {
        lock->owners = -1;
        co_mutex_unlock(&lock->mutex);
        return;
    }
    append(lock, &ticket);
    lock->owners--;
    pass_on(lock); /* to itself, perhaps: then it is woken before it yields */
    coroutine_yield_for(CT_YIELD_REASON_QUEUE, lock->id);
}
