/* SPDX-License-Identifier: MIT */
/*
 * model/loops.h - contexts, their turns, and what is pending in them
 *
 * Model:    a context takes turns; a turn runs what is pending: bottom halves,
 *           timers, handlers.
 * Threads:  one pass, one thread.
 * Memory:   contexts and callbacks are the model's.
 * Errors:   none.
 * Depends:  ct/step.h, model/state/state.h.
 */
#ifndef CT_MODEL_LOOPS_H
#define CT_MODEL_LOOPS_H

#include "ct/step.h"
#include "model/state/state.h"

void ct_loop_step(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step);
void ct_context_told(struct ct_model *model, struct ct_process *process,
                     const struct ct_step *step);
void ct_context_end(struct ct_model *model, struct ct_context *context,
                    bool end_known);

/** ct_context_scheduled() - @co is in the queue of @context; 0: of none */
void ct_context_scheduled(struct ct_model *model, struct ct_co *co,
                          uint64_t context);

void ct_callback_free(struct ct_model *model, struct ct_table *table,
                      struct ct_callback *callback);
void ct_callbacks_free(struct ct_model *model, struct ct_table *table);

/** ct_callback_missed() - a telling was complete: forget it in the end if it
 * has been in doubt for long */
void ct_callback_missed(struct ct_model *model, struct ct_table *table,
                        struct ct_callback *callback);

#endif
