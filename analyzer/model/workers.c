/* SPDX-License-Identifier: MIT */
/*
 * Workers, from the request for one more to their end.
 *
 * The n-th worker created in a pool answers its n-th spawn request, whoever
 * creates the thread.  So a worker's origin has two steps: the stack of its
 * creation, as it really was (in a bottom half, or in another worker), and
 * behind that boundary the stack of the request that it answers.
 */
#include "model/workers.h"

#include <stdio.h>

#include <glib.h>

#include "model/pools.h"
#include "model/slices.h"
#include "model/state/changes.h"
#include "model/threads.h"

/* The thread is this worker from now on. */
static void attach(struct ct_model *model, struct ct_worker *worker,
                   struct ct_thread *thread)
{
    const struct ct_pool *pool = worker->pool;
    char name[64];

    if (worker->thread == thread) {
        return;
    }
    if (worker->thread) {
        worker->thread->worker = NULL;
    }
    if (thread->worker) {
        thread->worker->thread = NULL;
    }
    worker->thread = thread;
    worker->entity.tid = thread->tid;
    thread->worker = worker;
    worker->pool->named++;
    snprintf(name, sizeof(name),
             pool->nth > 1 ? "worker %" G_GUINT64_FORMAT
                             " of pool %" G_GUINT64_FORMAT
                           : "worker %" G_GUINT64_FORMAT,
             pool->named, pool->entity.id);
    ct_thread_name(model, thread, name, pool->entity.id);
    if (worker->origin) {
        ct_origin_unref(thread->origin);
        thread->origin = ct_origin_ref(worker->origin);
    }
}

void ct_worker_busy(struct ct_model *model, struct ct_process *process,
                    const struct ct_step *step, uint64_t id, bool is_busy)
{
    if (!id) {
        return;
    }
    struct ct_worker *worker = ct_worker_get(model, process, step, id, false);
    if (!worker->thread) {
        attach(model, worker, ct_thread_get(model, process, step->tid));
    }
    ct_entity_told(model, &worker->entity);
    ct_worker_set_phase(model, worker,
                        is_busy ? CT_WORKER_BUSY : CT_WORKER_IDLE);
}

/* --- spawning --------------------------------------------------------- */

static void spawn_request(struct ct_model *model, struct ct_thread *thread,
                          const struct ct_step *step)
{
    struct ct_pool *pool =
        ct_pool_get(model, thread->process, step, step->subject);

    ct_thread_own_stack(model, thread, step);
    if (step->value == 1 && !model->in_gap) {
        pool->known_epoch = model->epoch;
        pool->awaited = 0;
    }
    pool->awaited++;
    ct_pool_tell_awaited(model, pool);
    ct_pool_set_max(model, pool, step->workers.max);
    struct ct_spawn *spawn = ct_pool_add_spawn(model, pool);
    *spawn = (struct ct_spawn){
        .nth = step->value,
        .epoch = model->in_gap ? 0 : model->epoch,
        .like =
            {
                .pid = step->pid,
                .tid = step->tid,
                .stack = step->stack,
                .when_ns = model->now_ns,
            },
    };
    if (ct_model_wants_any(model, CT_WANT_ORIGINS)) {
        spawn->next =
            ct_origin_ref(ct_thread_base(model, thread, &spawn->like.cut));
    }
}

/* The creation as it was, then the request that it answers; id 0 at that
 * boundary where it is not known what created the thread. */
static struct ct_origin *worker_origin(const struct ct_model *model,
                                       const struct ct_thread *thread,
                                       const struct ct_step *step,
                                       const struct ct_spawn *spawn)
{
    if (!ct_model_wants_any(model, CT_WANT_ORIGINS)) {
        return NULL;
    }
    struct ct_origin creation = {
        .boundary = CT_BOUNDARY_WORKER_SPAWN,
        .cut = !spawn,
        .pid = step->pid,
        .tid = step->tid,
        .id = step->subject,
        .stack = step->stack,
        .when_ns = model->now_ns,
    };
    if (!spawn) {
        return ct_origin_new(&creation, NULL);
    }
    struct ct_open *run = ct_thread_run(thread);
    struct ct_origin request = spawn->like;
    request.is_request = true;
    if (run && run->kind == CT_SLICE_BH) {
        request.boundary = CT_BOUNDARY_BOTTOM_HALF;
        request.id = run->id;
    } else {
        request.boundary = CT_BOUNDARY_WORKER_SPAWN;
        request.id = thread->worker ? thread->worker->entity.id : 0;
    }
    struct ct_origin *next = ct_origin_new(&request, spawn->next);
    struct ct_origin *origin = ct_origin_new(&creation, next);
    ct_origin_unref(next);
    return origin;
}

static void worker_create(struct ct_model *model, struct ct_thread *thread,
                          const struct ct_step *step)
{
    struct ct_process *process = thread->process;
    struct ct_worker *worker = ct_table_get(&process->workers, step->subject);
    struct ct_spawn spawn;

    ct_thread_own_stack(model, thread, step);
    if (worker) {
        ct_model_odd(model);
        ct_worker_end(model, worker, false);
    }
    worker = ct_worker_get(model, process, step, step->subject, true);
    bool has_spawn = ct_pool_take_spawn(worker->pool, step->value, &spawn);
    worker->origin =
        worker_origin(model, thread, step, has_spawn ? &spawn : NULL);
    ct_worker_set_phase(model, worker, CT_WORKER_CREATED);
    if (has_spawn) {
        worker->awaited = true;
        worker->spawn_epoch = spawn.epoch;
        worker->spawn_ns = spawn.like.when_ns;
        worker->spawn_tid = spawn.like.tid;
        ct_origin_unref(spawn.next);
    }
}

static void worker_start(struct ct_model *model, struct ct_thread *thread,
                         const struct ct_step *step)
{
    struct ct_process *process = thread->process;

    /* A worker's first event: what had this tid before is gone, except that
     * the thread's own start may have been told. */
    if (thread->worker || thread->n_open || !thread->clean ||
        (!thread->introduced && thread->begin_ns != model->now_ns)) {
        thread = ct_thread_restart(model, thread);
    }
    struct ct_worker *worker =
        ct_worker_get(model, process, step, step->subject, false);
    thread->introduced = true;
    thread->base_known = !model->in_gap;
    attach(model, worker, thread);
    ct_entity_told(model, &worker->entity);
    ct_worker_set_phase(model, worker, CT_WORKER_IDLE);
    worker->stack = step->stack;
    worker->stack_ns = model->now_ns;
    if (step->stack && ct_model_wants_any(model, CT_WANT_OWN_STACKS)) {
        ct_model_change(model, CT_CHANGE_OWN_STACK)->own_stack =
            (struct ct_own_stack){
                .kind = CT_ENTITY_WORKER,
                .pid = step->pid,
                .tid = step->tid,
                .id = step->subject,
                .when_ns = model->now_ns,
                .stack = step->stack,
                .origin = ct_model_hold(model, worker->origin),
            };
    }
    if (worker->spawn_epoch == model->epoch) {
        ct_model_edge(model, &(struct ct_edge){
                                 .kind = CT_EDGE_SPAWN,
                                 .pid = step->pid,
                                 .from_tid = worker->spawn_tid,
                                 .from_ns = worker->spawn_ns,
                                 .to_tid = step->tid,
                                 .to_ns = model->now_ns,
                                 .id = step->subject,
                             });
    }
}

static void worker_exit(struct ct_model *model, struct ct_thread *thread,
                        const struct ct_step *step)
{
    struct ct_worker *worker =
        ct_table_get(&thread->process->workers, step->subject);

    if (step->reason == CT_EXIT_REASON_FAILED) {
        /* Its thread could not be had; nor will those behind it be. */
        struct ct_pool *pool =
            ct_pool_get(model, thread->process, step, step->context);
        if (worker) {
            ct_worker_end(model, worker, true);
        }
        ct_pool_forget_spawns(pool);
    } else if (worker && worker->thread == thread && !thread->id) {
        ct_worker_end(model, worker, true);
        ct_thread_end(model, thread, true); /* which tells no exit of its own */
    } else if (worker) {
        model->oddities += worker->thread != thread && !model->in_gap;
        ct_worker_end(model, worker, true);
    }
}

void ct_worker_step(struct ct_model *model, struct ct_thread *thread,
                    const struct ct_step *step)
{
    switch (step->kind) {
    case CT_STEP_SPAWN_REQUEST:
        spawn_request(model, thread, step);
        break;
    case CT_STEP_WORKER_CREATE:
        worker_create(model, thread, step);
        break;
    case CT_STEP_WORKER_START:
        worker_start(model, thread, step);
        break;
    default: /* CT_STEP_WORKER_EXIT */
        worker_exit(model, thread, step);
    }
}

void ct_worker_told(struct ct_model *model, struct ct_process *process,
                    const struct ct_step *step)
{
    struct ct_worker *worker =
        ct_worker_get(model, process, step, step->subject, false);

    worker->entity.telling = process->telling.number;
    ct_pool_set_max(model, worker->pool, step->workers.max);
    if (!worker->thread && step->ret) {
        struct ct_thread *thread = ct_thread_get(model, process, step->ret);
        if (!thread->worker) {
            attach(model, worker, thread);
        }
    }
    if (ct_process_is_telling(model, process) &&
        !ct_entity_is_sure(model, &worker->entity)) {
        ct_worker_set_phase(model, worker,
                            step->value == CT_WORKER_STATE_BUSY
                                ? CT_WORKER_BUSY
                                : CT_WORKER_IDLE);
        ct_entity_told(model, &worker->entity);
    }
}
