/* SPDX-License-Identifier: MIT */
/*
 * test-wait.c - AIO_WAIT_WHILE() in one context and across contexts
 */
#include "base/atomics.h"
#include "loops.h"

static void clear_bh(void *opaque)
{
    *(unsigned *)opaque = 0;
}

static void test_home(struct loop *loop)
{
    unsigned busy = 1;

    aio_bh_schedule_oneshot(loop->ctx, clear_bh, &busy);
    g_assert_true(AIO_WAIT_WHILE(loop->ctx, busy));
    g_assert_cmpuint(busy, ==, 0);
    /* Not true at first: nothing is polled. */
    busy = 1;
    aio_bh_schedule_oneshot(loop->ctx, clear_bh, &busy);
    g_assert_false(AIO_WAIT_WHILE(loop->ctx, !busy));
    g_assert_cmpuint(busy, ==, 1);
    g_assert_true(AIO_WAIT_WHILE(NULL, busy));
}

struct wait {
    AioContext *ctx;
    unsigned busy; /* atomic */
    unsigned inner;
};

static void clear_and_kick_bh(void *opaque)
{
    struct wait *wait = opaque;

    (void)ct_xchg(&wait->busy, 0);
    aio_wait_kick();
}

/* The work is done by another thread; this one's own work goes on meanwhile. */
static void test_other_context(struct loop *loop)
{
    IOThread *iothread = iothread_new("other", NULL);
    struct wait wait = {.ctx = iothread_get_aio_context(iothread)};

    for (int i = 0; i < 500; i++) {
        unsigned mine = 1;

        wait.busy = 1;
        aio_bh_schedule_oneshot(loop->ctx, clear_bh, &mine);
        aio_bh_schedule_oneshot(wait.ctx, clear_and_kick_bh, &wait);
        (void)AIO_WAIT_WHILE(wait.ctx, ct_load_seq(&wait.busy) || mine);
        g_assert_cmpuint(wait.busy, ==, 0);
        g_assert_cmpuint(mine, ==, 0);
    }
    iothread_free(iothread);
}

static void inner_wait_bh(void *opaque)
{
    struct wait *wait = opaque;

    aio_bh_schedule_oneshot(wait->ctx, clear_bh, &wait->inner);
    g_assert_true(AIO_WAIT_WHILE(wait->ctx, wait->inner));
    wait->busy = 0;
}

static void test_nested(struct loop *loop)
{
    struct wait wait = {.ctx = loop->ctx, .busy = 1, .inner = 1};

    aio_bh_schedule_oneshot(loop->ctx, inner_wait_bh, &wait);
    g_assert_true(AIO_WAIT_WHILE(loop->ctx, wait.busy));
    g_assert_cmpuint(wait.inner, ==, 0);
}

/* Two contexts of one thread: it waits for either by polling that one. */
static void test_two_at_home(struct loop *loop)
{
    AioContext *second = aio_context_new("second", NULL);
    unsigned busy = 1;

    (void)aio_poll(second, false); /* claims it for this thread */
    aio_bh_schedule_oneshot(second, clear_bh, &busy);
    g_assert_true(AIO_WAIT_WHILE(second, busy));
    g_assert_true(aio_context_current() == loop->ctx);
    aio_context_unref(second);
}

/* Two loops wait for each other's work at the same time. */
struct both {
    struct wait here;
    struct wait there;
    unsigned done; /* atomic */
};

static void there_waits_bh(void *opaque)
{
    struct both *both = opaque;

    aio_bh_schedule_oneshot(both->here.ctx, clear_and_kick_bh, &both->here);
    (void)AIO_WAIT_WHILE(both->here.ctx, ct_load_seq(&both->here.busy));
    (void)ct_xchg(&both->done, 1);
    aio_wait_kick();
}

static void test_mutual(struct loop *loop)
{
    IOThread *iothread = iothread_new("there", NULL);

    for (int i = 0; i < 200; i++) {
        struct both both = {
            .here = {.ctx = loop->ctx, .busy = 1},
            .there = {.ctx = iothread_get_aio_context(iothread), .busy = 1}};

        aio_bh_schedule_oneshot(both.there.ctx, there_waits_bh, &both);
        aio_bh_schedule_oneshot(both.there.ctx, clear_and_kick_bh, &both.there);
        (void)AIO_WAIT_WHILE(both.there.ctx, ct_load_seq(&both.there.busy) ||
                                                 !ct_load_seq(&both.done));
        g_assert_cmpuint(both.here.busy, ==, 0);
    }
    iothread_free(iothread);
}

/* Without anybody who waits a kick is nothing. */
static void test_kick(struct loop *loop)
{
    aio_wait_kick();
    g_assert_false(aio_poll(loop->ctx, false));
}

static void wait_without_context(void)
{
    (void)AIO_WAIT_WHILE(NULL, true);
}

static void test_misuse(void)
{
    if (g_test_subprocess()) {
        wait_without_context();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*aio-wait/context*");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    loops_add("/wait/home", test_home);
    loops_add("/wait/other-context", test_other_context);
    loops_add("/wait/nested", test_nested);
    loops_add("/wait/two-at-home", test_two_at_home);
    loops_add("/wait/mutual", test_mutual);
    loops_add("/wait/kick", test_kick);
    g_test_add_func("/wait/misuse", test_misuse);
    return g_test_run();
}
