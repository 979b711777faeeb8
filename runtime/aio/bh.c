/* SPDX-License-Identifier: MIT */
/*
 * bh.c - bottom halves
 *
 * A bottom half's flags say what it is in for; whoever sets BH_PENDING pushes
 * it, so it is in at most one list, once:
 *
 *     any thread                  flags |= PENDING | SCHEDULED
 *                                 was not pending: push on bh_pushed, notify
 *     home thread, once a turn    take bh_pushed whole, append it to bh_ready
 *                  for each       pop; flags &= ~(PENDING | SCHEDULED | IDLE)
 *                                 was scheduled: call it
 *
 * It may be scheduled again as soon as the flags are clear: then it is pushed
 * anew and waits for the next turn, so a turn always ends.
 * The order is that of pushing.  A nested turn appends what is new behind what
 * the outer one has not run yet and runs all of it: each scheduling runs once,
 * in the innermost turn.
 *
 * Deleting is scheduling with BH_DELETED: home frees it when it pops it, so
 * nobody else's pointer in a list goes stale.
 */
#include "aio/aio_int.h"

#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"

/* A turn waits no longer than this while an idle bottom half is scheduled. */
#define BH_IDLE_NS 10000000

enum bh_flags {
    BH_PENDING = 1 << 0,   /* in bh_pushed or bh_ready */
    BH_SCHEDULED = 1 << 1, /* to be called */
    BH_IDLE = 1 << 2,      /* to be called, no haste */
    BH_DELETED = 1 << 3,   /* to be freed */
    BH_ONESHOT = 1 << 4,   /* to be freed after its call; immutable */
};

struct AioBH {
    union {
        struct lifo_node pushed;
        struct queue_node ready;
    } link;          /* whoever set BH_PENDING, then home */
    AioContext *ctx; /* immutable, as all below */
    AioBHFunc *cb;
    void *opaque;
    const char *name;
    uint64_t id;
    unsigned flags;   /* atomic, enum bh_flags; see above */
    struct list node; /* in bh_all, protected by bh_lock; no one-shots */
};

void aio_bh_init(AioContext *ctx)
{
    ctx->bh_pushed.head = NULL;
    queue_init(&ctx->bh_ready);
    pthread_mutex_init(&ctx->bh_lock, NULL);
    list_init(&ctx->bh_all);
}

static AioBH *bh_new(AioContext *ctx, AioBHFunc *cb, void *opaque,
                     const char *name, unsigned flags)
{
    AioBH *bh = g_new(AioBH, 1);

    *bh = (AioBH){.ctx = ctx,
                  .cb = cb,
                  .opaque = opaque,
                  .name = name,
                  .id = ct_id_new(),
                  .flags = flags};
    return bh;
}

AioBH *aio_bh_new_full(AioContext *ctx, AioBHFunc *cb, void *opaque,
                       const char *name)
{
    AioBH *bh = bh_new(ctx, cb, opaque, name, 0);

    pthread_mutex_lock(&ctx->bh_lock);
    list_add_tail(&ctx->bh_all, &bh->node);
    pthread_mutex_unlock(&ctx->bh_lock);
    return bh;
}

static void bh_free(AioBH *bh, unsigned flags)
{
    if (!(flags & BH_ONESHOT)) {
        pthread_mutex_lock(&bh->ctx->bh_lock);
        list_del(&bh->node);
        pthread_mutex_unlock(&bh->ctx->bh_lock);
    }
    g_free(bh);
}

/*
 * Sets @flags and makes home see it; @urgent: soon.  Without BH_PENDING before,
 * the push is ours; @bh may be gone once it is pushed.
 */
static void bh_enqueue(AioBH *bh, unsigned flags, bool urgent)
{
    AioContext *ctx = bh->ctx;
    unsigned old = ct_fetch_or(&bh->flags, flags | BH_PENDING);

    /*
     * The read-modify-writes of the flags make what preceded this call visible
     * to bh_dequeue(), also if another call is the one that pushes.
     */
    if (!(old & BH_PENDING)) {
        (void)lifo_push(&ctx->bh_pushed, &bh->link.pushed);
    } else if (old & BH_SCHEDULED) {
        return; /* whoever scheduled it notifies, or has */
    }
    if (urgent) {
        aio_notify_work(ctx);
    }
}

void aio_bh_schedule(AioBH *bh)
{
    ct_emit_bh_schedule(bh->id, bh->ctx->id, bh->name, bh->cb, 0);
    bh_enqueue(bh, BH_SCHEDULED, true);
}

void aio_bh_schedule_idle(AioBH *bh)
{
    ct_emit_bh_schedule(bh->id, bh->ctx->id, bh->name, bh->cb, 2);
    bh_enqueue(bh, BH_IDLE, false);
}

void aio_bh_schedule_oneshot_full(AioContext *ctx, AioBHFunc *cb, void *opaque,
                                  const char *name)
{
    AioBH *bh =
        bh_new(ctx, cb, opaque, name, BH_PENDING | BH_SCHEDULED | BH_ONESHOT);

    ct_emit_bh_schedule(bh->id, ctx->id, name, cb, 1);
    (void)lifo_push(&ctx->bh_pushed, &bh->link.pushed);
    aio_notify_work(ctx);
}

void aio_bh_cancel(AioBH *bh)
{
    ct_emit_bh_cancel(bh->id, bh->ctx->id);
    (void)ct_fetch_and(&bh->flags, ~(unsigned)(BH_SCHEDULED | BH_IDLE));
}

void aio_bh_delete(AioBH *bh)
{
    if (bh == NULL) {
        return;
    }
    ct_emit_bh_delete(bh->id, bh->ctx->id);
    bh_enqueue(bh, BH_DELETED, false);
}

/* Appends what was pushed to bh_ready, oldest first. */
static void bh_take(AioContext *ctx)
{
    struct lifo_node *node;

    /* Seq: pairs with lifo_push() and the notify after it (N1). */
    if (ct_load_seq(&ctx->bh_pushed.head) == NULL) {
        return;
    }
    node = lifo_reverse(lifo_take_all(&ctx->bh_pushed));
    while (node != NULL) {
        struct lifo_node *next = node->next;
        AioBH *bh = list_entry(node, AioBH, link.pushed);

        queue_push(&ctx->bh_ready, &bh->link.ready);
        node = next;
    }
}

/* NULL: nothing is ready.  @ret_flags: what it was in for. */
static AioBH *bh_dequeue(AioContext *ctx, unsigned *ret_flags)
{
    struct queue_node *node = queue_pop(&ctx->bh_ready);
    AioBH *bh;

    if (node == NULL) {
        return NULL;
    }
    bh = list_entry(node, AioBH, link.ready);
    /*
     * Pairs with bh_enqueue(): what was written before scheduling is seen by
     * the callback.  Scheduled from here on, it is pushed anew.
     */
    *ret_flags = ct_fetch_and(&bh->flags,
                              ~(unsigned)(BH_PENDING | BH_SCHEDULED | BH_IDLE));
    return bh;
}

bool aio_bh_poll(AioContext *ctx)
{
    bool progress = false;
    unsigned flags;
    AioBH *bh;

    bh_take(ctx);
    while ((bh = bh_dequeue(ctx, &flags)) != NULL) {
        if (!(flags & BH_DELETED) && (flags & (BH_SCHEDULED | BH_IDLE))) {
            uint64_t id = bh->id;

            progress |= (flags & BH_SCHEDULED) != 0;
            ct_emit_bh_run_begin(id, ctx->id, bh->name, bh->cb);
            bh->cb(bh->opaque);
            /* It may be gone, unless it is a one-shot. */
            ct_emit_bh_run_end(id, ctx->id);
        }
        if (flags & (BH_DELETED | BH_ONESHOT)) {
            bh_free(bh, flags);
        }
    }
    return progress;
}

int64_t aio_bh_timeout_ns(AioContext *ctx)
{
    int64_t timeout_ns = -1;

    if (!queue_is_empty(&ctx->bh_ready)) {
        return 0;
    }
    /*
     * Nobody but us takes nodes out.  Seq: pairs with lifo_push(), as in
     * bh_take(); the nodes behind the first came with earlier pushes, each a
     * read-modify-write of the same head.
     */
    for (struct lifo_node *node = ct_load_seq(&ctx->bh_pushed.head);
         node != NULL; node = node->next) {
        unsigned flags = ct_load(&list_entry(node, AioBH, link.pushed)->flags);

        if (flags & BH_DELETED) {
            continue;
        }
        if (flags & BH_SCHEDULED) {
            return 0;
        }
        if (flags & BH_IDLE) {
            timeout_ns = BH_IDLE_NS;
        }
    }
    return timeout_ns;
}

void aio_bh_fini(AioContext *ctx)
{
    unsigned flags;
    AioBH *bh;

    bh_take(ctx);
    while ((bh = bh_dequeue(ctx, &flags)) != NULL) {
        if (flags & (BH_DELETED | BH_ONESHOT)) {
            bh_free(bh, flags);
        }
    }
    ct_pre_msg("aio-context-free/bh-leaked", list_is_empty(&ctx->bh_all),
               "bottom half '%s' of context '%s' was never deleted",
               list_entry(ctx->bh_all.next, AioBH, node)->name, ctx->name);
    pthread_mutex_destroy(&ctx->bh_lock);
}
