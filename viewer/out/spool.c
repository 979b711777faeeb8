/* SPDX-License-Identifier: MIT */
/*
 * spool.c - bytes that have to wait, in constant memory
 *
 * The buffer always holds the newest bytes: what lies before `start` is in the
 * file.  Reading on from where the last read ended goes through a second,
 * smaller window, so that a record costs a copy and not a system call.
 */
#include "out/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "out/file.h"

#define WINDOW_BYTES ((size_t)256 * 1024)

struct ct_spool {
    char *directory;
    int fd; /* -1: everything is still in memory */
    int error;
    char *buffer; /* bytes [start, length) */
    size_t size;  /* allocated; grows up to CT_SPOOL_MEMORY */
    uint64_t start;
    uint64_t length;
    char *window; /* bytes [window_start, + window_length) of the file */
    uint64_t window_start;
    size_t window_length;
    uint64_t read_end; /* where the last read ended */
};

struct ct_spool *ct_spool_new(const char *directory)
{
    struct ct_spool *spool = g_new0(struct ct_spool, 1);

    spool->directory = g_strdup(directory ? directory : g_get_tmp_dir());
    spool->fd = -1;
    spool->size = 4096;
    spool->buffer = g_malloc(spool->size);
    return spool;
}

void ct_spool_free(struct ct_spool *spool)
{
    if (!spool) {
        return;
    }
    if (spool->fd >= 0) {
        close(spool->fd);
    }
    g_free(spool->directory);
    g_free(spool->buffer);
    g_free(spool->window);
    g_free(spool);
}

static int open_nameless(const char *directory)
{
    g_autofree char *name = NULL;
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0) {
        return fd;
    }
    name = g_build_filename(directory, ".cotrace-XXXXXX", NULL);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0) {
        unlink(name);
    }
    return fd;
}

/* All that is in memory goes to the file. */
static void spill(struct ct_spool *spool)
{
    size_t held = (size_t)(spool->length - spool->start);
    size_t written = 0;

    if (spool->fd < 0 && !spool->error) {
        spool->fd = open_nameless(spool->directory);
        spool->error = spool->fd < 0 ? errno : 0;
    }
    while (!spool->error && written < held) {
        ssize_t n = pwrite(spool->fd, spool->buffer + written, held - written,
                           (off_t)(spool->start + written));

        if (n > 0) {
            written += (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            spool->error = errno;
        }
    }
    spool->start = spool->length;
}

uint64_t ct_spool_append(struct ct_spool *spool, const void *data,
                         size_t length)
{
    uint64_t position = spool->length;
    const char *from = data;

    while (length) {
        size_t held = (size_t)(spool->length - spool->start);
        size_t part = MIN(length, spool->size - held);

        if (!part) {
            if (spool->size < CT_SPOOL_MEMORY) {
                spool->size *= 4;
                spool->buffer = g_realloc(spool->buffer, spool->size);
            } else {
                spill(spool);
            }
            continue;
        }
        memcpy(spool->buffer + held, from, part);
        spool->length += part;
        from += part;
        length -= part;
    }
    return position;
}

static size_t file_read(struct ct_spool *spool, uint64_t position, char *to,
                        size_t length)
{
    size_t done = 0;

    while (!spool->error && done < length) {
        ssize_t n = pread(spool->fd, to + done, length - done,
                          (off_t)(position + done));

        if (n > 0) {
            done += (size_t)n;
        } else if (!n) {
            break;
        } else if (errno != EINTR) {
            spool->error = errno;
        }
    }
    return done;
}

static bool window_read(struct ct_spool *spool, uint64_t position, char *to,
                        size_t length)
{
    if (!spool->window) {
        spool->window = g_malloc(WINDOW_BYTES);
    }
    if (position < spool->window_start ||
        position + length > spool->window_start + spool->window_length) {
        if (length > WINDOW_BYTES || position != spool->read_end) {
            return file_read(spool, position, to, length) == length;
        }
        spool->window_start = position;
        spool->window_length =
            file_read(spool, position, spool->window,
                      (size_t)MIN(WINDOW_BYTES, spool->start - position));
        if (spool->window_length < length) {
            return false;
        }
    }
    memcpy(to, spool->window + (position - spool->window_start), length);
    return true;
}

bool ct_spool_read(struct ct_spool *spool, uint64_t position, void *to,
                   size_t length)
{
    char *at = to;

    if (spool->error || position + length > spool->length) {
        return false;
    }
    if (position < spool->start) {
        uint64_t end = position + length;
        size_t part = (size_t)MIN(length, spool->start - position);

        if (!window_read(spool, position, at, part)) {
            return false;
        }
        spool->read_end = end;
        position += part;
        at += part;
        length -= part;
    }
    memcpy(at, spool->buffer + (position - spool->start), length);
    return true;
}

void ct_spool_clear(struct ct_spool *spool)
{
    spool->start = 0;
    spool->length = 0;
    spool->window_length = 0;
    spool->window_start = 0;
}

uint64_t ct_spool_length(const struct ct_spool *spool)
{
    return spool->length;
}

bool ct_spool_error(const struct ct_spool *spool, GError **error)
{
    if (spool->error) {
        g_set_error(error, CT_OUT_ERROR, spool->error,
                    "%s: %s (data that waits for its turn)", spool->directory,
                    g_strerror(spool->error));
    }
    return spool->error != 0;
}
