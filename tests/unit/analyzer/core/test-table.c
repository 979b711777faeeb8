/* SPDX-License-Identifier: MIT */
/* Tables against a map that is known to be right; slabs; names. */
#include <string.h>

#include <glib.h>

#include "model/state/table.h"

/* Ids that share homes: all of one kind, in blocks, and next to each other. */
static uint64_t an_id(GRand *rand)
{
    switch (g_rand_int_range(rand, 0, 3)) {
    case 0:
        return (uint64_t)g_rand_int_range(rand, 1, 40);
    case 1:
        return (uint64_t)g_rand_int_range(rand, 0, 40) << 58;
    default:
        return ((uint64_t)g_rand_int(rand) << 32) % 97;
    }
}

static void test_random(void)
{
    GRand *rand = g_rand_new_with_seed(1);
    GHashTable *map = g_hash_table_new(g_int64_hash, g_int64_equal);
    struct ct_table table = {0};
    static uint64_t keys[256 * 1024];
    unsigned n_keys = 0;

    for (unsigned i = 0; i < 200000; i++) {
        uint64_t id = an_id(rand);
        void *expect = g_hash_table_lookup(map, &id);
        g_assert_true(ct_table_get(&table, id) == expect);
        if (expect && g_rand_boolean(rand)) {
            g_assert_true(ct_table_take(&table, id) == expect);
            g_hash_table_remove(map, &id);
            g_assert_null(ct_table_get(&table, id));
            g_assert_null(ct_table_take(&table, id));
        } else if (!expect) {
            keys[n_keys] = id;
            void *value = &keys[n_keys];
            ct_table_put(&table, id, value);
            g_hash_table_insert(map, &keys[n_keys], value);
            n_keys = (n_keys + 1) % G_N_ELEMENTS(keys);
        }
        g_assert_cmpuint(table.n, ==, g_hash_table_size(map));
    }
    unsigned n = 0;
    uint32_t pos = 0;
    uint64_t *value;
    while ((value = ct_table_each(&table, &pos))) {
        g_assert_true(g_hash_table_lookup(map, value) == value);
        n++;
    }
    g_assert_cmpuint(n, ==, g_hash_table_size(map));
    ct_table_fini(&table);
    g_assert_null(ct_table_get(&table, 1));
    g_hash_table_unref(map);
    g_rand_free(rand);
}

static void test_walk_and_take(void)
{
    for (unsigned n = 1; n < 300; n++) {
        struct ct_table table = {0};
        static uint64_t ids[300];
        for (unsigned i = 0; i < n; i++) {
            ids[i] = i * 7 + 1;
            ct_table_put(&table, ids[i], &ids[i]);
        }
        uint32_t pos = 0;
        uint64_t *id;
        while ((id = ct_table_each(&table, &pos))) {
            ct_table_take(&table, *id);
            pos--;
        }
        g_assert_cmpuint(table.n, ==, 0);
        ct_table_fini(&table);
    }
}

static void test_slab(void)
{
    struct ct_slab slab;
    char *pieces[3000];

    ct_slab_init(&slab, 40);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(pieces); i++) {
            pieces[i] = ct_slab_new(&slab);
            for (unsigned j = 0; j < 40; j++) {
                g_assert_cmpint(pieces[i][j], ==, 0);
            }
            memset(pieces[i], (int)i, 40);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(pieces); i++) {
            for (unsigned j = 0; j < 40; j++) {
                g_assert_cmpint(pieces[i][j], ==, (char)i);
            }
            ct_slab_free(&slab, pieces[i]);
        }
    }
    ct_slab_fini(&slab);

    ct_slab_init(&slab, 100 * 1000); /* more than a chunk */
    memset(ct_slab_new(&slab), 1, 100 * 1000);
    ct_slab_fini(&slab);
}

static void test_names(void)
{
    struct ct_names names = {0};
    char name[400];
    const char *a = ct_names_get(&names, "a");

    g_assert_null(ct_names_get(&names, NULL));
    g_assert_cmpstr(a, ==, "a");
    g_assert_true(ct_names_get(&names, "a") == a);
    g_assert_cmpstr(ct_names_get(&names, ""), ==, "");

    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    g_assert_cmpuint(strlen(ct_names_get(&names, name)), ==, 255);

    /* Whatever a trace does, names don't fill the memory. */
    for (unsigned i = 0; i < 200000; i++) {
        g_snprintf(name, sizeof(name), "%0200u", i);
        const char *got = ct_names_get(&names, name);
        g_assert_true(!got || strcmp(got, name) == 0);
    }
    g_assert_null(ct_names_get(&names, "one more"));
    g_assert_cmpuint(names.held_bytes, <, 17 * 1024 * 1024);
    g_assert_true(ct_names_get(&names, "a") == a);
    ct_names_fini(&names);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/table/random", test_random);
    g_test_add_func("/table/walk-and-take", test_walk_and_take);
    g_test_add_func("/table/slab", test_slab);
    g_test_add_func("/table/names", test_names);
    return g_test_run();
}
