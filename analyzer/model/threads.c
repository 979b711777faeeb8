/* SPDX-License-Identifier: MIT */
/*
 * The lives of threads: known when first heard of, named, started, ended.
 *
 * One that was created and has not started is a birth; its start brings the
 * origin along.
 *
 * What a gap means for a thread is done once, in the gap after it was heard of;
 * what later ones add (the horizon) is caught up with when it is heard of
 * again.
 */
#include "model/threads.h"

#include <glib.h>

#include "model/pools.h"
#include "model/slices.h"
#include "model/state/changes.h"

static struct ct_slice base_slice(const struct ct_thread *thread)
{
    return (struct ct_slice){
        .kind = CT_SLICE_THREAD,
        .begin_known = thread->introduced,
        .pid = thread->process->pid,
        .tid = thread->tid,
        .begin_ns = thread->begin_ns,
        .id = thread->id,
        .name = thread->name,
    };
}

static void make_restless(struct ct_model *model, struct ct_thread *thread)
{
    thread->is_restless = true;
    thread->restless_prev = NULL;
    thread->restless_next = model->restless_threads;
    if (model->restless_threads) {
        model->restless_threads->restless_prev = thread;
    }
    model->restless_threads = thread;
}

static void make_quiet(struct ct_model *model, struct ct_thread *thread)
{
    if (!thread->is_restless) {
        return;
    }
    thread->is_restless = false;
    *(thread->restless_prev ? &thread->restless_prev->restless_next
                            : &model->restless_threads) = thread->restless_next;
    if (thread->restless_next) {
        thread->restless_next->restless_prev = thread->restless_prev;
    }
}

void ct_thread_in_gap(struct ct_model *model)
{
    struct ct_thread *thread;

    while ((thread = model->restless_threads)) {
        ct_thread_unwind(model, thread, 0);
        thread->base_known = false;
        thread->clean = true;
        make_quiet(model, thread);
    }
    model->horizon_ns = MAX(model->gap_end_ns, model->now_ns);
    model->thread = NULL; /* it is got anew when it is heard of again */
}

struct ct_thread *ct_thread_get(struct ct_model *model,
                                struct ct_process *process, int32_t tid)
{
    struct ct_thread *thread = ct_table_get(&process->threads, (uint32_t)tid);

    if (!thread) {
        thread = ct_slab_new(&model->threads);
        thread->process = process;
        thread->tid = tid;
        thread->begin_ns = thread->last_ns = model->now_ns;
        thread->horizon_ns = model->in_gap ? model->gap_end_ns : model->now_ns;
        thread->clean = true;
        /* Before any loss and from its start on, a process's first thread has
         * only what we saw. */
        thread->base_known =
            tid == process->pid && ct_process_is_whole(model, process);
        ct_table_put(&process->threads, (uint32_t)tid, thread);
        make_restless(model, thread);
        struct ct_slice slice = base_slice(thread);
        ct_slice_tell_begin(model, &slice, NULL);
    } else if (!thread->is_restless) {
        thread->horizon_ns = model->horizon_ns;
        make_restless(model, thread);
    }
    return thread;
}

void ct_thread_name(struct ct_model *model, struct ct_thread *thread,
                    const char *name, uint64_t pool)
{
    name = ct_names_get(&model->names, name);
    if (!name || (name == thread->name && pool == thread->pool)) {
        return;
    }
    thread->name = name;
    thread->pool = pool;
    if (ct_model_wants_any(model, CT_WANT_THREAD_NAMES)) {
        ct_model_change(model, CT_CHANGE_THREAD_NAME)->thread_name =
            (struct ct_thread_name){
                .pid = thread->process->pid,
                .tid = thread->tid,
                .name = name,
                .pool = pool,
            };
    }
}

void ct_thread_end(struct ct_model *model, struct ct_thread *thread,
                   bool end_known)
{
    struct ct_process *process = thread->process;

    if (end_known && thread->n_open) {
        ct_model_odd(model);
    }
    ct_thread_unwind(model, thread, 0);
    if (thread->worker) {
        ct_worker_end(model, thread->worker, false);
    }
    struct ct_slice slice = base_slice(thread);
    slice.n_children = thread->n_children;
    slice.children_ns = thread->children_ns;
    ct_slice_tell_end(model, &slice, end_known);

    struct ct_entity entity = {
        .process = process,
        .id = thread->id,
        .begin_known = thread->introduced,
        .tid = thread->tid,
        .begin_ns = thread->begin_ns,
    };
    struct ct_life *life = ct_model_life(model, CT_ENTITY_THREAD, &entity,
                                         thread->origin, end_known);
    if (life) {
        life->name = thread->name;
        life->stack = thread->stack;
        life->stack_ns = thread->stack_ns;
    }
    ct_table_take(&process->threads, (uint32_t)thread->tid);
    make_quiet(model, thread);
    if (model->thread == thread) {
        model->thread = NULL;
    }
    ct_origin_unref(thread->origin);
    g_free(thread->open);
    ct_slab_free(&model->threads, thread);
}

struct ct_thread *ct_thread_restart(struct ct_model *model,
                                    struct ct_thread *thread)
{
    struct ct_process *process = thread->process;
    int32_t tid = thread->tid;

    ct_thread_end(model, thread, false);
    model->thread = ct_thread_get(model, process, tid);
    return model->thread;
}

static void thread_create(struct ct_model *model, struct ct_thread *thread,
                          const struct ct_step *step)
{
    struct ct_table *births = &thread->process->births;

    if (!step->subject || ct_table_get(births, step->subject)) {
        ct_model_odd(model);
        return;
    }
    struct ct_birth *birth = ct_slab_new(&model->births);
    ct_entity_init(model, &birth->entity, step, step->subject, true);
    birth->origin = ct_thread_origin(model, thread, step, CT_BOUNDARY_THREAD,
                                     step->subject);
    birth->name = ct_names_get(&model->names, step->name);
    ct_table_put(births, step->subject, birth);
}

void ct_birth_free(struct ct_model *model, struct ct_birth *birth)
{
    ct_table_take(&birth->entity.process->births, birth->entity.id);
    ct_origin_unref(birth->origin);
    ct_slab_free(&model->births, birth);
}

static void thread_start(struct ct_model *model, struct ct_thread *thread,
                         const struct ct_step *step)
{
    if (thread->introduced || thread->n_open || !thread->clean ||
        thread->begin_ns != model->now_ns) {
        thread = ct_thread_restart(model, thread);
    }
    thread->introduced = true;
    thread->base_known = !model->in_gap;
    thread->id = step->subject;

    const char *name = step->name;
    struct ct_birth *birth =
        ct_table_get(&thread->process->births, step->subject);
    if (birth) {
        thread->origin = ct_origin_ref(birth->origin);
        name = name && *name ? name : birth->name;
        ct_birth_free(model, birth);
    }
    if (name && *name) {
        ct_thread_name(model, thread, name, 0);
    }
}

/* Recorded by the thread; or, if it could not be created, by its creator. */
static void thread_exit(struct ct_model *model, struct ct_thread *thread,
                        const struct ct_step *step)
{
    struct ct_birth *birth =
        ct_table_get(&thread->process->births, step->subject);

    if (birth) {
        ct_birth_free(model, birth);
    } else if (!thread->id || thread->id == step->subject) {
        ct_thread_end(model, thread, true);
    } else {
        ct_model_odd(model);
    }
}

void ct_thread_step(struct ct_model *model, struct ct_thread *thread,
                    const struct ct_step *step)
{
    switch (step->kind) {
    case CT_STEP_THREAD_CREATE:
        ct_thread_own_stack(model, thread, step);
        thread_create(model, thread, step);
        break;
    case CT_STEP_THREAD_START:
        thread_start(model, thread, step);
        break;
    case CT_STEP_THREAD_NAME:
        ct_thread_name(model, thread, step->name, 0);
        break;
    case CT_STEP_THREAD_STACK:
        ct_thread_own_stack(model, thread, step);
        break;
    default:
        thread_exit(model, thread, step);
    }
}
