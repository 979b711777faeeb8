/* SPDX-License-Identifier: MIT */
/*
 * graph.h - who is above a node, and who may look at or change that
 *
 * Model:    nodes and backends form a graph; an *edge* says that a parent (a
 *           format's node, a backend) uses a node.  Whoever works through the
 *           graph is a *reader*: each request of a backend is one, from when
 *           it may begin to its end.  Whoever changes what requests rely on
 *           (which node is where, in which context it is) is the *writer*,
 *           alone.  A node that is drained (drain.c) has no requests, nor has
 *           anybody above it.
 * Threads:  readers: coroutines in any context.  The writer: outside
 *           coroutines, any thread that has a context to poll.
 * Memory:   edges are their parent's.
 */
#ifndef CT_BLOCK_GRAPH_H
#define CT_BLOCK_GRAPH_H

#include "block/driver.h"

/* What a node asks of a parent; the functions must not poll. */
struct bdrv_parent_ops {
    /* No new requests for the node, as often as it is called ... */
    void (*quiesce)(void *parent);
    /* ... until this was called as often; who waited is put on @woken */
    void (*unquiesce)(void *parent, struct list *woken);
    /* Is a request of the parent's in flight? */
    bool (*is_busy)(void *parent);
    /* May the node go to another context?  NULL: the parent goes with it. */
    bool (*may_move)(void *parent, GError **error);
    /* The parent as a node; NULL: it is none */
    BlockDriverState *(*node_of)(void *parent);
};

/* What waits until nobody drains what it is to use; in its owner's memory. */
struct bdrv_waiter {
    struct list node;
    Coroutine *co;
    AioContext *ctx; /* where it goes on; NULL: where it was */
    uint64_t queue;  /* what traces call the queue in which it waits */
};

/** bdrv_attach() - @parent uses @bs from now on; undone by bdrv_detach() */
void bdrv_attach(struct bdrv_edge *edge, const struct bdrv_parent_ops *ops,
                 void *parent, BlockDriverState *bs);
/** bdrv_detach() - the parent does not use it any more; never attached: fine */
void bdrv_detach(struct bdrv_edge *edge);

/** bdrv_attach_child() - @bs is the parent */
void bdrv_attach_child(struct bdrv_edge *edge, BlockDriverState *bs,
                       BlockDriverState *child);

/* --- the lock: graph.c --------------------------------------------------- */

/**
 * bdrv_graph_co_rdlock() - nobody changes the graph until
 * bdrv_graph_co_rdunlock()
 *
 * Many at once.  Waits while a writer is at work, so whoever holds it must not
 * wait for a coroutine that has yet to take it.  The coroutine may go to
 * another context in between.
 */
void coroutine_fn bdrv_graph_co_rdlock(void);
void coroutine_fn bdrv_graph_co_rdunlock(void);

/**
 * bdrv_graph_co_reads() - how often the calling coroutine has it, for
 * bdrv_graph_co_adopt() in a coroutine that works for it
 */
unsigned coroutine_fn bdrv_graph_co_reads(void);
void coroutine_fn bdrv_graph_co_adopt(unsigned reads);

/**
 * bdrv_graph_assert_readable() - the caller may work through @bs
 *
 * Pre: [bdrv-graph/readable] it has the lock, or nobody can change what @bs is
 * part of: no backend has it, or will begin anything while it is drained.
 */
void coroutine_fn bdrv_graph_assert_readable(BlockDriverState *bs);

/** bdrv_graph_assert_writer() - Pre: [bdrv-graph/writer] there is one */
void bdrv_graph_assert_writer(void);

/**
 * bdrv_graph_wrlock() - drain all backends and wait for the readers
 *
 * Polls the calling thread's current context.  Until bdrv_graph_wrunlock() the
 * caller must not poll.
 * Context: outside coroutines.
 */
void bdrv_graph_wrlock(void);
void bdrv_graph_wrunlock(void);

/* --- drain.c ------------------------------------------------------------- */

/**
 * bdrv_drained_begin() - no request of @bs is in flight, until
 *                        bdrv_drained_end()
 *
 * Parents begin no new ones, and those in flight, theirs included, have ended
 * when it returns.  Sections nest.  What is asked of a backend meanwhile waits
 * and begins, in its order, when the last section has ended.  So whoever has
 * begun one must not wait for a request of a backend.
 * Context: outside coroutines polls; in a coroutine yields.
 */
void bdrv_drained_begin(BlockDriverState *bs);
void bdrv_drained_end(BlockDriverState *bs);

/** bdrv_drain_all_begin() - as bdrv_drained_begin(), for every backend there is
 *                           and every one that comes */
void bdrv_drain_all_begin(void);
void bdrv_drain_all_end(void);

/* As bdrv_drain_all_begin(), but does not wait for what is in flight. */
void bdrv_drain_all_begin_nopoll(void);

/** bdrv_try_change_aio_context() - @bs and all that hangs together with it run
 *                                  in @ctx from now on
 * @asker: the parent that asks for it, and need not be asked; NULL: none
 *
 * Drains them for it.
 * Context: as bdrv_drained_begin().
 * Return: 0; -EBUSY with @error set: somebody does not want to; nothing has
 * changed.
 */
int bdrv_try_change_aio_context(BlockDriverState *bs, AioContext *ctx,
                                const void *asker, GError **error);

/** bdrv_is_out_of_reach() - does no request of a backend come to @bs? */
bool bdrv_is_out_of_reach(BlockDriverState *bs);

/** bdrv_inactivate() - the format's part of blk_inactivate(), after a flush */
int bdrv_inactivate(BlockDriverState *bs);

/** bdrv_reopen() - see blk_reopen() */
int bdrv_reopen(BlockDriverState *bs, const BlockOptions *options,
                GError **error);

/* The backend's part, in the list of all; drained if all are. */
void bdrv_drain_register(struct bdrv_root *root,
                         const struct bdrv_parent_ops *ops, void *parent);
void bdrv_drain_unregister(struct bdrv_root *root);

/* One end of a section: whoever waited goes on. */
void bdrv_wake_waiters(struct list *woken);

/**
 * bdrv_co_outside() - call a function that has to poll, from a coroutine
 *
 * It is called by a bottom half of the current context while the coroutine
 * waits.
 */
void coroutine_fn bdrv_co_outside(void (*func)(void *opaque), void *opaque);

#endif
