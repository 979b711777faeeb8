/* SPDX-License-Identifier: MIT */
/*
 * Few values are kept as they are.  Many are counted in buckets of a width that
 * grows with the value: `precision` bits of each value after its first are
 * kept, so that a bucket is never wider than a 2^precision-th of its values.
 * The buckets of one width are a group, which is made when it is needed: what
 * is measured spans few octaves.
 */
#include "answer/histogram.h"

#include <stdbool.h>
#include <stdlib.h>

#include <glib.h>

#include "ct/pre.h"

struct ct_histogram {
    uint64_t n;
    uint64_t exact_max;
    unsigned precision;
    bool sorted;
    bool is_counted; /* in groups */
    int64_t max, sum;
    int64_t *values;
    uint64_t *groups[64]; /* by shift; the first is twice as long */
    uint64_t octaves[CT_HISTOGRAM_OCTAVES];
};

struct ct_histogram *ct_histogram_new(uint64_t exact_max, unsigned precision)
{
    struct ct_histogram *histogram = g_new0(struct ct_histogram, 1);

    ct_pre("histogram-new/power-of-two",
           exact_max && !(exact_max & (exact_max - 1)));
    histogram->exact_max = exact_max;
    histogram->precision = precision;
    return histogram;
}

void ct_histogram_free(struct ct_histogram *histogram)
{
    if (histogram) {
        for (unsigned i = 0; i < G_N_ELEMENTS(histogram->groups); i++) {
            g_free(histogram->groups[i]);
        }
        g_free(histogram->values);
        g_free(histogram);
    }
}

/* A group's first value, in units of its width; the first group has no gap. */
static uint64_t first_of(const struct ct_histogram *histogram, unsigned shift)
{
    return shift ? UINT64_C(1) << histogram->precision : 0;
}

static uint64_t length_of(const struct ct_histogram *histogram, unsigned shift)
{
    return UINT64_C(1) << (histogram->precision + !shift);
}

static unsigned octave_of(uint64_t value)
{
    return value ? 63 - (unsigned)__builtin_clzll(value) : 0;
}

static void count(struct ct_histogram *histogram, int64_t value)
{
    uint64_t v = (uint64_t)value;
    unsigned octave = octave_of(v);
    unsigned shift =
        octave > histogram->precision ? octave - histogram->precision : 0;

    /* Always so; said for compilers that work with every value of a shift. */
    shift = MIN(shift, G_N_ELEMENTS(histogram->groups) - 1);

    if (!histogram->groups[shift]) {
        histogram->groups[shift] =
            g_new0(uint64_t, length_of(histogram, shift));
    }
    histogram->groups[shift][(v >> shift) - first_of(histogram, shift)]++;
}

void ct_histogram_add(struct ct_histogram *histogram, int64_t value)
{
    value = MAX(value, 0);
    histogram->max = MAX(histogram->max, value);
    if (__builtin_add_overflow(histogram->sum, value, &histogram->sum)) {
        histogram->sum = INT64_MAX;
    }
    histogram->octaves[octave_of((uint64_t)value)]++;
    if (histogram->n == histogram->exact_max && !histogram->is_counted) {
        histogram->is_counted = true;
        for (uint64_t i = 0; i < histogram->n; i++) {
            count(histogram, histogram->values[i]);
        }
        g_free(histogram->values);
        histogram->values = NULL;
    }
    if (histogram->is_counted) {
        count(histogram, value);
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

int64_t ct_histogram_sum(const struct ct_histogram *histogram)
{
    return histogram->sum;
}

const uint64_t *ct_histogram_octaves(const struct ct_histogram *histogram)
{
    return histogram->octaves;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* The end of the bucket in which the @rank-th value lies. */
static int64_t counted_quantile(const struct ct_histogram *histogram,
                                uint64_t rank)
{
    uint64_t seen = 0;

    for (unsigned shift = 0; shift < G_N_ELEMENTS(histogram->groups); shift++) {
        const uint64_t *group = histogram->groups[shift];
        uint64_t first = first_of(histogram, shift);

        for (uint64_t i = 0; group && i < length_of(histogram, shift); i++) {
            seen += group[i];
            if (seen >= rank) {
                return (int64_t)(((first + i + 1) << shift) - 1);
            }
        }
    }
    return histogram->max;
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
    return MIN(counted_quantile(histogram, rank), histogram->max);
}
