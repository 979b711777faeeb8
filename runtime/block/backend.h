/* SPDX-License-Identifier: MIT */
/*
 * backend.h - what the two files of a backend share
 *
 * Model:    made on a root -> requests begin and end -> unref. A drained
 *           section keeps requests that come from beginning; they wait in
 *           `waiting` until the last section ends.
 * Threads:  as each field says; "home" is the root's context.
 * Memory:   counted by blk_new_beside() and blk_unref(): each handle is its
 *           own, the root is shared.
 * Errors:   none.
 * Depends:  block/graph.h.
 */
#ifndef CT_BLOCK_BACKEND_H
#define CT_BLOCK_BACKEND_H

#include <pthread.h>

#include "block/graph.h"

struct BlockBackend {
    BlockDriverState *root; /* immutable */
    struct bdrv_edge edge;  /* to the root; drain.c's, as `entry` */
    struct bdrv_root entry;
    uint64_t queue_id;  /* immutable: what traces call `waiting` */
    unsigned in_flight; /* atomic, see drain.c; those that wait not included */
    unsigned quiesced;  /* atomic, see drain.c; falls under wait_lock */
    bool may_move;      /* atomic: others may take the root elsewhere */
    pthread_mutex_t wait_lock; /* protects `waiting` */
    struct list waiting;       /* struct bdrv_waiter: until nobody drains it */
    unsigned waiting_count;    /* protected by wait_lock */
    CoQueue drained;           /* home thread: coroutines in blk_drain() */
};

/** blk_new() - a handle on a root that nobody else closes; takes a reference */
BlockBackend *blk_new(BlockDriverState *root);

/**
 * blk_begin_now() - a request begins, if nobody drains the backend
 * Return: true: it is in flight, until blk_dec_in_flight(); false: the caller
 * says blk_begin_later().
 */
bool blk_begin_now(BlockBackend *blk);

/**
 * blk_begin_later() - .. when nobody drains it any more
 * @waiter: with `co` and `ctx`; kept while it waits
 *
 * Return: true: it is in flight; false: it is as soon as @waiter is entered.
 */
bool blk_begin_later(BlockBackend *blk, struct bdrv_waiter *waiter);

/** blk_co_begin() - the same; the calling coroutine waits */
void coroutine_fn blk_co_begin(BlockBackend *blk);

/** blk_dec_in_flight() - it has ended; home thread; @blk may be gone after */
void blk_dec_in_flight(BlockBackend *blk);

#endif
