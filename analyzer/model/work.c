/* SPDX-License-Identifier: MIT */
/*
 * Work items, from submission to completion, and how far each is.
 *
 *   submit -> QUEUED -- begin --> RUNNING -- end --> DONE -- complete: gone
 *                `------ cancel (taken back) --------^
 *
 * An item may be ahead of the coroutine that will wait for it: a worker can
 * take and finish it before the submitter's yield.  So the item's phase stands
 * by itself, and a coroutine that waits for it looks here.
 */
#include "model/work.h"

#include <glib.h>

#include "model/coroutines.h"
#include "model/pools.h"
#include "model/slices.h"
#include "model/state/changes.h"
#include "model/state/doing.h"
#include "model/state/situations.h"
#include "model/workers.h"

static void set_queued(struct ct_model *model, struct ct_work *work, bool is)
{
    struct ct_pool *pool = work->pool;

    if (work->counted == is) {
        return;
    }
    work->counted = is;
    pool->queued += is ? 1 : -1;
    if (ct_process_is_counted(model, pool->entity.process)) {
        ct_model_counter(model, pool->entity.process, CT_COUNTER_WORK_QUEUED,
                         pool->entity.id, (uint64_t)pool->queued);
    }
}

static struct ct_work *new_work(struct ct_model *model,
                                struct ct_process *process,
                                const struct ct_step *step, bool is_begin)
{
    struct ct_work *work = ct_slab_new(&model->works);

    ct_entity_init(model, &work->entity, step, step->subject, is_begin);
    work->pool = ct_pool_get(model, process, step, step->context);
    work->fn = step->fn;
    ct_table_put(&process->works, step->subject, work);
    return work;
}

static struct ct_work *work_get(struct ct_model *model,
                                struct ct_process *process,
                                const struct ct_step *step)
{
    struct ct_work *work = ct_table_get(&process->works, step->subject);

    return work ? work : new_work(model, process, step, false);
}

static void waiter_changed(struct ct_model *model, struct ct_work *work)
{
    if (work->waiter) {
        ct_co_changed(model, work->waiter);
    }
}

/* Closes it, and what is above it, on the thread where it should not be. */
static void tear_off(struct ct_model *model, struct ct_work *work)
{
    struct ct_thread *thread = work->thread;
    unsigned at = thread ? thread->n_open : 0;

    if (!thread) {
        return;
    }
    while (thread->open[at - 1].work != work) {
        at--;
    }
    ct_model_odd(model);
    ct_thread_unwind(model, thread, at - 1);
    ct_thread_top_changed(model, thread);
}

static enum ct_state state_of(const struct ct_work *work, bool is_over)
{
    if (is_over) {
        return CT_STATE_COMPLETING;
    }
    switch (work->phase) {
    case CT_WORK_UNTRACED:
        return CT_STATE_WORK;
    case CT_WORK_QUEUED:
        return CT_STATE_WORK_QUEUED;
    case CT_WORK_RUNNING:
        return CT_STATE_WORK_RUNNING;
    case CT_WORK_DONE:
        return CT_STATE_WORK_DONE;
    default:
        return CT_STATE_UNKNOWN;
    }
}

void ct_work_end(struct ct_model *model, struct ct_work *work, bool end_known)
{
    struct ct_process *process = work->entity.process;

    tear_off(model, work);
    set_queued(model, work, false);
    struct ct_life *life = ct_model_life(model, CT_ENTITY_WORK, &work->entity,
                                         work->origin, end_known);
    if (life) {
        life->context = work->pool->entity.id;
        life->fn = work->fn;
        life->stack = work->stack;
        life->stack_ns = work->stack_ns;
        life->state = state_of(work, end_known);
        life->waits_for = work->co;
        life->request = ct_co_request(process, work->co);
    }
    ct_table_take(&process->works, work->entity.id);
    if (work->waiter) {
        struct ct_co *waiter = work->waiter;
        waiter->work = NULL;
        work->waiter = NULL;
        ct_co_changed(model, waiter);
    }
    ct_origin_unref(work->origin);
    ct_slab_free(&model->works, work);
}

/* --- steps ------------------------------------------------------------ */

static void submit(struct ct_model *model, struct ct_thread *thread,
                   const struct ct_step *step)
{
    struct ct_process *process = thread->process;
    struct ct_work *work = ct_table_get(&process->works, step->subject);

    ct_thread_own_stack(model, thread, step);
    if (work) {
        ct_model_odd(model);
        ct_work_end(model, work, false);
    }
    work = new_work(model, process, step, true);
    work->phase =
        step->certainty == CT_KNOWN ? CT_WORK_QUEUED : CT_WORK_UNTRACED;
    work->co = step->object;
    work->origin = ct_thread_origin(model, thread, step, CT_BOUNDARY_WORK_ITEM,
                                    step->subject);
    /* The sum may say so also where of this one it can only be said later. */
    set_queued(model, work, work->phase == CT_WORK_QUEUED || step->flag);
}

static void begin(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step)
{
    struct ct_process *process = thread->process;
    struct ct_work *work = work_get(model, process, step);
    bool was_sure = ct_entity_is_sure(model, &work->entity);

    tear_off(model, work);
    set_queued(model, work, false);
    work->phase = CT_WORK_RUNNING;
    work->worker_tid = thread->tid;
    work->fn = work->fn ? work->fn : step->fn;
    ct_entity_told(model, &work->entity);
    uint64_t request = ct_co_request(process, work->co);
    ct_thread_push(model, thread,
                   (struct ct_open){
                       .kind = CT_SLICE_WORK,
                       .id = step->subject,
                       .context = step->context,
                       .fn = work->fn,
                       .request = request,
                       .work = work,
                   });
    ct_thread_own_stack(model, thread, step);
    if (request) {
        struct ct_co *co = ct_table_get(&process->coroutines, work->co);
        for (struct ct_req *req = co->requests; req; req = req->next) {
            ct_req_worker(model, req, thread->tid);
        }
    }
    waiter_changed(model, work);
    if (was_sure && work->entity.begin_known) {
        ct_model_edge(model, &(struct ct_edge){
                                 .kind = CT_EDGE_SUBMIT,
                                 .pid = step->pid,
                                 .from_tid = work->entity.tid,
                                 .from_ns = work->entity.begin_ns,
                                 .to_tid = step->tid,
                                 .to_ns = model->now_ns,
                                 .id = step->subject,
                                 .request = request,
                             });
    }
}

static void ended(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step)
{
    struct ct_work *work = work_get(model, thread->process, step);

    if (work->thread && work->thread != thread) {
        tear_off(model, work);
    }
    ct_thread_pop(model, thread, CT_SLICE_WORK, step->subject, false, step);
    set_queued(model, work, false);
    work->phase = CT_WORK_DONE;
    work->worker_tid = thread->tid;
    work->end_ns = model->now_ns;
    work->end_tid = step->tid;
    ct_entity_told(model, &work->entity);
    waiter_changed(model, work);
}

static void complete(struct ct_model *model, struct ct_process *process,
                     const struct ct_step *step)
{
    struct ct_work *work = ct_table_get(&process->works, step->subject);

    if (!work) {
        return;
    }
    if (work->phase == CT_WORK_DONE && work->end_tid &&
        ct_entity_is_sure(model, &work->entity)) {
        ct_model_edge(model, &(struct ct_edge){
                                 .kind = CT_EDGE_DONE,
                                 .pid = step->pid,
                                 .from_tid = work->end_tid,
                                 .from_ns = work->end_ns,
                                 .to_tid = step->tid,
                                 .to_ns = model->now_ns,
                                 .id = step->subject,
                                 .request = ct_co_request(process, work->co),
                             });
    }
    struct ct_co *co = work->waiter;
    if (!co && work->co) {
        co = ct_table_get(&process->coroutines, work->co);
    }
    if (co) {
        ct_co_completed(model, co, step);
    }
    ct_work_end(model, work, true);
}

static void cancel(struct ct_model *model, struct ct_process *process,
                   const struct ct_step *step)
{
    struct ct_work *work = ct_table_get(&process->works, step->subject);

    if (!work || !step->flag) {
        return;
    }
    tear_off(model, work);
    set_queued(model, work, false);
    work->phase = CT_WORK_DONE;
    ct_entity_told(model, &work->entity);
    waiter_changed(model, work);
}

static void set_file(struct ct_model *model, struct ct_process *process,
                     const struct ct_step *step)
{
    struct ct_work *work = ct_table_get(&process->works, step->subject);

    if (work) {
        work->file = ct_names_get(&model->names, step->name);
        waiter_changed(model, work);
    }
}

void ct_work_step(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step)
{
    switch (step->kind) {
    case CT_STEP_WORK_SUBMIT:
        submit(model, thread, step);
        break;
    case CT_STEP_WORK_BEGIN:
        ct_worker_busy(model, thread->process, step, step->object, true);
        begin(model, thread, step);
        break;
    case CT_STEP_WORK_END:
        ended(model, thread, step);
        if (thread->worker) {
            ct_worker_busy(model, thread->process, step,
                           thread->worker->entity.id, false);
        }
        break;
    case CT_STEP_WORK_COMPLETE:
        complete(model, thread->process, step);
        break;
    case CT_STEP_WORK_FILE:
        set_file(model, thread->process, step);
        break;
    case CT_STEP_WORK_CANCEL:
        cancel(model, thread->process, step);
        break;
    default:
        ct_worker_step(model, thread, step);
    }
}

void ct_work_told(struct ct_model *model, struct ct_process *process,
                  const struct ct_step *step)
{
    static const uint8_t phases[] = {
        [CT_WORK_STATE_QUEUED] = CT_WORK_QUEUED,
        [CT_WORK_STATE_RUNNING] = CT_WORK_RUNNING,
        [CT_WORK_STATE_DONE] = CT_WORK_DONE,
    };
    struct ct_work *work = ct_table_get(&process->works, step->subject);

    if (!work) {
        work = new_work(model, process, step, false);
        ct_entity_since(&work->entity, step);
    }
    work->entity.telling = process->telling.number;
    if (!work->origin && !work->entity.begin_known && step->stack &&
        ct_model_wants_any(model, CT_WANT_ORIGINS)) {
        work->origin = ct_origin_new(
            &(struct ct_origin){
                .boundary = CT_BOUNDARY_WORK_ITEM,
                .cut = true,
                .pid = process->pid,
                .id = step->subject,
                .stack = step->stack,
            },
            NULL);
    }
    work->co = work->co ? work->co : step->object;
    if (!work->waiter && work->co) {
        ct_co_work_told(model, process, work);
    }
    if (ct_entity_is_sure(model, &work->entity) ||
        !ct_process_is_telling(model, process) || work->thread ||
        step->value >= G_N_ELEMENTS(phases) ||
        step->value == CT_WORK_STATE_RUNNING) {
        return; /* which thread runs it is not told */
    }
    work->phase = phases[step->value];
    work->end_tid = 0;
    set_queued(model, work, work->phase == CT_WORK_QUEUED);
    ct_entity_told(model, &work->entity);
    waiter_changed(model, work);
}
