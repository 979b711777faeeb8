/* SPDX-License-Identifier: MIT */
/*
 * ct/span.h - which part of a trace is to be shown
 *
 * Model:    two instants, from the trace's first event; what lies between them
 *           is shown, the second included.  What reaches over an end is cut
 *           there.
 * Threads:  a value.
 * Memory:   none.
 * Errors:   none.
 * Depends:  libc.
 */
#ifndef CT_SPAN_H
#define CT_SPAN_H

#include <stdbool.h>
#include <stdint.h>

struct ct_span {
    bool has_begin;
    bool has_end;
    int64_t begin_ns;
    int64_t end_ns;
};

/** ct_add_ns() - a sum of times; beyond what a number holds, the greatest or
 * least that it does: a damaged stamp makes durations of centuries */
static inline int64_t ct_add_ns(int64_t a_ns, int64_t b_ns)
{
    int64_t sum_ns;

    if (__builtin_add_overflow(a_ns, b_ns, &sum_ns)) {
        return b_ns < 0 ? INT64_MIN : INT64_MAX;
    }
    return sum_ns;
}

/** ct_since_ns() - how long it is from an instant to another, held as above */
static inline int64_t ct_since_ns(int64_t from_ns, int64_t to_ns)
{
    int64_t ns;

    if (__builtin_sub_overflow(to_ns, from_ns, &ns)) {
        return from_ns < 0 ? INT64_MAX : INT64_MIN;
    }
    return ns;
}

#endif
