/* SPDX-License-Identifier: MIT */
/*
 * busy.c - adaptive polling: looking for a while before sleeping
 *
 * A handler may say how its event can be seen without the kernel (io_poll: a
 * word in memory, usually).  A blocking turn then asks all such handlers again
 * and again for poll_ns before it sleeps.  How long pays is learnt from how
 * long turns had to wait (block_ns):
 *
 *     block_ns <= poll_ns         right so
 *     block_ns >  poll_max_ns     polling was for nothing: shrink, or stop
 *     between the two             a bit longer would have done: grow
 *
 * What wakes a loop otherwise must not be missed meanwhile: a notification is
 * looked for in each round; handlers without io_poll are counted
 * (poll_disable_cnt), and while there is one the loop does not poll, unless the
 * monitor's answers lie in memory as well (io_uring's do).
 *
 * Only handlers on poll_handlers are asked.  One gets there when the kernel
 * finds it ready, since more is likely to follow, and leaves after POLL_IDLE_NS
 * in which asking it was in vain.
 *
 * While the loop polls (poll_started) whoever causes the events may be told not
 * to signal the file descriptor: io_poll_begin, io_poll_end.  So polling is
 * always ended before a sleep, and then each handler is asked once more, for an
 * event between its last look and io_poll_end.
 *
 * All of it belongs to the home thread, but the parameters and the count.
 */
#include "aio/aio_int.h"

#include "aio/fdmon/fdmon.h"
#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/pre.h"

#define POLL_IDLE_NS  INT64_C(7000000000)
#define POLL_FIRST_NS 4000

void aio_busy_init(AioContext *ctx)
{
    list_init(&ctx->poll_handlers);
}

void aio_context_set_poll_params(AioContext *ctx, int64_t max_ns, int64_t grow,
                                 int64_t shrink)
{
    ct_pre("aio-poll-params/range", max_ns >= 0 && grow >= 0 && shrink >= 0);
    ct_store(&ctx->poll_grow, grow);
    ct_store(&ctx->poll_shrink, shrink);
    (void)ct_xchg(&ctx->poll_max_ns, max_ns);
    aio_notify(ctx);
}

static AioHandler *from_node(struct list *node)
{
    return list_entry(node, AioHandler, poll_node);
}

static const AioPollOps *ops_of(AioHandler *handler)
{
    /* Acquire: pairs with aio_set_fd_poll(). */
    return ct_load_acquire(&handler->poll_ops);
}

/* Asks one handler.  Return: it has something. */
static bool ask(AioContext *ctx, AioHandler *handler)
{
    if (!aio_fd_is_live(handler) ||
        !ops_of(handler)->io_poll(handler->opaque)) {
        return false;
    }
    handler->poll_ready = true;
    aio_fd_add_ready(ctx, handler, 0);
    return true;
}

static bool ask_all(AioContext *ctx, int64_t now_ns)
{
    bool found = false;

    list_for_each (node, &ctx->poll_handlers) {
        if (ask(ctx, from_node(node))) {
            from_node(node)->poll_idle_ns = now_ns + POLL_IDLE_NS;
            found = true;
        }
    }
    return found;
}

static void begin_polling(AioHandler *handler)
{
    if (ops_of(handler)->io_poll_begin != NULL && aio_fd_is_live(handler)) {
        ops_of(handler)->io_poll_begin(handler->opaque);
    }
}

/* Return: there was an event before the fd was signalled again. */
static bool end_polling(AioContext *ctx, AioHandler *handler)
{
    if (ops_of(handler)->io_poll_end != NULL && aio_fd_is_live(handler)) {
        ops_of(handler)->io_poll_end(handler->opaque);
    }
    return ask(ctx, handler);
}

static void start(AioContext *ctx)
{
    if (ctx->poll_started) {
        return;
    }
    ctx->poll_started = true;
    list_for_each (node, &ctx->poll_handlers) {
        begin_polling(from_node(node));
    }
}

void aio_busy_stop(AioContext *ctx)
{
    if (!ctx->poll_started) {
        return;
    }
    ctx->poll_started = false;
    list_for_each (node, &ctx->poll_handlers) {
        (void)end_polling(ctx, from_node(node));
    }
}

static void take_off(AioContext *ctx, AioHandler *handler)
{
    ct_emit_poll_remove(ctx->id, handler->id, handler->pfd.fd);
    list_del(&handler->poll_node);
    handler->poll_idle_ns = 0;
}

/* Return: one that was dropped had something after all. */
static bool drop_idle(AioContext *ctx, int64_t now_ns)
{
    bool found = false;

    list_for_each_safe (node, &ctx->poll_handlers) {
        AioHandler *handler = from_node(node);

        if (handler->poll_idle_ns == 0) {
            handler->poll_idle_ns = now_ns + POLL_IDLE_NS;
        } else if (now_ns >= handler->poll_idle_ns) {
            take_off(ctx, handler);
            found |= ctx->poll_started && end_polling(ctx, handler);
        }
    }
    return found;
}

/* Something that does not come from a handler asks for the turn. */
static bool is_wanted(AioContext *ctx)
{
    return aio_notify_is_pending(ctx) || aio_bh_timeout_ns(ctx) == 0 ||
           (ctx->fdmon->has_ready != NULL && ctx->fdmon->has_ready(ctx));
}

static bool may_poll(AioContext *ctx)
{
    if (ctx->fdmon->has_ready == NULL) {
        return ct_load(&ctx->poll_disable_cnt) == 0;
    }
    return true;
}

/* Return: there is something to run. */
static bool run_poll_handlers(AioContext *ctx, int64_t max_ns,
                              int64_t timeout_ns)
{
    int64_t now_ns = ctx->poll_begin_ns;
    bool found;

    ct_emit_run_poll_handlers_begin(ctx->id, max_ns, timeout_ns);
    do {
        found = ask_all(ctx, now_ns) || is_wanted(ctx);
        now_ns = aio_context_now_ns(ctx);
    } while (!found && now_ns - ctx->poll_begin_ns < max_ns);
    found |= drop_idle(ctx, now_ns);
    ct_emit_run_poll_handlers_end(ctx->id, found, now_ns - ctx->poll_begin_ns);
    return found;
}

/* No more polling, until the parameters are set again. */
static void turn_off(AioContext *ctx)
{
    aio_busy_stop(ctx);
    list_for_each_safe (node, &ctx->poll_handlers) {
        take_off(ctx, from_node(node));
    }
    ctx->poll_ns = 0;
}

/* The monitor that answers in memory must have been asked first. */
static bool ask_monitor(AioContext *ctx)
{
    return ctx->fdmon->has_ready != NULL && fdmon_has_work(ctx) &&
           fdmon_wait(ctx, 0) > 0;
}

int64_t aio_busy_poll(AioContext *ctx, int64_t timeout_ns)
{
    int64_t max_ns;

    if (ct_load(&ctx->poll_max_ns) == 0) {
        turn_off(ctx);
    }
    if (timeout_ns == 0) {
        /* The kernel, asked next, need not know what polling finds. */
        if (ctx->poll_started) {
            (void)ask_all(ctx, aio_context_now_ns(ctx));
        }
        return 0;
    }
    ctx->poll_begin_ns = aio_context_now_ns(ctx);
    max_ns = timeout_ns < 0 ? ctx->poll_ns : MIN(timeout_ns, ctx->poll_ns);
    if (max_ns > 0 && may_poll(ctx)) {
        if (ask_monitor(ctx)) {
            return 0;
        }
        start(ctx);
        if (run_poll_handlers(ctx, max_ns, timeout_ns)) {
            return 0;
        }
    }
    aio_busy_stop(ctx);
    return list_is_empty(&ctx->fd_ready) ? timeout_ns : 0;
}

static void look_longer(AioContext *ctx, int64_t max_ns)
{
    int64_t old_ns = ctx->poll_ns;
    int64_t factor = ct_load(&ctx->poll_grow);

    if (old_ns == 0) {
        ctx->poll_ns = MIN(POLL_FIRST_NS, max_ns);
    } else {
        factor = factor == 0 ? 2 : factor;
        ctx->poll_ns = old_ns > max_ns / factor ? max_ns : old_ns * factor;
    }
    ct_emit_poll_grow(ctx->id, old_ns, ctx->poll_ns);
}

static void look_shorter(AioContext *ctx)
{
    int64_t old_ns = ctx->poll_ns;
    int64_t divisor = ct_load(&ctx->poll_shrink);

    ctx->poll_ns = divisor == 0 ? 0 : old_ns / divisor;
    ct_emit_poll_shrink(ctx->id, old_ns, ctx->poll_ns);
}

void aio_busy_adjust(AioContext *ctx)
{
    int64_t max_ns = ct_load(&ctx->poll_max_ns);
    int64_t block_ns = aio_context_now_ns(ctx) - ctx->poll_begin_ns;

    if (ctx->poll_ns > max_ns) {
        ctx->poll_ns = max_ns; /* it has been lowered */
    }
    if (block_ns <= ctx->poll_ns) {
        return;
    }
    if (block_ns > max_ns) {
        if (ctx->poll_ns > 0) {
            look_shorter(ctx);
        }
    } else if (ctx->poll_ns < max_ns) {
        look_longer(ctx, max_ns);
    }
}

void aio_busy_found_ready(AioContext *ctx, AioHandler *handler,
                          unsigned revents)
{
    if (ct_load(&ctx->poll_max_ns) == 0 || ops_of(handler) == NULL ||
        list_is_linked(&handler->poll_node) || !aio_fd_is_live(handler)) {
        return;
    }
    ct_emit_poll_add(ctx->id, handler->id, handler->pfd.fd, revents);
    if (ctx->poll_started) {
        begin_polling(handler);
    }
    list_add_head(&ctx->poll_handlers, &handler->poll_node);
}

void aio_busy_removed(AioContext *ctx, AioHandler *handler)
{
    const AioPollOps *ops = ops_of(handler);

    if (ctx->poll_started && list_is_linked(&handler->poll_node) &&
        ops->io_poll_end != NULL) {
        ops->io_poll_end(handler->opaque);
    }
}
