/* SPDX-License-Identifier: MIT */
/*
 * session/output/place.h - the directories of a recording: where the trace
 * goes, where the daemon's sockets are
 *
 * Model:    the output directory stays if the recording succeeds; the home
 *           (sockets, configuration and log of the private daemon) never does.
 * Threads:  any; no state.
 * Memory:   returned strings are the caller's (g_free).
 * Errors:   GError, domain CT_SESSION_ERROR.
 * Depends:  ct/session.h.
 */
#ifndef CT_SESSION_OUTPUT_PLACE_H
#define CT_SESSION_OUTPUT_PLACE_H

#include "ct/session.h"

/* How the name of a home begins, and that of a session, which is the same. */
#define CT_PLACE_HOME_PREFIX "cotrace-run-"

/**
 * ct_place_output() - make the output directory, or take an empty one
 * @ret_made: whether it was made here
 * Return: its absolute path, or NULL.
 */
char *ct_place_output(const char *path, bool *ret_made, GError **error);

/** ct_place_abandon() - undo ct_place_output(): an empty directory that was
 * there before stays, empty */
void ct_place_abandon(const char *output, bool made);

/**
 * ct_place_home() - make a directory, mode 0700, with a path short enough for
 * the sockets that LTTng makes below it
 */
char *ct_place_home(GError **error);

/** ct_place_remove() - remove a directory with all that is in it */
void ct_place_remove(const char *path);

/** ct_place_bytes() - how much there is below a directory: it grows while a
 * consumer makes progress */
uint64_t ct_place_bytes(const char *path);

#endif
