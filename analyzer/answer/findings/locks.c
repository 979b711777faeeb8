/* SPDX-License-Identifier: MIT */
/*
 * A convoy: several requests wait for one CoMutex, one after the other.
 */
#include <glib.h>

#include "answer/findings/family.h"

void ct_findings_locks_request(struct ct_findings *findings,
                               const struct ct_request *request)
{
    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];

        if (segment->state != CT_STATE_LOCK) {
            continue;
        }
        ct_findings_see(findings,
                        &(struct ct_seen){
                            .kind = CT_FINDING_LOCK_CONVOY,
                            .pid = request->pid,
                            .cause = segment->cause.id,
                            .object = segment->cause.id,
                            .cost_ns = segment->end_ns - segment->begin_ns,
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
