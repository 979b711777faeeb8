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
/* Who records the events of requests; NULL: the same.  Atomic. */
extern const void *fake_requests;

void fake_stack_frames(uint64_t id, uint64_t outer, uint32_t limit,
                       const uint64_t *frames, uint32_t n_frames);
void fake_kind(uint32_t kind, const char *layer, const char *op,
               const char *node, uint32_t flags);
void fake_state(enum ct_event_id event, uint64_t telling,
                enum ct_tell_reason reason);

#define FAKE_LOAD(pointer) __atomic_load_n(&(pointer), __ATOMIC_RELAXED)
#define FAKE_REQUESTS                                    \
    (FAKE_LOAD(fake_requests) ? FAKE_LOAD(fake_requests) \
                              : FAKE_LOAD(fake_recording))
#define FAKE_RECORDERS_state_begin  FAKE_LOAD(fake_recording)
#define FAKE_RECORDERS_stack_frames FAKE_LOAD(fake_recording)
#define FAKE_RECORDERS_request_kind FAKE_REQUESTS
#define FAKE_RECORDERS_request_open FAKE_REQUESTS
#define CT_EMIT_RECORDERS(event)    FAKE_RECORDERS_##event
#define ct_emit_on_stack_frames()   (CT_EMIT_RECORDERS(stack_frames) != NULL)
#define ct_emit_stack_frames(id, outer, limit, frames, n_frames) \
    fake_stack_frames(id, outer, limit, frames, n_frames)
#define ct_emit_on_request_kind() (CT_EMIT_RECORDERS(request_kind) != NULL)
#define ct_emit_request_kind(kind, layer, op, node, flags) \
    fake_kind(kind, layer, op, node, flags)
#define ct_emit_state_begin(major, minor, telling, reason) \
    fake_state(CT_EV_STATE_BEGIN, telling, reason)
#define ct_emit_state_end(telling) fake_state(CT_EV_STATE_END, telling, 0)

#endif
