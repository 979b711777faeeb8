/* SPDX-License-Identifier: MIT */
/*
 * session/output/note.h - cotrace.json, what a recording says about itself
 *
 * Model:    written first, with "complete": false, so that a directory whose
 *           recorder was killed says so; replaced at the end.  Fields: see
 *           docs/RECORDING.md.
 * Threads:  any; no state.
 * Errors:   0 or -errno.
 * Depends:  ct/session.h.
 */
#ifndef CT_SESSION_OUTPUT_NOTE_H
#define CT_SESSION_OUTPUT_NOTE_H

#include "ct/session.h"

#define CT_NOTE_NAME   "cotrace.json"
#define CT_NOTE_EVENTS "qemu.events" /* a QEMU's, that were switched on */

struct ct_note {
    const char *program; /* as found */
    char *const *argv;
    const char *events; /* patterns, NULL: all */
    const char *daemon; /* "home", "namespace", "shared"; NULL: not yet */
    int64_t begin_ns;   /* since 1970 */
    int64_t end_ns;     /* 0: not yet */
    pid_t pid;          /* 0: not yet */
    const struct ct_session_result *result; /* NULL: not yet */
    const struct ct_session_qemu *qemu;     /* NULL: it is none */
};

/**
 * ct_note_claim() - write the first note; of a QEMU the list of its events, too
 * Return: -EEXIST if somebody else has begun to write to this directory, to
 * either file: then nothing of ours is in it.
 */
int ct_note_claim(const char *output, const struct ct_note *note);

/** ct_note_write() - replace the note, whole or not at all */
int ct_note_write(const char *output, const struct ct_note *note);

#endif
