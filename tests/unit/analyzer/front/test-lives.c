/* SPDX-License-Identifier: MIT */
/*
 * Lanes of a log without thread numbers: which coroutine runs can be said where
 * one lane alone is busy, and however many there are, few are kept.
 */
#include <glib.h>

#include "decode/lives.h"

static void on_ended(struct ct_generation *life, void *data)
{
    (*(unsigned *)data)++;
}

static struct ct_generation *enter(struct ct_lives *lives, uint64_t from,
                                   uint64_t to)
{
    struct ct_generation *lost, *by;

    return ct_lives_enter(lives, 0, from, to, 1, &lost, &by);
}

static void test_only(void)
{
    unsigned n_ended = 0;
    struct ct_lives *lives =
        ct_lives_new(sizeof(struct ct_generation), on_ended, &n_ended);

    g_assert_null(ct_lives_only(lives));
    struct ct_generation *one = enter(lives, 100, 1);
    struct ct_lane *first = one->lane;
    g_assert_true(ct_lives_only(lives) == one);
    g_assert_true(ct_lives_top(lives, first) == one);
    struct ct_generation *other = enter(lives, 200, 2);
    struct ct_lane *second = other->lane;
    g_assert_true(first != second);
    g_assert_null(ct_lives_only(lives));
    g_assert_null(ct_lives_top(lives, first));
    g_assert_null(ct_lives_top(lives, second));
    g_assert_true(ct_lives_leave(lives, 0, one, 100) == first);
    g_assert_true(ct_lives_only(lives) == other);
    g_assert_true(ct_lives_top(lives, second) == other);
    g_assert_null(ct_lives_top(lives, first));
    struct ct_generation *inner = enter(lives, 2, 3);
    g_assert_true(ct_lives_only(lives) == inner);
    ct_lives_end(lives, other); /* and what it had entered is off, too */
    g_assert_null(ct_lives_only(lives));
    g_assert_true(enter(lives, 200, 3) == inner);
    g_assert_true(ct_lives_top(lives, second) == inner);
    ct_lives_free(lives);
    g_assert_cmpuint(n_ended, ==, 3);
}

/* Each from another leader; those whose end is seen, and those that run on. */
static void test_many(gconstpointer data)
{
    enum { N = 50000 };
    bool ends = data != NULL;
    unsigned n_ended = 0;
    struct ct_lives *lives =
        ct_lives_new(sizeof(struct ct_generation), on_ended, &n_ended);
    struct ct_generation *long_one = enter(lives, 7, 8);

    for (uint64_t i = 0; i < N; i++) {
        ct_lives_sweep(lives);
        uint64_t leader = 1000 + 2 * i;
        struct ct_generation *life = enter(lives, leader, leader + 1);
        g_assert_nonnull(life->lane);
        g_assert_cmpuint(life->lane->leader, ==, leader);
        g_assert_true(!ct_lives_top(lives, life->lane) || (!ends && i));
        g_assert_cmpuint(ct_lives_lanes(lives), <=, CT_LANES_MAX);
        if (ends) {
            ct_lives_leave(lives, 0, life, leader);
            ct_lives_end(lives, life);
            g_assert_true(ct_lives_only(lives) == long_one);
        }
    }
    ct_lives_free(lives);
    g_assert_cmpuint(n_ended, ==, N + 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lives/only", test_only);
    g_test_add_data_func("/lives/many-that-end", "", test_many);
    g_test_add_data_func("/lives/many-that-run", NULL, test_many);
    return g_test_run();
}
