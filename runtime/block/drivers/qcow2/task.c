/* SPDX-License-Identifier: MIT */
/*
 * task.c - the pieces of one request, several at a time
 *
 * A request is cut where clusters stop lying together in the file.  A request
 * that is one piece is served by its own coroutine; of several, each that
 * needs I/O becomes a task, in a coroutine of its own.
 *
 * Tasks work for the request that started them: requests that they make below
 * have it as parent, and its hold of the graph's lock is theirs.
 */
#include "block/drivers/qcow2/qcow2.h"
#include "block/graph.h"
#include "request/tracked.h"

static void coroutine_fn remember_asker(struct qcow2_task *task)
{
    task->request = tracked_request_current();
    task->graph_reads = bdrv_graph_co_reads();
}

void coroutine_fn qcow2_adopt_task(const struct qcow2_task *task)
{
    tracked_request_adopt(task->request);
    bdrv_graph_co_adopt(task->graph_reads);
}

int coroutine_fn qcow2_add_task(AioTaskPool *pool, AioTaskFunc *func,
                                const struct qcow2_task *task)
{
    struct qcow2_task *own;

    if (pool == NULL) {
        struct qcow2_task here = *task;
        remember_asker(&here);
        int ret = func(&here.task);
        return ret;
    }
    own = g_new(struct qcow2_task, 1);
    *own = *task;
    remember_asker(own);
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
