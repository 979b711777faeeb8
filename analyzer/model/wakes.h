/* SPDX-License-Identifier: MIT */
/*
 * model/wakes.h - who woke whom by an eventfd
 *
 * Model:    the first write to an eventfd ended the wait on it.
 * Threads:  one pass, one thread.
 * Memory:   nothing is held.
 * Errors:   none.
 * Depends:  ct/step.h, model/state/state.h.
 */
#ifndef CT_MODEL_WAKES_H
#define CT_MODEL_WAKES_H

#include "ct/step.h"
#include "model/state/state.h"

/** ct_wake_step() - an eventfd is written to, or has ended a wait */
void ct_wake_step(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step);

#endif
