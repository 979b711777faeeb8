/* SPDX-License-Identifier: MIT */
/*
 * check.c - which bytes of a CTF trace are whole packets
 *
 * source.ctf.fs refuses a whole trace for one stream that is cut, padded or
 * has a bad index, and stops in the middle or worse for events that can't be
 * read.  So all of that is looked at before it is asked: every packet with its
 * events, and every entry of an index against the packet that it is for.  One
 * warning a damaged stream.
 */
#include "source/salvage/view.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ct/bytes.h"

#define INDEX_MAGIC 0xc1f1dcc1u
#define INDEX_HEAD  16

static void add_range(GArray *ranges, const struct ct_ctf_packet *packet)
{
    struct ct_file_range *last =
        ranges->len
            ? &g_array_index(ranges, struct ct_file_range, ranges->len - 1)
            : NULL;
    struct ct_file_range range = {packet->offset, packet->bytes};

    if (last && last->offset + last->bytes == packet->offset) {
        last->bytes += packet->bytes;
    } else {
        g_array_append_val(ranges, range);
    }
}

/* --- the index ------------------------------------------------------------ */

/* Read along with the packets; any contradiction makes it bad. */
struct index {
    char *bytes; /* NULL: there is none */
    gsize n;
    gsize entry; /* bytes */
    gsize at;
    bool bad;
};

static void index_open(struct index *index, const char *dir, const char *name)
{
    char *idx = g_strconcat(name, ".idx", NULL);
    char *path = g_build_filename(dir, "index", idx, NULL);

    *index = (struct index){.at = INDEX_HEAD};
    if (g_file_get_contents(path, &index->bytes, &index->n, NULL)) {
        index->entry = index->n >= INDEX_HEAD
                           ? (gsize)ct_bytes_get(index->bytes + 12, 4, true)
                           : 0;
        index->bad = index->n < INDEX_HEAD ||
                     ct_bytes_get(index->bytes, 4, true) != INDEX_MAGIC ||
                     ct_bytes_get(index->bytes + 4, 4, true) != 1 ||
                     index->entry < 56 || index->entry > 4096;
    }
    g_free(path);
    g_free(idx);
}

static void index_compare(struct index *index,
                          const struct ct_ctf_packet *packet)
{
    const char *entry;

    if (!index->bytes || index->bad) {
        return;
    }
    entry = index->bytes + index->at;
    if (index->n - index->at < index->entry ||
        ct_bytes_get(entry, 8, true) != packet->offset ||
        ct_bytes_get(entry + 8, 8, true) != packet->bytes * 8 ||
        ct_bytes_get(entry + 16, 8, true) != packet->content_bits ||
        ct_bytes_get(entry + 24, 8, true) != packet->begin ||
        ct_bytes_get(entry + 32, 8, true) != packet->end) {
        index->bad = true;
        return;
    }
    index->at += index->entry;
}

/* Of how many packets behind the file's end does it tell?  They were there. */
static uint64_t index_more(const struct index *index, uint64_t size)
{
    if (!index->bytes || index->bad || index->n - index->at < index->entry ||
        (index->n - index->at) % index->entry != 0 ||
        ct_bytes_get(index->bytes + index->at, 8, true) != size) {
        return 0;
    }
    return (index->n - index->at) / index->entry;
}

/* It contradicts the packets; its last entry is of one behind all of them, in
 * a file that was longer: at least that one is missing. */
static bool index_knows_later(const struct index *index,
                              const struct ct_view_file *file)
{
    const char *last;

    if (!index->bytes || index->n < INDEX_HEAD || index->entry < 56 ||
        index->entry > 4096 || index->n < INDEX_HEAD + index->entry ||
        (index->n - INDEX_HEAD) % index->entry != 0) {
        return false;
    }
    last = index->bytes + index->n - index->entry;
    return index->bad && ct_bytes_get(last + 24, 8, true) > file->last_begin &&
           ct_bytes_get(last, 8, true) + ct_bytes_get(last + 8, 8, true) / 8 >
               file->size;
}

static bool index_close(struct index *index)
{
    bool bad = index->bytes && (index->bad || index->at != index->n);

    g_free(index->bytes);
    return bad;
}

/* --- a stream file -------------------------------------------------------- */

static void take_packet(const struct ct_view_trace *trace,
                        struct ct_view_file *file,
                        const struct ct_ctf_packet *packet)
{
    if (file->packets == 0) {
        file->stream = ct_stream_name(ct_ctf_layout_uuid(trace->layout),
                                      packet->stream_id, packet->instance_id);
        file->head_clock = packet->begin;
        file->first_number = packet->seq_num;
        /* A later packet would count what was lost before it, too. */
        file->first_lost = packet->seq_num == 0 ? packet->discarded : 0;
    }
    add_range(file->ranges, packet);
    file->last_begin = packet->begin;
    file->packets++;
}

static void tell_damage(struct ct_view *view, const struct ct_view_file *file,
                        uint64_t in_middle, const struct ct_ctf_skipped *tail)
{
    GString *text;

    if (tail->damage == CT_CTF_DAMAGE_EMPTY) {
        ct_view_warn(view, "%s: is empty; what it had is lost", file->path);
        return;
    }
    text = g_string_new(NULL);
    if (in_middle > 0) {
        g_string_append_printf(text,
                               "%" G_GUINT64_FORMAT
                               " bytes in the middle are no whole packet",
                               in_middle);
    }
    if (tail->bytes > 0) {
        g_string_append_printf(
            text, "%sthe last %" G_GUINT64_FORMAT " bytes are %s",
            in_middle > 0 ? ", " : "", tail->bytes,
            tail->damage == CT_CTF_DAMAGE_CUT     ? "a packet that was cut"
            : tail->damage == CT_CTF_DAMAGE_ZEROS ? "zeros"
                                                  : "no whole packet");
    }
    ct_view_warn(view, "%s: %s; read without them", file->path, text->str);
    g_string_free(text, TRUE);
}

/* Return: 0; -errno. */
static int walk_file(struct ct_view *view, const struct ct_view_trace *trace,
                     struct ct_view_file *file, struct index *index, int fd)
{
    uint64_t in_middle = 0;
    struct ct_ctf_walk walk;
    int got = ct_ctf_walk_begin(&walk, trace->layout, fd);

    if (got < 0) {
        return got;
    }
    file->size = walk.size;
    ct_ctf_walk_until(&walk,
                      ct_ctf_layout_clock(trace->layout, view->until_ns));
    while ((got = ct_ctf_walk_step(&walk)) > 0) {
        in_middle += walk.skipped.bytes;
        file->head_lost =
            file->head_lost || (file->packets == 0 && walk.skipped.bytes > 0);
        take_packet(trace, file, &walk.packet);
        index_compare(index, &walk.packet);
    }
    ct_ctf_walk_end(&walk);
    if (got < 0) {
        return got;
    }
    if (file->packets > 0 || walk.has_cut) {
        file->only_names = !ct_ctf_layout_has_own(
            trace->layout,
            file->packets > 0 ? walk.packet.stream_id : walk.cut_stream_id);
    }
    file->tail_lost = walk.skipped.damage != CT_CTF_DAMAGE_NONE;
    file->whole = in_middle == 0 && !file->tail_lost;
    if (!file->whole) {
        view->damaged = file->is_told = true;
        tell_damage(view, file, in_middle, &walk.skipped);
    } else if (index_more(index, file->size) > 0) {
        view->damaged = file->tail_lost = file->is_told = true;
        ct_view_warn(view,
                     "%s: was cut behind a packet; its index tells of "
                     "%" G_GUINT64_FORMAT " more",
                     file->path, index_more(index, file->size));
    } else if (index_knows_later(index, file)) {
        view->damaged = file->tail_lost = file->is_told = true;
        ct_view_warn(view, "%s: packets are missing that its index tells of",
                     file->path);
    }
    return 0;
}

static bool check_file(struct ct_view *view, const struct ct_view_trace *trace,
                       struct ct_view_file *file, GError **error)
{
    struct index index;
    int ret = 0;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        ret = -errno;
    } else {
        char *name = g_path_get_basename(file->path);

        index_open(&index, trace->dir, name);
        g_free(name);
        ret = walk_file(view, trace, file, &index, fd);
        file->bad_index = index_close(&index);
        close(fd);
    }
    if (ret < 0) {
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT, "%s: %s",
                    file->path, g_strerror(-ret));
        return false;
    }
    if (file->whole && file->bad_index && !file->tail_lost) {
        file->is_told = true;
        ct_view_warn(view, "%s: its index is damaged; read without it",
                     file->path);
    }
    view->packets += file->packets;
    view->bytes += file->size;
    return true;
}

/* --- a trace -------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files that source.ctf.fs takes for streams, sorted. */
static GPtrArray *stream_names(const char *dir)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    GDir *listing = g_dir_open(dir, 0, NULL);
    const char *name;

    while (listing && (name = g_dir_read_name(listing))) {
        char *path = g_build_filename(dir, name, NULL);

        if (name[0] != '.' && strcmp(name, "metadata") != 0 &&
            strcmp(name, "cotrace.json") != 0 &&
            g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
            g_ptr_array_add(names, g_strdup(name));
        }
        g_free(path);
    }
    if (listing) {
        g_dir_close(listing);
    }
    g_ptr_array_sort(names, compare_names);
    return names;
}

static struct ct_ctf_layout *read_layout(const char *dir, char **ret_respelled,
                                         GError **error)
{
    char *path = g_build_filename(dir, "metadata", NULL);
    struct ct_ctf_layout *layout = NULL;
    const char *why;
    char *text = ct_ctf_text(path, &why);

    g_free(path);
    if (!text) {
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT, "%s: %s", dir,
                    why);
        return NULL;
    }
    layout = ct_ctf_layout_read(text, &why);
    if (!layout) {
        g_set_error(error, CT_TRACE_ERROR, CT_TRACE_ERROR_INPUT,
                    "%s: its metadata is damaged, or not LTTng-UST's: it has "
                    "%s",
                    dir, why);
    } else {
        *ret_respelled = ct_ctf_layout_respelled(layout, text);
    }
    g_free(text);
    return layout;
}

struct ct_view_trace *ct_view_open_trace(const char *dir, GError **error)
{
    char *respelled = NULL;
    struct ct_ctf_layout *layout = read_layout(dir, &respelled, error);
    struct ct_view_trace *trace;
    GPtrArray *names;

    if (!layout) {
        return NULL;
    }
    trace = g_new0(struct ct_view_trace, 1);
    trace->dir = g_strdup(dir);
    trace->layout = layout;
    trace->metadata = respelled;
    trace->files = g_ptr_array_new_with_free_func(ct_view_file_free);
    names = stream_names(dir);
    for (unsigned i = 0; i < names->len; i++) {
        struct ct_view_file *file = g_new0(struct ct_view_file, 1);

        file->path = g_build_filename(dir, g_ptr_array_index(names, i), NULL);
        file->ranges = g_array_new(FALSE, FALSE, sizeof(struct ct_file_range));
        g_ptr_array_add(trace->files, file);
    }
    g_ptr_array_unref(names);
    return trace;
}

bool ct_view_check_trace(struct ct_view *view, struct ct_view_trace *trace,
                         GError **error)
{
    for (unsigned i = 0; i < trace->files->len; i++) {
        if (!check_file(view, trace, g_ptr_array_index(trace->files, i),
                        error)) {
            return false;
        }
    }
    return true;
}

/* The end of the first packet of a file that has events; INT64_MAX: none. */
static int64_t end_of_first(const struct ct_view_trace *trace,
                            const struct ct_view_file *file)
{
    int64_t end_ns = INT64_MAX;
    struct ct_ctf_walk walk;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && ct_ctf_walk_begin(&walk, trace->layout, fd) == 0) {
        bool found = false;

        while (!found && ct_ctf_walk_step(&walk) > 0) {
            found = walk.packet.events.all > 0;
        }
        if (!found || !ct_ctf_layout_since_1970(trace->layout, walk.packet.end,
                                                &end_ns)) {
            end_ns = INT64_MAX;
        }
        ct_ctf_walk_end(&walk);
    }
    if (fd >= 0) {
        close(fd);
    }
    return end_ns;
}

int64_t ct_view_first_by(const struct ct_view *view)
{
    int64_t first_ns = INT64_MAX;

    for (unsigned i = 0; i < view->traces->len; i++) {
        const struct ct_view_trace *trace = g_ptr_array_index(view->traces, i);

        for (unsigned k = 0; k < trace->files->len; k++) {
            int64_t end_ns =
                end_of_first(trace, g_ptr_array_index(trace->files, k));

            first_ns = MIN(first_ns, end_ns);
        }
    }
    return first_ns;
}
