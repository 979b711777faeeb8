/* SPDX-License-Identifier: MIT */
/*
 * stack.c - frame-pointer walk through our own code, and the id of what it saw
 *
 * Why: it costs a nanosecond a frame, where .eh_frame costs hundreds.  It is
 * only valid in code that keeps frame pointers, which we know of our own code
 * alone (the program or library that this file is linked into).
 *
 * The walk starts at the frame of the capture code and follows saved frame
 * pointers.  It ends at the frame of the thread's current entry, or at the
 * first return address that is not our own code: that frame's function was
 * called by foreign code, and the frame pointer saved in it is never followed.
 *
 * Invariant: it reads only between the capture code's frame and the entry's
 * (or the thread stack's end), upwards, aligned, at most CT_STACK_MAX frames;
 * both ends lie on the stack that it runs on, so whatever stands in a saved
 * frame pointer, the walk can neither fault nor go on for ever.
 *
 *   1. entry and outside known, the stack known by heart: compare: done
 *   2. entry and outside known: walk, hash, look up, learn: done
 *   3. else outer.c finds the outside; the entry keeps it
 *   4. .eh_frame contradicts the frame pointers: the whole stack through it,
 *      this time and every time
 *   5. a frame pointer that can't be one: what was found, marked as cut
 */
#include "stack_int.h"

#include <link.h>

#include "ct/emit.h"
#include "ct/stopped.h"

#include "intern.h"
#include "known.h"

__thread struct ct_stack_entry *ct_stack_current
    __attribute__((used, tls_model("initial-exec"), visibility("hidden")));

uintptr_t ct_own_code, ct_own_size;

/* --- whose code ---------------------------------------------------------- */

static int find_own(struct dl_phdr_info *info, size_t size, void *opaque)
{
    uintptr_t inside = (uintptr_t)opaque;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;

        if (header->p_type == PT_LOAD && inside - start < header->p_memsz) {
            ct_own_code = start;
            ct_own_size = header->p_memsz;
            return 1;
        }
    }
    return 0;
}

/* Before any other constructor of the program can have a stack taken. */
__attribute__((constructor(101))) static void find_own_code(void)
{
    dl_iterate_phdr(find_own, (void *)(uintptr_t)find_own_code);
}

/* --- the walk ------------------------------------------------------------ */

/*
 * From the frame @at to the frame @end.  Frame records are read as they are;
 * no sanitizer may object to that.
 */
__attribute__((always_inline,
               no_sanitize("address", "thread"))) static inline enum ct_walk_end
walk_frames(const uintptr_t **at, const uintptr_t *end, struct ct_piece *piece)
{
    const uintptr_t *frame = *at;
    const uintptr_t own = ct_own_code, size = ct_own_size;
    enum ct_walk_end result;
    uint32_t n = 0;

    for (;;) {
        const uintptr_t *next = (const uintptr_t *)frame[0];
        uintptr_t address = ct_plain_address(frame[1]);

        if (address - own >= size) {
            result = CT_WALK_FOREIGN;
            break;
        }
        if (n == CT_STACK_MAX) {
            result = CT_WALK_LONG;
            break;
        }
        piece->frames[n++] = address;
        if (next == end) {
            frame = end;
            result = CT_WALK_ENTRY;
            break;
        }
        if (next <= frame || next > end || (uintptr_t)next % 8 != 0) {
            result = CT_WALK_BROKEN;
            break;
        }
        frame = next;
    }
    *at = frame;
    piece->n = n;
    return result;
}

/* --- capture ------------------------------------------------------------- */

static uint64_t name_piece(const struct ct_piece *piece)
{
    uint64_t id;

    if (piece->n == 0 && piece->outer == 0) {
        return 0;
    }
    id = ct_intern_hash(piece->frames, piece->n, piece->outer, piece->limit);
    if (!ct_intern_is_told(id)) {
        ct_intern_tell(id, piece);
    }
    return id;
}

uint64_t ct_stack_name(const uint64_t *frames, uint32_t n)
{
    struct ct_piece piece = {.n = n};

    for (uint32_t i = 0; i < n; i++) {
        piece.frames[i] = frames[i];
    }
    return name_piece(&piece);
}

/* Leaves of the frames up to @at the outermost one, and begins there. */
static void keep_hook(struct ct_walk *walk, struct ct_piece *piece)
{
    const uintptr_t *frame = walk->start;

    for (uint32_t i = 1; i < piece->n; i++) {
        frame = (const uintptr_t *)frame[0];
    }
    if (piece->n > 1) {
        walk->start = frame;
        piece->frames[0] = piece->frames[piece->n - 1];
        piece->n = 1;
    }
}

/* Everything but the usual case. */
__attribute__((noinline)) static uint64_t capture_slow(
    const uintptr_t *start, struct ct_stack_entry *entry)
{
    struct ct_walk walk = {.start = start, .at = start};
    struct ct_piece piece;
    enum ct_walk_end end;
    bool is_base;

    walk.limit = entry ? entry->limit : NULL;
    if (!walk.limit) {
        walk.limit = ct_outer_limit(start);
        if (entry) {
            entry->limit = walk.limit;
        }
    }
    if (!walk.limit) {
        /* a stack that nobody told us of: only .eh_frame knows its end */
        walk.limit = (const uintptr_t *)UINTPTR_MAX;
        ct_outer_whole(&walk, &piece);
        return name_piece(&piece);
    }
    end = walk_frames(&walk.at, entry ? entry->frame : walk.limit, &piece);
    piece.outer = 0;
    piece.limit = false;
    if (CT_STACK_HOOKS && end == CT_WALK_FOREIGN) {
        keep_hook(&walk, &piece);
    }
    if (end == CT_WALK_LONG || end == CT_WALK_BROKEN) {
        piece.limit = true;
        piece.outer = entry ? entry->outer : 0;
    } else if (end == CT_WALK_ENTRY && entry && entry->limit == entry->frame) {
        /* a coroutine: nothing lies outside */
    } else if (!ct_outer_piece(&walk, &piece, &is_base)) {
        ct_outer_whole(&walk, &piece);
    } else if (end == CT_WALK_ENTRY && entry) {
        entry->outer = piece.outer;
        entry->outer_known = 1;
    } else if (is_base && !entry) {
        ct_stack_current = ct_outer_set_base(&walk, piece.outer);
    }
    return name_piece(&piece);
}

/* A stack that is not known by heart. */
__attribute__((noinline, no_sanitize("address", "thread"))) static uint64_t
capture_walk(const uintptr_t *start, struct ct_stack_entry *entry)
{
    const uintptr_t *at = start;
    struct ct_piece piece;
    uint64_t id;

    if (walk_frames(&at, entry->frame, &piece) != CT_WALK_ENTRY) {
        return capture_slow(start, entry);
    }
    piece.outer = entry->outer;
    piece.limit = false;
    id = ct_intern_hash(piece.frames, piece.n, piece.outer, piece.limit);
    if (!ct_intern_is_told(id)) {
        return capture_slow(start, entry);
    }
    ct_known_learn(start, (uintptr_t)at - (uintptr_t)start, &piece, id);
    return id;
}

__attribute__((no_sanitize("address", "thread"))) uint64_t ct_stack_capture(
    const void *frame)
{
    struct ct_stack_entry *entry = ct_stack_current;
    const uintptr_t *start = frame;
    const struct ct_known *known;
    uintptr_t distance;

    if (!entry || !entry->outer_known ||
        start >= (const uintptr_t *)entry->frame) {
        return capture_slow(start, entry);
    }
    if (entry->address &&
        ((const uintptr_t *)entry->frame)[1] != entry->address) {
        /* the thread's base was left: an implicit entry no longer holds */
        ct_stack_current = NULL;
        return capture_slow(start, NULL);
    }
    distance = (uintptr_t)entry->frame - (uintptr_t)start;
    if (ct_known_table) {
        known = ct_known_find(start, distance, entry->outer);
        if (known && known->generation == __atomic_load_n(&ct_intern_generation,
                                                          __ATOMIC_RELAXED)) {
            return known->id;
        }
    }
    return capture_walk(start, entry);
}
