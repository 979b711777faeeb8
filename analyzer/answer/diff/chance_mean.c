/* SPDX-License-Identifier: MIT */
/*
 * Do the means of two samples differ by chance?
 *
 * Of all ways to deal the values out to both runs, how many make the means
 * differ as much?  Of two long runs in which no value has much of the variance
 * the sum of what one is dealt is normal (J. Hajek, "Limiting distributions in
 * simple random sampling from a finite population", 1960).  Few values that are
 * far from all others, or a short run, make that far too sure.  So:
 *
 * - far values are dealt by chance one by one, and to each such deal belongs
 * the normal chance that the near ones, of which the smaller run gets as many
 * as are then missing, make up the rest: the mean of that over some deals;
 * - where there are too few near values all are dealt, and counted is how many
 *   deals reach the difference.
 *
 * What no deal reaches may still be less rare than the normal approximation of
 * all values says.  How rare it is at most says the deal that was made: how
 * often chance deals the far values just so, and then the near ones so
 * unevenly.
 *
 * Before anything is dealt chance_bound.c says above what it can't be, and
 * about what it is.  What hardly one of all deals would reach is not dealt,
 * since that tells less.  What is dealt, is until it is known to be above what
 * matters (J. Besag, P. Clifford, "Sequential Monte Carlo p-values", 1991), or
 * there are no steps left: then both bounds are all that is known.
 */
#include <math.h>

#include "answer/diff/chance.h"

/* Of all values: each costs a step for each value of the smaller run. */
#define DEALS_MAX 9999
#define STEPS     20000000

/* So rare that of all deals hardly one reaches it, if the approximation for
 * rare sums is right: it is trusted where the bound is not far from it. */
#define UNREACHED (1.0 / (DEALS_MAX + 1))
#define TRUST     10

/* Of what is left so much may be tried if it isn't enough for all deals. */
#define PART_TRIED 8

/* A normal chance takes as long as that many draws. */
#define STEPS_NORMAL 8

/* Of far ones, which need fewer: each gives a chance, not a yes or no. */
#define DEALS_FAR 1999

/* A value is far that has more than such a part of the squares of those that
 * are no farther; so many at most are, and so many near ones either run has. */
#define PART_SMALL 1e-3
#define FAR_MAX    2000
#define NEAR_MIN   2000

/* The values of both runs, sorted: those from @first to before @end are near.
 */
struct pool {
    double *values;
    uint64_t n;
    uint64_t small; /* so many the smaller of both runs has */
    uint64_t first;
    uint64_t end;
    double mean_all;
    double mean;    /* of the near ones */
    double squares; /* of their distances from it */
};

/* splitmix64 (S. Vigna, public domain), as a number below n */
static uint64_t draw(uint64_t *state, uint64_t n)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (uint64_t)((__uint128_t)z * n >> 64);
}

static uint64_t size_of(const struct ct_sample *sample)
{
    return sample->values->len + sample->zeros;
}

static double sum_of(const struct ct_sample *sample)
{
    double sum = 0;

    for (unsigned i = 0; i < sample->values->len; i++) {
        sum += (double)g_array_index(sample->values, int64_t, i);
    }
    return sum;
}

/* --- near and far ----------------------------------------------------- */

static void merge(struct pool *pool, const struct ct_sample *a,
                  const struct ct_sample *b)
{
    const int64_t *one = (const int64_t *)(const void *)a->values->data;
    const int64_t *two = (const int64_t *)(const void *)b->values->data;
    unsigned i = 0, j = 0;
    uint64_t n = 0;

    while (n < a->zeros + b->zeros) {
        pool->values[n++] = 0;
    }
    while (n < pool->n) {
        bool is_a =
            j == b->values->len || (i < a->values->len && one[i] <= two[j]);
        pool->values[n++] = (double)(is_a ? one[i++] : two[j++]);
    }
}

static void measure(struct pool *pool)
{
    double sum = 0, squares = 0;

    for (uint64_t i = pool->first; i < pool->end; i++) {
        sum += pool->values[i];
    }
    pool->mean = sum / (double)(pool->end - pool->first);
    for (uint64_t i = pool->first; i < pool->end; i++) {
        double off = pool->values[i] - pool->mean;
        squares += off * off;
    }
    pool->squares = squares;
}

static uint64_t count_far(const struct pool *pool)
{
    return pool->n - (pool->end - pool->first);
}

/* The farthest one is the first or the last: without it mean and squares change
 * as B. P. Welford's update says, the other way round. */
static void set_far_apart(struct pool *pool)
{
    while (count_far(pool) < FAR_MAX && pool->end - pool->first > 1) {
        double low = pool->mean - pool->values[pool->first];
        double high = pool->values[pool->end - 1] - pool->mean;
        double off = low > high ? -low : high;
        if (off * off <= PART_SMALL * pool->squares) {
            break;
        }
        if (low > high) {
            pool->first++;
        } else {
            pool->end--;
        }
        double rest = (double)(pool->end - pool->first);
        pool->squares = MAX(pool->squares - off * off * (rest + 1) / rest, 0);
        pool->mean -= off / rest;
    }
    measure(pool);
}

static bool has_near_ones(const struct pool *pool)
{
    return pool->small >= NEAR_MIN + count_far(pool);
}

/* --- deals ------------------------------------------------------------ */

/* That a normal value around @mean is @least or more from 0, to either side. */
static double chance_of(double mean, double variance, double least)
{
    if (!(variance > 0)) {
        return fabs(mean) >= least * (1 - 1e-9);
    }
    double unit = sqrt(2 * variance);
    return (erfc((least - mean) / unit) + erfc((least + mean) / unit)) / 2;
}

/* The sum of @k of @n values whose squares are such is as uncertain. */
static double variance_of(double n, double k, double squares)
{
    return k * (n - k) * squares / (n * MAX(n - 1, 1));
}

/* The far ones of the smaller run have that sum, and so many near ones are
 * missing there: that it is @off in all. */
static double chance_of_near(const struct pool *pool, double sum,
                             uint64_t missing, double off)
{
    double near = (double)(pool->end - pool->first), k = (double)missing;
    double mean = sum + k * pool->mean - (double)pool->small * pool->mean_all;

    return chance_of(mean, variance_of(near, k, pool->squares), off);
}

/* As many of @all deals as there are steps for. */
static uint64_t count_deals(const struct ct_deals *deals, uint64_t all,
                            uint64_t steps)
{
    return deals->steps / steps >= all
               ? all
               : MIN(deals->steps / PART_TRIED / steps, all - 1);
}

/* The mean of all, or of those until it is above the limit; NAN: that took
 * more steps than there were. */
static double deal_far(const struct pool *pool, double off,
                       struct ct_deals *deals)
{
    uint64_t far = count_far(pool), all = far ? DEALS_FAR : 1, state = 1;
    uint64_t steps = far + STEPS_NORMAL, n = count_deals(deals, all, steps);
    double chance = 0;

    for (uint64_t k = 0; k < n; k++) {
        double sum = 0;
        uint64_t missing = pool->small;
        for (uint64_t i = 0; i < far; i++) {
            if (draw(&state, pool->n - i) < missing) {
                uint64_t at = i < pool->first ? i : pool->end + i - pool->first;
                sum += pool->values[at];
                missing--;
            }
        }
        chance += chance_of_near(pool, sum, missing, off);
        deals->steps -= steps;
        if (chance > deals->limit * (double)all) {
            return chance / (double)(k + 1);
        }
    }
    return n == all ? chance / (double)all : NAN;
}

/* 0: none reaches it; NAN: as above.  Only of few: less than NEAR_MIN +
 * FAR_MAX. */
static double deal_all(struct pool *pool, double off, struct ct_deals *deals)
{
    uint64_t all = MIN(STEPS / pool->small, DEALS_MAX);
    uint64_t n = count_deals(deals, all, pool->small);
    uint64_t state = 1, reached = 0;
    double expected = (double)pool->small * pool->mean_all;

    for (uint64_t k = 0; k < n; k++) {
        double sum = 0;
        for (uint64_t i = 0; i < pool->small; i++) {
            uint64_t other = i + draw(&state, pool->n - i);
            double value = pool->values[other];
            pool->values[other] = pool->values[i];
            pool->values[i] = value;
            sum += value;
        }
        deals->steps -= pool->small;
        if (fabs(sum - expected) < off * (1 - 1e-9)) {
            continue;
        }
        reached++;
        if ((double)(reached + 1) > deals->limit * (double)(all + 1)) {
            return (double)(reached + 1) / (double)(k + 2);
        }
    }
    if (n < all) {
        return NAN;
    }
    return reached ? (double)(reached + 1) / (double)(all + 1) : 0;
}

/* That the far values are dealt as they were, and the near ones as unevenly. */
static double chance_as_made(const struct pool *pool,
                             const struct ct_sample *small, double off)
{
    double low = pool->values[pool->first], high = pool->values[pool->end - 1];
    double sum = 0;
    uint64_t taken = low > 0 ? small->zeros : 0, far = 0;

    for (unsigned i = 0; i < small->values->len; i++) {
        double value = (double)g_array_index(small->values, int64_t, i);
        if (value < low || value > high) {
            sum += value;
            taken++;
        }
    }
    for (uint64_t i = 0; i < pool->n; i++) {
        far += pool->values[i] < low || pool->values[i] > high;
    }
    double just_so = ct_chance_log_choose((double)(pool->n - far),
                                          (double)(pool->small - taken)) -
                     ct_chance_log_choose((double)pool->n, (double)pool->small);
    return exp(just_so) * chance_of_near(pool, sum, pool->small - taken, off);
}

/* Beyond the normal approximation: @least of all, and @off. */
static struct ct_chance look_closer(struct pool *pool,
                                    const struct ct_sample *small, double least,
                                    double off, struct ct_deals *deals)
{
    double near = 1, most = 1;

    if (deals) {
        most = ct_chance_bound(pool->values, pool->n, pool->small, off, least,
                               &near);
    }
    set_far_apart(pool);
    least = MAX(least, chance_as_made(pool, small, off));
    if ((deals && most <= deals->sure) ||
        (near <= UNREACHED && most <= TRUST * UNREACHED)) {
        least = MAX(least, near);
        return (struct ct_chance){least, least};
    }
    double dealt = !deals                ? NAN
                   : has_near_ones(pool) ? deal_far(pool, off, deals)
                                         : deal_all(pool, off, deals);
    if (isnan(dealt)) {
        return (struct ct_chance){least, MAX(least, most)};
    }
    least = MAX(least, dealt);
    return (struct ct_chance){least, least};
}

struct ct_chance ct_chance_mean(const struct ct_sample *a,
                                const struct ct_sample *b, double enough,
                                struct ct_deals *deals)
{
    uint64_t n = size_of(a), m = size_of(b);
    struct ct_chance chance = {1, 1};

    if (!n || !m || n + m > UINT32_MAX) {
        return chance;
    }
    struct pool pool = {.n = n + m, .small = MIN(n, m), .end = n + m};
    pool.values = g_new(double, pool.n);
    merge(&pool, a, b);
    measure(&pool);
    pool.mean_all = pool.mean;
    double off = fabs(sum_of(b) - (double)m * pool.mean_all);
    double variance = variance_of((double)pool.n, (double)m, pool.squares);
    if (variance > 0) {
        chance.least = chance.most = chance_of(0, variance, off);
    }
    if (chance.least < enough && variance > 0) {
        chance = look_closer(&pool, n <= m ? a : b, chance.least, off, deals);
    }
    g_free(pool.values);
    return chance;
}
