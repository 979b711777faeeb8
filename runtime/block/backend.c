/* SPDX-License-Identifier: MIT */
/*
 * backend.c - blk_*: a user's handle on an image; when its requests begin, and
 *             when it may go away
 *
 * `in_flight` counts requests from when they may begin to the end of their
 * callback; those that come while somebody drains the backend wait before that
 * (the protocol is at the head of drain.c).
 * Only the home thread lets the count of those that began fall, and touches the
 * backend afterwards only if a coroutine is inside blk_drain(); so blk_unref()
 * on another thread may free the backend once it has seen nobody.
 */
#include "block/backend.h"

#include <errno.h>
#include <string.h>

#include "coroutine/coroutine_int.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"

/* --- when requests begin ------------------------------------------------- */

bool blk_begin_now(BlockBackend *blk)
{
    (void)ct_fetch_add(&blk->in_flight, 1);                       /* I */
    return __builtin_expect(ct_load_seq(&blk->quiesced) == 0, 1); /* i */
}

bool blk_begin_later(BlockBackend *blk, struct bdrv_waiter *waiter)
{
    pthread_mutex_lock(&blk->wait_lock);
    if (ct_load(&blk->quiesced) == 0) {
        pthread_mutex_unlock(&blk->wait_lock);
        return true;
    }
    waiter->queue = blk->queue_id;
    ct_emit_co_queue_wait(waiter->queue, coroutine_id(waiter->co));
    list_add_tail(&blk->waiting, &waiter->node);
    blk->waiting_count++;
    (void)ct_fetch_sub(&blk->in_flight, 1);
    pthread_mutex_unlock(&blk->wait_lock);
    aio_wait_kick();
    return false;
}

void coroutine_fn blk_co_begin(BlockBackend *blk)
{
    struct bdrv_waiter waiter = {.co = coroutine_self()};

    if (!blk_begin_now(blk) && !blk_begin_later(blk, &waiter)) {
        coroutine_yield_for(CT_YIELD_REASON_QUEUE, blk->queue_id);
    }
}

/* Home thread.  Pairs with blk_in_flight(). */
void blk_dec_in_flight(BlockBackend *blk)
{
    bool is_awaited = !co_queue_empty(&blk->drained);
    bool was_last = ct_fetch_sub(&blk->in_flight, 1) == 1;

    if (is_awaited && was_last) {
        co_queue_next(&blk->drained); /* who may free the backend */
    }
    aio_wait_kick();
}

/* --- what the graph asks of it ------------------------------------------- */

static void blk_quiesce(void *parent)
{
    BlockBackend *blk = parent;

    (void)ct_fetch_add(&blk->quiesced, 1); /* Q */
}

static void blk_unquiesce(void *parent, struct list *woken)
{
    BlockBackend *blk = parent;

    pthread_mutex_lock(&blk->wait_lock);
    if (ct_fetch_sub(&blk->quiesced, 1) == 1) {
        (void)ct_fetch_add(&blk->in_flight, blk->waiting_count);
        blk->waiting_count = 0;
        list_for_each_safe (node, &blk->waiting) {
            struct bdrv_waiter *waiter =
                list_entry(node, struct bdrv_waiter, node);

            if (waiter->ctx != NULL) { /* it may have moved */
                waiter->ctx = blk_get_aio_context(blk);
            }
            list_del(node);
            list_add_tail(woken, node);
        }
    }
    pthread_mutex_unlock(&blk->wait_lock);
}

static bool blk_is_busy(void *parent)
{
    const BlockBackend *blk = parent;

    return ct_load_seq(&blk->in_flight) > 0; /* q */
}

static bool blk_may_move(void *parent, GError **error)
{
    const BlockBackend *blk = parent;

    if (!ct_load(&blk->may_move)) {
        block_error(error, EBUSY, "another user of '%s' wants it to stay",
                    blk_name(blk));
        return false;
    }
    return true;
}

static const struct bdrv_parent_ops blk_ops = {
    .quiesce = blk_quiesce,
    .unquiesce = blk_unquiesce,
    .is_busy = blk_is_busy,
    .may_move = blk_may_move,
};

/* --- opening ------------------------------------------------------------- */

BlockBackend *blk_new(BlockDriverState *root)
{
    BlockBackend *blk = g_new0(BlockBackend, 1);

    blk->root = root;
    blk->queue_id = ct_id_new();
    list_init(&blk->waiting);
    pthread_mutex_init(&blk->wait_lock, NULL);
    co_queue_init(&blk->drained);
    bdrv_attach(&blk->edge, &blk_ops, blk, root);
    bdrv_drain_register(&blk->entry, &blk_ops, blk);
    return blk;
}

int blk_parse_cache_mode(const char *mode, BlockOptions *options)
{
    static const struct {
        const char *name;
        bool is_direct, is_writethrough, is_unsafe;
    } modes[] = {
        {"writeback", false, false, false},
        {"none", true, false, false},
        {"off", true, false, false},
        {"writethrough", false, true, false},
        {"directsync", true, true, false},
        {"unsafe", false, false, true},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (strcmp(mode, modes[i].name) == 0) {
            options->is_direct = modes[i].is_direct;
            options->is_writethrough = modes[i].is_writethrough;
            options->is_unsafe = modes[i].is_unsafe;
            return 0;
        }
    }
    return -EINVAL;
}

BlockBackend *blk_new_open(const char *filename, const BlockOptions *options,
                           AioContext *ctx, GError **error)
{
    static const BlockOptions defaults = {0};
    BlockDriverState *root =
        bdrv_open(filename, options != NULL ? options : &defaults, ctx, error);

    return root != NULL ? blk_new(root) : NULL;
}

BlockBackend *blk_new_beside(BlockBackend *blk)
{
    return blk_new(bdrv_ref(blk->root));
}

void blk_unref(BlockBackend *blk)
{
    if (blk == NULL) {
        return;
    }
    blk_drain(blk);
    bdrv_drain_unregister(&blk->entry);
    bdrv_detach(&blk->edge);
    bdrv_unref(blk->root);
    pthread_mutex_destroy(&blk->wait_lock);
    g_free(blk);
}

BlockOptions blk_get_options(const BlockBackend *blk)
{
    return blk->root->options;
}

int blk_reopen(BlockBackend *blk, const BlockOptions *options, GError **error)
{
    return bdrv_reopen(blk->root, options, error);
}

int blk_inactivate(BlockBackend *blk)
{
    ct_pre("blk-inactivate/last", ct_load(&blk->root->refs) == 1);
    blk_drain(blk);
    if (!blk_is_writable(blk)) {
        return 0;
    }
    int ret = blk_flush(blk);
    return ret < 0 ? ret : bdrv_inactivate(blk->root);
}

bool blk_is_writable(const BlockBackend *blk)
{
    return blk->root->options.is_writable;
}

int64_t blk_length(const BlockBackend *blk)
{
    return bdrv_length(blk->root);
}

const char *blk_name(const BlockBackend *blk)
{
    return blk->root->node_name;
}

const char *blk_format(const BlockBackend *blk)
{
    return blk->root->drv->format_name;
}

bool blk_is_guarded(const BlockBackend *blk)
{
    return blk->root->is_guarded;
}

void blk_get_info(const BlockBackend *blk, BlockInfo *ret_info)
{
    *ret_info = (BlockInfo){0};
    if (blk->root->drv->get_info != NULL) {
        blk->root->drv->get_info(blk->root, ret_info);
    }
}

const char *blk_fault(const BlockBackend *blk)
{
    /* Pairs with the exchange in bdrv_fault(): the text is complete. */
    return ct_load_acquire(&blk->root->fault);
}

/* --- where it runs, and when it does not --------------------------------- */

AioContext *blk_get_aio_context(const BlockBackend *blk)
{
    return bdrv_get_aio_context(blk->root);
}

int blk_try_set_aio_context(BlockBackend *blk, AioContext *ctx, GError **error)
{
    return bdrv_try_change_aio_context(blk->root, ctx, blk, error);
}

void blk_set_aio_context(BlockBackend *blk, AioContext *ctx)
{
    int ret = blk_try_set_aio_context(blk, ctx, NULL);

    ct_pre("blk-set-aio-context/others-stay", ret == 0);
}

void blk_set_allow_aio_context_change(BlockBackend *blk, bool may_move)
{
    ct_store(&blk->may_move, may_move);
}

void blk_drained_begin(BlockBackend *blk)
{
    bdrv_drained_begin(blk->root);
}

void blk_drained_end(BlockBackend *blk)
{
    bdrv_drained_end(blk->root);
}

void blk_drain_all_begin(void)
{
    bdrv_drain_all_begin();
}

void blk_drain_all_end(void)
{
    bdrv_drain_all_end();
}

unsigned blk_in_flight(const BlockBackend *blk)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&blk->wait_lock;

    /*
     * Who sees a request gone sees what it did; under the lock, so that nobody
     * who is about to wait still touches the backend.
     */
    pthread_mutex_lock(lock);
    unsigned count = ct_load_seq(&blk->in_flight) + blk->waiting_count;
    pthread_mutex_unlock(lock);
    return count;
}

void blk_drain(BlockBackend *blk)
{
    if (in_coroutine()) {
        while (blk_in_flight(blk) > 0) {
            co_queue_wait(&blk->drained, NULL);
        }
        co_queue_next(&blk->drained);
        return;
    }
    AIO_WAIT_WHILE(blk_get_aio_context(blk), blk_in_flight(blk) > 0);
}
