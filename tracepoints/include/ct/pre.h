/* SPDX-License-Identifier: MIT */
/*
 * ct/pre.h - preconditions that every build checks
 *
 * Model:    a broken precondition is the caller's mistake, never an error to
 *           handle: it prints the condition's id and aborts.
 * Threads:  any.
 * Errors:   aborts; the one place of our libraries that writes to stderr.
 * Depends:  nothing.
 */
#ifndef CT_PRE_H
#define CT_PRE_H

#include <stdio.h>
#include <stdlib.h>

/**
 * ct_pre() - abort unless @cond holds
 * @id:   string literal that names the condition, "module-function/condition";
 *        tests look for it in stderr
 * @cond: evaluated exactly once, in all builds
 */
#define ct_pre(id, cond)                                                       \
    do {                                                                       \
        if (__builtin_expect(!(cond), 0)) {                                    \
            fprintf(stderr, "precondition [%s] broken in %s(): %s\n", id,      \
                    __func__, #cond);                                          \
            abort();                                                           \
        }                                                                      \
    } while (0)

#endif
