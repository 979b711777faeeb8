/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for ct/stopped.h: the walk is the real one, the name is the number
 * of frames, and the frames are kept.
 */
#ifndef CT_STOPPED_H
#define CT_STOPPED_H

#include <stdint.h>

#include "ct/stack.h"

extern uint64_t fake_frames[CT_STACK_MAX];

uint32_t ct_stack_read_stopped(const void *pc, const void *frame,
                               const void *outermost, uint64_t *ret_frames);
uint64_t ct_stack_name(const uint64_t *frames, uint32_t n);

#endif
