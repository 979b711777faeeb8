/* SPDX-License-Identifier: MIT */
/*
 * late.c - makes things, then lives until a second recording has been told
 *
 * Usage: late
 *
 * It makes a coroutine that waits, a work item that a worker runs, and a
 * context "still" that nobody turns and that has a coroutine scheduled, prints
 * {"coroutine", "work"}, the ids of the first two, and waits for a line on
 * stdin: a recording that begins before that line sees neither made.  Then it
 * turns its loop, now and then with a request, until its state has been told
 * TELLINGS more times (the linker's --wrap counts), and lets both end.
 */
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "ct/aio.h"
#include "ct/coroutine.h"
#include "ct/emit.h"
#include "ct/pool.h"
#include "ct/traced.h"

#define TELLINGS 3
#define EVERY    256 /* turns */

static sem_t running, released;
static uint64_t work_id;
static unsigned tellings; /* home thread */
static bool is_done;

void __real_ct_emit_slow_state_end(uint64_t telling);
void __wrap_ct_emit_slow_state_end(uint64_t telling);
void __real_ct_emit_slow_work_begin(uint64_t pool, uint64_t req,
                                    uint64_t function, uint64_t worker);
void __wrap_ct_emit_slow_work_begin(uint64_t pool, uint64_t req,
                                    uint64_t function, uint64_t worker);

void __wrap_ct_emit_slow_state_end(uint64_t telling)
{
    __real_ct_emit_slow_state_end(telling);
    tellings++;
}

/* In the worker; main reads it after `running`. */
void __wrap_ct_emit_slow_work_begin(uint64_t pool, uint64_t req,
                                    uint64_t function, uint64_t worker)
{
    __real_ct_emit_slow_work_begin(pool, req, function, worker);
    work_id = req;
}

static int works(void *opaque)
{
    sem_post(&running);
    sem_wait(&released);
    return 0;
}

static void work_done(void *opaque, int ret)
{
    is_done = true;
}

static void coroutine_fn sleeps(void *opaque)
{
    coroutine_yield_for(CT_YIELD_REASON_IO, 0);
}

static void coroutine_fn ends(void *opaque)
{
}

/* Two functions whose names the test looks for. */
static __attribute__((noinline)) Coroutine *makes_sleeper(void)
{
    return coroutine_create(sleeps, NULL);
}

static __attribute__((noinline)) void submits_work(ThreadPool *pool)
{
    (void)thread_pool_submit_aio(pool, works, NULL, work_done, NULL);
}

static void request(void)
{
    ct_request_end(ct_request_begin("test", "turn", "late", 0, 0), 0);
}

int main(void)
{
    sem_init(&running, 0, 0);
    sem_init(&released, 0, 0);
    AioContext *ctx = aio_context_new("main", NULL);
    aio_context_set_current(ctx);
    ThreadPool *pool = thread_pool_new(ctx);

    AioContext *still = aio_context_new("still", NULL);
    aio_co_schedule(still, coroutine_create(ends, NULL));

    Coroutine *co = makes_sleeper();
    uint64_t co_id = coroutine_id(co);
    coroutine_enter(co);
    submits_work(pool);
    while (sem_trywait(&running) != 0) {
        aio_poll(ctx, false); /* spawns the worker */
    }
    request(); /* told by a number, whose meaning only this recording has */
    printf("{\"coroutine\":%" PRIu64 ",\"work\":%" PRIu64 "}\n", co_id,
           work_id);
    fflush(stdout);
    if (getchar() == EOF) {
        return 2;
    }
    for (unsigned told = tellings, turn = 0; tellings - told < TELLINGS;
         turn++) {
        if (turn % EVERY == 0) { /* the first before any turn */
            request();
        }
        aio_poll(ctx, false);
    }
    sem_post(&released);
    while (!is_done) {
        aio_poll(ctx, true);
    }
    coroutine_enter(co);
    thread_pool_free(pool);
    aio_context_set_current(still);
    while (aio_poll(still, false)) {
    }
    aio_context_set_current(NULL);
    aio_context_unref(still);
    aio_context_unref(ctx);
    return 0;
}
