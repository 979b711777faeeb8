/* SPDX-License-Identifier: MIT */
/*
 * qcow2.h - what the files of the qcow2 driver share
 *
 *   qcow2 -> check -> space, resize -> write -> read -> compressed
 *         -> alloc -> map -> clusters -> refcount -> metadata -> cache, header
 *
 * each may use what stands to its right; nothing points back.
 */
#ifndef CT_QCOW2_H
#define CT_QCOW2_H

#include "block/driver.h"
#include "block/drivers/qcow2/cache.h"
#include "block/drivers/qcow2/header.h"
#include "ct/sync.h"

/* Bits of an entry of an L1 or L2 table. */
#define QCOW2_OFFSET_MASK   UINT64_C(0x00fffffffffffe00)
#define QCOW2_COPIED        (UINT64_C(1) << 63) /* its refcount is 1 */
#define QCOW2_L2_COMPRESSED (UINT64_C(1) << 62)
#define QCOW2_L2_ZERO       UINT64_C(1)

struct qcow2_alloc;

struct qcow2_state {
    CoMutex lock; /* held for every look into the tables that may yield */

    /*
     * Protected by lock, but for what open sets once: cluster size, version.
     * Who finds it free may read without it until he yields.
     */
    struct qcow2_header header;
    uint64_t *l1;           /* l1_entries, as in the file, host byte order */
    struct qcow2_cache *l2; /* slices of L2 tables */
    bool is_corrupt; /* found while in use: nothing is written any more */

    /* Protected by lock, and only of images that are written */
    struct qcow2_cache *refcounts; /* refcount blocks; NULL: not written */
    uint64_t *refcount_table;      /* offsets of refcount blocks, 0: none */
    uint64_t n_refcount_table;     /* entries */
    uint64_t free_hint;   /* no cluster below is free (but those in freed) */
    GHashTable *freed;    /* clusters that are free only after a flush */
    unsigned n_releases;  /* so often some of them have become free */
    GHashTable *metadata; /* cluster -> enum qcow2_metadata */
    struct list allocs;   /* struct qcow2_alloc, under way */
    bool has_lazy_refcounts;
};

/* A disk's length is a multiple. */
#define QCOW2_SECTOR_BYTES 512

/* L2 tables are read and kept in pieces of this length. */
static inline size_t qcow2_slice_bytes(const struct qcow2_header *header)
{
    return (size_t)MIN(header->cluster_bytes, 64 * 1024);
}

/* --- metadata.c: what in the file is no data ----------------------------- */

enum qcow2_metadata {
    QCOW2_DATA, /* none of those below */
    QCOW2_HEADER,
    QCOW2_ACTIVE_L1,
    QCOW2_ACTIVE_L2,
    QCOW2_REFCOUNT_TABLE,
    QCOW2_REFCOUNT_BLOCK,
    QCOW2_SNAPSHOT_TABLE,
    QCOW2_INACTIVE_L1,
};

/** qcow2_metadata_add() - a range is metadata; QCOW2_DATA: is none any more */
void qcow2_metadata_add(struct qcow2_state *s, enum qcow2_metadata kind,
                        uint64_t offset, uint64_t bytes);

/**
 * qcow2_metadata_found() - a range is metadata, says an image that is opened
 * Return: 0; -EINVAL with @error set: metadata lies there already, of this or
 * another kind, so writing either would destroy the other.
 */
int qcow2_metadata_found(struct qcow2_state *s, enum qcow2_metadata kind,
                         uint64_t offset, uint64_t bytes, GError **error);

/**
 * qcow2_pre_write_overlap_check() - may this be written?
 * @kind: what is about to be written
 *
 * If it would hit metadata of another kind the image is marked as corrupt.
 * Return: 0; -EIO.
 */
int coroutine_fn qcow2_pre_write_overlap_check(BlockDriverState *bs,
                                               enum qcow2_metadata kind,
                                               uint64_t offset, uint64_t bytes);

/**
 * qcow2_signal_corruption() - something is wrong that writing could make worse
 *
 * Told by bdrv_fault(); the image is marked, and not used any more.
 * Return: -EIO.
 */
G_GNUC_PRINTF(2, 3)
int coroutine_fn qcow2_signal_corruption(BlockDriverState *bs,
                                         const char *format, ...);

/** qcow2_set_incompatible() - set and clear bits in the file's header */
int coroutine_fn qcow2_set_incompatible(BlockDriverState *bs, uint64_t set,
                                        uint64_t clear);

/** qcow2_mark_dirty() - refcounts in the file are behind from now on */
int coroutine_fn qcow2_mark_dirty(BlockDriverState *bs);

/* --- refcount.c, clusters.c ---------------------------------------------- */

/*
 * Context: coroutine that holds the lock, or nobody else has the image: while
 * it is opened, reopened, repaired or closed.
 */

/** qcow2_refcount_open() - read the table of an image that will be written */
int coroutine_fn qcow2_refcount_open(BlockDriverState *bs, GError **error);
void qcow2_refcount_close(struct qcow2_state *s);

/** qcow2_get_refcount() - of a cluster, by its number */
int coroutine_fn qcow2_get_refcount(BlockDriverState *bs, uint64_t cluster,
                                    uint64_t *ret_refcount);

/** qcow2_set_refcount() - -EINVAL: too large, or there is no block for it */
int coroutine_fn qcow2_set_refcount(BlockDriverState *bs, uint64_t cluster,
                                    uint64_t refcount);

/**
 * qcow2_alloc_clusters() - take clusters that lie together
 * @n_min, @n_max: at least, at most
 * @ret_n:         how many
 *
 * Before anything in the file refers to them the caller makes its cache depend
 * on the refcounts (qcow2_refcounts_first()).
 * Return: their offset; -EFBIG, or what I/O returned.
 */
int64_t coroutine_fn qcow2_alloc_clusters(BlockDriverState *bs, uint64_t n_min,
                                          uint64_t n_max, uint64_t *ret_n);

/** qcow2_refcounts_first() - refcounts are in the file before L2 tables are */
int coroutine_fn qcow2_refcounts_first(BlockDriverState *bs);

/**
 * qcow2_free_clusters() - one reference less
 *
 * In the file the L2 tables come first; clusters without any reference are
 * used again only after that.
 */
int coroutine_fn qcow2_free_clusters(BlockDriverState *bs, uint64_t offset,
                                     uint64_t n);

/** qcow2_free_any_cluster() - what an L2 entry referred to */
int coroutine_fn qcow2_free_any_cluster(BlockDriverState *bs, uint64_t entry);

/**
 * qcow2_return_clusters() - taken, and not referred to by any table since
 *
 * They may be taken again at once.  What can't be counted back is leaked.
 */
void coroutine_fn qcow2_return_clusters(BlockDriverState *bs, uint64_t offset,
                                        uint64_t n);

/** qcow2_write_caches() - tables are in the file; freed clusters are free */
int coroutine_fn qcow2_write_caches(BlockDriverState *bs);

/** qcow2_limit_freed() - the same, if too much waits for it; Return: -errno */
int coroutine_fn qcow2_limit_freed(BlockDriverState *bs);

/**
 * qcow2_make_room() - what found no space may find some now
 * @n_releases: of the state, before that was looked for
 *
 * Clusters that wait for a flush are free then.  Takes the lock.
 */
bool coroutine_fn qcow2_make_room(BlockDriverState *bs, unsigned n_releases);

/* --- map.c --------------------------------------------------------------- */

enum qcow2_cluster {
    QCOW2_CLUSTER_UNALLOCATED, /* the backing file's, or zeroes */
    QCOW2_CLUSTER_ZERO,
    QCOW2_CLUSTER_NORMAL,
    QCOW2_CLUSTER_COMPRESSED,
};

/**
 * qcow2_get_host_offset() - where a range of the guest's disk lies
 * @offset:    in the guest's disk, or behind it in a machine's state
 * @bytes:     in: how much is wanted; out: how much of it lies together, 1 or
 *             more
 * @ret_host:  of a normal cluster: the offset in the file; of a compressed
 *             one: its L2 entry
 * @ret_type:  of the clusters of that range
 *
 * Context: coroutine that holds the lock; may read an L2 table meanwhile.
 * Return:  0; -EIO, with bdrv_fault() told, for a bad table.
 */
int coroutine_fn qcow2_get_host_offset(BlockDriverState *bs, uint64_t offset,
                                       uint64_t *bytes, uint64_t *ret_host,
                                       enum qcow2_cluster *ret_type);

/**
 * qcow2_co_look_up() - qcow2_get_host_offset() for who does not hold the lock
 *
 * Takes the lock only where it has to wait: for who holds it, or for an L2
 * table to be read.
 */
int coroutine_fn qcow2_co_look_up(BlockDriverState *bs, uint64_t offset,
                                  uint64_t *bytes, uint64_t *ret_host,
                                  enum qcow2_cluster *ret_type);

/** qcow2_get_cluster_type() - what an L2 entry says */
enum qcow2_cluster qcow2_get_cluster_type(uint64_t entry);

/** qcow2_co_block_status() - the driver's status */
int coroutine_fn qcow2_co_block_status(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, int64_t *ret_bytes);

/* --- alloc.c ------------------------------------------------------------- */

/*
 * Context: coroutine that holds the lock; it may be given up and taken again
 * where a function says that it waits.
 */

/* Clusters on their way into the tables: until then nobody else writes there */
struct qcow2_alloc {
    struct list link;
    uint64_t offset; /* in the guest's disk, of the first cluster */
    uint64_t host;
    uint64_t n;
    bool is_reused;     /* the clusters were the guest's already, as zeroes */
    uint64_t data_from; /* in them: what the write fills, */
    uint64_t data_to;   /* the rest is copied */
    bool needs_flush;   /* the data are on the disk before the entry is */
    CoQueue dependents; /* wait for its end */
};

/**
 * qcow2_alloc_host_offset() - where to write a range of the guest's disk
 * @bytes:     in: how much; out: how much lies together, 1 or more
 * @ret_host:  in the file
 * @ret_alloc: NULL: the clusters are there.  Else they are new: what the write
 *             does not fill has to be copied, then
 * qcow2_alloc_cluster_link_l2()
 *
 * Waits for allocations of the same clusters.  Context: holds the lock.
 */
int coroutine_fn qcow2_alloc_host_offset(BlockDriverState *bs, uint64_t offset,
                                         uint64_t *bytes, uint64_t *ret_host,
                                         struct qcow2_alloc **ret_alloc);

/** qcow2_alloc_cluster_link_l2() - the guest has them; frees @alloc, always */
int coroutine_fn qcow2_alloc_cluster_link_l2(BlockDriverState *bs,
                                             struct qcow2_alloc *alloc);

/** qcow2_alloc_cluster_abort() - it has not; frees @alloc */
void coroutine_fn qcow2_alloc_cluster_abort(BlockDriverState *bs,
                                            struct qcow2_alloc *alloc);

/**
 * qcow2_get_cluster_table() - the slice with a guest cluster's entry, to change
 * @ret_index: of the entry in the slice
 *
 * The L2 table is made if there is none, copied if a snapshot has it too.
 */
int coroutine_fn qcow2_get_cluster_table(BlockDriverState *bs, uint64_t offset,
                                         struct qcow2_piece **ret_slice,
                                         uint64_t *ret_index);

/** qcow2_grow_l1_table() - room for so many entries, if there is less */
int coroutine_fn qcow2_grow_l1_table(BlockDriverState *bs, uint64_t n_min);

/* --- read.c, compressed.c, write.c --------------------------------------- */

/*
 * Context: coroutine without the lock, which they take where they change
 * tables, or have to wait to look at them.
 */

/* A piece of a request: one run of clusters */
struct qcow2_task {
    AioTask task; /* first: see ct/sync.h */
    BlockDriverState *bs;
    enum qcow2_cluster type;
    uint64_t host; /* as of qcow2_get_host_offset() */
    uint64_t offset;
    uint64_t bytes;
    const IOVector *vector;
    size_t offset_in;
    struct qcow2_alloc *alloc; /* of a write */
    unsigned flags;            /* of a write: BDRV_REQ_VM_STATE, or none */
    uint64_t request;          /* whoever asked for it serves that .. */
    unsigned graph_reads;      /* .. and has the graph's lock */
};

/* Tasks of one request at a time. */
#define QCOW2_TASKS_MAX 8

/** qcow2_adopt_task() - the calling coroutine works for whoever added it */
void coroutine_fn qcow2_adopt_task(const struct qcow2_task *task);

/** qcow2_add_task() - @pool: NULL: in the calling coroutine */
int coroutine_fn qcow2_add_task(AioTaskPool *pool, AioTaskFunc *func,
                                const struct qcow2_task *task);

/** qcow2_wait_slot() - Return: 0, or the error of one that has ended */
int coroutine_fn qcow2_wait_slot(AioTaskPool *pool);

/** qcow2_end_tasks() - Return: 0, or the first error of any; frees @pool */
int coroutine_fn qcow2_end_tasks(AioTaskPool *pool);

/** qcow2_co_preadv_part() - the driver's read */
int coroutine_fn qcow2_co_preadv_part(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, const IOVector *vector,
                                      size_t offset_in, unsigned flags);

/** qcow2_co_preadv_compressed() - a part of one compressed cluster */
int coroutine_fn qcow2_co_preadv_compressed(const struct qcow2_task *task);

/** qcow2_co_pwritev_part() - the driver's write */
int coroutine_fn qcow2_co_pwritev_part(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, const IOVector *vector,
                                       size_t offset_in, unsigned flags);

/** qcow2_vm_state_offset() - where a machine's state lies: behind the disk */
int64_t qcow2_vm_state_offset(const struct qcow2_header *header);

int coroutine_fn qcow2_co_load_vmstate(BlockDriverState *bs, int64_t offset,
                                       const IOVector *vector);
int coroutine_fn qcow2_co_save_vmstate(BlockDriverState *bs, int64_t offset,
                                       const IOVector *vector);

/* --- space.c, resize.c, check.c ------------------------------------------ */

int coroutine_fn qcow2_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes, unsigned flags);
int coroutine_fn qcow2_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                   int64_t bytes);

/** qcow2_cluster_discard() - whole clusters; @is_full: what is below shows
 * Context: holds the lock. */
int coroutine_fn qcow2_cluster_discard(BlockDriverState *bs, uint64_t offset,
                                       uint64_t bytes, bool is_full);

/** qcow2_cluster_zeroize() - whole clusters; -ENOTSUP: version 2 can't
 * Context: holds the lock. */
int coroutine_fn qcow2_cluster_zeroize(BlockDriverState *bs, uint64_t offset,
                                       uint64_t bytes, unsigned flags);

int coroutine_fn qcow2_co_preallocate(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, PreallocMode mode);
int coroutine_fn qcow2_co_truncate(BlockDriverState *bs, int64_t bytes);

/* A snapshot's L1 table, and where the snapshot table ends */
typedef int coroutine_fn qcow2_snapshot_func(BlockDriverState *bs,
                                             uint64_t l1_offset,
                                             uint32_t l1_entries, void *opaque);

/**
 * qcow2_for_each_snapshot() - call @func for the L1 table of each
 * @ret_bytes: of the snapshot table
 *
 * Return: 0; -EINVAL: it makes no sense; or what @func or I/O returned.
 */
int coroutine_fn qcow2_for_each_snapshot(BlockDriverState *bs,
                                         qcow2_snapshot_func *func,
                                         void *opaque, uint64_t *ret_bytes);

/** qcow2_repair() - count all references anew, as after a crash */
int coroutine_fn qcow2_repair(BlockDriverState *bs, GError **error);

#endif
