/* SPDX-License-Identifier: MIT */
/*
 * bench_pool.c - our worker pool; peers/pool_*.c do the same rows
 *
 *   depth-1   submit an item that does nothing to one worker, run its
 *             completion on the loop, submit the next
 *   depth-64  the same with 64 of them under way
 */
#include "bench.h"
#include "ct/pool.h"

static ThreadPool *pool;
static uint64_t to_submit;
static uint64_t to_complete;

static int does_nothing(void *arg)
{
    return 0;
}

static void completed(void *opaque, int ret)
{
    to_complete--;
    if (to_submit > 0) {
        to_submit--;
        thread_pool_submit_aio(pool, does_nothing, NULL, completed, NULL);
    }
}

static void run_depth(AioContext *ctx, uint64_t count, uint64_t depth)
{
    uint64_t first = depth < count ? depth : count;

    to_complete = count;
    to_submit = count - first;
    for (uint64_t i = 0; i < first; i++) {
        thread_pool_submit_aio(pool, does_nothing, NULL, completed, NULL);
    }
    while (to_complete > 0) {
        aio_poll(ctx, true);
    }
}

static void run_pool(uint64_t count, uint64_t depth)
{
    g_autoptr(GError) error = NULL;
    AioContext *ctx = aio_context_new("bench", &error);

    if (ctx == NULL) {
        fprintf(stderr, "%s\n", error->message);
        exit(1);
    }
    pool = thread_pool_new(ctx);
    thread_pool_set_limits(pool, 1, 1);
    run_depth(ctx, depth, depth); /* the worker exists */
    bench_start();
    run_depth(ctx, count, depth);
    bench_stop();
    thread_pool_free(pool);
    aio_context_unref(ctx);
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
