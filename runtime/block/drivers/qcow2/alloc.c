/* SPDX-License-Identifier: MIT */
/*
 * alloc.c - clusters for what is written
 *
 * A write goes to a cluster in place if the guest's L2 entry has it to itself
 * (the flag "copied": its refcount is 1).  Else a new one is taken:
 *
 *   1. qcow2_alloc_host_offset()     under the lock: clusters are taken, and
 *                                    the allocation is put in s->allocs
 *   2. the task writes them whole, without the lock: new data, and around it
 *      what is copied from where the guest's cluster was before (write.c)
 *   3. qcow2_alloc_cluster_link_l2() under the lock: the L2 entries change,
 *                                    what they referred to before is freed
 *
 * Between 1 and 3 other writes to the same clusters wait, since they would
 * take clusters of their own.  Reads see the old ones.
 *
 * In the file the refcounts come before the L2 entries (the caches' dependency)
 * and, where something was copied, so does the data: else a crash could lose
 * what the guest had flushed long ago.  A new L2 table is on the disk before
 * the L1 table refers to it.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "block/drivers/qcow2/qcow2.h"

/* With what is copied around it a piece is still one request of the file. */
#define PIECE_BYTES_MAX (UINT64_C(1) << 30)

/* --- L1 ------------------------------------------------------------------ */

static int coroutine_fn write_l1_entry(BlockDriverState *bs, uint64_t i)
{
    const struct qcow2_state *s = bs->opaque;
    uint64_t offset = s->header.l1_offset + i * sizeof(uint64_t);
    uint8_t entry[sizeof(uint64_t)];

    ct_put_be64(entry, s->l1[i]);
    int ret = qcow2_pre_write_overlap_check(bs, QCOW2_ACTIVE_L1, offset,
                                            sizeof(entry));
    if (ret >= 0) {
        ret = bdrv_co_pwrite(bs->file, (int64_t)offset, sizeof(entry), entry);
    }
    return ret;
}

/* A longer table at @offset, known to the header from one write on */
static int coroutine_fn switch_l1(BlockDriverState *bs, const uint64_t *l1,
                                  uint64_t n, uint64_t offset)
{
    struct qcow2_state *s = bs->opaque;
    size_t bytes = (size_t)(n * sizeof(uint64_t));
    g_autofree uint64_t *entries = g_malloc(bytes);
    uint8_t fields[12];

    for (uint64_t i = 0; i < n; i++) {
        ct_put_be64(&entries[i], l1[i]);
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
    if (ret < 0) {
        return ret;
    }
    ct_put_be32(fields, (uint32_t)n);
    ct_put_be64(fields + 4, offset);
    ret = bdrv_co_pwrite(bs->file, QCOW2_AT_L1, sizeof(fields), fields);
    if (ret >= 0) {
        ret = bdrv_co_flush(bs->file);
    }
    if (ret < 0) {
        s->is_corrupt = true; /* nobody knows which of the two holds */
    }
    return ret;
}

int coroutine_fn qcow2_grow_l1_table(BlockDriverState *bs, uint64_t n_min)
{
    struct qcow2_state *s = bs->opaque;
    const struct qcow2_header *h = &s->header;
    uint64_t old = h->l1_offset, old_n = h->l1_entries;
    uint64_t per_cluster = h->cluster_bytes / sizeof(uint64_t);
    uint64_t n = n_min, n_clusters, got;

    if (n_min <= old_n) {
        return 0;
    }
    if (n_min > QCOW2_L1_BYTES_MAX / sizeof(uint64_t)) {
        return -EFBIG;
    }
    n_clusters = (n + per_cluster - 1) / per_cluster;
    int64_t offset = qcow2_alloc_clusters(bs, n_clusters, n_clusters, &got);
    if (offset < 0) {
        return (int)offset;
    }
    uint64_t *l1 = g_new0(uint64_t, n);
    if (old_n > 0) {
        memcpy(l1, s->l1, old_n * sizeof(uint64_t));
    }
    int ret = switch_l1(bs, l1, n, (uint64_t)offset);
    if (ret < 0) {
        g_free(l1);
        (void)qcow2_free_clusters(bs, (uint64_t)offset, n_clusters);
        return ret;
    }
    qcow2_metadata_add(s, QCOW2_DATA, old, old_n * sizeof(uint64_t));
    qcow2_metadata_add(s, QCOW2_ACTIVE_L1, (uint64_t)offset,
                       n * sizeof(uint64_t));
    g_free(s->l1);
    s->l1 = l1;
    s->header.l1_offset = (uint64_t)offset;
    s->header.l1_entries = (uint32_t)n;
    if (old_n == 0) {
        return 0; /* of no length, it had no cluster */
    }
    return qcow2_free_clusters(bs, old,
                               (old_n + per_cluster - 1) / per_cluster);
}

/* --- L2 ------------------------------------------------------------------ */

/* @from: offset of a table, 0: none */
static int coroutine_fn copy_table(struct qcow2_state *s, uint64_t from,
                                   uint64_t to)
{
    size_t slice = qcow2_slice_bytes(&s->header);
    int ret = 0;

    for (uint64_t at = 0; ret >= 0 && at < s->header.cluster_bytes;
         at += slice) {
        struct qcow2_piece *old = NULL, *piece;

        if (from != 0) {
            ret = qcow2_cache_get(s->l2, from + at, &old);
        }
        if (ret >= 0) {
            ret = qcow2_cache_get_empty(s->l2, to + at, &piece);
        }
        if (ret >= 0) {
            if (old != NULL) {
                memcpy(piece->data, old->data, slice);
            }
            qcow2_cache_put(s->l2, piece);
        }
        if (old != NULL) {
            qcow2_cache_put(s->l2, old);
        }
    }
    return ret;
}

static int coroutine_fn l2_allocate(BlockDriverState *bs, uint64_t l1_index)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t cluster_bytes = s->header.cluster_bytes;
    uint64_t old = s->l1[l1_index], got;

    int64_t table = qcow2_alloc_clusters(bs, 1, 1, &got);
    if (table < 0) {
        return (int)table;
    }
    int ret = qcow2_refcounts_first(bs);
    if (ret >= 0) {
        ret = qcow2_pre_write_overlap_check(bs, QCOW2_DATA, (uint64_t)table,
                                            cluster_bytes);
    }
    if (ret < 0) {
        goto free_table;
    }
    qcow2_metadata_add(s, QCOW2_ACTIVE_L2, (uint64_t)table, cluster_bytes);
    ret = copy_table(s, old & QCOW2_OFFSET_MASK, (uint64_t)table);
    if (ret >= 0) {
        ret = qcow2_cache_flush(s->l2);
    }
    bool is_linked = ret >= 0; /* or was to be */
    if (ret >= 0) {
        s->l1[l1_index] = (uint64_t)table | QCOW2_COPIED;
        ret = write_l1_entry(bs, l1_index);
    }
    if (ret < 0) {
        s->l1[l1_index] = old;
        qcow2_cache_discard(s->l2, (uint64_t)table, cluster_bytes);
        qcow2_metadata_add(s, QCOW2_DATA, (uint64_t)table, cluster_bytes);
        if (is_linked) {
            return ret; /* leaked: on the disk the entry may refer to it */
        }
        goto free_table;
    }
    if (old & QCOW2_OFFSET_MASK) {
        /* a snapshot has it still; the L1 entry above comes first */
        qcow2_metadata_add(s, QCOW2_DATA, old & QCOW2_OFFSET_MASK,
                           cluster_bytes);
        qcow2_cache_depends_on_flush(s->l2);
        ret = qcow2_free_clusters(bs, old & QCOW2_OFFSET_MASK, 1);
    }
    return ret;

free_table:
    (void)qcow2_free_clusters(bs, (uint64_t)table, 1);
    return ret;
}

int coroutine_fn qcow2_get_cluster_table(BlockDriverState *bs, uint64_t offset,
                                         struct qcow2_piece **ret_slice,
                                         uint64_t *ret_index)
{
    struct qcow2_state *s = bs->opaque;
    const struct qcow2_header *h = &s->header;
    uint64_t cluster = offset >> h->cluster_bits;
    uint64_t l1_index = cluster >> h->l2_bits;
    uint64_t l2_index = cluster & ((UINT64_C(1) << h->l2_bits) - 1);
    uint64_t per_slice = qcow2_slice_bytes(h) / sizeof(uint64_t);
    int ret = qcow2_grow_l1_table(bs, l1_index + 1);

    /* In a damaged image COPIED may be said of no table. */
    if (ret >= 0 && (!(s->l1[l1_index] & QCOW2_COPIED) ||
                     !(s->l1[l1_index] & QCOW2_OFFSET_MASK))) {
        ret = l2_allocate(bs, l1_index);
    }
    if (ret < 0) {
        return ret;
    }
    *ret_index = l2_index % per_slice;
    return qcow2_cache_get(s->l2,
                           (s->l1[l1_index] & QCOW2_OFFSET_MASK) +
                               l2_index / per_slice * qcow2_slice_bytes(h),
                           ret_slice);
}

/* --- allocation ---------------------------------------------------------- */

/*
 * Shortens the range to what no other allocation touches; if its very
 * beginning is, waits for that one.  Return: true: look again.
 */
static bool coroutine_fn handle_dependencies(struct qcow2_state *s,
                                             uint64_t offset, uint64_t *bytes)
{
    list_for_each (node, &s->allocs) {
        struct qcow2_alloc *other = list_entry(node, struct qcow2_alloc, link);
        uint64_t end = other->offset + (other->n << s->header.cluster_bits);

        if (offset + *bytes <= other->offset || offset >= end) {
            continue;
        }
        if (offset < other->offset) {
            *bytes = other->offset - offset;
            continue;
        }
        co_queue_wait(&other->dependents, &s->lock);
        return true;
    }
    return false;
}

enum place {
    PLACE_OURS, /* written where it is */
    PLACE_ZERO, /* so, too, but all of it, since it holds no zeroes */
    PLACE_NEW,
};

static enum place place_of(uint64_t entry)
{
    bool is_ours = (entry & QCOW2_COPIED) && (entry & QCOW2_OFFSET_MASK) &&
                   !(entry & QCOW2_L2_COMPRESSED);

    if (!is_ours) {
        return PLACE_NEW;
    }
    return entry & QCOW2_L2_ZERO ? PLACE_ZERO : PLACE_OURS;
}

/* Clusters that are written in the same way; in the file they lie together */
static uint64_t count_alike(const struct qcow2_state *s, const uint8_t *entries,
                            uint64_t n_max)
{
    uint64_t first = ct_get_be64(entries), n = 1;
    enum place place = place_of(first);

    while (n < n_max) {
        uint64_t entry = ct_get_be64(entries + n * sizeof(entry));
        uint64_t host =
            (first & QCOW2_OFFSET_MASK) + (n << s->header.cluster_bits);
        if (place_of(entry) != place ||
            (place != PLACE_NEW && (entry & QCOW2_OFFSET_MASK) != host)) {
            break;
        }
        n++;
    }
    return n;
}

static struct qcow2_alloc *start_alloc(struct qcow2_state *s, uint64_t offset,
                                       uint64_t host, uint64_t n)
{
    struct qcow2_alloc *alloc = g_new0(struct qcow2_alloc, 1);

    alloc->offset = offset;
    alloc->host = host;
    alloc->n = n;
    co_queue_init(&alloc->dependents);
    list_add_tail(&s->allocs, &alloc->link);
    return alloc;
}

static void end_alloc(struct qcow2_alloc *alloc)
{
    list_del(&alloc->link);
    co_queue_all(&alloc->dependents);
    g_free(alloc);
}

int coroutine_fn qcow2_alloc_host_offset(BlockDriverState *bs, uint64_t offset,
                                         uint64_t *bytes, uint64_t *ret_host,
                                         struct qcow2_alloc **ret_alloc)
{
    struct qcow2_state *s = bs->opaque;
    uint32_t bits = s->header.cluster_bits;
    uint64_t in_cluster = offset & (s->header.cluster_bytes - 1);
    uint64_t index, wanted = *bytes;
    struct qcow2_piece *slice;

    *ret_alloc = NULL;
    wanted = MIN(wanted, PIECE_BYTES_MAX);
    do {
        *bytes = wanted;
    } while (handle_dependencies(s, offset, bytes));
    if (s->is_corrupt) {
        return -EIO;
    }
    int ret = qcow2_get_cluster_table(bs, offset, &slice, &index);
    if (ret < 0) {
        return ret;
    }
    uint64_t in_slice =
        qcow2_slice_bytes(&s->header) / sizeof(uint64_t) - index;
    uint64_t n = (in_cluster + *bytes + s->header.cluster_bytes - 1) >> bits;
    const uint8_t *entries = slice->data + index * sizeof(uint64_t);
    uint64_t first = ct_get_be64(entries);
    n = count_alike(s, entries, MIN(n, in_slice));
    qcow2_cache_put(s->l2, slice);

    enum place place = place_of(first);
    uint64_t host = first & QCOW2_OFFSET_MASK;
    if (place == PLACE_NEW) {
        int64_t taken = qcow2_alloc_clusters(bs, 1, n, &n);
        if (taken < 0) {
            return (int)taken;
        }
        host = (uint64_t)taken;
    } else if (host % s->header.cluster_bytes != 0) {
        return qcow2_signal_corruption(
            bs,
            "damaged: the cluster of guest offset %" PRIu64 " lies at %" PRIu64
            ", inside another cluster",
            offset, host);
    }
    *bytes = MIN(*bytes, (n << bits) - in_cluster);
    *ret_host = host + in_cluster;
    if (place != PLACE_OURS) {
        struct qcow2_alloc *alloc =
            start_alloc(s, offset - in_cluster, host, n);
        alloc->is_reused = place == PLACE_ZERO;
        alloc->data_from = in_cluster;
        alloc->data_to = in_cluster + *bytes;
        *ret_alloc = alloc;
    }
    return 0;
}

int coroutine_fn qcow2_alloc_cluster_link_l2(BlockDriverState *bs,
                                             struct qcow2_alloc *alloc)
{
    struct qcow2_state *s = bs->opaque;
    uint32_t bits = s->header.cluster_bits;
    g_autofree uint64_t *old = g_new(uint64_t, alloc->n);
    struct qcow2_piece *slice;
    uint64_t index;

    int ret = qcow2_get_cluster_table(bs, alloc->offset, &slice, &index);
    if (ret < 0) {
        qcow2_alloc_cluster_abort(bs, alloc);
        return ret;
    }
    if (!alloc->is_reused) {
        ret = qcow2_refcounts_first(bs);
    }
    if (ret < 0) {
        qcow2_cache_put(s->l2, slice);
        qcow2_alloc_cluster_abort(bs, alloc);
        return ret;
    }
    if (alloc->needs_flush) {
        qcow2_cache_depends_on_flush(s->l2);
    }
    uint8_t *entries = slice->data + index * sizeof(uint64_t);
    for (uint64_t i = 0; i < alloc->n; i++) {
        uint8_t *entry = entries + i * sizeof(uint64_t);
        old[i] = ct_get_be64(entry);
        ct_put_be64(entry, (alloc->host + (i << bits)) | QCOW2_COPIED);
    }
    qcow2_cache_entry_mark_dirty(s->l2, slice);
    qcow2_cache_put(s->l2, slice);
    for (uint64_t i = 0; i < alloc->n && !alloc->is_reused && ret >= 0; i++) {
        ret = qcow2_free_any_cluster(bs, old[i]);
    }
    end_alloc(alloc);
    return ret;
}

void coroutine_fn qcow2_alloc_cluster_abort(BlockDriverState *bs,
                                            struct qcow2_alloc *alloc)
{
    if (!alloc->is_reused) {
        qcow2_return_clusters(bs, alloc->host, alloc->n);
    }
    end_alloc(alloc);
}
