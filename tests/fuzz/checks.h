/* SPDX-License-Identifier: MIT */
/*
 * checks.h - a consumer that holds a pass to what its headers promise
 *
 * Model:    whatever the events were: requests' segments are contiguous and
 *           their sum is the latency, no time is negative, slices nest, what
 *           ran within a wait adds up to it.  A breach aborts.
 * Threads:  one.
 * Memory:   ct_checks_free() after the pass.
 * Depends:  ct/consumer.h.
 */
#ifndef CT_FUZZ_CHECKS_H
#define CT_FUZZ_CHECKS_H

#include <stdio.h>
#include <stdlib.h>

#include "ct/consumer.h"

struct ct_checks;

struct ct_checks *ct_checks_new(bool blame);
struct ct_consumer *ct_checks_consumer(struct ct_checks *checks);
void ct_checks_free(struct ct_checks *checks);

/** ct_check() - what must be so */
#define ct_check(condition)                                            \
    do {                                                               \
        if (!(condition)) {                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
                    #condition);                                       \
            abort();                                                   \
        }                                                              \
    } while (0)

#endif
