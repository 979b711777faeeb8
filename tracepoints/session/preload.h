/* SPDX-License-Identifier: MIT */
/*
 * session/preload.h - can a library be preloaded into this program?
 *
 * Model:    the loader preloads into what it loads itself, for its own libc,
 *           without more rights than the user has.
 * Threads:  any.
 * Memory:   the caller's.
 * Errors:   none: of what can't be read nothing is said.
 * Depends:  glib.h.
 */
#ifndef CT_SESSION_PRELOAD_H
#define CT_SESSION_PRELOAD_H

#include <glib.h>
#include <stdbool.h>

enum ct_preload_verdict {
    CT_PRELOAD_WORKS,      /* as far as its file says */
    CT_PRELOAD_STATIC,     /* there is no loader */
    CT_PRELOAD_OTHER_LIBC, /* its loader would refuse our library */
    CT_PRELOAD_OTHER_MACHINE,
    CT_PRELOAD_MORE_RIGHTS, /* its loader passes it over */
};

struct ct_preload {
    enum ct_preload_verdict verdict;
    char loader[256]; /* the program's, without folders; "": none, not known */
    bool has_tracepoints; /* beside which the library is silent */
};

/**
 * ct_preload_look() - what a program's file says
 * @path: of the program
 *
 * A script, or what can't be read, is not refused: what it runs may do.
 */
void ct_preload_look(const char *path, struct ct_preload *ret_preload);

/**
 * ct_preload_why_not() - why nothing can be preloaded, for people
 * Return: NULL: it can; else freed by the caller.
 */
char *ct_preload_why_not(const struct ct_preload *preload);

/**
 * ct_preload_harms() - another libc's loader would not start the program with
 * our library; where it can't be preloaded otherwise, that does no harm
 */
static inline bool ct_preload_harms(const struct ct_preload *preload)
{
    return preload->verdict == CT_PRELOAD_OTHER_LIBC;
}

/**
 * ct_preload_list() - LD_PRELOAD with one more library, behind those that are
 * there: they come first, as they would without us
 */
char *ct_preload_list(const char *before, const char *library);

#endif
