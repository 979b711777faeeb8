/* SPDX-License-Identifier: MIT */
/*
 * Who holds each CoMutex, and who waits for it.
 *
 * A lock is remembered while it is held or waited for.  A new holder is told to
 * all that wait, up to a number that bounds what a convoy costs: a thousand
 * make half a million segments before the last of them has the lock.
 */
#include "model/locks.h"

#include <glib.h>

#include "model/state/changes.h"
#include "model/state/doing.h"
#include "model/state/situations.h"

enum { TOLD_MAX = 1024 };

static struct ct_lock *lock_get(struct ct_model *model,
                                struct ct_process *process,
                                const struct ct_step *step, uint64_t id)
{
    struct ct_lock *lock = ct_table_get(&process->locks, id);

    if (!lock) {
        lock = ct_slab_new(&model->locks);
        ct_entity_init(model, &lock->entity, step, id, false);
        ct_table_put(&process->locks, id, lock);
    }
    return lock;
}

void ct_lock_free(struct ct_model *model, struct ct_lock *lock)
{
    for (struct ct_co *co = lock->first, *next; co; co = next) {
        next = co->lock_next;
        co->lock = NULL;
        co->lock_next = co->lock_prev = NULL;
    }
    ct_table_take(&lock->entity.process->locks, lock->entity.id);
    ct_slab_free(&model->locks, lock);
}

static void free_if_idle(struct ct_model *model, struct ct_lock *lock)
{
    if (!lock->holder && !lock->first) {
        ct_lock_free(model, lock);
    }
}

static void set_holder(struct ct_model *model, struct ct_lock *lock,
                       uint64_t holder)
{
    bool is_news =
        lock->holder != holder || !ct_entity_is_sure(model, &lock->entity);

    lock->holder = holder;
    ct_entity_told(model, &lock->entity);
    if (is_news) {
        struct ct_co *co = lock->first;
        for (unsigned i = 0; co && i < TOLD_MAX; i++, co = co->lock_next) {
            ct_co_changed(model, co);
        }
    }
}

void ct_lock_wait(struct ct_model *model, struct ct_co *co,
                  const struct ct_step *step)
{
    if (!co->waits_for) {
        return;
    }
    struct ct_lock *lock =
        lock_get(model, co->entity.process, step, co->waits_for);
    co->lock = lock;
    co->lock_prev = lock->last;
    *(lock->last ? &lock->last->lock_next : &lock->first) = co;
    lock->last = co;
}

void ct_lock_leave(struct ct_model *model, struct ct_co *co)
{
    struct ct_lock *lock = co->lock;

    if (!lock) {
        return;
    }
    *(co->lock_prev ? &co->lock_prev->lock_next : &lock->first) = co->lock_next;
    *(co->lock_next ? &co->lock_next->lock_prev : &lock->last) = co->lock_prev;
    co->lock = NULL;
    co->lock_next = co->lock_prev = NULL;
    free_if_idle(model, lock);
}

static void hand_over_edge(struct ct_model *model, struct ct_lock *lock,
                           const struct ct_step *step)
{
    if (lock->released_epoch == model->epoch) {
        ct_model_edge(model, &(struct ct_edge){
                                 .kind = CT_EDGE_HAND_OVER,
                                 .pid = step->pid,
                                 .from_tid = lock->released_tid,
                                 .from_ns = lock->released_ns,
                                 .to_tid = step->tid,
                                 .to_ns = model->now_ns,
                                 .id = step->subject,
                                 .request = ct_co_request(lock->entity.process,
                                                          step->object),
                             });
    }
    lock->released_epoch = 0;
}

static void tell(struct ct_model *model, const struct ct_step *step)
{
    static const enum ct_lock_kind kinds[] = {
        [CT_STEP_LOCK_TAKE] = CT_LOCK_TAKE,
        [CT_STEP_LOCK_WAIT] = CT_LOCK_WAIT,
        [CT_STEP_LOCK_TAKEN] = CT_LOCK_TAKEN,
        [CT_STEP_LOCK_RELEASE] = CT_LOCK_RELEASE,
    };

    if (step->kind != CT_STEP_LOCK_HAND_OVER &&
        ct_model_wants_any(model, CT_WANT_LOCKS) && !model->in_gap) {
        ct_model_change(model, CT_CHANGE_LOCK)->lock = (struct ct_lock_event){
            .kind = kinds[step->kind],
            .pid = step->pid,
            .tid = step->tid,
            .when_ns = model->now_ns,
            .mutex = step->subject,
            .coroutine = step->object,
        };
    }
}

/* Someone got it, and who is not known: one of those that wait, or one of
 * whose wait nothing was heard. */
static void doubt(struct ct_model *model, struct ct_lock *lock)
{
    lock->entity.epoch = 0;
    lock->holder = 0;
    for (struct ct_co *co = lock->first; co; co = co->lock_next) {
        co->entity.epoch = 0;
        ct_co_changed(model, co);
    }
}

void ct_lock_step(struct ct_model *model, struct ct_thread *thread,
                  const struct ct_step *step)
{
    struct ct_process *process = thread->process;
    struct ct_lock *lock;
    struct ct_co *co;

    if (step->kind == CT_STEP_QUEUE_WAIT || step->kind == CT_STEP_QUEUE_WAKE) {
        return; /* the yield and the wake tell the same */
    }
    tell(model, step);
    switch (step->kind) {
    case CT_STEP_LOCK_TAKE:
    case CT_STEP_LOCK_TAKEN:
        lock = lock_get(model, process, step, step->subject);
        if (step->kind == CT_STEP_LOCK_TAKEN) {
            hand_over_edge(model, lock, step);
        }
        set_holder(model, lock, step->object);
        break;
    case CT_STEP_LOCK_WAIT:
        lock = lock_get(model, process, step, step->subject);
        if (step->value && !ct_entity_is_sure(model, &lock->entity)) {
            set_holder(model, lock, step->value);
        }
        break;
    case CT_STEP_LOCK_RELEASE:
        /* With waiters it is handed over next: no moment without a holder. */
        lock = ct_table_get(&process->locks, step->subject);
        if (lock && lock->first) {
            lock->released_epoch = model->in_gap ? 0 : model->epoch;
            lock->released_ns = model->now_ns;
            lock->released_tid = step->tid;
        } else if (lock) {
            lock->holder = 0;
        }
        break;
    default: /* CT_STEP_LOCK_HAND_OVER */
        /* Told after the wake: who has gone on already has told it itself,
         * and may have released the lock since. */
        lock = ct_table_get(&process->locks, step->subject);
        if (lock && !step->value) {
            doubt(model, lock);
            break;
        }
        co = ct_table_get(&process->coroutines, step->value);
        if (lock && co && co->lock == lock) {
            set_holder(model, lock, step->value);
        }
        break;
    }
    if (lock) {
        free_if_idle(model, lock);
    }
}

void ct_lock_told(struct ct_model *model, struct ct_process *process,
                  const struct ct_step *step)
{
    struct ct_lock *lock = lock_get(model, process, step, step->subject);

    lock->entity.telling = process->telling.number;
    if (ct_process_is_telling(model, process) &&
        !ct_entity_is_sure(model, &lock->entity)) {
        set_holder(model, lock, step->object);
    }
    free_if_idle(model, lock);
}
