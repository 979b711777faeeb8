/* SPDX-License-Identifier: MIT */
/*
 * The life of a coroutine:
 *
 *   create -> CREATED -- enter --> RUNNING -- yield --> WAITING -- enter -->
 * ...
 *                                     `-- terminate: gone
 *
 * Beside it stands `woken`: it will be entered (WAITING, CREATED), or would be
 * as soon as it yields (RUNNING: a wake may come before the yield that it ends,
 * from another thread).  An enter ends it.
 *
 * Its origin is who entered it first, or who scheduled it, if that came first.
 *
 * After a gap a coroutine is sure again when it is entered, ends, or is told.
 * A yield alone is not enough: the wake that ends the wait may be among the
 * lost events.  It is where it gave way of its own accord, and where it waits
 * for a work item of which more is known than that.
 */
#include "model/coroutines.h"

#include <glib.h>

#include "ct/pre.h"
#include "model/locks.h"
#include "model/loops.h"
#include "model/slices.h"
#include "model/state/changes.h"
#include "model/state/doing.h"
#include "model/state/situations.h"

static void set_since(const struct ct_model *model, struct ct_co *co,
                      bool is_known)
{
    co->since_ns = model->now_ns;
    co->since_known = is_known && !model->in_gap;
}

static void wake(struct ct_model *model, struct ct_co *co, uint64_t context,
                 uint64_t waker)
{
    if (!ct_co_is_woken(model, co)) {
        co->woken_epoch = model->in_gap ? 0 : model->epoch;
        co->woken_context = context;
        co->waker = waker;
        if (co->phase != CT_CO_RUNNING) {
            set_since(model, co, true);
        }
    }
}

static void count(struct ct_model *model, const struct ct_process *process)
{
    if (ct_process_is_counted(model, process)) {
        ct_model_counter(model, process, CT_COUNTER_COROUTINES, 0,
                         process->coroutines.n);
    }
}

static struct ct_co *new_co(struct ct_model *model, struct ct_process *process,
                            const struct ct_step *step, uint64_t id,
                            bool is_begin)
{
    struct ct_co *co = ct_slab_new(&model->coroutines);

    ct_entity_init(model, &co->entity, step, id, is_begin);
    co->phase = is_begin ? CT_CO_CREATED : CT_CO_UNKNOWN;
    set_since(model, co, is_begin);
    ct_table_put(&process->coroutines, id, co);
    count(model, process);
    return co;
}

struct ct_co *ct_co_get(struct ct_model *model, struct ct_process *process,
                        const struct ct_step *step, uint64_t id)
{
    struct ct_co *co = ct_table_get(&process->coroutines, id);

    return co ? co : new_co(model, process, step, id, false);
}

/* --- links ------------------------------------------------------------ */

static void leave_parent(struct ct_co *co)
{
    struct ct_co *parent = co->parent;

    if (!parent) {
        return;
    }
    *(co->sibling_prev ? &co->sibling_prev->sibling_next : &parent->children) =
        co->sibling_next;
    *(co->sibling_next ? &co->sibling_next->sibling_prev
                       : &parent->children_last) = co->sibling_prev;
    co->parent = co->sibling_next = co->sibling_prev = NULL;
}

/* Who brought it into being: known only if nothing can have come before. */
static void set_origin(struct ct_model *model, struct ct_thread *thread,
                       struct ct_co *co, const struct ct_step *step,
                       uint64_t by)
{
    if (co->phase != CT_CO_CREATED || co->was_entered || co->origin ||
        co->parent || !ct_entity_is_sure(model, &co->entity)) {
        return;
    }
    co->origin = ct_thread_origin(model, thread, step, CT_BOUNDARY_COROUTINE,
                                  co->entity.id);
    struct ct_co *parent =
        by ? ct_table_get(&co->entity.process->coroutines, by) : NULL;
    if (parent && parent != co) {
        co->parent = parent;
        co->sibling_prev = parent->children_last;
        *(parent->children_last ? &parent->children_last->sibling_next
                                : &parent->children) = co;
        parent->children_last = co;
        parent->newest_child = co->entity.id;
    }
}

static void stop_waiting(struct ct_model *model, struct ct_co *co)
{
    ct_lock_leave(model, co);
    if (co->work) {
        co->work->waiter = NULL;
        co->work = NULL;
    }
    co->reason = CT_YIELD_REASON_OTHER;
    co->waits_for = 0;
}

void ct_co_edge(const struct ct_model *model, struct ct_co *co,
                enum ct_edge_kind kind, int32_t tid)
{
    if (co->edge_epoch != model->epoch && !model->in_gap) {
        co->edge_epoch = model->epoch;
        co->edge_kind = (uint8_t)kind;
        co->edge_ns = model->now_ns;
        co->edge_tid = tid;
    }
}

/* Closes it, and what is above it, on the thread where it should not be. */
static void tear_off(struct ct_model *model, struct ct_co *co)
{
    if (co->thread) {
        struct ct_thread *thread = co->thread;
        unsigned at;
        ct_thread_find_co(thread, co, &at);
        ct_model_odd(model);
        ct_thread_unwind(model, thread, at);
        ct_thread_top_changed(model, thread);
    }
}

void ct_co_end(struct ct_model *model, struct ct_co *co, bool end_known)
{
    struct ct_process *process = co->entity.process;
    enum ct_state state = ct_co_state(model, co);
    uint64_t request = co->requests ? co->requests->number : 0;
    struct ct_co *awaiter;

    tear_off(model, co);
    awaiter = ct_co_awaiter(co);
    ct_table_take(&process->coroutines, co->entity.id);
    while (co->requests) {
        struct ct_req *req = co->requests;
        co->requests = req->next;
        if (req->next) {
            req->next->prev = NULL;
        }
        req->co = NULL;
        req->next = req->prev = NULL;
        req->co_ended = end_known;
        ct_req_tell(model, req);
    }
    struct ct_life *life = ct_model_life(model, CT_ENTITY_COROUTINE,
                                         &co->entity, co->origin, end_known);
    if (life) {
        life->context = co->context;
        life->fn = co->fn;
        life->stack = co->yield_stack ? co->yield_stack : co->stack;
        life->stack_ns = co->yield_stack ? co->yield_stack_ns : co->stack_ns;
        life->state = state;
        life->waits_for = co->waits_for;
        life->request = request;
    }
    stop_waiting(model, co);
    ct_context_scheduled(model, co, 0);
    leave_parent(co);
    if (awaiter) {
        ct_co_changed(model, awaiter);
    }
    while (co->children) {
        leave_parent(co->children);
    }
    ct_origin_unref(co->origin);
    ct_slab_free(&model->coroutines, co);
    count(model, process);
}

/* --- steps ------------------------------------------------------------ */

static void create(struct ct_model *model, struct ct_thread *thread,
                   const struct ct_step *step)
{
    struct ct_process *process = thread->process;
    struct ct_co *co = ct_table_get(&process->coroutines, step->subject);

    if (co) {
        ct_model_odd(model);
        ct_co_end(model, co, false);
    }
    co = new_co(model, process, step, step->subject, true);
    co->fn = step->fn;
}

/* Makes the thread agree with `from`, the coroutine that runs on it (0: none).
 */
static void settle(struct ct_model *model, struct ct_thread *thread,
                   const struct ct_step *step, uint64_t from)
{
    unsigned at = thread->n_open;

    while (at > 0 && !thread->open[at - 1].co) {
        at--;
    }
    if (at && thread->open[at - 1].id == from) {
        return;
    }
    if (!from) {
        if (at) {
            while (at > 1 && thread->open[at - 2].co) {
                at--;
            }
            ct_model_odd(model);
            ct_thread_unwind(model, thread, at - 1);
        }
        return;
    }
    struct ct_co *co = ct_co_get(model, thread->process, step, from);
    if (co->thread == thread) {
        ct_thread_find_co(thread, co, &at);
        ct_model_odd(model);
        ct_thread_unwind(model, thread, at + 1);
        return;
    }
    struct ct_open like = {
        .kind = CT_SLICE_COROUTINE,
        .id = from,
        .fn = co->fn,
        .request = co->requests ? co->requests->number : 0,
        .co = co,
    };
    tear_off(model, co);
    if (ct_thread_push_below(model, thread, like)) {
        stop_waiting(model, co);
        set_since(model, co, false);
        co->phase = CT_CO_RUNNING;
        co->was_entered = true;
        co->woken_epoch = 0;
        ct_entity_told(model, &co->entity);
        ct_co_changed(model, co);
    } else {
        ct_model_odd(model);
    }
}

static void enter(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step)
{
    struct ct_process *process = thread->process;

    if (!step->subject || step->subject == step->object) {
        ct_model_odd(model);
        return;
    }
    settle(model, thread, step, step->object);
    ct_thread_own_stack(model, thread, step);
    struct ct_co *co = ct_co_get(model, process, step, step->subject);
    tear_off(model, co);
    set_origin(model, thread, co, step, step->object);
    stop_waiting(model, co);
    ct_context_scheduled(model, co, 0);
    set_since(model, co, true);
    co->phase = CT_CO_RUNNING;
    co->was_entered = true;
    co->ended_epoch = 0;
    co->context = step->context;
    co->woken_epoch = 0;
    co->waker = 0;
    co->file = NULL;
    ct_entity_told(model, &co->entity);
    ct_thread_push(model, thread,
                   (struct ct_open){
                       .kind = CT_SLICE_COROUTINE,
                       .id = step->subject,
                       .context = step->context,
                       .fn = co->fn,
                       .request = co->requests ? co->requests->number : 0,
                       .co = co,
                   });
    ct_co_changed(model, co);
    if (co->edge_epoch == model->epoch) {
        ct_model_edge(model,
                      &(struct ct_edge){
                          .kind = co->edge_kind,
                          .pid = process->pid,
                          .from_tid = co->edge_tid,
                          .from_ns = co->edge_ns,
                          .to_tid = thread->tid,
                          .to_ns = model->now_ns,
                          .id = co->entity.id,
                          .request = co->requests ? co->requests->number : 0,
                      });
    }
    co->edge_epoch = 0;
}

static void wait_for_work(struct ct_model *model, struct ct_co *co)
{
    struct ct_work *work =
        ct_table_get(&co->entity.process->works, co->waits_for);

    if (!work) {
        if (co->completed == co->waits_for) {
            wake(model, co, co->context, 0);
        }
        return;
    }
    if (work->waiter) {
        ct_model_odd(model);
        work->waiter->work = NULL;
    }
    work->waiter = co;
    co->work = work;
}

void ct_co_work_told(struct ct_model *model, struct ct_process *process,
                     struct ct_work *work)
{
    struct ct_co *co = ct_table_get(&process->coroutines, work->co);

    if (co && !co->work && co->phase == CT_CO_WAITING &&
        co->reason == CT_YIELD_REASON_WORK &&
        co->waits_for == work->entity.id) {
        wait_for_work(model, co);
        ct_co_changed(model, co);
    }
}

void ct_co_completed(struct ct_model *model, struct ct_co *co,
                     const struct ct_step *step)
{
    co->completed = step->subject;
    if (co->phase == CT_CO_WAITING && co->reason == CT_YIELD_REASON_WORK &&
        co->waits_for == step->subject) {
        wake(model, co, co->context, 0);
        ct_co_edge(model, co, CT_EDGE_RESUME, step->tid);
        ct_co_changed(model, co);
    }
}

/* The coroutine gives its thread away: closes it there. */
static void leave_thread(struct ct_model *model, struct ct_thread *thread,
                         struct ct_co *co, const struct ct_step *step)
{
    if (co->thread && co->thread != thread) {
        tear_off(model, co);
    }
    if (!co->thread) {
        struct ct_open like = {
            .kind = CT_SLICE_COROUTINE,
            .id = co->entity.id,
            .context = co->context,
            .fn = co->fn,
            .request = co->requests ? co->requests->number : 0,
            .co = co,
        };
        if (!thread->clean || !ct_thread_push_below(model, thread, like)) {
            model->oddities += thread->base_known && !model->in_gap;
            return;
        }
    }
    ct_thread_pop(model, thread, CT_SLICE_COROUTINE, co->entity.id, false,
                  step);
}

static void own_yield_stack(struct ct_model *model, struct ct_co *co,
                            const struct ct_step *step)
{
    if (!step->stack) {
        return;
    }
    co->stack = co->yield_stack = step->stack;
    co->stack_ns = co->yield_stack_ns = model->now_ns;
    if (ct_model_wants_any(model, CT_WANT_OWN_STACKS)) {
        ct_model_change(model, CT_CHANGE_OWN_STACK)->own_stack =
            (struct ct_own_stack){
                .kind = CT_ENTITY_COROUTINE,
                .pid = step->pid,
                .tid = step->tid,
                .id = co->entity.id,
                .when_ns = model->now_ns,
                .stack = step->stack,
                .waits = true,
                .origin = ct_model_hold(model, co->origin),
            };
    }
}

static void yield(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step)
{
    if (!step->subject) {
        ct_model_odd(model);
        return;
    }
    struct ct_co *co = ct_co_get(model, thread->process, step, step->subject);
    bool was_sure = ct_entity_is_sure(model, &co->entity);

    own_yield_stack(model, co, step);
    leave_thread(model, thread, co, step);
    stop_waiting(model, co);
    set_since(model, co, true);
    co->phase = CT_CO_WAITING;
    co->was_entered = true;
    co->reason = step->reason;
    co->waits_for = step->waits_for;
    switch (co->reason) {
    case CT_YIELD_REASON_WORK:
        wait_for_work(model, co);
        was_sure |= co->work && ct_entity_is_sure(model, &co->work->entity);
        break;
    case CT_YIELD_REASON_LOCK:
        ct_lock_wait(model, co, step);
        break;
    case CT_YIELD_REASON_SCHEDULE:
        wake(model, co, co->context, 0);
        was_sure = true;
        break;
    default:
        break;
    }
    if (was_sure) {
        ct_entity_told(model, &co->entity);
    }
    ct_co_changed(model, co);
}

static void wake_step(struct ct_model *model, struct ct_thread *thread,
                      const struct ct_step *step)
{
    if (!step->subject) {
        ct_model_odd(model);
        return;
    }
    bool is_schedule = step->kind == CT_STEP_CO_SCHEDULE;
    struct ct_co *co = ct_co_get(model, thread->process, step, step->subject);

    ct_thread_own_stack(model, thread, step);
    set_origin(model, thread, co, step, step->object);
    if (!is_schedule && step->object && !ct_co_is_woken(model, co)) {
        ct_req_waker(model, co, step->object);
    }
    bool is_queued = !is_schedule && step->reason == CT_WAKE_HOW_QUEUED;
    bool is_entered = !is_schedule && step->reason == CT_WAKE_HOW_ENTERED;
    if (!is_entered || co->phase != CT_CO_CREATED) {
        wake(model, co, step->context, is_queued ? step->object : 0);
    } /* else its maker starts it here and now: still the maker's work */
    ct_co_edge(model, co, is_schedule ? CT_EDGE_SCHEDULE : CT_EDGE_WAKE,
               step->tid);
    if (is_schedule) {
        ct_context_scheduled(model, co, step->context);
    }
    ct_co_changed(model, co);
}

void ct_co_step(struct ct_model *model, struct ct_thread *thread,
                const struct ct_step *step)
{
    struct ct_co *co;

    switch (step->kind) {
    case CT_STEP_CO_CREATE:
        ct_thread_own_stack(model, thread, step);
        if (step->subject) {
            create(model, thread, step);
        }
        break;
    case CT_STEP_CO_ENTER:
        enter(model, thread, step);
        break;
    case CT_STEP_CO_YIELD:
        yield(model, thread, step);
        break;
    case CT_STEP_CO_TERMINATE:
        if (step->subject) {
            co = ct_co_get(model, thread->process, step, step->subject);
            if (step->certainty != CT_UNKNOWN) {
                leave_thread(model, thread, co, step);
            }
            ct_co_end(model, co, step->certainty != CT_UNKNOWN);
        }
        break;
    case CT_STEP_CO_FILE:
        co = ct_table_get(&thread->process->coroutines, step->subject);
        if (co) {
            co->file = ct_names_get(&model->names, step->name);
            ct_co_changed(model, co);
        }
        break;
    case CT_STEP_CO_DEQUEUE:
        co = ct_table_get(&thread->process->coroutines, step->subject);
        if (co) {
            ct_context_scheduled(model, co, 0);
        }
        break;
    default:
        wake_step(model, thread, step);
    }
}

void ct_co_told(struct ct_model *model, struct ct_process *process,
                const struct ct_step *step)
{
    struct ct_co *co = ct_table_get(&process->coroutines, step->subject);

    if (!co) {
        co = new_co(model, process, step, step->subject, false);
        ct_entity_since(&co->entity, step);
    }
    co->entity.telling = process->telling.number;
    co->fn = co->fn ? co->fn : step->fn;
    if (!co->origin && !co->entity.begin_known && step->created_stack &&
        ct_model_wants_any(model, CT_WANT_ORIGINS)) {
        co->origin = ct_origin_new(
            &(struct ct_origin){
                .boundary = CT_BOUNDARY_COROUTINE,
                .cut = true,
                .pid = process->pid,
                .id = step->subject,
                .stack = step->created_stack,
            },
            NULL);
    }
    if (step->stack && !ct_entity_is_sure(model, &co->entity)) {
        own_yield_stack(model, co, step);
    }
    if (ct_entity_is_sure(model, &co->entity) ||
        !ct_process_is_telling(model, process) || co->thread ||
        step->value == CT_CO_STATE_RUNNING) {
        return; /* what we saw is newer, or as good */
    }
    stop_waiting(model, co);
    set_since(model, co, false);
    if (step->ns) {
        co->since_ns = MIN(step->ns, model->now_ns);
        co->since_known = true;
    }
    co->woken_epoch = 0;
    co->phase = CT_CO_WAITING;
    co->was_entered |= step->value != CT_CO_STATE_CREATED;
    co->reason = step->reason;
    co->waits_for = step->waits_for;
    if (step->value == CT_CO_STATE_CREATED) {
        co->phase = CT_CO_CREATED;
    } else if (step->value == CT_CO_STATE_SCHEDULED) {
        wake(model, co, co->context, 0);
    } else if (step->value == CT_CO_STATE_QUEUED) {
        wake(model, co, co->context, step->object);
    } else if (co->reason == CT_YIELD_REASON_WORK) {
        wait_for_work(model, co);
    } else if (co->reason == CT_YIELD_REASON_LOCK) {
        ct_lock_wait(model, co, step);
    }
    ct_entity_told(model, &co->entity);
    ct_co_changed(model, co);
}
