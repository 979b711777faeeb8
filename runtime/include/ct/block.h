/* SPDX-License-Identifier: MIT */
/*
 * ct/block.h - disk images: open, read, write them, many requests at once
 *
 * Model:    a *backend* (BlockBackend) is a user's handle on the root of a
 *           chain of *nodes*: a format node (raw, qcow2) above a protocol node
 *           (the host file).  What is asked of a backend is a *request*; it
 *           leads to requests of the nodes below.  An image is opened for
 *           reading, or for writing as well.
 *           Each request exists as the events of its begin and its end,
 *           around exactly what its caller waits for:
 *             layer "blk"    a call of this header: from its begin to its
 *                            return (blk_pread, blk_co_*), or to just before
 *                            its callback (blk_aio_*)
 *             layer "bdrv"   what a node is asked; its parent is the request
 *                            that the asking coroutine serves
 *           A node is named "FORMAT:FILE" (FILE without its folders), e.g.
 *           "qcow2:disk.qcow2" above "file:disk.qcow2"; the name of the upper
 *           one can be given.  Requests of a backend bear its root's name.
 * Threads:  a backend has an AioContext, which its requests run in; callbacks
 *           too.
 *             outside coroutines: everything that waits (blk_pread, blk_pwrite
 *               and their kin, blk_drain, blk_drained_begin,
 *               blk_set_aio_context, blk_unref); from another thread than the
 *               context's home only while that context is run there (by an
 *               iothread), and the calling thread has a context to poll
 *             any thread, in a coroutine or not: blk_aio_*
 *             coroutine in any context: blk_co_*, and the calls that wait; the
 *               coroutine goes to the backend's context for it and comes back
 * Memory:   buffers and vectors are borrowed until the request ends.
 * Errors:   calls return 0 or more, or -errno; opening tells a GError of
 *           domain BLOCK_ERROR, code errno, whose text does not repeat the
 *           file's name.  A damaged image gives -EIO at the requests that need
 *           the damaged part, an unsupported kind of cluster -ENOTSUP, and
 *           blk_fault() says which.  What is written to an image that is open
 *           for reading gives -EPERM.
 * Depends:  GLib, ct/aio.h.
 */
#ifndef CT_BLOCK_H
#define CT_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <glib.h>

#include "ct/aio.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct BlockBackend BlockBackend;

#define BLOCK_ERROR (block_error_quark())
GQuark block_error_quark(void);

/* A read or write is at most this long; zeroes and discards know no limit. */
#define BLOCK_REQUEST_BYTES_MAX (INT32_MAX - INT32_MAX % 512)

/* Flags of a request; also in its events. */
enum {
    BDRV_REQ_FUA = 1 << 0,        /* on the disk before it ends */
    BDRV_REQ_ZERO_WRITE = 1 << 1, /* zeroes; set by the calls that write them */
    BDRV_REQ_MAY_UNMAP = 1 << 2,  /* of zeroes: the space may be given back */
    BDRV_REQ_NO_FALLBACK = 1 << 3, /* of zeroes: -ENOTSUP rather than slowly */
    BDRV_REQ_SERIALISING = 1 << 4, /* nothing that overlaps runs beside it */
    BDRV_REQ_VM_STATE = 1 << 5,    /* set by blk_load_vmstate(), _save_ */
    BDRV_REQ_INSIDE = 1 << 6,      /* set by blk_*(): makes no node longer */
};

/* --- vectors of buffers --------------------------------------------------- */

/*
 * The buffers of one request, in order.  Home thread: whoever builds it; not
 * changed while a request uses it.
 */
typedef struct IOVector {
    struct iovec *iov; /* owned */
    int niov;          /* in use */
    int allocated;     /* room in iov */
    size_t bytes;      /* of all buffers */
} IOVector;

/** io_vector_init() - empty; undone by io_vector_fini() */
void io_vector_init(IOVector *vector);
void io_vector_fini(IOVector *vector);

/** io_vector_add() - one more buffer at the end; borrowed */
void io_vector_add(IOVector *vector, void *buf, size_t bytes);

/**
 * io_vector_add_part() - the buffers of a part of another vector
 * Pre: [io-vector/inside] the part lies inside @from.
 */
void io_vector_add_part(IOVector *vector, const IOVector *from, size_t offset,
                        size_t bytes);

/**
 * io_vector_memset() - fill a part with one byte
 * Pre: [io-vector/inside] the part lies inside @vector.
 */
void io_vector_memset(const IOVector *vector, size_t offset, int byte,
                      size_t bytes);

/**
 * io_vector_from_buf() - copy one buffer into a part
 * Pre: [io-vector/inside] the part lies inside @vector.
 */
void io_vector_from_buf(const IOVector *vector, size_t offset, const void *buf,
                        size_t bytes);

/** io_vector_to_buf() - and the other way round */
void io_vector_to_buf(const IOVector *vector, size_t offset, void *buf,
                      size_t bytes);

/* --- opening -------------------------------------------------------------- */

typedef struct BlockOptions {
    const char *format;    /* "raw", "qcow2"; NULL: by the file's beginning */
    const char *node_name; /* of the root; NULL: "FORMAT:FILE" */
    const char *engine;    /* what does the file's I/O; NULL: "threads" */
    size_t cache_bytes;    /* of a format's tables; 0: its default */
    const char *const *faults; /* rules, see drivers/faults.c; NULL: none */
    bool is_writable;
    bool is_writethrough; /* every write is on the disk when it ends */
    bool is_direct;       /* the host's page cache is passed by (O_DIRECT) */
    bool is_unsafe;   /* flushes write tables, and don't wait for the disk */
    bool has_discard; /* discards reach the file; else they do nothing */
} BlockOptions;

/**
 * blk_parse_cache_mode() - a cache mode as QEMU's tools call them
 * @mode:    "writeback", "none" or "off", "writethrough", "directsync",
 *           "unsafe"
 * @options: its three fields are set
 *
 * Return: 0; -EINVAL: no such mode, nothing has changed.
 */
int blk_parse_cache_mode(const char *mode, BlockOptions *options);

/**
 * blk_new_open() - open an image
 * @filename: a file or block device
 * @options:  NULL: all defaults
 * @ctx:      where its requests run; the calling thread is its home
 * @error:    set on failure
 *
 * A format reads its tables: outside coroutines that polls @ctx, so callbacks
 * of others may run meanwhile.
 * Context: home thread.
 * Return:  the backend; NULL: not found, not readable, not of that format,
 *          cut short, or in need of what is not supported.
 */
BlockBackend *blk_new_open(const char *filename, const BlockOptions *options,
                           AioContext *ctx, GError **error);

/**
 * blk_get_options() - how the image is open; its strings are NULL
 */
BlockOptions blk_get_options(const BlockBackend *blk);

/**
 * blk_reopen() - change how the image is open: is_writable, has_discard, and
 * the cache mode
 *
 * Drains the image; what is asked meanwhile begins afterwards.
 * Context: as blk_drained_begin().
 * Return: 0; -errno with @error set, and the image is open as it was.
 */
int blk_reopen(BlockBackend *blk, const BlockOptions *options, GError **error);

/**
 * blk_new_beside() - another handle on the root of @blk, for another user
 *
 * Each has requests of its own; a drained section at one holds the other as
 * well.  The image is closed with the last of them.
 * Context: outside coroutines.
 */
BlockBackend *blk_new_beside(BlockBackend *blk);

/**
 * blk_inactivate() - write all that closing would write, to see it fail
 * @blk: the last handle on its image
 *
 * Waits for all requests (blk_drain()), flushes, and lets the format write what
 * it holds back until the end (lazy refcounts, the dirty bit).
 * Context: as blk_drained_begin().
 * Pre: [blk-inactivate/last] there is no other handle: its writes would fail.
 * Return: 0, and the image takes no writes any more; -errno: what is in the
 * file is as after a crash, the image takes writes as before, and closing tries
 * it once more, without a word of whether it failed.
 */
int blk_inactivate(BlockBackend *blk);

/**
 * blk_unref() - wait for all requests (blk_drain()), then close
 *
 * Whoever wants to know whether all was written calls blk_inactivate() before.
 * @blk: NULL is allowed
 */
void blk_unref(BlockBackend *blk);

/** blk_is_writable() - was it opened for writing? */
bool blk_is_writable(const BlockBackend *blk);

/** blk_length() - bytes of the guest's disk.  Any thread. */
int64_t blk_length(const BlockBackend *blk);

/** blk_name() - the root's node name; borrowed while @blk lives */
const char *blk_name(const BlockBackend *blk);

/** blk_format() - "raw", "qcow2"; static */
const char *blk_format(const BlockBackend *blk);

/* What a format has to say of itself. */
typedef struct BlockInfo {
    int64_t cluster_bytes;   /* 0: it has none */
    int64_t vm_state_offset; /* 0: none */
    char *specific;          /* "name: value" lines; the caller's, or NULL */
} BlockInfo;

/** blk_get_info() - fill @ret_info; g_free() its `specific` */
void blk_get_info(const BlockBackend *blk, BlockInfo *ret_info);

/**
 * blk_fault() - what was found wrong with the image while it was read
 *
 * The first such fault, in one line without the file's name.  Any thread.
 * Return: borrowed while @blk lives; NULL: none so far.
 */
const char *blk_fault(const BlockBackend *blk);

/**
 * blk_is_guarded() - raw, as far as its beginning tells, which nobody has said
 *
 * A write that would make its first 512 bytes those of another format's image
 * fails with -EPERM: whoever guesses the format next is to find the same.
 */
bool blk_is_guarded(const BlockBackend *blk);

/**
 * blk_get_aio_context() - where its requests run; borrowed
 *
 * May change whenever somebody moves it.
 */
AioContext *blk_get_aio_context(const BlockBackend *blk);

/**
 * blk_try_set_aio_context() - from now on requests run in @ctx
 *
 * Also those of all backends and nodes that hang together with it.  Waits for
 * those in flight; what is asked meanwhile begins in @ctx.
 * Context: as blk_drained_begin().
 * Return: 0; -EBUSY: another backend of the same image wants it to stay, and
 * nothing has changed.
 */
int blk_try_set_aio_context(BlockBackend *blk, AioContext *ctx, GError **error);

/** blk_set_aio_context() - the same
 *
 * Pre: [blk-set-aio-context/others-stay] nobody wants it to stay.
 */
void blk_set_aio_context(BlockBackend *blk, AioContext *ctx);

/** blk_set_allow_aio_context_change() - may others move it?  Not unless told.
 */
void blk_set_allow_aio_context_change(BlockBackend *blk, bool may_move);

/**
 * blk_drained_begin() - no request is in flight, until blk_drained_end()
 *
 * What is in flight has ended when it returns; what is asked meanwhile waits,
 * and begins in the order in which it was asked when the last section has
 * ended. Sections nest.  So in a section nobody may wait for a request of the
 * image. Context: outside coroutines polls; in a coroutine (none that serves a
 * request) yields.
 */
void blk_drained_begin(BlockBackend *blk);
void blk_drained_end(BlockBackend *blk);

/** blk_drain_all_begin() - the same for all backends of the process, and those
 * that are opened meanwhile */
void blk_drain_all_begin(void);
void blk_drain_all_end(void);

/* --- requests ------------------------------------------------------------ */

/**
 * blk_pread() - read into one buffer, and wait
 * @offset, @bytes: inside the disk, or the read fails with -EIO
 *
 * Outside coroutines it polls (AIO_WAIT_WHILE) until the request has ended.
 * Return: 0; -EIO, or what the host said.
 */
int blk_pread(BlockBackend *blk, int64_t offset, int64_t bytes, void *buf);

/** blk_preadv() - as blk_pread(), into the buffers of @vector, all of them */
int blk_preadv(BlockBackend *blk, int64_t offset, const IOVector *vector);

/** blk_co_preadv() - as blk_preadv(), in a coroutine */
int coroutine_fn blk_co_preadv(BlockBackend *blk, int64_t offset,
                               const IOVector *vector);

/* @ret: 0, or -errno.  May start requests; called once, from a turn. */
typedef void BlockCompletionFunc(void *opaque, int ret);

/**
 * blk_aio_preadv() - start reading; @cb is called when it has ended
 *
 * Runs in a coroutine of its own, entered at once, or (when called in a
 * coroutine) as soon as that one yields.  @cb runs in the backend's context,
 * never inside this call.
 */
void blk_aio_preadv(BlockBackend *blk, int64_t offset, const IOVector *vector,
                    BlockCompletionFunc *cb, void *opaque);

/**
 * blk_pwrite() - write one buffer, and wait
 * @offset, @bytes: inside the disk, or the write fails with -EIO
 * @flags: BDRV_REQ_FUA, or 0
 *
 * When it has ended, who reads sees the new data; what the disk holds after a
 * crash is what was flushed.  Requests that overlap run in any order.
 */
int blk_pwrite(BlockBackend *blk, int64_t offset, int64_t bytes,
               const void *buf, unsigned flags);
int blk_pwritev(BlockBackend *blk, int64_t offset, const IOVector *vector,
                unsigned flags);
int coroutine_fn blk_co_pwritev(BlockBackend *blk, int64_t offset,
                                const IOVector *vector, unsigned flags);
void blk_aio_pwritev(BlockBackend *blk, int64_t offset, const IOVector *vector,
                     unsigned flags, BlockCompletionFunc *cb, void *opaque);

/**
 * blk_pwrite_zeroes() - write zeroes, by the format's tables where it can
 * @flags: BDRV_REQ_FUA, _MAY_UNMAP, _NO_FALLBACK
 */
int blk_pwrite_zeroes(BlockBackend *blk, int64_t offset, int64_t bytes,
                      unsigned flags);
int coroutine_fn blk_co_pwrite_zeroes(BlockBackend *blk, int64_t offset,
                                      int64_t bytes, unsigned flags);
void blk_aio_pwrite_zeroes(BlockBackend *blk, int64_t offset, int64_t bytes,
                           unsigned flags, BlockCompletionFunc *cb,
                           void *opaque);

/**
 * blk_pdiscard() - the data of a range is not needed any more
 *
 * Advice: what is read there afterwards is the old data or zeroes.
 */
int blk_pdiscard(BlockBackend *blk, int64_t offset, int64_t bytes);
int coroutine_fn blk_co_pdiscard(BlockBackend *blk, int64_t offset,
                                 int64_t bytes);
void blk_aio_pdiscard(BlockBackend *blk, int64_t offset, int64_t bytes,
                      BlockCompletionFunc *cb, void *opaque);

/**
 * blk_flush() - have what was written on the disk, and wait
 *
 * All writes that had ended when it began survive a crash.
 */
int blk_flush(BlockBackend *blk);
int coroutine_fn blk_co_flush(BlockBackend *blk);
void blk_aio_flush(BlockBackend *blk, BlockCompletionFunc *cb, void *opaque);

/* What a disk that grows has of its own for what is new. */
typedef enum PreallocMode {
    PREALLOC_MODE_OFF,      /* nothing */
    PREALLOC_MODE_METADATA, /* places in the file, and entries in the tables */
    PREALLOC_MODE_FALLOC,   /* and space, unwritten */
    PREALLOC_MODE_FULL,     /* and zeroes in it */
} PreallocMode;

/**
 * blk_truncate_prealloc() - as blk_truncate(), and take space for what is new
 *
 * Return: 0; -EINVAL: it does not grow, and @mode is not off; -ENOTSUP: not
 * this format, not this file; -errno: the disk is as long as it was.
 */
int blk_truncate_prealloc(BlockBackend *blk, int64_t bytes, PreallocMode mode);

/** blk_truncate() - change the disk's length; what is new reads as zeroes */
int blk_truncate(BlockBackend *blk, int64_t bytes);
int coroutine_fn blk_co_truncate(BlockBackend *blk, int64_t bytes);

/**
 * blk_save_vmstate() - write to the place that a format has for the state of a
 *                      virtual machine, which lies behind the disk
 * @offset: in that state
 *
 * Return: 0; -ENOTSUP: the format has none.
 */
int blk_save_vmstate(BlockBackend *blk, const void *buf, int64_t offset,
                     int64_t bytes);
int blk_load_vmstate(BlockBackend *blk, void *buf, int64_t offset,
                     int64_t bytes);

/* What blk_block_status() says of a range. */
enum {
    BDRV_BLOCK_DATA = 1 << 0,      /* has to be read to be known */
    BDRV_BLOCK_ZERO = 1 << 1,      /* reads as zeroes */
    BDRV_BLOCK_ALLOCATED = 1 << 2, /* by this image, no backing file's */
};

/**
 * blk_block_status() - what lies at @offset
 * @bytes:     how far it matters
 * @ret_bytes: as far the answer holds: 1 to @bytes; 0 at the disk's end
 *
 * Return: a sum of BDRV_BLOCK_*, or -errno.
 */
int blk_block_status(BlockBackend *blk, int64_t offset, int64_t bytes,
                     int64_t *ret_bytes);
int coroutine_fn blk_co_block_status(BlockBackend *blk, int64_t offset,
                                     int64_t bytes, int64_t *ret_bytes);

/** blk_in_flight() - requests that have not ended.  Any thread. */
unsigned blk_in_flight(const BlockBackend *blk);

/**
 * blk_drain() - wait until no request is in flight
 *
 * In a coroutine it yields, and requests may come while it waits; outside it
 * polls.  A coroutine that serves one of them must not call it.
 */
void blk_drain(BlockBackend *blk);

#ifdef __cplusplus
}
#endif

#endif
