/* SPDX-License-Identifier: MIT */
/*
 * tracked.h - requests in flight: what traces are told about them
 *
 * Model:    begun -> served by a coroutine (from its begin, or later) -> not
 *           served any more -> ended.  While a coroutine serves a request,
 *           requests that begin in it are its children; serving nests.
 * Threads:  begin and end: any; serve and leave: the serving coroutine.
 * Memory:   the struct is the caller's, e.g. in its frame, from begin to end;
 *           so is @node.
 * Depends:  ct/aio.h, ct/coroutine.h; no block layer: whoever has requests may
 * use it.
 */
#ifndef CT_REQUEST_TRACKED_H
#define CT_REQUEST_TRACKED_H

#include "base/list.h"
#include "ct/aio.h"
#include "ct/coroutine.h"

struct tracked_request {
    /* immutable after begin */
    uint64_t id;
    uint64_t parent; /* 0: none */
    const char *layer;
    const char *op;
    const char *node;
    int64_t offset;
    int64_t bytes;
    int64_t since_ns;
    struct request_shard *shard; /* where it is among the open ones */

    uint64_t co;       /* atomic: id of the coroutine that serves it, 0: none */
    uint64_t outer;    /* serving coroutine only: what it served before */
    struct list alive; /* protected by the shard's lock */
};

/**
 * tracked_request_begin() - a request begins that a coroutine will serve later
 * @layer: the interface that it came in by: "blk", "bdrv"; a literal
 * @op:    "read", "write", ...; a literal
 */
void tracked_request_begin(struct tracked_request *req, const char *layer,
                           const char *op, const char *node, int64_t offset,
                           int64_t bytes, unsigned flags);

/** tracked_request_begin_served() - as above; the caller's coroutine serves it
 */
void coroutine_fn tracked_request_begin_served(struct tracked_request *req,
                                               const char *layer,
                                               const char *op, const char *node,
                                               int64_t offset, int64_t bytes,
                                               unsigned flags);

/**
 * tracked_request_give() - a coroutine that was just made will serve it
 *
 * Before the coroutine is entered or scheduled: so whoever reads the trace
 * knows whose request waits while it is queued in another thread's context.
 */
void tracked_request_give(struct tracked_request *req, const Coroutine *co);

/**
 * tracked_request_start() - make a coroutine that will serve it, and enter it
 *
 * As coroutine_create(), tracked_request_give() and aio_co_enter() in @ctx, not
 * NULL; traces are told of them by one event, which costs less.
 */
void tracked_request_start(struct tracked_request *req, AioContext *ctx,
                           CoroutineEntry *entry, void *opaque);

/** tracked_request_serve() - from now on the calling coroutine serves it, which
 * it was given to */
void coroutine_fn tracked_request_serve(struct tracked_request *req);

/** tracked_request_leave() - the calling coroutine serves what it did before */
void tracked_request_leave(struct tracked_request *req);

/** tracked_request_end() - it is over; nobody serves it any more */
void tracked_request_end(struct tracked_request *req, int ret);

/** tracked_request_current() - what the calling coroutine serves, 0: nothing */
uint64_t tracked_request_current(void);

/**
 * tracked_request_adopt() - a helper's coroutine works for a request
 * @id: what requests that begin in the calling coroutine have as parent
 */
void coroutine_fn tracked_request_adopt(uint64_t id);

#endif
