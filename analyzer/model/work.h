/* SPDX-License-Identifier: MIT */
/*
 * model/work.h - the lives of work items
 *
 * Model:    queued, runs, done; gone when its completion was told.
 * Threads:  one pass, one thread.
 * Memory:   a work item is the model's, and holds a reference to its origin.
 * Errors:   none.
 * Depends:  ct/step.h, model/state/state.h.
 */
#ifndef CT_MODEL_WORK_H
#define CT_MODEL_WORK_H

#include "ct/step.h"
#include "model/state/state.h"

void ct_work_step(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step);
void ct_work_told(struct ct_model *model, struct ct_process *process,
                  const struct ct_step *step);
void ct_work_end(struct ct_model *model, struct ct_work *work, bool end_known);

#endif
