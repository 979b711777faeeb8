/* SPDX-License-Identifier: MIT */
/*
 * Are the longest of two samples one's by chance; and many tests together.
 */
#include "answer/diff/chance.h"

#include <math.h>
#include <stdlib.h>

/* With fewer of the longest ones even all of them on one side say little. */
#define TAIL_MIN 20

/* --- the longest ------------------------------------------------------ */

double ct_chance_log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* Of @all values @marked are marked: that of @n drawn ones @k or more are; 1:
 * they are no more than expected. */
static double chance_of_more(double all, double marked, double n, double k)
{
    double whole = ct_chance_log_choose(all, n), sum = 0;

    if (k <= n * marked / all) {
        return 1;
    }
    for (double i = k; i <= MIN(marked, n); i++) {
        double one = exp(ct_chance_log_choose(marked, i) +
                         ct_chance_log_choose(all - marked, n - i) - whole);
        sum += one;
        if (one < sum * 1e-12) { /* each is less than the one before */
            break;
        }
    }
    return MIN(sum, 1);
}

static uint64_t size_of(const struct ct_sample *sample)
{
    return sample->values->len + sample->zeros;
}

static uint64_t count_from(const struct ct_sample *sample, int64_t least)
{
    const GArray *values = sample->values;
    unsigned n = 0;

    while (n < values->len &&
           g_array_index(values, int64_t, values->len - 1 - n) >= least) {
        n++;
    }
    return n + (least > 0 ? 0 : sample->zeros);
}

/* The value that is the number @rank of both, from the longest. */
static int64_t longest(const GArray *a, const GArray *b, uint64_t rank)
{
    unsigned i = a->len, j = b->len;
    int64_t value = 0;

    for (; rank && i + j > 0; rank--) {
        bool is_a = j == 0 || (i > 0 && g_array_index(a, int64_t, i - 1) >=
                                            g_array_index(b, int64_t, j - 1));
        value = is_a ? g_array_index(a, int64_t, --i)
                     : g_array_index(b, int64_t, --j);
    }
    return rank ? 0 : value;
}

double ct_chance_tail(const struct ct_sample *a, const struct ct_sample *b,
                      bool *ret_is_b)
{
    uint64_t n_a = size_of(a), n_b = size_of(b), all = n_a + n_b;

    *ret_is_b = false;
    if (!n_a || !n_b) {
        return 1;
    }
    int64_t least = longest(a->values, b->values, MAX(all / 100, TAIL_MIN));
    double in_a = (double)count_from(a, least);
    double in_b = (double)count_from(b, least);
    double more_a = chance_of_more((double)all, in_a + in_b, (double)n_a, in_a);
    double more_b = chance_of_more((double)all, in_a + in_b, (double)n_b, in_b);
    *ret_is_b = more_b < more_a;
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
