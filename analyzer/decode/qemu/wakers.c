/* SPDX-License-Identifier: MIT */
/*
 * wakers.c - who lets go on what waits in a CoQueue
 *
 * QEMU does not trace that.  But who is woken by a coroutine on the same thread
 * is entered as soon as that coroutine has given the thread away, before
 * anything else happens there, and so is everybody else that it woke: a chain.
 * A queue is protected by a CoMutex, which a coroutine that waits in it has
 * released last, and which nobody can wake it without.
 *
 *   W locks M, unlocks M, gives the thread away    W may have woken
 *   A is entered, locks M again, unlocks it,       A was woken; it only looked
 *     waits again                                    and has woken nobody
 *   B is entered                                   by W, or by nobody we know
 *
 * What releases M while its own request has just begun, or has only waited for
 * others so far, tells that it is there; nobody can have waited for it yet.
 *
 * If exactly one of the chain may have, it is that one; else nobody is named.
 * What a coroutine enters by itself, it lets go on.
 */
#include "decode/qemu/qemu_int.h"

/* Longer chains are forgotten from the front; so is what a coroutine did
 * with more locks than that. */
#define CHAIN_MAX 32
#define LOCKS_MAX 8

struct link {
    uint64_t id;    /* of the coroutine */
    uint64_t queue; /* lock of the queue that it was woken from; 0: none */
    bool is_back;   /* it has that lock again, and then released it */
    bool is_many;   /* locks were forgotten */
    unsigned n;     /* locks that it released of its own accord */
    uint64_t locks[LOCKS_MAX];
};

struct chain {
    bool is_left; /* the last one has given the thread away, just now */
    bool is_long; /* links were forgotten */
    unsigned n;
    struct link links[CHAIN_MAX];
};

/* The lane keeps it: another lane has another chain, wherever it lies. */
static struct chain *chain_of(struct ct_qemu_event *event)
{
    struct ct_lane *lane = event->lane;

    if (!lane->own) {
        lane->own = g_new0(struct chain, 1);
    }
    return lane->own;
}

static struct link *link_of(struct chain *chain, const struct ct_qemu_co *co)
{
    struct link *link = chain->n ? &chain->links[chain->n - 1] : NULL;

    return link && link->id == co->life.id ? link : NULL;
}

static bool may_have_woken(const struct link *link, uint64_t queue)
{
    for (unsigned i = 0; i < link->n; i++) {
        if (link->locks[i] == queue) {
            return true;
        }
    }
    return link->is_many;
}

/* Return: the only one of the chain that may have; 0: none, or several. */
static uint64_t waker(const struct chain *chain, const struct ct_qemu_co *co)
{
    uint64_t id = 0;

    for (unsigned i = 0; i < chain->n && !chain->is_long; i++) {
        if (chain->links[i].id != co->life.id &&
            may_have_woken(&chain->links[i], co->queue)) {
            if (id || chain->links[i].is_many) {
                return 0;
            }
            id = chain->links[i].id;
        }
    }
    return id;
}

uint64_t ct_qemu_wakers_entered(struct ct_qemu_event *event,
                                const struct ct_qemu_co *co,
                                const struct ct_generation *from)
{
    struct chain *chain = chain_of(event);
    bool goes_on = chain->is_left;
    uint64_t id;

    chain->is_left = false;
    if (from) {
        return co->queue ? from->id : 0; /* no link: its run is within one */
    }
    if (!goes_on) {
        chain->n = 0;
        chain->is_long = false;
    }
    /* One that is missing may have released the same lock. */
    id = co->queue && !event->process->doubts ? waker(chain, co) : 0;
    if (chain->n == CHAIN_MAX) {
        chain->is_long = true;
        chain->n = 0;
    }
    chain->links[chain->n++] =
        (struct link){.id = co->life.id, .queue = co->queue};
    return id;
}

void ct_qemu_wakers_released(struct ct_qemu_event *event,
                             const struct ct_qemu_co *co)
{
    struct link *link = link_of(chain_of(event), co);

    if (!link) {
        return;
    }
    if (link->queue == co->object && !link->is_back) {
        link->is_back = true;
    } else if (co->is_fresh &&
               (!co->fresh_queue || co->fresh_queue == co->object)) {
        return;
    } else if (link->n == LOCKS_MAX) {
        link->is_many = true;
    } else if (!may_have_woken(link, co->object)) {
        link->locks[link->n++] = co->object;
    }
}

void ct_qemu_wakers_left(struct ct_qemu_event *event, bool to_thread)
{
    chain_of(event)->is_left = to_thread;
}

void ct_qemu_wakers_else(struct ct_qemu_event *event)
{
    struct chain *chain = event->lane ? event->lane->own : NULL;

    if (chain) {
        chain->is_left = false;
    }
}
