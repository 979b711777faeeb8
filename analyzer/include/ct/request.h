/* SPDX-License-Identifier: MIT */
/*
 * ct/request.h - one request and where its time went
 *
 * Model:    a request's life is cut into contiguous segments, each in exactly
 *           one state; their sum is the latency, to the nanosecond.
 * Threads:  one pass, one thread.
 * Memory:   borrowed for the call that hands it over; a consumer copies what
 *           it keeps.
 * Errors:   none; what is not known has its flag, never a made-up value.
 * Depends:  ct/entity.h.
 */
#ifndef CT_REQUEST_H
#define CT_REQUEST_H

#include "ct/entity.h"

/* Words in output: ct_state_word(). */
enum ct_state {
    CT_STATE_RUNNING,     /* its coroutine is on a loop */
    CT_STATE_RUNNABLE,    /* woken or scheduled, not yet entered */
    CT_STATE_WORK_QUEUED, /* no worker has taken its work item */
    CT_STATE_WORK_RUNNING,
    CT_STATE_WORK_DONE, /* finished, its completion BH has not run */
    CT_STATE_WORK,      /* submitted to completed, the start is not traced */
    CT_STATE_IO,
    CT_STATE_LOCK,
    CT_STATE_TIMER,
    CT_STATE_CHILDREN,   /* waits for tasks or requests in other coroutines */
    CT_STATE_COMPLETING, /* its coroutine ended, its own end has not come */
    CT_STATE_QUEUE,      /* CoQueue, throttle, drain */
    CT_STATE_UNKNOWN,
    CT_STATES,
};

const char *ct_state_word(enum ct_state state);

/* Words: ct_cause_word().  CT_CAUSE_NONE is printed as no cause at all. */
enum ct_cause_kind {
    CT_CAUSE_NONE,
    CT_CAUSE_HOLDER, /* of the lock: coroutine, request */
    CT_CAUSE_LOOP,   /* the context that has it queued */
    CT_CAUSE_WORKER, /* no free worker */
    CT_CAUSE_SPAWN,  /* a worker was being spawned */
    CT_CAUSE_WAKEUP, /* a worker was idle, and had to be woken and to wake */
    CT_CAUSE_CHILD,
    CT_CAUSE_DEVICE,
    CT_CAUSE_WAKER, /* who ended a wait in a queue */
    CT_CAUSE_TIMER, /* it sleeps: the timer, if it is told which */
    CT_CAUSE_POOL,  /* has the item; queued or running is not traced */
    CT_CAUSE_UNKNOWN,
};

const char *ct_cause_word(enum ct_cause_kind kind);

/* What went on while a request waited.  Words: ct_ran_word(). */
enum ct_ran_kind {
    CT_RAN_BOTTOM_HALF, /* on the loop: */
    CT_RAN_TIMER,
    CT_RAN_FD_HANDLER,
    CT_RAN_COROUTINE,
    CT_RAN_NESTED_POLL, /* a turn that `fn` or `request` takes by itself */
    CT_RAN_LOOP,        /* the turn's own work */
    CT_RAN_KERNEL,      /* it slept */
    CT_RAN_OUTSIDE,     /* its thread was in no turn */
    CT_RAN_WORK,        /* on the pool's workers: an item */
    CT_RAN_STATE,       /* the holder, the child: `state` */
    CT_RAN_OTHERS,      /* all that is less than each of the others */
    CT_RAN_UNKNOWN,
    CT_RAN_KINDS,
};

const char *ct_ran_word(enum ct_ran_kind kind);

#define CT_RAN_MAX 16 /* of one cause */

struct ct_ran {
    enum ct_ran_kind kind;
    enum ct_state state; /* CT_RAN_STATE */
    unsigned depth;      /* nested turns around it; state: who holds up the
                            holder, and so on: how far from the request */
    uint64_t id;         /* of the entity; 0: several, or none */
    uint64_t fn;
    const char *name; /* bottom half; NULL: none */
    uint64_t request; /* number; 0: none, or not known */
    int64_t ns;       /* of the wait */
    uint64_t count;   /* that began during the wait */
};

struct ct_cause {
    enum ct_cause_kind kind;
    uint64_t id;        /* mutex, queue, work item, context, timer; 0: none */
    uint64_t coroutine; /* 0: none */
    uint64_t request;   /* number in the trace; 0: none */
    uint64_t pool;      /* of a work item that is queued */
    /* in the request's `ran`, the longest first; none: not known, or the
       consumers don't want blame */
    unsigned first_ran;
    unsigned n_ran;
};

struct ct_segment {
    enum ct_state state;
    enum ct_certainty certainty;
    bool on_top; /* running: nothing that it entered runs above it */
    int32_t tid; /* running, work-running: the thread; else 0 */
    int64_t begin_ns;
    int64_t end_ns;
    int64_t begin_error_ns; /* it began at most so long before */
    const char *file;       /* work-running, io: whose; NULL: not known */
    struct ct_cause cause;
};

/* A piece of the critical path: what this request, or the one that it waited
 * for, was doing. */
struct ct_path_segment {
    uint64_t request;          /* number: whose segment it is */
    struct ct_segment segment; /* its `ran` is that request's: not here */
};

struct ct_request {
    uint64_t number;    /* in the trace, from 1, by begin */
    uint64_t parent;    /* number; 0: outermost, or not known */
    uint64_t parent_id; /* the process's own; 0: outermost */
    uint64_t id;        /* the process's own */
    int32_t pid;
    int32_t tid;     /* that began it */
    int32_t end_tid; /* that ended it; 0: not seen */
    const char *layer;
    const char *op;
    const char *node;
    uint64_t offset;
    uint64_t bytes;
    bool range_unknown; /* nobody told offset and bytes */
    uint32_t flags;
    int32_t ret;
    bool has_ret;
    bool complete;    /* begin and end were both seen */
    bool end_known;   /* it was seen, with its result or not */
    bool end_bound;   /* it ended at `end_ns` at the latest */
    bool begin_known; /* it was seen */
    bool begin_told;  /* not seen, but the process told when it was */
    int64_t begin_ns; /* since 1970, as in the record; neither seen nor told:
                         since when it was known */
    int64_t end_ns;   /* an open one: the end of the trace */
    int64_t begin_error_ns; /* it began at most so long before */
    int64_t end_error_ns;   /* it ended at most so long before */
    /* what is certain of how long it took; end_ns - begin_ns if both are known.
       Its begin not known: at least since it was */
    int64_t latency_min_ns;
    bool has_latency_max;
    int64_t latency_max_ns;
    uint64_t stack;           /* at its begin */
    struct ct_origin *origin; /* what that stack ran in, NULL: base of a thread,
                                 or no consumer wants origins */
    const uint64_t *coroutines; /* that served it, in order */
    unsigned n_coroutines;
    const int32_t *workers; /* tids that ran its work items, in order, once */
    unsigned n_workers;
    const struct ct_segment *segments;
    unsigned n_segments;
    const struct ct_ran *ran; /* of the segments' causes */
    /* the segments, `children` replaced by those of the children; contiguous,
       too.  NULL: no consumer wants blame */
    const struct ct_path_segment *path;
    unsigned n_path;
    void *user; /* a consumer may keep a mark here from began to ended;
                   one consumer a pass */
};

/** ct_request_error() - how far off its latency may be, to either side, where
 * the clock is that of a reader */
static inline int64_t ct_request_error(const struct ct_request *request)
{
    return request->begin_error_ns > request->end_error_ns
               ? request->begin_error_ns
               : request->end_error_ns;
}

/** ct_segment_error() - the same of its segment number @i */
static inline int64_t ct_segment_error(const struct ct_request *request,
                                       unsigned i)
{
    int64_t begin_ns = request->segments[i].begin_error_ns;
    int64_t end_ns = i + 1 < request->n_segments
                         ? request->segments[i + 1].begin_error_ns
                         : request->end_error_ns;

    return begin_ns > end_ns ? begin_ns : end_ns;
}

/** ct_request_check() - is the sum of the segments the latency, without holes?
 * The analyzer aborts on false when COTRACE_CHECK is in the environment (the
 * test run), and counts it otherwise. */
bool ct_request_check(const struct ct_request *request);

#endif
