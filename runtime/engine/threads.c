/* SPDX-License-Identifier: MIT */
/*
 * threads.c - the engine that lets workers block: the pool of the context
 *
 * The operation lies in the submitting coroutine's frame, which stays until
 * the pool has completed the work item; the worker reads it and fills or
 * empties the buffers, ordered by the pool's submission and completion.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <unistd.h>

#include "ct/pool.h"
#include "engine/engine.h"
#include "engine/position.h"

/* One system call; Return: as pread(2), -errno instead of -1. */
static ssize_t move_some(const struct engine_io *io, const struct position *at,
                         int64_t offset)
{
    bool is_write = io->op == ENGINE_WRITE;
    int n = at->niov < IOV_MAX ? at->niov : IOV_MAX;
    ssize_t got;

    do {
        if (at->skip > 0 || n == 1) { /* one buffer: cheaper for the kernel */
            void *buf = (char *)at->iov->iov_base + at->skip;
            size_t bytes = at->iov->iov_len - at->skip;

            got = is_write ? pwrite(io->fd, buf, bytes, offset)
                           : pread(io->fd, buf, bytes, offset);
        } else {
            got = is_write ? pwritev(io->fd, at->iov, n, offset)
                           : preadv(io->fd, at->iov, n, offset);
        }
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* Runs on a worker. */
static int handle_aiocb_rw(void *opaque)
{
    const struct engine_io *io = opaque;
    struct position at = {.iov = io->iov, .niov = io->niov};
    int64_t done = 0;

    position_advance(&at, 0); /* past empty buffers */
    while (done < io->bytes) {
        ssize_t got = move_some(io, &at, io->offset + done);
        if (got < 0) {
            return (int)got;
        }
        if (got == 0 && io->op == ENGINE_WRITE) {
            return -EINVAL; /* a device that takes no more, and says so thus */
        }
        if (got == 0) {
            position_fill_zeroes(&at);
            break;
        }
        done += got;
        position_advance(&at, (size_t)got);
        if (io->op == ENGINE_READ && engine_met_end(io, done)) {
            position_fill_zeroes(&at);
            break;
        }
    }
    return 0;
}

/* Runs on a worker. */
static int handle_aiocb_flush(void *opaque)
{
    const struct engine_io *io = opaque;

    return fdatasync(io->fd) < 0 ? -errno : 0;
}

static int coroutine_fn raw_thread_pool_submit(const struct engine_io *io)
{
    ThreadPool *pool = aio_get_thread_pool(aio_context_current());
    ThreadPoolFunc *func =
        io->op == ENGINE_FLUSH ? handle_aiocb_flush : handle_aiocb_rw;
    int ret = thread_pool_submit_co(pool, func, (void *)io);

    return ret;
}

const struct engine ct_engine_threads = {
    .name = "threads",
    .co_submit = raw_thread_pool_submit,
};
