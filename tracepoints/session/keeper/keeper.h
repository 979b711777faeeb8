/* SPDX-License-Identifier: MIT */
/*
 * session/keeper/keeper.h - the process that owns a recording's daemons
 *
 * Model:    start -> (READY) -> the recording -> end.  The keeper is a child of
 *           the recorder, outside of its process group, so that Ctrl-C does not
 *           reach it; it starts the daemon and the control process, and ends
 *           both when it is told to or when the recorder is gone, however that
 *           ended.  It removes the home and what is left in /dev/shm.
 * Threads:  the recorder's main thread; the recorder is single-threaded when it
 *           starts a keeper.
 * Memory:   the plan's strings are borrowed for the call of start.
 * Errors:   GError, domain CT_SESSION_ERROR.
 * Depends:  session/daemon/lttng.h, session/keeper/wire.h, ct/session.h.
 */
#ifndef CT_SESSION_KEEPER_KEEPER_H
#define CT_SESSION_KEEPER_KEEPER_H

#include "ct/session.h"
#include "session/daemon/lttng.h"
#include "session/keeper/wire.h"

enum ct_keeper_mode {
    CT_KEEPER_HOME,      /* a user's daemon, in the home */
    CT_KEEPER_NAMESPACE, /* root's, in a mount namespace; apps by the home */
    CT_KEEPER_SHARED,    /* the system-wide daemon; the home is not used */
};

struct ct_keeper {
    pid_t pid;
    int wire;         /* to the keeper */
    int control;      /* to the control process, see control.h */
    const char *home; /* borrowed until the end */
    pid_t daemon;     /* 0: not known, or not ours */
    enum ct_keeper_mode mode;
};

/**
 * ct_keeper_start() - fork the keeper
 * @daemon: path of lttng-sessiond
 * @home:   see ct_place_home()
 * @plan:   the session, for the control process
 *
 * It answers on the wire: CT_WIRE_READY (give it to ct_keeper_ready()) or
 * CT_WIRE_FAILED.
 * Return: 0 or -errno.
 */
int ct_keeper_start(struct ct_keeper *ret_keeper, const char *daemon,
                    const char *home, const struct ct_lttng_plan *plan);

/** ct_keeper_ready() - take what READY tells; returns how the daemon serves */
enum ct_keeper_mode ct_keeper_ready(struct ct_keeper *keeper,
                                    const struct ct_wire_message *message);

/**
 * ct_keeper_end() - have everything ended, and wait for it
 * @patience_ms: how long the daemons may take to end by themselves
 *
 * If somebody has killed the keeper, its work is done here as far as possible.
 * Return: why the trace could not be written (g_free), NULL if it could.
 */
char *ct_keeper_end(struct ct_keeper *keeper, int patience_ms);

#endif
