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

/* Of @all values @marked are marked: that of @n drawn ones @k or more are. */
static double chance_of_more(double all, double marked, double n, double k)
{
    double whole = ct_chance_log_choose(all, n), sum = 0;

    for (double i = k; i <= MIN(marked, n); i++) {
        if (n - i <= all - marked) {
            sum += exp(ct_chance_log_choose(marked, i) +
                       ct_chance_log_choose(all - marked, n - i) - whole);
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

double ct_chance_tail(const GArray *a, const GArray *b, bool *ret_is_b)
{
    unsigned all = a->len + b->len;

    *ret_is_b = false;
    if (!a->len || !b->len) {
        return 1;
    }
    int64_t least = longest(a, b, MAX(all / 100, TAIL_MIN));
    unsigned in_a = count_from(a, least), in_b = count_from(b, least);
    double more_a = chance_of_more(all, in_a + in_b, a->len, in_a);
    double more_b = chance_of_more(all, in_a + in_b, b->len, in_b);
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
