/* SPDX-License-Identifier: MIT */
/*
 * when.h - the clock that LTTng is given
 */
#ifndef CT_WHEN_CLOCK_H
#define CT_WHEN_CLOCK_H

#include <stdint.h>

/** ct_when_clock() - CLOCK_MONOTONIC; for LTTng to call, on any thread */
__attribute__((visibility("hidden"))) uint64_t ct_when_clock(void);

#endif
