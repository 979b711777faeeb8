/* SPDX-License-Identifier: MIT */
/* libuv's loop: uv_async_t is its bottom half. */
#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

#include "../bench.h"

static uv_loop_t home, away;
static uv_async_t home_async, away_async;
static uint64_t runs, left;
static bool stop; /* atomic */

static void counts(uv_async_t *async)
{
    runs++;
}

static void run_bh(uint64_t count)
{
    uv_loop_init(&home);
    uv_async_init(&home, &home_async, counts);
    bench_start();
    while (runs < count) {
        uv_async_send(&home_async);
        uv_run(&home, UV_RUN_NOWAIT);
    }
    bench_stop();
}

static void on_away(uv_async_t *async)
{
    if (__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        uv_stop(&away);
    } else {
        uv_async_send(&home_async);
    }
}

static void on_home(uv_async_t *async)
{
    if (--left > 0) {
        uv_async_send(&away_async);
    } else {
        uv_stop(&home);
    }
}

static void *runs_away(void *opaque)
{
    uv_run(&away, UV_RUN_DEFAULT);
    return NULL;
}

static void ends_away(pthread_t thread)
{
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    uv_async_send(&away_async);
    pthread_join(thread, NULL);
}

static void run_wake(uint64_t count)
{
    pthread_t thread;

    uv_loop_init(&home);
    uv_loop_init(&away);
    uv_async_init(&home, &home_async, on_home);
    uv_async_init(&away, &away_async, on_away);
    left = count;
    pthread_create(&thread, NULL, runs_away, NULL);
    bench_start();
    uv_async_send(&away_async);
    uv_run(&home, UV_RUN_DEFAULT);
    bench_stop();
    ends_away(thread);
}

static void ignores(uv_async_t *async)
{
    if (__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        uv_stop(&away);
    }
}

/* Its loop is not run yet. */
static void run_flood(uint64_t count)
{
    uv_loop_init(&away);
    uv_async_init(&away, &away_async, counts);
    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        uv_async_send(&away_async);
    }
    bench_stop();
}

static void run_flood_live(uint64_t count)
{
    pthread_t thread;

    uv_loop_init(&away);
    uv_async_init(&away, &away_async, ignores);
    pthread_create(&thread, NULL, runs_away, NULL);
    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        uv_async_send(&away_async);
    }
    bench_stop();
    ends_away(thread);
}

static const struct bench_row rows[] = {
    {"bh", run_bh},
    {"wake", run_wake},
    {"flood", run_flood},
    {"flood-live", run_flood_live},
};

BENCH_MAIN(rows)
