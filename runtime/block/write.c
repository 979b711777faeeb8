/* SPDX-License-Identifier: MIT */
/*
 * write.c - bdrv_*: writing, layer by layer
 *
 *   bdrv_co_pwritev_part     checks the range; here the request begins and ends
 *   bdrv_aligned_pwritev     data, or zeroes; afterwards the node may be longer
 *   bdrv_driver_pwritev      the driver's own function
 *   bdrv_co_do_pwrite_zeroes the driver's, unit by unit; what it can't do is
 *                            written from a buffer of zeroes
 *
 * Zeroes in whole units of a format (clusters) give clusters away that other
 * requests may be using, so they run alone (overlap.h).
 *
 * A write that is no whole blocks of a node that has them (align.h) runs alone
 * in those it touches.
 *
 * No driver keeps a promise of its own for BDRV_REQ_FUA: a flush follows.
 */
#include <errno.h>

#include "block/align.h"
#include "block/overlap.h"
#include "request/tracked.h"

/* The buffer of zeroes, where a driver has no better way. */
#define BOUNCE_BYTES_MAX (1024 * 1024)

static int coroutine_fn bdrv_driver_pwritev(BlockDriverState *bs,
                                            int64_t offset, int64_t bytes,
                                            const IOVector *vector,
                                            size_t offset_in, unsigned flags)
{
    int ret;

    if (bs->drv->co_pwritev_part != NULL) {
        ret = bs->drv->co_pwritev_part(bs, offset, bytes, vector, offset_in,
                                       flags);
    } else {
        ret = bs->drv->co_prw(bs, BLOCK_OP_WRITE, offset, bytes, vector,
                              offset_in);
    }
    return ret;
}

static int coroutine_fn write_data(BlockDriverState *bs, int64_t offset,
                                   int64_t bytes, const IOVector *vector,
                                   size_t offset_in)
{
    int ret;

    if (bdrv_is_aligned(bs, offset, bytes)) {
        ret = bdrv_driver_pwritev(bs, offset, bytes, vector, offset_in, 0);
    } else {
        ret = bdrv_write_widened(bs, offset, bytes, vector, offset_in);
    }
    return ret;
}

/* Through the driver's way to write data. */
int coroutine_fn bdrv_co_write_zero_data(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes)
{
    size_t n = (size_t)MIN(bytes, BOUNCE_BYTES_MAX);
    g_autofree uint8_t *zeroes = g_try_malloc0(n);
    struct iovec iov = {zeroes, n};
    int ret = zeroes != NULL || n == 0 ? 0 : -ENOMEM;

    while (ret >= 0 && bytes > 0) {
        iov.iov_len = (size_t)MIN(bytes, BOUNCE_BYTES_MAX);
        IOVector vector = {.iov = &iov, .niov = 1, .bytes = iov.iov_len};
        ret = write_data(bs, offset, (int64_t)iov.iov_len, &vector, 0);
        offset += (int64_t)iov.iov_len;
        bytes -= (int64_t)iov.iov_len;
    }
    return ret;
}

/* How much the driver is asked at a time: up to a unit's border, whole units */
static int64_t next_piece(const BlockDriverState *bs, int64_t offset,
                          int64_t bytes)
{
    int64_t unit = bs->unit_bytes;

    if (unit == 0) {
        return bytes;
    }
    int64_t head = offset % unit;
    if (head != 0 || bytes < unit) {
        return MIN(bytes, unit - head);
    }
    return bytes - bytes % unit;
}

static int coroutine_fn bdrv_co_do_pwrite_zeroes(BlockDriverState *bs,
                                                 int64_t offset, int64_t bytes,
                                                 unsigned flags)
{
    int ret = 0;

    while (ret >= 0 && bytes > 0) {
        int64_t n = next_piece(bs, offset, bytes);

        ret = -ENOTSUP;
        if (bs->drv->co_pwrite_zeroes != NULL) {
            ret = bs->drv->co_pwrite_zeroes(bs, offset, n, flags);
        }
        if (ret == -ENOTSUP && !(flags & BDRV_REQ_NO_FALLBACK)) {
            ret = bdrv_co_write_zero_data(bs, offset, n);
        }
        offset += n;
        bytes -= n;
    }
    return ret;
}

static int coroutine_fn bdrv_aligned_pwritev(BlockDriverState *bs,
                                             int64_t offset, int64_t bytes,
                                             const IOVector *vector,
                                             size_t offset_in, unsigned flags)
{
    int ret;

    if (flags & BDRV_REQ_ZERO_WRITE) {
        ret = bdrv_co_do_pwrite_zeroes(
            bs, offset, bytes,
            flags & (BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK));
    } else {
        ret = write_data(bs, offset, bytes, vector, offset_in);
    }
    bs->write_gen++; /* a write that failed may have written something */
    if (ret >= 0 && offset + bytes > bs->bytes) {
        bdrv_set_length(bs, offset + bytes);
    }
    if (ret >= 0 && (flags & BDRV_REQ_FUA)) {
        ret = bdrv_co_flush(bs);
    }
    return MIN(ret, 0);
}

int coroutine_fn bdrv_co_pwritev_part(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, const IOVector *vector,
                                      size_t offset_in, unsigned flags)
{
    struct tracked_request req;
    struct node_request place;
    int64_t bytes_max = flags & BDRV_REQ_ZERO_WRITE
                            ? INT64_MAX
                            : (int64_t)BLOCK_REQUEST_BYTES_MAX;

    if (!bs->options.is_writable) {
        return -EPERM;
    }
    if (offset < 0 || bytes < 0 || bytes > bytes_max ||
        offset > INT64_MAX - bytes) {
        return -EIO;
    }
    bdrv_co_begin(bs);
    tracked_request_begin_served(&req, "bdrv", block_op_words[BLOCK_OP_WRITE],
                                 bs->node_name, offset, bytes,
                                 flags & ~(unsigned)BDRV_REQ_INSIDE);
    if (((flags & BDRV_REQ_ZERO_WRITE) && bs->unit_bytes > 0) ||
        !bdrv_is_aligned(bs, offset, bytes)) {
        flags |= BDRV_REQ_SERIALISING;
    }
    node_request_begin(&place, bs, offset, bytes, flags);
    int ret = -EIO;
    /* Where it has waited for a truncation, the node may end before. */
    if (!(flags & BDRV_REQ_INSIDE) || offset + bytes <= bdrv_length(bs)) {
        ret = bdrv_aligned_pwritev(bs, offset, bytes, vector, offset_in, flags);
    }
    node_request_end(&place, bs);
    tracked_request_leave(&req);
    tracked_request_end(&req, ret);
    bdrv_end(bs);
    return ret;
}

int coroutine_fn bdrv_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, unsigned flags)
{
    return bdrv_co_pwritev_part(bs, offset, bytes, NULL, 0,
                                flags | BDRV_REQ_ZERO_WRITE);
}

int coroutine_fn bdrv_co_pwrite(BlockDriverState *bs, int64_t offset,
                                int64_t bytes, const void *buf)
{
    struct iovec iov = {(void *)buf, (size_t)bytes};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = (size_t)bytes};

    return bdrv_co_pwritev_part(bs, offset, bytes, &vector, 0, 0);
}
