/* SPDX-License-Identifier: MIT */
/*
 * overlap.h - requests of a node that must not run at the same time
 *
 * Model:    every request of a node is in its list from begin to end.  One that
 *           is *serialising* runs alone: it waits for all that overlap it, and
 *           what overlaps it waits for its end.  Others run side by side.
 * Threads:  the node's home thread, in the coroutine that serves the request.
 * Memory:   the struct is the caller's, in its frame, from begin to end.
 */
#ifndef CT_BLOCK_OVERLAP_H
#define CT_BLOCK_OVERLAP_H

#include "block/driver.h"

struct node_request {
    struct list link; /* in bs->requests */
    int64_t offset;   /* what it touches, */
    int64_t bytes;    /* whole units if serialising */
    bool is_serialising;
    bool is_waiting; /* for another: nobody waits for it meanwhile */
    CoQueue waiters; /* for its end */
};

/**
 * node_request_begin() - join the node's requests, and wait for one's turn
 * @flags: BDRV_REQ_SERIALISING: runs alone, in whole units of the node
 */
void coroutine_fn node_request_begin(struct node_request *req,
                                     BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, unsigned flags);

/** node_request_end() - leave them; who waited goes on */
void coroutine_fn node_request_end(struct node_request *req,
                                   BlockDriverState *bs);

#endif
