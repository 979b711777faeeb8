/* SPDX-License-Identifier: MIT */
/*
 * The sum of the segments: what is wrong with it is seen, and the rule behind
 * it has an answer for everything.
 */
#include <glib.h>

#include "account/segments.h"
#include "ct/request.h"

/* Every way in which the sum can be wrong is seen. */
static void test_check(void)
{
    struct ct_segment segments[] = {
        {.state = CT_STATE_RUNNING, .begin_ns = 10, .end_ns = 20},
        {.state = CT_STATE_IO, .begin_ns = 20, .end_ns = 25},
    };
    struct ct_request request = {
        .begin_ns = 10, .end_ns = 25, .segments = segments, .n_segments = 2};

    g_assert_true(ct_request_check(&request));
    request.end_ns = 26;
    g_assert_false(ct_request_check(&request));
    request.end_ns = 25;
    request.begin_ns = 9;
    g_assert_false(ct_request_check(&request));
    request.begin_ns = 10;
    segments[1].begin_ns = 21;
    g_assert_false(ct_request_check(&request));
    segments[1].begin_ns = 19;
    g_assert_false(ct_request_check(&request));
    segments[1].begin_ns = 20;
    segments[1].state = CT_STATE_UNKNOWN;
    g_assert_false(ct_request_check(&request));
    segments[1].certainty = CT_UNKNOWN;
    g_assert_true(ct_request_check(&request));
    request.n_segments = 0;
    g_assert_false(ct_request_check(&request));
}

/* Of every situation comes a state that agrees with its certainty. */
static void test_rule_is_total(void)
{
    struct ct_situation situation = {0};

    for (unsigned i = 0; i < 6 * 5 * 12 * 2; i++) {
        situation.doing = i % 6;
        situation.work = i / 6 % 5;
        situation.reason = (uint8_t)(i / 30 % 12);
        situation.by_coroutine = i / 360;
        struct ct_segment segment;

        ct_segments_rule(&situation, &segment);
        g_assert_cmpint(segment.state, <, CT_STATES);
        g_assert_cmpint(segment.state == CT_STATE_UNKNOWN, ==,
                        segment.certainty == CT_UNKNOWN);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sums/check", test_check);
    g_test_add_func("/sums/rule-is-total", test_rule_is_total);
    return g_test_run();
}
