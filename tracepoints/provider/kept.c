/* SPDX-License-Identifier: MIT */
/*
 * kept.c - the pieces of stacks that have been told, to be told again
 *
 * A telling names stacks that nobody stands on any more (who made a coroutine),
 * so their frames must be kept.  Every piece that is told is, since the piece
 * of a stack that a thread knows by heart is told only once.
 *
 * The table only grows, and has no lock: a slot is NULL or a piece that never
 * changes.  A piece that finds SPAN slots in a row taken is not kept.
 */
#include "kept.h"

#include <stdlib.h>
#include <string.h>

#include "ct/kept.h"

#include "intern.h"

enum {
    SLOTS = 8192, /* power of two */
    SPAN = 16,
    PIECES_MAX = 64, /* of one stack */
};

struct kept {
    uint64_t id;
    uint64_t outer;
    uint32_t n;
    bool limit;
    uint64_t frames[];
};

static struct kept *table[SLOTS]; /* atomic; the release is ct_kept_add()'s */

static const struct kept *find(uint64_t id)
{
    for (unsigned i = 0; i < SPAN; i++) {
        const struct kept *kept =
            __atomic_load_n(&table[(id + i) % SLOTS], __ATOMIC_ACQUIRE);

        if (!kept || kept->id == id) {
            return kept;
        }
    }
    return NULL;
}

static struct kept *copy_of(uint64_t id, const struct ct_piece *piece)
{
    size_t bytes = piece->n * sizeof(piece->frames[0]);
    struct kept *kept = malloc(sizeof(*kept) + bytes);

    if (kept) {
        kept->id = id;
        kept->outer = piece->outer;
        kept->n = piece->n;
        kept->limit = piece->limit;
        memcpy(kept->frames, piece->frames, bytes);
    }
    return kept;
}

void ct_kept_add(uint64_t id, const struct ct_piece *piece)
{
    struct kept *kept = find(id) ? NULL : copy_of(id, piece);

    for (unsigned i = 0; kept && i < SPAN; i++) {
        struct kept *there = NULL;

        /* Pairs with find(). */
        if (__atomic_compare_exchange_n(&table[(id + i) % SLOTS], &there, kept,
                                        false, __ATOMIC_RELEASE,
                                        __ATOMIC_ACQUIRE)) {
            return;
        }
        if (there->id == id) {
            break;
        }
    }
    free(kept);
}

static uint64_t tell(uint64_t id, unsigned depth)
{
    const struct kept *kept;
    struct ct_piece piece;

    if (!id || ct_intern_is_told(id)) {
        return id;
    }
    kept = find(id);
    if (!kept || depth == PIECES_MAX) {
        return 0;
    }
    (void)tell(kept->outer, depth + 1); /* before the one that names it */
    piece.outer = kept->outer;
    piece.n = kept->n;
    piece.limit = kept->limit;
    memcpy(piece.frames, kept->frames, kept->n * sizeof(piece.frames[0]));
    ct_intern_tell(id, &piece);
    return id;
}

uint64_t ct_stack_tell(uint64_t id)
{
    return tell(id, 0);
}
