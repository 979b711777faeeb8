/* SPDX-License-Identifier: MIT */
/*
 * request.h - an operation in one of the kernel's queues: what linux-aio and
 * io_uring have in common
 *
 * Model:    init -> pending -> in the kernel -> result -> finished
 *                      ^_______________________/ came back short
 *           `pending` is a list of the engine's; it is given to the kernel
 *           at the end of the context's turn, or when it has aio_max_batch
 *           requests.
 * Threads:  home thread of the context.
 * Memory:   a request lies in the frame of the coroutine that waits for it.
 */
#ifndef CT_ENGINE_REQUEST_H
#define CT_ENGINE_REQUEST_H

#include <stdbool.h>

#include "aio/aio_int.h"
#include "base/list.h"
#include "ct/events.h"
#include "engine/engine.h"
#include "engine/position.h"

/* As many as one system call gives to the kernel, if nobody says otherwise. */
#define ENGINE_MAX_BATCH 32

struct engine_request {
    const struct engine_io *io;
    AioContext *ctx;
    uint64_t id;
    Coroutine *co;
    bool is_waiting; /* co has yielded */
    bool is_done;
    bool is_refused; /* the kernel did not take it: try the workers */
    int ret;
    int64_t done_bytes;
    struct position at;
    struct iovec *rest; /* owned: a vector that begins in a buffer's middle */
    struct list node;   /* the engine's */
};

/* Records the submission. */
void engine_request_init(struct engine_request *request, AioContext *ctx,
                         const struct engine_io *io, enum ct_io_engine engine);

/* The vector that is left to do, as the kernel takes it. */
const struct iovec *engine_request_vector(struct engine_request *request,
                                          int *ret_niov);

/*
 * The kernel's result.  Return: true if the request is done; false if it has to
 * be given to the kernel again.
 */
bool engine_request_result(struct engine_request *request, int64_t result);

/* Its result is final: the coroutine goes on, if it waits. */
void engine_request_finish(struct engine_request *request);

/* The kernel does not take it. */
void engine_request_refuse(struct engine_request *request);

/* Return: the result; -EAGAIN with is_refused: nothing was done. */
int coroutine_fn engine_request_wait(struct engine_request *request);

/* How many requests the context wants in a batch. */
unsigned engine_max_batch(AioContext *ctx);

#endif
