/* SPDX-License-Identifier: MIT */
/*
 * conds.c - conditions that callers must keep: each is broken once
 */
#include "conds.h"

static void test_cond(gconstpointer data)
{
    const struct cond *cond = data;

    if (!g_test_subprocess()) {
        g_autofree char *pattern =
            g_strdup_printf("*precondition [%s] broken*", cond->id);

        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_failed();
        g_test_trap_assert_stderr(pattern);
        return;
    }
    conds_run(cond);
}

int conds_main(int argc, char **argv, const struct cond *conds, size_t n)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < n; i++) {
        g_autofree char *path = g_strdup_printf("/conds/%s", conds[i].id);

        g_test_add_data_func(path, &conds[i], test_cond);
    }
    return g_test_run();
}
