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

#endif
