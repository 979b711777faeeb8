/* SPDX-License-Identifier: MIT */
/*
 * test-timer.c - timers on a clock that stands still until it is moved
 */
#include <pthread.h>

#include "base/clock.h"
#include "loops.h"

struct timers {
    struct loop *loop;
    struct ct_clock_manual clock;
};

static struct timers timers; /* one case at a time */

static void begin(struct loop *loop)
{
    timers.loop = loop;
    ct_clock_manual_init(&timers.clock, 1000);
    aio_context_set_clock(loop->ctx, AIO_CLOCK_REALTIME, &timers.clock.clock);
    g_assert_cmpint(aio_context_now_ns(loop->ctx), ==, 1000);
}

static void advance_to(int64_t now_ns)
{
    ct_clock_manual_advance(&timers.clock, now_ns - timers.clock.now_ns);
    loop_drain(timers.loop);
}

static void log_timer(void *opaque)
{
    log_add("%d", GPOINTER_TO_INT(opaque));
}

static AioTimer *new_log_timer(int name)
{
    return aio_timer_new(timers.loop->ctx, log_timer, GINT_TO_POINTER(name));
}

static void test_deadline(struct loop *loop)
{
    AioTimer *timer;

    begin(loop);
    timer = new_log_timer(1);
    g_assert_false(aio_timer_is_armed(timer));
    aio_timer_arm(timer, 2000);
    g_assert_true(aio_timer_is_armed(timer));
    advance_to(1999);
    log_expect("");
    advance_to(2000);
    log_expect("1");
    g_assert_false(aio_timer_is_armed(timer));
    advance_to(9000);
    log_expect("1");
    aio_timer_arm(timer, 5); /* long ago */
    loop_drain(loop);
    log_expect("1 1");
    aio_timer_free(timer);
    aio_timer_free(NULL);
}

static void test_order(struct loop *loop)
{
    AioTimer *t[4];

    begin(loop);
    for (int i = 0; i < 4; i++) {
        t[i] = new_log_timer(i);
    }
    aio_timer_arm(t[0], 3000);
    aio_timer_arm(t[1], 2000);
    aio_timer_arm(t[2], 3000);
    aio_timer_arm(t[3], 1500);
    aio_timer_arm(t[0], 3000); /* armed anew: behind 2 now */
    advance_to(5000);
    log_expect("3 1 2 0");
    for (int i = 0; i < 4; i++) {
        aio_timer_free(t[i]);
    }
}

static void test_cancel_and_move(struct loop *loop)
{
    AioTimer *a, *b, *c;

    begin(loop);
    a = new_log_timer(1);
    b = new_log_timer(2);
    c = new_log_timer(3);
    aio_timer_arm(a, 2000);
    aio_timer_arm(b, 3000);
    aio_timer_arm(c, 4000);
    aio_timer_cancel(a);
    aio_timer_cancel(a);
    g_assert_false(aio_timer_is_armed(a));
    aio_timer_arm(c, 2500); /* earlier */
    aio_timer_arm(b, 6000); /* later */
    advance_to(2500);
    log_expect("3");
    advance_to(5999);
    log_expect("3");
    advance_to(6000);
    log_expect("3 2");
    aio_timer_arm(a, 7000);
    aio_timer_free(a);
    advance_to(8000);
    log_expect("3 2");
    aio_timer_free(b);
    aio_timer_free(c);
}

static AioTimer *victims[3];

static void hit_victims(void *opaque)
{
    log_add("hit");
    aio_timer_cancel(victims[0]);
    aio_timer_arm(victims[1], 9000);
    aio_timer_free(victims[2]);
}

/* All are due together; the first one's callback changes its mind on three. */
static void test_change_due(struct loop *loop)
{
    AioTimer *hit, *last;

    begin(loop);
    hit = aio_timer_new(loop->ctx, hit_victims, NULL);
    last = new_log_timer(9);
    aio_timer_arm(hit, 2000);
    for (int i = 0; i < 3; i++) {
        victims[i] = new_log_timer(i);
        aio_timer_arm(victims[i], 2000);
    }
    aio_timer_arm(last, 2000);
    advance_to(2000);
    log_expect("hit 9");
    advance_to(9000);
    log_expect("hit 9 1");
    aio_timer_free(victims[0]);
    aio_timer_free(victims[1]);
    aio_timer_free(hit);
    aio_timer_free(last);
}

struct again {
    AioTimer *timer;
    int left;
};

static void arm_again(void *opaque)
{
    struct again *again = opaque;

    log_add("a");
    if (again->left-- > 0) {
        aio_timer_arm(again->timer, 0);
    } else {
        aio_timer_free(again->timer); /* its own, in its callback */
    }
}

/* Always due: still only one run a turn. */
static void test_arm_in_callback(struct loop *loop)
{
    struct again again = {.left = 2};

    begin(loop);
    again.timer = aio_timer_new(loop->ctx, arm_again, &again);
    aio_timer_arm(again.timer, 0);
    (void)loop_turn(loop, false);
    log_expect("a");
    (void)loop_turn(loop, true);
    log_expect("a a");
    (void)loop_turn(loop, false);
    log_expect("a a a");
    loop_drain(loop);
    log_expect("a a a");
}

static void poll_nested(void *opaque)
{
    struct loop *loop = opaque;

    log_add("(");
    g_assert_true(aio_poll(loop->ctx, true));
    log_add(")");
}

static void test_nested(struct loop *loop)
{
    AioTimer *nested, *a, *b;

    begin(loop);
    a = new_log_timer(1);
    nested = aio_timer_new(loop->ctx, poll_nested, loop);
    b = new_log_timer(2);
    aio_timer_arm(a, 2000);
    aio_timer_arm(nested, 2000);
    aio_timer_arm(b, 2000);
    advance_to(2000);
    log_expect("1 ( 2 )");
    aio_timer_free(a);
    aio_timer_free(b);
    aio_timer_free(nested);
}

struct random_timer {
    AioTimer *timer;
    int64_t deadline_ns;
    bool is_armed;
};

static int64_t last_ns;
static int random_runs;

static void check_random(void *opaque)
{
    struct random_timer *random = opaque;

    g_assert_true(random->is_armed);
    g_assert_cmpint(random->deadline_ns, <=, timers.clock.now_ns);
    g_assert_cmpint(random->deadline_ns, >=, last_ns);
    last_ns = random->deadline_ns;
    random->is_armed = false;
    random_runs++;
}

#define RANDOM_TIMERS 100

static void test_random(struct loop *loop)
{
    struct random_timer all[RANDOM_TIMERS];
    guint32 seed = g_random_int();
    GRand *rand = g_rand_new_with_seed(seed);
    int armed = 0;

    begin(loop);
    g_test_message("seed %u", seed);
    last_ns = 0;
    random_runs = 0;
    for (int i = 0; i < RANDOM_TIMERS; i++) {
        all[i] = (struct random_timer){
            .timer = aio_timer_new(loop->ctx, check_random, &all[i])};
    }
    for (int i = 0; i < 5000; i++) {
        struct random_timer *random =
            &all[g_rand_int_range(rand, 0, RANDOM_TIMERS)];

        switch (g_rand_int_range(rand, 0, 6)) {
        case 0:
            aio_timer_cancel(random->timer);
            armed -= random->is_armed;
            random->is_armed = false;
            break;
        case 1:
            ct_clock_manual_advance(&timers.clock,
                                    g_rand_int_range(rand, 0, 100));
            loop_drain(loop);
            break;
        default:
            armed += !random->is_armed;
            random->is_armed = true;
            random->deadline_ns =
                timers.clock.now_ns + g_rand_int_range(rand, 1, 1000);
            aio_timer_arm(random->timer, random->deadline_ns);
            break;
        }
    }
    advance_to(timers.clock.now_ns + 1000);
    for (int i = 0; i < RANDOM_TIMERS; i++) {
        g_assert_false(all[i].is_armed);
        aio_timer_free(all[i].timer);
    }
    g_assert_cmpint(random_runs, >, 0);
    g_assert_cmpint(random_runs, <=, armed);
    g_rand_free(rand);
}

struct real {
    AioContext *ctx;
    AioTimer *timer;
    int64_t deadline_ns;
    int runs;
};

static void real_ran(void *opaque)
{
    struct real *real = opaque;

    g_assert_cmpint(aio_context_now_ns(real->ctx), >=, real->deadline_ns);
    real->runs++;
}

/* A blocking turn waits for the deadline, and not less. */
static void test_real_clock(struct loop *loop)
{
    struct real real = {.ctx = loop->ctx};

    real.timer = aio_timer_new(loop->ctx, real_ran, &real);
    for (int i = 1; i <= 3; i++) {
        real.deadline_ns = aio_context_now_ns(loop->ctx) + i * 300000;
        aio_timer_arm(real.timer, real.deadline_ns);
        loop_until(loop, real.runs == i);
    }
    aio_timer_free(real.timer);
}

static void *arm_from_thread(void *opaque)
{
    struct real *real = opaque;

    aio_timer_arm(real->timer, 0);
    return NULL;
}

/* A loop that waits for ever, or for a later timer, is woken. */
static void test_thread_arms(struct loop *loop)
{
    struct real real = {.ctx = loop->ctx};
    struct real later = {.ctx = loop->ctx};
    pthread_t thread;

    real.timer = aio_timer_new(loop->ctx, real_ran, &real);
    later.timer = aio_timer_new(loop->ctx, real_ran, &later);
    for (int i = 1; i <= 50; i++) {
        if (i == 25) {
            aio_timer_arm(later.timer, INT64_MAX - 1);
        }
        g_assert_cmpint(pthread_create(&thread, NULL, arm_from_thread, &real),
                        ==, 0);
        loop_until(loop, real.runs == i);
        pthread_join(thread, NULL);
    }
    g_assert_cmpint(later.runs, ==, 0);
    aio_timer_free(real.timer);
    aio_timer_free(later.timer);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/timer/deadline", test_deadline);
    loops_add("/timer/order", test_order);
    loops_add("/timer/cancel-and-move", test_cancel_and_move);
    loops_add("/timer/change-due", test_change_due);
    loops_add("/timer/arm-in-callback", test_arm_in_callback);
    loops_add("/timer/nested", test_nested);
    loops_add("/timer/random", test_random);
    loops_add("/timer/real-clock", test_real_clock);
    loops_add("/timer/thread-arms", test_thread_arms);
    return g_test_run();
}
