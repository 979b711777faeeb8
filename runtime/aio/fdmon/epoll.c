/* SPDX-License-Identifier: MIT */
/*
 * epoll.c - the monitor on epoll(7): the kernel keeps the list of what is
 * watched, so a wait does not cost more with more handlers
 *
 * Handlers are level-triggered.  The eventfd is edge-triggered and not read: a
 * wake-up is one system call less, and none is lost, since each write to it is
 * an edge, and one that comes while nobody waits ends the next wait.
 *
 * The kernel is told of a change at once, by whichever thread makes it: a file
 * descriptor is watched only while its handler says that it is open.  Each
 * entry is a handler's address, NULL for the eventfd.  One that the kernel has
 * returned may be deleted by another thread at the same time; its memory stays
 * for this turn, and the next one knows of the change before it waits.  If the
 * kernel can't watch a file (a regular one), or does not know what we remove
 * (it was closed too early, and a copy of it may live on), the monitor gives
 * up.
 */
#include "aio/fdmon/fdmon.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 128

struct fdmon_epoll {
    int fd;          /* immutable */
    bool has_pwait2; /* home, as events: Linux 5.11 */
    struct epoll_event events[EVENTS_MAX];
};

static int watch(int epoll_fd, int fd, uint32_t events, AioHandler *handler)
{
    struct epoll_event event = {.events = events, .data.ptr = handler};

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int watch_handler(int epoll_fd, AioHandler *handler)
{
    return watch(epoll_fd, handler->pfd.fd, handler->pfd.events, handler);
}

static int watch_all(AioContext *ctx, int epoll_fd)
{
    int ret = watch(epoll_fd, ctx->notify_pfd.fd, EPOLLIN | EPOLLET, NULL);

    list_for_each (node, &ctx->fd_handlers) {
        AioHandler *handler = list_entry(node, AioHandler, node);

        if (ret < 0) {
            break;
        }
        ret = watch_handler(epoll_fd, handler);
    }
    return ret;
}

static int epoll_open(AioContext *ctx)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    int ret;

    if (fd < 0) {
        return -errno;
    }
    ret = watch_all(ctx, fd);
    if (ret < 0) {
        (void)close(fd);
        return ret;
    }
    ctx->fdmon_epoll = g_new(struct fdmon_epoll, 1);
    ctx->fdmon_epoll->fd = fd;
    ctx->fdmon_epoll->has_pwait2 = true;
    return 0;
}

static void epoll_close(AioContext *ctx)
{
    (void)close(ctx->fdmon_epoll->fd);
    g_free(ctx->fdmon_epoll);
    ctx->fdmon_epoll = NULL;
}

static int epoll_update(AioContext *ctx, AioHandler *handler, bool is_added)
{
    int fd = ctx->fdmon_epoll->fd;

    if (is_added) {
        return watch_handler(fd, handler);
    }
    return epoll_ctl(fd, EPOLL_CTL_DEL, handler->pfd.fd, NULL) < 0 ? -errno : 0;
}

static void epoll_refresh(AioContext *ctx)
{
}

/* For Linux before 5.11; late rather than early. */
static int wait_in_ms(struct fdmon_epoll *mon, int64_t timeout_ns)
{
    int64_t ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);

    return epoll_wait(mon->fd, mon->events, EVENTS_MAX, (int)MIN(ms, G_MAXINT));
}

static int wait_for_events(struct fdmon_epoll *mon, int64_t timeout_ns)
{
    struct timespec timeout;
    int ready;

    if (timeout_ns <= 0) {
        return epoll_wait(mon->fd, mon->events, EVENTS_MAX, (int)timeout_ns);
    }
    if (mon->has_pwait2) {
        timeout.tv_sec = (time_t)(timeout_ns / 1000000000);
        timeout.tv_nsec = (long)(timeout_ns % 1000000000);
        ready = epoll_pwait2(mon->fd, mon->events, EVENTS_MAX, &timeout, NULL);
        if (ready >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return ready;
        }
        mon->has_pwait2 = false;
    }
    return wait_in_ms(mon, timeout_ns);
}

static int monitor_wait(AioContext *ctx, int64_t timeout_ns)
{
    struct fdmon_epoll *mon = ctx->fdmon_epoll;
    int ready = wait_for_events(mon, timeout_ns);
    int found = 0;

    if (ready < 0) {
        return -errno;
    }
    for (int i = 0; i < ready; i++) {
        AioHandler *handler = mon->events[i].data.ptr;

        if (handler != NULL) {
            aio_fd_add_ready(ctx, handler, mon->events[i].events);
            found++;
        }
    }
    return found;
}

const struct fdmon_ops fdmon_epoll_ops = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .update = epoll_update,
    .refresh = epoll_refresh,
    .wait = monitor_wait,
};
