/* SPDX-License-Identifier: MIT */
/*
 * model/state/changes.h - what a step did, as the model tells it
 *
 * Model:    a list; made anew by each step.
 * Threads:  one pass, one thread.
 * Memory:   what a change points to is kept until the next step.
 * Errors:   none.
 * Depends:  model/state/state.h.
 */
#ifndef CT_MODEL_CHANGES_H
#define CT_MODEL_CHANGES_H

#include "model/state/state.h"

/** ct_model_forget() - free what the changes of the step before pointed to */
void ct_model_forget(struct ct_model *model);

void ct_model_grow_changes(struct ct_model *model);

/** ct_model_change() - a new change of this step; the caller fills all of what
 * its kind has */
static inline struct ct_change *ct_model_change(struct ct_model *model,
                                                enum ct_change_kind kind)
{
    if (model->n_changes == model->changes_capacity) {
        ct_model_grow_changes(model);
    }
    struct ct_change *change = &model->changes[model->n_changes++];
    change->kind = kind;
    return change;
}

/** ct_model_hold() - keep @origin until the changes were handed on */
const struct ct_origin *ct_model_hold(struct ct_model *model,
                                      struct ct_origin *origin);

/** ct_model_bury() - free @req when the changes were handed on, which point to
 * its slot; taken */
void ct_model_bury(struct ct_model *model, struct ct_req *req);

void ct_model_edge(struct ct_model *model, const struct ct_edge *edge);

/** ct_model_count() - tell how many coroutines and requests there are, if that
 * is known */
void ct_model_count(struct ct_model *model, const struct ct_process *process);
void ct_model_counter(struct ct_model *model, const struct ct_process *process,
                      enum ct_counter_kind kind, uint64_t id, uint64_t value);

/** ct_model_life() - @entity ended, or is open at the trace's end */
struct ct_life *ct_model_life(struct ct_model *model, enum ct_entity_kind kind,
                              const struct ct_entity *entity,
                              struct ct_origin *origin, bool end_known);

#endif
