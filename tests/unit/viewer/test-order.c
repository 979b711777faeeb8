/* SPDX-License-Identifier: MIT */
/*
 * test-order.c - rows by announcement (held) and by key (best)
 */
#include <glib.h>
#include <string.h>

#include "out/best.h"
#include "out/held.h"

static void on_leave(void *data, const char *row, size_t length)
{
    GString *got = data;

    g_string_append_len(got, row, (gssize)length);
}

static void put(struct ct_held *held, uint64_t place, const char *row)
{
    ct_held_put(held, place, row, strlen(row));
}

static void test_held(void)
{
    GString *got = g_string_new(NULL);
    struct ct_held *held = ct_held_new(on_leave, got);
    uint64_t a = ct_held_announce(held);
    uint64_t b = ct_held_announce(held);
    uint64_t c = ct_held_announce(held);
    uint64_t d;

    put(held, b, "b");
    g_assert_cmpstr(got->str, ==, "");
    put(held, a, "a");
    g_assert_cmpstr(got->str, ==, "ab");
    d = ct_held_announce(held);
    put(held, d, "d");
    g_assert_cmpstr(got->str, ==, "ab");
    put(held, c, "");
    g_assert_cmpstr(got->str, ==, "abd");
    g_assert_false(ct_held_error(held, NULL));
    ct_held_free(held);
    g_string_free(got, TRUE);
}

/* One that stays open to the end holds up all others, beyond what memory is
 * given to the rows. */
static void test_stuck(void)
{
    GString *got = g_string_new(NULL);
    GString *wanted = g_string_new("first;");
    struct ct_held *held = ct_held_new(on_leave, got);
    uint64_t first = ct_held_announce(held);
    char padding[200];

    memset(padding, '.', sizeof(padding) - 1);
    padding[sizeof(padding) - 1] = '\0';
    for (unsigned i = 0; i < 50000; i += 2) {
        g_autofree char *one = g_strdup_printf("%u%s;", i, padding);
        g_autofree char *other = g_strdup_printf("%u%s;", i + 1, padding);
        uint64_t one_place = ct_held_announce(held);
        uint64_t other_place = ct_held_announce(held);

        put(held, other_place, other);
        put(held, one_place, one);
        g_string_append(wanted, one);
        g_string_append(wanted, other);
    }
    g_assert_cmpstr(got->str, ==, "");
    put(held, first, "first;");
    g_assert_true(!strcmp(got->str, wanted->str));
    g_assert_false(ct_held_error(held, NULL));
    ct_held_free(held);
    g_string_free(got, TRUE);
    g_string_free(wanted, TRUE);
}

static char *best_of(bool has_limit, uint64_t limit, const int64_t *keys,
                     unsigned n)
{
    struct ct_best *best = ct_best_new(has_limit, limit);
    GString *got = g_string_new(NULL);

    for (unsigned i = 0; i < n; i++) {
        g_autofree char *row = g_strdup_printf("%d/%u ", (int)keys[i], i);

        ct_best_put(best, keys[i], row, strlen(row));
    }
    g_assert_true(ct_best_leave(best, on_leave, got, NULL));
    ct_best_free(best);
    return g_string_free(got, FALSE);
}

static void test_best(void)
{
    static const int64_t keys[] = {3, 9, 1, 9, -4, 9, 2};
    static const struct {
        bool has_limit;
        uint64_t limit;
        const char *wanted;
    } cases[] = {
        {false, 0, "9/1 9/3 9/5 3/0 2/6 1/2 -4/4 "},
        {true, 100, "9/1 9/3 9/5 3/0 2/6 1/2 -4/4 "},
        {true, 4, "9/1 9/3 9/5 3/0 "},
        {true, 2, "9/1 9/3 "},
        {true, 0, ""},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *got = best_of(cases[i].has_limit, cases[i].limit, keys,
                                       G_N_ELEMENTS(keys));

        g_assert_cmpstr(got, ==, cases[i].wanted);
    }
}

/* The heap keeps what sorting everything would have put first. */
static void test_best_random(void)
{
    GRand *rand = g_rand_new_with_seed(7);
    int64_t keys[500];

    for (unsigned round = 0; round < 50; round++) {
        unsigned n = 1 + (unsigned)g_rand_int_range(rand, 0, 500);
        uint64_t limit = (uint64_t)g_rand_int_range(rand, 1, 60);
        g_autofree char *kept = NULL;
        g_autofree char *all = NULL;

        for (unsigned i = 0; i < n; i++) {
            keys[i] = g_rand_int_range(rand, -50, 50);
        }
        kept = best_of(true, limit, keys, n);
        all = best_of(false, 0, keys, n);
        g_assert_true(g_str_has_prefix(all, kept));
        {
            uint64_t rows = 0;

            for (const char *at = kept; (at = strchr(at, ' ')); at++) {
                rows++;
            }
            g_assert_cmpuint(rows, ==, MIN(limit, n));
        }
    }
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/order/held", test_held);
    g_test_add_func("/order/stuck", test_stuck);
    g_test_add_func("/order/best", test_best);
    g_test_add_func("/order/best-random", test_best_random);
    return g_test_run();
}
