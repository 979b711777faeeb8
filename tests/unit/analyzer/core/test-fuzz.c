/* SPDX-License-Identifier: MIT */
/*
 * Any sequence of steps: the model and the accounts keep what they promise
 * (pass.c checks it) and never crash.  Ids come from a few numbers, so that
 * they meet, repeat, end twice and mean several things at once.
 */
#include <glib.h>

#include "pass.h"

enum { N_RUNS = 150, N_STEPS = 3000 };

static uint64_t an_id(GRand *rand, unsigned n)
{
    unsigned pick = (unsigned)g_rand_int_range(rand, 0, (gint32)n + 2);

    return pick == n + 1 ? UINT64_MAX - (uint64_t)g_rand_int_range(rand, 0, 2)
                         : pick;
}

static int64_t a_time(GRand *rand, int64_t now)
{
    switch (g_rand_int_range(rand, 0, 400)) {
    case 0:
        return INT64_MIN;
    case 1:
        return now - g_rand_int_range(rand, 0, 1000);
    default:
        return now + g_rand_int_range(rand, 0, 5);
    }
}

static void fill(GRand *rand, struct ct_step *step, unsigned kinds_from,
                 unsigned kinds_to, unsigned n_ids, int64_t now)
{
    static const char *const names[] = {NULL, "", "name", "other"};
    static const uint64_t addresses[] = {1, 2, 3};

    *step = (struct ct_step){
        .kind = (enum ct_step_kind)g_rand_int_range(rand, (gint32)kinds_from,
                                                    (gint32)kinds_to),
        .certainty = (enum ct_certainty)(g_rand_int_range(rand, 0, 20) == 0),
        .when_ns = a_time(rand, now),
        .pid = g_rand_int_range(rand, 0, 30) ? 1 : (int32_t)an_id(rand, 3),
        .tid = g_rand_int_range(rand, 0, 30) ? g_rand_int_range(rand, 1, 4)
                                             : (int32_t)an_id(rand, 9),
        .subject = an_id(rand, n_ids),
        .object = an_id(rand, n_ids),
        .context = an_id(rand, 3),
        .waits_for = an_id(rand, n_ids),
        .value = an_id(rand, n_ids),
        .fn = an_id(rand, 9),
        .stack = an_id(rand, 4),
        .created_stack = an_id(rand, 4),
        .ns = a_time(rand, now + 50),
        .from_ns = a_time(rand, now),
        .ret = g_rand_int_range(rand, -2, 8),
        .reason = (uint8_t)g_rand_int_range(rand, 0, 10),
        .flag = g_rand_boolean(rand),
        .name = names[g_rand_int_range(rand, 0, 4)],
        .layer = names[g_rand_int_range(rand, 0, 4)],
        .op = names[g_rand_int_range(rand, 0, 4)],
        .addresses = addresses,
        .n_addresses = (uint32_t)g_rand_int_range(rand, 0, 4),
    };
    if (step->kind == CT_STEP_GAP && g_rand_int_range(rand, 0, 4)) {
        step->kind = CT_STEP_CO_ENTER; /* or nothing would ever be known */
    }
    if (step->kind == CT_STEP_STATE_BEGIN && g_rand_int_range(rand, 0, 4)) {
        step->subject +=
            1000000; /* mostly another telling, not a new process */
    }
}

static void run(uint32_t seed, unsigned wants)
{
    /* All kinds; then those of one room, so that they meet. */
    static const unsigned ranges[][2] = {
        {0, CT_STEP_KINDS},
        {0, CT_STEP_KINDS},
        {CT_STEP_CO_CREATE, CT_STEP_WORKER_EXIT + 1},
        {CT_STEP_CO_CREATE, CT_STEP_QUEUE_WAKE + 1},
        {CT_STEP_THREAD_CREATE, CT_STEP_REQUEST_END + 1},
        {CT_STEP_CONTEXT_CREATE, CT_STEP_CO_WAKE + 1},
        {CT_STEP_WORK_SUBMIT, CT_STEP_KINDS},
    };
    GRand *rand = g_rand_new_with_seed(seed);
    struct pass *pass = pass_new(wants);
    unsigned n_ids = 1u << (seed % 7);
    int64_t now = 100;

    for (unsigned i = 0; i < N_STEPS; i++) {
        const unsigned *range = ranges[(seed + i / 500) % G_N_ELEMENTS(ranges)];
        struct ct_step step;
        fill(rand, &step, range[0], range[1], n_ids, now);
        pass_step(pass, &step);
        now = pass->now_ns;
    }
    /* Times up to the end of time. */
    if (seed % 5 == 0) {
        for (unsigned i = 0; i < 50; i++) {
            struct ct_step step;
            fill(rand, &step, 1, CT_STEP_KINDS, n_ids, now);
            step.when_ns = INT64_MAX - 50 + i;
            pass_step(pass, &step);
        }
    }
    pass_finish(pass, seed % 3 ? pass->now_ns : INT64_MIN);
    pass_free(pass);
    g_rand_free(rand);
}

static void test_any_steps(void)
{
    for (uint32_t seed = 1; seed <= N_RUNS; seed++) {
        run(seed, CT_WANT_ALL);
    }
}

/* What nobody wants is not worked out; what is wanted stays the same. */
static void test_any_wants(void)
{
    for (uint32_t seed = 1; seed <= 64; seed++) {
        unsigned wants = CT_WANT_SLICES | CT_WANT_SLICE_BEGINS |
                         (seed & 1 ? CT_WANT_REQUESTS : 0) |
                         (seed & 2 ? CT_WANT_ORIGINS : 0) |
                         (seed & 4 ? CT_WANT_LIVES : 0) |
                         (seed & 8 ? CT_WANT_EDGES : 0) |
                         (seed & 16 ? CT_WANT_OWN_STACKS : 0) |
                         (seed & 32 ? CT_WANT_COUNTERS : 0);
        run(seed, wants);
    }
}

/* Deeper than any stack. */
static void test_absurd_depth(void)
{
    struct pass *pass = pass_new(CT_WANT_ALL);

    for (uint64_t i = 0; i < 100000; i++) {
        struct ct_step step = {
            .kind = i % 2 ? CT_STEP_BH_RUN_BEGIN : CT_STEP_CO_ENTER,
            .when_ns = (int64_t)i,
            .pid = 1,
            .tid = 1,
            .subject = i + 1,
            .object = i % 2 ? 0 : i - 1,
        };
        pass_step(pass, &step);
    }
    g_assert_cmpuint(ct_model_oddities(pass->model), >, 0);
    pass_finish(pass, 100000);
    for (unsigned i = 0; i < pass->slices->len; i++) {
        g_assert_cmpuint(g_array_index(pass->slices, struct ct_slice, i).depth,
                         <=, 256);
    }
    pass_free(pass);
}

/* A model that is dropped in mid-life frees everything (LeakSanitizer). */
static void test_dropped(void)
{
    for (uint32_t seed = 1; seed <= 20; seed++) {
        GRand *rand = g_rand_new_with_seed(seed);
        struct ct_model *model = ct_model_new(CT_WANT_ALL);
        struct ct_account *account = ct_account_new(true);
        for (unsigned i = 0; i < 500; i++) {
            struct ct_step step;
            fill(rand, &step, 1, CT_STEP_KINDS, 16, i);
            struct ct_changes changes = ct_model_step(model, &step);
            for (unsigned j = 0; j < changes.n; j++) {
                if (changes.v[j].kind < CT_CHANGE_REQUEST_BEGIN) {
                    ct_account_meanwhile(account, &changes.v[j]);
                }
                ct_account_take(account, &changes.v[j]);
            }
        }
        if (seed % 2) {
            ct_account_free(account);
            ct_model_free(model);
        } else {
            ct_model_free(model);
            ct_account_free(account);
        }
        g_rand_free(rand);
    }
}

int main(int argc, char **argv)
{
    g_setenv("COTRACE_CHECK", "1", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fuzz/any-steps", test_any_steps);
    g_test_add_func("/fuzz/any-wants", test_any_wants);
    g_test_add_func("/fuzz/absurd-depth", test_absurd_depth);
    g_test_add_func("/fuzz/dropped", test_dropped);
    return g_test_run();
}
