/* SPDX-License-Identifier: MIT */
/*
 * clusters.c - finding clusters of the file that are free, and taking them
 *
 * Where there is no refcount block yet for clusters that are taken, it is
 * taken with them: N clusters are looked for together with P more behind them
 * for the blocks that all N + P need, until P is enough (place_blocks()).  The
 * blocks are on the disk before the table refers to them.  A table that is too
 * short is copied to a longer one, which takes its clusters in the same way,
 * with blocks that only the new table knows; the header then changes from
 * one to the other in one write.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "block/drivers/qcow2/refcount.h"

/* --- looking for clusters ------------------------------------------------ */

/* Return: 1 or 0, or what reading returned */
static int coroutine_fn is_free(const struct qcow2_state *s,
                                const struct qcow2_table *t, uint64_t cluster)
{
    uint64_t refcount;
    int ret = qcow2_table_get(s, t, cluster, &refcount);

    return ret < 0 ? ret
                   : refcount == 0 && !g_hash_table_contains(
                                          s->freed, GSIZE_TO_POINTER(cluster));
}

/* Offsets in L2 entries have 56 bits. */
static bool is_in_reach(const struct qcow2_state *s, uint64_t cluster)
{
    return cluster < UINT64_C(1) << (56 - s->header.cluster_bits);
}

/* @n clusters together; at first the hint catches up. */
static int coroutine_fn find_run(struct qcow2_state *s,
                                 const struct qcow2_table *t, uint64_t n,
                                 uint64_t *ret_first)
{
    uint64_t run = 0;
    bool is_at_hint = true;

    for (uint64_t i = s->free_hint; is_in_reach(s, i); i++) {
        int ret = is_free(s, t, i);
        if (ret < 0) {
            return ret;
        }
        run = ret ? run + 1 : 0;
        is_at_hint = is_at_hint && run == 0;
        if (is_at_hint) {
            s->free_hint = i + 1;
        }
        if (run == n) {
            *ret_first = i + 1 - n;
            return 0;
        }
    }
    return -EFBIG;
}

/* Of the blocks that @n clusters from @first on need, how many are not there */
static uint64_t missing_blocks(const struct qcow2_state *s,
                               const struct qcow2_table *t, uint64_t first,
                               uint64_t n)
{
    uint64_t missing = 0;

    for (uint64_t i = first >> qcow2_block_bits(s);
         i <= (first + n - 1) >> qcow2_block_bits(s); i++) {
        missing += qcow2_table_block(t, i) == 0;
    }
    return missing;
}

/* A run with room behind it for the blocks that are missing. */
static int coroutine_fn place_blocks(struct qcow2_state *s,
                                     const struct qcow2_table *t, uint64_t n,
                                     uint64_t *ret_first, uint64_t *ret_blocks)
{
    for (uint64_t room = 0;;) {
        int ret = find_run(s, t, n + room, ret_first);
        if (ret < 0) {
            return ret;
        }
        uint64_t blocks = 0, more;
        while ((more = missing_blocks(s, t, *ret_first, n + blocks)) > blocks) {
            blocks = more;
        }
        if (blocks <= room) {
            *ret_blocks = blocks;
            return 0;
        }
        room = blocks;
    }
}

/* --- taking clusters ----------------------------------------------------- */

/*
 * Makes the missing blocks, in the clusters behind the run, and counts all of
 * it.  In memory only, but for what has to be on the disk before the table.
 */
static int coroutine_fn take_run(BlockDriverState *bs, struct qcow2_table *t,
                                 uint64_t first, uint64_t n, uint64_t blocks)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t at = first + n, end = at + blocks;
    struct qcow2_piece *piece;
    int ret = 0;

    for (uint64_t i = first; i < end; i++) {
        if (g_hash_table_contains(s->metadata, GSIZE_TO_POINTER(i))) {
            return qcow2_signal_corruption(
                bs, "damaged: metadata at offset %" PRIu64 " is not counted",
                i << s->header.cluster_bits);
        }
    }
    for (uint64_t i = first >> qcow2_block_bits(s); at < end; i++) {
        if (qcow2_table_block(t, i) != 0) {
            continue;
        }
        uint64_t offset = at++ << s->header.cluster_bits;
        ret = qcow2_cache_get_empty(s->refcounts, offset, &piece);
        if (ret < 0) {
            return ret;
        }
        qcow2_cache_put(s->refcounts, piece);
        t->blocks[i] = offset;
        qcow2_metadata_add(s, QCOW2_REFCOUNT_BLOCK, offset,
                           s->header.cluster_bytes);
    }
    for (uint64_t i = first; i < end && ret >= 0; i++) {
        ret = qcow2_table_put(s, t, i, 1);
    }
    if (blocks > 0 && ret >= 0) {
        ret = qcow2_cache_flush(s->refcounts);
    }
    return ret;
}

/* After an error: the table in memory is as it was. */
static void forget_blocks(struct qcow2_state *s, struct qcow2_table *t,
                          uint64_t from, uint64_t to)
{
    uint32_t bits = s->header.cluster_bits;

    for (uint64_t i = 0; i < t->n; i++) {
        uint64_t offset = t->blocks[i];
        if (offset >= from << bits && offset < to << bits) {
            t->blocks[i] = 0;
            qcow2_cache_discard(s->refcounts, offset, s->header.cluster_bytes);
            qcow2_metadata_add(s, QCOW2_DATA, offset, s->header.cluster_bytes);
        }
    }
}

static int coroutine_fn write_table_entries(BlockDriverState *bs,
                                            uint64_t first, uint64_t n)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t from = first >> qcow2_block_bits(s);
    uint64_t to = ((first + n - 1) >> qcow2_block_bits(s)) + 1;
    size_t bytes = (size_t)(to - from) * sizeof(uint64_t);
    uint64_t offset = s->header.refcount_offset + from * sizeof(uint64_t);
    g_autofree uint64_t *entries = g_malloc(bytes);

    for (uint64_t i = from; i < to; i++) {
        ct_put_be64(&entries[i - from], s->refcount_table[i]);
    }
    int ret =
        qcow2_pre_write_overlap_check(bs, QCOW2_REFCOUNT_TABLE, offset, bytes);
    if (ret >= 0) {
        ret =
            bdrv_co_pwrite(bs->file, (int64_t)offset, (int64_t)bytes, entries);
    }
    /* Else who refers to these clusters depends on the refcounts' flush. */
    if (ret >= 0 && s->has_lazy_refcounts) {
        ret = bdrv_co_flush(bs->file);
    }
    return ret;
}

/* The header knows the new table from one write on. */
static int coroutine_fn switch_table(BlockDriverState *bs,
                                     const struct qcow2_table *t,
                                     uint64_t first, uint64_t n)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t bytes = t->n * sizeof(uint64_t);
    uint64_t offset = first << s->header.cluster_bits;
    g_autofree uint64_t *entries = g_malloc(bytes);
    uint8_t fields[12]; /* offset, clusters */

    for (uint64_t i = 0; i < t->n; i++) {
        ct_put_be64(&entries[i], t->blocks[i]);
    }
    int ret = qcow2_pre_write_overlap_check(bs, QCOW2_DATA, offset, bytes);
    if (ret >= 0) {
        ret =
            bdrv_co_pwrite(bs->file, (int64_t)offset, (int64_t)bytes, entries);
    }
    /* Its own clusters are counted before the header refers to them. */
    if (ret >= 0) {
        ret = qcow2_cache_flush(s->refcounts);
    }
    ct_put_be64(fields, offset);
    ct_put_be32(fields + 8, (uint32_t)n);
    if (ret < 0) {
        return ret;
    }
    ret = bdrv_co_pwrite(bs->file, QCOW2_AT_REFCOUNT_OFFSET, sizeof(fields),
                         fields);
    if (ret >= 0) {
        ret = bdrv_co_flush(bs->file);
    }
    if (ret < 0) {
        s->is_corrupt = true; /* nobody knows which of the two holds */
    }
    return ret;
}

/* Clusters of a table with room for block @i, and half as much again */
static uint64_t clusters_for(const struct qcow2_state *s, uint64_t i)
{
    uint64_t entries =
        MAX(i + 1, s->n_refcount_table + s->n_refcount_table / 2);
    uint64_t per_cluster = s->header.cluster_bytes / sizeof(uint64_t);

    return (entries + per_cluster - 1) / per_cluster;
}

static int coroutine_fn grow_table(BlockDriverState *bs, uint64_t block)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t first = 0, blocks = 0, n = clusters_for(s, block);
    struct qcow2_table t;
    int ret;

    for (;;) {
        t.n = n * (s->header.cluster_bytes / sizeof(uint64_t));
        if (t.n * sizeof(uint64_t) > QCOW2_REFCOUNT_BYTES_MAX) {
            return -EFBIG;
        }
        t.blocks = g_new0(uint64_t, t.n);
        memcpy(t.blocks, s->refcount_table,
               s->n_refcount_table * sizeof(uint64_t));
        ret = place_blocks(s, &t, n, &first, &blocks);
        block = (first + n + blocks - 1) >> qcow2_block_bits(s);
        if (ret < 0 || block < t.n) {
            break;
        }
        g_free(t.blocks);
        n = clusters_for(s, block);
    }
    if (ret >= 0) {
        ret = take_run(bs, &t, first, n, blocks);
    }
    if (ret >= 0) {
        ret = switch_table(bs, &t, first, n);
    }
    if (ret < 0) {
        forget_blocks(s, &t, first + n, first + n + blocks);
        g_free(t.blocks);
        return ret;
    }

    uint64_t old = s->header.refcount_offset;
    uint64_t old_n = s->header.refcount_clusters;
    qcow2_metadata_add(s, QCOW2_DATA, old, old_n << s->header.cluster_bits);
    qcow2_metadata_add(s, QCOW2_REFCOUNT_TABLE, first << s->header.cluster_bits,
                       n << s->header.cluster_bits);
    g_free(s->refcount_table);
    s->refcount_table = t.blocks;
    s->n_refcount_table = t.n;
    s->header.refcount_offset = first << s->header.cluster_bits;
    s->header.refcount_clusters = (uint32_t)n;
    return qcow2_free_clusters(bs, old, old_n);
}

/* @n clusters, with what blocks they need. */
static int64_t coroutine_fn alloc_run(BlockDriverState *bs, uint64_t n)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t first, blocks, last_block;
    struct qcow2_table t;
    int ret;

    for (;;) {
        t = qcow2_current_table(s);
        ret = place_blocks(s, &t, n, &first, &blocks);
        if (ret < 0) {
            return ret;
        }
        last_block = (first + n + blocks - 1) >> qcow2_block_bits(s);
        if (last_block < t.n) {
            break;
        }
        ret = grow_table(bs, last_block);
        if (ret < 0) {
            return ret;
        }
    }
    ret = take_run(bs, &t, first, n, blocks);
    if (ret >= 0 && blocks > 0) {
        ret = write_table_entries(bs, first, n + blocks);
    }
    if (ret < 0) {
        forget_blocks(s, &t, first + n, first + n + blocks);
        return ret;
    }
    return (int64_t)(first << s->header.cluster_bits);
}

/* Up to @n_max from the first free one on, in a block that exists; 0: none */
static int coroutine_fn first_run(struct qcow2_state *s, uint64_t n_max,
                                  uint64_t *ret_first, uint64_t *ret_n)
{
    struct qcow2_table t = qcow2_current_table(s);
    uint64_t n = 1;
    int ret = find_run(s, &t, 1, ret_first);

    *ret_n = 0;
    if (ret < 0 || missing_blocks(s, &t, *ret_first, 1) > 0) {
        return ret;
    }
    uint64_t in_block = *ret_first & ((UINT64_C(1) << qcow2_block_bits(s)) - 1);
    n_max = MIN(n_max, (UINT64_C(1) << qcow2_block_bits(s)) - in_block);
    while (n < n_max && (ret = is_free(s, &t, *ret_first + n)) > 0) {
        n++;
    }
    *ret_n = n;
    return MIN(ret, 0);
}

int64_t coroutine_fn qcow2_alloc_clusters(BlockDriverState *bs, uint64_t n_min,
                                          uint64_t n_max, uint64_t *ret_n)
{
    struct qcow2_state *s = bs->opaque;
    struct qcow2_table t = qcow2_current_table(s);
    uint64_t first, n;
    int ret = qcow2_limit_freed(bs);

    if (ret >= 0 && s->has_lazy_refcounts) {
        ret = qcow2_mark_dirty(bs);
    }
    if (ret >= 0) {
        ret = first_run(s, n_max, &first, &n);
    }
    if (ret < 0) {
        return ret;
    }
    if (n < n_min || n == 0) {
        *ret_n = n_min;
        return alloc_run(bs, n_min);
    }
    ret = take_run(bs, &t, first, n, 0);
    *ret_n = n;
    return ret < 0 ? ret : (int64_t)(first << s->header.cluster_bits);
}

int coroutine_fn qcow2_refcounts_first(BlockDriverState *bs)
{
    struct qcow2_state *s = bs->opaque;

    if (s->has_lazy_refcounts) {
        return 0;
    }
    return qcow2_cache_set_dependency(s->l2, s->refcounts);
}
