/* SPDX-License-Identifier: MIT */
/*
 * What a loss makes unknown, and how the model finds its feet again.
 *
 * A hole is in one stream, but the streams are one a CPU: any thread may have
 * run there, so anything may have happened in it.  While a gap lasts:
 *
 *  - nothing is open on any thread (what was is closed where the gap begins,
 *    its end unseen) and nothing is opened;
 *  - every request is in the state `unknown`;
 *  - events are still followed (who is alive), but they make nothing sure.
 *
 * After it an entity is unknown until something absolute is told of it: it is
 * entered, begins, ends ... or is listed in a telling that began after the gap.
 * When such a telling is complete, what it does not list, and of which nothing
 * was heard since the gap, is over, and when it ended is unknown.
 */
#include "model/gaps.h"

#include <glib.h>

#include "ct/pre.h"
#include "model/coroutines.h"
#include "model/locks.h"
#include "model/loops.h"
#include "model/pools.h"
#include "model/requests.h"
#include "model/slices.h"
#include "model/state/changes.h"
#include "model/threads.h"
#include "model/work.h"
#include "model/workers.h"

void ct_gap_begin(struct ct_model *model, const struct ct_step *step)
{
    int64_t from_ns = CLAMP(step->from_ns, 0, model->now_ns);
    /* All requests are in doubt since then already, or since they began. */
    bool is_within = model->in_gap && from_ns >= model->gap_from_ns;

    if (ct_model_wants_any(model, CT_WANT_GAPS)) {
        ct_model_change(model, CT_CHANGE_GAP)->gap = (struct ct_gap){
            .stream = (uint32_t)step->subject,
            .from_ns = from_ns,
            .to_ns = MAX(step->ns, from_ns),
            .lost = step->value,
        };
    }
    model->gap_end_ns = MAX(model->in_gap ? model->gap_end_ns : 0, step->ns);
    model->gap_from_ns = is_within ? model->gap_from_ns : from_ns;
    model->in_gap = true; /* also what is late is no oddity */
    model->n_gaps++;
    ct_thread_in_gap(model);
    if (!is_within) {
        ct_req_in_gap(model, from_ns);
    }
    /* A gap that ends before now tells of the past alone. */
    if (model->now_ns > model->gap_end_ns) {
        ct_model_gap_over(model);
    }
}

/* --- tellings --------------------------------------------------------- */

static bool is_over(const struct ct_model *model,
                    const struct ct_process *process,
                    const struct ct_entity *entity)
{
    return !ct_entity_is_sure(model, entity) &&
           entity->telling != process->telling.number &&
           entity->begin_ns < process->telling.begin_ns;
}

/* Calls @end for each of @table that is over; collected first, since ending one
 * changes the table. */
static void sweep(struct ct_model *model, struct ct_process *process,
                  struct ct_table *table,
                  void (*end)(struct ct_model *, struct ct_entity *))
{
    struct ct_entity *entity;
    uint32_t pos = 0;
    g_autoptr(GPtrArray) over = NULL;

    while ((entity = ct_table_each(table, &pos))) {
        if (is_over(model, process, entity)) {
            over = over ? over : g_ptr_array_new();
            g_ptr_array_add(over, entity);
        }
    }
    for (unsigned i = 0; over && i < over->len; i++) {
        end(model, over->pdata[i]);
    }
}

static void end_context(struct ct_model *model, struct ct_entity *entity)
{
    ct_context_end(model, (struct ct_context *)entity, false);
}

static void end_co(struct ct_model *model, struct ct_entity *entity)
{
    ct_co_end(model, (struct ct_co *)entity, false);
}

static void end_work(struct ct_model *model, struct ct_entity *entity)
{
    ct_work_end(model, (struct ct_work *)entity, false);
}

static void end_worker(struct ct_model *model, struct ct_entity *entity)
{
    struct ct_worker *worker = (struct ct_worker *)entity;

    if (worker->thread) {
        ct_thread_end(model, worker->thread, false);
    } else {
        ct_worker_end(model, worker, false);
    }
}

static void end_lock(struct ct_model *model, struct ct_entity *entity)
{
    ct_lock_free(model, (struct ct_lock *)entity);
}

static void end_req(struct ct_model *model, struct ct_entity *entity)
{
    ct_req_end(model, (struct ct_req *)entity, NULL);
}

static void miss_fd(struct ct_model *model, struct ct_entity *entity)
{
    ct_callback_missed(model, &entity->process->fds,
                       (struct ct_callback *)entity);
}

static void miss_bh(struct ct_model *model, struct ct_entity *entity)
{
    ct_callback_missed(model, &entity->process->bhs,
                       (struct ct_callback *)entity);
}

static void miss_timer(struct ct_model *model, struct ct_entity *entity)
{
    ct_callback_missed(model, &entity->process->timers,
                       (struct ct_callback *)entity);
}

static void end_birth(struct ct_model *model, struct ct_entity *entity)
{
    ct_birth_free(model, (struct ct_birth *)entity);
}

static void end_of_telling(struct ct_model *model, struct ct_process *process)
{
    sweep(model, process, &process->requests, end_req);
    sweep(model, process, &process->coroutines, end_co);
    sweep(model, process, &process->works, end_work);
    sweep(model, process, &process->workers, end_worker);
    sweep(model, process, &process->locks, end_lock);
    sweep(model, process, &process->contexts, end_context);
    sweep(model, process, &process->fds, miss_fd);
    sweep(model, process, &process->bhs, miss_bh);
    sweep(model, process, &process->timers, miss_timer);
    sweep(model, process, &process->births, end_birth);
    ct_pool_told_all(model, process);
    if (process->counted_epoch != model->epoch) {
        process->counted_epoch = model->epoch;
        ct_model_count(model, process);
    }
}

void ct_telling_step(struct ct_model *model, struct ct_process *process,
                     struct ct_thread *thread, const struct ct_step *step)
{
    if (step->kind == CT_STEP_STATE_BEGIN) {
        if (step->subject <= process->telling.number) {
            ct_process_end(model, process); /* the pid is another's now */
        }
        if (step->reason == CT_TELL_REASON_ATTACH && !process->telling.number) {
            process->attached = true;
            process->counted_epoch = 0;
            uint32_t pos = 0;
            while ((thread = ct_table_each(&process->threads, &pos))) {
                thread->base_known &= thread->introduced;
            }
        }
        process->telling.number = step->subject;
        process->telling.open = !model->in_gap;
        process->telling.n_gaps = model->n_gaps;
        process->telling.begin_ns = model->now_ns;
        return;
    }
    if (step->kind == CT_STEP_STATE_END) {
        if (process->telling.number == step->subject) {
            if (ct_process_is_telling(model, process)) {
                end_of_telling(model, process);
            }
            process->telling.open = false;
        }
        return;
    }
    if (!step->subject) {
        ct_model_odd(model);
        return;
    }
    switch (step->kind) {
    case CT_STEP_STATE_CONTEXT:
        ct_context_told(model, process, step);
        break;
    case CT_STEP_STATE_CO:
        ct_co_told(model, process, step);
        break;
    case CT_STEP_STATE_WORK:
        ct_work_told(model, process, step);
        break;
    case CT_STEP_STATE_WORKER:
        ct_worker_told(model, process, step);
        break;
    case CT_STEP_STATE_REQUEST:
        ct_req_told(model, process, step);
        break;
    default:
        ct_lock_told(model, process, step);
    }
}

/* --- the end of a process --------------------------------------------- */

/* Ends each of a table.  Taking one out may move others to its slot, never
 * before it, so the walk goes on from there. */
#define END_ALL(type, table, call)               \
    for (uint32_t pos = 0, more = 1; more;) {    \
        type *each = ct_table_each(table, &pos); \
        more = each != NULL;                     \
        if (each) {                              \
            call;                                \
            pos--;                               \
        }                                        \
    }                                            \
    ct_pre("process-end/all", (table)->n == 0);  \
    ct_table_fini(table)

void ct_process_end(struct ct_model *model, struct ct_process *process)
{
    END_ALL(struct ct_req, &process->requests, ct_req_end(model, each, NULL));
    END_ALL(struct ct_thread, &process->threads,
            ct_thread_end(model, each, false));
    END_ALL(struct ct_co, &process->coroutines, ct_co_end(model, each, false));
    END_ALL(struct ct_work, &process->works, ct_work_end(model, each, false));
    END_ALL(struct ct_worker, &process->workers,
            ct_worker_end(model, each, false));
    END_ALL(struct ct_context, &process->contexts,
            ct_context_end(model, each, false));
    END_ALL(struct ct_lock, &process->locks, ct_lock_free(model, each));
    END_ALL(struct ct_pool, &process->pools, ct_pool_free(model, each));
    END_ALL(struct ct_birth, &process->births, ct_birth_free(model, each));
    ct_req_kinds_free(model, process);
    ct_callbacks_free(model, &process->fds);
    ct_callbacks_free(model, &process->bhs);
    ct_callbacks_free(model, &process->timers);
    process->telling.number = 0;
    process->telling.open = false;
    process->attached = true; /* what comes under this pid began unseen */
}

#undef END_ALL
