/* SPDX-License-Identifier: MIT */
/*
 * ct/change.h - what a step did to the model
 *
 * Model:    the model returns changes; the pass hands those about requests to
 *           account, the others to the consumers.  A request's situation says
 *           what the coroutine that serves it is doing; which state that makes
 *           is account's (account/segments.c).
 * Threads:  one pass, one thread.
 * Memory:   borrowed until the model's next call; what ended is freed then.
 * Errors:   none.
 * Depends:  ct/consumer.h.
 */
#ifndef CT_CHANGE_H
#define CT_CHANGE_H

#include "ct/consumer.h"

enum ct_change_kind {
    /* for the consumers, as they are */
    CT_CHANGE_SLICE_BEGAN,
    CT_CHANGE_SLICE,
    CT_CHANGE_EDGE,
    CT_CHANGE_LOCK,
    CT_CHANGE_COUNTER,
    CT_CHANGE_THREAD_NAME,
    CT_CHANGE_LIFE,
    CT_CHANGE_OWN_STACK,
    CT_CHANGE_GAP,
    CT_CHANGE_ALIVE,
    /* for account */
    CT_CHANGE_REQUEST_BEGIN,
    CT_CHANGE_REQUEST_COROUTINE, /* serves it from now on */
    CT_CHANGE_REQUEST_WORKER,    /* ran a work item of it */
    CT_CHANGE_REQUEST_SITUATION, /* from now on */
    CT_CHANGE_REQUEST_WAKER,     /* the open wait was ended by ... */
    CT_CHANGE_REQUEST_UNSURE,    /* unknown, from a gap until now */
    CT_CHANGE_REQUEST_END,
};

/* What the coroutine that serves a request is doing. */
enum ct_doing {
    CT_DOING_UNKNOWN,
    CT_DOING_SUBMITTER, /* none is there yet: the thread that began it works */
    CT_DOING_RUNS,
    CT_DOING_WOKEN, /* woken, scheduled or its work completed: to be entered */
    CT_DOING_WAITS, /* `reason` */
    CT_DOING_ENDED,
};

enum ct_work_phase {
    CT_WORK_UNKNOWN,
    CT_WORK_UNTRACED, /* submitted; this trace does not tell when one begins */
    CT_WORK_QUEUED,
    CT_WORK_RUNNING,
    CT_WORK_DONE,
};

struct ct_situation {
    enum ct_doing doing;
    enum ct_work_phase work; /* waits for a work item */
    uint8_t reason;          /* waits: enum ct_yield_reason */
    bool on_top;             /* runs */
    bool spawn_known;        /* work queued: what follows is known */
    bool spawn_awaited; /* work queued: no worker idle, one being spawned */
    bool worker_idle;   /* work queued: one that nothing else is queued for */
    int32_t tid;        /* submitter, runs; work running: the worker's */
    uint64_t waits_for; /* id, by the reason */
    uint64_t pool;      /* work queued */
    uint64_t context;   /* woken: that has it queued; 0: not known */
    uint64_t by_coroutine; /* holder, child, or in whose list it is queued */
    uint64_t by_request;   /* number of what that one serves; 0: none */
    const char *file; /* work running, io: of which file; NULL: not known */
};

struct ct_request_begin {
    uint64_t id, parent, parent_id;
    int32_t pid, tid;
    bool begin_known, begin_told;
    bool range_unknown;
    const char *layer, *op, *node; /* live as long as the model */
    uint64_t offset, bytes;
    uint32_t flags;
    uint64_t stack;
    struct ct_origin *origin; /* borrowed */
};

struct ct_request_change {
    uint64_t number;
    void **slot; /* of the model's request; account's own, NULL at first */
    int64_t when_ns;
    union {
        struct ct_request_begin begin;
        uint64_t coroutine;
        int32_t worker_tid;
        struct ct_situation situation;
        struct {
            uint64_t coroutine, request;
        } waker;
        struct {
            int64_t from_ns; /* where the doubt begins */
        } doubt;
        struct {
            int32_t ret;
            bool has_ret;   /* `ret` is told */
            bool end_known; /* false: open at the trace's end, or lost */
            bool is_bound;  /* it has ended now at the latest */
            int32_t tid;    /* on which; 0: not seen */
            bool is_open;   /* not over at the trace's end, or in doubt there */
            int64_t sure_ns; /* it was not over before */
        } end;
    };
};

struct ct_alive_change {
    struct ct_alive alive; /* without its state */
    struct ct_situation situation;
};

struct ct_change {
    enum ct_change_kind kind;
    union {
        struct ct_slice slice;
        struct ct_edge edge;
        struct ct_lock_event lock;
        struct ct_counter counter;
        struct ct_thread_name thread_name;
        struct ct_life life;
        struct ct_own_stack own_stack;
        struct ct_gap gap;
        struct ct_alive_change alive;
        struct ct_request_change request;
    };
};

/* What consumers want of a pass, as bits; the rest is not worked out. */
enum ct_want {
    CT_WANT_SLICES = 1 << 0,
    CT_WANT_EDGES = 1 << 1,
    CT_WANT_COUNTERS = 1 << 2,
    CT_WANT_THREAD_NAMES = 1 << 3,
    CT_WANT_LIVES = 1 << 4,
    CT_WANT_OWN_STACKS = 1 << 5,
    CT_WANT_GAPS = 1 << 6,
    CT_WANT_REQUESTS = 1 << 7,
    CT_WANT_ORIGINS = 1 << 8,
    CT_WANT_SLICE_BEGINS = 1 << 9,
    CT_WANT_ALIVE = 1 << 10,
    CT_WANT_BLAME = 1 << 11, /* with slices, their begins, and gaps */
    CT_WANT_LOCKS = 1 << 12,
    CT_WANT_ALL = (1 << 13) - 1,
};

#endif
