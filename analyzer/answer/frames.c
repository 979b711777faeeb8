/* SPDX-License-Identifier: MIT */
/*
 * Stacks and origins become frames with names.
 *
 * Names are looked up when the pass has ended, each address once.  A finished
 * backtrace is copied out of the array that it grew in, so that what was handed
 * out stays where it is while others are added.
 */
#include "answer/frames.h"

#include <glib.h>

enum {
    PIECES_MAX = 64,      /* of one stack */
    FRAMES_MAX = 1 << 20, /* of a backtrace */
};

struct ct_frames {
    GArray *growing;   /* struct ct_frame */
    GPtrArray *copies; /* of finished ones */
    GStringChunk *strings;
    const struct ct_summary *summary;
    struct ct_symbols *symbols;
    bool complete; /* the one that grows */
};

struct ct_frames *ct_frames_new(const struct ct_summary *summary,
                                struct ct_symbol_files *files)
{
    struct ct_frames *frames = g_new0(struct ct_frames, 1);

    frames->growing = g_array_new(FALSE, TRUE, sizeof(struct ct_frame));
    frames->copies = g_ptr_array_new_with_free_func(g_free);
    frames->strings = g_string_chunk_new(4096);
    frames->summary = summary;
    frames->symbols = ct_symbols_new(summary->images, files);
    return frames;
}

void ct_frames_free(struct ct_frames *frames)
{
    if (!frames) {
        return;
    }
    g_array_unref(frames->growing);
    g_ptr_array_unref(frames->copies);
    g_string_chunk_free(frames->strings);
    ct_symbols_free(frames->symbols);
    g_free(frames);
}

const char *ct_frames_keep(struct ct_frames *frames, const char *string)
{
    return string ? g_string_chunk_insert_const(frames->strings, string) : NULL;
}

static void add_frame(struct ct_frames *frames, const struct ct_frame *frame)
{
    struct ct_frame kept = *frame;

    if (frames->growing->len >= FRAMES_MAX) {
        frames->complete = false;
        return;
    }
    kept.function = ct_frames_keep(frames, frame->function);
    kept.file = ct_frames_keep(frames, frame->file);
    kept.image = ct_frames_keep(frames, frame->image);
    g_array_append_val(frames->growing, kept);
}

static void add_address(struct ct_frames *frames, int32_t pid, uint64_t address)
{
    const struct ct_frame *found;
    unsigned n = ct_symbols_frames(frames->symbols, pid, address, true, &found);

    for (unsigned i = 0; i < n; i++) {
        add_frame(frames, &found[i]);
    }
}

/* Frames are missing outside the last one. */
static void add_limit(struct ct_frames *frames)
{
    frames->complete = false;
    if (frames->growing->len) {
        g_array_index(frames->growing, struct ct_frame,
                      frames->growing->len - 1)
            .limit = true;
    }
}

void ct_frames_begin(struct ct_frames *frames)
{
    g_array_set_size(frames->growing, 0);
    frames->complete = true;
}

void ct_frames_add_stack(struct ct_frames *frames, int32_t pid, uint64_t stack)
{
    for (unsigned pieces = 0; pieces < PIECES_MAX; pieces++) {
        const uint64_t *addresses;
        unsigned n;
        uint64_t outer;
        bool limit;

        if (!stack || !ct_stacks_get(frames->summary->stacks, pid, stack,
                                     &addresses, &n, &outer, &limit)) {
            add_limit(frames);
            return;
        }
        for (unsigned i = 0; i < n; i++) {
            add_address(frames, pid, addresses[i]);
        }
        if (limit) {
            add_limit(frames);
        }
        if (!outer) {
            return;
        }
        stack = outer;
    }
    add_limit(frames);
}

void ct_frames_add_origins(struct ct_frames *frames,
                           const struct ct_origin *origin, bool has_inner,
                           int64_t inner_ns)
{
    for (; origin; origin = origin->next) {
        struct ct_frame boundary = {
            .boundary = origin->boundary,
            .id = origin->id,
            .stack = origin->stack,
            .is_request = origin->is_request,
            .has_when =
                origin->when_ns && has_inner && frames->summary->has_clock,
            .when_ns = origin->when_ns,
            .elapsed_ns = inner_ns - origin->when_ns,
            .tid = origin->tid,
            .n_also = origin->n_also,
            .repeats = origin->repeats,
            .period = origin->period,
            .skipped = origin->skipped,
            .cut = origin->cut,
        };
        if (!boundary.has_when) {
            boundary.when_ns = boundary.elapsed_ns = 0;
        }
        has_inner = origin->when_ns;
        inner_ns = origin->when_ns;
        add_frame(frames, &boundary);
        ct_frames_add_stack(frames, origin->pid, origin->stack);
        if (origin->cut) {
            frames->complete = false;
        }
    }
}

struct ct_frame *ct_frames_end(struct ct_frames *frames, unsigned *ret_n,
                               bool *ret_complete)
{
    struct ct_frame *copy = g_memdup2(
        frames->growing->data, frames->growing->len * sizeof(struct ct_frame));

    g_ptr_array_add(frames->copies, copy);
    *ret_n = frames->growing->len;
    *ret_complete = frames->complete;
    return copy;
}
