/* SPDX-License-Identifier: MIT */
/*
 * model/model.h - steps in, changes out
 *
 * Model:    knows what is alive at this instant of the trace and what it is
 *           doing; never looks back.  Any sequence of steps is legal: what
 *           does not fit is counted and unwound (ct_model_oddities()).
 * Threads:  one pass, one thread.
 * Memory:   changes are borrowed until the next call on the same model.
 * Errors:   none.
 * Depends:  ct/step.h, ct/change.h.
 */
#ifndef CT_MODEL_H
#define CT_MODEL_H

#include "ct/change.h"
#include "ct/step.h"

struct ct_model;

struct ct_changes {
    const struct ct_change *v;
    unsigned n;
};

/** ct_model_wants() - what a consumer wants, bits of enum ct_want */
unsigned ct_model_wants(const struct ct_consumer *consumer);

/**
 * ct_model_new() - an empty model
 * @wants: enum ct_want, of all consumers together
 */
struct ct_model *ct_model_new(unsigned wants);
void ct_model_free(struct ct_model *model);

/**
 * ct_model_step() - what this step did, in the order to hand it on
 * CT_STEP_STACK and the images are not the model's; they may come and do
 * nothing.
 */
struct ct_changes ct_model_step(struct ct_model *model,
                                const struct ct_step *step);

/**
 * ct_model_alive() - the coroutines that are alive, by process and id
 * @end_ns: of the trace
 * Before ct_model_finish().
 */
struct ct_changes ct_model_alive(struct ct_model *model, int64_t end_ns);

/**
 * ct_model_finish() - tell what is still open, as open
 * @end_ns: of the trace
 * Call it until it returns none.
 */
struct ct_changes ct_model_finish(struct ct_model *model, int64_t end_ns);

/** ct_model_oddities() - ends without begins and the like, outside of gaps */
uint64_t ct_model_oddities(const struct ct_model *model);

/* --- stacks (stacks.c), kept beside the model by the pass ------------- */

struct ct_stacks *ct_stacks_new(void);
void ct_stacks_free(struct ct_stacks *stacks);

/** ct_stacks_add() - from a CT_STEP_STACK; a stack told again changes nothing
 */
void ct_stacks_add(struct ct_stacks *stacks, const struct ct_step *step);

#endif
