/* SPDX-License-Identifier: MIT */
/*
 * session/launch.h - runs the program that is recorded
 *
 * Model:    find -> fork (the child waits at a gate) -> go (exec) -> ended.
 *           Between fork and go the recorder knows the pid and nothing of the
 *           program has run.
 * Threads:  the recorder's main thread.
 * Memory:   returned strings and arrays are the caller's.
 * Errors:   GError, domain CT_SESSION_ERROR, code PROGRAM.
 * Depends:  ct/session.h.
 */
#ifndef CT_SESSION_LAUNCH_H
#define CT_SESSION_LAUNCH_H

#include <signal.h>
#include <sys/types.h>

#include "ct/session.h"

struct ct_launch {
    pid_t pid;
    int gate;   /* closed or written to: give up, or go */
    int report; /* errno of a failed exec, or its end */
};

/* What the recorder changed for itself and the program must not inherit. */
struct ct_launch_signals {
    sigset_t mask;
    struct sigaction child; /* SIGCHLD */
    bool outlives;          /* the program goes on if the recorder dies */
};

/** ct_launch_find() - path of the program (g_free), as execvp() would look */
char *ct_launch_find(const char *name, GError **error);

/**
 * ct_launch_environment() - what the program gets to be recorded
 * @home: where it finds the private daemon, NULL: the system-wide one
 * @provider: as in struct ct_session_config
 * @preload: likewise
 * Return: a string vector (g_strfreev).
 */
char **ct_launch_environment(const char *home, const char *provider,
                             const char *preload);

/**
 * ct_launch_fork() - make the process, not yet the program
 * @signals: as they were before the recorder touched them
 */
bool ct_launch_fork(struct ct_launch *ret_launch, const char *path,
                    char *const argv[], char *const environment[],
                    const struct ct_launch_signals *signals, GError **error);

/** ct_launch_go() - exec; after a failure the child is gone and reaped */
bool ct_launch_go(struct ct_launch *launch, const char *name, GError **error);

/** ct_launch_give_up() - end the child that still waits at the gate */
void ct_launch_give_up(struct ct_launch *launch);

/** ct_launch_exit_status() - of what waitpid() said, as a shell has it: that of
 * the program, or 128 and the number of the signal that ended it */
int ct_launch_exit_status(int status);

#endif
