/* SPDX-License-Identifier: MIT */
/*
 * session/preload.h - can a library be preloaded into this program?
 *
 * Model:    the loader preloads into what it loads itself, for its own libc,
 *           without more rights than the user has.
 * Depends:  glib.h.
 */
#ifndef CT_SESSION_PRELOAD_H
#define CT_SESSION_PRELOAD_H

#include <glib.h>
#include <stdbool.h>

/**
 * ct_preload_refusal() - why nothing can be preloaded into a program
 * @path: of the program
 *
 * A script, or what can't be read, is not refused: what it runs may do.
 * Return: NULL: it can, as far as its file says; else freed by the caller.
 */
char *ct_preload_refusal(const char *path);

/**
 * ct_preload_harms() - another libc's loader would not start the program with
 * our library; where it can't be preloaded otherwise, that does no harm
 */
bool ct_preload_harms(const char *path);

/**
 * ct_preload_list() - LD_PRELOAD with one more library, behind those that are
 * there: they come first, as they would without us
 */
char *ct_preload_list(const char *before, const char *library);

#endif
