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
    const struct read_task *t = (const struct read_task *)task;

    tracked_request_adopt(t->request);
    int ret = qcow2_co_preadv_task(t);
    return ret;
}

/* @pool: NULL: in the calling coroutine */
static int coroutine_fn qcow2_add_task(AioTaskPool *pool, struct read_task *t)
{
    t->request = tracked_request_current();
    if (pool == NULL) {
        int ret = qcow2_co_preadv_task_entry(&t->task);
        return ret;
    }

    struct read_task *task = g_new(struct read_task, 1);
    *task = *t;
    task->task.pool = pool;
    task->task.func = qcow2_co_preadv_task_entry;
    aio_task_pool_start_task(pool, &task->task);
    return 0;
}

/* How much lies together at t->offset, and where; t->bytes: in and out. */
static int coroutine_fn find_piece(struct read_task *t)
{
    struct qcow2_state *s = t->bs->opaque;

    co_mutex_lock(&s->lock);
    int ret =
        qcow2_get_host_offset(t->bs, t->offset, &t->bytes, &t->host, &t->type);
    co_mutex_unlock(&s->lock);
    return ret;
}

static bool is_zero(const struct read_task *t)
{
    return t->type == QCOW2_CLUSTER_UNALLOCATED ||
           t->type == QCOW2_CLUSTER_ZERO;
}

/* Room for one more task; Return: 0, or the error of one that has ended */
static int coroutine_fn wait_slot(AioTaskPool *pool)
{
    if (pool == NULL) {
        return 0;
    }
    aio_task_pool_wait_slot(pool);
    return aio_task_pool_status(pool);
}

/* Return: 0, or the first error of any task; NULL: none was needed */
static int coroutine_fn end_tasks(AioTaskPool *pool)
{
    int ret = 0;

    if (pool != NULL) {
        aio_task_pool_wait_all(pool);
        ret = aio_task_pool_status(pool);
        aio_task_pool_free(pool);
    }
    return ret;
}

int coroutine_fn qcow2_co_preadv_part(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, const IOVector *vector,
                                      size_t offset_in, unsigned flags)
{
    AioTaskPool *pool = NULL;
    uint64_t left = (uint64_t)bytes;
    struct read_task t = {
        .bs = bs,
        .offset = (uint64_t)offset,
        .vector = vector,
        .offset_in = offset_in,
    };
    int ret = 0;

    while (ret == 0 && left > 0) {
        t.bytes = left;
        ret = find_piece(&t);
        if (ret < 0) {
            break;
        }
        if (is_zero(&t)) {
            io_vector_memset(vector, t.offset_in, 0, (size_t)t.bytes);
        } else {
            if (pool == NULL && t.bytes < left) {
                pool = aio_task_pool_new(TASKS_MAX);
            }
            ret = wait_slot(pool);
            if (ret == 0) {
                ret = qcow2_add_task(pool, &t);
            }
        }
        t.offset += t.bytes;
        t.offset_in += (size_t)t.bytes;
        left -= t.bytes;
    }
    int task_ret = end_tasks(pool);
    return ret < 0 ? ret : task_ret;
}
