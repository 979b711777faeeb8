/* SPDX-License-Identifier: MIT */
/*
 * preload/files.h - what an fd stands for
 *
 * Model:    told once, before the first I/O call on it since it was opened.
 * Threads:  any; no locks.
 * Memory:   a fixed table; fds beyond it are not told.
 * Errors:   one whose name can't be had is not told.
 * Depends:  libc only.
 */
#ifndef CT_PRELOAD_FILES_H
#define CT_PRELOAD_FILES_H

#pragma GCC visibility push(hidden)

/** ct_files_see() - an I/O call on it is about to be told; guarded */
void ct_files_see(int fd);

/** ct_files_forget() - it was closed, or stands for something else now */
void ct_files_forget(int fd);

/** ct_files_forget_from() - all from @first to @last */
void ct_files_forget_from(unsigned first, unsigned last);

#pragma GCC visibility pop

#endif
