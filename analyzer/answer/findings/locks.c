/* SPDX-License-Identifier: MIT */
/*
 * Requests behind one another.
 *
 * A convoy: several wait for one CoMutex, one after the other.  Serialised:
 * they wait in a CoQueue until another request's coroutine lets them go on, as
 * requests do that must not overlap.  A wait that a timer ends, or a coroutine
 * that a timer starts (throttling), is neither.
 */
#include <glib.h>

#include "answer/findings/family.h"

void ct_findings_locks_request(struct ct_causes *causes,
                               const struct ct_request *request)
{
    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        struct ct_seen seen;

        if (segment->state == CT_STATE_LOCK) {
            seen = ct_seen_in_request(CT_FINDING_LOCK_CONVOY, request, segment);
            seen.cause = segment->cause.id;
        } else if (segment->state == CT_STATE_QUEUE &&
                   segment->cause.kind == CT_CAUSE_WAKER &&
                   segment->cause.request) {
            /* Each of them may have a queue of its own. */
            seen = ct_seen_in_request(CT_FINDING_SERIALISED, request, segment);
            seen.name = request->node;
        } else {
            continue;
        }
        seen.object = segment->cause.id;
        seen.is_open = !request->end_known && i + 1 == request->n_segments;
        ct_causes_see(causes, &seen);
    }
}
