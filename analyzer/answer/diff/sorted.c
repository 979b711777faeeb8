/* SPDX-License-Identifier: MIT */
/*
 * Many times, put in order: a distribution sort by digits.
 */
#include "answer/diff/sorted.h"

#include <stdlib.h>
#include <string.h>

#include <glib.h>

enum {
    DIGIT_BITS = 11,
    N_VALUES = 1 << DIGIT_BITS, /* of a digit */
    N_DIGITS = (64 + DIGIT_BITS - 1) / DIGIT_BITS,
    FEW = 512, /* below, counting digits costs more than comparing */
};

static int by_value(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;

    return one < two ? -1 : one > two;
}

/* Negative ones come first. */
static unsigned digit_of(int64_t time, unsigned digit)
{
    uint64_t key = (uint64_t)time ^ (UINT64_C(1) << 63);

    return (unsigned)(key >> (digit * DIGIT_BITS)) & (N_VALUES - 1);
}

void ct_sort_times(int64_t *times, unsigned n)
{
    if (n < FEW) {
        if (n) { /* else there may be no array */
            qsort(times, n, sizeof(*times), by_value);
        }
        return;
    }

    uint64_t differ = 0; /* bits that are not the same in all */
    for (unsigned i = 1; i < n; i++) {
        differ |= (uint64_t)times[i] ^ (uint64_t)times[0];
    }

    g_autofree int64_t *other = g_new(int64_t, n);
    g_autofree unsigned *starts = g_new(unsigned, N_VALUES);
    int64_t *from = times, *to = other;
    for (unsigned digit = 0; digit < N_DIGITS; digit++) {
        unsigned at = 0;

        if (((differ >> (digit * DIGIT_BITS)) & (N_VALUES - 1)) == 0) {
            continue;
        }
        memset(starts, 0, N_VALUES * sizeof(*starts));
        for (unsigned i = 0; i < n; i++) {
            starts[digit_of(from[i], digit)]++;
        }
        for (unsigned value = 0; value < N_VALUES; value++) {
            unsigned count = starts[value];
            starts[value] = at;
            at += count;
        }
        for (unsigned i = 0; i < n; i++) {
            to[starts[digit_of(from[i], digit)]++] = from[i];
        }
        int64_t *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != times) {
        memcpy(times, from, n * sizeof(*times));
    }
}
