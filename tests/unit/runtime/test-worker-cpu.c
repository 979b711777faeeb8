/* SPDX-License-Identifier: MIT */
/*
 * test-worker-cpu.c - a worker and its loop on one CPU: who has it when
 */
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomics.h"
#include "ct/pool.h"
#include "loops.h"

static void count_done(void *opaque, int ret)
{
    ++*(int *)opaque;
}

/* It needs nothing of this thread for that. */
static void wait_until_idle(ThreadPool *pool)
{
    ThreadPoolCounts counts;

    do {
        sched_yield();
        thread_pool_counts(pool, &counts);
    } while (counts.idle == 0);
    g_assert_cmpint(counts.current, ==, 1);
}

/* The begin of the kernel's struct sched_attr. */
struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

#define RESET_ON_FORK 1

static int get_attr(void *opaque)
{
    return (int)syscall(SYS_sched_getattr, 0, opaque, sizeof(struct attr), 0);
}

/* It asks for a short slice, where there are any, and keeps the policy. */
static void test_slice(struct loop *loop)
{
    ThreadPool *pool;
    struct attr own = {.size = sizeof(own)};
    struct attr worker = own, after = own;
    int done = 0;

    if (get_attr(&own) != 0 || (own.flags & RESET_ON_FORK)) {
        g_test_skip("threads don't inherit this thread's policy");
        return;
    }
    pool = thread_pool_new(loop->ctx);
    (void)thread_pool_submit_aio(pool, get_attr, &worker, count_done, &done);
    loop_until(loop, done == 1);
    g_assert_cmpuint(worker.policy, ==, own.policy);
    g_assert_cmpint(worker.nice, ==, own.nice);
    g_assert_cmpuint(worker.runtime, ==,
                     own.policy == SCHED_OTHER ? MIN(own.runtime, 100000)
                                               : own.runtime);
    g_assert_cmpint(get_attr(&after), ==, 0);
    g_assert_cmpuint(after.runtime, ==, own.runtime);
    thread_pool_free(pool);
}

static int count_call(void *opaque)
{
    (void)ct_fetch_add((int *)opaque, 1);
    return 0;
}

struct shared {
    struct loop *loop;
    ThreadPool *pool; /* with one worker, asleep */
    cpu_set_t before; /* where this thread might run */
    int calls, done;
};

static int move_to(void *opaque)
{
    return sched_setaffinity(0, sizeof(cpu_set_t), opaque);
}

static void submit(struct shared *shared)
{
    (void)thread_pool_submit_aio(shared->pool, count_call, &shared->calls,
                                 count_done, &shared->done);
}

/* This thread has one CPU, its worker @worker_cpu. */
static void begin(struct shared *shared, struct loop *loop, int own_cpu,
                  int worker_cpu)
{
    cpu_set_t own, workers;
    int done = 0;

    *shared = (struct shared){.loop = loop};
    g_assert_cmpint(
        sched_getaffinity(0, sizeof(shared->before), &shared->before), ==, 0);
    CPU_ZERO(&own);
    CPU_SET((unsigned)own_cpu, &own);
    CPU_ZERO(&workers);
    CPU_SET((unsigned)worker_cpu, &workers);
    g_assert_cmpint(move_to(&own), ==, 0);
    shared->pool = thread_pool_new(loop->ctx);
    thread_pool_set_limits(shared->pool, 0, 1);
    (void)thread_pool_submit_aio(shared->pool, move_to, &workers, count_done,
                                 &done);
    loop_until(loop, done == 1);
    wait_until_idle(shared->pool);
}

static void end(struct shared *shared)
{
    thread_pool_free(shared->pool);
    g_assert_cmpint(move_to(&shared->before), ==, 0);
}

static void submit_three(void *opaque)
{
    struct shared *shared = opaque;
    int calls = shared->calls;

    for (int i = 0; i < 3; i++) {
        submit(shared);
    }
    for (int i = 0; i < 100; i++) {
        sched_yield();
    }
    g_assert_cmpint(ct_load(&shared->calls), ==, calls);
}

/* It is woken when the loop has handed over all it has, and not before. */
static void test_wake_here(struct loop *loop)
{
    struct shared shared;

    begin(&shared, loop, sched_getcpu(), sched_getcpu());
    for (int round = 1; round <= 20; round++) {
        aio_bh_schedule_oneshot(loop->ctx, submit_three, &shared);
        loop_until(loop, shared.done == 3 * round);
        g_assert_cmpint(ct_load(&shared.calls), ==, 3 * round);
        wait_until_idle(shared.pool);
    }
    end(&shared);
}

/* Nobody will end a turn. */
static void test_wake_outside(struct loop *loop)
{
    struct shared shared;

    begin(&shared, loop, sched_getcpu(), sched_getcpu());
    submit(&shared);
    while (ct_load(&shared.calls) == 0) {
        sched_yield();
    }
    loop_until(loop, shared.done == 1);
    end(&shared);
}

static void submit_and_wait(void *opaque)
{
    struct shared *shared = opaque;

    submit(shared);
    while (ct_load(&shared->calls) == 0) {
        sched_yield();
    }
}

/* It has a CPU of its own: it begins while the callback still runs. */
static void test_wake_elsewhere(struct loop *loop)
{
    struct shared shared;
    cpu_set_t cpus;
    int here = sched_getcpu();
    int there = 0;

    g_assert_cmpint(sched_getaffinity(0, sizeof(cpus), &cpus), ==, 0);
    while (there < CPU_SETSIZE &&
           (there == here || !CPU_ISSET((unsigned)there, &cpus))) {
        there++;
    }
    if (there == CPU_SETSIZE) {
        g_test_skip("one CPU");
        return;
    }
    begin(&shared, loop, here, there);
    aio_bh_schedule_oneshot(loop->ctx, submit_and_wait, &shared);
    loop_until(loop, shared.done == 1);
    end(&shared);
}

static int count_and_kick(void *opaque)
{
    (void)count_call(opaque);
    aio_wait_kick();
    return 0;
}

static void submit_and_poll_another(void *opaque)
{
    struct shared *shared = opaque;
    AioContext *other = aio_context_new("other", NULL);

    (void)thread_pool_submit_aio(shared->pool, count_and_kick, &shared->calls,
                                 count_done, &shared->done);
    AIO_WAIT_WHILE(other, ct_load(&shared->calls) == 0);
    aio_context_unref(other);
}

/* A callback waits for it by turning another context of this thread. */
static void test_wake_nested(struct loop *loop)
{
    struct shared shared;

    begin(&shared, loop, sched_getcpu(), sched_getcpu());
    aio_bh_schedule_oneshot(loop->ctx, submit_and_poll_another, &shared);
    loop_until(loop, shared.done == 1);
    end(&shared);
}

static void free_pool(void *opaque)
{
    struct shared *shared = opaque;

    thread_pool_submit(shared->pool, count_call, &shared->calls);
    thread_pool_free(shared->pool);
    shared->pool = NULL;
}

/* The pool goes before its worker is woken: nothing is left behind. */
static void test_free_wake_due(struct loop *loop)
{
    struct shared shared;

    begin(&shared, loop, sched_getcpu(), sched_getcpu());
    aio_bh_schedule_oneshot(loop->ctx, free_pool, &shared);
    loop_until(loop, shared.pool == NULL);
    loop_drain(loop);
    g_assert_cmpint(shared.calls, ==, 0);
    end(&shared);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/worker/slice", test_slice);
    loops_add("/worker/wake-here", test_wake_here);
    loops_add("/worker/wake-outside", test_wake_outside);
    loops_add("/worker/wake-elsewhere", test_wake_elsewhere);
    loops_add("/worker/wake-nested", test_wake_nested);
    loops_add("/worker/free-wake-due", test_free_wake_due);
    return g_test_run();
}
