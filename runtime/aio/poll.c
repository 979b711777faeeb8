/* SPDX-License-Identifier: MIT */
/*
 * poll.c - one turn
 *
 * aio_poll():
 *   0  run what was put off before the turn (see 6)
 *   1  compute how long to wait; look for a while without the kernel (busy.c);
 *      if it may still be long, announce it (notify_me) and compute again
 *   2  wait for file descriptors and notifications
 *   3  take the announcement back, accept notifications
 *   4  bottom halves
 *   5  handlers of file descriptors that were found ready
 *   6  timers; then what the callbacks have put off: what I/O engines have
 *      collected goes to the kernel, and the pool's workers are woken
 *   7  outermost turn: free what was removed in the meantime
 *
 * GLib's loop does 0 and 1 in prepare, 2 itself, 3 in check; aio_dispatch() is
 * 4 to 7. Every step takes its work from a list of the context, so a nested
 * turn goes on where the outer one stands, and the outer one finds less to do.
 */
#include "aio/aio_int.h"

#include "aio/fdmon/fdmon.h"
#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/retell.h"

int64_t aio_compute_timeout_ns(AioContext *ctx)
{
    int64_t bh_ns, timer_ns;

    if (!list_is_empty(&ctx->fd_ready)) {
        return 0; /* a nested turn: the outer one has some left */
    }
    bh_ns = aio_bh_timeout_ns(ctx);
    if (bh_ns == 0) {
        return 0;
    }
    timer_ns = aio_timers_timeout_ns(ctx);
    if (bh_ns < 0 || timer_ns < 0) {
        return MAX(bh_ns, timer_ns);
    }
    return MIN(bh_ns, timer_ns);
}

void aio_defer(AioContext *ctx, struct aio_deferred *call)
{
    if (list_is_linked(&call->node)) {
        return;
    }
    if (call->is_last) {
        list_add_tail(&ctx->deferred, &call->node);
    } else {
        list_add_head(&ctx->deferred, &call->node);
    }
    /* GLib may have asked for what is put off, and be about to sleep. */
    aio_notify_work(ctx);
}

void aio_run_all_deferred(AioContext *ctx)
{
    while (!list_is_empty(&ctx->deferred)) {
        struct aio_deferred *call =
            list_entry(ctx->deferred.next, struct aio_deferred, node);

        list_del(&call->node);
        call->run(call->opaque);
    }
}

/* Steps 1 to 3. */
static void wait_for_events(AioContext *ctx, bool blocking)
{
    int64_t timeout_ns = blocking ? aio_compute_timeout_ns(ctx) : 0;
    bool may_poll = aio_busy_is_on(ctx);
    bool may_adjust = may_poll && timeout_ns != 0;
    bool may_sleep;

    if (may_poll) {
        timeout_ns = aio_busy_poll(ctx, timeout_ns);
    }
    may_sleep = timeout_ns != 0;
    if (may_sleep) {
        aio_notify_sleep_begin(ctx, AIO_NOTIFY_TURN);
        /* What came before the announcement did not write the eventfd. */
        timeout_ns =
            aio_notify_is_pending(ctx) ? 0 : aio_compute_timeout_ns(ctx);
    }
    if (timeout_ns != 0 || fdmon_has_work(ctx)) {
        int ready;

        ct_emit_fdmon_wait_begin(ctx->id, timeout_ns);
        ready = fdmon_wait(ctx, timeout_ns);
        ct_emit_fdmon_wait_end(ctx->id, ready);
    }
    if (may_sleep) {
        aio_notify_sleep_end(ctx, AIO_NOTIFY_TURN);
        ct_retell_poll(); /* a recording may have joined meanwhile */
    }
    aio_notify_accept(ctx);
    if (may_adjust) {
        aio_busy_adjust(ctx);
    }
}

bool aio_poll(AioContext *ctx, bool blocking)
{
    AioContext *outer = aio_turn_begin(ctx);
    bool progress;

    ct_emit_poll_begin(ctx->id, blocking, ctx->depth, CT_POLL_MODE_POLL);
    aio_run_deferred(ctx);
    wait_for_events(ctx, blocking);
    progress = aio_bh_poll(ctx);
    progress |= aio_fd_dispatch(ctx);
    progress |= aio_timers_run(ctx);
    aio_run_deferred(ctx);
    ct_emit_poll_end(ctx->id, progress, ctx->depth);
    aio_turn_end(ctx, outer);
    return progress;
}

void aio_dispatch(AioContext *ctx)
{
    AioContext *outer = aio_turn_begin(ctx);
    bool progress;

    ct_emit_poll_begin(ctx->id, 0, ctx->depth, CT_POLL_MODE_DISPATCH);
    aio_notify_accept(ctx);
    progress = aio_bh_poll(ctx);
    progress |= aio_fd_dispatch(ctx);
    progress |= aio_timers_run(ctx);
    aio_run_deferred(ctx);
    ct_emit_poll_end(ctx->id, progress, ctx->depth);
    aio_turn_end(ctx, outer);
}
