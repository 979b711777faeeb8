/* SPDX-License-Identifier: MIT */
/*
 * known.h - stacks that a thread knows by heart
 *
 * Model:    following saved frame pointers is a chain of loads, each waiting
 *           for the one before, and the hash comes on top.  A program records
 *           the same few stacks again and again, so a thread keeps them as
 *           distances from the innermost frame: whether the stack is one of
 *           them is a number of comparisons that wait for nothing.  Distances,
 *           not addresses: one stack serves every coroutine.
 *           All links and return addresses are compared, so a known stack is
 *           what a walk would have found.
 * Threads:  home thread only.
 * Errors:   unknown: walk.
 */
#ifndef CT_KNOWN_H
#define CT_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "stack_int.h"

#pragma GCC visibility push(hidden)

#define CT_KNOWN_FRAMES 48  /* multiple of four; deeper stacks are walked */
#define CT_KNOWN_SLOTS  64u /* power of two */

/* A frame: saved frame pointer as distance from the first frame, and return
 * address. */
typedef uint64_t ct_record __attribute__((vector_size(16)));
/* The same as it lies on the stack, with the frame pointer as it is. */
typedef ct_record ct_frame_record __attribute__((aligned(8), may_alias));

struct ct_known {
    uint64_t id;
    uint64_t generation; /* in which it was told; 0: an empty slot */
    uint64_t outer;
    uint32_t distance; /* in bytes, from the first frame to the entry's */
    uint32_t n;        /* rounded up to a multiple of four with the last one */
    uint32_t at[CT_KNOWN_FRAMES]; /* where each frame lies, as distance */
    ct_record records[CT_KNOWN_FRAMES];
};

/* CT_KNOWN_SLOTS of them; NULL: none yet. */
extern __thread struct ct_known *ct_known_stacks
    __attribute__((tls_model("initial-exec")));

static inline struct ct_known *ct_known_slot(const uintptr_t *start,
                                             uintptr_t distance)
{
    uint64_t key = (start[1] + distance) * 0x9e3779b97f4a7c15u;

    return &ct_known_stacks[key / (UINT64_MAX / CT_KNOWN_SLOTS + 1)];
}

/*
 * Whether the stack from @start is this one.  Reads nothing at or beyond
 * start + distance.
 */
__attribute__((always_inline,
               no_sanitize("address", "thread"))) static inline bool
ct_known_is(const struct ct_known *known, const uintptr_t *start,
            uintptr_t distance, uint64_t outer)
{
    const ct_record base = {(uint64_t)(uintptr_t)start, 0};
    ct_record differ = {0, 0};
    uint64_t differs = 0;

    if (known->distance != distance || known->outer != outer) {
        return false;
    }
    /* Just written, one half by one instruction each: read like that, or the
     * load waits until they have reached the cache. */
#pragma GCC unroll 4
    for (uint32_t i = 0; i < 4; i++) {
        const uintptr_t *frame =
            (const uintptr_t *)((const char *)start + known->at[i]);

        differs |= (frame[0] - (uintptr_t)start) ^ known->records[i][0];
        differs |= frame[1] ^ known->records[i][1];
    }
    for (uint32_t i = 4; i < known->n; i += 4) {
#pragma GCC unroll 4
        for (uint32_t k = 0; k < 4; k++) {
            const ct_frame_record *frame =
                (const ct_frame_record *)((const char *)start +
                                          known->at[i + k]);

            differ |= (*frame - base) ^ known->records[i + k];
        }
    }
    return (differs | differ[0] | differ[1]) == 0;
}

/**
 * ct_known_learn() - remember a stack that has just been walked and told
 * @start: its first frame; the walk reached start + distance
 */
void ct_known_learn(const uintptr_t *start, uintptr_t distance,
                    const struct ct_piece *piece, uint64_t id);

#pragma GCC visibility pop

#endif
