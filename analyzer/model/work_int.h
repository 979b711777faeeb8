/* SPDX-License-Identifier: MIT */
/*
 * model/work_int.h - between work items and the pools that run them
 *
 * Depends:  model/model_int.h.
 */
#ifndef CT_MODEL_WORK_INT_H
#define CT_MODEL_WORK_INT_H

#include "model/model_int.h"

/* pools.c */
struct ct_pool *ct_pool_get(struct ct_model *model, struct ct_process *process,
                            const struct ct_step *step, uint64_t id);
void ct_worker_step(struct ct_model *model, struct ct_thread *thread,
                    const struct ct_step *step);

/** ct_worker_busy() - the worker took an item, or has none any more */
void ct_worker_busy(struct ct_model *model, struct ct_process *process,
                    const struct ct_step *step, uint64_t worker, bool is_busy);

#endif
