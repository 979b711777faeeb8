/* SPDX-License-Identifier: MIT */
/*
 * backend.h - what the two files of a backend share
 */
#ifndef CT_BLOCK_BACKEND_H
#define CT_BLOCK_BACKEND_H

#include "block/driver.h"

struct BlockBackend {
    BlockDriverState *root; /* immutable */
    unsigned in_flight;     /* atomic */
    CoQueue drained;        /* home thread: coroutines in blk_drain() */
};

/** blk_inc_in_flight() - a request begins; ended by blk_dec_in_flight() */
void blk_inc_in_flight(BlockBackend *blk);

/** blk_dec_in_flight() - it has ended; home thread; @blk may be gone after */
void blk_dec_in_flight(BlockBackend *blk);

#endif
