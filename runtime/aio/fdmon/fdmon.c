/* SPDX-License-Identifier: MIT */
/*
 * fdmon.c - the table of monitors, the choice, and the way back
 *
 * poll(2) never refuses.  So a context starts with it, goes to another monitor
 * when it is told to or has many handlers, and comes back when that one fails:
 * what epoll does for a regular file, or the kernel for io_uring in a sandbox.
 *
 * The monitor is changed by the home thread before a wait, never during one.
 * Another thread that sets a handler tells the monitor under list_lock, raises
 * fd_generation, and notifies; whatever it could not do itself, the wait that
 * follows does first (settle).
 */
#include "aio/fdmon/fdmon.h"

#include <errno.h>
#include <string.h>

#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/pre.h"

static const struct fdmon_ops *const monitors[] = {
    &fdmon_poll_ops,
    &fdmon_epoll_ops,
    &fdmon_io_uring_ops,
};

/* Return: 0, or -errno: nothing has changed. */
static int switch_locked(AioContext *ctx, const struct fdmon_ops *ops)
{
    const struct fdmon_ops *old = ctx->fdmon;
    int ret = ops->open(ctx);

    if (ret < 0) {
        return ret;
    }
    ctx->fdmon = ops;
    ctx->fdmon_failed = false;
    ctx->fdmon_generation = ctx->fd_generation;
    if (old != NULL) {
        old->close(ctx);
        ct_emit_fdmon_choose(ctx->id, ops->name, ctx->fd_count);
    }
    return 0;
}

void fdmon_init(AioContext *ctx)
{
    (void)switch_locked(ctx, &fdmon_poll_ops);
}

void fdmon_fini(AioContext *ctx)
{
    ctx->fdmon->close(ctx);
}

static bool may_use(const AioContext *ctx, const struct fdmon_ops *ops)
{
    return !(ops == &fdmon_epoll_ops && ctx->fdmon_no_epoll) &&
           !(ops == &fdmon_io_uring_ops && ctx->fdmon_no_io_uring);
}

static void never_again(AioContext *ctx, const struct fdmon_ops *ops)
{
    ctx->fdmon_no_epoll |= ops == &fdmon_epoll_ops;
    ctx->fdmon_no_io_uring |= ops == &fdmon_io_uring_ops;
}

/* What would be best for the handlers that there are. */
static const struct fdmon_ops *best_locked(const AioContext *ctx)
{
    const struct fdmon_ops *ops = ctx->fdmon_wanted;

    if (ops == NULL) {
        /* Once it has grown, it stays: coming and going costs more. */
        ops = ctx->fdmon == &fdmon_epoll_ops ||
                      ctx->fd_count >= FDMON_EPOLL_HANDLERS
                  ? &fdmon_epoll_ops
                  : &fdmon_poll_ops;
    }
    return may_use(ctx, ops) ? ops : &fdmon_poll_ops;
}

/* The handlers have changed, or the monitor has failed. */
static void settle_locked(AioContext *ctx)
{
    const struct fdmon_ops *best;

    if (ctx->fdmon_failed) {
        never_again(ctx, ctx->fdmon);
    }
    best = best_locked(ctx);
    if (best != ctx->fdmon && switch_locked(ctx, best) < 0) {
        never_again(ctx, best);
        best = &fdmon_poll_ops;
        if (best != ctx->fdmon) {
            (void)switch_locked(ctx, best);
        }
    }
    ctx->fdmon_generation = ctx->fd_generation;
    ctx->fdmon->refresh(ctx);
}

static void settle(AioContext *ctx)
{
    lockcnt_lock(&ctx->list_lock);
    settle_locked(ctx);
    lockcnt_unlock(&ctx->list_lock);
}

void fdmon_use_gsource(AioContext *ctx)
{
    if (!ctx->fdmon_no_io_uring) {
        ctx->fdmon_no_io_uring = true;
        if (ctx->fdmon == &fdmon_io_uring_ops) {
            settle(ctx);
        }
    }
}

void fdmon_update_locked(AioContext *ctx, AioHandler *handler, bool is_added)
{
    if (ctx->fdmon->update != NULL && !ctx->fdmon_failed &&
        ctx->fdmon->update(ctx, handler, is_added) < 0) {
        /* The home thread changes it, before its next wait. */
        ctx->fdmon_failed = true;
    }
}

int fdmon_wait(AioContext *ctx, int64_t timeout_ns)
{
    int ret;

    /*
     * Seq: pairs with aio_set_fd_handler(), whose notification has been
     * accepted or will end this wait.
     */
    if (ct_load_seq(&ctx->fd_generation) != ctx->fdmon_generation) {
        settle(ctx);
    }
    if (timeout_ns < 0 && !fdmon_has_work(ctx)) {
        /* One system call waits for the notification and takes it. */
        aio_notify_wait(ctx);
        return 0;
    }
    ret = ctx->fdmon->wait(ctx, timeout_ns);
    if (ret < 0 && ret != -EINTR && ret != -EAGAIN && ret != -ENOMEM) {
        ct_pre("fdmon-wait/poll", ctx->fdmon != &fdmon_poll_ops);
        lockcnt_lock(&ctx->list_lock);
        ctx->fdmon_failed = true;
        settle_locked(ctx);
        lockcnt_unlock(&ctx->list_lock);
        /* Early is allowed, and what it has found by now is in fd_ready. */
    }
    return ret;
}

int aio_context_set_fdmon(AioContext *ctx, const char *name)
{
    const struct fdmon_ops *wanted = NULL;
    int ret = 0;

    aio_home_claim(ctx);
    ct_pre("aio-context-fdmon/in-turn", ctx->depth == 0);
    for (size_t i = 0; name != NULL && i < G_N_ELEMENTS(monitors); i++) {
        if (strcmp(monitors[i]->name, name) == 0) {
            wanted = monitors[i];
        }
    }
    if (name != NULL && wanted == NULL) {
        return -ENOENT;
    }
    lockcnt_lock(&ctx->list_lock);
    if (wanted != NULL && wanted != ctx->fdmon) {
        ret = switch_locked(ctx, wanted);
    }
    if (ret == 0) {
        ctx->fdmon_wanted = wanted;
        if (wanted == NULL) {
            settle_locked(ctx);
        }
    }
    lockcnt_unlock(&ctx->list_lock);
    return ret;
}

const char *aio_context_fdmon(const AioContext *ctx)
{
    return ctx->fdmon->name;
}
