/* SPDX-License-Identifier: MIT */
/*
 * What a comparison says that was refused: nothing.
 */
#include <glib.h>

#include "ct/backtrace.h"
#include "ct/diff.h"

/* A run of which nothing is known but that one bottom half ran. */
static void tell(struct ct_consumer *run, const char *name)
{
    struct ct_slice slice = {
        .kind = CT_SLICE_BH,
        .begin_known = true,
        .end_known = true,
        .pid = 7,
        .tid = 7,
        .id = 5,
        .context = 3,
        .name = name,
        .begin_ns = 1000,
        .end_ns = 2000,
    };
    struct ct_summary summary = {.complete = true, .has_all = true};
    GError *error = NULL;

    run->slice_began(run, &slice);
    run->slice(run, &slice);
    g_assert_true(run->finish(run, &summary, &error));
    g_assert_no_error(error);
}

static void assert_nothing(struct ct_diff *diff)
{
    g_assert_null(ct_diff_result(diff));
    g_assert_null(ct_diff_program(diff, CT_DIFF_A, 0));
    g_assert_null(ct_diff_program(diff, CT_DIFF_B, 0));
    g_assert_false(ct_diff_wants_pass(diff, CT_DIFF_A));
}

static void assert_refused(struct ct_diff *diff)
{
    GError *error = NULL;

    g_assert_false(ct_diff_compare(diff, &error));
    g_assert_nonnull(error);
    g_error_free(error);
    assert_nothing(diff);
    ct_diff_free(diff);
}

static void test_empty(void)
{
    struct ct_diff *diff = ct_diff_new();

    assert_nothing(diff);
    assert_refused(diff);
}

static void test_other_program(void)
{
    struct ct_diff *diff = ct_diff_new();

    tell(ct_diff_consumer(diff, CT_DIFF_A), "one_bh");
    tell(ct_diff_consumer(diff, CT_DIFF_B), "other_bh");
    assert_refused(diff);
}

static void test_same(void)
{
    struct ct_diff *diff = ct_diff_new();
    GError *error = NULL;

    tell(ct_diff_consumer(diff, CT_DIFF_A), "one_bh");
    tell(ct_diff_consumer(diff, CT_DIFF_B), "one_bh");
    g_assert_true(ct_diff_compare(diff, &error));
    g_assert_no_error(error);
    const struct ct_diff_result *result = ct_diff_result(diff);
    g_assert_nonnull(result);
    g_assert_true(result->exact);
    g_assert_cmpuint(result->kept, ==, 1);
    ct_diff_free(diff);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/diff-door/empty", test_empty);
    g_test_add_func("/diff-door/other-program", test_other_program);
    g_test_add_func("/diff-door/same", test_same);
    return g_test_run();
}
