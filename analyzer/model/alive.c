/* SPDX-License-Identifier: MIT */
/*
 * Who is alive, at the instant that the model has reached.
 *
 * Told before anything is ended, so that what each coroutine waits for and whom
 * it serves is still there.  In the order of the ids, which is that of their
 * making, so that two passes over a trace say the same.
 */
#include "model/model.h"

#include <glib.h>

#include "model/state/changes.h"
#include "model/state/doing.h"
#include "model/state/state.h"

static int by_id(const void *a, const void *b)
{
    const struct ct_co *one = *(struct ct_co *const *)a;
    const struct ct_co *other = *(struct ct_co *const *)b;

    return (one->entity.id > other->entity.id) -
           (one->entity.id < other->entity.id);
}

static int by_pid(const void *a, const void *b)
{
    const struct ct_process *one = *(struct ct_process *const *)a;
    const struct ct_process *other = *(struct ct_process *const *)b;

    return (one->pid > other->pid) - (one->pid < other->pid);
}

static GPtrArray *sorted(const struct ct_table *table, GCompareFunc compare)
{
    GPtrArray *all = g_ptr_array_new();
    uint32_t pos = 0;
    void *each;

    while ((each = ct_table_each(table, &pos))) {
        g_ptr_array_add(all, each);
    }
    g_ptr_array_sort(all, compare);
    return all;
}

/* Known only of a process that was seen from its begin: a timer may have been
 * armed before the recording was, or among lost events. */
static bool has_no_timer(const struct ct_model *model, const struct ct_co *co)
{
    struct ct_process *process = co->entity.process;

    return co->phase == CT_CO_WAITING && co->reason == CT_YIELD_REASON_TIMER &&
           co->waits_for && ct_process_is_whole(model, process) &&
           !ct_table_get(&process->timers, co->waits_for);
}

static void tell(struct ct_model *model, struct ct_co *co)
{
    const struct ct_process *process = co->entity.process;
    struct ct_alive_change *change =
        &ct_model_change(model, CT_CHANGE_ALIVE)->alive;
    bool has_yield = co->yield_stack && co->phase != CT_CO_RUNNING;

    change->situation = ct_co_situation(model, co);
    change->alive = (struct ct_alive){
        .pid = process->pid,
        .tid = co->thread ? co->thread->tid : 0,
        .id = co->entity.id,
        .fn = co->fn,
        .is_sure = ct_entity_is_sure(model, &co->entity),
        .is_created = co->phase == CT_CO_CREATED && !co->woken_epoch &&
                      ct_entity_is_sure(model, &co->entity),
        .context = co->woken_epoch ? co->woken_context : co->context,
        .waits_for = change->situation.waits_for,
        .by = change->situation.by_coroutine,
        .by_request = change->situation.by_request,
        .pool = change->situation.pool,
        .request = co->requests ? co->requests->number : 0,
        .request_is_sure = co->requests && co->requests->has_end &&
                           !co->requests->doubt && !model->in_gap,
        .timer_is_gone = has_no_timer(model, co),
        .has_outside = process->timers.n || process->fds.n,
        .is_whole = ct_process_is_whole(model, process),
        .since_known = co->since_known,
        .since_ns = co->since_ns,
        .has_stack = has_yield || co->stack,
        .stack = has_yield ? co->yield_stack : co->stack,
        .stack_ns = has_yield ? co->yield_stack_ns : co->stack_ns,
        .origin = ct_model_hold(model, co->origin),
    };
}

struct ct_changes ct_model_alive(struct ct_model *model, int64_t end_ns)
{
    ct_model_forget(model);
    ct_model_time(model, end_ns);
    g_autoptr(GPtrArray) processes = sorted(&model->processes, by_pid);
    for (unsigned i = 0; i < processes->len; i++) {
        struct ct_process *process = g_ptr_array_index(processes, i);
        g_autoptr(GPtrArray) all = sorted(&process->coroutines, by_id);
        for (unsigned k = 0; k < all->len; k++) {
            tell(model, g_ptr_array_index(all, k));
        }
    }
    return (struct ct_changes){model->changes, model->n_changes};
}
