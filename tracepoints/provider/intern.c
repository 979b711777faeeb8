/* SPDX-License-Identifier: MIT */
/*
 * intern.c - stacks: frames once, id afterwards
 *
 * The table of what has been told has a fixed size and no lock.  A slot holds
 * an id mixed with the generation, so a new generation empties the table
 * without touching it.  Two threads that miss at the same time both tell, and
 * a slot that is overwritten is told again: a definition may stand in the
 * trace more than once, but it always stands before the use:
 *
 *     tell:  event stack_frames          use:  load the slot (acquire)
 *            store the slot (release)          event that names the id
 *
 * The clock of the second event is read after the first one's, whatever CPU
 * they run on.
 */
#include "intern.h"

#include "ct/emit.h"

#include "kept.h"

uint64_t ct_intern_keys[CT_STACK_MAX + 1];
uint64_t ct_intern_generation; /* 0: the empty table's; see below */
uint64_t ct_intern_told[2 * CT_INTERN_SETS] __attribute__((aligned(64)));

/* Steele, Lea, Flood: SplitMix64, the finishing step. */
static uint64_t scatter(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/*
 * Before any other constructor of the program: ids must not change once the
 * first has been told.
 */
__attribute__((constructor(101))) static void make_keys(void)
{
    for (uint64_t i = 0; i <= CT_STACK_MAX; i++) {
        ct_intern_keys[i] = scatter((i + 1) * 0x9e3779b97f4a7c15u) | 1;
    }
    ct_intern_new_generation();
}

void ct_intern_new_generation(void)
{
    static uint64_t count;

    __atomic_store_n(&ct_intern_generation,
                     scatter(__atomic_add_fetch(&count, 1, __ATOMIC_RELAXED)),
                     __ATOMIC_RELAXED);
}

/* The newest first; the older one of the set moves to the second slot. */
static void publish(uint64_t id, uint64_t generation)
{
    uint64_t *set = &ct_intern_told[2 * (id % CT_INTERN_SETS)];
    uint64_t first = __atomic_load_n(&set[0], __ATOMIC_RELAXED);

    __atomic_store_n(&set[1], first, __ATOMIC_RELEASE);
    __atomic_store_n(&set[0], id ^ generation, __ATOMIC_RELEASE);
}

void ct_intern_tell(uint64_t id, const struct ct_piece *piece)
{
    uint64_t generation =
        __atomic_load_n(&ct_intern_generation, __ATOMIC_RELAXED);

    if (ct_emit_on_stack_frames()) {
        ct_emit_stack_frames(id, piece->outer, piece->limit, piece->frames,
                             piece->n);
        publish(id, generation);
        ct_kept_add(id, piece);
    }
}
