/* SPDX-License-Identifier: MIT */
/*
 * recorded.c - what `record` says of a recording, beside it
 */
#include "source/recorded.h"

#include <string.h>
#include <sys/stat.h>

#define NAME      "cotrace.json"
#define BYTES_MAX 65536

/* The value of a member: the note is ours and flat, looking for its key is
 * enough.  A string that is a key has a colon behind it. */
static const char *find_member(const char *text, const char *key)
{
    const char *at = text;

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

/* A member's text; one that had to be escaped is not worth reading.  NULL:
 * there is none; the caller frees it. */
static char *find_string(const char *text, const char *key)
{
    const char *value = find_member(text, key);

    if (value && *value == '"') {
        size_t length = strcspn(value + 1, "\"\\");
        if (length > 0 && value[1 + length] == '"') {
            return g_strndup(value + 1, length);
        }
    }
    return NULL;
}

/* Those of others that stand beside it take nothing away. */
static bool has_all_ours(const char *patterns)
{
    g_auto(GStrv) list = g_strsplit(patterns, ",", -1);

    return g_strv_contains((const char *const *)list, "*") ||
           g_strv_contains((const char *const *)list, "cotrace:*");
}

static void read_members(struct ct_recorded *note, const char *text)
{
    const char *complete = find_member(text, "\"complete\"");
    const char *events = find_member(text, "\"own_events\"");
    g_autofree char *program = find_string(text, "\"program\"");
    g_autofree char *patterns = find_string(text, "\"patterns\"");

    note->cut_off = complete && g_str_has_prefix(complete, "false");
    note->own_events = events ? g_ascii_strtoull(events, NULL, 10) : 0;
    note->program = program ? g_path_get_basename(program) : NULL;
    if (patterns && !has_all_ours(patterns)) {
        note->chosen = g_steal_pointer(&patterns);
    }
}

struct ct_recorded ct_recorded_read(const char *dir)
{
    g_autofree char *path = g_build_filename(dir, NAME, NULL);
    g_autofree char *text = NULL;
    struct ct_recorded note = {0};
    struct stat status;

    note.is_there = stat(path, &status) == 0 && S_ISREG(status.st_mode);
    if (note.is_there && status.st_size <= BYTES_MAX &&
        g_file_get_contents(path, &text, NULL, NULL)) {
        read_members(&note, text);
    }
    return note;
}

void ct_recorded_fini(struct ct_recorded *note)
{
    g_clear_pointer(&note->program, g_free);
    g_clear_pointer(&note->chosen, g_free);
}
