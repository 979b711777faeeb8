/* SPDX-License-Identifier: MIT */
/*
 * salvage.c - a view of damaged traces that source.ctf.fs can read whole
 *
 * An undamaged trace is read where it lies.  A damaged one, or one with
 * metadata that source.ctf.fs would refuse, gets a directory of its own in a
 * temporary directory: a link to its metadata, or that said in other words,
 * links to its whole streams, copies of the good packets of the others, and no
 * index.  Traces with the same uuid are one (a trace in several pieces) and go
 * into one component together.
 */
#include "source/salvage/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/salvage/tempdir.h"
#include "source/salvage/view.h"

#define COPY_BYTES 65536

static bool fail(GError **error, const char *path)
{
    g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT,
                "%s: can't make a repaired view: %s", path, g_strerror(errno));
    return false;
}

/* --- making a directory -------------------------------------------------- */

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

static bool make_copy(const struct ct_view_file *file, const char *path)
{
    int in = open(file->path, O_RDONLY | O_CLOEXEC);
    int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = in >= 0 && out >= 0;
    int why;

    for (unsigned i = 0; good && i < file->ranges->len; i++) {
        const struct ct_file_range *range =
            &g_array_index(file->ranges, struct ct_file_range, i);

        good = copy_bytes(in, out, range->offset, range->bytes);
    }
    why = errno;
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
                      const struct ct_view_file *file, const char *path)
{
    if (!ct_tempdir_will_have(path)) {
        errno = EMFILE;
        return false;
    }
    return file->whole && !view->copies ? make_link(file->path, path)
                                        : make_copy(file, path);
}

static bool make_metadata(const struct ct_view_trace *trace, const char *dir)
{
    char *target = g_build_filename(trace->dir, "metadata", NULL);
    char *path = g_build_filename(dir, "metadata", NULL);
    bool good =
        ct_tempdir_will_have(path) &&
        (trace->metadata
             ? g_file_set_contents_full(path, trace->metadata, -1,
                                        G_FILE_SET_CONTENTS_NONE, 0600, NULL)
             : make_link(target, path));

    g_free(path);
    g_free(target);
    return good;
}

static bool make_files(const struct ct_view *view,
                       const struct ct_view_trace *trace, const char *dir)
{
    bool good = true;

    for (unsigned i = 0; good && i < trace->files->len; i++) {
        const struct ct_view_file *file = g_ptr_array_index(trace->files, i);
        char *name = g_path_get_basename(file->path);
        char *path = g_build_filename(dir, name, NULL);

        good = file->packets == 0 || make_file(view, file, path);
        g_free(path);
        g_free(name);
    }
    return good;
}

/* A directory with a trace's metadata and what is good of its streams.
 * Return: its path; NULL: @error. */
static char *make_dir(struct ct_view *view, const struct ct_view_trace *trace,
                      GError **error)
{
    GError *reason = NULL;
    char number[16];
    char *dir;

    if (!view->temp) {
        view->temp = ct_tempdir_make(&reason);
        if (!view->temp) {
            g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT,
                        "%s: can't make a repaired view: %s", trace->dir,
                        reason->message);
            g_error_free(reason);
            return NULL;
        }
    }
    g_snprintf(number, sizeof(number), "%u", view->n_dirs++);
    dir = g_build_filename(view->temp, number, NULL);
    if (!ct_tempdir_will_have(dir) || mkdir(dir, 0700) < 0 ||
        !make_metadata(trace, dir) || !make_files(view, trace, dir)) {
        fail(error, trace->dir);
        g_free(dir);
        return NULL;
    }
    return dir;
}

/* --- the view ------------------------------------------------------------ */

static bool needs_repair(const struct ct_view *view,
                         const struct ct_view_trace *trace)
{
    if (view->copies || trace->metadata) {
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
    const uint8_t *uuid_a = ct_ctf_layout_uuid(a->layout);
    const uint8_t *uuid_b = ct_ctf_layout_uuid(b->layout);

    return uuid_a && uuid_b && memcmp(uuid_a, uuid_b, 16) == 0;
}

static void group(struct ct_view *view)
{
    GPtrArray *done = g_ptr_array_new();

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

/* One trace of several that can't be read: the others are worth reading. */
static void pass_over(struct ct_view *view, GError *reason)
{
    ct_view_warn(view, "%s", reason->message);
    g_error_free(reason);
    view->damaged = true;
}

static bool check_and_repair(struct ct_view *view, struct ct_view_trace *trace,
                             GError **error)
{
    if (!ct_view_check_trace(view, trace, error)) {
        return false;
    }
    if (needs_repair(view, trace)) {
        trace->view_dir = make_dir(view, trace, error);
        return trace->view_dir != NULL;
    }
    return true;
}

/* Keeps the error of the last trace until it is known that there is another. */
static void keep_reason(struct ct_view *view, GError **reason, GError *other)
{
    if (*reason) {
        pass_over(view, *reason);
    }
    *reason = other;
}

static void open_traces(struct ct_view *view, const GPtrArray *dirs,
                        GError **reason)
{
    for (unsigned i = 0; i < dirs->len; i++) {
        GError *other = NULL;
        struct ct_view_trace *trace =
            ct_view_open_trace(g_ptr_array_index(dirs, i), &other);

        if (trace) {
            g_ptr_array_add(view->traces, trace);
        } else {
            keep_reason(view, reason, other);
        }
    }
}

static void check_traces(struct ct_view *view, GError **reason)
{
    unsigned i = 0;

    while (i < view->traces->len) {
        GError *other = NULL;

        if (check_and_repair(view, g_ptr_array_index(view->traces, i),
                             &other)) {
            i++;
        } else {
            keep_reason(view, reason, other);
            g_ptr_array_remove_index(view->traces, i);
        }
    }
}

/* The begin of a stream that no file has: lost, or never kept. */
static void check_begins(struct ct_view *view)
{
    GHashTable *first = g_hash_table_new(g_str_hash, g_str_equal);
    GHashTableIter iter;
    gpointer value;

    for (unsigned i = 0; i < view->traces->len; i++) {
        const struct ct_view_trace *trace = g_ptr_array_index(view->traces, i);

        for (unsigned k = 0; k < trace->files->len; k++) {
            struct ct_view_file *file = g_ptr_array_index(trace->files, k);
            const struct ct_view_file *other =
                file->stream ? g_hash_table_lookup(first, file->stream) : NULL;

            if (file->stream &&
                (!other || file->first_number < other->first_number)) {
                g_hash_table_insert(first, file->stream, file);
            }
        }
    }
    g_hash_table_iter_init(&iter, first);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        struct ct_view_file *file = value;

        if (file->first_number > 0 && !file->head_lost) {
            view->damaged = file->head_lost = true;
            if (file->is_told) {
                continue; /* of something else: one warning a stream */
            }
            ct_view_warn(view,
                         "%s: begins with its packet %" G_GUINT64_FORMAT
                         "; what came before is missing",
                         file->path, file->first_number);
        }
    }
    g_hash_table_unref(first);
}

static int64_t until(const struct ct_view *view, int64_t end_ns)
{
    int64_t until_ns;

    return end_ns == INT64_MAX || __builtin_add_overflow(ct_view_first_by(view),
                                                         end_ns, &until_ns)
               ? INT64_MAX
               : until_ns;
}

struct ct_view *ct_view_new(const GPtrArray *dirs,
                            const struct ct_view_wish *wish,
                            const struct ct_view_warnings *warnings,
                            GError **error)
{
    struct ct_view *view = g_new0(struct ct_view, 1);
    GError *reason = NULL;

    view->copies = wish->copies;
    view->warnings = *warnings;
    view->traces = g_ptr_array_new_with_free_func(ct_view_trace_free);
    view->inputs =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    open_traces(view, dirs, &reason);
    view->until_ns = until(view, wish->end_ns);
    check_traces(view, &reason);
    if (reason && view->traces->len > 0) {
        pass_over(view, g_steal_pointer(&reason));
    }
    if (reason) {
        g_propagate_error(error, reason);
        ct_view_free(view);
        return NULL;
    }
    group(view);
    check_begins(view);
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

            if (stat(file->path, &status) < 0 ||
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
                *(file->only_names ? &feed->names_lost : &feed->streams_lost) +=
                    file->tail_lost;
                continue;
            }
            stream = ct_feed_stream(feed, file->stream);
            stream->tail_lost = stream->tail_lost || file->tail_lost;
            stream->only_names = file->only_names;
            if (file->head_lost) {
                stream->head_lost = true;
                stream->head_clock = file->head_clock;
            }
            stream->first_lost = MAX(stream->first_lost, file->first_lost);
        }
    }
}
