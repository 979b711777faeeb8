/* SPDX-License-Identifier: MIT */
/*
 * Coroutines that never ran again: at the trace's end they wait for something
 * that another coroutine has to give them, and have for long.  A wait for the
 * kernel or a timer is nobody's fault.
 */
#include <glib.h>

#include "answer/findings/family.h"

void ct_findings_stuck_alive(struct ct_causes *causes,
                             const struct ct_alive *alive)
{
    if (!alive->is_sure || !alive->since_known || alive->is_created ||
        (alive->state != CT_STATE_QUEUE && alive->state != CT_STATE_LOCK &&
         alive->state != CT_STATE_CHILDREN)) {
        return;
    }
    ct_causes_see(causes, &(struct ct_seen){
                              .kind = CT_FINDING_STUCK_COROUTINE,
                              .pid = alive->pid,
                              .cause = alive->id,
                              .times = 1,
                              .object = alive->id,
                              .fn = alive->fn,
                              .begin_ns = alive->since_ns,
                              .end_ns = alive->since_ns,
                              .context = alive->context,
                              .request = alive->request,
                              .stack = alive->stack,
                              .has_stack_ns = alive->has_stack,
                              .stack_ns = alive->stack_ns,
                              .origin = alive->origin,
                          });
}
