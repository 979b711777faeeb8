/* SPDX-License-Identifier: MIT */
/*
 * preload/disarm.h - LTTng ends with the process, not before
 *
 * Model:    at exit() the destructors of LTTng, of the provider and of what
 *           joins this library to them make calls of the system.
 * Threads:  any; once.
 * Memory:   that of the loaded files, written to.
 * Errors:   what can't be changed stays as it is.
 * Depends:  libc only.
 */
#ifndef CT_PRELOAD_DISARM_H
#define CT_PRELOAD_DISARM_H

#pragma GCC visibility push(hidden)

/** ct_disarm() - from now on their destructors do nothing; all others do */
void ct_disarm(void);

#pragma GCC visibility pop

#endif
