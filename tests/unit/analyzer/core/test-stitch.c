/* SPDX-License-Identifier: MIT */
/*
 * Who brought what into being: each kind of entity, and the whole story of a
 * worker that a coroutine asked for while main waited for it.
 */
#include <glib.h>

#include "say.h"

/* Stacks, by what was running. */
enum {
    S_OPEN = 101, /* main .. qcow2_open */
    S_SUBMIT,     /* coroutine .. thread_pool_submit_aio */
    S_SPAWN,      /* coroutine .. spawn_thread */
    S_SCHEDULE,   /* coroutine .. aio_bh_schedule */
    S_YIELD,
    S_CREATE,   /* main .. aio_poll .. do_spawn_thread */
    S_WORKER,   /* worker_thread */
    S_CREATE_2, /* worker_thread .. do_spawn_thread */
    S_OTHER,
};

static const struct ct_origin *origin_of(const struct pass *pass,
                                         enum ct_entity_kind kind, uint64_t id)
{
    const struct ct_life *life = pass_life(pass, kind, id);

    g_assert_nonnull(life);
    return life->origin;
}

enum { CTX = 1, POOL = 2, CO = 10, REQ = 11, BH = 12, WORKER = 13 };

static void open_image(struct said *t)
{
    SAY(t, CONTEXT_CREATE, .subject = CTX, .name = "main", .stack = S_OTHER);
    SAY(t, CO_CREATE, .subject = CO, .stack = S_OPEN);
    SAY(t, CO_ENTER, .subject = CO, .context = CTX, .stack = S_OPEN);
    SAY(t, WORK_SUBMIT, .subject = REQ, .object = CO, .context = POOL,
        .stack = S_SUBMIT);
    SAY(t, SPAWN_REQUEST, .subject = POOL, .context = POOL, .value = 1,
        .stack = S_SPAWN);
    SAY(t, BH_SCHEDULE, .subject = BH, .context = CTX, .stack = S_SCHEDULE);
    SAY(t, CO_YIELD, .subject = CO, .reason = CT_YIELD_REASON_WORK,
        .waits_for = REQ, .stack = S_YIELD);
    SAY(t, POLL_BEGIN, .subject = CTX, .value = 1);
    SAY(t, BH_RUN_BEGIN, .subject = BH, .context = CTX);
}

/* The three cut backtraces are one. */
static void test_worker(void)
{
    struct said t = say_begin();

    open_image(&t);
    SAY(&t, WORKER_CREATE, .subject = WORKER, .context = POOL, .value = 1,
        .stack = S_CREATE);
    SAY(&t, THREAD_CREATE, .subject = 90, .name = "worker", .stack = S_CREATE);
    SAY(&t, BH_RUN_END, .subject = BH, .context = CTX);
    SAY(&t, THREAD_START, .tid = 2, .subject = 90, .name = "worker");
    SAY(&t, WORKER_START, .tid = 2, .subject = WORKER, .context = POOL,
        .stack = S_WORKER);
    SAY(&t, WORK_BEGIN, .tid = 2, .subject = REQ, .object = WORKER,
        .context = POOL, .stack = S_WORKER);
    SAY(&t, WORK_END, .tid = 2, .subject = REQ, .context = POOL);
    SAY(&t, POLL_END, .subject = CTX);
    struct pass *pass = say_end(&t);

    const struct ct_life *life = pass_life(pass, CT_ENTITY_WORKER, WORKER);
    g_assert_cmpuint(life->stack, ==, S_WORKER);
    g_assert_cmpint(life->tid, ==, 2);
    g_assert_cmpstr(life->name, ==, "worker 1");
    assert_origin(life->origin, "worker-spawn 13 106, bottom-half 12 103, "
                                "coroutine 10 101, base");
    assert_origin(origin_of(pass, CT_ENTITY_WORK, REQ),
                  "work-item 11 102, coroutine 10 101, base");
    assert_origin(origin_of(pass, CT_ENTITY_THREAD, 90),
                  "worker-spawn 13 106, bottom-half 12 103, "
                  "coroutine 10 101, base");

    /* The executor: the creation lies in thread 1, the request before it. */
    const struct ct_origin *origin = life->origin;
    g_assert_cmpint(origin->tid, ==, 1);
    g_assert_cmpint(origin->when_ns, >, origin->next->when_ns);
    g_assert_cmpint(origin->next->when_ns, >, origin->next->next->when_ns);

    bool has_spawn = false;
    for (unsigned i = 0; i < pass->edges->len; i++) {
        struct ct_edge *edge = &g_array_index(pass->edges, struct ct_edge, i);
        if (edge->kind == CT_EDGE_SPAWN) {
            g_assert_cmpint(edge->from_ns, ==, origin->next->when_ns);
            g_assert_cmpint(edge->to_tid, ==, 2);
            has_spawn = true;
        }
    }
    g_assert_true(has_spawn);
    pass_free(pass);
}

/* One bottom half creates the first worker, which creates the second; the n-th
 * answers the n-th request all the same. */
static void test_worker_by_worker(void)
{
    struct said t = say_begin();

    open_image(&t);
    SAY(&t, BH_RUN_END, .subject = BH, .context = CTX);
    SAY(&t, CO_CREATE, .subject = 20, .stack = S_OTHER);
    SAY(&t, CO_ENTER, .subject = 20, .context = CTX, .stack = S_OTHER);
    SAY(&t, SPAWN_REQUEST, .subject = POOL, .context = POOL, .value = 2,
        .stack = S_SPAWN);
    SAY(&t, BH_SCHEDULE, .subject = BH, .context = CTX, .stack = S_SCHEDULE);
    SAY(&t, CO_YIELD, .subject = 20, .reason = CT_YIELD_REASON_IO);
    SAY(&t, BH_RUN_BEGIN, .subject = BH, .context = CTX);
    SAY(&t, WORKER_CREATE, .subject = WORKER, .context = POOL, .value = 1,
        .stack = S_CREATE);
    SAY(&t, BH_RUN_END, .subject = BH, .context = CTX);
    SAY(&t, WORKER_START, .tid = 2, .subject = WORKER, .context = POOL,
        .stack = S_WORKER);
    SAY(&t, WORKER_CREATE, .tid = 2, .subject = 14, .context = POOL, .value = 2,
        .stack = S_CREATE_2);
    SAY(&t, WORKER_START, .tid = 3, .subject = 14, .context = POOL,
        .stack = S_WORKER);
    SAY(&t, POLL_END, .subject = CTX);
    struct pass *pass = say_end(&t);

    assert_origin(origin_of(pass, CT_ENTITY_WORKER, WORKER),
                  "worker-spawn 13 106, bottom-half 12 103, "
                  "coroutine 10 101, base");
    assert_origin(origin_of(pass, CT_ENTITY_WORKER, 14),
                  "worker-spawn 14 108, worker-spawn 13 103, "
                  "coroutine 20 109, base");
    pass_free(pass);
}

static void test_spawn_failed(void)
{
    struct said t = say_begin();

    open_image(&t);
    SAY(&t, WORKER_CREATE, .subject = WORKER, .context = POOL, .value = 1);
    SAY(&t, THREAD_CREATE, .subject = 90, .name = "worker");
    SAY(&t, THREAD_EXIT, .subject = 90);
    SAY(&t, WORKER_EXIT, .subject = WORKER, .context = POOL,
        .reason = CT_EXIT_REASON_FAILED);
    SAY(&t, BH_RUN_END, .subject = BH, .context = CTX);
    SAY(&t, POLL_END, .subject = CTX);
    struct pass *pass = say_end(&t);

    g_assert_true(pass_life(pass, CT_ENTITY_WORKER, WORKER)->end_known);
    /* The creator lives on. */
    const struct ct_life *main_thread = pass_life(pass, CT_ENTITY_THREAD, 0);
    g_assert_true(main_thread->open);
    pass_free(pass);
}

static void test_coroutine_in_coroutine(void)
{
    struct said t = say_begin();

    SAY(&t, CO_CREATE, .subject = 1, .stack = 1);
    SAY(&t, CO_ENTER, .subject = 1, .stack = 1);
    SAY(&t, CO_CREATE, .subject = 2, .stack = 2);
    SAY(&t, CO_ENTER, .subject = 2, .object = 1, .stack = 3);
    SAY(&t, CO_YIELD, .subject = 2, .object = 1);
    SAY(&t, CO_YIELD, .subject = 1);
    /* Entered again by somebody else: that changes nothing. */
    SAY(&t, CO_ENTER, .subject = 2, .stack = 9);
    SAY(&t, CO_TERMINATE, .subject = 2);
    struct pass *pass = say_end(&t);

    assert_origin(origin_of(pass, CT_ENTITY_COROUTINE, 2),
                  "coroutine 2 3, coroutine 1 1, base");
    pass_free(pass);
}

/* Scheduled before it is entered: who scheduled it, in another thread. */
static void test_coroutine_scheduled(void)
{
    struct said t = say_begin();

    SAY(&t, THREAD_CREATE, .subject = 50, .name = "io", .stack = 1);
    SAY(&t, THREAD_START, .tid = 5, .subject = 50, .name = "io");
    SAY(&t, BH_SCHEDULE, .tid = 5, .subject = 3, .value = 1, .stack = 2);
    SAY(&t, BH_RUN_BEGIN, .tid = 5, .subject = 3);
    SAY(&t, CO_CREATE, .tid = 5, .subject = 2, .stack = 3);
    SAY(&t, CO_SCHEDULE, .tid = 5, .subject = 2, .context = 1, .stack = 4);
    SAY(&t, BH_RUN_END, .tid = 5, .subject = 3);
    SAY(&t, CO_DEQUEUE, .subject = 2, .context = 1);
    SAY(&t, CO_ENTER, .subject = 2, .context = 1, .stack = 5);
    SAY(&t, CO_YIELD, .subject = 2);
    struct pass *pass = say_end(&t);

    assert_origin(origin_of(pass, CT_ENTITY_COROUTINE, 2),
                  "coroutine 2 4, bottom-half 3 2, thread 50 1, base");
    pass_free(pass);
}

/* The one that made it pending, and how many came after. */
static void test_bottom_half_coalesced(void)
{
    struct said t = say_begin();

    SAY(&t, BH_SCHEDULE, .subject = 3, .stack = 1);
    SAY(&t, BH_SCHEDULE, .subject = 3, .stack = 2);
    SAY(&t, BH_RUN_BEGIN, .subject = 3);
    SAY(&t, CO_CREATE, .subject = 1);
    SAY(&t, BH_SCHEDULE, .subject = 3, .stack = 4); /* the next run's */
    SAY(&t, CO_ENTER, .subject = 1, .stack = 3);
    SAY(&t, CO_YIELD, .subject = 1);
    SAY(&t, BH_RUN_END, .subject = 3);
    SAY(&t, BH_RUN_BEGIN, .subject = 3);
    SAY(&t, CO_CREATE, .subject = 2);
    SAY(&t, CO_ENTER, .subject = 2, .stack = 3);
    SAY(&t, CO_YIELD, .subject = 2);
    SAY(&t, BH_RUN_END, .subject = 3);
    /* Cancelled, so that the next one counts. */
    SAY(&t, BH_SCHEDULE, .subject = 3, .stack = 5);
    SAY(&t, BH_CANCEL, .subject = 3);
    SAY(&t, BH_SCHEDULE, .subject = 3, .stack = 6);
    SAY(&t, BH_RUN_BEGIN, .subject = 3);
    SAY(&t, CO_CREATE, .subject = 4);
    SAY(&t, CO_ENTER, .subject = 4, .stack = 3);
    SAY(&t, CO_YIELD, .subject = 4);
    SAY(&t, BH_RUN_END, .subject = 3);
    struct pass *pass = say_end(&t);

    const struct ct_origin *origin = origin_of(pass, CT_ENTITY_COROUTINE, 1);
    assert_origin(origin, "coroutine 1 3, bottom-half 3 1+, base");
    g_assert_cmpuint(origin->next->n_also, ==, 1);
    g_assert_cmpuint(origin->next->also_stack[0], ==, 2);
    assert_origin(origin_of(pass, CT_ENTITY_COROUTINE, 2),
                  "coroutine 2 3, bottom-half 3 4, bottom-half 3 1+, base");
    assert_origin(origin_of(pass, CT_ENTITY_COROUTINE, 4),
                  "coroutine 4 3, bottom-half 3 6, base");
    pass_free(pass);
}

static void test_timer_and_handler(void)
{
    struct said t = say_begin();

    SAY(&t, TIMER_ARM, .subject = 3, .stack = 1);
    SAY(&t, TIMER_ARM, .subject = 3, .stack = 2); /* armed anew */
    SAY(&t, FD_SET, .subject = 4, .value = 7, .stack = 5);
    for (uint64_t co = 10; co < 12; co++) {
        SAY(&t, FD_RUN_BEGIN, .subject = 4);
        SAY(&t, CO_CREATE, .subject = co);
        SAY(&t, CO_ENTER, .subject = co, .stack = 6);
        SAY(&t, CO_YIELD, .subject = co);
        SAY(&t, FD_RUN_END, .subject = 4);
    }
    SAY(&t, TIMER_RUN_BEGIN, .subject = 3);
    SAY(&t, CO_CREATE, .subject = 12);
    SAY(&t, CO_ENTER, .subject = 12, .stack = 7);
    SAY(&t, CO_YIELD, .subject = 12);
    SAY(&t, TIMER_RUN_END, .subject = 3);
    SAY(&t, FD_REMOVE, .subject = 4);
    struct pass *pass = say_end(&t);

    for (uint64_t co = 10; co < 12; co++) {
        g_autofree char *expect =
            g_strdup_printf("coroutine %d 6, fd-handler 4 5, base", (int)co);
        assert_origin(origin_of(pass, CT_ENTITY_COROUTINE, co), expect);
    }
    assert_origin(origin_of(pass, CT_ENTITY_COROUTINE, 12),
                  "coroutine 12 7, timer 3 2, base");
    pass_free(pass);
}

/* Own stacks belong to what runs innermost; a yield is told as one. */
static void test_own_stacks(void)
{
    struct said t = say_begin();

    SAY(&t, CO_CREATE, .subject = 1, .stack = 1); /* main's */
    SAY(&t, CO_ENTER, .subject = 1, .stack = 2);  /* main's */
    SAY(&t, WORK_SUBMIT, .subject = 5, .object = 1, .context = 6, .stack = 3);
    SAY(&t, CO_YIELD, .subject = 1, .waits_for = 5,
        .reason = CT_YIELD_REASON_WORK, .stack = 4);
    SAY(&t, WORK_BEGIN, .tid = 2, .subject = 5, .object = 7, .context = 6,
        .stack = 5);
    SAY(&t, WORK_END, .tid = 2, .subject = 5, .context = 6);
    struct pass *pass = say_end(&t);

    static const struct {
        enum ct_entity_kind kind;
        uint64_t id, stack;
        bool waits;
    } expect[] = {
        {CT_ENTITY_THREAD, 0, 1, false},    {CT_ENTITY_THREAD, 0, 2, false},
        {CT_ENTITY_COROUTINE, 1, 3, false}, {CT_ENTITY_COROUTINE, 1, 4, true},
        {CT_ENTITY_WORK, 5, 5, false},
    };
    g_assert_cmpuint(pass->stacks->len, ==, G_N_ELEMENTS(expect));
    for (unsigned i = 0; i < G_N_ELEMENTS(expect); i++) {
        struct ct_own_stack *own =
            &g_array_index(pass->stacks, struct ct_own_stack, i);
        g_assert_cmpint(own->kind, ==, expect[i].kind);
        g_assert_cmpuint(own->id, ==, expect[i].id);
        g_assert_cmpuint(own->stack, ==, expect[i].stack);
        g_assert_cmpint(own->waits, ==, expect[i].waits);
    }
    g_assert_cmpuint(pass_life(pass, CT_ENTITY_COROUTINE, 1)->stack, ==, 4);
    pass_free(pass);
}

/* A thread of which nobody told who created it, in a process that we have not
 * seen from its start: nothing is claimed about what lies outside. */
static void test_not_known(void)
{
    struct said t = say_begin();

    SAY(&t, CO_CREATE, .tid = 7, .subject = 1, .stack = 1);
    SAY(&t, CO_ENTER, .tid = 7, .subject = 1, .stack = 1);
    SAY(&t, CO_YIELD, .tid = 7, .subject = 1);
    SAY(&t, CO_ENTER, .tid = 7, .subject = 2, .stack = 2); /* not the first */
    SAY(&t, CO_CREATE, .tid = 7, .subject = 3, .stack = 3);
    SAY(&t, CO_ENTER, .tid = 7, .subject = 3, .object = 2, .stack = 3);
    SAY(&t, CO_TERMINATE, .tid = 7, .subject = 3);
    SAY(&t, CO_TERMINATE, .tid = 7, .subject = 2);
    struct pass *pass = say_end(&t);

    assert_origin(origin_of(pass, CT_ENTITY_COROUTINE, 1), "coroutine 1 1, ?");
    assert_origin(origin_of(pass, CT_ENTITY_COROUTINE, 2), "?");
    g_assert_false(pass_life(pass, CT_ENTITY_COROUTINE, 2)->begin_known);
    assert_origin(origin_of(pass, CT_ENTITY_COROUTINE, 3), "coroutine 3 3, ?");
    pass_free(pass);
}

int main(int argc, char **argv)
{
    g_setenv("COTRACE_CHECK", "1", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stitch/worker", test_worker);
    g_test_add_func("/stitch/worker-by-worker", test_worker_by_worker);
    g_test_add_func("/stitch/spawn-failed", test_spawn_failed);
    g_test_add_func("/stitch/coroutine-in-coroutine",
                    test_coroutine_in_coroutine);
    g_test_add_func("/stitch/coroutine-scheduled", test_coroutine_scheduled);
    g_test_add_func("/stitch/bottom-half-coalesced",
                    test_bottom_half_coalesced);
    g_test_add_func("/stitch/timer-and-handler", test_timer_and_handler);
    g_test_add_func("/stitch/own-stacks", test_own_stacks);
    g_test_add_func("/stitch/not-known", test_not_known);
    return g_test_run();
}
