/* SPDX-License-Identifier: MIT */
/*
 * planted.c - one cause of lost time, known by construction
 *
 * Usage: planted CAUSE
 *
 * Every request is a coroutine of main's context that tells its own begin and
 * end.  What holds them up lasts a multiple of PLANTED_NS; nothing else in the
 * program takes a fraction of it.  The cause `none` does the same work without
 * anything in its way.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ct/aio.h"
#include "ct/emit.h"
#include "ct/id.h"
#include "ct/pool.h"
#include "ct/sync.h"

#define PLANTED_NS INT64_C(60000000)
#define REQUESTS   4

static AioContext *ctx;
static ThreadPool *pool;
static CoMutex mutex;
static CoQueue queue;
static unsigned in_flight; /* home thread */
static bool is_due;        /* home thread */

static void spin(int64_t ns)
{
    int64_t end_ns = aio_context_now_ns(ctx) + ns;

    while (aio_context_now_ns(ctx) < end_ns) {
    }
}

static int work(void *opaque)
{
    if (opaque) {
        spin(PLANTED_NS);
    }
    return 0;
}

static uint64_t begin(void)
{
    uint64_t id = ct_id_new();

    ct_emit_request_begin(id, 0, coroutine_id(coroutine_self()), "test", "read",
                          "planted", 0, 512, 0);
    return id;
}

static void end(uint64_t id)
{
    ct_emit_request_end(id, 0);
    in_flight--;
}

/* --- what requests do ------------------------------------------------- */

static void coroutine_fn gives_way(void *opaque)
{
    uint64_t id = begin();

    aio_co_schedule(ctx, coroutine_self());
    coroutine_yield_for(CT_YIELD_REASON_SCHEDULE, 0);
    end(id);
}

static void coroutine_fn works(void *opaque)
{
    uint64_t id = begin();

    (void)thread_pool_submit_co(pool, work, opaque);
    end(id);
}

static void coroutine_fn locks(void *opaque)
{
    uint64_t id = begin();

    co_mutex_lock(&mutex);
    (void)thread_pool_submit_co(pool, work, opaque);
    co_mutex_unlock(&mutex);
    end(id);
}

/* Nobody wakes it. */
static void coroutine_fn waits_for_ever(void *opaque)
{
    (void)begin();
    co_queue_wait(&queue, NULL);
}

static void start(CoroutineEntry *entry, void *opaque)
{
    in_flight++;
    coroutine_enter(coroutine_create(entry, opaque));
}

/* --- what stands in their way ----------------------------------------- */

static __attribute__((noinline)) void blocks_the_loop(void *opaque)
{
    spin(PLANTED_NS);
}

static void is_due_now(void *opaque)
{
    is_due = true;
}

static void turn_until_due(void)
{
    AioTimer *timer = aio_timer_new(ctx, is_due_now, NULL);

    is_due = false;
    aio_timer_arm(timer, aio_context_now_ns(ctx) + PLANTED_NS);
    while (!is_due) {
        aio_poll(ctx, true);
    }
    aio_timer_free(timer);
}

static __attribute__((noinline)) void polls_by_itself(void *opaque)
{
    turn_until_due();
}

int main(int argc, char **argv)
{
    const char *cause = argc == 2 ? argv[1] : "";
    CoroutineEntry *entry = gives_way;
    void *opaque = NULL;
    unsigned lost = 0;

    ctx = aio_context_new("main", NULL);
    aio_context_set_current(ctx);
    pool = thread_pool_new(ctx);
    co_mutex_init(&mutex);
    co_queue_init(&queue);
    aio_poll(ctx, false);
    if (!strcmp(cause, "blocked-loop")) {
        aio_bh_schedule_oneshot(ctx, blocks_the_loop, NULL);
    } else if (!strcmp(cause, "nested-poll")) {
        aio_bh_schedule_oneshot(ctx, polls_by_itself, NULL);
    } else if (!strcmp(cause, "pool-saturated")) {
        thread_pool_set_limits(pool, 0, 1);
        entry = works;
        opaque = &pool;
    } else if (!strcmp(cause, "lock-convoy")) {
        entry = locks;
        opaque = &pool;
    } else if (!strcmp(cause, "stuck-coroutine")) {
        start(waits_for_ever, NULL);
        in_flight--;
        lost = 1;
    } else if (strcmp(cause, "starved-context") && strcmp(cause, "none")) {
        fprintf(stderr, "usage: planted CAUSE\n");
        return 2;
    }
    for (unsigned i = 0; i < REQUESTS; i++) {
        start(entry, opaque);
    }
    if (!strcmp(cause, "none")) {
        start(works, NULL);
        start(locks, NULL);
    } else if (!strcmp(cause, "starved-context")) {
        spin(PLANTED_NS);
    }
    while (in_flight > 0) {
        aio_poll(ctx, true);
    }
    for (unsigned i = 0; i < 3 * lost; i++) {
        turn_until_due();
    }
    thread_pool_free(pool);
    if (lost) {
        _Exit(0); /* its coroutine is still there */
    }
    aio_context_set_current(NULL);
    aio_context_unref(ctx);
    return 0;
}
