/* SPDX-License-Identifier: MIT */
/*
 * What keeps a loop from turning: a callback or coroutine that works for long,
 * one that takes turns by itself, and a thread that does something else while
 * its context has a request's coroutine queued.
 *
 * What a callback costs is its own time: what runs within it is told by itself.
 */
#include <glib.h>

#include "answer/findings/family.h"

/* By what a callback or coroutine is the same in a slice and in a wait behind
 * it: its function, else its name, else itself. */
static uint64_t cause_of(uint64_t fn, const char *name, uint64_t id)
{
    return fn || name ? fn : ~id;
}

static void blocked(struct ct_causes *causes, const struct ct_slice *slice)
{
    int64_t own_ns = slice->end_ns - slice->begin_ns - slice->children_ns;

    if (own_ns < ct_causes_limits(causes)->block_ns) {
        return;
    }
    const char *name = slice->kind == CT_SLICE_BH ? slice->name : NULL;
    bool is_co = slice->kind == CT_SLICE_COROUTINE;
    ct_causes_see(causes, &(struct ct_seen){
                              .kind = CT_FINDING_BLOCKED_LOOP,
                              .pid = slice->pid,
                              .cause = cause_of(slice->fn, name, slice->id),
                              .name = name,
                              .times = 1,
                              .fn = slice->fn,
                              .cost_ns = own_ns,
                              .begin_ns = slice->begin_ns,
                              .end_ns = slice->end_ns,
                              .context = slice->context,
                              .object = slice->id,
                              .stack = is_co ? slice->run_stack : 0,
                              .has_stack_ns = is_co && slice->run_stack,
                              .stack_ns = slice->run_stack_ns,
                              .origin = slice->run_origin,
                          });
}

/* A turn, or all turns of an AIO_WAIT_WHILE, inside another: of the same
 * context, or of another one that a callback or coroutine turns by itself. */
static bool is_nested(const struct ct_slice *slice)
{
    bool in_callback =
        slice->run_kind == CT_SLICE_BH || slice->run_kind == CT_SLICE_TIMER ||
        slice->run_kind == CT_SLICE_FD || slice->run_kind == CT_SLICE_COROUTINE;

    return slice->poll_depth > 1 || (in_callback && slice->turns_below > 0);
}

static void nested(struct ct_causes *causes, const struct ct_slice *slice)
{
    ct_causes_see(causes,
                  &(struct ct_seen){
                      .kind = CT_FINDING_NESTED_POLL,
                      .pid = slice->pid,
                      .cause = slice->run_fn,
                      .name = slice->run_name,
                      .times = 1,
                      .fn = slice->run_fn,
                      .cost_ns = slice->end_ns - slice->begin_ns,
                      .begin_ns = slice->begin_ns,
                      .end_ns = slice->end_ns,
                      .context = slice->context,
                      .depth = MAX(slice->poll_depth, slice->turns_below + 1),
                      .stack = slice->run_stack,
                      .has_stack_ns = slice->run_stack != 0,
                      .stack_ns = slice->run_stack_ns,
                      .origin = slice->run_origin,
                  });
}

void ct_findings_loop_slice(struct ct_causes *causes,
                            const struct ct_slice *slice)
{
    switch (slice->kind) {
    case CT_SLICE_BH:
    case CT_SLICE_TIMER:
    case CT_SLICE_FD:
    case CT_SLICE_COROUTINE:
        blocked(causes, slice);
        break;
    case CT_SLICE_POLL:
    case CT_SLICE_WAIT: /* its turns are a part of it */
        if (is_nested(slice) && !slice->in_wait) {
            nested(causes, slice);
        }
        break;
    default:
        break;
    }
}

static void starved(struct ct_causes *causes, const struct ct_request *request,
                    const struct ct_segment *segment, const struct ct_ran *ran)
{
    if (ran->ns < ct_causes_limits(causes)->block_ns) {
        return;
    }
    struct ct_seen seen =
        ct_seen_in_request(CT_FINDING_STARVED_CONTEXT, request, segment);
    seen.cause = seen.context = segment->cause.id;
    seen.cost_ns = ran->ns;
    ct_causes_see(causes, &seen);
}

/* Who waited for a moment behind what blocked at another time was not hurt. */
static bool is_hurt(const struct ct_causes *causes, const struct ct_ran *ran)
{
    return ran->ns >= ct_causes_limits(causes)->block_ns / 10;
}

void ct_findings_loop_request(struct ct_causes *causes,
                              const struct ct_request *request)
{
    for (unsigned i = 0; i < request->n_segments; i++) {
        const struct ct_segment *segment = &request->segments[i];
        if (segment->state != CT_STATE_RUNNABLE &&
            segment->state != CT_STATE_WORK_DONE) {
            continue;
        }
        for (unsigned k = 0; k < segment->cause.n_ran; k++) {
            const struct ct_ran *ran =
                &request->ran[segment->cause.first_ran + k];
            switch (ran->kind) {
            case CT_RAN_OUTSIDE:
                starved(causes, request, segment, ran);
                break;
            case CT_RAN_NESTED_POLL:
                if (is_hurt(causes, ran)) {
                    ct_causes_hurt(causes, CT_FINDING_NESTED_POLL, request->pid,
                                   ran->fn, ran->name, request->number);
                }
                break;
            case CT_RAN_BOTTOM_HALF:
            case CT_RAN_TIMER:
            case CT_RAN_FD_HANDLER:
            case CT_RAN_COROUTINE:
                if (is_hurt(causes, ran)) {
                    ct_causes_hurt(causes, CT_FINDING_BLOCKED_LOOP,
                                   request->pid,
                                   cause_of(ran->fn, ran->name, ran->id),
                                   ran->name, request->number);
                }
                break;
            default:
                break;
            }
        }
    }
}
