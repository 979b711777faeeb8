/* SPDX-License-Identifier: MIT */
/*
 * answer/histogram.h - percentiles of many numbers in bounded memory
 *
 * Model:    exact up to CT_HISTOGRAM_EXACT_MAX values; beyond that they are
 *           counted in buckets, and a percentile is at most one part in 2048
 *           too high, never too low.  The largest value is always exact.
 * Threads:  none.
 * Memory:   at most about 1.4 MiB.
 * Errors:   none; negative values count as 0.
 * Depends:  libc only.
 */
#ifndef CT_ANSWER_HISTOGRAM_H
#define CT_ANSWER_HISTOGRAM_H

#include <stdint.h>

#define CT_HISTOGRAM_EXACT_MAX 65536

struct ct_histogram;

struct ct_histogram *ct_histogram_new(void);
void ct_histogram_free(struct ct_histogram *histogram);

void ct_histogram_add(struct ct_histogram *histogram, int64_t value);
uint64_t ct_histogram_count(const struct ct_histogram *histogram);
int64_t ct_histogram_max(const struct ct_histogram *histogram);

/**
 * ct_histogram_quantile() - the smallest value that @part in @whole of the
 * values do not exceed (nearest rank); 0 if there are none
 */
int64_t ct_histogram_quantile(struct ct_histogram *histogram, unsigned part,
                              unsigned whole);

#endif
