/* SPDX-License-Identifier: MIT */
/*
 * session/daemon/shm.h - what LTTng leaves in /dev/shm
 *
 * Model:    every traced program and every daemon maps one page by which a
 *           daemon wakes programs that wait for one: lttng-ust-wait-N for all
 *           and lttng-ust-wait-N-UID.  Nobody removes them.  The buffers
 *           themselves are unlinked by LTTng as soon as they are made.
 * Threads:  single-threaded processes.
 * Errors:   none; what can't be done is left as it is.
 * Depends:  libc only.
 */
#ifndef CT_SESSION_DAEMON_SHM_H
#define CT_SESSION_DAEMON_SHM_H

#include <stdbool.h>
#include <stdint.h>

/**
 * ct_shm_open() - the folder /dev/shm as the traced program sees it
 * Return: a descriptor, or -errno: without it LTTng can trace nothing.
 */
int ct_shm_open(void);

enum { CT_SHM_PAGES = 2 };

/**
 * ct_shm_hold() - this user's wake-up pages, made if there are none
 * @folder:    from ct_shm_open()
 * @ret_pages: descriptors; -1: there is no such page to be had
 *
 * While a recorder holds them they are there, and nobody sweeps them: a program
 * that makes its page has it closed for a moment, and is not traced at all if
 * it is gone by then.
 */
void ct_shm_hold(int folder, int ret_pages[CT_SHM_PAGES]);

/** ct_shm_let_go() - of all that are held */
void ct_shm_let_go(int pages[CT_SHM_PAGES]);

/**
 * ct_shm_sweep() - remove this user's wake-up pages that nobody has open
 * @folder: from ct_shm_open()
 * @reset:  a daemon was killed: take its "I am here" out of the pages that stay
 */
void ct_shm_sweep(int folder, bool reset);

/** ct_shm_free_bytes() - room in the caller's /dev/shm */
uint64_t ct_shm_free_bytes(void);

#endif
