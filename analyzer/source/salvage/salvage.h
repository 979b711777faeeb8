/* SPDX-License-Identifier: MIT */
/*
 * source/salvage/salvage.h - a view of CTF traces that can be read whole
 *
 * Model:    every packet is checked; a trace that is not whole is repaired: a
 *           temporary directory of links and copies.  Any other is its own
 *           view.
 * Threads:  one view at a time a process (source/salvage/tempdir.h).
 * Memory:   ct_view_free() removes the temporary directory.
 * Errors:   GError, CT_TRACE_ERROR_INPUT, "PATH: why".
 * Depends:  ct/trace.h, source/feed.h.
 */
#ifndef CT_SOURCE_SALVAGE_SALVAGE_H
#define CT_SOURCE_SALVAGE_SALVAGE_H

#include "ct/trace.h"
#include "source/feed.h"

struct ct_view;

struct ct_view_warnings {
    void (*warn)(const char *text, void *data);
    void *data;
};

/* What is asked for. */
struct ct_view_wish {
    bool copies;    /* don't read the files where they lie, they are being
                     * written */
    int64_t end_ns; /* from the first event: what is later is not shown;
                     * INT64_MAX: all is */
};

/**
 * ct_view_new() - check every packet of every stream, repair what needs it
 * @dirs: of the traces, char *
 *
 * Of packets that are not shown, only the heads are looked at.
 */
struct ct_view *ct_view_new(const GPtrArray *dirs,
                            const struct ct_view_wish *wish,
                            const struct ct_view_warnings *warnings,
                            GError **error);
void ct_view_free(struct ct_view *view);

/** ct_view_inputs() - for each trace the value for parameter `inputs`
 * Return: GPtrArray of GPtrArray of char *, borrowed. */
const GPtrArray *ct_view_inputs(const struct ct_view *view);

/** ct_view_is_damaged() - is anything missing that was recorded? */
bool ct_view_is_damaged(const struct ct_view *view);

/** ct_view_has_changed() - has a file another size than when it was checked? */
bool ct_view_has_changed(const struct ct_view *view);

/** ct_view_packets() - whole packets and the bytes of all streams */
uint64_t ct_view_packets(const struct ct_view *view, uint64_t *ret_bytes);

/** ct_view_tell() - what the feed must know of the streams */
void ct_view_tell(const struct ct_view *view, struct ct_feed *feed);

#endif
