/* SPDX-License-Identifier: MIT */
/*
 * session/keeper/control.h - the process that calls liblttng-ctl
 *
 * Model:    a child of the keeper; does what the recorder asks over the wire
 *           (CREATE, START, STOP) one after the other.  It may block in any
 *           call for as long as the daemon does: the recorder watches it, and
 *           the keeper ends it.
 * Threads:  a process of its own.
 * Errors:   CT_WIRE_FAILED with the reason.
 * Depends:  session/daemon/lttng.h, session/keeper/wire.h.
 */
#ifndef CT_SESSION_KEEPER_CONTROL_H
#define CT_SESSION_KEEPER_CONTROL_H

#include "session/daemon/lttng.h"

/**
 * ct_control_run() - serve the recorder until it closes its end
 * @end:    the wire
 * @plan:   the session
 * @shared: the daemon is the system-wide one: start it if there is none, and
 *          limit the session to the program
 *
 * When the recorder is gone, the session is destroyed without waiting.
 */
void ct_control_run(int end, const struct ct_lttng_plan *plan, bool shared);

#endif
