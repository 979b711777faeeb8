/* SPDX-License-Identifier: MIT */
/*
 * bench_coroutine.c - our coroutines; peers/coroutine_*.c do the same rows
 *
 *   yield       enter and yield, from the entry function itself
 *   yield-deep  the same from eight frames deep, left and called again
 *   life        create, enter, end; the object is used again
 */
#include "bench.h"
#include "ct/coroutine.h"

static void coroutine_fn yields(void *opaque)
{
    for (;;) {
        coroutine_yield();
    }
}

static void yield(void *opaque)
{
    coroutine_yield();
}

BENCH_EIGHT_FRAMES(yield)

static void coroutine_fn yields_deep(void *opaque)
{
    for (;;) {
        bench_frame_1(opaque);
    }
}

static void coroutine_fn ends(void *opaque)
{
    (*(uint64_t *)opaque)++;
}

static void enter_often(CoroutineEntry *entry, uint64_t count)
{
    Coroutine *co = coroutine_create(entry, NULL);

    coroutine_enter(co);
    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        coroutine_enter(co);
    }
    bench_stop();
}

static void run_yield(uint64_t count)
{
    enter_often(yields, count);
}

static void run_yield_deep(uint64_t count)
{
    enter_often(yields_deep, count);
}

static void run_life(uint64_t count)
{
    uint64_t ended = 0;

    coroutine_enter(coroutine_create(ends, &ended));
    bench_start();
    for (uint64_t i = 0; i < count; i++) {
        coroutine_enter(coroutine_create(ends, &ended));
    }
    bench_stop();
    if (ended != count + 1) {
        abort();
    }
}

static const struct bench_row rows[] = {
    {"yield", run_yield},
    {"yield-deep", run_yield_deep},
    {"life", run_life},
};

BENCH_MAIN(rows)
