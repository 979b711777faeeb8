/* SPDX-License-Identifier: MIT */
/*
 * Slices: true nesting whatever is missing, what is claimed of ends that were
 * not seen, threads that come and go.
 */
#include <glib.h>

#include "say.h"

/* "kind id depth begin-end flags", ordered as they ended; without threads. */
static char *spell_slices(const struct pass *pass, bool threads)
{
    static const char *const words[] = {"poll", "fdmon", "busy", "wait",
                                        "bh",   "timer", "fd",   "co",
                                        "work", "thread"};
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < pass->slices->len; i++) {
        struct ct_slice *slice =
            &g_array_index(pass->slices, struct ct_slice, i);
        if (slice->kind == CT_SLICE_THREAD && !threads) {
            continue;
        }
        g_string_append_printf(
            text, "%s%s %d @%u %d%s..%d%s", text->len ? ", " : "",
            words[slice->kind], (int)slice->id, slice->depth,
            (int)slice->begin_ns - 1000, slice->begin_known ? "" : "?",
            (int)slice->end_ns - 1000,
            slice->open        ? " open"
            : slice->end_known ? ""
                               : "?");
    }
    return g_string_free(text, FALSE);
}

static void check(struct said *t, uint64_t oddities, const char *expect)
{
    pass_finish(t->pass, t->now_ns + 1);
    g_autofree char *text = spell_slices(t->pass, false);
    g_assert_cmpstr(text, ==, expect);
    g_assert_cmpuint(ct_model_oddities(t->pass->model), ==, oddities);
    pass_free(t->pass);
}

static void test_nesting(void)
{
    struct said t = say_begin();

    SAY(&t, WAIT_BEGIN, .subject = 1);
    SAY(&t, POLL_BEGIN, .subject = 1, .value = 1);
    SAY(&t, FDMON_BEGIN, .subject = 1);
    SAY(&t, FDMON_END, .subject = 1);
    SAY(&t, BH_RUN_BEGIN, .subject = 2, .context = 1, .fn = 77, .name = "bh");
    SAY(&t, CO_ENTER, .subject = 3, .context = 1);
    SAY(&t, POLL_BEGIN, .subject = 1, .value = 2);
    SAY(&t, TIMER_RUN_BEGIN, .subject = 4, .context = 1);
    SAY(&t, TIMER_RUN_END, .subject = 4, .context = 1);
    SAY(&t, POLL_END, .subject = 1, .flag = true);
    SAY(&t, CO_YIELD, .subject = 3);
    SAY(&t, BH_RUN_END, .subject = 2, .context = 1);
    SAY(&t, POLL_END, .subject = 1);
    pass_finish(t.pass, t.now_ns + 1);

    g_autofree char *text = spell_slices(t.pass, true);
    g_assert_cmpstr(text, ==,
                    "fdmon 1 @3 3..4, timer 4 @6 8..9, poll 1 @5 7..10, "
                    "co 3 @4 6..11, bh 2 @3 5..12, poll 1 @2 2..13, "
                    "wait 1 @1 1..14 open, thread 0 @0 1?..14 open");
    struct ct_slice *poll = &g_array_index(t.pass->slices, struct ct_slice, 5);
    g_assert_cmpuint(poll->n_children, ==, 2);
    g_assert_cmpint(poll->children_ns, ==, 1 + 7);
    g_assert_cmpuint(poll->poll_depth, ==, 1);
    struct ct_slice *nested =
        &g_array_index(t.pass->slices, struct ct_slice, 2);
    g_assert_true(nested->flag);
    g_assert_cmpuint(nested->poll_depth, ==, 2);
    struct ct_slice *bh = &g_array_index(t.pass->slices, struct ct_slice, 4);
    g_assert_cmpstr(bh->name, ==, "bh");
    g_assert_cmpuint(bh->fn, ==, 77);
    g_assert_cmpuint(bh->context, ==, 1);
    pass_free(t.pass);
}

/* An end that is not the innermost one's closes what is above it. */
static void test_lost_end(void)
{
    struct said t = say_begin();

    SAY(&t, POLL_BEGIN, .subject = 1, .value = 1);
    SAY(&t, BH_RUN_BEGIN, .subject = 2);
    SAY(&t, CO_ENTER, .subject = 3);
    SAY(&t, POLL_END, .subject = 1);
    SAY(&t, POLL_BEGIN, .subject = 1, .value = 1);
    SAY(&t, POLL_END, .subject = 1);
    check(&t, 1,
          "co 3 @3 3..4?, bh 2 @2 2..4?, poll 1 @1 1..4, "
          "poll 1 @1 5..6");
}

static void test_lost_begin(void)
{
    struct said t = say_begin();

    SAY(&t, POLL_BEGIN, .subject = 1, .value = 1);
    SAY(&t, BH_RUN_END, .subject = 2);
    SAY(&t, POLL_END, .subject = 1);
    SAY(&t, POLL_END, .subject = 1);
    check(&t, 2, "poll 1 @1 1..3");
}

/* Of a thread that we have not seen from its start, an end with nothing before
 * it tells what was open all the time; the next one can't say since when. */
static void test_late(void)
{
    struct said t = say_begin();

    SAY(&t, NOTIFY, .tid = 7, .subject = 1);
    SAY(&t, NOTIFY, .tid = 7, .subject = 1);
    SAY(&t, BH_RUN_END, .tid = 7, .subject = 2, .context = 1);
    SAY(&t, POLL_END, .tid = 7, .subject = 1);
    SAY(&t, POLL_BEGIN, .tid = 7, .subject = 1, .value = 1);
    SAY(&t, POLL_END, .tid = 7, .subject = 1);
    check(&t, 0, "bh 2 @1 1?..3, poll 1 @1 5..6");
}

/* Who enters runs: a coroutine that was never seen to begin. */
static void test_late_coroutine(void)
{
    struct said t = say_begin();

    SAY(&t, NOTIFY, .tid = 7, .subject = 1);
    SAY(&t, CO_ENTER, .tid = 7, .subject = 3, .object = 2);
    SAY(&t, CO_YIELD, .tid = 7, .subject = 3);
    SAY(&t, CO_YIELD, .tid = 7, .subject = 2);
    check(&t, 0, "co 3 @2 2..3, co 2 @1 1?..4");

    t = say_begin();
    SAY(&t, BH_RUN_BEGIN, .tid = 7, .subject = 9);
    SAY(&t, BH_RUN_END, .tid = 7, .subject = 9);
    SAY(&t, CO_ENTER, .tid = 7, .subject = 3, .object = 2);
    SAY(&t, CO_YIELD, .tid = 7, .subject = 3);
    SAY(&t, CO_YIELD, .tid = 7, .subject = 2);
    check(&t, 0, "bh 9 @1 1..2, co 3 @2 3..4, co 2 @1 3?..5");
}

/* A coroutine is in one place: entered elsewhere, it has left unseen. */
static void test_coroutine_moves(void)
{
    struct said t = say_begin();

    SAY(&t, CO_ENTER, .subject = 2);
    SAY(&t, CO_ENTER, .subject = 3, .object = 2);
    SAY(&t, CO_ENTER, .tid = 7, .subject = 2);
    SAY(&t, CO_TERMINATE, .tid = 7, .subject = 2);
    check(&t, 1, "co 3 @2 2..3?, co 2 @1 1..3?, co 2 @1 3..4");

    /* `from` says what runs: the one above has left unseen. */
    t = say_begin();
    SAY(&t, CO_ENTER, .subject = 2);
    SAY(&t, CO_ENTER, .subject = 3, .object = 2);
    SAY(&t, CO_ENTER, .subject = 4, .object = 2);
    SAY(&t, CO_TERMINATE, .subject = 4);
    SAY(&t, CO_TERMINATE, .subject = 2);
    check(&t, 1, "co 3 @2 2..3?, co 4 @2 3..4, co 2 @1 1..5");

    t = say_begin();
    SAY(&t, CO_ENTER, .subject = 2);
    SAY(&t, CO_ENTER, .subject = 3); /* from the thread itself */
    SAY(&t, CO_TERMINATE, .subject = 3);
    check(&t, 1, "co 2 @1 1..2?, co 3 @1 2..3");
}

static void test_gap(void)
{
    struct said t = say_begin();

    SAY(&t, POLL_BEGIN, .subject = 1, .value = 1);
    SAY(&t, BH_RUN_BEGIN, .subject = 2);
    SAY(&t, GAP, .subject = 3, .from_ns = 1003, .ns = 1005, .value = 4);
    SAY(&t, BH_RUN_END, .subject = 2);   /* of which run? */
    SAY(&t, BH_RUN_BEGIN, .subject = 2); /* not known to last */
    SAY(&t, BH_RUN_END, .subject = 2);   /* open all the time since the gap */
    SAY(&t, POLL_END, .subject = 1);
    SAY(&t, POLL_BEGIN, .subject = 1, .value = 1);
    SAY(&t, POLL_END, .subject = 1);
    struct ct_gap *gap = &g_array_index(t.pass->gaps, struct ct_gap, 0);
    g_assert_cmpint(gap->from_ns, ==, 1003);
    g_assert_cmpint(gap->to_ns, ==, 1005);
    g_assert_cmpuint(gap->lost, ==, 4);
    g_assert_cmpuint(gap->stream, ==, 3);
    check(&t, 0,
          "bh 2 @2 2..3?, poll 1 @1 1..3?, bh 2 @1 5?..6, "
          "poll 1 @1 8..9");
}

static void test_thread_lives(void)
{
    struct said t = say_begin();

    SAY(&t, NOTIFY, .subject = 1);
    SAY(&t, THREAD_CREATE, .subject = 50, .name = "created", .stack = 4);
    SAY(&t, THREAD_START, .tid = 7, .subject = 50, .name = "io");
    g_assert_cmpstr(g_hash_table_lookup(t.pass->names, GINT_TO_POINTER(7)), ==,
                    "io");
    SAY(&t, NOTIFY, .tid = 7, .subject = 1);
    SAY(&t, THREAD_EXIT, .tid = 7, .subject = 50);
    SAY(&t, THREAD_START, .tid = 7, .subject = 51, .name = "again");
    SAY(&t, WORKER_START, .tid = 7, .subject = 60, .context = 2);
    g_assert_cmpstr(g_hash_table_lookup(t.pass->names, GINT_TO_POINTER(7)), ==,
                    "worker 1");
    SAY(&t, WORKER_EXIT, .tid = 7, .subject = 60, .context = 2);
    SAY(&t, NOTIFY, .tid = 7, .subject = 1);
    SAY(&t, THREAD_EXIT, .tid = 7, .subject = 51);
    pass_finish(t.pass, t.now_ns + 1);

    g_autofree char *text = spell_slices(t.pass, true);
    g_assert_cmpstr(text, ==,
                    "thread 50 @0 3..5, thread 51 @0 6..10, "
                    "thread 0 @0 1?..11 open");
    const struct ct_life *life = pass_life(t.pass, CT_ENTITY_THREAD, 50);
    g_assert_cmpuint(life->origin->stack, ==, 4);
    g_assert_cmpint(life->tid, ==, 7);
    g_assert_true(life->begin_known && life->end_known && !life->open);
    life = pass_life(t.pass, CT_ENTITY_WORKER, 60);
    g_assert_cmpint(life->end_ns, ==, 1008);
    g_assert_cmpuint(ct_model_oddities(t.pass->model), ==, 0);
    pass_free(t.pass);
}

/* A tid that comes again without an exit in between is another thread. */
static void test_tid_again(void)
{
    struct said t = say_begin();

    SAY(&t, WORKER_START, .tid = 7, .subject = 60, .context = 2);
    SAY(&t, WORK_BEGIN, .tid = 7, .subject = 61, .object = 60, .context = 2);
    SAY(&t, WORKER_START, .tid = 7, .subject = 62, .context = 2);
    pass_finish(t.pass, t.now_ns + 1);

    g_autofree char *text = spell_slices(t.pass, true);
    g_assert_cmpstr(text, ==,
                    "work 61 @1 2..3?, thread 0 @0 1..3?, "
                    "thread 0 @0 3..4 open");
    g_assert_false(pass_life(t.pass, CT_ENTITY_WORKER, 60)->end_known);
    g_assert_true(pass_life(t.pass, CT_ENTITY_WORKER, 62)->open);
    pass_free(t.pass);
}

/* The same ids in two processes are two worlds. */
static void test_two_processes(void)
{
    struct said t = say_begin();

    for (int32_t pid = 1; pid <= 2; pid++) {
        SAY(&t, CO_CREATE, .pid = pid, .tid = pid, .subject = 5);
        SAY(&t, CO_ENTER, .pid = pid, .tid = pid, .subject = 5);
        SAY(&t, REQUEST_BEGIN, .pid = pid, .tid = pid, .subject = 6,
            .waits_for = 5);
    }
    for (int32_t pid = 1; pid <= 2; pid++) {
        SAY(&t, REQUEST_END, .pid = pid, .tid = pid, .subject = 6, .ret = pid);
        SAY(&t, CO_TERMINATE, .pid = pid, .tid = pid, .subject = 5);
    }
    struct pass *pass = say_end(&t);
    g_assert_cmpuint(pass->requests->len, ==, 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct ct_request *request =
            &g_array_index(pass->requests, struct kept_request, i).request;
        g_assert_cmpuint(request->number, ==, i + 1);
        g_assert_cmpint(request->ret, ==, request->pid);
    }
    pass_free(pass);
}

static void test_time_goes_back(void)
{
    struct said t = say_begin();

    SAY(&t, POLL_BEGIN, .subject = 1, .value = 1);
    SAY(&t, BH_RUN_BEGIN, .when_ns = 900, .subject = 2);
    SAY(&t, BH_RUN_END, .when_ns = -5, .subject = 2);
    SAY(&t, POLL_END, .when_ns = 1004, .subject = 1);
    check(&t, 0, "bh 2 @2 1..1, poll 1 @1 1..4");
}

int main(int argc, char **argv)
{
    g_setenv("COTRACE_CHECK", "1", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/threads/nesting", test_nesting);
    g_test_add_func("/threads/lost-end", test_lost_end);
    g_test_add_func("/threads/lost-begin", test_lost_begin);
    g_test_add_func("/threads/late", test_late);
    g_test_add_func("/threads/late-coroutine", test_late_coroutine);
    g_test_add_func("/threads/coroutine-moves", test_coroutine_moves);
    g_test_add_func("/threads/gap", test_gap);
    g_test_add_func("/threads/lives", test_thread_lives);
    g_test_add_func("/threads/tid-again", test_tid_again);
    g_test_add_func("/threads/two-processes", test_two_processes);
    g_test_add_func("/threads/time-goes-back", test_time_goes_back);
    return g_test_run();
}
