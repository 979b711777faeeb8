/* SPDX-License-Identifier: MIT */
/*
 * source/text/log-pieces.h - a log as records of lines
 *
 * Model:    a file is a log if it has lines of QEMU's trace log in it; it has a
 *           clock if one of them has a stamp, or somebody looked on while it
 *           was written.  A piece is a line, or a part of
 *           one where lines ran into each other: a `log:line` record.
 * Threads:  one a reader.
 * Memory:   a record's text lives until the next call.
 * Errors:   -errno in opening; else none.
 * Depends:  ct/record.h, glib.h.
 */
#ifndef CT_SOURCE_TEXT_LOG_PIECES_H
#define CT_SOURCE_TEXT_LOG_PIECES_H

#include "ct/record.h"

struct ct_log_kind {
    bool is_log;
    bool has_clock;
    bool by_reader;   /* ... which is that of somebody who looked on */
    int64_t first_ns; /* the first stamp */
};

/** ct_log_look() - what a file is; 0 or -errno
 * A directory is the log that `record --qemu` left in it. */
int ct_log_look(const char *path, struct ct_log_kind *ret_kind);

/** ct_log_file() - the log that a path is, or has in it (g_free) */
char *ct_log_file(const char *path);

struct ct_log_pieces;

/** ct_log_pieces_open() - 0 or -errno */
int ct_log_pieces_open(const char *path, const struct ct_log_kind *kind,
                       struct ct_log_pieces **ret_pieces);
void ct_log_pieces_free(struct ct_log_pieces *pieces);

/** ct_log_pieces_next() - the next one; its when_ns never decreases
 * Return: borrowed; NULL: the log is at its end. */
const struct ct_record *ct_log_pieces_next(struct ct_log_pieces *pieces);

#endif
