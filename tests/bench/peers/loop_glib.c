/* SPDX-License-Identifier: MIT */
/* GLib's main context: an idle source, and g_main_context_invoke(). */
#include <glib.h>

#include "../bench.h"

static GMainContext *home, *away;
static GMainLoop *away_loop;
static uint64_t runs, left;

static gboolean counts(gpointer opaque)
{
    runs++;
    return G_SOURCE_REMOVE;
}

static void run_bh(uint64_t count)
{
    home = g_main_context_new();
    bench_start();
    while (runs < count) {
        GSource *source = g_idle_source_new();

        g_source_set_priority(source, G_PRIORITY_DEFAULT);
        g_source_set_callback(source, counts, NULL, NULL);
        g_source_attach(source, home);
        g_source_unref(source);
        g_main_context_iteration(home, FALSE);
    }
    bench_stop();
}

static gboolean on_home(gpointer opaque);

static gboolean on_away(gpointer opaque)
{
    g_main_context_invoke(home, on_home, NULL);
    return G_SOURCE_REMOVE;
}

static gboolean on_home(gpointer opaque)
{
    if (--left > 0) {
        g_main_context_invoke(away, on_away, NULL);
    }
    return G_SOURCE_REMOVE;
}

static gboolean on_stop(gpointer opaque)
{
    g_main_loop_quit(away_loop);
    return G_SOURCE_REMOVE;
}

/* The contexts are owned from before the threads invoke: never run in place. */
static gpointer runs_away(gpointer opaque)
{
    g_main_context_push_thread_default(away);
    g_main_loop_run(away_loop);
    g_main_context_pop_thread_default(away);
    return NULL;
}

static gboolean says_ready(gpointer opaque)
{
    g_atomic_int_set((gint *)opaque, 1);
    return G_SOURCE_REMOVE;
}

static GThread *start_away(void)
{
    GThread *thread;
    gint ready = 0;
    GSource *source = g_idle_source_new();

    away = g_main_context_new();
    away_loop = g_main_loop_new(away, FALSE);
    g_source_set_callback(source, says_ready, &ready, NULL);
    g_source_attach(source, away);
    thread = g_thread_new("away", runs_away, NULL);
    while (!g_atomic_int_get(&ready)) {
        g_thread_yield();
    }
    return thread;
}

static void run_wake(uint64_t count)
{
    GThread *thread = start_away();

    home = g_main_context_new();
    g_main_context_acquire(home);
    left = count;
    bench_start();
    g_main_context_invoke(away, on_away, NULL);
    while (left > 0) {
        g_main_context_iteration(home, TRUE);
    }
    bench_stop();
    g_main_context_invoke(away, on_stop, NULL);
    g_thread_join(thread);
}

/* Its loop is not run yet. */
static void run_flood(uint64_t count)
{
    away = g_main_context_new();
    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        g_main_context_wakeup(away);
    }
    bench_stop();
}

static void run_flood_live(uint64_t count)
{
    GThread *thread = start_away();

    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        g_main_context_wakeup(away);
    }
    bench_stop();
    g_main_context_invoke(away, on_stop, NULL);
    g_thread_join(thread);
}

static const struct bench_row rows[] = {
    {"bh", run_bh},
    {"wake", run_wake},
    {"flood", run_flood},
    {"flood-live", run_flood_live},
};

BENCH_MAIN(rows)
