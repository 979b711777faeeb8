/* SPDX-License-Identifier: MIT */
/*
 * rings.c - the table of rings, and what the kernel completed in them
 *
 * A program reads the ring that it shares with the kernel.  We read the same
 * ring, where the thread that owns it comes by: before and after it submits,
 * and after it has waited.  Entries stay until the program takes them, and that
 * is this same thread, so what lies between the ring's head and tail can be
 * read.  What was taken before we came is not told, unless the call that took
 * it passes by (io_getevents()).
 *
 * A ring belongs to the thread that submitted to it last, until that ends.  It
 * may be destroyed by another one, while its owner is about to look; so looking
 * and destroying exclude each other by `state`:
 *
 *     FREE --> TAKEN (filled in) --> IDLE
 *     IDLE --owner--> LOOKING, by it --> IDLE
 *     IDLE --who destroys it--> FREE; if it is LOOKING, it waits for that: some
 *     hundred instructions
 *
 * A look that a signal handler jumps out of is over (ct_rings_leave()).  In a
 * forked child there are none of these rings, and nobody looks.
 *
 * Of an io_uring nothing of liburing's struct is kept, which the program may
 * move or leave on a stack that is gone; the ring's own memory goes by
 * io_uring_queue_exit() only.  On such a ring other operations complete, too
 * (sockets, timeouts): told are those whose `user_data` was, by counts in a few
 * places that several of them may share.
 *
 * struct aio_ring is the kernel's, known by its magic number.
 */
#include "rings.h"

#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "guard.h"

#define AIO_RING_MAGIC 0xa10a10a1

struct aio_ring {
    unsigned id, nr, head, tail, magic, compat, incompat, header_bytes;
    struct io_event events[];
};

enum { RINGS_MAX = 256, GIVEN = 1024, GIVEN_SHIFT = 54 };

enum { FREE, TAKEN, IDLE, LOOKING, BY_SHIFT = 2 };

struct ring {
    uint64_t state;    /* atomic; as above, LOOKING with the looker's me() */
    uint64_t owner;    /* atomic; me() of the thread that may look */
    const void *place; /* atomic; which ring it is, immutable until FREE */
    bool is_aio;       /* with the next immutable until FREE */
    struct ct_completions uring;
    unsigned told;        /* position of the next one; who is LOOKING */
    uint8_t given[GIVEN]; /* atomic; operations that were told, by user_data */
};

static struct ring rings[RINGS_MAX];
static unsigned n_rings; /* atomic; none lies behind */

static __thread bool has_rings __attribute__((tls_model("initial-exec")));

static uint64_t me(void)
{
    return ct_self.id + 1;
}

static uint64_t looking(void)
{
    return LOOKING | me() << BY_SHIFT;
}

/* --- states --------------------------------------------------------------- */

/* Acquire: what the last one to have it did to it, who released the state (the
 * end of a look, begin_ring(), a destroyer). */
static bool move(struct ring *ring, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(&ring->state, &from, to, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Pairs with move(). */
static void release(struct ring *ring, uint64_t state)
{
    __atomic_store_n(&ring->state, state, __ATOMIC_RELEASE);
}

static bool is_mine(const struct ring *ring)
{
    return __atomic_load_n(&ring->owner, __ATOMIC_RELAXED) == me();
}

static void own(struct ring *ring)
{
    __atomic_store_n(&ring->owner, me(), __ATOMIC_RELAXED);
    has_rings = true;
}

/* Acquire pairs with release() in begin_ring(): the place. */
static bool is_ring(const struct ring *ring, const void *place)
{
    return __atomic_load_n(&ring->state, __ATOMIC_ACQUIRE) >= IDLE &&
           __atomic_load_n(&ring->place, __ATOMIC_RELAXED) == place;
}

/* NULL: not known.  Acquire pairs with count_one(): all below it are there. */
static struct ring *find(const void *place)
{
    unsigned n = __atomic_load_n(&n_rings, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < n; i++) {
        if (is_ring(&rings[i], place)) {
            return &rings[i];
        }
    }
    return NULL;
}

static bool begin_look(struct ring *ring)
{
    if (!is_mine(ring) || !move(ring, IDLE, looking())) {
        return false;
    }
    if (!is_mine(ring)) {
        release(ring, IDLE);
        return false;
    }
    return true;
}

/* --- looking -------------------------------------------------------------- */

static uint8_t *given_of(struct ring *ring, uint64_t request)
{
    return &ring->given[request * UINT64_C(0x9e3779b97f4a7c15) >> GIVEN_SHIFT];
}

static void tell_aio(const struct io_event *done)
{
    ct_emit_native_aio_end(CT_IO_ENGINE_NATIVE,
                           (const void *)(uintptr_t)done->obj, done->res);
}

static void look_aio(struct ring *ring)
{
    const struct aio_ring *aio = ring->place;
    unsigned head = __atomic_load_n(&aio->head, __ATOMIC_RELAXED);
    unsigned tail = __atomic_load_n(&aio->tail, __ATOMIC_ACQUIRE);
    unsigned nr = aio->nr;

    if (nr == 0 || head >= nr || tail >= nr) {
        return;
    }
    if (ring->told >= nr ||
        (ring->told + nr - head) % nr > (tail + nr - head) % nr) {
        ring->told = head; /* those before were taken already */
    }
    for (; ring->told != tail; ring->told = (ring->told + 1) % nr) {
        tell_aio(&aio->events[ring->told]);
    }
}

static void tell_uring(struct ring *ring, const struct io_uring_cqe *done)
{
    uint8_t *given = given_of(ring, done->user_data);
    uint8_t n = __atomic_load_n(given, __ATOMIC_RELAXED);

    if (n == 0) {
        return;
    }
    /* A place that was full once is so for good. */
    if (n < UINT8_MAX && !(done->flags & IORING_CQE_F_MORE)) {
        __atomic_fetch_sub(given, 1, __ATOMIC_RELAXED);
    }
    ct_emit_native_aio_end(CT_IO_ENGINE_IO_URING,
                           (const void *)(uintptr_t)done->user_data, done->res);
}

static void look_uring(struct ring *ring)
{
    const struct ct_completions *uring = &ring->uring;
    unsigned head = __atomic_load_n(uring->head, __ATOMIC_RELAXED);
    unsigned tail = __atomic_load_n(uring->tail, __ATOMIC_ACQUIRE);

    if (tail - head > uring->mask + 1) {
        return; /* it is changing */
    }
    if (tail - ring->told > tail - head) {
        ring->told = head; /* those before were taken already */
    }
    for (; ring->told != tail; ring->told++) {
        tell_uring(ring, &uring->entries[ring->told & uring->mask]);
    }
}

static void look(void)
{
    unsigned n = __atomic_load_n(&n_rings, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < n; i++) {
        struct ring *ring = &rings[i];

        if (begin_look(ring)) {
            if (ring->is_aio) {
                look_aio(ring);
            } else {
                look_uring(ring);
            }
            release(ring, IDLE);
        }
    }
}

void ct_rings_look(void)
{
    if (has_rings && ct_emit_on_native_aio_end()) {
        CT_GUARDED(look());
    }
}

int ct_rings_head(void *context)
{
    const struct aio_ring *aio = context;
    struct ring *ring = find(context);

    if (!ring || !ct_guard_may()) {
        return -1;
    }
    own(ring);
    ct_rings_look();
    return (int)__atomic_load_n(&aio->head, __ATOMIC_RELAXED);
}

static void tell_taken(struct ring *ring, unsigned head,
                       const struct io_event *events, unsigned n)
{
    unsigned nr = ((const struct aio_ring *)ring->place)->nr;
    unsigned told;

    if (!begin_look(ring)) {
        return;
    }
    if (head < nr && ring->told < nr) {
        told = (ring->told + nr - head) % nr;
        for (unsigned i = told; i < n; i++) {
            tell_aio(&events[i]);
        }
        if (told < n) {
            ring->told = (head + n) % nr;
        }
    }
    release(ring, IDLE);
}

void ct_rings_taken(void *context, int head, const struct io_event *events,
                    unsigned n)
{
    struct ring *ring = find(context);

    if (ring && head >= 0 && ct_emit_on_native_aio_end()) {
        CT_GUARDED(tell_taken(ring, (unsigned)head, events, n));
    }
}

/* --- the table ------------------------------------------------------------ */

/* Release pairs with find() and look(). */
static void count_one(unsigned i)
{
    unsigned n = __atomic_load_n(&n_rings, __ATOMIC_RELAXED);

    while (n <= i &&
           !__atomic_compare_exchange_n(&n_rings, &n, i + 1, false,
                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
}

static struct ring *begin_ring(const void *place,
                               const struct ct_completions *uring)
{
    for (unsigned i = 0; i < RINGS_MAX; i++) {
        struct ring *ring = &rings[i];

        if (!move(ring, FREE, TAKEN)) {
            continue;
        }
        __atomic_store_n(&ring->place, place, __ATOMIC_RELAXED);
        ring->is_aio = !uring;
        for (unsigned k = 0; uring && k < GIVEN; k++) {
            __atomic_store_n(&ring->given[k], 0, __ATOMIC_RELAXED);
        }
        if (uring) {
            ring->uring = *uring;
            ring->told = __atomic_load_n(uring->head, __ATOMIC_RELAXED);
        } else {
            ring->told = __atomic_load_n(
                &((const struct aio_ring *)place)->head, __ATOMIC_RELAXED);
        }
        own(ring);
        release(ring, IDLE);
        count_one(i);
        return ring;
    }
    return NULL;
}

/* Two may destroy one ring: the kernel tells the later that there is none. */
void ct_rings_forget(const void *place)
{
    struct ring *ring = find(place);

    while (ring && is_ring(ring, place) && !move(ring, IDLE, FREE)) {
        /* A signal handler must not wait for what it has interrupted. */
        if (ct_self.busy &&
            __atomic_load_n(&ring->state, __ATOMIC_RELAXED) == looking()) {
            break;
        }
        sched_yield();
    }
}

static bool is_same(const struct ct_completions *one,
                    const struct ct_completions *other)
{
    return one->tail == other->tail && one->entries == other->entries &&
           one->mask == other->mask;
}

void ct_rings_submit(void *context)
{
    struct ring *ring = find(context);

    if (ring) {
        own(ring);
    } else if (((const struct aio_ring *)context)->magic == AIO_RING_MAGIC) {
        (void)begin_ring(context, NULL);
    }
}

void ct_rings_submit_uring(const struct ct_completions *completions,
                           uint64_t request)
{
    struct ring *ring = find(completions->head);
    uint8_t *given;

    if (ring && !is_same(&ring->uring, completions)) {
        ct_rings_forget(completions->head); /* another one lies there */
        ring = NULL;
    }
    if (ring) {
        own(ring);
    } else {
        ring = begin_ring(completions->head, completions);
    }
    if (ring) {
        given = given_of(ring, request);
        if (__atomic_load_n(given, __ATOMIC_RELAXED) < UINT8_MAX) {
            __atomic_fetch_add(given, 1, __ATOMIC_RELAXED);
        }
    }
}

void ct_rings_leave(void)
{
    unsigned n = __atomic_load_n(&n_rings, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; has_rings && i < n; i++) {
        if (__atomic_load_n(&rings[i].state, __ATOMIC_RELAXED) == looking()) {
            release(&rings[i], IDLE);
        }
    }
}

/* Its id is nobody's any more. */
void ct_rings_end_thread(void)
{
    ct_rings_leave();
    has_rings = false;
}

static void forget_all(void)
{
    for (unsigned i = 0; i < RINGS_MAX; i++) {
        __atomic_store_n(&rings[i].state, FREE, __ATOMIC_RELAXED);
    }
    has_rings = false;
}

__attribute__((constructor)) static void begin_rings(void)
{
    (void)pthread_atfork(NULL, NULL, forget_all);
}
