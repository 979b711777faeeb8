/* SPDX-License-Identifier: MIT */
/*
 * session/daemon/family.h - which of LTTng's processes are in a process group
 *
 * Model:    the private daemon leads a group, and what it starts stays in it.
 * Threads:  any; no state.
 * Memory:   the array is the caller's (g_array_unref).
 * Errors:   none: what can't be read is not found.
 * Depends:  glib.h.
 */
#ifndef CT_SESSION_DAEMON_FAMILY_H
#define CT_SESSION_DAEMON_FAMILY_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/**
 * ct_family_find() - pids (pid_t) of a group's processes
 * @group: 0 or less: nobody
 * @name:  how their names begin
 */
GArray *ct_family_find(pid_t group, const char *name);

/**
 * ct_family_kill() - SIGKILL, and wait until they are gone
 * Return: false: some are still there after so many milliseconds.
 */
bool ct_family_kill(pid_t group, const char *name, int patience_ms);

#endif
