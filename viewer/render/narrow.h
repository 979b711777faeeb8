/* SPDX-License-Identifier: MIT */
/*
 * render/narrow.h - a timeline of some requests, and of what touched them
 *
 * Model:    two passes: the first finds the requests, and on which threads
 *           they were served or waited for; in the second a consumer stands
 *           before the view's and lets through
 *           - these requests, the ones inside of and around them, and those
 *             that held them up;
 *           - what lay on these threads while they were open, and what served
 *             one of the requests above, with what lies around it;
 *           - arrows and counters of that.
 * Threads:  one pass, one thread.
 * Memory:   one entry a request that was asked for, its threads, and what is
 *           open.
 * Errors:   GError, CT_TRACE_ERROR_QUERY: a number that the trace has not.
 * Depends:  ct/consumer.h.
 */
#ifndef CT_RENDER_NARROW_H
#define CT_RENDER_NARROW_H

#include "ct/consumer.h"

#define CT_NARROW_MAX 10000 /* requests that can be asked for */

struct ct_narrow;

/** ct_narrow_new()
 * @numbers: uint64_t, of the requests; NULL: the slowest
 * @slowest: so many of them, outermost ones that were seen whole */
struct ct_narrow *ct_narrow_new(const GArray *numbers, uint64_t slowest);
void ct_narrow_free(struct ct_narrow *narrow);

/** ct_narrow_finder() - the first pass's consumer */
struct ct_consumer *ct_narrow_finder(struct ct_narrow *narrow);

/** ct_narrow_filter() - the second's, in front of @inner (borrowed) */
struct ct_consumer *ct_narrow_filter(struct ct_narrow *narrow,
                                     struct ct_consumer *inner);

#endif
