/* SPDX-License-Identifier: MIT */
/*
 * qcow2.h - what the files of the qcow2 driver share
 *
 * open -> read -> map -> cache -> header; nothing points back.
 */
#ifndef CT_QCOW2_H
#define CT_QCOW2_H

#include "block/driver.h"
#include "block/drivers/qcow2/cache.h"
#include "block/drivers/qcow2/header.h"
#include "ct/sync.h"

/* Bits of an entry of an L1 or L2 table that say where the cluster lies. */
#define QCOW2_OFFSET_MASK UINT64_C(0x00fffffffffffe00)

struct qcow2_state {
    /* immutable once open */
    struct qcow2_header header;
    uint64_t *l1; /* l1_needed entries: offsets of L2 tables, 0: none */
    uint64_t file_bytes;

    CoMutex lock;           /* held for every look into the L2 tables */
    struct qcow2_cache *l2; /* protected by lock */
};

/* L2 tables are read and kept in pieces of this length. */
static inline size_t qcow2_slice_bytes(const struct qcow2_header *header)
{
    return (size_t)MIN(header->cluster_bytes, 64 * 1024);
}

enum qcow2_cluster {
    QCOW2_CLUSTER_UNALLOCATED, /* reads as zeroes: there is no backing file */
    QCOW2_CLUSTER_ZERO,
    QCOW2_CLUSTER_NORMAL,
    QCOW2_CLUSTER_COMPRESSED,
};

/**
 * qcow2_get_host_offset() - where a range of the guest's disk lies
 * @offset:    in the guest's disk
 * @bytes:     in: how much is wanted; out: how much of it lies together, 1 or
 *             more
 * @ret_host:  of a normal cluster: the offset in the file
 * @ret_type:  of the clusters of that range
 *
 * Context: coroutine that holds the lock; may read an L2 table meanwhile.
 * Return:  0; -EIO, with bdrv_fault() told, for a bad table.
 */
int coroutine_fn qcow2_get_host_offset(BlockDriverState *bs, uint64_t offset,
                                       uint64_t *bytes, uint64_t *ret_host,
                                       enum qcow2_cluster *ret_type);

/** qcow2_co_preadv_part() - the driver's read */
int coroutine_fn qcow2_co_preadv_part(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, const IOVector *vector,
                                      size_t offset_in, unsigned flags);

#endif
