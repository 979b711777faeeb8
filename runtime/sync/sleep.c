/* SPDX-License-Identifier: MIT */
/*
 * sleep.c - coroutines that wait for time to pass, and time limits
 *
 * Whoever takes the coroutine out of `to_wake` wakes it: the timer, or
 * co_sleep_wake() on any thread; the exchange leaves it to one of them.
 *
 * A time limit lets the function run in a coroutine of its own, while the
 * caller sleeps.  What both share is freed by the last of them: by the caller
 * if the function was in time, else by the function's coroutine, which may come
 * to its end much later.
 */
#include <errno.h>

#include "base/atomics.h"
#include "coroutine/coroutine_int.h"
#include "ct/pre.h"
#include "ct/sync.h"

static void wake_sleeper(void *opaque)
{
    co_sleep_wake(opaque);
}

bool co_sleep_wake(CoSleep *sleep)
{
    /* Pairs with co_sleep_ns_wakeable(): the sleeper's frame. */
    Coroutine *co = ct_xchg(&sleep->to_wake, NULL);

    if (co == NULL) {
        return false;
    }
    aio_co_wake(co);
    return true;
}

void coroutine_fn co_sleep_ns_wakeable(CoSleep *sleep, AioClock clock,
                                       int64_t ns)
{
    AioContext *ctx = aio_context_current();
    AioTimer *timer;
    int64_t deadline_ns;

    ct_pre("co-sleep/in-coroutine", in_coroutine());
    ct_pre("co-sleep/context", ctx != NULL);
    ct_pre("co-sleep/one-sleeper", ct_load(&sleep->to_wake) == NULL);
    timer = aio_timer_new_clock(ctx, clock, wake_sleeper, sleep);
    (void)ct_xchg(&sleep->to_wake, coroutine_self());
    if (__builtin_add_overflow(aio_context_clock_ns(ctx, clock), MAX(ns, 0),
                               &deadline_ns)) {
        deadline_ns = INT64_MAX;
    }
    aio_timer_arm(timer, deadline_ns);
    coroutine_yield_for(CT_YIELD_REASON_TIMER, aio_timer_id(timer));
    ct_pre("co-sleep/woken", ct_load(&sleep->to_wake) == NULL);
    aio_timer_free(timer);
}

void coroutine_fn co_sleep_ns(AioClock clock, int64_t ns)
{
    CoSleep sleep = CO_SLEEP_INIT;

    co_sleep_ns_wakeable(&sleep, clock, ns);
}

/* --- time limits --------------------------------------------------------- */

struct time_limit {
    CoTimeoutFunc *entry;
    void *opaque;
    CoTimeoutFunc *clean;
    CoSleep sleep; /* the caller's */
    bool has_ended;
    bool is_late; /* the caller has gone on */
};

static void coroutine_fn run_limited(void *opaque)
{
    struct time_limit *limit = opaque;

    limit->entry(limit->opaque);
    if (!limit->is_late) {
        limit->has_ended = true;
        (void)co_sleep_wake(&limit->sleep);
        return;
    }
    if (limit->clean != NULL) {
        limit->clean(limit->opaque);
    }
    g_free(limit);
}

int coroutine_fn co_timeout(CoTimeoutFunc *entry, void *opaque,
                            int64_t timeout_ns, CoTimeoutFunc *clean)
{
    struct time_limit *limit;

    ct_pre("co-timeout/in-coroutine", in_coroutine());
    if (timeout_ns == 0) {
        entry(opaque);
        return 0;
    }
    limit = g_new0(struct time_limit, 1);
    limit->entry = entry;
    limit->opaque = opaque;
    limit->clean = clean;
    coroutine_start(run_limited, limit);
    if (!limit->has_ended) {
        co_sleep_ns_wakeable(&limit->sleep, AIO_CLOCK_REALTIME, timeout_ns);
    }
    if (!limit->has_ended) {
        limit->is_late = true;
        return -ETIMEDOUT;
    }
    g_free(limit);
    return 0;
}
