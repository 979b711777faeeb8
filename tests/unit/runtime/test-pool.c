/* SPDX-License-Identifier: MIT */
/*
 * test-pool.c - work items: results, order, cancelling, completions that poll
 */
#include <errno.h>

#include "base/atomics.h"
#include "ct/pool.h"
#include "gate.h"
#include "loops.h"

struct job {
    struct loop *loop;
    ThreadPool *pool;
    struct gate *gate; /* passed by the function, unless NULL */
    int nth;
    int ret; /* of the function */
    pthread_t ran_on;
    int runs;
    int callbacks;
    int result;           /* what the callback was told */
    struct job *wait_for; /* polled for by the callback */
};

static int job_run(void *opaque)
{
    struct job *job = opaque;

    job->runs++;
    job->ran_on = pthread_self();
    if (job->gate != NULL) {
        gate_pass(job->gate);
    }
    return job->ret;
}

static void job_done(void *opaque, int ret)
{
    struct job *job = opaque;

    g_assert_true(in_aio_context_home_thread(job->loop->ctx));
    job->result = ret;
    job->callbacks++;
    log_add("%d", job->nth);
    while (job->wait_for != NULL && job->wait_for->callbacks == 0) {
        (void)aio_poll(job->loop->ctx, true);
    }
}

static void jobs_init(struct job *jobs, int count, struct loop *loop,
                      ThreadPool *pool)
{
    for (int i = 0; i < count; i++) {
        jobs[i] =
            (struct job){.loop = loop, .pool = pool, .nth = i, .ret = 100 + i};
    }
}

static ThreadPoolWork *job_submit(struct job *job)
{
    return thread_pool_submit_aio(job->pool, job_run, job, job_done, job);
}

static void test_result(struct loop *loop)
{
    ThreadPool *pool = thread_pool_new(loop->ctx);
    struct job jobs[2];

    jobs_init(jobs, 2, loop, pool);
    jobs[1].ret = -EIO;
    for (int i = 0; i < 2; i++) {
        (void)job_submit(&jobs[i]);
        g_assert_cmpint(jobs[i].callbacks, ==, 0);
        loop_until(loop, jobs[i].callbacks > 0);
        g_assert_cmpint(jobs[i].runs, ==, 1);
        g_assert_cmpint(jobs[i].callbacks, ==, 1);
        g_assert_cmpint(jobs[i].result, ==, jobs[i].ret);
        g_assert_false(pthread_equal(jobs[i].ran_on, pthread_self()));
    }
    thread_pool_free(pool);
}

#define MANY 300

/* With one worker, items run and complete in the order of submission. */
static void test_order(struct loop *loop)
{
    ThreadPool *pool = thread_pool_new(loop->ctx);
    struct job *jobs = g_new(struct job, MANY);
    GString *expected = g_string_new(NULL);

    jobs_init(jobs, MANY, loop, pool);
    thread_pool_set_limits(pool, 0, 1);
    for (int i = 0; i < MANY; i++) {
        (void)job_submit(&jobs[i]);
        g_string_append_printf(expected, i > 0 ? " %d" : "%d", i);
    }
    loop_until(loop, jobs[MANY - 1].callbacks > 0);
    log_expect(expected->str);
    for (int i = 0; i < MANY; i++) {
        g_assert_cmpint(jobs[i].runs, ==, 1);
        g_assert_cmpint(jobs[i].callbacks, ==, 1);
        g_assert_cmpint(jobs[i].result, ==, 100 + i);
    }
    g_string_free(expected, TRUE);
    g_free(jobs);
    thread_pool_free(pool);
}

static void test_cancel_queued(struct loop *loop)
{
    ThreadPool *pool = thread_pool_new(loop->ctx);
    struct job jobs[3];
    struct gate gate;
    ThreadPoolWork *second;

    gate_init(&gate);
    jobs_init(jobs, 3, loop, pool);
    jobs[0].gate = &gate;
    thread_pool_set_limits(pool, 0, 1);
    (void)job_submit(&jobs[0]);
    second = job_submit(&jobs[1]);
    (void)job_submit(&jobs[2]);
    g_assert_true(thread_pool_cancel(pool, second));
    /* Not twice, and its callback never from inside the call. */
    g_assert_false(thread_pool_cancel(pool, second));
    g_assert_cmpint(jobs[1].callbacks, ==, 0);
    loop_until(loop, jobs[1].callbacks > 0);
    g_assert_cmpint(jobs[1].result, ==, -ECANCELED);
    g_assert_cmpint(jobs[0].callbacks, ==, 0);
    gate_open(&gate);
    loop_until(loop, jobs[2].callbacks > 0);
    g_assert_cmpint(jobs[1].runs, ==, 0);
    g_assert_cmpint(jobs[1].callbacks, ==, 1);
    log_expect("1 0 2");
    thread_pool_free(pool);
    gate_fini(&gate);
}

static void test_cancel_running(struct loop *loop)
{
    ThreadPool *pool = thread_pool_new(loop->ctx);
    struct gate gate;
    struct job job;
    ThreadPoolWork *work;

    gate_init(&gate);
    jobs_init(&job, 1, loop, pool);
    job.gate = &gate;
    work = job_submit(&job);
    /* The worker is created by the next turn. */
    while (gate_arrived(&gate) == 0) {
        (void)loop_turn(loop, false);
    }
    g_assert_false(thread_pool_cancel(pool, work));
    gate_open(&gate);
    loop_until(loop, job.callbacks > 0);
    g_assert_cmpint(job.result, ==, 100);
    g_assert_cmpint(job.runs, ==, 1);
    thread_pool_free(pool);
    gate_fini(&gate);
}

/*
 * Items 0 and 1 are done when the completion BH comes to them; the callback of
 * 0 polls until that of 1 has been called.
 */
static void test_callback_polls(struct loop *loop)
{
    ThreadPool *pool = thread_pool_new(loop->ctx);
    struct job jobs[4];
    struct gate gate;

    gate_init(&gate);
    jobs_init(jobs, 4, loop, pool);
    jobs[0].wait_for = &jobs[1];
    jobs[1].wait_for = &jobs[2]; /* deeper still */
    jobs[3].gate = &gate;
    thread_pool_set_limits(pool, 1, 1);
    for (int i = 0; i < 4; i++) {
        (void)job_submit(&jobs[i]);
    }
    /* Creates the worker without running completions: none is scheduled. */
    (void)loop_turn(loop, false);
    gate_wait_arrived(&gate, 1);
    loop_until(loop, jobs[0].callbacks > 0);
    log_expect("0 1 2");
    gate_open(&gate);
    loop_until(loop, jobs[3].callbacks > 0);
    thread_pool_free(pool);
    gate_fini(&gate);
}

struct chain {
    struct loop *loop;
    ThreadPool *pool;
    int left;
};

static int nothing(void *opaque)
{
    return 0;
}

static void submit_next(void *opaque, int ret)
{
    struct chain *chain = opaque;

    if (--chain->left > 0) {
        (void)thread_pool_submit_aio(chain->pool, nothing, NULL, submit_next,
                                     chain);
    }
}

static void test_callback_submits(struct loop *loop)
{
    struct chain chain = {
        .loop = loop, .pool = thread_pool_new(loop->ctx), .left = 500};

    submit_next(&chain, 0);
    loop_until(loop, chain.left == 0);
    thread_pool_free(chain.pool);
}

struct co_job {
    ThreadPool *pool;
    int nth;
    int *running;
};

static int return_nth(void *opaque)
{
    return ((struct co_job *)opaque)->nth;
}

static void coroutine_fn submit_from_co(void *opaque)
{
    struct co_job *job = opaque;

    for (int i = 0; i < 10; i++) {
        g_assert_cmpint(thread_pool_submit_co(job->pool, return_nth, job), ==,
                        job->nth);
    }
    (*job->running)--;
}

static void test_coroutine(struct loop *loop)
{
    ThreadPool *pool = aio_get_thread_pool(loop->ctx);
    struct co_job jobs[20];
    int running = 20;

    g_assert_true(pool == aio_get_thread_pool(loop->ctx));
    for (int i = 0; i < 20; i++) {
        jobs[i] = (struct co_job){pool, i, &running};
        coroutine_enter(coroutine_create(submit_from_co, &jobs[i]));
    }
    g_assert_cmpint(running, ==, 20);
    loop_until(loop, running == 0);
    /* The pool goes with its context. */
}

static int count_up(void *opaque)
{
    (void)ct_fetch_add((int *)opaque, 1);
    return 0;
}

static void count_down(void *opaque, int ret)
{
    --*(int *)opaque;
}

/* Nobody waits for an item without a callback, also not the pool's end. */
static void test_without_callback(struct loop *loop)
{
    ThreadPool *pool = thread_pool_new(loop->ctx);
    int ran = 0;
    int open = 1;

    thread_pool_set_limits(pool, 0, 1);
    for (int i = 0; i < 10; i++) {
        thread_pool_submit(pool, count_up, &ran);
    }
    (void)thread_pool_submit_aio(pool, nothing, NULL, count_down, &open);
    loop_until(loop, open == 0);
    g_assert_cmpint(ct_load(&ran), ==, 10);
    thread_pool_submit(pool, count_up, &ran);
    thread_pool_free(pool);
}

struct stress {
    struct loop *loop;
    ThreadPool *pool;
    GRand *rand;
    int open;
    int left;
    int ran; /* atomic */
    int cancelled;
    ThreadPoolWork *last;
};

static void stress_done(void *opaque, int ret);

static void stress_submit(struct stress *stress)
{
    stress->open++;
    stress->left--;
    stress->last = thread_pool_submit_aio(stress->pool, count_up, &stress->ran,
                                          stress_done, stress);
}

static void stress_step(struct stress *stress)
{
    switch (g_rand_int_range(stress->rand, 0, 8)) {
    case 0:
        if (stress->last != NULL) {
            stress->cancelled += thread_pool_cancel(stress->pool, stress->last);
        }
        break;
    case 1: {
        int min = g_rand_int_range(stress->rand, 0, 3);

        thread_pool_set_limits(stress->pool, min,
                               min + g_rand_int_range(stress->rand, 1, 6));
        break;
    }
    case 2:
        thread_pool_set_idle_ns(stress->pool,
                                g_rand_int_range(stress->rand, 0, 200000));
        break;
    default:
        if (stress->left > 0) {
            stress_submit(stress);
        }
        break;
    }
}

static void stress_done(void *opaque, int ret)
{
    struct stress *stress = opaque;

    g_assert_true(ret == 0 || ret == -ECANCELED);
    stress->open--;
    stress->last = NULL; /* perhaps this one */
    stress_step(stress);
}

/* Submissions, cancels, changing limits and idle times; nothing gets lost. */
static void test_stress(struct loop *loop)
{
    guint32 seed = g_random_int();
    struct stress stress = {.loop = loop,
                            .pool = thread_pool_new(loop->ctx),
                            .rand = g_rand_new_with_seed(seed),
                            .left = 3000};
    int total = stress.left;

    g_test_message("seed %u", seed);
    while (stress.left > 0 || stress.open > 0) {
        stress_step(&stress);
        (void)loop_turn(loop, stress.open > 16);
    }
    g_assert_cmpint(ct_load(&stress.ran) + stress.cancelled, ==, total);
    thread_pool_free(stress.pool);
    g_rand_free(stress.rand);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/pool/result", test_result);
    loops_add("/pool/order", test_order);
    loops_add("/pool/cancel-queued", test_cancel_queued);
    loops_add("/pool/cancel-running", test_cancel_running);
    loops_add("/pool/callback-polls", test_callback_polls);
    loops_add("/pool/callback-submits", test_callback_submits);
    loops_add("/pool/coroutine", test_coroutine);
    loops_add("/pool/without-callback", test_without_callback);
    loops_add("/pool/stress", test_stress);
    return g_test_run();
}
