/* SPDX-License-Identifier: MIT */
/*
 * wait.c - AIO_WAIT_WHILE(): who waits, and ending their sleep
 *
 * Waiters are counted and listed.  The count is the fast path of a kick:
 *
 *     waiter                              whoever changes the condition
 *     listed; count += 1       (W)        change it
 *     look at the condition               count += 0              (K)
 *     poll, look again ...                was > 0: notify every waiter
 *
 * W and K are read-modify-writes of one variable.  If W comes first, K sees the
 * waiter and wakes it; if K does, the look after W sees the change.
 *
 * A waiter on the kicker's own thread is below it on the stack, in aio_poll();
 * it looks again when that returns, and needs no notification.
 */
#include "aio/aio_int.h"

#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/pre.h"

static pthread_mutex_t waiters_lock = PTHREAD_MUTEX_INITIALIZER;
static AioWaiter *waiters;    /* protected by the lock */
static unsigned waiter_count; /* atomic, see above */

static void add_locked(AioWaiter *waiter)
{
    waiter->prev = NULL;
    waiter->next = waiters;
    if (waiters != NULL) {
        waiters->prev = waiter;
    }
    waiters = waiter;
}

static void remove_locked(AioWaiter *waiter)
{
    if (waiter->next != NULL) {
        waiter->next->prev = waiter->prev;
    }
    if (waiter->prev != NULL) {
        waiter->prev->next = waiter->next;
    } else {
        waiters = waiter->next;
    }
}

void aio_wait_begin(AioWaiter *waiter, AioContext *ctx)
{
    AioContext *current = aio_context_current();

    ct_pre("aio-wait/in-coroutine", !in_coroutine());
    if (ctx == NULL) {
        ctx = current;
    }
    ct_pre("aio-wait/context", ctx != NULL);
    waiter->ctx = ctx;
    waiter->poll_ctx = in_aio_context_home_thread(ctx) ? ctx : current;
    ct_pre("aio-wait/context", waiter->poll_ctx != NULL);
    ct_emit_wait_begin(ctx->id, CT_WAIT_KIND_AIO_WAIT_WHILE);
    pthread_mutex_lock(&waiters_lock);
    add_locked(waiter);
    pthread_mutex_unlock(&waiters_lock);
    (void)ct_fetch_add(&waiter_count, 1); /* W; pairs with K */
}

void aio_wait_end(AioWaiter *waiter)
{
    (void)ct_fetch_sub(&waiter_count, 1);
    pthread_mutex_lock(&waiters_lock);
    remove_locked(waiter);
    pthread_mutex_unlock(&waiters_lock);
    ct_emit_wait_end(waiter->ctx->id, CT_WAIT_KIND_AIO_WAIT_WHILE);
}

void aio_wait_kick(void)
{
    if (ct_fetch_add(&waiter_count, 0) == 0) { /* K; pairs with W */
        return;
    }
    /* The lock keeps the waiters, and so their contexts, alive. */
    pthread_mutex_lock(&waiters_lock);
    for (AioWaiter *waiter = waiters; waiter != NULL; waiter = waiter->next) {
        if (!in_aio_context_home_thread(waiter->poll_ctx)) {
            aio_notify(waiter->poll_ctx);
        }
    }
    pthread_mutex_unlock(&waiters_lock);
}
