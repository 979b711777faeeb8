/* SPDX-License-Identifier: MIT */
/*
 * ct/alive.h - which coroutines were alive at an instant, and where
 *
 * Model:    a consumer that ends its pass at the instant, and afterwards holds
 *           the coroutines in groups: those of a group are in the same state,
 *           wait for the same kind of thing, and have the same logical
 *           backtrace but for ids and times.  Groups: the largest first.
 * Threads:  one pass, one thread.
 * Memory:   the query owns its result.
 * Errors:   GError, domain CT_TRACE_ERROR (ct/trace.h): the trace is over
 *           before the instant.
 * Depends:  ct/backtrace.h.
 */
#ifndef CT_ALIVE_H
#define CT_ALIVE_H

#include "ct/backtrace.h"

struct ct_alive_group {
    int32_t pid;
    bool is_sure;    /* see struct ct_alive */
    bool is_created; /* never entered; `state` means nothing */
    enum ct_state state;
    const char *function; /* their entry; NULL: not known */
    unsigned n;
    const struct ct_alive *coroutines; /* by id; no stacks, no origins */
    unsigned n_frames;
    /* innermost first; in a group of several without what is not the same
       for all: ids, times, threads */
    const struct ct_frame *frames;
    bool complete; /* the backtrace reaches the base of a thread */
};

struct ct_alive_result {
    int64_t at_ns; /* from the trace's origin */
    bool has_clock;
    bool complete;         /* of the trace: nothing is missing up to there */
    unsigned n_coroutines; /* that are alive for sure */
    unsigned n_unsure;     /* that may have ended among lost events */
    unsigned n_groups;
    const struct ct_alive_group *groups;
};

struct ct_alive_query; /* contains a struct ct_consumer */

/** ct_alive_new() - @at_ns: from the trace's origin; -1: the trace's end */
struct ct_alive_query *ct_alive_new(int64_t at_ns, int32_t pid);

struct ct_consumer *ct_alive_consumer(struct ct_alive_query *query);

/** ct_alive_result() - borrowed; NULL before the pass has finished */
const struct ct_alive_result *ct_alive_result(
    const struct ct_alive_query *query);

void ct_alive_free(struct ct_alive_query *query);

#endif
