/* SPDX-License-Identifier: MIT */
/*
 * preload/told.h - what hooks have in common
 *
 * Depends:  guard.h, stacks.h.
 */
#ifndef CT_PRELOAD_TOLD_H
#define CT_PRELOAD_TOLD_H

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <time.h>

#include "guard.h"
#include "stacks.h"

/* The body of a hook that tells something, if @is_on, before and after the
 * call; @after may look at `result`.  Each of the two asks the guard. */
#define CT_CALL(type, is_on, before, call, after)  \
    do {                                           \
        bool is_told_ = (is_on) && ct_guard_may(); \
        type result;                               \
                                                   \
        if (is_told_) {                            \
            before;                                \
        }                                          \
        result = call;                             \
        if (is_told_) {                            \
            after;                                 \
        }                                          \
        return result;                             \
    } while (0)

/* What an event says of a result that is -1 and errno. */
#define CT_RESULT(result) ((result) < 0 ? -(int64_t)errno : (int64_t)(result))

/* Of more vectors than the kernel takes there may be no more. */
static inline uint64_t ct_vector_bytes(const struct iovec *vector, uint64_t n)
{
    uint64_t bytes = 0;

    for (uint64_t i = 0; vector && n <= IOV_MAX && i < n; i++) {
        bytes += vector[i].iov_len;
    }
    return bytes;
}

/* The coroutine's stack that an address lies on, 0: none. */
static inline uintptr_t ct_stack_of(const void *address)
{
    struct ct_stack_place place = ct_stacks_find((uintptr_t)address);

    return place.base == CT_STACKS_UNKNOWN ? 0 : place.base;
}

/* -1: no limit; 0: the call can't sleep. */
static inline int64_t ct_timeout_ns(const struct timespec *timeout)
{
    const int64_t s_ns = INT64_C(1000000000);

    if (!timeout || timeout->tv_sec > INT64_MAX / s_ns - 1) {
        return -1;
    }
    return timeout->tv_sec * s_ns + timeout->tv_nsec;
}

#endif
