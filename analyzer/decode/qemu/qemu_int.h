/* SPDX-License-Identifier: MIT */
/*
 * decode/qemu/qemu_int.h - what the rooms of QEMU's dialect share
 *
 * Model:    a process has its lives, the work items and requests that are
 *           open, and names of nodes.  A coroutine serves requests, the
 *           innermost one last; what it did last says why it yields.
 * Threads:  one pass, one thread.
 * Memory:   a process owns everything here.
 * Errors:   none.
 * Depends:  decode/lives.h, decode/qemu/qemu.h.
 */
#ifndef CT_DECODE_QEMU_INT_H
#define CT_DECODE_QEMU_INT_H

#include "decode/files.h"
#include "decode/lives.h"
#include "decode/qemu/qemu.h"

#define CT_QEMU_DEPTH 8 /* requests of one coroutine that are told */
#define CT_QEMU_LINKS 8 /* merged requests of a device that are told */

/* Of the event that is decoded: U(BLK_CO_PREADV_BLK) */
#define U(field)   (record->values[CT_FLD_QEMU_##field].u)
#define I(field)   (record->values[CT_FLD_QEMU_##field].i)
#define HAS(field) (record->values[CT_FLD_QEMU_##field].present)
#define S(field)   (HAS(field) ? record->values[CT_FLD_QEMU_##field].s : NULL)

/* What a coroutine did last, which mostly says what it waits for next. */
enum ct_qemu_last {
    CT_LAST_NOTHING, /* it was entered */
    CT_LAST_SUBMIT,
    CT_LAST_LOCK,   /* found it taken */
    CT_LAST_UNLOCK, /* a queue's lock, if it yields now */
    CT_LAST_SCHEDULE,
    CT_LAST_IO,
    CT_LAST_REQUEST, /* began one, and nothing else since */
    CT_LAST_SLEEP,
    CT_LAST_OTHER,
};

enum ct_qemu_kind {
    CT_REQ_FRONT, /* ends where its front end says so */
    CT_REQ_BLK,   /* of a coroutine that serves a front end's request */
    CT_REQ_ALONE, /* blk; ends at the coroutine's next one at the latest */
    CT_REQ_INNER, /* a layer below */
};

struct ct_qemu_request {
    uint64_t id;
    uint64_t bs;
    uint64_t outer_stack; /* of its coroutine, without it */
    uint64_t doubts;      /* the process's, when it began */
    uint64_t left;        /* bytes that a front end's reply still has to tell */
    enum ct_qemu_kind kind;
    bool is_again; /* its node tells it a second time */
};

struct ct_qemu_co {
    struct ct_generation life;
    enum ct_qemu_last last;
    uint64_t object; /* of `last`: work item or mutex */
    uint64_t mutex;  /* waits for; 0: none */
    uint64_t queue;  /* lock of the CoQueue that it waits in; 0: none */
    uint64_t parent; /* address and id of who entered it first */
    uint64_t parent_id;
    uint64_t outer;        /* request of that one, 0: none */
    uint64_t outer_doubts; /* the process's, when that request began */
    uint64_t stack;        /* the layers that it is in; 0: none */
    unsigned n_children;   /* that it entered first, and that live */
    bool is_front;         /* serves a front end's request */
    struct ct_qemu_request requests[CT_QEMU_DEPTH];
    unsigned n_requests;
    unsigned n_unlocks; /* since the innermost of them began */
    /* since then it waited for nothing, but in queues of this lock (0: none) */
    bool is_fresh;
    uint64_t fresh_queue;
    uint64_t io; /* address of its operation in the kernel; 0: none */
};

struct ct_qemu_work {
    uint64_t id;
    uint64_t co_address;
    uint64_t co_id;
    uint64_t pool, req; /* addresses */
    uint64_t number;    /* in the order of submission */
    uint64_t begun_by;  /* worker; 0: not yet, or not told */
};

struct ct_qemu_process {
    int32_t pid;
    struct ct_qemu_workers *workers; /* NULL: nothing was preloaded */
    uint64_t ctx;                    /* of the last coroutine entered */
    struct ct_lives *lives;
    GHashTable *works;   /* request's address ^ pool's -> struct ct_qemu_work
                            (owner) */
    GHashTable *mutexes; /* address -> GQueue of struct ct_qemu_co (owner) */
    GHashTable *calm;    /* mutexes that were seen free since the last doubt */
    uint64_t doubts;     /* times that events were missing */
    bool is_doubted;     /* and nothing was decoded since */
    GHashTable *nodes;   /* bs -> name (owner) */
    GHashTable *open;    /* ids of requests that are open */
    GHashTable *fronts;  /* device's request, or job -> struct front (owner) */
    GQueue pending;      /* struct front: no coroutine is known to serve it */
    GHashTable *frames;  /* event and node -> number of the frame */
    GHashTable *stacks;  /* ids that were told */
    GHashTable *ios;     /* kernel's operation -> struct ct_qemu_io (owner) */
    uint64_t frame;      /* of the stack that is being told */
    uint64_t nvme_queue; /* of the command that is being told */
};

/* The event that is decoded, and the steps that it makes. */
struct ct_qemu_event {
    struct ct_qemu_process *process;
    const struct ct_record *record;
    struct ct_lane *lane;
    struct ct_qemu_co *co;        /* that runs there; NULL: none is known */
    const struct ct_files *files; /* of what is no line; NULL: none told */
    uint64_t stack;               /* where it was told; 0: not known */
    struct ct_step *steps;
    unsigned n;
};

/* qemu.c */

/** ct_qemu_step() - the next step; its tid is the lane's */
struct ct_step *ct_qemu_step(struct ct_qemu_event *event,
                             enum ct_step_kind kind);

static inline struct ct_qemu_co *ct_qemu_co(struct ct_generation *life)
{
    return (struct ct_qemu_co *)life; /* its first member */
}

/* sched.c: coroutines, aio, pool, locks */

bool ct_qemu_sched(struct ct_qemu_event *event);

/** ct_qemu_sched_ended() - a life is over: takes it out of its queues */
void ct_qemu_sched_ended(struct ct_qemu_process *process,
                         struct ct_qemu_co *co);

/* wakers.c: who lets go on what waits in a CoQueue; its notes are the lanes'
 * own */

/** ct_qemu_wakers_entered() - a coroutine is entered on the event's lane
 * @from: by that one; NULL: by the thread itself
 * Return: who let it go on, if it waited in a queue; 0: that can't be said. */
uint64_t ct_qemu_wakers_entered(struct ct_qemu_event *event,
                                const struct ct_qemu_co *co,
                                const struct ct_generation *from);

/** ct_qemu_wakers_released() - the lock @co->object */
void ct_qemu_wakers_released(struct ct_qemu_event *event,
                             const struct ct_qemu_co *co);

/** ct_qemu_wakers_left() - a coroutine gave the event's lane away */
void ct_qemu_wakers_left(struct ct_qemu_event *event, bool to_thread);

/** ct_qemu_wakers_else() - something else happened on the event's lane */
void ct_qemu_wakers_else(struct ct_qemu_event *event);

/* polling.c: how loops wait */

/** ct_qemu_polling() - false: the event is about something else */
bool ct_qemu_polling(struct ct_qemu_event *event);

/* requests.c: blk, bdrv and what lies below, names of nodes, jobs */

void ct_qemu_requests(struct ct_qemu_event *event);

/** ct_qemu_begin() - a request begins in the event's coroutine
 * Return: NULL: too many are open in it. */
struct ct_qemu_request *ct_qemu_begin(struct ct_qemu_event *event,
                                      enum ct_qemu_kind kind, const char *layer,
                                      const char *op, uint64_t bs,
                                      uint64_t offset, uint64_t bytes,
                                      uint64_t flags);

/** ct_qemu_is_native() - is its innermost request at a file that is opened for
 * Linux AIO, and has it only been noted there? */
bool ct_qemu_is_native(const struct ct_qemu_process *process,
                       const struct ct_qemu_co *co);

/** ct_qemu_worked() - the innermost request's node does its work itself */
void ct_qemu_worked(struct ct_qemu_event *event, const struct ct_qemu_co *co);

/** ct_qemu_end() - requests of a coroutine from number @keep on are over
 * @certainty: CT_KNOWN, CT_BOUND: now at the latest, CT_UNKNOWN: lost */
void ct_qemu_end(struct ct_qemu_event *event, struct ct_qemu_co *co,
                 unsigned keep, enum ct_certainty certainty);

/* layers.c: layers as stacks */

/** ct_qemu_layer() - the stack of the event's request in front of @outer; tells
 * it if it is new */
uint64_t ct_qemu_layer(struct ct_qemu_event *event, uint64_t outer,
                       const char *node);

/* workers.c: threads of pools, where something is preloaded */

struct ct_qemu_workers *ct_qemu_workers_new(void);
void ct_qemu_workers_free(struct ct_qemu_workers *workers);

/** ct_qemu_workers_submitted() - an item is queued: does that ask for a worker?
 */
void ct_qemu_workers_submitted(struct ct_qemu_event *event,
                               struct ct_qemu_work *work);

/** ct_qemu_workers_completed() - the item is done, if nobody has said so yet */
void ct_qemu_workers_completed(struct ct_qemu_event *event,
                               const struct ct_qemu_work *work, int64_t ret);

/** ct_qemu_workers_forget() - the item is over */
void ct_qemu_workers_forget(struct ct_qemu_process *process,
                            const struct ct_qemu_work *work);

/** ct_qemu_workers_see() - what a preloaded library saw
 * Return: false: it says nothing of workers. */
bool ct_qemu_workers_see(struct ct_qemu_event *event);

/* calls.c: what the kernel is asked for, and says */

/** ct_qemu_calls() - what a preloaded library saw of linux-aio and io_uring
 * Return: false: it says nothing of them. */
bool ct_qemu_calls(struct ct_qemu_event *event);

/* devices.c: NBD, virtio-blk, NVMe */

void ct_qemu_devices(struct ct_qemu_event *event);

/** ct_qemu_link() - the event's coroutine begins to serve what lies there, for
 * a device if one has asked for it */
void ct_qemu_link(struct ct_qemu_event *event, uint64_t offset, uint64_t bytes);

/** ct_qemu_entered() - a coroutine began: is it a job's? */
void ct_qemu_entered(struct ct_qemu_event *event, struct ct_qemu_co *co);

#endif
