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

/* Where the L2 entry of a guest offset is found. */
struct entry_place {
    uint64_t slice; /* offset of its slice in the file */
    uint64_t index; /* in the slice */
    uint64_t in_cluster;
};

/*
 * @bytes is cut to what the slice can tell of.
 * Return: false if there is no L2 table, so nothing is allocated.
 */
static bool find_entry(const struct qcow2_state *s, uint64_t offset,
                       uint64_t *bytes, struct entry_place *ret_place)
{
    const struct qcow2_header *h = &s->header;
    uint64_t cluster = offset >> h->cluster_bits;
    uint64_t in_cluster = offset & (h->cluster_bytes - 1);
    uint64_t l1_index = cluster >> h->l2_bits;
    uint64_t l2_index = cluster & ((UINT64_C(1) << h->l2_bits) - 1);
    uint64_t per_slice = qcow2_slice_bytes(h) / sizeof(uint64_t);
    uint64_t index = l2_index % per_slice;
    uint64_t l2_table =
        l1_index < h->l1_entries ? s->l1[l1_index] & QCOW2_OFFSET_MASK : 0;

    *bytes = MIN(*bytes, ((per_slice - index) << h->cluster_bits) - in_cluster);
    *ret_place = (struct entry_place){
        .slice = l2_table + l2_index / per_slice * qcow2_slice_bytes(h),
        .index = index,
        .in_cluster = in_cluster,
    };
    return l2_table != 0;
}

/* @bytes, @ret_host and @ret_type as of qcow2_get_host_offset() */
static int read_entry(BlockDriverState *bs, uint64_t offset,
                      const struct entry_place *place,
                      const struct qcow2_piece *slice, uint64_t *bytes,
                      uint64_t *ret_host, enum qcow2_cluster *ret_type)
{
    const struct qcow2_state *s = bs->opaque;
    unsigned bits = s->header.cluster_bits;
    const uint8_t *entries = slice->data + place->index * sizeof(uint64_t);
    uint64_t first = ct_get_be64(entries);
    int ret = decode(bs, offset, first, ret_host, ret_type);

    uint64_t n = 1;
    while ((n << bits) - place->in_cluster < *bytes &&
           goes_on(s, first, ct_get_be64(entries + n * sizeof(uint64_t)), n)) {
        n++;
    }
    *bytes = MIN(*bytes, (n << bits) - place->in_cluster);
    if (*ret_type == QCOW2_CLUSTER_NORMAL) {
        *ret_host += place->in_cluster;
    }
    return ret;
}

int coroutine_fn qcow2_get_host_offset(BlockDriverState *bs, uint64_t offset,
                                       uint64_t *bytes, uint64_t *ret_host,
                                       enum qcow2_cluster *ret_type)
{
    struct qcow2_state *s = bs->opaque;
    struct entry_place place;

    *ret_host = 0;
    *ret_type = QCOW2_CLUSTER_UNALLOCATED;
    if (!find_entry(s, offset, bytes, &place)) {
        return 0;
    }

    struct qcow2_piece *slice;
    int ret = qcow2_cache_get(s->l2, place.slice, &slice);
    if (ret < 0) {
        return ret;
    }
    ret = read_entry(bs, offset, &place, slice, bytes, ret_host, ret_type);
    qcow2_cache_put(s->l2, slice);
    return ret;
}

int coroutine_fn qcow2_co_look_up(BlockDriverState *bs, uint64_t offset,
                                  uint64_t *bytes, uint64_t *ret_host,
                                  enum qcow2_cluster *ret_type)
{
    struct qcow2_state *s = bs->opaque;

    /*
     * The lock keeps others out while its holder yields.  If there is none, and
     * we don't yield, there is nobody to keep out: all run on one thread.
     */
    if (!co_mutex_is_locked(&s->lock)) {
        struct entry_place place;
        const struct qcow2_piece *slice;

        *ret_host = 0;
        *ret_type = QCOW2_CLUSTER_UNALLOCATED;
        if (!find_entry(s, offset, bytes, &place)) {
            return 0;
        }
        slice = qcow2_cache_find(s->l2, place.slice);
        if (slice != NULL) {
            return read_entry(bs, offset, &place, slice, bytes, ret_host,
                              ret_type);
        }
    }
    co_mutex_lock(&s->lock);
    int ret = qcow2_get_host_offset(bs, offset, bytes, ret_host, ret_type);
    co_mutex_unlock(&s->lock);
    return ret;
}

int coroutine_fn qcow2_co_block_status(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, int64_t *ret_bytes)
{
    uint64_t n = (uint64_t)bytes, host;
    enum qcow2_cluster type;

    int ret = qcow2_co_look_up(bs, (uint64_t)offset, &n, &host, &type);
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
