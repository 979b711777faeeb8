/* SPDX-License-Identifier: MIT */
/* libuv's pool with one thread: uv_queue_work(). */
#include <uv.h>

#include "../bench.h"

static uint64_t to_submit;
static uv_work_t requests[64];

static void does_nothing(uv_work_t *request)
{
}

static void completed(uv_work_t *request, int status)
{
    if (to_submit > 0) {
        to_submit--;
        uv_queue_work(request->loop, request, does_nothing, completed);
    }
}

/* The loop ends when no request is left. */
static void run_depth(uv_loop_t *loop, uint64_t count, uint64_t depth)
{
    uint64_t first = depth < count ? depth : count;

    to_submit = count - first;
    for (uint64_t i = 0; i < first; i++) {
        uv_queue_work(loop, &requests[i], does_nothing, completed);
    }
    uv_run(loop, UV_RUN_DEFAULT);
}

static void run_pool(uint64_t count, uint64_t depth)
{
    uv_loop_t loop;

    setenv("UV_THREADPOOL_SIZE", "1", 1);
    uv_loop_init(&loop);
    run_depth(&loop, depth, depth);
    bench_start();
    run_depth(&loop, count, depth);
    bench_stop();
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
