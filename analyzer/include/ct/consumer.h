/* SPDX-License-Identifier: MIT */
/*
 * ct/consumer.h - what a pass over a trace tells, and to whom
 *
 * Model:    the pass calls the functions that a consumer has set, in time
 *           order of what *ends* (a slice comes when it ends), and `finish`
 *           once.  What is still open at the end of the trace is told before
 *           `finish` with open == true and the end of the trace as its end
 *           (slices of a thread from the inside out).
 *           `slice_began` comes when a slice begins, so that on one thread
 *           slice_began and slice follow each other as brackets do, in time
 *           order; every slice has had its slice_began.  When one event does
 *           several things, their order is: slices that end, slices that
 *           begin, edges, counters.
 *           A NULL function says "not wanted", and the work for it is saved.
 * Threads:  one pass, one thread.
 * Memory:   everything handed over is borrowed for the call, except that
 *           `struct ct_stacks` and `struct ct_images` live until finish
 *           returns; origins may be kept with ct_origin_ref().
 * Errors:   a consumer that fails (its output can't be written) remembers why,
 *           sets `failed` so that the pass stops early, and tells it in finish.
 * Depends:  ct/entity.h, ct/record.h, ct/request.h, glib.h.
 */
#ifndef CT_CONSUMER_H
#define CT_CONSUMER_H

#include <glib.h>

#include "ct/entity.h"
#include "ct/record.h"
#include "ct/request.h"

struct ct_stacks; /* stack id -> addresses, by process; see ct/backtrace.h */
struct ct_images; /* loaded files by process; see ct/backtrace.h */

enum ct_slice_kind {
    CT_SLICE_POLL,  /* one turn of a context */
    CT_SLICE_FDMON, /* ... of which it waits in the kernel */
    CT_SLICE_BUSY,  /* ... of which it looks for events, and nothing runs */
    CT_SLICE_WAIT,  /* AIO_WAIT_WHILE */
    CT_SLICE_BH,
    CT_SLICE_TIMER,
    CT_SLICE_FD,
    CT_SLICE_COROUTINE, /* from enter to yield or end, others on top included */
    CT_SLICE_WORK,      /* a work item's function in its worker */
    CT_SLICE_THREAD,    /* from a thread's first event to its last */
    CT_SLICE_KINDS,
};

/* Slices of one thread nest truly: depth 0 is the thread's own. */
struct ct_slice {
    enum ct_slice_kind kind;
    bool open;        /* still so at the end of the trace */
    bool begin_known; /* false: it was open before `begin_ns`, where what is
                         known of its thread begins */
    bool end_known;   /* false: seen open until `end_ns`; open, or its end is
                         among lost events */
    int32_t pid;
    int32_t tid;
    unsigned depth;
    int64_t begin_ns;
    int64_t end_ns;
    uint64_t id;      /* context, bh, timer, handler, co, work item, thread */
    uint64_t context; /* 0: none */
    uint64_t request; /* number of the innermost request that it serves, 0 */
    uint64_t fn;      /* callback or function; 0: not known */
    const char *name; /* bh, context or thread name; NULL: none */
    uint64_t n_children; /* slices directly inside */
    uint64_t n_sleeps;   /* ... of kinds FDMON and BUSY */
    int64_t children_ns;
    bool flag;           /* poll: progress */
    bool may_sleep;      /* poll: it may wait for events */
    unsigned poll_depth; /* poll: nested turns of the context */
    /* slice_began of a run (bh, timer, fd, coroutine, work), if anybody wants
       origins: what brought it into being, NULL: not known */
    const struct ct_origin *origin;
    uint64_t stack;   /* ... coroutine: its last own one; 0: none */
    int64_t stack_ns; /* ... when that was taken */
    /* at its end, if a consumer wants origins: what brought the innermost run
       that it is, or lies in, into being; that run's callback and last stack.
       In no run: of the thread, if it is known to be in none */
    enum ct_slice_kind run_kind; /* CT_SLICE_THREAD: in none */
    const struct ct_origin *run_origin;
    uint64_t run_fn; /* 0: in no run */
    const char *run_name;
    uint64_t run_stack;
    int64_t run_stack_ns;
    unsigned turns_below; /* likewise; poll, wait: turns open around it */
    bool in_wait;         /* ... and directly inside of a wait */
};

enum ct_edge_kind {
    CT_EDGE_SCHEDULE,  /* aio_co_schedule, bh_schedule, timer_arm -> its run */
    CT_EDGE_WAKE,      /* aio_co_wake -> enter */
    CT_EDGE_SUBMIT,    /* submit -> work begins */
    CT_EDGE_DONE,      /* work ends -> completion in the loop */
    CT_EDGE_RESUME,    /* completion -> its coroutine is entered */
    CT_EDGE_SPAWN,     /* spawn request -> worker starts */
    CT_EDGE_NOTIFY,    /* aio_notify -> accept */
    CT_EDGE_HAND_OVER, /* unlock -> the next holder has it */
    CT_EDGE_EVENTFD,   /* write to one -> who waited for it has noticed */
    CT_EDGE_KINDS,
};

struct ct_edge {
    enum ct_edge_kind kind;
    int32_t pid;
    int32_t from_tid;
    int64_t from_ns;
    int32_t to_tid;
    int64_t to_ns;
    uint64_t id;      /* of the entity that is scheduled, submitted ...; fd */
    uint64_t request; /* number; 0: none */
};

enum ct_lock_kind {
    CT_LOCK_TAKE,    /* it was free */
    CT_LOCK_WAIT,    /* it is held: the coroutine will wait */
    CT_LOCK_TAKEN,   /* after a wait */
    CT_LOCK_RELEASE, /* also to hand it over */
};

/* What a coroutine does with a CoMutex. */
struct ct_lock_event {
    enum ct_lock_kind kind;
    int32_t pid;
    int32_t tid;
    int64_t when_ns;
    uint64_t mutex;
    uint64_t coroutine;
};

enum ct_counter_kind {
    CT_COUNTER_WORK_QUEUED,     /* by pool */
    CT_COUNTER_WORKERS_BUSY,    /* by pool */
    CT_COUNTER_WORKERS_IDLE,    /* by pool */
    CT_COUNTER_CO_SCHEDULED,    /* by context */
    CT_COUNTER_REQUESTS,        /* outermost requests in flight; id 0 */
    CT_COUNTER_COROUTINES,      /* alive; id 0 */
    CT_COUNTER_WORKERS_AWAITED, /* asked for, not yet started; by pool */
    CT_COUNTER_WORKERS_MAX,     /* that a pool may have, if told: when it asks
                                   for one, and with all that there are */
    CT_COUNTER_KINDS,
};

struct ct_counter {
    enum ct_counter_kind kind;
    int32_t pid;
    uint64_t id;
    int64_t when_ns;
    int64_t value; /* from now on */
};

struct ct_thread_name {
    int32_t pid;
    int32_t tid;
    /* thread's, or "worker 3"; of a process's second pool, and those after it,
       "worker 3 of pool 17"; never NULL */
    const char *name;
    bool is_process_name;
    uint64_t pool; /* whose worker the thread is; 0: it is none */
};

struct ct_gap {
    uint32_t stream;
    int64_t from_ns;
    int64_t to_ns;
    uint64_t lost; /* CT_LOST_UNKNOWN */
};

/* A coroutine, work item, worker, thread or context that ended, or (open) is
 * alive at the end of the trace. */
struct ct_life {
    enum ct_entity_kind kind;
    bool open;
    bool begin_known;
    bool end_known; /* false: open, or its end is among lost events */
    int32_t pid;
    int32_t tid; /* thread, worker: its own; else where it was made */
    uint64_t id;
    uint64_t context; /* or pool */
    const char *name;
    uint64_t fn;
    int64_t begin_ns;
    int64_t end_ns;
    int64_t stack_ns; /* when `stack` was taken */
    uint64_t stack;   /* its last own stack (see DESIGN, backtrace) */
    const struct ct_origin *origin;
    enum ct_state state; /* coroutine, work item: at end_ns */
    uint64_t waits_for;
    uint64_t request; /* number */
};

/* A stack of a living entity, when it is taken. */
struct ct_own_stack {
    enum ct_entity_kind kind; /* coroutine, work item, worker, thread */
    int32_t pid;
    int32_t tid;
    uint64_t id;
    int64_t when_ns;
    uint64_t stack;
    bool waits; /* coroutine: the stack of a yield */
    const struct ct_origin *origin;
};

/* A coroutine that is alive when the pass ends. */
struct ct_alive {
    int32_t pid;
    int32_t tid; /* runs: that it is on; else 0 */
    uint64_t id;
    uint64_t fn;      /* entry; 0: not known */
    uint64_t context; /* that entered it last, or has it queued; 0: not known */
    bool is_sure;     /* false: it may have ended among lost events */
    bool is_created;  /* never entered, and nothing will enter it: no state */
    enum ct_state state;
    uint64_t waits_for; /* lock, queue, timer, work item; 0: nothing */
    uint64_t by;        /* coroutine: holds the lock, is the child, ...; 0 */
    uint64_t by_request;
    uint64_t pool;    /* waits for a work item that no worker has: its pool */
    uint64_t request; /* number of the innermost that it serves; 0: none */
    bool request_is_sure; /* ... that has not ended: its end would be told */
    bool timer_is_gone;   /* waits for a timer, and that one is not armed */
    bool has_outside;     /* timers are armed or fds watched in its process */
    bool is_whole;        /* nothing of its process's life is missing */
    bool since_known;
    int64_t since_ns; /* in this state; else: in it at least since then */
    bool has_stack;
    uint64_t stack; /* where it waits; of one that runs, its last */
    int64_t stack_ns;
    const struct ct_origin *origin;
};

/* What became of a log's lines; lines + pieces is the sum of the last four. */
struct ct_log_counts {
    uint64_t lines;
    uint64_t pieces;       /* lines within lines */
    uint64_t stepped_back; /* stamps before the one of another thread's line */
    uint64_t clock_set;    /* times that somebody set the clock back */
    uint64_t events;       /* understood */
    uint64_t unknown;      /* events that the schema does not have */
    uint64_t foreign;      /* no events */
    uint64_t malformed;    /* look like events and can't be read */
};

struct ct_summary {
    bool has_clock;
    const char *clock; /* "exact", "program", "reader", "none" */
    int64_t origin_ns; /* first event, since 1970 */
    int64_t begin_ns;  /* likewise, or where what is shown begins */
    int64_t end_ns;    /* last event, or where the pass was to end */
    int64_t error_ns;  /* the largest bound of an instant */
    bool has_all;      /* the trace's end was reached */
    uint64_t events;   /* that lie in what is shown, as are the next three */
    uint64_t unknown_events; /* not in the schema */
    uint64_t discarded;
    bool discarded_known;
    bool complete;
    uint64_t bad_sums; /* requests whose segments do not add up: a bug */
    uint64_t oddities; /* ends without begins and the like, outside of gaps */
    struct ct_log_counts log; /* lines == 0: it is no log */
    bool has_qemu;       /* it is told in QEMU's events, not the runtime's */
    bool has_workers;    /* what pools' workers do is told: QEMU does not */
    const char *program; /* base name, if the note beside a log has it; or NULL:
                            other traces tell it as a process's name */
    const struct ct_stacks *stacks;
    const struct ct_images *images;
};

struct ct_consumer {
    void (*request_began)(struct ct_consumer *, struct ct_request *);
    void (*request)(struct ct_consumer *, const struct ct_request *);
    /* what only its end tells is not yet set: end, open, children, flag */
    void (*slice_began)(struct ct_consumer *, const struct ct_slice *);
    void (*slice)(struct ct_consumer *, const struct ct_slice *);
    void (*edge)(struct ct_consumer *, const struct ct_edge *);
    void (*lock)(struct ct_consumer *, const struct ct_lock_event *);
    void (*counter)(struct ct_consumer *, const struct ct_counter *);
    void (*thread_name)(struct ct_consumer *, const struct ct_thread_name *);
    void (*life)(struct ct_consumer *, const struct ct_life *);
    void (*own_stack)(struct ct_consumer *, const struct ct_own_stack *);
    void (*gap)(struct ct_consumer *, const struct ct_gap *);
    /* each event, before what it does */
    void (*event)(struct ct_consumer *, const struct ct_record *);
    /* when the pass ends and before anything is told as open: by process and
       id */
    void (*alive)(struct ct_consumer *, const struct ct_alive *);
    bool (*finish)(struct ct_consumer *, const struct ct_summary *, GError **);
    bool wants_origins; /* false: origins may be NULL, which saves their cost */
    bool wants_blame; /* false: requests have no `ran` and no path; likewise */
    /* the pass ends, for all its consumers, before the first event that comes
       later; from its origin */
    bool has_until;
    int64_t until_ns;
    bool failed;
    int64_t origin_ns; /* set by the pass before the first call */
    bool has_clock;    /* likewise; false: all times are an order, counted in
                          events from 0, and no durations */
    bool has_errors;   /* likewise; true: instants are those of a reader, and
                          have bounds */
    const struct ct_images *images; /* likewise: those that are known so far */
};

#endif
