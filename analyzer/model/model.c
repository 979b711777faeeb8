/* SPDX-License-Identifier: MIT */
/*
 * The model's door: time, processes, which room a step belongs to, and the list
 * of changes that a step made.
 *
 * Time never steps back here, whatever the steps say, and is never negative, so
 * that no difference of two times can overflow.  A process and a thread come
 * into being when they are first heard of.
 */
#include "model/model_int.h"

#include <glib.h>

#include "ct/pre.h"

unsigned ct_model_wants(const struct ct_consumer *consumer)
{
    unsigned wants = 0;

    wants |= consumer->slice ? CT_WANT_SLICES : 0;
    wants |= consumer->slice_began ? CT_WANT_SLICE_BEGINS : 0;
    wants |= consumer->edge ? CT_WANT_EDGES : 0;
    wants |= consumer->lock ? CT_WANT_LOCKS : 0;
    wants |= consumer->counter ? CT_WANT_COUNTERS : 0;
    wants |= consumer->thread_name ? CT_WANT_THREAD_NAMES : 0;
    wants |= consumer->life ? CT_WANT_LIVES : 0;
    wants |= consumer->own_stack ? CT_WANT_OWN_STACKS : 0;
    wants |= consumer->gap ? CT_WANT_GAPS : 0;
    wants |=
        consumer->request || consumer->request_began ? CT_WANT_REQUESTS : 0;
    wants |= consumer->alive ? CT_WANT_ALIVE : 0;
    wants |= consumer->wants_origins ? CT_WANT_ORIGINS : 0;
    wants |= consumer->wants_blame ? CT_WANT_BLAME | CT_WANT_SLICES |
                                         CT_WANT_SLICE_BEGINS | CT_WANT_GAPS
                                   : 0;
    return wants;
}

struct ct_model *ct_model_new(unsigned wants)
{
    struct ct_model *model = g_new0(struct ct_model, 1);

    model->wants = wants;
    model->epoch = 1;
    model->next_number = 1;
    ct_slab_init(&model->threads, sizeof(struct ct_thread));
    ct_slab_init(&model->contexts, sizeof(struct ct_context));
    ct_slab_init(&model->callbacks, sizeof(struct ct_callback));
    ct_slab_init(&model->coroutines, sizeof(struct ct_co));
    ct_slab_init(&model->pools, sizeof(struct ct_pool));
    ct_slab_init(&model->works, sizeof(struct ct_work));
    ct_slab_init(&model->workers, sizeof(struct ct_worker));
    ct_slab_init(&model->locks, sizeof(struct ct_lock));
    ct_slab_init(&model->requests, sizeof(struct ct_req));
    ct_slab_init(&model->births, sizeof(struct ct_birth));
    return model;
}

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

static void free_process(struct ct_model *model, struct ct_process *process)
{
    ct_process_end(model, process);
    ct_table_take(&model->processes, (uint32_t)process->pid);
    if (model->process == process) {
        model->process = NULL;
        model->thread = NULL;
    }
    g_free(process);
}

void ct_model_free(struct ct_model *model)
{
    if (!model) {
        return;
    }
    model->wants = 0;
    for (;;) {
        uint32_t pos = 0;
        struct ct_process *process = ct_table_each(&model->processes, &pos);
        if (!process) {
            break;
        }
        free_process(model, process);
    }
    ct_model_forget(model);
    ct_table_fini(&model->processes);
    ct_names_fini(&model->names);
    ct_slab_fini(&model->threads);
    ct_slab_fini(&model->contexts);
    ct_slab_fini(&model->callbacks);
    ct_slab_fini(&model->coroutines);
    ct_slab_fini(&model->pools);
    ct_slab_fini(&model->works);
    ct_slab_fini(&model->workers);
    ct_slab_fini(&model->locks);
    ct_slab_fini(&model->requests);
    ct_slab_fini(&model->births);
    g_free(model->changes);
    g_free(model->held);
    g_free(model->dead);
    g_free(model);
}

uint64_t ct_model_oddities(const struct ct_model *model)
{
    return model->oddities;
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

void ct_model_time(struct ct_model *model, int64_t when_ns)
{
    model->time_ns = MAX(model->time_ns, when_ns);
    model->now_ns = model->time_ns;
    if (model->in_gap && model->now_ns > model->gap_end_ns) {
        ct_gap_end(model);
    }
}

/* Where threads have clocks of their own, what happens on one happens at its
 * time, which never goes back either. */
static void set_thread_time(struct ct_model *model,
                            const struct ct_thread *thread, int64_t stamp_ns)
{
    if (stamp_ns && !model->in_gap) {
        model->now_ns = MAX(stamp_ns, thread->last_ns);
        model->now_ns = MIN(model->now_ns, model->time_ns);
    }
}

static void dispatch(struct ct_model *model, const struct ct_step *step)
{
    struct ct_process *process = ct_process_get(model, step->pid);
    struct ct_thread *thread = model->thread;

    if (step->kind == CT_STEP_PROCESS_NAME) {
        const char *name = ct_names_get(&model->names, step->name);
        if (name && ct_model_wants_any(model, CT_WANT_THREAD_NAMES)) {
            ct_model_change(model, CT_CHANGE_THREAD_NAME)->thread_name =
                (struct ct_thread_name){process->pid, step->tid, name, true, 0};
        }
        return;
    }
    if (!thread || thread->tid != step->tid) {
        if (step->kind == CT_STEP_THREAD_EXIT &&
            !ct_table_get(&process->threads, (uint32_t)step->tid)) {
            return; /* it ended with its worker */
        }
        if (step->stamp_ns && !model->in_gap) {
            model->now_ns = MIN(step->stamp_ns, model->time_ns);
        }
        thread = ct_thread_get(model, process, step->tid);
        model->thread = thread;
    }
    set_thread_time(model, thread, step->stamp_ns);
    thread->last_ns = model->now_ns;

    switch (step->kind) {
    case CT_STEP_FD_WAKE:
    case CT_STEP_FD_WOKEN:
        ct_wake_step(model, thread, step);
        break;
    case CT_STEP_CONTEXT_CREATE ... CT_STEP_BH_RUN_END:
        ct_loop_step(model, thread, step);
        break;
    case CT_STEP_CO_CREATE ... CT_STEP_CO_WAKE:
        ct_co_step(model, thread, step);
        break;
    case CT_STEP_LOCK_TAKE ... CT_STEP_QUEUE_WAKE:
        ct_lock_step(model, thread, step);
        break;
    case CT_STEP_THREAD_CREATE ... CT_STEP_THREAD_EXIT:
        ct_thread_step(model, thread, step);
        break;
    case CT_STEP_WORK_SUBMIT ... CT_STEP_WORKER_EXIT:
        ct_work_step(model, thread, step);
        break;
    case CT_STEP_REQUEST_BEGIN ... CT_STEP_REQUEST_END:
        ct_req_step(model, thread, step);
        break;
    case CT_STEP_STATE_BEGIN ... CT_STEP_STATE_END:
        ct_telling_step(model, process, thread, step);
        break;
    default:
        break;
    }
}

struct ct_changes ct_model_step(struct ct_model *model,
                                const struct ct_step *step)
{
    ct_model_forget(model);
    switch (step->kind) {
    case CT_STEP_NONE:
    case CT_STEP_STACK:
    case CT_STEP_FRAME_NAME:
    case CT_STEP_IMAGE_LOAD:
    case CT_STEP_IMAGE_UNLOAD:
    case CT_STEP_KINDS:
        break;
    case CT_STEP_GAP:
        ct_model_time(model, step->when_ns);
        ct_gap_begin(model, step);
        break;
    default:
        ct_model_time(model, step->when_ns);
        dispatch(model, step);
        break;
    }
    return (struct ct_changes){model->changes, model->n_changes};
}

struct ct_changes ct_model_finish(struct ct_model *model, int64_t end_ns)
{
    ct_model_forget(model);
    if (!model->finishing) {
        ct_model_time(model, end_ns);
        model->finishing = true;
    }
    /* One process a call; one of which nothing is to tell is passed over. */
    struct ct_process *process;
    while (!model->n_changes &&
           (process = ct_table_each(&model->processes, &model->finishing_at))) {
        free_process(model, process);
        model->finishing_at--; /* another may have moved to its place */
    }
    return (struct ct_changes){model->changes, model->n_changes};
}
