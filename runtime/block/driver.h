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
 *           bdrv_co_preadv_part.  Writes pass the functions of the same names
 *           with `pwritev`.
 * Threads:  a node's functions run on the home thread of its context.  Those
 *           marked coroutine_fn only in coroutines.
 * Memory:   a node owns the node below it, its driver's state and its names.
 * Errors:   0 or more, or -errno; opening: GError as in ct/block.h, made by
 *           block_error().
 */
#ifndef CT_BLOCK_DRIVER_H
#define CT_BLOCK_DRIVER_H

#include <stdbool.h>

#include "base/atomics.h"
#include "base/list.h"
#include "ct/block.h"
#include "ct/sync.h"

typedef struct BlockDriver BlockDriver;
typedef struct BlockDriverState BlockDriverState;

/* What a probe returns that would take any bytes. */
#define BLOCK_PROBE_ANY 1
/* Enough of a file's beginning for every probe. */
#define BLOCK_PROBE_BYTES 512

enum block_op {
    BLOCK_OP_READ,
    BLOCK_OP_WRITE,
    BLOCK_OP_FLUSH,
    BLOCK_OP_DISCARD,
    BLOCK_OP_TRUNCATE,
};
#define BLOCK_OPS (BLOCK_OP_TRUNCATE + 1)

/* As traces and options name them. */
extern const char *const block_op_words[BLOCK_OPS];

struct bdrv_parent_ops;

/* A parent uses a node; see graph.h.  Private to drain.c. */
struct bdrv_edge {
    BlockDriverState *bs; /* NULL: not attached */
    const struct bdrv_parent_ops *ops;
    void *parent;
    struct list node; /* in bs->parents */
};

/* A backend in the list of all; private to drain.c. */
struct bdrv_root {
    const struct bdrv_parent_ops *ops;
    void *parent;
    struct list node;
};

struct BlockDriverState {
    /* immutable once open */
    uint64_t id; /* in traces */
    const BlockDriver *drv;
    void *opaque;   /* drv->instance_bytes, zeroed; the driver's */
    char *filename; /* as given */
    char *node_name;
    BlockDriverState *file;    /* below a format; NULL: a protocol */
    BlockDriverState *backing; /* of a format; NULL: none */
    char *backing_filename;    /* set by the format's open; NULL: none */
    char *backing_format;      /* NULL: by the file's beginning */
    BlockOptions options;      /* strings: borrowed during open, then NULL */
    /* A multiple of this is zeroed or discarded as a whole, and such requests
     * run alone; set by open.  0: no such unit. */
    int64_t unit_bytes;

    /*
     * The driver (a protocol's) is asked for whole blocks of so many bytes;
     * set by open.  0: for any range.
     */
    int64_t request_alignment;

    bool is_guarded; /* see blk_is_guarded(); set by open */

    int64_t bytes; /* atomic: length; set by open, changed on the home thread */

    /* home thread */
    struct list requests; /* struct node_request that have not ended */
    unsigned serialising; /* of them: those that run alone */
    uint64_t write_gen;   /* writes that have ended */
    uint64_t flushed_gen; /* of them: are on the disk */
    bool is_flushing;
    CoQueue flush_queue; /* wait for is_flushing to fall */

    AioContext *ctx;    /* atomic; changed by the graph's writer, see graph.h */
    unsigned in_flight; /* atomic: requests that have not ended */

    /* drain.c; protected by its lock, as long as the node has parents */
    struct list parents; /* struct bdrv_edge */
    unsigned quiesced;   /* sections that hold the parents */
    struct bdrv_edge file_edge;
    struct bdrv_edge backing_edge;
    unsigned refs; /* atomic: backends whose root it is */

    char *fault; /* atomic: set once, see bdrv_fault() */
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

    /*
     * Protocol: opens the file again, with other options; on failure nothing
     * has changed.  Nothing is in flight.
     */
    int (*file_reopen)(BlockDriverState *bs, const BlockOptions *options,
                       GError **error);

    /*
     * Format: is going to be read only (writes what it holds), or is written
     * from now on (bs->file can be).  Waits as open does; nothing is in flight.
     */
    int (*reopen)(BlockDriverState *bs, bool is_writable, GError **error);

    /* Frees what open made; nothing is in flight */
    void (*close)(BlockDriverState *bs);

    /*
     * A format's read.  The bytes lie inside the node; @offset_in is where
     * they start in @vector.
     */
    int coroutine_fn (*co_preadv_part)(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, const IOVector *vector,
                                       size_t offset_in, unsigned flags);

    /* A format's write; the bytes may reach beyond the end of a protocol */
    int coroutine_fn (*co_pwritev_part)(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes, const IOVector *vector,
                                        size_t offset_in, unsigned flags);

    /* A protocol's one function for both directions; @op read or write */
    int coroutine_fn (*co_prw)(BlockDriverState *bs, enum block_op op,
                               int64_t offset, int64_t bytes,
                               const IOVector *vector, size_t offset_in);

    /*
     * Zeroes without data; -ENOTSUP: write them.  @flags: BDRV_REQ_MAY_UNMAP,
     * _NO_FALLBACK.  Of several units, or a part of one.
     */
    int coroutine_fn (*co_pwrite_zeroes)(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes, unsigned flags);

    /* As above; -ENOTSUP: nothing is done */
    int coroutine_fn (*co_pdiscard)(BlockDriverState *bs, int64_t offset,
                                    int64_t bytes);

    /* What the driver holds back is given to the node below */
    int coroutine_fn (*co_flush_to_os)(BlockDriverState *bs);

    /* What was written is on the disk; a protocol's */
    int coroutine_fn (*co_flush_to_disk)(BlockDriverState *bs);

    /*
     * The range, which reads as zeroes and nobody else uses, gets space of its
     * own; a protocol is not asked for PREALLOC_MODE_METADATA, nor _FULL.
     * Of 0 bytes: the length stays, and what holds the end gets its space
     */
    int coroutine_fn (*co_preallocate)(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, PreallocMode mode);

    /* Sets the node's length, which may be rounded up */
    int coroutine_fn (*co_truncate)(BlockDriverState *bs, int64_t bytes);

    /* See blk_save_vmstate() */
    int coroutine_fn (*co_load_vmstate)(BlockDriverState *bs, int64_t offset,
                                        const IOVector *vector);
    int coroutine_fn (*co_save_vmstate)(BlockDriverState *bs, int64_t offset,
                                        const IOVector *vector);

    /* See blk_block_status(); the range lies inside the node */
    int coroutine_fn (*co_block_status)(BlockDriverState *bs, int64_t offset,
                                        int64_t bytes, int64_t *ret_bytes);

    /* Fills what is more than nothing, see blk_get_info() */
    void (*get_info)(const BlockDriverState *bs, BlockInfo *info);
};

/* All drivers, in the order in which they are asked; ends with NULL. */
extern const BlockDriver *const ct_drivers[];

/** block_foreign_format() - of which format without a driver the bytes begin an
 * image; static; NULL: of none */
const char *block_foreign_format(const uint8_t *buf, size_t bytes);

/** block_error() - set @error with code @err; Return: -@err */
G_GNUC_PRINTF(3, 4)
int block_error(GError **error, int err, const char *format, ...);

/* --- node.c -------------------------------------------------------------- */

/** bdrv_open() - a file, and its format on top; see blk_new_open() */
BlockDriverState *bdrv_open(const char *filename, const BlockOptions *options,
                            AioContext *ctx, GError **error);

/** bdrv_probe() - whose image the bytes begin; NULL: of a format that has no
 * driver, which @ret_foreign names */
const BlockDriver *bdrv_probe(const uint8_t *buf, size_t bytes,
                              const char **ret_foreign);

/** bdrv_init() - no request yet; for a node that bdrv_open() did not make */
void bdrv_init(BlockDriverState *bs);

/** bdrv_close() - close and free a node and what is below; NULL is allowed */
void bdrv_close(BlockDriverState *bs);

/** bdrv_ref() - one more backend for the root that bdrv_open() has made */
BlockDriverState *bdrv_ref(BlockDriverState *bs);
/** bdrv_unref() - one less; the last closes it.  Nothing is in flight. */
void bdrv_unref(BlockDriverState *bs);

/** bdrv_length() - bytes of the node.  Any thread. */
static inline int64_t bdrv_length(const BlockDriverState *bs)
{
    return ct_load(&bs->bytes);
}

static inline void bdrv_set_length(BlockDriverState *bs, int64_t bytes)
{
    ct_store(&bs->bytes, bytes);
}

/* A guess on other threads, but for who has a request of it in flight. */
static inline AioContext *bdrv_get_aio_context(const BlockDriverState *bs)
{
    return ct_load_acquire(&bs->ctx); /* pairs with drain.c's go() */
}

/** bdrv_fault() - remember what is wrong with the image: the first is kept */
G_GNUC_PRINTF(2, 3)
void bdrv_fault(BlockDriverState *bs, const char *format, ...);

/* --- io.c ---------------------------------------------------------------- */

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

/** bdrv_drain() - poll until nothing is in flight in @bs and below */
void bdrv_drain(BlockDriverState *bs);

/** bdrv_co_begin() - a request is in flight; ended by bdrv_end().  The caller
 * has the graph's lock, or the node to itself (graph.h) */
void coroutine_fn bdrv_co_begin(BlockDriverState *bs);
void bdrv_end(BlockDriverState *bs);

/* --- write.c ------------------------------------------------------------- */

/**
 * bdrv_co_pwritev_part() - write a part of the buffers
 * @vector: NULL with BDRV_REQ_ZERO_WRITE
 *
 * A protocol's node grows if the bytes lie beyond its end.
 */
int coroutine_fn bdrv_co_pwritev_part(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, const IOVector *vector,
                                      size_t offset_in, unsigned flags);
int coroutine_fn bdrv_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                       int64_t bytes, unsigned flags);

/** bdrv_co_pwrite() - write one buffer */
int coroutine_fn bdrv_co_pwrite(BlockDriverState *bs, int64_t offset,
                                int64_t bytes, const void *buf);

/** bdrv_co_write_zero_data() - zeroes by the driver's way to write data */
int coroutine_fn bdrv_co_write_zero_data(BlockDriverState *bs, int64_t offset,
                                         int64_t bytes);

/* --- manage.c ------------------------------------------------------------ */

/** bdrv_co_flush() - what was written to @bs and below is on the disk */
int coroutine_fn bdrv_co_flush(BlockDriverState *bs);
int coroutine_fn bdrv_co_pdiscard(BlockDriverState *bs, int64_t offset,
                                  int64_t bytes);
int coroutine_fn bdrv_co_truncate(BlockDriverState *bs, int64_t bytes);
/** bdrv_co_truncate_prealloc() - see blk_truncate_prealloc() */
int coroutine_fn bdrv_co_truncate_prealloc(BlockDriverState *bs, int64_t bytes,
                                           PreallocMode mode);
/** bdrv_co_preallocate() - a part of it: space for what is new */
int coroutine_fn bdrv_co_preallocate(BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, PreallocMode mode);
int coroutine_fn bdrv_co_load_vmstate(BlockDriverState *bs, int64_t offset,
                                      const IOVector *vector);
int coroutine_fn bdrv_co_save_vmstate(BlockDriverState *bs, int64_t offset,
                                      const IOVector *vector);
int coroutine_fn bdrv_co_block_status(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, int64_t *ret_bytes);

#endif
