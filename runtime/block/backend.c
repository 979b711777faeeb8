/* SPDX-License-Identifier: MIT */
/*
 * backend.c - blk_*: the door through which users ask for I/O
 *
 * There are three ways in, and one way through, blk_co_do_preadv() or
 * blk_co_do_flush():
 *
 *   blk_co_*    in the caller's coroutine
 *   blk_aio_*   in a coroutine of its own, then a callback
 *   blk_pread   and its kin: in a coroutine of its own, while the caller polls
 *               (in a coroutine they are blk_co_*)
 *
 * The request begins where the user asks, so before that coroutine exists, and
 * ends where the user's code goes on: before the callback, or before the
 * waiter is told.
 *
 * A blk_aio_ request may end before the call that started it returns, and its
 * callback must not run inside that call.  So starter and ender each put
 * their mark into `phase`, and whoever comes second sees the other's:
 *
 *   ender second:   calls the callback
 *   starter second: schedules a bottom half that calls it
 *
 * `in_flight` counts requests from their begin to the end of their callback.
 * Only the home thread lets it fall, and touches the backend afterwards only if
 * a coroutine is inside blk_drain(); so blk_unref() on another thread may free
 * the backend once it has seen 0.
 */
#include <errno.h>

#include "base/atomics.h"
#include "block/driver.h"
#include "block/tracked.h"
#include "ct/sync.h"

struct BlockBackend {
    BlockDriverState *root; /* immutable */
    unsigned in_flight;     /* atomic */
    CoQueue drained;        /* home thread: coroutines in blk_drain() */
};

static void blk_inc_in_flight(BlockBackend *blk)
{
    ct_fetch_add(&blk->in_flight, 1);
}

/* Home thread.  Pairs with blk_in_flight(). */
static void blk_dec_in_flight(BlockBackend *blk)
{
    bool is_awaited = !co_queue_empty(&blk->drained);
    bool was_last = ct_fetch_sub(&blk->in_flight, 1) == 1;

    if (is_awaited && was_last) {
        co_queue_next(&blk->drained); /* who may free the backend */
    }
    aio_wait_kick();
}

/* --- opening ---------------------------------------------------------------
 */

BlockBackend *blk_new_open(const char *filename, const BlockOptions *options,
                           AioContext *ctx, GError **error)
{
    static const BlockOptions defaults = {0};
    BlockDriverState *root =
        bdrv_open(filename, options != NULL ? options : &defaults, ctx, error);

    if (root == NULL) {
        return NULL;
    }
    BlockBackend *blk = g_new0(BlockBackend, 1);
    blk->root = root;
    co_queue_init(&blk->drained);
    return blk;
}

void blk_unref(BlockBackend *blk)
{
    if (blk == NULL) {
        return;
    }
    blk_drain(blk);
    bdrv_close(blk->root);
    g_free(blk);
}

int64_t blk_length(const BlockBackend *blk)
{
    return blk->root->bytes;
}

const char *blk_name(const BlockBackend *blk)
{
    return blk->root->node_name;
}

const char *blk_format(const BlockBackend *blk)
{
    return blk->root->drv->format_name;
}

void blk_get_info(const BlockBackend *blk, BlockInfo *ret_info)
{
    *ret_info = (BlockInfo){0};
    if (blk->root->drv->get_info != NULL) {
        blk->root->drv->get_info(blk->root, ret_info);
    }
}

const char *blk_fault(const BlockBackend *blk)
{
    /* Pairs with the exchange in bdrv_fault(): the text is complete. */
    return ct_load_acquire(&blk->root->fault);
}

AioContext *blk_get_aio_context(const BlockBackend *blk)
{
    return bdrv_get_aio_context(blk->root);
}

void blk_set_aio_context(BlockBackend *blk, AioContext *ctx)
{
    blk_drain(blk);
    bdrv_set_aio_context(blk->root, ctx);
}

unsigned blk_in_flight(const BlockBackend *blk)
{
    /* Who sees a request gone sees what it did. */
    return ct_load_acquire(&blk->in_flight);
}

void blk_drain(BlockBackend *blk)
{
    if (in_coroutine()) {
        while (blk_in_flight(blk) > 0) {
            co_queue_wait(&blk->drained, NULL);
        }
        co_queue_next(&blk->drained);
        return;
    }
    AIO_WAIT_WHILE(blk_get_aio_context(blk), blk_in_flight(blk) > 0);
    bdrv_drain(blk->root);
}

/* --- what every request does -----------------------------------------------
 */

static int coroutine_fn blk_co_do_preadv(BlockBackend *blk, int64_t offset,
                                         const IOVector *vector)
{
    BlockDriverState *bs = blk->root;
    int ret;

    if (vector->bytes > BLOCK_REQUEST_BYTES_MAX || offset < 0 ||
        offset > bs->bytes || (int64_t)vector->bytes > bs->bytes - offset) {
        return -EIO;
    }
    ret = bdrv_co_preadv(bs, offset, (int64_t)vector->bytes, vector, 0);
    return ret;
}

static int coroutine_fn blk_co_do_flush(BlockBackend *blk)
{
    int ret = bdrv_co_flush(blk->root);

    return ret;
}

int coroutine_fn blk_co_preadv(BlockBackend *blk, int64_t offset,
                               const IOVector *vector)
{
    struct tracked_request req;

    blk_inc_in_flight(blk);
    tracked_request_begin_served(&req, "blk", BLOCK_OP_READ, blk_name(blk),
                                 offset, (int64_t)vector->bytes, 0);
    int ret = blk_co_do_preadv(blk, offset, vector);
    tracked_request_leave(&req);
    tracked_request_end(&req, ret);
    blk_dec_in_flight(blk);
    return ret;
}

int coroutine_fn blk_co_flush(BlockBackend *blk)
{
    struct tracked_request req;

    blk_inc_in_flight(blk);
    tracked_request_begin_served(&req, "blk", BLOCK_OP_FLUSH, blk_name(blk), 0,
                                 0, 0);
    int ret = blk_co_do_flush(blk);
    tracked_request_leave(&req);
    tracked_request_end(&req, ret);
    blk_dec_in_flight(blk);
    return ret;
}

/* --- with a waiter outside coroutines --------------------------------------
 */

/* In the frame of the waiter. */
struct sync_request {
    BlockBackend *blk;
    int64_t offset;
    const IOVector *vector;
    struct tracked_request req;
    int ret;   /* written before `done` */
    bool done; /* atomic: release in sync_done(), acquire in sync_wait() */
};

static void coroutine_fn sync_done(struct sync_request *sync, int ret)
{
    BlockBackend *blk = sync->blk;

    tracked_request_leave(&sync->req);
    tracked_request_end(&sync->req, ret);
    sync->ret = ret;
    ct_store_release(&sync->done, true);
    blk_dec_in_flight(blk);
}

static void coroutine_fn blk_preadv_entry(void *opaque)
{
    struct sync_request *sync = opaque;

    tracked_request_serve(&sync->req);
    sync_done(sync, blk_co_do_preadv(sync->blk, sync->offset, sync->vector));
}

static void coroutine_fn blk_flush_entry(void *opaque)
{
    struct sync_request *sync = opaque;

    tracked_request_serve(&sync->req);
    sync_done(sync, blk_co_do_flush(sync->blk));
}

int blk_preadv(BlockBackend *blk, int64_t offset, const IOVector *vector)
{
    if (in_coroutine()) {
        return blk_co_preadv(blk, offset, vector);
    }

    struct sync_request sync = {.blk = blk, .offset = offset, .vector = vector};
    blk_inc_in_flight(blk);
    tracked_request_begin(&sync.req, "blk", BLOCK_OP_READ, blk_name(blk),
                          offset, (int64_t)vector->bytes, 0);
    Coroutine *co = coroutine_create(blk_preadv_entry, &sync);
    tracked_request_give(&sync.req, co);
    bdrv_coroutine_enter(blk->root, co);
    BDRV_POLL_WHILE(blk->root, !ct_load_acquire(&sync.done));
    return sync.ret;
}

int blk_pread(BlockBackend *blk, int64_t offset, int64_t bytes, void *buf)
{
    struct iovec iov = {buf, (size_t)bytes};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = (size_t)bytes};

    if (bytes < 0) {
        return -EIO;
    }
    return blk_preadv(blk, offset, &vector);
}

int blk_flush(BlockBackend *blk)
{
    if (in_coroutine()) {
        return blk_co_flush(blk);
    }

    struct sync_request sync = {.blk = blk};
    blk_inc_in_flight(blk);
    tracked_request_begin(&sync.req, "blk", BLOCK_OP_FLUSH, blk_name(blk), 0, 0,
                          0);
    Coroutine *co = coroutine_create(blk_flush_entry, &sync);
    tracked_request_give(&sync.req, co);
    bdrv_coroutine_enter(blk->root, co);
    BDRV_POLL_WHILE(blk->root, !ct_load_acquire(&sync.done));
    return sync.ret;
}

/* --- with a callback -------------------------------------------------------
 */

enum aio_phase {
    AIO_STARTING,
    AIO_RETURNED, /* the starter has nothing more to do with it */
    AIO_DONE,     /* the coroutine has nothing more to do with it */
};

struct aio_request {
    /* immutable */
    BlockBackend *blk;
    int64_t offset;
    const IOVector *vector;
    BlockCompletionFunc *cb;
    void *opaque;

    struct tracked_request req;
    int ret;              /* written before the mark AIO_DONE */
    enum aio_phase phase; /* atomic, see the head of this file */
};

static void blk_aio_complete(struct aio_request *aio)
{
    BlockBackend *blk = aio->blk;

    tracked_request_end(&aio->req, aio->ret);
    aio->cb(aio->opaque, aio->ret);
    g_free(aio);
    blk_dec_in_flight(blk);
}

static void blk_aio_complete_bh(void *opaque)
{
    blk_aio_complete(opaque);
}

static void coroutine_fn blk_aio_done(struct aio_request *aio, int ret)
{
    tracked_request_leave(&aio->req);
    aio->ret = ret;
    if (ct_xchg(&aio->phase, AIO_DONE) == AIO_RETURNED) {
        blk_aio_complete(aio);
    }
}

static void coroutine_fn blk_aio_read_entry(void *opaque)
{
    struct aio_request *aio = opaque;

    tracked_request_serve(&aio->req);
    blk_aio_done(aio, blk_co_do_preadv(aio->blk, aio->offset, aio->vector));
}

static void coroutine_fn blk_aio_flush_entry(void *opaque)
{
    struct aio_request *aio = opaque;

    tracked_request_serve(&aio->req);
    blk_aio_done(aio, blk_co_do_flush(aio->blk));
}

static void blk_aio_start(struct aio_request *aio, enum block_op op,
                          CoroutineEntry *entry)
{
    BlockBackend *blk = aio->blk;
    int64_t bytes = aio->vector != NULL ? (int64_t)aio->vector->bytes : 0;

    blk_inc_in_flight(blk);
    tracked_request_begin(&aio->req, "blk", op, blk_name(blk), aio->offset,
                          bytes, 0);
    Coroutine *co = coroutine_create(entry, aio);
    tracked_request_give(&aio->req, co);
    bdrv_coroutine_enter(blk->root, co);
    if (ct_xchg(&aio->phase, AIO_RETURNED) == AIO_DONE) {
        aio_bh_schedule_oneshot(blk_get_aio_context(blk), blk_aio_complete_bh,
                                aio);
    }
}

void blk_aio_preadv(BlockBackend *blk, int64_t offset, const IOVector *vector,
                    BlockCompletionFunc *cb, void *opaque)
{
    struct aio_request *aio = g_new(struct aio_request, 1);

    *aio = (struct aio_request){.blk = blk,
                                .offset = offset,
                                .vector = vector,
                                .cb = cb,
                                .opaque = opaque};
    blk_aio_start(aio, BLOCK_OP_READ, blk_aio_read_entry);
}

void blk_aio_flush(BlockBackend *blk, BlockCompletionFunc *cb, void *opaque)
{
    struct aio_request *aio = g_new(struct aio_request, 1);

    *aio = (struct aio_request){.blk = blk, .cb = cb, .opaque = opaque};
    blk_aio_start(aio, BLOCK_OP_FLUSH, blk_aio_flush_entry);
}
