/* SPDX-License-Identifier: MIT */
/*
 * test-intern.c - ids by content, told once a generation
 */
#include <string.h>

#include "ct/kept.h"
#include "intern.h"
#include "told.h"

#include "lib/tap.h"

static struct ct_piece piece_of(uint32_t n, uint64_t seed)
{
    struct ct_piece piece = {.n = n};

    for (uint32_t i = 0; i < n; i++) {
        piece.frames[i] = 0x550000001000u + (seed + i) * 16;
    }
    return piece;
}

static uint64_t id_of(const struct ct_piece *piece)
{
    return ct_intern_hash(piece->frames, piece->n, piece->outer, piece->limit);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* No two of these stacks, as alike as stacks are, share an id. */
static void test_distinct(void)
{
    enum { SEEDS = 64, LENGTHS = 64, SWAPS = 512, COUNT = 20000 };
    static uint64_t ids[COUNT];
    size_t n = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        for (uint32_t length = 0; length < LENGTHS; length++) {
            struct ct_piece piece = piece_of(length, seed);

            if (length == 0 && seed > 0) {
                continue; /* the same empty stack */
            }
            ids[n++] = id_of(&piece);
            piece.limit = true;
            ids[n++] = id_of(&piece);
            piece.limit = false;
            piece.outer = 1 + seed;
            ids[n++] = id_of(&piece);
        }
    }
    for (uint32_t swap = 0; swap < SWAPS; swap++) {
        struct ct_piece piece = piece_of(40, 0);
        uint32_t i = swap % 39, k = i + 1 + swap % (39 - i);
        uint64_t kept = piece.frames[i];

        if (swap >= 39 && k == i + 1) {
            continue; /* had it already */
        }
        piece.frames[i] = piece.frames[k];
        piece.frames[k] = kept + (swap / 39) * 4;
        ids[n++] = id_of(&piece);
    }
    qsort(ids, n, sizeof(ids[0]), compare);
    for (size_t i = 0; i < n; i++) {
        tap_check(ids[i] != 0);
        tap_check(i == 0 || ids[i] != ids[i - 1]);
    }
}

/* Every bit of the id depends on every frame. */
static void test_spread(void)
{
    struct ct_piece piece = piece_of(17, 0);
    uint64_t before = id_of(&piece);

    for (uint32_t i = 0; i < piece.n; i++) {
        unsigned changed = 0;

        for (unsigned bit = 0; bit < 48; bit++) {
            piece.frames[i] ^= 1UL << bit;
            changed += (unsigned)__builtin_popcountll(before ^ id_of(&piece));
            piece.frames[i] ^= 1UL << bit;
        }
        /* 32 of 64 on average */
        tap_check(changed / 48 > 26 && changed / 48 < 38);
    }
}

static void test_told_once(void)
{
    struct ct_piece piece = piece_of(5, 1);
    uint64_t id = id_of(&piece);

    told_forget();
    tap_check(!ct_intern_is_told(id));
    ct_intern_tell(id, &piece);
    tap_check(ct_intern_is_told(id));
    tap_equal(told_count(), 1);
    tap_check(told_find(id) && told_find(id)->piece.n == 5);
    ct_intern_new_generation();
    tap_check(!ct_intern_is_told(id));
}

/* A full table forgets, and never takes one stack for another. */
static void test_full(void)
{
    enum { COUNT = 8 * CT_INTERN_SETS };
    unsigned kept = 0;

    ct_intern_new_generation();
    told_forget();
    for (uint64_t i = 0; i < COUNT; i++) {
        struct ct_piece piece = piece_of(3, 100 + i);
        uint64_t id = id_of(&piece);

        tap_check(!ct_intern_is_told(id));
        ct_intern_tell(id, &piece);
        tap_check(ct_intern_is_told(id));
    }
    for (uint64_t i = 0; i < COUNT; i++) {
        struct ct_piece piece = piece_of(3, 100 + i);

        kept += ct_intern_is_told(id_of(&piece));
    }
    tap_check(kept > CT_INTERN_SETS && kept <= 2 * CT_INTERN_SETS);
}

/* A kept stack is told again in each generation, from the outside in, though
 * nobody stands on it any more. */
static void test_kept(void)
{
    struct ct_piece outer = piece_of(4, 500), inner = piece_of(6, 600);
    uint64_t outer_id = id_of(&outer), inner_id;

    inner.outer = outer_id;
    inner_id = id_of(&inner);
    told_forget();
    ct_intern_new_generation();
    ct_intern_tell(outer_id, &outer);
    ct_intern_tell(inner_id, &inner);
    tap_equal(told_count(), 2);
    tap_equal(ct_stack_tell(inner_id), inner_id); /* stands there already */
    tap_equal(told_count(), 2);

    for (unsigned generation = 1; generation < 4; generation++) {
        ct_intern_new_generation();
        told_forget();
        tap_equal(ct_stack_tell(inner_id), inner_id);
        tap_equal(told_count(), 2);
        tap_check(!told_too_early());
        tap_check(told_find(inner_id) != NULL);
        tap_equal(told_find(inner_id)->piece.outer, outer_id);
        tap_equal(told_find(inner_id)->piece.n, 6);
        tap_check(memcmp(told_find(inner_id)->piece.frames, inner.frames,
                         6 * sizeof(inner.frames[0])) == 0);
    }
    tap_equal(ct_stack_tell(0), 0);
    tap_equal(ct_stack_tell(inner_id + 1), 0); /* never told */
}

/* After test_full(): what found no room is not known any more, and nothing is
 * taken for another stack. */
static void test_kept_full(void)
{
    enum { COUNT = 8 * CT_INTERN_SETS, EVERY = 29 };
    unsigned known = 0, asked = 0;

    ct_intern_new_generation();
    told_forget();
    for (uint64_t i = 0; i < COUNT; i += EVERY) {
        struct ct_piece piece = piece_of(3, 100 + i);
        uint64_t id = id_of(&piece);
        bool is_known = ct_stack_tell(id) == id;

        tap_equal(told_find(id) != NULL, is_known);
        tap_check(!is_known ||
                  told_find(id)->piece.frames[1] == piece.frames[1]);
        known += is_known;
        asked++;
    }
    tap_check(known > 0 && known < asked);
}

int main(void)
{
    /* The tables are empty: what fills them comes last. */
    tap_run("kept/told-again", test_kept);
    tap_run("hash/distinct", test_distinct);
    tap_run("hash/spread", test_spread);
    tap_run("told/once-a-generation", test_told_once);
    tap_run("told/full-table", test_full);
    tap_run("kept/full-table", test_kept_full);
    return tap_end();
}
