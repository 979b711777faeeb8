/* SPDX-License-Identifier: MIT */
/*
 * The list of changes that a step made, and what they point to.
 *
 * It is borrowed by who gets it until the next step, so what a change points to
 * outlives its end until then: an origin is held, a request is buried.
 */
#include "model/state/changes.h"

#include <glib.h>

void ct_model_forget(struct ct_model *model)
{
    for (unsigned i = 0; i < model->n_held; i++) {
        ct_origin_unref(model->held[i]);
    }
    for (unsigned i = 0; i < model->n_dead; i++) {
        ct_slab_free(&model->requests, model->dead[i]);
    }
    model->n_held = 0;
    model->n_dead = 0;
    model->n_changes = 0;
}

void ct_model_grow_changes(struct ct_model *model)
{
    model->changes_capacity = MAX(64, model->changes_capacity * 2);
    model->changes =
        g_renew(struct ct_change, model->changes, model->changes_capacity);
}

const struct ct_origin *ct_model_hold(struct ct_model *model,
                                      struct ct_origin *origin)
{
    if (!origin) {
        return NULL;
    }
    if (model->n_held == model->held_capacity) {
        model->held_capacity = MAX(16, model->held_capacity * 2);
        model->held =
            g_renew(struct ct_origin *, model->held, model->held_capacity);
    }
    model->held[model->n_held++] = ct_origin_ref(origin);
    return origin;
}

void ct_model_bury(struct ct_model *model, struct ct_req *req)
{
    if (model->n_dead == model->dead_capacity) {
        model->dead_capacity = MAX(16, model->dead_capacity * 2);
        model->dead =
            g_renew(struct ct_req *, model->dead, model->dead_capacity);
    }
    model->dead[model->n_dead++] = req;
}

void ct_model_edge(struct ct_model *model, const struct ct_edge *edge)
{
    if (ct_model_wants_any(model, CT_WANT_EDGES) && !model->in_gap) {
        struct ct_edge *told = &ct_model_change(model, CT_CHANGE_EDGE)->edge;
        *told = *edge;
        told->to_ns = MAX(told->to_ns, told->from_ns);
    }
}

void ct_model_count(struct ct_model *model, const struct ct_process *process)
{
    if (ct_process_is_counted(model, process)) {
        ct_model_counter(model, process, CT_COUNTER_REQUESTS, 0,
                         process->outermost);
        ct_model_counter(model, process, CT_COUNTER_COROUTINES, 0,
                         process->coroutines.n);
    }
}

void ct_model_counter(struct ct_model *model, const struct ct_process *process,
                      enum ct_counter_kind kind, uint64_t id, uint64_t value)
{
    if (!ct_model_wants_any(model, CT_WANT_COUNTERS) || model->finishing) {
        return;
    }
    struct ct_change *change = ct_model_change(model, CT_CHANGE_COUNTER);
    change->counter = (struct ct_counter){
        .kind = kind,
        .pid = process->pid,
        .id = id,
        .when_ns = model->now_ns,
        .value = (int64_t)value,
    };
}

struct ct_life *ct_model_life(struct ct_model *model, enum ct_entity_kind kind,
                              const struct ct_entity *entity,
                              struct ct_origin *origin, bool end_known)
{
    if (!ct_model_wants_any(model, CT_WANT_LIVES)) {
        return NULL;
    }
    struct ct_life *life = &ct_model_change(model, CT_CHANGE_LIFE)->life;
    *life = (struct ct_life){
        .kind = kind,
        .open = model->finishing,
        .begin_known = entity->begin_known,
        .end_known = end_known,
        .pid = entity->process->pid,
        .tid = entity->tid,
        .id = entity->id,
        .begin_ns = entity->begin_ns,
        .end_ns = MAX(model->now_ns, entity->begin_ns),
        .origin = ct_model_hold(model, origin),
    };
    return life;
}
