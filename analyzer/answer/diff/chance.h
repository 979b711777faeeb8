/* SPDX-License-Identifier: MIT */
/*
 * answer/diff/chance.h - how often does chance alone make such a difference?
 *
 * Model:    each function gives p, the probability that two samples of one
 *           source differ at least as much, to either side.
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
 * Memory:   ct_chance_mean(): 8 bytes a value while it runs.
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

/** ct_chance_rank() - of a rank test's z in thousandths */
double ct_chance_rank(int64_t z_milli);

/** ct_chance_mean() - that the means differ so much; what is not below @enough
 * is the normal approximation alone, which costs nothing */
double ct_chance_mean(const struct ct_sample *a, const struct ct_sample *b,
                      double enough);

/** ct_chance_tail() - that so many of the longest of both are one's: the
 * hundredth part of all, 20 at least, and what is as long as the last of them
 */
double ct_chance_tail(const GArray *a, const GArray *b);

/**
 * ct_chance_holm() - which of @n hold, if chance may make any of them do so in
 * @alpha of all cases at most?
 * @ret_sure: one for each
 */
void ct_chance_holm(const double *p, unsigned n, double alpha, bool *ret_sure);

#endif
