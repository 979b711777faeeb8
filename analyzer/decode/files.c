/* SPDX-License-Identifier: MIT */
/*
 * files.c - what fds stand for
 *
 * A file may be told before anything tells that its process is a QEMU, so this
 * is no dialect's.
 */
#include "decode/files.h"

#include <glib.h>

#include "decode/fields.h"

enum { FILES_MAX = 65536 }; /* all processes together */

struct ct_files {
    GHashTable *paths; /* pid and fd -> path (owner) */
};

static gpointer key(int32_t pid, uint64_t fd)
{
    return GSIZE_TO_POINTER((gsize)(uint32_t)pid << 32 | (uint32_t)fd);
}

struct ct_files *ct_files_new(void)
{
    struct ct_files *files = g_new0(struct ct_files, 1);

    files->paths = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return files;
}

void ct_files_free(struct ct_files *files)
{
    if (files) {
        g_hash_table_unref(files->paths);
        g_free(files);
    }
}

void ct_files_told(struct ct_files *files, const struct ct_record *record)
{
    const char *path = S(NATIVE_FILE_PATH);
    gpointer at = key(record->pid, (uint64_t)I(NATIVE_FILE_FD));

    if (!path || !*path) {
        g_hash_table_remove(files->paths, at);
    } else if (g_hash_table_size(files->paths) < FILES_MAX ||
               g_hash_table_contains(files->paths, at)) {
        g_hash_table_insert(files->paths, at, g_strdup(path));
    }
}

const char *ct_files_find(const struct ct_files *files, int32_t pid,
                          uint64_t fd)
{
    return files ? g_hash_table_lookup(files->paths, key(pid, fd)) : NULL;
}
