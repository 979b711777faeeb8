/* SPDX-License-Identifier: MIT */
/*
 * How rare is a sum of drawn values at most?  Nothing is dealt for it: a pass
 * over the values for each step of a search.
 *
 * Of N values m are drawn, all sets of m equally likely, and their sum is t or
 * more.  For any weights q > 0 and l >= 0 (H. Chernoff, "A measure of
 * asymptotic efficiency for tests of a hypothesis based on the sum of
 * observations", 1952) that is no more likely than
 *
 *   exp(-l t) [q^m] prod(1 + q exp(l x)) / (N choose m).
 *
 * The coefficient is the product over q^m, times the chance that of N
 * independent yes or no, with odds q exp(l x), m are yes: 0.4688 over their
 * standard deviation at most, whatever m is (J.-B. Baillon, R. Cominetti,
 * J. Vaisman, "A sharp uniform bound for the distribution of sums of Bernoulli
 * trials", 2016).  So whatever the search finds is a bound, and what it looks
 * for is the least one: the logarithm of the product is convex in l and log q.
 *
 * Where the least one is found its derivatives give a close approximation, too
 * (I. M. Skovgaard, "Saddlepoint expansions for conditional distributions",
 * 1987), however far out, where the normal one is not close any more.
 */
#include <math.h>

#include "answer/diff/chance.h"

#define PASSES_MAX 40

/* A step promises to gain less of the logarithm: that is the least. */
#define GAIN_MIN 1e-4

#define MODE_MAX 0.4688

/* A logarithm for many factors. */
#define PRODUCT_MAX 1e200

/* What is to be drawn: @drawn of @n values, sorted, which are in units of @unit
 * from
 * @mean (a negative one: the other way round); their sum is to be @least. */
struct draw {
    const double *values;
    uint64_t n;
    double mean, unit;
    double drawn;
    double least;
};

/* The logarithm that is to be least, and its derivatives by l and log q. */
struct point {
    double l, q;
    double log;
    double by_l, by_q;
    double by_ll, by_lq, by_qq;
};

static uint64_t after_equal(const struct draw *draw, uint64_t at)
{
    uint64_t end = at + 1;

    while (end < draw->n && draw->values[end] <= draw->values[at]) {
        end++;
    }
    return end;
}

static void look(const struct draw *draw, struct point *point)
{
    double log_sum = 0, product = 1;
    double yes = 0, sum = 0, qq = 0, lq = 0, ll = 0;

    for (uint64_t i = 0, end; i < draw->n; i = end) {
        end = after_equal(draw, i);
        double same = (double)(end - i);
        double x = (draw->values[i] - draw->mean) / draw->unit;
        double odds = point->l * x + point->q;
        double less = exp(-fabs(odds));
        double chance = same * (odds > 0 ? 1 : less) / (1 + less);
        double spread = same * less / ((1 + less) * (1 + less));
        log_sum += same * MAX(odds, 0);
        if (same > 1) {
            log_sum += same * log1p(less);
        } else {
            product *= 1 + less;
        }
        if (product > PRODUCT_MAX) {
            log_sum += log(product);
            product = 1;
        }
        yes += chance;
        sum += chance * x;
        qq += spread;
        lq += spread * x;
        ll += spread * x * x;
    }
    point->log = log_sum + log(product) - point->l * draw->least -
                 point->q * draw->drawn;
    point->by_l = sum - draw->least;
    point->by_q = yes - draw->drawn;
    point->by_ll = ll;
    point->by_lq = lq;
    point->by_qq = qq;
}

/* Newton's, to where both derivatives would be 0; false: it has none. */
static bool find_step(const struct point *at, double *ret_l, double *ret_q,
                      double *ret_gain)
{
    double det = at->by_ll * at->by_qq - at->by_lq * at->by_lq;

    if (!(det > 1e-12 * at->by_ll * at->by_qq)) {
        return false;
    }
    *ret_l = (at->by_lq * at->by_q - at->by_qq * at->by_l) / det;
    *ret_q = (at->by_lq * at->by_l - at->by_ll * at->by_q) / det;
    *ret_gain = -(*ret_l * at->by_l + *ret_q * at->by_q) / 2;
    return isfinite(*ret_l) && isfinite(*ret_q);
}

static double bound_at(const struct draw *draw, const struct point *at)
{
    double mode = at->by_qq > 0 ? MIN(MODE_MAX / sqrt(at->by_qq), 1) : 1;

    return exp(at->log - ct_chance_log_choose((double)draw->n, draw->drawn)) *
           mode;
}

/* Skovgaard's, between l of 0, where all are as likely, and the least. */
static double tail_near(const struct point *start, const struct point *at)
{
    double det = at->by_ll * at->by_qq - at->by_lq * at->by_lq;
    double root = sqrt(2 * MAX(start->log - at->log, 0));
    double far = at->l * sqrt(MAX(det, 0) / start->by_qq);

    if (!(root > 0.1) || !(far > 0)) {
        return 1;
    }
    double density = exp(-root * root / 2) / sqrt(2 * M_PI);
    return erfc(root / M_SQRT2) / 2 + density * (1 / far - 1 / root);
}

static void search(const struct draw *draw, double known, double *ret_most,
                   double *ret_near)
{
    double part = draw->drawn / (double)draw->n;
    struct point start = {.q = log(part / (1 - part))};
    double gain = INFINITY, l = 0, q = 0, scale = 1;

    look(draw, &start);
    struct point at = start;
    *ret_most = *ret_near = 1;
    for (unsigned pass = 1; pass<PASSES_MAX && * ret_most> known; pass++) {
        if (scale == 1 && !find_step(&at, &l, &q, &gain)) {
            break;
        }
        if (gain < GAIN_MIN) {
            *ret_near = tail_near(&start, &at);
            break;
        }
        struct point next = {.l = at.l + scale * l, .q = at.q + scale * q};
        look(draw, &next);
        if (next.l >= 0 && next.log < at.log) {
            at = next;
            scale = 1;
            *ret_most = MIN(*ret_most, bound_at(draw, &at));
        } else {
            scale /= 4;
        }
    }
    *ret_near = CLAMP(*ret_near, 0, *ret_most);
}

double ct_chance_bound(const double *values, uint64_t n, uint64_t drawn,
                       double off, double known, double *ret_near)
{
    double sum = 0, squares = 0, most = 0;

    *ret_near = 1;
    for (uint64_t i = 0; i < n; i++) {
        sum += values[i];
    }
    double mean = n ? sum / (double)n : 0;
    for (uint64_t i = 0; i < n; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
    }
    double unit = n ? sqrt(squares / (double)n) : 0;
    if (!drawn || drawn >= n || !(unit > 0)) {
        return 1;
    }
    *ret_near = 0;
    for (int side = -1; side <= 1; side += 2) {
        const struct draw draw = {
            .values = values,
            .n = n,
            .mean = mean,
            .unit = side * unit,
            .drawn = (double)drawn,
            .least = off * (1 - 1e-9) / unit,
        };
        double near, one;
        search(&draw, known / 2, &one, &near);
        most += one;
        *ret_near += near;
    }
    return MIN(most, 1);
}
