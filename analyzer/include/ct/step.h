/* SPDX-License-Identifier: MIT */
/*
 * ct/step.h - one fact in our words, whatever dialect told it
 *
 * Model:    decode makes steps from records; the model makes changes from
 *           steps.  A step says what happened, never what follows from it.
 * Threads:  one pass, one thread.
 * Memory:   borrowed for the call, strings included.
 * Errors:   none; what a trace does not tell is 0 / NULL / CT_UNKNOWN.
 * Depends:  ct/entity.h.
 */
#ifndef CT_STEP_H
#define CT_STEP_H

#include "ct/entity.h"

/* Frames that are no code have addresses above this one, and names. */
#define CT_FRAME_NAMED UINT64_C(0xffffff0000000000)

/*
 * Columns: subject | object | context | what else is used.
 * `fn` is a code address, `name` a string, `stack` where the kind has one.
 */
enum ct_step_kind {
    CT_STEP_NONE,

    /* process, images, stacks */
    CT_STEP_STACK,      /* stack id | outer id | - | addresses, flag = limit */
    CT_STEP_FRAME_NAME, /* address, CT_FRAME_NAMED and above | - | - | name,
                           layer = what it is for */
    CT_STEP_IMAGE_LOAD, /* base | size | - | name = path, build_id */
    CT_STEP_IMAGE_UNLOAD, /* base */
    CT_STEP_PROCESS_NAME, /* - | - | - | name */

    /* eventfds, where no context is told */
    CT_STEP_FD_WAKE,  /* - | - | - | value = eventfd that is written to */
    CT_STEP_FD_WOKEN, /* - | - | - | value = eventfd that ended a wait */

    /* contexts and their turns */
    CT_STEP_CONTEXT_CREATE,  /* ctx | - | ctx | name, stack */
    CT_STEP_CONTEXT_DESTROY, /* ctx */
    CT_STEP_NOTIFY,          /* ctx */
    CT_STEP_NOTIFY_ACCEPT,   /* ctx */
    CT_STEP_POLL_BEGIN,      /* ctx | - | ctx | value = depth, flag = blocking,
                                reason = enum ct_poll_mode, stack */
    CT_STEP_POLL_END,     /* ctx | - | ctx | value = depth, flag = progress */
    CT_STEP_FDMON_BEGIN,  /* ctx | - | ctx | ns = timeout */
    CT_STEP_FDMON_END,    /* ctx | - | ctx | ret = ready */
    CT_STEP_BUSY_BEGIN,   /* ctx | - | ctx | ns = at most, value = timeout */
    CT_STEP_BUSY_END,     /* ctx | - | ctx | ns = elapsed, flag = progress */
    CT_STEP_POLL_GROW,    /* ctx | - | ctx | ns = new, value = old */
    CT_STEP_POLL_SHRINK,  /* as POLL_GROW */
    CT_STEP_POLL_ADD,     /* handler | - | ctx | value = fd */
    CT_STEP_POLL_REMOVE,  /* handler | - | ctx | value = fd */
    CT_STEP_FDMON_CHOOSE, /* ctx | - | ctx | name, value = handlers */
    CT_STEP_WAIT_BEGIN,   /* ctx | - | ctx | reason = kind, stack */
    CT_STEP_WAIT_END,     /* ctx */

    /* fd handlers, timers, bottom halves */
    CT_STEP_FD_SET,       /* handler | - | ctx | value = fd, fn, stack */
    CT_STEP_FD_REMOVE,    /* handler | - | ctx | value = fd */
    CT_STEP_FD_RUN_BEGIN, /* handler | - | ctx | value = fd, fn */
    CT_STEP_FD_RUN_END,   /* handler | - | ctx */
    /* timer | - | ctx | ns = deadline, reason = enum ct_timer_clock, fn, stack
     */
    CT_STEP_TIMER_ARM,
    CT_STEP_TIMER_CANCEL,    /* timer | - | ctx */
    CT_STEP_TIMER_RUN_BEGIN, /* timer | - | ctx | fn */
    CT_STEP_TIMER_RUN_END,   /* timer | - | ctx */
    CT_STEP_BH_SCHEDULE,     /* bh | - | ctx | name, fn, value = flags, stack */
    CT_STEP_BH_CANCEL,       /* bh | - | ctx */
    CT_STEP_BH_DELETE,       /* bh | - | ctx */
    CT_STEP_BH_RUN_BEGIN,    /* bh | - | ctx | name, fn */
    CT_STEP_BH_RUN_END,      /* bh | - | ctx */

    /* coroutines */
    CT_STEP_CO_CREATE,    /* co | - | - | fn, stack */
    CT_STEP_CO_ENTER,     /* co = to | from | ctx | stack */
    CT_STEP_CO_YIELD,     /* co = from | to | - | reason, waits_for, stack */
    CT_STEP_CO_TERMINATE, /* co | to; certainty unknown: some time before */
    CT_STEP_CO_SCHEDULE,  /* co | waker | ctx | stack */
    CT_STEP_CO_DEQUEUE,   /* co | - | ctx: the context enters it next */
    CT_STEP_CO_FILE,      /* co | - | - | name: its I/O is at that file */
    CT_STEP_CO_WAKE, /* co | waker | ctx | reason = enum ct_wake_how, stack */

    /* coroutine locks */
    CT_STEP_LOCK_TAKE,      /* mutex | self: had no wait */
    CT_STEP_LOCK_WAIT,      /* mutex | self | - | value = holder */
    CT_STEP_LOCK_TAKEN,     /* mutex | self: after a wait */
    CT_STEP_LOCK_RELEASE,   /* mutex | self */
    CT_STEP_LOCK_HAND_OVER, /* mutex | self | - | value = who gets it; 0: not
                               known */
    CT_STEP_QUEUE_WAIT,     /* queue | self */
    CT_STEP_QUEUE_WAKE,     /* queue | self | - | value = who is woken */

    /* threads and pool */
    CT_STEP_THREAD_CREATE, /* thread | - | - | name, stack */
    CT_STEP_THREAD_START,  /* thread | - | - | name */
    CT_STEP_THREAD_NAME,   /* - | - | - | name */
    CT_STEP_THREAD_STACK,  /* - | - | - | stack: it is here now */
    CT_STEP_THREAD_EXIT,   /* thread */
    /* req | co | pool | fn, stack, flag = a bound, but its begin will be told
     */
    CT_STEP_WORK_SUBMIT,
    CT_STEP_WORK_BEGIN,    /* req | worker | pool | fn, stack */
    CT_STEP_WORK_END,      /* req | - | pool | ret */
    CT_STEP_WORK_COMPLETE, /* req | - | pool | ret */
    CT_STEP_WORK_CANCEL,   /* req | - | pool | flag = will never run */
    CT_STEP_WORK_FILE,     /* req | - | - | name: its call is at that file */
    CT_STEP_SPAWN_REQUEST, /* pool | - | pool | value = nth, counts, stack */
    CT_STEP_WORKER_CREATE, /* worker | - | pool | value = nth, stack */
    CT_STEP_WORKER_START,  /* worker | - | pool | stack */
    CT_STEP_WORKER_EXIT,   /* worker | - | pool | reason */

    /* kernel I/O */
    CT_STEP_IO_SUBMIT,   /* io | co | ctx | reason = enum ct_io_op, value = fd,
                            offset, bytes, stack */
    CT_STEP_IO_BATCH,    /* ctx | - | ctx | value = operations, bytes = in the
                            kernel already */
    CT_STEP_IO_COMPLETE, /* io | - | ctx | ret */

    /* requests */
    /* kind | - | - | layer, op, name = node, value = flags */
    CT_STEP_REQUEST_KIND,
    /* request | parent | kind; 0: layer, op, name = node, value = flags |
       waits_for = co, offset, bytes, flag = those two are not told, stack;
       certainty bound: no event will tell when it ends */
    CT_STEP_REQUEST_BEGIN,
    CT_STEP_REQUEST_COROUTINE, /* request | co */
    /* request | - | - | ret, flag = that is not told; certainty bound: now at
       the latest, unknown: some time before */
    CT_STEP_REQUEST_END,

    /* the graph of the block layer */
    CT_STEP_GRAPH_LOCK_WAIT,     /* ctx | - | ctx | value = readers, stack */
    CT_STEP_GRAPH_LOCK_TAKEN,    /* ctx | - | ctx */
    CT_STEP_GRAPH_LOCK_RELEASE,  /* ctx | - | ctx */
    CT_STEP_GRAPH_DRAINED_BEGIN, /* node | - | - | name, value = in flight,
                                    stack */
    CT_STEP_GRAPH_DRAINED_END,   /* node | - | - | name */
    CT_STEP_GRAPH_MOVE,          /* node | from | to | name */

    /* the runtime tells its state again; ns = since when, on the record's
     * clock, 0: not known */
    CT_STEP_STATE_BEGIN, /* telling | - | - | reason */
    /* ctx | - | ctx | name, value = depth, bytes = scheduled */
    CT_STEP_STATE_CONTEXT,
    /* co | from | - | fn, value = enum ct_co_state, reason, waits_for, ns,
       created_stack, stack = yield's */
    CT_STEP_STATE_CO,
    /* req | co | pool | fn, value = enum ct_work_state, ns, stack */
    CT_STEP_STATE_WORK,
    /* worker | req | pool | ret = tid, value = enum ct_worker_state */
    CT_STEP_STATE_WORKER,
    CT_STEP_STATE_REQUEST, /* as REQUEST_BEGIN without a kind, ns */
    CT_STEP_STATE_LOCK,    /* mutex | holder | - | value = waiters */
    CT_STEP_STATE_END,     /* telling */

    /* events are missing; certainty of what they could have changed ends */
    CT_STEP_GAP, /* stream | - | - | value = lost; from_ns .. ns; it
                    comes at its beginning, so that ns is yet to
                    come (CT_HOLE_TO_END: the trace's end) */
    CT_STEP_KINDS,
};

struct ct_step {
    enum ct_step_kind kind;
    enum ct_certainty certainty;
    int64_t when_ns;  /* as in the record */
    int64_t stamp_ns; /* likewise */
    uint64_t seq;
    int32_t pid;
    int32_t tid;
    uint64_t subject;
    uint64_t object;
    uint64_t context;
    uint64_t waits_for;
    uint64_t value;
    uint64_t fn;
    uint64_t stack;
    uint64_t created_stack;
    uint64_t offset;
    uint64_t bytes;
    int64_t ns;
    int64_t from_ns;
    int32_t ret;
    uint8_t reason;
    bool flag;
    const char *name;
    const char *layer;
    const char *op;
    const char *build_id;      /* hex digits */
    const uint64_t *addresses; /* CT_STEP_STACK; innermost first */
    uint32_t n_addresses;
    struct {
        uint32_t current, idle, new_, pending;
        uint32_t max; /* 0: not told */
    } workers;        /* CT_STEP_SPAWN_REQUEST; CT_STEP_STATE_WORKER: max */
};

#endif
