/* SPDX-License-Identifier: MIT */
/*
 * open.c - opens, reopens and closes the image
 *
 * The program's own image is told of as our programs do; what a script opens
 * is answered in qemu-io's words.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "workloads/io/io.h"

static bool session_open(struct io_session *io, const char *filename,
                         GError **error)
{
    io->blk = blk_new_open(filename, &io->options, io->ctx, error);
    if (io->blk == NULL) {
        return false;
    }
    io_tell_guarded(io->blk, filename);
    io->filename = g_strdup(filename);
    if (io->blk_ctx != io->ctx) {
        blk_set_aio_context(io->blk, io->blk_ctx);
    }
    return true;
}

bool io_session_open(struct io_session *io, const char *filename)
{
    g_autoptr(GError) error = NULL;

    if (session_open(io, filename, &error)) {
        return true;
    }
    fprintf(stderr, "cotrace-io: %s: %s\n", filename, error->message);
    io->status = IO_BAD_INPUT;
    return false;
}

void io_session_close(struct io_session *io)
{
    if (io->blk == NULL) {
        return;
    }
    int ret = blk_inactivate(io->blk);
    const char *fault = blk_fault(io->blk);
    if (fault != NULL) {
        fprintf(stderr, "cotrace-io: %s: %s\n", io->filename, fault);
    } else if (ret < 0) {
        fprintf(stderr, "cotrace-io: %s: closing: %s\n", io->filename,
                g_strerror(-ret));
    }
    if (fault != NULL || ret < 0) {
        io->status = IO_BAD_INPUT;
    }
    blk_unref(io->blk);
    io->blk = NULL;
    g_clear_pointer(&io->filename, g_free);
}

bool io_parse_cache(const char *mode, BlockOptions *options)
{
    return blk_parse_cache_mode(mode, options) == 0;
}

bool io_parse_discard(const char *mode, BlockOptions *options)
{
    static const char *const modes[] = {"unmap", "on", "ignore", "off", NULL};

    options->has_discard =
        strcmp(mode, "unmap") == 0 || strcmp(mode, "on") == 0;
    return g_strv_contains(modes, mode);
}

/* What `open -o` says beside what is in BlockOptions. */
struct open_list {
    char **words;         /* "key=value", cut to "key" and what is behind it */
    const char *filename; /* NULL: it does not say */
    const char *unknown;  /* a key that we don't have, or NULL */
    const char *no_bool;  /* a key whose value is neither on nor off, or NULL */
    bool is_bad_discard;
};

static void take_switch(struct open_list *list, const char *key,
                        const char *value, bool negated, bool *ret_on)
{
    if (strcmp(value, "on") == 0 || strcmp(value, "off") == 0) {
        *ret_on = (strcmp(value, "on") == 0) != negated;
    } else if (list->no_bool == NULL) {
        list->no_bool = key;
    }
}

/* An option without a value is on, as QEMU's are. */
static void take_open_option(struct open_list *list, char *key,
                             BlockOptions *options)
{
    char *equals = strchr(key, '=');
    const char *value = equals != NULL ? equals + 1 : "on";

    if (equals != NULL) {
        *equals = '\0';
    }
    if (strcmp(key, "driver") == 0) {
        options->format = value;
    } else if (strcmp(key, "file.filename") == 0) {
        list->filename = value;
    } else if (strcmp(key, "read-only") == 0) {
        take_switch(list, key, value, true, &options->is_writable);
    } else if (strcmp(key, "cache.direct") == 0) {
        take_switch(list, key, value, false, &options->is_direct);
    } else if (strcmp(key, "cache.no-flush") == 0) {
        take_switch(list, key, value, false, &options->is_unsafe);
    } else if (strcmp(key, "discard") == 0) {
        list->is_bad_discard |= !io_parse_discard(value, options);
    } else if (list->unknown == NULL) {
        list->unknown = key;
    }
}

/* As qemu-io says it.  Return: false. */
__attribute__((format(printf, 2, 3))) static bool refuse(const char *filename,
                                                         const char *format,
                                                         ...)
{
    va_list args;

    fprintf(stderr, "cotrace-io: can't open device %s: ", filename);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

static void tell_open_failed(const char *filename, bool is_writable,
                             const GError *error)
{
    static const char driver[] = "unknown format ";
    const char *why = error->message;

    if (strcmp(why, g_strerror(EISDIR)) == 0 && !is_writable) {
        refuse(filename, "'file' driver requires '%s' to be a regular file",
               filename);
    } else if (strcmp(why, g_strerror(error->code)) == 0) {
        refuse(filename, "Could not open '%s': %s", filename, why);
    } else if (strcmp(why, "not a qcow2 image") == 0) {
        refuse(filename, "Image is not in qcow2 format");
    } else if (g_str_has_prefix(why, driver)) {
        refuse(filename, "Unknown driver %s", why + strlen(driver));
    } else {
        refuse(filename, "%s", why);
    }
}

/* @wants_writing: `open` without -r, whatever the list says */
static bool open_listed(struct io_session *io, const struct open_list *list,
                        const char *path, bool wants_writing)
{
    const char *filename = path != NULL ? path : list->filename;
    g_autoptr(GError) error = NULL;

    if (filename == NULL) {
        fputs(io->options.format != NULL
                  ? "cotrace-io: can't open: A block device must be specified "
                    "for \"file\"\n"
                  : "cotrace-io: can't open: Must specify either driver or "
                    "file\n",
              stderr);
        return false;
    }
    if (path != NULL && list->filename != NULL) {
        return refuse(path, "Can't specify 'file' and 'filename' options at "
                            "the same time");
    }
    if (list->no_bool != NULL) {
        return refuse(filename, "Parameter '%s' expects 'on' or 'off'",
                      list->no_bool);
    }
    if (list->is_bad_discard) {
        return refuse(filename, "Invalid discard option");
    }
    if (!session_open(io, filename, &error)) {
        tell_open_failed(filename, io->options.is_writable, error);
        return false;
    }
    if (list->unknown != NULL) {
        refuse(filename, "Block format '%s' does not support the option '%s'",
               blk_format(io->blk), list->unknown);
    } else if (wants_writing && !io->options.is_writable) {
        refuse(filename, "Block node is read-only");
    } else {
        return true;
    }
    io_session_close(io);
    return false;
}

bool io_open(struct io_session *io, int argc, char **argv)
{
    const char *format = io->options.format;
    struct open_list list = {0};
    const char *text = NULL;
    bool wants_writing, done;
    int letter;

    /* Of the program's options the format and the engine stay. */
    io->options.is_writable = true;
    optind = 0;
    while ((letter = getopt(argc, argv, "rUnt:d:o:")) != -1) {
        if (letter == '?') {
            io_usage(argv[0]);
            return false;
        }
        if (letter == 'n') {
            (void)io_parse_cache("none", &io->options);
        }
        if (letter == 'o') {
            text = optarg;
        }
        if (letter == 'r') {
            io->options.is_writable = false;
        }
        if (letter == 't' && !io_parse_cache(optarg, &io->options)) {
            fprintf(stderr, "cotrace-io: Invalid cache option: %s\n", optarg);
            return false;
        }
        if (letter == 'd' && !io_parse_discard(optarg, &io->options)) {
            fprintf(stderr, "cotrace-io: Invalid discard option: %s\n", optarg);
            return false;
        }
    }
    if (optind < argc - 1 || (optind == argc && text == NULL)) {
        io_usage(argv[0]);
        return false;
    }
    if (io->blk != NULL) {
        fprintf(stderr, "cotrace-io: file open already, try 'help close'\n");
        return false;
    }
    wants_writing = io->options.is_writable;
    list.words = g_strsplit(text != NULL ? text : "", ",", -1);
    for (char **word = list.words; *word != NULL; word++) {
        take_open_option(&list, *word, &io->options);
    }
    done = open_listed(io, &list, argv[optind], wants_writing);
    g_strfreev(list.words);
    io->options.format = format; /* that of -o is for this time */
    return done;
}

/* "key=value,.."; false: told */
static bool take_option_list(const char *text, const char *format,
                             BlockOptions *options, bool has_mode,
                             bool has_cache)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);

    for (int i = 0; words[i] != NULL; i++) {
        char *value = strchr(words[i], '=');
        bool is_on = value != NULL && strcmp(value, "=on") == 0;
        if (value != NULL) {
            *value = '\0';
        }
        if (strcmp(words[i], "read-only") == 0 && has_mode) {
            fprintf(stderr,
                    "cotrace-io: Cannot set both -r/-w and 'read-only'\n");
            return false;
        }
        if (g_str_has_prefix(words[i], "cache.") && has_cache) {
            fprintf(stderr,
                    "cotrace-io: Cannot set both -c and the cache options\n");
            return false;
        }
        if (strcmp(words[i], "read-only") == 0) {
            options->is_writable = !is_on;
        } else if (strcmp(words[i], "cache.direct") == 0) {
            options->is_direct = is_on;
        } else if (strcmp(words[i], "cache.no-flush") == 0) {
            options->is_unsafe = is_on;
        } else if (strcmp(words[i], "driver") == 0 && value != NULL &&
                   strcmp(value + 1, format) == 0) {
            continue; /* as it is */
        } else if (strcmp(words[i], "discard") != 0 || value == NULL ||
                   !io_parse_discard(value + 1, options)) {
            fprintf(stderr, "cotrace-io: Cannot change the option '%s'\n",
                    words[i]);
            return false;
        }
    }
    return true;
}

bool io_reopen(struct io_session *io, int argc, char **argv)
{
    BlockOptions options = blk_get_options(io->blk);
    bool has_mode = false, has_cache = false;
    char *list = NULL;
    g_autoptr(GError) error = NULL;
    int letter;

    optind = 0;
    while ((letter = getopt(argc, argv, "c:o:rw")) != -1) {
        if (letter == '?') {
            io_usage(argv[0]);
            return false;
        }
        if (letter == 'c') {
            has_cache = true;
            if (!io_parse_cache(optarg, &options)) {
                fprintf(stderr, "cotrace-io: Invalid cache option: %s\n",
                        optarg);
                return false;
            }
        } else if (letter == 'o') {
            list = optarg;
        } else if (has_mode) {
            fprintf(stderr, "cotrace-io: Only one -r/-w option may be given\n");
            return false;
        } else {
            has_mode = true;
            options.is_writable = letter == 'w';
        }
    }
    if (optind != argc) {
        io_usage(argv[0]);
        return false;
    }
    if (list != NULL && !take_option_list(list, blk_format(io->blk), &options,
                                          has_mode, has_cache)) {
        return false;
    }
    if (blk_reopen(io->blk, &options, &error) < 0) {
        fprintf(stderr, "cotrace-io: %s\n", error->message);
        return false;
    }
    return true;
}

bool io_close(struct io_session *io, int argc, char **argv)
{
    io_session_close(io);
    return true;
}
