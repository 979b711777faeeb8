/* SPDX-License-Identifier: MIT */
/*
 * What all rooms of the model stand on: time, the end of a gap, processes and
 * what an entity begins with.
 *
 * Time never steps back here, whatever the steps say, and is never negative, so
 * that no difference of two times can overflow.  A process comes into being
 * when it is first heard of.
 */
#include "model/state/state.h"

#include <glib.h>

void ct_model_gap_over(struct ct_model *model)
{
    model->in_gap = false;
    model->epoch++;
}

void ct_model_time(struct ct_model *model, int64_t when_ns)
{
    model->time_ns = MAX(model->time_ns, when_ns);
    model->now_ns = model->time_ns;
    if (model->in_gap && model->now_ns > model->gap_end_ns) {
        ct_model_gap_over(model);
    }
}

struct ct_process *ct_process_find(struct ct_model *model, int32_t pid)
{
    struct ct_process *process = ct_table_get(&model->processes, (uint32_t)pid);

    if (!process) {
        process = g_new0(struct ct_process, 1);
        process->pid = pid;
        process->counted_epoch = model->epoch == 1 && !model->in_gap;
        ct_table_put(&model->processes, (uint32_t)pid, process);
    }
    model->process = process;
    model->thread = NULL;
    return process;
}

void ct_entity_init(struct ct_model *model, struct ct_entity *entity,
                    const struct ct_step *step, uint64_t id, bool is_begin)
{
    entity->process = ct_process_get(model, step->pid);
    entity->id = id;
    entity->tid = step->tid;
    entity->begin_ns = model->now_ns;
    entity->begin_known = is_begin;
    if (is_begin) {
        ct_entity_told(model, entity);
    }
}
