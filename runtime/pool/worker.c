/* SPDX-License-Identifier: MIT */
/*
 * worker.c - threads that run work items: asked for, created, fed, ended
 *
 * Coming to life.  spawn_thread() (home, in a submission) only counts and
 * schedules a bottom half; that calls do_spawn_thread(), so the thread inherits
 * the loop's affinity and not that of whatever submits.  A worker that starts
 * calls do_spawn_thread() first thing for the next one that is wanted, so many
 * requests are answered by a chain and the loop creates one thread only:
 *
 *     asked for (new_threads) -> created (pending_threads) -> serving
 *
 * The n-th creation answers the n-th request, whoever does it.
 *
 * A worker that has called its function is about to come for more: a callback
 * that submits the next item finds it there and asks for no other.
 *
 * From item to item.  Whoever hands in the first item that is done wakes the
 * loop, and does that before anything else.  Where others are there already, a
 * worker takes its next item before it hands in the one that it has run, if it
 * can have the lock at once; and if it need not wake another worker, the end of
 * one and the beginning of the other are one instant, and one event.
 *
 * Sleeping and waking.  A worker without work parks: it puts itself first in
 * pool->parked and sleeps on a word of its own.  Whoever has work for it takes
 * it off that list and sets the word, under the lock, and wakes it after the
 * lock is free; so the worker that slept last, with the warmest cache, is taken
 * first, and a time-out can't be confused with a wake-up.
 * Waking is a system call, and the one who does it is often the loop.  So no
 * more than POOL_WAKING_MAX workers are on their way at once; each that
 * arrives wakes the next, if there is still work.  What must hold whenever the
 * lock is free: if items are queued and workers are parked, at least one is on
 * its way, or the loop has wakes_due.
 *
 * A worker that fell asleep on another CPU is woken at once, to work beside the
 * loop.  One that fell asleep on the loop's own would often have to take it
 * from the loop: where a callback submits, it is woken at the end of the turn,
 * when the loop has handed over all it has.  (If another CPU is idle, the
 * kernel moves it there, and the next time it is woken at once.)  It should
 * have the CPU there and then: an item that does not block is then done before
 * the loop would sleep, with half as many changes of threads and no eventfd
 * written.  So a worker asks for a shorter slice than others have, see
 * ct_thread_set_slice().
 *
 * Ending.  A worker that ends leaves its thread to be joined by the next one
 * that does; the last is joined by thread_pool_free().
 */
#include "pool/pool_int.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/thread.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"
#include "ct/stack.h"

#define RETRY_NS 10000000

#define SLICE_NS 100000

static void futex_wake(unsigned *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Return: false when @timeout_ns have passed and the word is still 0. */
static bool futex_wait(unsigned *word, int64_t timeout_ns)
{
    const struct timespec timeout = {
        .tv_sec = (time_t)(timeout_ns / 1000000000),
        .tv_nsec = (long)(timeout_ns % 1000000000),
    };

    /* Acquire: pairs with mark_woken(); the lock orders everything else. */
    while (ct_load_acquire(word) == 0) {
        if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, &timeout, NULL, 0) <
                0 &&
            errno == ETIMEDOUT) {
            return false;
        }
    }
    return true;
}

/* --- waking -------------------------------------------------------------- */

static unsigned *mark_woken(ThreadPool *pool, struct pool_worker *worker)
{
    list_del(&worker->parked);
    pool->parked_count--;
    pool->waking++;
    /* Pairs with futex_wait(). */
    ct_store_release(&worker->wake, 1);
    return &worker->wake;
}

static struct pool_worker *first_parked(const ThreadPool *pool)
{
    return list_entry(pool->parked.next, struct pool_worker, parked);
}

bool pool_next_slept_here(const ThreadPool *pool)
{
    int cpu = sched_getcpu();

    return pool->parked_count > 0 && cpu >= 0 && first_parked(pool)->cpu == cpu;
}

void pool_choose_wakes(ThreadPool *pool, struct pool_wakes *ret_wakes)
{
    ret_wakes->count = 0;
    while (pool->parked_count > 0 && pool->waking < POOL_WAKING_MAX &&
           pool->queued_count > (unsigned)pool->waking) {
        ret_wakes->words[ret_wakes->count++] =
            mark_woken(pool, first_parked(pool));
    }
}

/*
 * Without the lock: a worker that has woken by itself may have ended, but its
 * struct is only ever used for another worker, which puts up with a wake-up.
 */
void pool_wake(const struct pool_wakes *wakes)
{
    for (unsigned i = 0; i < wakes->count; i++) {
        futex_wake(wakes->words[i]);
    }
}

static unsigned count_returning(ThreadPool *pool)
{
    unsigned count = 0;

    list_for_each (node, &pool->workers) {
        struct pool_worker *worker = list_entry(node, struct pool_worker, node);

        /* Set before its item was done: whoever has seen that sees this. */
        count += ct_load(&worker->returning);
    }
    return count;
}

bool pool_wants_worker(ThreadPool *pool)
{
    unsigned ready = (unsigned)(pool->parked_count + pool->waking +
                                pool->new_threads + pool->pending_threads);

    return pool->current < pool->max && pool->queued_count > ready &&
           pool->queued_count > ready + count_returning(pool);
}

void pool_wake_surplus(ThreadPool *pool)
{
    int surplus = pool->current - pool->max;

    while (surplus-- > 0 && pool->parked_count > 0) {
        futex_wake(mark_woken(pool, first_parked(pool)));
    }
}

/*
 * Sleeps until woken or for the idle time; gives the lock back meanwhile.
 * Return: false if the worker was idle for long enough to end.
 */
static bool worker_timedwait(ThreadPool *pool, struct pool_worker *worker)
{
    int64_t idle_ns = pool->idle_ns;

    ct_store(&worker->wake, 0);
    worker->cpu = sched_getcpu();
    list_add_head(&pool->parked, &worker->parked);
    pool->parked_count++;
    pthread_mutex_unlock(&pool->lock);
    (void)futex_wait(&worker->wake, idle_ns);
    pthread_mutex_lock(&pool->lock);
    if (ct_load(&worker->wake)) {
        pool->waking--;
        return true;
    }
    list_del(&worker->parked);
    pool->parked_count--;
    return pool->queued_count > 0 || pool->current <= pool->min;
}

/* --- running ------------------------------------------------------------- */

static ThreadPoolWork *take_item(ThreadPool *pool)
{
    ThreadPoolWork *work;

    if (pool->queued_count == 0) {
        return NULL;
    }
    work = list_entry(pool->queued.next, ThreadPoolWork, link.queued);
    list_del(&work->link.queued);
    pool->queued_count--;
    pool_item_set_state(work, CT_WORK_STATE_RUNNING);
    return work;
}

static void begin_item(const ThreadPool *pool, const struct pool_worker *worker,
                       ThreadPoolWork *work)
{
    pool_item_event();
    ct_emit_work_begin(pool->id, work->id, work->func, worker->id);
    pool_item_since(work);
}

static void end_item(ThreadPool *pool, ThreadPoolWork *work, int ret)
{
    pool_item_event();
    ct_emit_work_end(pool->id, work->id, ret);
    pool_item_done(pool, work, ret);
}

/* One item ends, the next begins, and nothing else happens: one event. */
static void change_item(ThreadPool *pool, const struct pool_worker *worker,
                        ThreadPoolWork *ended, int ret, ThreadPoolWork *next)
{
    pool_item_event();
    ct_emit_work_next(pool->id, ended->id, ret, next->id, next->func,
                      worker->id);
    pool_item_since(next);
    pool_item_done(pool, ended, ret);
}

/*
 * The item to run next, with the lock taken; NULL, and it is not: the one that
 * has run is to be handed in first.
 */
static ThreadPoolWork *take_next(ThreadPool *pool)
{
    ThreadPoolWork *next = NULL;

    if (lifo_is_empty(&pool->done) || pthread_mutex_trylock(&pool->lock) != 0) {
        return NULL;
    }
    if (pool->current <= pool->max) {
        next = take_item(pool);
    }
    if (next == NULL) {
        pthread_mutex_unlock(&pool->lock);
    }
    return next;
}

/* Called and returns with the lock held; not held in between. */
static void run_items(ThreadPool *pool, struct pool_worker *worker,
                      ThreadPoolWork *work)
{
    ThreadPoolWork *ended = NULL;
    int ret = 0;

    while (work != NULL) {
        struct pool_wakes wakes;

        worker->req = work->id;
        pool_choose_wakes(pool, &wakes);
        pthread_mutex_unlock(&pool->lock);
        if (ended != NULL && wakes.count == 0 &&
            __builtin_expect(ct_emit_on_work_next(), 0)) {
            change_item(pool, worker, ended, ret, work);
        } else {
            if (ended != NULL) {
                end_item(pool, ended, ret);
            }
            pool_wake(&wakes);
            begin_item(pool, worker, work);
        }
        ret = work->func(work->arg);
        ended = work;
        work = take_next(pool);
    }
    ct_store(&worker->returning, 1);
    end_item(pool, ended, ret);

    pthread_mutex_lock(&pool->lock);
    ct_store(&worker->returning, 0);
    worker->req = 0;
}

/* Called and returns with the lock held. */
static enum ct_exit_reason serve(ThreadPool *pool, struct pool_worker *worker)
{
    while (pool->current <= pool->max) {
        ThreadPoolWork *work = take_item(pool);

        if (work != NULL) {
            run_items(pool, worker, work);
        } else if (!worker_timedwait(pool, worker)) {
            return CT_EXIT_REASON_IDLE;
        }
    }
    return pool->max == 0 ? CT_EXIT_REASON_SHUTDOWN : CT_EXIT_REASON_SHRINK;
}

/* --- coming and going ---------------------------------------------------- */

static struct pool_worker *worker_new(ThreadPool *pool)
{
    struct pool_worker *worker;

    if (list_is_empty(&pool->spare)) {
        worker = g_new0(struct pool_worker, 1);
        worker->pool = pool;
        list_init(&worker->parked);
    } else {
        worker = list_entry(pool->spare.next, struct pool_worker, node);
        list_del(&worker->node);
    }
    worker->id = ct_id_new();
    worker->thread_id = ct_id_new();
    list_add_tail(&pool->workers, &worker->node);
    return worker;
}

static void worker_retire(ThreadPool *pool, struct pool_worker *worker,
                          enum ct_exit_reason reason)
{
    pool->current--;
    ct_emit_worker_exit(pool->id, worker->id, reason, pool->current);
    worker->tid = 0;
    list_del(&worker->node);
    list_add_head(&pool->spare, &worker->node);
}

/*
 * The lock is held, and given back for good: the pool may be freed as soon as
 * the last worker has.
 */
static void worker_end(ThreadPool *pool, struct pool_worker *worker,
                       enum ct_exit_reason reason)
{
    bool has_ended = pool->has_ended;
    pthread_t ended = pool->ended;
    struct pool_wakes wakes;

    worker_retire(pool, worker, reason);
    pool->has_ended = true;
    pool->ended = pthread_self();
    /* It may have been woken for work that it has not taken. */
    pool_choose_wakes(pool, &wakes);
    pool_wake(&wakes);
    pthread_cond_signal(&pool->stopped);
    pthread_mutex_unlock(&pool->lock);
    if (has_ended) {
        (void)pthread_join(ended, NULL);
    }
}

static void *worker_thread(void *opaque)
{
    struct pool_worker *worker = opaque;
    ThreadPool *pool = worker->pool;
    uint64_t thread_id = worker->thread_id;
    struct ct_stack_entry entry;

    ct_stack_enter(&entry);
    ct_emit_thread_start(thread_id, "worker");
    ct_emit_worker_start(pool->id, worker->id);
    (void)pthread_setname_np(pthread_self(), "worker");
    ct_thread_set_slice(SLICE_NS);

    pthread_mutex_lock(&pool->lock);
    worker->tid = gettid();
    pool->pending_threads--;
    do_spawn_thread(pool);
    worker_end(pool, worker, serve(pool, worker));

    ct_emit_thread_exit(thread_id);
    ct_stack_leave(&entry);
    return NULL;
}

/*
 * No thread was to be had.  Other workers go on; without any, try again in a
 * while.  The requests that stand behind this one get none either.
 */
static void spawn_failed(ThreadPool *pool, struct pool_worker *worker)
{
    pool->pending_threads--;
    ct_emit_thread_exit(worker->thread_id);
    worker_retire(pool, worker, CT_EXIT_REASON_FAILED);
    pool->current -= pool->new_threads;
    pool->new_threads = 0;
    pool->created = pool->requests;
    if (pool->current == 0 && pool->queued_count > 0) {
        aio_timer_arm(pool->retry, aio_context_now_ns(pool->ctx) + RETRY_NS);
    }
}

__attribute__((noinline)) void do_spawn_thread(ThreadPool *pool)
{
    struct pool_worker *worker;
    pthread_t thread;

    if (pool->new_threads == 0) {
        return;
    }
    pool->new_threads--;
    pool->pending_threads++;
    pool->created++;
    worker = worker_new(pool);
    ct_emit_worker_create(pool->id, worker->id, pool->created);
    ct_emit_thread_create(worker->thread_id, "worker");
    if (pool->thread_create(&thread, worker_thread, worker) != 0) {
        spawn_failed(pool, worker);
    }
}

__attribute__((noinline)) void spawn_thread(ThreadPool *pool)
{
    pool->current++;
    pool->new_threads++;
    pool->requests++;
    ct_emit_worker_spawn_request(pool->id, pool->requests, pool->current,
                                 pool->parked_count + pool->waking,
                                 pool->new_threads, pool->pending_threads,
                                 pool->max);
    if (pool->pending_threads == 0) {
        /* Otherwise the one that is starting creates it. */
        aio_bh_schedule(pool->new_thread_bh);
    }
}

static void free_workers(struct list *spare)
{
    list_for_each_safe (node, spare) {
        g_free(list_entry(node, struct pool_worker, node));
    }
}

void pool_stop_workers(ThreadPool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->max = 0;
    pool->min = 0;
    /* No more are created. */
    pool->current -= pool->new_threads;
    pool->new_threads = 0;
    pool_wake_surplus(pool);
    while (pool->current > 0) {
        pthread_cond_wait(&pool->stopped, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    if (pool->has_ended) {
        (void)pthread_join(pool->ended, NULL);
    }
    free_workers(&pool->spare);
}
