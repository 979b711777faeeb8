/* SPDX-License-Identifier: MIT */
/*
 * test-worker.c - workers: who makes them, how many there are, when they end
 *
 * The pool's way to make a thread is replaced by one that notes who called it,
 * and fails when told to.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>

#include "base/atomics.h"
#include "base/clock.h"
#include "base/thread.h"
#include "gate.h"
#include "loops.h"
#include "pool/pool_int.h"

#define MAKERS_MAX 64

/* One case at a time; written with the pool's lock held. */
static pthread_t makers[MAKERS_MAX];
static int made;
static int failures_left; /* atomic */

static int make_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
    if (ct_load(&failures_left) > 0) {
        (void)ct_fetch_sub(&failures_left, 1);
        return EAGAIN;
    }
    makers[made++] = pthread_self();
    return ct_thread_create(thread, run, arg);
}

static ThreadPool *pool_begin(struct loop *loop)
{
    ThreadPool *pool = thread_pool_new(loop->ctx);

    pool->thread_create = make_thread;
    made = 0;
    failures_left = 0;
    return pool;
}

static ThreadPoolCounts counts_of(ThreadPool *pool)
{
    ThreadPoolCounts counts;

    thread_pool_counts(pool, &counts);
    return counts;
}

/* Until the workers have come so far; they need nothing of this thread. */
#define wait_while(cond)   \
    do {                   \
        while (cond) {     \
            sched_yield(); \
        }                  \
    } while (0)

static int made_so_far(ThreadPool *pool)
{
    int count;

    pthread_mutex_lock(&pool->lock);
    count = made;
    pthread_mutex_unlock(&pool->lock);
    return count;
}

static int pass_gate(void *opaque)
{
    gate_pass(opaque);
    return 0;
}

static int nothing(void *opaque)
{
    return 0;
}

static void count_done(void *opaque, int ret)
{
    ++*(int *)opaque;
}

/*
 * Submissions only ask.  The bottom half makes the first worker, on the home
 * thread; that one makes the second, and so on.
 */
static void test_chain(struct loop *loop)
{
    ThreadPool *pool = pool_begin(loop);
    struct gate gate;
    int done = 0;

    gate_init(&gate);
    for (int i = 0; i < 4; i++) {
        (void)thread_pool_submit_aio(pool, pass_gate, &gate, count_done, &done);
    }
    g_assert_cmpint(counts_of(pool).starting, ==, 4);
    g_assert_cmpint(counts_of(pool).current, ==, 4);
    g_assert_cmpint(counts_of(pool).queued, ==, 4);
    g_assert_cmpint(made, ==, 0);
    (void)loop_turn(loop, true);
    gate_wait_arrived(&gate, 4);
    g_assert_cmpint(made_so_far(pool), ==, 4);
    g_assert_true(pthread_equal(makers[0], pthread_self()));
    for (int i = 1; i < 4; i++) {
        g_assert_false(pthread_equal(makers[i], pthread_self()));
    }
    g_assert_cmpuint(pool->requests, ==, 4);
    g_assert_cmpuint(pool->created, ==, 4);
    gate_open(&gate);
    loop_until(loop, done == 4);
    thread_pool_free(pool);
    gate_fini(&gate);
}

/* Never more than the maximum, and that many if there is work for them. */
static void test_maximum(struct loop *loop)
{
    ThreadPool *pool = pool_begin(loop);
    struct gate gate;
    int done = 0;

    gate_init(&gate);
    thread_pool_set_limits(pool, 0, 3);
    for (int i = 0; i < 8; i++) {
        (void)thread_pool_submit_aio(pool, pass_gate, &gate, count_done, &done);
    }
    (void)loop_turn(loop, true);
    gate_wait_arrived(&gate, 3);
    g_assert_cmpint(gate_arrived(&gate), ==, 3);
    g_assert_cmpint(counts_of(pool).current, ==, 3);
    g_assert_cmpint(counts_of(pool).queued, ==, 5);
    /* More are allowed: they come at once. */
    thread_pool_set_limits(pool, 0, 5);
    (void)loop_turn(loop, true);
    gate_wait_arrived(&gate, 5);
    g_assert_cmpint(counts_of(pool).current, ==, 5);
    gate_open(&gate);
    loop_until(loop, done == 8);
    g_assert_cmpint(made_so_far(pool), ==, 5);
    /* Fewer: those that sleep end. */
    thread_pool_set_limits(pool, 0, 2);
    wait_while(counts_of(pool).current > 2);
    g_assert_cmpint(counts_of(pool).current, ==, 2);
    thread_pool_free(pool);
    gate_fini(&gate);
}

static void *set_params(void *opaque)
{
    aio_context_set_thread_pool_params(opaque, 1, 2);
    return NULL;
}

/* The context's own pool: before it exists, and by another thread later. */
static void test_context_params(struct loop *loop)
{
    ThreadPool *pool;
    pthread_t thread;
    struct gate gate;
    int done = 0;

    gate_init(&gate);
    aio_context_set_thread_pool_params(loop->ctx, 3, 3);
    loop_drain(loop);
    pool = aio_get_thread_pool(loop->ctx);
    g_assert_cmpint(counts_of(pool).current, ==, 3);
    for (int i = 0; i < 5; i++) {
        (void)thread_pool_submit_aio(pool, pass_gate, &gate, count_done, &done);
    }
    loop_drain(loop);
    gate_wait_arrived(&gate, 3);
    g_assert_cmpint(counts_of(pool).queued, ==, 2);
    g_assert_cmpint(pthread_create(&thread, NULL, set_params, loop->ctx), ==,
                    0);
    pthread_join(thread, NULL);
    loop_drain(loop);
    gate_open(&gate);
    wait_while(counts_of(pool).current > 2);
    loop_until(loop, done == 5);
    g_assert_cmpint(counts_of(pool).current, >=, 1);
    aio_context_set_thread_pool_params(loop->ctx, 4, 64);
    loop_drain(loop);
    g_assert_cmpint(counts_of(pool).current, ==, 4);
    gate_fini(&gate);
}

/* Busy ones end when they come back. */
static void test_shrink_busy(struct loop *loop)
{
    ThreadPool *pool = pool_begin(loop);
    struct gate gate;
    int done = 0;

    gate_init(&gate);
    for (int i = 0; i < 4; i++) {
        (void)thread_pool_submit_aio(pool, pass_gate, &gate, count_done, &done);
    }
    (void)loop_turn(loop, true);
    gate_wait_arrived(&gate, 4);
    thread_pool_set_limits(pool, 0, 1);
    g_assert_cmpint(counts_of(pool).current, ==, 4);
    gate_open(&gate);
    wait_while(counts_of(pool).current > 1);
    loop_until(loop, done == 4);
    /* The one that is left still works. */
    (void)thread_pool_submit_aio(pool, nothing, NULL, count_done, &done);
    loop_until(loop, done == 5);
    g_assert_cmpint(made_so_far(pool), ==, 4);
    thread_pool_free(pool);
    gate_fini(&gate);
}

static void test_minimum(struct loop *loop)
{
    ThreadPool *pool = pool_begin(loop);
    int done = 0;

    thread_pool_set_idle_ns(pool, 1000);
    thread_pool_set_limits(pool, 2, 4);
    (void)loop_turn(loop, true);
    wait_while(counts_of(pool).starting > 0);
    g_assert_cmpint(counts_of(pool).current, ==, 2);
    /* Idle for much longer than allowed, but no fewer than the minimum. */
    for (int i = 1; i <= 20; i++) {
        (void)thread_pool_submit_aio(pool, nothing, NULL, count_done, &done);
        loop_until(loop, done == i);
        g_assert_cmpint(counts_of(pool).current, >=, 2);
    }
    thread_pool_set_limits(pool, 0, 4);
    wait_while(counts_of(pool).current > 0);
    thread_pool_free(pool);
}

/* Nothing to do for the idle time: ends; and the next item gets a new one. */
static void test_idle(struct loop *loop)
{
    ThreadPool *pool = pool_begin(loop);
    int done = 0;

    thread_pool_set_idle_ns(pool, 100000);
    for (int i = 1; i <= 3; i++) {
        (void)thread_pool_submit_aio(pool, nothing, NULL, count_done, &done);
        loop_until(loop, done == i);
        wait_while(counts_of(pool).current > 0);
        g_assert_cmpint(made_so_far(pool), ==, i);
    }
    thread_pool_free(pool);
}

/* A worker that waits for work is woken for it; none is made. */
static void test_reuse(struct loop *loop)
{
    ThreadPool *pool = pool_begin(loop);
    int done = 0;

    thread_pool_set_limits(pool, 1, 4);
    (void)loop_turn(loop, true);
    for (int i = 1; i <= 200; i++) {
        wait_while(counts_of(pool).idle == 0);
        (void)thread_pool_submit_aio(pool, nothing, NULL, count_done, &done);
        loop_until(loop, done == i);
    }
    g_assert_cmpint(made_so_far(pool), ==, 1);
    thread_pool_free(pool);
}

struct chain {
    ThreadPool *pool;
    int left;
};

static void submit_next(void *opaque, int ret)
{
    struct chain *chain = opaque;

    if (--chain->left > 0) {
        (void)thread_pool_submit_aio(chain->pool, nothing, NULL, submit_next,
                                     chain);
    }
}

/*
 * One item after the other, each submitted by the callback of the last, when
 * the worker is just about to come for more: one worker does them all.
 */
static void test_returning(struct loop *loop)
{
    struct chain chain = {.pool = pool_begin(loop), .left = 1000};

    submit_next(&chain, 0);
    loop_until(loop, chain.left == 0);
    g_assert_cmpint(made_so_far(chain.pool), ==, 1);
    thread_pool_free(chain.pool);
}

/*
 * Workers that sleep are woken two at a time, each by the one before; all of
 * them come if there is enough that blocks.
 */
static void test_wake_chain(struct loop *loop)
{
    ThreadPool *pool = pool_begin(loop);
    int done = 0;

    thread_pool_set_limits(pool, 8, 8);
    (void)loop_turn(loop, true);
    wait_while(counts_of(pool).starting > 0);
    for (int round = 1; round <= 20; round++) {
        struct gate gate;

        gate_init(&gate);
        wait_while(counts_of(pool).idle < 8);
        for (int i = 0; i < 8; i++) {
            (void)thread_pool_submit_aio(pool, pass_gate, &gate, count_done,
                                         &done);
        }
        gate_wait_arrived(&gate, 8);
        gate_open(&gate);
        loop_until(loop, done == 8 * round);
        gate_fini(&gate);
    }
    g_assert_cmpint(made_so_far(pool), ==, 8);
    thread_pool_free(pool);
}

struct opener {
    ThreadPool *pool;
    struct gate gate;
    int ran;
};

/* Once nothing is queued any more; the pool lives at least as long as that. */
static void *open_when_dropped(void *opaque)
{
    struct opener *opener = opaque;

    wait_while(counts_of(opener->pool).queued > 0);
    gate_open(&opener->gate);
    return NULL;
}

static int pass_and_count(void *opaque)
{
    struct opener *opener = opaque;

    gate_pass(&opener->gate);
    opener->ran++;
    return 0;
}

/* The pool's end waits for what runs, and drops what has not begun. */
static void test_free_busy(struct loop *loop)
{
    struct opener opener = {.pool = pool_begin(loop)};
    pthread_t thread;

    gate_init(&opener.gate);
    thread_pool_set_limits(opener.pool, 0, 1);
    for (int i = 0; i < 3; i++) {
        thread_pool_submit(opener.pool, pass_and_count, &opener);
    }
    (void)loop_turn(loop, true);
    gate_wait_arrived(&opener.gate, 1);
    g_assert_cmpint(pthread_create(&thread, NULL, open_when_dropped, &opener),
                    ==, 0);
    thread_pool_free(opener.pool);
    g_assert_cmpint(opener.ran, ==, 1);
    pthread_join(thread, NULL);
    gate_fini(&opener.gate);
}

/* Asked for, but never made: the pool goes before its bottom half runs. */
static void test_free_unborn(struct loop *loop)
{
    ThreadPool *pool = pool_begin(loop);

    thread_pool_submit(pool, nothing, NULL);
    thread_pool_free(pool);
    loop_drain(loop);
    g_assert_cmpint(made, ==, 0);
}

static int get_mask(void *opaque)
{
    return pthread_sigmask(SIG_SETMASK, NULL, opaque);
}

/* Signals are left to the program's own threads. */
static void test_signals(struct loop *loop)
{
    ThreadPool *pool = pool_begin(loop);
    sigset_t worker, own;
    int done = 0;

    sigemptyset(&worker);
    (void)thread_pool_submit_aio(pool, get_mask, &worker, count_done, &done);
    loop_until(loop, done == 1);
    g_assert_true(sigismember(&worker, SIGINT));
    g_assert_true(sigismember(&worker, SIGTERM));
    g_assert_false(sigismember(&worker, SIGSEGV));
    g_assert_cmpint(get_mask(&own), ==, 0);
    g_assert_false(sigismember(&own, SIGINT));
    thread_pool_free(pool);
}

/* No thread is to be had, three times: the item waits, and is run at last. */
static void test_no_thread(struct loop *loop)
{
    struct ct_clock_manual clock;
    ThreadPool *pool;
    int done = 0;

    ct_clock_manual_init(&clock, 1);
    aio_context_set_clock(loop->ctx, AIO_CLOCK_REALTIME, &clock.clock);
    pool = pool_begin(loop);
    failures_left = 3;
    for (int i = 0; i < 2; i++) {
        (void)thread_pool_submit_aio(pool, nothing, NULL, count_done, &done);
    }
    for (int i = 2; i >= 0; i--) {
        loop_drain(loop);
        g_assert_cmpint(ct_load(&failures_left), ==, i);
        g_assert_cmpint(counts_of(pool).current, ==, 0);
        g_assert_cmpint(counts_of(pool).starting, ==, 0);
        g_assert_cmpint(counts_of(pool).queued, ==, 2);
        ct_clock_manual_advance(&clock, 1000000000);
    }
    loop_until(loop, done == 2);
    g_assert_cmpint(made_so_far(pool), >=, 1);
    /* Each request has had its answer. */
    g_assert_cmpuint(pool->requests, ==, pool->created);
    thread_pool_free(pool);
}

/* One more could not be made, but there is one: nobody waits for a retry. */
static void test_no_second_thread(struct loop *loop)
{
    ThreadPool *pool = pool_begin(loop);
    struct gate gate;
    int done = 0;

    gate_init(&gate);
    (void)thread_pool_submit_aio(pool, pass_gate, &gate, count_done, &done);
    (void)loop_turn(loop, true);
    gate_wait_arrived(&gate, 1);
    failures_left = 1;
    (void)thread_pool_submit_aio(pool, nothing, NULL, count_done, &done);
    (void)loop_turn(loop, true);
    g_assert_cmpint(ct_load(&failures_left), ==, 0);
    g_assert_cmpint(counts_of(pool).current, ==, 1);
    gate_open(&gate);
    loop_until(loop, done == 2);
    g_assert_cmpint(made_so_far(pool), ==, 1);
    thread_pool_free(pool);
    gate_fini(&gate);
}

static void free_pending(void)
{
    AioContext *ctx = aio_context_new("own", NULL);
    ThreadPool *pool = thread_pool_new(ctx);
    int done = 0;

    (void)thread_pool_submit_aio(pool, nothing, NULL, count_done, &done);
    thread_pool_free(pool);
}

static void test_misuse(void)
{
    if (g_test_subprocess()) {
        free_pending();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*thread-pool-free/pending*");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/worker/chain", test_chain);
    loops_add("/worker/maximum", test_maximum);
    loops_add("/worker/context-params", test_context_params);
    loops_add("/worker/shrink-busy", test_shrink_busy);
    loops_add("/worker/minimum", test_minimum);
    loops_add("/worker/idle", test_idle);
    loops_add("/worker/reuse", test_reuse);
    loops_add("/worker/returning", test_returning);
    loops_add("/worker/wake-chain", test_wake_chain);
    loops_add("/worker/free-busy", test_free_busy);
    loops_add("/worker/free-unborn", test_free_unborn);
    loops_add("/worker/signals", test_signals);
    loops_add("/worker/no-thread", test_no_thread);
    loops_add("/worker/no-second-thread", test_no_second_thread);
    g_test_add_func("/worker/misuse", test_misuse);
    return g_test_run();
}
