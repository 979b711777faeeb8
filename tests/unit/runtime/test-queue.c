/* SPDX-License-Identifier: MIT */
/*
 * test-queue.c - CoQueue, with a CoMutex and without; AioTaskPool
 */
#include <errno.h>

#include "base/atomics.h"
#include "ct/sync.h"
#include "loops.h"

struct waiter {
    CoQueue *queue;
    CoMutex *mutex;
    int nth;
    int rounds;
};

static void coroutine_fn wait_in_queue(void *opaque)
{
    struct waiter *waiter = opaque;

    for (int i = 0; i < waiter->rounds; i++) {
        co_queue_wait(waiter->queue, NULL);
        log_add("%d", waiter->nth);
    }
}

static void waiters_start(struct waiter *waiters, int count, CoQueue *queue,
                          int rounds)
{
    for (int i = 0; i < count; i++) {
        waiters[i] = (struct waiter){queue, NULL, i, rounds};
        coroutine_enter(coroutine_create(wait_in_queue, &waiters[i]));
    }
}

static void test_next(struct loop *loop)
{
    struct waiter waiters[3];
    CoQueue queue;

    co_queue_init(&queue);
    g_assert_true(co_queue_empty(&queue));
    g_assert_false(co_queue_next(&queue));
    waiters_start(waiters, 3, &queue, 1);
    g_assert_false(co_queue_empty(&queue));
    g_assert_true(co_queue_next(&queue));
    log_expect("0");
    g_assert_true(co_queue_next(&queue));
    g_assert_true(co_queue_next(&queue));
    log_expect("0 1 2");
    g_assert_true(co_queue_empty(&queue));
    g_assert_false(co_queue_next(&queue));
}

/* Those who wait again while all are woken wait for the next time. */
static void test_all(struct loop *loop)
{
    struct waiter waiters[3];
    CoQueue queue;

    co_queue_init(&queue);
    waiters_start(waiters, 3, &queue, 2);
    co_queue_all(&queue);
    log_expect("0 1 2");
    g_assert_false(co_queue_empty(&queue));
    co_queue_all(&queue);
    log_expect("0 1 2 0 1 2");
    g_assert_true(co_queue_empty(&queue));
    co_queue_all(&queue);
}

static void coroutine_fn wake_all(void *opaque)
{
    log_add("(");
    co_queue_all(opaque);
    log_add(")");
}

/* From a coroutine: after it has stopped. */
static void test_from_coroutine(struct loop *loop)
{
    struct waiter waiters[2];
    CoQueue queue;

    co_queue_init(&queue);
    waiters_start(waiters, 2, &queue, 1);
    coroutine_enter(coroutine_create(wake_all, &queue));
    log_expect("( ) 0 1");
}

#define SLOTS     3
#define PRODUCERS 3
#define PER_EACH  400

/* A bounded buffer between threads: the classic use with a mutex. */
struct buffer {
    CoMutex mutex;
    CoQueue not_full;
    CoQueue not_empty;
    unsigned used; /* protected by the mutex, as all below */
    unsigned taken;
    unsigned finished; /* atomic */
};

static void coroutine_fn produce(void *opaque)
{
    struct buffer *buffer = opaque;

    for (int i = 0; i < PER_EACH; i++) {
        co_mutex_lock(&buffer->mutex);
        while (buffer->used == SLOTS) {
            co_queue_wait(&buffer->not_full, &buffer->mutex);
        }
        buffer->used++;
        (void)co_queue_next(&buffer->not_empty);
        co_mutex_unlock(&buffer->mutex);
    }
    (void)ct_fetch_add(&buffer->finished, 1);
    aio_wait_kick();
}

static void coroutine_fn consume(void *opaque)
{
    struct buffer *buffer = opaque;

    for (int i = 0; i < PER_EACH; i++) {
        co_mutex_lock(&buffer->mutex);
        while (buffer->used == 0) {
            co_queue_wait(&buffer->not_empty, &buffer->mutex);
        }
        g_assert_cmpuint(buffer->used, <=, SLOTS);
        buffer->used--;
        buffer->taken++;
        (void)co_queue_next(&buffer->not_full);
        co_mutex_unlock(&buffer->mutex);
    }
    (void)ct_fetch_add(&buffer->finished, 1);
    aio_wait_kick();
}

static void test_buffer(struct loop *loop)
{
    IOThread *iothreads[2];
    struct buffer buffer = {.used = 0};

    co_mutex_init(&buffer.mutex);
    co_queue_init(&buffer.not_full);
    co_queue_init(&buffer.not_empty);
    for (int i = 0; i < 2; i++) {
        iothreads[i] = iothread_new("buffer", NULL);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        aio_co_enter(iothread_get_aio_context(iothreads[i % 2]),
                     coroutine_create(produce, &buffer));
        aio_co_enter(iothread_get_aio_context(iothreads[(i + 1) % 2]),
                     coroutine_create(consume, &buffer));
    }
    AIO_WAIT_WHILE(NULL, ct_load_seq(&buffer.finished) < 2 * PRODUCERS);
    for (int i = 0; i < 2; i++) {
        iothread_free(iothreads[i]);
    }
    g_assert_cmpuint(buffer.taken, ==, PRODUCERS * PER_EACH);
    g_assert_cmpuint(buffer.used, ==, 0);
    g_assert_true(co_queue_empty(&buffer.not_full));
    g_assert_true(co_queue_empty(&buffer.not_empty));
    co_mutex_fini(&buffer.mutex);
}

/* --- task pools ---------------------------------------------------------- */

struct test_task {
    AioTask task;
    int nth;
    int turns; /* of the loop, that it lasts */
    int ret;
};

static int running;
static int running_max;

static int coroutine_fn run_task(AioTask *task)
{
    struct test_task *test_task = (struct test_task *)task;

    running++;
    running_max = MAX(running_max, running);
    for (int i = 0; i < test_task->turns; i++) {
        aio_co_schedule(aio_context_current(), coroutine_self());
        coroutine_yield();
    }
    log_add("%d", test_task->nth);
    running--;
    return test_task->ret;
}

static void coroutine_fn start_task(AioTaskPool *pool, int nth, int turns,
                                    int ret)
{
    struct test_task *test_task = g_new(struct test_task, 1);

    *test_task = (struct test_task){
        .task = {.pool = pool, .func = run_task},
        .nth = nth,
        .turns = turns,
        .ret = ret,
    };
    aio_task_pool_start_task(pool, &test_task->task);
}

static void coroutine_fn limited_tasks(void *opaque)
{
    AioTaskPool *pool = aio_task_pool_new(2);

    g_assert_true(aio_task_pool_empty(pool));
    start_task(pool, 0, 3, 0);
    g_assert_false(aio_task_pool_empty(pool));
    start_task(pool, 1, 1, 0); /* both slots are taken now */
    start_task(pool, 2, 0, 0); /* when 1 has ended; ends at once */
    start_task(pool, 3, 9, 0);
    aio_task_pool_wait_one(pool); /* for 0 */
    log_add("one");
    aio_task_pool_wait_slot(pool); /* there is one */
    log_add("slot");
    aio_task_pool_wait_all(pool);
    log_add("all");
    g_assert_true(aio_task_pool_empty(pool));
    g_assert_cmpint(aio_task_pool_status(pool), ==, 0);
    aio_task_pool_wait_all(pool); /* nothing to wait for */
    aio_task_pool_free(pool);
    *(bool *)opaque = true;
}

static void test_tasks(struct loop *loop)
{
    bool ended = false;

    running_max = 0;
    aio_co_enter(loop->ctx, coroutine_create(limited_tasks, &ended));
    loop_until(loop, ended);
    log_expect("1 2 0 one slot 3 all");
    g_assert_cmpint(running_max, ==, 2);
}

static void coroutine_fn failing_tasks(void *opaque)
{
    AioTaskPool *pool = aio_task_pool_new(3);

    start_task(pool, 0, 2, -EIO);
    start_task(pool, 1, 1, -ENOSPC);
    start_task(pool, 2, 3, 7);
    aio_task_pool_wait_all(pool);
    /* The first that ended, not the first that was started. */
    g_assert_cmpint(aio_task_pool_status(pool), ==, -ENOSPC);
    aio_task_pool_free(pool);
    aio_task_pool_free(NULL);
    *(bool *)opaque = true;
}

static void test_task_status(struct loop *loop)
{
    bool ended = false;

    aio_co_enter(loop->ctx, coroutine_create(failing_tasks, &ended));
    loop_until(loop, ended);
    log_expect("1 0 2");
}

static void coroutine_fn many_tasks(void *opaque)
{
    AioTaskPool *pool = aio_task_pool_new(8);

    for (int i = 0; i < 500; i++) {
        start_task(pool, i, i % 5, 0);
    }
    aio_task_pool_wait_all(pool);
    aio_task_pool_free(pool);
    *(bool *)opaque = true;
}

static void test_many_tasks(struct loop *loop)
{
    bool ended = false;

    running_max = 0;
    aio_co_enter(loop->ctx, coroutine_create(many_tasks, &ended));
    loop_until(loop, ended);
    g_assert_cmpint(running_max, ==, 8);
    g_assert_cmpint(running, ==, 0);
}

static void coroutine_fn free_busy_pool(void *opaque)
{
    AioTaskPool *pool = aio_task_pool_new(2);

    start_task(pool, 0, 3, 0);
    aio_task_pool_free(pool);
}

static void test_task_misuse(void)
{
    if (g_test_subprocess()) {
        AioContext *ctx = aio_context_new("own", NULL);

        aio_context_set_current(ctx);
        aio_co_enter(ctx, coroutine_create(free_busy_pool, NULL));
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*aio-task-pool-free/busy*");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/queue/next", test_next);
    loops_add("/queue/all", test_all);
    loops_add("/queue/from-coroutine", test_from_coroutine);
    loops_add("/queue/buffer", test_buffer);
    loops_add("/task/limit", test_tasks);
    loops_add("/task/status", test_task_status);
    loops_add("/task/many", test_many_tasks);
    g_test_add_func("/task/misuse", test_task_misuse);
    return g_test_run();
}
