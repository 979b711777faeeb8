/* SPDX-License-Identifier: MIT */
/*
 * ct/stopped.h - the stack of a coroutine that does not run, from outside
 *
 * Model:    read the frames, find out that the coroutine has not moved
 *           meanwhile, name them.
 * Threads:  any.
 * Memory:   nothing is kept.
 * Errors:   none; no frames, or id 0.
 * Depends:  ct/stack.h; empty in a build without tracing.
 */
#ifndef CT_STOPPED_H
#define CT_STOPPED_H

#include <stdint.h>

#include "ct/stack.h"

#ifdef CT_TRACING

/**
 * ct_stack_read_stopped() - the frames of a coroutine that does not run
 * @pc:         where it goes on
 * @frame:      frame address there; at or below @outermost, on the same stack
 * @outermost:  frame address of its first function
 * @ret_frames: room for CT_STACK_MAX
 *
 * Reads only between @frame and @outermost, which must stay mapped.  If the
 * coroutine goes on meanwhile, what is read is nonsense.
 * Return: their number; 0 if they make no sense.
 */
uint32_t ct_stack_read_stopped(const void *pc, const void *frame,
                               const void *outermost, uint64_t *ret_frames);

/** ct_stack_name() - id of a stack of @n frames, told if it is not told yet */
uint64_t ct_stack_name(const uint64_t *frames, uint32_t n);

#else

static inline uint32_t ct_stack_read_stopped(const void *pc, const void *frame,
                                             const void *outermost,
                                             uint64_t *ret_frames)
{
    return 0;
}

static inline uint64_t ct_stack_name(const uint64_t *frames, uint32_t n)
{
    return 0;
}

#endif

#endif
