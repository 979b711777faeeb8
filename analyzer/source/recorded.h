/* SPDX-License-Identifier: MIT */
/*
 * source/recorded.h - what `record` says of a recording, beside it
 *
 * Model:    a file cotrace.json in the recording's directory, read once.
 * Threads:  any.
 * Memory:   ct_recorded_fini().
 * Errors:   none: what can't be read says nothing.
 * Depends:  glib.h.
 */
#ifndef CT_SOURCE_RECORDED_H
#define CT_SOURCE_RECORDED_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct ct_recorded {
    bool is_there; /* if it says nothing, too */
    bool cut_off;  /* the recording is not complete */
    uint64_t own_events;
    char *program; /* base name; NULL: not told */
    char *chosen;  /* the events that were asked for; NULL: all of ours, or not
                      told */
};

/** ct_recorded_read() - @dir: where the recording is */
struct ct_recorded ct_recorded_read(const char *dir);
void ct_recorded_fini(struct ct_recorded *note);

#endif
