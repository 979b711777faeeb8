/* SPDX-License-Identifier: MIT */
/*
 * graph.c - the lock of the graph: many readers, or one writer
 *
 * Readers are counted where they run, one counter a context, so that they don't
 * share a cache line.  One that has gone to another context in between counts
 * up here and down there; only the sum says something.
 *
 *     reader                               writer
 *     count += 1            (R)            wait until the sum is 0
 *     look at has_writer    (r)            has_writer = 1           (W)
 *     was set: count -= 1, wait, again     look at the sum          (w)
 *                                          not 0: has_writer = 0, again
 *
 * R and W are read-modify-writes, r and w come after them in one order: either
 * the reader sees the writer, or the writer the reader.  Ups are complete when
 * the writer adds up, since whoever came later has seen has_writer; a down that
 * it misses makes the sum too large, never too small.
 *
 * A writer that finds readers takes its flag back and lets those go on who had
 * seen it: they may be what the readers wait for.  It gets its turn all the
 * same, for all backends are drained meanwhile, and begin nothing new.  Nothing
 * of the writer's is held while it polls, so another one, also one that runs in
 * a callback of that poll, may be first.
 */
#include "block/graph.h"

#include <pthread.h>

#include "aio/aio_int.h"
#include "coroutine/coroutine_int.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"

/* A context's readers; in its slot. */
struct graph_readers {
    int count;        /* atomic, see above; home changes it */
    struct list node; /* in all_readers */
};

static struct {
    pthread_mutex_t lock;
    struct list all_readers; /* protected by the lock, as all without remark */
    int orphans;             /* the counts of contexts that are gone */
    struct list waiting;     /* struct bdrv_waiter */
    uint64_t id;             /* what traces call the readers' queue */
    unsigned has_writer;     /* atomic, see above; cleared under the lock */
    unsigned writers;        /* atomic: that wait for readers */
} graph = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .all_readers = LIST_INIT(graph.all_readers),
    .waiting = LIST_INIT(graph.waiting),
};

static void free_readers(void *opaque)
{
    struct graph_readers *readers = opaque;

    pthread_mutex_lock(&graph.lock);
    graph.orphans += readers->count;
    list_del(&readers->node);
    pthread_mutex_unlock(&graph.lock);
    g_free(readers);
}

static struct graph_readers *readers_here(void)
{
    AioContext *ctx = aio_context_current();
    struct graph_readers *readers;

    ct_pre("bdrv-graph-rdlock/context", ctx != NULL && in_coroutine());
    readers = aio_slot_get(ctx, AIO_SLOT_GRAPH);
    if (readers == NULL) {
        readers = g_new0(struct graph_readers, 1);
        pthread_mutex_lock(&graph.lock);
        list_add_tail(&graph.all_readers, &readers->node);
        if (graph.id == 0) {
            graph.id = ct_id_new();
        }
        pthread_mutex_unlock(&graph.lock);
        aio_slot_set(ctx, AIO_SLOT_GRAPH, readers, free_readers);
    }
    return readers;
}

static int sum_of_readers(void)
{
    int sum;

    pthread_mutex_lock(&graph.lock);
    sum = graph.orphans;
    list_for_each (node, &graph.all_readers) {
        /* w */
        sum +=
            ct_load_seq(&list_entry(node, struct graph_readers, node)->count);
    }
    pthread_mutex_unlock(&graph.lock);
    return sum;
}

/* One reader less; a writer may wait for that. */
static void leave(struct graph_readers *readers)
{
    (void)ct_fetch_sub(&readers->count, 1);
    /* Pairs with the increment in bdrv_graph_wrlock(). */
    if (ct_load_seq(&graph.writers) > 0) {
        aio_wait_kick();
    }
}

void coroutine_fn bdrv_graph_co_rdlock(void)
{
    struct bdrv_waiter waiter = {.co = coroutine_self()};

    for (;;) {
        struct graph_readers *readers = readers_here();

        (void)ct_fetch_add(&readers->count, 1);    /* R */
        if (ct_load_seq(&graph.has_writer) == 0) { /* r */
            break;
        }
        pthread_mutex_lock(&graph.lock);
        if (ct_load(&graph.has_writer) == 0) {
            pthread_mutex_unlock(&graph.lock);
            break;
        }
        waiter.queue = graph.id;
        ct_emit_co_queue_wait(waiter.queue, coroutine_id(waiter.co));
        list_add_tail(&graph.waiting, &waiter.node);
        pthread_mutex_unlock(&graph.lock);
        leave(readers);
        coroutine_yield_for(CT_YIELD_REASON_QUEUE, waiter.queue);
    }
    waiter.co->graph_reads++;
}

void coroutine_fn bdrv_graph_co_rdunlock(void)
{
    struct graph_readers *readers = readers_here();

    ct_pre("bdrv-graph-rdunlock/held", coroutine_self()->graph_reads > 0);
    coroutine_self()->graph_reads--;
    leave(readers);
}

unsigned coroutine_fn bdrv_graph_co_reads(void)
{
    return coroutine_self()->graph_reads;
}

void coroutine_fn bdrv_graph_co_adopt(unsigned reads)
{
    coroutine_self()->graph_reads = reads;
}

void coroutine_fn bdrv_graph_assert_readable(BlockDriverState *bs)
{
    ct_pre("bdrv-graph/readable",
           coroutine_self()->graph_reads > 0 || bdrv_is_out_of_reach(bs));
}

void bdrv_graph_assert_writer(void)
{
    ct_pre("bdrv-graph/writer", ct_load(&graph.has_writer) == 1);
}

static void clear_writer(void)
{
    struct list woken;

    list_init(&woken);
    pthread_mutex_lock(&graph.lock);
    (void)ct_xchg(&graph.has_writer, 0);
    list_for_each_safe (node, &graph.waiting) {
        list_del(node);
        list_add_tail(&woken, node);
    }
    pthread_mutex_unlock(&graph.lock);
    aio_wait_kick(); /* another writer */
    bdrv_wake_waiters(&woken);
}

static bool try_wrlock(void)
{
    unsigned none = 0;

    if (!ct_cmpxchg(&graph.has_writer, &none, 1)) { /* W */
        return false;
    }
    if (sum_of_readers() == 0) {
        return true;
    }
    clear_writer();
    return false;
}

void bdrv_graph_wrlock(void)
{
    AioContext *ctx = aio_context_current();

    ct_pre("bdrv-graph-wrlock/in-coroutine", !in_coroutine());
    ct_pre("bdrv-graph-wrlock/context", ctx != NULL);
    bdrv_drain_all_begin_nopoll();
    (void)ct_fetch_add(&graph.writers, 1); /* pairs with leave() */
    ct_emit_graph_wrlock_entry(ctx->id, (uint32_t)sum_of_readers());
    while (!try_wrlock()) {
        AIO_WAIT_WHILE(NULL, ct_load_seq(&graph.has_writer) != 0 ||
                                 sum_of_readers() != 0);
    }
    ct_emit_graph_wrlock_return(ctx->id);
    (void)ct_fetch_sub(&graph.writers, 1);
    bdrv_drain_all_end();
}

void bdrv_graph_wrunlock(void)
{
    AioContext *ctx = aio_context_current();

    ct_pre("bdrv-graph-wrunlock/held", ct_load(&graph.has_writer) == 1);
    ct_emit_graph_wrunlock(ctx->id);
    clear_writer();
}
