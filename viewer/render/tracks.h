/* SPDX-License-Identifier: MIT */
/*
 * render/tracks.h - the threads of a timeline, and what is open on each
 *
 * Model:    begin and end come as brackets do, in time order of their thread;
 *           they leave to the tape in that order, except that a slice without
 *           length leaves as one point: viewers that sort by time put an end
 *           before a begin of the same instant.
 *           What happens at one instant of a thread therefore waits, together
 *           with the arrows that end there, until that instant is over.
 * Threads:  one at a time.
 * Memory:   one entry a thread, plus what is open on it.
 * Errors:   an end without its begin is dropped.
 * Depends:  render/tape.h, out/spool.h.
 */
#ifndef CT_RENDER_TRACKS_H
#define CT_RENDER_TRACKS_H

#include "out/spool.h"
#include "render/tape.h"

struct ct_track {
    int32_t pid;
    int32_t tid;
    GArray *open;    /* struct ct_tape_record: begins without their end */
    GArray *waiting; /* struct ct_tape_record: all of one instant */
    int64_t waiting_ns;
};

struct ct_tracks {
    struct ct_spool *tape;
    GHashTable *by_thread; /* pid and tid -> borrowed from `all` */
    GPtrArray *all;        /* in the order of their first event */
    struct ct_track *last; /* found: events come in runs of one thread */
};

void ct_tracks_init(struct ct_tracks *tracks, struct ct_spool *tape);
void ct_tracks_fini(struct ct_tracks *tracks);

/** ct_tracks_begin() - @record: kind CT_TAPE_BEGIN */
void ct_tracks_begin(struct ct_tracks *tracks,
                     const struct ct_tape_record *record);

/** ct_tracks_end() - end the innermost open slice of the thread
 * @record: kind CT_TAPE_END; gets the label of the begin, as viewers compare */
void ct_tracks_end(struct ct_tracks *tracks, struct ct_tape_record *record);

/** ct_tracks_flow() - an arrow; stands after what begins where it ends */
void ct_tracks_flow(struct ct_tracks *tracks,
                    const struct ct_tape_record *record);

/** ct_tracks_flush() - what waits leaves: nothing more comes of its instants */
void ct_tracks_flush(struct ct_tracks *tracks);

/** ct_tracks_finish() - what waits leaves; what is still open ends at @end_ns
 */
void ct_tracks_finish(struct ct_tracks *tracks, int64_t end_ns);

#endif
