/* SPDX-License-Identifier: MIT */
/*
 * pool.c - coroutine objects and their stacks, used again and again
 *
 * A fresh stack costs two system calls and a page fault, a hundred times what
 * the rest of a coroutine's life costs.  So an object that terminates keeps its
 * stack and goes to a pool:
 *
 *   create <- hot   a thread's own list, last in, first out: the stack that is
 *               |   still in the cache; no atomic operation
 *             spare a thread's full batch behind it, so that a thread which
 *               |   swings around the limit does not take the lock each time
 *             global  batches of all threads, under a lock; bounded
 *               |
 *             cold  objects whose stack was given back
 *               |
 *             chunk COROUTINE_POOL_BATCH new objects
 *
 * Coroutines that are created on one thread and end on another so flow back in
 * whole batches.  The memory of an object is never freed: chunks are only ever
 * added, which is what lets the teller walk them without a lock; their number
 * is bounded by the most coroutines that were alive at once.
 *
 * A thread that ends gives its lists to the global pool.
 */
#include "coroutine/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "coroutine/coroutine_int.h"
#include "coroutine/start.h"
#include "coroutine/tell.h"
#include "ct/pre.h"

/* Tops of stacks lie a multiple of this apart, see object_map(). */
#define COLOUR_BYTES ((size_t)256)
#define COLOURS      16

struct batch {
    Coroutine *first; /* linked by pool_next */
    unsigned n;
};

struct chunk {
    struct chunk *next; /* immutable after it is published */
    Coroutine objects[COROUTINE_POOL_BATCH];
};

static __thread struct {
    struct batch hot;
    struct batch spare; /* full or empty */
    bool registered;    /* pthread_setspecific() has been called */
} pool __attribute__((tls_model("initial-exec")));

static pthread_mutex_t global_lock = PTHREAD_MUTEX_INITIALIZER;
static struct batch global[COROUTINE_POOL_BATCHES]; /* protected by the lock */
static unsigned n_global;                           /* likewise */
static Coroutine *cold;                             /* likewise */
static unsigned n_colours;                          /* likewise */

/* Atomic: stored with release under the lock; pairs with
 * coroutine_pool_for_each(). */
static struct chunk *chunks;

/* Held while stacks are read from outside (for_each), and to unmap one. */
static pthread_mutex_t unmap_lock = PTHREAD_MUTEX_INITIALIZER;

static pthread_key_t thread_end_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void batch_push(struct batch *batch, Coroutine *co)
{
    co->pool_next = batch->first;
    batch->first = co;
    batch->n++;
}

static Coroutine *batch_pop(struct batch *batch)
{
    Coroutine *co = batch->first;

    batch->first = co->pool_next;
    batch->n--;
    return co;
}

/*
 * Hot data of a coroutine lies at the top of its stack, and every stack ends on
 * a page border: in a cache that finds a line by its place in the page all of
 * them would compete for the same few lines.  So each stack begins a little
 * lower than the last.
 */
static void object_map(Coroutine *co, unsigned colour)
{
    coroutine_stack_map(&co->stack);
    fiber_init(&co->fiber, co->stack.base, co->stack.bytes);
    /* The trampoline fills it, before anybody can ask. */
    co->stack_current = &co->stack_entry;
    coroutine_start_prepare(co, colour % COLOURS * COLOUR_BYTES);
}

static void object_unmap(Coroutine *co)
{
    fiber_fini(&co->fiber);
    pthread_mutex_lock(&unmap_lock);
    coroutine_stack_unmap(&co->stack);
    pthread_mutex_unlock(&unmap_lock);
}

/* The lock is held. */
static void add_chunk_locked(void)
{
    struct chunk *chunk = NULL;
    int error = posix_memalign((void **)&chunk, 64, sizeof(*chunk));

    ct_pre_msg("coroutine-pool/memory", error == 0,
               "no memory for coroutines: %s", strerror(error));
    memset(chunk, 0, sizeof(*chunk));
    for (int i = COROUTINE_POOL_BATCH - 1; i >= 0; i--) {
        chunk->objects[i].pool_next = cold;
        cold = &chunk->objects[i];
    }
    chunk->next = chunks;
    ct_store_release(&chunks, chunk);
}

static Coroutine *new_object(void)
{
    unsigned colour;
    Coroutine *co;

    pthread_mutex_lock(&global_lock);
    if (cold == NULL) {
        add_chunk_locked();
    }
    co = cold;
    cold = co->pool_next;
    colour = n_colours++;
    pthread_mutex_unlock(&global_lock);

    object_map(co, colour);
    return co;
}

/* Stacks of what the global pool has no room for go back. */
static void give_batch(struct batch *batch)
{
    Coroutine *first = NULL;

    pthread_mutex_lock(&global_lock);
    if (n_global < COROUTINE_POOL_BATCHES) {
        global[n_global++] = *batch;
    } else {
        first = batch->first;
    }
    pthread_mutex_unlock(&global_lock);

    while (first != NULL) {
        Coroutine *co = first;

        first = co->pool_next;
        object_unmap(co);
        pthread_mutex_lock(&global_lock);
        co->pool_next = cold;
        cold = co;
        pthread_mutex_unlock(&global_lock);
    }
    *batch = (struct batch){NULL, 0};
}

static void thread_end(void *opaque)
{
    pool.registered = false;
    if (pool.hot.n > 0) {
        give_batch(&pool.hot);
    }
    if (pool.spare.n > 0) {
        give_batch(&pool.spare);
    }
}

/*
 * A child has the lists as they are between two changes.  Who reads stacks can
 * take long, and is not waited for: in the child that thread is not there.
 */
static void before_fork(void)
{
    pthread_mutex_lock(&global_lock);
}

static void after_fork_parent(void)
{
    pthread_mutex_unlock(&global_lock);
}

static void after_fork_child(void)
{
    pthread_mutex_unlock(&global_lock);
    (void)pthread_mutex_init(&unmap_lock, NULL);
}

static void init_once(void)
{
    int error = pthread_key_create(&thread_end_key, thread_end);

    ct_pre_msg("coroutine-pool/key", error == 0, "no thread-specific key: %s",
               strerror(error));
    (void)pthread_atfork(before_fork, after_fork_parent, after_fork_child);
    coroutine_tell_init();
}

static void register_thread(void)
{
    pthread_once(&once, init_once);
    pthread_setspecific(thread_end_key, &pool);
    pool.registered = true;
}

/* The hot list is empty. */
static __attribute__((noinline)) Coroutine *get_slow(void)
{
    bool found = false;

    if (!pool.registered) {
        register_thread();
    }
    if (pool.spare.n > 0) {
        pool.hot = pool.spare;
        pool.spare = (struct batch){NULL, 0};
        return batch_pop(&pool.hot);
    }
    pthread_mutex_lock(&global_lock);
    if (n_global > 0) {
        pool.hot = global[--n_global];
        found = true;
    }
    pthread_mutex_unlock(&global_lock);
    return found ? batch_pop(&pool.hot) : new_object();
}

/* The hot list is full, or the thread not yet known. */
static __attribute__((noinline)) void put_slow(Coroutine *co)
{
    if (!pool.registered) {
        register_thread();
    }
    if (pool.hot.n >= COROUTINE_POOL_BATCH) {
        if (pool.spare.n > 0) {
            give_batch(&pool.spare);
        }
        pool.spare = pool.hot;
        pool.hot = (struct batch){NULL, 0};
    }
    batch_push(&pool.hot, co);
}

Coroutine *coroutine_pool_get(void)
{
    if (__builtin_expect(pool.hot.first == NULL, 0)) {
        return get_slow();
    }
    return batch_pop(&pool.hot);
}

void coroutine_pool_put(Coroutine *co)
{
    if (__builtin_expect(pool.hot.n >= COROUTINE_POOL_BATCH || !pool.registered,
                         0)) {
        put_slow(co);
        return;
    }
    batch_push(&pool.hot, co);
}

void coroutine_pool_for_each(void (*visit)(Coroutine *co, void *opaque),
                             void *opaque)
{
    pthread_mutex_lock(&unmap_lock);
    /* Acquire: the objects of a chunk are zeroed before it is published. */
    for (struct chunk *chunk = ct_load_acquire(&chunks); chunk != NULL;
         chunk = chunk->next) {
        for (int i = 0; i < COROUTINE_POOL_BATCH; i++) {
            visit(&chunk->objects[i], opaque);
        }
    }
    pthread_mutex_unlock(&unmap_lock);
}
