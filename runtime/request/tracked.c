/* SPDX-License-Identifier: MIT */
/*
 * tracked.c - requests in flight
 *
 * Two things hang on a request: its events, and its place among the requests
 * that are open, from which they are told again to a recording that starts
 * late or has lost events.
 *
 * Order: request_begin is recorded, then the request joins the open ones; it
 * leaves them, then request_end is recorded.  The teller records while it
 * holds the lock that joining and leaving take, so a trace never has a
 * state_request before the begin or after the end of its request.
 *
 * The open requests lie in shards by their id, so that threads which begin and
 * end requests at full speed seldom meet.
 *
 * Which request a coroutine serves is a number in the coroutine (`serves`);
 * requests that nest on its stack remember the outer one.
 */
#include "request/tracked.h"

#include <pthread.h>

#include "base/clock.h"
#include "coroutine/coroutine_int.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pre.h"
#include "ct/retell.h"

#define SHARDS 16

struct shard {
    pthread_mutex_t lock;
    struct list open; /* struct tracked_request, by `alive`; under lock */
} __attribute__((aligned(64)));

static struct shard shards[SHARDS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void tell_shard(struct shard *shard, uint64_t telling)
{
    pthread_mutex_lock(&shard->lock);
    list_for_each (node, &shard->open) {
        struct tracked_request *req =
            list_entry(node, struct tracked_request, alive);
        ct_emit_state_request(telling, req->id, req->parent, ct_load(&req->co),
                              req->layer, req->op, req->node, req->offset,
                              req->bytes, req->since_ns);
    }
    pthread_mutex_unlock(&shard->lock);
}

static void tell(uint64_t telling)
{
    if (!ct_emit_on_state_request()) {
        return;
    }
    for (int i = 0; i < SHARDS; i++) {
        tell_shard(&shards[i], telling);
    }
}

static void set_up(void)
{
    static struct ct_teller teller = {.tell = tell};

    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&shards[i].lock, NULL);
        list_init(&shards[i].open);
    }
    ct_retell_register(&teller);
}

static struct shard *shard_of(const struct tracked_request *req)
{
    return &shards[req->id % SHARDS];
}

uint64_t tracked_request_current(void)
{
    const Coroutine *self = coroutine_self();
    return self != NULL ? self->serves : 0;
}

static void begin(struct tracked_request *req, uint64_t co, const char *layer,
                  const char *op, const char *node, int64_t offset,
                  int64_t bytes, unsigned flags)
{
    pthread_once(&once, set_up);
    *req = (struct tracked_request){
        .id = ct_id_new(),
        .parent = tracked_request_current(),
        .layer = layer,
        .op = op,
        .node = node,
        .offset = offset,
        .bytes = bytes,
        .since_ns = ct_clock_now_ns(&ct_clock_monotonic),
        .co = co,
    };
    ct_emit_request_begin(req->id, req->parent, co, layer, req->op, node,
                          offset, bytes, flags);

    struct shard *shard = shard_of(req);
    pthread_mutex_lock(&shard->lock);
    list_add_tail(&shard->open, &req->alive);
    pthread_mutex_unlock(&shard->lock);
}

static void serve(struct tracked_request *req)
{
    Coroutine *self = coroutine_self();
    req->outer = self->serves;
    self->serves = req->id;
}

void tracked_request_begin(struct tracked_request *req, const char *layer,
                           const char *op, const char *node, int64_t offset,
                           int64_t bytes, unsigned flags)
{
    begin(req, 0, layer, op, node, offset, bytes, flags);
}

void tracked_request_begin_served(struct tracked_request *req,
                                  const char *layer, const char *op,
                                  const char *node, int64_t offset,
                                  int64_t bytes, unsigned flags)
{
    ct_pre("tracked-request-begin/in-coroutine", in_coroutine());
    begin(req, coroutine_id(coroutine_self()), layer, op, node, offset, bytes,
          flags);
    serve(req);
}

void tracked_request_give(struct tracked_request *req, const Coroutine *co)
{
    ct_emit_request_coroutine(req->id, coroutine_id(co));
    /* For the teller, which needs no order. */
    ct_store(&req->co, coroutine_id(co));
}

void tracked_request_serve(struct tracked_request *req)
{
    ct_pre("tracked-request-serve/its-coroutine",
           in_coroutine() &&
               ct_load(&req->co) == coroutine_id(coroutine_self()));
    serve(req);
}

void tracked_request_leave(struct tracked_request *req)
{
    Coroutine *self = coroutine_self();

    ct_pre("tracked-request-leave/nested", self->serves == req->id);
    self->serves = req->outer;
}

void tracked_request_end(struct tracked_request *req, int ret)
{
    struct shard *shard = shard_of(req);
    pthread_mutex_lock(&shard->lock);
    list_del(&req->alive);
    pthread_mutex_unlock(&shard->lock);

    ct_emit_request_end(req->id, ret);
}

void tracked_request_adopt(uint64_t id)
{
    ct_pre("tracked-request-adopt/in-coroutine", in_coroutine());
    coroutine_self()->serves = id;
}
