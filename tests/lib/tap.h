/* SPDX-License-Identifier: MIT */
/*
 * tap.h - the least of a test harness, for tests that run without GLib
 *
 * tap_run() runs one case: checks inside it print what is wrong and fail the
 * case; tap_end() prints the plan and gives main() its exit status.
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int tap_cases;
static int tap_failed_cases;
static int tap_faults; /* of the case that runs; atomic */

#define tap_check(cond)                                           \
    do {                                                          \
        if (!(cond)) {                                            \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);   \
            __atomic_fetch_add(&tap_faults, 1, __ATOMIC_RELAXED); \
        }                                                         \
    } while (0)

/* Unsigned 64-bit values, printed when they differ. */
#define tap_equal(a, b)                                                     \
    do {                                                                    \
        unsigned long long a_ = (unsigned long long)(a);                    \
        unsigned long long b_ = (unsigned long long)(b);                    \
                                                                            \
        if (a_ != b_) {                                                     \
            printf("# %s:%d: %s is %llu, %s is %llu\n", __FILE__, __LINE__, \
                   #a, a_, #b, b_);                                         \
            __atomic_fetch_add(&tap_faults, 1, __ATOMIC_RELAXED);           \
        }                                                                   \
    } while (0)

static inline void tap_run(const char *name, void (*test)(void))
{
    tap_faults = 0;
    test();
    tap_cases++;
    tap_failed_cases += tap_faults > 0;
    printf("%sok %d - %s\n", tap_faults > 0 ? "not " : "", tap_cases, name);
    fflush(stdout);
}

static inline int tap_end(void)
{
    printf("1..%d\n", tap_cases);
    return tap_failed_cases > 0;
}

#endif
