/* SPDX-License-Identifier: MIT */
/*
 * world_int.h - what the world's files share: its state, and the steps that
 * every part of it leaves
 */
#ifndef CT_TEST_WORLD_INT_H
#define CT_TEST_WORLD_INT_H

#include "ct/schema.h"
#include "world.h"

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

/* Requests that have not ended: what is true of them now. */
struct open_truth {
    struct world_request *request;
    struct w_co *co; /* NULL: none yet */
    int32_t tid;
    bool co_ended;
};

/* struct open_truth; one world at a time */
extern GArray *world_open_truths;

unsigned world_pick(struct sim *sim, unsigned n);
struct open_truth *world_truth_of(struct world_request *request);
struct ct_step *world_emit(struct sim *sim, const struct w_thread *thread,
                           enum ct_step_kind kind, uint64_t subject);
uint64_t world_new_id(struct sim *sim);
struct w_frame *world_push(struct w_thread *thread, int kind);
void world_schedule_bh(struct sim *sim, struct w_thread *by,
                       struct w_thread *to, struct w_bh bh);
void world_enter(struct sim *sim, struct w_thread *thread, struct w_co *co);
void world_wake(struct sim *sim, struct w_thread *thread, struct w_co *co);
void world_leave(struct w_thread *thread, struct w_co *co);
void world_yield(struct sim *sim, struct w_thread *thread, struct w_co *co,
                 enum ct_yield_reason reason, uint64_t object);
struct world_request *world_request_begin(struct sim *sim,
                                          struct w_thread *thread,
                                          uint64_t parent, struct w_co *co);
void world_request_end(struct sim *sim, struct w_thread *thread,
                       struct world_request *request);
struct w_co *world_co_new(struct sim *sim, struct w_thread *thread,
                          struct w_co *parent);
void world_run_op(struct sim *sim, struct w_thread *thread, struct w_co *co);

#endif
