/* SPDX-License-Identifier: MIT */
/*
 * sched.c - QEMU's coroutines, their scheduling, work items and locks
 *
 * A yield does not say what it waits for; what the coroutine did last does:
 *
 *   submitted a work item -> that item
 *   found a CoMutex taken -> that lock
 *   released a CoMutex    -> a CoQueue that the lock protects
 *   scheduled itself      -> nothing, it gave way
 *   began a request       -> a queue in front of it: throttling, draining
 *   talked to a device    -> I/O
 *   came to a file that is opened for Linux AIO, of which nothing is traced
 *                         -> I/O
 *   none of these, and coroutines that it started are alive -> them
 *
 * and if nothing fits, what it waits for is not known.
 *
 * A work item's begin is not traced: from submission to completion is one
 * state.  A lock is handed to who waits longest (checked: always so).
 */
#include "ct/schema.h"
#include "decode/qemu/qemu_int.h"

#define CALM_MAX 4096

#define KEY(number) GSIZE_TO_POINTER((gsize)(number))

/* --- lives ---------------------------------------------------------------- */

static void leave_mutex(struct ct_qemu_process *process, struct ct_qemu_co *co)
{
    GQueue *waiters =
        co->mutex ? g_hash_table_lookup(process->mutexes, KEY(co->mutex))
                  : NULL;

    if (waiters) {
        g_queue_remove(waiters, co);
        if (g_queue_is_empty(waiters)) {
            g_hash_table_remove(process->mutexes, KEY(co->mutex));
        }
    }
    co->mutex = 0;
}

static struct ct_qemu_co *parent_of(struct ct_qemu_process *process,
                                    const struct ct_qemu_co *co)
{
    struct ct_generation *life =
        co->parent ? ct_lives_find(process->lives, co->parent) : NULL;

    return life && life->id == co->parent_id ? ct_qemu_co(life) : NULL;
}

void ct_qemu_sched_ended(struct ct_qemu_process *process, struct ct_qemu_co *co)
{
    struct ct_qemu_co *parent = parent_of(process, co);

    leave_mutex(process, co);
    if (parent) {
        parent->n_children--;
    }
    for (unsigned i = 0; i < co->n_requests; i++) {
        g_hash_table_remove(process->open, KEY(co->requests[i].id));
    }
}

static void tell_birth(struct ct_qemu_event *event,
                       const struct ct_generation *life)
{
    struct ct_step *step = ct_qemu_step(event, CT_STEP_CO_CREATE);

    step->certainty = CT_BOUND;
    step->subject = life->id;
}

/* Its end was not seen. */
static void tell_lost(struct ct_qemu_event *event, struct ct_qemu_co *co)
{
    struct ct_step *step;

    ct_qemu_end(event, co, 0, CT_UNKNOWN);
    step = ct_qemu_step(event, CT_STEP_CO_TERMINATE);
    step->certainty = CT_UNKNOWN;
    step->subject = co->life.id;
}

/* A coroutine lets another one go on. */
static void tell_wake(struct ct_qemu_event *event, const struct ct_qemu_co *co,
                      uint64_t waker, uint64_t ctx, enum ct_wake_how how)
{
    struct ct_step *step = ct_qemu_step(event, CT_STEP_CO_WAKE);

    step->subject = co->life.id;
    step->object = waker;
    step->context = ctx;
    step->reason = (uint8_t)how;
}

/* --- coroutines ----------------------------------------------------------- */

static void enter(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    struct ct_lives *lives = event->process->lives;
    struct ct_generation *lost, *from, *before;
    struct ct_qemu_co *co;
    struct ct_step *step;
    uint64_t waker;
    bool is_new;

    before = ct_lives_find(lives, U(QEMU_AIO_COROUTINE_ENTER_TO));
    is_new = !before || (!before->was_entered && !before->was_there);
    co = ct_qemu_co(
        ct_lives_enter(lives, record->tid, U(QEMU_AIO_COROUTINE_ENTER_FROM),
                       U(QEMU_AIO_COROUTINE_ENTER_TO),
                       U(QEMU_AIO_COROUTINE_ENTER_OPAQUE), &lost, &from));
    event->lane = co->life.lane;
    event->process->ctx = U(QEMU_AIO_COROUTINE_ENTER_CTX);
    if (lost) {
        tell_lost(event, ct_qemu_co(lost));
        is_new = true;
    }
    if (!before || lost) {
        tell_birth(event, &co->life);
    }
    if (is_new && from) {
        struct ct_qemu_co *parent = ct_qemu_co(from);

        co->parent = from->address;
        co->parent_id = from->id;
        parent->n_children++;
        co->outer = parent->n_requests
                        ? parent->requests[parent->n_requests - 1].id
                        : parent->outer;
        co->outer_doubts = parent->n_requests
                               ? parent->requests[parent->n_requests - 1].doubts
                               : parent->outer_doubts;
    }
    if (from) {
        ct_qemu_co(from)->last = CT_LAST_OTHER;
    }
    co->last = CT_LAST_NOTHING;
    waker = ct_qemu_wakers_entered(event, co, from);
    co->queue = 0;
    co->io = 0;
    if (waker) {
        tell_wake(event, co, waker, event->process->ctx,
                  from ? CT_WAKE_HOW_ENTERED : CT_WAKE_HOW_QUEUED);
    }
    step = ct_qemu_step(event, CT_STEP_CO_ENTER);
    step->subject = co->life.id;
    step->object = from ? from->id : 0;
    step->context = U(QEMU_AIO_COROUTINE_ENTER_CTX);
    step->stack = from ? ct_qemu_co(from)->stack : 0;
    if (is_new) {
        ct_qemu_entered(event, co);
    }
}

static void set_reason(const struct ct_qemu_process *process,
                       const struct ct_qemu_co *co, struct ct_step *step)
{
    if ((co->last == CT_LAST_UNLOCK || co->last == CT_LAST_REQUEST ||
         co->last == CT_LAST_OTHER) &&
        ct_qemu_is_native(process, co)) {
        step->reason = CT_YIELD_REASON_IO;
        return;
    }
    switch (co->last) {
    case CT_LAST_SUBMIT:
        step->reason = CT_YIELD_REASON_WORK;
        step->waits_for = co->object;
        return;
    case CT_LAST_LOCK:
        step->reason = CT_YIELD_REASON_LOCK;
        step->waits_for = co->object;
        return;
    case CT_LAST_UNLOCK:
    case CT_LAST_REQUEST:
        step->reason = CT_YIELD_REASON_QUEUE;
        return;
    case CT_LAST_SCHEDULE:
        step->reason = CT_YIELD_REASON_SCHEDULE;
        return;
    case CT_LAST_IO:
        step->reason = CT_YIELD_REASON_IO;
        return;
    case CT_LAST_SLEEP:
        step->reason = CT_YIELD_REASON_TIMER;
        return;
    default:
        step->reason =
            co->n_children ? CT_YIELD_REASON_CHILDREN : CT_YIELD_REASON_OTHER;
    }
}

static void yield(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    struct ct_lives *lives = event->process->lives;
    struct ct_qemu_co *co =
        ct_qemu_co(ct_lives_get(lives, U(QEMU_COROUTINE_YIELD_FROM)));
    uint64_t to = U(QEMU_COROUTINE_YIELD_TO);
    struct ct_generation *back = ct_lives_find(lives, to);
    struct ct_step *step;

    event->lane = ct_lives_leave(lives, record->tid, &co->life, to);
    step = ct_qemu_step(event, CT_STEP_CO_YIELD);
    step->subject = co->life.id;
    step->object = back ? back->id : 0;
    step->stack = co->stack;
    set_reason(event->process, co, step);
    co->queue =
        step->reason == CT_YIELD_REASON_QUEUE && co->last == CT_LAST_UNLOCK
            ? co->object
            : 0;
    if (!co->queue || (co->fresh_queue && co->fresh_queue != co->queue)) {
        co->is_fresh = false;
    }
    co->fresh_queue = co->queue;
    co->last = CT_LAST_NOTHING;
    ct_qemu_wakers_left(event, !back);
}

static void terminate(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    struct ct_lives *lives = event->process->lives;
    struct ct_qemu_co *co =
        ct_qemu_co(ct_lives_get(lives, U(QEMU_COROUTINE_TERMINATE_CO)));

    event->lane = ct_lives_leave(lives, record->tid, &co->life, 0);
    ct_qemu_wakers_left(event, !ct_lives_top(lives, event->lane));
    /* A front end's reply, which ended it, was not seen. */
    ct_qemu_end(event, co, 0,
                co->n_requests && co->requests[0].kind == CT_REQ_FRONT
                    ? CT_BOUND
                    : CT_KNOWN);
    ct_qemu_step(event, CT_STEP_CO_TERMINATE)->subject = co->life.id;
    ct_lives_end(lives, &co->life);
}

/* --- scheduling ---------------------------------------------------------- */

static void schedule(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    struct ct_lives *lives = event->process->lives;
    struct ct_generation *life = ct_lives_find(lives, U(AIO_CO_SCHEDULE_CO));
    struct ct_generation *waker;
    struct ct_step *step;

    event->lane = ct_lives_lane(lives, record->tid, NULL);
    waker = ct_lives_top(lives, event->lane);
    if (!life) {
        life = ct_lives_bear(lives, U(AIO_CO_SCHEDULE_CO));
        tell_birth(event, life);
    }
    if (waker) {
        ct_qemu_co(waker)->last =
            waker == life ? CT_LAST_SCHEDULE : CT_LAST_OTHER;
    }
    ct_qemu_wakers_else(event);
    if (waker && ct_qemu_co(life)->queue) {
        tell_wake(event, ct_qemu_co(life), waker->id, U(AIO_CO_SCHEDULE_CTX),
                  CT_WAKE_HOW_SCHEDULED);
    }
    ct_qemu_co(life)->queue = 0;
    step = ct_qemu_step(event, CT_STEP_CO_SCHEDULE);
    step->subject = life->id;
    step->object = waker ? waker->id : 0;
    step->stack = waker ? ct_qemu_co(waker)->stack : 0;
    step->context = U(AIO_CO_SCHEDULE_CTX);
}

static void dequeue(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    struct ct_lives *lives = event->process->lives;
    struct ct_generation *life =
        ct_lives_get(lives, U(AIO_CO_SCHEDULE_BH_CB_CO));
    struct ct_step *step;

    event->lane = ct_lives_lane(lives, record->tid, NULL);
    ct_qemu_wakers_else(event);
    step = ct_qemu_step(event, CT_STEP_CO_DEQUEUE);
    step->subject = life->id;
    step->context = U(AIO_CO_SCHEDULE_BH_CB_CTX);
}

/* --- work items ---------------------------------------------------------- */

static gpointer work_key(uint64_t pool, uint64_t req)
{
    return KEY(req ^ (pool << 17 | pool >> 47));
}

static void forget_work(struct ct_qemu_event *event, gpointer key)
{
    const struct ct_qemu_work *work =
        g_hash_table_lookup(event->process->works, key);

    if (work) {
        ct_qemu_workers_forget(event->process, work);
        g_hash_table_remove(event->process->works, key);
    }
}

/* Whose frame an item's argument lies in. */
static struct ct_qemu_co *submitter(struct ct_qemu_event *event,
                                    uint64_t opaque)
{
    struct ct_lives *lives = event->process->lives;
    struct ct_generation *life = ct_lives_top(lives, event->lane);

    if (life) {
        ct_lives_learn_stack(lives, opaque, life);
    } else {
        life = ct_lives_of_stack(lives, opaque);
    }
    return ct_qemu_co(life);
}

static void submit(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    uint64_t pool = U(THREAD_POOL_SUBMIT_AIO_POOL);
    struct ct_qemu_work *work = g_new0(struct ct_qemu_work, 1);
    struct ct_qemu_co *co;
    struct ct_step *step;

    event->lane = ct_lives_lane(event->process->lives, record->tid, NULL);
    co = submitter(event, U(THREAD_POOL_SUBMIT_AIO_OPAQUE));
    if (co && record->tid <= 0 && co->life.lane) {
        event->lane = ct_lives_lane(event->process->lives, 0, &co->life);
    }
    work->id = ct_lives_new_id(event->process->lives);
    step = ct_qemu_step(event, CT_STEP_WORK_SUBMIT);
    step->certainty = CT_BOUND;
    step->flag = event->process->workers != NULL;
    step->subject = work->id;
    step->context = pool;
    if (co) {
        work->co_address = co->life.address;
        work->co_id = co->life.id;
        step->object = co->life.id;
        step->stack = co->stack;
        co->last = CT_LAST_SUBMIT;
        co->object = work->id;
        ct_qemu_worked(event, co);
    }
    work->pool = pool;
    work->req = U(THREAD_POOL_SUBMIT_AIO_REQ);
    forget_work(event, work_key(pool, work->req));
    g_hash_table_replace(event->process->works, work_key(pool, work->req),
                         work);
    if (event->process->workers) {
        ct_qemu_workers_submitted(event, work);
    }
}

static void complete(struct ct_qemu_event *event)
{
    const struct ct_record *record = event->record;
    uint64_t pool = U(THREAD_POOL_COMPLETE_AIO_POOL);
    gpointer key = work_key(pool, U(THREAD_POOL_COMPLETE_AIO_REQ));
    struct ct_qemu_work *work = g_hash_table_lookup(event->process->works, key);
    struct ct_generation *life;
    struct ct_step *step;

    event->lane = ct_lives_lane(event->process->lives, record->tid, NULL);
    ct_qemu_wakers_else(event);
    if (!work) {
        return;
    }
    life = ct_lives_find(event->process->lives, work->co_address);
    if (life && life->id == work->co_id &&
        ct_qemu_co(life)->last == CT_LAST_SUBMIT &&
        ct_qemu_co(life)->object == work->id) {
        ct_qemu_co(life)->last = CT_LAST_OTHER; /* it came before the yield */
    }
    ct_qemu_workers_completed(event, work, I(THREAD_POOL_COMPLETE_AIO_RET));
    step = ct_qemu_step(event, CT_STEP_WORK_COMPLETE);
    step->subject = work->id;
    step->context = pool;
    step->ret = (int32_t)I(THREAD_POOL_COMPLETE_AIO_RET);
    forget_work(event, key);
}

/* --- locks ---------------------------------------------------------------- */

/* The columns of all of them are alike. */
static struct ct_qemu_co *lock_event(struct ct_qemu_event *event,
                                     enum ct_qemu_last last)
{
    const struct ct_record *record = event->record;
    struct ct_lives *lives = event->process->lives;
    struct ct_qemu_co *co =
        ct_qemu_co(ct_lives_get(lives, U(QEMU_CO_MUTEX_LOCK_ENTRY_SELF)));

    event->lane = ct_lives_lane(lives, record->tid, &co->life);
    co->last = last;
    co->object = U(QEMU_CO_MUTEX_LOCK_ENTRY_MUTEX);
    return co;
}

static struct ct_step *lock_step(struct ct_qemu_event *event,
                                 enum ct_step_kind kind,
                                 const struct ct_qemu_co *co)
{
    struct ct_step *step = ct_qemu_step(event, kind);

    step->subject = co->object;
    step->object = co->life.id;
    return step;
}

static void lock_wait(struct ct_qemu_event *event)
{
    struct ct_qemu_co *co = lock_event(event, CT_LAST_LOCK);
    GHashTable *mutexes = event->process->mutexes;
    GQueue *waiters;

    leave_mutex(event->process, co);
    waiters = g_hash_table_lookup(mutexes, KEY(co->object));
    if (!waiters) {
        waiters = g_queue_new();
        g_hash_table_insert(mutexes, KEY(co->object), waiters);
    }
    g_queue_push_tail(waiters, co);
    co->mutex = co->object;
    lock_step(event, CT_STEP_LOCK_WAIT, co);
}

static void lock_free(struct ct_qemu_event *event)
{
    struct ct_qemu_co *co = lock_event(event, CT_LAST_OTHER);
    struct ct_qemu_process *process = event->process;

    if (process->doubts) {
        if (g_hash_table_size(process->calm) >= CALM_MAX) {
            g_hash_table_remove_all(process->calm);
        }
        g_hash_table_add(process->calm, KEY(co->object));
    }
    lock_step(event, CT_STEP_LOCK_TAKE, co);
}

static void lock_taken(struct ct_qemu_event *event)
{
    struct ct_qemu_co *co = lock_event(event, CT_LAST_OTHER);

    leave_mutex(event->process, co);
    lock_step(event, CT_STEP_LOCK_TAKEN, co);
}

static void unlock(struct ct_qemu_event *event)
{
    struct ct_qemu_co *co = lock_event(event, CT_LAST_UNLOCK);

    co->n_unlocks++;
    ct_qemu_wakers_released(event, co);
    lock_step(event, CT_STEP_LOCK_RELEASE, co);
}

static void hand_over(struct ct_qemu_event *event)
{
    struct ct_qemu_co *co = lock_event(event, CT_LAST_OTHER);
    GQueue *waiters =
        g_hash_table_lookup(event->process->mutexes, KEY(co->object));
    struct ct_qemu_co *next = waiters ? g_queue_peek_head(waiters) : NULL;
    struct ct_step *step;

    if (event->process->doubts &&
        !g_hash_table_contains(event->process->calm, KEY(co->object))) {
        /* Others may have been waiting before it. */
        lock_step(event, CT_STEP_LOCK_HAND_OVER, co);
        return;
    }
    if (!next) {
        return;
    }
    lock_step(event, CT_STEP_LOCK_HAND_OVER, co)->value = next->life.id;
    step = ct_qemu_step(event, CT_STEP_CO_WAKE);
    step->subject = next->life.id;
    step->object = co->life.id;
    step->reason = CT_WAKE_HOW_QUEUED;
}

/* The coroutine that an event is of; 0: not told, or it is of none. */
static uint64_t subject(const struct ct_record *record)
{
    switch (record->event) {
    case CT_EV_QEMU_QEMU_AIO_COROUTINE_ENTER:
        return U(QEMU_AIO_COROUTINE_ENTER_TO);
    case CT_EV_QEMU_QEMU_COROUTINE_YIELD:
        return U(QEMU_COROUTINE_YIELD_FROM);
    case CT_EV_QEMU_QEMU_COROUTINE_TERMINATE:
        return U(QEMU_COROUTINE_TERMINATE_CO);
    case CT_EV_QEMU_AIO_CO_SCHEDULE:
        return U(AIO_CO_SCHEDULE_CO);
    case CT_EV_QEMU_AIO_CO_SCHEDULE_BH_CB:
        return U(AIO_CO_SCHEDULE_BH_CB_CO);
    default:
        return U(QEMU_CO_MUTEX_LOCK_ENTRY_SELF);
    }
}

static bool names_coroutine(int event)
{
    return (event >= CT_EV_QEMU_QEMU_AIO_COROUTINE_ENTER &&
            event <= CT_EV_QEMU_QEMU_COROUTINE_TERMINATE) ||
           event == CT_EV_QEMU_AIO_CO_SCHEDULE ||
           event == CT_EV_QEMU_AIO_CO_SCHEDULE_BH_CB ||
           (event >= CT_EV_QEMU_QEMU_CO_MUTEX_LOCK_UNCONTENDED &&
            event <= CT_EV_QEMU_QEMU_CO_MUTEX_UNLOCK_RETURN);
}

bool ct_qemu_sched(struct ct_qemu_event *event)
{
    if (names_coroutine(event->record->event) && !subject(event->record)) {
        return true;
    }
    switch (event->record->event) {
    case CT_EV_QEMU_QEMU_AIO_COROUTINE_ENTER:
        enter(event);
        return true;
    case CT_EV_QEMU_QEMU_COROUTINE_YIELD:
        yield(event);
        return true;
    case CT_EV_QEMU_QEMU_COROUTINE_TERMINATE:
        terminate(event);
        return true;
    case CT_EV_QEMU_AIO_CO_SCHEDULE:
        schedule(event);
        return true;
    case CT_EV_QEMU_AIO_CO_SCHEDULE_BH_CB:
        dequeue(event);
        return true;
    case CT_EV_QEMU_THREAD_POOL_SUBMIT_AIO:
        submit(event);
        return true;
    case CT_EV_QEMU_THREAD_POOL_COMPLETE_AIO:
        complete(event);
        return true;
    case CT_EV_QEMU_QEMU_CO_MUTEX_LOCK_UNCONTENDED:
        lock_free(event);
        return true;
    case CT_EV_QEMU_QEMU_CO_MUTEX_LOCK_ENTRY:
        lock_wait(event);
        return true;
    case CT_EV_QEMU_QEMU_CO_MUTEX_LOCK_RETURN:
        lock_taken(event);
        return true;
    case CT_EV_QEMU_QEMU_CO_MUTEX_UNLOCK_ENTRY:
        unlock(event);
        return true;
    case CT_EV_QEMU_QEMU_CO_MUTEX_UNLOCK_RETURN:
        hand_over(event);
        return true;
    default:
        return false;
    }
}
