/* SPDX-License-Identifier: MIT */
/*
 * answer/diff/chance.h - how often does chance alone make such a difference?
 *
 * Model:    each function gives p, the probability that two samples of one
 *           source differ at least as much, to either side.  Two of them may
 *           have to deal for it, which takes many steps: without that they
 *           give a bound, in a time that is linear in the values.
 *           ct_chance_rank(): rank test (H. B. Mann, D. R. Whitney, "On a test
 *           of whether one of two random variables is stochastically larger
 *           than the other", 1947), ties counted.
 *           ct_chance_mean(): permutation test (E. J. G. Pitman, "Significance
 *           tests which may be applied to samples from any populations", 1937).
 *           ct_chance_tail(): quantile test (R. A. Johnson, S. Verrill, D. H.
 *           Moore, "Two-sample rank tests for detecting changes that occur in a
 *           small proportion of the treated population", Biometrics 43, 1987).
 *           ct_chance_holm(): S. Holm, "A simple sequentially rejective
 *           multiple test procedure", 1979.
 *           All take the values of a sample to be independent of one another;
 *           Holm's bound needs no such thing of the tests among one another.
 * Threads:  one; random numbers have a fixed seed.
 * Memory:   ct_chance_mean(), _rank(): 8, 16 bytes a value while they run.
 * Errors:   none; too few values to tell: p is 1.
 * Depends:  glib.h.
 */
#ifndef CT_DIFF_CHANCE_H
#define CT_DIFF_CHANCE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* int64_t, sorted, none below 0; and @zeros more. */
struct ct_sample {
    const GArray *values;
    uint64_t zeros;
};

/* What is known of p; both are the same: p. */
struct ct_chance {
    double least;
    double most;
};

/* What may be dealt. */
struct ct_deals {
    double sure;    /* of p: how far it is below does not matter */
    double limit;   /* nor how far it is above that */
    uint64_t steps; /* what is taken goes off */
};

/**
 * ct_chance_rank() - that most of one exceed most of the other so much
 * @enough:      what is not below it is the normal approximation alone
 * @deals:       who deals always deals the same; NULL: nothing is dealt, and
 *               p is at least that
 * @ret_z_milli: that one's z in thousandths; positive: those of @b are greater
 */
struct ct_chance ct_chance_rank(const struct ct_sample *a,
                                const struct ct_sample *b, double enough,
                                struct ct_deals *deals, int64_t *ret_z_milli);

/** ct_chance_mean() - that the means differ so much; as above */
struct ct_chance ct_chance_mean(const struct ct_sample *a,
                                const struct ct_sample *b, double enough,
                                struct ct_deals *deals);

/**
 * ct_chance_bound() - that the sum of @drawn of @n values, sorted, is @off or
 * more from what is expected
 * @known:    the bound need not be below it
 * @ret_near: a close approximation, or the bound where there is none
 *
 * Return: what it is at most.
 */
double ct_chance_bound(const double *values, uint64_t n, uint64_t drawn,
                       double off, double known, double *ret_near);

/** ct_chance_tail() - that so many of the longest of both are one's: the
 * hundredth part of all, 20 at least, and what is as long as the last of them
 * @ret_is_b: they are those of @b
 */
double ct_chance_tail(const struct ct_sample *a, const struct ct_sample *b,
                      bool *ret_is_b);

/** ct_chance_log_choose() - the natural logarithm of "@n choose @k" */
double ct_chance_log_choose(double n, double k);

/**
 * ct_chance_holm() - which of @n hold, if chance may make any of them do so in
 * @alpha of all cases at most?
 * @ret_sure: one for each
 */
void ct_chance_holm(const double *p, unsigned n, double alpha, bool *ret_sure);

#endif
