/* SPDX-License-Identifier: MIT */
/*
 * sole.h - of a process one alone tells
 *
 * Model:    a program with tracepoints may be recorded with the preloaded
 *           library beside it.  Each of the two has ids, stacks, threads and
 *           tellings of its own, and who reads the trace knows but one process:
 *           a thread would be there twice, and what the one does not tell would
 *           be over for the other.  So the program's own tracepoints tell, and
 *           the library is silent: from its begin if the program has them then,
 *           else from where they are loaded.
 * Threads:  the one that loads.
 * Errors:   none.
 */
#ifndef CT_SOLE_H
#define CT_SOLE_H

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* Both are defined in sole.c, and for the library in preload/sole.c. */

/** ct_sole_may() - may this copy of the tracepoints tell of the process? */
bool ct_sole_may(void);

/**
 * ct_sole_take_over() - this copy is about to tell
 * Return: another one may have told until now, and does not any more.
 */
bool ct_sole_take_over(void);

#pragma GCC visibility pop

#endif
