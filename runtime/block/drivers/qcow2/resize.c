/* SPDX-License-Identifier: MIT */
/*
 * resize.c - another length for the guest's disk
 *
 * What is new reads as zeroes: not what the last cluster happened to hold
 * behind the old end, nor what a longer backing file has there.  The header
 * changes last, so a crash leaves one length or the other.
 */
#include <errno.h>

#include "base/bytes.h"
#include "block/drivers/qcow2/qcow2.h"

static int coroutine_fn write_size(BlockDriverState *bs, uint64_t size)
{
    struct qcow2_state *s = bs->opaque;
    uint8_t field[sizeof(size)];

    ct_put_be64(field, size);
    int ret = qcow2_write_caches(bs);
    if (ret >= 0) {
        /* What hides the old bytes of a new range is on the disk first. */
        ret = bdrv_co_flush(bs->file);
    }
    if (ret >= 0) {
        ret = bdrv_co_pwrite(bs->file, QCOW2_AT_SIZE, sizeof(field), field);
    }
    if (ret >= 0) {
        ret = bdrv_co_flush(bs->file);
    }
    if (ret >= 0) {
        s->header.size = size;
        s->header.l1_needed = qcow2_l1_needed(&s->header, size);
        bdrv_set_length(bs, (int64_t)size);
    }
    return ret;
}

/* What lies behind the end in the last cluster, as long as it has no length */
static int coroutine_fn zero_rest(BlockDriverState *bs, uint64_t from,
                                  uint64_t to)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t n = to - from, host;
    enum qcow2_cluster type;

    if (n == 0) {
        return 0;
    }
    co_mutex_lock(&s->lock);
    int ret = qcow2_get_host_offset(bs, from, &n, &host, &type);
    co_mutex_unlock(&s->lock);
    /* A backing file that ends before has nothing that could come up. */
    if (ret < 0 || type == QCOW2_CLUSTER_ZERO ||
        (type == QCOW2_CLUSTER_UNALLOCATED &&
         (bs->backing == NULL || (uint64_t)bdrv_length(bs->backing) <= from))) {
        return ret;
    }
    g_autofree uint8_t *zeroes = g_malloc0(to - from);
    struct iovec iov = {zeroes, (size_t)(to - from)};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = iov.iov_len};
    return qcow2_co_pwritev_part(bs, (int64_t)from, (int64_t)iov.iov_len,
                                 &vector, 0, 0);
}

static int coroutine_fn grow(BlockDriverState *bs, uint64_t from, uint64_t to)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t unit = s->header.cluster_bytes;
    uint64_t border = (from + unit - 1) / unit * unit;
    uint64_t end = 0;

    if (bs->backing != NULL) {
        end = MIN(to, (uint64_t)bdrv_length(bs->backing));
        end = (end + unit - 1) / unit * unit;
    }
    co_mutex_lock(&s->lock);
    int ret = qcow2_grow_l1_table(bs, qcow2_l1_needed(&s->header, to));
    if (ret >= 0 && end > border) {
        ret = qcow2_cluster_zeroize(bs, border, end - border, 0);
    }
    co_mutex_unlock(&s->lock);
    if (ret >= 0) {
        ret = zero_rest(bs, from, MIN(to, border));
    }
    return ret;
}

int coroutine_fn qcow2_co_truncate(BlockDriverState *bs, int64_t bytes)
{
    struct qcow2_state *s = bs->opaque;
    const struct qcow2_header *h = &s->header;
    uint64_t old = (uint64_t)bdrv_length(bs), new = (uint64_t)bytes;
    uint64_t unit = h->cluster_bytes;
    int ret = 0;

    if (bytes % QCOW2_SECTOR_BYTES != 0) {
        return -EINVAL;
    }
    if (s->is_corrupt) {
        return -EIO;
    }
    if (h->snapshots > 0 && h->version < 3) {
        return -ENOTSUP; /* they could not have a length of their own */
    }
    if (qcow2_l1_needed(h, new) > QCOW2_L1_BYTES_MAX / sizeof(uint64_t)) {
        return -EFBIG;
    }
    if (new > old) {
        ret = grow(bs, old, new);
    }
    if (new < old) {
        uint64_t from = (new + unit - 1) / unit * unit;
        uint64_t to = (old + unit - 1) / unit * unit;

        co_mutex_lock(&s->lock);
        if (from < to) {
            ret = qcow2_cluster_discard(bs, from, to - from, true);
        }
        co_mutex_unlock(&s->lock);
    }
    if (ret >= 0) {
        co_mutex_lock(&s->lock);
        ret = write_size(bs, new);
        co_mutex_unlock(&s->lock);
    }
    return ret;
}
