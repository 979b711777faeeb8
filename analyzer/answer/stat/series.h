/* SPDX-License-Identifier: MIT */
/*
 * answer/stat/series.h - an amount over time, in at most so many buckets
 *
 * Model:    time from the trace's origin is cut into buckets of one width, a
 *           power of two of nanoseconds.  What comes later than the last bucket
 *           makes all of them twice as wide, so that the number of buckets lies
 *           between half of CT_SERIES_MAX and CT_SERIES_MAX.
 * Threads:  none.
 * Memory:   fixed; zeroed is empty.
 * Errors:   none.
 * Depends:  libc only.
 */
#ifndef CT_ANSWER_STAT_SERIES_H
#define CT_ANSWER_STAT_SERIES_H

#include <stdint.h>

#define CT_SERIES_MAX 96

struct ct_series {
    unsigned shift; /* log2 of the width */
    int64_t v[CT_SERIES_MAX];
};

/**
 * ct_series_add() - @level times the time from @from_ns to @to_ns
 * Both count from the origin; nothing if there is no time between them.
 */
void ct_series_add(struct ct_series *series, int64_t from_ns, int64_t to_ns,
                   int64_t level);

/** ct_series_reach() - buckets wide enough that @to_ns lies within them
 * Return: how many of them begin before it, at least 1 */
unsigned ct_series_reach(struct ct_series *series, int64_t to_ns);

#endif
