/* SPDX-License-Identifier: MIT */
/*
 * conds-coroutine.c - what users of coroutines, their locks and requests of
 * their own must keep
 */
#include <pthread.h>
#include <sys/syscall.h>

#include "../unit/runtime/refuse.h"
#include "conds-runtime.h"
#include "coroutine/coroutine_int.h"
#include "ct/sync.h"
#include "ct/traced.h"
#include "request/tracked.h"

static void coroutine_fn nothing(void *opaque)
{
}

/* Until somebody enters it who should not. */
static void coroutine_fn just_yield(void *opaque)
{
    coroutine_yield();
}

/* --- a machine that gives nothing ---------------------------------------- */

static void no_keys(void)
{
    pthread_key_t key;

    while (pthread_key_create(&key, NULL) == 0) {
    }
    (void)coroutine_create(nothing, NULL);
}

#if !defined(CT_FIBER_TSAN) && !defined(CT_FIBER_ASAN)
static void no_stack(void)
{
    refuse(SYS_mmap);
    coroutine_enter(coroutine_create(nothing, NULL));
}

static void no_guard_page(void)
{
    refuse(SYS_mprotect);
    coroutine_enter(coroutine_create(nothing, NULL));
}
#endif

/* --- waking -------------------------------------------------------------- */

static void queue_itself(void)
{
    coroutine_queue_wake(coroutine_self());
}

static void wake_itself(void)
{
    aio_co_wake(coroutine_self());
}

static void reschedule(void)
{
    aio_co_reschedule_self(conds_ctx);
}

/* --- sleep --------------------------------------------------------------- */

static CoSleep sleeping = CO_SLEEP_INIT;

static void coroutine_fn sleep_entry(void *opaque)
{
    co_sleep_ns_wakeable(&sleeping, AIO_CLOCK_VIRTUAL, INT64_MAX / 2);
}

static void sleep_outside(void)
{
    co_sleep_ns(AIO_CLOCK_REALTIME, 1);
}

static void sleep_twice(void)
{
    coroutine_enter(coroutine_create(sleep_entry, NULL));
    coroutine_enter(coroutine_create(sleep_entry, NULL));
}

static void enter_sleeper(void)
{
    Coroutine *co = coroutine_create(sleep_entry, NULL);

    coroutine_enter(co);
    coroutine_enter(co);
}

static void limit_outside(void)
{
    (void)co_timeout(nothing, NULL, 1, NULL);
}

/* --- locks --------------------------------------------------------------- */

static void rwlock_gone(void)
{
    static CoRwlock lock;

    co_rwlock_init(&lock);
    co_rwlock_rdlock(&lock);
    co_rwlock_fini(&lock);
}

static void rwlock_outside(void)
{
    static CoRwlock lock;

    co_rwlock_init(&lock);
    co_rwlock_rdlock(&lock);
}

static void unlock_free(void)
{
    static CoRwlock lock;

    co_rwlock_init(&lock);
    co_rwlock_unlock(&lock);
}

static void downgrade_reader(void)
{
    static CoRwlock lock;

    co_rwlock_init(&lock);
    co_rwlock_rdlock(&lock);
    co_rwlock_downgrade(&lock);
}

static void upgrade_nobody(void)
{
    static CoRwlock lock;

    co_rwlock_init(&lock);
    co_rwlock_upgrade(&lock);
}

static void queue_outside(void)
{
    CoQueue queue;

    co_queue_init(&queue);
    co_queue_wait(&queue, NULL);
}

/* --- tasks --------------------------------------------------------------- */

static int coroutine_fn yielding_task(AioTask *task)
{
    coroutine_yield();
    return 0;
}

static void start_task(AioTaskPool *pool, AioTaskPool *of)
{
    AioTask *task = g_new0(AioTask, 1);

    *task = (AioTask){.pool = of, .func = yielding_task};
    aio_task_pool_start_task(pool, task);
}

static void no_tasks_at_once(void)
{
    (void)aio_task_pool_new(0);
}

static void pool_outside(void)
{
    (void)aio_task_pool_new(1);
}

static void task_of_another_pool(void)
{
    start_task(aio_task_pool_new(1), aio_task_pool_new(1));
}

static void coroutine_fn wait_entry(void *opaque)
{
    aio_task_pool_wait_one(opaque);
}

static void wait_for_another(void)
{
    AioTaskPool *pool = aio_task_pool_new(1);

    start_task(pool, pool);
    coroutine_enter(coroutine_create(wait_entry, pool));
}

static void wait_for_nobody(void)
{
    aio_task_pool_wait_one(aio_task_pool_new(1));
}

static void coroutine_fn pool_entry(void *opaque)
{
    AioTaskPool *pool = aio_task_pool_new(1);

    start_task(pool, pool);
    aio_task_pool_wait_one(pool);
}

static void enter_who_waits_for_tasks(void)
{
    Coroutine *co = coroutine_create(pool_entry, NULL);

    coroutine_enter(co);
    coroutine_enter(co);
}

/* --- requests ------------------------------------------------------------ */

static struct tracked_request requests[2];

static CtRequest *any_request(void)
{
    return ct_request_begin("test", "work", NULL, 0, 0);
}

static void serve(void)
{
    ct_request_serve(any_request());
}

static void leave(void)
{
    ct_request_leave(any_request());
}

static void coroutine_fn request_entry(void *opaque)
{
    CtRequest **request = opaque;

    *request = any_request();
    coroutine_yield();
}

static void end_what_another_serves(void)
{
    CtRequest *request;

    coroutine_enter(coroutine_create(request_entry, &request));
    ct_request_end(request, 0);
}

static void begin_tracked(struct tracked_request *req)
{
    tracked_request_begin_served(req, "test", "work", "node", 0, 0, 0);
}

static void begin_served_outside(void)
{
    begin_tracked(&requests[0]);
}

static void serve_what_was_not_given(void)
{
    tracked_request_begin(&requests[0], "test", "work", "node", 0, 0, 0);
    tracked_request_give(&requests[0], coroutine_create(just_yield, NULL));
    tracked_request_serve(&requests[0]);
}

static void leave_the_outer(void)
{
    begin_tracked(&requests[0]);
    begin_tracked(&requests[1]);
    tracked_request_leave(&requests[0]);
}

static void adopt_outside(void)
{
    tracked_request_adopt(1);
}

static const struct cond conds[] = {
    {"coroutine-pool/key", no_keys, OUTSIDE},
#if !defined(CT_FIBER_TSAN) && !defined(CT_FIBER_ASAN) /* need memory, too */
    {"coroutine-stack/memory", no_stack, OUTSIDE},
    {"coroutine-stack/guard", no_guard_page, OUTSIDE},
#endif
    {"coroutine-queue-wake/not-self", queue_itself, IN_COROUTINE},
    {"aio-co-enter/self", wake_itself, IN_COROUTINE},
    {"aio-co-reschedule/in-coroutine", reschedule, OUTSIDE},
    {"aio-co-reschedule/context", reschedule, WITHOUT_CONTEXT},
    {"co-sleep/in-coroutine", sleep_outside, OUTSIDE},
    {"co-sleep/context", sleep_outside, WITHOUT_CONTEXT},
    {"co-sleep/one-sleeper", sleep_twice, OUTSIDE},
    {"co-sleep/woken", enter_sleeper, OUTSIDE},
    {"co-timeout/in-coroutine", limit_outside, OUTSIDE},
    {"co-rwlock-fini/held", rwlock_gone, IN_COROUTINE},
    {"co-rwlock-lock/in-coroutine", rwlock_outside, OUTSIDE},
    {"co-rwlock-unlock/held", unlock_free, IN_COROUTINE},
    {"co-rwlock-downgrade/writer", downgrade_reader, IN_COROUTINE},
    {"co-rwlock-upgrade/reader", upgrade_nobody, IN_COROUTINE},
    {"co-queue-wait/in-coroutine", queue_outside, OUTSIDE},
    {"aio-task-pool-new/max", no_tasks_at_once, IN_COROUTINE},
    {"aio-task-pool-new/in-coroutine", pool_outside, OUTSIDE},
    {"aio-task-pool-start/pool", task_of_another_pool, IN_COROUTINE},
    {"aio-task-pool-wait/main-co", wait_for_another, IN_COROUTINE},
    {"aio-task-pool-wait/busy", wait_for_nobody, IN_COROUTINE},
    {"aio-task-pool-wait/woken", enter_who_waits_for_tasks, OUTSIDE},
    {"ct-request-serve/in-coroutine", serve, OUTSIDE},
    {"ct-request-serve/served", serve, IN_COROUTINE},
    {"ct-request-leave/served-here", leave, OUTSIDE},
    {"ct-request-end/served-elsewhere", end_what_another_serves, OUTSIDE},
    {"tracked-request-begin/in-coroutine", begin_served_outside, OUTSIDE},
    {"tracked-request-serve/its-coroutine", serve_what_was_not_given,
     IN_COROUTINE},
    {"tracked-request-leave/nested", leave_the_outer, IN_COROUTINE},
    {"tracked-request-adopt/in-coroutine", adopt_outside, OUTSIDE},
};

int main(int argc, char **argv)
{
    return conds_main(argc, argv, conds, G_N_ELEMENTS(conds));
}
