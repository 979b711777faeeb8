/* SPDX-License-Identifier: MIT */
/*
 * when.c - LTTng's clock, read so that the thread knows what was read last
 *
 * LTTng-UST asks a program for its clock if the program says that it has one;
 * ours is the one that LTTng-UST has anyway, so the daemons, which have their
 * own, need not know.  The callback must be in the program itself: a variable
 * of the thread costs a function call in a library that is loaded later.
 */
#include "ct/when.h"

#include "when.h"

__thread uint64_t ct_when_last
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

uint64_t ct_when_clock(void)
{
    uint64_t now_ns = ct_when_read();

    ct_when_last = now_ns;
    return now_ns;
}
