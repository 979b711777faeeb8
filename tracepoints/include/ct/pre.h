/* SPDX-License-Identifier: MIT */
/*
 * ct/pre.h - preconditions that every build checks
 *
 * Model:    a broken precondition is the caller's mistake, never an error to
 *           handle: it prints the condition's id and aborts.
 * Threads:  any.
 * Memory:   none.
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
#define ct_pre(id, cond)                                                  \
    do {                                                                  \
        if (__builtin_expect(!(cond), 0)) {                               \
            fprintf(stderr, "precondition [%s] broken in %s(): %s\n", id, \
                    __func__, #cond);                                     \
            abort();                                                      \
        }                                                                 \
    } while (0)

/**
 * ct_pre_msg() - ct_pre() that names a culprit which the condition can't show
 * @...: format and arguments, as for printf; evaluated only when it is broken
 */
#define ct_pre_msg(id, cond, ...)                                     \
    do {                                                              \
        if (__builtin_expect(!(cond), 0)) {                           \
            fprintf(stderr, "precondition [%s] broken in %s(): ", id, \
                    __func__);                                        \
            fprintf(stderr, __VA_ARGS__);                             \
            fputc('\n', stderr);                                      \
            abort();                                                  \
        }                                                             \
    } while (0)

#endif
