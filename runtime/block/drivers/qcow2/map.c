/* SPDX-License-Identifier: MIT */
/*
 * map.c - from the guest's disk to the file, over two levels of tables
 *
 *   guest offset = | L1 index | L2 index | offset in the cluster |
 *
 * The L1 table is in memory; open has checked that its L2 tables begin on a
 * cluster and lie inside the file.  L2 tables are read through the cache in
 * slices, so that large clusters don't mean large reads; an answer never
 * reaches beyond its slice.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "block/drivers/qcow2/qcow2.h"

enum qcow2_cluster qcow2_get_cluster_type(uint64_t entry)
{
    if (entry & QCOW2_L2_COMPRESSED) {
        return QCOW2_CLUSTER_COMPRESSED;
    }
    if (entry & QCOW2_L2_ZERO) {
        return QCOW2_CLUSTER_ZERO;
    }
    return entry & QCOW2_OFFSET_MASK ? QCOW2_CLUSTER_NORMAL
                                     : QCOW2_CLUSTER_UNALLOCATED;
}

/* What an entry says; Return: 0, or -EIO with the fault told. */
static int decode(BlockDriverState *bs, uint64_t offset, uint64_t entry,
                  uint64_t *ret_host, enum qcow2_cluster *ret_type)
{
    const struct qcow2_state *s = bs->opaque;
    uint64_t host = entry & QCOW2_OFFSET_MASK;

    *ret_type = qcow2_get_cluster_type(entry);
    switch (*ret_type) {
    case QCOW2_CLUSTER_COMPRESSED:
        *ret_host = entry;
        return 0;
    case QCOW2_CLUSTER_ZERO:
        if (s->header.version < 3) {
            bdrv_fault(bs,
                       "damaged: zero cluster at guest offset %" PRIu64
                       " in a version 2 image",
                       offset);
            return -EIO;
        }
        return 0;
    default:
        break;
    }
    if (host % s->header.cluster_bytes != 0) {
        bdrv_fault(bs,
                   "damaged: the cluster of guest offset %" PRIu64
                   " lies at %" PRIu64 ", inside another cluster",
                   offset, host);
        return -EIO;
    }
    *ret_host = host;
    return 0;
}

/* Would the reader of a run of clusters notice where one ends? */
static bool goes_on(const struct qcow2_state *s, uint64_t first, uint64_t entry,
                    uint64_t nth)
{
    if ((first | entry) & QCOW2_L2_COMPRESSED) {
        return false;
    }
    if (first & QCOW2_L2_ZERO) {
        return entry & QCOW2_L2_ZERO;
    }
    uint64_t host = first & QCOW2_OFFSET_MASK;
    uint64_t expected = host != 0 ? host + (nth << s->header.cluster_bits) : 0;
    return (entry & (QCOW2_OFFSET_MASK | QCOW2_L2_ZERO)) == expected;
}

int coroutine_fn qcow2_get_host_offset(BlockDriverState *bs, uint64_t offset,
                                       uint64_t *bytes, uint64_t *ret_host,
                                       enum qcow2_cluster *ret_type)
{
    struct qcow2_state *s = bs->opaque;
    const struct qcow2_header *h = &s->header;
    uint64_t cluster = offset >> h->cluster_bits;
    uint64_t in_cluster = offset & (h->cluster_bytes - 1);
    uint64_t l1_index = cluster >> h->l2_bits;
    uint64_t l2_index = cluster & ((UINT64_C(1) << h->l2_bits) - 1);
    uint64_t per_slice = qcow2_slice_bytes(h) / sizeof(uint64_t);
    uint64_t slice = l2_index / per_slice;
    uint64_t index = l2_index % per_slice;
    uint64_t wanted =
        MIN(*bytes, ((per_slice - index) << h->cluster_bits) - in_cluster);

    *bytes = wanted;
    *ret_host = 0;
    *ret_type = QCOW2_CLUSTER_UNALLOCATED;
    uint64_t l2_table =
        l1_index < h->l1_entries ? s->l1[l1_index] & QCOW2_OFFSET_MASK : 0;
    if (l2_table == 0) {
        return 0;
    }

    struct qcow2_piece *piece;
    int ret =
        qcow2_cache_get(s->l2, l2_table + slice * qcow2_slice_bytes(h), &piece);
    if (ret < 0) {
        return ret;
    }
    const uint8_t *entries = piece->data + index * sizeof(uint64_t);
    uint64_t first = ct_get_be64(entries);
    ret = decode(bs, offset, first, ret_host, ret_type);

    uint64_t n = 1;
    while ((n << h->cluster_bits) - in_cluster < wanted &&
           goes_on(s, first, ct_get_be64(entries + n * sizeof(uint64_t)), n)) {
        n++;
    }
    *bytes = MIN(wanted, (n << h->cluster_bits) - in_cluster);
    if (*ret_type == QCOW2_CLUSTER_NORMAL) {
        *ret_host += in_cluster;
    }
    qcow2_cache_put(s->l2, piece);
    return ret;
}

int coroutine_fn qcow2_co_block_status(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, int64_t *ret_bytes)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t n = (uint64_t)bytes, host;
    enum qcow2_cluster type;

    co_mutex_lock(&s->lock);
    int ret = qcow2_get_host_offset(bs, (uint64_t)offset, &n, &host, &type);
    co_mutex_unlock(&s->lock);
    if (ret < 0) {
        return ret;
    }
    *ret_bytes = (int64_t)n;
    switch (type) {
    case QCOW2_CLUSTER_UNALLOCATED:
        return 0;
    case QCOW2_CLUSTER_ZERO:
        return BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED;
    default:
        return BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED;
    }
}
