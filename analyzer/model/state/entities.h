/* SPDX-License-Identifier: MIT */
/*
 * model/state/entities.h - what lives in the model
 *
 * Model:    processes hold tables of live entities; a thread holds what is
 *           open on it, outermost first (struct ct_open), truly nested.
 * Threads:  one pass, one thread.
 * Memory:   entities live in slabs of the model; each is freed by the room
 *           that made it.
 * Errors:   none.
 * Depends:  ct/change.h, model/state/origin.h, model/state/table.h.
 */
#ifndef CT_MODEL_ENTITIES_H
#define CT_MODEL_ENTITIES_H

#include "ct/change.h"
#include "model/state/origin.h"
#include "model/state/table.h"

struct ct_process;
struct ct_thread;
struct ct_co;
struct ct_work;
struct ct_worker;
struct ct_req;

/* What every entity has; the first member. */
struct ct_entity {
    struct ct_process *process;
    uint64_t id;
    uint32_t epoch;   /* of the last thing that was certain of it; 0: none */
    bool begin_known; /* it was seen */
    bool since_told;  /* it was not, but was there at begin_ns, as was told */
    int32_t tid;      /* where it was made */
    int64_t begin_ns;
    uint64_t telling; /* the last that listed it */
    unsigned missed;  /* tellings since it came into doubt */
};

/* --- what is open on a thread ----------------------------------------- */

struct ct_open {
    uint8_t kind; /* enum ct_slice_kind; never CT_SLICE_THREAD */
    bool begin_known;
    bool may_sleep; /* a turn: it may wait for events */
    uint16_t inner; /* position + 1 of the innermost run of an entity
                       (bh, timer, fd, coroutine, work) up to here */
    unsigned poll_depth;
    int64_t begin_ns;
    uint64_t id;
    uint64_t context;
    uint64_t awaits; /* turn or wait in a coroutine: the coroutine that this one
                        started last; 0: none that lives */
    uint64_t fn;
    uint64_t request; /* number of the last that it served */
    const char *name;
    uint64_t n_children;
    uint64_t n_sleeps; /* of these: looks for events, in the kernel or busy */
    int64_t children_ns;
    struct ct_origin *origin; /* bh, timer, fd: of this run; one reference */
    struct ct_co *co;         /* CT_SLICE_COROUTINE: it is alive, co->thread
                                 is this thread */
    struct ct_work *work;     /* CT_SLICE_WORK, likewise */
};

struct ct_thread {
    struct ct_process *process;
    int32_t tid;
    bool introduced;  /* its start was seen: nothing is below what is open */
    bool base_known;  /* nothing is open below what is known to be open */
    bool clean;       /* nothing was closed on it since `horizon_ns` */
    bool is_restless; /* in the model's list of those */
    struct ct_thread *restless_next, *restless_prev;
    uint64_t id;
    const char *name;
    uint64_t pool; /* that it was named as a worker of; 0 */
    int64_t begin_ns;
    int64_t last_ns;
    int64_t horizon_ns; /* all its events since then were seen */
    uint64_t n_children;
    int64_t children_ns;
    struct ct_open *open;
    unsigned n_open;
    unsigned capacity;
    struct ct_origin *origin; /* who created it; NULL: main, or not known */
    struct ct_worker *worker; /* that it is; NULL */
    uint64_t stack;           /* its last own one, outside of any run */
    int64_t stack_ns;
};

static inline struct ct_open *ct_thread_top(const struct ct_thread *thread)
{
    return thread->n_open ? &thread->open[thread->n_open - 1] : NULL;
}

/** ct_thread_run() - innermost run of an entity; NULL: the thread itself */
static inline struct ct_open *ct_thread_run(const struct ct_thread *thread)
{
    unsigned inner =
        thread->n_open ? thread->open[thread->n_open - 1].inner : 0;
    return inner ? &thread->open[inner - 1] : NULL;
}

/* --- entities --------------------------------------------------------- */

struct ct_context {
    struct ct_entity entity;
    const char *name;
    uint64_t scheduled;    /* coroutines in its queue */
    uint32_t notify_epoch; /* 0: not notified since it accepted */
    int64_t notify_ns;
    int32_t notify_tid;
};

/* A bottom half until it is deleted or (one-shot) runs, a timer while it is
 * armed, an fd handler while it is set. */
struct ct_callback {
    struct ct_entity entity; /* bottom half: sure: what is pending is known */
    bool pending;            /* since begin_ns, made so by tid */
    bool is_one_shot;
    struct ct_origin *origin; /* of what is pending */
};

enum ct_co_phase {
    CT_CO_UNKNOWN,
    CT_CO_CREATED, /* never entered */
    CT_CO_RUNNING,
    CT_CO_WAITING,
};

struct ct_co {
    struct ct_entity entity;
    uint8_t phase;  /* enum ct_co_phase */
    uint8_t reason; /* waiting: enum ct_yield_reason */
    bool was_entered;
    uint8_t edge_kind; /* enum ct_edge_kind */
    bool since_known;
    int64_t since_ns;    /* it runs, waits, or is to be entered */
    uint32_t edge_epoch; /* 0: nothing has asked for its next enter */
    int32_t edge_tid;
    int64_t edge_ns;
    uint64_t fn;
    uint64_t waits_for;
    const char *file;     /* of its I/O since it was entered; NULL: not told */
    uint64_t context;     /* that it was entered in last */
    uint32_t woken_epoch; /* to be entered, or will be when it yields */
    uint64_t woken_context;
    uint64_t waker;     /* coroutine whose list it is queued in */
    uint64_t queued_in; /* context that counts it as scheduled */
    uint64_t completed; /* the last of its work items that was completed */
    struct ct_thread *thread; /* that it is open on */
    struct ct_work *work;     /* waits for; work->waiter is this */
    struct ct_lock *lock;     /* waits for; this is in its list */
    struct ct_co *lock_next, *lock_prev;
    struct ct_co *parent; /* that entered or scheduled it first; alive */
    struct ct_co *children, *children_last;
    uint64_t newest_child; /* alive or not */
    struct ct_co *sibling_next, *sibling_prev;
    struct ct_req *requests; /* that it serves, innermost first */
    unsigned n_requests;
    uint32_t ended_epoch;     /* of the last that ended in this run; 0: none */
    uint64_t ended;           /* ... its number */
    struct ct_origin *origin; /* NULL: not known */
    uint64_t stack;           /* its last own one */
    int64_t stack_ns;
    uint64_t yield_stack; /* of its last yield */
    int64_t yield_stack_ns;
};

/* A request for one more worker, not yet created. */
struct ct_spawn {
    uint64_t nth;
    uint32_t epoch;
    struct ct_origin like; /* boundary and id: of who creates the worker */
    struct ct_origin *next;
};

struct ct_pool {
    struct ct_entity entity;
    uint32_t known_epoch;    /* the counts below are all that there are */
    int64_t queued;          /* work items */
    int64_t busy, idle;      /* workers */
    int64_t awaited;         /* spawn requests whose worker has not started */
    uint32_t max;            /* workers that it may have; 0: not told */
    uint64_t named;          /* workers that got a name */
    uint32_t nth;            /* of its process, from 1 */
    struct ct_spawn *spawns; /* not yet created, oldest first */
    unsigned n_spawns, spawns_capacity;
};

struct ct_work {
    struct ct_entity entity;
    struct ct_pool *pool;
    uint8_t phase; /* enum ct_work_phase */
    bool counted;  /* in pool->queued */
    int32_t worker_tid;
    int32_t end_tid;
    int64_t end_ns;
    const char *file; /* of its call; NULL: not told */
    uint64_t co;      /* that submitted it; 0 */
    uint64_t fn;
    struct ct_co *waiter;
    struct ct_thread *thread; /* that it is open on */
    struct ct_origin *origin;
    uint64_t stack;
    int64_t stack_ns;
};

enum ct_worker_phase {
    CT_WORKER_UNKNOWN,
    CT_WORKER_CREATED,
    CT_WORKER_IDLE,
    CT_WORKER_BUSY,
};

struct ct_worker {
    struct ct_entity entity;
    struct ct_pool *pool;
    uint8_t phase;        /* enum ct_worker_phase */
    bool awaited;         /* counted in pool->awaited */
    uint32_t spawn_epoch; /* the request that it answers; 0: not known */
    int32_t spawn_tid;
    int64_t spawn_ns;
    struct ct_thread *thread; /* thread->worker is this */
    struct ct_origin *origin;
    uint64_t stack;
    int64_t stack_ns;
};

struct ct_lock {
    struct ct_entity entity;
    uint64_t holder;            /* coroutine, 0: free or not known */
    struct ct_co *first, *last; /* waiters */
    uint32_t released_epoch;    /* released to a waiter; 0: not */
    int64_t released_ns;
    int32_t released_tid;
};

struct ct_req {
    struct ct_entity entity;
    uint64_t number;
    uint64_t parent_id;
    bool served;     /* a coroutine was named */
    bool co_ended;   /* and it has ended */
    int64_t last_ns; /* of its last change */
    bool has_end;    /* its end is told when it comes */
    bool doubt;      /* its life, and who serves it, since: */
    int64_t doubt_ns;
    struct ct_co *co; /* serves it; it is in its list */
    struct ct_req *next, *prev;
    bool is_restless; /* in the model's list of those */
    struct ct_req *restless_next, *restless_prev;
    void *slot;               /* account's */
    struct ct_situation said; /* the last one that was told */
};

/* What requests of a kind have in common. */
struct ct_req_kind {
    const char *layer, *op, *node; /* the model's names; NULL: not told */
    uint32_t flags;
};

/* A thread that was created and has not started. */
struct ct_birth {
    struct ct_entity entity;
    struct ct_origin *origin;
    const char *name;
};

/* The first write to an eventfd since it woke somebody. */
struct ct_fd_wake {
    uint64_t fd;
    uint32_t epoch; /* 0: none */
    int32_t tid;
    int64_t when_ns;
};

#define CT_FD_WAKES 32

struct ct_process {
    int32_t pid;
    struct ct_table threads; /* tid -> struct ct_thread (owner) */
    struct ct_table contexts, bhs, timers, fds, coroutines, pools, works;
    struct ct_table workers, locks, requests, births;
    struct ct_table kinds; /* of requests: number -> struct ct_req_kind */
    uint32_t n_pools;      /* that it has had */
    uint64_t outermost;    /* requests in flight */
    struct ct_fd_wake wakes[CT_FD_WAKES]; /* that nobody has noticed yet */
    unsigned next_wake;
    bool attached; /* recording began in mid-life */
    /* the tables of coroutines, works and requests hold what is alive, no
       more and no less, while this is the model's epoch */
    uint32_t counted_epoch;
    struct {
        uint64_t number; /* the last one, 0: none yet */
        bool open;       /* it is being told, and nothing was missing of it */
        uint32_t n_gaps; /* the model's when it began */
        int64_t begin_ns;
    } telling;
};

#endif
