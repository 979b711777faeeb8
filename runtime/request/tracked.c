/* SPDX-License-Identifier: MIT */
/*
 * tracked.c - requests in flight
 *
 * Two things hang on a request: its events, and its place among the requests
 * that are open, from which they are told again to a recording that starts
 * late or has lost events.
 *
 * Order: its begin is recorded, then the request joins the open ones; it
 * leaves them, then request_end is recorded.  The teller records while it
 * holds the lock that joining and leaving take, so a trace never has a
 * state_request before the begin or after the end of its request.
 *
 * The open requests lie in shards, one a thread, by the thread that began them:
 * only the teller and whoever ends another thread's request meet its owner
 * there.  So the lock is a word that is taken with one instruction and given
 * back with a plain store; who finds it taken gives the CPU away.  The shard of
 * a thread that has ended may still hold requests, and goes to the next thread
 * that needs one.
 *
 * A child of fork() has one thread: the others, which may have held locks, are
 * gone, and their stacks, where requests lie, may be used for something else.
 * So all locks are free in it, and it knows its own thread's shard only; of the
 * other shards nothing is told, but who ends a request of one finds it as it
 * was.
 *
 * Which request a coroutine serves is a number in the coroutine (`serves`);
 * requests that nest on its stack remember the outer one.
 */
#include "request/tracked.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include <glib.h>

#include "aio/aio_int.h"
#include "base/atomics.h"
#include "coroutine/coroutine_int.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/kept.h"
#include "ct/kinds.h"
#include "ct/pre.h"
#include "ct/retell.h"
#include "ct/when.h"

enum {
    SPINS = 100, /* a telling of a few requests */
    YIELDS = 20,
    PAUSE_NS = 50000,
};

struct request_shard {
    unsigned lock;    /* atomic; 1: taken */
    unsigned owned;   /* atomic; 1: by a thread that has not ended */
    struct list open; /* struct tracked_request, by `alive`; under lock */
    struct request_shard *next; /* immutable, but in after_fork_child() */
} __attribute__((aligned(64)));

static struct request_shard *shards; /* atomic list, only grows; but there */
static pthread_key_t at_exit;

static __thread struct request_shard *own
    __attribute__((tls_model("initial-exec")));

/* --- the lock ------------------------------------------------------------ */

__attribute__((noinline)) static void shard_wait(struct request_shard *shard)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};

    for (unsigned tries = 0;; tries++) {
        if (ct_load(&shard->lock) == 0 && ct_xchg(&shard->lock, 1) == 0) {
            return;
        }
        if (tries < SPINS) {
            ct_cpu_relax();
        } else if (tries < SPINS + YIELDS) {
            (void)sched_yield();
        } else {
            /* A thread of lower priority may need this CPU to go on. */
            (void)nanosleep(&pause, NULL);
        }
    }
}

static inline void shard_lock(struct request_shard *shard)
{
    /* Pairs with shard_unlock(): the list as the one before has left it. */
    if (ct_xchg(&shard->lock, 1) != 0) {
        shard_wait(shard);
    }
}

static inline void shard_unlock(struct request_shard *shard)
{
    ct_store_release(&shard->lock, 0);
}

/* --- shards -------------------------------------------------------------- */

static void thread_end(void *opaque)
{
    struct request_shard *shard = opaque;

    own = NULL;
    ct_store_release(&shard->owned, 0);
}

static struct request_shard *shard_new(void)
{
    struct request_shard *shard =
        aligned_alloc(__alignof__(*shard), sizeof(*shard));

    if (shard == NULL) {
        g_error("no memory for requests"); /* as g_malloc() */
    }
    shard->lock = 0;
    shard->owned = 1;
    list_init(&shard->open);
    shard->next = ct_load(&shards);
    /* Pairs with the teller and shard_left(): it is complete. */
    while (!ct_cmpxchg(&shards, &shard->next, shard)) {
    }
    return shard;
}

/* One whose thread has ended, NULL: none. */
static struct request_shard *shard_left(void)
{
    for (struct request_shard *shard = ct_load_acquire(&shards); shard != NULL;
         shard = shard->next) {
        unsigned owned = 0;

        if (ct_load(&shard->owned) == 0 &&
            ct_cmpxchg(&shard->owned, &owned, 1)) {
            return shard;
        }
    }
    return NULL;
}

__attribute__((noinline)) static struct request_shard *own_new(void)
{
    struct request_shard *shard = shard_left();

    if (shard == NULL) {
        shard = shard_new();
    }
    own = shard;
    (void)pthread_setspecific(at_exit, shard);
    return shard;
}

/* --- telling ------------------------------------------------------------- */

static void tell_shard(struct request_shard *shard, uint64_t telling)
{
    shard_lock(shard);
    list_for_each (node, &shard->open) {
        struct tracked_request *req =
            list_entry(node, struct tracked_request, alive);
        ct_emit_state_request(telling, req->id, req->parent, ct_load(&req->co),
                              req->layer, req->op, req->node, req->offset,
                              req->bytes, req->since_ns);
    }
    shard_unlock(shard);
}

static void tell(uint64_t telling)
{
    if (!ct_emit_on_state_request()) {
        return;
    }
    for (struct request_shard *shard = ct_load_acquire(&shards); shard != NULL;
         shard = shard->next) {
        tell_shard(shard, telling);
    }
}

/* No other thread runs: nothing here needs an order. */
static void after_fork_child(void)
{
    for (struct request_shard *shard = ct_load(&shards); shard != NULL;
         shard = shard->next) {
        ct_store(&shard->lock, 0);
    }
    if (own != NULL) {
        own->next = NULL;
    }
    ct_store(&shards, own);
}

/* Before any thread has a request. */
__attribute__((constructor)) static void set_up(void)
{
    static struct ct_teller teller = {.tell = tell};

    (void)pthread_key_create(&at_exit, thread_end);
    (void)pthread_atfork(NULL, NULL, after_fork_child);
    ct_retell_register(&teller);
}

/* --- requests ------------------------------------------------------------ */

uint64_t tracked_request_current(void)
{
    const Coroutine *self = coroutine_self();
    return self != NULL ? self->serves : 0;
}

static inline void tell_begin(struct tracked_request *req, unsigned flags)
{
    uint32_t kind = __builtin_expect(ct_emit_on_request_open(), 0)
                        ? ct_kind_told(req->layer, req->op, req->node, flags)
                        : 0;

    ct_when_begin();
    if (kind != 0) {
        ct_emit_request_open(req->id, req->parent, req->co, kind, req->offset,
                             req->bytes);
    } else {
        ct_emit_request_begin(req->id, req->parent, req->co, req->layer,
                              req->op, req->node, req->offset, req->bytes,
                              flags);
    }
    req->since_ns = (int64_t)ct_when_ns();
}

/* @self: of the caller, NULL: none; @co: who serves it, 0: not known yet */
static inline void begin(struct tracked_request *req, const Coroutine *self,
                         uint64_t co, const char *layer, const char *op,
                         const char *node, int64_t offset, int64_t bytes,
                         unsigned flags)
{
    *req = (struct tracked_request){
        .id = ct_id_new(),
        .parent = self != NULL ? self->serves : 0,
        .layer = layer,
        .op = op,
        .node = node,
        .offset = offset,
        .bytes = bytes,
        .co = co,
        .shard = own != NULL ? own : own_new(),
    };
    tell_begin(req, flags);

    shard_lock(req->shard);
    list_add_tail(&req->shard->open, &req->alive);
    shard_unlock(req->shard);
}

static inline void serve(struct tracked_request *req, Coroutine *self)
{
    req->outer = self->serves;
    self->serves = req->id;
}

void tracked_request_begin(struct tracked_request *req, const char *layer,
                           const char *op, const char *node, int64_t offset,
                           int64_t bytes, unsigned flags)
{
    begin(req, coroutine_self(), 0, layer, op, node, offset, bytes, flags);
}

void tracked_request_begin_served(struct tracked_request *req,
                                  const char *layer, const char *op,
                                  const char *node, int64_t offset,
                                  int64_t bytes, unsigned flags)
{
    Coroutine *self = coroutine_self();

    ct_pre("tracked-request-begin/in-coroutine", self != NULL);
    begin(req, self, self->id, layer, op, node, offset, bytes, flags);
    serve(req, self);
}

void tracked_request_give(struct tracked_request *req, const Coroutine *co)
{
    ct_emit_request_coroutine(req->id, coroutine_id(co));
    /* For the teller, which needs no order. */
    ct_store(&req->co, coroutine_id(co));
}

void tracked_request_start(struct tracked_request *req, AioContext *ctx,
                           CoroutineEntry *entry, void *opaque)
{
    enum ct_wake_how how;
    Coroutine *co;
    uint64_t id;

    if (!__builtin_expect(ct_emit_on_request_start(), 0)) {
        co = coroutine_create(entry, opaque);
        tracked_request_give(req, co);
        aio_co_enter(ctx, co);
        return;
    }
    id = ct_id_new();
    how = aio_co_enter_how(&ctx);
    ct_when_begin();
    ct_stack_begin();
    ct_emit_request_start(req->id, aio_context_id(ctx), id, entry,
                          coroutine_id(coroutine_self()), how);
    co = coroutine_create_told(id, entry, opaque, ct_stack_kept());
    ct_store(&req->co, id);
    aio_co_enter_told(ctx, co, how);
}

void tracked_request_serve(struct tracked_request *req)
{
    Coroutine *self = coroutine_self();

    ct_pre("tracked-request-serve/its-coroutine",
           self != NULL && ct_load(&req->co) == self->id);
    serve(req, self);
}

void tracked_request_leave(struct tracked_request *req)
{
    Coroutine *self = coroutine_self();

    ct_pre("tracked-request-leave/nested", self->serves == req->id);
    self->serves = req->outer;
}

void tracked_request_end(struct tracked_request *req, int ret)
{
    shard_lock(req->shard);
    list_del(&req->alive);
    shard_unlock(req->shard);

    ct_emit_request_end(req->id, ret);
}

void tracked_request_adopt(uint64_t id)
{
    ct_pre("tracked-request-adopt/in-coroutine", in_coroutine());
    coroutine_self()->serves = id;
}
