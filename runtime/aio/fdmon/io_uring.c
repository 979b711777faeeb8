/* SPDX-License-Identifier: MIT */
/*
 * io_uring.c - the monitor on io_uring: one system call tells the kernel what
 * to watch and waits for it; looking without waiting costs none at all
 *
 * Each handler has at most one poll request in the kernel, which ends when the
 * file is ready (one-shot), and is made anew by the next wait: so a handler
 * that has left something is found ready again, as with poll(2).
 *
 *     any thread                    home thread
 *     handler added: on `submit`    before a wait: `submit` and `rearm` become
 *     handler removed: on `submit`  requests; a removed one that is armed is
 *                                   cancelled
 *                                   wait; each completion: no longer armed; on
 *                                   `rearm`, and ready
 *
 * `submit` is under list_lock; the ring, `rearm` and `armed` belong to the home
 * thread.  A request holds the file open.  So a removal by the home thread,
 * which may close the file next, cancels at once; one by another thread
 * notifies, and the next turn does.
 *
 * The kernel knows a handler by its address as long as it is armed, and until
 * then it is not freed.  Requests end with the thread that made them: those of
 * an earlier home come back as cancelled, and are made anew.
 */
#include "aio/fdmon/fdmon.h"

#include <errno.h>
#include <liburing.h>

#include "base/atomics.h"

#define ENTRIES 128

/* user_data that is no handler's address */
#define NOTIFICATION 1
#define CANCELLING   2

struct fdmon_io_uring {
    struct io_uring ring; /* home, as all but submit */
    struct list submit;   /* protected by list_lock */
    struct list rearm;
    bool notify_armed;
    int error; /* of a submission that failed outside of a wait */
};

/* NULL: the kernel takes no more. */
static struct io_uring_sqe *next_sqe(struct fdmon_io_uring *mon)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&mon->ring);

    if (sqe == NULL) {
        int ret = io_uring_submit(&mon->ring);

        sqe = io_uring_get_sqe(&mon->ring);
        if (sqe == NULL && mon->error == 0) {
            mon->error = ret < 0 ? ret : -EBUSY;
        }
    }
    return sqe;
}

static void arm(struct fdmon_io_uring *mon, AioHandler *handler)
{
    struct io_uring_sqe *sqe = next_sqe(mon);

    if (sqe != NULL) {
        io_uring_prep_poll_add(sqe, handler->pfd.fd, handler->pfd.events);
        io_uring_sqe_set_data(sqe, handler);
        handler->armed = true;
    }
}

static void disarm(struct fdmon_io_uring *mon, AioHandler *handler)
{
    struct io_uring_sqe *sqe = next_sqe(mon);

    if (sqe != NULL) {
        io_uring_prep_poll_remove(sqe, (uint64_t)(uintptr_t)handler);
        io_uring_sqe_set_data64(sqe, CANCELLING);
    }
}

static void submit_now(struct fdmon_io_uring *mon)
{
    int ret = io_uring_submit(&mon->ring);

    if (ret < 0 && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY) {
        mon->error = ret;
    }
}

static int monitor_open(AioContext *ctx)
{
    struct fdmon_io_uring *mon = g_new0(struct fdmon_io_uring, 1);
    int ret = io_uring_queue_init(ENTRIES, &mon->ring, 0);

    if (ret == 0 && !(mon->ring.features & IORING_FEAT_EXT_ARG)) {
        /* Linux before 5.11: a time limit would be a request of its own. */
        io_uring_queue_exit(&mon->ring);
        ret = -ENOSYS;
    }
    if (ret < 0) {
        g_free(mon);
        return ret;
    }
    (void)io_uring_ring_dontfork(&mon->ring);
    list_init(&mon->submit);
    list_init(&mon->rearm);
    list_for_each (node, &ctx->fd_handlers) {
        AioHandler *handler = list_entry(node, AioHandler, node);

        list_add_tail(&mon->rearm, &handler->rearm_node);
    }
    ctx->fdmon_io_uring = mon;
    return 0;
}

static void forget_armed(struct list *handlers)
{
    list_for_each (node, handlers) {
        list_entry(node, AioHandler, node)->armed = false;
    }
}

static void monitor_close(AioContext *ctx)
{
    struct fdmon_io_uring *mon = ctx->fdmon_io_uring;

    /* Ends all requests; nothing is completed any more. */
    io_uring_queue_exit(&mon->ring);
    forget_armed(&ctx->fd_handlers);
    forget_armed(&ctx->fd_deleted);
    list_for_each_safe (submit_node, &mon->submit) {
        list_del(submit_node);
    }
    list_for_each_safe (rearm_node, &mon->rearm) {
        list_del(rearm_node);
    }
    g_free(mon);
    ctx->fdmon_io_uring = NULL;
}

static int monitor_update(AioContext *ctx, AioHandler *handler, bool is_added)
{
    struct fdmon_io_uring *mon = ctx->fdmon_io_uring;

    if (!is_added && in_aio_context_home_thread(ctx)) {
        list_del(&handler->submit_node);
        if (handler->armed) {
            disarm(mon, handler);
            submit_now(mon);
        }
        return mon->error;
    }
    if (!list_is_linked(&handler->submit_node)) {
        list_add_tail(&mon->submit, &handler->submit_node);
    }
    return 0;
}

static bool is_deleted(AioHandler *handler)
{
    return ct_load(&handler->deleted) != 0;
}

static void monitor_refresh(AioContext *ctx)
{
    struct fdmon_io_uring *mon = ctx->fdmon_io_uring;
    bool has_disarmed = false;

    list_for_each_safe (node, &mon->submit) {
        AioHandler *handler = list_entry(node, AioHandler, submit_node);

        list_del(node);
        if (!is_deleted(handler)) {
            arm(mon, handler);
        } else if (handler->armed) {
            disarm(mon, handler);
            has_disarmed = true;
        }
    }
    if (has_disarmed) {
        /* Somebody waits for the files to be closed. */
        submit_now(mon);
    }
}

static void fill(AioContext *ctx, struct fdmon_io_uring *mon)
{
    list_for_each_safe (node, &mon->rearm) {
        AioHandler *handler = list_entry(node, AioHandler, rearm_node);

        list_del(node);
        if (!is_deleted(handler)) {
            arm(mon, handler);
        }
    }
    if (!mon->notify_armed) {
        struct io_uring_sqe *sqe = next_sqe(mon);

        if (sqe != NULL) {
            io_uring_prep_poll_add(sqe, ctx->notify_pfd.fd, G_IO_IN);
            io_uring_sqe_set_data64(sqe, NOTIFICATION);
            mon->notify_armed = true;
        }
    }
}

/* Return: 1 if it was a handler that is ready. */
static int take_completion(AioContext *ctx, struct fdmon_io_uring *mon,
                           const struct io_uring_cqe *cqe)
{
    AioHandler *handler;

    switch (cqe->user_data) {
    case CANCELLING:
        return 0;
    case NOTIFICATION:
        mon->notify_armed = false;
        aio_notify_drain(ctx);
        return 0;
    default:
        break;
    }
    handler = io_uring_cqe_get_data(cqe);
    handler->armed = false;
    if (is_deleted(handler)) {
        return 0;
    }
    list_add_tail(&mon->rearm, &handler->rearm_node);
    if (cqe->res == -ECANCELED) {
        return 0; /* by the end of the thread that had asked */
    }
    aio_fd_add_ready(ctx, handler,
                     cqe->res < 0 ? (unsigned)G_IO_NVAL : (unsigned)cqe->res);
    return 1;
}

static int take_completions(AioContext *ctx, struct fdmon_io_uring *mon)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    unsigned count = 0;
    int found = 0;

    io_uring_for_each_cqe(&mon->ring, head, cqe)
    {
        found += take_completion(ctx, mon, cqe);
        count++;
    }
    io_uring_cq_advance(&mon->ring, count);
    return found;
}

/* Return: 0 or more, or -errno. */
static int enter(struct fdmon_io_uring *mon, int64_t timeout_ns)
{
    struct __kernel_timespec timeout = {
        .tv_sec = timeout_ns / 1000000000,
        .tv_nsec = timeout_ns % 1000000000,
    };
    struct io_uring_cqe *cqe;

    if (timeout_ns == 0) {
        return io_uring_sq_ready(&mon->ring) > 0 ||
                       io_uring_cq_has_overflow(&mon->ring)
                   ? io_uring_submit_and_get_events(&mon->ring)
                   : 0;
    }
    return io_uring_submit_and_wait_timeout(
        &mon->ring, &cqe, 1, timeout_ns < 0 ? NULL : &timeout, NULL);
}

static int monitor_wait(AioContext *ctx, int64_t timeout_ns)
{
    struct fdmon_io_uring *mon = ctx->fdmon_io_uring;
    int found, ret;

    fill(ctx, mon);
    ret = enter(mon, timeout_ns);
    found = take_completions(ctx, mon);
    if (mon->error != 0) {
        return mon->error;
    }
    if (ret < 0 && ret != -ETIME && ret != -EBUSY) {
        return ret;
    }
    return found;
}

static bool monitor_has_ready(AioContext *ctx)
{
    return io_uring_cq_ready(&ctx->fdmon_io_uring->ring) > 0;
}

const struct fdmon_ops fdmon_io_uring_ops = {
    .name = "io_uring",
    .open = monitor_open,
    .close = monitor_close,
    .update = monitor_update,
    .refresh = monitor_refresh,
    .wait = monitor_wait,
    .has_ready = monitor_has_ready,
};
