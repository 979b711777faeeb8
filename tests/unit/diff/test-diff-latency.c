/* SPDX-License-Identifier: MIT */
/*
 * The rank test: against values that were worked out by hand, and against
 * chance itself.
 */
#include <glib.h>

#include "answer/diff/chance.h"

static GArray *values(unsigned n, const int64_t *from)
{
    GArray *array = g_array_new(FALSE, FALSE, sizeof(int64_t));

    g_array_append_vals(array, from, n);
    return array;
}

static int64_t z_of(const GArray *a, uint64_t zeros_a, const GArray *b,
                    uint64_t zeros_b)
{
    const struct ct_sample one = {a, zeros_a}, two = {b, zeros_b};
    int64_t z_milli;

    ct_chance_rank(&one, &two, 0, NULL, &z_milli);
    return z_milli;
}

static void test_by_hand(void)
{
    const int64_t low[] = {1, 2, 3}, high[] = {4, 5, 6}, mixed[] = {1, 4, 5};
    GArray *a = values(3, low), *b = values(3, high), *c = values(3, mixed);
    GArray *none = values(0, low);

    /* U = 9, mean 4.5, variance 3*3*7/12 = 5.25: (4.5 - 0.5) / 2.2913 */
    g_assert_cmpint(z_of(a, 0, b, 0), ==, 1746);
    g_assert_cmpint(z_of(b, 0, a, 0), ==, -1746);
    g_assert_cmpint(z_of(a, 0, a, 0), ==, 0);
    /* pairs that b wins: 1 ties 1 (0.5), 4 and 5 win 3 each: U = 6.5; one tie
     * of two: variance 9/12 * (7 - 6/30) = 5.1; (2 - 0.5) / 2.2583 */
    g_assert_cmpint(z_of(a, 0, c, 0), ==, 664);
    /* all the same, or nothing: no answer */
    g_assert_cmpint(z_of(none, 5, none, 7), ==, 0);
    g_assert_cmpint(z_of(none, 0, a, 0), ==, 0);
    /* zeros are the least values */
    g_assert_cmpint(z_of(none, 3, b, 0), >, 1746);
    g_array_unref(a);
    g_array_unref(b);
    g_array_unref(c);
    g_array_unref(none);
}

static int by_value(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;

    return one < two ? -1 : one > two;
}

static GArray *draw(GRand *rand, double factor)
{
    GArray *array = g_array_new(FALSE, FALSE, sizeof(int64_t));

    for (unsigned i = 0; i < 100; i++) {
        /* a long tail: one in ten takes a hundred times as long */
        double scale = g_rand_int_range(rand, 0, 10) ? 1 : 100;
        int64_t value =
            (int64_t)(factor * scale * g_rand_double_range(rand, 1000, 2000));
        g_array_append_val(array, value);
    }
    g_array_sort(array, by_value);
    return array;
}

/* Of a thousand pairs from one distribution z is beyond 3.29 about once; of
 * those where one is half as long again, nearly always. */
static void test_chance(void)
{
    GRand *rand = g_rand_new_with_seed(1);
    unsigned wrong = 0, right = 0;

    for (unsigned i = 0; i < 2000; i++) {
        GArray *a = draw(rand, 1), *b = draw(rand, 1), *c = draw(rand, 1.5);
        wrong += ABS(z_of(a, 0, b, 0)) > 3291;
        right += z_of(a, 0, c, 0) > 3291;
        g_array_unref(a);
        g_array_unref(b);
        g_array_unref(c);
    }
    g_assert_cmpuint(wrong, <=, 6);
    g_assert_cmpuint(right, >=, 1980);
    g_rand_free(rand);
}

static double chance_of_zeros(uint64_t n, unsigned slow_n, uint64_t m,
                              unsigned slow_m)
{
    GArray *a = values(0, NULL), *b = values(0, NULL);
    int64_t z_milli;

    for (unsigned i = 0; i < slow_n + slow_m; i++) {
        int64_t value = 1000 + i;
        g_array_append_val(i < slow_n ? a : b, value);
    }
    const struct ct_sample one = {a, n - slow_n}, two = {b, m - slow_m};
    struct ct_deals deals = {.limit = 1, .steps = UINT64_MAX};
    double chance = ct_chance_rank(&one, &two, 0.001, &deals, &z_milli).most;
    g_test_message("z %.3f, p %.2g", (double)z_milli / 1000, chance);
    g_array_unref(a);
    g_array_unref(b);
    return chance;
}

/* Nearly all are 0: in which run the others lie is soon by chance. */
static void test_few_others(void)
{
    /* one of 20 in 10 of 10 010: in 2 of 100 deals */
    double p = chance_of_zeros(10, 1, 10000, 19);
    g_assert_cmpfloat(p, >, 0.015);
    g_assert_cmpfloat(p, <, 0.025);
    /* five of five in 2 500 of 22 500, a ninth: (1/9)^5, z is 6.3; what deals
     * hardly ever reach is not said to be rarer than it is */
    p = chance_of_zeros(2500, 5, 20000, 0);
    g_assert_cmpfloat(p, >, 0.5 * 1.69e-5);
    g_assert_cmpfloat(p, <, 1e-3);
    /* as many as 500 are no chance */
    g_assert_cmpfloat(chance_of_zeros(2500, 500, 20000, 0), <, 1e-9);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/diff-latency/by-hand", test_by_hand);
    g_test_add_func("/diff-latency/chance", test_chance);
    g_test_add_func("/diff-latency/few-others", test_few_others);
    return g_test_run();
}
