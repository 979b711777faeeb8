/* SPDX-License-Identifier: MIT */
/*
 * Alignment: whatever the sequences are, the pairs are pairs of equal labels
 * and the kept ones stand in the same order; where that can be known, they are
 * as many as possible.
 */
#include <glib.h>
#include <string.h>

#include "answer/diff/order.h"

static uint32_t check(const struct ct_order *order, const uint32_t *a,
                      const uint32_t *b)
{
    uint32_t kept = 0, last = 0;

    for (uint32_t i = 0; i < order->n_a; i++) {
        uint32_t j = order->to_b[i];
        if (j == CT_NO_PARTNER) {
            g_assert_false(order->kept[i]);
            continue;
        }
        g_assert_cmpuint(j, <, order->n_b);
        g_assert_cmpuint(a[i], ==, b[j]);
        g_assert_cmpuint(order->to_a[j], ==, i);
        if (order->kept[i]) {
            g_assert_true(kept == 0 || j > last);
            last = j;
            kept++;
        }
    }
    for (uint32_t j = 0; j < order->n_b; j++) {
        uint32_t i = order->to_a[j];
        g_assert_true(i == CT_NO_PARTNER || order->to_b[i] == j);
    }
    return kept;
}

/* Equal labels never both stay without a partner. */
static void check_all_paired(const struct ct_order *order, const uint32_t *a,
                             const uint32_t *b, uint32_t n_labels)
{
    uint8_t *alone = g_new0(uint8_t, n_labels);

    for (uint32_t i = 0; i < order->n_a; i++) {
        alone[a[i]] |= order->to_b[i] == CT_NO_PARTNER;
    }
    for (uint32_t j = 0; j < order->n_b; j++) {
        g_assert_false(alone[b[j]] && order->to_a[j] == CT_NO_PARTNER);
    }
    g_free(alone);
}

/* The textbook's table. */
static uint32_t longest_common(const uint32_t *a, uint32_t n, const uint32_t *b,
                               uint32_t m)
{
    uint32_t *row = g_new0(uint32_t, m + 1);

    for (uint32_t i = 0; i < n; i++) {
        uint32_t corner = 0;
        for (uint32_t j = 0; j < m; j++) {
            uint32_t above = row[j + 1];
            row[j + 1] = a[i] == b[j] ? corner + 1 : MAX(row[j + 1], row[j]);
            corner = above;
        }
    }
    uint32_t length = row[m];
    g_free(row);
    return length;
}

static uint32_t align(const uint32_t *a, uint32_t n, const uint32_t *b,
                      uint32_t m, uint32_t n_labels)
{
    uint64_t budget = CT_ORDER_BUDGET;
    struct ct_order order;

    ct_order_align(&order, a, n, b, m, n_labels, &budget);
    g_assert_false(order.bound);
    check_all_paired(&order, a, b, n_labels);
    uint32_t kept = check(&order, a, b);
    ct_order_fini(&order);
    return kept;
}

static void test_small(void)
{
    const uint32_t a[] = {0, 1, 2, 3, 4};
    const uint32_t b[] = {0, 2, 1, 3, 5};

    g_assert_cmpuint(align(a, 5, a, 5, 6), ==, 5);
    g_assert_cmpuint(align(a, 5, b, 5, 6), ==, 3);
    g_assert_cmpuint(align(a, 5, b, 0, 6), ==, 0);
    g_assert_cmpuint(align(a, 0, b, 0, 6), ==, 0);
    g_assert_cmpuint(align(a, 2, b + 4, 1, 6), ==, 0);
}

/* Few labels that repeat: all is left to the edit path, which is shortest. */
static void test_repeated(void)
{
    GRand *rand = g_rand_new_with_seed(1);
    uint32_t a[80], b[80];

    for (unsigned round = 0; round < 3000; round++) {
        uint32_t n_labels = (uint32_t)g_rand_int_range(rand, 1, 6);
        uint32_t n = (uint32_t)g_rand_int_range(rand, 0, 40) + n_labels * 2;
        uint32_t m = (uint32_t)g_rand_int_range(rand, 0, 40) + n_labels * 2;
        for (uint32_t i = 0; i < n; i++) {
            /* each at least twice, so that none is an anchor */
            a[i] = i < 2 * n_labels
                       ? i / 2
                       : (uint32_t)g_rand_int_range(rand, 0, (int)n_labels);
        }
        for (uint32_t i = 0; i < m; i++) {
            b[i] = (uint32_t)g_rand_int_range(rand, 0, (int)n_labels);
        }
        g_assert_cmpuint(align(a, n, b, m, n_labels), ==,
                         longest_common(a, n, b, m));
    }
    g_rand_free(rand);
}

/* Labels that come once: the longest chain. */
static void test_once(void)
{
    GRand *rand = g_rand_new_with_seed(2);
    uint32_t a[60], b[60];

    for (unsigned round = 0; round < 3000; round++) {
        uint32_t n = (uint32_t)g_rand_int_range(rand, 1, 60);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t k = (uint32_t)g_rand_int_range(rand, 0, (int)i + 1);
            a[i] = i;
            b[i] = b[k];
            b[k] = i;
        }
        g_assert_cmpuint(align(a, n, b, n, n), ==, longest_common(a, n, b, n));
    }
    g_rand_free(rand);
}

/* Nothing is lost when the budget is spent, and it is said. */
static void test_bound(void)
{
    enum { N = 20000 };
    GRand *rand = g_rand_new_with_seed(3);
    uint32_t *a = g_new(uint32_t, N), *b = g_new(uint32_t, N);
    uint64_t budget = 10000;
    struct ct_order order;

    for (uint32_t i = 0; i < N; i++) {
        a[i] = (uint32_t)g_rand_int_range(rand, 0, 100);
        b[i] = (uint32_t)g_rand_int_range(rand, 0, 100);
    }
    ct_order_align(&order, a, N, b, N, 100, &budget);
    g_assert_true(order.bound);
    g_assert_cmpuint(budget, ==, 0);
    check_all_paired(&order, a, b, 100);
    check(&order, a, b);
    ct_order_fini(&order);
    g_rand_free(rand);
    g_free(a);
    g_free(b);
}

/* A million, every tenth of which changed its place: no matter of budget. */
static void test_many_moved(void)
{
    enum { N = 1000000 };
    uint32_t *a = g_new(uint32_t, N), *b = g_new(uint32_t, N);

    for (uint32_t i = 0; i < N; i++) {
        a[i] = b[i] = i;
    }
    for (uint32_t i = 0; i + 1 < N; i += 10) {
        b[i] = i + 1;
        b[i + 1] = i;
    }
    g_assert_cmpuint(align(a, N, b, N, N), ==, N - N / 10);
    g_free(a);
    g_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/diff-order/small", test_small);
    g_test_add_func("/diff-order/repeated", test_repeated);
    g_test_add_func("/diff-order/once", test_once);
    g_test_add_func("/diff-order/bound", test_bound);
    g_test_add_func("/diff-order/many-moved", test_many_moved);
    return g_test_run();
}
