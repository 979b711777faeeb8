/* SPDX-License-Identifier: MIT */
/*
 * atomics.h - the ordering words of the runtime
 *
 * Five words order memory; nothing else in runtime/ uses a builtin:
 *
 *   ct_load(p)              relaxed: the value is whole, nothing is ordered
 *   ct_store(p, v)          relaxed
 *   ct_load_acquire(p)      sees what preceded the ct_store_release() (or the
 *                           read-modify-write) whose value it loads
 *   ct_store_release(p, v)  publishes everything that precedes it
 *   ct_load_seq(p)          an acquire that is not swapped with a
 *                           read-modify-write before it
 *
 * Read-modify-write calls order both ways.  Where two sides each write one
 * variable and then look at the other's, the write is a read-modify-write and
 * the look a ct_load_seq(): at least one side sees the other's write.  There
 * is no free-standing fence, since ThreadSanitizer does not understand one.
 * Every use names its partner and the data it orders; docs/ORDERING.md lists
 * them with both ends.
 *
 * Variables keep their plain types: the fields are read without ordering by
 * the one thread that owns them, and their comments say who that is.
 */
#ifndef CT_ATOMICS_H
#define CT_ATOMICS_H

#include <stdbool.h>

#define ct_load(p)             __atomic_load_n((p), __ATOMIC_RELAXED)
#define ct_store(p, v)         __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define ct_load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define ct_load_seq(p)         __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define ct_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* All return the old value. */
#define ct_xchg(p, v)      __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define ct_fetch_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define ct_fetch_sub(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define ct_fetch_or(p, v)  __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define ct_fetch_and(p, v) __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)

/*
 * Stores @desired if *p still equals *expected, and says whether it did; if
 * not, *expected is what *p holds.
 */
#define ct_cmpxchg(p, expected, desired)                           \
    __atomic_compare_exchange_n((p), (expected), (desired), false, \
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* For the body of a short wait on another CPU. */
static inline void ct_cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#endif
}

#endif
