/* SPDX-License-Identifier: MIT */
/*
 * stacks.c - stacks of coroutines, found by any address on them
 *
 * Two tables.  `bounds` has the stacks.  `places` finds them: an open hash
 * table from a GRANULE of the address space to stacks that lie in it; a stack
 * has a place for each granule that it touches, and several may share one.
 *
 *     address / GRANULE --hash--> places[i], places[i + 1] ... --> bounds[k]
 *
 * Finding takes no lock: whatever a place says, it counts only if the bounds
 * behind it have the address in them.  Adding takes a lock; it is tried for,
 * not waited for, so that a signal handler can't wait for the thread that it
 * interrupted, and the stack stays unknown then.  A child that is forked while
 * another thread has it takes it back.  A stack that overlaps a new
 * one is gone: its memory was given to somebody else.  Its bounds are empty
 * then, and its places are free for others.
 */
#include "stacks.h"

#include <pthread.h>

#include "provider/stack_int.h"

enum {
    STACKS_MAX = 32768,
    PLACES = 1 << 18, /* power of two */
    PROBES = 64,      /* places that are looked at for a granule */
    GRANULE_SHIFT = 16,
    GRANULES_MAX = 1024, /* of one stack: 64 MiB */
};

struct bounds {
    uintptr_t low, high; /* atomic, high is written last; 0: empty */
    bool was_asked;      /* atomic; ct_stacks_first() has told it */
};

static struct bounds bounds[STACKS_MAX];
static uint32_t n_bounds;       /* protected by lock */
static uint32_t places[PLACES]; /* atomic; position in bounds + 1; 0: never */
static int lock;                /* atomic */

static uint32_t first_place(uintptr_t granule)
{
    return (uint32_t)((granule * UINT64_C(0x9e3779b97f4a7c15)) >> 40) % PLACES;
}

static bool has(const struct bounds *stack, uintptr_t address)
{
    uintptr_t high = __atomic_load_n(&stack->high, __ATOMIC_ACQUIRE);
    uintptr_t low = __atomic_load_n(&stack->low, __ATOMIC_RELAXED);

    return address >= low && address < high;
}

/* Position of the stack that @address lies on; -1: none. */
static int find(uintptr_t address)
{
    uint32_t at = first_place(address >> GRANULE_SHIFT);

    for (unsigned i = 0; i < PROBES; i++) {
        uint32_t place =
            __atomic_load_n(&places[(at + i) % PLACES], __ATOMIC_ACQUIRE);

        if (place == 0) {
            return -1;
        }
        if (has(&bounds[place - 1], address)) {
            return (int)place - 1;
        }
    }
    return -1;
}

struct ct_stack_place ct_stacks_find(uintptr_t address)
{
    int found = find(address);
    uintptr_t low, high;

    if (found < 0) {
        return (struct ct_stack_place){.base = CT_STACKS_UNKNOWN, .number = -1};
    }
    high = __atomic_load_n(&bounds[found].high, __ATOMIC_ACQUIRE);
    low = __atomic_load_n(&bounds[found].low, __ATOMIC_RELAXED);
    return (struct ct_stack_place){
        .base = low,
        .end = (const void *)(high & ~(uintptr_t)15),
        .number = found,
    };
}

uintptr_t ct_stacks_first(int number)
{
    if (number < 0 ||
        __atomic_load_n(&bounds[number].was_asked, __ATOMIC_RELAXED) ||
        __atomic_exchange_n(&bounds[number].was_asked, true,
                            __ATOMIC_RELAXED)) {
        return 0;
    }
    return __atomic_load_n(&bounds[number].low, __ATOMIC_RELAXED);
}

struct ct_stack_place ct_stacks_place(const void *address)
{
    const void *end = ct_outer_limit(address);

    if (end) {
        return (struct ct_stack_place){CT_STACKS_OWN, end, -1};
    }
    return ct_stacks_find((uintptr_t)address);
}

/* --- adding: with the lock ------------------------------------------------ */

static void empty(struct bounds *stack)
{
    __atomic_store_n(&stack->high, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&stack->low, 0, __ATOMIC_RELAXED);
}

static bool is_empty(uint32_t place)
{
    return bounds[place - 1].high == 0;
}

/* Whoever lies there no longer does.  Stacks are longer than a granule or lie
 * in one of those that are looked at, with all that they share it with. */
static void forget(uintptr_t base, uintptr_t end)
{
    for (uintptr_t granule = base >> GRANULE_SHIFT;
         granule <= (end - 1) >> GRANULE_SHIFT; granule++) {
        uint32_t at = first_place(granule);

        for (unsigned i = 0; i < PROBES; i++) {
            uint32_t place = places[(at + i) % PLACES];

            if (place == 0) {
                break;
            }
            if (bounds[place - 1].low < end && bounds[place - 1].high > base) {
                empty(&bounds[place - 1]);
            }
        }
    }
}

/* Room for one more; an empty one if all were used once. */
static int new_bounds(void)
{
    static uint32_t next;

    if (n_bounds < STACKS_MAX) {
        return (int)n_bounds++;
    }
    for (uint32_t i = 0; i < STACKS_MAX; i++) {
        next = (next + 1) % STACKS_MAX;
        if (bounds[next].high == 0) {
            return (int)next;
        }
    }
    return -1;
}

static bool put(uintptr_t granule, uint32_t place)
{
    uint32_t at = first_place(granule);

    for (unsigned i = 0; i < PROBES; i++) {
        uint32_t *slot = &places[(at + i) % PLACES];

        if (*slot == 0 || *slot == place || is_empty(*slot)) {
            __atomic_store_n(slot, place, __ATOMIC_RELEASE);
            return true;
        }
    }
    return false;
}

static bool add(uintptr_t base, uintptr_t end)
{
    int known = find(base);
    int at;

    if (known >= 0 && bounds[known].low == base && bounds[known].high == end) {
        __atomic_store_n(&bounds[known].was_asked, false, __ATOMIC_RELAXED);
        return true;
    }
    forget(base, end);
    at = new_bounds();
    if (at < 0) {
        return false;
    }
    for (uintptr_t granule = base >> GRANULE_SHIFT;
         granule <= (end - 1) >> GRANULE_SHIFT; granule++) {
        if (!put(granule, (uint32_t)at + 1)) {
            return false; /* its bounds stay empty */
        }
    }
    __atomic_store_n(&bounds[at].was_asked, false, __ATOMIC_RELAXED);
    __atomic_store_n(&bounds[at].low, base, __ATOMIC_RELAXED);
    __atomic_store_n(&bounds[at].high, end, __ATOMIC_RELEASE);
    return true;
}

static void unlock(void)
{
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

/* The thread that had it is not in the child. */
__attribute__((constructor)) static void follow_forks(void)
{
    (void)pthread_atfork(NULL, NULL, unlock);
}

bool ct_stacks_add(uintptr_t base, size_t bytes)
{
    bool is_known;

    if (base == 0 || bytes == 0 || base + bytes < base ||
        bytes > (size_t)GRANULES_MAX << GRANULE_SHIFT ||
        __atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
        return false;
    }
    is_known = add(base, base + bytes);
    unlock();
    return is_known;
}
