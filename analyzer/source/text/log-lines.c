/* SPDX-License-Identifier: MIT */
/*
 * log-lines.c - the lines of a file, whatever is in it
 *
 * Invariant: after a refill the buffer holds a whole line, or more than the
 * longest line that is given, or all that is left of the file; and mostly the
 * next line, too, so that it can be looked at.
 */
#include "source/text/log-lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES (256 * 1024)

int ct_log_lines_open(struct ct_log_lines *lines, const char *path)
{
    *lines = (struct ct_log_lines){.fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (lines->fd < 0) {
        return -errno;
    }
    lines->buffer = malloc(BUFFER_BYTES + CT_LOG_LINE_MAX);
    lines->kept = lines->buffer ? lines->buffer + BUFFER_BYTES : NULL;
    if (!lines->buffer) {
        close(lines->fd);
        lines->fd = -1;
        return -ENOMEM;
    }
    return 0;
}

void ct_log_lines_close(struct ct_log_lines *lines)
{
    if (lines->buffer) {
        close(lines->fd);
    }
    free(lines->buffer);
    *lines = (struct ct_log_lines){.fd = -1};
}

/* Fills the buffer as far as the file goes; what is left moves to its front. */
static void refill(struct ct_log_lines *lines)
{
    memmove(lines->buffer, lines->buffer + lines->at, lines->end - lines->at);
    lines->end -= lines->at;
    lines->at = 0;
    while (!lines->at_end && lines->end < BUFFER_BYTES) {
        ssize_t n = read(lines->fd, lines->buffer + lines->end,
                         BUFFER_BYTES - lines->end);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            lines->at_end = true;
        } else {
            lines->end += (size_t)n;
            lines->bytes += (uint64_t)n;
        }
    }
}

static const char *find_end(const struct ct_log_lines *lines)
{
    return memchr(lines->buffer + lines->at, '\n', lines->end - lines->at);
}

/* Passes over what is left of a line. */
static void skip_line(struct ct_log_lines *lines)
{
    const char *end;

    while (!(end = find_end(lines))) {
        lines->at = lines->end;
        refill(lines);
        if (lines->end == 0) {
            return;
        }
    }
    lines->at = (size_t)(end + 1 - lines->buffer);
}

bool ct_log_lines_next(struct ct_log_lines *lines, struct ct_log_line *ret_line)
{
    const char *end;

    /* Room for this line and the next one. */
    if (lines->end - lines->at < 2 * CT_LOG_LINE_MAX && !lines->at_end) {
        refill(lines);
    }
    if (lines->at == lines->end) {
        return false;
    }
    end = find_end(lines);
    ret_line->text = lines->buffer + lines->at;
    ret_line->has_end = end != NULL;
    ret_line->length =
        end ? (size_t)(end - ret_line->text) : lines->end - lines->at;
    if (ret_line->length <= CT_LOG_LINE_MAX) {
        lines->at += ret_line->length + ret_line->has_end;
        lines->given = lines->bytes - (lines->end - lines->at);
        return true;
    }
    ret_line->length = CT_LOG_LINE_MAX;
    ret_line->has_end = false;
    if (end) {
        lines->at = (size_t)(end + 1 - lines->buffer);
    } else {
        memcpy(lines->kept, ret_line->text, CT_LOG_LINE_MAX);
        ret_line->text = lines->kept;
        skip_line(lines);
    }
    lines->given = lines->bytes - (lines->end - lines->at);
    return true;
}

bool ct_log_lines_peek(const struct ct_log_lines *lines,
                       struct ct_log_line *ret_line)
{
    const char *end = find_end(lines);

    ret_line->text = lines->buffer + lines->at;
    ret_line->length =
        end ? (size_t)(end - ret_line->text) : lines->end - lines->at;
    ret_line->has_end = end != NULL;
    return lines->at < lines->end;
}
