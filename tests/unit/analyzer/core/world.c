/* SPDX-License-Identifier: MIT */
/*
 * world.c - loops and workers take their turns until the requests have ended
 */
#include "world_int.h"

#include <string.h>

/* --- loops ------------------------------------------------------------ */

static void app(struct sim *sim, struct w_thread *thread)
{
    struct world_request *request = NULL;

    if (!sim->wanted) {
        return;
    }
    sim->wanted--;
    bool early = world_pick(sim, 3) != 0;
    if (early) {
        request = world_request_begin(sim, thread, 0, NULL);
    }
    struct w_co *co = world_co_new(sim, thread, NULL);
    if (early) {
        world_emit(sim, thread, CT_STEP_REQUEST_COROUTINE, request->id)
            ->object = co->id;
        world_truth_of(request)->co = co;
        g_array_append_val(co->serves, request);
        co->ends_in_bh = world_pick(sim, 3) == 0;
    } else {
        /* Its request begins in the coroutine. */
        memmove(co->ops + 1, co->ops, co->n_ops);
        co->ops[0] = OP_NEST;
        co->n_ops++;
    }
    if (early && world_pick(sim, 3) == 0) {
        co->home = 1 - co->home; /* its first turn is on the other loop */
        world_wake(sim, thread, co);
    } else {
        world_enter(sim, thread, co);
    }
}

static void spawn(struct sim *sim, struct w_thread *thread)
{
    if (!sim->n_new || sim->n_threads == THREADS_MAX) {
        return;
    }
    struct w_thread *worker = &sim->threads[sim->n_threads];
    sim->n_new--;
    worker->tid = WORLD_PID + (int32_t)sim->n_threads;
    worker->loop = -1;
    worker->id = world_new_id(sim);
    worker->worker = world_new_id(sim);
    struct ct_step *step =
        world_emit(sim, thread, CT_STEP_WORKER_CREATE, worker->worker);
    step->context = POOL;
    step->value = ++sim->nth_create;
    world_emit(sim, thread, CT_STEP_THREAD_CREATE, worker->id)->name = "worker";
    worker->alive = true;
    sim->n_threads++;
}

static void run_bh(struct sim *sim, struct w_thread *thread,
                   struct w_frame *frame)
{
    struct w_co *co;
    struct w_work *work;
    bool more = true;

    switch (frame->bh.kind) {
    case BH_SCHED:
        co = g_queue_peek_head(&thread->queue);
        if (co && co->running) {
            co = NULL; /* has not yielded yet: next time */
            world_schedule_bh(sim, thread, thread,
                              (struct w_bh){.kind = BH_SCHED});
        }
        if (co) {
            g_queue_pop_head(&thread->queue);
            world_emit(sim, thread, CT_STEP_CO_DEQUEUE, co->id);
            world_enter(sim, thread, co);
        } else {
            more = false;
        }
        break;
    case BH_COMPLETION:
        work = g_queue_peek_head(&sim->done);
        if (work && work->co->running) {
            work = NULL;
            world_schedule_bh(sim, thread, thread,
                              (struct w_bh){.kind = BH_COMPLETION});
        }
        if (work) {
            g_queue_pop_head(&sim->done);
            world_emit(sim, thread, CT_STEP_WORK_COMPLETE, work->id)->context =
                POOL;
            work->phase = W_COMPLETED;
            world_wake(sim, thread, work->co);
        } else {
            more = false;
        }
        break;
    case BH_SPAWN:
        spawn(sim, thread);
        more = false;
        break;
    case BH_END_REQUEST:
        world_request_end(sim, thread, frame->bh.request);
        more = false;
        break;
    case BH_APP:
        if (world_pick(sim, 3)) {
            app(sim, thread);
        } else {
            more = false;
        }
        break;
    }
    if (!more) {
        world_emit(sim, thread, CT_STEP_BH_RUN_END, frame->bh.id);
        thread->depth--;
    }
}

static void tell(struct sim *sim, struct w_thread *thread)
{
    struct ct_step *step;

    step = world_emit(sim, thread, CT_STEP_STATE_BEGIN, ++sim->telling);
    step->reason =
        sim->telling == 1 ? CT_TELL_REASON_START : CT_TELL_REASON_PERIOD;
    for (unsigned i = 0; i < N_LOOPS; i++) {
        world_emit(sim, thread, CT_STEP_STATE_CONTEXT, sim->threads[i].ctx)
            ->bytes = sim->threads[i].queue.length;
    }
    for (unsigned i = 0; i < sim->cos->len; i++) {
        struct w_co *co = sim->cos->pdata[i];
        if (co->ended) {
            continue;
        }
        step = world_emit(sim, thread, CT_STEP_STATE_CO, co->id);
        step->value = co->running     ? CT_CO_STATE_RUNNING
                      : co->scheduled ? CT_CO_STATE_SCHEDULED
                      : co->woken     ? CT_CO_STATE_QUEUED
                                      : CT_CO_STATE_YIELDED;
        if (!co->running) {
            step->reason = co->reason;
            step->waits_for = co->reason == CT_YIELD_REASON_WORK ? co->work->id
                              : co->reason == CT_YIELD_REASON_LOCK
                                  ? 10 + (uint64_t)co->lock
                                  : 0;
        }
    }
    for (unsigned i = 0; i < sim->works->len; i++) {
        struct w_work *work = sim->works->pdata[i];
        if (work->phase != W_COMPLETED) {
            step = world_emit(sim, thread, CT_STEP_STATE_WORK, work->id);
            step->object = work->co->id;
            step->context = POOL;
            step->value = (uint64_t)work->phase;
        }
    }
    for (unsigned i = N_LOOPS; i < sim->n_threads; i++) {
        struct w_thread *worker = &sim->threads[i];
        if (worker->alive && worker->started) {
            step =
                world_emit(sim, thread, CT_STEP_STATE_WORKER, worker->worker);
            step->context = POOL;
            step->ret = worker->tid;
            step->value =
                worker->depth ? CT_WORKER_STATE_BUSY : CT_WORKER_STATE_IDLE;
        }
    }
    for (unsigned i = 0; i < world_open_truths->len; i++) {
        struct open_truth *open =
            &g_array_index(world_open_truths, struct open_truth, i);
        if (open->co_ended) {
            continue;
        }
        step =
            world_emit(sim, thread, CT_STEP_STATE_REQUEST, open->request->id);
        step->waits_for = open->co ? open->co->id : 0;
        step->ns = world_pick(sim, 2) ? open->request->begin_ns : 0;
        step->layer = "blk";
    }
    for (unsigned i = 0; i < N_LOCKS; i++) {
        if (sim->holder[i]) {
            step = world_emit(sim, thread, CT_STEP_STATE_LOCK, 10 + i);
            step->object = sim->holder[i]->id;
        }
    }
    world_emit(sim, thread, CT_STEP_STATE_END, sim->telling);
}

static struct w_co *waiter_for(struct sim *sim, struct w_thread *thread)
{
    for (unsigned i = 0; i < sim->waiting->len; i++) {
        struct w_co *co = sim->waiting->pdata[i];
        /* Another thread may be early, its own can't. */
        if (co->phase == 2 || &sim->threads[co->home] != thread) {
            g_ptr_array_remove_index(sim->waiting, i);
            return co;
        }
    }
    return NULL;
}

static void turn(struct sim *sim, struct w_thread *thread)
{
    struct w_bh *bh;
    struct ct_step *step;
    struct w_co *co;

    switch (world_pick(sim, 6)) {
    case 0:
        step = world_emit(sim, thread, CT_STEP_FDMON_BEGIN, thread->ctx);
        step = world_emit(sim, thread, CT_STEP_FDMON_END, thread->ctx);
        return;
    case 1:
        step = world_emit(sim, thread, CT_STEP_POLL_END, thread->ctx);
        step->value = 1;
        thread->depth--;
        return;
    case 2:
        co = waiter_for(sim, thread);
        if (co) {
            world_emit(sim, thread, CT_STEP_TIMER_RUN_BEGIN, TIMER_OF_WAKER);
            world_push(thread, F_WAKER)->co = NULL;
            if (co->reason == CT_YIELD_REASON_QUEUE && world_pick(sim, 2)) {
                world_emit(sim, thread, CT_STEP_QUEUE_WAKE, 20)->value = co->id;
            }
            world_wake(sim, thread, co);
        }
        return;
    case 3:
        if (thread->loop == 0 && world_pick(sim, 12) == 0) {
            tell(sim, thread);
        }
        return;
    default:
        bh = g_queue_pop_head(&thread->bhs);
        if (bh) {
            world_emit(sim, thread, CT_STEP_BH_RUN_BEGIN, bh->id)->name = "bh";
            world_push(thread, F_BH)->bh = *bh;
            thread->sched_pending &= bh->kind != BH_SCHED;
            thread->completion_pending &= bh->kind != BH_COMPLETION;
            thread->spawn_pending &= bh->kind != BH_SPAWN;
            g_free(bh);
        } else if (world_pick(sim, 4) == 0) {
            world_schedule_bh(sim, thread, thread,
                              (struct w_bh){.kind = BH_APP});
        }
    }
}

static void run_worker(struct sim *sim, struct w_thread *thread)
{
    struct ct_step *step;

    if (!thread->started) {
        world_emit(sim, thread, CT_STEP_THREAD_START, thread->id)->name =
            "worker";
        world_emit(sim, thread, CT_STEP_WORKER_START, thread->worker)->context =
            POOL;
        thread->started = true;
        sim->n_idle++;
        /* Workers spawn the pending ones. */
        spawn(sim, thread);
    } else if (thread->depth) {
        struct w_work *work = thread->frames[0].work;
        step = world_emit(sim, thread, CT_STEP_WORK_END, work->id);
        step->context = POOL;
        work->phase = W_DONE;
        thread->depth--;
        sim->n_idle++;
        g_queue_push_tail(&sim->done, work);
        world_schedule_bh(sim, thread, &sim->threads[0],
                          (struct w_bh){.kind = BH_COMPLETION});
    } else {
        struct w_work *work = g_queue_pop_head(&sim->work_queue);
        if (work) {
            step = world_emit(sim, thread, CT_STEP_WORK_BEGIN, work->id);
            step->context = POOL;
            step->object = thread->worker;
            work->phase = W_RUNNING;
            work->tid = thread->tid;
            world_push(thread, F_WORK)->work = work;
            sim->n_idle--;
        } else if (sim->n_workers > 1 && !sim->n_new &&
                   world_pick(sim, 40) == 0) {
            sim->n_workers--;
            sim->n_idle--;
            step = world_emit(sim, thread, CT_STEP_WORKER_EXIT, thread->worker);
            step->context = POOL;
            world_emit(sim, thread, CT_STEP_THREAD_EXIT, thread->id);
            thread->alive = false;
        }
    }
}

static void step_thread(struct sim *sim, struct w_thread *thread)
{
    if (thread->loop < 0) {
        run_worker(sim, thread);
        return;
    }
    if (!thread->started) {
        if (thread->loop > 0) {
            world_emit(sim, thread, CT_STEP_THREAD_START, thread->id)->name =
                "io";
        }
        world_emit(sim, thread, CT_STEP_CONTEXT_CREATE, thread->ctx)->name =
            thread->loop ? "io" : "main";
        thread->started = true;
        return;
    }
    for (GList *at = thread->enters.head; at; at = at->next) {
        struct w_enter *next = at->data;
        if (next->depth == thread->depth) {
            world_enter(sim, thread, next->co);
            g_queue_delete_link(&thread->enters, at);
            g_free(next);
            return;
        }
    }
    if (!thread->depth) {
        world_emit(sim, thread, CT_STEP_POLL_BEGIN, thread->ctx)->value = 1;
        world_push(thread, F_POLL);
        return;
    }
    struct w_frame *frame = &thread->frames[thread->depth - 1];
    switch (frame->kind) {
    case F_POLL:
        turn(sim, thread);
        break;
    case F_BH:
        run_bh(sim, thread, frame);
        break;
    case F_WAKER:
        world_emit(sim, thread, CT_STEP_TIMER_RUN_END, TIMER_OF_WAKER);
        thread->depth--;
        break;
    case F_CO:
        world_run_op(sim, thread, frame->co);
        break;
    case F_WORK:
        g_assert_not_reached();
    }
}

/* --- the world -------------------------------------------------------- */

static void free_co(gpointer data)
{
    struct w_co *co = data;

    g_array_unref(co->serves);
    g_queue_clear(&co->wakes);
    g_free(co);
}

static void free_request(gpointer data)
{
    struct world_request *request = data;

    g_array_unref(request->segments);
    g_free(request);
}

struct world *world_new(uint32_t seed, unsigned n_steps)
{
    struct world *world = g_new0(struct world, 1);
    struct sim *sim = g_new0(struct sim, 1);

    world->steps = g_array_new(FALSE, TRUE, sizeof(struct ct_step));
    world->truth = g_ptr_array_new_with_free_func(free_request);
    world_open_truths = g_array_new(FALSE, TRUE, sizeof(struct open_truth));
    sim->world = world;
    sim->rand = g_rand_new_with_seed(seed);
    sim->now = 1000000;
    sim->next_id = 1000;
    sim->cos = g_ptr_array_new_with_free_func(free_co);
    sim->works = g_ptr_array_new_with_free_func(g_free);
    sim->waiting = g_ptr_array_new();
    sim->wanted = n_steps;
    for (unsigned i = 0; i < N_LOOPS; i++) {
        sim->threads[i] = (struct w_thread){
            .tid = WORLD_PID + (int32_t)i,
            .id = i ? world_new_id(sim) : 0,
            .loop = (int)i,
            .ctx = 1 + i,
            .alive = true,
        };
        sim->n_threads++;
    }
    while (sim->wanted || world_open_truths->len) {
        struct w_thread *thread =
            &sim->threads[world_pick(sim, sim->n_threads)];
        if (world->steps->len > n_steps) {
            sim->wanted = 0;
        }
        g_assert_cmpuint(world->steps->len, <, 50 * n_steps + 10000);
        if (thread->alive) {
            step_thread(sim, thread);
        }
    }
    for (unsigned i = 0; i < sim->n_threads; i++) {
        g_queue_clear_full(&sim->threads[i].bhs, g_free);
        g_queue_clear_full(&sim->threads[i].enters, g_free);
        g_queue_clear(&sim->threads[i].queue);
    }
    for (unsigned i = 0; i < N_LOCKS; i++) {
        g_queue_clear(&sim->waiters[i]);
    }
    g_queue_clear(&sim->work_queue);
    g_queue_clear(&sim->done);
    g_ptr_array_unref(sim->cos);
    g_ptr_array_unref(sim->works);
    g_ptr_array_unref(sim->waiting);
    g_array_unref(world_open_truths);
    g_rand_free(sim->rand);
    g_free(sim);
    return world;
}

void world_free(struct world *world)
{
    g_array_unref(world->steps);
    g_ptr_array_unref(world->truth);
    g_free(world);
}
