/* SPDX-License-Identifier: MIT */
/*
 * preload/sandbox.h - programs that give up system calls (seccomp)
 *
 * Model:    a filter may end a program for a call that the program itself never
 *           makes.  So it is looked at when it is about to be installed, and
 *           what can't be done without a call that it refuses is not done any
 *           more.
 * Threads:  any.
 * Memory:   none.
 * Errors:   a filter that can't be read refuses all.
 * Depends:  filter.h, fds.h, guard.h.
 */
#ifndef CT_PRELOAD_SANDBOX_H
#define CT_PRELOAD_SANDBOX_H

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* What needs calls of its own. */
enum ct_sandbox_need {
    CT_SANDBOX_NAMES = 1 << 0,   /* what an fd stands for */
    CT_SANDBOX_PROCESS = 1 << 1, /* which process this is */
    CT_SANDBOX_THREADS = 1 << 2, /* a thread's beginning and its end */
    CT_SANDBOX_FORKS = 1 << 3,   /* LTTng in a child */
    CT_SANDBOX_EXIT = 1 << 4,    /* LTTng's end */
    CT_SANDBOX_RECORD = 1 << 5,  /* any event */
    CT_SANDBOX_LAST = 1 << 6,    /* giving up more */
};

/* Bits of the above; atomic, set before the filter is there, never cleared. */
extern unsigned ct_sandbox_refused;

static inline bool ct_sandbox_may(enum ct_sandbox_need need)
{
    return !(__atomic_load_n(&ct_sandbox_refused, __ATOMIC_RELAXED) &
             (unsigned)need);
}

#pragma GCC visibility pop

#endif
