/* SPDX-License-Identifier: MIT */
/*
 * Chains of origins, immutable and shared: a million requests that one loop
 * submits share the loop's chain.
 *
 * A chain has no natural end: a bottom half that schedules itself a million
 * times would be a chain of a million.  Two rules keep it bounded, and neither
 * hides that something was left out:
 *
 *  1. A cycle is folded.  When the newest 2 p origins are the same p twice
 *     (boundary, stack and process; p <= CYCLE_MAX), the second p leave the
 *     chain and the newest origin counts them: repeats, period.
 *  2. A chain that would grow past CT_ORIGIN_LENGTH_MAX keeps its newest
 *     NEWEST_KEPT and its outermost OUTERMOST_KEPT origins (those reach main);
 *     between them `skipped` says how many are missing.  The shortened copy is
 *     made once for an origin, however many grow from it.
 *
 * Freeing walks the chain in a loop; only a chain of full length can hold a
 * shortened copy, and a copy is shorter than that, so the depth of calls is
 * two.
 */
#include "model/state/origin.h"

#include <stdlib.h>

#include <glib.h>

#include "ct/pre.h"

enum {
    CYCLE_MAX = 8,
    NEWEST_KEPT = 64,
    OUTERMOST_KEPT = 16,
};

G_STATIC_ASSERT(NEWEST_KEPT + OUTERMOST_KEPT < CT_ORIGIN_LENGTH_MAX);

struct ct_origin *ct_origin_ref(struct ct_origin *origin)
{
    if (origin) {
        origin->refs++;
    }
    return origin;
}

void ct_origin_unref(struct ct_origin *origin)
{
    while (origin && --origin->refs == 0) {
        struct ct_origin *next = origin->next;
        ct_origin_unref(origin->shortened);
        free(origin);
        origin = next;
    }
}

static struct ct_origin *copy_of(const struct ct_origin *origin)
{
    struct ct_origin *copy = malloc(sizeof(*copy));

    if (!copy) {
        g_error("out of memory for origins");
    }
    *copy = *origin;
    copy->refs = 1;
    copy->next = NULL;
    copy->shortened = NULL;
    return copy;
}

static void link_to(struct ct_origin *origin, struct ct_origin *next)
{
    origin->next = ct_origin_ref(next);
    origin->length = next ? next->length + 1 : 1;
}

/* Copies of @n origins from @first on, the last one followed by @rest. */
static struct ct_origin *copy_run(const struct ct_origin *first, unsigned n,
                                  struct ct_origin *rest)
{
    const struct ct_origin *run[NEWEST_KEPT];
    struct ct_origin *next = ct_origin_ref(rest);

    for (unsigned i = 0; i < n; i++, first = first->next) {
        run[i] = first;
    }
    for (unsigned i = n; i-- > 0;) {
        struct ct_origin *copy = copy_of(run[i]);
        link_to(copy, next);
        ct_origin_unref(next);
        next = copy;
    }
    return next;
}

static uint64_t add_capped(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* How many are folded into @origin: its cycles, those within them included. */
static uint64_t folded_into(const struct ct_origin *origin)
{
    const struct ct_origin *at = origin;
    uint64_t n = 0;

    for (unsigned i = 0; i < origin->period; i++, at = at->next) {
        n = add_capped(n, 1);
        n = add_capped(n, i > 0 ? folded_into(at) : 0);
    }
    if (__builtin_mul_overflow(n, origin->repeats, &n)) {
        n = UINT64_MAX;
    }
    return n;
}

static struct ct_origin *shorten(const struct ct_origin *origin)
{
    const struct ct_origin *at = origin;
    uint64_t skipped = 0;

    for (unsigned i = 0; i < NEWEST_KEPT - 1; i++) {
        at = at->next;
    }
    skipped = at->skipped; /* `at` is the last one kept */
    struct ct_origin *rest = at->next;
    while (rest->length > OUTERMOST_KEPT) {
        skipped = add_capped(skipped, 1);
        skipped = add_capped(skipped, folded_into(rest));
        skipped = add_capped(skipped, rest->skipped);
        rest = rest->next;
    }
    struct ct_origin *copy = copy_run(origin, NEWEST_KEPT, rest);

    /* A fold whose period reaches past the last one kept can't be told. */
    struct ct_origin *last = copy;
    for (unsigned i = 0; i < NEWEST_KEPT; i++) {
        if (i + last->period > NEWEST_KEPT) {
            skipped = add_capped(skipped, folded_into(origin));
            last->repeats = 0;
            last->period = 0;
        }
        if (i == NEWEST_KEPT - 1) {
            last->skipped = skipped;
        }
        last = last->next;
        origin = origin->next;
    }
    return copy;
}

static bool is_same(const struct ct_origin *a, const struct ct_origin *b)
{
    return a->stack && a->stack == b->stack && a->boundary == b->boundary &&
           a->pid == b->pid && !a->skipped && !b->skipped;
}

/* Are the @period origins from @a on those from @b on, folds included?  The
 * first of @b may have been folded by this very period. */
static bool is_cycle(const struct ct_origin *a, const struct ct_origin *b,
                     unsigned period)
{
    if (b->repeats && b->period != period) {
        return false;
    }
    for (unsigned i = 0; i < period; i++, a = a->next, b = b->next) {
        if (!b || !is_same(a, b) ||
            (i > 0 && (a->repeats != b->repeats || a->period != b->period ||
                       i + a->period > period))) {
            return false;
        }
    }
    return true;
}

/* Folds the newest cycle of @origin, which nobody else holds yet. */
static void fold(struct ct_origin *origin)
{
    struct ct_origin *again = origin->next;

    for (unsigned period = 1; period <= CYCLE_MAX && again;
         period++, again = again->next) {
        if (!is_same(origin, again) || !is_cycle(origin, again, period)) {
            continue;
        }
        struct ct_origin *rest = again;
        for (unsigned i = 0; i < period; i++) {
            rest = rest->next;
        }
        origin->repeats = add_capped(again->repeats, 1);
        origin->period = period;
        struct ct_origin *old = origin->next;
        if (period == 1) {
            link_to(origin, rest);
        } else {
            struct ct_origin *run = copy_run(old, period - 1, rest);
            link_to(origin, run);
            ct_origin_unref(run);
        }
        ct_origin_unref(old);
        return;
    }
}

struct ct_origin *ct_origin_new(const struct ct_origin *like,
                                struct ct_origin *next)
{
    struct ct_origin *origin = copy_of(like);

    origin->n_also = 0;
    origin->repeats = 0;
    origin->period = 0;
    origin->skipped = 0;
    if (next && next->length >= CT_ORIGIN_LENGTH_MAX) {
        if (!next->shortened) {
            next->shortened = shorten(next);
        }
        next = next->shortened;
    }
    link_to(origin, next);
    fold(origin);
    return origin;
}

void ct_origin_also(struct ct_origin *origin, uint64_t stack)
{
    ct_pre("origin-also/not-shared", origin->refs == 1);
    if (origin->n_also < G_N_ELEMENTS(origin->also_stack)) {
        origin->also_stack[origin->n_also] = stack;
    }
    if (origin->n_also < UINT32_MAX) {
        origin->n_also++;
    }
}
