/* SPDX-License-Identifier: MIT */
/*
 * source/text/log-lines.h - the lines of a file, whatever is in it
 *
 * Model:    lines in order, by whole blocks; a line that is longer than
 *           CT_LOG_LINE_MAX is cut and the rest of it passed over.
 * Threads:  one a reader.
 * Memory:   a line lies in the reader's buffer until the next call.
 * Errors:   a file that can't be read any further has ended.
 * Depends:  libc only.
 */
#ifndef CT_SOURCE_TEXT_LOG_LINES_H
#define CT_SOURCE_TEXT_LOG_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CT_LOG_LINE_MAX 16384

struct ct_log_lines {
    int fd;
    char *buffer;
    char *kept;     /* a line of which the rest was passed over */
    size_t at, end; /* what is not yet given: buffer[at .. end) */
    bool at_end;    /* nothing is left in the file */
    uint64_t bytes; /* read so far */
    uint64_t given; /* where the last line that was given ends */
};

struct ct_log_line {
    const char *text;
    size_t length;
    bool has_end; /* of line; false: the file's last, or cut */
};

/** ct_log_lines_open() - 0 or -errno */
int ct_log_lines_open(struct ct_log_lines *lines, const char *path);
void ct_log_lines_close(struct ct_log_lines *lines);

/** ct_log_lines_next() - false: there are no more */
bool ct_log_lines_next(struct ct_log_lines *lines,
                       struct ct_log_line *ret_line);

/** ct_log_lines_peek() - the line after the one that was given, or as much of
 * it as was read; false: none */
bool ct_log_lines_peek(const struct ct_log_lines *lines,
                       struct ct_log_line *ret_line);

#endif
