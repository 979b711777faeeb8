/* SPDX-License-Identifier: MIT */
/*
 * backend.c - blk_*: a user's handle on an image, and when it may go away
 *
 * `in_flight` counts requests from their begin to the end of their callback.
 * Only the home thread lets it fall, and touches the backend afterwards only if
 * a coroutine is inside blk_drain(); so blk_unref() on another thread may free
 * the backend once it has seen 0.
 */
#include "block/backend.h"

void blk_inc_in_flight(BlockBackend *blk)
{
    ct_fetch_add(&blk->in_flight, 1);
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

/* --- opening ---------------------------------------------------------------
 */

BlockBackend *blk_new_open(const char *filename, const BlockOptions *options,
                           AioContext *ctx, GError **error)
{
    static const BlockOptions defaults = {0};
    BlockDriverState *root =
        bdrv_open(filename, options != NULL ? options : &defaults, ctx, error);

    if (root == NULL) {
        return NULL;
    }
    BlockBackend *blk = g_new0(BlockBackend, 1);
    blk->root = root;
    co_queue_init(&blk->drained);
    return blk;
}

void blk_unref(BlockBackend *blk)
{
    if (blk == NULL) {
        return;
    }
    blk_drain(blk);
    bdrv_close(blk->root);
    g_free(blk);
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

AioContext *blk_get_aio_context(const BlockBackend *blk)
{
    return bdrv_get_aio_context(blk->root);
}

void blk_set_aio_context(BlockBackend *blk, AioContext *ctx)
{
    blk_drain(blk);
    bdrv_set_aio_context(blk->root, ctx);
}

unsigned blk_in_flight(const BlockBackend *blk)
{
    /* Who sees a request gone sees what it did. */
    return ct_load_acquire(&blk->in_flight);
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
    bdrv_drain(blk->root);
}
