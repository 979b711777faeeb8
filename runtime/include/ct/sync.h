/* SPDX-License-Identifier: MIT */
/*
 * ct/sync.h - what coroutines wait for: mutexes, read/write locks, queues,
 * time, pools of tasks
 *
 * Model:    a *CoMutex* is held by one coroutine at a time; the others yield
 *           and get it in the order in which they came (first come, first
 *           served), whatever context they run in.
 *           A *CoQueue* is a list of coroutines that wait for a condition of
 *           their own, woken one by one in FIFO order, or all.
 *           A *CoRwlock* is held by many readers or one writer, in the order in
 *           which they came.
 *           An *AioTaskPool* runs functions as coroutines, at most N at once,
 *           for one coroutine that starts them and waits for them.
 * Threads:  CoMutex, CoRwlock: coroutines of any threads.
 *           CoQueue, AioTaskPool: no locking of their own.  All calls on one
 *           object come from one thread, or (CoQueue) from under the one
 *           CoMutex that co_queue_wait() is given.
 * Memory:   CoMutex, CoRwlock and CoQueue are the caller's (init/fini);
 *           AioTaskPool is ours (new/free).
 * Errors:   none but misuse, which aborts.
 * Depends:  ct/aio.h, ct/coroutine.h.
 */
#ifndef CT_SYNC_H
#define CT_SYNC_H

#include <stdbool.h>
#include <stdint.h>
#include "ct/aio.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- CoMutex ------------------------------------------------------------- */

typedef struct CoMutex CoMutex;
struct CoWaitRecord;

/* Fields are private to mutex.c, which tells the protocol. */
struct CoMutex {
    uint64_t id;                    /* immutable after co_mutex_init() */
    unsigned locked;                /* atomic: holder and waiters, counted */
    unsigned handoff;               /* atomic: the right to pop lies here */
    AioContext *ctx;                /* atomic: where the holder runs */
    uint64_t holder;                /* atomic: id of the holder, 0: unknown */
    struct CoWaitRecord *from_push; /* atomic: new waiters, latest first */
    struct CoWaitRecord *to_pop;    /* whoever has the right to pop only */
    CoMutex *next, **link;          /* protected by the registry's lock */
};

/** co_mutex_init() - make it usable; undone by co_mutex_fini() */
void co_mutex_init(CoMutex *mutex);

/**
 * co_mutex_fini() - the mutex goes away
 *
 * Needed also for one that was never locked: traces list the mutexes that live.
 * Pre: [co-mutex-fini/locked] nobody holds it or waits for it, and every
 *      co_mutex_unlock() has returned.
 */
void co_mutex_fini(CoMutex *mutex);

/**
 * co_mutex_lock() - wait until the calling coroutine holds the mutex
 *
 * Not recursive.  Waiters get it in FIFO order.  Context: coroutine.
 */
void coroutine_fn co_mutex_lock(CoMutex *mutex);

/**
 * co_mutex_unlock() - give it to the longest waiter, or to nobody
 *
 * Pre: [co-mutex-unlock/holder] the calling coroutine holds it.
 */
void coroutine_fn co_mutex_unlock(CoMutex *mutex);

/** co_mutex_is_locked() - does anybody hold it?  A guess on other threads. */
bool co_mutex_is_locked(const CoMutex *mutex);

/* --- CoQueue ------------------------------------------------------------- */

struct CoQueueEntry;

typedef struct CoQueue {
    uint64_t id;                /* immutable after co_queue_init() */
    struct CoQueueEntry *first; /* whoever may call (see Threads) */
    struct CoQueueEntry **last;
} CoQueue;

/** co_queue_init() - make it usable, empty; nothing undoes it */
void co_queue_init(CoQueue *queue);

/**
 * co_queue_wait() - yield until woken
 * @mutex: held by the caller; unlocked while it waits, held again on return;
 *         NULL: none
 *
 * Check the condition again on return: others may have run in between.
 * Context: coroutine.
 */
void coroutine_fn co_queue_wait(CoQueue *queue, CoMutex *mutex);

/**
 * co_queue_next() - wake the one that has waited longest
 *
 * As aio_co_wake(): from a coroutine it runs once that one yields or ends,
 * from outside it runs at once (don't hold what it needs).
 * Return: false if nobody waits.
 */
bool co_queue_next(CoQueue *queue);

/** co_queue_all() - wake all that wait now, in FIFO order */
void co_queue_all(CoQueue *queue);

/** co_queue_empty() - does nobody wait? */
bool co_queue_empty(const CoQueue *queue);

/* --- CoRwlock ------------------------------------------------------------ */

struct CoRwTicket;

/* Fields are protected by the mutex, and private to rwlock.c. */
typedef struct CoRwlock {
    uint64_t id; /* immutable after co_rwlock_init() */
    CoMutex mutex;
    int owners; /* readers, or -1: the writer */
    struct CoRwTicket *first;
    struct CoRwTicket **last;
} CoRwlock;

/** co_rwlock_init() - make it usable; undone by co_rwlock_fini() */
void co_rwlock_init(CoRwlock *lock);

/**
 * co_rwlock_fini() - the lock goes away
 *
 * Pre: [co-rwlock-fini/held] nobody holds it or waits for it.
 */
void co_rwlock_fini(CoRwlock *lock);

/**
 * co_rwlock_rdlock() - wait until the calling coroutine may read
 *
 * With other readers, but not before a writer that has waited longer.
 * Context: coroutine, as all below; any thread.
 */
void coroutine_fn co_rwlock_rdlock(CoRwlock *lock);

/** co_rwlock_wrlock() - wait until nobody else reads or writes */
void coroutine_fn co_rwlock_wrlock(CoRwlock *lock);

/** co_rwlock_unlock() - let go, whether it reads or writes */
void coroutine_fn co_rwlock_unlock(CoRwlock *lock);

/** co_rwlock_downgrade() - the writer becomes a reader; nobody else writes
 * first */
void coroutine_fn co_rwlock_downgrade(CoRwlock *lock);

/**
 * co_rwlock_upgrade() - the reader becomes the writer
 *
 * Waits behind all that wait already, so others may write before it does: what
 * was read has to be read again.
 */
void coroutine_fn co_rwlock_upgrade(CoRwlock *lock);

/* --- sleep and time limits ----------------------------------------------- */

/* One sleep at a time; to_wake is atomic and private to sleep.c. */
typedef struct CoSleep {
    Coroutine *to_wake;
} CoSleep;

/* clang-format off */
#define CO_SLEEP_INIT { NULL }
/* clang-format on */

/**
 * co_sleep_ns() - wait until @ns have passed on a clock of the current context
 * @ns: 0 or less: gives way; INT64_MAX: for ever
 *
 * Context: coroutine; others run meanwhile.
 */
void coroutine_fn co_sleep_ns(AioClock clock, int64_t ns);

/** co_sleep_ns_wakeable() - the same, or until co_sleep_wake() */
void coroutine_fn co_sleep_ns_wakeable(CoSleep *sleep, AioClock clock,
                                       int64_t ns);

/**
 * co_sleep_wake() - end the sleep now
 *
 * Nothing is remembered for a sleep that has not begun.
 * Context: any thread, while the owner of @sleep keeps it alive.
 * Return: false if nobody slept, or somebody else was faster.
 */
bool co_sleep_wake(CoSleep *sleep);

typedef void coroutine_fn CoTimeoutFunc(void *opaque);

/**
 * co_timeout() - run a function, but don't wait for it for ever
 * @entry:      runs in a coroutine of its own
 * @opaque:     its argument; lives until @entry returned, also after a timeout
 * @timeout_ns: on the real-time clock; 0: no limit
 * @clean:      called after @entry if that came too late; or NULL
 *
 * A function that is late is not stopped; its result is nobody's any more.
 * Context: coroutine.
 * Return: 0; -ETIMEDOUT when @entry has not returned.
 */
int coroutine_fn co_timeout(CoTimeoutFunc *entry, void *opaque,
                            int64_t timeout_ns, CoTimeoutFunc *clean);

/* --- AioTaskPool --------------------------------------------------------- */

typedef struct AioTaskPool AioTaskPool;
typedef struct AioTask AioTask;

/* Runs in a coroutine of its own; Return: 0 or more, or -errno. */
typedef int coroutine_fn AioTaskFunc(AioTask *task);

/*
 * What to run: the caller allocates a structure that begins with one
 * (g_malloc, g_new), fills in @pool and @func, and never sees it again after
 * aio_task_pool_start_task().
 */
struct AioTask {
    AioTaskPool *pool;
    AioTaskFunc *func;
    int ret; /* set by the pool when @func returned */
};

/**
 * aio_task_pool_new() - a pool for the calling coroutine
 * @max_busy_tasks: how many may run at once, at least 1
 */
AioTaskPool *aio_task_pool_new(int max_busy_tasks);

/**
 * aio_task_pool_free() - free it; NULL is allowed
 *
 * Pre: [aio-task-pool-free/busy] no task is running.
 */
void aio_task_pool_free(AioTaskPool *pool);

/**
 * aio_task_pool_start_task() - run a task as soon as there is a slot
 * @task: taken; freed with g_free() when it has run
 *
 * Waits for a slot first, then enters the task's coroutine (aio_task_co), which
 * runs until it first yields.
 * Context: the coroutine that made the pool, like all calls that wait.
 */
void coroutine_fn aio_task_pool_start_task(AioTaskPool *pool, AioTask *task);

/** aio_task_pool_wait_slot() - wait until fewer than the maximum run */
void coroutine_fn aio_task_pool_wait_slot(AioTaskPool *pool);

/** aio_task_pool_wait_one() - wait until one of the running tasks has ended */
void coroutine_fn aio_task_pool_wait_one(AioTaskPool *pool);

/** aio_task_pool_wait_all() - wait until no task is running */
void coroutine_fn aio_task_pool_wait_all(AioTaskPool *pool);

/** aio_task_pool_status() - the first negative result of a task, or 0 */
int aio_task_pool_status(const AioTaskPool *pool);

/** aio_task_pool_empty() - is no task running? */
bool aio_task_pool_empty(const AioTaskPool *pool);

#ifdef __cplusplus
}
#endif

#endif
