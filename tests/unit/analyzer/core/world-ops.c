/* SPDX-License-Identifier: MIT */
/*
 * world-ops.c - requests, and the random programs that coroutines run
 */
#include "world_int.h"

#include <string.h>

/* --- requests and coroutines ------------------------------------------ */

struct world_request *world_request_begin(struct sim *sim,
                                          struct w_thread *thread,
                                          uint64_t parent, struct w_co *co)
{
    struct world_request *request = g_new0(struct world_request, 1);
    struct ct_step *step;

    request->id = world_new_id(sim);
    step = world_emit(sim, thread, CT_STEP_REQUEST_BEGIN, request->id);
    step->context = 0; /* names no kind */
    step->object = parent;
    step->waits_for = co ? co->id : 0;
    step->layer = "blk";
    step->op = "read";
    step->name = "disk";
    request->begin_ns = sim->now;
    request->segments = g_array_new(FALSE, TRUE, sizeof(struct world_segment));
    g_ptr_array_add(sim->world->truth, request);
    struct open_truth open = {request, co, thread->tid, false};
    g_array_append_val(world_open_truths, open);
    if (co) {
        g_array_append_val(co->serves, request);
    }
    return request;
}

void world_request_end(struct sim *sim, struct w_thread *thread,
                       struct world_request *request)
{
    world_emit(sim, thread, CT_STEP_REQUEST_END, request->id);
    GArray *segments = request->segments;
    g_array_index(segments, struct world_segment, segments->len - 1).end_ns =
        sim->now;
    request->end_ns = sim->now;
    request->ended = true;
    for (unsigned i = 0; i < world_open_truths->len; i++) {
        if (g_array_index(world_open_truths, struct open_truth, i).request ==
            request) {
            g_array_remove_index_fast(world_open_truths, i);
            return;
        }
    }
}

static void write_program(struct sim *sim, struct w_co *co, bool is_child)
{
    unsigned n = 1 + world_pick(sim, 7);
    bool locked = false;
    unsigned nested = 0;

    while (co->n_ops < n) {
        static const uint8_t plain[] = {OP_WORK,  OP_WORK,    OP_WORK,
                                        OP_QUEUE, OP_IO,      OP_TIMER,
                                        OP_OTHER, OP_GIVE_WAY};
        unsigned what = world_pick(sim, 12);
        if (what < 8) {
            co->ops[co->n_ops++] = plain[world_pick(sim, sizeof(plain))];
        } else if (what == 8 && !is_child && !locked) {
            co->ops[co->n_ops++] = OP_CHILDREN;
        } else if (what == 9) {
            co->ops[co->n_ops++] = locked ? OP_UNLOCK : OP_LOCK;
            locked = !locked;
        } else if (what == 10) {
            co->ops[co->n_ops++] = OP_NEST;
            nested++;
        } else if (nested) {
            co->ops[co->n_ops++] = OP_UNNEST;
            nested--;
        }
    }
    while (nested--) {
        co->ops[co->n_ops++] = OP_UNNEST;
    }
    if (locked) {
        co->ops[co->n_ops++] = OP_UNLOCK;
    }
}

struct w_co *world_co_new(struct sim *sim, struct w_thread *thread,
                          struct w_co *parent)
{
    struct w_co *co = g_new0(struct w_co, 1);

    co->id = world_new_id(sim);
    co->home = (unsigned)thread->loop;
    co->lock = (int)world_pick(sim, N_LOCKS);
    co->parent = parent;
    co->serves = g_array_new(FALSE, TRUE, sizeof(struct world_request *));
    g_ptr_array_add(sim->cos, co);
    world_emit(sim, thread, CT_STEP_CO_CREATE, co->id);
    co->created = true;
    write_program(sim, co, parent != NULL);
    return co;
}

static struct world_request *served(const struct w_co *co)
{
    return co->serves->len ? g_array_index(co->serves, struct world_request *,
                                           co->serves->len - 1)
                           : NULL;
}

static void co_end(struct sim *sim, struct w_thread *thread, struct w_co *co)
{
    while (co->serves->len > (co->ends_in_bh ? 1 : 0)) {
        world_request_end(sim, thread, served(co));
        g_array_set_size(co->serves, co->serves->len - 1);
    }
    if (co->ends_in_bh && co->serves->len) {
        world_schedule_bh(
            sim, thread, thread,
            (struct w_bh){.kind = BH_END_REQUEST, .request = served(co)});
    }
    struct w_co *parent = co->parent;
    if (parent && --parent->alive == 0 && parent->waits_for_children) {
        parent->waits_for_children = false;
        world_wake(sim, thread, parent);
    }
    world_emit(sim, thread, CT_STEP_CO_TERMINATE, co->id);
    if (co->serves->len) {
        world_truth_of(served(co))->co_ended = true;
    }
    co->ended = true;
    world_leave(thread, co);
}

static void op_work(struct sim *sim, struct w_thread *thread, struct w_co *co)
{
    if (co->phase == 0) {
        struct w_work *work = g_new0(struct w_work, 1);
        work->id = world_new_id(sim);
        work->co = co;
        g_ptr_array_add(sim->works, work);
        struct ct_step *step =
            world_emit(sim, thread, CT_STEP_WORK_SUBMIT, work->id);
        step->object = co->id;
        step->context = POOL;
        co->work = work;
        g_queue_push_tail(&sim->work_queue, work);
        if (sim->n_idle == 0 && sim->n_workers < 4) {
            sim->n_workers++;
            sim->n_new++;
            step = world_emit(sim, thread, CT_STEP_SPAWN_REQUEST, POOL);
            step->context = POOL;
            step->value = ++sim->nth_request;
            world_schedule_bh(sim, thread, &sim->threads[0],
                              (struct w_bh){.kind = BH_SPAWN});
        }
        co->phase = 1;
    } else if (co->phase == 1) {
        co->phase = 2;
        world_yield(sim, thread, co, CT_YIELD_REASON_WORK, co->work->id);
    } else {
        co->phase = 0;
        co->pc++;
    }
}

static void op_lock(struct sim *sim, struct w_thread *thread, struct w_co *co)
{
    uint64_t mutex = 10 + (uint64_t)co->lock;
    struct ct_step *step;

    if (co->phase == 0 && !sim->holder[co->lock]) {
        step = world_emit(sim, thread, CT_STEP_LOCK_TAKE, mutex);
        step->object = co->id;
        sim->holder[co->lock] = co;
        co->pc++;
    } else if (co->phase == 0) {
        step = world_emit(sim, thread, CT_STEP_LOCK_WAIT, mutex);
        step->object = co->id;
        step->value = sim->holder[co->lock]->id;
        g_queue_push_tail(&sim->waiters[co->lock], co);
        co->phase = 1;
    } else if (co->phase == 1) {
        co->phase = 2;
        world_yield(sim, thread, co, CT_YIELD_REASON_LOCK, mutex);
    } else {
        step = world_emit(sim, thread, CT_STEP_LOCK_TAKEN, mutex);
        step->object = co->id;
        co->phase = 0;
        co->pc++;
    }
}

static void op_unlock(struct sim *sim, struct w_thread *thread, struct w_co *co)
{
    uint64_t mutex = 10 + (uint64_t)co->lock;
    struct ct_step *step = world_emit(sim, thread, CT_STEP_LOCK_RELEASE, mutex);
    struct w_co *next = g_queue_pop_head(&sim->waiters[co->lock]);

    step->object = co->id;
    sim->holder[co->lock] = next;
    co->pc++;
    if (next) {
        world_wake(sim, thread, next);
        step = world_emit(sim, thread, CT_STEP_LOCK_HAND_OVER, mutex);
        step->object = co->id;
        step->value = next->id;
    }
}

static void op_children(struct sim *sim, struct w_thread *thread,
                        struct w_co *co)
{
    if (co->phase == 0) {
        co->n_to_start = 1 + world_pick(sim, 3);
        co->phase = 1;
    } else if (co->phase == 1 && co->n_to_start) {
        struct w_co *child = world_co_new(sim, thread, co);
        co->n_to_start--;
        co->alive++;
        if (world_pick(sim, 2)) {
            world_request_begin(sim, thread, served(co) ? served(co)->id : 0,
                                child);
        }
        world_enter(sim, thread, child);
    } else if (co->phase == 1 && co->alive) {
        co->phase = 2;
        co->waits_for_children = true;
        world_yield(sim, thread, co, CT_YIELD_REASON_CHILDREN, 0);
    } else {
        co->phase = 0;
        co->pc++;
    }
}

static void wait_for_waker(struct sim *sim, struct w_thread *thread,
                           struct w_co *co, enum ct_yield_reason reason)
{
    uint64_t object = reason == CT_YIELD_REASON_QUEUE   ? 20
                      : reason == CT_YIELD_REASON_TIMER ? 21
                                                        : 0;
    if (co->phase == 0) {
        co->phase = 1;
        if (reason == CT_YIELD_REASON_QUEUE) {
            world_emit(sim, thread, CT_STEP_QUEUE_WAIT, object)->object =
                co->id;
        } else if (reason == CT_YIELD_REASON_TIMER) {
            world_emit(sim, thread, CT_STEP_TIMER_ARM, object);
        }
        /* May be woken from another thread before it yields. */
        g_ptr_array_add(sim->waiting, co);
    } else if (co->phase == 1) {
        co->phase = 2;
        world_yield(sim, thread, co, reason, object);
    } else {
        co->phase = 0;
        co->pc++;
    }
}

void world_run_op(struct sim *sim, struct w_thread *thread, struct w_co *co)
{
    struct ct_step *step;

    if (co->pc == co->n_ops) {
        co_end(sim, thread, co);
        return;
    }
    switch (co->ops[co->pc]) {
    case OP_WORK:
        op_work(sim, thread, co);
        break;
    case OP_LOCK:
        op_lock(sim, thread, co);
        break;
    case OP_UNLOCK:
        op_unlock(sim, thread, co);
        break;
    case OP_QUEUE:
        wait_for_waker(sim, thread, co, CT_YIELD_REASON_QUEUE);
        break;
    case OP_TIMER:
        wait_for_waker(sim, thread, co, CT_YIELD_REASON_TIMER);
        break;
    case OP_IO:
        wait_for_waker(sim, thread, co, CT_YIELD_REASON_IO);
        break;
    case OP_OTHER:
        wait_for_waker(sim, thread, co, CT_YIELD_REASON_OTHER);
        break;
    case OP_CHILDREN:
        op_children(sim, thread, co);
        break;
    case OP_GIVE_WAY:
        if (co->phase == 0) {
            co->phase = 1;
            step = world_emit(sim, thread, CT_STEP_CO_SCHEDULE, co->id);
            step->object = co->id;
            co->woken = co->scheduled = true;
            g_queue_push_tail(&thread->queue, co);
            world_schedule_bh(sim, thread, thread,
                              (struct w_bh){.kind = BH_SCHED});
        } else if (co->phase == 1) {
            co->phase = 2;
            world_yield(sim, thread, co, CT_YIELD_REASON_SCHEDULE, 0);
        } else {
            co->phase = 0;
            co->pc++;
        }
        break;
    case OP_NEST:
        co->pc++;
        world_request_begin(sim, thread, served(co) ? served(co)->id : 0, co);
        break;
    case OP_UNNEST:
        co->pc++;
        if (served(co)) {
            world_request_end(sim, thread, served(co));
            g_array_set_size(co->serves, co->serves->len - 1);
        }
        break;
    }
}
