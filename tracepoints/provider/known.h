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
#define CT_KNOWN_SETS   64u /* power of two */
#define CT_KNOWN_WAYS   4u  /* stacks of a set */

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

/*
 * What is looked at first is the tags of a set, half a cache line: a stack's
 * innermost return address, distance and outside, mixed.  Different stacks may
 * have the same one, and then lie in several ways.
 */
struct ct_known_table {
    uint64_t tags[CT_KNOWN_SETS][CT_KNOWN_WAYS]; /* 0: empty, or so rare that
                                                    it does not matter */
    uint8_t latest[CT_KNOWN_SETS]; /* the way that was found or learnt last */
    struct ct_known stacks[CT_KNOWN_SETS][CT_KNOWN_WAYS];
};

/* NULL: none yet. */
extern __thread struct ct_known_table *ct_known_table
    __attribute__((tls_model("initial-exec")));

static inline uint64_t ct_known_tag(const uintptr_t *start, uintptr_t distance,
                                    uint64_t outer)
{
    return (start[1] + distance + (outer << 1)) * 0x9e3779b97f4a7c15u;
}

static inline uint64_t ct_known_set(uint64_t tag)
{
    return tag / (UINT64_MAX / CT_KNOWN_SETS + 1);
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

/* NULL: in none of the other ways of the set. */
struct ct_known *ct_known_search(const uintptr_t *start, uintptr_t distance,
                                 uint64_t outer);

/* NULL: unknown.  There must be a table. */
__attribute__((always_inline)) static inline struct ct_known *ct_known_find(
    const uintptr_t *start, uintptr_t distance, uint64_t outer)
{
    struct ct_known_table *table = ct_known_table;
    uint64_t tag = ct_known_tag(start, distance, outer);
    uint64_t set = ct_known_set(tag);
    uint32_t way = table->latest[set];
    struct ct_known *known = &table->stacks[set][way];

    if (table->tags[set][way] == tag &&
        ct_known_is(known, start, distance, outer)) {
        return known;
    }
    return ct_known_search(start, distance, outer);
}

/**
 * ct_known_learn() - remember a stack that has just been walked and told
 * @start: its first frame; the walk reached start + distance
 */
void ct_known_learn(const uintptr_t *start, uintptr_t distance,
                    const struct ct_piece *piece, uint64_t id);

#pragma GCC visibility pop

#endif
