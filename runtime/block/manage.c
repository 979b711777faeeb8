/* SPDX-License-Identifier: MIT */
/*
 * manage.c - bdrv_*: all but reads and writes of the disk: flush, discard,
 *            truncate, status, the state of a machine
 *
 * A flush goes down the chain: each driver gives what it holds back to the node
 * below, and at the bottom the file is told to have it on the disk.  One flush
 * of a node runs at a time; who comes meanwhile waits, and may then find that
 * everything that had been written when it came is on the disk already
 * (`flushed_gen`).
 */
#include <errno.h>

#include "block/overlap.h"
#include "request/tracked.h"

/* --- flush --------------------------------------------------------------- */

static int coroutine_fn bdrv_driver_flush(BlockDriverState *bs)
{
    uint64_t gen = bs->write_gen;
    int ret = 0;

    if (bs->drv->co_flush_to_os != NULL) {
        ret = bs->drv->co_flush_to_os(bs);
    }
    if (ret >= 0 && bs->drv->co_flush_to_disk != NULL &&
        !bs->options.is_unsafe && bs->flushed_gen != gen) {
        ret = bs->drv->co_flush_to_disk(bs);
    }
    if (ret >= 0 && bs->file != NULL) {
        ret = bdrv_co_flush(bs->file);
    }
    if (ret >= 0) {
        bs->flushed_gen = gen;
    }
    return MIN(ret, 0);
}

int coroutine_fn bdrv_co_flush(BlockDriverState *bs)
{
    struct tracked_request req;
    int ret = 0;

    bdrv_co_begin(bs);
    tracked_request_begin_served(&req, "bdrv", block_op_words[BLOCK_OP_FLUSH],
                                 bs->node_name, 0, 0, 0);
    if (bs->options.is_writable) {
        while (bs->is_flushing) {
            co_queue_wait(&bs->flush_queue, NULL);
        }
        bs->is_flushing = true;
        ret = bdrv_driver_flush(bs);
        bs->is_flushing = false;
        co_queue_next(&bs->flush_queue);
    }
    tracked_request_leave(&req);
    tracked_request_end(&req, ret);
    bdrv_end(bs);
    return ret;
}

/* --- discard ------------------------------------------------------------- */

/* Parts of units at both ends, and the whole units between */
static int coroutine_fn bdrv_co_do_pdiscard(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes)
{
    int64_t unit = MAX(bs->unit_bytes, 1);
    int ret = 0;

    while (ret >= 0 && bytes > 0) {
        int64_t n = bytes - bytes % unit;

        if (offset % unit != 0) {
            n = MIN(bytes, unit - offset % unit);
        } else if (n == 0) {
            n = bytes;
        }
        ret = bs->drv->co_pdiscard(bs, offset, n);
        if (ret == -ENOTSUP) {
            ret = 0; /* it is advice */
        }
        offset += n;
        bytes -= n;
    }
    return ret;
}

int coroutine_fn bdrv_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                  int64_t bytes)
{
    struct tracked_request req;
    struct node_request place;
    int ret = 0;

    if (!bs->options.is_writable) {
        return -EPERM;
    }
    if (offset < 0 || bytes < 0 || offset > INT64_MAX - bytes) {
        return -EIO;
    }
    bdrv_co_begin(bs);
    tracked_request_begin_served(&req, "bdrv", block_op_words[BLOCK_OP_DISCARD],
                                 bs->node_name, offset, bytes, 0);
    node_request_begin(&place, bs, offset, bytes, BDRV_REQ_SERIALISING);
    if (bs->options.has_discard && bs->drv->co_pdiscard != NULL) {
        ret = bdrv_co_do_pdiscard(bs, offset, bytes);
        bs->write_gen++;
    }
    node_request_end(&place, bs);
    tracked_request_leave(&req);
    tracked_request_end(&req, ret);
    bdrv_end(bs);
    return ret;
}

/* --- length -------------------------------------------------------------- */

int coroutine_fn bdrv_co_preallocate(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, PreallocMode mode)
{
    int ret = -ENOTSUP;

    if (bytes < 0 || (bytes == 0 && bs->file == NULL)) {
        return 0;
    }
    bdrv_co_begin(bs);
    if (bs->drv->co_prw != NULL && mode == PREALLOC_MODE_FULL) {
        struct node_request place;

        /* The block that holds the old end is read and written whole. */
        node_request_begin(&place, bs, offset, bytes, BDRV_REQ_SERIALISING);
        ret = bdrv_co_write_zero_data(bs, offset, bytes);
        node_request_end(&place, bs);
    } else if (bs->drv->co_preallocate != NULL) {
        ret = bs->drv->co_preallocate(bs, offset, bytes, mode);
    }
    bs->write_gen++;
    bdrv_end(bs);
    return MIN(ret, 0);
}

/* What is new, if anything, gets its space; else the node is as it was. */
static int coroutine_fn preallocate_new(BlockDriverState *bs, int64_t old,
                                        PreallocMode mode)
{
    int ret = bdrv_co_preallocate(bs, old, bdrv_length(bs) - old, mode);

    if (ret < 0) {
        (void)bs->drv->co_truncate(bs, old);
    }
    return ret;
}

/* Waits for whom the new length concerns.  Return: the length then, which is
 * not that from before the wait if another truncate was waited for. */
static int64_t coroutine_fn begin_truncate(struct node_request *place,
                                           BlockDriverState *bs, int64_t bytes)
{
    for (;;) {
        int64_t old = bdrv_length(bs);
        int64_t from = MIN(bytes, old);

        node_request_begin(place, bs, from, INT64_MAX - from,
                           BDRV_REQ_SERIALISING);
        if (bdrv_length(bs) == old) {
            return old;
        }
        node_request_end(place, bs);
    }
}

int coroutine_fn bdrv_co_truncate_prealloc(BlockDriverState *bs, int64_t bytes,
                                           PreallocMode mode)
{
    struct tracked_request req;
    struct node_request place;
    int64_t old;
    int ret = -ENOTSUP;

    if (!bs->options.is_writable) {
        return -EACCES;
    }
    if (bytes < 0) {
        return -EINVAL;
    }
    bdrv_co_begin(bs);
    tracked_request_begin_served(&req, "bdrv",
                                 block_op_words[BLOCK_OP_TRUNCATE],
                                 bs->node_name, bytes, 0, 0);
    old = begin_truncate(&place, bs, bytes);
    if (bytes < old && mode != PREALLOC_MODE_OFF) {
        ret = -EINVAL;
    } else if (bs->drv->co_truncate != NULL) {
        ret = bs->drv->co_truncate(bs, bytes);
        bs->write_gen++;
    }
    if (ret >= 0 && mode != PREALLOC_MODE_OFF) {
        ret = preallocate_new(bs, old, mode);
    }
    node_request_end(&place, bs);
    tracked_request_leave(&req);
    tracked_request_end(&req, ret);
    bdrv_end(bs);
    return MIN(ret, 0);
}

int coroutine_fn bdrv_co_truncate(BlockDriverState *bs, int64_t bytes)
{
    return bdrv_co_truncate_prealloc(bs, bytes, PREALLOC_MODE_OFF);
}

/* --- status -------------------------------------------------------------- */

/* Of what this node has nothing of: zeroes, or as the backing file says */
static int coroutine_fn status_below(BlockDriverState *bs, int64_t offset,
                                     int64_t *bytes)
{
    int64_t n;

    if (bs->backing == NULL) {
        return BDRV_BLOCK_ZERO;
    }
    int ret = bdrv_co_block_status(bs->backing, offset, *bytes, &n);
    if (ret < 0) {
        return ret;
    }
    if (n == 0) { /* it is shorter */
        return BDRV_BLOCK_ZERO;
    }
    *bytes = n;
    return ret & ~BDRV_BLOCK_ALLOCATED;
}

int coroutine_fn bdrv_co_block_status(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, int64_t *ret_bytes)
{
    int64_t inside = MAX(0, MIN(bytes, bdrv_length(bs) - offset));
    int ret = BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED;

    *ret_bytes = inside;
    if (inside == 0) {
        return 0;
    }
    bdrv_co_begin(bs);
    if (bs->drv->co_block_status != NULL) {
        ret = bs->drv->co_block_status(bs, offset, inside, ret_bytes);
    }
    if (ret == 0) {
        ret = status_below(bs, offset, ret_bytes);
    }
    bdrv_end(bs);
    return ret;
}

/* --- a machine's state --------------------------------------------------- */

int coroutine_fn bdrv_co_load_vmstate(BlockDriverState *bs, int64_t offset,
                                      const IOVector *vector)
{
    int ret = -ENOTSUP;

    bdrv_co_begin(bs);
    if (bs->drv->co_load_vmstate != NULL) {
        ret = bs->drv->co_load_vmstate(bs, offset, vector);
    }
    bdrv_end(bs);
    return ret;
}

int coroutine_fn bdrv_co_save_vmstate(BlockDriverState *bs, int64_t offset,
                                      const IOVector *vector)
{
    int ret = -ENOTSUP;

    if (!bs->options.is_writable) {
        return -EPERM;
    }
    bdrv_co_begin(bs);
    if (bs->drv->co_save_vmstate != NULL) {
        ret = bs->drv->co_save_vmstate(bs, offset, vector);
    }
    bdrv_end(bs);
    return ret;
}
