/* SPDX-License-Identifier: MIT */
/*
 * commands/passes.h - passes over traces, as a command makes them
 *
 * Model:    begin -> run, once for every pass -> end.  Warnings and progress
 *           go to stderr; a signal stops the pass that runs.
 * Threads:  main thread only.
 * Errors:   end() tells the failure and makes the exit status of it.
 * Depends:  ct/trace.h.
 */
#ifndef CT_COMMANDS_PASSES_H
#define CT_COMMANDS_PASSES_H

#include "ct/trace.h"

/** ct_passes_begin() - from now on signals stop passes instead of the process
 */
void ct_passes_begin(void);

/**
 * ct_passes_run() - one pass
 * @span:         of the trace, that the consumers are told of
 * @has_progress: nothing else writes to the terminal meanwhile
 * Return: false: it failed, or was stopped, as is every later one.
 */
bool ct_passes_run(const char *trace, const struct ct_span *span,
                   struct ct_consumer *const consumers[], bool has_progress,
                   GError **error);

/**
 * ct_passes_end() - everything that was opened is closed
 * @trace:   that an error of a query is about
 * @is_gone: the reader of the output went away
 * Return: the exit status; does not return where a signal asked for the end.
 */
int ct_passes_end(const char *trace, bool done, bool is_gone, GError *error);

#endif
