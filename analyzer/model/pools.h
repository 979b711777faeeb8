/* SPDX-License-Identifier: MIT */
/*
 * model/pools.h - pools, and how many items and workers each has
 *
 * Model:    a worker is counted by its phase, a spawn request until a worker
 *           answers it.
 * Threads:  one pass, one thread.
 * Memory:   pools and workers are the model's; both a worker and a spawn
 *           request hold a reference to an origin.
 * Errors:   none.
 * Depends:  ct/step.h, model/state/state.h.
 */
#ifndef CT_MODEL_POOLS_H
#define CT_MODEL_POOLS_H

#include "ct/step.h"
#include "model/state/state.h"

/** ct_pool_get() - the pool, made if it is new */
struct ct_pool *ct_pool_get(struct ct_model *model, struct ct_process *process,
                            const struct ct_step *step, uint64_t id);
void ct_pool_free(struct ct_model *model, struct ct_pool *pool);

/** ct_pool_tell_awaited() - told when it changes, which is seldom */
void ct_pool_tell_awaited(struct ct_model *model, const struct ct_pool *pool);

/** ct_pool_set_max() - how many workers it may have; 0: the trace has not said
 */
void ct_pool_set_max(struct ct_model *model, struct ct_pool *pool,
                     uint32_t max);

/** ct_pool_told_all() - a telling was complete: all workers are known */
void ct_pool_told_all(struct ct_model *model, struct ct_process *process);

/** ct_pool_add_spawn() - a new last request for one more; the caller fills it
 */
struct ct_spawn *ct_pool_add_spawn(struct ct_model *model,
                                   struct ct_pool *pool);

/** ct_pool_take_spawn() - the @nth request, if it is there
 * @ret_spawn: with its reference */
bool ct_pool_take_spawn(struct ct_pool *pool, uint64_t nth,
                        struct ct_spawn *ret_spawn);

/** ct_pool_forget_spawns() - nobody will answer them */
void ct_pool_forget_spawns(struct ct_pool *pool);

/** ct_worker_get() - the worker, made if it is new */
struct ct_worker *ct_worker_get(struct ct_model *model,
                                struct ct_process *process,
                                const struct ct_step *step, uint64_t id,
                                bool is_begin);

/** ct_worker_set_phase() - it is counted there from now on */
void ct_worker_set_phase(struct ct_model *model, struct ct_worker *worker,
                         enum ct_worker_phase phase);
void ct_worker_end(struct ct_model *model, struct ct_worker *worker,
                   bool end_known);

#endif
