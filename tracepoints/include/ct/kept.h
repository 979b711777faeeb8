/* SPDX-License-Identifier: MIT */
/*
 * ct/kept.h - a stack that an entity remembers, for tellings to come
 *
 * Model:    whoever makes something that lives on keeps the id of its maker's
 *           stack with it; a telling puts the frames behind it into the trace
 *           again, also for a recording that did not see them told.
 * Threads:  any.
 * Memory:   the provider keeps one copy of each distinct stack, up to a limit;
 *           what is beyond it is told as not known.
 * Errors:   none; id 0.
 * Depends:  ct/stack.h; empty in a build without tracing.
 */
#ifndef CT_KEPT_H
#define CT_KEPT_H

#include <stdint.h>

#ifdef CT_TRACING

/** ct_stack_keep() - the stack, from the function that calls it outward
 *
 * As expensive as an event: only behind ct_emit_on_X().
 */
uint64_t ct_stack_keep(void);

/**
 * ct_stack_tell() - tell the frames of a stack that was kept, if need be
 * @id: what ct_stack_keep() returned, 0: nothing is told
 *
 * Return: @id; 0 if its frames are not known any more.
 */
uint64_t ct_stack_tell(uint64_t id);

#else

static inline uint64_t ct_stack_keep(void)
{
    return 0;
}

static inline uint64_t ct_stack_tell(uint64_t id)
{
    return 0;
}

#endif

#endif
