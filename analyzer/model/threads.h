/* SPDX-License-Identifier: MIT */
/*
 * model/threads.h - the lives of threads
 *
 * Model:    a thread lives from when it is first heard of to its end; a birth
 *           is one that was created and has not started.
 * Threads:  one pass, one thread.
 * Memory:   threads and births are the model's.
 * Errors:   none.
 * Depends:  ct/step.h, model/state/state.h.
 */
#ifndef CT_MODEL_THREADS_H
#define CT_MODEL_THREADS_H

#include "ct/step.h"
#include "model/state/state.h"

/** ct_thread_get() - the thread, made if it is new */
struct ct_thread *ct_thread_get(struct ct_model *model,
                                struct ct_process *process, int32_t tid);

/** ct_thread_name() - @pool: whose worker it is; 0: none */
void ct_thread_name(struct ct_model *model, struct ct_thread *thread,
                    const char *name, uint64_t pool);

/** ct_thread_end() - it is gone, and what is open on it is closed */
void ct_thread_end(struct ct_model *model, struct ct_thread *thread,
                   bool end_known);

/** ct_birth_free() - it started, or never will */
void ct_birth_free(struct ct_model *model, struct ct_birth *birth);
void ct_thread_step(struct ct_model *model, struct ct_thread *thread,
                    const struct ct_step *step);

/** ct_thread_in_gap() - nothing is open on any, nor known of what is below;
 * many gaps cost nothing for a thread of which nothing is told in between */
void ct_thread_in_gap(struct ct_model *model);

/** ct_thread_restart() - another thread has the tid now
 * Return: that one. */
struct ct_thread *ct_thread_restart(struct ct_model *model,
                                    struct ct_thread *thread);

#endif
