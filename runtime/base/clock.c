/* SPDX-License-Identifier: MIT */
/*
 * clock.c - the real clocks, and one that tests move by hand
 *
 * But for the time of day a clock never steps back: deadlines are compared with
 * it without a margin.
 */
#include "base/clock.h"

#include <time.h>

#include "base/atomics.h"
#include "base/list.h"
#include "ct/pre.h"

static int64_t monotonic_now_ns(const struct ct_clock *clock)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const struct ct_clock ct_clock_monotonic = {.now_ns = monotonic_now_ns};

static int64_t host_now_ns(const struct ct_clock *clock)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const struct ct_clock ct_clock_host = {.now_ns = host_now_ns};

static int64_t manual_now_ns(const struct ct_clock *clock)
{
    const struct ct_clock_manual *manual =
        list_entry(clock, const struct ct_clock_manual, clock);

    /* Acquire: what preceded the move is seen by whoever sees the time. */
    return ct_load_acquire(&manual->now_ns);
}

void ct_clock_manual_init(struct ct_clock_manual *manual, int64_t now_ns)
{
    manual->clock.now_ns = manual_now_ns;
    manual->now_ns = now_ns;
}

void ct_clock_manual_advance(struct ct_clock_manual *manual, int64_t by_ns)
{
    ct_pre("clock-advance/forward", by_ns >= 0);
    ct_fetch_add(&manual->now_ns, by_ns);
}
