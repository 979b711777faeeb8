/* SPDX-License-Identifier: MIT */
/*
 * task.c - AioTaskPool: tasks as coroutines, a limited number at once
 *
 * One coroutine starts the tasks and is the only one that waits; a task that
 * ends while it does wakes it.  All run in one context, so nothing is locked.
 */
#include "coroutine/coroutine_int.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"
#include "ct/sync.h"

struct AioTaskPool {
    uint64_t id;
    Coroutine *main_co; /* whose pool it is */
    int max_busy_tasks;
    int busy_tasks;
    int status;      /* first negative result */
    bool is_waiting; /* main_co has yielded until a task ends */
};

AioTaskPool *aio_task_pool_new(int max_busy_tasks)
{
    AioTaskPool *pool = g_new0(AioTaskPool, 1);

    ct_pre("aio-task-pool-new/max", max_busy_tasks > 0);
    ct_pre("aio-task-pool-new/in-coroutine", in_coroutine());
    pool->id = ct_id_new();
    pool->main_co = coroutine_self();
    pool->max_busy_tasks = max_busy_tasks;
    return pool;
}

void aio_task_pool_free(AioTaskPool *pool)
{
    ct_pre("aio-task-pool-free/busy", pool == NULL || pool->busy_tasks == 0);
    g_free(pool);
}

/* Entry of each task's coroutine. */
static void coroutine_fn aio_task_co(void *opaque)
{
    AioTask *task = opaque;
    AioTaskPool *pool = task->pool;

    pool->busy_tasks++;
    task->ret = task->func(task);
    pool->busy_tasks--;
    if (task->ret < 0 && pool->status == 0) {
        pool->status = task->ret;
    }
    g_free(task);
    if (pool->is_waiting) {
        pool->is_waiting = false;
        aio_co_wake(pool->main_co);
    }
}

void coroutine_fn aio_task_pool_wait_one(AioTaskPool *pool)
{
    ct_pre("aio-task-pool-wait/main-co", coroutine_self() == pool->main_co);
    ct_pre("aio-task-pool-wait/busy", pool->busy_tasks > 0);
    pool->is_waiting = true;
    coroutine_yield_for(CT_YIELD_REASON_CHILDREN, pool->id);
    ct_pre("aio-task-pool-wait/woken", !pool->is_waiting);
}

void coroutine_fn aio_task_pool_wait_slot(AioTaskPool *pool)
{
    /* Several may end before the one that waits is entered. */
    while (pool->busy_tasks >= pool->max_busy_tasks) {
        aio_task_pool_wait_one(pool);
    }
}

void coroutine_fn aio_task_pool_wait_all(AioTaskPool *pool)
{
    while (pool->busy_tasks > 0) {
        aio_task_pool_wait_one(pool);
    }
}

void coroutine_fn aio_task_pool_start_task(AioTaskPool *pool, AioTask *task)
{
    ct_pre("aio-task-pool-start/pool", task->pool == pool);
    aio_task_pool_wait_slot(pool);
    coroutine_start(aio_task_co, task);
}

int aio_task_pool_status(const AioTaskPool *pool)
{
    return pool->status;
}

bool aio_task_pool_empty(const AioTaskPool *pool)
{
    return pool->busy_tasks == 0;
}
