/* SPDX-License-Identifier: MIT */
/*
 * What totals are made of: amounts over time, histograms of any precision,
 * pools' counters, classes of requests.
 */
#include <glib.h>

#include "answer/histogram.h"
#include "answer/stat/classes.h"
#include "answer/stat/pools.h"
#include "answer/stat/series.h"

/* --- over time -------------------------------------------------------- */

static int64_t sum_of(const struct ct_series *series)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < CT_SERIES_MAX; i++) {
        sum += series->v[i];
    }
    return sum;
}

/* Whatever is added in whatever order, nothing is lost by wider buckets, and
 * each bucket has what lies in it. */
static void test_series(void)
{
    enum { SPANS = 400 };
    GRand *rand = g_rand_new_with_seed(7);
    int64_t from_ns[SPANS], to_ns[SPANS], level[SPANS];
    struct ct_series series = {0};
    int64_t end_ns = 0, whole = 0;

    for (unsigned i = 0; i < SPANS; i++) {
        int64_t range = INT64_C(1) << g_rand_int_range(rand, 1, 31);
        from_ns[i] = g_rand_int(rand) % range;
        to_ns[i] = from_ns[i] + g_rand_int(rand) % range;
        level[i] = g_rand_int_range(rand, -3, 9);
        ct_series_add(&series, from_ns[i], to_ns[i], level[i]);
        whole += (to_ns[i] - from_ns[i]) * level[i];
        end_ns = MAX(end_ns, to_ns[i]);
        g_assert_cmpint(sum_of(&series), ==, whole);
    }
    unsigned n = ct_series_reach(&series, end_ns);
    g_assert_cmpuint(n, >, CT_SERIES_MAX / 2);
    g_assert_cmpuint(n, <=, CT_SERIES_MAX);
    for (unsigned k = 0; k < n; k++) {
        int64_t begin = (int64_t)k << series.shift;
        int64_t end = (int64_t)(k + 1) << series.shift;
        int64_t is = 0;
        for (unsigned i = 0; i < SPANS; i++) {
            int64_t part = MIN(to_ns[i], end) - MAX(from_ns[i], begin);
            is += MAX(part, 0) * level[i];
        }
        g_assert_cmpint(series.v[k], ==, is);
    }
    g_rand_free(rand);
}

static void test_series_ends(void)
{
    struct ct_series series = {0};

    g_assert_cmpuint(ct_series_reach(&series, 0), ==, 1);
    ct_series_add(&series, 5, 5, 1);
    ct_series_add(&series, 9, 5, 1);
    ct_series_add(&series, -9, 1, 1);
    g_assert_cmpint(series.v[0], ==, 1);
    g_assert_cmpuint(series.shift, ==, 0);
    ct_series_add(&series, 0, INT64_MAX, INT64_MAX);
    g_assert_cmpuint(ct_series_reach(&series, INT64_MAX), <=, CT_SERIES_MAX);
    g_assert_cmpint(series.v[0], ==, INT64_MAX);
}

/* --- histograms ------------------------------------------------------- */

static void test_octaves(void)
{
    struct ct_histogram *histogram = ct_histogram_new(4, 3);
    static const int64_t values[] = {0, 1, 2, 3, 4, 1000, 1023, 1024, -5};

    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
        ct_histogram_add(histogram, values[i]);
    }
    const uint64_t *octaves = ct_histogram_octaves(histogram);
    g_assert_cmpuint(octaves[0], ==, 3);
    g_assert_cmpuint(octaves[1], ==, 2);
    g_assert_cmpuint(octaves[2], ==, 1);
    g_assert_cmpuint(octaves[9], ==, 2);
    g_assert_cmpuint(octaves[10], ==, 1);
    g_assert_cmpint(ct_histogram_sum(histogram), ==, 3057);
    g_assert_cmpint(ct_histogram_quantile(histogram, 2, 9), ==, 0);
    int64_t high = ct_histogram_quantile(histogram, 7, 9);
    g_assert_cmpint(high, >=, 1000);
    g_assert_cmpint(high, <=, 1000 + 1000 / 8);
    ct_histogram_free(histogram);
}

/* --- pools ------------------------------------------------------------ */

#define ORIGIN INT64_C(1000000)

static void tell(struct ct_pools *pools, enum ct_counter_kind kind,
                 int64_t when_ns, int64_t value)
{
    ct_pools_count(pools,
                   &(struct ct_counter){.kind = kind,
                                        .pid = 7,
                                        .id = 2,
                                        .when_ns = ORIGIN + when_ns,
                                        .value = value},
                   ORIGIN);
}

static int64_t over(const int64_t *v)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < CT_SERIES_MAX; i++) {
        sum += v[i];
    }
    return sum;
}

static void test_pools(void)
{
    struct ct_pools *pools = ct_pools_new();
    unsigned n;

    tell(pools, CT_COUNTER_WORK_QUEUED, 100, 2);
    tell(pools, CT_COUNTER_WORK_QUEUED, 150, 1);
    tell(pools, CT_COUNTER_WORKERS_BUSY, 150, 1);
    tell(pools, CT_COUNTER_WORKERS_IDLE, 150, 1);
    tell(pools, CT_COUNTER_WORK_QUEUED, 180, 0);
    tell(pools, CT_COUNTER_WORKERS_BUSY, 180, 2);
    tell(pools, CT_COUNTER_WORKERS_IDLE, 180, 0);
    ct_pools_worked(pools, &(struct ct_slice){.kind = CT_SLICE_WORK,
                                              .begin_known = true,
                                              .pid = 7,
                                              .context = 2,
                                              .fn = 0x400,
                                              .begin_ns = ORIGIN + 150,
                                              .end_ns = ORIGIN + 200});
    const struct ct_stat_pool *pool = ct_pools_result(pools, 300, &n);
    g_assert_cmpuint(n, ==, 1);
    g_assert_cmpuint(pool->items, ==, 1);
    g_assert_cmpint(pool->longest_item_ns, ==, 50);
    g_assert_cmpuint(pool->queued_peak, ==, 2);
    g_assert_cmpuint(pool->busy_peak, ==, 2);
    g_assert_cmpint(pool->queued_ns, ==, 50 * 2 + 30);
    g_assert_cmpint(pool->busy_ns, ==, 30 + 120 * 2);
    g_assert_cmpint(pool->idle_ns, ==, 30);
    g_assert_cmpint(over(pool->queued_over_ns), ==, pool->queued_ns);
    g_assert_cmpint(over(pool->busy_over_ns), ==, pool->busy_ns);
    g_assert_cmpuint(ct_pools_workers_peak(pools), ==, 2);
    ct_pools_free(pools);
}

/* Over a gap nothing is known, and afterwards what is told then. */
static void test_pools_gap(void)
{
    struct ct_pools *pools = ct_pools_new();
    unsigned n;

    tell(pools, CT_COUNTER_WORKERS_BUSY, 100, 3);
    ct_pools_gap(pools, 200, 250);
    const struct ct_stat_pool *pool = ct_pools_result(pools, 300, &n);
    g_assert_cmpint(pool->busy_ns, ==, 300);
    tell(pools, CT_COUNTER_WORKERS_BUSY, 310, 1);
    pool = ct_pools_result(pools, 320, &n);
    g_assert_cmpint(pool->busy_ns, ==, 310);
    g_assert_cmpint(over(pool->busy_over_ns), ==, 310);
    ct_pools_free(pools);
}

/* --- classes ---------------------------------------------------------- */

static void add(struct ct_classes *classes, const char *op, const char *node,
                int64_t running_ns, int64_t lock_ns, bool complete)
{
    int64_t states_ns[CT_STATES] = {
        [CT_STATE_RUNNING] = running_ns, [CT_STATE_LOCK] = lock_ns};

    ct_classes_add(classes,
                   &(struct ct_request){.layer = "blk",
                                        .op = op,
                                        .node = node,
                                        .complete = complete,
                                        .begin_ns = 10,
                                        .end_ns = 10 + running_ns + lock_ns},
                   states_ns);
}

static void test_classes(void)
{
    struct ct_classes *classes = ct_classes_new();
    g_autofree char *again = g_strdup("read");
    unsigned n;

    add(classes, "read", "disk", 5, 0, true);
    add(classes, again, "disk", 7, 100, true);
    add(classes, "read", "disk", 1, 1, false);
    add(classes, "write", NULL, 1000, 0, true);
    const struct ct_stat_class *v = ct_classes_result(classes, &n);
    g_assert_cmpuint(n, ==, 2);
    g_assert_cmpstr(v[0].op, ==, "write");
    g_assert_null(v[0].node);
    g_assert_cmpuint(v[1].requests, ==, 3);
    g_assert_cmpuint(v[1].latency.n, ==, 2);
    g_assert_cmpint(v[1].latency.sum_ns, ==, 112);
    g_assert_cmpint(v[1].latency.p50_ns, ==, 5);
    g_assert_cmpuint(v[1].states[CT_STATE_RUNNING].n, ==, 2);
    g_assert_cmpuint(v[1].states[CT_STATE_LOCK].n, ==, 1);
    g_assert_cmpint(v[1].states[CT_STATE_LOCK].max_ns, ==, 100);
    g_assert_cmpuint(v[1].states[CT_STATE_IO].n, ==, 0);
    ct_classes_free(classes);
}

/* However many there are, each request is in one. */
static void test_classes_many(void)
{
    struct ct_classes *classes = ct_classes_new();
    uint64_t requests = 0;
    unsigned n;

    for (unsigned i = 0; i < 100; i++) {
        g_autofree char *name = g_strdup_printf("disk%u", i);
        /* As in the model, names stay where they are. */
        const char *node = g_intern_string(name);
        add(classes, "read", node, i + 1, 0, true);
        add(classes, "read", "disk0", 1, 0, true);
    }
    const struct ct_stat_class *v = ct_classes_result(classes, &n);
    g_assert_cmpuint(n, <, 100);
    for (unsigned i = 0; i < n; i++) {
        requests += v[i].requests;
        g_assert_cmpint(v[i].is_rest, ==, v[i].node == NULL);
        if (!g_strcmp0(v[i].node, "disk0")) {
            g_assert_cmpuint(v[i].requests, ==, 101);
        }
    }
    g_assert_cmpuint(requests, ==, 200);
    g_assert_true(v[0].is_rest);
    ct_classes_free(classes);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stat/series", test_series);
    g_test_add_func("/stat/series-ends", test_series_ends);
    g_test_add_func("/stat/octaves", test_octaves);
    g_test_add_func("/stat/pools", test_pools);
    g_test_add_func("/stat/pools-gap", test_pools_gap);
    g_test_add_func("/stat/classes", test_classes);
    g_test_add_func("/stat/classes-many", test_classes_many);
    return g_test_run();
}
