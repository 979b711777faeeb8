/* SPDX-License-Identifier: MIT */
/*
 * note.c - writes cotrace.json
 *
 * File names and arguments are bytes; JSON is Unicode.  What is not valid UTF-8
 * is shown as U+FFFD: the note is for reading, nothing is opened by it.
 */
#include "session/output/note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FORMAT_VERSION 1

static void add_string(GString *text, const char *value)
{
    g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : NULL;

    if (!valid) {
        g_string_append(text, "null");
        return;
    }
    g_string_append_c(text, '"');
    for (const char *byte = valid; *byte; byte++) {
        if (*byte == '"' || *byte == '\\') {
            g_string_append_c(text, '\\');
        }
        if ((unsigned char)*byte < 0x20 || *byte == 0x7f) {
            g_string_append_printf(text, "\\u%04x", (unsigned)*byte);
        } else {
            g_string_append_c(text, *byte);
        }
    }
    g_string_append_c(text, '"');
}

static void add_number(GString *text, const char *name, bool known,
                       uint64_t value)
{
    g_string_append_printf(text, ",\n \"%s\": ", name);
    if (known) {
        g_string_append_printf(text, "%" G_GUINT64_FORMAT, value);
    } else {
        g_string_append(text, "null");
    }
}

/* Too large for a reader that keeps numbers as doubles. */
static void add_instant(GString *text, const char *name, int64_t value)
{
    if (value > 0) {
        g_string_append_printf(text, ",\n \"%s\": \"%" G_GINT64_FORMAT "\"",
                               name, value);
    } else {
        g_string_append_printf(text, ",\n \"%s\": null", name);
    }
}

static GString *compose(const struct ct_note *note)
{
    const struct ct_session_result *result = note->result;
    GString *text = g_string_new("{\"cotrace_recording\": ");

    g_string_append_printf(text, "%d,\n \"complete\": %s", FORMAT_VERSION,
                           result && result->complete ? "true" : "false");
    g_string_append(text, ",\n \"program\": ");
    add_string(text, note->program);
    g_string_append(text, ",\n \"argv\": [");
    for (char *const *argument = note->argv; *argument; argument++) {
        g_string_append(text, argument == note->argv ? "" : ", ");
        add_string(text, *argument);
    }
    g_string_append(text, "],\n \"patterns\": ");
    add_string(text, note->events ? note->events : "*");
    add_number(text, "pid", note->pid > 0, (uint64_t)note->pid);
    add_number(text, "exit_status", result,
               result ? (uint64_t)result->exit_status : 0);
    add_number(text, "events", result && result->counted,
               result ? result->events : 0);
    add_number(text, "own_events", result && result->counted,
               result ? result->own : 0);
    add_number(text, "discarded", result && result->counted,
               result ? result->discarded : 0);
    add_instant(text, "begin_ns", note->begin_ns);
    add_instant(text, "end_ns", note->end_ns);
    g_string_append(text, ",\n \"daemon\": ");
    add_string(text, note->daemon);
    g_string_append(text, ",\n \"not_recorded\": ");
    add_string(text, result ? result->not_recorded : NULL);
    if (note->qemu) {
        g_string_append(text, ",\n \"qemu\": {\"version\": ");
        add_string(text, note->qemu->version);
        g_string_append(text, ", \"clock\": ");
        add_string(text, note->qemu->clock);
        g_string_append_c(text, '}');
    }
    g_string_append(text, "}\n");
    return text;
}

static int write_text(const char *path, const char *text, size_t bytes)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int ret = file < 0 ? -errno : 0;

    for (size_t at = 0; !ret && at < bytes;) {
        ssize_t length = write(file, text + at, bytes - at);
        if (length >= 0) {
            at += (size_t)length;
        } else if (errno != EINTR) {
            ret = -errno;
        }
    }
    if (file >= 0 && close(file) && !ret) {
        ret = -errno;
    }
    return ret;
}

static int write_file(const char *path, const struct ct_note *note)
{
    GString *text = compose(note);
    int ret = write_text(path, text->str, text->len);

    g_string_free(text, TRUE);
    return ret;
}

int ct_note_claim(const char *output, const struct ct_note *note)
{
    g_autofree char *path = g_build_filename(output, CT_NOTE_NAME, NULL);
    g_autofree char *list = g_build_filename(output, CT_NOTE_EVENTS, NULL);
    int ret = write_file(path, note);

    if (!ret && note->qemu) {
        ret = write_text(list, note->qemu->events, strlen(note->qemu->events));
        if (ret == -EEXIST) {
            (void)unlink(path); /* ours; the list is not */
        }
    }
    return ret;
}

int ct_note_write(const char *output, const struct ct_note *note)
{
    g_autofree char *path = g_build_filename(output, CT_NOTE_NAME, NULL);
    g_autofree char *fresh = g_strconcat(path, ".new", NULL);

    int ret = write_file(fresh, note);
    if (!ret && rename(fresh, path)) {
        ret = -errno;
    }
    if (ret) {
        (void)unlink(fresh);
    }
    return ret;
}
