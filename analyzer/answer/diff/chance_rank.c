/* SPDX-License-Identifier: MIT */
/*
 * Do most of one sample exceed most of the other by chance?
 *
 * The normal approximation is right where enough values of the shorter run
 * differ from what most are.  Where nearly all are equal (no request waited for
 * the lock) and one run is short, who has the few others decides: there the
 * ranks are dealt, as values are for the mean.
 */
#include <math.h>

#include "answer/diff/chance.h"

/* Of the shorter run so many are not expected to be what most are. */
#define OTHERS_MIN 100

/* Values that are equal, smallest first. */
struct tie {
    unsigned i, j; /* the next of each */
    bool has_begun;
    double before;
    double in_a, in_b;
    double rank; /* their mean one */
};

static double count_equal(const GArray *values, unsigned *at, int64_t value)
{
    unsigned first = *at;

    while (*at < values->len && g_array_index(values, int64_t, *at) == value) {
        (*at)++;
    }
    return *at - first;
}

static bool next_tie(struct tie *tie, const struct ct_sample *a,
                     const struct ct_sample *b)
{
    int64_t value = 0;

    tie->before += tie->in_a + tie->in_b;
    tie->in_a = tie->has_begun ? 0 : (double)a->zeros;
    tie->in_b = tie->has_begun ? 0 : (double)b->zeros;
    if (tie->has_begun) {
        if (tie->i == a->values->len && tie->j == b->values->len) {
            return false;
        }
        value = tie->i < a->values->len
                    ? g_array_index(a->values, int64_t, tie->i)
                    : INT64_MAX;
        if (tie->j < b->values->len) {
            value = MIN(value, g_array_index(b->values, int64_t, tie->j));
        }
    }
    tie->has_begun = true;
    tie->in_a += count_equal(a->values, &tie->i, value);
    tie->in_b += count_equal(b->values, &tie->j, value);
    tie->rank = tie->before + (tie->in_a + tie->in_b + 1) / 2;
    return true;
}

/* Twice the rank, which may lie between two whole numbers. */
static void append_ranks(GArray *ranks, double rank, double n)
{
    int64_t twice = llround(2 * rank);

    for (double i = 0; i < n; i++) {
        g_array_append_val(ranks, twice);
    }
}

static struct ct_chance deal_ranks(const struct ct_sample *a,
                                   const struct ct_sample *b, double enough,
                                   struct ct_deals *deals)
{
    GArray *ranks[2] = {g_array_new(FALSE, FALSE, sizeof(int64_t)),
                        g_array_new(FALSE, FALSE, sizeof(int64_t))};
    struct tie tie = {0};

    while (next_tie(&tie, a, b)) {
        append_ranks(ranks[0], tie.rank, tie.in_a);
        append_ranks(ranks[1], tie.rank, tie.in_b);
    }
    const struct ct_sample of_a = {ranks[0], 0}, of_b = {ranks[1], 0};
    struct ct_chance chance = ct_chance_mean(&of_a, &of_b, enough, deals);
    g_array_unref(ranks[0]);
    g_array_unref(ranks[1]);
    return chance;
}

struct ct_chance ct_chance_rank(const struct ct_sample *a,
                                const struct ct_sample *b, double enough,
                                struct ct_deals *deals, int64_t *ret_z_milli)
{
    double n = (double)(a->values->len + a->zeros);
    double m = (double)(b->values->len + b->zeros);
    double all = n + m;
    double ranks_b = 0, ties = 0, most = 0;
    struct tie tie = {0};

    *ret_z_milli = 0;
    if (n < 1 || m < 1) {
        return (struct ct_chance){1, 1};
    }
    while (next_tie(&tie, a, b)) {
        double same = tie.in_a + tie.in_b;
        ranks_b += tie.in_b * tie.rank;
        ties += same * same * same - same;
        most = MAX(most, same);
    }
    double shift = ranks_b - m * (m + 1) / 2 - n * m / 2;
    double variance = n * m / 12 * (all + 1 - ties / (all * (all - 1)));
    if (!(variance > 0)) {
        return (struct ct_chance){1, 1};
    }
    /* half a rank, since ranks are whole numbers */
    shift = shift > 0 ? MAX(shift - 0.5, 0) : MIN(shift + 0.5, 0);
    double z = shift / sqrt(variance);
    double normal = erfc(fabs(z) / M_SQRT2);
    struct ct_chance chance = {normal, normal};
    *ret_z_milli = llround(1000 * z);
    if (normal < enough && MIN(n, m) * (1 - most / all) < OTHERS_MIN) {
        chance = deal_ranks(a, b, enough, deals);
        chance.least = MAX(chance.least, normal);
        chance.most = MAX(chance.most, normal);
    }
    return chance;
}
