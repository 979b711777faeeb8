/* SPDX-License-Identifier: MIT */
/*
 * Chains of origins: folded where they go round in circles, shortened where
 * they don't, bounded always, and honest about what is left out.
 */
#include <stdlib.h>

#include <glib.h>

#include "model/state/origin.h"
#include "pass.h"

static struct ct_origin *grow(struct ct_origin *chain, uint64_t stack)
{
    struct ct_origin *next = ct_origin_new(
        &(struct ct_origin){
            .boundary = CT_BOUNDARY_BOTTOM_HALF,
            .pid = 1,
            .id = stack,
            .stack = stack,
            .when_ns = 5,
        },
        chain);

    ct_origin_unref(chain);
    g_assert_cmpuint(next->length, <=, CT_ORIGIN_LENGTH_MAX);
    return next;
}

/* The stacks that a chain stands for; '.' for one that was skipped. */
static char *spell(const struct ct_origin *chain)
{
    GString *text = g_string_new(NULL);

    for (; chain; chain = chain->next) {
        g_string_append_c(text, (char)chain->stack);
        if (chain->repeats) {
            g_string_append_printf(text, "(%" G_GUINT64_FORMAT "x%u)",
                                   chain->repeats, chain->period);
        }
        for (uint64_t i = 0; i < chain->skipped; i++) {
            g_string_append_c(text, '.');
        }
    }
    return g_string_free(text, FALSE);
}

/* Newest last, as they come into being. */
static void check(const char *made, const char *expect)
{
    struct ct_origin *chain = NULL;

    for (const char *c = made; *c; c++) {
        chain = grow(chain, (uint64_t)*c);
    }
    g_autofree char *text = spell(chain);
    g_assert_cmpstr(text, ==, expect);
    ct_origin_unref(chain);
}

static void test_fold(void)
{
    check("m", "m");
    check("mab", "bam");
    check("maa", "a(1x1)m");
    check("maaaa", "a(3x1)m");
    check("mabab", "b(1x2)am");
    check("mababa", "ab(1x2)am");
    check("mababab", "b(2x2)am");
    check("mabcabcabc", "c(2x3)bam");
    check("maab", "ba(1x1)m");
    check("maabaab", "b(1x2)a(1x1)m");
    check("maabaaab", "ba(2x1)ba(1x1)m"); /* not the same */
    check("mabcdefghabcdefgh", "h(1x8)gfedcbam");
    check("mabcdefghiabcdefghi", "ihgfedcbaihgfedcbam"); /* too long */
    check("abab", "b(1x2)a");
}

static void test_boundary_and_process_count(void)
{
    struct ct_origin like = {
        .boundary = CT_BOUNDARY_TIMER, .pid = 1, .stack = 7};
    struct ct_origin *a = ct_origin_new(&like, NULL);

    like.boundary = CT_BOUNDARY_THREAD;
    struct ct_origin *b = ct_origin_new(&like, a);
    g_assert_cmpuint(b->length, ==, 2);
    like.pid = 2;
    struct ct_origin *c = ct_origin_new(&like, b);
    g_assert_cmpuint(c->length, ==, 3);
    like.stack = 0; /* not known: not known to be the same */
    struct ct_origin *d = ct_origin_new(&like, c);
    struct ct_origin *e = ct_origin_new(&like, d);
    g_assert_cmpuint(e->length, ==, 5);
    ct_origin_unref(a);
    ct_origin_unref(b);
    ct_origin_unref(c);
    ct_origin_unref(d);
    ct_origin_unref(e);
}

/* What is told of a chain adds up to what it was; cycles may be in cycles. */
static uint64_t folded(const struct ct_origin *origin)
{
    const struct ct_origin *at = origin;
    uint64_t n = 0;

    for (unsigned i = 0; i < origin->period; i++, at = at->next) {
        n += 1 + (i > 0 ? folded(at) : 0);
    }
    return n * origin->repeats;
}

static uint64_t told(const struct ct_origin *chain)
{
    uint64_t n = 0;

    for (; chain; chain = chain->next) {
        n += 1 + folded(chain) + chain->skipped;
    }
    return n;
}

static void test_shorten(void)
{
    enum { N = 1000000 };
    GRand *rand = g_rand_new_with_seed(3);
    struct ct_origin *chain = NULL;
    uint64_t newest[3] = {0};

    for (uint64_t i = 1; i <= N; i++) {
        /* Never a cycle. */
        newest[i % 3] = i;
        chain = grow(chain, i);
        if (i % 1000 == 0) {
            g_assert_cmpuint(told(chain), ==, i);
        }
    }
    g_assert_cmpuint(chain->stack, ==, newest[N % 3]);
    struct ct_origin *base = chain;
    while (base->next) {
        base = base->next;
    }
    g_assert_cmpuint(base->stack, ==, 1); /* main is still there */
    ct_origin_unref(chain);

    /* Random, so that cycles come and go, and are cut through. */
    chain = NULL;
    for (uint64_t i = 1; i <= 100000; i++) {
        chain = grow(chain, (uint64_t)g_rand_int_range(rand, 1, 4));
        g_assert_cmpuint(told(chain), ==, i);
    }
    ct_origin_unref(chain);
    g_rand_free(rand);
}

/* Many grow from one of full length: one shortened copy serves them all. */
static void test_fan_out(void)
{
    struct ct_origin *chain = NULL, *leaves[100];

    for (uint64_t i = 1; i <= CT_ORIGIN_LENGTH_MAX; i++) {
        chain = grow(chain, i);
    }
    g_assert_cmpuint(chain->length, ==, CT_ORIGIN_LENGTH_MAX);
    for (unsigned i = 0; i < G_N_ELEMENTS(leaves); i++) {
        leaves[i] = grow(ct_origin_ref(chain), 1000 + i);
        g_assert_true(leaves[i]->next == leaves[0]->next);
    }
    ct_origin_unref(chain);
    for (unsigned i = 0; i < G_N_ELEMENTS(leaves); i++) {
        ct_origin_unref(leaves[i]);
    }
}

static void test_also(void)
{
    struct ct_origin *origin = grow(NULL, 1);

    for (uint64_t i = 0; i < 6; i++) {
        ct_origin_also(origin, 10 + i);
    }
    g_assert_cmpuint(origin->n_also, ==, 6);
    g_assert_cmpuint(origin->also_stack[0], ==, 10);
    g_assert_cmpuint(origin->also_stack[3], ==, 13);
    ct_origin_unref(origin);
}

/* A million bottom halves or timers, each made pending by the one before. */
static void reschedule(enum ct_step_kind arm, enum ct_step_kind begin,
                       enum ct_step_kind end, bool one_shot)
{
    enum { N = 1000000 };
    struct pass *pass = pass_new(CT_WANT_ALL);
    int64_t now = 10;

    pass->keep = false;
    for (uint64_t i = 0; i < N; i++) {
        uint64_t id = one_shot ? i + 1 : 1;
        struct ct_step step = {
            .kind = arm,
            .when_ns = now++,
            .pid = 1,
            .tid = 1,
            .subject = one_shot ? id : 1,
            .value = one_shot,
            .stack = i ? 2 : 1,
        };
        pass_step(pass, &step);
        if (i) {
            step.kind = end;
            step.subject = one_shot ? id - 1 : 1;
            step.when_ns = now++;
            pass_step(pass, &step);
        }
        step.kind = begin;
        step.subject = id;
        step.when_ns = now++;
        pass_step(pass, &step);
    }
    pass->keep = true;
    struct ct_step create = {.kind = CT_STEP_CO_CREATE,
                             .when_ns = now++,
                             .pid = 1,
                             .tid = 1,
                             .subject = 5000000,
                             .stack = 3};
    pass_step(pass, &create);
    create.kind = CT_STEP_CO_ENTER;
    pass_step(pass, &create);
    pass_finish(pass, now);

    const struct ct_life *life = pass_life(pass, CT_ENTITY_COROUTINE, 5000000);
    g_assert_cmpuint(told(life->origin), ==, N + 1);
    g_assert_cmpuint(life->origin->length, ==, 3);
    g_assert_cmpuint(life->origin->next->repeats, ==, N - 2);
    g_assert_cmpuint(life->origin->next->next->stack, ==, 1);
    g_assert_false(life->origin->next->next->cut);
    g_assert_cmpuint(ct_model_oddities(pass->model), ==, 0);
    pass_free(pass);
}

static void test_million_bhs(void)
{
    reschedule(CT_STEP_BH_SCHEDULE, CT_STEP_BH_RUN_BEGIN, CT_STEP_BH_RUN_END,
               true);
}

static void test_million_timers(void)
{
    reschedule(CT_STEP_TIMER_ARM, CT_STEP_TIMER_RUN_BEGIN,
               CT_STEP_TIMER_RUN_END, false);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/origin/fold", test_fold);
    g_test_add_func("/origin/same", test_boundary_and_process_count);
    g_test_add_func("/origin/shorten", test_shorten);
    g_test_add_func("/origin/fan-out", test_fan_out);
    g_test_add_func("/origin/also", test_also);
    g_test_add_func("/origin/million-bottom-halves", test_million_bhs);
    g_test_add_func("/origin/million-timers", test_million_timers);
    return g_test_run();
}
