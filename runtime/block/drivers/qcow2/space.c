/* SPDX-License-Identifier: MIT */
/*
 * space.c - zeroes and discards: the tables change, no data is written
 *
 * Such a request runs alone in its clusters (block/overlap.h), so nobody reads
 * or writes the clusters that it gives away.
 *
 * In version 2 there are no zero clusters.  Without a backing file what is not
 * allocated reads as zeroes; above one zeroes are written as data, and a
 * discard, which would bring that one's old data back, does nothing.  Who wants
 * zeroes only if they are fast is promised nothing there, as by QEMU.
 */
#include <errno.h>

#include "base/bytes.h"
#include "block/drivers/qcow2/qcow2.h"

/* What becomes of an entry; equal to @old: nothing */
typedef uint64_t new_entry_func(const BlockDriverState *bs, uint64_t old,
                                unsigned flags);

/* Flags for discards, beside BDRV_REQ_* */
#define FULL (1u << 31) /* what is below shows again */

static bool has_cluster(uint64_t entry)
{
    return entry & (QCOW2_L2_COMPRESSED | QCOW2_OFFSET_MASK);
}

static uint64_t zeroed(const BlockDriverState *bs, uint64_t old, unsigned flags)
{
    bool is_given_away = (old & QCOW2_L2_COMPRESSED) ||
                         ((flags & BDRV_REQ_MAY_UNMAP) && has_cluster(old));

    return is_given_away ? QCOW2_L2_ZERO : old | QCOW2_L2_ZERO;
}

static uint64_t discarded(const BlockDriverState *bs, uint64_t old,
                          unsigned flags)
{
    const struct qcow2_state *s = bs->opaque;

    if (flags & FULL) {
        return 0;
    }
    if (bs->backing == NULL && !has_cluster(old)) {
        return old;
    }
    return s->header.version >= 3 ? QCOW2_L2_ZERO : 0;
}

/* Entries of one slice; @n: in: at most, out: how many */
static int coroutine_fn change_in_slice(BlockDriverState *bs, uint64_t offset,
                                        uint64_t *n, new_entry_func *func,
                                        unsigned flags)
{
    struct qcow2_state *s = bs->opaque;
    struct qcow2_piece *slice;
    uint64_t index;

    int ret = qcow2_get_cluster_table(bs, offset, &slice, &index);
    if (ret < 0) {
        return ret;
    }
    *n = MIN(*n, qcow2_slice_bytes(&s->header) / sizeof(uint64_t) - index);
    for (uint64_t i = 0; i < *n && ret >= 0; i++) {
        uint8_t *entry = slice->data + (index + i) * sizeof(uint64_t);
        uint64_t old = ct_get_be64(entry);
        uint64_t new = func(bs, old, flags);

        if (new == old) {
            continue;
        }
        ct_put_be64(entry, new);
        qcow2_cache_entry_mark_dirty(s->l2, slice);
        if (!has_cluster(new)) {
            ret = qcow2_free_any_cluster(bs, old);
        }
    }
    qcow2_cache_put(s->l2, slice);
    return ret;
}

/* Whole clusters */
static int coroutine_fn change(BlockDriverState *bs, uint64_t offset,
                               uint64_t bytes, new_entry_func *func,
                               unsigned flags)
{
    const struct qcow2_state *s = bs->opaque;
    const struct qcow2_header *h = &s->header;
    uint64_t end = offset + bytes;
    int ret = 0;

    while (ret >= 0 && offset < end) {
        uint64_t l1_index = offset >> (h->cluster_bits + h->l2_bits);
        uint64_t n = (end - offset + h->cluster_bytes - 1) >> h->cluster_bits;
        bool has_table =
            l1_index < h->l1_entries && (s->l1[l1_index] & QCOW2_OFFSET_MASK);

        if (!has_table && func(bs, 0, flags) == 0) {
            /* to the end of the table that is not there */
            uint64_t table_bytes = UINT64_C(1)
                                   << (h->cluster_bits + h->l2_bits);
            offset += table_bytes - offset % table_bytes;
            continue;
        }
        ret = qcow2_limit_freed(bs);
        if (ret >= 0) {
            ret = change_in_slice(bs, offset, &n, func, flags);
        }
        offset += n << h->cluster_bits;
    }
    return ret;
}

int coroutine_fn qcow2_cluster_discard(BlockDriverState *bs, uint64_t offset,
                                       uint64_t bytes, bool is_full)
{
    return change(bs, offset, bytes, discarded, is_full ? FULL : 0);
}

int coroutine_fn qcow2_cluster_zeroize(BlockDriverState *bs, uint64_t offset,
                                       uint64_t bytes, unsigned flags)
{
    const struct qcow2_state *s = bs->opaque;

    if (s->is_corrupt) {
        return -EIO;
    }
    if (s->header.version >= 3) {
        return change(bs, offset, bytes, zeroed, flags);
    }
    return bs->backing == NULL ? qcow2_cluster_discard(bs, offset, bytes, true)
                               : -ENOTSUP;
}

/* A part of a cluster around what is to be zeroed: does it read so already? */
static int coroutine_fn is_zero(BlockDriverState *bs, uint64_t offset,
                                uint64_t bytes)
{
    int ret = BDRV_BLOCK_ZERO;

    bytes = MIN(bytes, (uint64_t)bdrv_length(bs) - offset);
    while (bytes > 0 && ret >= 0 && (ret & BDRV_BLOCK_ZERO)) {
        int64_t n;

        ret = bdrv_co_block_status(bs, (int64_t)offset, (int64_t)bytes, &n);
        offset += (uint64_t)n;
        bytes -= (uint64_t)n;
    }
    return ret < 0 ? ret : (ret & BDRV_BLOCK_ZERO) != 0;
}

/* May all of the cluster be zeroed, where a part is meant? */
static int coroutine_fn check_rest(BlockDriverState *bs, uint64_t offset,
                                   uint64_t head, uint64_t bytes, uint64_t tail)
{
    struct qcow2_state *s = bs->opaque;
    enum qcow2_cluster type;
    uint64_t host, n = 1;

    int ret = is_zero(bs, offset - head, head);
    if (ret > 0) {
        ret = is_zero(bs, offset + bytes, tail);
    }
    if (ret <= 0) {
        return ret < 0 ? ret : -ENOTSUP;
    }
    co_mutex_lock(&s->lock);
    ret = qcow2_get_host_offset(bs, offset - head, &n, &host, &type);
    co_mutex_unlock(&s->lock);
    if (ret >= 0 && type != QCOW2_CLUSTER_UNALLOCATED &&
        type != QCOW2_CLUSTER_ZERO) {
        ret = -ENOTSUP;
    }
    return ret;
}

static int coroutine_fn write_zeroes(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, unsigned flags)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t unit = s->header.cluster_bytes;
    uint64_t from = (uint64_t)offset, n = (uint64_t)bytes;
    uint64_t head = from % unit;
    uint64_t tail = (unit - (from + n) % unit) % unit;
    int ret;

    if (s->header.version < 3 && (flags & BDRV_REQ_NO_FALLBACK)) {
        return -ENOTSUP;
    }
    if (offset + bytes == bdrv_length(bs)) {
        n += tail;
        tail = 0;
    }
    if (head > 0 || tail > 0) {
        ret = check_rest(bs, from, head, n, tail);
        if (ret < 0) {
            return ret;
        }
    }
    co_mutex_lock(&s->lock);
    ret = qcow2_cluster_zeroize(bs, from - head, head + n + tail, flags);
    co_mutex_unlock(&s->lock);
    return ret;
}

int coroutine_fn qcow2_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes, unsigned flags)
{
    const struct qcow2_state *s = bs->opaque;
    unsigned n_releases = s->n_releases;
    int ret = write_zeroes(bs, offset, bytes, flags);

    if (ret == -ENOSPC && qcow2_make_room(bs, n_releases)) {
        ret = write_zeroes(bs, offset, bytes, flags);
    }
    return ret;
}

int coroutine_fn qcow2_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                   int64_t bytes)
{
    struct qcow2_state *s = bs->opaque;
    int64_t unit = (int64_t)s->header.cluster_bytes;
    bool is_to_end = offset + bytes == bdrv_length(bs);

    if (s->header.version < 3 && bs->backing != NULL) {
        return -ENOTSUP;
    }
    if (offset % unit != 0 || (bytes % unit != 0 && !is_to_end)) {
        return -ENOTSUP; /* parts of clusters stay */
    }
    co_mutex_lock(&s->lock);
    int ret = s->is_corrupt ? -EIO
                            : qcow2_cluster_discard(bs, (uint64_t)offset,
                                                    (uint64_t)bytes, false);
    co_mutex_unlock(&s->lock);
    return ret;
}
