/* SPDX-License-Identifier: MIT */
/*
 * model/coroutines.h - the lives of coroutines
 *
 * Model:    created, runs, waits, ends; beside it: it was woken.
 * Threads:  one pass, one thread.
 * Memory:   a coroutine is the model's, and holds a reference to its origin.
 * Errors:   none.
 * Depends:  ct/step.h, model/state/state.h.
 */
#ifndef CT_MODEL_COROUTINES_H
#define CT_MODEL_COROUTINES_H

#include "ct/step.h"
#include "model/state/state.h"

/** ct_co_get() - the coroutine, made (its begin unseen) if it is not known */
struct ct_co *ct_co_get(struct ct_model *model, struct ct_process *process,
                        const struct ct_step *step, uint64_t id);
void ct_co_step(struct ct_model *model, struct ct_thread *thread,
                const struct ct_step *step);
void ct_co_told(struct ct_model *model, struct ct_process *process,
                const struct ct_step *step);

/** ct_co_end() - it is gone; takes it out and frees it */
void ct_co_end(struct ct_model *model, struct ct_co *co, bool end_known);

/** ct_co_edge() - what will enter it next; the first one counts */
void ct_co_edge(const struct ct_model *model, struct ct_co *co,
                enum ct_edge_kind kind, int32_t tid);

/** ct_co_work_told() - an item was told; somebody may be waiting for it */
void ct_co_work_told(struct ct_model *model, struct ct_process *process,
                     struct ct_work *work);

/** ct_co_completed() - the work item that it may be waiting for was */
void ct_co_completed(struct ct_model *model, struct ct_co *co,
                     const struct ct_step *step);

#endif
