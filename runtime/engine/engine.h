/* SPDX-License-Identifier: MIT */
/*
 * engine.h - ways to do I/O on a host file without blocking the loop
 *
 * Model:    an engine is a row of a table; a file picks one when it is opened.
 *           Its one function does an operation from start to end, for the
 *           calling coroutine.
 * Threads:  coroutine, on the home thread of a context.
 * Memory:   the operation is the caller's, in its frame.
 * Errors:   0, or -errno.
 */
#ifndef CT_ENGINE_H
#define CT_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "ct/coroutine.h"

enum engine_op {
    ENGINE_READ,
    ENGINE_WRITE,
    ENGINE_FLUSH, /* what was written before is on the disk: fdatasync(2) */
};

/* Immutable while the engine has it. */
struct engine_io {
    int fd;
    enum engine_op op;
    int64_t offset;
    int64_t bytes; /* of all buffers; 0 is allowed, and what a flush has */
    const struct iovec *iov;
    int niov;
    /*
     * The file takes whole blocks of so many bytes only: a read that ends
     * inside one has met the end of the file.  0: it takes anything.
     */
    int64_t block_bytes;
};

/** engine_met_end() - @done bytes of a read have come; is there no more? */
static inline bool engine_met_end(const struct engine_io *io, int64_t done)
{
    return io->block_bytes > 0 && done % io->block_bytes != 0;
}

struct engine {
    const char *name;

    /*
     * Does the kernel have it for us?  Return: 0 or -errno.  NULL: always.
     * One that is refused later, or in another context, goes to the workers.
     */
    int (*probe)(void);

    /*
     * A read fills the buffers; what lies beyond the end of the file is
     * zeroes.  A write is whole, or an error.
     */
    int coroutine_fn (*co_submit)(const struct engine_io *io);
};

/** ct_engine_find() - the engine of that name, NULL: the default; or NULL */
const struct engine *ct_engine_find(const char *name);

extern const struct engine ct_engine_threads;
extern const struct engine ct_engine_native;
extern const struct engine ct_engine_io_uring;

#endif
