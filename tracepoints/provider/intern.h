/* SPDX-License-Identifier: MIT */
/*
 * intern.h - a piece of a stack by its content, told once
 *
 * Model:    ct_intern_hash() names a piece; ct_intern_is_told() says whether
 *           its frames stand in the trace already; if not, the caller tells
 *           them (ct_intern_tell()) before it uses the id.
 * Threads:  any.
 * Errors:   a full table forgets: the piece is told again.
 */
#ifndef CT_INTERN_H
#define CT_INTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "stack_int.h"

#define CT_INTERN_SETS 4096u /* power of two; two slots each */

#pragma GCC visibility push(hidden)

extern uint64_t ct_intern_keys[CT_STACK_MAX + 1]; /* fixed at the start */

/*
 * What was told under another key counts as not told.  Atomic; written by
 * ct_intern_new_generation().
 */
extern uint64_t ct_intern_generation;

/* Atomic: id ^ generation of what has been told; pairs with
 * publish() in intern.c. */
extern uint64_t ct_intern_told[2 * CT_INTERN_SETS];

static inline uint64_t ct_intern_mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * Sum of products of pairs, each word under a key of its own place (the NH
 * function of UMAC): two different stacks of the same length meet with a
 * chance of 2^-64, and the products don't wait for one another.
 */
static inline uint64_t ct_intern_hash(const uint64_t *frames, uint32_t n,
                                      uint64_t outer, bool limit)
{
    const uint64_t *keys = ct_intern_keys;
    __uint128_t sum = 0;
    uint64_t id;
    uint32_t i;

    for (i = 0; i + 2 <= n; i += 2) {
        sum +=
            (__uint128_t)(frames[i] + keys[i]) * (frames[i + 1] + keys[i + 1]);
    }
    if (i < n) {
        sum += (__uint128_t)(frames[i] + keys[i]) * keys[i + 1];
    }
    id = ct_intern_mix((uint64_t)sum ^ 0x2d358dccaa6c78a5u,
                       (uint64_t)(sum >> 64) ^ 0x8bb84b93962eacc9u);
    id = ct_intern_mix(id ^ outer, 0x4b33a62ed433d4a3u + 2 * n + limit);
    return id ? id : 1;
}

/* Whether the id's frames have been told; if so, what follows comes after. */
static inline bool ct_intern_is_told(uint64_t id)
{
    const uint64_t *set = &ct_intern_told[2 * (id % CT_INTERN_SETS)];
    uint64_t key =
        id ^ __atomic_load_n(&ct_intern_generation, __ATOMIC_RELAXED);

    return __atomic_load_n(&set[0], __ATOMIC_ACQUIRE) == key ||
           __atomic_load_n(&set[1], __ATOMIC_ACQUIRE) == key;
}

/** ct_intern_tell() - put the frames of @id into the trace */
void ct_intern_tell(uint64_t id, const struct ct_piece *piece);

/** ct_intern_new_generation() - everything has to be told again */
void ct_intern_new_generation(void);

#pragma GCC visibility pop

#endif
