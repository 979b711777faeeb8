/* SPDX-License-Identifier: MIT */
/*
 * tell.c - tells live items and workers to a trace
 *
 * Workers are read under the pool's lock.  Items are not: they are read as they
 * are, and told if they still have the id that they had before (pool_int.h says
 * why that is enough).  The lock order is registry, then pool.
 */
#include "base/atomics.h"
#include "ct/emit.h"
#include "ct/kept.h"
#include "ct/retell.h"
#include "pool/pool_int.h"

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list registry = LIST_INIT(registry);

static void tell_item(uint64_t telling, const ThreadPool *pool,
                      const ThreadPoolWork *work)
{
    uint64_t id = ct_load_acquire(&work->id);
    ThreadPoolFunc *func = ct_load_acquire(&work->func);
    enum ct_work_state state = ct_load_acquire(&work->state);
    uint64_t co = ct_load_acquire(&work->co);
    uint64_t since_ns = ct_load_acquire(&work->since_ns);
    uint64_t submit_stack = ct_load_acquire(&work->submit_stack);

    if (id != 0 && ct_load_acquire(&work->id) == id) {
        ct_emit_state_work(telling, pool->id, id, func, state, co,
                           ct_stack_tell(submit_stack), since_ns);
    }
}

static void tell_workers(uint64_t telling, ThreadPool *pool)
{
    pthread_mutex_lock(&pool->lock);
    list_for_each (node, &pool->workers) {
        struct pool_worker *worker = list_entry(node, struct pool_worker, node);

        if (worker->tid != 0) {
            ct_emit_state_worker(telling, pool->id, worker->id, worker->tid,
                                 worker->req != 0 ? CT_WORKER_STATE_BUSY
                                                  : CT_WORKER_STATE_IDLE,
                                 worker->req, pool->max);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

static void tell_pools(uint64_t telling)
{
    pthread_mutex_lock(&registry_lock);
    list_for_each (node, &registry) {
        ThreadPool *pool = list_entry(node, ThreadPool, registry_node);

        /* Pairs with add_slab(). */
        for (struct pool_slab *slab = ct_load_acquire(&pool->slabs);
             slab != NULL; slab = slab->next) {
            for (size_t i = 0; i < POOL_SLAB_ITEMS; i++) {
                tell_item(telling, pool, &slab->items[i]);
            }
        }
        tell_workers(telling, pool);
    }
    pthread_mutex_unlock(&registry_lock);
}

/*
 * The thread that held a lock may not be there any more.  A pool whose lock was
 * held is used by threads that are not there: it is told of no more.
 */
static void after_fork_child(void)
{
    (void)pthread_mutex_init(&registry_lock, NULL);
    list_for_each_safe (node, &registry) {
        ThreadPool *pool = list_entry(node, ThreadPool, registry_node);

        if (pthread_mutex_trylock(&pool->lock) == 0) {
            pthread_mutex_unlock(&pool->lock);
        } else {
            list_del(node);
        }
        if (in_aio_context_home_thread(pool->ctx)) {
            /* Workers that are not there, under a lock that may be held. */
            list_del(&pool->wakes_due.node);
        }
    }
}

static void register_teller(void)
{
    static struct ct_teller teller = {.tell = tell_pools};

    (void)pthread_atfork(NULL, NULL, after_fork_child);
    ct_retell_register(&teller);
}

void pool_register(ThreadPool *pool)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, register_teller);
    pthread_mutex_lock(&registry_lock);
    list_add_tail(&registry, &pool->registry_node);
    pthread_mutex_unlock(&registry_lock);
}

void pool_unregister(ThreadPool *pool)
{
    pthread_mutex_lock(&registry_lock);
    list_del(&pool->registry_node);
    pthread_mutex_unlock(&registry_lock);
}
