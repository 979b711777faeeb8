/* SPDX-License-Identifier: MIT */
/*
 * tracks.c - the threads of a timeline, and what is open on each
 */
#include "render/tracks.h"

static void track_free(gpointer data)
{
    struct ct_track *track = data;

    g_array_free(track->open, TRUE);
    g_array_free(track->waiting, TRUE);
    g_free(track);
}

void ct_tracks_init(struct ct_tracks *tracks, struct ct_spool *tape)
{
    *tracks = (struct ct_tracks){.tape = tape};
    tracks->by_thread =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    tracks->all = g_ptr_array_new_with_free_func(track_free);
}

void ct_tracks_fini(struct ct_tracks *tracks)
{
    g_hash_table_destroy(tracks->by_thread);
    g_ptr_array_free(tracks->all, TRUE);
}

static struct ct_track *add(struct ct_tracks *tracks, int32_t pid, int32_t tid,
                            uint64_t key)
{
    struct ct_track *track = g_new0(struct ct_track, 1);
    uint64_t *kept = g_new(uint64_t, 1);

    track->pid = pid;
    track->tid = tid;
    track->open = g_array_new(FALSE, FALSE, sizeof(struct ct_tape_record));
    track->waiting = g_array_new(FALSE, FALSE, sizeof(struct ct_tape_record));
    *kept = key;
    g_hash_table_insert(tracks->by_thread, kept, track);
    g_ptr_array_add(tracks->all, track);
    return track;
}

static struct ct_track *find(struct ct_tracks *tracks, int32_t pid, int32_t tid)
{
    uint64_t key = (uint64_t)(uint32_t)pid << 32 | (uint32_t)tid;
    struct ct_track *track = tracks->last;

    if (!track || track->pid != pid || track->tid != tid) {
        track = g_hash_table_lookup(tracks->by_thread, &key);
        if (!track) {
            track = add(tracks, pid, tid, key);
        }
        tracks->last = track;
    }
    return track;
}

static void flush(struct ct_tracks *tracks, struct ct_track *track)
{
    if (track->waiting->len) {
        ct_spool_append(tracks->tape, track->waiting->data,
                        track->waiting->len * sizeof(struct ct_tape_record));
        g_array_set_size(track->waiting, 0);
    }
}

static void arrive(struct ct_tracks *tracks, struct ct_track *track,
                   int64_t at_ns)
{
    if (track->waiting_ns != at_ns) {
        flush(tracks, track);
        track->waiting_ns = at_ns;
    }
}

void ct_tracks_begin(struct ct_tracks *tracks,
                     const struct ct_tape_record *record)
{
    struct ct_track *track = find(tracks, record->pid, record->tid);

    arrive(tracks, track, record->at_ns);
    g_array_append_vals(track->waiting, record, 1);
    g_array_append_vals(track->open, record, 1);
}

/* The begin that still waits for the end that has come. */
static struct ct_tape_record *waiting_begin(struct ct_track *track)
{
    for (guint i = track->waiting->len; i-- > 0;) {
        struct ct_tape_record *record =
            &g_array_index(track->waiting, struct ct_tape_record, i);

        if (record->kind == CT_TAPE_BEGIN) {
            return record;
        }
    }
    return NULL;
}

void ct_tracks_end(struct ct_tracks *tracks, struct ct_tape_record *record)
{
    struct ct_track *track = find(tracks, record->pid, record->tid);
    struct ct_tape_record *begin;

    if (!track->open->len) {
        return;
    }
    arrive(tracks, track, record->at_ns);
    begin = &g_array_index(track->open, struct ct_tape_record,
                           track->open->len - 1);
    record->label = begin->label;
    record->what = begin->what;
    if (begin->at_ns == record->at_ns) {
        struct ct_tape_record *waits = waiting_begin(track);

        record->kind = CT_TAPE_POINT;
        if (waits) {
            *waits = *record;
        }
    } else if (track->waiting->len) {
        g_array_append_vals(track->waiting, record, 1);
    } else {
        ct_spool_append(tracks->tape, record, sizeof(*record));
    }
    g_array_set_size(track->open, track->open->len - 1);
}

void ct_tracks_flow(struct ct_tracks *tracks,
                    const struct ct_tape_record *record)
{
    struct ct_track *track = find(tracks, record->pid, record->to_tid);

    if (track->waiting->len && track->waiting_ns == record->until_ns) {
        g_array_append_vals(track->waiting, record, 1);
    } else {
        ct_spool_append(tracks->tape, record, sizeof(*record));
    }
}

void ct_tracks_flush(struct ct_tracks *tracks)
{
    for (guint i = 0; i < tracks->all->len; i++) {
        flush(tracks, tracks->all->pdata[i]);
    }
}

void ct_tracks_finish(struct ct_tracks *tracks, int64_t end_ns)
{
    for (guint i = 0; i < tracks->all->len; i++) {
        struct ct_track *track = tracks->all->pdata[i];

        while (track->open->len) {
            struct ct_tape_record end = {
                .kind = CT_TAPE_END,
                .flags = CT_TAPE_OPEN,
                .pid = track->pid,
                .tid = track->tid,
                .at_ns = MAX(end_ns, track->waiting_ns),
            };

            ct_tracks_end(tracks, &end);
        }
        flush(tracks, track);
    }
}
