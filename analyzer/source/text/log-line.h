/* SPDX-License-Identifier: MIT */
/*
 * source/text/log-line.h - where the pieces of a log's line begin
 *
 * Model:    a program puts "TID@SEC.USEC:" in front of what it logs, or
 *           nothing.  A line that was cut can have another one in it.
 * Threads:  any.
 * Memory:   nothing is kept.
 * Errors:   none: what is no head is text.
 * Depends:  libc only.
 */
#ifndef CT_SOURCE_TEXT_LOG_LINE_H
#define CT_SOURCE_TEXT_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ct_log_head {
    const char *digits; /* of the thread's number */
    const char *at;     /* "@" behind them */
    const char *text;   /* behind the head */
    int64_t stamp_ns;   /* since 1970 */
};

/** ct_log_head() - does a line begin with thread and time? */
bool ct_log_head(const char *line, size_t n, struct ct_log_head *ret_head);

/**
 * ct_log_find() - the first head in a text that a name stands behind
 * @ret_head: `digits` is the first of all digits before "@"; they may belong
 *            to what was cut
 */
bool ct_log_find(const char *text, size_t n, struct ct_log_head *ret_head);

/** ct_log_thread() - digits as the number of a thread; 0: they are none */
int32_t ct_log_thread(const char *digits, const char *end);

#endif
