/* SPDX-License-Identifier: MIT */
/*
 * session/daemon/lttng.h - the calls of liblttng-ctl that a recording needs
 *
 * Model:    one session with one channel of per-user buffers.
 * Threads:  one; liblttng-ctl has one connection a process.  Any call may
 *           block for as long as the daemon does.
 * Memory:   the plan is borrowed for the call.
 * Errors:   0, or -1 with @ret_reason set (g_free), one line.
 * Depends:  glib.h.
 */
#ifndef CT_SESSION_DAEMON_LTTNG_H
#define CT_SESSION_DAEMON_LTTNG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lttng_destruction_handle;

struct ct_lttng_plan {
    const char *session;   /* its name, unique in the daemon */
    const char *output;    /* absolute */
    const char *events;    /* as in struct ct_session_config */
    uint64_t subbuf_bytes; /* 0: what fits */
    unsigned n_subbufs;    /* 0: default */
};

/** ct_lttng_init() - keep liblttng-ctl silent and away from a daemon that is
 * not the one that LTTNG_HOME (or root's /run/lttng) names */
void ct_lttng_init(void);

/** ct_lttng_is_served() - does a daemon answer? */
bool ct_lttng_is_served(void);

/** ct_lttng_create() - session, channel, contexts, events */
int ct_lttng_create(const struct ct_lttng_plan *plan, char **ret_reason);

/** ct_lttng_limit() - record this process only */
int ct_lttng_limit(const char *session, pid_t pid, char **ret_reason);

int ct_lttng_start(const char *session, char **ret_reason);

/** ct_lttng_stop() - stop without waiting for the data */
int ct_lttng_stop(const char *session, char **ret_reason);

/** ct_lttng_is_pending() - 1: data has not been taken over yet; 0; -1 */
int ct_lttng_is_pending(const char *session);

/**
 * ct_lttng_destroy() - have the session closed and dropped
 * Return: what to wait for, to be given to ct_lttng_forget(); NULL: failed.
 */
struct lttng_destruction_handle *ct_lttng_destroy(const char *session);

/** ct_lttng_is_destroyed() - wait for a while: 1: done, 0: not yet, -1: failed
 */
int ct_lttng_is_destroyed(struct lttng_destruction_handle *destruction,
                          int timeout_ms);

/** ct_lttng_forget() - the daemon goes on by itself; NULL is allowed */
void ct_lttng_forget(struct lttng_destruction_handle *destruction);

/** ct_lttng_sessions() - how many sessions the daemon has whose names do not
 * begin with @but; -1: can't tell */
int ct_lttng_sessions(const char *but);

#endif
