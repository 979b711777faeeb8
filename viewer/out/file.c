/* SPDX-License-Identifier: MIT */
/*
 * file.c - where a view writes: standard output, or a file that appears whole
 * or not at all
 *
 * A file is made with O_TMPFILE: it has no name, so whatever ends this process
 * ends it too.  When it is complete it gets a temporary name and is renamed
 * over the old file, which is the one step that others can see.  Where the
 * file system has no such files (or /proc, which names them, is not there) a
 * file with a temporary name takes its place.
 */
#include "out/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)256 * 1024)

volatile sig_atomic_t ct_out_stopped;

GQuark ct_out_error_quark(void)
{
    return g_quark_from_static_string("ct-out-error");
}

static struct ct_out *fail(GError **error, const char *name, int reason)
{
    g_set_error(error, CT_OUT_ERROR, reason, "%s: %s", name,
                g_strerror(reason));
    return NULL;
}

static struct ct_out *made(int fd, const char *name)
{
    struct ct_out *out = g_new0(struct ct_out, 1);

    out->size_bytes = BUFFER_BYTES;
    out->buffer = g_malloc(out->size_bytes);
    out->fd = fd;
    out->is_terminal = isatty(fd);
    out->name = g_strdup(name);
    return out;
}

/* A name beside @path that no other process uses. */
static char *temporary_name(const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *base = g_path_get_basename(path);

    return g_strdup_printf("%s/.%.200s.%08x%08x", directory, base,
                           g_random_int(), (unsigned)getpid());
}

static struct ct_out *open_new(const char *path, const char *name, mode_t mode,
                               GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    struct ct_out *out;
    char *temporary = NULL;
    int fd = -1;

    if (!access("/proc/self/fd", X_OK)) {
        fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    }
    for (int attempt = 0; fd < 0 && attempt < 100; attempt++) {
        g_free(temporary);
        temporary = temporary_name(path);
        fd = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) {
            break;
        }
    }
    if (fd < 0) {
        int reason = errno;

        g_free(temporary);
        return fail(error, name, reason);
    }
    if (mode) {
        /* Who may read it stays as the owner had it; refused: as new. */
        (void)!fchmod(fd, mode & 0777);
    }
    out = made(fd, name);
    out->path = g_strdup(path);
    out->temporary = temporary;
    return out;
}

struct ct_out *ct_out_open(const char *path, GError **error)
{
    g_autofree char *target = NULL;
    struct stat status;
    char *resolved;
    int fd;

    if (!path || !strcmp(path, "-")) {
        fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? fail(error, "standard output", errno)
                      : made(fd, "standard output");
    }
    if (stat(path, &status)) {
        if (errno != ENOENT) {
            return fail(error, path, errno);
        }
        return open_new(path, path, 0, error);
    }
    if (S_ISDIR(status.st_mode)) {
        return fail(error, path, EISDIR);
    }
    /* A pipe or device can't be replaced; and what has no name (a deleted
     * file behind /dev/stdout) is written where it is. */
    resolved = realpath(path, NULL);
    if (!S_ISREG(status.st_mode) || !resolved) {
        free(resolved);
        fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return fd < 0 ? fail(error, path, errno) : made(fd, path);
    }
    target = g_strdup(resolved);
    free(resolved);
    if (access(target, W_OK)) {
        return fail(error, path, errno);
    }
    if (g_str_has_prefix(path, "/dev/") || g_str_has_prefix(path, "/proc/")) {
        /* The shell has opened it for us, perhaps with more behind it. */
        fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd < 0 ? fail(error, path, errno) : made(fd, path);
    }
    return open_new(target, path, status.st_mode, error);
}

struct ct_out *ct_out_memory(void)
{
    struct ct_out *out = g_new0(struct ct_out, 1);

    out->size_bytes = (size_t)2 * CT_OUT_ROOM;
    out->buffer = g_malloc(out->size_bytes);
    out->fd = -1;
    return out;
}

bool ct_out_flush(struct ct_out *out)
{
    size_t written = 0;

    if (out->fd < 0) {
        out->size_bytes *= 2;
        out->buffer = g_realloc(out->buffer, out->size_bytes);
        return true;
    }
    while (!out->error && written < out->used_bytes) {
        ssize_t n =
            write(out->fd, out->buffer + written, out->used_bytes - written);

        if (n > 0) {
            written += (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            out->error = errno;
        }
        if (ct_out_stopped && !out->error) {
            out->error = EINTR;
        }
    }
    out->written_bytes += out->used_bytes;
    out->used_bytes = 0;
    return !out->error;
}

void ct_out_write(struct ct_out *out, const void *data, size_t length)
{
    const char *from = data;

    while (length) {
        size_t room = out->size_bytes - out->used_bytes;
        size_t part = MIN(room, length);

        if (!room) {
            (void)ct_out_flush(out);
            continue;
        }
        memcpy(out->buffer + out->used_bytes, from, part);
        out->used_bytes += part;
        from += part;
        length -= part;
    }
}

bool ct_out_failed(const struct ct_out *out, GError **error)
{
    fail(error, out->name, out->error);
    return false;
}

/* From no name to its own: the link can't replace, the rename can. */
static bool take_name(struct ct_out *out)
{
    bool taken;

    if (!out->temporary) {
        g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", out->fd);

        out->temporary = temporary_name(out->path);
        if (linkat(AT_FDCWD, self, AT_FDCWD, out->temporary,
                   AT_SYMLINK_FOLLOW)) {
            out->error = errno;
            g_clear_pointer(&out->temporary, g_free);
            return false;
        }
    }
    taken = !rename(out->temporary, out->path);
    if (taken) {
        g_clear_pointer(&out->temporary, g_free);
    } else {
        out->error = errno;
    }
    return taken;
}

bool ct_out_close(struct ct_out *out, bool keep, GError **error)
{
    bool done = true;

    if (!out) {
        return true;
    }
    if (keep && out->fd >= 0) {
        done = ct_out_flush(out) && (!out->path || take_name(out));
    }
    if (out->temporary) {
        (void)unlink(out->temporary);
    }
    /* Some file systems tell only here that there was no room. */
    if (out->fd >= 0 && close(out->fd) && keep && done && errno != EINTR) {
        out->error = errno;
        done = false;
    }
    if (!done) {
        ct_out_failed(out, error);
    }
    g_free(out->buffer);
    g_free(out->name);
    g_free(out->path);
    g_free(out->temporary);
    g_free(out);
    return done;
}
