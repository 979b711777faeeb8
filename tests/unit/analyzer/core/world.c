/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <string.h>

#include "ct/schema.h"

enum {
    N_LOOPS = 2,
    THREADS_MAX = 64,
    DEPTH_MAX = 64,
    OPS_MAX = 24,
    N_LOCKS = 3
};
enum { POOL = 50, TIMER_OF_WAKER = 60 };

enum op {
    OP_WORK,
    OP_LOCK,
    OP_UNLOCK,
    OP_QUEUE,
    OP_TIMER,
    OP_IO,
    OP_OTHER,
    OP_CHILDREN,
    OP_GIVE_WAY,
    OP_NEST,
    OP_UNNEST,
};

struct w_co {
    uint64_t id;
    unsigned home; /* loop */
    uint8_t ops[OPS_MAX];
    unsigned n_ops, pc, phase;
    bool created, running, ended, woken, scheduled;
    uint8_t reason;
    struct w_work *work;
    int lock;
    unsigned n_to_start, alive; /* children */
    bool waits_for_children;
    struct w_co *parent;
    GArray *serves;  /* struct world_request *, outermost first */
    GQueue wakes;    /* entered when it yields or ends */
    bool ends_in_bh; /* its request is ended by a bottom half, after it */
};

struct w_work {
    uint64_t id;
    struct w_co *co;
    enum { W_QUEUED, W_RUNNING, W_DONE, W_COMPLETED } phase;
    int32_t tid;
};

struct w_bh {
    enum { BH_SCHED, BH_COMPLETION, BH_SPAWN, BH_APP, BH_END_REQUEST } kind;
    uint64_t id;
    struct world_request *request;
};

struct w_frame {
    enum { F_POLL, F_BH, F_WAKER, F_CO, F_WORK } kind;
    struct w_bh bh;
    struct w_co *co;
    struct w_work *work;
};

struct w_enter {
    struct w_co *co;
    unsigned depth;
};

struct w_thread {
    int32_t tid;
    uint64_t id, worker;
    bool alive, started;
    int loop; /* -1: a worker */
    uint64_t ctx;
    struct w_frame frames[DEPTH_MAX];
    unsigned depth;
    GQueue enters; /* struct w_enter * */
    GQueue bhs;    /* struct w_bh *, pending */
    GQueue queue;  /* coroutines that aio_co_schedule put there */
    bool sched_pending, completion_pending, spawn_pending;
};

struct sim {
    struct world *world;
    GRand *rand;
    int64_t now;
    uint64_t next_id, seq;
    struct w_thread threads[THREADS_MAX];
    unsigned n_threads;
    GPtrArray *cos;
    GPtrArray *works;
    GQueue work_queue, done;
    GPtrArray *waiting; /* for timer, io, queue, other: whom to wake */
    struct w_co *holder[N_LOCKS];
    GQueue waiters[N_LOCKS];
    unsigned n_workers, n_new, n_idle, nth_request, nth_create;
    uint64_t telling;
    unsigned wanted;
};

static unsigned pick(struct sim *sim, unsigned n)
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

struct open_truth {
    struct world_request *request;
    struct w_co *co; /* NULL: none yet */
    int32_t tid;
    bool co_ended;
};

static GArray *open_truths; /* struct open_truth; one world at a time */

static void look(struct sim *sim)
{
    for (unsigned i = 0; i < open_truths->len; i++) {
        struct open_truth *open =
            &g_array_index(open_truths, struct open_truth, i);
        GArray *segments = open->request->segments;
        struct world_segment now = {.begin_ns = sim->now};
        if (open->co_ended) {
            now.state = CT_STATE_COMPLETING;
        } else if (!open->co || !open->co->created ||
                   (!open->co->running && open->co->pc == 0 &&
                    open->co->phase == 0)) {
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

static struct open_truth *truth_of(struct world_request *request)
{
    for (unsigned i = 0; i < open_truths->len; i++) {
        struct open_truth *open =
            &g_array_index(open_truths, struct open_truth, i);
        if (open->request == request) {
            return open;
        }
    }
    g_assert_not_reached();
}

/* --- steps ------------------------------------------------------------ */

/* The state as it is now held since the step before; then time goes on. */
static struct ct_step *emit(struct sim *sim, const struct w_thread *thread,
                            enum ct_step_kind kind, uint64_t subject)
{
    look(sim);
    sim->now += 1 + pick(sim, 20);
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
        .stack = 1 + pick(sim, 40),
    };
    return step;
}

static uint64_t new_id(struct sim *sim)
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

static struct w_frame *push(struct w_thread *thread, int kind)
{
    g_assert_cmpuint(thread->depth, <, DEPTH_MAX);
    struct w_frame *frame = &thread->frames[thread->depth++];
    *frame = (struct w_frame){.kind = kind};
    return frame;
}

static void schedule_bh(struct sim *sim, struct w_thread *by,
                        struct w_thread *to, struct w_bh bh)
{
    struct ct_step *step;

    bh.id = bh.kind == BH_SCHED        ? 70 + (uint64_t)to->loop
            : bh.kind == BH_COMPLETION ? 80
            : bh.kind == BH_SPAWN      ? 90
                                       : new_id(sim);
    step = emit(sim, by, CT_STEP_BH_SCHEDULE, bh.id);
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
    if (pick(sim, 2)) {
        emit(sim, by, CT_STEP_NOTIFY, to->ctx);
    }
}

static void enter(struct sim *sim, struct w_thread *thread, struct w_co *co)
{
    struct w_co *from = current(thread);
    struct ct_step *step = emit(sim, thread, CT_STEP_CO_ENTER, co->id);

    g_assert_false(co->running);
    step->object = from ? from->id : 0;
    co->running = true;
    co->created = true;
    co->woken = co->scheduled = false;
    co->reason = CT_YIELD_REASON_OTHER;
    co->home = (unsigned)thread->loop;
    push(thread, F_CO)->co = co;
}

static void wake(struct sim *sim, struct w_thread *thread, struct w_co *co)
{
    struct w_thread *home = &sim->threads[co->home];
    struct w_co *by = current(thread);
    struct ct_step *step = emit(sim, thread, CT_STEP_CO_WAKE, co->id);

    step->context = home->ctx;
    step->object = by ? by->id : 0;
    co->woken = true;
    if (home != thread) {
        step->reason = CT_WAKE_HOW_SCHEDULED;
        step = emit(sim, thread, CT_STEP_CO_SCHEDULE, co->id);
        step->context = home->ctx;
        step->object = by ? by->id : 0;
        co->scheduled = true;
        g_queue_push_tail(&home->queue, co);
        schedule_bh(sim, thread, home, (struct w_bh){.kind = BH_SCHED});
    } else if (by) {
        step->reason = CT_WAKE_HOW_QUEUED;
        g_queue_push_tail(&by->wakes, co);
    } else {
        step->reason = CT_WAKE_HOW_ENTERED;
        enter(sim, thread, co);
    }
}

/* Leaves the thread; those in its own list are entered from below. */
static void leave(struct w_thread *thread, struct w_co *co)
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

static void yield(struct sim *sim, struct w_thread *thread, struct w_co *co,
                  enum ct_yield_reason reason, uint64_t object)
{
    struct ct_step *step = emit(sim, thread, CT_STEP_CO_YIELD, co->id);

    step->reason = (uint8_t)reason;
    step->waits_for = object;
    co->reason = (uint8_t)reason;
    leave(thread, co);
}

/* --- requests and coroutines ------------------------------------------ */

static struct world_request *request_begin(struct sim *sim,
                                           struct w_thread *thread,
                                           uint64_t parent, struct w_co *co)
{
    struct world_request *request = g_new0(struct world_request, 1);
    struct ct_step *step;

    request->id = new_id(sim);
    step = emit(sim, thread, CT_STEP_REQUEST_BEGIN, request->id);
    step->object = parent;
    step->waits_for = co ? co->id : 0;
    step->layer = "blk";
    step->op = "read";
    step->name = "disk";
    request->begin_ns = sim->now;
    request->segments = g_array_new(FALSE, TRUE, sizeof(struct world_segment));
    g_ptr_array_add(sim->world->truth, request);
    struct open_truth open = {request, co, thread->tid, false};
    g_array_append_val(open_truths, open);
    if (co) {
        g_array_append_val(co->serves, request);
    }
    return request;
}

static void request_end(struct sim *sim, struct w_thread *thread,
                        struct world_request *request)
{
    emit(sim, thread, CT_STEP_REQUEST_END, request->id);
    GArray *segments = request->segments;
    g_array_index(segments, struct world_segment, segments->len - 1).end_ns =
        sim->now;
    request->end_ns = sim->now;
    request->ended = true;
    for (unsigned i = 0; i < open_truths->len; i++) {
        if (g_array_index(open_truths, struct open_truth, i).request ==
            request) {
            g_array_remove_index_fast(open_truths, i);
            return;
        }
    }
}

static void write_program(struct sim *sim, struct w_co *co, bool is_child)
{
    unsigned n = 1 + pick(sim, 7);
    bool locked = false;
    unsigned nested = 0;

    while (co->n_ops < n) {
        static const uint8_t plain[] = {OP_WORK,  OP_WORK,    OP_WORK,
                                        OP_QUEUE, OP_IO,      OP_TIMER,
                                        OP_OTHER, OP_GIVE_WAY};
        unsigned what = pick(sim, 12);
        if (what < 8) {
            co->ops[co->n_ops++] = plain[pick(sim, sizeof(plain))];
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

static struct w_co *co_new(struct sim *sim, struct w_thread *thread,
                           struct w_co *parent)
{
    struct w_co *co = g_new0(struct w_co, 1);

    co->id = new_id(sim);
    co->home = (unsigned)thread->loop;
    co->lock = (int)pick(sim, N_LOCKS);
    co->parent = parent;
    co->serves = g_array_new(FALSE, TRUE, sizeof(struct world_request *));
    g_ptr_array_add(sim->cos, co);
    emit(sim, thread, CT_STEP_CO_CREATE, co->id);
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
        request_end(sim, thread, served(co));
        g_array_set_size(co->serves, co->serves->len - 1);
    }
    if (co->ends_in_bh && co->serves->len) {
        schedule_bh(
            sim, thread, thread,
            (struct w_bh){.kind = BH_END_REQUEST, .request = served(co)});
    }
    struct w_co *parent = co->parent;
    if (parent && --parent->alive == 0 && parent->waits_for_children) {
        parent->waits_for_children = false;
        wake(sim, thread, parent);
    }
    emit(sim, thread, CT_STEP_CO_TERMINATE, co->id);
    if (co->serves->len) {
        truth_of(served(co))->co_ended = true;
    }
    co->ended = true;
    leave(thread, co);
}

static void op_work(struct sim *sim, struct w_thread *thread, struct w_co *co)
{
    if (co->phase == 0) {
        struct w_work *work = g_new0(struct w_work, 1);
        work->id = new_id(sim);
        work->co = co;
        g_ptr_array_add(sim->works, work);
        struct ct_step *step = emit(sim, thread, CT_STEP_WORK_SUBMIT, work->id);
        step->object = co->id;
        step->context = POOL;
        co->work = work;
        g_queue_push_tail(&sim->work_queue, work);
        if (sim->n_idle == 0 && sim->n_workers < 4) {
            sim->n_workers++;
            sim->n_new++;
            step = emit(sim, thread, CT_STEP_SPAWN_REQUEST, POOL);
            step->context = POOL;
            step->value = ++sim->nth_request;
            schedule_bh(sim, thread, &sim->threads[0],
                        (struct w_bh){.kind = BH_SPAWN});
        }
        co->phase = 1;
    } else if (co->phase == 1) {
        co->phase = 2;
        yield(sim, thread, co, CT_YIELD_REASON_WORK, co->work->id);
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
        step = emit(sim, thread, CT_STEP_LOCK_TAKE, mutex);
        step->object = co->id;
        sim->holder[co->lock] = co;
        co->pc++;
    } else if (co->phase == 0) {
        step = emit(sim, thread, CT_STEP_LOCK_WAIT, mutex);
        step->object = co->id;
        step->value = sim->holder[co->lock]->id;
        g_queue_push_tail(&sim->waiters[co->lock], co);
        co->phase = 1;
    } else if (co->phase == 1) {
        co->phase = 2;
        yield(sim, thread, co, CT_YIELD_REASON_LOCK, mutex);
    } else {
        step = emit(sim, thread, CT_STEP_LOCK_TAKEN, mutex);
        step->object = co->id;
        co->phase = 0;
        co->pc++;
    }
}

static void op_unlock(struct sim *sim, struct w_thread *thread, struct w_co *co)
{
    uint64_t mutex = 10 + (uint64_t)co->lock;
    struct ct_step *step = emit(sim, thread, CT_STEP_LOCK_RELEASE, mutex);
    struct w_co *next = g_queue_pop_head(&sim->waiters[co->lock]);

    step->object = co->id;
    sim->holder[co->lock] = next;
    co->pc++;
    if (next) {
        wake(sim, thread, next);
        step = emit(sim, thread, CT_STEP_LOCK_HAND_OVER, mutex);
        step->object = co->id;
        step->value = next->id;
    }
}

static void op_children(struct sim *sim, struct w_thread *thread,
                        struct w_co *co)
{
    if (co->phase == 0) {
        co->n_to_start = 1 + pick(sim, 3);
        co->phase = 1;
    } else if (co->phase == 1 && co->n_to_start) {
        struct w_co *child = co_new(sim, thread, co);
        co->n_to_start--;
        co->alive++;
        if (pick(sim, 2)) {
            request_begin(sim, thread, served(co) ? served(co)->id : 0, child);
        }
        enter(sim, thread, child);
    } else if (co->phase == 1 && co->alive) {
        co->phase = 2;
        co->waits_for_children = true;
        yield(sim, thread, co, CT_YIELD_REASON_CHILDREN, 0);
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
            emit(sim, thread, CT_STEP_QUEUE_WAIT, object)->object = co->id;
        } else if (reason == CT_YIELD_REASON_TIMER) {
            emit(sim, thread, CT_STEP_TIMER_ARM, object);
        }
        /* May be woken from another thread before it yields. */
        g_ptr_array_add(sim->waiting, co);
    } else if (co->phase == 1) {
        co->phase = 2;
        yield(sim, thread, co, reason, object);
    } else {
        co->phase = 0;
        co->pc++;
    }
}

static void run_op(struct sim *sim, struct w_thread *thread, struct w_co *co)
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
            step = emit(sim, thread, CT_STEP_CO_SCHEDULE, co->id);
            step->object = co->id;
            co->woken = co->scheduled = true;
            g_queue_push_tail(&thread->queue, co);
            schedule_bh(sim, thread, thread, (struct w_bh){.kind = BH_SCHED});
        } else if (co->phase == 1) {
            co->phase = 2;
            yield(sim, thread, co, CT_YIELD_REASON_SCHEDULE, 0);
        } else {
            co->phase = 0;
            co->pc++;
        }
        break;
    case OP_NEST:
        co->pc++;
        request_begin(sim, thread, served(co) ? served(co)->id : 0, co);
        break;
    case OP_UNNEST:
        co->pc++;
        if (served(co)) {
            request_end(sim, thread, served(co));
            g_array_set_size(co->serves, co->serves->len - 1);
        }
        break;
    }
}

/* --- loops ------------------------------------------------------------ */

static void app(struct sim *sim, struct w_thread *thread)
{
    struct world_request *request = NULL;

    if (!sim->wanted) {
        return;
    }
    sim->wanted--;
    bool early = pick(sim, 3) != 0;
    if (early) {
        request = request_begin(sim, thread, 0, NULL);
    }
    struct w_co *co = co_new(sim, thread, NULL);
    if (early) {
        emit(sim, thread, CT_STEP_REQUEST_COROUTINE, request->id)->object =
            co->id;
        truth_of(request)->co = co;
        g_array_append_val(co->serves, request);
        co->ends_in_bh = pick(sim, 3) == 0;
    } else {
        /* Its request begins in the coroutine. */
        memmove(co->ops + 1, co->ops, co->n_ops);
        co->ops[0] = OP_NEST;
        co->n_ops++;
    }
    enter(sim, thread, co);
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
    worker->id = new_id(sim);
    worker->worker = new_id(sim);
    struct ct_step *step =
        emit(sim, thread, CT_STEP_WORKER_CREATE, worker->worker);
    step->context = POOL;
    step->value = ++sim->nth_create;
    emit(sim, thread, CT_STEP_THREAD_CREATE, worker->id)->name = "worker";
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
            schedule_bh(sim, thread, thread, (struct w_bh){.kind = BH_SCHED});
        }
        if (co) {
            g_queue_pop_head(&thread->queue);
            emit(sim, thread, CT_STEP_CO_DEQUEUE, co->id);
            enter(sim, thread, co);
        } else {
            more = false;
        }
        break;
    case BH_COMPLETION:
        work = g_queue_peek_head(&sim->done);
        if (work && work->co->running) {
            work = NULL;
            schedule_bh(sim, thread, thread,
                        (struct w_bh){.kind = BH_COMPLETION});
        }
        if (work) {
            g_queue_pop_head(&sim->done);
            emit(sim, thread, CT_STEP_WORK_COMPLETE, work->id)->context = POOL;
            work->phase = W_COMPLETED;
            wake(sim, thread, work->co);
        } else {
            more = false;
        }
        break;
    case BH_SPAWN:
        spawn(sim, thread);
        more = false;
        break;
    case BH_END_REQUEST:
        request_end(sim, thread, frame->bh.request);
        more = false;
        break;
    case BH_APP:
        if (pick(sim, 3)) {
            app(sim, thread);
        } else {
            more = false;
        }
        break;
    }
    if (!more) {
        emit(sim, thread, CT_STEP_BH_RUN_END, frame->bh.id);
        thread->depth--;
    }
}

static void tell(struct sim *sim, struct w_thread *thread)
{
    struct ct_step *step;

    for (unsigned i = 0; i < sim->cos->len; i++) {
        struct w_co *co = sim->cos->pdata[i];
        if (!co->ended && co->woken && !co->scheduled) {
            return; /* woken, and not to be told from one that waits */
        }
    }
    step = emit(sim, thread, CT_STEP_STATE_BEGIN, ++sim->telling);
    step->reason =
        sim->telling == 1 ? CT_TELL_REASON_START : CT_TELL_REASON_PERIOD;
    for (unsigned i = 0; i < N_LOOPS; i++) {
        emit(sim, thread, CT_STEP_STATE_CONTEXT, sim->threads[i].ctx)->bytes =
            sim->threads[i].queue.length;
    }
    for (unsigned i = 0; i < sim->cos->len; i++) {
        struct w_co *co = sim->cos->pdata[i];
        if (co->ended) {
            continue;
        }
        step = emit(sim, thread, CT_STEP_STATE_CO, co->id);
        step->value = co->running     ? CT_CO_STATE_RUNNING
                      : co->scheduled ? CT_CO_STATE_SCHEDULED
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
            step = emit(sim, thread, CT_STEP_STATE_WORK, work->id);
            step->object = work->co->id;
            step->context = POOL;
            step->value = (uint64_t)work->phase;
        }
    }
    for (unsigned i = N_LOOPS; i < sim->n_threads; i++) {
        struct w_thread *worker = &sim->threads[i];
        if (worker->alive && worker->started) {
            step = emit(sim, thread, CT_STEP_STATE_WORKER, worker->worker);
            step->context = POOL;
            step->ret = worker->tid;
            step->value =
                worker->depth ? CT_WORKER_STATE_BUSY : CT_WORKER_STATE_IDLE;
        }
    }
    for (unsigned i = 0; i < open_truths->len; i++) {
        struct open_truth *open =
            &g_array_index(open_truths, struct open_truth, i);
        if (open->co_ended) {
            continue;
        }
        step = emit(sim, thread, CT_STEP_STATE_REQUEST, open->request->id);
        step->waits_for = open->co ? open->co->id : 0;
        step->layer = "blk";
    }
    for (unsigned i = 0; i < N_LOCKS; i++) {
        if (sim->holder[i]) {
            step = emit(sim, thread, CT_STEP_STATE_LOCK, 10 + i);
            step->object = sim->holder[i]->id;
        }
    }
    emit(sim, thread, CT_STEP_STATE_END, sim->telling);
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

    switch (pick(sim, 6)) {
    case 0:
        step = emit(sim, thread, CT_STEP_FDMON_BEGIN, thread->ctx);
        step = emit(sim, thread, CT_STEP_FDMON_END, thread->ctx);
        return;
    case 1:
        step = emit(sim, thread, CT_STEP_POLL_END, thread->ctx);
        step->value = 1;
        thread->depth--;
        return;
    case 2:
        co = waiter_for(sim, thread);
        if (co) {
            emit(sim, thread, CT_STEP_TIMER_RUN_BEGIN, TIMER_OF_WAKER);
            push(thread, F_WAKER)->co = NULL;
            if (co->reason == CT_YIELD_REASON_QUEUE && pick(sim, 2)) {
                emit(sim, thread, CT_STEP_QUEUE_WAKE, 20)->value = co->id;
            }
            wake(sim, thread, co);
        }
        return;
    case 3:
        if (thread->loop == 0 && pick(sim, 12) == 0) {
            tell(sim, thread);
        }
        return;
    default:
        bh = g_queue_pop_head(&thread->bhs);
        if (bh) {
            emit(sim, thread, CT_STEP_BH_RUN_BEGIN, bh->id)->name = "bh";
            push(thread, F_BH)->bh = *bh;
            thread->sched_pending &= bh->kind != BH_SCHED;
            thread->completion_pending &= bh->kind != BH_COMPLETION;
            thread->spawn_pending &= bh->kind != BH_SPAWN;
            g_free(bh);
        } else if (pick(sim, 4) == 0) {
            schedule_bh(sim, thread, thread, (struct w_bh){.kind = BH_APP});
        }
    }
}

static void run_worker(struct sim *sim, struct w_thread *thread)
{
    struct ct_step *step;

    if (!thread->started) {
        emit(sim, thread, CT_STEP_THREAD_START, thread->id)->name = "worker";
        emit(sim, thread, CT_STEP_WORKER_START, thread->worker)->context = POOL;
        thread->started = true;
        sim->n_idle++;
        /* Workers spawn the pending ones. */
        spawn(sim, thread);
    } else if (thread->depth) {
        struct w_work *work = thread->frames[0].work;
        step = emit(sim, thread, CT_STEP_WORK_END, work->id);
        step->context = POOL;
        work->phase = W_DONE;
        thread->depth--;
        sim->n_idle++;
        g_queue_push_tail(&sim->done, work);
        schedule_bh(sim, thread, &sim->threads[0],
                    (struct w_bh){.kind = BH_COMPLETION});
    } else {
        struct w_work *work = g_queue_pop_head(&sim->work_queue);
        if (work) {
            step = emit(sim, thread, CT_STEP_WORK_BEGIN, work->id);
            step->context = POOL;
            step->object = thread->worker;
            work->phase = W_RUNNING;
            work->tid = thread->tid;
            push(thread, F_WORK)->work = work;
            sim->n_idle--;
        } else if (sim->n_workers > 1 && !sim->n_new && pick(sim, 40) == 0) {
            sim->n_workers--;
            sim->n_idle--;
            step = emit(sim, thread, CT_STEP_WORKER_EXIT, thread->worker);
            step->context = POOL;
            emit(sim, thread, CT_STEP_THREAD_EXIT, thread->id);
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
            emit(sim, thread, CT_STEP_THREAD_START, thread->id)->name = "io";
        }
        emit(sim, thread, CT_STEP_CONTEXT_CREATE, thread->ctx)->name =
            thread->loop ? "io" : "main";
        thread->started = true;
        return;
    }
    for (GList *at = thread->enters.head; at; at = at->next) {
        struct w_enter *next = at->data;
        if (next->depth == thread->depth) {
            enter(sim, thread, next->co);
            g_queue_delete_link(&thread->enters, at);
            g_free(next);
            return;
        }
    }
    if (!thread->depth) {
        emit(sim, thread, CT_STEP_POLL_BEGIN, thread->ctx)->value = 1;
        push(thread, F_POLL);
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
        emit(sim, thread, CT_STEP_TIMER_RUN_END, TIMER_OF_WAKER);
        thread->depth--;
        break;
    case F_CO:
        run_op(sim, thread, frame->co);
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
    open_truths = g_array_new(FALSE, TRUE, sizeof(struct open_truth));
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
            .id = i ? new_id(sim) : 0,
            .loop = (int)i,
            .ctx = 1 + i,
            .alive = true,
        };
        sim->n_threads++;
    }
    while (sim->wanted || open_truths->len) {
        struct w_thread *thread = &sim->threads[pick(sim, sim->n_threads)];
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
    g_array_unref(open_truths);
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
