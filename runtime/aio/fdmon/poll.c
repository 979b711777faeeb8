/* SPDX-License-Identifier: MIT */
/*
 * poll.c - the monitor on poll(2)
 *
 * Keeps the arrays that ppoll() needs from turn to turn and builds them anew
 * when the handlers have changed.  The first entry is the context's eventfd.
 */
#include "aio/fdmon/fdmon.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

/* All home. */
struct fdmon_poll {
    struct pollfd *fds;    /* fds[0]: the eventfd */
    AioHandler **handlers; /* handlers[i] belongs to fds[i + 1] */
    unsigned count;        /* of handlers */
    unsigned room;         /* of handlers */
};

static void poll_refresh(AioContext *ctx)
{
    struct fdmon_poll *mon = ctx->fdmon_poll;
    unsigned i = 0;

    if (ctx->fd_count > mon->room) {
        mon->room = MAX(ctx->fd_count, 2 * mon->room);
        mon->fds = g_renew(struct pollfd, mon->fds, mon->room + 1);
        mon->handlers = g_renew(AioHandler *, mon->handlers, mon->room);
    }
    list_for_each (node, &ctx->fd_handlers) {
        AioHandler *handler = list_entry(node, AioHandler, node);

        mon->handlers[i++] = handler;
        mon->fds[i] = (struct pollfd){.fd = handler->pfd.fd,
                                      .events = (short)handler->pfd.events};
    }
    mon->count = i;
}

static int poll_open(AioContext *ctx)
{
    ctx->fdmon_poll = g_new0(struct fdmon_poll, 1);
    ctx->fdmon_poll->fds = g_new0(struct pollfd, 1);
    poll_refresh(ctx);
    return 0;
}

static void poll_close(AioContext *ctx)
{
    struct fdmon_poll *mon = ctx->fdmon_poll;

    g_free(mon->fds);
    g_free(mon->handlers);
    g_free(mon);
    ctx->fdmon_poll = NULL;
}

static int wait_for_fds(struct fdmon_poll *mon, int64_t timeout_ns)
{
    struct timespec timeout;

    timeout.tv_sec = (time_t)(timeout_ns / 1000000000);
    timeout.tv_nsec = (long)(timeout_ns % 1000000000);
    return ppoll(mon->fds, mon->count + 1, timeout_ns < 0 ? NULL : &timeout,
                 NULL);
}

static int poll_wait(AioContext *ctx, int64_t timeout_ns)
{
    struct fdmon_poll *mon = ctx->fdmon_poll;
    int found = 0;
    int ready;

    mon->fds[0] = (struct pollfd){.fd = ctx->notify_pfd.fd, .events = POLLIN};
    ready = wait_for_fds(mon, timeout_ns);
    if (ready < 0) {
        return -errno;
    }
    if (ready > 0 && mon->fds[0].revents != 0) {
        aio_notify_drain(ctx);
        ready--;
    }
    for (unsigned i = 0; i < mon->count && found < ready; i++) {
        unsigned revents = (unsigned short)mon->fds[i + 1].revents;

        if (revents != 0) {
            aio_fd_add_ready(ctx, mon->handlers[i], revents);
            found++;
        }
    }
    return found;
}

const struct fdmon_ops fdmon_poll_ops = {
    .name = "poll",
    .open = poll_open,
    .close = poll_close,
    .refresh = poll_refresh,
    .wait = poll_wait,
};
