/* SPDX-License-Identifier: MIT */
/*
 * chrome_parts.c - a timeline as several files, each of which loads by itself
 *
 * A file ends at one of the tape's marks, where all that happened before is
 * told and nothing after it.  Slices that are open there end in it and begin
 * again in the next, which has all names, too, and begins with the counters'
 * values.  A request stands in the file in which it ends, whole; an arrow that
 * would lie in two files in none.
 *
 * The files get their names when all of them are written.
 */
#include "render/chrome_writer.h"

#include <errno.h>

/* Each keeps a file descriptor to the end. */
#define PARTS_MAX 500
/* Of what is written when a file ends, for each slice that is open. */
#define CLOSE_BYTES 300

struct track {
    uint64_t key;
    GArray *open; /* struct ct_tape_record: begins without their ends */
};

struct parts {
    struct ct_chrome_writer *writer;
    const struct ct_summary *summary;
    char *stem; /* of the files' names */
    char *suffix;
    GPtrArray *outs;       /* struct ct_out, whole; the last one is written */
    GHashTable *by_key;    /* track's key -> struct track */
    GPtrArray *tracks;     /* struct track (owned), by their first slices */
    GHashTable *counters;  /* label -> its last record (owned) */
    int64_t begin_ns;      /* of the file that is written */
    uint64_t marked_bytes; /* its length at the last mark */
    uint64_t chunk_bytes;  /* the most that lay between two marks */
};

static struct ct_out *current(const struct parts *parts)
{
    return g_ptr_array_index(parts->outs, parts->outs->len - 1);
}

static void free_track(gpointer data)
{
    struct track *track = data;

    g_array_free(track->open, TRUE);
    g_free(track);
}

static struct track *track_of(struct parts *parts,
                              const struct ct_tape_record *record)
{
    uint64_t key =
        (uint64_t)(uint32_t)record->pid << 32 | (uint32_t)record->tid;
    struct track *track = g_hash_table_lookup(parts->by_key, &key);

    if (!track) {
        track = g_new0(struct track, 1);
        track->key = key;
        track->open = g_array_new(FALSE, FALSE, sizeof(struct ct_tape_record));
        g_hash_table_insert(parts->by_key, &track->key, track);
        g_ptr_array_add(parts->tracks, track);
    }
    return track;
}

/* --- a file after the other ---------------------------------------------- */

static bool open_next(struct parts *parts, GError **error)
{
    g_autofree char *path = g_strdup_printf(
        "%s-%u%s", parts->stem, parts->outs->len + 1, parts->suffix);
    struct ct_out *out;

    if (parts->outs->len == PARTS_MAX) {
        g_set_error(error, CT_OUT_ERROR, EFBIG,
                    "%s: more than %d files: --split is too small", path,
                    PARTS_MAX);
        return false;
    }
    out = ct_out_open(path, error);
    if (!out) {
        return false;
    }
    g_ptr_array_add(parts->outs, out);
    ct_chrome_head(parts->writer, out, parts->summary);
    parts->marked_bytes = ct_out_length(out);
    return true;
}

static bool end_current(struct parts *parts, GError **error)
{
    struct ct_out *out = current(parts);

    ct_chrome_tail(parts->writer);
    return ct_out_flush(out) || ct_out_failed(out, error);
}

static void close_slices(struct parts *parts, int64_t at_ns)
{
    for (guint i = 0; i < parts->tracks->len; i++) {
        const struct track *track = parts->tracks->pdata[i];

        for (guint k = track->open->len; k-- > 0;) {
            struct ct_tape_record end =
                g_array_index(track->open, struct ct_tape_record, k);

            end.kind = CT_TAPE_END;
            end.flags |= CT_TAPE_CUT_END;
            end.at_ns = at_ns;
            ct_chrome_record(parts->writer, &end);
        }
    }
}

static void open_slices(struct parts *parts, int64_t at_ns)
{
    for (guint i = 0; i < parts->tracks->len; i++) {
        const struct track *track = parts->tracks->pdata[i];

        for (guint k = 0; k < track->open->len; k++) {
            struct ct_tape_record *begin =
                &g_array_index(track->open, struct ct_tape_record, k);

            begin->flags = CT_TAPE_CUT_BEGIN;
            begin->at_ns = at_ns;
            ct_chrome_record(parts->writer, begin);
        }
    }
}

static void tell_counters(struct parts *parts, int64_t at_ns)
{
    GHashTableIter iter;
    gpointer record;

    g_hash_table_iter_init(&iter, parts->counters);
    while (g_hash_table_iter_next(&iter, NULL, &record)) {
        ((struct ct_tape_record *)record)->at_ns = at_ns;
        ct_chrome_record(parts->writer, record);
    }
}

static bool cut(struct parts *parts, int64_t at_ns, GError **error)
{
    close_slices(parts, at_ns);
    if (!end_current(parts, error) || !open_next(parts, error)) {
        return false;
    }
    parts->begin_ns = at_ns;
    tell_counters(parts, at_ns);
    open_slices(parts, at_ns);
    return true;
}

/* What comes up to the next mark must have room, too. */
static bool is_full(struct parts *parts)
{
    uint64_t length = ct_out_length(current(parts));
    uint64_t more;

    parts->chunk_bytes = MAX(parts->chunk_bytes, length - parts->marked_bytes);
    parts->marked_bytes = length;
    more = parts->chunk_bytes + parts->chunk_bytes / 2;
    for (guint i = 0; i < parts->tracks->len; i++) {
        const struct track *track = parts->tracks->pdata[i];

        more += track->open->len * (uint64_t)CLOSE_BYTES;
    }
    return length + more > parts->writer->chrome->split_bytes;
}

/* --- records ------------------------------------------------------------- */

static void take_slice(struct parts *parts, struct ct_tape_record *record)
{
    struct track *track = track_of(parts, record);

    if (parts->begin_ns && record->at_ns <= parts->begin_ns) {
        /* Threads of a log have clocks of their own. */
        record->at_ns = parts->begin_ns + 1;
    }
    if (record->kind == CT_TAPE_BEGIN) {
        g_array_append_vals(track->open, record, 1);
    } else if (record->kind == CT_TAPE_END && track->open->len) {
        record->flags |= g_array_index(track->open, struct ct_tape_record,
                                       track->open->len - 1)
                             .flags &
                         CT_TAPE_CUT_BEGIN;
        g_array_set_size(track->open, track->open->len - 1);
    }
    ct_chrome_record(parts->writer, record);
}

static void take_counter(struct parts *parts,
                         const struct ct_tape_record *record)
{
    g_hash_table_insert(parts->counters, GUINT_TO_POINTER(record->label),
                        g_memdup2(record, sizeof(*record)));
    ct_chrome_record(parts->writer, record);
}

static bool take(struct parts *parts, struct ct_tape_record *record,
                 GError **error)
{
    switch ((enum ct_tape_kind)record->kind) {
    case CT_TAPE_BEGIN:
    case CT_TAPE_END:
    case CT_TAPE_POINT:
        take_slice(parts, record);
        break;
    case CT_TAPE_COUNTER:
        take_counter(parts, record);
        break;
    case CT_TAPE_FLOW:
        if (record->at_ns > parts->begin_ns || !parts->begin_ns) {
            ct_chrome_record(parts->writer, record);
        }
        break;
    case CT_TAPE_MARK:
        return !is_full(parts) || cut(parts, record->at_ns, error);
    default:
        ct_chrome_record(parts->writer, record);
        break;
    }
    return true;
}

static bool write_all(struct parts *parts, GError **error)
{
    struct ct_tape_record record;

    if (!open_next(parts, error)) {
        return false;
    }
    while (!current(parts)->error && ct_chrome_next(parts->writer, &record)) {
        if (!take(parts, &record, error)) {
            return false;
        }
    }
    return end_current(parts, error) &&
           !ct_spool_error(parts->writer->chrome->tape, error);
}

/* --- names --------------------------------------------------------------- */

static bool close_all(struct parts *parts, bool keep, GError **error)
{
    for (guint i = 0; i < parts->outs->len; i++) {
        keep = ct_out_close(g_ptr_array_index(parts->outs, i), keep,
                            keep ? error : NULL) &&
               keep;
    }
    return keep;
}

static void set_names(struct parts *parts, const char *path)
{
    const char *name = strrchr(path, '/');
    const char *dot = strrchr(name ? name : path, '.');

    parts->suffix = g_strdup(dot ? dot : "");
    parts->stem = g_strndup(path, strlen(path) - strlen(parts->suffix));
}

bool ct_chrome_write_parts(struct ct_chrome_writer *writer, struct ct_out *out,
                           const struct ct_summary *summary, GError **error)
{
    struct parts parts = {.writer = writer, .summary = summary};
    bool good;

    if (!out->path) {
        g_set_error(error, CT_OUT_ERROR, EINVAL,
                    "%s: --split needs a file to number", out->name);
        return false;
    }
    set_names(&parts, out->path);
    parts.outs = g_ptr_array_new();
    parts.by_key = g_hash_table_new(g_int64_hash, g_int64_equal);
    parts.tracks = g_ptr_array_new_with_free_func(free_track);
    parts.counters = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    good = write_all(&parts, error);
    good = close_all(&parts, good, error) && good;
    /* The one without a number is not to be. */
    g_clear_pointer(&out->path, g_free);
    g_hash_table_unref(parts.counters);
    g_hash_table_unref(parts.by_key);
    g_ptr_array_unref(parts.tracks);
    g_ptr_array_unref(parts.outs);
    g_free(parts.stem);
    g_free(parts.suffix);
    return good;
}
