/* SPDX-License-Identifier: MIT */
/*
 * peer_coroutine.h - the least that makes a coroutine of a switch
 *
 * A peer defines PEER_FIELDS (what its switch keeps), peer_start() (make a
 * switch to @co run peer_body()) and peer_switch(), and includes this file; the
 * rows are those of bench_coroutine.c.  The bookkeeping is the same for all of
 * them, and less than what any library has: the running coroutine in a
 * thread-local, who entered it, a check that it is not entered twice, and a
 * list of objects to use again.
 */
#ifndef PEER_COROUTINE_H
#define PEER_COROUTINE_H

#include "../bench.h"

#define PEER_STACK_BYTES (64 * 1024)

struct peer {
    PEER_FIELDS
    struct peer *caller;
    void (*entry)(void *opaque);
    void *opaque;
    struct peer *next; /* in the pool */
    int ended;
    char *stack;
};

static __thread struct peer peer_leader;
static __thread struct peer *peer_current;
static __thread struct peer *peer_pool;

static void peer_start(struct peer *co);
static void peer_switch(struct peer *from, struct peer *to);

/* A thread-local must not be cached over a switch. */
static __attribute__((noinline)) struct peer *peer_self(void)
{
    return peer_current;
}

static __attribute__((noinline)) void peer_yield(void)
{
    struct peer *self = peer_current;
    struct peer *to = self->caller;

    if (to == NULL) {
        abort();
    }
    self->caller = NULL;
    peer_current = to;
    peer_switch(self, to);
}

static __attribute__((noinline)) struct peer *peer_create(
    void (*entry)(void *opaque), void *opaque)
{
    struct peer *co = peer_pool;

    if (co != NULL) {
        peer_pool = co->next;
    } else {
        co = calloc(1, sizeof(*co));
        co->stack = aligned_alloc(4096, PEER_STACK_BYTES);
        peer_start(co);
    }
    co->entry = entry;
    co->opaque = opaque;
    co->ended = 0;
    return co;
}

static __attribute__((noinline)) void peer_enter(struct peer *co)
{
    struct peer *self = peer_current;

    if (co->caller != NULL) {
        abort();
    }
    co->caller = self;
    peer_current = co;
    peer_switch(self, co);
    if (co->ended) {
        co->next = peer_pool;
        peer_pool = co;
    }
}

/* The first function on a stack; one life after the other. */
static __attribute__((unused)) void peer_body(void)
{
    struct peer *self = peer_self();

    for (;;) {
        self->entry(self->opaque);
        self->ended = 1;
        peer_yield();
    }
}

static void yield(void *opaque)
{
    peer_yield();
}

BENCH_EIGHT_FRAMES(yield)

static void yields(void *opaque)
{
    for (;;) {
        peer_yield();
    }
}

static void yields_deep(void *opaque)
{
    for (;;) {
        bench_frame_1(opaque);
    }
}

static void ends(void *opaque)
{
    (*(uint64_t *)opaque)++;
}

static void enter_often(void (*entry)(void *opaque), uint64_t count)
{
    struct peer *co = peer_create(entry, NULL);

    peer_enter(co);
    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        peer_enter(co);
    }
    bench_stop();
}

static void run_yield(uint64_t count)
{
    enter_often(yields, count);
}

static void run_yield_deep(uint64_t count)
{
    enter_often(yields_deep, count);
}

static void run_life(uint64_t count)
{
    uint64_t ended = 0;

    peer_enter(peer_create(ends, &ended));
    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        peer_enter(peer_create(ends, &ended));
    }
    bench_stop();
    if (ended != count + 1) {
        abort();
    }
}

static const struct bench_row rows[] = {
    {"yield", run_yield},
    {"yield-deep", run_yield_deep},
    {"life", run_life},
};

int main(int argc, char **argv)
{
    peer_current = &peer_leader;
    return bench_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
}

#endif
