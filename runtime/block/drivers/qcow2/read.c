/* SPDX-License-Identifier: MIT */
/*
 * read.c - reading the guest's disk
 *
 *   qcow2_co_preadv_part -> qcow2_add_task
 *     -> (aio_task_co) -> qcow2_co_preadv_task_entry -> qcow2_co_preadv_task
 *
 * What the image does not have is the backing file's, or zeroes.  A machine's
 * state, which lies behind the disk, is never the backing file's.
 *
 * After an error no further piece is started; those that run are waited for,
 * since they write to the caller's buffers.
 */
#include <errno.h>
#include <inttypes.h>

#include "block/drivers/qcow2/qcow2.h"

static int coroutine_fn qcow2_co_preadv_task(const struct qcow2_task *t)
{
    uint64_t file_bytes = (uint64_t)bdrv_length(t->bs->file);
    int ret;

    switch (t->type) {
    case QCOW2_CLUSTER_UNALLOCATED:
        ret =
            bdrv_co_preadv_part(t->bs->backing, (int64_t)t->offset,
                                (int64_t)t->bytes, t->vector, t->offset_in, 0);
        return ret;
    case QCOW2_CLUSTER_COMPRESSED:
        ret = qcow2_co_preadv_compressed(t);
        return ret;
    default:
        break;
    }
    /* Only bytes inside the guest's disk are asked for; all of them exist. */
    if (t->host + t->bytes > file_bytes) {
        bdrv_fault(t->bs,
                   "cut short: guest offset %" PRIu64 " needs bytes %" PRIu64
                   " to %" PRIu64 ", the file has %" PRIu64,
                   t->offset, t->host, t->host + t->bytes, file_bytes);
        return -EIO;
    }
    ret = bdrv_co_preadv_part(t->bs->file, (int64_t)t->host, (int64_t)t->bytes,
                              t->vector, t->offset_in, 0);
    return ret;
}

static int coroutine_fn qcow2_co_preadv_task_entry(AioTask *task)
{
    const struct qcow2_task *t = (const struct qcow2_task *)task;

    qcow2_adopt_task(t);
    int ret = qcow2_co_preadv_task(t);
    return ret;
}

static bool is_zero(const struct qcow2_task *t, unsigned flags)
{
    bool has_backing = t->bs->backing != NULL && !(flags & BDRV_REQ_VM_STATE);

    return t->type == QCOW2_CLUSTER_ZERO ||
           (t->type == QCOW2_CLUSTER_UNALLOCATED && !has_backing);
}

int coroutine_fn qcow2_co_preadv_part(BlockDriverState *bs, int64_t offset,
                                      int64_t bytes, const IOVector *vector,
                                      size_t offset_in, unsigned flags)
{
    AioTaskPool *pool = NULL;
    uint64_t left = (uint64_t)bytes;
    struct qcow2_task t = {
        .bs = bs,
        .offset = (uint64_t)offset,
        .vector = vector,
        .offset_in = offset_in,
    };
    int ret = 0;

    while (ret == 0 && left > 0) {
        /* Before the place is looked up: once it is, the read has to be among
         * the file's requests before anybody can free the cluster. */
        ret = qcow2_wait_slot(pool);
        if (ret < 0) {
            break;
        }
        t.bytes = left;
        ret = qcow2_co_look_up(bs, t.offset, &t.bytes, &t.host, &t.type);
        if (ret < 0) {
            break;
        }
        if (is_zero(&t, flags)) {
            io_vector_memset(vector, t.offset_in, 0, (size_t)t.bytes);
        } else {
            if (pool == NULL && t.bytes < left) {
                pool = aio_task_pool_new(QCOW2_TASKS_MAX);
            }
            ret = qcow2_add_task(pool, qcow2_co_preadv_task_entry, &t);
        }
        t.offset += t.bytes;
        t.offset_in += (size_t)t.bytes;
        left -= t.bytes;
    }
    int task_ret = qcow2_end_tasks(pool);
    return ret < 0 ? ret : task_ret;
}
