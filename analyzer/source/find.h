/* SPDX-License-Identifier: MIT */
/*
 * source/find.h - what a path that a user gave is
 *
 * Model:    a path is a text trace, a log, or a directory with CTF traces at
 *           any depth, or no trace, for a reason that fits in one line.
 * Memory:   ct_found_fini().
 * Errors:   GError, CT_TRACE_ERROR_INPUT, "PATH: why".
 * Depends:  ct/trace.h.
 */
#ifndef CT_SOURCE_FIND_H
#define CT_SOURCE_FIND_H

#include "ct/trace.h"

struct ct_found {
    bool is_text;
    bool is_log;     /* QEMU's */
    GPtrArray *dirs; /* char *: directories with a CTF metadata file, sorted */
    unsigned n_left_out; /* directories below the path that can't be read */
    char *left_out;      /* the first of them: "DIR: why"; or NULL */
    bool cut_off;        /* `record` says that the recording is not complete */
    char *chosen;  /* the events that were asked for; NULL: all, or not known */
    char *program; /* a log: base name of what was recorded, by the note */
};

bool ct_find(const char *path, struct ct_found *ret_found, GError **error);
void ct_found_fini(struct ct_found *found);

#endif
