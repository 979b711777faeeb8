/* SPDX-License-Identifier: MIT */
/*
 * conds-loop.c - what users of the loop, the pool and clocks must keep
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "../unit/runtime/refuse.h"
#include "aio/aio_int.h"
#include "base/atomics.h"
#include "base/clock.h"
#include "base/lockcnt.h"
#include "conds-runtime.h"
#include "ct/pool.h"

#define NO_CLOCK ((AioClock)99)

static void nothing(void *opaque)
{
}

static bool nothing_there(void *opaque)
{
    return false;
}

static int no_work(void *arg)
{
    return 0;
}

/* --- contexts ------------------------------------------------------------ */

static void kick(void *opaque)
{
    unsigned *is_done = opaque;

    ct_store_release(is_done, 1);
    aio_wait_kick();
}

static void home_of_another_thread(void)
{
    unsigned is_done = 0; /* atomic */

    IOThread *iothread = iothread_new("other", NULL);
    AioContext *ctx = iothread_get_aio_context(iothread);

    /* It runs, and so is the home, before this was done there. */
    aio_bh_schedule_oneshot(ctx, kick, &is_done);
    AIO_WAIT_WHILE(conds_ctx, !ct_load_acquire(&is_done));
    aio_home_claim(ctx);
}

static void slot_twice(void)
{
    int object;

    aio_slot_set(conds_ctx, AIO_SLOT_GRAPH, &object, nothing);
    aio_slot_set(conds_ctx, AIO_SLOT_GRAPH, &object, nothing);
}

static void wait_in_coroutine(void)
{
    AIO_WAIT_WHILE(conds_ctx, true);
}

static void eventfd_gone(void)
{
    close(conds_ctx->notify_pfd.fd);
    aio_notify_drain(conds_ctx);
}

static void poll_params(void)
{
    aio_context_set_poll_params(conds_ctx, -1, 0, 0);
}

/* --- timers -------------------------------------------------------------- */

static void timer_of_no_clock(void)
{
    (void)aio_timer_new_clock(conds_ctx, NO_CLOCK, nothing, NULL);
}

static void time_of_no_clock(void)
{
    (void)aio_context_clock_ns(conds_ctx, NO_CLOCK);
}

static void clock_after_timer(void)
{
    struct ct_clock_manual clock;

    ct_clock_manual_init(&clock, 0);
    (void)aio_timer_new(conds_ctx, nothing, NULL);
    aio_context_set_clock(conds_ctx, AIO_CLOCK_REALTIME, &clock.clock);
}

static void clock_backward(void)
{
    struct ct_clock_manual clock;

    ct_clock_manual_init(&clock, 5);
    ct_clock_manual_advance(&clock, -1);
}

static void timer_leaked(void)
{
    (void)aio_timer_new(conds_ctx, nothing, NULL);
    aio_context_set_current(NULL);
    aio_context_unref(conds_ctx);
}

/* --- file descriptors ---------------------------------------------------- */

static void no_fd(void)
{
    aio_set_fd_handler(conds_ctx, -1, nothing, NULL, NULL);
}

static void handler_leaked(void)
{
    aio_set_fd_handler(conds_ctx, STDIN_FILENO, nothing, NULL, NULL);
    aio_context_set_current(NULL);
    aio_context_unref(conds_ctx);
}

static void poll_by_nothing(void)
{
    static const AioPollOps ops;

    aio_set_fd_handler(conds_ctx, STDIN_FILENO, nothing, NULL, NULL);
    aio_set_fd_poll(conds_ctx, STDIN_FILENO, &ops);
}

static void poll_without_handler(void)
{
    static const AioPollOps ops = {.io_poll = nothing_there,
                                   .io_poll_ready = nothing};

    aio_set_fd_poll(conds_ctx, STDIN_FILENO, &ops);
}

static void choose_monitor(void *opaque)
{
    (void)aio_context_set_fdmon(conds_ctx, "poll");
}

static void monitor_in_turn(void)
{
    aio_bh_schedule_oneshot(conds_ctx, choose_monitor, NULL);
    (void)aio_poll(conds_ctx, false);
}

static void poll_refused(void)
{
    (void)aio_context_set_fdmon(conds_ctx, "poll");
    aio_set_fd_handler(conds_ctx, STDERR_FILENO, nothing, NULL, NULL);
    refuse(SYS_ppoll);
    (void)aio_poll(conds_ctx, true);
}

/* --- counted locks ------------------------------------------------------- */

static void count_below_zero(void)
{
    struct lockcnt lockcnt = {0};

    lockcnt_dec(&lockcnt);
}

static void unlock_free(void)
{
    struct lockcnt lockcnt = {0};

    lockcnt_unlock(&lockcnt);
}

/* --- workers ------------------------------------------------------------- */

static void submit_outside(void)
{
    (void)thread_pool_submit_co(aio_get_thread_pool(conds_ctx), no_work, NULL);
}

static void limits(void)
{
    aio_context_set_thread_pool_params(conds_ctx, 3, 2);
}

static void idle_time(void)
{
    thread_pool_set_idle_ns(aio_get_thread_pool(conds_ctx), -1);
}

static const struct cond conds[] = {
    {"aio-context-home/other-thread", home_of_another_thread, OUTSIDE},
    {"aio-slot/once", slot_twice, OUTSIDE},
    {"aio-wait/in-coroutine", wait_in_coroutine, IN_COROUTINE},
    {"aio-notify/eventfd", eventfd_gone, OUTSIDE},
    {"aio-poll-params/range", poll_params, OUTSIDE},
    {"aio-timer-new/clock", timer_of_no_clock, OUTSIDE},
    {"aio-context-clock/clock", time_of_no_clock, OUTSIDE},
    {"aio-context-clock/first", clock_after_timer, OUTSIDE},
    {"aio-context-free/timer-leaked", timer_leaked, OUTSIDE},
    {"clock-advance/forward", clock_backward, OUTSIDE},
    {"aio-fd/fd", no_fd, OUTSIDE},
    {"aio-context-free/fd-handler-leaked", handler_leaked, OUTSIDE},
    {"aio-fd-poll/ops", poll_by_nothing, OUTSIDE},
    {"aio-fd-poll/handler", poll_without_handler, OUTSIDE},
    {"aio-context-fdmon/in-turn", monitor_in_turn, OUTSIDE},
    {"fdmon-wait/poll", poll_refused, OUTSIDE},
    {"lockcnt-dec/counted", count_below_zero, OUTSIDE},
    {"lockcnt-unlock/locked", unlock_free, OUTSIDE},
    {"thread-pool-submit-co/in-coroutine", submit_outside, OUTSIDE},
    {"thread-pool-limits/range", limits, OUTSIDE},
    {"thread-pool-idle/range", idle_time, OUTSIDE},
};

int main(int argc, char **argv)
{
    return conds_main(argc, argv, conds, G_N_ELEMENTS(conds));
}
