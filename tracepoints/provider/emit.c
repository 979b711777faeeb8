/* SPDX-License-Identifier: MIT */
/*
 * emit.c - the slow half of ct_emit_X(), and ids
 *
 * ct_emit_X() (generated, ct/emit.h) branches on its own tracepoint's state
 * and calls the generated ct_emit_slow_X() when somebody records it.  That one
 * is never inlined: its frame is the innermost of the capture code, so the
 * stack starts at its return address, in the function that says ct_emit_X().
 */
#include "ct/emit.h"

#include "ct/id.h"
#include "ct/stack.h"

#define LTTNG_UST_TRACEPOINT_HIDDEN_DEFINITION
#define LTTNG_UST_TRACEPOINT_DEFINE
#define LTTNG_UST_TRACEPOINT_PROBE_DYNAMIC_LINKAGE
#include "probes.h"

#define CT_EMIT_SLOW      __attribute__((noinline))
#define CT_EMIT_STACK()   ct_stack_capture(__builtin_frame_address(0))
#define CT_EMIT_CALL(...) lttng_ust_do_tracepoint(__VA_ARGS__)

#include "emit_slow.c.inc"
