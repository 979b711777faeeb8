/* SPDX-License-Identifier: MIT */
/*
 * commands/baseline.h - a run in a file, to compare others with
 *
 * Model:    one JSON object: "cotrace_baseline" is the version, then the run
 *           (struct ct_saved), and what was found in it, one word each.
 * Threads:  main thread only.
 * Memory:   the file as a whole, and what it says.
 * Errors:   GError; a file that can't be what we wrote is refused.
 * Depends:  ct/diff.h.
 */
#ifndef CT_COMMANDS_BASELINE_H
#define CT_COMMANDS_BASELINE_H

#include "ct/diff.h"

/** ct_baseline_write() - @findings: char * */
bool ct_baseline_write(const char *path, const struct ct_saved *saved,
                       const GPtrArray *findings, bool *ret_is_gone,
                       GError **error);

/** ct_baseline_read() - NULL: an error; the caller frees it
 * @findings: what it says is added; char *, owned */
struct ct_saved *ct_baseline_read(const char *path, GPtrArray *findings,
                                  GError **error);

#endif
