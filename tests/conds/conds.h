/* SPDX-License-Identifier: MIT */
/*
 * conds.h - conditions that callers must keep: each is broken once, in a
 * process of its own, which has to name it and abort
 *
 * tests/lint/conds.py sees to it that no condition is without such a test.
 */
#ifndef CT_TEST_CONDS_H
#define CT_TEST_CONDS_H

#include <glib.h>

struct cond {
    const char *id;
    void (*breach)(void);
    enum {
        OUTSIDE,
        IN_COROUTINE,
        WITHOUT_CONTEXT, /* in a coroutine, and with no current context */
    } where;
};

/* Calls it, where it wants to be called; by each kind of programs. */
void conds_run(const struct cond *cond);

/* The main() of a program that tests @conds. */
int conds_main(int argc, char **argv, const struct cond *conds, size_t n);

#endif
