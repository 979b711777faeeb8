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

void ct_findings_pool_request(struct ct_causes *causes,
                              const struct ct_request *request)
{
    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        const struct ct_cause *cause = &segment->cause;
        int64_t ns = segment->end_ns - segment->begin_ns;

        if (segment->state != CT_STATE_WORK_QUEUED ||
            ns < ct_causes_limits(causes)->block_ns || !ahead(request, cause)) {
            continue;
        }
        struct ct_seen seen =
            ct_seen_in_request(CT_FINDING_POOL_SATURATED, request, segment);
        seen.cause = seen.object = cause->pool;
        ct_causes_see(causes, &seen);
    }
}
