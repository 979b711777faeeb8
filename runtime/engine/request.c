/* SPDX-License-Identifier: MIT */
/*
 * request.c - see request.h
 */
#include "engine/request.h"

#include <errno.h>
#include <limits.h>

#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/id.h"

void engine_request_init(struct engine_request *request, AioContext *ctx,
                         const struct engine_io *io, enum ct_io_engine engine)
{
    static const enum ct_io_op ops[] = {
        [ENGINE_READ] = CT_IO_OP_READ,
        [ENGINE_WRITE] = CT_IO_OP_WRITE,
        [ENGINE_FLUSH] = CT_IO_OP_FLUSH,
    };

    *request = (struct engine_request){
        .io = io,
        .ctx = ctx,
        .id = ct_id_new(),
        .co = coroutine_self(),
        .ret = -EINPROGRESS,
        .at = {.iov = io->iov, .niov = io->niov},
    };
    list_init(&request->node);
    position_advance(&request->at, 0); /* past empty buffers */
    ct_emit_io_submit(request->id, ctx->id, coroutine_id(request->co), engine,
                      ops[io->op], io->fd, (uint64_t)io->offset,
                      (uint64_t)io->bytes);
}

const struct iovec *engine_request_vector(struct engine_request *request,
                                          int *ret_niov)
{
    struct position *at = &request->at;

    *ret_niov = MIN(at->niov, IOV_MAX);
    if (at->skip == 0) {
        return at->iov;
    }
    g_free(request->rest);
    request->rest = g_new(struct iovec, *ret_niov);
    memcpy(request->rest, at->iov, (size_t)*ret_niov * sizeof(struct iovec));
    request->rest[0].iov_base = (char *)at->iov[0].iov_base + at->skip;
    request->rest[0].iov_len -= at->skip;
    return request->rest;
}

bool engine_request_result(struct engine_request *request, int64_t result)
{
    const struct engine_io *io = request->io;

    if (result == -EINTR) {
        return false;
    }
    if (result == -EAGAIN || result == -EOPNOTSUPP) {
        /* Only the workers can wait for it. */
        request->is_refused = true;
        request->ret = -EAGAIN;
        return true;
    }
    if (result < 0 || io->op == ENGINE_FLUSH) {
        request->ret = (int)result;
        return true;
    }
    request->done_bytes += result;
    position_advance(&request->at, (size_t)result);
    request->ret = 0;
    if (request->done_bytes >= io->bytes) {
        return true;
    }
    if (result == 0 && io->op == ENGINE_WRITE) {
        request->ret = -EINVAL; /* a device that takes no more */
        return true;
    }
    if (result == 0 ||
        (io->op == ENGINE_READ && engine_met_end(io, request->done_bytes))) {
        position_fill_zeroes(&request->at);
        return true;
    }
    return false;
}

void engine_request_finish(struct engine_request *request)
{
    g_clear_pointer(&request->rest, g_free);
    request->is_done = true;
    ct_emit_io_complete(request->id, request->ctx->id, request->ret);
    if (request->is_waiting) {
        aio_co_wake(request->co);
    }
}

void engine_request_refuse(struct engine_request *request)
{
    request->is_refused = true;
    request->ret = -EAGAIN;
    engine_request_finish(request);
}

int coroutine_fn engine_request_wait(struct engine_request *request)
{
    if (!request->is_done) {
        request->is_waiting = true;
        coroutine_yield_for(CT_YIELD_REASON_IO, request->id);
    }
    return request->ret;
}

unsigned engine_max_batch(AioContext *ctx)
{
    unsigned max_batch = ct_load(&ctx->aio_max_batch);

    return max_batch > 0 ? max_batch : ENGINE_MAX_BATCH;
}
