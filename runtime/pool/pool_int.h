/* SPDX-License-Identifier: MIT */
/*
 * pool_int.h - what a pool is, for pool.c (items: home thread) and worker.c
 * (threads); tell.c reads both
 *
 * An item belongs to the home thread until it is queued, to the pool's lock
 * while it is queued, to its worker while it runs, and from the push on `done`
 * to the home thread again.
 */
#ifndef CT_POOL_INT_H
#define CT_POOL_INT_H

#include <pthread.h>

#include "aio/aio_int.h"
#include "base/atomics.h"
#include "base/list.h"
#include "ct/emit.h"
#include "ct/pool.h"
#include "ct/when.h"

/* How many sleeping workers may be on their way to the queue at once. */
#define POOL_WAKING_MAX 2

struct pool_worker {
    ThreadPool *pool;   /* immutable */
    uint64_t id;        /* of this life; protected by the lock, as below */
    uint64_t thread_id; /* likewise; a thread is an entity of its own */
    int tid;            /* 0: not started yet */
    uint64_t req;       /* item that it runs, 0: none */
    struct list node;   /* in workers or spare */
    struct list parked; /* in pool->parked while it sleeps */
    unsigned returning; /* atomic: has called its function, comes for more */
    int cpu;            /* on which it went to sleep */
    unsigned wake;      /* futex; set with the lock held, read without */
};

/*
 * Fields marked "told" are read by the teller as they are: they are stored with
 * release after `id` was cleared, so that a value of another life is never seen
 * with the same id before and after.
 */
struct ThreadPoolWork {
    uint64_t id;              /* told; 0: free */
    ThreadPoolFunc *func;     /* told */
    enum ct_work_state state; /* told; belongs to whoever owns the item */
    uint64_t co;              /* told; id of the submitting coroutine */
    uint64_t submit_stack;    /* told; if a recording saw it, else 0 */
    uint64_t since_ns;        /* told; of the last change, 0: not known */
    void *arg;
    ThreadPoolCompletionFunc *cb;
    void *opaque;
    int ret;
    union {
        struct list queued;           /* protected by the lock */
        struct lifo_node done;        /* worker, then home */
        struct queue_node completing; /* home */
        ThreadPoolWork *next_free;    /* home */
    } link;
};

#define POOL_SLAB_ITEMS 64

/* Items are never given back before the pool is freed: the teller reads them.
 */
struct pool_slab {
    struct pool_slab *next; /* immutable */
    ThreadPoolWork items[POOL_SLAB_ITEMS];
};

typedef int PoolThreadCreateFunc(pthread_t *ret_thread, void *(*run)(void *),
                                 void *arg);

struct ThreadPool {
    AioContext *ctx; /* immutable, as all up to the next remark */
    bool owns_ctx;   /* holds a reference; not in the context's own slot */
    uint64_t id;
    AioBH *completion_bh;
    AioBH *new_thread_bh;
    AioTimer *retry; /* for workers, while there is none and no thread */
    PoolThreadCreateFunc *thread_create; /* ct_thread_create(), or a test's */
    struct list registry_node;           /* protected by the registry's lock */

    /* Home. */
    ThreadPoolWork *free;
    struct queue completing; /* taken from done, callback not yet called */
    bool rescheduled;        /* the completion BH, by itself */
    struct aio_deferred wakes_due; /* of workers that share the loop's CPU */
    unsigned open; /* items with a callback that hasn't returned */

    /* Any thread pushes items that are done; home takes. */
    struct lifo done;

    struct pool_slab *slabs; /* atomic: home adds, the teller reads */

    /* Protected by the lock, all below. */
    pthread_mutex_t lock;
    struct list queued; /* items */
    struct list workers;
    struct list spare;      /* worker structs to use again */
    struct list parked;     /* workers that sleep, latest first */
    pthread_cond_t stopped; /* a worker has ended */
    bool has_ended;         /* `ended` is a thread to be joined */
    pthread_t ended;
    int64_t idle_ns;
    int min;
    int max; /* 0: the pool is being freed */
    unsigned queued_count;
    int current;         /* workers, with those that are asked for */
    int parked_count;    /* length of parked */
    int waking;          /* woken, not yet at the lock */
    int new_threads;     /* asked for, not yet created */
    int pending_threads; /* created, not yet at the lock */
    uint64_t requests;   /* spawn requests so far: nth of the latest */
    uint64_t created;    /* of them: answered */
};

/* --- worker.c; all with the lock held ------------------------------------ */

void spawn_thread(ThreadPool *pool);
void do_spawn_thread(ThreadPool *pool);

/*
 * Chooses workers to be woken for what is queued: at most POOL_WAKING_MAX.
 * They are marked; after the lock is given back, pool_wake() wakes them.
 */
struct pool_wakes {
    unsigned count;
    unsigned *words[POOL_WAKING_MAX];
};
void pool_choose_wakes(ThreadPool *pool, struct pool_wakes *ret_wakes);
void pool_wake(const struct pool_wakes *wakes);

/* The worker that would be woken next sleeps on the CPU of this thread. */
bool pool_next_slept_here(const ThreadPool *pool);

/* More items wait than workers are free, on their way, or coming back. */
bool pool_wants_worker(ThreadPool *pool);

/* Wakes parked workers beyond the maximum; they end. */
void pool_wake_surplus(ThreadPool *pool);

/* Home: ends all workers and waits until their threads are gone. */
void pool_stop_workers(ThreadPool *pool);

/* --- pool.c -------------------------------------------------------------- */

/* Any thread: the item's function returned, or will never be called. */
void pool_item_done(ThreadPool *pool, ThreadPoolWork *work, int ret);
/* The item's owner: a change of state, told; since when is not known yet. */
void pool_item_set_state(ThreadPoolWork *work, enum ct_work_state state);

/* Before the event of a change, and after both: since when. */
static inline void pool_item_event(void)
{
    if (__builtin_expect(ct_emit_on_state_work(), 0)) {
        ct_when_begin();
    }
}

static inline void pool_item_since(ThreadPoolWork *work)
{
    if (__builtin_expect(ct_emit_on_state_work(), 0)) {
        ct_store_release(&work->since_ns, ct_when_ns());
    }
}

/* --- tell.c -------------------------------------------------------------- */

void pool_register(ThreadPool *pool);
void pool_unregister(ThreadPool *pool);

#endif
