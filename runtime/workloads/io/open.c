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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workloads/io/io.h"

bool io_check_share(bool is_shared, const BlockOptions *options, GError **error)
{
    if (!is_shared || !options->is_writable) {
        return true;
    }
    g_set_error_literal(error, BLOCK_ERROR, EINVAL,
                        "force-share=on can only be used with read-only "
                        "images");
    return false;
}

static bool session_open(struct io_session *io, const char *filename,
                         const BlockOptions *options, GError **error)
{
    io->blk = blk_new_open(filename, options, io->ctx, error);
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

    if (io_check_share(io->is_shared, &io->options, &error) &&
        session_open(io, filename, &io->options, &error)) {
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

bool io_parse_engine(const char *mode, BlockOptions *options)
{
    static const char *const modes[] = {"threads", "native", "io_uring", NULL};

    options->engine = mode;
    return g_strv_contains(modes, mode);
}

/* What `-o` says beside what is in BlockOptions. */
struct option_list {
    const char *filename; /* NULL: it does not say */
    const char *unknown;  /* a key that we don't have, or NULL */
    const char *no_bool;  /* a key whose value is neither on nor off, or NULL */
    bool is_bad_discard;
    bool has_mode; /* read-only is among them */
    bool has_cache;
};

static void take_switch(struct option_list *list, const char *key,
                        const char *value, bool negated, bool *ret_on)
{
    if (strcmp(value, "on") == 0 || strcmp(value, "off") == 0) {
        *ret_on = (strcmp(value, "on") == 0) != negated;
    } else if (list->no_bool == NULL || negated) {
        list->no_bool = key; /* read-only is looked at first */
    }
}

/* An option without a value is on, or behind "no" off, as QEMU's are. */
static void take_list_option(struct option_list *list, char *key,
                             BlockOptions *options)
{
    char *equals = strchr(key, '=');
    const char *value = equals != NULL ? equals + 1 : "on";

    if (equals != NULL) {
        *equals = '\0';
    } else {
        const char *typed = key;
        if (g_str_has_prefix(key, "no")) {
            key += strlen("no");
            value = "off";
        }
        fprintf(stderr,
                "cotrace-io: warning: short-form boolean option '%s' "
                "deprecated\nPlease use %s=%s instead\n",
                typed, key, value);
    }
    if (strcmp(key, "driver") == 0) {
        options->format = value;
    } else if (strcmp(key, "file.filename") == 0) {
        list->filename = value;
    } else if (strcmp(key, "read-only") == 0) {
        list->has_mode = true;
        take_switch(list, key, value, true, &options->is_writable);
    } else if (strcmp(key, "cache.direct") == 0) {
        list->has_cache = true;
        take_switch(list, key, value, false, &options->is_direct);
    } else if (strcmp(key, "cache.no-flush") == 0) {
        list->has_cache = true;
        take_switch(list, key, value, false, &options->is_unsafe);
    } else if (strcmp(key, "discard") == 0) {
        list->is_bad_discard |= !io_parse_discard(value, options);
    } else if (list->unknown == NULL) {
        list->unknown = key;
    }
}

/* @words: what -o says; @list and @options point into them */
static void take_list(struct option_list *list, char **words,
                      BlockOptions *options)
{
    *list = (struct option_list){0};
    for (char **word = words; *word != NULL; word++) {
        take_list_option(list, *word, options);
    }
}

/* As qemu-io says it.  @path: NULL: only the list has one.  Return: false. */
__attribute__((format(printf, 2, 3))) static bool refuse(const char *path,
                                                         const char *format,
                                                         ...)
{
    va_list args;

    fprintf(stderr,
            "cotrace-io: can't open%s%s: ", path != NULL ? " device " : "",
            path != NULL ? path : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

/* "backing file 'NAME': WHY"; @ret_name is where it lies, seen from
 * @filename.  Return: WHY; NULL: it is about something else. */
static const char *take_backing(const char *why, const char *filename,
                                char **ret_name)
{
    static const char prefix[] = "backing file '";
    const char *name = why + strlen(prefix), *end;

    if (!g_str_has_prefix(why, prefix) || (end = strstr(name, "': ")) == NULL) {
        return NULL;
    }
    const char *slash = *name == '/' ? NULL : strrchr(filename, '/');
    int folder = slash != NULL ? (int)(slash + 1 - filename) : 0;
    *ret_name =
        g_strdup_printf("%.*s%.*s", folder, filename, (int)(end - name), name);
    return end + strlen("': ");
}

/* Why a file can't be opened in qemu-io's words, where they are known. */
static char *translate(const char *filename, const char *why, int code,
                       bool is_writable)
{
    static const char version[] = "qcow2 version ", driver[] = "unknown format";
    g_autofree char *backing = NULL;
    const char *below = take_backing(why, filename, &backing);

    if (below != NULL) {
        g_autofree char *rest = translate(backing, below, code, false);
        return g_strdup_printf("Could not open backing file: %s", rest);
    }
    if (strcmp(why, g_strerror(EISDIR)) == 0 && !is_writable) {
        return g_strdup_printf(
            "'file' driver requires '%s' to be a regular file", filename);
    }
    if (strcmp(why, g_strerror(code)) == 0) {
        return g_strdup_printf("Could not open '%s': %s", filename, why);
    }
    if (strcmp(why, "not a qcow2 image") == 0) {
        return g_strdup("Image is not in qcow2 format");
    }
    if (g_str_has_prefix(why, "the image is corrupt;")) {
        return g_strdup("qcow2: Image is corrupt; cannot be opened read/write");
    }
    if (g_str_has_prefix(why, version)) {
        return g_strdup_printf("Unsupported %s%d", version,
                               atoi(why + strlen(version)));
    }
    if (g_str_has_prefix(why, driver)) {
        return g_strdup_printf("Unknown driver%s", why + strlen(driver));
    }
    return g_strdup(why);
}

/* `open`, as its letters and -o say. */
struct open_request {
    BlockOptions options;
    struct option_list list;
    const char *path;   /* NULL: only the list may have one */
    bool is_shared;     /* -U */
    bool wants_writing; /* no -r, whatever -o says */
};

/* What is wrong before anything is opened, in qemu-io's order; false: told. */
static bool check_request(const struct open_request *r)
{
    static const char *const formats[] = {"raw", "qcow2", NULL};
    const char *format = r->options.format;
    bool has_name = r->path != NULL || r->list.filename != NULL;
    g_autoptr(GError) error = NULL;

    if (r->path != NULL && r->list.filename != NULL) {
        return refuse(r->path, "Can't specify 'file' and 'filename' options at "
                               "the same time");
    }
    if (r->list.no_bool != NULL) {
        return refuse(r->path, "Parameter '%s' expects 'on' or 'off'",
                      r->list.no_bool);
    }
    if (format == NULL && !has_name) {
        return refuse(r->path, "Must specify either driver or file");
    }
    if (format != NULL && !g_strv_contains(formats, format)) {
        return refuse(r->path, "Unknown driver '%s'", format);
    }
    if (!io_check_share(r->is_shared, &r->options, &error)) {
        return refuse(r->path, "%s", error->message);
    }
    if (r->list.is_bad_discard) {
        return refuse(r->path, "Invalid discard option");
    }
    return has_name ||
           refuse(NULL, "A block device must be specified for \"file\"");
}

static bool open_requested(struct io_session *io, const struct open_request *r)
{
    const char *filename = r->path != NULL ? r->path : r->list.filename;
    g_autoptr(GError) error = NULL;

    if (!check_request(r)) {
        return false;
    }
    if (!session_open(io, filename, &r->options, &error)) {
        g_autofree char *why = translate(filename, error->message, error->code,
                                         r->options.is_writable);
        return refuse(r->path, "%s", why);
    }
    if (r->list.unknown != NULL) {
        refuse(r->path, "Block format '%s' does not support the option '%s'",
               blk_format(io->blk), r->list.unknown);
    } else if (r->wants_writing && !r->options.is_writable) {
        refuse(r->path, "Block node is read-only");
    } else {
        return true;
    }
    io_session_close(io);
    return false;
}

/* -t, -d or -i; false: told */
static bool take_mode(int letter, const char *mode, BlockOptions *options)
{
    const char *what;

    switch (letter) {
    case 't':
        what = io_parse_cache(mode, options) ? NULL : "cache";
        break;
    case 'd':
        what = io_parse_discard(mode, options) ? NULL : "discard";
        break;
    default:
        what = io_parse_engine(mode, options) ? NULL : "aio";
        break;
    }
    if (what != NULL) {
        fprintf(stderr, "cotrace-io: Invalid %s option: %s\n", what, mode);
    }
    return what == NULL;
}

/* Return: false: told */
static bool take_open_letter(struct open_request *r, int letter)
{
    switch (letter) {
    case 'n':
        return io_parse_cache("none", &r->options);
    case 'k':
        return io_parse_engine("native", &r->options);
    case 'r':
        r->options.is_writable = false;
        return true;
    case 'U':
        r->is_shared = true;
        return true;
    case 's':
    case 'C':
        fprintf(stderr, "cotrace-io: open: -%c is not supported\n", letter);
        return false;
    default:
        return take_mode(letter, optarg, &r->options);
    }
}

bool io_open(struct io_session *io, int argc, char **argv)
{
    /* Nothing is as the program's options say, but for faults, ours alone. */
    struct open_request r = {.options = {.is_writable = true,
                                         .has_discard = true,
                                         .faults = io->options.faults}};
    const char *text = NULL;
    int letter;

    optind = 0;
    while ((letter = getopt(argc, argv, "rsCnki:Ut:d:o:")) != -1) {
        if (letter == '?') {
            io_usage(argv[0]);
            return false;
        }
        if (letter == 'o') {
            text = optarg;
        } else if (!take_open_letter(&r, letter)) {
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
    r.path = argv[optind];
    r.wants_writing = r.options.is_writable;
    g_auto(GStrv) words = g_strsplit(text != NULL ? text : "", ",", -1);
    take_list(&r.list, words, &r.options);
    return open_requested(io, &r);
}

/* --- reopen -------------------------------------------------------------- */

/* Return: what -o says and can't be changed; NULL: nothing */
static const char *find_unchangeable(const struct io_session *io,
                                     const struct option_list *list,
                                     const char *format)
{
    if (format != NULL && strcmp(format, blk_format(io->blk)) != 0) {
        return "driver";
    }
    if (list->filename != NULL && strcmp(list->filename, io->filename) != 0) {
        return "filename";
    }
    return list->unknown;
}

/* @has_mode, @has_cache: letters have said so.  Return: false: told. */
static bool check_reopen_list(const struct io_session *io,
                              const struct option_list *list,
                              const char *format, bool has_mode, bool has_cache)
{
    const char *key = find_unchangeable(io, list, format);

    if (list->has_mode && has_mode) {
        fprintf(stderr, "cotrace-io: Cannot set both -r/-w and 'read-only'\n");
    } else if (list->has_cache && has_cache) {
        fprintf(stderr,
                "cotrace-io: Cannot set both -c and the cache options\n");
    } else if (list->no_bool != NULL) {
        fprintf(stderr, "cotrace-io: Parameter '%s' expects 'on' or 'off'\n",
                list->no_bool);
    } else if (list->is_bad_discard) {
        fprintf(stderr, "cotrace-io: Invalid discard option\n");
    } else if (key != NULL) {
        fprintf(stderr, "cotrace-io: Cannot change the option '%s'\n", key);
    } else {
        return true;
    }
    return false;
}

bool io_reopen(struct io_session *io, int argc, char **argv)
{
    BlockOptions options = blk_get_options(io->blk);
    bool has_mode = false, has_cache = false;
    struct option_list list;
    const char *text = "";
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
            text = optarg;
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
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    take_list(&list, words, &options);
    if (!check_reopen_list(io, &list, options.format, has_mode, has_cache)) {
        return false;
    }
    options.format = NULL; /* it stays */
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
