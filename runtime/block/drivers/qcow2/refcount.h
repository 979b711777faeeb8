/* SPDX-License-Identifier: MIT */
/*
 * refcount.h - refcount tables, for refcount.c and clusters.c
 *
 * Context: coroutines that hold the image's lock.
 */
#ifndef CT_QCOW2_REFCOUNT_H
#define CT_QCOW2_REFCOUNT_H

#include "block/drivers/qcow2/qcow2.h"

/* A refcount table in memory: the file's, or the one that will replace it. */
struct qcow2_table {
    uint64_t *blocks; /* offsets, 0: none */
    uint64_t n;
};

static inline struct qcow2_table qcow2_current_table(
    const struct qcow2_state *s)
{
    return (struct qcow2_table){s->refcount_table, s->n_refcount_table};
}

/* log2 of the refcounts in a block */
static inline uint32_t qcow2_block_bits(const struct qcow2_state *s)
{
    return s->header.cluster_bits + 3 - s->header.refcount_order;
}

/* Offset of a block, 0: there is none */
static inline uint64_t qcow2_table_block(const struct qcow2_table *t,
                                         uint64_t i)
{
    return i < t->n ? t->blocks[i] : 0;
}

/** qcow2_table_get() - a refcount; 0 where there is no block */
int coroutine_fn qcow2_table_get(const struct qcow2_state *s,
                                 const struct qcow2_table *t, uint64_t cluster,
                                 uint64_t *ret_refcount);

/** qcow2_table_put() - change one whose block exists */
int coroutine_fn qcow2_table_put(const struct qcow2_state *s,
                                 const struct qcow2_table *t, uint64_t cluster,
                                 uint64_t refcount);

#endif
