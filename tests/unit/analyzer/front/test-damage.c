/* SPDX-License-Identifier: MIT */
/*
 * test-damage.c - no damage to a trace makes more of it than a line of warning
 *
 * Random damage with a fixed seed (SEED and ROUNDS in the environment change
 * it) over the files of small real traces: flipped bits, other bytes, zeros,
 * cuts.  reading_run() checks what must hold for any input: it returns, errors
 * and warnings are lines, finish is called once or never, and nothing is left
 * behind.  Beyond that: no damage to streams or indexes is an error, no event
 * lies outside of what was recorded, and what is missing is not called whole.
 */
#include <stdlib.h>
#include <string.h>

#include "reading.h"

#define ROUNDS 150

static const char *const files[] = {
    "c_0", "c_1", "c_0", "c_1", "metadata", "index/c_0.idx",
};

struct extent {
    uint64_t events;
    int64_t origin_ns;
    int64_t end_ns;
};

static unsigned setting(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static struct extent extent_of(const char *trace)
{
    g_autofree char *dir = reading_copy(trace);
    struct reading *reading = reading_run(dir, NULL, NULL);
    struct extent extent = {reading->summary.events, reading->summary.origin_ns,
                            reading->summary.end_ns};

    g_assert_true(reading->good);
    reading_free(reading);
    return extent;
}

static void damage_once(GRand *random, const char *dir, const char *file)
{
    uint64_t size = file_size(dir, file);
    unsigned char bytes[512] = {0};
    uint64_t at;
    size_t n = 1;

    if (size == 0) {
        return;
    }
    at = (uint64_t)g_rand_int_range(random, 0, (int)size);
    if (file[0] == 'c' && g_rand_boolean(random)) {
        /* the heads are a small part of a stream, and the best to hurt */
        at = MIN(at / 4096 * 4096 + at % 90, size - 1);
    }
    switch (g_rand_int_range(random, 0, 5)) {
    case 0:
        file_cut(dir, file, at);
        return;
    case 1: /* zeros */
        n = (size_t)g_rand_int_range(random, 1, sizeof(bytes));
        break;
    case 2: /* anything */
        n = (size_t)g_rand_int_range(random, 1, 64);
        for (size_t i = 0; i < n; i++) {
            bytes[i] = (unsigned char)g_rand_int_range(random, 0, 256);
        }
        break;
    default: /* one byte */
        bytes[0] = (unsigned char)(1 << g_rand_int_range(random, 0, 8));
        break;
    }
    file_write(dir, file, at, bytes, n);
}

static void check_round(GRand *random, const char *trace,
                        const struct extent *extent)
{
    g_autofree char *dir = reading_copy(trace);
    const char *file = files[g_rand_int_range(random, 0, G_N_ELEMENTS(files))];
    int times = g_rand_int_range(random, 1, 6);
    bool is_metadata = strcmp(file, "metadata") == 0;
    struct reading *reading;

    for (int i = 0; i < times; i++) {
        damage_once(random, dir, file);
    }
    reading = reading_run(dir, NULL, NULL);
    g_assert_true(reading->good || is_metadata);
    if (reading->good && !is_metadata) {
        const struct ct_summary *summary = &reading->summary;

        g_assert_cmpuint(summary->events, <=, extent->events);
        g_assert_cmpint(summary->end_ns, <=, extent->end_ns);
        g_assert_cmpint(summary->origin_ns, >=, extent->origin_ns);
        if (summary->events < extent->events) {
            g_assert_false(summary->complete);
            g_assert_cmpuint(reading->warnings->len, ==, 1);
        }
    }
    reading_free(reading);
}

static void check_trace(const char *trace)
{
    struct extent extent = extent_of(trace);
    GRand *random = g_rand_new_with_seed(setting("SEED", 1));
    unsigned rounds = setting("ROUNDS", ROUNDS);

    for (unsigned i = 0; i < rounds; i++) {
        check_round(random, trace, &extent);
    }
    g_rand_free(random);
}

static void test_small(void)
{
    check_trace("small");
}

static void test_lossy(void)
{
    check_trace("lossy");
}

int main(int argc, char **argv)
{
    int status;

    reading_init();
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/damage/small", test_small);
    g_test_add_func("/damage/lossy", test_lossy);
    status = g_test_run();
    reading_fini();
    return status;
}
