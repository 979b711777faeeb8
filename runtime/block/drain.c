/* SPDX-License-Identifier: MIT */
/*
 * drain.c - drained sections, and nodes that go to another context
 *
 * A section at a node makes its parents begin nothing new, up to the backends,
 * where requests come in, and then waits until nobody above has a request in
 * flight.  Requests that are in flight are not held up anywhere: they end by
 * themselves, whatever they need below.
 *
 * A backend counts the requests in flight and the sections that hold it, each
 * side in a variable of its own (backend.c):
 *
 *     request                              section
 *     in_flight += 1        (I)            quiesced += 1         (Q)
 *     look at quiesced      (i)            look at in_flight     (q)
 *     was set: in_flight -= 1, wait        until it is 0
 *
 * I and Q are read-modify-writes, so one of them sees the other.  Whoever ends
 * the last section counts those that waited as in flight before it wakes them:
 * the next section waits for them, and the context they are woken in is the
 * backend's.
 *
 * The shape of the graph (edges, quiesced nodes, all backends) is protected by
 * one mutex, which is held for a walk and never while anything runs.
 */
#include "block/graph.h"

#include <errno.h>
#include <pthread.h>

#include "coroutine/coroutine_int.h"
#include "ct/emit.h"
#include "ct/pre.h"

static pthread_mutex_t shape_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list roots = LIST_INIT(roots); /* struct bdrv_root */
static unsigned all_depth;                   /* sections for all backends */

/* --- waiting ------------------------------------------------------------- */

void bdrv_wake_waiters(struct list *woken)
{
    while (!list_is_empty(woken)) {
        struct bdrv_waiter *waiter =
            list_entry(woken->next, struct bdrv_waiter, node);

        list_del(&waiter->node);
        ct_emit_co_queue_wake(waiter->queue, coroutine_id(coroutine_self()),
                              coroutine_id(waiter->co));
        if (waiter->ctx != NULL) {
            aio_co_enter(waiter->ctx, waiter->co);
        } else {
            aio_co_wake(waiter->co);
        }
    }
}

struct outside {
    void (*func)(void *opaque);
    void *opaque;
    Coroutine *co;
};

static void outside_bh(void *opaque)
{
    struct outside *outside = opaque;

    outside->func(outside->opaque);
    aio_co_wake(outside->co);
}

void coroutine_fn bdrv_co_outside(void (*func)(void *opaque), void *opaque)
{
    struct outside outside = {
        .func = func, .opaque = opaque, .co = coroutine_self()};

    aio_bh_schedule_oneshot(aio_context_current(), outside_bh, &outside);
    coroutine_yield_for(CT_YIELD_REASON_SCHEDULE, 0);
}

/* --- edges --------------------------------------------------------------- */

static void quiesce_locked(BlockDriverState *bs)
{
    if (bs->quiesced++ > 0) {
        return;
    }
    list_for_each (node, &bs->parents) {
        struct bdrv_edge *edge = list_entry(node, struct bdrv_edge, node);

        edge->ops->quiesce(edge->parent);
    }
}

static void unquiesce_locked(BlockDriverState *bs, struct list *woken)
{
    ct_pre("bdrv-drained-end/begun", bs->quiesced > 0);
    if (--bs->quiesced > 0) {
        return;
    }
    list_for_each (node, &bs->parents) {
        struct bdrv_edge *edge = list_entry(node, struct bdrv_edge, node);

        edge->ops->unquiesce(edge->parent, woken);
    }
}

void bdrv_attach(struct bdrv_edge *edge, const struct bdrv_parent_ops *ops,
                 void *parent, BlockDriverState *bs)
{
    *edge = (struct bdrv_edge){.bs = bs, .ops = ops, .parent = parent};
    pthread_mutex_lock(&shape_lock);
    list_add_tail(&bs->parents, &edge->node);
    if (bs->quiesced > 0) {
        ops->quiesce(parent);
    }
    pthread_mutex_unlock(&shape_lock);
}

void bdrv_detach(struct bdrv_edge *edge)
{
    struct list woken;

    if (edge->bs == NULL) {
        return;
    }
    list_init(&woken);
    pthread_mutex_lock(&shape_lock);
    list_del(&edge->node);
    if (edge->bs->quiesced > 0) {
        edge->ops->unquiesce(edge->parent, &woken);
    }
    edge->bs = NULL;
    pthread_mutex_unlock(&shape_lock);
    bdrv_wake_waiters(&woken);
}

/* --- a node as a parent; all with shape_lock held ------------------------ */

static void node_quiesce(void *parent)
{
    quiesce_locked(parent);
}

static void node_unquiesce(void *parent, struct list *woken)
{
    unquiesce_locked(parent, woken);
}

/* Pairs with bdrv_end(): what the last request did is seen. */
static bool is_busy_locked(BlockDriverState *bs)
{
    list_for_each (node, &bs->parents) {
        struct bdrv_edge *edge = list_entry(node, struct bdrv_edge, node);

        if (edge->ops->is_busy(edge->parent)) {
            return true;
        }
    }
    return ct_load_seq(&bs->in_flight) > 0;
}

static bool node_is_busy(void *parent)
{
    return is_busy_locked(parent);
}

static BlockDriverState *node_of_node(void *parent)
{
    return parent;
}

static const struct bdrv_parent_ops node_ops = {
    .quiesce = node_quiesce,
    .unquiesce = node_unquiesce,
    .is_busy = node_is_busy,
    .node_of = node_of_node,
};

void bdrv_attach_child(struct bdrv_edge *edge, BlockDriverState *bs,
                       BlockDriverState *child)
{
    bdrv_attach(edge, &node_ops, bs, child);
}

/* A backend that is drained as one of all still has what it has begun. */
static bool is_out_of_reach_locked(BlockDriverState *bs)
{
    if (bs->quiesced > 0) {
        return true;
    }
    list_for_each (node, &bs->parents) {
        struct bdrv_edge *edge = list_entry(node, struct bdrv_edge, node);

        if (edge->ops->node_of == NULL ||
            !is_out_of_reach_locked(edge->ops->node_of(edge->parent))) {
            return false;
        }
    }
    return true;
}

bool bdrv_is_out_of_reach(BlockDriverState *bs)
{
    pthread_mutex_lock(&shape_lock);
    bool is = is_out_of_reach_locked(bs);
    pthread_mutex_unlock(&shape_lock);
    return is;
}

/* --- sections ------------------------------------------------------------ */

static bool is_busy(BlockDriverState *bs)
{
    pthread_mutex_lock(&shape_lock);
    bool is = is_busy_locked(bs);
    pthread_mutex_unlock(&shape_lock);
    return is;
}

static void drained_begin_outside(void *opaque)
{
    bdrv_drained_begin(opaque);
}

void bdrv_drained_begin(BlockDriverState *bs)
{
    if (in_coroutine()) {
        bdrv_co_outside(drained_begin_outside, bs);
        return;
    }
    ct_emit_graph_drained_begin(bs->id, bs->node_name, ct_load(&bs->in_flight));
    pthread_mutex_lock(&shape_lock);
    quiesce_locked(bs);
    pthread_mutex_unlock(&shape_lock);
    BDRV_POLL_WHILE(bs, is_busy(bs));
}

void bdrv_drained_end(BlockDriverState *bs)
{
    struct list woken;

    list_init(&woken);
    ct_emit_graph_drained_end(bs->id, bs->node_name);
    pthread_mutex_lock(&shape_lock);
    unquiesce_locked(bs, &woken);
    pthread_mutex_unlock(&shape_lock);
    bdrv_wake_waiters(&woken);
}

/* --- all backends -------------------------------------------------------- */

void bdrv_drain_register(struct bdrv_root *root,
                         const struct bdrv_parent_ops *ops, void *parent)
{
    *root = (struct bdrv_root){.ops = ops, .parent = parent};
    pthread_mutex_lock(&shape_lock);
    list_add_tail(&roots, &root->node);
    for (unsigned i = 0; i < all_depth; i++) {
        ops->quiesce(parent);
    }
    pthread_mutex_unlock(&shape_lock);
}

void bdrv_drain_unregister(struct bdrv_root *root)
{
    pthread_mutex_lock(&shape_lock);
    list_del(&root->node);
    pthread_mutex_unlock(&shape_lock);
}

void bdrv_drain_all_begin_nopoll(void)
{
    pthread_mutex_lock(&shape_lock);
    all_depth++;
    list_for_each (node, &roots) {
        struct bdrv_root *root = list_entry(node, struct bdrv_root, node);

        root->ops->quiesce(root->parent);
    }
    pthread_mutex_unlock(&shape_lock);
}

static bool is_any_busy(void)
{
    bool is = false;

    pthread_mutex_lock(&shape_lock);
    list_for_each (node, &roots) {
        struct bdrv_root *root = list_entry(node, struct bdrv_root, node);

        is |= root->ops->is_busy(root->parent);
    }
    pthread_mutex_unlock(&shape_lock);
    return is;
}

static void drain_all_outside(void *opaque)
{
    bdrv_drain_all_begin();
}

void bdrv_drain_all_begin(void)
{
    if (in_coroutine()) {
        bdrv_co_outside(drain_all_outside, NULL);
        return;
    }
    bdrv_drain_all_begin_nopoll();
    AIO_WAIT_WHILE(NULL, is_any_busy());
}

void bdrv_drain_all_end(void)
{
    struct list woken;

    list_init(&woken);
    pthread_mutex_lock(&shape_lock);
    ct_pre("bdrv-drain-all-end/begun", all_depth > 0);
    all_depth--;
    list_for_each (node, &roots) {
        struct bdrv_root *root = list_entry(node, struct bdrv_root, node);

        root->ops->unquiesce(root->parent, &woken);
    }
    pthread_mutex_unlock(&shape_lock);
    bdrv_wake_waiters(&woken);
}

/* --- to another context -------------------------------------------------- */

struct move {
    BlockDriverState *bs;
    AioContext *ctx;
    const void *asker; /* a parent that need not be asked; NULL: none */
    GError **error;
    GPtrArray *nodes; /* what hangs together */
    int ret;
};

/* Return: -EBUSY: somebody does not want to.  shape_lock is held. */
static int collect_locked(struct move *move, BlockDriverState *bs)
{
    int ret = 0;

    if (bs == NULL || g_ptr_array_find(move->nodes, bs, NULL)) {
        return 0;
    }
    g_ptr_array_add(move->nodes, bs);
    list_for_each (node, &bs->parents) {
        struct bdrv_edge *edge = list_entry(node, struct bdrv_edge, node);
        BlockDriverState *above = NULL;

        if (edge->ops->may_move != NULL && edge->parent != move->asker &&
            !edge->ops->may_move(edge->parent, move->error)) {
            return -EBUSY;
        }
        if (edge->ops->node_of != NULL) {
            above = edge->ops->node_of(edge->parent);
        }
        ret = ret < 0 ? ret : collect_locked(move, above);
    }
    ret = ret < 0 ? ret : collect_locked(move, bs->file);
    return ret < 0 ? ret : collect_locked(move, bs->backing);
}

static bool is_any_node_busy(const struct move *move)
{
    bool is = false;

    pthread_mutex_lock(&shape_lock);
    for (guint i = 0; i < move->nodes->len; i++) {
        is |= is_busy_locked(move->nodes->pdata[i]);
    }
    pthread_mutex_unlock(&shape_lock);
    return is;
}

static void go(struct move *move)
{
    AioContext *from = bdrv_get_aio_context(move->bs);

    AIO_WAIT_WHILE(from, is_any_node_busy(move));
    bdrv_graph_wrlock();
    for (guint i = 0; i < move->nodes->len; i++) {
        BlockDriverState *bs = move->nodes->pdata[i];

        ct_emit_graph_move(bs->id, bs->node_name, aio_context_id(from),
                           aio_context_id(move->ctx));
        ct_store_release(&bs->ctx, move->ctx);
    }
    bdrv_graph_wrunlock();
}

static void move_outside(void *opaque)
{
    struct move *move = opaque;
    struct list woken;

    list_init(&woken);
    move->nodes = g_ptr_array_new();
    pthread_mutex_lock(&shape_lock);
    move->ret = collect_locked(move, move->bs);
    for (guint i = 0; move->ret == 0 && i < move->nodes->len; i++) {
        quiesce_locked(move->nodes->pdata[i]);
    }
    pthread_mutex_unlock(&shape_lock);
    if (move->ret == 0) {
        go(move);
        pthread_mutex_lock(&shape_lock);
        for (guint i = 0; i < move->nodes->len; i++) {
            unquiesce_locked(move->nodes->pdata[i], &woken);
        }
        pthread_mutex_unlock(&shape_lock);
        bdrv_wake_waiters(&woken);
    }
    g_ptr_array_free(move->nodes, TRUE);
}

int bdrv_try_change_aio_context(BlockDriverState *bs, AioContext *ctx,
                                const void *asker, GError **error)
{
    struct move move = {.bs = bs, .ctx = ctx, .asker = asker, .error = error};

    if (bdrv_get_aio_context(bs) == ctx) {
        return 0;
    }
    if (in_coroutine()) {
        bdrv_co_outside(move_outside, &move);
    } else {
        move_outside(&move);
    }
    return move.ret;
}
