/* SPDX-License-Identifier: MIT */
/*
 * fdmon.h - what watches the file descriptors of a context in aio_poll()
 *
 * A monitor is one way to ask the kernel.  It reads ctx->fd_handlers (with
 * fd_lock held) and tells what it finds with aio_fd_add_ready().  It watches
 * ctx->notify_pfd as well, and takes what was written there.
 * A context that a GMainContext runs is watched by GLib; its monitor serves
 * its aio_poll() calls only.
 * All calls come from the home thread.
 */
#ifndef CT_FDMON_H
#define CT_FDMON_H

#include "aio/aio_int.h"

struct fdmon_ops {
    const char *name;

    /* Return: false if the kernel does not have it. */
    bool (*init)(AioContext *ctx);
    void (*fini)(AioContext *ctx);

    /*
     * Waits for handlers and notifications: @timeout_ns, 0: looks only, -1:
     * for ever.  May return early.
     * Return: how many handlers it has added to fd_ready, or -errno.
     */
    int (*wait)(AioContext *ctx, int64_t timeout_ns);
};

extern const struct fdmon_ops fdmon_poll_ops;

/* Chooses the context's monitor. */
void fdmon_init(AioContext *ctx);
void fdmon_fini(AioContext *ctx);

#endif
