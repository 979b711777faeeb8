/* SPDX-License-Identifier: MIT */
/*
 * test-lanes.c - requests that do not overlap share a lane, others never
 */
#include <glib.h>

#include "render/lanes.h"

static void test_share(void)
{
    struct ct_lanes *lanes = ct_lanes_new();

    g_assert_cmpuint(ct_lanes_take(lanes, 1, CT_LANES_OUTER, 10), ==, 0);
    g_assert_cmpuint(ct_lanes_take(lanes, 1, CT_LANES_OUTER, 11), ==, 1);
    g_assert_cmpuint(ct_lanes_take(lanes, 1, CT_LANES_INNER, 11), ==, 0);
    g_assert_cmpuint(ct_lanes_take(lanes, 2, CT_LANES_OUTER, 11), ==, 0);
    ct_lanes_leave(lanes, 1, CT_LANES_OUTER, 0, 20);
    g_assert_cmpuint(ct_lanes_take(lanes, 1, CT_LANES_OUTER, 20), ==, 0);
    ct_lanes_leave(lanes, 1, CT_LANES_OUTER, 0, 30);
    /* told late: it began before the last one on that lane had ended */
    g_assert_cmpuint(ct_lanes_take(lanes, 1, CT_LANES_OUTER, 25), ==, 2);
    g_assert_cmpuint(ct_lanes_take(lanes, 1, CT_LANES_OUTER, 30), ==, 0);
    g_assert_cmpuint(ct_lanes_count(lanes, 1, CT_LANES_OUTER), ==, 3);
    g_assert_cmpuint(ct_lanes_count(lanes, 1, CT_LANES_INNER), ==, 1);
    g_assert_cmpuint(ct_lanes_count(lanes, 3, CT_LANES_OUTER), ==, 0);
    ct_lanes_free(lanes);
}

/* Against the plain rule: the lowest lane that is free. */
static void test_random(void)
{
    struct ct_lanes *lanes = ct_lanes_new();
    GRand *rand = g_rand_new_with_seed(3);
    bool taken[64] = {false};
    unsigned n_taken = 0;

    for (int64_t now = 0; now < 20000; now++) {
        if (n_taken < 60 && g_rand_int_range(rand, 0, 2)) {
            unsigned wanted = 0;

            while (taken[wanted]) {
                wanted++;
            }
            g_assert_cmpuint(ct_lanes_take(lanes, 1, CT_LANES_OUTER, now), ==,
                             wanted);
            taken[wanted] = true;
            n_taken++;
        } else if (n_taken) {
            unsigned lane = (unsigned)g_rand_int_range(rand, 0, 64);

            while (!taken[lane]) {
                lane = (lane + 1) % 64;
            }
            ct_lanes_leave(lanes, 1, CT_LANES_OUTER, lane, now);
            taken[lane] = false;
            n_taken--;
        }
    }
    g_rand_free(rand);
    ct_lanes_free(lanes);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lanes/share", test_share);
    g_test_add_func("/lanes/random", test_random);
    return g_test_run();
}
