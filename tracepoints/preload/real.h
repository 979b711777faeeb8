/* SPDX-License-Identifier: MIT */
/*
 * preload/real.h - the functions that the program would have found without us
 *
 * Model:    a hook is a function of this library that the program finds
 *           instead of another's.  Each has its real one: the next by that
 *           name.  Those of the libraries that the program was started with
 *           are looked for once, when this library starts.  Functions that
 *           such a library need not have (liburing, libaio) may come later,
 *           with a module that was opened for its opener alone and that calls
 *           what it brought: these are looked for as the loader would have done
 *           it for their caller.
 * Threads:  any.
 * Memory:   none.
 * Errors:   one of libc's that nobody has ends the program, which would not
 *           have been started; of the others and of those that only newer ones
 *           have the call fails with ENOSYS.
 * Depends:  libc only.
 */
#ifndef CT_PRELOAD_REAL_H
#define CT_PRELOAD_REAL_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* A function of this library that the program finds instead of libc's. */
#define CT_HOOK __attribute__((visibility("default")))

struct ct_real {
    const char *name;
    void *function; /* atomic; NULL: not yet looked for, or not there */
};

/* Declares CT_REAL(name) and CT_REAL_HERE(name). */
#define CT_REAL_OF(function_name)                                              \
    static struct ct_real real_of_##function_name                              \
        __attribute__((used, section("ct_real_functions"))) = {#function_name, \
                                                               NULL}
/* The real one of libc's. */
#define CT_REAL(function_name) \
    ((__typeof__(&function_name))(uintptr_t)ct_real(&real_of_##function_name))

/* In a hook: the one that its caller would have found, whoever's it is. */
#define CT_REAL_HERE(function_name)                      \
    ((__typeof__(&function_name))(uintptr_t)ct_real_for( \
        &real_of_##function_name,                        \
        __builtin_extract_return_addr(__builtin_return_address(0))))

/** ct_real_find_all() - the library starts; other calls may come earlier */
void ct_real_find_all(void);

/** ct_real_find() - not yet looked for */
void *ct_real_find(struct ct_real *real);

/** ct_real_find_for() - likewise, if @caller calls it */
void *ct_real_find_for(struct ct_real *real, const void *caller);

static inline void *ct_real(struct ct_real *real)
{
    void *function = __atomic_load_n(&real->function, __ATOMIC_RELAXED);

    return __builtin_expect(function != NULL, 1) ? function
                                                 : ct_real_find(real);
}

static inline void *ct_real_for(struct ct_real *real, const void *caller)
{
    void *function = __atomic_load_n(&real->function, __ATOMIC_RELAXED);

    return __builtin_expect(function != NULL, 1)
               ? function
               : ct_real_find_for(real, caller);
}

#pragma GCC visibility pop

#endif
