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

static int nothing(void *opaque)
{
    return 0;
}

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

static int get_attr(void *opaque)
{
    return (int)syscall(SYS_sched_getattr, 0, opaque, sizeof(struct attr), 0);
}

/* It asks for a short slice, where there are any, and keeps the policy. */
static void test_slice(struct loop *loop)
{
    ThreadPool *pool = thread_pool_new(loop->ctx);
    struct attr own, worker, after;
    int done = 0;

    g_assert_cmpint(get_attr(&own), ==, 0);
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

/* Begins with a worker that sleeps on this thread's only CPU. */
static ThreadPool *pool_begin_here(struct loop *loop, cpu_set_t *ret_before)
{
    cpu_set_t here;
    ThreadPool *pool;
    int done = 0;

    g_assert_cmpint(sched_getaffinity(0, sizeof(*ret_before), ret_before), ==,
                    0);
    CPU_ZERO(&here);
    CPU_SET((unsigned)sched_getcpu(), &here);
    g_assert_cmpint(sched_setaffinity(0, sizeof(here), &here), ==, 0);
    pool = thread_pool_new(loop->ctx);
    thread_pool_set_limits(pool, 0, 1);
    (void)thread_pool_submit_aio(pool, nothing, NULL, count_done, &done);
    loop_until(loop, done == 1);
    wait_until_idle(pool);
    return pool;
}

/* It is woken when the loop has handed over all it has, and not before. */
static void test_wake_here(struct loop *loop)
{
    cpu_set_t before;
    ThreadPool *pool = pool_begin_here(loop, &before);
    int calls = 0, done = 0;

    for (int round = 1; round <= 20; round++) {
        for (int i = 0; i < 3; i++) {
            (void)thread_pool_submit_aio(pool, count_call, &calls, count_done,
                                         &done);
        }
        for (int i = 0; i < 100; i++) {
            sched_yield();
        }
        g_assert_cmpint(ct_load(&calls), ==, 3 * (round - 1));
        loop_until(loop, done == 3 * round);
        g_assert_cmpint(ct_load(&calls), ==, 3 * round);
        wait_until_idle(pool);
    }
    thread_pool_free(pool);
    g_assert_cmpint(sched_setaffinity(0, sizeof(before), &before), ==, 0);
}

/* The pool goes before its worker is woken: nothing is left behind. */
static void test_free_wake_due(struct loop *loop)
{
    cpu_set_t before;
    ThreadPool *pool = pool_begin_here(loop, &before);
    int calls = 0;

    thread_pool_submit(pool, count_call, &calls);
    thread_pool_free(pool);
    loop_drain(loop);
    g_assert_cmpint(calls, ==, 0);
    g_assert_cmpint(sched_setaffinity(0, sizeof(before), &before), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/worker/slice", test_slice);
    loops_add("/worker/wake-here", test_wake_here);
    loops_add("/worker/free-wake-due", test_free_wake_due);
    return g_test_run();
}
