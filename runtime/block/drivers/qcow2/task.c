/* SPDX-License-Identifier: MIT */
/*
 * task.c - the pieces of one request, several at a time
 *
 * A request is cut where clusters stop lying together in the file.  A request
 * that is one piece is served by its own coroutine; of several, each that
 * needs I/O becomes a task, in a coroutine of its own.
 *
 * Tasks work for the request that started them: requests that they make below
 * have it as parent.
 */
#include "block/drivers/qcow2/qcow2.h"
#include "request/tracked.h"

int coroutine_fn qcow2_add_task(AioTaskPool *pool, AioTaskFunc *func,
                                const struct qcow2_task *task)
{
    struct qcow2_task *own;

    if (pool == NULL) {
        struct qcow2_task here = *task;
        here.request = tracked_request_current();
        int ret = func(&here.task);
        return ret;
    }
    own = g_new(struct qcow2_task, 1);
    *own = *task;
    own->request = tracked_request_current();
    own->task.pool = pool;
    own->task.func = func;
    aio_task_pool_start_task(pool, &own->task);
    return 0;
}

int coroutine_fn qcow2_wait_slot(AioTaskPool *pool)
{
    if (pool == NULL) {
        return 0;
    }
    aio_task_pool_wait_slot(pool);
    return aio_task_pool_status(pool);
}

int coroutine_fn qcow2_end_tasks(AioTaskPool *pool)
{
    int ret = 0;

    if (pool != NULL) {
        aio_task_pool_wait_all(pool);
        ret = aio_task_pool_status(pool);
        aio_task_pool_free(pool);
    }
    return ret;
}
