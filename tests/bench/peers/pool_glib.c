/* SPDX-License-Identifier: MIT */
/* GThreadPool with one thread; completions by g_main_context_invoke(). */
#include <glib.h>

#include "../bench.h"

static GMainContext *context;
static GThreadPool *pool;
static uint64_t to_submit;
static uint64_t to_complete;

static gboolean completed(gpointer opaque)
{
    to_complete--;
    if (to_submit > 0) {
        to_submit--;
        g_thread_pool_push(pool, opaque, NULL);
    }
    return G_SOURCE_REMOVE;
}

static void does_nothing(gpointer item, gpointer opaque)
{
    g_main_context_invoke(context, completed, item);
}

static void run_depth(uint64_t count, uint64_t depth)
{
    uint64_t first = depth < count ? depth : count;

    to_complete = count;
    to_submit = count - first;
    for (uint64_t i = 0; i < first; i++) {
        g_thread_pool_push(pool, context, NULL);
    }
    while (to_complete > 0) {
        g_main_context_iteration(context, TRUE);
    }
}

static void run_pool(uint64_t count, uint64_t depth)
{
    context = g_main_context_new();
    g_main_context_acquire(context);
    pool = g_thread_pool_new(does_nothing, NULL, 1, TRUE, NULL);
    run_depth(depth, depth);
    bench_start();
    run_depth(count, depth);
    bench_stop();
    g_thread_pool_free(pool, FALSE, TRUE);
}

static void run_depth_1(uint64_t count)
{
    run_pool(count, 1);
}

static void run_depth_64(uint64_t count)
{
    run_pool(count, 64);
}

static const struct bench_row rows[] = {
    {"depth-1", run_depth_1},
    {"depth-64", run_depth_64},
};

BENCH_MAIN(rows)
