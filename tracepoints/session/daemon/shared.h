/* SPDX-License-Identifier: MIT */
/*
 * session/daemon/shared.h - the system-wide session daemon, where no private
 * one is possible
 *
 * Model:    root without the right to a mount namespace.  Recordings (and
 *           other users of LTTng) share the daemon.  If none runs, one is
 *           started and noted as ours; whoever leaves last, with no session of
 *           anybody left, ends the daemon that a recording started, and never
 *           another one.
 * Threads:  the control process.  Recordings exclude each other by a file lock
 *           while they start, create and leave.
 * Errors:   0, or -1 with @ret_reason.
 * Depends:  session/daemon/lttng.h.
 */
#ifndef CT_SESSION_DAEMON_SHARED_H
#define CT_SESSION_DAEMON_SHARED_H

#include <stdbool.h>

/** ct_shared_enter() - have a daemon; holds the lock until
 * ct_shared_created() */
int ct_shared_enter(char **ret_reason);

/** ct_shared_created() - the session exists (or never will) */
void ct_shared_created(void);

/** ct_shared_leave() - the session is gone */
void ct_shared_leave(void);

#endif
