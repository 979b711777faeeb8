/* SPDX-License-Identifier: MIT */
/*
 * model/locks.h - who holds each CoMutex, and who waits for it
 *
 * Model:    a lock is remembered while it is held or waited for.
 * Threads:  one pass, one thread.
 * Memory:   a lock is the model's.
 * Errors:   none.
 * Depends:  ct/step.h, model/state/state.h.
 */
#ifndef CT_MODEL_LOCKS_H
#define CT_MODEL_LOCKS_H

#include "ct/step.h"
#include "model/state/state.h"

void ct_lock_step(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step);
void ct_lock_told(struct ct_model *model, struct ct_process *process,
                  const struct ct_step *step);

/** ct_lock_wait() - @co waits for the lock that it names, behind all others */
void ct_lock_wait(struct ct_model *model, struct ct_co *co,
                  const struct ct_step *step);

/** ct_lock_leave() - @co waits for none any more */
void ct_lock_leave(struct ct_model *model, struct ct_co *co);

/** ct_lock_free() - forget it; nobody waits for it then */
void ct_lock_free(struct ct_model *model, struct ct_lock *lock);

#endif
