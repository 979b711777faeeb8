/* SPDX-License-Identifier: MIT */
/*
 * session/daemon/shared.h - the system-wide session daemon, where no private
 * one is possible
 *
 * Model:    root without the right to a mount namespace.  Recordings (and
 *           other users of LTTng) share the daemon.  If none runs, one is
 *           started and noted as ours; whoever leaves last, with no session of
 *           anybody else left, ends the daemon that a recording started, and
 *           never another one.  One that does not answer is ended, too.
 * Threads:  enter and created: the control process; leave: who has ended it.
 *           Recordings exclude each other by a file lock while they start,
 *           create and leave; it goes when its process does.
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

/**
 * ct_shared_leave() - the control process has ended
 * @prefix:      how the names of recordings' sessions begin: none of these is
 *               wanted when no recording uses the daemon
 * @patience_ms: for a control process that is about to end
 *
 * Takes three seconds more at most.
 */
void ct_shared_leave(const char *prefix, int patience_ms);

#endif
