/* SPDX-License-Identifier: MIT */
/*
 * What a coroutine is doing, as far as is known, and who has to hear of it.
 */
#include "model/model_int.h"

#include <glib.h>

enum { AWAITS_MAX = 8 }; /* nested turns that wait for nested turns */

static void wait_situation(const struct ct_model *model, const struct ct_co *co,
                           struct ct_situation *situation)
{
    situation->doing = CT_DOING_WAITS;
    situation->reason = co->reason;
    situation->waits_for = co->waits_for;
    switch (co->reason) {
    case CT_YIELD_REASON_WORK:
        ct_work_situation(model, co, situation);
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

struct ct_co *ct_co_awaiter(const struct ct_co *co)
{
    struct ct_co *parent = co->parent;
    const struct ct_open *wait =
        parent && parent->thread ? nested_wait(parent) : NULL;

    return wait && wait->awaits == co->entity.id ? parent : NULL;
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
    if (depth == AWAITS_MAX) {
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

void ct_co_changed(struct ct_model *model, struct ct_co *co)
{
    if (!ct_model_wants_any(model, CT_WANT_REQUESTS)) {
        return;
    }
    for (unsigned i = 0; co && i <= AWAITS_MAX; i++) {
        if (co->requests) {
            struct ct_situation situation = ct_co_situation(model, co);
            for (struct ct_req *req = co->requests; req; req = req->next) {
                ct_req_situation(model, req, &situation);
            }
        }
        co = ct_co_awaiter(co);
    }
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
