/* SPDX-License-Identifier: MIT */
/*
 * Few values are kept as they are.  Many are counted in buckets of a width that
 * grows with the value: SUB_BITS bits of each value after its first are kept,
 * so that a bucket is never wider than a 2^SUB_BITS-th of its values.
 */
#include "answer/histogram.h"

#include <stdbool.h>
#include <stdlib.h>

#include <glib.h>

#include "ct/pre.h"

enum {
    SUB_BITS = 11,
    SUB = 1 << SUB_BITS,
    N_BUCKETS = (63 - SUB_BITS) * SUB + SUB,
};

struct ct_histogram {
    uint64_t n;
    int64_t max;
    bool sorted;
    int64_t *values;   /* NULL once there are too many */
    uint64_t *buckets; /* NULL as long as there are not */
};

struct ct_histogram *ct_histogram_new(void)
{
    return g_new0(struct ct_histogram, 1);
}

void ct_histogram_free(struct ct_histogram *histogram)
{
    if (histogram) {
        g_free(histogram->values);
        g_free(histogram->buckets);
        g_free(histogram);
    }
}

static unsigned bucket_of(int64_t value)
{
    uint64_t v = (uint64_t)value;
    unsigned shift = 0;

    if (v >= 2 * SUB) {
        shift = 63 - (unsigned)__builtin_clzll(v) - SUB_BITS;
    }
    return shift * SUB + (unsigned)(v >> shift);
}

/* The largest value that the bucket counts. */
static int64_t bucket_end(unsigned bucket)
{
    unsigned shift = bucket < 2 * SUB ? 0 : bucket / SUB - 1;
    uint64_t first = bucket - shift * SUB;

    return (int64_t)(((first + 1) << shift) - 1);
}

void ct_histogram_add(struct ct_histogram *histogram, int64_t value)
{
    value = MAX(value, 0);
    histogram->max = MAX(histogram->max, value);
    if (histogram->n == CT_HISTOGRAM_EXACT_MAX) {
        histogram->buckets = g_new0(uint64_t, N_BUCKETS);
        for (uint64_t i = 0; i < histogram->n; i++) {
            histogram->buckets[bucket_of(histogram->values[i])]++;
        }
        g_free(histogram->values);
        histogram->values = NULL;
    }
    if (histogram->buckets) {
        histogram->buckets[bucket_of(value)]++;
        histogram->n++;
        return;
    }
    /* Grows at powers of two. */
    if ((histogram->n & (histogram->n - 1)) == 0) {
        histogram->values = g_renew(int64_t, histogram->values,
                                    histogram->n ? histogram->n * 2 : 1);
    }
    histogram->values[histogram->n++] = value;
    histogram->sorted = false;
}

uint64_t ct_histogram_count(const struct ct_histogram *histogram)
{
    return histogram->n;
}

int64_t ct_histogram_max(const struct ct_histogram *histogram)
{
    return histogram->max;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int64_t ct_histogram_quantile(struct ct_histogram *histogram, unsigned part,
                              unsigned whole)
{
    ct_pre("histogram-quantile/part", whole > 0 && part > 0 && part <= whole);
    if (!histogram->n) {
        return 0;
    }
    uint64_t rank =
        (uint64_t)(((unsigned __int128)histogram->n * part + whole - 1) /
                   whole);
    if (histogram->values) {
        if (!histogram->sorted) {
            qsort(histogram->values, histogram->n, sizeof(int64_t), compare);
            histogram->sorted = true;
        }
        return histogram->values[rank - 1];
    }
    uint64_t seen = 0;
    unsigned bucket = 0;
    while ((seen += histogram->buckets[bucket]) < rank) {
        bucket++;
    }
    return MIN(bucket_end(bucket), histogram->max);
}
