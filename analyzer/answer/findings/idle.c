/* SPDX-License-Identifier: MIT */
/*
 * Wake-ups that did nothing: a turn of a loop that might sleep ended, and had
 * run nothing; a coroutine waited in a CoQueue, was woken, and waits in the
 * same one again.
 *
 * What it costs is the time awake.  The kernel's part of a wake-up comes on top
 * of it, and no event tells that.  Queues may be many and short-lived: of each,
 * wake-ups are counted from the first that did nothing.
 */
#include <glib.h>

#include "answer/findings/family.h"

void ct_findings_idle_slice(struct ct_causes *causes,
                            const struct ct_slice *slice)
{
    if (slice->kind != CT_SLICE_POLL || !slice->may_sleep || slice->open ||
        !slice->begin_known || !slice->end_known) {
        return;
    }
    if (slice->flag || slice->n_children != slice->n_sleeps) {
        ct_causes_of(causes, CT_FINDING_IDLE_WAKEUP, slice->pid, slice->context,
                     true);
        return;
    }
    ct_causes_see(causes, &(struct ct_seen){
                              .kind = CT_FINDING_IDLE_WAKEUP,
                              .pid = slice->pid,
                              .cause = slice->context,
                              .times = 1,
                              .of = 1,
                              .cost_ns = slice->end_ns - slice->begin_ns -
                                         slice->children_ns,
                              .begin_ns = slice->begin_ns,
                              .end_ns = slice->end_ns,
                              .context = slice->context,
                              .fn = slice->run_fn,
                              .stack = slice->run_stack,
                              .has_stack_ns = slice->run_stack != 0,
                              .stack_ns = slice->run_stack_ns,
                              .origin = slice->run_origin,
                          });
}

/* The wait that goes on after nothing but being woken and looking; 0: none. */
static unsigned again(const struct ct_request *request, unsigned at)
{
    unsigned next = at + 1;

    while (next < request->n_segments &&
           (request->segments[next].state == CT_STATE_RUNNABLE ||
            request->segments[next].state == CT_STATE_RUNNING)) {
        next++;
    }
    return next > at + 1 && next < request->n_segments &&
                   request->segments[next].state == CT_STATE_QUEUE &&
                   request->segments[next].cause.id ==
                       request->segments[at].cause.id
               ? next
               : 0;
}

void ct_findings_idle_request(struct ct_causes *causes,
                              const struct ct_request *request)
{
    for (unsigned i = 0; i + 1 < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        unsigned next;

        if (segment->state != CT_STATE_QUEUE || !segment->cause.id) {
            continue;
        }
        next = again(request, i);
        if (!next) {
            ct_causes_of(causes, CT_FINDING_IDLE_WAKEUP, request->pid,
                         segment->cause.id, false);
            continue;
        }
        struct ct_seen seen =
            ct_seen_in_request(CT_FINDING_IDLE_WAKEUP, request, segment);
        seen.cause = seen.object = segment->cause.id;
        seen.of = 1;
        seen.begin_ns = segment->end_ns;
        seen.end_ns = request->segments[next].begin_ns;
        seen.cost_ns = seen.end_ns - seen.begin_ns;
        ct_causes_see(causes, &seen);
    }
}
