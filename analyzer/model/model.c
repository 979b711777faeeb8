/* SPDX-License-Identifier: MIT */
/*
 * The model's door: which room a step belongs to, on which thread, and when.
 *
 * The rooms know one another from above to below, in no circle: this one and
 * gaps.c, then the mechanisms, then state/.  A mechanism changes what is alive
 * and says whose situation that may have changed; state/situations.c works out
 * what it is now, and tells it.  So it is told as it is at that moment of the
 * step, between the slices and edges of the same step, in their order.
 */
#include "model/model.h"

#include <glib.h>

#include "ct/pre.h"
#include "model/coroutines.h"
#include "model/gaps.h"
#include "model/locks.h"
#include "model/loops.h"
#include "model/requests.h"
#include "model/state/changes.h"
#include "model/state/state.h"
#include "model/threads.h"
#include "model/wakes.h"
#include "model/work.h"

unsigned ct_model_wants(const struct ct_consumer *consumer)
{
    unsigned wants = 0;

    wants |= consumer->slice ? CT_WANT_SLICES : 0;
    wants |= consumer->slice_began ? CT_WANT_SLICE_BEGINS : 0;
    wants |= consumer->edge ? CT_WANT_EDGES : 0;
    wants |= consumer->lock ? CT_WANT_LOCKS : 0;
    wants |= consumer->counter ? CT_WANT_COUNTERS : 0;
    wants |= consumer->thread_name ? CT_WANT_THREAD_NAMES : 0;
    wants |= consumer->life ? CT_WANT_LIVES : 0;
    wants |= consumer->own_stack ? CT_WANT_OWN_STACKS : 0;
    wants |= consumer->gap ? CT_WANT_GAPS : 0;
    wants |=
        consumer->request || consumer->request_began ? CT_WANT_REQUESTS : 0;
    wants |= consumer->alive ? CT_WANT_ALIVE : 0;
    wants |= consumer->wants_origins ? CT_WANT_ORIGINS : 0;
    wants |= consumer->wants_blame ? CT_WANT_BLAME | CT_WANT_SLICES |
                                         CT_WANT_SLICE_BEGINS | CT_WANT_GAPS
                                   : 0;
    return wants;
}

struct ct_model *ct_model_new(unsigned wants)
{
    struct ct_model *model = g_new0(struct ct_model, 1);

    model->wants = wants;
    model->epoch = 1;
    model->next_number = 1;
    ct_slab_init(&model->threads, sizeof(struct ct_thread));
    ct_slab_init(&model->contexts, sizeof(struct ct_context));
    ct_slab_init(&model->callbacks, sizeof(struct ct_callback));
    ct_slab_init(&model->coroutines, sizeof(struct ct_co));
    ct_slab_init(&model->pools, sizeof(struct ct_pool));
    ct_slab_init(&model->works, sizeof(struct ct_work));
    ct_slab_init(&model->workers, sizeof(struct ct_worker));
    ct_slab_init(&model->locks, sizeof(struct ct_lock));
    ct_slab_init(&model->requests, sizeof(struct ct_req));
    ct_slab_init(&model->births, sizeof(struct ct_birth));
    ct_slab_init(&model->kinds, sizeof(struct ct_req_kind));
    return model;
}

static void free_process(struct ct_model *model, struct ct_process *process)
{
    ct_process_end(model, process);
    ct_table_take(&model->processes, (uint32_t)process->pid);
    if (model->process == process) {
        model->process = NULL;
        model->thread = NULL;
    }
    g_free(process);
}

void ct_model_free(struct ct_model *model)
{
    if (!model) {
        return;
    }
    model->wants = 0;
    for (;;) {
        uint32_t pos = 0;
        struct ct_process *process = ct_table_each(&model->processes, &pos);
        if (!process) {
            break;
        }
        free_process(model, process);
    }
    ct_model_forget(model);
    ct_table_fini(&model->processes);
    ct_names_fini(&model->names);
    ct_slab_fini(&model->threads);
    ct_slab_fini(&model->contexts);
    ct_slab_fini(&model->callbacks);
    ct_slab_fini(&model->coroutines);
    ct_slab_fini(&model->pools);
    ct_slab_fini(&model->works);
    ct_slab_fini(&model->workers);
    ct_slab_fini(&model->locks);
    ct_slab_fini(&model->requests);
    ct_slab_fini(&model->births);
    ct_slab_fini(&model->kinds);
    g_free(model->changes);
    g_free(model->held);
    g_free(model->dead);
    g_free(model);
}

uint64_t ct_model_oddities(const struct ct_model *model)
{
    return model->oddities;
}

/* Where threads have clocks of their own, what happens on one happens at its
 * time, which never goes back either. */
static void set_thread_time(struct ct_model *model,
                            const struct ct_thread *thread, int64_t stamp_ns)
{
    if (stamp_ns && !model->in_gap) {
        model->now_ns = MAX(stamp_ns, thread->last_ns);
        model->now_ns = MIN(model->now_ns, model->time_ns);
    }
}

static void dispatch(struct ct_model *model, const struct ct_step *step)
{
    struct ct_process *process = ct_process_get(model, step->pid);
    struct ct_thread *thread = model->thread;

    if (step->kind == CT_STEP_PROCESS_NAME) {
        const char *name = ct_names_get(&model->names, step->name);
        if (name && ct_model_wants_any(model, CT_WANT_THREAD_NAMES)) {
            ct_model_change(model, CT_CHANGE_THREAD_NAME)->thread_name =
                (struct ct_thread_name){process->pid, step->tid, name, true, 0};
        }
        return;
    }
    if (!thread || thread->tid != step->tid) {
        if (step->kind == CT_STEP_THREAD_EXIT &&
            !ct_table_get(&process->threads, (uint32_t)step->tid)) {
            return; /* it ended with its worker */
        }
        if (step->stamp_ns && !model->in_gap) {
            model->now_ns = MIN(step->stamp_ns, model->time_ns);
        }
        thread = ct_thread_get(model, process, step->tid);
        model->thread = thread;
    }
    set_thread_time(model, thread, step->stamp_ns);
    thread->last_ns = model->now_ns;

    switch (step->kind) {
    case CT_STEP_FD_WAKE:
    case CT_STEP_FD_WOKEN:
        ct_wake_step(model, thread, step);
        break;
    case CT_STEP_CONTEXT_CREATE ... CT_STEP_BH_RUN_END:
        ct_loop_step(model, thread, step);
        break;
    case CT_STEP_CO_CREATE ... CT_STEP_CO_WAKE:
        ct_co_step(model, thread, step);
        break;
    case CT_STEP_LOCK_TAKE ... CT_STEP_QUEUE_WAKE:
        ct_lock_step(model, thread, step);
        break;
    case CT_STEP_THREAD_CREATE ... CT_STEP_THREAD_EXIT:
        ct_thread_step(model, thread, step);
        break;
    case CT_STEP_WORK_SUBMIT ... CT_STEP_WORKER_EXIT:
        ct_work_step(model, thread, step);
        break;
    case CT_STEP_REQUEST_KIND ... CT_STEP_REQUEST_END:
        ct_req_step(model, thread, step);
        break;
    case CT_STEP_STATE_BEGIN ... CT_STEP_STATE_END:
        ct_telling_step(model, process, thread, step);
        break;
    default:
        break;
    }
}

struct ct_changes ct_model_step(struct ct_model *model,
                                const struct ct_step *step)
{
    ct_model_forget(model);
    switch (step->kind) {
    case CT_STEP_NONE:
    case CT_STEP_STACK:
    case CT_STEP_FRAME_NAME:
    case CT_STEP_IMAGE_LOAD:
    case CT_STEP_IMAGE_UNLOAD:
    case CT_STEP_KINDS:
        break;
    case CT_STEP_GAP:
        ct_model_time(model, step->when_ns);
        ct_gap_begin(model, step);
        break;
    default:
        ct_model_time(model, step->when_ns);
        dispatch(model, step);
        break;
    }
    return (struct ct_changes){model->changes, model->n_changes};
}

struct ct_changes ct_model_finish(struct ct_model *model, int64_t end_ns)
{
    ct_model_forget(model);
    if (!model->finishing) {
        ct_model_time(model, end_ns);
        model->finishing = true;
    }
    /* One process a call; one of which nothing is to tell is passed over. */
    struct ct_process *process;
    while (!model->n_changes &&
           (process = ct_table_each(&model->processes, &model->finishing_at))) {
        free_process(model, process);
        model->finishing_at--; /* another may have moved to its place */
    }
    return (struct ct_changes){model->changes, model->n_changes};
}
