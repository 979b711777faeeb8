/* SPDX-License-Identifier: MIT */
/*
 * ct/when.h - the time of the event that was just recorded
 *
 * Model:    an entity that keeps since when it is in its state, for tellings
 *           to come, changes state with an event; LTTng has read the clock for
 *           that, which is a good part of what an event costs, and is not read
 *           again: ct_when_begin(), the event, ct_when_ns().  So the two times
 *           are also the same, to the nanosecond.
 * Threads:  any; the three belong together on one, without a switch of
 *           coroutines between them.
 * Memory:   a number a thread.
 * Errors:   the event was not recorded, or LTTng has another clock: the clock
 *           is read.
 * Depends:  nothing; in a build without tracing it is the clock.
 */
#ifndef CT_WHEN_H
#define CT_WHEN_H

#include <stdint.h>
#include <time.h>

/** ct_when_read() - CLOCK_MONOTONIC of now */
static inline uint64_t ct_when_read(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#ifdef CT_TRACING

/* Home thread only; 0: no event since ct_when_begin(). */
extern __thread uint64_t ct_when_last
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/** ct_when_begin() - what was recorded before is not meant */
static inline void ct_when_begin(void)
{
    ct_when_last = 0;
}

/** ct_when_ns() - CLOCK_MONOTONIC of the event since then, else of now */
static inline uint64_t ct_when_ns(void)
{
    uint64_t last_ns = ct_when_last;

    return last_ns ? last_ns : ct_when_read();
}

#else

static inline void ct_when_begin(void)
{
}

static inline uint64_t ct_when_ns(void)
{
    return ct_when_read();
}

#endif

#endif
