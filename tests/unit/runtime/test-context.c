/* SPDX-License-Identifier: MIT */
/*
 * test-context.c - contexts: in a main loop, on threads, their ends
 */
#include <pthread.h>
#include <string.h>

#include "aio/aio_int.h"
#include "base/atomics.h"
#include "gate.h"
#include "loops.h"

static void test_names(struct loop *loop)
{
    AioContext *other = aio_context_new("other", NULL);

    g_assert_cmpstr(aio_context_name(loop->ctx), ==, "test");
    g_assert_cmpstr(aio_context_name(other), ==, "other");
    g_assert_cmpuint(aio_context_id(loop->ctx), !=, 0);
    g_assert_cmpuint(aio_context_id(other), !=, aio_context_id(loop->ctx));
    g_assert_true(aio_context_ref(other) == other);
    aio_context_unref(other);
    g_assert_cmpstr(aio_context_name(other), ==, "other");
    aio_context_unref(other);
    aio_context_unref(NULL);
}

struct current {
    AioContext *inner;
    AioContext *outer;
    int seen;
};

static void check_inner_bh(void *opaque)
{
    struct current *current = opaque;

    g_assert_true(aio_context_current() == current->inner);
    current->seen++;
}

static void check_outer_bh(void *opaque)
{
    struct current *current = opaque;

    g_assert_true(aio_context_current() == current->outer);
    aio_bh_schedule_oneshot(current->inner, check_inner_bh, current);
    g_assert_true(aio_poll(current->inner, true));
    g_assert_true(aio_context_current() == current->outer);
    current->seen++;
}

/* The innermost turn's context is the current one. */
static void test_current(struct loop *loop)
{
    struct current current = {.outer = loop->ctx};

    current.inner = aio_context_new("inner", NULL);
    aio_bh_schedule_oneshot(loop->ctx, check_outer_bh, &current);
    loop_drain(loop);
    g_assert_cmpint(current.seen, ==, 2);
    g_assert_true(aio_context_current() == loop->ctx);
    aio_context_unref(current.inner);
}

static void quit_bh(void *opaque)
{
    g_main_loop_quit(opaque);
}

static gboolean schedule_from_idle(gpointer opaque)
{
    void **args = opaque;

    aio_bh_schedule_oneshot(args[0], quit_bh, args[1]);
    return G_SOURCE_REMOVE;
}

/* A whole g_main_loop_run() in the default main context. */
static void test_main_loop(void)
{
    AioContext *ctx = aio_context_new("main", NULL);
    GMainLoop *main_loop = g_main_loop_new(NULL, FALSE);
    GSource *source = aio_get_g_source(ctx);
    void *args[] = {ctx, main_loop};
    guint id = aio_context_attach(ctx, NULL);

    g_assert_cmpuint(id, !=, 0);
    g_assert_true(g_main_context_find_source_by_id(NULL, id) == source);
    g_idle_add(schedule_from_idle, args);
    g_main_loop_run(main_loop);
    g_source_destroy(source);
    g_source_unref(source);
    g_main_loop_unref(main_loop);
    aio_context_unref(ctx);
}

static void inner_loop_bh(void *opaque)
{
    void **args = opaque;
    GMainLoop *inner = g_main_loop_new(NULL, FALSE);

    aio_bh_schedule_oneshot(args[0], quit_bh, inner);
    g_main_loop_run(inner);
    g_main_loop_unref(inner);
    g_main_loop_quit(args[1]);
}

/* A callback runs the main loop once more. */
static void test_main_loop_nested(void)
{
    AioContext *ctx = aio_context_new("main", NULL);
    GMainLoop *main_loop = g_main_loop_new(NULL, FALSE);
    GSource *source = aio_get_g_source(ctx);
    void *args[] = {ctx, main_loop};

    aio_context_attach(ctx, NULL);
    aio_bh_schedule_oneshot(ctx, inner_loop_bh, args);
    g_main_loop_run(main_loop);
    g_source_destroy(source);
    g_source_unref(source);
    g_main_loop_unref(main_loop);
    aio_context_unref(ctx);
}

static gboolean count_down(gpointer opaque)
{
    int *left = opaque;

    return --*left > 0 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void log_bh(void *opaque)
{
    log_add("bh after %d", *(int *)opaque);
}

/*
 * A source of higher priority makes GLib skip our check between prepare and
 * dispatch; nothing gets lost by that.
 */
static void test_priority(void)
{
    GMainContext *main_context = g_main_context_new();
    AioContext *ctx = aio_context_new("low", NULL);
    GSource *source = aio_get_g_source(ctx);
    GSource *high = g_idle_source_new();
    int left = 5;

    log_clear();
    g_source_set_priority(high, G_PRIORITY_HIGH);
    g_source_set_callback(high, count_down, &left, NULL);
    g_source_attach(high, main_context);
    aio_context_attach(ctx, main_context);
    for (int i = 0; i < 4; i++) {
        g_main_context_iteration(main_context, FALSE);
    }
    aio_bh_schedule_oneshot(ctx, log_bh, &left);
    while (log_text()[0] == '\0') {
        g_main_context_iteration(main_context, TRUE);
    }
    log_expect("bh after 0");
    g_source_destroy(source);
    g_source_unref(source);
    g_source_unref(high);
    aio_context_unref(ctx);
    g_main_context_unref(main_context);
}

/* The GMainContext's end lets go of the context. */
static void test_main_context_ends(void)
{
    GMainContext *main_context = g_main_context_new();
    AioContext *ctx = aio_context_new("main", NULL);
    int mine = 0;

    aio_context_attach(ctx, main_context);
    g_main_context_iteration(main_context, FALSE);
    g_main_context_unref(main_context);
    log_clear();
    aio_bh_schedule_oneshot(ctx, log_bh, &mine);
    g_assert_true(aio_poll(ctx, true));
    log_expect("bh after 0");
    aio_context_unref(ctx);
}

/* --- threads ------------------------------------------------------------- */

static void where_bh(void *opaque)
{
    (void)ct_xchg((pthread_t *)opaque, pthread_self());
}

static void test_iothread(struct loop *loop)
{
    IOThread *iothread = iothread_new("a long name for a thread", NULL);
    AioContext *ctx = iothread_get_aio_context(iothread);
    pthread_t here = pthread_self();
    pthread_t there = here;

    g_assert_false(in_aio_context_home_thread(ctx));
    g_assert_true(in_aio_context_home_thread(loop->ctx));
    g_assert_cmpstr(aio_context_name(ctx), ==, "a long name for a thread");
    aio_bh_schedule_oneshot(ctx, where_bh, &there);
    while (pthread_equal(ct_load_seq(&there), here)) {
        sched_yield();
    }
    iothread_stop(iothread);
    iothread_stop(iothread);
    /* What comes later is for whoever stopped it. */
    g_assert_true(in_aio_context_home_thread(ctx));
    there = 0;
    aio_bh_schedule_oneshot(ctx, where_bh, &there);
    g_assert_true(aio_poll(ctx, true));
    g_assert_true(pthread_equal(there, here));
    iothread_free(iothread);
    iothread_free(NULL);
}

/* Stopped at any instant, also when it is just about to sleep. */
static void test_iothread_stop(struct loop *loop)
{
    for (int i = 0; i < 200; i++) {
        IOThread *iothread = iothread_new("short", NULL);

        if (i % 2 == 0) {
            aio_notify(iothread_get_aio_context(iothread));
        }
        iothread_free(iothread);
    }
}

static void claim(AioContext *ctx)
{
    aio_context_set_current(ctx);
    g_assert_true(aio_context_current() == ctx);
    (void)aio_poll(ctx, false);
    aio_context_set_current(NULL);
    g_assert_true(aio_context_current() == NULL);
}

static void *claim_thread(void *opaque)
{
    claim(opaque);
    return NULL;
}

/* A context changes its home when the old one has given it up. */
static void test_change_home(void)
{
    AioContext *ctx = aio_context_new("moving", NULL);
    pthread_t thread;

    claim(ctx);
    g_assert_cmpint(pthread_create(&thread, NULL, claim_thread, ctx), ==, 0);
    pthread_join(thread, NULL);
    claim(ctx);
    aio_context_unref(ctx);
}

static void poll_foreign(void)
{
    IOThread *iothread = iothread_new("home", NULL);

    (void)aio_poll(iothread_get_aio_context(iothread), false);
}

static void drop_bh(void *opaque)
{
    aio_context_unref(opaque);
}

static void free_in_turn(void)
{
    AioContext *ctx = aio_context_new("own", NULL);

    aio_bh_schedule_oneshot(ctx, drop_bh, ctx);
    (void)aio_poll(ctx, true);
}

static void timer_leaked(void)
{
    AioContext *ctx = aio_context_new("own", NULL);

    (void)aio_timer_new(ctx, drop_bh, NULL);
    aio_context_unref(ctx);
}

static void handler_leaked(void)
{
    AioContext *ctx = aio_context_new("own", NULL);

    aio_set_fd_handler(ctx, 0, drop_bh, NULL, NULL);
    aio_context_unref(ctx);
}

static void stop_bh(void *opaque)
{
    iothread_stop(opaque);
}

static void stop_itself(void)
{
    IOThread *iothread = iothread_new("own", NULL);
    struct gate gate;

    gate_init(&gate);
    aio_bh_schedule_oneshot(iothread_get_aio_context(iothread), stop_bh,
                            iothread);
    gate_pass(&gate); /* the abort ends it */
}

static void current_in_turn_bh(void *opaque)
{
    aio_context_set_current(NULL);
}

static void current_in_turn(void)
{
    AioContext *ctx = aio_context_new("own", NULL);

    aio_bh_schedule_oneshot(ctx, current_in_turn_bh, NULL);
    (void)aio_poll(ctx, true);
}

static void free_current(void)
{
    AioContext *ctx = aio_context_new("own", NULL);

    aio_context_set_current(ctx);
    aio_context_unref(ctx);
}

struct misuse {
    const char *path;
    void (*run)(void);
    const char *message;
};

static void test_misuse(gconstpointer data)
{
    const struct misuse *misuse = data;

    if (g_test_subprocess()) {
        misuse->run();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr(misuse->message);
}

static const struct misuse misuses[] = {
    {"/context/misuse/foreign", poll_foreign, "*aio-poll/home-thread*"},
    {"/context/misuse/in-turn", free_in_turn, "*aio-context-free/in-turn*"},
    {"/context/misuse/free-current", free_current,
     "*aio-context-free/current*"},
    {"/context/misuse/timer", timer_leaked, "*free/timer-leaked*"},
    {"/context/misuse/handler", handler_leaked, "*free/fd-handler-leaked*"},
    {"/context/misuse/stop-itself", stop_itself, "*iothread-stop/itself*"},
    {"/context/misuse/current", current_in_turn,
     "*aio-context-current/in-turn*"},
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/context/names", test_names);
    loops_add("/context/current", test_current);
    loops_add("/context/iothread", test_iothread);
    loops_add("/context/iothread-stop", test_iothread_stop);
    g_test_add_func("/context/main-loop", test_main_loop);
    g_test_add_func("/context/main-loop-nested", test_main_loop_nested);
    g_test_add_func("/context/priority", test_priority);
    g_test_add_func("/context/main-context-ends", test_main_context_ends);
    g_test_add_func("/context/change-home", test_change_home);
    for (size_t i = 0; i < G_N_ELEMENTS(misuses); i++) {
        g_test_add_data_func(misuses[i].path, &misuses[i], test_misuse);
    }
    return g_test_run();
}
