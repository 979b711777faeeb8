/* SPDX-License-Identifier: MIT */
/*
 * find.c - what a path that a user gave is
 *
 * Directories are searched to a limited depth, and links to directories are
 * not followed below the path itself, so a loop can't catch us.  `record`
 * leaves a note beside the traces (cotrace.json); if it says that the
 * recording was cut off, the end of every stream is uncertain.  The note of a
 * log also says which program it is of; other traces say so themselves.
 *
 * What may not be looked into may be a part of the trace, so it is named: a
 * recording of root's is often opened by another user.
 */
#include "source/find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/recorded.h"
#include "source/text/src-qemu-log.h"
#include "source/text/src-text.h"

#define DEPTH_MAX 16
#define DIRS_MAX  4096
#define LOOKS_MAX 64 /* into the files of one directory */
#define CTF_MAGIC UINT32_C(0xc1fc1fc1)

static bool fail(GError **error, const char *path, const char *why)
{
    g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT, "%s: %s", path,
                why);
    return false;
}

/* Of all recordings in it what one says is said of all. */
static void see_note(struct ct_found *found, const char *dir)
{
    struct ct_recorded note = ct_recorded_read(dir);

    found->cut_off |= note.cut_off;
    if (!found->chosen) {
        found->chosen = g_steal_pointer(&note.chosen);
    }
    ct_recorded_fini(&note);
}

static bool is_regular(const char *dir, const char *name)
{
    char *path = g_build_filename(dir, name, NULL);
    bool regular = g_file_test(path, G_FILE_TEST_IS_REGULAR);

    g_free(path);
    return regular;
}

static bool is_directory(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* A file of packets begins with this, in the byte order of who wrote it. */
static bool is_stream(const char *dir, const char *name)
{
    char *path = g_build_filename(dir, name, NULL);
    FILE *file = is_regular(dir, name) ? fopen(path, "re") : NULL;
    uint32_t magic = 0;
    bool is = file && fread(&magic, sizeof(magic), 1, file) == 1 &&
              (magic == CTF_MAGIC || GUINT32_SWAP_LE_BE(magic) == CTF_MAGIC);

    if (file) {
        (void)fclose(file);
    }
    g_free(path);
    return is;
}

/* errno: why not. */
static bool may_search(const char *dir)
{
    return faccessat(AT_FDCWD, dir, R_OK | X_OK, AT_EACCESS) == 0;
}

struct search {
    unsigned entries;
    char *log; /* a directory with a log of QEMU; NULL: none */
};

static void leave_out(struct ct_found *found, const char *dir, const char *why)
{
    if (found->n_left_out++ == 0) {
        found->left_out = g_strdup_printf("%s: %s", dir, why);
    }
}

static void search(struct ct_found *found, const char *dir, unsigned depth,
                   struct search *seen)
{
    GDir *listing = may_search(dir) ? g_dir_open(dir, 0, NULL) : NULL;
    bool has_metadata, has_stream = false;
    unsigned looks = LOOKS_MAX;
    const char *name;

    if (!listing) {
        leave_out(found, dir, g_strerror(errno));
        return;
    }
    has_metadata = is_regular(dir, "metadata");
    see_note(found, dir);
    if (has_metadata && found->dirs->len < DIRS_MAX) {
        g_ptr_array_add(found->dirs, g_strdup(dir));
    }
    if (!seen->log && is_regular(dir, "qemu.log")) {
        seen->log = g_strdup(dir);
    }
    while ((name = g_dir_read_name(listing))) {
        char *path = g_build_filename(dir, name, NULL);

        seen->entries++;
        if (depth < DEPTH_MAX && is_directory(path)) {
            search(found, path, depth + 1, seen);
        } else if (!has_metadata && !has_stream && looks > 0) {
            looks--;
            has_stream = is_stream(dir, name);
        }
        g_free(path);
    }
    g_dir_close(listing);
    if (has_stream) {
        leave_out(found, dir, "CTF streams without their metadata file");
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Why a directory in which nothing was left out is no trace. */
static bool fail_of_directory(const char *path, const struct search *seen,
                              GError **error)
{
    struct ct_recorded note = ct_recorded_read(path);
    uint64_t n = note.own_events;
    g_autofree char *why = NULL;

    if (n > 0) {
        why = g_strdup_printf("%" G_GUINT64_FORMAT " event%s recorded, and the "
                              "trace is not there any more",
                              n, n == 1 ? " was" : "s were");
    } else if (seen->log && !note.is_there) {
        /* A log is one recording, whose directory has to be named. */
        why = g_strdup_printf("not a trace itself, but %s is", seen->log);
    }
    fail(error, path,
         why                  ? why
         : seen->entries == 0 ? "not a trace: the directory is empty"
         : note.is_there
             ? "holds no cotrace events: nothing was recorded"
             : "not a trace: neither CTF metadata nor qemu.log in it");
    ct_recorded_fini(&note);
    return false;
}

static bool find_in_directory(const char *path, struct ct_found *found,
                              GError **error)
{
    struct search seen = {0};
    bool good;

    if (!may_search(path)) {
        return fail(error, path, g_strerror(errno));
    }
    found->dirs = g_ptr_array_new_with_free_func(g_free);
    search(found, path, 0, &seen);
    g_ptr_array_sort(found->dirs, compare);
    good = found->dirs->len > 0;
    if (!good && found->left_out) {
        g_set_error_literal(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT,
                            found->left_out);
    } else if (!good) {
        fail_of_directory(path, &seen, error);
    }
    if (!good) {
        ct_found_fini(found);
    }
    g_free(seen.log);
    return good;
}

bool ct_find(const char *path, struct ct_found *ret_found, GError **error)
{
    struct ct_found found = {0};
    struct stat status;

    if (stat(path, &status) < 0) {
        return fail(error, path, g_strerror(errno));
    }
    if (S_ISDIR(status.st_mode) && ct_log_recognise(path)) {
        found.is_log = true;
        struct ct_recorded note = ct_recorded_read(path);
        found.cut_off = note.cut_off;
        found.program = g_steal_pointer(&note.program);
        found.chosen = g_steal_pointer(&note.chosen);
    } else if (S_ISDIR(status.st_mode)) {
        if (!find_in_directory(path, &found, error)) {
            return false;
        }
    } else if (!S_ISREG(status.st_mode)) {
        return fail(error, path, "not a trace: neither a file nor a directory");
    } else if (access(path, R_OK) < 0) {
        return fail(error, path, g_strerror(errno));
    } else if (ct_text_recognise(path)) {
        found.is_text = true;
    } else if (ct_log_recognise(path)) {
        found.is_log = true;
    } else {
        return fail(error, path,
                    "not a trace (a directory of one, a text trace, or QEMU's "
                    "log or binary trace file is)");
    }
    *ret_found = found;
    return true;
}

void ct_found_fini(struct ct_found *found)
{
    if (found->dirs) {
        g_ptr_array_unref(found->dirs);
        found->dirs = NULL;
    }
    g_clear_pointer(&found->program, g_free);
    g_clear_pointer(&found->left_out, g_free);
    g_clear_pointer(&found->chosen, g_free);
}
