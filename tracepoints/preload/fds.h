/* SPDX-License-Identifier: MIT */
/*
 * preload/fds.h - what is known of the program's fds
 *
 * Model:    of each fd, from when it is made to when it is closed: whether it
 *           is an eventfd, and whether its name was told.
 * Threads:  any; no locks.
 * Memory:   a fixed table; of fds beyond it nothing is known.
 * Errors:   one whose name can't be had is not told.
 * Depends:  sandbox.h.
 */
#ifndef CT_PRELOAD_FDS_H
#define CT_PRELOAD_FDS_H

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/** ct_fds_see() - an I/O call on it is about to be told; guarded */
void ct_fds_see(int fd);

/** ct_fds_see_all() - names can't be asked for any more from now on; guarded */
void ct_fds_see_all(void);

/** ct_fds_is_eventfd() - made by eventfd(); copies are not */
bool ct_fds_is_eventfd(int fd);

#pragma GCC visibility pop

#endif
