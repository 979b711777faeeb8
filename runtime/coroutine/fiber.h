/* SPDX-License-Identifier: MIT */
/*
 * fiber.h - what sanitizers are told of stacks and of every switch
 *
 * AddressSanitizer wants the limits of the stack that is switched to, and keeps
 * a "fake stack" for each side (of frames that it checks for use after return);
 * ThreadSanitizer has an object for each stack.  Without a sanitizer all of
 * this is empty.
 *
 * fiber_leave() and fiber_arrive() are inlined around the switch: the tools
 * must see both in the same activation of the same function, and nothing
 * instrumented may run between fiber_leave() and the switch.
 */
#ifndef CT_COROUTINE_FIBER_H
#define CT_COROUTINE_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#include "ct/coroutine_switch.h"

#if defined(__SANITIZE_ADDRESS__)
#define CT_FIBER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define CT_FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CT_FIBER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define CT_FIBER_TSAN 1
#endif
#endif

#ifdef CT_FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CT_FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define CT_FIBER_INLINE static inline __attribute__((always_inline))

/* Of a coroutine or of a thread's leader. */
struct coroutine_fiber {
#ifdef CT_FIBER_ASAN
    void *fake;       /* while it does not run */
    const void *base; /* a leader's: learnt when a coroutine comes from it */
    size_t size;
#endif
#ifdef CT_FIBER_TSAN
    void *fiber;
#endif
    char unused;
};

/* For a stack that was just mapped. */
CT_FIBER_INLINE void fiber_init(struct coroutine_fiber *fiber, void *base,
                                size_t size)
{
#ifdef CT_FIBER_ASAN
    fiber->fake = NULL;
    fiber->base = base;
    fiber->size = size;
#endif
#ifdef CT_FIBER_TSAN
    fiber->fiber = __tsan_create_fiber(0);
#endif
}

/* For the thread itself, before its first switch. */
CT_FIBER_INLINE void fiber_init_leader(struct coroutine_fiber *fiber)
{
#ifdef CT_FIBER_TSAN
    fiber->fiber = __tsan_get_current_fiber();
#endif
}

/*
 * Before the stack goes; the fiber does not run.  The outermost frame never
 * returned, so AddressSanitizer still has its marks, and gcc's does not forget
 * them with the mapping: frames of whatever lies there next would run into
 * them.
 */
CT_FIBER_INLINE void fiber_fini(struct coroutine_fiber *fiber)
{
#ifdef CT_FIBER_ASAN
    __asan_unpoison_memory_region(fiber->base, fiber->size);
#endif
#ifdef CT_FIBER_TSAN
    __tsan_destroy_fiber(fiber->fiber);
#endif
}

/*
 * Before the switch.  @ends: no frame of @from is needed any more, so its fake
 * stack goes; should it start a new life, it gets another.
 */
CT_FIBER_INLINE void fiber_leave(struct coroutine_fiber *from,
                                 struct coroutine_fiber *to, bool ends)
{
#ifdef CT_FIBER_ASAN
    __sanitizer_start_switch_fiber(ends ? NULL : &from->fake, to->base,
                                   to->size);
    if (ends) {
        from->fake = NULL;
    }
#endif
#ifdef CT_FIBER_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/*
 * After the switch, on the side that goes on.  @from: whoever entered it, whose
 * limits are learnt here; NULL if the switch was a way back.
 */
CT_FIBER_INLINE void fiber_arrive(struct coroutine_fiber *self,
                                  struct coroutine_fiber *from)
{
#ifdef CT_FIBER_ASAN
    const void *base;
    size_t size;

    __sanitizer_finish_switch_fiber(self->fake, &base, &size);
    if (from != NULL) {
        from->base = base;
        from->size = size;
    }
#endif
}

#endif
