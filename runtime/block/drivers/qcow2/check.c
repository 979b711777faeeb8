/* SPDX-License-Identifier: MIT */
/*
 * check.c - who refers to what: snapshots, and counting anew after a crash
 *
 * An image that is marked dirty has refcounts that are behind its tables (lazy
 * refcounts).  Before anything is written to it, all references are counted
 * from the tables: the header, the L1 tables of disk and snapshots with their
 * L2 tables and data, the snapshot table, refcount table and blocks.  Then
 * every refcount that differs is set.  Nothing in the file refers to anything
 * new by that, so it can be cut off at any point and begun again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "block/drivers/qcow2/qcow2.h"

/* An entry of the snapshot table */
enum {
    SNAPSHOT_L1_OFFSET = 0,
    SNAPSHOT_L1_ENTRIES = 8,
    SNAPSHOT_ID_BYTES = 12,
    SNAPSHOT_NAME_BYTES = 14,
    SNAPSHOT_EXTRA_BYTES = 36,
    SNAPSHOT_HEAD_BYTES = 40,
};

/* As in QEMU: what it reads, nobody needs more memory for. */
enum {
    EXTRA_BYTES_MAX = 1024,
    SNAPSHOTS_BYTES_MAX = 64 * 1024 * 1024,
};

int coroutine_fn qcow2_for_each_snapshot(BlockDriverState *bs,
                                         qcow2_snapshot_func *func,
                                         void *opaque, uint64_t *ret_bytes)
{
    const struct qcow2_state *s = bs->opaque;
    uint64_t at = s->header.snapshots_offset;
    uint64_t file_bytes = (uint64_t)bdrv_length(bs->file);
    int ret = 0;

    for (uint32_t i = 0; i < s->header.snapshots && ret >= 0; i++) {
        uint8_t head[SNAPSHOT_HEAD_BYTES];

        ret = bdrv_pread(bs->file, (int64_t)at, sizeof(head), head);
        if (ret < 0) {
            return ret;
        }
        uint64_t l1 = ct_get_be64(head + SNAPSHOT_L1_OFFSET);
        uint64_t n = ct_get_be32(head + SNAPSHOT_L1_ENTRIES);
        uint32_t extra_bytes = ct_get_be32(head + SNAPSHOT_EXTRA_BYTES);
        uint64_t bytes = sizeof(head) + extra_bytes +
                         ct_get_be16(head + SNAPSHOT_ID_BYTES) +
                         ct_get_be16(head + SNAPSHOT_NAME_BYTES);
        at += (bytes + 7) & ~UINT64_C(7);
        if (n > QCOW2_L1_BYTES_MAX / sizeof(uint64_t) ||
            extra_bytes > EXTRA_BYTES_MAX ||
            at - s->header.snapshots_offset > SNAPSHOTS_BYTES_MAX ||
            l1 % s->header.cluster_bytes != 0 || l1 > file_bytes ||
            n * sizeof(uint64_t) > file_bytes - l1 || at > file_bytes + 7) {
            return -EINVAL;
        }
        ret = func(bs, l1, (uint32_t)n, opaque);
    }
    *ret_bytes = at - s->header.snapshots_offset;
    return ret;
}

/* --- counting ------------------------------------------------------------ */

enum {
    BEHIND = 65536,        /* clusters behind the end that are counted as the
                              file's own are */
    FAR_CLUSTERS = 32,     /* of those farther off, counted together */
    FAR_MAX = 1024 * 1024, /* groups; no cut loses more */
};

/*
 * After a power cut an entry may be on the disk and the file's new length not:
 * what lies behind the end is referred to all the same, and must not be given
 * to somebody else.  An entry can say anything, so what is far behind costs
 * memory only for what is referred to.
 */
struct counts {
    uint64_t n;
    uint32_t *of;    /* cluster -> references */
    GHashTable *far; /* cluster / FAR_CLUSTERS -> uint32_t[FAR_CLUSTERS],
                        owned: of clusters from n on */
};

static int counts_init(struct counts *c, uint64_t clusters)
{
    *c = (struct counts){.n = clusters + BEHIND};
    c->of = g_try_new0(uint32_t, c->n);
    if (c->of == NULL) {
        return -ENOMEM;
    }
    c->far = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return 0;
}

static void counts_fini(struct counts *c)
{
    g_clear_pointer(&c->far, g_hash_table_destroy);
    g_free(c->of);
}

/* Where the references of a cluster are counted; NULL: it is damage. */
static uint32_t *count_of(struct counts *c, uint64_t cluster)
{
    gpointer key = GSIZE_TO_POINTER(cluster / FAR_CLUSTERS);

    if (cluster < c->n) {
        return &c->of[cluster];
    }
    uint32_t *group = g_hash_table_lookup(c->far, key);
    if (group == NULL) {
        if (g_hash_table_size(c->far) == FAR_MAX) {
            return NULL;
        }
        group = g_new0(uint32_t, FAR_CLUSTERS);
        g_hash_table_insert(c->far, key, group);
    }
    return &group[cluster % FAR_CLUSTERS];
}

static int count(const BlockDriverState *bs, struct counts *c, uint64_t offset,
                 uint64_t bytes)
{
    const struct qcow2_state *s = bs->opaque;
    uint32_t bits = s->header.cluster_bits;

    if (bytes == 0) {
        return 0;
    }
    for (uint64_t i = offset >> bits; i <= (offset + bytes - 1) >> bits; i++) {
        uint32_t *of = count_of(c, i);

        if (of == NULL || *of == UINT32_MAX) {
            return -EINVAL;
        }
        (*of)++;
    }
    return 0;
}

static int count_l2_entry(BlockDriverState *bs, struct counts *c,
                          uint64_t entry)
{
    const struct qcow2_state *s = bs->opaque;
    uint64_t offset = entry & QCOW2_OFFSET_MASK;
    uint64_t bytes = s->header.cluster_bytes;

    if (entry & QCOW2_L2_COMPRESSED) {
        qcow2_compressed_place(&s->header, entry, &offset, &bytes);
    } else if (offset == 0) {
        return 0;
    }
    return count(bs, c, offset, bytes);
}

static int coroutine_fn count_l1(BlockDriverState *bs, uint64_t l1_offset,
                                 uint32_t l1_entries, void *opaque)
{
    const struct qcow2_state *s = bs->opaque;
    struct counts *c = opaque;
    size_t table_bytes = (size_t)s->header.cluster_bytes;
    size_t l1_bytes = l1_entries * sizeof(uint64_t);
    g_autofree uint64_t *l1 = g_malloc(l1_bytes + 1);
    g_autofree uint64_t *l2 = g_malloc(table_bytes);
    int ret = count(bs, c, l1_offset, l1_bytes);

    if (ret == 0 && l1_entries > 0) {
        ret = bdrv_pread(bs->file, (int64_t)l1_offset, (int64_t)l1_bytes, l1);
    }
    for (uint32_t i = 0; i < l1_entries && ret >= 0; i++) {
        uint64_t table = ct_get_be64(&l1[i]) & QCOW2_OFFSET_MASK;
        if (table == 0) {
            continue;
        }
        ret = count(bs, c, table, table_bytes);
        if (ret == 0) {
            ret =
                bdrv_pread(bs->file, (int64_t)table, (int64_t)table_bytes, l2);
        }
        for (size_t j = 0; j < table_bytes / sizeof(uint64_t) && ret >= 0;
             j++) {
            ret = count_l2_entry(bs, c, ct_get_be64(&l2[j]));
        }
    }
    return ret;
}

static int coroutine_fn count_all(BlockDriverState *bs, struct counts *c)
{
    const struct qcow2_state *s = bs->opaque;
    const struct qcow2_header *h = &s->header;
    uint64_t bytes;

    int ret = count(bs, c, 0, h->cluster_bytes);
    if (ret >= 0) {
        ret = count_l1(bs, h->l1_offset, h->l1_entries, c);
    }
    if (ret >= 0) {
        ret = qcow2_for_each_snapshot(bs, count_l1, c, &bytes);
    }
    if (ret >= 0) {
        ret = count(bs, c, h->snapshots_offset, bytes);
    }
    if (ret >= 0) {
        ret = count(bs, c, h->refcount_offset,
                    (uint64_t)h->refcount_clusters << h->cluster_bits);
    }
    for (uint64_t i = 0; i < s->n_refcount_table && ret >= 0; i++) {
        if (s->refcount_table[i] != 0) {
            ret = count(bs, c, s->refcount_table[i], h->cluster_bytes);
        }
    }
    return ret;
}

/* --- setting ------------------------------------------------------------- */

/*
 * Blocks are made at once also where refcounts are lazy, so an image that
 * lacks one for what it uses is not one that a crash left behind: refused.
 */
static int coroutine_fn set_some(BlockDriverState *bs, uint64_t first,
                                 const uint32_t *of, uint64_t n)
{
    int ret = 0;

    for (uint64_t i = 0; i < n && ret >= 0; i++) {
        uint64_t refcount;

        ret = qcow2_get_refcount(bs, first + i, &refcount);
        if (ret >= 0 && refcount != of[i]) {
            ret = qcow2_set_refcount(bs, first + i, of[i]);
        }
    }
    return ret;
}

static gint compare_groups(gconstpointer a, gconstpointer b)
{
    gsize x = GPOINTER_TO_SIZE(*(const gconstpointer *)a);
    gsize y = GPOINTER_TO_SIZE(*(const gconstpointer *)b);

    return (x > y) - (x < y);
}

static int coroutine_fn set_all(BlockDriverState *bs, const struct counts *c)
{
    guint n;
    g_autofree gpointer *groups = g_hash_table_get_keys_as_array(c->far, &n);
    int ret = set_some(bs, 0, c->of, c->n);

    /* In the order of the refcount blocks, which are read once so. */
    qsort(groups, n, sizeof(*groups), compare_groups);
    for (guint i = 0; i < n && ret >= 0; i++) {
        uint64_t first = GPOINTER_TO_SIZE(groups[i]) * FAR_CLUSTERS;
        const uint32_t *of = g_hash_table_lookup(c->far, groups[i]);
        uint64_t skip = first < c->n ? c->n - first : 0;

        ret = set_some(bs, first + skip, of + skip, FAR_CLUSTERS - skip);
    }
    return ret;
}

int coroutine_fn qcow2_repair(BlockDriverState *bs, GError **error)
{
    struct qcow2_state *s = bs->opaque;
    uint64_t file_bytes = (uint64_t)bdrv_length(bs->file);
    struct counts c;

    if (counts_init(&c, (file_bytes + s->header.cluster_bytes - 1) >>
                            s->header.cluster_bits) < 0) {
        return block_error(error, ENOMEM, "%s", g_strerror(ENOMEM));
    }
    int ret = count_all(bs, &c);
    if (ret >= 0) {
        ret = set_all(bs, &c);
    }
    if (ret >= 0) {
        ret = qcow2_cache_flush(s->refcounts);
    }
    if (ret >= 0) {
        ret = qcow2_set_incompatible(bs, 0, QCOW2_INCOMPAT_DIRTY);
    }
    counts_fini(&c);
    if (ret < 0) {
        return block_error(error, -ret, "counting references anew: %s",
                           g_strerror(-ret));
    }
    return 0;
}
