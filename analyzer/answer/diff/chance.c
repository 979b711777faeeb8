/* SPDX-License-Identifier: MIT */
/*
 * Tests of two samples.
 *
 * The mean: of all ways to deal the values out to both runs, how many make the
 * means differ as much?  The normal approximation is right for two runs of like
 * length; where one is far shorter a single long value makes it far too sure.
 * So what it finds is tried with deals by chance, and it has the last word only
 * on how rare it is what none of them reached.  Of two long runs in which no
 * value has much of the variance the approximation is right (J. Hajek, 1961),
 * and deals, which would cost most there, are not needed.
 */
#include "answer/diff/chance.h"

#include <math.h>
#include <stdlib.h>

/* Deals cost a step for each value of the smaller sample. */
#define DEALS_MAX 9999
#define DEALS_MIN 1999
#define STEPS     20000000

/* From so many on in either, if none has more than such a part of the squares.
 */
#define LARGE      2000
#define PART_SMALL 1e-3

/* With fewer of the longest ones even all of them on one side say little. */
#define TAIL_MIN 20

double ct_chance_rank(int64_t z_milli)
{
    return erfc(fabs((double)z_milli) / 1000 / M_SQRT2);
}

/* --- the mean --------------------------------------------------------- */

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

static double squares_of(const struct ct_sample *sample, double mean)
{
    double sum = (double)sample->zeros * mean * mean;

    for (unsigned i = 0; i < sample->values->len; i++) {
        double off = (double)g_array_index(sample->values, int64_t, i) - mean;
        sum += off * off;
    }
    return sum;
}

/* The most that one value adds to them. */
static double largest_square_of(const struct ct_sample *sample, double mean)
{
    double largest = sample->zeros ? mean * mean : 0;

    for (unsigned i = 0; i < sample->values->len; i++) {
        double off = (double)g_array_index(sample->values, int64_t, i) - mean;
        largest = MAX(largest, off * off);
    }
    return largest;
}

/* splitmix64 (S. Vigna, public domain), as a number below n */
static uint64_t draw(uint64_t *state, uint64_t n)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (uint64_t)((__uint128_t)z * n >> 64);
}

static unsigned put(double *pooled, unsigned n, const struct ct_sample *sample)
{
    for (unsigned i = 0; i < sample->values->len; i++) {
        pooled[n++] = (double)g_array_index(sample->values, int64_t, i);
    }
    for (uint64_t i = 0; i < sample->zeros; i++) {
        pooled[n++] = 0;
    }
    return n;
}

/* The part of deals in which the sum of @small of all is as far off; 0: of so
 * many none. */
static double deal(double *pooled, uint64_t all, uint64_t small, double mean,
                   double off)
{
    uint64_t deals = CLAMP(STEPS / small, DEALS_MIN, DEALS_MAX);
    uint64_t state = 1;
    uint64_t reached = 0;

    for (uint64_t k = 0; k < deals; k++) {
        double sum = 0;
        for (uint64_t i = 0; i < small; i++) {
            uint64_t other = i + draw(&state, all - i);
            double value = pooled[other];
            pooled[other] = pooled[i];
            pooled[i] = value;
            sum += value;
        }
        reached += fabs(sum - (double)small * mean) >= off * (1 - 1e-9);
    }
    return reached ? (double)(reached + 1) / (double)(deals + 1) : 0;
}

double ct_chance_mean(const struct ct_sample *a, const struct ct_sample *b,
                      double enough)
{
    uint64_t n = size_of(a), m = size_of(b), all = n + m;

    if (!n || !m || all > UINT32_MAX) {
        return 1;
    }
    double sum = sum_of(b), mean = (sum_of(a) + sum) / (double)all;
    double off = fabs(sum - (double)m * mean);
    double squares = squares_of(a, mean) + squares_of(b, mean);
    double variance = (double)n * (double)m * squares /
                      ((double)all * MAX((double)all - 1, 1));
    if (!(variance > 0)) {
        return 1;
    }
    double normal = erfc(off / sqrt(variance) / M_SQRT2);
    double largest =
        MAX(largest_square_of(a, mean), largest_square_of(b, mean));
    bool is_normal = MIN(n, m) >= LARGE && largest <= PART_SMALL * squares;
    if (normal >= enough || is_normal) {
        return normal;
    }
    double *pooled = g_new(double, all);
    put(pooled, put(pooled, 0, a), b);
    double dealt = deal(pooled, all, MIN(n, m), mean, off);
    g_free(pooled);
    return MAX(normal, dealt);
}

/* --- the longest ------------------------------------------------------ */

static double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* Of @all values @marked are marked: that of @n drawn ones @k or more are. */
static double chance_of_more(double all, double marked, double n, double k)
{
    double whole = log_choose(all, n), sum = 0;

    for (double i = k; i <= MIN(marked, n); i++) {
        if (n - i <= all - marked) {
            sum += exp(log_choose(marked, i) + log_choose(all - marked, n - i) -
                       whole);
        }
    }
    return MIN(sum, 1);
}

static unsigned count_from(const GArray *values, int64_t least)
{
    unsigned n = 0;

    while (n < values->len &&
           g_array_index(values, int64_t, values->len - 1 - n) >= least) {
        n++;
    }
    return n;
}

/* The value that is the number @rank of both, from the longest. */
static int64_t longest(const GArray *a, const GArray *b, unsigned rank)
{
    unsigned i = a->len, j = b->len;
    int64_t value = 0;

    while (rank-- && i + j > 0) {
        bool is_a = j == 0 || (i > 0 && g_array_index(a, int64_t, i - 1) >=
                                            g_array_index(b, int64_t, j - 1));
        value = is_a ? g_array_index(a, int64_t, --i)
                     : g_array_index(b, int64_t, --j);
    }
    return value;
}

double ct_chance_tail(const GArray *a, const GArray *b)
{
    unsigned all = a->len + b->len;

    if (!a->len || !b->len) {
        return 1;
    }
    int64_t least = longest(a, b, MAX(all / 100, TAIL_MIN));
    unsigned in_a = count_from(a, least), in_b = count_from(b, least);
    double more_a = chance_of_more(all, in_a + in_b, a->len, in_a);
    double more_b = chance_of_more(all, in_a + in_b, b->len, in_b);
    return MIN(2 * MIN(more_a, more_b), 1);
}

/* --- many tests ------------------------------------------------------- */

static int by_chance(const void *a, const void *b)
{
    double one = **(const double *const *)a, two = **(const double *const *)b;

    return one < two ? -1 : one > two;
}

void ct_chance_holm(const double *p, unsigned n, double alpha, bool *ret_sure)
{
    const double **order = g_new(const double *, n + 1);

    for (unsigned i = 0; i < n; i++) {
        order[i] = &p[i];
        ret_sure[i] = false;
    }
    qsort(order, n, sizeof(*order), by_chance);
    for (unsigned i = 0; i < n && *order[i] <= alpha / (n - i); i++) {
        ret_sure[order[i] - p] = true;
    }
    g_free(order);
}
