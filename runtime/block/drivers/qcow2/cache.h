/* SPDX-License-Identifier: MIT */
/*
 * cache.h - pieces of tables, in memory until they must be in the file
 *
 * Model:    a piece is as long as every other, and lies at a multiple of that
 *           in the file.  It is got, looked at or changed, and put back; a
 *           change is marked, and written when the piece gives way to another
 *           or when the cache is written.  When all places are taken, the piece
 *           that was not used for longest gives way.
 *           A cache can *depend* on another: whatever that one holds back is on
 *           the disk before anything of this one is written; or on a flush:
 *           what was written to the file until now is on the disk first.
 * Threads:  one caller at a time, by the lock of whoever owns the caches, held
 *           also while they are read and written; qcow2_cache_find() wants only
 *           that nobody holds it.
 * Memory:   at most the bytes that it was made with; taken as it fills.
 * Errors:   0, or -errno; a piece that could not be written stays changed.
 */
#ifndef CT_QCOW2_CACHE_H
#define CT_QCOW2_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "block/driver.h"

struct qcow2_cache;

/* A place of a cache, with the piece that it holds. */
struct qcow2_piece {
    uint64_t offset; /* in the file; 0: empty */
    uint8_t *data;   /* owned; NULL until first used */

    /* cache.c's */
    unsigned users;
    struct list by_use;
    struct list dirty; /* linked: changed */
};

/*
 * Asked before a piece is written; @opaque is the cache's.
 * Return: 0; an error: it must not be written.
 */
typedef int coroutine_fn qcow2_cache_check(void *opaque, uint64_t offset,
                                           size_t bytes);

/**
 * qcow2_cache_new() - an empty cache
 * @file:        where its pieces lie
 * @piece_bytes: of each piece
 * @max_bytes:   of all; room for four is made in any case
 * @check:       NULL: none
 */
struct qcow2_cache *qcow2_cache_new(BlockDriverState *file, size_t piece_bytes,
                                    size_t max_bytes, qcow2_cache_check *check,
                                    void *opaque);

/** qcow2_cache_free() - free it, changed or not; NULL is allowed */
void qcow2_cache_free(struct qcow2_cache *cache);

/**
 * qcow2_cache_get() - a piece, read from the file if it is not here
 * @offset:    a multiple of the piece's length, not 0
 * @ret_piece: stays until it is put back
 *
 * Return: 0, or what the read, or the write of a piece that gave way, returned.
 */
int coroutine_fn qcow2_cache_get(struct qcow2_cache *cache, uint64_t offset,
                                 struct qcow2_piece **ret_piece);

/**
 * qcow2_cache_find() - a piece that is here already, and counts as used
 * Return: good until the caller yields, or NULL.
 */
const struct qcow2_piece *qcow2_cache_find(struct qcow2_cache *cache,
                                           uint64_t offset);

/** qcow2_cache_get_empty() - get a piece not read but all zeroes; changed */
int coroutine_fn qcow2_cache_get_empty(struct qcow2_cache *cache,
                                       uint64_t offset,
                                       struct qcow2_piece **ret_piece);

/** qcow2_cache_put() - give it back */
void qcow2_cache_put(struct qcow2_cache *cache, struct qcow2_piece *piece);

/** qcow2_cache_entry_mark_dirty() - it was changed, and has to be written */
void qcow2_cache_entry_mark_dirty(struct qcow2_cache *cache,
                                  struct qcow2_piece *piece);

/** qcow2_cache_write() - write what was changed */
int coroutine_fn qcow2_cache_write(struct qcow2_cache *cache);

/** qcow2_cache_flush() - and have it, and all before, on the disk */
int coroutine_fn qcow2_cache_flush(struct qcow2_cache *cache);

/**
 * qcow2_cache_set_dependency() - from now on @cache depends on @other
 *
 * Dependencies that would make a circle, or a second one, are served at once.
 */
int coroutine_fn qcow2_cache_set_dependency(struct qcow2_cache *cache,
                                            struct qcow2_cache *other);

/** qcow2_cache_depends_on_flush() - what the file was given comes first */
void qcow2_cache_depends_on_flush(struct qcow2_cache *cache);

/** qcow2_cache_drop() - forget what was changed and can't be written, and what
 * the cache depends on; no piece is in use */
void qcow2_cache_drop(struct qcow2_cache *cache);

/** qcow2_cache_discard() - forget pieces of a range: it is no table any more */
void qcow2_cache_discard(struct qcow2_cache *cache, uint64_t offset,
                         uint64_t bytes);

#endif
