/* SPDX-License-Identifier: MIT */
/*
 * cache.h - pieces of tables that were read lately
 *
 * Model:    a piece is as long as every other, and lies at a multiple of that
 *           in the file.  When all places are taken, the piece that was not
 *           used for longest gives way.
 * Threads:  one caller at a time, by the lock of whoever owns the cache, held
 *           also while a piece is being read.
 * Memory:   at most the bytes that it was made with; taken as it fills.
 */
#ifndef CT_QCOW2_CACHE_H
#define CT_QCOW2_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "block/driver.h"

struct qcow2_cache;

/**
 * qcow2_cache_new() - an empty cache
 * @piece_bytes: of each piece
 * @max_bytes:   of all; room for two is made in any case
 */
struct qcow2_cache *qcow2_cache_new(size_t piece_bytes, size_t max_bytes);

/** qcow2_cache_free() - free it; NULL is allowed */
void qcow2_cache_free(struct qcow2_cache *cache);

/**
 * qcow2_cache_get() - a piece, read from @file if it is not here
 * @offset:    a multiple of the piece's length, not 0
 * @ret_piece: valid until the next call
 *
 * Return: 0, or what the read returned.
 */
int coroutine_fn qcow2_cache_get(struct qcow2_cache *cache,
                                 BlockDriverState *file, uint64_t offset,
                                 const uint8_t **ret_piece);

#endif
