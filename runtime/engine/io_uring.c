/* SPDX-License-Identifier: MIT */
/*
 * io_uring.c - the engine that puts operations in a ring which the kernel reads
 *
 * One ring a context.  A submission only appends to `pending`; the context
 * gives all of it to the kernel with one system call at the end of its turn, or
 * as soon as there is a batch.  What has been put in the ring but not been
 * consumed stays on `filled`, in the ring's order: if the kernel takes only
 * some, the first ones are gone.
 *
 * Completions make the ring's file descriptor readable as long as there are
 * any.  The handler takes them out one by one, each before its coroutine runs:
 * so one that polls for another finds it.
 *
 * A kernel that refuses the ring, at first or later (a sandbox), costs the
 * operations nothing but the detour: they go to the workers.
 */
#include <errno.h>
#include <liburing.h>

#include "aio/aio_int.h"
#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/pre.h"
#include "engine/request.h"

#define ENTRIES 256

/* All home. */
struct luring {
    AioContext *ctx;
    struct io_uring ring;
    struct list pending;
    unsigned pending_count;
    struct list filled;
    unsigned filled_count;
    unsigned in_flight; /* taken by the kernel, not completed */
    bool is_broken;
    struct aio_deferred submission;
};

static struct engine_request *first_of(struct list *requests)
{
    return list_entry(requests->next, struct engine_request, node);
}

static void fill_sqe(struct io_uring_sqe *sqe, struct engine_request *request)
{
    const struct engine_io *io = request->io;
    uint64_t offset = (uint64_t)(io->offset + request->done_bytes);
    const struct iovec *iov;
    int niov;

    if (io->op == ENGINE_FLUSH) {
        io_uring_prep_fsync(sqe, io->fd, IORING_FSYNC_DATASYNC);
        io_uring_sqe_set_data(sqe, request);
        return;
    }
    iov = engine_request_vector(request, &niov);
    if (io->op == ENGINE_WRITE) {
        io_uring_prep_writev(sqe, io->fd, iov, (unsigned)niov, offset);
    } else {
        io_uring_prep_readv(sqe, io->fd, iov, (unsigned)niov, offset);
    }
    io_uring_sqe_set_data(sqe, request);
}

/* Completions must have room: no more in the kernel than it can tell of. */
static void fill(struct luring *luring)
{
    while (luring->pending_count > 0 &&
           luring->in_flight + luring->filled_count < ENTRIES) {
        struct engine_request *request = first_of(&luring->pending);
        struct io_uring_sqe *sqe = io_uring_get_sqe(&luring->ring);

        if (sqe == NULL) {
            return;
        }
        list_del(&request->node);
        luring->pending_count--;
        fill_sqe(sqe, request);
        list_add_tail(&luring->filled, &request->node);
        luring->filled_count++;
    }
}

static void refuse_all(struct luring *luring, struct list *requests)
{
    while (!list_is_empty(requests)) {
        struct engine_request *request = first_of(requests);

        list_del(&request->node);
        engine_request_refuse(request);
    }
}

/* Not to be used on; what the kernel has is completed as ever. */
static void give_up(struct luring *luring)
{
    luring->is_broken = true;
    luring->pending_count = 0;
    luring->filled_count = 0;
    refuse_all(luring, &luring->filled);
    refuse_all(luring, &luring->pending);
}

static void taken(struct luring *luring, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        list_del(luring->filled.next);
    }
    luring->filled_count -= count;
    luring->in_flight += count;
}

static void submit(void *opaque)
{
    struct luring *luring = opaque;

    while (!luring->is_broken) {
        int ret;

        fill(luring);
        if (luring->filled_count == 0) {
            return; /* the rest goes when something is completed */
        }
        ct_emit_io_batch(luring->ctx->id, CT_IO_ENGINE_IO_URING,
                         luring->filled_count, luring->in_flight);
        ret = io_uring_submit(&luring->ring);
        if (ret > 0) {
            taken(luring, MIN((unsigned)ret, luring->filled_count));
        } else if ((ret == -EAGAIN || ret == -EBUSY || ret == 0) &&
                   luring->in_flight > 0) {
            return; /* likewise */
        } else if (ret != -EINTR) {
            give_up(luring);
        }
    }
}

static void queue(struct luring *luring, struct engine_request *request)
{
    list_add_tail(&luring->pending, &request->node);
    luring->pending_count++;
    if (luring->pending_count >= engine_max_batch(luring->ctx)) {
        submit(luring);
    } else {
        aio_defer(luring->ctx, &luring->submission);
    }
}

/* The ring's fd is readable, or was seen to have something. */
static void on_completions(void *opaque)
{
    struct luring *luring = opaque;
    struct io_uring_cqe *cqe;

    while (io_uring_peek_cqe(&luring->ring, &cqe) == 0) {
        struct engine_request *request = io_uring_cqe_get_data(cqe);
        int result = cqe->res;

        io_uring_cqe_seen(&luring->ring, cqe);
        luring->in_flight--;
        if (engine_request_result(request, result)) {
            engine_request_finish(request);
        } else if (luring->is_broken) {
            engine_request_refuse(request);
        } else {
            queue(luring, request);
        }
    }
    if (luring->pending_count > 0 || luring->filled_count > 0) {
        aio_defer(luring->ctx, &luring->submission);
    }
}

static bool has_completion(void *opaque)
{
    struct luring *luring = opaque;

    return io_uring_cq_ready(&luring->ring) > 0;
}

static const AioPollOps poll_ops = {
    .io_poll = has_completion,
    .io_poll_ready = on_completions,
};

static void luring_free(void *opaque)
{
    struct luring *luring = opaque;

    ct_pre("engine-free/in-flight",
           luring->in_flight == 0 && luring->pending_count == 0);
    list_del(&luring->submission.node);
    aio_set_fd_handler(luring->ctx, luring->ring.ring_fd, NULL, NULL, NULL);
    io_uring_queue_exit(&luring->ring);
    g_free(luring);
}

/* Return: the context's ring; NULL: the kernel has none for us. */
static struct luring *get_luring(AioContext *ctx)
{
    struct luring *luring = aio_slot_get(ctx, AIO_SLOT_IO_URING);

    if (luring != NULL) {
        return luring->is_broken ? NULL : luring;
    }
    luring = g_new0(struct luring, 1);
    if (io_uring_queue_init(ENTRIES, &luring->ring, 0) < 0) {
        g_free(luring);
        return NULL;
    }
    (void)io_uring_ring_dontfork(&luring->ring);
    luring->ctx = ctx;
    list_init(&luring->pending);
    list_init(&luring->filled);
    luring->submission = (struct aio_deferred){.run = submit, .opaque = luring};
    list_init(&luring->submission.node);
    aio_set_fd_handler(ctx, luring->ring.ring_fd, on_completions, NULL, luring);
    aio_set_fd_poll(ctx, luring->ring.ring_fd, &poll_ops);
    aio_slot_set(ctx, AIO_SLOT_IO_URING, luring, luring_free);
    return luring;
}

static int coroutine_fn luring_co_submit(const struct engine_io *io)
{
    AioContext *ctx = aio_context_current();
    struct luring *luring = get_luring(ctx);
    struct engine_request request;
    int ret;

    if (luring == NULL) {
        return ct_engine_threads.co_submit(io);
    }
    if (io->bytes == 0 && io->op != ENGINE_FLUSH) {
        return 0;
    }
    engine_request_init(&request, ctx, io, CT_IO_ENGINE_IO_URING);
    queue(luring, &request);
    ret = engine_request_wait(&request);
    return request.is_refused ? ct_engine_threads.co_submit(io) : ret;
}

static int luring_probe(void)
{
    struct io_uring ring;
    int ret = io_uring_queue_init(1, &ring, 0);

    if (ret == 0) {
        io_uring_queue_exit(&ring);
    }
    return ret;
}

const struct engine ct_engine_io_uring = {
    .name = "io_uring",
    .probe = luring_probe,
    .co_submit = luring_co_submit,
};
