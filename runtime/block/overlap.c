/* SPDX-License-Identifier: MIT */
/*
 * overlap.c - requests of a node that must not run at the same time
 *
 * A request waits until no request in the list conflicts with it: two conflict
 * if they overlap and one of them is serialising.  A request that waits
 * itself is passed over.  Else two that came to wait for one another (A begins
 * and waits for C, B begins and waits for A and C, A wakes and sees B) would
 * stay; passed over, it looks at the whole list again when it wakes.
 *
 * Where nobody serialises, as nearly always, joining costs no look at the list.
 */
#include "block/overlap.h"

static bool overlaps(const struct node_request *a, const struct node_request *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static struct node_request *find_conflict(const BlockDriverState *bs,
                                          const struct node_request *self)
{
    if (bs->serialising == 0) {
        return NULL;
    }
    list_for_each (node, &bs->requests) {
        struct node_request *other =
            list_entry(node, struct node_request, link);
        if (other != self && !other->is_waiting && overlaps(self, other) &&
            (self->is_serialising || other->is_serialising)) {
            return other;
        }
    }
    return NULL;
}

static void widen(struct node_request *req, int64_t unit)
{
    int64_t head = req->offset % unit;
    int64_t tail = (head + req->bytes) % unit;

    req->offset -= head;
    req->bytes += head;
    if (tail != 0 && req->bytes <= INT64_MAX - req->offset - unit) {
        req->bytes += unit - tail;
    }
}

void coroutine_fn node_request_begin(struct node_request *req,
                                     BlockDriverState *bs, int64_t offset,
                                     int64_t bytes, unsigned flags)
{
    struct node_request *other;

    *req = (struct node_request){
        .offset = offset,
        .bytes = bytes,
        .is_serialising = flags & BDRV_REQ_SERIALISING,
    };
    co_queue_init(&req->waiters);
    if (req->is_serialising) {
        bs->serialising++;
        int64_t unit = MAX(bs->unit_bytes, bs->request_alignment);
        if (unit > 0) {
            widen(req, unit);
        }
    }
    list_add_tail(&bs->requests, &req->link);
    while ((other = find_conflict(bs, req)) != NULL) {
        req->is_waiting = true;
        co_queue_wait(&other->waiters, NULL);
        req->is_waiting = false;
    }
}

void coroutine_fn node_request_end(struct node_request *req,
                                   BlockDriverState *bs)
{
    list_del(&req->link);
    if (req->is_serialising) {
        bs->serialising--;
    }
    co_queue_all(&req->waiters);
}
