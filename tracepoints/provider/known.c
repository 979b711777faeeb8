/* SPDX-License-Identifier: MIT */
/*
 * known.c - a thread learns a stack
 *
 * A slot keeps the last stack of its key; two stacks that share a slot are
 * walked in turns, which costs time and nothing else.
 */
#include "known.h"

#include "intern.h"

__attribute__((no_sanitize("address", "thread"))) void ct_known_learn(
    const uintptr_t *start, uintptr_t distance, const struct ct_piece *piece,
    uint64_t id)
{
    const uintptr_t *frame = start;
    struct ct_known *known;
    uint32_t i;

    if (!ct_known_stacks || piece->n > CT_KNOWN_FRAMES ||
        distance > UINT32_MAX) {
        return;
    }
    known = ct_known_slot(start, distance);
    for (i = 0; i < piece->n; i++) {
        known->at[i] = (uint32_t)((uintptr_t)frame - (uintptr_t)start);
        known->records[i] = (ct_record){frame[0] - (uintptr_t)start, frame[1]};
        frame = (const uintptr_t *)frame[0];
    }
    for (; i % 4 != 0; i++) {
        known->at[i] = known->at[i - 1];
        known->records[i] = known->records[i - 1];
    }
    known->id = id;
    known->outer = piece->outer;
    known->distance = (uint32_t)distance;
    known->n = i;
    known->generation =
        __atomic_load_n(&ct_intern_generation, __ATOMIC_RELAXED);
}
