/* SPDX-License-Identifier: MIT */
/*
 * id.c - ids in blocks a thread, so that an id costs no atomic operation
 *
 * Not inlined: the block is a thread-local, and the caller may be a coroutine
 * that goes on in another thread; here its address lives for one call.
 */
#include "ct/id.h"

enum { BLOCK = 4096 };

static uint64_t next_block; /* atomic; blocks given out */

static __thread uint64_t next_id, end_id; /* home thread only */

__attribute__((noinline)) uint64_t ct_id_new(void)
{
    if (next_id == end_id) {
        next_id =
            __atomic_fetch_add(&next_block, 1, __ATOMIC_RELAXED) * BLOCK + 1;
        end_id = next_id + BLOCK;
    }
    return next_id++;
}
