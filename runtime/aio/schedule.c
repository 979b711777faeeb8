/* SPDX-License-Identifier: MIT */
/*
 * schedule.c - coroutines that are entered by a context: the one place where
 * loop and coroutine meet
 *
 * Any thread pushes a coroutine on the context's lifo; whoever pushes on an
 * empty one schedules the bottom half.  That takes the whole lifo, turns it
 * round and enters one after the other: first scheduled, first entered.  A
 * coroutine that is scheduled again while it runs is in the next batch.
 *
 * `scheduled` in the coroutine holds the scheduler's name from before the push
 * until just before the enter, so that a second one, or a direct enter, is
 * found out and both culprits are named.
 */
#include "aio/aio_int.h"
#include "base/atomics.h"
#include "coroutine/coroutine_int.h"
#include "ct/emit.h"
#include "ct/pre.h"
#include "ct/when.h"

static void co_schedule_bh(void *opaque)
{
    AioContext *ctx = opaque;
    /* Pairs with lifo_push() in push(). */
    struct lifo_node *node = lifo_reverse(lifo_take_all(&ctx->co_scheduled));

    while (node != NULL) {
        Coroutine *co = list_entry(node, Coroutine, schedule_node);

        /* Entered, it may be pushed somewhere else at once. */
        node = node->next;
        (void)ct_fetch_sub(&ctx->co_count, 1);
        ct_emit_aio_co_schedule_bh_cb(ctx->id, coroutine_id(co));
        /* Release: pairs with the cmpxchg of the next aio_co_schedule(). */
        ct_store_release(&co->scheduled, NULL);
        coroutine_enter_in(ctx, ctx->id, co);
    }
}

void aio_schedule_init(AioContext *ctx)
{
    ctx->co_schedule_bh = aio_bh_new(ctx, co_schedule_bh, ctx);
}

void aio_schedule_fini(AioContext *ctx)
{
    ct_pre("aio-context-free/coroutine-scheduled",
           lifo_is_empty(&ctx->co_scheduled));
    aio_bh_delete(ctx->co_schedule_bh);
}

static void push(AioContext *ctx, Coroutine *co)
{
    /* Pairs with lifo_take_all() in co_schedule_bh(). */
    if (lifo_push(&ctx->co_scheduled, &co->schedule_node)) {
        aio_bh_schedule(ctx->co_schedule_bh);
    }
}

void aio_co_schedule(AioContext *ctx, Coroutine *co)
{
    const char *scheduled = NULL;

    ct_pre_msg("aio-co-schedule/already-scheduled",
               ct_cmpxchg(&co->scheduled, &scheduled, __func__),
               "Co-routine was already scheduled in '%s'", scheduled);
    ct_emit_aio_co_schedule(ctx->id, coroutine_id(co),
                            coroutine_id(coroutine_self()));
    (void)ct_fetch_add(&ctx->co_count, 1);
    if (in_aio_context_home_thread(ctx)) {
        push(ctx, co);
        return;
    }
    /*
     * Once it is pushed it may run and end, and with it whoever keeps @ctx
     * alive.
     */
    aio_context_ref(ctx);
    push(ctx, co);
    aio_context_unref(ctx);
}

static uint64_t id_of(const AioContext *ctx)
{
    return ctx != NULL ? ctx->id : 0;
}

enum ct_wake_how aio_co_enter_how(AioContext **ctx)
{
    AioContext *current = aio_context_current();

    /* Never ran in a context: here is as good as anywhere. */
    if (*ctx == NULL) {
        *ctx = current;
    }
    if (*ctx != current) {
        return CT_WAKE_HOW_SCHEDULED;
    }
    return in_coroutine() ? CT_WAKE_HOW_QUEUED : CT_WAKE_HOW_ENTERED;
}

void aio_co_enter_told(AioContext *ctx, Coroutine *co, enum ct_wake_how how)
{
    switch (how) {
    case CT_WAKE_HOW_SCHEDULED:
        aio_co_schedule(ctx, co);
        break;
    case CT_WAKE_HOW_QUEUED:
        ct_pre("aio-co-enter/self", coroutine_self() != co);
        coroutine_queue_wake(co);
        break;
    case CT_WAKE_HOW_ENTERED:
        coroutine_enter_told_in(ctx, id_of(ctx), co);
        break;
    }
}

void aio_co_enter(AioContext *ctx, Coroutine *co)
{
    enum ct_wake_how how = aio_co_enter_how(&ctx);
    uint64_t ctx_id = id_of(ctx);

    if (how == CT_WAKE_HOW_ENTERED &&
        __builtin_expect(ct_emit_on_aio_co_wake_enter(), 0)) {
        ct_when_begin();
        ct_emit_aio_co_wake_enter(ctx_id, coroutine_id(co));
        aio_co_enter_told(ctx, co, how);
        return;
    }
    ct_emit_aio_co_wake(ctx_id, coroutine_id(co),
                        coroutine_id(coroutine_self()), how);
    if (how == CT_WAKE_HOW_ENTERED) {
        coroutine_enter_in(ctx, ctx_id, co);
    } else {
        aio_co_enter_told(ctx, co, how);
    }
}

bool aio_co_wake_enters(const Coroutine *co)
{
    AioContext *ctx = ct_load(&co->ctx);

    return ctx != NULL && aio_co_enter_how(&ctx) == CT_WAKE_HOW_ENTERED;
}

void aio_co_wake_told(Coroutine *co)
{
    aio_co_enter_told(ct_load(&co->ctx), co, CT_WAKE_HOW_ENTERED);
}

void aio_co_wake(Coroutine *co)
{
    /*
     * Stored when it was entered; it was found in something that it published
     * after that.
     */
    aio_co_enter(ct_load(&co->ctx), co);
}

struct reschedule {
    AioContext *new_ctx;
    Coroutine *co;
};

/* The coroutine has yielded for sure: it is below us on no stack. */
static void reschedule_self_bh(void *opaque)
{
    struct reschedule *reschedule = opaque;

    aio_co_schedule(reschedule->new_ctx, reschedule->co);
}

void coroutine_fn aio_co_reschedule_self(AioContext *new_ctx)
{
    AioContext *old_ctx = aio_context_current();
    struct reschedule reschedule = {.new_ctx = new_ctx, .co = coroutine_self()};

    ct_pre("aio-co-reschedule/in-coroutine", reschedule.co != NULL);
    ct_pre("aio-co-reschedule/context", old_ctx != NULL);
    if (old_ctx == new_ctx) {
        return;
    }
    /*
     * Not scheduled in the new context straight away: its thread could enter
     * the coroutine before it has left this one.
     */
    aio_bh_schedule_oneshot(old_ctx, reschedule_self_bh, &reschedule);
    coroutine_yield_for(CT_YIELD_REASON_SCHEDULE, 0);
}
