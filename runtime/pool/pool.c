/* SPDX-License-Identifier: MIT */
/*
 * pool.c - work items: submitted, cancelled, completed
 *
 * Items wait in pool->queued, under the lock, and come back on pool->done, a
 * lifo that any thread pushes on.  Whoever pushes on an empty one schedules the
 * completion BH; so many items that end together cost one wake-up.
 *
 * The completion BH takes all of `done` into pool->completing and calls one
 * callback after the other.  A callback may poll and wait for an item that is
 * already in there: as long as anything is left, the BH has scheduled itself
 * again, and the nested turn's run goes on with it.  At its end it takes that
 * back, and since this may have taken back a worker's wish as well, looks at
 * `done` once more.
 *
 * Items are reused, their ids are not.
 */
#include "pool/pool_int.h"

#include <errno.h>

#include "aio/aio_int.h"
#include "base/atomics.h"
#include "base/thread.h"
#include "coroutine/coroutine_int.h"
#include "ct/emit.h"
#include "ct/kept.h"
#include "ct/id.h"
#include "ct/pre.h"

static void add_slab(ThreadPool *pool)
{
    struct pool_slab *slab = g_new0(struct pool_slab, 1);

    for (size_t i = POOL_SLAB_ITEMS; i-- > 0;) {
        slab->items[i].link.next_free = pool->free;
        pool->free = &slab->items[i];
    }
    slab->next = pool->slabs;
    /* Pairs with the teller. */
    ct_store_release(&pool->slabs, slab);
}

void pool_item_set_state(ThreadPoolWork *work, enum ct_work_state state)
{
    ct_store_release(&work->since_ns, 0);
    ct_store_release(&work->state, state);
}

static ThreadPoolWork *item_new(ThreadPool *pool, ThreadPoolFunc *func,
                                void *arg, ThreadPoolCompletionFunc *cb,
                                void *opaque)
{
    ThreadPoolWork *work;

    if (pool->free == NULL) {
        add_slab(pool);
    }
    work = pool->free;
    pool->free = work->link.next_free;
    ct_store_release(&work->func, func);
    ct_store_release(&work->co, coroutine_id(coroutine_self()));
    ct_store_release(&work->submit_stack, 0);
    pool_item_set_state(work, CT_WORK_STATE_QUEUED);
    work->arg = arg;
    work->cb = cb;
    work->opaque = opaque;
    ct_store_release(&work->id, ct_id_new());
    return work;
}

static void item_free(ThreadPool *pool, ThreadPoolWork *work)
{
    ct_store(&work->id, 0);
    work->link.next_free = pool->free;
    pool->free = work;
}

void pool_item_done(ThreadPool *pool, ThreadPoolWork *work, int ret)
{
    work->ret = ret;
    pool_item_set_state(work, CT_WORK_STATE_DONE);
    pool_item_since(work);
    /* Pairs with next_done(): the item and all that its function did. */
    if (lifo_push(&pool->done, &work->link.done)) {
        aio_bh_schedule(pool->completion_bh);
    }
}

/* The next item whose callback is due, in the order of their ends. */
static ThreadPoolWork *next_done(ThreadPool *pool)
{
    struct queue_node *node = queue_pop(&pool->completing);

    if (node == NULL) {
        /* Pairs with pool_item_done(). */
        struct lifo_node *done = lifo_reverse(lifo_take_all(&pool->done));

        while (done != NULL) {
            ThreadPoolWork *work = list_entry(done, ThreadPoolWork, link.done);

            done = done->next;
            queue_push(&pool->completing, &work->link.completing);
        }
        node = queue_pop(&pool->completing);
    }
    return node != NULL ? list_entry(node, ThreadPoolWork, link.completing)
                        : NULL;
}

/* Whose item has completed. */
struct waiting_co {
    Coroutine *co;
    int ret;
};

static void thread_pool_co_cb(void *opaque, int ret)
{
    struct waiting_co *waiting = opaque;

    waiting->ret = ret;
    aio_co_wake(waiting->co);
}

/* The callback of a coroutine that can be entered at once; one event. */
static void resume(const ThreadPool *pool, const ThreadPoolWork *work)
{
    struct waiting_co *waiting = work->opaque;
    Coroutine *co = waiting->co;

    waiting->ret = work->ret;
    ct_when_begin();
    ct_emit_thread_pool_resume(pool->id, work->id, work->ret,
                               aio_context_id(ct_load(&co->ctx)),
                               coroutine_id(co));
    aio_co_wake_told(co);
}

static bool is_resumed(const ThreadPoolWork *work)
{
    return work->cb == thread_pool_co_cb &&
           aio_co_wake_enters(((const struct waiting_co *)work->opaque)->co);
}

static void complete(ThreadPool *pool, ThreadPoolWork *work)
{
    if (__builtin_expect(ct_emit_on_thread_pool_resume(), 0) &&
        is_resumed(work)) {
        resume(pool, work);
        pool->open--;
        item_free(pool, work);
        return;
    }
    ct_emit_thread_pool_complete(pool->id, work->id, work->ret);
    if (work->cb != NULL) {
        work->cb(work->opaque, work->ret);
        pool->open--;
    }
    item_free(pool, work);
}

static void thread_pool_completion_bh(void *opaque)
{
    ThreadPool *pool = opaque;
    ThreadPoolWork *work;

    pool->rescheduled = false;
    for (;;) {
        work = next_done(pool);
        if (work == NULL) {
            if (!pool->rescheduled) {
                return;
            }
            pool->rescheduled = false;
            aio_bh_cancel(pool->completion_bh);
            continue;
        }
        if (!queue_is_empty(&pool->completing) && !pool->rescheduled) {
            pool->rescheduled = true;
            aio_bh_schedule(pool->completion_bh);
        }
        complete(pool, work);
    }
}

static void spawn_thread_bh_fn(void *opaque)
{
    ThreadPool *pool = opaque;

    pthread_mutex_lock(&pool->lock);
    do_spawn_thread(pool);
    pthread_mutex_unlock(&pool->lock);
}

static void retry_spawn(void *opaque)
{
    ThreadPool *pool = opaque;

    pthread_mutex_lock(&pool->lock);
    if (pool_wants_worker(pool)) {
        spawn_thread(pool);
    }
    pthread_mutex_unlock(&pool->lock);
}

static void wake_due_workers(void *opaque)
{
    ThreadPool *pool = opaque;
    struct pool_wakes wakes;

    pthread_mutex_lock(&pool->lock);
    pool_choose_wakes(pool, &wakes);
    pthread_mutex_unlock(&pool->lock);
    pool_wake(&wakes);
}

ThreadPoolWork *thread_pool_submit_aio(ThreadPool *pool, ThreadPoolFunc *func,
                                       void *arg, ThreadPoolCompletionFunc *cb,
                                       void *opaque)
{
    struct pool_wakes wakes = {.count = 0};
    ThreadPoolWork *work;

    aio_home_claim(pool->ctx);
    work = item_new(pool, func, arg, cb, opaque);
    if (__builtin_expect(ct_emit_on_thread_pool_submit(), 0)) {
        pool_item_event();
        ct_stack_begin();
        ct_emit_thread_pool_submit(pool->id, work->id, func, work->co);
        ct_store_release(&work->submit_stack, ct_stack_kept());
        pool_item_since(work);
    }
    if (cb != NULL) {
        pool->open++;
    }

    pthread_mutex_lock(&pool->lock);
    list_add_tail(&pool->queued, &work->link.queued);
    pool->queued_count++;
    if (pool_wants_worker(pool)) {
        spawn_thread(pool);
    }
    if (aio_in_turn(pool->ctx) && pool_next_slept_here(pool)) {
        aio_defer(pool->ctx, &pool->wakes_due);
    } else {
        pool_choose_wakes(pool, &wakes);
    }
    pthread_mutex_unlock(&pool->lock);
    pool_wake(&wakes);
    return work;
}

void thread_pool_submit(ThreadPool *pool, ThreadPoolFunc *func, void *arg)
{
    (void)thread_pool_submit_aio(pool, func, arg, NULL, NULL);
}

int coroutine_fn thread_pool_submit_co(ThreadPool *pool, ThreadPoolFunc *func,
                                       void *arg)
{
    struct waiting_co waiting = {.co = coroutine_self(), .ret = -EINPROGRESS};
    ThreadPoolWork *work;

    ct_pre("thread-pool-submit-co/in-coroutine", waiting.co != NULL);
    work = thread_pool_submit_aio(pool, func, arg, thread_pool_co_cb, &waiting);
    coroutine_yield_for(CT_YIELD_REASON_WORK, work->id);
    return waiting.ret;
}

bool thread_pool_cancel(ThreadPool *pool, ThreadPoolWork *work)
{
    bool taken;

    aio_home_claim(pool->ctx);
    pthread_mutex_lock(&pool->lock);
    taken = ct_load(&work->state) == CT_WORK_STATE_QUEUED;
    if (taken) {
        list_del(&work->link.queued);
        pool->queued_count--;
    }
    pthread_mutex_unlock(&pool->lock);
    pool_item_event();
    ct_emit_thread_pool_cancel(pool->id, work->id, taken);
    if (taken) {
        pool_item_done(pool, work, -ECANCELED);
    }
    return taken;
}

void thread_pool_set_limits(ThreadPool *pool, int min, int max)
{
    ct_pre("thread-pool-limits/range", min >= 0 && max >= 1 && min <= max);
    aio_home_claim(pool->ctx);
    pthread_mutex_lock(&pool->lock);
    pool->min = min;
    pool->max = max;
    while (pool->current < min || pool_wants_worker(pool)) {
        spawn_thread(pool);
    }
    pool_wake_surplus(pool);
    pthread_mutex_unlock(&pool->lock);
}

void thread_pool_set_idle_ns(ThreadPool *pool, int64_t idle_ns)
{
    ct_pre("thread-pool-idle/range", idle_ns >= 0);
    pthread_mutex_lock(&pool->lock);
    pool->idle_ns = idle_ns;
    pthread_mutex_unlock(&pool->lock);
}

uint64_t thread_pool_id(const ThreadPool *pool)
{
    return pool->id;
}

void thread_pool_counts(ThreadPool *pool, ThreadPoolCounts *ret_counts)
{
    pthread_mutex_lock(&pool->lock);
    *ret_counts = (ThreadPoolCounts){
        .current = pool->current,
        .idle = pool->parked_count + pool->waking,
        .starting = pool->new_threads + pool->pending_threads,
        .queued = (int)pool->queued_count,
    };
    pthread_mutex_unlock(&pool->lock);
}

static ThreadPool *pool_new(AioContext *ctx)
{
    ThreadPool *pool = g_new0(ThreadPool, 1);

    pool->ctx = ctx;
    pool->id = ct_id_new();
    pool->completion_bh = aio_bh_new(ctx, thread_pool_completion_bh, pool);
    pool->new_thread_bh = aio_bh_new(ctx, spawn_thread_bh_fn, pool);
    pool->retry = aio_timer_new(ctx, retry_spawn, pool);
    pool->thread_create = ct_thread_create;
    /* Last: a worker may have the CPU at once. */
    pool->wakes_due = (struct aio_deferred){
        .is_last = true, .run = wake_due_workers, .opaque = pool};
    list_init(&pool->wakes_due.node);
    queue_init(&pool->completing);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->stopped, NULL);
    list_init(&pool->queued);
    list_init(&pool->workers);
    list_init(&pool->spare);
    list_init(&pool->parked);
    pool->idle_ns = THREAD_POOL_IDLE_NS_DEFAULT;
    pool->max = THREAD_POOL_MAX_THREADS_DEFAULT;
    pool_register(pool);
    return pool;
}

ThreadPool *thread_pool_new(AioContext *ctx)
{
    ThreadPool *pool = pool_new(aio_context_ref(ctx));

    pool->owns_ctx = true;
    return pool;
}

/* Only items without a callback are left: nobody will miss them. */
static void cancel_queued(ThreadPool *pool)
{
    for (;;) {
        ThreadPoolWork *work = NULL;

        pthread_mutex_lock(&pool->lock);
        if (pool->queued_count > 0) {
            work = list_entry(pool->queued.next, ThreadPoolWork, link.queued);
        }
        pthread_mutex_unlock(&pool->lock);
        if (work == NULL) {
            return;
        }
        (void)thread_pool_cancel(pool, work); /* unless a worker was faster */
    }
}

void thread_pool_free(ThreadPool *pool)
{
    ThreadPoolWork *work;

    if (pool == NULL) {
        return;
    }
    aio_home_claim(pool->ctx);
    ct_pre("thread-pool-free/pending", pool->open == 0);
    pool_unregister(pool);
    list_del(&pool->wakes_due.node);
    cancel_queued(pool);
    pool_stop_workers(pool);
    while ((work = next_done(pool)) != NULL) {
        complete(pool, work);
    }
    aio_bh_delete(pool->completion_bh);
    aio_bh_delete(pool->new_thread_bh);
    aio_timer_free(pool->retry);
    while (pool->slabs != NULL) {
        struct pool_slab *slab = pool->slabs;

        pool->slabs = slab->next;
        g_free(slab);
    }
    pthread_cond_destroy(&pool->stopped);
    pthread_mutex_destroy(&pool->lock);
    if (pool->owns_ctx) {
        aio_context_unref(pool->ctx);
    }
    g_free(pool);
}

static void free_slot(void *object)
{
    thread_pool_free(object);
}

/* Home: the pool takes over what somebody has set. */
static void apply_limits(ThreadPool *pool)
{
    uint64_t limits = ct_load(&pool->ctx->thread_pool_limits);

    if (limits != 0) {
        thread_pool_set_limits(pool, (int)(limits >> 32),
                               (int)(limits & UINT32_MAX));
    }
}

static void apply_limits_bh(void *opaque)
{
    ThreadPool *pool = aio_slot_get(opaque, AIO_SLOT_THREAD_POOL);

    if (pool != NULL) {
        apply_limits(pool);
    }
}

void aio_context_set_thread_pool_params(AioContext *ctx, int min, int max)
{
    ct_pre("thread-pool-limits/range", min >= 0 && max >= 1 && min <= max);
    (void)ct_xchg(&ctx->thread_pool_limits,
                  (uint64_t)min << 32 | (unsigned)max);
    aio_bh_schedule_oneshot(ctx, apply_limits_bh, ctx);
}

ThreadPool *aio_get_thread_pool(AioContext *ctx)
{
    ThreadPool *pool;

    aio_home_claim(ctx);
    pool = aio_slot_get(ctx, AIO_SLOT_THREAD_POOL);
    if (pool == NULL) {
        pool = pool_new(ctx);
        aio_slot_set(ctx, AIO_SLOT_THREAD_POOL, pool, free_slot);
        apply_limits(pool);
    }
    return pool;
}
