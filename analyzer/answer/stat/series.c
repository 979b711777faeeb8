/* SPDX-License-Identifier: MIT */
/*
 * An amount over time.  Two neighbours become one whenever time goes beyond the
 * last bucket: each bucket is merged at most 63 times, whatever comes.
 */
#include "answer/stat/series.h"

#include <string.h>

#include <glib.h>

static void widen(struct ct_series *series)
{
    for (unsigned i = 0; i < CT_SERIES_MAX / 2; i++) {
        if (__builtin_add_overflow(series->v[2 * i], series->v[2 * i + 1],
                                   &series->v[i])) {
            series->v[i] = INT64_MAX;
        }
    }
    memset(series->v + CT_SERIES_MAX / 2, 0, sizeof(series->v) / 2);
    series->shift++;
}

unsigned ct_series_reach(struct ct_series *series, int64_t to_ns)
{
    uint64_t last = (uint64_t)MAX(to_ns - 1, 0);

    while (last >> series->shift >= CT_SERIES_MAX) {
        widen(series);
    }
    return (unsigned)(last >> series->shift) + 1;
}

void ct_series_add(struct ct_series *series, int64_t from_ns, int64_t to_ns,
                   int64_t level)
{
    from_ns = MAX(from_ns, 0);
    if (from_ns >= to_ns || !level) {
        return;
    }
    ct_series_reach(series, to_ns);
    uint64_t at = (uint64_t)from_ns >> series->shift;
    while (from_ns < to_ns) {
        uint64_t next_ns = (at + 1) << series->shift;
        int64_t end_ns = (int64_t)MIN(next_ns, (uint64_t)to_ns);
        int64_t part_ns;
        int64_t *sum = &series->v[at++];

        if (__builtin_mul_overflow(end_ns - from_ns, level, &part_ns) ||
            __builtin_add_overflow(*sum, part_ns, sum)) {
            *sum = level > 0 ? INT64_MAX : INT64_MIN;
        }
        from_ns = end_ns;
    }
}
