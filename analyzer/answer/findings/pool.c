/* SPDX-License-Identifier: MIT */
/*
 * A pool that is saturated: requests' items wait while others are ahead of
 * them in the queue, and no worker is on its way.
 */
#include <glib.h>

#include "answer/findings/family.h"

static uint64_t ahead(const struct ct_request *request,
                      const struct ct_cause *cause)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < cause->n_ran; i++) {
        n += request->ran[cause->first_ran + i].count;
    }
    return n;
}

void ct_findings_pool_request(struct ct_findings *findings,
                              const struct ct_request *request)
{
    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        const struct ct_cause *cause = &segment->cause;
        int64_t ns = segment->end_ns - segment->begin_ns;

        if (segment->state != CT_STATE_WORK_QUEUED ||
            ns < ct_findings_limits(findings)->block_ns ||
            !ahead(request, cause)) {
            continue;
        }
        ct_findings_see(findings, &(struct ct_seen){
                                      .kind = CT_FINDING_POOL_SATURATED,
                                      .pid = request->pid,
                                      .cause = cause->pool,
                                      .object = cause->pool,
                                      .cost_ns = ns,
                                      .begin_ns = segment->begin_ns,
                                      .end_ns = segment->end_ns,
                                      .request = request->number,
                                      .stack = request->stack,
                                      .has_stack_ns = request->stack != 0,
                                      .stack_ns = request->begin_ns,
                                      .origin = request->origin,
                                  });
    }
}
