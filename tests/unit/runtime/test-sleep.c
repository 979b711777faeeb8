/* SPDX-License-Identifier: MIT */
/*
 * test-sleep.c - coroutines that sleep, are woken early, or have a time limit;
 * on clocks that are moved by hand
 */
#include <errno.h>
#include <pthread.h>

#include "base/atomics.h"
#include "base/clock.h"
#include "ct/sync.h"
#include "loops.h"

static struct ct_clock_manual clocks[AIO_CLOCKS];

static void begin(struct loop *loop)
{
    for (int i = 0; i < AIO_CLOCKS; i++) {
        ct_clock_manual_init(&clocks[i], 1000 * (i + 1));
        aio_context_set_clock(loop->ctx, (AioClock)i, &clocks[i].clock);
    }
}

static void pass(struct loop *loop, AioClock clock, int64_t ns)
{
    ct_clock_manual_advance(&clocks[clock], ns);
    loop_drain(loop);
}

struct sleeper {
    char name;
    AioClock clock;
    int64_t ns;
    CoSleep sleep;
};

static void coroutine_fn run_sleeper(void *opaque)
{
    struct sleeper *sleeper = opaque;

    log_add("%c", sleeper->name);
    co_sleep_ns_wakeable(&sleeper->sleep, sleeper->clock, sleeper->ns);
    log_add("%c!", sleeper->name);
}

static void start(struct loop *loop, struct sleeper *sleeper)
{
    aio_co_schedule(loop->ctx, coroutine_create(run_sleeper, sleeper));
    loop_drain(loop);
}

static void test_sleep(struct loop *loop)
{
    struct sleeper a = {.name = 'a', .ns = 500}, b = {.name = 'b', .ns = 200},
                   c = {.name = 'c', .ns = -5};

    begin(loop);
    start(loop, &a);
    start(loop, &b);
    start(loop, &c); /* gives way at least */
    log_expect("a b c c!");
    pass(loop, AIO_CLOCK_REALTIME, 199);
    log_expect("a b c c!");
    pass(loop, AIO_CLOCK_REALTIME, 1);
    log_expect("a b c c! b!");
    pass(loop, AIO_CLOCK_REALTIME, 1000);
    log_expect("a b c c! b! a!");
}

/* Each clock has its own time. */
static void test_clocks(struct loop *loop)
{
    struct sleeper sleepers[AIO_CLOCKS];

    begin(loop);
    for (int i = 0; i < AIO_CLOCKS; i++) {
        sleepers[i] = (struct sleeper){
            .name = (char)('a' + i), .clock = (AioClock)i, .ns = 100};
        start(loop, &sleepers[i]);
    }
    log_expect("a b c");
    pass(loop, AIO_CLOCK_HOST, 100);
    log_expect("a b c c!");
    pass(loop, AIO_CLOCK_VIRTUAL, 99);
    log_expect("a b c c!");
    pass(loop, AIO_CLOCK_REALTIME, 100);
    log_expect("a b c c! a!");
    pass(loop, AIO_CLOCK_VIRTUAL, 1);
    log_expect("a b c c! a! b!");
}

static void test_wake(struct loop *loop)
{
    struct sleeper a = {.name = 'a', .ns = 500};
    struct sleeper b = {.name = 'b', .ns = INT64_MAX};

    begin(loop);
    start(loop, &b); /* for ever: beyond what the clock can say */
    pass(loop, AIO_CLOCK_REALTIME, 1000);
    log_expect("b");
    g_assert_true(co_sleep_wake(&b.sleep));
    loop_drain(loop);
    log_expect("b b!");
    log_clear();
    g_assert_false(co_sleep_wake(&a.sleep)); /* nobody, and not remembered */
    start(loop, &a);
    log_expect("a");
    g_assert_true(co_sleep_wake(&a.sleep));
    loop_drain(loop);
    log_expect("a a!");
    g_assert_false(co_sleep_wake(&a.sleep));
    pass(loop, AIO_CLOCK_REALTIME, 1000);
    log_expect("a a!");
}

/* --- time limits --------------------------------------------------------- */

struct limited {
    int64_t work_ns; /* how long the function takes */
    int64_t limit_ns;
    int ret;
};

static void coroutine_fn work(void *opaque)
{
    struct limited *limited = opaque;

    log_add("work");
    if (limited->work_ns > 0) {
        co_sleep_ns(AIO_CLOCK_VIRTUAL, limited->work_ns);
    }
    log_add("done");
}

static void coroutine_fn clean(void *opaque)
{
    log_add("clean");
}

static void coroutine_fn run_limited(void *opaque)
{
    struct limited *limited = opaque;

    limited->ret = co_timeout(work, limited, limited->limit_ns, clean);
    log_add("=%d", -limited->ret);
}

static void start_limited(struct loop *loop, struct limited *limited)
{
    begin(loop);
    aio_co_schedule(loop->ctx, coroutine_create(run_limited, limited));
    loop_drain(loop);
}

static void test_in_time(struct loop *loop)
{
    struct limited limited = {.work_ns = 100, .limit_ns = 1000};

    start_limited(loop, &limited);
    log_expect("work");
    pass(loop, AIO_CLOCK_REALTIME, 999);
    pass(loop, AIO_CLOCK_VIRTUAL, 100);
    log_expect("work done =0");
    pass(loop, AIO_CLOCK_REALTIME, 5000);
    log_expect("work done =0");
}

static void test_too_late(struct loop *loop)
{
    struct limited limited = {.work_ns = 100, .limit_ns = 1000};
    char *expected = g_strdup_printf("work =%d", ETIMEDOUT);

    start_limited(loop, &limited);
    pass(loop, AIO_CLOCK_REALTIME, 1000);
    log_expect(expected);
    g_assert_cmpint(limited.ret, ==, -ETIMEDOUT);
    log_clear();
    pass(loop, AIO_CLOCK_VIRTUAL, 100); /* it goes on, and ends */
    log_expect("done clean");
    g_free(expected);
}

static void test_no_wait(struct loop *loop)
{
    struct limited limited = {.limit_ns = 1000};

    start_limited(loop, &limited);
    log_expect("work done =0");
}

static void test_no_limit(struct loop *loop)
{
    struct limited limited = {.work_ns = 100};

    start_limited(loop, &limited);
    pass(loop, AIO_CLOCK_REALTIME, 1000000);
    log_expect("work");
    pass(loop, AIO_CLOCK_VIRTUAL, 100);
    log_expect("work done =0");
}

/* --- another thread wakes, while the timer is about to ------------------- */

#define ROUNDS 1000

static struct {
    CoSleep sleep;
    unsigned rounds; /* atomic: sleeps so far */
    unsigned is_over;
} race;

static void *wake_all(void *opaque)
{
    while (!ct_load_seq(&race.is_over)) {
        (void)co_sleep_wake(&race.sleep);
        ct_cpu_relax();
    }
    return NULL;
}

static void coroutine_fn sleep_often(void *opaque)
{
    for (int i = 0; i < ROUNDS; i++) {
        co_sleep_ns_wakeable(&race.sleep, AIO_CLOCK_REALTIME, i % 8 * 1000);
        (void)ct_fetch_add(&race.rounds, 1);
    }
}

static void test_race(struct loop *loop)
{
    pthread_t thread;

    race.rounds = race.is_over = 0;
    g_assert_cmpint(pthread_create(&thread, NULL, wake_all, NULL), ==, 0);
    aio_co_schedule(loop->ctx, coroutine_create(sleep_often, NULL));
    loop_until(loop, ct_load_seq(&race.rounds) == ROUNDS);
    (void)ct_xchg(&race.is_over, 1);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/sleep/sleep", test_sleep);
    loops_add("/sleep/clocks", test_clocks);
    loops_add("/sleep/wake", test_wake);
    loops_add("/sleep/in-time", test_in_time);
    loops_add("/sleep/too-late", test_too_late);
    loops_add("/sleep/no-wait", test_no_wait);
    loops_add("/sleep/no-limit", test_no_limit);
    loops_add("/sleep/race", test_race);
    return g_test_run();
}
