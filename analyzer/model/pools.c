/* SPDX-License-Identifier: MIT */
/*
 * Pools: how many items and workers each has, and the requests for one more
 * worker that nobody has answered yet.
 *
 * Whether a queued item waits for a worker or for a spawn can be said only
 * while the counts are complete: since the pool's first spawn request, or since
 * a telling listed all workers, and not over a gap.
 */
#include "model/pools.h"

#include <string.h>

#include <glib.h>

#include "model/state/changes.h"

enum { SPAWNS_MAX = 1024 }; /* requests that nobody answers */

struct ct_pool *ct_pool_get(struct ct_model *model, struct ct_process *process,
                            const struct ct_step *step, uint64_t id)
{
    struct ct_pool *pool = ct_table_get(&process->pools, id);

    if (!pool) {
        pool = ct_slab_new(&model->pools);
        ct_entity_init(model, &pool->entity, step, id, false);
        ct_table_put(&process->pools, id, pool);
        process->n_pools += id != 0;
        pool->nth = process->n_pools;
    }
    return pool;
}

void ct_pool_forget_spawns(struct ct_pool *pool)
{
    for (unsigned i = 0; i < pool->n_spawns; i++) {
        ct_origin_unref(pool->spawns[i].next);
    }
    pool->n_spawns = 0;
    pool->awaited = 0;
}

void ct_pool_free(struct ct_model *model, struct ct_pool *pool)
{
    ct_pool_forget_spawns(pool);
    g_free(pool->spawns);
    ct_table_take(&pool->entity.process->pools, pool->entity.id);
    ct_slab_free(&model->pools, pool);
}

/* All that came to be was told since there was nothing, or since a telling. */
static bool is_counted(const struct ct_model *model, const struct ct_pool *pool)
{
    return !model->in_gap &&
           (pool->known_epoch == model->epoch ||
            ct_process_is_counted(model, pool->entity.process));
}

static void tell_counts(struct ct_model *model, const struct ct_pool *pool)
{
    const struct ct_process *process = pool->entity.process;

    if (!is_counted(model, pool)) {
        return;
    }
    ct_model_counter(model, process, CT_COUNTER_WORKERS_BUSY, pool->entity.id,
                     (uint64_t)MAX(pool->busy, 0));
    ct_model_counter(model, process, CT_COUNTER_WORKERS_IDLE, pool->entity.id,
                     (uint64_t)MAX(pool->idle, 0));
}

void ct_pool_tell_awaited(struct ct_model *model, const struct ct_pool *pool)
{
    if (is_counted(model, pool)) {
        ct_model_counter(model, pool->entity.process,
                         CT_COUNTER_WORKERS_AWAITED, pool->entity.id,
                         (uint64_t)MAX(pool->awaited, 0));
    }
}

void ct_pool_set_max(struct ct_model *model, struct ct_pool *pool, uint32_t max)
{
    if (!max || max == pool->max) {
        return;
    }
    pool->max = max;
    ct_model_counter(model, pool->entity.process, CT_COUNTER_WORKERS_MAX,
                     pool->entity.id, max);
}

void ct_worker_set_phase(struct ct_model *model, struct ct_worker *worker,
                         enum ct_worker_phase phase)
{
    struct ct_pool *pool = worker->pool;

    if (worker->phase == phase) {
        return;
    }
    pool->idle -= worker->phase == CT_WORKER_IDLE;
    pool->busy -= worker->phase == CT_WORKER_BUSY;
    pool->idle += phase == CT_WORKER_IDLE;
    pool->busy += phase == CT_WORKER_BUSY;
    if (worker->awaited && phase != CT_WORKER_CREATED) {
        worker->awaited = false;
        pool->awaited--;
        ct_pool_tell_awaited(model, pool);
    }
    worker->phase = (uint8_t)phase;
    tell_counts(model, pool);
}

struct ct_worker *ct_worker_get(struct ct_model *model,
                                struct ct_process *process,
                                const struct ct_step *step, uint64_t id,
                                bool is_begin)
{
    struct ct_worker *worker = ct_table_get(&process->workers, id);

    if (!worker) {
        worker = ct_slab_new(&model->workers);
        ct_entity_init(model, &worker->entity, step, id, is_begin);
        worker->pool = ct_pool_get(model, process, step, step->context);
        ct_table_put(&process->workers, id, worker);
    }
    return worker;
}

void ct_worker_end(struct ct_model *model, struct ct_worker *worker,
                   bool end_known)
{
    struct ct_life *life = ct_model_life(
        model, CT_ENTITY_WORKER, &worker->entity, worker->origin, end_known);
    if (life) {
        life->context = worker->pool->entity.id;
        life->name = worker->thread ? worker->thread->name : NULL;
        life->stack = worker->stack;
        life->stack_ns = worker->stack_ns;
    }
    ct_worker_set_phase(model, worker, CT_WORKER_UNKNOWN);
    if (worker->thread) {
        worker->thread->worker = NULL;
    }
    ct_table_take(&worker->entity.process->workers, worker->entity.id);
    ct_origin_unref(worker->origin);
    ct_slab_free(&model->workers, worker);
}

/* --- requests for one more --------------------------------------------- */

struct ct_spawn *ct_pool_add_spawn(struct ct_model *model, struct ct_pool *pool)
{
    if (pool->n_spawns == SPAWNS_MAX) {
        ct_model_odd(model);
        ct_origin_unref(pool->spawns[0].next);
        pool->n_spawns--;
        memmove(pool->spawns, pool->spawns + 1,
                pool->n_spawns * sizeof(*pool->spawns));
    }
    if (pool->n_spawns == pool->spawns_capacity) {
        pool->spawns_capacity = MAX(8, pool->spawns_capacity * 2);
        pool->spawns =
            g_renew(struct ct_spawn, pool->spawns, pool->spawns_capacity);
    }
    return &pool->spawns[pool->n_spawns++];
}

bool ct_pool_take_spawn(struct ct_pool *pool, uint64_t nth,
                        struct ct_spawn *ret_spawn)
{
    for (unsigned i = 0; i < pool->n_spawns; i++) {
        if (pool->spawns[i].nth == nth) {
            *ret_spawn = pool->spawns[i];
            pool->n_spawns--;
            memmove(pool->spawns + i, pool->spawns + i + 1,
                    (pool->n_spawns - i) * sizeof(*pool->spawns));
            return true;
        }
    }
    return false;
}

void ct_pool_told_all(struct ct_model *model, struct ct_process *process)
{
    uint32_t pos = 0;
    struct ct_pool *pool;
    struct ct_worker *worker;

    while ((pool = ct_table_each(&process->pools, &pos))) {
        if (pool->known_epoch == model->epoch) {
            continue;
        }
        pool->awaited = 0;
        for (unsigned i = 0; i < pool->n_spawns; i++) {
            pool->awaited += pool->spawns[i].epoch == model->epoch;
        }
    }
    pos = 0;
    while ((worker = ct_table_each(&process->workers, &pos))) {
        pool = worker->pool;
        if (pool && pool->known_epoch != model->epoch) {
            worker->awaited = worker->phase == CT_WORKER_CREATED;
            pool->awaited += worker->awaited;
        }
    }
    pos = 0;
    while ((pool = ct_table_each(&process->pools, &pos))) {
        pool->known_epoch = model->epoch;
    }
}
