/* SPDX-License-Identifier: MIT */
/*
 * fd.c - handlers of file descriptors: set, found ready, called, removed
 *
 * The list of handlers is changed under list_lock by any thread and read under
 * it by the home thread, never while a callback runs.  A turn works on
 * fd_ready, which is home's own: monitors append to it, dispatch pops from it.
 * A nested turn finds there what the outer one has not called yet, and goes on
 * with it.
 *
 * Removing marks a handler deleted and moves it to fd_deleted; the mark is
 * looked at before each callback.  Turns, GLib's prepare and check, and whoever
 * removes a handler are counted in list_lock; the last of them frees what was
 * removed, while the lock keeps the next from beginning.  So pointers that
 * monitors and outer turns hold stay good, and without a turn a removed handler
 * is gone at once, whichever thread removed it.  One that the kernel still
 * knows by its address (`armed`) stays until the kernel has given it back.
 */
#include "aio/aio_int.h"

#include <errno.h>

#include "aio/fdmon/fdmon.h"
#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"

#define READ_EVENTS  (G_IO_IN | G_IO_HUP | G_IO_ERR)
#define WRITE_EVENTS (G_IO_OUT | G_IO_ERR)

void aio_fd_init(AioContext *ctx)
{
    list_init(&ctx->fd_handlers);
    list_init(&ctx->fd_deleted);
    list_init(&ctx->fd_ready);
    aio_busy_init(ctx);
    fdmon_init(ctx);
}

void aio_fd_fini(AioContext *ctx)
{
    ct_pre("aio-context-free/fd-handler-leaked", ctx->fd_count == 0);
    fdmon_fini(ctx);
    aio_fd_walk_begin(ctx);
    aio_fd_walk_end(ctx);
    g_free(ctx->fd_table);
}

static void table_set_locked(AioContext *ctx, int fd, AioHandler *handler)
{
    if (fd >= ctx->fd_table_room) {
        int room = MAX(fd + 1, 2 * ctx->fd_table_room);

        ctx->fd_table = g_renew(AioHandler *, ctx->fd_table, room);
        for (int i = ctx->fd_table_room; i < room; i++) {
            ctx->fd_table[i] = NULL;
        }
        ctx->fd_table_room = room;
    }
    ctx->fd_table[fd] = handler;
}

static AioHandler *table_get_locked(AioContext *ctx, int fd)
{
    return fd < ctx->fd_table_room ? ctx->fd_table[fd] : NULL;
}

static AioHandler *handler_new(int fd, AioHandlerFunc *io_read,
                               AioHandlerFunc *io_write, void *opaque)
{
    AioHandler *handler = g_new(AioHandler, 1);

    *handler = (AioHandler){.io_read = io_read,
                            .io_write = io_write,
                            .opaque = opaque,
                            .id = ct_id_new()};
    handler->pfd.fd = fd;
    if (io_read != NULL) {
        handler->pfd.events |= READ_EVENTS;
    }
    if (io_write != NULL) {
        handler->pfd.events |= WRITE_EVENTS;
    }
    list_init(&handler->ready_node);
    list_init(&handler->submit_node);
    list_init(&handler->rearm_node);
    list_init(&handler->poll_node);
    return handler;
}

static void remove_locked(AioContext *ctx, AioHandler *handler)
{
    ct_emit_fd_handler_remove(handler->id, ctx->id, handler->pfd.fd);
    if (!g_source_is_destroyed(&ctx->source)) {
        g_source_remove_poll(&ctx->source, &handler->pfd);
    }
    ctx->fd_table[handler->pfd.fd] = NULL;
    list_del(&handler->node);
    /* Pairs with aio_fd_is_live(). */
    ct_store_release(&handler->deleted, 1);
    list_add_tail(&ctx->fd_deleted, &handler->node);
    ct_store(&ctx->fd_count, ctx->fd_count - 1);
    ct_store(&ctx->fd_dead, ctx->fd_dead + 1);
    if (handler->poll_ops == NULL) {
        ct_store(&ctx->poll_disable_cnt, ctx->poll_disable_cnt - 1);
    }
    fdmon_update_locked(ctx, handler, false);
}

static void add_locked(AioContext *ctx, AioHandler *handler)
{
    table_set_locked(ctx, handler->pfd.fd, handler);
    list_add_tail(&ctx->fd_handlers, &handler->node);
    ct_store(&ctx->fd_count, ctx->fd_count + 1);
    ct_store(&ctx->poll_disable_cnt, ctx->poll_disable_cnt + 1);
    if (!g_source_is_destroyed(&ctx->source)) {
        g_source_add_poll(&ctx->source, &handler->pfd);
    }
    fdmon_update_locked(ctx, handler, true);
}

void aio_set_fd_handler(AioContext *ctx, int fd, AioHandlerFunc *io_read,
                        AioHandlerFunc *io_write, void *opaque)
{
    AioHandler *handler = NULL;
    AioHandler *old;

    ct_pre("aio-fd/fd", fd >= 0);
    if (io_read != NULL || io_write != NULL) {
        handler = handler_new(fd, io_read, io_write, opaque);
        ct_emit_fd_handler_set(handler->id, ctx->id, fd, io_read, io_write);
    }
    lockcnt_lock(&ctx->list_lock);
    old = table_get_locked(ctx, fd);
    if (old != NULL) {
        remove_locked(ctx, old);
    }
    if (handler != NULL) {
        add_locked(ctx, handler);
    }
    if (old != NULL || handler != NULL) {
        /* Pairs with the look in fdmon_wait(), and precedes N1. */
        (void)ct_fetch_add(&ctx->fd_generation, 1);
    }
    if (old == NULL) {
        lockcnt_unlock(&ctx->list_lock);
    } else {
        lockcnt_inc_and_unlock(&ctx->list_lock);
        if (in_aio_context_home_thread(ctx)) {
            aio_busy_removed(ctx, old);
        }
        aio_fd_walk_end(ctx);
    }
    /* The turn that waits has to watch something else. */
    aio_notify_work(ctx);
}

void aio_set_fd_poll(AioContext *ctx, int fd, const AioPollOps *ops)
{
    AioHandler *handler;

    ct_pre("aio-fd-poll/ops",
           ops->io_poll != NULL && ops->io_poll_ready != NULL);
    lockcnt_lock(&ctx->list_lock);
    handler = table_get_locked(ctx, fd);
    ct_pre("aio-fd-poll/handler", handler != NULL && handler->poll_ops == NULL);
    /* Release: pairs with ops_of() in busy.c. */
    ct_store_release(&handler->poll_ops, ops);
    ct_store(&ctx->poll_disable_cnt, ctx->poll_disable_cnt - 1);
    lockcnt_unlock(&ctx->list_lock);
}

uint64_t aio_fd_handler_id(AioContext *ctx, int fd)
{
    AioHandler *handler;
    uint64_t id;

    ct_pre("aio-fd/fd", fd >= 0);
    lockcnt_lock(&ctx->list_lock);
    handler = table_get_locked(ctx, fd);
    id = handler != NULL ? handler->id : 0;
    lockcnt_unlock(&ctx->list_lock);
    return id;
}

void aio_fd_add_ready(AioContext *ctx, AioHandler *handler, unsigned revents)
{
    if (revents & G_IO_NVAL) {
        revents |= G_IO_ERR; /* closed too early: let its callback find out */
    }
    handler->revents |= revents;
    if (!list_is_linked(&handler->ready_node)) {
        list_add_tail(&ctx->fd_ready, &handler->ready_node);
    }
}

bool aio_fd_take_gsource_ready(AioContext *ctx)
{
    if (ct_load(&ctx->fd_count) > 0) {
        lockcnt_lock(&ctx->list_lock);
        list_for_each (node, &ctx->fd_handlers) {
            AioHandler *handler = list_entry(node, AioHandler, node);

            if (handler->pfd.revents != 0) {
                aio_fd_add_ready(ctx, handler, handler->pfd.revents);
                handler->pfd.revents = 0;
            }
        }
        lockcnt_unlock(&ctx->list_lock);
    }
    return !list_is_empty(&ctx->fd_ready);
}

bool aio_fd_is_live(AioHandler *handler)
{
    /* Pairs with remove_locked(). */
    return !ct_load_acquire(&handler->deleted);
}

static void run(AioContext *ctx, AioHandler *handler, AioHandlerFunc *callback,
                unsigned revents)
{
    ct_emit_fd_run_begin(handler->id, ctx->id, handler->pfd.fd, revents,
                         callback);
    callback(handler->opaque);
    ct_emit_fd_run_end(handler->id, ctx->id);
}

bool aio_fd_dispatch(AioContext *ctx)
{
    bool progress = false;

    while (!list_is_empty(&ctx->fd_ready)) {
        AioHandler *handler =
            list_entry(ctx->fd_ready.next, AioHandler, ready_node);
        unsigned revents = handler->revents;
        bool is_polled = handler->poll_ready;

        list_del(&handler->ready_node);
        handler->revents = 0;
        handler->poll_ready = false;
        if (revents != 0) {
            aio_busy_found_ready(ctx, handler, revents);
        } else if (is_polled && aio_fd_is_live(handler)) {
            run(ctx, handler, handler->poll_ops->io_poll_ready, 0);
            progress = true;
        }
        if (handler->io_read != NULL && (revents & READ_EVENTS) &&
            aio_fd_is_live(handler)) {
            run(ctx, handler, handler->io_read, revents);
            progress = true;
        }
        if (handler->io_write != NULL && (revents & WRITE_EVENTS) &&
            aio_fd_is_live(handler)) {
            run(ctx, handler, handler->io_write, revents);
            progress = true;
        }
    }
    return progress;
}

static void reap_locked(AioContext *ctx)
{
    list_for_each_safe (node, &ctx->fd_deleted) {
        AioHandler *handler = list_entry(node, AioHandler, node);

        if (handler->armed) {
            continue;
        }
        list_del(node);
        list_del(&handler->submit_node);
        list_del(&handler->ready_node);
        list_del(&handler->rearm_node);
        list_del(&handler->poll_node);
        ct_store(&ctx->fd_dead, ctx->fd_dead - 1);
        g_free(handler);
    }
}

void aio_fd_walk_begin(AioContext *ctx)
{
    lockcnt_inc(&ctx->list_lock);
}

void aio_fd_walk_end(AioContext *ctx)
{
    /* Who removes one is counted: it sees to it itself, or comes later. */
    if (ct_load(&ctx->fd_dead) == 0) {
        lockcnt_dec(&ctx->list_lock);
    } else if (lockcnt_dec_and_lock(&ctx->list_lock)) {
        reap_locked(ctx);
        lockcnt_unlock(&ctx->list_lock);
    }
}
