/* SPDX-License-Identifier: MIT */
/*
 * told.h - what the provider has told, for the test to look at
 *
 * Threads: any; the pieces that told_find() gives don't change.
 */
#ifndef TOLD_H
#define TOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "ct/events.h"

#include "stack_int.h"

struct told_piece {
    uint64_t id;
    struct ct_piece piece;
};

/* The newest piece with this id, NULL: not told since told_forget(). */
const struct told_piece *told_find(uint64_t id);

/* How often any piece has been told since told_forget(). */
unsigned told_count(void);

void told_forget(void);

/* Whether a piece was told before its outer piece. */
bool told_too_early(void);

struct told_kind {
    char layer[8], op[8], node[32];
    uint32_t flags;
};

/* What a number means, NULL: not told.  Stays until it is told otherwise. */
const struct told_kind *told_kind(uint32_t kind);

/* How often any kind has been told. */
unsigned told_kinds(void);

/* state_begin or state_end, whichever came last. */
enum ct_event_id told_last_state(void);

/*
 * Frames of a whole stack, innermost first: a piece and all outside it.
 * Returns their number; 0 if one has not been told.
 */
unsigned told_whole(uint64_t id, uint64_t *frames, unsigned max,
                    bool *ret_limit);

/*
 * Whether two stacks taken in one function are the same.  Their innermost
 * addresses differ: one was called earlier than the other.  A sanitizer's own
 * frame may stand before backtrace()'s.
 */
bool told_is_truth(const uint64_t *frames, unsigned n, void *const *truth,
                   int n_truth);

#endif
