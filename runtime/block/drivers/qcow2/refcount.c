/* SPDX-License-Identifier: MIT */
/*
 * refcount.c - how often each cluster of the file is referred to
 *
 * Refcounts lie in blocks of a cluster each, and the refcount table says where
 * the blocks are.  In the file an order is kept, so that a crash leaves leaked
 * clusters at worst:
 *
 *   taking:  the refcount, then what refers to the cluster (clusters.c)
 *   freeing: what referred to the cluster is gone, then the refcount
 *
 * by the caches' dependencies (cache.h); with lazy refcounts there is none, but
 * the image is marked dirty, so that who opens it counts anew.
 *
 * A cluster that lost its last reference is remembered in `freed`, and taken
 * again only after the tables that no longer refer to it are on the disk: or
 * a crash could bring back a table that refers to another's data.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "block/drivers/qcow2/refcount.h"

/* Of refcount blocks in memory, unless the options say otherwise. */
#define CACHE_BYTES (1024 * 1024)

/*
 * Freed clusters wait for a flush of the user's, unless they are so many bytes:
 * the file becomes longer by what waits, and a flush for each would cost more
 * than what it frees is worth.
 */
#define FREED_BYTES_MAX (UINT64_C(32) * 1024 * 1024)

static uint64_t refcount_max(const struct qcow2_state *s)
{
    return UINT64_MAX >> (64 - (1u << s->header.refcount_order));
}

/* --- numbers in a block -------------------------------------------------- */

static uint64_t get_number(const struct qcow2_state *s, const uint8_t *block,
                           uint64_t i)
{
    uint32_t order = s->header.refcount_order;

    switch (order) {
    case 6:
        return ct_get_be64(block + i * 8);
    case 5:
        return ct_get_be32(block + i * 4);
    case 4:
        return ct_get_be16(block + i * 2);
    case 3:
        return block[i];
    default: { /* several in a byte, the first in its lowest bits */
        uint64_t bit = i << order;
        return (block[bit / 8] >> (bit % 8)) & refcount_max(s);
    }
    }
}

static void put_number(const struct qcow2_state *s, uint8_t *block, uint64_t i,
                       uint64_t value)
{
    uint32_t order = s->header.refcount_order;

    switch (order) {
    case 6:
        ct_put_be64(block + i * 8, value);
        break;
    case 5:
        ct_put_be32(block + i * 4, (uint32_t)value);
        break;
    case 4:
        ct_put_be16(block + i * 2, (uint16_t)value);
        break;
    case 3:
        block[i] = (uint8_t)value;
        break;
    default: {
        uint64_t bit = i << order;
        uint8_t mask = (uint8_t)(refcount_max(s) << (bit % 8));
        block[bit / 8] =
            (uint8_t)((block[bit / 8] & ~mask) | (value << (bit % 8)));
    }
    }
}

/* --- open ---------------------------------------------------------------- */

static int coroutine_fn check_block_write(void *opaque, uint64_t offset,
                                          size_t bytes)
{
    return qcow2_pre_write_overlap_check(opaque, QCOW2_REFCOUNT_BLOCK, offset,
                                         bytes);
}

static int check_table_entry(const BlockDriverState *bs, uint64_t i,
                             GError **error)
{
    const struct qcow2_state *s = bs->opaque;
    uint64_t offset = s->refcount_table[i];
    uint64_t file_bytes = (uint64_t)bdrv_length(bs->file);

    if (offset % s->header.cluster_bytes != 0) {
        return block_error(error, EINVAL,
                           "damaged: refcount block %" PRIu64
                           " lies at %" PRIu64 ", inside another cluster",
                           i, offset);
    }
    if (offset >= file_bytes && offset != 0) {
        return block_error(error, EINVAL,
                           "cut short: refcount block %" PRIu64
                           " lies at %" PRIu64 ", the file has %" PRIu64,
                           i, offset, file_bytes);
    }
    return 0;
}

int coroutine_fn qcow2_refcount_open(BlockDriverState *bs, GError **error)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t bytes = (uint64_t)s->header.refcount_clusters
                     << s->header.cluster_bits;

    s->n_refcount_table = bytes / sizeof(uint64_t);
    s->refcount_table = g_malloc(bytes);
    int ret = bdrv_pread(bs->file, (int64_t)s->header.refcount_offset,
                         (int64_t)bytes, s->refcount_table);
    if (ret < 0) {
        return block_error(error, -ret, "refcount table: %s", g_strerror(-ret));
    }
    ret = qcow2_metadata_found(s, QCOW2_REFCOUNT_TABLE,
                               s->header.refcount_offset, bytes, error);
    for (uint64_t i = 0; i < s->n_refcount_table && ret == 0; i++) {
        s->refcount_table[i] =
            ct_get_be64(&s->refcount_table[i]) & ~UINT64_C(0x1ff);
        ret = check_table_entry(bs, i, error);
        if (ret == 0 && s->refcount_table[i] != 0) {
            ret = qcow2_metadata_found(s, QCOW2_REFCOUNT_BLOCK,
                                       s->refcount_table[i],
                                       s->header.cluster_bytes, error);
        }
    }
    s->freed = g_hash_table_new(NULL, NULL);
    s->refcounts = qcow2_cache_new(
        bs->file, (size_t)s->header.cluster_bytes,
        bs->options.cache_bytes != 0 ? bs->options.cache_bytes : CACHE_BYTES,
        check_block_write, bs);
    return ret;
}

void qcow2_refcount_close(struct qcow2_state *s)
{
    g_clear_pointer(&s->refcounts, qcow2_cache_free);
    g_clear_pointer(&s->freed, g_hash_table_destroy);
    g_clear_pointer(&s->refcount_table, g_free);
}

/* --- one refcount -------------------------------------------------------- */

int coroutine_fn qcow2_table_get(const struct qcow2_state *s,
                                 const struct qcow2_table *t, uint64_t cluster,
                                 uint64_t *ret_refcount)
{
    uint64_t block = qcow2_table_block(t, cluster >> qcow2_block_bits(s));
    struct qcow2_piece *piece;

    *ret_refcount = 0;
    if (block == 0) {
        return 0;
    }
    int ret = qcow2_cache_get(s->refcounts, block, &piece);
    if (ret < 0) {
        return ret;
    }
    *ret_refcount = get_number(
        s, piece->data, cluster & ((UINT64_C(1) << qcow2_block_bits(s)) - 1));
    qcow2_cache_put(s->refcounts, piece);
    return 0;
}

int coroutine_fn qcow2_get_refcount(BlockDriverState *bs, uint64_t cluster,
                                    uint64_t *ret_refcount)
{
    const struct qcow2_state *s = bs->opaque;
    struct qcow2_table t = qcow2_current_table(s);

    return qcow2_table_get(s, &t, cluster, ret_refcount);
}

int coroutine_fn qcow2_table_put(const struct qcow2_state *s,
                                 const struct qcow2_table *t, uint64_t cluster,
                                 uint64_t refcount)
{
    struct qcow2_piece *piece;
    int ret = qcow2_cache_get(
        s->refcounts, qcow2_table_block(t, cluster >> qcow2_block_bits(s)),
        &piece);

    if (ret < 0) {
        return ret;
    }
    put_number(s, piece->data,
               cluster & ((UINT64_C(1) << qcow2_block_bits(s)) - 1), refcount);
    qcow2_cache_entry_mark_dirty(s->refcounts, piece);
    qcow2_cache_put(s->refcounts, piece);
    return 0;
}

/* --- giving clusters back ------------------------------------------------ */

/* @waits: a table on the disk may refer to it */
static int coroutine_fn free_cluster(BlockDriverState *bs, uint64_t cluster,
                                     bool waits)
{
    struct qcow2_state *s = bs->opaque;
    struct qcow2_table t = qcow2_current_table(s);
    uint64_t offset = cluster << s->header.cluster_bits;
    uint64_t refcount;
    int ret = qcow2_table_get(s, &t, cluster, &refcount);

    if (ret < 0) {
        return ret;
    }
    /* Who frees a table has taken it off the list before. */
    if (g_hash_table_contains(s->metadata, GSIZE_TO_POINTER(cluster))) {
        return qcow2_signal_corruption(
            bs, "damaged: metadata at offset %" PRIu64 " is used as data",
            offset);
    }
    if (refcount == 0) {
        return qcow2_signal_corruption(
            bs, "damaged: the cluster at %" PRIu64 " is used, and not counted",
            offset);
    }
    ret = qcow2_table_put(s, &t, cluster, refcount - 1);
    if (ret >= 0 && refcount == 1) {
        if (waits) {
            g_hash_table_add(s->freed, GSIZE_TO_POINTER(cluster));
        } else {
            s->free_hint = MIN(s->free_hint, cluster);
        }
        qcow2_cache_discard(s->l2, offset, s->header.cluster_bytes);
    }
    return ret;
}

int coroutine_fn qcow2_free_clusters(BlockDriverState *bs, uint64_t offset,
                                     uint64_t n)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t first = offset >> s->header.cluster_bits;
    int ret = 0;

    if (s->has_lazy_refcounts) {
        ret = qcow2_mark_dirty(bs);
    } else {
        ret = qcow2_cache_set_dependency(s->refcounts, s->l2);
    }
    for (uint64_t i = 0; i < n && ret >= 0; i++) {
        ret = free_cluster(bs, first + i, true);
    }
    return ret;
}

void coroutine_fn qcow2_return_clusters(BlockDriverState *bs, uint64_t offset,
                                        uint64_t n)
{
    const struct qcow2_state *s = bs->opaque;
    uint64_t first = offset >> s->header.cluster_bits;

    for (uint64_t i = 0; i < n; i++) {
        if (free_cluster(bs, first + i, false) < 0) {
            return; /* the rest is leaked */
        }
    }
}

int coroutine_fn qcow2_free_any_cluster(BlockDriverState *bs, uint64_t entry)
{
    const struct qcow2_state *s = bs->opaque;
    uint32_t bits = s->header.cluster_bits;
    uint64_t offset = entry & QCOW2_OFFSET_MASK, bytes;

    if (entry & QCOW2_L2_COMPRESSED) {
        qcow2_compressed_place(&s->header, entry, &offset, &bytes);
        uint64_t first = offset >> bits;
        uint64_t last = (offset + bytes - 1) >> bits;
        return qcow2_free_clusters(bs, first << bits, last - first + 1);
    }
    if (offset % s->header.cluster_bytes != 0) {
        /* The cluster that it lies in is somebody else's. */
        return qcow2_signal_corruption(
            bs,
            "damaged: the cluster to be freed lies at %" PRIu64
            ", inside another cluster",
            offset);
    }
    return offset != 0 ? qcow2_free_clusters(bs, offset, 1) : 0;
}

static int compare_clusters(gconstpointer a, gconstpointer b)
{
    size_t x = GPOINTER_TO_SIZE(*(const gpointer *)a);
    size_t y = GPOINTER_TO_SIZE(*(const gpointer *)b);

    return (x > y) - (x < y);
}

/*
 * Their last references are on the disk no more.  The file is told, run by
 * run; that it may not be able to give the space back is no error.
 */
static void coroutine_fn release_freed(BlockDriverState *bs)
{
    struct qcow2_state *s = bs->opaque;
    uint32_t bits = s->header.cluster_bits;
    guint n;
    g_autofree gpointer *keys = g_hash_table_get_keys_as_array(s->freed, &n);

    qsort(keys, n, sizeof(keys[0]), compare_clusters);
    for (guint i = 0, run; i < n; i += run) {
        size_t first = GPOINTER_TO_SIZE(keys[i]);

        run = 1;
        while (i + run < n && GPOINTER_TO_SIZE(keys[i + run]) == first + run) {
            run++;
        }
        (void)bdrv_co_pdiscard(bs->file, (int64_t)(first << bits),
                               (int64_t)((uint64_t)run << bits));
    }
    s->free_hint = MIN(s->free_hint, GPOINTER_TO_SIZE(keys[0]));
    g_hash_table_remove_all(s->freed);
    s->n_releases++;
}

int coroutine_fn qcow2_write_caches(BlockDriverState *bs)
{
    struct qcow2_state *s = bs->opaque;

    if (s->is_corrupt) {
        return -EIO;
    }
    int ret = qcow2_cache_write(s->l2);
    if (ret >= 0 && !s->has_lazy_refcounts) {
        ret = qcow2_cache_write(s->refcounts);
    }
    if (ret >= 0 && g_hash_table_size(s->freed) > 0) {
        ret = bdrv_co_flush(bs->file);
        if (ret >= 0) {
            release_freed(bs);
        }
    }
    return ret;
}

int coroutine_fn qcow2_limit_freed(BlockDriverState *bs)
{
    const struct qcow2_state *s = bs->opaque;
    uint64_t waiting = g_hash_table_size(s->freed);

    return waiting << s->header.cluster_bits >= FREED_BYTES_MAX
               ? qcow2_write_caches(bs)
               : 0;
}

bool coroutine_fn qcow2_make_room(BlockDriverState *bs, unsigned n_releases)
{
    struct qcow2_state *s = bs->opaque;

    co_mutex_lock(&s->lock);
    /* Of several that found none the first makes room for all. */
    bool any = s->n_releases != n_releases ||
               (g_hash_table_size(s->freed) > 0 && qcow2_write_caches(bs) >= 0);
    co_mutex_unlock(&s->lock);
    return any;
}

int coroutine_fn qcow2_set_refcount(BlockDriverState *bs, uint64_t cluster,
                                    uint64_t refcount)
{
    struct qcow2_state *s = bs->opaque;
    struct qcow2_table t = qcow2_current_table(s);

    if (refcount > refcount_max(s) ||
        qcow2_table_block(&t, cluster >> qcow2_block_bits(s)) == 0) {
        return -EINVAL;
    }
    return qcow2_table_put(s, &t, cluster, refcount);
}
