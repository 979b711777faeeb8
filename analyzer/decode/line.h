/* SPDX-License-Identifier: MIT */
/*
 * decode/line.h - one line of a log as the event that it is
 *
 * Model:    every event of the schema that has a text is known by its names;
 *           what a line says is read by that text.
 * Threads:  one pass, one thread.
 * Memory:   strings of a record live until the next call.
 * Errors:   what is no event is a result, and counted.
 * Depends:  ct/record.h.
 */
#ifndef CT_DECODE_LINE_H
#define CT_DECODE_LINE_H

#include "ct/consumer.h"
#include "ct/record.h"

struct ct_lines;

struct ct_lines *ct_lines_new(void);
void ct_lines_free(struct ct_lines *lines);

enum ct_line_kind {
    CT_LINE_OTHER, /* no event of the schema */
    CT_LINE_EVENT,
    CT_LINE_UNREAD, /* an event was printed here, and what it says is lost */
};

/**
 * ct_lines_read() - what a log:line record says; each line is counted
 * @ret_record: set for CT_LINE_EVENT
 */
enum ct_line_kind ct_lines_read(struct ct_lines *lines,
                                const struct ct_record *line,
                                struct ct_record *ret_record);

/** ct_lines_counts() - of all lines so far */
const struct ct_log_counts *ct_lines_counts(const struct ct_lines *lines);

#endif
