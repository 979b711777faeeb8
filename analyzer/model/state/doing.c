/* SPDX-License-Identifier: MIT */
/*
 * What a coroutine is doing, as far as is known, and who has to hear of it.
 */
#include "model/state/doing.h"

#include <glib.h>

static void work_situation(const struct ct_model *model, const struct ct_co *co,
                           struct ct_situation *situation)
{
    const struct ct_work *work = co->work;

    if (!work || !ct_entity_is_sure(model, &work->entity)) {
        situation->work = CT_WORK_UNKNOWN;
        return;
    }
    situation->work = work->phase;
    situation->tid = work->worker_tid;
    situation->context = co->context;
    situation->file = work->phase == CT_WORK_RUNNING ? work->file : NULL;
    if (work->phase == CT_WORK_QUEUED) {
        situation->pool = work->pool->entity.id;
        situation->spawn_known =
            !model->in_gap && work->pool->known_epoch == model->epoch;
        situation->spawn_awaited =
            work->pool->idle <= 0 && work->pool->awaited > 0;
        situation->worker_idle = work->pool->idle >= work->pool->queued;
    }
}

static void wait_situation(const struct ct_model *model, const struct ct_co *co,
                           struct ct_situation *situation)
{
    situation->doing = CT_DOING_WAITS;
    situation->reason = co->reason;
    situation->waits_for = co->waits_for;
    switch (co->reason) {
    case CT_YIELD_REASON_WORK:
        work_situation(model, co, situation);
        break;
    case CT_YIELD_REASON_LOCK:
        if (co->lock && ct_entity_is_sure(model, &co->lock->entity)) {
            situation->by_coroutine = co->lock->holder;
        }
        break;
    case CT_YIELD_REASON_IO:
        situation->file = co->file;
        break;
    case CT_YIELD_REASON_CHILDREN:
        situation->by_coroutine = co->children ? co->children->entity.id : 0;
        break;
    default:
        break;
    }
    if (situation->by_coroutine) {
        situation->by_request =
            ct_co_request(co->entity.process, situation->by_coroutine);
    }
}

/* The outermost turn or wait that the coroutine itself has begun, while
 * nothing else runs between the two; NULL: none. */
static const struct ct_open *nested_wait(const struct ct_co *co)
{
    const struct ct_thread *thread = co->thread;
    const struct ct_open *above = NULL;

    for (unsigned at = thread ? thread->n_open : 0; at-- > 0;) {
        const struct ct_open *open = &thread->open[at];
        if (open->co == co) {
            return above && (above->kind == CT_SLICE_WAIT ||
                             above->kind == CT_SLICE_POLL)
                       ? above
                       : NULL;
        }
        above = open;
    }
    return NULL;
}

bool ct_co_awaits(const struct ct_co *co, uint64_t id)
{
    const struct ct_open *wait = nested_wait(co);

    return wait && wait->awaits == id;
}

static struct ct_situation situation_at(const struct ct_model *model,
                                        const struct ct_co *co, unsigned depth);

/* It is on a thread; in a nested turn it is doing what it waits for does. */
static struct ct_situation runs(const struct ct_model *model,
                                const struct ct_co *co, unsigned depth)
{
    const struct ct_open *top = ct_thread_top(co->thread);
    const struct ct_open *wait = nested_wait(co);
    struct ct_situation situation = {
        .doing = CT_DOING_RUNS,
        .tid = co->thread->tid,
        .on_top = top && top->co == co,
    };

    if (!wait) {
        return situation;
    }
    struct ct_co *awaited =
        wait->awaits
            ? ct_table_get(&co->entity.process->coroutines, wait->awaits)
            : NULL;
    if (!awaited) {
        if (top && top->kind == CT_SLICE_FDMON) {
            situation = (struct ct_situation){.doing = CT_DOING_UNKNOWN};
        }
        return situation;
    }
    if (depth == CT_AWAITS_MAX) {
        return (struct ct_situation){.doing = CT_DOING_UNKNOWN};
    }
    struct ct_situation its = situation_at(model, awaited, depth + 1);
    if (its.doing == CT_DOING_SUBMITTER) {
        return situation;
    }
    its.on_top = false;
    return its;
}

static struct ct_situation situation_at(const struct ct_model *model,
                                        const struct ct_co *co, unsigned depth)
{
    struct ct_situation situation = {.doing = CT_DOING_UNKNOWN};

    if (!ct_entity_is_sure(model, &co->entity)) {
        return situation;
    }
    switch (co->phase) {
    case CT_CO_RUNNING: /* without a thread only beyond all depth */
        if (co->thread) {
            situation = runs(model, co, depth);
        }
        break;
    case CT_CO_CREATED:
    case CT_CO_WAITING:
        if (ct_co_is_woken(model, co)) {
            situation.doing = CT_DOING_WOKEN;
            situation.context = co->woken_context;
            situation.by_coroutine = co->waker;
            situation.by_request = ct_co_request(co->entity.process, co->waker);
        } else if (co->phase == CT_CO_WAITING) {
            wait_situation(model, co, &situation);
        } else {
            situation.doing = CT_DOING_SUBMITTER;
        }
        break;
    default:
        break;
    }
    return situation;
}

struct ct_situation ct_co_situation(const struct ct_model *model,
                                    const struct ct_co *co)
{
    return situation_at(model, co, 0);
}

uint64_t ct_co_request(const struct ct_process *process, uint64_t id)
{
    struct ct_co *co = id ? ct_table_get(&process->coroutines, id) : NULL;

    return co && co->requests ? co->requests->number : 0;
}

enum ct_state ct_co_state(const struct ct_model *model, const struct ct_co *co)
{
    static const uint8_t states[] = {
        [CT_YIELD_REASON_OTHER] = CT_STATE_UNKNOWN,
        [CT_YIELD_REASON_WORK] = CT_STATE_WORK,
        [CT_YIELD_REASON_LOCK] = CT_STATE_LOCK,
        [CT_YIELD_REASON_QUEUE] = CT_STATE_QUEUE,
        [CT_YIELD_REASON_TIMER] = CT_STATE_TIMER,
        [CT_YIELD_REASON_IO] = CT_STATE_IO,
        [CT_YIELD_REASON_CHILDREN] = CT_STATE_CHILDREN,
        [CT_YIELD_REASON_SCHEDULE] = CT_STATE_RUNNABLE,
    };
    struct ct_situation situation = ct_co_situation(model, co);

    if (co->phase == CT_CO_RUNNING && ct_entity_is_sure(model, &co->entity)) {
        return CT_STATE_RUNNING;
    }
    switch (situation.doing) {
    case CT_DOING_SUBMITTER:
        return CT_STATE_RUNNING;
    case CT_DOING_WOKEN:
        return CT_STATE_RUNNABLE;
    case CT_DOING_WAITS:
        return co->reason < G_N_ELEMENTS(states) ? states[co->reason]
                                                 : CT_STATE_UNKNOWN;
    default:
        return CT_STATE_UNKNOWN;
    }
}
