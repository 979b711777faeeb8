/* SPDX-License-Identifier: MIT */
/*
 * model/gaps.h - what a loss makes unknown
 *
 * Model:    in a gap nothing is sure; a telling that began after it makes sure
 *           what it lists, and ends what it does not list.
 * Threads:  one pass, one thread.
 * Memory:   nothing is held.
 * Errors:   none.
 * Depends:  ct/step.h, model/state/state.h.
 */
#ifndef CT_MODEL_GAPS_H
#define CT_MODEL_GAPS_H

#include "ct/step.h"
#include "model/state/state.h"

void ct_gap_begin(struct ct_model *model, const struct ct_step *step);
void ct_telling_step(struct ct_model *model, struct ct_process *process,
                     struct ct_thread *thread, const struct ct_step *step);

/** ct_process_end() - everything that lives in it is over */
void ct_process_end(struct ct_model *model, struct ct_process *process);

#endif
