/* SPDX-License-Identifier: MIT */
/*
 * clock.h - where the runtime's time comes from
 *
 * Model:    whoever needs time is given a clock: ct_clock_monotonic outside
 *           tests, a manual one that stands still until it is moved inside.
 *           Times are CLOCK_MONOTONIC ns, which is also the clock of traces.
 * Threads:  any.
 * Memory:   a clock is borrowed by whoever it is given to.
 */
#ifndef CT_CLOCK_H
#define CT_CLOCK_H

#include <stdint.h>

struct ct_clock {
    int64_t (*now_ns)(const struct ct_clock *clock);
};

extern const struct ct_clock ct_clock_monotonic;
/* The time of day: it may be set, also back. */
extern const struct ct_clock ct_clock_host;

static inline int64_t ct_clock_now_ns(const struct ct_clock *clock)
{
    return clock->now_ns(clock);
}

/*
 * A clock for tests.  Moving it does not wake a loop that sleeps in the
 * kernel: move it from the loop's own thread, or notify the context after.
 */
struct ct_clock_manual {
    struct ct_clock clock;
    int64_t now_ns; /* atomic */
};

void ct_clock_manual_init(struct ct_clock_manual *manual, int64_t now_ns);
void ct_clock_manual_advance(struct ct_clock_manual *manual, int64_t by_ns);

#endif
