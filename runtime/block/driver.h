/* SPDX-License-Identifier: MIT */
/*
 * driver.h - what a node is, what a driver is, and what drivers may call
 *
 * Model:    a node (BlockDriverState) is an open file or an open format; its
 *           driver (BlockDriver) is a table of functions.  A format node has a
 *           protocol node below it, `file`.
 *           A read passes, on one stack, bdrv_co_preadv, bdrv_co_preadv_part
 *           (checks; the request's events), bdrv_aligned_preadv (what lies
 *           beyond the node's end reads as zeroes) and bdrv_driver_preadv (the
 *           driver's function); a format's driver then reads its `file` by
 *           bdrv_co_preadv_part.
 * Threads:  a node's functions run on the home thread of its context.  Those
 *           marked coroutine_fn only in coroutines.
 * Memory:   a node owns the node below it, its driver's state and its names.
 * Errors:   0 or more, or -errno; opening: GError as in ct/block.h, made by
 *           block_error().
 */
#ifndef CT_BLOCK_DRIVER_H
#define CT_BLOCK_DRIVER_H

#include <stdbool.h>

#include "ct/block.h"

typedef struct BlockDriver BlockDriver;
typedef struct BlockDriverState BlockDriverState;

/* Enough of a file's beginning for every probe. */
#define BLOCK_PROBE_BYTES 2048

enum block_op {
    BLOCK_OP_READ,
    BLOCK_OP_WRITE,
    BLOCK_OP_FLUSH,
    BLOCK_OP_DISCARD,
};

struct BlockDriverState {
    /* immutable once open */
    const BlockDriver *drv;
    void *opaque;   /* drv->instance_bytes, zeroed; the driver's */
    char *filename; /* as given */
    char *node_name;
    BlockDriverState *file; /* below a format; NULL: a protocol */
    int64_t bytes;          /* length; set by the driver's open */
    BlockOptions options;   /* strings: borrowed during open, then NULL */

    AioContext *ctx;    /* changed only while nothing is in flight */
    unsigned in_flight; /* atomic: requests that have not ended */
    char *fault;        /* atomic: set once, see bdrv_fault() */
};

/*
 * What is NULL is not done by this driver.  A protocol has file_open, a format
 * open; whoever moves data has one of the two read functions.
 */
struct BlockDriver {
    const char *format_name;
    size_t instance_bytes;

    /* How sure it is, 0 (no) to 100, that the bytes begin an image of its */
    int (*probe)(const uint8_t *buf, size_t bytes);

    /* Protocol: opens bs->filename.  On failure nothing is left open. */
    int (*file_open)(BlockDriverState *bs, GError **error);

    /*
     * Format: reads what it needs from bs->file, waiting for it (outside
     * coroutines).  On failure nothing is left.
     */
    int (*open)(BlockDriverState *bs, GError **error);

    /* Frees what open made; nothing is in flight */
    void (*close)(BlockDriverState *bs);

    /*
     * A format's read.  The bytes lie inside the node; @offset_in is where
     * they start in @vector.
     */
    int coroutine_fn (*co_preadv_part)(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, const IOVector *vector,
                                       size_t offset_in, unsigned flags);

    /* A protocol's one function for both directions; @op read or write */
    int coroutine_fn (*co_prw)(BlockDriverState *bs, enum block_op op,
                               int64_t offset, int64_t bytes,
                               const IOVector *vector, size_t offset_in);

    /* Fills what is more than nothing, see blk_get_info() */
    void (*get_info)(const BlockDriverState *bs, BlockInfo *info);
};

/* All drivers, in the order in which they are asked; ends with NULL. */
extern const BlockDriver *const ct_drivers[];

/** block_error() - set @error with code @err; Return: -@err */
G_GNUC_PRINTF(3, 4)
int block_error(GError **error, int err, const char *format, ...);

/* --- node.c ----------------------------------------------------------------
 */

/** bdrv_open() - a file, and its format on top; see blk_new_open() */
BlockDriverState *bdrv_open(const char *filename, const BlockOptions *options,
                            AioContext *ctx, GError **error);

/** bdrv_close() - close and free a node and what is below; NULL is allowed */
void bdrv_close(BlockDriverState *bs);

static inline AioContext *bdrv_get_aio_context(const BlockDriverState *bs)
{
    return bs->ctx;
}

void bdrv_set_aio_context(BlockDriverState *bs, AioContext *ctx);

/** bdrv_fault() - remember what is wrong with the image: the first is kept */
G_GNUC_PRINTF(2, 3)
void bdrv_fault(BlockDriverState *bs, const char *format, ...);

/* --- io.c ------------------------------------------------------------------
 */

/** BDRV_POLL_WHILE() - AIO_WAIT_WHILE() in a node's context */
#define BDRV_POLL_WHILE(bs, cond) AIO_WAIT_WHILE(bdrv_get_aio_context(bs), cond)

/** bdrv_coroutine_enter() - enter a coroutine in the node's context */
void bdrv_coroutine_enter(BlockDriverState *bs, Coroutine *co);

/**
 * bdrv_pread() - read into one buffer, and wait
 *
 * In a coroutine it reads in that one, else in one of its own while the caller
 * polls.  Bytes beyond the node's end are zeroes.
 * Return: 0, or -errno.
 */
int bdrv_pread(BlockDriverState *bs, int64_t offset, int64_t bytes, void *buf);
int bdrv_preadv(BlockDriverState *bs, int64_t offset, const IOVector *vector);
int coroutine_fn bdrv_co_preadv(BlockDriverState *bs, int64_t offset,
                                int64_t bytes, const IOVector *vector,
                                unsigned flags);

/**
 * bdrv_co_preadv_part() - read into a part of the buffers
 * @offset_in: where the bytes start in @vector
 */
int coroutine_fn bdrv_co_preadv_part(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, const IOVector *vector,
                                     size_t offset_in, unsigned flags);

int coroutine_fn bdrv_co_flush(BlockDriverState *bs);

/** bdrv_drain() - poll until nothing is in flight in @bs and below */
void bdrv_drain(BlockDriverState *bs);

#endif
