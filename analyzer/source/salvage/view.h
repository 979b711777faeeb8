/* SPDX-License-Identifier: MIT */
/*
 * source/salvage/view.h - the parts of a view, shared by the files of salvage
 *
 * Model:    checked (check.c) -> repaired if need be (salvage.c).  A stream
 *           file is kept as its good ranges of bytes.
 * Threads:  one.
 * Memory:   a trace owns its files; a view owns its traces.
 * Depends:  ct/ctf.h, source/salvage/salvage.h.
 */
#ifndef CT_SOURCE_SALVAGE_VIEW_H
#define CT_SOURCE_SALVAGE_VIEW_H

#include "ct/ctf.h"
#include "source/salvage/salvage.h"

struct ct_file_range {
    uint64_t offset;
    uint64_t bytes;
};

struct ct_view_file {
    char *path;
    char *stream; /* ct_stream_name(); NULL: no packet, or not known */
    uint64_t size;
    GArray *ranges; /* struct ct_file_range: whole packets, in order */
    uint64_t packets;
    uint64_t first_lost;
    uint64_t first_number; /* of the first packet within its stream */
    uint64_t last_begin;   /* of the last one; clock */
    bool whole;            /* every byte belongs to a packet */
    bool head_lost;
    uint64_t head_clock; /* the first packet's begin */
    bool tail_lost;
    bool only_names; /* all that its stream class may have */
    bool bad_index;
    bool is_told; /* there was a warning of it */
};

struct ct_view_trace {
    char *dir;      /* the trace's */
    char *view_dir; /* in the temporary directory; NULL: read as it is */
    struct ct_ctf_layout *layout;
    char *metadata;   /* its text in the view; NULL: as it is */
    GPtrArray *files; /* struct ct_view_file */
};

struct ct_view {
    GPtrArray *traces; /* struct ct_view_trace */
    GPtrArray *inputs; /* see ct_view_inputs() */
    char *temp;        /* NULL: none was needed */
    unsigned n_dirs;   /* made in it so far */
    struct ct_view_warnings warnings;
    int64_t until_ns; /* since 1970: what is later is not shown */
    bool copies;      /* the files change while we read: no links */
    bool damaged;
    uint64_t packets;
    uint64_t bytes;
};

/* view.c */

__attribute__((format(printf, 2, 3))) void ct_view_warn(struct ct_view *view,
                                                        const char *format,
                                                        ...);

void ct_view_file_free(void *file);
void ct_view_trace_free(void *trace);

/* check.c */

/** ct_view_open_trace() - read the metadata of a trace, list its files
 * Return: the trace; NULL: @error. */
struct ct_view_trace *ct_view_open_trace(const char *dir, GError **error);

/** ct_view_check_trace() - look at every packet of its files
 * Return: false: @error. */
bool ct_view_check_trace(struct ct_view *view, struct ct_view_trace *trace,
                         GError **error);

/** ct_view_first_by() - the first event of all traces is not later than this,
 * ns since 1970; INT64_MAX: not known */
int64_t ct_view_first_by(const struct ct_view *view);

#endif
