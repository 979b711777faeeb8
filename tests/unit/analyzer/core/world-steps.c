/* SPDX-License-Identifier: MIT */
/*
 * world-steps.c - what is true at every instant, and the primitives that leave
 * a step: schedule, enter, wake, yield
 */
#include "world_int.h"

#include <string.h>

unsigned world_pick(struct sim *sim, unsigned n)
{
    return (unsigned)g_rand_int_range(sim->rand, 0, (gint32)n);
}

/* --- the truth -------------------------------------------------------- */

static void state_of(struct sim *sim, const struct w_co *co,
                     struct world_segment *ret)
{
    if (co->running) {
        ret->state = CT_STATE_RUNNING;
        for (unsigned i = 0; i < sim->n_threads; i++) {
            const struct w_thread *thread = &sim->threads[i];
            for (unsigned j = 0; j < thread->depth; j++) {
                if (thread->frames[j].co == co) {
                    ret->tid = thread->tid;
                    ret->on_top = j == thread->depth - 1;
                }
            }
        }
        return;
    }
    if (co->woken || co->reason == CT_YIELD_REASON_SCHEDULE) {
        ret->state = CT_STATE_RUNNABLE;
        return;
    }
    switch (co->reason) {
    case CT_YIELD_REASON_WORK:
        ret->state = co->work->phase == W_QUEUED    ? CT_STATE_WORK_QUEUED
                     : co->work->phase == W_RUNNING ? CT_STATE_WORK_RUNNING
                     : co->work->phase == W_DONE    ? CT_STATE_WORK_DONE
                                                    : CT_STATE_RUNNABLE;
        if (co->work->phase == W_RUNNING) {
            ret->tid = co->work->tid;
        }
        break;
    case CT_YIELD_REASON_LOCK:
        ret->state = CT_STATE_LOCK;
        break;
    case CT_YIELD_REASON_QUEUE:
        ret->state = CT_STATE_QUEUE;
        break;
    case CT_YIELD_REASON_TIMER:
        ret->state = CT_STATE_TIMER;
        break;
    case CT_YIELD_REASON_IO:
        ret->state = CT_STATE_IO;
        break;
    case CT_YIELD_REASON_CHILDREN:
        ret->state = CT_STATE_CHILDREN;
        break;
    default:
        ret->state = CT_STATE_UNKNOWN;
    }
}

GArray *world_open_truths;

static void look(struct sim *sim)
{
    for (unsigned i = 0; i < world_open_truths->len; i++) {
        struct open_truth *open =
            &g_array_index(world_open_truths, struct open_truth, i);
        GArray *segments = open->request->segments;
        struct world_segment now = {.begin_ns = sim->now};
        if (open->co_ended) {
            now.state = CT_STATE_COMPLETING;
        } else if (!open->co || !open->co->created ||
                   (!open->co->running && !open->co->woken &&
                    open->co->pc == 0 && open->co->phase == 0)) {
            now.state = CT_STATE_RUNNING;
            now.tid = open->tid;
        } else {
            state_of(sim, open->co, &now);
        }
        if (segments->len) {
            struct world_segment *last = &g_array_index(
                segments, struct world_segment, segments->len - 1);
            if (last->state == now.state && last->tid == now.tid &&
                last->on_top == now.on_top) {
                continue;
            }
            last->end_ns = sim->now;
        }
        g_array_append_val(segments, now);
    }
}

struct open_truth *world_truth_of(struct world_request *request)
{
    for (unsigned i = 0; i < world_open_truths->len; i++) {
        struct open_truth *open =
            &g_array_index(world_open_truths, struct open_truth, i);
        if (open->request == request) {
            return open;
        }
    }
    g_assert_not_reached();
}

/* --- steps ------------------------------------------------------------ */

/* The state as it is now held since the step before; then time goes on. */
struct ct_step *world_emit(struct sim *sim, const struct w_thread *thread,
                           enum ct_step_kind kind, uint64_t subject)
{
    look(sim);
    sim->now += 1 + world_pick(sim, 20);
    g_array_set_size(sim->world->steps, sim->world->steps->len + 1);
    struct ct_step *step = &g_array_index(sim->world->steps, struct ct_step,
                                          sim->world->steps->len - 1);
    *step = (struct ct_step){
        .kind = kind,
        .when_ns = sim->now,
        .seq = sim->seq++,
        .pid = WORLD_PID,
        .tid = thread->tid,
        .subject = subject,
        .context = thread->ctx,
        .stack = 1 + world_pick(sim, 40),
    };
    return step;
}

uint64_t world_new_id(struct sim *sim)
{
    return sim->next_id++;
}

static struct w_co *current(const struct w_thread *thread)
{
    for (unsigned i = thread->depth; i-- > 0;) {
        if (thread->frames[i].co) {
            return thread->frames[i].co;
        }
    }
    return NULL;
}

struct w_frame *world_push(struct w_thread *thread, int kind)
{
    g_assert_cmpuint(thread->depth, <, DEPTH_MAX);
    struct w_frame *frame = &thread->frames[thread->depth++];
    *frame = (struct w_frame){.kind = kind};
    return frame;
}

void world_schedule_bh(struct sim *sim, struct w_thread *by,
                       struct w_thread *to, struct w_bh bh)
{
    struct ct_step *step;

    bh.id = bh.kind == BH_SCHED        ? 70 + (uint64_t)to->loop
            : bh.kind == BH_COMPLETION ? 80
            : bh.kind == BH_SPAWN      ? 90
                                       : world_new_id(sim);
    step = world_emit(sim, by, CT_STEP_BH_SCHEDULE, bh.id);
    step->context = to->ctx;
    step->name = "bh";
    bool *pending = bh.kind == BH_SCHED        ? &to->sched_pending
                    : bh.kind == BH_COMPLETION ? &to->completion_pending
                    : bh.kind == BH_SPAWN      ? &to->spawn_pending
                                               : NULL;
    if (!pending || !*pending) {
        g_queue_push_tail(&to->bhs, g_memdup2(&bh, sizeof(bh)));
    }
    if (pending) {
        *pending = true;
    }
    if (world_pick(sim, 2)) {
        world_emit(sim, by, CT_STEP_NOTIFY, to->ctx);
    }
}

void world_enter(struct sim *sim, struct w_thread *thread, struct w_co *co)
{
    struct w_co *from = current(thread);
    struct ct_step *step = world_emit(sim, thread, CT_STEP_CO_ENTER, co->id);

    g_assert_false(co->running);
    step->object = from ? from->id : 0;
    co->running = true;
    co->created = true;
    co->woken = co->scheduled = false;
    co->reason = CT_YIELD_REASON_OTHER;
    co->home = (unsigned)thread->loop;
    world_push(thread, F_CO)->co = co;
}

void world_wake(struct sim *sim, struct w_thread *thread, struct w_co *co)
{
    struct w_thread *home = &sim->threads[co->home];
    struct w_co *by = current(thread);
    struct ct_step *step = world_emit(sim, thread, CT_STEP_CO_WAKE, co->id);

    step->context = home->ctx;
    step->object = by ? by->id : 0;
    co->woken = true;
    if (home != thread) {
        step->reason = CT_WAKE_HOW_SCHEDULED;
        step = world_emit(sim, thread, CT_STEP_CO_SCHEDULE, co->id);
        step->context = home->ctx;
        step->object = by ? by->id : 0;
        co->scheduled = true;
        g_queue_push_tail(&home->queue, co);
        world_schedule_bh(sim, thread, home, (struct w_bh){.kind = BH_SCHED});
    } else if (by) {
        step->reason = CT_WAKE_HOW_QUEUED;
        g_queue_push_tail(&by->wakes, co);
    } else {
        step->reason = CT_WAKE_HOW_ENTERED;
        world_enter(sim, thread, co);
    }
}

/* Leaves the thread; those in its own list are entered from below. */
void world_leave(struct w_thread *thread, struct w_co *co)
{
    g_assert_true(thread->frames[thread->depth - 1].co == co);
    thread->depth--;
    co->running = false;
    struct w_co *next;
    while ((next = g_queue_pop_head(&co->wakes))) {
        struct w_enter enter = {next, thread->depth};
        g_queue_push_tail(&thread->enters, g_memdup2(&enter, sizeof(enter)));
    }
}

void world_yield(struct sim *sim, struct w_thread *thread, struct w_co *co,
                 enum ct_yield_reason reason, uint64_t object)
{
    struct ct_step *step = world_emit(sim, thread, CT_STEP_CO_YIELD, co->id);

    step->reason = (uint8_t)reason;
    step->waits_for = object;
    co->reason = (uint8_t)reason;
    world_leave(thread, co);
}
