/* SPDX-License-Identifier: MIT */
/*
 * io.c - bdrv_*: reading, layer by layer
 *
 *   bdrv_pread          one buffer
 *   bdrv_preadv         in a coroutine: goes on there.  Outside: makes one,
 *                       and polls until it has ended
 *   bdrv_co_preadv      a whole vector
 *   bdrv_co_preadv_part checks the range; here the request begins and ends
 *   bdrv_aligned_preadv bytes beyond the node's end are zeroes
 *   bdrv_driver_preadv  the driver's own function
 *
 * Each layer is a frame of its own on the stacks that traces show.  What a
 * driver can't do of a range that is no whole blocks, align.c does.
 *
 * `in_flight` counts what bdrv_drain() and drained sections wait for: it goes
 * up before a request can yield, and its fall is followed by aio_wait_kick().
 */
#include <errno.h>

#include "base/atomics.h"
#include "block/align.h"
#include "block/graph.h"
#include "block/overlap.h"
#include "request/tracked.h"

void coroutine_fn bdrv_co_begin(BlockDriverState *bs)
{
    bdrv_graph_assert_readable(bs);
    ct_fetch_add(&bs->in_flight, 1);
}

/* Pairs with the load in bdrv_drain(): who sees 0 sees what the request did. */
void bdrv_end(BlockDriverState *bs)
{
    ct_fetch_sub(&bs->in_flight, 1);
    aio_wait_kick();
}

static int coroutine_fn bdrv_driver_preadv(BlockDriverState *bs, int64_t offset,
                                           int64_t bytes,
                                           const IOVector *vector,
                                           size_t offset_in, unsigned flags)
{
    int ret;

    if (bs->drv->co_preadv_part != NULL) {
        ret = bs->drv->co_preadv_part(bs, offset, bytes, vector, offset_in,
                                      flags);
    } else {
        ret = bs->drv->co_prw(bs, BLOCK_OP_READ, offset, bytes, vector,
                              offset_in);
    }
    return ret;
}

static int coroutine_fn bdrv_aligned_preadv(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes,
                                            const IOVector *vector,
                                            size_t offset_in, unsigned flags)
{
    int64_t inside = MIN(bytes, MAX(0, bdrv_end_of_blocks(bs) - offset));
    int ret = 0;

    if (inside > 0 && !bdrv_is_aligned(bs, offset, inside)) {
        ret = bdrv_read_widened(bs, offset, inside, vector, offset_in);
    } else if (inside > 0) {
        ret = bdrv_driver_preadv(bs, offset, inside, vector, offset_in, flags);
    }
    if (ret >= 0 && inside < bytes) {
        io_vector_memset(vector, offset_in + (size_t)inside, 0,
                         (size_t)(bytes - inside));
    }
    return MIN(ret, 0);
}

static bool is_valid_range(int64_t offset, int64_t bytes)
{
    return offset >= 0 && bytes >= 0 && bytes <= BLOCK_REQUEST_BYTES_MAX &&
           offset <= INT64_MAX - bytes;
}

int coroutine_fn bdrv_co_preadv_part(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, const IOVector *vector,
                                     size_t offset_in, unsigned flags)
{
    struct tracked_request req;
    struct node_request place;
    int ret;

    if (!is_valid_range(offset, bytes)) {
        return -EIO;
    }
    bdrv_co_begin(bs);
    tracked_request_begin_served(&req, "bdrv", block_op_words[BLOCK_OP_READ],
                                 bs->node_name, offset, bytes, flags);
    node_request_begin(&place, bs, offset, bytes, flags);
    ret = bdrv_aligned_preadv(bs, offset, bytes, vector, offset_in, flags);
    node_request_end(&place, bs);
    tracked_request_leave(&req);
    tracked_request_end(&req, ret);
    bdrv_end(bs);
    return ret;
}

int coroutine_fn bdrv_co_preadv(BlockDriverState *bs, int64_t offset,
                                int64_t bytes, const IOVector *vector,
                                unsigned flags)
{
    return bdrv_co_preadv_part(bs, offset, bytes, vector, 0, flags);
}

void bdrv_coroutine_enter(BlockDriverState *bs, Coroutine *co)
{
    aio_co_enter(bdrv_get_aio_context(bs), co);
}

/* A read that somebody outside coroutines waits for; in its waiter's frame. */
struct sync_read {
    BlockDriverState *bs;
    int64_t offset;
    const IOVector *vector;
    int ret;   /* written before `done` */
    bool done; /* atomic: release in the entry, acquire in bdrv_preadv() */
};

static void coroutine_fn bdrv_preadv_entry(void *opaque)
{
    struct sync_read *read = opaque;

    read->ret = bdrv_co_preadv(read->bs, read->offset,
                               (int64_t)read->vector->bytes, read->vector, 0);
    ct_store_release(&read->done, true);
    aio_wait_kick();
}

int bdrv_preadv(BlockDriverState *bs, int64_t offset, const IOVector *vector)
{
    if (in_coroutine()) {
        return bdrv_co_preadv(bs, offset, (int64_t)vector->bytes, vector, 0);
    }

    struct sync_read read = {.bs = bs, .offset = offset, .vector = vector};
    bdrv_coroutine_enter(bs, coroutine_create(bdrv_preadv_entry, &read));
    BDRV_POLL_WHILE(bs, !ct_load_acquire(&read.done));
    return read.ret;
}

int bdrv_pread(BlockDriverState *bs, int64_t offset, int64_t bytes, void *buf)
{
    struct iovec iov = {buf, (size_t)bytes};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = (size_t)bytes};

    if (!is_valid_range(offset, bytes)) {
        return -EIO;
    }
    return bdrv_preadv(bs, offset, &vector);
}

void bdrv_drain(BlockDriverState *bs)
{
    if (bs == NULL) {
        return;
    }
    BDRV_POLL_WHILE(bs, ct_load_acquire(&bs->in_flight) > 0);
    bdrv_drain(bs->file);
    bdrv_drain(bs->backing);
}
