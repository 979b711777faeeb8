/* SPDX-License-Identifier: MIT */
/*
 * fdmon.h - what watches the file descriptors of a context in aio_poll()
 *
 * A monitor is one way to ask the kernel; which one is used may change from
 * turn to turn (fdmon.c).  It watches ctx->notify_pfd as well.
 * A context that a GMainContext runs is watched by GLib; its monitor serves
 * its aio_poll() calls only.
 */
#ifndef CT_FDMON_H
#define CT_FDMON_H

#include "aio/aio_int.h"

struct fdmon_ops {
    const char *name;

    /*
     * Starts to watch all of ctx->fd_handlers.  Home, list_lock held.
     * Return: 0, or -errno: the kernel does not have it, or not for these.
     */
    int (*open)(AioContext *ctx);
    /* Nothing is watched any more, and no handler is `armed`.  Likewise. */
    void (*close)(AioContext *ctx);

    /*
     * A handler was added, or is deleted.  Any thread, list_lock held.
     * Return: 0, or -errno: the monitor can't go on.  NULL: refresh is enough.
     */
    int (*update)(AioContext *ctx, AioHandler *handler, bool is_added);
    /* Handlers have changed since the last wait.  Home, list_lock held. */
    void (*refresh)(AioContext *ctx);

    /*
     * Waits for handlers and notifications: @timeout_ns, 0: looks only, -1:
     * for ever.  May return early.  Home.
     * Return: how many handlers it has added to fd_ready, or -errno.  Other
     * than -EINTR, -EAGAIN, -ENOMEM: the monitor can't go on.
     */
    int (*wait)(AioContext *ctx, int64_t timeout_ns);

    /*
     * Would a wait find something?  Without asking the kernel, after a wait
     * that did.  NULL: only a wait can tell.  Home.
     */
    bool (*has_ready)(AioContext *ctx);
};

extern const struct fdmon_ops fdmon_poll_ops;
extern const struct fdmon_ops fdmon_epoll_ops;
extern const struct fdmon_ops fdmon_io_uring_ops;

/*
 * From this many handlers on epoll is better than poll: with one they cost the
 * same, but epoll need not read the eventfd behind each wake-up
 * (docs/EVENT_LOOP.md).  A context with one is often short-lived.
 */
#define FDMON_EPOLL_HANDLERS 2

void fdmon_init(AioContext *ctx);
void fdmon_fini(AioContext *ctx);
/* Home, before GLib waits for the context. */
void fdmon_use_gsource(AioContext *ctx);
void fdmon_update_locked(AioContext *ctx, AioHandler *handler, bool is_added);
/* Home.  Is it worth asking, if nobody wants to wait? */
static inline bool fdmon_has_work(AioContext *ctx)
{
    return ct_load(&ctx->fd_count) > 0 || ct_load(&ctx->fd_dead) > 0;
}

/* Home.  As fdmon_ops.wait, by the monitor that suits. */
int fdmon_wait(AioContext *ctx, int64_t timeout_ns);

#endif
