/* SPDX-License-Identifier: MIT */
/*
 * answer/histogram.h - percentiles of many numbers in bounded memory
 *
 * Model:    exact up to a number of values; beyond that they are counted in
 *           buckets, and a percentile is at most one part in 2^precision too
 *           high, never too low.  The largest value, the sum and the counts by
 *           octave are always exact.
 * Threads:  none.
 * Memory:   the exact values; then 8 * 2^precision bytes an octave that has
 *           any.
 * Errors:   none; negative values count as 0, a sum too great as INT64_MAX.
 * Depends:  libc only.
 */
#ifndef CT_ANSWER_HISTOGRAM_H
#define CT_ANSWER_HISTOGRAM_H

#include <stdint.h>

#define CT_HISTOGRAM_EXACT_MAX 65536
#define CT_HISTOGRAM_PRECISION 11
#define CT_HISTOGRAM_OCTAVES   63 /* [i]: 2^i and more; 0 lies in the first */

struct ct_histogram;

/**
 * ct_histogram_new() - @exact_max: a power of two, values kept as they are;
 * @precision: bits, see above
 */
struct ct_histogram *ct_histogram_new(uint64_t exact_max, unsigned precision);
void ct_histogram_free(struct ct_histogram *histogram);

void ct_histogram_add(struct ct_histogram *histogram, int64_t value);
uint64_t ct_histogram_count(const struct ct_histogram *histogram);
int64_t ct_histogram_max(const struct ct_histogram *histogram);
int64_t ct_histogram_sum(const struct ct_histogram *histogram);

/** ct_histogram_octaves() - how many values lie in each; borrowed */
const uint64_t *ct_histogram_octaves(const struct ct_histogram *histogram);

/**
 * ct_histogram_quantile() - the smallest value that @part in @whole of the
 * values do not exceed (nearest rank); 0 if there are none
 */
int64_t ct_histogram_quantile(struct ct_histogram *histogram, unsigned part,
                              unsigned whole);

#endif
