/* SPDX-License-Identifier: MIT */
/*
 * find.c - what a path that a user gave is
 *
 * Directories are searched to a limited depth, and links to directories are
 * not followed below the path itself, so a loop can't catch us.  `record`
 * leaves a note beside the traces (cotrace.json); if it says that the
 * recording was cut off, the end of every stream is uncertain.  The note of a
 * log also says which program it is of; other traces say so themselves.
 */
#include "source/find.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/text/src-qemu-log.h"
#include "source/text/src-text.h"

#define DEPTH_MAX 16
#define DIRS_MAX  4096
#define NOTE      "cotrace.json"
#define NOTE_MAX  65536

static bool fail(GError **error, const char *path, const char *why)
{
    g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT, "%s: %s", path,
                why);
    return false;
}

/* NULL: there is none that can be read; the caller frees it. */
static char *read_note(const char *dir)
{
    char *path = g_build_filename(dir, NOTE, NULL);
    struct stat status;
    char *text = NULL;

    if (stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size <= NOTE_MAX) {
        (void)g_file_get_contents(path, &text, NULL, NULL);
    }
    g_free(path);
    return text;
}

/* The value of a member: the note is ours and flat, looking for its key is
 * enough.  A string that is a key has a colon behind it. */
static const char *find_member(const char *note, const char *key)
{
    const char *at = note;

    while ((at = strstr(at, key))) {
        at += strlen(key);
        at += strspn(at, " \t\r\n");
        if (*at == ':') {
            at++;
            return at + strspn(at, " \t\r\n");
        }
    }
    return NULL;
}

static bool note_says_cut_off(const char *dir)
{
    char *note = read_note(dir);
    const char *complete = note ? find_member(note, "\"complete\"") : NULL;
    bool cut_off = complete && g_str_has_prefix(complete, "false");

    g_free(note);
    return cut_off;
}

/* The base name; a name that had to be escaped is not worth reading. */
static char *note_says_program(const char *dir)
{
    char *note = read_note(dir);
    const char *path = note ? find_member(note, "\"program\"") : NULL;
    char *program = NULL;

    if (path && *path == '"') {
        size_t length = strcspn(path + 1, "\"\\");
        if (length > 0 && path[1 + length] == '"') {
            char *name = g_strndup(path + 1, length);
            program = g_path_get_basename(name);
            g_free(name);
        }
    }
    g_free(note);
    return program;
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

struct search {
    unsigned entries;
    char *log; /* a directory with a log of QEMU; NULL: none */
};

/* What can't be opened below the path is passed over: it may be anything. */
static void search(struct ct_found *found, const char *dir, unsigned depth,
                   struct search *seen)
{
    GDir *listing = g_dir_open(dir, 0, NULL);
    const char *name;

    if (!listing) {
        return;
    }
    found->cut_off = found->cut_off || note_says_cut_off(dir);
    if (is_regular(dir, "metadata") && found->dirs->len < DIRS_MAX) {
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
        }
        g_free(path);
    }
    g_dir_close(listing);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool find_in_directory(const char *path, struct ct_found *found,
                              GError **error)
{
    struct search seen = {0};

    if (access(path, R_OK | X_OK) < 0) {
        return fail(error, path, g_strerror(errno));
    }
    found->dirs = g_ptr_array_new_with_free_func(g_free);
    search(found, path, 0, &seen);
    g_autofree char *log = seen.log;
    if (found->dirs->len == 0) {
        /* A log is one recording, whose directory has to be named. */
        g_autofree char *below =
            g_strdup_printf("not a trace itself, but %s is", log);
        ct_found_fini(found);
        return fail(error, path,
                    seen.entries == 0 ? "not a trace: the directory is empty"
                    : is_regular(path, NOTE)
                        ? "holds no cotrace events: nothing was recorded"
                    : log ? below
                          : "not a trace: neither CTF metadata nor qemu.log "
                            "in it");
    }
    g_ptr_array_sort(found->dirs, compare);
    return true;
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
        found.cut_off = note_says_cut_off(path);
        found.program = note_says_program(path);
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
                    "trace log is)");
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
}
