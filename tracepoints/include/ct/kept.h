/* SPDX-License-Identifier: MIT */
/*
 * ct/kept.h - a stack that an entity remembers, for tellings to come
 *
 * Model:    whoever makes something that lives on keeps the stack of the event
 *           that told it: ct_stack_begin(), the event, ct_stack_kept().  A
 *           telling puts the frames behind it into the trace again, also for a
 *           recording that did not see them told.
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

/* Home thread only; 0: no event with a stack since ct_stack_begin(). */
extern __thread uint64_t ct_stack_last
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/** ct_stack_begin() - what was recorded before is not meant */
static inline void ct_stack_begin(void)
{
    ct_stack_last = 0;
}

/**
 * ct_stack_kept() - the stack of the event since ct_stack_begin()
 *
 * On the same thread and without a switch of coroutines between them; 0: there
 * was none.
 */
static inline uint64_t ct_stack_kept(void)
{
    return ct_stack_last;
}

/**
 * ct_stack_tell() - tell the frames of a stack that was kept, if need be
 * @id: what ct_stack_kept() returned, 0: nothing is told
 *
 * Return: @id; 0 if its frames are not known any more.
 */
uint64_t ct_stack_tell(uint64_t id);

#else

static inline void ct_stack_begin(void)
{
}

static inline uint64_t ct_stack_kept(void)
{
    return 0;
}

static inline uint64_t ct_stack_tell(uint64_t id)
{
    return 0;
}

#endif

#endif
