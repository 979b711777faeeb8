/* SPDX-License-Identifier: MIT */
/*
 * Times put in order, beside the C library's sort.
 */
#include <stdlib.h>

#include <glib.h>

#include "answer/diff/sorted.h"

enum { N_MAX = 5000 };

static int by_value(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;

    return one < two ? -1 : one > two;
}

static void check(const int64_t *times, unsigned n)
{
    g_autofree int64_t *ours = g_memdup2(times, n * sizeof(*times));
    g_autofree int64_t *theirs = g_memdup2(times, n * sizeof(*times));

    ct_sort_times(ours, n);
    if (n) { /* else there is no array */
        qsort(theirs, n, sizeof(*theirs), by_value);
    }
    g_assert_cmpmem(ours, n * sizeof(*ours), theirs, n * sizeof(*theirs));
}

static int64_t random_bits(GRand *random, unsigned bits)
{
    uint64_t value =
        (uint64_t)g_rand_int(random) << 32 | (uint64_t)g_rand_int(random);

    return (int64_t)(bits ? value >> (64 - bits) : 0);
}

/* Of each width up to the whole, of which the top bit is the sign. */
static void test_widths(void)
{
    static const unsigned sizes[] = {0, 1, 2, 511, 512, 513, N_MAX};
    GRand *random = g_rand_new_with_seed(1);
    int64_t times[N_MAX];

    for (unsigned bits = 0; bits <= 64; bits++) {
        for (unsigned i = 0; i < N_MAX; i++) {
            times[i] = random_bits(random, bits);
        }
        for (unsigned s = 0; s < G_N_ELEMENTS(sizes); s++) {
            check(times, sizes[s]);
        }
    }
    g_rand_free(random);
}

/* Times that differ in a digit in the middle only, or in the lowest and the
 * highest: the others are passed over. */
static void test_digits(void)
{
    static const uint64_t masks[] = {
        UINT64_C(0x7ff) << 22,       UINT64_C(1) << 63,
        UINT64_C(1) << 63 | 1,       UINT64_C(0xff) << 55,
        UINT64_C(0xfff) << 10,       UINT64_MAX,
        UINT64_C(0x7ff) << 44 | 0x7, 0,
    };
    GRand *random = g_rand_new_with_seed(2);
    int64_t times[N_MAX];

    for (unsigned m = 0; m < G_N_ELEMENTS(masks); m++) {
        uint64_t rest = (uint64_t)random_bits(random, 64) & ~masks[m];
        for (unsigned i = 0; i < N_MAX; i++) {
            times[i] =
                (int64_t)(((uint64_t)random_bits(random, 64) & masks[m]) |
                          rest);
        }
        times[7] = INT64_MIN;
        times[8] = INT64_MAX;
        check(times + 9, N_MAX - 9);
        check(times, N_MAX);
    }
    g_rand_free(random);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sorted/widths", test_widths);
    g_test_add_func("/sorted/digits", test_digits);
    return g_test_run();
}
