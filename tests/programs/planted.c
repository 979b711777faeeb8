/* SPDX-License-Identifier: MIT */
/*
 * planted.c - one cause of lost time, known by construction
 *
 * Usage: planted CAUSE
 *
 * With MANY, what takes no time by itself comes so often.  `nested-wait` is a
 * nested poll of another context, by AIO_WAIT_WHILE; `idle-queue` an idle
 * wake-up in a CoQueue.
 *
 * Every request is a coroutine of main's context that tells its own begin and
 * end.  What holds them up lasts a multiple of PLANTED_NS, of CPU time;
 * nothing else in the program takes a fraction of it.  The cause `none` does
 * the same work without anything in its way.
 */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
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
#define MANY       200   /* more than any default threshold */
#define TINY       20000 /* requests in each, of two events that do nothing */

static AioContext *ctx;
static AioContext *other; /* home: main's thread, as well */
static ThreadPool *pool;
static CoMutex mutex;
static CoQueue queue;
static sem_t may_notify;
static unsigned in_flight; /* home thread */
static bool is_due;        /* home thread */

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Whatever else the machine does meanwhile. */
static void spin(int64_t ns)
{
    int64_t end_ns = cpu_ns() + ns;

    while (cpu_ns() < end_ns) {
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

/* One at a time: who comes later waits for the one before to end. */
static bool is_taken; /* home thread */

static void coroutine_fn takes_turns(void *opaque)
{
    uint64_t id = begin();

    while (is_taken) {
        co_queue_wait(&queue, NULL);
    }
    is_taken = true;
    (void)thread_pool_submit_co(pool, work, opaque);
    is_taken = false;
    end(id);
    co_queue_next(&queue);
}

/* Woken again and again, it finds nothing to do. */
static void coroutine_fn is_woken(void *opaque)
{
    uint64_t id = begin();

    for (unsigned i = 0; i < MANY; i++) {
        co_queue_wait(&queue, NULL);
    }
    end(id);
}

/* Nothing but what is recorded; it gives way before it has blocked for long. */
static void coroutine_fn does_little(void *opaque)
{
    uint64_t id = begin();

    for (unsigned i = 0; i < TINY; i++) {
        uint64_t tiny = ct_id_new();
        ct_emit_request_begin(tiny, id, coroutine_id(coroutine_self()), "test",
                              "tiny", "planted", 0, 512, 0);
        ct_emit_request_end(tiny, 0);
        if (i % MANY == 0) {
            aio_co_schedule(ctx, coroutine_self());
            coroutine_yield_for(CT_YIELD_REASON_SCHEDULE, 0);
        }
    }
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

static void is_due_now(void *opaque, int ret)
{
    is_due = true;
}

/* A worker takes PLANTED_NS until it is due. */
static void begin_wait(ThreadPool *of)
{
    is_due = false;
    thread_pool_submit_aio(of, work, &pool, is_due_now, NULL);
}

static void turn_until_due(void)
{
    begin_wait(pool);
    while (!is_due) {
        aio_poll(ctx, true);
    }
}

static __attribute__((noinline)) void polls_by_itself(void *opaque)
{
    turn_until_due();
}

/* Turns another context in a turn of this one. */
static __attribute__((noinline)) void waits_for_another(void *opaque)
{
    ThreadPool *its = thread_pool_new(other);

    begin_wait(its);
    AIO_WAIT_WHILE(other, !is_due);
    thread_pool_free(its);
}

/* A worker has nothing to do before the next item comes, and is gone by then.
 */
static void storm(void)
{
    thread_pool_set_idle_ns(pool, 1);
    for (unsigned i = 0; i < MANY; i++) {
        ThreadPoolCounts counts;
        start(works, NULL);
        while (in_flight > 0) {
            aio_poll(ctx, true);
        }
        do {
            sched_yield();
            thread_pool_counts(pool, &counts);
        } while (counts.current > 0);
    }
}

static void *notifies(void *opaque)
{
    for (unsigned i = 0; i < MANY; i++) {
        sem_wait(&may_notify);
        aio_notify(ctx);
    }
    return NULL;
}

/* Another thread wakes the loop, and has nothing for it. */
static void wake_for_nothing(void)
{
    pthread_t thread;

    sem_init(&may_notify, 0, 0);
    if (pthread_create(&thread, NULL, notifies, NULL) != 0) {
        abort();
    }
    for (unsigned i = 0; i < MANY; i++) {
        sem_post(&may_notify);
        aio_poll(ctx, true);
    }
    pthread_join(thread, NULL);
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
    } else if (!strcmp(cause, "nested-wait")) {
        other = aio_context_new("other", NULL);
        aio_poll(other, false); /* it is at home here */
        aio_bh_schedule_oneshot(ctx, waits_for_another, NULL);
    } else if (!strcmp(cause, "serialised")) {
        entry = takes_turns;
        opaque = &pool;
    } else if (!strcmp(cause, "spawn-storm")) {
        storm();
    } else if (!strcmp(cause, "idle-wakeup")) {
        wake_for_nothing();
    } else if (!strcmp(cause, "idle-queue")) {
        entry = is_woken;
    } else if (!strcmp(cause, "tracing-overhead")) {
        entry = does_little;
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
    for (unsigned i = 0; i < MANY && !strcmp(cause, "idle-queue"); i++) {
        co_queue_all(&queue);
        aio_poll(ctx, false);
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
    if (other != NULL) {
        aio_context_unref(other);
    }
    aio_context_set_current(NULL);
    aio_context_unref(ctx);
    return 0;
}
