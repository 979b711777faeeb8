/* SPDX-License-Identifier: MIT */
/*
 * Contexts, their turns, and what a turn runs: bottom halves, timers, handlers.
 *
 * The origin of a run of a bottom half is who made it pending; later causes are
 * counted with that one.  A timer is armed anew: the last one counts.  A
 * handler's origin is who set it; each set has an id of its own, so it outlives
 * gaps.
 *
 * What was pending when a gap began may have run, and be pending for another
 * reason: its origin is not known.  A bottom half that is scheduled after a gap
 * may be pending already: only one that was seen to run or be cancelled since,
 * or a one-shot one, is known to be made pending by what we see.
 */
#include "model/loops.h"

#include <glib.h>

#include "model/slices.h"
#include "model/state/changes.h"

enum { MISSED_MAX = 8 }; /* tellings, of what is in doubt */

/* --- contexts --------------------------------------------------------- */

static struct ct_context *context_get(struct ct_model *model,
                                      struct ct_process *process,
                                      const struct ct_step *step, uint64_t id,
                                      bool is_begin)
{
    struct ct_context *context = ct_table_get(&process->contexts, id);

    if (!context) {
        context = ct_slab_new(&model->contexts);
        ct_entity_init(model, &context->entity, step, id, is_begin);
        ct_table_put(&process->contexts, id, context);
    }
    return context;
}

static void set_name(struct ct_model *model, struct ct_context *context,
                     const struct ct_step *step)
{
    if (!context->name && step->name && *step->name) {
        context->name = ct_names_get(&model->names, step->name);
    }
}

void ct_context_end(struct ct_model *model, struct ct_context *context,
                    bool end_known)
{
    struct ct_life *life = ct_model_life(model, CT_ENTITY_CONTEXT,
                                         &context->entity, NULL, end_known);
    if (life) {
        life->context = context->entity.id;
        life->name = context->name;
    }
    ct_table_take(&context->entity.process->contexts, context->entity.id);
    ct_slab_free(&model->contexts, context);
}

static void context_destroy(struct ct_model *model, struct ct_process *process,
                            const struct ct_step *step)
{
    struct ct_context *context =
        ct_table_get(&process->contexts, step->subject);

    if (context) {
        ct_context_end(model, context, true);
    }
}

void ct_context_scheduled(struct ct_model *model, struct ct_co *co, uint64_t id)
{
    struct ct_process *process = co->entity.process;
    struct ct_context *context;

    if (co->queued_in == id) {
        return;
    }
    context =
        co->queued_in ? ct_table_get(&process->contexts, co->queued_in) : NULL;
    if (context && context->scheduled) {
        context->scheduled--;
        ct_model_counter(model, process, CT_COUNTER_CO_SCHEDULED,
                         context->entity.id, context->scheduled);
    }
    co->queued_in = id;
    context = id ? ct_table_get(&process->contexts, id) : NULL;
    if (context) {
        context->scheduled++;
        ct_model_counter(model, process, CT_COUNTER_CO_SCHEDULED, id,
                         context->scheduled);
    }
}

void ct_context_told(struct ct_model *model, struct ct_process *process,
                     const struct ct_step *step)
{
    struct ct_context *context =
        context_get(model, process, step, step->subject, false);

    context->entity.telling = process->telling.number;
    set_name(model, context, step);
    if (ct_process_is_telling(model, process) &&
        !ct_entity_is_sure(model, &context->entity)) {
        /* anybody may have written it */
        uint64_t scheduled = MIN(step->bytes, INT32_MAX);
        if (context->scheduled != scheduled) {
            context->scheduled = scheduled;
            ct_model_counter(model, process, CT_COUNTER_CO_SCHEDULED,
                             step->subject, context->scheduled);
        }
        ct_entity_told(model, &context->entity);
    }
}

static void notify(struct ct_model *model, struct ct_thread *thread,
                   const struct ct_step *step)
{
    struct ct_context *context =
        ct_table_get(&thread->process->contexts, step->subject);

    if (!context || model->in_gap) {
        return;
    }
    if (step->kind == CT_STEP_NOTIFY) {
        if (context->notify_epoch != model->epoch) {
            context->notify_epoch = model->epoch;
            context->notify_ns = model->now_ns;
            context->notify_tid = step->tid;
        }
        return;
    }
    if (context->notify_epoch == model->epoch) {
        ct_model_edge(model, &(struct ct_edge){
                                 .kind = CT_EDGE_NOTIFY,
                                 .pid = step->pid,
                                 .from_tid = context->notify_tid,
                                 .from_ns = context->notify_ns,
                                 .to_tid = step->tid,
                                 .to_ns = model->now_ns,
                                 .id = step->subject,
                             });
    }
    context->notify_epoch = 0;
}

/* --- what is pending -------------------------------------------------- */

void ct_callback_free(struct ct_model *model, struct ct_table *table,
                      struct ct_callback *callback)
{
    ct_table_take(table, callback->entity.id);
    ct_origin_unref(callback->origin);
    ct_slab_free(&model->callbacks, callback);
}

void ct_callbacks_free(struct ct_model *model, struct ct_table *table)
{
    uint32_t pos = 0;
    struct ct_callback *callback;

    while ((callback = ct_table_each(table, &pos))) {
        ct_origin_unref(callback->origin);
        ct_slab_free(&model->callbacks, callback);
    }
    ct_table_fini(table);
}

static void set_pending(struct ct_model *model, struct ct_thread *thread,
                        const struct ct_step *step, struct ct_table *table,
                        enum ct_boundary boundary)
{
    ct_thread_own_stack(model, thread, step);
    if (!ct_model_wants_any(model, CT_WANT_ORIGINS | CT_WANT_EDGES) ||
        (model->in_gap && boundary != CT_BOUNDARY_FD_HANDLER)) {
        return;
    }
    struct ct_callback *callback = ct_table_get(table, step->subject);
    bool is_bh = boundary == CT_BOUNDARY_BOTTOM_HALF;
    if (!callback) {
        callback = ct_slab_new(&model->callbacks);
        ct_table_put(table, step->subject, callback);
        ct_entity_init(model, &callback->entity, step, step->subject, true);
        callback->is_one_shot = is_bh && step->value & 1;
        if (is_bh && !callback->is_one_shot &&
            !ct_process_is_whole(model, thread->process)) {
            callback->entity.epoch = 0;
        }
    } else if (is_bh && callback->pending &&
               ct_entity_is_sure(model, &callback->entity)) {
        if (callback->origin) {
            ct_origin_also(callback->origin, step->stack);
        }
        return;
    }
    ct_origin_unref(callback->origin);
    callback->origin = NULL;
    callback->pending = true;
    callback->entity.tid = step->tid;
    callback->entity.begin_ns = model->now_ns;
    if (!is_bh) {
        ct_entity_told(model, &callback->entity);
    }
    if (!is_bh || ct_entity_is_sure(model, &callback->entity)) {
        callback->origin =
            ct_thread_origin(model, thread, step, boundary, step->subject);
    }
}

/* Cancelled, or runs: nothing is pending now. */
static void clear_pending(struct ct_model *model, struct ct_callback *callback)
{
    callback->pending = false;
    ct_origin_unref(callback->origin);
    callback->origin = NULL;
    ct_entity_told(model, &callback->entity);
}

void ct_callback_missed(struct ct_model *model, struct ct_table *table,
                        struct ct_callback *callback)
{
    if (++callback->entity.missed > MISSED_MAX) {
        ct_callback_free(model, table, callback);
    }
}

static void unset_pending(struct ct_model *model, struct ct_table *table,
                          uint64_t id)
{
    struct ct_callback *callback = ct_table_get(table, id);

    if (callback) {
        ct_callback_free(model, table, callback);
    }
}

static void run_begin(struct ct_model *model, struct ct_thread *thread,
                      const struct ct_step *step, struct ct_table *table,
                      enum ct_slice_kind kind)
{
    struct ct_callback *callback = ct_table_get(table, step->subject);
    bool is_known = callback && (kind == CT_SLICE_FD ||
                                 ct_entity_is_sure(model, &callback->entity));

    ct_thread_push(
        model, thread,
        (struct ct_open){
            .kind = (uint8_t)kind,
            .id = step->subject,
            .context = step->context,
            .fn = step->fn,
            .name = ct_names_get(&model->names, step->name),
            .origin = is_known ? ct_origin_ref(callback->origin) : NULL,
        });
    if (!callback) {
        return;
    }
    if (kind == CT_SLICE_FD) {
        callback->entity.missed = 0;
        return;
    }
    if (is_known && callback->pending) {
        ct_model_edge(model, &(struct ct_edge){
                                 .kind = CT_EDGE_SCHEDULE,
                                 .pid = step->pid,
                                 .from_tid = callback->entity.tid,
                                 .from_ns = callback->entity.begin_ns,
                                 .to_tid = step->tid,
                                 .to_ns = model->now_ns,
                                 .id = step->subject,
                             });
    }
    if (kind == CT_SLICE_BH && !callback->is_one_shot) {
        clear_pending(model, callback);
    } else {
        ct_callback_free(model, table, callback);
    }
}

/* --- turns ------------------------------------------------------------ */

static void turn_begin(struct ct_model *model, struct ct_thread *thread,
                       const struct ct_step *step, enum ct_slice_kind kind)
{
    struct ct_context *context =
        context_get(model, thread->process, step, step->subject, false);

    ct_thread_own_stack(model, thread, step);
    ct_thread_push(
        model, thread,
        (struct ct_open){
            .kind = (uint8_t)kind,
            .id = step->subject,
            .context = step->subject,
            .name = context->name,
            .may_sleep = kind == CT_SLICE_POLL && step->flag,
            .poll_depth = kind == CT_SLICE_POLL ? (unsigned)step->value : 0,
        });
}

/* Contexts and their turns. */
static void turn_step(struct ct_model *model, struct ct_thread *thread,
                      const struct ct_step *step)
{
    struct ct_process *process = thread->process;
    struct ct_context *context;

    switch (step->kind) {
    case CT_STEP_CONTEXT_CREATE:
        ct_thread_own_stack(model, thread, step);
        context = context_get(model, process, step, step->subject, true);
        set_name(model, context, step);
        break;
    case CT_STEP_CONTEXT_DESTROY:
        context_destroy(model, process, step);
        break;
    case CT_STEP_NOTIFY:
    case CT_STEP_NOTIFY_ACCEPT:
        notify(model, thread, step);
        break;
    case CT_STEP_POLL_BEGIN:
        turn_begin(model, thread, step, CT_SLICE_POLL);
        break;
    case CT_STEP_POLL_END:
        ct_thread_pop(model, thread, CT_SLICE_POLL, step->subject, step->flag,
                      step);
        break;
    case CT_STEP_FDMON_BEGIN:
        turn_begin(model, thread, step, CT_SLICE_FDMON);
        break;
    case CT_STEP_FDMON_END:
        ct_thread_pop(model, thread, CT_SLICE_FDMON, step->subject, false,
                      step);
        break;
    case CT_STEP_BUSY_BEGIN:
        turn_begin(model, thread, step, CT_SLICE_BUSY);
        break;
    case CT_STEP_BUSY_END:
        ct_thread_pop(model, thread, CT_SLICE_BUSY, step->subject, false, step);
        break;
    case CT_STEP_WAIT_BEGIN:
        turn_begin(model, thread, step, CT_SLICE_WAIT);
        break;
    case CT_STEP_WAIT_END:
        ct_thread_pop(model, thread, CT_SLICE_WAIT, step->subject, false, step);
        break;
    default:
        break; /* how a loop waits changes no state */
    }
}

/* Fd handlers, timers, bottom halves. */
static void callback_step(struct ct_model *model, struct ct_thread *thread,
                          const struct ct_step *step)
{
    struct ct_process *process = thread->process;
    struct ct_callback *callback;

    switch (step->kind) {
    case CT_STEP_FD_SET:
        set_pending(model, thread, step, &process->fds, CT_BOUNDARY_FD_HANDLER);
        break;
    case CT_STEP_FD_REMOVE:
        unset_pending(model, &process->fds, step->subject);
        break;
    case CT_STEP_FD_RUN_BEGIN:
        run_begin(model, thread, step, &process->fds, CT_SLICE_FD);
        break;
    case CT_STEP_FD_RUN_END:
        ct_thread_pop(model, thread, CT_SLICE_FD, step->subject, false, step);
        break;
    case CT_STEP_TIMER_ARM:
        set_pending(model, thread, step, &process->timers, CT_BOUNDARY_TIMER);
        break;
    case CT_STEP_TIMER_CANCEL:
        unset_pending(model, &process->timers, step->subject);
        break;
    case CT_STEP_TIMER_RUN_BEGIN:
        run_begin(model, thread, step, &process->timers, CT_SLICE_TIMER);
        break;
    case CT_STEP_TIMER_RUN_END:
        ct_thread_pop(model, thread, CT_SLICE_TIMER, step->subject, false,
                      step);
        break;
    case CT_STEP_BH_SCHEDULE:
        set_pending(model, thread, step, &process->bhs,
                    CT_BOUNDARY_BOTTOM_HALF);
        break;
    case CT_STEP_BH_CANCEL:
        callback = ct_table_get(&process->bhs, step->subject);
        if (callback) {
            clear_pending(model, callback);
        }
        break;
    case CT_STEP_BH_DELETE:
        unset_pending(model, &process->bhs, step->subject);
        break;
    case CT_STEP_BH_RUN_BEGIN:
        run_begin(model, thread, step, &process->bhs, CT_SLICE_BH);
        break;
    default:
        ct_thread_pop(model, thread, CT_SLICE_BH, step->subject, false, step);
    }
}

void ct_loop_step(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step)
{
    if (step->kind < CT_STEP_FD_SET) {
        turn_step(model, thread, step);
    } else {
        callback_step(model, thread, step);
    }
}
