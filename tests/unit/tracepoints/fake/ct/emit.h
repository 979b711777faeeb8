/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the generated ct/emit.h: what the provider tells of stacks and
 * states goes to the test, on every machine and without LTTng.
 */
#ifndef CT_EMIT_H
#define CT_EMIT_H

#include <stddef.h>
#include <stdint.h>

#include "ct/events.h"

/* The `recording` of the test; NULL: none.  Atomic. */
extern const void *fake_recording;

void fake_stack_frames(uint64_t id, uint64_t outer, uint32_t limit,
                       const uint64_t *frames, uint32_t n_frames);
void fake_kind(uint32_t kind, const char *layer, const char *op,
               const char *node, uint32_t flags);
void fake_state(enum ct_event_id event, uint64_t telling,
                enum ct_tell_reason reason);

#define CT_EMIT_RECORDERS(event) \
    __atomic_load_n(&fake_recording, __ATOMIC_RELAXED)
#define ct_emit_on_stack_frames() (CT_EMIT_RECORDERS(stack_frames) != NULL)
#define ct_emit_stack_frames(id, outer, limit, frames, n_frames) \
    fake_stack_frames(id, outer, limit, frames, n_frames)
#define ct_emit_on_request_kind() (CT_EMIT_RECORDERS(request_kind) != NULL)
#define ct_emit_request_kind(kind, layer, op, node, flags) \
    fake_kind(kind, layer, op, node, flags)
#define ct_emit_state_begin(major, minor, telling, reason) \
    fake_state(CT_EV_STATE_BEGIN, telling, reason)
#define ct_emit_state_end(telling) fake_state(CT_EV_STATE_END, telling, 0)

#endif
