/* SPDX-License-Identifier: MIT */
/*
 * What is open on each thread, outermost first: turns of contexts, waits, runs
 * of bottom halves, timers and handlers, coroutines from enter to yield, work.
 *
 * They nest truly, whatever the trace says: an end that is not the innermost
 * one closes what lies above it first (its ends were not seen), an end of what
 * is not open changes nothing.  One exception: where nothing was closed since
 * the point from which on all events of the thread were seen (its horizon), an
 * end tells of a slice that was open there already.
 *
 * A coroutine is open at most once, on the thread that its `thread` names; so
 * is a work item.
 */
#include "model/slices.h"

#include <glib.h>

#include "ct/pre.h"
#include "model/state/changes.h"
#include "model/state/situations.h"

enum { DEPTH_MAX = 256 };

static bool is_run(enum ct_slice_kind kind)
{
    return kind == CT_SLICE_BH || kind == CT_SLICE_TIMER ||
           kind == CT_SLICE_FD || kind == CT_SLICE_COROUTINE ||
           kind == CT_SLICE_WORK;
}

static struct ct_slice open_slice(const struct ct_thread *thread, unsigned at)
{
    const struct ct_open *open = &thread->open[at];

    return (struct ct_slice){
        .kind = open->kind,
        .begin_known = open->begin_known,
        .pid = thread->process->pid,
        .tid = thread->tid,
        .depth = at + 1,
        .begin_ns = open->begin_ns,
        .id = open->id,
        .context = open->context,
        .request = open->request,
        .fn = open->fn,
        .name = open->name,
        .poll_depth = open->poll_depth,
    };
}

/* @open: what began; NULL: the thread itself */
void ct_slice_tell_begin(struct ct_model *model, const struct ct_slice *slice,
                         const struct ct_open *open)
{
    if (!ct_model_wants_any(model, CT_WANT_SLICE_BEGINS)) {
        return;
    }
    struct ct_change *change = ct_model_change(model, CT_CHANGE_SLICE_BEGAN);
    change->slice = *slice;
    change->slice.end_ns = slice->begin_ns;
    if (open && ct_model_wants_any(model, CT_WANT_ORIGINS)) {
        const struct ct_co *co = open->co;
        change->slice.origin =
            ct_model_hold(model, co           ? co->origin
                                 : open->work ? open->work->origin
                                              : open->origin);
        change->slice.stack = co ? co->stack : 0;
        change->slice.stack_ns = co ? co->stack_ns : 0;
    }
}

void ct_slice_tell_end(struct ct_model *model, struct ct_slice *slice,
                       bool end_known)
{
    slice->end_ns = model->now_ns;
    slice->open = model->finishing;
    slice->end_known = end_known;
    if (ct_model_wants_any(model, CT_WANT_SLICES)) {
        ct_model_change(model, CT_CHANGE_SLICE)->slice = *slice;
    }
}

void ct_thread_top_changed(struct ct_model *model, struct ct_thread *thread)
{
    struct ct_open *run = ct_thread_run(thread);

    if (run && run->co) {
        ct_co_changed(model, run->co);
    }
}

static struct ct_open *add(struct ct_thread *thread, const struct ct_open *like)
{
    if (thread->n_open == thread->capacity) {
        thread->capacity = MAX(8, thread->capacity * 2);
        thread->open = g_renew(struct ct_open, thread->open, thread->capacity);
    }
    uint16_t inner = 0;
    if (is_run(like->kind)) {
        inner = (uint16_t)(thread->n_open + 1);
    } else if (thread->n_open) {
        inner = thread->open[thread->n_open - 1].inner;
    }
    struct ct_open *open = &thread->open[thread->n_open++];
    *open = *like;
    open->inner = inner;
    if (open->co) {
        open->co->thread = thread;
    }
    if (open->work) {
        open->work->thread = thread;
    }
    return open;
}

bool ct_thread_push(struct ct_model *model, struct ct_thread *thread,
                    struct ct_open like)
{
    if (model->in_gap || thread->n_open >= DEPTH_MAX) {
        ct_model_odd(model);
        ct_origin_unref(like.origin);
        return false;
    }
    /* On top, or in a nested turn that gets further. */
    struct ct_open *run = ct_thread_run(thread);
    struct ct_co *covered = run ? run->co : NULL;
    if (covered && !is_run((enum ct_slice_kind)like.kind)) {
        like.awaits = covered->newest_child;
    }
    like.begin_known = true;
    like.begin_ns = model->now_ns;
    add(thread, &like);
    if (ct_model_wants_any(model, CT_WANT_SLICE_BEGINS)) {
        struct ct_slice slice = open_slice(thread, thread->n_open - 1);
        ct_slice_tell_begin(model, &slice, &thread->open[thread->n_open - 1]);
    }
    if (covered) {
        ct_co_changed(model, covered);
    }
    return true;
}

bool ct_thread_push_below(struct ct_model *model, struct ct_thread *thread,
                          struct ct_open like)
{
    if (model->in_gap || thread->n_open || thread->base_known) {
        ct_origin_unref(like.origin);
        return false;
    }
    like.begin_known = false;
    like.begin_ns = thread->clean ? MAX(thread->horizon_ns, thread->begin_ns)
                                  : model->now_ns;
    add(thread, &like);
    struct ct_slice slice = open_slice(thread, 0);
    ct_slice_tell_begin(model, &slice, &thread->open[0]);
    return true;
}

/* Whose it is, or in what it lies. */
static void set_run(struct ct_model *model, const struct ct_thread *thread,
                    unsigned at, struct ct_slice *slice)
{
    unsigned inner = thread->open[at].inner;
    const struct ct_open *run = inner ? &thread->open[inner - 1] : NULL;

    if (!ct_model_wants_any(model, CT_WANT_ORIGINS)) {
        return;
    }
    if (slice->kind == CT_SLICE_POLL || slice->kind == CT_SLICE_WAIT) {
        for (unsigned i = 0; i < at; i++) {
            slice->turns_below += thread->open[i].kind == CT_SLICE_POLL;
        }
        slice->in_wait = at && thread->open[at - 1].kind == CT_SLICE_WAIT;
    }
    if (!run) {
        slice->run_kind = CT_SLICE_THREAD;
        if (thread->base_known) {
            slice->run_origin = ct_model_hold(model, thread->origin);
            slice->run_stack = thread->stack;
            slice->run_stack_ns = thread->stack_ns;
        }
        return;
    }
    slice->run_kind = (enum ct_slice_kind)run->kind;
    slice->run_fn = run->fn;
    slice->run_name = run->name;
    if (run->co) {
        slice->run_origin = ct_model_hold(model, run->co->origin);
        slice->run_stack = run->co->stack;
        slice->run_stack_ns = run->co->stack_ns;
    } else if (run->work) {
        slice->run_origin = ct_model_hold(model, run->work->origin);
        slice->run_stack = run->work->stack;
        slice->run_stack_ns = run->work->stack_ns;
    } else {
        slice->run_origin = ct_model_hold(model, run->origin);
    }
}

/* Closes the innermost one.  Its coroutine or work item is open nowhere then;
 * what that means is the caller's. */
static struct ct_open close_top(struct ct_model *model,
                                struct ct_thread *thread, bool end_known,
                                bool flag)
{
    struct ct_open open = thread->open[thread->n_open - 1];
    struct ct_slice slice = open_slice(thread, thread->n_open - 1);

    slice.n_children = open.n_children;
    slice.n_sleeps = open.n_sleeps;
    slice.children_ns = open.children_ns;
    slice.flag = flag;
    slice.may_sleep = open.may_sleep;
    set_run(model, thread, thread->n_open - 1, &slice);
    ct_slice_tell_end(model, &slice, end_known);

    thread->n_open--;
    thread->clean = false;
    int64_t ns = model->now_ns - open.begin_ns;
    struct ct_open *outer = ct_thread_top(thread);
    if (outer) {
        outer->n_children++;
        outer->n_sleeps +=
            open.kind == CT_SLICE_FDMON || open.kind == CT_SLICE_BUSY;
        outer->children_ns += ns;
    } else {
        thread->n_children++;
        thread->children_ns += ns;
    }
    ct_origin_unref(open.origin);
    open.origin = NULL;
    if (open.co) {
        open.co->thread = NULL;
    }
    if (open.work) {
        open.work->thread = NULL;
    }
    return open;
}

/* Its thread lost it: it may be anywhere. */
static void co_left(struct ct_model *model, struct ct_co *co)
{
    if (!model->finishing) {
        co->phase = CT_CO_UNKNOWN;
        co->entity.epoch = 0;
        ct_co_changed(model, co);
    }
}

static void work_left(struct ct_model *model, struct ct_work *work)
{
    if (!model->finishing) {
        work->phase = CT_WORK_UNKNOWN;
        work->entity.epoch = 0;
        if (work->waiter) {
            ct_co_changed(model, work->waiter);
        }
    }
}

void ct_thread_unwind(struct ct_model *model, struct ct_thread *thread,
                      unsigned keep)
{
    while (thread->n_open > keep) {
        struct ct_open open = close_top(model, thread, false, false);
        if (open.co) {
            co_left(model, open.co);
        }
        if (open.work) {
            work_left(model, open.work);
        }
    }
}

bool ct_thread_pop(struct ct_model *model, struct ct_thread *thread,
                   enum ct_slice_kind kind, uint64_t id, bool flag,
                   const struct ct_step *step)
{
    unsigned at = thread->n_open;

    if (model->in_gap) {
        return false;
    }
    while (at > 0 && (thread->open[at - 1].kind != kind ||
                      thread->open[at - 1].id != id)) {
        at--;
    }
    if (!at) {
        struct ct_open like = {
            .kind = (uint8_t)kind,
            .id = id,
            .context = step->context,
            .fn = step->fn,
            .name = ct_names_get(&model->names, step->name),
        };
        if (!thread->clean || !ct_thread_push_below(model, thread, like)) {
            model->oddities += thread->base_known;
            return false;
        }
        at = 1;
    }
    if (at < thread->n_open) {
        ct_model_odd(model);
        ct_thread_unwind(model, thread, at);
    }
    close_top(model, thread, true, flag);
    ct_thread_top_changed(model, thread);
    return true;
}

struct ct_open *ct_thread_find_co(struct ct_thread *thread,
                                  const struct ct_co *co, unsigned *ret_at)
{
    unsigned at = thread->n_open;

    do {
        ct_pre("thread-find-co/open", at > 0);
        at--;
    } while (thread->open[at].co != co);
    *ret_at = at;
    return &thread->open[at];
}

/* --- where something new comes from ----------------------------------- */

struct ct_origin *ct_thread_base(const struct ct_model *model,
                                 const struct ct_thread *thread, bool *ret_cut)
{
    struct ct_open *run = ct_thread_run(thread);
    struct ct_origin *origin;

    if (model->in_gap) {
        *ret_cut = true;
        return NULL;
    }
    if (run) {
        origin = run->co     ? run->co->origin
                 : run->work ? run->work->origin
                             : run->origin;
        *ret_cut = !origin;
        return origin;
    }
    if (!thread->base_known) {
        *ret_cut = true;
        return NULL;
    }
    *ret_cut = !thread->origin && thread->tid != thread->process->pid;
    return thread->origin;
}

struct ct_origin *ct_thread_origin(struct ct_model *model,
                                   const struct ct_thread *thread,
                                   const struct ct_step *step,
                                   enum ct_boundary boundary, uint64_t id)
{
    if (!ct_model_wants_any(model, CT_WANT_ORIGINS)) {
        return NULL;
    }
    struct ct_origin like = {
        .boundary = boundary,
        .pid = step->pid,
        .tid = step->tid,
        .id = id,
        .stack = step->stack,
        .when_ns = model->now_ns,
    };
    struct ct_origin *next = ct_thread_base(model, thread, &like.cut);
    return ct_origin_new(&like, next);
}

void ct_thread_own_stack(struct ct_model *model, struct ct_thread *thread,
                         const struct ct_step *step)
{
    struct ct_open *run = ct_thread_run(thread);
    struct ct_own_stack own = {
        .pid = step->pid,
        .tid = step->tid,
        .when_ns = model->now_ns,
        .stack = step->stack,
    };

    if (!step->stack || model->in_gap) {
        return;
    }
    if (run && run->co) {
        own.kind = CT_ENTITY_COROUTINE;
        own.id = run->co->entity.id;
        own.origin = run->co->origin;
        run->co->stack = step->stack;
        run->co->stack_ns = model->now_ns;
    } else if (run && run->work) {
        own.kind = CT_ENTITY_WORK;
        own.id = run->work->entity.id;
        own.origin = run->work->origin;
        run->work->stack = step->stack;
        run->work->stack_ns = model->now_ns;
    } else if (!run && thread->base_known && !thread->worker) {
        own.kind = CT_ENTITY_THREAD;
        own.id = thread->id;
        own.origin = thread->origin;
        thread->stack = step->stack;
        thread->stack_ns = model->now_ns;
    } else {
        return;
    }
    if (ct_model_wants_any(model, CT_WANT_OWN_STACKS)) {
        ct_model_hold(model, (struct ct_origin *)own.origin);
        ct_model_change(model, CT_CHANGE_OWN_STACK)->own_stack = own;
    }
}
