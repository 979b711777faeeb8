/* SPDX-License-Identifier: MIT */
/*
 * bench_loop.c - our contexts; peers/loop_*.c do the same rows
 *
 *   bh     schedule a bottom half and run the turn that runs it
 *   wake   round trip between two loops in two threads: each is asleep until
 *          the other one wakes it
 *   flood  wake another thread's loop, again and again, while it is busy and
 *          has yet to accept the first time
 *   flood-bh    the same with a bottom half, which also promises that its run
 *               sees what was written before any of the calls
 *   flood-live  as flood-bh while that loop runs and sleeps on the same CPU;
 * the time of the caller, with what the loop takes from it
 */
#include <pthread.h>

#include "bench.h"
#include "ct/aio.h"

static AioContext *new_context(const char *name)
{
    g_autoptr(GError) error = NULL;
    AioContext *ctx = aio_context_new(name, &error);

    if (ctx == NULL) {
        fprintf(stderr, "%s\n", error->message);
        exit(1);
    }
    return ctx;
}

static void counts(void *opaque)
{
    (*(uint64_t *)opaque)++;
}

static void run_bh(uint64_t count)
{
    AioContext *ctx = new_context("bench");
    uint64_t runs = 0;
    AioBH *bh = aio_bh_new(ctx, counts, &runs);

    bench_start();
    while (runs < count) {
        aio_bh_schedule(bh);
        aio_poll(ctx, false);
    }
    bench_stop();
    aio_bh_delete(bh);
    aio_poll(ctx, false);
    aio_context_unref(ctx);
}

/* --- two threads --------------------------------------------------------- */

static struct {
    AioContext *home, *away;
    AioBH *home_bh, *away_bh;
    uint64_t left; /* round trips; home only */
    bool stop;     /* away only */
} pair;

static void on_away(void *opaque)
{
    aio_bh_schedule(pair.home_bh);
}

static void on_home(void *opaque)
{
    if (--pair.left > 0) {
        aio_bh_schedule(pair.away_bh);
    }
}

static void on_stop(void *opaque)
{
    pair.stop = true;
}

static void *runs_away(void *opaque)
{
    while (!pair.stop) {
        aio_poll(pair.away, true);
    }
    return NULL;
}

static void run_wake(uint64_t count)
{
    pthread_t thread;

    pair.home = new_context("home");
    pair.away = new_context("away");
    pair.home_bh = aio_bh_new(pair.home, on_home, NULL);
    pair.away_bh = aio_bh_new(pair.away, on_away, NULL);
    pair.left = count;
    pthread_create(&thread, NULL, runs_away, NULL);

    bench_start();
    aio_bh_schedule(pair.away_bh);
    while (pair.left > 0) {
        aio_poll(pair.home, true);
    }
    bench_stop();
    aio_bh_schedule_oneshot(pair.away, on_stop, NULL);
    pthread_join(thread, NULL);
}

static void ignores(void *opaque)
{
}

/* Its loop is not run yet: as busy as can be. */
static void run_flood(uint64_t count)
{
    AioContext *ctx = new_context("busy");

    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        aio_notify(ctx);
    }
    bench_stop();
}

static void run_flood_bh(uint64_t count)
{
    AioContext *ctx = new_context("busy");
    AioBH *bh = aio_bh_new(ctx, ignores, NULL);

    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        aio_bh_schedule(bh);
    }
    bench_stop();
}

static void run_flood_live(uint64_t count)
{
    pthread_t thread;
    AioBH *bh;

    pair.away = new_context("away");
    bh = aio_bh_new(pair.away, ignores, NULL);
    pthread_create(&thread, NULL, runs_away, NULL);

    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        aio_bh_schedule(bh);
    }
    bench_stop();
    aio_bh_schedule_oneshot(pair.away, on_stop, NULL);
    pthread_join(thread, NULL);
}

static const struct bench_row rows[] = {
    {"bh", run_bh},
    {"wake", run_wake},
    {"flood", run_flood},
    {"flood-bh", run_flood_bh},
    {"flood-live", run_flood_live},
};

BENCH_MAIN(rows)
