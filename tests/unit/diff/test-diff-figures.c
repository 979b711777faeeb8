/* SPDX-License-Identifier: MIT */
/*
 * How likely a difference is by chance: against values that were worked out by
 * hand, and against chance itself.
 */
#include <glib.h>
#include <math.h>

#include "answer/diff/chance.h"
#include "answer/diff/labels.h"
#include "answer/diff/latency.h"

static GArray *row(unsigned n, int64_t first, int64_t step)
{
    GArray *array = g_array_new(FALSE, FALSE, sizeof(int64_t));

    for (unsigned i = 0; i < n; i++) {
        int64_t value = first + (int64_t)i * step;
        g_array_append_val(array, value);
    }
    return array;
}

static int by_value(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;

    return one < two ? -1 : one > two;
}

/* All that can be known. */
static double mean_of_samples(const struct ct_sample *a,
                              const struct ct_sample *b, double enough)
{
    struct ct_deals deals = {.limit = INFINITY, .steps = UINT64_MAX};
    struct ct_chance chance = ct_chance_mean(a, b, enough, &deals);

    g_assert_cmpfloat(chance.least, ==, chance.most);
    return chance.most;
}

static double mean_of(const GArray *a, const GArray *b, double enough)
{
    const struct ct_sample one = {a, 0}, two = {b, 0};

    return mean_of_samples(&one, &two, enough);
}

static double tail_of(const GArray *a, const GArray *b)
{
    const struct ct_sample one = {a, 0}, two = {b, 0};
    bool is_b;

    return ct_chance_tail(&one, &two, &is_b);
}

#define ASSERT_WITHIN(value, low, high)     \
    do {                                    \
        double value_ = (value);            \
        g_assert_cmpfloat(value_, >, low);  \
        g_assert_cmpfloat(value_, <, high); \
    } while (0)

static void test_mean(void)
{
    GArray *low = row(3, 1, 1), *high = row(3, 4, 1), *none = row(0, 0, 0);

    /* off by 4.5 of a deviation of sqrt(9 * 17.5 / 30): z = 1.964 */
    ASSERT_WITHIN(mean_of(low, high, 0.001), 0.0495, 0.0496);
    /* of 20 deals two are as far off */
    ASSERT_WITHIN(mean_of(low, high, 1), 0.09, 0.11);
    g_assert_cmpfloat(mean_of(low, high, 1), ==, mean_of(low, high, 1));
    g_assert_cmpfloat(mean_of(low, low, 1), ==, 1);
    g_assert_cmpfloat(mean_of(low, none, 1), ==, 1);

    /* zeros are values */
    GArray *zeros = row(5, 0, 0), *tens = row(8, 10, 1);
    const struct ct_sample brief = {none, 5}, long_one = {tens, 0};
    g_assert_cmpfloat(mean_of_samples(&brief, &long_one, 0.5), ==,
                      mean_of(zeros, tens, 0.5));

    /* one long value in the far smaller of both: in one deal of 101, though
     * its z is 10 */
    GArray *many = row(1000, 1000, 0), *few = row(10, 1000, 0);
    g_array_index(few, int64_t, 9) = 1000000000;
    ASSERT_WITHIN(mean_of(many, few, 0.001), 0.007, 0.013);
    g_array_unref(low);
    g_array_unref(high);
    g_array_unref(none);
    g_array_unref(zeros);
    g_array_unref(tens);
    g_array_unref(many);
    g_array_unref(few);
}

/* What ct_chance_mean() should find, by dealing all values very often. */
static double dealt(const GArray *a, const GArray *b, GRand *rand)
{
    unsigned n = a->len, all = n + b->len, reached = 0;
    g_autofree double *pool = g_new(double, all);
    double total = 0, made = 0;
    enum { DEALS = 4000 };

    for (unsigned i = 0; i < all; i++) {
        pool[i] = (double)(i < n ? g_array_index(a, int64_t, i)
                                 : g_array_index(b, int64_t, i - n));
        total += pool[i];
        made += i < n ? pool[i] : 0;
    }
    double expected = total * n / all;
    for (unsigned k = 0; k < DEALS; k++) {
        double sum = 0;
        for (unsigned i = 0; i < n; i++) {
            unsigned other =
                (unsigned)g_rand_int_range(rand, (gint32)i, (gint32)all);
            double value = pool[other];
            pool[other] = pool[i];
            pool[i] = value;
            sum += value;
        }
        reached += ABS(sum - expected) >= ABS(made - expected);
    }
    return (double)reached / DEALS;
}

/* Few far values among many near ones: only the far ones are dealt. */
static void test_far(void)
{
    GRand *rand = g_rand_new_with_seed(5);

    /* both of two in a ninth of all: 1 of 81, z is 4 */
    GArray *many = row(20000, 1000, 0), *few = row(2500, 1000, 0);
    g_array_index(few, int64_t, 2498) = 1000000000;
    g_array_index(few, int64_t, 2499) = 1000000000;
    ASSERT_WITHIN(mean_of(many, few, 0.001), 0.009, 0.016);
    ASSERT_WITHIN(mean_of(few, many, 0.001), 0.009, 0.016);
    g_array_unref(many);
    g_array_unref(few);

    /* values as they are: most near, a long tail, one run a little slower */
    for (unsigned turn = 0; turn < 4; turn++) {
        GArray *a = row(3000, 0, 0), *b = row(5000, 0, 0);
        for (unsigned i = 0; i < 8000; i++) {
            double u = g_rand_double_range(rand, 1e-6, 1);
            int64_t value = (int64_t)(1000 / pow(u, 0.6)) + (i < 3000) * 200;
            int64_t *to = i < 3000 ? &g_array_index(a, int64_t, i)
                                   : &g_array_index(b, int64_t, i - 3000);
            *to = value;
        }
        g_array_sort(a, by_value);
        g_array_sort(b, by_value);
        double p = mean_of(a, b, 1.1), want = dealt(a, b, rand);
        g_test_message("%.4f, of all dealt %.4f", p, want);
        /* it may be less sure, not surer */
        ASSERT_WITHIN(p, want - 0.02, want + 0.1);
        g_array_unref(a);
        g_array_unref(b);
    }
    g_rand_free(rand);
}

/* --- without dealing all ---------------------------------------------- */

/* Of all sets of @drawn of @n the part whose sum is @off or more from what is
 * expected, by looking at each. */
static double count_sets(const double *values, unsigned n, unsigned drawn,
                         double off)
{
    double expected = 0;
    uint64_t sets = 0, reached = 0;

    for (unsigned i = 0; i < n; i++) {
        expected += values[i] * drawn / n;
    }
    for (uint32_t set = 0; set < 1u << n; set++) {
        double sum = 0;
        if ((unsigned)__builtin_popcount(set) != drawn) {
            continue;
        }
        for (unsigned i = 0; i < n; i++) {
            sum += set >> i & 1 ? values[i] : 0;
        }
        sets++;
        reached += ABS(sum - expected) >= off * (1 - 1e-9);
    }
    return (double)reached / (double)sets;
}

/* From hardly rare to the rarest: never less than it is, nor by far more. */
static void test_bound(void)
{
    enum { N = 16 };
    GRand *rand = g_rand_new_with_seed(6);
    double greatest = 0, least = INFINITY, most_near = 0, least_near = INFINITY;

    for (unsigned turn = 0; turn < 60; turn++) {
        double values[N], sum = 0, top = 0;
        unsigned drawn = 2 + turn % 12;
        for (unsigned i = 0; i < N; i++) {
            double far =
                pow(g_rand_double_range(rand, 0.01, 1), -(double)(turn % 3));
            values[i] = (i ? values[i - 1] : 0) + far;
            sum += values[i];
        }
        for (unsigned i = N - drawn; i < N; i++) {
            top += values[i];
        }
        double off = (top - sum * drawn / N) * (0.4 + 0.2 * (turn / 15));
        double is = count_sets(values, N, drawn, off), near;
        double most = ct_chance_bound(values, N, drawn, off, 0, &near);
        g_assert_cmpfloat(most, >=, is);
        g_assert_cmpfloat(near, <=, most);
        greatest = MAX(greatest, is > 0 ? most / is : 0);
        least = MIN(least, is > 0 ? most / is : INFINITY);
        most_near = MAX(most_near, is > 0 ? near / is : 0);
        least_near = MIN(least_near, is > 0 ? near / is : INFINITY);
    }
    g_test_message("of 60 the bound is %.2f to %.2f times what is, the "
                   "approximation %.2f to %.2f",
                   least, greatest, least_near, most_near);
    g_assert_cmpfloat(greatest, <, 20);
    g_assert_cmpfloat(most_near, <, 20);
    g_assert_cmpfloat(least_near, >, 0.3);

    const double same[] = {1, 1, 1, 1};
    double near;
    g_assert_cmpfloat(ct_chance_bound(same, 4, 2, 1, 0, &near), ==, 1);
    g_assert_cmpfloat(ct_chance_bound(same, 4, 4, 1, 0, &near), ==, 1);
    g_rand_free(rand);
}

/* Steps that there are not are not taken, and what is not known is said. */
static void test_steps(void)
{
    GArray *many = row(1000, 1000, 1), *few = row(10, 1000, 40);
    struct ct_sample a = {many, 0}, b = {few, 0};

    /* all ten in the lower half: z is 3.5, p about 4e-4 */
    struct ct_deals none = {.limit = 1, .steps = 50};
    struct ct_chance chance = ct_chance_mean(&a, &b, 1, &none);
    g_test_message("p %.2g to %.2g", chance.least, chance.most);
    g_assert_cmpuint(none.steps, <=, 50);
    g_assert_cmpfloat(chance.least, <, chance.most);
    struct ct_deals all = {.limit = 1, .steps = 1000000};
    double p = ct_chance_mean(&a, &b, 1, &all).most;
    g_assert_cmpfloat(p, ==, mean_of(many, few, 1));
    ASSERT_WITHIN(p, chance.least * 0.999, chance.most * 1.001);
    g_assert_cmpuint(all.steps, ==, 1000000 - 9999 * 10);

    /* above the limit is above the limit: the rest is not dealt */
    for (unsigned i = 0; i < 10; i++) {
        g_array_index(few, int64_t, i) = 1300 + i;
    }
    struct ct_deals soon = {.limit = 0.001, .steps = 1000000};
    p = ct_chance_mean(&a, &b, 1, &soon).least;
    g_assert_cmpfloat(p, >, 0.001);
    g_assert_cmpuint(soon.steps, >, 1000000 - 9999 * 10 / 2);
    g_array_unref(many);
    g_array_unref(few);
}

static void test_tail(void)
{
    GArray *a = row(100, 1, 1), *b = row(100, 1, 1), *few = row(9, 1, 1);
    double by_hand = 2;

    g_assert_cmpfloat(tail_of(a, b), ==, 1);
    for (unsigned i = 0; i < 20; i++) {
        g_array_index(b, int64_t, 80 + i) += 1000;
        by_hand *= (100.0 - i) / (200.0 - i);
    }
    ASSERT_WITHIN(tail_of(a, b), by_hand * 0.999, by_hand * 1.001);
    ASSERT_WITHIN(tail_of(b, a), by_hand * 0.999, by_hand * 1.001);
    /* all as long: no answer; so with few values, which are all the longest */
    GArray *same = row(100, 5, 0);
    g_assert_cmpfloat(tail_of(same, same), ==, 1);
    g_assert_cmpfloat(tail_of(few, few), ==, 1);
    g_array_unref(a);
    g_array_unref(b);
    g_array_unref(few);
    g_array_unref(same);
}

static void test_holm(void)
{
    const double both[] = {0.0004, 0.5, 0.0003}, one[] = {0.0004, 0.9, 0.9};
    const double stop[] = {0.0006, 0.0001, 0.0006, 0.00001};
    bool sure[4];

    ct_chance_holm(both, 3, 0.001, sure);
    g_assert_true(sure[0] && !sure[1] && sure[2]);
    ct_chance_holm(one, 3, 0.001, sure);
    g_assert_true(!sure[0] && !sure[1] && !sure[2]);
    ct_chance_holm(stop, 4, 0.001, sure);
    g_assert_true(!sure[0] && sure[1] && !sure[2] && sure[3]);
    ct_chance_holm(NULL, 0, 0.001, sure);
}

/* One in ten takes a hundred times as long; of @n the first @slow 1 ms more. */
static GArray *draw(GRand *rand, unsigned n, unsigned slow)
{
    GArray *array = g_array_new(FALSE, FALSE, sizeof(int64_t));

    for (unsigned i = 0; i < n; i++) {
        double scale = slow || g_rand_int_range(rand, 0, 10) ? 1 : 100;
        int64_t value =
            (int64_t)(scale * g_rand_double_range(rand, 100000, 120000)) +
            (i < slow ? 1000000 : 0);
        g_array_append_val(array, value);
    }
    return array;
}

/* At 0.05 each test is wrong in one case of twenty, or less. */
static void test_chance(void)
{
    GRand *rand = g_rand_new_with_seed(2);
    unsigned mean = 0, tail = 0;

    for (unsigned i = 0; i < 400; i++) {
        GArray *a = draw(rand, 40, 0), *b = draw(rand, 40, 0);
        g_array_sort(a, by_value);
        g_array_sort(b, by_value);
        mean += mean_of(a, b, 0.1) < 0.05;
        tail += tail_of(a, b) < 0.05;
        g_array_unref(a);
        g_array_unref(b);
    }
    g_test_message("of 400 pairs of 40: mean %u, tail %u", mean, tail);
    g_assert_cmpuint(mean, <=, 30);
    g_assert_cmpuint(mean, >=, 5);
    g_assert_cmpuint(tail, <=, 30);
    g_assert_cmpuint(tail, >=, 2);
    g_rand_free(rand);
}

/* --- a comparison of many rows ---------------------------------------- */

static void fill(struct ct_times *times, struct ct_shared *shared, GRand *rand,
                 unsigned slow)
{
    for (unsigned i = 0; i < 100; i++) {
        g_autofree char *name = g_strdup_printf("callback_%u", i);
        struct ct_timed key = {.what = ct_words_get(&shared->words, name),
                               .kind = CT_DECISION_BH};
        GArray *values = draw(rand, 40, 0);
        for (unsigned k = 0; k < values->len; k++) {
            ct_times_add(times, &key,
                         g_array_index(values, int64_t, k) *
                             (i < slow ? 2 : 1));
        }
        g_array_unref(values);
    }
}

/* Of two runs that differ in @slow callbacks of a hundred: how many are sure,
 * and beyond the z of a single test. */
static void compare(GRand *rand, unsigned slow, unsigned *ret_sure,
                    unsigned *ret_single)
{
    struct ct_shared shared;
    struct ct_times a, b;
    GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);

    ct_shared_init(&shared);
    ct_times_init(&a);
    ct_times_init(&b);
    fill(&a, &shared, rand, 0);
    fill(&b, &shared, rand, slow);
    GArray *rows = ct_latency_compare(&a, &b, &shared.words, texts);
    g_assert_cmpuint(rows->len, ==, 100);
    *ret_sure = *ret_single = 0;
    for (unsigned i = 0; i < rows->len; i++) {
        const struct ct_diff_latency *one =
            &g_array_index(rows, struct ct_diff_latency, i);
        *ret_sure += one->sure || one->sure_mean || one->sure_p99;
        *ret_single += ABS(one->z_milli) > 3291;
    }
    g_array_unref(rows);
    g_ptr_array_unref(texts);
    ct_times_fini(&a);
    ct_times_fini(&b);
    ct_shared_fini(&shared);
}

static void test_many(void)
{
    GRand *rand = g_rand_new_with_seed(3);
    unsigned wrong = 0, single = 0;

    for (unsigned i = 0; i < 400; i++) {
        unsigned sure, beyond;
        compare(rand, 0, &sure, &beyond);
        wrong += sure > 0;
        single += beyond > 0;
    }
    g_test_message("of 400 diffs of 100 rows: a sure one in %u, %u without "
                   "the correction",
                   wrong, single);
    g_assert_cmpuint(wrong, <=, 2);
    g_assert_cmpuint(single, >=, 10);

    unsigned sure, beyond;
    compare(rand, 10, &sure, &beyond);
    g_assert_cmpuint(sure, ==, 10);
    g_rand_free(rand);
}

/* Three long rows that only dealing tells: they differ so that p is 1 of 9500,
 * which may make all six tests sure.  There are steps for one row; what was not
 * dealt is said to be open, and is not sure. */
static void test_short_of_steps(void)
{
    enum { ROWS = 3, EACH = 1900, STEP = 1000, SHIFT = 69000 };
    GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);
    struct ct_shared shared;
    struct ct_times a, b;
    unsigned n_bound = 0, n_sure = 0;

    ct_shared_init(&shared);
    ct_times_init(&a);
    ct_times_init(&b);
    for (unsigned i = 0; i < ROWS; i++) {
        g_autofree char *name = g_strdup_printf("callback_%u", i);
        struct ct_timed key = {.what = ct_words_get(&shared.words, name),
                               .kind = CT_DECISION_BH};
        for (unsigned k = 0; k < EACH; k++) {
            ct_times_add(&a, &key, (int64_t)k * STEP);
            ct_times_add(&b, &key, (int64_t)k * STEP + SHIFT);
        }
    }
    GArray *rows = ct_latency_compare(&a, &b, &shared.words, texts);
    g_assert_cmpuint(rows->len, ==, ROWS);
    for (unsigned i = 0; i < rows->len; i++) {
        const struct ct_diff_latency *one =
            &g_array_index(rows, struct ct_diff_latency, i);
        n_bound += one->bound;
        n_sure += one->sure_mean;
        g_test_message("z %.3f", (double)one->z_milli / 1000);
    }
    g_test_message("of %u rows %u are sure by the mean, %u open", rows->len,
                   n_sure, n_bound);
    g_assert_cmpuint(n_bound, >=, 2);
    g_assert_cmpuint(n_sure, <=, 1);
    g_array_unref(rows);
    g_ptr_array_unref(texts);
    ct_times_fini(&a);
    ct_times_fini(&b);
    ct_shared_fini(&shared);
}

/* What Mann and Whitney's test can't see: the others can. */
static void test_few_slow(void)
{
    GRand *rand = g_rand_new_with_seed(4);
    GArray *a = draw(rand, 1000, 1), *b = draw(rand, 1000, 30);

    g_array_sort(a, by_value);
    g_array_sort(b, by_value);
    const struct ct_sample one = {a, 0}, two = {b, 0};
    int64_t z_milli;
    double rank = ct_chance_rank(&one, &two, 0.001, NULL, &z_milli).least;
    g_test_message("z %.3f", (double)z_milli / 1000);
    g_assert_cmpfloat(rank, >, 0.01);
    g_assert_cmpfloat(tail_of(a, b), <, 1e-4);
    g_assert_cmpfloat(mean_of(a, b, 0.001), <, 1e-4);
    g_array_unref(a);
    g_array_unref(b);
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/diff-figures/mean", test_mean);
    g_test_add_func("/diff-figures/far", test_far);
    g_test_add_func("/diff-figures/bound", test_bound);
    g_test_add_func("/diff-figures/steps", test_steps);
    g_test_add_func("/diff-figures/short-of-steps", test_short_of_steps);
    g_test_add_func("/diff-figures/tail", test_tail);
    g_test_add_func("/diff-figures/holm", test_holm);
    g_test_add_func("/diff-figures/chance", test_chance);
    g_test_add_func("/diff-figures/many-rows", test_many);
    g_test_add_func("/diff-figures/few-slow", test_few_slow);
    return g_test_run();
}
