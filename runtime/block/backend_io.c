/* SPDX-License-Identifier: MIT */
/*
 * backend_io.c - blk_*: the door through which users ask for I/O
 *
 * There are three ways in, and for each operation one way through,
 * blk_co_do_preadv() and its kin:
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
 */
#include <errno.h>

#include "block/backend.h"
#include "request/tracked.h"

/* What is asked; each way in has one, and what it needs besides. */
struct ask {
    /* immutable */
    BlockBackend *blk;
    enum block_op op;
    unsigned flags;
    int64_t offset;
    int64_t bytes;
    const IOVector *vector; /* NULL: no data is moved */
    int64_t *ret_bytes;     /* of a status */

    struct tracked_request req;
};

static struct ask ask_data(BlockBackend *blk, enum block_op op, int64_t offset,
                           const IOVector *vector, unsigned flags)
{
    return (struct ask){.blk = blk,
                        .op = op,
                        .flags = flags,
                        .offset = offset,
                        .bytes = (int64_t)vector->bytes,
                        .vector = vector};
}

static struct ask ask_range(BlockBackend *blk, enum block_op op, int64_t offset,
                            int64_t bytes, unsigned flags)
{
    return (struct ask){
        .blk = blk, .op = op, .flags = flags, .offset = offset, .bytes = bytes};
}

/* --- what every request does --------------------------------------------- */

static bool is_inside(const struct ask *ask, int64_t bytes_max)
{
    int64_t length = blk_length(ask->blk);

    return ask->offset >= 0 && ask->offset <= length && ask->bytes >= 0 &&
           ask->bytes <= bytes_max && ask->bytes <= length - ask->offset;
}

static int coroutine_fn blk_co_do_preadv(const struct ask *ask)
{
    if (ask->flags & BDRV_REQ_VM_STATE) {
        return bdrv_co_load_vmstate(ask->blk->root, ask->offset, ask->vector);
    }
    if (!is_inside(ask, BLOCK_REQUEST_BYTES_MAX)) {
        return -EIO;
    }
    int ret =
        bdrv_co_preadv(ask->blk->root, ask->offset, ask->bytes, ask->vector, 0);
    return ret;
}

static int coroutine_fn blk_co_do_pwritev(const struct ask *ask)
{
    bool is_zeroes = ask->flags & BDRV_REQ_ZERO_WRITE;
    unsigned flags = ask->flags | BDRV_REQ_INSIDE;

    if (flags & BDRV_REQ_VM_STATE) {
        return bdrv_co_save_vmstate(ask->blk->root, ask->offset, ask->vector);
    }
    if (!is_inside(ask, is_zeroes ? INT64_MAX : BLOCK_REQUEST_BYTES_MAX)) {
        return -EIO;
    }
    if (ask->blk->root->options.is_writethrough) {
        flags |= BDRV_REQ_FUA;
    }
    int ret = bdrv_co_pwritev_part(ask->blk->root, ask->offset, ask->bytes,
                                   ask->vector, 0, flags);
    return ret;
}

static int coroutine_fn blk_co_do_pdiscard(const struct ask *ask)
{
    if (!is_inside(ask, INT64_MAX)) {
        return -EIO;
    }
    int ret = bdrv_co_pdiscard(ask->blk->root, ask->offset, ask->bytes);
    return ret;
}

static int coroutine_fn blk_co_do_flush(const struct ask *ask)
{
    int ret = bdrv_co_flush(ask->blk->root);

    return ret;
}

static int coroutine_fn blk_co_do_truncate(const struct ask *ask)
{
    int ret = bdrv_co_truncate_prealloc(ask->blk->root, ask->offset,
                                        (PreallocMode)ask->flags);

    return ret;
}

static int coroutine_fn blk_co_do(const struct ask *ask)
{
    switch (ask->op) {
    case BLOCK_OP_READ:
        return blk_co_do_preadv(ask);
    case BLOCK_OP_WRITE:
        return blk_co_do_pwritev(ask);
    case BLOCK_OP_DISCARD:
        return blk_co_do_pdiscard(ask);
    case BLOCK_OP_TRUNCATE:
        return blk_co_do_truncate(ask);
    case BLOCK_OP_FLUSH:
        break;
    }
    return blk_co_do_flush(ask);
}

/* In the caller's coroutine, which is in the backend's context meanwhile */
static int coroutine_fn blk_co_ask(struct ask *ask)
{
    AioContext *ctx = aio_context_current();

    tracked_request_begin_served(&ask->req, "blk", block_op_words[ask->op],
                                 blk_name(ask->blk), ask->offset, ask->bytes,
                                 ask->flags);
    blk_co_begin(ask->blk);
    aio_co_reschedule_self(blk_get_aio_context(ask->blk));
    bdrv_graph_co_rdlock();
    int ret = blk_co_do(ask);
    bdrv_graph_co_rdunlock();
    tracked_request_leave(&ask->req);
    tracked_request_end(&ask->req, ret);
    blk_dec_in_flight(ask->blk);
    aio_co_reschedule_self(ctx);
    return ret;
}

/* A request's own coroutine, entered as soon as nobody drains the backend */
static void blk_start(struct ask *ask, CoroutineEntry *entry, void *opaque,
                      struct bdrv_waiter *waiter)
{
    BlockBackend *blk = ask->blk;

    if (blk_begin_now(blk)) {
        tracked_request_start(&ask->req, blk_get_aio_context(blk), entry,
                              opaque);
        return;
    }
    Coroutine *co = coroutine_create(entry, opaque);
    tracked_request_give(&ask->req, co);
    *waiter = (struct bdrv_waiter){.co = co, .ctx = blk_get_aio_context(blk)};
    if (blk_begin_later(blk, waiter)) {
        bdrv_coroutine_enter(blk->root, co);
    }
}

/* --- with a waiter outside coroutines ------------------------------------ */

/* In the frame of the waiter. */
struct sync_ask {
    struct ask ask;
    struct bdrv_waiter waiter;
    int ret;   /* written before `done` */
    bool done; /* atomic: release in sync_done(), acquire in its waiter */
};

static void coroutine_fn sync_done(struct sync_ask *sync, int ret)
{
    BlockBackend *blk = sync->ask.blk;

    tracked_request_leave(&sync->ask.req);
    tracked_request_end(&sync->ask.req, ret);
    sync->ret = ret;
    ct_store_release(&sync->done, true);
    blk_dec_in_flight(blk);
}

/* One entry an operation, since traces show where a coroutine began. */
#define SYNC_ENTRY(name, how)                   \
    static void coroutine_fn name(void *opaque) \
    {                                           \
        struct sync_ask *sync = opaque;         \
                                                \
        tracked_request_serve(&sync->ask.req);  \
        bdrv_graph_co_rdlock();                 \
        int ret = how(&sync->ask);              \
        bdrv_graph_co_rdunlock();               \
        sync_done(sync, ret);                   \
    }

SYNC_ENTRY(blk_preadv_entry, blk_co_do_preadv)
SYNC_ENTRY(blk_pwritev_entry, blk_co_do_pwritev)
SYNC_ENTRY(blk_pdiscard_entry, blk_co_do_pdiscard)
SYNC_ENTRY(blk_flush_entry, blk_co_do_flush)
SYNC_ENTRY(blk_truncate_entry, blk_co_do_truncate)

static CoroutineEntry *const sync_entries[] = {
    [BLOCK_OP_READ] = blk_preadv_entry,
    [BLOCK_OP_WRITE] = blk_pwritev_entry,
    [BLOCK_OP_DISCARD] = blk_pdiscard_entry,
    [BLOCK_OP_FLUSH] = blk_flush_entry,
    [BLOCK_OP_TRUNCATE] = blk_truncate_entry,
};

static int blk_ask(struct ask ask)
{
    if (in_coroutine()) {
        return blk_co_ask(&ask);
    }

    struct sync_ask sync = {.ask = ask};
    BlockBackend *blk = ask.blk;
    tracked_request_begin(&sync.ask.req, "blk", block_op_words[ask.op],
                          blk_name(blk), ask.offset, ask.bytes, ask.flags);
    blk_start(&sync.ask, sync_entries[ask.op], &sync, &sync.waiter);
    BDRV_POLL_WHILE(blk->root, !ct_load_acquire(&sync.done));
    return sync.ret;
}

int blk_preadv(BlockBackend *blk, int64_t offset, const IOVector *vector)
{
    return blk_ask(ask_data(blk, BLOCK_OP_READ, offset, vector, 0));
}

int blk_pwritev(BlockBackend *blk, int64_t offset, const IOVector *vector,
                unsigned flags)
{
    return blk_ask(ask_data(blk, BLOCK_OP_WRITE, offset, vector, flags));
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

int blk_pwrite(BlockBackend *blk, int64_t offset, int64_t bytes,
               const void *buf, unsigned flags)
{
    struct iovec iov = {(void *)buf, (size_t)bytes};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = (size_t)bytes};

    if (bytes < 0) {
        return -EIO;
    }
    return blk_pwritev(blk, offset, &vector, flags);
}

static int vm_state(BlockBackend *blk, enum block_op op, int64_t offset,
                    int64_t bytes, void *buf)
{
    struct iovec iov = {buf, (size_t)bytes};
    IOVector vector = {.iov = &iov, .niov = 1, .bytes = (size_t)bytes};

    if (offset < 0 || bytes < 0 || bytes > BLOCK_REQUEST_BYTES_MAX) {
        return -EINVAL;
    }
    return blk_ask(ask_data(blk, op, offset, &vector, BDRV_REQ_VM_STATE));
}

int blk_save_vmstate(BlockBackend *blk, const void *buf, int64_t offset,
                     int64_t bytes)
{
    return vm_state(blk, BLOCK_OP_WRITE, offset, bytes, (void *)buf);
}

int blk_load_vmstate(BlockBackend *blk, void *buf, int64_t offset,
                     int64_t bytes)
{
    return vm_state(blk, BLOCK_OP_READ, offset, bytes, buf);
}

int blk_pwrite_zeroes(BlockBackend *blk, int64_t offset, int64_t bytes,
                      unsigned flags)
{
    return blk_ask(ask_range(blk, BLOCK_OP_WRITE, offset, bytes,
                             flags | BDRV_REQ_ZERO_WRITE));
}

int blk_pdiscard(BlockBackend *blk, int64_t offset, int64_t bytes)
{
    return blk_ask(ask_range(blk, BLOCK_OP_DISCARD, offset, bytes, 0));
}

int blk_flush(BlockBackend *blk)
{
    return blk_ask(ask_range(blk, BLOCK_OP_FLUSH, 0, 0, 0));
}

int blk_truncate(BlockBackend *blk, int64_t bytes)
{
    return blk_ask(ask_range(blk, BLOCK_OP_TRUNCATE, bytes, 0, 0));
}

int blk_truncate_prealloc(BlockBackend *blk, int64_t bytes, PreallocMode mode)
{
    return blk_ask(ask_range(blk, BLOCK_OP_TRUNCATE, bytes, 0, mode));
}

/* --- in a coroutine ------------------------------------------------------ */

int coroutine_fn blk_co_preadv(BlockBackend *blk, int64_t offset,
                               const IOVector *vector)
{
    struct ask ask = ask_data(blk, BLOCK_OP_READ, offset, vector, 0);

    return blk_co_ask(&ask);
}

int coroutine_fn blk_co_pwritev(BlockBackend *blk, int64_t offset,
                                const IOVector *vector, unsigned flags)
{
    struct ask ask = ask_data(blk, BLOCK_OP_WRITE, offset, vector, flags);

    return blk_co_ask(&ask);
}

int coroutine_fn blk_co_pwrite_zeroes(BlockBackend *blk, int64_t offset,
                                      int64_t bytes, unsigned flags)
{
    struct ask ask = ask_range(blk, BLOCK_OP_WRITE, offset, bytes,
                               flags | BDRV_REQ_ZERO_WRITE);

    return blk_co_ask(&ask);
}

int coroutine_fn blk_co_pdiscard(BlockBackend *blk, int64_t offset,
                                 int64_t bytes)
{
    struct ask ask = ask_range(blk, BLOCK_OP_DISCARD, offset, bytes, 0);

    return blk_co_ask(&ask);
}

int coroutine_fn blk_co_flush(BlockBackend *blk)
{
    struct ask ask = ask_range(blk, BLOCK_OP_FLUSH, 0, 0, 0);

    return blk_co_ask(&ask);
}

int coroutine_fn blk_co_truncate(BlockBackend *blk, int64_t bytes)
{
    struct ask ask = ask_range(blk, BLOCK_OP_TRUNCATE, bytes, 0, 0);

    return blk_co_ask(&ask);
}

/* --- status: a question about the image, no request of its user ---------- */

int coroutine_fn blk_co_block_status(BlockBackend *blk, int64_t offset,
                                     int64_t bytes, int64_t *ret_bytes)
{
    if (offset < 0 || bytes < 0) {
        return -EINVAL;
    }
    AioContext *ctx = aio_context_current();
    blk_co_begin(blk);
    aio_co_reschedule_self(blk_get_aio_context(blk));
    bdrv_graph_co_rdlock();
    int ret = bdrv_co_block_status(blk->root, offset, bytes, ret_bytes);
    bdrv_graph_co_rdunlock();
    blk_dec_in_flight(blk);
    aio_co_reschedule_self(ctx);
    return ret;
}

static void coroutine_fn blk_block_status_entry(void *opaque)
{
    struct sync_ask *sync = opaque;

    sync->ret = blk_co_block_status(sync->ask.blk, sync->ask.offset,
                                    sync->ask.bytes, sync->ask.ret_bytes);
    ct_store_release(&sync->done, true);
    aio_wait_kick();
}

int blk_block_status(BlockBackend *blk, int64_t offset, int64_t bytes,
                     int64_t *ret_bytes)
{
    if (in_coroutine()) {
        return blk_co_block_status(blk, offset, bytes, ret_bytes);
    }

    struct sync_ask sync = {
        .ask = {.blk = blk,
                .offset = offset,
                .bytes = bytes,
                .ret_bytes = ret_bytes},
    };
    bdrv_coroutine_enter(blk->root,
                         coroutine_create(blk_block_status_entry, &sync));
    BDRV_POLL_WHILE(blk->root, !ct_load_acquire(&sync.done));
    return sync.ret;
}

/* --- with a callback ----------------------------------------------------- */

enum aio_phase {
    AIO_STARTING,
    AIO_RETURNED, /* the starter has nothing more to do with it */
    AIO_DONE,     /* the coroutine has nothing more to do with it */
};

struct aio_request {
    struct ask ask;
    struct bdrv_waiter waiter;
    /* immutable */
    BlockCompletionFunc *cb;
    void *opaque;

    int ret;              /* written before the mark AIO_DONE */
    enum aio_phase phase; /* atomic, see the head of this file */
};

static void blk_aio_complete(struct aio_request *aio)
{
    BlockBackend *blk = aio->ask.blk;

    tracked_request_end(&aio->ask.req, aio->ret);
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
    tracked_request_leave(&aio->ask.req);
    aio->ret = ret;
    if (ct_xchg(&aio->phase, AIO_DONE) == AIO_RETURNED) {
        blk_aio_complete(aio);
    }
}

#define AIO_ENTRY(name, how)                    \
    static void coroutine_fn name(void *opaque) \
    {                                           \
        struct aio_request *aio = opaque;       \
                                                \
        tracked_request_serve(&aio->ask.req);   \
        bdrv_graph_co_rdlock();                 \
        int ret = how(&aio->ask);               \
        bdrv_graph_co_rdunlock();               \
        blk_aio_done(aio, ret);                 \
    }

AIO_ENTRY(blk_aio_read_entry, blk_co_do_preadv)
AIO_ENTRY(blk_aio_write_entry, blk_co_do_pwritev)
AIO_ENTRY(blk_aio_pdiscard_entry, blk_co_do_pdiscard)
AIO_ENTRY(blk_aio_flush_entry, blk_co_do_flush)

static CoroutineEntry *const aio_entries[] = {
    [BLOCK_OP_READ] = blk_aio_read_entry,
    [BLOCK_OP_WRITE] = blk_aio_write_entry,
    [BLOCK_OP_DISCARD] = blk_aio_pdiscard_entry,
    [BLOCK_OP_FLUSH] = blk_aio_flush_entry,
};

static void blk_aio_ask(struct ask ask, BlockCompletionFunc *cb, void *opaque)
{
    struct aio_request *aio = g_new(struct aio_request, 1);
    BlockBackend *blk = ask.blk;

    *aio = (struct aio_request){.ask = ask, .cb = cb, .opaque = opaque};
    tracked_request_begin(&aio->ask.req, "blk", block_op_words[ask.op],
                          blk_name(blk), ask.offset, ask.bytes, ask.flags);
    blk_start(&aio->ask, aio_entries[ask.op], aio, &aio->waiter);
    if (ct_xchg(&aio->phase, AIO_RETURNED) == AIO_DONE) {
        aio_bh_schedule_oneshot(blk_get_aio_context(blk), blk_aio_complete_bh,
                                aio);
    }
}

void blk_aio_preadv(BlockBackend *blk, int64_t offset, const IOVector *vector,
                    BlockCompletionFunc *cb, void *opaque)
{
    blk_aio_ask(ask_data(blk, BLOCK_OP_READ, offset, vector, 0), cb, opaque);
}

void blk_aio_pwritev(BlockBackend *blk, int64_t offset, const IOVector *vector,
                     unsigned flags, BlockCompletionFunc *cb, void *opaque)
{
    blk_aio_ask(ask_data(blk, BLOCK_OP_WRITE, offset, vector, flags), cb,
                opaque);
}

void blk_aio_pwrite_zeroes(BlockBackend *blk, int64_t offset, int64_t bytes,
                           unsigned flags, BlockCompletionFunc *cb,
                           void *opaque)
{
    blk_aio_ask(ask_range(blk, BLOCK_OP_WRITE, offset, bytes,
                          flags | BDRV_REQ_ZERO_WRITE),
                cb, opaque);
}

void blk_aio_pdiscard(BlockBackend *blk, int64_t offset, int64_t bytes,
                      BlockCompletionFunc *cb, void *opaque)
{
    blk_aio_ask(ask_range(blk, BLOCK_OP_DISCARD, offset, bytes, 0), cb, opaque);
}

void blk_aio_flush(BlockBackend *blk, BlockCompletionFunc *cb, void *opaque)
{
    blk_aio_ask(ask_range(blk, BLOCK_OP_FLUSH, 0, 0, 0), cb, opaque);
}
