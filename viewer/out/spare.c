/* SPDX-License-Identifier: MIT */
/*
 * spare.c - a file that is about to be written: does it hold what is read?
 *
 * A trace can't be recorded again, so one slip of the hand must not replace it.
 * Of a directory everything is spared that belongs to a recording: by its name,
 * or by the magic number that streams and their indexes begin with.  Other
 * files in it are the user's: a timeline beside the trace may be made anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "out/file.h"

#define MAGIC_STREAM UINT32_C(0xc1fc1fc1)
#define MAGIC_INDEX  UINT32_C(0xc1f1dcc1)

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Is one of the folders above @path the one of @folder? */
static bool is_below(const char *path, const struct stat *folder)
{
    char *resolved = realpath(path, NULL);
    struct stat status;
    bool found = false;
    char *slash;

    while (resolved && !found && (slash = strrchr(resolved, '/'))) {
        *slash = '\0';
        found = !stat(*resolved ? resolved : "/", &status) &&
                is_same(&status, folder);
    }
    free(resolved);
    return found;
}

static bool is_recorded(const char *path)
{
    static const char *const names[] = {"metadata", "cotrace.json", "qemu.log",
                                        "qemu.events"};
    g_autofree char *base = g_path_get_basename(path);
    uint32_t magic = 0;
    int fd;

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!strcmp(base, names[i])) {
            return true;
        }
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return false;
    }
    if (read(fd, &magic, sizeof(magic)) != (ssize_t)sizeof(magic)) {
        magic = 0;
    }
    close(fd);
    return magic == MAGIC_STREAM || GUINT32_SWAP_LE_BE(magic) == MAGIC_STREAM ||
           magic == MAGIC_INDEX || GUINT32_SWAP_LE_BE(magic) == MAGIC_INDEX;
}

bool ct_out_spares(const char *path, const char *input, GError **error)
{
    struct stat output, read;

    if (!path || !input || !strcmp(path, "-") || stat(path, &output) ||
        !S_ISREG(output.st_mode) || stat(input, &read)) {
        return true;
    }
    if (is_same(&output, &read)) {
        g_set_error(error, CT_OUT_ERROR, EEXIST,
                    "%s: is what is read: it would be overwritten", path);
        return false;
    }
    if (S_ISDIR(read.st_mode) && is_below(path, &read) && is_recorded(path)) {
        g_set_error(error, CT_OUT_ERROR, EEXIST,
                    "%s: is a part of the trace: it would be overwritten",
                    path);
        return false;
    }
    return true;
}
