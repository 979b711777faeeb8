/* SPDX-License-Identifier: MIT */
/*
 * salvage.c - a view of damaged traces that source.ctf.fs can read whole
 *
 * An undamaged trace is read where it lies.  A damaged one gets a directory of
 * its own in a temporary directory: a link to its metadata, links to its whole
 * streams, copies of the good packets of the others, and no index.  Traces
 * with the same uuid are one (a trace in several pieces) and go into one
 * component together.
 */
#include "source/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/tempdir.h"
#include "source/view.h"

#define COPY_BYTES 65536

void ct_view_warn(struct ct_view *view, const char *format, ...)
{
    va_list args;
    char *text;

    if (view->warnings.warn) {
        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        view->warnings.warn(text, view->warnings.data);
        g_free(text);
    }
}

static bool fail(GError **error, const char *path)
{
    g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT,
                "%s: can't make a repaired view: %s", path, g_strerror(errno));
    return false;
}

/* --- making a directory ----------------------------------------------------
 */

static bool copy_bytes(int from, int to, uint64_t offset, uint64_t bytes)
{
    char *buffer = g_malloc(COPY_BYTES);
    bool good = true;

    while (good && bytes > 0) {
        ssize_t got =
            pread(from, buffer, (size_t)MIN(bytes, COPY_BYTES), (off_t)offset);

        if (got == 0) {
            errno = ESTALE; /* it was shortened behind our back */
        }
        good = got > 0 && write(to, buffer, (size_t)got) == got;
        if (good) {
            offset += (uint64_t)got;
            bytes -= (uint64_t)got;
        }
    }
    g_free(buffer);
    return good;
}

/* Copies the packets from number @from on. */
static bool copy_packets(const struct ct_view_trace *trace,
                         const struct ct_view_file *file, uint64_t from, int in,
                         int out)
{
    struct ct_walk walk;
    bool good = true;

    for (unsigned i = 0; good && i < file->ranges->len; i++) {
        struct ct_range range = g_array_index(file->ranges, struct ct_range, i);

        if (from >= range.packets) {
            from -= range.packets;
            continue;
        }
        /* The range has only whole packets: their heads lead through it. */
        good = ct_walk_begin(&walk, &trace->layout, in) == 0;
        walk.at = range.offset;
        for (; good && from > 0; from--) {
            good = ct_walk_step(&walk) > 0;
            range.offset += walk.packet.bytes;
            range.bytes -= walk.packet.bytes;
        }
        good = good && copy_bytes(in, out, range.offset, range.bytes);
    }
    return good;
}

static bool make_copy(const struct ct_view_trace *trace,
                      const struct ct_view_file *file, uint64_t from,
                      const char *path)
{
    int in = open(file->original, O_RDONLY | O_CLOEXEC);
    int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = in >= 0 && out >= 0 && copy_packets(trace, file, from, in, out);
    int why = errno;

    if (in >= 0) {
        close(in);
    }
    if (out >= 0 && close(out) < 0) {
        good = false;
    }
    errno = why;
    return good;
}

/* Links are absolute, whatever the user's path was. */
static bool make_link(const char *target, const char *path)
{
    char *absolute = g_canonicalize_filename(target, NULL);
    bool good = symlink(absolute, path) == 0;

    g_free(absolute);
    return good;
}

static bool make_file(const struct ct_view *view,
                      const struct ct_view_trace *trace,
                      const struct ct_view_file *file, uint64_t from,
                      const char *path)
{
    if (!ct_tempdir_will_have(path)) {
        errno = EMFILE;
        return false;
    }
    return file->whole && from == 0 && !view->copies
               ? make_link(file->original, path)
               : make_copy(trace, file, from, path);
}

static bool make_metadata(const struct ct_view_trace *trace, const char *dir)
{
    char *target = g_build_filename(trace->dir, "metadata", NULL);
    char *path = g_build_filename(dir, "metadata", NULL);
    bool good = ct_tempdir_will_have(path) && make_link(target, path);

    g_free(path);
    g_free(target);
    return good;
}

static bool make_files(const struct ct_view *view, struct ct_view_trace *trace,
                       const struct ct_view_file *only, uint64_t from,
                       const char *dir)
{
    bool good = true;

    for (unsigned i = 0; good && i < trace->files->len; i++) {
        struct ct_view_file *file = g_ptr_array_index(trace->files, i);
        char *name = g_path_get_basename(file->original);
        char *path = g_build_filename(dir, name, NULL);

        if (only == file) {
            good = make_file(view, trace, file, from, path);
        } else if (!only && file->packets > 0) {
            good = make_file(view, trace, file, 0, path);
            g_free(file->path);
            file->path = g_strdup(path);
        }
        g_free(path);
        g_free(name);
    }
    return good;
}

char *ct_view_make_dir(struct ct_view *view, struct ct_view_trace *trace,
                       const struct ct_view_file *only, uint64_t from,
                       GError **error)
{
    char number[16];
    char *dir;

    if (!view->temp) {
        view->temp = ct_tempdir_make(error);
        if (!view->temp) {
            return NULL;
        }
    }
    g_snprintf(number, sizeof(number), "%u", view->n_dirs++);
    dir = g_build_filename(view->temp, number, NULL);
    if (!ct_tempdir_will_have(dir) || mkdir(dir, 0700) < 0 ||
        !make_metadata(trace, dir) ||
        !make_files(view, trace, only, from, dir)) {
        fail(error, trace->dir);
        g_free(dir);
        return NULL;
    }
    return dir;
}

/* --- the view --------------------------------------------------------------
 */

static bool needs_repair(const struct ct_view *view,
                         const struct ct_view_trace *trace)
{
    if (view->copies && trace->has_layout) {
        return true;
    }
    for (unsigned i = 0; i < trace->files->len; i++) {
        const struct ct_view_file *file = g_ptr_array_index(trace->files, i);

        /* An empty file is passed over by source.ctf.fs itself. */
        if ((!file->whole && file->size > 0) || file->bad_index) {
            return true;
        }
    }
    return false;
}

static bool is_same_trace(const struct ct_view_trace *a,
                          const struct ct_view_trace *b)
{
    return a->has_layout && b->has_layout && a->layout.has_uuid &&
           b->layout.has_uuid &&
           memcmp(a->layout.uuid, b->layout.uuid, 16) == 0;
}

void ct_view_group(struct ct_view *view)
{
    GPtrArray *done = g_ptr_array_new();

    g_ptr_array_set_size(view->inputs, 0);
    for (unsigned i = 0; i < view->traces->len; i++) {
        struct ct_view_trace *trace = g_ptr_array_index(view->traces, i);
        GPtrArray *paths = NULL;

        for (unsigned k = 0; k < done->len && !paths; k++) {
            if (is_same_trace(g_ptr_array_index(done, k), trace)) {
                paths = g_ptr_array_index(view->inputs, k);
            }
        }
        if (!paths) {
            paths = g_ptr_array_new_with_free_func(g_free);
            g_ptr_array_add(view->inputs, paths);
            g_ptr_array_add(done, trace);
        }
        g_ptr_array_add(
            paths, g_strdup(trace->view_dir ? trace->view_dir : trace->dir));
    }
    g_ptr_array_unref(done);
}

struct ct_view *ct_view_new(const GPtrArray *dirs, bool copies,
                            const struct ct_view_warnings *warnings,
                            GError **error)
{
    struct ct_view *view = g_new0(struct ct_view, 1);
    bool good = true;

    view->copies = copies;
    view->warnings = *warnings;
    view->traces = g_ptr_array_new_with_free_func(ct_view_trace_free);
    view->inputs =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    for (unsigned i = 0; good && i < dirs->len; i++) {
        struct ct_view_trace *trace =
            ct_view_check_trace(view, g_ptr_array_index(dirs, i), error);

        good = trace != NULL;
        if (good) {
            g_ptr_array_add(view->traces, trace);
            if (needs_repair(view, trace)) {
                trace->view_dir = ct_view_make_dir(view, trace, NULL, 0, error);
                good = trace->view_dir != NULL;
            }
        }
    }
    if (!good) {
        ct_view_free(view);
        return NULL;
    }
    ct_view_group(view);
    return view;
}

void ct_view_free(struct ct_view *view)
{
    if (!view) {
        return;
    }
    ct_tempdir_remove(view->temp);
    g_ptr_array_unref(view->inputs);
    g_ptr_array_unref(view->traces);
    g_free(view);
}

const GPtrArray *ct_view_inputs(const struct ct_view *view)
{
    return view->inputs;
}

bool ct_view_is_damaged(const struct ct_view *view)
{
    return view->damaged;
}

bool ct_view_has_changed(const struct ct_view *view)
{
    for (unsigned i = 0; i < view->traces->len; i++) {
        const struct ct_view_trace *trace = g_ptr_array_index(view->traces, i);

        for (unsigned k = 0; k < trace->files->len; k++) {
            const struct ct_view_file *file =
                g_ptr_array_index(trace->files, k);
            struct stat status;

            if (stat(file->original, &status) < 0 ||
                (uint64_t)status.st_size != file->size) {
                return true;
            }
        }
    }
    return false;
}

uint64_t ct_view_packets(const struct ct_view *view, uint64_t *ret_bytes)
{
    *ret_bytes = view->bytes;
    return view->packets;
}

void ct_view_tell(const struct ct_view *view, struct ct_feed *feed)
{
    for (unsigned i = 0; i < view->traces->len; i++) {
        const struct ct_view_trace *trace = g_ptr_array_index(view->traces, i);

        for (unsigned k = 0; k < trace->files->len; k++) {
            const struct ct_view_file *file =
                g_ptr_array_index(trace->files, k);
            struct ct_feed_stream *stream;

            if (!file->stream) {
                feed->streams_lost += file->tail_lost;
                continue;
            }
            stream = ct_feed_stream(feed, file->stream);
            stream->tail_lost = stream->tail_lost || file->tail_lost;
            stream->first_lost = MAX(stream->first_lost, file->first_lost);
        }
    }
}
