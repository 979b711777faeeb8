/* SPDX-License-Identifier: MIT */
/*
 * ct/pool.h - functions that block, run by worker threads for a context
 *
 * Model:    a *work item* is queued by its submission, taken by a *worker*,
 *           done when its function returned, and completed when its callback
 *           has been called on the home thread of the pool's context:
 *
 *               queued --worker--> running --> done --completion BH--> freed
 *                  \--cancel------------------->/
 *
 *           Workers are made when nobody is free to take an item, through a
 *           bottom half of the context (so that they inherit its affinity), and
 *           end when they had nothing to do for the idle time.
 * Threads:  home thread of the context: all calls.
 *           Functions of work items run on workers, several at once.
 * Memory:   a work item is the pool's from its submission to the end of its
 *           callback; what its arguments point to is the caller's.
 * Errors:   a thread that can't be made is not an error while there is another
 *           worker; without any, the item waits until the kernel gives one (it
 *           is tried again with each submission and, while items wait, by
 *           timer).  A result is what the function returned, or -ECANCELED.
 * Depends:  ct/aio.h.
 */
#ifndef CT_POOL_H
#define CT_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include "ct/aio.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ThreadPool ThreadPool;
typedef struct ThreadPoolWork ThreadPoolWork;

typedef int ThreadPoolFunc(void *arg);
typedef void ThreadPoolCompletionFunc(void *opaque, int ret);

#define THREAD_POOL_MAX_THREADS_DEFAULT 64
#define THREAD_POOL_IDLE_NS_DEFAULT     INT64_C(10000000000)

/**
 * thread_pool_new() - a pool whose completions run in @ctx; no worker yet
 * @ctx: the pool holds a reference
 */
ThreadPool *thread_pool_new(AioContext *ctx);

/**
 * thread_pool_free() - end all workers and free the pool; NULL is allowed
 *
 * Waits for workers that run an item to finish it, then for all threads to end.
 * Items without a callback that have not begun are dropped.
 * Pre: [thread-pool-free/pending] no item with a callback is left.
 */
void thread_pool_free(ThreadPool *pool);

/**
 * aio_get_thread_pool() - the context's own pool, made at first use
 *
 * Freed with the context.  Home thread.  Return: borrowed.
 */
ThreadPool *aio_get_thread_pool(AioContext *ctx);

/**
 * thread_pool_submit_aio() - run a function on a worker, then a callback here
 * @func: called once on a worker, unless cancelled before
 * @arg:  its argument; lives until the callback
 * @cb:   called exactly once, from a turn of the context, never from inside
 *        this call; may submit, cancel others, and poll.  NULL: nobody cares
 * @opaque: its argument
 *
 * A worker is woken for it at once; or, from a callback of the context, at the
 * end of the turn if the worker fell asleep on this thread's CPU.  (Where there
 * is none, a turn of the context makes one.)
 * Items are taken in FIFO order; callbacks come in the order in which items
 * were done.
 * Return: the item, valid until its callback returned; for cancel only.
 */
ThreadPoolWork *thread_pool_submit_aio(ThreadPool *pool, ThreadPoolFunc *func,
                                       void *arg, ThreadPoolCompletionFunc *cb,
                                       void *opaque);

/**
 * thread_pool_submit_co() - run a function on a worker; wait for its result
 *
 * Context: coroutine, on the home thread; others run meanwhile.
 * Return: what @func returned.
 */
int coroutine_fn thread_pool_submit_co(ThreadPool *pool, ThreadPoolFunc *func,
                                       void *arg);

/** thread_pool_submit() - run a function on a worker; nobody is told */
void thread_pool_submit(ThreadPool *pool, ThreadPoolFunc *func, void *arg);

/**
 * thread_pool_cancel() - don't run an item that no worker has taken
 * @work: its callback has not returned yet
 *
 * Its callback comes all the same, from a later turn, with -ECANCELED; an item
 * that a worker has taken ends as if nothing had happened.
 * Return: true if it will never run.
 */
bool thread_pool_cancel(ThreadPool *pool, ThreadPoolWork *work);

/**
 * thread_pool_set_limits() - how many workers there may be
 * @min: these are made at once and don't end when idle; @min <= @max
 * @max: at least 1; workers above it end as soon as they are free
 *
 * At first 0 and THREAD_POOL_MAX_THREADS_DEFAULT.
 */
void thread_pool_set_limits(ThreadPool *pool, int min, int max);

/**
 * aio_context_set_thread_pool_params() - the same for the context's own pool
 *
 * Also before that exists.  Workers that are too many end, and those that are
 * missing are made, in a turn of the context.
 * Context: any thread.
 */
void aio_context_set_thread_pool_params(AioContext *ctx, int min, int max);

/**
 * thread_pool_set_idle_ns() - after how long a worker with nothing to do ends
 *
 * At first THREAD_POOL_IDLE_NS_DEFAULT.  Workers that wait already keep the
 * time that they began with.
 */
void thread_pool_set_idle_ns(ThreadPool *pool, int64_t idle_ns);

/** thread_pool_id() - its entity id in traces */
uint64_t thread_pool_id(const ThreadPool *pool);

/** struct ThreadPoolCounts - workers and items at an instant */
typedef struct ThreadPoolCounts {
    int current;  /* workers, those not yet started included */
    int idle;     /* of them: wait for work */
    int starting; /* of them: asked for or created, not yet started */
    int queued;   /* items that no worker has taken */
} ThreadPoolCounts;

/** thread_pool_counts() - what the pool has just now */
void thread_pool_counts(ThreadPool *pool, ThreadPoolCounts *ret_counts);

#ifdef __cplusplus
}
#endif

#endif
