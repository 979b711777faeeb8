/* SPDX-License-Identifier: MIT */
/*
 * session/signals.h - what a recorder does with signals while its program runs
 *
 * Model:    taken before the first helper is made, given back at the end.
 *           What a terminal sends reached the program, too (it is in the same
 *           process group); what somebody sends to the recorder alone is to
 *           be passed on.
 * Threads:  the recorder's main thread.
 * Memory:   one descriptor, closed by ct_signals_give_back().
 * Errors:   none.
 * Depends:  session/launch.h.
 */
#ifndef CT_SESSION_SIGNALS_H
#define CT_SESSION_SIGNALS_H

#include <stdbool.h>
#include <unistd.h>

#include "session/launch.h"

struct ct_signals {
    struct ct_launch_signals before; /* as the program is to find them */
    int fd;                          /* readable: ct_signals_next() */
};

void ct_signals_take(struct ct_signals *signals);
void ct_signals_give_back(struct ct_signals *signals);

/** ct_signals_next() - the next one to be passed on, 0: none
 * @ret_sent_here: to this process alone */
int ct_signals_next(struct ct_signals *signals, bool *ret_sent_here);

/** ct_signals_pass_on() - those that were sent here, to the program
 * @pid: its, not waited for yet */
void ct_signals_pass_on(struct ct_signals *signals, pid_t pid);

/**
 * ct_streams_occupy() - keep closed standard streams from being reused
 *
 * One that is closed would be the next descriptor to be made, and be taken for
 * the stream by a helper.  Closed again at exec, so the program finds it
 * closed as it was.
 */
void ct_streams_occupy(bool ret_occupied[STDERR_FILENO + 1]);
void ct_streams_free(const bool occupied[STDERR_FILENO + 1]);

#endif
