/* SPDX-License-Identifier: MIT */
/*
 * model/workers.h - workers, from the request for one more to their end
 *
 * Model:    requested, created, started, idle or busy, gone.
 * Threads:  one pass, one thread.
 * Memory:   nothing is held.
 * Errors:   none.
 * Depends:  ct/step.h, model/state/state.h.
 */
#ifndef CT_MODEL_WORKERS_H
#define CT_MODEL_WORKERS_H

#include "ct/step.h"
#include "model/state/state.h"

void ct_worker_step(struct ct_model *model, struct ct_thread *thread,
                    const struct ct_step *step);
void ct_worker_told(struct ct_model *model, struct ct_process *process,
                    const struct ct_step *step);

/** ct_worker_busy() - the worker took an item, or has none any more */
void ct_worker_busy(struct ct_model *model, struct ct_process *process,
                    const struct ct_step *step, uint64_t worker, bool is_busy);

#endif
