/* SPDX-License-Identifier: MIT */
/*
 * read.c - reading the guest's disk
 *
 * A request is cut where clusters stop lying together in the file.  A request
 * that is one piece is read by its own coroutine; of several, each that needs
 * the file becomes a task, so that they are read at the same time:
 *
 *   qcow2_co_preadv_part -> qcow2_add_task
 *     -> (aio_task_co) -> qcow2_co_preadv_task_entry -> qcow2_co_preadv_task
 *
 * Tasks work for the request that started them: requests that they make below
 * have it as parent.
 *
 * After an error no further piece is started; those that run are waited for,
 * since they write to the caller's buffers.
 */
#include <errno.h>
#include <inttypes.h>

#include "block/drivers/qcow2/qcow2.h"
#include "block/tracked.h"

/* Tasks of one request at a time. */
#define TASKS_MAX 8

struct read_task {
    AioTask task; /* first: see ct/sync.h */
    BlockDriverState *bs;
    enum qcow2_cluster type;
    uint64_t host;
    uint64_t offset;
    uint64_t bytes;
    const IOVector *vector;
    size_t offset_in;
    uint64_t request;
};

static int coroutine_fn qcow2_co_preadv_task(const struct read_task *t)
{
    struct qcow2_state *s = t->bs->opaque;

    if (t->type == QCOW2_CLUSTER_COMPRESSED) {
        bdrv_fault(t->bs,
                   "compressed clusters are not supported "
                   "(guest offset %" PRIu64 ")",
                   t->offset);
        return -ENOTSUP;
    }
    /* Only bytes inside the guest's disk are asked for; all of them exist. */
    if (t->host + t->bytes > s->file_bytes) {
        bdrv_fault(t->bs,
                   "cut short: guest offset %" PRIu64 " needs bytes %" PRIu64
                   " to %" PRIu64 ", the file has %" PRIu64,
                   t->offset, t->host, t->host + t->bytes, s->file_bytes);
        return -EIO;
    }
    int ret =
        bdrv_co_preadv_part(t->bs->file, (int64_t)t->host, (int64_t)t->bytes,
                            t->vector, t->offset_in, 0);
    return ret;
}

static int coroutine_fn qcow2_co_preadv_task_entry(AioTask *task)
{
    struct read_task *t = (struct read_task *)task;

    tracked_request_adopt(t->request);
    int ret = qcow2_co_preadv_task(t);
    return ret;
}

/* @pool: NULL: in the calling coroutine */
static int coroutine_fn qcow2_add_task(AioTaskPool *pool,
                                       const struct read_task *t)
{
    if (pool == NULL) {
        int ret = qcow2_co_preadv_task(t);
        return ret;
    }

    struct read_task *task = g_new(struct read_task, 1);
    *task = *t;
    task->task.pool = pool;
    task->task.func = qcow2_co_preadv_task_entry;
    task->request = tracked_request_current();
    aio_task_pool_start_task(pool, &task->task);
    return 0;
}

/* Reads what lies together at t->offset; t->bytes: in and out. */
static int coroutine_fn read_piece(struct read_task *t, bool is_all,
                                   AioTaskPool **pool)
{
    struct qcow2_state *s = t->bs->opaque;
    uint64_t wanted = t->bytes;

    co_mutex_lock(&s->lock);
    int ret =
        qcow2_get_host_offset(t->bs, t->offset, &t->bytes, &t->host, &t->type);
    co_mutex_unlock(&s->lock);
    if (ret < 0) {
        return ret;
    }
    if (t->type == QCOW2_CLUSTER_UNALLOCATED || t->type == QCOW2_CLUSTER_ZERO) {
        io_vector_memset(t->vector, t->offset_in, 0, (size_t)t->bytes);
        return 0;
    }
    if (*pool == NULL && !(is_all && t->bytes == wanted)) {
        *pool = aio_task_pool_new(TASKS_MAX);
    }
    ret = qcow2_add_task(*pool, t);
    return ret;
}

int coroutine_fn qcow2_co_preadv_part(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, const IOVector *vector,
                                      size_t offset_in, unsigned flags)
{
    AioTaskPool *pool = NULL;
    uint64_t done = 0;
    int ret = 0;

    while (ret == 0 && done < (uint64_t)bytes) {
        struct read_task t = {
            .bs = bs,
            .offset = (uint64_t)offset + done,
            .bytes = (uint64_t)bytes - done,
            .vector = vector,
            .offset_in = offset_in + (size_t)done,
        };
        ret = read_piece(&t, done == 0, &pool);
        done += t.bytes;
        if (ret == 0 && pool != NULL) {
            ret = aio_task_pool_status(pool);
        }
    }
    if (pool != NULL) {
        aio_task_pool_wait_all(pool);
        if (ret == 0) {
            ret = aio_task_pool_status(pool);
        }
        aio_task_pool_free(pool);
    }
    return ret;
}
